"""Clients that have agreed on different code sets, distributed over the same targets."""

from __future__ import annotations

import pytest

from iiop.exceptions import CODESET_INCOMPATIBLE, CompletionStatus
from iiop.failover import FailoverPolicy
from iiop.net.client import Client
from iiop_lab.virtual_host import Target, VirtualHost
from tests.net.test_code_sets import CYRILLIC, FUJITSU_EUC, PATIENCE, SJIS, Echo, EchoServant, reference, serving, sets

POLICY = FailoverPolicy(deadline=PATIENCE)


def test_every_target_reads_what_each_client_says() -> None:
    servants = EchoServant(), EchoServant()
    with (
        serving(servants[0]) as one,
        serving(servants[1]) as two,
        VirtualHost([Target(server.host, server.port) for server in (one, two)]) as vhost,
        Client(policy=POLICY, code_sets=sets(SJIS)) as sjis,
        Client(policy=POLICY, code_sets=sets(FUJITSU_EUC)) as euc,
        Client(policy=POLICY) as utf_8,
    ):
        offered = one.ior.endpoints()[0].code_sets
        stubs = [client.stub(reference(vhost.port, offered), Echo) for client in (sjis, euc, utf_8)]
        stubs.append(utf_8.stub(reference(vhost.port, None), Echo))
        for _ in range(4):
            for stub, text in zip(stubs, ("口座", "富士通", "口座 é €", "é"), strict=True):
                assert stub.text(text) == text
        assert all(servant.calls >= 4 for servant in servants)


def test_a_code_set_that_nobody_behind_it_has() -> None:
    with (
        serving(EchoServant()) as server,
        VirtualHost([Target(server.host, server.port)]) as vhost,
        Client(policy=POLICY) as client,
    ):
        with pytest.raises(CODESET_INCOMPATIBLE) as caught:
            client.stub(reference(vhost.port, sets(CYRILLIC)), Echo).text("a")
        assert caught.value == CODESET_INCOMPATIBLE(0x4F4D0002, CompletionStatus.COMPLETED_NO)
        assert client.stub(reference(vhost.port, None), Echo).text("é") == "é"

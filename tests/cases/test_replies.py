"""Every class of replies: what a `Connection` makes of it, and what the caller of our client gets."""

from __future__ import annotations

import pytest

from iiop.connection import Connection, Role
from iiop.exceptions import CompletionStatus, ConnectionLost
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Request, key_address
from iiop.net.client import Client
from tests.cases.replies import CASES, Case
from tests.cases.wire import check
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer

POLICY = FailoverPolicy(rounds=1, refresh_interval=None)

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_connection(case: Case) -> None:
    connection = Connection(Role.CLIENT)
    connection.send(Request(0, "add", key_address(b"key")))
    check(connection, case.given, case.answer)


@every_case
def test_client(case: Case) -> None:
    """Nothing is asked twice: what a server says against GIOP does not say that the call has not run."""
    with Client(policy=POLICY) as client, ScriptedServer([s.request, s.octets(case.given), s.gone]) as server:
        add = client.stub(server.reference(), Counter).add
        if isinstance(case.raised, int) and not isinstance(case.raised, CompletionStatus):
            assert add(1) == case.raised
        elif isinstance(case.raised, CompletionStatus):
            with pytest.raises(ConnectionLost) as lost:
                add(1)
            assert lost.value.completed is case.raised
        else:
            with pytest.raises(type(case.raised)) as caught:
                add(1)
            assert caught.value == case.raised
        client.close()
    assert server.operations == ["add"]

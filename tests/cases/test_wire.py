"""Every class of header, fragments and requests: what a `Connection`, our Naming Service and omniNames make of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from iiop.connection import Connection, Role
from naming import NamingServer
from tests.cases import fragments, header, omninames, requests
from tests.cases.wire import PROBE, Case, Unfinished, check, said
from tests.peers import NamingPeer

CASES = [*header.CASES, *fragments.CASES, *requests.CASES]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_connection(case: Case) -> None:
    check(Connection(Role.SERVER), case.given, case.answer)


@pytest.fixture(scope="module")
def server() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


def sent(case: Case) -> tuple[bytes, ...]:
    """Return what a server is sent: what is behind a message without end would be taken for its rest."""
    return (case.given,) if isinstance(case.answer, Unfinished) else (case.given, PROBE)


@every_case
def test_naming_server(case: Case, server: NamingServer) -> None:
    assert said(server.host, server.port, *sent(case)) == case.said


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in omninames.NOT_ASKED], ids=lambda case: case.name)
def test_omninames(case: Case, omni_names: NamingPeer) -> None:
    """What is stated of omniNames is so; it answers requests that come together in any order."""
    differs = omninames.DIFFERENT.get(case.name)
    stated = case.said if differs is None else differs.said
    assert sorted(said(omni_names.host, omni_names.port, *sent(case))) == sorted(stated)


def test_what_is_stated_of_omninames_is_of_a_case_and_differs() -> None:
    known = {case.name: case.said for case in CASES}
    assert set(omninames.NOT_ASKED) | set(omninames.DIFFERENT) <= set(known)
    assert all(known[name] != differs.said for name, differs in omninames.DIFFERENT.items())

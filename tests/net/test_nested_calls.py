"""What a servant raises says how far its own call got, not how far one got that it made itself."""

from __future__ import annotations

from typing import Annotated

import pytest

from iiop.cdr import Long
from iiop.exceptions import TRANSIENT, CompletionStatus, FailoverExhausted, SystemException
from iiop.failover import FailoverPolicy
from iiop.idl import Interface, Servant, operation
from iiop.net.client import Client
from ior import IORBuilder
from naming import NamingServer

POLICY = FailoverPolicy(deadline=5.0, backoff_initial=0.0, rounds=3)


class Counter(Interface):
    repository_id = "IDL:test/Nested:1.0"

    @operation
    def add(self, amount: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Add, and fail."""


class Raising(Servant):
    interface = Counter

    def __init__(self, error: SystemException) -> None:
        self.runs = 0
        self._error = error

    def add(self, amount: int) -> int:
        self.runs += amount
        raise self._error


def received(error: SystemException) -> SystemException:
    error.received = True
    return error


@pytest.mark.parametrize(
    ("error", "runs"),
    [
        (TRANSIENT(), 1),
        (received(TRANSIENT(0, CompletionStatus.COMPLETED_NO)), 1),
        (TRANSIENT(0, CompletionStatus.COMPLETED_NO), 3),
    ],
    ids=["says nothing", "a call of its own did not run", "says that it has not run"],
)
def test_a_call_is_repeated_only_where_the_servant_says_that_it_has_not_run(error: SystemException, runs: int) -> None:
    servant = Raising(error)
    with NamingServer() as server, Client(policy=POLICY) as client:
        server.activate(servant, b"counter")
        reference = IORBuilder(Counter.repository_id).iiop(server.host, server.port, key=b"counter").build()
        with pytest.raises(TRANSIENT if runs == 1 else FailoverExhausted):
            client.stub(reference, Counter).add(1)
    assert servant.runs == runs

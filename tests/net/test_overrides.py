"""Stubs by another policy, blocking and asyncio."""

from __future__ import annotations

import asyncio
import time

import pytest

from iiop.exceptions import DeadlineExceeded
from iiop.failover import FailoverPolicy
from iiop.idl import AsyncInterface, Interface, asynchronous
from iiop.iop import IOR
from iiop.net.aio_client import AsyncClient
from iiop.net.aio_reference import reference
from iiop.net.client import Client
from iiop.net.overrides import with_policy
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer

PATIENT = FailoverPolicy(deadline=30.0, rounds=1, refresh_interval=None)
QUICK = FailoverPolicy(deadline=0.1, rounds=1, refresh_interval=None)

LATE = [s.request, s.reply(1), s.request, s.cancelled, s.gone]


class CounterAsync(AsyncInterface):
    add = asynchronous(Counter.add)


@pytest.mark.parametrize("acquired", [True, False])
def test_one_call_with_a_deadline_of_its_own(acquired: bool) -> None:
    asked: list[IOR] = []
    with ScriptedServer(LATE, then=[s.serve(3)]) as server, Client(policy=PATIENT) as client:

        def acquire(timeout: float) -> IOR:
            asked.append(server.reference())
            return asked[-1]

        counter = client.reference(acquire, Counter) if acquired else client.stub(server.reference(), Counter)
        assert counter.add(1) == 1
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            with_policy(counter, QUICK).add(2)
        assert time.monotonic() - start < 5
        assert counter.add(3) == 3
    assert len(asked) <= 1, "what was known is not acquired again"


@pytest.mark.parametrize("acquired", [True, False])
def test_asyncio(acquired: bool) -> None:
    async def run(server: ScriptedServer) -> None:
        client = AsyncClient(policy=PATIENT)
        found = server.reference()
        counter = reference(client, lambda timeout: found, CounterAsync) if acquired else client.stub(found, CounterAsync)
        assert await counter.add(1) == 1
        with pytest.raises(DeadlineExceeded):
            await with_policy(counter, QUICK).add(2)
        assert await counter.add(3) == 3
        client.close()
        await asyncio.sleep(0)

    with ScriptedServer(LATE, then=[s.serve(3)]) as server:
        asyncio.run(run(server))


def test_before_anything_is_known() -> None:
    with ScriptedServer(then=[s.serve(7)]) as server, Client(policy=PATIENT) as client:
        counter = client.reference(lambda timeout: server.reference(), Counter)
        assert with_policy(counter, FailoverPolicy(deadline=20.0)).add(1) == 7


def test_what_has_no_policy() -> None:
    class Nothing:
        def invoke(self, *_: object) -> None: ...

    with pytest.raises(TypeError, match="has no policy"):
        with_policy(Interface(Nothing()), QUICK)  # type: ignore[arg-type]

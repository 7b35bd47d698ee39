"""What a client remembers of servers between calls: where they forward to, and how they want objects to be named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from iiop.cdr import Short, codec
from iiop.connection import NEED_DATA, Connection, Role
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Body, ReplyStatus, Request
from iiop.iop import IOR
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer

POLICY = FailoverPolicy(deadline=8.0, rounds=2, backoff_initial=0.01, refresh_interval=None)
ADD = Counter.add.operation  # type: ignore[attr-defined]

Calls = Callable[..., list[Any]]


def blocking(reference: IOR, arguments: list[Any], **options: Any) -> list[Any]:
    """Call `add` with each argument, one call after the other; an argument that can be called is called instead."""
    with Client(policy=POLICY, **options) as client:
        stub = client.stub(reference, Counter)
        return [n() if callable(n) else stub.add(n) for n in arguments]


def tasks(reference: IOR, arguments: list[Any], **options: Any) -> list[Any]:
    """Do the same with the asyncio client."""

    async def main() -> list[Any]:
        client = AsyncClient(policy=POLICY, **options)
        try:
            return [await asyncio.to_thread(n) if callable(n) else await client.invoke(reference, ADD, (n,)) for n in arguments]
        finally:
            client.close()

    return asyncio.run(main())


@pytest.fixture(params=[blocking, tasks])
def calls(request: pytest.FixtureRequest) -> Calls:
    made: Calls = request.param
    return made


def answers(*values: int) -> list[s.Step]:
    """Answer as many requests."""
    return [step for value in values for step in (s.request, s.reply(value))]


@pytest.mark.parametrize("status", [ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM])
def test_the_next_call_begins_where_the_last_one_was_forwarded_to(calls: Calls, status: ReplyStatus) -> None:
    with ScriptedServer([*answers(8, 8, 8)]) as good, ScriptedServer([s.request, s.forward(good.reference, status)]) as first:
        assert calls(first.reference(), [1, 2, 3]) == [8, 8, 8]
        assert (first.operations, good.operations) == (["add"], ["add"] * 3)


def test_a_forward_that_fails_leads_back_to_the_reference(calls: Calls) -> None:
    """The server forwarded to closes in order, and has run nothing."""
    leaves = [*answers(8, 9), s.request, s.close_connection, s.fin]
    with (
        ScriptedServer(leaves, then=[s.request, s.close_connection, s.fin]) as forwarded,
        ScriptedServer([s.request, s.forward(forwarded.reference)], answers(1, 2)) as first,
    ):
        assert calls(first.reference(), [1, 2, 3, 4]) == [8, 9, 1, 2]
        assert first.operations == ["add"] * 3


@pytest.mark.parametrize("disposition", [1, 2])
def test_the_form_of_address_that_a_server_asked_for_is_kept(calls: Calls, disposition: int) -> None:
    asked = Body.of(codec(Annotated[int, Short]), disposition)
    with ScriptedServer([s.request, s.status(5, asked), *answers(7, 7)]) as server:
        assert calls(server.reference(), [1, 2]) == [7, 7]
        assert [request.target.discriminator for request in server.requests] == [0, disposition, disposition]


# --- fragments --------------------------------------------------------------------------------------------------------


def test_a_large_request_goes_in_fragments(calls: Calls) -> None:
    """Of GIOP 1.2, 32 octets each at most here; the server puts them together."""
    sizes: list[int] = []

    def reassemble(peer: s.Peer) -> None:
        connection = Connection(Role.SERVER)
        while (event := connection.next_event()) is NEED_DATA:
            header = peer._exactly(12)
            size = int.from_bytes(header[8:12], "little" if header[6] & 1 else "big")
            connection.receive_data(header + peer._exactly(size))
            sizes.append(12 + size)
        assert isinstance(event, Request)
        peer.keep(event)
        s.reply(event.body.decode(ADD.arguments)[0] * 10)(peer)

    with ScriptedServer([reassemble, reassemble]) as server:
        assert calls(server.reference(), [1, 2], fragment_size=32) == [10, 20]
    assert len(sizes) > 2
    assert max(sizes) <= 32

"""Many calls on one connection, blocking and asyncio: replies in any order, deadlines of their own, and the end of it for all."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import pytest

from iiop.exceptions import CompletionStatus, ConnectionLost, DeadlineExceeded
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Body, CancelRequest, Reply, Request
from iiop.giop.wire import encode
from iiop.limits import Limits
from iiop.net.aio_client import AsyncClient
from iiop.net.blocking import BlockingConnection
from iiop.net.client import Client
from iiop.net.objects import make_reference
from tests import procfs
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
POLICY = FailoverPolicy(deadline=10.0, attempt_timeout=8.0, rounds=2, backoff_initial=0.01, refresh_interval=None)
IMPATIENT = FailoverPolicy(deadline=0.3, attempt_timeout=0.3, rounds=1, refresh_interval=None)
ADD = Counter.add.operation  # type: ignore[attr-defined]


class Caller(Protocol):
    """Start calls of `add` that run at the same time, with the blocking client or with that of asyncio."""

    def add(self, server: ScriptedServer, n: int, *, impatient: bool = False) -> Future[Any]: ...

    def close(self) -> None: ...


class Threads:
    """Call from a thread each."""

    def __init__(self, **options: Any) -> None:
        self.client = Client(policy=POLICY, **options)
        self.threads = ThreadPoolExecutor(64)

    def add(self, server: ScriptedServer, n: int, *, impatient: bool = False) -> Future[Any]:
        policy = IMPATIENT if impatient else POLICY
        return self.threads.submit(self.client.stub(server.reference(), Counter, policy=policy).add, n)

    def close(self) -> None:
        self.threads.shutdown()
        self.client.close()


class Tasks:
    """Call from a task each, in an event loop that runs in a thread."""

    def __init__(self, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="tasks")
        self.thread.start()
        self.client: AsyncClient = asyncio.run_coroutine_threadsafe(self._make(options), self.loop).result()

    async def _make(self, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(policy=POLICY, **options)

    def add(self, server: ScriptedServer, n: int, *, impatient: bool = False) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self._add(server, n, impatient), self.loop)

    async def _add(self, server: ScriptedServer, n: int, impatient: bool) -> Any:
        policy = IMPATIENT if impatient else None
        return await self.client.invoke(server.reference(), ADD, (n,), policy=policy)

    async def _close(self) -> None:
        self.client.close()
        await asyncio.sleep(0)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()


Make = Callable[..., Caller]


@pytest.fixture(params=[Threads, Tasks])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Caller] = []

    def caller(**options: Any) -> Caller:
        made.append(request.param(**options))
        return made[-1]

    yield caller
    for each in made:
        each.close()


def argument(request: Request) -> int:
    return int(request.body.decode(ADD.arguments)[0])


def reply_to(peer: s.Peer, request: Request) -> bytes:
    """Return the reply that gives the argument back, ten times."""
    body = Body.of(s._LONG, (argument(request) * 10,))
    return encode(Reply(request.request_id, body=body, version=request.version))


def requests(count: int) -> s.Step:
    def read(peer: s.Peer) -> None:
        for _ in range(count):
            s.request(peer)

    return read


def answer_backwards(peer: s.Peer) -> None:
    peer.sock.sendall(b"".join(reply_to(peer, request) for request in reversed(peer.server.requests)))


def echo(peer: s.Peer) -> None:
    """Give every argument back, ten times, until the client goes."""
    try:
        while True:
            message = peer.receive()
            if isinstance(message, Request):
                peer.sock.sendall(reply_to(peer, message))
    except ConnectionError:
        pass


@pytest.mark.parametrize("connections", [1, 3])
def test_replies_in_any_order_find_their_callers(make: Make, connections: int) -> None:
    with ScriptedServer(then=[echo]) as server:
        caller = make(connections=connections)
        calls = [caller.add(server, n) for n in range(200)]
        assert [call.result(20) for call in calls] == [n * 10 for n in range(200)]
        assert server.connections <= connections


def test_replies_backwards(make: Make) -> None:
    with ScriptedServer([requests(1), answer_backwards, requests(8), answer_backwards_of(8), echo]) as server:
        caller = make(connections=1)
        assert caller.add(server, 1).result(10) == 10
        calls = [caller.add(server, n) for n in range(8)]
        assert [call.result(10) for call in calls] == [n * 10 for n in range(8)]
        assert server.connections == 1


def answer_backwards_of(count: int) -> s.Step:
    def answer(peer: s.Peer) -> None:
        peer.sock.sendall(b"".join(reply_to(peer, request) for request in reversed(peer.server.requests[-count:])))

    return answer


def test_deadline_of_one_is_not_that_of_others(make: Make) -> None:
    """Who gives up tells the server; the others wait on."""
    late = threading.Event()

    def answer_the_others(peer: s.Peer) -> None:
        asked = [request for request in peer.server.requests if argument(request) != 1]
        peer.sock.sendall(b"".join(reply_to(peer, request) for request in asked))

    with ScriptedServer([requests(3), cancelled, s.wait_for(late), answer_the_others, echo]) as server:
        caller = make(connections=1)
        others = [caller.add(server, n) for n in (2, 3)]
        server.wait_received(2)
        with pytest.raises(DeadlineExceeded) as caught:
            caller.add(server, 1, impatient=True).result(10)
        assert caught.value.completed is MAYBE
        late.set()
        assert [call.result(10) for call in others] == [20, 30]
        assert server.cancelled == [request.request_id for request in server.requests if argument(request) == 1]
        assert caller.add(server, 4).result(10) == 40
        assert server.connections == 1, "the connection is used on, for it has spoken"


def cancelled(peer: s.Peer) -> None:
    assert isinstance(peer.receive(), CancelRequest)


def test_a_connection_that_stays_silent_is_not_used_again(make: Make) -> None:
    with ScriptedServer([s.request, s.reply(10), s.request, s.gone], [echo]) as server:
        caller = make(connections=1)
        assert caller.add(server, 1).result(10) == 10
        with pytest.raises(DeadlineExceeded):
            caller.add(server, 2, impatient=True).result(10)
        assert caller.add(server, 3).result(10) == 30
        assert server.connections == 2


def test_close_connection_lets_all_that_wait_ask_again(make: Make) -> None:
    with ScriptedServer([requests(1), answer_backwards, requests(6), s.close_connection, s.fin], then=[echo]) as server:
        caller = make(connections=1)
        assert caller.add(server, 1).result(10) == 10
        calls = [caller.add(server, n) for n in range(6)]
        assert [call.result(10) for call in calls] == [n * 10 for n in range(6)]


@pytest.mark.parametrize("leave", [s.fin, s.rst, s.message_error], ids=["FIN", "RST", "MessageError"])
def test_what_is_cut_off_may_have_run(make: Make, leave: s.Step) -> None:
    with ScriptedServer([requests(1), answer_backwards, requests(6), leave], then=[echo]) as server:
        caller = make(connections=1)
        assert caller.add(server, 1).result(10) == 10
        for call in [caller.add(server, n) for n in range(6)]:
            with pytest.raises(ConnectionLost) as caught:
                call.result(10)
            assert caught.value.completed is MAYBE
        assert len(server.requests) == 7
        assert server.connections == 1


def test_calls_go_where_there_are_fewest(make: Make) -> None:
    go = threading.Event()

    def hold(peer: s.Peer) -> None:
        asked = [peer.receive() for _ in range(2)]
        assert go.wait(s.PATIENCE)
        for request in asked:
            assert isinstance(request, Request)
            peer.sock.sendall(reply_to(peer, request))

    with ScriptedServer([hold], [hold], [hold]) as server:
        caller = make(connections=3)
        calls = []
        for n in range(6):
            calls.append(caller.add(server, n))
            server.wait_received(n + 1)
        go.set()
        assert [call.result(10) for call in calls] == [n * 10 for n in range(6)]
        assert server.connections == 3


# --- blocking only ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [KeyboardInterrupt, TimeoutError])
def test_leader_that_leaves_leaves_the_others_their_replies(monkeypatch: pytest.MonkeyPatch, leaves: type[BaseException]) -> None:
    """Ctrl-C hits the thread that reads for all, or its time is over; another goes on reading."""
    leaders: list[str] = []
    interrupted = threading.Event()
    await_reply = BlockingConnection._await_reply

    def watched(self: BlockingConnection, deadline: float) -> None:
        name = threading.current_thread().name
        leaders.append(name)
        if name == "first":
            assert interrupted.wait(s.PATIENCE)
            raise leaves
        await_reply(self, deadline)

    with (
        ScriptedServer([requests(3), s.wait_for(go := threading.Event()), answer_all_but_first, s.gone]) as server,
        Client(policy=POLICY, connections=1) as client,
    ):
        monkeypatch.setattr(BlockingConnection, "_await_reply", watched)
        stub = client.stub(server.reference(), Counter)
        results: dict[str, object] = {}

        def call(n: int) -> None:
            try:
                results[threading.current_thread().name] = stub.add(n)
            except (KeyboardInterrupt, DeadlineExceeded):
                results[threading.current_thread().name] = "left"

        threads = [threading.Thread(target=call, args=(n,), name=name) for n, name in enumerate(["first", "second", "third"])]
        for number, thread in enumerate(threads, 1):
            thread.start()
            server.wait_received(number)
        interrupted.set()
        threads[0].join()
        go.set()
        for thread in threads:
            thread.join()
        assert results == {"first": "left", "second": 10, "third": 20}
        assert leaders[0] == "first"
        assert server.connections == 1


def answer_all_but_first(peer: s.Peer) -> None:
    cancelled(peer)
    peer.sock.sendall(b"".join(reply_to(peer, request) for request in peer.server.requests[1:3]))


@pytest.mark.parametrize("bounds", [Limits(idle_connections=0), Limits(idle_time=0.0)], ids=["number", "time"])
def test_idle_connections_are_bounded(bounds: Limits) -> None:
    with ScriptedServer(then=[s.serve(1)]) as one, ScriptedServer(then=[s.serve(2)]) as two:
        with Client(policy=POLICY, limits=bounds) as client:
            stubs = [client.stub(server.reference(), Counter) for server in (one, two)]
            for _ in range(3):
                assert [stub.value() for stub in stubs] == [1, 2]
            assert len(client.pool._idle) <= 1
        assert one.connections == 3


def test_calls_wait_for_the_connection_that_is_being_made() -> None:
    with ScriptedServer(then=[echo]) as server, Client(policy=POLICY, connections=1) as client:
        stub = client.stub(server.reference(), Counter)
        with ThreadPoolExecutor(16) as threads:
            assert list(threads.map(stub.add, range(64))) == [n * 10 for n in range(64)]
        assert server.connections == 1


# --- asyncio only -----------------------------------------------------------------------------------------------------


def test_cancelled_task_leaves_the_connection_to_others() -> None:
    async def main(server: ScriptedServer) -> Sequence[Any]:
        client = AsyncClient(policy=POLICY, connections=1)
        try:
            await client.invoke(server.reference(), ADD, (1,))
            given_up = asyncio.create_task(client.invoke(server.reference(), ADD, (2,)))
            await asyncio.to_thread(server.wait_received, 2)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            await asyncio.to_thread(server.wait_received, 3)
            return [await client.invoke(server.reference(), ADD, (3,)), given_up.cancelled()]
        finally:
            client.close()

    with ScriptedServer([requests(1), answer_backwards, requests(1), cancelled, echo]) as server:
        assert asyncio.run(main(server)) == [30, True]
        assert server.connections == 1
        assert server.cancelled == [server.requests[1].request_id]


def test_a_thousand_calls_at_a_time_on_one_connection() -> None:
    async def main(server: ScriptedServer) -> list[Any]:
        client = AsyncClient(policy=POLICY, connections=1)
        try:
            return await asyncio.gather(*[client.invoke(server.reference(), ADD, (n,)) for n in range(1000)])
        finally:
            client.close()

    start = time.monotonic()
    with ScriptedServer([requests(1000), answer_backwards, s.gone]) as server:
        assert asyncio.run(main(server)) == [n * 10 for n in range(1000)]
        assert server.connections == 1
    assert time.monotonic() - start < POLICY.deadline


def test_a_connection_to_who_takes_nothing_ends_in_time() -> None:
    """What was not sent when its call was given up keeps no descriptor, as long as the server may be silent."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            reference = make_reference("IDL:test/Counter:1.0", *silent.getsockname(), b"silent")
            client, before = AsyncClient(policy=IMPATIENT), procfs.descriptors(os.getpid())
            with pytest.raises(DeadlineExceeded):
                await client.invoke(reference, Counter.store.operation, (bytes(8_000_000),))  # type: ignore[attr-defined]
            patience = time.monotonic() + s.PATIENCE
            while procfs.descriptors(os.getpid()) > before:
                assert time.monotonic() < patience
                await asyncio.sleep(0.01)
            client.close()

    asyncio.run(scenario())

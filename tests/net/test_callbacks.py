"""Servers that call their clients over the connections these made: both clients, servants in threads and in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Protocol

import pytest

from iiop.cdr import Long
from iiop.cdr.wide import WString
from iiop.components import tls_port
from iiop.endpoints import endpoints
from iiop.exceptions import TRANSIENT, UNKNOWN, CompletionStatus, ConnectionLost, DeadlineExceeded, IIOPError
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Body, CancelRequest, LocateRequest, Request, key_address
from iiop.giop.wire import encode
from iiop.idl import AsyncInterface, Interface, Servant, asynchronous, operation
from iiop.iop import COMPONENTS, IOR, ComponentId, TaggedComponent
from iiop.limits import Limits
from iiop.net.aio_client import AsyncClient
from iiop.net.blocking import BlockingConnection
from iiop.net.callbacks import Callbacks
from iiop.net.client import Client
from iiop.net.objects import make_reference
from iiop.net.servants import Server
from tests import procfs

PATIENCE = 10.0
POLICY = FailoverPolicy(deadline=PATIENCE, attempt_timeout=PATIENCE, rounds=1)


class Ear(Interface):
    repository_id = "IDL:test/Ear:1.0"

    @operation
    def hear(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Answer twice the number."""

    @operation
    def words(self, text: str, wide: Annotated[str, WString]) -> tuple[str, Annotated[str, WString]]:  # type: ignore[empty-body]
        """Answer what was said."""

    @operation(oneway=True)
    def note(self, n: Annotated[int, Long]) -> None:
        """Note a number."""


class AsyncEar(AsyncInterface):
    hear = asynchronous(Ear.hear)
    words = asynchronous(Ear.words)
    note = asynchronous(Ear.note)


class Mouth(Interface):
    repository_id = "IDL:test/Mouth:1.0"

    @operation
    def tell(self, ear: Annotated[IOR, "Ear"], n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Return what an ear answers to a number."""

    @operation
    def say(self, ear: Annotated[IOR, "Ear"], text: str, wide: Annotated[str, WString]) -> tuple[str, Annotated[str, WString]]:  # type: ignore[empty-body]
        """Return what an ear answers to words."""

    @operation
    def mention(self, ear: Annotated[IOR, "Ear"], n: Annotated[int, Long]) -> None:
        """Let an ear note a number."""

    @operation
    def plain(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Call nobody."""


class AsyncMouth(AsyncInterface):
    tell = asynchronous(Mouth.tell)
    say = asynchronous(Mouth.say)
    mention = asynchronous(Mouth.mention)
    plain = asynchronous(Mouth.plain)


class InThreads(Servant):
    interface = Mouth

    def __init__(self) -> None:
        self.server: Server

    def tell(self, ear: IOR, n: int) -> int:
        return self.server.stub(ear, Ear).hear(n)

    def say(self, ear: IOR, text: str, wide: str) -> tuple[str, str]:
        return self.server.stub(ear, Ear).words(text, wide)

    def mention(self, ear: IOR, n: int) -> None:
        self.server.stub(ear, Ear).note(n)

    def plain(self, n: int) -> int:
        return n


class InLoop(InThreads):
    async def tell(self, ear: IOR, n: int) -> int:  # type: ignore[override]
        return await self.server.stub(ear, AsyncEar).hear(n)

    async def say(self, ear: IOR, text: str, wide: str) -> tuple[str, str]:  # type: ignore[override]
        return await self.server.stub(ear, AsyncEar).words(text, wide)

    async def mention(self, ear: IOR, n: int) -> None:  # type: ignore[override]
        await self.server.stub(ear, AsyncEar).note(n)


class Doubling(Servant):
    """An ear of the blocking client."""

    interface = Ear

    def __init__(self) -> None:
        self.noted: list[int] = []
        self.waits: Callable[[], Any] = lambda: None
        self.changed = threading.Condition()

    def hear(self, n: int) -> Any:
        if n < 0:
            raise ZeroDivisionError("in the dark")
        if n == 0x7FFF:
            return "no number"
        self.waits()
        return 2 * n

    def words(self, text: str, wide: str) -> Any:
        return text, wide

    def note(self, n: int) -> Any:
        with self.changed:
            self.noted.append(n)
            self.changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE)


class LaterDoubling(Doubling):
    async def hear(self, n: int) -> int:
        await asyncio.sleep(0)
        answer: int = super().hear(n)
        return answer


class Scene(Protocol):
    """A client of either kind, whose calls block."""

    mouth: Any

    def activate(self, servant: Servant) -> IOR: ...

    def deactivate(self, reference: IOR) -> None: ...


class Blocking:
    def __init__(self, reference: IOR, client: Client) -> None:
        self.mouth = client.stub(reference, Mouth)
        self.activate, self.deactivate = client.activate, client.deactivate


class Awaiting:
    """Does everything in an event loop in a thread."""

    def __init__(self, reference: IOR, loop: asyncio.AbstractEventLoop, client: AsyncClient) -> None:
        self._loop, self._client = loop, client
        self.mouth = self
        self._stub = client.stub(reference, AsyncMouth)

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        came = function(*arguments)
        return await came if isinstance(came, Awaitable) else came

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._do(self._call(getattr(self._stub, name), *arguments))

    def activate(self, servant: Servant) -> Any:
        return self._do(self._call(self._client.activate, servant))

    def deactivate(self, reference: IOR) -> None:
        self._do(self._call(self._client.deactivate, reference))


@contextlib.contextmanager
def connected(kind: str, reference: IOR, **how: Any) -> Iterator[Scene]:
    if kind == "blocking":
        with Client(policy=POLICY, **how) as client:
            yield Blocking(reference, client)
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    client_of_loop = AsyncClient(policy=POLICY, **how)
    try:
        yield Awaiting(reference, loop, client_of_loop)
    finally:

        async def close() -> None:
            client_of_loop.close()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(close(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture(params=[InThreads, InLoop])
def reference(request: pytest.FixtureRequest) -> Iterator[IOR]:
    servant = request.param()
    with Server(bidirectional=True) as servant.server:
        yield servant.server.activate(servant)


@pytest.fixture(params=["blocking", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture
def scene(kind: str, reference: IOR) -> Iterator[Scene]:
    with connected(kind, reference) as made:
        yield made


@pytest.mark.parametrize("servant", [Doubling, LaterDoubling])
def test_a_server_calls_its_client(scene: Scene, servant: type[Doubling]) -> None:
    ear = servant()
    told = scene.activate(ear)
    assert endpoints(told)[0].host.endswith(".invalid")
    for n in range(5):
        assert scene.mouth.tell(told, n) == 2 * n
        assert scene.mouth.plain(n) == n
    scene.mouth.mention(told, 7)
    ear.until(lambda: ear.noted == [7])


def test_characters_travel_as_the_client_chose(scene: Scene) -> None:
    assert scene.mouth.say(scene.activate(Doubling()), "口座é", "口座é") == ("口座é", "口座é")


def test_a_connection_that_there_is_already_is_offered(scene: Scene) -> None:
    assert scene.mouth.plain(1) == 1
    assert scene.mouth.tell(scene.activate(Doubling()), 1) == 2


def test_errors_of_callbacks(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    told = scene.activate(Doubling())
    with pytest.raises(UNKNOWN):
        scene.mouth.tell(told, -1)
    assert "in the dark" in caplog.text
    with pytest.raises(IIOPError):
        scene.mouth.tell(told, 0x7FFF)
    assert scene.mouth.tell(told, 1) == 2
    scene.deactivate(told)
    with pytest.raises(IIOPError):
        scene.mouth.tell(told, 1)
    with pytest.raises(KeyError):
        scene.deactivate(told)
    assert scene.mouth.plain(1) == 1


def test_a_client_that_is_gone_cannot_be_called(kind: str, reference: IOR) -> None:
    with connected(kind, reference) as gone:
        told = gone.activate(Doubling())
        assert gone.mouth.tell(told, 1) == 2
    with Client(policy=POLICY) as client, pytest.raises((TRANSIENT, UNKNOWN)):
        client.stub(reference, Mouth).tell(told, 1)


def test_many_at_a_time(scene: Scene) -> None:
    told, results = scene.activate(Doubling()), []

    def call(n: int) -> None:
        results.append(scene.mouth.tell(told, n) == 2 * n and scene.mouth.plain(n) == n)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 16


def test_two_clients_are_two(kind: str, reference: IOR) -> None:
    with connected(kind, reference) as one, connected(kind, reference) as two:
        ears = [Doubling(), Doubling()]
        told = [client.activate(ear) for client, ear in zip((one, two), ears, strict=True)]
        for client, reference_of in zip((one, two), told, strict=True):
            client.mouth.mention(reference_of, 0)
        one.mouth.mention(told[1], 1)
        two.mouth.mention(told[0], 2)
        ears[0].until(lambda: sorted(ears[0].noted) == [0, 2])
        ears[1].until(lambda: sorted(ears[1].noted) == [0, 1])


def test_a_callback_calls_the_server_again(reference: IOR) -> None:
    """Its caller waits meanwhile, and there is one connection."""
    with Client(policy=POLICY, connections=1) as client:
        mouth, ear, heard = client.stub(reference, Mouth), Doubling(), []
        ear.waits = lambda: heard.append(mouth.plain(3))
        assert mouth.tell(client.activate(ear), 1) == 2
        assert heard == [3]


def test_a_callback_that_waits_keeps_nobody(reference: IOR) -> None:
    ear, may_end, began = Doubling(), threading.Event(), threading.Event()

    def waits() -> None:
        began.set()
        assert may_end.wait(PATIENCE)

    ear.waits = waits
    with Client(policy=POLICY, connections=1) as client:
        mouth, told, answers = client.stub(reference, Mouth), client.activate(ear), []
        caller = threading.Thread(target=lambda: answers.append(mouth.tell(told, 4)))
        caller.start()
        assert began.wait(PATIENCE)
        assert mouth.plain(1) == 1
        may_end.set()
        caller.join()
        assert answers == [8]


class Replies:
    """Takes replies."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def reply(self, reply: Any, *, wait: bool = True) -> None:
        self.taken.append(reply)


def test_what_waits_in_a_blocking_client_is_bounded_and_can_be_cancelled() -> None:
    ear, may_end, began, replies = Doubling(), threading.Event(), threading.Event(), Replies()

    def waits() -> None:
        began.set()
        assert may_end.wait(PATIENCE)

    ear.waits = waits
    hear = Ear.operations()["hear"]
    callbacks = Callbacks(1, Limits(queued=2))
    key = endpoints(callbacks.activate(ear))[0].object_key

    def ask(number: int) -> None:
        callbacks.take(replies, Request(number, "hear", key_address(key), body=Body.of(hear.arguments, (number,))))

    ask(1)
    assert began.wait(PATIENCE)
    for number in (2, 3, 4):
        ask(number)
    assert [reply.request_id for reply in replies.taken] == [4]
    with pytest.raises(TRANSIENT) as caught:
        hear.answer(replies.taken[0])
    assert caught.value.completed is CompletionStatus.COMPLETED_NO
    for number in (1, 2, 9):
        callbacks.take(replies, CancelRequest(number))
    may_end.set()
    end = time.monotonic() + PATIENCE
    while len(replies.taken) < 2 and time.monotonic() < end:
        time.sleep(0.001)
    callbacks.close(PATIENCE)
    assert [reply.request_id for reply in replies.taken] == [4, 3], "1 ran and 2 did not, and nobody wants to know"


def test_a_cancelled_request_does_not_answer_the_next_with_its_id() -> None:
    ear, may_end, began, replies = Doubling(), threading.Event(), threading.Event(), Replies()

    def waits() -> None:
        began.set()
        assert may_end.wait(PATIENCE)

    ear.waits = waits
    hear = Ear.operations()["hear"]
    callbacks = Callbacks(1)
    key = endpoints(callbacks.activate(ear))[0].object_key
    for number in (10, 20):
        callbacks.take(replies, Request(1, "hear", key_address(key), body=Body.of(hear.arguments, (number,))))
        assert began.wait(PATIENCE)
        if number == 10:
            callbacks.take(replies, CancelRequest(1))
    may_end.set()
    end = time.monotonic() + PATIENCE
    while not replies.taken and time.monotonic() < end:
        time.sleep(0.001)
    callbacks.close(PATIENCE)
    assert [hear.answer(reply) for reply in replies.taken] == [40]


def test_a_server_that_takes_no_offers(kind: str) -> None:
    servant = InThreads()
    with Server() as servant.server, connected(kind, servant.server.activate(servant)) as scene:
        told = scene.activate(Doubling())
        assert scene.mouth.plain(1) == 1
        with pytest.raises(UNKNOWN):
            scene.mouth.tell(told, 1)
        with pytest.raises(ValueError, match="bidirectional"):
            servant.server.stub(told, Ear)


def test_an_idle_server_keeps_who_may_be_called(kind: str) -> None:
    servant = InThreads()
    with (
        Server(bidirectional=True, limits=Limits(idle_time=0.1)) as servant.server,
        connected(kind, servant.server.activate(servant)) as scene,
    ):
        told = scene.activate(Doubling())
        assert scene.mouth.tell(told, 1) == 2
        time.sleep(0.4)  # longer than the idle time, twice
        assert servant.server.stub(told, Ear).hear(4) == 8


def test_a_thread_that_calls_somebody_silent_hears_that_the_server_has_stopped() -> None:
    caught: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Server(bidirectional=True) as server:
            stub = server.stub(make_reference(Ear.repository_id, *silent.getsockname(), b"silent"), Ear)

            def call() -> None:
                try:
                    stub.hear(1)
                except BaseException as error:
                    caught.append(error)

            caller = threading.Thread(target=call)
            caller.start()
            called = silent.accept()[0]
            assert called.recv(12)
        caller.join(PATIENCE)
        called.close()
    assert [type(error) for error in caught] == [ConnectionLost]
    assert getattr(caught[0], "completed") is CompletionStatus.COMPLETED_MAYBE  # noqa: B009


def test_an_offer_does_not_count_for_an_address_with_tls() -> None:
    """Whose server would have to show its certificate."""
    servant = InThreads()
    with Server(bidirectional=True) as servant.server, Client(policy=POLICY) as client:
        mouth, told = client.stub(servant.server.activate(servant), Mouth), client.activate(Doubling())
        assert mouth.tell(told, 1) == 2
        at = endpoints(told)[0]
        required = COMPONENTS.encode(ComponentId.TAG_SSL_SEC_TRANS, tls_port(at.port, required=True, client_certificate=False))
        protected = TaggedComponent(ComponentId.TAG_SSL_SEC_TRANS, required)
        with pytest.raises((TRANSIENT, UNKNOWN)):
            mouth.tell(make_reference(told.type_id, at.host, 0, at.object_key, protected), 1)


def test_large_references_are_called_and_not_kept() -> None:
    """They are as large as a client likes, and each could be another."""
    servant = InThreads()
    with Server(bidirectional=True) as servant.server, Client(policy=POLICY) as client:
        mouth, told = client.stub(servant.server.activate(servant), Mouth), client.activate(Doubling())
        at = endpoints(told)[0]
        assert mouth.tell(told, 1) == 2
        before = procfs.memory(os.getpid())
        for n in range(100):
            much = make_reference(told.type_id, at.host, at.port, at.object_key, TaggedComponent(70_000 + n, bytes(2_000_000)))
            assert mouth.tell(much, 1) == 2
        assert procfs.memory(os.getpid()) - before < 100_000_000


def test_blocking_calls_in_the_loop_are_refused() -> None:
    async def scenario() -> None:
        async with Server(bidirectional=True) as server:
            with pytest.raises(RuntimeError, match="AsyncInterface"):
                server.stub(server.activate(Doubling()), Ear).hear(1)
            assert await server.stub(server.activate(Doubling()), AsyncEar).hear(1) == 2

    asyncio.run(scenario())


class Book(Interface):
    repository_id = "IDL:test/Book:1.0"

    @operation
    def read(self) -> bytes:  # type: ignore[empty-body]
        """Answer much."""


class AsyncBook(AsyncInterface):
    read = asynchronous(Book.read)


class Reader(Servant):
    interface = Book

    def read(self) -> bytes:
        return bytes(100_000)


def test_a_server_that_reads_no_answers_cannot_make_us_keep_them() -> None:
    """Of the client in an event loop; in the other threads wait."""
    key, over = b"", threading.Event()

    def deaf() -> None:
        with listening.accept()[0] as sock:
            sock.recv(65536)
            sock.sendall(b"".join(encode(Request(number, "read", key_address(key))) for number in range(1, 1000, 2)))
            assert over.wait(PATIENCE)

    async def scenario() -> None:
        nonlocal key
        client = AsyncClient(policy=POLICY, limits=Limits(queued_octets=1_000_000))
        key = endpoints(client.activate(Reader()))[0].object_key
        reference = make_reference(Book.repository_id, *listening.getsockname(), b"deaf")
        with pytest.raises(ConnectionLost, match="does not read"):
            await client.stub(reference, AsyncBook).read()
        client.close()
        await asyncio.sleep(0)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=deaf)
        server.start()
        try:
            asyncio.run(scenario())
        finally:
            over.set()
            server.join()


def test_a_server_that_reads_no_answers_keeps_no_call_beyond_its_deadline() -> None:
    """The thread that receives for others must not wait until it can answer."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.settimeout(PATIENCE)
    connection, callbacks, ended = BlockingConnection(ours, "deaf"), Callbacks(1), []

    def call() -> None:
        request = Request(connection.next_request_id(), "plain", key_address(b"deaf"))
        with pytest.raises(DeadlineExceeded):
            connection.call(request, time.monotonic() + 1.0)
        ended.append(request)

    def flood() -> None:
        with contextlib.suppress(OSError):
            for number in range(1, 1 << 30, 2):
                theirs.sendall(encode(LocateRequest(number, key_address(b"ear"))))

    leads, offers, floods = [threading.Thread(target=target, daemon=True) for target in (call, call, flood)]
    leads.start()
    assert theirs.recv(65536)
    connection.serve(callbacks)
    offers.start()
    assert theirs.recv(65536)
    floods.start()
    leads.join(5.0)
    offers.join(5.0)
    assert len(ended) == 2
    connection.close()
    callbacks.close(PATIENCE)
    floods.join(PATIENCE)
    theirs.close()

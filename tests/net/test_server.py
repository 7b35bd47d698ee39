"""Our asyncio server, seen by clients with bare sockets: what it answers, what it refuses, what it leaves behind.

Every test runs on the event loop of asyncio and on that of uvloop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import select
import socket
import struct
import threading
import time
import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Self

import pytest
import uvloop

import iiop.net.serving as serving_module
from iiop.cdr import ByteOrder, Long
from iiop.exceptions import (
    BAD_OPERATION,
    DATA_CONVERSION,
    MARSHAL,
    NO_PERMISSION,
    OBJECT_NOT_EXIST,
    UNKNOWN,
    CompletionStatus,
    SystemException,
    UserException,
)
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    SYSTEM_EXCEPTION,
    Body,
    CancelRequest,
    CloseConnection,
    IORAddressingInfo,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
    TargetAddress,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, ObjectAdapter, Servant, operation
from iiop.iop import IOR, TaggedProfile
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.answering import Adapter
from iiop.net.server import IIOPServer
from iiop.net.serving import ServerThread
from iiop.profile import ProfileBody, Version, encode_profile
from naming import NamingServer

NO, MAYBE, YES = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE, CompletionStatus.COMPLETED_YES
PATIENCE = 10.0
KEY = b"echo"
PASS_END, TOO_LONG = 0x4154000A, 0x4154005D


class Overdrawn(UserException):
    """Is declared by nobody."""

    repository_id = "IDL:test/Overdrawn:1.0"


class Echo(Interface):
    repository_id = "IDL:test/Echo:1.0"

    @operation
    def echo(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Give back."""

    @operation
    def two(self) -> tuple[Annotated[int, Long], str]:  # type: ignore[empty-body]
        """Give two values."""

    @operation
    def nothing(self) -> None:
        """Give nothing."""

    @operation
    def large(self, n: Annotated[int, Long]) -> bytes:  # type: ignore[empty-body]
        """Give much for little."""

    @operation(oneway=True)
    def tell(self, n: Annotated[int, Long]) -> None:
        """Take without a word."""

    @operation(name="import")
    def import_(self) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Have a name that Python does not allow."""


class EchoServant(Servant):
    interface = Echo

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.result: Any = 0
        self.raises: BaseException | None = None

    def echo(self, n: int) -> int:
        self.calls.append(n)
        if self.raises is not None:
            raise self.raises
        return n

    def two(self) -> Any:
        return self.result

    def nothing(self) -> Any:
        return self.result

    def large(self, n: int) -> bytes:
        self.calls.append(n)
        return bytes(n)

    def tell(self, n: int) -> None:
        self.calls.append(n)
        if self.raises is not None:
            raise self.raises

    def import_(self) -> int:
        return 42


class LaterServant(EchoServant):
    """Answers the same, in a later turn of the event loop."""

    async def echo(self, n: int) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().echo(n)

    async def two(self) -> Any:
        await asyncio.sleep(0)
        return super().two()

    async def nothing(self) -> Any:
        await asyncio.sleep(0)
        return super().nothing()

    async def tell(self, n: int) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().tell(n)


class Server:
    """An `IIOPServer` in a thread."""

    def __init__(self, adapter: Adapter, limits: Limits) -> None:
        self.iiop = IIOPServer(lambda: adapter, limits=limits)
        self.thread = ServerThread(self.iiop.start, self.iiop.stop, "server under test")

    def __enter__(self) -> Self:
        self.thread.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.__exit__(None, None, None)

    def connect(self, receive_buffer: int | None = None) -> Raw:
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            sock.connect(("127.0.0.1", self.iiop.port))
        except OSError:
            sock.close()
            raise
        return Raw(sock)

    def in_loop(self, function: Callable[[], Any]) -> Any:
        """Run a function in the loop of the server."""

        async def run() -> Any:
            return function()

        return self.thread.call(run())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something about the server holds, looking at it once a turn of its loop."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    await asyncio.sleep(0)

        self.thread.call(wait())

    def open_connections(self) -> int:
        return len(self.iiop._connections)

    def buffered(self) -> int:
        """Return the octets that wait to be written."""
        return int(
            self.in_loop(lambda: sum(connection._transport.get_write_buffer_size() for connection in self.iiop._connections))
        )


class Raw:
    """A client with a bare socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *messages: Message | bytes) -> None:
        self.sock.sendall(b"".join(item if isinstance(item, bytes) else encode(item) for item in messages))

    def receive(self) -> Message | None:
        """Return the next message, None at the end of the stream."""
        header = self._exactly(12)
        if header is None:
            return None
        body = self._exactly(int.from_bytes(header[8:12], "little" if header[6] & 1 else "big"))
        assert body is not None
        return decode(header + body)

    def _exactly(self, count: int) -> bytes | None:
        octets = bytearray()
        while len(octets) < count:
            try:
                piece = self.sock.recv(min(count - len(octets), 1 << 20))
            except ConnectionResetError:
                piece = b""
            if not piece:
                assert not octets, f"the stream ended in the middle of a message: {octets!r}"
                return None
            octets += piece
        return bytes(octets)

    def call(self, message: Request | LocateRequest) -> Reply:
        self.send(message)
        reply = self.receive()
        assert isinstance(reply, Reply), reply
        return reply

    def rest(self) -> list[Message]:
        """Return everything up to the end of the stream."""
        messages = []
        while (message := self.receive()) is not None:
            messages.append(message)
        return messages


def request(
    operation: str, *arguments: Any, id: int = 0, key: bytes = KEY, flags: int = 3, version: Version = GIOP_1_2, **more: Any
) -> Request:
    declared = Echo.operations().get(operation)
    body = EMPTY if declared is None else Body.of(declared.arguments, arguments)
    return Request(id, operation, key_address(key), flags, version=version, **{"body": body} | more)


def result(reply: Message | None) -> Any:
    assert isinstance(reply, Reply), reply
    assert reply.reply_status is ReplyStatus.NO_EXCEPTION, failure(reply)
    return reply.body.decode(Echo.operations()["echo"].results)[0]


def failure(reply: Message | None) -> SystemException:
    assert isinstance(reply, Reply), reply
    assert reply.reply_status is ReplyStatus.SYSTEM_EXCEPTION
    exception: SystemException = reply.body.decode(SYSTEM_EXCEPTION).exception()
    return exception


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def loop_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    new = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop
    monkeypatch.setattr(serving_module, "new_event_loop", new)
    kind: str = request.param
    return kind


@pytest.fixture
def servant(request: pytest.FixtureRequest) -> EchoServant:
    kind: type[EchoServant] = getattr(request, "param", EchoServant)
    return kind()


at_once_or_later = pytest.mark.parametrize("servant", [EchoServant, LaterServant], ids=["at once", "later"], indirect=True)


@pytest.fixture
def serve(servant: EchoServant) -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:

        def start(limits: Limits = DEFAULT_LIMITS, adapter: Adapter | None = None) -> Server:
            if adapter is None:
                adapter = ObjectAdapter(limits=limits)
                adapter.activate(KEY, servant)
            return stack.enter_context(Server(adapter, limits))

        yield start


Serve = Callable[..., Server]


# --- requests and replies ---------------------------------------------------------------------------------------------


@at_once_or_later
@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
@pytest.mark.parametrize("order", ByteOrder)
def test_answers_in_the_version_and_order_of_the_request(serve: Serve, version: Version, order: ByteOrder) -> None:
    with serve().connect() as client:
        reply = client.call(request("echo", 5, version=version, byte_order=order))
        assert result(reply) == 5
        assert (reply.version, reply.byte_order) == (version, order)


@at_once_or_later
def test_pipelined_requests_are_answered_in_order(serve: Serve, servant: EchoServant) -> None:
    with serve().connect() as client:
        client.send(*[request("echo", n, id=n) for n in range(500)])
        replies = [client.receive() for _ in range(500)]
        assert [(reply.request_id, result(reply)) for reply in replies] == [(n, n) for n in range(500)]  # type: ignore[union-attr]
        assert servant.calls == list(range(500))


def test_request_octet_by_octet(serve: Serve) -> None:
    with serve().connect() as client:
        for octet in encode(request("echo", 7)):
            client.send(bytes([octet]))
        assert result(client.receive()) == 7


@at_once_or_later
def test_oneway_is_run_and_not_answered(serve: Serve, servant: EchoServant) -> None:
    servant.raises = RuntimeError("nobody hears this")
    with serve().connect() as client:
        client.send(request("tell", 1, id=0, flags=0), request("unheard of", id=2, flags=0), request("nothing", id=4))
        assert client.receive().request_id == 4  # type: ignore[union-attr]
        assert servant.calls == [1]


def test_oneway_with_a_wish_for_an_answer_gets_one(serve: Serve) -> None:
    with serve().connect() as client:
        assert client.call(request("tell", 1, flags=1)).reply_status is ReplyStatus.NO_EXCEPTION


def test_operation_whose_name_is_a_word_of_python(serve: Serve) -> None:
    with serve().connect() as client:
        assert result(client.call(request("import"))) == 42


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
def test_locate(serve: Serve, version: Version) -> None:
    with serve().connect() as client:
        for key, status in [(KEY, LocateStatus.OBJECT_HERE), (b"nobody", LocateStatus.UNKNOWN_OBJECT)]:
            client.send(LocateRequest(9, key_address(key), version))
            reply = client.receive()
            assert isinstance(reply, LocateReply)
            assert (reply.request_id, reply.locate_status, reply.version) == (9, status, version)


PROFILE = encode_profile(ProfileBody(Version(1, 2), "h", 1, KEY))
ODD = TaggedProfile(0x49424D00, PROFILE.profile_data)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (TargetAddress(1, PROFILE), True),
        (TargetAddress(2, IORAddressingInfo(0, IOR("", (PROFILE,)))), True),
        (TargetAddress(2, IORAddressingInfo(1, IOR("", (PROFILE,)))), False),
        (TargetAddress(1, TaggedProfile(0, b"\xff")), False),
        (TargetAddress(1, ODD), False),
    ],
    ids=["profile", "reference", "no such profile", "broken profile", "profile of another protocol"],
)
def test_target_by_profile_and_by_reference(serve: Serve, target: TargetAddress, found: bool) -> None:
    body = Body.of(Echo.operations()["echo"].arguments, (3,))
    with serve().connect() as client:
        reply = client.call(Request(0, "echo", target, body=body))
        if found:
            assert result(reply) == 3
        else:
            assert failure(reply) == OBJECT_NOT_EXIST(0x4F4D0001, NO)


# --- requests that fail -----------------------------------------------------------------------------------------------


def test_unknown_key_and_unknown_operation(serve: Serve) -> None:
    with serve().connect() as client:
        assert failure(client.call(request("echo", 1, key=b"nobody"))) == OBJECT_NOT_EXIST(0x4F4D0001, NO)
        assert failure(client.call(request("no_such_operation"))) == BAD_OPERATION(0x4F4D0002, NO)
        assert failure(client.call(request("__init__"))) == BAD_OPERATION(0x4F4D0002, NO)
        assert failure(client.call(request("calls"))) == BAD_OPERATION(0x4F4D0002, NO)
        assert result(client.call(request("echo", 1))) == 1


@pytest.mark.parametrize(
    ("octets", "minor"),
    [(b"", PASS_END), (b"\0\0", PASS_END), (b"\0" * 5, TOO_LONG), (b"\0" * 64, TOO_LONG)],
    ids=["none", "short", "one more", "many more"],
)
def test_malformed_arguments(serve: Serve, servant: EchoServant, octets: bytes, minor: int) -> None:
    with serve().connect() as client:
        assert failure(client.call(request("echo", body=Body(octets)))) == MARSHAL(minor, NO)
        assert servant.calls == []
        assert result(client.call(request("echo", 1))) == 1


@at_once_or_later
def test_exception_in_a_servant_is_unknown_and_its_traceback_stays_here(
    serve: Serve, servant: EchoServant, caplog: pytest.LogCaptureFixture
) -> None:
    servant.raises = RuntimeError("the password is secret")
    with serve().connect() as client, caplog.at_level(logging.ERROR):
        client.send(request("echo", 1))
        reply = client.receive()
        assert failure(reply) == UNKNOWN(0, MAYBE)
        assert b"secret" not in bytes(reply.body)  # type: ignore[union-attr]
        assert "the password is secret" in caplog.text
        servant.raises = NO_PERMISSION(7, YES)
        assert failure(client.call(request("echo", 1))) == NO_PERMISSION(7, YES)
        servant.raises = Overdrawn()
        assert failure(client.call(request("echo", 1))) == UNKNOWN(0x4F4D0001, MAYBE)


BAD_RESULTS = [
    ("two", None),
    ("two", 5),
    ("two", (1,)),
    ("two", (1, 2)),
    ("two", (2**31, "x")),
    ("two", (1, "x\0y")),
    ("two", (1, "x", 3)),
    ("two", object()),
    ("nothing", 5),
    ("nothing", (1, 2)),
]


@at_once_or_later
@pytest.mark.parametrize(("operation", "value"), BAD_RESULTS, ids=[f"{row[0]} {n}" for n, row in enumerate(BAD_RESULTS)])
def test_result_that_does_not_fit(serve: Serve, servant: EchoServant, operation: str, value: object) -> None:
    servant.result = value
    with serve().connect() as client:
        assert failure(client.call(request(operation))) == MARSHAL(0, YES)
        assert result(client.call(request("echo", 1))) == 1, "the connection lives on"


def test_result_that_the_code_set_lacks(serve: Serve, servant: EchoServant) -> None:
    servant.result = (1, "\u3042")
    with serve().connect() as client:
        assert failure(client.call(request("two"))) == DATA_CONVERSION(0x4F4D0001, YES)


def test_locator_that_fails(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def broken(object_key: bytes) -> Servant | None:
        raise RuntimeError("no idea")

    with serve(adapter=ObjectAdapter(locate_servant=broken)).connect() as client:
        assert failure(client.call(request("echo", 1))) == UNKNOWN(0, NO)
        for version, status in ((GIOP_1_2, LocateStatus.LOC_SYSTEM_EXCEPTION), (GIOP_1_0, LocateStatus.OBJECT_HERE)):
            client.send(LocateRequest(0, key_address(b"x"), version))
            reply = client.receive()
            assert isinstance(reply, LocateReply)
            assert reply.locate_status is status
    assert "no idea" in caplog.text


# --- bad input --------------------------------------------------------------------------------------------------------

GOOD = encode(request("echo", 1))
BAD_INPUT: dict[str, tuple[bytes, Version | None]] = {
    "garbage": (b"GET / HTTP/1.1\r\n\r\n", GIOP_1_2),
    "fields that cannot be read": (GOOD[:8] + b"\0\0\0\0", GIOP_1_2),
    "CloseConnection of 1.0": (encode(CloseConnection(GIOP_1_0)), GIOP_1_0),
    "MessageError": (encode(MessageError()), None),
    "CloseConnection": (encode(CloseConnection()), None),
}
"""One of each end a connection can come to; every class of bad input is in `tests/cases`."""


@pytest.mark.parametrize(("octets", "version"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input(serve: Serve, servant: EchoServant, octets: bytes, version: Version | None) -> None:
    server = serve(Limits(message_size=1_000_000))
    with server.connect() as client:
        client.send(request("echo", 1, id=3), octets)
        assert result(client.receive()) == 1, "what came before is answered"
        answer = [] if version is None else [version]
        assert [message.version for message in client.rest() if isinstance(message, MessageError)] == answer
        server.wait_until(lambda: server.open_connections() == 0)
        assert servant.calls == [1]
    with server.connect() as client:
        assert result(client.call(request("echo", 2))) == 2


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the server logged, without the ports of its peers."""
    return [re.sub(r"127\.0\.0\.1:\d+", "PEER", record.getMessage()) for record in caplog.records if record.name == "iiop.server"]


def test_what_is_refused_is_logged_once_for_each_reason_and_counted(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve()
    with server.connect() as client:
        for n in range(100):
            client.call(request("echo", body=Body(bytes(n % 3))))
            client.call(request(f"no_such_{n}"))
        client.call(request("echo", 1, key=b"k" * 1000))
        assert result(client.call(request("echo", 1))) == 1
    server.wait_until(lambda: server.open_connections() == 0)
    first, second, third, *counts = lines_of(caplog)
    assert first.startswith("PEER: 'echo' of b'echo' refused: MARSHAL: minor 0x4154000a (omniORB MARSHAL_PassEndOfMessage: ")
    assert re.search(r"COMPLETED_NO: n at offset \d+: ", first)
    assert second.startswith("PEER: 'no_such_0' of b'echo' refused: BAD_OPERATION: minor 0x4f4d0002 (OMG UNKNOWN_OPERATION: ")
    assert third.startswith(f"PEER: 'echo' of {b'k' * 64!r}... refused: OBJECT_NOT_EXIST: minor 0x4f4d0001 (OMG ")
    assert counts == ["PEER: 100 requests refused with MARSHAL in all", "PEER: 100 requests refused with BAD_OPERATION in all"]


@at_once_or_later
def test_what_a_servant_refuses_is_logged_with_the_peer(
    serve: Serve, servant: EchoServant, caplog: pytest.LogCaptureFixture
) -> None:
    servant.raises = NO_PERMISSION(7, NO)
    with serve().connect() as client:
        for _ in range(3):
            assert failure(client.call(request("echo", 1))) == NO_PERMISSION(7, NO)
    assert lines_of(caplog)[0].startswith("PEER: 'echo' of b'echo' refused: NO_PERMISSION: minor 0x00000007")


def test_connections_too_many_are_logged_once_and_counted(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(Limits(connections=1))
    with server.connect() as first:
        assert result(first.call(request("echo", 1))) == 1
        for _ in range(10):
            with server.connect() as refused:
                assert refused.rest() == [CloseConnection(GIOP_1_0)]
    server.wait_until(lambda: server.open_connections() == 0)
    with server.connect() as again:
        assert result(again.call(request("echo", 1))) == 1
    assert lines_of(caplog) == [
        "PEER refused: more connections than the limit connections=1",
        "10 connections refused in all",
    ]


def test_a_message_must_become_whole_within_the_idle_time(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """However many octets arrive meanwhile, one at a time."""
    server = serve(Limits(idle_time=0.3))
    with server.connect() as client:
        assert result(client.call(request("echo", 1))) == 1
        for octet in GOOD[:-1]:
            client.send(bytes([octet]))
            if select.select([client.sock], [], [], 0.02)[0]:
                break
        assert client.receive() == CloseConnection()
    assert re.fullmatch(r"PEER is too slow: \d+ octets of a message within the limit idle_time=0.3", lines_of(caplog)[0])


def test_request_behind_close_connection_is_not_run(serve: Serve, servant: EchoServant) -> None:
    with serve().connect() as client:
        client.send(request("echo", 1), CloseConnection(), request("echo", 2, id=2))
        assert result(client.receive()) == 1
        assert client.rest() == []
        assert servant.calls == [1]


def test_request_id_used_twice_is_two_requests(serve: Serve) -> None:
    with serve().connect() as client:
        client.send(request("echo", 1, id=1), request("echo", 2, id=1))
        assert [result(client.receive()), result(client.receive())] == [1, 2]


def test_cancel_of_a_request_that_is_answered_or_never_was(serve: Serve) -> None:
    with serve().connect() as client:
        client.send(request("echo", 1, id=1), CancelRequest(1), CancelRequest(99), request("echo", 2, id=2))
        assert [result(client.receive()), result(client.receive())] == [1, 2]


def test_oneway_runs_though_its_sender_leaves_at_once(serve: Serve) -> None:
    """It was sent whole, and nobody asked for anything to come of it."""
    servant, adapter = LaterServant(), ObjectAdapter()
    adapter.activate(KEY, servant)
    server = serve(adapter=adapter)
    with server.connect() as client:
        client.send(*[request("tell", n, id=n, flags=0) for n in range(10)], CloseConnection())
        assert client.rest() == []
    server.wait_until(lambda: sorted(servant.calls) == list(range(10)))


def test_stop_lets_oneways_end(serve: Serve) -> None:
    later = Later()
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(request("tell", 1, id=10, flags=0))
        server.wait_until(lambda: len(later.waiting) == 1)
        stopping = server.in_loop(lambda: asyncio.ensure_future(server.iiop.stop()))
        assert client.rest() == [CloseConnection()]
        server.wait_until(lambda: server.open_connections() == 0)
        assert not stopping.done()
        server.in_loop(lambda: later.answer(0))
        server.wait_until(stopping.done)


def test_stop_does_not_wait_for_a_oneway_for_ever(serve: Serve) -> None:
    later = Later()
    server = serve(adapter=later, limits=Limits(stop_time=0.1))
    with server.connect() as client:
        client.send(request("tell", 1, id=10, flags=0))
        server.wait_until(lambda: len(later.waiting) == 1)
    server.thread.call(server.iiop.stop())
    assert later.waiting[0][1].cancelled()


def test_cancel_before_a_servant_has_begun(serve: Serve) -> None:
    """It is not run, and Python does not complain of what nobody waited for."""
    servant, adapter = LaterServant(), ObjectAdapter()
    adapter.activate(KEY, servant)
    with serve(adapter=adapter).connect() as client, warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        client.send(request("echo", 1, id=1), CancelRequest(1), request("echo", 2, id=2))
        assert result(client.receive()) == 2
        gc.collect()
    assert servant.calls == [2]
    assert complaints == []


def test_end_in_the_middle_of_a_message(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve()
    with server.connect() as client, caplog.at_level(logging.WARNING, "iiop.server"):
        client.send(GOOD[:-2])
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == []
        server.wait_until(lambda: server.open_connections() == 0)
        assert f"{len(GOOD) - 2} octets of it had arrived" in caplog.text


def test_client_that_resets_at_once(serve: Serve) -> None:
    """As port scanners do: the peer may be gone before anybody has asked for its name."""
    server = serve()
    for _ in range(50):
        with server.connect() as client:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.wait_until(lambda: server.open_connections() == 0)
    with server.connect() as client:
        assert result(client.call(request("echo", 1))) == 1


def test_ended_connections_are_freed_at_once(serve: Serve) -> None:
    """What waits for Python's collector of circles meanwhile adds up where clients come and go."""
    server = serve()
    gc.disable()
    try:
        with server.connect() as client:
            assert result(client.call(request("echo", 1))) == 1
            ends = [weakref.ref(connection) for connection in server.iiop._connections]
        server.wait_until(lambda: [end() for end in ends] == [None])
    finally:
        gc.enable()


# --- limits -----------------------------------------------------------------------------------------------------------


def test_one_connection_too_many_is_told_that_nothing_has_run(serve: Serve) -> None:
    server = serve(Limits(connections=2))
    with server.connect() as first, server.connect() as second:
        assert [result(client.call(request("echo", 1))) for client in (first, second)] == [1, 1]
        with server.connect() as third:
            assert third.rest() == [CloseConnection(GIOP_1_0)]
        assert result(first.call(request("echo", 2))) == 2
        second.sock.close()
        server.wait_until(lambda: server.open_connections() == 1)
        with server.connect() as fourth:
            assert result(fourth.call(request("echo", 3))) == 3


def test_client_that_never_reads_makes_us_hold_little(serve: Serve, servant: EchoServant) -> None:
    """600 small requests for 100 kB each: it is answered what it reads, and everything else is not even run."""
    count, size = 600, 100_000
    server = serve()
    with server.connect(receive_buffer=4096) as client:
        sender = threading.Thread(target=lambda: client.send(*[request("large", size, id=n) for n in range(count)]))
        sender.start()
        with server.connect() as other:
            for n in range(20):
                assert result(other.call(request("echo", -n))) == -n, "others are served"
            # What kernel and server hold together; more than that cannot have been answered.
            server.wait_until(lambda: server.open_connections() == 2 and len(servant.calls) > 20)
            assert server.buffered() <= 64 * 1024 + 2 * size
            assert len([call for call in servant.calls if call == size]) * size < 20_000_000
        for n in range(count):
            reply = client.receive()
            assert isinstance(reply, Reply)
            assert (reply.request_id, len(reply.body)) == (n, size + 4)
        sender.join()
        assert servant.calls.count(size) == count


def test_idle_connection_is_closed_in_order(serve: Serve) -> None:
    server = serve(Limits(idle_time=0.05))
    with server.connect() as client, server.connect() as silent:
        assert result(client.call(request("echo", 1, version=GIOP_1_1))) == 1
        assert client.rest() == [CloseConnection(GIOP_1_1)], "in a version that the client speaks"
        assert silent.rest() == [CloseConnection(GIOP_1_0)]
        server.wait_until(lambda: server.open_connections() == 0)


def test_connection_in_use_is_not_idle(serve: Serve) -> None:
    server = serve(Limits(idle_time=0.3))
    with server.connect() as client:
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            assert result(client.call(request("echo", 1))) == 1


def test_idle_client_that_reads_nothing_is_cut_off(serve: Serve, servant: EchoServant) -> None:
    server = serve(Limits(idle_time=0.1))
    with server.connect(receive_buffer=4096) as client:
        client.send(request("large", 15_000_000))
        server.wait_until(lambda: servant.calls != [])
        server.wait_until(lambda: server.open_connections() == 0)


# --- answers that come later ------------------------------------------------------------------------------------------


class Later(Adapter):
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Request, asyncio.Future[Reply]]] = []

    def handle(self, request: Request) -> Awaitable[Reply]:
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((request, future))
        return future

    def locate(self, request: LocateRequest) -> LocateReply:
        return LocateReply(request.request_id, LocateStatus.OBJECT_HERE)

    def answer(self, index: int) -> None:
        request, future = self.waiting[index]
        future.set_result(Reply(request.request_id, body=Body.of(Echo.operations()["echo"].results, (index,))))


def test_answers_come_when_they_are_there(serve: Serve) -> None:
    later = Later()
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(request("echo", 1, id=10), request("echo", 2, id=12))
        server.wait_until(lambda: len(later.waiting) == 2)
        server.in_loop(lambda: later.answer(1))
        server.in_loop(lambda: later.answer(0))
        replies = [client.receive(), client.receive()]
        assert [(reply.request_id, result(reply)) for reply in replies] == [(12, 1), (10, 0)]  # type: ignore[union-attr]


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
def test_answer_that_fails_later(serve: Serve, version: Version, caplog: pytest.LogCaptureFixture) -> None:
    later = Later()
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(request("echo", 1, id=10, version=version))
        server.wait_until(lambda: len(later.waiting) == 1)
        server.in_loop(lambda: later.waiting[0][1].set_exception(ZeroDivisionError("in the dark")))
        reply = client.receive()
        assert isinstance(reply, Reply)
        assert (reply.request_id, reply.version) == (10, version)
        assert failure(reply) == UNKNOWN(0, MAYBE)
    assert "in the dark" in caplog.text


def test_servant_that_waits_for_what_another_cancels(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    later = Later()
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(request("echo", 1, id=10))
        server.wait_until(lambda: len(later.waiting) == 1)
        server.in_loop(later.waiting[0][1].cancel)
        assert failure(client.receive()) == UNKNOWN(0, MAYBE)
    assert "CancelledError" in caplog.text


def test_client_that_leaves_before_its_answer_is_no_error(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    later = Later()
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(request("echo", 1, id=10), request("echo", 1, id=12), CancelRequest(12))
        server.wait_until(lambda: len(later.waiting) == 2)
    server.wait_until(lambda: server.open_connections() == 0)
    assert [future.cancelled() for _, future in later.waiting] == [True, True]
    assert caplog.text == ""


def test_locate_answer_that_fails_later(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """No LocateReply of GIOP 1.0 and 1.1 can say it, so the connection ends in every version."""
    later = Later()
    later.locate = later.handle  # type: ignore[method-assign, assignment]
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(LocateRequest(10, key_address(KEY)))
        server.wait_until(lambda: len(later.waiting) == 1)
        server.in_loop(lambda: later.waiting[0][1].set_exception(ZeroDivisionError("in the dark")))
        assert client.rest() == []
    assert "in the dark" in caplog.text


def test_connection_that_waits_for_its_answer_is_not_idle(serve: Serve) -> None:
    """CloseConnection would say that the request has not run, and the client would send it again."""
    later = Later()
    server = serve(Limits(idle_time=0.05), later)
    with server.connect() as client:
        client.send(request("echo", 1, id=10))
        server.wait_until(lambda: len(later.waiting) == 1)
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.receive()
        client.sock.settimeout(PATIENCE)
        server.in_loop(lambda: later.answer(0))
        assert result(client.receive()) == 0
        assert client.rest() == [CloseConnection()]


def test_stop_lets_begun_requests_end(serve: Serve) -> None:
    later = Later()
    server = serve(adapter=later)
    with server.connect() as client:
        client.send(request("echo", 1, id=10))
        server.wait_until(lambda: len(later.waiting) == 1)

        async def stop() -> None:
            stopping = asyncio.ensure_future(server.iiop.stop())
            await asyncio.sleep(0)
            later.answer(0)
            await stopping

        server.thread.call(stop())
        assert result(client.receive()) == 0
        assert client.rest() == [CloseConnection()]


def test_stop_does_not_say_of_a_begun_request_that_it_has_not_run(serve: Serve) -> None:
    later = Later()
    server = serve(adapter=later, limits=Limits(stop_time=0.1))
    with server.connect() as client:
        client.send(request("echo", 1, id=10))
        server.wait_until(lambda: len(later.waiting) == 1)
        server.thread.call(server.iiop.stop())
        assert client.rest() == []
        assert later.waiting[0][1].cancelled()


# --- starting and stopping --------------------------------------------------------------------------------------------


def test_stop_is_prompt_and_says_close_connection_to_the_idle(serve: Serve, servant: EchoServant) -> None:
    server = serve()
    with server.connect() as idle, server.connect() as new, server.connect(receive_buffer=4096) as deaf:
        assert result(idle.call(request("echo", 1))) == 1
        deaf.send(request("large", 15_000_000))
        server.wait_until(lambda: len(servant.calls) == 2 and server.open_connections() == 3)
        start = time.monotonic()
        server.thread.call(server.iiop.stop())
        assert time.monotonic() - start < 0.5
        assert idle.rest() == [CloseConnection()]
        assert new.rest() == [CloseConnection(GIOP_1_0)]
        assert server.open_connections() == 0
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    server.thread.call(server.iiop.stop())  # may be called again


def test_stop_while_clients_connect(serve: Serve) -> None:
    """A connection accepted at the last moment is closed too."""
    for _ in range(10):
        server = serve()
        stop = threading.Event()

        def hammer(server: Server = server, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                try:
                    with server.connect() as client:
                        client.send(request("echo", 1))
                        client.rest() if stop.is_set() else client.receive()
                except OSError:
                    return

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        server.wait_until(lambda server=server: server.open_connections() > 0)  # type: ignore[misc]
        server.thread.call(server.iiop.stop())
        stop.set()
        for thread in threads:
            thread.join()
        server.wait_until(lambda server=server: server.open_connections() == 0)  # type: ignore[misc]


def test_port_in_use() -> None:
    with NamingServer() as server:
        with pytest.raises(OSError, match="in use"), NamingServer(port=server.port):
            pass
        with NamingServer(host="127.0.0.2", port=server.port) as neighbour:
            assert neighbour.port == server.port


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(OSError, match=r".+"), NamingServer(host=host):
        pass


def test_starts_again_on_the_same_port_at_once() -> None:
    with NamingServer() as server:
        sock = socket.create_connection((server.host, server.port))
    with NamingServer(port=server.port) as again:
        assert again.port == server.port
    sock.close()


def test_one_server_may_be_started_twice() -> None:
    server = NamingServer()
    for _ in range(2):
        with server, socket.create_connection((server.host, server.port)) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(encode(LocateRequest(1, key_address(b"NameService"))))
            assert sock.recv(100)


def test_async_with() -> None:
    async def main() -> None:
        async with NamingServer() as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(encode(LocateRequest(1, key_address(b"NameService"))))
            reply = decode(await reader.readexactly(20))
            assert isinstance(reply, LocateReply)
            assert reply.locate_status is LocateStatus.OBJECT_HERE
        assert decode(await reader.read()) == CloseConnection()
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())


def test_fault_in_a_with_block_stops_the_server() -> None:
    with pytest.raises(ZeroDivisionError), NamingServer() as server:
        raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))


# --- what a Naming Service makes of keys -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"nameservice",
        b"NameService\0",
        b"BindingIterator.",
        b"BindingIterator.-1",
        b"BindingIterator." + b"9" * 5000,
        b"context.1.1",
        b"\xff\xfe",
        bytes(100_000),
    ],
    ids=lambda key: repr(key[:20]),
)
def test_naming_service_knows_no_such_key(key: bytes) -> None:
    with NamingServer() as server, Raw(socket.create_connection((server.host, server.port), PATIENCE)) as client:
        assert failure(client.call(request("destroy", key=key))) == OBJECT_NOT_EXIST(0x4F4D0001, NO)

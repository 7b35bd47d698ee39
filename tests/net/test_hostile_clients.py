"""`nstool serve` and clients that are slow, greedy, broken or gone: what each gets, what it costs, who is served meanwhile.

`docs/bounds.md` tells the same in a table. Every test watches the memory of the server, from outside, and a neighbour that
resolves all the time.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iiop.cdr import ByteOrder
from iiop.exceptions import BAD_OPERATION, MARSHAL, OBJECT_NOT_EXIST, CompletionStatus
from iiop.failover import FailoverPolicy
from iiop.giop.fragments import split
from iiop.giop.messages import (
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    MessageError,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import encode
from iiop.iop import IOR, TaggedProfile
from naming import NameService, parse_name
from naming.interfaces import BindingIterator, NamingContextExt
from naming.types import NameComponent, NotFound, NotFoundReason
from tests import procfs
from tests.net.test_nstool_serve import command
from tests.net.test_server import Raw, failure
from tests.peers import NamingPeer, PeerProcess, our_naming_service

NO = CompletionStatus.COMPLETED_NO
PATIENCE = 20.0
POLICY = FailoverPolicy(deadline=PATIENCE, attempt_timeout=PATIENCE, rounds=1)
OBJECT = IOR("IDL:A:1.0", (TaggedProfile(0, b"a"),))
MB = 1_000_000
NEIGHBOUR = parse_name("neighbour")
OPERATIONS = NamingContextExt.operations()


class Watched:
    """A running server, its memory, and its neighbour.

    Attributes:
        answers: how many answers the neighbour has got.
        slowest: the most seconds it waited for one.
    """

    def __init__(self, peer: NamingPeer, folder: Path) -> None:
        self.peer = peer
        self.answers = 0
        self.slowest = 0.0
        self._log = folder / "nstool.log"
        self._stop = threading.Event()
        self._failed: Exception | None = None

    def connect(self, receive_buffer: int | None = None) -> Raw:
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect((self.peer.host, self.peer.port))
        return Raw(sock)

    def names(self) -> NameService:
        return NameService(self.peer.corbaloc, policy=POLICY)

    @contextlib.contextmanager
    def grows_at_most(self, octets: int) -> Iterator[None]:
        """Check that the server never has so much more memory than now, and that its neighbour is answered to the end."""
        pid = self.peer.process.pid
        procfs.forget_peak(pid)
        before = procfs.memory(pid)
        with self._neighbour():
            yield
            self.neighbour_is_answered()
        grown = procfs.peak_memory(pid) - before
        print(f"grown by {grown / MB:.1f} MB at most; the neighbour got {self.answers}, the slowest after {self.slowest:.3f} s")
        assert grown <= octets

    @contextlib.contextmanager
    def _neighbour(self) -> Iterator[None]:
        thread = threading.Thread(target=self._resolve)
        thread.start()
        try:
            self.neighbour_is_answered()
            yield
        finally:
            self._stop.set()
            thread.join()
        if self._failed is not None:
            raise self._failed

    def _resolve(self) -> None:
        try:
            with self.names() as names:
                names.root.rebind(NEIGHBOUR, OBJECT)
                while not self._stop.is_set():
                    start = time.monotonic()
                    assert names.root.resolve(NEIGHBOUR) == OBJECT
                    self.slowest = max(self.slowest, time.monotonic() - start)
                    self.answers += 1
                    self._stop.wait(0.001)
        except Exception as error:
            self._failed = error

    def neighbour_is_answered(self, times: int = 10) -> None:
        """Wait until the neighbour has got that many answers more."""
        start = self.answers
        until(lambda: self._failed is not None or self.answers >= start + times)

    def lines(self, pattern: str) -> list[str]:
        """Return the lines of the log that match, without time and port."""
        told = [line.partition("iiop.server: ")[2] for line in self._log.read_text().splitlines()]
        return [re.sub(r"127\.0\.0\.1:\d+", "PEER", line) for line in told if re.search(pattern, line)]

    def wait_lines(self, pattern: str) -> list[str]:
        self.peer.process.wait_line(pattern, PATIENCE)
        return self.lines(pattern)


def until(condition: Callable[[], bool]) -> None:
    tick, end = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        tick.wait(0.005)


Serve = Callable[..., Watched]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server with limits."""
    with contextlib.ExitStack() as stack:

        def start(**limits: float) -> Watched:
            options = [part for name, number in limits.items() for part in ("--limit", f"{name}={number}")]
            return Watched(stack.enter_context(our_naming_service(tmp_path, *options)), tmp_path)

        yield start


def request(operation: str, *arguments: Any, id: int = 0, key: bytes = b"NameService", body: Body | None = None) -> Request:
    if body is None:
        body = Body.of(OPERATIONS[operation].arguments, arguments)
    return Request(id, operation, key_address(key), 3, (), body)


# --- much ---------------------------------------------------------------------------------------------------------------


def test_names_of_64_kb(serve: Serve) -> None:
    """They are names as any other."""
    server = serve()
    long = NameComponent("i" * 65_536, "k" * 65_536)
    with server.grows_at_most(20 * MB), server.names() as names:
        for _ in range(20):
            names.root.bind((long,), OBJECT)
            assert names.root.resolve((long,)) == OBJECT
            assert [binding.binding_name for binding in names.root.list(10)[0]] == [NEIGHBOUR, (long,)]
            names.root.unbind((long,))
            with pytest.raises(NotFound) as missing:
                names.root.resolve((long, long))
            assert (missing.value.why, missing.value.rest_of_name) == (NotFoundReason.missing_node, (long, long))


def test_10000_iterators(serve: Serve) -> None:
    """Of clients that end none, those used longest ago end; one that is read meanwhile stays."""
    server = serve()
    with server.names() as names:
        for number in range(50):
            names.root.bind(parse_name(f"n{number}"), OBJECT)
    with server.grows_at_most(20 * MB), server.names() as names:
        read = names.client.stub(names.root.list(0)[1], BindingIterator)
        seen, iterators = [], []
        for number in range(10_000):
            iterators.append(names.root.list(0)[1])
            if number % 200 == 0:
                seen.append(read.next_one()[1].binding_name)
        assert seen == [parse_name(f"n{number}") for number in range(50)]
        alive = [names.client.stub(reference, BindingIterator) for reference in (iterators[-1], iterators[-999])]
        assert [iterator.next_one()[0] for iterator in alive] == [True, True]
        for reference in (iterators[0], iterators[-1001]):
            with pytest.raises(OBJECT_NOT_EXIST):
                names.client.stub(reference, BindingIterator).next_one()


def test_iterators_over_large_contexts(serve: Serve) -> None:
    """What they hold together is bounded, whatever their number."""
    server = serve(iterator_bindings=100_000)
    with server.names() as names:
        for number in range(2000):
            names.root.bind(parse_name(f"n{number}"), OBJECT)
    with server.grows_at_most(8 * MB), server.names() as names:
        iterators = [names.client.stub(names.root.list(0)[1], BindingIterator) for _ in range(1000)]
        assert iterators[-40].next_one()[0]
        with pytest.raises(OBJECT_NOT_EXIST):
            iterators[-60].next_one()


def test_messages_of_10_mb(serve: Serve) -> None:
    """A reference as large is bound and given back; a name of as many components as fit is looked for, and not found."""
    server = serve()
    large = IOR("IDL:Large:1.0", (TaggedProfile(77, bytes(10 * MB)),))
    many = (NameComponent("i", ""),) * (10 * MB // 20)
    with server.grows_at_most(250 * MB), server.names() as names:
        for _ in range(3):
            names.root.rebind(parse_name("large"), large)
            assert names.root.resolve(parse_name("large")) == large
        with pytest.raises(NotFound) as missing:
            names.root.resolve(many)
        assert missing.value.rest_of_name == many


def test_messages_above_the_limit(serve: Serve) -> None:
    """They are refused by their headers, before they have arrived."""
    server = serve()
    with server.grows_at_most(5 * MB):
        for _ in range(20):
            with server.connect() as client:
                client.send(b"GIOP\x01\x02\x00\x00" + (100 * MB).to_bytes(4))
                assert client.rest() == [MessageError(GIOP_1_2, ByteOrder.BIG)]
    (*_, line) = server.wait_lines("broke GIOP")
    assert line.startswith("PEER broke GIOP: message of 100000012 octets exceeds the limit message_size=16777216")


def test_messages_of_10_mb_that_never_end(serve: Serve) -> None:
    """What has arrived is kept, up to `message_size` for each connection, and let go of with it."""
    server = serve(idle_time=2)
    begun = encode(request("resolve", body=Body(bytes(10 * MB))))[:-1]
    with server.grows_at_most(5 * 25 * MB), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(5)]
        for client in clients:
            client.send(begun)
        for client in clients:
            assert [type(message) for message in client.rest()] == [CloseConnection]
    assert [re.sub(r"\d+ octets", "OCTETS", line) for line in server.wait_lines("is too slow")] == [
        "PEER is too slow: OCTETS of a message within the limit idle_time=2"
    ] * 5


# --- slow, or idle ------------------------------------------------------------------------------------------------------


def test_client_that_never_reads(serve: Serve) -> None:
    """It is not read from either, and cut off after `idle_time`."""
    server = serve(idle_time=2)
    with server.names() as names:
        names.root.bind((NameComponent("i" * 100_000),), OBJECT)
    ask, sent = encode(request("list", 10)) * 100, 0
    with server.grows_at_most(5 * MB), server.connect(receive_buffer=4096) as client:
        client.sock.setblocking(False)
        with contextlib.suppress(ConnectionResetError):
            while select.select([], [client.sock], [], 0.5)[1]:
                sent += client.sock.send(ask)
                assert sent < 20 * MB
        assert server.wait_lines("cut off") == ["PEER does not read its replies and is cut off"]


def test_2000_idle_connections(serve: Serve) -> None:
    """They are kept, cost some kilobytes each, and leave nothing behind; the usual limit of 1,024 descriptors is no limit."""
    server = serve()
    pid = server.peer.process.pid
    with server.grows_at_most(40 * MB):
        before = procfs.descriptors(pid)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(2000)]
            until(lambda: procfs.descriptors(pid) >= before + 2000)
            for client in clients[::100]:
                client.send(request("_non_existent"))
                assert isinstance(client.receive(), Reply)
        until(lambda: procfs.descriptors(pid) <= before)


def test_more_connections_than_the_soft_limit_of_descriptors(tmp_path: Path) -> None:
    """The server takes as many descriptors as it may have."""
    with few_descriptors(tmp_path, "-Sn") as process, contextlib.ExitStack() as stack:
        port = int(process.wait_line(r"ready: corbaloc:iiop:1\.2@127\.0\.0\.1:(\d+)/")[1])
        for _ in range(200):
            client = stack.enter_context(Raw(socket.create_connection(("127.0.0.1", port), PATIENCE)))
            client.send(request("_non_existent"))
            assert isinstance(client.receive(), Reply)


def test_fewer_descriptors_than_connections_are_told(tmp_path: Path) -> None:
    with few_descriptors(tmp_path, "-n") as process:
        process.wait_line(r"only 64 files may be open \(ulimit -Hn\): too few for connections=4096")
        process.wait_line("ready: ")


def few_descriptors(folder: Path, option: str) -> PeerProcess:
    return PeerProcess(["sh", "-c", f'ulimit {option} 64 && exec "$@"', "sh", *command()], folder / "log")


def test_one_octet_at_a_time(serve: Serve) -> None:
    """It is answered if its message becomes whole within `idle_time`, and told otherwise that nothing has run."""
    server = serve(idle_time=3)
    octets = encode(request("_non_existent"))
    with server.grows_at_most(5 * MB), server.connect() as quick, server.connect() as slow:
        pause = threading.Event()
        for octet in octets:
            quick.send(bytes([octet]))
            pause.wait(0.01)
        assert isinstance(quick.receive(), Reply)
        for octet in octets:
            slow.send(bytes([octet]))
            if select.select([slow.sock], [], [], 0.5)[0]:
                break
        assert isinstance(slow.receive(), CloseConnection)
    (line,) = server.wait_lines("too slow")
    assert re.fullmatch(r"PEER is too slow: \d+ octets of a message within the limit idle_time=3", line)


# --- broken -------------------------------------------------------------------------------------------------------------


def test_endless_fragments(serve: Serve) -> None:
    server = serve()
    first, second, *_ = split(encode(request("resolve", body=Body(bytes(1000)))), GIOP_1_2, 64)
    with server.grows_at_most(10 * MB), server.connect() as client:
        with contextlib.suppress(ConnectionError):  # it is cut off while more is on the way
            client.send(first)
            for _ in range(10_000):
                client.send(second)
        assert client.receive() == MessageError(GIOP_1_2)
    assert server.wait_lines("broke GIOP") == ["PEER broke GIOP: more fragments than the limit fragments=4096"]


def test_cancel_in_the_middle_of_fragments(serve: Serve) -> None:
    """What had arrived is dropped, and the next request answered, on the same connection (omniNames 4.3.3 hangs)."""
    server = serve()
    first, *_ = split(encode(request("resolve", body=Body(bytes(100_000)), id=2)), GIOP_1_2, 64_000)
    with server.grows_at_most(5 * MB), server.connect() as client:
        for _ in range(1000):
            client.send(first, CancelRequest(2), request("_non_existent", id=4))
            reply = client.receive()
            assert isinstance(reply, Reply)
            assert reply.request_id == 4


def test_requests_behind_close_connection(serve: Serve) -> None:
    """They are not run."""
    server = serve()
    with server.grows_at_most(10 * MB), server.names() as names:
        for number in range(100):
            with server.connect() as client:
                binds = [request("bind", parse_name(f"late{number}"), OBJECT, id=id) for id in range(0, 20, 2)]
                client.send(request("_non_existent", id=100), CloseConnection(), *binds)
                assert [type(message) for message in client.rest()] == [Reply]
        assert [binding.binding_name for binding in names.root.list(1000)[0]] == [NEIGHBOUR]


STRING_WITHOUT_END = bytes.fromhex("01000000 02000000 4141 0000 01000000 00")
COUNT_TOO_LARGE = bytes.fromhex("ffffffff")


@pytest.mark.parametrize(
    ("octets", "minor", "name"),
    [
        (b"\1", 0x4154000A, "MARSHAL_PassEndOfMessage"),
        (bytes(9), 0x4154005D, "MARSHAL_MessageTooLong"),
        (COUNT_TOO_LARGE, 0x41540012, "MARSHAL_SequenceIsTooLong"),
        (STRING_WITHOUT_END, 0x4154008F, "MARSHAL_InvalidGIOPMessage"),
    ],
    ids=["short", "trailing", "count", "string"],
)
def test_malformed_arguments(serve: Serve, octets: bytes, minor: int, name: str) -> None:
    """They get MARSHAL, the connection lives on, and the log has two lines however many there are."""
    server, count = serve(), 2000
    with server.grows_at_most(10 * MB), server.connect() as client:
        for number in range(count):
            assert failure(client.call(request("resolve", id=number, body=Body(octets)))) == MARSHAL(minor, NO)
        client.send(request("_non_existent"))
        assert isinstance(client.receive(), Reply)
    counted = server.wait_lines("refused with MARSHAL in all")
    (first,) = server.lines(" refused: ")
    assert first.startswith(f"PEER: 'resolve' of b'NameService' refused: MARSHAL: minor {minor:#x} (omniORB {name}: ")
    assert re.match(r"[\w.\[\]]+ at offset \d+: ", first.partition("COMPLETED_NO: ")[2])
    assert counted == [f"PEER: {count} requests refused with MARSHAL in all"]


def test_unknown_operation_key_and_interface(serve: Serve) -> None:
    server = serve()
    with server.grows_at_most(10 * MB), server.connect() as client, server.names() as names:
        for number in range(1000):
            unknown = request(f"no_such_{number}", body=Body(b""))
            assert failure(client.call(unknown)) == BAD_OPERATION(0x4F4D0002, NO)
            key = f"context.{number}".encode()
            assert failure(client.call(request("_non_existent", key=key))) == OBJECT_NOT_EXIST(0x4F4D0001, NO)
            assert names.root._is_a(f"IDL:NoSuch{number}:1.0") is False
    assert server.wait_lines("with BAD_OPERATION") == ["PEER: 1000 requests refused with BAD_OPERATION in all"]
    assert server.wait_lines("with OBJECT_NOT_EXIST") == ["PEER: 1000 requests refused with OBJECT_NOT_EXIST in all"]
    assert [line.partition(": minor")[0] for line in server.lines(" refused: ")] == [
        "PEER: 'no_such_0' of b'NameService' refused: BAD_OPERATION",
        "PEER: '_non_existent' of b'context.0' refused: OBJECT_NOT_EXIST",
    ]

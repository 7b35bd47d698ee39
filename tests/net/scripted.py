"""A server that does as it is told: for each connection a list of steps.

    with ScriptedServer([request, reply(Long, 7), fin]) as server:
        ...
    server.requests, server.connections

Steps are functions of a `Peer`. Connections beyond the scripts run `then`. A connection whose script has ended stays open until
the server is left, or the client goes. What a step could not do because the client had gone is no error; any other failure of a
script is raised when the server is left.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Self

from iiop.cdr import ByteOrder, Codec, Long, arguments
from iiop.exceptions import CompletionStatus, SystemException
from iiop.giop.messages import (
    NATIVE,
    SYSTEM_EXCEPTION,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
    SystemExceptionReplyBody,
    exception_body,
)
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, operation
from iiop.iop import IOR, IOR_CODEC
from iiop.profile import ProfileBody, Version, encode_profile

PATIENCE = 10.0
"""Seconds a step waits for anything."""

KEY = b"counter"


class Counter(Interface):
    """What the scripted servers pretend to be."""

    repository_id = "IDL:test/Counter:1.0"

    @operation
    def add(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Change something: must not run twice."""

    @operation(idempotent=True)
    def value(self) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Change nothing."""

    @operation
    def store(self, octets: bytes) -> None:
        """Take as much as you like."""

    @operation(oneway=True)
    def poke(self, n: Annotated[int, Long]) -> None:
        """Expect no answer."""


_LONG = Codec(arguments("result", ("result", Annotated[int, Long])))


class Peer:
    """One connection of a client, seen from the server."""

    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.sock.settimeout(PATIENCE)

    def receive(self) -> Message:
        """Return the next message of the client, which is kept in `server.received` too."""
        header = self._exactly(12)
        size = int.from_bytes(header[8:12], "little" if header[6] & 1 else "big")
        message = decode(header + self._exactly(size))
        with self.server.changed:
            self.server.received.append(message)
            self.server.changed.notify_all()
        return message

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            piece = self.sock.recv(count - len(octets))
            if not piece:
                raise ConnectionError("the client has gone")
            octets += piece
        return octets

    def asked(self) -> Request:
        """Return the request received last on any connection."""
        return self.server.requests[-1]


Step = Callable[[Peer], None]


def request(peer: Peer) -> None:
    """Read one request."""
    message = peer.receive()
    assert isinstance(message, Request), message


def cancelled(peer: Peer) -> None:
    """Read one CancelRequest."""
    message = peer.receive()
    assert isinstance(message, CancelRequest), message


def answer(peer: Peer, body: Body, status: ReplyStatus) -> None:
    asked = peer.asked()
    peer.sock.sendall(encode(Reply(asked.request_id, status, (), body, asked.version, asked.byte_order)))


def reply(value: int) -> Step:
    """Answer the last request with a long."""
    return lambda peer: answer(peer, Body.of(_LONG, (value,)), ReplyStatus.NO_EXCEPTION)


def fails(exception: SystemException) -> Step:
    """Answer the last request with a system exception."""
    return lambda peer: answer(peer, exception_body(exception), ReplyStatus.SYSTEM_EXCEPTION)


def fails_with(repository_id: str, minor: int, completed: int) -> Step:
    """Answer the last request with a system exception that need not exist."""
    body = Body.of(SYSTEM_EXCEPTION, SystemExceptionReplyBody(repository_id, minor, completed))
    return lambda peer: answer(peer, body, ReplyStatus.SYSTEM_EXCEPTION)


def forward(target: Callable[[], IOR], status: ReplyStatus = ReplyStatus.LOCATION_FORWARD) -> Step:
    """Answer the last request with a forward to a reference, asked for when it is needed."""
    return lambda peer: answer(peer, Body.of(IOR_CODEC, target()), status)


def status(value: int, body: Body | None = None) -> Step:
    """Answer the last request with any reply status."""
    return lambda peer: answer(peer, Body() if body is None else body, ReplyStatus(value))


def wrong_id(peer: Peer) -> None:
    """Answer a request that nobody made."""
    peer.sock.sendall(encode(Reply(peer.asked().request_id + 1000, body=Body.of(_LONG, (1,)))))


def octets(data: bytes) -> Step:
    """Send octets as they are."""
    return lambda peer: peer.sock.sendall(data)


def part_of_reply(count: int) -> Step:
    """Send the first octets of a good answer to the last request."""

    def send(peer: Peer) -> None:
        asked = peer.asked()
        peer.sock.sendall(encode(Reply(asked.request_id, body=Body.of(_LONG, (1,)), version=asked.version))[:count])

    return send


def close_connection(peer: Peer) -> None:
    """Say CloseConnection."""
    peer.sock.sendall(encode(CloseConnection()))


def message_error(peer: Peer) -> None:
    """Say MessageError."""
    peer.sock.sendall(encode(MessageError()))


def fin(peer: Peer) -> None:
    """Close in order, as far as TCP goes: everything that has arrived is read before."""
    peer.sock.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        while peer.sock.recv(65536):
            pass
    peer.sock.close()


def half_close(peer: Peer) -> None:
    """Send FIN, read on."""
    peer.sock.shutdown(socket.SHUT_WR)


def arrived(peer: Peer) -> None:
    """Wait until something has arrived, and leave it unread."""
    assert select.select([peer.sock], [], [], PATIENCE)[0], "nothing has arrived"


def rst(peer: Peer) -> None:
    """Close with RST."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()


def wait_for(event: threading.Event) -> Step:
    """Wait until the test says go."""

    def wait(peer: Peer) -> None:
        assert event.wait(PATIENCE), "the test never said go"

    return wait


def tell(event: threading.Event) -> Step:
    """Tell the test that this point is reached."""
    return lambda peer: event.set()


def gone(peer: Peer) -> None:
    """Read what the client says until it closes; requests are kept."""
    with contextlib.suppress(ConnectionError):
        while True:
            peer.receive()


def locate_here(peer: Peer) -> None:
    """Answer a LocateRequest: the object is here."""
    message = peer.receive()
    assert isinstance(message, LocateRequest)
    peer.sock.sendall(encode(LocateReply(message.request_id, LocateStatus.OBJECT_HERE, version=message.version)))


def serve(value: int) -> Step:
    """Answer every request with a long, until the client closes."""

    def loop(peer: Peer) -> None:
        with contextlib.suppress(ConnectionError):
            while not isinstance(message := peer.receive(), CloseConnection):
                assert isinstance(message, Request), message
                if peer.asked().response_expected:
                    reply(value)(peer)

    return loop


class ScriptedServer:
    """Listen on a port of loopback and play one script for each connection, each in a thread of its own.

    Attributes:
        received: every message, in the order of arrival.
        connections: how many were accepted.
    """

    def __init__(self, *scripts: Sequence[Step], then: Sequence[Step] = (fin,)) -> None:
        self._scripts = list(scripts)
        self._then = then
        self.received: list[Message] = []
        self.connections = 0
        self.changed = threading.Condition()
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def requests(self) -> list[Request]:
        """Return the requests among what was received."""
        return [message for message in self.received if isinstance(message, Request)]

    @property
    def operations(self) -> list[str]:
        """Return the names of the operations asked for."""
        return [message.operation for message in self.requests]

    @property
    def cancelled(self) -> list[int]:
        """Return the ids of cancelled requests."""
        return [message.request_id for message in self.received if isinstance(message, CancelRequest)]

    def reference(self, version: tuple[int, int] = (1, 2)) -> IOR:
        """Return a reference to the counter here."""
        return IOR(Counter.repository_id, (encode_profile(ProfileBody(Version(*version), "127.0.0.1", self.port, KEY)),))

    def wait_received(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, PATIENCE), self.received

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[self.connections] if self.connections < len(self._scripts) else self._then
            self.connections += 1
            peer = Peer(self, sock)
            self._peers.append(peer)
            thread = threading.Thread(target=self._play, args=(peer, script), name=f"connection {self.connections}")
            self._threads.append(thread)
            thread.start()

    def _play(self, peer: Peer, script: Sequence[Step]) -> None:
        try:
            for step in script:
                step(peer)
        except ConnectionError:
            pass
        except BaseException as error:
            if not self._closing:
                self._failures.append(error)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, name="scripted server")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for peer in self._peers:
            peer.sock.close()
        if self._failures:
            raise self._failures[0]


def exception(cls: type[SystemException], minor: int, completed: CompletionStatus) -> Step:
    """Answer the last request with a system exception, given in pieces, for tables."""
    return fails(cls(minor, completed))


def big_endian(value: int) -> Step:
    """Answer the last request in big-endian order whatever order it came in."""

    def send(peer: Peer) -> None:
        asked = peer.asked()
        order = ByteOrder.BIG if NATIVE is ByteOrder.LITTLE else ByteOrder.LITTLE
        peer.sock.sendall(encode(Reply(asked.request_id, body=Body.of(_LONG, (value,)), version=asked.version, byte_order=order)))

    return send

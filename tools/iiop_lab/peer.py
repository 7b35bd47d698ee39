"""A server that does as it is told: what it is to be asked, and what it answers, for each connection a script.

    with ScriptedServer([expect(Account.withdraw, 10), reply(90), close_connection, fin]) as server:
        client.stub(server.reference(Account), Account).withdraw(10)

A script is a list of steps, played in order; a step is any function of a `Peer`, the connection it is played on. The first
script is played on the first connection, and so on. A connection whose script has ended stays open until the server is left, or
the client goes.

What is expected has to come: an `expect` that heard something else, or nothing, and a connection that no script is for, are
raised as `ScriptMismatch` when the server is left, and the connection is reset at once, so that the client does not wait. What
another step could not do because the client had gone is no error; any other failure of a step is raised when the server is left.

It must not know pytest.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from iiop.cdr import Codec, arguments
from iiop.exceptions import DecodeError, SystemException, UserException
from iiop.giop.fragments import Reassembler
from iiop.giop.header import MORE_FRAGMENTS, cut_header
from iiop.giop.messages import (
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
    exception_body,
)
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, Operation
from iiop.iop import IOR, IOR_CODEC
from iiop.limits import DEFAULT_LIMITS
from iiop.profile import ProfileBody, Version, encode_profile
from iiop_lab.pcap import Conversation, Traffic

__all__ = [
    "Peer",
    "ScriptMismatch",
    "ScriptedServer",
    "Step",
    "arrived",
    "cancelled",
    "close_connection",
    "expect",
    "fin",
    "forward",
    "gone",
    "half_close",
    "hang",
    "locate_here",
    "message_error",
    "octets",
    "raise_",
    "reply",
    "rst",
    "tell",
    "wait_for",
]

PATIENCE = 10.0
"""Seconds a step waits for anything."""


class ScriptMismatch(AssertionError):
    """Report that something else came than the script expected, or nothing."""


class Peer:
    """One connection of a client, as the script sees it.

    Attributes:
        server: whose connection it is.
        sock: for steps of your own; what is said over it directly is not in the recorded traffic.
        number: 1 for the first connection.
        operation: what was asked for last, if `expect` was given an operation of a stub.
    """

    def __init__(self, server: ScriptedServer, sock: socket.socket, number: int, traffic: Traffic | None) -> None:
        self.server = server
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.number = number
        self.operation: Operation | None = None
        self._asked: Request | None = None
        self._fragments = Reassembler(DEFAULT_LIMITS)
        self._told: Conversation | None = None
        if traffic is not None:
            with contextlib.suppress(OSError):
                self._told = Conversation(traffic, sock.getpeername()[:2], sock.getsockname()[:2], accepted=True)

    def receive(self) -> Message:
        """Return the next message of the client, whole, which is kept in `server.received` too.

        Raises:
            ConnectionError: the client has gone.
            TimeoutError: nothing came within `PATIENCE` seconds.
            IIOPError: it is no message of GIOP.
        """
        while True:
            piece = self._exactly(12)
            piece += self._exactly(int.from_bytes(piece[8:12], "little" if piece[6] & 1 else "big"))
            header = cut_header(piece, DEFAULT_LIMITS)
            whole: bytes | None = piece
            if piece[6] & MORE_FRAGMENTS or header.message_type is MessageType.Fragment:
                whole = self._fragments.add(header, piece)
            if whole is not None:
                break
        message = decode(whole)
        self.keep(message)
        return message

    def keep(self, message: Message) -> None:
        """Count a message as received; for steps that read octets themselves."""
        if isinstance(message, Request):
            self._asked = message
        with self.server.changed:
            self.server.received.append(message)
            self.server.changed.notify_all()

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            try:
                piece = self.sock.recv(count - len(found))
            except ConnectionError:
                self.end(reset=True, by_client=True)
                raise
            if not piece:
                if not self.server.closing.is_set():
                    self.end(by_client=True)
                raise ConnectionError("the client has gone")
            if self._told is not None:
                self._told.says(piece, by_client=True)
            found += piece
        return found

    def asked(self) -> Request:
        """Return the request received last.

        Raises:
            AssertionError: nothing was asked on this connection.
        """
        assert self._asked is not None, "nothing was asked on this connection yet, so that nothing can be answered"
        return self._asked

    def send(self, data: bytes) -> None:
        """Send octets.

        Raises:
            OSError: the client has gone, or does not read.
        """
        if self._told is not None:
            self._told.says(data, by_client=False)
        self.sock.sendall(data)

    def answer(self, body: Body, status: ReplyStatus) -> None:
        """Answer the last request."""
        asked = self.asked()
        self.send(encode(Reply(asked.request_id, status, (), body, asked.version, asked.byte_order)))

    def end(self, *, reset: bool = False, by_client: bool = False) -> None:
        """Tell the recorded traffic that one end has ended the connection."""
        if self._told is not None:
            if reset:
                self._told.reset(by_client=by_client)
            else:
                self._told.ends(by_client=by_client)


Step = Callable[[Peer], None]


def _operation(asked: object) -> Operation | None:
    declared = getattr(asked, "operation", asked)
    return declared if isinstance(declared, Operation) else None


class expect:
    """Read one request, which has to be for an operation.

    Args:
        operation: its name on the wire, or a stub's method (`Account.withdraw`), by which arguments are read and replies written.
        arguments: what they have to be, if any are given; only with a stub's method.

    Raises:
        TypeError: arguments of an operation of which only the name is known.
    """

    def __init__(self, operation: str | Callable[..., Any] | Operation, *arguments: Any) -> None:
        self._declared = _operation(operation)
        if self._declared is None and (arguments or not isinstance(operation, str)):
            raise TypeError(f"expect({operation!r}, ...): to compare arguments give a method of a stub, such as Account.withdraw")
        self._name = str(operation) if self._declared is None else self._declared.name
        self._arguments = arguments

    def __str__(self) -> str:
        return f"request {self._name}{self._arguments or ''}"

    __repr__ = __str__

    def __call__(self, peer: Peer) -> None:
        try:
            message = peer.receive()
        except ConnectionError as error:
            what = "nothing came before the end" if peer.server.closing.is_set() else "the client closed the connection"
            raise ScriptMismatch(f"expected {self}, but {what}") from error
        except TimeoutError as error:
            raise ScriptMismatch(f"expected {self}, but nothing came in {PATIENCE:g} s") from error
        if not isinstance(message, Request):
            raise ScriptMismatch(f"expected {self}, but {_described(message)} came")
        if message.operation != self._name:
            raise ScriptMismatch(f"expected {self}, but {_described(message)} came")
        peer.operation = self._declared
        if self._declared is not None and self._arguments:
            try:
                came = message.body.decode(self._declared.arguments)
            except DecodeError as error:
                raise ScriptMismatch(f"expected {self}, but its arguments cannot be read: {error}") from error
            if tuple(came) != self._arguments:
                raise ScriptMismatch(f"expected {self}, but {self._name}{tuple(came)} came")


def _described(message: Message) -> str:
    if isinstance(message, Request):
        return f"request {message.operation} (id {message.request_id}, GIOP {message.version})"
    return f"a {type(message).__name__}"


def reply(value: Any = None, hint: Any = None) -> Step:
    """Answer the last request without exception.

    Args:
        value: the result, or a tuple of result and out parameters; None for an operation without.
        hint: its type as in a declaration, `Annotated[int, Long]`, if `expect` was given a name only.

    Raises (when the server is left):
        TypeError: the type of the value is not known.
    """

    def send(peer: Peer) -> None:
        asked = peer.asked()
        if hint is not None:
            body = Body.of(Codec(arguments("result", ("result", hint))), (value,), asked.body.speech)
        elif peer.operation is not None:
            body = peer.operation.results_body(value, asked.body.speech)
        elif value is None:
            body = Body()
        else:
            raise TypeError(f"reply({value!r}): give its type, hint=..., or expect a stub's method, as Account.withdraw")
        peer.answer(body, ReplyStatus.NO_EXCEPTION)

    return send


def raise_(exception: SystemException | UserException) -> Step:
    """Answer the last request with an exception; a user exception needs a stub's method in `expect` that declares it.

    Raises (when the server is left):
        TypeError: the user exception is not declared by what was expected.
    """

    def send(peer: Peer) -> None:
        if isinstance(exception, SystemException):
            peer.answer(exception_body(exception), ReplyStatus.SYSTEM_EXCEPTION)
            return
        if peer.operation is None or exception.repository_id not in peer.operation.raises:
            raise TypeError(f"raise_({exception!r}): expect a stub's method that declares it, to know how it is written")
        body = peer.operation.exception_body(exception, peer.asked().body.speech)
        peer.answer(body, ReplyStatus.USER_EXCEPTION)

    return send


def forward(target: IOR | Callable[[], IOR], status: ReplyStatus = ReplyStatus.LOCATION_FORWARD) -> Step:
    """Answer the last request with a forward to a reference, or to what a function returns when its time has come."""

    def send(peer: Peer) -> None:
        peer.answer(Body.of(IOR_CODEC, target() if callable(target) else target), status)

    return send


def octets(data: bytes) -> Step:
    """Send octets as they are."""
    return lambda peer: peer.send(data)


def cancelled(peer: Peer) -> None:
    """Read one CancelRequest."""
    message = peer.receive()
    if not isinstance(message, CancelRequest):
        raise ScriptMismatch(f"expected a CancelRequest, but {_described(message)} came")


def locate_here(peer: Peer) -> None:
    """Read a LocateRequest, and answer that the object is here."""
    message = peer.receive()
    if not isinstance(message, LocateRequest):
        raise ScriptMismatch(f"expected a LocateRequest, but {_described(message)} came")
    peer.send(encode(LocateReply(message.request_id, LocateStatus.OBJECT_HERE, version=message.version)))


def close_connection(peer: Peer) -> None:
    """Say CloseConnection; the connection stays open until a step, such as `fin`, ends it."""
    peer.send(encode(CloseConnection()))


def message_error(peer: Peer) -> None:
    """Say MessageError."""
    peer.send(encode(MessageError()))


def half_close(peer: Peer) -> None:
    """Send FIN, read on."""
    peer.sock.shutdown(socket.SHUT_WR)
    peer.end()


def fin(peer: Peer) -> None:
    """Close in order, as far as TCP goes: everything that has arrived is read before."""
    half_close(peer)
    with contextlib.suppress(OSError):
        while peer.sock.recv(65536):
            pass
    peer.end(by_client=True)
    peer.sock.close()


def rst(peer: Peer) -> None:
    """Close with RST."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()
    peer.end(reset=True)


def arrived(peer: Peer) -> None:
    """Wait until something has arrived, and leave it unread."""
    assert select.select([peer.sock], [], [], PATIENCE)[0], "nothing has arrived"


def gone(peer: Peer) -> None:
    """Read what the client says until it closes; requests are kept."""
    with contextlib.suppress(ConnectionError):
        while True:
            peer.receive()


def hang(peer: Peer) -> None:
    """Neither read nor answer until the server is left."""
    peer.server.closing.wait()


def wait_for(event: threading.Event) -> Step:
    """Wait until the test says go."""

    def wait(peer: Peer) -> None:
        assert event.wait(PATIENCE), "the test never said go"

    return wait


def tell(event: threading.Event) -> Step:
    """Tell the test that this point is reached."""
    return lambda peer: event.set()


class ScriptedServer:
    """Listen on a port of loopback and play one script for each connection, each in a thread of its own.

    Args:
        scripts: for the first connections; `script` adds more.
        then: the script of every further connection; None lets none come.
        traffic: is told what is said.

    Attributes:
        host, port: what is listened on.
        object_key: in references to it; it answers to every key.
        received: every message, in the order of arrival.
        connections: how many were accepted.
        changed: notified when something was received.
        closing: set when the server is left.
    """

    host = "127.0.0.1"
    object_key = b"peer"

    def __init__(self, *scripts: Sequence[Step], then: Sequence[Step] | None = None, traffic: Traffic | None = None) -> None:
        self.then = then
        self.received: list[Message] = []
        self.connections = 0
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self._scripts = list(scripts)
        self._traffic = traffic
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]

    def script(self, *steps: Step) -> None:
        """Say what happens on the next connection that has no script yet."""
        self._scripts.append(steps)

    @property
    def address(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"

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

    def reference(self, interface: type[Interface] = Interface, version: tuple[int, int] = (1, 2)) -> IOR:
        """Return a reference to an object here; `str(ior.IOR.from_iop(...))` is its text."""
        profile = ProfileBody(Version(*version), self.host, self.port, self.object_key)
        return IOR(interface.repository_id, (encode_profile(profile),))

    def wait_received(self, count: int) -> None:
        """Wait until so many messages have arrived.

        Raises:
            AssertionError: they did not, within `PATIENCE` seconds.
        """
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, PATIENCE), self.received

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[self.connections] if self.connections < len(self._scripts) else self.then
            self.connections += 1
            peer = Peer(self, sock, self.connections, self._traffic)
            self._peers.append(peer)
            thread = threading.Thread(target=self._play, args=(peer, script), name=f"connection {self.connections}")
            self._threads.append(thread)
            thread.start()

    def _play(self, peer: Peer, script: Sequence[Step] | None) -> None:
        number = 0
        try:
            if script is None:
                raise ScriptMismatch(f"expected {len(self._scripts)} connection(s), but one more came")
            for step in script:
                number += 1
                step(peer)
        except ScriptMismatch as error:
            at = f"step {number} of {len(script)}" if script else "no script"
            self._failures.append(ScriptMismatch(f"connection {peer.number}, {at}: {error}").with_traceback(error.__traceback__))
            with contextlib.suppress(OSError):
                rst(peer)
        except ConnectionError:
            pass
        except BaseException as error:
            if not self.closing.is_set():
                self._failures.append(error)
                with contextlib.suppress(OSError):
                    rst(peer)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, name="scripted server")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
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
            peer.end()
        for number, script in enumerate(self._scripts[self.connections :], self.connections + 1):
            if any(isinstance(step, expect) for step in script):
                self._failures.append(ScriptMismatch(f"expected connection {number} ({script[0]} ...), but it never came"))
        if len(self._failures) > 1:
            raise BaseExceptionGroup("the scripts were not played", self._failures)
        if self._failures:
            raise self._failures[0]

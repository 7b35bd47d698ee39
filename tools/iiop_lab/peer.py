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
import threading
import time
from collections.abc import Callable
from typing import Any

from iiop.cdr import Codec, arguments
from iiop.exceptions import DecodeError, SystemException, UserException
from iiop.giop.messages import (
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    ReplyStatus,
    Request,
    exception_body,
)
from iiop.giop.wire import encode
from iiop.idl import Operation
from iiop.iop import IOR, IOR_CODEC
from iiop_lab.scripted import PATIENCE, Peer, ScriptedServer, ScriptMismatch, Step

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

_LOOK = 0.02
"""Seconds between two looks whether the server is left, where nothing tells of it."""


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

    has_to_come = True

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
            raise ScriptMismatch(f"expected {self}, but nothing came in {peer.sock.gettimeout():g} s") from error
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
    peer.send(encode(CloseConnection(peer.version)))


def message_error(peer: Peer) -> None:
    """Say MessageError."""
    peer.send(encode(MessageError(peer.version)))


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
    peer.reset()


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
    """Wait until the test says go, or the server is left."""

    def wait(peer: Peer) -> None:
        end = time.monotonic() + PATIENCE
        while not event.wait(_LOOK) and not peer.server.closing.is_set():
            assert time.monotonic() < end, "the test never said go"

    return wait


def tell(event: threading.Event) -> Step:
    """Tell the test that this point is reached."""
    return lambda peer: event.set()

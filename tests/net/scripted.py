"""The scripted server of `iiop_lab.peer` as a counter, and the steps that only our own tests need.

    with ScriptedServer([request, reply(7), fin]) as server:
        ...
    server.requests, server.connections

`request` is lenient, as `expect` is not: a client that goes without asking is no error. Connections beyond
the scripts run `then`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated

from iiop.cdr import ByteOrder, Codec, Long, arguments
from iiop.exceptions import CompletionStatus, SystemException
from iiop.giop.messages import (
    NATIVE,
    SYSTEM_EXCEPTION,
    Body,
    CloseConnection,
    Reply,
    ReplyStatus,
    Request,
    SystemExceptionReplyBody,
)
from iiop.giop.wire import encode
from iiop.idl import Interface, operation
from iiop.iop import IOR
from iiop_lab import peer as lab_peer
from iiop_lab.peer import (
    PATIENCE,
    Peer,
    Step,
    arrived,
    cancelled,
    close_connection,
    fin,
    forward,
    gone,
    half_close,
    locate_here,
    message_error,
    octets,
    raise_,
    rst,
    tell,
    wait_for,
)

__all__ = [
    "KEY",
    "PATIENCE",
    "Counter",
    "Peer",
    "ScriptedServer",
    "Step",
    "answer",
    "arrived",
    "big_endian",
    "cancelled",
    "close_connection",
    "exception",
    "fails",
    "fails_with",
    "fin",
    "forward",
    "gone",
    "half_close",
    "locate_here",
    "message_error",
    "octets",
    "part_of_reply",
    "reply",
    "request",
    "rst",
    "serve",
    "status",
    "tell",
    "wait_for",
    "wrong_id",
]

answer = Peer.answer
fails = raise_


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


def request(peer: Peer) -> None:
    """Read one request."""
    message = peer.receive()
    assert isinstance(message, Request), message


def reply(value: int) -> Step:
    """Answer the last request with a long."""
    return lab_peer.reply(value, Annotated[int, Long])


def fails_with(repository_id: str, minor: int, completed: int) -> Step:
    """Answer the last request with a system exception that need not exist."""
    body = Body.of(SYSTEM_EXCEPTION, SystemExceptionReplyBody(repository_id, minor, completed))
    return lambda peer: peer.answer(body, ReplyStatus.SYSTEM_EXCEPTION)


def status(value: int, body: Body | None = None) -> Step:
    """Answer the last request with any reply status."""
    return lambda peer: peer.answer(Body() if body is None else body, ReplyStatus(value))


def wrong_id(peer: Peer) -> None:
    """Answer a request that nobody made."""
    peer.sock.sendall(encode(Reply(peer.asked().request_id + 1000, body=Body.of(_LONG, (1,)))))


def part_of_reply(count: int) -> Step:
    """Send the first octets of a good answer to the last request."""

    def send(peer: Peer) -> None:
        asked = peer.asked()
        peer.sock.sendall(encode(Reply(asked.request_id, body=Body.of(_LONG, (1,)), version=asked.version))[:count])

    return send


def serve(value: int) -> Step:
    """Answer every request with a long, until the client closes."""

    def loop(peer: Peer) -> None:
        with contextlib.suppress(ConnectionError):
            while not isinstance(message := peer.receive(), CloseConnection):
                assert isinstance(message, Request), message
                if peer.asked().response_expected:
                    reply(value)(peer)

    return loop


class ScriptedServer(lab_peer.ScriptedServer):
    """Play a counter."""

    object_key = KEY

    def __init__(self, *scripts: Sequence[Step], then: Sequence[Step] | None = (fin,)) -> None:
        super().__init__(*scripts, then=then)

    def reference(self, interface: type[Interface] = Counter, version: tuple[int, int] = (1, 2)) -> IOR:
        """Return a reference to the counter here."""
        return super().reference(interface, version)


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

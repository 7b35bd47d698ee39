"""What cases of GIOP are made of: octets that a client sends, and what is answered.

Octets are put together here by hand, from hexadecimal digits, so that a case shares no codec with what it tests.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest

from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event
from iiop.exceptions.errors import DecodeError, RemoteProtocolError
from iiop.giop.messages import (
    GIOP_1_2,
    SYSTEM_EXCEPTION,
    CancelRequest,
    LocateReply,
    LocateRequest,
    Message,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
)
from iiop.giop.wire import decode, encode
from iiop.profile import Version

PATIENCE = 10.0
"""Seconds a server gets to say the next thing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """GIOP is broken: a MessageError is the answer, and the end of the connection.

    Attributes:
        reason: what the error says, a regular expression.
        response: version of the MessageError.
        at: path and offset of the field that cannot be read, where that is it.
        before: what a Naming Service has answered before.
    """

    reason: str
    response: Version = GIOP_1_2
    at: tuple[str, int] | None = None
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """It is legal.

    Attributes:
        events: what a `Connection` makes of it, as `say` puts it.
        replies: what a Naming Service answers.
        closes: whether it ends the connection, in silence.
    """

    events: tuple[str, ...]
    replies: tuple[str, ...] = ()
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Unfinished:
    """More is waited for; once the stream has ended these are the octets kept in vain."""

    octets: int


Answer = Refused | Taken | Unfinished

ALIVE = "LocateReply 30583 OBJECT_HERE"
"""The answer to `PROBE`, by which is seen that a connection lives on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """State one input and its answer.

    Attributes:
        name: layer and class of the checklist, then in brackets what sets this sample apart.
        given: what a client sends.
        answer: ours; where omniNames answers otherwise, `tests.cases.omninames` says how, and why we do not.
    """

    name: str
    given: bytes
    answer: Answer

    @property
    def said(self) -> tuple[str, ...]:
        """Return everything that we say to it, and to `PROBE` behind it, before we close."""
        match self.answer:
            case Refused():
                return (*self.answer.before, f"MessageError {self.answer.response}")
            case Taken():
                return self.answer.replies if self.answer.closes else (*self.answer.replies, ALIVE)
            case Unfinished():
                return ()


# --- octets by hand ----------------------------------------------------------------------------------------------------


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def ulong(value: int) -> bytes:
    return value.to_bytes(4)


def text(value: str) -> bytes:
    return ulong(len(value) + 1) + value.encode() + b"\0"


def message(kind: int, body: bytes = b"", *, version: str = "0102", flags: int = 0, size: int | None = None) -> bytes:
    """Return a message, big endian unless its flags say otherwise; `size` lies where it is given."""
    length = (len(body) if size is None else size).to_bytes(4, "little" if flags & 1 else "big")
    return b"GIOP" + octets(version) + bytes([flags, kind]) + length + body


REQUEST, REPLY, CANCEL_REQUEST, LOCATE_REQUEST, LOCATE_REPLY, CLOSE_CONNECTION, MESSAGE_ERROR_TYPE, FRAGMENT = range(8)

KEY = ulong(11) + b"NameService\0"
"""The key of the root context, and what pads it."""
SOUND_TARGET = octets("0000 0000") + KEY
OPERATION = text("_non_existent") + octets("0000")


def request_body(
    request_id: int = 2,
    *,
    flags: int = 3,
    target: bytes = SOUND_TARGET,
    operation: bytes = OPERATION,
    contexts: bytes = ulong(0),
    arguments: bytes = b"",
) -> bytes:
    """Return what stands behind the header of a Request of GIOP 1.2; `_non_existent` takes no arguments."""
    return ulong(request_id) + bytes([flags, 0, 0, 0]) + target + operation + contexts + arguments


def request(request_id: int = 2) -> bytes:
    """Return a sound Request of GIOP 1.2."""
    return message(REQUEST, request_body(request_id))


def answered(request_id: int = 2) -> str:
    """Return what a Naming Service says to `request`."""
    return f"Reply {request_id} NO_EXCEPTION"


PROBE = message(LOCATE_REQUEST, ulong(30583) + SOUND_TARGET[:-1])


# --- asking ------------------------------------------------------------------------------------------------------------


def say(event: Event | Message) -> str:
    """Put an event in a few words."""
    words = [type(event).__name__]
    if isinstance(event, Request | Reply | CancelRequest | LocateRequest | LocateReply):
        words.append(str(event.request_id))
    if isinstance(event, Reply):
        words.append(event.reply_status.name)
        if event.reply_status is ReplyStatus.SYSTEM_EXCEPTION:
            exception = event.body.decode(SYSTEM_EXCEPTION).exception()
            words.append(f"{type(exception).__name__} 0x{exception.minor:08x}")
    if isinstance(event, LocateReply):
        words.append(event.locate_status.name)
    if isinstance(event, MessageError):
        words.append(str(event.version))
    return " ".join(words)


def events(connection: Connection, stream: bytes) -> list[Event]:
    """Return what arriving octets become, up to where more is needed; a server's end answers each Request at once.

    Raises:
        RemoteProtocolError: they are no GIOP.
    """
    connection.receive_data(stream)
    found: list[Event] = []
    while (event := connection.next_event()) is not NEED_DATA:
        found.append(event)
        if isinstance(event, Request) and event.response_expected:
            connection.send(Reply(event.request_id, version=event.version))
    return found


def check(connection: Connection, given: bytes, answer: Answer) -> None:
    """Assert that octets get their answer from a connection."""
    match answer:
        case Refused():
            with pytest.raises(RemoteProtocolError, match=answer.reason) as caught:
                events(connection, given)
            response, cause = caught.value.response, caught.value.__cause__
            assert isinstance(response, MessageError)
            assert response.version == answer.response
            if answer.at is not None:
                assert isinstance(cause, DecodeError)
                assert (cause.path, cause.offset) == answer.at
            assert connection.state is ConnectionState.ERROR
            assert connection.send(response) == encode(response)
            assert events(connection, given) == []
        case Taken():
            assert [say(event) for event in events(connection, given)] == list(answer.events)
            assert (connection.state is ConnectionState.OPEN) != answer.closes
        case Unfinished():
            assert events(connection, given) == []
            connection.receive_data(b"")
            assert connection.next_event() == EndOfStream(False, (), answer.octets)


def said(host: str, port: int, *stream: bytes) -> tuple[str, ...]:
    """Send octets, and nothing more, and return everything the server says until it closes."""
    with socket.create_connection((host, port), PATIENCE) as sock:
        sock.sendall(b"".join(stream))
        sock.shutdown(socket.SHUT_WR)
        received = bytearray()
        try:
            while piece := sock.recv(65536):
                received += piece
        except ConnectionResetError:
            pass  # it closed with octets of ours unread
    words = []
    while received:
        size = 12 + int.from_bytes(received[8:12], "little" if received[6] & 1 else "big")
        words.append(say(decode(bytes(received[:size]))))
        del received[:size]
    return tuple(words)

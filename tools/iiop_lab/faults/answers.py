"""Faults that answer a request in the server's place.

On the way to the server, where they are at home, the request is swallowed: the server never sees it. On the way to the client the
server has done what it was asked, and its reply is replaced. A oneway that is swallowed is not answered. LocateRequests pass.

Source: CORBA 3.3 part 2, clause 9.4.3 "Reply Message", 9.4.8 "MessageError", 9.5.1 "Connection Closure"; 9.6 "Object Location".
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from iiop import iop
from iiop.cdr import Short, codec
from iiop.exceptions import CompletionStatus
from iiop.exceptions.corba import CorbaException
from iiop.giop.messages import (
    GIOP_1_2,
    SYSTEM_EXCEPTION,
    AddressingDisposition,
    Body,
    CloseConnection,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
    SystemExceptionReplyBody,
)
from iiop.giop.wire import encode
from iiop.idl.servant import object_key_of
from iiop.iop import IOR_CODEC
from iiop_lab.faults.aim import Direction
from iiop_lab.faults.conversation import Lane
from iiop_lab.faults.fault import TO_CLIENT, TO_SERVER, Attachment, MessageFault
from iiop_lab.faults.stream import Sighting
from ior import IOR, IORBuilder

__all__ = [
    "CloseConnectionInstead",
    "Forward",
    "ForwardLoop",
    "MessageErrorInstead",
    "NeedsAddressingMode",
    "SystemExceptionInstead",
]

Asking = Request | Reply
_SHORT = codec(Annotated[int, Short])


class _Instead(MessageFault):
    __slots__ = ()
    directions: ClassVar[tuple[Direction, ...]] = (TO_SERVER, TO_CLIENT)

    @abstractmethod
    def answer(self, message: Asking, lane: Lane) -> tuple[ReplyStatus, Body] | None:
        """Return what is answered; None if that cannot be said to this message."""

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        asking = message.message
        answer = self.answer(asking, lane) if isinstance(asking, (Request, Reply)) else None
        if answer is None:
            return None
        assert isinstance(asking, (Request, Reply))
        status, body = answer
        reply = encode(Reply(asking.request_id, status, (), body, asking.version, asking.byte_order))
        if lane.direction is TO_CLIENT:
            return [reply]
        if isinstance(asking, Request) and asking.response_expected:
            lane.to_client.put_in(reply)
        return []


@dataclass(frozen=True, slots=True)
class SystemExceptionInstead(_Instead):
    """Answer with a system exception.

    Attributes:
        exception: its name, `COMM_FAILURE`, or a whole repository id, which need not exist.
        minor: its minor code.
        completed: YES, NO or MAYBE (`COMPLETED_NO` too); or the number, which need not exist.
    """

    exception: str
    minor: int = 0
    completed: str | int = "MAYBE"

    def __post_init__(self) -> None:
        if not 0 <= self.minor <= 0xFFFFFFFF:
            raise ValueError(f"minor={self.minor}: must be 0 to 0xffffffff")
        if isinstance(self.completed, str):
            name = "COMPLETED_" + self.completed.removeprefix("COMPLETED_")
            if name not in CompletionStatus.__members__:
                raise ValueError(f"completed={self.completed!r}: must be YES, NO, MAYBE, or a number")
            object.__setattr__(self, "completed", int(CompletionStatus[name]))
        elif not 0 <= self.completed <= 0xFFFFFFFF:
            raise ValueError(f"completed={self.completed}: must be 0 to 0xffffffff")

    def answer(self, message: Asking, lane: Lane) -> tuple[ReplyStatus, Body] | None:
        name = self.exception
        repository_id = name if ":" in name else f"IDL:omg.org/CORBA/{name}:1.0"
        body = SystemExceptionReplyBody(repository_id, self.minor, int(self.completed))
        return ReplyStatus.SYSTEM_EXCEPTION, Body.of(SYSTEM_EXCEPTION, body)


@dataclass(frozen=True, slots=True)
class Forward(_Instead):
    """Answer LOCATION_FORWARD.

    Attributes:
        reference: where to; `IOR:` text or a reference.
        permanently: answer LOCATION_FORWARD_PERM, which is of GIOP 1.2; requests of others pass.
    """

    reference: iop.IOR | str
    permanently: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.reference, str):
            object.__setattr__(self, "reference", IOR.from_string(self.reference))

    def answer(self, message: Asking, lane: Lane) -> tuple[ReplyStatus, Body] | None:
        assert not isinstance(self.reference, str)
        if self.permanently and message.version < GIOP_1_2:
            return None
        status = ReplyStatus.LOCATION_FORWARD_PERM if self.permanently else ReplyStatus.LOCATION_FORWARD
        return status, Body.of(IOR_CODEC, self.reference)


@dataclass(frozen=True, slots=True)
class ForwardLoop(_Instead):
    """Forward a client to where it is: the same object at this proxy, again and again."""

    directions: ClassVar[tuple[Direction, ...]] = (TO_SERVER,)

    def answer(self, message: Asking, lane: Lane) -> tuple[ReplyStatus, Body] | None:
        assert isinstance(message, Request)
        host, port = lane.conversation.address
        try:
            key = object_key_of(message.target)
        except CorbaException:
            return None
        version = (message.version.major, message.version.minor)
        return ReplyStatus.LOCATION_FORWARD, Body.of(IOR_CODEC, IORBuilder().iiop(host, port, key=key, version=version).build())


@dataclass(frozen=True, slots=True)
class NeedsAddressingMode(_Instead):
    """Answer NEEDS_ADDRESSING_MODE, which is of GIOP 1.2; requests of others pass.

    Attributes:
        mode: `KeyAddr`, `ProfileAddr` or `ReferenceAddr`; or the number, which need not exist.
    """

    mode: str | int = "ReferenceAddr"

    def __post_init__(self) -> None:
        if isinstance(self.mode, str):
            if self.mode not in AddressingDisposition.__members__:
                raise ValueError(
                    f"mode={self.mode!r}: must be one of {', '.join(AddressingDisposition.__members__)}, or a number"
                )
            object.__setattr__(self, "mode", int(AddressingDisposition[self.mode]))

    def answer(self, message: Asking, lane: Lane) -> tuple[ReplyStatus, Body] | None:
        if message.version < GIOP_1_2:
            return None
        return ReplyStatus.NEEDS_ADDRESSING_MODE, Body.of(_SHORT, self.mode)


class _LastWord(MessageFault):
    """Say one message to the client and end the connection."""

    __slots__ = ()
    directions: ClassVar[tuple[Direction, ...]] = (TO_SERVER, TO_CLIENT)
    says: ClassVar[type[CloseConnection] | type[MessageError]]
    after: bool

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        word = encode(self.says(message.header.version, message.header.byte_order))
        lane.conversation.end()
        if lane.direction is TO_CLIENT:
            return [octets, word] if self.after else [word]
        lane.to_client.put_in(word)
        return [octets] if self.after else []


@dataclass(frozen=True, slots=True)
class CloseConnectionInstead(_LastWord):
    """Say CloseConnection to the client, then FIN: that what is not answered has not run.

    On the way to the client that is a lie about the request whose reply it replaces.

    Attributes:
        after: let the message pass before: behind a reply, the close of a connection that idles.
    """

    says: ClassVar[type[CloseConnection]] = CloseConnection
    after: bool = False


@dataclass(frozen=True, slots=True)
class MessageErrorInstead(_LastWord):
    """Say MessageError to the client, then FIN: that what it sent is no GIOP.

    Attributes:
        after: let the message pass before.
    """

    says: ClassVar[type[MessageError]] = MessageError
    after: bool = False

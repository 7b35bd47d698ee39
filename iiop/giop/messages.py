"""GIOP messages as values: what a message says, whatever version and byte order it travels in.

How each version lays them out is known by `v1_0`, `v1_1` and `v1_2`; this module must not know a layout.

Source: CORBA 3.3 part 2, clause 9.4 "GIOP Message Formats"; IDL module GIOP.
"""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any

from iiop.cdr import ByteOrder, Codec, Latin1String, OctetSequence, OpenEnum, Short, Switch, ULong, cdr_type, codec
from iiop.cdr.speech import PLAIN, Speech
from iiop.exceptions.corba import SystemException, system_exception
from iiop.exceptions.errors import LocalProtocolError
from iiop.iop import IOR, ServiceContext, TaggedProfile
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import Version
from iiop.values import quick

__all__ = [
    "EMPTY",
    "GIOP_1_0",
    "GIOP_1_1",
    "GIOP_1_2",
    "NATIVE",
    "AddressingDisposition",
    "Body",
    "CancelRequest",
    "CloseConnection",
    "IORAddressingInfo",
    "LocateReply",
    "LocateRequest",
    "LocateStatus",
    "Message",
    "MessageError",
    "MessageType",
    "Reply",
    "ReplyStatus",
    "Request",
    "ResponseFlags",
    "SystemExceptionReplyBody",
    "TargetAddress",
    "exception_body",
    "key_address",
]

GIOP_1_0 = Version(1, 0)
GIOP_1_1 = Version(1, 1)
GIOP_1_2 = Version(1, 2)
NATIVE = ByteOrder.LITTLE if sys.byteorder == "little" else ByteOrder.BIG


class MessageType(enum.IntEnum):
    """Name the message types (GIOP::MsgType_1_1)."""

    Request = 0
    Reply = 1
    CancelRequest = 2
    LocateRequest = 3
    LocateReply = 4
    CloseConnection = 5
    MessageError = 6
    Fragment = 7


class ReplyStatus(OpenEnum):
    """Name how a request ended (GIOP::ReplyStatusType_1_2)."""

    NO_EXCEPTION = 0
    USER_EXCEPTION = 1
    SYSTEM_EXCEPTION = 2
    LOCATION_FORWARD = 3
    LOCATION_FORWARD_PERM = 4
    NEEDS_ADDRESSING_MODE = 5


class LocateStatus(OpenEnum):
    """Name what a LocateRequest found (GIOP::LocateStatusType_1_2)."""

    UNKNOWN_OBJECT = 0
    OBJECT_HERE = 1
    OBJECT_FORWARD = 2
    OBJECT_FORWARD_PERM = 3
    LOC_SYSTEM_EXCEPTION = 4
    LOC_NEEDS_ADDRESSING_MODE = 5


class ResponseFlags(enum.IntFlag):
    """Name the two bits of `response_flags`: a oneway has neither, SYNC_WITH_SERVER the first, a twoway both."""

    SYNC_NONE = 0
    SYNC_WITH_SERVER = 1
    SYNC_WITH_TARGET = 3


class AddressingDisposition(enum.IntEnum):
    """Name the forms of a target address (GIOP::AddressingDisposition)."""

    KeyAddr = 0
    ProfileAddr = 1
    ReferenceAddr = 2


@dataclass(frozen=True, slots=True)
class IORAddressingInfo:
    """Declare a target given as a whole reference, of which one profile is meant."""

    selected_profile_index: Annotated[int, ULong]
    ior: IOR


@quick
@dataclass(frozen=True, slots=True)
class TargetAddress:
    """Declare the union that says which object is meant: by key, by profile or by reference."""

    discriminator: Annotated[int, Short]
    value: Annotated[
        bytes | TaggedProfile | IORAddressingInfo,
        Switch(
            {
                AddressingDisposition.KeyAddr.value: OctetSequence,
                AddressingDisposition.ProfileAddr.value: cdr_type(TaggedProfile),
                AddressingDisposition.ReferenceAddr.value: cdr_type(IORAddressingInfo),
            }
        ),
    ]


def key_address(object_key: bytes) -> TargetAddress:
    """Return the target address that names an object by its key."""
    return TargetAddress(0, object_key)


@dataclass(frozen=True, slots=True)
class SystemExceptionReplyBody:
    """Declare how a system exception travels."""

    exception_id: Annotated[str, Latin1String]
    minor_code_value: Annotated[int, ULong]
    completion_status: Annotated[int, ULong]

    def exception(self) -> SystemException:
        """Return the exception that a caller can raise."""
        exception = system_exception(self.exception_id, self.minor_code_value, self.completion_status)
        exception.received = True
        return exception


class Body:
    """Hold the octets behind a message header, and where in the message they stand, from which alignment is counted.

    A body to be sent can also be a value that is marshalled once its place is known: `Body.of(codec, value)`.

    Attributes:
        speech: how the connection it came over sends characters.
    """

    __slots__ = ("_codec", "_value", "byte_order", "octets", "speech", "start")

    def __init__(self, octets: bytes = b"", start: int = 0, byte_order: ByteOrder = NATIVE) -> None:
        self.octets = octets
        self.start = start
        self.byte_order = byte_order
        self.speech = PLAIN
        self._codec: Codec | None = None
        self._value: Any = None

    @classmethod
    def of(cls, codec: Codec, value: Any, speech: Speech = PLAIN) -> Body:
        """Return a body that `value`, with characters as in `speech`, becomes when the message is encoded."""
        body = cls()
        body.speech = speech
        body._codec = codec if speech is PLAIN else codec.spoken(speech)
        body._value = value
        return body

    def __bytes__(self) -> bytes:
        return self._settled().octets[self._settled().start :]

    def __len__(self) -> int:
        settled = self._settled()
        return len(settled.octets) - settled.start

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __repr__(self) -> str:
        if self._codec is not None:
            return f"Body.of({self._value!r})"
        return f"Body({bytes(self).hex(' ')})" if len(self) <= 32 else f"Body({len(self)} octets)"

    def decode(self, codec: Codec, *, exact: bool = True, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Return the value that the octets are.

        Raises:
            DecodeError: they are not, or, if `exact`, octets are left over; the offset is that in the message.
        """
        settled = self if self._codec is None else self._settled()
        if self.speech is not PLAIN:
            codec = codec.spoken(self.speech)
        return codec.decode(settled.octets, settled.byte_order, start=settled.start, exact=exact, limits=limits)

    def encode_into(self, out: bytearray, byte_order: ByteOrder) -> None:
        """Append the body to a message.

        Raises:
            EncodeError: the value does not fit its type.
            LocalProtocolError: the octets were marshalled for another byte order or another alignment.
        """
        if self._codec is not None:
            self._codec.encode_into(out, self._value, byte_order)
            return
        if self.start < len(self.octets):
            if self.byte_order != byte_order:
                raise LocalProtocolError(f"body is {self.byte_order.name}, its message {byte_order.name}")
            if (len(out) - self.start) % 8:
                raise LocalProtocolError(f"body was marshalled for offset {self.start}, its place is {len(out)}")
            out += memoryview(self.octets)[self.start :] if self.start else self.octets

    def _settled(self) -> Body:
        if self._codec is None:
            return self
        return Body(self._codec.encode(self._value, NATIVE), 0, NATIVE)


EMPTY = Body()


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """Ask an object for an operation.

    Attributes:
        response_flags: see `ResponseFlags`; GIOP 1.0 and 1.1 know only whether a reply is expected.
        requesting_principal: GIOP 1.0 and 1.1 only.
    """

    request_id: int
    operation: str
    target: TargetAddress
    response_flags: int = ResponseFlags.SYNC_WITH_TARGET.value
    service_context: tuple[ServiceContext, ...] = ()
    body: Body = EMPTY
    requesting_principal: bytes = b""
    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE

    @property
    def response_expected(self) -> bool:
        return self.response_flags & 1 == 1

    @property
    def object_key(self) -> bytes | None:
        """Return the key if the target is given by key, else None."""
        return self.target.value if isinstance(self.target.value, bytes) else None


@quick
@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a Request."""

    request_id: int
    reply_status: ReplyStatus = ReplyStatus.NO_EXCEPTION
    service_context: tuple[ServiceContext, ...] = ()
    body: Body = EMPTY
    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Tell that the reply to a request is not waited for any more."""

    request_id: int
    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE


@quick
@dataclass(frozen=True, slots=True)
class LocateRequest:
    """Ask where an object is."""

    request_id: int
    target: TargetAddress
    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE


@quick
@dataclass(frozen=True, slots=True)
class LocateReply:
    """Answer a LocateRequest."""

    request_id: int
    locate_status: LocateStatus
    body: Body = EMPTY
    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Tell that the connection is ending: requests not answered have not run."""

    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE


@dataclass(frozen=True, slots=True)
class MessageError:
    """Tell the peer that what it sent is no GIOP."""

    version: Version = GIOP_1_2
    byte_order: ByteOrder = NATIVE


@dataclass(frozen=True, slots=True)
class Fragment:
    """Carry the next octets of a fragmented message; `request_id` is None in GIOP 1.1, which does not name it."""

    data: bytes
    more: bool
    request_id: int | None = None
    version: Version = GIOP_1_2
    byte_order: ByteOrder = field(default=NATIVE)


Message = Request | Reply | CancelRequest | LocateRequest | LocateReply | CloseConnection | MessageError

SYSTEM_EXCEPTION = codec(SystemExceptionReplyBody)


def exception_body(exception: SystemException) -> Body:
    """Return the body of a Reply or LocateReply that carries a system exception."""
    body = SystemExceptionReplyBody(exception.repository_id, exception.minor, int(exception.completed))
    return Body.of(SYSTEM_EXCEPTION, body)

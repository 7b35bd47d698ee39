"""GIOP 1.0: how its messages are laid out.

`READ` and `WRITE` map a message type to the function that reads or writes everything behind the message header. What did not
change in 1.1 is made for both versions here, what did not change in 1.2 either is taken over by `v1_2`.

Source: CORBA 3.3 part 2, clause 9.4.2 to 9.4.8, the structures of version 1.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from iiop.cdr import ByteOrder, Codec, ULong, codec
from iiop.exceptions.errors import LocalProtocolError, TrailingDataError
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import (
    GIOP_1_0,
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
    ResponseFlags,
    TargetAddress,
    key_address,
)
from iiop.iop import ServiceContextList
from iiop.leniency import Leniency
from iiop.limits import Limits
from iiop.profile import Version
from iiop.values import quick

__all__ = ["READ", "WRITE", "Read", "Write", "readers", "writers"]

Read = Callable[[bytes, ByteOrder, Limits], Message]
Write = Callable[[Any, bytearray], None]


@quick
@dataclass(frozen=True, slots=True)
class RequestHeader_1_0:
    """Declare GIOP::RequestHeader_1_0."""

    service_context: ServiceContextList
    request_id: Annotated[int, ULong]
    response_expected: bool
    object_key: bytes
    operation: str
    requesting_principal: bytes


@quick
@dataclass(frozen=True, slots=True)
class ReplyHeader_1_0:
    """Declare GIOP::ReplyHeader_1_0."""

    service_context: ServiceContextList
    request_id: Annotated[int, ULong]
    reply_status: ReplyStatus


@dataclass(frozen=True, slots=True)
class CancelRequestHeader:
    """Declare GIOP::CancelRequestHeader, the same in every version."""

    request_id: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class LocateRequestHeader_1_0:
    """Declare GIOP::LocateRequestHeader_1_0."""

    request_id: Annotated[int, ULong]
    object_key: bytes


@dataclass(frozen=True, slots=True)
class LocateReplyHeader:
    """Declare GIOP::LocateReplyHeader_1_0 and _1_2."""

    request_id: Annotated[int, ULong]
    locate_status: LocateStatus


REQUEST = codec(RequestHeader_1_0)
REPLY = codec(ReplyHeader_1_0)
CANCEL_REQUEST = codec(CancelRequestHeader)
LOCATE_REQUEST = codec(LocateRequestHeader_1_0)
LOCATE_REPLY = codec(LocateReplyHeader)

_ONEWAY, _TWOWAY = int(ResponseFlags.SYNC_NONE), int(ResponseFlags.SYNC_WITH_TARGET)


def object_key(target: TargetAddress, version: Version) -> bytes:
    """Return the key of a target.

    Raises:
        LocalProtocolError: the target is not given by key, which this version cannot say.
    """
    if not isinstance(target.value, bytes):
        raise LocalProtocolError(f"GIOP {version} names an object by its key only")
    return target.value


def read_request(codec: Codec, version: Version, octets: bytes, order: ByteOrder, limits: Limits) -> Request:
    header, at = codec.decode_from(octets, HEADER_SIZE, order, limits)
    return Request(
        header.request_id,
        header.operation,
        key_address(header.object_key),
        _TWOWAY if header.response_expected else _ONEWAY,
        header.service_context,
        Body(octets, at, order),
        header.requesting_principal,
        version,
        order,
    )


def write_request(message: Request, out: bytearray) -> None:
    header = RequestHeader_1_0(
        message.service_context,
        message.request_id,
        message.response_expected,
        object_key(message.target, message.version),
        message.operation,
        message.requesting_principal,
    )
    REQUEST.encode_into(out, header, message.byte_order)
    message.body.encode_into(out, message.byte_order)


def read_reply(version: Version, octets: bytes, order: ByteOrder, limits: Limits) -> Reply:
    header, at = REPLY.decode_from(octets, HEADER_SIZE, order, limits)
    return Reply(header.request_id, header.reply_status, header.service_context, Body(octets, at, order), version, order)


def write_reply(message: Reply, out: bytearray) -> None:
    REPLY.encode_into(out, message, message.byte_order)
    message.body.encode_into(out, message.byte_order)


def read_cancel_request(version: Version, octets: bytes, order: ByteOrder, limits: Limits) -> CancelRequest:
    header, at = CANCEL_REQUEST.decode_from(octets, HEADER_SIZE, order, limits)
    nothing_behind(octets, at, limits)
    return CancelRequest(header.request_id, version, order)


def write_cancel_request(message: CancelRequest, out: bytearray) -> None:
    CANCEL_REQUEST.encode_into(out, message, message.byte_order)


def read_locate_request(version: Version, octets: bytes, order: ByteOrder, limits: Limits) -> LocateRequest:
    header, at = LOCATE_REQUEST.decode_from(octets, HEADER_SIZE, order, limits)
    nothing_behind(octets, at, limits)
    return LocateRequest(header.request_id, key_address(header.object_key), version, order)


def write_locate_request(message: LocateRequest, out: bytearray) -> None:
    header = LocateRequestHeader_1_0(message.request_id, object_key(message.target, message.version))
    LOCATE_REQUEST.encode_into(out, header, message.byte_order)


def read_locate_reply(version: Version, octets: bytes, order: ByteOrder, limits: Limits) -> LocateReply:
    """The body follows at once: the alignment that CORBA 2.4 and 2.5 asked for was taken back in 2.6."""
    header, at = LOCATE_REPLY.decode_from(octets, HEADER_SIZE, order, limits)
    return LocateReply(header.request_id, header.locate_status, Body(octets, at, order), version, order)


def write_locate_reply(message: LocateReply, out: bytearray) -> None:
    LOCATE_REPLY.encode_into(out, message, message.byte_order)
    message.body.encode_into(out, message.byte_order)


def read_bare(
    cls: type[CloseConnection] | type[MessageError], version: Version, octets: bytes, order: ByteOrder, limits: Limits
) -> Message:
    nothing_behind(octets, HEADER_SIZE, limits)
    return cls(version, order)


def write_bare(message: Message, out: bytearray) -> None:
    """Write a message that is its header."""


def nothing_behind(octets: bytes, at: int, limits: Limits) -> None:
    """Refuse octets behind the end of a message.

    Raises:
        TrailingDataError: there are some, and `Leniency.OMNIORB_GARBAGE_AT_END` is not given.
    """
    if at != len(octets) and Leniency.OMNIORB_GARBAGE_AT_END not in limits.leniency:
        reason = f"{len(octets) - at} octets left over at the end of the message"
        raise TrailingDataError(reason, offset=at, excerpt=octets[at : at + 16])


def readers(version: Version) -> dict[MessageType, Read]:
    """Return the readers of everything that GIOP 1.0 and 1.1 lay out alike."""
    return {
        MessageType.Reply: partial(read_reply, version),
        MessageType.CancelRequest: partial(read_cancel_request, version),
        MessageType.LocateRequest: partial(read_locate_request, version),
        MessageType.LocateReply: partial(read_locate_reply, version),
        MessageType.CloseConnection: partial(read_bare, CloseConnection, version),
        MessageType.MessageError: partial(read_bare, MessageError, version),
    }


def writers() -> dict[type[Any], tuple[MessageType, Write]]:
    """Return, by class of message, its type and writer: everything that GIOP 1.0 and 1.1 lay out alike."""
    return {
        Reply: (MessageType.Reply, write_reply),
        CancelRequest: (MessageType.CancelRequest, write_cancel_request),
        LocateRequest: (MessageType.LocateRequest, write_locate_request),
        LocateReply: (MessageType.LocateReply, write_locate_reply),
        CloseConnection: (MessageType.CloseConnection, write_bare),
        MessageError: (MessageType.MessageError, write_bare),
    }


READ: dict[MessageType, Read] = readers(GIOP_1_0) | {MessageType.Request: partial(read_request, REQUEST, GIOP_1_0)}
WRITE: dict[type[Any], tuple[MessageType, Write]] = writers() | {Request: (MessageType.Request, write_request)}

"""GIOP 1.2: ids first, three forms of target address, bodies aligned to 8, fragments that name their message.

Source: CORBA 3.3 part 2, clause 9.4.2 to 9.4.9, the structures of version 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from iiop.cdr import ByteOrder, Octet, OctetArray, ULong, codec
from iiop.exceptions.errors import DecodeError
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import (
    GIOP_1_2,
    Body,
    LocateRequest,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
    TargetAddress,
)
from iiop.giop.v1_0 import Read, Write, nothing_behind, readers, writers
from iiop.iop import ServiceContextList
from iiop.leniency import DEFAULT, Leniency
from iiop.limits import Limits
from iiop.values import quick

__all__ = ["READ", "WRITE"]


@quick
@dataclass(frozen=True, slots=True)
class RequestHeader_1_2:
    """Declare GIOP::RequestHeader_1_2."""

    request_id: Annotated[int, ULong]
    response_flags: Annotated[int, Octet]
    reserved: Annotated[bytes, OctetArray(3)]
    target: TargetAddress
    operation: str
    service_context: ServiceContextList


@dataclass(frozen=True, slots=True)
class ReplyHeader_1_2:
    """Declare GIOP::ReplyHeader_1_2."""

    request_id: Annotated[int, ULong]
    reply_status: ReplyStatus
    service_context: ServiceContextList


@dataclass(frozen=True, slots=True)
class LocateRequestHeader_1_2:
    """Declare GIOP::LocateRequestHeader_1_2."""

    request_id: Annotated[int, ULong]
    target: TargetAddress


REQUEST = codec(RequestHeader_1_2)
REPLY = codec(ReplyHeader_1_2)
LOCATE_REQUEST = codec(LocateRequestHeader_1_2)

_RESERVED = bytes(3)


def aligned_body(octets: bytes, at: int, order: ByteOrder, limits: Limits) -> Body:
    """Return the body, which starts at the next multiple of 8 if there is one (clause 9.4.2.2).

    Raises:
        TrailingDataError: too few octets are left to be a body.
        DecodeError: padding before it is not zero, and `Leniency.OMNIORB_PADDING` is not given.
    """
    if at == len(octets):
        return Body(octets, at, order)
    start = at + 7 & -8
    if start > len(octets):
        nothing_behind(octets, at, limits)
        start = len(octets)
    if limits.leniency is not DEFAULT and any(octets[at:start]) and Leniency.OMNIORB_PADDING not in limits.leniency:
        raise DecodeError("padding that is not zero", path="body", offset=at, excerpt=octets[at : at + 16])
    return Body(octets, start, order)


def write_body(body: Body, out: bytearray, order: ByteOrder) -> None:
    """Append an aligned body; nothing, not even padding, where it is empty."""
    end = len(out)
    out += bytes(-end % 8)
    start = len(out)
    body.encode_into(out, order)
    if len(out) == start:
        del out[end:]


def read_request(octets: bytes, order: ByteOrder, limits: Limits) -> Request:
    header, at = REQUEST.decode_from(octets, HEADER_SIZE, order, limits)
    return Request(
        header.request_id,
        header.operation,
        header.target,
        header.response_flags,
        header.service_context,
        aligned_body(octets, at, order, limits),
        b"",
        GIOP_1_2,
        order,
    )


def write_request(message: Request, out: bytearray) -> None:
    header = RequestHeader_1_2(
        message.request_id,
        message.response_flags,
        _RESERVED,
        message.target,
        message.operation,
        message.service_context,
    )
    REQUEST.encode_into(out, header, message.byte_order)
    write_body(message.body, out, message.byte_order)


def read_reply(octets: bytes, order: ByteOrder, limits: Limits) -> Reply:
    header, at = REPLY.decode_from(octets, HEADER_SIZE, order, limits)
    body = aligned_body(octets, at, order, limits)
    return Reply(header.request_id, header.reply_status, header.service_context, body, GIOP_1_2, order)


def write_reply(message: Reply, out: bytearray) -> None:
    REPLY.encode_into(out, message, message.byte_order)
    write_body(message.body, out, message.byte_order)


def read_locate_request(octets: bytes, order: ByteOrder, limits: Limits) -> LocateRequest:
    header, at = LOCATE_REQUEST.decode_from(octets, HEADER_SIZE, order, limits)
    nothing_behind(octets, at, limits)
    return LocateRequest(header.request_id, header.target, GIOP_1_2, order)


def write_locate_request(message: LocateRequest, out: bytearray) -> None:
    LOCATE_REQUEST.encode_into(out, message, message.byte_order)


READ: dict[MessageType, Read] = readers(GIOP_1_2) | {
    MessageType.Request: read_request,
    MessageType.Reply: read_reply,
    MessageType.LocateRequest: read_locate_request,
}
WRITE: dict[type[Any], tuple[MessageType, Write]] = writers() | {
    Request: (MessageType.Request, write_request),
    Reply: (MessageType.Reply, write_reply),
    LocateRequest: (MessageType.LocateRequest, write_locate_request),
}

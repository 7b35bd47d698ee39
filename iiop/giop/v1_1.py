"""GIOP 1.1: 1.0 with three reserved octets in the request header, and fragments.

Source: CORBA 3.3 part 2, clause 9.4.2.1 "Request Header", the structure of version 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from iiop.cdr import OctetArray, ULong, codec
from iiop.giop.messages import GIOP_1_1, MessageType, Request
from iiop.giop.v1_0 import Read, Write, object_key, read_request, readers, writers
from iiop.iop import ServiceContextList
from iiop.values import quick

__all__ = ["READ", "WRITE"]


@quick
@dataclass(frozen=True, slots=True)
class RequestHeader_1_1:
    """Declare GIOP::RequestHeader_1_1."""

    service_context: ServiceContextList
    request_id: Annotated[int, ULong]
    response_expected: bool
    reserved: Annotated[bytes, OctetArray(3)]
    object_key: bytes
    operation: str
    requesting_principal: bytes


REQUEST = codec(RequestHeader_1_1)


def write_request(message: Request, out: bytearray) -> None:
    header = RequestHeader_1_1(
        message.service_context,
        message.request_id,
        message.response_expected,
        bytes(3),
        object_key(message.target, message.version),
        message.operation,
        message.requesting_principal,
    )
    REQUEST.encode_into(out, header, message.byte_order)
    message.body.encode_into(out, message.byte_order)


READ: dict[MessageType, Read] = readers(GIOP_1_1) | {MessageType.Request: partial(read_request, REQUEST, GIOP_1_1)}
WRITE: dict[type[Any], tuple[MessageType, Write]] = writers() | {Request: (MessageType.Request, write_request)}

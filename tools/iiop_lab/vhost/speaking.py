"""What the virtual host says itself, and what it reads of what servers return. It must not know connections."""

from __future__ import annotations

from iiop.exceptions import DecodeError, RemoteProtocolError, SystemException
from iiop.giop.fragments import Reassembler
from iiop.giop.header import Header, cut_header
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_2,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
    exception_body,
)
from iiop.giop.wire import decode
from iiop.idl.servant import failure
from iiop.limits import Limits
from iiop_lab.vhost.cutting import Cutter

__all__ = ["refusal", "returned"]


def refusal(message: Request | LocateRequest, exception: SystemException) -> Reply | LocateReply:
    """Return the answer that says why there is no other."""
    if isinstance(message, Request):
        return failure(message, exception)
    if message.version < GIOP_1_2:  # cannot say an exception here: the request that follows will be told
        return LocateReply(message.request_id, LocateStatus.OBJECT_HERE, EMPTY, message.version, message.byte_order)
    status, body = LocateStatus.LOC_SYSTEM_EXCEPTION, exception_body(exception)
    return LocateReply(message.request_id, status, body, message.version, message.byte_order)


def returned(pieces: list[bytes], limits: Limits) -> Body | None:
    """Return the results in a reply, however it was cut; None if it has none, or cannot be read.

    Args:
        pieces: octets of all its messages, in order.
    """
    whole: bytes | None = b"".join(pieces)
    assert whole is not None
    try:
        header = cut_header(whole, limits)
        if header.more_fragments:
            whole = _joined(whole, limits)
        reply = decode(whole, limits) if whole is not None else None
    except (DecodeError, RemoteProtocolError):
        return None
    return reply.body if isinstance(reply, Reply) and reply.reply_status is ReplyStatus.NO_EXCEPTION else None


def _joined(octets: bytes, limits: Limits) -> bytes | None:
    reassembler, whole = Reassembler(limits), None
    for header, piece, _ in Cutter().cut(octets):
        assert isinstance(header, Header)
        whole = reassembler.add(header, piece)
    return whole

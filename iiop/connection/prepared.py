"""What calls have in common, made once: the header of a request but for its size and id, and the header of a plain reply.

A plain reply is whole, says NO_EXCEPTION, and has no service context. Nothing here declares a layout: the octets are what
`iiop.giop.wire.encode` writes, and a property test holds both equal. It must not know what is outstanding.

Source: CORBA 3.3 part 2, clause 9.4.2.1, 9.4.3.1: a header does not depend on the request id, which comes first in GIOP 1.2, and
behind the service contexts, here none, in 1.0 and 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from iiop.cdr import ByteOrder, Codec, Octet, codec
from iiop.cdr.speech import PLAIN, Speech
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import EMPTY, GIOP_1_0, GIOP_1_1, GIOP_1_2, NATIVE, Body, Reply, Request
from iiop.giop.wire import encode

__all__ = ["ID_AT", "PLAIN_REPLIES", "PLAIN_REPLY_SIZE", "PreparedRequest"]

ID_AT = (16, 16, 12)
"""Where the request id begins, by minor version, in requests and replies without service contexts alike."""

_SIZE_AT = 8
_OCTET = codec(Annotated[int, Octet])


def _size_and_id(minor: int, order: ByteOrder) -> struct.Struct:
    """Return what reads and writes the size of a message and its request id; what lies between is zero: no service contexts."""
    return struct.Struct(f"{'><'[order]}I{ID_AT[minor] - HEADER_SIZE}xI")


class PreparedRequest:
    """Hold a request whose arguments and id are still to be given.

    Args:
        request: what all have in common, without service contexts; its id and body do not count.
        arguments: codec of the body.
        speech: how characters travel.

    Attributes:
        version: of GIOP.
        response_expected: whether there will be a reply.

    Raises:
        EncodeError: a member of the request does not fit its type.
        LocalProtocolError: the request cannot be said in its version.
    """

    __slots__ = ("_bare", "_codec", "_declared", "_head", "_order", "_put", "_request", "response_expected", "version")

    def __init__(self, request: Request, arguments: Codec, speech: Speech = PLAIN) -> None:
        self.version = request.version
        self.response_expected = request.response_expected
        self._request = replace(request, request_id=0, service_context=(), body=EMPTY)
        self._declared = arguments
        self._codec = arguments.spoken(speech)
        self._order = request.byte_order
        self._bare = encode(self._request)
        self._head = encode(replace(self._request, body=Body.of(_OCTET, 0)))[:-1]
        self._put = _size_and_id(request.version.minor, request.byte_order).pack_into

    def request(self, request_id: int, arguments: Any, speech: Speech | None = None) -> Request:
        """Return the request as a message, in another speech perhaps."""
        codec = self._codec if speech is None else self._declared.spoken(speech)
        return replace(self._request, request_id=request_id, body=Body.of(codec, arguments))

    def octets(self, request_id: int, arguments: Any) -> bytearray:
        """Return the request as `encode` would write it.

        Raises:
            EncodeError: the arguments do not fit their types.
        """
        out = bytearray(self._head)
        start = len(out)
        self._codec.encode_into(out, arguments, self._order)
        if len(out) == start:
            out = bytearray(self._bare)
        self._put(out, _SIZE_AT, len(out) - HEADER_SIZE, request_id)
        return out


def _plain_replies() -> dict[bytes, tuple[ByteOrder, int, int, bytes, Callable[..., tuple[Any, ...]]]]:
    found = {}
    for version in (GIOP_1_0, GIOP_1_1, GIOP_1_2):
        for order in ByteOrder:
            whole, at = encode(Reply(0, version=version, byte_order=order)), ID_AT[version.minor]
            rest = whole[HEADER_SIZE:at] + whole[at + 4 :]
            found[whole[:_SIZE_AT]] = order, version.minor, at, rest, _size_and_id(version.minor, order).unpack_from
    return found


PLAIN_REPLIES = _plain_replies()
"""By the octets before the size: byte order, minor version, where the id begins, what else is behind the size, and what reads
size and id from there."""

PLAIN_REPLY_SIZE = len(encode(Reply(0, byte_order=NATIVE)))
"""Octets before the body, which in GIOP 1.2 is where it is to be aligned anyhow."""

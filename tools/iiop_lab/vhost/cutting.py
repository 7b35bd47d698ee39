"""Octets of one direction cut into messages, of which large ones pass in pieces as they arrive.

It must not know sockets, nor what messages mean beyond their headers. What is kept is less than `PIECE` octets and one read.

Source: CORBA 3.3 part 2, clause 9.4.1 "GIOP Message Header".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from iiop.cdr import ByteOrder
from iiop.connection.inbox import Inbox
from iiop.giop.header import HEADER_SIZE, Header, cut_header, new_message
from iiop.giop.messages import GIOP_1_2, MessageType
from iiop.limits import DEFAULT_LIMITS

__all__ = ["PIECE", "Cutter", "Piece", "header_of", "id_of", "plain_id", "with_id", "with_size"]

PIECE = 64 * 1024
"""Octets of a message from which on it passes in pieces."""

_SIZE_AT = 8
_ANY_SIZE = replace(DEFAULT_LIMITS, message_size=HEADER_SIZE + 0xFFFFFFFF)
_SIZE_AND_ID = {
    bytes(new_message(GIOP_1_2, order, kind)[:_SIZE_AT]): struct.Struct(f"{'><'[order]}II").unpack_from
    for order in ByteOrder
    for kind in (MessageType.Request, MessageType.Reply)
}
"""What reads both, by the octets before them, where the id comes first: in GIOP 1.2; and where no more is to come."""
_ULONG = (struct.Struct(">I"), struct.Struct("<I"))
"""By byte order."""


class Piece(NamedTuple):
    """Hold a message, or a part of a large one.

    Attributes:
        header: of the message; None in what continues one.
        octets: of the message.
        ends: whether the message ends with them.
    """

    header: Header | None
    octets: bytes
    ends: bool


class Cutter:
    """Cut what arrives."""

    __slots__ = ("_header", "_inbox", "_left")

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._header: Header | None = None
        self._left = 0

    @property
    def unfinished(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return self._inbox.size > 0 or self._left > 0

    @property
    def idle(self) -> bool:
        """Tell whether the next octet begins a message."""
        return not self._left and not self._inbox.size

    @property
    def arriving(self) -> bool:
        """Tell whether more is to come of the message of which pieces went on."""
        return self._left > 0

    def whole(self, data: bytes) -> Header | None:
        """Return the header of one whole message, if that is what arrived, as most often; else it is to be cut.

        Raises:
            RemoteProtocolError: what arrived is not GIOP.
        """
        if self._left or len(data) < HEADER_SIZE or self._inbox.size:
            return None
        header = cut_header(data, _ANY_SIZE)
        return header if header.size == len(data) else None

    def cut(self, data: bytes) -> Iterator[Piece]:
        """Return what can go on, in order.

        Raises:
            RemoteProtocolError: what arrived is not GIOP.
        """
        inbox = self._inbox
        inbox.add(data)
        while inbox.size:
            if self._left:
                octets = inbox.cut(min(self._left, inbox.size))
                self._left -= len(octets)
                yield Piece(None, octets, not self._left)
                continue
            if self._header is None:
                if inbox.size < HEADER_SIZE:
                    return
                self._header = cut_header(inbox.peek(HEADER_SIZE), _ANY_SIZE)
            header = self._header
            if inbox.size < min(header.size, PIECE):
                return
            octets = inbox.cut(min(header.size, inbox.size))
            self._left, self._header = header.size - len(octets), None
            yield Piece(header, octets, not self._left)


def id_of(header: Header, octets: bytes) -> tuple[int, int] | None:
    """Return the request id of a message and where it stands; None where that takes more than a look.

    It stands first in GIOP 1.2 and in what has no service contexts; else behind these, where requests and replies before 1.2
    have it.
    """
    at = HEADER_SIZE
    read = _ULONG[header.byte_order].unpack_from
    if header.version.minor < 2 and header.message_type < 2:
        if len(octets) < at + 4 or read(octets, at)[0]:
            return None
        at += 4
    return (read(octets, at)[0], at) if len(octets) >= at + 4 else None


def header_of(octets: bytes) -> Header:
    """Return the header of a message, or of its beginning.

    Raises:
        RemoteProtocolError: there is none.
    """
    return cut_header(octets, _ANY_SIZE)


def plain_id(octets: bytes) -> int | None:
    """Return the request id of one whole request or reply of GIOP 1.2; None if that is not what the octets are."""
    read = _SIZE_AND_ID.get(octets[:_SIZE_AT])
    if read is None or len(octets) < HEADER_SIZE + 4:
        return None
    size, request_id = read(octets, _SIZE_AT)
    return request_id if size == len(octets) - HEADER_SIZE else None


def with_id(header: Header, octets: bytes, at: int, request_id: int) -> bytes:
    """Return a message, or its beginning, with another id."""
    return octets[:at] + _ULONG[header.byte_order].pack(request_id) + octets[at + 4 :]


def with_size(header: Header, octets: bytes, size: int) -> bytes:
    """Return a message, or its beginning, that says another size.

    Args:
        size: of the whole message.
    """
    return octets[:8] + _ULONG[header.byte_order].pack(size - HEADER_SIZE) + octets[HEADER_SIZE:]

"""Messages in several pieces: put together on arrival, cut on departure.

A message whose header says that more follows is kept until its last fragment. GIOP 1.2 fragments name the request they belong to,
so several may be open; those of 1.1 do not, so one may. What a peer can make us keep is bounded by `Limits`.

Source: CORBA 3.3 part 2, clause 9.4.9 "Fragment Message".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import ByteOrder, ULong, codec
from iiop.exceptions.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from iiop.giop.header import HEADER_SIZE, MORE_FRAGMENTS, Header, new_message, put_size
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, MessageError, MessageType
from iiop.iop import ServiceContextList
from iiop.limits import Limits
from iiop.profile import Version

__all__ = ["FRAGMENTABLE", "FragmentHeader_1_2", "Reassembler", "split"]

FRAGMENTABLE: dict[Version, frozenset[MessageType]] = {
    GIOP_1_0: frozenset(),
    GIOP_1_1: frozenset({MessageType.Request, MessageType.Reply}),
    GIOP_1_2: frozenset({MessageType.Request, MessageType.Reply, MessageType.LocateRequest, MessageType.LocateReply}),
}
_ID_END = HEADER_SIZE + 4


class _Open:
    """Hold a message of which more is to come; `request_id` is None if the first piece of GIOP 1.1 ends before it."""

    def __init__(self, header: Header, octets: bytes, request_id: int | None) -> None:
        self.header = header
        self.request_id = request_id
        self.octets = bytearray(octets)
        self.pieces = 1


@dataclass(frozen=True, slots=True)
class _Start_1_1:
    """Declare what a Request and a Reply of GIOP 1.1 begin with."""

    service_context: ServiceContextList
    request_id: Annotated[int, ULong]


_START_1_1 = codec(_Start_1_1)


@dataclass(frozen=True, slots=True)
class FragmentHeader_1_2:
    """Declare GIOP::FragmentHeader_1_2, for dumps; traffic cuts it by hand, as it does the message header."""

    request_id: Annotated[int, ULong]


def _id_1_1(header: Header, octets: bytes) -> int | None:
    try:
        start, _ = _START_1_1.decode_from(octets, HEADER_SIZE, header.byte_order)
    except DecodeError:
        return None
    request_id: int = start.request_id
    return request_id


class Reassembler:
    """Put fragmented messages of one direction of one connection together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[int | None, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def pending_octets(self) -> int:
        """Return the octets kept for messages not yet whole."""
        return sum(len(message.octets) for message in self._open.values())

    def clear(self) -> None:
        """Drop everything that has not become whole."""
        self._open.clear()

    def cancel(self, request_id: int) -> bool:
        """Drop what has arrived of a message; tell whether there was anything (its later fragments will be out of nowhere)."""
        for key, message in self._open.items():
            if message.request_id == request_id:
                del self._open[key]
                return True
        return False

    def add(self, header: Header, octets: bytes) -> bytes | None:
        """Take a first piece (its header says that more follows) or a Fragment; return the whole message if that ended it.

        What a refused Fragment belongs to is dropped: it cannot become whole.

        Raises:
            RemoteProtocolError: a fragment out of nowhere, in another byte order or version than its message, of a size that is
                no multiple of 8 though more follows, a type that cannot be fragmented, or more than `Limits` admits.
        """
        if header.message_type is MessageType.Fragment:
            key = self._key(header, octets)
            try:
                return self._continue(key, header, octets)
            except RemoteProtocolError:
                self._open.pop(key, None)
                raise
        if header.message_type not in FRAGMENTABLE[header.version]:
            raise self._refuse(header, f"a {header.message_type.name} of GIOP {header.version} cannot be fragmented")
        key = self._key(header, octets)
        if key in self._open:
            raise self._refuse(header, "a second message is fragmented before the first, of the same id, is whole")
        if len(self._open) >= self._limits.reassemblies:
            raise self._refuse(header, f"more open fragmented messages than the limit reassemblies={self._limits.reassemblies}")
        self._check_size(header, octets)
        self._check_total(header, octets)
        self._open[key] = _Open(header, octets, _id_1_1(header, octets) if key is None else key)
        return None

    def _continue(self, key: int | None, header: Header, octets: bytes) -> bytes | None:
        message = self._open.get(key)
        if message is None:
            name = "" if key is None else f" for request {key}"
            raise self._refuse(header, f"fragment out of nowhere{name}")
        if header.byte_order is not message.header.byte_order:
            raise self._refuse(header, "fragment in another byte order than the message it belongs to")
        if header.version != message.header.version:
            raise self._refuse(header, "fragment of another GIOP version than the message it belongs to")
        self._check_size(header, octets)
        self._check_total(header, octets)
        message.octets += memoryview(octets)[HEADER_SIZE if key is None else _ID_END :]
        message.pieces += 1
        if len(message.octets) > self._limits.message_size:
            raise self._refuse(header, f"fragments add up to more than the limit message_size={self._limits.message_size}")
        if message.pieces > self._limits.fragments:
            raise self._refuse(header, f"more fragments than the limit fragments={self._limits.fragments}")
        if header.more_fragments:
            return None
        del self._open[key]
        message.octets[6] &= ~MORE_FRAGMENTS
        put_size(message.octets)
        return bytes(message.octets)

    def _key(self, header: Header, octets: bytes) -> int | None:
        if header.version < GIOP_1_2:
            return None
        if len(octets) < _ID_END:
            raise self._refuse(header, f"{header.message_type.name} of {len(octets)} octets has no request id")
        return int.from_bytes(octets[HEADER_SIZE:_ID_END], "big" if header.byte_order == 0 else "little")

    def _check_size(self, header: Header, octets: bytes) -> None:
        if header.more_fragments and header.version >= GIOP_1_2 and len(octets) % 8:
            raise self._refuse(header, f"{len(octets)} octets, no multiple of 8, though more fragments follow")

    def _check_total(self, header: Header, octets: bytes) -> None:
        most = self._limits.reassembly_octets
        if self.pending_octets + len(octets) > most:
            raise self._refuse(header, f"open fragmented messages add up to more than the limit reassembly_octets={most}")

    @staticmethod
    def _refuse(header: Header, reason: str) -> RemoteProtocolError:
        return RemoteProtocolError(reason, response=MessageError(version=header.version, byte_order=header.byte_order))


def split(octets: bytes, version: Version, size: int) -> list[bytes]:
    """Return a whole message as pieces of at most `size` octets, headers included.

    Pieces are a multiple of 8 octets from the first octet of data on, so that alignment counted in the piece and in the whole
    message agree.

    Raises:
        LocalProtocolError: GIOP 1.0 has no fragments; this type of message cannot be fragmented; `size` is below 32.
    """
    if len(octets) <= size:
        return [octets]
    kind = MessageType(octets[7])
    if kind not in FRAGMENTABLE[version]:
        raise LocalProtocolError(f"a {kind.name} of GIOP {version} cannot be fragmented")
    if size < 32:
        raise LocalProtocolError(f"fragments of {size} octets: at least 32 are needed")
    start = bytearray(octets[: size & -8] if version >= GIOP_1_2 else octets[: HEADER_SIZE + (size - HEADER_SIZE & -8)])
    at = len(start)
    start[6] |= MORE_FRAGMENTS
    put_size(start)
    pieces = [bytes(start)]
    lead = octets[HEADER_SIZE:_ID_END] if version >= GIOP_1_2 else b""
    room = size - HEADER_SIZE - len(lead) & -8
    while at < len(octets):
        more = at + room < len(octets)
        piece = new_message(version, ByteOrder(octets[6] & 1), MessageType.Fragment, more=more)
        piece += lead
        piece += memoryview(octets)[at : at + room]
        put_size(piece)
        pieces.append(bytes(piece))
        at += room
    return pieces

"""Messages of one direction: octets in order in, whole GIOP messages out.

Where a conversation is joined in the middle, or octets are missing, the next message is found by its magic; where only the end of
a packet was not captured, or a message is larger than is kept, by the size in the header of the message. It must not know what is
in a message behind its header.

Source: CORBA 3.3 part 2, clause 9.4.1 "GIOP Message Header", 9.4.4 "CancelRequest Message".
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from iiop.exceptions.errors import RemoteProtocolError
from iiop.giop.fragments import Reassembler
from iiop.giop.header import HEADER_SIZE, MAGIC, Header, cut_header
from iiop.giop.messages import MessageType
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools.giopdump.streams import Piece

__all__ = ["BEGINNING", "Cut", "Cutter"]

BEGINNING = 4096
"""Octets that are kept of a message larger than `Limits.message_size`."""
_ANY_SIZE = replace(DEFAULT_LIMITS, message_size=HEADER_SIZE + 0xFFFFFFFF)


class Cut(NamedTuple):
    """Hold a message.

    Attributes:
        began: when its first octet came, in nanoseconds.
        ended: when its last octet came, or the last that is kept.
        header: of the message, of the whole one if it came in fragments; None for octets that belong to none.
        octets: as many as are there.
        size: of the message on the wire, with the headers of its fragments.
        pieces: how many fragments it came in.
        problem: what is wrong with it, if anything.
    """

    began: int
    ended: int
    header: Header | None
    octets: bytes
    size: int
    pieces: int = 1
    problem: str = ""


class Cutter:
    """Cut the octets of one direction into messages."""

    __slots__ = ("_began", "_buffer", "_fragments", "_header", "_is_first", "_limits", "_reassembler", "_skip", "in_step")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._began = 0
        self._header: Header | None = None
        self._skip = 0
        """Octets that still belong to a message that was given up."""
        self.in_step = False
        """Whether the next octet is the first of a message, or of the rest of the one in the buffer."""
        self._is_first = True
        """Nothing has come as yet, so that any size is believed."""
        self._reassembler: Reassembler | None = None
        self._fragments: dict[int | None, tuple[int, int, int]] = {}
        """Of messages that are not whole, by request id: when they began, octets on the wire, fragments."""

    @property
    def held(self) -> int:
        """Return the octets kept for messages that are not whole."""
        return len(self._buffer) + (0 if self._reassembler is None else self._reassembler.pending_octets)

    def whole(self, at: int, octets: bytes) -> Cut | None:
        """Return the message that the next octets, all of them, are; None if `add` has to look at them."""
        if octets[:4] != MAGIC or len(octets) < HEADER_SIZE or self._buffer or self._skip:
            return None
        try:
            header = cut_header(octets, self._limits)
        except RemoteProtocolError:
            return None
        if header.size != len(octets) or header.more_fragments or header.message_type is MessageType.Fragment:
            return None
        if self._fragments and header.message_type is MessageType.CancelRequest:
            return None
        self.in_step = True
        return Cut(at, at, header, octets, header.size)

    def add(self, piece: Piece) -> list[Cut]:
        """Take the next octets, and return the messages that have become whole."""
        at, octets, lost, cut = piece
        found: list[Cut] = []
        if lost:
            self._lose(found, at, lost)
        if octets:
            self._cut(found, at, octets)
        if cut:
            self._not_captured(found, at, cut)
        return found

    def finish(self, at: int) -> list[Cut]:
        """Take that nothing more will come; return what there is of a message that is not whole."""
        found: list[Cut] = []
        self._give_up(found, at, "the connection ends here, or the capture does")
        return found

    def _cut(self, found: list[Cut], at: int, octets: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(octets))
            self._skip -= skipped
            octets = octets[skipped:]
        buffer = self._buffer
        if octets and not buffer:
            self._began = at
        buffer += octets
        while True:
            if not self.in_step and not self._find_magic():
                return
            if self._header is None:
                if len(buffer) < HEADER_SIZE:
                    return
                try:
                    self._header = cut_header(buffer, _ANY_SIZE)
                except RemoteProtocolError as error:
                    self._refuse(found, at, str(error))
                    continue
            self._is_first = False
            size = self._header.size
            if size > self._limits.message_size:
                if len(buffer) < min(size, BEGINNING):
                    return
                self._pass_over(found, at, size)
                continue
            if len(buffer) < size:
                return
            message = bytes(memoryview(buffer)[:size])
            del buffer[:size]
            self._whole(found, at, self._header, message)
            self._header = None
            self._began = at

    def _find_magic(self) -> bool:
        """Go to where a message seems to begin; tell whether there is such a place."""
        buffer = self._buffer
        while True:
            place = buffer.find(MAGIC)
            if place:
                self._is_first = False
            if place < 0:
                del buffer[: max(0, len(buffer) - len(MAGIC) + 1)]
                return False
            del buffer[:place]
            if len(buffer) < HEADER_SIZE:
                return False
            try:
                self._header = cut_header(buffer, _ANY_SIZE if self._is_first else self._limits)
            except RemoteProtocolError:
                del buffer[:1]
                continue
            self.in_step = True
            return True

    def _pass_over(self, found: list[Cut], at: int, size: int) -> None:
        """Tell of a message by its beginning, and go on behind it."""
        kept = min(size, BEGINNING)
        problem = f"only {kept} of its octets were kept: the limit is message_size={self._limits.message_size}"
        found.append(Cut(self._began, at, self._header, bytes(self._buffer[:kept]), size, problem=problem))
        there = min(len(self._buffer), size)
        del self._buffer[:there]
        self._skip = size - there
        self._header = None
        self._began = at

    def _refuse(self, found: list[Cut], at: int, reason: str) -> None:
        """Tell of octets that are no message, and look for the next one behind them."""
        found.append(Cut(self._began, at, None, bytes(self._buffer[:64]), len(self._buffer), problem=reason))
        del self._buffer[:1]
        self.in_step = False

    def _whole(self, found: list[Cut], at: int, header: Header, octets: bytes) -> None:
        if not header.more_fragments and header.message_type is not MessageType.Fragment:
            if self._fragments and header.message_type is MessageType.CancelRequest:
                self._cancel(found, at, _request_id(header, octets))
            found.append(Cut(self._began, at, header, octets, header.size))
            return
        if self._reassembler is None:
            self._reassembler = Reassembler(self._limits)
        key = _fragment_key(header, octets)
        if header.message_type is MessageType.Fragment:
            began, size, pieces = self._fragments.pop(key, (self._began, 0, 0))
        else:
            began, size, pieces = self._began, 0, 0
        size, pieces = size + header.size, pieces + 1
        try:
            whole = self._reassembler.add(header, octets)
        except RemoteProtocolError as error:
            found.append(Cut(began, at, header, octets, size, pieces, str(error)))
            return
        if whole is None:
            self._fragments[key] = began, size, pieces
            return
        found.append(Cut(began, at, cut_header(whole, self._limits), whole, size, pieces))

    def _cancel(self, found: list[Cut], at: int, request_id: int) -> None:
        """Give up a message of which more was to come."""
        assert self._reassembler is not None
        if not self._reassembler.cancel(request_id):
            return
        known = self._fragments.pop(request_id if request_id in self._fragments else None, None)
        if known is not None:  # else it was told of when one of its fragments was refused
            began, size, pieces = known
            problem = f"only {pieces} of its fragments are there: it is cancelled"
            found.append(Cut(began, at, None, b"", size, pieces, problem))

    def _not_captured(self, found: list[Cut], at: int, cut: int) -> None:
        """Go on behind octets of which only the number is known."""
        if self._skip >= cut:
            self._skip -= cut
            return
        cut -= self._skip
        self._skip = 0
        header = self._header
        if header is None or len(self._buffer) + cut > header.size:
            self._lose(found, at, cut)
            return
        self._skip = header.size - len(self._buffer) - cut
        problem = f"only {len(self._buffer)} of its octets were captured"
        found.append(Cut(self._began, at, header, bytes(self._buffer), header.size, problem=problem))
        self._buffer.clear()
        self._header = None

    def _lose(self, found: list[Cut], at: int, lost: int) -> None:
        self._give_up(found, at, "what follows is missing")
        self._skip = 0
        found.append(Cut(at, at, None, b"", lost, problem=f"{lost} octets are missing from the capture"))

    def _give_up(self, found: list[Cut], at: int, reason: str) -> None:
        if self._header is not None and self._buffer:
            problem = f"only {len(self._buffer)} of its octets are there: {reason}"
            found.append(Cut(self._began, at, self._header, bytes(self._buffer), self._header.size, problem=problem))
        for began, size, pieces in self._fragments.values():
            problem = f"only {pieces} of its fragments are there: {reason}"
            found.append(Cut(began, at, None, b"", size, pieces, problem))
        self._fragments.clear()
        self._reassembler = None
        self._buffer.clear()
        self._header = None
        self.in_step = False


def _fragment_key(header: Header, octets: bytes) -> int | None:
    """Return what tells the fragments of one message from those of others: of GIOP 1.2, the request id."""
    return None if header.version.minor < 2 else _request_id(header, octets)


def _request_id(header: Header, octets: bytes) -> int:
    """Return what follows the header: in GIOP 1.2 the request id, and in a CancelRequest of any version."""
    return int.from_bytes(octets[HEADER_SIZE : HEADER_SIZE + 4], "little" if header.byte_order else "big")

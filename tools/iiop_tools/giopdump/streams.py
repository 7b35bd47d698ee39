"""One direction of a TCP connection: segments in, octets in order out, and how many are missing where some are.

What came twice is dropped, what came too early waits. Octets are given up as lost once the receiver has acknowledged them (so
they were sent, and the capture does not have them), or when too much waits behind them. It must not know what the octets mean.

Invariant: at most `WAITING` octets, in at most `SEGMENTS` segments, wait.

Source: RFC 9293, 3.4 "Sequence Numbers" and 3.8.4 "TCP Keep-Alives".
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SEGMENTS", "WAITING", "Piece", "Stream"]

WAITING = 4 * 1024 * 1024
SEGMENTS = 1024
_MASK, _HALF = 0xFFFFFFFF, 0x80000000


class Piece(NamedTuple):
    """Hold octets that came at a time, in nanoseconds: before them `lost` octets are missing, behind them `cut`."""

    at: int
    octets: bytes
    lost: int
    cut: int


class Stream:
    """Put the segments of one direction in order.

    Attributes:
        expected: sequence number of the next octet; None before the first segment.
        waiting: segments that came too early, by sequence number.
        waiting_octets: how many octets they have.
    """

    __slots__ = ("expected", "waiting", "waiting_octets")

    def __init__(self, expected: int | None = None) -> None:
        self.expected = expected
        self.waiting: dict[int, Piece] = {}
        self.waiting_octets = 0

    def add(self, at: int, sequence: int, octets: bytes, cut: int = 0) -> list[Piece]:
        """Take octets, behind which `cut` were not captured; return what is in order now."""
        if self.expected is None:
            self.expected = sequence
        found: list[Piece] = []
        if 0 < sequence - self.expected & _MASK < _HALF:
            self._hold(sequence, Piece(at, octets, 0, cut))
            while self.waiting_octets > WAITING or len(self.waiting) > SEGMENTS:
                self._skip(found)
        else:
            self._take(found, sequence, Piece(at, octets, 0, cut))
            self._release(found)
        return found

    def acknowledge(self, number: int) -> list[Piece]:
        """Take up to where the receiver has everything; return what waited for octets that it has, and the capture has not."""
        found: list[Piece] = []
        while self.waiting and number - self._first() & _MASK < _HALF:
            self._skip(found)
        return found

    def finish(self) -> list[Piece]:
        """Take that nothing more will come; return what waited."""
        found: list[Piece] = []
        while self.waiting:
            self._skip(found)
        return found

    def _hold(self, sequence: int, piece: Piece) -> None:
        known = self.waiting.get(sequence)
        if known is not None:  # of two, more octets may be of one, and more that were not captured behind the other's
            self.waiting_octets -= len(known.octets)
            end = max(len(known.octets) + known.cut, len(piece.octets) + piece.cut)
            piece = piece if len(known.octets) < len(piece.octets) else known
            piece = piece._replace(cut=end - len(piece.octets))
        self.waiting[sequence] = piece
        self.waiting_octets += len(piece.octets)

    def _take(self, found: list[Piece], sequence: int, piece: Piece) -> None:
        """Let octets be found that begin where they are expected, or before."""
        assert self.expected is not None
        at, octets, lost, cut = piece
        known = self.expected - sequence & _MASK
        size = len(octets) + cut - known
        if size > 0:
            self.expected = self.expected + size & _MASK
            found.append(Piece(at, octets[known:], lost, min(cut, size)))

    def _first(self) -> int:
        assert self.expected is not None
        expected = self.expected
        return min(self.waiting, key=lambda sequence: sequence - expected + _HALF & _MASK)

    def _pop(self, sequence: int) -> Piece:
        piece = self.waiting.pop(sequence)
        self.waiting_octets -= len(piece.octets)
        return piece

    def _skip(self, found: list[Piece]) -> None:
        """Give up what is missing before the first segment that waits."""
        assert self.expected is not None
        first = self._first()
        lost, self.expected = first - self.expected & _MASK, first
        self._take(found, first, self._pop(first)._replace(lost=lost))
        self._release(found)

    def _release(self, found: list[Piece]) -> None:
        """Let be found what waited and is in order now."""
        while self.waiting:
            assert self.expected is not None
            first = self.expected if self.expected in self.waiting else self._first()
            if 0 < first - self.expected & _MASK < _HALF:
                return
            self._take(found, first, self._pop(first))

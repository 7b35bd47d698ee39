"""Octets that have arrived, in the pieces they came in, until they are whole messages.

A message is copied at most once, when it came in several pieces. It must not know what messages are.

Invariant: pieces take little more room than their octets.
"""

from __future__ import annotations

__all__ = ["FEW", "Inbox"]

FEW = 4096
"""Octets of a piece from which on it is kept as it is."""


class Inbox:
    """Keep octets in order.

    Attributes:
        size: how many there are; only the inbox changes it.
    """

    __slots__ = ("_at", "_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._at = 0
        """Octets of the first piece that are gone."""
        self.size = 0

    def add(self, data: bytes) -> None:
        """Keep a piece behind what there is."""
        pieces = self._pieces
        self.size += len(data)
        if not pieces or len(data) >= FEW:
            pieces.append(data)
            return
        last = pieces[-1]
        if type(last) is bytearray:
            last += data
        else:
            pieces.append(bytearray(data))

    def peek(self, size: int) -> bytes:
        """Return the first octets; there must be as many."""
        at = self._at if len(self._pieces[0]) - self._at >= size else self._join()
        return bytes(self._pieces[0][at : at + size])

    def cut(self, size: int) -> bytes:
        """Return the first octets, and keep them no longer; there must be as many."""
        at = self._at if len(self._pieces[0]) - self._at >= size else self._join()
        first = self._pieces[0]
        octets = bytes(first[at : at + size])
        self.size -= size
        self._at = at + size
        if self._at == len(first):
            del self._pieces[0]
            self._at = 0
        elif type(first) is bytearray:  # it may grow for as long as it has a rest
            del first[: self._at]
            self._at = 0
        return octets

    def clear(self) -> None:
        """Keep nothing."""
        self._pieces.clear()
        self._at = self.size = 0

    def _join(self) -> int:
        first, *others = self._pieces
        self._pieces = [b"".join((memoryview(first)[self._at :], *others))]
        self._at = 0
        return 0

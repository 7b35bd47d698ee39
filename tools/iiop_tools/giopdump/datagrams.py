"""Fragments of IP: in any order in, what a datagram carries out.

It must not know what they carry, nor where in a packet they are.

Invariants: fragments of at most `WAITING` datagrams wait for the others, with at most `OCTETS` octets, to which each adds `COST`;
those that wait longest go first. Fragments that are more than `NEAR` packets apart do not belong together: the number of a
datagram is used again.

Source: RFC 791, 3.2 "Fragmentation and Reassembly"; RFC 8200, 4.5 "Fragment Header"; RFC 5722 for those that overlap.
"""

from __future__ import annotations

__all__ = ["COST", "NEAR", "OCTETS", "WAITING", "Datagrams"]

WAITING, OCTETS, NEAR = 1024, 16 * 1024 * 1024, 10_000
LONGEST = 65_535
COST = 100


class _Datagram:
    """Hold fragments by their place."""

    __slots__ = ("began", "end", "fragments", "octets", "parts")

    def __init__(self, began: int) -> None:
        self.began = began
        self.fragments = 0
        self.parts: dict[int, bytes] = {}
        self.octets = 0
        self.end: int | None = None
        """Octets that it carries; None before its last fragment came."""


class Datagrams:
    """Put fragments together.

    Attributes:
        left_over: how many fragments are of no datagram that became whole.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, _Datagram] = {}
        self._octets = 0
        self.left_over = 0

    def add(self, key: bytes, place: int, octets: bytes, *, more: bool, packet: int) -> bytes | None:
        """Take a fragment; return what the datagram carries if it is whole now.

        Args:
            key: what the fragments of one datagram have in common.
            place: of its first octet.
            octets: what it carries.
            more: whether it is not the last one.
            packet: number of the packet that it came in.
        """
        datagram = self._waiting.get(key)
        if datagram is not None and packet - datagram.began > NEAR:
            self._give_up(key)
            datagram = None
        if datagram is None:
            datagram = self._waiting[key] = _Datagram(packet)
        self.left_over += 1
        datagram.fragments += 1
        if place not in datagram.parts:
            datagram.parts[place] = octets
            datagram.octets += len(octets)
            self._octets += len(octets) + COST
        if not more:
            datagram.end = place + len(octets)
        if datagram.octets > LONGEST:
            self._give_up(key)
        elif datagram.end is not None and datagram.octets >= datagram.end:
            self._give_up(key)
            return self._whole(datagram)
        while len(self._waiting) > WAITING or self._octets > OCTETS:
            self._give_up(next(iter(self._waiting)))
        return None

    def _whole(self, datagram: _Datagram) -> bytes | None:
        """Return what fragments carry that follow one another, each where the one before it ends."""
        found = bytearray()
        for place, part in sorted(datagram.parts.items()):
            if place != len(found):
                return None
            found += part
        self.left_over -= datagram.fragments
        return bytes(found)

    def _give_up(self, key: bytes) -> None:
        datagram = self._waiting.pop(key)
        self._octets -= datagram.octets + COST * len(datagram.parts)

"""Messages so cut that their first part does not tell yet where they go: kept until they do, and passed on as if cut later.

Fragments may be as short as their sender likes, and service contexts as long. It must not know sockets.

Source: CORBA 3.3 part 2, clause 9.4.9 "Fragment Message".
"""

from __future__ import annotations

from iiop.exceptions import RemoteProtocolError
from iiop.giop.header import HEADER_SIZE, MORE_FRAGMENTS, Header
from iiop.giop.messages import GIOP_1_2, MessageError
from iiop_lab.vhost.cutting import Piece, id_of, with_size

__all__ = ["LONGEST", "MOST", "Beginnings"]

LONGEST = 1024 * 1024
"""Octets in which a message must have told where it goes."""
MOST = 64
"""Messages of one connection that may be about to."""

_FLAGS_AT = 6


class Beginnings:
    """Keep messages by their ids; before GIOP 1.2 there is one at most."""

    __slots__ = ("_arriving", "_kept")

    def __init__(self) -> None:
        self._kept: dict[int | None, tuple[Header, bytes]] = {}
        self._arriving: int | bool | None = False
        """Of which the message is arriving in pieces; False if of none."""

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, header: Header, octets: bytes, ends: bool) -> None:
        """Keep a beginning.

        Raises:
            RemoteProtocolError: it is too long, or one too many.
        """
        key = self._key(header, octets)
        if len(octets) > LONGEST or len(self._kept) >= MOST or key in self._kept:
            raise RemoteProtocolError(
                f"{len(octets)} octets of a message do not tell where it goes, of {len(self._kept) + 1}",
                response=MessageError(header.version),
            )
        self._kept[key] = header, octets
        self._arriving = False if ends else key

    def grow(self, header: Header | None, octets: bytes, ends: bool) -> Piece | None:
        """Return a beginning that is kept with what came next, kept no more; None if that belongs to no such."""
        if header is None:
            if self._arriving is False:
                return None
            first, before = self._kept.pop(self._arriving)
            self._arriving = False
            return Piece(first, before + octets, ends)
        key = self._key(header, octets)
        if key not in self._kept:
            return None
        first, before = self._kept.pop(key)
        own = HEADER_SIZE if header.version < GIOP_1_2 else HEADER_SIZE + 4
        size = first.size + header.size - own
        joined = bytearray(with_size(first, before + octets[own:], size))
        if not header.more_fragments:
            joined[_FLAGS_AT] &= ~MORE_FRAGMENTS
        return Piece(first._replace(size=size, more_fragments=header.more_fragments), bytes(joined), ends)

    def drop(self, request_id: int) -> bool:
        """Forget a message whose sender gave it up; tell whether there was one."""
        return self._kept.pop(request_id, None) is not None

    @staticmethod
    def _key(header: Header, octets: bytes) -> int | None:
        found = id_of(header, octets) if header.version >= GIOP_1_2 else None
        return found[0] if found is not None else None

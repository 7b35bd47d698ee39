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


class _Beginning:
    """Hold the octets of a message so far, and the header of the message that they make; `tried`: how many did not tell."""

    __slots__ = ("header", "octets", "tried")

    def __init__(self, header: Header, octets: bytes) -> None:
        self.header = header
        self.octets = bytearray(octets)
        self.tried = len(octets)


class Beginnings:
    """Keep messages by their ids; before GIOP 1.2 there is one at most."""

    __slots__ = ("_arriving", "_kept")

    def __init__(self) -> None:
        self._kept: dict[int | None, _Beginning] = {}
        self._arriving: int | bool | None = False
        """Of which the message is arriving in pieces; False if of none."""

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, header: Header, octets: bytes, ends: bool) -> None:
        """Keep a beginning that does not tell where it goes.

        Raises:
            RemoteProtocolError: it is too long, or one too many.
        """
        key = self._key(header, octets)
        if len(octets) > LONGEST or len(self._kept) >= MOST or key in self._kept:
            raise _refused(header, len(octets))
        self._kept[key] = _Beginning(header, octets)
        self._arriving = False if ends else key

    def has(self, header: Header | None, octets: bytes) -> bool:
        """Tell whether what came, a fragment or, without a header, the next piece, belongs to a beginning that is kept."""
        return self._arriving is not False if header is None else self._key(header, octets) in self._kept

    def grow(self, header: Header | None, octets: bytes, ends: bool) -> Piece | None:
        """Add what came next; return all, kept no more, if it is enough to be looked at once more.

        Raises:
            RemoteProtocolError: it is too long.
        """
        if header is None:
            assert self._arriving is not False
            key = self._arriving
            beginning = self._kept[key]
            beginning.octets += octets
        else:
            key = self._key(header, octets)
            beginning = self._kept[key]
            own = HEADER_SIZE if header.version < GIOP_1_2 else HEADER_SIZE + 4
            beginning.octets += memoryview(octets)[own:]
            size = beginning.header.size + header.size - own
            beginning.header = beginning.header._replace(size=size, more_fragments=header.more_fragments)
        self._arriving = False if ends else key
        joined, whole = beginning.octets, beginning.header
        if len(joined) < 2 * beginning.tried and not (ends and not whole.more_fragments):
            if len(joined) > LONGEST:
                raise _refused(whole, len(joined))
            return None
        del self._kept[key]
        self._arriving = False
        if not whole.more_fragments:
            joined[_FLAGS_AT] &= ~MORE_FRAGMENTS
        return Piece(whole, with_size(whole, bytes(joined), whole.size), ends)

    def drop(self, request_id: int) -> None:
        """Forget a message whose sender gave it up; that there is none is no error."""
        self._kept.pop(request_id, None)

    @staticmethod
    def _key(header: Header, octets: bytes) -> int | None:
        found = id_of(header, octets) if header.version >= GIOP_1_2 else None
        return found[0] if found is not None else None


def _refused(header: Header, octets: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"{octets} octets of a message do not tell where it goes, or too many such", response=MessageError(header.version)
    )

"""Calls that targets make to a client over the connection it made, as two targets may have chosen the same request id.

The client sees ids of ours: odd ones, as GIOP 1.2 wants them of who accepted the connection. It must not know sockets.

Source: CORBA 3.3 part 2, clause 9.8 "Bi-Directional GIOP".
"""

from __future__ import annotations

from typing import Generic, TypeVar

from iiop.exceptions import RemoteProtocolError
from iiop.giop.header import Header
from iiop.giop.messages import GIOP_1_2, MessageError, MessageType
from iiop_lab.vhost.cutting import id_of, with_id

__all__ = ["Callbacks"]

L = TypeVar("L")

_FLAGS_BEHIND_ID = 4
_EXPECTS_REPLY = 1


class Callbacks(Generic[L]):
    """Change ids, there and back.

    Args:
        most: calls that may wait for the client.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._theirs: dict[int, tuple[L, int]] = {}
        """By the id that the client sees: whose, and by which id."""
        self._ours: dict[tuple[L, int], int] = {}
        self._silent: set[int] = set()
        """Those of which fragments come, and no reply goes."""
        self._next = 1

    def __len__(self) -> int:
        return len(self._theirs)

    def calls(self, link: L, header: Header, octets: bytes) -> bytes:
        """Return a request of a target, a fragment of one, or its cancellation, as the client is to see it.

        Raises:
            RemoteProtocolError: it has no id, or too many calls wait for the client.
        """
        found = id_of(header, octets)
        if found is None or header.version < GIOP_1_2:
            raise RemoteProtocolError("a call to a client in GIOP before 1.2", response=MessageError(header.version))
        theirs, at = found
        known = self._ours.get((link, theirs))
        if header.message_type is MessageType.Fragment:
            if known is None:
                raise RemoteProtocolError("a fragment of nothing that has begun", response=MessageError(header.version))
            if known in self._silent and not header.more_fragments:
                self._forget(known)
            return with_id(header, octets, at, known)
        if header.message_type is MessageType.CancelRequest:
            if known is not None:
                self._forget(known)
            return with_id(header, octets, at, theirs if known is None else known)
        if known is not None or len(self._theirs) >= self._most:
            raise RemoteProtocolError(
                f"call {theirs} to a client is made again before its reply"
                if known is not None
                else f"more calls to a client than the limit outstanding={self._most}",
                response=MessageError(header.version),
            )
        ours, self._next = self._next, (self._next + 2) & 0xFFFFFFFF
        flags = at + _FLAGS_BEHIND_ID
        silent = header.message_type is MessageType.Request and len(octets) > flags and not octets[flags] & _EXPECTS_REPLY
        if not silent or header.more_fragments:
            self._theirs[ours] = link, theirs
            self._ours[link, theirs] = ours
            if silent:
                self._silent.add(ours)
        return with_id(header, octets, at, ours)

    def answers(self, header: Header, octets: bytes) -> tuple[L, bytes] | None:
        """Return whom a reply of the client, or a fragment of one, is for, and as that is to see it; None if nobody waits."""
        found = id_of(header, octets) if header.version >= GIOP_1_2 else None
        called = self._theirs.get(found[0]) if found is not None else None
        if found is None or called is None:
            return None
        if not header.more_fragments:
            self._forget(found[0])
        return called[0], with_id(header, octets, found[1], called[1])

    def drop(self, link: L) -> None:
        """Forget the calls of a target that is gone."""
        for ours in [ours for ours, (whose, _) in self._theirs.items() if whose is link]:
            self._forget(ours)

    def _forget(self, ours: int) -> None:
        del self._ours[self._theirs.pop(ours)]
        self._silent.discard(ours)

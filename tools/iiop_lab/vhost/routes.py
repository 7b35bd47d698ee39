"""What a request says that its way depends on, read once for all requests that begin alike.

Up to the body, and but for size and id, requests for one operation of one object are the same octets; what has been read of such
once stands for the next. It must not know connections.

Invariant: at most `LENGTHS` times `MOST` beginnings are kept, each of at most `LONGEST` octets.

Source: CORBA 3.3 part 2, clause 9.4.2.1 "Request Header": nothing before the body depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from iiop.connection.prepared import ID_AT
from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.giop.header import HEADER_SIZE, Header
from iiop.giop.messages import EMPTY, LocateRequest, Request
from iiop.giop.wire import decode_whole
from iiop.idl.servant import object_key_of
from iiop.iop import ServiceContext
from iiop.limits import Limits
from iiop.profile import Version
from iiop_lab.vhost.cutting import id_of, size_of
from iiop_lab.vhost.introducing import TOLD_ONCE
from iiop_lab.vhost.places import Place

__all__ = ["Route", "Routes"]

LENGTHS, MOST, LONGEST = 8, 1024, 1024
_MINOR = 5


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Hold what was read of a request.

    Attributes:
        message: of which neither id nor body counts.
        key: of the object; empty if the target does not say.
        place: how it is distributed.
        expects_reply: whether the client waits for an answer.
        told: what the client told of itself.
        watched: whether its answer begins or ends a session.
    """

    message: Request | LocateRequest
    key: bytes
    place: Place
    expects_reply: bool = True
    told: tuple[ServiceContext, ...] = ()
    watched: bool = False

    @property
    def version(self) -> Version:
        """Return that of GIOP."""
        return self.message.version

    def asked(self, request_id: int) -> Request | LocateRequest:
        """Return the message with an id, but without its body."""
        return replace(self.message, request_id=request_id)


class Routes:
    """Read requests.

    Args:
        place: returns by its key how an object is distributed.
        limits: what a request may hold.
    """

    def __init__(self, place: Callable[[bytes], Place], limits: Limits) -> None:
        self._place = place
        self._limits = limits
        self._known: dict[int, dict[bytes, Route]] = {}
        """By the length of the beginning, and by the beginning."""

    def known(self, octets: bytes) -> tuple[Route, int] | None:
        """Return what is known of one whole request, and its id; None if it is to be read, or is not one whole request."""
        minor = octets[_MINOR] if len(octets) > HEADER_SIZE + 8 else 3
        if minor > 2 or size_of(octets) != len(octets):
            return None
        at = ID_AT[minor]
        for length, known in self._known.items():
            route = known.get(octets[:8] + octets[HEADER_SIZE:at] + octets[at + 4 : length])
            if route is not None:
                return route, int.from_bytes(octets[at : at + 4], "little" if octets[6] & 1 else "big")
        return None

    def read(self, header: Header, octets: bytes) -> tuple[Route, int]:
        """Return what a request says, of which at least what comes before the body is there, and its id.

        Raises:
            DecodeError: it is none.
        """
        message = decode_whole(header._replace(more_fragments=False), octets, self._limits)
        assert isinstance(message, (Request, LocateRequest))
        try:
            key = object_key_of(message.target)
        except OBJECT_NOT_EXIST:
            key = b""
        place = self._place(key)
        if isinstance(message, LocateRequest):
            return Route(message, key, place), message.request_id
        told = tuple(context for context in message.service_context if context.context_id in TOLD_ONCE)
        route = Route(message, key, place, message.response_expected, told, place.watches(message.operation))
        if not header.more_fragments:
            self._learn(header, octets, message.body.start, route)
        return route, message.request_id

    def _learn(self, header: Header, octets: bytes, length: int, route: Route) -> None:
        at, found = ID_AT[header.version.minor], id_of(header, octets)
        if length > LONGEST or found is None or found[1] != at:
            return
        known = self._known.get(length)
        if known is None:
            while len(self._known) >= LENGTHS:
                del self._known[next(iter(self._known))]
            known = self._known[length] = {}
        elif len(known) >= MOST:
            del known[next(iter(known))]
        known[octets[:8] + octets[HEADER_SIZE:at] + octets[at + 4 : length]] = replace(
            route,
            message=replace(route.message, body=EMPTY),  # type: ignore[arg-type]
        )

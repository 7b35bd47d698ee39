"""What a request says that its way depends on, read once for all requests that begin alike.

Up to the body, and but for size and id, requests of GIOP 1.2 for one operation of one object are the same octets; what has been
read of such once stands for the next. It must not know connections.

Invariant: at most `LENGTHS` times `MOST` beginnings are kept, each of at most `LONGEST` octets.

Source: CORBA 3.3 part 2, clause 9.4.2.1 "Request Header": nothing before the body depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.giop.header import Header
from iiop.giop.messages import EMPTY, GIOP_1_2, LocateRequest, Request
from iiop.giop.wire import decode_whole
from iiop.idl.servant import object_key_of
from iiop.iop import ServiceContext
from iiop.limits import Limits
from iiop.profile import Version
from iiop_lab.vhost.cutting import plain_id
from iiop_lab.vhost.introducing import TOLD_ONCE
from iiop_lab.vhost.places import Place

__all__ = ["Route", "Routes"]

LENGTHS, MOST, LONGEST = 8, 1024, 1024
_SIZE_AT, _ID_END = 8, 16


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
        request_id = plain_id(octets)
        if request_id is not None:
            for length, known in self._known.items():
                route = known.get(octets[:_SIZE_AT] + octets[_ID_END:length])
                if route is not None:
                    return route, request_id
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
        if message.body.start <= LONGEST and not header.more_fragments and header.version >= GIOP_1_2:
            self._learn(octets, message.body.start, route)
        return route, message.request_id

    def _learn(self, octets: bytes, length: int, route: Route) -> None:
        known = self._known.get(length)
        if known is None:
            while len(self._known) >= LENGTHS:
                del self._known[next(iter(self._known))]
            known = self._known[length] = {}
        elif len(known) >= MOST:
            del known[next(iter(known))]
        bare = replace(route.message, body=EMPTY)  # type: ignore[arg-type]
        known[octets[:_SIZE_AT] + octets[_ID_END:length]] = replace(route, message=bare)

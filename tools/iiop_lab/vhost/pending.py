"""A request that came to the virtual host and is not answered yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iiop.giop.header import Header
from iiop.giop.messages import LocateRequest, Request
from iiop_lab.vhost.places import Place

if TYPE_CHECKING:
    from iiop_lab.vhost.link import Link

__all__ = ["KEPT", "Pending"]

KEPT = 16 * 1024
"""Octets up to which a request is kept until its reply, to be sent to another server if one did not run it."""


@dataclass(slots=True, eq=False)
class Pending:
    """Keep what answers a request.

    Attributes:
        message: its octets behind the header may be but a beginning.
        key: of the object.
        place: how it is distributed.
        since: seconds, when it was given to a server.
        link: to which; None if to none.
        pieces: octets to be sent again; None where they are not kept.
        tries: servers it was given to.
    """

    header: Header
    message: Request | LocateRequest
    key: bytes
    place: Place
    since: float = 0.0
    link: Link | None = None
    pieces: list[bytes] | None = field(default_factory=list)
    tries: int = 0

    @property
    def expects_reply(self) -> bool:
        """Tell whether the client waits for an answer."""
        return not isinstance(self.message, Request) or self.message.response_expected

    def keep(self, octets: bytes) -> None:
        """Keep octets that are sent, as long as they are few."""
        if self.pieces is not None:
            self.pieces.append(octets)
            if sum(map(len, self.pieces)) > KEPT:
                self.pieces = None

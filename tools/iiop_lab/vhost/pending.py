"""A request that came to the virtual host and is not answered yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iiop_lab.vhost.routes import Route

if TYPE_CHECKING:
    from iiop_lab.vhost.link import Link

__all__ = ["KEPT", "Pending"]

KEPT = 16 * 1024
"""Octets up to which a request is kept until its reply, to be sent to another server if one did not run it."""


@dataclass(slots=True, eq=False)
class Pending:
    """Keep what answers a request.

    Attributes:
        route: what was read of it.
        request_id: its id.
        pieces: octets to be sent again; None where they are not kept. Those of the reply, once it arrives, if it is watched.
        octets: how many went there and back.
        room: how many more may be kept.
        since: seconds, when it was given to a server.
        took: seconds until its reply began; None until then.
        link: to whom it was given; None if to nobody.
        tries: servers it was given to.
        told: how much of what the client told of itself its server has heard by it.
    """

    route: Route
    request_id: int
    pieces: list[bytes] | None
    octets: int = 0
    room: int = KEPT
    since: float = 0.0
    took: float | None = None
    link: Link | None = None
    tries: int = 0
    told: int = 0

    def keep(self, octets: bytes) -> None:
        """Count octets that pass, and keep them as long as they are few."""
        self.octets += len(octets)
        if self.pieces is not None:
            self.room -= len(octets)
            if self.room < 0:
                self.pieces = None
            else:
                self.pieces.append(octets)

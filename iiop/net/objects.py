"""References to objects of ours, and what a client serves over connections that it made itself.

It must not know connections.
"""

from __future__ import annotations

import asyncio
import secrets

from iiop.endpoints import endpoints
from iiop.giop.messages import GIOP_1_2
from iiop.idl import ObjectAdapter, Servant
from iiop.iop import IOR, TaggedComponent
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.answering import Answer
from iiop.profile import ListenPoint, ProfileBody, encode_profile

__all__ = ["CallbackObjects", "make_reference", "new_key"]

KEY_SIZE = 16
"""Octets of an object key that nobody has chosen; they are random, so that who was not given a reference cannot guess it."""

NOWHERE = "invalid"
"""A top level domain in which there is no host (RFC 2606)."""


def new_key() -> bytes:
    """Return an object key that there was never before."""
    return secrets.token_bytes(KEY_SIZE)


def make_reference(repository_id: str, host: str, port: int, object_key: bytes, *components: TaggedComponent) -> IOR:
    """Return a reference of one IIOP 1.2 profile."""
    return IOR(repository_id, (encode_profile(ProfileBody(GIOP_1_2, host, port, object_key, components)),))


class CallbackObjects:
    """Keep the objects of a client that has no address: servers reach them over the connections that the client made.

    Their references name a host that is nowhere, and that no other client has, so that a server cannot take one for another.
    They state no code sets, as the client has chosen these when it called.

    Attributes:
        adapter: maps object keys to servants.
        point: what the references name as address.
        oneways: those that run in an event loop, and their octets.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.adapter = ObjectAdapter(limits=limits)
        self.point = ListenPoint(f"{secrets.token_hex(KEY_SIZE)}.{NOWHERE}", 1)
        self.oneways: dict[asyncio.Future[Answer], int] = {}

    def activate(self, servant: Servant, object_key: bytes | None = None) -> IOR:
        """Let a servant answer, and return the reference of the object that it is."""
        key = new_key() if object_key is None else object_key
        self.adapter.activate(key, servant)
        return make_reference(servant._repository_id(), self.point.host, self.point.port, key)

    def deactivate(self, reference: IOR) -> None:
        """Let nobody answer any more for an object.

        Raises:
            KeyError: nobody does.
        """
        self.adapter.deactivate(endpoints(reference)[0].object_key)

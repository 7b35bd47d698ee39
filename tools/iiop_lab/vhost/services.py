"""What a virtual host distributes, and how: which objects belong together, by which policy, and who stays with whom.

Source: Interstage High Availability System Guide (B1WS-1092-03ENZ0) 1.1.6, 3.2.1.2, 3.3.2.1, 3.4.2. What it leaves open is a
parameter here: which exception says that process bind is refused, whether a failure is a reply or the end of the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from iiop.balancer import DistributionPolicy, RoundRobin, Threshold

__all__ = [
    "CALLS",
    "IPCOM_MINOR",
    "NAMING",
    "PROCESS_BIND_MINOR",
    "Delivery",
    "Refusal",
    "Service",
    "Stickiness",
    "Target",
    "is_naming_key",
]

IPCOM_MINOR = 0x464A0114
PROCESS_BIND_MINOR = 10007


class Target(NamedTuple):
    """Name a server behind the virtual host.

    Attributes:
        tls_port: where it speaks TLS; 0 if it does not.
    """

    host: str
    port: int = 8002
    tls_port: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Stickiness(Enum):
    """Say what is distributed, and thus what stays with the target it was given."""

    CALL = "call"
    """Every method call is distributed."""
    CONNECTION = "connection"
    """A connection is; its calls stay together."""
    ADDRESS = "address"
    """A client address is."""
    SESSION = "session"
    """Calls are, but those to what `create` returned stay with its server until `remove`, as with EJB."""


def is_naming_key(object_key: bytes) -> bool:
    """Tell whether an object key is the Naming Service's: the root context, a context by its id, an iterator."""
    return object_key == b"NameService" or object_key.startswith((b"context.", b"BindingIterator."))


def _any_key(object_key: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Service:
    """Declare how the objects of a service are distributed.

    Attributes:
        name: for people.
        has: tells by its key whether an object is one of the service; of the same key, always the same.
        stickiness: what is distributed.
        policy: makes what chooses the target.
        thresholds: limits over which a target gets no work of this service.
        creates: in SESSION, the operations that return what stays.
        removes: in SESSION, the operations after which it does not any more.
        process_bind: its objects are bound to processes, which does not work behind IPCOM: all calls are refused.
    """

    name: str
    has: Callable[[bytes], bool] = _any_key
    stickiness: Stickiness = Stickiness.CALL
    policy: Callable[[], DistributionPolicy[Target]] = RoundRobin
    thresholds: tuple[Threshold, ...] = ()
    creates: frozenset[str] = frozenset({"create"})
    removes: frozenset[str] = frozenset({"remove"})
    process_bind: bool = False


NAMING = Service("naming", is_naming_key, Stickiness.CONNECTION)
"""Distribution when the Naming Service reference is obtained: what a connection asks the Naming Service stays with one server."""
CALLS = Service("calls")
"""Distribution per method call, of everything that no service before it has."""


class Delivery(Enum):
    """Say how a client learns that nobody can serve it; the manual says which minor code it sees, not how it comes."""

    REPLY = "reply"
    CLOSE = "close"
    """The connection ends without a reply."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Declare how failures are told.

    Attributes:
        minor: of COMM_FAILURE, 0x464a0114 or 0x464a0914.
        delivery: see `Delivery`.
        process_bind_minor: of NO_IMPLEMENT, which answers calls to what is bound to processes; the manual names the minor alone.
    """

    minor: int = IPCOM_MINOR
    delivery: Delivery = Delivery.REPLY
    process_bind_minor: int = PROCESS_BIND_MINOR

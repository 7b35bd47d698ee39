"""Bounds on what a peer may make us do.

Every door that reads octets takes a `Limits`; nothing is allocated, kept or waited for beyond it. The defaults admit real
traffic (omniORB's own default for one message is 2 MiB) and keep one connection below a few MiB.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from math import inf

from iiop.leniency import DEFAULT, Leniency

__all__ = ["DEFAULT_LIMITS", "Limits", "deeper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """State how much one peer, message or value may cost.

    Attributes:
        message_size: octets of one GIOP message, reassembled, header included.
        fragments: fragments one message may arrive in.
        reassemblies: fragmented messages open at the same time on one connection.
        reassembly_octets: octets kept for all of them.
        sequence_length: elements of one IDL sequence.
        string_length: octets of one string, its terminating NUL not counted.
        nesting: recursive types, TypeCodes, Anys and values of value types inside each other; repository ids in the list of one.
        interpreted_fields: fields of one message that the construct engine reads, which takes microseconds a field: those with
            values of value types, and what another leniency than `DEFAULT` asks for. A string or a sequence of octets is two.
        service_contexts: service contexts of one message.
        outstanding: requests of one connection that wait for their reply.
        queued: requests that wait for a thread of one server, and oneways that its event loop waits for; one more is answered
            TRANSIENT.
        queued_octets: octets of them; once there are as many, the next is answered TRANSIENT. Also octets of answers that an
            asyncio client keeps for a server that calls it and does not read; one more ends the connection.
        connections: connections a server keeps open.
        iterators: binding iterators one Naming Service keeps alive.
        iterator_bindings: bindings of the contexts they list, as they were; each costs 16 octets.
        iterator_time: seconds it keeps one that nobody uses.
        changes: changes that wait for the disk of one Naming Service; one more is answered TRANSIENT.
        change_octets: octets of names and references in them; once there are as many, the next is answered TRANSIENT.
        proceeding: requests a Naming Service has passed on to others, and waits for; with 0 it passes on none.
        proceed_time: seconds it waits for one of them.
        idle_connections: connections a client keeps without a call; one more ends the one that was used longest ago.
        idle_time: seconds a server keeps a connection on which no message becomes whole, and a client one without a call.
        read_interval: seconds without an octet in the middle of a message, after which a client takes the connection for lost.
        stop_time: seconds a server that stops gives the requests under way.
        leniency: what is let pass of what the standard has otherwise: `STRICT`, `DEFAULT`, `LENIENT` or any other set.
    """

    message_size: int = 16 * 1024 * 1024
    fragments: int = 4096
    reassemblies: int = 64
    reassembly_octets: int = 32 * 1024 * 1024
    sequence_length: int = 16 * 1024 * 1024
    string_length: int = 1024 * 1024
    nesting: int = 64
    interpreted_fields: int = 100_000
    service_contexts: int = 64
    outstanding: int = 4096
    queued: int = 1024
    queued_octets: int = 64 * 1024 * 1024
    connections: int = 4096
    iterators: int = 1000
    iterator_bindings: int = 10_000_000
    iterator_time: float = 600.0
    changes: int = 4096
    change_octets: int = 32 * 1024 * 1024
    proceeding: int = 256
    proceed_time: float = 5.0
    idle_connections: int = 64
    idle_time: float = 600.0
    read_interval: float = inf
    stop_time: float = 5.0
    leniency: Leniency = DEFAULT


DEFAULT_LIMITS = Limits()


@functools.lru_cache
def deeper(limits: Limits) -> Limits:
    """Return the limits inside one more nested value; `nesting` may become -1, which admits nothing."""
    return dataclasses.replace(limits, nesting=limits.nesting - 1)

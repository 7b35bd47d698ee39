"""Faults of TCP: what happens to octets and connections, whatever the octets say.

Not aimed at messages, they strike the whole stream; aimed, the octets of the messages picked, or the connection at that moment.
What cannot be had on loopback without privileges: a SYN that nobody answers. `BlackHole` accepts, and answers nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from iiop_lab.faults.aim import Direction
from iiop_lab.faults.conversation import Lane
from iiop_lab.faults.fault import TO_CLIENT, TO_SERVER, Attachment, Fault, StreamFault, Timed

__all__ = [
    "Bandwidth",
    "BlackHole",
    "Close",
    "DataLimit",
    "HalfOpen",
    "Latency",
    "Refuse",
    "Reset",
    "Slice",
    "SlowClose",
    "at_least",
]

BURSTS = 50
"""Portions a second in which octets leave that are paced."""


def at_least(least: float, **parameters: float) -> None:
    """Refuse parameters that are too small.

    Raises:
        ValueError: one is, or is no number.
    """
    for name, value in parameters.items():
        if not value >= least:
            raise ValueError(f"{name}={value}: must be {least} or more")


def _cut(item: Timed, size: int) -> list[Timed]:
    octets = item.octets
    if len(octets) <= size:
        return [item]
    return [Timed(octets[at : at + size], item.arrived, dict(item.waits)) for at in range(0, len(octets), size)]


class _BothWays(StreamFault):
    __slots__ = ()
    directions: ClassVar[tuple[Direction, ...]] = (TO_SERVER, TO_CLIENT)
    both_ways: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Latency(_BothWays):
    """Have octets arrive later, in their order.

    As over a long line, no more than `MOST_WAITING` are under way; so more latency means less throughput, too.

    Attributes:
        seconds: that they take longer.
        jitter: seconds that this varies, to either side, equally distributed.
        seed: of the jitter.
    """

    seconds: float
    jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(0, seconds=self.seconds, jitter=self.jitter)

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        items = list(items)
        wait = max(0.0, self.seconds + attachment.random.uniform(-self.jitter, self.jitter))
        for item in items:
            item.waits[attachment] = wait
        return items


@dataclass(frozen=True, slots=True)
class Bandwidth(_BothWays):
    """Let octets pass at a rate, of each connection and direction for itself.

    Attributes:
        octets_per_second: the rate.
    """

    octets_per_second: float

    def __post_init__(self) -> None:
        at_least(1, octets_per_second=self.octets_per_second)

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        shaped = []
        free = lane.memory.get(attachment, -math.inf)
        for item in items:
            for part in _cut(item, max(1, int(self.octets_per_second / BURSTS))):
                due = part.due
                free = max(free, due) + len(part.octets) / self.octets_per_second
                part.waits[attachment] = free - due
                shaped.append(part)
        lane.memory[attachment] = free
        return shaped


@dataclass(frozen=True, slots=True)
class Slice(_BothWays):
    """Send octets in small pieces.

    Without a pause between them, the system may put pieces together again.

    Attributes:
        size: octets of a piece.
        pause: seconds between two.
    """

    size: int = 1
    pause: float = 0.0

    def __post_init__(self) -> None:
        at_least(1, size=self.size)
        at_least(0, pause=self.pause)

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        shaped = []
        for item in items:
            for number, part in enumerate(_cut(item, self.size)):
                if self.pause:
                    part.waits[attachment] = number * self.pause
                shaped.append(part)
        return shaped


@dataclass(frozen=True, slots=True)
class BlackHole(_BothWays):
    """Take octets and forward none, nor the end of the stream, until it is removed; then everything goes on.

    Both directions unless it is aimed. Aimed at a message, what comes behind on the same way waits too.
    """

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        items = list(items)
        for item in items:
            item.waits[attachment] = math.inf
        return items


@dataclass(frozen=True, slots=True)
class HalfOpen(StreamFault):
    """Lose one direction: its octets, and its end, vanish, and neither side is told.

    Aimed at a message, from there on. A connection that has lost something is reset when the fault is removed, as by a host that
    comes back and does not know it.
    """

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        lane.memory[attachment] = 1
        lane.dead = True
        return ()

    def released(self, lane: Lane, attachment: Attachment) -> None:
        if attachment in lane.memory:
            lane.conversation.end(reset=True)


class _Ending(StreamFault):
    """End the connection at the message aimed at, or at once, that is: every connection as soon as it is made."""

    __slots__ = ()
    directions: ClassVar[tuple[Direction, ...]] = (TO_SERVER, TO_CLIENT)
    reset: ClassVar[bool]
    after: bool

    @property
    def by_message(self) -> bool:
        return self.after

    def opened(self, lane: Lane, attachment: Attachment) -> None:
        attachment.struck += 1
        lane.conversation.end(reset=self.reset)

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        if self.after and not last:
            return items
        lane.conversation.end(reset=self.reset)
        return items if self.after else ()


@dataclass(frozen=True, slots=True)
class Reset(_Ending):
    """End the connection with RST, on both sides: every one as soon as it is made, or at the message aimed at.

    Attributes:
        after: let the message pass before; without an aim, the first.
    """

    reset: ClassVar[bool] = True
    after: bool = False


@dataclass(frozen=True, slots=True)
class Close(_Ending):
    """End the connection with FIN, on both sides: every one as soon as it is made, or at the message aimed at.

    Attributes:
        after: let the message pass before; without an aim, the first.
    """

    reset: ClassVar[bool] = False
    after: bool = False


@dataclass(frozen=True, slots=True)
class SlowClose(_BothWays):
    """Have the end of the stream arrive later; it cannot be aimed at messages.

    Attributes:
        seconds: that it takes longer.
    """

    streams_only: ClassVar[bool] = True
    seconds: float

    def __post_init__(self) -> None:
        at_least(0, seconds=self.seconds)

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        items = list(items)
        for item in items:
            if not item.octets:
                item.waits[attachment] = self.seconds
        return items


@dataclass(frozen=True, slots=True)
class DataLimit(StreamFault):
    """End the connection, with FIN on both sides, once so many octets have passed on it one way.

    Attributes:
        octets: that pass; of the messages aimed at, or of all.
    """

    octets: int

    def __post_init__(self) -> None:
        at_least(0, octets=self.octets)

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        passing = []
        left = lane.memory.get(attachment, self.octets)
        for item in items:
            if len(item.octets) >= left and item.octets:
                item.octets = item.octets[: int(left)]
                lane.conversation.end()
                if item.octets:
                    passing.append(item)
                break
            left -= len(item.octets)
            passing.append(item)
        lane.memory[attachment] = left
        return passing


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """Close the port: whoever connects is refused, until the fault is removed; connections that are there stay.

    The system refuses, so nobody counts: `struck` stays 0.
    """

    directions: ClassVar[tuple[Direction, ...]] = ()
    streams_only: ClassVar[bool] = True

"""Faults of GIOP: messages that get lost, late, doubled, out of order, broken, or come in pieces.

They are on the way to the client, and strike replies, unless they are aimed at the way to the server.

Source: CORBA 3.3 part 2, clause 9.4 "GIOP Message Formats".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from iiop.exceptions import IIOPError
from iiop.giop.fragments import FRAGMENTABLE, split
from iiop.giop.header import HEADER_SIZE, put_size
from iiop.giop.messages import GIOP_1_2, MessageType, Reply, Request
from iiop.giop.wire import decode, encode
from iiop_lab.faults.aim import Direction
from iiop_lab.faults.conversation import Lane
from iiop_lab.faults.fault import TO_CLIENT, Attachment, MessageFault, StreamFault, Timed
from iiop_lab.faults.stream import Sighting
from iiop_lab.faults.tcp import at_least

__all__ = [
    "Corrupt",
    "Delay",
    "Drop",
    "Duplicate",
    "Fragmented",
    "StalledFragment",
    "SwapReplies",
    "Truncate",
    "WrongRequestId",
]

SMALLEST_FRAGMENT = 32


@dataclass(frozen=True, slots=True)
class Drop(StreamFault):
    """Lose messages."""

    @property
    def by_message(self) -> bool:
        return True

    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        return ()


@dataclass(frozen=True, slots=True)
class Delay(MessageFault):
    """Deliver messages later; others overtake them, as where a server takes longer for some calls (see `Latency`).

    Attributes:
        seconds: that they are late.
    """

    seconds: float

    def __post_init__(self) -> None:
        at_least(0, seconds=self.seconds)

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        lane.later(octets, self.seconds, attachment)
        return []


@dataclass(frozen=True, slots=True)
class Duplicate(MessageFault):
    """Deliver messages more than once.

    Attributes:
        times: how often in all.
    """

    times: int = 2

    def __post_init__(self) -> None:
        at_least(1, times=self.times)

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        return [octets] * self.times


@dataclass(frozen=True, slots=True)
class SwapReplies(MessageFault):
    """Keep a reply until the next that is struck on the same connection, and deliver it behind that.

    A client that waits for the first reply before it sends the next request waits until the fault is removed.
    """

    directions: ClassVar[tuple[Direction, ...]] = (TO_CLIENT,)

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        kept = lane.take_back(attachment)
        if kept:
            return [octets, *kept]
        lane.later(octets, math.inf, attachment)
        return []


@dataclass(frozen=True, slots=True)
class WrongRequestId(MessageFault):
    """Deliver messages under the id of another request.

    Attributes:
        offset: what is added to the id, modulo 2**32.
    """

    offset: int = 1000

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        try:
            whole = decode(octets, lane.conversation.limits)
            if not isinstance(whole, (Request, Reply)):
                return None
            return [encode(replace(whole, request_id=(whole.request_id + self.offset) & 0xFFFFFFFF))]
        except IIOPError:
            return None


@dataclass(frozen=True, slots=True)
class Truncate(MessageFault):
    """Deliver the first octets of a message only.

    Attributes:
        keep: octets that are delivered; a message that has no more passes.
        mend: make the message one that is whole, but too short for what it says; otherwise FIN follows on both sides.
    """

    keep: int
    mend: bool = False

    def __post_init__(self) -> None:
        at_least(HEADER_SIZE if self.mend else 0, keep=self.keep)

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        if len(octets) <= self.keep:
            return None
        kept = bytearray(octets[: self.keep])
        if self.mend:
            put_size(kept)
        else:
            lane.conversation.end()
        return [bytes(kept)] if kept else []


@dataclass(frozen=True, slots=True)
class Corrupt(MessageFault):
    """Change one octet of a message.

    Attributes:
        offset: which, from the first of the message; negative from its end; None for any, by chance. A message that does not
            have it passes.
        value: to what; None for any other than it is, by chance.
        seed: of the chance.
    """

    offset: int | None = None
    value: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.value is not None and not 0 <= self.value <= 255:
            raise ValueError(f"value={self.value}: must be 0 to 255")

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        chance = attachment.random
        offset = chance.randrange(len(octets)) if self.offset is None else self.offset
        if not -len(octets) <= offset < len(octets):
            return None
        changed = bytearray(octets)
        changed[offset] = changed[offset] ^ chance.randrange(1, 256) if self.value is None else self.value
        return [bytes(changed)]


def _split(octets: bytes, message: Sighting, size: int) -> list[bytes] | None:
    """Return the fragments of a message; None if there is but one, or its version has none."""
    version = message.header.version
    if MessageType(octets[7]) not in FRAGMENTABLE[version]:
        return None
    pieces = split(octets, version, size)
    return pieces if len(pieces) > 1 else None


@dataclass(frozen=True, slots=True)
class Fragmented(MessageFault):
    """Deliver messages in fragments; those of GIOP 1.0, which has none, pass.

    Attributes:
        size: octets of a fragment, its header included, at least 32; rounded down to what the alignment of data asks for.
    """

    size: int

    def __post_init__(self) -> None:
        at_least(SMALLEST_FRAGMENT, size=self.size)

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        return _split(octets, message, self.size)


@dataclass(frozen=True, slots=True)
class StalledFragment(MessageFault):
    """Deliver messages in fragments, the last of them late or never; messages that make one fragment, or of GIOP 1.0, pass.

    Other messages of GIOP 1.2 pass meanwhile; in 1.1 none may be among fragments, so what is behind waits.

    Attributes:
        size: octets of a fragment, as of `Fragmented`.
        seconds: that the last is late; None is until the fault is removed.
    """

    size: int
    seconds: float | None = None

    def __post_init__(self) -> None:
        at_least(SMALLEST_FRAGMENT, size=self.size)
        at_least(0, seconds=self.seconds or 0)

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        pieces = _split(octets, message, self.size)
        if pieces is None:
            return None
        seconds = math.inf if self.seconds is None else self.seconds
        if message.header.version >= GIOP_1_2:
            lane.later(pieces.pop(), seconds, attachment)
        else:
            *first, final = pieces
            for piece in first:
                lane.queue(piece, 0, attachment)
            lane.queue(final, seconds, attachment)
            return []
        return pieces

"""What a fault is, and what holds it to a proxy. No socket, no clock: times are numbers, chance is seeded.

A fault is a frozen dataclass of its parameters, and keeps nothing; what happens to it is kept by its `Attachment`. There are two
kinds, and a third that concerns no connection (`iiop_lab.faults.tcp.Refuse`):

- a `StreamFault` shapes octets as they pass, message or not, and holds no more of them than the lane does;
- a `MessageFault` gets whole messages, and says which pass instead.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from iiop.giop.messages import MessageType
from iiop_lab.faults.aim import Aim, Direction, Trigger
from iiop_lab.faults.stream import Asked, Sighting

if TYPE_CHECKING:
    from iiop_lab.faults.conversation import Lane

__all__ = ["Attachment", "Fault", "MessageFault", "StreamFault", "Timed"]

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT

_COUNTED = {TO_SERVER: MessageType.Request, TO_CLIENT: MessageType.Reply}


@dataclass(frozen=True, slots=True)
class Fault:
    """Stand above all faults.

    Attributes:
        directions: the ways it can be on; it is at home on the first.
        both_ways: whether it is on all of them unless its aim says more.
        streams_only: whether it cannot be aimed at messages.
        knows_request: whether it must know what a reply answers.
    """

    directions: ClassVar[tuple[Direction, ...]] = (TO_CLIENT, TO_SERVER)
    both_ways: ClassVar[bool] = False
    streams_only: ClassVar[bool] = False
    knows_request: ClassVar[bool] = False

    @property
    def by_message(self) -> bool:
        """Tell whether it strikes single messages even where its aim says nothing."""
        return False

    def opened(self, lane: Lane, attachment: Attachment) -> None:
        """Meet a connection, new or there when the fault is attached. Not called where single messages are meant."""

    def released(self, lane: Lane, attachment: Attachment) -> None:
        """Leave a connection; what was held back of it has been let go."""


@dataclass(slots=True, eq=False)
class Timed:
    """Hold octets on their way, and how long who keeps them; none stand for the end of the stream."""

    octets: bytes
    arrived: float
    waits: dict[Attachment, float] = field(default_factory=dict)

    @property
    def due(self) -> float:
        """Return when they may go, in seconds of the clock; never is infinity."""
        return self.arrived + sum(self.waits.values()) if self.waits else self.arrived


class StreamFault(Fault, ABC):
    """Stand above what shapes the stream of octets."""

    __slots__ = ()

    @abstractmethod
    def shape(self, items: Iterable[Timed], lane: Lane, attachment: Attachment, *, last: bool) -> Iterable[Timed]:
        """Return what is to pass instead.

        Args:
            items: what passes; one without octets is the end of the stream.
            lane: the way it passes.
            attachment: what the fault is held by.
            last: whether a message ends with the items.
        """


class MessageFault(Fault, ABC):
    """Stand above what needs whole messages. They are put together for it, and pass in one piece, if they came in fragments."""

    __slots__ = ()

    @property
    def by_message(self) -> bool:
        return True

    @abstractmethod
    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        """Return the messages that pass instead of one; None if it cannot be struck, and passes as it is.

        Args:
            octets: the message.
            message: what was seen of it when it came.
            lane: the way it passes.
            attachment: what the fault is held by.
        """


class Attachment:
    """Hold a fault to a proxy until it is removed; as a context manager, until the end of the block.

    Attributes:
        fault: what strikes.
        aim: what it is aimed at.
        struck: how often it did: messages, or pieces of the stream where it is not aimed at messages.
        needle: octets that are in every request which the aim covers.
    """

    def __init__(self, fault: Fault, aim: Aim, remove: Callable[[Attachment], None]) -> None:
        if aim.direction is not None and aim.direction not in fault.directions:
            ways = " or ".join(fault.directions) or "no direction"
            raise ValueError(f"{type(fault).__name__} is for {ways}, not for {aim.direction}")
        if aim.at_messages and fault.streams_only:
            raise ValueError(f"{type(fault).__name__} cannot be aimed at messages")
        self.fault = fault
        self.aim = aim
        self.by_message = fault.by_message or aim.at_messages
        everywhere = aim.direction is None and fault.both_ways and not self.by_message
        self.directions = fault.directions if everywhere or not fault.directions else (aim.direction or fault.directions[0],)
        self.struck = 0
        self.random = random.Random(getattr(fault, "seed", 0))
        self._trigger = Trigger(aim)
        self._remove = remove
        self.needle = (aim.operation.encode("latin-1", "replace") + b"\0") if aim.operation is not None else aim.target or b""
        self.wants_replies = TO_CLIENT in self.directions and self.by_message and (aim.at_object or fault.knows_request)

    def __repr__(self) -> str:
        return f"<{self.fault} at {self.aim}: struck {self.struck} of {self.seen}>"

    @property
    def seen(self) -> int:
        """Return how many messages its aim has left to `nth`, `every` and `probability`."""
        return self._trigger.seen

    def remove(self) -> None:
        """Take the fault away, at once, and let go what it held back. Once it is away, this does nothing. From any thread."""
        self._remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    def may_want(self, request: Sighting) -> bool:
        """Tell, without decoding it, whether a request can be one that the aim covers."""
        return request.mentions(self.needle)

    def covers(self, asked: Asked) -> bool:
        """Tell whether what is asked is what the aim covers."""
        return self.aim.covers(asked.operation, asked.target)

    def picks(self, message: Sighting, direction: Direction, asked: Callable[[], Asked]) -> bool:
        """Tell whether a message that passes is to be struck, and count it if the aim covers it."""
        if not self.by_message or direction not in self.directions or message.header.message_type is not _COUNTED[direction]:
            return False
        if self.aim.at_object and not ((direction is TO_CLIENT or self.may_want(message)) and self.covers(asked())):
            return False
        return self._trigger.pull()

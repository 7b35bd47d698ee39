"""What a fault is aimed at. Knows messages by what they ask for, no octets, and no fault."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from enum import StrEnum

__all__ = ["Aim", "Direction", "Trigger"]


class Direction(StrEnum):
    """Name the two ways through a proxy."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """State what a fault strikes: every message or octet that passes its way, unless more is said.

    Messages are what a direction is for: the requests on their way to the server, the replies on their way to the client (a
    reply counts for the operation and target of its request). Other messages are neither counted nor struck. `nth` and `every`
    count the messages that direction, target and operation leave, over all connections, from the attachment on.

    Attributes:
        direction: None for the way on which the fault is at home.
        target: object key of the object asked.
        operation: as in the request header, `_get_balance` for an attribute.
        nth: strike this one only, the first is 1.
        every: strike each of which the count is a multiple of this.
        probability: strike this share of them, by chance.
        seed: of that chance: the same seed strikes the same messages.

    Raises:
        ValueError: a count below 1, a probability outside 0 to 1, no such direction.
    """

    direction: Direction | None = None
    target: bytes | None = None
    operation: str | None = None
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.direction is not None:
            object.__setattr__(self, "direction", Direction(self.direction))
        for name in ("nth", "every"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"{name}={count}: messages are counted from 1")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"probability={self.probability}: must be 0 to 1")

    @property
    def at_object(self) -> bool:
        """Tell whether it matters what is asked of whom."""
        return self.target is not None or self.operation is not None

    @property
    def at_messages(self) -> bool:
        """Tell whether single messages are meant, not all that passes."""
        return any(getattr(self, member.name) is not None for member in fields(self) if member.name not in ("direction", "seed"))

    def covers(self, operation: str | None, target: bytes | None) -> bool:
        """Tell whether a message that asks this of that object is meant; None where it is not known."""
        return self.operation in (None, operation) and self.target in (None, target)


class Trigger:
    """Count the messages that an aim leaves, and pull at those it picks."""

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._random = random.Random(aim.seed)
        self.seen = 0

    def pull(self) -> bool:
        """Count one message; tell whether it is to be struck."""
        aim = self._aim
        self.seen += 1
        chance = aim.probability is None or self._random.random() < aim.probability
        return chance and aim.nth in (None, self.seen) and (aim.every is None or self.seen % aim.every == 0)

"""Whether a target gets work: two states, moved by what is seen of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

__all__ = ["HEALTH", "Health", "Sign", "TargetState"]

T = TypeVar("T", bound=Hashable)


class Health(Enum):
    """Say whether a target is in the set that gets work."""

    ALIVE = "ALIVE"
    DEAD = "DEAD"


class Sign(Enum):
    """Say what was seen of a target: an answer, or a failure."""

    ANSWERED = "ANSWERED"
    FAILED = "FAILED"


HEALTH: dict[tuple[Health, Sign], Health] = {
    (Health.ALIVE, Sign.ANSWERED): Health.ALIVE,
    (Health.ALIVE, Sign.FAILED): Health.DEAD,
    (Health.DEAD, Sign.ANSWERED): Health.ALIVE,
    (Health.DEAD, Sign.FAILED): Health.DEAD,
}


@dataclass(frozen=True, slots=True)
class TargetState(Generic[T]):
    """Show one target as it was at one moment.

    Attributes:
        target: the target.
        health: whether it gets work.
        since: seconds, when it got this health.
        picks: how often it was picked.
        deaths: how often it went from ALIVE to DEAD.
        next_probe: seconds, when it is to be probed next; None if it is not.
    """

    target: T
    health: Health
    since: float
    picks: int
    deaths: int
    next_probe: float | None

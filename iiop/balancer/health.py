"""Whether a target gets work: whether it answers, which is seen of it, and whether it is to, which is said of it.

What it answers is a table of two states. Beside that, a target is taken out by whoever maintains it, by a monitored WorkUnit of
its that stopped, or by a limit that it is over; work that is under way there is not cut off by any of these.

Source: Interstage High Availability System Guide (B1WS-1092-03ENZ0) 1.1.5, 3.4.1, 3.4.2.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from iiop.balancer.measures import Decaying, Latencies, Measure, Threshold

__all__ = ["HEALTH", "Health", "Sign", "Standing", "TargetState"]

T = TypeVar("T", bound=Hashable)


class Health(Enum):
    """Say whether a target answers."""

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


class Standing(Enum):
    """Say whether a target gets new work, and if not, the first reason why."""

    SERVING = "serving"
    MAINTENANCE = "maintenance"
    DEAD = "dead"
    DEGRADED = "degraded"
    """A monitored WorkUnit has stopped."""
    FULL = "full"
    """It is over a limit, and not yet below the restoration value."""


@dataclass(slots=True, eq=False)
class TargetState(Generic[T]):
    """Show one target; only its balancer changes it.

    Attributes:
        target: the target.
        health: whether it answers.
        since: seconds, when it got this health.
        picks: how often it was picked.
        deaths: how often it went from ALIVE to DEAD.
        next_probe: seconds, when it is to be probed next; None if it is not.
        maintenance: whether it is in the maintenance phase.
        stopped: monitored WorkUnits of its that do not run.
        over: the limits that it was over when last looked at.
        under_way: work that has begun there and not ended.
        response_time: seconds, see `Measure`; 0 as long as nothing has ended.
        latencies: of all that was answered.
        octets: that went there and back in all.
        reported: numbers that it reported last.
    """

    target: T
    health: Health
    since: float
    next_probe: float | None
    quantity: Decaying
    picks: int = 0
    deaths: int = 0
    maintenance: bool = False
    stopped: frozenset[str] = frozenset()
    over: tuple[Threshold, ...] = ()
    under_way: int = 0
    response_time: float = 0.0
    latencies: Latencies = field(default_factory=Latencies)
    octets: int = 0
    reported: dict[Measure, float] = field(default_factory=dict)

    @property
    def stays(self) -> bool:
        """Tell whether clients that are bound to it may stay: maintenance drains, and a limit keeps away, new ones only."""
        return self.health is Health.ALIVE and not self.stopped

    @property
    def gets_work(self) -> bool:
        """Tell whether it gets new work, unless it is full."""
        return self.health is Health.ALIVE and not (self.maintenance or self.stopped)

    @property
    def standing(self) -> Standing:
        """Return why it gets no work, or that it does."""
        if self.maintenance:
            return Standing.MAINTENANCE
        if self.health is Health.DEAD:
            return Standing.DEAD
        if self.stopped:
            return Standing.DEGRADED
        return Standing.FULL if self.over else Standing.SERVING

    def measure(self, measure: Measure, now: float) -> float:
        """Return what is known of it, 0 where nothing is."""
        if measure is Measure.CONNECTIONS:
            return self.under_way
        if measure is Measure.RESPONSE_TIME:
            return self.response_time
        if measure is Measure.DATA_QUANTITY:
            return self.quantity.value(now)
        return self.reported.get(measure, 0.0)

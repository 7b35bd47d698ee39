"""What can be measured of a target, and the limits between which it gets no work.

Knows numbers; must not know where they come from: some are seen by whoever distributes, others are reported by the targets.

Source: Interstage High Availability System Guide (B1WS-1092-03ENZ0) 1.1.2 to 1.1.5. It names what is measured and how the two
limits work, not how numbers become a choice: that is ours (`iiop.balancer.policies`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from math import exp, log

__all__ = ["OBSERVED", "Decaying", "Latencies", "Measure", "Threshold"]


class Measure(Enum):
    """Name a number that is known of a target."""

    CONNECTIONS = "connections"
    """Work under way, in calls or connections, whichever is distributed."""
    RESPONSE_TIME = "response_time"
    """Seconds, of work that has ended; the last quarter of it counts as much as all before."""
    DATA_QUANTITY = "data_quantity"
    """Octets that went through; half of them are forgotten every `half_life` of the balancer."""
    CPU = "cpu"
    """Use, from 0 to 1, as reported."""
    MEMORY = "memory"
    """Use, from 0 to 1, as reported."""
    DISK_IO = "disk_io"
    """Use, from 0 to 1, as reported."""
    WAITING_MESSAGES = "waiting_messages"
    """Requests that wait in the queues of its WorkUnits, as reported."""
    BUFFER_USE = "buffer_use"
    """Use of the communication buffer, from 0 to 1, as reported."""


OBSERVED = frozenset({Measure.CONNECTIONS, Measure.RESPONSE_TIME, Measure.DATA_QUANTITY})
"""Those that whoever distributes sees; the others are reported."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Give a target no work from `upper` on, until the number is below `restoration`.

    Raises:
        ValueError: `restoration` is above `upper`, or the measure is the response time, which does not change without work.
    """

    measure: Measure
    upper: float
    restoration: float

    def __post_init__(self) -> None:
        if self.restoration > self.upper:
            raise ValueError(f"restoration {self.restoration} is above the upper limit {self.upper} of {self.measure.value}")
        if self.measure is Measure.RESPONSE_TIME:
            raise ValueError("a target that gets no work has no response time: it would never be restored")

    def is_full(self, value: float, was_full: bool) -> bool:
        """Tell whether a target is over its limit, from its number now and whether it was before."""
        return value >= self.upper or (was_full and value >= self.restoration)


class Decaying:
    """Sum up amounts, and forget half of them every `half_life` seconds."""

    __slots__ = ("_at", "_half_life", "_sum")

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._sum = 0.0
        self._at = 0.0

    def add(self, amount: float, now: float) -> None:
        """Count an amount."""
        self._sum = self.value(now) + amount
        self._at = now

    def value(self, now: float) -> float:
        """Return what is left of all amounts."""
        return float(self._sum * 0.5 ** ((now - self._at) / self._half_life)) if self._sum else 0.0


_PER_E = 10
"""Classes of times in each factor of e: one is 1.105 times the next."""
_SECOND = 210
"""The class of 1 second; as many are below it, down to a nanosecond."""
_CLASSES = 300
"""So that the last begins at two hours."""


class Latencies:
    """Count times by their logarithms: their number, and any quantile to 5 percent, in memory that does not grow."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [0] * _CLASSES

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(self._counts)

    def add(self, seconds: float) -> None:
        """Count a time."""
        try:
            at = int(log(seconds) * _PER_E + _SECOND)
            self._counts[at if at > 0 else 0] += 1
        except ValueError:  # nothing has no logarithm
            self._counts[0] += 1
        except (IndexError, OverflowError):
            self._counts[-1] += 1

    def quantile(self, share: float) -> float | None:
        """Return the time, in seconds, that this share of them took at most; None if there are none.

        Args:
            share: from 0 to 1; 0.5 for the median.
        """
        rank = share * len(self)
        for at, count in enumerate(self._counts):
            rank -= count
            if count and rank <= 0:
                return exp((at + 0.5 - _SECOND) / _PER_E)
        return None

    @classmethod
    def together(cls, several: Iterable[Latencies]) -> Latencies:
        """Return what several have counted."""
        found = cls()
        found._counts = [sum(counts) for counts in zip(found._counts, *(each._counts for each in several), strict=True)]
        return found

"""Which of the targets that get work gets the next unit of it: a call, a connection, whatever the shell distributes.

The policies are those that the Interstage High Availability System Guide (B1WS-1092-03ENZ0, 1.1.2) names: round robin, numbers of
connections, response time, data quantity, load (CPU, memory, disk I/O), static weights, waiting messages, communication buffer;
and random, as other balancers have it. How numbers become a choice it does not say: the target with the least gets the work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from iiop.balancer.health import TargetState
from iiop.balancer.measures import Measure

__all__ = ["LOAD", "DistributionPolicy", "Least", "Random", "RoundRobin", "Weighted"]

T = TypeVar("T", bound=Hashable)

LOAD = (Measure.CPU, Measure.MEMORY, Measure.DISK_IO)
"""What the method of load measurement looks at; the greatest of them is the load."""


class DistributionPolicy(Protocol[T]):
    """Choose a target; may remember what it chose, and serves one balancer only."""

    def choose(self, live: Sequence[TargetState[T]], now: float) -> T:
        """Choose one of `live`, which is never empty and keeps the order of the balancer's targets.

        Args:
            live: the targets that may be chosen.
            now: seconds.
        """
        ...


class RoundRobin(Generic[T]):
    """Choose whichever live target waited longest for its turn, in the order of the targets at first.

    While the live set stays the same this is the plain rotation. A target that leaves does not make its neighbour take two turns
    in succession, and one that returns comes next.
    """

    def __init__(self) -> None:
        self._turns: dict[T, int] = {}
        self._turn = 0

    def choose(self, live: Sequence[TargetState[T]], now: float) -> T:
        """Choose the next in turn."""
        turns, self._turn = self._turns, self._turn + 1
        first = self._turn
        for state in live:
            turn = turns.get(state.target, 0)
            if turn < first:
                first, target = turn, state.target
        turns[target] = self._turn
        return target


class Random(Generic[T]):
    """Choose any, each as likely as the others.

    Args:
        chance: returns a number from 0 to below 1, as `random.Random(seed).random` does, whose numbers repeat.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance

    def choose(self, live: Sequence[TargetState[T]], now: float) -> T:
        """Choose by chance."""
        return live[int(self._chance() * len(live))].target


class Least(Generic[T]):
    """Choose the target with the least of a measure; among equals, the next in turn.

    Args:
        measures: of several, the greatest of a target counts.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, *measures: Measure) -> None:
        if not measures:
            raise ValueError("least of what?")
        self._measures = measures
        self._turns: RoundRobin[T] = RoundRobin()

    def choose(self, live: Sequence[TargetState[T]], now: float) -> T:
        """Choose the target with the least."""
        numbers = [max(state.measure(measure, now) for measure in self._measures) for state in live]
        least = min(numbers)
        return self._turns.choose([state for state, number in zip(live, numbers, strict=True) if number == least], now)


class Weighted(Generic[T]):
    """Choose targets in proportion to their weights, spread evenly.

    With weights 3 and 1, of any four choices in succession three are the first target's, and one the second's.

    Args:
        weights: of the targets; of those left out, 1. One of weight 0 gets work only if nobody else does.

    Raises:
        ValueError: a weight is negative.
    """

    def __init__(self, weights: Mapping[T, float]) -> None:
        for target, weight in weights.items():
            if not weight >= 0:
                raise ValueError(f"weight of {target}: {weight} is negative")
        self._weights = weights
        self._credit: dict[T, float] = {}

    def choose(self, live: Sequence[TargetState[T]], now: float) -> T:
        """Choose whoever is owed most, when each has been given its weight."""
        credit, total = self._credit, 0.0
        for state in live:
            weight = self._weights.get(state.target, 1.0)
            credit[state.target] = credit.get(state.target, 0.0) + weight
            total += weight
        able = [state for state in live if self._weights.get(state.target, 1.0)] or live
        target = max(able, key=lambda state: credit[state.target]).target
        credit[target] -= total
        return target

"""Which of the live targets gets the next unit of work: a call, a connection, whatever the shell balances."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from iiop.balancer.health import TargetState

__all__ = ["DistributionPolicy", "RoundRobin"]

T = TypeVar("T", bound=Hashable)


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
        target = min(live, key=lambda state: self._turns.get(state.target, 0)).target
        self._turn += 1
        self._turns[target] = self._turn
        return target

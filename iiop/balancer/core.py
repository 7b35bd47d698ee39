"""The set of targets behind a virtual host: who is alive, who is next, who is to be probed when.

Knows targets as hashable things; must not know addresses, sockets, clocks or threads: `now` is an argument, in seconds on a clock
that never goes back. A target marked dead is not picked from that moment on, and one marked alive can be picked at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from iiop.balancer.health import HEALTH, Health, Sign, TargetState
from iiop.balancer.policies import DistributionPolicy, RoundRobin

__all__ = ["Balancer"]

T = TypeVar("T", bound=Hashable)


class _Target:
    __slots__ = ("deaths", "health", "next_probe", "picks", "since")

    def __init__(self, since: float, next_probe: float | None) -> None:
        self.health = Health.ALIVE
        self.since = since
        self.picks = 0
        self.deaths = 0
        self.next_probe = next_probe


class Balancer(Generic[T]):
    """Distribute work over live targets, and say which targets to probe.

    Args:
        targets: in the order of the first rotation; all are taken for alive.
        policy: chooses among the live ones; a `RoundRobin` of its own if not given.
        probe_interval: seconds from the death of a target to its first probe, and between probes.
        probe_live: probe live targets too, so that a silent death is noticed before a client meets it.
        now: seconds; the first probes of live targets count from here.

    Raises:
        ValueError: a target comes twice, or the interval is not positive.
    """

    def __init__(
        self,
        targets: Iterable[T],
        policy: DistributionPolicy[T] | None = None,
        *,
        probe_interval: float = 1.0,
        probe_live: bool = False,
        now: float = 0.0,
    ) -> None:
        if not probe_interval > 0:
            raise ValueError(f"probe_interval: {probe_interval} is not positive")
        self._policy: DistributionPolicy[T] = RoundRobin() if policy is None else policy
        self._interval = probe_interval
        self._probe_live = probe_live
        self._targets: dict[T, _Target] = {}
        for target in targets:
            if target in self._targets:
                raise ValueError(f"target {target} comes twice")
            self._targets[target] = _Target(now, now + probe_interval if probe_live else None)

    @property
    def targets(self) -> tuple[T, ...]:
        """All targets, in their order."""
        return tuple(self._targets)

    @property
    def live(self) -> tuple[T, ...]:
        """The targets that get work, in their order."""
        return tuple(target for target, entry in self._targets.items() if entry.health is Health.ALIVE)

    def state(self, target: T) -> TargetState[T]:
        """Show one target.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        return self._view(target, self._entry(target))

    def pick(self, now: float) -> T | None:
        """Choose the target of the next unit of work, and count it; None if no target is alive.

        Raises:
            ValueError: the policy chose what it was not offered.
        """
        live = tuple(self._view(t, entry) for t, entry in self._targets.items() if entry.health is Health.ALIVE)
        if not live:
            return None
        target = self._policy.choose(live, now)
        entry = self._entry(target)
        if entry.health is not Health.ALIVE:
            raise ValueError(f"policy {type(self._policy).__name__} chose {target}, which is not alive")
        entry.picks += 1
        return target

    def mark_dead(self, target: T, now: float) -> bool:
        """Tell that a target failed, in traffic or under a probe.

        Returns:
            Whether it was alive until now.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        return self._saw(target, Sign.FAILED, now)

    def mark_alive(self, target: T, now: float) -> bool:
        """Tell that a target answered.

        Returns:
            Whether it was dead until now.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        return self._saw(target, Sign.ANSWERED, now)

    def probes_due(self, now: float) -> tuple[T, ...]:
        """Hand out the targets to probe now; each comes again one interval from now, whatever becomes of the probe."""
        due = tuple(t for t, entry in self._targets.items() if entry.next_probe is not None and entry.next_probe <= now)
        for target in due:
            self._targets[target].next_probe = now + self._interval
        return due

    def next_probe_at(self) -> float | None:
        """Say when the next probe is due, in seconds; None if none is."""
        return min((entry.next_probe for entry in self._targets.values() if entry.next_probe is not None), default=None)

    def _entry(self, target: T) -> _Target:
        try:
            return self._targets[target]
        except KeyError:
            raise ValueError(f"{target} is not a target of this balancer") from None

    def _view(self, target: T, entry: _Target) -> TargetState[T]:
        return TargetState(target, entry.health, entry.since, entry.picks, entry.deaths, entry.next_probe)

    def _saw(self, target: T, sign: Sign, now: float) -> bool:
        entry = self._entry(target)
        health = HEALTH[entry.health, sign]
        if health is entry.health:
            return False
        entry.health = health
        entry.since = now
        entry.deaths += health is Health.DEAD
        entry.next_probe = now + self._interval if health is Health.DEAD or self._probe_live else None
        return True

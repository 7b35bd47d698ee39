"""The set of targets behind a virtual host: who gets work, who is next, who is to be probed when.

Knows targets as hashable things; must not know addresses, sockets, clocks or threads: `now` is an argument, in seconds on a clock
that never goes back. A target marked dead is not picked from that moment on, and one marked alive can be picked at once.
Whoever distributes tells what it sees of them (`began`, `ended`), and passes on what they report (`report`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import inf
from typing import Generic, TypeVar

from iiop.balancer.health import HEALTH, Health, Sign, TargetState
from iiop.balancer.measures import OBSERVED, Decaying, Measure, Threshold
from iiop.balancer.policies import DistributionPolicy, RoundRobin

__all__ = ["Balancer"]

T = TypeVar("T", bound=Hashable)

_NEWEST = 0.25
"""What the last response counts in the response time."""


class Balancer(Generic[T]):
    """Distribute work over live targets, and say which targets to probe.

    Args:
        targets: in the order of the first rotation; all are taken for alive.
        policy: chooses among those that get work; a `RoundRobin` of its own if not given.
        thresholds: limits over which a target gets no work.
        probe_interval: seconds from the death of a target to its first probe, and between probes.
        probe_live: probe live targets too, so that a silent death is noticed before a client meets it.
        half_life: seconds after which `DATA_QUANTITY` has forgotten half of an amount.
        on_limit: is told when a target is found over a limit, or below its restoration value: target, limit, its number.
        now: seconds; the first probes of live targets count from here.

    Raises:
        ValueError: a target comes twice, or an interval is not positive.
    """

    def __init__(
        self,
        targets: Iterable[T],
        policy: DistributionPolicy[T] | None = None,
        *,
        thresholds: Iterable[Threshold] = (),
        probe_interval: float = 1.0,
        probe_live: bool = False,
        half_life: float = 10.0,
        on_limit: Callable[[T, Threshold, float], None] | None = None,
        now: float = 0.0,
    ) -> None:
        for name, seconds in (("probe_interval", probe_interval), ("half_life", half_life)):
            if not seconds > 0:
                raise ValueError(f"{name}: {seconds} is not positive")
        self._policy: DistributionPolicy[T] = RoundRobin() if policy is None else policy
        self._interval = probe_interval
        self._probe_live = probe_live
        self._thresholds = tuple(thresholds)
        self._on_limit = on_limit
        self._targets: dict[T, TargetState[T]] = {}
        first_probe = now + probe_interval if probe_live else None
        for target in targets:
            if target in self._targets:
                raise ValueError(f"target {target} comes twice")
            self._targets[target] = TargetState(target, Health.ALIVE, now, first_probe, Decaying(half_life))
        self._in_service = tuple(self._targets.values())

    @property
    def targets(self) -> tuple[T, ...]:
        """All targets, in their order."""
        return tuple(self._targets)

    @property
    def live(self) -> tuple[T, ...]:
        """The targets that get work, unless they are full, in their order."""
        return tuple(state.target for state in self._in_service)

    def state(self, target: T) -> TargetState[T]:
        """Show one target; what is shown goes on changing.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        return self._entry(target)

    def pick(self, now: float) -> T | None:
        """Choose the target of the next unit of work, and count it; None if none gets work.

        Raises:
            ValueError: the policy chose what it was not offered.
        """
        if self._thresholds:
            self.look(now)
            able = tuple([entry for entry in self._in_service if not entry.over])
        else:
            able = self._in_service
        if not able:
            return None
        target = self._policy.choose(able, now)
        entry = self._entry(target)
        if entry not in able:
            raise ValueError(f"policy {type(self._policy).__name__} chose {target}, which is {entry.standing.value}")
        entry.picks += 1
        return target

    def began(self, target: T) -> None:
        """Tell that a unit of work has begun at a target.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        self._entry(target).under_way += 1

    def ended(self, target: T, now: float, *, seconds: float | None = None, octets: int = 0) -> None:
        """Tell that a unit of work has ended.

        Args:
            target: where.
            now: seconds.
            seconds: how long the target took to answer; None if it did not.
            octets: that went there and back.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        entry = self._entry(target)
        entry.under_way -= 1
        self._served(entry, now, seconds, octets)

    def served(self, target: T, now: float, *, seconds: float | None = None, octets: int = 0) -> None:
        """Tell what a part of a unit of work took, such as a call of a connection; see `ended`.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        self._served(self._entry(target), now, seconds, octets)

    @staticmethod
    def _served(entry: TargetState[T], now: float, seconds: float | None, octets: int) -> None:
        if seconds is not None:
            entry.response_time += (seconds - entry.response_time) * (_NEWEST if entry.response_time else 1.0)
            entry.latencies.add(seconds)
        if octets:
            entry.octets += octets
            entry.quantity.add(octets, now)

    def report(self, target: T, measure: Measure, value: float) -> None:
        """Tell what a target has reported of itself.

        Raises:
            ValueError: it is not a target of this balancer; the measure is one that is seen, not reported; the value is none.
        """
        if measure in OBSERVED:
            raise ValueError(f"{measure.value} is not reported: whoever distributes sees it")
        if not 0 <= value < inf:
            raise ValueError(f"{measure.value}: {value} is no number that can be compared")
        self._entry(target).reported[measure] = value

    def look(self, now: float) -> None:
        """Find out which targets are over a limit; `pick` does, too."""
        for entry in self._targets.values():
            over = entry.over
            for limit in self._thresholds:
                value, was = entry.measure(limit.measure, now), limit in over
                if limit.is_full(value, was) is not was:
                    entry.over = tuple([each for each in entry.over if each is not limit]) if was else (*entry.over, limit)
                    if self._on_limit is not None:
                        self._on_limit(entry.target, limit, value)

    def maintain(self, target: T) -> bool:
        """Begin the maintenance phase of a target: it gets no new work, and what it has it may finish.

        Returns:
            Whether that is new.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        return self._maintained(target, True)

    def release(self, target: T) -> bool:
        """End the maintenance phase of a target.

        Returns:
            Whether it was in it.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        return self._maintained(target, False)

    def _maintained(self, target: T, maintenance: bool) -> bool:
        entry = self._entry(target)
        was, entry.maintenance = entry.maintenance, maintenance
        self._muster()
        return was is not maintenance

    def work_unit(self, target: T, name: str, now: float, *, runs: bool) -> bool:
        """Tell that a monitored WorkUnit of a target has stopped, or runs again; a target without one may be dead, and is probed.

        Returns:
            Whether that is new.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        entry = self._entry(target)
        was, entry.stopped = entry.stopped, entry.stopped - {name} if runs else entry.stopped | {name}
        if entry.health is Health.ALIVE and bool(was) is not bool(entry.stopped):
            self._plan_probe(entry, now)
        self._muster()
        return was != entry.stopped

    def take_over(self, known: TargetState[T]) -> None:
        """Take over what another balancer knows of whether a target is to get work.

        Raises:
            ValueError: it is not a target of this balancer.
        """
        entry = self._entry(known.target)
        entry.health, entry.since, entry.next_probe = known.health, known.since, known.next_probe
        entry.maintenance, entry.stopped, entry.reported = known.maintenance, known.stopped, dict(known.reported)
        self._muster()

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

    def _entry(self, target: T) -> TargetState[T]:
        try:
            return self._targets[target]
        except KeyError:
            raise ValueError(f"{target} is not a target of this balancer") from None

    def _muster(self) -> None:
        self._in_service = tuple(entry for entry in self._targets.values() if entry.gets_work)

    def _saw(self, target: T, sign: Sign, now: float) -> bool:
        entry = self._entry(target)
        health = HEALTH[entry.health, sign]
        if health is entry.health:
            return False
        entry.health = health
        entry.since = now
        entry.deaths += health is Health.DEAD
        self._plan_probe(entry, now)
        self._muster()
        return True

    def _plan_probe(self, entry: TargetState[T], now: float) -> None:
        doubtful = entry.health is Health.DEAD or entry.stopped
        entry.next_probe = now + self._interval if doubtful or self._probe_live else None

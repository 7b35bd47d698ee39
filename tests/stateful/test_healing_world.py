"""Whatever servers, Naming Services and networks do, and whenever they are killed or repaired, what a client promises holds.

- nothing that is not idempotent runs twice;
- nothing is reported done that was not, and nothing is reported not to have run that did;
- no call outlives its deadline by more than one overrun: the time by which the shell lets a step last longer than it was allowed.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from iiop.exceptions import UserException
from iiop.failover import FailoverPolicy, Selection, Semantics
from tests.failover import world as w
from tests.failover.test_scenarios import check_promises
from tests.failover.world import Behaviour, World

HOSTS = ["a", "b", "c"]
SERVICES = ["ns1", "ns2"]
BEHAVIOURS = [each for each in vars(w).values() if isinstance(each, Behaviour) and each is not w.not_found]
NOBODY_THERE = [w.refuses, w.black_hole, w.half_open, w.ipcom, w.stale, w.closes]

behaviours = st.one_of(
    st.just(w.answers),
    st.sampled_from(BEHAVIOURS),
    st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2).map(lambda targets: w.forwards(*targets)),
)
scripts = st.lists(behaviours, min_size=1, max_size=4)
places = st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3, unique=True)
resolutions = st.lists(st.one_of(places.map(" ".join), st.sampled_from([*NOBODY_THERE, w.not_found])), min_size=1, max_size=3)


class HealingWorld(RuleBasedStateMachine):
    """Call, kill, repair, rebind, in any order."""

    @initialize(selection=st.sampled_from(Selection), overrun=st.sampled_from([0.0, 0.05, 0.5]), known=places)
    def begin(self, selection: Selection, overrun: float, known: list[str]) -> None:
        self.world = World({}, {name: [" ".join(HOSTS)] for name in SERVICES}, selection, overrun)
        self.known = tuple(known)

    @rule(host=st.sampled_from(HOSTS), script=scripts)
    def changes(self, host: str, script: list[Behaviour]) -> None:
        self.world.restart(host, script)

    @rule(host=st.sampled_from(HOSTS))
    def is_repaired(self, host: str) -> None:
        self.world.restart(host, [w.answers])

    @rule(service=st.sampled_from(SERVICES), script=resolutions)
    def is_rebound(self, service: str, script: list[str | Behaviour]) -> None:
        self.world.names = {**self.world.names, service: script}
        self.world._asked[service] = 0

    @rule(known=places)
    def is_refreshed(self, known: list[str]) -> None:
        self.known = tuple(known)

    @rule(
        idempotent=st.booleans(),
        semantics=st.sampled_from(Semantics),
        rounds=st.integers(1, 4),
        deadline=st.sampled_from([0.5, 5.0, 60.0, 1e6]),
        backoff=st.sampled_from([0.0, 0.1, 3.0]),
        fresh=st.booleans(),
    )
    def calls(self, idempotent: bool, semantics: Semantics, rounds: int, deadline: float, backoff: float, fresh: bool) -> None:
        policy = FailoverPolicy(
            deadline=deadline, attempt_timeout=4.0, rounds=rounds, semantics=semantics, backoff_initial=backoff, forwards=3
        )
        world = self.world
        start, begun = world.now, len(world.trace)
        outcome = world.call(policy, () if fresh else self.known, idempotent=idempotent)
        check_promises(world, policy, outcome, idempotent=idempotent)
        assert world.now - start <= deadline + world.overrun + 1e-6, "the call outlived its deadline"
        if isinstance(outcome, Exception) and not isinstance(outcome, UserException):
            failed = [line for line in world.trace[begun:] if line != "wait" and "forwards" not in line and " -> " not in line]
            assert len(outcome.attempts) <= len(failed), "an attempt that nobody made"

    @rule()
    def recovers(self) -> None:
        """Once all is repaired, the next call is answered, whatever was before."""
        world = self.world
        for host in HOSTS:
            world.restart(host, [w.answers])
        for service in SERVICES:
            world.names = {**world.names, service: [" ".join(HOSTS)]}
        outcome = world.call(FailoverPolicy(), self.known, idempotent=False)
        assert outcome == self.known[0]


TestHealingWorld = HealingWorld.TestCase
TestHealingWorld.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)

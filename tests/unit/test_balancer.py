"""Distribution over targets that die and return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from iiop.balancer import HEALTH, Affinity, Balancer, Health, RoundRobin, Sign, TargetState


def picks(balancer: Balancer[str], count: int) -> list[str | None]:
    return [balancer.pick(0.0) for _ in range(count)]


def test_round_robin_in_the_order_of_the_targets() -> None:
    assert picks(Balancer(["a", "b", "c"]), 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_a_dead_target_leaves_at_once_and_returns_when_it_answers() -> None:
    balancer = Balancer(["a", "b", "c"])
    assert picks(balancer, 1) == ["a"]
    assert balancer.mark_dead("b", 1.0)
    assert balancer.live == ("a", "c")
    assert picks(balancer, 4) == ["c", "a", "c", "a"]
    assert balancer.mark_alive("b", 2.0)
    assert picks(balancer, 4) == ["b", "c", "a", "b"]


def test_no_target_takes_two_turns_in_succession_when_another_leaves() -> None:
    balancer = Balancer(["a", "b", "c", "d"])
    assert picks(balancer, 3) == ["a", "b", "c"]
    balancer.mark_dead("a", 1.0)
    assert picks(balancer, 4) == ["d", "b", "c", "d"]


def test_nobody_left() -> None:
    balancer = Balancer(["a", "b"])
    balancer.mark_dead("a", 1.0)
    balancer.mark_dead("b", 1.0)
    assert balancer.pick(1.0) is None
    assert balancer.live == ()
    assert balancer.targets == ("a", "b")
    balancer.mark_alive("a", 2.0)
    assert balancer.pick(2.0) == "a"


def test_no_targets_at_all() -> None:
    balancer: Balancer[str] = Balancer([])
    assert balancer.pick(0.0) is None
    assert balancer.next_probe_at() is None
    assert balancer.probes_due(1e9) == ()


def test_two_balancers_do_not_share_a_rotation() -> None:
    first, second = Balancer(["a", "b"]), Balancer(["a", "b"])
    assert picks(first, 1) == ["a"]
    assert picks(second, 1) == ["a"]


@pytest.mark.parametrize(("health", "sign"), list(HEALTH))
def test_health_follows_the_table(health: Health, sign: Sign) -> None:
    balancer = Balancer(["a"])
    if health is Health.DEAD:
        balancer.mark_dead("a", 1.0)
    changed = (balancer.mark_alive if sign is Sign.ANSWERED else balancer.mark_dead)("a", 2.0)
    state = balancer.state("a")
    assert state.health is HEALTH[health, sign]
    assert changed == (state.health is not health)
    assert (state.since == 2.0) == changed


def test_counts() -> None:
    balancer = Balancer(["a", "b"])
    picks(balancer, 5)
    balancer.mark_dead("a", 3.0)
    balancer.mark_dead("a", 4.0)
    state = balancer.state("a")
    assert (state.health, state.since, state.picks, state.deaths, state.next_probe) == (Health.DEAD, 3.0, 3, 1, 4.0)
    assert balancer.state("b").picks == 2


def test_dead_targets_are_probed_at_an_interval_until_they_answer() -> None:
    balancer = Balancer(["a", "b"], probe_interval=2.0)
    assert balancer.next_probe_at() is None
    balancer.mark_dead("b", 10.0)
    assert balancer.next_probe_at() == 12.0
    assert balancer.probes_due(11.9) == ()
    assert balancer.probes_due(12.5) == ("b",)
    assert balancer.probes_due(12.5) == (), "a probe is handed out once"
    assert balancer.next_probe_at() == 14.5
    assert not balancer.mark_dead("b", 13.0)
    assert balancer.next_probe_at() == 14.5, "news of the same does not put a probe off"
    assert balancer.probes_due(20.0) == ("b",)
    balancer.mark_alive("b", 20.1)
    assert balancer.next_probe_at() is None
    assert balancer.probes_due(1e9) == ()


def test_live_targets_are_probed_where_wanted() -> None:
    balancer = Balancer(["a", "b"], probe_interval=2.0, probe_live=True, now=100.0)
    assert balancer.next_probe_at() == 102.0
    assert balancer.probes_due(102.0) == ("a", "b")
    balancer.mark_dead("a", 103.0)
    assert balancer.next_probe_at() == 104.0
    assert balancer.probes_due(104.0) == ("b",)
    assert balancer.probes_due(105.0) == ("a",)
    balancer.mark_alive("a", 105.5)
    assert balancer.next_probe_at() == 106.0
    assert balancer.probes_due(107.5) == ("a", "b")


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan")])
def test_interval_must_be_positive(interval: float) -> None:
    with pytest.raises(ValueError, match="probe_interval"):
        Balancer(["a"], probe_interval=interval)


def test_a_target_cannot_come_twice() -> None:
    with pytest.raises(ValueError, match="a comes twice"):
        Balancer(["a", "b", "a"])


def test_strangers_are_refused() -> None:
    balancer = Balancer(["a"])
    for tell in (balancer.mark_dead, balancer.mark_alive):
        with pytest.raises(ValueError, match="z is not a target"):
            tell("z", 0.0)
    with pytest.raises(ValueError, match="z is not a target"):
        balancer.state("z")


class Last:
    """A policy somebody brings."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    def choose(self, live: Sequence[TargetState[str]], now: float) -> str:
        self.seen.append(tuple(state.target for state in live))
        return live[-1].target


def test_a_policy_of_ones_own_sees_live_targets_only() -> None:
    policy = Last()
    balancer = Balancer(["a", "b", "c"], policy)
    assert picks(balancer, 2) == ["c", "c"]
    balancer.mark_dead("c", 0.0)
    assert picks(balancer, 1) == ["b"]
    assert policy.seen == [("a", "b", "c"), ("a", "b", "c"), ("a", "b")]


def test_a_policy_cannot_revive_the_dead() -> None:
    class Stubborn:
        def choose(self, live: Sequence[TargetState[str]], now: float) -> str:
            return "a"

    balancer = Balancer(["a", "b"], Stubborn())
    assert picks(balancer, 1) == ["a"]
    balancer.mark_dead("a", 0.0)
    with pytest.raises(ValueError, match="Stubborn chose a, which is dead"):
        balancer.pick(1.0)
    assert balancer.state("a").picks == 1


events = st.lists(st.tuples(st.sampled_from(["pick", "dead", "alive"]), st.sampled_from("abcd")), max_size=60)


@given(events)
def test_only_the_live_get_work_and_a_steady_set_is_served_evenly(script: list[tuple[str, str]]) -> None:
    balancer = Balancer("abcd", RoundRobin())
    dead: set[str] = set()
    for event, target in script:
        match event:
            case "pick":
                picked = balancer.pick(0.0)
                assert (picked is None) == (len(dead) == 4)
                assert picked not in dead
            case "dead":
                assert balancer.mark_dead(target, 0.0) == (target not in dead)
                dead.add(target)
            case _:
                assert balancer.mark_alive(target, 0.0) == (target in dead)
                dead.discard(target)
    alive = set("abcd") - dead
    assert set(balancer.live) == alive
    if alive:
        assert Counter(picks(balancer, 5 * len(alive))) == dict.fromkeys(alive, 5)


def test_affinity_keeps_each_client_on_its_target() -> None:
    balancer = Balancer(["a", "b"])
    affinity: Affinity[str, str] = Affinity(balancer)
    assert [affinity.pick(client, 0.0) for client in ("x", "y", "x", "y", "x")] == ["a", "b", "a", "b", "a"]
    assert balancer.state("a").picks == 1, "the policy is asked for new clients only"
    assert affinity.target("x") == "a"
    assert affinity.target("z") is None


def test_affinity_ends_with_the_life_of_the_target() -> None:
    balancer = Balancer(["a", "b", "c"])
    affinity: Affinity[str, str] = Affinity(balancer)
    assert affinity.pick("x", 0.0) == "a"
    assert affinity.pick("y", 0.0) == "b"
    balancer.mark_dead("a", 1.0)
    assert affinity.target("x") is None
    assert affinity.pick("x", 1.0) == "c"
    balancer.mark_alive("a", 2.0)
    assert affinity.pick("x", 2.0) == "c", "and does not come back with it"
    balancer.mark_dead("b", 3.0)
    balancer.mark_alive("b", 3.5)
    assert affinity.target("y") is None, "even if the client noticed nothing"
    assert affinity.pick("y", 4.0) == "a"


def test_affinity_with_nobody_left() -> None:
    balancer = Balancer(["a"])
    affinity: Affinity[str, str] = Affinity(balancer)
    assert affinity.pick("x", 0.0) == "a"
    balancer.mark_dead("a", 1.0)
    assert affinity.pick("x", 1.0) is None
    assert len(affinity) == 0
    balancer.mark_alive("a", 2.0)
    assert affinity.pick("x", 2.0) == "a"


def test_affinity_forgets_who_left_and_is_bounded() -> None:
    affinity: Affinity[int, str] = Affinity(Balancer(["a", "b"]), capacity=2)
    affinity.pick(1, 0.0)
    affinity.forget(1)
    affinity.forget(1)
    assert len(affinity) == 0
    affinity.pick(1, 0.0)
    affinity.pick(2, 0.0)
    affinity.pick(1, 0.0)
    affinity.pick(3, 0.0)
    assert affinity.target(2) is None, "the one longest unseen makes room"
    assert affinity.target(1) is not None
    assert len(affinity) == 2
    with pytest.raises(ValueError, match="capacity"):
        Affinity(Balancer(["a"]), capacity=0)

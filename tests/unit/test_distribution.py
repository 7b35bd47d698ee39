"""Every policy against its arithmetic, over thousands of choices; limits, maintenance, WorkUnits."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from iiop.balancer import LOAD, Affinity, Balancer, Latencies, Least, Measure, Random, RoundRobin, Standing, Threshold, Weighted

M = Measure


def picks(balancer: Balancer[str], count: int, now: float = 0.0) -> list[str | None]:
    return [balancer.pick(now) for _ in range(count)]


@given(st.integers(1, 7), st.integers(1, 2000))
def test_round_robin_differs_by_one_at_most(targets: int, count: int) -> None:
    balancer = Balancer("abcdefg"[:targets], RoundRobin())
    counts = Counter(picks(balancer, count))
    assert sum(counts.values()) == count
    assert max(counts.values()) - min(counts.get(target, 0) for target in balancer.targets) <= 1


def test_random_is_even_and_repeats_with_its_seed() -> None:
    def run(seed: int) -> list[str | None]:
        return picks(Balancer("abc", Random(random.Random(seed).random)), 6000)

    assert run(1) == run(1) != run(2)
    for counts in map(Counter, (run(1), run(2))):
        assert set(counts) == set("abc")
        assert all(abs(count - 2000) < 5 * 36.6 for count in counts.values()), "more than five standard deviations off"


def test_weights_are_exact_in_every_round() -> None:
    balancer = Balancer("abc", Weighted({"a": 5, "b": 2}))
    chosen = picks(balancer, 8 * 500)
    for start in range(0, len(chosen), 8):
        assert Counter(chosen[start : start + 8]) == {"a": 5, "b": 2, "c": 1}
    assert ("b", "b") not in pairwise(chosen), "spread, not in blocks"


def test_weights_when_somebody_leaves() -> None:
    balancer = Balancer("abc", Weighted({"a": 2, "b": 1, "c": 1}))
    picks(balancer, 7)
    balancer.mark_dead("a", 0.0)
    assert Counter(picks(balancer, 100)) == {"b": 50, "c": 50}


def test_weight_zero_is_a_reserve() -> None:
    balancer = Balancer("ab", Weighted({"b": 0}))
    assert set(picks(balancer, 100)) == {"a"}
    balancer.mark_dead("a", 0.0)
    assert set(picks(balancer, 3)) == {"b"}
    with pytest.raises(ValueError, match="negative"):
        Weighted({"a": -1})


def test_least_connections_levels_work_that_lasts() -> None:
    balancer = Balancer("abc", Least(M.CONNECTIONS))
    chance, under_way = random.Random(7), list[str]()
    for _ in range(3000):
        target = balancer.pick(0.0)
        assert target is not None
        numbers = [balancer.state(each).under_way for each in "abc"]
        assert balancer.state(target).under_way == min(numbers)
        balancer.began(target)
        under_way.append(target)
        if len(under_way) > 20:
            balancer.ended(under_way.pop(chance.randrange(len(under_way))), 0.0)
    assert sum(balancer.state(each).under_way for each in "abc") == 20


def test_least_connections_among_equals_takes_turns() -> None:
    assert picks(Balancer("abc", Least(M.CONNECTIONS)), 6) == ["a", "b", "c", "a", "b", "c"]


def test_response_time_prefers_the_quick_and_forgets_a_bad_moment() -> None:
    balancer = Balancer("ab", Least(M.RESPONSE_TIME))

    def call(seconds: dict[str, float]) -> str:
        target = balancer.pick(0.0)
        assert target is not None
        balancer.began(target)
        balancer.ended(target, 0.0, seconds=seconds[target])
        return target

    slow_b = {"a": 0.01, "b": 0.05}
    assert Counter(call(slow_b) for _ in range(1000))["a"] >= 998
    assert balancer.state("a").response_time == pytest.approx(0.01)
    slow_a = {"a": 0.2, "b": 0.05}
    assert Counter(call(slow_a) for _ in range(1000))["b"] >= 990


def test_work_without_an_answer_has_no_response_time() -> None:
    balancer = Balancer("ab", Least(M.RESPONSE_TIME))
    balancer.began("a")
    balancer.ended("a", 0.0)
    assert balancer.state("a").response_time == 0.0


def test_data_quantity_levels_octets_and_halves_with_time() -> None:
    balancer = Balancer("ab", Least(M.DATA_QUANTITY), half_life=10.0)
    sent = Counter[str]()
    chance = random.Random(3)
    for _ in range(2000):
        target, octets = balancer.pick(0.0), chance.randrange(1, 10_000)
        assert target is not None
        balancer.began(target)
        balancer.ended(target, 0.0, octets=octets)
        sent[target] += octets
    assert abs(sent["a"] - sent["b"]) < 20_000
    assert balancer.state("a").measure(M.DATA_QUANTITY, 20.0) == pytest.approx(sent["a"] / 4)


def test_load_is_the_greatest_of_what_is_reported() -> None:
    balancer = Balancer("abc", Least(*LOAD))
    for target, cpu, memory, disk in (("a", 0.2, 0.9, 0.1), ("b", 0.5, 0.5, 0.5), ("c", 0.1, 0.2, 0.6)):
        for measure, value in zip(LOAD, (cpu, memory, disk), strict=True):
            balancer.report(target, measure, value)
    assert set(picks(balancer, 10)) == {"b"}
    balancer.report("b", M.CPU, 0.61)
    assert set(picks(balancer, 10)) == {"c"}
    with pytest.raises(ValueError, match="sees it"):
        balancer.report("a", M.RESPONSE_TIME, 1.0)
    with pytest.raises(ValueError, match="least of what"):
        Least()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_what_cannot_be_compared_is_not_taken(value: float) -> None:
    balancer = Balancer("ab", Least(M.CPU))
    with pytest.raises(ValueError, match=r"cpu: .* is no number that can be compared"):
        balancer.report("a", M.CPU, value)
    assert picks(balancer, 2) == ["a", "b"]


@pytest.mark.parametrize("measure", [M.WAITING_MESSAGES, M.BUFFER_USE])
def test_upper_limit_and_restoration_value(measure: Measure) -> None:
    balancer = Balancer("ab", Least(measure), thresholds=[Threshold(measure, upper=0.8, restoration=0.5)])
    balancer.report("a", measure, 0.8)
    assert set(picks(balancer, 4)) == {"b"}
    assert balancer.state("a").standing is Standing.FULL
    balancer.report("a", measure, 0.5)
    assert set(picks(balancer, 4)) == {"b"}, "not yet below the restoration value"
    balancer.report("b", measure, 0.95)
    assert picks(balancer, 2) == [None, None], "all are over"
    balancer.report("a", measure, 0.49)
    assert set(picks(balancer, 4)) == {"a"}
    assert balancer.state("a").standing is Standing.SERVING
    balancer.report("a", measure, 0.79)
    assert set(picks(balancer, 4)) == {"a"}, "below the upper limit again"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_a_limit_is_a_hysteresis(values: list[float]) -> None:
    balancer = Balancer("a", thresholds=[Threshold(M.BUFFER_USE, 0.8, 0.5)])
    full = False
    for value in values:
        balancer.report("a", M.BUFFER_USE, value)
        full = value >= 0.8 or (full and value >= 0.5)
        assert (balancer.pick(0.0) is None) == full


def test_a_limit_on_what_is_seen() -> None:
    balancer = Balancer("a", thresholds=[Threshold(M.CONNECTIONS, 2, 1), Threshold(M.DATA_QUANTITY, 1000, 500)], half_life=10.0)
    balancer.began("a")
    assert balancer.pick(0.0) == "a"
    balancer.began("a")
    assert balancer.pick(0.0) is None
    balancer.ended("a", 0.0)
    assert balancer.pick(0.0) is None
    balancer.ended("a", 0.0, octets=1000)
    assert balancer.pick(0.0) is None
    assert balancer.pick(9.9) is None
    assert balancer.pick(10.1) == "a", "time alone restores it"


def test_limits_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="restoration 3 is above the upper limit 2"):
        Threshold(M.WAITING_MESSAGES, 2, 3)
    with pytest.raises(ValueError, match="never be restored"):
        Threshold(M.RESPONSE_TIME, 2, 1)
    with pytest.raises(ValueError, match="half_life"):
        Balancer("a", half_life=0)


def test_maintenance_drains() -> None:
    balancer = Balancer("ab")
    affinity: Affinity[str, str] = Affinity(balancer)
    assert affinity.pick("client", 0.0) == "a"
    balancer.maintain("a")
    assert balancer.state("a").standing is Standing.MAINTENANCE
    assert set(picks(balancer, 4)) == {"b"}
    assert affinity.pick("client", 0.0) == "a", "who is there may stay"
    assert affinity.pick("another", 0.0) == "b"
    balancer.mark_dead("a", 1.0)
    assert affinity.pick("client", 1.0) == "b"
    balancer.release("a")
    assert balancer.state("a").standing is Standing.DEAD, "released, but it does not answer"
    balancer.mark_alive("a", 2.0)
    assert "a" in picks(balancer, 2)


def test_a_server_in_maintenance_does_not_come_back_by_answering() -> None:
    balancer = Balancer("ab")
    balancer.mark_dead("a", 0.0)
    balancer.maintain("a")
    balancer.mark_alive("a", 1.0)
    assert set(picks(balancer, 4)) == {"b"}
    balancer.release("a")
    assert "a" in picks(balancer, 2)


def test_a_monitored_work_unit_that_stops_takes_its_server_out() -> None:
    balancer = Balancer("ab")
    affinity: Affinity[str, str] = Affinity(balancer)
    assert affinity.pick("client", 0.0) == "a"
    balancer.work_unit("a", "TD", 0.0, runs=False)
    balancer.work_unit("a", "SHOP", 0.0, runs=False)
    assert balancer.state("a").standing is Standing.DEGRADED
    assert affinity.pick("client", 0.0) == "b"
    balancer.mark_alive("a", 1.0)
    balancer.work_unit("a", "TD", 0.0, runs=True)
    assert set(picks(balancer, 4)) == {"b"}
    balancer.work_unit("a", "SHOP", 0.0, runs=True)
    assert balancer.state("a").standing is Standing.SERVING
    assert "a" in picks(balancer, 2)
    balancer.work_unit("b", "TD", 0.0, runs=False)
    balancer.work_unit("a", "TD", 0.0, runs=False)
    assert balancer.pick(0.0) is None


def test_a_server_without_its_work_unit_is_probed_until_that_runs_again() -> None:
    """A WorkUnit that stops may be the first that is seen of a server that dies, and nobody else will ask it anything."""
    balancer = Balancer("ab", probe_interval=2.0)
    balancer.work_unit("a", "TD", 1.0, runs=False)
    balancer.work_unit("a", "SHOP", 2.0, runs=False)
    assert balancer.next_probe_at() == 3.0
    assert balancer.probes_due(3.0) == ("a",)
    assert balancer.next_probe_at() == 5.0
    balancer.mark_dead("a", 3.5)
    assert balancer.state("a").standing is Standing.DEAD
    balancer.mark_alive("a", 5.0)
    assert balancer.next_probe_at() == 7.0, "alive, but degraded"
    balancer.mark_dead("b", 5.5)
    balancer.work_unit("b", "TD", 6.5, runs=False)
    assert balancer.state("b").next_probe == 7.5, "of a dead one this is no news"
    balancer.mark_alive("b", 6.5)
    balancer.work_unit("b", "TD", 6.5, runs=True)
    balancer.work_unit("a", "TD", 6.0, runs=True)
    assert balancer.next_probe_at() == 7.0
    balancer.work_unit("a", "SHOP", 6.5, runs=True)
    assert balancer.next_probe_at() is None


@pytest.mark.parametrize("tell", ["maintain", "release", "began"])
def test_strangers(tell: str) -> None:
    with pytest.raises(ValueError, match="z is not a target"):
        getattr(Balancer("a"), tell)("z")


def test_each_limit_has_its_own_hysteresis() -> None:
    """One that is between its values, and was never over, keeps nobody away."""
    told: list[tuple[str, Measure, float]] = []
    limits = [Threshold(M.CPU, 0.8, 0.5), Threshold(M.MEMORY, 0.8, 0.5)]
    balancer: Balancer[str] = Balancer(
        "a", thresholds=limits, on_limit=lambda target, limit, value: told.append((target, limit.measure, value))
    )
    balancer.report("a", M.MEMORY, 0.7)
    balancer.report("a", M.CPU, 0.9)
    assert picks(balancer, 2) == [None, None]
    assert balancer.state("a").over == (limits[0],)
    balancer.report("a", M.CPU, 0.4)
    assert picks(balancer, 1) == ["a"]
    assert told == [("a", M.CPU, 0.9), ("a", M.CPU, 0.4)]


def test_limits_are_looked_at_without_work() -> None:
    told: list[str] = []
    balancer: Balancer[str] = Balancer(
        "ab", thresholds=[Threshold(M.CONNECTIONS, 1, 1)], on_limit=lambda target, _limit, _value: told.append(target)
    )
    balancer.began("b")
    assert not told
    balancer.look(0.0)
    balancer.look(0.0)
    assert told == ["b"]
    assert balancer.state("b").standing is Standing.FULL
    balancer.ended("b", 0.0)
    balancer.look(0.0)
    assert told == ["b", "b"]
    assert balancer.state("b").standing is Standing.SERVING


def test_what_operators_say_twice_changes_nothing_twice() -> None:
    balancer = Balancer("a")
    assert [balancer.maintain("a"), balancer.maintain("a"), balancer.release("a"), balancer.release("a")] == [
        True,
        False,
        True,
        False,
    ]
    assert [balancer.work_unit("a", "TD", 0.0, runs=runs) for runs in (True, False, False, True)] == [False, True, False, True]


# --- what is counted --------------------------------------------------------------------------------------------------


def test_answers_and_octets_are_counted() -> None:
    balancer = Balancer("a")
    balancer.began("a")
    balancer.ended("a", 0.0, seconds=0.5, octets=100)
    balancer.served("a", 0.0, seconds=0.5, octets=20)
    balancer.began("a")
    balancer.ended("a", 0.0, octets=3)
    state = balancer.state("a")
    assert (len(state.latencies), state.octets) == (2, 123), "what was not answered has no time"


TIMES = st.floats(1e-9, 7000)


@given(st.lists(TIMES, min_size=1, max_size=60), st.lists(TIMES, max_size=60), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_quantiles_of_latencies(one: list[float], other: list[float], share: float) -> None:
    """What is told is as near as the classes are wide to the time of the right rank."""
    counted = []
    for times in (one, other):
        counted.append(Latencies())
        for seconds in times:
            counted[-1].add(seconds)
    together = Latencies.together(counted)
    times = sorted(one + other)
    assert len(together) == len(times)
    exact = next(seconds for rank, seconds in enumerate(times, 1) if rank >= share * len(times))
    found = together.quantile(share)
    assert found is not None
    assert found == pytest.approx(exact, rel=0.0527), "half a class of a tenth of e"


@pytest.mark.parametrize("seconds", [0.0, 1e-30, 5e-324, 1e9, float("inf")])
def test_times_out_of_all_measure_are_counted(seconds: float) -> None:
    latencies = Latencies()
    assert latencies.quantile(0.5) is None
    latencies.add(seconds)
    assert len(latencies) == 1
    found = latencies.quantile(0.5)
    assert found is not None
    assert found < 2e-9 if seconds < 1 else found > 7000

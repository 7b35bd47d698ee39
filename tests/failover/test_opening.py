"""What every call begins with is what an invocation says, and forwards are remembered as long as the standard wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.exceptions import BAD_PARAM, OBJECT_NOT_EXIST, CompletionStatus, ConnectFailed, ConnectionLost, IIOPError
from iiop.failover import FailoverPolicy, GiveUp, Invocation, Opening, Reacquire, Step, Succeed, TryEndpoint, Wait

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
SECONDS = st.floats(0.01, 100.0)
POLICIES = st.builds(
    FailoverPolicy,
    deadline=SECONDS,
    attempt_timeout=SECONDS,
    connect_timeout=SECONDS,
    rounds=st.integers(1, 3),
    forwards=st.integers(0, 3),
)
ENDPOINTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(tuple)
OUTCOMES = st.sampled_from(
    [
        7,
        None,
        ConnectFailed("no"),
        ConnectionLost("lost", completed=NO),
        ConnectionLost("lost", completed=MAYBE),
        BAD_PARAM(1, NO),
        OBJECT_NOT_EXIST(2, NO),
        ("d", "e"),
    ]
)


def opening_at(policy: FailoverPolicy, *endpoints: str) -> Opening[str, str]:
    opening: Opening[str, str] = Opening(policy, lambda: 0.0, lambda endpoint: f"to {endpoint}")
    opening.learn(endpoints)
    return opening


def rounded(step: Step[str]) -> Step[str]:
    """Return a step whose times do not depend on how large `now` is."""
    if isinstance(step, TryEndpoint):
        return replace(step, timeout=round(step.timeout, 6), connect_timeout=round(step.connect_timeout, 6))
    if isinstance(step, Reacquire):
        return replace(step, timeout=round(step.timeout, 6))
    return step


@given(POLICIES, ENDPOINTS, st.floats(0.0, 1e6))
def test_the_first_step_is_that_of_an_invocation(policy: FailoverPolicy, endpoints: tuple[str, ...], now: float) -> None:
    first = opening_at(policy, *endpoints).first
    assert first is not None
    asked: Step[str] = Invocation(policy, endpoints, idempotent=False, now=now, jitter=lambda: 0.0).next_step(now)
    assert rounded(first.step) == rounded(asked)
    assert first.route == f"to {first.step.endpoint}"


def play(invocation: Invocation[str], outcomes: list[Any], now: float) -> list[str]:
    """Let an invocation, whose first step is being tried, run with these outcomes; return what it asked for."""
    said = []
    for outcome in outcomes:
        now += 0.001
        if isinstance(outcome, tuple):
            invocation.forwarded(outcome, now)
        else:
            invocation.outcome(outcome, now)
        step = invocation.next_step(now)
        while isinstance(step, Wait | Reacquire):
            said.append(repr(rounded(step)))
            if isinstance(step, Wait):
                now = step.until
            else:
                invocation.reacquired(("a",), now)
            step = invocation.next_step(now)
        said.append(repr(rounded(step)))
        if isinstance(step, Succeed | GiveUp):
            break
    return said


@given(POLICIES, ENDPOINTS, st.booleans(), st.lists(OUTCOMES, min_size=1, max_size=6))
def test_going_on_is_what_an_invocation_does(
    policy: FailoverPolicy, endpoints: tuple[str, ...], idempotent: bool, outcomes: list[Any]
) -> None:
    """The call whose first step was not asked for decides as one that asked for all of them."""
    opening = opening_at(policy, *endpoints)
    slow: Invocation[str] = Invocation(policy, endpoints, idempotent=idempotent, now=50.0, jitter=lambda: 0.0)
    slow.next_step(50.0)
    quick = opening.go_on(opening.first, idempotent=idempotent, start=50.0)
    assert play(quick, outcomes, 50.0) == play(slow, outcomes, 50.0)


def begins_at(opening: Opening[str, str]) -> tuple[str, ...]:
    assert opening.first is not None
    return opening.first.known


def test_nothing_is_known() -> None:
    opening = opening_at(FailoverPolicy())
    assert opening.first is None
    assert isinstance(opening.go_on(None, idempotent=False, start=0.0).next_step(0.0), Reacquire)


def test_a_forward_is_followed_until_it_fails() -> None:
    opening = opening_at(FailoverPolicy(), "a", "b")
    opening.follow(("c", "a"), permanently=False)
    assert begins_at(opening) == ("c", "a", "b")
    opening.failed(ConnectFailed("refused"))
    assert begins_at(opening) == ("a", "b")


@pytest.mark.parametrize("error", [BAD_PARAM(1, NO), IIOPError("odd")])
def test_an_error_of_the_operation_is_no_failure_of_the_forward(error: IIOPError) -> None:
    opening = opening_at(FailoverPolicy(), "a")
    opening.follow(("c",), permanently=False)
    opening.failed(error)
    assert begins_at(opening) == ("c", "a")


def test_a_permanent_forward_takes_the_place_of_the_reference() -> None:
    opening = opening_at(FailoverPolicy(), "a")
    opening.follow(("c",), permanently=True)
    opening.failed(ConnectFailed("refused"))
    assert begins_at(opening) == ("c",)
    opening.learn(("a",))
    assert begins_at(opening) == ("a",)


def test_a_forward_to_nothing_is_none() -> None:
    opening = opening_at(FailoverPolicy(), "a")
    opening.follow((), permanently=True)
    assert begins_at(opening) == ("a",)

"""What each error leads to, and which numbers a policy takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from iiop.exceptions import (
    BAD_PARAM,
    COMM_FAILURE,
    INTERNAL,
    INV_OBJREF,
    NO_IMPLEMENT,
    NO_RESOURCES,
    NO_RESPONSE,
    OBJ_ADAPTER,
    OBJECT_NOT_EXIST,
    TIMEOUT,
    TRANSIENT,
    UNKNOWN,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    FailoverExhausted,
    UserException,
)
from iiop.failover import (
    FailoverPolicy,
    GiveUp,
    Invocation,
    Reacquire,
    Semantics,
    Step,
    TryEndpoint,
    Wait,
    completion_of,
    may_repeat,
    refresh_time,
)

NO, YES, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_YES, CompletionStatus.COMPLETED_MAYBE
IPCOM = 0x464A0114


class NotFound(UserException):
    """The name is gone."""


def step_after(error: BaseException, *, idempotent: bool = False, **policy: Any) -> Step[str]:
    """Let the first try, at `a` of `a` and `b`, end with `error`."""
    invocation = Invocation(FailoverPolicy(**policy), ["a", "b"], idempotent=idempotent, now=0.0, jitter=lambda: 0.0)
    first = invocation.next_step(0.0)
    assert isinstance(first, TryEndpoint)
    assert first.endpoint == "a"
    invocation.outcome(error, 0.0)
    return invocation.next_step(0.0)


SURFACED: list[tuple[BaseException, bool]] = [
    (COMM_FAILURE(IPCOM, MAYBE), False),
    (COMM_FAILURE(IPCOM, YES), False),
    (COMM_FAILURE(IPCOM, YES), True),
    (COMM_FAILURE(0x464A0101, NO), False),
    (COMM_FAILURE(0x464A0901, NO), False),
    (COMM_FAILURE(0x464A0101, YES), True),
    (COMM_FAILURE(0x464A0105, MAYBE), False),
    (TRANSIENT(0, MAYBE), False),
    (TIMEOUT(0, MAYBE), False),
    (OBJECT_NOT_EXIST(0, MAYBE), False),
    (ConnectionLost("cut", completed=MAYBE), False),
    (ConnectionLost("cut", completed=YES), True),
    (DeadlineExceeded("no answer", completed=MAYBE), False),
    (BAD_PARAM(0, NO), True),
    (INTERNAL(0, NO), True),
    (UNKNOWN(0, NO), True),
    (NotFound(), True),
    (TypeError("a bug of the shell"), True),
]


@pytest.mark.parametrize(("error", "idempotent"), SURFACED, ids=lambda value: str(value)[:60])
def test_surfaced_at_once_as_the_very_object(error: BaseException, idempotent: bool) -> None:
    step = step_after(error, idempotent=idempotent)
    assert isinstance(step, GiveUp)
    assert step.error is error


REPEATED: list[tuple[BaseException, bool, str]] = [
    (ConnectFailed("refused"), False, "next"),
    (ConnectionLost("closed in order", completed=NO), False, "reconnect"),
    (ConnectionLost("cut", completed=MAYBE), True, "next"),
    (DeadlineExceeded("no answer", completed=MAYBE), True, "next"),
    (DeadlineExceeded("connecting took too long", completed=NO), False, "next"),
    (TRANSIENT(0, NO), False, "next"),
    (NO_RESPONSE(0, NO), False, "next"),
    (NO_RESOURCES(0, NO), False, "next"),
    (OBJ_ADAPTER(0, NO), False, "next"),
    (TIMEOUT(0, NO), False, "next"),
    (COMM_FAILURE(0, NO), False, "reacquire"),
    (COMM_FAILURE(0, MAYBE), True, "reacquire"),
    (COMM_FAILURE(0x464A0101, NO), True, "next"),
    (COMM_FAILURE(0x464A0104, NO), False, "reconnect"),
    (COMM_FAILURE(0x464A0904, NO), False, "reconnect"),
    (COMM_FAILURE(0x464A0105, NO), False, "reconnect"),
    (COMM_FAILURE(0x464A0905, MAYBE), True, "reconnect"),
    (COMM_FAILURE(0x464A010F, NO), False, "reconnect"),
    (COMM_FAILURE(IPCOM, NO), False, "wait"),
    (COMM_FAILURE(IPCOM | 0x800, NO), False, "wait"),
    (COMM_FAILURE(IPCOM, MAYBE), True, "wait"),
    (OBJECT_NOT_EXIST(0, NO), False, "reacquire"),
    (INV_OBJREF(0, NO), False, "reacquire"),
    (NO_IMPLEMENT(0, NO), False, "reacquire"),
]


@pytest.mark.parametrize(("error", "idempotent", "then"), REPEATED, ids=lambda value: str(value)[:60])
def test_where_to_turn(error: BaseException, idempotent: bool, then: str) -> None:
    step = step_after(error, idempotent=idempotent)
    match then:
        case "next":
            assert isinstance(step, TryEndpoint)
            assert (step.endpoint, step.fresh) == ("b", True)
        case "reconnect":
            assert isinstance(step, TryEndpoint)
            assert (step.endpoint, step.fresh) == ("a", True)
        case "reacquire":
            assert isinstance(step, Reacquire)
        case _:
            assert isinstance(step, Wait)


@pytest.mark.parametrize(
    ("semantics", "idempotent", "allowed"),
    [
        (Semantics.BEST_EFFORT, False, {NO}),
        (Semantics.BEST_EFFORT, True, {NO, MAYBE}),
        (Semantics.AT_LEAST_ONCE, False, {NO, MAYBE}),
        (Semantics.AT_LEAST_ONCE, True, {NO, MAYBE}),
        (Semantics.AT_MOST_ONCE, False, {NO}),
        (Semantics.AT_MOST_ONCE, True, {NO}),
    ],
)
@pytest.mark.parametrize("completed", list(CompletionStatus))
def test_semantics(semantics: Semantics, idempotent: bool, allowed: set[CompletionStatus], completed: CompletionStatus) -> None:
    assert may_repeat(semantics, idempotent, completed) == (completed in allowed)
    error = TRANSIENT(0, completed)
    step = step_after(error, idempotent=idempotent, semantics=semantics)
    assert isinstance(step, TryEndpoint if completed in allowed else GiveUp)


@pytest.mark.parametrize(
    ("error", "completed"),
    [
        (ConnectFailed("refused"), NO),
        (ConnectionLost("cut"), MAYBE),
        (COMM_FAILURE(0x464A0101, NO), MAYBE),
        (COMM_FAILURE(0x464A0901, NO), MAYBE),
        (COMM_FAILURE(0x464A0101, YES), YES),
        (COMM_FAILURE(IPCOM, NO), NO),
        (TRANSIENT(0x464A0101, NO), NO),
        (FailoverExhausted("inner", completed=MAYBE), MAYBE),
        (ValueError(), MAYBE),
    ],
)
def test_completion_of_errors(error: BaseException, completed: CompletionStatus) -> None:
    assert completion_of(error) is completed


def test_a_subclass_is_treated_like_its_parent() -> None:
    class Refused(ConnectFailed):
        pass

    class VendorTransient(TRANSIENT):
        pass

    for error in (Refused("refused"), VendorTransient(0, NO)):
        step = step_after(error)
        assert isinstance(step, TryEndpoint)
        assert step.endpoint == "b"


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline": 0.0},
        {"deadline": math.nan},
        {"attempt_timeout": -1.0},
        {"connect_timeout": 0.0},
        {"rounds": 0},
        {"backoff_initial": -0.1},
        {"backoff_factor": 0.5},
        {"backoff_max": math.inf},
        {"jitter": 1.5},
        {"refresh_interval": 0.0},
        {"forwards": -1},
    ],
)
def test_policy_refuses_numbers_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FailoverPolicy(**wrong)


@pytest.mark.parametrize(
    ("interval", "jitter", "chance", "expected"),
    [(60.0, 0.5, 0.0, 160.0), (60.0, 0.5, 0.5, 145.0), (60.0, 0.0, 0.9, 160.0), (None, 0.5, 0.5, math.inf)],
)
def test_refresh(interval: float | None, jitter: float, chance: float, expected: float) -> None:
    policy = FailoverPolicy(refresh_interval=interval, jitter=jitter)
    assert refresh_time(policy, 100.0, chance=chance) == expected


@pytest.mark.parametrize("endpoints", [[None], [("host", 8002, b"key")], [0]])
def test_endpoints_are_any_hashable(endpoints: Sequence[Any]) -> None:
    invocation = Invocation(FailoverPolicy(rounds=1), endpoints, idempotent=False, now=0.0, jitter=lambda: 0.0)
    assert invocation.next_step(0.0) == TryEndpoint(endpoints[0], 10.0, 3.0)
    invocation.outcome(ConnectFailed("refused"), 1.0)
    assert invocation.attempts[0].endpoint == str(endpoints[0])

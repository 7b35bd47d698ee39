"""Scripted outages against one invocation, on a clock that only the script moves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from iiop.exceptions import (
    BAD_PARAM,
    COMM_FAILURE,
    INV_OBJREF,
    NO_IMPLEMENT,
    OBJECT_NOT_EXIST,
    TRANSIENT,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    FailoverExhausted,
    LocalProtocolError,
    ReferenceFormatError,
    SystemException,
    UserException,
)
from iiop.failover import (
    TRANSITIONS,
    FailoverPolicy,
    GiveUp,
    Invocation,
    Reacquire,
    State,
    Step,
    Succeed,
    TryEndpoint,
    Wait,
)

NO, YES, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_YES, CompletionStatus.COMPLETED_MAYBE
IPCOM = 0x464A0114


class NotFound(UserException):
    """The name is gone."""


class Shell:
    """Play the shell: one invocation, a clock, and short words for what happened."""

    def __init__(self, *endpoints: str, idempotent: bool = False, chance: float = 0.0, now: float = 100.0, **policy: Any) -> None:
        self.now = now
        self.waited: list[float] = []
        self.invocation = Invocation(FailoverPolicy(**policy), endpoints, idempotent=idempotent, now=now, jitter=lambda: chance)

    def step(self) -> Step[str]:
        return self.invocation.next_step(self.now)

    def tries(self, endpoint: str, *, after: float = 0.0) -> TryEndpoint[str]:
        """Expect a try at `endpoint`, and let `after` seconds pass before it ends."""
        step = self.step()
        assert isinstance(step, TryEndpoint), step
        assert step.endpoint == endpoint
        self.now += after
        return step

    def ends(self, result: object) -> None:
        self.invocation.outcome(result, self.now)

    def fails(self, endpoint: str, error: BaseException, *, after: float = 0.0) -> TryEndpoint[str]:
        step = self.tries(endpoint, after=after)
        self.ends(error)
        return step

    def waits(self) -> float:
        step = self.step()
        assert isinstance(step, Wait), step
        assert step.until > self.now
        assert self.step() == step, "asking early changes nothing"
        seconds = step.until - self.now
        self.waited.append(seconds)
        self.now = step.until
        return seconds

    def asks(self) -> Reacquire:
        step = self.step()
        assert isinstance(step, Reacquire), step
        return step

    def reacquires(self, *endpoints: str, after: float = 0.0) -> Reacquire:
        step = self.asks()
        self.now += after
        self.invocation.reacquired(endpoints, self.now)
        return step

    def reacquire_fails(self, error: BaseException, *, after: float = 0.0) -> None:
        self.asks()
        self.now += after
        self.invocation.reacquire_failed(error, self.now)

    def succeeds(self, result: object) -> None:
        assert self.step() == Succeed(result)
        assert self.step() == Succeed(result)
        assert self.invocation.state is State.SUCCEEDED

    def gives_up(self) -> BaseException:
        step = self.step()
        assert isinstance(step, GiveUp), step
        assert self.step() is step
        assert self.invocation.state is State.GAVE_UP
        return step.error


def test_good_server() -> None:
    shell = Shell("a", "b")
    assert shell.tries("a") == TryEndpoint("a", 10.0, 3.0, fresh=False)
    shell.ends(42)
    shell.succeeds(42)
    assert shell.invocation.attempts == ()


def test_refused_connection_goes_to_the_next_endpoint() -> None:
    shell = Shell("a", "b")
    error = ConnectFailed("refused")
    shell.fails("a", error, after=0.5)
    assert shell.tries("b").fresh
    shell.ends("b")
    shell.succeeds("b")
    assert shell.invocation.attempts == (("a", error, 0.5),)


def test_all_refused_reacquires_at_once_and_the_failed_go_last() -> None:
    shell = Shell("a", "b")
    shell.fails("a", ConnectFailed("refused"))
    shell.fails("b", TRANSIENT(0, NO))
    assert "every endpoint" in shell.reacquires("b", "c", "a").reason
    shell.fails("c", TRANSIENT(0, NO))
    shell.fails("b", TRANSIENT(0, NO))
    shell.tries("a")
    shell.ends("there")
    shell.succeeds("there")


def test_ipcom_backs_off_then_reacquires() -> None:
    shell = Shell("vhost:8002", backoff_initial=0.5)
    shell.fails("vhost:8002", COMM_FAILURE(IPCOM, NO))
    assert shell.waits() == pytest.approx(0.5)
    assert "COMM_FAILURE" in shell.reacquires("vhost:8002").reason
    shell.tries("vhost:8002")
    shell.ends(1)
    shell.succeeds(1)


def test_plain_comm_failure_reacquires_without_waiting_and_passes_by_the_rest_of_the_round() -> None:
    shell = Shell("a", "b")
    shell.fails("a", COMM_FAILURE(0, NO))
    shell.reacquires("a", "b")
    shell.fails("b", COMM_FAILURE(0, NO))
    shell.waits()
    shell.reacquires("a", "b")
    shell.fails("a", COMM_FAILURE(0, NO))
    shell.fails("b", COMM_FAILURE(0, NO))
    assert isinstance(shell.gives_up(), FailoverExhausted), "in the last round every endpoint gets its try"


@pytest.mark.parametrize("minor", [IPCOM, IPCOM | 0x800, 0, 0x41540007])
def test_exhausted_names_every_attempt_and_its_cause(minor: int) -> None:
    shell = Shell("vhost", rounds=2)
    shell.fails("vhost", COMM_FAILURE(minor, NO), after=1.0)
    if minor & ~0x800 == IPCOM:
        shell.waits()
    shell.reacquires("vhost")
    last = COMM_FAILURE(minor, NO)
    shell.fails("vhost", last, after=2.0)
    error = shell.gives_up()
    assert isinstance(error, FailoverExhausted)
    assert error.__cause__ is last
    assert [(a.endpoint, a.elapsed) for a in error.attempts] == [("vhost", 1.0), ("vhost", 2.0)]
    assert error.completed is NO


def test_reconnects_once_only_and_costs_no_round() -> None:
    shell = Shell("vhost", rounds=1)
    shell.fails("vhost", ConnectionLost("idle", completed=NO))
    last = ConnectionLost("idle again", completed=NO)
    shell.fails("vhost", last)
    error = shell.gives_up()
    assert isinstance(error, FailoverExhausted)
    assert len(error.attempts) == 2
    assert error.__cause__ is last


def test_close_connection_for_every_reply_is_bounded() -> None:
    """omniORB 4.3.3 resends thousands of times a second here."""
    shell = Shell("vhost", rounds=3)
    sent = 0
    while not isinstance(step := shell.step(), GiveUp):
        match step:
            case TryEndpoint():
                sent += 1
                shell.ends(ConnectionLost("CloseConnection", completed=NO))
            case Reacquire():
                shell.invocation.reacquired(["vhost"], shell.now)
            case Wait(until):
                shell.now = until
    assert sent == 4


@pytest.mark.parametrize("stale", [OBJECT_NOT_EXIST, INV_OBJREF, NO_IMPLEMENT])
def test_stale_reference_is_acquired_afresh(stale: type[SystemException]) -> None:
    shell = Shell("old")
    shell.fails("old", stale(0, NO))
    shell.reacquires("new")
    shell.tries("new")
    shell.ends("ok")
    shell.succeeds("ok")


def test_deleted_object_surfaces_object_not_exist() -> None:
    shell = Shell("a")
    shell.fails("a", OBJECT_NOT_EXIST(0, NO))
    shell.reacquires("a")
    second = OBJECT_NOT_EXIST(0, NO)
    shell.fails("a", second)
    assert shell.gives_up() is second


def test_deleted_object_whose_name_is_gone_too_surfaces_object_not_exist() -> None:
    shell = Shell("a")
    stale, gone = OBJECT_NOT_EXIST(0, NO), NotFound()
    shell.fails("a", stale)
    shell.reacquire_fails(gone)
    assert shell.gives_up() is stale
    assert stale.__cause__ is gone


def test_stale_in_the_last_round_surfaces() -> None:
    shell = Shell("a", "b", rounds=1)
    error = OBJECT_NOT_EXIST(0, NO)
    shell.fails("a", error)
    assert shell.gives_up() is error


def test_unreachable_naming_service_costs_rounds_with_waits_between() -> None:
    shell = Shell("a", rounds=3, backoff_initial=0.25)
    shell.fails("a", COMM_FAILURE(0, NO))
    shell.reacquire_fails(ConnectFailed("refused"), after=0.5)
    assert shell.waits() == pytest.approx(0.25)
    last = COMM_FAILURE(IPCOM, NO)
    shell.reacquire_fails(last)
    error = shell.gives_up()
    assert isinstance(error, FailoverExhausted)
    assert error.__cause__ is last
    assert [(a.endpoint, a.elapsed) for a in error.attempts] == [("a", 0.0), ("re-acquire", 0.5), ("re-acquire", 0.0)]


def test_endpoints_left_are_tried_when_the_naming_service_is_down() -> None:
    shell = Shell("a", "b", rounds=2)
    shell.fails("a", COMM_FAILURE(0, NO))
    shell.reacquire_fails(ConnectFailed("refused"))
    shell.tries("b")
    shell.ends("b")
    shell.succeeds("b")


@pytest.mark.parametrize("error", [NotFound(), ReferenceFormatError("odd hex"), BAD_PARAM(0, NO), DeadlineExceeded("x")])
def test_any_error_of_the_acquisition_can_pass(error: BaseException) -> None:
    shell = Shell("a")
    shell.fails("a", COMM_FAILURE(0, NO))
    shell.reacquire_fails(error)
    shell.waits()
    shell.reacquires("b")
    shell.tries("b")
    shell.ends(1)
    shell.succeeds(1)


def test_a_bug_while_acquiring_surfaces() -> None:
    shell = Shell("a")
    shell.fails("a", COMM_FAILURE(0, NO))
    bug = KeyError("bug")
    shell.reacquire_fails(bug)
    assert shell.gives_up() is bug


def test_reference_without_usable_endpoints_counts_as_failed_acquisition() -> None:
    shell = Shell("a", rounds=2)
    shell.fails("a", ConnectFailed("refused"))
    shell.reacquires()
    error = shell.gives_up()
    assert isinstance(error, FailoverExhausted)
    assert error.attempts[-1].endpoint == "re-acquire"


def test_reference_not_acquired_yet() -> None:
    shell = Shell(rounds=1)
    shell.reacquires("a")
    shell.tries("a")
    shell.ends(None)
    shell.succeeds(None)


def test_waits_grow_to_their_limit() -> None:
    shell = Shell("a", rounds=6, backoff_initial=1.0, backoff_factor=3.0, backoff_max=5.0, deadline=1000.0)
    for _ in range(5):
        shell.fails("a", COMM_FAILURE(IPCOM, NO))
        shell.waits()
        shell.reacquires("a")
    assert shell.waited == pytest.approx([1.0, 3.0, 5.0, 5.0, 5.0])


@pytest.mark.parametrize(("jitter", "chance", "seconds"), [(0.5, 0.5, 0.75), (0.5, 0.0, 1.0), (0.0, 0.9, 1.0)])
def test_jitter_shortens_a_wait(jitter: float, chance: float, seconds: float) -> None:
    shell = Shell("a", backoff_initial=1.0, jitter=jitter, chance=chance)
    shell.fails("a", COMM_FAILURE(IPCOM, NO))
    assert shell.waits() == pytest.approx(seconds)


def test_no_backoff_means_no_wait() -> None:
    shell = Shell("a", backoff_initial=0.0)
    shell.fails("a", COMM_FAILURE(IPCOM, NO))
    shell.reacquires("a")


def test_one_dead_endpoint_cannot_eat_the_deadline() -> None:
    shell = Shell("a", "b", "c", deadline=9.0, attempt_timeout=5.0, connect_timeout=2.0, idempotent=True)
    assert shell.fails("a", DeadlineExceeded("silent"), after=3.0) == TryEndpoint("a", 3.0, 2.0, fresh=False)
    assert shell.fails("b", ConnectFailed("refused"), after=0.0) == TryEndpoint("b", 3.0, 2.0, fresh=True)
    assert shell.tries("c") == TryEndpoint("c", 5.0, 2.0, fresh=True)


def test_connect_timeout_lies_within_the_attempt() -> None:
    assert Shell("a", attempt_timeout=1.0, connect_timeout=3.0).tries("a").connect_timeout == 1.0


def test_acquisition_leaves_half_of_the_time_for_the_try_after_it() -> None:
    shell = Shell("a", deadline=4.0)
    shell.fails("a", COMM_FAILURE(0, NO), after=1.0)
    assert shell.asks().timeout == 1.5


def test_deadline_over_after_a_failed_try() -> None:
    shell = Shell("a", "b", deadline=5.0)
    last = ConnectFailed("refused")
    shell.fails("a", last, after=5.0)
    error = shell.gives_up()
    assert isinstance(error, DeadlineExceeded)
    assert error.completed is NO
    assert error.__cause__ is last
    assert [a.endpoint for a in error.attempts] == ["a"]


def test_deadline_of_an_idempotent_call_that_may_have_run() -> None:
    shell = Shell("a", "b", deadline=5.0, idempotent=True)
    shell.fails("a", ConnectionLost("cut", completed=MAYBE))
    shell.fails("b", ConnectFailed("refused"), after=6.0)
    error = shell.gives_up()
    assert isinstance(error, DeadlineExceeded)
    assert error.completed is MAYBE, "the worst of all tries, not the last"


def test_deadline_over_while_acquiring() -> None:
    shell = Shell("a", deadline=5.0)
    shell.fails("a", COMM_FAILURE(0, NO))
    shell.reacquires("a", after=5.0)
    assert isinstance(shell.gives_up(), DeadlineExceeded)


def test_deadline_over_before_the_first_try() -> None:
    shell = Shell("a", deadline=1.0)
    shell.now += 1.0
    error = shell.gives_up()
    assert isinstance(error, DeadlineExceeded)
    assert error.completed is NO
    assert error.__cause__ is None


def test_late_answer_is_an_answer() -> None:
    shell = Shell("a", deadline=1.0)
    shell.tries("a", after=2.0)
    shell.ends("late")
    shell.succeeds("late")


def test_wait_is_cut_to_leave_time_for_a_try() -> None:
    shell = Shell("a", deadline=4.0, backoff_initial=1.0, backoff_factor=10.0, backoff_max=100.0)
    shell.fails("a", COMM_FAILURE(IPCOM, NO))
    assert shell.waits() == pytest.approx(1.0)
    shell.reacquires("a")
    shell.fails("a", COMM_FAILURE(IPCOM, NO))
    assert shell.waits() == pytest.approx(1.5)


def test_gives_up_when_too_little_time_is_left_to_wait() -> None:
    shell = Shell("a", deadline=4.0, backoff_initial=1.0)
    shell.fails("a", COMM_FAILURE(IPCOM, NO), after=3.0)
    error = shell.gives_up()
    assert isinstance(error, DeadlineExceeded)
    assert isinstance(error.__cause__, COMM_FAILURE)


def test_no_deadline() -> None:
    shell = Shell("a", deadline=math.inf, attempt_timeout=math.inf, rounds=1)
    assert shell.tries("a", after=1e9).timeout == math.inf
    shell.ends(1)
    shell.succeeds(1)


def test_location_forward_is_followed() -> None:
    shell = Shell("a", "b")
    shell.tries("a")
    shell.invocation.forwarded(["x", "y"], shell.now)
    assert not shell.fails("x", ConnectFailed("refused")).fresh
    shell.fails("y", ConnectFailed("refused"))
    shell.tries("b")
    shell.ends("the reference itself remains")
    shell.succeeds("the reference itself remains")


def test_forward_to_the_same_address_is_followed() -> None:
    """TAO's IORTable does that: same host and port, another object key."""
    shell = Shell("a", rounds=1)
    shell.tries("a")
    shell.invocation.forwarded(["a"], shell.now)
    shell.tries("a")
    shell.ends("ok")
    shell.succeeds("ok")


def test_forward_loop_gives_a_clear_error() -> None:
    shell = Shell("a", forwards=3)
    for here, there in (("a", "b"), ("b", "a"), ("a", "b"), ("b", "a")):
        shell.tries(here)
        shell.invocation.forwarded([there], shell.now)
    error = shell.gives_up()
    assert isinstance(error, FailoverExhausted)
    assert "LOCATION_FORWARD loop" in str(error)
    assert "a -> b -> a -> b -> a" in str(error)


def test_too_long_a_chain_of_forwards_is_not_called_a_loop() -> None:
    shell = Shell("0", forwards=2)
    for here in range(3):
        shell.tries(str(here))
        shell.invocation.forwarded([str(here + 1)], shell.now)
    assert "too many LOCATION_FORWARDs: 2 were followed" in str(shell.gives_up())


def test_forward_names_an_endpoint_twice_or_one_still_to_come() -> None:
    shell = Shell("a", "b", rounds=1)
    shell.tries("a")
    shell.invocation.forwarded(["x", "b", "x"], shell.now)
    shell.fails("x", ConnectFailed("refused"))
    shell.fails("b", ConnectFailed("refused"))
    assert isinstance(shell.gives_up(), FailoverExhausted)


def test_forward_to_nowhere_goes_on() -> None:
    shell = Shell("a", "b")
    shell.tries("a")
    shell.invocation.forwarded([], shell.now)
    shell.tries("b")


def test_endpoint_given_twice_is_tried_once() -> None:
    shell = Shell("a", "a", "b", rounds=1)
    shell.fails("a", ConnectFailed("refused"))
    shell.fails("b", ConnectFailed("refused"))
    assert isinstance(shell.gives_up(), FailoverExhausted)


MISUSE: list[tuple[Callable[[Shell], object], str]] = [
    (lambda shell: shell.ends(1), "DECIDING"),
    (lambda shell: shell.invocation.forwarded(["x"], 0.0), "DECIDING"),
    (lambda shell: shell.invocation.reacquired(["x"], 0.0), "DECIDING"),
    (lambda shell: shell.invocation.reacquire_failed(TRANSIENT(), 0.0), "DECIDING"),
    (lambda shell: (shell.tries("a"), shell.step()), "TRYING"),
    (lambda shell: (shell.tries("a"), shell.invocation.reacquired(["x"], 0.0)), "TRYING"),
    (lambda shell: (shell.fails("a", COMM_FAILURE(0, NO)), shell.asks(), shell.ends(1)), "REACQUIRING"),
    (lambda shell: (shell.fails("a", COMM_FAILURE(IPCOM, NO)), shell.step(), shell.ends(1)), "WAITING"),
    (lambda shell: (shell.tries("a"), shell.ends(1), shell.ends(1)), "SUCCEEDED"),
    (lambda shell: (shell.fails("a", BAD_PARAM()), shell.ends(1)), "GAVE_UP"),
]


@pytest.mark.parametrize(("misuse", "state"), MISUSE)
def test_a_shell_that_breaks_the_order_is_told(misuse: Callable[[Shell], object], state: str) -> None:
    with pytest.raises(LocalProtocolError, match=state):
        misuse(Shell("a"))


def test_every_state_can_be_reached_and_the_last_ones_are_final() -> None:
    assert {*TRANSITIONS.values(), State.DECIDING} == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.SUCCEEDED, State.GAVE_UP}

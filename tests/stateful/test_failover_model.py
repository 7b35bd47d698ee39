"""Whatever the network does to an invocation, its promises hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from iiop.exceptions import (
    BAD_PARAM,
    COMM_FAILURE,
    NO_IMPLEMENT,
    OBJECT_NOT_EXIST,
    TRANSIENT,
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
    State,
    Step,
    Succeed,
    TryEndpoint,
    Wait,
)

NO, YES, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_YES, CompletionStatus.COMPLETED_MAYBE

Failure = tuple[Callable[[], BaseException], CompletionStatus]

FAILURES: list[Failure] = [
    (lambda: ConnectFailed("refused"), NO),
    (lambda: ConnectionLost("closed in order", completed=NO), NO),
    (lambda: ConnectionLost("cut"), MAYBE),
    (lambda: DeadlineExceeded("not connected", completed=NO), NO),
    (lambda: DeadlineExceeded("silent"), MAYBE),
    (lambda: COMM_FAILURE(0x464A0114, NO), NO),
    (lambda: COMM_FAILURE(0x464A0914, MAYBE), MAYBE),
    (lambda: COMM_FAILURE(0x464A0101, NO), MAYBE),
    (lambda: COMM_FAILURE(0x464A0105, NO), NO),
    (lambda: COMM_FAILURE(0, YES), YES),
    (lambda: TRANSIENT(0, NO), NO),
    (lambda: TRANSIENT(0, MAYBE), MAYBE),
    (lambda: TRANSIENT(0, YES), YES),
    (lambda: OBJECT_NOT_EXIST(0, NO), NO),
    (lambda: NO_IMPLEMENT(0, NO), NO),
]
FINAL: list[Callable[[], BaseException]] = [lambda: BAD_PARAM(0, NO), UserException]

ENDPOINTS = ["a", "b", "c", "d"]
failures = st.sampled_from([MAYBE, MAYBE, MAYBE, YES]).flatmap(
    lambda completed: st.sampled_from([failure for failure in FAILURES if failure[1] is completed])
)
harmless = st.sampled_from([failure for failure in FAILURES if failure[1] is NO])
sets_of_endpoints = st.lists(st.sampled_from(ENDPOINTS), max_size=6)
seconds = st.one_of(st.just(0.0), st.floats(0.0, 0.2), st.floats(0.0, 8.0))


class FailoverModel(RuleBasedStateMachine):
    """Play network and shell at once, and keep the books the invocation must agree with."""

    @initialize(
        endpoints=sets_of_endpoints,
        idempotent=st.booleans(),
        semantics=st.sampled_from([Semantics.AT_LEAST_ONCE, *Semantics]),
        rounds=st.sampled_from([4, 3, 2, 1]),
        forwards=st.sampled_from([3, 2, 1, 0]),
        deadline=st.sampled_from([1e6, 30.0, 0.5]),
        backoff=st.sampled_from([0.0, 0.1, 3.0]),
        chances=st.randoms(use_true_random=False),
        patience=st.integers(1, 8),
    )
    def start(self, endpoints, idempotent, semantics, rounds, forwards, deadline, backoff, chances, patience):  # type: ignore[no-untyped-def]
        self.now = 1000.0
        self.patience = patience
        self.policy = FailoverPolicy(
            deadline=deadline,
            attempt_timeout=4.0,
            rounds=rounds,
            semantics=semantics,
            forwards=forwards,
            backoff_initial=backoff,
        )
        self.deadline = self.now + deadline
        self.repeats_maybe = semantics is Semantics.AT_LEAST_ONCE or (idempotent and semantics is Semantics.BEST_EFFORT)
        self.invocation = Invocation(self.policy, endpoints, idempotent=idempotent, now=self.now, jitter=chances.random)
        self.step: Step[str] | None = None
        self.must_raise: BaseException | None = None
        self.tries = 0
        self.acquisitions = 0
        self.forwards = 0
        self.walk: Counter[str] = Counter()
        self.extra_tries = 0
        self.failures: list[BaseException] = []
        self.ask()

    @rule(pause=seconds)
    def time_passes(self, pause: float) -> None:
        self.now += pause

    @precondition(lambda self: isinstance(self.step, Wait | Succeed | GiveUp))
    @rule()
    def asks_again(self) -> None:
        self.ask()

    @precondition(lambda self: isinstance(self.step, Wait))
    @rule()
    def sleeps(self) -> None:
        assert isinstance(self.step, Wait)
        self.now = max(self.now, self.step.until)
        self.ask()

    def ask(self) -> None:
        before = self.step
        step = self.step = self.invocation.next_step(self.now)
        if isinstance(before, Succeed | GiveUp):
            assert step == before
            return
        if self.must_raise is not None:
            assert step == GiveUp(self.must_raise)
            assert step.error is self.must_raise
        match step:
            case TryEndpoint():
                self.check_try(step)
            case Reacquire():
                self.acquisitions += 1
                assert self.now < self.deadline
                assert 0 < step.timeout <= self.policy.attempt_timeout
                assert self.now + step.timeout <= self.deadline
                assert self.acquisitions <= self.policy.rounds
            case Wait(until):
                assert self.now < until < self.deadline
                assert until - self.now <= self.policy.backoff_max
            case GiveUp(error):
                self.check_end(error)
            case Succeed():
                raise AssertionError("nobody answered")

    def check_try(self, step: TryEndpoint[str]) -> None:
        self.tries += 1
        self.walk[step.endpoint] += 1
        if self.walk[step.endpoint] > 1:
            self.extra_tries += 1
        assert self.extra_tries <= 1, "an endpoint twice in a round, and not for the one reconnection"
        assert self.now < self.deadline
        assert 0 < step.connect_timeout <= step.timeout <= self.policy.attempt_timeout
        assert self.now + step.timeout <= self.deadline + 1e-6
        assert step.fresh == bool(self.failures)
        assert self.tries <= (self.policy.rounds + self.policy.forwards) * len(ENDPOINTS) + 1

    def check_end(self, error: BaseException) -> None:
        if isinstance(error, DeadlineExceeded) and error not in self.failures:
            assert error.__cause__ is (self.failures[-1] if self.failures else None)
            assert self.now >= self.deadline - 2 * self.policy.backoff_initial, "the deadline is not used up"
        if isinstance(error, FailoverExhausted) and error not in self.failures:
            assert self.now < self.deadline or self.forwards > self.policy.forwards
            assert [attempt.error for attempt in error.attempts] == self.failures

    @precondition(lambda self: isinstance(self.step, TryEndpoint) and self.tries >= self.patience)
    @rule(late=st.booleans())
    def answers(self, late: bool) -> None:
        if late:
            self.now = max(self.now, self.deadline + 1.0)
        self.invocation.outcome("answer", self.now)
        self.step = self.invocation.next_step(self.now)
        assert self.step == Succeed("answer")

    @precondition(lambda self: isinstance(self.step, TryEndpoint))
    @rule(failure=st.one_of(harmless, failures))
    def fails(self, failure: Failure) -> None:
        make, completed = failure
        error = make()
        self.failures.append(error)
        if completed is YES or (completed is MAYBE and not self.repeats_maybe):
            self.must_raise = error
        self.invocation.outcome(error, self.now)
        self.ask()

    @precondition(lambda self: isinstance(self.step, TryEndpoint) and self.tries >= self.patience)
    @rule(make=st.sampled_from(FINAL))
    def fails_for_good(self, make: Callable[[], BaseException]) -> None:
        self.must_raise = make()
        self.failures.append(self.must_raise)
        self.invocation.outcome(self.must_raise, self.now)
        self.ask()

    @precondition(lambda self: isinstance(self.step, TryEndpoint))
    @rule(endpoints=sets_of_endpoints.filter(bool))
    def is_forwarded(self, endpoints: list[str]) -> None:
        self.forwards += 1
        self.walk.clear()
        self.invocation.forwarded(endpoints, self.now)
        self.ask()

    @precondition(lambda self: isinstance(self.step, Reacquire))
    @rule(endpoints=sets_of_endpoints)
    def acquires(self, endpoints: list[str]) -> None:
        if endpoints:
            self.walk.clear()
        self.invocation.reacquired(endpoints, self.now)
        if not endpoints:
            self.failures.append(self.invocation.attempts[-1].error)
        self.ask()

    @precondition(lambda self: isinstance(self.step, Reacquire))
    @rule(failure=st.sampled_from(FAILURES))
    def does_not_acquire(self, failure: Failure) -> None:
        error = failure[0]()
        self.failures.append(error)
        self.invocation.reacquire_failed(error, self.now)
        self.ask()

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "invocation"):
            return
        assert [attempt.error for attempt in self.invocation.attempts] == self.failures
        assert self.forwards <= self.policy.forwards + 1
        if self.forwards > self.policy.forwards:
            assert self.invocation.state is State.GAVE_UP

    def teardown(self) -> None:
        """Left alone with servers that refuse, every invocation ends."""
        if not hasattr(self, "invocation"):
            return
        for _ in range(1000):
            step = self.step if self.step is not None else self.invocation.next_step(self.now)
            self.step = None
            match step:
                case TryEndpoint():
                    self.invocation.outcome(ConnectFailed("refused"), self.now)
                case Reacquire():
                    self.invocation.reacquired(ENDPOINTS, self.now)
                case Wait(until):
                    self.now = max(self.now, until)
                case _:
                    return
        raise AssertionError("it goes on for ever")


TestFailoverModel = FailoverModel.TestCase
TestFailoverModel.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)

"""One invocation: which endpoint next, when to re-acquire, when to wait, when to give up.

Knows the policy, the tables of `classify` and what its shell told it; must not know what an endpoint is (any hashable thing with
a `str()` that holds all it takes to send the request: address, version, object key), nor a socket, a clock or chance: `now` is an
argument, in seconds on a clock that never goes back, and `jitter` a callable passed in.

Invariants:
- a request is never offered again after an error that says it ran, nor after one that says it may have run unless the caller
  allowed that (`may_repeat`);
- no try starts, and no acquisition and no wait is asked for, at or after the deadline;
- within a round no endpoint is offered twice, but for the one reconnection of an invocation; a LOCATION_FORWARD, being the
  order of a live server, opens a walk of its own in front of what is left of the round;
- tries <= rounds * endpoints + 1 + those of at most `forwards` forwards; acquisitions <= rounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import Any, Generic, TypeVar

from iiop.exceptions import (
    Attempt,
    CodecError,
    CompletionStatus,
    ConnectFailed,
    DeadlineExceeded,
    FailoverExhausted,
    IIOPError,
    LocalProtocolError,
    UserException,
)
from iiop.failover.classify import Action, action_for, completion_of
from iiop.failover.events import (
    Acquired,
    AcquireFailed,
    AttemptFailed,
    BackedOff,
    Forwarded,
    GaveUp,
    Observer,
    Recovered,
)
from iiop.failover.policy import FailoverPolicy, as_caller_expects, may_repeat
from iiop.failover.steps import GiveUp, Reacquire, Step, Succeed, TryEndpoint, Wait

__all__ = ["Invocation", "State", "TRANSITIONS", "Trigger"]

E = TypeVar("E", bound=Hashable)


class State(Enum):
    """Say what an invocation waits for."""

    DECIDING = "DECIDING"
    TRYING = "TRYING"
    REACQUIRING = "REACQUIRING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    GAVE_UP = "GAVE_UP"


class Trigger(Enum):
    """Say what moves an invocation from one state to the next."""

    OFFER = "OFFER"
    ASK = "ASK"
    BACK_OFF = "BACK_OFF"
    WAKE = "WAKE"
    ANSWERED = "ANSWERED"
    FORWARDED = "FORWARDED"
    ACQUIRED = "ACQUIRED"
    TRY_FAILED = "TRY_FAILED"
    ACQUIRE_FAILED = "ACQUIRE_FAILED"
    STOP = "STOP"


TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.DECIDING, Trigger.OFFER): State.TRYING,
    (State.DECIDING, Trigger.ASK): State.REACQUIRING,
    (State.DECIDING, Trigger.BACK_OFF): State.WAITING,
    (State.DECIDING, Trigger.STOP): State.GAVE_UP,
    (State.WAITING, Trigger.WAKE): State.DECIDING,
    (State.TRYING, Trigger.ANSWERED): State.SUCCEEDED,
    (State.TRYING, Trigger.FORWARDED): State.DECIDING,
    (State.TRYING, Trigger.TRY_FAILED): State.DECIDING,
    (State.REACQUIRING, Trigger.ACQUIRED): State.DECIDING,
    (State.REACQUIRING, Trigger.ACQUIRE_FAILED): State.DECIDING,
}


def _nobody(event: object) -> None:
    pass


class Invocation(Generic[E]):
    """Decide, step by step, how one operation is tried.

    The shell asks `next_step(now)`, does what the step says, tells what came of it, and asks again.

    Args:
        policy: how long and how often.
        endpoints: those of the reference, in its order; none if it is still to be acquired, which then is the first step.
        idempotent: the caller's word that the operation may run twice.
        now: seconds; the deadline counts from here.
        jitter: gives a number from 0 to below 1; called once a wait.
        operation: its name, for events.
        observe: is told what happens; must not raise.

    Attributes:
        policy: as given.
        deadline: seconds, on the clock of `now`.
    """

    def __init__(
        self,
        policy: FailoverPolicy,
        endpoints: Iterable[E],
        *,
        idempotent: bool,
        now: float,
        jitter: Callable[[], float],
        operation: str = "",
        observe: Observer | None = None,
    ) -> None:
        self.policy = policy
        self.deadline = now + policy.deadline
        self._idempotent = idempotent
        self._jitter = jitter
        self._operation = operation
        self._observe: Observer = observe or _nobody
        self._began = now
        self._state = State.DECIDING
        self._verdict: Succeed | GiveUp | None = None

        self._queue: deque[E] = deque()
        self._failed: set[E] = set()
        self._rounds_left = policy.rounds
        self._reconnected = False
        self._tried = False
        self._stale: BaseException | None = None
        self._trail: list[str] = []

        self._reason: str | None = None
        self._recovered = False
        self._wait_first = False
        self._delay = min(policy.backoff_initial, policy.backoff_max)
        self._until = now

        self._current: E
        self._since = now
        self._attempts: list[Attempt] = []
        self._completed = CompletionStatus.COMPLETED_NO

        known = tuple(endpoints)
        if known:
            self._begin_round(known)
        else:
            self._reason = "no endpoint is known yet"

    @property
    def state(self) -> State:
        """What the invocation waits for."""
        return self._state

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every try and acquisition that failed so far, in order."""
        return tuple(self._attempts)

    def next_step(self, now: float) -> Step[E]:
        """Say what to do next.

        A `Wait` is repeated until its time has come, the last step for ever.

        Raises:
            LocalProtocolError: the outcome of the step before was not told.
        """
        if self._verdict is not None:
            return self._verdict
        if self._state is State.WAITING:
            if now < self._until:
                return Wait(self._until)
            self._move(Trigger.WAKE)
        if self._state is not State.DECIDING:
            raise LocalProtocolError(f"next_step in state {self._state.name}: the outcome of the last step is due first")

        remaining = self.deadline - now
        if remaining <= 0:
            return self._stop(self._out_of_time(f"the deadline of {self.policy.deadline:g} s has passed"), now)
        if self._queue and (self._reason is None or self._rounds_left == 0):
            return self._offer(now, remaining)
        if self._rounds_left == 0:
            return self._stop(self._exhausted(f"no endpoint answered in {self.policy.rounds} round(s)"), now)
        if self._reason is None:
            self._recover("every endpoint of the reference failed")
        if self._wait_first:
            self._wait_first = False
            pause = self._pause(now, remaining)
            if pause is not None:
                return pause
        return self._ask(now, remaining)

    def outcome(self, result: Any, now: float) -> None:
        """Tell how the try ended.

        A result that came after the deadline is a result all the same.

        Args:
            result: what the operation returned, or the exception it ended with.
            now: seconds.

        Raises:
            LocalProtocolError: no try is under way.
        """
        if isinstance(result, BaseException):
            self._move(Trigger.TRY_FAILED)
            self._try_failed(result, now)
        else:
            self._move(Trigger.ANSWERED)
            self._recovered_at(now)
            self._verdict = Succeed(result)

    def forwarded(self, endpoints: Iterable[E], now: float) -> None:
        """Tell that the try ended with LOCATION_FORWARD to a reference with these endpoints.

        They come next, each once; after them what is left of the round.

        Raises:
            LocalProtocolError: no try is under way.
        """
        targets = tuple(endpoints)
        if not targets:
            self.outcome(ConnectFailed("LOCATION_FORWARD to a reference without an endpoint we can use"), now)
            return
        self._move(Trigger.FORWARDED)
        self._trail.append(str(self._current))
        if len(self._trail) > self.policy.forwards:
            kind = "a LOCATION_FORWARD loop" if len(set(self._trail)) < len(self._trail) else "too many LOCATION_FORWARDs"
            shown = " -> ".join([*self._trail[-5:], str(targets[0])])
            self._stop(self._exhausted(f"{kind}: {self.policy.forwards} were followed, the last ones {shown}"), now)
            return
        self._observe(Forwarded(self._operation, str(self._current), tuple(map(str, targets))))
        self._queue = deque(dict.fromkeys((*targets, *self._queue)))

    def reacquired(self, endpoints: Iterable[E], now: float) -> None:
        """Tell the endpoints of the object reference acquired afresh; a new round begins.

        Those that failed in the round before go last, because the reference need not have changed.

        Raises:
            LocalProtocolError: no acquisition is under way.
        """
        known = tuple(endpoints)
        if not known:
            self.reacquire_failed(ConnectFailed("the acquired reference has no endpoint we can use"), now)
            return
        self._move(Trigger.ACQUIRED)
        self._observe(Acquired(self._operation, self._reason or "", tuple(map(str, known)), now - self._since))
        self._reason = None
        self._begin_round(known)

    def reacquire_failed(self, error: BaseException, now: float) -> None:
        """Tell that the reference could not be acquired.

        Nothing of the caller's has run, so any `IIOPError` costs a round and no more. But if the object was reported gone, and
        now its name is too (a user exception such as NotFound), the first report is what the caller gets, at once; and so is what
        asking again does not change: a name that was never bound, or that cannot be said.

        Raises:
            LocalProtocolError: no acquisition is under way.
        """
        self._move(Trigger.ACQUIRE_FAILED)
        self._attempts.append(Attempt("re-acquire", error, now - self._since))
        self._observe(AcquireFailed(self._operation, self._reason or "", error, now - self._since))
        self._rounds_left -= 1
        unheard_of = isinstance(error, UserException) and not self._tried
        if not isinstance(error, IIOPError) or isinstance(error, CodecError) or unheard_of:
            self._stop(error, now)
        elif self._stale is not None and isinstance(error, UserException):
            if self._stale.__cause__ is None:
                self._stale.__cause__ = error
            self._stop(self._stale, now)
        elif self._queue:
            self._reason = None
        else:
            self._recover("the reference could not be acquired", wait=True)

    def _move(self, trigger: Trigger) -> None:
        try:
            self._state = TRANSITIONS[self._state, trigger]
        except KeyError:
            raise LocalProtocolError(f"{trigger.name} does not fit state {self._state.name} of an invocation") from None

    def _stop(self, error: BaseException, now: float, *, answered: bool = False) -> GiveUp:
        self._move(Trigger.STOP)
        if isinstance(error, IIOPError):
            before = tuple([attempt for attempt in self._attempts if attempt.error is not error])
            error.attempts = error.attempts or before
        if isinstance(error, DeadlineExceeded):
            error = as_caller_expects(self.policy.late, error)
        if not answered:
            self._observe(GaveUp(self._operation, error, len(self._attempts), now - self._began))
        self._verdict = GiveUp(error)
        return self._verdict

    def _recovered_at(self, now: float) -> None:
        if self._attempts:
            self._observe(Recovered(self._operation, str(self._current), len(self._attempts), now - self._began))

    def _begin_round(self, endpoints: tuple[E, ...]) -> None:
        self._rounds_left -= 1
        self._queue = deque(sorted(dict.fromkeys(endpoints), key=self._failed.__contains__))
        self._failed.clear()

    def _offer(self, now: float, remaining: float) -> TryEndpoint[E]:
        self._move(Trigger.OFFER)
        self._tried = True
        timeout = min(self.policy.attempt_timeout, remaining / len(self._queue))
        endpoint = self._current = self._queue.popleft()
        self._since = now
        return TryEndpoint(endpoint, timeout, min(timeout, self.policy.connect_timeout), fresh=bool(self._attempts))

    def _ask(self, now: float, remaining: float) -> Reacquire:
        self._move(Trigger.ASK)
        self._since = now
        return Reacquire(self._reason or "", min(self.policy.attempt_timeout, remaining / 2))

    def _recover(self, reason: str, *, wait: bool = False) -> None:
        """Plan an acquisition; the first of an invocation comes at once, unless what went wrong asks for patience."""
        self._reason = reason
        self._wait_first = wait or self._recovered
        self._recovered = True

    def _pause(self, now: float, remaining: float) -> Wait | GiveUp | None:
        delay = self._delay * (1.0 - self.policy.jitter * self._jitter())
        self._delay = min(self._delay * self.policy.backoff_factor, self.policy.backoff_max)
        longest = remaining / 2
        if delay > longest:
            if longest < self.policy.backoff_initial:
                reason = f"the deadline of {self.policy.deadline:g} s leaves no time for another attempt"
                return self._stop(self._out_of_time(reason), now)
            delay = longest
        if delay <= 0:
            return None
        self._move(Trigger.BACK_OFF)
        self._observe(BackedOff(self._operation, delay))
        self._until = now + delay
        return Wait(self._until)

    def _try_failed(self, error: BaseException, now: float) -> None:
        endpoint = self._current
        completed, action = completion_of(error), action_for(error)
        if isinstance(error, UserException):
            self._recovered_at(now)
        else:
            self._observe(AttemptFailed(self._operation, str(endpoint), error, completed, now - self._since))
        self._attempts.append(Attempt(str(endpoint), error, now - self._since))
        self._failed.add(endpoint)
        if action is Action.SURFACE or not may_repeat(self.policy.semantics, self._idempotent, completed):
            self._stop(error, now, answered=isinstance(error, UserException))
            return
        if completed is not CompletionStatus.COMPLETED_NO:
            self._completed = completed
        if action is Action.REACQUIRE_ONCE:
            if self._stale is not None or self._rounds_left == 0:
                self._stop(error, now)
                return
            self._stale = error
        if action is Action.RECONNECT:
            if not self._reconnected:
                self._reconnected = True
                self._queue.appendleft(endpoint)
        elif action is not Action.NEXT_ENDPOINT and self._rounds_left:
            self._recover(f"{endpoint} answered {type(error).__name__}", wait=action is Action.BACK_OFF)

    def _out_of_time(self, reason: str) -> DeadlineExceeded:
        error = DeadlineExceeded(reason, completed=self._completed, attempts=self._attempts)
        error.__cause__ = self._attempts[-1].error if self._attempts else None
        return error

    def _exhausted(self, reason: str) -> FailoverExhausted:
        error = FailoverExhausted(reason, completed=self._completed, attempts=self._attempts)
        error.__cause__ = self._attempts[-1].error if self._attempts else None
        return error

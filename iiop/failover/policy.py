"""How long, how often and under which promise an invocation may be repeated; numbers only, no decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import inf, isnan

from iiop.exceptions import COMM_FAILURE, TIMEOUT, CompletionStatus, DeadlineExceeded, IIOPError

__all__ = ["DEFAULT_POLICY", "FailoverPolicy", "Late", "Semantics", "as_caller_expects", "may_repeat"]


class Semantics(Enum):
    """Name what a caller is promised; the names are the OMG's (lightweight fault tolerance, client failover semantics).

    BEST_EFFORT: repeated if it cannot have run, or if the operation is idempotent.
    AT_LEAST_ONCE: repeated also if it may have run: the caller's word that everything it calls may run twice.
    AT_MOST_ONCE: repeated only if it cannot have run, idempotent or not. (The OMG lets the server filter repetitions by an
        FT_REQUEST context; no server we know of behind IPCOM does, so we promise what a client can keep alone.)
    """

    BEST_EFFORT = "BEST_EFFORT"
    AT_LEAST_ONCE = "AT_LEAST_ONCE"
    AT_MOST_ONCE = "AT_MOST_ONCE"


_NO_ONLY = frozenset({CompletionStatus.COMPLETED_NO})
_NO_OR_MAYBE = frozenset({CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE})

_REPEATABLE: dict[tuple[Semantics, bool], frozenset[CompletionStatus]] = {
    (Semantics.BEST_EFFORT, False): _NO_ONLY,
    (Semantics.BEST_EFFORT, True): _NO_OR_MAYBE,
    (Semantics.AT_LEAST_ONCE, False): _NO_OR_MAYBE,
    (Semantics.AT_LEAST_ONCE, True): _NO_OR_MAYBE,
    (Semantics.AT_MOST_ONCE, False): _NO_ONLY,
    (Semantics.AT_MOST_ONCE, True): _NO_ONLY,
}


def may_repeat(semantics: Semantics, idempotent: bool, completed: CompletionStatus) -> bool:
    """Say whether an operation that got as far as `completed` may be sent again; COMPLETED_YES never may."""
    return completed in _REPEATABLE[semantics, idempotent]


class Late(Enum):
    """Name what a caller gets when its time is over.

    DEADLINE_EXCEEDED: our own `DeadlineExceeded`.
    TIMEOUT: the system exception TIMEOUT, minor code 0 (CORBA 3.3 part 1, clause 22.2.5).
    INTERSTAGE: COMM_FAILURE 0x464a0101, as clients of Interstage get it. Its server goes on executing.
    """

    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    TIMEOUT = "TIMEOUT"
    INTERSTAGE = "INTERSTAGE"


REPLY_TIMEOUT = 0x464A0101
"""Minor code of Interstage's COMM_FAILURE when a client's reply timer has run out."""


def as_caller_expects(late: Late, error: DeadlineExceeded) -> IIOPError:
    """Return what a caller gets for a deadline that has passed; the cause, the tries and the completion status stay."""
    if late is Late.DEADLINE_EXCEEDED:
        return error
    told: IIOPError
    told = TIMEOUT(0, error.completed) if late is Late.TIMEOUT else COMM_FAILURE(REPLY_TIMEOUT, error.completed)
    told.attempts = error.attempts
    told.__cause__ = error
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverPolicy:
    """State how an invocation copes with dead servers and stale references.

    Attributes:
        deadline: seconds for the whole call, re-acquiring and waiting included; `math.inf` for none.
        attempt_timeout: seconds for one try, connecting included.
        connect_timeout: seconds of these for connecting.
        rounds: how many times the endpoints are walked; the references are acquired afresh between rounds. A failed
            acquisition costs a round.
        backoff_initial: seconds of the first wait.
        backoff_factor: growth from one wait to the next, at least 1.
        backoff_max: seconds the waits do not grow beyond.
        jitter: share of a wait, 0 to 1, that chance may take off.
        semantics: what the caller is promised.
        refresh_interval: seconds after which references are acquired afresh although nothing failed, so that load returns
            to a repaired server; None for never.
        forwards: LOCATION_FORWARDs one invocation follows.
        late: what a caller gets when its time is over.

    Raises:
        ValueError: a number is out of range.
    """

    deadline: float = 30.0
    attempt_timeout: float = 10.0
    connect_timeout: float = 3.0
    rounds: int = 3
    backoff_initial: float = 0.1
    backoff_factor: float = 2.0
    backoff_max: float = 5.0
    jitter: float = 0.5
    semantics: Semantics = Semantics.BEST_EFFORT
    refresh_interval: float | None = 60.0
    forwards: int = 10
    late: Late = Late.DEADLINE_EXCEEDED

    def __post_init__(self) -> None:
        """Refuse numbers that would make a call wait for ever, or never start."""
        for name in ("deadline", "attempt_timeout", "connect_timeout"):
            _check(name, getattr(self, name), above=0.0)
        for name in ("backoff_initial", "backoff_max", "forwards"):
            _check(name, getattr(self, name), least=0.0, below=inf)
        _check("rounds", self.rounds, least=1)
        _check("backoff_factor", self.backoff_factor, least=1.0, below=inf)
        _check("jitter", self.jitter, least=0.0, most=1.0)
        if self.refresh_interval is not None:
            _check("refresh_interval", self.refresh_interval, above=0.0)


def _check(
    name: str, value: float, *, above: float = -inf, least: float = -inf, most: float = inf, below: float | None = None
) -> None:
    if isnan(value):
        raise ValueError(f"{name}: not a number")
    if not value > above:
        raise ValueError(f"{name}: {value} is not more than {above:g}")
    if value < least:
        raise ValueError(f"{name}: {value} is less than {least:g}")
    if value > most:
        raise ValueError(f"{name}: {value} is more than {most:g}")
    if below is not None and not value < below:
        raise ValueError(f"{name}: {value} is not less than {below:g}")


DEFAULT_POLICY = FailoverPolicy()

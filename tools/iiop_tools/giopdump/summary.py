"""Calls counted: how many, how long they took, how they ended, by operation and target.

Latencies are kept as counts of intervals whose ends are 2 % apart, so that memory does not depend on how many calls there are; a
percentile is off by no more than 1 %. It must not know how it is shown.

Invariants: at most `ROWS` rows, and of each at most `ENDINGS` ways to end; what comes when there are as many is counted in one
more. Names are of at most `LONGEST` characters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from iiop.giop.messages import Reply, ReplyStatus, Request
from iiop_tools.giopdump.conversations import Seen
from iiop_tools.giopdump.declared import Said
from iiop_tools.giopdump.rows import exception_name, operation_of, status_of, target_of
from iiop_tools.giopdump.values import shortened

__all__ = ["ENDINGS", "LONGEST", "ROWS", "Calls", "Key", "Latencies", "Summary"]

ROWS, ENDINGS = 10_000, 100
LONGEST = 1000
_STEP = math.log(1.02)


class Key(NamedTuple):
    """Name what calls are counted by."""

    operation: str
    target: str


OTHERS = Key("(others)", "")


class Latencies:
    """Count latencies, in nanoseconds."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, nanoseconds: int) -> None:
        """Count one; a clock that went backwards counts as 1."""
        self._counts[round(math.log(nanoseconds) / _STEP) if nanoseconds > 1 else 0] += 1

    def percentile(self, percent: float) -> float | None:
        """Return the latency that so many of them do not exceed, in nanoseconds; None if there are none.

        >>> latencies = Latencies()
        >>> for n in range(1, 101):
        ...     latencies.add(n * 1_000_000)
        >>> [abs(latencies.percentile(percent) / (percent * 1_000_000) - 1) < 0.0101 for percent in (50, 90, 99)]
        [True, True, True]
        """
        rank = math.ceil(self._counts.total() * percent / 100)
        for interval in sorted(self._counts):
            rank -= self._counts[interval]
            if rank <= 0:
                return math.exp(interval * _STEP)
        return None


class Calls:
    """Hold the calls of one operation of one target.

    Attributes:
        requests: how many were seen.
        answered: how many of them, or, where only answers are asked for, how many answers.
        unanswered: replies are still to come, or were not captured; oneways never get one.
        errors: how many ended with an exception.
        endings: how many ended how, by status or name of the exception.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.oneways = 0
        self.answered = 0
        self.errors = 0
        self.latencies = Latencies()
        self.endings: Counter[str] = Counter()

    @property
    def calls(self) -> int:
        """Return how many there were: where only answers are asked for, those."""
        return max(self.requests, self.answered)

    @property
    def unanswered(self) -> int:
        return self.calls - self.oneways - self.answered

    def ended(self, how: str, latency: int, *, failed: bool) -> None:
        """Count an answer.

        Args:
            how: status, or name of the exception.
            latency: in nanoseconds.
            failed: whether it is an exception.
        """
        self.answered += 1
        self.latencies.add(latency)
        self.errors += failed
        if how not in self.endings and len(self.endings) >= ENDINGS:
            how = OTHERS.operation
        self.endings[how] += 1


class Summary:
    """Count messages."""

    def __init__(self) -> None:
        self.total = Calls()
        self._rows: dict[Key, Calls] = {}
        self.problems = 0
        self.first: int | None = None
        self.last: int | None = None

    def add(self, seen: Seen, said: Said) -> None:
        """Count one message."""
        if self.first is None:
            self.first = seen.cut.began
        self.last = seen.cut.ended
        self.problems += bool(seen.problem)
        message = seen.message
        if isinstance(message, Request):
            for calls in self._counted(seen):
                calls.requests += 1
                calls.oneways += not message.response_flags & 1
        elif isinstance(message, Reply) and seen.request is not None:
            ending = shortened(exception_name(said.exception), LONGEST) if said.exception else status_of(seen)
            failed = message.reply_status in (ReplyStatus.USER_EXCEPTION, ReplyStatus.SYSTEM_EXCEPTION)
            for calls in self._counted(seen):
                calls.ended(ending, seen.latency or 0, failed=failed)

    def _counted(self, seen: Seen) -> Iterable[Calls]:
        target = f"{seen.connection.server} {target_of(seen)}"
        key = Key(shortened(operation_of(seen), LONGEST), shortened(target, LONGEST))
        if key not in self._rows and len(self._rows) >= ROWS:
            key = OTHERS
        return self.total, self._rows.setdefault(key, Calls())

    def rows(self) -> list[tuple[Key, Calls]]:
        """Return what was counted, what was called most first."""
        return sorted(self._rows.items(), key=lambda item: (-item[1].calls, item[0]))

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it; latencies in seconds."""
        return {
            "total": _data(self.total),
            "problems": self.problems,
            "operations": [{"operation": key.operation, "target": key.target} | _data(calls) for key, calls in self.rows()],
        }


def _data(calls: Calls) -> dict[str, Any]:
    percentiles = {f"p{percent}": calls.latencies.percentile(percent) for percent in (50, 90, 99)}
    return {
        "calls": calls.calls,
        "oneways": calls.oneways,
        "unanswered": calls.unanswered,
        "errors": calls.errors,
        "endings": dict(calls.endings),
        "latency": {name: None if value is None else value / 1e9 for name, value in percentiles.items()},
    }

"""Calls of clients in a scenario: what became of each, and what can be counted of them. No process, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from iiop.exceptions import explain_minor

__all__ = ["Call", "CallFailure", "exceptions", "hosts", "longest_silence", "minor_text"]


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Tell what a call ended with, or met on its way.

    Attributes:
        exception: name.
        minor: code.
        completed: status, `COMPLETED_NO`; empty where it is not known.
    """

    exception: str
    minor: int
    completed: str

    def __str__(self) -> str:
        return f"{self.exception} {minor_text(self.exception, self.minor)} {self.completed}".rstrip()


@dataclass(frozen=True, slots=True)
class Call:
    """Record one call.

    Attributes:
        client: who called.
        step: in which it ended.
        number: that the server wrote into its journal.
        host: node that answered; None if it failed, or if only asking showed that it had run.
        failure: that it ended with, None if it was answered.
        at: seconds, CLOCK_MONOTONIC, when it ended.
        met: failures on the way, the last one included.
    """

    client: str
    step: str
    number: int
    host: str | None
    failure: CallFailure | None
    at: float
    met: Sequence[CallFailure] = ()

    @classmethod
    def of(cls, client: str, step: str, row: Mapping[str, Any]) -> Call:
        """Return the call that a client told of."""
        failure = _failure(row) if row.get("error") else None
        met = tuple([_failure(seen) for seen in row.get("seen", ())]) or ((failure,) if failure else ())
        return cls(client, step, row["number"], row.get("host"), failure, row["at"], met)


def _failure(row: Mapping[str, Any]) -> CallFailure:
    return CallFailure(row["error"], row.get("minor", 0), row.get("completed", ""))


def hosts(calls: Sequence[Call]) -> Counter[str]:
    """Count answered calls by node."""
    return Counter(call.host for call in calls if call.host is not None)


def exceptions(calls: Sequence[Call]) -> Counter[CallFailure]:
    """Count exceptions: those that calls ended with, and those that were met on the way."""
    return Counter(failure for call in calls for failure in call.met)


def longest_silence(calls: Sequence[Call], begin: float, end: float) -> float:
    """Return the longest time without an answered call, in seconds, between two moments."""
    moments = [begin, *sorted(call.at for call in calls if call.failure is None), end]
    return max(after - before for before, after in pairwise(moments))


def minor_text(exception: str, minor: int) -> str:
    """Return a minor code with what is known of it."""
    known = explain_minor(exception, minor) if minor else None
    if known is None:
        return f"{minor:#010x}" if minor else "minor 0"
    return f"{minor:#010x} ({known.vendor}{': ' + known.name if known.name else ''})"

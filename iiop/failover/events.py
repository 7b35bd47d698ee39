"""What an invocation went through, for who counts or logs it: every failed try and its reason, and what was done about it.

A call that succeeds at its first try, or ends there with an exception of its own interface, makes no event: nothing happened.
All are logged as INFO, because an exception tells the caller how it ended, but for `RefreshFailed`, which no exception tells.
Knows what is told; must not know who listens, nor how calls are made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from iiop.exceptions import CompletionStatus

__all__ = [
    "AcquireFailed",
    "Acquired",
    "AttemptFailed",
    "BackedOff",
    "Event",
    "Forwarded",
    "GaveUp",
    "Observer",
    "Recovered",
    "RefreshFailed",
    "reporter",
]

log = logging.getLogger("iiop.failover")

_LONGEST = 300
"""Characters of a peer's, or of an error's, text that a line of the log shows."""


def _line(text: object) -> str:
    """Return text as a part of one line: peers write host names, and may put line ends into them."""
    shown = "".join(each if each.isprintable() else " " for each in str(text))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _error(error: BaseException) -> str:
    name, text = type(error).__name__, _line(error)
    return text if text.startswith(name) else f"{name}: {text}"


@dataclass(frozen=True, slots=True)
class Event:
    """Stand above all events; `str()` is one line.

    Attributes:
        operation: that was called, as on the wire; empty where no call is the cause.
    """

    operation: str
    level: ClassVar[int] = logging.INFO

    def __str__(self) -> str:
        return f"{_line(self.operation) or 'a reference'}: {self._told()}"

    def _told(self) -> str:
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class AttemptFailed(Event):
    """A try failed.

    Attributes:
        endpoint: `host:port`.
        error: the reason.
        completed: how far the operation can have got.
        elapsed: seconds.
    """

    endpoint: str
    error: BaseException
    completed: CompletionStatus
    elapsed: float

    def _told(self) -> str:
        return f"{_line(self.endpoint)} failed after {self.elapsed:.3f} s, {self.completed.name}: {_error(self.error)}"


@dataclass(frozen=True, slots=True)
class Forwarded(Event):
    """A server answered LOCATION_FORWARD.

    Attributes:
        endpoint: that answered.
        targets: where it leads, in order.
    """

    endpoint: str
    targets: tuple[str, ...]

    def _told(self) -> str:
        return f"{_line(self.endpoint)} forwards to {_line(', '.join(self.targets))}"


@dataclass(frozen=True, slots=True)
class Acquired(Event):
    """The reference was acquired afresh.

    Attributes:
        reason: why it had to be.
        endpoints: of the reference, in order.
        elapsed: seconds, waiting for others who acquire the same included.
    """

    reason: str
    endpoints: tuple[str, ...]
    elapsed: float

    def _told(self) -> str:
        where = _line(", ".join(self.endpoints))
        return f"reference acquired in {self.elapsed:.3f} s, because {_line(self.reason)}: it leads to {where}"


@dataclass(frozen=True, slots=True)
class AcquireFailed(Event):
    """The reference could not be acquired afresh for a call that needs it.

    Attributes:
        reason: why it had to be.
        error: why it could not.
        elapsed: seconds.
    """

    reason: str
    error: BaseException
    elapsed: float

    def _told(self) -> str:
        why = f"wanted because {_line(self.reason)}"
        return f"no reference after {self.elapsed:.3f} s, {why}: {_error(self.error)}"


@dataclass(frozen=True, slots=True)
class RefreshFailed(Event):
    """The reference grew old and could not be acquired afresh; the one known is used on.

    Attributes:
        error: why.
    """

    level: ClassVar[int] = logging.WARNING
    error: BaseException

    def _told(self) -> str:
        return f"could not be refreshed, the one known is used on: {_error(self.error)}"


@dataclass(frozen=True, slots=True)
class BackedOff(Event):
    """A call waits before it acquires the reference again.

    Attributes:
        seconds: how long.
    """

    seconds: float

    def _told(self) -> str:
        return f"waits for {self.seconds:.3f} s"


@dataclass(frozen=True, slots=True)
class Recovered(Event):
    """A call got its answer after something had failed.

    Attributes:
        endpoint: that answered.
        failures: tries and acquisitions that had failed.
        elapsed: seconds since the call began.
    """

    endpoint: str
    failures: int
    elapsed: float

    def _told(self) -> str:
        return f"{_line(self.endpoint)} answered {self.elapsed:.3f} s after the call began, and {self.failures} failure(s)"


@dataclass(frozen=True, slots=True)
class GaveUp(Event):
    """A call failed.

    Attributes:
        error: what the caller gets.
        failures: tries and acquisitions that had failed.
        elapsed: seconds since the call began.
    """

    error: BaseException
    failures: int
    elapsed: float

    def _told(self) -> str:
        return f"gave up after {self.elapsed:.3f} s and {self.failures} failure(s): {_error(self.error)}"


Observer = Callable[[Event], None]


def reporter(hook: Observer | None = None) -> Observer:
    """Return a function that logs an event, in one line, to `iiop.failover`, and hands it to `hook`, whose errors it logs."""

    def report(event: Event) -> None:
        log.log(event.level, "%s", event)
        if hook is not None:
            try:
                hook(event)
            except Exception:
                log.exception("the event hook raised; the call goes on")

    return report

"""One acquisition for all who need it: callers that find their reference bad at the same time ask the Naming Service once.

What is acquired is numbered. A caller says which number it saw fail; it is given what is newer, waits for an acquisition that is
under way, or makes one itself. This is for threads, `iiop.net.aio_renewal` for tasks; neither knows what is acquired, or how.

Invariants: at most one acquisition is under way; nobody waits longer than its own time; whoever has more time than the one that
failed for lack of it tries itself; a caller that is interrupted or cancelled takes nobody with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from iiop.exceptions import CompletionStatus, DeadlineExceeded, FailoverExhausted

__all__ = ["Flight", "Renewal", "Renewed", "waited_in_vain"]

T = TypeVar("T")


class Landed(Protocol):
    """Wait for an acquisition to be over: an Event of threads, or of tasks."""

    def set(self) -> None:
        """Wake all who wait."""


L = TypeVar("L", bound=Landed)


class Flight(Generic[L]):
    """One acquisition under way: until when, whether it is over, and how it failed; None if it did not, or was broken off."""

    def __init__(self, until: float, landed: L) -> None:
        self.until = until
        self.landed = landed
        self.error: BaseException | None = None


def waited_in_vain() -> DeadlineExceeded:
    """Return what who waited for others gets when its time is over."""
    return DeadlineExceeded("the reference is being acquired, and was not in time", completed=CompletionStatus.COMPLETED_NO)


class Renewed(Generic[T, L]):
    """Hold what was acquired last, and what is under way."""

    def __init__(self) -> None:
        self.number = 0
        self._latest: T | None = None
        self._flight: Flight[L] | None = None

    def _newer(self, seen: int) -> T | None:
        return self._latest if self.number > seen else None

    def _land(self, flight: Flight[L]) -> None:
        self._flight = None
        flight.landed.set()

    def _learn(self, found: T) -> None:
        self._latest = found  # before its number, by which others see it
        self.number += 1

    @staticmethod
    def _is_mine(flight: Flight[L], until: float) -> bool:
        """Tell whether the error of an acquisition is that of who waited for it, who had no more time."""
        out_of_time = isinstance(flight.error, DeadlineExceeded | FailoverExhausted)
        return flight.error is not None and not (out_of_time and flight.until < until)


class Renewal(Renewed[T, threading.Event]):
    """Acquire for threads.

    Args:
        acquire: returns it within the seconds it is given.

    Attributes:
        number: of what was acquired last; 0 if nothing was.
    """

    def __init__(self, acquire: Callable[[float], T]) -> None:
        super().__init__()
        self._acquire = acquire
        self._lock = threading.Lock()

    def get(self, seen: int, timeout: float) -> T:
        """Return what is newer than number `seen`, within `timeout` seconds.

        Raises:
            DeadlineExceeded: others acquire it, and take too long.
            IIOPError: as `acquire` does, for whoever waited for it too.
        """
        until = time.monotonic() + timeout
        while True:
            with self._lock:
                found, under_way = self._newer(seen), self._flight
                if found is not None:
                    return found
                flight = under_way or Flight(until, threading.Event())
                self._flight = flight
            if under_way is None:
                return self._fly(flight)
            if not flight.landed.wait(min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX)):
                raise waited_in_vain()
            if flight.error is not None and self._is_mine(flight, until):
                raise flight.error

    def _fly(self, flight: Flight[threading.Event]) -> T:
        try:
            found = self._acquire(max(0.0, flight.until - time.monotonic()))
        except Exception as error:
            flight.error = error
            raise
        else:
            self._learn(found)
            return found
        finally:
            with self._lock:
                self._land(flight)

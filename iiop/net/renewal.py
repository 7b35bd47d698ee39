"""One acquisition for all who need it: callers that find their reference bad at the same time ask the Naming Service once.

What is acquired is numbered. A caller says which number it saw fail; it is given what is newer, waits for an acquisition that is
under way, or makes one itself. Blocking and asyncio callers have a class each; it must not know what is acquired, or how.

Invariants: at most one acquisition is under way; nobody waits longer than its own time; whoever has more time than the one that
failed for lack of it tries itself; a caller that is interrupted or cancelled takes nobody with it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Generic, Protocol, TypeVar

from iiop.exceptions import CompletionStatus, DeadlineExceeded, FailoverExhausted

__all__ = ["AsyncRenewal", "Renewal"]

T = TypeVar("T")


class _Landed(Protocol):
    def set(self) -> None:
        """Wake all who wait."""


L = TypeVar("L", bound=_Landed)


class _Flight(Generic[L]):
    """One acquisition under way: until when, whether it is over, and how it failed; None if it did not, or was broken off."""

    def __init__(self, until: float, landed: L) -> None:
        self.until = until
        self.landed = landed
        self.error: BaseException | None = None


def _waited_in_vain() -> DeadlineExceeded:
    return DeadlineExceeded("the reference is being acquired, and was not in time", completed=CompletionStatus.COMPLETED_NO)


class _Renewed(Generic[T, L]):
    """Hold what was acquired last, and what is under way."""

    def __init__(self) -> None:
        self.number = 0
        self._latest: T | None = None
        self._flight: _Flight[L] | None = None

    def _newer(self, seen: int) -> T | None:
        return self._latest if self.number > seen else None

    def _land(self, flight: _Flight[L]) -> None:
        self._flight = None
        flight.landed.set()

    def _learn(self, found: T) -> None:
        self._latest = found  # before its number, by which others see it
        self.number += 1

    @staticmethod
    def _is_mine(flight: _Flight[L], until: float) -> bool:
        """Tell whether the error of an acquisition is that of who waited for it, who had no more time."""
        out_of_time = isinstance(flight.error, DeadlineExceeded | FailoverExhausted)
        return flight.error is not None and not (out_of_time and flight.until < until)


class Renewal(_Renewed[T, threading.Event]):
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
                flight = under_way or _Flight(until, threading.Event())
                self._flight = flight
            if under_way is None:
                return self._fly(flight)
            if not flight.landed.wait(min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX)):
                raise _waited_in_vain()
            if flight.error is not None and self._is_mine(flight, until):
                raise flight.error

    def _fly(self, flight: _Flight[threading.Event]) -> T:
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


class AsyncRenewal(_Renewed[T, asyncio.Event]):
    """Acquire for tasks of one event loop.

    Args:
        acquire: returns it within the seconds it is given.

    Attributes:
        number: of what was acquired last; 0 if nothing was.
    """

    def __init__(self, acquire: Callable[[float], Awaitable[T]]) -> None:
        super().__init__()
        self._acquire = acquire

    async def get(self, seen: int, timeout: float) -> T:
        """Return what is newer than number `seen`, within `timeout` seconds.

        Raises:
            DeadlineExceeded: others acquire it, and take too long.
            IIOPError: as `acquire` does, for whoever waited for it too.
        """
        now = asyncio.get_running_loop().time
        until = now() + timeout
        while True:
            found, flight = self._newer(seen), self._flight
            if found is not None:
                return found
            if flight is None:
                flight = self._flight = _Flight(until, asyncio.Event())
                return await self._fly(flight, timeout=until - now())
            try:
                async with asyncio.timeout_at(None if until == inf else until):
                    await flight.landed.wait()
            except TimeoutError:
                raise _waited_in_vain() from None
            if flight.error is not None and self._is_mine(flight, until):
                raise flight.error

    async def _fly(self, flight: _Flight[asyncio.Event], timeout: float) -> T:
        try:
            found = await self._acquire(max(0.0, timeout))
        except Exception as error:
            flight.error = error
            raise
        else:
            self._learn(found)
            return found
        finally:
            self._land(flight)

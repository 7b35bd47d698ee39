"""One acquisition for all tasks that need it: the twin of `iiop.net.renewal`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import TypeVar

from iiop.net.renewal import Flight, Renewed, waited_in_vain

__all__ = ["AsyncRenewal"]

T = TypeVar("T")


class AsyncRenewal(Renewed[T, asyncio.Event]):
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
                flight = self._flight = Flight(until, asyncio.Event())
                return await self._fly(flight, timeout=until - now())
            try:
                async with asyncio.timeout_at(None if until == inf else until):
                    await flight.landed.wait()
            except TimeoutError:
                raise waited_in_vain() from None
            if flight.error is not None and self._is_mine(flight, until):
                raise flight.error

    async def _fly(self, flight: Flight[asyncio.Event], timeout: float) -> T:
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

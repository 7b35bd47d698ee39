"""Time that a test can put forward, for the blocking client and for what a test runs in the background.

The time is the machine's, and what the test has added to it. So a test need not wait for what waits by the clock: a refresh
interval, an idle time, a back-off. The product pays nothing for it: while a `CorbaClock` is installed, the modules of ours that
import `time` find another one under that name.

What it cannot do is shorten a wait for a socket or another thread: that is the kernel's, and takes the seconds it takes. The
asyncio client goes by the clock of its event loop, which is the caller's own.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import iiop.net

__all__ = ["CorbaClock"]


class CorbaClock:
    """Put time forward.

    Attributes:
        ahead: seconds that have been added so far.
        slept: what the client has slept, in seconds, one entry for each time; no second of it passed.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []
        self._lock = threading.Lock()
        self._wake: list[Callable[[], object]] = []
        self._replaced: list[ModuleType] = []

    def monotonic(self) -> float:
        """Return the time, in seconds since some moment."""
        return time.monotonic() + self.ahead

    def advance(self, seconds: float) -> None:
        """Put the time forward.

        Raises:
            ValueError: it would go back.
        """
        if seconds < 0:
            raise ValueError(f"time goes forward only, not by {seconds:g} s")
        with self._lock:
            self.ahead += seconds
        for wake in self._wake:
            wake()

    def sleep(self, seconds: float) -> None:
        """Sleep as the client does: the time is put forward, and nobody waits."""
        self.slept.append(seconds)
        self.advance(seconds)

    def wakes(self, wake: Callable[[], object]) -> None:
        """Call a function whenever the time was put forward."""
        self._wake.append(wake)

    def install(self, modules: Iterable[ModuleType] = ()) -> None:
        """Let the modules of `iiop.net`, and others, go by this clock until `remove`; once is enough."""
        if self._replaced:
            return
        shells = pkgutil.iter_modules(iiop.net.__path__, f"{iiop.net.__name__}.")
        stands_in = _Time(self)
        for module in (*[importlib.import_module(shell.name) for shell in shells], *modules):
            if vars(module).get("time") is time:
                vars(module)["time"] = stands_in
                self._replaced.append(module)

    def remove(self) -> None:
        """Let every module go by the machine's clock again."""
        while self._replaced:
            vars(self._replaced.pop())["time"] = time


class _Time:
    """Look like the module `time`."""

    def __init__(self, clock: CorbaClock) -> None:
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

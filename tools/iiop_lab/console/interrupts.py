"""Ctrl-C, SIGTERM and SIGHUP, for what has to begin and end in order: the first one interrupts, and the end is left in peace."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

from iiop_tools import cli

__all__ = ["Interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Raise KeyboardInterrupt at Ctrl-C, `cli.Terminated` at the others, once, from `allow` to `hold`.

    Those that are ignored stay ignored. Outside of the main thread, where Python hears no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._allowed = False
        self._come: BaseException | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def allow(self) -> None:
        """Let the first one interrupt from now on, if it has not come already.

        Raises:
            KeyboardInterrupt, Terminated: it has.
        """
        self._allowed = True
        if self._come is not None:
            raise self._come

    def hold(self) -> None:
        """Let none interrupt from now on: what follows is the end."""
        self._allowed = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._come is None:
            self._come = KeyboardInterrupt() if number == signal.SIGINT else cli.Terminated()
            if self._allowed:
                raise self._come

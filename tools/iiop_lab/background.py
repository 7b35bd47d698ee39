"""What a test runs in the background: started, recorded, ended, and asked at the end what went wrong.

Everything has ended when `Background.close` returns, in the reverse of the order in which it began. What failed meanwhile is
raised there: a servant with a Python error, a task whose exception nobody asked for, a script of `ScriptedServer` that was not
played, a process that ended by itself, a thread, connection or listener that is left. It must not know pytest.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from iiop.net.serving import Serving
from iiop_lab.clock import CorbaClock
from iiop_lab.pcap import Traffic
from iiop_lab.scripted import ScriptedServer
from iiop_lab.taps import LabLoop

__all__ = ["Background", "LeftBehind"]

R = TypeVar("R")
S = TypeVar("S", bound=Serving)

PATIENCE = 10.0
"""Seconds that anything gets to end."""

_LOGGERS = ("iiop", "naming", "iiop_lab")


class LeftBehind(Exception):
    """Report something that did not end with the test."""


class Background(contextlib.AbstractContextManager["Background"]):
    """Run things until the end of a test.

    Args:
        traffic: is told what is said; None tells nobody.
        errors_allowed: Python errors of servants are the test's own business; they are in the log anyway.

    Attributes:
        clock: by which all of it goes.
    """

    def __init__(self, traffic: Traffic | None = None, *, errors_allowed: bool = False) -> None:
        self.traffic = traffic
        self.clock = CorbaClock()
        self._stack = ExitStack()
        self._failures: list[BaseException] = []
        self._loops: list[LabLoop] = []
        self._listening = _Listening(self._loops, self._failures)
        if not errors_allowed:
            for name in _LOGGERS:
                logging.getLogger(name).addHandler(self._listening)

    def serve(self, serving: S) -> S:
        """Run a server, or anything that serves, until the end.

        Raises:
            OSError: its address cannot be listened on.
        """
        loop = LabLoop(self.traffic, lambda: self.clock.ahead)
        self._loops.append(loop)
        serving.run_in(loop)
        self.clock.wakes(lambda: _wake(loop))
        self._stack.callback(self._end, serving, loop)
        return serving

    def _end(self, serving: Serving, loop: LabLoop) -> None:
        name = type(serving).__name__
        thread = next((thread for thread in threading.enumerate() if thread.ident == loop.thread), None)
        ending = threading.Thread(target=self._guarded, args=(lambda: serving.__exit__(None, None, None),), daemon=True)
        ending.start()
        ending.join(PATIENCE)
        self._failures += loop.failures()
        if ending.is_alive() or (thread is not None and thread.is_alive()):
            frame = sys._current_frames().get(loop.thread)
            at = "".join(traceback.format_stack(frame)) if frame is not None else ""
            self._failures.append(LeftBehind(f"{name} did not end within {PATIENCE:g} s; its thread is at\n{at}"))
        elif left := loop.left():
            self._failures.append(LeftBehind(f"{name} has ended and left {', '.join(left)}"))

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:
            self._failures.append(error)

    def peer(self) -> ScriptedServer:
        """Run a scripted server until the end."""
        server = ScriptedServer(traffic=self.traffic)
        server.__enter__()
        self._stack.callback(self._guarded, lambda: server.__exit__(None, None, None))
        return server

    def enter(self, manager: contextlib.AbstractContextManager[R]) -> R:
        """Enter a context, and leave it at the end; what that raises has failed."""
        entered = manager.__enter__()
        self._stack.callback(self._guarded, lambda: manager.__exit__(None, None, None))
        return entered

    def close(self) -> None:
        """End everything.

        Raises:
            BaseExceptionGroup: what failed, each with its traceback.
        """
        try:
            self._stack.close()
        finally:
            for name in _LOGGERS:
                logging.getLogger(name).removeHandler(self._listening)
        if self._failures:
            raise BaseExceptionGroup("failed in the background of the test", self._failures)

    def __exit__(self, *_: object) -> None:
        self.close()


def _wake(loop: LabLoop) -> None:
    with contextlib.suppress(RuntimeError):  # it has ended
        loop.call_soon_threadsafe(_nothing)


def _nothing() -> None:
    pass


class _Listening(logging.Handler):
    """Keep the exceptions that threads of ours log: an answer to a client has taken their place, so that nobody else hears."""

    def __init__(self, loops: list[LabLoop], failures: list[BaseException]) -> None:
        super().__init__(logging.ERROR)
        self._loops = loops
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and record.thread in [loop.thread for loop in self._loops]:
            error.add_note(record.getMessage())
            self._failures.append(error)

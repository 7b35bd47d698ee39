"""What serves until it is told to stop: in the caller's event loop, or in a thread with a loop of its own.

It must not know what is served.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from iiop.net.loop import new_event_loop

__all__ = ["Driven", "ServerThread", "Serving"]

R = TypeVar("R")


class ServerThread:
    """Run something that lives in an event loop in a thread of its own, for callers that have no loop.

    Args:
        start: coroutine function that starts it; called in the loop.
        stop: coroutine function that ends it.
        name: of the thread.
        loop: that nobody has run yet; it is closed at the end. None takes a new one.
    """

    def __init__(
        self,
        start: Callable[[], Any],
        stop: Callable[[], Any],
        name: str,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._start = start
        self._stop = stop
        self._loop = loop or new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(_end_tasks())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine in the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def __enter__(self) -> ServerThread:
        self._thread.start()
        try:
            self.call(self._start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.call(self._stop())
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Serving(ABC):
    """Stand above what serves until it is told to stop.

    `async with` runs it in the caller's event loop, `with` in a thread of its own.
    """

    _thread: ServerThread | None = None

    @abstractmethod
    async def start(self) -> None:
        """Begin to serve."""

    @abstractmethod
    async def stop(self) -> None:
        """End whatever `start` began."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        return self.run_in(new_event_loop())

    def run_in(self, loop: asyncio.AbstractEventLoop) -> Self:
        """Serve until `__exit__`, in a thread of its own with a loop that nobody has run yet, and that is closed at the end."""
        self._thread = ServerThread(self.start, self.stop, type(self).__name__, loop)
        self._thread.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._thread is not None
        self._thread.__exit__(kind, error, trace)


class Driven(Serving):
    """Serve, and do what any thread asks in the loop that serves.

    Who serves says in which loop it does, by `_served_by`, in `start` and `stop`.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.RLock()

    def _served_by(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Have things done in a loop from now on; with None, by whoever asks for them."""
        with self._lock:
            self._loop = loop

    def _do(self, action: Callable[[], R]) -> R:
        """Do something in the loop that serves, or here if none does, and return what it returns, or raise what it raises.

        It must not block. What is asked before the loop is left is done in it.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        done: Future[R] = Future()
        with self._lock:
            if self._loop is None or self._loop is here:
                return action()
            self._loop.call_soon_threadsafe(_fulfil, done, action)
        return done.result()


def _fulfil(done: Future[R], action: Callable[[], R]) -> None:
    try:
        done.set_result(action())
    except BaseException as error:
        done.set_exception(error)


async def _end_tasks() -> None:
    """Cancel what still runs in the loop, such as the acceptance of a connection that came with the end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

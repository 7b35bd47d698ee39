"""Threads that work off what they are given: so many of them, and a queue before them that is bounded.

It must not know what the work is. Work that has begun is never interrupted, as Python knows no way to; threads are daemons, so
that work without end does not keep a program from ending.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = ["THREADS", "Job", "Threads"]

log = logging.getLogger("iiop.threads")


THREADS = 8
"""Threads for servants, where nobody says another number."""


class Job:
    """Hold work that waits for a thread.

    Args:
        work: is called once.
        size: octets that are kept for it meanwhile.
    """

    __slots__ = ("size", "work")

    def __init__(self, work: Callable[[], object], size: int = 0) -> None:
        self.work: Callable[[], object] | None = work
        self.size = size


class Threads:
    """Give work to threads, which run until they are closed.

    Args:
        count: of threads.
        name: of the threads.
        limits: `queued` and `queued_octets` bound what waits.
    """

    def __init__(self, count: int, name: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._octets = 0
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"{name} {n + 1}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> bool:
        """Let a thread do a job; False if no more may wait, or they have been closed."""
        with self._lock:
            full = self._queue.qsize() >= self._limits.queued or self._octets >= self._limits.queued_octets
            if full or self._closed:
                return False
            self._octets += job.size
            self._queue.put(job)
        return True

    def withdraw(self, job: Job) -> None:
        """Let a job not be done, if that has not begun; its place in the queue is free when its turn comes."""
        self._take(job)

    def _take(self, job: Job) -> Callable[[], object] | None:
        with self._lock:
            work, job.work = job.work, None
            if work is not None:
                self._octets -= job.size
        return work

    def _work(self) -> None:
        while (job := self._queue.get()) is not None and not self._closed:
            work = self._take(job)
            if work is not None:
                try:
                    work()
                except BaseException:  # SystemExit would end the thread
                    log.exception("work failed in %s", threading.current_thread().name)
            del job, work

    def close(self, timeout: float) -> None:
        """Begin no more jobs; wait `timeout` seconds for threads to end."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
        end = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

"""Requests of servers to a blocking client: they run in threads, and their replies go out between the client's own requests.

A thread of its own (`BlockingConnection.serve`) sees to it that somebody always reads. It must not know operations.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Awaitable
from typing import Protocol

from iiop.exceptions import TRANSIENT, UNKNOWN, CompletionStatus, EncodeError, SystemException, refusal
from iiop.giop.messages import CancelRequest, LocateReply, LocateRequest, Reply, Request
from iiop.idl.servant import failure
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.answering import OMG_POA_DISCARDING
from iiop.net.objects import CallbackObjects
from iiop.net.threads import Job, Threads

__all__ = ["Callbacks", "Replying"]

log = logging.getLogger("iiop.servant")


class Replying(Protocol):
    """Send replies; `BlockingConnection` does."""

    def reply(self, reply: Reply | LocateReply, *, wait: bool = True) -> None: ...


class Callbacks(CallbackObjects):
    """Run what servers ask of a client.

    Args:
        count: of threads.
        limits: see `Threads`.
    """

    def __init__(self, count: int, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._threads = Threads(count, "callbacks", limits)
        self._lock = threading.Lock()
        self._jobs: dict[tuple[Replying, int], tuple[Request, Job]] = {}
        """Of requests that are to be answered, by connection and request id."""

    def take(self, connection: Replying, event: Request | LocateRequest | CancelRequest) -> None:
        """Do what a server asks, in a thread; never wait here, for the caller receives for others."""
        if isinstance(event, CancelRequest):
            with self._lock:
                _, cancelled = self._jobs.pop((connection, event.request_id), (None, None))
            if cancelled is not None:
                self._threads.withdraw(cancelled)
        elif isinstance(event, LocateRequest):
            located = self.adapter.locate(event)
            if not self._threads.submit(Job(functools.partial(connection.reply, located))):
                connection.reply(located, wait=False)
        else:
            job = Job(functools.partial(self._run, connection, event), len(event.body.octets))
            if event.response_expected:
                with self._lock:
                    self._jobs[connection, event.request_id] = event, job
            if not self._threads.submit(job):
                refused = TRANSIENT(OMG_POA_DISCARDING, CompletionStatus.COMPLETED_NO)
                log.warning("%s of a server refused: %s", event.operation, refused)
                self._answer(connection, event, failure(event, refused), wait=False)

    def _run(self, connection: Replying, request: Request) -> None:
        self._answer(connection, request, self._outcome(request))

    def _outcome(self, request: Request) -> Reply:
        try:
            reply = self.adapter.handle(request)
            return reply if isinstance(reply, Reply) else asyncio.run(_awaited(reply))
        except SystemException as error:
            return failure(request, error)
        except BaseException as error:  # a SystemExit is the servant's, not the thread's
            log.error("%s failed", request.operation, exc_info=error)
            return failure(request, UNKNOWN(0, CompletionStatus.COMPLETED_MAYBE))

    def _answer(self, connection: Replying, request: Request, reply: Reply, *, wait: bool = True) -> None:
        """Send a reply, if anybody wants one still; one that was cancelled may have left its id to another."""
        key = connection, request.request_id
        with self._lock:
            wanted = key in self._jobs and self._jobs[key][0] is request
            if wanted:
                del self._jobs[key]
        if wanted:
            try:
                connection.reply(reply, wait=wait)
            except EncodeError as error:
                log.error("%s: what it returned cannot be sent", request.operation, exc_info=error)
                connection.reply(failure(request, refusal(error, CompletionStatus.COMPLETED_YES)))

    def forget(self, connection: Replying) -> None:
        """Do nothing more for a connection, for it has ended; oneways run, as their sender may leave once they are sent."""
        with self._lock:
            jobs = [self._jobs.pop(key) for key in tuple(self._jobs) if key[0] is connection]
        for _, job in jobs:
            self._threads.withdraw(job)

    def close(self, timeout: float) -> None:
        """Begin nothing more; wait `timeout` seconds for what runs."""
        self._threads.close(timeout)


async def _awaited(reply: Awaitable[Reply]) -> Reply:
    return await reply

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
from iiop.net.objects import OMG_POA_DISCARDING, CallbackObjects
from iiop.net.threads import Job, Threads

__all__ = ["Callbacks", "Replying"]

log = logging.getLogger("iiop.servant")


class Replying(Protocol):
    """Send replies; `BlockingConnection` does."""

    def reply(self, reply: Reply | LocateReply) -> None: ...


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
        self._jobs: dict[tuple[Replying, int], Job] = {}
        """Of requests that are to be answered, by connection and request id."""

    def take(self, connection: Replying, event: Request | LocateRequest | CancelRequest) -> None:
        """Do what a server asks, in a thread."""
        if isinstance(event, CancelRequest):
            with self._lock:
                cancelled = self._jobs.pop((connection, event.request_id), None)
            if cancelled is not None:
                self._threads.withdraw(cancelled)
        elif isinstance(event, LocateRequest):
            connection.reply(self.adapter.locate(event))
        else:
            job = Job(functools.partial(self._run, connection, event), len(event.body.octets))
            if event.response_expected:
                with self._lock:
                    self._jobs[connection, event.request_id] = job
            if not self._threads.submit(job):
                refused = TRANSIENT(OMG_POA_DISCARDING, CompletionStatus.COMPLETED_NO)
                log.warning("%s of a server refused: %s", event.operation, refused)
                self._answer(connection, event, failure(event, refused))

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

    def _answer(self, connection: Replying, request: Request, reply: Reply) -> None:
        """Send a reply, if anybody wants one still."""
        with self._lock:
            wanted = self._jobs.pop((connection, request.request_id), None) is not None
        if wanted:
            try:
                connection.reply(reply)
            except EncodeError as error:
                log.error("%s: what it returned cannot be sent", request.operation, exc_info=error)
                connection.reply(failure(request, refusal(error, CompletionStatus.COMPLETED_YES)))

    def forget(self, connection: Replying) -> None:
        """Do nothing more for a connection, for it has ended; oneways run, as their sender may leave once they are sent."""
        with self._lock:
            jobs = [self._jobs.pop(key) for key in tuple(self._jobs) if key[0] is connection]
        for job in jobs:
            self._threads.withdraw(job)

    def close(self, timeout: float) -> None:
        """Begin nothing more; wait `timeout` seconds for what runs."""
        self._threads.close(timeout)


async def _awaited(reply: Awaitable[Reply]) -> Reply:
    return await reply

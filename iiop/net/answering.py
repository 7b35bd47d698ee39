"""Answer the requests of one connection in the event loop: at once, or in a task where the answer comes later.

What is refused is logged with peer and reason, once for each kind of exception, and counted at the end: one connection cannot
fill a log. It must not know transports, nor what an object does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from iiop.connection import Connection, Event
from iiop.exceptions import TRANSIENT, UNKNOWN, CompletionStatus, EncodeError, LocalProtocolError, SystemException, refusal
from iiop.giop.messages import CancelRequest, LocateReply, LocateRequest, Reply, Request
from iiop.idl.servant import failure, object_key_of
from iiop.limits import Limits

__all__ = ["OMG_POA_DISCARDING", "Adapter", "Answer", "Answering"]

log = logging.getLogger("iiop.server")

OMG_POA_DISCARDING = 0x4F4D0001
"""Minor code of the TRANSIENT that refuses a request for which there is no room."""

Answer = Reply | LocateReply


class Adapter(Protocol):
    """Answer the requests of one connection, at once or later; `iiop.idl.ObjectAdapter` is one that serves all.

    A SystemException raised by `handle`, or later, becomes the reply.
    """

    def handle(self, request: Request) -> Reply | Awaitable[Reply]: ...

    def locate(self, request: LocateRequest) -> LocateReply | Awaitable[LocateReply]: ...


class Answering:
    """Hand requests to an adapter, and its answers to a connection.

    Args:
        connection: that they came over.
        adapter: what answers.
        peer: who asks, for the log.
        write: sends octets.
        settled: is called when an answer that came later was written, or is not wanted any more.
        broken: is called where there is an answer that GIOP has no words for.
        oneways: holds those that run, and their octets; they do so although the connection ends, as their sender may leave once
            they are sent.
        limits: `queued` and `queued_octets` bound these; more are dropped.
    """

    def __init__(
        self,
        connection: Connection,
        adapter: Adapter,
        peer: str,
        *,
        write: Callable[[bytes], object],
        settled: Callable[[], None],
        broken: Callable[[], None],
        oneways: dict[asyncio.Future[Answer], int],
        limits: Limits,
    ) -> None:
        self._connection = connection
        self._adapter = adapter
        self._peer = peer
        self._write = write
        self._settled = settled
        self._broken = broken
        self._oneways = oneways
        self._limits = limits
        self._later: dict[int, asyncio.Future[Answer]] = {}
        self._refusals: dict[str, int] = {}

    def answer(self, event: Event) -> bytes:
        """Return the octets that answer a request, none if that comes later, or the event is no request."""
        if isinstance(event, Request):
            try:
                if self._oneways and not event.response_expected:
                    self._check_room()
                answer = self._adapter.handle(event)
            except SystemException as exception:
                answer = self._refused(event, exception)
            return self._settle(event, answer)
        if isinstance(event, LocateRequest):
            return self._settle(event, self._adapter.locate(event))
        if isinstance(event, CancelRequest):
            later = self._later.pop(event.request_id, None)
            if later is not None:
                later.cancel()
        return b""

    def _check_room(self) -> None:
        if len(self._oneways) >= self._limits.queued or sum(self._oneways.values()) >= self._limits.queued_octets:
            raise TRANSIENT(OMG_POA_DISCARDING, CompletionStatus.COMPLETED_NO)

    def under_way(self) -> tuple[asyncio.Future[Answer], ...]:
        """Return the answers that will come later."""
        return tuple(self._later.values())

    def end(self) -> None:
        """Want no more answers, for the connection has ended."""
        unwanted, self._later = self._later, {}
        for later in unwanted.values():
            if later not in self._oneways:
                later.cancel()
        for kind, count in self._refusals.items():
            if count > 1:
                log.warning("%s: %d requests refused with %s in all", self._peer, count, kind)
        self._refusals.clear()
        self._write = self._settled = self._broken = _ignore  # so that no circle keeps whoever gave them

    def _settle(self, request: Request | LocateRequest, answer: Answer | Awaitable[Answer]) -> bytes:
        """Return the octets of an answer that is there; wait for one that is not, in a task."""
        if not isinstance(answer, (Reply, LocateReply)):
            later = self._later[request.request_id] = asyncio.ensure_future(answer)
            later.add_done_callback(functools.partial(self._answered, request))
            if isinstance(request, Request) and not request.response_expected:
                self._oneways[later] = len(request.body.octets)
                later.add_done_callback(self._oneways.pop)
            return b""
        if isinstance(request, Request) and not request.response_expected:
            return b""
        try:
            return self._connection.send(answer)
        except EncodeError as error:
            assert isinstance(request, Request)
            exception = refusal(error, CompletionStatus.COMPLETED_YES)
            exception.__cause__ = error
            return self._connection.send(self._refused(request, exception))

    def _refused(self, request: Request, exception: SystemException) -> Reply:
        """Log the first refusal of its kind, count the others, and return the reply that says it."""
        kind = type(exception).__name__
        self._refusals[kind] = self._refusals.get(kind, 0) + 1
        if self._refusals[kind] == 1:
            why = f"{exception}: {exception.__cause__}" if exception.__cause__ else exception
            log.warning("%s: %s of %s refused: %s", self._peer, _shown(request.operation), _target(request), why)
        return failure(request, exception)

    def _answered(self, request: Request | LocateRequest, later: asyncio.Future[Answer]) -> None:
        """Send an answer that has come; its connection may have ended meanwhile."""
        wanted = self._later.get(request.request_id) is later
        if wanted:
            del self._later[request.request_id]
        if wanted or not later.cancelled():
            error = asyncio.CancelledError() if later.cancelled() else later.exception()
            with contextlib.suppress(LocalProtocolError):
                if error is None:
                    self._write(self._settle(request, later.result()))
                else:
                    self._failed(request, error)
        self._settled()

    def _failed(self, request: Request | LocateRequest, error: BaseException) -> None:
        """Answer a request whose answer will not come; a locate request has no such answer, and ends the connection."""
        if isinstance(request, Request) and isinstance(error, SystemException):
            self._write(self._settle(request, self._refused(request, error)))
            return
        log.error("answering %s of %s failed", type(request).__name__, self._peer, exc_info=error)
        if isinstance(request, Request):
            self._write(self._settle(request, failure(request, UNKNOWN(0, CompletionStatus.COMPLETED_MAYBE))))
        else:
            self._broken()


def _ignore(*_: object) -> None:
    """Do nothing."""


def _target(request: Request) -> str:
    try:
        return _shown(object_key_of(request.target))
    except SystemException:
        return "an unreadable profile"


def _shown(what: str | bytes) -> str:
    return repr(what) if len(what) <= 64 else f"{what[:64]!r}..."

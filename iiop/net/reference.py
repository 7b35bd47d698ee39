"""References of blocking clients that are acquired when they are first called, again when that fails, and from time to time.

It connects, sends and sleeps by its client; every decision is `iiop.failover.Invocation`'s. It must not know names, nor how a
reference is acquired: that is a function it is given. The twin for asyncio is `iiop.net.aio_reference`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

from iiop.endpoints import Endpoint
from iiop.exceptions import CompletionStatus, DeadlineExceeded, EncodeError, FailoverExhausted, IIOPError, UserException
from iiop.failover import (
    FailoverPolicy,
    First,
    GiveUp,
    Invocation,
    Opening,
    Reacquire,
    RefreshFailed,
    Succeed,
    TryEndpoint,
    Wait,
    refresh_time,
)
from iiop.giop.messages import Body, Reply, ReplyStatus
from iiop.idl import Operation
from iiop.iop import IOR
from iiop.net.blocking import Answer
from iiop.net.pool import Line
from iiop.net.renewal import Renewal
from iiop.net.route import FORWARDS, Route, forward_target
from iiop.net.sent import Sent

if TYPE_CHECKING:
    from iiop.net.client import Client

__all__ = ["Acquire", "Begun", "Reference"]

Acquire = Callable[[float], IOR]

_NO = CompletionStatus.COMPLETED_NO
_Came = Answer | IIOPError | None
"""What came of a try; None of a oneway."""


@dataclass(slots=True)
class Begun:
    """Keep a call whose result is asked for later: what `Reference.begin` has begun with, and what it has sent."""

    operation: Operation
    arguments: tuple[Any, ...]
    start: float
    seen: int
    first: First[Endpoint, Route[Line]] | None
    sent: Sent | None = None
    came: _Came = None


class Reference:
    """Call an object whose reference can be acquired again; the invoker behind a stub.

    Several threads may call at the same time.

    Args:
        client: connections and limits.
        acquire: returns the reference afresh within the seconds it is given.
        policy: see `FailoverPolicy`; that of the client if None.
        known: the endpoints of the reference, if it has been acquired already.
        fresh: use no connection that was used before.
    """

    def __init__(
        self,
        client: Client,
        acquire: Acquire,
        *,
        policy: FailoverPolicy | None = None,
        known: tuple[Endpoint, ...] = (),
        fresh: bool = False,
    ) -> None:
        self._client = client
        self._fresh = fresh
        self._acquire = acquire
        self.policy = policy or client.policy
        self._lock = threading.Lock()
        self._opening: Opening[Endpoint, Route[Line]] = Opening(self.policy, client.jitter, client.route_or_none, client.report)
        self._renewal = Renewal(self._find)
        self._refresh_at = inf
        if known:
            self._learn(known)

    def with_policy(self, policy: FailoverPolicy) -> Reference:
        """Return a reference to the same object, called by another policy; it begins with the endpoints known here."""
        first = self._opening.first
        known = () if first is None else first.known
        return Reference(self._client, self._acquire, policy=policy, known=known, fresh=self._fresh)

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation as the policy allows.

        Raises:
            CorbaException: what the object, or the way to it, answered.
            TransportError: connection lost, where the call must not be repeated.
            DeadlineExceeded: `policy.deadline` is over.
            FailoverExhausted: nobody answered; `.attempts` tells who was tried.
            EncodeError: the arguments do not fit the operation.
        """
        start, seen = time.monotonic(), self._renewal.number
        refreshed = start >= self._refresh_at
        if refreshed:
            self._refresh()
        first = self._opening.first
        came: _Came = None
        if first is not None:
            if first.route is not None and not refreshed:
                try:
                    came = self._client.ask(first.route, operation, arguments, first.step, start, fresh=self._fresh)
                    if type(came) is Body:
                        return operation.result(came, self._client.limits)
                except IIOPError as error:
                    came = error
            else:
                came = self._try_yet(first.step, operation, arguments, start)
        return self._persist(first, operation, arguments, start, came, seen)

    def begin(self, operation: Operation, arguments: tuple[Any, ...]) -> Begun:
        """Send the request of a call, and leave its reply for later; a reference that is yet to be acquired is acquired first.

        Raises:
            EncodeError: the arguments do not fit the operation.
        """
        start = time.monotonic()
        if self._opening.first is None:
            with contextlib.suppress(IIOPError):  # it is acquired again, and the reason told, when the result is asked for
                self._renewal.get(self._renewal.number, min(self.policy.attempt_timeout, self.policy.deadline / 2))
        first = self._opening.first
        begun = Begun(operation, arguments, start, self._renewal.number, first)
        if first is not None and first.route is not None:
            try:
                timeout = min(first.step.timeout, start + self.policy.deadline - time.monotonic())
                begun.sent = self._client.begin(first.route, operation, arguments, timeout, fresh=self._fresh or first.step.fresh)
            except EncodeError:
                raise
            except IIOPError as error:
                begun.came = error
        return begun

    def end(self, begun: Begun) -> Any:
        """Return the result of a call that has begun; go on as the policy allows.

        Raises:
            As `invoke`.
        """
        first, sent, came = begun.first, begun.sent, begun.came
        again = sent is None and came is None
        if sent is not None:
            try:
                came = sent.finish()
                if isinstance(came, Reply) and came.reply_status is ReplyStatus.NEEDS_ADDRESSING_MODE:
                    assert first is not None
                    assert first.route is not None
                    first.route.retarget(came, self._client.limits)
                    again = True
            except IIOPError as error:
                came, again = error, sent.may_go_again(error)
        if first is not None and again:
            came = self._try_yet(first.step, begun.operation, begun.arguments, begun.start)
        return self._persist(first, begun.operation, begun.arguments, begun.start, came, begun.seen)

    def _persist(
        self,
        first: First[Endpoint, Route[Line]] | None,
        operation: Operation,
        arguments: tuple[Any, ...],
        start: float,
        came: _Came,
        seen: int,
    ) -> Any:
        """Go on as the policy says, from what came of the first step, if there was one."""
        invocation = self._opening.go_on(first, idempotent=operation.idempotent, start=start, operation=operation.name)
        if first is not None:
            self._tell(invocation, operation, came)
        while True:
            step = invocation.next_step(time.monotonic())
            match step:
                case TryEndpoint():
                    self._tell(invocation, operation, self._try(step, operation, arguments))
                case Reacquire():
                    seen = self._reacquire(invocation, step, seen)
                case Wait():
                    time.sleep(max(0.0, step.until - time.monotonic()))
                case Succeed():
                    return step.result
                case GiveUp():
                    raise step.error

    def _try_yet(self, step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...], start: float) -> _Came:
        """Try the first step of a call that began some time ago, within what is left of its deadline."""
        timeout = min(step.timeout, start + self.policy.deadline - time.monotonic())
        if timeout <= 0:
            return DeadlineExceeded(f"the deadline of {self.policy.deadline:g} s has passed", completed=_NO)
        return self._try(replace(step, timeout=timeout, connect_timeout=min(step.connect_timeout, timeout)), operation, arguments)

    def _try(self, step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]) -> _Came:
        now = time.monotonic()
        try:
            return self._client.ask(self._client.route(step.endpoint), operation, arguments, step, now, fresh=self._fresh)
        except IIOPError as error:
            return error

    def _tell(self, invocation: Invocation[Endpoint], operation: Operation, came: _Came) -> None:
        """Tell what came of a try: an error, a reply, or None of a oneway."""
        limits = self._client.limits
        try:
            if isinstance(came, IIOPError):
                raise came
            if isinstance(came, Reply) and came.reply_status in FORWARDS:
                targets = self._client.endpoints(forward_target(came, limits))
                with self._lock:
                    self._opening.follow(targets, permanently=came.reply_status is ReplyStatus.LOCATION_FORWARD_PERM)
                invocation.forwarded(targets, time.monotonic())
                return
            result = None if came is None else operation.answer(came, limits)
        except IIOPError as error:
            with self._lock:
                self._opening.failed(error)
            invocation.outcome(error, time.monotonic())
        else:
            invocation.outcome(result, time.monotonic())

    def _refresh(self) -> None:
        """Acquire the reference afresh, for it is time.

        If nobody can be asked, the endpoints known are kept until it is time again: a dead Naming Service stops no call to a
        living object. If the answer is that the name leads nowhere any more, none are.
        """
        with self._lock:
            if self._opening.first is None or time.monotonic() < self._refresh_at:
                return
            self._refresh_at = self._next_refresh()  # callers beside us go on meanwhile
        try:
            self._renewal.get(self._renewal.number, min(self.policy.attempt_timeout, self.policy.deadline / 2))
        except UserException:
            self._learn(())
        except IIOPError as error:
            self._client.report(RefreshFailed("", error))

    def _find(self, timeout: float) -> tuple[Endpoint, ...]:
        found = self._client.endpoints(self._acquire(timeout))
        self._learn(found)
        return found

    def _learn(self, found: tuple[Endpoint, ...]) -> None:
        with self._lock:
            self._opening.learn(found)
            self._refresh_at = self._next_refresh()

    def _next_refresh(self) -> float:
        return refresh_time(self.policy, time.monotonic(), chance=self._client.jitter())

    def _reacquire(self, invocation: Invocation[Endpoint], step: Reacquire, seen: int) -> int:
        """Acquire what is newer than number `seen`, and return its number."""
        try:
            found = self._renewal.get(seen, step.timeout)
        except IIOPError as error:
            last = error.__cause__ if isinstance(error, FailoverExhausted) else None
            invocation.reacquire_failed(last or error, time.monotonic())
        else:
            seen = self._renewal.number
            invocation.reacquired(found, time.monotonic())
        return seen

"""The blocking client: references that are called, retried and re-acquired as the failover core says.

It sleeps, connects and sends; every decision is `iiop.failover.Invocation`'s. It must not know names, nor how a reference is
acquired: that is a function it is given.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from iiop.exceptions import (
    MARSHAL,
    CompletionStatus,
    ConnectionLost,
    CorbaException,
    DecodeError,
    IIOPError,
)
from iiop.failover import DEFAULT_POLICY, FailoverPolicy, GiveUp, Invocation, Reacquire, Succeed, TryEndpoint, Wait
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, Body, Reply, ReplyStatus, Request, ResponseFlags, key_address
from iiop.idl import Interface, Operation
from iiop.iop import IOR, IOR_CODEC
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.blocking import ConnectionPool
from iiop.profile import Endpoint, Version, endpoints

__all__ = ["Client", "Reference"]

S = TypeVar("S", bound=Interface)
Acquire = Callable[[float], IOR]

_FORWARDS = (ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM)


class _Forward(Exception):
    """Carry the reference of a LOCATION_FORWARD to the loop."""

    def __init__(self, reference: IOR) -> None:
        self.reference = reference


class Client:
    """Hold what calls share: connections, host names, limits.

    Args:
        hosts: addresses of host names that the system's resolver need not know.
        policy: for references that are given none of their own.
        limits: what a server may make us keep.
        seed: of the jitter of waits; None for one that differs.
    """

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        seed: int | None = None,
    ) -> None:
        self.policy = policy
        self.limits = limits
        self.pool = ConnectionPool(hosts=hosts, limits=limits)
        self._random = random.Random(seed)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self.pool.close()

    def stub(self, reference: IOR, interface: type[S], *, policy: FailoverPolicy | None = None) -> S:
        """Return a stub for a reference that stays what it is: nothing is re-acquired."""
        return interface(Reference(self, lambda timeout: reference, policy=policy, known=reference))

    def jitter(self) -> float:
        """Return a number from 0 to below 1."""
        return self._random.random()

    def attempt(self, endpoint: Endpoint, operation: Operation, arguments: tuple[Any, ...], step: TryEndpoint[Endpoint]) -> Any:
        """Call once, at one endpoint.

        Raises:
            CorbaException, ConnectFailed, ConnectionLost, DeadlineExceeded, EncodeError: how it ended.
        """
        deadline = time.monotonic() + step.timeout
        request = _request(endpoint, operation, arguments)
        fresh = step.fresh
        while True:
            connection, used = self.pool.take(endpoint.host, endpoint.port, step.connect_timeout, fresh=fresh)
            try:
                reply = connection.call(request, deadline)
            except ConnectionLost as error:
                if used and error.completed is CompletionStatus.COMPLETED_NO:
                    fresh = True  # the server closed an idle connection in order: nothing has run
                    continue
                raise
            except IIOPError:
                connection.close()
                raise
            self.pool.give_back(endpoint.host, endpoint.port, connection)
            if reply is None:
                return None
            assert isinstance(reply, Reply)
            return self._understand(operation, reply)

    def _understand(self, operation: Operation, reply: Reply) -> Any:
        if reply.reply_status in _FORWARDS:
            try:
                raise _Forward(reply.body.decode(IOR_CODEC, limits=self.limits))
            except DecodeError as error:
                raise MARSHAL(0, CompletionStatus.COMPLETED_NO) from error
        return operation.answer(reply, self.limits)


def _request(endpoint: Endpoint, operation: Operation, arguments: tuple[Any, ...]) -> Request:
    return Request(
        0,
        operation.name,
        key_address(endpoint.object_key),
        ResponseFlags.SYNC_NONE.value if operation.oneway else ResponseFlags.SYNC_WITH_TARGET.value,
        (),
        Body.of(operation.arguments, arguments),
        b"",
        _giop(endpoint.version),
    )


def _giop(version: Version) -> Version:
    """Return the GIOP version to speak to a profile: the highest both know."""
    return GIOP_1_2 if version >= GIOP_1_2 else GIOP_1_1 if version >= GIOP_1_1 else GIOP_1_0


class Reference:
    """Call an object whose reference can be acquired again; the invoker behind a stub.

    Several threads may call at the same time.

    Args:
        client: connections and limits.
        acquire: returns the reference afresh within the seconds it is given.
        policy: see `FailoverPolicy`; that of the client if None.
        known: the reference, if it has been acquired already.
    """

    def __init__(
        self, client: Client, acquire: Acquire, *, policy: FailoverPolicy | None = None, known: IOR | None = None
    ) -> None:
        self._client = client
        self._acquire = acquire
        self.policy = policy or client.policy
        self._lock = threading.Lock()
        self._endpoints: tuple[Endpoint, ...] = () if known is None else endpoints(known)
        self._acquired_at = time.monotonic()

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation as the policy allows.

        Raises:
            CorbaException: what the object, or the way to it, answered.
            TransportError: connection lost, where the call must not be repeated.
            DeadlineExceeded: `policy.deadline` is over.
            FailoverExhausted: nobody answered; `.attempts` tells who was tried.
            EncodeError: the arguments do not fit the operation.
        """
        invocation: Invocation[Endpoint] = Invocation(
            self.policy,
            self._current(),
            idempotent=operation.idempotent,
            now=time.monotonic(),
            jitter=self._client.jitter,
        )
        while True:
            step = invocation.next_step(time.monotonic())
            match step:
                case TryEndpoint():
                    self._try(invocation, step, operation, arguments)
                case Reacquire():
                    self._reacquire(invocation, step)
                case Wait():
                    time.sleep(max(0.0, step.until - time.monotonic()))
                case Succeed():
                    return step.result
                case GiveUp():
                    raise step.error

    def _current(self) -> tuple[Endpoint, ...]:
        """Return the endpoints known, none if it is time to acquire them again."""
        with self._lock:
            interval = self.policy.refresh_interval
            if interval is not None and time.monotonic() - self._acquired_at >= interval:
                self._endpoints = ()
            return self._endpoints

    def _try(
        self, invocation: Invocation[Endpoint], step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]
    ) -> None:
        try:
            result = self._client.attempt(step.endpoint, operation, arguments, step)
        except _Forward as forward:
            invocation.forwarded(endpoints(forward.reference), time.monotonic())
        except IIOPError as error:
            invocation.outcome(error, time.monotonic())
        else:
            invocation.outcome(result, time.monotonic())

    def _reacquire(self, invocation: Invocation[Endpoint], step: Reacquire) -> None:
        try:
            found = endpoints(self._acquire(step.timeout))
        except (CorbaException, IIOPError) as error:
            invocation.reacquire_failed(error, time.monotonic())
            return
        with self._lock:
            self._endpoints = found
            self._acquired_at = time.monotonic()
        invocation.reacquired(found, time.monotonic())

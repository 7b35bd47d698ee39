"""The asyncio client: calls that are retried as the failover core says, and never block the event loop.

The twin of `iiop.net.client`, over the same core: every decision is `iiop.failover.Invocation`'s. It must not know names.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from ssl import SSLContext
from typing import Any, TypeVar

from iiop.cdr.code_sets import negotiate
from iiop.endpoints import Endpoint, endpoints
from iiop.exceptions import (
    CODESET_INCOMPATIBLE,
    CompletionStatus,
    ConnectionLost,
    EncodeError,
    FailoverExhausted,
    IIOPError,
    refusal,
)
from iiop.failover import (
    DEFAULT_POLICY,
    FailoverPolicy,
    GiveUp,
    Invocation,
    Observer,
    Opening,
    Reacquire,
    Succeed,
    TryEndpoint,
    Wait,
    reporter,
)
from iiop.giop.messages import Body, Reply, ReplyStatus
from iiop.idl import AsyncInterface, Operation, Servant
from iiop.iop import IOR
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.aio_pool import AsyncLine, AsyncPool
from iiop.net.objects import CallbackObjects
from iiop.net.pool import CONNECTIONS
from iiop.net.route import FORWARDS, LARGEST_KEPT, ROUTES, Route, forward_target, giop_version
from iiop.net.tls import Security
from iiop.profile import CodeSetComponentInfo, code_sets_of_clients

__all__ = ["AsyncClient"]

A = TypeVar("A", bound=AsyncInterface)

_Came = Body | Reply | IIOPError | None
"""What came of a try; None of a oneway."""


class AsyncClient:
    """Call objects over connections that calls share.

    Args:
        hosts: addresses of host names that the system's resolver need not know.
        policy: how calls cope with dead servers, unless a reference has its own; its `refresh_interval` counts for references
            that can be acquired again (`iiop.net.aio_reference`).
        limits: what a server may make us hold.
        seed: of the jitter of waits; None for one that differs.
        code_sets, connections, fragment_size, keep_alive, on_event, ssl, allow_plain: see `iiop.net.client.Client`.
        pool: gives connections; None for one made of `hosts`, `limits`, `connections`, `fragment_size`, `keep_alive` and `ssl`.
    """

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        seed: int | None = None,
        code_sets: CodeSetComponentInfo | None = None,
        connections: int = CONNECTIONS,
        fragment_size: int | None = None,
        keep_alive: bool = False,
        on_event: Observer | None = None,
        ssl: SSLContext | bool = False,
        allow_plain: bool = False,
        pool: AsyncPool | None = None,
    ) -> None:
        self.policy = policy
        self.report = reporter(on_event)
        self.limits = limits
        self._security = Security.of(ssl, allow_plain=allow_plain)
        self._pool = pool or AsyncPool(
            hosts=hosts,
            limits=limits,
            connections=connections,
            fragment_size=fragment_size,
            keep_alive=keep_alive,
            security=self._security,
        )
        self._objects: CallbackObjects | None = None
        self._random = random.Random(seed)
        self._negotiate = functools.lru_cache(maxsize=256)(functools.partial(negotiate, code_sets or code_sets_of_clients()))
        self._routes = functools.lru_cache(maxsize=ROUTES)(self._make_route)
        self._openings = functools.lru_cache(maxsize=ROUTES)(self._open)

    def close(self) -> None:
        """Close idle connections, and others once their call has ended."""
        self._pool.close()

    def stub(self, reference: IOR, interface: type[A]) -> A:
        """Return a stub for a reference that stays what it is: nothing is re-acquired.

        Args:
            reference: of the object.
            interface: of the object, as `Bank.AccountAsync`.
        """
        return interface(_Bound(self, reference))

    def endpoints(self, reference: IOR) -> tuple[Endpoint, ...]:
        """Return the addresses of a reference that this client tries, in order."""
        return self._security.usable(endpoints(reference, self.limits))

    def activate(self, servant: Servant, object_key: bytes | None = None) -> IOR:
        """Let a servant be called by servers over the connections of this client, and return a reference to give them.

        A server can use it that takes offers to go both ways, once it has had a request of ours, for as long as the connection
        lasts. The servant runs in the event loop.

        Args:
            servant, object_key: see `Server.activate`.
        """
        if self._objects is None:
            self._objects = CallbackObjects(self.limits)
            self._pool.serve(self._objects)
        return self._objects.activate(servant, object_key)

    def deactivate(self, reference: IOR) -> None:
        """Let a servant be called no more.

        Raises:
            KeyError: nothing was activated that has this reference.
        """
        if self._objects is None:
            raise KeyError(reference)
        self._objects.deactivate(reference)

    def jitter(self) -> float:
        """Return a number from 0 to below 1."""
        return self._random.random()

    def invoke(
        self, reference: IOR, operation: Operation, arguments: tuple[Any, ...], *, policy: FailoverPolicy | None = None
    ) -> Coroutine[Any, Any, Any]:
        """Call an operation as the policy allows; a caller that is cancelled gives the request up, and its server is told.

        Args:
            reference: of the object.
            operation: of its interface.
            arguments: as many as the operation has.
            policy: see `FailoverPolicy`; that of the client if None.

        Raises:
            CorbaException: what the object, or the way to it, answered.
            TransportError: connection lost, where the call must not be repeated.
            DeadlineExceeded: `policy.deadline` is over.
            FailoverExhausted: nobody answered; `.attempts` tells who was tried.
            EncodeError: the arguments do not fit the operation.
        """

        async def again(step: Reacquire) -> tuple[Endpoint, ...]:
            return self.endpoints(reference)

        size = sum([len(profile.profile_data) for profile in reference.profiles])
        opening = self._openings(reference, policy) if size <= LARGEST_KEPT else self._open(reference, policy)
        return self.drive(opening, operation, arguments, again)

    async def drive(
        self,
        opening: Opening[Endpoint, Route[AsyncLine]],
        operation: Operation,
        arguments: tuple[Any, ...],
        again: Callable[[Reacquire], Awaitable[tuple[Endpoint, ...]]],
        *,
        fresh: bool = False,
    ) -> Any:
        """Call an operation where its reference begins; `again` returns its endpoints afresh. See `invoke`.

        Args:
            fresh: use no connection that was used before.
        """
        now = asyncio.get_running_loop().time
        start, first = now(), opening.first
        came: _Came = None
        if first is not None:
            if first.route is not None and not fresh:
                try:
                    came = await self._ask(first.route, operation, arguments, first.step, start)
                    if type(came) is Body:
                        return operation.result(came, self.limits)
                except IIOPError as error:
                    came = error
            else:
                came = await self._try(replace(first.step, fresh=fresh), operation, arguments)
        invocation = opening.go_on(first, idempotent=operation.idempotent, start=start, operation=operation.name)
        if first is not None:
            self._tell(opening, invocation, operation, came)
        while True:
            step = invocation.next_step(now())
            match step:
                case TryEndpoint():
                    self._tell(opening, invocation, operation, await self._try(step, operation, arguments))
                case Reacquire():
                    try:
                        found = await again(step)
                    except IIOPError as error:
                        last = error.__cause__ if isinstance(error, FailoverExhausted) else None
                        invocation.reacquire_failed(last or error, now())
                    else:
                        invocation.reacquired(found, now())
                case Wait():
                    await asyncio.sleep(max(0.0, step.until - now()))
                case Succeed():
                    return step.result
                case GiveUp():
                    raise step.error

    def _open(self, reference: IOR, policy: FailoverPolicy | None) -> Opening[Endpoint, Route[AsyncLine]]:
        opening = self.opening(policy or self.policy)
        opening.learn(self.endpoints(reference))
        return opening

    def opening(self, policy: FailoverPolicy) -> Opening[Endpoint, Route[AsyncLine]]:
        """Return where calls to a reference begin, which nobody knows yet."""
        return Opening(policy, self.jitter, self._route_or_none, self.report)

    def _route(self, endpoint: Endpoint) -> Route[AsyncLine]:
        return self._routes(endpoint) if len(endpoint.object_key) <= LARGEST_KEPT else self._make_route(endpoint)

    def _route_or_none(self, endpoint: Endpoint) -> Route[AsyncLine] | None:
        try:
            return self._route(endpoint)
        except CODESET_INCOMPATIBLE:
            return None

    def _make_route(self, endpoint: Endpoint) -> Route[AsyncLine]:
        version = giop_version(endpoint.version)
        agreed = None if endpoint.code_sets is None else self._negotiate(endpoint.code_sets)
        line = self._pool.line(endpoint.host, endpoint.port, version, agreed, tls=endpoint.tls)
        return Route(endpoint, version, agreed, line)

    async def _try(self, step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]) -> _Came:
        try:
            route = self._route(step.endpoint)
            return await self._ask(route, operation, arguments, step, asyncio.get_running_loop().time())
        except IIOPError as error:
            return error

    def _tell(
        self,
        opening: Opening[Endpoint, Route[AsyncLine]],
        invocation: Invocation[Endpoint],
        operation: Operation,
        came: _Came,
    ) -> None:
        """Tell what came of a try: an error, a reply, or None of a oneway."""
        now = asyncio.get_running_loop().time()
        try:
            if isinstance(came, IIOPError):
                raise came
            if isinstance(came, Reply) and came.reply_status in FORWARDS:
                targets = self.endpoints(forward_target(came, self.limits))
                opening.follow(targets, permanently=came.reply_status is ReplyStatus.LOCATION_FORWARD_PERM)
                invocation.forwarded(targets, now)
                return
            result = None if came is None else operation.answer(came, self.limits)
        except IIOPError as error:
            opening.failed(error)
            invocation.outcome(error, now)
        else:
            invocation.outcome(result, now)

    async def _ask(
        self,
        route: Route[AsyncLine],
        operation: Operation,
        arguments: tuple[Any, ...],
        step: TryEndpoint[Endpoint],
        now: float,
    ) -> Body | Reply | None:
        deadline, line, pool = now + step.timeout, route.line, self._pool
        connect_timeout, fresh = step.connect_timeout, step.fresh
        retargeted = False
        while True:
            try:
                prepared = route.prepared.get(operation) or route.prepare(operation)
                connection, used = None if fresh else pool.take(line), True
                if connection is None:
                    connection, used = await pool.open(line, connect_timeout, fresh=fresh)
                try:
                    answer = await connection.invoke(prepared, arguments, deadline)
                finally:
                    pool.give_back(line, connection)
            except EncodeError as error:
                if error.corba is not None:
                    raise refusal(error, CompletionStatus.COMPLETED_NO) from error
                raise
            except ConnectionLost as error:
                if used and error.completed is CompletionStatus.COMPLETED_NO:
                    # The server closed an idle connection in order: nothing has run.
                    left = deadline - asyncio.get_running_loop().time()
                    connect_timeout, fresh = max(0.0, min(connect_timeout, left)), True
                    continue
                raise
            if type(answer) is not Reply:
                return answer
            if answer.reply_status is not ReplyStatus.NEEDS_ADDRESSING_MODE or retargeted:
                return answer.body if answer.reply_status is ReplyStatus.NO_EXCEPTION else answer
            route.retarget(answer, self.limits)
            retargeted = True


class _Bound:
    """Carry calls to one reference; the invoker behind a stub."""

    def __init__(self, client: AsyncClient, reference: IOR, policy: FailoverPolicy | None = None) -> None:
        self._client = client
        self._reference = reference
        self._policy = policy

    def with_policy(self, policy: FailoverPolicy) -> _Bound:
        return _Bound(self._client, self._reference, policy)

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
        return self._client.invoke(self._reference, operation, arguments, policy=self._policy)

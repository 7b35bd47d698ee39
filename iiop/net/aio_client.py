"""The asyncio client: calls that are retried as the failover core says, and never block the event loop.

The twin of `iiop.net.client`, over the same core: every decision is `iiop.failover.Invocation`'s. It must not know names.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from iiop.cdr.code_sets import Negotiated, negotiate
from iiop.exceptions import CompletionStatus, ConnectionLost, DeadlineExceeded, EncodeError, IIOPError, refusal
from iiop.failover import DEFAULT_POLICY, FailoverPolicy, GiveUp, Invocation, Reacquire, Succeed, TryEndpoint, Wait
from iiop.giop.messages import Body, Reply, ReplyStatus, TargetAddress
from iiop.idl import AsyncInterface, Operation
from iiop.iop import IOR
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.aio import AsyncConnection
from iiop.net.client import FORWARDS, forward_target, giop_version, request_to, retarget
from iiop.profile import Endpoint, Version, code_sets_of_clients, endpoints

__all__ = ["AsyncClient"]

A = TypeVar("A", bound=AsyncInterface)

_Line = tuple[str, int, Version, Negotiated | None]
"""Host, port, version of GIOP and code sets, which some ORBs settle by the first request of a connection."""

IDLE = 64
"""Connections kept for later calls, whoever they lead to; one more lets go of the one that was used longest ago."""


class AsyncClient:
    """Call objects, and keep connections to their servers for later calls.

    Args:
        hosts: addresses of host names that the system's resolver need not know.
        policy: how calls cope with dead servers; its `refresh_interval` does not count, as references stay what they are.
        limits: what a server may make us hold.
        seed: of the jitter of waits; None for one that differs.
        pipelined: calls a connection carries at a time. With more than one they share its fate: a call that has no reply in time
            ends it for all of them.
    """

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        seed: int | None = None,
        pipelined: int = 1,
    ) -> None:
        self.policy = policy
        self._hosts = hosts
        self._limits = limits
        self._random = random.Random(seed)
        self._negotiate = functools.lru_cache(maxsize=256)(functools.partial(negotiate, code_sets_of_clients()))
        self._endpoints = functools.lru_cache(maxsize=256)(functools.partial(endpoints, limits=limits))
        self._idle: deque[tuple[_Line, AsyncConnection]] = deque()
        self._calls: Counter[AsyncConnection] = Counter()
        self._pipelined = pipelined
        self._closed = False

    def close(self) -> None:
        """Close idle connections, and others once their calls have ended."""
        self._closed = True
        while self._idle:
            self._close_unless_busy(self._idle.pop()[1])

    def stub(self, reference: IOR, interface: type[A]) -> A:
        """Return a stub for a reference that stays what it is: nothing is re-acquired.

        Args:
            reference: of the object.
            interface: of the object, as `Bank.AccountAsync`.
        """
        return interface(_Bound(self, reference))

    async def invoke(self, reference: IOR, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation as the policy allows; a caller that is cancelled gives the request up.

        Raises:
            CorbaException: what the object, or the way to it, answered.
            TransportError: connection lost, where the call must not be repeated.
            DeadlineExceeded: `policy.deadline` is over.
            FailoverExhausted: nobody answered; `.attempts` tells who was tried.
            EncodeError: the arguments do not fit the operation.
        """
        now = asyncio.get_running_loop().time
        known = self._endpoints(reference)
        invocation: Invocation[Endpoint] = Invocation(
            self.policy, known, idempotent=operation.idempotent, now=now(), jitter=self._random.random
        )
        while True:
            step = invocation.next_step(now())
            match step:
                case TryEndpoint():
                    await self._try(invocation, step, operation, arguments)
                case Reacquire():
                    invocation.reacquired(known, now())
                case Wait():
                    await asyncio.sleep(max(0.0, step.until - now()))
                case Succeed():
                    return step.result
                case GiveUp():
                    raise step.error

    async def _try(
        self, invocation: Invocation[Endpoint], step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]
    ) -> None:
        now = asyncio.get_running_loop().time
        try:
            reply = await self._ask(step, operation, arguments)
            if reply is not None and reply.reply_status in FORWARDS:
                invocation.forwarded(endpoints(forward_target(reply, self._limits), self._limits), now())
                return
            result = None if reply is None else operation.answer(reply, self._limits)
        except IIOPError as error:
            invocation.outcome(error, now())
        else:
            invocation.outcome(result, now())

    async def _ask(self, step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]) -> Reply | None:
        now = asyncio.get_running_loop().time
        endpoint, deadline = step.endpoint, now() + step.timeout
        version = giop_version(endpoint.version)
        agreed = None if endpoint.code_sets is None else self._negotiate(endpoint.code_sets)
        line = endpoint.host, endpoint.port, version, agreed
        connect_timeout, fresh = step.connect_timeout, step.fresh
        target: TargetAddress | None = None
        while True:
            connection, used = await self._take(line, connect_timeout, fresh)
            try:
                body = Body.of(operation.arguments, arguments, connection.speech(version))
                async with asyncio.timeout_at(deadline):
                    reply = await connection.call(request_to(0, endpoint, target, operation, body))
            except EncodeError as error:
                self._give_back(line, connection)
                if error.corba is not None:
                    raise refusal(error, CompletionStatus.COMPLETED_NO) from error
                raise
            except BaseException as error:
                connection.close()
                self._give_back(line, connection)
                if isinstance(error, TimeoutError):
                    reason = f"no reply from {connection.peer} in time"
                    raise DeadlineExceeded(reason, completed=CompletionStatus.COMPLETED_MAYBE) from error
                if used and isinstance(error, ConnectionLost) and error.completed is CompletionStatus.COMPLETED_NO:
                    # The server closed an idle connection in order: nothing has run.
                    connect_timeout, fresh = max(0.0, min(connect_timeout, deadline - now())), True
                    continue
                raise
            self._give_back(line, connection)
            assert reply is None or isinstance(reply, Reply)
            if reply is None or reply.reply_status is not ReplyStatus.NEEDS_ADDRESSING_MODE or target is not None:
                return reply
            target = retarget(endpoint, reply, self._limits)

    async def _take(self, line: _Line, timeout: float, fresh: bool) -> tuple[AsyncConnection, bool]:
        """Return a connection, and whether it had been used before; `fresh` takes none that had.

        Raises:
            ConnectFailed: refused, unreachable, unknown name, or too late.
        """
        for entry in () if fresh else reversed(tuple(self._idle)):
            idle, connection = entry
            if idle == line:
                self._idle.remove(entry)
                if connection.is_open:
                    return self._begin(line, connection), True
        host, port, _, agreed = line
        connected = await AsyncConnection.connect(host, port, timeout, hosts=self._hosts, limits=self._limits, agreed=agreed)
        return self._begin(line, connected), False

    def _begin(self, line: _Line, connection: AsyncConnection) -> AsyncConnection:
        """Count one more call on a connection, which others may share if that is not too many."""
        self._calls[connection] += 1
        if self._calls[connection] < self._pipelined:
            self._idle.append((line, connection))
        return connection

    def _give_back(self, line: _Line, connection: AsyncConnection) -> None:
        """Count one call less; the connection, if it still is one, may take others."""
        self._calls[connection] -= 1
        if not self._calls[connection]:
            del self._calls[connection]
        if self._closed:
            self._close_unless_busy(connection)
        elif connection.is_open and (line, connection) not in self._idle:
            self._idle.append((line, connection))
            if len(self._idle) > IDLE:
                self._close_unless_busy(self._idle.popleft()[1])

    def _close_unless_busy(self, connection: AsyncConnection) -> None:
        if connection not in self._calls:
            connection.close()


class _Bound:
    """Call the object of a reference; the invoker behind a stub."""

    def __init__(self, client: AsyncClient, reference: IOR) -> None:
        self._client = client
        self._reference = reference

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
        """Return what `AsyncClient.invoke` does."""
        return self._client.invoke(self._reference, operation, arguments)

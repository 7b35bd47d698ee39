"""References of asyncio clients that are acquired when they are first called, again when that fails, and from time to time.

    client = AsyncClient()
    account = reference(client, acquire, Account)
    await account.balance()

The twin of `iiop.net.client.Reference`, over the same core. It must not know names, nor how a reference is acquired: that is a
function it is given.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, TypeVar

from iiop.endpoints import Endpoint
from iiop.exceptions import IIOPError, UserException
from iiop.failover import FailoverPolicy, Reacquire, RefreshFailed, refresh_time
from iiop.idl import Invoker, Operation
from iiop.iop import IOR
from iiop.net.aio_client import AsyncClient
from iiop.net.aio_renewal import AsyncRenewal

__all__ = ["AsyncReference", "reference"]

H = TypeVar("H")
Acquire = Callable[[float], IOR | Awaitable[IOR]]


def reference(
    client: AsyncClient, acquire: Acquire, interface: Callable[[Invoker], H], *, policy: FailoverPolicy | None = None
) -> H:
    """Return a stub of an object whose reference is acquired when it is first called, and again when calling it fails.

    Args:
        client: connections.
        acquire: returns the reference, or an awaitable of it, within the seconds it is given, or raises an `IIOPError`. Several
            tasks that need it at a time share one acquisition.
        interface: of the object.
        policy: see `FailoverPolicy`; that of the client if None.
    """
    return interface(AsyncReference(client, acquire, policy=policy))


class AsyncReference:
    """Call an object whose reference can be acquired again; the invoker behind a stub. Tasks of one event loop share it.

    Args:
        client: connections and limits.
        acquire: returns the reference afresh within the seconds it is given, or an awaitable of it.
        policy: see `FailoverPolicy`; that of the client if None.
        known: the endpoints of the reference, if it has been acquired already; it grows old only once it was acquired here.
        fresh: use no connection that was used before.
    """

    def __init__(
        self,
        client: AsyncClient,
        acquire: Acquire,
        *,
        policy: FailoverPolicy | None = None,
        known: tuple[Endpoint, ...] = (),
        fresh: bool = False,
    ) -> None:
        self._client = client
        self._acquire = acquire
        self.policy = policy or client.policy
        self._fresh = fresh
        self._renewal = AsyncRenewal(self._find)
        self._opening = client.opening(self.policy)
        self._refresh_at = inf
        if known:
            self._opening.learn(known)

    def with_policy(self, policy: FailoverPolicy) -> AsyncReference:
        """Return a reference to the same object, called by another policy; it begins with the endpoints known here."""
        first = self._opening.first
        known = () if first is None else first.known
        return AsyncReference(self._client, self._acquire, policy=policy, known=known, fresh=self._fresh)

    async def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation as the policy allows; see `AsyncClient.invoke`."""
        seen = self._renewal.number

        async def again(step: Reacquire) -> tuple[Endpoint, ...]:
            nonlocal seen
            found = await self._renewal.get(seen, step.timeout)
            seen = self._renewal.number
            return found

        if self._opening.first is not None and asyncio.get_running_loop().time() >= self._refresh_at:
            await self._refresh()
        return await self._client.drive(self._opening, operation, arguments, again, fresh=self._fresh)

    async def _refresh(self) -> None:
        """Acquire the reference afresh, for it is time.

        If nobody can be asked, the endpoints known are kept until it is time again: a dead Naming Service stops no call to a
        living object. If the answer is that the name leads nowhere any more, none are.
        """
        self._plan_refresh()  # callers beside us go on meanwhile
        try:
            await self._renewal.get(self._renewal.number, min(self.policy.attempt_timeout, self.policy.deadline / 2))
        except UserException:
            self._opening.learn(())
        except IIOPError as error:
            self._client.report(RefreshFailed("", error))

    def _plan_refresh(self) -> None:
        now = asyncio.get_running_loop().time()
        self._refresh_at = refresh_time(self.policy, now, chance=self._client.jitter())

    async def _find(self, timeout: float) -> tuple[Endpoint, ...]:
        acquired = self._acquire(timeout)
        found = self._client.endpoints(await acquired if inspect.isawaitable(acquired) else acquired)
        self._opening.learn(found)
        self._plan_refresh()
        return found

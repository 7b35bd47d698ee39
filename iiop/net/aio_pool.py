"""Which connection serves an asyncio call: one that nobody uses, a new one, or the one with the fewest calls.

The twin of `iiop.net.pool`, with the same bounds. It must not know requests, nor block the event loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import weakref
from math import inf

from iiop.cdr.code_sets import Negotiated
from iiop.exceptions import ConnectFailed
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.aio import AsyncConnection
from iiop.net.objects import CallbackObjects
from iiop.net.pool import CONNECTIONS
from iiop.net.tls import PLAIN, Security
from iiop.profile import Version

__all__ = ["AsyncLine", "AsyncPool"]


class AsyncLine:
    """Hold the connections by which one address is spoken to in one way; see `iiop.net.pool.Line`."""

    __slots__ = ("__weakref__", "agreed", "changed", "host", "loads", "opening", "port", "tls")

    def __init__(self, host: str, port: int, agreed: Negotiated | None, *, tls: bool = False) -> None:
        self.host = host
        self.port = port
        self.agreed = agreed
        self.tls = tls
        self.loads: dict[AsyncConnection, int] = {}
        """Calls under way, by connection, idle ones too."""
        self.opening = 0
        self.changed = asyncio.Event()
        """Set when a connection has come about, or has not."""


class AsyncPool:
    """Give connections to calls, and take them back; the arguments are those of `iiop.net.pool.ConnectionPool`."""

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        limits: Limits = DEFAULT_LIMITS,
        connections: int = CONNECTIONS,
        fragment_size: int | None = None,
        keep_alive: bool = False,
        security: Security = PLAIN,
    ) -> None:
        self._hosts = hosts
        self._limits = limits
        self._connections = connections
        self._fragment_size = fragment_size
        self._keep_alive = keep_alive
        self._security = security
        self._lines: weakref.WeakValueDictionary[tuple[str, int, Version, Negotiated | None, bool], AsyncLine]
        self._lines = weakref.WeakValueDictionary()
        self._idle: dict[AsyncConnection, tuple[AsyncLine, float]] = {}
        """Connections without a call, the one used longest ago first: whose, and since when."""
        self._closed = False
        self._objects: CallbackObjects | None = None

    def serve(self, objects: CallbackObjects) -> None:
        """Let servers call objects over all connections, which are not idle any more when nobody calls over them."""
        self._objects = objects
        self._limits = dataclasses.replace(self._limits, idle_time=inf)
        for line in self._lines.values():
            for connection in line.loads:
                self._offer(connection, objects)

    def _offer(self, connection: AsyncConnection, objects: CallbackObjects) -> None:
        connection.serve(objects.adapter, objects.point, objects.oneways)

    def line(self, host: str, port: int, version: Version, agreed: Negotiated | None, *, tls: bool = False) -> AsyncLine:
        """Return the line for an address and a speech: the same one as long as anybody has it."""
        return self._lines.setdefault((host, port, version, agreed, tls), AsyncLine(host, port, agreed, tls=tls))

    def take(self, line: AsyncLine) -> AsyncConnection | None:
        """Return a connection for one call that there is already; None if one is to be opened."""
        loads, best, least, usable = line.loads, None, 0, line.opening
        for connection, load in loads.items():
            if connection.is_usable:
                usable += 1
                if best is None or load <= least:  # of equals the newest, as others may be dead alike
                    best, least = connection, load
        if best is None or (least and usable < self._connections):
            return None
        loads[best] = least + 1
        if not least:
            del self._idle[best]
        return best

    async def open(self, line: AsyncLine, timeout: float, *, fresh: bool) -> tuple[AsyncConnection, bool]:
        """Return a new connection for one call, and False; or, unless it is to be fresh, one that came about meanwhile, and True.

        Raises:
            ConnectFailed: refused, unreachable, unknown name, or too late.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + timeout
        while not fresh and line.opening >= self._connections:
            line.changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await line.changed.wait()
            except TimeoutError:
                reason = f"no connection to {line.host}:{line.port} in time: others have not come about either"
                raise ConnectFailed(reason) from None
            if (connection := self.take(line)) is not None:
                return connection, True
        line.opening += 1
        try:
            connection = await AsyncConnection.connect(
                line.host,
                line.port,
                max(0.0, deadline - now()),
                hosts=self._hosts,
                limits=self._limits,
                agreed=line.agreed,
                fragment_size=self._fragment_size,
                keep_alive=self._keep_alive,
                tls=self._security.context_for(f"{line.host}:{line.port}", tls=line.tls),
            )
        finally:
            line.opening -= 1
            line.changed.set()
        line.loads[connection] = 1
        if self._objects is not None:
            self._offer(connection, self._objects)
        return connection, False

    def give_back(self, line: AsyncLine, connection: AsyncConnection) -> None:
        """Tell that a call on a connection has ended."""
        load = line.loads[connection] = line.loads[connection] - 1
        if load:
            return
        if self._closed or connection.is_worthless:
            del line.loads[connection]
            connection.close()
            return
        now = asyncio.get_running_loop().time()
        self._idle[connection] = line, now
        late: list[AsyncConnection] = []
        for idle, (_, since) in self._idle.items():
            too_many = len(self._idle) - len(late) > self._limits.idle_connections
            if not too_many and not idle.is_worthless and now - since <= self._limits.idle_time:
                break
            if idle is not connection or too_many:
                late.append(idle)
        for idle in late:
            self._end(idle)

    def _end(self, idle: AsyncConnection) -> None:
        line, _ = self._idle.pop(idle)
        del line.loads[idle]
        idle.close()

    def close(self) -> None:
        """Close what is idle, and what is given back later."""
        self._closed = True
        for idle in list(self._idle):
            self._end(idle)

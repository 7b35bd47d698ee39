"""Which connection serves a blocking call: one that nobody uses, a new one, or the one with the fewest calls.

It must not know requests. What is kept is bounded: connections of one line by `connections`, idle ones by
`Limits.idle_connections`, and their age by `Limits.idle_time`, which is looked at when a connection is given back; there is no
timer.
"""

from __future__ import annotations

import threading
import time
import weakref
from math import inf
from typing import TYPE_CHECKING

from iiop.cdr.code_sets import Negotiated
from iiop.exceptions import ConnectFailed
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.blocking import BlockingConnection
from iiop.net.tls import PLAIN, Security
from iiop.profile import Version

if TYPE_CHECKING:
    from iiop.net.callbacks import Callbacks

__all__ = ["CONNECTIONS", "ConnectionPool", "Line"]

CONNECTIONS = 5
"""Connections of one line that calls share, where nobody says another number; omniORB's own default."""


class Line:
    """Hold the connections by which one address is spoken to in one way, over TLS or not.

    The version of GIOP and the code sets belong to it, because omniORB settles both by the first request of a connection.
    """

    __slots__ = ("__weakref__", "agreed", "host", "idle", "loads", "opening", "port", "tls")

    def __init__(self, host: str, port: int, agreed: Negotiated | None, *, tls: bool = False) -> None:
        self.host = host
        self.port = port
        self.agreed = agreed
        self.tls = tls
        self.idle: list[BlockingConnection] = []
        self.loads: dict[BlockingConnection, int] = {}
        """Calls under way, by connection."""
        self.opening = 0


class ConnectionPool:
    """Give connections to calls, and take them back.

    Args:
        hosts: see `Client`.
        limits: what servers may make us hold.
        connections: see `CONNECTIONS`; a call that asks for a fresh connection gets one beyond that number.
        fragment_size: see `Connection`.
        keep_alive: see `BlockingConnection.connect`.
        security: whether TLS is spoken, and how.
    """

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
        self.hosts: Hosts = hosts or {}
        self._limits = limits
        self._most_idle, self._idle_time = limits.idle_connections, limits.idle_time
        self._look_at = -inf
        """When what was idle the longest, when we looked, will have been so for too long; it may have been used since."""
        self._connections = connections
        self._fragment_size = fragment_size
        self._keep_alive = keep_alive
        self._security = security
        self._lines: weakref.WeakValueDictionary[tuple[str, int, Version, Negotiated | None, bool], Line]
        self._lines = weakref.WeakValueDictionary()
        self._idle: dict[BlockingConnection, tuple[Line, float]] = {}
        """Connections without a call, the one used longest ago first: whose, and since when."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._callbacks: Callbacks | None = None

    def serve(self, callbacks: Callbacks) -> None:
        """Let servers call over all connections, which are not idle any more when nobody calls over them."""
        with self._lock:
            self._callbacks, self._idle_time = callbacks, inf
            for line in self._lines.values():
                for connection in (*line.idle, *line.loads):
                    connection.serve(callbacks)

    def line(self, host: str, port: int, version: Version, agreed: Negotiated | None, *, tls: bool = False) -> Line:
        """Return the line for an address and a speech: the same one as long as anybody has it."""
        with self._lock:
            return self._lines.setdefault((host, port, version, agreed, tls), Line(host, port, agreed, tls=tls))

    def take(self, line: Line, timeout: float, *, fresh: bool = False) -> tuple[BlockingConnection, bool]:
        """Return a connection for one call, and whether it had been used before; `fresh` takes none that had.

        Raises:
            ConnectFailed: no connection came about within `timeout` seconds.
        """
        if line.idle and not fresh:
            with self._lock:
                connection = self._from_idle(line)
            if connection is not None:
                return connection, True
        deadline, opening = time.monotonic() + timeout, False
        try:
            with self._lock:
                while not fresh:
                    if line.idle and (connection := self._from_idle(line)) is not None:
                        return connection, True
                    open_ones = [connection for connection in line.loads if connection.is_open]
                    if len(open_ones) + line.opening < self._connections:
                        break
                    if open_ones:
                        connection = min(open_ones, key=line.loads.__getitem__)
                        line.loads[connection] += 1
                        return connection, True
                    if not self._changed.wait(max(0.0, min(deadline - time.monotonic(), threading.TIMEOUT_MAX))):
                        reason = f"no connection to {line.host}:{line.port} in time: others have not come about either"
                        raise ConnectFailed(reason)
                line.opening += 1
                opening = True
            connection = self._connect(line, deadline - time.monotonic())
            with self._lock:
                line.loads[connection] = 1
                if self._callbacks is not None:
                    connection.serve(self._callbacks)
            return connection, False
        finally:
            if opening:
                with self._lock:
                    line.opening -= 1
                    self._changed.notify_all()

    def _from_idle(self, line: Line) -> BlockingConnection | None:
        while line.idle:
            connection = line.idle.pop()
            del self._idle[connection]
            if connection.is_usable():
                line.loads[connection] = 1
                return connection
            connection.close()
        return None

    def _connect(self, line: Line, timeout: float) -> BlockingConnection:
        return BlockingConnection.connect(
            line.host,
            line.port,
            max(0.0, timeout),
            hosts=self.hosts,
            limits=self._limits,
            agreed=line.agreed,
            fragment_size=self._fragment_size,
            keep_alive=self._keep_alive,
            tls=self._security.context_for(f"{line.host}:{line.port}", tls=line.tls),
        )

    def give_back(self, line: Line, connection: BlockingConnection) -> None:
        """Tell that a call on a connection has ended."""
        late: list[BlockingConnection] | tuple[()] = ()
        with self._lock:
            load = line.loads[connection] - 1
            if load:
                line.loads[connection] = load
                return
            del line.loads[connection]
            if not connection.is_worthless and not self._closed:
                now = time.monotonic()
                line.idle.append(connection)
                self._idle[connection] = line, now
                if len(self._idle) > self._most_idle or now >= self._look_at:
                    late = self._late(now)
            else:
                late = [connection]
        for connection in late:
            connection.close()

    def _late(self, now: float) -> list[BlockingConnection]:
        """Take the idle connections out that are too many, or have been so for too long."""
        late: list[BlockingConnection] = []
        for connection, (_, since) in self._idle.items():
            self._look_at = since + self._idle_time
            if len(self._idle) - len(late) <= self._most_idle and now < self._look_at:
                break
            late.append(connection)
        self._remove(late)
        return late

    def forget(self, host: str, port: int) -> None:
        """Close the idle connections to an address, so that the next call connects anew (and a balancer distributes it)."""
        with self._lock:
            idle = [connection for connection, (line, _) in self._idle.items() if (line.host, line.port) == (host, port)]
            self._remove(idle)
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close what is idle, and what is given back later."""
        with self._lock:
            self._closed = True
            idle = list(self._idle)
            self._remove(idle)
        for connection in idle:
            connection.close()

    def _remove(self, connections: list[BlockingConnection]) -> None:
        for connection in connections:
            self._idle.pop(connection)[0].idle.remove(connection)

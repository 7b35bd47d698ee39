"""Asks targets whether they are there: dead ones until they answer, doubtful ones at once, live ones where that is wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum

from iiop.balancer import Balancer
from iiop.exceptions import ConnectFailed, ConnectionLost
from iiop.giop.messages import GIOP_1_0, LocateRequest, key_address
from iiop.limits import Limits
from iiop.net.address import Hosts
from iiop.net.aio import AsyncConnection
from iiop_lab.vhost.services import Target

__all__ = ["Probe", "Prober"]


class Probe(Enum):
    """Say how a target is asked whether it is there."""

    LOCATE = "locate"
    """By a LocateRequest for its Naming Service, as every version of GIOP has it; any answer will do."""
    CONNECT = "connect"
    """By a connection, which it need not look at: one that hangs passes for alive."""


class Prober:
    """Ask targets, and tell what they answer.

    Args:
        balancers: return those that say when a target is to be asked.
        mark: is told whether a target answered, and why not.
        probe: see `Probe`.
        hosts: addresses of host names.
        timeout: seconds for an answer.
        limits: what targets may make it hold.
    """

    def __init__(
        self,
        balancers: Callable[[], list[Balancer[Target]]],
        mark: Callable[[Target, bool, object], None],
        *,
        probe: Probe,
        hosts: Hosts | None,
        timeout: float,
        limits: Limits,
    ) -> None:
        self._balancers = balancers
        self._mark = mark
        self._probe_by = probe
        self._hosts = hosts
        self._timeout = timeout
        self._limits = limits
        self._suspects: set[Target] = set()
        self.asked: set[Target] = set()
        self._look = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._look = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    def suspect(self, target: Target) -> None:
        """Ask a target soon."""
        self._suspects.add(target)
        self._look.set()

    def look(self) -> None:
        """Look when the next target is to be asked: it may be earlier than it was."""
        self._look.set()

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as probes:
            while True:
                with contextlib.suppress(TimeoutError):
                    times = [at for balancer in self._balancers() if (at := balancer.next_probe_at()) is not None]
                    async with asyncio.timeout_at(min(times, default=None)):
                        await self._look.wait()
                self._look.clear()
                wanted = {target for balancer in self._balancers() for target in balancer.probes_due(now())}
                due = (wanted | self._suspects) - self.asked
                self._suspects -= due
                self.asked |= due
                for target in due:
                    probes.create_task(self._ask(target))

    async def _ask(self, target: Target) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                connection = await AsyncConnection.connect(
                    target.host, target.port, self._timeout, hosts=self._hosts, limits=self._limits
                )
                try:
                    if self._probe_by is Probe.LOCATE:
                        await connection.call(LocateRequest(0, key_address(b"NameService"), GIOP_1_0))
                finally:
                    connection.close()
        except (ConnectFailed, ConnectionLost, TimeoutError) as error:
            self._mark(target, False, str(error) or "no answer in time")
        else:
            self._mark(target, True, "")
        finally:
            self.asked.discard(target)
            if target in self._suspects:
                self._look.set()

"""The virtual host: one address in front of several servers, as IPCOM is in front of Interstage.

It reads GIOP on both sides and keeps request ids apart, so that one client connection spreads over many servers:

- a request to the Naming Service goes to the target its connection was given (distribution when the Naming Service reference is
  obtained), because what it resolves there carries that server's own host;
- a request to any other object goes to the next live target, call by call.

A target that refuses a connection, or cuts one on which requests wait, leaves at once, and returns when it answers a
LocateRequest. One that ends an idle connection is asked at once, and leaves if it does not answer. A request that has not left is
sent to another target; with none left, it is answered COMM_FAILURE 0x464a0114, as is one that had left when its target broke. The
manual (B1WS-1092-03ENZ0, 1.1.6, 3.3.2.1, 3.4.2) does not say which completion status goes with the code: here NO if no target got
the request, MAYBE if one did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from iiop.balancer import Affinity, Balancer
from iiop.cdr.code_sets import ISO_8859_1, NO_CODE_SET, Negotiated
from iiop.exceptions import (
    CODESET_INCOMPATIBLE,
    COMM_FAILURE,
    OBJECT_NOT_EXIST,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    EncodeError,
    LocalProtocolError,
)
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_0,
    GIOP_1_2,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    Request,
    exception_body,
    key_address,
)
from iiop.idl.servant import OMG_CONTEXT_NOT_SUPPORTED, failure, object_key_of
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.aio import AsyncConnection
from iiop.net.server import IIOPServer
from iiop.net.serving import Serving

__all__ = ["IPCOM_MINOR", "Target", "VirtualHost", "is_naming_key"]

log = logging.getLogger("iiop_lab.virtual_host")

IPCOM_MINOR = 0x464A0114
_NO, _MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE


class Target(NamedTuple):
    """Name a server behind the virtual host."""

    host: str
    port: int = 8002

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def is_naming_key(object_key: bytes) -> bool:
    """Tell whether an object key is the Naming Service's: the root context, a context by its id, an iterator."""
    return object_key == b"NameService" or object_key.startswith((b"context.", b"BindingIterator."))


class VirtualHost(Serving):
    """Distribute IIOP over targets, round robin.

    Args:
        targets: the servers, all taken for alive.
        host: address to listen on.
        port: to listen on; 0 lets the system choose.
        hosts: addresses of the targets' host names.
        probe_interval: seconds between two looks at a dead target.
        connect_timeout: seconds to connect to a target, or for it to answer a probe.
        naming_key: tells which object keys are the Naming Service's.
        limits: what clients and targets may make it hold.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hosts: Hosts | None = None,
        probe_interval: float = 0.2,
        connect_timeout: float = 2.0,
        naming_key: Callable[[bytes], bool] = is_naming_key,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        targets = tuple(targets)
        self.calls: Balancer[Target] = Balancer(targets, probe_interval=probe_interval)
        self.contexts: Balancer[Target] = Balancer(targets, probe_interval=probe_interval)
        self.naming_key = naming_key
        self._hosts = hosts
        self._connect_timeout = connect_timeout
        self._limits = limits
        self._server = IIOPServer(lambda: _Distributor(self), host=host, port=port, limits=limits)
        self._backends: dict[tuple[Target, Negotiated | None], asyncio.Task[AsyncConnection]] = {}
        self._probing: asyncio.Task[None] | None = None
        self._suspects: set[Target] = set()
        self._asked: set[Target] = set()
        self._look = asyncio.Event()

    @property
    def host(self) -> str:
        """Return the address listened on."""
        return self._server.host

    @property
    def port(self) -> int:
        """Return the port listened on."""
        return self._server.port

    @property
    def address(self) -> str:
        """Return `host:port`, for a `NameService`."""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._look = asyncio.Event()
        await self._server.start()
        self._probing = asyncio.create_task(self._probe_for_ever())

    async def stop(self) -> None:
        """Stop listening, close every connection on both sides."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
        await self._server.stop()
        for connecting in self._backends.values():
            connecting.cancel()
        for backend in await asyncio.gather(*self._backends.values(), return_exceptions=True):
            if isinstance(backend, AsyncConnection):
                backend.close()
        self._backends.clear()

    async def backend(self, target: Target, agreed: Negotiated | None = None) -> AsyncConnection:
        """Return the connection to a target that all clients share who have agreed on the same code sets.

        Raises:
            ConnectFailed: it does not answer.
        """
        connecting = self._backends.get((target, agreed))
        if connecting is not None and connecting.done() and (connecting.exception() or not connecting.result().is_open):
            connecting = None
        if connecting is None:
            connecting = self._backends[target, agreed] = asyncio.create_task(
                self._connect(target, lambda reason: self._lost(target, reason), agreed)
            )
        return await asyncio.shield(connecting)

    def mark(self, target: Target, *, alive: bool, reason: object = "") -> None:
        """Take a target out of distribution, or back into it."""
        now = asyncio.get_running_loop().time()
        for balancer in (self.calls, self.contexts):
            changed = balancer.mark_alive(target, now) if alive else balancer.mark_dead(target, now)
        if changed:
            log.warning("%s %s", target, "is back" if alive else f"left: {reason}")
        if not alive:
            self._look.set()

    def _lost(self, target: Target, reason: ConnectionLost) -> None:
        if reason.completed is not _NO:
            self.mark(target, alive=False, reason=reason)
        self._suspects.add(target)
        self._look.set()

    async def _connect(
        self, target: Target, lost: Callable[[ConnectionLost], None] | None = None, agreed: Negotiated | None = None
    ) -> AsyncConnection:
        return await AsyncConnection.connect(
            target.host,
            target.port,
            self._connect_timeout,
            hosts=self._hosts,
            lost=lost,
            limits=self._limits,
            agreed=agreed,
        )

    async def _probe_for_ever(self) -> None:
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as probes:
            while True:
                due_at = self.calls.next_probe_at()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due_at):
                        await self._look.wait()
                self._look.clear()
                due = {*self.calls.probes_due(now()), *self._suspects} - self._asked
                self._suspects -= due
                self._asked |= due
                for target in due:
                    probes.create_task(self._probe(target))

    async def _probe(self, target: Target) -> None:
        """Ask a target where its Naming Service is, as every version of GIOP can; any answer will do."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                backend = await self._connect(target)
                try:
                    await backend.call(LocateRequest(0, key_address(b"NameService"), GIOP_1_0))
                finally:
                    backend.close()
        except (ConnectFailed, ConnectionLost, TimeoutError) as error:
            self.mark(target, alive=False, reason=error or "no answer in time")
        else:
            self.mark(target, alive=True)
        finally:
            self._asked.discard(target)
            if target in self._suspects:
                self._look.set()


def _agreed(request: Request | LocateRequest) -> Negotiated | None:
    """Return the code sets in which a request says its text; None for those of whoever has not negotiated."""
    if isinstance(request, LocateRequest):
        return None
    speech = request.body.speech
    agreed = Negotiated(speech.char, speech.wide)
    return None if agreed == (ISO_8859_1, NO_CODE_SET) else agreed


class _Distributor:
    """Answer the requests of one client connection with what a target answers."""

    def __init__(self, virtual_host: VirtualHost) -> None:
        self._virtual_host = virtual_host
        self._affinity: Affinity[None, Target] = Affinity(virtual_host.contexts, capacity=1)

    async def handle(self, request: Request) -> Reply:
        if request.body.speech.char == NO_CODE_SET:
            return failure(request, CODESET_INCOMPATIBLE(OMG_CONTEXT_NOT_SUPPORTED, _NO))
        answer = await self._forward(request)
        if isinstance(answer, COMM_FAILURE):
            return failure(request, answer)
        if answer is None:
            return Reply(request.request_id)  # to a oneway, which nobody sends
        assert isinstance(answer, Reply)
        return answer

    async def locate(self, request: LocateRequest) -> LocateReply:
        answer = await self._forward(request)
        if isinstance(answer, COMM_FAILURE):
            if request.version < GIOP_1_2:  # cannot say an exception here: the request that follows will be told
                return LocateReply(request.request_id, LocateStatus.OBJECT_HERE, EMPTY, request.version, request.byte_order)
            status, body = LocateStatus.LOC_SYSTEM_EXCEPTION, exception_body(answer)
            return LocateReply(request.request_id, status, body, request.version, request.byte_order)
        assert isinstance(answer, LocateReply)
        return answer

    async def _forward(self, request: Request | LocateRequest) -> Reply | LocateReply | COMM_FAILURE | None:
        virtual_host = self._virtual_host
        for _ in range(2 * len(virtual_host.calls.targets)):
            target = self._target(request)
            if target is None:
                break
            try:
                backend = await virtual_host.backend(target, _agreed(request))
                answer = await backend.call(request)
            except ConnectFailed as error:
                virtual_host.mark(target, alive=False, reason=error)
            except ConnectionLost as error:
                if error.completed is not _NO:
                    return COMM_FAILURE(IPCOM_MINOR, _MAYBE)
            except (EncodeError, LocalProtocolError) as error:
                log.error("%s is not asked: %s", target, error)
                break
            else:
                return answer if answer is None else replace(answer, request_id=request.request_id)
        return COMM_FAILURE(IPCOM_MINOR, _NO)

    def _target(self, request: Request | LocateRequest) -> Target | None:
        virtual_host = self._virtual_host
        now = asyncio.get_running_loop().time()
        try:
            naming = virtual_host.naming_key(object_key_of(request.target))
        except OBJECT_NOT_EXIST:
            naming = False
        return self._affinity.pick(None, now) if naming else virtual_host.calls.pick(now)

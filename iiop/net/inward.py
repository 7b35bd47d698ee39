"""Calls of a server over connections that its clients made: for objects of clients that cannot be connected to.

Clients tell under which listen points they can be called over a connection. Who says so is believed, as GIOP 1.2 has no proof of
it: calls to an address go to whoever offered it last. It must not know what is called.

Source: CORBA 3.3 part 2, clause 9.8 "Bi-Directional GIOP".
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from iiop.connection import Connection
from iiop.exceptions import CompletionStatus, ConnectionLost
from iiop.idl import AsyncInterface, Interface, Operation
from iiop.iop import IOR
from iiop.limits import Limits
from iiop.net.aio import AsyncConnection
from iiop.net.aio_client import AsyncClient
from iiop.net.aio_pool import AsyncLine, AsyncPool
from iiop.profile import ListenPoint

__all__ = ["CallerOfClients", "Inward"]

S = TypeVar("S", bound=Interface | AsyncInterface)


class Inward(AsyncPool):
    """Give the connections that clients made for calls to what they listen on, and others, made by us, for other calls."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits=limits)
        self._offered: dict[tuple[str, int], list[AsyncConnection]] = {}
        self._points: dict[AsyncConnection, tuple[ListenPoint, ...]] = {}

    def accept(self, connection: Connection, peer: str, transport: asyncio.BaseTransport) -> AsyncConnection:
        """Return what calls over a connection that a client made, once that has offered it (`offered`)."""
        made = AsyncConnection(peer, connection=connection)
        made.connection_made(transport)
        self._points[made] = ()
        return made

    def offered(self, connection: AsyncConnection, points: tuple[ListenPoint, ...]) -> None:
        """Use a connection for calls to these addresses, and no others that it was used for."""
        self._withdraw(connection)
        self._points[connection] = points
        for point in points:
            self._offered.setdefault((point.host, point.port), []).append(connection)

    def lost(self, connection: AsyncConnection, error: Exception | None) -> None:
        """Use a connection no more, for it has ended."""
        self._withdraw(connection)
        del self._points[connection]
        connection.connection_lost(error)

    def _withdraw(self, connection: AsyncConnection) -> None:
        for point in self._points[connection]:
            connections = self._offered[point.host, point.port]
            connections.remove(connection)
            if not connections:
                del self._offered[point.host, point.port]

    def _offered_for(self, line: AsyncLine) -> AsyncConnection | None:
        """Return the connection offered last; never for an address with TLS, which nobody can offer in its stead."""
        connections = None if line.tls else self._offered.get((line.host, line.port))
        return connections[-1] if connections else None

    def take(self, line: AsyncLine) -> AsyncConnection | None:
        return self._offered_for(line) or super().take(line)

    async def open(self, line: AsyncLine, timeout: float, *, fresh: bool) -> tuple[AsyncConnection, bool]:
        if (connection := self._offered_for(line)) is not None:  # there is no fresh one: only its client could make it
            return connection, False
        return await super().open(line, timeout, fresh=fresh)

    def give_back(self, line: AsyncLine, connection: AsyncConnection) -> None:
        if connection in line.loads:
            super().give_back(line, connection)


class CallerOfClients:
    """Make stubs of objects of clients, for code in the event loop and for threads.

    Args:
        limits: what clients may make us hold with their answers.

    Attributes:
        inward: what knows the connections.
    """

    def __init__(self, limits: Limits) -> None:
        self.inward = Inward(limits)
        self._client = AsyncClient(limits=limits, pool=self.inward)
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def stub(self, reference: IOR, interface: type[S]) -> S:
        """Return a stub; calls of an `AsyncInterface` are awaited in the event loop, those of an `Interface` block a thread."""
        if issubclass(interface, AsyncInterface):
            return self._client.stub(reference, interface)
        return interface(_FromThread(self._client, reference, self._loop, self._thread))

    def close(self) -> None:
        """Close connections that were made here."""
        self._client.close()


class _FromThread:
    """Carry calls of threads into the event loop; the invoker behind a stub."""

    def __init__(self, client: AsyncClient, reference: IOR, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._client = client
        self._reference = reference
        self._loop = loop
        self._thread = thread

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        if threading.get_ident() == self._thread:
            raise RuntimeError(f"{operation.name} would block the event loop that is to carry it; an AsyncInterface is awaited")
        call = self._client.invoke(self._reference, operation, arguments)
        try:
            came = asyncio.run_coroutine_threadsafe(call, self._loop)
        except RuntimeError:
            call.close()
            raise ConnectionLost("the server has stopped", completed=CompletionStatus.COMPLETED_NO) from None
        try:
            return came.result()
        except CancelledError:
            raise ConnectionLost("the server has stopped", completed=CompletionStatus.COMPLETED_MAYBE) from None
        finally:
            came.cancel()

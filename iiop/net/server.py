"""The asyncio server: connections that hand requests to an object adapter and write its replies.

One `Protocol` a connection, and a task only for an answer that comes later. It must not know what an object does; what answers
runs in the event loop and must not block.
A peer that does not read its replies is not read from either, and what it sent already is left where it is, so that what we hold
for it stays bounded.

CloseConnection tells a client that what it waits for has not run, and so may be sent again. It is said only where that is true:
while a request is being answered, nobody but the end of the server's patience ends its connection, and then without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import cast

from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role, StandingAnswers
from iiop.exceptions import (
    LocalProtocolError,
    RemoteProtocolError,
)
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    CloseConnection,
    LocateReply,
    LocateRequest,
    MessageError,
    Reply,
    Request,
)
from iiop.giop.wire import encode
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.aio import AsyncConnection
from iiop.net.answering import Adapter, Answer, Answering
from iiop.net.inward import Inward
from iiop.net.tls_transport import TLSListener, listen
from iiop.profile import CODE_SETS_OF_SERVERS, CodeSetComponentInfo, ListenPoint

__all__ = ["IIOPServer"]

log = logging.getLogger("iiop.server")

_VERSIONS = (GIOP_1_0, GIOP_1_1, GIOP_1_2)

STOP_GRACE = 0.1
"""Seconds that peers that read slowly get when the server stops."""

BATCH = 64 * 1024
"""Octets of answers written at once; a transport holds about as many before it says that its peer reads too slowly."""


class _ServerProtocol(asyncio.Protocol):
    """Shovel octets between a transport and a `Connection`."""

    def __init__(self, server: IIOPServer) -> None:
        self._server = server
        self._connection = Connection(
            Role.SERVER,
            limits=server.limits,
            code_sets=server.code_sets,
            standing=server.standing,
            fragment_size=server.fragment_size,
            bidirectional=server.inward is not None,
        )
        self._inward = server.inward
        self._calls: AsyncConnection | None = None
        self._points: tuple[ListenPoint, ...] | None = None
        self._transport: asyncio.Transport
        self._idle: asyncio.TimerHandle | None = None
        self._version = GIOP_1_0
        self._heard = 0.0
        self._paused = False
        self._ending = False
        self.peer = "?"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        address = transport.get_extra_info("peername")  # None where the peer has gone already
        self.peer = "{}:{}".format(*address[:2]) if address else "a peer that has gone"
        self._answering = Answering(
            self._connection,
            self._server.new_adapter(),
            self.peer,
            write=self._transport.write,
            settled=self._settled,
            broken=self.abort,
            oneways=self._server.oneways,
            limits=self._server.limits,
        )
        if self._server.admit(self):
            self._heard = time.monotonic()
            self._watch(self._server.limits.idle_time)
        else:
            self.close()

    def data_received(self, data: bytes) -> None:
        answer = None if self._paused else self._connection.recall(data)
        if answer is not None:
            self._heard = time.monotonic()
            self._version = _VERSIONS[answer[5]]
            self._transport.write(answer)
            return
        self._connection.receive_data(data)
        self._serve()

    def _serve(self) -> None:
        """Answer what has arrived, for as long as the peer reads the answers."""
        answers = bytearray()
        try:
            while not self._paused and (event := self._connection.next_event()) is not NEED_DATA:
                answers += self._answer(event)
                if len(answers) >= BATCH:
                    self._transport.write(bytes(answers))
                    answers.clear()
        except RemoteProtocolError as error:
            log.warning("%s broke GIOP: %s", self.peer, error)
            if error.response is not None:
                answers += encode(error.response)
        if answers:
            self._transport.write(bytes(answers))
        if self._connection.state is not ConnectionState.OPEN:
            self._transport.close()

    def _answer(self, event: Event) -> bytes:
        self._heard = time.monotonic()
        if isinstance(event, (Request, LocateRequest)):
            self._version = event.version
            if self._connection.listen_points is not self._points:
                self._offered()
        elif self._calls is not None and isinstance(event, (Reply, LocateReply)):
            self._calls.take(event)
        elif isinstance(event, MessageError):
            log.warning("%s says that we broke GIOP", self.peer)
        return self._answering.answer(event)

    def _offered(self) -> None:
        """Let the client be called over this connection, as it says it can be."""
        assert self._inward is not None
        self._points = self._connection.listen_points
        if self._calls is None:
            self._calls = self._inward.accept(self._connection, self.peer, self._transport)
        self._inward.offered(self._calls, self._points or ())

    def _settled(self) -> None:
        if self._ending:
            self.close()

    def eof_received(self) -> None:
        self._connection.receive_data(b"")
        event = self._connection.next_event()
        if isinstance(event, EndOfStream) and event.truncated:
            log.warning("%s left in the middle of a message, %d octets of it had arrived", self.peer, event.truncated)

    def connection_lost(self, error: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._answering.end()
        if self._inward is not None and self._calls is not None:
            self._inward.lost(self._calls, error)
        self._server.forget(self)

    def pause_writing(self) -> None:
        self._paused = True
        self._transport.pause_reading()
        if self._calls is not None:
            self._calls.pause_writing()

    def resume_writing(self) -> None:
        self._paused = False
        if self._calls is not None:
            self._calls.resume_writing()
        if not self._ending:
            self._serve()
        if not (self._paused or self._ending or self._transport.is_closing()):
            self._transport.resume_reading()

    def _watch(self, seconds: float) -> None:
        self._idle = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """End a connection on which no message has become whole for long, unless its peer waits for us."""
        left = self._heard + self._server.limits.idle_time - time.monotonic()
        if left > 0:
            self._watch(left)
        elif self._transport.get_write_buffer_size():
            log.warning("%s does not read its replies and is cut off", self.peer)
            self.abort()
        elif self._connection.unanswered or (self._points and not self._connection.unfinished):  # we may want to call it
            self._watch(self._server.limits.idle_time)
        else:
            if self._connection.unfinished:
                log.warning(
                    "%s is too slow: %d octets of a message within the limit idle_time=%g",
                    self.peer,
                    self._connection.unfinished,
                    self._server.limits.idle_time,
                )
            self.close()

    def close(self) -> None:
        """Say CloseConnection, if that may be said, and close once everything is written.

        Requests under way are answered before; what has not been looked at yet is not run.
        """
        self._ending = True
        if self._transport.is_closing():
            return
        if self._connection.unanswered:
            self._transport.pause_reading()
            return
        with contextlib.suppress(LocalProtocolError):
            self._transport.write(self._connection.send(CloseConnection(self._version)))
        self._transport.close()

    def under_way(self) -> tuple[asyncio.Future[Answer], ...]:
        """Return the answers that will come later."""
        return self._answering.under_way()

    def abort(self) -> None:
        """Close without another word."""
        self._transport.abort()


class IIOPServer:
    """Listen on one address and answer with an adapter.

    Args:
        new_adapter: makes what answers the requests of a new connection; it may be the same for all.
        host: address to bind; loopback unless told otherwise.
        port: 0 lets the system choose.
        limits: what peers may make us hold.
        code_sets: see `Connection`; references of what is served here are to state them.
        standing: answers of the adapter's that may be given again without asking it; they are sent whole.
        fragment_size: octets from which on replies of GIOP 1.1 and 1.2 are sent in fragments; None sends them whole.
        tls: speak TLS, on a port beside the plain one or instead of it.
        inward: is told the connections over which clients offer to be called; None takes no such offer.

    Attributes:
        port, tls_port: the plain one, and that of TLS; 0 if there is none.
        address: what is listened on, numeric once the server has started; the first, where a name has several.
    """

    def __init__(
        self,
        new_adapter: Callable[[], Adapter],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = DEFAULT_LIMITS,
        code_sets: CodeSetComponentInfo = CODE_SETS_OF_SERVERS,
        standing: StandingAnswers | None = None,
        fragment_size: int | None = None,
        tls: TLSListener | None = None,
        inward: Inward | None = None,
    ) -> None:
        self.new_adapter = new_adapter
        self.host = host
        self.port = port
        self.address: tuple[str, int] = (host, port)
        self.limits = limits
        self.code_sets = code_sets
        self.standing = standing
        self.fragment_size = fragment_size
        self.tls = tls
        self.tls_port = 0 if tls is None else tls.port
        self.inward = inward
        self._connections: set[_ServerProtocol] = set()
        self.oneways: dict[asyncio.Future[Answer], int] = {}
        self._turned_away = 0
        self._stopping: asyncio.Event | None = None
        self._listening: tuple[asyncio.Server, ...] = ()

    async def start(self) -> None:
        """Listen; `port` and `tls_port` are the real ones from then on.

        Raises:
            OSError: the address is in use, is not ours, or does not exist.
        """
        self._stopping = None
        plain, secure = await listen(lambda: _ServerProtocol(self), self.host, self.port, self.tls)
        self._listening = tuple([listening for listening in (plain, secure) if listening is not None])
        self.address = self._listening[0].sockets[0].getsockname()[:2]
        self.port = 0 if plain is None else self.address[1]
        self.tls_port = 0 if secure is None else secure.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, let requests under way end, say CloseConnection on every connection, and close.

        Requests get `Limits.stop_time`, the rest takes `STOP_GRACE` at most; then connections that are left are cut off.
        """
        if not self._listening:
            return
        self._stopping = asyncio.Event()
        # A connection accepted just before Server.close() would stay open for ever (python/cpython#109564): let it arrive first.
        for listener in [sock for listening in self._listening for sock in listening.sockets]:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(0)
        for listening in self._listening:
            listening.close()
        for connection in tuple(self._connections):
            connection.close()
        under_way = {answer for connection in self._connections for answer in connection.under_way()} | self.oneways.keys()
        if under_way:
            await asyncio.wait(under_way, timeout=self.limits.stop_time)
        for oneway in tuple(self.oneways):
            oneway.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_gone(), STOP_GRACE)
        for connection in tuple(self._connections):
            connection.abort()
        await self._all_gone()
        await asyncio.gather(*[listening.wait_closed() for listening in self._listening])
        self._listening = ()

    async def _all_gone(self) -> None:
        if self._connections:
            assert self._stopping is not None
            await self._stopping.wait()

    def admit(self, connection: _ServerProtocol) -> bool:
        """Count a connection; False if it comes too late, or is one too many."""
        if self._stopping is not None:
            return False
        if len(self._connections) >= self.limits.connections:
            self._turned_away += 1
            if self._turned_away == 1:
                log.warning(
                    "%s refused: more connections than the limit connections=%d", connection.peer, self.limits.connections
                )
            return False
        if self._turned_away > 1:
            log.warning("%d connections refused in all", self._turned_away)
        self._turned_away = 0
        self._connections.add(connection)
        return True

    def forget(self, connection: _ServerProtocol) -> None:
        """Stop counting a connection."""
        self._connections.discard(connection)
        if self._stopping is not None and not self._connections:
            self._stopping.set()

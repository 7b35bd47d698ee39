"""The asyncio client side of a connection: requests out, replies to whoever waits for them, in any order.

It must not know operations or policies; messages go in and out as they are. Everything that waits ends with the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import Speech
from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role
from iiop.exceptions import CompletionStatus, ConnectFailed, ConnectionLost, LocalProtocolError, RemoteProtocolError
from iiop.giop.messages import GIOP_1_0, CloseConnection, LocateReply, LocateRequest, MessageError, Reply, Request
from iiop.giop.wire import encode
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts, map_host
from iiop.profile import Version

__all__ = ["AsyncConnection"]

_NO, _MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
Waiting = asyncio.Future[Reply | LocateReply]


class AsyncConnection(asyncio.Protocol):
    """Speak GIOP with one server; many requests may wait at the same time.

    Args:
        peer: `host:port`, for messages.
        lost: called once when the connection has ended other than by `close`, with the reason; its `completed` is MAYBE if
            requests were cut off by it.
        limits: what the server may make us hold.
        agreed: see `Connection`.
    """

    def __init__(
        self,
        peer: str,
        *,
        lost: Callable[[ConnectionLost], None] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        agreed: Negotiated | None = None,
    ) -> None:
        self.peer = peer
        self._lost = lost
        self._connection = Connection(Role.CLIENT, limits=limits, agreed=agreed)
        self._waiting: dict[int, Waiting] = {}
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport
        self._reason: ConnectionLost | None = None
        self._version = GIOP_1_0
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        timeout: float,
        *,
        hosts: Hosts | None = None,
        lost: Callable[[ConnectionLost], None] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        agreed: Negotiated | None = None,
    ) -> AsyncConnection:
        """Connect within `timeout` seconds; names are looked up in `hosts` first.

        Raises:
            ConnectFailed: refused, unreachable, unknown name, or too late.
        """
        peer = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(
                    lambda: cls(peer, lost=lost, limits=limits, agreed=agreed), map_host(hosts or {}, host), port
                )
        except (OSError, UnicodeError) as error:
            raise ConnectFailed(f"cannot connect to {peer}: {error or 'no answer in time'}") from error
        return connection

    @property
    def is_open(self) -> bool:
        """Tell whether requests may still be sent."""
        return self._reason is None and self._connection.state is ConnectionState.OPEN

    def speech(self, version: Version) -> Speech:
        """Return how messages of a version of GIOP carry characters."""
        return self._connection.speech(version)

    async def call(self, request: Request | LocateRequest) -> Reply | LocateReply | None:
        """Send a request, which gets its id here, and return its reply; None at once for one that expects none.

        A caller that is cancelled gives the request up: the server is sent a CancelRequest.

        Raises:
            EncodeError, LocalProtocolError: the request cannot be sent.
            ConnectionLost: with the completion status.
        """
        await self._writable.wait()
        if not self.is_open:
            raise ConnectionLost(f"{self._reason or f'{self.peer} has ended the connection'}", completed=_NO)
        request_id = self._connection.next_request_id()
        request = replace(request, request_id=request_id)
        self._send(self._connection.send(request))
        self._version = request.version
        if isinstance(request, Request) and not request.response_expected:
            return None
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiting
        try:
            return await waiting
        except asyncio.CancelledError:
            if self._waiting.pop(request_id, None) is not None and self.is_open:
                self._send(self._connection.abandon(request_id, request.version))
            raise

    def close(self) -> None:
        """End the connection in order; what still waits has run or not, nobody knows."""
        if self._reason is None:
            self._lost = None
            with contextlib.suppress(LocalProtocolError):  # before GIOP 1.2 a client just goes
                self._send(self._connection.send(CloseConnection(self._version)))
            self._end(ConnectionLost(f"connection to {self.peer} closed by us", completed=_MAYBE))

    def _send(self, octets: bytes) -> None:
        """Let octets go out with all that this turn of the event loop has to send: one system call instead of many."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(octets)

    def _flush(self) -> None:
        if self._unsent:
            octets = b"".join(self._unsent)
            self._unsent.clear()
            self._transport.write(octets)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._connection.receive_data(data)
        try:
            while (event := self._connection.next_event()) is not NEED_DATA:
                self._take(event)
        except RemoteProtocolError as error:
            if error.response is not None:
                self._send(encode(error.response))
            self._end(ConnectionLost(f"{self.peer} broke GIOP: {error}", completed=_MAYBE))

    def eof_received(self) -> None:
        self._end(ConnectionLost(f"{self.peer} ended the connection without a reply", completed=_MAYBE))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ConnectionLost(f"connection to {self.peer} broke: {error or 'closed'}", completed=_MAYBE))

    def _take(self, event: Event) -> None:
        if isinstance(event, Reply | LocateReply):
            waiting = self._waiting.pop(event.request_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
        elif isinstance(event, CloseConnection):
            self._end(ConnectionLost(f"{self.peer} closed the connection in order", completed=_NO))
        elif isinstance(event, MessageError):
            self._end(ConnectionLost(f"{self.peer} answered MessageError", completed=_MAYBE))
        elif isinstance(event, EndOfStream):
            self._end(ConnectionLost(f"{self.peer} ended the connection without a reply", completed=_MAYBE))
        else:
            self._end(ConnectionLost(f"{self.peer} sent a {type(event).__name__} to a client", completed=_MAYBE))

    def _end(self, reason: ConnectionLost) -> None:
        if self._reason is not None:
            return
        if not self._waiting:
            reason.completed = _NO
        self._reason = reason
        self._writable.set()
        self._flush()
        self._transport.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost(str(reason), completed=reason.completed))
        self._waiting.clear()
        if self._lost is not None:
            self._lost(reason)

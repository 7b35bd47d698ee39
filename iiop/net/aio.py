"""The asyncio client side of a connection: requests out, replies to whoever waits for them, in any order.

It must not know operations or policies; messages go in and out as they are. Everything that waits ends with the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any, cast

from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import Speech
from iiop.connection import NEED_DATA, Connection, ConnectionState, Event, PreparedRequest, Role
from iiop.exceptions import (
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    RemoteProtocolError,
)
from iiop.giop.messages import (
    GIOP_1_0,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    Reply,
    Request,
)
from iiop.giop.wire import encode
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts, map_host
from iiop.net.answering import Adapter, Answering
from iiop.net.answering import Answer as AnswerTo
from iiop.net.ending import ended_by, stalled
from iiop.net.tls import before_any_request, explained
from iiop.net.tls_transport import TLSTransport
from iiop.profile import ListenPoint, Version

__all__ = ["AsyncConnection"]

_NO, _MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
_OPEN = ConnectionState.OPEN
_LINGER = 1.0
"""Seconds that a server gets to read the rest of what was sent, when a connection ends."""
Waiting = asyncio.Future[Any]


async def _greeted(transport: TLSTransport) -> None:
    """Wait for the handshake; if it is not waited for any more, there is no connection."""
    try:
        await transport.greeted
    except BaseException:
        transport.abort()
        raise


class AsyncConnection(asyncio.Protocol):
    """Speak GIOP with one server; many requests may wait at the same time.

    Args:
        peer: `host:port`, for messages.
        lost: called once when the connection has ended other than by `close`, with the reason; its `completed` is MAYBE if
            requests were cut off by it.
        limits: what the server may make us hold.
        agreed, fragment_size: see `Connection`.
        connection: one that another has made, and whose octets it reads; None for one of our own.
    """

    def __init__(
        self,
        peer: str,
        *,
        lost: Callable[[ConnectionLost], None] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        agreed: Negotiated | None = None,
        fragment_size: int | None = None,
        connection: Connection | None = None,
    ) -> None:
        self.peer = peer
        self._lost = lost
        self._limits = limits
        self._connection = connection or Connection(Role.CLIENT, limits=limits, agreed=agreed, fragment_size=fragment_size)
        self._answering: Answering | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, Waiting] = {}
        self._due: dict[int, tuple[float, Version]] = {}
        """When those that wait with a deadline give up; the times of one policy come in order."""
        self._alarm: asyncio.TimerHandle | None = None
        self._limits = limits
        self._gap: asyncio.TimerHandle | None = None
        """Ends the connection if a message that has begun to arrive does not go on."""
        self._unsent: list[bytes | bytearray] = []
        self._unread = 0
        """Octets, at most, of answers that the server has not taken."""
        self._heard = self._silent = False
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
        fragment_size: int | None = None,
        keep_alive: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncConnection:
        """Connect within `timeout` seconds, handshake included; names are looked up in `hosts` first.

        Args:
            keep_alive: let TCP ask a silent server from time to time whether it is there.
            tls: see `BlockingConnection.connect`.

        Raises:
            ConnectFailed: refused, unreachable, unknown name, too late, or no TLS that the context allows.
        """
        peer = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        connection = cls(peer, lost=lost, limits=limits, agreed=agreed, fragment_size=fragment_size)
        try:
            protocol = connection if tls is None else TLSTransport(connection, tls, host)
            async with asyncio.timeout(timeout):
                transport, _ = await loop.create_connection(lambda: protocol, map_host(hosts or {}, host), port)
                if isinstance(protocol, TLSTransport):
                    await _greeted(protocol)
        except (OSError, ValueError) as error:
            raise ConnectFailed(f"cannot connect to {peer}: {explained(error)}") from error
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keep_alive)
        return connection

    @property
    def is_open(self) -> bool:
        """Tell whether requests may still be sent."""
        return self._reason is None and self._connection.state is _OPEN

    @property
    def is_usable(self) -> bool:
        """Tell whether further requests should be: a server that let one wait too long must first say something."""
        return self.is_open and not self._silent

    @property
    def is_worthless(self) -> bool:
        """Tell whether it has ended, or a reply was waited for in vain and nothing has ever come."""
        return not self.is_open or (self._silent and not self._heard)

    def serve(self, adapter: Adapter, point: ListenPoint, oneways: dict[asyncio.Future[AnswerTo], int]) -> None:
        """Let the server send requests too, from our next request on, for objects whose references name a listen point."""
        self._connection.offer((point,))
        self._answering = Answering(
            self._connection,
            adapter,
            self.peer,
            write=self._answer,
            settled=lambda: None,
            broken=self.close,
            oneways=oneways,
            limits=self._limits,
        )

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
        self._check_open()
        request_id = self._connection.next_request_id()
        self._write(self._connection.send(replace(request, request_id=request_id)))
        self._version = request.version
        if isinstance(request, Request) and not request.response_expected:
            return None
        answer: Reply | LocateReply | Body = await self._reply(request_id, request.version)
        if isinstance(answer, Body):
            return Reply(request_id, body=answer, version=request.version, byte_order=answer.byte_order)
        return answer

    async def invoke(self, prepared: PreparedRequest, arguments: Any, deadline: float) -> Body | Reply | None:
        """Send a prepared request, and return its reply, or of a plain one (NO_EXCEPTION, no service context) its body.

        Args:
            deadline: on the clock of the loop.

        Raises:
            DeadlineExceeded: no reply in time; the server is told.
            As `call`.
        """
        if not self._writable.is_set():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._writable.wait()
            except TimeoutError:
                raise DeadlineExceeded(f"{self.peer} takes no requests", completed=_NO) from None
        self._check_open()
        request_id, octets = self._connection.call(prepared, arguments)
        self._version = version = prepared.version
        self._write(octets)
        if not prepared.response_expected:
            return None
        self._due[request_id] = deadline, version
        if self._alarm is None or deadline < self._alarm.when():
            self._set_alarm(deadline)
        try:
            answer: Body | Reply = await self._reply(request_id, version)
        finally:
            self._due.pop(request_id, None)
        return answer

    def _check_open(self) -> None:
        if not self.is_open:
            raise ConnectionLost(f"{self._reason or f'{self.peer} has ended the connection'}", completed=_NO)

    async def _reply(self, request_id: int, version: Version) -> Any:
        waiting = self._waiting[request_id] = self._loop.create_future()
        try:
            return await waiting
        except asyncio.CancelledError:
            self._silent |= not self._heard
            self._abandon(request_id, version)
            raise

    def _abandon(self, request_id: int, version: Version) -> None:
        if self._waiting.pop(request_id, None) is not None and self.is_open:
            self._write(self._connection.abandon(request_id, version))

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when, self._give_up_late)

    def _give_up_late(self) -> None:
        """End the waiting of those whose time is over; wake again for the next."""
        self._alarm = None
        now = self._loop.time()
        late = [(request_id, version) for request_id, (deadline, version) in self._due.items() if deadline <= now]
        for request_id, version in late:
            del self._due[request_id]
            waiting = self._waiting.get(request_id)
            if waiting is not None and not waiting.done():
                self._silent = True
                self._abandon(request_id, version)
                waiting.set_exception(DeadlineExceeded(f"no reply from {self.peer} in time", completed=_MAYBE))
        if self._due:
            self._set_alarm(min(deadline for deadline, _ in self._due.values()))

    def _write(self, octets: bytes | bytearray) -> None:
        """Send octets: at once where nobody waits, else with those of whoever else runs before the loop looks at the network."""
        if self._unsent:
            self._unsent.append(octets)
        elif self._waiting:
            self._unsent.append(octets)
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(octets)

    def _answer(self, octets: bytes) -> None:
        """Send an answer, unless the server makes us keep too many, as it sends requests and reads nothing.

        We go on reading meanwhile: if neither end did, both might wait for ever.
        """
        self._flush()
        self._unread = min(self._unread, self._transport.get_write_buffer_size())
        if self._unread > self._limits.queued_octets:
            self._end(ConnectionLost(f"{self.peer} does not read what its requests are answered", completed=_MAYBE))
            self._transport.abort()
        elif octets:
            self._unread += len(octets)
            self._transport.write(octets)

    def _flush(self) -> None:
        if self._unsent:
            octets = b"".join(self._unsent)
            self._unsent.clear()
            self._transport.write(octets)

    def close(self) -> None:
        """End the connection in order; what still waits has run or not, nobody knows."""
        if self._reason is None:
            self._lost = None
            if not self._connection.unanswered:  # these have begun
                with contextlib.suppress(LocalProtocolError):  # before GIOP 1.2 a client just goes
                    self._write(self._connection.send(CloseConnection(self._version)))
            self._end(ConnectionLost(f"connection to {self.peer} closed by us", completed=_MAYBE))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._heard, self._silent = True, False
        waiting = self._waiting
        for request_id, body in self._connection.answers(data):
            future = waiting.pop(request_id, None)
            if future is not None and not future.done():
                future.set_result(body)
        try:
            while (
                self._reason is None and self._connection.has_unread and (event := self._connection.next_event()) is not NEED_DATA
            ):
                self.take(event)
        except RemoteProtocolError as error:
            if error.response is not None:
                self._write(encode(error.response))
            self._end(ConnectionLost(f"{self.peer} broke GIOP: {error}", completed=_MAYBE))
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        if self._connection.has_unread and self._limits.read_interval < inf and self._reason is None:
            self._gap = self._loop.call_later(self._limits.read_interval, self._stall)

    def _stall(self) -> None:
        self._end(stalled(self.peer, self._limits))

    def eof_received(self) -> None:
        self._end(ConnectionLost(f"{self.peer} ended the connection without a reply", completed=_MAYBE))

    def connection_lost(self, error: Exception | None) -> None:
        completed = _NO if not self._heard and before_any_request(error) else _MAYBE
        reason = "closed" if error is None else explained(error)
        self._end(ConnectionLost(f"connection to {self.peer} broke: {reason}", completed=completed))

    def take(self, event: Event) -> None:
        """Give whoever it is for what has arrived."""
        if isinstance(event, Reply | LocateReply):
            waiting = self._waiting.pop(event.request_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
        elif self._answering is not None and isinstance(event, (Request, LocateRequest, CancelRequest)):
            self._answer(self._answering.answer(event))
        else:
            self._end(ended_by(self.peer, event))

    def _end(self, reason: ConnectionLost) -> None:
        if self._reason is not None:
            return
        if not self._waiting:
            reason.completed = _NO
        self._reason = reason
        if self._answering is not None:
            self._answering.end()
        self._writable.set()
        self._flush()
        for timer in (self._alarm, self._gap):
            if timer is not None:
                timer.cancel()
        self._alarm = self._gap = None
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(_LINGER, self._transport.abort)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost(str(reason), completed=reason.completed))
        self._waiting.clear()
        if self._lost is not None:
            self._lost(reason)

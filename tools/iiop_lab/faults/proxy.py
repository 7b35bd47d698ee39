"""The proxy: sockets, an event loop and attachments around conversations.

    with FaultProxy(("127.0.0.1", 8002)) as proxy:
        with proxy.attach(Reset(), aim=Aim(operation="balance", nth=2)) as reset:
            ...
        assert reset.struck == 1

It must not know what a fault does, nor what octets say. A server that refuses resets its clients here: they have been accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from typing import cast

from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.serving import Driven
from iiop_lab.faults.aim import Aim
from iiop_lab.faults.conversation import Conversation, Lane
from iiop_lab.faults.fault import TO_CLIENT, TO_SERVER, Attachment, Fault
from iiop_lab.faults.tcp import Refuse

__all__ = ["FaultProxy"]

log = logging.getLogger("iiop_lab.faults")

_EVERYTHING = Aim()
_RST = struct.pack("ii", 1, 0)
BACKLOG = 1024


def _close_with_reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    sock.close()


class _Side(asyncio.Protocol):
    """One of the two connections of a conversation."""

    def __init__(self, gone: Callable[[_Side], None]) -> None:
        self._gone = gone
        self._early: list[bytes] = []
        self._receive: Callable[[bytes], None] = self._early.append
        self._onto: Lane | None = None
        self._transport: asyncio.Transport
        self._heard_end = False
        self._said_end = False
        self.other: _Side
        self.is_open = False

    def join(self, away: Lane, onto: Lane) -> None:
        """Learn which lane takes what comes from here, and which leads here."""
        self._onto = onto
        self._receive = away.receive
        for data in self._early:
            away.receive(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self.is_open = True
        with contextlib.suppress(OSError, ValueError):  # it may have been reset already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._receive(data)

    def eof_received(self) -> bool:
        self._heard_end = True
        self._receive(b"")
        self._close_if_done()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if error is not None or not (self._heard_end and self._said_end):
            self.other.reset()
        self._gone(self)

    def pause_writing(self) -> None:
        if self._onto is not None:
            self._onto.blocked(True)

    def resume_writing(self) -> None:
        if self._onto is not None:
            self._onto.blocked(False)

    def send(self, octets: bytes) -> None:
        if not self._said_end:
            self._transport.write(octets)

    def finish(self) -> None:
        if not self._said_end and not self._transport.is_closing():
            self._said_end = True
            with contextlib.suppress(OSError):
                self._transport.write_eof()
            self._close_if_done()

    def reset(self) -> None:
        if not self.is_open:
            return
        if not self._transport.is_closing():
            with contextlib.suppress(OSError, ValueError):  # uvloop's may have no descriptor any more
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        self._transport.abort()

    def read(self, on: bool) -> None:
        if not self._transport.is_closing():
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _close_if_done(self) -> None:
        if self._heard_end and self._said_end:
            self._transport.close()


class FaultProxy(Driven):
    """Stand before a server and pass on what clients and server say, but for the faults that are attached.

    `with` runs it in a thread of its own, `async with` in the caller's event loop.

    Args:
        server: host and port.
        host: address to listen on.
        port: to listen on; 0 lets the system choose.
        limits: what faults that need whole messages may make it hold; larger messages pass unharmed.

    Attributes:
        host, port: what is listened on, once it has started.
    """

    def __init__(
        self, server: tuple[str, int], *, host: str = "127.0.0.1", port: int = 0, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__()
        self.server = server
        self.host = host
        self.port = port
        self._limits = limits
        self._attachments: tuple[Attachment, ...] = ()
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._sides: dict[_Side, Conversation] = {}
        self._all_gone = asyncio.Event()

    @property
    def address(self) -> str:
        """Return `host:port`, for a `NameService`."""
        return f"{self.host}:{self.port}"

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Return what is attached, in the order in which it strikes."""
        return self._attachments

    def attach(self, fault: Fault, aim: Aim = _EVERYTHING) -> Attachment:
        """Attach a fault, behind those that are there; it strikes from now on, on connections that are open too. From any thread.

        Args:
            fault: what happens.
            aim: to what; everything by default.

        Raises:
            ValueError: the fault cannot be aimed so.
        """
        attachment = Attachment(fault, aim, self._remove)
        self._change(lambda attachments: (*attachments, attachment))
        return attachment

    def _remove(self, attachment: Attachment) -> None:
        self._change(lambda attachments: tuple([item for item in attachments if item is not attachment]))

    def _change(self, change: Callable[[tuple[Attachment, ...]], tuple[Attachment, ...]]) -> None:
        def carry_out() -> None:
            self._attachments = change(self._attachments)
            self._attached()

        self._do(carry_out)

    def _attached(self) -> None:
        """Let everything know what is attached now."""
        if self._loop is None:
            return
        self._listen()
        for conversation in dict.fromkeys(self._sides.values()):
            conversation.attach(self._attachments)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        # Bound but never listening: it keeps the port ours while that is closed.
        self._reserved = self._bound(self.port)
        self.port = self._reserved.getsockname()[1]
        self._served_by(asyncio.get_running_loop())
        self._all_gone = asyncio.Event()
        try:
            self._listen()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening, and end every connection at once; what is held back is lost."""
        self._close_port()
        self._served_by(None)
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        for connecting in tuple(self._connecting):
            connecting.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for side in tuple(self._sides):
            side.reset()
        while self._sides:
            self._all_gone.clear()
            await self._all_gone.wait()

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.host, port))
            bound.setblocking(False)
        except BaseException:
            bound.close()
            raise
        return bound

    def _listen(self) -> None:
        """Listen, or do not where that is what is attached."""
        refusing = any(isinstance(item.fault, Refuse) for item in self._attachments)
        if refusing:
            self._close_port()
        elif self._listener is None:
            assert self._loop is not None
            listener = self._bound(self.port)
            try:
                listener.listen(BACKLOG)
            except OSError:
                listener.close()
                raise
            self._listener = listener
            self._loop.add_reader(listener, self._accept)

    def _close_port(self) -> None:
        if self._listener is not None:
            assert self._loop is not None
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        assert self._loop is not None
        try:
            sock, _ = self._listener.accept()
        except OSError as error:  # the client has gone, or there are no descriptors
            if not isinstance(error, (BlockingIOError, ConnectionAbortedError)):
                log.error("a client could not be accepted: %s", error)
            return
        sock.setblocking(False)
        connecting = self._loop.create_task(self._connect(sock))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, sock: socket.socket) -> None:
        """Connect a client to the server."""
        loop = asyncio.get_running_loop()
        client, server = _Side(self._gone), _Side(self._gone)
        client.other, server.other = server, client
        try:
            await loop.create_connection(lambda: server, *self.server)
        except OSError as error:
            log.info("the server %s:%d does not answer: %s", *self.server, error)
            _close_with_reset(sock)
            return
        except BaseException:
            _close_with_reset(sock)
            raise
        conversation = Conversation(loop, client, server, (self.host, self.port), self._limits)
        self._sides[server] = conversation
        try:
            await loop.connect_accepted_socket(lambda: client, sock)
        except BaseException:
            _close_with_reset(sock)
            server.reset()
            raise
        if not (server.is_open and client.is_open):
            server.reset()
            client.reset()
            return
        self._sides[client] = conversation
        to_server, to_client = conversation.lanes[TO_SERVER], conversation.lanes[TO_CLIENT]
        conversation.attach(self._attachments)
        server.join(to_client, to_server)
        client.join(to_server, to_client)

    def _gone(self, side: _Side) -> None:
        conversation = self._sides.pop(side, None)
        if conversation is not None and not side.other.is_open:
            conversation.close()
        if not self._sides:
            self._all_gone.set()

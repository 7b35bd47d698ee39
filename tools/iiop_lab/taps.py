"""An event loop for what a test runs in the background: it tells what is said, what fails and what is left behind.

What is said over every connection to and from it is told to a `Traffic`, that of TLS as it travels, encrypted. Tasks whose
exception nobody asked for, and callbacks that raise, are kept; connections and listeners that are left at the end can be asked
for. Its time can be put forward.

It must not know what is served, nor pytest.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, cast

from iiop_lab.pcap import Conversation, Traffic

__all__ = ["LabLoop"]


class _Transport(asyncio.Transport):
    """Tell what is written to a transport."""

    def __init__(self, tap: _Tap, below: asyncio.Transport) -> None:
        super().__init__()
        self._tap = tap
        self._below = below

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._below.is_closing():
            self._tap.says(data)
        self._below.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        self._tap.ends()
        self._below.write_eof()

    def can_write_eof(self) -> bool:
        return self._below.can_write_eof()

    def close(self) -> None:
        self._tap.ends()
        self._below.close()

    def abort(self) -> None:
        self._tap.cuts()
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def is_reading(self) -> bool:
        return self._below.is_reading()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._below.get_write_buffer_limits()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._tap.protocol = protocol
        self._below.set_protocol(self._tap.fitting(protocol))

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._tap.protocol
        return protocol


class _Tap(asyncio.Protocol):
    """Stand between a transport and a protocol, and tell what passes."""

    def __init__(self, loop: LabLoop, protocol: asyncio.BaseProtocol, *, accepted: bool) -> None:
        self.protocol: Any = protocol
        self._loop = loop
        self._accepted = accepted
        self._told: Conversation | None = None
        self.name = ""

    def fitting(self, protocol: asyncio.BaseProtocol) -> asyncio.BaseProtocol:
        """Return what the transport is to talk to, so that the protocol is reached in its own way."""
        return _BufferedTap(self) if isinstance(protocol, asyncio.BufferedProtocol) else self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        here, there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        self.name = f"{here} - {there}"
        if self._loop.traffic is not None and here and there:  # who has gone already has no address
            client, server = (there, here) if self._accepted else (here, there)
            self._told = Conversation(self._loop.traffic, client[:2], server[:2], accepted=self._accepted)
        self._loop.connections.add(self)
        self.protocol.connection_made(_Transport(self, cast("asyncio.Transport", transport)))

    def connection_lost(self, error: Exception | None) -> None:
        self._loop.connections.discard(self)
        if self._told is not None:
            if error is not None:
                self._told.reset(by_client=self._accepted)
            self._told.ends(by_client=True)
            self._told.ends(by_client=False)
        self.protocol.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        self.hears(data)
        self.protocol.data_received(data)

    def eof_received(self) -> bool | None:
        if self._told is not None:
            self._told.ends(by_client=self._accepted)
        going_on: bool | None = self.protocol.eof_received()
        return going_on

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()

    def hears(self, data: bytes | memoryview[Any]) -> None:
        """Tell what has come in."""
        if self._told is not None:
            self._told.says(data, by_client=self._accepted)

    def says(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Tell what goes out."""
        if self._told is not None:
            self._told.says(data, by_client=not self._accepted)

    def ends(self) -> None:
        """Tell that nothing more goes out."""
        if self._told is not None:
            self._told.ends(by_client=not self._accepted)

    def cuts(self) -> None:
        """Tell that the connection is cut from here."""
        if self._told is not None:
            self._told.reset(by_client=not self._accepted)


class _BufferedTap(asyncio.BufferedProtocol):
    """Be a tap for a protocol that brings its own buffer."""

    def __init__(self, tap: _Tap) -> None:
        self._tap = tap
        self._buffer: memoryview[Any] = memoryview(b"")
        self.connection_made = tap.connection_made  # type: ignore[method-assign]
        self.connection_lost = tap.connection_lost  # type: ignore[method-assign, assignment]
        self.eof_received = tap.eof_received  # type: ignore[method-assign]
        self.pause_writing = tap.pause_writing  # type: ignore[method-assign]
        self.resume_writing = tap.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview[Any]:
        self._buffer = memoryview(self._tap.protocol.get_buffer(sizehint))
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._tap.hears(self._buffer[:nbytes])
        self._tap.protocol.buffer_updated(nbytes)


class LabLoop(asyncio.SelectorEventLoop):
    """Run what a test has in the background.

    Args:
        traffic: is told what is said; None tells nobody.
        forward: by how many seconds its time is ahead of the machine's.

    Attributes:
        connections: those that are open.
        listeners: every server that was made.
        thread: id of the thread that runs it, once one does.
    """

    def __init__(self, traffic: Traffic | None = None, forward: Callable[[], float] = lambda: 0.0) -> None:
        self._forward = forward
        super().__init__()
        self.traffic = traffic
        self.connections: set[_Tap] = set()
        self.listeners: list[asyncio.Server] = []
        self.thread = 0
        self._failures: list[BaseException] = []
        self._running: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.set_exception_handler(self._failed)
        self.set_task_factory(self._task)
        self.call_soon(self._note_thread)

    def _note_thread(self) -> None:
        self.thread = threading.get_ident()

    def time(self) -> float:
        return super().time() + self._forward()

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> asyncio.Server:
        server: asyncio.Server = await super().create_server(self._tapped(protocol_factory, True), *args, **options)
        self.listeners.append(server)
        return server

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        taps: list[_Tap] = []
        transport, _ = await super().create_connection(self._tapped(protocol_factory, False, taps), *args, **options)
        return _Transport(taps[-1], transport), taps[-1].protocol

    async def connect_accepted_socket(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        taps: list[_Tap] = []
        transport, _ = await super().connect_accepted_socket(self._tapped(protocol_factory, True, taps), *args, **options)
        return _Transport(taps[-1], transport), taps[-1].protocol

    def _tapped(self, factory: Any, accepted: bool, made: list[_Tap] | None = None) -> Callable[[], Any]:
        def make() -> asyncio.BaseProtocol:
            tap = _Tap(self, factory(), accepted=accepted)
            if made is not None:
                made.append(tap)
            return tap.fitting(tap.protocol)

        return make

    def _task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        self._running.add(task)
        return task

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context["message"])
        error.add_note(context["message"])
        self._failures.append(error)

    def failures(self) -> list[BaseException]:
        """Return what callbacks raised, and tasks whose exception nobody asked for."""
        for task in tuple(self._running):
            # Asking for `exception` of every task would take from its owner the duty to; only the task knows that nobody asked.
            if task.done() and getattr(task, "_log_traceback", False) and (error := task.exception()) is not None:
                error.add_note(f"exception of {task.get_name()} was never retrieved")
                self._failures.append(error)
        return self._failures

    def left(self) -> list[str]:
        """Return what is still open: connections by their addresses, listeners."""
        listening = [f"listener {server.sockets[0].getsockname()}" for server in self.listeners if server.sockets]
        return [*listening, *[f"connection {tap.name}" for tap in self.connections]]

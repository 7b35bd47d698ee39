"""The event loop that tells what is said in it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from iiop_lab.pcap import Traffic
from iiop_lab.taps import LabLoop
from tests.tshark import complaints, tshark

Scenario = Callable[[LabLoop], Coroutine[Any, Any, None]]


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        assert transport.get_protocol() is self

    def data_received(self, data: bytes) -> None:
        self.transport.writelines([data[:1], data[1:]])


class BufferedEcho(asyncio.BufferedProtocol):
    def __init__(self, transport: asyncio.Transport | None = None) -> None:
        self.buffer = bytearray(8)
        self.transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert self.transport is not None
        self.transport.write(self.buffer[:nbytes])


class Changing(Echo):
    """Echo, and be another protocol from the second time on."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.set_protocol(other := BufferedEcho(self.transport))
        assert self.transport.get_protocol() is other


class Cutting(Echo):
    def data_received(self, data: bytes) -> None:
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def run(scenario: Scenario, traffic: Traffic | None = None) -> LabLoop:
    loop = LabLoop(traffic)
    try:
        loop.run_until_complete(scenario(loop))
    finally:
        loop.close()
    return loop


def talk(protocol: type[asyncio.BaseProtocol]) -> Scenario:
    async def scenario(loop: LabLoop) -> None:
        server = await loop.create_server(protocol, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for words in (b"one", b"and a second", b""):
            writer.write(words)
            assert await reader.readexactly(len(words)) == words
        assert loop.left() == [f"listener {server.sockets[0].getsockname()}", *loop.left()[1:]]
        assert len(loop.left()) == 3
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        server.close()
        while loop.left():
            await asyncio.sleep(0)

    return scenario


@pytest.mark.parametrize("protocol", [Echo, BufferedEcho, Changing])
def test_every_octet_once(tmp_path: Path, protocol: type[asyncio.BaseProtocol]) -> None:
    loop = run(talk(protocol), traffic := Traffic())
    assert loop.failures() == []
    traffic.write(path := tmp_path / "t.pcap")
    assert complaints(path) == []
    said = tshark(path, "tcp.len > 0", "tcp.srcport", "tcp.payload")
    ports = {port for port, _ in said}
    assert len(ports) == 2
    for port in ports:
        assert b"".join(bytes.fromhex(octets) for at, octets in said if at == port) == b"oneand a second"
    assert len(tshark(path, "tcp.flags.fin == 1", "frame.number")) == 2


def test_without_anybody_to_tell() -> None:
    assert run(talk(Echo)).failures() == []


def test_a_connection_that_is_cut(tmp_path: Path) -> None:
    async def scenario(loop: LabLoop) -> None:
        server = await loop.create_server(Cutting, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"one")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()

    loop = run(scenario, traffic := Traffic())
    assert loop.left() == []
    traffic.write(path := tmp_path / "t.pcap")
    assert len(tshark(path, "tcp.flags.reset == 1", "frame.number")) == 1


def test_its_time_can_be_put_forward() -> None:
    ahead = [0.0]
    called = []
    loop = LabLoop(forward=lambda: ahead[0])
    loop.call_later(3600.0, called.append, True)
    loop.run_until_complete(asyncio.sleep(0))
    assert called == []
    ahead[0] = 3600.5
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert called == [True]

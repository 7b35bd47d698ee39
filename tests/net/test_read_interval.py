"""A reply that begins and does not go on: the connection is lost after `Limits.read_interval`, whatever the deadline."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from iiop.exceptions import CompletionStatus, ConnectionLost
from iiop.failover import FailoverPolicy
from iiop.idl import AsyncInterface, asynchronous
from iiop.limits import Limits
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer

POLICY = FailoverPolicy(deadline=60.0, attempt_timeout=60.0, rounds=1, refresh_interval=None)
LIMITS = Limits(read_interval=0.15)


class CounterAsync(AsyncInterface):
    add = asynchronous(Counter.add)


@pytest.mark.parametrize("octets", [3, 12, 20])
@pytest.mark.parametrize("blocking", [True, False])
def test_half_a_reply(octets: int, blocking: bool) -> None:
    with ScriptedServer([s.request, s.part_of_reply(octets), s.gone]) as server:
        start = time.monotonic()
        with pytest.raises(ConnectionLost, match=r"a part of a message, and nothing for the limit read_interval=0\.15") as caught:
            call(server, blocking=blocking)
        assert time.monotonic() - start < 10
        assert caught.value.completed is CompletionStatus.COMPLETED_MAYBE


@pytest.mark.parametrize("blocking", [True, False])
def test_slow_is_not_silent(blocking: bool) -> None:
    """As long as something comes within the interval, all is well; nothing at all is for the deadline to judge."""
    go = threading.Event()

    def slowly(peer: s.Peer) -> None:
        go.wait(0.4)  # longer than the interval, before anything of the reply
        whole: list[bytes] = []
        sendall, peer.sock = peer.sock.sendall, Recorder(peer.sock, whole)  # type: ignore[assignment]
        s.reply(7)(peer)
        for octet in b"".join(whole):
            sendall(bytes((octet,)))
            go.wait(0.01)

    with ScriptedServer([s.request, slowly]) as server:
        assert call(server, blocking=blocking) == 7


class Recorder:
    """Keep what is sent, and do the rest as a socket."""

    def __init__(self, sock: object, kept: list[bytes]) -> None:
        self._sock, self._kept = sock, kept

    def sendall(self, octets: bytes) -> None:
        self._kept.append(octets)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def call(server: ScriptedServer, *, blocking: bool) -> int:
    if blocking:
        with Client(policy=POLICY, limits=LIMITS) as client:
            return client.stub(server.reference(), Counter).add(1)

    async def run() -> int:
        client = AsyncClient(policy=POLICY, limits=LIMITS)
        try:
            return await client.stub(server.reference(), CounterAsync).add(1)
        finally:
            client.close()
            await asyncio.sleep(0)

    return asyncio.run(run())

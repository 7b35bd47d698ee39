"""Large bodies through the virtual host, and peers that do not read: what it holds stays small, and others go on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from iiop.giop.messages import GIOP_1_1, GIOP_1_2, CloseConnection, Reply
from iiop.giop.wire import encode
from iiop.limits import Limits
from iiop.profile import Version
from tests import procfs
from tests.bench.virtual_host import OurVirtualHost, our_virtual_host
from tests.lab.fronts import Node, Raw, Server, Start, asked, next_request, told

MEGABYTE = 1 << 20
SIZE = 100 * MEGABYTE
MOST = 16 * MEGABYTE
"""Octets that the process may grow by, however much passes: what its sockets hold is not its own."""


@contextlib.contextmanager
def through(*servers: Server) -> Iterator[tuple[OurVirtualHost, int]]:
    """Run a virtual host in a process of its own; give it, and the octets of memory it has before anything passes."""
    with our_virtual_host(*[server.target.port for server in servers]) as vhost:
        procfs.forget_peak(vhost.process.pid)
        yield vhost, procfs.memory(vhost.process.pid)


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    one, two = Server(), Server()
    yield one, two
    one.close()
    two.close()


def pour(peer: Raw, octets: bytes) -> threading.Thread:
    """Send octets as fast as they are taken."""

    def run() -> None:
        with contextlib.suppress(OSError):
            peer.sock.sendall(octets)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def grown(vhost: OurVirtualHost, before: int) -> int:
    return procfs.peak_memory(vhost.process.pid) - before


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_a_hundred_megabytes_both_ways(servers: tuple[Server, Server], version: Version) -> None:
    body = bytes(range(256)) * (SIZE // 256)
    there, back = asked(2, body, version), told(2, body, version)
    with through(servers[0]) as (vhost, before), connect(vhost) as client:
        sending = pour(client, there)
        peer = servers[0].accept()
        assert peer._exactly(len(there)) == there
        sending.join()
        answering = pour(peer, back)
        assert client._exactly(len(back)) == back
        answering.join()
        assert grown(vhost, before) < MOST


def connect(vhost: OurVirtualHost) -> Raw:
    return Raw(socket.create_connection(("127.0.0.1", vhost.port), 30))


def test_two_large_replies_at_once_are_never_mixed(servers: tuple[Server, Server]) -> None:
    size = 20 * MEGABYTE
    with through(*servers) as (vhost, before), connect(vhost) as client:
        client.send(asked(2), asked(4))
        threads = []
        for server in servers:
            peer = server.accept()
            request_id = next_request(peer).request_id
            threads.append(pour(peer, told(request_id, bytes([request_id]) * size)))
        seen = [client.octets(), client.octets()]
        assert sorted(seen) == sorted(told(id, bytes([id]) * size) for id in (2, 4))
        for thread in threads:
            thread.join()
        assert grown(vhost, before) < MOST


def test_a_client_that_does_not_read(servers: tuple[Server, Server]) -> None:
    with through(*servers) as (vhost, before), connect(vhost) as idle, connect(vhost) as other:
        idle.send(asked(2), asked(4))
        peers = [server.accept() for server in servers]
        threads = [pour(peer, told(next_request(peer).request_id, bytes(SIZE // 2))) for peer in peers]
        for id, server in ((2, 0), (4, 1)):
            other.send(asked(id))
            peer = servers[server].accept()
            assert next_request(peer).request_id == id
            peer.send(told(id, bytes(MEGABYTE)))
            answer = other.receive()
            assert isinstance(answer, Reply)
            assert answer.request_id == id
        assert all(thread.is_alive() for thread in threads), "they wait for it"
        assert grown(vhost, before) < MOST
        assert {len(idle.octets()) for _ in range(2)} == {len(told(2, bytes(SIZE // 2)))}
        for thread in threads:
            thread.join()


def test_a_client_that_does_not_read_what_we_answer_it(servers: tuple[Server, Server]) -> None:
    """Nobody is there: each request is answered by the virtual host itself."""
    for server in servers:
        server.listener.close()
    questions = b"".join(asked(2 * number) for number in range(20_000)) * 20
    with through(*servers) as (vhost, before), connect(vhost) as idle, connect(vhost) as other:
        asking = pour(idle, questions)
        for id in range(2, 200, 2):
            other.send(asked(id))
            assert isinstance(other.receive(), Reply)
        assert asking.is_alive()
        assert grown(vhost, before) < MOST
        idle.sock.shutdown(socket.SHUT_RDWR)
        asking.join()


def test_a_target_that_does_not_read(servers: tuple[Server, Server]) -> None:
    large = asked(2, bytes(SIZE))
    with through(*servers) as (vhost, before), connect(vhost) as slow, connect(vhost) as other:
        sending = pour(slow, large)
        peer = servers[0].accept()
        other.send(asked(2))
        quick = servers[1].accept()
        for id in range(2, 100, 2):
            assert next_request(quick).request_id == id
            quick.send(told(id))
            assert isinstance(other.receive(), Reply)
            if id == 2:
                vhost.say("maintain", f"127.0.0.1:{servers[0].target.port}")
                assert vhost.ask("connections") == 2
            if id < 98:
                other.send(asked(id + 2))
        assert sending.is_alive()
        assert grown(vhost, before) < MOST
        assert peer._exactly(len(large)) == large
        sending.join()


def test_a_target_that_is_not_connected_yet(a: Node, front: Start) -> None:
    """What a client sends meanwhile is bounded, too, and all arrives."""
    with front(a.target).connect() as client:
        client.call("take", bytes(5_000_000))
    assert a.teller.taken == [bytes(5_000_000)]


def test_a_client_that_does_not_read_is_given_up_in_the_end(servers: tuple[Server, Server], front: Start) -> None:
    vhost = front(servers[0].target, limits=Limits(idle_time=0.1))
    with vhost.connect() as client:
        client.send(asked(2))
        peer = servers[0].accept()
        next_request(peer)
        answering = pour(peer, told(2, bytes(SIZE // 10)))
        answering.join(0.5)
        assert vhost.connections == 1, "its reply is under way"
        assert len(client.octets()) > SIZE // 10
        answering.join()
        assert client.octets() == encode(CloseConnection(GIOP_1_2))

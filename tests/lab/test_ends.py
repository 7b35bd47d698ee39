"""How things end before and behind the virtual host: stops, limits, clients and servers that vanish, are slow, or break GIOP."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading

import pytest

from iiop.exceptions import COMM_FAILURE
from iiop.giop.messages import (
    GIOP_1_2,
    CloseConnection,
    Message,
    Reply,
)
from iiop.giop.wire import encode
from iiop.limits import Limits
from iiop_lab.virtual_host import IPCOM_MINOR
from tests.lab.fronts import (
    MAYBE,
    PATIENCE,
    Front,
    Node,
    Server,
    Start,
    asked,
    failure,
    next_request,
    request,
    told,
)

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")


# --- the end ----------------------------------------------------------------------------------------------------------


def test_stopped_while_a_reply_streams(one: Server) -> None:
    large = told(2, bytes(2_000_000))
    vhost = Front([one.target], limits=Limits(stop_time=PATIENCE))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(contextlib.closing(socket.socket()))
        with vhost:
            raw = vhost.connect()
            raw.send(asked(2))
            peer = one.accept()
            next_request(peer)
            peer.send(large[:200_000])
            assert raw._exactly(100_000) == large[:100_000]
            rest = threading.Thread(target=lambda: peer.send(large[200_000:]))
            got: list[bytes] = []
            reads = threading.Thread(target=lambda: got.extend((raw._exactly(len(large) - 100_000), raw.octets(), raw.octets())))
            vhost.run(ending(vhost))
            rest.start()
            reads.start()
        reads.join()
        rest.join()
        assert got[0] == large[100_000:]
        assert got[1:] == [encode(CloseConnection(GIOP_1_2)), b""]
        raw.sock.close()
        client.close()


async def ending(vhost: Front) -> None:
    for session in tuple(vhost._sessions):
        session.close()


def test_more_connections_than_the_limit(a: Node, front: Start) -> None:
    vhost = front(a.target, limits=Limits(connections=3))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(vhost.connect()) for _ in range(3)]
        assert [client.who() for client in clients] == ["a"] * 3
        with vhost.connect() as refused:
            assert isinstance(refused.receive(), CloseConnection)
            assert refused.receive() is None
        assert [client.who() for client in clients] == ["a"] * 3
        clients[0].sock.close()
        vhost.until(lambda: vhost.connections == 2)
        with vhost.connect() as client:
            assert client.who() == "a"


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("after", [0, 5, 12, 40, 30_000, 100_000])
def test_clients_that_vanish_at_any_step(a: Node, front: Start, how: str, after: int, caplog: pytest.LogCaptureFixture) -> None:
    vhost = front(a.target)
    with vhost.connect() as client:
        client.sock.sendall(asked(2, bytes(200_000))[:after])
        if how == "rst":
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    vhost.until(lambda: not vhost.connections)
    with vhost.connect() as client:
        assert client.who() == "a"
    assert vhost.calls.state(a.target).under_way == 0
    assert vhost.deaths(a.target) == 0


@pytest.mark.parametrize("after", [0, 5, 12, 24, 40, 300_000])
def test_targets_that_vanish_at_any_step(one: Server, front: Start, after: int) -> None:
    """Before the reply has begun to pass on the client is told; later its connection ends."""
    vhost = front(one.target)
    with vhost.connect() as client:
        client.send(asked(2))
        peer = one.accept()
        next_request(peer)
        peer.sock.sendall(told(2, bytes(500_000))[:after])
        peer.sock.close()
        if after < 300_000:
            assert failure(client.receive()) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)
        else:
            with pytest.raises(AssertionError, match="middle"):
                client.octets()
        vhost.until(lambda: vhost.calls.state(one.target).under_way == 0)


def test_messages_that_come_octet_by_octet(a: Node, front: Start) -> None:
    with front(a.target).connect() as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in asked(2, b"slow") + encode(request("who", id=4)):
            client.sock.sendall(bytes([octet]))
        assert isinstance(client.receive(), Reply) is True
    assert a.teller.taken == [b"slow"]


def test_a_client_is_not_believed_to_break_a_target(a: Node, front: Start) -> None:
    """A body that is no body: whatever the target answers, it is alive."""
    broken = asked(2)[:4] + b"\x01\x02\x01\x00" + struct.pack("<I", 40) + bytes(4) + b"\xff" * 36
    vhost = front(a.target)
    with vhost.connect() as client:
        client.send(broken)
        assert isinstance(client.receive(), Message)
    assert vhost.deaths(a.target) == 0


def test_a_message_has_to_become_whole(a: Node, front: Start) -> None:
    """However often an octet comes."""
    vhost = front(a.target, limits=Limits(idle_time=0.2))
    with vhost.connect() as client:
        assert client.who() == "a"
        ended = False
        for octet in asked(2, bytes(10_000)):
            with contextlib.suppress(OSError):
                client.sock.sendall(bytes([octet]))
            ended = bool(select.select([client.sock], [], [], 0.01)[0])
            if ended:
                break
        assert ended
        assert isinstance(client.receive(), CloseConnection)

"""Messages of every version pass the virtual host octet for octet, whoever asks and whatever is answered."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import replace
from typing import Annotated

import pytest

from iiop.cdr import ByteOrder, Codec, Double, Octet, Short, arguments
from iiop.exceptions import NO_PERMISSION
from iiop.giop.fragments import split
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    IORAddressingInfo,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
    TargetAddress,
    key_address,
)
from iiop.giop.wire import encode
from iiop.iop import IOR, ServiceContext, TaggedProfile
from iiop.profile import ProfileBody, Version, encode_profile
from naming import NameService
from naming.types import NameComponent, NotFound
from tests.lab.fronts import (
    KEY,
    LONG,
    NAMING_KEY,
    NO,
    PATIENCE,
    VERSIONS,
    Node,
    Raw,
    Start,
    failure,
    request,
    target_of,
)
from tests.net import scripted
from tests.net.scripted import ScriptedServer, gone, reply, tell, wait_for

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")


_ALIGNED = Codec(
    arguments("aligned", ("o", Annotated[int, Octet]), ("d", Annotated[float, Double]), ("s", str), ("n", Annotated[int, Short]))
)
_PROFILE = encode_profile(ProfileBody(Version(1, 2), "vhost", 8002, KEY))


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize(
    ("version", "target"),
    [(version, key_address(KEY)) for version in VERSIONS]
    + [
        (GIOP_1_2, TargetAddress(1, _PROFILE)),
        (GIOP_1_2, TargetAddress(2, IORAddressingInfo(1, IOR("IDL:x:1.0", (TaggedProfile(5, b"?"), _PROFILE))))),
    ],
)
def test_octets_pass_as_they_are(front: Start, version: Version, target: TargetAddress, order: ByteOrder) -> None:
    body = Body.of(_ALIGNED, (7, 0.1, "grüße", -2))
    contexts = (ServiceContext(0x1234, b"odd"), ServiceContext(1, b"\0" * 12))
    asked = Request(77, "any", target, 3, contexts, body, version=version, byte_order=order)
    if version < GIOP_1_2:
        asked = replace(asked, requesting_principal=b"me")
    told = Reply(77, ReplyStatus.NO_EXCEPTION, contexts[:1], body, version, order)

    def answer(peer: scripted.Peer) -> None:
        peer.sock.sendall(encode(replace(told, request_id=peer.asked().request_id)))

    with ScriptedServer([scripted.request, answer, gone]) as server, front(target_of(server)).connect() as client:
        client.send(asked)
        assert client.octets() == encode(told)
        assert encode(replace(server.requests[0], request_id=77)) == encode(asked)


@pytest.mark.parametrize("status", [ReplyStatus.LOCATION_FORWARD, ReplyStatus.NEEDS_ADDRESSING_MODE, ReplyStatus(99)], ids=str)
def test_any_reply_status_passes(front: Start, status: ReplyStatus) -> None:
    def answer(peer: scripted.Peer) -> None:
        peer.sock.sendall(encode(Reply(peer.asked().request_id, status, body=Body(b"12345678"))))

    with ScriptedServer([scripted.request, answer, gone]) as server, front(target_of(server)).connect() as client:
        told = client.call("who")
        assert (told.reply_status, bytes(told.body)) == (status, b"12345678")


def test_system_exceptions_of_servers_pass(a: Node, front: Start) -> None:
    with front(a.target).connect() as client:
        assert failure(client.call("refuse")) == (NO_PERMISSION, 0x1234, NO)


def test_user_exceptions_pass(a: Node, front: Start) -> None:
    asked = request("resolve_str", "not/there", id=4, key=NAMING_KEY)
    with front(a.target).connect() as through, Raw(socket.create_connection(("127.0.0.1", a.port), PATIENCE)) as direct:
        through.send(asked)
        direct.send(asked)
        assert through.octets() == direct.octets()
    with NameService(f"127.0.0.1:{front(a.target).port}") as names, pytest.raises(NotFound) as raised:
        names.resolve("not/there")
    assert raised.value.rest_of_name[0] == NameComponent("not")


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize(("key", "status"), [(KEY, LocateStatus.OBJECT_HERE), (b"?", LocateStatus.UNKNOWN_OBJECT)])
def test_locate_requests_are_forwarded(a: Node, front: Start, version: Version, key: bytes, status: LocateStatus) -> None:
    with front(a.target).connect() as client:
        client.send(LocateRequest(9, key_address(key), version))
        assert client.receive() == LocateReply(9, status, EMPTY, version)


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_fragments_pass(a: Node, front: Start, version: Version) -> None:
    octets = encode(request("take", bytes(range(256)) * 40, id=0, version=version))
    pieces = split(octets, version, 1000)
    assert len(pieces) > 10
    with front(a.target).connect() as client:
        for piece in pieces:
            client.send(piece)
        assert isinstance(client.receive(), Reply)
    assert a.teller.taken == [bytes(range(256)) * 40]


def test_large_bodies_pass(a: Node, front: Start) -> None:
    octets = bytes(5_000_000)
    with front(a.target).connect() as client:
        client.call("take", octets)
    assert a.teller.taken == [octets]


def test_oneways_are_distributed_and_not_answered(a: Node, b: Node, front: Start) -> None:
    with front(a.target, b.target).connect() as client:
        client.send(*[request("take", bytes([n]), id=2 * n, flags=0) for n in range(6)])
        assert {client.who(), client.who()} == {"a", "b"}  # behind the oneways, on the same connections
    assert (a.teller.taken, b.teller.taken) == ([b"\0", b"\2", b"\4"], [b"\1", b"\3", b"\5"])


def test_pipelined_requests_get_their_own_replies_in_any_order(front: Start) -> None:
    count = 20

    def answer_backwards(peer: scripted.Peer) -> None:
        for asked in reversed(peer.server.requests):
            body = Body.of(LONG, (int(asked.operation),))
            peer.sock.sendall(encode(Reply(asked.request_id, body=body)))

    with ScriptedServer([scripted.request] * count + [answer_backwards, gone]) as server:
        with front(target_of(server)).connect() as client:
            client.send(*[request(str(n), id=3 * n) for n in range(count)])
            answers = [client.receive() for _ in range(count)]
        assert {
            (answer.request_id, answer.body.decode(LONG)[0])  # type: ignore[union-attr]
            for answer in answers
        } == {(3 * n, n) for n in range(count)}


def test_a_cancelled_request_is_cancelled_at_its_target(front: Start) -> None:
    go = threading.Event()
    script = [scripted.request, lambda peer: peer.receive(), wait_for(go), reply(1), scripted.serve(2)]
    with ScriptedServer(script) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            client.send(request("who", id=8))
            server.wait_received(1)
            client.send(CancelRequest(8))
            server.wait_received(2)
            assert server.cancelled == [server.requests[0].request_id]
            go.set()  # the late reply is nobody's
            assert client.call("who").body.decode(LONG) == (2,)
            assert server.connections == 1


def test_a_client_that_vanishes_leaves_nothing(front: Start) -> None:
    left = threading.Event()
    with ScriptedServer([scripted.request, gone, tell(left)], then=[scripted.serve(2)]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            client.send(request("who", id=8))
            server.wait_received(1)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert left.wait(PATIENCE), "its connection to the target ends with it"
        vhost.until(lambda: not vhost._sessions)
        assert vhost.calls.state(target_of(server)).under_way == 0
        assert vhost.deaths(target_of(server)) == 0
        with vhost.connect() as client:
            assert client.call("who").body.decode(LONG) == (2,)

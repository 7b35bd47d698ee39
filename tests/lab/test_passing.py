"""What passes the virtual host, seen by bare sockets: fragments, large bodies, cancels, calls back; and how it ends."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iiop.cdr import Codec, arguments
from iiop.exceptions import COMM_FAILURE
from iiop.giop.fragments import Reassembler, split
from iiop.giop.header import cut_header
from iiop.giop.messages import (
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.iop import IOR_CODEC, ServiceContext
from iiop.limits import Limits
from iiop.profile import Version
from iiop_lab.virtual_host import IPCOM_MINOR, Target
from tests.lab.fronts import KEY, MAYBE, PATIENCE, Front, Node, Raw, Start, failure, request
from tests.net.scripted import ScriptedServer

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")

OCTETS = Codec(arguments("take", ("octets", bytes)))
HUGE = Limits(fragments=100_000, message_size=256 * 1024 * 1024, sequence_length=256 * 1024 * 1024)
CODE_SETS = ServiceContext(1, bytes.fromhex("010000000100010009010100"))


class Server:
    """Listen, and leave the rest to the test: each connection is a `Raw`."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.target = Target("127.0.0.1", self.listener.getsockname()[1])
        self.connections: list[Raw] = []

    def accept(self) -> Raw:
        sock, _ = self.listener.accept()
        sock.settimeout(PATIENCE)
        self.connections.append(Raw(sock))
        return self.connections[-1]

    def close(self) -> None:
        for connection in self.connections:
            connection.sock.close()
        self.listener.close()


@pytest.fixture
def server() -> Iterator[Callable[[], Server]]:
    with contextlib.ExitStack() as stack:

        def make() -> Server:
            made = Server()
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def one(server: Callable[[], Server]) -> Server:
    return server()


@pytest.fixture
def two(server: Callable[[], Server]) -> Server:
    return server()


def asked(id: int, octets: bytes = b"", version: Version = GIOP_1_2, **more: Any) -> bytes:
    return encode(request("take", octets, id=id, version=version, **more))


def told(id: int, octets: bytes = b"", version: Version = GIOP_1_2) -> bytes:
    return encode(Reply(id, body=Body.of(OCTETS, (octets,)), version=version))


def next_request(peer: Raw) -> Request:
    message = peer.receive()
    assert isinstance(message, Request), message
    return message


def asking(server: Server) -> Request:
    """Return the next request on a new connection, behind those of probes."""
    while not isinstance(message := (peer := server.accept()).receive(), Request):
        if isinstance(message, LocateRequest):
            peer.send(LocateReply(message.request_id, LocateStatus.OBJECT_HERE, version=message.version))
    return message


def raw_fragments(peer: Raw, count: int) -> list[bytes]:
    return [peer.octets() for _ in range(count)]


# --- fragments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 1000, 100_000], ids=str)
@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_fragments_pass_as_they_are_both_ways(one: Server, front: Start, version: Version, size: int) -> None:
    """Those of 100,000 octets stream themselves."""
    body = bytes(range(256)) * (400 if size < 100_000 else 4000)
    there = split(asked(7, body, version), version, size)
    back = split(told(7, body, version), version, size)
    assert len(there) > 10
    with front(one.target).connect() as client:
        sender = threading.Thread(target=lambda: client.send(*there))
        sender.start()
        peer = one.accept()
        got = joined(peer, version)
        sender.join()
        message = decode(got, HUGE)
        assert isinstance(message, Request)
        assert message.body.decode(OCTETS) == (body,)
        answerer = threading.Thread(target=lambda: peer.send(*back))
        answerer.start()
        assert raw_fragments(client, len(back)) == back
        answerer.join()
        client.send(asked(9))
        assert next_request(peer).request_id == 9


def joined(peer: Raw, version: Version) -> bytes:
    """Receive one message, however fragmented."""
    reassembler = Reassembler(HUGE)
    octets = peer.octets()
    header = cut_header(octets, HUGE)
    if not header.more_fragments:
        return octets
    whole = reassembler.add(header, octets)
    while whole is None:
        octets = peer.octets()
        whole = reassembler.add(cut_header(octets, HUGE), octets)
    return whole


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_service_contexts_longer_than_fragments_and_pieces(one: Server, front: Start, version: Version) -> None:
    contexts = (ServiceContext(0x1234, bytes(range(256)) * 300),)
    there = asked(7, b"body", version, service_context=contexts)
    back = encode(Reply(7, service_context=contexts, body=Body.of(OCTETS, (b"back",)), version=version))
    for size in (40, 70_000, 1_000_000):
        with front(one.target).connect() as client:
            client.send(*split(there, version, size))
            peer = one.accept()
            assert joined(peer, version) == there
            peer.send(*split(back, version, size))
            assert joined(client, version) == back


def test_interleaved_fragments_of_several_requests(one: Server, two: Server, front: Start) -> None:
    bodies = {id: bytes([id]) * 3000 for id in (2, 4, 6, 8)}
    parts = [split(asked(id, body), GIOP_1_2, 500) for id, body in bodies.items()]
    with front(one.target, two.target).connect() as client:
        for pieces in zip(*parts, strict=True):
            client.send(*pieces)
        peers = one.accept(), two.accept()
        replies = []
        for peer in peers:
            reassembler, whole = Reassembler(HUGE), []
            while len(whole) < 2:
                octets = peer.octets()
                header = cut_header(octets, HUGE)
                if (message := reassembler.add(header, octets)) is not None:
                    whole.append(decode(message))
            for message in whole:
                assert isinstance(message, Request)
                assert message.body.decode(OCTETS) == (bodies[message.request_id],)
            replies.append([split(told(message.request_id, bodies[message.request_id]), GIOP_1_2, 500) for message in whole])  # type: ignore[union-attr]
        for peer, answers in zip(peers, replies, strict=True):
            for pieces in zip(*answers, strict=True):
                peer.send(*pieces)
        reassembler, seen = Reassembler(HUGE), {}
        while len(seen) < 4:
            octets = client.octets()
            if (answer := reassembler.add(cut_header(octets, HUGE), octets)) is not None:
                reply = decode(answer)
                assert isinstance(reply, Reply)
                seen[reply.request_id] = reply.body.decode(OCTETS)[0]
        assert seen == bodies


def test_a_request_sent_again_does_not_come_into_the_middle_of_another(one: Server, two: Server, front: Start) -> None:
    """The first request's target closes in order while another streams to the target that the first now goes to."""
    large = asked(4, bytes(500_000))
    with front(one.target, two.target).connect() as client:
        client.send(asked(2, b"first"))
        peer = one.accept()
        assert next_request(peer).request_id == 2
        client.send(large[:300_000])
        other = two.accept()
        begun = other._exactly(200_000)
        one.listener.close()
        peer.send(CloseConnection())
        assert peer.octets() == encode(CloseConnection())  # it is gone now, and its request on its way
        client.send(large[300_000:])
        assert begun + other._exactly(300_000 + (len(large) - 500_000)) == large
        again = next_request(other)
        assert (again.request_id, again.body.decode(OCTETS)) == (2, (b"first",))
        other.send(told(2), told(4))
        assert {client.receive().request_id for _ in range(2)} == {2, 4}  # type: ignore[union-attr]


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_a_target_that_dies_in_the_middle_of_a_reply(one: Server, front: Start, version: Version) -> None:
    """The client is not left to wait for the rest."""
    pieces = split(told(2, bytes(3000), version), version, 500)
    with front(one.target).connect() as client:
        client.send(asked(2, version=version))
        peer = one.accept()
        next_request(peer)
        peer.send(pieces[0])
        assert client.octets() == pieces[0]
        peer.sock.close()
        one.listener.close()
        assert client.octets() == b""


def test_fragments_out_of_nowhere(one: Server, front: Start) -> None:
    fragment = split(asked(2, bytes(3000)), GIOP_1_2, 500)[1]
    before = split(asked(2, bytes(3000), GIOP_1_1), GIOP_1_1, 500)[1]
    with front(one.target).connect() as client:
        client.send(fragment, asked(4))  # nobody's: perhaps of an answer that came too late
        assert next_request(one.accept()).request_id == 4
    with front(one.target).connect() as client:
        client.send(asked(4, version=GIOP_1_1))
        peer = one.accept()
        assert next_request(peer).request_id == 4
        peer.send(before)
        answer = peer.receive()
        assert isinstance(answer, MessageError)
        assert failure(client.receive()) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_messages_too_short_to_say_anything(a: Node, front: Start, version: Version, kind: int) -> None:
    octets = b"GIOP" + bytes((version.major, version.minor, 1, kind)) + bytes(4)
    vhost = front(a.target)
    with vhost.connect() as client:
        client.send(octets)
        if kind in (0, 3):
            assert isinstance(client.receive(), MessageError)
        else:
            assert client.who() == "a", "what answers nothing is nobody's"
    with vhost.connect() as client:
        assert client.who() == "a"


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_targets_that_say_too_little(one: Server, front: Start, version: Version, kind: int) -> None:
    with front(one.target).connect() as client:
        client.send(asked(2))
        peer = one.accept()
        next_request(peer)
        peer.send(b"GIOP" + bytes((version.major, version.minor, 1, kind)) + bytes(4))
        assert failure(client.receive()) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)


# --- cancels ----------------------------------------------------------------------------------------------------------


def test_cancelled_before_it_is_connected(one: Server, two: Server, front: Start) -> None:
    class Slow(Front):
        gate: Any = None

        async def connect_link(self, link: Any) -> None:
            await self.gate.wait()
            await super().connect_link(link)

    import asyncio

    vhost = Slow([one.target], probe_interval=0.02)
    vhost.gate = asyncio.Event()
    with vhost, vhost.connect() as client:
        client.send(asked(2, b"cancelled"), CancelRequest(2), asked(4, b"not"))
        vhost.until(lambda: any(4 in session.pending for session in vhost._sessions))

        async def go() -> None:
            vhost.gate.set()

        vhost.run(go())
        peer = one.accept()
        assert next_request(peer).request_id == 4
        assert vhost.calls.state(one.target).under_way == 1
        peer.send(told(4))
        assert isinstance(client.receive(), Reply)
        assert vhost.calls.state(one.target).under_way == 0


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_the_fragmented_reply_to_a_cancelled_request_is_dropped(one: Server, front: Start, version: Version) -> None:
    with front(one.target).connect() as client:
        client.send(asked(2, version=version))
        peer = one.accept()
        assert next_request(peer).request_id == 2
        client.send(CancelRequest(2, version))
        assert peer.receive() == CancelRequest(2, version)
        peer.send(*split(told(2, bytes(300_000), version), version, 100_000))
        client.send(asked(4, version=version))
        assert next_request(peer).request_id == 4
        peer.send(told(4, b"mine", version))
        answer = client.receive()
        assert isinstance(answer, Reply)
        assert answer.request_id == 4


def test_cancelled_while_its_reply_arrives(one: Server, front: Start) -> None:
    pieces = split(told(2, bytes(3000)), GIOP_1_2, 500)
    with front(one.target).connect() as client:
        client.send(asked(2))
        peer = one.accept()
        next_request(peer)
        peer.send(pieces[0])
        assert client.octets() == pieces[0]
        client.send(CancelRequest(2))
        assert isinstance(peer.receive(), CancelRequest)
        peer.send(*pieces[1:])
        assert raw_fragments(client, len(pieces) - 1) == pieces[1:]


@pytest.mark.parametrize("flags", [0, 3])
@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_cancelled_while_it_is_sent_in_fragments(one: Server, front: Start, version: Version, flags: int) -> None:
    pieces = split(asked(2, bytes(3000), version, flags=flags), version, 500)
    with front(one.target).connect() as client:
        client.send(*pieces[:2])
        peer = one.accept()
        assert raw_fragments(peer, 2) == pieces[:2]
        client.send(CancelRequest(2, version), asked(2, b"again", version))
        assert peer.receive() == CancelRequest(2, version)
        assert next_request(peer).body.decode(OCTETS) == (b"again",)
        peer.send(told(2, b"this", version))
        answer = client.receive()
        assert isinstance(answer, Reply)
        assert answer.body.decode(OCTETS) == (b"this",)


# --- calls back -------------------------------------------------------------------------------------------------------


def test_two_targets_call_back_with_the_same_id(one: Server, two: Server, front: Start) -> None:
    vhost = front(one.target, two.target)
    with vhost.connect() as client:
        client.send(asked(2), asked(4))
        peers = one.accept(), two.accept()
        for peer in peers:
            next_request(peer)
        for number, peer in enumerate(peers):
            peer.send(Request(1, f"back{number}", key_address(b"ear")))
        calls = {}
        for _ in range(2):
            call = next_request(client)
            calls[call.operation] = call.request_id
        assert len(set(calls.values())) == 2
        assert all(id % 2 for id in calls.values())
        large = [
            split(encode(Reply(calls[f"back{n}"], body=Body.of(OCTETS, (bytes([n]) * 2000,)))), GIOP_1_2, 500) for n in (0, 1)
        ]
        for pieces in zip(*large, strict=True):
            client.send(*pieces)
        for number, peer in enumerate(peers):
            reply = decode(joined(peer, GIOP_1_2))
            assert isinstance(reply, Reply)
            assert reply.request_id == 1
            assert reply.body.decode(OCTETS) == (bytes([number]) * 2000,)
        (session,) = vhost._sessions
        assert not len(session.callbacks)


def test_fragmented_calls_back_of_two_targets(one: Server, two: Server, front: Start) -> None:
    vhost = front(one.target, two.target)
    calls = [
        split(
            encode(Request(1, "back", key_address(b"ear"), flags, body=Body.of(OCTETS, (bytes([flags]) * 3000,)))), GIOP_1_2, 500
        )
        for flags in (3, 0)
    ]
    with vhost.connect() as client:
        client.send(asked(2), asked(4))
        peers = one.accept(), two.accept()
        for peer in peers:
            next_request(peer)
        for pieces in zip(*calls, strict=True):
            for peer, piece in zip(peers, pieces, strict=True):
                peer.send(piece)
        reassembler, seen = Reassembler(HUGE), []
        while len(seen) < 2:
            octets = client.octets()
            if (whole := reassembler.add(cut_header(octets, HUGE), octets)) is not None:
                seen.append(decode(whole))
        for message in seen:
            assert isinstance(message, Request)
            assert message.body.decode(OCTETS) == (bytes([message.response_flags]) * 3000,)
        (session,) = vhost._sessions
        assert len(session.callbacks) == 1, "the oneway is over"


def test_a_call_back_that_is_cancelled_and_one_whose_target_went(one: Server, front: Start) -> None:
    vhost = front(one.target)
    with vhost.connect() as client:
        client.send(asked(2))
        peer = one.accept()
        next_request(peer)
        peer.send(Request(1, "back", key_address(b"ear")), CancelRequest(1))
        call = next_request(client)
        assert client.receive() == CancelRequest(call.request_id)
        client.send(Reply(call.request_id))  # too late
        peer.send(told(2), Request(1, "back", key_address(b"ear")))
        assert isinstance(client.receive(), Reply)
        call = next_request(client)
        peer.sock.close()
        (session,) = vhost._sessions
        vhost.until(lambda: not session._links)
        assert not len(session.callbacks)
        client.send(Reply(call.request_id), asked(4))
        assert asking(one).request_id == 4


# --- code sets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_every_target_hears_the_code_sets_and_bodies_stay_aligned(
    one: Server, two: Server, front: Start, version: Version, fragmented: bool
) -> None:
    """The second request has no contexts of its own, the third a target that only a LocateRequest has come to."""
    body = bytes(range(256)) * 20
    with front(one.target, two.target).connect() as client:
        client.send(asked(2, b"", version, service_context=(CODE_SETS,)))
        peer = one.accept()
        assert next_request(peer).service_context == (CODE_SETS,)
        client.send(LocateRequest(4, key_address(KEY), version))
        other = two.accept()
        assert isinstance(other.receive(), LocateRequest)
        other.send(LocateReply(4, LocateStatus.OBJECT_HERE, version=version))
        assert isinstance(client.receive(), LocateReply)
        peer.send(told(2, version=version))
        assert isinstance(client.receive(), Reply)
        client.send(asked(6, b"", version))
        assert not next_request(peer).service_context, "it has heard"
        sent = asked(8, body, version)
        client.send(*(split(sent, version, 512) if fragmented else [sent]))
        octets = joined(other, version)
        got, plain = decode(octets), decode(sent)
        assert isinstance(got, Request)
        assert isinstance(plain, Request)
        assert got.service_context[0] == CODE_SETS
        assert got.body.start % 8 == plain.body.start % 8
        assert octets[got.body.start :] == sent[plain.body.start :]
        other.send(told(8, version=version))
        assert isinstance(client.receive(), Reply)
        client.send(asked(10, b"", version), asked(12, b"", version))
        assert not next_request(other).service_context, "it has heard, too"


def test_code_sets_told_later_are_heard_by_all(one: Server, two: Server, front: Start) -> None:
    with front(one.target, two.target).connect() as client:
        for id, server in ((2, one), (4, two)):
            client.send(asked(id))
            peer = server.accept()
            next_request(peer)
            peer.send(told(id))
            client.receive()
        client.send(asked(6, service_context=(CODE_SETS,)), asked(8))
        assert next_request(one.connections[0]).service_context == (CODE_SETS,)
        assert next_request(two.connections[0]).service_context == (CODE_SETS,)


# --- forwards, early replies ------------------------------------------------------------------------------------------


def test_forwards_pass(one: Server, front: Start) -> None:
    with front(one.target).connect() as client, ScriptedServer() as elsewhere:
        client.send(asked(2))
        peer = one.accept()
        next_request(peer)
        reference = elsewhere.reference()
        peer.send(Reply(2, ReplyStatus.LOCATION_FORWARD, body=Body.of(IOR_CODEC, reference)))
        answer = client.receive()
        assert isinstance(answer, Reply)
        assert answer.reply_status is ReplyStatus.LOCATION_FORWARD
        assert answer.body.decode(IOR_CODEC) == reference


def test_answered_before_it_was_whole(one: Server, front: Start) -> None:
    large = asked(2, bytes(200_000))
    with front(one.target).connect() as client:
        client.send(large[:100_000])
        peer = one.accept()
        assert peer._exactly(70_000) == large[:70_000]
        peer.send(told(2, b"enough"))
        assert isinstance(client.receive(), Reply)
        client.send(large[100_000:], asked(4))
        assert peer._exactly(len(large) - 70_000) == large[70_000:]
        assert next_request(peer).request_id == 4


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

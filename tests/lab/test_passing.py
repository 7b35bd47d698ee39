"""What passes the virtual host, seen by bare sockets: fragments, large bodies, cancels, calls back; and how it ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from iiop.exceptions import COMM_FAILURE
from iiop.giop.fragments import Reassembler, split
from iiop.giop.header import cut_header
from iiop.giop.messages import (
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
)
from iiop.giop.wire import decode, encode
from iiop.iop import IOR_CODEC, ServiceContext
from iiop.profile import Version
from iiop_lab.virtual_host import IPCOM_MINOR
from tests.lab.fronts import (
    HUGE,
    MAYBE,
    OCTETS,
    Front,
    Node,
    Server,
    Start,
    asked,
    failure,
    joined,
    next_request,
    raw_fragments,
    told,
)
from tests.net.scripted import ScriptedServer

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")


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
    vhost = front(one.target, two.target)
    with vhost.connect() as client:
        client.send(asked(2, b"first"))
        peer = one.accept()
        assert next_request(peer).request_id == 2
        client.send(large[:300_000])
        other = two.accept()
        begun = other._exactly(200_000)
        one.listener.close()
        peer.send(CloseConnection())
        assert peer.octets() == encode(CloseConnection())
        (session,) = vhost._sessions
        vhost.until(lambda: session.pending[2].link is not None and session.pending[2].link.target == two.target)
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

"""What servers say to clients unasked, and what clients say once: calls back and code sets through the virtual host."""

from __future__ import annotations

import pytest

from iiop.giop.fragments import Reassembler, split
from iiop.giop.header import cut_header
from iiop.giop.messages import (
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.profile import Version
from tests.lab.fronts import (
    CODE_SETS,
    HUGE,
    KEY,
    OCTETS,
    Server,
    Start,
    asked,
    asking,
    joined,
    next_request,
    told,
)

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")


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

"""The connection's rules: who may say what when, and what is remembered."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from iiop.cdr import ByteOrder, codec
from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role
from iiop.connection.states import MAY_SEND, TRANSITIONS, Trigger
from iiop.exceptions.errors import EncodeError, LocalProtocolError, RemoteProtocolError
from iiop.giop.fragments import split
from iiop.giop.header import new_message, put_size
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    NATIVE,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    MessageType,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.limits import Limits
from iiop.profile import BiDirIIOPServiceContext, ListenPoint, Version

VERSIONS = (GIOP_1_0, GIOP_1_1, GIOP_1_2)
KEY = key_address(b"key")
OPEN, CLOSING, CLOSED, ERROR = ConnectionState


def request(request_id: int, **changes: Any) -> Request:
    return replace(Request(request_id, "op", KEY), **changes)


def oneway(request_id: int) -> Request:
    return Request(request_id, "op", KEY, response_flags=0)


def receive(connection: Connection, *messages: Message | bytes) -> list[Event]:
    """Return the events that messages give, NEED_DATA not included."""
    for message in messages:
        connection.receive_data(message if isinstance(message, bytes) else encode(message))
    found = []
    while (event := connection.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def client_with_request(request_id: int = 2, **options: Any) -> Connection:
    connection = Connection(Role.CLIENT, **options)
    connection.send(request(request_id))
    return connection


def server_with_request(request_id: int = 2, **options: Any) -> Connection:
    connection = Connection(Role.SERVER, **options)
    assert receive(connection, request(request_id)) == [request(request_id)]
    return connection


# --- tables ------------------------------------------------------------------------------------------------------------


def make(kind: MessageType, version: Version, request_id: int = 2) -> bytes:
    messages: dict[MessageType, Message] = {
        MessageType.Request: request(request_id, version=version),
        MessageType.Reply: Reply(request_id, version=version),
        MessageType.CancelRequest: CancelRequest(request_id, version),
        MessageType.LocateRequest: LocateRequest(request_id, KEY, version),
        MessageType.LocateReply: LocateReply(request_id, LocateStatus.OBJECT_HERE, version=version),
        MessageType.CloseConnection: CloseConnection(version),
        MessageType.MessageError: MessageError(version),
    }
    if kind is not MessageType.Fragment:
        return encode(messages[kind])
    fragment = new_message(version, NATIVE, kind)
    fragment += bytes(4)
    put_size(fragment)
    return bytes(fragment)


def in_state(role: Role, state: ConnectionState) -> Connection:
    """Return a connection that got into a state as connections do."""
    connection = Connection(role)
    if state is CLOSING:
        connection.send(CloseConnection())
    elif state is CLOSED:
        receive(connection, CloseConnection())
    elif state is ERROR:
        connection.receive_data(b"not GIOP at all")
        with pytest.raises(RemoteProtocolError):
            connection.next_event()
    assert connection.state is state
    return connection


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("kind", MessageType, ids=lambda it: it.name)
@pytest.mark.parametrize("state", ConnectionState, ids=lambda it: it.name)
@pytest.mark.parametrize("role", Role, ids=lambda it: it.name)
def test_every_state_and_message(role: Role, state: ConnectionState, kind: MessageType, version: Version) -> None:
    """An event, a drop, or RemoteProtocolError: nothing else, whatever arrives when."""
    connection = in_state(role, state)
    connection.receive_data(make(kind, version))
    headerless = kind is MessageType.Fragment and version is GIOP_1_0  # no such message: its header is broken
    if state is ERROR:
        assert connection.next_event() is NEED_DATA
        assert (connection.state, connection.dropped) == (ERROR, 0)
    elif headerless and state is not OPEN:
        with pytest.raises(RemoteProtocolError, match="does not exist"):
            connection.next_event()
        assert connection.state is ERROR
    elif state is not OPEN:
        assert connection.next_event() is NEED_DATA
        assert connection.dropped == 1
        assert connection.state is (CLOSED if kind is MessageType.CloseConnection else state)
    elif kind not in MAY_SEND[role.peer, version] or kind in (MessageType.Reply, MessageType.LocateReply, MessageType.Fragment):
        with pytest.raises(RemoteProtocolError) as caught:
            connection.next_event()
        assert isinstance(caught.value.response, MessageError)
        assert caught.value.response.version == version
        assert connection.state is ERROR
    else:
        event = connection.next_event()
        assert type(event).__name__ == kind.name
        after = {MessageType.CloseConnection: CLOSED, MessageType.MessageError: ERROR}
        assert connection.state is after.get(kind, OPEN)
    assert connection.next_event() is NEED_DATA


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("kind", [kind for kind in MessageType if kind is not MessageType.Fragment], ids=lambda it: it.name)
@pytest.mark.parametrize("state", ConnectionState, ids=lambda it: it.name)
@pytest.mark.parametrize("role", Role, ids=lambda it: it.name)
def test_every_state_and_message_sent(role: Role, state: ConnectionState, kind: MessageType, version: Version) -> None:
    connection = in_state(role, state)
    message = decode(make(kind, version))
    answer = kind in (MessageType.Reply, MessageType.LocateReply)
    allowed = state is OPEN and kind in MAY_SEND[role, version] and not answer
    if allowed or (state is ERROR and kind is MessageType.MessageError):
        assert connection.send(message) == encode(message)
        after = {MessageType.CloseConnection: CLOSING, MessageType.MessageError: ERROR}
        assert connection.state is after.get(kind, state)
        return
    with pytest.raises(LocalProtocolError):
        connection.send(message)
    assert connection.state is state


def test_the_tables_are_whole() -> None:
    assert set(TRANSITIONS) == set(ConnectionState)
    assert set(TRANSITIONS[OPEN]) == set(Trigger)
    assert set(TRANSITIONS[ERROR].values()) == {ERROR}, "an error is for good"
    assert OPEN not in {after for triggers in TRANSITIONS.values() for after in triggers.values()}, "nothing opens again"
    assert set(MAY_SEND) == {(role, version) for role in Role for version in VERSIONS}
    for version in VERSIONS:
        both = MAY_SEND[Role.CLIENT, version] | MAY_SEND[Role.SERVER, version]
        assert both == set(MessageType) - ({MessageType.Fragment} if version == GIOP_1_0 else set())


def test_error_is_for_good() -> None:
    connection = in_state(Role.SERVER, ERROR)
    assert receive(connection, request(2), CloseConnection(), b"GIOP junk", MessageError()) == []
    assert connection.state is ERROR
    for message in (Reply(2), CloseConnection(), CancelRequest(2)):
        with pytest.raises(LocalProtocolError, match="the connection is error"):
            connection.send(message)
    assert connection.send(MessageError()) == encode(MessageError())
    connection.receive_data(b"")
    assert connection.next_event() == EndOfStream(False, (), 0)
    assert connection.next_event() is NEED_DATA
    assert connection.state is ERROR


# --- requests and replies ----------------------------------------------------------------------------------------------


def test_a_reply_settles_its_request() -> None:
    client = client_with_request(2)
    assert client.outstanding == (2,)
    assert receive(client, Reply(2)) == [Reply(2)]
    assert client.outstanding == ()
    server = server_with_request(2)
    assert server.unanswered == (2,)
    server.send(Reply(2))
    assert server.unanswered == ()
    with pytest.raises(LocalProtocolError, match="no Request 2 waits"):
        server.send(Reply(2))


def test_a_oneway_waits_for_nothing() -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    assert receive(server, client.send(oneway(2)), client.send(oneway(2))) == [oneway(2)] * 2
    assert client.outstanding == server.unanswered == ()
    with pytest.raises(LocalProtocolError):
        server.send(Reply(2))


def test_the_answer_has_to_be_of_the_right_kind() -> None:
    server = server_with_request(2)
    with pytest.raises(LocalProtocolError, match="no LocateRequest 2 waits"):
        server.send(LocateReply(2, LocateStatus.OBJECT_HERE))
    client = client_with_request(2)
    with pytest.raises(RemoteProtocolError, match="LocateReply to request 2, which nobody made"):
        receive(client, LocateReply(2, LocateStatus.OBJECT_HERE))


def test_ids() -> None:
    client = Connection(Role.CLIENT)
    assert [client.next_request_id() for _ in range(3)] == [0, 2, 4]
    client.send(request(6))
    client.send(request(8))
    client.abandon(8)
    assert client.next_request_id() == 10
    with pytest.raises(LocalProtocolError, match="request id 6 is still waiting"):
        client.send(request(6))
    with pytest.raises(LocalProtocolError, match="request id 8 is still waiting"):
        client.send(oneway(8))


def test_ids_start_again() -> None:
    client = Connection(Role.CLIENT)
    client.send(request(0))
    client._next_id = 0xFFFFFFFE
    assert [client.next_request_id() for _ in range(2)] == [0xFFFFFFFE, 2]


def test_nothing_changes_where_sending_fails() -> None:
    client = Connection(Role.CLIENT)
    with pytest.raises(EncodeError):
        client.send(request(2, operation="a\0b"))
    with pytest.raises(EncodeError):
        client.send(request(1 << 32))
    assert client.outstanding == ()
    server = server_with_request(2)
    with pytest.raises(EncodeError):
        server.send(Reply(2, body=Body.of(codec(str), 7)))
    assert server.unanswered == (2,)
    server.send(Reply(2))


def test_a_version_nobody_speaks() -> None:
    with pytest.raises(LocalProtocolError, match=r"a client sends no Request in GIOP 1\.3"):
        Connection(Role.CLIENT).send(request(2, version=Version(1, 3)))


def test_limit_of_outstanding_requests() -> None:
    limits = Limits(outstanding=2)
    client, server = Connection(Role.CLIENT, limits=limits), Connection(Role.SERVER, limits=limits)
    for request_id in (2, 4):
        receive(server, client.send(request(request_id)))
    with pytest.raises(LocalProtocolError, match="outstanding=2"):
        client.send(request(6))
    assert receive(server, client.send(oneway(8))) == [oneway(8)]
    server.receive_data(encode(request(6)))
    with pytest.raises(RemoteProtocolError, match="outstanding=2") as caught:
        server.next_event()
    assert caught.value.partial == request(6)
    assert isinstance(caught.value.response, MessageError)


# --- cancel ------------------------------------------------------------------------------------------------------------


def test_a_late_reply_is_dropped() -> None:
    client = client_with_request(2)
    assert client.abandon(2, GIOP_1_1) == encode(CancelRequest(2, GIOP_1_1))
    assert client.outstanding == ()
    assert receive(client, Reply(2)) == []
    assert (client.dropped, client.state) == (1, OPEN)
    with pytest.raises(RemoteProtocolError, match="which nobody made"):
        receive(client, Reply(2))


def test_only_what_waits_can_be_abandoned() -> None:
    client = client_with_request(2)
    with pytest.raises(LocalProtocolError, match="no request 4 waits"):
        client.abandon(4)
    client.abandon(2)
    with pytest.raises(LocalProtocolError, match="no request 2 waits"):
        client.abandon(2)
    server = server_with_request(2)
    with pytest.raises(LocalProtocolError, match="no request 2 waits"):
        server.abandon(2)
    assert server.unanswered == (2,)


def test_abandon_where_nothing_can_be_sent() -> None:
    client = client_with_request(2)
    receive(client, CloseConnection())
    assert client.abandon(2) == b""
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(True, (), 0)


def test_a_cancelled_request_may_be_answered_or_not() -> None:
    server = server_with_request(2)
    receive(server, LocateRequest(4, KEY))
    assert receive(server, CancelRequest(2), CancelRequest(4)) == [CancelRequest(2), CancelRequest(4)]
    assert server.unanswered == ()
    assert server.send(Reply(2)) == encode(Reply(2))
    for late in (Reply(2), Reply(4)):
        with pytest.raises(LocalProtocolError):
            server.send(late)
    assert server.send(LocateReply(4, LocateStatus.OBJECT_HERE))


def test_cancelled_requests_are_not_kept_for_ever() -> None:
    """A server that honours CancelRequest never replies: neither end may wait for that, nor fill up with it."""
    limits = Limits(outstanding=3)
    client, server = Connection(Role.CLIENT, limits=limits), Connection(Role.SERVER, limits=limits)
    for _ in range(100):
        request_id = client.next_request_id()
        assert receive(server, client.send(request(request_id))) == [request(request_id)]
        assert receive(server, client.abandon(request_id)) == [CancelRequest(request_id)]
        assert client.outstanding == server.unanswered == ()
    assert list(client._ours.cancelled) == list(server._peers.cancelled) == [194, 196, 198], "the oldest are forgotten"
    assert receive(client, server.send(Reply(196))) == []
    with pytest.raises(LocalProtocolError):
        server.send(Reply(192))
    with pytest.raises(RemoteProtocolError, match="which nobody made"):
        receive(client, Reply(192))


def test_the_id_of_a_cancelled_request_may_come_again() -> None:
    server = server_with_request(2)
    assert receive(server, CancelRequest(2), request(2)) == [CancelRequest(2), request(2)]
    assert server.unanswered == (2,)
    server.send(Reply(2))
    with pytest.raises(LocalProtocolError):
        server.send(Reply(2))


def test_cancel_of_what_is_not_there() -> None:
    """It crossed the reply on the wire."""
    server = Connection(Role.SERVER)
    assert receive(server, CancelRequest(2), request(2)) == [CancelRequest(2), request(2)]


# --- close -------------------------------------------------------------------------------------------------------------


def test_orderly_close_by_the_server() -> None:
    client = client_with_request(2)
    assert receive(client, CloseConnection()) == [CloseConnection()]
    assert client.state is CLOSED
    with pytest.raises(LocalProtocolError, match="the connection is closed"):
        client.send(request(4))
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(True, (2,), 0)
    assert client.next_event() is NEED_DATA


def test_the_stream_ends_without_a_word() -> None:
    client = client_with_request(2)
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(False, (2,), 0)
    assert client.state is CLOSED


def test_close_by_a_client_that_still_waits_promises_nothing() -> None:
    """What the server was asked before it may have run: only the server's CloseConnection says that it has not."""
    client = client_with_request(2)
    client.send(CloseConnection())
    assert receive(client, Reply(4)) == []
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(False, (2,), 0)
    client = client_with_request(2)
    client.send(CloseConnection())
    assert receive(client, CloseConnection()) == []
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(True, (2,), 0)


def test_close_by_a_client_that_waits_for_nothing() -> None:
    client = Connection(Role.CLIENT)
    client.send(CloseConnection())
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(True, (), 0)


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1], ids=str)
def test_before_1_2_only_a_server_says_close(version: Version) -> None:
    with pytest.raises(LocalProtocolError, match="a client sends no CloseConnection"):
        Connection(Role.CLIENT).send(CloseConnection(version))
    with pytest.raises(RemoteProtocolError, match="a client sends no CloseConnection"):
        receive(Connection(Role.SERVER), CloseConnection(version))


def test_what_arrives_after_our_close_is_dropped() -> None:
    server = Connection(Role.SERVER)
    server.send(CloseConnection())
    assert receive(server, request(2), LocateRequest(4, KEY), CancelRequest(2)) == []
    assert (server.dropped, server.state, server.unanswered) == (3, CLOSING, ())
    assert receive(server, CloseConnection()) == []
    assert (server.dropped, server.state) == (4, CLOSED)


# --- fragments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_fragments_are_sent_and_received(version: Version) -> None:
    client = Connection(Role.CLIENT, fragment_size=64)
    long = request(2, operation="x" * 300, version=version)
    octets = client.send(long)
    assert octets == b"".join(split(encode(long), version, 64))
    server = Connection(Role.SERVER, fragment_size=64)
    assert receive(server, octets) == [long]
    reply = Reply(2, body=Body.of(codec(bytes), bytes(300)), version=version)
    (received,) = receive(client, server.send(reply))
    assert isinstance(received, Reply)
    assert received.body.decode(codec(bytes)) == bytes(300)


def test_what_cannot_be_fragmented_is_sent_whole() -> None:
    large = key_address(bytes(300))
    client = Connection(Role.CLIENT, fragment_size=64)
    for message in (
        LocateRequest(2, large, GIOP_1_0),
        LocateRequest(4, large, GIOP_1_1),
        request(6, target=large, version=GIOP_1_0),
    ):
        assert client.send(message) == encode(message)
    message = LocateRequest(8, large, GIOP_1_2)
    assert len(client.send(message)) > len(encode(message))


def test_fragments_too_small_to_be() -> None:
    client = Connection(Role.CLIENT, fragment_size=16)
    with pytest.raises(LocalProtocolError, match="at least 32"):
        client.send(request(2))
    assert client.outstanding == ()


def test_requests_between_the_pieces_of_another() -> None:
    first, second = request(2, operation="x" * 100), request(4)
    pieces = split(encode(first), GIOP_1_2, 64)
    assert receive(Connection(Role.SERVER), pieces[0], encode(second), *pieces[1:]) == [second, first]


def test_close_in_the_middle_of_fragments() -> None:
    client = client_with_request(2)
    pieces = split(encode(Reply(2, body=Body.of(codec(bytes), bytes(100)))), GIOP_1_2, 64)
    assert receive(client, pieces[0], CloseConnection(), *pieces[1:]) == [CloseConnection()]
    assert len(pieces) > 2
    assert client.dropped == 1, "one message, whatever pieces it came in"
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(True, (2,), 0), "its last pieces are not taken for a message cut off"


def test_both_byte_orders_on_one_connection() -> None:
    server = Connection(Role.SERVER)
    messages = [request(2, byte_order=ByteOrder.BIG), request(4, byte_order=ByteOrder.LITTLE)]
    assert receive(server, *messages) == messages


def test_reasons_name_the_message() -> None:
    with pytest.raises(RemoteProtocolError, match=re.escape("a client sends no Reply in GIOP 1.2")):
        receive(Connection(Role.SERVER), Reply(1))


# --- both ways ---------------------------------------------------------------------------------------------------------


def offer(request_id: int, *listen_points: ListenPoint, version: Version = GIOP_1_2) -> Request:
    data = SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, BiDirIIOPServiceContext(listen_points))
    return request(request_id, version=version, service_context=(ServiceContext(ServiceId.BI_DIR_IIOP, data),))


HERE = ListenPoint("client", 2809)


def both_ways() -> tuple[Connection, Connection]:
    client, server = (Connection(role, bidirectional=True) for role in Role)
    assert receive(server, client.send(offer(client.next_request_id(), HERE))) == [offer(0, HERE)]
    return client, server


def test_a_server_calls_back_on_the_connection_that_was_offered() -> None:
    client, server = both_ways()
    assert client.listen_points == server.listen_points == (HERE,)
    assert server.next_request_id() == 1
    assert receive(client, server.send(request(3))) == [request(3)]
    assert (server.outstanding, server.unanswered, client.outstanding, client.unanswered) == ((3,), (0,), (0,), (3,))
    assert receive(server, client.send(Reply(3))) == [Reply(3)]
    assert receive(client, server.send(Reply(0))) == [Reply(0)]
    assert server.outstanding == server.unanswered == client.outstanding == client.unanswered == ()


def test_the_same_id_in_both_directions_is_two_requests() -> None:
    client, server = both_ways()
    assert receive(client, server.send(request(0))) == [request(0)]
    assert receive(client, server.send(Reply(0))) == [Reply(0)]
    assert (client.outstanding, client.unanswered) == ((), (0,))
    assert receive(server, client.send(Reply(0))) == [Reply(0)]


def test_a_callback_can_be_cancelled() -> None:
    client, server = both_ways()
    receive(client, server.send(request(1)))
    assert receive(client, server.abandon(1)) == [CancelRequest(1)]
    assert client.unanswered == server.outstanding == ()
    assert receive(server, client.send(Reply(1))) == []
    assert server.dropped == 1


@pytest.mark.parametrize(("offering", "taking"), [(False, True), (True, False)])
def test_an_offer_must_be_made_and_taken(offering: bool, taking: bool) -> None:
    client, server = Connection(Role.CLIENT, bidirectional=offering), Connection(Role.SERVER, bidirectional=taking)
    receive(server, client.send(offer(0, HERE)))
    if not taking:
        with pytest.raises(LocalProtocolError, match="a server sends no Request"):
            server.send(request(1))
    if not offering:
        with pytest.raises(RemoteProtocolError, match="a server sends no Request"):
            receive(client, request(1))


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1])
def test_no_connection_goes_both_ways_before_1_2(version: Version) -> None:
    client, server = (Connection(role, bidirectional=True) for role in Role)
    receive(server, client.send(offer(0, HERE, version=version)))
    assert client.listen_points is server.listen_points is None
    with pytest.raises(LocalProtocolError, match="a server sends no Request"):
        server.send(request(1))


def test_callbacks_are_of_1_2() -> None:
    client, server = both_ways()
    with pytest.raises(LocalProtocolError, match=r"a server sends no Request in GIOP 1\.1"):
        server.send(request(1, version=GIOP_1_1))
    with pytest.raises(RemoteProtocolError, match=r"a server sends no Request in GIOP 1\.1"):
        receive(client, request(1, version=GIOP_1_1))


def test_listen_points_add_up_within_bounds() -> None:
    server = Connection(Role.SERVER, bidirectional=True, limits=Limits(service_contexts=3))
    points = [ListenPoint("client", port) for port in range(5)]
    receive(server, offer(0, *points[:2]), offer(2, points[1], points[2]))
    assert server.listen_points == tuple(points[:3])
    receive(server, offer(4, points[3]))
    assert server.listen_points == tuple(points[1:4])


def test_an_offer_that_cannot_be_read_is_not_sent() -> None:
    client = Connection(Role.CLIENT, bidirectional=True)
    broken = request(0, service_context=(ServiceContext(ServiceId.BI_DIR_IIOP, b"\0\0\0\0\xff\xff\xff\xff"),))
    with pytest.raises(EncodeError, match=r"BI_DIR_IIOP context: .*listen_points"):
        client.send(broken)
    assert client.outstanding == ()
    assert client.send(request(0))


def test_an_offer_that_cannot_be_read_breaks_the_connection() -> None:
    server = Connection(Role.SERVER, bidirectional=True)
    broken = request(0, service_context=(ServiceContext(ServiceId.BI_DIR_IIOP, b"\0\0\0\0\xff\xff\xff\xff"),))
    with pytest.raises(RemoteProtocolError, match=r"BI_DIR_IIOP context: .*listen_points"):
        receive(server, broken)
    assert server.state is ERROR


def test_what_a_client_waits_for_may_have_run_if_the_server_ends_without_a_word() -> None:
    client, server = both_ways()
    receive(client, server.send(request(1)))
    client.receive_data(b"")
    server.receive_data(b"")
    assert client.next_event() == EndOfStream(False, (0,), 0)
    assert server.next_event() == EndOfStream(False, (1,), 0)

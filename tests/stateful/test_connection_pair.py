"""Two connections against each other over streams that deliver any number of octets at any time.

Whatever both do within the rules, and however it crosses on the wire: nothing is raised, no message is lost, and each end knows
which requests got no answer, and whether they may have run.
"""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from iiop.cdr import ByteOrder, Codec, OctetArray
from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role
from iiop.exceptions.errors import LocalProtocolError
from iiop.giop.messages import (
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    Reply,
    ReplyStatus,
    Request,
    ResponseFlags,
    key_address,
)
from iiop.profile import Version
from iiop_fuzz import strategies as iiop_st

OPEN = ConnectionState.OPEN


class Wire:
    """One direction: octets on their way, and the messages they are."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.messages: deque[Message] = deque()
        self.ended = False

    def put(self, octets: bytes, message: Message) -> None:
        self.octets += octets
        self.messages.append(message)


class ConnectionPair(RuleBasedStateMachine):
    @initialize(size=st.none() | st.sampled_from([32, 64, 200]))
    def connect(self, size: int | None) -> None:
        self.client = Connection(Role.CLIENT, fragment_size=size)
        self.server = Connection(Role.SERVER, fragment_size=size)
        self.to_server, self.to_client = Wire(), Wire()
        self.waiting: dict[int, Request | LocateRequest] = {}  # what the client waits for
        self.asked: dict[int, Request | LocateRequest] = {}  # what the server may answer, cancelled or not
        self.cancelled: set[int] = set()
        self.dropped = {Role.CLIENT: 0, Role.SERVER: 0}
        self.close_sent: set[Role] = set()
        self.close_received: set[Role] = set()
        self.told: set[Role] = set()

    # --- what the client does

    def client_sends(self, message: Request | LocateRequest) -> None:
        self.to_server.put(self.client.send(message), message)
        if isinstance(message, LocateRequest) or message.response_expected:
            self.waiting[message.request_id] = message

    def client_open(self) -> bool:
        return self.client.state is OPEN and not self.to_server.ended

    @precondition(client_open)
    @rule(
        version=iiop_st.versions(),
        order=iiop_st.byte_orders(),
        flags=st.sampled_from(ResponseFlags),
        operation=iiop_st.strings(),
        size=st.integers(0, 200),
    )
    def request(self, version: Version, order: ByteOrder, flags: ResponseFlags, operation: str, size: int) -> None:
        if version < GIOP_1_2 and flags:
            flags = ResponseFlags.SYNC_WITH_TARGET
        body = Body.of(Codec(OctetArray(size)), bytes(size))
        request_id, target = self.client.next_request_id(), key_address(b"k")
        self.client_sends(Request(request_id, operation, target, flags.value, body=body, version=version, byte_order=order))

    @precondition(client_open)
    @rule(version=iiop_st.versions(), order=iiop_st.byte_orders(), key=iiop_st.object_keys())
    def locate(self, version: Version, order: ByteOrder, key: bytes) -> None:
        self.client_sends(LocateRequest(self.client.next_request_id(), key_address(key), version, order))

    @precondition(lambda self: self.waiting and not self.to_server.ended)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.waiting)))
        message = self.waiting.pop(request_id)
        octets = self.client.abandon(request_id, message.version)
        assert bool(octets) == (self.client.state is OPEN)
        self.cancelled.add(request_id)
        if octets:
            self.to_server.put(octets, CancelRequest(request_id, message.version))

    @precondition(client_open)
    @rule()
    def client_closes(self) -> None:
        message = CloseConnection(GIOP_1_2)
        self.to_server.put(self.client.send(message), message)
        assert self.client.state is ConnectionState.CLOSING
        self.close_sent.add(Role.CLIENT)

    @precondition(lambda self: not self.to_server.ended)
    @rule()
    def client_ends_its_stream(self) -> None:
        self.to_server.ended = True

    # --- what the server does

    def server_can_answer(self) -> bool:
        return bool(self.asked) and self.server.state is OPEN and not self.to_client.ended

    @precondition(server_can_answer)
    @rule(data=st.data(), size=st.integers(0, 100), status=st.sampled_from(list(ReplyStatus)))
    def answer(self, data: st.DataObject, size: int, status: ReplyStatus) -> None:
        """Answer any request, in any order."""
        asked = self.asked.pop(data.draw(st.sampled_from(sorted(self.asked))))
        body = Body.of(Codec(OctetArray(size)), bytes(size))
        message: Reply | LocateReply
        if isinstance(asked, Request):
            message = Reply(asked.request_id, status, body=body, version=asked.version, byte_order=asked.byte_order)
        else:
            message = LocateReply(asked.request_id, LocateStatus.OBJECT_HERE, body, asked.version, asked.byte_order)
        self.to_client.put(self.server.send(message), message)
        with pytest.raises(LocalProtocolError):
            self.server.send(message)

    @precondition(lambda self: self.server.state is OPEN and not self.to_client.ended)
    @rule(version=iiop_st.versions())
    def server_closes(self, version: Version) -> None:
        message = CloseConnection(version)
        self.to_client.put(self.server.send(message), message)
        assert self.server.state is ConnectionState.CLOSING
        self.close_sent.add(Role.SERVER)

    @precondition(lambda self: not self.to_client.ended)
    @rule()
    def server_ends_its_stream(self) -> None:
        self.to_client.ended = True

    # --- what the network does

    @rule(count=st.integers(1, 400))
    def deliver_to_server(self, count: int) -> None:
        self.deliver(self.server, self.to_server, count)

    @rule(count=st.integers(1, 400))
    def deliver_to_client(self, count: int) -> None:
        self.deliver(self.client, self.to_client, count)

    def deliver(self, connection: Connection, wire: Wire, count: int) -> None:
        octets = bytes(wire.octets[:count])
        if not octets and not wire.ended:
            return
        del wire.octets[:count]
        connection.receive_data(octets)
        while True:
            state, dropped = connection.state, connection.dropped
            event = connection.next_event()
            for _ in range(connection.dropped - dropped):
                self.was_dropped(connection, state, wire.messages.popleft())
            if event is NEED_DATA:
                return
            if isinstance(event, EndOfStream):
                self.ended(connection, wire, event)
            else:
                expected = wire.messages.popleft()
                assert event == expected
                self.understood(connection, event)

    def was_dropped(self, connection: Connection, state: ConnectionState, message: Message) -> None:
        self.dropped[connection.role] += 1
        if state is OPEN:
            assert isinstance(message, Reply | LocateReply)
            assert message.request_id in self.cancelled
        elif isinstance(message, CloseConnection):
            assert state is ConnectionState.CLOSING
            self.close_received.add(connection.role)

    def understood(self, connection: Connection, event: Event) -> None:
        if isinstance(event, CloseConnection):
            assert connection.state is ConnectionState.CLOSED
            self.close_received.add(connection.role)
        elif isinstance(event, LocateRequest) or (isinstance(event, Request) and event.response_expected):
            self.asked[event.request_id] = event
        elif isinstance(event, Reply | LocateReply):
            asked = self.waiting.pop(event.request_id)
            assert isinstance(asked, Request) == isinstance(event, Reply)

    def ended(self, connection: Connection, wire: Wire, event: EndOfStream) -> None:
        assert not wire.octets
        assert not wire.messages
        assert event.truncated == 0
        assert connection.state is ConnectionState.CLOSED
        role = connection.role
        assert role not in self.told
        assert event.unanswered == (tuple(self.waiting) if role is Role.CLIENT else ())
        assert event.orderly == (role in self.close_received or (role in self.close_sent and not event.unanswered))
        self.told.add(role)

    @invariant()
    def each_end_knows_what_waits(self) -> None:
        if not hasattr(self, "client"):
            return
        assert set(self.client.outstanding) == set(self.waiting)
        assert set(self.server.outstanding) <= set(self.asked)
        assert set(self.asked) - set(self.server.outstanding) <= self.cancelled
        assert self.client.dropped == self.dropped[Role.CLIENT]
        assert self.server.dropped == self.dropped[Role.SERVER]
        assert ConnectionState.ERROR not in (self.client.state, self.server.state)

    def teardown(self) -> None:
        """Let everything arrive: no message is lost, and each end is told once that it is over."""
        if not hasattr(self, "client"):
            return
        for connection, wire in ((self.server, self.to_server), (self.client, self.to_client)):
            wire.ended = True
            for _ in range(2):
                self.deliver(connection, wire, len(wire.octets) or 1)
            assert not wire.messages
        self.each_end_knows_what_waits()
        assert len(self.told) == 2


TestConnectionPair = ConnectionPair.TestCase
TestConnectionPair.settings = settings(max_examples=150, stateful_step_count=40)

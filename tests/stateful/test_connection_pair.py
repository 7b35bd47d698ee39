"""Two connections against each other over streams that deliver any number of octets at any time.

Whatever both do within the rules, and however it crosses on the wire: nothing is raised, no message is lost, and each end knows
which requests got no answer, and whether they may have run. Half of the connections go both ways from the first request on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

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
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.profile import BiDirIIOPServiceContext, ListenPoint, Version
from iiop_fuzz import strategies as iiop_st

OPEN = ConnectionState.OPEN


@dataclass
class End:
    """One end, what is on its way to the other, and what it should know.

    Attributes:
        waiting: its requests that wait for a reply.
        asked: requests of the other that it may answer, cancelled or not.
        cancelled: ids of its requests that were.
    """

    connection: Connection
    octets: bytearray = field(default_factory=bytearray)
    messages: deque[Message] = field(default_factory=deque)
    ended: bool = False
    waiting: dict[int, Request | LocateRequest] = field(default_factory=dict)
    asked: dict[int, Request | LocateRequest] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    dropped: int = 0
    close_sent: bool = False
    close_received: bool = False
    told: bool = False

    @property
    def can_send(self) -> bool:
        return self.connection.state is OPEN and not self.ended

    @property
    def may_ask(self) -> bool:
        return self.can_send and (self.connection.role is Role.CLIENT or self.connection.listen_points is not None)

    def send(self, message: Message) -> None:
        self.octets += self.connection.send(message)
        self.messages.append(message)

    def ask(self, message: Request | LocateRequest) -> None:
        self.send(message)
        if isinstance(message, LocateRequest) or message.response_expected:
            self.waiting[message.request_id] = message


class ConnectionPair(RuleBasedStateMachine):
    @initialize(size=st.none() | st.sampled_from([32, 64, 200]), both_ways=st.booleans())
    def connect(self, size: int | None, both_ways: bool) -> None:
        self.client = End(Connection(Role.CLIENT, fragment_size=size, bidirectional=both_ways))
        self.server = End(Connection(Role.SERVER, fragment_size=size, bidirectional=both_ways))
        if both_ways:
            offer = BiDirIIOPServiceContext((ListenPoint("client", 1),))
            context = ServiceContext(ServiceId.BI_DIR_IIOP, SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, offer))
            request_id = self.client.connection.next_request_id()
            self.client.ask(Request(request_id, "offer", key_address(b"k"), service_context=(context,)))

    @property
    def ends(self) -> tuple[End, End]:
        return (self.client, self.server)

    def pick(self, data: st.DataObject, condition: Callable[[End], object]) -> End:
        return data.draw(st.sampled_from([end for end in self.ends if condition(end)]))

    # --- what an end does

    @precondition(lambda self: any(end.may_ask for end in self.ends))
    @rule(
        data=st.data(),
        version=iiop_st.versions(),
        order=iiop_st.byte_orders(),
        flags=st.sampled_from(ResponseFlags),
        operation=iiop_st.strings(),
        size=st.integers(0, 200),
    )
    def request(
        self, data: st.DataObject, version: Version, order: ByteOrder, flags: ResponseFlags, operation: str, size: int
    ) -> None:
        end = self.pick(data, lambda end: end.may_ask)
        if end is self.server:
            version = GIOP_1_2
        if version < GIOP_1_2 and flags:
            flags = ResponseFlags.SYNC_WITH_TARGET
        body = Body.of(Codec(OctetArray(size)), bytes(size))
        request_id, target = end.connection.next_request_id(), key_address(b"k")
        end.ask(Request(request_id, operation, target, flags.value, body=body, version=version, byte_order=order))

    @precondition(lambda self: any(end.may_ask for end in self.ends))
    @rule(data=st.data(), version=iiop_st.versions(), order=iiop_st.byte_orders(), key=iiop_st.object_keys())
    def locate(self, data: st.DataObject, version: Version, order: ByteOrder, key: bytes) -> None:
        end = self.pick(data, lambda end: end.may_ask)
        version = GIOP_1_2 if end is self.server else version
        end.ask(LocateRequest(end.connection.next_request_id(), key_address(key), version, order))

    @precondition(lambda self: any(end.waiting and not end.ended for end in self.ends))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        end = self.pick(data, lambda end: end.waiting and not end.ended)
        request_id = data.draw(st.sampled_from(sorted(end.waiting)))
        message = end.waiting.pop(request_id)
        octets = end.connection.abandon(request_id, message.version)
        assert bool(octets) == (end.connection.state is OPEN)
        end.cancelled.add(request_id)
        if octets:
            end.octets += octets
            end.messages.append(CancelRequest(request_id, message.version))

    @precondition(lambda self: any(end.asked and end.can_send for end in self.ends))
    @rule(data=st.data(), size=st.integers(0, 100), status=st.sampled_from(list(ReplyStatus)))
    def answer(self, data: st.DataObject, size: int, status: ReplyStatus) -> None:
        """Answer any request, in any order."""
        end = self.pick(data, lambda end: end.asked and end.can_send)
        asked = end.asked.pop(data.draw(st.sampled_from(sorted(end.asked))))
        body = Body.of(Codec(OctetArray(size)), bytes(size))
        message: Reply | LocateReply
        if isinstance(asked, Request):
            message = Reply(asked.request_id, status, body=body, version=asked.version, byte_order=asked.byte_order)
        else:
            message = LocateReply(asked.request_id, LocateStatus.OBJECT_HERE, body, asked.version, asked.byte_order)
        end.send(message)
        with pytest.raises(LocalProtocolError):
            end.connection.send(message)

    @precondition(lambda self: any(end.can_send for end in self.ends))
    @rule(data=st.data(), version=iiop_st.versions())
    def close(self, data: st.DataObject, version: Version) -> None:
        end = self.pick(data, lambda end: end.can_send)
        end.send(CloseConnection(GIOP_1_2 if end is self.client else version))
        assert end.connection.state is ConnectionState.CLOSING
        end.close_sent = True

    @precondition(lambda self: not all(end.ended for end in self.ends))
    @rule(data=st.data())
    def end_the_stream(self, data: st.DataObject) -> None:
        self.pick(data, lambda end: not end.ended).ended = True

    # --- what the network does

    @rule(count=st.integers(1, 400))
    def deliver_to_server(self, count: int) -> None:
        self.deliver(self.client, self.server, count)

    @rule(count=st.integers(1, 400))
    def deliver_to_client(self, count: int) -> None:
        self.deliver(self.server, self.client, count)

    def deliver(self, sender: End, receiver: End, count: int) -> None:
        octets = bytes(sender.octets[:count])
        if not octets and not sender.ended:
            return
        del sender.octets[:count]
        connection = receiver.connection
        connection.receive_data(octets)
        while True:
            state, dropped = connection.state, connection.dropped
            event = connection.next_event()
            for _ in range(connection.dropped - dropped):
                self.was_dropped(receiver, state, sender.messages.popleft())
            if event is NEED_DATA:
                return
            if isinstance(event, EndOfStream):
                self.was_told(sender, receiver, event)
            else:
                expected = sender.messages.popleft()
                assert event == expected
                self.understood(receiver, event)

    def was_dropped(self, end: End, state: ConnectionState, message: Message) -> None:
        end.dropped += 1
        if state is OPEN:
            assert isinstance(message, Reply | LocateReply)
            assert message.request_id in end.cancelled
        elif isinstance(message, CloseConnection):
            assert state is ConnectionState.CLOSING
            end.close_received = True

    def understood(self, end: End, event: Event) -> None:
        if isinstance(event, CloseConnection):
            assert end.connection.state is ConnectionState.CLOSED
            end.close_received = True
        elif isinstance(event, LocateRequest) or (isinstance(event, Request) and event.response_expected):
            end.asked[event.request_id] = event
        elif isinstance(event, Reply | LocateReply):
            asked = end.waiting.pop(event.request_id)
            assert isinstance(asked, Request) == isinstance(event, Reply)

    def was_told(self, sender: End, end: End, event: EndOfStream) -> None:
        assert not sender.octets
        assert not sender.messages
        assert event.truncated == 0
        assert end.connection.state is ConnectionState.CLOSED
        assert not end.told
        assert event.unanswered == tuple(end.waiting)
        assert event.orderly == (end.close_received or (end.close_sent and not event.unanswered))
        end.told = True

    @invariant()
    def each_end_knows_what_waits(self) -> None:
        if not hasattr(self, "client"):
            return
        for end, other in (self.ends, self.ends[::-1]):
            assert set(end.connection.outstanding) == set(end.waiting)
            assert set(end.connection.unanswered) <= set(end.asked)
            assert set(end.asked) - set(end.connection.unanswered) <= other.cancelled
            assert end.connection.dropped == end.dropped
            assert end.connection.state is not ConnectionState.ERROR

    def teardown(self) -> None:
        """Let everything arrive: no message is lost, and each end is told once that it is over."""
        if not hasattr(self, "client"):
            return
        for sender, receiver in (self.ends, self.ends[::-1]):
            sender.ended = True
            for _ in range(2):
                self.deliver(sender, receiver, len(sender.octets) or 1)
            assert not sender.messages
        self.each_end_knows_what_waits()
        assert all(end.told for end in self.ends)


TestConnectionPair = ConnectionPair.TestCase
TestConnectionPair.settings = settings(max_examples=150, stateful_step_count=40)

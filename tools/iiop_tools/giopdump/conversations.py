"""Conversations: packets in, messages out, each with the request that it answers.

A connection is one that GIOP was seen on, whatever its port; it is numbered when that happens. Who connected is its client, or,
where that was not captured, who asks first. Requests go both ways where a connection is bidirectional. It must not know how
messages are shown.

Invariants: at most `FLOWS` connections are remembered, those that were used last, fewer where more than `HELD` octets are kept
for what is not whole; of each at most `Limits.outstanding` requests that wait for their reply, and where all of them weigh more
than `UNANSWERED`, one.

Source: CORBA 3.3 part 2, clause 9.4 "GIOP Message Formats", 7.10.2.5 "GIOP Code Set Service Context".
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from iiop.cdr.code_sets import ISO_8859_1, Negotiated
from iiop.cdr.speech import PLAIN, Speech, server_speeches
from iiop.exceptions.errors import DecodeError
from iiop.giop.messages import EMPTY, LocateReply, LocateRequest, Message, Reply, Request
from iiop.giop.wire import decode_whole
from iiop.idl import Operation
from iiop.iop import SERVICE_CONTEXTS, ServiceId
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools.giopdump.cutting import Cut, Cutter
from iiop_tools.giopdump.packets import ACK, FIN, RST, SYN, Segment, ends, reversed_flow
from iiop_tools.giopdump.streams import Piece, Stream

__all__ = ["FLOWS", "UNANSWERED", "Connection", "Conversations", "Seen"]

FLOWS = 16_384
HELD = UNANSWERED = 128 * 1024 * 1024
SHORT = 4096
"""Octets of a message that may be kept until its reply comes."""


class Connection:
    """Know one connection.

    Attributes:
        number: counted from 1; 0 as long as no GIOP was seen.
        client, server: `host:port`.
    """

    __slots__ = ("client", "closed", "ends_known", "last", "number", "server", "sides", "speeches")

    def __init__(self, flow: bytes, limits: Limits) -> None:
        self.number = 0
        self.sides = (_Side(self, flow, limits), _Side(self, reversed_flow(flow), limits))
        self.client, self.server = ends(flow)
        self.ends_known = False
        self.speeches: tuple[Speech, Speech, Speech] = (PLAIN, PLAIN, PLAIN)
        self.closed = False
        self.last = 0

    def turn(self) -> None:
        """Take the server for the client, and the client for the server."""
        self.sides = self.sides[::-1]
        self.client, self.server = self.server, self.client


class _Side:
    """Hold what one end of a connection sends."""

    __slots__ = ("connection", "cutter", "ended", "first", "flow", "held", "stream", "unanswered")

    def __init__(self, connection: Connection, flow: bytes, limits: Limits) -> None:
        self.connection = connection
        self.flow = flow
        self.first: int | None = None
        """Sequence number of the first octet, if its SYN was seen."""
        self.stream = Stream()
        self.cutter = Cutter(limits)
        self.ended = False
        self.held = 0
        """Octets kept for what is not whole."""
        self.unanswered: dict[int, Seen] = {}
        """Its requests that wait for their reply, by id."""

    def begins(self, sequence: int) -> None:
        """Take the sequence number of its SYN."""
        self.first = self.stream.expected = sequence + 1 & 0xFFFFFFFF

    @property
    def is_client(self) -> bool:
        return self.connection.sides[0] is self

    @property
    def other(self) -> _Side:
        first, second = self.connection.sides
        return second if first is self else first


@dataclass(slots=True, eq=False)
class Seen:
    """Hold one message as it was seen.

    Attributes:
        number: counted from 1.
        connection: it was sent on.
        by_client: who sent it.
        cut: its octets, header and times.
        message: what they say; None if they cannot be read.
        request: what it answers, if it is an answer and that was seen.
        problem: why it is not whole, or cannot be read; empty if nothing is wrong.
        operation: the declaration that a request was read by, set by who reads it.
        weight: about how many octets in memory it is, after `shrink`, while it waits for its reply.
    """

    number: int
    connection: Connection
    by_client: bool
    cut: Cut
    message: Message | None
    request: Seen | None
    problem: str
    operation: Operation | None = None
    weight: int = 0

    @property
    def latency(self) -> int | None:
        """Return nanoseconds from the first octet of the request to the last one of the reply."""
        return None if self.request is None else self.cut.ended - self.request.cut.began

    def shrink(self) -> None:
        """Keep no more of it than its reply needs, so that large requests that wait for theirs take little memory."""
        if self.cut.size > SHORT:
            self.cut = self.cut._replace(octets=b"")
            if isinstance(self.message, Request):
                self.message = replace(self.message, body=EMPTY, service_context=())


class Conversations:
    """Follow every connection in a capture.

    Args:
        limits: on what a message may cost.

    Attributes:
        connections: how many spoke GIOP.
        messages: how many there were, incomplete and lost ones too.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._sides: dict[bytes, _Side] = {}
        self.connections = 0
        self.messages = 0
        self._last = 0
        self._held = 0
        self._unanswered = 0
        """Weight of all requests that wait for their reply."""

    def add(self, at: int, segment: Segment) -> list[Seen]:
        """Take a segment that was captured at a time, in nanoseconds; return the messages that have become whole."""
        flow, sequence, acknowledged, flags, octets, missing = segment
        self._last = at
        side = self._sides.get(flow)
        found: list[Seen] = []
        if side is None or flags & SYN or (side.connection.closed and (octets or missing)):
            side = self._opened(found, side, segment)
            if side is None or side.connection.closed:
                return found
        side.connection.last = at
        other = side.other
        if other.stream.waiting and flags & ACK:
            self._pieces(found, other, other.stream.acknowledge(acknowledged))
        if flags & SYN:
            sequence += 1
        if octets or missing:
            stream = side.stream
            if sequence == stream.expected and not (stream.waiting or missing):  # as nearly always
                stream.expected = sequence + len(octets) & 0xFFFFFFFF
                whole = side.cutter.whole(at, octets)
                if whole is not None:
                    found.append(self._understood(side, whole))
                else:
                    self._pieces(found, side, [Piece(at, octets, 0, 0)])
            else:
                self._pieces(found, side, stream.add(at, sequence, octets, missing))
            if self._held > HELD:
                self._forget(found)
        if flags & (FIN | RST):
            side.ended = True
            if flags & RST or other.ended:
                self._close(found, side.connection)
        return found

    def finish(self) -> Iterator[Seen]:
        """Take that the capture ends here; return what there is of messages that are not whole."""
        for side in list(self._sides.values()):
            found: list[Seen] = []
            self._close(found, side.connection)
            yield from found

    def _opened(self, found: list[Seen], known: _Side | None, segment: Segment) -> _Side | None:
        """Return the side of a segment that may begin a connection; None if it says nothing."""
        flow, sequence, _, flags, octets, missing = segment
        if known is not None and not self._is_new(known, segment):
            return known
        if not (flags & SYN or octets or missing):
            return None
        if known is not None:
            self._close(found, known.connection)
        elif len(self._sides) >= 2 * FLOWS:
            self._forget(found)
        connection = Connection(flow, self._limits)
        for each in connection.sides:
            self._sides[each.flow] = each
        side = connection.sides[0]
        if flags & SYN:
            side.begins(sequence)
            connection.ends_known = True
            if flags & ACK:
                connection.turn()
        return side

    @staticmethod
    def _is_new(known: _Side, segment: Segment) -> bool:
        """Tell whether a segment with SYN, or of a connection that has ended, is not one that came again."""
        expected = known.stream.expected
        if segment.flags & SYN:
            if expected is None:
                known.begins(segment.sequence)
            return known.first != segment.sequence + 1 & 0xFFFFFFFF
        return expected is None or segment.sequence - expected & 0xFFFFFFFF < 0x80000000

    def _forget(self, found: list[Seen]) -> None:
        """Drop the half of the connections that were used longest ago."""
        all_of_them = sorted({side.connection for side in self._sides.values()}, key=lambda connection: connection.last)
        for connection in all_of_them[: len(all_of_them) // 2]:
            self._close(found, connection)
            for side in connection.sides:
                del self._sides[side.flow]

    def _close(self, found: list[Seen], connection: Connection) -> None:
        if connection.closed:
            return
        connection.closed = True
        for side in connection.sides:
            self._pieces(found, side, side.stream.finish())
            for cut in side.cutter.finish(self._last):
                found.append(self._understood(side, cut))
            self._held -= side.held
            side.held = 0
        for side in connection.sides:
            self._unanswered -= sum([each.weight for each in side.unanswered.values()])
            side.unanswered.clear()

    def _pieces(self, found: list[Seen], side: _Side, pieces: list[Piece]) -> None:
        for piece in pieces:
            if not side.connection.number and not piece.octets:
                continue
            for cut in side.cutter.add(piece):
                if cut.header is not None or side.connection.number:
                    found.append(self._understood(side, cut))
        held = side.stream.waiting_octets + side.cutter.held
        self._held += held - side.held
        side.held = held

    def _understood(self, side: _Side, cut: Cut) -> Seen:
        """Return a message with what it says, and with what it answers."""
        connection = side.connection
        if not connection.number:
            self.connections += 1
            connection.number = self.connections
        self.messages += 1
        message: Any = None
        problem, header = cut.problem, cut.header
        if header is not None:
            try:
                message = decode_whole(header._replace(more_fragments=False) if problem else header, cut.octets, self._limits)
            except DecodeError as error:
                problem = problem or f"{header.message_type.name} header: {error}"
        kind = type(message)
        if not connection.ends_known and message is not None:
            connection.ends_known = True
            if side.is_client is (kind in (Reply, LocateReply)):
                connection.turn()
        seen = Seen(self.messages, connection, connection.sides[0] is side, cut, message, None, problem)
        if kind is Request:
            if message.service_context and message.version.minor:
                _hear(connection, message)
            message.body.speech = connection.speeches[message.version.minor]
            if message.response_flags & 1:
                self._await(side.unanswered, seen)
        elif kind is Reply or kind is LocateReply:
            message.body.speech = connection.speeches[message.version.minor]
            seen.request = request = side.other.unanswered.pop(message.request_id, None)
            if request is not None:
                self._unanswered -= request.weight
        elif kind is LocateRequest:
            self._await(side.unanswered, seen)
        return seen

    def _await(self, unanswered: dict[int, Seen], seen: Seen) -> None:
        """Keep a request until its reply comes; give up those of its connection that wait longest for theirs, if need be."""
        message: Any = seen.message
        size = seen.cut.size
        if size > SHORT:
            key = message.target.value
            size = (len(key) if isinstance(key, bytes) else size) + len(getattr(message, "operation", ""))
        seen.weight = 1024 + 2 * size
        self._unanswered += seen.weight
        known = unanswered.pop(message.request_id, None)
        if known is not None:
            self._unanswered -= known.weight
        while unanswered and (self._unanswered > UNANSWERED or len(unanswered) >= self._limits.outstanding):
            self._unanswered -= unanswered.pop(next(iter(unanswered))).weight
        unanswered[message.request_id] = seen


def _hear(connection: Connection, request: Request) -> None:
    """Note which code sets a client has chosen."""
    for context in request.service_context:
        if context.context_id == ServiceId.CodeSets:
            connection.speeches = _chosen(context.context_data)


@functools.lru_cache(maxsize=64)
def _chosen(octets: bytes) -> tuple[Speech, Speech, Speech]:
    try:
        said = SERVICE_CONTEXTS.decode(ServiceId.CodeSets, octets)
    except DecodeError:
        return PLAIN, PLAIN, PLAIN
    return server_speeches(Negotiated(said.char_data or ISO_8859_1, said.wchar_data))

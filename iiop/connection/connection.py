"""The sans-IO connection: it cuts, reassembles and checks messages, and says what they mean for the connection.

It knows the rules of GIOP between two ends; it must not know sockets, time, objects or operations. `receive_data` only keeps
octets; `next_event` decodes one message and raises nothing but `RemoteProtocolError`; `send` returns octets and raises
`LocalProtocolError` or `EncodeError` if asked for what cannot be sent. After an error the connection stays in state ERROR.

Both ends may send requests once a client has offered that by a BI_DIR_IIOP context and the server takes the offer (GIOP 1.2;
CORBA 3.3 part 2, clause 9.8 "Bi-Directional GIOP").

Invariants: a request id is outstanding at most once in each direction; whatever arrives after we said CloseConnection is dropped
and counted; what is kept of the peer's octets is bounded by `Limits`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, get_args

from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import Speech
from iiop.connection.agreement import Agreement
from iiop.connection.inbox import FEW, Inbox
from iiop.connection.pending import Pending, answered_by, expects_reply
from iiop.connection.prepared import PLAIN_REPLIES, PLAIN_REPLY_SIZE, PreparedRequest
from iiop.connection.standing import StandingAnswers
from iiop.connection.states import TRANSITIONS, ConnectionState, Role, Trigger, sendable
from iiop.exceptions.errors import DecodeError, EncodeError, LocalProtocolError, RemoteProtocolError
from iiop.giop.fragments import FRAGMENTABLE, Reassembler, split
from iiop.giop.header import HEADER_SIZE, Header, cut_header
from iiop.giop.messages import (
    GIOP_1_2,
    NATIVE,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    Message,
    MessageError,
    MessageType,
    Reply,
    Request,
)
from iiop.giop.wire import decode_whole, encode
from iiop.iop import SERVICE_CONTEXTS, ServiceId
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import CODE_SETS_OF_SERVERS, BiDirIIOPServiceContext, CodeSetComponentInfo, ListenPoint, Version

__all__ = ["NEED_DATA", "Connection", "EndOfStream", "Event", "NeedData"]


class NeedData(enum.Enum):
    """Say that no whole message has arrived yet."""

    NEED_DATA = "need data"


NEED_DATA = NeedData.NEED_DATA


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """Tell that the peer has ended the stream.

    Attributes:
        orderly: the peer had sent CloseConnection, so that `unanswered` requests have not run, or we had and none was waiting.
        unanswered: ids of our requests that got no reply.
        truncated: octets of a message that did not become whole.
    """

    orderly: bool
    unanswered: tuple[int, ...]
    truncated: int


Event = Message | EndOfStream | NeedData

_OPEN, _REQUEST = ConnectionState.OPEN, MessageType.Request

_KINDS = {cls: MessageType[cls.__name__] for cls in get_args(Message)}


class Connection:
    """Speak GIOP with one peer.

    Attributes:
        state: see `ConnectionState`.
        dropped: messages that arrived too late to mean anything: replies to abandoned requests, anything behind CloseConnection.

        listen_points: where the client says that it listens, so that a server finds the connection to call back on, the
            last `Limits.service_contexts` of them; None as long as only the client may send requests.

    A cancelled request is not outstanding any more, at either end; a reply may come, or be sent, but need not. At most
    `Limits.outstanding` of them are remembered, the oldest is forgotten first.
    """

    def __init__(
        self,
        role: Role,
        *,
        limits: Limits = DEFAULT_LIMITS,
        fragment_size: int | None = None,
        bidirectional: bool = False,
        agreed: Negotiated | None = None,
        code_sets: CodeSetComponentInfo = CODE_SETS_OF_SERVERS,
        standing: StandingAnswers | None = None,
    ) -> None:
        """Start a connection in state OPEN.

        Args:
            role: which end we are.
            limits: what the peer may make us keep.
            fragment_size: octets from which on messages of GIOP 1.1 and 1.2 are sent in fragments; None sends them whole.
            bidirectional: as a client, a request sent with a BI_DIR_IIOP context lets the server send requests too; as a server,
                such an offer is taken.
            agreed: of a client: the code sets to speak, as `iiop.cdr.code_sets.negotiate` says; None where the reference has no
                TAG_CODE_SETS.
            code_sets: of a server: those it has; a client may also choose ISO 8859-1, UTF-8, and for wchar UTF-16.
            standing: of a server: what `recall` answers with; None lets it answer nothing.
        """
        self.role = role
        self.state = ConnectionState.OPEN
        self.dropped = 0
        self._may_send = sendable(role)
        self._may_receive = sendable(role.peer)
        self._limits = limits
        self._fragment_size = fragment_size
        self._inbox = Inbox()
        self._header: Header | None = None
        self._ended = False
        self._end_told = False
        self._reassembler = Reassembler(limits)
        self._close_sent = False
        self._close_received = False
        self._next_id = 0 if role is Role.CLIENT else 1
        self._ours = Pending(limits.outstanding)
        self._peers = Pending(limits.outstanding)
        self._may_open = bidirectional
        self._standing = standing
        self._just_requests = role is Role.CLIENT and fragment_size is None and not bidirectional
        self._agreement = Agreement(role, agreed, code_sets)
        self.listen_points: tuple[ListenPoint, ...] | None = None

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Return the ids of our requests that wait for their reply."""
        return tuple(self._ours.waiting)

    @property
    def unanswered(self) -> tuple[int, ...]:
        """Return the ids of the peer's requests that wait for ours."""
        return tuple(self._peers.waiting)

    @property
    def unfinished(self) -> int:
        """Return the octets kept of messages that are not whole yet, or not looked at."""
        return self._inbox.size + self._reassembler.pending_octets

    def speech(self, version: Version) -> Speech:
        """Return how messages of a version of GIOP carry characters, for `Body.of`."""
        return self._agreement.speech(version)

    def offer(self, listen_points: tuple[ListenPoint, ...]) -> None:
        """Let the server send requests too, as a client: requests of GIOP 1.2 tell it so until it has answered one.

        Args:
            listen_points: what references to objects of ours name as their address.
        """
        self._may_open = True
        self._agreement.offer(BiDirIIOPServiceContext(listen_points))

    def next_request_id(self) -> int:
        """Return an id that no outstanding request of ours has: a client's are even, a server's odd."""
        while True:
            request_id = self._next_id
            self._next_id = (self._next_id + 2) & 0xFFFFFFFF
            if request_id not in self._ours:
                return request_id

    @property
    def has_unread(self) -> bool:
        """Tell whether `next_event` has anything to look at."""
        return self._inbox.size > 0 or self._ended

    @property
    def wanting(self) -> int:
        """Return how many octets the message that has begun to arrive still lacks, as far as is known."""
        return 0 if self._header is None else self._header.size - self._inbox.size

    def receive_data(self, data: bytes) -> None:
        """Keep octets that arrived; no octets mean that the peer ended the stream."""
        if not data:
            self._ended = True
        else:
            self._inbox.add(bytes(data))

    def recall(self, data: bytes) -> bytes | None:
        """Return the octets that answer octets which arrived, if these are one request to which the answer stands.

        Otherwise None, and nothing has changed: give them to `receive_data`. So too where anything else is under way.
        """
        if (
            self._standing is None
            or self._inbox.size
            or self._ended
            or self._peers.waiting
            or self._peers.cancelled
            or self.state is not ConnectionState.OPEN
        ):
            return None
        return self._standing.answer(data, self._agreement.speeches)

    def next_event(self) -> Event:
        """Return the next message, NEED_DATA, or, once, the end of the stream.

        Raises:
            RemoteProtocolError: the peer broke GIOP. Send `error.response`, if there is one, and close.
        """
        while True:
            if self.state is ConnectionState.ERROR:
                self._inbox.clear()
            octets = self._next_octets()
            if octets is None:
                return self._end() if self._ended and not self._end_told else NEED_DATA
            header, whole = octets
            event = self._understand(header, whole)
            if event is not None:
                return event

    def send(self, message: Message) -> bytes:
        """Return the octets that say `message`.

        Raises:
            LocalProtocolError: this end may not send it now; nothing has changed.
            EncodeError: a member does not fit its type; nothing has changed.
        """
        kind = _KINDS[type(message)]
        version = message.version
        if self.state is not ConnectionState.OPEN and not (
            kind is MessageType.MessageError and self.state is ConnectionState.ERROR
        ):
            raise LocalProtocolError(f"{kind.name} cannot be sent: the connection is {self.state.value}")
        if version.major != 1 or version.minor > 2 or not self._may_send[version.minor][kind]:
            raise LocalProtocolError(f"a {self.role.value} sends no {kind.name} in GIOP {version}")
        expects_answer = False
        if isinstance(message, Request):
            message = self._agreement.announced(message)
        if isinstance(message, (Reply, LocateReply)):
            self._check_answer(message)
        elif isinstance(message, (Request, LocateRequest)):
            expects_answer = expects_reply(message)
            if message.request_id in self._ours:
                raise LocalProtocolError(f"request id {message.request_id} is still waiting for its reply")
            if expects_answer and self._ours.full:
                raise LocalProtocolError(f"more requests waiting than the limit outstanding={self._limits.outstanding}")
        try:
            offered = self._offered(message) if self._may_open and self.role is Role.CLIENT else None
        except DecodeError as error:
            raise EncodeError(f"BI_DIR_IIOP context: {error}", path="service_context") from error
        octets = encode(message)
        if self._fragment_size is not None and kind in FRAGMENTABLE[message.version]:
            octets = b"".join(split(octets, message.version, self._fragment_size))
        if offered is not None:
            self._open_both_ways(offered)
        if expects_answer:
            assert isinstance(message, (Request, LocateRequest))
            self._ours.add(message)
        elif isinstance(message, (Reply, LocateReply)):
            self._peers.settle(message.request_id)
        elif isinstance(message, CloseConnection):
            self._close_sent = True
            self._move(Trigger.CLOSE_SENT)
        elif isinstance(message, MessageError):
            self._move(Trigger.ERROR_SENT)
        return octets

    def call(self, prepared: PreparedRequest, arguments: Any) -> tuple[int, bytes | bytearray]:
        """Return the id of a new request and the octets that say it, as `send` does.

        Raises:
            LocalProtocolError, EncodeError: as `send`.
        """
        request_id, ours = self._next_id, self._ours
        if (
            not self._just_requests
            or self.state is not _OPEN
            or self._agreement.announces
            or request_id in ours.waiting
            or request_id in ours.cancelled
            or len(ours.waiting) >= ours.most
        ):
            speech = self.speech(prepared.version) if self.role is Role.SERVER else None
            request = prepared.request(self.next_request_id(), arguments, speech)
            return request.request_id, self.send(request)
        octets = prepared.octets(request_id, arguments)
        self._next_id = (request_id + 2) & 0xFFFFFFFF
        if prepared.response_expected:
            ours.waiting[request_id] = _REQUEST
        return request_id, octets

    def answers(self, data: bytes) -> list[tuple[int, Body]]:
        """Keep octets that arrived; return the ids and bodies of the plain replies that they are, in order.

        As `receive_data` and then `next_event`, for replies that say NO_EXCEPTION without a service context. What does not begin
        with these is kept for `next_event`.
        """
        if kept := self._inbox.size:
            if kept > FEW or not data:
                self.receive_data(data)
                return []
            data, self._header = self._inbox.cut(kept) + data, None
        found: list[tuple[int, Body]] = []
        at, end = 0, len(data)
        while end - at >= PLAIN_REPLY_SIZE and self.state is _OPEN:
            plain = PLAIN_REPLIES.get(data[at : at + 8])
            if plain is None:
                break
            order, minor, id_at, rest, read = plain
            size, request_id = read(data, at + 8)
            size += HEADER_SIZE
            if (
                not PLAIN_REPLY_SIZE <= size <= end - at
                or data[at + HEADER_SIZE : at + id_at] + data[at + id_at + 4 : at + PLAIN_REPLY_SIZE] != rest
                or self._ours.waiting.get(request_id) is not _REQUEST
                or size > self._limits.message_size
            ):
                break
            del self._ours.waiting[request_id]
            if minor:
                self._agreement.announces = False
            body = Body(data if size == end else data[at : at + size], PLAIN_REPLY_SIZE, order)
            body.speech = self._agreement.speeches[minor]
            found.append((request_id, body))
            at += size
        if at < end or not data:
            self.receive_data(data[at:])
        return found

    def abandon(self, request_id: int, version: Version = GIOP_1_2) -> bytes:
        """Stop waiting for a reply; return the CancelRequest to send, empty if the connection is no longer open.

        The reply, should it come, is dropped and counted, and the id is not used again before.

        Raises:
            LocalProtocolError: no such request waits.
        """
        if request_id not in self._ours.waiting:
            raise LocalProtocolError(f"no request {request_id} waits for a reply")
        self._ours.cancel(request_id)
        if self.state is not ConnectionState.OPEN:
            return b""
        return self.send(CancelRequest(request_id, version, NATIVE))

    def _next_octets(self) -> tuple[Header, bytes] | None:
        """Cut the next message, or fragment of one, off the buffer."""
        inbox = self._inbox
        if self._header is None:
            if inbox.size < HEADER_SIZE:
                return None
            try:
                self._header = cut_header(inbox.peek(HEADER_SIZE), self._limits)
            except RemoteProtocolError as error:
                raise self._broken(error) from None
        header = self._header
        if inbox.size < header.size:
            return None
        self._header = None
        return header, inbox.cut(header.size)

    def _understand(self, header: Header, octets: bytes) -> Event | None:
        if self.state is not ConnectionState.OPEN:
            self._understand_late(header)
            return None
        if not self._may_receive[header.version.minor][header.message_type]:
            reason = f"a {self.role.peer.value} sends no {header.message_type.name} in GIOP {header.version}"
            raise self._broken(RemoteProtocolError(reason, response=self._message_error(header)))
        if header.message_type is MessageType.Fragment or header.more_fragments:
            try:
                whole = self._reassembler.add(header, octets)
            except RemoteProtocolError as error:
                raise self._broken(error) from None
            if whole is None:
                return None
            octets = whole
            header = cut_header(octets, self._limits)
        try:
            message = decode_whole(header, octets, self._limits)
        except DecodeError as error:
            reason = f"{header.message_type.name} header: {error}"
            raise self._broken(RemoteProtocolError(reason, response=self._message_error(header))) from error
        return self._accept(header, message)

    def _understand_late(self, header: Header) -> None:
        if not header.more_fragments:  # a message in pieces counts once
            self.dropped += 1
        if self.state is ConnectionState.CLOSING and header.message_type is MessageType.CloseConnection:
            self._close_received = True
            self._move(Trigger.CLOSE_RECEIVED)

    def _accept(self, header: Header, message: Message) -> Event | None:
        """Check a message against what is outstanding; None means that it is dropped."""
        if isinstance(message, (Request, LocateRequest)):
            if message.request_id in self._peers.waiting:
                reason = f"request id {message.request_id} is used again before its reply"
                raise self._broken(RemoteProtocolError(reason, response=self._message_error(header), partial=message))
            if self._may_open and self.role is Role.SERVER:
                self._accept_offer(header, message)
            if isinstance(message, Request):
                self._agreement.hear(message)
            if expects_reply(message):
                if self._peers.full:
                    reason = f"more requests waiting than the limit outstanding={self._limits.outstanding}"
                    raise self._broken(RemoteProtocolError(reason, response=self._message_error(header), partial=message))
                self._peers.add(message)
        elif isinstance(message, (Reply, LocateReply)):
            return self._accept_answer(header, message)
        elif isinstance(message, CancelRequest):
            if self._reassembler.cancel(message.request_id):
                return None
            if message.request_id in self._peers.waiting:
                self._peers.cancel(message.request_id)
        elif isinstance(message, CloseConnection):
            self._close_received = True
            self._move(Trigger.CLOSE_RECEIVED)
        elif isinstance(message, MessageError):
            self._move(Trigger.ERROR_RECEIVED)
        return message

    def _accept_answer(self, header: Header, message: Reply | LocateReply) -> Event | None:
        if self._ours.cancelled.pop(message.request_id, None) is not None:
            self.dropped += 1
            return None
        if self._ours.waiting.get(message.request_id) is not answered_by(message):
            reason = f"{header.message_type.name} to request {message.request_id}, which nobody made"
            raise self._broken(RemoteProtocolError(reason, response=self._message_error(header), partial=message))
        self._ours.settle(message.request_id)
        if isinstance(message, Reply):
            self._agreement.hear(message)
        return message

    def _check_answer(self, message: Reply | LocateReply) -> None:
        asked, request_id = answered_by(message), message.request_id
        if self._peers.waiting.get(request_id) is not asked and self._peers.cancelled.get(request_id) is not asked:
            raise LocalProtocolError(f"no {asked.name} {request_id} waits for a reply")

    def _offered(self, message: Message) -> tuple[ListenPoint, ...] | None:
        """Return the listen points of a request that offers to go both ways; None for any other message.

        Raises:
            DecodeError: its BI_DIR_IIOP context cannot be read.
        """
        if isinstance(message, Request) and message.version >= GIOP_1_2:
            for context in message.service_context:
                if context.context_id == ServiceId.BI_DIR_IIOP:
                    offer: BiDirIIOPServiceContext = SERVICE_CONTEXTS.decode(
                        context.context_id, context.context_data, self._limits
                    )
                    return offer.listen_points
        return None

    def _accept_offer(self, header: Header, message: Request | LocateRequest) -> None:
        try:
            offered = self._offered(message)
        except DecodeError as error:
            reason = f"BI_DIR_IIOP context: {error}"
            raise self._broken(RemoteProtocolError(reason, response=self._message_error(header), partial=message)) from error
        if offered is not None:
            self._open_both_ways(offered)

    def _open_both_ways(self, listen_points: tuple[ListenPoint, ...]) -> None:
        known = dict.fromkeys((*(self.listen_points or ()), *listen_points))
        self.listen_points = tuple(known)[-self._limits.service_contexts :]
        self._may_send = sendable(self.role, both_ways=True)
        self._may_receive = sendable(self.role.peer, both_ways=True)

    def _end(self) -> EndOfStream:
        self._end_told = True
        unanswered = self.outstanding
        closed = self._close_received or (self._close_sent and not unanswered)
        orderly = closed and self.state is not ConnectionState.ERROR
        truncated = self.unfinished
        self._inbox.clear()
        self._move(Trigger.STREAM_ENDED)
        return EndOfStream(orderly, unanswered, truncated)

    def _message_error(self, header: Header) -> MessageError:
        return MessageError(header.version, header.byte_order)

    def _broken(self, error: RemoteProtocolError) -> RemoteProtocolError:
        self._move(Trigger.PEER_BROKE_GIOP)
        self._inbox.clear()
        self._header = None
        return error

    def _move(self, trigger: Trigger) -> None:
        self.state = TRANSITIONS[self.state][trigger]
        self._reassembler.clear()  # no state leads back to OPEN: what has not become whole never will

"""One connection of a client: its requests go to targets, their replies come back, in any order.

Each target that is given a request of the client has a connection of its own for it (`iiop_lab.vhost.link`), so that request ids
need no change there, large messages stream, and whatever belongs to a connection (code sets, call-backs, the end) is the client's
own. Ids of calls that targets make to the client are changed, as two may have chosen the same.
It must not know how targets are chosen (`iiop_lab.vhost.places`), nor what failures look like to whom they do not concern.

Invariants: messages to the client are never mixed; what is kept for a client, or a target, that does not read is bounded, because
the other side is not read from.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, cast

from iiop.balancer import Affinity
from iiop.exceptions import (
    COMM_FAILURE,
    NO_IMPLEMENT,
    OBJECT_NOT_EXIST,
    CompletionStatus,
    DecodeError,
    RemoteProtocolError,
    SystemException,
)
from iiop.giop.header import Header
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_0,
    GIOP_1_2,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    MessageError,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
    exception_body,
)
from iiop.giop.wire import decode_whole, encode
from iiop.idl.servant import failure, object_key_of
from iiop.iop import ServiceContext
from iiop_lab.vhost.cutting import Cutter, Piece, id_of, with_id
from iiop_lab.vhost.introducing import TOLD_ONCE
from iiop_lab.vhost.link import Link
from iiop_lab.vhost.pending import Pending
from iiop_lab.vhost.places import Place
from iiop_lab.vhost.services import Delivery, Target
from iiop_lab.vhost.tls import TLS_HANDSHAKE

if TYPE_CHECKING:
    from iiop_lab.virtual_host import VirtualHost

__all__ = ["Session"]

log = logging.getLogger("iiop_lab.virtual_host")

_NO, _MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
_M = MessageType


class Session(asyncio.Protocol):
    """Serve one connection of a client."""

    def __init__(self, virtual_host: VirtualHost) -> None:
        self._vhost = virtual_host
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._cutter = Cutter()
        self._links: dict[Target, Link] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._stay: dict[Place, Affinity[Place, Target]] = {}
        self.pending: dict[int, Pending] = {}
        self._in_pieces: dict[int, Pending] = {}
        """Requests of which fragments are still to come, by id."""
        self._last: Pending | None = None
        """The request that began last, to which what has no id of its own belongs."""
        self._sink: Pending | Link | None = None
        """Where the rest goes of a message that is arriving in pieces."""
        self._callbacks: dict[int, tuple[Link, int]] = {}
        """Calls of targets, by the id that the client sees: whose, and by which id."""
        self._callback_ids: dict[tuple[Link, int], int] = {}
        self._next_callback = 1
        self.told: dict[int, ServiceContext] = {}
        """What the client told of itself, by the id of the context."""
        self._streaming: Link | None = None
        self._waiting: dict[Link | None, deque[tuple[bytes, bool]]] = {}
        self._heard, self._heard_any = 0.0, False
        self._idle: asyncio.TimerHandle | None = None
        self._congested = False
        self._ending = False
        self.version = GIOP_1_0
        self.peer = "?"
        self.address = "?"

    @property
    def outstanding(self) -> int:
        """Return how many requests may wait for their replies."""
        return self._vhost.limits.outstanding

    # --- the client's connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        address = transport.get_extra_info("peername")
        if address:
            self.address, self.peer = str(address[0]), f"{address[0]}:{address[1]}"
        self._heard = self._loop.time()
        self._idle = self._loop.call_later(self._vhost.limits.idle_time, self._look)
        if not self._vhost.admit(self):
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        for connecting in self._connecting:
            connecting.cancel()
        now = self._loop.time()
        for pending in self.pending.values():
            pending.place.balancer.ended(pending.link.target, now) if pending.link else None
        self.pending.clear()
        for link in tuple(self._links.values()):
            link.close()
        self._vhost.forget(self)

    def eof_received(self) -> None:
        if self._cutter.unfinished:
            log.warning("%s left in the middle of a message", self.peer)

    def pause_writing(self) -> None:
        for link in self._links.values():
            link.pause()

    def resume_writing(self) -> None:
        for link in self._links.values():
            if link not in self._waiting:
                link.resume()

    def look_at_congestion(self) -> None:
        """Read from the client if all its targets take what it says."""
        congested = any(link.congested for link in self._links.values())
        if congested is not self._congested and not self._transport.is_closing():
            self._congested = congested
            (self._transport.pause_reading if congested else self._transport.resume_reading)()

    def _look(self) -> None:
        """End a connection on which nothing has come for long, unless its client waits."""
        left = self._heard + self._vhost.limits.idle_time - self._loop.time()
        if left <= 0 and not self.pending:
            self.close()
            return
        self._idle = self._loop.call_later(max(left, 0.01), self._look)

    def close(self) -> None:
        """Say CloseConnection, once nothing is under way, and close."""
        self._ending = True
        if self._transport.is_closing():
            return
        if self.pending or self._streaming is not None:
            self._transport.pause_reading()
            return
        self._transport.write(encode(CloseConnection(self.version)))
        self._transport.close()

    def abort(self) -> None:
        """End without a word."""
        self._transport.abort()

    # --- from the client

    def data_received(self, data: bytes) -> None:
        if not self._heard_any and data[0] == TLS_HANDSHAKE:
            self._vhost.pass_through(self, self._transport, data)
            return
        self._heard, self._heard_any = self._loop.time(), True
        try:
            for piece in self._cutter.cut(data):
                if self._transport.is_closing():
                    return
                self._pass(piece)
        except (RemoteProtocolError, DecodeError) as error:
            log.warning("%s broke GIOP: %s", self.peer, error)
            response = error.response if isinstance(error, RemoteProtocolError) else MessageError(self.version)
            if response is not None:
                self._transport.write(encode(response))
            self._transport.close()

    def _pass(self, piece: Piece) -> None:
        header, octets, _ = piece
        if header is None:
            if isinstance(self._sink, Link):
                self._sink.send(octets)
            elif self._sink is not None:
                self._send_on(self._sink, octets)
            return
        self._sink = None
        kind = header.message_type
        if kind is _M.Request or kind is _M.LocateRequest:
            self._take(header, octets)
        elif kind is _M.Fragment:
            self._go_on(header, octets)
        elif kind is _M.CancelRequest:
            self._cancel(header, octets)
        elif kind is _M.Reply or kind is _M.LocateReply:
            self._answered_call(header, octets)
        elif kind is _M.CloseConnection:
            self._transport.close()
        else:
            log.warning("%s says that we broke GIOP", self.peer)
            self._transport.close()

    def _take(self, header: Header, octets: bytes) -> None:
        message = decode_whole(header._replace(more_fragments=False), octets, self._vhost.limits)
        assert isinstance(message, (Request, LocateRequest))
        self.version = header.version
        if message.request_id in self.pending:
            raise RemoteProtocolError(
                f"request id {message.request_id} is used again before its reply", response=MessageError(header.version)
            )
        if isinstance(message, Request) and message.service_context:
            self.told |= {each.context_id: each for each in message.service_context if each.context_id in TOLD_ONCE}
        try:
            key = object_key_of(message.target)
        except OBJECT_NOT_EXIST:
            key = b""
        place = self._vhost.place(key)
        pending = Pending(header, message, key, place)
        self._last = self._sink = pending
        if header.more_fragments:
            self._in_pieces[message.request_id] = pending
        if place.service.process_bind:
            self._refuse(pending, NO_IMPLEMENT(self._vhost.refusal.process_bind_minor, _NO))
            return
        if len(self.pending) >= self.outstanding:
            log.error("%s: more requests waiting than the limit outstanding=%d", self.peer, self.outstanding)
            self._fail(pending, _NO)
            return
        if pending.expects_reply:
            self.pending[message.request_id] = pending
        pending.keep(octets)
        self._dispatch(pending, octets)

    def _go_on(self, header: Header, octets: bytes) -> None:
        """Send a fragment after its request, or after the client's reply to a call."""
        if header.version >= GIOP_1_2:
            found = id_of(header, octets)
            request_id = found[0] if found else -1
            if request_id in self._callbacks:
                link, theirs = self._callbacks[request_id]
                self._sink = link
                assert found is not None
                link.send(with_id(header, octets, found[1], theirs))
                if not header.more_fragments:
                    self._forget_call(request_id)
                return
            pending = self._in_pieces.get(request_id)
        else:
            pending = self._last
        if pending is None:
            raise RemoteProtocolError("a fragment of nothing that has begun", response=MessageError(header.version))
        self._sink = pending
        if not header.more_fragments:
            self._in_pieces.pop(pending.message.request_id, None)
        self._send_on(pending, octets)

    def _send_on(self, pending: Pending, octets: bytes) -> None:
        """Send more of a request; a target that did not take its beginning gets no rest."""
        pending.keep(octets)
        if pending.link is not None:
            pending.link.send(octets, pending)

    def _cancel(self, header: Header, octets: bytes) -> None:
        message = decode_whole(header, octets, self._vhost.limits)
        assert isinstance(message, CancelRequest)
        pending = self.pending.pop(message.request_id, None)
        self._in_pieces.pop(message.request_id, None)
        if pending is None or pending.link is None:
            return
        pending.place.balancer.ended(pending.link.target, self._loop.time())
        pending.link.cancel(pending, octets)

    # --- to a target

    def _dispatch(self, pending: Pending, octets: bytes) -> None:
        """Give a request, or its beginning, to a target."""
        vhost, now = self._vhost, self._loop.time()
        place = pending.place
        stay = self._stay.get(place)
        if stay is None:
            stay = self._stay[place] = place.own()
        target = place.choose(pending.key, self.address, stay, now) if pending.tries < 2 * len(vhost.targets) else None
        if target is None:
            self._fail(pending, _NO)
            return
        link = self._links.get(target)
        if link is None or not link.open:
            link = self._connect(target)
        pending.tries += 1
        pending.link, pending.since = link, now
        place.balancer.began(target)
        link.send(octets, pending, begins=True)
        if not pending.expects_reply:
            place.balancer.ended(target, now, octets=len(octets))

    def _connect(self, target: Target) -> Link:
        link = self._links[target] = Link(self, target)
        connecting = self._loop.create_task(self._await_connection(link))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        return link

    async def _await_connection(self, link: Link) -> None:
        try:
            await self._vhost.connect_link(link)
        except OSError as error:
            self._vhost.mark(link.target, alive=False, reason=error or "no answer in time")
            self._drop(link)
            for pending, pieces in link.failed().items():
                self._again(pending, pieces)

    def _again(self, pending: Pending, pieces: list[bytes]) -> None:
        """Give a request that has not run to another target."""
        if pending.link is not None and pending.expects_reply:
            pending.place.balancer.ended(pending.link.target, self._loop.time())
        pending.link = None
        first, *others = pieces
        self._dispatch(pending, first)
        for octets in others:
            if pending.link is not None:
                pending.link.send(octets, pending)

    def _drop(self, link: Link) -> None:
        if self._links.get(link.target) is link:
            del self._links[link.target]
        waiting = self._waiting.get(link)
        if self._streaming is link or (waiting and not waiting[-1][1]):
            self.abort()  # the rest will not come, and no other message can follow

    # --- what targets say

    def replied(self, link: Link, request_id: int, header: Header, octets: bytes, *, whole: bool) -> None:
        """Note that a reply has begun to arrive."""
        pending = self.pending.get(request_id)
        if pending is None or pending.link is not link:
            raise RemoteProtocolError(
                f"a reply to request {request_id}, which is not asked", response=MessageError(header.version)
            )
        del self.pending[request_id]
        now = self._loop.time()
        pending.place.balancer.ended(link.target, now, seconds=now - pending.since, octets=header.size + pending.header.size)
        message = pending.message
        if isinstance(message, Request) and whole and pending.place.watches(message.operation):
            reply = decode_whole(header, octets, self._vhost.limits)
            if isinstance(reply, Reply) and reply.reply_status is ReplyStatus.NO_EXCEPTION:
                pending.place.answered(message.operation, pending.key, link.target, reply.body, self._vhost.limits)

    def not_run(self, link: Link) -> None:
        """Send elsewhere what a target did not run, because it closed the connection in order."""
        self._drop(link)
        for pending in self._of(link):
            if pending.pieces is None:
                self.pending.pop(pending.message.request_id, None)
                self._fail(pending, _NO)
            else:
                self._again(pending, pending.pieces)
        self._vhost.suspect(link.target)

    def lost(self, link: Link, reason: str) -> None:
        """Tell who waited that nobody knows what has run."""
        waiting = self._of(link)
        if waiting:
            self._vhost.mark(link.target, alive=False, reason=reason)
        self._drop(link)
        for pending in waiting:
            self.pending.pop(pending.message.request_id, None)
            pending.place.balancer.ended(link.target, self._loop.time())
            self._fail(pending, _MAYBE)
        self._vhost.suspect(link.target)

    def _of(self, link: Link) -> list[Pending]:
        return [pending for pending in self.pending.values() if pending.link is link]

    # --- to the client

    def to_client(self, link: Link | None, octets: bytes, *, ends: bool) -> None:
        """Send octets of a target's message, or, without a link, a message of ours, once no other is in between."""
        if self._transport.is_closing():
            return
        if self._streaming is not None and self._streaming is not link:
            self._waiting.setdefault(link, deque()).append((octets, ends))
            if link is not None:
                link.pause()
            return
        self._transport.write(octets)
        self._streaming = None if ends else link
        if ends and (self._waiting or self._ending):
            self._flush()

    def _flush(self) -> None:
        while self._waiting and self._streaming is None:
            link = next(iter(self._waiting))
            pieces = self._waiting.pop(link)
            while pieces:
                octets, ends = pieces.popleft()
                self._transport.write(octets)
                self._streaming = None if ends else link
            if link is not None:
                link.resume()
        if self._ending and not self.pending:
            self.close()

    def _fail(self, pending: Pending, completed: CompletionStatus) -> None:
        self._vhost.count_failure(pending, completed)
        self._refuse(pending, COMM_FAILURE(self._vhost.refusal.minor, completed))

    def _refuse(self, pending: Pending, exception: SystemException) -> None:
        """Answer a request ourselves, or end the connection, as is configured."""
        message = pending.message
        self.pending.pop(message.request_id, None)
        pending.link = None
        if self._vhost.refusal.delivery is Delivery.CLOSE and isinstance(exception, COMM_FAILURE):
            self._transport.close()
        elif isinstance(message, LocateRequest):
            if message.version < GIOP_1_2:  # cannot say an exception here: the request that follows will be told
                answer = LocateReply(message.request_id, LocateStatus.OBJECT_HERE, EMPTY, message.version, message.byte_order)
            else:
                status, body = LocateStatus.LOC_SYSTEM_EXCEPTION, exception_body(exception)
                answer = LocateReply(message.request_id, status, body, message.version, message.byte_order)
            self.to_client(None, encode(answer), ends=True)
        elif message.response_expected:
            self.to_client(None, encode(failure(message, exception)), ends=True)

    # --- calls of targets to the client

    def called_back(self, link: Link, header: Header, octets: bytes) -> bytes:
        """Return a request of a target, or its cancellation, with the id by which the client is to see it."""
        found = id_of(header, octets)
        request_id, at = found if found is not None else (-1, 0)
        if header.version < GIOP_1_2 or found is None:
            raise RemoteProtocolError("a call to a client in GIOP before 1.2", response=MessageError(header.version))
        if header.message_type is _M.CancelRequest:
            return with_id(header, octets, at, self._callback_ids.get((link, request_id), request_id))
        ours, self._next_callback = self._next_callback, (self._next_callback + 2) & 0xFFFFFFFF
        message = decode_whole(header._replace(more_fragments=False), octets, self._vhost.limits)
        if not isinstance(message, Request) or message.response_expected or header.more_fragments:
            self._callbacks[ours] = link, request_id
            self._callback_ids[link, request_id] = ours
        return with_id(header, octets, at, ours)

    def call_goes_on(self, link: Link, header: Header, octets: bytes) -> bytes:
        """Return a fragment of a target with the id of what it belongs to, as the client sees it."""
        found = id_of(header, octets)
        ours = self._callback_ids.get((link, found[0])) if found else None
        return octets if ours is None or found is None else with_id(header, octets, found[1], ours)

    def _answered_call(self, header: Header, octets: bytes) -> None:
        found = id_of(header, octets)
        called = self._callbacks.get(found[0]) if found else None
        if found is None or called is None:
            raise RemoteProtocolError("a reply to nothing that was asked", response=MessageError(header.version))
        link, theirs = called
        self._sink = link
        link.send(with_id(header, octets, found[1], theirs))
        if not header.more_fragments:
            self._forget_call(found[0])

    def _forget_call(self, request_id: int) -> None:
        del self._callback_ids[self._callbacks.pop(request_id)]

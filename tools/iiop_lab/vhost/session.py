"""One connection of a client: its requests go to targets, their replies come back, in any order.

Each target that is given a request of the client has a connection of its own for it (`iiop_lab.vhost.link`), so that request ids
need no change there, large messages stream, and whatever belongs to a connection (code sets, call-backs, the end) is the client's
own. It must not know how targets are chosen (`iiop_lab.vhost.places`), nor what failures look like to whom they do not concern.

Invariants: messages to the client are never mixed; what is kept for a client, or a target, that does not read is bounded, because
the other side is not read from; a request is in `pending` until the last octet of its reply has gone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from iiop.exceptions import (
    COMM_FAILURE,
    NO_IMPLEMENT,
    CompletionStatus,
    DecodeError,
    RemoteProtocolError,
    SystemException,
    TruncatedError,
)
from iiop.giop.header import Header
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_2,
    CancelRequest,
    CloseConnection,
    MessageError,
    MessageType,
    Request,
)
from iiop.giop.wire import decode_whole, encode
from iiop.iop import ServiceContext
from iiop.limits import Limits
from iiop_lab.vhost.beginnings import Beginnings
from iiop_lab.vhost.callbacks import Callbacks
from iiop_lab.vhost.cutting import Cutter, Piece, id_of
from iiop_lab.vhost.link import Link
from iiop_lab.vhost.pending import KEPT, Pending
from iiop_lab.vhost.places import Place, Stay
from iiop_lab.vhost.routes import Route
from iiop_lab.vhost.services import Delivery, Target
from iiop_lab.vhost.speaking import refusal, returned
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
        self.limits: Limits = virtual_host.limits
        self.outstanding = virtual_host.limits.outstanding
        """Requests that may wait for their replies."""
        self._time = time.monotonic  # the clock of the loop, which uvloop reads but once a turn, in milliseconds
        self._transport: asyncio.Transport
        self._cutter = Cutter()
        self._beginnings = Beginnings()
        self._links: dict[Target, Link] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._stays: dict[Place, Stay] = {}
        self.pending: dict[int, Pending] = {}
        self._in_parts: dict[int, Pending] = {}
        """Requests of which fragments are still to come, by id."""
        self._last: Pending | None = None
        """The one of them, before GIOP 1.2, to which what has no id of its own belongs."""
        self._sink: Pending | Link | None = None
        """Where the rest goes of a message that is arriving in pieces."""
        self._between = False
        """After that message there will be fragments which do not say whose they are."""
        self.callbacks: Callbacks[Link] = Callbacks(self.outstanding)
        self.told: dict[int, ServiceContext] = {}
        """What the client told of itself, by the id of the context."""
        self._streaming: Link | None = None
        self._waiting: dict[Link | None, deque[tuple[bytes, bool]]] = {}
        self._heard = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._reads = True
        self._full = False
        """The client does not read as fast as it is sent to."""
        self._ending = False
        self.version = GIOP_1_0
        self.peer = "?"
        self.address = "?"

    # --- the client's connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        address = transport.get_extra_info("peername")
        if address:
            self.address, self.peer = str(address[0]), f"{address[0]}:{address[1]}"
        self._idle = asyncio.get_running_loop().call_later(self.limits.idle_time, self._look)
        if not self._vhost.admit(self):
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_looking()
        self._vhost.forget(self)
        for connecting in self._connecting:
            connecting.cancel()
        now = self._time()
        for pending in self.pending.values():
            if pending.link is not None:
                pending.route.place.ended(pending.link.target, now)
        self.pending.clear()
        for stay in self._stays.values():
            stay.end(now)
        for link in tuple(self._links.values()):
            link.close()

    def eof_received(self) -> None:
        if self._cutter.unfinished:
            log.warning("%s left in the middle of a message", self.peer)

    def _stop_looking(self) -> None:
        if self._idle is not None:
            self._idle.cancel()

    def pause_writing(self) -> None:
        self._full = True
        self.regulate()

    def resume_writing(self) -> None:
        self._full = False
        self.regulate()

    def regulate(self) -> None:
        """Read from the client if all its targets, and itself, take what is said; from targets likewise."""
        for link in self._links.values():
            link.regulate()
        reads = not (self._full or self._ending or any(link.congested for link in self._links.values()))
        if reads is not self._reads and not self._transport.is_closing():
            self._reads = reads
            (self._transport.resume_reading if reads else self._transport.pause_reading)()

    def takes(self, link: Link) -> bool:
        """Tell whether what a target says can go on to the client."""
        return not self._full and link not in self._waiting

    def _look(self) -> None:
        """End a connection on which nothing has come for long, unless its client waits."""
        left = self._heard + self.limits.idle_time - self._time() if self._heard else 0.0
        if self._transport.is_closing():
            self.abort()  # it does not even take the end
            return
        if left <= 0 and not self.pending:
            self.close()
        self._idle = asyncio.get_running_loop().call_later(max(left, min(self.limits.idle_time, 1.0)), self._look)

    def close(self) -> None:
        """Say CloseConnection, once nothing is under way, and close."""
        self._ending = True
        if self._transport.is_closing():
            return
        if self.pending or self._streaming is not None or self._waiting:
            self.regulate()
            return
        self._transport.write(encode(CloseConnection(self.version)))
        self._transport.close()

    def abort(self) -> None:
        """End without a word."""
        self._transport.abort()

    # --- from the client

    def data_received(self, data: bytes) -> None:
        known = None
        if self._cutter.idle:
            if data[0] == TLS_HANDSHAKE and not self._heard:
                self._stop_looking()
                self._vhost.pass_through(self, self._transport, data)
                return
            known = self._vhost.routes.known(data)
        try:
            if known is not None:
                self._heard = self._time()
                self._take(*known, data, True, False)
                return
            header = self._cutter.whole(data)
            for piece in self._cutter.cut(data) if header is None else (Piece(header, data, True),):
                self._heard = self._time()
                if self._transport.is_closing():
                    return
                self._pass(*piece)
        except (RemoteProtocolError, DecodeError) as error:
            log.warning("%s broke GIOP: %s", self.peer, error)
            response = error.response if isinstance(error, RemoteProtocolError) else MessageError(self.version)
            if response is not None and self._streaming is None:
                self._transport.write(encode(response))
            self._transport.close()

    def _pass(self, header: Header | None, octets: bytes, ends: bool) -> None:
        if self._beginnings and (header is None or header.message_type is _M.Fragment) and self._beginnings.has(header, octets):
            grown = self._beginnings.grow(header, octets, ends)
            if grown is not None and grown.header is not None:
                self._read(grown.header, grown.octets, ends)
            return
        if header is None:
            sink = self._sink
            if isinstance(sink, Pending):
                self._send_on(sink, octets, ends and not self._between)
            elif sink is not None:
                sink.send(octets, sink, begins=False, ends=ends)
            return
        self._sink = None
        kind = header.message_type
        if kind is _M.Request or kind is _M.LocateRequest:
            self._read(header, octets, ends)
        elif kind is _M.Fragment:
            self._go_on(header, octets, ends)
        elif kind is _M.CancelRequest:
            self._cancel(header, octets)
        elif kind is _M.Reply or kind is _M.LocateReply:
            self._answer_call(header, octets, ends)
        elif kind is _M.CloseConnection:
            self._transport.close()
        else:
            log.warning("%s says that we broke GIOP", self.peer)
            self._transport.close()

    def _read(self, header: Header, octets: bytes, ends: bool) -> None:
        """Take a request, or its beginning, of which nothing is known."""
        try:
            route, request_id = self._vhost.routes.read(header, octets)
        except TruncatedError:
            if ends and not header.more_fragments:
                raise
            self._beginnings.keep(header, octets, ends)
            return
        self._take(route, request_id, octets, ends, header.more_fragments)

    def _take(self, route: Route, request_id: int, octets: bytes, ends: bool, more: bool) -> None:
        """Take a request, or what has come of it: its first message, if more are to come, or the first piece of that."""
        self.version = route.version
        if request_id in self.pending or request_id in self._in_parts:
            raise self._broke(f"request id {request_id} is used again before its reply")
        if route.told:
            self.told |= {context.context_id: context for context in route.told}
        pending = Pending(route, request_id, [octets] if len(octets) <= KEPT else None, len(octets), KEPT - len(octets))
        self._sink, self._between = pending, more and route.version < GIOP_1_2
        if more:
            if len(self._in_parts) >= self.outstanding:
                raise self._broke(f"more requests begun than the limit outstanding={self.outstanding}")
            self._in_parts[request_id] = pending
            if self._between:
                self._last = pending
        if route.place.service.process_bind:
            reason = f"the objects of {route.place.service.name} are bound to processes"
            self._refuse(pending, NO_IMPLEMENT(self._vhost.refusal.process_bind_minor, _NO), reason)
            return
        if len(self.pending) >= self.outstanding:
            reason = f"more requests waiting than the limit outstanding={self.outstanding}"
            log.error("%s: %s", self.peer, reason)
            self._fail(pending, _NO, reason)
            return
        if route.expects_reply:
            self.pending[request_id] = pending
        self._dispatch(pending, octets, ends and not self._between)

    def _broke(self, reason: str) -> RemoteProtocolError:
        return RemoteProtocolError(reason, response=MessageError(self.version))

    def _go_on(self, header: Header, octets: bytes, ends: bool) -> None:
        """Send a fragment after its request, or after the client's reply to a call."""
        if header.version < GIOP_1_2:
            pending, self._last = self._last, self._last if header.more_fragments else None
            self._between = header.more_fragments
        else:
            found = id_of(header, octets)
            pending = self._in_parts.get(found[0]) if found is not None else None
            self._between = False
        if pending is None:
            self._answer_call(header, octets, ends)
            return
        self._sink = pending
        if not header.more_fragments:
            self._in_parts.pop(pending.request_id, None)
        self._send_on(pending, octets, ends and not self._between)

    def _send_on(self, pending: Pending, octets: bytes, ends: bool) -> None:
        """Send more of a request; a target that did not take its beginning gets no rest."""
        if pending.took is None:
            pending.keep(octets)
        if pending.link is not None:
            pending.link.send(octets, pending, begins=False, ends=ends)

    def _answer_call(self, header: Header, octets: bytes, ends: bool) -> None:
        """Send the client's answer to a call to the target that made it; nobody waits for one that comes too late."""
        found = self.callbacks.answers(header, octets)
        if found is not None:
            link, octets = found
            self._sink = link
            link.send(octets, link, begins=False, ends=ends)

    def _cancel(self, header: Header, octets: bytes) -> None:
        message = decode_whole(header, octets, self.limits)
        assert isinstance(message, CancelRequest)
        request_id = message.request_id
        self._beginnings.drop(request_id)
        begun = self._in_parts.pop(request_id, None)
        pending = self.pending.get(request_id, begun)
        if self._last is begun:
            self._last = None
        if pending is None or pending.link is None:
            return
        link = pending.link
        if pending.took is not None:  # what has begun to be answered is answered to the end
            link.send(octets, None, begins=False, ends=True)
            return
        if self.pending.pop(request_id, None) is not None:
            pending.route.place.ended(link.target, self._time())
        link.cancel(pending, octets)
        self._end_if_done()

    # --- to a target

    def _dispatch(self, pending: Pending, octets: bytes, ends: bool) -> None:
        """Give a request, or its beginning, to a target."""
        place = pending.route.place
        now = self._time() if pending.tries else self._heard
        target = None
        if place.by_call and not pending.tries:
            target = place.balancer.pick(now)
        elif pending.tries < 2 * len(place.balancer.targets):
            target = place.choose(pending.route.key, self.address, self._stays, now)
        if target is None:
            self._fail(pending, _NO, place.nobody())
            return
        link = self._links.get(target)
        if link is None or not link.open:
            link = self._connect(target)
        pending.tries += 1
        pending.link, pending.since = link, now
        place.began(target)
        link.send(octets, pending, begins=True, ends=ends)
        if not pending.route.expects_reply:
            place.ended(target, now, octets=pending.octets)

    def _connect(self, target: Target) -> Link:
        link = self._links[target] = Link(self, target)
        connecting = asyncio.get_running_loop().create_task(self._await_connection(link))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        return link

    async def _await_connection(self, link: Link) -> None:
        try:
            await self._vhost.connect_link(link)
        except OSError as error:
            self._vhost.mark(link.target, alive=False, reason=str(error) or "no answer in time")
            link.close()
            self._drop(link)
            self._try_again(link.unsent())

    def _try_again(self, unsent: dict[Pending, list[bytes]]) -> None:
        """Give requests that have not run to other targets."""
        for pending, (first, *others) in unsent.items():
            if pending.link is not None and pending.route.expects_reply:
                pending.route.place.ended(pending.link.target, self._time())
            pending.link = None
            more = self._in_parts.get(pending.request_id) is pending
            between = more and pending.route.version < GIOP_1_2
            arriving = self._sink is pending and self._cutter.arriving
            last = not (between or arriving)
            self._dispatch(pending, first, last and not others)
            for number, octets in enumerate(others, 1):
                if pending.link is not None:
                    pending.link.send(octets, pending, begins=False, ends=last and number == len(others))

    def _drop(self, link: Link) -> None:
        if self._links.get(link.target) is link:
            del self._links[link.target]
        self.callbacks.drop(link)
        waiting = self._waiting.get(link)
        if (
            self._streaming is link
            or (waiting and not waiting[-1][1])
            or any(pending.link is link and pending.took is not None for pending in self.pending.values())
        ):
            self.abort()  # the rest will not come, and the client would wait for it

    # --- what targets say

    def begins_to_answer(self, pending: Pending) -> None:
        """Note that the reply to a request has begun to arrive."""
        pending.took = self._time() - pending.since
        pending.pieces, pending.room = [] if pending.route.watched else None, KEPT

    def answered(self, pending: Pending) -> None:
        """Note that the reply to a request has arrived."""
        assert pending.link is not None
        del self.pending[pending.request_id]
        route, target, now = pending.route, pending.link.target, self._time()
        took = now - pending.since if pending.took is None else pending.took
        route.place.ended(target, now, seconds=took, octets=pending.octets)
        if route.watched and pending.pieces and isinstance(route.message, Request):
            body = returned(pending.pieces, self.limits)
            if body is not None:
                route.place.answered(route.message.operation, route.key, target, body, self.limits)

    def not_run(self, link: Link) -> None:
        """Send elsewhere what a target did not run, because it closed the connection in order."""
        self._drop(link)
        link.unsent()
        kept: dict[Pending, list[bytes]] = {}
        for pending in self._of(link):
            if pending.pieces is None:
                pending.route.place.ended(link.target, self._time())
                self._fail(pending, _NO, f"{link.target} closed before it ran, and it is too long to be sent again")
            else:
                kept[pending] = pending.pieces
        self._try_again(kept)
        self._vhost.suspect(link.target)

    def lost(self, link: Link, reason: str, *, alive: bool) -> None:
        """Tell who waited that nobody knows what has run.

        Args:
            link: what broke.
            reason: why.
            alive: whether its target was there to say so.
        """
        unsent = link.unsent()
        waiting = [pending for pending in self._of(link) if pending not in unsent]
        if waiting:
            self._vhost.failed(link.target, reason, alive=alive)
        self._drop(link)
        for pending in waiting:
            pending.route.place.ended(link.target, self._time())
            self._fail(pending, _MAYBE, f"{link.target}: {reason}")
        self._try_again(unsent)
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
                link.regulate()
            return
        self._transport.write(octets)
        self._streaming = None if ends else link
        if ends and (self._waiting or self._ending):
            self._flush()

    def _flush(self) -> None:
        while self._waiting and self._streaming is None:
            link = next(iter(self._waiting))
            for octets, ends in self._waiting.pop(link):
                self._transport.write(octets)
                self._streaming = None if ends else link
            if link is not None:
                link.regulate()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._ending and not self.pending:
            self.close()

    def _fail(self, pending: Pending, completed: CompletionStatus, reason: str) -> None:
        self._refuse(pending, COMM_FAILURE(self._vhost.refusal.minor, completed), reason)

    def _refuse(self, pending: Pending, exception: SystemException, reason: str) -> None:
        """Answer a request ourselves, or end the connection, as is configured."""
        if self.pending.get(pending.request_id) is pending:
            del self.pending[pending.request_id]
        pending.link = None
        delivery = self._vhost.refused(self.peer, pending.route, exception, reason)
        if delivery is Delivery.CLOSE:
            self._transport.close()
        elif delivery is Delivery.REPLY:
            self.to_client(None, encode(refusal(pending.route.asked(pending.request_id), exception)), ends=True)
        else:
            self._end_if_done()

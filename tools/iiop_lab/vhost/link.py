"""One connection to a target, for one connection of a client: requests out, replies and call-backs in.

What is to be sent waits until it is connected, or until a message that has begun to be sent is whole. It must not know policies;
where requests go that a server did not run is the session's to say.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from iiop.exceptions import DecodeError, RemoteProtocolError, TruncatedError
from iiop.giop.header import Header
from iiop.giop.messages import GIOP_1_2, CloseConnection, MessageError, MessageType, Request
from iiop.giop.wire import decode_whole, encode
from iiop_lab.vhost.beginnings import Beginnings
from iiop_lab.vhost.cutting import Cutter, id_of, plain_id
from iiop_lab.vhost.introducing import introduced
from iiop_lab.vhost.pending import Pending
from iiop_lab.vhost.services import Target

if TYPE_CHECKING:
    from iiop_lab.vhost.session import Session

__all__ = ["Link"]

QUEUED = 256 * 1024
"""Octets that wait for a connection before its client is not read from."""

_M = MessageType
_TYPE_AT, _REPLY = 7, MessageType.Reply.value


class Link(asyncio.Protocol):
    """Speak with a target for a session."""

    def __init__(self, session: Session, target: Target) -> None:
        self.session = session
        self.target = target
        self.open = True
        self.congested = False
        self._transport: asyncio.Transport | None = None
        self._queue: list[tuple[bytes, Pending | Link | None, bool, bool]] = []
        self._queued = 0
        self._sending: Pending | Link | None = None
        """Whose message has begun to be sent, and is not whole."""
        self._reads = True
        self._cutter = Cutter()
        self._beginnings = Beginnings()
        self._cancelled: dict[int, None] = {}
        """Requests whose replies nobody wants any more."""
        self._drops = False
        """The message that is arriving in parts is one."""
        self._answer: Pending | None = None
        """Whose reply is arriving in parts that do not say so themselves."""
        self._more = False
        """After the message that is arriving in pieces, there will be fragments."""
        self._between = False
        """They do not say whose they are: nothing may come between."""
        self._told = 0
        """How much of what the client told of itself the target has heard: a reply has shown it."""

    # --- to the target

    def send(self, octets: bytes, whose: Pending | Link | None, *, begins: bool, ends: bool) -> None:
        """Send a message of the client, or a piece of one.

        Args:
            octets: of it.
            whose: the request that it belongs to, this link if it answers a call of the target; None if it stands alone.
            begins: whether a request begins with them.
            ends: whether another message may follow.
        """
        transport = self._transport
        if transport is None or (self._sending is not None and self._sending is not whose):
            self._queue.append((octets, whose, begins, ends))
            self._queued += len(octets)
            self._set_congested(transport is None and self._queued > QUEUED)
            return
        told = self.session.told
        if begins and self._told < len(told) and isinstance(whose, Pending) and isinstance(whose.route.message, Request):
            octets = introduced(octets, tuple(told.values()), self.session.limits)
            whose.told = len(told)
        self._sending = None if ends else whose
        if self.open:
            transport.write(octets)
        if ends and self._queue:
            self._send_queued()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if not self.open:
            self._transport.abort()
            return
        self.regulate()
        self._send_queued()
        self._set_congested(False)

    def _send_queued(self) -> None:
        queue, self._queue, self._queued = self._queue, [], 0
        for octets, whose, begins, ends in queue:
            self.send(octets, whose, begins=begins, ends=ends)

    def unsent(self) -> dict[Pending, list[bytes]]:
        """Return the requests that were to be sent, when it is gone."""
        found: dict[Pending, list[bytes]] = {}
        for octets, whose, begins, _ in self._queue:
            if isinstance(whose, Pending) and (begins or whose in found):
                found.setdefault(whose, []).append(octets)
        self._queue.clear()
        return found

    def cancel(self, pending: Pending, octets: bytes) -> None:
        """Take a request back that was not sent yet; else send its CancelRequest, and drop its reply if one comes."""
        before = len(self._queue)
        self._queue = [item for item in self._queue if item[1] is not pending]
        if len(self._queue) < before:
            return
        if pending.route.expects_reply:
            self._cancelled[pending.request_id] = None
            if len(self._cancelled) > self.session.outstanding:
                del self._cancelled[next(iter(self._cancelled))]
        if self._sending is pending:  # its rest will not come
            self._sending = None
        self.send(octets, None, begins=False, ends=True)

    def pause_writing(self) -> None:
        self._set_congested(True)

    def resume_writing(self) -> None:
        self._set_congested(False)

    def _set_congested(self, congested: bool) -> None:
        if congested is not self.congested:
            self.congested = congested
            self.session.regulate()

    # --- from the target

    def data_received(self, data: bytes) -> None:
        try:
            if self._cutter.idle and self._pass_plainly(data):
                return
            header = self._cutter.whole(data)
            if header is not None:
                self._pass(header, data, True)
                return
            for piece in self._cutter.cut(data):
                if not self.open:
                    return
                self._pass(*piece)
        except RemoteProtocolError as error:
            if error.response is not None and self._transport is not None:
                self._transport.write(encode(error.response))
            self._break(f"it broke GIOP: {error}")
        except DecodeError as error:
            self._break(f"it broke GIOP: {error}")

    def _pass(self, header: Header | None, octets: bytes, ends: bool) -> None:
        if self._beginnings and (header is None or header.message_type is _M.Fragment) and self._beginnings.has(header, octets):
            grown = self._beginnings.grow(header, octets, ends)
            if grown is not None and grown.header is not None:
                self._pass_reply(grown.header, grown.octets, ends)
            return
        if header is None:
            if not self._drops:
                self._to_client(octets, ends)
            return
        kind = header.message_type
        session = self.session
        if kind is _M.Reply or kind is _M.LocateReply:
            self._pass_reply(header, octets, ends)
        elif kind is _M.CloseConnection:
            self.close()
            session.not_run(self)
        elif kind is _M.MessageError:
            self._break("it answered MessageError", alive=True)
        elif kind is _M.Fragment and header.version < GIOP_1_2:
            if not self._between:
                raise RemoteProtocolError("a fragment of nothing that has begun", response=MessageError(header.version))
            self._more = self._between = header.more_fragments
            if not self._drops:
                self._to_client(octets, ends)
        elif kind is _M.Fragment:
            self._pass_fragment(header, octets, ends)
        else:
            self._begin(header, None)
            self._to_client(session.callbacks.calls(self, header, octets), ends)

    def _pass_plainly(self, octets: bytes) -> bool:
        """Pass on one whole reply that is expected, and that nobody watches, as most are; tell whether it was such."""
        session, request_id = self.session, plain_id(octets)
        pending = session.pending.get(request_id) if request_id is not None and octets[_TYPE_AT] == _REPLY else None
        if pending is None or pending.link is not self or pending.took is not None or pending.route.watched or self._cancelled:
            return False
        self._between = False
        if pending.told > self._told:
            self._told = pending.told
        pending.octets += len(octets)
        session.answered(pending)
        session.to_client(self, octets, ends=True)
        return True

    def _pass_reply(self, header: Header, octets: bytes, ends: bool) -> None:
        found = id_of(header, octets)
        if found is None:
            whole = ends and not header.more_fragments
            try:
                reply = decode_whole(header._replace(more_fragments=False), octets, self.session.limits)
            except TruncatedError:
                if whole:
                    raise
                self._beginnings.keep(header, octets, ends)
                return
            request_id: int = reply.request_id  # type: ignore[union-attr]
        else:
            request_id = found[0]
        pending = self.session.pending.get(request_id)
        self._begin(header, pending)
        if self._cancelled and request_id in self._cancelled:
            if pending is None or pending.link is not self:
                self._drops, self._answer = True, None
                if not header.more_fragments or header.version < GIOP_1_2:
                    del self._cancelled[request_id]
                return
            del self._cancelled[request_id]  # the client has used its id again
        if pending is None or pending.link is not self or pending.took is not None:
            self._answer = None
            raise RemoteProtocolError(
                f"a reply to request {request_id}, which is not asked", response=MessageError(header.version)
            )
        self._told = max(self._told, pending.told)
        self.session.begins_to_answer(pending)
        self._to_client(octets, ends)

    def _pass_fragment(self, header: Header, octets: bytes, ends: bool) -> None:
        found = id_of(header, octets)
        request_id = found[0] if found is not None else -1
        pending = self.session.pending.get(request_id)
        if pending is not None and pending.link is self and pending.took is not None:
            self._begin(header, pending)
            self._to_client(octets, ends)
            return
        self._begin(header, None)
        if request_id in self._cancelled:
            self._drops = True
            if not header.more_fragments:
                del self._cancelled[request_id]
            return
        self._to_client(self.session.callbacks.calls(self, header, octets), ends)

    def _begin(self, header: Header, pending: Pending | None) -> None:
        """Note whose message begins to arrive."""
        self._drops = False
        self._answer = pending
        self._more = header.more_fragments
        self._between = header.more_fragments and header.version < GIOP_1_2

    def _to_client(self, octets: bytes, ends: bool) -> None:
        pending = self._answer
        if pending is not None:
            pending.keep(octets)
            if ends and not self._more:
                self._answer = None
                self.session.answered(pending)
        self.session.to_client(self, octets, ends=ends and not self._between)

    def eof_received(self) -> None:
        self._break("it ended the connection")

    def connection_lost(self, error: Exception | None) -> None:
        self._break(f"the connection broke: {error or 'closed'}")

    def _break(self, reason: str, *, alive: bool = False) -> None:
        if self.open:
            self.close()
            self.session.lost(self, reason, alive=alive)

    def regulate(self) -> None:
        """Read on, or no more for a while, as the session says."""
        reads = self.session.takes(self)
        if reads is not self._reads and self._transport is not None and not self._transport.is_closing():
            self._reads = reads
            (self._transport.resume_reading if reads else self._transport.pause_reading)()

    def close(self) -> None:
        """End the connection, in order where the target can be told."""
        self.open = False
        if self._transport is not None and not self._transport.is_closing():
            if self.session.version >= GIOP_1_2 and self._sending is None:
                self._transport.write(encode(CloseConnection(GIOP_1_2)))
            self._transport.close()
        self._set_congested(False)

"""One connection to a target, for one connection of a client: requests out, replies and call-backs in.

What is to be sent waits until it is connected. It must not know policies; where requests go that a server did not run is the
session's to say.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from iiop.exceptions import DecodeError, RemoteProtocolError
from iiop.giop.header import Header
from iiop.giop.messages import GIOP_1_2, CloseConnection, MessageType, Request
from iiop.giop.wire import decode_whole, encode
from iiop_lab.vhost.cutting import Cutter, Piece, id_of
from iiop_lab.vhost.introducing import introduced
from iiop_lab.vhost.pending import Pending
from iiop_lab.vhost.services import Target

if TYPE_CHECKING:
    from iiop_lab.vhost.session import Session

__all__ = ["Link"]

QUEUED = 256 * 1024
"""Octets that wait for a connection before its client is not read from."""


class Link(asyncio.Protocol):
    """Speak with a target for a session."""

    def __init__(self, session: Session, target: Target) -> None:
        self.session = session
        self.target = target
        self.open = True
        self.congested = False
        self._transport: asyncio.Transport | None = None
        self._queue: list[tuple[bytes, Pending | None, bool]] = []
        self._queued = 0
        self._cutter = Cutter()
        self._cancelled: dict[int, None] = {}
        """Requests whose replies nobody wants any more."""
        self._drops = False
        """The message that is arriving in pieces is one."""
        self._heard = False
        """Whether a reply has shown that the target knows what the client told of itself."""

    # --- to the target

    def send(self, octets: bytes, pending: Pending | None = None, *, begins: bool = False) -> None:
        """Send a message of the client, or a piece of one.

        Args:
            octets: of it.
            pending: the request that it belongs to.
            begins: whether the request begins with them.
        """
        if self._transport is None:
            self._queue.append((octets, pending, begins))
            self._queued += len(octets)
            self._set_congested(self._queued > QUEUED)
            return
        if begins and not self._heard and self.session.told and pending is not None and isinstance(pending.message, Request):
            octets = introduced(pending.header, octets, pending.message, tuple(self.session.told.values()))
        self._transport.write(octets)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if not self.open:
            self._transport.abort()
            return
        queue, self._queue, self._queued = self._queue, [], 0
        for octets, pending, begins in queue:
            self.send(octets, pending, begins=begins)
        self._set_congested(False)

    def failed(self) -> dict[Pending, list[bytes]]:
        """Note that no connection came about; return the requests that were to be sent."""
        self.open = False
        self._set_congested(False)
        unsent: dict[Pending, list[bytes]] = {}
        for octets, pending, _ in self._queue:
            if pending is not None:
                unsent.setdefault(pending, []).append(octets)
        return unsent

    def cancel(self, pending: Pending, octets: bytes) -> None:
        """Take a request back that was not sent yet; else send its CancelRequest, and drop its reply if one comes."""
        before = len(self._queue)
        self._queue = [item for item in self._queue if item[1] is not pending]
        if len(self._queue) == before:
            self._cancelled[pending.message.request_id] = None
            if len(self._cancelled) > self.session.outstanding:
                del self._cancelled[next(iter(self._cancelled))]
            self.send(octets)

    def pause_writing(self) -> None:
        self._set_congested(True)

    def resume_writing(self) -> None:
        self._set_congested(False)

    def _set_congested(self, congested: bool) -> None:
        if congested is not self.congested:
            self.congested = congested
            self.session.look_at_congestion()

    # --- from the target

    def data_received(self, data: bytes) -> None:
        try:
            for piece in self._cutter.cut(data):
                if not self.open:
                    return
                self._pass(piece)
        except RemoteProtocolError as error:
            if error.response is not None and self._transport is not None:
                self._transport.write(encode(error.response))
            self._break(f"it broke GIOP: {error}")
        except DecodeError as error:
            self._break(f"it broke GIOP: {error}")

    def _pass(self, piece: Piece) -> None:
        header, octets, ends = piece
        session = self.session
        if header is None:
            if not self._drops:
                session.to_client(self, octets, ends=ends)
            return
        kind = header.message_type
        if header.version >= GIOP_1_2 or kind is not MessageType.Fragment:
            self._drops = False
        if kind is MessageType.Reply or kind is MessageType.LocateReply:
            self._heard = True
            found = id_of(header, octets)
            request_id = found[0] if found else decode_whole(_whole(header), octets).request_id  # type: ignore[union-attr]
            if request_id in self._cancelled:
                self._drops = True
                if not header.more_fragments:
                    del self._cancelled[request_id]
                return
            session.replied(self, request_id, header, octets, whole=ends and not header.more_fragments)
        elif kind is MessageType.CloseConnection:
            self.close()
            session.not_run(self)
            return
        elif kind is MessageType.MessageError:
            self._break("it answered MessageError")
            return
        elif kind is MessageType.Request or kind is MessageType.LocateRequest or kind is MessageType.CancelRequest:
            octets = session.called_back(self, header, octets)
        elif kind is MessageType.Fragment and header.version >= GIOP_1_2:
            found = id_of(header, octets)
            if found is not None and found[0] in self._cancelled:
                self._drops = True
                if not header.more_fragments:
                    del self._cancelled[found[0]]
                return
            octets = session.call_goes_on(self, header, octets)
        elif self._drops:
            return
        # before GIOP 1.2 a fragment does not say whose it is: nothing may come between
        session.to_client(self, octets, ends=ends and not (header.more_fragments and header.version < GIOP_1_2))

    def eof_received(self) -> None:
        self._break("it ended the connection")

    def connection_lost(self, error: Exception | None) -> None:
        self._break(f"the connection broke: {error or 'closed'}")

    def _break(self, reason: str) -> None:
        if self.open:
            self.close()
            self.session.lost(self, reason)

    def pause(self) -> None:
        """Read no more for a while."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection, in order where the target can be told."""
        self.open = False
        if self._transport is not None and not self._transport.is_closing():
            if self.session.version >= GIOP_1_2:
                self._transport.write(encode(CloseConnection(GIOP_1_2)))
            self._transport.close()
        self._set_congested(False)


def _whole(header: Header) -> Header:
    return header._replace(more_fragments=False)

"""One direction of a connection as a stream of messages: where each begins and ends, and what its head says.

It sees octets once, in order, whole messages never unless they come whole. Nothing is decoded that nobody asks for. What is no
GIOP, TLS for example, passes as octets in which no message is found.

Source: CORBA 3.3 part 2, clause 9.4.1 "GIOP Message Header", 9.4.9 "Fragment Message".
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from iiop.exceptions import CorbaException, DecodeError, RemoteProtocolError
from iiop.giop.header import HEADER_SIZE, MAGIC, Header, cut_header
from iiop.giop.messages import GIOP_1_2, Message, MessageType, Reply, Request
from iiop.giop.wire import decode_whole
from iiop.idl.servant import object_key_of
from iiop.limits import DEFAULT_LIMITS

__all__ = ["SHORT", "Asked", "Cutter", "Piece", "Sighting"]

HEAD_SIZE = 65536
"""Octets of a message that are waited for at most, to find out what it asks."""

SHORT = 4096
"""Octets that are searched in less time than a header is decoded in, and among which most headers end."""

_UNBOUNDED = replace(DEFAULT_LIMITS, message_size=(1 << 32) + HEADER_SIZE)
"""Nothing is kept of a message here, so its size does not matter."""


class Asked(NamedTuple):
    """Hold what a request asks of whom."""

    operation: str | None = None
    target: bytes | None = None


NOTHING = Asked()


class Sighting:
    """Know one message by its first octets.

    Attributes:
        header: what the message header says.
        asked: what the request says, or for a reply what its request said; set by whoever looks into it.
    """

    __slots__ = ("_head", "_message", "asked", "header")

    def __init__(self, header: Header, head: bytes) -> None:
        self.header = header
        self._head = head[:HEAD_SIZE]
        self._message: Message | None = None
        self.asked = NOTHING

    @property
    def tells(self) -> bool:
        """Tell whether there is enough of it to know what it asks, or as much as is waited for."""
        size = len(self._head)
        if size >= min(self.header.size, HEAD_SIZE):
            return True
        return size > SHORT and (self.header.message_type is MessageType.Fragment or self.message is not None)

    def mentions(self, octets: bytes) -> bool:
        """Tell whether octets may be in its head; what is searched quicker than decoded is searched."""
        return len(self._head) > SHORT or octets in self._head

    @property
    def message(self) -> Message | None:
        """Return the message, as much of its body as may be; None where the octets cannot be read."""
        if self._message is None:
            header = self.header._replace(more_fragments=False)
            for head in (self._head[:SHORT], self._head):
                with contextlib.suppress(DecodeError):
                    self._message = decode_whole(header, head)
                    break
        return self._message

    @property
    def request_id(self) -> int | None:
        """Return the id of a request or reply; None where it cannot be read."""
        if self.header.version >= GIOP_1_2 and len(self._head) >= HEADER_SIZE + 4:
            order = "little" if self.header.byte_order else "big"
            return int.from_bytes(self._head[HEADER_SIZE : HEADER_SIZE + 4], order)  # type: ignore[arg-type]
        message = self.message
        return message.request_id if isinstance(message, (Request, Reply)) else None


def asked_of(request: Request) -> Asked:
    """Return what a request asks of whom."""
    try:
        return Asked(request.operation, object_key_of(request.target))
    except CorbaException:
        return Asked(request.operation)


class Piece(NamedTuple):
    """Hold octets of one message: all, or the next of a large one.

    Attributes:
        message: None where its beginning has not been seen.
    """

    message: Sighting | None
    octets: bytes
    first: bool
    last: bool


class Cutter:
    """Cut a stream into pieces of messages, or only follow it, so that it can be cut from the next message on."""

    def __init__(self) -> None:
        self._left = 0
        self._begun = b""
        self._held = b""
        self._message: Sighting | None = None
        self._more = False
        self._opaque = False

    @property
    def between(self) -> bool:
        """Tell whether another message can be put in here: not within one, nor among the fragments of one of GIOP 1.1."""
        return not (self._left or self._begun or self._more)

    @property
    def holds(self) -> bool:
        """Tell whether the head of a message is held back."""
        return bool(self._held)

    def is_one_message(self, data: bytes) -> bool:
        """Tell whether octets that come next are one whole message, no fragment."""
        return (
            not self._left
            and len(data) >= HEADER_SIZE
            and data[6] < 2
            and int.from_bytes(data[8:12], "little" if data[6] else "big") == len(data) - HEADER_SIZE
            and data[7] != MessageType.Fragment
            and not (self._held or self._begun or self._more)
            and data.startswith(MAGIC)
        )

    def goes_on(self, data: bytes) -> bool:
        """Tell whether octets that come next are all of one message, and not its last; take note of them if so."""
        if len(data) >= self._left:
            return False
        self._left -= len(data)
        return True

    def follow(self, data: bytes) -> None:
        """Take note of octets that pass unseen."""
        if self.is_one_message(data):
            return
        at = 0
        while at < len(data) and not self._opaque:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                step = min(HEADER_SIZE - len(self._begun), len(data) - at)
                self._begun += data[at : at + step]
                if len(self._begun) == HEADER_SIZE:
                    header = self._header(self._begun)
                    self._begun, self._message = b"", None
                    self._left = header.size - HEADER_SIZE if header else 0
            at += step

    def cut(self, data: bytes) -> Iterator[Piece]:
        """Return what the next octets complete; the head of a message is held back until it is known what it asks."""
        if self._begun:
            step = HEADER_SIZE - len(self._begun)
            now, data = data[:step], data[step:]
            self.follow(now)
            yield Piece(None, now, False, not self._begun and not self._left)
        octets = self._held + data if self._held else data
        self._held = b""
        at = 0
        while at < len(octets):
            if self._opaque:
                yield Piece(None, octets[at:], False, False)
                return
            if self._left:
                step = min(self._left, len(octets) - at)
                self._left -= step
                yield Piece(self._message, octets[at : at + step], False, not self._left)
                at += step
                continue
            header = self._header(octets[at : at + HEADER_SIZE]) if len(octets) - at >= HEADER_SIZE else None
            if self._opaque:
                continue
            step = min(header.size, len(octets) - at) if header is not None else 0
            now = octets[at : at + step]
            if header is None or not (message := Sighting(header, now)).tells:
                self._held = octets[at:]
                return
            self._message = message
            self._left = header.size - step
            at += step
            yield Piece(message, now, True, not self._left)

    def let_go(self) -> bytes:
        """Return what was held back; it counts as passed unseen."""
        held, self._held = self._held, b""
        self.follow(held)
        return held

    def _header(self, octets: bytes) -> Header | None:
        header = _cut(octets)
        if header is None:
            self._opaque = True
        elif header.version < GIOP_1_2 and header.message_type in _FRAGMENTED_1_1:
            self._more = header.more_fragments
        return header


_FRAGMENTED_1_1 = (MessageType.Request, MessageType.Reply, MessageType.Fragment)


@functools.lru_cache(maxsize=256)
def _cut(octets: bytes) -> Header | None:
    try:
        return cut_header(octets, _UNBOUNDED)
    except RemoteProtocolError:
        return None

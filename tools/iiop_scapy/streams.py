# SPDX-License-Identifier: GPL-2.0-only
"""How messages are found in a stream, for `TCPSession` and `StreamSocket`, which collect octets and ask.

The ways around scapy 2.8 are here. A `TCPSession` is given all messages of a segment at once, one stacked on the other, as it
loses count where a segment ends two and begins a third. What comes again, or before its time, is noticed here, as it forgets
where a message ended, and fills what is missing with zeros. A `StreamSocket` cannot give back what it has read before.

It must not know what is in a message, but for the operation that a Request calls: a session remembers it for the Reply.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from scapy.config import conf
from scapy.layers.inet import TCP
from scapy.packet import Packet

from iiop.giop.header import HEADER_SIZE, MAGIC
from iiop.giop.messages import MessageType
from iiop.limits import DEFAULT_LIMITS

__all__ = ["reassemble"]

_PENDING = 10_000
"""Requests of which a session remembers the operation."""
_MASK = 0xFFFFFFFF
_WINDOW = 1 << 20
"""Octets that segments may come late, or early; what is farther off is a new connection with these ports."""
_STACKED = 80
"""Messages of a segment that are stacked, as scapy recurses into layers, and Python ends that; the others are `Raw`."""
_PATIENCE = 8
"""Segments that wait for one that is missing, until that is taken for lost."""


def reassemble(giop: type[Packet], data: bytes, metadata: dict[str, Any], session: dict[str, Any]) -> Packet | None:
    """Wait until a message is whole; octets that begin none are handed out up to the next magic.

    Of a segment with very many messages the last are `Raw`.

    Args:
        giop: the layer of messages.
        data: what has come and was not handed out.
        metadata: what scapy keeps of one direction, until something is handed out.
        session: what is kept of both.
    """
    if "original" not in metadata:
        found = None if "directions" in session else _next(giop, data)  # a TCPSession asks again, of what was left
        if found is None:
            return None
        packet, rest = found
        return packet / conf.padding_layer(rest) if rest else packet
    source, target = _ends(metadata["original"])
    direction = session.setdefault("directions", {}).setdefault((source, target), _Direction())
    came_before = direction.place(len(data), metadata)
    if came_before is None:
        return None
    if came_before >= len(data):
        return conf.padding_layer(b"")
    rest = data[came_before:]
    packets: list[Packet] = []
    unstacked = 0
    while rest and (found := _next(giop, rest)) is not None:
        packet, behind = found
        _remember(packet, source, target, session.setdefault("operations", {}))
        if len(packets) < _STACKED:
            packets.append(packet)
        else:
            unstacked += len(rest) - len(behind)
        rest = behind
    if not packets:
        return None
    direction.delivered = direction.end - len(rest)
    if unstacked:
        end = len(data) - len(rest)
        packets.append(conf.raw_layer(data[end - unstacked : end]))
    if rest:
        packets.append(conf.padding_layer(rest))
    for lower, upper in pairwise(packets):
        lower.lastlayer().add_payload(upper)
    return packets[0]


def _ends(packet: Packet) -> tuple[Any, Any]:
    segment = packet[TCP]
    return (getattr(segment.underlayer, "src", None), segment.sport), (getattr(segment.underlayer, "dst", None), segment.dport)


class _Direction:
    """Know how far one direction of a connection has come, in sequence numbers (modulo 2 ** 32).

    Attributes:
        delivered: behind the last octet that was handed out; None at the start.
        end: behind the last octet that has come.
        reached: behind the last octet before which none is missing.
        early: segments behind that, where they start and end.
    """

    def __init__(self) -> None:
        self.delivered: int | None = None
        self.end = 0
        self.reached = 0
        self.early: list[tuple[int, int]] = []

    def place(self, size: int, metadata: dict[str, Any]) -> int | None:
        """Return how many of the octets that scapy has collected came before; None where some are missing."""
        segment = metadata["original"][TCP]
        seq, length = segment.seq, len(segment.payload.original)
        begun_anew = "collecting" not in metadata and "next_seq" not in metadata
        metadata["collecting"] = True
        if begun_anew or _ahead(seq + length, self.end) > 0:
            self.end = seq + length
        start = self.end - size
        if self.delivered is None or abs(_ahead(seq, self.delivered)) > _WINDOW:
            self.delivered = self.reached = start
            self.early = []
        self._reach(seq, seq + length)
        if len(self.early) > _PATIENCE or (self.early and "tcp_end" in metadata):
            self.reached, self.early = self.end, []
            self.delivered = start if _ahead(start, self.delivered) > 0 else self.delivered
        if self.early:
            return None
        metadata["seq"] = self.end - length & _MASK  # scapy takes what is not `length` behind that for handed out
        return max(0, _ahead(self.delivered, start))

    def _reach(self, start: int, end: int) -> None:
        """Take a segment, and those that waited for it."""
        self.early.append((start, end))
        while ready := [known for known in self.early if _ahead(known[0], self.reached) <= 0]:
            self.early = [known for known in self.early if known not in ready]
            for _, stop in ready:
                self.reached = stop if _ahead(stop, self.reached) > 0 else self.reached


def _ahead(one: int, other: int) -> int:
    """Return how far a sequence number is behind another one in the stream."""
    return (one - other + 0x80000000 & _MASK) - 0x80000000


def _next(giop: type[Packet], data: bytes) -> tuple[Packet, bytes] | None:
    """Cut the first message, or what is none, off a stream; None if it is not whole."""
    if data[:4] != MAGIC[: len(data)]:
        end = _next_magic(data, 0)
    elif len(data) < HEADER_SIZE:
        return None
    else:
        size = HEADER_SIZE + int.from_bytes(data[8:12], "little" if data[6] & 1 else "big")
        if size <= DEFAULT_LIMITS.message_size:
            return (giop(data[:size]), data[size:]) if len(data) >= size else None
        end = _next_magic(data, HEADER_SIZE)  # not within the header: a part of it may be what StreamSocket read before
    return conf.raw_layer(data[:end]), data[end:]


def _next_magic(data: bytes, start: int) -> int:
    """Return where a message may begin, at `start` or behind it; the end if nowhere."""
    found = data.find(MAGIC, start)
    if found >= 0:
        return found
    ends = (length for length in range(len(MAGIC) - 1, 0, -1) if len(data) - length >= start and data.endswith(MAGIC[:length]))
    return len(data) - next(ends, 0)


def _remember(packet: Packet, source: Any, target: Any, operations: dict[Any, str]) -> None:
    """Keep which operation a Request calls, and dissect the results of a Reply by it."""
    request_id = getattr(packet, "cdr_request_id", None)
    if request_id is None:
        return
    if packet.message_type == MessageType.Request:
        operations[source, target, request_id] = packet.payload.operation
        if len(operations) > _PENDING:
            del operations[next(iter(operations))]
    elif packet.message_type == MessageType.Reply:
        operation = operations.pop((target, source, request_id), None)
        if operation is not None:
            packet.payload.cdr_answer(operation)

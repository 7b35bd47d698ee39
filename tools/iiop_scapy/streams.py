# SPDX-License-Identifier: GPL-2.0-only
"""How messages are found in a stream, for `TCPSession` and `StreamSocket`, which collect octets and ask.

The ways around scapy are here. A `TCPSession` of scapy 2.7 and 2.8 fills with zeros what is missing, takes the padding of a
frame for data, and loses count where sequence numbers begin again: so it is asked of one segment at a time, and those are put in
order here. It is given all messages of a segment at once, one stacked on the other. A `StreamSocket` cannot give back what it has
read before.

It must not know what is in a message, but for the operation that a Request calls: a session remembers it for the Reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from scapy.config import conf
from scapy.layers.inet import TCP
from scapy.packet import NoPayload, Packet, Padding

from iiop.exceptions.errors import RemoteProtocolError
from iiop.giop.fragments import Reassembler
from iiop.giop.header import HEADER_SIZE, MAGIC, MORE_FRAGMENTS, cut_header
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
    """Wait until a message is whole, with its fragments; octets that begin none are handed out up to the next magic.

    Of a segment with very many messages the last are `Raw`.

    Args:
        giop: the layer of messages.
        data: what has come and was not handed out; of a `TCPSession` not used.
        metadata: what scapy keeps of one direction, until something is handed out.
        session: what is kept of both.
    """
    if "original" not in metadata:
        return _first(giop, data, metadata, session)
    source, target = _ends(metadata["original"])
    segment = metadata["original"][TCP]
    directions = session.setdefault("directions", {})
    direction = directions.get((source, target))
    if direction is None or abs(_ahead(segment.seq, direction.reached)) > _WINDOW:
        direction = directions[source, target] = _Direction(segment.seq)
    packets: list[Packet] = []
    unstacked = bytearray()
    for octets in direction.place(segment, ends="tcp_end" in metadata):
        packet = _layer(giop, octets)
        _remember(packet, source, target, session.setdefault("operations", {}))
        if len(packets) < _STACKED:
            packets.append(packet)
        else:
            unstacked += octets
    if unstacked:
        packets.append(conf.raw_layer(bytes(unstacked)))
    for lower, upper in pairwise(packets):
        lower.lastlayer().add_payload(upper)
    if packets:
        return packets[0]
    if not direction.early:
        return conf.padding_layer(b"")  # so that scapy keeps nothing
    for name in ("seq", "relative_seq"):  # it asks again at the end, as it keeps something, which the next segment overwrites
        metadata.pop(name, None)
    return None


def _first(giop: type[Packet], data: bytes, metadata: dict[str, Any], session: dict[str, Any]) -> Packet | None:
    """Return the first message of a stream, and what is behind it as padding; None if none is whole."""
    fragments = session.setdefault("fragments", Reassembler(DEFAULT_LIMITS))
    rest = bytearray(data[metadata.get("joined", 0) :])
    for octets in _cut(rest):
        whole = _join(fragments, octets)
        if whole is not None:
            packet = _layer(giop, whole)
            return packet / conf.padding_layer(bytes(rest)) if rest else packet
        metadata["joined"] = len(data) - len(rest)
    return None


def _ends(packet: Packet) -> tuple[Any, Any]:
    segment = packet[TCP]
    return (getattr(segment.underlayer, "src", None), segment.sport), (getattr(segment.underlayer, "dst", None), segment.dport)


class _Direction:
    """Put the segments of one direction of a connection in order; sequence numbers are modulo 2 ** 32.

    Attributes:
        reached: behind the last octet before which none is missing.
        octets: those before it which no message has ended.
        early: segments behind it, where they start and what they hold.
        fragments: those of which more are to come.
    """

    def __init__(self, start: int) -> None:
        self.reached = start
        self.octets = bytearray()
        self.early: list[tuple[int, bytes]] = []
        self.fragments = Reassembler(DEFAULT_LIMITS)

    def place(self, segment: Packet, *, ends: bool) -> Iterator[bytes]:
        """Yield the messages, and what is none, that a segment ends.

        Args:
            segment: as captured.
            ends: whether no other one follows.
        """
        if not isinstance(segment.payload, NoPayload | Padding):
            self.early.append((segment.seq, segment.payload.original))
        yield from self._take()
        while self.early and (ends or len(self.early) > _PATIENCE):
            yield from self._lose()

    def _take(self) -> Iterator[bytes]:
        """Append the segments that nothing is missing before."""
        while ready := [known for known in self.early if _ahead(known[0], self.reached) <= 0]:
            self.early = [known for known in self.early if known not in ready]
            for start, octets in ready:
                new = octets[_ahead(self.reached, start) :]
                self.octets += new
                self.reached = self.reached + len(new) & _MASK
        for octets in _cut(self.octets):
            whole = _join(self.fragments, octets)
            if whole is not None:
                yield whole

    def _lose(self) -> Iterator[bytes]:
        """Go on behind what is missing."""
        if self.octets:
            yield bytes(self.octets)
        self.octets.clear()
        self.fragments.clear()
        self.reached = min((start for start, _ in self.early), key=lambda start: _ahead(start, self.reached))
        yield from self._take()


def _ahead(one: int, other: int) -> int:
    """Return how far a sequence number is behind another one in the stream."""
    return (one - other + 0x80000000 & _MASK) - 0x80000000


def _cut(data: bytearray) -> Iterator[bytes]:
    """Cut messages, and what is none, off the start of a stream, while they are whole."""
    while size := _size(data):
        octets = bytes(data[:size])
        del data[:size]
        yield octets


def _size(data: bytearray) -> int:
    """Return the size of the first message, or of what is none; 0 if it is not whole."""
    if not data.startswith(MAGIC[: len(data)]):
        return _next_magic(data, 0)
    if len(data) < HEADER_SIZE:
        return 0
    size = _message_size(data)
    if size > DEFAULT_LIMITS.message_size:
        return _next_magic(data, HEADER_SIZE)  # not within the header: a part of it may be what StreamSocket read before
    return size if size <= len(data) else 0


def _message_size(octets: bytes | bytearray) -> int:
    return HEADER_SIZE + int.from_bytes(octets[8:12], "little" if octets[6] & 1 else "big")


def _next_magic(data: bytearray, start: int) -> int:
    """Return where a message may begin, at `start` or behind it; the end if nowhere."""
    found = data.find(MAGIC, start)
    if found >= 0:
        return found
    ends = (length for length in range(len(MAGIC) - 1, 0, -1) if len(data) - length >= start and data.endswith(MAGIC[:length]))
    return len(data) - next(ends, 0)


def _join(fragments: Reassembler, octets: bytes) -> bytes | None:
    """Return a whole message; None if more of it is to come; fragments of no message, and what is none, as they are."""
    if not _is_message(octets) or not (octets[6] & MORE_FRAGMENTS or octets[7] == MessageType.Fragment):
        return octets
    try:
        return fragments.add(cut_header(octets, DEFAULT_LIMITS), octets)
    except RemoteProtocolError:
        return octets


def _is_message(octets: bytes) -> bool:
    return octets.startswith(MAGIC) and len(octets) >= HEADER_SIZE and len(octets) == _message_size(octets)


def _layer(giop: type[Packet], octets: bytes) -> Packet:
    return giop(octets) if _is_message(octets) else conf.raw_layer(octets)


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

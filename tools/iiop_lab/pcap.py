"""What was said over TCP, written as a pcap file that Wireshark and tshark read.

Nothing is captured: whoever sends and receives tells what was said, and the file is made of that, with Ethernet, IP and TCP
headers around it as a capture would have them. So it needs no privilege; what the kernel did (segments, acknowledgements,
windows) is not in it.

Invariants: the octets of a direction are in the order in which they were told; a connection is written once, although both of its
ends may tell of it. It must not know sockets, nor GIOP.

Source: the pcap file format (draft-ietf-opsawg-pcap), link type 1; RFC 791, 8200, 9293.
"""

from __future__ import annotations

import ipaddress
import struct
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

__all__ = ["Conversation", "Traffic"]

LIMIT = 64 * 1024 * 1024
"""Octets kept of one `Traffic`; of what comes later only the headers are written."""

_FIN, _SYN, _RST, _PSH, _ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_SEGMENT = 32 * 1024
_GLOBAL = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_ETHERNET = b"\x02\0\0\0\0\2\x02\0\0\0\0\1"

Address = tuple[str, int]


class _Said(NamedTuple):
    """Hold what one end did at a moment: `flags` of TCP, and octets, or how many if they are not kept."""

    at: float
    conversation: Conversation
    by_client: bool
    flags: int
    octets: bytes
    size: int


class Conversation:
    """Be told of one connection.

    What comes after its end is dropped: two threads may tell of a reset and of an end at a time.

    Args:
        traffic: to which it belongs.
        client, server: their addresses.
        accepted: told by the server's side; of a connection of which both sides tell, this is what is written.
    """

    def __init__(self, traffic: Traffic, client: Address, server: Address, *, accepted: bool) -> None:
        self.client = client
        self.server = server
        self.accepted = accepted
        self._traffic = traffic
        self._ended = {True: False, False: False}
        traffic.add(self, True, _SYN)

    def says(self, octets: bytes | bytearray | memoryview[Any], *, by_client: bool) -> None:
        """Tell that one end sent octets."""
        if octets and not self._ended[by_client]:
            self._traffic.add(self, by_client, _PSH | _ACK, bytes(octets))

    def ends(self, *, by_client: bool) -> None:
        """Tell that one end sends nothing more."""
        if not self._ended[by_client]:
            self._ended[by_client] = True
            self._traffic.add(self, by_client, _FIN | _ACK)

    def reset(self, *, by_client: bool) -> None:
        """Tell that one end cut the connection."""
        if not (self._ended[True] and self._ended[False]):
            self._ended = {True: True, False: True}
            self._traffic.add(self, by_client, _RST | _ACK)


class Traffic:
    """Keep what was said on some connections, by any threads.

    Args:
        limit: octets that are kept.
        now: the time, in seconds since 1970.

    Attributes:
        dropped: octets that came when the limit was reached.
    """

    def __init__(self, limit: int = LIMIT, now: Callable[[], float] = time.time) -> None:
        self.dropped = 0
        self._left = limit
        self._now = now
        self._lock = threading.Lock()
        self._said: list[_Said] = []

    def __bool__(self) -> bool:
        return bool(self._said)

    def add(self, conversation: Conversation, by_client: bool, flags: int, octets: bytes = b"") -> None:
        """Keep what one end of a conversation did."""
        size = len(octets)
        with self._lock:
            if size > self._left:
                self.dropped += size
                octets = b""
            self._left -= len(octets)
            self._said.append(_Said(self._now(), conversation, by_client, flags, octets, size))

    def write(self, path: Path) -> None:
        """Write the file, with what has been said until now.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            said = tuple(self._said)
        path.parent.mkdir(parents=True, exist_ok=True)
        accepted = {(s.conversation.client, s.conversation.server) for s in said if s.conversation.accepted}
        with path.open("wb") as file:
            file.write(_GLOBAL.pack(0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
            streams: dict[Conversation, _Stream] = {}
            for event in said:
                talk = event.conversation
                if not talk.accepted and (talk.client, talk.server) in accepted:
                    continue
                stream = streams.get(talk)
                if stream is None:
                    stream = streams[talk] = _Stream(talk, len(streams) + 1)
                for packet, size in stream.packets(event):
                    _write(file, event.at, packet, size)


def _write(file: BinaryIO, at: float, packet: bytes, size: int) -> None:
    seconds = int(at)
    file.write(_RECORD.pack(seconds, int((at - seconds) * 1_000_000), len(packet), size) + packet)


class _Stream:
    """Make the packets of one conversation, and know how far its sequence numbers are."""

    def __init__(self, conversation: Conversation, number: int) -> None:
        self._client = _packed(conversation.client)
        self._server = _packed(conversation.server)
        first = number * 0x9E3779B1 & 0xFFFFFFFF  # others than those of a stream with the same ports
        self._next = {True: first, False: first ^ 0x80000000}

    def packets(self, said: _Said) -> Iterator[tuple[bytes, int]]:
        """Return the packets that say something, each with the size that it had if everything had been kept."""
        if said.flags == _SYN:
            yield self._packet(True, _SYN)
            yield self._packet(False, _SYN | _ACK)
            yield self._packet(True, _ACK)
        elif not said.size:
            yield self._packet(said.by_client, said.flags)
        else:
            for start in range(0, said.size, _SEGMENT):
                size = min(_SEGMENT, said.size - start)
                yield self._packet(said.by_client, said.flags, said.octets[start : start + size], size)

    def _packet(self, by_client: bool, flags: int, octets: bytes = b"", size: int = 0) -> tuple[bytes, int]:
        (source, source_port), (target, target_port) = (self._client, self._server) if by_client else (self._server, self._client)
        sequence, heard = self._next[by_client], 0 if flags == _SYN else self._next[not by_client]
        self._next[by_client] = (sequence + size + (flags & (_SYN | _FIN) != 0)) & 0xFFFFFFFF
        length = _TCP.size + size
        pseudo = source + target + struct.pack("!II", length, 6)
        fields = (source_port, target_port, sequence, heard, _TCP.size // 4 << 4, flags, 65535)
        checksum = _checksum(pseudo + _TCP.pack(*fields, 0, 0) + octets)
        tcp = _TCP.pack(*fields, checksum, 0) + octets
        if len(source) == 4:
            head = (0x45, 0, _IPV4.size + length, 0, 0x4000, 64, 6)
            ip = b"\x08\0" + _IPV4.pack(*head, _checksum(_IPV4.pack(*head, 0, source, target)), source, target)
        else:
            ip = b"\x86\xdd" + _IPV6.pack(6 << 28, length, 6, 64, source, target)
        packet = _ETHERNET + ip + tcp
        return packet, len(packet) - len(octets) + size


def _packed(address: Address) -> tuple[bytes, int]:
    host = ipaddress.ip_address(address[0].partition("%")[0])
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:
        host = host.ipv4_mapped
    return host.packed, address[1]


def _checksum(octets: bytes) -> int:
    words = array("H", octets + b"\0" * (len(octets) % 2))
    if sys.byteorder == "little":
        words.byteswap()
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

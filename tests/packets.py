"""Packets and capture files made by hand, for tests of what reads them."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

ETHERNET, COOKED, COOKED_2, NULL, LOOP, RAW = 1, 113, 276, 0, 108, 101
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

End = tuple[str, int]


def tcp(source: End, target: End, sequence: int, octets: bytes = b"", flags: int = PSH | ACK, ack: int = 0) -> bytes:
    """Return an IP packet with a segment of TCP, checksums left out."""
    segment = struct.pack("!HHIIBBHHH", source[1], target[1], sequence & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
    return ip(source[0], target[0], segment + octets)


def ip(source: str, target: str, payload: bytes, protocol: int = 6, fragment: int = 0x4000) -> bytes:
    """Return an IP packet of the version that the addresses are of."""
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    if len(addresses) == 8:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, fragment, 64, protocol, 0) + addresses + payload
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + addresses + payload


def framed(link: int, packet: bytes, *, vlans: int = 0) -> bytes:
    """Return a packet as it is captured on a link."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0"
    if link == ETHERNET:
        return bytes(12) + b"\x81\0\0\x05" * vlans + kind + packet
    if link == COOKED:
        return bytes(14) + kind + packet
    if link == COOKED_2:
        return kind + bytes(18) + packet
    if link in (NULL, LOOP):
        family = 30 if packet[0] >> 4 == 6 else 2
        return struct.pack("<I" if link == NULL else ">I", family) + packet
    return packet


def pcap(packets: Iterable[tuple[int, bytes]], link: int = ETHERNET, *, order: str = "<", nanoseconds: bool = False) -> bytes:
    """Return a pcap file of packets and their times in nanoseconds."""
    out = struct.pack(f"{order}IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for at, octets in packets:
        seconds, fraction = divmod(at, 10**9)
        if not nanoseconds:
            fraction //= 1000
        out += struct.pack(f"{order}IIII", seconds, fraction, len(octets), len(octets)) + octets
    return out


def pcapng(packets: Iterable[tuple[int, bytes]], link: int = ETHERNET, *, order: str = "<", nanoseconds: bool = False) -> bytes:
    """Return a pcapng file of one section, with blocks that are no packets among those that are."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack(f"{order}I", len(body) + 12)
        return struct.pack(f"{order}I", kind) + size + body + size

    out = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(f"{order}HHB3x", 9, 1, 9) + bytes(4) if nanoseconds else b""
    out += block(1, struct.pack(f"{order}HHI", link, 0, 0) + options)
    for at, octets in packets:
        ticks = at if nanoseconds else at // 1000
        out += block(6, struct.pack(f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets)) + octets)
        out += block(5, bytes(12))
    return out

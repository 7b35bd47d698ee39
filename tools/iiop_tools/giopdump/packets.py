"""Packets: where in one the segment of TCP is, and what its header says.

Ethernet with VLAN tags, Linux cooked (both versions), loopback, raw IP; IPv4, IPv6 with extension headers, in fragments too.
Packets that are something else are counted, by what they are. It must not know what TCP carries.

Source: RFC 791, 8200, 9293, IEEE 802.1Q; link types as listed by tcpdump.org.
"""

from __future__ import annotations

import ipaddress
import struct
from collections import Counter
from typing import NamedTuple

from iiop_tools.giopdump.datagrams import Datagrams

__all__ = ["ACK", "FIN", "RST", "SYN", "Dissector", "Segment", "ends", "reversed_flow"]

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

_NULL, _ETHERNET, _LOOP, _COOKED, _COOKED_2 = 0, 1, 108, 113, 276
_RAW = frozenset((12, 14, 101, 228, 229))
_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN = frozenset((0x8100, 0x88A8, 0x9100))
_TCP_PROTOCOL, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_OPTIONS = frozenset((0, 43, 60, _AUTHENTICATION))
"""Extension headers of IPv6 that are passed over."""

_two = struct.Struct("!H").unpack_from
_ipv4 = struct.Struct("!BxHxxHxB").unpack_from
_tcp = struct.Struct("!IIBB").unpack_from


class Segment(NamedTuple):
    """Hold one segment of TCP.

    Attributes:
        flow: addresses and ports of sender and receiver, as octets; see `ends` and `reversed_flow`.
        missing: octets of it that were not captured, behind those that were.
    """

    flow: bytes
    sequence: int
    acknowledged: int
    flags: int
    octets: bytes
    missing: int


def reversed_flow(flow: bytes) -> bytes:
    """Return what identifies the other direction."""
    half = (len(flow) - 4) // 2
    return flow[half:-4] + flow[:half] + flow[-2:] + flow[-4:-2]


def ends(flow: bytes) -> tuple[str, str]:
    """Return sender and receiver as `host:port`.

    >>> ends(bytes((127, 0, 0, 1, 10, 0, 0, 2, 0x1F, 0x42, 0, 80)))
    ('127.0.0.1:8002', '10.0.0.2:80')
    """
    half = (len(flow) - 4) // 2
    source, target = (ipaddress.ip_address(octets) for octets in (flow[:half], flow[half:-4]))
    form = "[{}]:{}" if half == 16 else "{}:{}"
    source_port, target_port = struct.unpack("!HH", flow[-4:])
    return form.format(source, source_port), form.format(target, target_port)


class Dissector:
    """Find segments in packets.

    Args:
        port: only those from and to this port; None for all.

    Attributes:
        packets: how many there were.
        passed_over: why packets that might hold something were not read, and how many.
        cut: packets of TCP that were captured in part.
    """

    def __init__(self, port: int | None = None) -> None:
        self.packets = 0
        self.cut = 0
        self.passed_over: Counter[str] = Counter()
        self._datagrams = Datagrams()
        self._port = None if port is None else struct.pack("!H", port)

    def segment(self, link: int, octets: bytes) -> Segment | None:
        """Return the segment in a packet; None if there is none."""
        self.packets += 1
        try:
            kind, at = self._network(link, octets)
            if kind == _IPV4:
                first, total, fragment, protocol = _ipv4(octets, at)
                tcp = at + (first & 15) * 4
                addresses = octets[at + 12 : at + 20]
                end = at + total if total else len(octets)  # 0 where the network card was to cut it into segments
                if fragment & 0x3FFF:
                    if protocol != _TCP_PROTOCOL:
                        return None
                    key, place = addresses + octets[at + 4 : at + 6], (fragment & 0x1FFF) * 8
                    whole = self._whole(key, place, octets, tcp, end, more=bool(fragment & 0x2000))
                    if whole is None:
                        return None
                    octets, tcp, end = whole, 0, len(whole)
            elif kind == _IPV6:
                length, protocol = struct.unpack_from("!HB", octets, at + 4)
                addresses = octets[at + 8 : at + 40]
                end = at + 40 + length if length else len(octets)
                tcp = at + 40
                while protocol in _OPTIONS or protocol == _FRAGMENT:
                    if protocol == _FRAGMENT:
                        protocol, fragment = struct.unpack_from("!BxH", octets, tcp)
                        if fragment & 0xFFF9 and protocol != _TCP_PROTOCOL and protocol not in _OPTIONS:
                            return None
                        key, tcp = addresses + octets[tcp + 4 : tcp + 8], tcp + 8
                        if fragment & 0xFFF9:
                            whole = self._whole(key, fragment & 0xFFF8, octets, tcp, end, more=bool(fragment & 1))
                            if whole is None:
                                return None
                            octets, tcp, end = whole, 0, len(whole)
                    else:
                        units = octets[tcp + 1]
                        protocol, tcp = octets[tcp], tcp + ((units + 2) * 4 if protocol == _AUTHENTICATION else (units + 1) * 8)
            else:
                return None
            if protocol != _TCP_PROTOCOL:
                return None
            ports = octets[tcp : tcp + 4]
            if self._port is not None and self._port not in (ports[:2], ports[2:]):
                return None
            sequence, acknowledged, offset, flags = _tcp(octets, tcp + 4)
            start = tcp + (offset >> 4) * 4
            data = octets[start:end]
            missing = end - start - len(data)
            if missing > 0:
                self.cut += 1
            else:
                missing = 0
            return Segment(addresses + ports, sequence, acknowledged, flags, data, missing)
        except (struct.error, IndexError):
            self.cut += 1
            return None

    def _whole(self, key: bytes, place: int, octets: bytes, start: int, end: int, *, more: bool) -> bytes | None:
        """Return what the datagram carries that a fragment is of; None if it is not whole as yet."""
        datagrams, whole = self._datagrams, None
        if end > len(octets):
            self.cut += 1
            datagrams.left_over += 1
        else:
            whole = datagrams.add(key, place, octets[start:end], more=more, packet=self.packets)
        self.passed_over["IP fragments"] = datagrams.left_over
        return whole

    def _network(self, link: int, octets: bytes) -> tuple[int, int]:
        """Return the number of the network protocol, and where it begins."""
        if link == _ETHERNET:
            (kind,), at = _two(octets, 12), 14
        elif link == _COOKED:
            (kind,), at = _two(octets, 14), 16
        elif link == _COOKED_2:
            (kind,), at = _two(octets, 0), 20
        elif link in _RAW:
            return {4: _IPV4, 6: _IPV6}.get(octets[0] >> 4, 0), 0
        elif link in (_NULL, _LOOP):
            return {4: _IPV4, 6: _IPV6}.get(octets[4] >> 4, 0), 4  # each system has its own number for IPv6
        else:
            self.passed_over[f"packets of link type {link}"] += 1
            return 0, 0
        while kind in _VLAN:
            (kind,), at = _two(octets, at + 2), at + 4
        return kind, at

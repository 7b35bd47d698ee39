"""scapy.*: dissecting captured messages as scapy layers, against what our codecs take for the same; stated, without a target.

A call is one message, so 10 ** 6 / µs of them pass in a second, but where the row says otherwise.
"""

from __future__ import annotations

import dataclasses

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession

from iiop.giop.messages import Body, Reply, Request
from iiop.giop.wire import decode, encode
from iiop_scapy import GIOP
from naming.interfaces import NamingContextExt
from tests.bench.harness import Sides, row
from tests.scapy.stream_of import VECTORS, segments

RESOLVE = NamingContextExt.operations()["resolve"]
CALL = [VECTORS["1.2-resolve-request"], VECTORS["1.2-resolve-reply"]]


def decoded(octets: bytes) -> object:
    """Return a message and what is in its body."""
    message = decode(octets)
    assert isinstance(message, Request | Reply)
    return message, message.body.decode(RESOLVE.arguments if isinstance(message, Request) else RESOLVE.results)


@row("scapy.request")
def _request() -> Sides:
    """dissect a Request of resolve: GIOP, header, arguments as layers; header and arguments by our codecs"""
    return lambda: GIOP(CALL[0]), lambda: decoded(CALL[0])


@row("scapy.build")
def _build() -> Sides:
    """build a Request of resolve: layers from their fields; our codecs from values"""
    packet = GIOP(CALL[0])
    packet.clear_cache()
    message = decode(CALL[0])
    assert isinstance(message, Request)
    body = Body.of(RESOLVE.arguments, message.body.decode(RESOLVE.arguments))
    built = dataclasses.replace(message, body=body)
    assert bytes(packet) == encode(built)
    return lambda: bytes(packet), lambda: encode(built)


@row("scapy.session", unit="ms")
def _session() -> Sides:
    """a connection of 100 calls of resolve, 200 messages: sniffed by a TCPSession, results by their Requests; our codecs"""
    there, back = segments(CALL[:1] * 100), segments(CALL[1:] * 100, sport=8002, dport=40000)
    for packet in back:
        packet[IP].src, packet[IP].dst = packet[IP].dst, packet[IP].src
    captured = [bytes(packet) for pair in zip(there, back, strict=True) for packet in pair]

    def sniffed() -> list[Packet]:
        packets = [Ether(octets, stop_dissection_after=TCP) for octets in captured]
        return list(sniff(offline=packets, session=TCPSession))

    assert [packet.lastlayer().name for packet in sniffed()] == ["resolve", "resolve result"] * 100
    return sniffed, lambda: [decoded(octets) for octets in CALL * 100]

"""Messages in streams: `TCPSession` and `StreamSocket`, with pieces of any size, late ones, and ones that come twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence

import pytest
from scapy.config import conf
from scapy.packet import Packet, Raw
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession
from scapy.supersocket import StreamSocket

from iiop_scapy import GIOP
from tests.scapy.stream_of import VECTORS, pieces, segments


@pytest.fixture(autouse=True)
def errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scapy hides a dissector's exceptions unless it is told not to."""
    monkeypatch.setattr(conf, "debug_dissector", 1)


STREAM = [octets for name, octets in VECTORS.items() if "large" not in name] + [VECTORS["1.2-bind-large-request"]]


def cuts() -> Iterator[tuple[str, list[bytes]]]:
    whole = b"".join(STREAM)
    yield "as sent", STREAM
    yield "merged", pieces(whole, 60_000)
    for size in (1, 7, 100, 1460):
        yield f"pieces of {size}", pieces(whole, size)


CUTS = dict(cuts())


def messages(packets: Sequence[Packet]) -> list[bytes]:
    """Return the messages that a session found; several may be stacked on the last segment of theirs."""
    found = []
    for packet in packets:
        layer = packet.getlayer(GIOP)
        while layer is not None:
            assert "malformed" not in layer.mysummary()
            found.append(layer.do_build()[: 12 + layer.message_size])
            layer = layer.payload.getlayer(GIOP)
    return found


@pytest.mark.parametrize("name", [name for name in CUTS if name != "pieces of 1"])
def test_tcp_session(name: str) -> None:
    assert messages(sniff(offline=segments(CUTS[name]), session=TCPSession)) == STREAM


def test_tcp_session_with_what_comes_twice_and_late() -> None:
    """Within a message; a segment that comes again after its message was whole is shown again, TCPSession forgets it."""
    octets = max(STREAM, key=len)
    data = segments(pieces(octets, 100))
    assert len(data) > 10
    packets = [*data[:4], data[5], data[4], *data[6:8], data[7], data[2], *data[8:]]
    assert messages(sniff(offline=packets, session=TCPSession)) == [octets]


def test_tcp_session_that_starts_in_the_middle() -> None:
    packets = sniff(offline=segments([STREAM[0][20:] + STREAM[1], STREAM[2]]), session=TCPSession)
    assert messages(packets) == STREAM[1:3]


def test_tcp_session_of_two_connections() -> None:
    there, back = segments(CUTS["pieces of 100"][:20]), segments(CUTS["pieces of 100"][:20], sport=8002, dport=40000)
    found = messages(sniff(offline=[packet for pair in zip(there, back, strict=True) for packet in pair], session=TCPSession))
    assert sorted(found) == sorted(2 * STREAM[: len(found) // 2])


@pytest.mark.parametrize("name", CUTS)
def test_stream_socket(name: str) -> None:
    near, far = socket.socketpair()
    stream = StreamSocket(far, GIOP)

    def feed() -> None:
        for octets in CUTS[name]:
            near.sendall(octets)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for expected in STREAM:
            packet = stream.recv()
            assert isinstance(packet, GIOP)
            assert bytes(packet) == expected
    finally:
        stream.close()
        feeder.join()
        near.close()


def test_stream_socket_skips_what_is_no_message() -> None:
    near, far = socket.socketpair()
    stream = StreamSocket(far, GIOP)
    try:
        near.sendall(b"half a message" + STREAM[0] + b"GIOP\x01\x02\x01\x00\xff\xff\xff\xff" + STREAM[1])
        assert stream.recv() == Raw(b"half a message")
        assert bytes(stream.recv()) == STREAM[0]
        assert stream.recv() == Raw(b"GIOP\x01\x02\x01\x00\xff\xff\xff\xff")
        assert bytes(stream.recv()) == STREAM[1]
    finally:
        near.close()
        stream.close()

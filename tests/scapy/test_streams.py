"""Messages in streams: `TCPSession` and `StreamSocket`, with pieces of any size, late ones, and ones that come twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Padding, Raw
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession
from scapy.supersocket import StreamSocket

from iiop.giop.fragments import split
from iiop.giop.messages import GIOP_1_1, GIOP_1_2
from iiop_scapy import GIOP, NamingContextExt, ReplyHeader_1_2, RequestHeader_1_2, streams
from tests.scapy.stream_of import VECTORS, pieces, segments, write_pcap


@pytest.fixture(autouse=True)
def errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scapy hides a dissector's exceptions unless it is told not to."""
    monkeypatch.setattr(conf, "debug_dissector", 1)


SMALL = [octets for name, octets in VECTORS.items() if "large" not in name]
LARGE = {
    version: [VECTORS[f"{version}-bind-large-{piece}"] for piece in ("request", "fragment", "fragment-2")]
    for version in ("1.1", "1.2")
}
"""A Request in three pieces."""


def joined(pieces: Sequence[bytes], data: int) -> bytes:
    """Return a little-endian message in pieces as one; the data of later ones begin at an offset."""
    octets = pieces[0][12:] + b"".join(piece[data:] for piece in pieces[1:])
    return pieces[0][:6] + b"\1" + pieces[0][7:8] + len(octets).to_bytes(4, "little") + octets


STREAM = [*SMALL, *(VECTORS[f"{version}-list-request"] for version in (GIOP_1_1, GIOP_1_2))]


def cuts() -> Iterator[tuple[str, list[bytes]]]:
    fragments = [piece for version in (GIOP_1_1, GIOP_1_2) for piece in split(VECTORS[f"{version}-list-request"], version, 32)]
    sent = [*SMALL, *fragments]
    whole = b"".join(sent)
    yield "as sent", sent
    assert len(fragments) >= 4
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
    octets = max(SMALL, key=len)
    data = segments(pieces(octets, 20))
    assert len(data) > 10
    packets = [*data[:4], data[5], data[4], *data[6:8], data[7], data[2], *data[8:]]
    assert messages(sniff(offline=packets, session=TCPSession)) == [octets]


@pytest.mark.parametrize("name", ["as sent", "pieces of 100", "pieces of 1460"])
@pytest.mark.parametrize("seq", [1000, 2**32 - 1001, 2**32 - 130])
def test_tcp_session_with_segments_that_come_again(name: str, seq: int) -> None:
    """Each segment a second time, after itself and after those behind it; with sequence numbers that begin again, too."""
    data = segments(CUTS[name], seq)
    assert messages(sniff(offline=data, session=TCPSession)) == STREAM
    late = [packet for i, later in enumerate(data) for packet in (later, later, *data[max(0, i - 2) : i])]
    assert messages(sniff(offline=late, session=TCPSession)) == STREAM


@pytest.mark.parametrize("version", LARGE)
def test_fragments_are_put_together(version: str) -> None:
    first, *others = LARGE[version]
    between = VECTORS["1.2-resolve-reply"]
    (*_, packet) = sniff(offline=segments([first, between, *others]), session=TCPSession)
    assert isinstance(packet.lastlayer(), NamingContextExt["bind"].arguments)
    assert packet.summary().endswith(f"GIOP {version} Request {packet.request_id} bind b'NameService'")
    assert bytes(packet[GIOP]) == joined(LARGE[version], 12 if version == "1.1" else 16)


def test_results_in_fragments() -> None:
    there = segments([VECTORS["1.2-list-large-request"]], sport=40000, dport=2809)
    answer = [VECTORS[f"1.2-list-large-{piece}"] for piece in ("reply", "fragment", "fragment-2")]
    back = segments(answer, sport=2809, dport=40000)
    for segment in back:
        segment[IP].src, segment[IP].dst = segment[IP].dst, segment[IP].src
    _, packet = sniff(offline=there + back, session=TCPSession)
    assert packet.lastlayer().name == "list result"


def test_fragments_of_no_message_are_shown_as_they_are() -> None:
    _, *others = LARGE["1.2"]
    assert messages(sniff(offline=segments([*others, STREAM[0]]), session=TCPSession)) == [*others, STREAM[0]]


def test_fragments_of_which_one_is_lost_are_not_put_together() -> None:
    data = segments([*LARGE["1.1"], *SMALL[:10]])
    assert messages(sniff(offline=[data[0], *data[2:]], session=TCPSession)) == [LARGE["1.1"][2], *SMALL[:10]]


@pytest.mark.parametrize("flags", ["A", "FA"])
def test_tcp_session_with_frames_that_are_padded(flags: str) -> None:
    """An Ethernet frame has at least 60 octets: what is behind a segment without data is none."""
    (empty,) = segments([b""], 1000 + len(STREAM[0]))
    empty[TCP].flags = flags
    padded = Ether(bytes(empty) + bytes(6))
    assert isinstance(padded[TCP].payload, Padding)
    first, *others = segments(STREAM[:3])
    assert messages(sniff(offline=[first, padded, *others], session=TCPSession)) == STREAM[:3]


def test_tcp_session_with_a_message_of_megabytes() -> None:
    octets = bytes(GIOP() / RequestHeader_1_2(operation="f") / bytes(3 << 20))
    data = segments([*pieces(octets, 60_000), STREAM[0]])
    large, small = sniff(offline=data, session=TCPSession)
    assert bytes(large[GIOP]) == octets
    assert bytes(small[GIOP]) == STREAM[0]


@pytest.mark.parametrize("name", ["as sent", "pieces of 100", "pieces of 1460"])
def test_tcp_session_with_segments_in_another_order(name: str) -> None:
    data = segments(CUTS[name])
    for size in (2, 3, 5):
        mixed = [packet for at in range(1, len(data), size) for packet in reversed(data[at : at + size])]
        assert messages(sniff(offline=[data[0], *mixed], session=TCPSession)) == STREAM


def test_tcp_session_with_a_segment_that_is_lost() -> None:
    """What comes behind it waits for a while, or for the end."""
    data = segments(STREAM[:20])
    assert messages(sniff(offline=[*data[:5], *data[6:]], session=TCPSession)) == STREAM[:5] + STREAM[6:20]
    assert messages(sniff(offline=[*data[:5], *data[6:8]], session=TCPSession)) == STREAM[:5]
    data[7][TCP].flags = "FA"
    assert messages(sniff(offline=[*data[:5], *data[6:8]], session=TCPSession)) == STREAM[:5] + STREAM[6:8]
    data[7][TCP].flags = "PA"
    (end,) = segments([b""], data[8][TCP].seq)
    end[TCP].flags = "FA"
    assert messages(sniff(offline=[*data[:5], *data[6:8], end], session=TCPSession)) == STREAM[:5] + STREAM[6:8]


def test_tcp_session_with_a_segment_that_is_lost_within_a_message() -> None:
    """What is there of the message is left as octets, and nothing is made up."""
    octets = max(SMALL, key=len)
    data = segments([*pieces(octets, 50), *STREAM[:20]])
    assert len(data) > 24
    packets = sniff(offline=[*data[:3], *data[4:]], session=TCPSession)
    assert messages(packets) == STREAM[:20]
    assert packets[0][TCP].payload.load == octets[:150]


def test_tcp_session_with_very_many_messages_in_a_segment() -> None:
    """Scapy recurses into layers: as many are stacked as it stands, the others are left as octets; what follows is not."""
    message = VECTORS["1.2-resolve-request"]
    data = segments([message * 400 + message[:20], message[20:], message])
    packets = sniff(offline=data, session=TCPSession)
    assert len(packets) == 3
    assert messages(packets[:1]) == [message] * 80
    assert packets[0].lastlayer() == Raw(message * 320)
    assert bytes(packets[0][GIOP]) == message * 400
    assert packets[0].copy().summary()
    assert packets[0].show(dump=True)
    assert messages(packets[1:]) == [message] * 2


def test_tcp_session_with_a_segment_that_overlaps() -> None:
    whole = b"".join(STREAM[:2])
    end = len(STREAM[0])
    packets = segments([STREAM[0]]) + segments([whole[10:]], 1010) + segments([STREAM[2]], 1000 + len(whole))
    assert end > 10
    assert messages(sniff(offline=packets, session=TCPSession)) == STREAM[:3]


def test_tcp_session_of_a_connection_with_the_ports_of_another() -> None:
    packets = segments(STREAM[:3], 2**31) + segments(STREAM[3:6], 1000) + segments(STREAM[6:8], 2**30)
    assert messages(sniff(offline=packets, session=TCPSession)) == STREAM[:8]


def test_tcp_session_finds_results_by_their_requests(tmp_path: Path) -> None:
    write_pcap(tmp_path / "calls.pcap", ["1.2-resolve", "1.0-list", "1.2-resolve-not-found", "1.1-is_a", "1.2-unknown-key"])
    packets = [packet for packet in sniff(offline=str(tmp_path / "calls.pcap"), session=TCPSession) if GIOP in packet]
    assert [packet.lastlayer().name for packet in packets] == [
        *("resolve", "resolve result", "list", "list result", "resolve", "NotFound"),
        *("_is_a", "_is_a result", "_is_a", "SystemExceptionReplyBody"),
    ]
    assert packets[1].result0.type_id == packets[1].lastlayer().cdr_value()[0].type_id
    assert packets[3].result0[0].binding_name[0].id
    assert packets[7].result0 in (True, False)


def test_results_of_a_request_that_is_given() -> None:
    request, reply = GIOP(VECTORS["1.2-resolve-request"]), GIOP(VECTORS["1.2-resolve-reply"])
    assert isinstance(reply.lastlayer(), Raw)
    reply.dissect_answer(GIOP(VECTORS["1.2-list-request"]))
    assert isinstance(reply.lastlayer(), Raw)
    reply.dissect_answer(request)
    assert isinstance(reply.lastlayer(), NamingContextExt["resolve"].results)
    assert bytes(reply) == VECTORS["1.2-resolve-reply"]


def test_a_session_remembers_so_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PENDING", 2)
    asked = [GIOP() / RequestHeader_1_2(request_id=i, operation="_is_a") for i in range(4)]
    answered = [GIOP() / ReplyHeader_1_2(request_id=i) / NamingContextExt["_is_a"].results(result0=True) for i in range(4)]
    there = segments([b"".join(map(bytes, asked))])
    back = segments([bytes(packet) for packet in answered], sport=8002, dport=40000)
    for segment in back:
        segment[IP].src, segment[IP].dst = segment[IP].dst, segment[IP].src
    found = sniff(offline=[*there, *back], session=TCPSession)[1:]
    assert ["result0" in packet.lastlayer().default_fields for packet in found] == [False, False, True, True]


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


@pytest.mark.parametrize("junk", [b"GIOPGIOP\xff\xff\xff\xff", b"GIGI", b"GIOP\x01\x02\x01\x00\xff\xff\xff\xff", b"xyzGI"])
def test_stream_socket_that_gets_junk_octet_by_octet(junk: bytes) -> None:
    """Some octets of what is no message have been read when that shows; the magic behind it comes in pieces."""
    near, far = socket.socketpair()
    stream = StreamSocket(far, GIOP)
    whole = junk + STREAM[0]

    def feed() -> None:
        for octet in whole:
            near.sendall(bytes([octet]))

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        before = b""
        while not isinstance(packet := stream.recv(), GIOP):
            before += bytes(packet)
        assert before == junk
        assert bytes(packet) == STREAM[0]
    finally:
        feeder.join()
        near.close()
        stream.close()

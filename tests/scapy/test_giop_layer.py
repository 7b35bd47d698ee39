"""The scapy layer: real octets in, the same octets out; streams in pieces of any size."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Padding, Raw
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession
from scapy.supersocket import StreamSocket

import iiop_scapy
from iiop.cdr import ByteOrder
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.iop import ServiceContext
from iiop_scapy import GIOP, IIOP_PORTS, bind_iiop_port

VECTORS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[1] / "vectors" / "giop").glob("*.bin"))}
VERSIONS = [GIOP_1_0, GIOP_1_1, GIOP_1_2]


@pytest.fixture(autouse=True)
def errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scapy hides a dissector's exceptions unless it is told not to."""
    monkeypatch.setattr(conf, "debug_dissector", 1)


@pytest.mark.parametrize("name", VECTORS)
def test_real_octets(name: str) -> None:
    octets = VECTORS[name]
    packet = GIOP(octets)
    assert isinstance(packet, GIOP)
    assert bytes(packet) == octets
    assert Padding not in packet
    version, kind = name.split("-")[0], packet.sprintf("%GIOP.message_type%")
    assert packet.summary().startswith(f"GIOP {version} {kind}")
    assert "malformed" not in packet.summary()

    packet.clear_cache()
    packet.message_size = None  # built from its fields, the size filled in
    assert bytes(packet) == octets


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("version", VERSIONS)
def test_fields(version: Any, order: ByteOrder) -> None:
    octets = encode(LocateRequest(0x01020304, key_address(b"NameService"), version, order))
    packet = GIOP(octets)
    assert (packet.magic, packet.major, packet.minor) == (b"GIOP", version.major, version.minor)
    assert int(packet.flags) == order
    assert packet.flags.little_endian is (order is ByteOrder.LITTLE)
    assert packet.message_type == 3
    assert packet.message_size == len(octets) - 12
    assert packet.request_id == 0x01020304
    assert packet[Raw].load == octets[16:]


@pytest.mark.parametrize("order", ByteOrder)
def test_built_octets_are_what_we_decode(order: ByteOrder) -> None:
    built = bytes(GIOP(flags=int(order), message_type="CancelRequest", request_id=7))
    assert decode(built) == CancelRequest(7, GIOP_1_2, order)
    one = (1).to_bytes(4, "little" if order is ByteOrder.LITTLE else "big")
    built = bytes(GIOP(minor=0, flags=int(order), message_type="LocateReply", request_id=8) / Raw(one))
    assert decode(built) == LocateReply(8, LocateStatus.OBJECT_HERE, version=GIOP_1_0, byte_order=order)
    assert bytes(GIOP(message_type="CloseConnection", flags=int(order))) == encode(CloseConnection(GIOP_1_2, order))


def test_what_no_orb_would_send_can_be_built() -> None:
    odd = bytes(GIOP(magic=b"POIG", major=9, flags=0xFC, message_type=200, message_size=0xFFFFFFFF) / b"?")
    assert odd == b"POIG\x09\x02\xfc\xc8\xff\xff\xff\xff?"
    assert bytes(GIOP(message_size=0)) == b"GIOP\x01\x02\x01\x00\0\0\0\0"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Request(4, "resolve", key_address(b"NameService")), "GIOP 1.2 Request 4 resolve b'NameService'"),
        (Request(4, "f", key_address(b"k"), version=GIOP_1_0), "GIOP 1.0 Request 4 f b'k'"),
        (Reply(4), "GIOP 1.2 Reply 4 NO_EXCEPTION"),
        (LocateReply(4, LocateStatus.UNKNOWN_OBJECT), "GIOP 1.2 LocateReply 4 UNKNOWN_OBJECT"),
        (CancelRequest(4), "GIOP 1.2 CancelRequest 4"),
        (CloseConnection(), "GIOP 1.2 CloseConnection"),
    ],
)
def test_summary(message: Message, text: str) -> None:
    assert GIOP(encode(message)).mysummary() == text
    assert GIOP(encode(message) + b"padding").mysummary() == text


def test_summary_of_what_cannot_be_decoded() -> None:
    assert GIOP(bytes(GIOP(message_type="Request") / b"no request")).mysummary() == "GIOP 1.2 Request 0 (malformed)"
    assert GIOP(bytes(GIOP(message_type=99))).mysummary() == "GIOP 1.2 type 99 (malformed)"
    assert GIOP(VECTORS["1.2-bind-large-request"]).mysummary().endswith("(more fragments)")


@pytest.mark.parametrize(
    "octets", [b"", b"GIOP", b"GIOP\x01\x02\x01\x00\x08\0\0", b"HTTP/1.1 200 OK", b"GIOP\x01\x02\x01\x00\x08\0\0\0abc"]
)
def test_what_does_not_begin_with_a_header_is_raw(octets: bytes) -> None:
    packet = IP(bytes(IP(src="127.0.0.1", dst="127.0.0.1") / TCP(dport=8002) / Raw(octets)))
    assert GIOP not in packet
    assert bytes(packet[TCP].payload) == octets


def test_a_message_too_short_for_its_id() -> None:
    octets = b"GIOP\x01\x02\x01\x00\x02\0\0\0ab"
    packet = GIOP(octets)
    assert (packet.message_size, packet[Raw].load, bytes(packet)) == (2, b"ab", octets)


# --- questions and answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ByteOrder)
def test_answers(version: Any, order: ByteOrder) -> None:
    contexts = (ServiceContext(1, b"\0" * 12),)
    asked = GIOP(encode(Request(6, "f", key_address(b"k"), service_context=contexts, version=version)))
    replied = GIOP(encode(Reply(6, service_context=contexts, version=version, byte_order=order)))
    assert replied.answers(asked)
    assert asked.hashret() == replied.hashret() == b"\0\0\0\6"
    assert not asked.answers(replied)
    assert not GIOP(encode(Reply(7, version=version))).answers(asked)
    assert not GIOP(encode(LocateReply(6, LocateStatus.OBJECT_HERE, version=version))).answers(asked)
    assert not replied.answers(Raw(b"x"))


def test_answers_of_locate_requests() -> None:
    asked = GIOP(encode(LocateRequest(6, key_address(b"k"), GIOP_1_0)))
    assert GIOP(encode(LocateReply(6, LocateStatus.OBJECT_HERE, version=GIOP_1_0))).answers(asked)
    assert not GIOP(encode(Reply(6, version=GIOP_1_0))).answers(asked)


def test_messages_without_an_id_answer_nothing() -> None:
    close = GIOP(encode(CloseConnection()))
    assert close.hashret() == b""
    assert not close.answers(close)


# --- streams ----------------------------------------------------------------------------------------------------------

STREAM = [octets for name, octets in VECTORS.items() if "large" not in name] + [VECTORS["1.2-bind-large-request"]]


def pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def cuts() -> Iterator[tuple[str, list[bytes]]]:
    whole = b"".join(STREAM)
    yield "as sent", STREAM
    yield "merged", pieces(whole, 60_000)
    for size in (1, 7, 100, 1460):
        yield f"pieces of {size}", pieces(whole, size)


CUTS = dict(cuts())


def segments(data: Sequence[bytes], seq: int = 1000, **ports: int) -> list[Packet]:
    ports = ports or {"sport": 40000, "dport": 8002}
    made = []
    for octets in data:
        made.append(Ether() / IP(src="127.0.0.1", dst="127.0.0.2") / TCP(**ports, seq=seq, flags="PA") / Raw(octets))
        seq += len(octets)
    return [Ether(bytes(packet)) for packet in made]


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


# --- ports, and what the package is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("port", IIOP_PORTS)
def test_ports(port: int) -> None:
    for ports in ({"sport": 40000, "dport": port}, {"sport": port, "dport": 40000}):
        (packet,) = segments([STREAM[0]], **ports)
        assert bytes(packet[GIOP]) == STREAM[0]


def test_another_port() -> None:
    (packet,) = segments([STREAM[0]], sport=40000, dport=14002)
    assert GIOP not in packet
    bind_iiop_port(14002)
    assert GIOP in segments([STREAM[0]], sport=14002, dport=40000)[0]


def test_packets_built_go_to_interstage() -> None:
    bind_iiop_port(8002)
    assert (TCP() / GIOP()).dport == 8002


def test_the_license_is_stated() -> None:
    folder = Path(iiop_scapy.__path__[0])
    assert folder.joinpath("LICENSE.txt").read_text().startswith("SPDX-License-Identifier: GPL-2.0-only\n")
    for file in folder.glob("*.py"):
        assert file.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-only\n"), file


def test_nothing_of_ours_imports_it() -> None:
    code = (
        "import sys, iiop_lab.virtual_host, iiop_lab.pytest_plugin, iiop_tools.iortool, iiop_tools.nstool, naming, ior\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('scapy', 'iiop_scapy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=os.environ)
    assert done.stdout.strip() == "[]"

"""The layer `GIOP`: real octets in, the same octets out; fields, answers, ports, and what the package is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.packet import Padding, Raw

import iiop_scapy
from iiop.cdr import ByteOrder
from iiop.giop.header import MESSAGE_HEADER
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
from iiop_scapy import GIOP, IIOP_PORTS, CancelRequestHeader, LocateReplyHeader, bind_iiop_port
from tests.scapy.stream_of import VECTORS, segments

MESSAGE = VECTORS["1.2-resolve-request"]
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
    built = bytes(packet)
    assert len(built) == len(octets)  # omniORB leaves in padding what was there before
    assert GIOP(built) == GIOP(octets)
    assert all(new in (0, old) for new, old in zip(built, octets, strict=True))


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("version", VERSIONS)
def test_fields(version: Any, order: ByteOrder) -> None:
    octets = encode(CancelRequest(0x01020304, version, order))
    packet = GIOP(octets)
    assert (packet.magic, packet.major, packet.minor) == (b"GIOP", version.major, version.minor)
    assert int(packet.flags) == order
    assert packet.flags.little_endian is (order is ByteOrder.LITTLE)
    assert packet.message_type == 2
    assert packet.message_size == len(octets) - 12
    assert packet.request_id == 0x01020304


@pytest.mark.parametrize("order", ByteOrder)
def test_the_header_is_as_declared(order: ByteOrder) -> None:
    for packet in (GIOP(flags=int(order), minor=1, message_type=4, message_size=0x01020304), GIOP(flags=int(order) | 2)):
        octets = bytes(packet)
        declared = MESSAGE_HEADER.decode(octets, order)
        assert MESSAGE_HEADER.encode(declared, order) == octets
        assert (declared.magic, declared.GIOP_version.major, declared.GIOP_version.minor) == (b"GIOP", 1, packet.minor)
        assert (declared.flags, declared.message_type) == (int(packet.flags), packet.message_type)
        assert declared.message_size == (packet.message_size or 0)


@pytest.mark.parametrize("order", ByteOrder)
def test_built_octets_are_what_we_decode(order: ByteOrder) -> None:
    built = bytes(GIOP(flags=int(order)) / CancelRequestHeader(request_id=7))
    assert decode(built) == CancelRequest(7, GIOP_1_2, order)
    built = bytes(GIOP(minor=0, flags=int(order)) / LocateReplyHeader(request_id=8, locate_status="OBJECT_HERE"))
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
    assert GIOP(bytes(GIOP(message_type="Request") / b"no request")).mysummary() == "GIOP 1.2 Request (malformed)"
    assert GIOP(bytes(GIOP(message_type=99))).mysummary() == "GIOP 1.2 type 99 (malformed)"
    assert GIOP(VECTORS["1.2-bind-large-request"]).mysummary().endswith("(more fragments)")


@pytest.mark.parametrize("octets", [b"", b"GIOP", b"GIOP\x01\x02\x01\x00\x08\0\0", b"HTTP/1.1 200 OK"])
def test_what_does_not_begin_with_a_header_is_raw(octets: bytes) -> None:
    packet = IP(bytes(IP(src="127.0.0.1", dst="127.0.0.1") / TCP(dport=8002) / Raw(octets)))
    assert GIOP not in packet
    assert bytes(packet[TCP].payload) == octets


def test_a_message_cut_off() -> None:
    """Without a `TCPSession`, a segment may end anywhere: what is there is shown."""
    octets = VECTORS["1.2-bind-request"]
    for end in range(12, len(octets)):
        (packet,) = segments([octets[:end]])
        assert bytes(packet[GIOP]) == octets[:end]


def test_a_message_too_short_for_its_header() -> None:
    octets = b"GIOP\x01\x02\x01\x00\x02\0\0\0ab"
    packet = GIOP(octets)
    assert (packet.message_size, packet.payload.load, bytes(packet)) == (2, b"ab", octets)


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


# --- ports, and what the package is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("port", IIOP_PORTS)
def test_ports(port: int) -> None:
    for ports in ({"sport": 40000, "dport": port}, {"sport": port, "dport": 40000}):
        (packet,) = segments([MESSAGE], **ports)
        assert bytes(packet[GIOP]) == MESSAGE


def test_another_port() -> None:
    (packet,) = segments([MESSAGE], sport=40000, dport=14002)
    assert GIOP not in packet
    bind_iiop_port(14002)
    assert GIOP in segments([MESSAGE], sport=14002, dport=40000)[0]


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

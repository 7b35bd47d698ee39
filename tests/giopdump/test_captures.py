"""Capture files: every form of them, in pieces of any size, damaged anywhere."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop_tools.giopdump.captures import LONGEST, CaptureError, CaptureReader
from tests.packets import pcap, pcapng

FORMS = [
    (make, order, nanoseconds) for make in (pcap, pcapng) for order in "<>" for nanoseconds in (False, True)
]  # fmt: skip
PACKETS = st.lists(st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(max_size=70)), max_size=8)


def read(octets: bytes, size: int = 1 << 20) -> list[tuple[int, int, bytes]]:
    reader, found = CaptureReader(), []
    for at in range(0, len(octets), size):
        found += [tuple(packet) for packet in reader.receive_data(octets[at : at + size])]
    reader.finish()
    return found


@given(PACKETS, st.sampled_from(FORMS), st.integers(1, 100), st.sampled_from([0, 1, 113, 276]))
def test_every_form_in_pieces_of_any_size(
    packets: list[tuple[int, bytes]], form: tuple[Callable[..., bytes], str, bool], size: int, link: int
) -> None:
    make, order, nanoseconds = form
    unit = 1 if nanoseconds else 1000
    expected = [(at // unit * unit, link, octets) for at, octets in packets]
    assert read(make(packets, link, order=order, nanoseconds=nanoseconds), size) == expected


@given(PACKETS, st.sampled_from(FORMS), st.data())
def test_what_was_there_before_the_cut_is_kept(
    packets: list[tuple[int, bytes]], form: tuple[Callable[..., bytes], str, bool], data: st.DataObject
) -> None:
    make, order, nanoseconds = form
    whole = make(packets, order=order, nanoseconds=nanoseconds)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    reader = CaptureReader()
    found = [packet.octets for packet in reader.receive_data(cut)]
    assert found == [octets for _, octets in packets][: len(found)]
    said = ""
    try:
        reader.finish()
    except CaptureError as error:
        said = str(error)
    assert said.startswith(("empty", "cut within", "not a capture")) or cut in [
        make(packets[: len(found)], order=order, nanoseconds=nanoseconds)[:size] for size in range(len(cut), len(cut) + 60)
    ]


@given(st.binary(max_size=200), st.sampled_from([b"", *[make([(0, b"octets")], order=order) for make, order, _ in FORMS]]))
def test_any_octets_are_packets_or_one_kind_of_error(octets: bytes, before: bytes) -> None:
    reader = CaptureReader()
    try:
        list(reader.receive_data(before + octets))
        reader.finish()
    except CaptureError:
        pass


@given(st.data())
def test_any_octet_changed(data: st.DataObject) -> None:
    make, order, _ = data.draw(st.sampled_from(FORMS))
    octets = bytearray(make([(10**9, b"octets"), (10**9, bytes(50))], order=order))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    reader = CaptureReader()
    try:
        list(reader.receive_data(bytes(octets)))
        reader.finish()
    except CaptureError:
        pass


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "empty"),
        (b"\xd4\xc3", "not a capture: it begins with d4c3"),
        (b"#!/bin/sh\nexit 0\n# some more of it", "not a capture: it begins with 23212f62"),
        (b"\x1f\x8b" + bytes(30), "not a capture: it is compressed: unpack it with gunzip"),
        (pcap([])[:20], "cut within its header, after 20 octets"),
        (pcap([(0, bytes(60))])[:-1], "cut within a packet: 75 octets at offset 24 are no whole record"),
        (pcap([]) + struct.pack("<IIII", 0, 0, LONGEST + 1, 9), f"damaged at offset 24: a packet of {LONGEST + 1} octets"),
        (pcapng([]) + struct.pack("<II", 6, 13) + bytes(20), "damaged at offset 48: a block of 13 octets"),
        (pcapng([])[:28] + pcapng([(0, b"")])[48:], "damaged at offset 28: a packet of interface 0, which was not described"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "damaged at offset 0: a section header without byte order"),
    ],
)
def test_what_is_wrong_is_said(octets: bytes, says: str) -> None:
    with pytest.raises(CaptureError) as caught:
        read(octets)
    assert str(caught.value) == says


def test_simple_and_old_packet_blocks_and_interfaces_with_an_offset() -> None:
    start = pcapng([])[:28]
    options = struct.pack("<HHq", 14, 8, 1000) + struct.pack("<HHB3x", 9, 1, 0x8A) + bytes(4)
    described = struct.pack("<II", 1, 20 + len(options)) + struct.pack("<HHI", 1, 0, 4) + options
    described += struct.pack("<I", 20 + len(options))
    simple = struct.pack("<III", 3, 24, 6) + b"octets\0\0" + struct.pack("<I", 24)
    old = struct.pack("<IIHHIIII", 2, 36, 0, 0, 0, 1536, 2, 2) + b"ab\0\0" + struct.pack("<I", 36)
    assert read(start + described + simple + old) == [(1000 * 10**9, 1, b"octe"), (1001 * 10**9 + 5 * 10**8, 1, b"ab")]


def test_a_section_of_the_other_byte_order_follows() -> None:
    both = pcapng([(1000, b"one")], order="<") + pcapng([(2000, b"two")], link=101, order=">")
    assert read(both) == [(1000, 1, b"one"), (2000, 101, b"two")]

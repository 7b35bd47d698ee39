"""Packets: the segment of TCP is found behind whatever is before it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop_tools.giopdump.datagrams import COST, NEAR, WAITING, Datagrams
from iiop_tools.giopdump.packets import Dissector, Segment, ends, reversed_flow
from tests.packets import ACK, COOKED, COOKED_2, ETHERNET, LOOP, NULL, PSH, RAW, End, framed, ip, tcp

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 8002)
CLIENT_6, SERVER_6 = ("fe80::1", 40000), ("::1", 8002)
LINKS = (ETHERNET, COOKED, COOKED_2, NULL, LOOP, RAW)


def segment(link: int, octets: bytes) -> Segment:
    found = Dissector().segment(link, octets)
    assert found is not None
    return found


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT_6, SERVER_6)])
def test_every_link_type(link: int, client: tuple[str, int], server: tuple[str, int]) -> None:
    found = segment(link, framed(link, tcp(client, server, 7, b"GIOP", ack=9)))
    assert found[1:] == (7, 9, PSH | ACK, b"GIOP", 0)
    form = "[{}]:{}" if ":" in client[0] else "{}:{}"
    assert ends(found.flow) == (form.format(*client), form.format(*server))
    back = segment(link, framed(link, tcp(server, client, 9, b"")))
    assert reversed_flow(found.flow) == back.flow


@pytest.mark.parametrize("vlans", [1, 2])
def test_vlan_tags_and_the_padding_of_ethernet(vlans: int) -> None:
    assert segment(ETHERNET, framed(ETHERNET, tcp(CLIENT, SERVER, 7, b"GI"), vlans=vlans) + bytes(6)).octets == b"GI"


def test_options_of_ip_and_tcp() -> None:
    packet = bytearray(tcp(CLIENT, SERVER, 7, b"\1\1\1\0GIOP"))
    packet[32] = 0x60
    assert segment(RAW, bytes(packet)).octets == b"GIOP"
    plain = tcp(CLIENT, SERVER, 7, b"GIOP")
    longer = bytearray(plain[:20] + b"\x94\4\0\0" + plain[20:])
    longer[0] = 0x46
    longer[2:4] = struct.pack("!H", len(longer))
    assert segment(RAW, bytes(longer)).octets == b"GIOP"


def test_extension_headers_of_ipv6() -> None:
    inner = tcp(CLIENT_6, SERVER_6, 7, b"GIOP")[40:]
    hop, routing, atomic = b"\x2b\0" + bytes(6), b"\x2c\1" + bytes(14), b"\x33\0\0\0" + bytes(4)
    authentication = b"\x06\4" + bytes(22)
    packet = ip(CLIENT_6[0], SERVER_6[0], hop + routing + atomic + authentication + inner, protocol=0)
    assert segment(RAW, packet).octets == b"GIOP"


def test_fragments_are_told_of() -> None:
    dissector = Dissector()
    for fragment in (0x2000, 0x0010):
        assert dissector.segment(RAW, ip(CLIENT[0], SERVER[0], bytes(40), fragment=fragment)) is None
    assert dissector.segment(RAW, ip(CLIENT_6[0], SERVER_6[0], b"\6\0\0\1" + bytes(40), protocol=44)) is None
    assert dissector.segment(RAW, ip(CLIENT[0], SERVER[0], bytes(40), protocol=17, fragment=0x2000)) is None
    assert dissector.segment(105, bytes(60)) is None
    assert +dissector.passed_over == {"IP fragments": 3, "packets of link type 105": 1}
    assert dissector.packets == 5
    assert not dissector.cut


def fragments(packet: bytes, size: int, number: int = 1, *, extension: bool = False) -> list[bytes]:
    """Return an IP packet in fragments; one of IPv6 with an extension header before TCP, if that is wanted."""
    if packet[0] >> 4 == 4:
        head, carried = packet[:20], packet[20:]
    else:
        head, carried = packet[:40], (b"\6\0\1\4" + bytes(4) if extension else b"") + packet[40:]
    found = []
    for place in range(0, len(carried), size):
        part, more = carried[place : place + size], place + size < len(carried)
        if len(head) == 20:
            flags = (0x2000 if more else 0) | place // 8
            about = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(part), number, flags, 64, 6)
            found.append(about + head[10:] + part)
        else:
            about = head[:4] + struct.pack("!HBB", 8 + len(part), 44, 64) + head[8:]
            found.append(about + struct.pack("!BxHI", 60 if extension else 6, place | more, number) + part)
    return found


@given(st.data(), st.integers(1, 10), st.booleans(), st.sampled_from([(CLIENT, SERVER), (CLIENT_6, SERVER_6)]))
def test_fragments_in_any_order(data: st.DataObject, units: int, extension: bool, ends_of_it: tuple[End, End]) -> None:
    payloads = [bytes((number,)) * data.draw(st.integers(60, 300)) for number in range(3)]
    packets = [tcp(*ends_of_it, number, payload) for number, payload in enumerate(payloads)]
    mixed = [each for number, packet in enumerate(packets) for each in fragments(packet, units * 8, number, extension=extension)]
    dissector = Dissector()
    found = [dissector.segment(RAW, packet) for packet in data.draw(st.permutations(mixed))]
    whole = sorted((each.sequence, each.octets, each.missing) for each in found if each)
    assert whole == [(number, payload, 0) for number, payload in enumerate(payloads)]
    assert all(ends(each.flow) == ends(segment(RAW, packets[0]).flow) for each in found if each)
    assert not +dissector.passed_over
    assert not dissector.cut


def test_fragments_that_are_missing_cut_or_overlap() -> None:
    packet = tcp(CLIENT, SERVER, 1, b"GIOP" * 20)
    first, second, third = fragments(packet, 40)
    dissector = Dissector()
    for each in (second, first, first, third[:-1], third):
        found = dissector.segment(RAW, each)
    assert found is not None
    assert found.octets == b"GIOP" * 20
    assert +dissector.passed_over == {"IP fragments": 1}  # the one that was captured in part
    assert dissector.cut == 1
    inside = fragments(packet, 48)[1]
    assert [dissector.segment(RAW, each) for each in (first, second, inside, third)] == [None] * 4
    assert dissector.passed_over["IP fragments"] == 5


def test_numbers_of_datagrams_are_used_again_and_few_are_waited_for() -> None:
    first, second = fragments(tcp(CLIENT, SERVER, 1, b"old" * 10), 40)
    dissector = Dissector()
    dissector.segment(RAW, first)
    for number in range(WAITING + 10):
        assert dissector.segment(RAW, fragments(tcp(CLIENT, SERVER, 1, bytes(60)), 40, number + 2)[0]) is None
    assert len(dissector._datagrams._waiting) == WAITING
    assert dissector.segment(RAW, second) is None  # the first one was given up
    dissector.packets += NEAR + 1
    first, second = fragments(tcp(CLIENT, SERVER, 1, b"new" * 20), 40)
    assert dissector.segment(RAW, first) is None  # that of before is too old
    found = dissector.segment(RAW, second)
    assert found is not None
    assert found.octets == b"new" * 20


PLACES = st.integers(0, 64).map(lambda unit: unit * 8)


@given(st.lists(st.tuples(st.binary(max_size=1), PLACES, st.binary(max_size=80), st.booleans())))
def test_any_fragments(parts: list[tuple[bytes, int, bytes, bool]]) -> None:
    datagrams, taken, whole = Datagrams(), 0, 0
    for packet, (key, place, octets, more) in enumerate(parts):
        found = datagrams.add(key, place, octets, more=more, packet=packet)
        taken += 1
        whole += found is not None
    assert 0 <= datagrams.left_over <= taken - whole
    waiting = datagrams._waiting.values()
    assert datagrams._octets == sum(each.octets + COST * len(each.parts) for each in waiting) >= 0


def test_what_the_capture_cut_off_is_counted() -> None:
    dissector = Dissector()
    packet = framed(ETHERNET, tcp(CLIENT, SERVER, 7, b"GIOP and more"))
    found = dissector.segment(ETHERNET, packet[:-9])
    assert found is not None
    assert (found.octets, found.missing) == (b"GIOP", 9)
    assert dissector.segment(ETHERNET, packet[:40]) is None
    assert dissector.cut == 2


def test_one_port_only() -> None:
    dissector = Dissector(8002)
    assert dissector.segment(RAW, tcp(CLIENT, SERVER, 1)) is not None
    assert dissector.segment(RAW, tcp(SERVER, CLIENT, 1)) is not None
    assert dissector.segment(RAW, tcp(CLIENT, ("10.0.0.2", 2809), 1)) is None


@given(st.binary(max_size=100), st.integers(0, 300), st.sampled_from([b"", tcp(CLIENT, SERVER, 7), tcp(CLIENT_6, SERVER_6, 7)]))
def test_any_octets_are_a_segment_or_none(octets: bytes, link: int, before: bytes) -> None:
    Dissector().segment(link, octets)
    Dissector().segment(RAW, before + octets)


@given(st.data())
def test_any_octet_changed(data: st.DataObject) -> None:
    link = data.draw(st.sampled_from(LINKS))
    client, server = data.draw(st.sampled_from([(CLIENT, SERVER), (CLIENT_6, SERVER_6)]))
    octets = bytearray(framed(link, tcp(client, server, 7, b"GIOP")))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    Dissector().segment(link, bytes(octets))

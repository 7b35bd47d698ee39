"""Conversations: messages are found whatever TCP did to them, and replies find their requests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder
from iiop.exceptions import TRANSIENT
from iiop.giop.fragments import split
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
    exception_body,
    key_address,
)
from iiop.giop.wire import encode
from iiop.limits import DEFAULT_LIMITS
from iiop_tools.giopdump import conversations
from iiop_tools.giopdump.conversations import FLOWS, Conversations, Seen
from iiop_tools.giopdump.cutting import BEGINNING
from iiop_tools.giopdump.packets import Dissector
from tests.packets import ACK, FIN, PSH, RAW, RST, SYN, tcp

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 8002)
KEY = key_address(b"key")
BIG = Body(bytes(range(256)) * 20)


def request(number: int, operation: str = "ping", **members: object) -> Request:
    return Request(number, operation, KEY, **members)  # type: ignore[arg-type]


class Wire:
    """Say things over one connection, as packets."""

    def __init__(self, client: tuple[str, int] = CLIENT, server: tuple[str, int] = SERVER, first: int = 0xFFFFFF00) -> None:
        self._ends = {True: (client, server), False: (server, client)}
        self._next = {True: first, False: first ^ 0x80000000}

    def open(self) -> list[bytes]:
        return [self.flags(SYN), self.flags(SYN | ACK, by_client=False), self.flags(ACK)]

    def flags(self, flags: int, *, by_client: bool = True) -> bytes:
        packet = self.says(b"", by_client=by_client, flags=flags)
        self._next[by_client] += bool(flags & (SYN | FIN))
        return packet

    def says(self, octets: bytes | Message, *, by_client: bool = True, flags: int = PSH | ACK) -> bytes:
        octets = octets if isinstance(octets, bytes) else encode(octets)
        source, target = self._ends[by_client]
        packet = tcp(source, target, self._next[by_client], octets, flags, self._next[not by_client] if flags & ACK else 0)
        self._next[by_client] += len(octets)
        return packet

    def pieces(self, octets: bytes | Message, *sizes: int, by_client: bool = True) -> list[bytes]:
        octets = octets if isinstance(octets, bytes) else encode(octets)
        places = [0, *itertools.accumulate(sizes), len(octets)]
        return [self.says(octets[first:last], by_client=by_client) for first, last in itertools.pairwise(places)]


def seen(packets: Iterable[bytes], conversations: Conversations | None = None) -> list[Seen]:
    dissector, conversations, found = Dissector(), conversations or Conversations(), []
    for at, packet in enumerate(packets):
        segment = dissector.segment(RAW, packet)
        assert segment is not None
        found += conversations.add(at * 1000, segment)
    return [*found, *conversations.finish()]


def summed_up(found: Sequence[Seen]) -> list[tuple[object, ...]]:
    """Return of each message connection, sender, type, id, and the number of the message that it answers."""
    return [
        (
            each.connection.number,
            each.by_client,
            type(each.message).__name__,
            getattr(each.message, "request_id", None),
            each.request and each.request.number,
        )
        for each in found
    ]


PING = [(1, True, "Request", 1, None), (1, False, "Reply", 1, 1)]


def test_a_call() -> None:
    wire = Wire()
    packets = [*wire.open(), wire.says(request(1)), wire.says(Reply(1), by_client=False)]
    packets += [wire.flags(FIN | ACK), wire.flags(FIN | ACK, by_client=False), wire.flags(ACK)]
    found = seen(packets)
    assert summed_up(found) == PING
    assert [(each.cut.began, each.latency, each.problem) for each in found] == [(3000, None, ""), (4000, 1000, "")]
    assert (found[0].connection.client, found[0].connection.server) == ("10.0.0.1:40000", "10.0.0.2:8002")


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2])
@pytest.mark.parametrize("order", ByteOrder)
def test_every_message(version: object, order: ByteOrder) -> None:
    said = {"version": version, "byte_order": order}
    wire = Wire()
    packets = [
        wire.says(request(1, **said)),
        wire.says(Reply(1, **said), by_client=False),  # type: ignore[arg-type]
        wire.says(LocateRequest(2, KEY, **said)),  # type: ignore[arg-type]
        wire.says(LocateReply(2, LocateStatus.OBJECT_HERE, **said), by_client=False),  # type: ignore[arg-type]
        wire.says(CancelRequest(3, **said)),  # type: ignore[arg-type]
        wire.says(CloseConnection(**said), by_client=False),  # type: ignore[arg-type]
        wire.says(MessageError(**said)),  # type: ignore[arg-type]
    ]
    assert summed_up(seen(packets)) == [
        *PING,
        (1, True, "LocateRequest", 2, None),
        (1, False, "LocateReply", 2, 3),
        (1, True, "CancelRequest", 3, None),
        (1, False, "CloseConnection", None, None),
        (1, True, "MessageError", None, None),
    ]


@pytest.mark.parametrize("size", [100, 1460])
@pytest.mark.parametrize("open_first", [True, False])
def test_a_message_larger_than_is_kept(size: int, open_first: bool) -> None:
    """Its beginning tells what it is; the next message is found behind it, even if there seems to be one inside."""
    limits = replace(DEFAULT_LIMITS, message_size=10_000)
    large = Reply(1, body=Body(encode(request(9)) * 800))
    wire = Wire()
    packets = wire.open() if open_first else []
    packets += [wire.says(request(1)), *wire.pieces(large, *[size] * 20, by_client=False)]
    packets += [wire.says(request(2)), wire.says(Reply(2), by_client=False)]
    found = seen(packets, Conversations(limits))
    assert summed_up(found) == [*PING, (1, True, "Request", 2, None), (1, False, "Reply", 2, 3)]
    assert found[1].problem == f"only {BEGINNING} of its octets were kept: the limit is message_size=10000"
    assert found[1].cut.size == len(encode(large)) > 10_000
    assert len(found[1].cut.octets) == BEGINNING


def test_a_message_larger_than_is_kept_and_nothing_else() -> None:
    wire = Wire()
    (large,) = seen(
        wire.pieces(request(1, body=Body(bytes(100_000))), 5000, 60_000),
        Conversations(replace(DEFAULT_LIMITS, message_size=10_000)),
    )
    assert summed_up([large]) == [PING[0]]


@st.composite
def disturbed(draw: st.DrawFn) -> tuple[list[bytes], int]:
    """Draw the packets of some calls, whose requests travel in any segments, in any order, and some of them twice."""
    count = draw(st.integers(1, 4))
    octets = b"".join([encode(request(number, body=Body(bytes(draw(st.integers(0, 40)))))) for number in range(1, count + 1)])
    places = sorted({0, len(octets), *draw(st.lists(st.integers(0, len(octets)), max_size=8))})
    wire = Wire(first=draw(st.integers(0, 0xFFFFFFFF)))
    start = wire.flags(SYN)
    parts = [wire.says(octets[first:last], flags=PSH) for first, last in itertools.pairwise(places)]
    parts += draw(st.lists(st.sampled_from(parts), max_size=4))
    replies = [wire.says(Reply(number), by_client=False) for number in range(1, count + 1)]
    return [start, *draw(st.permutations(parts)), *replies], count


@given(disturbed())
def test_segments_in_any_order_and_twice(drawn: tuple[list[bytes], int]) -> None:
    packets, count = drawn
    expected = [(1, True, "Request", number, None) for number in range(1, count + 1)]
    expected += [(1, False, "Reply", number, number) for number in range(1, count + 1)]
    assert summed_up(seen(packets)) == expected


@given(st.lists(st.integers(1, 200), max_size=10))
def test_a_message_in_any_pieces_and_several_in_one(sizes: list[int]) -> None:
    wire = Wire()
    octets = b"".join([encode(request(number, body=Body(bytes(90)))) for number in range(1, 5)])
    sizes = [size for size, end in zip(sizes, itertools.accumulate(sizes), strict=True) if end < len(octets)]
    found = seen([wire.flags(SYN), *wire.pieces(octets, *sizes)])
    assert [each.message.request_id for each in found] == [1, 2, 3, 4]  # type: ignore[union-attr]


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2])
def test_fragments(version: object) -> None:
    wire = Wire()
    whole = encode(request(1, body=BIG, version=version))
    parts = split(whole, version, 1024)  # type: ignore[arg-type]
    found = seen([*[wire.says(part) for part in parts], wire.says(Reply(1), by_client=False)])
    assert summed_up(found) == PING
    assert found[0].cut.octets == whole
    assert (found[0].cut.pieces, found[0].cut.size) == (len(parts), sum(map(len, parts)))
    assert found[0].cut.began == 0
    assert found[1].latency == len(parts) * 1000


def test_fragments_of_several_messages_interleaved_and_one_without_end() -> None:
    wire = Wire()
    first, second, third = (split(encode(request(number, body=BIG)), GIOP_1_2, 3000) for number in (1, 2, 3))
    mixed = [part for parts in itertools.zip_longest(first, second, third[:1]) for part in parts if part]
    found = seen([wire.says(part) for part in mixed])
    assert summed_up(found)[:2] == [(1, True, "Request", 1, None), (1, True, "Request", 2, None)]
    assert found[2].problem == "only 1 of its fragments are there: the connection ends here, or the capture does"
    assert len(found) == 3


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2])
@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_request_that_is_cancelled_before_it_is_whole(version: object, in_pieces: bool) -> None:
    wire = Wire()
    parts = split(encode(request(1, body=BIG, version=version)), version, 1024)  # type: ignore[arg-type]
    cancel = encode(CancelRequest(1, version=version))  # type: ignore[arg-type]
    packets = [wire.says(request(5)), *[wire.says(part) for part in parts[:2]]]
    packets += wire.pieces(cancel, 5) if in_pieces else [wire.says(cancel)]
    packets += [wire.says(part) for part in parts]  # the id may be used again
    packets.append(wire.says(CancelRequest(7)))  # of nothing that is under way
    _, *found = seen(packets)
    assert summed_up(found) == [
        (1, True, "NoneType", None, None),
        (1, True, "CancelRequest", 1, None),
        (1, True, "Request", 1, None),
        (1, True, "CancelRequest", 7, None),
    ]
    assert [each.problem for each in found] == ["only 2 of its fragments are there: it is cancelled", "", "", ""]
    assert (found[0].cut.began, found[0].cut.pieces) == (1000, 2)


@pytest.mark.parametrize(("kept", "says"), [(1023, "no multiple of 8"), (12, "has no request id")])
def test_a_request_that_is_cancelled_after_a_fragment_of_it_was_refused(kept: int, says: str) -> None:
    wire = Wire()
    first, second = (split(encode(request(number, body=BIG)), GIOP_1_2, 1024) for number in (0, 2))
    odd = bytearray(first[1][:kept])
    odd[8:12] = (kept - 12).to_bytes(4, "little" if odd[6] & 1 else "big")
    said = [first[0], second[0], bytes(odd), encode(CancelRequest(0)), *second[1:]]
    found = seen([wire.says(each) for each in said])
    assert says in found[0].problem
    assert summed_up(found[1:]) == [(1, True, "CancelRequest", 0, None), (1, True, "Request", 2, None)]


def test_fragments_behind_a_message_that_was_too_large_are_put_together() -> None:
    wire, large = Wire(), Body(bytes(10_000))
    parts = [split(encode(request(number, body=body)), GIOP_1_2, 1024) for number, body in ((1, large), (2, BIG), (1, BIG))]
    limits = replace(DEFAULT_LIMITS, message_size=6000, reassembly_octets=9000)
    found = seen([wire.says(part) for each in parts for part in each], Conversations(limits))
    assert "message_size=6000" in found[0].problem
    assert {each.problem for each in found[1:-2]} == {"fragment out of nowhere for request 1"}
    assert [
        (each.problem, each.message == request(number, body=BIG)) for each, number in zip(found[-2:], (2, 1), strict=True)
    ] == [
        ("", True),
        ("", True),
    ]


def test_what_comes_again_on_a_connection_that_has_ended() -> None:
    """It is passed over with what stands behind it, and nothing is kept of it."""
    wire = Wire(first=0)
    packets = [*wire.open(), wire.says(request(1)), wire.says(Reply(1), by_client=False)]
    packets += [wire.flags(FIN | ACK), wire.flags(FIN | ACK, by_client=False)]
    again = tcp(CLIENT, SERVER, 1, encode(request(1)) + encode(request(2)) + b"GI")
    conversations = Conversations()
    assert summed_up(seen([*packets, again, again], conversations)) == PING
    assert (conversations._held, conversations._unanswered) == (0, 0)


def test_bidirectional() -> None:
    wire = Wire()
    packets = [
        *wire.open(),
        wire.says(request(2)),
        wire.says(request(1, "callback"), by_client=False),
        wire.says(Reply(1)),
        wire.says(Reply(2), by_client=False),
    ]
    assert summed_up(seen(packets)) == [
        (1, True, "Request", 2, None),
        (1, False, "Request", 1, None),
        (1, True, "Reply", 1, 2),
        (1, False, "Reply", 2, 1),
    ]


@pytest.mark.parametrize("first_is_reply", [True, False])
def test_joined_in_the_middle_of_a_message(first_is_reply: bool) -> None:
    wire = Wire()
    _, rest = wire.pieces(Reply(7, body=BIG), 100, by_client=False)
    packets = [rest] if first_is_reply else []
    packets += [wire.says(Reply(9), by_client=False)] if first_is_reply else []
    packets += [wire.says(request(11)), wire.says(Reply(11), by_client=False)]
    found = seen(packets)
    assert {(each.connection.client, each.connection.server) for each in found} == {("10.0.0.1:40000", "10.0.0.2:8002")}
    assert [type(each.message).__name__ for each in found] == ["Reply"] * first_is_reply + ["Request", "Reply"]
    assert found[-1].latency == 1000


def test_a_segment_that_the_capture_has_not() -> None:
    wire = Wire()
    packets = [*wire.open(), wire.says(request(1)), wire.says(Reply(1), by_client=False)]
    lost = wire.pieces(request(2, body=BIG), 1000, 2000)
    answered = wire.says(Reply(2), by_client=False)
    packets += [lost[0], lost[2], answered, wire.says(request(3)), wire.says(Reply(3), by_client=False)]
    found = seen(packets)
    assert summed_up(found)[:2] == PING
    assert [each.problem for each in found[2:5]] == [
        "only 1000 of its octets are there: what follows is missing",
        "2000 octets are missing from the capture",
        "",
    ]
    assert found[2].request is None
    assert found[4].request is found[2]
    assert summed_up(found)[5:] == [(1, True, "Request", 3, None), (1, False, "Reply", 3, 6)]


def test_packets_captured_in_part_keep_the_step() -> None:
    wire = Wire()
    packets = [wire.says(request(1, body=BIG))[:120], wire.says(request(2))]
    packets += [*wire.pieces(request(3, body=BIG), 200, 1000), wire.says(request(4))]
    packets[2] = packets[2][:110]
    found = seen(packets)
    assert [each.message.request_id for each in found] == [1, 2, 3, 4]  # type: ignore[union-attr]
    assert [bool(each.problem) for each in found] == [True, False, True, False]
    assert found[0].problem == "only 80 of its octets were captured"


def test_a_port_that_is_used_again_is_another_connection() -> None:
    packets = []
    for first in (5000, 4000, 4000_000_000):
        wire = Wire(first=first)
        packets += [*wire.open(), wire.says(request(1)), wire.says(Reply(1), by_client=False)]
        packets += [wire.flags(RST | ACK)] if first == 5000 else []
    found = seen(packets)
    assert [each.connection.number for each in found] == [1, 1, 2, 2, 3, 3]
    assert [each.request and each.request.number for each in found] == [None, 1, None, 3, None, 5]


def test_what_comes_again_after_the_end_is_nothing_new() -> None:
    wire = Wire()
    packets = [*wire.open(), wire.says(request(1)), wire.says(Reply(1), by_client=False)]
    ending = [wire.flags(FIN | ACK), wire.flags(FIN | ACK, by_client=False), wire.flags(ACK)]
    assert summed_up(seen([*packets, packets[0], *ending, *packets[3:], *ending])) == PING


def test_other_protocols_are_no_messages() -> None:
    wire = Wire()
    http = [
        *wire.open(),
        wire.says(b"GET /GIOP HTTP/1.1\r\n\r\n"),
        wire.says(b"GIOP\x01\x07\x00\x00" + bytes(9), by_client=False),
    ]
    assert seen([*http, wire.flags(RST)]) == []


def test_octets_that_are_no_message_between_messages() -> None:
    wire = Wire()
    found = seen([wire.says(request(1)), wire.says(b"what is this? and more"), wire.says(request(2))])
    assert [type(each.message).__name__ for each in found] == ["Request", "NoneType", "Request"]
    assert "not GIOP: the message begins with b'what'" in found[1].problem


def test_a_header_that_cannot_be_read() -> None:
    wire = Wire()
    broken = bytearray(encode(request(1)))
    broken[24:28] = b"\xff\xff\xff\xff"
    found = seen([wire.says(bytes(broken)), wire.says(request(2))])
    assert "Request header: target.value" in found[0].problem
    assert found[0].message is None
    assert isinstance(found[1].message, Request)


def test_an_answer_to_nothing_and_a_oneway() -> None:
    wire = Wire()
    exception = Reply(9, ReplyStatus.SYSTEM_EXCEPTION, body=exception_body(TRANSIENT()))
    found = seen([wire.says(request(9, response_flags=0)), wire.says(exception, by_client=False)])
    assert found[1].request is None
    assert found[1].latency is None


def test_connections_are_forgotten_when_there_are_too_many() -> None:
    conversations = Conversations()
    packets = []
    for number in range(FLOWS + 100):
        host = f"10.1.{number >> 8}.{number & 255}"
        packets.append(Wire((host, 1000)).says(request(1)))
    found = seen(packets, conversations)
    assert len(found) == FLOWS + 100
    assert len(conversations._sides) <= 2 * FLOWS


def test_requests_without_replies_take_no_more_than_so_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "UNANSWERED", 10_000)
    all_of_them = Conversations()
    wires = [Wire(client=("10.0.0.1", port)) for port in range(1, 11)]
    packets = [wire.says(request(number)) for number in range(1, 11) for wire in wires]
    packets += [wire.says(Reply(number), by_client=False) for number in range(1, 11) for wire in wires]
    found = seen(packets, all_of_them)
    answered = [each for each in found if each.request is not None]
    assert {each.connection.number for each in answered} == set(range(1, 11))  # of each the last request at least
    assert len(answered) < 20
    assert all(each.request and each.request.message.request_id == each.message.request_id for each in answered)  # type: ignore[union-attr]
    assert all_of_them._unanswered == 0


def test_an_id_that_is_used_again_weighs_once() -> None:
    all_of_them, wire = Conversations(), Wire()
    big = request(1, body=Body(bytes(10_000)))
    packets = [wire.says(big), wire.says(request(1)), wire.says(LocateRequest(2, KEY)), wire.says(Reply(1), by_client=False)]
    found = seen([*packets, wire.says(Reply(1), by_client=False)], all_of_them)
    assert [each.request and each.request.number for each in found] == [None, None, None, 2, None]
    assert all_of_them._unanswered == 0


def test_what_is_not_whole_takes_no_more_than_so_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iiop_tools.giopdump.conversations.HELD", 100_000)
    conversations, dissector, found = Conversations(), Dissector(), []
    for number in range(100):
        wire = Wire((f"10.1.0.{number}", 1000))
        segments = [dissector.segment(RAW, packet) for packet in wire.pieces(request(1, body=BIG), 2000, 1000)]
        for segment in [segments[0], segments[2]]:
            assert segment is not None
            found += conversations.add(number, segment)
        assert sum(side.stream.waiting_octets + side.cutter.held for side in set(conversations._sides.values())) <= 100_000
    assert any("only 2000 of its octets" in each.problem for each in found)
    found += conversations.finish()
    assert len([each for each in found if each.message is not None]) == 100


@given(st.data())
def test_any_octets_changed_are_messages_or_problems(data: st.DataObject) -> None:
    wire = Wire()
    packets = [*wire.open(), *wire.pieces(request(1, body=Body(bytes(50))), 30), wire.says(Reply(1), by_client=False)]
    packets += [wire.says(part) for part in split(encode(request(2, body=Body(bytes(90)))), GIOP_1_2, 64)]
    dissector, conversations = Dissector(), Conversations()
    for packet in packets:
        octets = bytearray(packet)
        for _ in range(data.draw(st.integers(0, 2))):
            octets[data.draw(st.integers(20, len(octets) - 1))] = data.draw(st.integers(0, 255))
        segment = dissector.segment(RAW, bytes(octets))
        if segment is not None:
            conversations.add(0, segment)
    list(conversations.finish())

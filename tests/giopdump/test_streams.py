"""Streams: segments in any order, lost, repeated and overlapping, become octets in order."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from iiop_tools.giopdump.streams import SEGMENTS, WAITING, Piece, Stream

MASK = 0xFFFFFFFF
STARTS = st.one_of(st.integers(0, MASK), st.integers(MASK - 300, MASK))


@st.composite
def cut_up(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    """Draw octets, and the segments that they travel in: every octet at least once, overlapping, in any order."""
    octets = draw(st.binary(min_size=1, max_size=300))
    places = sorted({0, len(octets), *draw(st.lists(st.integers(0, len(octets)), max_size=12))})
    segments = list(itertools.pairwise(places))
    more = st.tuples(st.integers(0, len(octets)), st.integers(0, len(octets))).map(lambda ends: (min(ends), max(ends)))
    segments += [each for each in draw(st.lists(more, max_size=6)) if each[0] < each[1]]
    return octets, draw(st.permutations(segments))


def joined(pieces: list[Piece]) -> bytes:
    return b"".join([bytes(piece.lost) + piece.octets + bytes(piece.cut) for piece in pieces])


@given(cut_up(), STARTS)
def test_any_order_with_duplicates_and_overlaps(drawn: tuple[bytes, list[tuple[int, int]]], start: int) -> None:
    octets, segments = drawn
    stream, found = Stream(start), []
    for at, (first, last) in enumerate(segments):
        found += stream.add(at, start + first & MASK, octets[first:last])
    assert joined(found) == octets
    assert not any(piece.lost for piece in found)
    assert not stream.waiting
    assert stream.finish() == []


@given(cut_up(), STARTS, st.data())
def test_what_is_lost_is_told_where_it_was(drawn: tuple[bytes, list[tuple[int, int]]], start: int, data: st.DataObject) -> None:
    octets, segments = drawn
    kept = [each for each in segments if data.draw(st.booleans())]
    stream, found = Stream(start), []
    for at, (first, last) in enumerate(kept):
        found += stream.add(at, start + first & MASK, octets[first:last])
    found += stream.finish()
    there = bytearray(len(octets))
    for first, last in kept:
        there[first:last] = octets[first:last]
    end = max((last for _, last in kept), default=0)
    assert joined(found) == there[:end]
    known = {place for first, last in kept for place in range(first, last)}
    assert sum(piece.lost for piece in found) == end - len(known)


@given(cut_up(), STARTS, st.lists(st.integers(0, 5), min_size=30, max_size=30))
@example((b"abcd", [(2, 3), (1, 2), (2, 4), (0, 1)]), 0, [0, 0, 1, 0])
def test_octets_that_were_not_captured_count(drawn: tuple[bytes, list[tuple[int, int]]], start: int, cuts: list[int]) -> None:
    octets, segments = drawn
    stream, found = Stream(start), []
    for (first, last), cut in zip(segments, cuts, strict=False):
        captured = max(first, last - cut)
        found += stream.add(0, start + first & MASK, octets[first:captured], last - captured)
    assert sum(len(piece.octets) + piece.cut for piece in found) == len(octets)


def test_joined_in_the_middle_keep_alives_and_empty_segments() -> None:
    stream = Stream()
    assert stream.add(1, 1000, b"abc") == [Piece(1, b"abc", 0, 0)]
    assert stream.add(2, 1002, b"\0") == []
    assert stream.add(3, 1002, b"") == []
    assert stream.add(4, 1003, b"d") == [Piece(4, b"d", 0, 0)]


def test_what_the_receiver_has_is_not_waited_for() -> None:
    stream = Stream(100)
    assert stream.add(1, 110, b"later") == []
    assert stream.acknowledge(105) == []
    assert stream.acknowledge(110) == [Piece(1, b"later", 10, 0)]
    assert stream.add(2, 100, b"0123456789") == []


def test_a_segment_does_not_wait_for_ever() -> None:
    stream, found = Stream(0), []
    for number in range(SEGMENTS + 1):
        found += stream.add(number, 10 + number, b"x")
    assert [piece.lost for piece in found] == [10] + [0] * SEGMENTS
    stream, found = Stream(0), []
    for number in range(1, 6):
        found += stream.add(number, number * WAITING // 4, bytes(WAITING // 4))
    assert sum(len(piece.octets) for piece in found) == 5 * (WAITING // 4)
    assert found[0].lost == WAITING // 4

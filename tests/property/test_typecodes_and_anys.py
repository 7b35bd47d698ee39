"""TypeCodes and Anys of every kind: the engines agree, what is written is read, and any octets cost what they may."""

from __future__ import annotations

import time
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder, CDRType, cdr_type, codec
from iiop.cdr.any import Any
from iiop.cdr.typecode import TypeCode
from iiop.exceptions.errors import DecodeError
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_fuzz import strategies as iiop_st
from tests.property.test_engines_agree import REFUSED, assert_decoded_alike, compiled_encode, construct_encode

TYPES: tuple[CDRType, ...] = (cdr_type(TypeCode), cdr_type(Any))
SECONDS = 5.0
MEMORY = 16 * 1024 * 1024
limits = st.sampled_from([DEFAULT_LIMITS, Limits(sequence_length=3, string_length=4, nesting=3)])
values = st.tuples(st.just(TYPES[0]), iiop_st.typecodes()) | st.tuples(st.just(TYPES[1]), iiop_st.anys())


@given(values)
def test_what_is_written_is_read(case: tuple[CDRType, object]) -> None:
    """Same values, octets and end positions of both engines, in both byte orders, wherever the value starts."""
    declared, value = case
    for order in ByteOrder:
        for start in range(8):
            octets = compiled_encode(declared, value, start, order)
            assert octets != REFUSED
            assert octets == construct_encode(declared, value, start, order)
            read, end = assert_decoded_alike(declared, bytes(start) + octets + b"\0", start, order)
            assert (read, end) == (value, start + len(octets))


@given(values, limits)
def test_written_again_it_is_the_same(case: tuple[CDRType, object], limits: Limits) -> None:
    declared, value = case
    for order in ByteOrder:
        octets = compiled_encode(declared, value, 0, order)
        again = assert_decoded_alike(declared, octets, 0, order, limits)
        if again != REFUSED:
            assert compiled_encode(declared, again[0], 0, order) == octets


@st.composite
def damaged(draw: st.DrawFn) -> tuple[CDRType, bytes, int, ByteOrder]:
    """Draw what was a value before octets were changed, exchanged, cut off or added."""
    declared, value = draw(values)
    start, order = draw(st.integers(0, 7)), draw(iiop_st.byte_orders())
    octets = bytearray(start) + compiled_encode(declared, value, start, order)
    places = st.integers(start, len(octets) - 1)
    for place in draw(st.lists(places, max_size=4)):
        octets[place] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    if draw(st.booleans()):
        place = draw(places) & -4
        octets[place : place + 4] = draw(
            st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x13", b"\x13\0\0\0"])
        )
    if draw(st.booleans()):
        del octets[draw(places) :]
    return declared, bytes(octets) + draw(st.binary(max_size=4)), start, order


@given(damaged(), limits)
def test_damaged_octets(case: tuple[CDRType, bytes, int, ByteOrder], limits: Limits) -> None:
    assert_decoded_alike(*case, limits)


@given(st.sampled_from(TYPES), st.binary(max_size=64), st.integers(0, 7), limits)
def test_random_octets(declared: CDRType, octets: bytes, start: int, limits: Limits) -> None:
    for order in ByteOrder:
        assert_decoded_alike(declared, bytes(start) + octets, start, order, limits)


numbers = st.sampled_from([0, 1, 2, 3, 8, 12, 15, 16, 17, 18, 19, 20, 21, 28, 0xFFFFFFFF, 0xFFFFFFF0, 0xFFFFFFFC, 0x7FFFFFFF])


@given(st.lists(numbers, max_size=40), iiop_st.byte_orders())
def test_numbers_that_mean_something_in_a_typecode(given: list[int], order: ByteOrder) -> None:
    octets = b"".join(number.to_bytes(4, "big" if order is ByteOrder.BIG else "little") for number in given)
    for declared in TYPES:
        assert_decoded_alike(declared, octets, 0, order)


@given(damaged() | st.tuples(st.sampled_from(TYPES), st.binary(max_size=512), st.just(0), iiop_st.byte_orders()))
def test_any_octets_cost_what_they_may(case: tuple[CDRType, bytes, int, ByteOrder]) -> None:
    """A value or a DecodeError, in bounded memory and time."""
    declared, octets, start, order = case
    began = time.perf_counter()
    tracemalloc.start()
    try:
        codec(declared).decode_from(octets, start, order)
    except DecodeError as error:
        assert error.offset is not None  # noqa: PT017
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MEMORY
    assert time.perf_counter() - began < SECONDS

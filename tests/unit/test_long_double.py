"""Long doubles: what the bits mean, that none is lost, and where they stand."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction
from typing import Annotated

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiop.cdr import Array, Binary128, ByteOrder, Codec, LongDouble, Octet, arguments, codec
from iiop.cdr.any import Any
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.exceptions import EncodeError
from tests.property.test_engines_agree import assert_round_trip

LONG_DOUBLE = Codec(LongDouble)
BITS = st.integers(0, (1 << 128) - 1)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0.0, "00000000 00000000 00000000 00000000"),
        (-0.0, "80000000 00000000 00000000 00000000"),
        (1.0, "3fff0000 00000000 00000000 00000000"),
        (-2.5, "c0004000 00000000 00000000 00000000"),
        (0.1, "3ffb9999 99999999 a0000000 00000000"),
        (math.inf, "7fff0000 00000000 00000000 00000000"),
        (5e-324, "3bcd0000 00000000 00000000 00000000"),
        (2.2250738585072009e-308, "3c00ffff ffffffff e0000000 00000000"),
        (1.7976931348623157e308, "43feffff ffffffff f0000000 00000000"),
        (7, "4001c000 00000000 00000000 00000000"),
    ],
)
def test_doubles_are_written_exactly(value: float, octets: str) -> None:
    written = LONG_DOUBLE.encode(value)
    assert written.hex(" ", 4) == octets
    assert LONG_DOUBLE.encode(value, ByteOrder.LITTLE) == written[::-1]
    read = LONG_DOUBLE.decode(written)
    assert type(read) is Binary128
    assert read == value
    assert math.copysign(1, read) == math.copysign(1, value)


@given(BITS)
@example(0x7FFF_8000 << 96)
@example(0xFFFF_0000 << 96 | 1)
@example(1)
def test_no_bit_is_lost(bits: int) -> None:
    value = Binary128.of_bits(bits)
    for order in ByteOrder:
        read = LONG_DOUBLE.decode(LONG_DOUBLE.encode(value, order), order)
        assert read.bits == bits
    assert eval(repr(value), {"Binary128": Binary128, "inf": math.inf, "nan": math.nan}).bits == bits or value != value
    assert pickle.loads(pickle.dumps(value)).bits == copy.deepcopy(value).bits == bits


@given(st.floats())
def test_doubles_come_back(value: float) -> None:
    read = LONG_DOUBLE.decode(LONG_DOUBLE.encode(value))
    assert read == value or (math.isnan(read) and math.isnan(value))
    assert math.isnan(value) or hash(read) == hash(value)


@given(st.integers(1, (1 << 113) - 1), st.integers(-1200, 1200))
@example((1 << 54) + 1, -1076)
@example((1 << 113) - 1, -1100)
@example((1 << 113) - 1, 911)
def test_as_a_float_it_is_the_nearest_double(significant: int, power: int) -> None:
    length = significant.bit_length()
    fraction = (significant << 113 - length) & (1 << 112) - 1
    value = Binary128.of_bits(16383 + length - 1 + power << 112 | fraction)
    exact = Fraction(significant) * Fraction(2) ** power
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf
    assert float(value) == nearest
    assert (value == nearest) == (not math.isinf(nearest) and exact == Fraction(nearest))


def test_equality() -> None:
    third = Binary128.of_bits(0x3FFD_5555_5555_5555_5555_5555_5555_5555)
    assert third != 1 / 3
    assert third != Binary128(1 / 3)
    assert third == Binary128.of_bits(third.bits)
    assert hash(third) == hash(Binary128.of_bits(third.bits))
    assert Binary128(0.0) == Binary128(-0.0)
    assert Binary128.of_bits(1) != Binary128(0.0)
    assert Binary128.of_bits(1) != 0.0
    assert 0.25 < third < 0.5
    assert repr(third) == "Binary128.of_bits(0x3ffd5555555555555555555555555555)"
    assert third != "x"


def test_it_is_aligned_to_8() -> None:
    layout = Codec(arguments("f", ("a", Annotated[int, Octet]), ("b", Annotated[float, LongDouble])))
    assert layout.encode((1, 1.0)).hex(" ", 8) == "0100000000000000 3fff000000000000 0000000000000000"
    values = tuple(Binary128.of_bits(bits << 100 | bits) for bits in range(1, 20))
    for declared in (Array(LongDouble, 19), codec(tuple[Annotated[float, LongDouble], ...]).type):
        assert_round_trip(declared, values)


def test_in_an_any() -> None:
    value = Any(TypeCode(TCKind.tk_longdouble), Binary128.of_bits(7 << 100))
    assert codec(Any).decode(codec(Any).encode(value)) == value


@pytest.mark.parametrize("value", [None, "1", 2**53 + 1, 10**400, 1j, b"1"])
def test_what_is_none(value: object) -> None:
    with pytest.raises(EncodeError, match="is no long double"):
        LONG_DOUBLE.encode(value)


@pytest.mark.parametrize("bits", [-1, 1 << 128])
def test_bits_that_are_too_many(bits: int) -> None:
    with pytest.raises(ValueError, match="has more than 128 bits"):
        Binary128.of_bits(bits)

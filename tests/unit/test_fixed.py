"""Fixed-point decimals: octets written by hand, and what does not fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from iiop.cdr import ByteOrder, Codec, arguments
from iiop.cdr.fixed import fixed
from iiop.exceptions.errors import DecodeError, EncodeError, TruncatedError

MOST = "9" * 31


@pytest.mark.parametrize(
    ("digits", "scale", "value", "octets"),
    [
        (5, 2, "-3.50", "00350d"),
        (5, 2, "999.99", "99999c"),
        (4, 0, "1234", "01234c"),
        (4, 4, "0.0001", "00001c"),
        (1, 0, "7", "7c"),
        (1, 1, "-0.7", "7d"),
        (2, 1, "9.9", "099c"),
        (31, 0, MOST, MOST + "c"),
        (31, 31, f"-0.{MOST}", MOST + "d"),
        (30, 15, "0", "0" * 31 + "c"),
        (5, 2, "-0.00", "00000d"),
    ],
)
def test_octets(digits: int, scale: int, value: str, octets: str) -> None:
    layout = Codec(fixed(digits, scale))
    for order in ByteOrder:
        assert layout.encode(Decimal(value), order) == bytes.fromhex(octets)
        read = layout.decode(bytes.fromhex(octets), order)
        assert (read, read.is_signed()) == (Decimal(value), value.startswith("-"))
        assert -read.as_tuple().exponent == scale


@pytest.mark.parametrize(
    "value", [3, "3.5", Decimal("3.5000000"), Decimal("1E+2"), Decimal("0E+40"), Decimal("0E-40"), (0, (3,), 0), -7]
)
def test_what_else_fits(value: Any) -> None:
    layout = Codec(fixed(5, 2))
    assert layout.decode(layout.encode(value)) == Decimal(value)


def test_zeros_behind_the_last_digit_cost_nothing() -> None:
    assert Codec(fixed(5, 2)).encode(Decimal("1." + "0" * 100)).hex() == "00100c"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1000, "does not fit fixed<5, 2>"),
        (Decimal("0.001"), "does not fit fixed<5, 2>"),
        (Decimal("1E+3"), "does not fit fixed<5, 2>"),
        (Decimal("1E+999999"), "does not fit fixed<5, 2>"),
        (10**5000, "does not fit fixed<5, 2>"),
        (3.5, "no decimal"),
        (Decimal("NaN"), "no decimal"),
        (Decimal("sNaN"), "no decimal"),
        (Decimal("-Infinity"), "no decimal"),
        ("abc", "no decimal"),
        ("", "no decimal"),
        (None, "value: "),
        ([], "value: "),
        (b"1", "value: "),
    ],
    ids=lambda it: type(it).__name__,
)
def test_what_does_not_fit(value: Any, reason: str) -> None:
    with pytest.raises(EncodeError, match=reason):
        Codec(fixed(5, 2)).encode(value)


def test_errors_name_the_field() -> None:
    layout = Codec(arguments("pay", ("count", bool), ("amount", fixed(5, 2))))
    with pytest.raises(EncodeError) as refused:
        layout.encode((True, Decimal(1000)))
    assert refused.value.path == "amount"
    with pytest.raises(DecodeError, match="00350e is no fixed<5, 2>") as found:
        layout.decode(bytes.fromhex("01 00350e"))
    assert (found.value.path, found.value.offset) == ("amount", 1)


@pytest.mark.parametrize("octets", ["00350e", "003500", "00350f", "0a350c", "00350b", "f0350c", "cc350c"])
def test_nibbles_that_are_none(octets: str) -> None:
    with pytest.raises(DecodeError, match=f"{octets} is no fixed<5, 2>"):
        Codec(fixed(5, 2)).decode(bytes.fromhex(octets))


def test_an_even_number_of_digits_has_a_zero_in_front() -> None:
    with pytest.raises(DecodeError, match="is no fixed<4, 0>"):
        Codec(fixed(4, 0)).decode(bytes.fromhex("11234c"))


def test_truncated() -> None:
    with pytest.raises(TruncatedError):
        Codec(fixed(5, 2)).decode(b"\0\0")


@pytest.mark.parametrize(("digits", "scale"), [(0, 0), (32, 0), (5, 6), (5, -1), (-1, 0), (0xFFFF, 0)])
def test_types_there_are_none_of(digits: int, scale: int) -> None:
    with pytest.raises(ValueError, match="there is no fixed"):
        fixed(digits, scale)

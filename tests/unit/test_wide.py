"""wchar and wstring, octet by octet."""

from __future__ import annotations

from typing import Annotated

import pytest

from iiop.cdr import ByteOrder, Codec, ULong, arguments, codec, constructs
from iiop.cdr.any import Any
from iiop.cdr.code_sets import ISO_8859_1, UTF_16, Negotiated
from iiop.cdr.source import Input
from iiop.cdr.speech import client_speeches, spoken
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.cdr.types import CDRType
from iiop.cdr.wide import WChar, WString, wide_string
from iiop.exceptions import DecodeError, EncodeError

BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE
SPEECH_1_1 = client_speeches(Negotiated(ISO_8859_1, UTF_16))[1]


def as_of_giop_1_1(declared: CDRType) -> CDRType:
    return spoken(declared, SPEECH_1_1)


WSTRING, WCHAR = codec(WString), codec(WChar)
WSTRING_1_1, WCHAR_1_1 = Codec(as_of_giop_1_1(WString)), Codec(as_of_giop_1_1(WChar))


@pytest.mark.parametrize(
    ("octets", "order", "text"),
    [
        ("00000000", BIG, ""),
        ("00000004 3042 3044", BIG, "\u3042\u3044"),
        ("04000000 3042 3044", LITTLE, "\u3042\u3044"),
        ("00000006 feff 3042 3044", BIG, "\u3042\u3044"),
        ("00000006 fffe 4230 4430", BIG, "\u3042\u3044"),
        ("00000002 feff", BIG, ""),
        ("00000004 d83d de00", BIG, "\U0001f600"),
    ],
)
def test_wstring_of_giop_1_2(octets: str, order: ByteOrder, text: str) -> None:
    assert WSTRING.decode(bytes.fromhex(octets), order) == text


def test_wstring_is_written_big_endian_without_a_mark() -> None:
    assert WSTRING.encode("\u3042", LITTLE).hex() == "020000003042"
    assert WSTRING.decode(WSTRING.encode("\ufeffa")) == "\ufeffa"
    assert WSTRING.decode(WSTRING.encode("\ufffea")) == "\ufffea"


@pytest.mark.parametrize(("octets", "text"), [("02 3042", "\u3042"), ("04 feff 3042", "\u3042"), ("04 fffe 4230", "\u3042")])
def test_wchar_of_giop_1_2(octets: str, text: str) -> None:
    assert WCHAR.decode(bytes.fromhex(octets)) == text
    assert WCHAR.encode(text).hex() == "023042"


@pytest.mark.parametrize(
    ("order", "octets"), [(BIG, "3042 0000 00000003 3042 3044 0000"), (LITTLE, "4230 0000 03000000 4230 4430 0000")]
)
def test_giop_1_1_has_units_in_the_order_of_the_message(order: ByteOrder, octets: str) -> None:
    both = Codec(as_of_giop_1_1(arguments("op", ("one", WChar), ("some", WString))))
    assert both.decode(bytes.fromhex(octets), order) == ("\u3042", "\u3042\u3044")
    assert both.encode(("\u3042", "\u3042\u3044"), order) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        (WSTRING, "00000003 304230"),
        (WSTRING, "00000002 0000"),
        (WCHAR, "00"),
        (WCHAR, "04 d83dde00"),
        (WCHAR, "03 304230"),
        (WSTRING_1_1, "00000000"),
        (WSTRING_1_1, "00000001 3042"),
        (WSTRING_1_1, "00000003 0000 3042 0000"),
    ],
)
def test_octets_that_are_none(kind: Codec, octets: str) -> None:
    with pytest.raises(DecodeError):
        kind.decode(bytes.fromhex(octets))
    with pytest.raises(DecodeError):
        constructs.parse(kind.type, Input(bytes.fromhex(octets)), BIG)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (WSTRING, "a\0"),
        (WSTRING, b"a"),
        (WCHAR, ""),
        (WCHAR, "ab"),
        (WCHAR, "\U0001f600"),
        (WCHAR_1_1, "\U0001f600"),
        (WSTRING, None),
    ],
)
def test_values_that_do_not_fit(kind: Codec, value: object) -> None:
    with pytest.raises(EncodeError):
        kind.encode(value)


def test_bound_counts_units() -> None:
    bounded = codec(wide_string(2))
    assert bounded.decode(bounded.encode("ab")) == "ab"
    for text in ("abc", "a\U0001f600"):
        with pytest.raises(EncodeError, match="in a wstring<2>"):
            bounded.encode(text)
        with pytest.raises(DecodeError, match="in a wstring<2>"):
            bounded.decode(WSTRING.encode(text))


def test_declarations_are_turned_whole() -> None:
    nested = arguments("op", ("all", Annotated[tuple[str, ...], codec(tuple[Annotated[str, WString], ...]).type]), ("n", ULong))
    old = Codec(as_of_giop_1_1(nested))
    value = (("a", "bc"), 7)
    assert old.decode(old.encode(value)) == value
    assert old.encode(value).hex() == "00000002000000020061000000000003006200630000000000000007"
    assert as_of_giop_1_1(ULong) is ULong


def test_any_of_giop_1_1() -> None:
    wide = Any(TypeCode(TCKind.tk_wstring), "ab")
    old = Codec(as_of_giop_1_1(codec(Any).type))
    assert old.decode(old.encode(wide)) == wide
    assert old.encode(wide)[8:].hex() == "00000003006100620000"

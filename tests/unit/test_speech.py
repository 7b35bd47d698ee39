"""Declarations as connections speak them: octet by octet, in both engines, and what is refused."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Annotated

import pytest

from iiop.cdr import (
    Array,
    ByteOrder,
    CDRType,
    Char,
    Codec,
    Encapsulation,
    Latin1String,
    Long,
    Sequence,
    String,
    StringType,
    Switch,
    ULong,
    arguments,
    cdr_type,
    codec,
    constructs,
)
from iiop.cdr.any import Any, type_of
from iiop.cdr.code_sets import ISO_8859_1, NO_CODE_SET, UTF_8, UTF_16, Negotiated
from iiop.cdr.source import Input
from iiop.cdr.speech import PLAIN, Speech, client_speeches, server_speeches, spoken
from iiop.cdr.typecode import Member, TCKind, TypeCode
from iiop.cdr.wide import WChar, WString, wide_string
from iiop.exceptions import (
    BAD_PARAM,
    CODESET_INCOMPATIBLE,
    DATA_CONVERSION,
    INV_OBJREF,
    MARSHAL,
    CompletionStatus,
    DecodeError,
    EncodeError,
    refusal,
)
from iiop.giop.messages import SystemExceptionReplyBody
from iiop.iop import IOR
from iiop.limits import Limits

SJIS, EUC_JP, IBM_037, EUC_KR = 0x05000011, 0x00030010, 0x10020025, 0x0004000A
BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE
OMG = 0x4F4D0000
NO = CompletionStatus.COMPLETED_NO


def speech(char: int = ISO_8859_1, wide: int = UTF_16, minor: int = 2) -> Speech:
    return client_speeches(Negotiated(char, wide))[minor]


def both_ways(declared: CDRType, value: object, order: ByteOrder = BIG) -> bytes:
    """Return the octets of a value; both engines write and read the same."""
    octets = Codec(declared).encode(value, order)
    assert constructs.build(declared, value, order) == octets
    assert Codec(declared).decode(octets, order) == value
    assert constructs.parse(declared, Input(octets), order) == (value, len(octets))
    return octets


def unwritten(declared: CDRType, value: object) -> EncodeError:
    """Return what both engines refuse a value with."""
    with pytest.raises(EncodeError) as caught:
        Codec(declared).encode(value)
    return caught.value


def unread(declared: CDRType, octets: str | bytes) -> DecodeError:
    """Return what both engines refuse octets with."""
    with pytest.raises(DecodeError) as caught:
        Codec(declared).decode(octets if isinstance(octets, bytes) else bytes.fromhex(octets))
    assert "disagree" not in str(caught.value)
    return caught.value


# --- char and string ---


@pytest.mark.parametrize(
    ("code_set", "text", "octets"),
    [
        (ISO_8859_1, "é", "00000002 e900"),
        (UTF_8, "口座", "00000007 e58fa3e5baa7 00"),
        (SJIS, "表ソ", "00000005 955c835c 00"),
        (EUC_JP, "口座", "00000005 b8fdbac2 00"),
        (IBM_037, "CORBA", "00000006 c3d6d9c2c1 00"),
        (EUC_KR, "한국", "00000005 c7d1b1b9 00"),
        (UTF_8, "", "00000001 00"),
    ],
)
def test_strings(code_set: int, text: str, octets: str) -> None:
    assert both_ways(spoken(String, speech(code_set)), text) == bytes.fromhex(octets)


def test_a_bound_counts_characters() -> None:
    three = spoken(StringType(3), speech(UTF_8))
    both_ways(three, "口座é")
    assert unwritten(three, "口座é!").reason == "4 characters in a string<3>"
    assert unread(three, "00000005 61626364 00").reason == "4 characters in a string<3>"


def test_limits_count_octets() -> None:
    long = Codec(spoken(String, speech(UTF_8)))
    with pytest.raises(DecodeError, match="string_length=5"):
        long.decode(long.encode("口座"), limits=Limits(string_length=5))
    assert long.decode(long.encode("口座"), limits=Limits(string_length=6)) == "口座"


@pytest.mark.parametrize(
    ("code_set", "text", "reason"),
    [
        (UTF_8, "a\0", "string contains NUL"),
        (UTF_8, "\ud800", "character U+D800 at index 0 is not in code set UTF-8 (0x05010001)"),
        (SJIS, "aé", "character U+00E9 at index 1 is not in code set OSF-Japanese-SJIS-1 (0x05000011)"),
        (EUC_KR, "a뢔", "character U+B894 at index 1 is not in code set eucKR (0x0004000a)"),
        (7, "a", "code set 0x00000007 cannot be written here"),
    ],
)
def test_strings_that_cannot_be_written(code_set: int, text: str, reason: str) -> None:
    assert unwritten(spoken(String, speech(code_set)), text).reason == reason


@pytest.mark.parametrize(
    ("code_set", "octets", "offset"),
    [
        (UTF_8, "00000004 61 e58f 00", 5),
        (SJIS, "00000002 95 00", 4),
        (UTF_8, "00000003 6100 00", 5),
        (UTF_8, "00000000", 4),
        (UTF_8, "00000002 6161", 5),
        (UTF_8, "00000009 61 00", 4),
    ],
)
def test_octets_that_are_no_string(code_set: int, octets: str, offset: int) -> None:
    assert unread(spoken(String, speech(code_set)), octets).offset == offset


def test_what_a_code_set_lacks_is_a_data_conversion() -> None:
    lacks = DATA_CONVERSION(OMG | 1, NO)
    declared = spoken(cdr_type(tuple[str, ...]), speech(SJIS))
    assert refusal(unwritten(declared, ("a", "é")), NO) == lacks
    assert unwritten(declared, ("a", "é")).path == "[1]"
    assert refusal(unwritten(spoken(Char, speech(SJIS)), "é"), NO) == lacks
    assert refusal(unread(spoken(String, speech(UTF_8)), "00000002 ff 00"), NO) == lacks
    assert refusal(unwritten(String, "\u20ac"), NO) == lacks
    assert refusal(unwritten(spoken(String, speech(7)), "a"), NO) == CODESET_INCOMPATIBLE(OMG | 2, NO)
    assert refusal(unwritten(spoken(String, speech(SJIS)), "a\0"), NO) == MARSHAL(0, NO)


@pytest.mark.parametrize(
    ("code_set", "text", "octets"), [(UTF_8, "a", "61"), (SJIS, "ｱ", "b1"), (IBM_037, "A", "c1"), (IBM_037, "é", "51")]
)
def test_chars(code_set: int, text: str, octets: str) -> None:
    assert both_ways(spoken(Char, speech(code_set)), text) == bytes.fromhex(octets)


def test_a_char_is_one_octet() -> None:
    assert "2 octets in its code set" in unwritten(spoken(Char, speech(UTF_8)), "é").reason
    assert refusal(unwritten(spoken(Char, speech(UTF_8)), "é"), NO) == DATA_CONVERSION(OMG | 1, NO)
    for value in ("", "ab", 7, b"a", None):
        unwritten(spoken(Char, speech(UTF_8)), value)
    assert unread(spoken(Char, speech(UTF_8)), "c3").offset == 0


# --- wchar and wstring ---


@pytest.mark.parametrize(
    ("said", "order", "text", "octets"),
    [
        (speech(), LITTLE, "口座", "04000000 53e35ea7"),
        (speech(wide=UTF_8), LITTLE, "口座", "06000000 e58fa3e5baa7"),
        (speech(wide=EUC_JP), BIG, "口座", "00000004 b8fdbac2"),
        (speech(minor=1), BIG, "口座", "00000003 53e35ea70000"),
        (speech(minor=1), LITTLE, "口座", "03000000 e353a75e0000"),
    ],
)
def test_wide_strings(said: Speech, order: ByteOrder, text: str, octets: str) -> None:
    assert both_ways(spoken(WString, said), text, order) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("said", "octets"),
    [(speech(), "0253e3"), (speech(wide=UTF_8), "03e58fa3"), (speech(wide=SJIS), "028cfb"), (speech(minor=1), "53e3")],
)
def test_wide_characters(said: Speech, octets: str) -> None:
    assert both_ways(spoken(WChar, said), "口") == bytes.fromhex(octets)


def test_a_wide_character_is_one() -> None:
    both_ways(spoken(WChar, speech(wide=UTF_8)), "\U0001f600")
    for said, text in (
        (speech(wide=UTF_8), "ab"),
        (speech(wide=UTF_8), ""),
        (speech(), "\U0001f600"),
        (speech(minor=1), "\U0001f600"),
    ):
        unwritten(spoken(WChar, said), text)


def test_bound_of_a_wide_string_in_octets_of_another_code_set() -> None:
    bounded = spoken(wide_string(2), speech(wide=UTF_8))
    both_ways(bounded, "a\U0001f600")
    assert unwritten(bounded, "abc").reason == "3 characters in a wstring<2>"
    assert refusal(unwritten(spoken(WString, speech(wide=SJIS)), "é"), NO) == DATA_CONVERSION(OMG | 1, NO)


NOT_SUPPORTED = CODESET_INCOMPATIBLE(OMG | 2, NO)
SAID_NO_WCHAR = Negotiated(UTF_8, NO_CODE_SET)


@pytest.mark.parametrize(
    ("said", "writing", "reading"),
    [
        (client_speeches(None)[2], INV_OBJREF(OMG | 2, NO), INV_OBJREF(OMG | 2, NO)),
        (client_speeches(SAID_NO_WCHAR)[2], INV_OBJREF(OMG | 1, NO), INV_OBJREF(OMG | 1, NO)),
        (client_speeches(Negotiated(UTF_8, UTF_16))[0], MARSHAL(OMG | 5, NO), MARSHAL(OMG | 6, NO)),
        (client_speeches(Negotiated(UTF_8, EUC_JP))[1], CODESET_INCOMPATIBLE(OMG | 1, NO), NOT_SUPPORTED),
        (server_speeches(None)[2], BAD_PARAM(OMG | 23, NO), BAD_PARAM(OMG | 23, NO)),
        (server_speeches(SAID_NO_WCHAR)[1], BAD_PARAM(OMG | 23, NO), BAD_PARAM(OMG | 23, NO)),
        (
            server_speeches(SAID_NO_WCHAR, wide_known=False)[2],
            CODESET_INCOMPATIBLE(OMG | 2, NO),
            CODESET_INCOMPATIBLE(OMG | 2, NO),
        ),
        (server_speeches(Negotiated(UTF_8, UTF_16))[0], MARSHAL(OMG | 6, NO), MARSHAL(OMG | 5, NO)),
    ],
)
def test_wide_characters_without_a_code_set(said: Speech, writing: Exception, reading: Exception) -> None:
    for declared in (WChar, WString, Sequence(WChar), arguments("op", ("a", WString), ("n", ULong))):
        value = {WChar: "a", WString: "a", Sequence(WChar): ("a",)}.get(declared, ("a", 1))
        assert refusal(unwritten(spoken(declared, said), value), NO) == writing
        assert refusal(unread(spoken(declared, said), "00000001" * 4), NO) == reading
    assert both_ways(spoken(Sequence(WString), said), ()) == bytes(4)


# --- declarations ---


@dataclass(frozen=True, slots=True)
class Leaf:
    text: str
    children: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    discriminator: Annotated[str, Char]
    value: Annotated[typing.Any, Switch({"a": String, "b": cdr_type(Annotated[int, Long]), "c": None}, default=WString)]


@pytest.mark.parametrize("said", [speech(SJIS, UTF_8), speech(UTF_8), speech(EUC_JP, minor=1), speech(SJIS)])
@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Leaf, Leaf("口", (Leaf("座"), Leaf("表", (Leaf("ソ"),))))),
        (Choice, Choice("a", "口座")),
        (Choice, Choice("b", 7)),
        (Choice, Choice("c", None)),
        (Choice, Choice("z", "口座")),
        (Array(String, 2), ("口", "座")),
        (Sequence(Char), ("a", "b")),
        (Any, Any(TypeCode(TCKind.tk_string), "口座")),
        (Any, Any(TypeCode(TCKind.tk_wstring), "口座")),
        (Any, Any(TypeCode(TCKind.tk_sequence, content=TypeCode(TCKind.tk_string)), ("口", "座"))),
        (Any, Any(TypeCode(TCKind.tk_any), Any(TypeCode(TCKind.tk_char), "c"))),
    ],
)
def test_everything_inside_is_spoken(said: Speech, annotation: typing.Any, value: object) -> None:
    for order in ByteOrder:
        both_ways(spoken(cdr_type(annotation), said), value, order)


def test_exceptions_in_anys() -> None:
    members = (Member("why", TypeCode(TCKind.tk_string)),)
    kind = TypeCode(TCKind.tk_except, "IDL:é:1.0", "é", members)
    value = type_of(kind).members.cls("口座")  # type: ignore[attr-defined]
    octets = both_ways(spoken(cdr_type(Any), speech(UTF_8)), Any(kind, value))
    assert octets.count(b"IDL:\xe9:1.0\0") == 2, "ids and names are ISO 8859-1, in the TypeCode and before the members"
    assert "口座".encode() in octets


@pytest.mark.parametrize(
    "declared",
    [
        Latin1String,
        ULong,
        cdr_type(IOR),
        cdr_type(TypeCode),
        cdr_type(SystemExceptionReplyBody),
        arguments("op", ("n", Annotated[int, Long]), ("o", bytes)),
        Encapsulation(String),
    ],
)
def test_what_stands_for_itself(declared: CDRType) -> None:
    for said in (speech(SJIS, UTF_8), speech(UTF_8, minor=1), *client_speeches(None)):
        assert spoken(declared, said) is declared
        assert Codec(declared).spoken(said).type is declared


def test_codecs_are_made_once() -> None:
    name = codec(Leaf)
    assert name.spoken(PLAIN) is name
    assert name.spoken(speech(UTF_8)) is name.spoken(speech(UTF_8))
    assert name.spoken(speech(UTF_8)) is not name
    number = codec(Annotated[int, Long])
    assert number.spoken(speech(UTF_8)) is number
    assert speech() is PLAIN
    assert server_speeches(Negotiated(ISO_8859_1, UTF_16))[2] is PLAIN

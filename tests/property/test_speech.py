"""Any text that a code set has survives a connection that speaks it; what it has not is refused, and so is what is no text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder, CDRType, Char, Codec, String, StringType, Value, arguments, constructs, value_type
from iiop.cdr.code_sets import CODE_SETS, NOT_ROUND, UTF_8, UTF_16, Negotiated, decode_text
from iiop.cdr.source import Input
from iiop.cdr.speech import PLAIN, Speech, client_speeches, server_speeches, spoken
from iiop.cdr.wide import WChar, WString
from iiop.exceptions import DATA_CONVERSION, DecodeError, EncodeError
from iiop.profile import code_sets_of_clients

KNOWN = code_sets_of_clients().for_char_data.conversion_code_sets
SOME = {
    "ISO-8859-1": 0x00010001,
    "ISO-8859-5": 0x00010005,
    "windows-1252": 0x100204E4,
    "eucJP": 0x00030010,
    "Shift-JIS": 0x05000011,
    "Shift-JIS of Windows": 0x10040003,
    "UTF-8": UTF_8,
    "EBCDIC": 0x10020025,
}
"""One of each kind: what a codec of Python has takes long to find out."""
orders = st.sampled_from(ByteOrder)
texts = st.text(st.characters(exclude_characters="\0"))


def speech(char: int, wide: int = UTF_16, minor: int = 2) -> Speech:
    return client_speeches(Negotiated(char, wide))[minor]


def members(number: int) -> st.SearchStrategy[str]:
    """Draw characters that a code set has, by the codec, which the engines do not ask in this way."""
    codec = CODE_SETS[number].codec
    lost = NOT_ROUND.get(codec, "") + "\0"
    return st.characters(codec=codec, exclude_characters=lost)


def both_ways(declared: CDRType, value: Any, order: ByteOrder) -> None:
    octets = Codec(declared).encode(value, order)
    assert constructs.build(declared, value, order) == octets
    assert Codec(declared).decode(octets, order) == value
    assert constructs.parse(declared, Input(octets), order) == (value, len(octets))


@pytest.mark.parametrize("number", sorted(number for number, known in CODE_SETS.items() if known.codec))
def test_engines_agree_on_a_string_of_every_code_set(number: int) -> None:
    both_ways(StringType(None, number), "7", ByteOrder.BIG)
    assert Codec(StringType(None, number)).encode("") == b"\0\0\0\1\0"


_CALL = arguments("op", ("one", str), ("many", tuple[str, ...]), ("wide", Annotated[str, WString]))


@given(st.sampled_from([*SOME.values()]), st.sampled_from([1, 2]), orders, st.data())
def test_what_a_code_set_has_survives(number: int, minor: int, order: ByteOrder, data: st.DataObject) -> None:
    text = st.text(members(number), max_size=20)
    value = (data.draw(text), tuple(data.draw(st.lists(text, max_size=3))), data.draw(texts))
    both_ways(spoken(_CALL, speech(number, minor=minor)), value, order)


@given(st.sampled_from([*SOME.values()]), orders, st.data())
def test_wide_text_of_a_code_set_made_of_octets_survives(number: int, order: ByteOrder, data: st.DataObject) -> None:
    both_ways(spoken(WString, speech(number, number)), data.draw(st.text(members(number))), order)
    both_ways(spoken(WChar, speech(number, number)), data.draw(members(number)), order)


@given(texts, st.sampled_from([1, 2]), orders)
@example("\ufeffa", 2, ByteOrder.LITTLE)
@example("\ufffea", 2, ByteOrder.BIG)
@example("\U0001f600", 1, ByteOrder.LITTLE)
def test_utf_16_survives(text: str, minor: int, order: ByteOrder) -> None:
    both_ways(spoken(WString, speech(KNOWN[0], UTF_16, minor)), text, order)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), orders, st.sampled_from(["be", "le"]))
def test_utf_16_with_a_byte_order_mark_is_read(text: str, order: ByteOrder, mark: str) -> None:
    octets = f"\ufeff{text}".encode(f"utf-16-{mark}")
    assert Codec(WString).decode(len(octets).to_bytes(4, "little" if order else "big") + octets, order) == text


@given(st.sampled_from(KNOWN), texts)
def test_any_text_survives_or_is_a_data_conversion(number: int, text: str) -> None:
    declared = Codec(spoken(String, speech(number)))
    refused = None
    try:
        octets = declared.encode(text)
    except EncodeError as error:
        refused = error
    if refused is not None:
        assert refused.corba == (DATA_CONVERSION, 0x4F4D0001)
    elif not set(text) & set(NOT_ROUND.get(CODE_SETS[number].codec, "")):
        assert declared.decode(octets) == text


@pytest.mark.parametrize("number", KNOWN)
def test_a_char_is_any_octet_that_is_a_character(number: int) -> None:
    declared = spoken(Char, speech(number))
    for octet in range(256):
        octets = bytes((octet,))
        try:
            character = decode_text(octets, number)
        except DecodeError:
            for engine in (Codec(declared).decode, lambda given: constructs.parse(declared, Input(given), ByteOrder.BIG)):
                with pytest.raises(DecodeError):
                    engine(octets)
        else:
            assert Codec(declared).decode(octets) == character
            assert Codec(declared).decode(Codec(declared).encode(character)) == character


def outcome(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except DecodeError as error:
        return str(error)


speeches = st.sampled_from(
    [PLAIN, *client_speeches(None), *server_speeches(None)]
    + [speech(char, wide, minor) for char in SOME.values() for wide in (UTF_16, 0, UTF_8) for minor in (1, 2)]
)


@given(speeches, st.binary(max_size=40), orders)
def test_any_octets_are_values_or_one_kind_of_error(said: Speech, octets: bytes, order: ByteOrder) -> None:
    for declared in (_CALL, Char, String, WChar, WString):
        kind = spoken(declared, said)
        assert outcome(Codec(kind).decode_from, octets, 0, order) == outcome(constructs.parse, kind, Input(octets), order)


@value_type("IDL:Sample/Note:1.0")
class Note(Value):
    """Text by value."""

    text: str
    wide: Annotated[str, WString]
    next: Note | None


@value_type("IDL:Sample/SignedNote:1.0", truncatable=True)
class SignedNote(Note):
    """Text with more text."""

    signature: str


@given(st.sampled_from([*SOME.values()]), st.sampled_from([1, 2]), orders, st.data())
def test_members_of_values_are_spoken_those_of_derived_types_too(number: int, minor: int, order: ByteOrder, data: Any) -> None:
    text = st.text(members(number), max_size=20)
    last = SignedNote(data.draw(text), data.draw(texts), None, data.draw(text))
    said = speech(number, minor=minor)
    declared = spoken(arguments("op", ("note", Note)), said)
    both_ways(declared, (Note(data.draw(text), data.draw(texts), last),), order)


def test_what_a_code_set_lacks_in_a_value_is_refused() -> None:
    note = Note("\u65e5", "\u65e5", None)
    declared = Codec(spoken(arguments("op", ("note", Note)), speech(UTF_8)))
    assert "\u65e5".encode() in declared.encode((note,))
    with pytest.raises(EncodeError) as caught:
        Codec(spoken(arguments("op", ("note", Note)), speech(SOME["ISO-8859-5"]))).encode((note,))
    assert caught.value.path == "note.text"
    assert caught.value.corba is not None
    assert caught.value.corba[0] is DATA_CONVERSION

"""Code sets: which two ORBs agree on, and text to octets and back in any of them.

Knows the negotiation and Python's codecs; must not know how a char or wchar lies in a message (`iiop.cdr.speech`), nor what a
connection remembers.
`None` for a server's component means that its reference has none.

A character that a code set lacks is an `EncodeError`, octets that are none of its characters a `DecodeError`: never a
replacement character. Where Python's codec is only near the code set (`CodeSet.exact`) a few characters come back as their
nearest relative; `NOT_ROUND` names them.

Source: CORBA 3.3 part 2, 7.10 "Code Set Conversion": component and negotiation (7.10.2); 9.3.1 (byte order of UTF-16).
"""

from __future__ import annotations

import codecs
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple, Protocol

from iiop.cdr.code_set_registry import CODE_SETS, CodeSet
from iiop.cdr.types import ByteOrder
from iiop.exceptions.corba import CODESET_INCOMPATIBLE, DATA_CONVERSION
from iiop.exceptions.errors import CompletionStatus, DecodeError, EncodeError

__all__ = [
    "CODE_SETS",
    "INTERSTAGE_CODE_SETS",
    "ISO_8859_1",
    "NOT_ROUND",
    "NO_CHARACTER",
    "NO_CODE_SET",
    "PLAIN_CODECS",
    "UTF_16",
    "UTF_8",
    "Choice",
    "CodeSet",
    "Negotiated",
    "choose",
    "code_set_name",
    "compatible",
    "decode_text",
    "encode_text",
    "negotiate",
    "register_code_set",
]

_NO = CompletionStatus.COMPLETED_NO

NO_CHARACTER = (DATA_CONVERSION, 0x4F4D0001)
"""Class and minor code of what a character gets that its code set has not."""
_NOT_SUPPORTED = (CODESET_INCOMPATIBLE, 0x4F4D0002)

ISO_8859_1 = 0x00010001
UTF_16 = 0x00010109
UTF_8 = 0x05010001
NO_CODE_SET = 0
"""Stands where no code set is stated or agreed on."""

INTERSTAGE_CODE_SETS: dict[str, int | None] = {
    "UTF8": UTF_8,
    "EUC": 0x10040002,
    "U90": 0x10040001,
    "SJIS": 0x10040003,
    "JEF_ASCII": 0x10040004,
    "JEF_KANA": 0x10040005,
    "UNICODE": None,
    "SJISMS": None,
    "JEF_LOWER": None,
}
"""Values of Interstage's OD_CODE_SET to registry numbers; None where nothing public says which.

U90 and EUC (which the manual calls S90) bear the names the registry has for Fujitsu's sets, UTF8 the standard's. SJIS, JEF_ASCII
and JEF_KANA are inferred from what the registry says its entries hold. That Interstage sends these numbers is nowhere stated.
"""

NOT_ROUND: dict[str, str] = {
    "shift_jis": "\u00a5\u203e",
    "euc_jp": "\u00a5\u203e",
    "cp932": "\u00a2\u00a3\u00ac\u2016\u2212\u301c",
    "cp950": "\u00a2\u00a3\u00a5\u2022\u203e\u223c\u2609\u2641\uff64",
}
"""By codec: characters that are encoded, but decoded as another one (the yen sign as a backslash, the wave dash as a tilde)."""


def register_code_set(
    number: int, name: str, *, codec: str = "", max_octets: int = 1, character_sets: Collection[int] = ()
) -> CodeSet:
    """Make a code set known, or replace what is known of it.

    Raises:
        LookupError: Python has no such codec.
    """
    if codec:
        codecs.lookup(codec)
    added = CodeSet(number, name, "", max_octets, tuple(character_sets), codec, exact=bool(codec))
    CODE_SETS[number] = added
    return added


def code_set_name(number: int) -> str | None:
    """Return the short name of a code set, None if it has none here.

    >>> code_set_name(0x05010001), code_set_name(0x10040001), code_set_name(7)
    ('UTF-8', 'Fujitsu-U90', None)
    """
    code_set = CODE_SETS.get(number)
    return code_set.name if code_set else None


def _shown(number: int) -> str:
    name = code_set_name(number)
    return f"{name} ({number:#010x})" if name else f"{number:#010x}"


# --- negotiation ------------------------------------------------------------------------------------------------------


class Component(Protocol):
    """What a side says of one kind of character, as `iiop.profile.CodeSetComponent`."""

    @property
    def native_code_set(self) -> int: ...
    @property
    def conversion_code_sets(self) -> Collection[int]: ...


class ComponentInfo(Protocol):
    """What a side says of both, as `iiop.profile.CodeSetComponentInfo`."""

    @property
    def for_char_data(self) -> Component: ...
    @property
    def for_wchar_data(self) -> Component: ...


class Choice(Enum):
    """Say why a transmission code set was chosen, in the order the standard tries."""

    SAME_NATIVE = "both sides have the same native code set"
    SERVER_NATIVE = "the client converts to the server's native code set"
    CLIENT_NATIVE = "the server converts from the client's native code set"
    COMMON_CONVERSION = "both sides convert to it, and the server likes it best"
    FALLBACK = "the native code sets share a character set, and both sides have to know the fallback"


class Negotiated(NamedTuple):
    """Hold what is sent from here on, as the CodeSets service context says it; `wchar_data` is NO_CODE_SET if there is none."""

    char_data: int
    wchar_data: int


def compatible(first: int, second: int) -> bool:
    """Tell whether two code sets share a character set in the registry. One that is not known is compatible with itself only."""
    if first == second:
        return True
    one, other = CODE_SETS.get(first), CODE_SETS.get(second)
    return one is not None and other is not None and not set(one.character_sets).isdisjoint(other.character_sets)


def choose(client: Component, server: Component, fallback: int) -> tuple[int, Choice]:
    """Choose the transmission code set for one kind of character.

    Args:
        client: native and conversion code sets of the client. A native code set that is not stated is ISO 8859-1.
        server: those of the server.
        fallback: UTF-8 for char, UTF-16 for wchar.

    Raises:
        CODESET_INCOMPATIBLE: minor 1 of the OMG; they have nothing in common.
    """
    theirs, ours = server.native_code_set or ISO_8859_1, client.native_code_set or ISO_8859_1
    if ours == theirs:
        return ours, Choice.SAME_NATIVE
    if theirs in client.conversion_code_sets:
        return theirs, Choice.SERVER_NATIVE
    if ours in server.conversion_code_sets:
        return ours, Choice.CLIENT_NATIVE
    for number in server.conversion_code_sets:
        if number in client.conversion_code_sets:
            return number, Choice.COMMON_CONVERSION
    if compatible(ours, theirs):
        return fallback, Choice.FALLBACK
    raise CODESET_INCOMPATIBLE(0x4F4D0001, _NO)


def negotiate(client: ComponentInfo, server: ComponentInfo | None) -> Negotiated:
    """Choose both transmission code sets, as a client does before its first request on a connection.

    A side that has no wchar does not stand in the way of char; whoever sends a wchar is told (`iiop.cdr.speech`).

    Args:
        client: what this side has.
        server: the TAG_CODE_SETS of the reference. Without one char is ISO 8859-1, and there is no wchar.

    Raises:
        CODESET_INCOMPATIBLE: minor 1 of the OMG; the sides have nothing in common for char, or for wchar.
    """
    if server is None:
        return Negotiated(ISO_8859_1, NO_CODE_SET)
    char, _ = choose(client.for_char_data, server.for_char_data, UTF_8)
    if NO_CODE_SET in (client.for_wchar_data.native_code_set, server.for_wchar_data.native_code_set):
        return Negotiated(char, NO_CODE_SET)
    wchar, _ = choose(client.for_wchar_data, server.for_wchar_data, UTF_16)
    return Negotiated(char, wchar)


# --- text -------------------------------------------------------------------------------------------------------------

_WIDE = {
    ("utf-16", ByteOrder.BIG): "utf-16-be",
    ("utf-16", ByteOrder.LITTLE): "utf-16-le",
    ("utf-32", ByteOrder.BIG): "utf-32-be",
    ("utf-32", ByteOrder.LITTLE): "utf-32-le",
}
_MARKS = {b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}
PLAIN_CODECS: dict[int | None, str] = {None: "latin-1", ISO_8859_1: "latin-1", UTF_8: "utf-8"}
"""Codecs that are a method call away, without the checks that other code sets need; None is no code set stated."""
_UCS_2 = range(0x00010100, 0x00010103)
_HANGUL_BY_PARTS = b"\xa4\xd4"
"""Python spells a syllable that EUC-KR lacks in eight octets that begin so; nobody else reads them."""


def _codec_of(number: int, byte_order: ByteOrder) -> str | None:
    code_set = CODE_SETS.get(number)
    return _WIDE.get((code_set.codec, byte_order), code_set.codec) if code_set is not None else None


def _lacks(code_set: int, text: str, index: int) -> EncodeError:
    character = text[index]
    reason = f"character U+{ord(character):04X} at index {index} is not in code set {_shown(code_set)}"
    return EncodeError(reason, corba=NO_CHARACTER)


def encode_text(text: str, code_set: int, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
    """Return the octets of `text`, without length or terminating NUL.

    Args:
        text: any text.
        code_set: number in the registry.
        byte_order: of UTF-16, UCS-2 and UCS-4. GIOP 1.2 reads UTF-16 as big-endian unless it begins with a byte order mark; in
            GIOP 1.1 it has the order of the message. A mark is written only before text that begins with one or its mirror image.

    Raises:
        EncodeError: a character is not in the code set (DATA_CONVERSION, minor 1 of the OMG), or the code set has no codec here.

    >>> encode_text("表", 0x05000011).hex(" "), encode_text("表", 0x00010109).hex(" ")
    ('95 5c', '88 68')
    """
    codec = _codec_of(code_set, byte_order)
    if not codec:
        raise EncodeError(f"code set {_shown(code_set)} cannot be written here", corba=_NOT_SUPPORTED)
    try:
        octets = text.encode(codec)
    except UnicodeEncodeError as error:
        raise _lacks(code_set, text, error.start) from None
    if code_set == UTF_16 and octets[:2] in _MARKS:
        return "\ufeff".encode(codec) + octets
    if code_set in _UCS_2 and len(octets) != 2 * len(text):
        raise _lacks(code_set, text, next(index for index, character in enumerate(text) if character > "\uffff"))
    if codec == "euc_kr" and _HANGUL_BY_PARTS in octets:
        for index, character in enumerate(text):
            if _HANGUL_BY_PARTS in character.encode(codec):
                raise _lacks(code_set, text, index)
    return octets


def decode_text(octets: bytes | memoryview, code_set: int, byte_order: ByteOrder = ByteOrder.BIG) -> str:
    """Return the text that `octets`, without length and terminating NUL, stand for.

    Args:
        octets: all of a char, string, wchar or wstring.
        code_set: number in the registry.
        byte_order: of UCS-2, UCS-4, and of UTF-16 that does not begin with a byte order mark; a mark is not part of the text.

    Raises:
        DecodeError: the octets are no text in the code set, with the offset in `octets`, or the code set has no codec here.

    >>> decode_text(bytes.fromhex("fffe6888"), 0x00010109)
    '表'
    """
    codec = _codec_of(code_set, byte_order)
    if not codec:
        raise DecodeError(f"code set {_shown(code_set)} cannot be read here", corba=_NOT_SUPPORTED)
    start = 0
    if code_set == UTF_16 and (marked := _MARKS.get(bytes(octets[:2]))):
        codec, start = marked, 2
    try:
        text = str(octets[start:], codec)
    except UnicodeDecodeError as error:
        offset = start + error.start
        reason = f"not text in code set {_shown(code_set)}: {error.reason}"
        raise DecodeError(reason, offset=offset, excerpt=bytes(octets[offset : offset + 16]), corba=NO_CHARACTER) from None
    if code_set in _UCS_2 and 2 * len(text) != len(octets):
        offset = 2 * next(index for index, character in enumerate(text) if character > "\uffff")
        reason = f"code set {_shown(code_set)} has no surrogates"
        raise DecodeError(reason, offset=offset, excerpt=bytes(octets[offset : offset + 16]), corba=NO_CHARACTER)
    return text

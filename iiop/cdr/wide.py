"""Wide characters: wchar and wstring, as GIOP 1.1 and 1.2 lay them out.

GIOP 1.2 writes octets behind their count. Of UTF-16 a byte order mark may stand in front; without one it is big endian, as it is
here when written. GIOP 1.1 writes unsigned shorts in the byte order of the message, and a NUL behind a string, and has only
UTF-16 here; GIOP 1.0 has neither type.

UCS-2 and UCS-4 are not spoken: omniORB writes UCS-4 in the byte order of the message, Java's ORB in big endian. Who has them has
to know UTF-16, too, as the fallback.

A declaration says `WChar` or `WString`, which are those of GIOP 1.2 in UTF-16; `iiop.cdr.speech` turns a declaration into what a
connection speaks.

Source: CORBA 3.3 part 2, clause 9.3.1.6 "Character Types", 9.3.2.7 "Strings and Wide Strings".
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.code_sets import UTF_16, decode_text, encode_text
from iiop.cdr.types import Adapted, Field, Octet, OctetArray, OctetSequenceType, Struct

__all__ = ["WCHAR_1_1", "WChar", "WString", "WideChar", "WideString", "wide_char", "wide_string", "wide_string_1_1"]

_BIG, _LITTLE = b"\xfe\xff", b"\xff\xfe"
_MARK = "\ufeff"


@dataclass(frozen=True)
class WideChar(Adapted):
    """Declare a wchar: one unit of UTF-16."""


@dataclass(frozen=True)
class WideString(Adapted):
    """Declare a wstring.

    Attributes:
        bound: units of UTF-16 at the most, None for no bound.
    """

    bound: int | None = None


def _units(text: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"a wide string must be str, not {type(text).__name__}")
    return text.encode("utf-16-be", "surrogatepass")


def _text(octets: bytes) -> str:
    """Return what octets of UTF-16 say; a byte order mark is none of the characters."""
    if len(octets) % 2:
        raise ValueError(f"{len(octets)} octets are no UTF-16")
    if octets[:2] == _LITTLE:
        return octets[2:].decode("utf-16-le", "surrogatepass")
    return octets[2 if octets[:2] == _BIG else 0 :].decode("utf-16-be", "surrogatepass")


def _read(octets: bytes, code_set: int) -> str:
    return _text(octets) if code_set == UTF_16 else decode_text(octets, code_set)


def _written(text: str, code_set: int) -> bytes:
    """Return text as octets that are read back as the same: UTF-16 that looks like a byte order mark gets one in front."""
    units = _units(text)
    if code_set != UTF_16:
        return encode_text(text, code_set)
    return (_BIG if text[:1] in (_MARK, "\ufffe") else b"") + units


def _checked(text: str, bound: int | None, code_set: int) -> str:
    if "\0" in text:
        raise ValueError("a wide string contains NUL")
    if bound is not None:
        size, what = (len(_units(text)) // 2, "units of UTF-16") if code_set == UTF_16 else (len(text), "characters")
        if size > bound:
            raise ValueError(f"{size} {what} in a wstring<{bound}>")
    return text


def _unit(octets: bytes, code_set: int) -> str:
    """Return the character that the octets of a wchar are: in two of UTF-16 there is no room for a byte order mark."""
    bare = code_set == UTF_16 and len(octets) == 2
    return _one(octets.decode("utf-16-be", "surrogatepass") if bare else _read(octets, code_set), code_set)


def _one(text: str, code_set: int) -> str:
    if len(_units(text)) != 2 and (code_set == UTF_16 or len(text) != 1):
        what = "unit of UTF-16" if code_set == UTF_16 else "character"
        raise ValueError(f"a wchar is one {what}, not {text[:20]!r}")
    return text


@functools.cache
def wide_string(bound: int | None = None, code_set: int = UTF_16) -> WideString:
    """Declare a wstring of GIOP 1.2: count of octets, octets.

    Args:
        bound: units of UTF-16 at the most, of another code set characters.
        code_set: number in the registry.
    """

    def encode(text: str) -> bytes:
        return _written(_checked(text, bound, code_set), code_set)

    return WideString(OctetSequenceType(), lambda octets: _checked(_read(octets, code_set), bound, code_set), encode, bound)


_COUNTED = Struct("wchar", (Field("length", Octet), Field("octets", t.Dependent("length", OctetArray))))


@functools.cache
def wide_char(code_set: int = UTF_16) -> WideChar:
    """Declare a wchar of GIOP 1.2: count of octets, octets."""

    def encode(text: str) -> tuple[int, bytes]:
        octets = _units(_one(text, code_set)) if code_set == UTF_16 else encode_text(_one(text, code_set), code_set)
        return len(octets), octets

    return WideChar(_COUNTED, lambda read: _unit(read[1], code_set), encode)


WString = wide_string()
WChar = wide_char()


def _joined(units: tuple[int, ...]) -> str:
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "surrogatepass")


def _split(text: str) -> tuple[int, ...]:
    octets = _units(text)
    return tuple(int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2))


def _ended(units: tuple[int, ...]) -> str:
    if not units or units[-1]:
        raise ValueError("a wide string of GIOP 1.1 ends with NUL")
    return _joined(units[:-1])


WCHAR_1_1 = WideChar(t.UShort, lambda unit: _joined((unit,)), lambda text: _split(_one(text, UTF_16))[0])
_UNITS = cdr_type(tuple[Annotated[int, t.UShort], ...])


@functools.cache
def wide_string_1_1(bound: int | None) -> WideString:
    """Declare a wstring of GIOP 1.1: count of units of UTF-16, NUL included, units."""
    return WideString(
        _UNITS,
        lambda units: _checked(_ended(units), bound, UTF_16),
        lambda text: (*_split(_checked(text, bound, UTF_16)), 0),
        bound,
    )

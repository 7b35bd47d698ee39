"""Wide characters: wchar and wstring, as GIOP 1.1 and 1.2 lay them out, in UTF-16.

GIOP 1.2 writes octets behind their count, so that a byte order mark may stand in front; without one they are big endian, as
they are here when written. GIOP 1.1 writes unsigned shorts in the byte order of the message, and a NUL behind a string; GIOP 1.0
has neither type.

A declaration says `WChar` or `WString`, which are those of GIOP 1.2; `as_of_giop_1_1` turns a declaration into that of 1.1.

Source: CORBA 3.3 part 2, clause 9.3.1.6 "Character Types", 9.3.2.7 "Strings and Wide Strings"; other transmission code sets than
UTF-16 are not spoken.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Annotated, Any

from iiop.cdr import types as t
from iiop.cdr.types import Adapted, CDRType, Field, Octet, OctetArray, OctetSequenceType, Struct, cdr_type

__all__ = ["WChar", "WString", "WideChar", "WideString", "as_of_giop_1_1", "wide_string"]

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


def _checked(text: str, bound: int | None) -> str:
    if "\0" in text:
        raise ValueError("a wide string contains NUL")
    if bound is not None and len(_units(text)) > 2 * bound:
        raise ValueError(f"{len(_units(text)) // 2} units of UTF-16 in a wstring<{bound}>")
    return text


def _unit(octets: bytes) -> str:
    """Return the character that the octets of a wchar are: in two there is no room for a byte order mark."""
    return _one(octets.decode("utf-16-be", "surrogatepass") if len(octets) == 2 else _text(octets))


def _one(text: str) -> str:
    if len(_units(text)) != 2:
        raise ValueError(f"a wchar is one unit of UTF-16, not {text[:20]!r}")
    return text


def _marked(text: str) -> bytes:
    """Return text as UTF-16 that is read back as the same: what looks like a byte order mark gets one in front."""
    return (_BIG if text[:1] in (_MARK, "\ufffe") else b"") + _units(text)


def wide_string(bound: int | None = None) -> WideString:
    """Declare a wstring of GIOP 1.2: count of octets, octets."""

    def encode(text: str) -> bytes:
        return _marked(_checked(text, bound))

    return WideString(OctetSequenceType(), lambda octets: _checked(_text(octets), bound), encode, bound)


_COUNTED = Struct("wchar", (Field("length", Octet), Field("octets", t.Dependent("length", OctetArray))))

WString = wide_string()
WChar = WideChar(
    _COUNTED,
    lambda read: _unit(read[1]),
    lambda text: (2, _units(_one(text))),
)


def _joined(units: tuple[int, ...]) -> str:
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "surrogatepass")


def _split(text: str) -> tuple[int, ...]:
    octets = _units(text)
    return tuple(int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2))


def _ended(units: tuple[int, ...]) -> str:
    if not units or units[-1]:
        raise ValueError("a wide string of GIOP 1.1 ends with NUL")
    return _joined(units[:-1])


_WCHAR_1_1 = WideChar(t.UShort, lambda unit: _joined((unit,)), lambda text: _split(_one(text))[0])
_UNITS = cdr_type(tuple[Annotated[int, t.UShort], ...])


@functools.cache
def _wide_string_1_1(bound: int | None) -> WideString:
    return WideString(
        _UNITS, lambda units: _checked(_ended(units), bound), lambda text: (*_split(_checked(text, bound)), 0), bound
    )


@functools.lru_cache(maxsize=1024)
def as_of_giop_1_1(declared: CDRType) -> CDRType:
    """Return a declaration with its wide characters laid out as GIOP 1.1 has them."""
    change: Any = as_of_giop_1_1
    match declared:
        case WideChar():
            return _WCHAR_1_1
        case WideString():
            return _wide_string_1_1(declared.bound)
        case t.Sequence() | t.Array():
            return dataclasses.replace(declared, element=change(declared.element))
        case t.Encapsulation():
            return t.Encapsulation(change(declared.content))
        case t.Switch():
            cases = {label: arm and change(arm) for label, arm in declared.cases.items()}
            default = change(declared.default) if isinstance(declared.default, CDRType) else declared.default
            return t.Switch(cases, default, declared.on)
        case t.Struct():
            fields = tuple([Field(name, change(kind)) for name, kind in declared.fields])
            return Struct(declared.name, fields, declared.cls)
        case t.Recursive():
            return t.Recursive(declared.name, lambda: change(declared.make()))
        case t.Dependent():
            return t.Dependent(declared.on, lambda label: change(declared.choose(label)))
        case _:
            return declared

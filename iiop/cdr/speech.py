"""Speech: in which code sets and which form a connection sends characters, and what a declaration looks like then.

A declaration leaves open what the ends of a connection agree on: `spoken` settles it. What stands for itself stays as it is:
encapsulations, strings of `Latin1String`, and so object references, TypeCodes and repository ids.

Source: CORBA 3.3 part 2, clause 7.10.2.6 "Code Set Negotiation" (what is sent before and without it, and minor codes),
9.3.1.6, 9.3.2.7, and 9.3.3 (encapsulations). That names in TypeCodes are ISO 8859-1 is what omniORB does.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, NoReturn

from iiop.cdr import types as t
from iiop.cdr.code_sets import ISO_8859_1, NO_CHARACTER, NO_CODE_SET, UTF_16, Negotiated, decode_text, encode_text
from iiop.cdr.types import Adapted, CDRType, Field, Struct
from iiop.cdr.value_types import ValueType
from iiop.cdr.wide import WCHAR_1_1, WideChar, WideString, wide_char, wide_string, wide_string_1_1
from iiop.exceptions.corba import BAD_PARAM, CODESET_INCOMPATIBLE, INV_OBJREF, MARSHAL
from iiop.exceptions.errors import DecodeError, EncodeError

__all__ = ["PLAIN", "Speech", "client_speeches", "server_speeches", "spoken"]

Complaint = tuple[type[Any], int]
"""Class and minor code of a system exception."""

_OMG = 0x4F4D0000
_NO_WCHAR = (INV_OBJREF, _OMG | 1)
_NO_CODE_SETS = (INV_OBJREF, _OMG | 2)
_NOT_SAID = (BAD_PARAM, _OMG | 23)
_NOT_IN_COMMON = (CODESET_INCOMPATIBLE, _OMG | 1)
_NOT_SUPPORTED = (CODESET_INCOMPATIBLE, _OMG | 2)
_BY_CLIENT_1_0 = (MARSHAL, _OMG | 5)
_BY_SERVER_1_0 = (MARSHAL, _OMG | 6)


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Say how characters travel. There is one of a kind, so that caches find it by identity.

    Attributes:
        char: code set of char and string.
        wide: code set of wchar and wstring, NO_CODE_SET if they cannot be sent.
        minor: version of GIOP, of which the layout of wide characters depends.
        unwritable: what to answer who wants to send wide characters that cannot be.
        unreadable: what to answer who sends them nevertheless.
    """

    char: int = ISO_8859_1
    wide: int = UTF_16
    minor: int = 2
    unwritable: Complaint = _NO_WCHAR
    unreadable: Complaint = _NO_WCHAR


PLAIN = Speech()
"""That of declarations as they stand: ISO 8859-1, and UTF-16 as in GIOP 1.2."""

Speeches = tuple[Speech, Speech, Speech]
"""By minor version of GIOP."""


@functools.cache
def _speech(char: int, wide: int, minor: int, unwritable: Complaint, unreadable: Complaint) -> Speech:
    if wide != NO_CODE_SET and minor == 1 and wide != UTF_16:
        wide, unwritable, unreadable = NO_CODE_SET, _NOT_IN_COMMON, _NOT_SUPPORTED
    if (char, wide, minor) == (PLAIN.char, PLAIN.wide, PLAIN.minor):
        return PLAIN
    return Speech(char, wide, minor, unwritable, unreadable)


@functools.cache
def client_speeches(agreed: Negotiated | None) -> Speeches:
    """Return what a client speaks once it has negotiated; None where the reference has no TAG_CODE_SETS."""
    char, wide = agreed or (ISO_8859_1, NO_CODE_SET)
    complaint = _NO_CODE_SETS if agreed is None else _NO_WCHAR
    return (
        _speech(ISO_8859_1, NO_CODE_SET, 0, _BY_CLIENT_1_0, _BY_SERVER_1_0),
        _speech(char, wide, 1, complaint, complaint),
        _speech(char, wide, 2, complaint, complaint),
    )


@functools.cache
def server_speeches(said: Negotiated | None, *, wide_known: bool = True) -> Speeches:
    """Return what a server speaks with a client that said `said` in its CodeSets context, or None, for it sent none.

    Args:
        said: code sets that this server has; `char_data` is NO_CODE_SET where the client chose one that it has not.
        wide_known: False where the client chose a code set for wide characters that this server has not.
    """
    char, wide = said or (ISO_8859_1, NO_CODE_SET)
    complaint = _NOT_SAID if wide_known else _NOT_SUPPORTED
    return (
        _speech(ISO_8859_1, NO_CODE_SET, 0, _BY_SERVER_1_0, _BY_CLIENT_1_0),
        _speech(char, wide, 1, complaint, complaint),
        _speech(char, wide, 2, complaint, complaint),
    )


@dataclass(frozen=True)
class Unspoken(Adapted):
    """Declare what cannot be sent here; it refuses whatever is written and wherever it is read."""

    @property
    def min_size(self) -> int:
        return 1


@functools.cache
def _unspoken(speech: Speech) -> Unspoken:
    def decode(read: Any) -> NoReturn:
        raise DecodeError("wide characters came, which this connection does not have", corba=speech.unreadable)

    def encode(value: Any) -> NoReturn:
        raise EncodeError("wide characters cannot be sent over this connection", corba=speech.unwritable)

    return Unspoken(Struct("nothing", ()), decode, encode)


@functools.cache
def _char(code_set: int) -> Adapted:
    """Declare a char of a code set: one octet, which of some code sets only some characters are."""

    def encode(text: str) -> int:
        if not isinstance(text, str) or len(text) != 1:
            raise ValueError(f"char must be one character, not {text!r}"[:60])
        octets = encode_text(text, code_set)
        if len(octets) != 1:
            reason = f"character U+{ord(text):04X} is {len(octets)} octets in its code set, and a char is one"
            raise EncodeError(reason, corba=NO_CHARACTER)
        return octets[0]

    return Adapted(t.Octet, lambda octet: decode_text(bytes((octet,)), code_set), encode)


@functools.lru_cache(maxsize=4096)
def spoken(declared: CDRType, speech: Speech) -> CDRType:
    """Return a declaration as a connection speaks it; the same one where that makes no difference."""
    if speech is PLAIN:
        return declared
    wide = speech.wide != NO_CODE_SET
    match declared:
        case t.StringType(code_set=None) if speech.char != ISO_8859_1:
            return dataclasses.replace(declared, code_set=speech.char)
        case t.Primitive() if declared is t.Char and speech.char != ISO_8859_1:
            return _char(speech.char)
        case WideChar() | WideString() if not wide:
            return _unspoken(speech)
        case WideChar():
            return wide_char(speech.wide) if speech.minor > 1 else WCHAR_1_1
        case WideString():
            return wide_string(declared.bound, speech.wide) if speech.minor > 1 else wide_string_1_1(declared.bound)
        case t.Sequence() | t.Array():
            element = spoken(declared.element, speech)
            return declared if element is declared.element else dataclasses.replace(declared, element=element)
        case t.Switch():
            cases = {label: arm and spoken(arm, speech) for label, arm in declared.cases.items()}
            default = spoken(declared.default, speech) if isinstance(declared.default, CDRType) else declared.default
            if default is declared.default and all(arm is declared.cases[label] for label, arm in cases.items()):
                return declared
            return t.Switch(cases, default, declared.on)
        case Struct():
            fields = tuple([Field(name, spoken(kind, speech)) for name, kind in declared.fields])
            if all(new.type is old.type for new, old in zip(fields, declared.fields, strict=True)):
                return declared
            return Struct(declared.name, fields, declared.cls)
        case ValueType():
            return dataclasses.replace(declared, spoken=lambda member: spoken(member, speech))
        case t.Recursive():
            return t.Recursive(declared.name, lambda: spoken(declared.make(), speech))
        case t.Dependent():
            return t.Dependent(declared.on, lambda label: spoken(declared.choose(label), speech))
        case Adapted():
            layout = spoken(declared.layout, speech)
            return declared if layout is declared.layout else dataclasses.replace(declared, layout=layout)
        case _:
            return declared

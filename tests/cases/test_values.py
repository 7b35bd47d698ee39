"""Every class of CDR: octets of a declared type, and the value they are, or why they are none. Both engines say the same."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from iiop.cdr import (
    Boolean,
    ByteOrder,
    CDRType,
    Codec,
    Encapsulation,
    Enum,
    Long,
    Octet,
    Sequence,
    String,
    Switch,
    ULong,
    arguments,
    cdr_type,
    constructs,
)
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.source import Input
from iiop.cdr.typecode import TypeCode
from iiop.cdr.types import Double
from iiop.cdr.wide import WCHAR_1_1, WChar, WString
from iiop.exceptions.errors import DecodeError, LimitExceeded, TruncatedError

BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE


class Colour(enum.IntEnum):
    """An enum as user IDL makes it."""

    red = 0
    green = 1
    blue = 2


@dataclass(frozen=True, slots=True)
class Unfit:
    """The octets are no value: the error, the field and offset it names, and what it says."""

    error: type[DecodeError]
    path: str
    offset: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """State octets of a type, and the answer.

    Attributes:
        name: layer and class of the checklist, then in brackets what sets this sample apart.
        answer: the value, or why there is none.
    """

    name: str
    declared: CDRType
    given: bytes
    answer: Any
    order: ByteOrder = BIG


def case(name: str, declared: Any, given: str, answer: Any, order: ByteOrder = BIG) -> Case:
    layout = declared if isinstance(declared, CDRType) else cdr_type(declared)
    return Case(name=f"CDR/{name}", declared=layout, given=bytes.fromhex(given), answer=answer, order=order)


UNION = arguments("union", ("discriminator", Annotated[int, Long]), ("value", Annotated[Any, Switch({1: Octet})]))
NESTED_65 = "0000000b" * 65 + "00000003 00000007"
"""An Any that holds an Any, and so on, and at last a long: 64 inside each other are admitted."""

CASES = [
    case("string length 0", String, "00000000", Unfit(DecodeError, "", 4, "string of length 0")),
    case("missing NUL", String, "00000003 616263", Unfit(DecodeError, "", 6, "string does not end with NUL")),
    case("embedded NUL", String, "00000004 61006200", Unfit(DecodeError, "", 5, "string contains NUL")),
    case(
        "inner length close to 2**31",
        String,
        "7fffffff 6100",
        Unfit(LimitExceeded, "", 4, "2147483646 exceeds the limit string_length=1048576"),
    ),
    case(
        "sequence count x size overflow (0x20000001 x 8 is 8 in 32 bits)",
        Sequence(Double),
        "20000001 00000000 3ff0000000000000",
        Unfit(LimitExceeded, "", 4, "536870913 exceeds the limit sequence_length=16777216"),
    ),
    case(
        "sequence count x size overflow (fewer than the limit, more than there are octets)",
        Sequence(Double),
        "00ffffff 00000000 3ff0000000000000",
        Unfit(TruncatedError, "", 4, "16777215 elements of at least 8 octets, 12 octets are left"),
    ),
    case("boolean above 1", Boolean, "02", Unfit(DecodeError, "", 0, "boolean must be 0 or 1, not 2")),
    case("enum range", Enum(Colour), "00000003", Unfit(DecodeError, "", 0, "3 is no Colour")),
    case("union label", UNION, "00000002 07", Unfit(DecodeError, "value", 4, "no case for discriminator = 2")),
    case("wchar BOM forms (1.1: two octets, in the order of the message)", WCHAR_1_1, "4230", "\u3042", LITTLE),
    case("wchar BOM forms (1.1: a mark is the character)", WCHAR_1_1, "feff", "\ufeff"),
    case("wchar BOM forms (1.2: length octet)", WChar, "02 3042", "\u3042", LITTLE),
    case("wchar BOM forms (1.2: a mark says little endian)", WChar, "04 fffe 4230", "\u3042"),
    case("wchar BOM forms (1.2: no room for a mark, as omniORB writes this character)", WChar, "02 feff", "\ufeff"),
    case(
        "wchar BOM forms (JacORB with use_bom: 02 fe ff, a mark that is not counted, and the character)",
        arguments("f", ("one", Annotated[str, WChar]), ("two", Annotated[str, WChar])),
        "02 feff 3042 02 feff 3042",
        Unfit(TruncatedError, "two.octets", 4, "octet[48] needs 48 octets, 6 are left"),
    ),
    case("wchar BOM forms (a wstring with a mark)", WString, "00000004 feff 3042", "\u3042"),
    case(
        "alignment origin inside encapsulation",
        arguments("f", ("a", Annotated[int, Octet]), ("e", Annotated[int, Encapsulation(ULong)])),
        "01 000000 00000008 00 000000 00000007",
        (1, 7),
    ),
    case("encapsulation of 0 octets", Encapsulation(Octet), "00000000", Unfit(TruncatedError, "", 4, "needs 1 octets")),
    case("encapsulation of 1 octet", Encapsulation(Octet), "00000001 00", Unfit(TruncatedError, "", 5, "octet needs 1 octets")),
    case(
        "byte-order octet above 1",
        Encapsulation(Octet),
        "00000002 0207",
        Unfit(DecodeError, "", 4, "byte order of an encapsulation must be 0 or 1, not 2"),
    ),
    case("nested Any depth", CORBAAny, NESTED_65, Unfit(LimitExceeded, ".".join(["value"] * 65), 260, "nesting")),
    case(
        "TypeCode indirection loop (to itself)",
        TypeCode,
        "ffffffff fffffffc",
        Unfit(DecodeError, "", 0, "indirection to offset 0, where no type began"),
    ),
    case(
        "TypeCode indirection loop (a sequence of itself)",
        TypeCode,
        "00000013 00000010 00000000 ffffffff fffffff0 00000000",
        Unfit(DecodeError, "", 0, "indirection to offset 0, where no type began"),
    ),
    case(
        "TypeCode indirection forward",
        TypeCode,
        "00000013 00000010 00000000 ffffffff 00000008 00000000",
        Unfit(DecodeError, "", 0, "indirection to offset 24, where no type began"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_engines(case: Case) -> None:
    if not isinstance(case.answer, Unfit):
        assert Codec(case.declared).decode(case.given, case.order) == case.answer
        assert constructs.parse(case.declared, Input(case.given), case.order) == (case.answer, len(case.given))
        return
    for read in (
        lambda: Codec(case.declared).decode(case.given, case.order),
        lambda: constructs.parse(case.declared, Input(case.given), case.order),
    ):
        with pytest.raises(DecodeError, match=re.escape(case.answer.reason)) as caught:
            read()
        assert type(caught.value) is case.answer.error
        assert (caught.value.path, caught.value.offset) == (case.answer.path, case.answer.offset)

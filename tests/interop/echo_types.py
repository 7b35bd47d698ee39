"""The types of `echo.idl` as we declare them, and an interface and a servant that echo them.

`TYPES` is the one list: operation to annotation.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from iiop.cdr import (
    Array,
    Boolean,
    CDRType,
    Char,
    Double,
    Float,
    Long,
    LongLong,
    Octet,
    OctetArray,
    OctetSequenceType,
    Sequence,
    Short,
    StringType,
    Switch,
    ULong,
    ULongLong,
    UShort,
    cdr_type,
)
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.fixed import fixed
from iiop.cdr.typecode import TypeCode
from iiop.cdr.types import Recursive
from iiop.cdr.wide import WChar, WString, wide_string
from iiop.exceptions import UserException
from iiop.idl import Interface, Servant, operation
from iiop.iop import IOR


class Colour(enum.IntEnum):
    red = 0
    green = 1
    blue = 2


@dataclass(frozen=True, slots=True)
class Point:
    x: Annotated[int, Long]
    y: Annotated[float, Double]


@dataclass(frozen=True, slots=True)
class Line:
    tag: Annotated[int, Octet]
    start: Point
    end: Point


@dataclass(frozen=True, slots=True)
class Mixed:
    a: Annotated[int, Octet]
    b: Annotated[int, LongLong]
    c: Annotated[str, Char]
    d: Annotated[int, Short]
    e: bool
    f: Annotated[int, ULongLong]
    g: Annotated[float, Float]
    h: str
    i: Annotated[int, UShort]
    j: Annotated[float, Double]


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    children: tuple[Node, ...]
    weight: Annotated[float, Double]


LINES = Sequence(cdr_type(Line))
GRID = Array(Array(Long, 3), 2)
STRING = cdr_type(str)


@dataclass(frozen=True, slots=True)
class OfShort:
    discriminator: Annotated[int, Short]
    value: Annotated[Any, Switch({-1: Long, 0: STRING, 1: STRING}, cdr_type(Point))]


@dataclass(frozen=True, slots=True)
class OfUShort:
    discriminator: Annotated[int, UShort]
    value: Annotated[Any, Switch({65535: Octet}, Double)]


@dataclass(frozen=True, slots=True)
class OfLong:
    discriminator: Annotated[int, Long]
    value: Annotated[Any, Switch({-(2**31) + 1: STRING, 7: LINES}, None)]


@dataclass(frozen=True, slots=True)
class OfULong:
    discriminator: Annotated[int, ULong]
    value: Annotated[Any, Switch({2**32 - 1: LongLong, 0: Boolean}, None)]


@dataclass(frozen=True, slots=True)
class OfLongLong:
    discriminator: Annotated[int, LongLong]
    value: Annotated[Any, Switch({2**32: STRING}, Octet)]


@dataclass(frozen=True, slots=True)
class OfULongLong:
    discriminator: Annotated[int, ULongLong]
    value: Annotated[Any, Switch({2**64 - 1: Double, 1: Char}, None)]


@dataclass(frozen=True, slots=True)
class OfChar:
    discriminator: Annotated[str, Char]
    value: Annotated[Any, Switch({"a": Short, "z": STRING}, None)]


@dataclass(frozen=True, slots=True)
class OfBoolean:
    discriminator: bool
    value: Annotated[Line | None, Switch({True: cdr_type(Line)}, None)]


@dataclass(frozen=True, slots=True)
class OfColour:
    discriminator: Colour
    value: Annotated[Any, Switch({Colour.red: Long, Colour.green: GRID}, cdr_type(Colour))]


_LINK = Recursive("Chain", lambda: cdr_type(Chain))


@dataclass(frozen=True, slots=True)
class Chain:
    discriminator: bool
    value: Annotated[Any, Switch({True: Sequence(_LINK, 1), False: Long})]


@dataclass(frozen=True, slots=True)
class Nested:
    discriminator: Annotated[int, Short]
    value: Annotated[Any, Switch({1: cdr_type(OfColour), 2: cdr_type(CORBAAny)}, None)]


@dataclass(eq=False)
class Overdrawn(UserException):
    repository_id: ClassVar[str] = "IDL:Echoes/Overdrawn:1.0"

    why: str
    amount: Annotated[int, LongLong]
    tint: Colour
    many: tuple[Line, ...]
    choice: OfShort


@dataclass(eq=False)
class Bare(UserException):
    repository_id: ClassVar[str] = "IDL:Echoes/Bare:1.0"


PRICE = fixed(5, 2)

TYPES: dict[str, CDRType] = {
    "short": Short,
    "ushort": UShort,
    "long": Long,
    "ulong": ULong,
    "longlong": LongLong,
    "ulonglong": ULongLong,
    "float": Float,
    "double": Double,
    "char": Char,
    "octet": Octet,
    "boolean": Boolean,
    "string": STRING,
    "short_string": StringType(5),
    "wstring": WString,
    "short_wstring": wide_string(5),
    "price": PRICE,
    "fraction": fixed(31, 31),
    "even": fixed(4, 0),
    "discount": PRICE,
    "colour": cdr_type(Colour),
    "point": cdr_type(Point),
    "line": cdr_type(Line),
    "mixed": cdr_type(Mixed),
    "node": cdr_type(Node),
    "octets": OctetSequenceType(),
    "few_octets": OctetSequenceType(5),
    "booleans": Sequence(Boolean),
    "chars": Sequence(Char),
    "shorts": Sequence(Short),
    "longlongs": Sequence(LongLong),
    "floats": Sequence(Float),
    "few_doubles": Sequence(Double, 4),
    "strings": Sequence(STRING),
    "wstrings": Sequence(WString),
    "colours": Sequence(cdr_type(Colour)),
    "lines": LINES,
    "drawing": Sequence(LINES, 3),
    "anys": Sequence(cdr_type(CORBAAny)),
    "objects": Sequence(cdr_type(IOR)),
    "digest": OctetArray(5),
    "letters": Array(Char, 3),
    "grid": GRID,
    "words": Array(STRING, 2),
    "triangle": Array(cdr_type(Point), 3),
    "rows": GRID,
    "ragged": Array(Sequence(Short), 2),
    "of_short": cdr_type(OfShort),
    "of_ushort": cdr_type(OfUShort),
    "of_long": cdr_type(OfLong),
    "of_ulong": cdr_type(OfULong),
    "of_longlong": cdr_type(OfLongLong),
    "of_ulonglong": cdr_type(OfULongLong),
    "of_char": cdr_type(OfChar),
    "of_boolean": cdr_type(OfBoolean),
    "of_colour": cdr_type(OfColour),
    "chain": cdr_type(Chain),
    "nested": cdr_type(Nested),
    "object": cdr_type(IOR),
    "any": cdr_type(CORBAAny),
    "typecode": cdr_type(TypeCode),
}
"""What the operation `give_NAME` takes and gives."""

WIDE = ("wstring", "short_wstring", "wstrings")
"""What GIOP 1.0 has not, and 1.1 lays out otherwise."""
ANY = ("any", "anys", "nested", "typecode")
"""What may hold any of that."""


class Echo(Interface):
    repository_id = "IDL:Echoes/Echo:1.0"

    @operation(raises=(Overdrawn, Bare))
    def fail(self, why: str, amount: Annotated[int, LongLong], tint: Colour, many: tuple[Line, ...], choice: OfShort) -> None:
        """Raise an exception that has these members."""

    @operation(raises=(Overdrawn, Bare))
    def fail_bare(self) -> None:
        """Raise an exception that has none."""

    @operation
    def letter(self, unit: Annotated[int, UShort]) -> Annotated[str, WChar]:  # type: ignore[empty-body]
        """Return the character that a unit of UTF-16 is."""

    @operation
    def unit_of(self, letter: Annotated[str, WChar]) -> Annotated[int, UShort]:  # type: ignore[empty-body]
        """Return the unit of UTF-16 that a character is."""

    @operation
    def pass_on_to(self, other: IOR) -> None:
        """Have another server echo."""


def _give(name: str, declared: CDRType) -> Any:
    """Return the declaration `T give_NAME(in T a, inout T b, out T c)`."""

    def give(self: Interface, a: Any, b: Any) -> Any:
        """Give back a, b, a."""

    hint = Annotated[Any, declared]
    give.__name__ = f"give_{name}"
    give.__annotations__ = {"a": hint, "b": hint, "return": tuple[hint, hint, hint]}
    return operation(give)


for _name, _declared in TYPES.items():
    setattr(Echo, f"give_{_name}", _give(_name, _declared))


class EchoServant(Servant):
    """Echo, as the peer does.

    Attributes:
        heard: the arguments of the last call.
    """

    interface = Echo

    def __init__(self) -> None:
        self.heard: tuple[Any, ...] = ()

    def give(self, a: Any, b: Any) -> tuple[Any, Any, Any]:
        self.heard = a, b
        return a, b, a

    def fail(self, *members: Any) -> None:
        self.heard = members
        raise Overdrawn(*members)

    def fail_bare(self) -> None:
        raise Bare

    def unit_of(self, letter: str) -> int:
        return ord(letter)


for _name in TYPES:
    setattr(EchoServant, f"give_{_name}", EchoServant.give)

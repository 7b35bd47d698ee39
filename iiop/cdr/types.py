"""Declarations of CDR types: what a layout is, written once.

`iiop.cdr.annotations` makes them of dataclasses. This module knows neither octets nor how they are read: `constructs` is the one
engine, `decoder` and `encoder` are the other; both walk these declarations.

Source: CORBA 3.3 part 2 (formal/2012-11-14), clause 9.3 "CDR Transfer Syntax".
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Adapted",
    "Array",
    "Boolean",
    "Buffer",
    "ByteOrder",
    "CDRType",
    "Char",
    "Dependent",
    "Double",
    "Encapsulation",
    "Enum",
    "Field",
    "Float",
    "Latin1String",
    "Long",
    "LongLong",
    "Octet",
    "OctetArray",
    "OctetSequence",
    "OctetSequenceType",
    "OpenEnum",
    "Position",
    "Primitive",
    "Principal",
    "Recursive",
    "Rest",
    "Sequence",
    "Short",
    "String",
    "StringType",
    "Struct",
    "Switch",
    "ULong",
    "ULongLong",
    "UShort",
]


class ByteOrder(enum.IntEnum):
    """Name the byte order as GIOP flags and encapsulations spell it."""

    BIG = 0
    LITTLE = 1


class OpenEnum(enum.IntEnum):
    """Keep values the standard has not named: `T(77)` is a member called `T_77`, equal to 77, and is written back as 77.

    Enums of user IDL are closed (plain `IntEnum`): for them an unknown value is an error.
    """

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, int) or not 0 <= value <= 0xFFFFFFFF:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"{cls.__name__}_{value}"
        member._value_ = value
        return member


@dataclass(frozen=True)
class CDRType:
    """Stand above all declarations.

    Attributes:
        nullable: whether None is a value, so that `X | None` says nothing else than `X`.
    """

    nullable: typing.ClassVar[bool] = False

    @property
    def min_size(self) -> int:
        """Return the smallest number of octets a value takes, padding not counted."""
        raise TypeError(f"{type(self).__name__} has no size of its own")


@dataclass(frozen=True)
class Primitive(CDRType):
    """Declare a type of fixed size that is aligned to its size (clause 9.3.1).

    Attributes:
        name: the IDL spelling.
        format: the `struct` character, byte order not included.
        size: octets, and alignment.
    """

    name: str
    format: str
    size: int

    @property
    def min_size(self) -> int:
        return self.size


Octet = Primitive("octet", "B", 1)
Boolean = Primitive("boolean", "B", 1)
Char = Primitive("char", "c", 1)
Short = Primitive("short", "h", 2)
UShort = Primitive("unsigned short", "H", 2)
Long = Primitive("long", "i", 4)
ULong = Primitive("unsigned long", "I", 4)
LongLong = Primitive("long long", "q", 8)
ULongLong = Primitive("unsigned long long", "Q", 8)
Float = Primitive("float", "f", 4)
Double = Primitive("double", "d", 8)


@dataclass(frozen=True)
class StringType(CDRType):
    """Declare a string: length in octets with the NUL, characters, NUL (clause 9.3.2.7).

    Attributes:
        bound: characters at the most, None where only `Limits.string_length`, which counts octets, bounds it.
        code_set: number of the code set of the characters; None for the one of the connection, ISO 8859-1 where there is none.
    """

    bound: int | None = None
    code_set: int | None = None

    @property
    def min_size(self) -> int:
        return 5


@dataclass(frozen=True)
class OctetSequenceType(CDRType):
    """Declare a `sequence<octet>`; its value is `bytes`.

    Attributes:
        bound: octets at the most, None where only `Limits.sequence_length` bounds it.
        view: read it as a `memoryview` of the message (inside an encapsulation, of that): nothing is copied, and the view keeps
            the whole message alive. Written are `bytes`, `bytearray` and `memoryview` either way.
    """

    bound: int | None = None
    view: bool = False

    @property
    def min_size(self) -> int:
        return 4


String = StringType()
Latin1String = StringType(code_set=0x00010001)
"""A string that no code set is negotiated for: what IDL has names for, repository ids."""
OctetSequence = OctetSequenceType()
Principal = OctetSequence
"""Who sends a Request of GIOP 1.0 or 1.1; octets of whatever both ends agreed on (CORBA::Principal, gone since 2.3)."""


@dataclass(frozen=True)
class OctetArray(CDRType):
    """Declare an array of octets of fixed length; its value is `bytes`."""

    length: int

    @property
    def min_size(self) -> int:
        return self.length


Buffer = Literal["array", "numpy"]
"""What a sequence of numbers may be read into: an `array.array`, or a NumPy array, which is read-only."""


@dataclass(frozen=True)
class Sequence(CDRType):
    """Declare a sequence; its value is a tuple. The element must take at least one octet, so that a count can be checked.

    Attributes:
        bound: elements at the most, None where only a limit bounds them.
        limit: name of the field of `Limits` that does.
        buffer: read numbers into a buffer of this kind, in the byte order of this machine, and write any buffer of one
            dimension whose items are such numbers, in either byte order; other collections of them are written as well.

    Raises:
        TypeError: an element that may take no octets; a buffer of what is no number.
        ImportError: `buffer="numpy"`, and NumPy is not installed.
    """

    element: CDRType
    bound: int | None = None
    limit: str = "sequence_length"
    buffer: Buffer | None = None

    def __post_init__(self) -> None:
        if self.buffer is not None:
            if self.buffer not in typing.get_args(Buffer):
                raise TypeError(f"a buffer is one of {typing.get_args(Buffer)}, not {self.buffer!r}")
            if not isinstance(self.element, Primitive) or self.element in (Boolean, Char):
                raise TypeError(f"no buffer holds elements of type {self.element}")
        if self.buffer == "numpy":
            importlib.import_module("numpy")
        if self.element.min_size == 0:
            raise TypeError(f"sequence of a type that may take no octets: {self.element}")

    @property
    def min_size(self) -> int:
        return 4


@dataclass(frozen=True)
class Array(CDRType):
    """Declare an array of fixed length; its value is a tuple."""

    element: CDRType
    length: int

    @property
    def min_size(self) -> int:
        return self.element.min_size * self.length


@dataclass(frozen=True)
class Enum(CDRType):
    """Declare an enum, an unsigned long on the wire; open if its class is an `OpenEnum`."""

    cls: type[enum.IntEnum]

    @property
    def open(self) -> bool:
        return issubclass(self.cls, OpenEnum)

    @property
    def min_size(self) -> int:
        return 4


@dataclass(frozen=True)
class Encapsulation(CDRType):
    """Declare an octet sequence that holds its own byte order and one value (clause 9.3.3).

    Alignment inside is counted from the byte order octet. It is written in the byte order of what surrounds it.
    """

    content: CDRType

    @property
    def min_size(self) -> int:
        return 5 + self.content.min_size


@dataclass(frozen=True)
class Switch(CDRType):
    """Declare the arm of a union: which type follows is told by a field read before.

    Attributes:
        cases: discriminator value to type; None for a case without an arm (its value is None).
        default: type for every other value, or None for none; `REFUSE` makes every other value an error.
        on: name of the field that decides.

    Raises:
        TypeError: no cases.
    """

    REFUSE: typing.ClassVar[Any] = "refuse"

    cases: Mapping[Any, CDRType | None] = field(hash=False)
    default: CDRType | str | None = REFUSE
    on: str = "discriminator"

    def __post_init__(self) -> None:
        if not self.cases:
            raise TypeError("a union has at least one case")

    @property
    def min_size(self) -> int:
        arms = [*self.cases.values()]
        if not isinstance(self.default, str):
            arms.append(self.default)
        return min(arm.min_size if arm is not None else 0 for arm in arms)


@dataclass(frozen=True)
class Recursive(CDRType):
    """Declare a type that may contain itself, by what makes it; `Limits.nesting` bounds how often it does.

    A dataclass that mentions itself, `children: tuple[Node, ...]`, needs no more than that: this is made for it.

    Attributes:
        name: for messages.
        make: returns the declaration; asked when it is first needed.
    """

    name: str
    make: Callable[[], CDRType] = field(repr=False)

    @property
    def min_size(self) -> int:
        return 1


@dataclass(frozen=True)
class Dependent(CDRType):
    """Declare a member whose type is told by a member before it, as the value of an Any is by its TypeCode.

    Attributes:
        on: name of the field that tells.
        choose: returns the type; a ValueError means that there is none.
    """

    on: str
    choose: Callable[[Any], CDRType] = field(repr=False)

    @property
    def min_size(self) -> int:
        return 0


@dataclass(frozen=True)
class Adapted(CDRType):
    """Declare a type whose values are made of those of another.

    Attributes:
        layout: what lies on the wire.
        decode: returns the value of what was read; a ValueError means that it is none.
        encode: returns what to write for a value; ValueError, TypeError or AttributeError mean that there is nothing.
    """

    layout: CDRType
    decode: Callable[[Any], Any] = field(repr=False)
    encode: Callable[[Any], Any] = field(repr=False)

    @property
    def min_size(self) -> int:
        return self.layout.min_size


@dataclass(frozen=True)
class Position(CDRType):
    """Declare a member that takes no octets: where it stands, in octets from the start of its message or encapsulation."""

    @property
    def min_size(self) -> int:
        return 0


@dataclass(frozen=True)
class Rest(CDRType):
    """Declare the rest of a message or encapsulation, to be read later: a `source.Remainder`, which is never written."""

    @property
    def min_size(self) -> int:
        return 0


class Field(typing.NamedTuple):
    """Name one member of a structure."""

    name: str
    type: CDRType


@dataclass(frozen=True)
class Struct(CDRType):
    """Declare members one after the other.

    Attributes:
        name: for messages.
        fields: in the order of the wire.
        cls: the dataclass a value is an instance of, or None where values are plain tuples (operation arguments).

    Raises:
        TypeError: a `Switch` or `Dependent` depends on a field that does not stand before it.
    """

    name: str
    fields: tuple[Field, ...]
    cls: type[Any] | None = None

    def __post_init__(self) -> None:
        before: set[str] = set()
        for member, declared in self.fields:
            if isinstance(declared, Switch | Dependent) and declared.on not in before:
                raise TypeError(f"{self.name}.{member} depends on {declared.on!r}, which is no field before it")
            before.add(member)

    @functools.cached_property
    def keywords(self) -> frozenset[str]:
        """Return the fields that `cls` takes by keyword only."""
        return frozenset(member.name for member in dataclasses.fields(self.cls) if member.kw_only) if self.cls else frozenset()

    def make(self, *values: Any) -> Any:
        """Return the value of `cls` with these members, in the order of the wire."""
        assert self.cls is not None
        members = list(zip((member.name for member in self.fields), values, strict=True))
        positional = [value for name, value in members if name not in self.keywords]
        return self.cls(*positional, **{name: value for name, value in members if name in self.keywords})

    @property
    def min_size(self) -> int:
        return sum(member.type.min_size for member in self.fields)

"""Declarations of CDR types, and values that fit one."""

from __future__ import annotations

import enum
import functools
import importlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from decimal import Decimal
from typing import Annotated, Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.fixed import Fixed, fixed
from iiop.cdr.long_double import Binary128, LongDouble, LongDoubleType
from iiop.cdr.types import ByteOrder, CDRType, OpenEnum
from iiop.cdr.value_types import ValueType
from iiop.cdr.wide import WChar, WideChar, WideString
from iiop_fuzz._values import VALUE_CLASSES, drawn_value_types, objects

__all__ = ["byte_orders", "cdr_types", "cdr_values", "fixed_types", "strings"]

PRIMITIVES = (
    t.Octet,
    t.Boolean,
    t.Char,
    t.Short,
    t.UShort,
    t.Long,
    t.ULong,
    t.LongLong,
    t.ULongLong,
    t.Float,
    t.Double,
)
NUMBERS = tuple(declared for declared in PRIMITIVES if declared not in (t.Boolean, t.Char))
_INTEGERS = frozenset("BhHiIqQ")
_MEMBERS = ("a", "b", "c", "d", "e")


class Colour(enum.IntEnum):
    """A closed enum, as user IDL makes them."""

    red = 0
    green = 1
    blue = 2


class Sparse(enum.IntEnum):
    """A closed enum with gaps."""

    one = 1
    high = 0xFFFFFFFF


class Fruit(OpenEnum):
    """An open enum, as the standard's registries are."""

    apple = 0
    pear = 1


ENUMS = (t.Enum(Colour), t.Enum(Sparse), t.Enum(Fruit))


@dataclass(frozen=True, slots=True)
class Tree:
    """A structure that holds more of its kind, after what leaves it misaligned."""

    name: str
    children: tuple[Tree, ...]
    weight: Annotated[float, t.Double]


_ANOTHER = t.Recursive("Chain", lambda: cdr_type(Chain))


@dataclass(frozen=True, slots=True)
class Chain:
    """A structure that may hold one more of its kind, by a union."""

    discriminator: bool
    next: Annotated[Chain | None, t.Switch({False: None, True: _ANOTHER})]


RECURSIVE = (Tree, Chain)


def byte_orders() -> SearchStrategy[ByteOrder]:
    """Draw a byte order; shrinks to big endian."""
    return st.sampled_from([ByteOrder.BIG, ByteOrder.LITTLE])


def strings(*, max_size: int | None = None) -> SearchStrategy[str]:
    """Draw text that a CORBA string without negotiated code sets holds: ISO 8859-1 without NUL."""
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=max_size)


@st.composite
def cdr_types(draw: st.DrawFn, *, max_depth: int = 3, unions: bool = True) -> CDRType:
    """Draw a declaration of any kind; shrinks to `octet`.

    Args:
        max_depth: constructed types inside constructed types.
        unions: whether unions may be part of it.
    """
    return draw(_types(max_depth, unions))


@functools.cache
def _types(max_depth: int, unions: bool) -> SearchStrategy[CDRType]:
    basic = st.one_of(
        st.sampled_from(PRIMITIVES),
        st.builds(t.StringType, _bounds()),
        st.builds(t.OctetSequenceType, _bounds(), st.booleans()),
        st.builds(t.OctetArray, st.integers(0, 9)),
        st.just(LongDouble),
        st.sampled_from(ENUMS),
        st.builds(t.Sequence, st.sampled_from(NUMBERS), _bounds(), buffer=st.just("array")),
        fixed_types(),
        st.sampled_from([cdr_type(cls) for cls in (*RECURSIVE, *VALUE_CLASSES)]),
    )
    return basic | _constructed(cdr_types(max_depth=max_depth - 1, unions=unions), unions) if max_depth else basic


def fixed_types() -> SearchStrategy[Fixed]:
    """Draw a `fixed<digits, scale>`."""
    return (st.integers(1, 31) | st.just(31)).flatmap(lambda digits: st.builds(fixed, st.just(digits), st.integers(0, digits)))


def _bounds() -> SearchStrategy[int | None]:
    return st.none() | st.integers(0, 5)


def _constructed(parts: SearchStrategy[CDRType], unions: bool) -> SearchStrategy[CDRType]:
    kinds = [
        _structs(parts),
        drawn_value_types(parts),
        st.builds(t.Sequence, parts.map(_with_size), _bounds()),
        st.builds(t.Array, parts, st.integers(0, 3) | st.integers(15, 18)),
        st.builds(t.Encapsulation, parts),
    ]
    if unions:
        kinds.append(_unions(parts))
    return st.one_of(kinds)


def _with_size(declared: CDRType) -> CDRType:
    """Put an octet before a type that may take no octets, for a sequence of it could not be counted."""
    return declared if declared.min_size else t.Struct("sized", (t.Field("size", t.Octet), t.Field("value", declared)))


def _structs(parts: SearchStrategy[CDRType]) -> SearchStrategy[CDRType]:
    forms = st.sampled_from([_arguments, _slotted, _plain])
    return st.builds(lambda form, types: form(tuple(types)), forms, st.lists(parts, max_size=len(_MEMBERS)))


def _fields(types: tuple[CDRType, ...]) -> tuple[t.Field, ...]:
    return tuple(map(t.Field, _MEMBERS, types))


def _arguments(types: tuple[CDRType, ...]) -> t.Struct:
    return t.Struct("arguments", _fields(types))


def _slotted(types: tuple[CDRType, ...]) -> CDRType:
    return _dataclass("Slotted", _fields(types), slots=True)


def _plain(types: tuple[CDRType, ...]) -> CDRType:
    return _dataclass("Plain", _fields(types), slots=False)


def _dataclass(name: str, fields: tuple[t.Field, ...], *, slots: bool) -> CDRType:
    members: list[tuple[str, Any]] = [(member, Annotated[object, declared]) for member, declared in fields]
    return cdr_type(make_dataclass(name, members, frozen=True, slots=slots))


@st.composite
def _unions(draw: st.DrawFn, parts: SearchStrategy[CDRType]) -> CDRType:
    label_type = draw(
        st.sampled_from([t.Octet, t.Boolean, t.Char, WChar, t.Short, t.ULong, t.LongLong, t.String, *ENUMS]),
        label="discriminator",
    )
    labels = draw(st.lists(cdr_values(label_type), min_size=1, max_size=3, unique=True))
    cases = {label: draw(st.none() | parts) for label in labels}
    default = draw(st.one_of(st.just(t.Switch.REFUSE), st.none(), parts))
    between = draw(st.none() | parts)
    fields = [t.Field("discriminator", label_type)]
    if between is not None:
        fields.append(t.Field("between", between))
    fields.append(t.Field("value", t.Switch(cases, default)))
    if draw(st.booleans()):
        return _dataclass("Union", tuple(fields), slots=True)
    return t.Struct("union", tuple(fields))


def cdr_values(declared: CDRType, *, allow_nan: bool = False, max_size: int | None = None) -> SearchStrategy[Any]:
    """Draw a value that fits a declared type, as decoding would give it.

    Args:
        declared: a declaration; `iiop.cdr.cdr_type` makes one of an annotation.
        allow_nan: whether a float may be NaN, which is not equal to itself.
        max_size: length of strings and sequences at the most; None leaves it to hypothesis.
    """
    return Values(allow_nan, max_size).of(declared)


KNOWN: list[tuple[CDRType, Callable[[Values], SearchStrategy[Any]]]] = []
"""Declarations whose values are not drawn by their layout: TypeCodes and Anys."""


class Values:
    """Draw values.

    Attributes:
        depth: how often a type may still contain itself.
        pool: the list of objects drawn so far that may be mentioned again.
    """

    def __init__(
        self, allow_nan: bool, max_size: int | None, depth: int = 3, pool: SearchStrategy[list[Any]] | None = None
    ) -> None:
        self.allow_nan = allow_nan
        self.max_size = max_size
        self.depth = depth
        self.pool = st.shared(st.builds(list[Any]), key="iiop_fuzz values") if pool is None else pool

    def of(self, declared: CDRType) -> SearchStrategy[Any]:
        for known, strategy in KNOWN:
            if declared is known:
                return strategy(self)
        return values_of(declared, self)

    def most(self, bound: int | None) -> int | None:
        sizes = [size for size in (bound, self.max_size) if size is not None]
        return min(sizes, default=None)

    def deeper(self) -> Values:
        return Values(self.allow_nan, self.most(2), self.depth - 1, self.pool)

    def apart(self) -> SearchStrategy[Values]:
        """Draw what draws values of which no object is mentioned elsewhere."""
        return st.builds(list[Any]).map(lambda pool: Values(self.allow_nan, self.max_size, self.depth, st.just(pool)))


@functools.singledispatch
def values_of(declared: CDRType, of: Values) -> SearchStrategy[Any]:
    raise TypeError(f"no strategy for {declared!r}")


@values_of.register
def _(declared: t.Primitive, of: Values) -> SearchStrategy[Any]:
    if declared is t.Boolean:
        return st.booleans()
    if declared is t.Char:
        return st.characters(min_codepoint=0, max_codepoint=255)
    if declared.format in _INTEGERS:
        least, most = integer_range(declared)
        return st.integers(least, most) | st.sampled_from([least, most])
    return st.floats(width=8 * declared.size, allow_nan=of.allow_nan)  # type: ignore[arg-type]


def integer_range(declared: t.Primitive) -> tuple[int, int]:
    """Return the smallest and the largest value of an integer type."""
    bits = 8 * declared.size
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if declared.format.islower() else (0, (1 << bits) - 1)


@values_of.register
def _(declared: t.StringType, of: Values) -> SearchStrategy[Any]:
    return strings(max_size=of.most(declared.bound))


@values_of.register
def _(declared: t.OctetSequenceType, of: Values) -> SearchStrategy[Any]:
    octets = st.binary(max_size=of.most(declared.bound))
    return octets.map(memoryview) if declared.view else octets


@values_of.register
def _(declared: t.OctetArray, of: Values) -> SearchStrategy[Any]:
    return st.binary(min_size=declared.length, max_size=declared.length)


@values_of.register
def _(declared: t.Sequence, of: Values) -> SearchStrategy[Any]:
    element = of.of(declared.element)
    values = st.lists(element, max_size=0 if element.is_empty else of.most(declared.bound))
    if declared.buffer is not None and isinstance(declared.element, t.Primitive):
        return values.map(functools.partial(_buffer, declared.buffer, declared.element))
    return values.map(tuple)


def _buffer(kind: t.Buffer, element: t.Primitive, values: list[Any]) -> Any:
    """Return numbers as decoding gives them into a buffer."""
    buffer: Any = array(element.format, values)
    if kind == "numpy":
        buffer = importlib.import_module("numpy").array(buffer)
        buffer.flags.writeable = False
    return buffer


@values_of.register
def _(declared: t.Array, of: Values) -> SearchStrategy[Any]:
    return st.tuples(*[of.of(declared.element)] * declared.length)


@values_of.register
def _(declared: t.Enum, of: Values) -> SearchStrategy[Any]:
    named = st.sampled_from(list(declared.cls))
    return named | st.integers(0, 0xFFFFFFFF).map(declared.cls) if declared.open else named


@values_of.register
def _(declared: t.Encapsulation, of: Values) -> SearchStrategy[Any]:
    return of.apart().flatmap(lambda apart: apart.of(declared.content))  # indirections do not leave an encapsulation


@values_of.register
def _(declared: t.Struct, of: Values) -> SearchStrategy[Any]:
    make: Callable[..., Any] = declared.cls or (lambda *values: values)
    if any(isinstance(member.type, t.Switch | t.Dependent) for member in declared.fields):
        return _union_values(declared, of, make)
    return st.tuples(*(of.of(member.type) for member in declared.fields)).map(lambda values: make(*values))


@st.composite
def _union_values(draw: st.DrawFn, declared: t.Struct, of: Values, make: Callable[..., Any]) -> Any:
    switches = [member.type for member in declared.fields if isinstance(member.type, t.Switch)]
    values: dict[str, Any] = {}
    for name, kind in declared.fields:
        if isinstance(kind, t.Switch):
            label = values[kind.on]
            arm = kind.cases.get(label, kind.default)
            values[name] = draw(of.of(arm)) if isinstance(arm, CDRType) else None
        elif isinstance(kind, t.Dependent):
            values[name] = draw(of.of(kind.choose(values[kind.on])))
        else:
            values[name] = draw(_labels(of, of.of(kind), [switch for switch in switches if switch.on == name]))
    return make(*values.values())


def _labels(of: Values, values: SearchStrategy[Any], switches: list[t.Switch]) -> SearchStrategy[Any]:
    """Draw a value that every union it decides has a case for; named cases come up often."""
    if not switches:
        return values
    refusing = [switch for switch in switches if switch.default == t.Switch.REFUSE]
    labels = [
        label
        for label in switches[0].cases
        if label is not None
        and all(label in switch.cases for switch in refusing)
        and not any(_ends(of, switch.cases.get(label)) for switch in switches)
    ]
    named = st.sampled_from(labels) if labels else st.nothing()
    return named if refusing else named | values


def _ends(of: Values, arm: CDRType | None) -> bool:
    """Tell whether there is no value of an arm, as a type has contained itself often enough."""
    return arm is not None and of.of(arm).is_empty


@values_of.register
def _(declared: t.Recursive, of: Values) -> SearchStrategy[Any]:
    if of.depth <= 0:
        return st.nothing()
    return of.deeper().of(declared.make())


@values_of.register
def _(declared: t.Adapted, of: Values) -> SearchStrategy[Any]:
    return of.of(declared.layout).map(declared.decode)


@values_of.register
def _(declared: Fixed, of: Values) -> SearchStrategy[Any]:
    numbers = st.integers(0, 10**declared.digits - 1)
    return st.builds(
        lambda number, negative: Decimal((negative, tuple(map(int, str(number))), -declared.scale)), numbers, st.booleans()
    )


@values_of.register
def _(declared: LongDoubleType, of: Values) -> SearchStrategy[Any]:
    drawn = st.integers(0, (1 << 128) - 1).map(Binary128.of_bits) | st.floats(allow_nan=of.allow_nan).map(Binary128)
    return drawn if of.allow_nan else drawn.filter(lambda it: it == it)


@values_of.register
def _(declared: ValueType, of: Values) -> SearchStrategy[Any]:
    return objects(declared, of)


@values_of.register
def _(declared: WideChar, of: Values) -> SearchStrategy[Any]:
    return st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])


@values_of.register
def _(declared: WideString, of: Values) -> SearchStrategy[Any]:
    most = of.most(declared.bound)
    one_unit = st.characters(min_codepoint=1, max_codepoint=0xFFFF, exclude_categories=["Cs"])
    if most is not None and most < 2:
        return st.text(one_unit, max_size=most)
    pairs = st.text(st.characters(min_codepoint=0x10000), max_size=None if most is None else most // 2)
    return st.text(one_unit, max_size=most) | pairs

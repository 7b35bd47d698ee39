"""TypeCodes: types described as values, and the declarations that follow from them.

A `TypeCode` is a frozen tree. A type that contains itself mentions itself by how many types further out it stands, so that trees
can be compared and put into each other. On the wire such a mention is an indirection, a negative offset to where the type began;
ORBs also write one for a type that came before, and that is read as the type itself.

It must not know values: those are `iiop.cdr.any`'s.

Source: CORBA 3.3 part 2, clause 9.3.5.1 "TypeCode", tables 9.2 "TypeCode enum values, parameter list types, and parameters".
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.codec import Codec
from iiop.cdr.long_double import LongDouble
from iiop.cdr.source import Remainder
from iiop.cdr.types import CDRType, Field, Long, Short, Struct, ULong, UShort
from iiop.cdr.wide import WChar

__all__ = ["ENCLOSING", "NUMBERS", "TYPECODE", "Member", "TCKind", "TypeCode"]


class TCKind(enum.IntEnum):
    """Name the kinds of types (CORBA::TCKind); `tk_indirection` stands for a type further out."""

    tk_null = 0
    tk_void = 1
    tk_short = 2
    tk_long = 3
    tk_ushort = 4
    tk_ulong = 5
    tk_float = 6
    tk_double = 7
    tk_boolean = 8
    tk_char = 9
    tk_octet = 10
    tk_any = 11
    tk_TypeCode = 12
    tk_Principal = 13
    tk_objref = 14
    tk_struct = 15
    tk_union = 16
    tk_enum = 17
    tk_string = 18
    tk_sequence = 19
    tk_array = 20
    tk_alias = 21
    tk_except = 22
    tk_longlong = 23
    tk_ulonglong = 24
    tk_longdouble = 25
    tk_wchar = 26
    tk_wstring = 27
    tk_fixed = 28
    tk_value = 29
    tk_value_box = 30
    tk_native = 31
    tk_abstract_interface = 32
    tk_local_interface = 33
    tk_component = 34
    tk_home = 35
    tk_event = 36
    tk_indirection = 0xFFFFFFFF


K = TCKind


@dataclass(frozen=True, slots=True)
class Member:
    """Hold a member of a struct, exception, union or value type, or an enumerator, of which only the name counts.

    Attributes:
        label: of a union's member, a value of its discriminator.
        visibility: of a value type's member: 0 private, 1 public.
    """

    name: str
    type: TypeCode | None = None
    label: Any = None
    visibility: int = 0


@dataclass(frozen=True, slots=True)
class TypeCode:
    """Describe a type.

    Attributes:
        repository_id: of what has one.
        name: of what has one.
        members: of struct, exception, union, enum and value type.
        content: of sequence, array, alias and value box; the concrete base of a value type.
        length: bound of a string or sequence, 0 for none; length of an array.
        discriminator: of a union.
        default_index: of a union's default member, -1 if it has none.
        digits: of a fixed.
        scale: of a fixed.
        modifier: of a value type.
        level: of `tk_indirection`: how many types further out, 0 for the innermost struct, union, exception or value type around.
    """

    kind: TCKind
    repository_id: str = ""
    name: str = ""
    members: tuple[Member, ...] = ()
    content: TypeCode | None = None
    length: int = 0
    discriminator: TypeCode | None = None
    default_index: int = -1
    digits: int = 0
    scale: int = 0
    modifier: int = 0
    level: int = 0

    __cdr_type__: ClassVar[CDRType]
    __idl__: ClassVar[TypeCode]

    @property
    def unaliased(self) -> TypeCode:
        """Return the type that a typedef is another name for, however many there are on the way."""
        return self.content.unaliased if self.kind is TCKind.tk_alias and self.content is not None else self

    def __repr__(self) -> str:
        """Show what is not as it is by default."""
        given = [
            f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self)[1:] if getattr(self, f.name) != f.default
        ]
        return f"TypeCode({', '.join([getattr(self.kind, 'name', repr(self.kind)), *given])})"


# --- how TypeCodes lie on the wire -------------------------------------------------------------------------------------


def _later(name: str) -> CDRType:
    return t.Recursive(name, lambda: cdr_type(globals()[name]))


@dataclass(frozen=True, slots=True)
class _FixedParameters:
    digits: Annotated[int, UShort]
    scale: Annotated[int, Short]


_PARAMETERS: dict[int, CDRType | None] = (
    dict.fromkeys(range(K.tk_objref))
    | dict.fromkeys((K.tk_longlong.value, K.tk_ulonglong.value, K.tk_longdouble.value, K.tk_wchar.value))
    | dict.fromkeys((K.tk_string.value, K.tk_wstring.value), ULong)
    | {K.tk_fixed.value: cdr_type(_FixedParameters), K.tk_indirection.value: Long}
    | {
        kind.value: t.Encapsulation(_later(parameters))
        for parameters, kinds in {
            "_NamedParameters": (
                K.tk_objref,
                K.tk_native,
                K.tk_abstract_interface,
                K.tk_local_interface,
                K.tk_component,
                K.tk_home,
            ),
            "_StructParameters": (K.tk_struct, K.tk_except),
            "_UnionParameters": (K.tk_union,),
            "_EnumParameters": (K.tk_enum,),
            "_SequenceParameters": (K.tk_sequence, K.tk_array),
            "_AliasParameters": (K.tk_alias, K.tk_value_box),
            "_ValueParameters": (K.tk_value, K.tk_event),
        }.items()
        for kind in kinds
    }
)


@dataclass(frozen=True, slots=True)
class _Wire:
    """Declare a TypeCode: its kind, and parameters as the kind has them. `position` is behind the kind, `end` behind all."""

    kind: Annotated[int, ULong]
    position: Annotated[int, t.Position()]
    parameters: Annotated[Any, t.Switch(_PARAMETERS, on="kind")]
    end: Annotated[int, t.Position()]


@dataclass(frozen=True, slots=True)
class _NamedParameters:
    repository_id: str
    name: str


@dataclass(frozen=True, slots=True)
class _StructMember:
    name: str
    type: _Wire


@dataclass(frozen=True, slots=True)
class _StructParameters(_NamedParameters):
    members: tuple[_StructMember, ...]


def _labelled(discriminator: _Wire) -> CDRType:
    """Return the declaration of a union's members: the type of their labels is that of the discriminator.

    If that is an indirection, they can be read only once it is known where it leads.
    """
    while discriminator.kind == K.tk_alias:
        discriminator = discriminator.parameters.type
    return t.Rest() if discriminator.kind == K.tk_indirection else _members(discriminator.kind)


@functools.cache
def _members(discriminator: int) -> CDRType:
    label = _LABELS.get(discriminator)
    if label is None:
        raise ValueError(f"a discriminator of kind {discriminator} is not understood here")
    fields = (Field("label", label), Field("name", t.String), Field("type", cdr_type(_Wire)))
    return t.Sequence(Struct("union member", fields))


@dataclass(frozen=True, slots=True)
class _UnionParameters(_NamedParameters):
    discriminator: _Wire
    default_index: Annotated[int, Long]
    members: Annotated[Any, t.Dependent("discriminator", _labelled)]


@dataclass(frozen=True, slots=True)
class _EnumParameters(_NamedParameters):
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _SequenceParameters:
    content: _Wire
    length: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class _AliasParameters(_NamedParameters):
    type: _Wire


@dataclass(frozen=True, slots=True)
class _ValueMember:
    name: str
    type: _Wire
    visibility: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class _ValueParameters(_NamedParameters):
    modifier: Annotated[int, Short]
    base: _Wire
    members: tuple[_ValueMember, ...]


NUMBERS: dict[int, CDRType] = {
    K.tk_short: t.Short,
    K.tk_long: t.Long,
    K.tk_ushort: t.UShort,
    K.tk_ulong: t.ULong,
    K.tk_float: t.Float,
    K.tk_double: t.Double,
    K.tk_boolean: t.Boolean,
    K.tk_char: t.Char,
    K.tk_octet: t.Octet,
    K.tk_longlong: t.LongLong,
    K.tk_ulonglong: t.ULongLong,
    K.tk_longdouble: LongDouble,
}
_LABELS: dict[int, CDRType] = {kind: NUMBERS[kind] for kind in NUMBERS if kind not in (K.tk_float, K.tk_double, K.tk_longdouble)}
_LABELS |= {K.tk_enum: t.ULong, K.tk_wchar: WChar}

ENCLOSING = frozenset({K.tk_struct, K.tk_union, K.tk_except, K.tk_value, K.tk_event, K.tk_value_box})
"""Kinds that a type can mention from inside itself, and that `TypeCode.level` counts."""


MOST_PARTS = 4096
"""Types and members that one TypeCode from a peer may have: code is generated for values of it, which takes time.

A type that an indirection repeats counts each time, for a few octets would be a tree of any size otherwise.
"""

SPARE_PARTS = 128
"""Parts that one TypeCode may have beyond the number of its octets: what mentions repeat is worth no more than what is sent."""

DEEPEST = 100
"""Types inside each other that one TypeCode from a peer may have, repeated ones included; `Limits.nesting` bounds the others."""


class _Reader:
    """Turn what was read into a TypeCode: resolve indirections by the positions at which types began."""

    def __init__(self, octets: int) -> None:
        self.most = min(MOST_PARTS, SPARE_PARTS + octets)
        self.parts = 0
        self.depth = 0
        self.open: list[int] = []
        self.known: dict[int, tuple[_Wire, int]] = {}

    def read(self, wire: _Wire, base: int) -> TypeCode:
        """Return the TypeCode of octets that begin `base` octets behind the start of the outermost stream."""
        start = base + wire.position - 4
        self.parts += 1 + len(getattr(wire.parameters, "members", ()))
        if self.parts > self.most:
            raise ValueError(f"a TypeCode of more than {self.most} parts")
        if self.depth >= DEEPEST:
            raise ValueError(f"a TypeCode of more than {DEEPEST} types inside each other")
        if wire.kind == K.tk_indirection:
            return self._indirection(base + wire.position + wire.parameters)
        kind = TCKind(wire.kind)
        if kind in ENCLOSING:
            self.open.append(start)
        self.depth += 1
        made = TypeCode(kind, **self._attributes(kind, wire.parameters, base + wire.position + 4))
        self.depth -= 1
        if kind in ENCLOSING:
            self.open.pop()
        self.known[start] = wire, base
        return made

    def _indirection(self, target: int) -> TypeCode:
        """Return the mention of a type around, or a type that came before as it reads here, where others may be around."""
        if target in self.open:
            return TypeCode(K.tk_indirection, level=len(self.open) - 1 - self.open.index(target))
        if target not in self.known:
            raise ValueError(f"indirection to offset {target}, where no type began")
        return self.read(*self.known[target])

    def _attributes(self, kind: TCKind, given: Any, base: int) -> dict[str, Any]:
        if given is None:
            return {}
        if isinstance(given, int):
            return {"length": given}
        if isinstance(given, _FixedParameters):
            return {"digits": given.digits, "scale": given.scale}
        if isinstance(given, _SequenceParameters):
            return {"content": self.read(given.content, base), "length": given.length}
        named = {"repository_id": given.repository_id, "name": given.name}
        if isinstance(given, _StructParameters):
            return named | {"members": tuple([Member(m.name, self.read(m.type, base)) for m in given.members])}
        if isinstance(given, _EnumParameters):
            return named | {"members": tuple(map(Member, given.members))}
        if isinstance(given, _AliasParameters):
            return named | {"content": self.read(given.type, base)}
        if isinstance(given, _UnionParameters):
            discriminator = self.read(given.discriminator, base)
            labelled = given.members
            if isinstance(labelled, Remainder):
                labelled = _read_later(labelled, discriminator)
            members = tuple([Member(name, self.read(kind, base), label) for label, name, kind in labelled])
            return named | {"discriminator": discriminator, "default_index": given.default_index, "members": members}
        if isinstance(given, _ValueParameters):
            content = self.read(given.base, base)
            members = tuple([Member(m.name, self.read(m.type, base), visibility=m.visibility) for m in given.members])
            return named | {"modifier": given.modifier, "content": content, "members": members}
        return named


def _read_later(remainder: Remainder, discriminator: TypeCode) -> Any:
    """Return the members of a union whose discriminator was told by an indirection."""
    octets, position, byte_order, limits = remainder
    members, end = Codec(_members(discriminator.unaliased.kind)).decode_from(octets, position, byte_order, limits)
    if end != len(octets):
        raise ValueError(f"{len(octets) - end} octets left over in the TypeCode of a union")
    return members


class _Writer:
    """Turn a TypeCode into what is written; offsets of indirections are taken from an iterator, in order of appearance.

    Attributes:
        levels: of the indirections written so far.
    """

    def __init__(self, offsets: Iterator[int]) -> None:
        self.levels: list[int] = []
        self._offsets = offsets
        self._depth = 0

    def write(self, typecode: TypeCode | None) -> _Wire:
        if not isinstance(typecode, TypeCode):
            raise TypeError(f"a TypeCode is needed, not {type(typecode).__name__}")
        encloses = typecode.kind in ENCLOSING
        self._depth += encloses
        parameters = self._parameters(typecode)
        self._depth -= encloses
        return _Wire(typecode.kind.value, 0, parameters, 0)

    def _parameters(self, tc: TypeCode) -> Any:
        match tc.kind:
            case K.tk_indirection:
                if not 0 <= tc.level < self._depth:
                    raise ValueError(f"a type {tc.level} further out is mentioned {self._depth} deep")
                self.levels.append(tc.level)
                return next(self._offsets)
            case K.tk_string | K.tk_wstring:
                return tc.length
            case K.tk_fixed:
                return _FixedParameters(tc.digits, tc.scale)
            case K.tk_struct | K.tk_except:
                members = tuple([_StructMember(m.name, self.write(m.type)) for m in tc.members])
                return _StructParameters(tc.repository_id, tc.name, members)
            case K.tk_union:
                discriminator = self.write(tc.discriminator)
                labelled = tuple([(m.label, m.name, self.write(m.type)) for m in tc.members])
                return _UnionParameters(tc.repository_id, tc.name, discriminator, tc.default_index, labelled)
            case K.tk_enum:
                return _EnumParameters(tc.repository_id, tc.name, tuple([m.name for m in tc.members]))
            case K.tk_sequence | K.tk_array:
                return _SequenceParameters(self.write(tc.content), tc.length)
            case K.tk_alias | K.tk_value_box:
                return _AliasParameters(tc.repository_id, tc.name, self.write(tc.content))
            case K.tk_value | K.tk_event:
                base = self.write(tc.content or TypeCode(K.tk_null))
                visible = tuple([_ValueMember(m.name, self.write(m.type), m.visibility) for m in tc.members])
                return _ValueParameters(tc.repository_id, tc.name, tc.modifier, base, visible)
            case K.tk_objref | K.tk_native | K.tk_abstract_interface | K.tk_local_interface | K.tk_component | K.tk_home:
                return _NamedParameters(tc.repository_id, tc.name)
            case _:
                return None


def _offsets(wire: _Wire, levels: Iterator[int], base: int, around: list[int]) -> Iterator[int]:
    """Yield the offset of every indirection in a TypeCode that was read back, in order of appearance."""
    if wire.kind == K.tk_indirection:
        yield around[-1 - next(levels)] - (base + wire.position)
        return
    if wire.kind in ENCLOSING:
        around = [*around, base + wire.position - 4]
    given, inner = wire.parameters, base + wire.position + 4
    for name in ("discriminator", "content", "type", "base"):
        part = getattr(given, name, None)
        if isinstance(part, _Wire):
            yield from _offsets(part, levels, inner, around)
    for member in getattr(given, "members", ()):
        part = member[2] if isinstance(member, tuple) else getattr(member, "type", None)
        if isinstance(part, _Wire):
            yield from _offsets(part, levels, inner, around)


@functools.lru_cache(maxsize=1024)
def _to_wire(typecode: TypeCode) -> _Wire:
    """Return what is written for a TypeCode; offsets of indirections are found by writing it once without them."""
    writer = _Writer(itertools.repeat(0))
    wire = writer.write(typecode)
    if not writer.levels:
        return wire
    layout = Codec(cdr_type(_Wire))
    placed = layout.decode(layout.encode(wire))
    return _Writer(_offsets(placed, iter(writer.levels), 0, [])).write(typecode)


def _from_wire(wire: _Wire) -> TypeCode:
    return _Reader(wire.end - wire.position + 4).read(wire, 0)


TYPECODE = t.Adapted(cdr_type(_Wire), _from_wire, _to_wire)
"""Declare a TypeCode."""

TypeCode.__cdr_type__ = TYPECODE
TypeCode.__idl__ = TypeCode(TCKind.tk_TypeCode)

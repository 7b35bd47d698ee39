"""Any: a value that carries its type; and which declaration follows from a TypeCode.

A value of a value type is an object of a class made for it, whatever is declared; one of ValueBase or of an abstract interface
tells its type itself, so that is an object of a declared class; so is one of a class derived from the type that is told.
`Any.of` and `Any.extract` put in and take out values of declared classes.

Source: CORBA 3.3 part 2, clause 9.3.5.2 "Any".
"""

from __future__ import annotations

import builtins
import enum
import functools
import keyword
import typing
from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.conversion import convert
from iiop.cdr.fixed import fixed
from iiop.cdr.object_references import DECLARED
from iiop.cdr.records import record, value_class
from iiop.cdr.reflection import equivalent, typecode_of
from iiop.cdr.typecode import ENCLOSING, NUMBERS, TYPECODE, Member, TypeCode
from iiop.cdr.typecode import TCKind as K
from iiop.cdr.types import CDRType, Dependent, Field, Struct
from iiop.cdr.value_types import VALUE_BASE, AbstractInterface, Value, ValueType, abstract_interface
from iiop.cdr.wide import WChar, wide_string
from iiop.exceptions import DecodeError, EncodeError

__all__ = ["Any", "ExceptionBody", "UnionValue", "type_of", "typecode_of"]

T = typing.TypeVar("T")


@dataclass(frozen=True, slots=True)
class UnionValue:
    """Hold a value of a union that is known by its TypeCode only; `value` is None where no member is chosen."""

    discriminator: typing.Any
    value: typing.Any = None


def _as_nothing(value: None) -> tuple[()]:
    if value is not None:
        raise ValueError("null and void have no value but None")
    return ()


_NOTHING = t.Adapted(Struct("nothing", ()), lambda read: None, _as_nothing)


@functools.lru_cache(maxsize=1024)
def type_of(typecode: TypeCode) -> CDRType:
    """Return the declaration of values of a type.

    A struct's value is an instance of a dataclass made for it, a union's a `UnionValue`, an enum's a member of an enum made for
    it, null's and void's None.

    Raises:
        ValueError: values of the type are not spoken here, or no type can be like that.
    """
    if _weight(typecode) > MOST_VALUES:
        raise ValueError(f"a type of which one value is more than {MOST_VALUES} others")
    return _type_of(typecode, ())


MOST_VALUES = 8192
"""Values in one of a type, sequences counted as one element, short arrays as all of theirs: so much code is generated for it."""
_WRITTEN_OUT, _WRITTEN_OUT_VALUES = 16, 128
"""Length of an array, and values in it, up to which the compiled engine writes no loop."""


def _weight(tc: TypeCode) -> int:
    parts = [tc.content, *[member.type for member in tc.members]]
    inside = max(1, sum(_weight(part) for part in parts if part is not None))
    if tc.kind is not K.tk_array or tc.length > _WRITTEN_OUT:
        return inside
    return max(inside, min(tc.length * inside, _WRITTEN_OUT_VALUES))


def _type_of(tc: TypeCode, around: tuple[list[CDRType], ...]) -> CDRType:
    """Make a declaration; `around` has a cell for every enclosing type, filled once that is made."""
    if tc.kind in NUMBERS:
        return NUMBERS[tc.kind]
    if tc.kind is K.tk_indirection:
        if tc.level >= len(around):
            raise ValueError(f"a type {tc.level} further out is mentioned {len(around)} deep")
        cell = around[-1 - tc.level]
        return cell[0] if cell else t.Recursive("type further out", lambda: cell[0])
    if tc.kind in ENCLOSING:
        own: list[CDRType] = []
        if tc.kind in (K.tk_value, K.tk_event, K.tk_value_box):
            return _value_of(tc, (*around, own))
        own.append(_composed(tc, (*around, own)))
        return own[0]
    match tc.kind:
        case K.tk_null | K.tk_void:
            return _NOTHING
        case K.tk_string:
            return t.StringType(tc.length or None)
        case K.tk_sequence | K.tk_array:
            return _repeated(tc, around)
        case K.tk_alias:
            return _type_of(_needed(tc.content), around)
        case K.tk_enum:
            return t.Enum(_enum_class(tc))
        case K.tk_objref | K.tk_component | K.tk_home if DECLARED:
            return DECLARED[0]
        case K.tk_abstract_interface if DECLARED:
            return abstract_interface(DECLARED[0])
        case K.tk_TypeCode:
            return TYPECODE
        case K.tk_any:
            return cdr_type(Any)
        case K.tk_wchar:
            return WChar
        case K.tk_wstring:
            return wide_string(tc.length or None)
        case K.tk_fixed:
            return fixed(tc.digits, tc.scale)
        case K.tk_Principal:
            return t.Principal
    raise ValueError(f"values of {tc.kind.name} are not spoken here")


def _needed(typecode: TypeCode | None) -> TypeCode:
    if typecode is None:
        raise ValueError("a TypeCode lacks the type it is made of")
    return typecode


def _repeated(tc: TypeCode, around: tuple[list[CDRType], ...]) -> CDRType:
    element = _needed(tc.content)
    octets = element.unaliased.kind is K.tk_octet
    if tc.kind is K.tk_array:
        if octets:
            return t.OctetArray(tc.length)
        part = _type_of(element, around)
        if part.min_size == 0:
            raise ValueError("an array of a type that takes no octets: nothing would bound its length")
        return t.Array(part, tc.length)
    if octets:
        return t.OctetSequenceType(tc.length or None)
    try:
        return t.Sequence(_type_of(element, around), tc.length or None)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _composed(tc: TypeCode, around: tuple[list[CDRType], ...]) -> CDRType:
    if tc.kind in (K.tk_struct, K.tk_except):
        names = _names([member.name for member in tc.members])
        members = tuple([Field(name, _type_of(_needed(m.type), around)) for name, m in zip(names, tc.members, strict=True)])
        made = Struct(tc.name or tc.repository_id, members, _struct_class(tc.name, tuple(names)))
        return made if tc.kind is K.tk_struct else _behind_its_id(made, tc.repository_id)
    if tc.kind is not K.tk_union:
        raise ValueError(f"values of {tc.kind.name} are not spoken here")
    cases: dict[typing.Any, CDRType | None] = {}
    default: CDRType | None = None
    for index, member in enumerate(tc.members):
        arm = _type_of(_needed(member.type), around)
        if index == tc.default_index:
            default = arm
        else:
            cases[member.label] = arm
    discriminator = _type_of(_needed(tc.discriminator), around)
    if not cases and default is None:
        raise ValueError("a union without members")
    switch = t.Switch(cases or {None: None}, default)
    return Struct(tc.name, (Field("discriminator", discriminator), Field("value", switch)), UnionValue)


def _value_of(tc: TypeCode, around: tuple[list[CDRType], ...]) -> ValueType:
    """Make a value type; its cell, the last one, is filled before its members are made, for they mention it as it is."""
    if tc.repository_id == VALUE_BASE.repository_id:
        return VALUE_BASE
    base: ValueType | None = None
    parts = [Member("value", _needed(tc.content))] if tc.kind is K.tk_value_box else list(tc.members)
    if tc.kind is not K.tk_value_box and tc.content is not None and tc.content.kind is not K.tk_null:
        if tc.content.kind not in (K.tk_value, K.tk_event) or tc.content.repository_id == VALUE_BASE.repository_id:
            raise ValueError(f"a value type derived from a {tc.content.kind.name}")
        base = _value_of(tc.content, (*around, []))
    inherited = base.fields if base else ()
    if not 0 <= tc.modifier <= _TRUNCATABLE:
        raise ValueError(f"a value type with the modifier {tc.modifier}")
    custom = tc.modifier == _CUSTOM
    names = _names([*[name for name, _ in inherited], *[member.name for member in parts]])
    own: list[Field] = []
    made = ValueType(
        tc.repository_id,
        _value_class(tc.name, ("state",) if custom else tuple(names)),
        lambda: tuple(own),
        base,
        truncatable=tc.modifier == _TRUNCATABLE,
        custom=custom,
        abstract=tc.modifier == _ABSTRACT,
        declared=False,
        boxed=tc.kind is K.tk_value_box,
    )
    around[-1].append(made)
    kinds = [*[kind for _, kind in inherited], *[_type_of(_needed(member.type), around) for member in parts]]
    own += [Field(name, kind) for name, kind in zip(names, kinds, strict=True) if not custom]
    return made


_CUSTOM, _ABSTRACT, _TRUNCATABLE = 1, 2, 3
"""Modifiers of a value type (CORBA::ValueModifier)."""


@dataclass(frozen=True)
class ExceptionBody(t.Adapted):
    """Declare an exception, which travels as its repository id and its members, in an Any too.

    Attributes:
        members: what a value is.
    """

    members: Struct


def _behind_its_id(members: Struct, repository_id: str) -> ExceptionBody:
    def read(given: tuple[str, typing.Any]) -> typing.Any:
        if given[0] != repository_id:
            raise ValueError(f"an exception {given[0]!r} where its TypeCode says {repository_id!r}")
        return given[1]

    layout = Struct("exception", (Field("repository_id", t.Latin1String), Field("members", members)))
    return ExceptionBody(layout, read, lambda value: (repository_id, value), members)


def _names(given: list[str]) -> list[str]:
    """Return member names that Python, a dataclass and an enum admit, each once.

    What is not ASCII is an identifier to Python, but not always the one it looks like: it is normalised.
    Every class has an `mro`.
    """
    taken: dict[str, None] = {}
    for index, name in enumerate(given):
        fit = name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
        usable = name
        if not fit or name in taken or name == "mro":
            usable = f"member_{index}"
            while usable in given:
                usable += "_"
        taken[usable] = None
    return list(taken)


def _class_name(name: str) -> str:
    return name if name.isidentifier() and not keyword.iskeyword(name) else "Value"


@functools.lru_cache(maxsize=1024)
def _struct_class(name: str, names: tuple[str, ...]) -> type[typing.Any]:
    return record(_class_name(name), names)


@functools.lru_cache(maxsize=1024)
def _value_class(name: str, names: tuple[str, ...]) -> type[Value]:
    return value_class(_class_name(name), names, Value)


@functools.lru_cache(maxsize=1024)
def _enum_class(tc: TypeCode) -> type[enum.IntEnum]:
    names = _names([member.name for member in tc.members])
    if not names:
        raise ValueError("an enum without members")
    made = enum.IntEnum(tc.name if tc.name.isidentifier() else "Enum", [(name, number) for number, name in enumerate(names)])  # type: ignore[misc]
    return typing.cast("type[enum.IntEnum]", made)


@dataclass(frozen=True, slots=True)
class Any:
    """Declare an Any; `value` is as `type_of` says for its type."""

    type: TypeCode
    value: Annotated[typing.Any, Dependent("type", type_of)]

    __idl__: typing.ClassVar[TypeCode] = TypeCode(K.tk_any)

    @classmethod
    def of(cls, declared: typing.Any, value: typing.Any) -> Any:
        """Return an Any that holds a value of a declared type.

        >>> Any.of(str, "text")
        Any(type=TypeCode(tk_string), value='text')

        Args:
            declared: a generated class, a typedef, or any annotation that says what lies on the wire; of a reference to an
                object the interface.
            value: of that type.

        Raises:
            TypeError: the annotation does not say what its type is called in IDL.
            EncodeError: the value is none of the type, or the type too large for an Any; a number or text that does not fit is
                told when the Any is written.
        """
        typecode = typecode_of(declared)
        try:
            made = type_of(typecode)
        except ValueError as error:
            raise EncodeError(str(error), path="type") from None
        return cls(typecode, convert(value, _layout(declared, made), made.members if isinstance(made, ExceptionBody) else made))

    @typing.overload
    def extract(self, declared: builtins.type[T]) -> T: ...

    @typing.overload
    def extract(self, declared: typing.Any) -> typing.Any: ...

    def extract(self, declared: typing.Any) -> typing.Any:
        """Return the value as one of a declared type.

        Args:
            declared: as for `of`; typedefs do not count.

        Raises:
            TypeError: the annotation does not say what its type is called in IDL.
            DecodeError: the Any holds something else.
            EncodeError: its value is none of its own type, or too deep.
        """
        typecode = typecode_of(declared)
        if not equivalent(self.type, typecode):
            raise DecodeError(f"the Any holds a {_shown(self.type)}, not a {_shown(typecode)}", path="type")
        try:
            made = type_of(self.type)
        except ValueError as error:
            raise DecodeError(str(error), path="type") from None
        return convert(self.value, made.members if isinstance(made, ExceptionBody) else made, _layout(declared, made))


def _layout(declared: typing.Any, made: CDRType) -> CDRType:
    """Return the layout of a declared type; interfaces have none of their own, for their references are all the same."""
    return made if made in DECLARED or isinstance(made, AbstractInterface) else cdr_type(declared)


def _shown(typecode: TypeCode) -> str:
    return f"{typecode.repository_id} ({typecode.kind.name})" if typecode.repository_id else repr(typecode)

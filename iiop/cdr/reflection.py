"""TypeCodes of declared types: what annotations and the marks of `iiop.cdr.idl_types` say, as data.

Where a name of IDL is none in Python it has an underscore in front, and IDL has no names that begin with one.

Source: CORBA 3.3 part 1, clause 8.11 "TypeCodes".
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from iiop.cdr import types as t
from iiop.cdr.annotations import Bound, Length
from iiop.cdr.fixed import Fixed
from iiop.cdr.idl_types import Alias, ElementType, Private, RepositoryId, Union
from iiop.cdr.object_references import is_object_reference
from iiop.cdr.typecode import NUMBERS, TYPECODE, Member, TypeCode
from iiop.cdr.typecode import TCKind as K
from iiop.cdr.types import CDRType
from iiop.cdr.value_types import AbstractInterface, Value, ValueType
from iiop.cdr.wide import WideChar, WideString
from iiop.exceptions import UserException

__all__ = ["equivalent", "typecode_of"]

_ABSTRACT_BASE = TypeCode(K.tk_abstract_interface, "IDL:omg.org/CORBA/AbstractBase:1.0", "AbstractBase")
_KINDS = [*[(declared, K(kind)) for kind, declared in NUMBERS.items()], (TYPECODE, K.tk_TypeCode)]
_CUSTOM, _ABSTRACT, _TRUNCATABLE = 1, 2, 3
_PUBLIC = 1
_Classes = tuple[type[Any], ...]


@functools.lru_cache(maxsize=1024)
def typecode_of(declared: Any) -> TypeCode:
    """Return the TypeCode of a generated class, of a typedef, or of any annotation that says how values lie on the wire.

    >>> from typing import Annotated
    >>> from iiop.cdr import Bound, Long
    >>> typecode_of(Annotated[tuple[Annotated[int, Long], ...], Bound(5)])
    TypeCode(tk_sequence, content=TypeCode(tk_long), length=5)

    Raises:
        TypeError: the annotation does not say what the type is called, or what lies on the wire.
    """
    return _of(declared, ())


def _of(declared: Any, around: _Classes) -> TypeCode:
    """Return a TypeCode; `around` are the classes it stands in."""
    if isinstance(declared, CDRType):
        return _of_layout(declared, around)
    origin = typing.get_origin(declared)
    if origin is Annotated:
        return _annotated(declared.__origin__, declared.__metadata__, around)
    parts = typing.get_args(declared)
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        return TypeCode(K.tk_sequence, content=_of(parts[0], around))
    if origin in (types.UnionType, typing.Union):
        others = [part for part in parts if part is not types.NoneType]
        if len(others) == 1:
            return _of(others[0], around)
    if isinstance(declared, type) and not isinstance(declared, types.GenericAlias):
        plain = {str: t.String, bytes: t.OctetSequence, bool: t.Boolean}.get(declared)
        return _of_layout(plain, around) if plain else _of_class(declared, around)
    raise TypeError(f"{declared!r} does not say what type of IDL it is")


def _annotated(origin: Any, metadata: tuple[Any, ...], around: _Classes) -> TypeCode:
    marks = (Bound, Length, Alias, RepositoryId, ElementType)
    said = [extra for extra in metadata if isinstance(extra, (CDRType, *marks))]
    made = None if said and isinstance(said[0], CDRType) else _of(origin, around)
    for extra in said:
        if isinstance(extra, CDRType):
            made = _of_layout(extra, around)
            continue
        assert made is not None
        match extra:
            case Alias():
                made = TypeCode(K.tk_alias, extra.repository_id, extra.simple_name, content=made)
            case RepositoryId() if made.kind in (K.tk_objref, K.tk_abstract_interface):
                made = TypeCode(made.kind, extra.repository_id, extra.simple_name)
            case Bound() if made.kind is K.tk_sequence:
                made = dataclasses.replace(made, length=extra.most)
            case Length() if made.kind is K.tk_sequence:
                made = dataclasses.replace(made, kind=K.tk_array, length=extra.length)
            case ElementType() if made.kind in (K.tk_sequence, K.tk_array):
                made = dataclasses.replace(made, content=_of(extra.annotation, around))
            case _:
                raise TypeError(f"{extra} does not belong to a {made.kind.name}")
    assert made is not None
    return made


def _of_layout(declared: CDRType, around: _Classes) -> TypeCode:
    octet = TypeCode(K.tk_octet)
    kind = next((kind for known, kind in _KINDS if known is declared), None)
    if kind is not None:
        return TypeCode(kind)
    match declared:
        case t.StringType():
            return TypeCode(K.tk_string, length=declared.bound or 0)
        case t.OctetSequenceType():
            return TypeCode(K.tk_sequence, content=octet, length=declared.bound or 0)
        case t.OctetArray():
            return TypeCode(K.tk_array, content=octet, length=declared.length)
        case t.Sequence():
            return TypeCode(K.tk_sequence, content=_of(declared.element, around), length=declared.bound or 0)
        case t.Array():
            return TypeCode(K.tk_array, content=_of(declared.element, around), length=declared.length)
        case WideChar():
            return TypeCode(K.tk_wchar)
        case WideString():
            return TypeCode(K.tk_wstring, length=declared.bound or 0)
        case Fixed():
            return TypeCode(K.tk_fixed, digits=declared.digits, scale=declared.scale)
        case AbstractInterface():
            return _ABSTRACT_BASE
        case t.Recursive():
            return _of(declared.make(), around)
        case t.Struct(cls=cls) | t.Enum(cls=cls) | ValueType(cls=cls) if cls is not None:
            return _of_class(cls, around)
    raise TypeError(f"{declared} is the layout of no type of IDL")


def _of_class(cls: type[Any], around: _Classes) -> TypeCode:
    if cls in around:
        return TypeCode(K.tk_indirection, level=len(around) - 1 - around.index(cls))
    by_itself = vars(cls).get("__cdr_type__")
    if isinstance(by_itself, ValueType):
        return _value(cls, by_itself, around)
    marked = vars(cls).get("__idl__")
    if isinstance(marked, TypeCode):
        return marked
    repository_id, name = _identity(cls)
    if is_object_reference(cls):
        return TypeCode(K.tk_objref, repository_id, name)
    if issubclass(cls, enum.IntEnum):
        return TypeCode(K.tk_enum, repository_id, name, tuple([Member(_idl_name(member.name)) for member in cls]))
    if not dataclasses.is_dataclass(cls):
        kind = K.tk_abstract_interface if vars(cls).get("abstract") else K.tk_objref
        return TypeCode(kind, repository_id, name)
    members = dict(_members(cls))
    around = (*around, cls)
    switch = next((m for m in getattr(members.get("value"), "__metadata__", ()) if isinstance(m, Union)), None)
    if switch is not None:
        return _union(TypeCode(K.tk_union, repository_id, name), members["discriminator"], switch, around)
    kind = K.tk_except if issubclass(cls, UserException) else K.tk_struct
    made = tuple([Member(_idl_name(member), _of(annotation, around)) for member, annotation in members.items()])
    return TypeCode(kind, repository_id, name, made)


def _identity(cls: type[Any]) -> tuple[str, str]:
    """Return repository id and name."""
    marked = vars(cls).get("__idl__") or RepositoryId(getattr(vars(cls).get("__cdr_type__"), "repository_id", ""))
    if not marked.repository_id:
        marked = RepositoryId(vars(cls).get("repository_id") or "")
    if not marked.repository_id:
        raise TypeError(f"{cls.__qualname__} has no repository id: decorate it with iiop.cdr.RepositoryId")
    return marked.repository_id, marked.simple_name


def _idl_name(name: str) -> str:
    return name.removeprefix("_")


def _members(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and annotation of each member that the class itself declares."""
    above = {base.__name__: base for base in reversed(cls.__mro__)}
    hints = typing.get_type_hints(cls, localns=above, include_extras=True)
    for member in dataclasses.fields(cls):
        if member.name in cls.__annotations__:
            yield member.name, hints[member.name]


def _union(bare: TypeCode, discriminator: Any, switch: Union, around: _Classes) -> TypeCode:
    """Return a union; the label of its default member means nothing, and is a zero of its kind."""
    decided = _of(discriminator, around)
    kind = decided.unaliased.kind
    zero = {K.tk_char: "\0", K.tk_wchar: "\0", K.tk_boolean: False}.get(kind, 0)
    members: list[Member] = []
    default_index = -1
    for arm in switch.arms:
        content = _of(arm.annotation, around)
        members += [Member(arm.name, content, int(label) if kind is K.tk_enum else label) for label in arm.labels]
        if arm.default:
            default_index = len(members)
            members.append(Member(arm.name, content, zero))
    return dataclasses.replace(bare, members=tuple(members), discriminator=decided, default_index=default_index)


def _value(cls: type[Any], declared: ValueType, around: _Classes) -> TypeCode:
    if declared.custom:
        raise TypeError(f"{cls.__qualname__} is custom: its members, which its TypeCode would have, are not declared here")
    repository_id, name = _identity(cls)
    if cls is Value:
        return TypeCode(K.tk_value, repository_id, name, content=TypeCode(K.tk_null))
    around = (*around, cls)
    members = dict(_members(cls))
    if declared.boxed:
        return TypeCode(K.tk_value_box, repository_id, name, content=_of(members["value"], around))
    modifier = _ABSTRACT if declared.abstract else _TRUNCATABLE if declared.truncatable else 0
    base = _of(declared.base, around) if declared.base else TypeCode(K.tk_null)
    made = tuple(
        [
            Member(_idl_name(member), _of(annotation, around), visibility=0 if _is_private(annotation) else _PUBLIC)
            for member, annotation in members.items()
        ]
    )
    return TypeCode(K.tk_value, repository_id, name, made, content=base, modifier=modifier)


def _is_private(annotation: Any) -> bool:
    return any(isinstance(extra, Private) for extra in getattr(annotation, "__metadata__", ()))


def equivalent(one: TypeCode | None, other: TypeCode | None) -> bool:
    """Tell whether values of two types are alike: typedefs and names do not count, nor ids where one has none."""
    if one is None or other is None:
        return one is other
    one, other = one.unaliased, other.unaliased
    if one.repository_id and other.repository_id and one.repository_id != other.repository_id:
        return False
    bare = [
        dataclasses.replace(it, repository_id="", name="", members=(), content=None, discriminator=None) for it in (one, other)
    ]
    if bare[0] != bare[1] or len(one.members) != len(other.members):
        return False
    labels = all(
        a.label == b.label or index == one.default_index
        for index, (a, b) in enumerate(zip(one.members, other.members, strict=True))
    )
    parts = [[it.content, it.discriminator, *[member.type for member in it.members]] for it in (one, other)]
    return labels and all(map(equivalent, *parts))

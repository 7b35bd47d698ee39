"""Annotations: what a layout is, read from the dataclasses that declare it.

A structure is a dataclass whose annotations say how its fields lie on the wire: `str`, `bytes`, `bool`, enums, other dataclasses
and `tuple[X, ...]` speak for themselves, numbers carry their type, `request_id: Annotated[int, ULong]`. `cdr_type` turns an
annotation into a `CDRType`. Knows annotations and what they declare; neither octets nor how they are read.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any

from iiop.cdr.types import Array, Boolean, CDRType, Enum, Field, OctetSequence, Recursive, Sequence, String, Struct

__all__ = ["Bound", "Length", "arguments", "cdr_type"]


@dataclass(frozen=True)
class Bound:
    """Bound the sequence that is annotated with it: `Annotated[tuple[Point, ...], Bound(5)]`.

    Attributes:
        most: elements at the most.
    """

    most: int

    def of(self, declared: CDRType) -> CDRType:
        """Return a sequence with this bound; raises TypeError where it is none."""
        if not isinstance(declared, Sequence):
            raise TypeError(f"{declared} is no sequence to bound")
        return dataclasses.replace(declared, bound=self.most)


@dataclass(frozen=True)
class Length:
    """Make the sequence that is annotated with it an array: `Annotated[tuple[Point, ...], Length(3)]`.

    Attributes:
        length: elements.
    """

    length: int

    def of(self, declared: CDRType) -> CDRType:
        """Return an array of the elements of a sequence; raises TypeError where it is none."""
        if not isinstance(declared, Sequence):
            raise TypeError(f"{declared} is no sequence to make an array of")
        return Array(declared.element, self.length)


def arguments(name: str, *fields: tuple[str, Any]) -> Struct:
    """Declare operation arguments or results: a structure whose values are tuples.

    Args:
        name: the operation, for messages.
        fields: parameter name and annotation, in IDL order.
    """
    return Struct(name, tuple(Field(member, cdr_type(annotation)) for member, annotation in fields))


_declared: dict[type[Any], Struct | None] = {}
"""Structures by dataclass; None while one is being declared, so that it can mention itself."""


def _struct_of(cls: type[Any]) -> Struct:
    """Return the structure of a dataclass that is declared already."""
    declared = _declared[cls]
    assert declared is not None
    return declared


def _declaration_of(cls: type[Any]) -> CDRType:
    """Return the structure of a dataclass; inside itself, a reference to it."""
    if cls not in _declared:
        _declared[cls] = None
        try:
            _declared[cls] = _declare(cls)
        finally:
            if _declared[cls] is None:
                del _declared[cls]
    return _declared[cls] or Recursive(cls.__qualname__, functools.partial(_struct_of, cls))


def _declare(cls: type[Any]) -> Struct:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, Field] = {}
    for member in dataclasses.fields(cls):
        try:
            declared = cdr_type(hints[member.name])
        except TypeError as error:
            raise TypeError(f"{cls.__qualname__}.{member.name}: {error}") from None
        fields[member.name] = Field(member.name, declared)
    return Struct(cls.__qualname__, tuple(fields.values()), cls)


_PLAIN: dict[Any, CDRType] = {str: String, bytes: OctetSequence, bool: Boolean}


def cdr_type(annotation: Any) -> CDRType:
    """Return the CDR type that an annotation declares.

    Raises:
        TypeError: the annotation does not say how the value lies on the wire (a bare `int`, for example).
    """
    if isinstance(annotation, CDRType):
        return annotation
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        declared = [extra for extra in annotation.__metadata__ if isinstance(extra, CDRType)]
        if declared:
            return declared[-1]
        made = cdr_type(annotation.__origin__)
        for extra in annotation.__metadata__:
            made = extra.of(made) if isinstance(extra, Bound | Length) else made
        return made
    if origin is tuple:
        parts = typing.get_args(annotation)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return Sequence(cdr_type(parts[0]))
    if origin in (types.UnionType, typing.Union):
        others = [part for part in typing.get_args(annotation) if part is not types.NoneType]
        if len(others) == 1 and (nullable := cdr_type(others[0])).nullable:
            return nullable
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if annotation in _PLAIN:
            return _PLAIN[annotation]
        if issubclass(annotation, enum.IntEnum):
            return Enum(annotation)
        if "__cdr_type__" in vars(annotation):
            declared_by_itself: CDRType = annotation.__cdr_type__  # type: ignore[attr-defined]
            return declared_by_itself
        if dataclasses.is_dataclass(annotation):
            return _declaration_of(annotation)
    raise TypeError(f"{annotation!r} does not say how it lies on the wire; write Annotated[..., ULong] or the like")

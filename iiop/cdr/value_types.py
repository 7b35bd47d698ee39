"""Value types: objects passed by value, as plain data.

A value type is declared by a class that `value_type` decorates (an example is in `iiop.cdr`). A derived one is a derived class,
and a value box a value type with one member, `value`: they look the same on the wire. What is read is an object of a declared
class, or of one made of a TypeCode; its members are set and nothing of it is called. Operations of a value are written in a
class derived from the declared one, which `value_implementation` makes the class of what is read. An object mentioned twice is
the same object, read and written, and may mention itself.

This module knows no octets; `value_constructs` does.

Source: CORBA 3.3 part 2, clause 9.3.4 "Value Types", 9.3.7 "Abstract Interfaces".
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import typing
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.types import ByteOrder, CDRType, Field

__all__ = [
    "VALUE_BASE",
    "AbstractInterface",
    "CustomState",
    "Value",
    "ValueHeader",
    "ValueType",
    "abstract_interface",
    "declared_type",
    "header_of",
    "value_implementation",
    "value_type",
]

log = logging.getLogger("iiop.values")


@dataclass(frozen=True, slots=True)
class ValueHeader:
    """Hold how a value was introduced by the peer that wrote it.

    Attributes:
        codebase: URL of code, which nobody here loads.
        repository_ids: one, or a tuple of them, the most derived first; None where the peer gave none.
        chunked: whether its state was cut into chunks.
    """

    codebase: str | None = None
    repository_ids: str | tuple[str, ...] | None = None
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class CustomState:
    """Hold the state of a value of a custom type, which only the code of that type understands.

    It means something only where it stands; elsewhere it is refused. Whether it mentions what lies outside of it cannot be known.

    Attributes:
        octets: chunks and values inside, as on the wire.
        byte_order: of the octets.
        phase: position of the first octet, modulo 8.
        level: how many chunked values around, this one included.
    """

    octets: bytes
    byte_order: ByteOrder
    phase: int
    level: int


_compared: ContextVar[set[tuple[int, int]] | None] = ContextVar("_compared", default=None)
_shown: ContextVar[set[int] | None] = ContextVar("_shown", default=None)


@contextlib.contextmanager
def _outermost(variable: ContextVar[Any]) -> Iterator[set[Any]]:
    """Give the set that the outermost of calls inside each other made."""
    known = variable.get()
    if known is not None:
        yield known
        return
    made: set[Any] = set()
    token = variable.set(made)
    try:
        yield made
    finally:
        variable.reset(token)


class Value:
    """Stand above all classes of value types (CORBA::ValueBase); as a declared type, any of them.

    Values are equal if they are of one class and their members are; `repr` shows an object once.
    """

    __cdr_type__: typing.ClassVar[CDRType]
    _header: ValueHeader | None = None

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        with _outermost(_compared) as compared:
            pair = (id(self), id(other))
            if self is other or pair in compared:
                return True
            compared.add(pair)
            return all(getattr(self, name, None) == getattr(other, name, None) for name in _members(self))

    def __repr__(self) -> str:
        with _outermost(_shown) as shown:
            if id(self) in shown:
                return f"{type(self).__name__}(again)"
            shown.add(id(self))
            members = [f"{name}={getattr(self, name)!r}" for name in _members(self) if hasattr(self, name)]
            return f"{type(self).__name__}({', '.join(members)})"


def header_of(value: Value) -> ValueHeader | None:
    """Return how the peer introduced a value, None for what was not read; it is written so again where that still fits."""
    return value._header


def _members(value: Value) -> list[str]:
    return [member.name for member in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []


@dataclass(frozen=True, eq=False)
class ValueType(CDRType):
    """Declare a value type; `value_type` makes one of a class, and a TypeCode one with a class of its own.

    Attributes:
        repository_id: as the wire has it.
        cls: the class of its values.
        make: returns the members, those of the base first; asked when they are first needed, for they may be of this type.
        base: the concrete value type that this one is derived from.
        truncatable: whether whoever knows the base only may read a value as one of that.
        custom: whether only code of its own understands the state; the one member is then `state`, a `CustomState`.
        abstract: whether there are only values of types derived from it.
        declared: whether there is a class for it that a user declared; otherwise it was made of a TypeCode.
        boxed: whether it is a value box.
        spoken: returns a member's declaration, of this type or of one derived from it, as a connection speaks it.
    """

    nullable: typing.ClassVar[bool] = True

    repository_id: str
    cls: type[Value]
    make: Callable[[], tuple[Field, ...]] = field(repr=False)
    base: ValueType | None = None
    truncatable: bool = False
    custom: bool = False
    abstract: bool = False
    declared: bool = True
    boxed: bool = False
    spoken: Callable[[CDRType], CDRType] = field(default=lambda declared: declared, repr=False)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def min_size(self) -> int:
        return 4

    @property
    def implementation(self) -> type[Value]:
        """Return the class of what is read."""
        return _implementations.get(self.cls, self.cls)

    @functools.cached_property
    def fields(self) -> tuple[Field, ...]:
        """Return the members."""
        return self.make()

    @functools.cached_property
    def lineage(self) -> tuple[ValueType, ...]:
        """Return the type, its base, the base of that, and so on."""
        return (self, *(self.base.lineage if self.base else ()))

    @functools.cached_property
    def repository_ids(self) -> str | tuple[str, ...]:
        """Return what tells the type on the wire: its id, and those of the bases it may be truncated to, if there are any."""
        if not self.truncatable or self.base is None:
            return self.repository_id
        rest = self.base.repository_ids
        return (self.repository_id, *((rest,) if isinstance(rest, str) else rest))

    def known(self, repository_id: str) -> ValueType | None:
        """Return the type of that id that is this one or declared as derived from it.

        Raises:
            ValueError: it is declared twice, and not the same way.
        """
        if repository_id == self.repository_id:
            return self
        above = self.cls if self.declared else Value
        derived = [it for sub in _derived(above) if (it := sub.__cdr_type__).repository_id == repository_id]
        return _one_of([it for it in derived if self.declared or it.is_a(self.repository_id)])

    def is_a(self, repository_id: str) -> bool:
        """Tell whether the type has that id, or is derived from one that has it, an abstract one included."""
        above = [*self.lineage, *filter(None, map(_value_type_of, self.cls.__mro__))]
        return any(it.repository_id == repository_id for it in above)

    def admits(self, value: Any, actual: ValueType) -> bool:
        """Tell whether a value, read or written as `actual`, is one of this type."""
        if self.declared:
            return isinstance(value, self.cls)
        return actual.is_a(self.repository_id)

    def type_of(self, value: Any) -> ValueType | None:
        """Return the type to write a value as, None if it is none of this type."""
        own = declared_type(value)
        if self.declared:
            return own if isinstance(value, self.cls) else None
        if own is not None and own.repository_id != self.repository_id and own.is_a(self.repository_id):
            return own
        return self if all(hasattr(value, member.name) for member in self.fields) else None


def _derived(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield the declared classes below a class."""
    for sub in cls.__subclasses__():
        if "__cdr_type__" in vars(sub):
            yield sub
            yield from _derived(sub)


def _one_of(found: list[ValueType]) -> ValueType | None:
    """Return the type to read, of all that are declared with one id: that of files which were compiled apart, for example."""
    implemented = [it for it in found if it.cls in _implementations]
    if len(found) < 2 or len(implemented) == 1:
        return next(iter(implemented or found), None)
    first, second = found[:2]
    told = f"{first.repository_id} is declared by {_place(first.cls)} and by {_place(second.cls)}"
    if any(_outline(it) != _outline(first) for it in found):
        raise ValueError(f"{told}, which differ")
    _warn(f"{told}: objects of the first are read where the id alone tells the type; compile their files together")
    return first


def _outline(declared: ValueType) -> Any:
    members = [(name, kind if isinstance(kind, t.Primitive | t.StringType) else type(kind)) for name, kind in declared.fields]
    return [it.repository_id for it in declared.lineage], declared.truncatable, declared.custom, declared.boxed, members


def _place(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


@functools.lru_cache(maxsize=256)
def _warn(text: str) -> None:
    """Log a warning once."""
    log.warning("%s", text)


VALUE_BASE = ValueType("IDL:omg.org/CORBA/ValueBase:1.0", Value, tuple, abstract=True)
Value.__cdr_type__ = VALUE_BASE

V = TypeVar("V", bound=type[Value])


@typing.dataclass_transform(eq_default=False)
def value_type(
    repository_id: str, *, truncatable: bool = False, custom: bool = False, abstract: bool = False, boxed: bool = False
) -> Callable[[V], V]:
    """Declare a class as a value type; it becomes a dataclass whose annotations say how its members lie on the wire.

    Args:
        repository_id: as in `IDL:Sample/Point:1.0`.
        truncatable: whether whoever knows the base only may read a value as one of that.
        custom: whether the state is opaque; the class has one member then, `state: CustomState`.
        abstract: whether there are only values of classes derived from it; it has no members then.
        boxed: whether it is a value box; the class has one member then, `value`.

    Raises:
        TypeError: the class is not derived from `Value`; it is truncatable and its base has no members; members that do not fit
            what it is.
    """

    def declare(cls: V) -> V:
        if not issubclass(cls, Value):
            raise TypeError(f"{cls.__qualname__} is not derived from Value")
        bases = [base for base in map(_value_type_of, cls.__bases__) if base is not None and not base.abstract]
        if len(bases) > 1 or (truncatable and not bases):
            raise TypeError(f"{cls.__qualname__} has {len(bases)} bases with members; that is no truncatable value type")
        dataclass(eq=False, repr=False)(cls)
        members = [member.name for member in dataclasses.fields(cls)]  # type: ignore[arg-type]
        if (abstract and members) or (custom and members != ["state"]) or (boxed and members != ["value"]):
            raise TypeError(
                f"{cls.__qualname__} has members {members}: an abstract type has none, a custom one its state, a box its value"
            )
        base = bases[0] if bases else None
        make = tuple if custom else functools.partial(_declared_fields, cls)
        cls.__cdr_type__ = ValueType(repository_id, cls, make, base, truncatable, custom, abstract, boxed=boxed)
        return cls

    return declare


_implementations: dict[type[Any], type[Any]] = {}


def value_implementation(cls: V) -> V:
    """Make a class that is derived from a value type, to write its operations, the one of which objects are read.

    It is what CORBA has value factories for. `__init__` is not called for what is read; the members are set.

    Raises:
        TypeError: the class is derived from no value type that can have objects, declares members, or that type has another
            implementation.
    """
    declared = next(filter(None, map(_value_type_of, cls.__mro__)), None)
    if declared is None or declared.abstract or declared.cls is cls:
        raise TypeError(f"{cls.__qualname__} is derived from no value type that can have objects")
    if dataclasses.fields(cls) != dataclasses.fields(declared.cls):  # type: ignore[arg-type]
        raise TypeError(f"{cls.__qualname__} declares members; IDL does that")
    other = _implementations.setdefault(declared.cls, cls)
    if _place(other) != _place(cls):
        raise TypeError(f"{_place(declared.cls)} is implemented by {_place(other)}")
    _implementations[declared.cls] = cls
    return cls


def declared_type(value: Any) -> ValueType | None:
    """Return the value type that the class of a value was declared as, or that it implements."""
    return next(filter(None, map(_value_type_of, type(value).__mro__)), None) if isinstance(value, Value) else None


def _value_type_of(cls: type[Any]) -> ValueType | None:
    declared = vars(cls).get("__cdr_type__")
    return declared if isinstance(declared, ValueType) else None


def _declared_fields(cls: type[Any]) -> tuple[Field, ...]:
    """Return the members; the class may mention itself and its bases wherever it was made, in a function too."""
    hints = typing.get_type_hints(cls, localns={base.__name__: base for base in reversed(cls.__mro__)}, include_extras=True)
    return tuple([Field(member.name, cdr_type(hints[member.name])) for member in dataclasses.fields(cls)])


@dataclass(frozen=True)
class AbstractInterface(t.Adapted):
    """Declare an abstract interface: what is passed is an object reference, a value, or None."""

    nullable: typing.ClassVar[bool] = True


def abstract_interface(reference: CDRType, value: CDRType = VALUE_BASE) -> AbstractInterface:
    """Declare an abstract interface.

    Args:
        reference: declares an object reference.
        value: declares the values that may be passed; by default those of every value type declared.
    """
    cases: dict[Any, CDRType | None] = {True: reference, False: value}
    layout = t.Struct("abstract interface", (Field("is_object", t.Boolean), Field("value", t.Switch(cases, on="is_object"))))
    return AbstractInterface(
        layout, lambda read: read[1], lambda given: (given is not None and not isinstance(given, Value), given)
    )

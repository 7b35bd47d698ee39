"""Values of a type that is declared twice, by a user's classes and by a TypeCode, as those of the one or the other.

Both declarations have the same layout; that they do is for the caller to know. What has no class stays as it is, and so do
objects of declared value types where a base of theirs is expected.
"""

from __future__ import annotations

from typing import Any

from iiop.cdr import types as t
from iiop.cdr.types import CDRType
from iiop.cdr.value_types import VALUE_BASE, ValueType, declared_type
from iiop.exceptions import EncodeError

__all__ = ["convert"]


def convert(value: Any, source: CDRType, target: CDRType) -> Any:
    """Return a value of one declaration as one of another; an object mentioned twice stays one object.

    Raises:
        EncodeError: the value is none of the first declaration, or too deep for Python.
    """
    try:
        return _Conversion().convert(value, source, target, "value")
    except RecursionError:
        raise EncodeError("nested deeper than this process can follow", path="value") from None


class _Conversion:
    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def convert(self, value: Any, source: CDRType, target: CDRType, path: str) -> Any:
        while isinstance(source, t.Recursive):
            source = source.make()
        while isinstance(target, t.Recursive):
            target = target.make()
        match source, target:
            case t.Sequence() | t.Array(), t.Sequence() | t.Array() if not isinstance(source.element, t.Primitive):
                return tuple(
                    [
                        self.convert(each, source.element, target.element, f"{path}[{index}]")
                        for index, each in enumerate(_several(value, path))
                    ]
                )
            case t.Sequence() | t.Array(), _:
                return tuple(_several(value, path))
            case t.Enum(), t.Enum():
                try:
                    return target.cls(value)
                except ValueError as error:
                    raise EncodeError(str(error), path=path) from None
            case t.Struct(), t.Struct() if target.cls is not None:
                return target.make(*self._members(value, source, target, path))
            case ValueType(), ValueType() if value is not None:
                return self._value(value, source, target, path)
        return value

    def _members(self, value: Any, source: t.Struct, target: t.Struct, path: str) -> list[Any]:
        made: list[Any] = []
        for (name, old), (_, new) in zip(source.fields, target.fields, strict=True):
            member = _member(value, name, path)
            if isinstance(old, t.Switch) and isinstance(new, t.Switch):
                label = _member(value, old.on, path)
                arms = old.cases.get(label, old.default), new.cases.get(label, new.default)
                old, new = [arm if isinstance(arm, CDRType) else t.Rest() for arm in arms]
            made.append(self.convert(member, old, new, f"{path}.{name}"))
        return made

    def _value(self, value: Any, source: ValueType, target: ValueType, path: str) -> Any:
        own = declared_type(value)
        if own not in (source, None, VALUE_BASE):
            return value
        if id(value) not in self._known:
            made = self._known[id(value)] = target.implementation.__new__(target.implementation)
            made._header = value._header if isinstance(value, source.cls) else None
            for (name, old), (other, new) in zip(source.fields, target.fields, strict=True):
                setattr(made, other, self.convert(_member(value, name, path), old, new, f"{path}.{name}"))
        return self._known[id(value)]


def _several(value: Any, path: str) -> Any:
    if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
        raise EncodeError(f"a sequence or array must be a tuple or list, not {type(value).__name__}", path=path)
    return value


def _member(value: Any, name: str, path: str) -> Any:
    try:
        return getattr(value, name)
    except AttributeError:
        raise EncodeError(f"{type(value).__name__} has no member {name}", path=path) from None

"""Classes that are dataclasses, made without generating code: whoever sends TypeCodes decides how many there are.

`dataclasses.make_dataclass` compiles six functions a class, which takes a millisecond; here all classes share theirs.

It must not know where names come from: they are identifiers, each once, and none is private.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

__all__ = ["record", "value_class"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Frozen:
    member: Any


@dataclasses.dataclass(eq=False, repr=False)
class _Plain:
    member: Any


def _fields(template: type[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return what makes a class a dataclass with these members, as `dataclasses.fields` reads it."""
    (model,) = dataclasses.fields(template)
    made = {}
    for name in names:
        made[name] = field = copy.copy(model)
        field.name = name
    return {
        "__dataclass_fields__": made,
        "__dataclass_params__": template.__dataclass_params__,
        "__match_args__": names,
        "__annotations__": dict.fromkeys(names, "typing.Any"),
    }


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    names = type(self).__match_args__
    given = dict(zip(names, values, strict=False)) | named
    if len(given) != len(values) + len(named) or given.keys() != set(names):
        raise TypeError(f"{type(self).__name__} takes the members {', '.join(names)}, each once")
    for name, value in given.items():
        object.__setattr__(self, name, value)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in type(self).__match_args__])


def _repr(self: Any) -> str:
    members = zip(type(self).__match_args__, _values(self), strict=True)
    return f"{type(self).__qualname__}({', '.join([f'{name}={value!r}' for name, value in members])})"


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _reduce(self: Any) -> Any:
    return type(self), _values(self)


def _refuse_change(self: Any, name: str, *value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change {name!r}")


_SHARED = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__reduce__": _reduce,
    "__setattr__": _refuse_change,
    "__delattr__": _refuse_change,
}


def record(name: str, members: tuple[str, ...]) -> type[Any]:
    """Return a dataclass with these members, frozen, with slots."""
    return type(name, (), {"__slots__": members, "__module__": __name__} | _SHARED | _fields(_Frozen, members))


def value_class(name: str, members: tuple[str, ...], base: type[Any]) -> type[Any]:
    """Return a dataclass with these members and no others, derived from a class that compares and shows its objects."""
    return type(name, (base,), {"__init__": _init, "__module__": __name__} | _fields(_Plain, members))

"""What a Naming Service consists of, as records: context ids, what can be bound, and changes.

This is what `naming.model` decides and `naming.store` keeps; it knows neither of them. References to objects are opaque here.

Invariant: applying the changes of a Naming Service in order to an empty one gives an equal one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NewType, TypeAlias, overload

from iiop.iop import IOR, NIL
from naming.types import Binding, BindingType, NameComponent

__all__ = [
    "ROOT",
    "BindingRemoved",
    "BindingSet",
    "Bound",
    "Change",
    "ContextCreated",
    "ContextDestroyed",
    "ContextId",
    "ForeignContext",
    "Listing",
    "ObjectGroup",
    "context_number",
    "is_context",
]

ContextId = NewType("ContextId", str)
"""Names a context of ours: `context.<seconds>.<n>` as Interstage shows it, or `ROOT`."""

ROOT = ContextId("NameService")
"""The context that is always there; its id is its object key."""


@dataclass(frozen=True, slots=True)
class ForeignContext:
    """Hold a context that lives in another server; names that lead through it end in CannotProceed."""

    reference: IOR


@dataclass(frozen=True, slots=True)
class ObjectGroup:
    """Hold a load-balance object group: clients that resolve its name get a member. A wire declaration.

    Attributes:
        group: what `OD_or_adm -g` calls it; ASCII.
        members: in the order in which they were added.
        default_object: for clients while there are no members; nil if there is none.
    """

    group: str
    members: tuple[IOR, ...] = ()
    default_object: IOR = NIL


Bound: TypeAlias = IOR | ContextId | ForeignContext | ObjectGroup
"""What a name stands for: an object, a context of ours, a context of somebody else, a group of objects."""


@dataclass(frozen=True, slots=True)
class ContextCreated:
    """Record a new context, empty and bound nowhere."""

    context: ContextId


@dataclass(frozen=True, slots=True)
class ContextDestroyed:
    """Record the end of an empty context; its id is never given again."""

    context: ContextId


@dataclass(frozen=True, slots=True)
class BindingSet:
    """Record a binding, new (then last in its context) or replaced (then where it was)."""

    context: ContextId
    component: NameComponent
    bound: Bound


@dataclass(frozen=True, slots=True)
class BindingRemoved:
    """Record that a binding is gone."""

    context: ContextId
    component: NameComponent


Change: TypeAlias = ContextCreated | ContextDestroyed | BindingSet | BindingRemoved

"""What happened to a Naming Service; all a store has to keep."""

_CONTEXT_ID = re.compile(r"context\.([0-9]{1,18})\.([0-9]{1,18})")


def context_number(context: ContextId) -> tuple[int, int]:
    """Read the seconds since 1970 and the counter out of a context id.

    Returns:
        (seconds, n); (-1, -1) for ids of another form, `ROOT` among them. Later contexts have greater numbers.
    """
    match = _CONTEXT_ID.fullmatch(context)
    return (int(match[1]), int(match[2])) if match else (-1, -1)


def is_context(bound: Bound) -> bool:
    """Tell whether names lead through what is bound: a context, ours or foreign, and no object or group of them."""
    return isinstance(bound, (str, ForeignContext))


class Listing(Sequence[Binding]):
    """Show the bindings of a context as they were when it was made, in binding order.

    A snapshot costs two pointers a binding; each `Binding` is made when it is looked at.
    """

    __slots__ = ("_bounds", "_components")

    def __init__(self, bindings: Mapping[NameComponent, Bound]) -> None:
        self._components = tuple(bindings)
        self._bounds = tuple(bindings.values())

    def __len__(self) -> int:
        return len(self._components)

    @overload
    def __getitem__(self, index: int) -> Binding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Binding, ...]: ...
    def __getitem__(self, index: int | slice) -> Binding | tuple[Binding, ...]:
        if isinstance(index, slice):
            return tuple(map(_binding, self._components[index], self._bounds[index]))
        return _binding(self._components[index], self._bounds[index])

    def __iter__(self) -> Iterator[Binding]:
        return map(_binding, self._components, self._bounds)

    def __repr__(self) -> str:
        return f"<Listing of {len(self)} bindings>"


def _binding(component: NameComponent, bound: Bound) -> Binding:
    return Binding((component,), BindingType.ncontext if is_context(bound) else BindingType.nobject)

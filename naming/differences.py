"""What differs between two naming trees: names, what they stand for, and the shape of the graph. Nothing here does I/O.

Two streams in the order of `naming.trees` are laid side by side, entry by entry; nothing is held but the names of what could not
be read. Contexts of a server have another reference on every server, so they are compared by what is bound in them, and by
whether the same names lead to the same one.

Invariant: what could not be read, on either side, is neither equal nor different, and what only the other side has below it is
not said to be missing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Set
from dataclasses import dataclass
from typing import TypeAlias

from iiop.endpoints import endpoints
from iiop.iop import IOR
from ior.compare import Aspect, Change, changes_between
from ior.describe import address_text
from ior.text import display_text
from naming.snapshot import format_path
from naming.trees import Bound, DanglingContext, Entry, ForeignContext, Incomplete, LocalContext, Tree, Unreadable, order
from naming.types import Name

__all__ = ["ASPECTS", "Compared", "Comparison", "Difference", "Unread", "compare", "text_of"]

ASPECTS = ("binding", "context", *Aspect)
"""What of a binding can differ, as `Change.aspect` has it: those of references; `binding`, whether a name stands for an object, a
context, or a context of another server; `context`, whether a context is one of its own or has other names too."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold a name that does not stand for the same in two trees.

    Attributes:
        name: whole, from the root.
        a: what it is bound to in A; None if only B has the name.
        b: the same in B.
        changes: how they differ, if both have the name.
    """

    name: Name
    a: Bound | None
    b: Bound | None
    changes: tuple[Change, ...] = ()

    @property
    def kind(self) -> str:
        """Return `added`, `removed` or `changed`, as seen from A."""
        return "added" if self.a is None else "removed" if self.b is None else "changed"


@dataclass(frozen=True, slots=True)
class Unread:
    """Hold a name, or a context, of which nobody knows whether it is the same.

    Attributes:
        side: `A` or `B`, where it could not be read.
    """

    side: str
    name: Name
    reason: str


Compared: TypeAlias = Difference | Unread


async def compare(a: Tree, b: Tree, ignore: Set[str] = frozenset()) -> AsyncGenerator[Compared, None]:
    """Yield, in order, what differs between two trees, and what could not be read of either.

    Args:
        a, b: in the order of `naming.trees`.
        ignore: names of `ASPECTS` that do not count.
    """
    comparison = Comparison(ignore)
    one, other = await anext(a, None), await anext(b, None)
    while one is not None or other is not None:
        here = min(order(entry) for entry in (one, other) if entry is not None)
        in_a = one if one is not None and order(one) == here else None
        in_b = other if other is not None and order(other) == here else None
        for found in comparison.compare(in_a, in_b):
            yield found
        if in_a is not None:
            one = await anext(a, None)
        if in_b is not None:
            other = await anext(b, None)


class Comparison:
    """Compare entries as they come.

    Args:
        ignore: names of `ASPECTS` that do not count.
    """

    def __init__(self, ignore: Set[str] = frozenset()) -> None:
        self._ignore = ignore
        self._unread: dict[str, set[Name]] = {"A": set(), "B": set()}

    def compare(self, a: Entry | None, b: Entry | None) -> tuple[Compared, ...]:
        """Return how two entries of the same place differ; one may be missing.

        Entries must come in order, those of both trees.
        """
        found: list[Compared] = []
        for side, entry in (("A", a), ("B", b)):
            if entry is not None and isinstance(entry.bound, Unreadable | Incomplete):
                self._unread[side].add(entry.name)
                found.append(Unread(side, entry.name, entry.bound.reason))
        if found:
            return tuple(found)
        if a is not None and b is not None:
            if (alike := _leads_to_the_other(a.bound, b.bound)) is not None:
                self._unread[alike].add(a.name)
                return ()
            changes = tuple([change for change in _changes(a, b, self._ignore) if change.aspect not in self._ignore])
            return (Difference(a.name, a.bound, b.bound, changes),) if changes else ()
        if a is not None:
            return () if self._is_below_unread("B", a.name) else (Difference(a.name, a.bound, None),)
        assert b is not None
        return () if self._is_below_unread("A", b.name) else (Difference(b.name, None, b.bound),)

    def _is_below_unread(self, side: str, name: Name) -> bool:
        unread = self._unread[side]
        return bool(unread) and any(name[:length] in unread for length in range(len(name)))


def _leads_to_the_other(a: Bound, b: Bound) -> str | None:
    """Return the side that has a context of the other's server, where the other has the same; only there it is entered."""
    match a, b:
        case ForeignContext(x), LocalContext(_, IOR() as y):
            return None if changes_between(x, y) else "A"
        case LocalContext(_, IOR() as x), ForeignContext(y):
            return None if changes_between(x, y) else "B"
    return None


def _changes(in_a: Entry, in_b: Entry, ignore: Set[str]) -> tuple[Change, ...]:
    a, b, name = in_a.bound, in_b.bound, in_a.name
    match a, b:
        case IOR(), IOR():
            return changes_between(a, b, ignore)
        case ForeignContext(), ForeignContext():
            return changes_between(a.reference, b.reference, ignore)
        case LocalContext(), LocalContext():
            return () if a == b else (Change("context", _shape(a, name), _shape(b, name)),)
        case DanglingContext(), DanglingContext():
            return ()
    return (Change("binding", text_of(name, a), text_of(name, b)),)


def _shape(context: LocalContext, name: Name) -> str:
    return "one of its own" if context.first == name else f"the same as {format_path(context.first)}"


def text_of(name: Name, bound: Bound | None) -> str:
    """Return what a name is bound to, in a few words."""
    match bound:
        case None:
            return "nothing"
        case IOR():
            return f"object {_reference_text(bound)}"
        case LocalContext():
            return "context" if bound.first == name else f"context, the same as {format_path(bound.first)}"
        case ForeignContext():
            return f"context of another server, {_reference_text(bound.reference)}"
        case DanglingContext():
            return "context that was destroyed"
        case Unreadable() | Incomplete():
            return f"unread: {bound.reason}"


def _reference_text(reference: IOR) -> str:
    if not reference.profiles:
        return "nil"
    addresses = ",".join(address_text(endpoint.host, endpoint.port) for endpoint in endpoints(reference))
    return f"{display_text(reference.type_id) or 'of no stated type'} at {addresses or 'no IIOP address'}"

"""A naming tree as a stream of entries, wherever it is read from: a server, a snapshot, the folder of a node.

Knows what an entry is and the order entries come in; not where they come from, nor what text they become.

Invariants of a stream: it ascends strictly by `order`, so a context comes before what is bound in it, and streams of two trees
can be compared as they come. A context that is bound more than once, or in a circle, is entered at the least of its names by
that order, its first name; everywhere else a `LocalContext` says which that is. What could not be read is an entry too.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 2: a naming graph, whose contexts have no names of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from iiop.iop import IOR
from naming.changes import ForeignContext
from naming.types import Name

__all__ = [
    "ROOT_NAME",
    "Bound",
    "DanglingContext",
    "Entry",
    "ForeignContext",
    "Incomplete",
    "LocalContext",
    "Order",
    "Tree",
    "Unreadable",
    "order",
    "stream",
]

ROOT_NAME: Name = ()
"""The first name of the root context: no component."""


@dataclass(frozen=True, slots=True)
class LocalContext:
    """Stand for a context of the same server, whose reference means nothing elsewhere.

    Attributes:
        first: the first name of the context, `ROOT_NAME` for the root; entries below that name are what is bound in it.
        reference: where to reach it, if it was read from a server. Contexts are equal by their first names alone.
    """

    first: Name
    reference: IOR | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DanglingContext:
    """Stand for a context that was destroyed while it was bound."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Say why nobody knows what a name is bound to."""

    reason: str


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Say why not everything that is bound in a context was read; the name of the entry is the first name of the context."""

    reason: str


Bound: TypeAlias = IOR | LocalContext | ForeignContext | DanglingContext | Unreadable | Incomplete
"""What a name stands for; a bare reference is that of an object."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one binding, by its whole name from the root; at least one component, unless `bound` is `Incomplete`."""

    name: Name
    bound: Bound

    @property
    def opens(self) -> bool:
        """Tell whether entries below this name follow: the name is the first one of a context."""
        return isinstance(self.bound, LocalContext) and self.bound.first == self.name


Tree: TypeAlias = AsyncIterator[Entry]
"""The entries of a naming tree."""

Order: TypeAlias = tuple[int, tuple[tuple[str, str], ...]]


def order(entry: Entry) -> Order:
    """Return what entries are sorted by: the number of components, then each id and kind, by code points.

    An `Incomplete` stands before the bindings of its context.
    """
    return len(entry.name) + isinstance(entry.bound, Incomplete), tuple([(part.id, part.kind) for part in entry.name])


async def stream(entries: Iterable[Entry]) -> Tree:
    """Yield entries that are at hand as those that are waited for."""
    for entry in entries:
        yield entry

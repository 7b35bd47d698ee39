"""Make the names of one server stand for what they do elsewhere: in another server, a snapshot, a folder.

A copy is a comparison whose differences are undone in B as they are found, many at a time. So it needs no memory of its own: run
again, it finds what is left to do, and nothing if nothing is. Objects are bound with the references they have in A; contexts are
made anew, once each, and bound again wherever A shares them.

Invariants: a copy that does not prune takes no name away and lets none lead elsewhere but to the object, or the other server,
that A says; what is bound is bound anew, never unbound before, except where a server refuses to rebind a context as an object. A
context is bound the moment it is made. So whoever is interrupted leaves both sides whole. Nothing is done about what could not be
read, and nothing is pruned below it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from iiop.exceptions import CorbaException, IIOPError
from iiop.iop import IOR
from naming.differences import Compared, Difference, Unread, compare, text_of
from naming.snapshot import format_path
from naming.trees import ROOT_NAME, Bound, DanglingContext, Entry, ForeignContext, LocalContext, Tree
from naming.types import Name, NotFound, NotFoundReason
from naming.walk import REQUESTS, UNREACHABLE, Server, walk

__all__ = ["Action", "Copy", "Refusal", "plan"]


@dataclass(frozen=True, slots=True)
class Action:
    """Say what is to be done to a name in B.

    Attributes:
        verb: `bind`, `rebind`, `replace` (what is bound is of another type, or a context with names in it), `unbind`.
        name: whole, from the root.
        bound: what it shall stand for; None to unbind.
        before: what it stands for.
    """

    verb: str
    name: Name
    bound: Bound | None
    before: Bound | None

    def __str__(self) -> str:
        return (
            f"{self.verb} {format_path(self.name)}: {text_of(self.name, self.bound if self.bound is not None else self.before)}"
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say why a name was not copied."""

    name: Name
    reason: str

    def __str__(self) -> str:
        return f"{format_path(self.name)}: {self.reason}"


def plan(found: Compared, *, prune: bool) -> Action | Refusal | None:
    """Return what is to be done about a difference, None if nothing is.

    Args:
        found: as `compare` gives it.
        prune: names that only B has go, and what is in the way of A's goes.
    """
    if isinstance(found, Unread):
        where = "" if found.side == "A" else "at the destination: "
        return Refusal(found.name, where + found.reason)
    a, b = found.a, found.b
    if a is None:
        return Action("unbind", found.name, None, b) if prune else None
    if isinstance(a, DanglingContext):
        return Refusal(found.name, "a context that was destroyed, but is bound still")
    if b is None:
        return Action("bind", found.name, a, None)
    if _replaces_alike(a, b):
        return Action("rebind", found.name, a, b)
    if prune:
        return Action("replace", found.name, a, b)
    changes = "; ".join(f"{change.aspect}: {change.a}, at the destination {change.b}" for change in found.changes)
    return Refusal(found.name, f"{changes} (pruning replaces it)")


def _replaces_alike(a: Bound, b: Bound) -> bool:
    """Tell whether binding A's takes away nothing but a reference like it."""
    if isinstance(a, IOR):
        return isinstance(b, IOR)
    return isinstance(b, DanglingContext) or (isinstance(a, ForeignContext) and isinstance(b, ForeignContext))


Told: TypeAlias = Action | Refusal


class Copy:
    """Copy the names of A into a server.

    Args:
        a: in the order of `naming.trees`.
        destination: B, which is read and changed.
        prune: see `plan`.
        only: tells which names are copied, and pruned; contexts on the way to them are made.

    Attributes:
        below: for contexts that could not be made, how many names were to be bound in them.
    """

    def __init__(
        self, a: Tree, destination: Server, *, prune: bool = False, only: Callable[[Name], bool] = lambda name: True
    ) -> None:
        self._a = a
        self._server = destination
        self._prune = prune
        self._only = only
        self._there: dict[Name, IOR] = {}
        self._made: dict[Name, IOR | asyncio.Task[IOR]] = {}
        self._kept: set[Name] = set()
        self._emptied: list[Action] = []
        self._refused: set[Name] = set()
        self.below: Counter[Name] = Counter()

    async def plan(self) -> AsyncGenerator[Told, None]:
        """Yield what `run` would do, and do nothing.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: a server does not answer.
        """
        destroyed: set[Name] = set()
        async with (
            contextlib.aclosing(walk(self._server)) as b,
            contextlib.aclosing(compare(self._a, self._remember(b))) as all_found,
        ):
            async for found in all_found:
                told = plan(found, prune=self._prune) if self._only(found.name) else None
                if isinstance(found, Difference):
                    if isinstance(found.a, DanglingContext):
                        destroyed.add(found.name)
                    if destroyed and any(found.name[:length] in destroyed for length in range(len(found.name))):
                        told = None  # what A had there, nobody knows
                    if not isinstance(told, Action):
                        self._keep(found.name, found.b)
                if told is not None:
                    yield told

    async def run(self) -> AsyncGenerator[Told, None]:
        """Yield what was done, and what could not be.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: a server does not answer; copying again does the rest.
        """
        under_way: deque[asyncio.Task[Told | None]] = deque()
        try:
            async with contextlib.aclosing(self.plan()) as steps:
                async for step in steps:
                    told = self._begin(step, under_way)
                    if len(under_way) >= REQUESTS:
                        told = told or await under_way.popleft()
                    if told is not None:
                        yield told
            while under_way:
                if (told := await under_way.popleft()) is not None:
                    yield told
            for action in reversed(self._emptied):
                if (told := await self._empty(action)) is not None:
                    yield told
        finally:
            tasks = [*under_way, *(made for made in self._made.values() if isinstance(made, asyncio.Task))]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _remember(self, b: Tree) -> AsyncGenerator[Entry, None]:
        """Note where contexts of B are as they come by."""
        async for entry in b:
            if entry.opens and isinstance(entry.bound, LocalContext) and entry.bound.reference is not None:
                self._there[entry.name] = entry.bound.reference
            yield entry

    def _keep(self, name: Name, b: Bound | None) -> None:
        """Note what a name that stays as it is in B keeps alive."""
        self._kept.add(name[:-1])
        if isinstance(b, LocalContext):
            self._kept.add(b.first)

    def _begin(self, step: Told, under_way: deque[asyncio.Task[Told | None]]) -> Told | None:
        if isinstance(step, Refusal):
            self._refused.add(step.name)
            return step
        before = step.before
        if isinstance(before, LocalContext) and before.first == step.name:
            self._emptied.append(step)  # when all that is bound in it has gone
            if step.verb == "unbind":
                return None
        if isinstance(step.bound, LocalContext) and step.bound.first == step.name:
            self._made[step.name] = asyncio.create_task(self._make(step.name, step.before))
        under_way.append(asyncio.create_task(self._try(step)))
        return None

    async def _try(self, action: Action) -> Told | None:
        try:
            await self._carry_out(action)
        except UNREACHABLE:
            raise
        except _NotThere as error:
            self.below[error.name] += 1
            if error.name in self._refused:
                return None
            self._refused.add(error.name)
            return Refusal(error.name, f"the context cannot be made: {error.reason}")
        except IIOPError as error:
            self._refused.add(action.name)
            self._keep(action.name, action.before)
            return Refusal(action.name, f"{action.verb}: {error or type(error).__name__}")
        return action

    async def _carry_out(self, action: Action) -> None:
        parent, component, bound = action.name[:-1], action.name[-1:], action.bound
        match bound:
            case None:
                await self._server.call(self._place(parent), "unbind", component)
                return
            case LocalContext() if bound.first == action.name:
                made = self._made[action.name]
                if isinstance(made, asyncio.Task):
                    await made
                return
            case LocalContext():
                what, reference = "_context", await self._context(bound.first)
            case ForeignContext():
                what, reference = "_context", bound.reference
            case _:
                assert isinstance(bound, IOR)
                what, reference = "", bound
        await self._bind(await self._context(parent), component, what, reference, action.before)

    async def _bind(self, context: IOR, component: Name, what: str, reference: IOR, before: Bound | None) -> None:
        """Bind, or bind anew; only where the server insists that the other type of binding goes first, it does."""
        if before is None:
            await self._server.call(context, "bind" + what, component, reference)
            return
        try:
            await self._server.call(context, "rebind" + what, component, reference)
        except NotFound as error:
            if isinstance(before, IOR) is (what == "") or error.why is NotFoundReason.missing_node:
                raise
            await self._server.call(context, "unbind", component)
            await self._server.call(context, "bind" + what, component, reference)

    def _place(self, name: Name) -> IOR:
        """Return the context of B that had this first name."""
        return self._there[name] if name else self._server.root

    async def _context(self, name: Name) -> IOR:
        """Return the context of B that is A's of this first name; it may have to be waited for, or made."""
        made = self._made.get(name)
        if made is None:
            if name == ROOT_NAME or name in self._there:
                return self._place(name)
            made = self._made[name] = asyncio.create_task(self._make(name, None))
        if not isinstance(made, asyncio.Task):
            return made
        try:
            return await made
        except UNREACHABLE:
            raise
        except IIOPError as error:
            raise _NotThere(name, str(error) or type(error).__name__) from error

    async def _make(self, name: Name, before: Bound | None) -> IOR:
        """Make a context, bound under its first name."""
        parent, component = await self._context(name[:-1]), name[-1:]
        made: IOR
        if before is None:
            made = await self._server.call(parent, "bind_new_context", component)
        else:
            made = await self._server.call(parent, "new_context")
            try:
                await self._bind(parent, component, "_context", made, before)
            except IIOPError:
                await self._destroy(made)
                raise
        self._made[name] = made
        return made

    async def _empty(self, action: Action) -> Told | None:
        """Let go of a context of B in which nothing is bound any more."""
        if action.name in self._kept:
            self._kept.add(action.name[:-1])
            return None
        told = await self._try(action) if action.verb == "unbind" else None
        if not isinstance(told, Refusal):
            await self._destroy(self._place(action.name))
        return told

    async def _destroy(self, context: IOR) -> None:
        with contextlib.suppress(CorbaException):  # nothing is bound in it, and nothing leads there: it only takes room
            await self._server.call(context, "destroy")


class _NotThere(Exception):
    """Report a context that could not be made."""

    def __init__(self, name: Name, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(name, reason)

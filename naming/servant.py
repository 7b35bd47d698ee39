"""The Naming Service behind its interfaces: requests become plans, plans are stored, then applied.

`NamingServants` finds the servant of an object key: the root context, a context by its id, an iterator. Questions are answered at
once, from what is on disk; changes once they are there (`naming.commits`). It must not know sockets.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from iiop.endpoints import endpoints
from iiop.exceptions import ReferenceFormatError
from iiop.idl import Operation, Servant
from iiop.iop import IOR, NIL
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.changes import ContextId, ForeignContext, ObjectGroup
from naming.commits import Commits
from naming.groups import DEFAULT_SELECTION, Rotation, SelectionRule
from naming.interfaces import BindingIterator, NamingContextExt
from naming.iterators import BindingIterators
from naming.model import DEFAULT_PROFILE, NamingModel, Profile
from naming.names import format_name, parse_name, to_url
from naming.store import Store
from naming.types import Binding, CannotProceed, InvalidName, Name

__all__ = ["NamingServants"]

ITERATOR_PREFIX = b"BindingIterator."
MakeReference = Callable[[str, bytes], IOR]
Proceed = Callable[[CannotProceed, Operation, tuple[Any, ...]], Awaitable[Any]]
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_RESOLVE = NamingContextExt.operations()["resolve"]


class NamingServants:
    """Answer for everything a Naming Service is made of.

    Args:
        store: where changes are kept; its content is loaded here, and `close` closes it.
        make_reference: makes the reference of an object of ours from its repository id and object key.
        is_ours: tells whether requests to a host and port reach this Naming Service.
        seconds: the time, for the ids of new contexts, in whole seconds since 1970.
        now: the time, for what expires, in seconds on a clock that never goes back.
        proceed: carries a call on in the context of another server, where a CannotProceed says; gets the rest of its arguments.
        profile: the answers in which Naming Services differ.
        limits: bounds the iterators, and the changes that wait for the disk.
        selection: which member of an object group the next client gets.

    Raises:
        StoreError: the store cannot be read.
    """

    def __init__(
        self,
        store: Store,
        *,
        make_reference: MakeReference,
        is_ours: Callable[[str, int], bool],
        seconds: Callable[[], int],
        now: Callable[[], float],
        proceed: Proceed,
        profile: Profile = DEFAULT_PROFILE,
        limits: Limits = DEFAULT_LIMITS,
        selection: SelectionRule = DEFAULT_SELECTION,
    ) -> None:
        self.rotation = Rotation(selection)
        self.model = NamingModel(store.load(), profile=profile)
        self.iterators = BindingIterators(limits, profile=profile, first=seconds() << 20)
        self.commits = Commits(store, self.model, limits)
        self.change = self.commits.change
        self._make_reference = make_reference
        self._is_ours = is_ours
        self.seconds = seconds
        self.now = now
        self.proceed = proceed
        self.omg_prefix = profile is not Profile.interstage

    def servant(self, object_key: bytes) -> Servant | None:
        """Return who answers for a key, or None."""
        if object_key.startswith(ITERATOR_PREFIX):
            number = object_key[len(ITERATOR_PREFIX) :]
            if number.isdigit() and len(number) < 20 and self.iterators.exists(int(number), self.now()):
                return IteratorServant(self, int(number))
            return None
        context = self._context(object_key)
        return None if context is None else ContextServant(self, context)

    def resolve(self, start: ContextId, name: Name) -> IOR:
        """Return what a client gets for a name: of an object group, a member.

        Raises:
            NotFound: a group has nothing to give; and as `NamingModel.resolve`.
            CannotProceed, InvalidName, OBJECT_NOT_EXIST: as `NamingModel.resolve`.
        """
        bound = self.model.resolve(start, name)
        if isinstance(bound, ObjectGroup):
            return self.rotation.choose(self.model.target(start, name), name[-1], bound)
        return self.reference(bound)

    def reference(self, bound: IOR | ContextId | ForeignContext) -> IOR:
        """Return what a client gets for an object or a context."""
        if isinstance(bound, str):
            return self._make_reference(NamingContextExt.repository_id, bound.encode())
        return bound.reference if isinstance(bound, ForeignContext) else bound

    def iterator_reference(self, number: int) -> IOR:
        """Return the reference of an iterator."""
        return self._make_reference(BindingIterator.repository_id, ITERATOR_PREFIX + str(number).encode())

    def context_behind(self, reference: IOR) -> ContextId | ForeignContext:
        """Return the context of ours that a reference names, or the reference as that of a foreign one."""
        for endpoint in endpoints(reference):
            if self._is_ours(endpoint.host, endpoint.port):
                context = self._context(endpoint.object_key)
                if context is not None:
                    return context
        return ForeignContext(reference)

    def _context(self, object_key: bytes) -> ContextId | None:
        try:
            context = ContextId(object_key.decode("ascii"))
        except UnicodeDecodeError:
            return None
        return context if self.model.exists(context) else None


def _proceeds(change: F) -> F:
    """Let a change be made in the context of another server, where the name leads into one."""
    operation = NamingContextExt.operations()[change.__name__]

    @functools.wraps(change)
    async def call(self: ContextServant, n: Name, *arguments: Any) -> Any:
        try:
            return await change(self, n, *arguments)
        except CannotProceed as stopped:
            return await self._service.proceed(stopped, operation, arguments)

    return cast("F", call)


class ContextServant(Servant):
    """Answer for one context."""

    interface = NamingContextExt

    def __init__(self, service: NamingServants, context: ContextId) -> None:
        self._service = service
        self._model = service.model
        self.omg_prefix = service.omg_prefix
        self._context = context

    @_proceeds
    async def bind(self, n: Name, obj: IOR) -> None:
        await self._service.change(lambda contexts: contexts.plan_bind(self._context, n, obj))

    @_proceeds
    async def rebind(self, n: Name, obj: IOR) -> None:
        await self._service.change(lambda contexts: contexts.plan_rebind(self._context, n, obj))

    @_proceeds
    async def bind_context(self, n: Name, nc: IOR) -> None:
        context = self._service.context_behind(nc)
        await self._service.change(lambda contexts: contexts.plan_bind_context(self._context, n, context))

    @_proceeds
    async def rebind_context(self, n: Name, nc: IOR) -> None:
        context = self._service.context_behind(nc)
        await self._service.change(lambda contexts: contexts.plan_rebind_context(self._context, n, context))

    def resolve(self, n: Name) -> IOR | Awaitable[IOR]:
        try:
            return self._service.resolve(self._context, n)
        except CannotProceed as stopped:
            return self._service.proceed(stopped, _RESOLVE, ())

    @_proceeds
    async def unbind(self, n: Name) -> None:
        await self._service.change(lambda contexts: contexts.plan_unbind(self._context, n))

    async def new_context(self) -> IOR:
        created, *_ = await self._service.change(
            lambda contexts: contexts.plan_new_context(self._context, self._service.seconds())
        )
        return self._service.reference(created.context)

    @_proceeds
    async def bind_new_context(self, n: Name) -> IOR:
        seconds = self._service.seconds()
        created, *_ = await self._service.change(lambda contexts: contexts.plan_bind_new_context(self._context, n, seconds))
        return self._service.reference(created.context)

    async def destroy(self) -> None:
        await self._service.change(lambda contexts: contexts.plan_destroy(self._context))

    def list(self, how_many: int) -> tuple[tuple[Binding, ...], IOR]:
        bindings, number = self._service.iterators.list(self._model.list(self._context), how_many, self._service.now())
        return bindings, NIL if number is None else self._service.iterator_reference(number)

    def to_string(self, n: Name) -> str:
        try:
            return format_name(n)
        except ReferenceFormatError:
            raise InvalidName from None

    def to_name(self, sn: str) -> Name:
        try:
            return parse_name(sn)
        except ReferenceFormatError:
            raise InvalidName from None

    def to_url(self, addr: str, sn: str) -> str:
        return to_url(addr, sn)

    def resolve_str(self, n: str) -> IOR | Awaitable[IOR]:
        return self.resolve(self.to_name(n))


class IteratorServant(Servant):
    """Answer for one binding iterator."""

    interface = BindingIterator

    def __init__(self, service: NamingServants, number: int) -> None:
        self._iterators = service.iterators
        self._now = service.now
        self.omg_prefix = service.omg_prefix
        self._number = number

    def next_one(self) -> tuple[bool, Binding]:
        return self._iterators.next_one(self._number, self._now())

    def next_n(self, how_many: int) -> tuple[bool, tuple[Binding, ...]]:
        return self._iterators.next_n(self._number, how_many, self._now())

    def destroy(self) -> None:
        self._iterators.destroy(self._number, self._now())

"""The graph of naming contexts: what is bound where, and what CosNaming answers.

Knows names, bindings and context ids; no sockets, no clock, no disk. References to objects are opaque here.

A change is answered only once it is on disk, so nothing changes by being asked for. Three steps, each of them small:

    changes = model.plan_bind(ROOT, name, reference)    # validates and decides; raises CosNaming's exceptions; changes nothing
    store.write(changes)                                # one transaction; a StoreError leaves the model as it was
    model.apply(changes)                                # now visible to resolve and list

A `Draft` stands on a model (or on another draft) and plans as if changes it was given had been applied: so several requests share
one transaction, and one that is being written does not keep the next from being planned.

Invariants: the root exists always; a context id is never given twice, not even after a restart or when the clock steps back;
bindings keep their order; `apply` on an equal model gives an equal model. Contexts are a graph: cycles, several parents, and
contexts bound nowhere are all sound. A binding may dangle: its context was destroyed, and using it raises OBJECT_NOT_EXIST.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 2; where ORBs differ, `Profile`.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from iiop.exceptions.corba import BAD_PARAM, NO_PERMISSION, OBJECT_NOT_EXIST, CompletionStatus
from iiop.iop import IOR
from naming.changes import (
    ROOT,
    BindingRemoved,
    BindingSet,
    Bound,
    Change,
    ContextCreated,
    ContextDestroyed,
    ContextId,
    ForeignContext,
    Listing,
    ObjectGroup,
    context_number,
    is_context,
)
from naming.types import AlreadyBound, CannotProceed, InvalidName, Name, NameComponent, NotEmpty, NotFound, NotFoundReason

__all__ = ["DEFAULT_PROFILE", "Contexts", "Draft", "NamingModel", "Profile"]


class Profile(enum.Enum):
    """Choose the answers in which Naming Services differ.

    `omg`, the default, follows the specification. `omninames` answers as omniNames 4.3.3 was seen to: rebind and rebind_context
    replace a binding of the other type and put the binding last, nil contexts can be bound, `next_n(0)` is no error, and a
    context in another server that does not answer ends in a system exception, not in CannotProceed. `interstage` gives what the
    manuals of Interstage show: references of IIOP 1.0, without components, and repository ids without `omg.org`, in exceptions
    too, which ORBs that know only the OMG's ids do not recognize; where the manuals are silent it is `omg`.
    """

    omg = "omg"
    omninames = "omninames"
    interstage = "interstage"


DEFAULT_PROFILE = Profile.omg


class Contexts(ABC):
    """Decide what CosNaming answers, over contexts that a subclass looks up.

    Every operation starts at a context of ours and raises OBJECT_NOT_EXIST if that, or a context of ours on the way, was
    destroyed; InvalidName for a name without components; NotFound `missing_node` where a component is not bound, and
    `not_context` where names lead through an object (both with the rest of the name from that component on); CannotProceed
    where names lead through a context of another server, with its reference and the rest of the name behind it.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    @abstractmethod
    def exists(self, context: ContextId) -> bool:
        """Tell whether a context of ours is alive."""

    @abstractmethod
    def lookup(self, context: ContextId, component: NameComponent) -> Bound | None:
        """Return what a living context binds to a component, or None."""

    @abstractmethod
    def size(self, context: ContextId) -> int:
        """Return how many bindings a living context has."""

    @property
    @abstractmethod
    def latest(self) -> tuple[int, int]:
        """Return the greatest context number ever given, as `context_number` does."""

    @property
    def pending(self) -> tuple[Change, ...]:
        """Return the changes that are not on disk yet, in order; a model has none."""
        return ()

    @abstractmethod
    def apply(self, changes: Iterable[Change]) -> None:
        """Make planned changes visible.

        Args:
            changes: as planned on this object, or as a store loaded them; others end in KeyError.
        """

    def resolve(self, start: ContextId, name: Name) -> Bound:
        """Return what a name stands for.

        Raises:
            NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says. A name that ends at a destroyed context
                still gives its id.
        """
        context = self.target(start, name)
        bound = self.lookup(context, name[-1])
        if bound is None:
            raise NotFound(NotFoundReason.missing_node, name[-1:])
        return bound

    def plan_bind(self, start: ContextId, name: Name, reference: IOR | ObjectGroup) -> tuple[Change, ...]:
        """Plan a binding to an object or a group; names do not lead through it, even if it is a context.

        Raises:
            AlreadyBound: something is bound to the name.
            NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        return self._plan_new(start, name, reference)

    def plan_bind_context(self, start: ContextId, name: Name, context: ContextId | ForeignContext) -> tuple[Change, ...]:
        """Plan a binding to a context. One of ours that was destroyed may be bound, and dangles.

        Raises:
            BAD_PARAM: the context is nil (not in profile omninames).
            AlreadyBound: something is bound to the name.
            NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        self._check_nil(context)
        return self._plan_new(start, name, context)

    def plan_rebind(self, start: ContextId, name: Name, reference: IOR) -> tuple[Change, ...]:
        """Plan a binding to an object, whether or not there was one.

        A group is one to its clients, and so is replaced, whole.

        Raises:
            NotFound: `not_object` if a context is bound to the name (not in profile omninames), and as the class says.
            CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        return self._plan_again(start, name, reference, NotFoundReason.not_object)

    def plan_rebind_context(self, start: ContextId, name: Name, context: ContextId | ForeignContext) -> tuple[Change, ...]:
        """Plan a binding to a context, whether or not there was one.

        Raises:
            BAD_PARAM: the context is nil (not in profile omninames).
            NotFound: `not_context` if an object is bound to the name (not in profile omninames), and as the class says.
            CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        self._check_nil(context)
        return self._plan_again(start, name, context, NotFoundReason.not_context)

    def plan_unbind(self, start: ContextId, name: Name) -> tuple[BindingRemoved]:
        """Plan the end of a binding; a context bound there lives on.

        Raises:
            NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        context = self.target(start, name)
        if self.lookup(context, name[-1]) is None:
            raise NotFound(NotFoundReason.missing_node, name[-1:])
        return (BindingRemoved(context, name[-1]),)

    def plan_new_context(self, start: ContextId, seconds: int) -> tuple[ContextCreated]:
        """Plan a context that is bound nowhere.

        Args:
            start: the context that was asked.
            seconds: the time now, in seconds since 1970; if the clock stepped back, the latest time seen is taken.

        Raises:
            OBJECT_NOT_EXIST: `start` was destroyed.
        """
        self._check_exists(start)
        latest_seconds, n = self.latest
        if seconds > latest_seconds:
            return (ContextCreated(ContextId(f"context.{seconds}.0")),)
        return (ContextCreated(ContextId(f"context.{latest_seconds}.{n + 1}")),)

    def plan_bind_new_context(self, start: ContextId, name: Name, seconds: int) -> tuple[ContextCreated, BindingSet]:
        """Plan a context and its binding; the first change holds its id.

        Args:
            start: the context that was asked.
            name: a name nothing is bound to.
            seconds: the time now, in seconds since 1970.

        Raises:
            AlreadyBound: something is bound to the name.
            NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        (created,) = self.plan_new_context(start, seconds)
        (bound,) = self._plan_new(start, name, created.context)
        return created, bound

    def plan_destroy(self, context: ContextId) -> tuple[Change, ...]:
        """Plan the end of a context. Names bound to it stay, and dangle.

        Raises:
            NotEmpty: the context has bindings.
            NO_PERMISSION: it is the root, without which there is no Naming Service.
            OBJECT_NOT_EXIST: it was destroyed already.
        """
        self._check_exists(context)
        if self.size(context):
            raise NotEmpty()
        if context == ROOT:
            raise NO_PERMISSION(0, CompletionStatus.COMPLETED_NO)
        return (ContextDestroyed(context),)

    def _check_exists(self, context: ContextId) -> None:
        if not self.exists(context):
            raise OBJECT_NOT_EXIST(0, CompletionStatus.COMPLETED_NO)

    def _check_nil(self, context: ContextId | ForeignContext) -> None:
        if self.profile is not Profile.omninames and isinstance(context, ForeignContext) and context.reference.is_nil:
            raise BAD_PARAM(0, CompletionStatus.COMPLETED_NO)

    def target(self, start: ContextId, name: Name) -> ContextId:
        """Return the context in which the last component of a name is to be looked up.

        Raises:
            NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as the class says.
        """
        self._check_exists(start)
        if not name:
            raise InvalidName()
        context = start
        for index in range(len(name) - 1):
            bound = self.lookup(context, name[index])
            if isinstance(bound, str):
                self._check_exists(bound)
                context = bound
            elif bound is None:
                raise NotFound(NotFoundReason.missing_node, name[index:])
            elif isinstance(bound, ForeignContext) and not bound.reference.is_nil:
                raise CannotProceed(bound.reference, name[index + 1 :])
            else:
                raise NotFound(NotFoundReason.not_context, name[index:])
        return context

    def _plan_new(self, start: ContextId, name: Name, bound: Bound) -> tuple[BindingSet]:
        context = self.target(start, name)
        if self.lookup(context, name[-1]) is not None:
            raise AlreadyBound()
        return (BindingSet(context, name[-1], bound),)

    def _plan_again(self, start: ContextId, name: Name, bound: Bound, other_type: NotFoundReason) -> tuple[Change, ...]:
        context = self.target(start, name)
        old = self.lookup(context, name[-1])
        change = BindingSet(context, name[-1], bound)
        if old is None:
            return (change,)
        if self.profile is Profile.omninames:
            return BindingRemoved(context, name[-1]), change
        if is_context(old) != is_context(bound):
            raise NotFound(other_type, name[-1:])
        return (change,)


class NamingModel(Contexts):
    """Hold the contexts of one Naming Service: what is on its disk, and nothing else.

    Args:
        changes: what a store loaded, or nothing for a new Naming Service that has only its root.
        profile: the answers in which Naming Services differ.

    Attributes:
        changed: called whenever changes were made visible.
    """

    def __init__(self, changes: Iterable[Change] = (), *, profile: Profile = DEFAULT_PROFILE) -> None:
        super().__init__(profile)
        self.changed: Callable[[], None] = lambda: None
        self._contexts: dict[ContextId, dict[NameComponent, Bound]] = {ROOT: {}}
        self._latest = (-1, -1)
        self.apply(changes)

    @property
    def contexts(self) -> tuple[ContextId, ...]:
        """Return the ids of all contexts that are alive, in the order of their creation, bound anywhere or not."""
        return tuple(self._contexts)

    @property
    def latest(self) -> tuple[int, int]:
        return self._latest

    def exists(self, context: ContextId) -> bool:
        return context in self._contexts

    def lookup(self, context: ContextId, component: NameComponent) -> Bound | None:
        return self._contexts[context].get(component)

    def size(self, context: ContextId) -> int:
        return len(self._contexts[context])

    def list(self, context: ContextId) -> Listing:
        """Return the bindings of a context, a snapshot.

        Raises:
            OBJECT_NOT_EXIST: the context was destroyed.
        """
        self._check_exists(context)
        return Listing(self._contexts[context])

    def bindings(self, context: ContextId) -> dict[NameComponent, Bound]:
        """Return a copy of a context: what is bound to which component, in binding order.

        Raises:
            OBJECT_NOT_EXIST: the context was destroyed.
        """
        self._check_exists(context)
        return dict(self._contexts[context])

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if type(change) is BindingSet:
                self._contexts[change.context][change.component] = change.bound
            elif type(change) is BindingRemoved:
                del self._contexts[change.context][change.component]
            elif type(change) is ContextCreated:
                self._contexts[change.context] = {}
                self._latest = max(self._latest, context_number(change.context))
            else:
                del self._contexts[change.context]
        self.changed()


class Draft(Contexts):
    """Plan further changes on top of ones that are not on disk yet.

    Plan on the draft, apply to the draft, and so on; then write `changes` and apply them to the model, or forget the draft and
    every draft that stands on it. While a draft stands on something, nothing else is applied to that but the changes of drafts
    below it. Listings are the model's alone.

    Args:
        base: the model, or the draft whose changes are being written.

    Attributes:
        base: the same; when the draft below has become part of the model, set this to the model, so that drafts do not pile up.
    """

    def __init__(self, base: Contexts) -> None:
        super().__init__(base.profile)
        self.base = base
        self._changes: list[Change] = []
        self._alive: dict[ContextId, bool] = {}
        self._overlay: dict[ContextId, dict[NameComponent, Bound | None]] = {}
        self._latest = base.latest

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return everything applied to this draft, in order."""
        return tuple(self._changes)

    @property
    def pending(self) -> tuple[Change, ...]:
        return (*self.base.pending, *self._changes)

    @property
    def latest(self) -> tuple[int, int]:
        return self._latest

    def exists(self, context: ContextId) -> bool:
        alive = self._alive.get(context)
        return self.base.exists(context) if alive is None else alive

    def lookup(self, context: ContextId, component: NameComponent) -> Bound | None:
        overlay = self._overlay.get(context, {})
        if component in overlay:
            return overlay[component]
        return self._base_lookup(context, component)

    def _base_lookup(self, context: ContextId, component: NameComponent) -> Bound | None:
        return self.base.lookup(context, component) if self.base.exists(context) else None

    def size(self, context: ContextId) -> int:
        before = self.base.size(context) if self.base.exists(context) else 0
        return before + sum(
            (bound is not None) - (self._base_lookup(context, component) is not None)
            for component, bound in self._overlay.get(context, {}).items()
        )

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._changes.append(change)
            if isinstance(change, BindingSet):
                self._overlay.setdefault(change.context, {})[change.component] = change.bound
            elif isinstance(change, BindingRemoved):
                self._overlay.setdefault(change.context, {})[change.component] = None
            else:
                self._alive[change.context] = isinstance(change, ContextCreated)
                self._latest = max(self._latest, context_number(change.context))

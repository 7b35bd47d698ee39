"""What can be asked of our servers beyond CosNaming: what Interstage's commands do, at a server that runs.

    NodeAdministration        initial services, deletion with what is deleted, contexts that no name leads to
    FJ_LoadBalancingOption    load-balance object groups; the id is Interstage's, the interface ours, as its own is not public

Both are objects under these keys, and the interfaces have repository ids of our own, so that nobody takes them for anything else.
Changes are on disk when they are answered. Who reaches the server may ask them, as all of CosNaming. It must not know sockets,
nor how commands read their arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import ULong
from iiop.idl import Interface, Servant, operation
from iiop.iop import IOR, NIL
from naming import groups
from naming.changes import ROOT, ContextId, ObjectGroup
from naming.orphans import orphans, plan_delete, plan_destroy_orphan
from naming.servant import NamingServants
from naming.services import InitialServices
from naming.types import AlreadyBound, CannotProceed, InvalidName, Name, NameComponent, NotEmpty, NotFound

__all__ = [
    "LOAD_BALANCING_OPTION",
    "NODE_ADMINISTRATION",
    "InitialService",
    "LoadBalancingOption",
    "LoadBalancingServant",
    "NodeAdministration",
    "NodeAdministrationServant",
    "Orphan",
]

NODE_ADMINISTRATION = b"NodeAdministration"
LOAD_BALANCING_OPTION = b"FJ_LoadBalancingOption"
"""Object keys."""

_LOOKUP = (NotFound, CannotProceed, InvalidName)


@dataclass(frozen=True, slots=True)
class InitialService:
    """Hold what an ORB's `resolve_initial_references` returns for an id."""

    id: str
    reference: IOR


@dataclass(frozen=True, slots=True)
class Orphan:
    """Hold a context to which no name leads, and how many bindings it has."""

    id: str
    bindings: Annotated[int, ULong]


class NodeAdministration(Interface):
    """Administer a node's server."""

    repository_id = "IDL:iiopkit/naming/NodeAdministration:1.0"

    @operation(idempotent=True)
    def services(self) -> tuple[InitialService, ...]:  # type: ignore[empty-body]
        """Return the initial services."""

    @operation(raises=(AlreadyBound, InvalidName))
    def register_service(self, id: str, reference: IOR) -> None:
        """Add an initial service."""

    @operation(raises=(NotFound,))
    def delete_service(self, id: str) -> None:
        """Remove an initial service that was registered."""

    @operation(raises=_LOOKUP)
    def delete_object(self, n: Name) -> None:
        """Unbind an object or a group; a context is NotFound, `not_object`."""

    @operation(raises=(*_LOOKUP, NotEmpty))
    def delete_context(self, n: Name) -> None:
        """Unbind a context, and destroy it unless another name leads to it; an object is NotFound, `not_context`."""

    @operation(idempotent=True)
    def orphans(self) -> tuple[Orphan, ...]:  # type: ignore[empty-body]
        """Return the contexts to which no name leads from the root."""

    @operation(raises=(NotFound,))
    def destroy_orphan(self, id: str) -> None:
        """End such a context and all its bindings."""


class LoadBalancingOption(Interface):
    """Make load-balance object groups, and fill them."""

    repository_id = "IDL:iiopkit/naming/LoadBalancingOption:1.0"

    @operation(raises=(*_LOOKUP, AlreadyBound))
    def create_group(self, n: Name, group: str, default_object: IOR) -> None:
        """Bind a name that is not bound to a group without members."""

    @operation(raises=_LOOKUP, idempotent=True)
    def group(self, n: Name) -> ObjectGroup:  # type: ignore[empty-body]
        """Return a group; anything else is NotFound, `not_object`."""

    @operation(idempotent=True)
    def groups(self, context: str) -> tuple[NameComponent, ...]:  # type: ignore[empty-body]
        """Return the names of the groups that are bound in a context, by its id."""

    @operation(raises=(*_LOOKUP, AlreadyBound))
    def add_member(self, n: Name, member: IOR) -> None:
        """Add a member; AlreadyBound if it is one already."""

    @operation(raises=_LOOKUP)
    def remove_member(self, n: Name, member: IOR) -> None:
        """Remove a member."""

    @operation(raises=_LOOKUP)
    def set_default(self, n: Name, default_object: IOR) -> None:
        """Choose the object for clients that come while there are no members; nil for none."""


class NodeAdministrationServant(Servant):
    """Administer what a server holds."""

    interface = NodeAdministration

    def __init__(self, naming: NamingServants, services: InitialServices) -> None:
        self._naming = naming
        self._services = services

    def services(self) -> tuple[InitialService, ...]:
        return tuple(InitialService(id, self._services.reference(id) or NIL) for id in self._services.ids)

    async def register_service(self, id: str, reference: IOR) -> None:
        await self._services.register(id, reference)

    async def delete_service(self, id: str) -> None:
        await self._services.delete(id)

    async def delete_object(self, n: Name) -> None:
        await self._naming.change(lambda contexts: plan_delete(contexts, self._naming.model, n, context=False))

    async def delete_context(self, n: Name) -> None:
        await self._naming.change(lambda contexts: plan_delete(contexts, self._naming.model, n, context=True))

    def orphans(self) -> tuple[Orphan, ...]:
        model = self._naming.model
        return tuple(Orphan(context, model.size(context)) for context in orphans(model))

    async def destroy_orphan(self, id: str) -> None:
        await self._naming.change(lambda contexts: plan_destroy_orphan(contexts, self._naming.model, ContextId(id)))


class LoadBalancingServant(Servant):
    """Change the groups of a server."""

    interface = LoadBalancingOption

    def __init__(self, naming: NamingServants) -> None:
        self._naming = naming

    async def create_group(self, n: Name, group: str, default_object: IOR) -> None:
        await self._naming.change(lambda contexts: contexts.plan_bind(ROOT, n, ObjectGroup(group, (), default_object)))

    def group(self, n: Name) -> ObjectGroup:
        return groups.find(self._naming.model, ROOT, n)

    def groups(self, context: str) -> tuple[NameComponent, ...]:
        bindings = self._naming.model.bindings(ContextId(context))
        return tuple([component for component, bound in bindings.items() if isinstance(bound, ObjectGroup)])

    async def add_member(self, n: Name, member: IOR) -> None:
        await self._naming.change(lambda contexts: groups.plan_add(contexts, ROOT, n, member))

    async def remove_member(self, n: Name, member: IOR) -> None:
        await self._naming.change(lambda contexts: groups.plan_remove(contexts, ROOT, n, member))

    async def set_default(self, n: Name, default_object: IOR) -> None:
        await self._naming.change(lambda contexts: groups.plan_set_default(contexts, ROOT, n, default_object))

"""The interfaces of CosNaming, as declarations: stubs for clients, operations for servants.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 3.1 "CosNaming Module". An object reference travels as `iiop.iop.IOR`.
"""

from __future__ import annotations

from typing import Annotated

from iiop.cdr import ULong
from iiop.idl import Interface, operation
from iiop.iop import IOR
from naming.types import (
    BINDING_ITERATOR_ID,
    NAMING_CONTEXT_EXT_ID,
    NAMING_CONTEXT_ID,
    AlreadyBound,
    Binding,
    CannotProceed,
    InvalidAddress,
    InvalidName,
    Name,
    NotEmpty,
    NotFound,
)

__all__ = ["BindingIterator", "NamingContext", "NamingContextExt"]

_LOOKUP = (NotFound, CannotProceed, InvalidName)
_BIND = (*_LOOKUP, AlreadyBound)


class NamingContext(Interface):
    """Bind names to objects and contexts, and find them."""

    repository_id = NAMING_CONTEXT_ID

    @operation(raises=_BIND)
    def bind(self, n: Name, obj: IOR) -> None:
        """Bind a name that is not bound."""

    @operation(raises=_LOOKUP)
    def rebind(self, n: Name, obj: IOR) -> None:
        """Bind a name, whether bound to an object before or not."""

    @operation(raises=_BIND)
    def bind_context(self, n: Name, nc: IOR) -> None:
        """Bind a name that is not bound to a context."""

    @operation(raises=_LOOKUP)
    def rebind_context(self, n: Name, nc: IOR) -> None:
        """Bind a name to a context, whether bound to one before or not."""

    @operation(raises=_LOOKUP, idempotent=True)
    def resolve(self, n: Name) -> IOR:  # type: ignore[empty-body]
        """Return what a name is bound to."""

    @operation(raises=_LOOKUP)
    def unbind(self, n: Name) -> None:
        """Remove a binding; what it was bound to lives on."""

    @operation
    def new_context(self) -> IOR:  # type: ignore[empty-body]
        """Return a new context, bound nowhere."""

    @operation(raises=_BIND)
    def bind_new_context(self, n: Name) -> IOR:  # type: ignore[empty-body]
        """Return a new context that is bound to a name."""

    @operation(raises=(NotEmpty,))
    def destroy(self) -> None:
        """End a context that has no bindings."""

    @operation(idempotent=True)
    def list(self, how_many: Annotated[int, ULong]) -> tuple[tuple[Binding, ...], IOR]:  # type: ignore[empty-body]
        """Return the first bindings, and an iterator over the rest, nil if there are no more."""


class NamingContextExt(NamingContext):
    """Do the same with names written as text."""

    repository_id = NAMING_CONTEXT_EXT_ID

    @operation(raises=(InvalidName,), idempotent=True)
    def to_string(self, n: Name) -> str:  # type: ignore[empty-body]
        """Write a name as text."""

    @operation(raises=(InvalidName,), idempotent=True)
    def to_name(self, sn: str) -> Name:  # type: ignore[empty-body]
        """Read a name from text."""

    @operation(raises=(InvalidAddress, InvalidName), idempotent=True)
    def to_url(self, addr: str, sn: str) -> str:  # type: ignore[empty-body]
        """Return a corbaname URL of an address and a name written as text."""

    @operation(raises=_BIND, idempotent=True)
    def resolve_str(self, n: str) -> IOR:  # type: ignore[empty-body]
        """Return what a name written as text is bound to."""


class BindingIterator(Interface):
    """Hand out the rest of a listing."""

    repository_id = BINDING_ITERATOR_ID

    @operation
    def next_one(self) -> tuple[bool, Binding]:  # type: ignore[empty-body]
        """Return whether there was a binding left, and it."""

    @operation
    def next_n(self, how_many: Annotated[int, ULong]) -> tuple[bool, tuple[Binding, ...]]:  # type: ignore[empty-body]
        """Return whether there was a binding left, and up to `how_many` of them."""

    @operation
    def destroy(self) -> None:
        """End the iterator."""

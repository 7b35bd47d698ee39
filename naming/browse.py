"""Look around in the contexts of a running Naming Service of any make.

Knows the operations of CosNaming; must not know how what is found is shown.

A context is known again by the addresses and the key in its reference. So the root context, whose reference may be what a person
typed, is entered once more where a binding leads back to it under another host name or key; and then no more.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 3.1 "CosNaming Module".
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import astuple, dataclass

from iiop.exceptions import IIOPError
from ior import IOR
from naming.client import NameService
from naming.interfaces import BindingIterator, NamingContext
from naming.types import NAMING_CONTEXT_EXT_ID, NAMING_CONTEXT_ID, Binding, BindingType, Name, NotFound, NotFoundReason

__all__ = ["Found", "context_at", "descend", "is_context", "list_bindings"]

BATCH = 1000
"""Bindings asked for in one call."""

_CONTEXT_IDS = (NAMING_CONTEXT_ID, NAMING_CONTEXT_EXT_ID)


def is_context(names: NameService, reference: IOR) -> bool:
    """Tell whether a reference is that of a naming context; the object is asked only if the reference does not say.

    Raises:
        SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the object could not be asked.
    """
    if reference.is_nil:
        return False
    return reference.type_id in _CONTEXT_IDS or names.client.stub(reference, NamingContext)._is_a(NAMING_CONTEXT_ID)


def context_at(names: NameService, name: Name = ()) -> IOR:
    """Return the reference of the context that a name is bound to; of the root context if the name is empty.

    Raises:
        NotFound: there is no such binding, or (not_context) it is that of an object.
        CannotProceed, InvalidName: as the server answers.
        SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the server, or what is bound, could not be asked.
    """
    if not name:
        return names.ior
    reference = names.resolve(name)
    if not is_context(names, reference):
        raise NotFound(NotFoundReason.not_context, name[-1:])
    return reference


def list_bindings(names: NameService, context: IOR) -> Generator[Binding, None, None]:
    """Yield the bindings of a context in the order of the server, `BATCH` of them in memory at a time.

    Close the iterator if you do not take them all: the one in the server then ends at once.

    Raises:
        SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the server could not be asked, or has ended the
            listing because it took too long.
    """
    bindings, rest = names.client.stub(context, NamingContext).list(BATCH)
    if not rest.profiles:
        yield from bindings
        return
    iterator = names.client.stub(rest, BindingIterator)
    try:
        yield from bindings
        more = True
        while more:
            more, bindings = iterator.next_n(BATCH)
            more = more and bool(bindings)  # or a server could keep us for ever
            yield from bindings
    finally:
        with contextlib.suppress(IIOPError):
            iterator.destroy()


@dataclass(frozen=True, slots=True)
class Found:
    """Hold a binding that a descent came by.

    Attributes:
        name: from where it began.
        binding_type: as its context lists it.
        reference: what it is bound to; None of an object whose reference was not asked for, or if there is an error.
        same_as: of a context that it was in before: under which name, empty for where it began.
        error: why the reference could not be obtained, or the context not be listed.
    """

    name: Name
    binding_type: BindingType
    reference: IOR | None = None
    same_as: Name | None = None
    error: IIOPError | None = None


def descend(names: NameService, context: IOR, *, depth: int | None = None, references: bool = False) -> Iterator[Found]:
    """Return every binding below a context, what is in a context right behind it, in the order of ids, then kinds.

    Every context is entered once, those of other servers too. Bindings that are removed meanwhile are passed over. The names in a
    context are read before they are yielded: in memory are those of the contexts that lead to the one at hand.

    Args:
        names: for its client.
        context: where to begin.
        depth: components of the longest name to yield; None for all.
        references: resolve objects too, and not only contexts.

    Raises:
        SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the first context could not be listed; at once.
    """
    return _steps(names, context, _sorted(names, context), depth, references)


def _steps(names: NameService, top: IOR, first: Iterator[Binding], depth: int | None, references: bool) -> Iterator[Found]:
    entered: dict[object, Name] = {_identity(top): ()}
    path: list[tuple[NamingContext, Name, Iterator[Binding]]] = [(names.client.stub(top, NamingContext), (), first)]
    while path:
        stub, at, bindings = path[-1]
        binding = next(bindings, None)
        if binding is None:
            path.pop()
            continue
        name = (*at, *binding.binding_name)
        if binding.binding_type is BindingType.nobject and not references:
            yield Found(name, binding.binding_type)
            continue
        try:
            reference = IOR.from_iop(stub.resolve(binding.binding_name))
        except NotFound:
            continue
        except IIOPError as error:
            yield Found(name, binding.binding_type, error=error)
            continue
        if binding.binding_type is BindingType.nobject or (depth is not None and len(name) >= depth):
            yield Found(name, binding.binding_type, reference)
            continue
        before = entered.get(_identity(reference))
        if before is not None:
            yield Found(name, binding.binding_type, reference, before)
            continue
        try:
            path.append((names.client.stub(reference, NamingContext), name, _sorted(names, reference)))
        except IIOPError as error:
            yield Found(name, binding.binding_type, reference, error=error)
            continue
        entered[_identity(reference)] = name
        yield Found(name, binding.binding_type, reference)


def _identity(context: IOR) -> object:
    return tuple([(each.host, each.port, each.object_key) for each in context.endpoints()])


def _sorted(names: NameService, context: IOR) -> Iterator[Binding]:
    return iter(sorted(list_bindings(names, context), key=lambda binding: [astuple(item) for item in binding.binding_name]))

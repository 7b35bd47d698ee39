"""Contexts that no name leads to: found, ended with what is in them, and not made by deleting names.

Unbinding a context does not destroy it, and a client may go on to use one by its reference; but from the root nobody finds it any
more. CosNaming cannot list such contexts; this can, in the model. Knows no sockets.

Source: Interstage Command Reference, `odrmubncns` and `OD_or_adm -d`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from naming.changes import ROOT, BindingRemoved, BindingSet, Bound, Change, ContextDestroyed, ContextId, is_context
from naming.model import Contexts, NamingModel
from naming.types import Name, NameComponent, NotFound, NotFoundReason

__all__ = ["orphans", "plan_delete", "plan_destroy_orphan"]


def orphans(model: NamingModel) -> tuple[ContextId, ...]:
    """Return the contexts to which no name leads from the root, in the order of their creation.

    Looks at every binding there is.
    """
    reached = _reached(model, model)
    return tuple(context for context in model.contexts if context not in reached)


def plan_destroy_orphan(contexts: Contexts, model: NamingModel, context: ContextId) -> tuple[Change, ...]:
    """Plan the end of an orphan, and of all its bindings; what they were bound to lives on.

    Args:
        contexts: the model, or a draft on it.
        model: the same model.
        context: the orphan.

    Raises:
        NotFound: `missing_node`: there is no such context, or it is no orphan (any more).
    """
    if not contexts.exists(context) or context in _reached(contexts, model):
        raise NotFound(NotFoundReason.missing_node, (NameComponent(context),))
    removed = [BindingRemoved(context, component) for component in _bindings(contexts, model)(context)]
    return (*removed, ContextDestroyed(context))


def plan_delete(contexts: Contexts, model: NamingModel, name: Name, *, context: bool) -> tuple[Change, ...]:
    """Plan the end of a binding, and of the context of ours that is bound there, unless another name leads to that.

    Looks at every binding there is, if it is a context.

    Args:
        contexts: the model, or a draft on it.
        model: the same model.
        name: what is to go, from the root.
        context: whether it is a context; objects and groups are only unbound, and so are contexts of other servers, and names
            of contexts that were destroyed.

    Raises:
        NotFound: `not_context` or `not_object` if it is the other, and as `Contexts.plan_unbind`.
        NotEmpty: the context has bindings, and this is its only name: it would be an orphan.
        CannotProceed, InvalidName, OBJECT_NOT_EXIST: as `Contexts.plan_unbind`.
    """
    (removed,) = contexts.plan_unbind(ROOT, name)
    bound = contexts.resolve(ROOT, name)
    if is_context(bound) is not context:
        raise NotFound(NotFoundReason.not_context if context else NotFoundReason.not_object, name[-1:])
    if isinstance(bound, str) and contexts.exists(bound) and bound not in _reached(contexts, model, removed):
        return (*contexts.plan_destroy(bound), removed)
    return (removed,)


def _reached(contexts: Contexts, model: NamingModel, removed: BindingRemoved | None = None) -> set[ContextId]:
    """Return the living contexts to which names lead from the root, the root included, but for a binding that is to go."""
    bindings = _bindings(contexts, model)
    reached: set[ContextId] = set()
    waiting = [ROOT]
    while waiting:
        context = waiting.pop()
        if context not in reached and contexts.exists(context):
            reached.add(context)
            found = bindings(context)
            if removed is not None and context == removed.context:
                del found[removed.component]
            waiting += [bound for bound in found.values() if isinstance(bound, str)]
    return reached


def _bindings(contexts: Contexts, model: NamingModel) -> Callable[[ContextId], dict[NameComponent, Bound]]:
    """Return what tells the bindings of a context as they are in a draft, which lists none."""
    changed: defaultdict[ContextId, set[NameComponent]] = defaultdict(set)
    for change in contexts.pending:
        if isinstance(change, BindingSet | BindingRemoved):
            changed[change.context].add(change.component)

    def bindings(context: ContextId) -> dict[NameComponent, Bound]:
        found = model.bindings(context) if model.exists(context) else {}
        for component in changed.get(context, ()):
            found.pop(component, None)
            if (bound := contexts.lookup(context, component)) is not None:
                found[component] = bound
        return found

    return bindings

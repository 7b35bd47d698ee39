"""Contexts that no name leads to: found, and ended with what is in them.

Unbinding a context does not destroy it, and a client may go on to use one by its reference; but from the root nobody finds it any
more. CosNaming cannot list such contexts; this can, in the model. Knows no sockets.

Source: Interstage Command Reference, `odrmubncns`.
"""

from __future__ import annotations

from naming.changes import ROOT, BindingRemoved, BindingSet, Change, ContextDestroyed, ContextId
from naming.model import Contexts, NamingModel
from naming.types import NameComponent, NotFound, NotFoundReason

__all__ = ["orphans", "plan_destroy_orphan"]


def orphans(model: NamingModel) -> tuple[ContextId, ...]:
    """Return the contexts to which no name leads from the root, in the order of their creation.

    Looks at every binding there is.
    """
    reached = _reached(model, [ROOT])
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
    pending = contexts.pending
    bound_now = [change.bound for change in pending if isinstance(change, BindingSet) and isinstance(change.bound, str)]
    if not contexts.exists(context) or context in _reached(model, [ROOT, *bound_now]):
        raise NotFound(NotFoundReason.missing_node, (NameComponent(context),))
    components = set(model.bindings(context)) if model.exists(context) else set()
    components |= {change.component for change in pending if isinstance(change, BindingSet) and change.context == context}
    removed = [BindingRemoved(context, component) for component in components if contexts.lookup(context, component) is not None]
    return (*removed, ContextDestroyed(context))


def _reached(model: NamingModel, starts: list[ContextId]) -> set[ContextId]:
    """Return the living contexts to which names lead from any of some contexts, these included."""
    reached: set[ContextId] = set()
    waiting = list(starts)
    while waiting:
        context = waiting.pop()
        if context not in reached and model.exists(context):
            reached.add(context)
            waiting += [bound for bound in model.bindings(context).values() if isinstance(bound, str)]
    return reached

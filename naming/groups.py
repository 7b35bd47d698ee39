"""Load-balance object groups: how they change, and which member a client gets.

Knows names, groups and positions; no sockets, no clock, no randomness. Which member Interstage's own load balancing chooses is
not public: `SelectionRule` is ours.

Source: Interstage Command Reference, `odadministerlb` and `OD_or_adm`; Programming Guide (CORBA Service), 9.1.
"""

from __future__ import annotations

import dataclasses
import enum

from iiop.iop import IOR
from naming.changes import BindingSet, Change, ContextId, ObjectGroup
from naming.model import Contexts
from naming.types import AlreadyBound, Name, NameComponent, NotFound, NotFoundReason

__all__ = [
    "DEFAULT_SELECTION",
    "Rotation",
    "SelectionRule",
    "find",
    "plan_add",
    "plan_remove",
    "plan_set_default",
]


class SelectionRule(enum.Enum):
    """Say which member the next client gets.

    `round_robin`, the default: each in turn. `first`: always the one that was added first, so that the others stand by. Where
    there are no members, it is the default object.
    """

    round_robin = "round_robin"
    first = "first"


DEFAULT_SELECTION = SelectionRule.round_robin

PLACES = 10_000
"""Groups whose turn is remembered; with one more, all begin again with their first member."""


class Rotation:
    """Choose members, and remember whose turn it is.

    Args:
        rule: which member is next.

    Attributes:
        chosen: how often that was done.
    """

    def __init__(self, rule: SelectionRule = DEFAULT_SELECTION) -> None:
        self._rule = rule
        self._turns: dict[tuple[ContextId, NameComponent], int] = {}
        self.chosen = 0

    def choose(self, context: ContextId, component: NameComponent, group: ObjectGroup) -> IOR:
        """Return what the next client gets of a group.

        Args:
            context: that holds the group.
            component: to which it is bound there.
            group: as it is now.

        Raises:
            NotFound: `missing_node`: the group has neither members nor a default object.
        """
        self.chosen += 1
        members = group.members
        if not members:
            if group.default_object.is_nil:
                raise NotFound(NotFoundReason.missing_node, (component,))
            return group.default_object
        if self._rule is SelectionRule.first:
            return members[0]
        place = context, component
        turn = self._turns.get(place, 0) % len(members)
        if place not in self._turns and len(self._turns) >= PLACES:
            self._turns.clear()
        self._turns[place] = turn + 1
        return members[turn]


def find(contexts: Contexts, start: ContextId, name: Name) -> ObjectGroup:
    """Return the group that a name stands for.

    Raises:
        NotFound: `not_object` if it stands for something else, and as `Contexts` says.
        CannotProceed, InvalidName, OBJECT_NOT_EXIST: as `Contexts` says.
    """
    bound = contexts.resolve(start, name)
    if not isinstance(bound, ObjectGroup):
        raise NotFound(NotFoundReason.not_object, name[-1:])
    return bound


def plan_add(contexts: Contexts, start: ContextId, name: Name, member: IOR) -> tuple[Change, ...]:
    """Plan one more member of a group.

    Raises:
        AlreadyBound: that reference is one already.
        NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as `find`.
    """
    group = find(contexts, start, name)
    if member in group.members:
        raise AlreadyBound
    return _replaced(contexts, start, name, dataclasses.replace(group, members=(*group.members, member)))


def plan_remove(contexts: Contexts, start: ContextId, name: Name, member: IOR) -> tuple[Change, ...]:
    """Plan one member less.

    Raises:
        NotFound: `missing_node`: that reference is none of them; and as `find`.
        CannotProceed, InvalidName, OBJECT_NOT_EXIST: as `find`.
    """
    group = find(contexts, start, name)
    left = tuple(other for other in group.members if other != member)
    if len(left) == len(group.members):
        raise NotFound(NotFoundReason.missing_node, name[-1:])
    return _replaced(contexts, start, name, dataclasses.replace(group, members=left))


def plan_set_default(contexts: Contexts, start: ContextId, name: Name, default_object: IOR) -> tuple[Change, ...]:
    """Plan another default object of a group.

    Raises:
        NotFound, CannotProceed, InvalidName, OBJECT_NOT_EXIST: as `find`.
    """
    group = find(contexts, start, name)
    return _replaced(contexts, start, name, dataclasses.replace(group, default_object=default_object))


def _replaced(contexts: Contexts, start: ContextId, name: Name, group: ObjectGroup) -> tuple[Change, ...]:
    return (BindingSet(contexts.target(start, name), name[-1], group),)

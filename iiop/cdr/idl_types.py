"""What IDL says of a type beside its layout: its repository id and name, its typedefs, the names of a union's members.

Values have none of it on the wire, TypeCodes have (`iiop.cdr.reflection`). Marks stand in annotations and above classes:

    Amount: TypeAlias = Annotated[int, Long, Alias("IDL:Bank/Amount:1.0")]

    @RepositoryId("IDL:Bank/Choice:1.0")
    @dataclass(frozen=True, slots=True)
    class Choice:
        discriminator: Annotated[int, Short]
        value: Annotated[int | str | None, union(Arm("cents", Amount, 1, 2), Arm("text", str, 3), exhaustive=False)]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from iiop.cdr.annotations import cdr_type
from iiop.cdr.types import CDRType, Switch

__all__ = ["PRIVATE", "Alias", "Arm", "ElementType", "Private", "RepositoryId", "Union", "union"]

C = TypeVar("C", bound=type[Any])


@dataclass(frozen=True)
class RepositoryId:
    """Give a class its repository id, as its decorator; in the annotation of an object reference, that of the interface.

    Attributes:
        repository_id: as in `IDL:Bank/Entry:1.0`.
        name: in its scope, where the id does not end with it.
    """

    repository_id: str
    name: str = ""

    def __call__(self, cls: C) -> C:
        cls.__idl__ = self
        return cls

    @property
    def simple_name(self) -> str:
        """Return the name in its scope."""
        return self.name or self.repository_id.split(":")[1].rpartition("/")[2]


@dataclass(frozen=True)
class Alias(RepositoryId):
    """Say that what is annotated is a typedef of this repository id."""


@dataclass(frozen=True)
class ElementType:
    """Say of what typedef the octets are that `bytes` hold.

    Attributes:
        annotation: of one octet.
    """

    annotation: Any


@dataclass(frozen=True)
class Private:
    """Say that a member of a value type is private."""


PRIVATE = Private()


@dataclass(frozen=True, init=False)
class Arm:
    """Declare a member of a union.

    Attributes:
        name: in IDL.
        annotation: of its values.
        labels: values of the discriminator that choose it.
        default: whether all others do, too.
    """

    name: str
    annotation: Any
    labels: tuple[Any, ...]
    default: bool

    def __init__(self, name: str, annotation: Any, *labels: Any, default: bool = False) -> None:
        for attribute, value in zip(self.__match_args__, (name, annotation, labels, default), strict=True):
            object.__setattr__(self, attribute, value)


@dataclass(frozen=True)
class Union(Switch):
    """Declare the members of a union, by name."""

    arms: tuple[Arm, ...] = field(default=(), hash=False)


def union(*arms: Arm, exhaustive: bool = True) -> Union:
    """Declare the members of a union.

    Args:
        arms: in the order of IDL.
        exhaustive: whether other values of the discriminator than are told here are wrong; without it they choose no member.
    """
    layouts = [cdr_type(arm.annotation) for arm in arms]
    cases: dict[Any, CDRType | None] = {label: layout for arm, layout in zip(arms, layouts, strict=True) for label in arm.labels}
    default: CDRType | str | None = Switch.REFUSE if exhaustive else None
    for arm, layout in zip(arms, layouts, strict=True):
        default = layout if arm.default else default
    return Union(cases or {None: None}, default, arms=arms)

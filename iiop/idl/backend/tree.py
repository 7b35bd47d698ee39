"""What there is in IDL, as far as it is on the wire: types and declarations, as plain data.

Names in `scoped` are those of IDL; names of members, operations and parameters are Python's already. Knows neither omniidl nor
how Python is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "AbstractReference",
    "Alias",
    "Array",
    "Basic",
    "Constant",
    "Context",
    "Declaration",
    "Enum",
    "Enumerator",
    "Exception_",
    "Fixed",
    "Interface",
    "Member",
    "Module",
    "Named",
    "Operation",
    "Parameter",
    "Place",
    "Reference",
    "Refusal",
    "Scoped",
    "Sequence",
    "Skipped",
    "String",
    "Struct",
    "Type",
    "Union",
    "UnionArm",
    "ValueBox",
    "Value_",
]

Scoped: TypeAlias = tuple[str, ...]
"""A name with all its scopes, outermost first."""


class Refusal(Exception):
    """Refuse a construct; the text is `file:line: what`."""


@dataclass(frozen=True)
class Basic:
    """A type that needs nothing but its IDL spelling."""

    name: str


@dataclass(frozen=True)
class String:
    """A bounded string or wstring."""

    bound: int
    wide: bool


@dataclass(frozen=True)
class Fixed:
    """A fixed-point decimal."""

    digits: int
    scale: int


@dataclass(frozen=True)
class Sequence:
    """A sequence; `bound` 0 is none."""

    element: Type
    bound: int


@dataclass(frozen=True)
class Array:
    """An array of one dimension."""

    element: Type
    length: int


@dataclass(frozen=True)
class Named:
    """A struct, union, enum, exception, typedef, or value type; `octet` if it is a typedef of that."""

    scoped: Scoped
    nullable: bool = False
    octet: bool = False


@dataclass(frozen=True)
class Reference:
    """An object reference."""

    scoped: Scoped
    repository_id: str


@dataclass(frozen=True)
class AbstractReference:
    """An abstract interface."""

    scoped: Scoped
    repository_id: str


@dataclass(frozen=True)
class Context:
    """What a context clause passes: texts by name."""

    names: tuple[str, ...]


Type: TypeAlias = Basic | String | Fixed | Sequence | Array | Named | Reference | AbstractReference | Context


@dataclass(frozen=True)
class Enumerator:
    """A value of an enum, in a constant or a label."""

    enum: Scoped
    name: str


@dataclass
class Declaration:
    """Something declared.

    Attributes:
        scoped: its name.
        repository_id: empty where it has none.
        doc: the comment before it, or behind it on its line.
    """

    scoped: Scoped
    repository_id: str
    doc: str

    @property
    def name(self) -> str:
        """Return the name in IDL, scopes included."""
        return "::".join(self.scoped)


@dataclass(frozen=True)
class Place:
    """Where Python has a declaration: the package of a module, and names inside of it."""

    module: Scoped
    path: Scoped


@dataclass
class Skipped(Declaration):
    """Something that is never on the wire."""

    why: str


@dataclass
class Module(Declaration):
    """Where a module is opened for the first time; `files` are those that declare something in it."""

    files: list[str] = field(default_factory=list)
    contents: list[Declaration] = field(default_factory=list)


@dataclass
class Member:
    """A member of a struct, exception or value type."""

    name: str
    type: Type
    doc: str
    private: bool = False


@dataclass
class Enum(Declaration):
    """An enum."""

    members: list[str]


@dataclass
class Alias(Declaration):
    """A typedef."""

    type: Type


@dataclass
class Constant(Declaration):
    """A constant; `value` is Python for one of the class called `python`, the text of a Decimal, or an enumerator."""

    python: str
    value: str | Enumerator


@dataclass
class Struct(Declaration):
    """A struct, and what is declared in it."""

    members: list[Member] = field(default_factory=list)
    contents: list[Declaration] = field(default_factory=list)


@dataclass
class Exception_(Struct):
    """An exception."""


@dataclass
class UnionArm:
    """A member of a union; `labels` are Python for them, or enumerators; `default` is for all other values, too."""

    name: str
    type: Type
    labels: list[str | Enumerator]
    default: bool


@dataclass
class Union(Declaration):
    """A union; `exhaustive` if its labels are all values that there are."""

    discriminator: Type
    arms: list[UnionArm] = field(default_factory=list)
    exhaustive: bool = False
    contents: list[Declaration] = field(default_factory=list)


@dataclass
class ValueBox(Declaration):
    """A boxed value."""

    type: Type
    contents: list[Declaration] = field(default_factory=list)


@dataclass
class Parameter:
    """A parameter; `given` to the operation, `returned` by it, or both."""

    name: str
    type: Type
    given: bool
    returned: bool


@dataclass
class Operation:
    """An operation, or one of the two that an attribute is.

    Attributes:
        method: name in Python.
        name: name on the wire.
        returns: result and out parameters.
    """

    method: str
    name: str
    doc: str
    parameters: list[Parameter]
    returns: list[Type]
    raises: list[Scoped]
    oneway: bool


@dataclass
class Value_(Struct):
    """A value type; `bases` as IDL has them, `supports` interfaces; factories are operations that
    return nothing; `left_out` says of others why."""

    bases: list[Scoped] = field(default_factory=list)
    supports: list[Scoped] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    factories: list[Operation] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    truncatable: bool = False
    custom: bool = False
    abstract: bool = False


@dataclass
class Interface(Declaration):
    """An interface; a local one has no operations and no bases here."""

    bases: list[Scoped] = field(default_factory=list)
    local: bool = False
    abstract: bool = False
    operations: list[Operation] = field(default_factory=list)
    contents: list[Declaration] = field(default_factory=list)

"""The data types and exceptions of CosNaming, spelled as in the IDL.

Knows nothing of how names are written as text (`naming.names`) or what they are bound to (`naming.model`). The dataclasses
are wire declarations: `iiop.cdr` derives their CDR layout from the annotations.

Invariant: two `NameComponent`s are equal only when both id and kind are.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 3.1 "CosNaming Module"; repository
ids compared with the stubs omniORB ships.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from iiop.exceptions.corba import UserException, register_exception
from iiop.iop import IOR

__all__ = [
    "NameComponent",
    "Name",
    "BindingType",
    "Binding",
    "NotFoundReason",
    "NotFound",
    "CannotProceed",
    "InvalidName",
    "AlreadyBound",
    "NotEmpty",
    "InvalidAddress",
    "NAMING_CONTEXT_ID",
    "NAMING_CONTEXT_EXT_ID",
    "BINDING_ITERATOR_ID",
]

NAMING_CONTEXT_ID = "IDL:omg.org/CosNaming/NamingContext:1.0"
NAMING_CONTEXT_EXT_ID = "IDL:omg.org/CosNaming/NamingContextExt:1.0"
BINDING_ITERATOR_ID = "IDL:omg.org/CosNaming/BindingIterator:1.0"


@dataclass(frozen=True, slots=True)
class NameComponent:
    """Hold one step of a name. Either part may be empty, both too."""

    id: str
    kind: str = ""


Name: TypeAlias = tuple[NameComponent, ...]
"""A name as the IDL has it: a sequence of components, outermost context first."""


class BindingType(enum.IntEnum):
    """Tell an ordinary object from a context that takes part in name resolution."""

    nobject = 0
    ncontext = 1


@dataclass(frozen=True, slots=True)
class Binding:
    """Hold one row of a listing; `binding_name` has exactly one component."""

    binding_name: Name
    binding_type: BindingType


class NotFoundReason(enum.IntEnum):
    """Say why a name leads nowhere."""

    missing_node = 0
    not_context = 1
    not_object = 2


@dataclass(eq=False)
class NotFound(UserException):
    """Report that a name does not identify a binding; `rest_of_name` starts with the component at fault."""

    repository_id: ClassVar[str] = "IDL:omg.org/CosNaming/NamingContext/NotFound:1.0"

    why: NotFoundReason
    rest_of_name: Name


@dataclass(eq=False)
class CannotProceed(UserException):
    """Report where resolution stopped: go on at the context `cxt` with `rest_of_name`."""

    repository_id: ClassVar[str] = "IDL:omg.org/CosNaming/NamingContext/CannotProceed:1.0"

    cxt: IOR
    rest_of_name: Name


@dataclass(eq=False)
class InvalidName(UserException):
    """Report a name without components, or text that is no stringified name."""

    repository_id: ClassVar[str] = "IDL:omg.org/CosNaming/NamingContext/InvalidName:1.0"


@dataclass(eq=False)
class AlreadyBound(UserException):
    """Report that the name is taken; only rebind replaces."""

    repository_id: ClassVar[str] = "IDL:omg.org/CosNaming/NamingContext/AlreadyBound:1.0"


@dataclass(eq=False)
class NotEmpty(UserException):
    """Report that a context to be destroyed still has bindings."""

    repository_id: ClassVar[str] = "IDL:omg.org/CosNaming/NamingContext/NotEmpty:1.0"


@dataclass(eq=False)
class InvalidAddress(UserException):
    """Report that `to_url` was given an address that no corbaname URL can hold."""

    repository_id: ClassVar[str] = "IDL:omg.org/CosNaming/NamingContextExt/InvalidAddress:1.0"


for _exception in (NotFound, CannotProceed, InvalidName, AlreadyBound, NotEmpty, InvalidAddress):
    register_exception(_exception.repository_id, _exception)

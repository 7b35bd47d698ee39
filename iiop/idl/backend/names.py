"""Names of IDL that Python has for other things get an underscore in front, as in the OMG's Python mapping, or behind.

Source: OMG Python Language Mapping 1.3 (formal/2008-05-01), clause 4.2 "Mapping of Names"; it has keywords only, the others are
names that the classes we derive from use.
"""

from __future__ import annotations

import enum
import keyword

from iiop.cdr import Value
from iiop.exceptions import UserException
from iiop.idl.interface import AsyncInterface, Interface
from iiop.idl.servant import Servant

__all__ = ["ENUM", "EXCEPTION", "INTERFACE", "PARAMETER", "PLAIN", "VALUE", "escaped", "identifier"]


def _names_of(*classes: type) -> frozenset[str]:
    return frozenset(name for cls in classes for name in dir(cls))


PLAIN: frozenset[str] = frozenset()
PARAMETER = frozenset({"self", "context"})
ENUM = _names_of(enum.IntEnum) | {"mro", "name", "value"}
EXCEPTION = _names_of(UserException)
INTERFACE = _names_of(Interface, AsyncInterface, Servant)
VALUE = _names_of(Value)
"""What is taken in classes made of each kind of declaration."""


def escaped(name: str, taken: frozenset[str] = PLAIN) -> str:
    """Return a name that Python admits where these are taken."""
    if not keyword.iskeyword(name) and name not in taken:
        return name
    return f"_{name}" if f"_{name}" not in taken else f"{name}_"


def identifier(text: str) -> str:
    """Return text with all that no identifier has replaced by underscores."""
    made = "".join([letter if letter.isascii() and letter.isalnum() else "_" for letter in text])
    return made if made[:1].isidentifier() else f"_{made}"

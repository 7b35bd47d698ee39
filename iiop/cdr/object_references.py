"""How object references lie on the wire, as `iiop.iop` tells it: TypeCodes and Anys need it, and must not know IORs."""

from __future__ import annotations

from typing import Any

from iiop.cdr.types import CDRType, Struct

__all__ = ["DECLARED", "declare_object_reference", "is_object_reference"]

DECLARED: list[CDRType] = []
"""The declaration, once it was told."""


def declare_object_reference(declared: CDRType) -> None:
    """Tell how object references lie on the wire; `iiop.iop` does."""
    DECLARED[:] = [declared]


def is_object_reference(cls: type[Any]) -> bool:
    """Tell whether a class is that of object references."""
    return any(isinstance(declared, Struct) and declared.cls is cls for declared in DECLARED)

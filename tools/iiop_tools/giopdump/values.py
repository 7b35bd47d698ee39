"""Values as data for programs, and as text for people.

`plain` gives what JSON has; references become their type, addresses and `IOR:` text, names of CosNaming their stringified form,
octets hexadecimal digits, numbers that JSON has not their text. `text` is one line of it. Neither knows where values come from.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from iiop import iop
from iiop.cdr.typecode import TypeCode
from iiop.exceptions import UserException
from iiop_tools.cli import printable
from ior.reference import IOR
from naming.names import format_name
from naming.types import NameComponent

__all__ = ["plain", "shortened", "text"]

NESTING = 40
LONGEST = 160
"""Characters of a text or of octets that are shown to people."""
MOST = 20
"""Elements of a sequence that are shown to people."""


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON has it."""
    kind: Any = type(value)
    known = _PLAIN.get(kind)
    if known is not None:
        return known(value)
    if depth > NESTING:
        return "..."
    if kind is tuple or kind is list:
        if value and type(value[0]) is NameComponent:
            return format_name(value)
        return [plain(each, depth + 1) for each in value]
    if isinstance(value, Mapping):
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, enum.Enum):
        return value.name
    members = _members(kind)
    if members is not None:
        return {name: plain(getattr(value, name, None), depth + 1) for name in members}
    return str(value)


def _same(value: Any) -> Any:
    return value


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


@functools.lru_cache(maxsize=4096)
def _reference(value: iop.IOR) -> dict[str, Any] | None:
    if value.is_nil:
        return None
    reference = IOR.from_iop(value)
    addresses = [f"{each.host}:{each.port}" for each in reference.endpoints()]
    return {"type_id": reference.type_id, "addresses": addresses, "ior": str(reference)}


_PLAIN: dict[type[Any], Callable[[Any], Any]] = {
    str: _same,
    int: _same,
    bool: _same,
    type(None): _same,
    float: _number,
    bytes: bytes.hex,
    memoryview: memoryview.hex,
    iop.IOR: _reference,
    TypeCode: repr,
}


@functools.lru_cache(maxsize=1024)
def _members(kind: Any) -> tuple[str, ...] | None:
    """Return the names of the members of a struct, union or exception; not of those that may hold a password."""
    return tuple(each.name for each in dataclasses.fields(kind) if each.repr) if dataclasses.is_dataclass(kind) else None


def text(value: Any, depth: int = 0) -> str:
    """Return a value in one line that holds nothing but printable characters."""
    kind: Any = type(value)
    known = _TEXT.get(kind)
    if known is not None:
        return known(value)
    if depth > NESTING:
        return "..."
    if kind is tuple or kind is list:
        if value and type(value[0]) is NameComponent:
            return _shortened(format_name(value))
        more = [f"... ({len(value)})"] if len(value) > MOST else []
        return f"[{', '.join([text(each, depth + 1) for each in value[:MOST]] + more)}]"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, UserException):
        return str(kind.__name__)
    members = _members(kind)
    if members is not None:
        return f"{{{', '.join([f'{name}={text(getattr(value, name, None), depth + 1)}' for name in members])}}}"
    return _shortened(str(value))


def shortened(shown: str, longest: int) -> str:
    """Return a text of which no more is left than so many characters, and how many it has."""
    return shown if len(shown) <= longest else f"{shown[:longest]}... ({len(shown)})"


def _shortened(shown: str) -> str:
    return shortened(printable(shown), LONGEST)


def _quoted(value: str) -> str:
    return f'"{_shortened(value)}"'


def _octets(value: bytes) -> str:
    return value.hex() if len(value) <= LONGEST // 2 else f"{value[: LONGEST // 2].hex()}... ({len(value)} octets)"


@functools.lru_cache(maxsize=4096)
def _reference_text(value: iop.IOR) -> str:
    if value.is_nil:
        return "nil"
    addresses = ", ".join(f"{each.host}:{each.port}" for each in IOR.from_iop(value).endpoints())
    return _shortened(f"{value.type_id or 'reference'} at {addresses or 'no address'}")


_TEXT: dict[type[Any], Callable[[Any], str]] = {
    str: _quoted,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "nil",
    float: repr,
    bytes: _octets,
    memoryview: lambda value: _octets(bytes(value)),
    iop.IOR: _reference_text,
    TypeCode: lambda value: _shortened(repr(value)),
}

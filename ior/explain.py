"""What every octet of a reference says: offset, octets, field, value, from the construct engine.

Profiles and components are opened as far as their layouts are registered, also those inside others. What stands between fields is
padding; what cannot be read ends in one row that says why.

Invariant: the octets of the rows, one after the other, are those of the reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from iiop.cdr import ByteOrder, Codec, Explained, codec
from iiop.exceptions.errors import DecodeError
from iiop.iop import COMPONENTS, IOR_CODEC, PROFILES, SERVICE_CONTEXTS, Encapsulated, ProfileId
from iiop.leniency import LENIENT
from iiop.limits import Limits
from iiop.profile import ProfileBody_1_0, ProfileBody_1_1
from ior.describe_components import number_name
from ior.reference import IOR
from ior.registry import component_name, profile_name
from ior.text import display, display_text

__all__ = ["Row", "explain", "layouts_inside"]

_LIMITS = Limits(sequence_length=1 << 32, string_length=1 << 32, leniency=LENIENT)
_REGISTRIES = {"profile": PROFILES, "component": COMPONENTS, "context": SERVICE_CONTEXTS}
_INSIDE = re.compile(r"\.(profile|component)_data$")


@dataclass(frozen=True, slots=True)
class Row:
    """Hold what some octets say.

    Attributes:
        offset: from the first octet of the reference.
        octets: at least one.
        path: field, as `profiles[0].components[1].tag`; that of the field before, for what is left over.
        type: IDL spelling; `padding`, `byte order`, or `unread`.
        text: value, as printable ASCII.
    """

    offset: int
    octets: bytes
    path: str
    type: str
    text: str


def explain(reference: IOR) -> tuple[Row, ...]:
    """Return what every octet of a reference says, in their order.

    Raises:
        EncodeError: the reference is new, and a member does not fit.
    """
    octets = reference.to_octets()
    rows: list[Row] = []
    _Reader(rows, octets, 0, "").encapsulation([IOR_CODEC])
    return tuple(rows)


class _Reader:
    """Read some octets of a reference.

    Attributes:
        rows: what was found so far.
        base: offset of the first of `octets`.
        path: of the field that they are.
    """

    def __init__(self, rows: list[Row], octets: bytes, base: int, path: str) -> None:
        self.rows = rows
        self.octets = octets
        self.base = base
        self.path = path

    def add(self, start: int, end: int, path: str, kind: str, text: str) -> None:
        if end > start:
            whole = f"{self.path}.{path}" if path and self.path and not path.startswith("[") else self.path + path
            self.rows.append(Row(self.base + start, self.octets[start:end], whole, kind, text))

    def encapsulation(self, layouts: list[Codec]) -> None:
        """Read the octets by the first layout that fits, or as far as the first one goes."""
        order = self.octets[0]
        if order > 1:
            self.add(0, len(self.octets), "byte_order", "unread", f"byte order must be 0 or 1, not {order}")
            return
        self.add(0, 1, "byte_order", "byte order", ByteOrder(order).name.lower())
        tried = [layout.explain(self.octets, ByteOrder(order), start=1, limits=_LIMITS) for layout in layouts]
        trace, error = next((each for each in tried if each[1] is None), tried[0])
        self.fields(trace, error)

    def fields(self, trace: list[Explained], error: DecodeError | None) -> None:
        at, tag = 1, 0
        for number, item in enumerate(trace):
            behind = item.offset + item.length
            following = trace[number + 1] if number + 1 < len(trace) else None
            if following is not None and item.offset <= following.offset < behind:
                continue  # its inside is told
            self.add(at, item.offset, item.path, "padding", "")
            if item.path.endswith("tag"):
                tag = item.value
            inside = _INSIDE.search(item.path)
            layouts = layouts_inside(inside[1], tag, item.value) if inside else []
            if layouts:
                path = f"{self.path}.{item.path}" if self.path and not item.path.startswith("[") else self.path + item.path
                _Reader(self.rows, item.value, self.base + item.offset, path).encapsulation(layouts)
            else:
                self.add(item.offset, behind, item.path, item.type, _text(item.path, item.value))
            at = max(at, behind)
        path = trace[-1].path if trace else ""
        self.add(at, len(self.octets), path, "unread", "left over" if error is None else display_text(error.reason))


def layouts_inside(holder: str, tag: int, octets: bytes) -> list[Codec]:
    """Return what an encapsulation may be laid out as; none if that is not known.

    Args:
        holder: `profile`, `component` or `context`, as in the name of the member that it is the value of.
        tag: number of the profile, component or service context.
        octets: of the encapsulation.
    """
    if not octets:
        return []
    if holder == "profile" and tag == ProfileId.TAG_INTERNET_IOP:
        return [codec(ProfileBody_1_0 if octets[2:3] == b"\0" else ProfileBody_1_1)]
    layouts = _REGISTRIES[holder].layouts(tag)
    return [layout.codec for layout in layouts if isinstance(layout, Encapsulated)]


def _text(path: str, value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return f'"{display(bytes(value))}"'
    if isinstance(value, str):
        return f'"{display_text(value)}"'
    field = path.rpartition(".")[2]
    name = None
    if field == "tag":
        name = profile_name(value) if path.startswith("profiles[") else component_name(value)
    elif isinstance(value, int):
        name = number_name(field.partition("[")[0], value)
    return display_text(f"{value} ({name})" if name else str(value))

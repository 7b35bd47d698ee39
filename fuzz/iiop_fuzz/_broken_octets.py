"""Octets of a declared type, broken in one place.

A breakage is a named function: it takes an encoded value and yields it broken, or nothing where there is nothing of the kind.

Invariant: whatever a breakage yields is refused by the codec of the type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from iiop.cdr import ByteOrder, Codec, Explained
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.typecode import TCKind, TypeCode

__all__ = ["BREAKAGES", "Breakage", "Octets", "named", "truncated"]

MOST = b"\xff\xff\xff\xff"


@dataclass(frozen=True)
class Octets:
    """Hold an encoded value, and where its fields are.

    Attributes:
        start: where the value begins.
        fields: as the construct engine explains them.
        intact: the value.
    """

    octets: bytes
    order: ByteOrder
    start: int
    fields: tuple[Explained, ...]
    intact: Any

    @classmethod
    def of(cls, layout: Codec, octets: bytes, order: ByteOrder, start: int, intact: Any) -> Octets:
        fields, _ = layout.explain(octets, order, start=start)
        return cls(octets, order, start, tuple(fields), intact)

    @property
    def end(self) -> int:
        """Return where the last field ends."""
        return max([field.offset + field.length for field in self.fields], default=self.start)

    def put(self, offset: int, octets: bytes) -> bytes:
        return self.octets[:offset] + octets + self.octets[offset + len(octets) :]

    def ulong(self, value: int) -> bytes:
        return value.to_bytes(4, "big" if self.order == 0 else "little")

    def counts(self, *kinds: str) -> Iterator[tuple[Explained, Explained | None]]:
        """Yield lengths, with the string or octets they belong to, or None where they count elements."""
        for field, behind in zip(self.fields, (*self.fields, None)[1:], strict=True):
            if not field.path.endswith("length") or field.type != "unsigned long":
                continue
            whole = field.path.removesuffix("length").removesuffix(".")
            belongs = behind if behind and behind.path == whole and behind.type in ("string", "sequence<octet>") else None
            if (belongs.type if belongs else "sequence") in kinds:
                yield field, belongs


Breakage = Callable[[Octets], Iterable[bytes]]
BREAKAGES: list[Breakage] = []


def _breakage(function: Breakage) -> Breakage:
    BREAKAGES.append(function)
    return function


@_breakage
def truncated(given: Octets) -> Iterator[bytes]:
    """End inside a field, or before one."""
    for field in given.fields:
        if field.length and field.offset >= given.start:
            yield given.octets[: field.offset]
            yield given.octets[: field.offset + field.length - 1]


@_breakage
def string_length_0(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("string"):
        yield given.put(length.offset, bytes(4))


@_breakage
def string_length_less_1(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("string"):
        yield given.put(length.offset, given.ulong(length.value - 1))


@_breakage
def string_length_0xffffffff(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("string"):
        yield given.put(length.offset, MOST)


@_breakage
def string_without_nul(given: Octets) -> Iterator[bytes]:
    for _, text in given.counts("string"):
        if text:
            yield given.put(text.offset + text.length - 1, b"x")


@_breakage
def string_with_embedded_nul(given: Octets) -> Iterator[bytes]:
    for _, text in given.counts("string"):
        if text and text.length > 1:
            yield given.put(text.offset + (text.length - 1) // 2, b"\0")


@_breakage
def octets_length_0xffffffff(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("sequence<octet>"):
        yield given.put(length.offset, MOST)


@_breakage
def count_0xffffffff(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("sequence"):
        if not _is_bound(length, given):
            yield given.put(length.offset, MOST)


@_breakage
def count_times_size_overflows(given: Octets) -> Iterator[bytes]:
    """Count as many elements as, times 4 or 8, are few in 32 bits."""
    for length, _ in given.counts("sequence"):
        if not _is_bound(length, given):
            yield given.put(length.offset, given.ulong(0x40000001))
            yield given.put(length.offset, given.ulong(0x20000001))


def _is_bound(length: Explained, given: Octets) -> bool:
    """Tell a bound or length in a TypeCode from a count: it has no elements behind it."""
    path = length.path.removesuffix("length").removesuffix(".")
    return path.endswith("parameters") or (length.value > 0 and not any(f.path.startswith(f"{path}[") for f in given.fields))


@_breakage
def boolean_2(given: Octets) -> Iterator[bytes]:
    for field in given.fields:
        if field.type == "boolean":
            yield given.put(field.offset, b"\2")


@_breakage
def union_label_unknown(given: Octets) -> Iterator[bytes]:
    for field in given.fields:
        if field.path.endswith("target.discriminator"):
            yield given.put(field.offset, b"\x07\x07")


@_breakage
def kind_of_type_unknown(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        yield given.put(given.start, given.ulong(37))
        yield given.put(given.start, given.ulong(0x7FFFFFFF))


@_breakage
def enum_out_of_range(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, CORBAAny) and given.intact.type.kind is TCKind.tk_enum:
        yield given.octets[:-4] + given.ulong(len(given.intact.type.members))
        yield given.octets[:-4] + MOST


@_breakage
def encapsulation_of_0_octets(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        for length, content in given.counts("sequence<octet>"):
            if content and length.offset == given.start + 4 and content.path.endswith("parameters"):
                yield given.octets[: length.offset] + bytes(4) + given.octets[content.offset + content.length :]


@_breakage
def encapsulation_of_byte_order_2(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        for length, content in given.counts("sequence<octet>"):
            if content and length.offset == given.start + 4 and content.path.endswith("parameters"):
                yield given.put(content.offset, b"\2")


@_breakage
def indirection_to_nowhere(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        for offset in (-4, 0, 4, -1_000_000, 0x7FFFFFFF, -0x80000000):
            octets = given.octets[: given.start] + MOST + given.ulong(offset & 0xFFFFFFFF)
            yield octets


G = TypeVar("G", bytes, str)
S = TypeVar("S")


def named(breakages: Iterable[Callable[[S], Iterable[G]]], given: S) -> Iterator[tuple[str, G]]:
    """Yield everything that breakages make of what is given, with their names."""
    for breakage in breakages:
        for broken in breakage(given):
            yield breakage.__name__, broken

"""The construct engine's leaves: numbers, characters, strings and octets, which have no parts of other types.

They know alignment, and nothing of what they stand in.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import construct

from iiop.cdr import types as t
from iiop.cdr.code_sets import ISO_8859_1, decode_text, encode_text
from iiop.cdr.long_double import Binary128, LongDoubleType, binary128
from iiop.cdr.source import Output, Remainder, Stream, refuse, shown, take
from iiop.cdr.types import ByteOrder
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.leniency import Leniency

__all__ = [
    "LongDoubleConstruct",
    "OctetArrayConstruct",
    "OctetSequenceConstruct",
    "PositionConstruct",
    "PrimitiveConstruct",
    "RestConstruct",
    "StringConstruct",
    "read_count",
]


class PrimitiveConstruct(construct.Construct):
    """Align before the value, then read or write it."""

    def __init__(self, declared: t.Primitive, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.struct = struct.Struct("><"[order] + declared.format)

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        at = stream.input.begin(self.declared.size, path)
        octets = take(stream, self.declared.size, path, self.declared.name)
        value: Any = self.struct.unpack(octets)[0]
        if self.declared is t.Boolean:
            if value > 1 and Leniency.JACORB_LAX_BOOLEAN not in stream.input.limits.leniency:
                stream.input.fail(f"boolean must be 0 or 1, not {value}", path, at)
            value = value > 0
        elif self.declared is t.Char:
            value = value.decode("latin-1")
        stream.input.note(at, path, self.declared.name, value)
        return value

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        value = obj
        if self.declared is t.Boolean:
            if obj not in (False, True):
                refuse(f"boolean must be True or False, not {shown(obj)}", path)
            value = int(obj)
        elif self.declared is t.Char:
            if not isinstance(obj, str) or len(obj) != 1:
                refuse(f"char must be one character, not {shown(obj)}", path)
            value = _characters(obj, ISO_8859_1, path)
        try:
            octets = self.struct.pack(value)
        except (struct.error, OverflowError, TypeError) as error:
            refuse(f"{shown(obj)} is no {self.declared.name}: {error}", path)
        stream.begin(self.declared.size)
        stream.write(octets)
        return obj


def _characters(text: str, code_set: int, path: str) -> bytes:
    try:
        return encode_text(text, code_set)
    except EncodeError as error:
        refuse(error, path)


class StringConstruct(construct.Construct):
    def __init__(self, declared: t.StringType, order: ByteOrder) -> None:
        super().__init__()
        self.bound = declared.bound
        self.code_set = ISO_8859_1 if declared.code_set is None else declared.code_set
        self.length = PrimitiveConstruct(t.ULong, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> str:
        length = read_count(self.length, stream, context, path)
        at = stream.tell()
        if length == 0:
            if Leniency.JACORB_NULL_STRING in stream.input.limits.leniency:
                stream.input.note(at, path, "string", "")
                return ""
            stream.input.fail("string of length 0 (the terminating NUL counts)", path, at)
        stream.input.check("string_length", length - 1, path, at)
        if self.bound is not None and length - 1 > self.bound and self.code_set == ISO_8859_1:
            stream.input.fail(f"{length - 1} characters in a string<{self.bound}>", path, at)
        octets = take(stream, length, path, "string")
        if octets[-1]:
            stream.input.fail("string does not end with NUL", path, at + length - 1)
        try:
            value = decode_text(octets[:-1], self.code_set)
        except DecodeError as error:
            stream.input.fail(error, path, at + (error.offset or 0))
        if "\0" in value:
            stream.input.fail("string contains NUL", path, at + octets.index(0))
        if self.bound is not None and len(value) > self.bound:
            stream.input.fail(f"{len(value)} characters in a string<{self.bound}>", path, at)
        stream.input.note(at, path, "string", value)
        return value

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        if not isinstance(obj, str):
            refuse(f"string must be str, not {type(obj).__name__}", path)
        if "\0" in obj:
            refuse("string contains NUL", path)
        if self.bound is not None and len(obj) > self.bound:
            refuse(f"{len(obj)} characters in a string<{self.bound}>", path)
        octets = _characters(obj, self.code_set, path)
        self.length._build(len(octets) + 1, stream, context, path)
        stream.write(octets + b"\0")
        stream.end_array()
        return obj


def read_count(length: PrimitiveConstruct, stream: Stream, context: Any, path: str) -> int:
    value = length._parse(stream, context, f"{path} -> length")
    assert isinstance(value, int)
    return value


def _octets(obj: Any, path: str) -> bytes:
    if not isinstance(obj, bytes | bytearray | memoryview):
        refuse(f"octets must be bytes, not {type(obj).__name__}", path)
    try:
        return bytes(obj)
    except ValueError as error:
        refuse(f"octets cannot be read: {error}", path)


class OctetSequenceConstruct(construct.Construct):
    def __init__(self, declared: t.OctetSequenceType, order: ByteOrder) -> None:
        super().__init__()
        self.bound = declared.bound
        self.view = declared.view
        self.length = PrimitiveConstruct(t.ULong, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> bytes | memoryview:
        length = read_count(self.length, stream, context, path)
        at = stream.tell()
        stream.input.check("sequence_length", length, path, at)
        if self.bound is not None and length > self.bound:
            stream.input.fail(f"{length} octets in a sequence<octet, {self.bound}>", path, at)
        value = take(stream, length, path, "sequence<octet>")
        stream.input.note(at, path, "sequence<octet>", value)
        return memoryview(stream.input.octets)[at : at + length] if self.view else value

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        octets = _octets(obj, path)
        if self.bound is not None and len(octets) > self.bound:
            refuse(f"{len(octets)} octets in a sequence<octet, {self.bound}>", path)
        self.length._build(len(octets), stream, context, path)
        stream.write(octets)
        stream.end_array()
        return obj


class OctetArrayConstruct(construct.Construct):
    def __init__(self, declared: t.OctetArray, order: ByteOrder) -> None:
        super().__init__()
        self.length = declared.length

    def _parse(self, stream: Stream, context: Any, path: str) -> bytes:
        at = stream.input.begin(1, path) if self.length else stream.tell()
        value = take(stream, self.length, path, f"octet[{self.length}]")
        stream.input.note(at, path, f"octet[{self.length}]", value)
        return value

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        octets = _octets(obj, path)
        if len(octets) != self.length:
            refuse(f"{len(octets)} octets in an octet[{self.length}]", path)
        if octets:
            stream.begin(1)
            stream.write(octets)
            stream.end_array()
        return obj


class PositionConstruct(construct.Construct):
    """Read where it stands, and write nothing."""

    def __init__(self, declared: t.Position, order: ByteOrder) -> None:
        super().__init__()

    def _parse(self, stream: Stream, context: Any, path: str) -> int:
        return stream.tell()

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        return obj


class RestConstruct(construct.Construct):
    """Leave the rest to others."""

    def __init__(self, declared: t.Rest, order: ByteOrder) -> None:
        super().__init__()
        self.order = order

    def _parse(self, stream: Stream, context: Any, path: str) -> Remainder:
        source, at = stream.input, stream.tell()
        left = dataclasses.replace(source.limits, nesting=source.limits.nesting - source.depth)
        stream.seek(len(source.octets))
        return Remainder(source.octets, at, self.order, left)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        refuse("what was not read is not written", path)


class LongDoubleConstruct(construct.Construct):
    """Read and write both halves of a long double, of which the byte order tells the first."""

    def __init__(self, declared: LongDoubleType, order: ByteOrder) -> None:
        super().__init__()
        self.struct = struct.Struct("><"[order] + "QQ")
        self.order = order

    def _parse(self, stream: Stream, context: Any, path: str) -> Binary128:
        at = stream.input.begin(8, path)
        halves = self.struct.unpack(take(stream, 16, path, "long double"))
        value = Binary128.of_halves(*(halves if self.order is ByteOrder.BIG else halves[::-1]))
        stream.input.note(at, path, "long double", value)
        return value

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        try:
            halves = binary128(obj).halves
        except (TypeError, ValueError, OverflowError) as error:
            refuse(f"{shown(obj)} is no long double: {error}", path)
        stream.begin(8)
        stream.write(self.struct.pack(*(halves if self.order is ByteOrder.BIG else halves[::-1])))
        return obj

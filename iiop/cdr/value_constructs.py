"""How values lie on the wire: headers, shared references, chunks. The one implementation of it, for the construct engine.

A value is introduced by a tag whose low octet says what stands behind it: a codebase URL (1), the repository id of its type (2)
or a list of them (6), and whether its state comes in chunks (8), so that whoever does not know the type can skip them. 0 is null,
and 0xffffffff mentions a value that came before; texts of headers are mentioned the same way. Chunks end where a value inside
begins; null and mentions lie in a chunk. An end tag is minus how many chunked values are around, and ends those inside, too.

omniORB counts the padding before a value that begins to the chunk that ends, so padding at the end of a chunk is no state.
A value that ends where one inside of it does takes over the end tag of that: omniORB reads no two in a row.

Source: CORBA 3.3 part 2, clause 9.3.4.1 to 9.3.4.6.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import construct

from iiop.cdr import types as t
from iiop.cdr.codegen import Interpreted
from iiop.cdr.construct_leaves import PrimitiveConstruct, StringConstruct
from iiop.cdr.source import Input, Output, Stream, refuse, shown
from iiop.cdr.types import ByteOrder, CDRType
from iiop.cdr.value_types import CustomState, Value, ValueHeader, ValueType
from iiop.exceptions.errors import TruncatedError

__all__ = ["ValueConstruct"]

NULL, MENTION, LAST_END = 0, 0xFFFFFFFF, 0x80000000
FIRST_TAG, LAST_TAG = 0x7FFFFF00, 0x7FFFFFFF
CODEBASE, ONE_ID, IDS, CHUNKED = 1, 2, 6, 8
SKIPPED = object()
"""Stands for a value inside of what was skipped."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Hold a value, maybe incomplete as yet, and what it was read as."""

    value: Any
    type: ValueType


class _Tags:
    """Read and write what stands between chunks, and texts that may be mentioned."""

    def __init__(self, order: ByteOrder) -> None:
        self.order = order
        self.spelled: Literal["big", "little"] = "big" if order is ByteOrder.BIG else "little"
        self.tag = PrimitiveConstruct(t.ULong, order)
        self.number = PrimitiveConstruct(t.Long, order)
        self.string = StringConstruct(t.String, order)

    def peek(self, source: Input) -> int:
        """Return the tag that comes next, 0 where there are no octets for one."""
        at = source.stream.tell()
        at += -at % 4
        return int.from_bytes(source.octets[at : at + 4].ljust(4, b"\0"), self.spelled)

    def mentioned(self, stream: Stream, path: str, kind: type) -> Any:
        """Read a mention of what came before; `kind` is that of what it must be."""
        at = stream.input.begin(4, path)
        self.tag._parse(stream, None, f"{path} -> mention")
        offset = self.number._parse(stream, None, f"{path} -> offset")
        target = stream.tell() - 4 + offset
        found = stream.input.values.get(target)
        if found is SKIPPED:
            stream.input.fail(f"mention of the value at {target}, which was in what is not known here and skipped", path, at)
        if not isinstance(found, kind):
            stream.input.fail(f"mention of offset {target}, where no such thing began", path, at)
        return found

    def text(self, stream: Stream, path: str) -> str:
        if self.peek(stream.input) == MENTION:
            found = self.mentioned(stream, path, str)
            assert isinstance(found, str)
            return found
        at = stream.input.begin(4, path)
        text = stream.input.values[at] = self.string._parse(stream, None, path)
        return text

    def texts(self, stream: Stream, path: str) -> tuple[str, ...]:
        source = stream.input
        if self.peek(source) == MENTION:
            found = self.mentioned(stream, path, tuple)
            assert isinstance(found, tuple)
            return found
        at = source.begin(4, path)
        count = self.tag._parse(stream, None, f"{path} -> length")
        source.check("nesting", count, path, at)
        if not count:
            source.fail("a list of no repository ids", path, at)
        texts = source.values[at] = tuple([self.text(stream, f"{path}[{i}]") for i in range(count)])
        return texts

    def header(self, stream: Stream, tag: int, at: int, path: str) -> ValueHeader:
        """Read what stands between a tag and the state."""
        if tag & 0xF0 or tag & IDS == IDS - ONE_ID:
            stream.input.fail(f"value tag {tag:#x} says what is not defined", path, at)
        codebase = self.text(stream, f"{path} -> codebase") if tag & CODEBASE else None
        ids: str | tuple[str, ...] | None = None
        if tag & IDS:
            read = self.texts if tag & IDS == IDS else self.text
            ids = read(stream, f"{path} -> repository_id")
        return ValueHeader(codebase, ids, bool(tag & CHUNKED))

    def write_mention(self, stream: Output, position: int) -> None:
        self.tag._build(MENTION, stream, None, "")
        self.number._build(position - stream.tell(), stream, None, "")

    def write_text(self, text: str, kind: str, stream: Output, path: str) -> None:
        if self._write_known(text, kind, stream):
            self.string._build(text, stream, None, path)

    def write_texts(self, texts: tuple[str, ...], stream: Output, path: str) -> None:
        if self._write_known(texts, "ids", stream):
            self.tag._build(len(texts), stream, None, path)
            for text in texts:
                self.write_text(text, "id", stream, path)

    def _write_known(self, written: str | tuple[str, ...], kind: str, stream: Output) -> bool:
        """Mention what was written before; return whether it has yet to be written."""
        position = stream.values.get((kind, written))
        if position is not None:
            self.write_mention(stream, position)
            return False
        stream.begin(4)
        stream.values[kind, written] = stream.tell()
        return True


_tags = functools.cache(_Tags)


class _Chunks:
    """Follow the chunks of one value; `end` is where the open one ends, or where it would if it had no octets."""

    def __init__(self, source: Input, tags: _Tags, level: int) -> None:
        self.source = source
        self.tags = tags
        self.level = level
        self.end = source.stream.tell()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Be between chunks, at the end of the open one."""
        self.source.stream.seek(self.end)
        self.source.chunks = None
        yield
        self.source.chunks = self

    def open(self, path: str) -> None:
        """Go into the next chunk."""
        with self.outside():
            at = self.source.begin(4, path)
            size = self.tags.tag._parse(self.source.stream, None, f"{path} -> chunk")
            self.end = _chunk_end(self.source, size, at, path)


def _chunk_end(source: Input, size: int, at: int, path: str) -> int:
    """Return where a chunk ends whose size was just read."""
    if not 0 < size < FIRST_TAG:
        what = "a value begins" if FIRST_TAG <= size <= LAST_TAG else f"the tag {size:#x} stands"
        source.fail(f"{what} where more state is needed", path, at)
    begin = source.stream.tell()
    if size > len(source.octets) - begin:
        reason = f"a chunk of {size} octets, {len(source.octets) - begin} are left"
        source.fail(reason, path, at, TruncatedError)
    return begin + size


class ValueConstruct(construct.Construct):
    """Read and write a value."""

    def __init__(
        self, declared: ValueType, order: ByteOrder, construct_of: Callable[[CDRType, ByteOrder], construct.Construct]
    ) -> None:
        super().__init__()
        self.declared = declared
        self.order = order
        self.tags = _tags(order)
        self.construct_of = construct_of

    def _member(self, kind: CDRType) -> construct.Construct:
        return self.construct_of(self.declared.spoken(kind), self.order)

    # reading

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        source = stream.input
        if not source.whole:
            raise Interpreted
        tag, at = self._tag(stream, path)
        if tag == NULL:
            return None
        if tag == MENTION:
            seen = self.tags.mentioned(stream, path, _Seen)
            if not self.declared.admits(seen.value, seen.type):
                source.fail(f"mention of a {seen.type.repository_id!r}, which is no {self.declared.repository_id!r}", path, at)
            return seen.value
        if not FIRST_TAG <= tag <= LAST_TAG:
            source.fail(f"{tag:#x} is no value tag", path, at)
        outer = source.chunks
        source.chunks = None
        header = self.tags.header(stream, tag, at, path)
        if isinstance(outer, _Chunks) and not header.chunked:
            source.fail("a value inside of a chunked one must be chunked", path, at)
        level = outer.level + 1 if isinstance(outer, _Chunks) else 1
        actual, header, truncated = self._actual(header, source, path, at)
        value = actual.implementation.__new__(actual.implementation)
        value._header = header
        source.values[at] = _Seen(value, actual)
        with source.nested(path, at):
            if actual.custom:
                value.state = self._custom_state(stream, level, path)  # type: ignore[attr-defined]
            else:
                self._state(value, actual, stream, level, truncated, context, path)
        if header.chunked:
            self._end(stream, level, outer, path)
        source.chunks = outer
        return value

    def _tag(self, stream: Stream, path: str) -> tuple[int, int]:
        """Read the tag, unless it is that of a mention, and return where it stands, too.

        Null and mentions are in a chunk, what introduces a value is not.
        """
        source = stream.input
        chunks = source.chunks
        at = stream.tell()
        if isinstance(chunks, _Chunks) and at + -at % 4 >= chunks.end:
            with chunks.outside():
                if FIRST_TAG <= self.tags.peek(source) <= LAST_TAG:
                    at = source.begin(4, path)
                    return self.tags.tag._parse(stream, None, f"{path} -> tag"), at
        at = source.begin(4, path)
        tag = self.tags.peek(source)
        if tag == MENTION:
            return tag, at
        tag = self.tags.tag._parse(stream, None, f"{path} -> tag")
        if chunks is not None and tag != NULL:
            source.fail(f"{tag:#x} in a chunk is neither null nor the mention of a value", path, at)
        return tag, at

    def _actual(self, header: ValueHeader, source: Input, path: str, at: int) -> tuple[ValueType, ValueHeader, bool]:
        """Return the type to read, the header as it is of that, and whether it is a base that the value is truncated to."""
        given = header.repository_ids
        ids = (given,) if isinstance(given, str) else given or (self.declared.repository_id,)
        try:
            index, actual = source.values.get((self.declared, ids)) or self._known(ids)
        except ValueError as error:
            source.fail(str(error), path, at)
        source.values[self.declared, ids] = index, actual
        if actual is None or (index and not header.chunked):
            told = ", ".join(map(repr, ids[:4]))
            source.fail(f"value type {told} is not known here as one of {self.declared.repository_id!r}", path, at)
        if actual.abstract:
            source.fail(f"a value of {actual.repository_id!r}, which is abstract", path, at)
        if actual.custom and not header.chunked:
            source.fail(f"custom state of {actual.repository_id!r} that is not chunked: nobody knows where it ends", path, at)
        if index and isinstance(given, tuple):
            header = ValueHeader(header.codebase, given[index:], header.chunked)
        return actual, header, index > 0

    def _known(self, ids: tuple[str, ...]) -> tuple[int, ValueType | None]:
        """Return the first of the types that is known, and which it is; looked for once a message, however often it comes."""
        types = ((index, self.declared.known(repository_id)) for index, repository_id in enumerate(ids))
        return next((found for found in types if found[1] is not None), (0, None))

    def _state(
        self, value: Value, actual: ValueType, stream: Stream, level: int, truncated: bool, context: Any, path: str
    ) -> None:
        source = stream.input
        assert value._header is not None
        chunks = _Chunks(source, self.tags, level) if value._header.chunked else None
        source.chunks = chunks
        for name, kind in actual.fields:
            setattr(value, name, self._member(kind)._parse(stream, context, f"{path} -> {name}"))
        if chunks is None:
            return
        at, source.chunks = stream.tell(), None
        if truncated:
            stream.seek(chunks.end)
            self._skip(stream, level, path)
        elif at + -at % 4 < chunks.end:
            source.fail(f"{chunks.end - at} octets left over in a chunk", path, at)

    def _custom_state(self, stream: Stream, level: int, path: str) -> CustomState:
        start = stream.input.begin(4, path)
        self._skip(stream, level, path)
        octets = stream.input.octets[start : stream.tell()]
        stream.input.note(start, f"{path} -> state", "custom state", octets)
        return CustomState(octets, self.order, start % 8, level)

    def _skip(self, stream: Stream, level: int, path: str) -> None:
        """Go to the end tag of the chunked value of that level, over chunks and values inside of it."""
        source = stream.input
        inside = level
        while True:
            before, next_tag = stream.tell(), self.tags.peek(source)
            if next_tag >= LAST_END and MENTION + 1 - next_tag <= level:
                return
            at = source.begin(4, path)
            tag = self.tags.tag._parse(stream, None, f"{path} -> tag")
            if FIRST_TAG <= tag <= LAST_TAG:
                if not self.tags.header(stream, tag, at, path).chunked:
                    source.fail("a value inside of a chunked one must be chunked", path, at)
                source.values[at] = SKIPPED
                inside += 1
                source.check("nesting", source.depth + inside - level, path, at)
            elif tag < FIRST_TAG:
                stream.seek(_chunk_end(source, tag, at, path))
            elif MENTION + 1 - tag > inside:
                source.fail(f"end tag {tag - MENTION - 1} where {inside} values are open", path, before)
            else:
                inside = MENTION - tag

    def _end(self, stream: Stream, level: int, outer: Any, path: str) -> None:
        """Read the end tag, or leave it to the value around if it is for that, too."""
        if self.tags.peek(stream.input) <= MENTION + 1 - level:
            at = stream.input.begin(4, path)
            tag = self.tags.number._parse(stream, None, f"{path} -> end")
            if tag != -level:
                stream.input.fail(f"the tag {tag:#x} where {level} chunked values end", path, at)
        if outer is not None:
            outer.end = stream.tell()

    # writing

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        if not stream.whole:
            raise Interpreted
        if obj is None:
            self.tags.tag._build(NULL, stream, context, path)
            return obj
        actual = self.declared.type_of(obj)
        if id(obj) in stream.values:
            position, written, _ = stream.values[id(obj)]
            if not self.declared.admits(obj, written):
                refuse(f"a value written as {written.repository_id!r} before is no {self.declared.repository_id!r}", path)
            self.tags.write_mention(stream, position)
            return obj
        if actual is None or actual.abstract:
            refuse(f"{shown(obj)} is no value of {self.declared.repository_id!r}", path)
        header = self._header(obj, actual, stream)
        level = stream.level
        stream.end_chunk()
        stream.level = 0
        self._write_header(header, obj, actual, stream, path)
        stream.level = level + 1 if header.chunked else 0
        if actual.custom:
            self._write_custom_state(getattr(obj, "state", None), stream, path)
        for name, kind in () if actual.custom else actual.fields:
            if not hasattr(obj, name):
                refuse(f"{type(obj).__name__} is no {actual.repository_id!r}: it has no {name}", path)
            self._member(kind)._build(getattr(obj, name), stream, context, f"{path} -> {name}")
        if header.chunked:
            stream.end_chunk()
            stream.level = 0
            if stream.tell() == stream.ended:
                stream.seek(-4, io.SEEK_END)
            self.tags.number._build(-level - 1, stream, context, path)
            stream.ended = stream.tell()
        stream.level = level
        return obj

    def _header(self, obj: Any, actual: ValueType, stream: Output) -> ValueHeader:
        """Return the header to write: the one that was read where that fits, or as little as tells the type."""
        given = getattr(obj, "_header", None)
        header = given if isinstance(given, ValueHeader) else ValueHeader(None, actual.repository_ids)
        ids = header.repository_ids
        told = self.declared.repository_id if ids is None else ids if isinstance(ids, str) else ids[0]
        if told != actual.repository_id:
            ids = actual.repository_ids
        chunked = header.chunked or stream.level > 0 or actual.custom or isinstance(actual.repository_ids, tuple)
        return ValueHeader(header.codebase, ids, chunked)

    def _write_header(self, header: ValueHeader, obj: Any, actual: ValueType, stream: Output, path: str) -> None:
        codebase, ids = header.codebase, header.repository_ids
        kind = 0 if ids is None else ONE_ID if isinstance(ids, str) else IDS
        stream.begin(4)
        stream.values[id(obj)] = stream.tell(), actual, obj
        tag = FIRST_TAG | kind | (codebase is not None) * CODEBASE | header.chunked * CHUNKED
        self.tags.tag._build(tag, stream, None, path)
        if codebase is not None:
            self.tags.write_text(codebase, "codebase", stream, path)
        if isinstance(ids, str):
            self.tags.write_text(ids, "id", stream, path)
        elif ids is not None:
            self.tags.write_texts(ids, stream, path)

    def _write_custom_state(self, state: Any, stream: Output, path: str) -> None:
        if not isinstance(state, CustomState):
            refuse(f"the state of a custom value is a CustomState, not {type(state).__name__}", path)
        stream.write(bytes(-stream.tell() % 4))
        here = (self.order, stream.tell() % 8, stream.level)
        if (state.byte_order, state.phase, state.level) != here:
            refuse("custom state means something only at the alignment, nesting and byte order it was read in", path)
        stream.write(state.octets)

"""The construct engine: a declaration becomes `construct` objects, one set per byte order.

It is slow and it knows everything: the path of every field, the offset of every octet. It explains (annotated dumps), it is the
oracle the compiled engine is tested against, and it words every refusal, for the compiled engine only notices that something is
wrong and asks here what. It must not know messages, references or sockets.

Of construct only `Construct`, `Struct` and `Renamed` are used: its `Aligned`, `Prefixed`, `PascalString` and the like pad after
the field or count offsets from two origins. Alignment here is counted from the first octet of the stream, and an encapsulation
opens a stream of its own.
"""

from __future__ import annotations

import array
import contextlib
import functools
import importlib
import struct
from typing import Any, Literal

import construct

from iiop.cdr import types as t
from iiop.cdr.construct_leaves import (
    LongDoubleConstruct,
    OctetArrayConstruct,
    OctetSequenceConstruct,
    PositionConstruct,
    PrimitiveConstruct,
    RestConstruct,
    StringConstruct,
    read_count,
)
from iiop.cdr.long_double import LongDoubleType
from iiop.cdr.source import Input, Output, Stream, readable, refuse, shown, take
from iiop.cdr.types import ByteOrder, CDRType
from iiop.cdr.value_constructs import ValueConstruct
from iiop.cdr.value_types import ValueType
from iiop.exceptions.errors import CodecError, DecodeError, EncodeError, TruncatedError
from iiop.leniency import Leniency

__all__ = ["build", "construct_of", "parse"]


def _elements(obj: Any, path: str) -> tuple[Any, ...]:
    elements: tuple[Any, ...] | None = None
    if not isinstance(obj, str | bytes) and hasattr(obj, "__len__"):
        with contextlib.suppress(TypeError, ValueError):  # a class has a length, and a memoryview may be released
            elements = tuple(obj)
    if elements is None:
        refuse(f"a sequence or array must be a tuple or list, not {type(obj).__name__}", path)
    return elements


class _Sequence(construct.Construct):
    def __init__(self, declared: t.Sequence, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.order = order
        self.length = PrimitiveConstruct(t.ULong, order)
        self.element = construct_of(declared.element, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        count = read_count(self.length, stream, context, path)
        at = stream.tell()
        stream.input.check(self.declared.limit, count, path, at)
        if self.declared.bound is not None and count > self.declared.bound:
            stream.input.fail(f"{count} elements in a sequence bounded by {self.declared.bound}", path, at)
        left = len(stream.input.octets) - at
        if count > left // self.declared.element.min_size:
            reason = f"{count} elements of at least {self.declared.element.min_size} octets, {left} octets are left"
            stream.input.fail(reason, path, at, TruncatedError)
        if self.declared.buffer is not None:
            return self._parse_buffer(count, stream, path)
        return tuple(self.element._parse(stream, context, f"{path}[{i}]") for i in range(count))

    def _parse_buffer(self, count: int, stream: Stream, path: str) -> Any:
        """Read numbers by their bits, for a NaN read as a number may come out as another NaN."""
        element, order = self.declared.element, "><"[self.order]
        assert isinstance(element, t.Primitive)
        at = stream.input.begin(element.size, path) if count else stream.tell()
        bits = f"{count}{_BITS[element.size]}"
        octets = take(stream, count * element.size, path, f"sequence<{element.name}>")
        values: Any = array.array(element.format, struct.pack(f"={bits}", *struct.unpack(order + bits, octets)))
        if self.declared.buffer == "numpy":
            values = importlib.import_module("numpy").array(values)
            values.flags.writeable = False
        stream.input.note(at, path, f"sequence<{element.name}>", values)
        return values

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        if self.declared.buffer is not None and (view := _buffer(obj, path)) is not None:
            return self._build_buffer(view, stream, context, path)
        values = _elements(obj, path)
        if self.declared.bound is not None and len(values) > self.declared.bound:
            refuse(f"{len(values)} elements in a sequence bounded by {self.declared.bound}", path)
        self.length._build(len(values), stream, context, path)
        for i, value in enumerate(values):
            self.element._build(value, stream, context, f"{path}[{i}]")
        stream.end_array()
        return obj

    def _build_buffer(self, view: memoryview, stream: Output, context: Any, path: str) -> Any:
        element = self.declared.element
        assert isinstance(element, t.Primitive)
        if view.ndim != 1:
            refuse(f"a buffer of {view.ndim} dimensions is no sequence", path)
        given, item = view.format[:-1], view.format[-1:]
        if given not in ("", "@", "=", "<", ">", "!") or item not in _items_like(element) or view.itemsize != element.size:
            refuse(f"a buffer of items {view.format!r} of {view.itemsize} octets is no sequence<{element.name}>", path)
        if self.declared.bound is not None and len(view) > self.declared.bound:
            refuse(f"{len(view)} elements in a sequence bounded by {self.declared.bound}", path)
        self.length._build(len(view), stream, context, path)
        bits = f"{len(view)}{_BITS[element.size]}"
        values = struct.unpack((given if given in ("<", ">", "!") else "=") + bits, view.tobytes())
        if values:
            stream.begin(element.size)
            stream.write(struct.pack("><"[self.order] + bits, *values))
        stream.end_array()
        return view


_SPELLED: dict[ByteOrder, Literal["big", "little"]] = {ByteOrder.BIG: "big", ByteOrder.LITTLE: "little"}
_BITS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _items_like(element: t.Primitive) -> str:
    """Return the format characters of items that are such numbers, if their size is right, too."""
    return next(codes for codes in ("bhilqn", "BHILQN", "fd") if element.format in codes)


def _buffer(obj: Any, path: str) -> memoryview | None:
    """Return the buffer that a value is, None if it is none."""
    try:
        return memoryview(obj)
    except TypeError:
        return None
    except (ValueError, BufferError) as error:
        refuse(f"the buffer cannot be read: {error}", path)


class _Array(construct.Construct):
    def __init__(self, declared: t.Array, order: ByteOrder) -> None:
        super().__init__()
        self.length = declared.length
        self.element = construct_of(declared.element, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> tuple[Any, ...]:
        return tuple(self.element._parse(stream, context, f"{path}[{i}]") for i in range(self.length))

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        values = _elements(obj, path)
        if len(values) != self.length:
            refuse(f"{len(values)} elements in an array of {self.length}", path)
        for i, value in enumerate(values):
            self.element._build(value, stream, context, f"{path}[{i}]")
        stream.end_array()
        return obj


class _Enum(construct.Construct):
    def __init__(self, declared: t.Enum, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.cls = declared.cls
        self.number = PrimitiveConstruct(t.ULong, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        value = self.number._parse(stream, context, path)
        try:
            return self.cls(value)
        except ValueError:
            stream.input.fail(f"{value} is no {self.cls.__name__}", path, stream.tell() - 4)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        if not self.declared.open:
            try:
                obj = int(self.cls(obj))
            except ValueError:
                refuse(f"{shown(obj)} is no {self.cls.__name__}", path)
        return self.number._build(obj, stream, context, path)


class _Encapsulation(construct.Construct):
    def __init__(self, declared: t.Encapsulation, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.order = order
        self.octets = OctetSequenceConstruct(t.OctetSequence, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        octets = self.octets._parse(stream, context, path)
        assert isinstance(octets, bytes)
        inner = stream.input.inner(octets, stream.tell() - len(octets))
        first = take(inner.stream, 1, path, "byte order of an encapsulation")[0]
        if first > 1:
            inner.fail(f"byte order of an encapsulation must be 0 or 1, not {first}", path, 0)
        leniency = stream.input.limits.leniency
        if first != self.order and Leniency.JDK_BYTE_ORDER not in leniency:
            inner.fail(f"an encapsulation in byte order {ByteOrder(first).name} where {self.order.name} is around it", path, 0)
        value = construct_of(self.declared.content, ByteOrder(first))._parse(inner.stream, context, path)
        at = inner.stream.tell()
        if at != len(octets) and Leniency.OMNIORB_GARBAGE_AT_END not in leniency:
            inner.fail(f"{len(octets) - at} octets left over in an encapsulation", path, at)
        return value

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        inner = Output(_SPELLED[self.order])
        inner.write(bytes([self.order]))
        construct_of(self.declared.content, self.order)._build(obj, inner, context, path)
        self.octets._build(inner.getvalue(), stream, context, path)
        return obj


class _Switch(construct.Construct):
    def __init__(self, declared: t.Switch, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.arms = {label: arm and construct_of(arm, order) for label, arm in declared.cases.items()}
        self.default = construct_of(declared.default, order) if isinstance(declared.default, CDRType) else None

    def _arm(self, context: Any) -> Any:
        """Return the construct of the arm, None where there is none, or `Switch.REFUSE`."""
        label = context[self.declared.on]
        if label in self.arms:
            return self.arms[label]
        return t.Switch.REFUSE if self.declared.default == t.Switch.REFUSE else self.default

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        arm = self._arm(context)
        if arm == t.Switch.REFUSE:
            stream.input.fail(f"no case for {self.declared.on} = {context[self.declared.on]!r}", path, stream.tell())
        return None if arm is None else arm._parse(stream, context, path)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        arm = self._arm(context)
        if arm == t.Switch.REFUSE:
            refuse(f"no case for {self.declared.on} = {shown(context[self.declared.on])}", path)
        if arm is not None:
            arm._build(obj, stream, context, path)
        elif obj is not None:
            refuse(f"{self.declared.on} = {shown(context[self.declared.on])} has no arm, its value must be None", path)
        return obj


class _Recursive(construct.Construct):
    def __init__(self, declared: t.Recursive, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.order = order

    @functools.cached_property
    def content(self) -> construct.Construct:
        return construct_of(self.declared.make(), self.order)

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        with stream.input.nested(path, stream.tell()):
            return self.content._parse(stream, context, path)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        return self.content._build(obj, stream, context, path)


class _Dependent(construct.Construct):
    def __init__(self, declared: t.Dependent, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.order = order

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        try:
            kind = self.declared.choose(context[self.declared.on])
        except ValueError as error:
            stream.input.fail(str(error), path, stream.tell())
        with stream.input.nested(path, stream.tell()):
            return construct_of(kind, self.order)._parse(stream, context, path)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        try:
            kind = self.declared.choose(context[self.declared.on])
        except (ValueError, TypeError, AttributeError) as error:
            refuse(str(error), path)
        return construct_of(kind, self.order)._build(obj, stream, context, path)


class _Adapted(construct.Construct):
    def __init__(self, declared: t.Adapted, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.layout = construct_of(declared.layout, order)

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        at = stream.tell()
        value = self.layout._parse(stream, context, path)
        try:
            return self.declared.decode(value)
        except ValueError as error:
            stream.input.fail(error, path, at)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        try:
            value = self.declared.encode(obj)
        except (ValueError, TypeError, AttributeError) as error:
            refuse(error, path)
        self.layout._build(value, stream, context, path)
        return obj


class _Struct(construct.Construct):
    """Turn what `construct.Struct` reads into an instance of the declared class, and back."""

    def __init__(self, declared: t.Struct, order: ByteOrder) -> None:
        super().__init__()
        self.declared = declared
        self.names = [member.name for member in declared.fields]
        self.members = construct.Struct(*[name / construct_of(kind, order) for name, kind in declared.fields])

    def _parse(self, stream: Stream, context: Any, path: str) -> Any:
        at = stream.tell()
        container = self.members._parse(stream, context, path)
        values = [container[name] for name in self.names]
        if self.declared.cls is None:
            return tuple(values)
        try:
            return self.declared.make(*values)
        except (ValueError, TypeError) as error:
            stream.input.fail(str(error), path, at)

    def _build(self, obj: Any, stream: Output, context: Any, path: str) -> Any:
        if self.declared.cls is None:
            if type(obj) not in (tuple, list) or len(obj) != len(self.names):
                refuse(f"{self.declared.name} takes {len(self.names)} values ({', '.join(self.names)})", path)
            members = dict(zip(self.names, obj, strict=True))
        else:
            missing = [name for name in self.names if not hasattr(obj, name)]
            if missing:
                refuse(f"{type(obj).__name__} is no {self.declared.name}: it has no {missing[0]}", path)
            members = {name: getattr(obj, name) for name in self.names}
        self.members._build(members, stream, context, path)
        return obj


@functools.singledispatch
def _make(declared: CDRType, order: ByteOrder) -> construct.Construct:
    raise TypeError(f"no construct for {declared!r}")


for _declared, _construct in (
    (t.Primitive, PrimitiveConstruct),
    (LongDoubleType, LongDoubleConstruct),
    (t.StringType, StringConstruct),
    (t.OctetSequenceType, OctetSequenceConstruct),
    (t.OctetArray, OctetArrayConstruct),
    (t.Sequence, _Sequence),
    (t.Array, _Array),
    (t.Enum, _Enum),
    (t.Encapsulation, _Encapsulation),
    (t.Switch, _Switch),
    (t.Recursive, _Recursive),
    (t.Dependent, _Dependent),
    (t.Adapted, _Adapted),
    (t.Position, PositionConstruct),
    (t.Rest, RestConstruct),
    (t.Struct, _Struct),
):
    _make.register(_declared, _construct)


@_make.register
def _(declared: ValueType, order: ByteOrder) -> construct.Construct:
    return ValueConstruct(declared, order, construct_of)


@functools.lru_cache(maxsize=4096)
def construct_of(declared: CDRType, order: ByteOrder) -> construct.Construct:
    """Return the construct that reads and writes the declared type in one byte order."""
    return _make(declared, order)


def parse(declared: CDRType, source: Input, order: ByteOrder) -> tuple[Any, int]:
    """Read one value from the start position of the source.

    Returns:
        The value, and the offset behind it.

    Raises:
        DecodeError: with path and offset.
    """
    try:
        value = construct_of(declared, order).parse_stream(source.stream)
    except CodecError:
        raise
    except construct.ConstructError as error:
        raise DecodeError(str(error), path=readable(error.path or "")) from error
    except RecursionError:
        raise DecodeError("nested deeper than this process can follow; a lower Limits.nesting says so earlier") from None
    return value, source.stream.tell()


def build(declared: CDRType, value: Any, order: ByteOrder, start: int = 0, *, whole: bool = True) -> bytes:
    """Write one value as it stands `start` octets behind the origin of alignment.

    Args:
        declared: its type.
        value: to write.
        order: of the octets.
        start: octets before it.
        whole: whether it is all that is written; a part is not written if it holds values of value types.

    Raises:
        Interpreted: such a part.
        EncodeError: the value does not fit; with path.
    """
    stream = Output(_SPELLED[order], bytes(start), whole)
    stream.seek(start)
    try:
        construct_of(declared, order).build_stream(value, stream)
    except CodecError:
        raise
    except construct.ConstructError as error:
        raise EncodeError(str(error), path=readable(error.path or "")) from error
    except RecursionError:
        raise EncodeError("nested deeper than this process can follow") from None
    return stream.getvalue()[start:]

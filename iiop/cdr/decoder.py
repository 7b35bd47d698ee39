"""The compiled engine, reading: a declaration becomes one Python function.

    decode(octets, position, limits) -> (value, position behind it)

`octets` is `bytes` and its first octet is the origin of alignment. On anything wrong the function raises `Refused` or whatever
Python raises; `iiop.cdr.codec` then lets the construct engine say what and where.
"""

from __future__ import annotations

import dataclasses
import functools
import struct
from collections.abc import Callable
from typing import Any

from iiop.cdr import buffers
from iiop.cdr import types as t
from iiop.cdr.codegen import NESTED_LOOPS, UNKNOWN, Generator, Phase, Refused, identifier, is_bulk
from iiop.cdr.types import ByteOrder, CDRType
from iiop.limits import Limits, deeper

__all__ = ["Decode", "compile_decoder"]

Decode = Callable[[bytes, int, Limits], tuple[Any, int]]

BOOLEANS = (False, True)
CHARACTERS = tuple(map(chr, range(256)))

UNROLLED, UNROLLED_SIZE = 16, 128
"""Arrays up to this length, of at least so many octets, are written out, others become a loop."""


@functools.lru_cache(maxsize=4096)
def compile_decoder(declared: CDRType, order: ByteOrder, phase: Phase) -> Decode:
    """Return the function that reads the type from positions of that phase."""
    generator = _Decoder(order, phase)
    value = generator.value(declared)
    generator.flush()
    generator.emit(f"return {value}, pos")
    return generator.function("def run(octets, pos, limits, len=len, tuple=tuple, range=range):")


class _Decoder(Generator):
    """Every `value` method returns the expression of what was read, valid behind the next `flush`."""

    def __init__(self, order: ByteOrder, phase: Phase) -> None:
        super().__init__(order, phase)
        self.after_run: list[str] = []
        self.emit("end = len(octets)")

    def dynamic_alignment(self, alignment: int) -> str:
        return f"pos = pos + {alignment - 1} & -{alignment}"

    def flush(self) -> None:
        if self.run_items:
            run, items, size = self.take_run()
            unpack = self.keep("unpack", run.unpack_from)
            self.emit(f"{', '.join(items)}, = {unpack}(octets, pos)")
            self.emit(f"pos += {size}")
        pending, self.after_run = self.after_run, []
        for line in pending:
            self.emit(line)

    def then(self, line: str) -> None:
        """Write a line that uses values of the pending run."""
        if self.run_items:
            self.after_run.append(line)
        else:
            self.emit(line)

    def primitive(self, declared: t.Primitive) -> str:
        name = self.fresh()
        self.add_to_run(declared.format, declared.size, declared.size, name)
        return name

    def count(self) -> str:
        name = self.primitive(t.ULong)
        self.flush()
        return name

    @functools.singledispatchmethod
    def value(self, declared: CDRType) -> str:
        raise TypeError(f"cannot compile {declared!r}")

    @value.register
    def _(self, declared: t.Primitive) -> str:
        table = {t.Boolean: BOOLEANS, t.Char: CHARACTERS}.get(declared)
        name = self.primitive(declared if table is None else t.Octet)
        if table is not None:
            self.then(f"{name} = {self.keep('table', table)}[{name}]")
        return name

    @value.register
    def _(self, declared: t.StringType) -> str:
        length, stop, name = self.count(), self.fresh("e"), self.fresh()
        most = "limits.string_length" if declared.bound is None else f"min(limits.string_length, {declared.bound})"
        self.emit(f"{stop} = pos + {length}")
        # Octets that are missing are an IndexError.
        self.emit(f"if not 0 < {length} <= {most} + 1 or octets[{stop} - 1]: raise Refused")
        self.emit(f"{name} = octets[pos:{stop} - 1].decode('latin-1')")
        self.emit(f"if '\\0' in {name}: raise Refused")
        self.emit(f"pos = {stop}")
        self.phase = UNKNOWN
        return name

    def octets(self, bound: int | None, whole: str = "octets") -> str:
        """Read a length and that many octets of `whole`."""
        length, stop, name = self.count(), self.fresh("e"), self.fresh()
        most = "limits.sequence_length" if bound is None else f"min(limits.sequence_length, {bound})"
        self.emit(f"{stop} = pos + {length}")
        self.emit(f"if {stop} > end or {length} > {most}: raise Refused")
        self.emit(f"{name} = {whole}[pos:{stop}]")
        self.emit(f"pos = {stop}")
        self.phase = UNKNOWN
        return name

    @value.register
    def _(self, declared: t.OctetSequenceType) -> str:
        return self.octets(declared.bound, f"{self.keep('view', memoryview)}(octets)" if declared.view else "octets")

    @value.register
    def _(self, declared: t.OctetArray) -> str:
        name = self.fresh()
        self.add_to_run(f"{declared.length}s", declared.length, 1, name)
        return name

    @value.register
    def _(self, declared: t.Enum) -> str:
        name = self.primitive(t.ULong)
        members = self.keep("members", {int(member): member for member in declared.cls})
        if declared.open:
            cls = self.keep("Enum", declared.cls)
            self.then(f"{name} = {members}[{name}] if {name} in {members} else {cls}({name})")
        else:
            self.then(f"{name} = {members}[{name}]")
        return name

    @value.register
    def _(self, declared: t.Sequence) -> str:
        count, name = self.count(), self.fresh()
        least = declared.element.min_size
        most = f"limits.{identifier(declared.limit)}"
        if declared.bound is not None:
            most = f"min({most}, {declared.bound})"
        self.emit(f"if {count} > (end - pos) // {least} or {count} > {most}: raise Refused")
        if declared.buffer is not None:
            self.buffer(declared, count, name)
        elif is_bulk(declared.element):
            self.bulk(declared.element, count, name)
        else:
            self.loop(declared.element, count, name)
        return name

    def buffer(self, declared: t.Sequence, count: str, name: str) -> None:
        """Read numbers into a buffer; an empty sequence has no padding behind its length."""
        element, stop = declared.element, self.fresh("e")
        assert isinstance(element, t.Primitive)
        function = {"array": buffers.read_array, "numpy": buffers.read_numpy}[declared.buffer or "array"]
        read = self.keep("read", functools.partial(function, element, self.order))
        self.emit(f"if {count}: {self.dynamic_alignment(element.size)}")
        self.emit(f"{stop} = pos + {count} * {element.size}")
        self.emit(f"if {stop} > end: raise Refused")
        self.emit(f"{name} = {read}({self.keep('view', memoryview)}(octets)[pos:{stop}])")
        self.emit(f"pos = {stop}")
        self.phase = self.phase.meet(Phase(element.size, 0))

    def bulk(self, element: CDRType, count: str, name: str) -> None:
        """Read numbers by one call; an empty sequence has no padding behind its length."""
        assert isinstance(element, t.Primitive)
        unpack = self.keep("unpack_from", struct.unpack_from)
        self.emit(f"if {count}:")
        self.emit(f"    pos = pos + {element.size - 1} & -{element.size}")
        self.emit(f"    {name} = {unpack}(f'{'><'[self.order]}{{{count}}}{element.format}', octets, pos)")
        self.emit(f"    pos += {count} * {element.size}")
        self.emit("else:")
        self.emit(f"    {name} = ()")
        self.phase = self.phase.meet(Phase(element.size, 0))

    def loop(self, element: CDRType, count: str, name: str) -> None:
        self.loops += 1
        self.phase = before = self.loop_phase(lambda trial: trial.turn(element))
        items, head = self.fresh("items"), len(self.lines)
        lead, turns, behind = [f"{items} = []"], f"_ in range({count})", []
        self.indent += 1
        value = self.turn(element)
        if self.run_size and len(self.lines) == head:  # a turn is one run, so all turns are of one size
            run, names, size = self.take_run()
            stop = self.fresh("e")
            lead += [f"{stop} = pos + {count} * {size}", f"if {stop} > end: raise Refused"]
            elements = f"{self.keep('view', memoryview)}(octets)[pos:{stop}]"
            turns = f"{', '.join(names)}, in {self.keep('iter_unpack', run.iter_unpack)}({elements})"
            behind = [f"pos = {stop}"]
        self.flush()
        self.emit(f"{items}.append({value})")
        self.indent -= 1
        self.lines[head:head] = ["    " * self.indent + line for line in (*lead, f"for {turns}:")]
        for line in (*behind, f"{name} = tuple({items})"):
            self.emit(line)
        self.loops -= 1
        self.phase = before

    def turn(self, element: CDRType) -> str:
        """Read what one turn of a loop reads."""
        if self.loops <= NESTED_LOOPS:
            return self.value(element)
        name = self.fresh()
        self.emit(f"{name}, pos = {self.keep('inner', compile_decoder(element, self.order, self.phase))}(octets, pos, limits)")
        self.phase = UNKNOWN
        return name

    @value.register
    def _(self, declared: t.Array) -> str:
        if declared.length <= UNROLLED and declared.min_size <= UNROLLED_SIZE:
            values = [self.value(declared.element) for _ in range(declared.length)]
            return f"({''.join(value + ', ' for value in values)})"
        name = self.fresh()
        self.flush()
        if is_bulk(declared.element):
            self.bulk(declared.element, str(declared.length), name)
        else:
            self.loop(declared.element, str(declared.length), name)
        return name

    @value.register
    def _(self, declared: t.Encapsulation) -> str:
        octets, name = self.octets(None), self.fresh()
        decoders = tuple(compile_decoder(declared.content, order, Phase.at(1)) for order in ByteOrder)
        inner = self.keep("inner", functools.partial(_decapsulate, decoders))
        self.emit(f"{name} = {inner}({octets}, limits)")
        return name

    @value.register
    def _(self, declared: t.Recursive) -> str:
        self.flush()
        return self.call(self.keep("nested", _Nested(declared.make, self.order)))

    @value.register
    def _(self, declared: t.Adapted) -> str:
        value, name = self.value(declared.layout), self.fresh()
        self.then(f"{name} = {self.keep('adapt', declared.decode)}({value})")
        return name

    @value.register
    def _(self, declared: t.Position) -> str:
        self.flush()
        name = self.fresh()
        self.emit(f"{name} = pos")
        return name

    def dependent(self, declared: t.Dependent, label: str) -> str:
        self.flush()
        nested = self.keep("nested", _Chosen(declared.choose, self.order))
        return self.call(nested, f"{label}, ")

    def call(self, function: str, first: str = "") -> str:
        """Read what another function reads, wherever it begins."""
        name = self.fresh()
        self.emit(f"{name}, pos = {function}({first}octets, pos, limits)")
        self.phase = UNKNOWN
        return name

    @value.register
    def _(self, declared: t.Struct) -> str:
        values: dict[str, str] = {}
        for member, kind in declared.fields:
            if isinstance(kind, t.Switch):
                values[member] = self.switch(kind, values[kind.on])
            elif isinstance(kind, t.Dependent):
                values[member] = self.dependent(kind, values[kind.on])
            else:
                values[member] = self.value(kind)
        if declared.cls is None:
            return f"({''.join(value + ', ' for value in values.values())})"
        name = self.fresh()
        cls = self.keep("Class", declared.cls)
        twin = _writable_twin(declared)
        if twin is None:
            given = [f"{key}={value}" if key in declared.keywords else value for key, value in values.items()]
            given.sort(key=lambda argument: "=" in argument)
            self.then(f"{name} = {cls}({', '.join(given)})")
            return name
        self.then(f"{name} = {self.keep('Twin', twin)}()")
        for member, value in values.items():
            self.then(f"{name}.{identifier(member)} = {value}")
        self.then(f"{name}.__class__ = {cls}")
        return name

    def switch(self, declared: t.Switch, label: str) -> str:
        name = self.fresh()

        def arm(kind: CDRType | None) -> None:
            value = "None" if kind is None else self.value(kind)
            self.flush()
            self.emit(f"{name} = {value}")

        self.branches(declared, label, arm)
        return name


@functools.cache
def _writable_twin(declared: t.Struct) -> type[Any] | None:
    """Return a class with the declared one's slots that lets itself be written; None where an instance is more than its slots.

    A frozen dataclass refuses assignment, and what goes around that (`object.__setattr__`, the slots' own `__set__`) takes longer
    than reading the octets. An instance of the twin is filled and then told that it is one of the class.
    """
    cls = declared.cls
    if (
        type(cls) is not type
        or cls.__bases__ != (object,)
        or cls.__dictoffset__
        or hasattr(cls, "__post_init__")
        or not all(hasattr(getattr(cls, member.name, None), "__set__") for member in dataclasses.fields(cls))
    ):
        return None
    twin = type(cls.__name__, (object,), {"__slots__": cls.__dict__["__slots__"]})
    try:
        twin().__class__ = cls
    except TypeError:  # Python keeps something else in its instances, weak references for example
        return None
    return twin


class _Nested:
    """Read a nested value, by a function that is made when it is first needed."""

    def __init__(self, make: Callable[[], CDRType], order: ByteOrder) -> None:
        self._make = make
        self._order = order
        self._decode: Decode | None = None

    def __call__(self, octets: bytes, position: int, limits: Limits) -> tuple[Any, int]:
        if limits.nesting < 1:
            raise Refused
        if self._decode is None:
            self._decode = compile_decoder(self._make(), self._order, UNKNOWN)
        return self._decode(octets, position, deeper(limits))


class _Chosen:
    """Read a value of a type that is known only now."""

    def __init__(self, choose: Callable[[Any], CDRType], order: ByteOrder) -> None:
        self._choose = choose
        self._order = order

    def __call__(self, label: Any, octets: bytes, position: int, limits: Limits) -> tuple[Any, int]:
        if limits.nesting < 1:
            raise Refused
        return compile_decoder(self._choose(label), self._order, UNKNOWN)(octets, position, deeper(limits))


def _decapsulate(decoders: tuple[Decode, ...], octets: bytes, limits: Limits) -> Any:
    value, position = decoders[octets[0]](octets, 1, limits)
    if position != len(octets):
        raise ValueError("octets left over")
    return value

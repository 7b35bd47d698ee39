"""The compiled engine, reading: a declaration becomes one Python function.

    decode(octets, position, limits) -> (value, position behind it)

`octets` is `bytes` and its first octet is the origin of alignment. On anything wrong the function raises `Refused` or whatever
Python raises; `iiop.cdr.codec` then lets the construct engine say what and where.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import struct
from collections.abc import Callable
from typing import Any

from iiop.cdr import buffers
from iiop.cdr import types as t
from iiop.cdr.code_sets import PLAIN_CODECS, decode_text
from iiop.cdr.codegen import CHOSEN, NESTED_LOOPS, UNKNOWN, Generator, Phase, Refused, identifier, is_bulk
from iiop.cdr.long_double import Binary128, LongDoubleType
from iiop.cdr.source import Input, Remainder
from iiop.cdr.types import ByteOrder, CDRType
from iiop.cdr.value_types import ValueType
from iiop.exceptions.errors import DecodeError
from iiop.limits import Limits, deeper

__all__ = ["Decode", "compile_decoder"]

Decode = Callable[[bytes, int, Limits], tuple[Any, int]]

BOOLEANS = (False, True)
CHARACTERS = tuple(map(chr, range(256)))

FIELDS_AT_FIRST = 64
"""Fields of a value of a type just chosen up to which compiling for it takes longer than reading it without."""

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

    @property
    def end(self) -> str:
        return self.once("end", "len(octets)")

    def most(self, limit: str, bound: int | None, more: str = "") -> str:
        """Return the name of the largest length that limit and bound admit."""
        allowed = f"limits.{identifier(limit)}"
        return self.once("most", (allowed if bound is None else f"min({allowed}, {bound})") + more)

    def dynamic_alignment(self, alignment: int) -> str:
        return f"pos = pos + {alignment - 1} & -{alignment}"

    def flush(self) -> None:
        layouts, items = self.layouts(), self.take_run()
        if layouts and layouts[0].format[1:] == "B":
            self.emit(f"{items[0]} = octets[pos]")
            self.emit("pos += 1")
        elif layouts:
            unpack, size = self.keep("unpack", layouts[0].unpack_from), str(layouts[0].size)
            if len(layouts) > 1:
                unpack, size = self.fresh("unpack"), self.fresh("size")
                possible = self.keep("possible", tuple((layout.unpack_from, layout.size) for layout in layouts))
                self.emit(f"{unpack}, {size} = {possible}[pos & {len(layouts) - 1}]")
            self.emit(f"{', '.join(items)}, = {unpack}(octets, pos)")
            self.emit(f"pos += {size}")
        pending, self.after_run = self.after_run, []
        for line in pending:
            self.emit(line)

    def then(self, line: str) -> None:
        """Write a line that uses values of the pending run."""
        if self.run:
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
    def _(self, declared: LongDoubleType) -> str:
        halves, name = (self.primitive(t.ULongLong), self.primitive(t.ULongLong)), self.fresh()
        high, low = halves if self.order is ByteOrder.BIG else halves[::-1]
        self.then(f"{name} = {self.keep('binary128', Binary128.of_halves)}({high}, {low})")
        return name

    @value.register
    def _(self, declared: t.StringType) -> str:
        length, stop, name, nul = self.count(), self.fresh("e"), self.fresh(), self.fresh("nul")
        codec = PLAIN_CODECS.get(declared.code_set)
        one_octet_each = codec == "latin-1"
        most = self.most("string_length", declared.bound if one_octet_each else None, " + 1")
        self.emit(f"{stop} = pos + {length} - 1")
        self.emit(f"if not 0 < {length} <= {most}: raise Refused")
        if codec is not None:
            self.emit(f"{name} = octets[pos:{stop}].decode({codec!r})")
        else:
            self.emit(f"{name} = {self.keep('decode_text', decode_text)}(octets[pos:{stop}], {declared.code_set})")
        check = f"'\\0' in {name}"
        if declared.bound is not None and not one_octet_each:
            check += f" or len({name}) > {declared.bound}"
        self.emit(f"if {check}: raise Refused")
        self.emit(f"pos = {stop}")
        self.phase = UNKNOWN
        # The NUL begins the next run: where octets are missing, it is what cannot be read.
        self.add_to_run("B", 1, 1, nul)
        self.then(f"if {nul}: raise Refused")
        return name

    def octets(self, bound: int | None, whole: str = "octets") -> str:
        """Read a length and that many octets of `whole`."""
        length, stop, name = self.count(), self.fresh("e"), self.fresh()
        self.emit(f"{stop} = pos + {length}")
        self.emit(f"if {stop} > {self.end} or {length} > {self.most('sequence_length', bound)}: raise Refused")
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
        by_value = {int(member): member for member in declared.cls}
        dense = list(by_value) == list(range(len(by_value)))  # as in IDL
        members = self.keep("members", by_value if declared.open or not dense else tuple(by_value.values()))
        if declared.open:
            cls = self.keep("Enum", declared.cls)
            self.then(f"{name} = {members}[{name}] if {name} in {members} else {cls}({name})")
        else:
            self.then(f"{name} = {members}[{name}]")
        return name

    @value.register
    def _(self, declared: t.Sequence) -> str:
        count, name = self.count(), self.fresh()
        most, least = self.most(declared.limit, declared.bound), declared.element.min_size
        self.emit(f"if {count} > ({self.end} - pos) // {least} or {count} > {most}: raise Refused")
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
        self.emit(f"if {stop} > {self.end}: raise Refused")
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
        layouts = self.layouts() if len(self.lines) == head else []
        if len(layouts) == 1 and layouts[0].size:  # a turn is one run, so all turns are of one size
            (run,), names, stop = layouts, self.take_run(), self.fresh("e")
            lead += [f"{stop} = pos + {count} * {run.size}", f"if {stop} > {self.end}: raise Refused"]
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
    def _(self, declared: ValueType) -> str:
        self.flush()
        self.emit("raise Interpreted")
        return "None"

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

    @value.register
    def _(self, declared: t.Rest) -> str:
        self.flush()
        name = self.fresh()
        self.emit(f"{name} = {self.keep('Remainder', Remainder)}(octets, pos, {self.keep('order', self.order)}, limits)")
        self.emit(f"pos = {self.end}")
        self.phase = UNKNOWN
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
    """Return a subclass of the declared one that lets itself be written; None where an instance is more than its slots.

    A frozen dataclass refuses assignment, and what goes around that (`object.__setattr__`, the slots' own `__set__`) takes longer
    than reading the octets. An instance of the twin is filled and then told that it is one of the class. That is quickest where
    the twin is a subclass without slots of its own: Python need not compare the names of the slots.
    """
    cls = declared.cls
    if (
        type(cls) is not type
        or cls.__bases__ != (object,)
        or cls.__dictoffset__
        or not {"__new__", "__post_init__", "__init_subclass__"}.isdisjoint(vars(cls))
        or not all(hasattr(getattr(cls, member.name, None), "__set__") for member in dataclasses.fields(cls))
    ):
        return None
    writable = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(cls.__name__, (cls,), {"__slots__": (), **writable})


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
        return _decoder_of_chosen(self._choose(label), self._order)(octets, position, deeper(limits))


class _WhenSeenAgain:
    """Read a value of a type that a peer chose: the construct engine does it once, for most such types are never seen again."""

    def __init__(self, declared: CDRType, order: ByteOrder) -> None:
        self._declared = declared
        self._order = order
        self._seen = False
        self._decode: Decode | None = None

    def __call__(self, octets: bytes, position: int, limits: Limits) -> tuple[Any, int]:
        if self._decode is None:
            if not self._seen:
                self._seen = True
                patience = itertools.repeat(True, FIELDS_AT_FIRST)
                from iiop.cdr import constructs

                with contextlib.suppress(DecodeError):
                    source = Input(octets, limits, position, patience=patience, whole=False)
                    return constructs.parse(self._declared, source, self._order)
            self._decode = compile_decoder.__wrapped__(self._declared, self._order, UNKNOWN)
        return self._decode(octets, position, limits)


_decoder_of_chosen = functools.lru_cache(maxsize=CHOSEN)(_WhenSeenAgain)


def _decapsulate(decoders: tuple[Decode, ...], octets: bytes, limits: Limits) -> Any:
    value, position = decoders[octets[0]](octets, 1, limits)
    if position != len(octets):
        raise ValueError("octets left over")
    return value

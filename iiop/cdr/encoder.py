"""The compiled engine, writing: a declaration becomes one Python function.

    encode(value, out) -> None

`out` is a `bytearray` whose first octet is the origin of alignment; the value is appended. On anything wrong the function raises
`Refused` or whatever Python raises and may leave part of the value behind; `iiop.cdr.codec` cuts it off and lets the construct
engine say what is wrong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from iiop.cdr import buffers
from iiop.cdr import types as t
from iiop.cdr.code_sets import PLAIN_CODECS, encode_text
from iiop.cdr.codegen import CHOSEN, NESTED_LOOPS, UNKNOWN, Generator, Phase, Refused, identifier, is_bulk, struct_of
from iiop.cdr.long_double import LongDoubleType, binary128
from iiop.cdr.types import ByteOrder, CDRType
from iiop.cdr.value_types import ValueType

__all__ = ["Encode", "compile_encoder"]

Encode = Callable[[Any, bytearray], None]

BOOLEANS = {False: 0, True: 1}
CHARACTERS = {chr(code): code for code in range(256)}
PADDING = {size: tuple(bytes(-position % size) for position in range(size)) for size in (2, 4, 8)}


@functools.lru_cache(maxsize=4096)
def compile_encoder(declared: CDRType, order: ByteOrder, phase: Phase) -> Encode:
    """Return the function that appends the type to octets whose length has that phase."""
    generator = _Encoder(order, phase)
    generator.value(declared, "value")
    generator.flush()
    generator.emit("return")
    return generator.function("def run(value, out, len=len, type=type, bytes=bytes):")


class _Encoder(Generator):
    def dynamic_alignment(self, alignment: int) -> str:
        padding = self.keep("padding", PADDING[alignment])
        return f"out += {padding}[len(out) & {alignment - 1}]"

    def flush(self) -> None:
        layouts, items = self.layouts(), self.take_run()
        if layouts and not items:
            self.emit(f"out += {layouts[0].pack()!r}")
        elif len(layouts) == 1:
            self.emit(f"out += {self.keep('pack', layouts[0].pack)}({', '.join(items)})")
        elif layouts:
            possible = self.keep("possible", tuple(layout.pack for layout in layouts))
            self.emit(f"out += {possible}[len(out) & {len(layouts) - 1}]({', '.join(items)})")

    def local(self, expression: str) -> str:
        name = self.fresh()
        self.emit(f"{name} = {expression}")
        return name

    def primitive(self, declared: t.Primitive, expression: str) -> None:
        self.add_to_run(declared.format, declared.size, declared.size, expression)

    @functools.singledispatchmethod
    def value(self, declared: CDRType, expression: str) -> None:
        raise TypeError(f"cannot compile {declared!r}")

    @value.register
    def _(self, declared: t.Primitive, expression: str) -> None:
        if declared is t.Boolean:
            expression = f"{self.keep('booleans', BOOLEANS)}[{expression}]"
        elif declared is t.Char:
            expression = f"{self.keep('characters', CHARACTERS)}[{expression}]"
        self.primitive(declared if declared is not t.Char else t.Octet, expression)

    @value.register
    def _(self, declared: LongDoubleType, expression: str) -> None:
        value = self.local(f"{self.keep('binary128', binary128)}({expression}).halves")
        for half in (0, 1) if self.order is ByteOrder.BIG else (1, 0):
            self.primitive(t.ULongLong, f"{value}[{half}]")

    @value.register
    def _(self, declared: t.StringType, expression: str) -> None:
        text = self.local(expression)
        codec = PLAIN_CODECS.get(declared.code_set)
        if codec is not None:
            encoded = f"{text}.encode({codec!r})"
        else:
            encoded = f"{self.keep('encode_text', encode_text)}({text}, {declared.code_set})"
        octets = self.local(encoded)  # first, for it is what refuses other things than text
        check = f"'\\0' in {text}"
        if declared.bound is not None:
            check += f" or len({text}) > {declared.bound}"
        self.emit(f"if {check}: raise Refused")
        self.counted(octets, " + 1")
        self.add_to_run("x", 1, 1, None)  # the NUL

    def counted(self, octets: str, more: str = "") -> None:
        """Write a length and the octets; `more` adds to the length what follows them."""
        self.primitive(t.ULong, f"len({octets}){more}")
        self.flush()
        self.emit(f"out += {octets}")
        self.phase = UNKNOWN

    def octets(self, expression: str) -> str:
        name = self.local(expression)
        self.emit(f"if type({name}) is not bytes: {name} = {self.keep('octets_of', _octets_of)}({name})")
        return name

    @value.register
    def _(self, declared: t.OctetSequenceType, expression: str) -> None:
        octets = self.octets(expression)
        if declared.bound is not None:
            self.emit(f"if len({octets}) > {declared.bound}: raise Refused")
        self.counted(octets)

    @value.register
    def _(self, declared: t.OctetArray, expression: str) -> None:
        octets = self.octets(expression)
        self.emit(f"if type({octets}) is memoryview: {octets} = bytes({octets})")
        self.emit(f"if len({octets}) != {declared.length}: raise Refused")
        self.add_to_run(f"{declared.length}s", declared.length, 1, octets)

    @value.register
    def _(self, declared: t.Enum, expression: str) -> None:
        if not declared.open:
            expression = f"{self.keep('members', {member: int(member) for member in declared.cls})}[{expression}]"
        self.primitive(t.ULong, expression)

    @value.register
    def _(self, declared: t.Sequence, expression: str) -> None:
        if declared.buffer is not None:
            self.buffer(declared, expression)
            return
        values = self.elements(expression)
        if declared.bound is not None:
            self.emit(f"if len({values}) > {declared.bound}: raise Refused")
        self.primitive(t.ULong, f"len({values})")
        self.flush()
        self.each(declared.element, values)

    def buffer(self, declared: t.Sequence, expression: str) -> None:
        """Write numbers in bulk; an empty sequence has no padding behind its length."""
        element = declared.element
        assert isinstance(element, t.Primitive)
        append = self.keep("append", functools.partial(buffers.append, element, self.order))
        values = self.local(f"{self.keep('numbers', functools.partial(buffers.numbers, element))}({expression})")
        if declared.bound is not None:
            self.emit(f"if {values}.amount > {declared.bound}: raise Refused")
        self.primitive(t.ULong, f"{values}.amount")
        self.flush()
        self.emit(f"if {values}.amount:")
        if element.size > 1:
            self.emit(f"    {self.dynamic_alignment(element.size)}")
        self.emit(f"    {append}(out, {values})")
        self.phase = self.phase.meet(Phase(element.size, 0))

    @value.register
    def _(self, declared: t.Array, expression: str) -> None:
        values = self.elements(expression)
        self.emit(f"if len({values}) != {declared.length}: raise Refused")
        self.flush()
        self.each(declared.element, values)

    def elements(self, expression: str) -> str:
        name = self.local(expression)
        self.emit(f"if type({name}) is not tuple: {self.keep('check_elements', _check_elements)}({name})")
        return name

    def each(self, element: CDRType, values: str) -> None:
        if is_bulk(element):
            self.bulk(element, values)
            return
        self.loops += 1
        self.phase = before = self.loop_phase(lambda trial: trial.turn(element, "value"))
        name = self.fresh()
        self.emit(f"for {name} in {values}:")
        self.indent += 1
        self.turn(element, name)
        self.flush()
        self.emit("pass")
        self.indent -= 1
        self.loops -= 1
        self.phase = before

    def turn(self, element: CDRType, expression: str) -> None:
        """Write what one turn of a loop writes."""
        if self.loops <= NESTED_LOOPS:
            self.value(element, expression)
            return
        self.emit(f"{self.keep('inner', compile_encoder(element, self.order, self.phase))}({expression}, out)")
        self.phase = UNKNOWN

    def bulk(self, element: CDRType, values: str) -> None:
        """Write numbers by one call; an empty sequence has no padding behind its length."""
        assert isinstance(element, t.Primitive)
        form = self.keep("struct_of", struct_of)
        self.emit(f"if len({values}):")
        if element.size > 1:
            self.emit(f"    {self.dynamic_alignment(element.size)}")
        self.emit(f"    out += {form}(f'{'><'[self.order]}{{len({values})}}{element.format}').pack(*{values})")
        self.phase = self.phase.meet(Phase(element.size, 0))

    @value.register
    def _(self, declared: t.Encapsulation, expression: str) -> None:
        inner = self.local(f"bytearray({bytes([self.order])!r})")
        encode = self.keep("inner", compile_encoder(declared.content, self.order, Phase.at(1)))
        self.emit(f"{encode}({expression}, {inner})")
        self.counted(inner)

    @value.register
    def _(self, declared: t.Recursive, expression: str) -> None:
        self.flush()
        self.emit(f"{self.keep('nested', _Nested(declared.make, self.order))}({expression}, out)")
        self.phase = UNKNOWN

    @value.register
    def _(self, declared: ValueType, expression: str) -> None:
        self.flush()
        self.emit("raise Interpreted")

    @value.register
    def _(self, declared: t.Adapted, expression: str) -> None:
        self.value(declared.layout, self.local(f"{self.keep('adapt', declared.encode)}({expression})"))

    @value.register
    def _(self, declared: t.Position, expression: str) -> None:
        pass

    @value.register
    def _(self, declared: t.Rest, expression: str) -> None:
        self.emit("raise Refused")

    def dependent(self, declared: t.Dependent, label: str, expression: str) -> None:
        self.flush()
        self.emit(f"{self.keep('nested', _Chosen(declared.choose, self.order))}({label}, {expression}, out)")
        self.phase = UNKNOWN

    @value.register
    def _(self, declared: t.Struct, expression: str) -> None:
        names = [identifier(member.name) for member in declared.fields]
        whole = self.local(expression)
        if declared.cls is None:
            values = [self.fresh() for _ in names]
            self.emit(f"if type({whole}) is not tuple and type({whole}) is not list: raise Refused")
            if names:
                self.emit(f"{', '.join(values)}, = {whole}")
            else:
                self.emit(f"if {whole}: raise Refused")
        else:
            values = [f"{whole}.{name}" for name in names]
        of = dict(zip(names, values, strict=True))
        for (_, kind), value in zip(declared.fields, values, strict=True):
            if isinstance(kind, t.Switch):
                self.switch(kind, of[kind.on], value)
            elif isinstance(kind, t.Dependent):
                self.dependent(kind, of[kind.on], value)
            else:
                self.value(kind, value)

    def switch(self, declared: t.Switch, label: str, expression: str) -> None:
        def arm(kind: CDRType | None) -> None:
            if kind is None:
                self.emit(f"if {expression} is not None: raise Refused")
            else:
                self.value(kind, expression)

        self.branches(declared, self.local(label), arm)


class _Nested:
    """Write a nested value, by a function that is made when it is first needed."""

    def __init__(self, make: Callable[[], CDRType], order: ByteOrder) -> None:
        self._make = make
        self._order = order
        self._encode: Encode | None = None

    def __call__(self, value: Any, out: bytearray) -> None:
        if self._encode is None:
            self._encode = compile_encoder(self._make(), self._order, UNKNOWN)
        self._encode(value, out)


class _Chosen:
    """Write a value of a type that is known only now."""

    def __init__(self, choose: Callable[[Any], CDRType], order: ByteOrder) -> None:
        self._choose = choose
        self._order = order

    def __call__(self, label: Any, value: Any, out: bytearray) -> None:
        _encoder_of_chosen(self._choose(label), self._order)(value, out)


class _WhenSeenAgain:
    """Write a value of a type that a peer may have chosen: the construct engine does it once."""

    def __init__(self, declared: CDRType, order: ByteOrder) -> None:
        self._declared = declared
        self._order = order
        self._seen = False
        self._encode: Encode | None = None

    def __call__(self, value: Any, out: bytearray) -> None:
        if not self._seen:
            self._seen = True
            from iiop.cdr import constructs

            out += constructs.build(self._declared, value, self._order, len(out) & 7, whole=False)
            return
        if self._encode is None:
            self._encode = compile_encoder.__wrapped__(self._declared, self._order, UNKNOWN)
        self._encode(value, out)


_encoder_of_chosen = functools.lru_cache(maxsize=CHOSEN)(_WhenSeenAgain)


def _octets_of(value: Any) -> bytes | memoryview:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise Refused
    view = memoryview(value)
    return view.cast("B") if view.c_contiguous and view.format in "@B" else bytes(view)


def _check_elements(value: Any) -> None:
    if isinstance(value, str | bytes) or not hasattr(value, "__len__") or not hasattr(value, "__iter__"):
        raise Refused

"""What both generators of the compiled engine share: positions known before running, and the text of a function.

Alignment is computed while code is generated, not while it runs: a `Phase` says what is known of a position. Fixed-size fields
that follow each other are collected into one run, read or written by one precompiled `struct.Struct`, padding included as `x`.
Where too little is known of the position a run begins at, there is a `Struct` for each position it can have, modulo 8 at most.
"""

from __future__ import annotations

import functools
import itertools
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from iiop.cdr.types import Boolean, ByteOrder, CDRType, Char, Primitive, Switch

__all__ = ["Generator", "Interpreted", "Phase", "Refused"]


class Refused(Exception):
    """Tell that something is wrong; the construct engine knows what."""


class Interpreted(Exception):
    """Tell that there is a value of a value type, which the construct engine reads and writes, with all of what it stands in."""


class Phase(NamedTuple):
    """Know that a position is congruent to `residue` modulo `modulus` (1, 2, 4 or 8)."""

    modulus: int
    residue: int

    @classmethod
    def at(cls, position: int) -> Phase:
        """Know a position exactly, which here means modulo 8."""
        return cls(8, position % 8)

    def after(self, octets: int) -> Phase:
        return Phase(self.modulus, (self.residue + octets) % self.modulus)

    def aligned(self, alignment: int) -> Phase:
        return self.after(-self.residue % alignment) if alignment <= self.modulus else Phase(alignment, 0)

    def meet(self, other: Phase) -> Phase:
        """Return what is known of a position that can be reached in two ways."""
        modulus = min(self.modulus, other.modulus)
        while self.residue % modulus != other.residue % modulus:
            modulus //= 2
        return Phase(modulus, self.residue % modulus)


UNKNOWN = Phase(1, 0)


class Fixed(NamedTuple):
    """Describe one fixed-size field of a run.

    Attributes:
        format: for `struct`, without byte order.
        size: octets.
        alignment: of its first octet.
        item: the name that receives its value, or the expression that gives it; None for what has no value.
    """

    format: str
    size: int
    alignment: int
    item: str | None


NESTED_LOOPS = 4
"""Loops written inside each other; what is nested deeper gets functions of its own (Python admits 20)."""


CHOSEN = 512
"""Types chosen by peers that functions are kept for, apart from those of declared ones."""


class Generator(ABC):
    """Write the body of one function, and keep the objects that it names.

    `phase` is that of the position behind the pending run; the position the generated code has in hand is the one before the run,
    whose phase is `run_phase`.
    """

    def __init__(self, order: ByteOrder, phase: Phase) -> None:
        self.order = order
        self.phase = phase
        self.lines: list[str] = []
        self.indent = 1
        self.loops = 0
        self.names: dict[str, Any] = {"Refused": Refused, "Interpreted": Interpreted}
        self.run: list[Fixed] = []
        self.run_phase = phase
        self.on_entry: dict[str, str] = {}
        self._numbers = itertools.count()

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.indent + line)

    def fresh(self, prefix: str = "v") -> str:
        """Return a name not used so far."""
        return f"{prefix}{next(self._numbers)}"

    def keep(self, prefix: str, value: Any) -> str:
        """Give an object a name that the generated code can use."""
        for name, known in self.names.items():
            if known is value:
                return name
        name = self.fresh(prefix)
        self.names[name] = value
        return name

    def once(self, prefix: str, expression: str) -> str:
        """Return a name for the value that an expression has when the function is entered."""
        if expression not in self.on_entry:
            self.on_entry[expression] = self.fresh(prefix)
        return self.on_entry[expression]

    def constant(self, value: Any) -> str:
        """Return an expression for a value of a declaration."""
        return repr(value) if type(value) in (int, bool, str) else self.keep("constant", value)

    def add_to_run(self, format: str, size: int, alignment: int, item: str | None) -> None:
        """Put a fixed-size field into the run, aligned."""
        if not self.run:
            self.run_phase = self.phase
        self.run.append(Fixed(format, size, alignment, item))
        self.phase = self.phase.aligned(alignment).after(size)

    def layouts(self) -> list[struct.Struct]:
        """Return the packers that may fit the pending run: none without a run, one where enough is known of its position.

        If there are more, the first is for positions that are 0 modulo their number, the second for 1, and so on.
        """
        widest = max((field.alignment for field in self.run), default=0)
        starts = [self.run_phase.residue] if 0 < widest <= self.run_phase.modulus else range(widest)
        return [self._layout(start) for start in starts]

    def _layout(self, start: int) -> struct.Struct:
        text, position = "><"[self.order], start
        for field in self.run:
            padding = -position % field.alignment
            text += "x" * padding + field.format
            position += padding + field.size
        return struct_of(text)

    def take_run(self) -> list[str]:
        """Clear the pending run, and return its items."""
        run, self.run = self.run, []
        return [field.item for field in run if field.item is not None]

    def loop_phase(self, turn: Callable[[Any], None]) -> Phase:
        """Return the phase that holds before the first and after every turn of a loop."""
        phase = self.phase
        while True:
            trial = type(self)(self.order, phase)
            trial.loops = self.loops
            turn(trial)
            trial.flush()
            known = phase.meet(trial.phase)
            if known == phase:
                return phase
            phase = known

    def branches(self, declared: Switch, label: str, arm: Callable[[CDRType | None], None]) -> None:
        """Write the cases of a union; `arm` writes what belongs into one."""
        self.flush()
        before = self.phase
        behind = []
        keyword = "if"
        tests = [(f"{label} == {self.constant(case)}", kind) for case, kind in declared.cases.items()]
        if not isinstance(declared.default, str):
            tests.append(("True", declared.default))
        for test, kind in tests:
            self.emit(f"{keyword} {test}:")
            keyword = "elif"
            self.phase = before
            self.indent += 1
            arm(kind)
            self.flush()
            self.indent -= 1
            behind.append(self.phase)
        if isinstance(declared.default, str):
            self.emit("else: raise Refused")
        self.phase = functools.reduce(Phase.meet, behind)

    @abstractmethod
    def flush(self) -> None:
        """Write the code of the pending run."""

    def function(self, head: str) -> Callable[..., Any]:
        """Compile the lines under a `def run(...)` line; the text is kept as attribute `source` of the function."""
        entry = [f"    {name} = {expression}" for expression, name in self.on_entry.items()]
        source = "\n".join([head, *entry, *self.lines, ""])
        exec(compile(source, f"<cdr {self.order.name.lower()}>", "exec"), self.names)
        made: Callable[..., Any] = self.names["run"]
        made.source = source  # type: ignore[attr-defined]
        return made


@functools.lru_cache(maxsize=4096)
def struct_of(format: str) -> struct.Struct:
    """Return the packer of a format; it takes a tuple as it is, where `struct.pack(format, *values)` copies it twice."""
    return struct.Struct(format)


def identifier(name: str) -> str:
    """Return the name if it may stand in generated code.

    Raises:
        TypeError: it is no identifier.
    """
    if not name.isidentifier():
        raise TypeError(f"{name!r} is no identifier")
    return name


def is_bulk(declared: CDRType) -> bool:
    """Tell whether many values of the type are one `struct` call: numbers only."""
    return isinstance(declared, Primitive) and declared is not Boolean and declared is not Char

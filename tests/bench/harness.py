"""Measure ours and a peer's in one run, in many short turns that alternate, on one CPU.

An absolute time means little on a machine whose clock and load change; two sides that take turns see the same machine, so
only their ratio is judged. Taking turns is not enough, though: whether the scheduler puts client and server on one CPU or on
two makes a loopback call take 26 or 100 µs, and it keeps its choice for the life of a process. omniNames compared with
itself came out anywhere between 0.28 and 3.85 (two CPUs, eight runs); with all processes of a row on one CPU between 0.98
and 1.03. So a row runs on one CPU. Therefore it measures work and switches of one call after the other, and says
nothing about parallel clients; a row about those asks for all CPUs. The row `naming.same_peer` shows what noise is left.
"""

from __future__ import annotations

import gc
import inspect
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import repeat
from statistics import median, quantiles
from time import perf_counter
from typing import Any

UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9, "B": 1.0}
TURNS = 40
"""Turns of each side."""
TURN_SECONDS = 0.02
"""What a turn should last: long against the clock, short against changes of the machine."""


@dataclass(frozen=True, slots=True)
class SelfTimed:
    """A side that measures itself, in a process of its own: `seconds(count)` makes `count` calls and returns their time."""

    seconds: Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Measured:
    """A side that is no time and needs no turns: a number of the row's unit."""

    value: float


Side = Callable[[], object] | SelfTimed | Measured
Sides = tuple[Side, Side]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison, not yet measured."""

    name: str
    unit: str
    target: float | None
    what: str
    make: Callable[[], Sides | Iterator[Sides]]
    turns: int = TURNS
    one_cpu: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison, measured: medians in the row's unit, and the quartiles of the ratio over the turns."""

    row: Row
    ours: float
    peer: float
    quartiles: tuple[float, float]

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    @property
    def met(self) -> bool | None:
        return None if self.row.target is None else self.ratio <= self.row.target

    def as_json(self) -> dict[str, Any]:
        """Return the row of bench.json."""
        measured = {"name": self.row.name, "ours": self.ours, "peer": self.peer, "unit": self.row.unit}
        return measured | {"ratio": self.ratio, "target": self.row.target, "met": self.met}


ROWS: dict[str, Row] = {}


def row(
    name: str, *, unit: str = "µs", target: float | None = None, turns: int = TURNS, one_cpu: bool = True
) -> Callable[[Any], Any]:
    """Register a comparison; the first line of the function's docstring says what is compared.

    The function returns, or yields once (and cleans up afterwards), two sides: ours, then the peer's. A side is a callable
    without arguments, called many times a turn, or a `SelfTimed`, or both are `Measured`. The ratio is ours / peer's; `target` is
    the largest ratio that counts as met. Where a call takes long, `turns` is the most turns of each side.
    """
    if unit not in UNITS:
        raise ValueError(f"{name}: unit {unit!r} is none of {', '.join(UNITS)}")

    def register(make: Callable[[], Sides | Iterator[Sides]]) -> Callable[[], Sides | Iterator[Sides]]:
        if name in ROWS:
            raise ValueError(f"two rows are called {name}")
        ROWS[name] = Row(name, unit, target, (make.__doc__ or "").strip().partition("\n")[0], make, turns, one_cpu)
        return make

    return register


def measure(row: Row, *, turns: int = TURNS, turn_seconds: float = TURN_SECONDS) -> Result:
    """Measure one row. What the row raises is not caught: a peer that is missing is an error."""
    turns = min(turns, row.turns)
    with one_cpu() if row.one_cpu else nullcontext(), _sides(row) as sides:
        if isinstance(sides[0], Measured) and isinstance(sides[1], Measured):
            ours, peer = sides[0].value, sides[1].value
            return Result(row, ours, peer, (ours / peer,) * 2)
        timers = [_timer(side) for side in sides]
        counts = [_count(timer, turn_seconds) for timer in timers]
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(turns):
            for side in (0, 1) if turn % 2 else (1, 0):  # neither side always goes first
                times[side].append(timers[side](counts[side]) / counts[side])
    ratios = [ours / peer for ours, peer in zip(*times, strict=True)]
    low, _, high = quantiles(ratios, n=4) if turns > 1 else (ratios[0],) * 3
    scale = UNITS[row.unit]
    return Result(row, median(times[0]) * scale, median(times[1]) * scale, (low, high))


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep this thread, and every process it starts meanwhile, on one CPU, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def _sides(row: Row) -> Iterator[Sides]:
    if inspect.isgeneratorfunction(row.make):
        with contextmanager(row.make)() as sides:
            yield sides
    else:
        sides = row.make()
        assert isinstance(sides, tuple)
        yield sides


def _timer(side: Side) -> Callable[[int], float]:
    if isinstance(side, Measured):
        raise TypeError("one side of a row is measured, the other to be timed")
    if isinstance(side, SelfTimed):
        return side.seconds

    def seconds(count: int) -> float:
        gc.collect()
        gc.disable()
        try:
            start = perf_counter()
            for _ in repeat(None, count):
                side()
            return perf_counter() - start
        finally:
            gc.enable()

    return seconds


def _count(timer: Callable[[int], float], turn_seconds: float) -> int:
    """Find how many calls fill a turn, which also warms the side up."""
    count = 1
    while (taken := timer(count)) < turn_seconds / 2:
        count = max(count * 2, min(count * 10, int(count * turn_seconds / max(taken, 1e-9))))
    return max(1, round(count * turn_seconds / taken))


def run(prefix: str = "", *, turns: int = TURNS, turn_seconds: float = TURN_SECONDS) -> tuple[list[Result], dict[str, str]]:
    """Measure every row whose name begins with `prefix`; return the results, and what failed: row name to traceback."""
    results, failures = [], {}
    for name in sorted(name for name in ROWS if name.startswith(prefix)):
        try:
            results.append(measure(ROWS[name], turns=turns, turn_seconds=turn_seconds))
        except Exception:
            failures[name] = traceback.format_exc()
    return results, failures

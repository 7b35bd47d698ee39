"""references.*: what it costs to look into references with `iortool`, beside catior where that can do the same."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from ior import IORBuilder
from tests.bench.harness import Measured, SelfTimed, Sides, row
from tests.peers import peer_env, peer_program

ROOT = Path(__file__).parents[2]
MANY = 100_000
TURNS = 5
PER_SECOND = 30_000
"""References a second that are wanted in bulk."""
COLD_START = 0.120
"""Seconds above a bare interpreter that are wanted for one reference."""

_COMMAND = [sys.executable, "-c", "import sys; from iiop_tools.iortool import main; sys.exit(main())"]


def _references(count: int) -> list[str]:
    """Return references as those of a server with many objects: they differ in key and in host."""
    made = []
    for number in range(count):
        key = b"\xffpoa\xfe12345678\0%d" % number
        builder = IORBuilder("IDL:TDsample/tdtest:1.0").iiop(f"host{number % 97}", 8002, key=key)
        made.append(str(builder.orb_type(0x41545400).code_sets().build()))
    return made


def _env(folder: str) -> dict[str, str]:
    """Return an environment as that of an installed command: byte code is kept."""
    env = peer_env({"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")]), "PYTHONPYCACHEPREFIX": folder})
    return {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _processor_time() -> float:
    """Return the seconds that processes started here have taken: what else runs on the machine counts less in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bulk(*options: str) -> Iterator[Sides]:
    with tempfile.TemporaryDirectory() as folder:
        file, env = Path(folder) / "references", _env(folder)
        file.write_text("\n".join(_references(MANY)))
        times = []
        for _ in range(TURNS):
            with file.open("rb") as lines:
                start = _processor_time()
                args = [*_COMMAND, "decode", *options, "-"]
                subprocess.run(args, stdin=lines, stdout=subprocess.DEVNULL, env=env, check=True)
                times.append(_processor_time() - start)
        yield Measured(min(times) / MANY * 1e6), Measured(1e6 / PER_SECOND)


@row("references.decode_bulk", target=1.0)
def decode_bulk() -> Iterator[Sides]:
    """`iortool decode -` of one of 100,000 references, processor time with the start, best of 5; 30,000 a second allow"""
    yield from _bulk()


@row("references.decode_bulk_json")
def decode_bulk_json() -> Iterator[Sides]:
    """the same with --json"""
    yield from _bulk("--json")


def _cold(args: list[str], env: dict[str, str]) -> SelfTimed:
    def seconds(count: int) -> float:
        start = perf_counter()
        for _ in range(count):
            subprocess.run(args, stdout=subprocess.DEVNULL, env=env, check=True)
        return perf_counter() - start

    return SelfTimed(seconds)


@row("references.cold_start_catior", unit="ms", turns=15)
def cold_start_catior() -> Iterator[Sides]:
    """`iortool decode IOR` and `catior IOR`, each a process of its own"""
    (reference,) = _references(1)
    with tempfile.TemporaryDirectory() as folder:
        yield _cold([*_COMMAND, "decode", reference], _env(folder)), _cold([str(peer_program("catior")), reference], _env(folder))


@row("references.cold_start", unit="ms", target=1.0)
def cold_start() -> Iterator[Sides]:
    """`iortool decode IOR` above a bare Python start, and what is wanted, 120 ms; the best of 15 each, taking turns"""
    (reference,) = _references(1)
    with tempfile.TemporaryDirectory() as folder:
        env = _env(folder)
        sides = [_cold([*_COMMAND, "decode", reference], env), _cold([sys.executable, "-c", "pass"], env)]
        times: list[list[float]] = [[], []]
        for _ in range(15):
            for taken, side in zip(times, sides, strict=True):
                taken.append(side.seconds(1))
        yield Measured((min(times[0]) - min(times[1])) * 1e3), Measured(COLD_START * 1e3)

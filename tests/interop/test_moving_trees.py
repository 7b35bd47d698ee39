"""Naming trees moved between our Naming Service, omniNames and snapshots, every way, by `nstool`; and copiers that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from iiop_tools.nstool import main
from ior import IOR
from naming import NameService, NamingServer
from naming.copying import Action
from naming.differences import Difference
from naming.snapshot import format_snapshot
from naming.trees import Entry, order
from naming.walk import Server
from tests import peers
from tests.trees import differences, everything, many, put, read

KINDS = ["ours", "omniNames", "snapshot"]
PATIENCE = 60.0
UNHURRIED = pytest.mark.timeout(600)
"""Ten seconds of work, on a machine that may have much else to do."""


@contextlib.contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """Give an empty server, or the name of a file for a snapshot."""
    folder.mkdir()
    if kind == "snapshot":
        yield str(folder / "snapshot.txt")
    elif kind == "ours":
        with NamingServer(folder / "etc" / "CosNaming") as server:
            yield str(server.ior)
    else:
        with peers.omni_names(folder, "-ORBnativeCharCodeSet", "UTF-8") as server:
            assert server.ior is not None
            yield server.ior


def fill(kind: str, where: str, entries: Iterable[Entry]) -> None:
    async def run() -> None:
        async with Server(IOR.from_string(where).to_iop()) as server:
            assert all(isinstance(step, Action) for step in await put(entries, server))

    if kind == "snapshot":
        Path(where).write_text("".join(format_snapshot(entries)), encoding="utf-8")
    else:
        asyncio.run(run())


def move(kind: str, a: str, b: str) -> int:
    return main(["snapshot", a, b] if kind == "snapshot" else ["copy", a, b])


@pytest.mark.parametrize("there", KINDS)
@pytest.mark.parametrize("here", KINDS)
def test_every_pair_is_copied_and_compared_both_ways(
    here: str, there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with place(here, tmp_path / "a") as a, place(there, tmp_path / "b") as b:
        fill(here, a, everything())
        assert move(there, a, b) == 0, capsys.readouterr().err
        for one, other in ((a, b), (b, a)):
            assert main(["compare", one, other]) == 0, capsys.readouterr().out
        texts = []
        for tree in (a, b):
            capsys.readouterr()
            assert main(["snapshot", tree, "-"]) == 0
            texts.append(capsys.readouterr().out)
        assert texts == ["".join(format_snapshot(everything()))] * 2
        if there != "snapshot":
            assert main(["copy", "--dry-run", "--prune", a, b]) == 0
            assert capsys.readouterr() == ("", "to be done: nothing\n")


@UNHURRIED
def test_ten_thousand_names_go_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with place("ours", tmp_path / "ours") as ours, place("omniNames", tmp_path / "omni") as omni:
        first, last = str(tmp_path / "first"), str(tmp_path / "last")
        fill("snapshot", first, many(10, 1000))
        for command in (["restore", first, omni], ["copy", omni, ours], ["snapshot", ours, last], ["compare", ours, omni]):
            assert main(command) == 0, capsys.readouterr().err
        assert Path(first).read_bytes() == Path(last).read_bytes()


# --- copiers that are killed -------------------------------------------------------------------------------------------


class Copier:
    """A process that forks copiers; see `tests/copy_child.py`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.copy_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def copy(self, source: str, destination: str, number: str = "SIGKILL", at: int = 0) -> tuple[int, int]:
        """Let a copier run; return its exit code, negative for the signal that ended it, and the requests it made."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(number, at, source, destination, file=self.process.stdin, flush=True)
        status, made = self.process.stdout.readline().split()
        return os.waitstatus_to_exitcode(int(status)), int(made)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(PATIENCE)


@pytest.fixture
def copier() -> Iterator[Copier]:
    made = Copier()
    yield made
    made.close()


def finish(copier: Copier, source: str, destination: str) -> None:
    """Copy again; once more if the server was still at what the copier that died asked last, and bound that name meanwhile."""
    assert any(copier.copy(source, destination)[0] == 0 for _ in range(2))


def entries_of(where: str) -> list[Entry]:
    async def run() -> list[Entry]:
        async with Server(IOR.from_string(where).to_iop()) as server:
            return await read(server)

    return asyncio.run(run())


def roots(server: str, count: int) -> list[str]:
    """Return contexts of a server that are bound nowhere: each is the root of a tree of its own."""
    with NameService(server) as service:
        return [str(IOR.from_iop(service.root.new_context())) for _ in range(count)]


def finished_after(copier: Copier, source: str, destination: str, at: int) -> None:
    """Kill a copier at its n-th request, see that nothing is lost or wrong, and let another one finish."""
    before = entries_of(source)
    code, made = copier.copy(source, destination, at=at)
    assert (code, made) == (-signal.SIGKILL, at)
    half = entries_of(destination)
    found = asyncio.run(differences(before, half))
    assert all(isinstance(it, Difference) and it.b is None for it in found), "what is there is as in the source"
    finish(copier, source, destination)
    assert entries_of(destination) == entries_of(source) == before


@UNHURRIED
@pytest.mark.parametrize("kind", ["ours", "omniNames"])
def test_a_copier_killed_at_any_moment_is_finished_by_the_next(kind: str, tmp_path: Path, copier: Copier) -> None:
    chance = random.Random(1401)
    with place("ours", tmp_path / "a") as source, place(kind, tmp_path / "b") as server:
        fill("ours", source, sorted([*everything(), *many(3, 40)], key=order))
        moments = 25
        first, *others = roots(server, moments + 1)
        code, requests = copier.copy(source, first)
        assert code == 0
        assert requests > len(everything()) + 120
        for destination in others:
            finished_after(copier, source, destination, chance.randint(1, requests))


def test_a_copier_that_is_interrupted_ends_clean(tmp_path: Path, copier: Copier) -> None:
    with place("ours", tmp_path / "a") as source, place("ours", tmp_path / "b") as destination:
        fill("ours", source, everything())
        code, _ = copier.copy(source, destination, "SIGINT", at=12)
        assert code == 130
        finish(copier, source, destination)
        assert entries_of(destination) == entries_of(source)

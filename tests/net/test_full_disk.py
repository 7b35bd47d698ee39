"""A disk that takes nothing more: changes are answered PERSIST_STORE, questions as ever; with room again, all goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iiop.exceptions import PERSIST_STORE, CompletionStatus
from iiop.failover import FailoverPolicy
from iiop.iop import IOR, TaggedProfile
from naming import NameService
from naming.names import parse_name
from tests.peers import NamingPeer, our_naming_service

ONCE = FailoverPolicy(rounds=1)
BIG = IOR("IDL:Big:1.0", (TaggedProfile(77, bytes(100_000)),))


def fill_and_recover(peer: NamingPeer, make_room: Callable[[], object]) -> None:
    """Bind until the disk is full, ask and change on, make room, and bind again."""
    with NameService(peer.corbaloc, policy=ONCE) as ns:
        bound = 0
        with contextlib.suppress(PERSIST_STORE):
            while bound < 1000:
                ns.root.bind(parse_name(f"big{bound}"), BIG)
                bound += 1
        assert 0 < bound < 1000
        for _ in range(3):
            with pytest.raises(PERSIST_STORE) as caught:
                ns.root.bind(parse_name("refused"), BIG)
            assert (caught.value.minor, caught.value.completed) == (0, CompletionStatus.COMPLETED_NO)
            names = [binding.binding_name[0].id for binding in ns.root.list(10_000)[0]]
            assert names == [f"big{number}" for number in range(bound)]
            assert ns.resolve(f"big{bound - 1}").to_iop() == BIG
        make_room()
        ns.root.bind(parse_name("refused"), BIG)
        assert ns.resolve("refused").to_iop() == BIG


def same_after_a_restart(folder: Path) -> None:
    with our_naming_service(folder) as peer, NameService(peer.corbaloc, policy=ONCE) as ns:
        names = [binding.binding_name[0].id for binding in ns.root.list(10_000)[0]]
        assert names == [*(f"big{number}" for number in range(len(names) - 1)), "refused"]


def complaints(folder: Path) -> list[str]:
    """Return what the server logged of its store, without times."""
    lines = (folder / "nstool.log").read_text().splitlines()
    return [line.partition("naming.commits: ")[2] for line in lines if "naming.commits: " in line]


def test_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """Works for everybody: the kernel refuses to let the file grow, with another error than that of a full disk."""
    with our_naming_service(tmp_path) as peer:
        limit, (_, hard) = resource.RLIMIT_FSIZE, resource.prlimit(peer.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(peer.process.pid, limit, (1_000_000, hard))
        fill_and_recover(peer, lambda: resource.prlimit(peer.process.pid, limit, (hard, hard)))
    assert [line.partition(":")[0] for line in complaints(tmp_path)] == [
        "changes are refused from now on",
        "changes are stored again",
    ]
    same_after_a_restart(tmp_path)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"only root may mount a small disk: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(800_000))
        (tmp_path / "one").mkdir()
        (disk / "store").mkdir()
        (tmp_path / "one" / "store").symlink_to(disk / "store")
        with our_naming_service(tmp_path / "one") as peer:
            fill_and_recover(peer, ballast.unlink)
        assert ["the disk is full" in line for line in complaints(tmp_path / "one")] == [True, False]
        same_after_a_restart(tmp_path / "one")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_full_from_the_start_and_one_that_may_only_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "store").mkdir()
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "store").symlink_to(disk / "store")
        with our_naming_service(tmp_path / "one") as peer, NameService(peer.corbaloc, policy=ONCE) as ns:
            ns.root.bind(parse_name("a"), BIG)
        with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        with our_naming_service(tmp_path / "one") as peer, NameService(peer.corbaloc, policy=ONCE) as ns:
            assert ns.resolve("a").to_iop() == BIG
            with pytest.raises(PERSIST_STORE):
                ns.root.bind(parse_name("b"), BIG)
            assert ns.resolve("a").to_iop() == BIG
            (disk / "ballast").unlink()
            ns.root.bind(parse_name("b"), BIG)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with our_naming_service(tmp_path / "one") as peer, NameService(peer.corbaloc, policy=ONCE) as ns:
            assert ns.resolve("b").to_iop() == BIG
            with pytest.raises(PERSIST_STORE):
                ns.root.unbind(parse_name("b"))
            assert ns.resolve("b").to_iop() == BIG

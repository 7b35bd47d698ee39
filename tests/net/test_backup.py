"""A copy of a Naming Service's folder while the server runs: nothing answered is missing, and it opens sound."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import naming.backup
from iiop.endpoints import endpoints
from iiop.iop import IOR, TaggedProfile
from iiop_tools.nstool import main
from naming import NameService, NamingServer
from naming.backup import back_up
from naming.changes import ROOT, BindingSet, ContextCreated, ContextId
from naming.model import NamingModel
from naming.names import parse_name
from naming.store import FILE_NAME, Durability, Store, StoreError
from naming.types import NameComponent
from tests.net.test_nstool_serve import PATIENCE, start

CLIENTS = 4

SIZE = 8000
"""Octets of a reference: two pages, so that the log begins anew every few hundred changes."""


def change(number: int, size: int = SIZE) -> BindingSet:
    return BindingSet(ROOT, NameComponent(f"n{number}"), IOR("IDL:x:1.0", (TaggedProfile(77, bytes(size)),)))


def bound(folder: Path) -> set[str]:
    with Store.open(folder) as store:
        return {component.id for component in NamingModel(store.load()).bindings(ROOT)}


def log_of(folder: Path) -> Path:
    return folder / f"{FILE_NAME}-wal"


def begin_log_anew(store: Store) -> None:
    """Change until the log has moved into the file, and another one has begun."""
    log = store.path.with_name(f"{FILE_NAME}-wal")
    before = log.read_bytes()[:32]
    number = 10_000
    while log.read_bytes()[:32] == before:
        store.write(change(each) for each in range(number, number + 100))
        number += 100


# --- why cp is not enough ---------------------------------------------------------------------------------------------


def test_what_cp_copies_while_the_server_runs_may_lack_what_was_answered(tmp_path: Path) -> None:
    """cp reads one file after the other. This is what it gets when the log begins anew in between."""
    copy = tmp_path / "copy"
    copy.mkdir()
    with Store.open(tmp_path / "store") as store:
        store.write([change(1)])
        shutil.copy(store.path, copy)
        begin_log_anew(store)
        shutil.copy(log_of(tmp_path / "store"), copy)
        try:
            kept = "n1" in bound(copy)
        except StoreError:
            kept = False
        assert not kept
        back_up(tmp_path / "store", tmp_path / "backup")
        assert "n1" in bound(tmp_path / "backup")


# --- one server -------------------------------------------------------------------------------------------------------


def test_a_server_that_runs(tmp_path: Path) -> None:
    with NamingServer(tmp_path / "store") as server, NameService(server.corbaloc) as names:
        names.root.bind_new_context(parse_name("c"))
        names.root.bind(parse_name("c/x"), IOR("IDL:x:1.0", (TaggedProfile(77, b""),)))
        context = endpoints(names.root.new_context())[0].object_key
        assert back_up(tmp_path / "store", tmp_path / "copy") == 2
        names.root.bind(parse_name("later"), IOR("IDL:x:1.0", (TaggedProfile(77, b""),)))
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [FILE_NAME]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "store"]
    with Store.open(tmp_path / "copy") as copy, Store.open(tmp_path / "store") as store:
        changes = list(store.load())
        assert list(copy.load()) == changes[:-1]
        assert ContextCreated(ContextId(context.decode())) in changes, "contexts that are bound nowhere are copied too"


def test_a_folder_nobody_has(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        store.write([change(1)])
    before = {path.name: path.read_bytes() for path in (tmp_path / "store").iterdir()}
    (tmp_path / "store").chmod(0o700)
    assert back_up(tmp_path / "store", tmp_path / "copy") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "store").iterdir()} == before
    assert bound(tmp_path / "copy") == {"n1"}
    assert (tmp_path / "copy").stat().st_mode == (tmp_path / "store").stat().st_mode
    with Store.open(tmp_path / "store"):
        pass


def test_a_log_that_a_killed_server_left(tmp_path: Path) -> None:
    with Store.open(tmp_path / "running") as store:
        store.write([change(1)])
        shutil.copytree(tmp_path / "running", tmp_path / "store")
    assert log_of(tmp_path / "store").stat().st_size > 0
    assert back_up(tmp_path / "store", tmp_path / "copy") == 1
    assert log_of(tmp_path / "store").stat().st_size > 0, "it is only read"
    assert bound(tmp_path / "copy") == {"n1"}


# --- under load -------------------------------------------------------------------------------------------------------


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Callable[[Path], None]) -> list[Path]:
    """Have something happen behind each file that is copied; return the files."""
    copied: list[Path] = []
    copyfile = shutil.copyfile

    def copy(source: Path, to: Path) -> None:
        copyfile(source, to)
        copied.append(source)
        what(source)

    monkeypatch.setattr(naming.backup.shutil, "copyfile", copy)
    return copied


def test_a_log_that_begins_anew_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path / "store") as store:
        store.write([change(1)])
        copied = meanwhile(monkeypatch, lambda source: begin_log_anew(store) if len(copied) == 1 else None)
        back_up(tmp_path / "store", tmp_path / "copy")
        assert [path.name for path in copied] == [FILE_NAME, f"{FILE_NAME}-wal"] * 2
    assert bound(tmp_path / "copy") == bound(tmp_path / "store")


def test_changes_and_a_checkpoint_meanwhile_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added to the log before it is copied may be in the copy; one copy is enough."""
    with Store.open(tmp_path / "store") as store:
        store.write([change(1)])
        copied = meanwhile(monkeypatch, lambda source: store.write([change(1 + len(copied))]))
        assert back_up(tmp_path / "store", tmp_path / "copy") == 2
        assert len(copied) == 2
    assert bound(tmp_path / "copy") == {"n1", "n2"}


def test_a_server_that_stops_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(tmp_path / "store")
    store.write([change(1)])
    copied = meanwhile(monkeypatch, lambda source: store.close())
    assert back_up(tmp_path / "store", tmp_path / "copy") == 1
    assert [path.name for path in copied] == [FILE_NAME] * 2
    assert bound(tmp_path / "copy") == {"n1"}


def test_no_end_of_new_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming.backup, "TRIES", 3)
    with Store.open(tmp_path / "store") as store:
        store.write([change(1)])
        copied = meanwhile(monkeypatch, lambda source: begin_log_anew(store))
        with pytest.raises(StoreError, match="it changes too fast: its log began anew during 3 copies on end"):
            back_up(tmp_path / "store", tmp_path / "copy")
        assert len(copied) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("durability", [durability.name for durability in Durability])
def test_copies_of_a_server_under_load(tmp_path: Path, durability: str) -> None:
    """All that clients were told before a copy is in it, and nothing that they did not ask for."""
    process, address = start(tmp_path, "--durability", durability)
    asked: list[list[str]] = [[] for _ in range(CLIENTS)]
    told: list[list[str]] = [[] for _ in range(CLIENTS)]
    answered = threading.Semaphore(0)
    ended = threading.Event()

    def work(number: int) -> None:
        with NameService(address) as names:
            while not ended.is_set():
                name = f"c{number}-{len(told[number])}"
                asked[number].append(name)
                names.root.bind(parse_name(name), IOR("IDL:x:1.0", (TaggedProfile(77, bytes(SIZE)),)))
                told[number].append(name)
                answered.release()

    logs = set()
    with process, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(work, number) for number in range(CLIENTS)]
        try:
            for number in range(12):
                for _ in range(60):
                    assert answered.acquire(timeout=PATIENCE)
                before = {name for names in told for name in list(names)}
                back_up(tmp_path / "store", tmp_path / f"copy{number}")
                found = bound(tmp_path / f"copy{number}")
                assert before <= found
                assert found <= {name for names in asked for name in list(names)}
                logs.add(log_of(tmp_path / "store").read_bytes()[:32])
        finally:
            ended.set()
        for client in clients:
            client.result()
    assert len(logs) > 1, "the log never began anew: this shows nothing"


# --- the command ------------------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    assert main(["backup", *map(str, argv)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1].removeprefix("nstool: ").removeprefix("Error: ")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(tmp_path / "node" / "etc" / "CosNaming") as store:
        store.write([change(1)])
        for number, folder in enumerate((tmp_path / "node", tmp_path / "node" / "etc" / "CosNaming")):
            assert main(["backup", str(folder), str(tmp_path / f"copy{number}")]) == 0
            assert capsys.readouterr() == (f"{tmp_path / f'copy{number}'}: 1 bindings\n", "")
            assert bound(tmp_path / f"copy{number}") == {"n1"}


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    copy = tmp_path / "copy"
    why = refused(capsys, tmp_path / "empty", copy)
    assert why == f"{tmp_path / 'empty' / 'etc' / 'CosNaming' / FILE_NAME}: there is no Naming Service here"
    assert "does not exist" in refused(capsys, tmp_path / "absent", copy)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / FILE_NAME).write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert refused(capsys, tmp_path / "damaged", copy).startswith(f"{tmp_path / 'damaged' / FILE_NAME}: the store is damaged")
    with Store.open(tmp_path / "store") as store:
        store.write([change(1)])
        assert refused(capsys, tmp_path / "store", tmp_path / "empty") == f"{tmp_path / 'empty'} is there already"
        assert "No such file or directory" in refused(capsys, tmp_path / "store", tmp_path / "absent" / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "empty", "store"]

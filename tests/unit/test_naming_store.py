"""The naming store: what was written comes back, what was not is not there, what is broken is refused and left alone.

Run as a program this file is the child that is killed: `test_naming_store.py FOLDER NUMBER` makes changes from that number
on, and prints the number of each once the store has taken it.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from iiop.iop import IOR, NIL, TaggedProfile
from naming.changes import ROOT, BindingRemoved, BindingSet, Bound, Change, ContextCreated, ContextId, ForeignContext
from naming.model import NamingModel
from naming.names import parse_name
from naming.store import FILE_NAME, Durability, Store, StoreError
from naming.types import NameComponent

N = parse_name
A = IOR("IDL:A:1.0", (TaggedProfile(0, b"\0\1a"), TaggedProfile(77, b"")))
B = IOR("", (TaggedProfile(0, bytes(300)),))
FOREIGN = ForeignContext(A)
SECONDS = 1225331880


def content(model: NamingModel) -> list[tuple[ContextId, list[tuple[NameComponent, Bound]]]]:
    """Return everything in a model, order included."""
    return [(context, list(model.bindings(context).items())) for context in model.contexts]


def run(model: NamingModel, changes: tuple[Change, ...], store: Store) -> None:
    store.write(changes)
    model.apply(changes)


def fill(model: NamingModel, store: Store) -> None:
    """Bind one of each kind, and leave traces of removal."""
    run(model, model.plan_bind_new_context(ROOT, N("a"), SECONDS), store)
    run(model, model.plan_bind(ROOT, N("a/o.k"), A), store)
    run(model, model.plan_bind(ROOT, N("gone"), A), store)
    run(model, model.plan_bind_context(ROOT, N("up"), ROOT), store)
    run(model, model.plan_bind_context(ROOT, N("f"), FOREIGN), store)
    run(model, model.plan_bind(ROOT, N("."), NIL), store)
    run(model, model.plan_rebind(ROOT, N("a/o.k"), B), store)
    run(model, model.plan_unbind(ROOT, N("gone")), store)
    run(model, model.plan_bind_new_context(ROOT, N("été"), SECONDS), store)
    run(model, model.plan_new_context(ROOT, SECONDS), store)
    run(model, model.plan_destroy(ContextId(f"context.{SECONDS}.2")), store)


@pytest.mark.parametrize(("durability", "synchronous"), [(Durability.disk, 2), (Durability.process, 1)])
def test_durability(tmp_path: Path, durability: Durability, synchronous: int) -> None:
    """2 syncs the log at every commit, 1 only when it is copied back; sqlite.org/pragma.html."""
    with Store.open(tmp_path, durability) as store:
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        run(NamingModel(), NamingModel().plan_bind(ROOT, N("o"), A), store)
    with Store.open(tmp_path) as store:
        assert NamingModel(store.load()).resolve(ROOT, N("o")) == A
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a store that was filled and closed."""
    folder = tmp_path / "etc" / "CosNaming"
    with Store.open(folder) as store:
        fill(NamingModel(store.load()), store)
    return folder


def test_a_new_store_has_only_its_root(tmp_path: Path) -> None:
    with Store.open(tmp_path / "etc" / "CosNaming") as store:
        assert list(store.load()) == []
    assert [path.name for path in (tmp_path / "etc" / "CosNaming").iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("open_store", [lambda path: Store.open(path), lambda _: Store.memory()], ids=["disk", "memory"])
def test_what_was_written_is_loaded(tmp_path: Path, open_store: Callable[[Path], Store]) -> None:
    with open_store(tmp_path) as store:
        model = NamingModel(store.load())
        fill(model, store)
        assert content(NamingModel(store.load())) == content(model)


def test_a_restart_changes_nothing(folder: Path) -> None:
    with Store.memory() as memory:
        expected = NamingModel()
        fill(expected, memory)
    with Store.open(folder) as store:
        model = NamingModel(store.load())
    assert content(model) == content(expected)


def test_a_copied_folder_keeps_its_context_ids(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    with Store.open(folder) as one, Store.open(tmp_path / "copy") as other:
        first, second = NamingModel(one.load()), NamingModel(other.load())
    assert content(first) == content(second)
    assert second.resolve(ROOT, N("a")) == f"context.{SECONDS}.0"


def test_the_id_of_a_destroyed_context_is_not_given_again_after_a_restart(folder: Path) -> None:
    with Store.open(folder) as store:
        (created,) = NamingModel(store.load()).plan_new_context(ROOT, SECONDS - 5)
    assert created == ContextCreated(ContextId(f"context.{SECONDS}.3"))


def test_all_of_a_write_or_nothing(folder: Path) -> None:
    with Store.open(folder) as store:
        before = content(NamingModel(store.load()))
        good = BindingSet(ROOT, NameComponent("new"), A)
        for bad in (
            BindingRemoved(ROOT, NameComponent("no such")),
            BindingSet(ContextId("context.1.1"), NameComponent("x"), A),
            ContextCreated(ROOT),
            BindingSet(ROOT, NameComponent("\ud800"), A),
        ):
            with pytest.raises(StoreError):
                store.write((good, bad))
            assert content(NamingModel(store.load())) == before


def test_a_full_disk_is_a_store_error_and_reading_goes_on(folder: Path) -> None:
    with Store.open(folder) as store:
        model = NamingModel(store.load())
        before = content(model)
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        changes = model.plan_bind(ROOT, N("big"), IOR("", (TaggedProfile(0, bytes(100_000)),)))
        with pytest.raises(StoreError, match="disk is full"):
            store.write(changes)
        assert content(NamingModel(store.load())) == before
        store._connection.execute("PRAGMA max_page_count = 1000000")
        store.write(changes)


def test_a_read_only_store_is_a_store_error(folder: Path) -> None:
    with Store.open(folder) as store:
        store._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreError, match="cannot be written"):
            store.write((BindingSet(ROOT, NameComponent("x"), A),))
        assert len(list(store.load())) > 3


def test_one_folder_serves_one_process(folder: Path) -> None:
    with Store.open(folder) as store:
        with pytest.raises(StoreError, match="in use by another process"):
            Store.open(folder)
        other = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True, text=True, check=False)
        assert "StoreError" in other.stderr
        assert "in use by another process" in other.stderr
        assert other.stdout == ""
        store.write((BindingSet(ROOT, NameComponent("still writes"), A),))


def test_closing_twice_and_use_after_close(folder: Path) -> None:
    store = Store.open(folder)
    store.close()
    store.close()
    with pytest.raises(StoreError):
        store.write(())
    with pytest.raises(StoreError):
        list(store.load())


def overwrite(folder: Path, octets: bytes | bytearray) -> None:
    (folder / FILE_NAME).write_bytes(octets)


def sql(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def foreign_database(folder: Path) -> None:
    (folder / FILE_NAME).unlink()
    sql(folder, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")


def smash_pages(folder: Path) -> None:
    octets = bytearray((folder / FILE_NAME).read_bytes())
    octets[4096:12288] = random.Random(1).randbytes(8192)
    overwrite(folder, bytes(octets))


def lose_the_file(folder: Path) -> None:
    (folder / FILE_NAME).rename(folder / f"{FILE_NAME}-wal")


def spell_a_name_otherwise(folder: Path) -> None:
    """SQLite has it twice: in the table of bindings, and in the index over their names."""
    octets = (folder / FILE_NAME).read_bytes()
    assert octets.count("été".encode()) == 2
    overwrite(folder, octets.replace("été".encode(), "ètè".encode(), 1))


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "garbage": (lambda f: overwrite(f, b"\xff" * 10_000), "damaged"),
    "short garbage": (lambda f: overwrite(f, b"hello"), "damaged"),
    "half the file": (lambda f: overwrite(f, (f / FILE_NAME).read_bytes()[:9000]), "damaged"),
    "smashed pages": (smash_pages, "damaged"),
    "a name in one of its two places": (spell_a_name_otherwise, "damaged"),
    "log without file": (lose_the_file, "damaged"),
    "no version": (lambda f: sql(f, "PRAGMA user_version = 0"), "damaged"),
    "foreign database": (foreign_database, "not a Naming Service store"),
    "newer version": (lambda f: sql(f, "PRAGMA user_version = 99"), "newer iiopkit"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_not_a_sound_store_is_refused_and_left_alone(folder: Path, damage: str) -> None:
    inflict, text = DAMAGE[damage]
    inflict(folder)
    before = digest(folder)
    with pytest.raises(StoreError, match=text) as caught:
        Store.open(folder)
    assert str(folder / FILE_NAME) in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert digest(folder) == before


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM contexts WHERE context LIKE 'context%'",
        "UPDATE contexts SET context = 'other' WHERE context = 'NameService'",
        "UPDATE bindings SET target = x'0001' WHERE type = 'object'",
        "UPDATE bindings SET target = x'ff' WHERE type = 'context'",
        "UPDATE bindings SET id = CAST(x'ff' AS TEXT) WHERE id = 'up'",
        "UPDATE bindings SET target = 'text' WHERE type = 'object'",
        "UPDATE bindings SET target = x'6e6f6e65' WHERE type = 'context'",
        "UPDATE bindings SET id = x'00' WHERE id = 'up'",
        "UPDATE contexts SET context = x'00' WHERE context LIKE 'context%1'",
        "UPDATE latest_destroyed SET context = 'context.x.0'",
        "DROP TABLE bindings",
    ],
)
def test_damage_inside_sound_pages_is_found_while_loading(folder: Path, statement: str) -> None:
    sql(folder, "PRAGMA foreign_keys = OFF", statement)
    with Store.open(folder) as store, pytest.raises(StoreError, match="damaged") as caught:
        list(store.load())
    assert str(folder / FILE_NAME) in str(caught.value)
    assert "put back a copy" in str(caught.value)
    Store.open(folder).close()  # it has let go of the folder


def test_flipped_bits_are_refused_or_make_another_sound_store(folder: Path) -> None:
    octets, chance = (folder / FILE_NAME).read_bytes(), random.Random(7)
    places = [place for place, octet in enumerate(octets) if octet]
    refused = 0
    for _ in range(400):
        damaged = bytearray(octets)
        for place in chance.choices(places, k=chance.choice((1, 1, 2, 8))):
            damaged[place] ^= 1 << chance.randrange(8)
        overwrite(folder, damaged)
        refusal = None
        try:
            with Store.open(folder) as store:
                NamingModel(store.load())
        except StoreError as error:
            refusal = str(error)
        if refusal is not None:
            refused += 1
            assert str(folder / FILE_NAME) in refusal
            assert "Nothing was changed" in refusal
            assert (folder / FILE_NAME).read_bytes() == damaged
    assert 200 < refused < 400, "what is left are names and references, of which nobody knows how they were"


VERSION_1 = Path(__file__).parents[1] / "vectors" / "naming-1.sqlite3"
"""What `fill` makes of a new store, written by version 1 of the store. Must be opened by every later one."""


def test_a_store_of_version_1_opens(tmp_path: Path) -> None:
    shutil.copyfile(VERSION_1, tmp_path / FILE_NAME)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    with Store.memory() as memory:
        expected = NamingModel()
        fill(expected, memory)
    with Store.open(tmp_path) as store:
        model = NamingModel(store.load())
        assert content(model) == content(expected)
        run(model, model.plan_bind_new_context(ROOT, N("later"), 0), store)
        assert model.resolve(ROOT, N("later")) == f"context.{SECONDS}.3"


def leave_a_log(folder: Path, copy: Path) -> Path:
    """Copy a store while it is in use, as a killed process leaves it: the last changes are in its log."""
    with Store.open(folder) as store:
        run(model := NamingModel(store.load()), model.plan_bind(ROOT, N("in the log"), A), store)
        shutil.copytree(folder, copy)
    assert (copy / f"{FILE_NAME}-wal").stat().st_size > 0
    return copy


def test_a_damaged_store_with_a_log_is_refused_and_left_alone(folder: Path, tmp_path: Path) -> None:
    copy = leave_a_log(folder, tmp_path / "copy")
    octets = bytearray((copy / FILE_NAME).read_bytes())
    octets[4096:8192] = random.Random(1).randbytes(4096)
    overwrite(copy, octets)
    before = digest(copy)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(copy)
    assert digest(copy) == before


@contextmanager
def nobody() -> Iterator[None]:
    """Have no rights of root, whom no mode of a file stops."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize("killed", [False, True])
def test_a_folder_that_may_only_be_read_is_served_without_changes(
    folder: Path, killed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with tempfile.TemporaryDirectory() as outside:  # nobody may look into root's tmp_path
        copy = Path(outside, "copy")
        if killed:
            leave_a_log(folder, copy)
        else:
            shutil.copytree(folder, copy)
        with Store.open(folder) as store:
            expected = content(NamingModel(store.load()))
        before = digest(copy)
        for path in copy.iterdir():
            path.chmod(0o444)
        copy.chmod(0o555)
        Path(outside).chmod(0o755)
        with nobody(), Store.open(copy) as store:
            model = NamingModel(store.load())
            assert content(model) == expected
            with pytest.raises(StoreError, match="folder cannot be written"):
                store.write(model.plan_bind(ROOT, N("new"), A))
            assert content(NamingModel(store.load())) == expected
            with pytest.raises(StoreError, match="cannot be opened"):
                Store.open(copy / "..")
        assert "can be read but not written: changes will be refused" in caplog.text
        assert digest(copy) == before
        copy.chmod(0o755)


KILLED_AT_A_PAGE = """
import resource, signal, sys
from naming.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
Store.open(sys.argv[1])
"""


@pytest.mark.parametrize("pages", range(1, 6))
def test_a_store_whose_making_was_interrupted_is_made_anew(tmp_path: Path, pages: int) -> None:
    """A process that is killed while it writes the first pages leaves some of them, and a journal to undo that."""
    command = [sys.executable, "-c", KILLED_AT_A_PAGE, str(tmp_path), str(pages * 4096)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGXFSZ
    assert (tmp_path / FILE_NAME).stat().st_size == pages * 4096
    assert (tmp_path / f"{FILE_NAME}-journal").stat().st_size > 0
    with Store.open(tmp_path) as store:
        assert list(store.load()) == []
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_an_empty_file_is_a_new_store(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever makes a store is killed so, but it may have been cut short, too."""
    (tmp_path / FILE_NAME).touch()
    with Store.open(tmp_path) as store:
        assert list(store.load()) == []
    assert caplog.messages == [f"{tmp_path / FILE_NAME} is empty, and so begins a new store, with nothing bound"]


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="folder cannot be used"):
            Store.open(path)
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError, match="this is no file"):
        Store.open(tmp_path)


# kill -9


def step(model: NamingModel, number: int) -> tuple[Change, ...]:
    """Plan the change of this number: the same for the same number and model. Every one shows in the content."""
    chance = random.Random(number)
    names = [(component,) for component in model.bindings(ROOT)]
    match chance.randrange(4) if names else 0:
        case 0:
            return model.plan_bind(ROOT, N(f"o{number}"), IOR(f"IDL:{number}:1.0", A.profiles))
        case 1:
            return model.plan_bind_new_context(ROOT, N(f"c{number}"), number)
        case 2:
            return model.plan_unbind(ROOT, chance.choice(names))
        case _:
            return (*model.plan_unbind(ROOT, chance.choice(names)), *model.plan_new_context(ROOT, number))


def write_until_killed(folder: str, first: int) -> None:
    with Store.open(folder) as store:
        model = NamingModel(store.load())
        for number in range(first, 1_000_000):
            run(model, step(model, number), store)
            print(number, flush=True)


def test_kill_9_loses_nothing_acknowledged_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    expected = NamingModel()
    following = 0
    for round_ in range(10):
        command = [sys.executable, __file__, str(tmp_path), str(following)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            acknowledged = [child.stdout.readline() for _ in range(random.Random(round_).randrange(1, 80))]
            child.kill()
            acknowledged += child.stdout.readlines()
        last = int(acknowledged[-1])
        for number in range(following, last + 1):
            expected.apply(step(expected, number))
        following = last + 1
        with Store.open(tmp_path) as store:
            found = content(NamingModel(store.load()))
        if found != content(expected):  # one more may have been written but not acknowledged
            expected.apply(step(expected, following))
            following += 1
        assert found == content(expected)


if __name__ == "__main__":
    write_until_killed(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)

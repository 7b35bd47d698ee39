"""`nstool snapshot`, `restore`, `compare`, `copy` and `watch`: what they print, refuse and end with."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from iiop_tools.nstool import main
from ior import IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.snapshot import END_LINE, FIRST_LINE, format_snapshot
from naming.store import FILE_NAME
from naming.trees import Entry, LocalContext
from naming.types import NameComponent
from naming.walk import Server
from tests.peers import free_port
from tests.trees import everything, foreign, own, put, read, reference

PATIENCE = 60.0
C = NameComponent
A, B, X = C("a"), C("b"), C("x")
TREE = [own(A), Entry((B,), LocalContext((A,))), Entry((A, X), reference("x", "node1", 9000))]


@dataclass
class Place:
    """A server, and what to do with it outside of commands."""

    server: NamingServer

    @property
    def name(self) -> str:
        return str(self.server.ior)

    def put(self, *entries: Entry) -> None:
        async def run() -> None:
            async with Server(self.server.ior.to_iop()) as server:
                await put(entries, server)

        asyncio.run(run())

    def read(self) -> list[Entry]:
        async def run() -> list[Entry]:
            async with Server(self.server.ior.to_iop()) as server:
                return await read(server)

        return asyncio.run(run())


@pytest.fixture
def one() -> Iterator[Place]:
    with NamingServer() as server:
        yield Place(server)


@pytest.fixture
def other() -> Iterator[Place]:
    with NamingServer() as server:
        yield Place(server)


@pytest.fixture
def nobody() -> str:
    return f"127.0.0.1:{free_port()}"


def snapshot_of(*entries: Entry) -> str:
    return "".join(format_snapshot(entries))


# --- snapshot ----------------------------------------------------------------------------------------------------------


def test_a_snapshot_takes_the_place_of_another_once_it_is_whole(one: Place, nobody: str, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    one.put(*TREE)
    assert main(["snapshot", one.name, str(file)]) == 0
    assert file.read_text(encoding="utf-8") == snapshot_of(*TREE)
    assert main(["snapshot", nobody, str(file)]) == 2
    assert file.read_text(encoding="utf-8") == snapshot_of(*TREE)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("tree", ["standard input", "a server"])
def test_a_snapshot_that_is_told_to_end_leaves_nothing_behind(tree: str, tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import sys; from iiop_tools.nstool import main; sys.exit(main())", "snapshot"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        argv = ["-" if tree == "standard input" else f"127.0.0.1:{silent.getsockname()[1]}", "names.txt"]
        with subprocess.Popen([*program, *argv], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=tmp_path) as command:
            try:
                unfinished = tmp_path / f".names.txt.{command.pid}"
                until = time.monotonic() + PATIENCE
                while not unfinished.exists() and time.monotonic() < until:
                    time.sleep(0.01)
                assert list(tmp_path.iterdir()) == [unfinished]
                command.terminate()
                assert command.wait(PATIENCE) == 143
            finally:
                command.kill()
            assert command.stderr is not None
            assert command.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", ".: Is a directory"),
        ("folder", "folder: Is a directory"),
        ("..", "..: Is a directory"),
        ("missing/file", "missing/file: No such file or directory"),
        ("a" * 300, f"{'a' * 300}: File name too long"),
    ],
)
def test_files_that_no_snapshot_can_be_written_to(
    path: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are called what the user calls them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.txt").write_text(FIRST_LINE + END_LINE)
    assert main(["snapshot", "empty.txt", path]) == 2
    assert capsys.readouterr().err == f"nstool: {why}\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty.txt", "folder"]


def test_what_could_not_be_read_is_told_and_written(one: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "holes.txt"
    file.write_text(f"{FIRST_LINE}a\tunreadable\tits \\\\ reason\nb\tcontext\nb\tincomplete\tanother\n{END_LINE}")
    assert main(["snapshot", str(file), "-"]) == 1
    out, err = capsys.readouterr()
    assert out == file.read_text()
    assert err == "nstool: a: its \\ reason\nnstool: b: another\n"
    assert main(["compare", str(file), str(file)]) == 2
    one.put(own(B), Entry((A,), reference("a")), Entry((B, X), reference("x")))
    before = one.read()
    assert main(["restore", "--prune", str(file), one.name]) == 1
    assert one.read() == before, "nothing is pruned where nobody knows"


# --- copy and restore ----------------------------------------------------------------------------------------------------


def test_restore_reads_a_file_or_standard_input(
    one: Place, other: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "names.txt"
    file.write_text(snapshot_of(*everything()), encoding="utf-8", newline="\r\n")
    assert main(["restore", str(file), one.name]) == 0
    assert one.read() == everything()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes()), encoding="ascii"))
    assert main(["restore", "-", other.name]) == 0
    assert other.read() == everything()
    assert main(["restore", one.name, other.name]) == 2
    assert main(["restore", str(tmp_path / "missing"), other.name]) == 2
    capsys.readouterr()
    file.write_bytes(FIRST_LINE.encode() + b"a\tcontext\n\xff\tcontext\nend\n")
    assert main(["restore", str(file), other.name]) == 2
    assert f"{file}, line 3: it is not UTF-8" in capsys.readouterr().err


def test_host_names_are_looked_up_in_a_file(other: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 vhost.invalid\n")
    with NamingServer(advertised_host="vhost.invalid") as server:
        tree = f"vhost.invalid:{server.port}"
        options = ["--hosts", str(tmp_path / "hosts")]
        assert main(["copy", *options, other.name, tree]) == 0
        assert main(["compare", *options, tree, other.name]) == 0
        monkeypatch.setenv("IIOP_HOSTS", str(tmp_path / "hosts"))
        other.put(*TREE)
        assert main(["copy", other.name, tree]) == 0
        assert main(["compare", tree, other.name]) == 0


def test_a_dry_run_tells_what_would_be_done(one: Place, other: Place, capsys: pytest.CaptureFixture[str]) -> None:
    one.put(*TREE)
    other.put(Entry((A,), reference("in the way")), Entry((X,), reference("only here")))
    before = other.read()
    assert main(["copy", "--dry-run", one.name, other.name]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == ["bind b: context, the same as a", "bind a/x: object IDL:test/Thing:1.0 at node1:9000"]
    assert "a: binding: context, at the destination object IDL:test/Thing:1.0 at 127.0.0.1:1 (pruning replaces it)" in err
    assert main(["copy", "--dry-run", "--prune", one.name, other.name]) == 0
    assert "replace a: context\n" in (out := capsys.readouterr().out)
    assert "unbind x: object" in out
    assert other.read() == before
    assert main(["copy", "--prune", one.name, other.name]) == 0
    assert other.read() == one.read() == TREE


def test_a_copy_without_pruning_says_at_the_end_what_it_left(
    one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    one.put(*TREE, Entry((C("shared"),), LocalContext((A,))))
    other.put(Entry((A,), reference("in the way")), own(C("shared")), Entry((C("shared"), X), reference("kept")))
    before = other.read()
    assert main(["copy", one.name, other.name]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["done: nothing", "nstool: not copied: 3"]
    assert lines[2].startswith("nstool: a: binding: context, at the destination object")
    assert lines[3] == "nstool: shared: context: the same as a, at the destination one of its own (pruning replaces it)"
    assert lines[4] == "nstool: a: 2 names below it"
    assert other.read() == before


def test_references_are_rewritten_and_the_copy_is_idempotent(
    one: Place, other: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    one.put(*TREE, Entry((C("far"),), foreign("far")))
    command = ["copy", "--rewrite", "host=vhost,port=8002", one.name, other.name]
    assert main(command) == 0
    assert Entry((A, X), reference("x", "vhost", 8002)) in other.read()
    assert Entry((C("far"),), foreign("far")) in other.read()
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().err == "done: nothing\n"
    assert main(["compare", one.name, other.name]) == 1
    assert capsys.readouterr().out == "~ a/x: host: node1 -> vhost; port: 9000 -> 8002\n"
    assert main(["compare", "--ignore", "host,port", one.name, other.name]) == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--rewrite", "host"],
        ["--rewrite", "port=0"],
        ["--rewrite", "port=65536"],
        ["--rewrite", "host=a b"],
        ["--rewrite", "host=a,key=b"],
    ],
)
def test_what_cannot_be_rewritten_is_refused(options: list[str], one: Place) -> None:
    assert main(["copy", *options, one.name, one.name]) == 2


def test_only_names_of_a_pattern_are_copied(one: Place, other: Place) -> None:
    one.put(*TREE, own(X), Entry((X, A), reference("a")))
    assert main(["copy", "--only", "a/*", one.name, other.name]) == 0
    assert other.read() == [own(A), TREE[2]]
    assert main(["copy", "--only", "[bx]", one.name, other.name]) == 0
    assert [entry.name for entry in other.read()] == [(A,), (B,), (X,), (A, X)]


def test_a_server_that_does_not_answer_is_told_with_exit_code_2(
    one: Place, nobody: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one.put(*TREE)
    for command in (["copy", one.name, nobody], ["copy", nobody, one.name], ["compare", nobody, one.name]):
        assert main(command) == 2
        assert f"cannot connect to {nobody}" in capsys.readouterr().err
    assert main(["compare", one.name, "not a server"]) == 2
    assert main(["watch", "--count", "1", one.name, nobody]) == 2


# --- compare -------------------------------------------------------------------------------------------------------------


def test_what_differs_is_told_in_lines_and_as_json(
    one: Place, other: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one.put(own(A), Entry((B,), LocalContext((A,))), Entry((C("far"),), foreign("1")), Entry((X,), reference("x")))
    other.put(own(A), own(B), Entry((C("far"),), foreign("2")), Entry((A, X), reference("x")))
    assert main(["compare", one.name, other.name]) == 1
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "~ b: context: the same as a -> one of its own",
        "~ far: object_key: 1 -> 2",
        "- x: object IDL:test/Thing:1.0 at 127.0.0.1:1",
        "+ a/x: object IDL:test/Thing:1.0 at 127.0.0.1:1",
    ]
    assert main(["compare", "--json", one.name, other.name]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["same"] is False
    assert told["unread"] == 0
    assert [(it["name"], it["kind"]) for it in told["differences"]] == [
        ("b", "changed"),
        ("far", "changed"),
        ("x", "removed"),
        ("a/x", "added"),
    ]
    assert told["differences"][1]["changes"] == [
        {"aspect": "key", "a": "1", "b": "2", "profile": 0, "path": "profiles[0].object_key"}
    ]
    assert main(["compare", "--json", one.name, one.name]) == 0
    assert json.loads(capsys.readouterr().out) == {"differences": [], "same": True, "unread": 0}
    assert main(["compare", "--ignore", "colour", one.name, other.name]) == 2


def test_json_is_whole_where_the_comparison_is_not(
    tmp_path: Path, one: Place, nobody: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "names.txt"
    broken.write_text(snapshot_of(Entry((A,), reference("a"))).replace(END_LINE, "nonsense\n"), encoding="utf-8")
    assert main(["compare", "--json", one.name, str(broken)]) == 2
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [it["name"] for it in told["differences"]] == ["a"]
    assert (told["same"], told["unread"]) == (None, 0)
    assert err.startswith(f"nstool: {broken}, line ")
    assert main(["compare", "--json", one.name, nobody]) == 2
    assert json.loads(capsys.readouterr().out)["same"] is None


def test_folders_of_nodes_are_compared(tmp_path: Path, one: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with NamingServer(tmp_path / "etc" / "CosNaming") as server:
        Place(server).put(*everything())
        one.put(*everything())
        assert main(["compare", str(tmp_path), one.name]) == 0
        assert main(["compare", str(server.ior), str(tmp_path / "etc" / "CosNaming")]) == 0
        one.put(Entry((X,), reference("new")))
        assert main(["compare", str(tmp_path), one.name]) == 1
    assert main(["copy", str(tmp_path), "--prune", one.name]) == 0
    assert one.read() == everything()
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "etc"), one.name]) == 2
    assert "there are no bindings here" in capsys.readouterr().err


def test_an_empty_file_is_no_tree_without_names(tmp_path: Path, one: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"")
    for argv in (["compare", str(tmp_path), one.name], ["backup", str(tmp_path), str(tmp_path / "copy")]):
        assert main(argv) == 2
        assert capsys.readouterr().err.startswith(f"nstool: {tmp_path / FILE_NAME}: the file is empty: ")
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_colours_are_for_terminals(one: Place, other: Place, capsys: pytest.CaptureFixture[str]) -> None:
    one.put(Entry((X,), reference("x")))
    assert main(["compare", one.name, other.name]) == 1
    assert "\x1b" not in capsys.readouterr().out
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        code = "import sys; from iiop_tools.nstool import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", code, "compare", one.name, other.name],
            stdout=follower,
            stderr=follower,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"},
            timeout=60,
        )
        os.close(follower)
        assert done.returncode == 1
        assert b"\x1b[31m- x: object" in terminal.read(4096)


# --- watch ---------------------------------------------------------------------------------------------------------------


def test_a_change_of_state_is_told_once_and_the_command_runs(
    one: Place, other: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = tmp_path / "ran"
    one.put(*TREE)
    # Each comparison that finds a difference mends it by the command; the next one finds none.
    command = (
        f"echo $NSTOOL_DRIFT >> {ran}; {sys.executable} -c 'import sys; from iiop_tools.nstool import main; main(sys.argv[1:])' "
    )
    command += f"copy {one.name} {other.name}"
    environment = os.pathsep.join(sys.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment)
        assert main(["watch", "--interval", "0", "--count", "3", "--command", command, one.name, other.name]) == 0
    assert capsys.readouterr().out == "differ: removed 3\nthe same\n"
    assert ran.read_text() == "differ: removed 3\n"
    assert main(["watch", "--interval", "0", "--count", "2", one.name, other.name]) == 0
    with NameService(other.name) as service:
        service.root.rebind(parse_name("a/x"), IORBuilder("").iiop("h", 1, key=b"k").build())
    assert main(["watch", "--interval", "0", "--until-drift", one.name, other.name]) == 1
    assert capsys.readouterr().out == "the same\ndiffer: changed 1\n"


@pytest.mark.parametrize("interval", ["nan", "inf", "-1"])
def test_intervals_that_never_end(interval: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "empty.txt"
    file.write_text(FIRST_LINE + END_LINE)
    assert main(["watch", "--interval", interval, "--count", "2", str(file), str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Invalid value for '--interval'" in err

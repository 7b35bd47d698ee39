"""The files of `giopdump`: one that it follows, and those that it writes, which are whole or not there, and of its own kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from iiop_tools.giopdump.command import main
from iiop_tools.giopdump.files import octets_of
from tests.giopdump.conversation import rows
from tests.giopdump.test_giopdump_input import PROGRAM, unread


def test_parquet_without_pyarrow(
    capture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["--parquet", str(tmp_path / "out.parquet"), capture]) == 2
    assert "pip install 'iiopkit[parquet]'" in capsys.readouterr().err


def test_parquet(capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "out.parquet"
    assert main(["--parquet", str(path), capture]) == 0
    assert capsys.readouterr() == ("", "")
    table = parquet.read_table(path).to_pylist()
    expected = rows(capsys, capture)
    assert len(table) == len(expected) == 17
    for found, row in zip(table, expected, strict=True):
        for name, value in row.items():
            if name == "time":
                assert found[name].isoformat().startswith(value[:19])
            elif name != "minor_code":
                assert (json.loads(found[name]) if isinstance(value, (dict, list)) else found[name]) == value


def ends_whole(kind: str, path: Path) -> bool:
    return path.read_bytes().endswith(b"</html>\n" if kind == "--html" else b"PAR1")


@pytest.mark.parametrize("kind", ["--html", "--parquet"])
def test_only_what_is_ours_is_written_over(kind: str, capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    path, other = tmp_path / "out", tmp_path / "other.pcap"
    for _ in range(2):
        assert main([kind, str(path), capture]) == 0
        assert ends_whole(kind, path)
    before = Path(capture).read_bytes()
    other.write_bytes(before)
    assert main([kind, str(other), capture]) == 2
    assert "left as it is" in capsys.readouterr().err
    assert other.read_bytes() == before
    for missing in (tmp_path, tmp_path / "a" / "b"):
        assert main([kind, str(missing), capture]) == 2
        assert capsys.readouterr().err.startswith(f"giopdump: {missing}: ")
    assert main([kind, str(path), "--json", capture]) == 2
    assert main([kind, "/dev/null", capture]) == 0
    assert Path("/dev/null").is_char_device()
    assert {each.name for each in tmp_path.iterdir()} == {"out", "other.pcap", "call.pcap"}


@pytest.mark.parametrize("kind", ["--html", "--parquet"])
def test_what_is_read_is_not_written_to(kind: str, capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    growing, link = tmp_path / "growing.pcap", tmp_path / "link"
    growing.touch()  # a tool that captures has just begun
    link.symlink_to(growing)
    for name in (growing, link):
        assert main([kind, str(name), capture, str(growing)]) == 2
        assert "is what is read" in capsys.readouterr().err
    with growing.open("rb") as file:
        done = subprocess.run([*PROGRAM, kind, str(growing), "-"], stdin=file, capture_output=True, timeout=60)
    assert (done.returncode, b"is what is read" in done.stderr) == (2, True)
    assert growing.read_bytes() == b""


@pytest.mark.parametrize("kind", ["--html", "--parquet"])
def test_a_link_that_leads_nowhere(kind: str, capture: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    loop, dangling, target = tmp_path / "loop", tmp_path / "dangling", tmp_path / "target"
    loop.symlink_to(loop)
    dangling.symlink_to(target)
    for name in (loop, dangling):
        assert main([kind, str(name), capture]) == 0
        assert ends_whole(kind, name)
    assert ends_whole(kind, target)


@pytest.mark.parametrize("kind", ["--html", "--parquet"])
def test_what_was_there_stays_until_there_is_more(
    kind: str, capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "out"
    assert main([kind, str(path), capture]) == 0
    before = path.read_bytes()
    assert main([kind, str(path), str(tmp_path / "misspelt.pcap")]) == 2
    assert capsys.readouterr().err.endswith("misspelt.pcap: No such file or directory\n")
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"out", "call.pcap"}


@pytest.mark.parametrize("kind", ["--html", "--parquet"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_it_is_whole_and_killed_not_there(kind: str, sent: signal.Signals, capture: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path, octets = tmp_path / "out", Path(capture).read_bytes()
    with subprocess.Popen([*PROGRAM, kind, str(path), "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(octets)
        process.stdin.flush()
        while unread(process.stdin.fileno()):
            pass
        process.send_signal(sent)
        code = process.wait(30)
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[sent]
    if sent is signal.SIGKILL:
        assert not path.exists()
    else:
        assert ends_whole(kind, path)


@pytest.mark.parametrize("kind", ["--html", "--parquet"])
def test_a_full_disk(kind: str, capture: str) -> None:
    pytest.importorskip("pyarrow")
    done = subprocess.run([*PROGRAM, kind, "/dev/full", capture], capture_output=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr


def test_what_is_written_just_before_another_file_has_the_name_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, stat = tmp_path / "growing", os.stat
    path.write_bytes(b"one")
    octets = octets_of(str(path), follow=True)
    assert next(octets) == b"one"

    def rotated(name: str) -> os.stat_result:
        monkeypatch.undo()
        with path.open("ab") as file:
            file.write(b"two")
        path.rename(tmp_path / "growing.1")
        path.write_bytes(b"three")
        return stat(name)

    monkeypatch.setattr(os, "stat", rotated)  # asked once there seems to be no more
    assert list(octets) == [b"two"]

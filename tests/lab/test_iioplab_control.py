"""The socket of a lab that is up: who asks is answered, whatever is asked, and nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop_lab.console import control as control_module
from iiop_lab.console.control import LONGEST, MOST, Control, FolderInUse, NoLab, answer, ask
from iiop_lab.scenario.actions import parse_action
from iiop_lab.scenario.plan import LabError


class FakeLab:
    """Do nothing, but note it; `hang WORDS` takes until `go_on`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def do(self, words: str) -> None:
        action = parse_action(words)
        if action.verb == "hang":
            self.begun.set()
            assert self.go_on.wait(30.0)
        if action.arguments[0] == "nobody":
            raise LabError("there is no node nobody: there is host1")
        if action.arguments[0] == "broken":
            raise ZeroDivisionError("oh")
        self.done.append(words)

    def status(self) -> Mapping[str, Any]:
        return {"nodes": {}, "done": len(self.done)}


@pytest.fixture
def fake() -> FakeLab:
    return FakeLab()


@contextlib.contextmanager
def up(folder: Path, fake: FakeLab) -> Iterator[None]:
    with Control(folder) as control, control.answering(partial(answer, do=fake.do, status=fake.status)):
        yield


def raw(folder: Path, *octets: bytes) -> list[dict[str, Any]]:
    """Send octets, and return all answers."""
    at = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30.0)
        connection.connect(f"/proc/self/fd/{at}/control")
        os.close(at)
        for each in octets:
            connection.sendall(each)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as lines:
            return [json.loads(line) for line in lines]


def test_a_lab_is_asked_and_told(tmp_path: Path, fake: FakeLab) -> None:
    with up(tmp_path, fake):
        assert ask(tmp_path, {"do": "kill host1"}) == {"done": "kill host1"}
        assert ask(tmp_path, {"status": True}) == {"status": {"nodes": {}, "done": 1}}
        assert ask(tmp_path, {"do": "kill nobody"}) == {"refused": "there is no node nobody: there is host1"}
        assert "did you mean 'kill'" in ask(tmp_path, {"do": "kil host1"})["refused"]
    assert fake.done == ["kill host1"]
    assert list(tmp_path.iterdir()) == []


def test_its_user_alone_may_ask(tmp_path: Path, fake: FakeLab) -> None:
    with up(tmp_path, fake):
        assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["deep/" * 40 + "folder", "口座"])
def test_a_folder_may_be_anywhere(tmp_path: Path, path: str, fake: FakeLab) -> None:
    with up(tmp_path / path, fake):
        assert "status" in ask(tmp_path / path, {"status": True})


@pytest.mark.parametrize(
    "octets",
    [
        b"\n",
        b"kill host1\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b'{"do": 1}\n',
        b'{"do": "kill host1", "status": true}\n',
        b'{"status": false}\n',
        b"[" * 20_000 + b"\n",
        b'{"do": "kill host1"',
    ],
    ids=lambda octets: repr(octets[:20]),
)
def test_garbage_is_answered(tmp_path: Path, octets: bytes, fake: FakeLab) -> None:
    with up(tmp_path, fake):
        (answered,) = raw(tmp_path, octets)
        assert answered["error"].startswith("a request is")
        if octets.endswith(b"\n"):
            assert "status" in raw(tmp_path, octets, b'{"status": true}\n')[1]
    assert fake.done == []


@given(st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), st.recursive(st.text(), st.lists)))
def test_any_request_has_an_answer(octets: bytes) -> None:
    lab = FakeLab()
    assert len(answer(octets, lab.do, lab.status)) == 1


def test_an_endless_request_is_refused(tmp_path: Path, fake: FakeLab) -> None:
    with up(tmp_path, fake):
        assert raw(tmp_path, b"x" * (LONGEST + 1)) == [{"error": f"a request has {LONGEST} octets at the most"}]


def test_what_goes_wrong_is_answered(tmp_path: Path, fake: FakeLab, caplog: pytest.LogCaptureFixture) -> None:
    with up(tmp_path, fake):
        assert ask(tmp_path, {"do": "kill broken"}) == {"error": "internal error: ZeroDivisionError: oh"}
        assert "status" in ask(tmp_path, {"status": True})
    assert "ZeroDivisionError" in caplog.text


def test_what_takes_long_holds_up_nobody_and_is_finished(tmp_path: Path, fake: FakeLab) -> None:
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(ask(tmp_path, {"do": "hang host1"})))
    with up(tmp_path, fake):
        asking.start()
        assert fake.begun.wait(30.0)
        assert "status" in ask(tmp_path, {"status": True})
        threading.Timer(0.05, fake.go_on.set).start()
    assert fake.done == ["hang host1"]
    asking.join(30.0)
    assert answers == [{"done": "hang host1"}]


def test_who_connects_early_waits(tmp_path: Path, fake: FakeLab) -> None:
    answers: list[Any] = []
    with Control(tmp_path) as control:
        at = os.open(tmp_path, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"/proc/self/fd/{at}/control")
            os.close(at)
            connection.sendall(b'{"status": true}\n')
            with control.answering(partial(answer, do=fake.do, status=fake.status)), connection.makefile("rb") as lines:
                answers.append(json.loads(lines.readline()))
    assert answers == [{"status": {"nodes": {}, "done": 0}}]


def test_a_lab_that_never_comes_up_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(tmp_path)
    send = control_module._send

    def asked(connection: socket.socket, request: Mapping[str, Any]) -> None:
        send(connection, request)
        with control:
            pass  # it ends

    monkeypatch.setattr(control_module, "_send", asked)
    with pytest.raises(NoLab, match="has ended before it answered"):
        ask(tmp_path, {"status": True})
    with pytest.raises(NoLab, match="no lab is up in"):
        ask(tmp_path, {"status": True})


def test_idle_connections_hold_up_nothing(tmp_path: Path, fake: FakeLab) -> None:
    with contextlib.ExitStack() as stack, up(tmp_path, fake):
        at = os.open(tmp_path, os.O_RDONLY)
        stack.callback(os.close, at)
        idle = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(MOST)]
        for connection in idle:
            connection.settimeout(30.0)
            connection.connect(f"/proc/self/fd/{at}/control")
            connection.sendall(b'{"status": true}\n')
            assert connection.recv(1000)
        threading.Timer(0.05, idle[0].close).start()
        assert "status" in ask(tmp_path, {"status": True})  # it waits for one to go


def test_who_does_not_read_holds_up_nothing(tmp_path: Path, fake: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "status", lambda: {"big": "x" * 10_000_000})
    monkeypatch.setattr(control_module, "_PATIENCE", control_module.struct.pack("ll", 0, 50_000))
    at = os.open(tmp_path, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as connection, up(tmp_path, fake):
        connection.connect(f"/proc/self/fd/{at}/control")
        os.close(at)
        connection.sendall(b'{"status": true}\n')
        assert connection.recv(1)


def test_one_lab_at_a_time_has_a_folder(tmp_path: Path, fake: FakeLab) -> None:
    with up(tmp_path, fake):
        with pytest.raises(FolderInUse, match=f"this lab is up already, process {os.getpid()}: "):
            Control(tmp_path)
        assert "status" in ask(tmp_path, {"status": True})  # it was left in peace
    with up(tmp_path, fake):
        pass


def test_the_socket_of_a_killed_lab_is_replaced(tmp_path: Path, fake: FakeLab) -> None:
    code = (
        "import os, pathlib, sys; from iiop_lab.console.control import Control; Control(pathlib.Path(sys.argv[1])); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60).returncode == 9
    assert (tmp_path / "control").is_socket()
    with pytest.raises(NoLab, match="no lab is up in"):
        ask(tmp_path, {"status": True})
    with up(tmp_path, fake):
        assert "status" in ask(tmp_path, {"status": True})


@pytest.mark.parametrize("missing", ["nothing", "file"])
def test_no_folder_no_lab(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoLab, match="no lab is up in"):
        ask(tmp_path / missing, {"status": True})


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Control(tmp_path / "file")
    with pytest.raises(OSError, match=r"no socket can be made there.*/proc/self/task"):
        Control(Path("/proc/self/task"))

"""`iioplab` where no lab runs: files that are looked at, and what cannot be done, in a line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from iiop_lab.cli import main
from iiop_lab.scenario.actions import VERBS
from tests.lab.iioplab import LAB


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_a_good_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lab.toml").write_text(LAB)
    declares = "virtual host vhost, 2 nodes (host1, host2), 1 WorkUnit (ISSAMPLE1)"
    assert said(capsys, "check", "lab.toml") == (0, f"lab.toml: {declares}\n", "")
    code, out, _ = said(capsys, "check", "--json", "lab.toml")
    assert code == 0
    assert json.loads(out) == [{"file": "lab.toml", "unreadable": False, "mistakes": [], "notes": [], "declares": declares}]


def test_notes_are_no_mistakes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lab.toml").write_text(LAB + "\n[work_units.ISSAMPLE1]\niswitch = true\n")
    code, out, _ = said(capsys, "check", "lab.toml")
    assert code == 0
    note, declares = out.splitlines()
    assert re.match(r"lab.toml:\d+: work_units.ISSAMPLE1.iswitch: .*no effect.* \(note\)$", note)
    assert declares.startswith("lab.toml: virtual host vhost")


def test_every_mistake_of_every_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "one.toml").write_text(
        LAB.replace("port = 0\n[nodes.host2]", "prot = 0\n[nodes.host2]").replace('"vhost"\n', '"vhots"\n')
    )
    (here / "two.toml").write_text("")
    (here / "three.toml").write_text(LAB)
    code, out, err = said(capsys, "check", "one.toml", "two.toml", "three.toml")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert "one.toml:10: nodes.host1.prot: " in lines[0]
    assert "did you mean 'port'?" in lines[0]
    assert "one.toml:15: work_units.ISSAMPLE1.names" in lines[1]
    assert "did you mean 'vhost'?" in lines[1]
    assert lines[2].startswith("two.toml: ")
    assert lines[3].startswith("three.toml: virtual host")
    code, out, _ = said(capsys, "check", "--json", "one.toml")
    assert code == 1
    first = json.loads(out)[0]["mistakes"][0]
    assert (first["line"], first["key"]) == (10, "nodes.host1.prot")


@pytest.mark.parametrize("path", ["missing.toml", "folder"])
def test_a_file_that_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    (here / "folder").mkdir()
    code, out, _ = said(capsys, "check", path)
    assert code == 2
    assert re.fullmatch(f"{path}: it cannot be read: [^\n]*\n", out)


@pytest.mark.parametrize("command", ["up", "run"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.toml", "missing.toml: it cannot be read: No such file or directory"),
        ("folder", "folder: it cannot be read: Is a directory"),
        ("empty.toml", "empty.toml: "),
        ("wrong.toml", "wrong.toml:1: no TOML: "),
    ],
)
def test_a_file_that_cannot_be_used(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, path: str, message: str
) -> None:
    (here / "folder").mkdir()
    (here / "empty.toml").touch()
    (here / "wrong.toml").write_text("[nodes")
    code, out, err = said(capsys, command, path)
    assert (code, out) == (2, "")
    assert err.startswith(f"iioplab: {message}")
    assert err.count("\n") == 1
    assert sorted(each.name for each in here.iterdir()) == ["empty.toml", "folder", "wrong.toml"]


def test_up_takes_lab_toml(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "up") == (2, "", "iioplab: lab.toml: it cannot be read: No such file or directory\n")


def test_an_unknown_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "run", "demoo")
    assert code == 2
    assert err.startswith("iioplab: demoo is no file, and no scenario that comes with us; did you mean 'demo'? There are: 2.3-")
    assert err.count("\n") == 1


def test_nothing_to_play(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lab.toml").write_text(LAB)
    assert said(capsys, "run", "lab.toml") == (
        2,
        "",
        "iioplab: lab.toml has no steps, so there is nothing to play: iioplab up runs its lab\n",
    )


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "scenarios")
    assert code == 0
    listed = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert {"demo", "3.4.1-workunit-termination", "3.4.2-server-down", "4.10.1-client-of-a-cluster"} <= set(listed)
    assert "two-hosts" not in listed
    assert all(listed.values())


WORDS = {
    "kill": ["host1"],
    "restore": ["host1"],
    "hang": ["host1/ISSAMPLE1"],
    "stop": ["host1"],
    "maintenance": ["host1"],
    "release": ["host1"],
    "switch": ["app"],
    "fault": ["slow", "off"],
    "report": ["host1", "cpu", "0.5"],
}


def test_every_action_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(WORDS) == set(VERBS)
    for name, verb in VERBS.items():
        code, out, _ = said(capsys, name, "--help")
        assert code == 0
        assert verb.what in " ".join(out.split())


@pytest.mark.parametrize("words", [["status"], *([verb, *arguments] for verb, arguments in WORDS.items())], ids=" ".join)
def test_no_lab_is_up(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert said(capsys, *words) == (2, "", "iioplab: no lab is up in .iioplab/lab; iioplab up lab.toml starts it\n")
    assert said(capsys, *words, "--folder", "nowhere") == (2, "", "iioplab: no lab is up in nowhere\n")
    assert said(capsys, *words, "--lab", "some/other.toml") == (
        2,
        "",
        "iioplab: no lab is up in some/.iioplab/other; iioplab up some/other.toml starts it\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kill"], "Missing argument"),
        (["kill", "host1", "host2"], "unexpected extra argument"),
        (["fault", "slow", "maybe"], "'maybe' is not"),
        (["check"], "Missing argument"),
        (["kil"], "No such command 'kil'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    code, _, err = said(capsys, *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("command", [["up"], ["run"]], ids=" ".join)
def test_a_folder_that_cannot_be_used(here: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    (here / "lab.toml").write_text(LAB + '\n[[step]]\nname = "one"\nseconds = 0.1\n')
    code, out, err = said(capsys, *command, "lab.toml", "--folder", "/proc/self/task")
    assert (code, out) == (2, "")
    assert err == "iioplab: /proc/self/task: no socket can be made there: No such file or directory\n"
    code, out, err = said(capsys, *command, "lab.toml", "--folder", "/proc/nothing/here")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "/proc/nothing" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lab.toml").write_text(LAB)
    (here / "closed").mkdir(mode=0o500)
    code, _, err = said(capsys, "up", "--folder", "closed")
    assert code == 2
    assert err == "iioplab: closed: no socket can be made there: Permission denied\n"


def test_events_that_cannot_be_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lab.toml").write_text(LAB)
    code, _, err = said(capsys, "up", "--events", "no/such/folder")
    assert (code, err) == (2, "iioplab: no/such/folder: No such file or directory\n")
    assert [each.name for each in (here / ".iioplab" / "lab").iterdir()] == []

"""What the README shows works as shown."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from iiop_lab.cli import main as iioplab
from iiop_tools.iortool import COMMANDS
from iiop_tools.iortool import main as iortool
from ior import IORBuilder

README = Path(__file__).parents[2] / "README.md"
BIN = Path(sys.executable).parent


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_python_examples() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert tried >= 19
    assert not failed


def test_make_targets_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    targets = [line.split()[1] for line in shell_lines() if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert f"\n{target}:" in makefile


def test_decode_as_shown() -> None:
    line = next(line for line in shell_lines() if line.startswith("iortool decode IOR:"))
    done = subprocess.run([BIN / "iortool", *shlex.split(line)[1:]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "IIOP 1.2" in done.stdout


def test_decode_standard_input_as_shown(tmp_path: Path) -> None:
    reference = next(line for line in shell_lines() if line.startswith("iortool decode IOR:")).split()[-1]
    done = subprocess.run(
        [BIN / "iortool", "decode", "--json", "-"], input=f"{reference}\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["profiles"][0]["host"]


def test_iortool_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [part.strip() for line in shell_lines() if line.startswith("iortool ") for part in line.split(";")]
    (tmp_path / "account.ior").write_text(next(line for line in lines if line.startswith("iortool decode IOR:")).split()[-1])
    (tmp_path / "references.txt").write_text(str(IORBuilder().iiop("h", 1, key=b"a").iiop("h", 2, key=b"a").build()))
    monkeypatch.chdir(tmp_path)
    shown = set()
    for line in lines:
        words = shlex.split(line)[1:]
        if "<" in words:
            words = [word for word in words[: words.index("<")] if word != "-"] + words[words.index("<") + 1 :]
        if "--resolve" not in words and words[0] != "ping":
            assert iortool(words) == (words[0] == "diff"), line
            assert capsys.readouterr().out
        shown.add(words[0])
    assert shown == set(COMMANDS)


def test_pytest_examples(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if "def test_" in block]
    for number, example in enumerate(examples):
        (tmp_path / f"test_example{number}.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert f"{len(examples)} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["iortool decode", "giopdump", "nstool serve", "OD_or_adm", "iioplab up", "iioplab run"])
def test_every_command_has_help(command: str) -> None:
    program, *rest = command.split()
    project = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, function = project["scripts"][program].split(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}())"
    done = subprocess.run([sys.executable, "-c", code, *rest, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_import_iiop_is_light() -> None:
    code = "import sys, iiop; print([name for name in ('construct', 'socket', 'asyncio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_lab_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "lab.toml").write_text(example, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = [shlex.split(line)[1:] for line in shell_lines() if line.startswith("iioplab ")]
    assert {"check", "up", "kill", "run"} <= {line[0] for line in lines}
    for line in lines:
        if line[0] in ("check", "scenarios"):
            assert iioplab(line) == 0
        elif line[0] in ("up", "run"):
            assert iioplab([line[0], "--help"]) == 0
        else:
            assert iioplab(line) == 2  # no lab is up

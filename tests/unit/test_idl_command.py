"""The command `iiop-idl`, and what type checkers say of what it writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iiop.idl import load
from iiop.idl.compiler import NoCompilerError, compile_idl, write_packages
from iiop_tools.iiop_idl import main
from tests.idl_texts import BANK, EVERYTHING


@pytest.mark.timeout(600)
def test_generated_code_passes_mypy_strict(tmp_path: Path) -> None:
    for name, text in EVERYTHING.items():
        (tmp_path / f"{name}.idl").write_text(text)
    write_packages(compile_idl([tmp_path / f"{name}.idl" for name in EVERYTHING]), tmp_path / "stubs")
    (tmp_path / "use.py").write_text(USE)
    assert "error:" not in _mypy(tmp_path, "use.py")
    (tmp_path / "misuse.py").write_text(MISUSE)
    wrong = [line.split(":")[1] for line in _mypy(tmp_path, "misuse.py").splitlines() if "error:" in line]
    assert wrong == [str(number) for number, line in enumerate(MISUSE.splitlines(), 1) if "# wrong" in line]


def test_generated_code_passes_ruff(tmp_path: Path) -> None:
    """With the rules that ruff has by itself."""
    for name, text in EVERYTHING.items():
        (tmp_path / f"{name}.idl").write_text(text)
    write_packages(compile_idl([tmp_path / f"{name}.idl" for name in EVERYTHING]), tmp_path / "stubs")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", tmp_path / "stubs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _mypy(folder: Path, file: str) -> str:
    root = Path(__file__).parents[2]
    (folder / "mypy.ini").write_text(
        f"[mypy]\nstrict = true\nmypy_path = {root}\ncache_dir = {folder / 'cache'}\n"
        "[mypy-iiop.*,ior.*]\nfollow_imports = silent\n"
        "[mypy-construct.*]\nignore_missing_imports = true\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "-p", "stubs", "-m", file.removesuffix(".py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


USE = """
from __future__ import annotations

import asyncio

from iiop.iop import IOR
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from stubs import Bank, U, V


class Kept(Bank.AccountServant):
    def _get_balance(self) -> int:
        return 5

    async def _get_owner(self) -> str:
        return "me"

    def _set_owner(self, value: str) -> None: ...

    def withdraw(self, cents: int, why: str) -> tuple[int, str, tuple[Bank.Entry, ...]]:
        raise Bank.Account.Closed(Bank.State.closed)

    def notify(self, text: str) -> None: ...

    async def other(self, like: IOR) -> IOR:
        return like


def blocking(client: Client, reference: IOR) -> int:
    account = client.stub(reference, Bank.Account)
    left, why, lines = account.withdraw(Bank.LIMIT, "rent")
    return left + lines[0].cents + len(why)


async def awaited(client: AsyncClient, reference: IOR) -> int:
    account = client.stub(reference, Bank.SavingsAsync)
    task = asyncio.create_task(account.withdraw(5, why="rent"))
    rate: float = await account.rate()
    return (await task)[0] + int(rate)


some: U.Some = U.Some(True, 5)
node: V.Node = V.Node(1, V.Node(2, None))
"""

MISUSE = """
from iiop.net.client import Client
from iiop.iop import IOR
from stubs import Bank


class Kept(Bank.AccountServant):
    def _get_balance(self) -> str:  # wrong
        return ""


def blocking(client: Client, reference: IOR) -> str:
    client.stub(reference, Bank.AccountAsync)  # wrong
    account = client.stub(reference, Bank.Account)
    account.withdraw("five", "rent")  # wrong
    return account._get_balance()  # wrong
"""


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Bank.idl").write_text(BANK)
    assert main([str(tmp_path / "Bank.idl"), "-o", str(tmp_path / "stubs")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "stubs" / "__init__.py"),
        str(tmp_path / "stubs/Bank/__init__.py"),
    ]
    code = "import sys; sys.modules['_omniidl'] = None; from stubs.Bank import Account; print(Account.CURRENCY)"
    env = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout == "EUR\n"


def test_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.idl").write_text("module M {\n struct S { long a;")
    assert main([str(tmp_path / "bad.idl"), "-o", str(tmp_path / "stubs")]) == 1
    assert "bad.idl:3: Syntax error" in capsys.readouterr().err
    assert not (tmp_path / "stubs").exists()
    assert main([str(tmp_path / "absent.idl"), "-o", str(tmp_path / "stubs")]) == 2
    assert "absent.idl" in capsys.readouterr().err
    assert main([]) == 2
    assert main([str(tmp_path / "bad.idl"), "-o", str(tmp_path / "my-stubs")]) == 2
    assert "identifier" in capsys.readouterr().err
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "_omniidl.py").write_text("raise ImportError('No module named _omniidl')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    capsys.readouterr()
    assert main([str(tmp_path / "bad.idl"), "-o", str(tmp_path / "stubs")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'iiopkit[idl]'" in line
    with pytest.raises(NoCompilerError):
        load(tmp_path / "bad.idl")


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ('#include "nowhere.idl"', 1, ["{idl}:1: nowhere.idl: No such file or directory"]),
        ("module M { struct S { long a }; };", 1, ["{idl}:1: Syntax error in member declaration"]),
        ("", 0, []),
        ("module for { struct class { long import; }; };", 0, []),
        ("module A { struct X { long a; }; }; module B { struct Y { A::X x; }; }; module A { struct Z { B::Y y; }; };", 0, []),
        (
            "struct S { long a; };\nmodule given_idl { struct S { long b; }; };",
            1,
            ["{idl}:2: S ({idl}:1) and given_idl::S would both be given_idl.S in Python"],
        ),
        (
            "interface A { void repository_id(); };\ninterface B : A {\n void repository_id_(); };",
            1,
            ["{idl}:2: operations repository_id and repository_id_ of B would both be repository_id_ in Python"],
        ),
    ],
)
def test_one_line_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, status: int, told: list[str]
) -> None:
    idl = tmp_path / "given.idl"
    idl.write_text(text)
    assert main([str(idl), "-o", str(tmp_path / "stubs")]) == status
    lines = [line.removeprefix("iiop-idl: ") for line in capsys.readouterr().err.splitlines()]
    assert lines == [line.format(idl=idl) for line in told]
    done = subprocess.run([sys.executable, "-m", "compileall", "-q", tmp_path], check=False)
    assert done.returncode == 0


def test_folders_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "given.idl").write_text("struct S { long a; };")
    (tmp_path / "taken").write_text("a file")
    for folder in ("taken", "taken/inside"):
        assert main([str(tmp_path / "given.idl"), "-o", str(tmp_path / folder)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(tmp_path / folder) in line
    assert main([str(tmp_path), "-o", str(tmp_path / "stubs")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is a directory" in line

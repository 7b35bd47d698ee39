"""The plugin in repositories that have modules and folders named as ours, and in one that has the wheel only."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

THEIR_NAMING = """
import time

def theirs():
    return "theirs"
"""

THEIR_TESTS = """
import sys
import naming
from tools.helper import helped

from iiop.idl import Interface
from iiop.net.client import Client
from iiop_lab.peer import expect, reply


def test_theirs(iiop_peer):
    iiop_peer.script(expect("_non_existent"), reply(False, bool))
    assert naming.theirs() == "theirs"
    assert helped() == "helped"
    with Client() as client:
        assert not client.stub(iiop_peer.reference(), Interface)._non_existent()


def test_ours_beside_theirs(naming_server, virtual_host, make_naming_server, corba_clock):
    other = make_naming_server(profile="interstage")
    with Client() as client:
        for reference in (naming_server.ior, other.ior):
            assert not client.stub(reference.to_iop(), Interface)._non_existent()
    corba_clock.advance(10.0)


def test_nodes(lab):
    assert lab.virtual_host.port != lab.nodes["host1"].port
    with Client() as client:
        assert not client.stub(lab.nodes["host1"].work_units["ISSAMPLE1"].references[0].to_iop(), Interface)._non_existent()


def test_theirs_again():
    from naming import theirs

    assert theirs() == "theirs"
    assert naming.time.monotonic is not None
    assert [name for name in sys.modules if name.startswith("naming.")] == []
"""

THEIRS_LATER = """
def test_theirs_later(naming_server, corba_clock):
    from naming import theirs

    assert naming_server.port
    assert theirs() == "theirs"
"""

OURS = """
from naming import NameService

def test_ours(naming_server, virtual_host):
    for address in (naming_server.corbaloc, virtual_host.address):
        with NameService(address) as names:
            assert names.root.list(1)[0] == ()
"""

FAILS = """
def test_fails(naming_server):
    from iiop.idl import Interface
    from iiop.net.client import Client

    with Client() as client:
        client.stub(naming_server.ior.to_iop(), Interface)._non_existent()
    assert False
"""


def make_repository(folder: Path, *, conftest: str = "conftest.py") -> Path:
    """Make somebody's repository, with folders `tools` and `tests` and a module `naming`."""
    repository = folder / "repository"
    for name, text in {
        "naming.py": THEIR_NAMING,
        conftest: "import naming\n",
        "tools/__init__.py": "",
        "tools/helper.py": "def helped():\n    return 'helped'\n",
        "tests/__init__.py": "",
        "tests/test_theirs.py": THEIR_TESTS,
    }.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    return repository


def clean_env(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Return our environment without what these tests run by."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHONPATH"))} | (extra or {})


def run_pytest(
    python: str | Path, repository: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={repository.parent / 'temp'}", *options]
    return subprocess.run(
        command,
        cwd=repository,
        env=clean_env(env),
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )


OUR_PATH = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools"), str(ROOT / "fuzz")])}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ((), OUR_PATH),
        (("--import-mode=importlib",), OUR_PATH),
        (("-o", "pythonpath=."), OUR_PATH),
        (("-p", "naming"), OUR_PATH),
        (("-n2",), OUR_PATH),
    ],
    ids=["as ever", "importlib", "pythonpath", "their naming as a plugin", "xdist"],
)
def test_a_repository_with_names_as_ours(tmp_path: Path, options: tuple[str, ...], path: dict[str, str]) -> None:
    done = run_pytest(sys.executable, make_repository(tmp_path), *options, env=path)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_a_module_beside_the_test_file(tmp_path: Path) -> None:
    """pytest itself puts the folder of the test file first, where neither it nor the command is in the root."""
    repository = make_repository(tmp_path, conftest="tests/conftest.py")
    for name in ("naming.py", "tests/__init__.py"):
        (repository / name).unlink()
    (repository / "tests" / "naming.py").write_text(THEIR_NAMING)
    done = run_pytest(sys.executable, repository, env=OUR_PATH)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_theirs_that_is_imported_after_ours(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    (repository / "conftest.py").unlink()
    (repository / "tests" / "test_theirs.py").write_text(THEIRS_LATER)
    done = run_pytest(sys.executable, repository, env=OUR_PATH)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.xdist_group("wheel")
def test_a_repository_with_the_wheel_only(tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("hatchling, which builds the wheel, is not installed")
    env = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1"}

    def step(*command: str | Path) -> None:
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, timeout=100
        )
        assert not done.returncode, done.stdout + done.stderr

    step(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("iiopkit-*.whl")
    step(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    # What the wheel depends on is there already, in the environment of these tests, where iiopkit is too, but later on the path.
    (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    step(sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", site, wheel)
    (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    repository = make_repository(tmp_path)
    (repository / "tests" / "test_fails.py").write_text(FAILS)
    done = run_pytest(python, repository, "--iiop-pcap=pcap")
    assert "1 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    assert len(list((repository / "pcap").iterdir())) == 1

    (other := tmp_path / "other").mkdir()
    (other / "test_ours.py").write_text(OURS)
    done = run_pytest(python, other, "-W", "error", "--iiop-pcap=always")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    shown = "import iiop, naming; print(iiop.__file__, naming.__file__)"
    where = subprocess.run([python, "-c", shown], env=clean_env(), capture_output=True, text=True, check=True, cwd=other)
    assert all(path.startswith(str(site)) for path in where.stdout.split())

    listed = "import sys; from iiop_lab.cli import main; sys.exit(main(['scenarios']))"
    scenarios = subprocess.run([python, "-c", listed], env=clean_env(), capture_output=True, text=True, check=True, cwd=other)
    assert "3.4.1-workunit-termination" in scenarios.stdout

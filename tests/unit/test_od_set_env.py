"""OD_set_env: the host in references that a node makes; set, shown, undone, refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iiop_tools.od_or_adm import main as od_or_adm
from iiop_tools.od_set_env import main
from ior import IOR
from naming.node import Node, NodeError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "node"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc" / "config").write_text("IIOP_hostname = host1\n")
    monkeypatch.setenv("OD_HOME", str(folder))
    for variable in ("IS_SYSTEM", "OD_SYSTEMS"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["--show"]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1].removeprefix("Error: ").removeprefix("OD_set_env: ")


@pytest.mark.parametrize(("option", "host"), [("-n", "vhost"), ("-v", "10.34.157.101"), ("-v", "2001:db8::1")])
def test_references_made_from_now_on_carry_it(capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, host: str) -> None:
    assert main([option, host]) == 0
    assert capsys.readouterr() == (
        f"New references carry {host}; if the Naming Service runs, start it again, so that its own do too.\n",
        "",
    )
    assert shown(capsys) == f"{host}\n"
    assert od_or_adm(["-c", "IDL:x:1.0", "-o", str(tmp_path / "ior")]) == 0
    assert IOR.from_string((tmp_path / "ior").read_text()).endpoints()[0].host == host


def test_it_wins_over_the_config_until_it_is_undone(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert shown(capsys) == "host1\n"
    assert main(["-n", "vhost"]) == 0
    assert shown(capsys) == "vhost\n"
    assert main(["-v", "127.0.0.1"]) == 0
    assert shown(capsys) == "127.0.0.1\n"
    assert main(["--unset"]) == main(["--unset"]) == 0
    assert shown(capsys) == "host1\n"
    (home / "etc" / "config").unlink()
    assert (shown(capsys).strip(), Node(home).set_host) == (Node(home).host_name, None)


def test_a_node_without_a_folder_etc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OD_HOME", str(tmp_path))
    assert main(["-n", "vhost"]) == 0
    assert shown(capsys) == "vhost\n"


def test_an_extended_system_has_its_own(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "system" / "system1").mkdir(parents=True)
    assert main(["-n", "vhost1", "-M", "system1"]) == 0
    assert shown(capsys) == "host1\n"
    assert main(["--show", "-M", "system1"]) == 0
    assert capsys.readouterr().out == "vhost1\n"


def test_many_at_once_leave_one_of_them_whole(home: Path) -> None:
    code = "import sys; from iiop_tools.od_set_env import main; sys.exit(main(['-n', sys.argv[1]]))"
    hosts = [f"host{number}" for number in range(6)]
    children = [subprocess.Popen([sys.executable, "-c", code, host], stdout=subprocess.DEVNULL) for host in hosts]
    assert [child.wait(60) for child in children] == [0] * 6
    assert Node(home).set_host in hosts
    assert sorted(path.name for path in (home / "etc").iterdir()) == ["config", "set_host"]


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "give exactly one of -n host, -v address, --unset and --show"),
        (["-n", "a", "-v", "1.2.3.4"], "give exactly one of -n host, -v address, --unset and --show"),
        (["-n", "a", "--unset"], "give exactly one of -n host, -v address, --unset and --show"),
        (["-n", "192.0.2.10"], "Invalid value for '-n': 192.0.2.10 is an address; give it with -v"),
        (["-n", "a b"], "Invalid value for '-n': 'a b': "),
        (["-n", ""], "Invalid value for '-n': '': "),
        (["-n", "vhost:8002"], "Invalid value for '-n': 'vhost:8002': "),
        (["-v", "vhost"], "Invalid value for '-v': 'vhost' is no IP address; give a host name with -n"),
        (["-v", "fe80::1%eth0"], "Invalid value for '-v': 'fe80::1%eth0' is no IP address"),
        (["-n", "a", "b"], "Got unexpected extra argument (b)"),
        (["-n", "a", "-M", "absent"], "there is no system absent"),
        (["-n", "a", "-M", "../x"], "'../x' is no name of a system"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], home: Path, argv: list[str], why: str) -> None:
    assert refused(capsys, *argv).startswith(why)
    assert not (home / "etc" / "set_host").exists()


@pytest.mark.parametrize("octets", [b"", b"\n", b"a b\n", b"\xff\n"])
def test_a_file_that_holds_no_host(capsys: pytest.CaptureFixture[str], home: Path, octets: bytes) -> None:
    (home / "etc" / "set_host").write_bytes(octets)
    with pytest.raises(NodeError, match=r"set_host: .*; OD_set_env writes it anew"):
        _ = Node(home).host_name
    assert refused(capsys, "--show").startswith(str(home / "etc" / "set_host"))
    assert main(["-n", "vhost"]) == 0
    assert shown(capsys) == "vhost\n"


def test_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "etc" / "set_host").mkdir()
    assert "Is a directory" in refused(capsys, "-n", "vhost")


def test_help_says_what_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "Of the real command only -n and -v are documented" in " ".join(capsys.readouterr().out.split())

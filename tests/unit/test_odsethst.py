"""The command odsethst: its arguments, the file it changes, and addresses behind a virtual host."""

from __future__ import annotations

from pathlib import Path

import pytest

from iiop_tools.odsethst import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "node"
    (folder / "etc").mkdir(parents=True)
    monkeypatch.setenv("OD_HOME", str(folder))
    return folder


def said(capsys: pytest.CaptureFixture[str], *argv: str, code: int) -> str:
    """Run a command that fails, and return the one line that says why."""
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line and not line.startswith(("Usage: ", "Try '"))]
    assert len(lines) == 1, err
    return lines[0].removeprefix("Error: ").removeprefix("odsethst: ")


def test_hosts_are_added_listed_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "etc" / "initial_hosts"
    assert main(["-l"]) == 0
    assert main(["-a", "-h", "vhost", "-p", "8002"]) == 0
    assert main(["-a", "-h", "host2", "-p", "8003"]) == 0
    assert main(["-a", "-h", "VHOST", "-p", "8002"]) == 0
    assert file.read_text() == "vhost 8002\nhost2 8003\n"
    assert main(["-l"]) == 0
    assert capsys.readouterr().out == "vhost 8002\nhost2 8003\n"
    assert main(["-d", "-h", "vhost", "-p", "8002"]) == 0
    assert file.read_text() == "host2 8003\n"
    assert said(capsys, "-d", "-h", "vhost", "-p", "8002", code=1) == f"{file}: vhost 8002 is not there"


def test_what_was_written_by_hand_is_kept(home: Path) -> None:
    file = home / "etc" / "initial_hosts"
    file.write_text("# ours\nwhat is this 7\nvhost\n")
    assert main(["-a", "-h", "host2", "-p", "8002"]) == 0
    assert main(["-d", "-h", "vhost", "-p", "8002"]) == 0
    assert file.read_text() == "# ours\nwhat is this 7\nhost2 8002\n"


def test_a_line_that_is_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "etc" / "initial_hosts"
    file.write_text("vhost 8002\nvhost:8002\n")
    assert said(capsys, "-l", code=2).startswith(f"{file}, line 2: 'vhost:8002' is no IPv6 address")


def test_the_file_of_windows(home: Path) -> None:
    (home / "etc" / "inithost").write_bytes(b"vhost 8002\r\n")
    assert main(["-a", "-h", "host2", "-p", "8002"]) == 0
    assert (home / "etc" / "inithost").read_bytes() == b"vhost 8002\r\nhost2 8002\r\n"
    assert not (home / "etc" / "initial_hosts").exists()


def test_an_address_behind_a_virtual_host(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "etc" / "set_host").write_text("vhost\n")
    why = said(capsys, "-a", "-h", "192.0.2.10", "-p", "8002", code=2)
    assert why.startswith(
        "the servers are behind the virtual host vhost, which clients name by its host name, never by an IP address"
    )
    assert not (home / "etc" / "initial_hosts").exists()
    assert main(["-a", "-h", "192.0.2.10", "-p", "8002", "--allow-address"]) == 0
    assert main(["-a", "-h", "vhost", "-p", "8002"]) == 0
    assert (home / "etc" / "initial_hosts").read_text() == "192.0.2.10 8002\nvhost 8002\n"


@pytest.mark.parametrize("set_host", [None, "10.34.157.101\n"])
def test_the_procedure_for_clusters(home: Path, set_host: str | None) -> None:
    """Its clients are given the inherited address, which OD_set_env -v has set on the servers."""
    if set_host is not None:
        (home / "etc" / "set_host").write_text(set_host)
    assert main(["-a", "-h", "10.34.157.101", "-p", "8002"]) == 0
    assert (home / "etc" / "initial_hosts").read_text() == "10.34.157.101 8002\n"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "give exactly one of -a, -d and -l"),
        (["-a", "-d", "-h", "v", "-p", "1"], "give exactly one of -a, -d and -l"),
        (["-h", "v", "-p", "1"], "give exactly one of -a, -d and -l"),
        (["-a"], "-h HostName and -p PortNum are both needed"),
        (["-a", "-h", "v"], "-h HostName and -p PortNum are both needed"),
        (["-d", "-p", "1"], "-h HostName and -p PortNum are both needed"),
        (["-l", "-h", "v"], "-l takes neither -h nor -p"),
        (["-d", "-h", "v", "-p", "1", "--allow-address"], "--allow-address goes with -a"),
        (["-a", "-h", "v", "-p", "0"], "Invalid value for '-p': 0 is not in the range 1<=x<=65535."),
        (["-a", "-h", "", "-p", "1"], "a host is missing"),
        (["-a", "-h", "v host", "-p", "1"], "' ' cannot stand in a host name"),
        (["-a", "-h", "#vhost", "-p", "1"], "'#' cannot stand in a host name"),
        (["-a", "-h", "vhost:8002", "-p", "1"], "'vhost:8002' is no IPv6 address"),
        (["-a", "-h", "v", "-p", "1", "more"], "Got unexpected extra argument (more)"),
    ],
)
def test_wrong_use(home: Path, capsys: pytest.CaptureFixture[str], argv: list[str], why: str) -> None:
    assert said(capsys, *argv, code=2).startswith(why)
    assert list((home / "etc").iterdir()) == []


def test_a_node_that_cannot_be_used(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "etc" / "set_host").write_text("v host\n")
    assert said(capsys, "-a", "-h", "192.0.2.10", "-p", "1", code=2).startswith(str(home / "etc" / "set_host"))
    (home / "etc" / "initial_hosts").mkdir()
    assert said(capsys, "-l", code=2) == f"{home / 'etc' / 'initial_hosts'}: Is a directory"
    monkeypatch.delenv("OD_HOME")
    assert said(capsys, "-l", code=2).startswith("OD_HOME is not set")


def test_help_says_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Of the real command only -a -h -p is documented." in text
    assert "Exit status: 0 done, 1 the host to remove is not there" in text

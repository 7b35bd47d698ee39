"""esgetchnlior and esetchnlior: the event channels of a group, from one node's Naming Service into a file, and into another's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.exceptions import ReferenceFormatError
from iiop_tools.es_channels import main_get, main_set
from ior import IOR, IORBuilder
from naming import NameService, parse_name
from naming.channels import Channel, format_channels, parse_channels
from naming.names import format_name
from naming.node import Node
from naming.node_server import NodeServer
from naming.types import NameComponent
from tests.peers import free_port

N = parse_name
NOTIFY, EVENT = "IDL:omg.org/CosNotifyChannelAdmin/EventChannel:1.0", "IDL:CosEventChannelAdmin/EventChannel:1.0"


def reference(type_id: str = NOTIFY, key: bytes = b"channel") -> IOR:
    return IORBuilder(type_id).iiop("10.34.157.101", 8002, key=key, version=(1, 0)).build()


ONE, TWO = reference(key=b"1"), reference(EVENT, b"2")


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two nodes that are stopped; commands act on the first."""
    for variable in ("IIOP_HOSTS", "IS_SYSTEM", "OD_SYSTEMS"):
        monkeypatch.delenv(variable, raising=False)
    homes = tmp_path / "node1", tmp_path / "node2"
    for home in homes:
        (home / "etc").mkdir(parents=True)
        (home / "etc" / "config").write_text(f"IIOP_hostname = 127.0.0.1\nIIOP_port = {free_port()}\n")
    monkeypatch.setenv("OD_HOME", str(homes[0]))
    bind(homes[0], {"G::one": ONE, "G::two": TWO, "G::other": reference("IDL:TDsample/x:1.0"), "GG::three": ONE, "G:four": ONE})
    return homes


def bind(home: Path, references: dict[str, IOR]) -> None:
    with NodeServer(Node(home)) as server, NameService(server.corbaloc) as names:
        for name, each in references.items():
            names.root.rebind(N(name), each)


def bound(home: Path) -> dict[str, IOR]:
    with NodeServer(Node(home)) as server, NameService(server.corbaloc) as names:
        found = [format_name(binding.binding_name) for binding in names.root.list(100)[0]]
        return {name: names.resolve(name) for name in found}


def test_from_one_node_to_the_other(
    homes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_get(["-g", "G", "-p", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "esgetchnlior: G::other is left out: 'IDL:TDsample/x:1.0' is no event channel\n")
    file = tmp_path / "G.ior"
    assert file.read_text() == f"# event channels of group G: name, reference\nG::one {ONE}\nG::two {TWO}\n"
    monkeypatch.setenv("OD_HOME", str(homes[1]))
    for _ in range(2):  # the second time, they are there
        assert main_set(["-f", str(file)]) == 0
        assert capsys.readouterr() == ("", "")
        assert bound(homes[1]) == {"G::one": ONE, "G::two": TWO}


def test_a_server_that_runs(homes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main_get(["-g", "G", "-p", str(tmp_path)]) == 0
    with NodeServer(Node(homes[1])) as server, NameService(server.corbaloc) as names:
        monkeypatch.setenv("OD_HOME", str(homes[1]))
        assert main_set(["-f", str(tmp_path / "G.ior")]) == 0
        assert names.resolve("G::two") == TWO
        (tmp_path / "G.ior").unlink()
        assert main_get(["-g", "G", "-p", str(tmp_path)]) == 0
    assert (tmp_path / "G.ior").read_text().splitlines()[1:] == [f"G::one {ONE}", f"G::two {TWO}"]


def test_what_is_bound_to_something_else_stays(
    homes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_get(["-g", "G", "-p", str(tmp_path)]) == 0
    capsys.readouterr()
    stale = reference(key=b"stale")
    bind(homes[1], {"G::one": stale})
    monkeypatch.setenv("OD_HOME", str(homes[1]))
    assert main_set(["-f", str(tmp_path / "G.ior")]) == 1
    why = "esetchnlior: G::one is bound to something else; delete it first: OD_or_adm -d -n G::one\n"
    assert capsys.readouterr() == ("", why)
    assert bound(homes[1]) == {"G::one": stale, "G::two": TWO}


def test_a_group_without_channels(homes: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main_get(["-g", "absent", "-p", str(tmp_path)]) == 1
    assert capsys.readouterr() == ("", "esgetchnlior: there are no event channels of group absent\n")
    assert not list(tmp_path.glob("*.ior"))


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["-p", "."], "Missing option '-g'."),
        (["-g", "G"], "Missing option '-p'."),
        (["-g", "", "-p", "."], "Invalid value for '-g': '': a group's name has at least one character, and no slash"),
        (["-g", "../G", "-p", "."], "Invalid value for '-g': '../G': a group's name has"),
        (["-g", "G", "-p", "/absent"], "Invalid value for '-p': Directory '/absent' does not exist."),
        (["-g", "G", "-p", __file__], f"Invalid value for '-p': Directory '{__file__}' is a file."),
        (["-g", "G", "-p", ".", "-M", "absent"], "there is no system absent"),
    ],
)
def test_wrong_use_of_esgetchnlior(
    homes: tuple[Path, Path], capsys: pytest.CaptureFixture[str], argv: list[str], why: str
) -> None:
    assert main_get(argv) == 2
    assert capsys.readouterr().err.splitlines()[-1].removeprefix("Error: ").removeprefix("esgetchnlior: ").startswith(why)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no channel in it"),
        (b"# G::x IOR:00\n\n", "no channel in it"),
        (b"G::one\n", "line 1 is not of the form: name, blank, IOR:..."),
        (f"G::one {ONE}\n/G::two {TWO}\n".encode(), "line 2 is not of the form: name, blank, IOR:...: an empty name component"),
        (b"G::one IOR:0000\n", "line 1: the reference cannot be read: "),
        (b"\xff\n", "'utf-8' codec"),
    ],
)
def test_files_that_are_none_bind_nothing(
    homes: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    why: str,
) -> None:
    monkeypatch.setenv("OD_HOME", str(homes[1]))
    file = tmp_path / "G.ior"
    file.write_bytes(content)
    assert main_set(["-f", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"esetchnlior: {file}: {why}")


def test_wrong_use_of_esetchnlior(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_set([]) == 2
    assert "Missing option '-f'." in capsys.readouterr().err
    assert main_set(["-f", "/absent"]) == 2
    assert "File '/absent' does not exist." in capsys.readouterr().err


texts = st.text(st.sampled_from("G:# a/.\\\n\t\u2028\u53e3"), max_size=8)
channels = st.lists(
    st.builds(Channel, st.builds(NameComponent, texts).map(lambda each: format_name((each,))), st.sampled_from([ONE, TWO])),
    min_size=1,
    max_size=4,
).map(tuple)


@given(texts, channels)
def test_a_file_reads_back(group: str, written: tuple[Channel, ...]) -> None:
    assert parse_channels(format_channels(group, written)) == written


def test_a_line_that_is_commented_out() -> None:
    text = format_channels("G", [Channel("G::one", ONE), Channel("#", TWO)])
    assert parse_channels(text.replace("G::one", "# G::one")) == (Channel("#", TWO),)
    with pytest.raises(ReferenceFormatError, match="no channel"):
        parse_channels("")


@pytest.mark.parametrize(("main", "known"), [(main_get, "-g, -p and the name of the file are"), (main_set, "only -f is")])
def test_help_says_what_is_documented(capsys: pytest.CaptureFixture[str], main: Callable[[list[str]], int], known: str) -> None:
    assert main(["--help"]) == 0
    assert f"Of the real command {known} documented" in " ".join(capsys.readouterr().out.split())

"""OD_or_adm against the Naming Service of a node that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iiop.profile import Version
from iiop_tools.od_or_adm import main
from naming import NameService, NamingServer
from naming.names import parse_name
from naming.types import NotFound

INTERFACE = "IDL:TDsample/tdtest:1.0"
NAME = "TDsample::tdtest"
DOCUMENTED = ["-c", INTERFACE, "-a", "FUJITSU-Interstage-TDLC", "-n", NAME, "-h", "vhost", "-p", "8002"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "node"
    (folder / "etc").mkdir(parents=True)
    monkeypatch.setenv("OD_HOME", str(folder))
    monkeypatch.delenv("IIOP_HOSTS", raising=False)
    return folder


@pytest.fixture
def names(home: Path) -> Iterator[NameService]:
    """The node, running; as its clients see it."""
    with NamingServer(home / "etc" / "CosNaming") as server, NameService(f"127.0.0.1:{server.port}") as names:
        (home / "etc" / "config").write_text(f"IIOP_hostname = 127.0.0.1\nIIOP_port = {server.port}\n")
        yield names


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err.removeprefix("OD_or_adm: ").rstrip("\n")


def test_the_example_of_the_manual(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    assert capsys.readouterr() == ("", "")
    reference = names.resolve(NAME)
    assert reference.type_id == INTERFACE
    (endpoint,) = reference.endpoints()
    assert (endpoint.host, endpoint.port, endpoint.version) == ("vhost", 8002, Version(1, 0))  # (vhost:8002:1.0:)
    assert endpoint.object_key == b"FUJITSU-Interstage-TDLC|IDL:TDsample/tdtest:1.0"


def test_without_a_host_it_is_that_of_the_node(names: NameService) -> None:
    assert main(["-c", INTERFACE, "-n", NAME]) == 0
    (endpoint,) = names.resolve(NAME).endpoints()
    assert f"{endpoint.host}:{endpoint.port}" == names.address


def test_bound_already(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    before = names.resolve(NAME)
    why = refused(capsys, "-c", "IDL:other:1.0", "-n", NAME)
    assert why == f"{NAME} is bound already; delete it first: OD_or_adm -d -n {NAME}"
    assert names.resolve(NAME) == before


def test_deleted_and_made_again(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    assert main(["-d", "-n", NAME]) == 0
    with pytest.raises(NotFound):
        names.resolve(NAME)
    assert main(DOCUMENTED) == 0
    assert capsys.readouterr() == ("", "")


def test_deletion_of_what_is_not_bound(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "-d", "-n", NAME) == f"{NAME}: {NAME} is not there"
    assert refused(capsys, "-d", "-n", r"a\.b.kind/c") == r"a\.b.kind/c: a\.b.kind is not there"


def test_a_context_that_is_not_there(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "-c", INTERFACE, "-n", "shop/till") == "shop/till: shop is not there"


def test_in_a_context(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    names.root.bind_new_context(parse_name("shop.context"))
    assert main(["-c", INTERFACE, "-n", "shop.context/till"]) == 0
    assert names.resolve("shop.context/till").type_id == INTERFACE
    assert refused(capsys, "-d", "-n", "shop.context/scale") == "shop.context/scale: scale is not there"
    assert main(["-d", "-n", "shop.context/till"]) == 0


def test_below_what_is_no_context(names: NameService, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    assert refused(capsys, "-c", INTERFACE, "-n", f"{NAME}/x") == f"{NAME}/x: {NAME} is no context"


def test_the_host_of_the_node_is_looked_up_in_iiop_hosts(
    names: NameService, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = names.address.rpartition(":")[2]
    (home / "etc" / "config").write_text(f"IIOP_hostname = Host1.example\nIIOP_port = {port}\n")
    (tmp_path / "hosts").write_text("# loopback\n127.0.0.1 somebody host1.example  # in lower case\n")
    monkeypatch.setenv("IIOP_HOSTS", str(tmp_path / "hosts"))
    assert main(["-c", INTERFACE, "-n", NAME]) == 0
    assert names.resolve(NAME).endpoints()[0].host == "Host1.example"


def test_bindings_outlive_the_node(home: Path) -> None:
    for argv in (DOCUMENTED, ["-d", "-n", NAME]):
        with NamingServer(home / "etc" / "CosNaming") as server:
            (home / "etc" / "config").write_text(f"IIOP_hostname = 127.0.0.1\nIIOP_port = {server.port}\n")
            assert main(argv) == 0

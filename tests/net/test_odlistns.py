"""odlistns, of a node that runs and of one that does not: what it shows, in which order, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from iiop.iop import NIL
from iiop_tools.odlistns import main
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.bootstrap import INIT, InitialReferences
from naming.interfaces import NamingContextExt
from naming.listings import parse_bindings
from naming.model import Profile
from naming.node import Node as Folder
from naming.node_server import NodeServer, administer
from tests.peers import free_port

N = parse_name
TDTEST = IORBuilder("IDL:TDsample/tdtest:1.0").iiop("vhost", 8002, key=b"FUJITSU-Interstage-TDLC|x", version=(1, 0)).build()
HEADINGS = ["Name(Type)  Object information(detail)", "            Default object information(detail)"]


class Node:
    """A node's folder, served or not; its references carry `vhost`, which leads nowhere."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "etc" / "CosNaming"
        self.port = free_port()
        self.folder.parent.mkdir(parents=True)
        (home / "etc" / "config").write_text(f"IIOP_hostname = 127.0.0.1\nIIOP_port = {self.port}\n")
        (home / "etc" / "set_host").write_text("vhost\n")

    def server(self, profile: Profile = Profile.omg) -> NamingServer:
        return NodeServer(Folder(self.home), profile=profile)

    def names(self) -> NameService:
        """The Naming Service where it is reached; its contexts are at the address that their references tell."""
        return NameService(f"127.0.0.1:{self.port}", hosts={"vhost": "127.0.0.1"})


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setenv("OD_HOME", str(tmp_path / "node"))
    for variable in ("IIOP_HOSTS", "IS_SYSTEM", "OD_SYSTEMS"):
        monkeypatch.delenv(variable, raising=False)
    return Node(tmp_path / "node")


@pytest.fixture(params=[True, False], ids=["running", "stopped"])
def filled(node: Node, request: pytest.FixtureRequest) -> Iterator[Node]:
    """shop.ctx/till, shop.ctx/deep (a context), back there: shop.ctx and the root; again (shop.ctx); TDsample::tdtest."""
    with node.server() as server, node.names() as names:
        root = names.root
        shop = root.bind_new_context(N("shop.ctx"))
        root.bind(N("TDsample::tdtest"), TDTEST)
        root.bind(N("shop.ctx/till"), TDTEST)
        root.bind_new_context(N("shop.ctx/deep"))
        root.bind_context(N("shop.ctx/deep/back"), shop)
        root.bind_context(N("shop.ctx/deep/top"), server.ior)
        root.bind_context(N("again"), shop)
        if request.param:
            yield node
            return
    yield node


def listed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> str:
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1].removeprefix("Error: ").removeprefix("odlistns: ")


def test_names_and_types(filled: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys) == "Name(Type)\nTDsample::tdtest(o)\nagain(c)\nshop.ctx(c)\n"


def test_shared_and_cyclic_contexts_are_entered_once(filled: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "-R").splitlines() == [
        "Name(Type)",
        "TDsample::tdtest(o)",
        "again(c)",
        "again/deep(c)",
        "again/deep/back(c)",
        "again/deep/top(c)",
        "again/till(o)",
        "shop.ctx(c)",
    ]


def test_below_a_context(filled: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "shop.ctx") == "Name(Type)\nshop.ctx/deep(c)\nshop.ctx/till(o)\n"
    assert listed(capsys, "shop.ctx/deep").splitlines()[1:] == ["shop.ctx/deep/back(c)", "shop.ctx/deep/top(c)"]
    assert listed(capsys, "-R", "shop.ctx/deep/top").splitlines()[1:3] == [
        "shop.ctx/deep/top/TDsample::tdtest(o)",
        "shop.ctx/deep/top/again(c)",
    ]


def test_what_is_known_of_each(filled: Node, capsys: pytest.CaptureFixture[str]) -> None:
    text = listed(capsys, "-l", "--width", "0")
    assert text.splitlines()[:3] == [
        *HEADINGS,
        "TDsample::tdtest(o) IDL:TDsample/tdtest:1.0, (vhost:8002:1.0:), FUJITSU-Interstage-TDLC%7cx",
    ]
    again, shop = parse_bindings(text)[1:]
    assert again.information == shop.information
    assert again.information.repository_ids == ("IDL:CosNaming/NamingContextExt:1.0", "IDL:CosNaming/NamingContext:1.0")
    assert again.information.address is not None
    assert (again.information.address.host, again.information.address.port) == ("vhost", filled.port)
    assert again.information.detail.startswith("context.")
    assert parse_bindings(listed(capsys, "-l")) == parse_bindings(text)


def test_a_node_that_runs_and_one_that_does_not_give_the_same_text(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with node.server(), node.names() as names:
        names.root.bind_new_context(N("NC001"))
        names.root.bind(N("NC001/TDsample::tdtest"), TDTEST)
        running = listed(capsys, "-l", "-R")
    assert listed(capsys, "-l", "-R") == running
    assert len(parse_bindings(running)) == 2


def test_a_node_keeps_its_profile_whether_it_runs_or_not(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile that is given for one run is that of the run alone."""
    config = node.home / "etc" / "config"
    config.write_text(f"{config.read_text()}iiopkit_profile = interstage\n")
    with NodeServer(Folder(node.home)), node.names() as names:
        names.root.bind_new_context(N("NC001"))
        running = listed(capsys, "-l")
    assert f"{node.port}:1.0:)" in running
    assert listed(capsys, "-l") == running
    with node.server(Profile.omg):
        assert f"{node.port}:1.2:)" in listed(capsys, "-l")


def test_the_row_of_the_manual(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it but the context id, whose seconds are those of today, and the port that was free."""
    with node.server(Profile.interstage), node.names() as names:
        names.root.bind_new_context(N("NC001"))
        text = listed(capsys, "-l", "-R")
        (row,) = parse_bindings(text)
    assert text == (
        "Name(Type)  Object information(detail)\n"
        "            Default object information(detail)\n"
        "NC001(c)    IDL:CosNaming/NamingContextExt:1.0, IDL:CosNaming/NamingContext:1.0, (vhost:\n"
        f"{node.port}:1.0:), {row.information.detail}\n"
    )


def test_references_as_json(filled: Node, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(listed(capsys, "--json", "-R"))
    assert [row["name"] for row in rows][:3] == ["TDsample::tdtest", "again", "again/deep"]
    assert rows[0] == {
        "name": "TDsample::tdtest",
        "type": "nobject",
        "repository_id": "IDL:TDsample/tdtest:1.0",
        "host": "vhost",
        "port": 8002,
        "version": "1.0",
        "detail": "FUJITSU-Interstage-TDLC%7cx",
        "reference": str(TDTEST),
    }
    assert rows[1]["type"] == "ncontext"
    assert IOR.from_string(rows[1]["reference"]).type_id == NamingContextExt.repository_id


def test_nothing_bound(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with node.server():
        assert listed(capsys) == "Name(Type)\n"
        assert listed(capsys, "-l", "-R").splitlines() == HEADINGS
        assert json.loads(listed(capsys, "--json")) == []


def test_a_nil_reference_and_one_without_an_address(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with node.server(), node.names() as names:
        names.root.bind(N("nothing"), IOR("", ()))
        names.root.bind(N("odd"), IOR.from_string("IOR:000000000000000c49444c3a7833783a312e30000000000100000063000000020001"))
        assert listed(capsys, "-l").splitlines()[2:] == ["nothing(o)  nill_oref", "odd(o)      IDL:x3x:1.0, ()"]
        assert json.loads(listed(capsys, "--json"))[0]["host"] is None


def test_contexts_of_other_servers_are_shown_and_not_entered(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with NamingServer() as other, node.server(), node.names() as names:
        with NameService(other.corbaloc) as theirs:
            theirs.root.bind(N("inside"), TDTEST)
        names.root.bind_context(N("other"), other.ior)
        (row,) = parse_bindings(listed(capsys, "-l", "-R"))
        assert (row.type, row.information.detail) == ("c", "NameService")
        assert row.information.address is not None
        assert row.information.address.port == other.port
        assert refused(capsys, 1, "other") == "other is a context of another server"


def test_a_context_that_was_destroyed(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with node.server(), node.names() as names:
        gone = names.root.bind_new_context(N("gone"))
        names.root.bind(N("zoo"), TDTEST)
        names.client.stub(gone, NamingContextExt).destroy()
        assert main(["-R"]) == 0
        out, err = capsys.readouterr()
        assert out.splitlines() == ["Name(Type)", "gone(c)", "zoo(o)"]
        assert err.startswith("odlistns: gone: the context context.")
        assert err.endswith("is bound here, but was destroyed\n")
        assert refused(capsys, 1, "gone").endswith("is bound here, but was destroyed")


def test_names_of_any_language_and_those_that_would_mislead(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with node.server(), NameService(str(server_ior(node)), hosts={"vhost": "127.0.0.1"}) as names:
        for name in ("\u53e3\u5ea7", r"a\/b\.c.k", "a\n(c)  b", " x", "."):
            names.root.bind(N(name), TDTEST)
        text = listed(capsys, "-l")
        assert {row.name for row in parse_bindings(text)} == {"\u53e3\u5ea7", r"a\/b\.c.k", "a\n(c)  b", " x", "."}
        assert listed(capsys).splitlines()[1:] == [".(o)", r"\x20x(o)", r"a\x0a(c)  b(o)", r"a\/b\.c.k(o)", "\u53e3\u5ea7(o)"]


def test_a_name_that_the_server_cannot_send(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """References as the manual shows them tell no code sets."""
    with node.server(), NameService(str(server_ior(node)), hosts={"vhost": "127.0.0.1"}) as names:
        names.root.bind(N("\u53e3\u5ea7"), TDTEST)
    with node.server(Profile.interstage):
        assert refused(capsys, 2).startswith("the Naming Service of the node answers DATA_CONVERSION")
    assert listed(capsys) == "Name(Type)\n\u53e3\u5ea7(o)\n"


def server_ior(node: Node) -> IOR:
    """The reference of the root context, with its code sets."""
    with node.names() as names:
        at = IORBuilder("").iiop("127.0.0.1", node.port, key=INIT).build()
        return IOR.from_iop(names.client.stub(at, InitialReferences).get("NameService"))


def test_more_bindings_than_are_sent_at_once(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [f"n{number:04}(o)" for number in range(2500)]
    with node.server(), node.names() as names:
        for text in reversed(wanted):
            names.root.bind(N(text.removesuffix("(o)")), TDTEST)
        assert listed(capsys).splitlines()[1:] == wanted


def test_contexts_nested_deeply(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with node.server(), node.names() as names:
        context = names.root
        for _ in range(1200):
            context = names.client.stub(context.bind_new_context(N("c")), NamingContextExt)
        assert len(listed(capsys, "-R").splitlines()) == 1201


# --- two listings -----------------------------------------------------------------------------------------------------


def test_a_listing_compared_with_what_is_there(filled: Node, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "host1.txt"
    text = listed(capsys, "-l", "-R")
    saved.write_text(text, encoding="utf-8")
    assert listed(capsys, "-l", "-R", "--compare", str(saved)) == ""
    key = "FUJITSU-Interstage-TDLC%7cx"
    row = f"TDsample::tdtest(o) IDL:TDsample/tdtest:1.0, (vhost:8002:1.0:), {key}\n"
    saved.write_text(text.replace("TDsample::tdtest(o)", "TDsample::gone(o)", 1), encoding="utf-8")
    assert main(["-l", "-R", "--compare", str(saved)]) == 1
    assert capsys.readouterr().out == f"< {row.replace('::tdtest', '::gone')}> {row}"


def test_what_is_no_listing(filled: Node, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"IOR:00\n")
    assert refused(capsys, 2, "-l", "--compare", str(tmp_path / "x")).startswith(
        f"{tmp_path / 'x'}: line 1: not of the form: name"
    )
    (tmp_path / "x").write_bytes(b"\xff\n")
    assert refused(capsys, 2, "-l", "--compare", str(tmp_path / "x")).startswith(f"{tmp_path / 'x'}: 'utf-8' codec")
    assert "No such file" in refused(capsys, 2, "-l", "--compare", str(tmp_path / "absent"))


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "why"),
    [
        (["absent"], 1, "absent: absent is not there"),
        (["ab\nsent"], 1, r"ab\nsent: ab\nsent is not there"),
        (["shop.ctx/absent/x"], 1, "shop.ctx/absent/x: absent is not there"),
        (["TDsample::tdtest"], 1, "TDsample::tdtest is no context"),
        (["TDsample::tdtest/x"], 1, "TDsample::tdtest/x: TDsample::tdtest is no naming context"),
        (["/shop.ctx"], 2, "a name begins without a slash (that is how it was before V3) (character 0 of '/shop.ctx')"),
        (["a//b"], 2, "an empty name component is written '.' (character 2 of 'a//b')"),
        (["-x"], 2, "No such option"),
        (["a", "b"], 2, "Got unexpected extra argument (b)"),
        (["--width", "80"], 2, "--width and --compare go with -l"),
        (["--json", "--width", "80", "-l"], 2, "--json goes without --width and --compare"),
        (["-l", "--width", "-1"], 2, "Invalid value for '--width': -1 is not in the range x>=0."),
    ],
)
def test_refusals(filled: Node, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, why: str) -> None:
    assert refused(capsys, code, *argv).startswith(why)


def test_a_folder_that_another_server_has(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """One that answers somewhere else than the node's config says: what it has on disk is shown."""
    with NamingServer(node.folder) as server, NameService(server.corbaloc) as names:
        names.root.bind(N("x"), TDTEST)
        assert listed(capsys) == "Name(Type)\nx(o)\n"


def test_without_a_node(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OD_HOME", raising=False)
    assert refused(capsys, 2).startswith("OD_HOME is not set")


def test_an_extended_system(node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(capsys, 2, "-M", "system1").startswith("there is no system system1")
    system = Node(node.home / "system" / "system1")
    with system.server(), system.names() as names:
        names.root.bind(N("x"), TDTEST)
        assert listed(capsys, "-M", "system1") == "Name(Type)\nx(o)\n"
        monkeypatch.setenv("IS_SYSTEM", "system1")
        assert listed(capsys) == "Name(Type)\nx(o)\n"


def test_help_says_what_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "Of the real command only -l, -R and the name are documented" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_group_is_shown_with_its_default_object(node: Node, capsys: pytest.CaptureFixture[str], running: bool) -> None:
    """Listing it takes nobody's turn."""
    members = [IORBuilder("IDL:M:1.0").iiop(host, 1, key=b"m", version=(1, 0)).build() for host in ("one", "two")]
    with administer(Folder(node.home)) as reached:
        reached.names.root.bind(N("o"), TDTEST)
        reached.load_balancing.create_group(N("g"), "Group", TDTEST)
        reached.load_balancing.create_group(N("nobody"), "Group", NIL)
        for member in members:
            reached.load_balancing.add_member(N("g"), member)
    with node.server() if running else nullcontext(), node.names() as names:
        assert listed(capsys) == "Name(Type)\ng(g)\nnobody(g)\no(o)\n"
        assert listed(capsys, "-l", "--width", "0").splitlines()[2:] == [
            "g(g)        IDL:M:1.0, (one:1:1.0:), m",
            "            IDL:TDsample/tdtest:1.0, (vhost:8002:1.0:), FUJITSU-Interstage-TDLC%7cx",
            "nobody(g)   nill_oref",
            "o(o)        IDL:TDsample/tdtest:1.0, (vhost:8002:1.0:), FUJITSU-Interstage-TDLC%7cx",
        ]
        group, nobody, _ = json.loads(listed(capsys, "--json"))
        assert (group["type"], group["members"]) == ("group", [str(member) for member in members])
        assert (group["default_object"], nobody["members"]) == (str(TDTEST), [])
        if running:
            assert names.resolve("g") == members[0]

"""OD_or_adm on a node: the same whether a server runs on it or not, and with any number of commands at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iiop.endpoints import endpoints
from iiop.iop import NIL
from iiop.profile import Version
from iiop_tools import es_channels, odadministerlb, odlistns, odrmubncns
from iiop_tools.od_or_adm import main
from ior import IOR
from naming import NameService, NamingServer
from naming.claim import Claim, announced
from naming.interfaces import NamingContextExt
from naming.listings import parse_initial_services
from naming.names import parse_name
from naming.node import Node
from naming.node_server import AdministeredNode, NodeServer, administer
from naming.types import BindingType, NotFound
from tests.peers import free_port, peer_program

INTERFACE = "IDL:TDsample/tdtest:1.0"
NAME = "TDsample::tdtest"
DOCUMENTED = ["-c", INTERFACE, "-a", "FUJITSU-Interstage-TDLC", "-n", NAME, "-h", "vhost", "-p", "8002"]
PATIENCE = 60.0


def resolve(node: Node, name: str) -> object:
    with administer(node) as reached:
        return reached.names.resolve(name)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err.removeprefix("OD_or_adm: ").rstrip("\n")


# --- objects ----------------------------------------------------------------------------------------------------------


def test_the_example_of_the_manual(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    assert capsys.readouterr() == ("", "")
    with administer(node) as reached:
        reference = reached.names.resolve(NAME)
    assert reference.type_id == INTERFACE
    (endpoint,) = reference.endpoints()
    assert (endpoint.host, endpoint.port, endpoint.version) == ("vhost", 8002, Version(1, 0))  # (vhost:8002:1.0:)
    assert endpoint.object_key == b"FUJITSU-Interstage-TDLC|IDL:TDsample/tdtest:1.0"


def test_without_a_host_it_is_that_of_the_node(node: Node) -> None:
    assert main(["-c", INTERFACE, "-n", NAME]) == 0
    with administer(node) as reached:
        (endpoint,) = reached.names.resolve(NAME).endpoints()
    assert (endpoint.host, endpoint.port) == ("127.0.0.1", node.port)


def test_bound_already(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    before = resolve(node, NAME)
    why = refused(capsys, "-c", "IDL:other:1.0", "-n", NAME)
    assert why == f"{NAME} is there already; delete it first: OD_or_adm -d -n {NAME}"
    assert resolve(node, NAME) == before


def test_deleted_and_made_again(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    assert main(["-d", "-n", NAME]) == 0
    with pytest.raises(NotFound):
        resolve(node, NAME)
    assert main(DOCUMENTED) == 0
    assert capsys.readouterr() == ("", "")


def test_deletion_of_what_is_not_bound(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "-d", "-n", NAME) == f"{NAME}: {NAME} is not there"
    assert refused(capsys, "-d", "-n", r"a\.b.kind/c") == r"a\.b.kind/c: a\.b.kind is not there"


def test_a_context_that_is_not_there(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "-c", INTERFACE, "-n", "shop/till") == "shop/till: shop is not there"


def test_in_a_context_of_another_language(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-z", "店.context"]) == 0
    assert main(["-c", INTERFACE, "-n", "店.context/レジ"]) == 0
    assert refused(capsys, "-d", "-n", "店.context/scale") == "店.context/scale: scale is not there"
    assert main(["-d", "-n", "店.context/レジ"]) == 0
    assert main(["-d", "-z", "店.context"]) == 0


def test_below_what_is_no_context(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DOCUMENTED) == 0
    assert refused(capsys, "-c", INTERFACE, "-n", f"{NAME}/x") == f"{NAME}/x: {NAME} is no naming context"


def test_what_one_command_does_a_server_knows_and_the_other_way_round(home: Path) -> None:
    node = Node(home)
    assert main(DOCUMENTED) == 0
    with NodeServer(node) as server, NameService(server.corbaloc) as names:
        assert names.resolve(NAME).type_id == INTERFACE
        assert main(["-z", "shop"]) == 0
    assert main(["-c", INTERFACE, "-n", "shop/till"]) == 0
    with NodeServer(node) as server, NameService(server.corbaloc) as names:
        assert names.resolve("shop/till").type_id == INTERFACE
        assert main(["-d", "-n", "shop/till"]) == 0


def test_references_of_a_stopped_node_are_those_of_the_running_one(home: Path) -> None:
    with administer(Node(home)) as reached:
        made = reached.names.root.bind_new_context(parse_name("shop"))
    with NodeServer(Node(home)), administer(Node(home)) as reached:
        assert reached.names.root.resolve(parse_name("shop")) == made


# --- contexts ---------------------------------------------------------------------------------------------------------


def test_contexts(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-z", "shop"]) == 0
    assert main(["-z", "shop/floor"]) == 0
    assert refused(capsys, "-z", "shop") == "shop is there already; delete it first: OD_or_adm -d -z shop"
    assert refused(capsys, "-d", "-n", "shop") == "shop: shop is a naming context: delete it with -d -z"
    assert refused(capsys, "-d", "-z", "shop") == "shop is not empty: delete what is in it first"
    assert main(["-d", "-z", "shop/floor"]) == 0
    assert main(["-d", "-z", "shop"]) == 0
    assert refused(capsys, "-d", "-z", "shop") == "shop: shop is not there"
    assert main(DOCUMENTED) == 0
    assert refused(capsys, "-d", "-z", NAME) == f"{NAME}: {NAME} is no naming context: delete it with -d -n"
    with administer(node) as reached:
        assert reached.administration.orphans() == ()


def test_a_context_under_several_names_is_only_unbound_until_the_last(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-z", "shop"]) == 0
    assert main(["-z", "branch"]) == 0
    with administer(node) as reached:
        shop = reached.names.root.resolve(parse_name("shop"))
    assert main(["-z", "again", "-u", str(IOR.from_iop(shop))]) == 0
    assert main(["-z", "branch/shop", "-u", str(IOR.from_iop(shop))]) == 0
    assert refused(capsys, "-d", "-n", "again") == "again: again is a naming context: delete it with -d -z"
    assert main(["-d", "-z", "again"]) == 0
    assert main(["-c", INTERFACE, "-n", "shop/till"]) == 0
    assert main(["-d", "-z", "shop"]) == 0
    with administer(node) as reached:
        assert reached.administration.orphans() == ()
    assert refused(capsys, "-d", "-z", "branch/shop") == "branch/shop is not empty: delete what is in it first"
    assert main(["-d", "-n", "branch/shop/till"]) == 0
    assert main(["-d", "-z", "branch/shop"]) == 0
    with administer(node) as reached:
        assert reached.administration.orphans() == ()
        assert [bound.binding_name[0].id for bound in reached.names.root.list(10)[0]] == ["branch"]


def test_a_name_of_the_root_is_only_unbound(node: Node) -> None:
    with administer(node) as reached:
        root = reached.administration.services()[0].reference
    assert main(["-z", "shop"]) == 0
    assert main(["-z", "shop/root", "-u", str(IOR.from_iop(root))]) == 0
    assert main(["-d", "-z", "shop/root"]) == 0
    assert main(["-d", "-z", "shop"]) == 0


def test_a_context_that_only_its_own_content_leads_to_is_not_lost(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-z", "shop"]) == 0
    with administer(node) as reached:
        shop = reached.names.root.resolve(parse_name("shop"))
    assert main(["-z", "shop/self", "-u", str(IOR.from_iop(shop))]) == 0
    assert refused(capsys, "-d", "-z", "shop") == "shop is not empty: delete what is in it first"
    assert main(["-d", "-z", "shop/self"]) == 0
    assert main(["-d", "-z", "shop"]) == 0


def test_a_context_of_another_server(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with NamingServer() as other, NameService(other.corbaloc) as elsewhere:
        assert main(["-z", "other", "-u", other.corbaloc]) == 0
        assert main(["-z", "again", "-u", str(other.ior)]) == 0
        assert main(["-c", INTERFACE, "-n", "other/x"]) == 0
        assert elsewhere.resolve("x").type_id == INTERFACE
        assert resolve(node, "again/x") == elsewhere.resolve("x")
        assert refused(capsys, "-d", "-n", "other/x") == "other/x: x is in another server: delete it there"
        assert main(["-d", "-z", "other"]) == 0
        assert elsewhere.resolve("x").type_id == INTERFACE


# --- initial services -------------------------------------------------------------------------------------------------


def listed(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["-l", *argv]) == code
    return capsys.readouterr().out


def test_initial_services_of_a_new_node(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    rows = parse_initial_services(listed(capsys))
    assert [(row.name, row.repository_id) for row in rows] == [
        ("NameService", "IDL:CosNaming/NamingContextExt:1.0"),
        ("FJ_LoadBalancingOption", "IDL:iiopkit/naming/LoadBalancingOption:1.0"),
    ]
    assert {(row.address.host, row.address.port) for row in rows if row.address} == {("127.0.0.1", node.port)}


def test_services_are_registered_and_deleted(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", INTERFACE, "-h", "vhost", "-p", "8003", "-i", "Trading"]) == 0
    assert listed(capsys).endswith("Trading                       IDL:TDsample/tdtest:1.0        (vhost:8003:1.0:)\n")
    why = refused(capsys, "-c", INTERFACE, "-i", "Trading")
    assert why == "Trading is there already; delete it first: OD_or_adm -d -i Trading"
    for own in ("NameService", "FJ_LoadBalancingOption"):
        why = f"{own} is the server's own service: it cannot be registered or deleted"
        assert refused(capsys, "-c", INTERFACE, "-i", own) == refused(capsys, "-d", "-i", own) == why
    assert main(["-d", "-i", "Trading"]) == 0
    assert "Trading" not in listed(capsys)
    assert refused(capsys, "-d", "-i", "Trading") == "Trading is not registered as an initial service"


def test_services_outlive_the_server_and_are_not_copied_with_the_bindings(home: Path) -> None:
    node = Node(home)
    with NodeServer(node):
        assert main(["-c", INTERFACE, "-i", "Trading"]) == 0
    with NodeServer(node), administer(node) as reached:
        assert "Trading" in [service.id for service in reached.administration.services()]
    assert [path.name for path in (home / "etc").iterdir() if path.name != "CosNaming"] == ["config", "initial_services"]
    assert (home / "etc" / "initial_services").read_text().startswith("Trading  IOR:")


def test_the_check_of_the_manual(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """4.5.6.3: the services are at the host that was set."""
    assert main(["-c", INTERFACE, "-i", "Mine"]) == 0
    assert main(["-l", "--check"]) == 0
    (home / "etc" / "config").write_text("IIOP_hostname = vhost\n")
    capsys.readouterr()
    assert main(["-l", "--check"]) == 1
    out, err = capsys.readouterr()
    assert [row.name for row in parse_initial_services(out)] == ["NameService", "FJ_LoadBalancingOption", "Mine"]
    assert err == "OD_or_adm: Mine is at 127.0.0.1, not at the node's host vhost\n"
    rows = json.loads(listed(capsys, "--check", "--json", code=1))
    assert rows["host"] == "vhost"
    assert [(row["name"], row["host"], row["at_the_nodes_host"]) for row in rows["services"]] == [
        ("NameService", "vhost", True),
        ("FJ_LoadBalancingOption", "vhost", True),
        ("Mine", "127.0.0.1", False),
    ]
    assert main(["-l"]) == 0


def test_a_nil_service_is_listed_as_the_manual_has_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "etc" / "initial_services").write_text(f"# by hand\n\nNothing\t{IOR.from_iop(NIL)}\n")
    with administer(Node(home)) as reached:
        (_, _, nothing) = reached.administration.services()
    assert (nothing.id, nothing.reference) == ("Nothing", NIL)
    assert listed(capsys, "--check").endswith("\nnill_oref\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [("x\n", "line 1: not of the form ID IOR:..."), ("\nx IOR:0g\n", "line 2: "), ("\u00e9 IOR:00\n", "'ascii' codec can't")],
)
def test_mistakes_in_the_file_of_services(home: Path, capsys: pytest.CaptureFixture[str], text: str, why: str) -> None:
    (home / "etc" / "initial_services").write_text(text, encoding="utf-8")
    assert main(["-l"]) == 2
    err = capsys.readouterr().err
    assert why in err
    assert str(home / "etc" / "initial_services") in err


# --- object groups ----------------------------------------------------------------------------------------------------


def test_groups(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-g", "Sales", "-n", "empty"]) == 0
    assert main(["-c", INTERFACE, "-h", "host0", "-p", "1", "-L", "SJIS", "-g", "Sales", "-n", "tills"]) == 0
    assert refused(capsys, "-g", "Sales", "-n", "tills").startswith("tills is there already")
    with administer(node) as reached:
        with pytest.raises(NotFound):
            reached.names.resolve("empty")
        default_object = reached.names.resolve("tills")
        assert default_object.endpoints()[0].host == "host0"
        group = reached.load_balancing.group(parse_name("tills"))
        assert (group.group, group.members, group.default_object) == ("Sales", (), default_object.to_iop())
        bindings, _ = reached.names.root.list(10)
        assert {binding.binding_type for binding in bindings} == {BindingType.nobject}
    assert main(["-d", "-n", "tills"]) == 0
    assert main(["-d", "-n", "empty"]) == 0
    assert refused(capsys, "-d", "-n", "tills") == "tills: tills is not there"


# --- many at once -----------------------------------------------------------------------------------------------------

PROCESSES = 8
EACH = """
import sys
from iiop_tools import es_channels, odadministerlb, odlistns, odrmubncns
from iiop_tools.od_or_adm import main
from ior import IOR
number = sys.argv[1]
for turn in "ab":
    code = main(["-c", "IDL:x:1.0", "-n", f"object{number}{turn}"]) or main(["-c", "IDL:x:1.0", "-i", f"service{number}{turn}"])
    if code:
        sys.exit(code)
"""


@pytest.fixture(params=["a server runs", "none runs", "a server starts and stops"])
def whoever(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    if request.param == "a server runs":
        with NodeServer(Node(home)):
            yield request.param
    else:
        yield request.param


def test_eight_commands_at_once(home: Path, whoever: str) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", EACH, str(number)], stderr=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    if whoever == "a server starts and stops":
        with NodeServer(Node(home)), administer(Node(home)) as reached:
            reached.names.root.list(0)
    ended = [process.communicate(timeout=PATIENCE)[1] for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES or whoever == "a server starts and stops", ended
    with administer(Node(home)) as reached:
        bound = {binding.binding_name[0].id for binding in reached.names.root.list(1000)[0]}
        services = {service.id for service in reached.administration.services()}
    for number, process in enumerate(started):
        if process.returncode == 0:
            assert {f"object{number}{turn}" for turn in "ab"} <= bound
            assert {f"service{number}{turn}" for turn in "ab"} <= services


# --- who has the folder -----------------------------------------------------------------------------------------------


def test_a_node_is_served_once(home: Path) -> None:
    with NodeServer(Node(home)) as server:
        done = subprocess.run(
            [peer_program("nstool"), "serve", "--node", home, "--port", "0"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 2
        assert done.stderr == f"nstool: {home} is served already, at 127.0.0.1:{server.port}\n"


def test_a_killed_server_leaves_nothing_that_misleads(home: Path) -> None:
    ready = home.parent / "ready"
    command = [peer_program("nstool"), "serve", "--port", "0", "--ready-file", ready]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OD_HOME": str(home)}) as server:
        assert server.stderr is not None
        assert "ready: corbaloc" in server.stderr.readline()
        assert announced(Node(home)) == ready.read_text().split("@")[1].split("/")[0]
        assert main(DOCUMENTED) == 0
        server.kill()
    assert (home / "var" / "naming.address").read_text() != ""
    assert announced(Node(home)) is None
    assert main(["-d", "-n", NAME]) == 0


def test_a_folder_that_a_server_of_another_kind_has(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with NamingServer(home / "etc" / "CosNaming"):
        assert main(DOCUMENTED) == 2
    assert "in use by another process" in capsys.readouterr().err
    assert main(DOCUMENTED) == 0


@contextmanager
def reached_twice(home: Path) -> Iterator[tuple[AdministeredNode, AdministeredNode]]:
    with administer(Node(home)) as one, administer(Node(home)) as other:
        yield one, other


def test_a_server_is_reached_by_many(home: Path) -> None:
    with NodeServer(Node(home)), reached_twice(home) as (one, other):
        context = one.names.root.bind_new_context(parse_name("shop"))
        key = next(iter(endpoints(context))).object_key
        other.names.companion(key, NamingContextExt).bind(parse_name("till"), NIL)
        assert one.names.resolve("shop/till").is_nil


COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "OD_or_adm": (main, DOCUMENTED),
    "odlistns": (odlistns.main, []),
    "odadministerlb": (odadministerlb.main, ["-c", INTERFACE, "-n", "tills"]),
    "odrmubncns": (odrmubncns.main, ["-l"]),
    "esgetchnlior": (es_channels.main_get, ["-g", "G", "-p", "."]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_server_that_does_not_answer(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command says it in the same words, and it is no answer."""
    command, argv = COMMANDS[name]
    claim = Claim.take(Node(home))
    assert claim is not None
    try:
        claim.announce(f"127.0.0.1:{free_port()}")
        assert command(argv) == 2
    finally:
        claim.release()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{name}: the Naming Service of the node does not answer: ")
    assert len(err.splitlines()) == 1


def test_a_name_that_cannot_be_sent(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-d", "-n", "\udcff"]) == 2
    assert capsys.readouterr().err.startswith("OD_or_adm: the Naming Service of the node answers DATA_CONVERSION")


READING = """
import sys
from iiop_tools import es_channels, od_or_adm, odlistns, odrmubncns
commands = (odlistns.main, ["-l", "-R"]), (od_or_adm.main, ["-l"]), (odrmubncns.main, ["-l"])
commands += ((es_channels.main_get, ["-g", "G", "-p", "."]),) if sys.argv[1] == "filled" else ()
sys.exit(sum([command(argv) for command, argv in commands]))
"""


@pytest.mark.parametrize("content", ["fresh", "filled"])
def test_commands_that_read_need_only_read(home: Path, tmp_path: Path, content: str) -> None:
    if content == "filled":
        assert main(DOCUMENTED) == 0
        assert main(["-c", "IDL:CosNotifyChannelAdmin/EventChannel:1.0", "-n", "G::c"]) == 0
    before = sorted(home.rglob("*"))
    for each in (home, *before):
        each.chmod(0o500 if each.is_dir() else 0o400)
    (tmp_path / "work").mkdir()
    as_owner = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = [*as_owner, sys.executable, "-c", READING, content]
    done = subprocess.run(program, env=env, cwd=tmp_path / "work", capture_output=True, text=True, timeout=PATIENCE)
    for each in (home, *before):
        each.chmod(0o700)
    assert (done.returncode, done.stderr) == (0, "")
    assert "NameService " in done.stdout
    assert (f"{NAME}(o)" in done.stdout) is (content == "filled")
    assert sorted(home.rglob("*")) == before


def test_what_a_server_would_log_is_not_told_twice(home: Path) -> None:
    """A command that serves the folder itself logs to nobody."""
    with administer(Node(home)) as reached:
        made = reached.names.root.bind_new_context(parse_name("shop"))
        key = next(iter(endpoints(made))).object_key
        reached.names.companion(key, NamingContextExt).destroy()
    program = "import sys; from iiop_tools.odlistns import main; sys.exit(main(sys.argv[1:]))"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    listed = subprocess.run([sys.executable, "-c", program, "-R"], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert (listed.returncode, listed.stdout) == (0, "Name(Type)\nshop(c)\n")
    assert listed.stderr == f"odlistns: shop: the context {key.decode()} is bound here, but was destroyed\n"

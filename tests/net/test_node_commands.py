"""odadministerlb, odrmubncns and nstool orphans: on a node that is served, and on one that is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from iiop.endpoints import endpoints
from iiop.iop import IOR, NIL
from iiop_tools import nstool, od_or_adm, odadministerlb, odrmubncns
from naming import NameService, NamingServer
from naming.interfaces import NamingContextExt
from naming.names import parse_name
from naming.node import Node
from naming.node_server import NodeServer, administer
from naming.types import NotFound
from tests.peers import NamingPeer

INTERFACE = "IDL:shop/till:1.0"


def lb(*argv: str, code: int = 0) -> None:
    assert odadministerlb.main(argv) == code


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line of an error."""
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line and not line.startswith(("Usage: ", "Try '"))]
    assert len(lines) == 1, err
    return lines[0].partition(": ")[2]


# --- odadministerlb ---------------------------------------------------------------------------------------------------


def given(node: Node, count: int, name: str = "tills") -> list[str]:
    with administer(node) as reached:
        return [f"{end.host}:{end.port}" for _ in range(count) for end in reached.names.resolve(name).endpoints()]


def test_members_in_turn(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert od_or_adm.main(["-c", INTERFACE, "-h", "host0", "-p", "8000", "-g", "Shops", "-n", "tills"]) == 0
    assert given(node, 2) == ["host0:8000"] * 2
    for number in ("1", "2"):
        lb("-c", INTERFACE, "-h", f"host{number}", "-p", "8002", "-n", "tills")
    lb("-c", "IDL:shop/till", "-a", "other", "-n", "tills")
    assert sorted(given(node, 3)) == [f"127.0.0.1:{node.port}", "host1:8002", "host2:8002"]
    lb("-c", INTERFACE, "-h", "host1", "-p", "8002", "-n", "tills", code=1)
    assert said(capsys) == "tills has it already"
    lb("-d", "-c", INTERFACE, "-h", "host1", "-n", "tills")
    lb("-d", "-c", INTERFACE, "-h", "host1", "-n", "tills", code=1)
    assert said(capsys) == f"tills has no member {INTERFACE} at host1"
    lb("-d", "-c", INTERFACE, "-n", "tills", code=1)
    assert said(capsys) == f"tills has no member {INTERFACE} at 127.0.0.1"
    lb("-d", "-c", INTERFACE, "-a", "other", "-n", "tills")
    assert given(node, 2) == ["host2:8002"] * 2
    lb("-d", "-c", INTERFACE, "-h", "host2", "-n", "tills")
    lb("-c", INTERFACE, "-h", "host9", "-p", "9", "-n", "tills", "-r")
    assert given(node, 2) == ["host9:9"] * 2


def test_a_running_server_gives_each_in_turn(home: Path) -> None:
    with NodeServer(Node(home)) as server, NameService(server.corbaloc) as names:
        assert od_or_adm.main(["-g", "Shops", "-n", "tills"]) == 0
        with pytest.raises(NotFound):
            names.resolve("tills")
        for number in ("1", "2", "3"):
            lb("-c", INTERFACE, "-h", f"host{number}", "-p", "8002", "-n", "tills")
        assert [names.resolve("tills").endpoints()[0].host for _ in range(7)] == [f"host{n}" for n in (1, 2, 3, 1, 2, 3, 1)]
        later = [next(iter(endpoints(names.root.resolve_str("tills")))).host for _ in range(4)]
        assert later == ["host2", "host3", "host1", "host2"]


def test_what_is_no_group(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert od_or_adm.main(["-c", INTERFACE, "-n", "object"]) == 0
    assert od_or_adm.main(["-z", "context"]) == 0
    for more in ([], ["-d"], ["-r"]):
        for name, why in (
            ("object", "object: object is no object group"),
            ("context", "context: context is no object group"),
            ("absent", "absent: absent is not there"),
            ("object/x", "object/x: object is no naming context"),
        ):
            lb("-c", INTERFACE, "-n", name, *more, code=1)
            assert said(capsys) == why


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["-n", "x"], "-c IntfID is missing"),
        (["-c", INTERFACE], "-n name is missing"),
        (["-c", INTERFACE, "-n", "x", "-h", "v"], "-h and -p go together"),
        (["-c", INTERFACE, "-n", "x", "-L", "SJIS", "-v", "1.2"], "-L and -v exclude each other"),
        (["-d", "-c", INTERFACE, "-n", "x", "-r"], "-d takes -c, -a, -h and -n, and nothing else"),
        (["-d", "-c", INTERFACE, "-n", "x", "-p", "1"], "-d takes -c, -a, -h and -n, and nothing else"),
        (["-d", "-c", INTERFACE, "-n", "x", "-v", "1.0"], "-d takes -c, -a, -h and -n, and nothing else"),
        (["-d", "-c", INTERFACE, "-n", "x", "-L", "EUC"], "-d takes -c, -a, -h and -n, and nothing else"),
        (["-c", INTERFACE, "-n", "/x"], "a name begins without a slash (that is how it was before V3) in '/x'"),
        (["-c", f"IDL:{'x' * 253}", "-n", "x"], "interface repository id of 261 characters, 256 are allowed"),
    ],
)
def test_wrong_use(home: Path, capsys: pytest.CaptureFixture[str], argv: list[str], why: str) -> None:
    lb(*argv, code=2)
    assert said(capsys).startswith(why.partition(" in '")[0])


def test_ids_of_256_characters(home: Path) -> None:
    assert od_or_adm.main(["-g", "Shops", "-n", "tills"]) == 0
    longest = f"IDL:{'x' * 248}:1.0"
    assert len(longest) == 256
    lb("-c", longest, "-n", "tills")
    lb("-d", "-c", longest.removesuffix(":1.0"), "-n", "tills")


# --- odrmubncns, nstool orphans ---------------------------------------------------------------------------------------


def context_id(reference: IOR) -> str:
    return next(iter(endpoints(reference))).object_key.decode()


@pytest.fixture
def lost(node: Node) -> tuple[str, str, str, str]:
    """Leave contexts to which no name leads: one empty, two in a cycle, one with an object in it; return their ids."""
    with administer(node) as reached:
        root = reached.names.root
        empty, here, there, full = (root.bind_new_context(parse_name(name)) for name in ("empty", "here", "there", "full"))
        root.bind_context(parse_name("here/there"), there)
        root.bind_context(parse_name("there/here"), here)
        root.bind(parse_name("full/object"), NIL)
        root.bind_new_context(parse_name("kept"))
        for name in ("empty", "here", "there", "full"):
            root.unbind(parse_name(name))
    return context_id(empty), context_id(here), context_id(there), context_id(full)


def test_orphans_are_listed_and_deleted(node: Node, lost: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert odrmubncns.main(["-l"]) == 0
    assert capsys.readouterr().out.splitlines() == list(lost)
    for orphan in lost[:3]:
        assert odrmubncns.main(["-d", orphan]) == 0
    assert odrmubncns.main(["-l"]) == 0
    assert capsys.readouterr().out.splitlines() == [lost[3]]
    with administer(node) as reached:
        kept = context_id(reached.names.root.resolve(parse_name("kept")))
    for wrong in (lost[0], kept, "NameService", "context.1.1", ""):
        assert odrmubncns.main(["-d", wrong]) == 1
        assert said(capsys) == f"{wrong} is no context that is not bound any more"
    with administer(node) as reached:
        assert reached.names.root.resolve(parse_name("kept")).type_id == NamingContextExt.repository_id


@pytest.mark.parametrize("argv", [[], ["-l", "-d", "x"]])
def test_either_list_or_delete(home: Path, capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert odrmubncns.main(argv) == 2
    assert said(capsys) == "give either -l or -d name"


def test_orphans_of_any_server_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with NamingServer() as server, NameService(server.corbaloc) as names:
        lost = context_id(names.root.new_context())
        names.root.bind_new_context(parse_name("kept"))
        where = f"127.0.0.1:{server.port}"
        assert nstool.main(["orphans", where]) == 0
        assert capsys.readouterr().out == f"{lost}  0\n"
        assert nstool.main(["orphans", "--json", where]) == 0
        assert json.loads(capsys.readouterr().out) == {"id": lost, "bindings": 0}
        assert nstool.main(["orphans", "--destroy", str(server.ior)]) == 0
        assert capsys.readouterr().out == f"{lost}  0\n"
        assert nstool.main(["orphans", where]) == 0
        assert capsys.readouterr() == ("", "")
        assert names.resolve("kept").type_id == NamingContextExt.repository_id


def test_a_server_of_another_make_cannot_tell(omni_names: NamingPeer, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--destroy"]):
        assert nstool.main(["orphans", f"{omni_names.host}:{omni_names.port}", *more]) == 2
        assert said(capsys) == "CosNaming cannot list contexts that are not bound, and this server is none of iiopkit's"


def test_an_orphan_that_is_about_to_be_bound_is_none() -> None:
    from naming.changes import ROOT
    from naming.model import Draft, NamingModel
    from naming.orphans import orphans, plan_destroy_orphan

    model = NamingModel()
    (created,) = model.plan_new_context(ROOT, 1)
    model.apply((created,))
    assert orphans(model) == (created.context,)
    draft = Draft(model)
    draft.apply(draft.plan_bind(created.context, parse_name("in it"), NIL))
    ended = plan_destroy_orphan(draft, model, created.context)
    above = Draft(draft)
    above.apply(ended)
    assert not above.exists(created.context)
    draft.apply(draft.plan_bind_context(ROOT, parse_name("again"), created.context))
    with pytest.raises(NotFound):
        plan_destroy_orphan(draft, model, created.context)


def test_deletion_counts_names_that_are_about_to_go_or_to_come() -> None:
    from naming.changes import ROOT, BindingRemoved, ContextDestroyed
    from naming.model import Draft, NamingModel
    from naming.orphans import plan_delete

    model = NamingModel()
    created, bound = model.plan_bind_new_context(ROOT, parse_name("a"), 1)
    model.apply((created, bound))
    model.apply(model.plan_bind_context(ROOT, parse_name("b"), created.context))
    gone, ended = BindingRemoved(ROOT, *parse_name("a")), ContextDestroyed(created.context)
    draft = Draft(model)
    assert plan_delete(draft, model, parse_name("a"), context=True) == (gone,)
    draft.apply(draft.plan_unbind(ROOT, parse_name("b")))
    assert plan_delete(draft, model, parse_name("a"), context=True) == (ended, gone)
    draft.apply(draft.plan_bind_context(ROOT, parse_name("c"), created.context))
    assert plan_delete(draft, model, parse_name("a"), context=True) == (gone,)


@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        (
            od_or_adm.main,
            ["what -p and -v may be", "every exit status", "--check and --json are ours", "IIOP version: 1.0, 1.1, 1.2."],
        ),
        (odadministerlb.main, ["how Interstage itself chooses is not public", "every exit status"]),
        (odrmubncns.main, ["Of the real command these two forms are documented", "every exit status"]),
    ],
)
def test_help_says_what_is_unknown(
    command: Callable[[list[str]], int], unknown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in unknown:
        assert words in text

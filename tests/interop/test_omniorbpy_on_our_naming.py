"""Unmodified omniORBpy and nameclt on our Naming Service.

What each operation answers in detail is compared with omniNames in `test_same_answers_as_omninames`; here is what needs a server
of ours: GIOP versions, sizes, exceptions field by field, restarts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from iiop.limits import Limits
from naming import NamingServer
from tests.peers import (
    NAMING_CONTEXT,
    NAMING_CONTEXT_EXT,
    OmniClient,
    OmniException,
    OmniRef,
    PeerFailed,
    name,
    our_naming_service,
    run_nameclt,
)

DEAD = "corbaloc::127.0.0.1:1/dead"
VERSIONS = ["1.0", "1.1", "1.2"]


@pytest.fixture
def server() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


@pytest.fixture
def root(server: NamingServer, omni_client: OmniClient) -> OmniRef:
    return omni_client.naming(server.corbaloc)


@pytest.fixture
def target(omni_client: OmniClient) -> OmniRef:
    return omni_client.string_to_object(DEAD)


def url(server: NamingServer, version: str) -> str:
    return f"corbaloc::{version}@{server.host}:{server.port}/NameService"


def user(error: object) -> tuple[str, dict[str, object]]:
    assert isinstance(error, OmniException), error
    assert error.kind == "user"
    return error.name, error.members


# --- every operation, in every version of GIOP ------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("highest", VERSIONS)
def test_every_operation(server: NamingServer, version: str, highest: str) -> None:
    """`version` is that of the reference, `highest` that of the ORB: it speaks the lower one."""
    with OmniClient("-ORBmaxGIOPVersion", highest, "-ORBInitRef", f"NameService={url(server, version)}") as client:
        root = client.resolve_initial()
        target = client.string_to_object(DEAD)
        root.call("bind", name(("a", "k")), target)
        root.call("rebind", name(("a", "k")), target)
        assert root.call("resolve", name(("a", "k"))).ior() == target.ior()
        inner = root.call("bind_new_context", name("c"))
        assert inner.call("_is_a", "IDL:omg.org/CosNaming/NamingContextExt:1.0") is True
        inner.call("bind", name("x"), target)
        root.call("bind_context", name("again"), inner)
        root.call("rebind_context", name("again"), inner)
        assert root.call("resolve_str", "again/x").ior() == target.ior()
        free = root.call("new_context")
        assert free.narrow(NAMING_CONTEXT_EXT).call("list", 1) == [[], None]
        free.call("destroy")
        assert free.call("_non_existent") is True
        assert free.outcome("list", 1).name == "OBJECT_NOT_EXIST"
        first, iterator = root.call("list", 1)
        assert first == [{"binding_name": name(("a", "k")), "binding_type": "nobject"}]
        assert iterator.call("next_one") == [True, {"binding_name": name("c"), "binding_type": "ncontext"}]
        assert iterator.call("next_n", 5) == [True, [{"binding_name": name("again"), "binding_type": "ncontext"}]]
        assert iterator.call("next_n", 5) == [False, []]
        assert iterator.outcome("next_n", 0).name == "BAD_PARAM"
        iterator.call("destroy")
        assert iterator.call("_non_existent") is True
        assert root.call("to_string", root.call("to_name", r"a\.b.c/d")) == r"a\.b.c/d"
        assert root.call("to_url", ":h:1", "a b") == "corbaname::h:1#a%20b"
        root.call("unbind", name("again"))
        assert root.call("_non_existent") is False
        assert root.call("_is_a", "IDL:omg.org/CosNaming/NamingContext:1.0") is True
        assert root.call("_is_a", "IDL:omg.org/CosNaming/BindingIterator:1.0") is False
        assert user(root.outcome("resolve", name("none", ("b", "k")))) == (
            "NotFound",
            {"why": "missing_node", "rest_of_name": name("none", ("b", "k"))},
        )


# --- exceptions, field by field ---------------------------------------------------------------------------------------


def test_not_found_for_all_three_reasons(root: OmniRef, target: OmniRef) -> None:
    inner = root.call("bind_new_context", name("c"))
    inner.call("bind", name(("o", "k")), target)
    for outcome, why, rest in [
        (root.outcome("resolve", name("c", "none", "a")), "missing_node", name("none", "a")),
        (root.outcome("unbind", name("c", "none")), "missing_node", name("none")),
        (root.outcome("resolve", name("c", ("o", "k"), "a")), "not_context", name(("o", "k"), "a")),
        (root.outcome("rebind_context", name("c", ("o", "k")), inner), "not_context", name(("o", "k"))),
        (root.outcome("rebind", name("c"), target), "not_object", name("c")),
    ]:
        assert user(outcome) == ("NotFound", {"why": why, "rest_of_name": rest})


def test_cannot_proceed_leads_on(target: OmniRef, omni_client: OmniClient) -> None:
    with NamingServer(limits=Limits(proceeding=0)) as server, NamingServer() as other:
        root = omni_client.naming(server.corbaloc)
        foreign = omni_client.naming(other.corbaloc)
        foreign.call("bind_new_context", name("d")).call("bind", name("x"), target)
        root.call("bind_context", name("f"), foreign)
        for operation, args in [("resolve", ()), ("bind", (target,)), ("unbind", ()), ("bind_new_context", ())]:
            kind, members = user(root.outcome(operation, name("f", "d", "x"), *args))
            assert (kind, members["rest_of_name"]) == ("CannotProceed", name("d", "x"))
            context = members["cxt"]
            assert isinstance(context, OmniRef)
            found = context.narrow(NAMING_CONTEXT).call("resolve", members["rest_of_name"])
            assert found.ior() == target.ior()


def test_a_context_of_ours_is_no_foreign_one(
    root: OmniRef, server: NamingServer, target: OmniRef, omni_client: OmniClient
) -> None:
    root.call("bind_context", name("self"), omni_client.naming(server.corbaloc))
    root.call("bind", name("self", "self", "x"), target)
    assert root.call("resolve", name("x")).ior() == target.ior()


def test_already_bound_not_empty_invalid(root: OmniRef, target: OmniRef) -> None:
    root.call("bind", name("a"), target)
    inner = root.call("bind_new_context", name("c"))
    inner.call("bind", name("x"), target)
    for operation, args in [("bind", (target,)), ("bind_context", (inner,)), ("bind_new_context", ())]:
        assert user(root.outcome(operation, name("a"), *args)) == ("AlreadyBound", {})
    assert user(inner.outcome("destroy")) == ("NotEmpty", {})
    assert user(root.outcome("destroy")) == ("NotEmpty", {})
    assert user(root.outcome("resolve", name())) == ("InvalidName", {})
    assert user(root.outcome("to_name", "a//b")) == ("InvalidName", {})
    assert user(root.outcome("to_url", "bad", "n")) == ("InvalidAddress", {})


def test_root_cannot_be_destroyed(root: OmniRef) -> None:
    assert root.outcome("destroy").name == "NO_PERMISSION"


def test_narrow(server: NamingServer, root: OmniRef, omni_client: OmniClient, target: OmniRef) -> None:
    for _ in range(3):
        root.call("bind_new_context", name(f"c{_}"))
    _, iterator = root.call("list", 1)
    assert iterator.call("_is_a", "IDL:omg.org/CosNaming/BindingIterator:1.0") is True
    plain = omni_client.string_to_object(server.corbaloc)
    assert plain.narrow(NAMING_CONTEXT).call("list", 0)[0] == []
    with pytest.raises(OmniException, match=r"no CosNaming\.BindingIterator"):
        plain.narrow("CosNaming.BindingIterator")
    nobody = omni_client.string_to_object(server.corbaloc.replace("NameService", "Nobody"))
    assert nobody.call("_non_existent") is True
    assert nobody.outcome("_is_a", "IDL:x:1.0").name == "OBJECT_NOT_EXIST"


@pytest.mark.parametrize("version", VERSIONS)
def test_locate_request(server: NamingServer, version: str) -> None:
    """omniORB asks where an object is before its first request; its trace shows both messages, and the answers."""
    with OmniClient("-ORBtraceLevel", "40", "-ORBtraceInvocations", "1", "-ORBmaxGIOPVersion", version) as client:
        assert client.naming(url(server, version), checked=False).call("list", 1) == [[], None]
        headers = re.findall(r"^4749 4f50 01(..) ..(..)", client.log(), re.MULTILINE)
    minor = version.replace("1.", "0")
    assert headers == [(minor, kind) for kind in ("03", "04", "00", "01")]


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_names_that_need_fragments(server: NamingServer, version: str) -> None:
    """omniORB cuts messages at 8192 octets where GIOP allows it."""
    with OmniClient("-ORBmaxGIOPVersion", version) as client:
        root = client.naming(url(server, version))
        target = client.string_to_object(DEAD)
        long = name(("a" * 20_000, "é" * 20_000))
        root.call("bind", long, target)
        assert root.call("resolve", long).ior() == target.ior()
        assert root.call("list", 10) == [[{"binding_name": long, "binding_type": "nobject"}], None]
        deep = name("b" * 20_000, "c" * 20_000)
        assert user(root.outcome("resolve", deep)) == ("NotFound", {"why": "missing_node", "rest_of_name": deep})
        assert root.call("to_name", "x" * 100_000) == name("x" * 100_000)


def test_many_bindings(root: OmniRef, target: OmniRef) -> None:
    for number in range(300):
        root.call("bind", name((str(number), "k")), target)
    bindings, iterator = root.call("list", 100)
    rest = iterator.call("next_n", 2**32 - 1)[1]
    assert [item["binding_name"][0][0] for item in bindings + rest] == [str(number) for number in range(300)]


def test_iterators_beyond_the_limit_end(omni_client: OmniClient, target: OmniRef) -> None:
    with NamingServer(limits=Limits(iterators=2)) as server:
        root = omni_client.naming(server.corbaloc)
        root.call("bind", name("a"), target)
        iterators = [root.call("list", 0)[1] for _ in range(3)]
        assert iterators[0].outcome("next_one").name == "OBJECT_NOT_EXIST"
        assert [iterator.call("next_one")[0] for iterator in iterators[1:]] == [True, True]


def test_request_beyond_the_limit_is_refused(omni_client: OmniClient) -> None:
    with NamingServer(limits=Limits(message_size=100_000)) as server:
        root = omni_client.naming(server.corbaloc)
        assert root.outcome("to_name", "x" * 200_000).name == "COMM_FAILURE"
        assert root.call("to_name", "x" * 1000) == name("x" * 1000)


@pytest.mark.parametrize("version", VERSIONS)
def test_connection_closed_for_idleness_is_no_error_to_omniorb(version: str) -> None:
    with NamingServer(limits=Limits(idle_time=0.05)) as server, OmniClient("-ORBmaxGIOPVersion", version) as client:
        root = client.naming(url(server, version))
        for _ in range(4):
            assert root.call("list", 1) == [[], None]
            server_idle(server)


def server_idle(server: NamingServer) -> None:
    """Wait until the server has closed every connection."""

    async def wait() -> None:
        while server._server._connections:
            await asyncio.sleep(0.005)

    assert server._thread is not None
    server._thread.call(wait())


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_bindings_and_context_references_survive_a_restart(tmp_path: Path, omni_client: OmniClient, target: OmniRef) -> None:
    with NamingServer(tmp_path) as server:
        root = omni_client.naming(server.corbaloc)
        inner = root.call("bind_new_context", name("c"))
        inner.call("bind", name(("o", "é")), target)
        unbound = root.call("new_context")
        destroyed = root.call("new_context")
        destroyed.call("destroy")
        root.call("bind", name("gone"), target)
        root.call("unbind", name("gone"))
        _, iterator = root.call("list", 0)
    with NamingServer(tmp_path, port=server.port) as again:
        assert again.port == server.port
        assert root.call("list", 10) == [[{"binding_name": name("c"), "binding_type": "ncontext"}], None]
        assert inner.call("resolve", name(("o", "é"))).ior() == target.ior()
        assert unbound.call("list", 1) == [[], None]
        assert destroyed.call("_non_existent") is True
        assert iterator.call("_non_existent") is True
        assert root.call("new_context").ior() not in {unbound.ior(), destroyed.ior(), inner.ior()}


def test_nstool_killed_and_started_again(tmp_path: Path, omni_client: OmniClient, target: OmniRef) -> None:
    """What was answered is on disk, whatever happens to the process."""
    with our_naming_service(tmp_path) as first:
        root = omni_client.naming(first.corbaloc)
        root.call("bind", name("kept"), target)
        first.process.kill()
    with our_naming_service(tmp_path, "--port", str(first.port)) as second:
        assert second.port == first.port
        root.outcome("_non_existent")  # omniORB reports the lost connection once
        assert root.call("resolve", name("kept")).ior() == target.ior()


# --- nameclt ----------------------------------------------------------------------------------------------------------


def test_nameclt(server: NamingServer, target: OmniRef) -> None:
    at = server.corbaloc
    run_nameclt(at, "bind_new_context", "c.k")
    run_nameclt(at, "bind", "c.k/o", target.ior())
    run_nameclt(at, "rebind", "c.k/o", target.ior())
    assert run_nameclt(at, "list") == "c.k/\n"
    assert run_nameclt(at, "list", "c.k") == "o\n"
    assert run_nameclt(at, "resolve", "c.k/o").strip() == target.ior()
    with pytest.raises(PeerFailed, match=r"(?i)already ?bound"):
        run_nameclt(at, "bind", "c.k/o", target.ior())
    with pytest.raises(PeerFailed, match=r"(?i)not ?empty"):
        run_nameclt(at, "remove_context", "c.k")
    run_nameclt(at, "unbind", "c.k/o")
    run_nameclt(at, "remove_context", "c.k")
    assert run_nameclt(at, "list") == ""
    with pytest.raises(PeerFailed, match="nameclt"):
        run_nameclt(at, "resolve", "not/there")


def test_nameclt_with_an_ior(server: NamingServer) -> None:
    assert run_nameclt(str(server.ior), "list") == ""
    run_nameclt(str(server.ior), "bind_new_context", "c")
    assert run_nameclt(str(server.ior), "list") == "c/\n"

"""The peers themselves: before a test of ours means anything, the other side must work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import harness
from tests.peers import (
    NamingPeer,
    OmniClient,
    OmniException,
    OmniRef,
    PeerFailed,
    PeerMissing,
    PeerProcess,
    name,
    omniidl_stubs,
    peer_program,
    run_catior,
    run_nameclt,
)
from tests.peers import (
    omni_names as run_omni_names,
)

VECTORS = Path(__file__).parents[1] / "vectors"
DEAD = "corbaloc::127.0.0.1:1/dead"


@pytest.fixture
def context(omni_names: NamingPeer, omni_client: OmniClient) -> OmniRef:
    """A new context that no other test sees."""
    ref: OmniRef = omni_client.naming(omni_names.corbaloc).call("new_context")
    return ref.narrow("CosNaming.NamingContextExt")


def test_bind_resolve_list_unbind(context: OmniRef, omni_client: OmniClient) -> None:
    target = omni_client.string_to_object(DEAD)
    assert context.call("bind", name(("account", "object")), target) is None
    assert context.call("resolve", name(("account", "object"))).ior() == target.ior()
    bindings, iterator = context.call("list", 10)
    assert bindings == [{"binding_name": (("account", "object"),), "binding_type": "nobject"}]
    assert iterator is None
    context.call("unbind", name(("account", "object")))
    assert context.call("list", 10) == [[], None]


def test_contexts_and_iterator(context: OmniRef) -> None:
    for number in range(3):
        context.call("bind_new_context", name(f"c{number}"))
    bindings, iterator = context.call("list", 1)
    assert len(bindings) == 1
    assert iterator.call("next_one")[0] is True
    more, rest = iterator.call("next_n", 10)
    assert (more, [binding["binding_name"] for binding in rest]) == (True, [name("c2")])
    assert iterator.call("next_n", 10) == [False, []]
    iterator.call("destroy")
    assert iterator.outcome("next_one").name == "OBJECT_NOT_EXIST"


def test_names_as_text(context: OmniRef, omni_client: OmniClient) -> None:
    assert context.call("to_name", "a.b/c") == name(("a", "b"), "c")
    assert context.call("to_string", name(("a", "b"), "c")) == "a.b/c"
    assert context.call("to_url", ":h", "a") == "corbaname::h#a"
    context.call("bind", name("x"), omni_client.string_to_object(DEAD))
    assert context.call("resolve_str", "x").ior() == omni_client.string_to_object(DEAD).ior()


def test_user_exception_is_data(context: OmniRef) -> None:
    error = context.outcome("resolve", name("none", ("b", "k")))
    assert isinstance(error, OmniException)
    assert (error.kind, error.name) == ("user", "NotFound")
    assert error.members == {"why": "missing_node", "rest_of_name": (("none", ""), ("b", "k"))}
    assert error.repository_id == "IDL:omg.org/CosNaming/NamingContext/NotFound:1.0"


def test_system_exception_is_data(omni_client: OmniClient) -> None:
    error = omni_client.string_to_object(DEAD).outcome("_non_existent")
    assert (error.kind, error.name, error.minor) == ("system", "TRANSIENT", 0x41540002)
    assert (error.minor_name, error.completed) == ("TRANSIENT_ConnectFailed", "COMPLETED_NO")
    assert omni_client.minor_name("COMM_FAILURE", 0x464A0114) is None


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_giop_versions(omni_names: NamingPeer, version: str) -> None:
    with OmniClient("-ORBmaxGIOPVersion", version, "-ORBInitRef", f"NameService={omni_names.url(version)}") as client:
        assert client.resolve_initial().call("_is_a", "IDL:omg.org/CosNaming/NamingContextExt:1.0") is True


def test_nameclt_lists_what_omniorbpy_bound(omni_names: NamingPeer, context: OmniRef, omni_client: OmniClient) -> None:
    context.call("bind", name(("seen", "by nameclt")), omni_client.string_to_object(DEAD))
    assert run_nameclt(context.ior(), "list") == "seen.by nameclt\n"
    with pytest.raises(PeerFailed, match="nameclt"):
        run_nameclt(omni_names.corbaloc, "resolve", "not/there")


def test_catior_agrees_with_the_corpus() -> None:
    entries = [json.loads(line) for line in (VECTORS / "iors.jsonl").read_text().splitlines()]
    good = next(entry for entry in entries if entry["catior_ok"])
    assert run_catior(good["ior"], "-x").startswith("Type ID: ")
    bad = next(entry for entry in entries if not entry["catior_ok"])
    with pytest.raises(PeerFailed, match="catior"):
        run_catior(bad["ior"], "-x")


def test_omniidl_stubs_load(tmp_path: Path, omni_client: OmniClient) -> None:
    idl = "module Selfcheck { interface Account { long balance(in string owner); }; };"
    omni_client.load(omniidl_stubs(idl, tmp_path / "stubs"), "Selfcheck")
    account = omni_client.string_to_object(DEAD, "Selfcheck.Account", checked=False)
    assert account.outcome("balance", "me").name == "TRANSIENT"
    with pytest.raises(PeerFailed, match="omniidl"):
        omniidl_stubs("module {", tmp_path / "bad")


def test_virtual_host_name(omni_names: NamingPeer, vhost_env: dict[str, str]) -> None:
    with OmniClient(env=vhost_env) as client:
        root = client.naming(f"corbaloc::1.2@vhost:{omni_names.port}/NameService")
        assert root.call("_is_a", "IDL:omg.org/CosNaming/NamingContext:1.0") is True
    assert run_nameclt(omni_names.url(host="vhost"), "list", env=vhost_env) is not None


def test_omni_names_starts_again_where_it_was(tmp_path: Path, omni_client: OmniClient) -> None:
    with run_omni_names(tmp_path) as first:
        omni_client.naming(first.corbaloc).call("bind_new_context", name("kept"))
    with run_omni_names(tmp_path, port=first.port) as second:
        assert second.corbaloc == first.corbaloc
        assert run_nameclt(second.corbaloc, "list") == "kept/\n"
        with pytest.raises(PeerFailed, match=r"omninames\.log"), run_omni_names(tmp_path / "other", port=first.port):
            pass
    assert second.process.process.poll() is not None


def test_missing_program_is_an_error() -> None:
    with pytest.raises(PeerMissing, match="no-such-orb"):
        peer_program("no-such-orb")


def test_process_that_says_nothing_is_reported_with_its_log(tmp_path: Path) -> None:
    script = "import sys; print('not the line'); sys.stdin.read()"
    with (
        PeerProcess([sys.executable, "-c", script], tmp_path / "log") as process,
        pytest.raises(PeerFailed, match=r"(?s)ended without 'ready'.*not the line"),
    ):
        process.wait_line("ready")


def test_child_ends_when_its_input_closes_in_a_call(tmp_path: Path) -> None:
    """A server that accepts and never answers must not keep the child alive."""
    script = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); c, _ = s.accept()\n"
    script += "while c.recv(4096): pass"
    with PeerProcess([sys.executable, "-c", script], tmp_path / "log") as silent:
        port = silent.wait_line(r"^(\d+)$")[1]
        child = subprocess.Popen(
            [sys.executable, "-P", Path(__file__).parents[1] / "omni_child.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        request = {
            "do": "string_to_object",
            "url": f"corbaloc::127.0.0.1:{port}/x",
            "interface": "CosNaming.NamingContext",
        }
        output, _ = child.communicate(json.dumps(request).encode() + b"\n", timeout=20)
        assert (output, child.returncode) == (b'{"ok": "ready"}\n', 0)


def test_dead_child_is_reported(omni_client: OmniClient) -> None:
    os.kill(omni_client.process.pid, signal.SIGKILL)
    with pytest.raises(PeerFailed, match="has ended"):
        omni_client.minor_name("TRANSIENT", 1)


def test_bench_takes_turns_and_reports(omni_names: NamingPeer, omni_client: OmniClient) -> None:
    """One side in this process, one that a child times: both are calls per second, whatever the count was."""
    root = omni_client.naming(omni_names.corbaloc)

    def sides() -> Iterator[harness.Sides]:
        """what is compared

        and more
        """
        yield (lambda: None), harness.SelfTimed(lambda count: root.time_calls("to_name", "a", count=count))

    row = harness.Row("selfcheck.nothing", "µs", 1.0, "nothing against a call", sides)
    result = harness.measure(row, turns=4, turn_seconds=0.002)
    assert 0 < result.ours < result.peer
    assert result.quartiles[0] <= result.quartiles[1] < 1
    assert list(result.as_json()) == ["name", "ours", "peer", "unit", "ratio", "target", "met"]
    assert result.as_json()["met"] is True


def test_bench_row_without_its_peer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "ROWS", {})

    @harness.row("selfcheck.missing", target=1.0)
    def missing() -> harness.Sides:
        """nothing"""
        peer_program("no-such-orb")
        return (lambda: None), (lambda: None)

    results, failures = harness.run("selfcheck.")
    assert results == []
    assert "PeerMissing: no-such-orb" in failures["selfcheck.missing"]


def test_wire_vectors_are_complete() -> None:
    index = json.loads((VECTORS / "giop" / "index.json").read_text())
    assert {entry["file"] for entry in index} == {path.name for path in (VECTORS / "giop").glob("*.bin")}
    assert {entry["giop_version"] for entry in index} == {"1.0", "1.1", "1.2"}
    for entry in index:
        data = (VECTORS / "giop" / entry["file"]).read_bytes()
        assert data.startswith(b"GIOP"), entry["file"]
        assert len(data) == 12 + entry["message_size"], entry["file"]

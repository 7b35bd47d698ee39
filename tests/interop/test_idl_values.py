"""Value types of one IDL file, compiled by omniidl for omniORBpy and by us: what is passed comes back as the same graph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from iiop.giop.messages import GIOP_1_0, GIOP_1_1
from iiop.idl import load
from iiop.net.client import Client
from iiop.profile import Version
from ior import IOR, IORBuilder
from naming import NamingServer
from tests.interop.omni_values import IDL
from tests.interop.test_echo import VERSIONS, as_version
from tests.interop.value_declarations import VALUES
from tests.peers import omniidl_stubs, peer_env, run_peer
from tests.property.test_engines_agree import plain

TOO_LARGE = {
    GIOP_1_0: [("large", "CORBA.MARSHAL(omniORB.MARSHAL_CannotReserveOutputSpace, CORBA.COMPLETED_NO)")],
    GIOP_1_1: [("large", "CORBA.MARSHAL(omniORB.MARSHAL_InvalidGIOPMessage, CORBA.COMPLETED_NO)")],
}
"""A value beyond omniORBpy 4.3.3's buffer: over GIOP 1.0 it gives up itself, in 1.1 it cuts a double in two chunks."""
CHILD = Path(__file__).with_name("omni_values.py")


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], ModuleType]:
    """Give the environment that has omniORBpy's stubs, and our module, both of one file."""
    folder = omniidl_stubs(IDL, tmp_path_factory.mktemp("values"))
    return {"PYTHONPATH": str(folder)}, load(folder / "stubs.idl").Values


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_an_omniorbpy_client_gets_its_values_back(stubs: tuple[dict[str, str], ModuleType], version: Version) -> None:
    environment, module = stubs
    calls: list[tuple[str, Any]] = []

    def returning(name: str) -> Any:
        def same(self: Any, value: Any) -> Any:
            calls.append((name, value))
            return value

        return same

    servant = type("Echoing", (module.EchoServant,), {name: returning(name) for name in module.EchoServant.__abstractmethods__})()
    with NamingServer() as server:
        server.activate(servant, b"echo")
        builder = IORBuilder(module.Echo.repository_id)
        reference = builder.iiop(server.host, server.port, key=b"echo", version=version).build()
        answer = json.loads(run_peer([sys.executable, CHILD, "call", str(reference)], env=environment))
    assert answer.keys() > VALUES.keys()
    failed = {name: said for name, said in answer.items() if said is not True}
    assert [*failed.items()] == TOO_LARGE.get(version, [])
    given = dict(zip([name for name in answer if name not in failed], [value for _, value in calls], strict=True))
    for name, (_, value) in VALUES.items():
        assert plain(given[name]) == plain(value), name
    assert isinstance(given["chunked"], module.Cut)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_an_omniorbpy_server_returns_ours(stubs: tuple[dict[str, str], ModuleType], version: Version) -> None:
    environment, v = stubs
    ring = v.Node(1, None)
    ring.next = v.Node(2, ring)
    cut = v.Cut(9, "cut", 5, v.Node(3, v.Node(4, None)))
    deep = v.Deep(10, "deep", 6, ring, 2.5)
    sent = [
        ("echo_node", None),
        ("echo_node", ring),
        ("echo_base", v.Base(7, "base")),
        ("echo_base", v.Derived(8, "derived", 1.5)),
        ("echo_base", deep),
        ("echo_name", v.Name("text")),
        ("echo_pair", v.PairBox(v.Pair(1, 0.5))),
        ("echo_bases", (cut, deep, None, cut)),
        ("echo_shape", v.Circle(0.5)),
        ("echo_holder", v.Holder(cut, cut, 9, v.Circle(2.0), None)),
        ("echo_value", v.Derived(8, "derived", 1.5)),
    ]
    command = [sys.executable, CHILD, "serve", "-"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peer_env(environment)) as child,
        Client() as client,
    ):
        assert child.stdout is not None
        text = child.stdout.readline().strip()
        echo = client.stub(as_version(IOR.from_string(text), version), v.Echo)
        for operation, value in sent:
            assert plain(getattr(echo, operation)(value)) == plain(value), operation
        reference = IOR.from_string(text).to_iop()
        assert echo.echo_describable(reference) == reference
        child.communicate(timeout=30)

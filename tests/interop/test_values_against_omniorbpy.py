"""Values of value types between us and omniORBpy, in both directions, over GIOP: what is echoed comes back unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iiop.cdr.any import Any
from iiop.cdr.typecode import Member, TCKind, TypeCode
from iiop.net.client import Client
from ior import IOR as Reference  # noqa: N811
from ior import IORBuilder
from naming import NamingServer
from tests.interop.omni_values import IDL
from tests.interop.value_declarations import LARGE, VALUES, Echo, Echoing
from tests.peers import omniidl_stubs, peer_env, run_peer
from tests.property.test_engines_agree import plain

CHILD = Path(__file__).with_name("omni_values.py")
ONLY_THERE = ["reference as abstract interface", "value in Any", "cycle in Any", "chunked value in Any", "box in Any", "large"]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"PYTHONPATH": str(omniidl_stubs(IDL, tmp_path_factory.mktemp("values")))}


@pytest.fixture
def echo(stubs: dict[str, str]) -> Iterator[tuple[Echo, str]]:
    """Give a stub of an omniORBpy servant, and its reference."""
    command = [sys.executable, CHILD, "serve", "-"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peer_env(stubs)) as child,
        Client() as client,
    ):
        assert child.stdout is not None
        text = child.stdout.readline().strip()
        yield client.stub(Reference.from_string(text), Echo), text
        child.communicate(timeout=30)


def test_an_omniorbpy_client_gets_its_values_back(stubs: dict[str, str]) -> None:
    servant = Echoing()
    with NamingServer() as server:
        server.activate(servant, b"echo")
        builder = IORBuilder(Echo.repository_id).iiop(server.host, server.port, key=b"echo")
        answer = json.loads(run_peer([sys.executable, CHILD, "call", str(builder.build())], env=stubs))
    assert answer == dict.fromkeys([*VALUES, *ONLY_THERE], True)
    given = dict(zip(answer, [value for _, value in servant.calls], strict=True))
    for name, (_, value) in VALUES.items():
        assert plain(given[name]) == plain(value), name
    assert plain(given["large"]) == plain(LARGE)
    cycle = given["cycle in Any"]
    assert isinstance(cycle, Any)
    assert cycle.value.next.next is cycle.value
    assert cycle.type == TypeCode(
        TCKind.tk_value,
        "IDL:Values/Node:1.0",
        "Node",
        (
            Member("number", TypeCode(TCKind.tk_long), visibility=1),
            Member("next", TypeCode(TCKind.tk_indirection), visibility=1),
        ),
        TypeCode(TCKind.tk_null),
    )


def test_an_omniorbpy_server_returns_ours(echo: tuple[Echo, str]) -> None:
    for name, (operation, value) in VALUES.items():
        assert plain(getattr(echo[0], operation)(value)) == plain(value), name
    assert plain(echo[0].echo_value(LARGE)) == plain(LARGE)
    reference = Reference.from_string(echo[1]).to_iop()
    assert echo[0].echo_describable(reference) == reference


def test_an_omniorbpy_server_returns_what_an_omniorbpy_client_sent_us(echo: tuple[Echo, str], stubs: dict[str, str]) -> None:
    """Octets that omniORBpy wrote, read, written again by us, read by omniORBpy."""
    servant = Echoing()
    with NamingServer() as server:
        server.activate(servant, b"echo")
        ior = str(IORBuilder(Echo.repository_id).iiop(server.host, server.port, key=b"echo").build())
        run_peer([sys.executable, CHILD, "call", ior], env=stubs)
    for operation, value in servant.calls:
        assert plain(getattr(echo[0], operation)(value)) == plain(value)
    assert len(servant.calls) == len(VALUES) + len(ONLY_THERE)

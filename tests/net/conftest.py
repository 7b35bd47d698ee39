"""A node's folder for the tests of Interstage's commands, with a server and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from naming.claim import announced
from naming.node import Node
from naming.node_server import NodeServer
from tests.peers import free_port


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "node"
    (folder / "etc").mkdir(parents=True)
    monkeypatch.setenv("OD_HOME", str(folder))
    for variable in ("IS_SYSTEM", "OD_SYSTEMS"):
        monkeypatch.delenv(variable, raising=False)
    (folder / "etc" / "config").write_text(f"IIOP_hostname = 127.0.0.1\nIIOP_port = {free_port()}\n")
    return folder


@pytest.fixture(params=["running", "stopped"])
def node(request: pytest.FixtureRequest, home: Path) -> Iterator[Node]:
    node = Node(home)
    if request.param == "running":
        with NodeServer(node):
            yield node
            assert announced(node) is not None
    else:
        yield node
        assert announced(node) is None

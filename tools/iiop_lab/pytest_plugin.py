"""The lab as pytest fixtures: a Naming Service, a virtual host, nodes that can be killed.

    def test_failover(lab):
        one, two = lab.node("one"), lab.node("two")
        vhost = lab.virtual_host(one, two)
        with NameService(vhost.address) as names:
            stub = names.reference(BY_CALL, stub=TdTest)
            ...
            one.kill()

pytest loads this module in every run of everybody who has iiopkit installed, so at import it knows pytest and the standard
library only; the rest is imported when a fixture is used. Everything listens on 127.0.0.1, on ports the system gives, and has
ended when the test has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from iiop_lab.demo.stage import Child
    from iiop_lab.virtual_host import VirtualHost
    from naming import NamingServer

__all__ = ["BY_CALL", "BY_REFERENCE", "Lab", "LabNode", "lab", "naming_server", "virtual_host"]

BY_CALL = "TDsample::tdtest"
"""Name of the sample server at its virtual host: distribution call by call."""

BY_REFERENCE = "TDsample::tdtest.direct"
"""Name of the sample server at its own node: distribution when the Naming Service reference is obtained."""

HOST = "127.0.0.1"


class LabNode:
    """Run a Naming Service and a sample server in a process of their own, at one address.

    Attributes:
        name: what `call` of the sample server answers.
        home: the folder; with it in OD_HOME, `OD_or_adm` and its like work on this node.
        port: stays the same over restarts.
    """

    def __init__(self, name: str, folder: Path, stack: ExitStack) -> None:
        self.name = name
        self.home = folder / name
        self.port = 0
        self._journals = folder / "journals"
        self._stack = stack
        self._child: Child | None = None
        (self.home / "etc").mkdir(parents=True)
        self._journals.mkdir(exist_ok=True)
        self.restart()
        self.register(BY_REFERENCE, HOST, self.port)

    @property
    def address(self) -> str:
        """Return `host:port`, for a `NameService`."""
        return f"{HOST}:{self.port}"

    @property
    def ran(self) -> list[int]:
        """Return the numbers of the calls that the sample server ran, in order, whoever was told of it."""
        from iiop_lab.demo.sample import runs

        return runs(self._journals).get(self.name, [])

    def kill(self) -> None:
        """End the process with SIGKILL, and see it gone; one that is dead stays so."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Run again after `kill`, at the same port, with the bindings there were."""
        from iiop_lab.demo.stage import python_child

        self.kill()
        self._configure()
        arguments = {
            "name": self.name,
            "address": HOST,
            "port": self.port,
            "home": str(self.home),
            "journals": str(self._journals),
        }
        child = self._child = python_child(self.name, "host", arguments)
        self._stack.callback(child.end)
        self.port = int(child.until("ready")["ready"].rpartition(":")[2].partition("/")[0])
        self._configure()

    def register(self, name: str, host: str, port: int) -> None:
        """Bind a name in this node's Naming Service to the sample server, as reached at a host and port."""
        from iiop_lab.demo.sample import IMPLEMENTATION_ID, TdTest
        from naming import NameService
        from naming.names import parse_name
        from naming.registration import Registration

        reference = Registration(TdTest.repository_id, host, port, IMPLEMENTATION_ID).reference()
        with NameService(self.address) as names:
            names.root.rebind(parse_name(name), reference)

    def _configure(self) -> None:
        lines = [f"IIOP_hostname = {HOST}", *([f"IIOP_port = {self.port}"] if self.port else [])]
        (self.home / "etc" / "config").write_text("\n".join(lines) + "\n")


class Lab:
    """Make nodes and virtual hosts that end with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def node(self, name: str) -> LabNode:
        """Start a node; the sample server is bound to `BY_REFERENCE` in its Naming Service."""
        return LabNode(name, self._folder, self._stack)

    def virtual_host(self, *nodes: LabNode) -> VirtualHost:
        """Start a virtual host in front of nodes; the sample server is bound to `BY_CALL` in the Naming Service of each."""
        from iiop_lab.virtual_host import Target, VirtualHost

        vhost = self._stack.enter_context(VirtualHost([Target(HOST, node.port) for node in nodes]))
        for node in nodes:
            node.register(BY_CALL, vhost.host, vhost.port)
        return vhost


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Make nodes and virtual hosts."""
    with ExitStack() as stack:
        yield Lab(tmp_path_factory.mktemp("lab"), stack)


@pytest.fixture
def naming_server() -> Iterator[NamingServer]:
    """Run a Naming Service, in memory, in this process."""
    from naming import NamingServer

    with NamingServer() as server:
        yield server


@pytest.fixture
def virtual_host(naming_server: NamingServer) -> Iterator[VirtualHost]:
    """Run a virtual host in front of `naming_server`, in this process."""
    from iiop_lab.virtual_host import Target, VirtualHost

    with VirtualHost([Target(naming_server.host, naming_server.port)]) as vhost:
        yield vhost

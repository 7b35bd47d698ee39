"""Nodes: a Naming Service and WorkUnits behind one port, killed and hung whole, and several of them behind a virtual host."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from iiop.exceptions import COMM_FAILURE, CompletionStatus, FailoverExhausted, IIOPError
from iiop.failover import FailoverPolicy
from iiop_lab.child import ChildError
from iiop_lab.node import Node, NodeStateError
from iiop_lab.virtual_host import Target, VirtualHost
from iiop_lab.work_unit import State, WorkUnit, servant_command
from iiop_tools import od_or_adm
from naming import NameService
from tests.lab.test_work_unit import HERE, IMPATIENT, OMNIORBPY, Process

POLICY = FailoverPolicy(deadline=10.0, rounds=1, refresh_interval=None)
NAME = "TDsample::tdtest"


def unit(name: str = "TD", *, key: str = "td", count: int = 1) -> WorkUnit:
    return WorkUnit(name, servant_command(HERE, key=key), count=count, env={"PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def make(stack: ExitStack, tmp_path: Path) -> Callable[[str], Node]:
    return lambda name: stack.enter_context(Node(name, tmp_path / name, port=0))


def pid(address: str, policy: FailoverPolicy = POLICY) -> int:
    """Ask the object that the name leads to for its process."""
    with NameService(address, policy=policy) as names:
        return int(names.reference(NAME, Process, policy=policy).pid())


def test_what_a_work_unit_serves_is_reached_at_the_nodes_port(make: Callable[[str], Node]) -> None:
    node = make("host1")
    td = unit()
    node.add(td, names={NAME: None})
    assert pid(node.address) == td.pids[0]
    with NameService(node.address) as names:
        assert [str(endpoint) for endpoint in names.resolve(NAME).endpoints()] == [node.address]
        assert names.ior.endpoints()[0].port == node.port


def test_requests_go_to_the_process_with_the_fewest(make: Callable[[str], Node]) -> None:
    node = make("host1")
    td = unit(count=2)
    node.add(td, names={NAME: None})
    assert {pid(node.address) for _ in range(4)} == set(td.pids)
    assert node.waiting("TD") == 0


def test_killed_and_started_again(make: Callable[[str], Node]) -> None:
    node = make("host1")
    td = unit()
    node.add(td, names={NAME: None})
    address = node.address
    before = pid(address)
    node.kill()
    assert (node.state, td.state) == (State.DIED, State.DIED)
    with pytest.raises(IIOPError):
        pid(address)
    node.restart()
    assert node.address == address
    assert pid(address) == td.pids[0] != before


def test_a_work_unit_dies_and_returns(make: Callable[[str], Node]) -> None:
    node = make("host1")
    td = unit()
    node.add(td, names={NAME: None})
    td.kill()
    with pytest.raises(FailoverExhausted) as caught:
        pid(node.address)
    assert caught.value.__cause__ == COMM_FAILURE(0, CompletionStatus.COMPLETED_NO), "the node says so, no balancer"
    node.start_unit("TD")
    assert pid(node.address) == td.pids[0]


def test_hung_whole(make: Callable[[str], Node]) -> None:
    node = make("host1")
    td = unit()
    node.add(td, names={NAME: None})
    node.hang()
    assert (node.state, td.state) == (State.HUNG, State.HUNG)
    with pytest.raises(IIOPError):
        pid(node.address, IMPATIENT)
    with pytest.raises(NodeStateError, match="host1 is hung, not running"):
        node.start_unit("TD")
    node.resume()
    assert pid(node.address) == td.pids[0]
    node.hang()
    node.stop()
    assert (node.state, td.state) == (State.STOPPED, State.STOPPED)


def test_two_nodes_behind_a_virtual_host(make: Callable[[str], Node], stack: ExitStack) -> None:
    nodes = [make("host1"), make("host2")]
    vhost = stack.enter_context(VirtualHost([Target(node.host, node.port) for node in nodes]))
    units = [unit(), unit()]
    for node, td in zip(nodes, units, strict=True):
        node.add(td, names={NAME: (vhost.host, vhost.port)})
    both = {td.pids[0] for td in units}
    assert {pid(vhost.address) for _ in range(4)} == both
    nodes[0].kill()
    assert {pid(vhost.address) for _ in range(4)} == {units[1].pids[0]}


def test_any_command_and_several_of_them(make: Callable[[str], Node], tmp_path: Path) -> None:
    node = make("host1")
    script = tmp_path / "server.py"
    script.write_text(OMNIORBPY)
    td = unit()
    node.add(td, names={NAME: None})
    node.add(WorkUnit("OMNI", [sys.executable, str(script), "-ORBendPoint", "giop:tcp:127.0.0.1:"]), names={"ctx": None})
    assert pid(node.address) == td.pids[0]
    with NameService(node.address) as names:
        assert str(names.resolve("ctx").endpoints()[0]) == node.address
        assert [*node.work_units] == ["TD", "OMNI"]


def test_commands_see_the_node(
    make: Callable[[str], Node], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = make("host1")
    monkeypatch.setenv("OD_HOME", str(node.node.home))
    assert od_or_adm.main(["-c", "IDL:a/b:1.0", "-n", "a::b", "-h", "vhost", "-p", "8002"]) == 0
    with NameService(node.address) as names:
        assert str(names.resolve("a::b").endpoints()[0]) == "vhost:8002"


def test_changes_are_told(tmp_path: Path) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def tell(node: Node, unit: WorkUnit | None) -> None:
        told.put(f"{unit.name} {unit.state.value}" if unit else f"{node.name} {node.state.value}")

    with Node("host1", tmp_path, port=0, on_change=tell) as node:
        node.add(unit())
        node.kill()
        node.restart()
    expected = ["host1 running", "TD running", "TD died", "host1 died", "host1 stopped", "host1 running", "TD running"]
    heard = [told.get_nowait() for _ in range(told.qsize())]
    assert [line for line in heard if line not in ("TD stopped",)] == [*expected, "host1 stopped"]


def test_wrong_use(make: Callable[[str], Node], tmp_path: Path) -> None:
    node = make("host1")
    node.add(unit(), start=False)
    with pytest.raises(NodeStateError, match="has a WorkUnit TD already"):
        node.add(unit())
    with pytest.raises(NodeStateError, match="host1 is running"):
        node.start()
    with pytest.raises(ChildError, match="in use"), Node("host2", tmp_path / "host2", port=node.port):
        pass
    with pytest.raises(ChildError, match="is served already"), Node("twin", node.node.home, port=0):
        pass
    with pytest.raises(NodeStateError, match="not hung"):
        node.resume()
    with pytest.raises(KeyError):
        node.waiting("no")

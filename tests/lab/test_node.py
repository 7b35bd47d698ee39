"""Nodes: a Naming Service and WorkUnits behind one port, killed and hung whole, and several of them behind a virtual host."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from iiop.exceptions import COMM_FAILURE, OBJECT_NOT_EXIST, CompletionStatus, FailoverExhausted, IIOPError
from iiop.failover import FailoverPolicy
from iiop.net.client import Client
from iiop_lab.child import ChildError
from iiop_lab.faults import FaultProxy
from iiop_lab.node import Node, NodeStateError, Queue
from iiop_lab.virtual_host import NAMING, Service, Stickiness, Target, VirtualHost
from iiop_lab.work_unit import State, WorkUnit, servant_command
from iiop_tools import od_or_adm
from naming import NameService, parse_name
from tests import peers
from tests.lab import accounts
from tests.lab.test_work_unit import HERE, IMPATIENT, OMNIORBPY, Process

HOST = "127.0.0.21"
"""Where clients do not connect from, so that a node finds its port free again."""

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
    return lambda name: stack.enter_context(Node(name, tmp_path / name, host=HOST, port=0))


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
    with pytest.raises(ChildError, match="in use"), Node("host2", tmp_path / "host2", host=HOST, port=node.port):
        pass
    with pytest.raises(ChildError, match="is served already"), Node("twin", node.node.home, port=0):
        pass
    with pytest.raises(NodeStateError, match="not hung"):
        node.resume()
    with pytest.raises(KeyError):
        node.waiting("no")


def test_a_proxy_at_its_address(tmp_path: Path, stack: ExitStack) -> None:
    port = peers.free_port(HOST)
    node = stack.enter_context(Node("host1", tmp_path, host=HOST, port=0, advertised_port=port))
    td = unit()
    node.add(td, names={NAME: None})
    assert (node.address, node.advertised_port) == (f"{HOST}:{port}", port)
    assert node.port not in (0, port)
    with pytest.raises(IIOPError):
        pid(node.address)
    stack.enter_context(FaultProxy((HOST, node.port), host=HOST, port=port))
    assert pid(node.address) == td.pids[0]
    with NameService(f"{HOST}:{node.port}") as names:
        names.root.bind_new_context(parse_name("made"))
        told = [names.resolve("made"), names.resolve(NAME)]
        assert {str(endpoint) for reference in told for endpoint in reference.endpoints()} == {node.address}
    assert (tmp_path / "etc" / "config").read_text() == f"IIOP_hostname = {HOST}\nIIOP_port = {port}\n"
    node.restart()
    assert pid(node.address) == td.pids[0]


def home(count: int = 1, env: dict[str, str] | None = None) -> WorkUnit:
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), **(env or {})}
    return WorkUnit("SHOP", servant_command(accounts.HOME, key=accounts.KEY), count=count, env=variables)


def sessions(address: str, stack: ExitStack, count: int = 8) -> list[accounts.Account]:
    """Have accounts made by the home that the name leads to."""
    names = stack.enter_context(NameService(address, policy=POLICY))
    client = stack.enter_context(Client(policy=POLICY))
    shop = names.reference("shop", accounts.Home, policy=POLICY)
    return [client.stub(shop.create(), accounts.Account) for _ in range(count)]


def test_objects_that_a_work_unit_makes_stay_with_the_process_that_made_them(
    make: Callable[[str], Node], stack: ExitStack
) -> None:
    node = make("host1")
    shop = home(count=2)
    node.add(shop, names={"shop": None})
    node.add(unit(key="acc"), names={NAME: None})
    made = sessions(node.address, stack)
    places = [account.where() for account in made]
    assert {place.rpartition(" ")[0] for place in places} == {f"host1 {node.address} {node.node.home}"}
    assert {int(place.split()[-1]) for place in places} == set(shop.pids)
    for _ in range(3):
        assert [account.where() for account in made] == places
    made[0].remove()
    assert [account.where() for account in made[1:]] == places[1:]


@pytest.mark.parametrize("at", ["own", "virtual"])
def test_sessions_through_a_virtual_host(make: Callable[[str], Node], stack: ExitStack, at: str) -> None:
    nodes = [make("host1"), make("host2")]
    accounting = Service("accounts", lambda key: key.startswith(b"account"), Stickiness.SESSION)
    front = stack.enter_context(ExitStack())
    vhost = front.enter_context(VirtualHost([Target(node.host, node.port) for node in nodes], [NAMING, accounting]))
    for node in nodes:
        env = {"IIOP_LAB_ADDRESS": vhost.address} if at == "virtual" else {}
        node.add(home(2, env), names={"shop": (vhost.host, vhost.port)})
    made = sessions(vhost.address, stack)
    places = [account.where() for account in made]
    assert {place.split()[0] for place in places} == {"host1", "host2"}
    pids = {int(place.split()[-1]) for place in places}
    assert pids == {pid for node in nodes for pid in node.work_units["SHOP"].pids}
    for _ in range(3):
        assert [account.where() for account in made] == places
    front.close()
    if at == "own":
        assert [account.where() for account in made] == places, "what carries the node's own address never came by"
    else:
        with pytest.raises(IIOPError):
            made[0].where()


def test_work_units_with_keys_that_begin_alike(make: Callable[[str], Node]) -> None:
    node = make("host1")
    units = [unit(key, key=key) for key in ("N", "td", "td2", "context.", "c")]
    for number, one in enumerate(units):
        node.add(one, names={f"at {number}": None})
    with NameService(node.address, policy=POLICY) as names:
        names.root.bind_new_context(parse_name("made"))
        names.root.bind(parse_name("made/x"), names.resolve("at 0").to_iop())
        for number, one in enumerate(units):
            assert int(names.reference(f"at {number}", Process, policy=POLICY).pid()) == one.pids[0]
        assert names.resolve("made/x") == names.resolve("at 0"), "contexts are the Naming Service's, whatever keys there are"


def test_one_that_hangs_unseen_does_not_hold_up_who_asks(make: Callable[[str], Node], monkeypatch: pytest.MonkeyPatch) -> None:
    node = make("host1")
    td = unit()
    node.add(td, names={NAME: None})
    os.kill(node.pids[0], signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(NodeStateError, match=r"node host1 has said nothing for 0\S* s"):
            node.queues(0.2)
    os.kill(node.pids[0], signal.SIGCONT)
    assert node.queues(10.0) == {"TD": Queue(0, 1)}, "late answers are for those who asked then"
    os.kill(node.pids[0], signal.SIGSTOP)
    refused: list[NodeStateError] = []

    def ask() -> None:
        with pytest.raises(NodeStateError) as caught:
            node.queues(30.0)
        refused.append(caught.value)

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    node.kill()
    asking.join()
    assert time.monotonic() - began < 10
    assert len(refused) == 1
    node.restart()
    assert pid(node.address) == td.pids[0]


def test_all_is_in_its_place_when_the_first_client_comes(make: Callable[[str], Node]) -> None:
    """A client that tries until the node is there again finds neither a name unbound nor an object unknown."""
    node = make("host1")
    td = unit()
    node.add(td, names={NAME: None})
    with NameService(node.address, policy=POLICY) as names:
        there = names.resolve(NAME)
    node.stop()
    td.start()
    met: list[BaseException | int] = []

    def call() -> None:
        while not met or not isinstance(met[-1], int):
            try:
                with Client(policy=POLICY) as client:
                    met.append(int(client.stub(there, Process).pid()))
            except Exception as error:
                met.append(error.__cause__ or error)

    caller = threading.Thread(target=call)
    caller.start()
    node.start()
    caller.join()
    assert met[-1] == td.pids[0]
    assert not [error for error in met if isinstance(error, OBJECT_NOT_EXIST)]


def test_what_is_not_started_yet_is_no_object_unknown(make: Callable[[str], Node]) -> None:
    node = make("host1")
    node.add(unit(), names={NAME: None})
    node.stop()
    node.start()
    with pytest.raises(FailoverExhausted) as caught:
        pid(node.address)
    assert caught.value.__cause__ == COMM_FAILURE(0, CompletionStatus.COMPLETED_NO)


def test_orders_from_many_threads(make: Callable[[str], Node]) -> None:
    node = make("host1")
    node.add(unit("ONE", key="one"))
    node.add(unit("TWO", key="two", count=2))
    wrong: list[object] = []

    def ask() -> None:
        wrong.extend(
            queues for queues in (node.queues() for _ in range(50)) if queues != {"ONE": Queue(0, 1), "TWO": Queue(0, 2)}
        )

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_waits_for_what_was_never_started(make: Callable[[str], Node]) -> None:
    node = make("host1")
    node.add(unit(), start=False)
    assert node.waiting("TD") == 0
    assert node.queues() == {}
    node.start_unit("TD")
    assert node.queues() == {"TD": Queue(0, 1)}


def test_modules_of_our_names_in_the_folder_where_it_is_used(
    make: Callable[[str], Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("naming", "iiop", "json", "tools"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    node = make("host1")
    node.add(unit())
    assert node.queues() == {"TD": Queue(0, 1)}


def test_whoever_listens_to_a_work_unit_still_hears_it(make: Callable[[str], Node]) -> None:
    node = make("host1")
    td, heard = unit(), []
    td.on_change = lambda unit: heard.append(("before", unit.state.value))
    node.on_change = lambda node, unit: heard.append((node.name, unit.state.value if unit else ""))
    node.add(td)
    assert heard == [("before", "running"), ("host1", "running")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "not one JSON object: "),
        (["{"], "not one JSON object: "),
        (["[]"], "not of the form "),
        (['{"home": "h", "host": "127.0.0.1", "port": "8002", "advertised_port": null}'], "not of the form "),
        (['{"home": "h", "host": "127.0.0.1", "port": 65536, "advertised_port": null}'], "not of the form "),
        (['{"home": "h", "host": "127.0.0.1"}'], "not of the form "),
    ],
)
def test_the_process_says_what_it_cannot_use(arguments: list[str], told: str) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "iiop_lab.node_process", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"node_process: {told}")
    assert done.stderr.count("\n") == 1


def test_the_process_refuses_orders_that_it_does_not_know(make: Callable[[str], Node]) -> None:
    node = make("host1")
    for order in ({"dance": 1}, {"serve": "TD"}, {"serve": "TD", "keys": ["zz"], "targets": []}, []):
        with pytest.raises(NodeStateError, match=r"node host1: (ValueError|KeyError|TypeError)"):
            node._order(order)  # type: ignore[arg-type]
    assert node.queues() == {}

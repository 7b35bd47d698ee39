"""A lab by file: what is declared runs, what is done to it happens and is told, and nothing is left."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from iiop.balancer import Standing
from iiop.exceptions import COMM_FAILURE, NO_IMPLEMENT, CompletionStatus, FailoverExhausted, IIOPError
from iiop.failover import FailoverPolicy
from iiop.net.client import Client
from iiop_lab.child import ChildError
from iiop_lab.sample import TdTest
from iiop_lab.scenario.actions import ActionError
from iiop_lab.scenario.lab import Lab, LabError, LabEvent
from iiop_lab.scenario.play import play
from iiop_lab.scenario.text import read_table
from iiop_lab.work_unit import State
from naming import NameService
from tests import peers
from tests.lab import accounts
from tests.lab.iioplab import all_end

ONCE = FailoverPolicy(deadline=10.0, attempt_timeout=5.0, rounds=1)
PATIENT = FailoverPolicy(deadline=30.0, attempt_timeout=5.0, rounds=1000, backoff_initial=0.01, backoff_max=0.05)
NAME = "TDsample::tdtest"

Make = Callable[..., Lab]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def lab(count: int = 1, *, any_port: bool = True, **table: Any) -> Lab:
            names = [f"host{number}" for number in range(1, count + 1)]
            hosts = {"vhost": "127.0.0.10"} | {name: f"127.0.0.1{number}" for number, name in enumerate(names, 1)}
            usual = {
                "hosts": hosts,
                "virtual_host": {"probe_interval": 0.02},
                "nodes": {name: {} for name in names},
                "work_units": {"TD": {"names": {NAME: "vhost"}}},
            }
            read = read_table({key: value for key, value in (usual | table).items() if value is not None}, tmp_path / "lab.toml")
            made = Lab(read.lab, tmp_path / "lab", beside=tmp_path, any_port=any_port)
            told = made.told = []  # type: ignore[attr-defined]
            made.listen(told.append)
            return stack.enter_context(made)

        yield lab


@pytest.fixture
def stub(stack: ExitStack) -> Callable[[Lab], TdTest]:
    def connect(lab: Lab, name: str = NAME, policy: FailoverPolicy = ONCE) -> TdTest:
        return stack.enter_context(NameService(lab.address(), policy=policy)).reference(name, TdTest)

    return connect


def told(lab: Lab, *kinds: str) -> list[str]:
    events: list[LabEvent] = lab.told  # type: ignore[attr-defined]
    return [f"{event.event} {event.subject}: {event.text}" for event in events if event.event in kinds]


def test_actions_happen_and_are_told(make: Make, stub: Callable[..., TdTest]) -> None:
    lab = make(2)
    sample = stub(lab, policy=PATIENT)
    assert {sample.call(number) for number in range(4)} == {"host1", "host2"}
    lab.do("kill host1")
    assert lab.state("host1") is State.DIED
    assert {sample.call(number) for number in range(10, 14)} == {"host2"}
    assert lab.standing("host1") is Standing.DEGRADED or lab.standing("host1") is Standing.DEAD
    lab.do("restore host1")
    assert lab.state("host1/TD") is State.RUNNING
    lab.do("maintenance host2")
    assert lab.standing("host2") is Standing.MAINTENANCE
    while sample.call(20) != "host1":
        pass
    lab.do("release host2")
    lab.do("report host1 cpu 0.5")
    lab.do("kill host2/TD")
    assert lab.standing("host2") is Standing.DEGRADED
    lab.do("restore host2/TD")
    lab.do("hang host2/TD")
    assert lab.state("host2/TD") is State.HUNG
    lab.do("restore host2/TD")
    lab.do("stop host1")
    assert told(lab, "action", "node") == [
        "node host1: running",
        "node host2: running",
        "action host1: kill host1",
        "node host1: died",
        "action host1: restore host1",
        "node host1: stopped",
        "node host1: running",
        "action host2: maintenance host2",
        "action host2: release host2",
        "action host1: report host1 cpu 0.5",
        "action host2/TD: kill host2/TD",
        "action host2/TD: restore host2/TD",
        "action host2/TD: hang host2/TD",
        "action host2/TD: restore host2/TD",
        "action host1: stop host1",
        "node host1: stopped",
    ] or told(lab, "action", "node")[:2] == ["node host2: running", "node host1: running"]
    assert lab.crashed == ()
    assert sum(map(len, lab.journals.values())) >= 9


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ("kil host1", ActionError, "did you mean 'kill'"),
        ("kill host3", LabError, "there is no node host3: there is host1"),
        ("kill host1/X", LabError, "there is no WorkUnit X on host1: there is TD"),
        ("restore host1", LabError, "host1 runs"),
        ("switch app", LabError, "there is no cluster app: there is none"),
        ("fault slow on", LabError, "there is no fault slow: the file declares none"),
        ("fault slow of", LabError, "it is 'on' or 'off'"),
        ("maintenance host9", LabError, "host9 is no target of the virtual host: there is host1"),
        ("report host1 speed 1", LabError, "report host1 speed 1: nodes do not report 'speed'; there are: cpu, memory"),
        ("report host1 cpu much", LabError, "'much' is no number"),
        ("report host1 cpu nan", LabError, "it must be 0 to 1, not nan"),
        ("report host1 cpu 2", LabError, "it must be 0 to 1, not 2.0"),
        ("report host1 waiting_messages -1", LabError, "it must be 0 or more, not -1.0"),
        ("report host1 waiting_messages inf", LabError, "it must be 0 or more, not inf"),
        ("report host1 connections 1", LabError, "nodes do not report 'connections'"),
    ],
)
def test_what_cannot_be_done(make: Make, words: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make().do(words)


def test_faults_before_a_node_and_before_the_virtual_host(make: Make, stub: Callable[..., TdTest]) -> None:
    lost = {"exception": "COMM_FAILURE", "minor": 0x464A0914, "completed": "NO"}
    faults = {
        "ipcom": {"fault": "system_exception", "at": "vhost", "parameters": lost, "aim": {"operation": "call", "nth": 2}},
        "nat": {"fault": "system_exception", "at": "host1", "parameters": {"exception": "TRANSIENT"}, "attached": True},
    }
    lab = make(faults={"ipcom": faults["ipcom"], "nat": {**faults["nat"], "aim": {"operation": "call", "nth": 1}}})
    sample = stub(lab)
    with pytest.raises(IIOPError, match="TRANSIENT"):
        sample.call(1)
    assert (sample.call(2), lab.struck("nat"), lab.struck("ipcom")) == ("host1", 1, 0)
    lab.do("fault ipcom")
    assert sample.call(3) == "host1"
    with pytest.raises(FailoverExhausted) as raised:
        sample.call(4)
    assert isinstance(raised.value.__cause__, COMM_FAILURE)
    assert raised.value.__cause__.minor == 0x464A0914
    lab.do("fault ipcom off")
    assert lab.struck("ipcom") == 1, "which counts when it is away, too"
    with pytest.raises(LabError, match="fault ipcom is not attached"):
        lab.do("fault ipcom off")
    assert told(lab, "fault") == ["fault nat: attached", "fault ipcom: attached", "fault ipcom: removed"]


def test_nobody_connects_to_a_node_that_is_down_by_its_proxy(make: Make) -> None:
    lab = make(nodes={"host1": {"proxy": True}})
    host, port = lab.address("host1").rsplit(":", 1)
    socket.create_connection((host, int(port))).close()
    lab.do("kill host1")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    lab.do("restore host1")
    socket.create_connection((host, int(port))).close()


def test_process_bind_is_refused_and_iswitch_has_no_effect(make: Make, stub: Callable[..., TdTest]) -> None:
    bound = {"key": "bound", "process_bind": True, "iswitch": True, "names": {"bound": "vhost"}}
    lab = make(work_units={"TD": {"names": {NAME: "vhost"}}, "BOUND": bound})
    assert stub(lab).call(1) == "host1"
    with pytest.raises(NO_IMPLEMENT) as raised:
        stub(lab, "bound").call(2)
    assert (raised.value.minor, raised.value.completed) == (10007, CompletionStatus.COMPLETED_NO)
    assert told(lab, "note") == ["note host1/BOUND: iswitch has no effect behind a virtual host"]


def test_policies_and_stickiness_by_file(make: Make, stub: Callable[..., TdTest]) -> None:
    services = {
        "calls": {"policy": "weights", "weights": {"host1": 3, "host2": 1}},
        "fixed": {"work_units": ["FIXED"], "stickiness": "connection", "policy": "random", "seed": 5},
    }
    units = {"TD": {"names": {NAME: "vhost"}}, "FIXED": {"key": "fixed", "names": {"fixed": "vhost"}}}
    lab = make(2, virtual_host={"services": services}, work_units=units)
    sample, fixed = stub(lab), stub(lab, "fixed")
    assert [sample.call(number) for number in range(8)].count("host1") == 6
    assert len({fixed.call(number) for number in range(8)}) == 1


def test_random_by_file_is_what_its_seed_says(make: Make, stub: Callable[..., TdTest]) -> None:
    sample = stub(make(2, virtual_host={"services": {"calls": {"policy": "random", "seed": 7}}}))
    chance = random.Random(7).random
    assert [sample.call(number) for number in range(200)] == [("host1", "host2")[int(chance() * 2)] for _ in range(200)]


@pytest.mark.parametrize("policy", ["round_robin", "least_connections"])
def test_turns_by_file(make: Make, stub: Callable[..., TdTest], policy: str) -> None:
    sample = stub(make(2, virtual_host={"services": {"calls": {"policy": policy}}}))
    assert [sample.call(number) for number in range(200)] == ["host1", "host2"] * 100


@pytest.mark.parametrize(
    ("policy", "measure"),
    [("load", "cpu"), ("load", "memory"), ("load", "disk_io"), ("waiting_messages",) * 2, ("buffer_use",) * 2],
)
def test_what_nodes_report_by_file(make: Make, stub: Callable[..., TdTest], policy: str, measure: str) -> None:
    nodes = {"host1": {"load": {measure: 0.9}}, "host2": {"load": {measure: 0.1}}}
    lab = make(2, virtual_host={"services": {"calls": {"policy": policy}}}, nodes=nodes)
    sample = stub(lab)
    assert {sample.call(number) for number in range(100)} == {"host2"}
    lab.do(f"report host2 {measure} 1")
    assert {sample.call(number) for number in range(100)} == {"host1"}


def test_response_time_by_file(make: Make, stub: Callable[..., TdTest]) -> None:
    slow = {"fault": "latency", "at": "host1", "parameters": {"seconds": 0.05}, "attached": True}
    sample = stub(make(2, virtual_host={"services": {"calls": {"policy": "response_time"}}}, faults={"slow": slow}))
    assert [sample.call(number) for number in range(200)].count("host1") <= 3


def test_data_quantity_by_file(make: Make, stub: Callable[..., TdTest]) -> None:
    sample = stub(make(2, virtual_host={"services": {"calls": {"policy": "data_quantity"}}}))
    assert [sample.call(number) for number in range(200)].count("host1") == 100


def test_sessions_by_file(make: Make, stack: ExitStack) -> None:
    alone = "127.0.0.15"
    port = peers.free_port(alone)
    services = {"accounts": {"work_units": ["SHOP"], "stickiness": "session"}}
    shop = {"servant": accounts.HOME, "key": accounts.KEY, "names": {"shop": "vhost"}}
    env = {"IIOP_LAB_ADDRESS": f"{alone}:{port}", "PYTHONPATH": os.pathsep.join(sys.path)}
    lab = make(
        2,
        any_port=False,
        hosts={"vhost": alone, "host1": "127.0.0.11", "host2": "127.0.0.12"},
        virtual_host={"port": port, "services": services},
        nodes={"host1": {"port": 0}, "host2": {"port": 0}},
        work_units={"SHOP": {**shop, "env": env}},
    )
    client = stack.enter_context(Client(policy=ONCE))
    home = stack.enter_context(NameService(lab.address(), policy=ONCE)).reference("shop", accounts.Home, policy=ONCE)
    made = [client.stub(home.create(), accounts.Account) for _ in range(8)]
    places = [account.where().split()[0] for account in made]
    assert places == ["host1", "host2"] * 4
    for _ in range(3):
        assert [account.where().split()[0] for account in made] == places
    lab.do("kill host1")
    with pytest.raises(FailoverExhausted) as raised:
        made[0].where()
    assert isinstance(raised.value.__cause__, COMM_FAILURE)
    assert made[1].where().startswith("host2 ")


def test_limits_by_file(make: Make, stub: Callable[..., TdTest]) -> None:
    limits = {"waiting_messages": {"upper": 10, "restoration": 5}}
    lab = make(
        2,
        virtual_host={"services": {"calls": {"limits": limits}}},
        nodes={"host1": {"load": {"waiting_messages": 12}}, "host2": {}},
    )
    sample = stub(lab)
    assert {sample.call(number) for number in range(4)} == {"host2"}
    lab.do("report host1 waiting_messages 5")
    assert {sample.call(number) for number in range(4)} == {"host2"}
    lab.do("report host1 waiting_messages 4")
    assert {sample.call(number) for number in range(4)} == {"host1", "host2"}
    for host in ("host1", "host2"):
        lab.do(f"report {host} waiting_messages 10")
    with pytest.raises(FailoverExhausted) as raised:
        sample.call(9)
    assert isinstance(raised.value.__cause__, COMM_FAILURE)


CLUSTER = {
    "hosts": {"app": "127.0.0.14"},
    "virtual_host": None,
    "nodes": {"node1": {}, "node2": {}},
    "work_units": {"TD": {"names": {NAME: "own"}}},
}


def test_what_a_cluster_does_is_told(make: Make) -> None:
    lab = make(**CLUSTER, clusters={"app": {"nodes": ["node1", "node2"]}})
    lab.do("switch app")
    moves = [line for line in told(lab, "cluster") if line.endswith(("RUN", "WAIT"))]
    begun = ["cluster app: node1 START-RUN", "cluster app: node2 START-WAIT"]
    assert moves == [*begun, "cluster app: node1 STOP-RUN", "cluster app: node2 START-RUN", "cluster app: node1 START-WAIT"]
    assert "cluster app: node2 IS_INTERSTAGE started" in told(lab, "cluster")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_a_cluster_does_not_replace_is_restored(make: Make, stub: Callable[..., TdTest], how: str) -> None:
    lab = make(**CLUSTER, clusters={"app": {"nodes": ["node1", "node2"], "automatic": False}})
    lab.do(f"{how} node1")
    lab.do("restore node1")
    assert (lab.active("app"), lab.state("node1"), lab.state("node1/TD")) == ("node1", State.RUNNING, State.RUNNING)
    assert stub(lab, policy=PATIENT).call(1) == "node1"
    lab.do(f"{how} node2")
    lab.do("restore node2")
    assert lab.state("node2/TD") is State.RUNNING
    with pytest.raises(IIOPError, match="node2 is wait, and all of it runs"):
        lab.do("restore node2")
    lab.do("switch app")
    assert stub(lab, policy=PATIENT).call(2) == "node2"


COUNTED: dict[str, Any] = {
    "clients": {"one": {}},
    "step": [{"name": "one", "calls": 5, "expect": [{"failed": 0, "at_most_once": True}]}],
}


def test_a_scenario_counts_what_ran_in_it_alone(make: Make, stub: Callable[..., TdTest]) -> None:
    lab = make(**COUNTED)
    assert stub(lab).call(1_000_000) == "host1"
    assert lab.play().kept
    assert lab.play().kept
    assert len(lab.journals["host1"]) > 10


SERVANT = """
import os
from iiop.idl import Servant
from iiop_lab.sample import TdTest

class Mine(Servant):
    interface = TdTest

    def call(self, number):
        return f"{os.environ['IIOP_LAB_NODE']} {os.environ['GREETING']} {number}"

    def has_run(self, number):
        return True
"""

SCRIPT = """
import os, sys
import CORBA, PortableServer
sys.path.insert(0, os.environ["STUBS"])
import TDsample, TDsample__POA

class Mine(TDsample__POA.tdtest):
    def call(self, number):
        return f"omniORBpy {number}"

    def has_run(self, number):
        return True

orb = CORBA.ORB_init(["mine", "-ORBendPoint", "giop:tcp:127.0.0.1:"], CORBA.ORB_ID)
poa = orb.resolve_initial_references("omniINSPOA")
poa.activate_object_with_id(b"script", Mine())
poa._get_the_POAManager().activate()
print(orb.object_to_string(poa.id_to_reference(b"script")), flush=True)
orb.run()
"""


def test_a_servant_and_a_script_beside_the_file(make: Make, stub: Callable[..., TdTest], tmp_path: Path) -> None:
    import iiop_lab
    from iiop_lab.child import run, script

    run([script("omniidl"), "-bpython", f"-C{tmp_path}", str(Path(iiop_lab.__path__[0]) / "TDsample.idl")])
    (tmp_path / "mine.py").write_text(SERVANT)
    (tmp_path / "server.py").write_text(SCRIPT)
    units = {
        "PYTHON": {"servant": "mine:Mine", "env": {"GREETING": "hello"}, "names": {"python": "vhost"}, "count": 2},
        "OMNI": {"script": "server.py", "env": {"STUBS": str(tmp_path)}, "names": {"omni": "vhost"}},
        "COMMAND": {
            "command": [sys.executable, str(tmp_path / "server.py")],
            "nodes": ["host1"],
            "env": {"STUBS": str(tmp_path)},
        },
    }
    lab = make(work_units=units)
    assert stub(lab, "python").call(1) == "host1 hello 1"
    assert stub(lab, "omni").call(2) == "omniORBpy 2"
    assert len(lab.nodes["host1"].work_units["PYTHON"].pids) == 2


def test_one_object_on_all_nodes(make: Make, tmp_path: Path) -> None:
    (tmp_path / "any.py").write_text(
        "import sys; from iiop_lab.serve_servant import main; sys.exit(main(['iiop_lab.sample:Sample']))"
    )
    with pytest.raises(LabError, match=r"WorkUnit TD: its object keys differ from node to node"):
        make(2, work_units={"TD": {"script": "any.py", "names": {NAME: "vhost"}}})


def test_programs_are_clients(make: Make, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(
        "import os; from naming import NameService; from iiop_lab.sample import TdTest\n"
        "with NameService(os.environ['IIOP_LAB_NAMING']) as names:\n"
        f"    print(names.reference({NAME!r}, TdTest).call(1))\n"
    )
    clients = {
        "mine": {"command": [sys.executable, "client.py"]},
        "forever": {"command": [sys.executable, "-c", "import time; time.sleep(1000)"]},
    }
    step = {"name": "it calls", "until": [{"exit": {"mine": 0}}], "within": 30.0, "expect": [{"exit": {"forever": 0}}]}
    lab = make(clients=clients, step=[step])
    outcome = play(lab)
    assert [(verdict.text, verdict.kept) for verdict in outcome.all_verdicts] == [
        ("mine ends with status 0", True),
        ("forever ends with status 0", False),
    ]
    assert (lab.folder / "logs" / "mine.log").read_text() == "host1\n"


def test_what_a_program_leaves_ends_too(make: Make, tmp_path: Path) -> None:
    leaves = "(trap '' TERM; sh -c 'echo $PPID' > pid; exec sleep 1000) & until [ -s pid ]; do :; done"
    step = {"name": "it ends", "until": [{"exit": {"mine": 0}}], "within": 30.0}
    lab = make(clients={"mine": {"command": ["sh", "-c", leaves]}}, step=[step])
    with ExitStack() as stack:

        def watch(event: LabEvent) -> None:
            if event.event == "kept":
                watched.append(os.pidfd_open(int((tmp_path / "pid").read_text())))
                stack.callback(os.close, watched[0])

        watched: list[int] = []
        lab.listen(watch)
        assert lab.play().kept
        assert all_end(watched, 10.0), "it does not hear SIGTERM"


def test_what_cannot_start(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="cannot run nothing"):
        play(make(clients={"mine": {"command": ["nothing"]}}, step=[{"name": "one"}]))


def test_a_port_in_use_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.10", 0)) as taken:
        port = taken.getsockname()[1]
        table = {
            "hosts": {"vhost": "127.0.0.10", "host1": "127.0.0.11"},
            "virtual_host": {"port": port},
            "nodes": {"host1": {"port": 0}},
        }
        lab = Lab(read_table(table, tmp_path / "lab.toml").lab, tmp_path / "lab")
        with pytest.raises(LabError, match=rf"vhost: cannot listen on 127.0.0.10:{port}: Address already in use"), lab:
            pass
    assert lab.nodes["host1"].state is State.STOPPED
    with suppress(ChildProcessError):
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)


def test_status_is_plain_data(make: Make) -> None:
    import json

    lab = make(2, faults={"slow": {"fault": "latency", "at": "host1", "parameters": {"seconds": 0.1}}})
    status = json.loads(json.dumps(lab.status()))
    assert {name: node["state"] for name, node in status["nodes"].items()} == {"host1": "running", "host2": "running"}
    assert status["nodes"]["host1"]["work_units"]["TD"]["state"] == "running"
    assert status["faults"] == {"slow": {"fault": "latency", "at": "host1", "attached": False, "struck": 0}}

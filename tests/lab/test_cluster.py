"""Clusters: the inherited address moves with the active node, on failure and by hand; order, time-outs, hooks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from iiop.exceptions import CompletionStatus, IIOPError
from iiop.failover import FailoverPolicy
from iiop_lab.cluster import TRANSITIONS, Cluster, ClusterError, Resource, Role, Transition, standard_resources
from iiop_lab.node import Node
from iiop_lab.work_unit import State
from naming import NameService
from tests import peers
from tests.lab.test_node import NAME, pid, unit
from tests.lab.test_work_unit import Process

PATIENT = FailoverPolicy(deadline=60.0, attempt_timeout=5.0, rounds=1000, backoff_initial=0.01, backoff_max=0.05)

Make = Callable[..., Cluster]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def cluster(name: str = "app", *, shared: bool = False, start: bool = True, **options: object) -> Cluster:
            port = peers.free_port()
            homes = [tmp_path / name / ("shared" if shared else node) for node in ("node1", "node2")]
            nodes = [Node(f"node{number}", home, port=port) for number, home in enumerate(homes, 1)]
            for node in nodes:
                node.add(unit(), names={NAME: None}, start=False)
            made = Cluster(name, nodes, **options)  # type: ignore[arg-type]
            stack.callback(made.stop)
            if start:
                made.start()
            return made

        yield cluster


def active_pid(cluster: Cluster) -> int:
    active = cluster.active
    assert active is not None
    return active.work_units["TD"].pids[0]


def happened(cluster: Cluster) -> list[str]:
    return [f"{event.node} {event.what}" for event in cluster.history]


START = ["{} START-RUN", "{} IS_INTERSTAGE started", "{} ODWU_INTERSTAGE started"]
WAIT = ["{} START-WAIT", "{} IS_INTERSTAGE started", "{} ODWU_INTERSTAGE started"]
STOP = ["{} STOP-RUN", "{} ODWU_INTERSTAGE stopped", "{} IS_INTERSTAGE stopped"]


def of(node: str, *steps: list[str]) -> list[str]:
    return [line.format(node) for step in steps for line in step]


def test_switched_by_hand(make: Make) -> None:
    cluster = make()
    one, two = cluster.nodes
    address = one.address
    assert (cluster.active, cluster.standby) == (one, two)
    assert two.work_units["TD"].state is State.RUNNING, "started in advance"
    assert pid(address) == active_pid(cluster)
    cluster.switch()
    assert (cluster.active, cluster.standby) == (two, one)
    assert pid(address) == active_pid(cluster)
    cluster.switch()
    assert cluster.active is one
    started = of("node1", START) + of("node2", WAIT)
    there = of("node1", STOP) + of("node2", START) + of("node1", WAIT)
    back = of("node2", STOP) + of("node1", START) + of("node2", WAIT)
    assert happened(cluster) == started + there + back


@pytest.mark.parametrize("dies", ["naming", "unit", "node"])
def test_a_failure_switches(make: Make, dies: str) -> None:
    cluster = make()
    one, two = cluster.nodes
    if dies == "naming":
        assert one._child is not None
        os.kill(one._child.pid, signal.SIGKILL)
    elif dies == "unit":
        os.kill(one.work_units["TD"].pids[0], signal.SIGKILL)
    else:
        one.kill()
    until(lambda: cluster.active is two)
    cluster.wait_settled()
    assert (cluster.role(one), cluster.role(two)) == (Role.FAULTED, Role.RUN)
    assert pid(two.address) == active_pid(cluster)
    cluster.repair(one)
    assert cluster.standby is one
    cluster.switch()
    assert pid(one.address) == active_pid(cluster)
    assert happened(cluster)[6:13] == [*of("node1", [["{} FAIL-RUN"]][0]), *of("node2", START), *of("node1", WAIT)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_standby_that_dies_is_no_switch(make: Make) -> None:
    cluster = make()
    one, two = cluster.nodes
    two.work_units["TD"].kill()
    until(lambda: cluster.role(two) is Role.FAULTED)
    cluster.wait_settled()
    assert cluster.active is one
    with pytest.raises(ClusterError, match="node1 is run, node2 is faulted"):
        cluster.switch()
    one.kill()
    until(lambda: cluster.role(one) is Role.FAULTED)
    cluster.wait_settled()
    assert cluster.active is None
    cluster.repair(two)
    assert cluster.active is two, "nobody else serves"


def test_what_is_not_watched_does_not_switch(make: Make) -> None:
    cluster = make(watches_naming=False)
    one, _ = cluster.nodes
    one.work_units["TD"].monitored = False
    one.work_units["TD"].kill()
    assert one._child is not None
    os.kill(one._child.pid, signal.SIGKILL)
    until(lambda: one.state is State.DIED)
    cluster.wait_settled()
    assert cluster.active is one
    cluster.fail(one)
    assert cluster.active is cluster.nodes[1]


@pytest.mark.parametrize("shared", [True, False])
def test_bindings_are_where_the_folder_is(make: Make, shared: bool) -> None:
    cluster = make(shared=shared)
    one, _ = cluster.nodes
    with NameService(one.address) as names:
        names.root.bind_new_context(names_of("made"))
    cluster.switch()
    with NameService(one.address) as names:
        bound = {binding.binding_name[0].id for binding in names.root.list(100)[0]}
    assert bound == ({NAME, "made"} if shared else {NAME})


def names_of(name: str) -> object:
    from naming.names import parse_name

    return parse_name(name)


def test_mutual_standby(make: Make) -> None:
    ones, twos = make("default"), make("extended")
    left = [ones.nodes[0], twos.nodes[1]]
    assert (ones.active, twos.active) == (ones.nodes[0], twos.nodes[0])
    for node in left:  # one machine goes
        node.kill()
        for work_unit in node.work_units.values():
            work_unit.kill()
    until(lambda: ones.active is ones.nodes[1])
    for cluster in (ones, twos):
        cluster.wait_settled()
        assert cluster.active is not None
        assert pid(cluster.active.address) == active_pid(cluster)
    assert twos.role(twos.nodes[1]) is Role.FAULTED


def test_hooks_are_told_in_time(make: Make) -> None:
    told: list[tuple[str, str, State]] = []
    cluster = make(hooks=[lambda node, transition: told.append((node.name, transition.value, node.state))])
    cluster.switch()
    cluster.fail(cluster.nodes[1])
    cluster.stop()
    assert told == [
        ("node1", "START-RUN", State.RUNNING),
        ("node2", "START-WAIT", State.STOPPED),
        ("node1", "STOP-RUN", State.RUNNING),
        ("node2", "START-RUN", State.RUNNING),
        ("node1", "START-WAIT", State.STOPPED),
        ("node2", "FAIL-RUN", State.RUNNING),
        ("node1", "START-RUN", State.RUNNING),
        ("node1", "STOP-RUN", State.RUNNING),
    ]


def test_order_and_time_outs(make: Make) -> None:
    calls: list[str] = []
    go = threading.Event()

    def resource(name: str, *, hangs: bool = False, timeout: float = 30.0) -> Resource:
        def stop(node: Node) -> None:
            calls.append(f"stop {name}")
            if hangs:
                go.wait(30)

        return Resource(name, lambda node, role: calls.append(f"start {name} {role.value}"), stop, timeout)

    extra = [resource("IREP"), *standard_resources(), resource("ES", hangs=True, timeout=0.2), resource("TDWU")]
    cluster = make(resources=extra)
    cluster.switch()
    go.set()
    started = ["start IREP run", "start ES run", "start TDWU run", "start IREP wait", "start ES wait", "start TDWU wait"]
    assert calls[:9] == [*started, "stop TDWU", "stop ES", "stop IREP"]
    assert pid(cluster.nodes[0].address) == active_pid(cluster)


def test_one_that_does_not_start(make: Make) -> None:
    def refuse(node: Node, role: Role) -> None:
        raise OSError("no disk")

    cluster = make(start=False, resources=[*standard_resources(), Resource("IREP", refuse, lambda node: None)])
    with pytest.raises(ClusterError, match="cluster app: IREP did not start on node1: no disk"):
        cluster.start()
    assert cluster.role(cluster.nodes[0]) is Role.FAULTED
    with pytest.raises(IIOPError):
        pid(cluster.nodes[0].address, FailoverPolicy(deadline=0.5, rounds=1))


@pytest.mark.parametrize(("role", "transition"), sorted(product(Role, Transition), key=str))
def test_transitions_follow_the_table(role: Role, transition: Transition, tmp_path: Path) -> None:
    cluster = Cluster("app", [Node("a", tmp_path / "a"), Node("b", tmp_path / "b")], resources=[])
    node = cluster.nodes[0]
    cluster._roles[node] = role
    if (role, transition) in TRANSITIONS:
        cluster._move(node, transition)
        assert cluster.role(node) is TRANSITIONS[role, transition]
    else:
        with pytest.raises(KeyError):
            cluster._move(node, transition)


def test_wrong_use(make: Make, tmp_path: Path) -> None:
    node = Node("a", tmp_path)
    for nodes in ([node], [node, node]):
        with pytest.raises(ValueError, match="it takes two nodes"):
            Cluster("app", nodes)
    cluster = make()
    with pytest.raises(ClusterError, match="cluster app runs"):
        cluster.start()
    with pytest.raises(ClusterError, match="node2 is wait, not faulted"):
        cluster.repair(cluster.nodes[1])


SWITCHES = int(os.environ.get("CLUSTER_SWITCHES", "5"))


def test_a_client_calls_throughout(make: Make) -> None:
    """A switch in order loses no call: what was not answered has not run, or may run again, as it changes nothing."""
    cluster = make()
    seen: list[int] = []
    failed: list[IIOPError] = []
    ended = threading.Event()

    def call() -> None:
        with NameService(cluster.nodes[0].address, policy=PATIENT) as names:
            process = names.reference(NAME, Process, policy=PATIENT)
            while not ended.is_set():
                try:
                    seen.append(int(process.pid()))
                except IIOPError as error:
                    failed.append(error)

    def the_active_one_answers() -> bool:
        return seen[-1:] == [active_pid(cluster)]

    caller = threading.Thread(target=call)
    caller.start()
    try:
        until(the_active_one_answers)
        for _ in range(SWITCHES):
            cluster.switch()
            until(the_active_one_answers)
    finally:
        ended.set()
        caller.join()
    assert len(set(seen)) == SWITCHES + 1
    maybe = [error for error in failed if getattr(error, "completed", None) is not CompletionStatus.COMPLETED_MAYBE]
    assert maybe == [], "what failed at all, failed because nobody knows whether it ran"

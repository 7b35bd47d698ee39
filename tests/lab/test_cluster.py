"""Clusters: the inherited address moves with the active node, on failure and by hand; order, time-outs, hooks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.exceptions import IIOPError
from iiop.failover import FailoverPolicy
from iiop_lab.cluster import TRANSITIONS, Cluster, ClusterError, Event, Resource, Role, Transition, standard_resources
from iiop_lab.node import Node
from iiop_lab.work_unit import State
from naming import NameService
from tests import peers
from tests.lab.test_node import NAME, pid, unit

HOST = "127.0.0.23"
"""Where clients do not connect from: none of their connections has the port when nobody listens."""

Make = Callable[..., Cluster]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def cluster(name: str = "app", *, shared: bool = False, start: bool = True, **options: Any) -> Cluster:
            port = peers.free_port(HOST)
            homes = [tmp_path / name / ("shared" if shared else node) for node in ("node1", "node2")]
            nodes = [Node(f"node{number}", home, host=HOST, port=port) for number, home in enumerate(homes, 1)]
            for node in nodes:
                node.add(unit(), names={NAME: None}, start=False)
            made = Cluster(name, nodes, **options)
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
        os.kill(one.pids[0], signal.SIGKILL)
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
    one, two = cluster.nodes
    os.kill(one.pids[0], signal.SIGKILL)
    until(lambda: one.state is State.DIED)
    cluster.wait_settled()
    assert cluster.active is one
    one.work_units["TD"].monitored = False
    one.work_units["TD"].kill()
    cluster.wait_settled()
    assert cluster.active is one
    cluster.fail(one)
    assert cluster.active is two
    os.kill(two.work_units["TD"].pids[0], signal.SIGKILL)
    until(lambda: cluster.role(two) is Role.FAULTED)
    cluster.wait_settled()
    assert cluster.active is None, "WorkUnits are watched all the same"


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

    extra = [resource("IREP"), *standard_resources(), resource("ES", hangs=True, timeout=2.0), resource("TDWU")]
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


def test_a_switch_that_fails_and_is_made_good(make: Make) -> None:
    full = True

    def mount(node: Node, role: Role) -> None:
        if node.name == "node2" and role is Role.RUN and full:
            raise OSError("no disk")

    cluster = make(resources=[*standard_resources(), Resource("IREP", mount, lambda node: None)])
    node1, node2 = cluster.nodes
    with pytest.raises(ClusterError, match="IREP did not start on node2: no disk"):
        cluster.switch()
    assert (cluster.role(node1), cluster.role(node2)) == (Role.OFFLINE, Role.FAULTED)
    cluster.repair(node1)
    assert (cluster.role(node1), cluster.role(node2)) == (Role.RUN, Role.FAULTED)
    assert pid(node1.address) == active_pid(cluster)
    cluster.repair(node2)
    full = False
    cluster.switch()
    assert (cluster.role(node1), cluster.role(node2)) == (Role.WAIT, Role.RUN)


class Walk:
    """Drive a cluster without resources, and follow its roles by its events and the table alone."""

    def __init__(self, folder: Path) -> None:
        nodes = [Node(name, folder / name, host=HOST) for name in ("a", "b")]
        self.cluster = Cluster("app", nodes, resources=[], on_event=self.heard)
        self.roles = dict.fromkeys(("a", "b"), Role.OFFLINE)
        self.taken: set[tuple[Role, Transition]] = set()

    def heard(self, event: Event) -> None:
        step = self.roles[event.node], Transition(event.what)
        self.taken.add(step)
        self.roles[event.node] = TRANSITIONS[step]

    def do(self, action: str) -> None:
        verb, _, name = action.partition(" ")
        nodes = [node for node in self.cluster.nodes if node.name == name]
        with suppress(ClusterError):
            getattr(self.cluster, verb)(*nodes)
        assert {node.name: self.cluster.role(node) for node in self.cluster.nodes} == self.roles
        assert [*self.roles.values()].count(Role.RUN) <= 1
        assert [*self.roles.values()].count(Role.WAIT) <= 1


ACTIONS = ["start", "switch", "stop", "fail a", "fail b", "repair a", "repair b"]


@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=20))
def test_roles_follow_the_table(tmp_path_factory: pytest.TempPathFactory, actions: list[str]) -> None:
    walk = Walk(tmp_path_factory.getbasetemp() / "walk")
    for action in actions:
        walk.do(action)


def test_every_transition_is_taken(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    for action in ("start", "switch", "fail b", "repair b", "fail b", "fail a", "repair a", "repair b", "stop"):
        walk.do(action)
    assert walk.taken == set(TRANSITIONS)


def test_whoever_listens_to_a_node_still_hears_it(tmp_path: Path) -> None:
    heard: list[str] = []
    nodes = [Node(name, tmp_path / name, host=HOST, port=peers.free_port(HOST)) for name in ("a", "b")]
    nodes[0].on_change = lambda node, unit: heard.append(node.state.value)
    events: list[Event] = []
    with Cluster("app", nodes, on_event=events.append) as cluster:
        pass
    assert heard == ["running", "stopped"]
    assert events == cluster.history


def test_wrong_use(make: Make, tmp_path: Path) -> None:
    node = Node("a", tmp_path)
    for nodes in ([node], [node, node]):
        with pytest.raises(ValueError, match="it takes two nodes"):
            Cluster("app", nodes)
    cluster = make()
    with pytest.raises(ClusterError, match="cluster app runs"):
        cluster.start()
    with pytest.raises(ClusterError, match="node2 is wait, and all of it runs"):
        cluster.repair(cluster.nodes[1])


@pytest.mark.parametrize("known", [True, False], ids=["hung by the lab", "hung by somebody"])
def test_a_node_that_is_silent_for_too_long_has_failed(make: Make, known: bool) -> None:
    cluster = make(heartbeat=0.5)
    one, two = cluster.nodes
    if known:
        one.hang()
    else:
        os.kill(one.pids[0], signal.SIGSTOP)
    until(lambda: cluster.active is two)
    cluster.wait_settled()
    assert (cluster.role(one), one.state) == (Role.FAULTED, State.DIED)
    assert pid(two.address) == active_pid(cluster)
    cluster.repair(one)
    cluster.switch()
    assert pid(one.address) == active_pid(cluster)


def test_silence_that_is_short_is_no_failure(make: Make) -> None:
    cluster = make(heartbeat=30.0)
    one, _ = cluster.nodes
    one.hang()
    assert cluster.active is one
    one.resume()
    assert pid(one.address) == active_pid(cluster)
    assert cluster.active is one

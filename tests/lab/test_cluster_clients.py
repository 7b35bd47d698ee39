"""Clients of a cluster, ours and omniORBpy's, that call throughout its switches; every call is counted where it runs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from iiop.exceptions import CompletionStatus, IIOPError
from iiop.failover import FailoverPolicy, completion_of
from iiop_lab.child import Child
from iiop_lab.cluster import Cluster, Role
from iiop_lab.node import Node
from iiop_lab.sample import TdTest, runs
from iiop_lab.scenario.building import SAMPLE
from iiop_lab.work_unit import WorkUnit, servant_command
from iiop_tools import od_set_env, odsethst
from naming import NameService, parse_name
from naming.places import open_service
from tests import peers
from tests.lab.test_cluster import START, STOP, WAIT, happened, of, until

HOST = "127.0.0.24"
"""The inherited address; clients do not connect from it."""
NAME = "TDsample::tdtest"
IDL = Path(sys.modules[TdTest.__module__].__file__ or "").with_name("TDsample.idl")
SWITCHES = int(os.environ.get("CLUSTER_SWITCHES", "3"))
POLICY = FailoverPolicy(deadline=20.0, attempt_timeout=10.0, rounds=1, refresh_interval=None)
NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE

pytestmark = pytest.mark.timeout(120 + 30 * SWITCHES)


@dataclass
class Stage:
    cluster: Cluster
    journals: Path

    @property
    def address(self) -> str:
        return self.cluster.nodes[0].address

    @property
    def active(self) -> str:
        active = self.cluster.active
        return "" if active is None else active.name


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def stage(tmp_path: Path, stack: ExitStack) -> Stage:
    """Return a cluster that has not started."""
    port = peers.free_port(HOST)
    journals = tmp_path / "journals"
    journals.mkdir()
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "IIOP_LAB_JOURNALS": str(journals)}
    nodes = [Node(name, tmp_path / name, host=HOST, port=port) for name in ("node1", "node2")]
    for node in nodes:
        node.add(WorkUnit("TD", servant_command(SAMPLE, key="td"), count=2, env=env), names={NAME: None}, start=False)
    cluster = Cluster("app", nodes)
    stack.callback(cluster.stop)
    return Stage(cluster, journals)


class Told:
    """Keep what a client was told of each of its calls: the host that ran it, or whether it may have run."""

    def __init__(self) -> None:
        self.calls: dict[int, str | CompletionStatus] = {}
        self.last = ""

    def tell(self, number: int, came: str | CompletionStatus) -> None:
        self.calls[number] = came
        self.last = came if isinstance(came, str) else ""

    def check(self, journals: Path) -> None:
        """No call ran twice, none ran that was told not to have, and all that were answered did, where it was said."""
        ran = runs(journals)
        counted = Counter(number for numbers in ran.values() for number in numbers)
        where = {number: host for host, numbers in ran.items() for number in numbers}
        assert [number for number, times in counted.items() if times > 1] == []
        assert set(counted) <= set(self.calls)
        for number, came in self.calls.items():
            if isinstance(came, str):
                assert where.get(number) == came
            else:
                assert came is MAYBE or (came is NO and number not in counted)


def switch_throughout(stage: Stage, told: Told) -> None:
    """Switch by hand, again and again, each time that the client has come to the active node."""
    until(lambda: told.last == stage.active)
    for _ in range(SWITCHES):
        stage.cluster.switch()
        until(lambda: told.last == stage.active)
    expected = of("node1", START) + of("node2", WAIT)
    for number in range(SWITCHES):
        there, back = ("node1", "node2") if number % 2 == 0 else ("node2", "node1")
        expected += of(there, STOP) + of(back, START) + of(there, WAIT)
    assert happened(stage.cluster) == expected
    assert {stage.cluster.role(node) for node in stage.cluster.nodes} == {Role.RUN, Role.WAIT}


def throughout(stage: Stage, call: Callable[[int], str | CompletionStatus]) -> Told:
    """Let a client call, one number after the other, while the cluster switches."""
    told, ended = Told(), threading.Event()

    def calls() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            told.tell(number, call(number))

    stage.cluster.start()
    caller = threading.Thread(target=calls)
    caller.start()
    try:
        switch_throughout(stage, told)
    finally:
        ended.set()
        caller.join()
    told.check(stage.journals)
    return told


def test_our_client_calls_throughout(stage: Stage, stack: ExitStack) -> None:
    patient = FailoverPolicy(deadline=60.0, attempt_timeout=10.0, rounds=10_000, backoff_initial=0.01, backoff_max=0.05)
    names = stack.enter_context(NameService(stage.address, policy=patient))
    target = names.reference(NAME, TdTest, policy=patient)

    def call(number: int) -> str | CompletionStatus:
        try:
            return target.call(number)
        except IIOPError as error:
            return completion_of(error)

    told = throughout(stage, call)
    failed = {number: came for number, came in told.calls.items() if not isinstance(came, str)}
    assert set(failed.values()) <= {MAYBE}, "what has not run is made again until it is answered"
    assert len(failed) <= SWITCHES


def test_an_omniorbpy_client_calls_throughout(stage: Stage, stack: ExitStack, tmp_path: Path) -> None:
    stubs = peers.omniidl_stubs(IDL, tmp_path / "stubs")
    script = Path(__file__).with_name("omni_caller.py")
    command = [sys.executable, str(script), f"corbaloc:iiop:1.2@{stage.address}/NameService", NAME]
    env = {"OMNIORB_CONFIG": os.devnull, "PYTHONPATH": str(stubs)}
    client = Child("omniORBpy", command, env=env)
    stack.callback(client.end)
    errors: set[str] = set()

    def call(number: int) -> str | CompletionStatus:
        client.tell(str(number))
        row = client.until("number", 60.0)
        assert row["number"] == number
        if "host" in row:
            return str(row["host"])
        errors.add(row["error"])
        time.sleep(0.01)  # it would fill its log, and take the processor from the nodes
        return CompletionStatus[row["completed"]] if row["called"] else NO

    told = throughout(stage, call)
    assert errors <= {"COMM_FAILURE", "TRANSIENT"}
    assert errors, "there was a time when nobody answered"
    assert {came for came in told.calls.values() if isinstance(came, str)} == {"node1", "node2"}


def test_the_inherited_address_by_the_commands(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """OD_set_env on both nodes (4.5.5), odsethst on the client, whose initial_hosts lead to whichever node is active."""
    port = stage.cluster.nodes[0].port
    for node in stage.cluster.nodes:
        node.node.home.mkdir()
        monkeypatch.setenv("OD_HOME", str(node.node.home))
        assert od_set_env.main(["-v", HOST]) == 0
        assert node.node.host_name == HOST
    home = tmp_path / "client"
    home.mkdir()
    monkeypatch.setenv("OD_HOME", str(home))
    assert odsethst.main(["-a", "-h", HOST, "-p", str(port)]) == 0
    capsys.readouterr()
    stage.cluster.start()
    for number in range(1, 4):
        with open_service(str(home / "etc" / "initial_hosts"), policy=POLICY) as names:
            assert names.reference(NAME, TdTest, policy=POLICY).call(number) == stage.active
            assert [str(endpoint) for endpoint in names.resolve(NAME).endpoints()] == [f"{HOST}:{port}"]
            names.root.bind_new_context(parse_name(f"made{number}"))
            made = names.resolve(f"made{number}")
            assert [str(endpoint) for endpoint in made.endpoints()] == [f"{HOST}:{port}"]
        stage.cluster.switch()

"""The load of nodes: what is measured follows what they do, and reporting ends when it is told to."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from iiop.balancer import Standing, Threshold
from iiop.balancer.measures import Measure
from iiop.exceptions import COMM_FAILURE, CompletionStatus, IIOPError
from iiop.failover import FailoverPolicy
from iiop.idl import Interface, Servant, operation
from iiop.net.client import Client
from iiop_lab.load import Load, LoadError, Reporter
from iiop_lab.node import Node
from iiop_lab.virtual_host import IPCOM_MINOR, Service, Target
from iiop_lab.work_unit import WorkUnit, servant_command
from ior import IOR
from ior.rewrite import rewritten
from naming import NameService
from tests.lab.fronts import Front

HOST = "127.0.0.22"
POLICY = FailoverPolicy(deadline=30.0, rounds=1, refresh_interval=None)
Calls = Callable[[Callable[[], None]], None]

USES = {Measure.CPU, Measure.MEMORY, Measure.DISK_IO, Measure.BUFFER_USE}


class Worker(Interface):
    repository_id = "IDL:test/Worker:1.0"

    @operation
    def wait(self, path: str) -> None:
        """Return once there is a file."""

    @operation
    def compute(self, path: str) -> None:
        """Compute until there is a file."""

    @operation
    def write(self, path: str) -> None:
        """Write 32 MiB to a file, and have it on disk."""


class WorkerServant(Servant):
    interface = Worker

    def wait(self, path: str) -> None:
        while not Path(path).exists():
            time.sleep(0.005)

    def compute(self, path: str) -> None:
        while not Path(path).exists():
            sum(range(1000))

    def write(self, path: str) -> None:
        with Path(path).open("wb") as file:
            file.write(os.urandom(32 * 1024 * 1024))
            file.flush()
            os.fsync(file.fileno())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def node(stack: ExitStack, tmp_path: Path) -> Node:
    node = stack.enter_context(Node("host1", tmp_path / "host1", host=HOST, port=0))
    command = servant_command(f"{__name__}:WorkerServant", key="worker")
    node.add(WorkUnit("WORK", command, count=2, env={"PYTHONPATH": os.pathsep.join(sys.path)}), names={"worker": None})
    return node


@pytest.fixture
def worker(node: Node, stack: ExitStack) -> Worker:
    return stack.enter_context(NameService(node.address, policy=POLICY)).reference("worker", Worker, policy=POLICY)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def during(worker: Worker, stack: ExitStack) -> Calls:
    """Make a call in a thread that ends with the test."""
    threads = stack.enter_context(ExitStack())

    def start(call: Callable[[], None]) -> None:
        thread = threading.Thread(target=call)
        thread.start()
        threads.callback(thread.join)

    return start


@pytest.fixture
def flag(during: Calls, stack: ExitStack, tmp_path: Path) -> Path:
    """Return a file that is there once the test has ended, so that calls end."""
    path = tmp_path / "flag"
    stack.callback(path.touch)
    return path


def test_what_an_idle_node_takes(node: Node) -> None:
    load = Load(node)
    first = load.measure(10.0)
    assert set(first) == {Measure.MEMORY, Measure.WAITING_MESSAGES, Measure.BUFFER_USE}
    then = load.measure(10.0)
    assert set(then) == {*USES, Measure.WAITING_MESSAGES}
    assert all(0.0 <= then[measure] <= 1.0 for measure in USES)
    resident = sum(psutil.Process(pid).memory_info().rss for pid in node.pids)
    assert then[Measure.MEMORY] == pytest.approx(resident / psutil.virtual_memory().total, rel=0.2)
    assert (then[Measure.WAITING_MESSAGES], then[Measure.BUFFER_USE]) == (0.0, 0.0)


def test_waiting_messages_and_buffer(node: Node, worker: Worker, during: Calls, flag: Path) -> None:
    load = Load(node)
    for _ in range(5):
        during(lambda: worker.wait(str(flag)))
    until(lambda: load.measure(10.0)[Measure.WAITING_MESSAGES] == 3.0)
    assert load.measure(10.0)[Measure.BUFFER_USE] == 3 / (2 * 1024)
    flag.touch()
    until(lambda: load.measure(10.0)[Measure.WAITING_MESSAGES] == 0.0)


def test_processor_time(node: Node, worker: Worker, during: Calls, flag: Path) -> None:
    load = Load(node)
    load.measure(10.0)
    began, taken = time.monotonic(), sum(_seconds(pid) for pid in node.pids)
    during(lambda: worker.compute(str(flag)))
    until(lambda: sum(_seconds(pid) for pid in node.pids) - taken > 0.5)
    measured = load.measure(10.0)[Measure.CPU]
    processors = psutil.cpu_count()
    assert processors is not None
    least = 0.5 / ((time.monotonic() - began + 0.5) * processors)
    assert least <= measured <= 1.0


def _seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def test_disk(node: Node, worker: Worker, tmp_path: Path) -> None:
    ours = psutil.Process()
    before = ours.io_counters().write_bytes
    WorkerServant().write(str(tmp_path / "ours"))
    on_disk = ours.io_counters().write_bytes > before  # a folder in memory is none
    load = Load(node)
    load.measure(10.0)
    worker.write(str(tmp_path / "theirs"))
    assert (load.measure(10.0)[Measure.DISK_IO] > 0.0) is on_disk


def test_children_of_a_work_unit_count(stack: ExitStack, tmp_path: Path) -> None:
    node = stack.enter_context(Node("host1", tmp_path, host=HOST, port=0))
    command = " ".join(servant_command(f"{__name__}:WorkerServant", key="worker"))
    node.add(WorkUnit("WORK", ["sh", "-c", f"{command}; true"], env={"PYTHONPATH": os.pathsep.join(sys.path)}))
    (shell,) = psutil.Process(node.work_units["WORK"].pids[0]).children()
    whole = Load(node).measure(10.0)[Measure.MEMORY] * psutil.virtual_memory().total
    assert whole > shell.memory_info().rss + psutil.Process(node.pids[0]).memory_info().rss / 2


def test_nothing_is_said_of_one_that_is_down_or_hangs(node: Node) -> None:
    load = Load(node)
    node.hang()
    assert load.measure() == {}
    node.resume()
    assert load.measure(10.0)
    os.kill(node.pids[0], signal.SIGSTOP)
    assert load.measure(0.1) == {}
    os.kill(node.pids[0], signal.SIGCONT)
    assert load.measure(10.0)
    node.kill()
    assert load.measure() == {}
    node.restart()
    assert load.measure(10.0)[Measure.WAITING_MESSAGES] == 0.0


def test_reported_while_the_node_comes_and_goes(node: Node) -> None:
    heard: queue.SimpleQueue[Measure] = queue.SimpleQueue()
    with Reporter(node, lambda measure, value: heard.put(measure), interval=0.01):

        def reports() -> None:
            while not heard.empty():
                heard.get()
            assert {heard.get(timeout=30) for _ in range(10)} >= {Measure.CPU, Measure.WAITING_MESSAGES}

        reports()
        node.kill()
        node.restart()
        reports()
        node.hang()
        node.resume()
        reports()
    count = heard.qsize()
    assert not [thread for thread in threading.enumerate() if thread.name == "load of host1"]
    assert heard.qsize() == count


@pytest.mark.parametrize("hung", [False, True])
def test_stops_at_once(node: Node, hung: bool) -> None:
    if hung:
        os.kill(node.pids[0], signal.SIGSTOP)
    heard = threading.Event()
    Reporter(node, lambda measure, value: heard.set()).stop()
    with Reporter(node, lambda measure, value: heard.set(), interval=3600.0):
        assert hung or heard.wait(30)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert heard.is_set() is not hung
    node.kill()


def test_a_full_node_gets_no_work_until_it_is_restored(
    node: Node, worker: Worker, during: Calls, flag: Path, stack: ExitStack
) -> None:
    target = Target(node.host, node.port)
    full = Service("calls", thresholds=(Threshold(Measure.WAITING_MESSAGES, 2.0, 1.0),))
    vhost = stack.enter_context(Front([target], [full]))
    told: dict[Measure, float] = {}

    def tell(measure: Measure, value: float) -> None:
        vhost.report(target, measure, value)
        told[measure] = value

    stack.enter_context(Reporter(node, tell, interval=0.01))
    with NameService(node.address) as names:
        there = rewritten(names.resolve("worker").to_iop(), host=vhost.host, port=vhost.port)
    through = stack.enter_context(Client(policy=POLICY)).stub(IOR.from_iop(there), Worker)
    for _ in range(4):
        during(lambda: worker.wait(str(flag)))
    until(lambda: told.get(Measure.WAITING_MESSAGES) == 2.0)
    with pytest.raises(IIOPError) as caught:
        through.wait(str(flag))
    assert caught.value.__cause__ == COMM_FAILURE(IPCOM_MINOR, CompletionStatus.COMPLETED_NO)
    assert vhost.standing(target) is Standing.FULL
    flag.touch()
    until(lambda: told[Measure.WAITING_MESSAGES] == 0.0)
    through.wait(str(flag))


def test_without_psutil(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(LoadError, match=r"^the load of nodes is measured with psutil: pip install 'iiopkit\[lab\]'$"):
        Reporter(node, lambda measure, value: None)

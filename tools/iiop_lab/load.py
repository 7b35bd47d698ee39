"""What a node reports of itself, measured: its processor time, memory, disk, and the requests that wait in it.

    with Reporter(node, lambda measure, value: loop.call_soon_threadsafe(virtual_host.report, target, measure, value)):
        ...

All nodes of a lab are on one machine. So what is measured is what a node takes of it: its process, those of its WorkUnits, and
those that they started. It must not know virtual hosts. It needs psutil, the extra `lab`.

Source: which numbers there are, and that the queues are those of WorkUnits, is of the High Availability System Guide
B1WS-1092-03ENZ0, 1.1.2 to 1.1.4; how each is made of what this machine tells is ours.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from iiop.balancer.measures import Measure
from iiop.exceptions import IIOPError
from iiop.limits import DEFAULT_LIMITS
from iiop_lab.node import Node, NodeStateError, Queue
from iiop_lab.work_unit import State

if TYPE_CHECKING:
    import psutil

__all__ = ["DISK_RATE", "Load", "LoadError", "Reporter"]

DISK_RATE = 100 * 1024 * 1024
"""Octets a second, read and written, that are taken for the full use of a disk."""

BUFFERS = DEFAULT_LIMITS.queued
"""Requests that a process of a WorkUnit keeps waiting, before it answers TRANSIENT."""

PATIENCE = 0.5
"""Seconds that a node gets to tell a reporter what waits."""


class LoadError(IIOPError):
    """Report that nothing can be measured here."""


def _psutil() -> ModuleType:
    """Return psutil.

    Raises:
        LoadError: it is not installed.
    """
    try:
        import psutil
    except ImportError:
        raise LoadError("the load of nodes is measured with psutil: pip install 'iiopkit[lab]'") from None
    return psutil


class Load:
    """Measure a node, from one look at it to the next.

    Args:
        node: may stop, die, hang and start again meanwhile.

    Raises:
        LoadError: psutil is not installed.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._psutil = _psutil()
        self._at = 0.0
        self._seconds: dict[psutil.Process, float] = {}
        """Processor time of each process, at the last look."""
        self._octets: dict[psutil.Process, int] = {}
        """What each had read from disk and written there."""

    def measure(self, patience: float = 1.0) -> dict[Measure, float]:
        """Return what can be said of the node now; nothing if it does not run, or hangs.

        CPU: processor time that its processes took since the last look, of what all processors of the machine have; from 0 to 1.
        DISK_IO: octets that they read from disk and wrote there since then, a second, of `DISK_RATE`; from 0 to 1. There is none
        where the system does not count them. Both need a last look, and the first has none.
        MEMORY: their resident memory, of that of the machine; what several share counts for each; from 0 to 1.
        WAITING_MESSAGES: requests in the queues of all its WorkUnits, beyond the one that each process works on.
        BUFFER_USE: the same, of as many as all those processes would keep waiting (`Limits.queued`); from 0 to 1.

        Args:
            patience: seconds that the node gets to tell what waits; of one that does not, nothing is said.
        """
        if self._node.state is not State.RUNNING:
            return {}
        try:
            queues = self._node.queues(patience)
        except NodeStateError:
            return {}
        return self._taken() | _waiting(queues)

    def _taken(self) -> dict[Measure, float]:
        """Return what the processes take of the machine."""
        now, passed = time.monotonic(), time.monotonic() - self._at
        seconds: dict[psutil.Process, float] = {}
        octets: dict[psutil.Process, int] = {}
        resident = 0
        for process in self._processes():
            with contextlib.suppress(self._psutil.Error), process.oneshot():  # it has ended, or is not ours to look at
                resident += process.memory_info().rss
                times = process.cpu_times()
                seconds[process] = times.user + times.system
                if hasattr(process, "io_counters"):
                    counters = process.io_counters()
                    octets[process] = counters.read_bytes + counters.write_bytes
        measured = {Measure.MEMORY: _use(resident, self._psutil.virtual_memory().total)}
        if self._at:
            measured[Measure.CPU] = _use(_more(seconds, self._seconds), passed * self._psutil.cpu_count())
            if octets:
                measured[Measure.DISK_IO] = _use(_more(octets, self._octets), passed * DISK_RATE)
        self._at, self._seconds, self._octets = now, seconds, octets
        return measured

    def _processes(self) -> set[psutil.Process]:
        found: set[psutil.Process] = set()
        for pid in self._node.pids:
            with contextlib.suppress(self._psutil.Error):
                process = self._psutil.Process(pid)
                found |= {process, *process.children(recursive=True)}
        return found


def _use(amount: float, whole: float) -> float:
    return min(1.0, amount / whole) if whole > 0 else 0.0


def _more(now: Mapping[psutil.Process, float], then: Mapping[psutil.Process, float]) -> float:
    """Return what was added; all that a process has counts if it is new."""
    return sum(value - then.get(process, 0) for process, value in now.items())


def _waiting(queues: dict[str, Queue]) -> dict[Measure, float]:
    waiting = sum(queue.waiting for queue in queues.values())
    processes = sum(queue.processes for queue in queues.values())
    return {Measure.WAITING_MESSAGES: float(waiting), Measure.BUFFER_USE: _use(waiting, BUFFERS * processes)}


class Reporter:
    """Report the load of a node until stopped, in a thread of its own; one that is down, or hangs, reports nothing.

    Args:
        node: to be measured.
        report: called in the thread with each number; not once `stop` has returned. It must not wait for who calls `stop`.
        interval: seconds from one look at the node to the next.

    Raises:
        LoadError: psutil is not installed.
    """

    def __init__(self, node: Node, report: Callable[[Measure, float], None], *, interval: float = 1.0) -> None:
        self._load = Load(node)
        self._report = report
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load of {node.name}", daemon=True)

    def __enter__(self) -> Reporter:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to report.

        Raises:
            RuntimeError: it was started before.
        """
        self._thread.start()

    def stop(self) -> None:
        """Report no more; at once, or when a node that hangs, unknown to the lab, has had half a second to answer."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for measure, value in self._load.measure(PATIENCE).items():
                if self._stopped.is_set():
                    return
                self._report(measure, value)
            self._stopped.wait(self._interval)

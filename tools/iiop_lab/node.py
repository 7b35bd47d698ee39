"""Nodes: a host with a folder as Interstage's, a Naming Service and WorkUnits, all behind one port.

    with Node("host1", folder, host="127.0.0.11", port=8002) as node:
        node.add(WorkUnit("TD", servant_command("bank:AccountServant")), names={"TDsample::tdtest": None})
        node.kill()

The Naming Service runs in a process of its own (`iiop_lab.node_process`), so that a node can be killed and hung whole. What a
WorkUnit serves is bound in the Naming Service at the node's own address, or at that of a virtual host in front. The processes of
WorkUnits are told where they run: `IIOP_LAB_NODE` is the node's name, `IIOP_LAB_HOME` its folder, and `IIOP_LAB_ADDRESS` the
`host:port` that references carry. The reference that they print must lead to themselves, all others may carry that address.

Source: High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2, 3.2.3.1, for folders and registration.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iiop.exceptions import IIOPError
from iiop_lab.child import Child, ChildError, Row
from iiop_lab.work_unit import State, WorkUnit, await_standstill
from ior.rewrite import rewritten
from naming import NameService
from naming import node as naming_node
from naming.names import parse_name

__all__ = ["Address", "Node", "NodeStateError", "Queue"]

Address = tuple[str, int]
"""Host and port."""

PATIENCE = 10.0
"""Seconds that a node's process gets to answer an order."""


class NodeStateError(IIOPError):
    """Report what cannot be asked of a node in the state that it is in."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Tell how much a WorkUnit has to do.

    Attributes:
        under_way: requests that were given to its processes, and are not answered.
        processes: how many there are.
    """

    under_way: int
    processes: int

    @property
    def waiting(self) -> int:
        """Return how many requests wait: those under way beyond one for each process."""
        return max(0, self.under_way - self.processes)


class _Process(Child):
    """Run `iiop_lab.node_process`, and give it orders from any thread, one at a time."""

    def __init__(self, name: str, options: Mapping[str, Any], log: Path | None, ended: Callable[[], None]) -> None:
        command = [sys.executable, "-P", "-m", "iiop_lab.node_process", json.dumps(options)]
        super().__init__(name, command, log=log, ended=ended)
        self._ordering = threading.Lock()
        self._owed = 0
        """Answers that nobody has waited for long enough; they come first."""

    def order(self, order: Mapping[str, Any], patience: float) -> Any:
        """Give an order and return the answer.

        Raises:
            ChildError: it was refused, or not answered within `patience` seconds; the process has ended.
        """
        deadline = time.monotonic() + patience
        if not self._ordering.acquire(timeout=patience):
            raise ChildError(f"{self.name} has not answered another order for {patience:g} s")
        try:
            while self._owed:
                self._next(deadline)
            self.tell(json.dumps(order))
            self._owed += 1
            answer = self._next(deadline)
        finally:
            self._ordering.release()
        if "refused" in answer:
            raise ChildError(f"{self.name}: {answer['refused']}")
        return answer["answer"]

    def _next(self, deadline: float) -> Row:
        row = self.until("answer", max(0.0, deadline - time.monotonic()))
        self._owed -= 1
        return row


class Node:
    """Run a node.

    Args:
        name: for people.
        home: the folder; made if it is not there. `etc/config` is written if there is none.
        host: address to listen on, which references carry, unless `OD_set_env` set another.
        port: to listen on; 0 lets the system choose, once: it stays the same when the node starts again.
        advertised_port: that references carry, if something else stands there, as a proxy before the node; None for `port`.
        log: file to which its process writes what it notes, as WorkUnits that do not answer; our standard error if None.
        on_change: called with the node and the WorkUnit, or None, whose state has changed.

    Attributes:
        node: the folder, as the commands see it.
        crashes: how often its process has ended though nobody had ended it.
        on_change: see above.
    """

    def __init__(
        self,
        name: str,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8002,
        advertised_port: int | None = None,
        log: Path | None = None,
        on_change: Callable[[Node, WorkUnit | None], None] | None = None,
    ) -> None:
        self.name = name
        self.node = naming_node.Node(home)
        self.host = host
        self.port = port
        self.on_change = on_change
        self._advertised_port = advertised_port
        self._log = log
        self._child: _Process | None = None
        self._state = State.STOPPED
        self._units: dict[str, WorkUnit] = {}
        self._names: dict[str, Mapping[str, Address | None]] = {}
        self._keys: dict[str, list[str]] = {}
        """What a WorkUnit served when it was last started, in hexadecimal."""
        self._naming: Address
        self._starting: set[str] = set()
        self.crashes = 0

    def __enter__(self) -> Node:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> State:
        """Return how it is."""
        return self._state

    @property
    def advertised_port(self) -> int:
        """Return the port that references carry; 0 if the system is still to choose it."""
        return self.port if self._advertised_port is None else self._advertised_port

    @property
    def address(self) -> str:
        """Return `host:port` as references carry it, for the `NameService` of a client."""
        return f"{self.host}:{self.advertised_port}"

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the ids of the processes that there are: its own first, and those of its WorkUnits."""
        child = self._child
        own = () if child is None or child.has_ended else (child.pid,)
        return (*own, *(pid for unit in self._units.values() for pid in unit.pids))

    @property
    def work_units(self) -> Mapping[str, WorkUnit]:
        """Return its WorkUnits by name, be they running or not."""
        return dict(self._units)

    # --- the node

    def start(self) -> None:
        """Start the Naming Service; WorkUnits are started by themselves.

        What those that run serve is reached, and bound, before the first client can come.

        Raises:
            NodeStateError: it runs.
            ChildError: it cannot start: the port is in use, the folder cannot be used.
        """
        if self._child is not None:
            raise NodeStateError(f"node {self.name} is {self._state.value}")
        self._configure()
        home, advertised = str(self.node.home), self._advertised_port
        options = {"home": home, "host": self.host, "port": self.port, "advertised_port": advertised}
        child = _Process(self.name, options, self._log, self._ended)
        try:
            host, port = child.until("ready")["ready"]
            self._naming = host, port
            if not self.port:
                self._open(child)
            for unit in self._units.values():
                if unit.state is State.RUNNING:
                    self._serve(unit, child)
                elif unit.name in self._keys:
                    child.order({"serve": unit.name, "keys": self._keys[unit.name], "targets": []}, PATIENCE)
            self._open(child)
        except BaseException:
            child.end()
            raise
        self._child = child
        self._set(State.RUNNING)
        if child.has_ended:
            self._ended()

    def stop(self) -> None:
        """Stop WorkUnits and Naming Service in order; a node that does not run is left alone."""
        if self._state is State.HUNG:
            self.resume()
        for unit in self._units.values():
            unit.stop()
        child, self._child = self._child, None
        if child is not None:
            child.end()
        self._set(State.STOPPED)

    def kill(self) -> None:
        """End everything on the node at once, as a power cut does; the folder stays."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
        for unit in self._units.values():
            unit.kill()
        if child is not None:
            self._set(State.DIED)

    def hang(self) -> None:
        """Let everything on the node stand still, connections and all.

        Raises:
            NodeStateError: it does not run.
        """
        pid = self._running().pid
        os.kill(pid, signal.SIGSTOP)
        await_standstill(pid)
        for unit in self._units.values():
            if unit.state is State.RUNNING:
                unit.hang()
        self._set(State.HUNG)

    def resume(self) -> None:
        """Let a node that hangs go on.

        Raises:
            NodeStateError: it does not hang.
        """
        if self._child is None or self._state is not State.HUNG:
            raise NodeStateError(f"node {self.name} is {self._state.value}, not hung")
        os.kill(self._child.pid, signal.SIGCONT)
        for unit in self._units.values():
            if unit.state is State.HUNG:
                unit.resume()
        self._set(State.RUNNING)

    def restart(self) -> None:
        """Start the node again, and the WorkUnits that it has, with the bindings there were.

        Raises:
            ChildError, WorkUnitError: something cannot start.
        """
        self.stop()
        self.start()
        for name in self._units:
            self.start_unit(name)

    # --- WorkUnits

    def add(self, unit: WorkUnit, *, names: Mapping[str, Address | None] | None = None, start: bool = True) -> None:
        """Let a WorkUnit be one of this node.

        Args:
            unit: not started yet.
            names: what its object is bound to in the node's Naming Service, and at which address: that of a virtual host in front
                of several nodes, or, None, the node's own.
            start: start it now.

        Raises:
            NodeStateError: there is one of that name; the node does not run, or not answer.
            WorkUnitError: it cannot start.
        """
        if unit.name in self._units:
            raise NodeStateError(f"node {self.name} has a WorkUnit {unit.name} already")
        told = unit.on_change

        def changed(unit: WorkUnit) -> None:
            if told is not None:
                told(unit)
            if self.on_change is not None and unit.name not in self._starting:
                self.on_change(self, unit)

        unit.on_change = changed
        unit.surroundings = self._surroundings
        self._units[unit.name] = unit
        self._names[unit.name] = dict(names or {})
        if start:
            self.start_unit(unit.name)

    def start_unit(self, name: str) -> None:
        """Start a WorkUnit, and bind its names.

        Raises:
            KeyError: there is none of that name.
            NodeStateError: the node does not run, or not answer.
            WorkUnitError: it cannot start.
        """
        child = self._running()
        unit = self._units[name]
        self._starting.add(name)
        try:
            unit.start()
            self._serve(unit, child)
        except ChildError as error:
            raise NodeStateError(f"node {error}") from error
        finally:
            self._starting.discard(name)
            if self.on_change is not None:  # not before it can be reached
                self.on_change(self, unit)

    def waiting(self, name: str) -> int:
        """Return how many requests wait in the queue of a WorkUnit: those under way beyond one for each process.

        Raises:
            KeyError: there is none of that name.
            NodeStateError: the node does not run, or not answer.
        """
        self._units[name]
        return self.queues().get(name, Queue(0, 0)).waiting

    def queues(self, patience: float = PATIENCE) -> dict[str, Queue]:
        """Return the queues of the WorkUnits that have been started.

        Args:
            patience: seconds to wait for them.

        Raises:
            NodeStateError: the node does not run, or not answer.
        """
        return {name: Queue(*counted) for name, counted in self._order({"count": True}, patience).items()}

    def _open(self, child: _Process) -> None:
        self.port = child.order({"open": True}, PATIENCE)[1]
        self._configure()

    def _serve(self, unit: WorkUnit, child: _Process) -> None:
        """Let requests to a WorkUnit's object go to its processes, and names lead to it."""
        endpoints = [reference.endpoints()[0] for reference in unit.references]
        keys = {endpoint.object_key.hex() for reference in unit.references for endpoint in reference.endpoints()}
        targets = [[endpoint.host, endpoint.port] for endpoint in endpoints]
        self._keys[unit.name] = sorted(keys)
        child.order({"serve": unit.name, "keys": self._keys[unit.name], "targets": targets}, PATIENCE)
        with NameService(":".join(map(str, self._naming))) as names:
            for name, address in self._names[unit.name].items():
                host, port = address or (self.node.host_name, self.advertised_port)
                names.root.rebind(parse_name(name), rewritten(unit.references[0].to_iop(), host=host, port=port))

    def _surroundings(self) -> dict[str, str]:
        """Return what processes of WorkUnits are told of where they run."""
        self._configure()
        address = f"{self.node.host_name}:{self.advertised_port}"
        return {"IIOP_LAB_NODE": self.name, "IIOP_LAB_ADDRESS": address, "IIOP_LAB_HOME": str(self.node.home)}

    # --- the process

    def _ended(self) -> None:
        """Note that the process has ended, if nobody here has ended it; what is left of it goes with `stop` or `kill`."""
        if self._child is not None:
            self.crashes += 1
            self._set(State.DIED)

    def _running(self) -> _Process:
        child = self._child
        if child is None or self._state is not State.RUNNING:
            raise NodeStateError(f"node {self.name} is {self._state.value}, not running")
        return child

    def _order(self, order: Mapping[str, Any], patience: float = PATIENCE) -> Any:
        try:
            return self._running().order(order, patience)
        except ChildError as error:
            raise NodeStateError(f"node {error}") from error

    def _configure(self) -> None:
        """Make the folder what it needs to be, and leave a config alone that is there."""
        etc = self.node.home / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        config = etc / "config"
        ours = f"IIOP_hostname = {self.host}\nIIOP_port = {self.advertised_port}\n"
        if self.advertised_port and (not config.exists() or not config.read_text().strip()):
            config.write_text(ours)

    def _set(self, state: State) -> None:
        changed = state is not self._state
        self._state = state
        if changed and self.on_change is not None:
            self.on_change(self, None)

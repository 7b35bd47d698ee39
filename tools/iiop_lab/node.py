"""Nodes: a host with a folder as Interstage's, a Naming Service and WorkUnits, all behind one port.

    with Node("host1", folder, host="127.0.0.11", port=8002) as node:
        node.add(WorkUnit("TD", servant_command("bank:AccountServant")), names={"TDsample::tdtest": None})
        node.kill()

The Naming Service runs in a process of its own (`iiop_lab.node_process`), so that a node can be killed and hung whole. What a
WorkUnit serves is bound in the Naming Service at the node's own address, or at that of a virtual host in front.

Source: High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2, 3.2.3.1, for folders and registration.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iiop.exceptions import IIOPError
from iiop_lab.child import Child
from iiop_lab.work_unit import State, WorkUnit
from ior.rewrite import rewritten
from naming import NameService
from naming import node as naming_node
from naming.names import parse_name

__all__ = ["Address", "Node", "NodeStateError"]

Address = tuple[str, int]
"""Host and port."""


class NodeStateError(IIOPError):
    """Report what cannot be asked of a node in the state that it is in."""


class Node:
    """Run a node.

    Args:
        name: for people.
        home: the folder; made if it is not there. `etc/config` is written if there is none.
        host: address to listen on, which references carry, unless `OD_set_env` set another.
        port: to listen on; 0 lets the system choose, once: it stays the same when the node starts again.
        on_change: called with the node and the WorkUnit, or None, whose state has changed.

    Attributes:
        node: the folder, as the commands see it.
        on_change: see above.
    """

    def __init__(
        self,
        name: str,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8002,
        on_change: Callable[[Node, WorkUnit | None], None] | None = None,
    ) -> None:
        self.name = name
        self.node = naming_node.Node(home)
        self.host = host
        self.port = port
        self.on_change = on_change
        self._child: Child | None = None
        self._state = State.STOPPED
        self._units: dict[str, WorkUnit] = {}
        self._names: dict[str, Mapping[str, Address | None]] = {}

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
    def address(self) -> str:
        """Return `host:port`, for a `NameService`."""
        return f"{self.host}:{self.port}"

    @property
    def work_units(self) -> Mapping[str, WorkUnit]:
        """Return its WorkUnits by name, be they running or not."""
        return dict(self._units)

    # --- the node

    def start(self) -> None:
        """Start the Naming Service; WorkUnits are started by themselves.

        Raises:
            NodeStateError: it runs.
            ChildError: it cannot start: the port is in use, the folder cannot be used.
        """
        if self._child is not None:
            raise NodeStateError(f"node {self.name} is {self._state.value}")
        self._configure()
        options = {"home": str(self.node.home), "host": self.host, "port": self.port}
        child = Child(self.name, [sys.executable, "-m", "iiop_lab.node_process", json.dumps(options)], ended=self._ended)
        try:
            self.port = child.until("ready")["ready"][1]
        except BaseException:
            child.end()
            raise
        self._child = child
        self._configure()
        self._set(State.RUNNING)
        for unit in self._units.values():
            if unit.state is State.RUNNING:
                self._serve(unit)

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
        os.kill(self._running().pid, signal.SIGSTOP)
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
            NodeStateError: there is one of that name; the node does not run.
            WorkUnitError: it cannot start.
        """
        if unit.name in self._units:
            raise NodeStateError(f"node {self.name} has a WorkUnit {unit.name} already")
        unit.on_change = self._unit_changed
        self._units[unit.name] = unit
        self._names[unit.name] = dict(names or {})
        if start:
            self.start_unit(unit.name)

    def start_unit(self, name: str) -> None:
        """Start a WorkUnit, and bind its names.

        Raises:
            KeyError: there is none of that name.
            NodeStateError: the node does not run.
            WorkUnitError: it cannot start.
        """
        self._running()
        unit = self._units[name]
        unit.start()
        self._serve(unit)

    def waiting(self, name: str) -> int:
        """Return how many requests wait in the queue of a WorkUnit: those under way beyond one for each process.

        Raises:
            KeyError: there is none of that name.
            NodeStateError: the node does not run.
        """
        self._units[name]
        counted = self._order({"count": name}, "under_way")
        return max(0, int(counted["under_way"]) - int(counted["processes"]))

    def _serve(self, unit: WorkUnit) -> None:
        """Let requests to a WorkUnit's object go to its processes, and names lead to it."""
        endpoints = [reference.endpoints()[0] for reference in unit.references]
        keys = {endpoint.object_key.hex() for reference in unit.references for endpoint in reference.endpoints()}
        if unit.name in self._served():
            self._order({"withdraw": unit.name}, "withdrawn")
        targets = [[endpoint.host, endpoint.port] for endpoint in endpoints]
        self._order({"serve": unit.name, "keys": sorted(keys), "targets": targets}, "served")
        with NameService(self.address) as names:
            for name, address in self._names[unit.name].items():
                host, port = address or (self.node.host_name, self.port)
                names.root.rebind(parse_name(name), rewritten(unit.references[0].to_iop(), host=host, port=port))

    def _served(self) -> set[str]:
        return set(self._order({"list": True}, "services")["services"])

    def _unit_changed(self, unit: WorkUnit) -> None:
        if self.on_change is not None:
            self.on_change(self, unit)

    # --- the process

    def _ended(self) -> None:
        """Note that the process has ended, if nobody here has ended it; what is left of it goes with `stop` or `kill`."""
        if self._child is not None:
            self._set(State.DIED)

    def _running(self) -> Child:
        if self._child is None or self._state is not State.RUNNING:
            raise NodeStateError(f"node {self.name} is {self._state.value}, not running")
        return self._child

    def _order(self, order: Mapping[str, Any], answer: str) -> dict[str, Any]:
        child = self._running()
        child.tell(json.dumps(order))
        return child.until(answer)

    def _configure(self) -> None:
        """Make the folder what it needs to be, and leave a config alone that is there."""
        etc = self.node.home / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        config = etc / "config"
        ours = f"IIOP_hostname = {self.host}\nIIOP_port = {self.port}\n"
        if self.port and (not config.exists() or not config.read_text().strip()):
            config.write_text(ours)

    def _set(self, state: State) -> None:
        changed = state is not self._state
        self._state = state
        if changed and self.on_change is not None:
            self.on_change(self, None)

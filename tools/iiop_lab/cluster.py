"""Clusters: two nodes of which one serves, and the other takes over its address when that one stops or fails.

    with Cluster("app", [node1, node2]) as cluster:
        cluster.switch()

Both nodes have the inherited address; whoever is active listens there. What is started when, in which order, and what a failure
does, is the manual's; resources are started in order and stopped in reverse, each within its time-out. Mutual standby is two
clusters whose nodes are on the same two machines, the first's active node on the second's standby machine.

Source: High Availability System Guide B1WS-1092-03ENZ0, 1.2.2 (operating modes), 4.2.1 (mutual standby), 4.5.5 (inherited
address), 4.6.1.1 (procedures), 4.6.1.2.2 (timing), 4.6.1.2.3 (order, SCRIPTTIMEOUT).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from iiop.exceptions import IIOPError
from iiop_lab.heartbeat import Heartbeat
from iiop_lab.node import Node
from iiop_lab.work_unit import State, WorkUnit

__all__ = ["TRANSITIONS", "Cluster", "ClusterError", "Event", "Hook", "Resource", "Role", "Transition", "standard_resources"]

log = logging.getLogger("iiop_lab.cluster")


class ClusterError(IIOPError):
    """Report what a cluster cannot do in its state, or a resource that did not do its part."""


class Role(Enum):
    """Say what a node does for the cluster."""

    OFFLINE = "offline"
    RUN = "run"
    """It serves, at the inherited address."""
    WAIT = "wait"
    """It stands by: its WorkUnits are started in advance."""
    FAULTED = "faulted"


class Transition(Enum):
    """Name the state transitions, as the procedures are told of them."""

    START_RUN = "START-RUN"
    START_WAIT = "START-WAIT"
    STOP_RUN = "STOP-RUN"
    STOP_WAIT = "STOP-WAIT"
    FAIL_RUN = "FAIL-RUN"
    FAIL_WAIT = "FAIL-WAIT"

    @property
    def timing(self) -> str:
        """Return when procedures are called: AFTER a start, BEFORE anything else."""
        return "AFTER" if self in (Transition.START_RUN, Transition.START_WAIT) else "BEFORE"


_R, _T = Role, Transition

TRANSITIONS: dict[tuple[Role, Transition], Role] = {
    (_R.OFFLINE, _T.START_RUN): _R.RUN,
    (_R.OFFLINE, _T.START_WAIT): _R.WAIT,
    (_R.WAIT, _T.START_RUN): _R.RUN,
    (_R.WAIT, _T.STOP_WAIT): _R.OFFLINE,
    (_R.WAIT, _T.FAIL_WAIT): _R.FAULTED,
    (_R.RUN, _T.STOP_RUN): _R.OFFLINE,
    (_R.RUN, _T.FAIL_RUN): _R.FAULTED,
    (_R.FAULTED, _T.START_WAIT): _R.WAIT,
    (_R.FAULTED, _T.START_RUN): _R.RUN,
}


NodeChange = Callable[[Node, WorkUnit | None], None]

Hook = Callable[[Node, Transition], None]
"""Called for a node and a transition, at the time that the transition says."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Declare what is started and stopped with a node; `standard_resources` has those of Interstage that the lab knows.

    Attributes:
        name: as the manual's procedures, `IS_INTERSTAGE`.
        start: starts it on a node that begins to serve, or, with WAIT, to stand by.
        stop: stops it.
        timeout: seconds for either; SCRIPTTIMEOUT.
    """

    name: str
    start: Callable[[Node, Role], None]
    stop: Callable[[Node], None]
    timeout: float = 60.0


def standard_resources(timeout: float = 60.0) -> tuple[Resource, ...]:
    """Return Interstage and its CORBA WorkUnits, in the documented order.

    Args:
        timeout: seconds, for each.
    """

    def start_interstage(node: Node, role: Role) -> None:
        if role is Role.RUN:
            node.start()

    def start_units(node: Node, role: Role) -> None:
        for name, unit in node.work_units.items():
            if unit.state is not State.RUNNING:
                node.start_unit(name) if role is Role.RUN else unit.start()

    def stop_units(node: Node) -> None:
        for unit in node.work_units.values():
            unit.stop()

    return (
        Resource("IS_INTERSTAGE", start_interstage, Node.stop, timeout),
        Resource("ODWU_INTERSTAGE", start_units, stop_units, timeout),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Tell what happened when: a transition of a node, or a resource that was started or stopped for it."""

    at: float
    node: str
    what: str


class Cluster:
    """Run an application on one of two nodes.

    Args:
        name: of the userApplication.
        nodes: the active one first; both have the inherited address.
        resources: started in this order; None for `standard_resources()`.
        hooks: called at every transition, in order, as state transition procedures of one's own.
        automatic: switch by itself when the active node, or a monitored WorkUnit of it, dies.
        watches_naming: a Naming Service that dies is a reason to switch (`IS_ISV_WATCH_MODE`).
        heartbeat: seconds that the node that serves may be silent before it is taken for failed; 0 for however long.
        on_event: called with each event that goes into the history, in whichever thread it happens.

    Attributes:
        history: what has happened so far.
    """

    def __init__(
        self,
        name: str,
        nodes: Sequence[Node],
        *,
        resources: Sequence[Resource] | None = None,
        hooks: Sequence[Hook] = (),
        automatic: bool = True,
        watches_naming: bool = True,
        heartbeat: float = 0.0,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        if len(nodes) != 2 or nodes[0] is nodes[1]:
            raise ValueError(f"cluster {name}: it takes two nodes, one to serve and one to stand by")
        self.name = name
        self.nodes = tuple(nodes)
        self.history: list[Event] = []
        self._resources = tuple(standard_resources() if resources is None else resources)
        self._hooks = tuple(hooks)
        self._automatic = automatic
        self._watches_naming = watches_naming
        self._on_event = on_event
        self._seconds = heartbeat
        self._heartbeat: Heartbeat | None = None
        self._roles = dict.fromkeys(self.nodes, Role.OFFLINE)
        self._lock = threading.RLock()
        self._moving = False
        self._looking = threading.Lock()
        self._fails = False
        """A thread is about to fail over, and will look again before it ends."""
        self._failing: threading.Thread | None = None
        for node in self.nodes:
            node.on_change = self._and_changed(node.on_change)

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def role(self, node: Node) -> Role:
        """Return what a node does.

        Raises:
            KeyError: it is none of this cluster.
        """
        return self._roles[node]

    @property
    def active(self) -> Node | None:
        """Return the node that serves, None if none does."""
        return next((node for node, role in self._roles.items() if role is Role.RUN), None)

    @property
    def standby(self) -> Node | None:
        """Return the node that stands by, None if none does."""
        return next((node for node, role in self._roles.items() if role is Role.WAIT), None)

    def start(self) -> None:
        """Let the first node serve, and the second stand by.

        Raises:
            ClusterError: it runs; a resource did not start.
        """
        with self._lock:
            if self.active or self.standby:
                raise ClusterError(f"cluster {self.name} runs")
            first, second = self.nodes
            self._move(first, Transition.START_RUN)
            self._move(second, Transition.START_WAIT)
            self._look()
        if self._seconds:
            self._heartbeat = Heartbeat(self.name, lambda: self.active, self._seconds, self._lost)
            self._heartbeat.start()

    def stop(self) -> None:
        """Stop both nodes, the one that stands by first."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._join()
        with self._lock:
            for node in (self.standby, self.active):
                if node is not None:
                    self._move(node, Transition.STOP_WAIT if self._roles[node] is Role.WAIT else Transition.STOP_RUN)
            for node in self.nodes:
                node.stop()
        self._join()

    def switch(self) -> None:
        """Let the nodes change their roles, in order, as an operator does.

        Raises:
            ClusterError: there is no node to serve or none to stand by; a resource did not do its part.
        """
        with self._lock:
            active, standby = self.active, self.standby
            if active is None or standby is None:
                raise ClusterError(f"cluster {self.name}: {self._shown()}; a switch takes one that serves and one that stands by")
            self._move(active, Transition.STOP_RUN)
            self._move(standby, Transition.START_RUN)
            self._move(active, Transition.START_WAIT)
            self._look()

    def fail(self, node: Node) -> None:
        """Take a node for failed: what is left of it ends, and if it served, the other one serves.

        Raises:
            ClusterError: it has no part in the cluster now; a resource did not do its part.
        """
        with self._lock:
            role = self._roles[node]
            if role not in (Role.RUN, Role.WAIT):
                raise ClusterError(f"cluster {self.name}: {node.name} is {role.value}")
            self._move(node, Transition.FAIL_RUN if role is Role.RUN else Transition.FAIL_WAIT)
            standby = self.standby
            if role is Role.RUN and standby is not None:
                self._move(standby, Transition.START_RUN)
            self._look()

    def repair(self, node: Node) -> None:
        """Let a node take part again that has failed, or is stopped in part: it stands by, or serves if no other does.

        Raises:
            ClusterError: all of it runs; a resource did not start.
        """
        with self._lock:
            role = self._roles[node]
            if role in (Role.RUN, Role.WAIT):
                if self._is_whole(node):
                    raise ClusterError(f"cluster {self.name}: {node.name} is {role.value}, and all of it runs")
                self._move(node, Transition.STOP_RUN if role is Role.RUN else Transition.STOP_WAIT)
            self._move(node, Transition.START_RUN if self.active is None else Transition.START_WAIT)
            self._look()

    def wait_settled(self, timeout: float = 60.0) -> None:
        """Wait until a switch that a failure has begun is over.

        Raises:
            ClusterError: it is not within `timeout` seconds.
        """
        if not self._join(timeout):
            raise ClusterError(f"cluster {self.name} has not settled within {timeout:g} s")

    def _join(self, timeout: float | None = None) -> bool:
        """Wait until nothing fails over any more; tell whether that is so."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (failing := self._failing) is not None and failing.is_alive():
            failing.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if failing.is_alive():
                return False
        return True

    # --- one node

    def _move(self, node: Node, transition: Transition) -> None:
        """Carry a transition out.

        Raises:
            ClusterError: a resource did not start, and the node has failed; or did not stop in time, and was killed.
        """
        after = TRANSITIONS[self._roles[node], transition]
        self._moving = True
        try:
            if transition.timing == "BEFORE":
                self._call_hooks(node, transition)
            self._note(node, transition.value)
            if after in (Role.RUN, Role.WAIT):
                self._start(node, after)
            elif transition in (Transition.FAIL_RUN, Transition.FAIL_WAIT):
                node.kill()
            else:
                self._stop(node)
            self._roles[node] = after
            if transition.timing == "AFTER":
                self._call_hooks(node, transition)
        finally:
            self._moving = False

    def _start(self, node: Node, role: Role) -> None:
        for resource in self._resources:
            try:
                self._within(resource, lambda resource=resource: resource.start(node, role))  # type: ignore[misc]
            except Exception as error:
                self._roles[node] = Role.FAULTED
                node.kill()
                raise ClusterError(f"cluster {self.name}: {resource.name} did not start on {node.name}: {error}") from error
            self._note(node, f"{resource.name} started")

    def _stop(self, node: Node) -> None:
        for resource in reversed(self._resources):
            try:
                self._within(resource, lambda resource=resource: resource.stop(node))  # type: ignore[misc]
            except Exception as error:
                log.error("cluster %s: %s did not stop on %s: %s", self.name, resource.name, node.name, error)
                node.kill()
            self._note(node, f"{resource.name} stopped")

    def _within(self, resource: Resource, work: Callable[[], None]) -> None:
        """Do something in the time that a resource has.

        Raises:
            ClusterError: it takes longer.
            Exception: whatever it raises.
        """
        raised: list[Exception] = []

        def run() -> None:
            try:
                work()
            except Exception as error:
                raised.append(error)

        worker = threading.Thread(target=run, name=resource.name, daemon=True)
        worker.start()
        worker.join(resource.timeout)
        if worker.is_alive():
            raise ClusterError(f"it took longer than {resource.timeout:g} s")
        if raised:
            raise raised[0]

    def _call_hooks(self, node: Node, transition: Transition) -> None:
        for hook in self._hooks:
            hook(node, transition)

    def _note(self, node: Node, what: str) -> None:
        event = Event(time.monotonic(), node.name, what)
        self.history.append(event)
        log.info("cluster %s: %s %s", self.name, node.name, what)
        if self._on_event is not None:
            self._on_event(event)

    def _shown(self) -> str:
        return ", ".join(f"{node.name} is {role.value}" for node, role in self._roles.items())

    # --- what nodes tell

    def _lost(self, node: Node) -> None:
        """Take a node for failed that is silent, if it serves and is silent still."""
        with self._lock:
            if self._roles[node] is Role.RUN and self._heartbeat is not None and not self._heartbeat.beats(node):
                try:
                    self.fail(node)
                except ClusterError as error:
                    log.error("%s", error)

    def _and_changed(self, told: NodeChange | None) -> NodeChange:
        """Return what hears of changes of a node, besides whoever does already."""

        def changed(node: Node, unit: WorkUnit | None) -> None:
            if told is not None:
                told(node, unit)
            if not self._moving:
                self._look()

        return changed

    def _look(self) -> None:
        """Begin to switch if a node that has a part in the cluster is no good any more."""
        with self._looking:
            if not self._automatic or self._fails or not self._broken():
                return
            self._fails = True
            self._failing = threading.Thread(target=self._fail_over, name=f"cluster {self.name}")
            self._failing.start()

    def _broken(self) -> list[Node]:
        return [node for node, role in self._roles.items() if role in (Role.RUN, Role.WAIT) and self._is_broken(node)]

    def _is_whole(self, node: Node) -> bool:
        """Tell whether all that a node is to run runs; what only stands by has no Naming Service."""
        units = all(unit.state is State.RUNNING for unit in node.work_units.values())
        return units and (self._roles[node] is Role.WAIT or node.state is State.RUNNING)

    def _is_broken(self, node: Node) -> bool:
        """Tell whether what a node is to run has died; what only stands by has no Naming Service."""
        serves = self._roles[node] is Role.RUN
        units = any(unit.monitored and unit.state is State.DIED for unit in node.work_units.values())
        return units or (serves and self._watches_naming and node.state is State.DIED)

    def _fail_over(self) -> None:
        try:
            with self._lock:
                while broken := self._broken():
                    try:
                        self.fail(broken[0])
                    except ClusterError as error:
                        log.error("%s", error)
        finally:
            with self._looking:
                self._fails = False
        self._look()

"""A lab: everything that a lab file declares, running in processes of its own, until the end of the `with` block.

    with Lab(read_lab(path).lab, folder) as lab:
        lab.do("kill host1")
        with NameService(lab.address(), hosts=lab.hosts) as names: ...

Nodes and WorkUnits are processes; the virtual host and the fault proxies run in threads of this one. What happens is told as it
does, whoever caused it. It must not know files, clients or steps.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from iiop.balancer import Measure, Standing
from iiop_lab.cluster import Cluster, standard_resources
from iiop_lab.faults import Attachment, FaultProxy, Refuse, make_fault
from iiop_lab.load import Reporter
from iiop_lab.node import Node
from iiop_lab.sample import runs
from iiop_lab.scenario.actions import Action, parse_action
from iiop_lab.scenario.building import build_node, build_unit, build_virtual_host
from iiop_lab.scenario.checks import aim_of
from iiop_lab.scenario.declaration import (
    FaultDeclaration,
    LabFile,
    VirtualHostDeclaration,
)
from iiop_lab.scenario.meaning import cluster_of, front_of, host_of, nodes_of, targets_of
from iiop_lab.scenario.operations import OPERATIONS
from iiop_lab.scenario.plan import LabError, Plan
from iiop_lab.scenario.play import Outcome, play
from iiop_lab.scenario.status import status_of
from iiop_lab.vhost.events import Event as VirtualHostEvent
from iiop_lab.vhost.events import Refused, TargetChanged
from iiop_lab.virtual_host import Target, VirtualHost
from iiop_lab.work_unit import State, WorkUnit

__all__ = ["Lab", "LabError", "LabEvent"]

log = logging.getLogger("iiop_lab")

S = TypeVar("S", VirtualHost, FaultProxy)


@dataclass(frozen=True, slots=True)
class LabEvent:
    """Tell what has happened.

    Attributes:
        at: seconds since the lab began.
        event: kind: `node`, `work_unit`, `target`, `refusal`, `cluster`, `fault`, `action`, `note`, ...
        subject: to whom: a node, `node/WorkUnit`, a fault, a client.
        text: what.
        details: more, as plain data.
    """

    at: float
    event: str
    subject: str
    text: str
    details: Mapping[str, Any]

    def as_row(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "at": round(self.at, 6), "details": dict(self.details)}


class Lab:
    """Run what a lab file declares.

    Args:
        file: what is declared; it has been checked.
        folder: for homes, logs and journals; made if it is not there.
        beside: where paths of the file begin, and modules of servants are looked for.
        any_port: let the system choose every port, whatever the file says, so that labs can run side by side.
        proxies: have a fault proxy before every node and the virtual host, so that all that is said passes this process.
        serve: begins to serve what runs in this process, and ends it; its own thread by default.
        strict: raise LabError at the end if a node or a WorkUnit has ended by itself.

    Attributes:
        nodes, clusters: by name.
        virtual_host: None if there is none.
        hosts: addresses by name, for clients that are to know them.
        file, folder, beside: see above.
    """

    def __init__(
        self,
        file: LabFile,
        folder: Path,
        *,
        beside: Path | None = None,
        any_port: bool = False,
        proxies: bool = False,
        serve: Callable[[Any], Any] | None = None,
        strict: bool = False,
    ) -> None:
        self.file = file
        self.folder = folder.absolute()
        self.hosts = dict(file.hosts)
        self.nodes: dict[str, Node] = {}
        self.clusters: dict[str, Cluster] = {}
        self.virtual_host: VirtualHost | None = None
        self.beside = (beside or Path()).absolute()
        self._plan = Plan(file, any_port=any_port, proxies=proxies)
        self._serve = serve
        self._strict = strict
        self._targets: dict[str, Target] = {}
        self._node_at: dict[Target, str] = {}
        self._proxies: dict[str, FaultProxy] = {}
        self._down: dict[str, Attachment] = {}
        self._faults: dict[str, Attachment] = {}
        self._struck: Counter[str] = Counter()
        self._keys: dict[str, frozenset[bytes]] = {}
        self._listeners: list[Callable[[LabEvent], None]] = []
        self._began = time.monotonic()
        self._doing = threading.RLock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # what has begun ends if the rest does not begin
            self._begin(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
        crashed = self.crashed
        if self._strict and crashed:
            raise LabError(f"{', '.join(crashed)} ended by itself; what it said is in {self.folder / 'logs'}")

    # --- what it is

    @property
    def crashed(self) -> tuple[str, ...]:
        """Return which nodes, and `node/WorkUnit`, have ended though nobody had ended them."""
        nodes = [name for name, node in self.nodes.items() if node.crashes]
        return (
            *nodes,
            *(f"{name}/{unit.name}" for name, node in self.nodes.items() for unit in node.work_units.values() if unit.crashes),
        )

    def address(self, host: str = "") -> str:
        """Return `host:port` of a host of the lab, for a `NameService`; that of the virtual host if none is named.

        Raises:
            LabError: there is none of that name.
        """
        host = host or front_of(self.file)
        port = self._plan.port_of(host)
        return f"{self._plan.called(host)}:{port}"

    @property
    def journals(self) -> dict[str, list[int]]:
        """Return the numbers of the calls that the sample server ran, in order, by node, whoever was told of it."""
        return runs(self.folder / "journals")

    @property
    def hosts_file(self) -> Path:
        """Return a file that tells the hosts as /etc/hosts does."""
        return self.folder / "hosts"

    def standing(self, node: str) -> Standing:
        """Return whether the virtual host gives a node work.

        Raises:
            LabError: it is no target.
        """
        return self.distributor().standing(self.target(node))

    def state(self, target: str) -> State:
        """Return how a node, or `node/WorkUnit`, is.

        Raises:
            LabError: there is none of that name.
        """
        node, unit = self.find(target)
        return node.state if unit is None else unit.state

    def active(self, cluster: str) -> str | None:
        """Return the node that serves, of a cluster; None if none does.

        Raises:
            KeyError: there is no such cluster.
        """
        active = self.clusters[cluster].active
        return active.name if active is not None else None

    def struck(self, fault: str) -> int:
        """Return how often a fault has struck so far, however often it was attached."""
        attachment = self._faults.get(fault)
        return self._struck[fault] + (attachment.struck if attachment is not None else 0)

    @property
    def seconds(self) -> float:
        """Return how long it has been there."""
        return time.monotonic() - self._began

    @property
    def attached(self) -> frozenset[str]:
        """Return which faults are attached."""
        return frozenset(self._faults)

    def status(self) -> dict[str, Any]:
        """Return how everything is, as plain data; see `iiop_lab.scenario.status.status_of`."""
        return status_of(self)

    def environment(self) -> dict[str, str]:
        """Return what a program needs in its environment to find the hosts by name, where references have names.

        Raises:
            LabError: libnss-wrapper, which that takes, is not installed.
        """
        needed = self._plan.environment()
        return {**needed, "NSS_WRAPPER_HOSTS": str(self.hosts_file)} if needed else {}

    def play(self) -> Outcome:
        """Play the scenario that the file declares; see `iiop_lab.scenario.play.play`.

        Raises:
            IIOPError: it cannot be played to its end.
        """
        return play(self)

    # --- what is told

    def listen(self, listener: Callable[[LabEvent], None]) -> None:
        """Call a function with whatever happens from now on, from whichever thread notices."""
        self._listeners.append(listener)

    def tell(self, event: str, subject: str, text: str, /, **details: Any) -> None:
        """Tell everybody who listens that something has happened."""
        told = LabEvent(self.seconds, event, subject, text, details)
        log.info("%s %s: %s", event, subject, text)
        for listener in self._listeners:
            listener(told)

    # --- what is done to it

    def do(self, words: str | Action) -> None:
        """Do what an operator does: `kill host1`; one at a time.

        Raises:
            ActionError: the words are no action.
            LabError: what they name is not there, or it cannot be done now.
            ClusterError, NodeStateError, WorkUnitError, ChildError: it did not come about.
        """
        action = parse_action(words) if isinstance(words, str) else words
        with self._doing:
            self.tell("action", action.arguments[0], str(action))
            OPERATIONS[action.verb](self, *action.arguments)

    def attach(self, name: str) -> None:
        """Attach a fault that is declared, anew if it is attached.

        Raises:
            LabError: there is none of that name.
        """
        declared = self.file.faults.get(name)
        if declared is None:
            raise LabError(f"there is no fault {name}: the file declares {', '.join(self.file.faults) or 'none'}")
        if name in self._faults:
            self.remove(name)
        self._faults[name] = self._attached(declared)
        self.tell("fault", name, "attached")

    def remove(self, name: str) -> None:
        """Remove a fault that is attached.

        Raises:
            LabError: it is not.
        """
        attached = self._faults.pop(name, None)
        if attached is None:
            raise LabError(f"fault {name} is not attached")
        attached.remove()
        self._struck[name] += attached.struck
        self.tell("fault", name, "removed", struck=attached.struck)

    # --- how it begins

    def _begin(self, stack: ExitStack) -> None:
        (self.folder / "journals").mkdir(parents=True, exist_ok=True)
        for journal in (self.folder / "journals").glob("*.journal"):  # of a lab that was here before
            journal.unlink()
        (self.folder / "logs").mkdir(exist_ok=True)
        self.hosts_file.write_text("".join(f"{address} {name}\n" for name, address in self.hosts.items()))
        stack.callback(self._plan.close)
        for name in self.file.nodes:
            self.nodes[name] = build_node(self._plan, name, self.folder, self.beside, self._node_changed)
        for node in self.nodes.values():
            stack.callback(node.stop)
        alone = [name for name in self.nodes if cluster_of(self.file, name) is None]
        self._together({name: self.nodes[name].start for name in alone})
        for name in alone:
            if self._plan.has_proxy(name):
                node = self.nodes[name]
                self._proxy(stack, name, node.host, self._plan.port_of(host_of(self.file, name)), (node.host, node.port))
        if self.file.virtual_host is not None:
            self._begin_virtual_host(stack, self.file.virtual_host)
        for name, node in self.nodes.items():
            self._add_units(name, node)
        self._together({name: partial(_start_units, self.nodes[name]) for name in alone})
        for name, target in self._targets.items():
            self._begin_load(stack, name, target)
        for name in self.file.clusters:
            self._begin_cluster(stack, name)
        self._together({name: cluster.start for name, cluster in self.clusters.items()})
        self._check_keys()
        for name, fault in self.file.faults.items():
            if fault.attached:
                self.attach(name)

    def _begin_virtual_host(self, stack: ExitStack, declared: VirtualHostDeclaration) -> None:
        for name in targets_of(self.file):
            host = host_of(self.file, name)
            self._targets[name] = target = Target(host, self._plan.port_of(host))
            self._node_at[target] = name
        made = build_virtual_host(self._plan, self._targets, self._keys_of, self._front_told)
        self.virtual_host = self._enter(stack, declared.host, made)
        if self._plan.has_proxy(declared.host):
            self._proxy(stack, declared.host, made.host, self._plan.port_of(declared.host), (made.host, made.port))

    def _begin_load(self, stack: ExitStack, name: str, target: Target) -> None:
        declared, front = self.file.nodes[name].load, self.distributor()
        if declared == "measured":
            stack.enter_context(Reporter(self.nodes[name], partial(front.report, target)))
        else:
            for measure, value in declared.items():
                front.report(target, Measure(measure), value)

    def _begin_cluster(self, stack: ExitStack, name: str) -> None:
        declared = self.file.clusters[name]
        cluster = self.clusters[name] = Cluster(
            name,
            [self.nodes[node] for node in declared.nodes],
            resources=standard_resources(declared.timeout),
            automatic=declared.automatic,
            watches_naming=declared.watches_naming,
            heartbeat=declared.heartbeat,
            on_event=lambda event: self.tell("cluster", name, f"{event.node} {event.what}", node=event.node),
        )
        stack.callback(cluster.stop)

    def _add_units(self, name: str, node: Node) -> None:
        for unit, declared in self.file.work_units.items():
            if name in nodes_of(self.file, declared):
                bound = {text: None if host == "own" else self._bound_at(host) for text, host in declared.names.items()}
                node.add(build_unit(unit, declared, node, self.folder, self.beside), names=bound, start=False)
                if declared.iswitch and self.virtual_host is not None:
                    self.tell("note", f"{name}/{unit}", "iswitch has no effect behind a virtual host")

    def _bound_at(self, host: str) -> tuple[str, int]:
        return self._plan.called(host), self._plan.port_of(host)

    def _keys_of(self, unit: str) -> frozenset[bytes]:
        return self._keys.get(unit, frozenset())

    def _check_keys(self) -> None:
        """See that what is distributed over several nodes is one object on all of them."""
        for unit, declared in self.file.work_units.items():
            keys = {node.name: _keys(node.work_units[unit]) for node in self.nodes.values() if unit in node.work_units}
            distributed = self.file.virtual_host is not None and self.file.virtual_host.host in declared.names.values()
            if distributed and len(set(keys.values())) > 1:
                raise LabError(
                    f"WorkUnit {unit}: its object keys differ from node to node, so no call of one can go to another: "
                    f"{', '.join(f'{node} has {sorted(has)}' for node, has in keys.items())}"
                )

    # --- proxies

    def _proxy(self, stack: ExitStack, name: str, host: str, port: int, server: tuple[str, int]) -> None:
        self._proxies[name] = self._enter(stack, name, FaultProxy(server, host=host, port=port))

    def _attached(self, declared: FaultDeclaration) -> Attachment:
        return self._proxies[declared.at].attach(make_fault(declared.fault, **declared.parameters), aim_of(declared.aim))

    def _enter(self, stack: ExitStack, name: str, serving: S) -> S:
        try:
            if self._serve is None:
                stack.enter_context(serving)
            else:
                self._serve(serving)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error
            raise LabError(f"{name}: cannot listen on {serving.host}:{serving.port}: {why}") from error
        return serving

    def _together(self, actions: Mapping[str, Callable[[], None]]) -> None:
        """Do things at a time, and raise what the first of those raised that failed."""
        if not actions:
            return
        with ThreadPoolExecutor(len(actions)) as pool:
            futures = [pool.submit(action) for action in actions.values()]
            try:
                wait(futures)
            except BaseException:  # Ctrl-C: what has not come up need not
                for node in self.nodes.values():
                    for unit in node.work_units.values():
                        unit.kill()
                raise
        for future in futures:
            future.result()

    # --- what nodes and the virtual host tell

    def _node_changed(self, node: Node, unit: WorkUnit | None) -> None:
        state = node.state if unit is None else unit.state
        subject = node.name if unit is None else f"{node.name}/{unit.name}"
        self.tell("node" if unit is None else "work_unit", subject, state.value)
        target = self._targets.get(node.name)
        if unit is not None and state is State.RUNNING:
            self._keys[unit.name] = self._keys_of(unit.name) | _keys(unit)
        if unit is not None and unit.monitored and target is not None and self.virtual_host is not None:
            self.virtual_host.work_unit(target, unit.name, runs=state in (State.RUNNING, State.HUNG))
        if unit is None and node.name in self._proxies:
            self._shut(node.name, state)

    def _shut(self, name: str, state: State) -> None:
        """Let nobody connect to the proxy of a node that is not there."""
        down = self._down.pop(name, None)
        if down is not None:
            down.remove()
        if state in (State.STOPPED, State.DIED):
            self._down[name] = self._proxies[name].attach(Refuse())

    def _front_told(self, event: VirtualHostEvent) -> None:
        row = event.as_json()
        if isinstance(event, TargetChanged):
            self.tell("target", self._node_at[event.target], event.reason, **row)
        else:
            client = row["client"]
            kind = "refusal" if isinstance(event, Refused) else "client"
            self.tell(kind, client, str(event).removeprefix(f"{client} "), **row)

    # --- who is who

    def distributor(self) -> VirtualHost:
        """Return the virtual host.

        Raises:
            LabError: there is none.
        """
        if self.virtual_host is None:
            raise LabError("there is no virtual host in this lab")
        return self.virtual_host

    def target(self, node: str) -> Target:
        """Return what a node is to the virtual host.

        Raises:
            LabError: it is no target.
        """
        if node not in self._targets:
            raise LabError(f"{node} is no target of the virtual host: there is {', '.join(self._targets) or 'none'}")
        return self._targets[node]

    def find(self, target: str) -> tuple[Node, WorkUnit | None]:
        """Return a node, and for `node/WorkUnit` the WorkUnit.

        Raises:
            LabError: there is none of that name.
        """
        name, slash, unit = target.partition("/")
        if name not in self.nodes:
            raise LabError(f"there is no node {name}: there is {', '.join(self.nodes)}")
        node = self.nodes[name]
        if not slash:
            return node, None
        if unit not in node.work_units:
            raise LabError(f"there is no WorkUnit {unit} on {name}: there is {', '.join(node.work_units) or 'none'}")
        return node, node.work_units[unit]


def _start_units(node: Node) -> None:
    for name in node.work_units:
        node.start_unit(name)


def _keys(unit: WorkUnit) -> frozenset[bytes]:
    """Return the object keys of a WorkUnit that runs."""
    return frozenset(endpoint.object_key for reference in unit.references for endpoint in reference.endpoints())

"""What a lab cannot be: hosts, virtual host, nodes, WorkUnits, clusters and faults that do not go together.

What each key takes is known already (`iiop_lab.scenario.shaping`); steps and expectations are `iiop_lab.scenario.play_checks`.
"""

from __future__ import annotations

import inspect
import ipaddress
import math
import os
import re
from pathlib import Path
from typing import get_type_hints

from iiop.balancer import Measure, Threshold
from iiop.exceptions import ReferenceFormatError
from iiop_lab.faults import Aim, Attachment, Direction, fault_names, make_fault
from iiop_lab.scenario.checking import ULONG, Checking
from iiop_lab.scenario.declaration import Aiming, FaultDeclaration, LabFile, ServiceDeclaration, WorkUnitDeclaration
from iiop_lab.scenario.meaning import cluster_of, host_of, targets_of
from iiop_lab.scenario.mistakes import Findings, Key, meant
from iiop_lab.scenario.shaping import mismatch
from naming.names import parse_name

__all__ = ["check_lab"]

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
OWN = "own"
_SERVANT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_NAME = re.compile(r"[^\s/]+")


def check_lab(lab: LabFile, findings: Findings, folder: Path) -> None:
    """Report what cannot be in a lab, and what has no effect.

    Args:
        lab: that is declared.
        findings: of the file that declares it.
        folder: of that file.
    """
    check = _LabChecks(lab, findings)
    check.names()
    check.hosts()
    check.clusters()
    check.nodes()
    check.addresses()
    check.virtual_host()
    for name, unit in lab.work_units.items():
        check.work_unit(unit, ("work_units", name), folder)
    for name, fault in lab.faults.items():
        check.fault(fault, ("faults", name))


class _LabChecks(Checking):
    def names(self) -> None:
        for table in ("hosts", "nodes", "work_units", "clusters", "faults"):
            for name in getattr(self.lab, table):
                if not _NAME.fullmatch(name):
                    self.findings.add((table, name), "a name has at least one character, no space and no '/'")
        if OWN in self.lab.hosts:
            self.findings.add(("hosts", OWN), "no host can have that name: it stands for the host of each node")

    def hosts(self) -> None:
        seen: dict[str, str] = {}
        for name, address in self.lab.hosts.items():
            key = ("hosts", name)
            try:
                inside = ipaddress.IPv4Address(address) in LOOPBACK
            except ipaddress.AddressValueError:
                inside = False
            if not inside:
                self.findings.add(key, f"{address!r} is no address of 127.0.0.0/8, as 127.0.0.11 is")
            elif address in seen:
                self.findings.add(key, f"{address} is the address of {seen[address]!r}; each host has its own")
            seen.setdefault(address, name)

    def nodes(self) -> None:
        lab = self.lab
        if not lab.nodes and self.told("nodes"):
            self.findings.add(("nodes",), "there are none; a lab has at least one, as [nodes.host1]")
        clear = self.told("clusters") and not any(self.findings.wrong(("clusters", name, "nodes")) for name in lab.clusters)
        for name, node in lab.nodes.items():
            key = ("nodes", name)
            self.up_to(65535, node.port, (*key, "port"))
            if node.host:
                self.there_is("host", node.host, (*key, "host"))
            elif clear and cluster_of(lab, name) is None:
                self.there_is("host", name, (*key, "host"), "it listens at the host of its own name: ")
            if not isinstance(node.load, str):
                for measure, number in node.load.items():
                    self.reported(measure, number, (*key, "load", measure))

    def clusters(self) -> None:
        member: dict[str, str] = {}
        for name, cluster in self.lab.clusters.items():
            key = ("clusters", name)
            if cluster.host:
                self.there_is("host", cluster.host, (*key, "host"))
            else:
                self.there_is("host", name, (*key, "host"), "the address of its own name is inherited: ")
            if len(cluster.nodes) != 2 or cluster.nodes[0] == cluster.nodes[1]:
                self.findings.add((*key, "nodes"), "it takes two nodes, one to serve and one to stand by")
            for index, node in enumerate(cluster.nodes):
                place = (*key, "nodes", index)
                self.there_is("node", node, place)
                if member.setdefault(node, name) != name:
                    self.findings.add(place, f"node {node!r} is in cluster {member[node]!r} already")
            self.seconds(cluster.timeout, (*key, "timeout"), positive=True)
            self.seconds(cluster.heartbeat, (*key, "heartbeat"))

    def addresses(self) -> None:
        """Report nodes that listen where somebody else does."""
        lab = self.lab
        taken: dict[tuple[str, int], tuple[str, str | None]] = {}
        if lab.virtual_host is not None:
            taken[lab.virtual_host.host, lab.virtual_host.port] = ("the virtual host", None)
        for name, node in lab.nodes.items():
            place = host_of(lab, name), node.port
            cluster = cluster_of(lab, name)
            who, whose = taken.setdefault(place, (f"node {name!r}", cluster))
            if node.port and who != f"node {name!r}" and (cluster is None or cluster != whose):
                self.findings.add(("nodes", name, "port"), f"{who} listens at port {node.port} of {place[0]!r} already")

    def virtual_host(self) -> None:
        lab, vhost = self.lab, self.lab.virtual_host
        if vhost is None:
            return
        key: Key = ("virtual_host",)
        self.there_is("host", vhost.host, (*key, "host"))
        self.up_to(65535, vhost.port, (*key, "port"))
        self.up_to(ULONG, vhost.refusal.minor, (*key, "refusal", "minor"))
        self.seconds(vhost.probe_interval, (*key, "probe_interval"), positive=True)
        self.seconds(vhost.connect_timeout, (*key, "connect_timeout"), positive=True)
        targets = targets_of(lab)
        if not targets and lab.nodes:
            self.findings.add((*key, "targets"), "there is none: every node is in a cluster")
        for index, node in enumerate(vhost.targets):
            place = (*key, "targets", index)
            if self.there_is("node", node, place):
                for other in vhost.targets[:index]:
                    if other in lab.nodes and self._same(node, other):
                        self.findings.add(place, f"it is where {other!r} is, which is a target already")
        for name, service in vhost.services.items():
            self.service(name, service, (*key, "services", name))

    def _same(self, node: str, other: str) -> bool:
        at, at_other = ((host_of(self.lab, name), self.lab.nodes[name].port) for name in (node, other))
        return node == other or (at == at_other and at[1] != 0)

    def service(self, name: str, service: ServiceDeclaration, key: Key) -> None:
        if name not in ("naming", "calls") and not service.work_units and not service.keys:
            self.findings.add(key, "it has no objects: give it work_units or keys")
        for index, unit in enumerate(service.work_units):
            self.there_is("WorkUnit", unit, (*key, "work_units", index))
        for index, pattern in enumerate(service.keys):
            if not pattern:
                self.findings.add((*key, "keys", index), "an empty pattern is the key of no object")
        for node, weight in service.weights.items():
            self.target(node, (*key, "weights", node))
            if not 0 <= weight < math.inf:
                self.findings.add((*key, "weights", node), f"a weight is 0 or more, not {weight}")
        for measure, limit in service.limits.items():
            self.limit(measure, limit.upper, limit.restoration, (*key, "limits", measure))
        if service.weights and service.policy != "weights":
            self.findings.note((*key, "weights"), f"has no effect with policy = {service.policy!r}, but with 'weights'")
        if service.seed and service.policy != "random":
            self.findings.note((*key, "seed"), f"has no effect with policy = {service.policy!r}, but with 'random'")

    def limit(self, measure: str, upper: float, restoration: float, key: Key) -> None:
        measures = [each.value for each in Measure]
        if measure not in measures:
            self.findings.add(key, f"there is no such measure{meant(measure, measures)}")
            return
        for part, value in (("upper", upper), ("restoration", restoration)):
            if not 0 <= value < math.inf:
                self.findings.add((*key, part), f"it must be 0 or more, not {value}")
        try:
            Threshold(Measure(measure), upper, restoration)
        except ValueError as error:
            self.findings.add(key, str(error))

    def work_unit(self, unit: WorkUnitDeclaration, key: Key, folder: Path) -> None:
        for index, node in enumerate(unit.nodes):
            self.there_is("node", node, (*key, "nodes", index))
        self.at_least(1, unit.count, (*key, "count"))
        self._program(unit, key, folder)
        for name, host in unit.names.items():
            place = (*key, "names", name)
            try:
                parse_name(name)
            except ReferenceFormatError as error:
                self.findings.add(place, f"it is no name of the Naming Service: {error}")
            if host != OWN:
                self.there_is("host", host, place)
        for variable in unit.env:
            if not variable or "=" in variable or "\0" in variable:
                self.findings.add((*key, "env", variable), "no variable can have that name")
        if self.lab.virtual_host is not None:
            if unit.iswitch:
                self.findings.note((*key, "iswitch"), "has no effect behind a virtual host (B1WS-1092-03ENZ0 3.3.2.1)")
            if unit.process_bind:
                self.findings.note((*key, "process_bind"), "every call will be refused with minor 10007")

    def _program(self, unit: WorkUnitDeclaration, key: Key, folder: Path) -> None:
        given = [part for part in ("servant", "script", "command") if getattr(unit, part)]
        if len(given) > 1:
            self.findings.add((*key, given[1]), f"{given[0]} says already what runs; give one of servant, script and command")
        if unit.servant and not _SERVANT.fullmatch(unit.servant):
            self.findings.add((*key, "servant"), f"{unit.servant!r} is no 'module:Class'")
        if unit.script and not os.path.isfile(folder / unit.script):
            self.findings.add((*key, "script"), f"there is no file {unit.script!r} in {folder}")
        self.command(unit.command, (*key, "command"))

    def fault(self, declared: FaultDeclaration, key: Key) -> None:
        self._at(declared.at, (*key, "at"))
        self._parameters(declared, (*key, "parameters"))
        if self.findings.wrong((*key, "parameters")):
            return
        try:
            fault = make_fault(declared.fault, **declared.parameters)
        except ValueError as error:
            self.findings.add((*key, "parameters" if declared.fault in fault_names() else "fault"), str(error))
            return
        try:
            Attachment(fault, aim_of(declared.aim), lambda _: None)
        except (TypeError, ValueError) as error:
            self.findings.add((*key, "aim"), str(error))

    def _parameters(self, declared: FaultDeclaration, key: Key) -> None:
        """Report parameters of another type than the fault's; what is not annotated may be anything."""
        factory = fault_names().get(declared.fault)
        hints = get_type_hints(factory) if inspect.isclass(factory) else {}
        for name, value in declared.parameters.items():
            reason = mismatch(value, hints[name]) if name in hints else None
            if reason is not None:
                self.findings.add((*key, name), reason)

    def _at(self, place: str, key: Key) -> None:
        vhost = self.lab.virtual_host
        known = [*self.lab.nodes, *([vhost.host] if vhost is not None else [])]
        if place not in known and self.told("nodes") and self.told("virtual_host"):
            self.findings.add(key, f"there is no node {place!r}, nor is it the host of the virtual host{meant(place, known)}")


def aim_of(declared: Aiming) -> Aim:
    """Return the aim that is declared.

    Raises:
        ValueError: there can be none like this.
    """
    return Aim(
        direction=Direction(declared.direction) if declared.direction is not None else None,
        target=declared.target.encode() if declared.target is not None else None,
        operation=declared.operation,
        nth=declared.nth,
        every=declared.every,
        probability=declared.probability,
        seed=declared.seed,
    )

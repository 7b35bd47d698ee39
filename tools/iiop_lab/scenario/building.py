"""Nodes, WorkUnits and the virtual host, made as a lab file declares them; nothing is started here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from iiop_lab.node import Node
from iiop_lab.scenario.declaration import WorkUnitDeclaration
from iiop_lab.scenario.meaning import cluster_of, host_of
from iiop_lab.scenario.plan import Plan
from iiop_lab.scenario.services import Keys, services
from iiop_lab.vhost.events import Event
from iiop_lab.virtual_host import Delivery, Probe, Refusal, Target, VirtualHost
from iiop_lab.work_unit import WorkUnit, servant_command

__all__ = ["SAMPLE", "build_node", "build_unit", "build_virtual_host"]

SAMPLE = "iiop_lab.sample:Sample"
"""The servant of a WorkUnit that declares none."""


def build_node(plan: Plan, name: str, folder: Path, beside: Path, on_change: Callable[[Node, WorkUnit | None], None]) -> Node:
    """Make a node, and its folder with a config if it has none.

    Args:
        plan: of the lab.
        name: of the node.
        folder: of the lab.
        beside: where paths of the file begin.
        on_change: as of `Node`.

    Raises:
        LabError: its host is not declared.
    """
    file, declared = plan.file, plan.file.nodes[name]
    host, cluster = host_of(file, name), cluster_of(file, name)
    home = folder / "nodes" / name
    if declared.home:
        home = beside / declared.home
    elif cluster is not None and file.clusters[cluster].shared_folder:
        home = folder / "nodes" / cluster
    port = plan.port_of(host)
    config = home / "etc" / "config"
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(f"IIOP_hostname = {plan.called(host)}\nIIOP_port = {port}\n")
    listening = 0 if plan.has_proxy(name) else port
    log = folder / "logs" / f"{name}.log"
    return Node(name, home, host=file.hosts[host], port=listening, advertised_port=port, log=log, on_change=on_change)


def build_unit(name: str, declared: WorkUnitDeclaration, node: Node, folder: Path, beside: Path) -> WorkUnit:
    """Make a WorkUnit for a node; what it prints goes to a log in the lab's folder.

    Args:
        name: of the WorkUnit.
        declared: what it is.
        node: that it is to be added to.
        folder: of the lab.
        beside: where paths of the file begin, and its processes run.
    """
    if declared.command:
        command = declared.command
    elif declared.script:
        command = (sys.executable, str(beside / declared.script))
    else:
        command = servant_command(declared.servant or SAMPLE, host=node.host, key=declared.key or name)
    return WorkUnit(
        name,
        command,
        count=declared.count,
        log=folder / "logs" / f"{node.name}-{name}.log",
        env={"IIOP_LAB_JOURNALS": str(folder / "journals"), **declared.env},
        cwd=beside,
        monitored=declared.monitored,
    )


def build_virtual_host(plan: Plan, targets: Mapping[str, Target], keys: Keys, on_event: Callable[[Event], None]) -> VirtualHost:
    """Make the virtual host.

    Args:
        plan: of the lab, which has one.
        targets: by name of the node.
        keys: of WorkUnits.
        on_event: as of `VirtualHost`.
    """
    declared = plan.file.virtual_host
    assert declared is not None
    return VirtualHost(
        targets.values(),
        services(plan.file, targets, keys),
        refusal=Refusal(declared.refusal.minor, Delivery(declared.refusal.delivery)),
        host=plan.file.hosts[declared.host],
        port=0 if plan.has_proxy(declared.host) else plan.port_of(declared.host),
        hosts=plan.file.hosts,
        probe=Probe(declared.probe),
        probe_interval=declared.probe_interval,
        probe_live=declared.probe_live,
        connect_timeout=declared.connect_timeout,
        on_event=on_event,
    )

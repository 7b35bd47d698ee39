"""How a lab is at one moment, as plain data, for tables and programs. It only looks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from iiop.exceptions import IIOPError
from iiop_lab.scenario.meaning import targets_of

if TYPE_CHECKING:
    from iiop_lab.node import Node
    from iiop_lab.scenario.lab import Lab

__all__ = ["status_of"]

GLANCE = 1.0
"""Seconds that a node has to tell how many requests wait."""


def status_of(lab: Lab) -> dict[str, Any]:
    """Return how a lab is.

    Returns:
        `seconds` since it began; `virtual_host`, None if there is none; `nodes`, each with its `work_units` and what the virtual
        host knows of it as a `target`; `clusters`; `faults`.
    """
    front, targets = _front(lab)
    return {
        "seconds": round(lab.seconds, 3),
        "virtual_host": front,
        "nodes": {name: _node(node, targets.get(name)) for name, node in lab.nodes.items()},
        "clusters": {
            name: {"active": lab.active(name), "roles": {node.name: cluster.role(node).value for node in cluster.nodes}}
            for name, cluster in lab.clusters.items()
        },
        "faults": {
            name: {
                "fault": declared.fault,
                "at": declared.at,
                "attached": name in lab.attached,
                "struck": lab.struck(name),
            }
            for name, declared in lab.file.faults.items()
        },
    }


def _front(lab: Lab) -> tuple[dict[str, Any] | None, Mapping[str, dict[str, Any]]]:
    """Return how the virtual host is, and its targets, by node."""
    if lab.virtual_host is None:
        return None, {}
    status = lab.virtual_host.status().as_json()
    known = {target["target"]: target for target in status.pop("targets")}
    targets = {name: known[str(lab.target(name))] for name in targets_of(lab.file)}
    return {"address": lab.address(), **status}, targets


def _node(node: Node, target: dict[str, Any] | None) -> dict[str, Any]:
    waiting: dict[str, int] = {}
    with contextlib.suppress(IIOPError):  # it does not run, or does not answer
        waiting = {name: queue.waiting for name, queue in node.queues(GLANCE).items()}
    units = {
        name: {
            "state": unit.state.value,
            "processes": list(unit.pids),
            "starts": unit.starts,
            "monitored": unit.monitored,
            "waiting": waiting.get(name),
        }
        for name, unit in node.work_units.items()
    }
    return {"address": f"{node.host}:{node.advertised_port}", "state": node.state.value, "work_units": units, "target": target}

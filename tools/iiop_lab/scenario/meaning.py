"""What a declared lab means where it leaves something out: which targets, at which host, on which nodes."""

from __future__ import annotations

from iiop_lab.scenario.declaration import LabFile, WorkUnitDeclaration

__all__ = ["callers", "cluster_of", "front_of", "host_of", "nodes_of", "runs", "targets_of"]


def targets_of(lab: LabFile) -> tuple[str, ...]:
    """Return the nodes that the virtual host distributes to; none without a virtual host."""
    if lab.virtual_host is None:
        return ()
    return lab.virtual_host.targets or tuple(name for name in lab.nodes if cluster_of(lab, name) is None)


def cluster_of(lab: LabFile, node: str) -> str | None:
    """Return the cluster that a node is in; None if it is in none."""
    return next((name for name, cluster in lab.clusters.items() if node in cluster.nodes), None)


def host_of(lab: LabFile, node: str) -> str:
    """Return the name of `[hosts]` at whose address a node listens.

    Raises:
        KeyError: there is no such node.
    """
    cluster = cluster_of(lab, node)
    return lab.nodes[node].host or (node if cluster is None else lab.clusters[cluster].host or cluster)


def front_of(lab: LabFile) -> str:
    """Return the host that clients call unless they say more: that of the virtual host, the first cluster, or the first node."""
    if lab.virtual_host is not None:
        return lab.virtual_host.host
    return host_of(lab, (*(cluster.nodes[0] for cluster in lab.clusters.values()), *lab.nodes)[0])


def nodes_of(lab: LabFile, unit: WorkUnitDeclaration) -> tuple[str, ...]:
    """Return the nodes that a WorkUnit runs on."""
    return unit.nodes or tuple(lab.nodes)


def runs(lab: LabFile, unit: str, node: str) -> bool:
    """Tell whether there is such a WorkUnit, and runs on such a node."""
    return node in lab.nodes and unit in lab.work_units and node in nodes_of(lab, lab.work_units[unit])


def callers(lab: LabFile) -> tuple[str, ...]:
    """Return the clients that call the sample server, which programs do not."""
    return tuple(name for name, client in lab.clients.items() if not client.command)

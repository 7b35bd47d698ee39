"""What a declared lab means where it leaves something out: which targets, at whose address, on which nodes."""

from __future__ import annotations

from iiop_lab.scenario.declaration import ClientDeclaration, LabFile, WorkUnitDeclaration

__all__ = ["address_of", "callers", "cluster_of", "host_of", "naming_of", "nodes_of", "runs", "targets_of"]


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


def address_of(lab: LabFile, node: str) -> tuple[str, int]:
    """Return where a node listens.

    Raises:
        KeyError: there is no such node, or no such host.
    """
    return lab.hosts[host_of(lab, node)], lab.nodes[node].port


def nodes_of(lab: LabFile, unit: WorkUnitDeclaration) -> tuple[str, ...]:
    """Return the nodes that a WorkUnit runs on."""
    return unit.nodes or tuple(lab.nodes)


def runs(lab: LabFile, unit: str, node: str) -> bool:
    """Tell whether there is such a WorkUnit, and runs on such a node."""
    return node in lab.nodes and unit in lab.work_units and node in nodes_of(lab, lab.work_units[unit])


def naming_of(lab: LabFile, client: ClientDeclaration) -> str:
    """Return the name of `[hosts]` whose Naming Service a client asks.

    Raises:
        ValueError: the lab has no node.
    """
    if client.naming:
        return client.naming
    if lab.virtual_host is not None:
        return lab.virtual_host.host
    for name, cluster in lab.clusters.items():
        return cluster.host or name
    for name in lab.nodes:
        return host_of(lab, name)
    raise ValueError("a lab without nodes has no Naming Service")


def callers(lab: LabFile) -> tuple[str, ...]:
    """Return the clients that call the sample server, which programs do not."""
    return tuple(name for name, client in lab.clients.items() if not client.command)

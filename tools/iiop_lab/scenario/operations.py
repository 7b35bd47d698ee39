"""What the actions of `iiop_lab.scenario.actions` do to a lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from iiop.balancer import Measure
from iiop_lab.scenario.checking import misreported
from iiop_lab.scenario.plan import LabError
from iiop_lab.work_unit import State

if TYPE_CHECKING:
    from iiop_lab.scenario.lab import Lab

__all__ = ["OPERATIONS"]


def _kill(lab: Lab, target: str) -> None:
    node, unit = lab.find(target)
    (node if unit is None else unit).kill()


def _stop(lab: Lab, target: str) -> None:
    node, unit = lab.find(target)
    (node if unit is None else unit).stop()


def _hang(lab: Lab, target: str) -> None:
    node, unit = lab.find(target)
    (node if unit is None else unit).hang()


def _restore(lab: Lab, target: str) -> None:
    node, unit = lab.find(target)
    state = node.state if unit is None else unit.state
    cluster = next((cluster for cluster in lab.clusters.values() if node in cluster.nodes), None)
    if state is State.RUNNING:
        raise LabError(f"{target} runs")
    if state is State.HUNG:
        (node if unit is None else unit).resume()
    elif unit is not None:
        unit.stop()
        node.start_unit(unit.name)
    elif cluster is not None:
        cluster.wait_settled()
        cluster.repair(node)
    else:
        node.restart()


def _maintenance(lab: Lab, node: str) -> None:
    lab.distributor().maintain(lab.target(node))


def _release(lab: Lab, node: str) -> None:
    lab.distributor().release(lab.target(node))


def _switch(lab: Lab, cluster: str) -> None:
    if cluster not in lab.clusters:
        raise LabError(f"there is no cluster {cluster}: there is {', '.join(lab.clusters) or 'none'}")
    lab.clusters[cluster].switch()


def _fault(lab: Lab, name: str, how: str) -> None:
    if how not in ("on", "off"):
        raise LabError(f"fault {name} {how}: it is 'on' or 'off'")
    lab.attach(name) if how == "on" else lab.remove(name)


def _report(lab: Lab, node: str, measure: str, number: str) -> None:
    if wrong := misreported(measure, number):
        raise LabError(f"report {node} {measure} {number}: {wrong}")
    lab.distributor().report(lab.target(node), Measure(measure), float(number))


OPERATIONS: dict[str, Callable[..., None]] = {
    "kill": _kill,
    "restore": _restore,
    "hang": _hang,
    "stop": _stop,
    "maintenance": _maintenance,
    "release": _release,
    "switch": _switch,
    "fault": _fault,
    "report": _report,
}
"""By verb; each is called with the lab and the arguments of the action."""

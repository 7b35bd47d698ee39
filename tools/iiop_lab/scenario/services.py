"""What a virtual host distributes, and how, made of what a lab file declares of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from iiop.balancer import LOAD, DistributionPolicy, Least, Measure, Random, RoundRobin, Threshold, Weighted
from iiop_lab.scenario.declaration import LabFile, ServiceDeclaration
from iiop_lab.virtual_host import CALLS, NAMING, Service, Stickiness, Target

__all__ = ["services"]

Keys = Callable[[str], frozenset[bytes]]
"""Returns the object keys that a WorkUnit has, or those that begin its keys."""


def services(file: LabFile, targets: Mapping[str, Target], keys: Keys) -> list[Service]:
    """Return the services of the virtual host, those that are looked at first in front.

    Args:
        file: what is declared.
        targets: by name of the node.
        keys: of WorkUnits.
    """
    assert file.virtual_host is not None
    declared = file.virtual_host.services
    usual = {service.name: service for service in (NAMING, CALLS)}
    bound = tuple([name for name, unit in file.work_units.items() if unit.process_bind])
    made = [Service("process bind", _has(ServiceDeclaration(work_units=bound), keys), process_bind=True)] if bound else []
    made += [
        _service(name, each, _has(each, keys), Stickiness.CALL, targets) for name, each in declared.items() if name not in usual
    ]
    for name, service in usual.items():
        made.append(_service(name, declared.get(name, ServiceDeclaration()), service.has, service.stickiness, targets))
    return made


def _service(
    name: str, declared: ServiceDeclaration, has: Callable[[bytes], bool], usual: Stickiness, targets: Mapping[str, Target]
) -> Service:
    limits = [Threshold(Measure(measure), limit.upper, limit.restoration) for measure, limit in declared.limits.items()]
    return Service(
        name,
        has,
        stickiness=Stickiness(declared.stickiness) if declared.stickiness else usual,
        policy=lambda: _policy(declared, targets),
        thresholds=tuple(limits),
    )


def _has(declared: ServiceDeclaration, keys: Keys) -> Callable[[bytes], bool]:
    def has(key: bytes) -> bool:
        of_unit = any(key.startswith(own) for unit in declared.work_units for own in keys(unit))
        return of_unit or any(fnmatchcase(key.decode("latin-1"), pattern) for pattern in declared.keys)

    return has


def _policy(declared: ServiceDeclaration, targets: Mapping[str, Target]) -> DistributionPolicy[Target]:
    match declared.policy:
        case "round_robin":
            return RoundRobin()
        case "random":
            return Random(random.Random(declared.seed).random)
        case "weights":
            return Weighted({targets[name]: weight for name, weight in declared.weights.items()})
        case "load":
            return Least(*LOAD)
        case "least_connections":
            return Least(Measure.CONNECTIONS)
        case measure:
            return Least(Measure(measure))

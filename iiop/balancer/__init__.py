"""Distribution over targets, their health and the affinity of clients: what a virtual host decides, without its sockets."""

from __future__ import annotations

from iiop.balancer.affinity import Affinity
from iiop.balancer.core import Balancer
from iiop.balancer.health import HEALTH, Health, Sign, Standing, TargetState
from iiop.balancer.measures import Latencies, Measure, Threshold
from iiop.balancer.policies import LOAD, DistributionPolicy, Least, Random, RoundRobin, Weighted

__all__ = [
    "HEALTH",
    "LOAD",
    "Affinity",
    "Balancer",
    "DistributionPolicy",
    "Health",
    "Latencies",
    "Least",
    "Measure",
    "Random",
    "RoundRobin",
    "Sign",
    "Standing",
    "TargetState",
    "Threshold",
    "Weighted",
]

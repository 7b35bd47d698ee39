"""Distribution over targets, their health and the affinity of clients: what a virtual host decides, without its sockets."""

from __future__ import annotations

from iiop.balancer.affinity import Affinity
from iiop.balancer.core import Balancer
from iiop.balancer.health import HEALTH, Health, Sign, TargetState
from iiop.balancer.policies import DistributionPolicy, RoundRobin

__all__ = ["Affinity", "Balancer", "DistributionPolicy", "HEALTH", "Health", "RoundRobin", "Sign", "TargetState"]

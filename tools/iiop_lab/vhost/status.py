"""How a virtual host stands at one moment, for tables and tests: numbers that stay as they were when it was asked.

A target has a balancer in each service that is distributed to it; here they are summed up. It must not know connections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iiop.balancer import Latencies, Measure, Standing, TargetState
from iiop.exceptions import CompletionStatus
from iiop_lab.vhost.services import Target

__all__ = ["Status", "TargetStatus", "standing_of", "status_of"]


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """Show one target.

    Attributes:
        target: which.
        standing: whether it gets new work, and if not, the first reason why.
        answered: calls that it has answered.
        under_way: calls, or connections where these are distributed, that it has now.
        response_time: seconds, lately; see `Measure.RESPONSE_TIME`. Of several services, as they were asked.
        p50: seconds in which half of all answers came, to 5 percent; None if there were none.
        p99: seconds in which 99 of 100 came.
        octets: of calls and their answers.
        reported: what it reported of itself last.
        error: what last went wrong with it; empty if nothing did. Of a dead one, why it left.
        error_age: seconds since then; None if nothing did.
    """

    target: Target
    standing: Standing
    answered: int
    under_way: int
    response_time: float
    p50: float | None
    p99: float | None
    octets: int
    reported: Mapping[Measure, float]
    error: str
    error_age: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it in strings and numbers."""
        return {
            "target": str(self.target),
            "standing": self.standing.value,
            "answered": self.answered,
            "under_way": self.under_way,
            "response_time": self.response_time,
            "p50": self.p50,
            "p99": self.p99,
            "octets": self.octets,
            "reported": {measure.value: value for measure, value in self.reported.items()},
            "error": self.error,
            "error_age": self.error_age,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """Show a virtual host.

    Attributes:
        connections: of clients, now.
        refusals: requests that no server answered, so far, by how far their operations can have got.
        targets: of all services.
    """

    connections: int
    refusals: Mapping[CompletionStatus, int]
    targets: tuple[TargetStatus, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it in strings and numbers."""
        return {
            "connections": self.connections,
            "refusals": {completed.name: count for completed, count in self.refusals.items()},
            "targets": [target.as_json() for target in self.targets],
        }


def standing_of(states: Sequence[TargetState[Target]]) -> Standing:
    """Return what keeps a target from some service, or that nothing does."""
    standings = [state.standing for state in states]
    return next((each for each in standings if each is not Standing.SERVING), Standing.SERVING)


def status_of(states: Sequence[TargetState[Target]], error: str, error_age: float | None) -> TargetStatus:
    """Sum up what is known of a target in each service.

    Args:
        states: one for each service.
        error: see `TargetStatus`.
        error_age: see `TargetStatus`.
    """
    latencies = Latencies.together(state.latencies for state in states)
    answered = len(latencies)
    return TargetStatus(
        states[0].target,
        standing_of(states),
        answered,
        sum(state.under_way for state in states),
        sum(state.response_time * len(state.latencies) for state in states) / answered if answered else 0.0,
        latencies.quantile(0.5),
        latencies.quantile(0.99),
        sum(state.octets for state in states),
        {measure: value for state in states for measure, value in state.reported.items()},
        error,
        error_age,
    )

"""When references are acquired afresh although nothing failed.

Distribution that happens when the Naming Service reference is obtained sends a client back to a repaired server only if the
client obtains it again from time to time (High Availability System Guide B1WS-1092-03ENZ0, 3.4.2).
"""

from __future__ import annotations

from math import inf

from iiop.failover.policy import FailoverPolicy

__all__ = ["refresh_time"]


def refresh_time(policy: FailoverPolicy, acquired: float, *, chance: float = 0.0) -> float:
    """Say when references acquired at `acquired` grow old.

    Args:
        policy: its `refresh_interval` and `jitter` count.
        acquired: seconds, on any clock.
        chance: 0 to below 1; spreads clients that started together, by making the interval up to `jitter` shorter.

    Returns:
        Seconds on the same clock, `math.inf` for never.
    """
    if policy.refresh_interval is None:
        return inf
    return acquired + policy.refresh_interval * (1.0 - policy.jitter * chance)

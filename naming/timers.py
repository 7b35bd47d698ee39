"""Interstage's client timers by their own names, units and defaults, as what our clients understand.

    timers = Timers.from_config(read_config(Path("/etc/opt/FJSVod/config")))
    policy = timers.policy(FailoverPolicy(deadline=inf, late=Late.INTERSTAGE))
    ns = NameService("vhost:8002", policy=policy, limits=timers.limits())

The `period_` timers count in units of 5 seconds; 0 switches one off. With `Late.INTERSTAGE` a call whose time is over ends as
COMM_FAILURE 0x464a0101, as it does there; the server goes on executing.

Source: Tuning Guide A.1 "config", and the FAQ on timers of the CORBA service (V6 and later).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import inf

from iiop.failover import FailoverPolicy
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = ["UNIT", "Timers"]

UNIT = 5.0
"""Seconds of a unit of the `period_` timers."""

_NO_DEADLINE = FailoverPolicy(deadline=inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Hold the timers of a client.

    Attributes:
        period_receive_timeout: units of 5 s for a reply; 72 is 6 minutes. (Up to V5 the default was 12.)
        period_client_idle_con_timeout: units of 5 s that a connection is kept without a call; 96 is 8 minutes.
        read_interval_timeout: seconds without an octet in the middle of a message; then the connection is lost, which a CORBA
            program sees as COMM_FAILURE. While nothing of a reply has come, `period_receive_timeout` counts. (V5: 0.)

    Raises:
        ValueError: a value is negative.
    """

    period_receive_timeout: int = 72
    period_client_idle_con_timeout: int = 96
    read_interval_timeout: int = 30

    def __post_init__(self) -> None:
        """Refuse what no file can mean."""
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name}: {getattr(self, field.name)} is less than 0")

    @classmethod
    def from_config(cls, parameters: Mapping[str, str]) -> Timers:
        """Return the timers that the parameters of a `config` file state (`naming.node.read_config`), else the defaults.

        Raises:
            ValueError: a timer is no decimal number.
        """
        stated: dict[str, int] = {}
        for field in fields(cls):
            text = parameters.get(field.name)
            if text is not None:
                if not text.isascii() or not text.isdigit():
                    raise ValueError(f"{field.name} = {text}: a decimal number was expected")
                stated[field.name] = int(text)
        return cls(**stated)

    def policy(self, base: FailoverPolicy = _NO_DEADLINE) -> FailoverPolicy:
        """Return a policy whose every try has `period_receive_timeout`; the deadline of `base` holds too.

        There it counts from the end of sending; a try of ours includes sending, and connecting, which is bounded separately.
        """
        return replace(base, attempt_timeout=_seconds(self.period_receive_timeout * UNIT))

    def limits(self, base: Limits = DEFAULT_LIMITS) -> Limits:
        """Return limits with `period_client_idle_con_timeout` for connections without a call, and `read_interval_timeout`."""
        idle_time, interval = self.period_client_idle_con_timeout * UNIT, self.read_interval_timeout
        return replace(base, idle_time=_seconds(idle_time), read_interval=_seconds(interval))


def _seconds(value: float) -> float:
    return value or inf

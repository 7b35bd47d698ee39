"""Interstage's timers, as policies and limits."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from iiop.failover import FailoverPolicy, Late
from iiop.limits import Limits
from naming.node import read_config
from naming.timers import Timers


def test_defaults_are_those_of_interstage() -> None:
    policy = Timers().policy()
    assert (policy.attempt_timeout, policy.deadline, policy.late) == (360.0, inf, Late.DEADLINE_EXCEEDED)
    assert (Timers().limits().idle_time, Timers().limits().read_interval) == (480.0, 30.0)


def test_config_file(tmp_path: Path) -> None:
    file = tmp_path / "config"
    lines = ["# period_receive_timeout = 1", "period_receive_timeout = 12", "", "IIOP_port = 8002"]
    lines += ["period_client_idle_con_timeout=0", "read_interval_timeout = 0"]
    file.write_text("\n".join(lines))
    timers = Timers.from_config(read_config(file))
    assert timers == Timers(period_receive_timeout=12, period_client_idle_con_timeout=0, read_interval_timeout=0)
    assert timers.policy().attempt_timeout == 60.0
    assert timers.limits(Limits(connections=3)) == Limits(connections=3, idle_time=inf)
    assert Timers.from_config(read_config(tmp_path / "none")) == Timers()


def test_zero_is_no_limit_and_the_deadline_holds_too() -> None:
    base = FailoverPolicy(deadline=7.0, late=Late.INTERSTAGE)
    policy = Timers(period_receive_timeout=0).policy(base)
    assert (policy.attempt_timeout, policy.deadline, policy.late) == (inf, 7.0, Late.INTERSTAGE)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="period_receive_timeout"):
        Timers.from_config({"period_receive_timeout": text})


def test_negative_is_refused() -> None:
    with pytest.raises(ValueError, match="period_client_idle_con_timeout: -1"):
        Timers(period_client_idle_con_timeout=-1)

"""Which endpoint next, when to re-acquire references, and when to give up: decisions without a socket, a clock or chance."""

from __future__ import annotations

from iiop.failover.classify import ACTIONS, MINOR_ACTIONS, Action, action_for, completion_of
from iiop.failover.events import (
    Acquired,
    AcquireFailed,
    AttemptFailed,
    BackedOff,
    Event,
    Forwarded,
    GaveUp,
    Observer,
    Recovered,
    RefreshFailed,
    reporter,
)
from iiop.failover.invocation import TRANSITIONS, Invocation, State, Trigger
from iiop.failover.opening import First, Opening
from iiop.failover.policy import DEFAULT_POLICY, FailoverPolicy, Late, Semantics, may_repeat
from iiop.failover.refresh import refresh_time
from iiop.failover.selection import Selection, Selector
from iiop.failover.steps import GiveUp, Reacquire, Step, Succeed, TryEndpoint, Wait

__all__ = [
    "First",
    "Invocation",
    "Opening",
    "FailoverPolicy",
    "DEFAULT_POLICY",
    "Semantics",
    "Late",
    "may_repeat",
    "Step",
    "TryEndpoint",
    "Reacquire",
    "Wait",
    "Succeed",
    "GiveUp",
    "Action",
    "ACTIONS",
    "MINOR_ACTIONS",
    "action_for",
    "completion_of",
    "State",
    "Trigger",
    "TRANSITIONS",
    "refresh_time",
    "Selection",
    "Selector",
    "Event",
    "AttemptFailed",
    "Forwarded",
    "Acquired",
    "AcquireFailed",
    "RefreshFailed",
    "BackedOff",
    "Recovered",
    "GaveUp",
    "Observer",
    "reporter",
]

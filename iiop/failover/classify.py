"""What an error says: how far the operation got, and where to turn next.

Two questions, kept apart. *Whether* an operation may be repeated follows from its completion status alone
(`completion_of`, then `iiop.failover.policy.may_repeat`); *where to* follows from the tables here (`action_for`), and only
once the first answer was yes. A code documented with "resend" is no exception to that order.

The tables rest on the failover conditions of FT CORBA (COMM_FAILURE, TRANSIENT, NO_RESPONSE, OBJ_ADAPTER), on IBM's retry rule
(NO_RESOURCES), and for Fujitsu on the High Availability System Guide (B1WS-1092-03ENZ0, 3.3.2.1, 3.4.2) and the idle-timer FAQ.
"""

from __future__ import annotations

from enum import Enum

from iiop.exceptions import (
    COMM_FAILURE,
    INV_OBJREF,
    NO_IMPLEMENT,
    NO_RESOURCES,
    NO_RESPONSE,
    OBJ_ADAPTER,
    OBJECT_NOT_EXIST,
    TIMEOUT,
    TRANSIENT,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    FailoverExhausted,
    SystemException,
    TransportError,
)

__all__ = ["ACTIONS", "Action", "MINOR_ACTIONS", "RUN_AFTER_ALL", "action_for", "completion_of"]

FUJITSU_PAIR_BIT = 0x800


class Action(Enum):
    """Say where an operation that may be repeated goes next.

    NEXT_ENDPOINT: the next endpoint of the round; after the last one, REACQUIRE.
    RECONNECT: the same endpoint over a new connection, once an invocation; from then on NEXT_ENDPOINT.
    REACQUIRE: acquire the Naming Service reference afresh, then the object's, and walk its endpoints.
    BACK_OFF: wait, then REACQUIRE.
    REACQUIRE_ONCE: the reference is stale: REACQUIRE, once an invocation; from then on SURFACE.
    SURFACE: hand the error to the caller.
    """

    NEXT_ENDPOINT = "NEXT_ENDPOINT"
    RECONNECT = "RECONNECT"
    REACQUIRE = "REACQUIRE"
    BACK_OFF = "BACK_OFF"
    REACQUIRE_ONCE = "REACQUIRE_ONCE"
    SURFACE = "SURFACE"


ACTIONS: dict[type[BaseException], Action] = {
    ConnectFailed: Action.NEXT_ENDPOINT,
    ConnectionLost: Action.RECONNECT,
    TransportError: Action.NEXT_ENDPOINT,
    DeadlineExceeded: Action.NEXT_ENDPOINT,
    FailoverExhausted: Action.NEXT_ENDPOINT,
    COMM_FAILURE: Action.REACQUIRE,
    TRANSIENT: Action.NEXT_ENDPOINT,
    NO_RESPONSE: Action.NEXT_ENDPOINT,
    NO_RESOURCES: Action.NEXT_ENDPOINT,
    OBJ_ADAPTER: Action.NEXT_ENDPOINT,
    TIMEOUT: Action.NEXT_ENDPOINT,
    OBJECT_NOT_EXIST: Action.REACQUIRE_ONCE,
    INV_OBJREF: Action.REACQUIRE_ONCE,
    NO_IMPLEMENT: Action.REACQUIRE_ONCE,
}
"""By class, the nearest one in the order of inheritance; what is not here is SURFACE.

INV_OBJREF and NO_IMPLEMENT stand beside OBJECT_NOT_EXIST because Interstage's list of system exceptions lacks that one, answers
NO_IMPLEMENT while a server process is not up in time, and INV_OBJREF for a released connection.
"""

MINOR_ACTIONS: dict[tuple[type[SystemException], int], Action] = {
    (COMM_FAILURE, 0x464A0101): Action.NEXT_ENDPOINT,
    (COMM_FAILURE, 0x464A0104): Action.RECONNECT,
    (COMM_FAILURE, 0x464A0105): Action.RECONNECT,
    (COMM_FAILURE, 0x464A010F): Action.RECONNECT,
    (COMM_FAILURE, 0x464A0114): Action.BACK_OFF,
}
"""By class and minor code, before `ACTIONS`; Fujitsu's with bit 0x800 cleared."""

RUN_AFTER_ALL: frozenset[tuple[type[SystemException], int]] = frozenset({(COMM_FAILURE, 0x464A0101)})
"""Errors whose COMPLETED_NO is not believed: a client's reply timeout, after which Interstage's server goes on executing."""


def _documented(error: SystemException) -> tuple[type[SystemException], int]:
    minor = error.minor
    if minor & 0xFFFFF000 == 0x464A0000:
        minor &= ~FUJITSU_PAIR_BIT
    return type(error), minor


def completion_of(error: BaseException) -> CompletionStatus:
    """Say how far the operation can have got; MAYBE for anything that does not tell."""
    if isinstance(error, SystemException):
        if _documented(error) in RUN_AFTER_ALL and error.completed is CompletionStatus.COMPLETED_NO:
            return CompletionStatus.COMPLETED_MAYBE
        return error.completed
    if isinstance(error, ConnectFailed):
        return CompletionStatus.COMPLETED_NO
    if isinstance(error, ConnectionLost | DeadlineExceeded | FailoverExhausted):
        return error.completed
    return CompletionStatus.COMPLETED_MAYBE


def action_for(error: BaseException) -> Action:
    """Look an error up in the tables.

    A connection that was lost before the request can have run was most likely closed for idleness, so the endpoint deserves a
    second try; one lost later was most likely lost with its server.
    """
    if isinstance(error, SystemException):
        action = MINOR_ACTIONS.get(_documented(error))
        if action is not None:
            return action
    if isinstance(error, ConnectionLost) and error.completed is not CompletionStatus.COMPLETED_NO:
        return ACTIONS[TransportError]
    for cls in type(error).__mro__:
        if cls in ACTIONS:
            return ACTIONS[cls]
    return Action.SURFACE

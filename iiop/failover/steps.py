"""What an invocation asks its shell to do next."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from iiop.values import quick

__all__ = ["GiveUp", "Reacquire", "Step", "Succeed", "TryEndpoint", "Wait"]

E = TypeVar("E", bound=Hashable)


@quick
@dataclass(frozen=True, slots=True)
class TryEndpoint(Generic[E]):
    """Send the request to `endpoint`, then tell `outcome` or `forwarded`.

    Attributes:
        endpoint: where to.
        timeout: seconds for the try, connecting included; when they are over, tell `DeadlineExceeded`.
        connect_timeout: seconds of these for connecting.
        fresh: take no pooled connection: something failed before, and pooled ones may be dead alike.
    """

    endpoint: E
    timeout: float
    connect_timeout: float
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Reacquire:
    """Acquire the Naming Service reference afresh over a new connection, then the object's from it.

    Then tell `reacquired` or `reacquire_failed`. A shell whose reference came from no Naming Service tells the same endpoints.

    Attributes:
        reason: for people.
        timeout: seconds for all of it.
    """

    reason: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing before the time `until`, on the clock `now` is read from; then ask again."""

    until: float


@quick
@dataclass(frozen=True, slots=True)
class Succeed:
    """Return `result` to the caller."""

    result: Any


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise `error`."""

    error: BaseException


Step: TypeAlias = TryEndpoint[E] | Reacquire | Wait | Succeed | GiveUp

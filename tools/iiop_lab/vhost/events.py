"""What happens at a virtual host, for who watches it or writes it down: `str()` is a line of a log, `as_json()` one of JSON.

It must not know who listens, nor what causes events.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar

from iiop.balancer import Standing
from iiop.exceptions import CompletionStatus
from iiop_lab.vhost.services import Delivery, Target

__all__ = ["ClientConnected", "ClientGone", "Event", "Refused", "TargetChanged"]


@dataclass(frozen=True, slots=True)
class Event:
    """Stand above all events.

    Attributes:
        level: at which it is logged.
    """

    level: ClassVar[int] = logging.DEBUG

    def as_json(self) -> dict[str, Any]:
        """Return its kind, as `event`, and what it tells, in strings and numbers."""
        return {"event": type(self).__name__} | {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: object) -> object:
    if isinstance(value, CompletionStatus):
        return value.name
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Target) else value


@dataclass(frozen=True, slots=True)
class ClientConnected(Event):
    """A client has connected.

    Attributes:
        client: its `host:port`.
    """

    client: str

    def __str__(self) -> str:
        return f"{self.client} has connected"


@dataclass(frozen=True, slots=True)
class ClientGone(Event):
    """The connection of a client has ended.

    Attributes:
        client: its `host:port`.
    """

    client: str

    def __str__(self) -> str:
        return f"{self.client} has gone"


@dataclass(frozen=True, slots=True)
class TargetChanged(Event):
    """What keeps a target out of distribution has changed: something was added to it, or taken from it.

    Attributes:
        target: which.
        standing: whether it gets new work now, and if not, the first reason why, which need not be this one.
        reason: what was seen, or said.
    """

    level: ClassVar[int] = logging.WARNING
    target: Target
    standing: Standing
    reason: str

    def __str__(self) -> str:
        return f"{self.target} {self.reason}"


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A request was answered by the virtual host, because no server did.

    Attributes:
        client: `host:port` of who asked.
        operation: as in the request header; empty for a LocateRequest.
        exception: name of the system exception.
        minor: its minor code.
        completed: how far the operation can have got.
        delivery: how the client is told; None if it does not wait for an answer.
        reason: why.
    """

    level: ClassVar[int] = logging.INFO
    client: str
    operation: str
    exception: str
    minor: int
    completed: CompletionStatus
    delivery: Delivery | None
    reason: str

    def __str__(self) -> str:
        told = f"{self.exception} 0x{self.minor:x} {self.completed.name}"
        return f"{self.client} was refused {self.operation or 'a LocateRequest'} with {told}: {self.reason}"

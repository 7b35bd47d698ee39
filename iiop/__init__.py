"""IIOP on the wire: octets in, events out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Role
    from iiop.giop.messages import (
        CancelRequest,
        CloseConnection,
        LocateReply,
        LocateRequest,
        MessageError,
        Reply,
        ReplyStatus,
        Request,
    )
    from iiop.limits import Limits

_HOMES = {
    "iiop.connection": ("NEED_DATA", "Connection", "ConnectionState", "EndOfStream", "Role"),
    "iiop.giop.messages": (
        "CancelRequest",
        "CloseConnection",
        "LocateReply",
        "LocateRequest",
        "MessageError",
        "Reply",
        "ReplyStatus",
        "Request",
    ),
    "iiop.limits": ("Limits",),
}

__all__ = [
    "NEED_DATA",
    "CancelRequest",
    "CloseConnection",
    "Connection",
    "ConnectionState",
    "EndOfStream",
    "Limits",
    "LocateReply",
    "LocateRequest",
    "MessageError",
    "Reply",
    "ReplyStatus",
    "Request",
    "Role",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import iiop` stays light."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'iiop' has no attribute {name!r}")

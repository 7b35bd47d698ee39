"""IIOP on the wire: octets in, events out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iiop.late import late_names

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

__getattr__ = late_names(__name__, __all__, ("limits", "giop.messages", "connection"))

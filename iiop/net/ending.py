"""What the end of a connection means to those who wait on it, in both clients."""

from __future__ import annotations

from iiop.connection import EndOfStream, Event
from iiop.exceptions import CompletionStatus, ConnectionLost
from iiop.giop.messages import CloseConnection, MessageError
from iiop.limits import Limits

__all__ = ["ended_by", "stalled"]


def ended_by(peer: str, event: Event) -> ConnectionLost:
    """Return the loss of a connection that an event, which is no reply, means.

    Args:
        peer: for the message.
        event: after CloseConnection nothing that waits has run (CORBA 3.3 part 2, clause 9.4.7); after any other it may have.
    """
    if isinstance(event, CloseConnection):
        return ConnectionLost(f"{peer} closed the connection in order", completed=CompletionStatus.COMPLETED_NO)
    if isinstance(event, MessageError):
        said = "answered MessageError"
    elif isinstance(event, EndOfStream):
        said = "ended the connection without a reply"
    else:
        said = f"sent a {type(event).__name__} to a client"
    return ConnectionLost(f"{peer} {said}", completed=CompletionStatus.COMPLETED_MAYBE)


def stalled(peer: str, limits: Limits) -> ConnectionLost:
    """Return the loss of a connection over which a message came that does not go on."""
    reason = f"{peer} sent a part of a message, and nothing for the limit read_interval={limits.read_interval:g}"
    return ConnectionLost(reason, completed=CompletionStatus.COMPLETED_MAYBE)

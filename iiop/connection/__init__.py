"""One GIOP connection without a socket: octets in, events out."""

from iiop.connection.connection import NEED_DATA, Connection, EndOfStream, Event, NeedData
from iiop.connection.prepared import PreparedRequest
from iiop.connection.standing import StandingAnswers
from iiop.connection.states import ConnectionState, Role

__all__ = [
    "NEED_DATA",
    "Connection",
    "ConnectionState",
    "EndOfStream",
    "Event",
    "NeedData",
    "PreparedRequest",
    "Role",
    "StandingAnswers",
]

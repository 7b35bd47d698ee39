"""What may be sent and received when: tables, and nothing else.

Source: CORBA 3.3 part 2, clause 9.4 (who may send which message, table 9.4) and 9.5 "GIOP Message Transport".
"""

from __future__ import annotations

import enum
import functools

from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, MessageType
from iiop.profile import Version

__all__ = ["MAY_SEND", "TRANSITIONS", "ConnectionState", "Role", "Trigger", "sendable"]


class Role(enum.Enum):
    """Say which end of the connection we are: the one that connected sends requests."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def peer(self) -> Role:
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


class ConnectionState(enum.Enum):
    """Say how far a connection is.

    `CLOSING`: we have sent CloseConnection; what still arrives is dropped. `CLOSED`: the peer has sent CloseConnection, or the
    stream has ended. `ERROR`: GIOP was broken, by the peer or because it said that we did.
    """

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    ERROR = "error"


class Trigger(enum.Enum):
    """Name what moves a connection from one state to another."""

    CLOSE_SENT = "CloseConnection sent"
    CLOSE_RECEIVED = "CloseConnection received"
    STREAM_ENDED = "end of stream"
    PEER_BROKE_GIOP = "octets that are no GIOP"
    ERROR_SENT = "MessageError sent"
    ERROR_RECEIVED = "MessageError received"


_S, _T = ConnectionState, Trigger

TRANSITIONS: dict[ConnectionState, dict[Trigger, ConnectionState]] = {
    _S.OPEN: {
        _T.CLOSE_SENT: _S.CLOSING,
        _T.CLOSE_RECEIVED: _S.CLOSED,
        _T.STREAM_ENDED: _S.CLOSED,
        _T.PEER_BROKE_GIOP: _S.ERROR,
        _T.ERROR_SENT: _S.ERROR,
        _T.ERROR_RECEIVED: _S.ERROR,
    },
    _S.CLOSING: {
        _T.CLOSE_RECEIVED: _S.CLOSED,
        _T.STREAM_ENDED: _S.CLOSED,
        _T.PEER_BROKE_GIOP: _S.ERROR,
        _T.ERROR_RECEIVED: _S.ERROR,
    },
    _S.CLOSED: {
        _T.CLOSE_RECEIVED: _S.CLOSED,
        _T.STREAM_ENDED: _S.CLOSED,
        _T.PEER_BROKE_GIOP: _S.ERROR,
        _T.ERROR_RECEIVED: _S.ERROR,
    },
    _S.ERROR: {
        _T.STREAM_ENDED: _S.ERROR,
        _T.ERROR_SENT: _S.ERROR,
    },
}

_M = MessageType
_CLIENT_1_0 = frozenset({_M.Request, _M.CancelRequest, _M.LocateRequest, _M.MessageError})
_SERVER_1_0 = frozenset({_M.Reply, _M.LocateReply, _M.CloseConnection, _M.MessageError})

MAY_SEND: dict[tuple[Role, Version], frozenset[MessageType]] = {
    (Role.CLIENT, GIOP_1_0): _CLIENT_1_0,
    (Role.SERVER, GIOP_1_0): _SERVER_1_0,
    (Role.CLIENT, GIOP_1_1): _CLIENT_1_0 | {_M.Fragment},
    (Role.SERVER, GIOP_1_1): _SERVER_1_0 | {_M.Fragment},
    (Role.CLIENT, GIOP_1_2): _CLIENT_1_0 | {_M.Fragment, _M.CloseConnection},
    (Role.SERVER, GIOP_1_2): _SERVER_1_0 | {_M.Fragment},
}
"""By sender and GIOP version; since 1.2 both ends may send CloseConnection."""


@functools.cache
def sendable(role: Role, *, both_ways: bool = False) -> tuple[tuple[bool, ...], ...]:
    """Return `MAY_SEND` of one end as answers by minor version and message type, quick to look up.

    Args:
        role: of the end.
        both_ways: on a connection where, since GIOP 1.2, each end may send what the other may.
    """

    def may_send(version: Version, kind: MessageType) -> bool:
        other = both_ways and version >= GIOP_1_2
        return kind in MAY_SEND[role, version] or (other and kind in MAY_SEND[role.peer, version])

    return tuple(tuple(may_send(version, kind) for kind in MessageType) for version in (GIOP_1_0, GIOP_1_1, GIOP_1_2))

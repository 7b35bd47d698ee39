"""One request over a bare socket, in any version and byte order, to any server; used where a client would choose these itself."""

from __future__ import annotations

import socket
from typing import Any

from iiop.cdr import ByteOrder
from iiop.connection import NEED_DATA, Connection, Event, Role
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_2,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    Request,
    ResponseFlags,
    key_address,
)
from iiop.idl import Interface
from iiop.profile import Version

PATIENCE = 10.0


def ask(
    address: tuple[str, int],
    interface: type[Interface],
    operation: str,
    *arguments: Any,
    key: bytes = b"NameService",
    version: Version = GIOP_1_2,
    order: ByteOrder = ByteOrder.BIG,
) -> Any:
    """Call an operation by the name it has on the wire; return its result or raise what the server answered."""
    declared = interface.operations()[operation]
    body = Body.of(declared.arguments, arguments) if arguments else EMPTY
    flags = ResponseFlags.SYNC_WITH_TARGET.value
    reply = _answer(address, Request(0, operation, key_address(key), flags, (), body, b"", version, order))
    assert isinstance(reply, Reply), reply
    assert reply.version == version
    return declared.answer(reply)


def locate(
    address: tuple[str, int], key: bytes, *, version: Version = GIOP_1_2, order: ByteOrder = ByteOrder.BIG
) -> LocateStatus:
    """Ask whether a key is known."""
    reply = _answer(address, LocateRequest(0, key_address(key), version, order))
    assert isinstance(reply, LocateReply), reply
    return reply.locate_status


def _answer(address: tuple[str, int], message: Request | LocateRequest) -> Event:
    connection = Connection(Role.CLIENT)
    with socket.create_connection(address, PATIENCE) as sock:
        sock.sendall(connection.send(message))
        while (event := connection.next_event()) is NEED_DATA:
            connection.receive_data(sock.recv(65536))
    return event

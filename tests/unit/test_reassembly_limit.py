"""What a peer can make us keep for messages that have not become whole is bounded in octets too."""

from __future__ import annotations

import pytest

from iiop.connection import NEED_DATA, Connection, Role
from iiop.exceptions import RemoteProtocolError
from iiop.giop.fragments import split
from iiop.giop.messages import GIOP_1_2, Body, MessageError, Request, key_address
from iiop.giop.wire import encode
from iiop.limits import Limits


def first_piece(request_id: int) -> bytes:
    return split(encode(Request(request_id, "op", key_address(b"k"), body=Body(bytes(4000)))), GIOP_1_2, 2048)[0]


def test_open_messages_share_one_budget() -> None:
    server = Connection(Role.SERVER, limits=Limits(reassembly_octets=5000))
    for request_id in (0, 2):
        server.receive_data(first_piece(request_id))
        assert server.next_event() is NEED_DATA
    server.receive_data(first_piece(4))
    with pytest.raises(RemoteProtocolError, match="reassembly_octets=5000") as refused:
        server.next_event()
    assert isinstance(refused.value.response, MessageError)

"""Answers that stand: given again for the same octets with another id, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as values

from iiop.cdr import ByteOrder
from iiop.cdr.code_sets import UTF_8, UTF_16
from iiop.connection import NEED_DATA, Connection, Role, StandingAnswers
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    Reply,
    ReplyStatus,
    Request,
    key_address,
)
from iiop.giop.wire import encode
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.profile import CodeSetContext, Version
from iiop_fuzz import strategies as st

VERSIONS = (GIOP_1_0, GIOP_1_1, GIOP_1_2)
KEY = key_address(b"key")
CODE_SETS = ServiceContext(ServiceId.CodeSets, SERVICE_CONTEXTS.encode(ServiceId.CodeSets, CodeSetContext(UTF_8, UTF_16)))


def question(request_id: int, **changes: Any) -> Request:
    return replace(
        Request(request_id, "op", KEY, body=Body(b"12345678", 0, ByteOrder.LITTLE), byte_order=ByteOrder.LITTLE), **changes
    )


def answer(request: Request, octets: bytes = b"87654321") -> Reply:
    body = Body(octets, 0, request.byte_order)
    return Reply(request.request_id, ReplyStatus.NO_EXCEPTION, (), body, request.version, request.byte_order)


def received(connection: Connection, request: Request) -> Request:
    """Let a request arrive, and be answered; return it as it arrived."""
    connection.receive_data(encode(request))
    event = connection.next_event()
    assert isinstance(event, Request)
    assert connection.next_event() is NEED_DATA
    if event.response_expected:
        connection.send(answer(event))
    return event


@pytest.fixture
def standing() -> StandingAnswers:
    return StandingAnswers()


@pytest.fixture
def connection(standing: StandingAnswers) -> Connection:
    return Connection(Role.SERVER, standing=standing)


@given(st.requests(), values.integers(0, 2**32 - 1))
def test_an_answer_is_the_one_given_before_with_the_new_id(request: Request, request_id: int) -> None:
    standing = StandingAnswers()
    connection = Connection(Role.SERVER, standing=standing)
    request = received(connection, request)
    standing.keep(request, answer(request))
    again = encode(replace(request, request_id=request_id))
    expected = encode(answer(replace(request, request_id=request_id)))
    kept = not request.service_context and request.response_expected and len(encode(request)) <= 2048
    assert connection.recall(again) == (expected if kept else None)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("order", ByteOrder)
def test_only_the_id_may_differ(standing: StandingAnswers, connection: Connection, version: Version, order: ByteOrder) -> None:
    request = received(connection, question(2, version=version, byte_order=order, body=Body()))
    standing.keep(request, answer(request))
    octets = encode(replace(request, request_id=0x01020304))
    assert connection.recall(octets) == encode(answer(replace(request, request_id=0x01020304)))
    start = octets.index(bytes((1, 2, 3, 4)) if order is ByteOrder.BIG else bytes((4, 3, 2, 1)))
    for at in range(len(octets)):
        changed = octets[:at] + bytes((octets[at] ^ 0xFF,)) + octets[at + 1 :]
        assert (connection.recall(changed) is not None) == (start <= at < start + 4)
        assert connection.recall(octets[:at]) is None
    assert connection.recall(octets + octets) is None


def test_nothing_is_answered_while_anything_is_under_way(standing: StandingAnswers, connection: Connection) -> None:
    request = received(connection, question(2))
    standing.keep(request, answer(request))
    octets = encode(question(4))
    assert connection.recall(octets) is not None
    connection.receive_data(octets[:20])
    assert connection.recall(octets) is None
    connection.receive_data(octets[20:])
    waiting = connection.next_event()
    assert isinstance(waiting, Request)
    assert connection.recall(octets) is None
    connection.receive_data(encode(CancelRequest(4)))
    connection.next_event()
    assert connection.recall(octets) is None
    connection.send(answer(waiting))
    assert connection.recall(octets) is not None
    connection.send(CloseConnection())
    assert connection.recall(octets) is None


def test_after_the_end_nothing_is_answered(standing: StandingAnswers, connection: Connection) -> None:
    request = received(connection, question(2))
    standing.keep(request, answer(request))
    connection.receive_data(b"")
    assert connection.recall(encode(question(4))) is None


def test_the_code_sets_of_a_connection_count(standing: StandingAnswers, connection: Connection) -> None:
    """The same octets are other characters."""
    request = received(connection, question(2))
    standing.keep(request, answer(request))
    other = Connection(Role.SERVER, standing=standing)
    received(other, question(2, service_context=(CODE_SETS,)))
    assert other.recall(encode(question(4))) is None
    assert connection.recall(encode(question(4))) is not None
    request = received(other, question(6))
    standing.keep(request, answer(request, b"--------"))
    assert other.recall(encode(question(8))) == encode(answer(question(8), b"--------"))
    assert connection.recall(encode(question(8))) == encode(answer(question(8)))


def test_what_tells_the_connection_something_is_not_kept(standing: StandingAnswers, connection: Connection) -> None:
    for request in (question(2, service_context=(CODE_SETS,)), question(4, response_flags=0)):
        heard = received(connection, request)
        standing.keep(heard, answer(heard))
    heard = received(connection, question(6))
    standing.keep(heard, replace(answer(heard), service_context=(CODE_SETS,)))
    assert len(standing) == 0


def test_what_is_kept_is_bounded(connection: Connection) -> None:
    standing = StandingAnswers(most=2, size=100)
    connection = Connection(Role.SERVER, standing=standing)
    heard = received(connection, question(2))
    standing.keep(heard, answer(heard, bytes(100)))
    assert len(standing) == 0
    for number in range(3):
        heard = received(connection, question(2, operation=f"op{number}"))
        standing.keep(heard, answer(heard))
    assert len(standing) == 2
    assert [connection.recall(encode(question(4, operation=f"op{number}"))) is None for number in range(3)] == [
        True,
        False,
        False,
    ]
    long = received(connection, question(2, body=Body(bytes(96), 0, ByteOrder.LITTLE)))
    standing.keep(long, answer(long))
    assert len(standing) == 2
    standing.clear()
    assert connection.recall(encode(question(4, operation="op2"))) is None

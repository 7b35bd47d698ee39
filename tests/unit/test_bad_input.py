"""Bad input at its edges, in every version: limits, truncation at each octet, the end of the stream and what comes after.

One case for each class of bad input, with the answers of our Naming Service and of omniNames, is in `tests/cases`.
"""

from __future__ import annotations

import tracemalloc

import pytest

from iiop.cdr import ByteOrder
from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role
from iiop.exceptions.errors import DecodeError, LimitExceeded, RemoteProtocolError, TrailingDataError, TruncatedError
from iiop.giop.fragments import split
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    CancelRequest,
    CloseConnection,
    LocateRequest,
    Message,
    MessageError,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import encode
from iiop.iop import ServiceContext
from iiop.limits import Limits
from iiop.profile import Version

BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE
KEY = key_address(b"key")
VERSIONS = (GIOP_1_0, GIOP_1_1, GIOP_1_2)


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def request(request_id: int, version: Version = GIOP_1_2, operation: str = "op", order: ByteOrder = BIG) -> Request:
    return Request(request_id, operation, KEY, version=version, byte_order=order)


def events(connection: Connection, *stream: bytes | Message) -> list[Event]:
    """Return what whole messages become."""
    connection.receive_data(b"".join(it if isinstance(it, bytes) else encode(it) for it in stream))
    found = []
    while (event := connection.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def refused(
    stream: bytes | Message,
    reason: str,
    response: Version | None = GIOP_1_2,
    *,
    connection: Connection | None = None,
    order: ByteOrder = BIG,
) -> RemoteProtocolError:
    """Assert that a connection, a server's if not given, breaks on a message, and what it wants to answer."""
    connection = connection or Connection(Role.SERVER)
    with pytest.raises(RemoteProtocolError, match=reason) as caught:
        events(connection, stream)
    assert caught.value.response == (None if response is None else MessageError(response, order))
    if caught.value.response is not None:
        assert connection.send(caught.value.response) == encode(caught.value.response)
    assert connection.state is ConnectionState.ERROR
    assert events(connection, request(99)) == []
    return caught.value


def waiting_client(request_id: int = 2, **options: Limits) -> Connection:
    connection = Connection(Role.CLIENT, **options)
    connection.send(request(request_id))
    return connection


# --- header ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "flags"),
    [(GIOP_1_0, 2), (GIOP_1_0, 3), (GIOP_1_0, 0xFF), (GIOP_1_1, 4), (GIOP_1_2, 4), (GIOP_1_2, 0x80), (GIOP_1_2, 0xFF)],
)
def test_reserved_flags(version: Version, flags: int) -> None:
    stream = b"GIOP" + bytes([1, version.minor, flags, 5, 0, 0, 0, 0])
    refused(stream, "reserved bits set in the flags", version)


def test_the_largest_message_that_is_admitted() -> None:
    limits = Limits(message_size=len(encode(request(2))))
    assert events(Connection(Role.SERVER, limits=limits), request(2)) == [request(2)]
    refused(request(2, operation="longer"), "exceeds the limit", connection=Connection(Role.SERVER, limits=limits))


def test_size_0_where_nothing_is_needed() -> None:
    """It is legal and ends: a thousand of them are a thousand events, not a loop."""
    assert events(Connection(Role.SERVER), CloseConnection()) == [CloseConnection()]
    client = Connection(Role.CLIENT)
    assert events(client, *[MessageError()] * 1000) == [MessageError()]


# --- truncated ---------------------------------------------------------------------------------------------------------


def test_end_of_stream_in_the_middle_of_a_message() -> None:
    whole = encode(request(2))
    for end in range(1, len(whole)):
        connection = Connection(Role.SERVER)
        connection.receive_data(whole[:end])
        assert connection.next_event() is NEED_DATA
        connection.receive_data(b"")
        assert connection.next_event() == EndOfStream(False, (), end)
        assert connection.next_event() is NEED_DATA
        assert connection.state is ConnectionState.CLOSED


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_truncated_header_fields(version: Version) -> None:
    """The size is right, the fields are not all there."""
    message = Request(2, "op", KEY, service_context=(ServiceContext(1, b"xy"),), version=version, byte_order=BIG)
    whole = encode(message)
    for end in range(12, len(whole)):
        stream = whole[:8] + (end - 12).to_bytes(4) + whole[12:end]
        error = refused(stream, "Request header: ", version)
        assert isinstance(error.__cause__, DecodeError)
        assert error.__cause__.offset is not None


# --- requests ----------------------------------------------------------------------------------------------------------

START_1_2 = "00000002 03 000000"


def request_1_2(text: str) -> bytes:
    body = octets(START_1_2 + text)
    return octets("47494f50 0102 00 00") + len(body).to_bytes(4) + body


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ("00000003 6f0000", "operation at offset 37: string contains NUL"),
        ("ffffffff 6f7000", "operation at offset 36: 4294967294 exceeds the limit string_length"),
        ("000000ff 6f7000", "operation at offset 36: string needs 255 octets"),
    ],
)  # fmt: skip
def test_operation(operation: str, reason: str) -> None:
    refused(request_1_2(f"0000 0000 00000003 6b6579 00 {operation}"), reason)


@pytest.mark.parametrize(
    ("count", "kind", "reason"),
    [
        ("ffffffff", LimitExceeded, "4294967295 exceeds the limit service_contexts=64"),
        ("00000040", TruncatedError, "64 elements of at least 8 octets, 0 octets are left"),
        ("00000001", TruncatedError, "1 elements of at least 8 octets"),
    ],
)
def test_service_context_count(count: str, kind: type[DecodeError], reason: str) -> None:
    """Refused before anything is allocated."""
    stream = request_1_2(f"0000 0000 00000003 6b6579 00 00000003 6f7000 00 {count}")
    tracemalloc.start()
    try:
        error = refused(stream, reason)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert type(error.__cause__) is kind
    refused(octets("47494f50 0100 00 00 00000004") + octets(count), reason, GIOP_1_0)


def test_more_service_contexts_than_the_limit() -> None:
    message = Request(2, "op", KEY, service_context=(ServiceContext(1, b""),) * 65, byte_order=BIG)
    refused(message, "65 exceeds the limit service_contexts=64")


def test_response_expected_is_no_boolean() -> None:
    refused(
        octets("47494f50 0100 00 00 0000000c 00000000 00000002 07 000000"), "response_expected at offset 20: boolean", GIOP_1_0
    )


@pytest.mark.parametrize("again", [request(2), LocateRequest(2, KEY, byte_order=BIG), Request(2, "op", KEY, 0, byte_order=BIG)])
def test_duplicate_request_id(again: Message) -> None:
    server = Connection(Role.SERVER)
    events(server, request(2))
    error = refused(again, "request id 2 is used again before its reply", connection=server)
    assert error.partial == again


@pytest.mark.parametrize(
    "message", [CancelRequest(2), LocateRequest(2, KEY), CloseConnection(), MessageError()], ids=lambda it: type(it).__name__
)
@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_octets_left_over(message: Message, version: Version) -> None:
    """omniORB closes on garbage at the end of a message (`strictIIOP`); so do we."""
    whole = bytearray(
        encode(
            type(message)(
                **{name: getattr(message, name) for name in message.__slots__} | {"version": version, "byte_order": BIG}
            )
        )
    )
    whole += b"\0"
    whole[8:12] = (len(whole) - 12).to_bytes(4)
    client_says = not isinstance(message, CloseConnection)
    error = refused(
        bytes(whole), "1 octets left over", version, connection=Connection(Role.SERVER if client_says else Role.CLIENT)
    )
    assert isinstance(error.__cause__, TrailingDataError)
    assert error.__cause__.offset == len(whole) - 1


# --- fragments ---------------------------------------------------------------------------------------------------------


def fragment(text: str, *, version: Version = GIOP_1_2, order: ByteOrder = BIG, more: bool = False) -> bytes:
    body = octets(text)
    return b"GIOP" + bytes([1, version.minor, order | more << 1, 7]) + len(body).to_bytes(4, order.name.lower()) + body  # type: ignore[arg-type]


def pieces(request_id: int = 2, version: Version = GIOP_1_2, size: int = 64) -> list[bytes]:
    found = split(encode(request(request_id, version, "x" * 200)), version, size)
    assert len(found) > 3
    return found


def test_a_fragment_of_another_byte_order() -> None:
    server = Connection(Role.SERVER)
    events(server, pieces()[0])
    refused(fragment("02000000", order=LITTLE), "in another byte order", connection=server, order=LITTLE)


def test_a_fragment_of_another_version() -> None:
    server = Connection(Role.SERVER)
    events(server, pieces()[0])
    refused(fragment("00000002", version=GIOP_1_1), "fragment out of nowhere", GIOP_1_1, connection=server)


def test_a_fragment_without_request_id() -> None:
    refused(fragment("0000"), "Fragment of 14 octets has no request id")


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
def test_messages_that_cannot_be_fragmented(version: Version) -> None:
    whole = bytearray(encode(CancelRequest(2, version, BIG)))
    whole[6] |= 2
    reason = "reserved bits set" if version == GIOP_1_0 else f"a CancelRequest of GIOP {version} cannot be fragmented"
    refused(bytes(whole), reason, version)


def test_more_open_messages_than_the_limit() -> None:
    server = Connection(Role.SERVER, limits=Limits(reassemblies=2))
    assert events(server, pieces(2)[0], pieces(4)[0]) == []
    refused(pieces(6)[0], "more open fragmented messages than the limit reassemblies=2", connection=server)


def test_endless_fragments() -> None:
    """A peer that never sends the last one is stopped by number, even if the fragments are empty."""
    server = Connection(Role.SERVER, limits=Limits(fragments=100))
    events(server, pieces()[0], *[fragment("00000002", more=True)] * 99)
    refused(fragment("00000002", more=True), "more fragments than the limit fragments=100", connection=server)


def test_fragments_that_add_up_to_too_much() -> None:
    server = Connection(Role.SERVER, limits=Limits(message_size=200))
    events(server, pieces()[0])
    events(server, fragment("00000002" + "00" * 96, more=True))
    refused(fragment("00000002" + "00" * 96, more=True), "more than the limit message_size=200", connection=server)


def test_cancel_before_the_id_of_a_1_1_request_has_arrived() -> None:
    """The first piece ends before the request id: which request it is cannot be told, so it stays open."""
    server = Connection(Role.SERVER)
    message = Request(2, "op", KEY, service_context=(ServiceContext(1, bytes(100)),), version=GIOP_1_1, byte_order=BIG)
    found = split(encode(message), GIOP_1_1, 64)
    assert events(server, found[0], CancelRequest(2, GIOP_1_1, BIG)) == [CancelRequest(2, GIOP_1_1, BIG)]
    assert events(server, *found[1:]) == [message]


def test_end_of_stream_in_the_middle_of_fragments() -> None:
    server = Connection(Role.SERVER)
    found = pieces()
    events(server, found[0], found[1], found[2][:20])
    server.receive_data(b"")
    assert server.next_event() == EndOfStream(False, (), 64 + 64 - 16 + 20)


# --- after the end -----------------------------------------------------------------------------------------------------


def test_requests_after_close_connection() -> None:
    """They crossed it on the wire: dropped and counted, for their sender knows that they have not run."""
    server = Connection(Role.SERVER)
    server.send(CloseConnection())
    assert events(server, request(2), request(2), LocateRequest(4, KEY)) == []
    assert (server.dropped, server.unanswered, server.state) == (3, (), ConnectionState.CLOSING)


def test_requests_after_the_clients_own_close_connection() -> None:
    server = Connection(Role.SERVER)
    assert events(server, CloseConnection(), request(2)) == [CloseConnection()]
    assert (server.dropped, server.unanswered, server.state) == (1, (), ConnectionState.CLOSED)


def test_message_error_received() -> None:
    """It is an event, no exception; nothing is answered, and the calls that waited may have run."""
    client = waiting_client()
    assert events(client, MessageError()) == [MessageError()]
    assert client.state is ConnectionState.ERROR
    assert events(client, Reply(2)) == []
    client.receive_data(b"")
    assert client.next_event() == EndOfStream(False, (2,), 0)


def test_junk_after_close_connection() -> None:
    client = waiting_client()
    client.receive_data(encode(CloseConnection()) + b"HTTP/1.1 400 Bad Request")
    assert client.next_event() == CloseConnection()
    with pytest.raises(RemoteProtocolError, match="not GIOP"):
        client.next_event()
    assert client.state is ConnectionState.ERROR


def test_what_a_broken_connection_keeps() -> None:
    server = Connection(Role.SERVER)
    server.receive_data(b"X" * 100_000)
    with pytest.raises(RemoteProtocolError):
        server.next_event()
    server.receive_data(b"X" * 100_000)
    assert server.next_event() is NEED_DATA
    assert server.unfinished == 0

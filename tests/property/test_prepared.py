"""Prepared requests and plain replies: what they shorten comes to the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder, Codec, Double, Octet, ULong, arguments
from iiop.connection import NEED_DATA, Connection, Event, PreparedRequest, Role
from iiop.connection.states import ConnectionState
from iiop.exceptions import RemoteProtocolError
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, NATIVE, Body, Reply, ReplyStatus, Request, key_address
from iiop.giop.wire import encode
from iiop_fuzz import strategies as iiop_st

VERSIONS = st.sampled_from([GIOP_1_0, GIOP_1_1, GIOP_1_2])
SHAPES: list[tuple[Codec, st.SearchStrategy[Any]]] = [
    (Codec(arguments("none")), st.just(())),
    (Codec(arguments("octet", ("a", Annotated[int, Octet]))), st.tuples(st.integers(0, 255))),
    (Codec(arguments("double", ("a", Annotated[float, Double]))), st.tuples(st.floats(allow_nan=False))),
    (Codec(arguments("octets", ("a", bytes), ("b", Annotated[int, ULong]))), st.tuples(st.binary(), st.integers(0, 9))),
]


@given(iiop_st.requests(), st.sampled_from(SHAPES), st.data())
def test_a_prepared_request_is_what_is_encoded(
    request: Request, shape: tuple[Codec, st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    codec, values = shape
    given_arguments, request = data.draw(values), replace(request, service_context=())
    prepared = PreparedRequest(request, codec)
    whole = replace(request, body=Body.of(codec, given_arguments))
    assert prepared.octets(request.request_id, given_arguments) == encode(whole)
    assert prepared.request(request.request_id, given_arguments) == whole
    assert prepared.response_expected == request.response_expected


OCTETS = Codec(arguments("octets", ("a", bytes)))
OPERATION = Request(0, "operation", key_address(b"key"), byte_order=NATIVE)


def client(version: Any, calls: int) -> Connection:
    connection = Connection(Role.CLIENT)
    prepared = PreparedRequest(replace(OPERATION, version=version), SHAPES[0][0])
    for number in range(calls):
        assert connection.call(prepared, ())[0] == 2 * number
    return connection


def told(connection: Connection, pieces: list[bytes], *, quickly: bool) -> list[Event | str]:
    """Return what a connection says of octets: whole replies in order, then the reason it was broken, if it was."""
    found: list[Event | str] = []
    for piece in pieces:
        if quickly:
            version = (GIOP_1_0, GIOP_1_1, GIOP_1_2)
            for request_id, body in connection.answers(piece):
                spoken = version[body.octets[5]]
                found.append(Reply(request_id, body=body, version=spoken, byte_order=body.byte_order))
        else:
            connection.receive_data(piece)
        try:
            while (event := connection.next_event()) is not NEED_DATA:
                found.append(event)
        except RemoteProtocolError as error:
            return [*found, str(error)]
    return found


replies = st.builds(
    lambda request_id, status, contexts, octets, version, order: encode(
        Reply(request_id, status, contexts, Body.of(OCTETS, (octets,)), version, order)
    ),
    st.sampled_from([0, 2, 4, 6, 8, 77]),
    st.sampled_from([ReplyStatus.NO_EXCEPTION] * 4 + [ReplyStatus.USER_EXCEPTION]),
    st.just(()) | st.just(()) | iiop_st.service_contexts().map(lambda context: (context,)),
    st.binary(max_size=24),
    VERSIONS,
    st.sampled_from(ByteOrder),
)


@given(VERSIONS, st.lists(replies, max_size=5).map(b"".join), st.data())
def test_plain_replies_are_what_events_are(version: Any, stream: bytes, data: st.DataObject) -> None:
    if stream and data.draw(st.integers(0, 3)) == 0:
        at = data.draw(st.integers(0, len(stream) - 1))
        stream = stream[:at] + bytes([data.draw(st.integers(0, 255))]) + stream[at + 1 :]
    points = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=3)))
    pieces = [stream[start:end] for start, end in zip([0, *points], [*points, len(stream)], strict=True) if end > start]
    one, other = client(version, 5), client(version, 5)
    assert told(one, pieces, quickly=True) == told(other, pieces, quickly=False)
    assert (one.state, one.outstanding, one.unfinished) == (other.state, other.outstanding, other.unfinished)
    if one.state is ConnectionState.OPEN:
        assert told(one, [b""], quickly=True) == told(other, [b""], quickly=False)

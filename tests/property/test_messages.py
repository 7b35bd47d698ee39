"""Messages of every version and byte order: there and back, in pieces, and made of anything."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder, codec
from iiop.connection import NEED_DATA, Connection, EndOfStream, Event, Role
from iiop.connection.states import MAY_SEND, ConnectionState
from iiop.exceptions.errors import DecodeError, RemoteProtocolError
from iiop.giop.fragments import FRAGMENTABLE, Reassembler, split
from iiop.giop.header import HEADER_SIZE, MAGIC, MESSAGE_HEADER, VERSIONS, cut_header
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, Body, Message, MessageType, Reply, Request
from iiop.giop.wire import decode, encode
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_fuzz import strategies as iiop_st

BY_CLIENT = (MessageType.Request, MessageType.LocateRequest, MessageType.CancelRequest)


@given(iiop_st.messages())
def test_there_and_back(message: Message) -> None:
    octets = encode(message)
    assert decode(octets) == message
    assert encode(decode(octets)) == octets


@given(iiop_st.messages(), st.data())
def test_cut_off_anywhere(message: Message, data: st.DataObject) -> None:
    octets = encode(message)
    end = data.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(DecodeError):
        decode(octets[:end])


bodies_typed = st.tuples(st.just(tuple[str, ...]), iiop_st.cdr_values(codec(tuple[str, ...]).type)).map(
    lambda it: Body.of(codec(it[0]), it[1])
)


@given(iiop_st.requests(bodies=bodies_typed) | iiop_st.replies(bodies=bodies_typed))
def test_typed_bodies_are_aligned_where_they_stand(message: Request | Reply) -> None:
    received = decode(encode(message))
    assert isinstance(received, Request | Reply)
    declared = codec(tuple[str, ...])
    assert received.body.decode(declared) == message.body.decode(declared)


# --- streams -----------------------------------------------------------------------------------------------------------


def events(role: Role, pieces: list[bytes], limits: Limits = DEFAULT_LIMITS) -> list[Event | str]:
    """Return everything a connection makes of a stream; a protocol error ends it."""
    connection = Connection(role, limits=limits)
    found: list[Event | str] = []
    for piece in [*pieces, b""]:
        connection.receive_data(piece)
        while True:
            try:
                event = connection.next_event()
            except RemoteProtocolError as error:
                assert connection.state is ConnectionState.ERROR
                return [*found, str(error), repr(error.response)]
            if event is NEED_DATA:
                break
            found.append(event)
    assert connection.next_event() is NEED_DATA
    return found


def cut(octets: bytes, points: tuple[int, ...]) -> list[bytes]:
    return [octets[start:end] for start, end in pairwise([0, *points, len(octets)])] if octets else []


streams = st.lists(
    iiop_st.messages(kinds=BY_CLIENT).map(encode) | iiop_st.fragmented().map(lambda it: b"".join(it[1])), max_size=4
).map(b"".join)
damaged_streams = st.tuples(streams, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3)).map(
    lambda it: bytes(dict(it[1]).get(i, octet) for i, octet in enumerate(it[0]))
)


@given(streams | damaged_streams | st.binary(), st.sampled_from(Role), st.data())
def test_cuts_do_not_matter(stream: bytes, role: Role, data: st.DataObject) -> None:
    whole = events(role, [stream] if stream else [])
    assert whole
    assert events(role, cut(stream, tuple(range(1, len(stream))))) == whole
    assert events(role, cut(stream, data.draw(iiop_st.cut_points(size=len(stream))))) == whole


ids = st.lists(st.integers(0, 0xFFFFFFFF), max_size=5, unique=True)


@given(ids, st.data())
def test_a_stream_of_requests_becomes_these_requests(ids: list[int], data: st.DataObject) -> None:
    sent = [replace(data.draw(iiop_st.requests()), request_id=request_id) for request_id in ids]
    stream = b"".join(map(encode, sent))
    assert events(Role.SERVER, cut(stream, data.draw(iiop_st.cut_points(size=len(stream))))) == [*sent, EndOfStream(False, (), 0)]


headers = st.builds(
    lambda version, flags, kind, size, order: MAGIC + bytes(version) + bytes([flags, kind]) + size.to_bytes(4, order),
    st.tuples(st.just(1), st.integers(0, 3)),
    st.integers(0, 7) | st.integers(0, 255),
    st.integers(0, 8) | st.integers(0, 255),
    st.integers(0, 64) | st.integers(0, 0xFFFFFFFF),
    st.sampled_from(["big", "little"]),
)


@given(st.lists(headers | st.binary(max_size=64) | streams, max_size=4).map(b"".join), st.sampled_from(Role))
@example(MAGIC, Role.CLIENT)
def test_any_octets_give_events_or_a_protocol_error(stream: bytes, role: Role) -> None:
    events(role, [stream] if stream else [], Limits(message_size=4096, fragments=8, reassemblies=2, outstanding=2))


@given(headers | st.binary(min_size=HEADER_SIZE, max_size=HEADER_SIZE))
def test_the_header_cut_by_hand_is_the_declared_one(octets: bytes) -> None:
    declared = MESSAGE_HEADER.decode(octets, ByteOrder(octets[6] & 1))
    version = (declared.GIOP_version.major, declared.GIOP_version.minor)
    allowed = {(1, 0): 1, (1, 1): 3, (1, 2): 3}.get(version, 0)
    last = MessageType.MessageError if version == (1, 0) else MessageType.Fragment
    valid = (
        declared.magic == MAGIC
        and version in VERSIONS
        and declared.flags <= allowed
        and declared.message_type <= last
        and declared.message_size + HEADER_SIZE <= DEFAULT_LIMITS.message_size
    )
    if not valid:
        with pytest.raises(RemoteProtocolError) as caught:
            cut_header(octets, DEFAULT_LIMITS)
        assert type(caught.value.response).__name__ == "MessageError"
        return
    header = cut_header(octets, DEFAULT_LIMITS)
    assert header.version == declared.GIOP_version
    assert header.byte_order == declared.flags & 1
    assert header.more_fragments == bool(declared.flags & 2)
    assert header.message_type == declared.message_type
    assert header.size == declared.message_size + HEADER_SIZE


# --- fragments ---------------------------------------------------------------------------------------------------------


def join(pieces: list[bytes] | tuple[bytes, ...]) -> bytes:
    if len(pieces) == 1:
        return pieces[0]
    reassembler = Reassembler(DEFAULT_LIMITS)
    results = [reassembler.add(cut_header(piece, DEFAULT_LIMITS), piece) for piece in pieces]
    assert results[:-1] == [None] * (len(pieces) - 1)
    assert len(reassembler) == reassembler.pending_octets == 0
    assert results[-1] is not None
    return results[-1]


fragmentable = st.sampled_from([GIOP_1_1, GIOP_1_2]).flatmap(
    lambda version: iiop_st.messages(kinds=FRAGMENTABLE[version], versions=st.just(version))
)


@given(fragmentable, st.integers(32, 400))
def test_split_at_any_legal_size(message: Message, size: int) -> None:
    octets = encode(message)
    pieces = split(octets, message.version, size)
    assert all(len(piece) <= size for piece in pieces)
    for piece in pieces[:-1]:
        header = cut_header(piece, DEFAULT_LIMITS)
        assert header.more_fragments
        assert (len(piece) if message.version >= GIOP_1_2 else len(piece) - HEADER_SIZE) % 8 == 0
    assert not cut_header(pieces[-1], DEFAULT_LIMITS).more_fragments
    assert [cut_header(piece, DEFAULT_LIMITS).message_type for piece in pieces[1:]] == [MessageType.Fragment] * (len(pieces) - 1)
    assert join(pieces) == octets


@given(iiop_st.fragmented())
def test_pieces_of_any_size_are_put_together(case: tuple[Message, tuple[bytes, ...]]) -> None:
    message, pieces = case
    assert join(pieces) == encode(message)
    role = Role.SERVER if MessageType[type(message).__name__] in MAY_SEND[Role.CLIENT, GIOP_1_2] else Role.CLIENT
    if role is Role.SERVER:
        assert events(role, list(pieces))[0] == message


@given(st.lists(iiop_st.fragmented(messages=iiop_st.requests(versions=st.just(GIOP_1_2))), min_size=2, max_size=3), st.data())
def test_interleaved_requests_of_1_2(cases: list[tuple[Request, tuple[bytes, ...]]], data: st.DataObject) -> None:
    """Pieces of several requests take turns; each becomes whole with its last."""
    by_id = {message.request_id: list(pieces) for message, pieces in cases}
    expected = {message.request_id: message for message, _ in cases}
    order: list[bytes] = []
    done: list[Event | str] = []
    while by_id:
        request_id = data.draw(st.sampled_from(sorted(by_id)))
        order.append(by_id[request_id].pop(0))
        if not by_id[request_id]:
            del by_id[request_id]
            done.append(expected[request_id])
    assert events(Role.SERVER, order)[:-1] == done


@given(iiop_st.requests(), st.integers(32, 64))
def test_a_connection_fragments_what_can_be(request: Request, size: int) -> None:
    octets = Connection(Role.CLIENT, fragment_size=size).send(request)
    if request.version == GIOP_1_0:
        assert octets == encode(request)
    else:
        assert octets == b"".join(split(encode(request), request.version, size))
    assert events(Role.SERVER, [octets])[0] == request

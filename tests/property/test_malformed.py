"""Exactly one thing broken: every breakage of every kind is refused with the error of its door, and with no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiop.cdr import codec
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.typecode import TypeCode
from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role
from iiop.exceptions.errors import DecodeError, ReferenceFormatError, RemoteProtocolError
from iiop.giop.messages import (
    CloseConnection,
    LocateReply,
    LocateRequest,
    Message,
    MessageError,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.iop import IOR as RawIOR  # noqa: N811
from iiop.iop import ServiceContext, TaggedComponent, TaggedProfile
from iiop.profile import CodeSetComponentInfo
from iiop_fuzz import strategies as iiop_st
from iiop_fuzz._broken_messages import OF_MESSAGES
from iiop_fuzz._broken_octets import BREAKAGES
from iiop_fuzz._broken_text import OF_IORS, OF_NAMES, OF_URLS
from iiop_fuzz._malformed import Malformed, breakages_of
from ior import IOR, parse_object_url
from naming.names import parse_name

SHORT = {"stream_ends_within", "message_size_plus_1", "message_size_less_1", "last_fragment_missing"}
"""Breakages of a message that leave it, or what is behind it, less than whole."""


def events(message: Message, octets: bytes) -> list[Event]:
    """Return what a connection that waits for `message` makes of the octets, and of the end of the stream."""
    connection = Connection(Role.CLIENT if isinstance(message, Reply | LocateReply | CloseConnection) else Role.SERVER)
    if isinstance(message, Reply):
        connection.send(Request(message.request_id, "op", key_address(b"")))
    elif isinstance(message, LocateReply):
        connection.send(LocateRequest(message.request_id, key_address(b"")))
    found: list[Event] = []
    for piece in (octets, b""):
        connection.receive_data(piece)
        try:
            while (event := connection.next_event()) is not NEED_DATA:
                found.append(event)
        except RemoteProtocolError as error:
            assert type(error.response) is MessageError  # noqa: PT017
            assert connection.state is ConnectionState.ERROR
            assert connection.next_event() is NEED_DATA
            raise
    return found


def as_message(given: Malformed) -> None:
    """Read a message; one whose octets are too few is octets left over when the stream ends, and is no message in itself."""
    with pytest.raises((DecodeError, RemoteProtocolError)):
        decode(given.octets)
    if given.what not in SHORT:
        events(given.intact, given.octets)
        return
    *_, end = events(given.intact, given.octets)
    assert isinstance(end, EndOfStream)
    assert end.truncated
    raise RemoteProtocolError("as good as refused")


def as_value(declared: type[Any]) -> Callable[[Malformed], object]:
    layout = codec(declared)  # type: ignore[arg-type]  # a class is hashable
    return lambda given: layout.decode(given.octets, given.byte_order)


def as_reference(given: Malformed) -> object:
    return IOR.from_octets(given.given) if isinstance(given.given, bytes) else parse_object_url(given.given)


Door = tuple[st.SearchStrategy[Any], Callable[[Malformed], object], tuple[type[Exception], ...]]
DOORS: dict[str, Door] = {
    "messages": (iiop_st.messages(), as_message, (RemoteProtocolError,)),
    "typecodes": (iiop_st.typecodes(), as_value(TypeCode), (DecodeError,)),
    "anys": (iiop_st.anys(), as_value(CORBAAny), (DecodeError,)),
    "tagged profiles": (iiop_st.tagged_profiles(), as_value(TaggedProfile), (DecodeError,)),
    "tagged components": (iiop_st.tagged_components(), as_value(TaggedComponent), (DecodeError,)),
    "service contexts": (iiop_st.service_contexts(), as_value(ServiceContext), (DecodeError,)),
    "code sets": (iiop_st.cdr_values(codec(CodeSetComponentInfo).type), as_value(CodeSetComponentInfo), (DecodeError,)),
    "references": (iiop_st.iors(), as_reference, (DecodeError, ReferenceFormatError)),
    "corbalocs": (iiop_st.corbalocs(), lambda given: parse_object_url(given.text), (ReferenceFormatError,)),
    "corbanames": (iiop_st.corbanames(), lambda given: parse_object_url(given.text), (ReferenceFormatError,)),
    "names": (iiop_st.names(), lambda given: parse_name(given.text), (ReferenceFormatError,)),
    "stringified names": (iiop_st.stringified_names(), lambda given: parse_name(given.text), (ReferenceFormatError,)),
}


@pytest.mark.parametrize("kind", DOORS)
@settings(max_examples=25)
@given(data=st.data())
def test_every_breakage_is_refused_with_one_error(kind: str, data: st.DataObject) -> None:
    """All breakages of each value, not only one."""
    values, read, errors = DOORS[kind]
    value, order = data.draw(values), data.draw(iiop_st.byte_orders())
    for what, broken in breakages_of(value, None, order):
        with pytest.raises(errors) as caught:
            read(Malformed(broken, what, value, order))
        assert type(caught.value) in (*errors, *DecodeError.__subclasses__()), what
        if isinstance(caught.value, ReferenceFormatError):
            assert 0 <= caught.value.position <= len(broken)
        elif isinstance(caught.value, DecodeError):
            assert caught.value.offset is not None
            assert "engines disagree" not in str(caught.value)


@given(iiop_st.malformed(iiop_st.messages() | iiop_st.iors() | iiop_st.corbanames() | iiop_st.names()))
def test_what_is_drawn_is_one_of_them(given: Malformed) -> None:
    assert (given.what, given.given) in breakages_of(given.intact, None, given.byte_order)


@given(iiop_st.malformed(st.lists(iiop_st.strings()).map(tuple), layout=codec(tuple[str, ...])))
def test_values_of_any_declared_type(given: Malformed) -> None:
    with pytest.raises(DecodeError):
        codec(tuple[str, ...]).decode(given.octets, given.byte_order)


@given(iiop_st.messages())
def test_unbroken_messages_are_accepted(message: Message) -> None:
    """Else nothing above would say a thing."""
    first, end = events(message, encode(message))
    assert first == message
    assert isinstance(end, EndOfStream)
    assert end.truncated == 0


@given(iiop_st.iors(), iiop_st.corbalocs() | iiop_st.corbanames(), iiop_st.stringified_names())
def test_unbroken_text_is_accepted(ior: RawIOR, url: object, name: str) -> None:
    assert IOR.from_string(str(IOR.from_iop(ior))).to_iop() == ior
    assert parse_object_url(str(url)) == url
    assert parse_name(name)


def test_every_breakage_of_octets_is_named_once() -> None:
    for known in (BREAKAGES + OF_MESSAGES, OF_NAMES, OF_IORS, OF_URLS):
        names = [breakage.__name__ for breakage in known]
        assert len(names) == len(set(names))


def test_octets_are_no_text() -> None:
    assert Malformed(b"", "no_octets", None).octets == b""
    assert Malformed("", "nothing", None).text == ""
    with pytest.raises(TypeError):
        _ = Malformed("", "nothing", None).octets
    with pytest.raises(TypeError):
        _ = Malformed(b"", "no_octets", None).text

"""Messages, whole and in pieces."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop.cdr import ByteOrder, Codec, OctetArray, cdr_type
from iiop.giop.fragments import FRAGMENTABLE
from iiop.giop.header import HEADER_SIZE, MORE_FRAGMENTS, new_message, put_size
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    IORAddressingInfo,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
    ResponseFlags,
    TargetAddress,
    key_address,
)
from iiop.giop.wire import encode
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.profile import BiDirIIOPServiceContext, CodeSetContext, ListenPoint, Version
from iiop_fuzz._cdr import byte_orders, cdr_values, strings
from iiop_fuzz._references import HOSTS, PORTS, ULONGS, iors, object_keys, tagged_profiles

__all__ = [
    "bodies",
    "cut_points",
    "fragmented",
    "locate_replies",
    "locate_requests",
    "messages",
    "replies",
    "requests",
    "service_contexts",
    "targets",
    "versions",
]

Versions = SearchStrategy[Version] | None
Orders = SearchStrategy[ByteOrder] | None
Bodies = SearchStrategy[Body] | None
T = TypeVar("T")


def _given(strategy: SearchStrategy[T] | None, default: Callable[[], SearchStrategy[T]]) -> SearchStrategy[T]:
    return default() if strategy is None else strategy


def versions() -> SearchStrategy[Version]:
    """Draw a version of GIOP; shrinks to 1.0."""
    return st.sampled_from([GIOP_1_0, GIOP_1_1, GIOP_1_2])


def service_contexts() -> SearchStrategy[ServiceContext]:
    """Draw a service context: typed ones, unknown ones, and known ids with octets that are not what they should be."""
    typed = st.one_of(
        st.tuples(st.just(ServiceId.CodeSets), st.builds(CodeSetContext, ULONGS, ULONGS)),
        st.tuples(
            st.just(ServiceId.BI_DIR_IIOP),
            st.builds(BiDirIIOPServiceContext, st.lists(st.builds(ListenPoint, HOSTS, PORTS), max_size=3).map(tuple)),
        ),
    )
    known = st.builds(
        lambda it, order: ServiceContext(int(it[0]), SERVICE_CONTEXTS.encode(it[0], it[1], order)), typed, byte_orders()
    )
    ids = st.sampled_from([int(context_id) for context_id in ServiceId]) | ULONGS
    return known | st.builds(ServiceContext, ids, st.binary(max_size=32))


def targets(*, version: Version = GIOP_1_2) -> SearchStrategy[TargetAddress]:
    """Draw a target address that a version can say: by key, and since 1.2 by profile and by reference."""
    by_key = object_keys().map(key_address)
    if version < GIOP_1_2:
        return by_key
    by_profile = st.builds(TargetAddress, st.just(1), tagged_profiles())
    return by_key | by_profile | st.builds(TargetAddress, st.just(2), cdr_values(cdr_type(IORAddressingInfo)) | _addressings())


def _addressings() -> SearchStrategy[IORAddressingInfo]:
    return st.builds(IORAddressingInfo, ULONGS, iors())


def bodies() -> SearchStrategy[Body]:
    """Draw a body of arbitrary octets, which stand at any alignment; shrinks to none."""
    return st.binary(max_size=100).map(lambda octets: Body.of(Codec(OctetArray(len(octets))), octets))


def _contexts() -> SearchStrategy[tuple[ServiceContext, ...]]:
    return st.lists(service_contexts(), max_size=4).map(tuple)


@st.composite
def requests(draw: st.DrawFn, *, versions: Versions = None, byte_orders: Orders = None, bodies: Bodies = None) -> Request:
    """Draw a Request; `bodies` may be typed ones, made with `Body.of`."""
    version, order = draw(_given(versions, _versions)), draw(_given(byte_orders, _orders))
    flags = [ResponseFlags.SYNC_NONE, ResponseFlags.SYNC_WITH_TARGET]
    if version >= GIOP_1_2:
        flags.append(ResponseFlags.SYNC_WITH_SERVER)
    principal = draw(st.binary(max_size=16))  # whatever the version, so that none is simpler for having less to draw
    return Request(
        request_id=draw(ULONGS),
        operation=draw(st.sampled_from(["", "resolve", "_is_a", "_get_balance"]) | strings()),
        target=draw(targets(version=version)),
        response_flags=draw(st.sampled_from(flags)).value,
        service_context=draw(_contexts()),
        body=draw(_given(bodies, _bodies)),
        requesting_principal=principal if version < GIOP_1_2 else b"",
        version=version,
        byte_order=order,
    )


def replies(*, versions: Versions = None, byte_orders: Orders = None, bodies: Bodies = None) -> SearchStrategy[Reply]:
    """Draw a Reply of any status, named or not; the body is not what the status asks for."""
    statuses = st.sampled_from(ReplyStatus) | ULONGS.map(ReplyStatus)
    return st.builds(
        Reply,
        ULONGS,
        statuses,
        _contexts(),
        _given(bodies, _bodies),
        _given(versions, _versions),
        _given(byte_orders, _orders),
    )


def locate_replies(*, versions: Versions = None, byte_orders: Orders = None) -> SearchStrategy[LocateReply]:
    """Draw a LocateReply of any status, named or not; the body is not what the status asks for."""
    statuses = st.sampled_from(LocateStatus) | ULONGS.map(LocateStatus)
    return st.builds(LocateReply, ULONGS, statuses, _bodies(), _given(versions, _versions), _given(byte_orders, _orders))


def locate_requests(*, versions: Versions = None, byte_orders: Orders = None) -> SearchStrategy[LocateRequest]:
    """Draw a LocateRequest, whose target is one that its version can say."""
    orders = _given(byte_orders, _orders)
    return _given(versions, _versions).flatmap(
        lambda version: st.builds(LocateRequest, ULONGS, targets(version=version), st.just(version), orders)
    )


_versions, _orders, _bodies = versions, byte_orders, bodies

_KINDS: dict[MessageType, Callable[[SearchStrategy[Version], SearchStrategy[ByteOrder]], SearchStrategy[Message]]] = {
    MessageType.CloseConnection: lambda versions, orders: st.builds(CloseConnection, versions, orders),
    MessageType.MessageError: lambda versions, orders: st.builds(MessageError, versions, orders),
    MessageType.CancelRequest: lambda versions, orders: st.builds(CancelRequest, ULONGS, versions, orders),
    MessageType.LocateRequest: lambda versions, orders: locate_requests(versions=versions, byte_orders=orders),
    MessageType.LocateReply: lambda versions, orders: locate_replies(versions=versions, byte_orders=orders),
    MessageType.Request: lambda versions, orders: requests(versions=versions, byte_orders=orders),
    MessageType.Reply: lambda versions, orders: replies(versions=versions, byte_orders=orders),
}


def messages(
    *, kinds: Collection[MessageType] | None = None, versions: Versions = None, byte_orders: Orders = None
) -> SearchStrategy[Message]:
    """Draw a message of any kind, as a whole; `fragmented` draws pieces.

    Args:
        kinds: types of message to draw; all but Fragment, which is no message of its own, if not given.
        versions: strategy for the GIOP version.
        byte_orders: strategy for the byte order.
    """
    in_version, in_order = _given(versions, _versions), _given(byte_orders, _orders)
    return st.one_of(*(make(in_version, in_order) for kind, make in _KINDS.items() if kinds is None or kind in kinds))


@st.composite
def fragmented(draw: st.DrawFn, *, messages: SearchStrategy[Message] | None = None) -> tuple[Message, tuple[bytes, ...]]:
    """Draw a message and its octets in one or more pieces, as legal as they can be: empty ones, and a last one that is empty.

    Args:
        messages: whose versions know fragments of their kind; any such, if not given.
    """
    whole = draw(_fragmentable() if messages is None else messages)
    octets = encode(whole)
    names_request = whole.version >= GIOP_1_2
    origin = 0 if names_request else HEADER_SIZE
    units = range((HEADER_SIZE + 4 if names_request else HEADER_SIZE + 8) - origin + 7 >> 3, (len(octets) - origin >> 3) + 1)
    if not units:
        return whole, (octets,)
    ends = [origin + 8 * unit for unit in sorted(draw(st.lists(st.sampled_from(units), max_size=6)))]
    if not ends:
        return whole, (octets,)
    first = bytearray(octets[: ends[0]])
    first[6] |= MORE_FRAGMENTS
    put_size(first)
    pieces = [bytes(first)]
    for at, end in zip(ends, [*ends[1:], len(octets)], strict=True):
        piece = new_message(whole.version, whole.byte_order, MessageType.Fragment, more=len(pieces) < len(ends))
        piece += octets[HEADER_SIZE : HEADER_SIZE + 4] if names_request else b""
        piece += octets[at:end]
        put_size(piece)
        pieces.append(bytes(piece))
    return whole, tuple(pieces)


def _fragmentable() -> SearchStrategy[Message]:
    return st.one_of(*(messages(kinds=FRAGMENTABLE[version], versions=st.just(version)) for version in (GIOP_1_1, GIOP_1_2)))


def cut_points(*, size: int, max_cuts: int = 8) -> SearchStrategy[tuple[int, ...]]:
    """Draw where to cut `size` octets, as a stream may deliver them: ascending offsets, none of them an end."""
    if size < 2:
        return st.just(())
    return st.lists(st.integers(1, size - 1), max_size=max_cuts, unique=True).map(lambda points: tuple(sorted(points)))

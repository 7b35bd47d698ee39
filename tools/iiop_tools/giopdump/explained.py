"""Octets of a message, annotated: where each field is, its octets, and what they say.

Told by the construct engine from the declarations that traffic is read by. Service contexts, profiles and components are opened
as far as their layouts are registered, also those inside others. What they leave over is padding, or not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iiop.cdr import ByteOrder, Codec
from iiop.cdr.source import Explained
from iiop.exceptions import SystemException, UserException
from iiop.giop import v1_0, v1_1, v1_2
from iiop.giop.header import HEADER_SIZE, MESSAGE_HEADER
from iiop.giop.messages import SYSTEM_EXCEPTION, LocateReply, MessageType, Reply, Request
from iiop.iop import IOR_CODEC
from iiop.limits import DEFAULT_LIMITS
from iiop_tools.cli import printable
from iiop_tools.giopdump.conversations import Seen
from iiop_tools.giopdump.declared import Said
from iiop_tools.giopdump.values import text
from ior.explain import layouts_inside

__all__ = ["explained"]

_HEADERS: dict[MessageType, tuple[Codec, Codec, Codec]] = {
    MessageType.Request: (v1_0.REQUEST, v1_1.REQUEST, v1_2.REQUEST),
    MessageType.Reply: (v1_0.REPLY, v1_0.REPLY, v1_2.REPLY),
    MessageType.CancelRequest: (v1_0.CANCEL_REQUEST,) * 3,
    MessageType.LocateRequest: (v1_0.LOCATE_REQUEST, v1_0.LOCATE_REQUEST, v1_2.LOCATE_REQUEST),
    MessageType.LocateReply: (v1_0.LOCATE_REPLY,) * 3,
}
"""By message type and minor version."""

_HOLDERS = {"context_data": "context", "profile_data": "profile", "component_data": "component"}
"""Members whose values are encapsulations, by what they are of."""
_WIDTH = 16
"""Octets of a line."""


def explained(seen: Seen, said: Said) -> Iterator[str]:
    """Return lines: offset, octets, field, type, value."""
    octets, at = seen.cut.octets, 0
    for field in _opened(_fields(seen, said)):
        if field.offset > at:
            yield from _lines(octets, at, field.offset, "(padding)")
        what = f"{field.path}: {field.type} = {printable(text(field.value))}"
        yield from _lines(octets, field.offset, field.offset + field.length, what)
        at = max(at, field.offset + field.length)
    if at < len(octets):
        yield from _lines(octets, at, len(octets), "(not explained)" if at else "(octets)")


def _lines(octets: bytes, start: int, stop: int, what: str) -> Iterator[str]:
    for at in range(start, max(stop, start + 1), _WIDTH):
        digits = octets[at : min(at + _WIDTH, stop)].hex(" ")
        yield f"  {at:6}  {digits:<{_WIDTH * 3 - 1}}  {what if at == start else ''}".rstrip()


def _fields(seen: Seen, said: Said) -> Iterator[Explained]:
    header, octets = seen.cut.header, seen.cut.octets
    if header is None or len(octets) < HEADER_SIZE:
        return
    order = header.byte_order
    yield from MESSAGE_HEADER.explain(octets[:HEADER_SIZE], order)[0]
    codecs = _HEADERS.get(header.message_type)
    if codecs is None:
        return
    codec = codecs[header.version.minor]
    yield from codec.explain(octets, order, start=HEADER_SIZE)[0]
    message = seen.message
    if isinstance(message, Request | Reply | LocateReply):
        body = _body(said)
        if body is not None and message.body.start < len(octets):
            fields = body.spoken(message.body.speech).explain(octets, ByteOrder(order), start=message.body.start)[0]
            yield from fields


def _opened(fields: Iterable[Explained], depth: int = 0) -> Iterator[Explained]:
    """Return fields, in place of each that is an encapsulation of known layout those that are in it."""
    tagged, tag = None, 0
    for field in fields:
        owner, _, name = field.path.rpartition(".")
        holder = _HOLDERS.get(name) if owner == tagged and isinstance(field.value, bytes) else None
        layouts = layouts_inside(holder, tag, field.value) if holder and depth < DEFAULT_LIMITS.nesting else ()
        if name in ("tag", "context_id") and isinstance(field.value, int):
            tagged, tag = owner, field.value
        if layouts and field.value[0] <= 1:
            yield from _inside(field, layouts, depth + 1)
        else:
            yield field


def _inside(field: Explained, layouts: Iterable[Codec], depth: int) -> Iterator[Explained]:
    """Return the fields of an encapsulation, by the first layout that fits, or as far as one goes."""
    octets, order = bytes(field.value), ByteOrder(field.value[0])
    tried = [layout.explain(octets, order, start=1) for layout in layouts]
    fields, error = next((each for each in tried if each[1] is None), tried[0])
    yield Explained(field.offset, 1, f"{field.path}.byte_order", "boolean", bool(order))
    behind = 1
    for each in _opened(fields, depth):
        path = f"{field.path}{'' if each.path.startswith('[') else '.'}{each.path}"
        yield Explained(field.offset + each.offset, each.length, path, each.type, each.value)
        behind = max(behind, each.offset + each.length)
    if behind < len(octets):
        reason = "left over" if error is None else error.reason
        yield Explained(field.offset + behind, len(octets) - behind, field.path, "unread", reason)


def _body(said: Said) -> Codec | None:
    """Return the codec of a body that could be read."""
    operation = said.operation
    if isinstance(said.exception, SystemException):
        return SYSTEM_EXCEPTION
    if isinstance(said.exception, UserException):
        return None if operation is None else operation.raised.get(said.exception.repository_id)
    if said.forward is not None:
        return IOR_CODEC
    if operation is None:
        return None
    if said.arguments is not None:
        return operation.arguments
    return operation.results if said.results is not None else None

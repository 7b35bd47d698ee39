"""Faults that write a message anew, which they can where they know what its body is.

What a body is follows from the operation of the request and the interfaces that declare it; CosNaming's are known. Bodies of
system exceptions and forwards are known always. A message whose body is not known passes as it is, and is not counted as struck:
header and body of a GIOP message are in one byte order, so the header alone cannot be turned, unless there is no body.

Source: CORBA 3.3 part 2, clause 9.4.1 (byte order), 9.4.3.2 "Reply Body".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from iiop.cdr import ByteOrder, Codec
from iiop.exceptions import IIOPError
from iiop.giop.messages import EMPTY, SYSTEM_EXCEPTION, Body, Reply, ReplyStatus, Request
from iiop.giop.wire import decode, encode
from iiop.idl import Interface
from iiop.idl.interface import Operation
from iiop.iop import IOR, IOR_CODEC
from iiop_lab.faults.aim import Direction
from iiop_lab.faults.conversation import Lane
from iiop_lab.faults.fault import TO_CLIENT, TO_SERVER, Attachment, MessageFault
from iiop_lab.faults.stream import Sighting
from ior.rewrite import rewritten
from naming.interfaces import BindingIterator, NamingContextExt

__all__ = ["OtherByteOrder", "RewrittenHost"]

Interfaces = tuple[type[Interface], ...]
NAMING: Interfaces = (NamingContextExt, BindingIterator)

_FORWARDS = (ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM)


def _operation(name: str | None, interfaces: Iterable[type[Interface]]) -> Operation | None:
    if name is None:
        return None
    return next((found for found in (each.operations().get(name) for each in interfaces) if found is not None), None)


def _codecs(message: Request | Reply, operation: Operation | None) -> Sequence[Codec]:
    """Return what the body can be, the first that fits."""
    if isinstance(message, Request):
        return () if operation is None else (operation.arguments,)
    if message.reply_status in _FORWARDS:
        return (IOR_CODEC,)
    if message.reply_status is ReplyStatus.SYSTEM_EXCEPTION:
        return (SYSTEM_EXCEPTION,)
    if operation is None:
        return ()
    return tuple(operation.raised.values()) if message.reply_status is ReplyStatus.USER_EXCEPTION else (operation.results,)


def _read(body: Body, codecs: Sequence[Codec]) -> tuple[Codec, Any] | None:
    for each in codecs:
        try:
            return each, body.decode(each)
        except IIOPError:
            continue
    return None


def _again(
    octets: bytes,
    operation: Operation | None,
    lane: Lane,
    change: Callable[[Any], Any],
    order: Callable[[ByteOrder], ByteOrder],
) -> list[bytes] | None:
    """Return a message with its value changed, and in an order; None if that cannot be done, or changes nothing."""
    try:
        message = decode(octets, lane.conversation.limits)
        if not isinstance(message, (Request, Reply)):
            return None
        body = EMPTY
        if len(message.body):
            read = _read(message.body, _codecs(message, operation))
            if read is None:
                return None
            codec, value = read
            body = Body.of(codec, change(value))
        again = encode(dataclasses.replace(message, body=body, byte_order=order(message.byte_order)))
    except IIOPError:
        return None
    return None if again == octets else [again]


@dataclass(frozen=True, slots=True)
class OtherByteOrder(MessageFault):
    """Deliver messages in the byte order that they did not come in, every number of header and body turned.

    A message whose body is not known passes as it is: see the module.

    Attributes:
        interfaces: whose operations are known; CosNaming's are by default.
    """

    directions: ClassVar[tuple[Direction, ...]] = (TO_CLIENT, TO_SERVER)
    knows_request: ClassVar[bool] = True
    interfaces: Interfaces = NAMING

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        name = message.asked.operation
        if lane.direction is TO_SERVER and isinstance(message.message, Request):
            name = message.message.operation
        turned = {ByteOrder.BIG: ByteOrder.LITTLE, ByteOrder.LITTLE: ByteOrder.BIG}
        return _again(octets, _operation(name, self.interfaces), lane, lambda value: value, turned.__getitem__)


@dataclass(frozen=True, slots=True)
class RewrittenHost(MessageFault):
    """Rewrite the address of every reference in a reply, as a NAT that understands IIOP does, or a lab that keeps clients inside.

    References are found in the results of operations that are known, and in forwards; in Anys they are not looked for.

    Attributes:
        host: that is written; None is where clients reach this proxy, host and port.
        port: that is written; None leaves each as it is.
        interfaces: whose operations are known; CosNaming's are by default.
    """

    directions: ClassVar[tuple[Direction, ...]] = (TO_CLIENT,)
    knows_request: ClassVar[bool] = True
    host: str | None = None
    port: int | None = None
    interfaces: Interfaces = NAMING

    def __post_init__(self) -> None:
        if self.port is not None and not 0 <= self.port <= 0xFFFF:
            raise ValueError(f"port={self.port}: must be 0 to 65535")

    def strike(self, octets: bytes, message: Sighting, lane: Lane, attachment: Attachment) -> Sequence[bytes] | None:
        host, port = (self.host, self.port) if self.host is not None else lane.conversation.address

        def moved(value: Any) -> Any:
            if isinstance(value, IOR):
                return rewritten(value, host=host, port=port) if value.profiles else value
            if isinstance(value, tuple):
                return tuple([moved(item) for item in value])
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                members = {member.name: getattr(value, member.name) for member in dataclasses.fields(value) if member.init}
                return dataclasses.replace(value, **{name: moved(member) for name, member in members.items()})
            return value

        return _again(octets, _operation(message.asked.operation, self.interfaces), lane, moved, lambda order: order)

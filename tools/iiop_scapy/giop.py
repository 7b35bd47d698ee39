# SPDX-License-Identifier: GPL-2.0-only
"""The scapy layer `GIOP`: the header of GIOP 1.0 to 1.2, over TCP.

    GIOP(message_type="CancelRequest", request_id=4)
    sniff(session=TCPSession, filter="tcp port 8002", prn=lambda packet: packet.summary())

The header is dissected field by field, so that each can be set to what no ORB would send; the body is left as octets, and the
summary tells what `iiop.giop.wire` makes of them. A segment that does not begin with a header stays `Raw`.

Source: CORBA 3.3 part 2, clause 9.4.1 "GIOP Message Header".
"""

from __future__ import annotations

import struct
from typing import Any, Literal

from scapy.config import conf
from scapy.fields import ByteEnumField, ByteField, ConditionalField, Field, FlagsField, StrFixedLenField
from scapy.layers.inet import TCP
from scapy.packet import Packet, bind_bottom_up, bind_layers

from iiop.exceptions.errors import IIOPError
from iiop.giop.header import HEADER_SIZE, MAGIC
from iiop.giop.messages import Message, MessageType, Request
from iiop.giop.wire import decode
from iiop.limits import DEFAULT_LIMITS

__all__ = ["GIOP", "IIOP_PORTS", "bind_iiop_port"]

IIOP_PORTS = (683, 2809, 8002)
"""IIOP and the Naming Service as IANA has them, and Interstage's CORBA service."""

_ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
_ID_ALWAYS = {MessageType.CancelRequest, MessageType.LocateRequest, MessageType.LocateReply}
_ID_SINCE_1_2 = _ID_ALWAYS | {MessageType.Request, MessageType.Reply, MessageType.Fragment}
_ANSWERS = {MessageType.Reply: MessageType.Request, MessageType.LocateReply: MessageType.LocateRequest}


def _id_comes_first(major: int, minor: int, message_type: int) -> bool:
    return message_type in (_ID_SINCE_1_2 if (major, minor) >= (1, 2) else _ID_ALWAYS)


class _ULongField(Field):  # type: ignore[type-arg]
    """Hold four octets in the byte order that the flags before them tell."""

    def __init__(self, name: str, default: int | None) -> None:
        super().__init__(name, default, "I")

    def addfield(self, pkt: Any, s: bytes, val: int | None) -> bytes:
        return s + struct.pack(_order(pkt) + "I", self.i2m(pkt, val))

    def getfield(self, pkt: Any, s: bytes) -> tuple[bytes, int]:
        return s[4:], struct.unpack(_order(pkt) + "I", s[:4])[0]


def _order(pkt: Any) -> str:
    return "<" if int(pkt.flags) & 1 else ">"


class GIOP(Packet):
    """Show one GIOP message.

    Fields: `magic`, `major`, `minor`, `flags` (bit 0: little-endian, bit 1: more fragments), `message_type`, `message_size`
    (filled in if None), and `request_id` where a message begins with it: in GIOP 1.2 all that have one, before that
    CancelRequest, LocateRequest and LocateReply.
    """

    name = "GIOP"
    fields_desc = [  # noqa: RUF012 - so scapy wants it
        StrFixedLenField("magic", MAGIC, 4),
        ByteField("major", 1),
        ByteField("minor", 2),
        FlagsField("flags", 1, 8, ["little_endian", "more_fragments"]),
        ByteEnumField("message_type", 0, {int(kind): kind.name for kind in MessageType}),
        _ULongField("message_size", None),
        ConditionalField(_ULongField("request_id", 0), lambda pkt: pkt._has_id()),
    ]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kargs: Any) -> type[Packet]:
        """Take octets that do not begin with a whole header for `Raw`."""
        if _pkt is None or (_pkt[:4] == MAGIC and len(_pkt) >= _header_size(_pkt)):
            return cls
        raw: type[Packet] = conf.raw_layer
        return raw

    @classmethod
    def tcp_reassemble(cls, data: bytes, metadata: dict[str, Any], session: dict[str, Any]) -> Packet | None:
        """Wait until a message is whole; octets that begin none are handed out up to the next magic."""
        first = cls._next(bytes(data))
        if first is None:
            return None
        packet, rest = first
        # TCPSession of scapy 2.8 loses count where a segment ends two messages and begins a third, so it is given all at once.
        while rest and "original" in metadata and (more := cls._next(rest)) is not None:
            packet.add_payload(more[0])
            rest = more[1]
        if rest:
            packet.add_payload(conf.padding_layer(rest))
        return packet

    @classmethod
    def _next(cls, data: bytes) -> tuple[Packet, bytes] | None:
        """Cut the first message, or what is none, off a stream; None if it is not whole."""
        end = -1
        if data[:4] != MAGIC[: len(data)]:
            end = data.find(MAGIC)
        elif len(data) < HEADER_SIZE:
            return None
        else:
            size = HEADER_SIZE + int.from_bytes(data[8:12], _ORDERS[data[6] & 1])
            if size <= DEFAULT_LIMITS.message_size:
                return (cls(data[:size]), data[size:]) if len(data) >= size else None
            end = data.find(MAGIC, 4)
        return (conf.raw_layer(data[:end]), data[end:]) if end >= 0 else (conf.raw_layer(data), b"")

    def _has_id(self) -> bool:
        return _id_comes_first(self.major, self.minor, self.message_type) and (
            self.message_size is None or self.message_size >= 4
        )

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the size."""
        if self.message_size is None:
            size = struct.pack(_order(self) + "I", len(pkt) + len(pay) - HEADER_SIZE)
            pkt = pkt[:8] + size + pkt[12:]
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Cut the body off what comes behind the message."""
        size = self.message_size - 4 * self._has_id()
        return s[:size], s[size:]

    def message(self) -> Message | None:
        """Return the message decoded; None if it is a fragment, or no GIOP."""
        try:
            octets = self.do_build()
            return decode(octets if self.message_size is None else octets[: HEADER_SIZE + self.message_size])
        except IIOPError:
            return None

    def _id(self) -> int | None:
        if self._has_id():
            request_id: int = self.request_id
            return request_id
        return getattr(self.message(), "request_id", None)

    def hashret(self) -> bytes:
        """Return the request id, by which questions and answers find each other."""
        request_id = self._id()
        return b"" if request_id is None else struct.pack("!I", request_id)

    def answers(self, other: Packet) -> bool:
        """Tell whether this is the reply to a request."""
        return (
            isinstance(other, GIOP)
            and _ANSWERS.get(self.message_type) == other.message_type
            and self._id() is not None
            and self._id() == other._id()
        )

    def mysummary(self) -> str:
        """Return version, type, request id, operation or status."""
        kind = MessageType(self.message_type).name if self.message_type in list(MessageType) else f"type {self.message_type}"
        words = [f"GIOP {self.major}.{self.minor} {kind}"]
        message = self.message()
        request_id = self._id()
        if request_id is not None:
            words.append(str(request_id))
        if isinstance(message, Request):
            words += [message.operation, "" if message.object_key is None else repr(message.object_key)]
        for status in ("reply_status", "locate_status"):
            if hasattr(message, status):
                words.append(getattr(message, status).name)
        if int(self.flags) & 2:
            words.append("(more fragments)")
        elif message is None and self.message_type != MessageType.Fragment:
            words.append("(malformed)")
        return " ".join(word for word in words if word)


def _header_size(octets: bytes) -> int:
    if len(octets) < HEADER_SIZE:
        return HEADER_SIZE
    size = int.from_bytes(octets[8:12], _ORDERS[octets[6] & 1])
    return HEADER_SIZE + 4 * (size >= 4 and _id_comes_first(octets[4], octets[5], octets[7]))


def bind_iiop_port(port: int) -> None:
    """Have TCP segments from and to a port dissected as GIOP; packets built afterwards go to this one."""
    bind_bottom_up(TCP, GIOP, sport=port)
    bind_bottom_up(TCP, GIOP, dport=port)
    bind_layers(TCP, GIOP, dport=port)


for _port in IIOP_PORTS:
    bind_iiop_port(_port)

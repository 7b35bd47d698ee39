# SPDX-License-Identifier: GPL-2.0-only
"""The scapy layer `GIOP`: the header of GIOP 1.0 to 1.2, over TCP.

    GIOP() / CancelRequestHeader(request_id=4)
    sniff(session=TCPSession, filter="tcp port 8002", prn=lambda packet: packet.summary())

The twelve octets are written out here, though `iiop.giop.header` declares them: scapy binds layers by flat fields, and reads the
byte order off the flags while it dissects the size. A test holds both equal. What follows are layers of `iiop_scapy.headers`;
octets that are laid out otherwise stay `Raw`, as does a segment that does not begin with a header.

Source: CORBA 3.3 part 2, clause 9.4.1 "GIOP Message Header".
"""

from __future__ import annotations

import struct
from typing import Any

from scapy.config import conf
from scapy.fields import ByteEnumField, ByteField, Field, FlagsField, StrFixedLenField
from scapy.layers.inet import TCP
from scapy.packet import Packet, bind_bottom_up, bind_layers, bind_top_down

from iiop.cdr import ByteOrder
from iiop.giop.header import HEADER_SIZE, MAGIC, MORE_FRAGMENTS
from iiop.giop.messages import MessageType
from iiop_scapy import streams
from iiop_scapy.declared import CDRPacket, dissected
from iiop_scapy.headers import HEADERS

__all__ = ["GIOP", "IIOP_PORTS", "bind_iiop_port"]

IIOP_PORTS = (683, 684, 2809, 8002)
"""IIOP, IIOP over TLS (where it is not encrypted) and the Naming Service as IANA has them, and Interstage's CORBA service."""

_ANSWERS = {MessageType.Reply: MessageType.Request, MessageType.LocateReply: MessageType.LocateRequest}


class _ULongField(Field):  # type: ignore[type-arg]
    """Hold four octets in the byte order that the flags before them tell."""

    def __init__(self, name: str, default: int | None) -> None:
        super().__init__(name, default, "I")

    def addfield(self, pkt: Any, s: bytes, val: int | None) -> bytes:
        return s + struct.pack("><"[pkt.cdr_byte_order] + "I", self.i2m(pkt, val))

    def getfield(self, pkt: Any, s: bytes) -> tuple[bytes, int]:
        return s[4:], struct.unpack("><"[pkt.cdr_byte_order] + "I", s[:4])[0]


class GIOP(Packet):
    """Show one GIOP message.

    Fields: `magic`, `major`, `minor`, `flags` (bit 0: little-endian, bit 1: more fragments), `message_type`, and `message_size`,
    filled in if None.
    """

    name = "GIOP"
    cdr_payload_phase = HEADER_SIZE % 8
    fields_desc = [  # noqa: RUF012 - so scapy wants it
        StrFixedLenField("magic", MAGIC, 4),
        ByteField("major", 1),
        ByteField("minor", 2),
        FlagsField("flags", 1, 8, ["little_endian", "more_fragments"]),
        ByteEnumField("message_type", 0, {int(kind): kind.name for kind in MessageType}),
        _ULongField("message_size", None),
    ]

    @property
    def cdr_byte_order(self) -> ByteOrder:
        return ByteOrder(int(self.flags) & 1)

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kargs: Any) -> type[Packet]:
        """Take octets that do not begin with a whole header for `Raw`."""
        if _pkt is None or (_pkt[:4] == MAGIC and len(_pkt) >= HEADER_SIZE):
            return cls
        raw: type[Packet] = conf.raw_layer
        return raw

    @classmethod
    def tcp_reassemble(cls, data: bytes, metadata: dict[str, Any], session: dict[str, Any]) -> Packet | None:
        """Return the messages that are whole; see `iiop_scapy.streams`."""
        return streams.reassemble(cls, bytes(data), metadata, session)

    def dissect_answer(self, request: Packet) -> None:
        """Dissect the results in a Reply, in place, now that the request is known. In a `TCPSession` they are already."""
        if self.answers(request) and self.message_type == MessageType.Reply:
            self.payload.cdr_answer(request.payload.operation)

    def do_dissect_payload(self, s: bytes) -> None:
        layer = self.guess_payload_class(s)
        if s and isinstance(layer, type) and issubclass(layer, CDRPacket):
            self.add_payload(dissected(layer, s, self) or conf.raw_layer(s, _internal=1, _underlayer=self))
        else:
            super().do_dissect_payload(s)

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the size."""
        if self.message_size is None:
            pkt = pkt[:8] + struct.pack("><"[self.cdr_byte_order] + "I", len(pkt) + len(pay) - HEADER_SIZE) + pkt[12:]
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Cut the message off what comes behind it."""
        return s[: self.message_size], s[self.message_size :]

    @property
    def cdr_request_id(self) -> int | None:
        """Return the request id; None where there is none, or it is a `RawVal`."""
        header = self.payload
        if isinstance(header, CDRPacket) and "request_id" in header.default_fields:
            request_id = header.getfieldval("request_id")
            return request_id if isinstance(request_id, int) else None
        return None

    def hashret(self) -> bytes:
        """Return the request id, by which questions and answers find each other."""
        request_id = self.cdr_request_id
        return b"" if request_id is None else struct.pack("!I", request_id)

    def answers(self, other: Packet) -> bool:
        """Tell whether this is the reply to a request."""
        return (
            isinstance(other, GIOP)
            and _ANSWERS.get(self.message_type) == other.message_type
            and self.cdr_request_id is not None
            and self.cdr_request_id == other.cdr_request_id
        )

    def mysummary(self) -> str:
        """Return version, type, request id, operation, object key, status."""
        kind = MessageType(self.message_type).name if self.message_type in list(MessageType) else f"type {self.message_type}"
        words = [f"GIOP {self.major}.{self.minor} {kind}"]
        header = self.payload
        known = header.default_fields if isinstance(header, CDRPacket) else {}
        for name in ("request_id", "operation", "object_key", "target", "reply_status", "locate_status"):
            if name in known:
                words.append(_word(header, name))
        more = int(self.flags) & MORE_FRAGMENTS
        if more:
            words.append("(more fragments)")
        elif not self._is_known():
            words.append("(malformed)")
        return " ".join(word for word in words if word)

    def _is_known(self) -> bool:
        """Tell whether there is a layer behind, where there must be one."""
        must = HEADERS.get(self.message_type, {}).get(self.minor)
        if must is not None:
            return isinstance(self.payload, must)
        return self.message_type == MessageType.Fragment or (self.message_type in list(MessageType) and not self.message_size)


def _word(header: Packet, name: str) -> str:
    """Return a member of a header, short; of a target the key."""
    field, value = header.getfield_and_val(name)
    if isinstance(value, Packet):
        value = value.getfieldval("value")
        return repr(value) if isinstance(value, bytes) else ""
    shown: str = value if isinstance(value, str) else field.i2repr(header, value)
    return shown


def bind_iiop_port(port: int) -> None:
    """Have TCP segments from and to a port dissected as GIOP; packets built afterwards go to this one."""
    bind_bottom_up(TCP, GIOP, sport=port)
    bind_bottom_up(TCP, GIOP, dport=port)
    bind_layers(TCP, GIOP, dport=port)


for _port in IIOP_PORTS:
    bind_iiop_port(_port)
for _kind, _layers in HEADERS.items():
    for _minor, _layer in _layers.items():
        bind_bottom_up(GIOP, _layer, major=1, minor=_minor, message_type=int(_kind))
    for _layer in set(_layers.values()):
        _minors = [minor for minor in _layers if _layers[minor] is _layer]
        bind_top_down(GIOP, _layer, message_type=int(_kind), **({} if 2 in _minors else {"minor": min(_minors)}))

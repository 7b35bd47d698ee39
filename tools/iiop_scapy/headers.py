# SPDX-License-Identifier: GPL-2.0-only
"""The layers behind `GIOP`: the headers of the messages, and which layer their bodies are.

Which operation a Request calls stands in its header, so its body is the arguments of that; which one a Reply answers does not, so
whoever has seen the Request tells. Bodies that are laid out as nothing known are `Raw`.

Source: CORBA 3.3 part 2, clause 9.4.2 to 9.4.9.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from scapy.packet import Raw, bind_top_down

from iiop.cdr import Latin1String, Short, arguments, codec
from iiop.exceptions.errors import DecodeError
from iiop.giop import fragments, messages, v1_0, v1_1, v1_2
from iiop.giop.header import MORE_FRAGMENTS
from iiop.giop.messages import LocateStatus, MessageType, ReplyStatus, ResponseFlags
from iiop_scapy.declared import CDRPacket, dissected, layer_of
from iiop_scapy.references import IOR

__all__ = [
    "ARGUMENTS",
    "AddressingDisposition",
    "CancelRequestHeader",
    "EXCEPTIONS",
    "FragmentHeader_1_2",
    "HEADERS",
    "LocateReplyHeader",
    "LocateRequestHeader_1_0",
    "LocateRequestHeader_1_2",
    "RESULTS",
    "ReplyHeader_1_0",
    "ReplyHeader_1_2",
    "RequestHeader_1_0",
    "RequestHeader_1_1",
    "RequestHeader_1_2",
    "SystemExceptionReplyBody",
    "TargetAddress",
]

Layer = type[CDRPacket]

ARGUMENTS: dict[str, tuple[Layer, ...]] = {}
RESULTS: dict[str, tuple[Layer, ...]] = {}
"""Layers of bodies by operation; of several interfaces that have one of that name, the one told of last first."""
EXCEPTIONS: dict[str, Layer] = {}
"""Layers of user exceptions by repository id."""

_REPOSITORY_ID = codec(Latin1String)

SystemExceptionReplyBody = layer_of(messages.SystemExceptionReplyBody)
TargetAddress = layer_of(messages.TargetAddress)
AddressingDisposition = layer_of(arguments("AddressingDisposition", ("disposition", Annotated[int, Short])))
"""The body of a reply that asks for another form of the target address."""


class _Header(CDRPacket):
    """Begin a message that may have a body.

    Attributes:
        cdr_aligned: the body starts at a multiple of 8; the padding before it is filled in.
    """

    cdr_aligned: ClassVar[bool] = False

    @property
    def cdr_payload_phase(self) -> int:
        return 0 if self.cdr_aligned else super().cdr_payload_phase

    def do_dissect(self, s: bytes) -> bytes:
        rest = super().do_dissect(s)
        if self.cdr_aligned and rest:
            taken = len(s) - len(rest)
            taken += -(self.cdr_phase + taken) % 8
            self.raw_packet_cache = s[:taken]
            rest = s[taken:]
        return rest

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Pad to where the body starts, though it may be in a fragment behind this one."""
        more = int(getattr(self.underlayer, "flags", 0)) & MORE_FRAGMENTS
        if self.cdr_aligned and (pay or more):
            pkt += bytes(-(self.cdr_phase + len(pkt)) % 8)
        return pkt + pay

    def cdr_bodies(self, octets: bytes) -> Iterable[Layer]:
        """Return what a body may be."""
        return ()

    def do_dissect_payload(self, s: bytes) -> None:
        if not self._dissect_body(self.cdr_bodies(s), s):
            super().do_dissect_payload(s)

    def _dissect_body(self, layers: Iterable[Layer], octets: bytes) -> bool:
        """Take the first layer that octets are, to the last of them."""
        for layer in layers if octets else ():
            body = dissected(layer, octets, self)
            if body is not None and not body.payload:
                self.remove_payload()
                self.add_payload(body)
                return True
        return False


class _RequestHeader(_Header):
    """Begin a Request."""

    def cdr_bodies(self, octets: bytes) -> Iterable[Layer]:
        return ARGUMENTS.get(self.operation, ())


class _ReplyHeader(_Header):
    """Begin a Reply."""

    def cdr_bodies(self, octets: bytes) -> Iterable[Layer]:
        match self.reply_status:
            case ReplyStatus.USER_EXCEPTION:
                return self._exceptions(octets)
            case ReplyStatus.SYSTEM_EXCEPTION:
                return (SystemExceptionReplyBody,)
            case ReplyStatus.LOCATION_FORWARD | ReplyStatus.LOCATION_FORWARD_PERM:
                return (IOR,)
            case ReplyStatus.NEEDS_ADDRESSING_MODE:
                return (AddressingDisposition,)
        return ()

    def _exceptions(self, octets: bytes) -> Iterable[Layer]:
        start = self.cdr_payload_phase
        try:
            repository_id, _ = _REPOSITORY_ID.decode_from(bytes(start) + octets, start, self.cdr_byte_order)
        except DecodeError:
            return ()
        return (EXCEPTIONS[repository_id],) if repository_id in EXCEPTIONS else ()

    def cdr_answer(self, operation: str) -> None:
        """Dissect the results, now that it is known of which operation they are."""
        if self.reply_status == ReplyStatus.NO_EXCEPTION and isinstance(self.payload, Raw):
            self._dissect_body(RESULTS.get(operation, ()), self.payload.load)


class _LocateReplyHeader(_Header):
    """Begin a LocateReply; its body follows at once."""

    def cdr_bodies(self, octets: bytes) -> Iterable[Layer]:
        match self.locate_status:
            case LocateStatus.OBJECT_FORWARD | LocateStatus.OBJECT_FORWARD_PERM:
                return (IOR,)
            case LocateStatus.LOC_SYSTEM_EXCEPTION:
                return (SystemExceptionReplyBody,)
            case LocateStatus.LOC_NEEDS_ADDRESSING_MODE:
                return (AddressingDisposition,)
        return ()


class _AlignedRequestHeader(_RequestHeader):
    """Begin a Request of GIOP 1.2."""

    cdr_aligned = True


class _AlignedReplyHeader(_ReplyHeader):
    """Begin a Reply of GIOP 1.2."""

    cdr_aligned = True


RequestHeader_1_0 = layer_of(v1_0.RequestHeader_1_0, _RequestHeader, response_expected=True)
RequestHeader_1_1 = layer_of(v1_1.RequestHeader_1_1, _RequestHeader, response_expected=True)
RequestHeader_1_2 = layer_of(v1_2.RequestHeader_1_2, _AlignedRequestHeader, response_flags=int(ResponseFlags.SYNC_WITH_TARGET))
ReplyHeader_1_0 = layer_of(v1_0.ReplyHeader_1_0, _ReplyHeader)
ReplyHeader_1_2 = layer_of(v1_2.ReplyHeader_1_2, _AlignedReplyHeader)
CancelRequestHeader = layer_of(v1_0.CancelRequestHeader)
LocateRequestHeader_1_0 = layer_of(v1_0.LocateRequestHeader_1_0)
LocateRequestHeader_1_2 = layer_of(v1_2.LocateRequestHeader_1_2)
LocateReplyHeader = layer_of(v1_0.LocateReplyHeader, _LocateReplyHeader)
FragmentHeader_1_2 = layer_of(fragments.FragmentHeader_1_2)

HEADERS: dict[MessageType, dict[int, Layer]] = {
    MessageType.Request: {0: RequestHeader_1_0, 1: RequestHeader_1_1, 2: RequestHeader_1_2},
    MessageType.Reply: {0: ReplyHeader_1_0, 1: ReplyHeader_1_0, 2: ReplyHeader_1_2},
    MessageType.CancelRequest: dict.fromkeys(range(3), CancelRequestHeader),
    MessageType.LocateRequest: {0: LocateRequestHeader_1_0, 1: LocateRequestHeader_1_0, 2: LocateRequestHeader_1_2},
    MessageType.LocateReply: dict.fromkeys(range(3), LocateReplyHeader),
    MessageType.Fragment: {2: FragmentHeader_1_2},
}
"""By message type and minor version; other messages are their header alone, and a Fragment of GIOP 1.1 is followed by data."""

for _reply in (ReplyHeader_1_0, ReplyHeader_1_2):
    bind_top_down(_reply, SystemExceptionReplyBody, reply_status=int(ReplyStatus.SYSTEM_EXCEPTION))
    bind_top_down(_reply, IOR, reply_status=int(ReplyStatus.LOCATION_FORWARD))
    bind_top_down(_reply, AddressingDisposition, reply_status=int(ReplyStatus.NEEDS_ADDRESSING_MODE))
bind_top_down(LocateReplyHeader, SystemExceptionReplyBody, locate_status=int(LocateStatus.LOC_SYSTEM_EXCEPTION))
bind_top_down(LocateReplyHeader, IOR, locate_status=int(LocateStatus.OBJECT_FORWARD))
bind_top_down(LocateReplyHeader, AddressingDisposition, locate_status=int(LocateStatus.LOC_NEEDS_ADDRESSING_MODE))

"""wire.*: the compiled engine against the construct engine, which run the same declaration."""

from __future__ import annotations

from typing import Any

from iiop.cdr import ByteOrder, Codec, constructs
from iiop.cdr.constructs import Input
from iiop.giop import v1_2
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import ReplyStatus, key_address
from iiop.iop import COMPONENTS, IOR, IOR_CODEC, ComponentId, ServiceContext, TaggedComponent
from iiop.profile import AlternateAddress, CodeSetComponent, CodeSetComponentInfo, ORBType, ProfileBody, Version, encode_profile
from tests.bench.harness import Sides, row

ORDER = ByteOrder.LITTLE
DECODING, ENCODING = 1 / 15, 1 / 10

CODE_SETS = ServiceContext(1, bytes.fromhex("010000000100010009010100"))
REQUEST = v1_2.RequestHeader_1_2(
    request_id=42,
    response_flags=3,
    reserved=bytes(3),
    target=key_address(b"\xfeR\x8b\x1c\x65\0\0\0\1\0\0\0\0"),
    operation="resolve",
    service_context=(CODE_SETS, ServiceContext(0x4E454F00, bytes(20))),
)
REPLY = v1_2.ReplyHeader_1_2(42, ReplyStatus.NO_EXCEPTION, (CODE_SETS,))


def reference() -> IOR:
    """Return a reference as servers make them: two profiles, three components each."""
    code_sets = CodeSetComponent(0x00010001, (0x05010001,))
    values = {
        ComponentId.TAG_ORB_TYPE: ORBType(0x41545400),
        ComponentId.TAG_CODE_SETS: CodeSetComponentInfo(code_sets, code_sets),
        ComponentId.TAG_ALTERNATE_IIOP_ADDRESS: AlternateAddress("127.0.0.12", 8002),
    }
    components = tuple(TaggedComponent(tag, COMPONENTS.encode(tag, value)) for tag, value in values.items())
    bodies = [ProfileBody(Version(1, 2), f"host{number}", 8002, b"key", components) for number in (1, 2)]
    return IOR("IDL:TDsample/tdtest:1.0", tuple(encode_profile(body) for body in bodies))


def decoding(codec: Codec, value: Any, start: int) -> Sides:
    out = bytearray(start)
    codec.encode_into(out, value, ORDER)
    octets = bytes(out)
    assert codec.decode(octets, ORDER, start=start) == constructs.parse(codec.type, Input(octets, start=start), ORDER)[0]
    return (
        lambda: codec.decode_from(octets, start, ORDER),
        lambda: constructs.parse(codec.type, Input(octets, start=start), ORDER),
    )


def encoding(codec: Codec, value: Any, start: int) -> Sides:
    lead = bytes(start)

    def compiled() -> bytearray:
        out = bytearray(lead)
        codec.encode_into(out, value, ORDER)
        return out

    assert compiled()[start:] == constructs.build(codec.type, value, ORDER, start)
    return compiled, lambda: constructs.build(codec.type, value, ORDER, start)


@row("wire.decode_request", target=DECODING)
def decode_request() -> Sides:
    """decode a Request header of GIOP 1.2 with two service contexts: compiled engine, construct engine"""
    return decoding(v1_2.REQUEST, REQUEST, HEADER_SIZE)


@row("wire.encode_request", target=ENCODING)
def encode_request() -> Sides:
    """encode a Request header of GIOP 1.2 with two service contexts: compiled engine, construct engine"""
    return encoding(v1_2.REQUEST, REQUEST, HEADER_SIZE)


@row("wire.decode_reply", target=DECODING)
def decode_reply() -> Sides:
    """decode a Reply header of GIOP 1.2 with one service context: compiled engine, construct engine"""
    return decoding(v1_2.REPLY, REPLY, HEADER_SIZE)


@row("wire.decode_ior", target=DECODING)
def decode_ior() -> Sides:
    """decode a reference with two profiles: compiled engine, construct engine"""
    return decoding(IOR_CODEC, reference(), 0)


@row("wire.encode_ior", target=ENCODING)
def encode_ior() -> Sides:
    """encode a reference with two profiles: compiled engine, construct engine"""
    return encoding(IOR_CODEC, reference(), 0)

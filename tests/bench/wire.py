"""wire.*: the compiled engine against the construct engine, which runs the same declaration; against omniORBpy, which is C++;
and, for values of 10 MB, against copying so many octets.
"""

from __future__ import annotations

import enum
import tempfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy

from iiop.cdr import (
    ByteOrder,
    CDRType,
    Char,
    Codec,
    Double,
    Float,
    Long,
    LongLong,
    Octet,
    OctetSequence,
    OctetSequenceType,
    Sequence,
    Short,
    ULong,
    UShort,
    codec,
    constructs,
)
from iiop.cdr.source import Input
from iiop.giop import v1_2
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import ReplyStatus, key_address
from iiop.iop import COMPONENTS, IOR, IOR_CODEC, ComponentId, ServiceContext, TaggedComponent
from iiop.limits import Limits
from iiop.profile import AlternateAddress, CodeSetComponent, CodeSetComponentInfo, ORBType, ProfileBody, Version, encode_profile
from tests.bench.harness import SelfTimed, Sides, row
from tests.peers import OmniClient, omniidl_stubs

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


# --- user's types -----------------------------------------------------------------------------------------------------

IDL = """
module Bench {
  enum Tint { red, green, blue };
  struct Reading {
    long id; short level; boolean valid; char unit; octet flags; string name;
    float factor; double value; long long at; unsigned short port; unsigned long total; Tint colour;
  };
  typedef sequence<Reading> Readings;
  typedef sequence<long> Longs;
};
"""


class Tint(enum.IntEnum):
    red = 0
    green = 1
    blue = 2


@dataclass(frozen=True, slots=True)
class Reading:
    id: Annotated[int, Long]
    level: Annotated[int, Short]
    valid: bool
    unit: Annotated[str, Char]
    flags: Annotated[int, Octet]
    name: str
    factor: Annotated[float, Float]
    value: Annotated[float, Double]
    at: Annotated[int, LongLong]
    port: Annotated[int, UShort]
    total: Annotated[int, ULong]
    colour: Tint


def reading(number: int) -> Reading:
    name = f"sensor-{number:04}"
    return Reading(number, -7, number % 3 > 0, "K", 0x1F, name, 0.5, number / 8, 1 << 40, 8002, number * 3, Tint(number % 3))


READING, READINGS = codec(Reading), codec(tuple[Reading, ...])
ONE, THOUSAND = reading(1), tuple(map(reading, range(1000)))
LONGS = tuple(range(-50_000, 50_000))
LONGS_ARRAY = Codec(Sequence(Long, buffer="array"))


@row("wire.decode_struct12", target=DECODING)
def decode_struct12() -> Sides:
    """decode a struct of 12 mixed members: compiled engine, construct engine"""
    return decoding(READING, ONE, 0)


@row("wire.encode_struct12", target=ENCODING)
def encode_struct12() -> Sides:
    """encode a struct of 12 mixed members: compiled engine, construct engine"""
    return encoding(READING, ONE, 0)


@row("wire.decode_sequence1000", target=DECODING)
def decode_sequence1000() -> Sides:
    """decode a sequence of 1,000 structs of 12 mixed members: compiled engine, construct engine"""
    return decoding(READINGS, THOUSAND, 0)


@row("wire.encode_sequence1000", target=ENCODING)
def encode_sequence1000() -> Sides:
    """encode a sequence of 1,000 structs of 12 mixed members: compiled engine, construct engine"""
    return encoding(READINGS, THOUSAND, 0)


def omniorb_rows(name: str, what: str, ours: Codec, value: Any, typecode: str, target: float | None) -> None:
    """Register two rows: omniORBpy reads and writes the same octets."""

    def make(marshal: bool) -> Iterator[Sides]:
        octets = ours.encode(value, ORDER)
        with tempfile.TemporaryDirectory() as folder, OmniClient() as client:
            client.load(omniidl_stubs(IDL, Path(folder)), "Bench")
            kept = client.command("cdr", typecode=f"Bench.{typecode}", octets=octets, little=ORDER == ByteOrder.LITTLE)

            def peer(count: int) -> float:
                seconds: float = client.command("time_cdr", ref=kept.number, marshal=marshal, count=count)
                return seconds

            yield (lambda: ours.encode(value, ORDER)) if marshal else (lambda: ours.decode(octets, ORDER)), SelfTimed(peer)

    def decode() -> Iterator[Sides]:
        yield from make(False)

    def encode() -> Iterator[Sides]:
        yield from make(True)

    decode.__doc__ = f"decode {what}: compiled engine, cdrUnmarshal of omniORBpy"
    encode.__doc__ = f"encode {what}: compiled engine, cdrMarshal of omniORBpy"
    row(f"wire.omniorb_decode_{name}", target=target)(decode)
    row(f"wire.omniorb_encode_{name}", target=target)(encode)


omniorb_rows("struct12", "a struct of 12 mixed members", READING, ONE, "_tc_Reading", None)
omniorb_rows("sequence1000", "a sequence of 1,000 structs", READINGS, THOUSAND, "_tc_Readings", 1.0)
omniorb_rows("longs", "100,000 longs as a tuple", Codec(Sequence(Long)), LONGS, "_tc_Longs", 1.0)
omniorb_rows("longs_array", "100,000 longs as array.array", LONGS_ARRAY, array("i", LONGS), "_tc_Longs", 1.0)


# --- large data -------------------------------------------------------------------------------------------------------

LARGE = 10_000_000
LARGE_LIMITS = Limits(sequence_length=LARGE)
NATIVE = ByteOrder.LITTLE if array("H", [1]).tobytes()[0] else ByteOrder.BIG
SWAPPED = ByteOrder(1 - NATIVE)
COPYING = 2.0


def memcpy_row(name: str, what: str, make: Callable[[bytes], Callable[[], object]]) -> None:
    """Register a row whose other side copies 10 MB; `make` gets these octets."""

    def sides() -> Sides:
        octets = bytes(range(250)) * (LARGE // 250)
        view = memoryview(octets)
        return make(octets), lambda: bytes(view)

    sides.__doc__ = f"{what}: compiled engine, a copy of the octets"
    row(f"wire.memcpy_{name}", unit="ms", target=COPYING)(sides)


def large_decoding(declared: CDRType, count: int, size: int, order: ByteOrder) -> Callable[[bytes], Callable[[], object]]:
    def make(octets: bytes) -> Callable[[], object]:
        whole = count.to_bytes(4, "little" if order else "big") + bytes(-4 % size) + octets
        it = Codec(declared)
        assert len(it.decode(whole, order, limits=LARGE_LIMITS)) == count
        return lambda: it.decode(whole, order, limits=LARGE_LIMITS)

    return make


def large_encoding(declared: CDRType, value: Callable[[bytes], Any], order: ByteOrder) -> Callable[[bytes], Callable[[], object]]:
    def make(octets: bytes) -> Callable[[], object]:
        it, given = Codec(declared), value(octets)

        def encode() -> bytearray:
            out = bytearray()
            it.encode_into(out, given, order)
            return out

        assert len(encode()) >= LARGE
        return encode

    return make


def _memcpy_rows() -> None:
    values: dict[str, Callable[[bytes], Any]] = {"array": lambda octets: array("d", octets), "numpy": numpy.frombuffer}
    for kind, value in values.items():
        declared = Sequence(Double, buffer="numpy" if kind == "numpy" else "array")
        for word, order in (("native", NATIVE), ("swapped", SWAPPED)):
            what = f"10 MB of doubles as {kind}, {word} byte order"
            decode, encode = large_decoding(declared, LARGE // 8, 8, order), large_encoding(declared, value, order)
            memcpy_row(f"doubles_decode_{kind}_{word}", f"decode {what}", decode)
            memcpy_row(f"doubles_encode_{kind}_{word}", f"encode {what}", encode)
    memcpy_row("octets_decode", "decode 10 MB of octets as bytes", large_decoding(OctetSequence, LARGE, 1, ORDER))
    view = OctetSequenceType(view=True)
    memcpy_row("octets_decode_view", "decode 10 MB of octets as memoryview", large_decoding(view, LARGE, 1, ORDER))
    memcpy_row("octets_encode", "encode 10 MB of octets", large_encoding(OctetSequence, bytes, ORDER))
    memcpy_row("octets_encode_view", "encode 10 MB of octets from a memoryview", large_encoding(view, memoryview, ORDER))


_memcpy_rows()

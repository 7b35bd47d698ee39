"""What each leniency lets pass, and what refuses it without."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder, Codec, Double, Encapsulation, ULong, codec
from iiop.cdr.types import Sequence
from iiop.endpoints import endpoints
from iiop.exceptions.errors import DecodeError
from iiop.giop.messages import GIOP_1_0, GIOP_1_2, Body, CancelRequest, Request, key_address
from iiop.giop.wire import decode, encode
from iiop.iop import IOR as RawIOR  # noqa: N811
from iiop.iop import ComponentId, TaggedComponent, TaggedProfile
from iiop.leniency import DEFAULT, LENIENT, STRICT, Leniency
from iiop.limits import Limits
from iiop.profile import ProfileBody, Version, decode_profile, encode_profile
from iiop_fuzz import strategies as iiop_st
from iiop_tools import iortool
from ior import IOR, IORBuilder
from tests.property.test_engines_agree import same

LITTLE = ByteOrder.LITTLE


@dataclass(frozen=True, slots=True)
class Sample:
    """Declare a bit of everything that ORBs write in ways of their own."""

    flag: bool
    number: Annotated[int, ULong]
    text: str
    inside: Annotated[int, Encapsulation(ULong)]


SAMPLE = codec(Sample)
VALUE = Sample(True, 7, "", 9)
CLEAN = bytes.fromhex("01000000000000070000000100000000000000080000000000000009")
SHAPES: dict[Leniency, tuple[bytes, str, int]] = {
    Leniency.OMNIORB_PADDING: (CLEAN.replace(bytes.fromhex("01000000"), b"\x01\xcd\xcd\xcd", 1), "number", 1),
    Leniency.JDK_BYTE_ORDER: (CLEAN[:20] + bytes.fromhex("0100000009000000"), "inside", 20),
    Leniency.JACORB_NULL_STRING: (CLEAN[:8] + bytes(4) + CLEAN[16:], "text", 12),
    Leniency.JACORB_LAX_BOOLEAN: (b"\xff" + CLEAN[1:], "flag", 0),
    Leniency.OMNIORB_GARBAGE_AT_END: (CLEAN + b"!", "", 28),
}
ALL = [(leniency, *shape) for leniency, shape in SHAPES.items()]


def limits(leniency: Leniency) -> Limits:
    return Limits(leniency=leniency)


@pytest.mark.parametrize(
    ("leniency", "octets", "path", "offset"), ALL, ids=lambda it: it.name if isinstance(it, Leniency) else ""
)
def test_each_leniency_and_no_other_lets_its_shape_pass(leniency: Leniency, octets: bytes, path: str, offset: int) -> None:
    assert SAMPLE.decode(octets, limits=limits(leniency)) == VALUE
    assert SAMPLE.decode(octets, limits=limits(LENIENT)) == VALUE
    for others in (STRICT, LENIENT & ~leniency):
        with pytest.raises(DecodeError) as refused:
            SAMPLE.decode(octets, limits=limits(others))
        assert (refused.value.path, refused.value.offset) == (path, offset)
    if leniency in DEFAULT:
        assert SAMPLE.decode(octets) == VALUE
    else:
        with pytest.raises(DecodeError):
            SAMPLE.decode(octets)


def test_what_is_clean_is_read_by_all() -> None:
    assert SAMPLE.encode(VALUE) == CLEAN
    for preset in (STRICT, DEFAULT, LENIENT):
        assert SAMPLE.decode(CLEAN, limits=limits(preset)) == VALUE


def test_presets_let_more_and_more_pass() -> None:
    assert STRICT in DEFAULT
    assert DEFAULT in LENIENT
    assert {leniency for leniency in Leniency if leniency in LENIENT} == set(Leniency)


@given(st.data(), iiop_st.cdr_types(), iiop_st.byte_orders())
def test_what_we_write_is_strict(data: st.DataObject, declared: Any, order: ByteOrder) -> None:
    value = data.draw(iiop_st.cdr_values(declared))
    given_codec = Codec(declared)
    octets = given_codec.encode(value, order)
    assert given_codec.decode(octets, order, limits=limits(STRICT)) == given_codec.decode(octets, order)


@given(st.binary(max_size=64), iiop_st.cdr_types(), iiop_st.byte_orders(), st.sampled_from([STRICT, LENIENT]))
def test_more_leniency_never_reads_less(octets: bytes, declared: Any, order: ByteOrder, preset: Leniency) -> None:
    """Whatever a narrower preset reads, a wider one reads alike."""
    narrow, wide = (STRICT, DEFAULT) if preset is STRICT else (DEFAULT, LENIENT)
    try:
        value, end = Codec(declared).decode_from(octets, 0, order, limits(narrow))
    except DecodeError:
        return
    again, position = Codec(declared).decode_from(octets, 0, order, limits(wide))
    assert same((again, position), (value, end))


def test_padding_before_a_buffer_of_numbers() -> None:
    doubles = Codec(Sequence(Double, buffer="array"))
    octets = bytes.fromhex("00000001000000ff3ff0000000000000")
    assert list(doubles.decode(octets)) == [1.0]
    with pytest.raises(DecodeError, match="padding that is not zero"):
        doubles.decode(octets, limits=limits(STRICT))


# --- profiles and references -------------------------------------------------------------------------------------------

BODY_1_0 = encode_profile(ProfileBody(Version(1, 0), "host", 1, b"key")).profile_data


def test_components_in_1_0() -> None:
    with_components = BODY_1_0 + bytes(-len(BODY_1_0) % 4) + bytes(4)
    assert decode_profile(with_components).host == "host"
    with pytest.raises(DecodeError, match="left over"):
        decode_profile(with_components, limits=limits(STRICT))
    assert decode_profile(BODY_1_0, limits=limits(STRICT)).host == "host"


def test_a_reference_is_judged_strictly_from_its_outside_to_its_components() -> None:
    clean = IORBuilder("IDL:a:1.0").iiop("host", 1, key=b"key").code_sets().build()
    assert clean.problems(limits(STRICT)) == ()
    octets = clean.to_octets()
    outside = IOR.from_octets(octets[:1] + b"\xbd" + octets[2:])
    assert [(str(error.path), error.offset) for error in outside.problems(limits(STRICT))] == [("type_id.length", 1)]
    assert outside.problems() == ()
    profile = clean.profiles[0]
    assert profile.profile_data[13] == 0  # padding behind "host"
    inside = replace(clean, profiles=(replace_data(profile, 13, 0x20),))
    (error,) = inside.problems(limits(STRICT))
    assert str(error.path).startswith("profiles[0].")
    assert "padding" in str(error)
    other = replace(clean, byte_order=LITTLE)
    (error,) = other.problems(limits(STRICT))
    assert (error.path, "BIG where LITTLE is around it" in str(error)) == ("profiles[0].byte_order", True)


def replace_data(profile: Any, at: int, octet: int) -> Any:
    data = bytearray(profile.profile_data)
    data[at] = octet
    return type(profile)(profile.tag, bytes(data))


def test_a_reference_read_leniently_can_be_used() -> None:
    clean = IORBuilder("IDL:a:1.0").iiop("host", 1, key=b"key", version=(1, 1)).build()
    data = clean.profiles[0].profile_data + b"garbage"
    text = str(replace(clean, profiles=(type(clean.profiles[0])(0, data),)))
    with pytest.raises(DecodeError, match="left over"):
        IOR.from_string(text).profiles[0].host  # noqa: B018
    lenient = IOR.from_string(text, limits=limits(LENIENT))
    assert lenient.profiles[0].host == "host"
    assert lenient.problems() == ()
    assert len(lenient.problems(limits(STRICT))) == 1
    assert str(lenient) == text


def test_what_is_broken_is_found_behind_what_was_let_pass() -> None:
    broken = TaggedComponent(ComponentId.TAG_CODE_SETS, b"\0")
    sound = encode_profile(ProfileBody(Version(1, 2), "h", 1, b"k", (broken,))).profile_data
    profile = sound[:4] + bytes(4) + sound[10:12] + bytes(2) + sound[12:]  # a host of length 0
    octets = bytes(8) + codec(tuple[TaggedProfile, ...]).encode((TaggedProfile(0, profile),))  # a type id of length 0
    (error,) = IOR.from_octets(octets, limits=limits(LENIENT)).problems()
    assert str(error.path).startswith("profiles[0].components[0].")
    assert error.offset == len(octets) + 3  # where an unsigned long behind the octet would be


def test_iortool_takes_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    clean = IORBuilder("IDL:a:1.0").iiop("host", 1, key=b"key").build()
    octets = clean.to_octets()
    text = "IOR:" + (octets[:1] + b"\xbd" + octets[2:]).hex()
    for preset, status in (("strict", 1), ("default", 0), ("lenient", 0)):
        assert iortool.main(["decode", "--json", "--preset", preset, text]) == status
        row = json.loads(capsys.readouterr().out)
        assert [error["path"] for error in row["errors"]] == (["type_id.length"] if status else [])
    assert iortool.main(["decode", "--preset", "sloppy", text]) == 2


# --- messages ----------------------------------------------------------------------------------------------------------


def test_padding_between_header_and_body() -> None:
    octets = bytearray(
        encode(Request(1, "op", key_address(b"key"), body=Body.of(codec(Annotated[int, ULong]), 1), version=GIOP_1_2))
    )
    start = decode(bytes(octets)).body.start  # type: ignore[union-attr]
    octets[start - 1] = 0xFF
    assert decode(bytes(octets))
    with pytest.raises(DecodeError, match="padding that is not zero"):
        decode(bytes(octets), limits(STRICT))


def test_garbage_behind_a_message() -> None:
    octets = bytearray(encode(CancelRequest(7, GIOP_1_0)) + b"garbage!")
    octets[8:12] = (len(octets) - 12).to_bytes(4, "little" if octets[6] & 1 else "big")
    with pytest.raises(DecodeError, match="left over"):
        decode(bytes(octets))
    assert decode(bytes(octets), limits(LENIENT)) == CancelRequest(7, GIOP_1_0)


def test_a_client_that_is_lenient_finds_the_address_in_a_broken_profile() -> None:
    body = ProfileBody(Version(1, 1), "host", 7, b"key")
    reference = RawIOR("IDL:a:1.0", (TaggedProfile(0, encode_profile(body).profile_data + b"garbage"),))
    assert endpoints(reference) == ()
    (found,) = endpoints(reference, limits(LENIENT))
    assert (found.host, found.port) == ("host", 7)

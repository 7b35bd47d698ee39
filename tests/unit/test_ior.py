"""References read from text: kept octet for octet, looked into, changed; and what is refused, where."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Annotated

import pytest

from iiop import iop
from iiop.cdr import ByteOrder, ULong
from iiop.exceptions.errors import DecodeError, EncodeError, LimitExceeded, ReferenceFormatError, TruncatedError
from iiop.iop import COMPONENTS, ComponentId, ProfileId, TaggedComponent, TaggedProfile
from iiop.limits import Limits
from iiop.profile import AlternateAddress, CodeSetComponentInfo, ORBType, ProfileBody, Version, encode_profile
from ior import IOR, Component, IIOPProfile, IORBuilder, UnknownProfile, register_component

NIL = "IOR:00000000000000010000000000000000"
# Erlang pads with 0x03 behind the byte order octet; hex letters of both cases.
PADDED = "IOR:000303030000000d49444c3a746573743a312e30000303030000000100000000000000120001000000000002" + "4100000aA00000000142"


def built() -> IOR:
    return IORBuilder("IDL:a:1.0").iiop("vhost", 8002, key=b"key").code_sets().alternate("host2", 8003).build()


def test_text_comes_back_octet_for_octet() -> None:
    ior = IOR.from_string(PADDED)
    assert str(ior) == PADDED
    assert ior.to_octets() == bytes.fromhex(PADDED[4:])
    assert (ior.type_id, len(ior.profiles)) == ("IDL:test:1.0", 1)


@pytest.mark.parametrize("prefix", ["IOR:", "ior:", "Ior:"])
@pytest.mark.parametrize("digits", [NIL[4:], str(built())[4:].upper()])
@pytest.mark.parametrize("around", ["{}", "  {}", "{}\r\n", "\t{} \n"])
def test_prefix_letters_and_white_space_around(prefix: str, digits: str, around: str) -> None:
    text = prefix + digits
    assert str(IOR.from_string(around.format(text))) == text


def test_a_change_is_printed() -> None:
    ior = IOR.from_string(PADDED)
    changed = dataclasses.replace(ior, type_id="IDL:other:1.0")
    assert changed != ior
    again = IOR.from_string(str(changed))
    assert again == changed
    assert again.type_id == "IDL:other:1.0"
    assert again.profiles == ior.profiles
    assert b"\x03\x03\x03" not in changed.to_octets()


def test_a_change_keeps_the_byte_order() -> None:
    ior = IOR.from_string(str(IORBuilder("IDL:a:1.0", byte_order=ByteOrder.LITTLE).iiop("h", key=b"k").build()))
    changed = dataclasses.replace(ior, type_id="IDL:b:1.0")
    assert changed.to_octets()[0] == ior.profiles[0].profile_data[0] == 1
    assert changed.to_octets(ByteOrder.BIG)[0] == 0


def test_source_is_no_part_of_equality() -> None:
    text = str(built())
    one, other = IOR.from_string(text), IOR.from_string(text.upper().replace("IOR:", "ior:"))
    assert one == other == built()
    assert hash(one) == hash(other)
    assert str(one) != str(other)


def test_copies_keep_the_text() -> None:
    ior = IOR.from_string(PADDED)
    for twin in (copy.copy(ior), copy.deepcopy(ior), pickle.loads(pickle.dumps(ior))):
        assert twin == ior
        assert str(twin) == PADDED


def test_a_reference_with_a_broken_profile_can_be_copied() -> None:
    ior = IOR("", (IIOPProfile(0, b"\0\1\2\0\xff\xff\xff\xff"),))
    assert isinstance(ior.profiles[0].error, LimitExceeded)
    assert copy.deepcopy(ior) == pickle.loads(pickle.dumps(ior)) == ior


def test_profile_is_typed() -> None:
    ior = IOR.from_string(str(built()))
    profile = ior.profiles[0]
    assert isinstance(profile, IIOPProfile)
    assert (profile.host, profile.port, profile.object_key, profile.version) == ("vhost", 8002, b"key", Version(1, 2))
    assert [item.name for item in profile.components] == ["TAG_CODE_SETS", "TAG_ALTERNATE_IIOP_ADDRESS"]
    sets, alternate = (item.value for item in profile.components)
    assert isinstance(sets, CodeSetComponentInfo)
    assert alternate == AlternateAddress("host2", 8003)
    assert [str(item) for item in ior.endpoints()] == ["vhost:8002", "host2:8003"]


def test_constructor_takes_raw_profiles() -> None:
    raw = encode_profile(ProfileBody(Version(1, 0), "h", 1, b"k"))
    assert isinstance(raw, TaggedProfile)
    ior = IOR("", (raw,))  # type: ignore[arg-type]
    assert ior.profiles[0].host == "h"


def test_to_and_from_iop() -> None:
    raw = built().to_iop()
    assert type(raw) is iop.IOR
    assert {type(profile) for profile in raw.profiles} == {TaggedProfile}
    assert IOR.from_iop(raw) == built()
    ior = built()
    assert IOR.from_iop(ior) is ior
    assert iop.IOR_CODEC.encode(ior) == iop.IOR_CODEC.encode(raw)


def test_broken_profile_leaves_the_rest_usable() -> None:
    good = built().profiles[0]
    broken = TaggedProfile(ProfileId.TAG_INTERNET_IOP, b"\0\1\2\0\0\0\0\x05h")
    ior = IOR.from_string(str(IORBuilder("IDL:a:1.0").profile(broken.tag, broken.profile_data).iiop("h", key=b"").build()))
    assert ior.profiles[0].profile_data == broken.profile_data
    error = ior.profiles[0].error
    assert isinstance(error, TruncatedError)
    assert (error.path, error.offset) == ("host", 8)
    with pytest.raises(TruncatedError, match="string needs 5 octets"):
        _ = ior.profiles[0].host
    with pytest.raises(TruncatedError):
        _ = ior.profiles[0].components
    assert ior.profiles[1].host == "h"
    assert [str(item) for item in ior.endpoints()] == ["h:8002"]
    assert good.error is None


def test_problems_say_where_in_the_whole_reference() -> None:
    ior = (
        IORBuilder("IDL:a:1.0")
        .iiop("h", key=b"k")
        .component(ComponentId.TAG_CODE_SETS, b"\0\1")
        .component(ComponentId.TAG_ORB_TYPE, bytes.fromhex("00000000464a0000"))
        .component(ComponentId.TAG_ALTERNATE_IIOP_ADDRESS, b"\0\0\0\0\0\0\0\x02h\0")
        .profile(0, b"\7")
        .profile(1, b"\0\0\0\0\0\0\0\1\0\0\0\x03\0\0\0\x02\0\0")
        .build()
    )
    octets = ior.to_octets()
    found = {error.path: error.offset for error in ior.problems()}
    assert found == {
        "profiles[0].components[0].for_char_data.native_code_set": octets.index(bytes.fromhex("00000001000000020001")) + 12,
        "profiles[0].components[2].port": octets.rindex(b"\x02h\0") + 3,
        "profiles[1].byte_order": octets.index(b"\0\0\0\1\7") + 4,
        "profiles[2].components[0].host.length": octets.index(bytes.fromhex("00000003000000020000")) + 12,
    }
    assert ior.profiles[0].components[0].value == b"\0\1"
    assert ior.profiles[0].components[1].value == ORBType(0x464A0000)


def test_octets_left_over_are_kept_and_told() -> None:
    text = str(built()) + "dead"
    ior = IOR.from_string(text)
    assert ior.trailing == b"\xde\xad"
    assert str(ior) == text
    assert ior != built()
    assert ior.to_octets(ByteOrder.BIG) == built().to_octets() + b"\xde\xad"
    (problem,) = ior.problems()
    assert (problem.path, problem.offset) == ("trailing", len(built().to_octets()))


def test_components_of_a_multiple_component_profile() -> None:
    octets = bytes.fromhex("00000000 00000001 00000000 00000008 00000000 54414f00".replace(" ", ""))
    profile = IOR("", (UnknownProfile(1, octets),)).profiles[0]
    assert profile.name == "TAG_MULTIPLE_COMPONENTS"
    assert [item.value for item in profile.components] == [ORBType(0x54414F00)]
    with pytest.raises(DecodeError, match="TAG_MULTIPLE_COMPONENTS has no host"):
        _ = profile.host


def test_unknown_profile_is_octets() -> None:
    ior = IOR.from_string(str(IORBuilder().profile(2, b"anything").build()))
    profile = ior.profiles[0]
    assert isinstance(profile, UnknownProfile)
    assert (profile.value, profile.components, profile.error, profile.name) == (b"anything", (), None, "TAG_SCCP_IOP")
    assert ior.endpoints() == ()
    assert ior.problems() == ()


def test_profile_replace() -> None:
    profile = built().profiles[0]
    assert isinstance(profile, IIOPProfile)
    moved = profile.replace(host="10.0.0.1", port=1)
    assert (moved.host, moved.port, moved.object_key) == ("10.0.0.1", 1, b"key")
    assert moved.components == profile.components
    assert profile.replace() == profile
    with pytest.raises(EncodeError, match=r"1\.0 has no place for components"):
        profile.replace(version=Version(1, 0))
    assert profile.replace(version=Version(1, 0), components=()).version == Version(1, 0)
    with pytest.raises(EncodeError, match="port"):
        profile.replace(port=65536)


def test_registered_component_is_typed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Marker:
        number: Annotated[int, ULong]

    ior = IORBuilder().iiop("h", key=b"").component(0x12345678, b"\0\0\0\0\0\0\0\7").build()
    component = ior.profiles[0].components[0]
    assert component.value == b"\0\0\0\0\0\0\0\7"
    monkeypatch.setattr(COMPONENTS, "_codecs", dict(COMPONENTS._codecs))
    register_component(0x12345678, Marker)
    assert component.value == Marker(7)
    assert Component(0x12345678, b"\0").value == b"\0"
    assert Component(0x12345678, b"\0").error is not None
    assert isinstance(component, TaggedComponent)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 0, "begins with 'IOR:'"),
        ("  ", 2, "begins with 'IOR:'"),
        ("IOR", 0, "begins with 'IOR:'"),
        ("corbaloc::h/k", 0, "parse_object_url"),
        ("IOR:", 4, "no hexadecimal digits"),
        (" IOR: \n", 5, "no hexadecimal digits"),
        ("IOR:000", 7, "odd number of hexadecimal digits"),
        (" IOR:0 ", 6, "odd number of hexadecimal digits"),
        ("IOR:00g0", 6, "'g' among"),
        (" IOR:00\n00", 7, "white space among"),
        ("IOR:00٣٣", 6, "'٣' among"),
        ("IOR:0x00", 5, "'x' among"),
        ("IOR:00\ud800", 6, "among"),
    ],
)
def test_text_that_is_no_reference(text: str, position: int, reason: str) -> None:
    with pytest.raises(ReferenceFormatError, match=reason) as caught:
        IOR.from_string(text)
    assert caught.value.position == position
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("octets", "path", "offset"),
    [
        ("02", "byte_order", 0),
        ("00", "type_id.length", 4),
        ("00000000000000", "type_id.length", 4),
        ("0000000000000000", "type_id", 8),
        ("000000000000000161", "type_id", 8),
        ("000000000000000100000000", "profiles.length", 12),
        ("00000000000000010000000000000001", "profiles", 16),
        ("000000000000000100000000000000010000000000000005", "profiles[0].profile_data", 24),
    ],
)
def test_octets_that_are_no_reference(octets: str, path: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        IOR.from_string("IOR:" + octets)
    assert (caught.value.path, caught.value.offset) == (path, offset)


def test_no_octets() -> None:
    with pytest.raises(DecodeError, match="at least its byte order"):
        IOR.from_octets(b"")


def test_limits() -> None:
    with pytest.raises(LimitExceeded, match="string_length"):
        IOR.from_string(str(built()), limits=Limits(string_length=4))


def test_nil() -> None:
    ior = IOR.from_string(NIL)
    assert ior.is_nil
    assert (ior.type_id, ior.profiles, ior.endpoints(), ior.problems()) == ("", (), (), ())
    assert IOR("", ()) == ior

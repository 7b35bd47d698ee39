"""References built in a line, and what the builder refuses."""

from __future__ import annotations

import pytest

from iiop.cdr import ByteOrder
from iiop.exceptions.errors import EncodeError
from iiop.iop import ComponentId
from iiop.profile import AlternateAddress, CodeSetComponent, CodeSetComponentInfo, ORBType, Version
from ior import IOR, IORBuilder


def test_defaults() -> None:
    profile = IORBuilder("IDL:TDsample/tdtest:1.0").iiop("vhost", key=b"k").build().profiles[0]
    assert (profile.host, profile.port, profile.version, profile.components) == ("vhost", 8002, Version(1, 2), ())


def test_default_code_sets() -> None:
    profile = IORBuilder().iiop("h", key=b"").code_sets().build().profiles[0]
    assert profile.components[0].value == CodeSetComponentInfo(
        CodeSetComponent(0x00010001, (0x05010001,)), CodeSetComponent(0x00010109, ())
    )


@pytest.mark.parametrize("byte_order", list(ByteOrder))
def test_components_go_to_the_last_profile(byte_order: ByteOrder) -> None:
    ior = (
        IORBuilder("IDL:a:1.0", byte_order=byte_order)
        .iiop("one", 1, key=b"1", version=(1, 0))
        .iiop("two", 2, key=b"2", version=Version(1, 1))
        .orb_type(0x464A0000)
        .iiop("three", 3, key=b"3")
        .code_sets(0x00030010, wchar_conversions=(0x00010100,))
        .alternate("four", 4)
        .component(99, b"raw")
        .component(ComponentId.TAG_ALTERNATE_IIOP_ADDRESS, AlternateAddress("five", 5))
        .build()
    )
    assert [str(item) for item in ior.endpoints()] == ["one:1", "two:2", "three:3", "four:4", "five:5"]
    assert [len(profile.components) for profile in ior.profiles] == [0, 1, 4]
    assert ior.profiles[1].components[0].value == ORBType(0x464A0000)
    assert ior.profiles[2].components[2].component_data == b"raw"
    assert ior.to_octets()[0] == ior.profiles[0].profile_data[0] == byte_order
    assert ior.profiles[1].components[0].component_data[0] == byte_order
    assert IOR.from_string(str(ior)) == ior


def test_nothing_is_nil() -> None:
    assert IORBuilder().build().is_nil
    assert str(IORBuilder().build()) == "IOR:00000000000000010000000000000000"


def test_a_builder_can_build_again() -> None:
    builder = IORBuilder().iiop("h", key=b"k")
    first = builder.build()
    second = builder.alternate("h2").build()
    assert first == IORBuilder().iiop("h", key=b"k").build()
    assert len(second.endpoints()) == 2


def test_raw_profile() -> None:
    ior = IORBuilder().profile(0x54414F04, b"\0").iiop("h", key=b"").build()
    assert [profile.tag for profile in ior.profiles] == [0x54414F04, 0]


def test_components_need_iiop_1_1() -> None:
    with pytest.raises(EncodeError, match=r"1\.0 has no place for components: use version=\(1, 1\)") as caught:
        IORBuilder().iiop("a", key=b"").iiop("h", key=b"", version=(1, 0)).code_sets()
    assert caught.value.path == "profiles[1].components"


def test_components_need_a_profile() -> None:
    with pytest.raises(EncodeError, match="call iiop"):
        IORBuilder().orb_type(1)


def test_components_do_not_go_into_raw_profiles() -> None:
    with pytest.raises(EncodeError, match="is octets"):
        IORBuilder().profile(0, b"").orb_type(1)


def test_typed_component_needs_a_registered_tag() -> None:
    with pytest.raises(EncodeError, match="nobody has registered what component 0x63 holds"):
        IORBuilder().iiop("h", key=b"").component(99, 7)


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        (IORBuilder("caf\u20ac"), "type_id"),
        (IORBuilder("a\0b"), "type_id"),
        (IORBuilder().iiop("h\0", key=b""), "profiles[0].host"),
        (IORBuilder().iiop("h", key=b"").iiop("h", 65536, key=b""), "profiles[1].port"),
        (IORBuilder().iiop("h", -1, key=b""), "profiles[0].port"),
        (IORBuilder().iiop("h", key=b"", version=(1, 256)), "profiles[0].iiop_version.minor"),
        (IORBuilder().iiop("h", key="key"), "profiles[0].object_key"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit(broken: IORBuilder, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        broken.build()
    assert caught.value.path == path


def test_what_does_not_fit_in_a_component() -> None:
    with pytest.raises(EncodeError) as caught:
        IORBuilder().iiop("h", key=b"").orb_type(-1)
    assert caught.value.path == "profiles[0].components[0].orb_type"


def test_version_2() -> None:
    with pytest.raises(EncodeError, match=r"2\.0 is not 1\.x"):
        IORBuilder().iiop("h", key=b"", version=(2, 0))

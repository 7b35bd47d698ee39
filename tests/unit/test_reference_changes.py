"""What differs between two references, and references that are moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iiop import iop
from iiop.cdr import ByteOrder
from iiop.components import (
    SSL,
    TLS_SEC_TRANS,
    AS_ContextSec,
    AssociationOptions,
    CompoundSecMech,
    CompoundSecMechList,
    SAS_ContextSec,
    TAOEndpoint,
    TAOEndpoints,
    TransportAddress,
)
from iiop.exceptions import EncodeError, ReferenceFormatError
from iiop.iop import COMPONENTS, TaggedComponent, TaggedProfile
from iiop.leniency import STRICT
from iiop.limits import Limits
from iiop_fuzz import strategies as st
from ior import IOR, IORBuilder
from ior.addresses import stated
from ior.compare import Aspect, changes_between
from ior.rewrite import read_address_map, reordered, rewritten, with_key, with_type_id


def thing(
    type_id: str = "IDL:T:1.0", host: str = "h", port: int = 1, key: bytes = b"k", version: tuple[int, int] = (1, 2)
) -> IORBuilder:
    return IORBuilder(type_id).iiop(host, port, key=key, version=version)


def told(a: IORBuilder, b: IORBuilder, *ignore: str) -> list[tuple[str, str, str]]:
    return [(change.aspect, change.a, change.b) for change in changes_between(a.build(), b.build(), set(ignore))]


@pytest.mark.parametrize(
    ("other", "change"),
    [
        (thing("IDL:U:1.0"), ("type_id", "'IDL:T:1.0'", "'IDL:U:1.0'")),
        (thing(host="i"), ("host", "h", "i")),
        (thing(port=65535), ("port", "1", "65535")),
        (thing(key=b"\0k"), ("key", "k", "0x006b")),
        (thing(version=(1, 1)), ("version", "1.2", "1.1")),
        (thing().orb_type(0x54414F00), ("components", "none", "TAG_ORB_TYPE (0) TAO (0x54414f00)")),
        (thing().iiop("h", 2, key=b"k"), ("profiles", "none", "TAG_INTERNET_IOP (0) h:2")),
    ],
)
def test_each_aspect_is_told_and_can_be_ignored(other: IORBuilder, change: tuple[str, str, str]) -> None:
    assert told(thing(), other) == [change]
    assert told(other, thing()) == [(change[0], change[2], change[1])]
    assert told(thing(), other, change[0]) == []
    assert told(thing(), other, *(set(Aspect) - {change[0]})) == [change]


def by_field(a: IORBuilder, b: IORBuilder) -> list[tuple[str, str, str]]:
    """Return what differs, by path; other way round the same is told."""
    there, back = changes_between(a.build(), b.build()), changes_between(b.build(), a.build())
    assert sorted((it.aspect, it.a, it.b) for it in there) == sorted((it.aspect, it.b, it.a) for it in back)
    return [(it.path, it.a, it.b) for it in there]


IN_COMPONENTS = "profiles[0].components"
ALTERNATE = "TAG_ALTERNATE_IIOP_ADDRESS"


def test_components_are_compared_member_by_member() -> None:
    old = thing().orb_type(0x464A0000).code_sets(char_conversions=(1, 0x20000)).alternate("x", 7)
    old.component(20, SSL(AssociationOptions.NoProtection, AssociationOptions.NoProtection, 8003))
    new = thing().orb_type(0x54414F00).code_sets(0x05010001, char_conversions=()).alternate("x", 8)
    new.component(20, SSL(AssociationOptions.NoProtection, AssociationOptions.Integrity, 8004))
    assert by_field(old, new) == [
        (f"{IN_COMPONENTS}[TAG_ORB_TYPE].orb_type", "Fujitsu (0x464a0000)", "TAO (0x54414f00)"),
        (
            f"{IN_COMPONENTS}[TAG_CODE_SETS].for_char_data.native_code_set",
            "ISO-8859-1 (0x00010001)",
            "UTF-8 (0x05010001)",
        ),
        (f"{IN_COMPONENTS}[TAG_CODE_SETS].for_char_data.conversion_code_sets", "1, 0x00020000", "none"),
        (f"{IN_COMPONENTS}[{ALTERNATE}].port", "7", "8"),
        (f"{IN_COMPONENTS}[TAG_SSL_SEC_TRANS].target_requires", "NoProtection (1)", "Integrity (2)"),
        (f"{IN_COMPONENTS}[TAG_SSL_SEC_TRANS].port", "8003", "8004"),
    ]


def test_components_that_only_one_has_are_named() -> None:
    old = thing().alternate("x").alternate("y").alternate("z").component(99, b"abc")
    assert by_field(old, thing().alternate("y").alternate("Z").component(99, b"abd").orb_type(0)) == [
        (f"{IN_COMPONENTS}[{ALTERNATE}].host", "x", "Z"),
        (f"{IN_COMPONENTS}[{ALTERNATE} 3]", f"{ALTERNATE} (3) z:8002", "none"),
        (f"{IN_COMPONENTS}[0x63]", "0x63 616263 (3 octets)", "0x63 616264 (3 octets)"),
        (f"{IN_COMPONENTS}[TAG_ORB_TYPE]", "none", "TAG_ORB_TYPE (0) unknown (0x00000000)"),
        (
            IN_COMPONENTS,
            f"{ALTERNATE} (3) x:8002, {ALTERNATE} (3) y:8002, 0x63 616263 (3 octets)",
            f"{ALTERNATE} (3) y:8002, {ALTERNATE} (3) Z:8002, 0x63 616264 (3 octets)",
        ),
    ]


def test_what_is_inside_others_is_compared_member_by_member() -> None:
    def secured(*addresses: tuple[str, int]) -> IORBuilder:
        transport = TLS_SEC_TRANS(6, 6, tuple([TransportAddress(*each) for each in addresses]))
        inner = TaggedComponent(36, COMPONENTS.encode(36, transport))
        mechanism = CompoundSecMech(6, inner, AS_ContextSec(0, 0, b"", b""), SAS_ContextSec(0, 0, (), (), 0))
        return thing().component(33, CompoundSecMechList(False, (mechanism,)))

    where = f"{IN_COMPONENTS}[TAG_CSI_SEC_MECH_LIST].mechanism_list[0].transport_mech[TAG_TLS_SEC_TRANS].addresses"
    assert by_field(secured(("h", 1), ("i", 2)), secured(("h", 3))) == [
        (f"{where}[0].port", "1", "3"),
        (f"{where}[1]", "i:2", "none"),
    ]


def test_profiles_are_laid_side_by_side() -> None:
    def profiles(*ports: int) -> IORBuilder:
        builder = IORBuilder("IDL:T:1.0")
        for port in ports:
            builder.iiop("h", port, key=b"k")
        return builder

    def text(*ports: int) -> str:
        return ", ".join(f"TAG_INTERNET_IOP (0) h:{port}" for port in ports)

    assert by_field(profiles(1, 2, 3), profiles(2, 3)) == [("profiles[0]", text(1), "none")]
    assert by_field(profiles(1, 2), profiles(9, 1, 2)) == [("profiles[0]", "none", text(9))]
    assert by_field(profiles(1, 2, 3), profiles(1, 5, 3)) == [("profiles[1].port", "2", "5")]
    assert by_field(profiles(1, 2), profiles(2, 1)) == [("profiles", text(1, 2), text(2, 1))]


def test_components_of_other_profiles_are_compared_too() -> None:
    def multiple(number: int) -> IORBuilder:
        component = bytes.fromhex(f"00000000 00000001 00000000 00000008 00000000 {number:08x}")
        return IORBuilder().profile(1, component)

    path = "profiles[0].components[TAG_ORB_TYPE].orb_type"
    assert by_field(multiple(0x464A0000), multiple(7)) == [(path, "Fujitsu (0x464a0000)", "7")]


def test_byte_order_and_padding_do_not_count() -> None:
    both = [IORBuilder("IDL:T:1.0", byte_order=order).iiop("h", 1, key=b"k").code_sets() for order in ByteOrder]
    big, little = (each.build() for each in both)
    assert big.profiles != little.profiles
    assert changes_between(big, little) == ()


def test_profiles_that_cannot_be_read_are_compared_whole() -> None:
    a, b = (iop.IOR("", (TaggedProfile(tag, octets),)) for tag, octets in ((0, b"\0\1"), (99, b"\0\2")))
    assert [(it.path, it.a, it.b) for it in changes_between(a, b)] == [
        ("profiles[0]", "TAG_INTERNET_IOP (0) 0001 (2 octets)", "none"),
        ("profiles[0]", "none", "0x63 0002 (2 octets)"),
    ]
    (change,) = changes_between(a, iop.IOR("", (TaggedProfile(0, b"\0\2"),)))
    assert (change.path, change.a, change.b) == ("profiles[0]", *(f"TAG_INTERNET_IOP (0) 000{n} (2 octets)" for n in (1, 2)))
    assert changes_between(a, a) == ()


@given(st.iors(), st.iors())
def test_references_are_the_same_or_something_is_told(a: iop.IOR, b: iop.IOR) -> None:
    there, back = changes_between(a, b), changes_between(b, a)
    assert sorted((it.aspect, it.a, it.b) for it in there) == sorted((it.aspect, it.b, it.a) for it in back)
    assert changes_between(a, a) == ()
    assert changes_between(a, b, set(Aspect)) == ()


# --- moved -------------------------------------------------------------------------------------------------------------


def test_every_profile_and_alternate_is_moved_and_nothing_else() -> None:
    old = thing().code_sets().alternate("x", 7).iiop("::1", 9, key=b"other", version=(1, 0)).profile(99, b"h").build()
    new = IOR.from_iop(rewritten(old, host="vhost"))
    assert [str(endpoint) for endpoint in new.endpoints()] == ["vhost:1", "vhost:7", "vhost:9"]
    assert {it.aspect for it in changes_between(old, new)} == {"host", "components"}
    assert new.profiles[2] == old.profiles[2]
    both = IOR.from_iop(rewritten(old, host="vhost", port=8002))
    assert [str(endpoint) for endpoint in both.endpoints()] == ["vhost:8002", "vhost:8002"]
    assert [endpoint.object_key for endpoint in both.endpoints()] == [b"k", b"other"]


def test_the_same_alternate_is_kept_once() -> None:
    old = thing().alternate("x", 7).alternate("y", 7).orb_type(1).build()
    assert len(IOR.from_iop(rewritten(old, host="vhost")).profiles[0].components) == 2


@given(st.iors())
def test_moving_nowhere_or_twice_changes_nothing(reference: iop.IOR) -> None:
    assert rewritten(reference) == reference
    moved = rewritten(reference, host="vhost", port=8002)
    assert rewritten(moved, host="vhost", port=8002) == moved
    assert moved.type_id == reference.type_id
    assert len(moved.profiles) == len(reference.profiles)


@given(st.iors(), some.sampled_from(["a\0b", "\ud800"]))
def test_a_host_that_cannot_be_written_is_refused(reference: iop.IOR, host: str) -> None:
    if IOR.from_iop(reference).endpoints():
        with pytest.raises(EncodeError):
            rewritten(reference, host=host)


# --- every address -------------------------------------------------------------------------------------------------------

TLS = TLS_SEC_TRANS(64, 64, (TransportAddress("10.0.0.5", 8003), TransportAddress("10.0.0.6", 8003)))
NO_AS, NO_SAS = AS_ContextSec(0, 0, b"", b""), SAS_ContextSec(0, 0, (), (), 0)


def secured(order: ByteOrder = ByteOrder.BIG) -> IOR:
    transport = TaggedComponent(36, COMPONENTS.encode(36, TLS, order))
    mechanisms = CompoundSecMechList(False, (CompoundSecMech(64, transport, NO_AS, NO_SAS),))
    builder = IORBuilder("IDL:T:1.0", byte_order=order).iiop("10.0.0.5", 8002, key=b"k").alternate("10.0.0.6", 8002)
    return (
        builder.tls(8004)
        .component(33, mechanisms)
        .component(0x54414F02, TAOEndpoints((TAOEndpoint("10.0.0.5", 8002, -1),)))
        .build()
    )


def places(reference: iop.IOR) -> list[tuple[str, str, str, int]]:
    return [(each.path.removeprefix("profiles[0]"), each.kind.value, each.host, each.port) for each in stated(reference)]


@pytest.mark.parametrize("order", list(ByteOrder))
def test_addresses_of_security_are_moved_too(order: ByteOrder) -> None:
    old = secured(order)
    transport = ".components[2].mechanism_list[0].transport_mech.addresses"
    assert places(old) == [
        ("", "profile", "10.0.0.5", 8002),
        (".components[0]", "alternate", "10.0.0.6", 8002),
        (".components[1]", "secure", "10.0.0.5", 8004),
        (f"{transport}[0]", "secure", "10.0.0.5", 8003),
        (f"{transport}[1]", "secure", "10.0.0.6", 8003),
        (".components[3].endpoints[0]", "alternate", "10.0.0.5", 8002),
    ]
    new = rewritten(old, host="vhost", port=18002)
    assert [place[2:] for place in places(new)] == [
        ("vhost", 18002),
        ("vhost", 18002),
        ("vhost", 8004),
        ("vhost", 8003),
        ("vhost", 8003),
        ("vhost", 18002),
    ]
    assert [place[3] for place in places(rewritten(old, tls_port=443)) if place[1] == "secure"] == [443, 443, 443]
    assert new.byte_order is order
    assert new.problems(Limits(leniency=STRICT)) == ()
    assert rewritten(new, host="10.0.0.5", port=8002).to_octets()[:1] == bytes([order])


def test_network_address_translation_takes_the_nearest_rule() -> None:
    translate = read_address_map(["# outside", "10.0.0.5:8003=203.0.113.7:18003", "10.0.0.5 203.0.113.8", ":8002=:18002"])
    assert [place[2:] for place in places(rewritten(secured(), address_map=translate))] == [
        ("203.0.113.8", 8002),
        ("10.0.0.6", 18002),
        ("203.0.113.8", 8004),
        ("203.0.113.7", 18003),
        ("10.0.0.6", 8003),
        ("203.0.113.8", 8002),
    ]
    assert read_address_map(["[::1]:1=[fe80::2]:2", "Node=N2"])("::1", 1) == ("fe80::2", 2)
    assert read_address_map(["Node=N2"])("nODE", 7) == ("N2", 7)


@pytest.mark.parametrize("line", ["a", "a=b=c", "a:1=b", "a=b:1", ":1=a:2", "a:65536=b:1", "a:x=b:1", "[::1=a", ":=:"])
def test_a_map_that_says_nothing_is_refused(line: str) -> None:
    with pytest.raises(ReferenceFormatError):
        read_address_map([line])


def test_port_0_beside_tls_stays() -> None:
    old = thing(port=0).tls(8003, required=True).build()
    assert [place[3] for place in places(rewritten(old, port=8002))] == [0, 8003]
    assert [place[3] for place in places(rewritten(thing(port=0).build(), port=8002))] == [8002]


def test_a_reference_that_is_not_moved_keeps_its_octets() -> None:
    for row in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines():
        ior = IOR.from_string(json.loads(row)["ior"])
        assert str(rewritten(ior)) == str(ior)
        assert not any(place[2] != "vhost" for place in places(rewritten(ior, host="vhost")))


def test_key_type_and_order() -> None:
    old = thing().iiop("second", key=b"k").profile(99, b"\0").build()
    assert [profile.object_key for profile in with_key(old, b"new\0").profiles[:2]] == [b"new\0"] * 2
    assert with_type_id(old, "IDL:U:1.0").type_id == "IDL:U:1.0"
    assert reordered(old, [2, 1]).profiles == (old.profiles[2], old.profiles[1], old.profiles[0])
    for numbers in ([3], [0, 0], [-1]):
        with pytest.raises(ReferenceFormatError, match="1 to 3"):
            reordered(old, numbers)

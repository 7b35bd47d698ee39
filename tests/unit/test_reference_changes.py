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
    TLS_SEC_TRANS,
    AS_ContextSec,
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
        (thing().iiop("h", 2, key=b"k"), ("profiles", "1", "2")),
    ],
)
def test_each_aspect_is_told_and_can_be_ignored(other: IORBuilder, change: tuple[str, str, str]) -> None:
    assert told(thing(), other) == [change]
    assert told(other, thing()) == [(change[0], change[2], change[1])]
    assert told(thing(), other, change[0]) == []
    assert told(thing(), other, *(set(Aspect) - {change[0]})) == [change]


def test_only_components_that_differ_are_told() -> None:
    a, b = thing().code_sets().alternate("x"), thing().code_sets().alternate("y")
    assert told(a, b) == [
        ("components", "TAG_ALTERNATE_IIOP_ADDRESS (3) x:8002", "TAG_ALTERNATE_IIOP_ADDRESS (3) y:8002"),
    ]


def test_byte_order_and_padding_do_not_count() -> None:
    big, little = (IORBuilder("IDL:T:1.0", byte_order=order).iiop("h", 1, key=b"k").build() for order in ByteOrder)
    assert big.profiles != little.profiles
    assert changes_between(big, little) == ()


def test_profiles_that_cannot_be_read_are_compared_whole() -> None:
    a, b = (iop.IOR("", (TaggedProfile(tag, octets),)) for tag, octets in ((0, b"\0\1"), (99, b"\0\2")))
    (change,) = changes_between(a, b)
    assert (change.aspect, change.profile, change.b) == ("profiles", 0, "0x63 0002")
    assert changes_between(a, a) == ()


@given(st.iors(), st.iors())
def test_references_are_the_same_or_something_is_told(a: iop.IOR, b: iop.IOR) -> None:
    there, back = changes_between(a, b), changes_between(b, a)
    assert [(it.aspect, it.a, it.b) for it in there] == [(it.aspect, it.b, it.a) for it in back]
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

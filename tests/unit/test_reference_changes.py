"""What differs between two references, and references that are moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iiop import iop
from iiop.cdr import ByteOrder
from iiop.exceptions import EncodeError
from iiop.iop import TaggedProfile
from iiop_fuzz import strategies as st
from ior import IOR, IORBuilder
from ior.compare import Aspect, changes_between
from ior.rewrite import rewritten


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

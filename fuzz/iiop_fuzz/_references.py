"""References: object keys, components, profiles, IORs."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop.iop import COMPONENTS, IOR, ComponentId, ProfileId, TaggedComponent, TaggedProfile
from iiop.profile import (
    AlternateAddress,
    CodeSetComponent,
    CodeSetComponentInfo,
    ORBType,
    ProfileBody,
    Version,
    encode_profile,
)
from iiop_fuzz._cdr import byte_orders, strings
from ior.reference import IOR as Reference  # noqa: N811

__all__ = ["iors", "object_keys", "references", "tagged_components", "tagged_profiles"]

ULONGS = st.integers(0, 0xFFFFFFFF)
PORTS = st.just(8002) | st.integers(0, 0xFFFF)
HOSTS = st.sampled_from(["", "vhost", "127.0.0.1", "::1", "host.example.com"]) | strings()


def object_keys() -> SearchStrategy[bytes]:
    """Draw an object key: readable ones, those of a POA, and any octets; may be empty."""
    readable = st.sampled_from([b"", b"NameService", b"INIT", b"\xfeR\x8b\x1c\x65\x00\x00\x00\x01\x00\x00\x00\x00", b"a\0b"])
    return readable | st.binary(max_size=64)


def tagged_components() -> SearchStrategy[TaggedComponent]:
    """Draw a component: typed ones, unknown ones, and known tags with octets that are not what they should be."""
    code_sets = st.builds(CodeSetComponent, ULONGS, st.lists(ULONGS, max_size=4).map(tuple))
    typed = st.one_of(
        st.tuples(st.just(ComponentId.TAG_ORB_TYPE), st.builds(ORBType, ULONGS)),
        st.tuples(st.just(ComponentId.TAG_CODE_SETS), st.builds(CodeSetComponentInfo, code_sets, code_sets)),
        st.tuples(st.just(ComponentId.TAG_ALTERNATE_IIOP_ADDRESS), st.builds(AlternateAddress, HOSTS, PORTS)),
    )
    known = st.builds(lambda it, order: TaggedComponent(int(it[0]), COMPONENTS.encode(it[0], it[1], order)), typed, byte_orders())
    tags = st.sampled_from([int(tag) for tag in ComponentId]) | ULONGS
    return known | st.builds(TaggedComponent, tags, st.binary(max_size=32))


def tagged_profiles() -> SearchStrategy[TaggedProfile]:
    """Draw a profile: IIOP 1.0, 1.1 and 1.2 in either byte order, unknown tags, and IIOP profiles of arbitrary octets."""
    components = st.lists(tagged_components(), max_size=4).map(tuple)
    bodies = st.one_of(
        st.builds(ProfileBody, st.just(Version(1, 0)), HOSTS, PORTS, object_keys()),
        st.builds(ProfileBody, st.builds(Version, st.just(1), st.integers(1, 2)), HOSTS, PORTS, object_keys(), components),
    )
    iiop = st.builds(encode_profile, bodies, byte_orders()).map(lambda it: TaggedProfile(int(it.tag), it.profile_data))
    tags = st.sampled_from([int(tag) for tag in ProfileId]) | ULONGS
    return iiop | st.builds(TaggedProfile, tags, st.binary(max_size=32))


def iors() -> SearchStrategy[IOR]:
    """Draw a reference; shrinks to nil."""
    type_ids = st.sampled_from(["", "IDL:TDsample/tdtest:1.0", "IDL:omg.org/CosNaming/NamingContextExt:1.0"]) | strings()
    return st.builds(IOR, type_ids, st.lists(tagged_profiles(), max_size=3).map(tuple))


def references() -> SearchStrategy[Reference]:
    """Draw a reference as `ior` has it, whose profiles can be looked into, in either byte order."""
    return st.builds(lambda it, order: Reference(it.type_id, it.profiles, byte_order=order), iors(), byte_orders())

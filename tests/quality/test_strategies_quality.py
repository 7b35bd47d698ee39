"""Hard cases do come up: what a strategy never draws, it proves nothing about."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from iiop.cdr import ByteOrder
from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.fixed import Fixed
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, Body, LocateReply, Reply, Request, TargetAddress
from iiop.iop import COMPONENTS, IOR, PROFILES, SERVICE_CONTEXTS, ServiceContext, TaggedComponent, TaggedProfile
from iiop.profile import Version
from iiop_fuzz import strategies as iiop_st
from iiop_fuzz._cdr import RECURSIVE
from ior import IOR as Reference  # noqa: N811
from ior import Address, Corbaloc, Corbaname
from naming.types import NameComponent

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

T = TypeVar("T")
K = TCKind
DRAWS = 10_000
"""The rarest case comes up about once in 250 draws, so that missing it is no matter of luck; draws end when all came up."""
BOUNDED = settings(
    max_examples=DRAWS,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def never_drawn(strategy: st.SearchStrategy[T], conditions: dict[str, Callable[[T], object]]) -> set[str]:
    """Return the names of the conditions that a bounded number of draws does not meet; stops when all are met."""
    missing = dict(conditions)

    class AllMet(Exception):
        pass

    @BOUNDED
    @given(strategy)
    def draw(value: T) -> None:
        for name in [name for name, condition in missing.items() if condition(value)]:
            del missing[name]
        if not missing:
            raise AllMet

    with contextlib.suppress(AllMet):
        draw()
    return set(missing)


def parts(typecode: TypeCode) -> Iterator[TypeCode]:
    yield typecode
    for part in (typecode.content, typecode.discriminator, *[member.type for member in typecode.members]):
        if part is not None:
            yield from parts(part)


def kinds(typecode: TypeCode) -> set[TCKind]:
    return {part.kind for part in parts(typecode)}


def anys_in(value: Any) -> Iterator[CORBAAny]:
    """Yield an Any and those inside it, found by their attributes and elements."""
    if isinstance(value, CORBAAny):
        yield value
        yield from anys_in(value.value)
    elif isinstance(value, tuple):
        for element in value:
            yield from anys_in(element)
    else:
        for name in getattr(type(value), "__slots__", ()):
            yield from anys_in(getattr(value, name))


def any_depth(value: CORBAAny) -> int:
    return 1 + max([any_depth(inner) for inner in anys_in(value.value)], default=0)


def nests(value: Any, depth: int) -> bool:
    """Tell whether a Tree or Chain holds others so deep."""
    if depth == 0:
        return True
    inside = getattr(value, "children", None) or (getattr(value, "next", None),)
    return any(nests(item, depth - 1) for item in inside if item is not None)


SPOKEN = set(TCKind) - {K.tk_native, K.tk_local_interface}


def test_typecodes_of_every_kind() -> None:
    assert not never_drawn(iiop_st.typecodes(), {kind.name: lambda it, kind=kind: kind in kinds(it) for kind in TCKind})


def test_anys_of_every_kind_that_is_spoken() -> None:
    assert not never_drawn(iiop_st.anys(), {kind.name: lambda it, kind=kind: kind in kinds(it.type) for kind in SPOKEN})


TYPECODES = iiop_st.typecodes()
ANYS = iiop_st.anys()
REQUESTS = iiop_st.requests()
REQUESTS_1_2 = iiop_st.requests(versions=st.just(GIOP_1_2))
FRAGMENTED = iiop_st.fragmented()
IORS = iiop_st.iors()
REFERENCES = iiop_st.references()
NAMES = iiop_st.names()
CORBALOCS = iiop_st.corbalocs()
CORBANAMES = iiop_st.corbanames()
CDR_TYPES = iiop_st.cdr_types()

CASES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], object]]] = {
    "a type further out is mentioned": (TYPECODES, lambda it: any(part.level > 0 for part in parts(it))),
    "types three deep": (
        TYPECODES,
        lambda it: any(inner.content or inner.members for part in parts(it) for inner in parts(part) if inner is not part),
    ),
    "a struct without a name": (TYPECODES, lambda it: any(part.kind is K.tk_struct and part.name == "" for part in parts(it))),
    "a repository id of no IDL": (TYPECODES, lambda it: it.repository_id.startswith("RMI:")),
    "members of the same name": (
        TYPECODES,
        lambda it: len({member.name for member in it.members}) < len(it.members),
    ),
    "a union with a default": (TYPECODES, lambda it: any(part.default_index >= 0 for part in parts(it))),
    "an empty enum": (TYPECODES, lambda it: any(part.kind is K.tk_enum and not part.members for part in parts(it))),
    "an Any in an Any": (ANYS, lambda it: any_depth(it) == 2),
    "an Any in an Any in an Any": (ANYS, lambda it: any_depth(it) == 3),
    "a recursive value": (
        ANYS,
        lambda it: K.tk_indirection in kinds(it.type) and it.type.kind is K.tk_struct and any(_tuples(it.value)),
    ),
    "an exception in an Any": (ANYS, lambda it: it.type.kind is K.tk_except and it.type.members),
    "a fixed of 31 digits": (ANYS, lambda it: any(part.digits == 31 for part in parts(it.type))),
    "a fixed of an even number of digits": (iiop_st.fixed_types(), lambda it: it.digits % 2 == 0),
    "a fixed among the declared types": (CDR_TYPES, lambda it: isinstance(it, Fixed)),
    "recursive dataclasses": (CDR_TYPES, lambda it: isinstance(it, t.Struct) and it.cls in RECURSIVE),
    "trees three deep": (iiop_st.cdr_values(cdr_type(RECURSIVE[0])), lambda it: nests(it, 2)),
    "chains of three": (iiop_st.cdr_values(cdr_type(RECURSIVE[1])), lambda it: nests(it, 3)),
    "a body that is misaligned": (iiop_st.messages(versions=st.just(GIOP_1_0)), lambda it: _header_end(it) % 8 and len(it.body)),
    "a body of 1.2": (REQUESTS_1_2, lambda it: len(it.body) % 8),
    "an empty operation": (REQUESTS, lambda it: it.operation == ""),
    "a oneway": (REQUESTS, lambda it: not it.response_expected),
    "a oneway of 1.2": (REQUESTS_1_2, lambda it: it.response_flags == 0),
    "a oneway with sync": (REQUESTS_1_2, lambda it: it.response_flags == 1),
    "a twoway of 1.2": (REQUESTS_1_2, lambda it: it.response_flags == 3),
    "a target by profile": (REQUESTS, lambda it: it.target.discriminator == 1),
    "a target by reference": (REQUESTS, lambda it: it.target.discriminator == 2),
    "an unknown reply status": (iiop_st.replies(), lambda it: it.reply_status > 5),
    "an unknown locate status": (iiop_st.locate_replies(), lambda it: it.locate_status > 5),
    "three fragments": (FRAGMENTED, lambda it: len(it[1]) >= 3),
    "an empty fragment": (FRAGMENTED, lambda it: any(len(piece) <= HEADER_SIZE + 4 for piece in it[1][1:])),
    "an empty last fragment": (FRAGMENTED, lambda it: len(it[1]) > 1 and len(it[1][-1]) <= HEADER_SIZE + 4),
    "fragments of 1.1": (FRAGMENTED, lambda it: it[0].version == GIOP_1_1 and len(it[1]) > 1),
    "an unknown service context": (iiop_st.service_contexts(), lambda it: it.context_id not in SERVICE_CONTEXTS),
    "a nil reference": (IORS, lambda it: it.is_nil),
    "a reference of three profiles": (IORS, lambda it: len(it.profiles) == 3),
    "an unknown profile": (iiop_st.tagged_profiles(), lambda it: it.tag not in PROFILES and it.tag > 3),
    "an unknown component": (iiop_st.tagged_components(), lambda it: it.tag not in COMPONENTS),
    "an object key of no octets": (iiop_st.object_keys(), lambda it: it == b""),
    "a broken profile of a reference": (REFERENCES, lambda it: it.problems()),
    "a little-endian reference": (REFERENCES, lambda it: it.byte_order is ByteOrder.LITTLE),
    "the empty name component": (NAMES, lambda it: NameComponent("", "") in it),
    "a kind without an id": (NAMES, lambda it: any(part.kind and not part.id for part in it)),
    "a name full of escapes": (iiop_st.stringified_names(), lambda it: it.count("\\") >= 4),
    "a name without components": (iiop_st.names(min_size=0), lambda it: it == ()),
    "rir": (CORBALOCS, lambda it: it.is_rir),
    "an IPv6 address": (CORBALOCS, lambda it: any(":" in address.host for address in it.addresses)),
    "a protocol unknown here": (CORBALOCS, lambda it: any(address.text for address in it.addresses)),
    "three addresses": (CORBALOCS, lambda it: len(it.addresses) == 3),
    "a name beyond ASCII": (CORBANAMES, lambda it: not it.name.isascii()),
    "a corbaname without a name": (CORBANAMES, lambda it: not it.name),
    "port 0": (iiop_st.addresses(), lambda it: it.protocol == "iiop" and it.port == 0),
}


def _tuples(value: Any) -> Iterator[bool]:
    for name in getattr(type(value), "__slots__", ()):
        member = getattr(value, name)
        yield isinstance(member, tuple) and len(member) > 0


def _header_end(message: Any) -> int:
    """Return where the body of a Request or Reply begins, and a multiple of 8 for what has none."""
    from iiop.giop.wire import decode, encode

    if not isinstance(message, Request | Reply | LocateReply):
        return 0
    read = decode(encode(message))
    assert isinstance(read, Request | Reply | LocateReply)
    return read.body.start


@pytest.mark.parametrize("strategy", dict.fromkeys(strategy for strategy, _ in CASES.values()), ids=lambda it: repr(it)[:40])
def test_hard_cases(strategy: st.SearchStrategy[Any]) -> None:
    assert not never_drawn(strategy, {name: condition for name, (of, condition) in CASES.items() if of is strategy})


# --- shrinking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "least"),
    [
        (iiop_st.typecodes(), TypeCode(K.tk_null)),
        (iiop_st.anys(), CORBAAny(TypeCode(K.tk_null), None)),
        (iiop_st.versions(), GIOP_1_0),
        (iiop_st.byte_orders(), ByteOrder.BIG),
        (iiop_st.iors(), IOR("", ())),
        (iiop_st.stringified_names(), "."),
    ],
    ids=lambda it: "" if isinstance(it, st.SearchStrategy) else repr(it),
)
def test_shrinks_to(strategy: st.SearchStrategy[Any], least: object) -> None:
    assert find(strategy, lambda _: True, settings=settings(database=None)) == least


def test_requests_shrink_to_1_0_big_endian_and_nothing_in_them() -> None:
    least = find(iiop_st.requests(), lambda _: True, settings=settings(database=None))
    assert (least.version, least.byte_order, least.service_context, bytes(least.body)) == (GIOP_1_0, ByteOrder.BIG, (), b"")


@pytest.mark.parametrize("values", [iiop_st.requests(), iiop_st.iors(), iiop_st.names(min_size=1)], ids=lambda it: repr(it)[:20])
def test_what_is_malformed_shrinks_with_what_is_broken(values: st.SearchStrategy[Any]) -> None:
    least = find(values, lambda _: True, settings=settings(database=None))
    assert find(iiop_st.malformed(values), lambda _: True, settings=settings(database=None)).intact == least


# --- our types, by annotation ------------------------------------------------------------------------------------------

REGISTERED = [
    Address,
    Body,
    CORBAAny,
    Corbaloc,
    Corbaname,
    IOR,
    LocateReply,
    NameComponent,
    Reference,
    Reply,
    Request,
    ServiceContext,
    TaggedComponent,
    TaggedProfile,
    TargetAddress,
    TypeCode,
    Version,
]


@pytest.mark.parametrize("cls", REGISTERED, ids=lambda it: f"{it.__module__}.{it.__name__}")
@given(data=st.data())
def test_types_resolve(cls: type[Any], data: st.DataObject) -> None:
    drawn = data.draw(st.from_type(cls))
    assert type(drawn) is cls
    if isinstance(drawn, Version):
        assert GIOP_1_0 <= drawn <= GIOP_1_2


@given(...)
def test_types_resolve_inside_others(
    name: tuple[NameComponent, ...], either: Request | Reply, profiles: list[TaggedProfile]
) -> None:
    assert all(isinstance(part, NameComponent) for part in name)
    assert isinstance(either, Request | Reply)
    assert all(isinstance(profile, TaggedProfile) for profile in profiles)


FRESH = """
import sys
import hypothesis
ours = [name for name in sys.modules if name.split(".")[0] in ("iiop", "ior", "naming", "construct")]
assert not ours, ours
{importing}
from hypothesis import strategies as st
assert {cls} is type(st.from_type({cls}).example())
"""


@pytest.mark.parametrize(
    ("importing", "cls"),
    [("from iiop import Request", "Request"), ("import naming.types as n", "n.NameComponent"), ("from ior import IOR", "IOR")],
)
def test_registration_imports_nothing_before_it_is_needed(importing: str, cls: str) -> None:
    """Hypothesis is imported first, our modules later: they are registered then."""
    script = FRESH.format(importing=importing, cls=cls)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

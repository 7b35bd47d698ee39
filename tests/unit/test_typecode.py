"""TypeCodes and Anys: octets written by hand, indirections, and what is refused."""

from __future__ import annotations

import copy
import dataclasses
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any as Anything

import pytest

import iiop.iop  # noqa: F401  declares object references
from iiop.cdr import ByteOrder, cdr_type, codec
from iiop.cdr.any import Any, UnionValue, type_of
from iiop.cdr.codegen import Phase
from iiop.cdr.decoder import compile_decoder
from iiop.cdr.typecode import DEEPEST, MOST_PARTS, SPARE_PARTS, Member, TCKind, TypeCode
from iiop.exceptions.errors import DecodeError, EncodeError, LimitExceeded, TruncatedError
from iiop.limits import Limits
from tests.property.test_engines_agree import REFUSED, assert_decoded_alike

K = TCKind
T = codec(TypeCode)
ANY = codec(Any)
LONG, NULL, STRING, BOOLEAN = TypeCode(K.tk_long), TypeCode(K.tk_null), TypeCode(K.tk_string), TypeCode(K.tk_boolean)


def struct(*members: tuple[str, TypeCode], name: str = "S", kind: TCKind = K.tk_struct) -> TypeCode:
    return TypeCode(kind, f"IDL:{name}:1.0", name, tuple([Member(name, part) for name, part in members]))


def mention(level: int = 0) -> TypeCode:
    return TypeCode(K.tk_indirection, level=level)


def sequence(content: TypeCode) -> TypeCode:
    return TypeCode(K.tk_sequence, content=content)


# --- octets by hand ----------------------------------------------------------------------------------------------------


def ulong(*numbers: int) -> bytes:
    return b"".join([(number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers])


def text(value: str) -> bytes:
    octets = value.encode() + b"\0"
    return ulong(len(octets)) + octets + bytes(-len(octets) % 4)


class Assembler:
    """Write a struct of structs, knowing where each part begins."""

    def __init__(self, members: int, name: str = "O") -> None:
        self.body = bytearray(bytes(4) + text("") + text(name) + ulong(members))

    def here(self) -> int:
        """Return the offset in the message of what is written next."""
        return 8 + len(self.body)

    def member(self, name: str, *parts: bytes) -> int:
        self.body += text(name)
        start = self.here()
        self.body += b"".join(parts)
        return start

    def indirection(self, name: str, target: int) -> None:
        self.body += text(name) + ulong(K.tk_indirection)
        self.body += ulong(target - self.here())

    def octets(self) -> bytes:
        return ulong(K.tk_struct, len(self.body)) + bytes(self.body)


def inner(name: str, members: Sequence[tuple[str, int | bytes]], start: int) -> bytes:
    """Return a struct whose members are octets or, as offsets in the message, indirections; it begins at `start`."""
    body = bytearray(bytes(4) + text("") + text(name) + ulong(len(members)))
    for member, part in members:
        body += text(member)
        body += part if isinstance(part, bytes) else ulong(K.tk_indirection)
        if not isinstance(part, bytes):
            body += ulong(part - (start + 8 + len(body)))
    return ulong(K.tk_struct, len(body)) + bytes(body)


@pytest.mark.parametrize(
    ("typecode", "octets"),
    [
        (LONG, "00000003"),
        (TypeCode(K.tk_string, length=5), "00000012 00000005"),
        (TypeCode(K.tk_fixed, digits=5, scale=2), "0000001c 0005 0002"),
        (TypeCode(K.tk_fixed, digits=31, scale=-3), "0000001c 001f fffd"),
        (TypeCode(K.tk_objref, "", ""), "0000000e 00000011 00000000 00000001 00 000000 00000001 00"),
        (TypeCode(K.tk_sequence, content=LONG, length=7), "00000013 0000000c 00000000 00000003 00000007"),
        (TypeCode(K.tk_array, content=STRING, length=2), "00000014 00000010 00000000 00000012 00000000 00000002"),
        (
            TypeCode(K.tk_enum, "", "E", (Member("a"), Member("b"))),
            "00000011 00000026 00000000 00000001 00 000000 00000002 4500 0000 00000002 00000002 6100 0000 00000002 6200",
        ),
        (
            TypeCode(K.tk_struct, "", "S", (Member("s", sequence(mention())),)),
            "0000000f 00000038 00000000 00000001 00 000000 00000002 5300 0000 00000001 00000002 7300 0000"
            "00000013 00000010 00000000 ffffffff ffffffc8 00000000",
        ),
        (
            TypeCode(K.tk_union, "", "U", (Member("x", LONG, True),), discriminator=BOOLEAN),
            "00000010 00000030 00000000 00000001 00 000000 00000002 5500 0000 00000008 ffffffff 00000001 01 000000"
            "00000002 7800 0000 00000003",
        ),
    ],
    ids=lambda it: it.kind.name if isinstance(it, TypeCode) else "",
)
def test_octets(typecode: TypeCode, octets: str) -> None:
    expected = bytes.fromhex(octets)
    assert T.encode(typecode).hex(" ", 4) == expected.hex(" ", 4)
    assert T.decode(expected) == typecode
    assert T.decode(T.encode(typecode, ByteOrder.LITTLE), ByteOrder.LITTLE) == typecode


def test_an_exception_in_an_any_has_its_repository_id_in_front() -> None:
    """As omniORBpy writes it."""
    oops = struct(("number", LONG), name="Oops", kind=K.tk_except)
    octets = T.encode(oops) + text("IDL:Oops:1.0") + ulong(7)
    read = ANY.decode(octets)
    assert read.value.number == 7
    assert ANY.encode(read) == octets
    wrong = T.encode(oops) + text("IDL:Other:1.0") + ulong(7)
    with pytest.raises(DecodeError, match=r"an exception 'IDL:Other:1\.0' where its TypeCode says 'IDL:Oops:1\.0'"):
        ANY.decode(wrong)


# --- indirections ------------------------------------------------------------------------------------------------------


def test_a_type_that_came_before_is_read_as_itself() -> None:
    outer = Assembler(2)
    first = outer.member("a", ulong(K.tk_sequence, 12, 0, K.tk_long, 7))
    outer.indirection("b", first)
    part = TypeCode(K.tk_sequence, content=LONG, length=7)
    assert T.decode(outer.octets()) == TypeCode(K.tk_struct, "", "O", (Member("a", part), Member("b", part)))


def test_a_part_of_a_type_may_be_repeated_outside_of_it() -> None:
    """`struct O { struct N { sequence<N> s; } n; sequence<N> m; }`, where m's type is that of s."""
    outer = Assembler(2)
    start = outer.here() + len(text("n"))
    head = bytes(4) + text("") + text("N") + ulong(1) + text("s")
    at = start + 8 + len(head)
    content = ulong(K.tk_sequence, 16, 0, K.tk_indirection)
    node = head + content + ulong(start - (at + len(content)), 0)
    outer.member("n", ulong(K.tk_struct, len(node)), node)
    outer.indirection("m", at)
    read = T.decode(outer.octets())
    node_type = TypeCode(K.tk_struct, "", "N", (Member("s", sequence(mention())),))
    assert read == TypeCode(K.tk_struct, "", "O", (Member("n", node_type), Member("m", sequence(node_type))))
    assert T.decode(T.encode(read)) == read


@pytest.mark.parametrize("offset", [-4, 0, 4, -8, 8, -1, 3, -(2**31), 2**31 - 1, -1000])
def test_indirections_to_where_no_type_began(offset: int) -> None:
    with pytest.raises(DecodeError, match="where no type began") as caught:
        T.decode(ulong(K.tk_indirection, offset))
    assert (caught.value.path, caught.value.offset) == ("", 0)
    outer = Assembler(1)
    outer.body += text("m") + ulong(K.tk_indirection, offset)
    with pytest.raises(DecodeError, match="where no type began"):
        T.decode(outer.octets())


def test_a_sequence_cannot_be_its_own_element() -> None:
    with pytest.raises(DecodeError, match="where no type began"):
        T.decode(ulong(K.tk_sequence, 16, 0, K.tk_indirection, -16, 0))


def test_forward_indirection() -> None:
    outer = Assembler(2)
    outer.indirection("a", outer.here() + 24)
    outer.member("b", ulong(K.tk_long))
    with pytest.raises(DecodeError, match="where no type began"):
        T.decode(outer.octets())


def union(discriminator: bytes, label: bytes, name: str = "U") -> bytes:
    """Return a union of one member, a long, for a label."""
    body = bytearray(bytes(4) + text("") + text(name) + discriminator + ulong(-1, 1) + label)
    body += bytes(-len(body) % 4) + text("x") + ulong(K.tk_long)
    return ulong(K.tk_union, len(body)) + bytes(body)


COLOUR = TypeCode(K.tk_enum, "", "E", (Member("red"), Member("green")))
DISCRIMINATORS = {
    "enum": (COLOUR, ulong(1), 1),
    "alias of an enum": (TypeCode(K.tk_alias, "", "A", content=COLOUR), ulong(1), 1),
    "alias of a short": (TypeCode(K.tk_alias, "", "A", content=TypeCode(K.tk_short)), bytes((255, 254)), -2),
    "alias of a boolean": (TypeCode(K.tk_alias, "", "A", content=BOOLEAN), b"\1", True),
    "alias of a wchar": (TypeCode(K.tk_alias, "", "A", content=TypeCode(K.tk_wchar)), b"\2\0a", "a"),
    "octet": (TypeCode(K.tk_octet), b"\7", 7),
}


@pytest.mark.parametrize(("discriminator", "label", "value"), DISCRIMINATORS.values(), ids=DISCRIMINATORS)
def test_a_discriminator_that_came_before(discriminator: TypeCode, label: bytes, value: object) -> None:
    """`struct O { D d; union U switch (D) { case ...: long x; } u; long n; }`, where the second D is an indirection."""
    outer = Assembler(3)
    first = outer.member("d", T.encode(discriminator))
    outer.body += bytes(-len(outer.body) % 4)
    at = outer.here() + len(text("u")) + 8 + 4 + len(text("") + text("U")) + 4
    outer.member("u", union(ulong(K.tk_indirection, first - at), label))
    outer.member("n", ulong(K.tk_long))
    expected = TypeCode(K.tk_union, "", "U", (Member("x", LONG, value),), discriminator=discriminator)
    members = (Member("d", discriminator), Member("u", expected), Member("n", LONG))
    read = assert_decoded_alike(T.type, outer.octets(), 0, ByteOrder.BIG)
    assert read == (TypeCode(K.tk_struct, "", "O", members), len(outer.octets()))
    assert T.decode(T.encode(read[0])) == read[0]
    u = Any(read[0], type_of(read[0]).cls(*_first(discriminator, value)))  # type: ignore[attr-defined]
    assert ANY.decode(ANY.encode(u)) == u


def _first(discriminator: TypeCode, value: object) -> tuple[object, object, int]:
    return value, UnionValue(value, 5), 6


@pytest.mark.parametrize(
    ("label", "reason"),
    [(b"", "left over|are left|needs"), (ulong(1, 1), "left over|elements|needs|string")],
    ids=["too short", "too long"],
)
def test_a_discriminator_that_came_before_and_labels_that_are_not_of_it(label: bytes, reason: str) -> None:
    outer = Assembler(2)
    first = outer.member("d", T.encode(COLOUR))
    at = outer.here() + len(text("u")) + 8 + 4 + len(text("") + text("U")) + 4
    outer.member("u", union(ulong(K.tk_indirection, first - at), label))
    assert assert_decoded_alike(T.type, outer.octets(), 0, ByteOrder.BIG) == REFUSED
    with pytest.raises(DecodeError, match=reason):
        T.decode(outer.octets())


def test_a_discriminator_that_leads_nowhere_or_to_the_union_itself() -> None:
    for offset, reason in ((-1000, "where no type began"), (-32, "discriminator of kind")):
        octets = union(ulong(K.tk_indirection, offset), ulong(1))
        assert assert_decoded_alike(T.type, octets, 0, ByteOrder.BIG) == REFUSED
        with pytest.raises(DecodeError, match=reason):
            T.decode(octets)


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (K.tk_short, -1),
        (K.tk_ushort, 65535),
        (K.tk_long, -1),
        (K.tk_ulong, 1 << 31),
        (K.tk_longlong, -1),
        (K.tk_ulonglong, 1 << 63),
        (K.tk_boolean, True),
        (K.tk_char, "x"),
        (K.tk_wchar, "\u3042"),
        (K.tk_octet, 255),
    ],
)
def test_every_discriminator(kind: TCKind, label: object) -> None:
    typecode = TypeCode(K.tk_union, "IDL:U:1.0", "U", (Member("x", LONG, label), Member("s", STRING, label)))
    typecode = dataclasses.replace(typecode, members=typecode.members[:1], discriminator=TypeCode(kind))
    for order in ByteOrder:
        value = Any(typecode, UnionValue(label, 7))
        assert ANY.decode(ANY.encode(value, order), order) == value


def doubling(levels: int) -> bytes:
    """Return few octets that, with every indirection followed, are a tree of 2 ** levels parts."""
    outer = Assembler(levels + 1)
    starts: list[int] = []
    for level in range(levels + 1):
        at = outer.here() + len(text("m"))
        parts: list[tuple[str, int | bytes]] = [("x", starts[-1]), ("y", starts[-1])] if starts else [("x", ulong(K.tk_long))]
        starts.append(outer.member("m", inner(f"S{level}", parts, at)))
    return outer.octets()


def test_indirections_do_not_multiply() -> None:
    assert len(T.decode(doubling(5)).members) == 6
    began = time.perf_counter()
    for levels in (20, 60, 400):
        with pytest.raises(DecodeError, match="a TypeCode of more than"):
            T.decode(doubling(levels))
    assert time.perf_counter() - began < 5


def nested(content: bytes) -> bytes:
    return ulong(K.tk_sequence, len(content) + 8, 0) + content + ulong(0)


def test_indirections_do_not_nest_without_end() -> None:
    outer = Assembler(2)
    half = ulong(K.tk_long)
    for _ in range(60):
        half = nested(half)
    start = outer.member("m", half)
    half = ulong(K.tk_indirection, start - (outer.here() + len(text("n")) + 60 * 12 + 4))
    for _ in range(60):
        half = nested(half)
    outer.member("n", half)
    with pytest.raises(DecodeError, match=f"more than {DEEPEST} types inside each other"):
        T.decode(outer.octets())


def test_what_is_read_can_be_used() -> None:
    """The deepest TypeCode there is can be compared, hashed, shown and written."""
    deepest = LONG
    for _ in range(64):
        deepest = sequence(deepest)
    read = T.decode(T.encode(deepest))
    assert read == deepest
    assert hash(read) == hash(deepest)
    assert repr(read).count("tk_sequence") == 64
    assert ANY.decode(T.encode(read) + ulong(0)).value == ()


def test_too_deep() -> None:
    deep = LONG
    for _ in range(65):
        deep = sequence(deep)
    with pytest.raises(LimitExceeded) as caught:
        T.decode(T.encode(deep))
    assert (caught.value.limit, caught.value.value) == ("nesting", 65)
    with pytest.raises(LimitExceeded):
        T.decode(T.encode(sequence(sequence(LONG))), limits=Limits(nesting=1))


def test_anys_too_deep() -> None:
    value = Any(LONG, 7)
    for _ in range(64):
        value = Any(TypeCode(K.tk_any), value)
    with pytest.raises(LimitExceeded) as caught:
        ANY.decode(ANY.encode(value))
    assert (caught.value.limit, caught.value.path) == ("nesting", ".".join(["value"] * 65))
    assert ANY.decode(ANY.encode(value.value)) == value.value


def test_too_many_parts() -> None:
    names = tuple([Member(f"e{number}") for number in range(MOST_PARTS)])
    with pytest.raises(DecodeError, match=f"more than {MOST_PARTS} parts"):
        T.decode(T.encode(TypeCode(K.tk_enum, "", "E", names)))
    most = TypeCode(K.tk_enum, "", "E", names[:-1])
    assert T.decode(T.encode(most)) == most


def test_mentions_repeat_no_more_parts_than_there_are_octets() -> None:
    fifty = T.encode(TypeCode(K.tk_enum, "", "", tuple([Member(f"e{number:06}") for number in range(50)])))

    def repeating(mentions: int) -> bytes:
        outer = Assembler(1 + mentions)
        first = outer.member("a", fifty)
        for number in range(mentions):
            outer.indirection(f"m{number:02}", first)
        return outer.octets()

    read = T.decode(repeating(10))
    assert len(read.members) == 11
    assert len({member.type for member in read.members}) == 1
    with pytest.raises(DecodeError, match=f"more than {len(repeating(40)) + SPARE_PARTS} parts"):
        T.decode(repeating(40))


# --- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [37, 38, 0x7FFFFFFF, 0xFFFFFFFE])
def test_unknown_kind(kind: int) -> None:
    with pytest.raises(DecodeError, match=f"no case for kind = {kind}") as caught:
        T.decode(ulong(kind))
    assert (caught.value.path, caught.value.offset) == ("parameters", 4)


@pytest.mark.parametrize(
    ("octets", "path", "offset"),
    [
        ("0000000f", "parameters.length", 4),
        ("0000000f 00000000", "parameters", 8),
        ("0000000f 00000001 02", "parameters", 8),
        ("0000000f 00000004 00000000", "parameters.repository_id.length", 12),
        ("0000000f 00000010 00000000 00000001 00 000000 00000000", "parameters.name", 24),
        ("0000000f 00000018 00000000 00000001 00 000000 00000001 00 000000 ffffffff", "parameters.members", 32),
        ("00000013 0000000c 00000000 00000025 00000000", "parameters.content.parameters", 16),
        ("0000001c 0005", "parameters.scale", 6),
    ],
)
def test_refusals_have_path_and_offset(octets: str, path: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        T.decode(bytes.fromhex(octets))
    assert (caught.value.path, caught.value.offset) == (path, offset)


@pytest.mark.parametrize(
    ("typecode", "reason"),
    [
        (TypeCode(K.tk_native, "", "N"), "values of tk_native are not spoken here"),
        (TypeCode(K.tk_local_interface, "", "L"), "values of tk_local_interface are not spoken here"),
        (TypeCode(K.tk_fixed, digits=32), "there is no fixed<32, 0>"),
        (TypeCode(K.tk_fixed, digits=5, scale=-1), "there is no fixed<5, -1>"),
        (TypeCode(K.tk_enum, "", "E"), "an enum without members"),
        (TypeCode(K.tk_union, "", "U", discriminator=LONG), "a union without members"),
        (sequence(NULL), "sequence of a type that may take no octets"),
        (sequence(struct()), "sequence of a type that may take no octets"),
        (TypeCode(K.tk_array, content=NULL, length=0xFFFFFFFF), "an array of a type that takes no octets"),
        (TypeCode(K.tk_array, content=struct(), length=10**9), "an array of a type that takes no octets"),
        (
            TypeCode(K.tk_array, content=TypeCode(K.tk_array, content=LONG), length=10**9),
            "an array of a type that takes no octets",
        ),
        (TypeCode(K.tk_array, content=LONG, length=0xFFFFFFFF), "are left"),
        (TypeCode(K.tk_array, content=TypeCode(K.tk_octet), length=0xFFFFFFFF), "are left"),
        (struct(("s", mention())), "exceeds the limit nesting"),
        (struct(("s", TypeCode(K.tk_array, content=mention(), length=16))), "exceeds the limit nesting"),
    ],
)
def test_values_that_cannot_be_read(typecode: TypeCode, reason: str) -> None:
    """Each in no time, whatever the length says."""
    octets = T.encode(typecode) + bytes(16)
    began = time.perf_counter()
    with pytest.raises(DecodeError, match=reason):
        ANY.decode(octets)
    assert time.perf_counter() - began < 2


def test_truncated_everywhere() -> None:
    value = Any(struct(("a", LONG), ("b", sequence(mention()))), None)
    octets = T.encode(value.type) + ulong(1, 0)
    assert ANY.decode(octets).value.a == 1
    for end in range(len(octets)):
        with pytest.raises(TruncatedError):
            ANY.decode(octets[:end])


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "tk_long",
        TypeCode(99),  # type: ignore[arg-type]
        TypeCode(K.tk_sequence),
        TypeCode(K.tk_alias, content=7),  # type: ignore[arg-type]
        TypeCode(K.tk_string, length=-1),
        TypeCode(K.tk_string, length=1 << 32),
        TypeCode(K.tk_fixed, digits=-1),
        TypeCode(K.tk_struct, None, "S"),  # type: ignore[arg-type]
        TypeCode(K.tk_struct, "", "\u20ac"),
        TypeCode(K.tk_struct, "", "S", (Member("m"),)),
        TypeCode(K.tk_struct, "", "S", (7,)),  # type: ignore[arg-type]
        TypeCode(K.tk_union, "", "U", (Member("m", LONG, 1),)),
        TypeCode(K.tk_union, "", "U", (Member("m", LONG, 1),), discriminator=STRING),
        TypeCode(K.tk_union, "", "U", (Member("m", LONG, "x"),), discriminator=LONG),
        TypeCode(K.tk_union, "", "U", (Member("m", LONG, []),), discriminator=LONG),
        TypeCode(K.tk_union, "", "U", (Member("m", LONG, 2),), discriminator=BOOLEAN),
        mention(),
        sequence(mention()),
        struct(("m", mention(1))),
        struct(("m", mention(-1))),
    ],
    ids=lambda it: repr(it)[:60],
)
def test_what_is_no_typecode(value: Anything) -> None:
    out = bytearray(b"abc")
    with pytest.raises(EncodeError) as caught:
        T.encode_into(out, value)
    assert "engines disagree" not in str(caught.value)
    assert out == b"abc"


def test_deeper_than_python_follows() -> None:
    deep = LONG
    for _ in range(2000):
        deep = sequence(deep)
    with pytest.raises(EncodeError):
        T.encode(deep)
    with pytest.raises(EncodeError):
        ANY.encode(Any(deep, ()))


def test_attributes_that_a_kind_has_not_are_passed_over() -> None:
    odd = TypeCode(K.tk_struct, "", "S", (Member("m", sequence(mention())),), content=struct(("n", mention(1))))
    assert T.encode(odd) == T.encode(TypeCode(K.tk_struct, "", "S", (Member("m", sequence(mention())),)))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Any(LONG, "x"), "value"),
        (Any(NULL, 7), "value"),
        (Any(sequence(LONG), (1, "x")), "value[1]"),
        (Any(TypeCode(K.tk_enum, "", "E", (Member("a"),)), 1), "value"),
        (Any(TypeCode(K.tk_any), Any(LONG, 1 << 40)), "value.value"),
        (Any(TypeCode(K.tk_union, "", "U", (Member("m", LONG, 1),), discriminator=LONG), UnionValue(1, "x")), "value.value"),
        (Any(TypeCode(K.tk_union, "", "U", (Member("m", LONG, 1),), discriminator=LONG), UnionValue(2, 3)), "value.value"),
        (Any(mention(), 1), "type"),
        (Any(None, 1), "type"),  # type: ignore[arg-type]
    ],
)
def test_values_that_do_not_fit(value: Any, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        ANY.encode(value)
    assert caught.value.path == path


def test_types_that_would_become_too_much_code() -> None:
    """47 kB of TypeCode; it was 10 seconds, and 650 MB, before it was refused."""
    grid = TypeCode(K.tk_array, content=TypeCode(K.tk_array, content=TypeCode(K.tk_char), length=8), length=16)
    octets = T.encode(struct(*[(f"m{number}", grid) for number in range(1000)]))
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="more than 8192 others"):
            ANY.decode(octets + bytes(128_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024 * 1024
    assert time.process_time() - began < 10
    few = T.encode(struct(*[(f"m{number}", grid) for number in range(60)]))
    assert ANY.decode(few + bytes(60 * 128)).value.m59 == (("\0",) * 8,) * 16


def test_many_types_that_are_seen_once() -> None:
    """32 kB of distinct types in Anys were half a second and 8 MB, and took the place of what is compiled for declared ones."""
    types = [struct((f"a{number}", LONG), (f"b{number}", TypeCode(K.tk_short)), name=f"Once{number}") for number in range(400)]
    octets = ulong(len(types))
    for typecode in types:
        octets += bytes(-len(octets) % 4) + T.encode(typecode)
        octets += bytes(-len(octets) % 4) + ulong(7) + bytes(2)
    declared = compile_decoder(cdr_type(_Kept), ByteOrder.BIG, Phase.at(0))
    compiled = compile_decoder.cache_info().currsize
    many = codec(tuple[Any, ...])
    assert len(many.decode(octets)) == 400
    assert compile_decoder.cache_info().currsize - compiled < 20
    assert compile_decoder(cdr_type(_Kept), ByteOrder.BIG, Phase.at(0)) is declared
    again = [many.decode(octets)[0].value for _ in range(3)]
    assert (again[0].a0, again[0].b0) == (7, 0)
    assert again[0] == again[1] == again[2]


@dataclasses.dataclass(frozen=True)
class _Kept:
    name: str


def test_values_of_types_of_a_peer_are_dataclasses() -> None:
    (value,) = codec(tuple[Any, ...]).decode(ulong(1) + T.encode(struct(("a", LONG), ("b", LONG))) + ulong(1, 2))
    made = value.value
    assert repr(made) == "S(a=1, b=2)"
    assert dataclasses.replace(made, b=3) == type(made)(1, b=3) != made
    assert dataclasses.asdict(made) == {"a": 1, "b": 2}
    assert copy.deepcopy(made) == made
    assert len({made, copy.copy(made)}) == 1
    assert [field.name for field in dataclasses.fields(made)] == ["a", "b"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.a = 2
    for wrong in ((1,), (1, 2, 3)):
        with pytest.raises(TypeError, match="takes the members a, b, each once"):
            type(made)(*wrong)
    with pytest.raises(TypeError, match="each once"):
        type(made)(1, 2, a=1)


# --- names of members --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "usable"),
    [
        (("a", "b"), ("a", "b")),
        (("class", "a"), ("member_0", "a")),
        (("a", "a"), ("a", "member_1")),
        (("member_1", "x!"), ("member_1", "member_1_")),
        (("x!", "member_0", "member_0_"), ("member_0__", "member_0", "member_0_")),
        (("mro", "b"), ("member_0", "b")),
        (("__class__", "_x_", ""), ("member_0", "member_1", "member_2")),
        (("\xb5", "a", "\xaa"), ("member_0", "a", "member_2")),
        (("self", "name", "value", "real"), ("self", "name", "value", "real")),
    ],
)
def test_names_of_members_that_python_has_other_ideas_about(names: tuple[str, ...], usable: tuple[str, ...]) -> None:
    octets = T.encode(struct(*[(name, LONG) for name in names]))
    octets += bytes(-len(octets) % 4)
    value = ANY.decode(octets + ulong(*range(len(names)))).value
    assert value.__slots__ == usable
    assert [getattr(value, name) for name in usable] == list(range(len(names)))
    enum = TypeCode(K.tk_enum, "", "E", tuple(map(Member, names)))
    for number, name in enumerate(usable):
        member = ANY.decode(ANY.encode(Any(enum, number))).value
        assert (member._name_, member) == (name, number)

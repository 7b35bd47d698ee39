"""Value types octet by octet: headers, shared values, chunks, truncation, custom state; and what is refused."""

from __future__ import annotations

import copy
import time
from typing import Annotated, cast

import pytest

from iiop.cdr import (
    ByteOrder,
    Codec,
    CustomState,
    Double,
    Encapsulation,
    Long,
    Octet,
    Value,
    ValueHeader,
    abstract_interface,
    cdr_type,
    codec,
    header_of,
    value_type,
)
from iiop.cdr.any import Any
from iiop.cdr.typecode import Member, TCKind, TypeCode
from iiop.exceptions import DecodeError, EncodeError
from iiop.exceptions.errors import LimitExceeded
from iiop.iop import IOR, TaggedProfile
from iiop.limits import Limits
from tests.property.test_engines_agree import REFUSED, assert_decoded_alike, assert_round_trip

K = TCKind


@value_type("IDL:A:1.0")
class A(Value):
    n: Annotated[int, Long]
    next: A | None


@value_type("IDL:B:1.0")
class B(Value):
    o: Annotated[int, Octet]


@value_type("IDL:C:1.0", truncatable=True)
class C(B):
    a: A | None
    p: Annotated[int, Octet]


@value_type("IDL:D:1.0", truncatable=True)
class D(C):
    d: Annotated[float, Double]


@value_type("IDL:X:1.0", custom=True)
class X(Value):
    state: CustomState


@value_type("IDL:S:1.0", abstract=True)
class S(Value): ...


@value_type("IDL:T:1.0")
class T(S):
    text: str


@value_type("IDL:B:1.0")
class OnlyB(Value):
    """What somebody has who knows B and nothing derived from it."""

    o: Annotated[int, Octet]


TWO_A = "7fffff02"


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def both(cls: object, given: bytes | str) -> object:
    """Return what both engines read from octets, big endian, all of them."""
    given = octets(given) if isinstance(given, str) else given
    read = assert_decoded_alike(cdr_type(cls), given, 0, ByteOrder.BIG)
    assert read != REFUSED
    assert read[1] == len(given)
    return read[0]


def refused(cls: object, given: bytes | str, reason: str) -> DecodeError:
    given = octets(given) if isinstance(given, str) else given
    assert assert_decoded_alike(cdr_type(cls), given, 0, ByteOrder.BIG) == REFUSED
    with pytest.raises(DecodeError, match=reason) as caught:
        codec(cls).decode(given)
    return caught.value


# --- what it looks like ------------------------------------------------------------------------------------------------

LAYOUTS: list[tuple[object, Value | None, str]] = [
    (A, None, "00000000"),
    (A, A(7, None), f"{TWO_A} 0000000a 49444c3a413a312e3000 0000 00000007 00000000"),
    (
        A,
        A(7, A(8, None)),
        f"{TWO_A} 0000000a 49444c3a413a312e3000 0000 00000007 {TWO_A} ffffffff ffffffe4 00000008 00000000",
    ),
    (B, B(1), "7fffff02 0000000a 49444c3a423a312e3000 01"),
    (
        B,
        C(1, None, 2),
        "7fffff0e 00000002 0000000a 49444c3a433a312e3000 0000 0000000a 49444c3a423a312e3000 0000"
        "00000009 01 000000 00000000 02 000000 ffffffff",
    ),
    (
        B,
        C(1, A(3, None), 2),
        "7fffff0e 00000002 0000000a 49444c3a433a312e3000 0000 0000000a 49444c3a423a312e3000 0000"
        "00000001 01 000000 7fffff0a 0000000a 49444c3a413a312e3000 0000 00000008 00000003 00000000 fffffffe"
        "00000001 02 000000 ffffffff",
    ),
    (S, T("x"), "7fffff02 0000000a 49444c3a543a312e3000 0000 00000002 7800"),
]


@pytest.mark.parametrize(("cls", "value", "expected"), LAYOUTS, ids=lambda it: repr(it) if isinstance(it, Value) else "")
def test_layout(cls: type[Value], value: Value, expected: str) -> None:
    assert codec(cls).encode(value).hex() == octets(expected).hex()
    assert both(cls, expected) == value
    assert codec(cls).encode(cast("Value", both(cls, expected))) == octets(expected)


def test_a_value_mentioned_twice_is_one_object() -> None:
    one = A(1, None)
    given = codec(tuple[A | None, ...]).encode((one, one, A(1, None)))
    assert given[32:40] == octets("ffffffff ffffffe0")
    first, second, third = cast("tuple[A, ...]", both(tuple[A | None, ...], given))
    assert first is second
    assert first == third
    assert first is not third


def test_cycles() -> None:
    one, two = A(1, None), A(2, None)
    one.next, two.next = two, one
    read = cast("A", both(A, codec(A).encode(one)))
    assert read.next is not None
    assert read.next.next is read
    assert read == one
    assert read != two
    assert repr(read) == "A(n=1, next=A(n=2, next=A(again)))"
    assert_round_trip(cdr_type(A), one)
    assert copy.deepcopy(one) == one


def test_graphs_are_compared_and_shown_in_no_time() -> None:
    """Sixty values that mention the next one twice are a tree of 2 to the 60."""

    @value_type("IDL:Twice:1.0")
    class Twice(Value):
        left: Twice | None
        right: Twice | None

    def chain() -> Twice:
        last = Twice(None, None)
        for _ in range(60):
            last = Twice(last, last)
        return last

    began = time.process_time()
    assert chain() == chain()
    assert repr(chain()).count("again") == 60
    assert_round_trip(cdr_type(Twice), chain())
    assert time.process_time() - began < 20


def test_equal_only_if_of_one_class_and_all_members_are() -> None:
    assert B(1) != OnlyB(1)
    assert B(1) != B(2)
    assert A(1, A(2, None)) != A(1, A(3, None))
    assert B(1) != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(B(1))


def test_encapsulations_share_nothing_with_what_is_around() -> None:
    one = B(1)
    inside = Codec(cdr_type(tuple[Annotated[B | None, Encapsulation(cdr_type(B))], ...]))
    first, second = inside.decode(inside.encode((one, one)))
    assert first == second
    assert first is not second


# --- headers of others -------------------------------------------------------------------------------------------------

URL = "00000007 687474703a2f00"
HEADERS = {
    "no repository id": ("7fffff00 05", ValueHeader()),
    "codebase": (f"7fffff01 {URL} 05", ValueHeader("http:/")),
    "codebase and id": (f"7fffff03 {URL} 00 0000000a 49444c3a423a312e3000 05", ValueHeader("http:/", "IDL:B:1.0")),
    "a list of one": ("7fffff06 00000001 0000000a 49444c3a423a312e3000 05", ValueHeader(None, ("IDL:B:1.0",))),
    "chunked": ("7fffff08 00000001 05 000000 ffffffff", ValueHeader(None, None, chunked=True)),
}


@pytest.mark.parametrize(("given", "header"), HEADERS.values(), ids=HEADERS)
def test_headers_are_kept_and_written_back(given: str, header: ValueHeader) -> None:
    read = cast("B", both(B, given))
    assert read == B(5)
    assert header_of(read) == header
    assert codec(B).encode(read) == octets(given)
    assert header_of(B(5)) is None


def test_texts_of_headers_are_mentioned() -> None:
    given = (
        f"00000003 7fffff07 {URL} 00 00000001 0000000a 49444c3a423a312e3000 01 00"
        "7fffff07 ffffffff ffffffd8 ffffffff ffffffdc 02 000000 7fffff02 ffffffff ffffffd0 03"
    )
    read = cast("tuple[B, ...]", both(tuple[B, ...], given))
    assert read == (B(1), B(2), B(3))
    assert codec(tuple[B, ...]).encode(read) == octets(given)


def test_a_header_that_no_longer_fits_is_not_written() -> None:
    """As where a value is put elsewhere: without an id it was of the declared type there, which is another here."""
    read = both(B, "7fffff00 05")
    assert codec(Value).encode(read) == codec(B).encode(B(5))


# --- chunks ------------------------------------------------------------------------------------------------------------

CHUNKED = {
    "in one chunk": "00000008 00000007 00000000 ffffffff",
    "in two chunks": "00000004 00000007 00000004 00000000 ffffffff",
    "a value inside": "00000004 00000007 7fffff08 00000008 00000008 00000000 fffffffe ffffffff",
    "ended together": "00000004 00000007 7fffff08 00000008 00000008 00000000 ffffffff",
    "ended by two before": (
        "00000004 00000007 7fffff08 00000004 00000008 7fffff08 00000008 00000009 00000000 fffffffd fffffffe ffffffff"
    ),
}


@pytest.mark.parametrize("state", CHUNKED.values(), ids=CHUNKED)
def test_chunks(state: str) -> None:
    numbers, value = [], cast("A | None", both(A, "7fffff08" + state))
    while value is not None:
        numbers.append(value.n)
        value = value.next
    assert numbers == [7, 8, 9][: len(numbers)]


def test_padding_may_count_to_a_chunk() -> None:
    """OmniORB aligns before it ends a chunk."""
    given = "7fffff0e 00000001 0000000a 49444c3a433a312e3000 0000 00000004 01 000000 7fffff08 00000008 00000003 00000000 fffffffe"
    assert both(B, given + "00000004 02 000000 ffffffff") == C(1, A(3, None), 2)


BROKEN_CHUNKS = {
    "no chunk": ("ffffffff", "more state is needed"),
    "a size of 0": ("00000000", "more state is needed"),
    "a chunk too short": ("00000003 00000007", "long needs 4 octets, its chunk has 3 left"),
    "octets left over": ("0000000c 00000007 00000000 00000000 ffffffff", "4 octets left over in a chunk"),
    "beyond the end": ("000000ff 00000007 00000000 ffffffff", "a chunk of 255 octets"),
    "a value in the middle of a chunk": ("0000000c 00000007 7fffff08 00000000", "0x7fffff08 in a chunk is neither null nor"),
    "null outside of a chunk": ("00000004 00000007 00000000 ffffffff", "the tag 0x0 stands where more state is needed"),
    "an end tag too deep": ("00000008 00000007 00000000 fffffffe", "where 1 chunked values end"),
    "another chunk instead of an end tag": ("00000008 00000007 00000000 00000004 00000000", "where 1 chunked values end"),
    "a value that is not chunked inside": ("00000004 00000007 7fffff00 00000008 00000000", "must be chunked"),
    "no end": ("00000008 00000007 00000000", "needs 4 octets, 0 are left"),
}


@pytest.mark.parametrize(("state", "reason"), BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
def test_broken_chunks(state: str, reason: str) -> None:
    refused(A, "7fffff08" + state, reason)


BROKEN = {
    "no tag": ("12345678", "0x12345678 is no value tag"),
    "unknown flags": ("7fffff10 05", "says what is not defined"),
    "unknown type information": ("7fffff04 05", "says what is not defined"),
    "an unknown type": ("7fffff02 0000000a 49444c3a5a3a312e3000 0000 05", r"value type 'IDL:Z:1\.0' is not known here"),
    "a type that is no such": (
        "7fffff02 0000000a 49444c3a413a312e3000 0000 05",
        r"'IDL:A:1\.0' is not known here as one of 'IDL:B",
    ),
    "unknown types, not chunked": (
        "7fffff06 00000002 0000000a 49444c3a5a3a312e3000 0000 0000000a 49444c3a423a312e3000 0000 05",
        "is not known here",
    ),
    "no types in the list": ("7fffff06 00000000 05", "a list of no repository ids"),
    "too many types in the list": ("7fffff06 7fffffff 05", "exceeds the limit"),
    "a mention of itself": ("ffffffff fffffffc", "where no such thing began"),
    "a mention forwards": ("ffffffff 00000004 00000000", "where no such thing began"),
    "a mention of a text that is none": ("7fffff02 ffffffff fffffff8 05", "where no such thing began"),
}


@pytest.mark.parametrize(("given", "reason"), BROKEN.values(), ids=BROKEN)
def test_broken_headers(given: str, reason: str) -> None:
    error = refused(B, given, reason)
    assert error.offset is not None


def test_a_mention_of_a_value_of_another_type() -> None:
    pair = Codec(cdr_type(_Pair))
    begin = pair.encode(_Pair(B(1), None))
    refused(_Pair, begin[:-4] + octets("ffffffff ffffffe8"), r"'IDL:B:1\.0', which is no 'IDL:A:1\.0'")


@value_type("IDL:Pair:1.0")
class _Pair(Value):
    b: B | None
    a: A | None


def test_abstract_value_types_have_no_values_of_their_own() -> None:
    refused(S, "7fffff02 0000000a 49444c3a533a312e3000 0000", "which is abstract")
    with pytest.raises(EncodeError, match="is no value of"):
        codec(S).encode(S())


# --- truncation --------------------------------------------------------------------------------------------------------


def test_what_is_not_known_is_skipped_and_what_is_behind_it_read() -> None:
    values = (C(1, A(3, A(4, None)), 2), None, D(5, None, 6, 7.5), B(8))
    given = codec(tuple[B | None, ...]).encode(values)
    read = cast("tuple[OnlyB | None, ...]", both(tuple[OnlyB | None, ...], given))
    assert read == (OnlyB(1), None, OnlyB(5), OnlyB(8))
    assert read[0] is not None
    assert header_of(read[0]) == ValueHeader(None, ("IDL:B:1.0",), chunked=True)
    assert codec(tuple[OnlyB | None, ...]).decode(codec(tuple[OnlyB | None, ...]).encode(read)) == read


def test_a_mention_of_what_was_skipped() -> None:
    inner = A(3, None)

    @value_type("IDL:Holder:1.0")
    class Holder(Value):
        b: Annotated[Value | None, cdr_type(B)]
        a: Annotated[Value | None, cdr_type(A)]

    @value_type("IDL:Holder:1.0")
    class OnlyHolder(Value):
        b: Annotated[Value | None, cdr_type(OnlyB)]
        a: Annotated[Value | None, cdr_type(A)]

    given = codec(Holder).encode(Holder(C(1, inner, 2), inner))
    refused(OnlyHolder, given, "was in what is not known here and skipped")
    assert both(Holder, given) == Holder(C(1, inner, 2), inner)


# --- custom state ------------------------------------------------------------------------------------------------------

CUSTOM = (
    "7fffff0a 0000000a 49444c3a583a312e3000 0000 00000003 010203 00"
    "7fffff08 00000004 00000007 fffffffe 00000001 09 000000 ffffffff"
)


def test_custom_state_is_kept_and_written_back_where_it_stood() -> None:
    given = octets(CUSTOM)
    read = cast("X", both(X, given))
    assert read.state == CustomState(given[20:-7], ByteOrder.BIG, 4, 1)
    assert codec(X).encode(read) == given
    both(tuple[X | None, ...], octets("00000001 00000000"))


@pytest.mark.parametrize("start", [1, 4])
def test_custom_state_means_nothing_elsewhere(start: int) -> None:
    read = both(X, CUSTOM)
    with pytest.raises(EncodeError, match="only at the alignment, nesting and byte order it was read in"):
        codec(X).encode_into(bytearray(start), read)
    with pytest.raises(EncodeError, match="byte order"):
        codec(X).encode(read, ByteOrder.LITTLE)


def test_custom_state_that_nobody_can_delimit() -> None:
    refused(X, "7fffff02 0000000a 49444c3a583a312e3000 0000 01020304", "not chunked: nobody knows where it ends")
    with pytest.raises(EncodeError, match="is a CustomState, not NoneType"):
        codec(X).encode(X(None))  # type: ignore[arg-type]


# --- Anys and abstract interfaces --------------------------------------------------------------------------------------

LONG, SELF, NULL = TypeCode(K.tk_long), TypeCode(K.tk_indirection), TypeCode(K.tk_null)
NODE = TypeCode(K.tk_value, "IDL:A:1.0", "A", (Member("n", LONG), Member("next", SELF)), NULL)
BASE = TypeCode(K.tk_value, "IDL:B:1.0", "B", (Member("o", TypeCode(K.tk_octet)),), NULL)
CUT = TypeCode(K.tk_value, "IDL:C:1.0", "C", (Member("a", NODE), Member("p", TypeCode(K.tk_octet))), BASE, modifier=3)
BOX = TypeCode(K.tk_value_box, "IDL:Box:1.0", "Box", content=TypeCode(K.tk_string))


def test_values_in_anys() -> None:
    """Written from objects of declared classes, read as those of classes made for the TypeCode, and shared among Anys."""
    node = A(1, None)
    node.next = node
    given = (Any(NODE, node), Any(CUT, C(5, node, 6)), Any(NODE, node))
    first, second, third = cast("tuple[Any, ...]", both(tuple[Any, ...], codec(tuple[Any, ...]).encode(given)))
    assert first.value is third.value
    assert first.value.next is first.value
    assert second.value.a is first.value
    assert not isinstance(first.value, A)
    assert repr(second.value) == "C(o=5, a=A(n=1, next=A(again)), p=6)"
    assert codec(tuple[Any, ...]).encode((first, second, third)) == codec(tuple[Any, ...]).encode(given)
    assert first.value.__class__(1, None).n == 1


def test_boxes_in_anys() -> None:
    read = cast("Any", both(Any, codec(Any).encode(Any(BOX, _box("text")))))
    assert read.value.value == "text"
    assert repr(read.value) == "Box(value='text')"


def _box(text: str) -> Value:
    @value_type("IDL:Box:1.0")
    class Box(Value):
        value: str

    return Box(text)


def test_no_class_is_found_that_a_type_of_a_peer_names() -> None:
    """An Any of a type called as a declared one is an object of a class made for it; a declared member takes none of that."""
    both_members = Codec(cdr_type(_AnyAndValue))
    read = both_members.decode(both_members.encode(_AnyAndValue(Any(BASE, B(1)), B(2))))
    assert type(read.anything.value) is not B
    assert type(read.value) is B
    shared = B(1)
    given = both_members.encode(_AnyAndValue(Any(BASE, shared), shared))
    refused(_AnyAndValue, given, r"'IDL:B:1\.0', which is no 'IDL:B:1\.0'")


@value_type("IDL:AnyAndValue:1.0")
class _AnyAndValue(Value):
    anything: Any
    value: B | None


@pytest.mark.parametrize(
    ("typecode", "reason"),
    [
        (TypeCode(K.tk_value, "IDL:V:1.0", "V", (), NULL, modifier=4), "modifier 4"),
        (TypeCode(K.tk_value, "IDL:V:1.0", "V", (), LONG), "derived from a tk_long"),
        (TypeCode(K.tk_value, "IDL:V:1.0", "V", (), SELF), "derived from a tk_indirection"),
        (TypeCode(K.tk_value, "IDL:V:1.0", "V", (Member("n", TypeCode(K.tk_native, "", "N")),), NULL), "values of tk_native"),
    ],
)
def test_value_types_there_cannot_be(typecode: TypeCode, reason: str) -> None:
    refused(Any, codec(TypeCode).encode(typecode) + bytes(4), reason)


def test_abstract_interfaces() -> None:
    declared = abstract_interface(cdr_type(IOR))
    reference = IOR("IDL:Thing:1.0", (TaggedProfile(0, b"abc"),))
    for value in (None, reference, T("x")):
        assert_round_trip(declared, value)
    assert Codec(declared).encode(None).hex() == "0000000000000000"
    assert Codec(declared).encode(reference)[0] == 1
    described = TypeCode(K.tk_abstract_interface, "IDL:Thing:1.0", "Thing")
    for value in (None, reference, T("x")):
        assert cast("Any", both(Any, codec(Any).encode(Any(described, value)))).value == value


# --- limits ------------------------------------------------------------------------------------------------------------


def test_limits() -> None:
    chain: A | None = None
    for number in range(65):
        chain = A(number, chain)
    given = codec(A).encode(chain)
    with pytest.raises(LimitExceeded, match="nesting") as caught:
        codec(A).decode(given)
    assert caught.value.limit == "nesting"
    assert codec(A).decode(given, limits=Limits(nesting=65)) == chain
    many = codec(tuple[B | None, ...]).encode((None,) * 1000)
    assert codec(tuple[B | None, ...]).decode(many, limits=Limits(interpreted_fields=1001)) == (None,) * 1000
    with pytest.raises(LimitExceeded, match="interpreted_fields") as caught:
        codec(tuple[B | None, ...]).decode(many, limits=Limits(interpreted_fields=1000))
    assert (caught.value.limit, caught.value.value) == ("interpreted_fields", 1001)


def test_a_chain_too_long_to_write() -> None:
    chain: A | None = None
    for number in range(100_000):
        chain = A(number, chain)
    with pytest.raises(EncodeError, match="nested deeper"):
        codec(A).encode(chain)
    while chain is not None:
        chain = chain.next


# --- declarations ------------------------------------------------------------------------------------------------------


def test_what_is_no_value_type() -> None:
    with pytest.raises(TypeError, match="is not derived from Value"):
        value_type("IDL:Z:1.0")(int)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="has 0 bases with members"):
        value_type("IDL:Z:1.0", truncatable=True)(type("Z", (Value,), {}))
    with pytest.raises(TypeError, match="has 2 bases with members"):
        value_type("IDL:Z:1.0")(type("Z", (A, B), {}))
    with pytest.raises(TypeError, match="an abstract type has none"):
        value_type("IDL:Z:1.0", abstract=True)(type("Z", (Value,), {"__annotations__": {"n": str}}))
    with pytest.raises(TypeError, match="a custom one its state"):
        value_type("IDL:Z:1.0", custom=True)(type("Z", (Value,), {"__annotations__": {"n": str}}))
    with pytest.raises(TypeError, match="does not say how it lies on the wire"):
        cdr_type(str | None)


@value_type("IDL:test/Chained:1.0")
class Chained(Value):
    after: Chained | None


def test_a_value_too_deep_for_an_any_is_refused() -> None:
    chain = None
    for _ in range(2000):
        chain = Chained(chain)
    with pytest.raises(EncodeError, match="nested deeper"):
        Any.of(Chained, chain)

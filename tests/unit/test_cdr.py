"""CDR against octets written by hand, from clause 9.3 of the specification."""

from __future__ import annotations

import copy
import enum
import gc
import pickle
import struct
import subprocess
import sys
from array import array
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Annotated, Any

import numpy
import pytest

from iiop.cdr import (
    Array,
    Boolean,
    Bound,
    ByteOrder,
    CDRType,
    Char,
    Codec,
    Double,
    Encapsulation,
    Enum,
    Field,
    Float,
    Length,
    Long,
    LongLong,
    Octet,
    OctetArray,
    OctetSequence,
    OctetSequenceType,
    OpenEnum,
    Sequence,
    Short,
    String,
    StringType,
    Struct,
    Switch,
    ULong,
    ULongLong,
    UShort,
    arguments,
    cdr_type,
    codec,
    decapsulate,
    encapsulate,
)
from iiop.exceptions.errors import (
    CodecError,
    DecodeError,
    EncodeError,
    IIOPError,
    LimitExceeded,
    TrailingDataError,
    TruncatedError,
)
from iiop.iop import IOR, IOR_CODEC, TaggedProfile
from iiop.limits import Limits

BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE


class Colour(enum.IntEnum):
    red = 0
    green = 1


class Kind(OpenEnum):
    known = 0


@dataclass(frozen=True, slots=True)
class Mixed:
    small: Annotated[int, Octet]
    large: Annotated[int, ULongLong]
    text: str
    flag: bool


@dataclass(frozen=True, slots=True)
class Amount:
    kind: Annotated[int, Short]
    value: Annotated[Any, Switch({1: Long, 2: String, 3: None}, default=Double, on="kind")]


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def raises(error: type[DecodeError], call: Any, path: str, offset: int, reason: str) -> DecodeError:
    """Assert kind, path, offset and text of a refusal."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert (caught.value.path, caught.value.offset) == (path, offset)
    assert reason in caught.value.reason
    return caught.value


PAIR = arguments("f", ("a", Octet), ("b", Double))

VECTORS: list[tuple[CDRType, Any, str, str]] = [
    (Octet, 0xAB, "ab", "ab"),
    (Boolean, True, "01", "01"),
    (Boolean, False, "00", "00"),
    (Char, "A", "41", "41"),
    (Char, "\xff", "ff", "ff"),
    (Char, "\0", "00", "00"),
    (Short, -2, "fffe", "feff"),
    (UShort, 0x1234, "1234", "3412"),
    (Long, -2, "fffffffe", "feffffff"),
    (ULong, 0x12345678, "12345678", "78563412"),
    (LongLong, -2, "fffffffffffffffe", "feffffffffffffff"),
    (ULongLong, 0x0102030405060708, "0102030405060708", "0807060504030201"),
    (Float, 1.5, "3fc00000", "0000c03f"),
    (Double, -2.0, "c000000000000000", "00000000000000c0"),
    (String, "", "00000001 00", "01000000 00"),
    (String, "ab\xe9", "00000004 6162e900", "04000000 6162e900"),
    (OctetSequence, b"", "00000000", "00000000"),
    (OctetSequence, b"\0\1\2", "00000003 000102", "03000000 000102"),
    (OctetArray(3), b"abc", "616263", "616263"),
    (OctetArray(0), b"", "", ""),
    (Enum(Colour), Colour.green, "00000001", "01000000"),
    (Enum(Kind), Kind(77), "0000004d", "4d000000"),
    (Sequence(Short), (1, 2), "00000002 0001 0002", "02000000 0100 0200"),
    (Sequence(Double), (), "00000000", "00000000"),
    (Sequence(Double), (1.0,), "00000001 00000000 3ff0000000000000", "01000000 00000000 000000000000f03f"),
    (Sequence(String), ("a", "b"), "00000002 00000002 6100 0000 00000002 6200", "02000000 02000000 6100 0000 02000000 6200"),
    (Sequence(Boolean), (True, False), "00000002 01 00", "02000000 01 00"),
    (Sequence(Sequence(Double)), ((), ()), "00000002 00000000 00000000", "02000000 00000000 00000000"),
    (Array(UShort, 2), (1, 2), "0001 0002", "0100 0200"),
    (Array(Long, 0), (), "", ""),
    (PAIR, (1, 1.0), "01 00000000000000 3ff0000000000000", "01 00000000000000 000000000000f03f"),
    (arguments("f"), (), "", ""),
    (
        cdr_type(Mixed),
        Mixed(1, 2, "x", True),
        "01 00000000000000 0000000000000002 00000002 7800 01",
        "01 00000000000000 0200000000000000 02000000 7800 01",
    ),
    (cdr_type(Amount), Amount(1, 7), "0001 0000 00000007", "0100 0000 07000000"),
    (cdr_type(Amount), Amount(2, "x"), "0002 0000 00000002 7800", "0200 0000 02000000 7800"),
    (cdr_type(Amount), Amount(3, None), "0003", "0300"),
    (cdr_type(Amount), Amount(4, 1.0), "0004 000000000000 3ff0000000000000", "0400 000000000000 000000000000f03f"),
    # inside, alignment counts from the byte order octet: three octets of padding, though the double stands at offset 12
    (Encapsulation(Double), 1.0, "00000010 00 00000000000000 3ff0000000000000", "10000000 01 00000000000000 000000000000f03f"),
    (Encapsulation(ULong), 5, "00000008 00 000000 00000005", "08000000 01 000000 05000000"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "value", "big", "little"), VECTORS, ids=[f"{v[0]}-{v[1]!r}"[:60] for v in VECTORS])
def test_vectors(declared: CDRType, value: Any, big: str, little: str) -> None:
    for order, expected in ((BIG, octets(big)), (LITTLE, octets(little))):
        assert Codec(declared).encode(value, order) == expected
        decoded = Codec(declared).decode(expected, order)
        assert decoded == value
        assert type(decoded) is type(value)


@pytest.mark.parametrize("start", range(9))
@pytest.mark.parametrize("declared", [Octet, Short, ULong, LongLong, Float, Double], ids=lambda it: it.name)
def test_alignment_counts_from_the_origin(declared: Any, start: int) -> None:
    padding = -start % declared.size
    out = bytearray(b"\xff" * start)
    Codec(declared).encode_into(out, 1, BIG)
    assert len(out) == start + padding + declared.size
    assert out[start : start + padding] == bytes(padding)
    assert Codec(declared).decode(bytes(out), BIG, start=start) == 1


def test_padding_may_hold_anything() -> None:
    """VisiBroker pads with 0x20, WebSphere with 0xBD, TAO with 0xCD."""
    assert codec(Mixed).decode(octets("01 cdcdcdcdcdcdcd 0000000000000002 00000002 7800 01")) == Mixed(1, 2, "x", True)


def test_the_empty_sequence_of_doubles_has_no_padding() -> None:
    declared = codec(arguments("f", ("a", Sequence(Double)), ("b", Octet)))
    assert declared.encode(((), 7)) == octets("00000000 07")
    assert declared.decode(octets("00000000 07")) == ((), 7)


def test_an_encapsulation_has_its_own_byte_order() -> None:
    declared = codec(arguments("f", ("a", Encapsulation(ULong)), ("b", ULong)))
    assert declared.decode(octets("00000008 01 cccccc 05000000 00000006"), BIG) == (5, 6)
    assert declared.decode(octets("08000000 00 cccccc 00000005 06000000"), LITTLE) == (5, 6)


def test_encapsulate() -> None:
    assert encapsulate(codec(Double), 1.0, LITTLE) == octets("01 00000000000000 000000000000f03f")
    assert decapsulate(codec(Double), octets("00 00000000000000 3ff0000000000000")) == 1.0
    assert decapsulate(codec(Octet), octets("00 07 ff"), exact=False) == 7
    raises(DecodeError, lambda: decapsulate(codec(Octet), b""), "", 0, "at least its byte order octet")
    raises(DecodeError, lambda: decapsulate(codec(Octet), b"\2\7"), "byte_order", 0, "must be 0 or 1, not 2")
    raises(TrailingDataError, lambda: decapsulate(codec(Octet), octets("00 07 ff")), "", 2, "1 octets left over")


def test_codes_are_kept_by_an_open_enum() -> None:
    value = codec(Kind).decode(octets("ffffffff"))
    assert (value, value.name, isinstance(value, Kind)) == (0xFFFFFFFF, "Kind_4294967295", True)
    assert codec(Kind).encode(value) == octets("ffffffff")
    with pytest.raises(ValueError, match="4294967296"):
        Kind(1 << 32)


# --- refusals while reading --------------------------------------------------------------------------------------------

INNER = arguments("outer", ("head", Octet), ("items", tuple[Mixed, ...]))

REFUSED: list[tuple[CDRType, str, type[DecodeError], str, int, str]] = [
    (ULong, "", TruncatedError, "", 0, "unsigned long needs 4 octets, 0 are left"),
    (ULong, "000000", TruncatedError, "", 0, "unsigned long needs 4 octets, 3 are left"),
    (Boolean, "02", DecodeError, "", 0, "boolean must be 0 or 1, not 2"),
    (String, "00000000", DecodeError, "", 4, "string of length 0"),
    (String, "00000005 61626300", TruncatedError, "", 4, "string needs 5 octets, 4 are left"),
    (String, "00000003 616263", DecodeError, "", 6, "does not end with NUL"),
    (String, "00000003 610000", DecodeError, "", 5, "string contains NUL"),
    (String, "ffffffff 6100", LimitExceeded, "", 4, "4294967294 exceeds the limit string_length=1048576"),
    (StringType(1), "00000003 616200", DecodeError, "", 4, "2 characters in a string<1>"),
    (OctetSequence, "00000004 0000", TruncatedError, "", 4, "sequence<octet> needs 4 octets, 2 are left"),
    (OctetSequence, "ffffffff", LimitExceeded, "", 4, "4294967295 exceeds the limit sequence_length=16777216"),
    (OctetSequenceType(1), "00000002 0000", DecodeError, "", 4, "2 octets in a sequence<octet, 1>"),
    (OctetArray(3), "0000", TruncatedError, "", 0, "octet[3] needs 3 octets, 2 are left"),
    (Sequence(Double), "00000002 00000000 3ff0000000000000", TruncatedError, "", 4, "2 elements of at least 8 octets, 12 octets"),
    (Sequence(Double), "00000001 3ff0000000000000", TruncatedError, "[0]", 8, "double needs 8 octets, 4 are left"),
    (Sequence(ULong), "7fffffff", LimitExceeded, "", 4, "exceeds the limit sequence_length"),
    (Sequence(ULong, 1), "00000002 0000000000000000", DecodeError, "", 4, "2 elements in a sequence bounded by 1"),
    (Array(Short, 2), "0000 00", TruncatedError, "[1]", 2, "short needs 2 octets, 1 are left"),
    (Enum(Colour), "00000007", DecodeError, "", 0, "7 is no Colour"),
    (cdr_type(Mixed), "01 00000000000000 0000000000000002 00000002 7878 01", DecodeError, "text", 21, "does not end with NUL"),
    (INNER, "01 000000 00000001 07 00000000000000 00000000000000ff 00000002 7800 02", DecodeError, "items[0].flag", 30, "not 2"),
    (INNER, "01 000000 00000009 07", TruncatedError, "items", 8, "9 elements of at least 15 octets, 1 octets are left"),
    (cdr_type(Amount), "0001", TruncatedError, "value", 4, "long needs 4 octets, 0 are left"),
    (Encapsulation(Octet), "00000000", TruncatedError, "", 4, "byte order of an encapsulation needs 1 octets"),
    (Encapsulation(Octet), "00000002 0207", DecodeError, "", 4, "byte order of an encapsulation must be 0 or 1, not 2"),
    (Encapsulation(Octet), "00000003 000708", DecodeError, "", 6, "1 octets left over in an encapsulation"),
    (Encapsulation(ULong), "00000006 00 000000 0000", TruncatedError, "", 8, "unsigned long needs 4 octets, 2 are left"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "text", "error", "path", "offset", "reason"), REFUSED, ids=[f"{r[5]}-{r[1]}" for r in REFUSED]
)
def test_refused(declared: CDRType, text: str, error: type[DecodeError], path: str, offset: int, reason: str) -> None:
    raises(error, lambda: Codec(declared).decode(octets(text)), path, offset, reason)


def test_offsets_count_from_the_first_octet_given() -> None:
    message = b"x" * 9 + octets("000000 00000003 616263")
    error = raises(DecodeError, lambda: codec(str).decode(message, start=9), "", 18, "does not end with NUL")
    assert error.excerpt == b"c"
    assert str(error) == "value at offset 18: string does not end with NUL (octets here: 63)"


def test_offsets_inside_encapsulations_count_from_outside() -> None:
    declared = codec(arguments("f", ("a", Octet), ("e", Encapsulation(Encapsulation(Boolean)))))
    raises(DecodeError, lambda: declared.decode(octets("01 000000 0000000a 00 000000 00000002 00 05")), "e", 17, "not 5")


def test_octets_left_over() -> None:
    error = raises(TrailingDataError, lambda: codec(bool).decode(b"\1\2\3"), "", 1, "2 octets left over")
    assert error.excerpt == b"\2\3"
    assert codec(bool).decode(b"\1\2\3", exact=False) is True
    assert codec(bool).decode_from(b"\1\2\1", 2) == (True, 3)


def test_a_union_without_a_case() -> None:
    strict = arguments("u", ("discriminator", Long), ("value", Switch({1: Octet})))
    raises(DecodeError, lambda: Codec(strict).decode(octets("00000002 07")), "value", 4, "no case for discriminator = 2")


def test_limits() -> None:
    limits = Limits(string_length=3, sequence_length=2)
    assert codec(str).decode(octets("00000004 61616100"), limits=limits) == "aaa"
    with pytest.raises(LimitExceeded) as caught:
        codec(str).decode(octets("00000005 6161616100"), limits=limits)
    assert (caught.value.limit, caught.value.value, caught.value.offset) == ("string_length", 4, 4)
    for declared in (OctetSequence, Sequence(Octet), Sequence(String)):
        with pytest.raises(LimitExceeded) as caught:
            Codec(declared).decode(octets("00000003") + bytes(32), limits=limits)
        assert (caught.value.limit, caught.value.value, caught.value.offset) == ("sequence_length", 3, 4)
    with pytest.raises(LimitExceeded):
        Codec(Encapsulation(String)).decode(octets("0000000d 00 000000 00000005 6161616100"), limits=Limits(sequence_length=12))


def test_a_count_is_checked_before_anything_is_kept() -> None:
    """Eight million elements are within the limit of elements, but not in four octets."""
    raises(TruncatedError, lambda: Codec(Sequence(cdr_type(IOR))).decode(octets("00700000 00000000")), "", 4, "7340032 elements")


def test_what_is_wrong_is_not_looked_for_without_end() -> None:
    """The construct engine takes microseconds a field; a peer must not make it look at millions of them."""
    whole = codec(tuple[str, ...]).encode(("",) * 100_000)
    for bad, reason in ((9_000, "does not end with NUL"), (100_000, "not for one of the fields before")):
        damaged = bytearray(whole)
        damaged[8 * bad] = 1
        with pytest.raises(DecodeError, match=reason):
            codec(tuple[str, ...]).decode(bytes(damaged))


def test_what_a_dataclass_refuses_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Picky:
        number: Annotated[int, Octet]

        def __post_init__(self) -> None:
            if self.number == 1:
                raise ValueError("one is refused")
            if self.number == 2:
                raise TypeError("two is refused")

    declared = codec(arguments("f", ("a", Octet), ("picky", Picky)))
    assert declared.decode(b"\0\3") == (0, Picky(3))
    raises(DecodeError, lambda: declared.decode(b"\0\1"), "picky", 1, "one is refused")
    raises(DecodeError, lambda: declared.decode(b"\0\2"), "picky", 1, "two is refused")


def test_dataclasses_of_every_form() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Keywords:
        a: Annotated[int, Octet]
        b: Annotated[int, Octet]

    @dataclass
    class Partly:
        a: Annotated[int, Octet] = field(kw_only=True)
        b: Annotated[int, Octet]

    for value in (Keywords(a=1, b=2), Partly(2, a=1)):
        declared = codec(type(value))
        assert declared.encode(value) == b"\1\2"
        assert declared.decode(b"\1\2") == value
        assert declared.explain(b"\1\2")[1] is None


# --- refusals while writing --------------------------------------------------------------------------------------------

UNFIT: list[tuple[CDRType, Any, str, str]] = [
    (Octet, 256, "", "256 is no octet"),
    (Short, "1", "", "'1' is no short"),
    (ULong, -1, "", "-1 is no unsigned long"),
    (ULong, 10**5000, "", "a value of type int is no unsigned long"),
    (ULong, "x" * 1000, "", "xxx... is no unsigned long"),
    (Float, 1e39, "", "1e+39 is no float"),
    (Boolean, 2, "", "boolean must be True or False, not 2"),
    (Char, "ab", "", "char must be one character, not 'ab'"),
    (Char, "\u0100", "", "character U+0100 at index 0 is not in code set ISO-8859-1"),
    (String, None, "", "string must be str, not NoneType"),
    (String, "a\0", "", "string contains NUL"),
    (String, "\u20ac", "", "character U+20AC at index 0 is not in code set ISO-8859-1"),
    (StringType(1), "ab", "", "2 characters in a string<1>"),
    (OctetSequence, "ab", "", "octets must be bytes, not str"),
    (OctetSequenceType(1), b"ab", "", "2 octets in a sequence<octet, 1>"),
    (OctetArray(2), b"a", "", "1 octets in an octet[2]"),
    (Sequence(Octet), "ab", "", "must be a tuple or list, not str"),
    (Sequence(Octet, 1), (1, 2), "", "2 elements in a sequence bounded by 1"),
    (Sequence(String), ("a", None), "[1]", "must be str"),
    (Array(Octet, 2), (1,), "", "1 elements in an array of 2"),
    (Enum(Colour), 7, "", "7 is no Colour"),
    (Enum(Kind), 1 << 32, "", "4294967296 is no unsigned long"),
    (cdr_type(Mixed), Mixed(1, -1, "", True), "large", "-1 is no unsigned long long"),
    (cdr_type(Mixed), object(), "", "object is no Mixed: it has no small"),
    (arguments("f", ("a", Octet)), (1, 2), "", "f takes 1 values (a)"),
    (cdr_type(Amount), Amount(3, 1), "value", "kind = 3 has no arm, its value must be None"),
    (Encapsulation(arguments("f", ("a", Octet))), (None,), "a", "None is no octet"),
    (cdr_type(IOR), IOR("", (TaggedProfile(0, b""), TaggedProfile(-1, b""))), "profiles[1].tag", "-1 is no unsigned long"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "value", "path", "reason"), UNFIT, ids=[f"{u[3]}" for u in UNFIT])
def test_unfit(declared: CDRType, value: Any, path: str, reason: str) -> None:
    out = bytearray(b"abc")
    with pytest.raises(EncodeError) as caught:
        Codec(declared).encode_into(out, value)
    assert caught.value.path == path
    assert reason in caught.value.reason
    assert caught.value.offset is None
    assert out == b"abc"


def test_every_refusal_is_a_value_error_of_ours() -> None:
    assert issubclass(CodecError, IIOPError)
    assert issubclass(CodecError, ValueError)


class Lazy:
    """Counts and iterates, but has no truth, as arrays of NumPy."""

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.parametrize("value", [[1, 2], array("i", [1, 2]), range(1, 3), Lazy()], ids=lambda it: type(it).__name__)
def test_any_collection_is_a_sequence(value: Any) -> None:
    assert Codec(Sequence(Long)).encode(value) == octets("00000002 00000001 00000002")
    assert Codec(Array(Long, 2)).encode(value) == octets("00000001 00000002")


# --- declarations ------------------------------------------------------------------------------------------------------


def test_annotations_are_declarations() -> None:
    @dataclass(frozen=True, slots=True)
    class Every:
        text: str
        data: bytes
        flag: bool
        colour: Colour
        mixed: Mixed
        many: tuple[Mixed, ...]
        number: Annotated[int, Long]
        hidden: Annotated[tuple[str, ...], "a remark"]

    types = [member.type for member in cdr_type(Every).fields]  # type: ignore[attr-defined]
    mixed = cdr_type(Mixed)
    assert types == [String, OctetSequence, Boolean, Enum(Colour), mixed, Sequence(mixed), Long, Sequence(String)]


@pytest.mark.parametrize("annotation", [int, float, list[int], tuple[str, str], tuple[int, ...], None, object, "str"])
def test_annotations_that_say_too_little(annotation: Any) -> None:
    with pytest.raises(TypeError, match="does not say how it lies on the wire"):
        cdr_type(annotation)


def test_the_field_is_named_whose_annotation_says_too_little() -> None:
    @dataclass
    class Wrong:
        number: int

    with pytest.raises(TypeError, match=r"Wrong\.number"):
        cdr_type(Wrong)


def test_declarations_that_cannot_be() -> None:
    with pytest.raises(TypeError, match="may take no octets"):
        Sequence(Array(Octet, 0))
    with pytest.raises(TypeError, match="at least one case"):
        Switch({})
    with pytest.raises(TypeError, match=r"s\.arm depends on 'label', which is no field before it"):
        Struct("s", (Field("arm", Switch({1: None}, on="label")), Field("label", Long)))


def test_sequences_nested_deep() -> None:
    """Python admits 20 loops inside each other; IDL admits any number."""
    declared: CDRType = Double
    value: Any = 1.0
    for _ in range(40):
        declared, value = Sequence(declared), (value,)
    assert Codec(declared).decode(Codec(declared).encode(value)) == value


def test_arrays_nested_deep_are_not_written_out() -> None:
    declared: CDRType = Array(Array(Array(Array(Octet, 16), 16), 16), 16)
    value = ((((1,) * 16,) * 16,) * 16,) * 16
    made = Codec(declared)
    assert made.decode(made.encode(value)) == value
    assert len(made._decoders[0].source) < 2000  # type: ignore[attr-defined]


# --- explain -----------------------------------------------------------------------------------------------------------


def test_explain() -> None:
    reference = IOR("IDL:A:1.0", (TaggedProfile(5, b"xy"),))
    whole = IOR_CODEC.encode(reference)
    trace, error = IOR_CODEC.explain(whole)
    assert error is None
    assert [(it.offset, it.length, it.path, it.type, it.value) for it in trace] == [
        (0, 4, "type_id.length", "unsigned long", 10),
        (4, 10, "type_id", "string", "IDL:A:1.0"),
        (16, 4, "profiles.length", "unsigned long", 1),
        (20, 4, "profiles[0].tag", "unsigned long", 5),
        (24, 4, "profiles[0].profile_data.length", "unsigned long", 2),
        (28, 2, "profiles[0].profile_data", "sequence<octet>", b"xy"),
    ]


def test_explain_tells_how_far_it_got() -> None:
    trace, error = codec(Mixed).explain(octets("01 00000000000000 0000000000000002 00000002 7878 01"))
    assert [it.path for it in trace] == ["small", "large", "text.length"]
    assert error is not None
    assert (error.path, error.offset) == ("text", 21)


def test_explain_counts_offsets_inside_encapsulations_from_outside() -> None:
    trace, error = Codec(Encapsulation(ULong)).explain(octets("00000008 00 000000 00000005"))
    assert error is None
    assert [(it.offset, it.value) for it in trace] == [(0, 8), (4, octets("00 000000 00000005")), (8, 5)]


# --- buffers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Samples:
    """What a user declares who moves much data."""

    name: str
    raw: Annotated[memoryview, OctetSequenceType(view=True)]
    values: Annotated[Any, Sequence(Double, buffer="array")]


@pytest.mark.parametrize("order", ByteOrder)
def test_large_data_is_not_taken_apart(order: ByteOrder) -> None:
    given = Samples("a", memoryview(b"xyz"), array("d", [1.5, -2.0, float("inf")]))
    octets = codec(Samples).encode(given, order)
    assert octets[12:20] == b"xyz\0" + (3).to_bytes(4, order.name.lower())  # type: ignore[arg-type]
    read = codec(Samples).decode(octets, order)
    assert read == given
    assert type(read.raw) is memoryview
    assert type(read.values) is array


def test_a_view_is_of_the_message_and_keeps_it() -> None:
    message = codec(Samples).encode(Samples("a", memoryview(bytes(1000)), array("d")))
    held = sys.getrefcount(message)
    view = codec(Samples).decode(message).raw
    assert view.obj is message
    assert view.readonly
    assert sys.getrefcount(message) > held
    del message
    gc.collect()
    assert bytes(view) == bytes(1000)


def test_a_view_in_an_encapsulation_is_of_that() -> None:
    it = Codec(Encapsulation(OctetSequenceType(view=True)))
    view = it.decode(it.encode(b"abc"))
    assert bytes(view) == b"abc"
    assert len(view.obj) == 11


@pytest.mark.parametrize(
    ("element", "big"),
    [
        (Octet, "00 00 00 02 01 02"),
        (Short, "00 00 00 02 00 01 00 02"),
        (ULong, "00 00 00 02 00 00 00 01 00 00 00 02"),
        (LongLong, "00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02"),
        (Float, "00 00 00 02 3f 80 00 00 40 00 00 00"),
        (Double, "00 00 00 02 00 00 00 00 3f f0 00 00 00 00 00 00 40 00 00 00 00 00 00 00"),
    ],
)
def test_arrays_are_swapped_in_bulk(element: Any, big: str) -> None:
    it = Codec(Sequence(element, buffer="array"))
    octets = bytes.fromhex(big)
    little = octets[3::-1] + octets[4 : -2 * element.size]
    for end in (len(octets) - element.size, len(octets)):
        little += octets[end - element.size : end][::-1]
    for order, text in ((BIG, octets), (LITTLE, little)):
        value = it.decode(text, order)
        assert value == array(element.format, [1, 2])
        assert value.typecode == element.format
        assert it.encode(value, order) == it.encode((1, 2), order) == text


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("element", [Octet, Short, ULong, LongLong, Float, Double])
def test_large_arrays_are_swapped_alike_with_and_without_numpy(
    element: Any, loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not loaded:
        monkeypatch.setitem(sys.modules, "numpy", None)
    amount = 20_000 * 8 // element.size
    octets = (bytes(range(256)) + b"\x7f\xf0\0\0\0\0\0\1") * 606 + bytes(16)  # NaN among them
    value = array(element.format, octets[: amount * element.size])
    swapped = array(element.format, value)
    swapped.byteswap()
    it = Codec(Sequence(element, buffer="array"))
    for order in ByteOrder:
        lead = amount.to_bytes(4, order.name.lower()) + bytes(-4 % element.size)  # type: ignore[arg-type]
        expected = lead + (value if order.name.lower() == sys.byteorder else swapped).tobytes()
        assert it.encode(value, order) == expected
        read = it.decode(expected, order)
        assert type(read) is array
        assert read.tobytes() == value.tobytes()


@pytest.mark.parametrize("order", ByteOrder)
def test_a_numpy_array_is_native_and_read_only_in_either_order(order: ByteOrder) -> None:
    it = Codec(Sequence(Double, buffer="numpy"))
    value = it.decode(it.encode([1.5, 2.5], order), order)
    assert isinstance(value, numpy.ndarray)
    assert value.dtype == numpy.dtype("d")
    assert value.dtype.isnative
    assert not value.flags.writeable
    assert value.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("buffer", ["array", "numpy"])
def test_the_empty_buffer_has_no_padding_behind_its_length(buffer: Any) -> None:
    it = Codec(Sequence(Double, buffer=buffer))
    for empty in (array("d"), numpy.empty(0), ()):
        assert it.encode(empty) == bytes(4)
    assert len(it.decode(bytes(4))) == 0


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (array("f", [1.0]), "a buffer of items 'f' of 4 octets is no sequence<double>"),
        (array("q", [1]), "a buffer of items 'q' of 8 octets is no sequence<double>"),
        (b"12345678", "a buffer of items 'B' of 1 octets is no sequence<double>"),
        (numpy.zeros((2, 2)), "a buffer of 2 dimensions is no sequence"),
        (array("d", range(4)), "4 elements in a sequence bounded by 3"),
        ((1.0, 2.0, 3.0, 4.0), "4 elements in a sequence bounded by 3"),
        ("abc", "must be a tuple or list, not str"),
        (None, "must be a tuple or list, not NoneType"),
    ],
)
@pytest.mark.parametrize("buffer", ["array", "numpy"])
def test_wrong_items_are_named(buffer: Any, value: Any, reason: str) -> None:
    declared = arguments("op", ("first", bool), ("values", Sequence(Double, 3, buffer=buffer)))
    with pytest.raises(EncodeError) as caught:
        Codec(declared).encode((True, value))
    assert caught.value.path == "values"
    assert reason in str(caught.value)


@pytest.mark.parametrize("declared", [Sequence(Long), Sequence(String), Array(Long, 2)], ids=repr)
def test_what_is_no_collection_does_not_fit(declared: CDRType) -> None:
    released = memoryview(b"ab")
    released.release()
    for value in (str, released, None, 1, "ab", b"ab", iter((1, 2))):
        with pytest.raises(EncodeError, match="must be a tuple or list"):
            Codec(declared).encode(value)


def test_a_number_that_does_not_fit_a_buffer_is_named() -> None:
    with pytest.raises(EncodeError) as caught:
        Codec(Sequence(Short, buffer="array")).encode([1, 70000])
    assert caught.value.path == "[1]"


@pytest.mark.parametrize(
    ("text", "error", "offset"),
    [
        ("00 00 00 02 00 00 00 00 3f f0 00 00 00 00 00 00", TruncatedError, 4),
        ("00 00 00 01 00 00 00 00 3f f0 00 00", TruncatedError, 8),
        ("00 00 00 04" + "00" * 40, DecodeError, 4),
    ],
)
@pytest.mark.parametrize("buffer", ["array", "numpy"])
def test_buffers_refused(buffer: Any, text: str, error: type[DecodeError], offset: int) -> None:
    with pytest.raises(error) as caught:
        Codec(Sequence(Double, 3, buffer=buffer)).decode(bytes.fromhex(text))
    assert caught.value.offset == offset


def test_buffers_that_cannot_be_declared() -> None:
    for element in (Boolean, Char, String, Sequence(Long)):
        with pytest.raises(TypeError, match="no buffer holds"):
            Sequence(element, buffer="array")
    with pytest.raises(TypeError, match="a buffer is one of"):
        Sequence(Long, buffer="list")  # type: ignore[arg-type]


def test_without_numpy_its_arrays_cannot_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError):
        Sequence(Long, buffer="numpy")
    assert Codec(Sequence(Long, buffer="array")).decode(bytes(4)) == array("i")


def test_numpy_is_imported_only_where_it_is_asked_for() -> None:
    program = (
        "import sys; from iiop.cdr import *; it = Codec(Sequence(Long, buffer='array')); it.decode(it.encode([1])); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# --- how values are made ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Weak:
    a: Annotated[int, Long]


@dataclass(slots=True)
class Open:
    a: Annotated[int, Long]
    b: Annotated[int, Octet] = field(default=7, kw_only=True)


@dataclass(frozen=True, slots=True)
class Heir(Weak):
    c: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class Last:
    a: Annotated[int, Long]

    def __init_subclass__(cls) -> None:
        raise TypeError("this class has no subclasses")


@dataclass(frozen=True, slots=True)
class Made:
    a: Annotated[int, Long]

    def __new__(cls, *values: int) -> Made:
        return object.__new__(cls)


@pytest.mark.parametrize("value", [Weak(1), Open(1, b=2), Heir(1, 3), Last(4), Made(5)])
def test_decoded_values_are_like_constructed_ones(value: Any) -> None:
    read = codec(type(value)).decode(codec(type(value)).encode(value))
    assert type(read) is type(value)
    assert read == value
    if isinstance(value, Weak):
        assert hash(read) == hash(value)
        with pytest.raises(FrozenInstanceError):
            read.a = 5
    assert copy.copy(read) == value
    assert pickle.loads(pickle.dumps(read)) == value


@pytest.mark.parametrize("order", ByteOrder)
def test_what_follows_a_string_is_aligned_wherever_that_ends(order: ByteOrder) -> None:
    it = Codec(arguments("op", ("name", str), ("flag", Octet), ("value", Double), ("port", UShort), ("total", ULong)))
    mark = "><"[order]
    for size in range(9):
        value = ("n" * size, 7, 0.5, 8002, 42)
        octets = struct.pack(f"{mark}I{size}sxB", size + 1, b"n" * size, 7)
        octets += bytes(-len(octets) % 8) + struct.pack(f"{mark}dHxxI", 0.5, 8002, 42)
        assert it.encode(value, order) == octets
        assert it.decode(octets, order) == value
        for end in range(len(octets)):
            with pytest.raises(TruncatedError):
                it.decode(octets[:end], order)


@pytest.mark.parametrize("order", ByteOrder)
def test_elements_of_one_size_are_read_in_strides(order: ByteOrder) -> None:
    """The padding between two elements counts, that before the first and behind the last may be missing."""
    declared = Sequence(arguments("s", ("a", Double), ("b", Octet), ("c", Enum(Colour))))
    it = Codec(declared)
    for size in (0, 1, 2, 5):
        value = tuple((number / 2, number, Colour.green) for number in range(size))
        octets = it.encode(value, order)
        assert it.decode(octets, order) == value
        for end in range(len(octets)):
            with pytest.raises(TruncatedError):
                it.decode(octets[:end], order)


def test_array_of_what_takes_no_octets() -> None:
    declared = Codec(Array(OctetArray(0), 17))
    assert declared.decode(declared.encode((b"",) * 17)) == (b"",) * 17


def test_what_is_no_text_is_not_searched() -> None:
    class Endless:
        def __contains__(self, item: object) -> bool:
            raise AssertionError("was searched")

    with pytest.raises(EncodeError, match="string must be str, not Endless"):
        codec(str).encode(Endless())


def test_bounds_and_lengths_in_annotations() -> None:
    """What `Sequence(X, n)` and `Array(X, n)` say, without saying X again."""
    bounded = Annotated[tuple[Annotated[int, Short], ...], Bound(2)]
    assert cdr_type(bounded) == Sequence(Short, 2)
    assert cdr_type(Annotated[tuple[bounded, ...], Length(3)]) == Array(Sequence(Short, 2), 3)
    with pytest.raises(TypeError, match="no sequence"):
        cdr_type(Annotated[str, Bound(2)])
    with pytest.raises(TypeError, match="no sequence"):
        cdr_type(Annotated[bool, Length(2)])

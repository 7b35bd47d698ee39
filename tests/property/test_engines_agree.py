"""The two engines are one: same values, same octets, same refusals, for every type there can be and every type there is."""

from __future__ import annotations

import functools
from array import array
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import numpy
import pytest
from hypothesis import example, given, note
from hypothesis import strategies as st

from iiop import profile
from iiop.cdr import Binary128, ByteOrder, CDRType, Codec, Value, cdr_type, constructs
from iiop.cdr import types as t
from iiop.cdr.codec import _COMPLAINTS
from iiop.cdr.codegen import Interpreted, Phase
from iiop.cdr.decoder import compile_decoder
from iiop.cdr.encoder import compile_encoder
from iiop.cdr.fixed import Fixed
from iiop.cdr.long_double import LongDoubleType
from iiop.cdr.source import Input
from iiop.cdr.value_types import ValueType
from iiop.cdr.wide import WideChar
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.giop import header, messages, v1_0, v1_1, v1_2
from iiop.iop import IOR, ServiceContext, TaggedComponent, TaggedProfile
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_fuzz import strategies as iiop_st
from iiop_fuzz._cdr import NUMBERS, PRIMITIVES, integer_range
from naming import types as naming_types

REFUSED = "refused"
OFFSETS = range(8)

DECLARED: list[type[Any]] = [
    IOR,
    ServiceContext,
    TaggedComponent,
    TaggedProfile,
    header.MessageHeader,
    messages.IORAddressingInfo,
    messages.SystemExceptionReplyBody,
    messages.TargetAddress,
    v1_0.CancelRequestHeader,
    v1_0.LocateReplyHeader,
    v1_0.LocateRequestHeader_1_0,
    v1_0.ReplyHeader_1_0,
    v1_0.RequestHeader_1_0,
    v1_1.RequestHeader_1_1,
    v1_2.LocateRequestHeader_1_2,
    v1_2.ReplyHeader_1_2,
    v1_2.RequestHeader_1_2,
    profile.AlternateAddress,
    profile.BiDirIIOPServiceContext,
    profile.CodeSetComponentInfo,
    profile.CodeSetContext,
    profile.ListenPoint,
    profile.ORBType,
    profile.ProfileBody_1_0,
    profile.ProfileBody_1_1,
    profile.Version,
    naming_types.Binding,
    naming_types.CannotProceed,
    naming_types.InvalidName,
    naming_types.NameComponent,
    naming_types.NotFound,
]
"""Every layout this project declares."""


def test_no_declaration_is_forgotten() -> None:
    modules = (messages, header, v1_0, v1_1, v1_2, profile)
    found = {
        cls
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and is_dataclass(cls) and cls.__module__ == module.__name__ and _is_declaration(cls)
    }
    parts = {profile.CodeSetComponent}
    only_by_accident = {messages.CloseConnection, messages.MessageError}
    assert found - parts - only_by_accident <= set(DECLARED)


def _is_declaration(cls: type[Any]) -> bool:
    try:
        cdr_type(cls)
    except TypeError:
        return False
    return True


types_and_values = iiop_st.cdr_types().flatmap(lambda it: st.tuples(st.just(it), iiop_st.cdr_values(it, allow_nan=True)))
declared_and_values = st.sampled_from(DECLARED).flatmap(
    lambda cls: st.tuples(st.just(cdr_type(cls)), iiop_st.cdr_values(cdr_type(cls)))
)


def compiled_decode(declared: CDRType, octets: bytes, start: int, order: ByteOrder, limits: Limits) -> Any:
    try:
        return compile_decoder(declared, order, Phase.at(start))(octets, start, limits)
    except Interpreted:
        return construct_decode(declared, octets, start, order, limits)
    except _COMPLAINTS:
        return REFUSED


def construct_decode(declared: CDRType, octets: bytes, start: int, order: ByteOrder, limits: Limits) -> Any:
    try:
        return constructs.parse(declared, Input(octets, limits, start), order)
    except DecodeError:
        return REFUSED


def compiled_encode(declared: CDRType, value: Any, start: int, order: ByteOrder) -> Any:
    out = bytearray(start)
    try:
        compile_encoder(declared, order, Phase.at(start))(value, out)
    except Interpreted:
        return construct_encode(declared, value, start, order)
    except _COMPLAINTS:
        return REFUSED
    return bytes(out[start:])


def construct_encode(declared: CDRType, value: Any, start: int, order: ByteOrder) -> Any:
    try:
        return constructs.build(declared, value, order, start)
    except EncodeError:
        return REFUSED


def same(one: Any, other: Any) -> bool:
    """Compare so that NaN is NaN, and True is not 1, and a buffer is its type, items and octets."""
    return repr(plain(one)) == repr(plain(other))


def plain(value: Any, seen: dict[int, int] | None = None) -> Any:
    """Return a value whose repr says all of it: what a buffer is, which of the values of value types are one object."""
    seen = {} if seen is None else seen
    if isinstance(value, memoryview | array | numpy.ndarray):
        view = memoryview(value)
        return type(value).__name__, view.format, view.shape, view.readonly, view.tobytes()
    if isinstance(value, Binary128):
        return "Binary128", value.bits
    if isinstance(value, tuple):
        return tuple([plain(element, seen) for element in value])
    if isinstance(value, Value):
        if id(value) in seen:
            return "again", seen[id(value)]
        seen[id(value)] = len(seen)
    if is_dataclass(value):
        return type(value).__name__, [(member.name, plain(getattr(value, member.name), seen)) for member in fields(value)]
    return value


def assert_decoded_alike(declared: CDRType, octets: bytes, start: int, order: ByteOrder, limits: Limits = DEFAULT_LIMITS) -> Any:
    ours = compiled_decode(declared, octets, start, order, limits)
    oracle = construct_decode(declared, octets, start, order, limits)
    assert same(ours, oracle), f"{declared} at {start}, {order.name}: {octets!r}"
    codec = Codec(declared)
    if oracle != REFUSED:
        assert same(codec.decode_from(octets, start, order, limits), oracle)
        return oracle
    with pytest.raises(DecodeError) as caught:
        codec.decode_from(octets, start, order, limits)
    assert "engines disagree" not in str(caught.value)
    assert caught.value.offset is not None
    return REFUSED


def assert_refused_alike(declared: CDRType, value: Any, start: int, order: ByteOrder) -> None:
    assert compiled_encode(declared, value, start, order) == REFUSED
    assert construct_encode(declared, value, start, order) == REFUSED
    out = bytearray(start)
    with pytest.raises(EncodeError) as caught:
        Codec(declared).encode_into(out, value, order)
    assert "engines disagree" not in str(caught.value)
    assert out == bytearray(start), "a refused value leaves nothing behind"


def assert_round_trip(declared: CDRType, value: Any) -> None:
    for order in ByteOrder:
        for start in OFFSETS:
            octets = compiled_encode(declared, value, start, order)
            assert octets != REFUSED
            assert octets == construct_encode(declared, value, start, order)
            whole = bytes(start) + octets
            decoded = assert_decoded_alike(declared, whole, start, order)
            assert decoded != REFUSED
            assert same(decoded, (value, len(whole)))


@given(types_and_values)
@example((t.Array(t.OctetArray(0), 17), (b"",) * 17))
def test_any_type(case: tuple[CDRType, Any]) -> None:
    assert_round_trip(*case)


@given(declared_and_values)
def test_our_declarations(case: tuple[CDRType, Any]) -> None:
    assert_round_trip(*case)


@st.composite
def damaged(draw: st.DrawFn, cases: st.SearchStrategy[tuple[CDRType, Any]]) -> tuple[CDRType, bytes, int, ByteOrder]:
    """Draw a type and octets that were a value of it before some were changed, cut off or added."""
    declared, value = draw(cases)
    start, order = draw(st.integers(0, 7)), draw(iiop_st.byte_orders())
    octets = bytearray(start) + bytearray(compiled_encode(declared, value, start, order))
    places = st.integers(0, max(0, len(octets) - 1))
    for place in draw(st.lists(places, max_size=4)):
        if octets:
            octets[place] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    if draw(st.booleans()):
        del octets[max(start, draw(places)) :]
    return declared, bytes(octets) + draw(st.binary(max_size=4)), start, order


small = st.just(Limits(sequence_length=3, string_length=2))
limits = st.just(DEFAULT_LIMITS) | small


@given(damaged(types_and_values), limits)
def test_damaged_octets_of_any_type(case: tuple[CDRType, bytes, int, ByteOrder], limits: Limits) -> None:
    assert_decoded_alike(*case, limits)


@given(damaged(declared_and_values), limits)
def test_damaged_octets_of_our_declarations(case: tuple[CDRType, bytes, int, ByteOrder], limits: Limits) -> None:
    assert_decoded_alike(*case, limits)


@given(declared_and_values, iiop_st.byte_orders(), st.integers(0, 7))
def test_truncated_everywhere(case: tuple[CDRType, Any], order: ByteOrder, start: int) -> None:
    declared, value = case
    octets = bytes(start) + compiled_encode(declared, value, start, order)
    for end in range(start, len(octets)):
        note(str(end))
        assert assert_decoded_alike(declared, octets[:end], start, order) == REFUSED


@given(iiop_st.cdr_types() | st.sampled_from(DECLARED).map(cdr_type), st.binary(max_size=64), st.integers(0, 7), limits)
def test_random_octets(declared: CDRType, octets: bytes, start: int, limits: Limits) -> None:
    for order in ByteOrder:
        assert_decoded_alike(declared, bytes(start) + octets, start, order, limits)


# --- values that do not fit -------------------------------------------------------------------------------------------


class Nothing:
    """Has no attribute a structure could want."""


@functools.singledispatch
def misfits(declared: CDRType) -> st.SearchStrategy[Any]:
    """Draw a value that is wrong for the type in exactly one place."""
    raise TypeError(declared)


@misfits.register
def _(declared: t.Primitive) -> st.SearchStrategy[Any]:
    if declared is t.Boolean:
        return st.sampled_from([None, 2, -1, "x", "", [], 0.5])
    if declared is t.Char:
        return st.sampled_from([None, "", "ab", 7, b"a", "\u0100", "\ud800", []])
    if declared.format in "fd":
        return st.sampled_from([None, "1.0", [], 1j, 10**400] + ([1e39, -1e300] if declared is t.Float else []))
    least, most = integer_range(declared)
    return st.sampled_from([None, "1", 1.5, 1.0, [], least - 1, most + 1, 10**400, -(10**5000), b"\1"])


@misfits.register
def _(declared: t.StringType) -> st.SearchStrategy[Any]:
    wrong: list[Any] = [None, 7, b"abc", "a\0b", "\0", "\u20ac", "\ud800", ["a"]]
    if declared.bound is not None:
        wrong.append("x" * (declared.bound + 1))
    return st.sampled_from(wrong)


@misfits.register
def _(declared: t.OctetSequenceType) -> st.SearchStrategy[Any]:
    wrong: list[Any] = [None, 7, "abc", [1, 2], (1,)]
    if declared.bound is not None:
        wrong.append(bytes(declared.bound + 1))
    return st.sampled_from(wrong)


@misfits.register
def _(declared: t.OctetArray) -> st.SearchStrategy[Any]:
    wrong: list[Any] = [None, 7, "abc", bytes(declared.length + 1), bytearray(declared.length + 1)]
    if declared.length:
        wrong += [b"", bytes(declared.length - 1)]
    return st.sampled_from(wrong)


@misfits.register
def _(declared: t.Enum) -> st.SearchStrategy[Any]:
    if declared.open:
        return st.sampled_from([None, -1, 1 << 32, "x", "red", 1.5, 1.0, [], Nothing()])
    return st.sampled_from([None, -1, 7, 1 << 32, "x", "red", 1.5, [], Nothing()])


@misfits.register
def _(declared: Fixed) -> st.SearchStrategy[Any]:
    numbers = [Decimal(10) ** (declared.digits - declared.scale), Decimal((1, (1,), -declared.scale - 1)), 10**5000]
    return st.sampled_from([None, "x", "", 1.5, [], (1, 2), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), *numbers])


@misfits.register
def _(declared: t.Recursive) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: misfits(declared.make()))


@misfits.register
def _(declared: LongDoubleType) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, "1.0", [], 1j, 10**400, 2**53 + 1, Decimal(1)])


@misfits.register
def _(declared: WideChar) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, 7, "", "ab", "\U0001f600", b"a"])


class Undeclared(Value):
    """Is derived from the base of all value types, and declares nothing."""


@misfits.register
def _(declared: ValueType) -> st.SearchStrategy[Any]:
    wrong: st.SearchStrategy[Any] = st.sampled_from([7, "abc", (), b"", Nothing(), Undeclared()])
    if not declared.abstract and declared.fields:
        wrong |= st.just(declared.cls.__new__(declared.cls))
        wrong |= st.sampled_from(declared.fields).flatmap(lambda member: _broken_value(declared, member))
    return wrong


def _broken_value(declared: ValueType, member: t.Field) -> st.SearchStrategy[Any]:
    def broken(wrong: Any, others: tuple[Any, ...]) -> Value:
        value = declared.cls.__new__(declared.cls)
        for (name, _), good in zip(declared.fields, others, strict=True):
            setattr(value, name, good)
        setattr(value, member.name, wrong)
        return value

    others = st.tuples(*[iiop_st.cdr_values(kind, max_size=2) for _, kind in declared.fields])
    return st.builds(broken, st.deferred(lambda: misfits(member.type)), others)


NOT_ELEMENTS = [None, 7, "abc", b"abc", iter(()), Nothing()]


@misfits.register
def _(declared: t.Sequence) -> st.SearchStrategy[Any]:
    good = iiop_st.cdr_values(declared.element, max_size=2)
    wrong: st.SearchStrategy[Any] = st.sampled_from([value for value in NOT_ELEMENTS if not fits(declared, value)])
    if declared.buffer is not None:
        wrong |= wrong_buffers(declared)
    if declared.bound is not None:
        wrong |= st.lists(good, min_size=declared.bound + 1, max_size=declared.bound + 2).map(tuple)
    if declared.bound is None or declared.bound >= 2:
        wrong |= st.tuples(good, misfits(declared.element)) | st.tuples(misfits(declared.element)).map(list)
    return wrong


def fits(declared: t.Sequence, value: Any) -> bool:
    """Tell whether a `bytes` is a buffer of the declared numbers."""
    return declared.buffer is not None and declared.element is t.Octet and isinstance(value, bytes)


def wrong_buffers(declared: t.Sequence) -> st.SearchStrategy[Any]:
    """Draw buffers of other numbers, of what is no number, of two dimensions or none, and too long ones."""
    assert isinstance(declared.element, t.Primitive)
    wrong: list[Any] = [array(other.format, [1]) for other in NUMBERS if other != declared.element]
    wrong += [
        array("u", "x"),
        numpy.array([True]),
        numpy.array([1j]),
        numpy.array(["a"]),
        numpy.array([None]),
        numpy.zeros(1, "M8[s]"),
    ]
    wrong += [numpy.zeros(1, "i4,i4"), numpy.zeros((2, 2), declared.element.format), numpy.zeros((), declared.element.format)]
    if declared.bound is not None:
        wrong += [array(declared.element.format, range(declared.bound + 1)), range(declared.bound + 1)]
    return st.sampled_from(wrong)


@misfits.register
def _(declared: t.Array) -> st.SearchStrategy[Any]:
    good = iiop_st.cdr_values(declared.element, max_size=2)
    wrong = st.sampled_from(NOT_ELEMENTS) | st.tuples(*[good] * (declared.length + 1))
    if declared.length:
        wrong |= st.just(()) | st.tuples(*[good] * (declared.length - 1), misfits(declared.element))
    return wrong


@misfits.register
def _(declared: t.Encapsulation) -> st.SearchStrategy[Any]:
    return misfits(declared.content)


@misfits.register
def _(declared: t.Struct) -> st.SearchStrategy[Any]:
    if declared.cls is None:
        wrong: st.SearchStrategy[Any] = st.sampled_from([None, 7, "abc", {}, Nothing(), (0,) * (len(declared.fields) + 1)])
        if declared.fields:
            wrong |= st.just(())
    elif declared.fields:
        wrong = st.sampled_from([None, 7, "abc", (), Nothing()])
    else:
        return st.nothing()
    places = [i for i, member in enumerate(declared.fields) if not isinstance(member.type, t.Switch)]
    return wrong | (st.sampled_from(places).flatmap(lambda place: _broken_member(declared, place)) if places else st.nothing())


def _broken_member(declared: t.Struct, place: int) -> st.SearchStrategy[Any]:
    def broken(values: Any, wrong: Any) -> Any:
        members = list(values) if declared.cls is None else [getattr(values, member.name) for member in declared.fields]
        members[place] = wrong
        return tuple(members) if declared.cls is None else declared.cls(*members)

    return st.builds(broken, iiop_st.cdr_values(declared, max_size=2), misfits(declared.fields[place].type))


def with_misfit(declared: CDRType) -> st.SearchStrategy[tuple[CDRType, Any]]:
    return st.tuples(st.just(declared), misfits(declared))


@given(iiop_st.cdr_types().flatmap(with_misfit), iiop_st.byte_orders(), st.integers(0, 7))
def test_values_that_do_not_fit_any_type(case: tuple[CDRType, Any], order: ByteOrder, start: int) -> None:
    assert_refused_alike(*case, start, order)


@given(st.sampled_from(DECLARED).map(cdr_type).flatmap(with_misfit), iiop_st.byte_orders())
def test_values_that_do_not_fit_our_declarations(case: tuple[CDRType, Any], order: ByteOrder) -> None:
    assert_refused_alike(*case, 0, order)


@pytest.mark.parametrize("declared", PRIMITIVES, ids=lambda it: it.name)
@given(data=st.data())
def test_numbers_at_their_edges(declared: t.Primitive, data: st.DataObject) -> None:
    for order in ByteOrder:
        assert_refused_alike(declared, data.draw(misfits(declared)), 3, order)


# --- buffers ----------------------------------------------------------------------------------------------------------

bounds = st.none() | st.integers(0, 5)
numpy_types = st.builds(t.Sequence, st.sampled_from(NUMBERS), bounds, buffer=st.just("numpy"))
buffer_types = numpy_types | st.builds(t.Sequence, st.sampled_from(NUMBERS), bounds, buffer=st.just("array"))


@given(numpy_types.flatmap(lambda it: st.tuples(st.just(it), iiop_st.cdr_values(it, allow_nan=True))))
def test_numpy(case: tuple[CDRType, Any]) -> None:
    assert_round_trip(*case)


@given(numpy_types.flatmap(with_misfit), iiop_st.byte_orders(), st.integers(0, 7))
def test_numpy_that_does_not_fit(case: tuple[CDRType, Any], order: ByteOrder, start: int) -> None:
    assert_refused_alike(*case, start, order)


@given(buffer_types, st.binary(max_size=64), st.integers(0, 7), limits)
def test_any_octets_are_numbers(declared: t.Sequence, octets: bytes, start: int, limits: Limits) -> None:
    """Octets drawn at random hold NaN of every kind: their bits are kept."""
    size = declared.element.min_size
    for order in ByteOrder:
        count = (len(octets) // size).to_bytes(4, order.name.lower())  # type: ignore[arg-type]
        whole = bytes(start + -start % 4) + count
        whole += bytes(-len(whole) % size) + octets
        decoded = assert_decoded_alike(declared, whole, start, order, limits)
        if decoded != REFUSED:
            value, end = decoded
            again = compiled_encode(declared, value, start, order)
            assert again == construct_encode(declared, value, start, order) == whole[start:end]


@given(st.data(), buffer_types, iiop_st.byte_orders(), st.integers(0, 7))
def test_every_buffer_of_the_right_items(data: st.DataObject, declared: t.Sequence, order: ByteOrder, start: int) -> None:
    element = declared.element
    assert isinstance(element, t.Primitive)
    values = data.draw(iiop_st.cdr_values(t.Sequence(element, declared.bound), allow_nan=True))
    native = numpy.array(values, "=" + element.format)
    twice = numpy.repeat(native, 2)
    forms = [
        values,
        list(values),
        array(element.format, values),
        memoryview(array(element.format, values)),
        native,
        native.astype("<" + element.format),
        native.astype(">" + element.format),
        twice[::2],
        twice.astype(">" + element.format)[::2],
        native[::-1].copy()[::-1],
        memoryview(twice)[::2],
    ]
    expected = construct_encode(t.Sequence(element, declared.bound), native.tolist(), start, order)
    for form in forms:
        assert compiled_encode(declared, form, start, order) == construct_encode(declared, form, start, order) == expected


@pytest.mark.parametrize("code", ["l", "L", "n", "N", "q", "Q"])
def test_items_are_known_by_kind_and_size(code: str) -> None:
    """`l` is a long long on one machine and a long on another; what counts is what the items are."""
    view = memoryview(bytes(16)).cast(code)
    fitting = {(8, True): t.LongLong, (8, False): t.ULongLong, (4, True): t.Long, (4, False): t.ULong}
    declared = t.Sequence(fitting[view.itemsize, code.islower()], buffer="array")
    for order in ByteOrder:
        assert compiled_encode(declared, view, 0, order) == construct_encode(declared, view, 0, order) != REFUSED


UNION = t.Struct(
    "union",
    (
        t.Field("discriminator", t.Long),
        t.Field("value", t.Switch({1: t.String, 2: None, 3: t.Double})),
        t.Field("other", t.Switch({1: t.Octet}, default=None)),
    ),
)


@pytest.mark.parametrize("value", [(7, None, None), (1, None, 1), (2, 5, None), (3, "x", None), (3, 1.5, 7), (1, "a", None)])
def test_unions_that_do_not_fit(value: Any) -> None:
    for order in ByteOrder:
        for start in OFFSETS:
            assert_refused_alike(UNION, value, start, order)


@pytest.mark.parametrize(
    ("declared", "value", "as_if"),
    [
        (t.Sequence(t.Long), [1, 2], (1, 2)),
        (t.Sequence(t.Long), range(3), (0, 1, 2)),
        (t.Sequence(t.String), {"a": 1}, ("a",)),
        (t.Array(t.Short, 2), [1, 2], (1, 2)),
        (t.OctetSequence, bytearray(b"ab"), b"ab"),
        (t.OctetSequence, memoryview(b"abcd")[::2], b"ac"),
        (t.OctetSequence, memoryview(array("H", [257])), b"\1\1"),
        (t.OctetSequenceType(view=True), b"ab", memoryview(b"ab")),
        (t.OctetArray(2), memoryview(b"ab"), b"ab"),
        (t.Boolean, 1, True),
        (t.Long, True, 1),
        (t.Double, 3, 3.0),
        (t.Enum(naming_types.BindingType), 1, naming_types.BindingType.ncontext),
        (t.Enum(messages.ReplyStatus), 77, messages.ReplyStatus(77)),
    ],
)
def test_what_else_is_taken_for_a_value(declared: CDRType, value: Any, as_if: Any) -> None:
    for order in ByteOrder:
        for start in OFFSETS:
            octets = construct_encode(declared, value, start, order)
            assert octets == compiled_encode(declared, value, start, order) == construct_encode(declared, as_if, start, order)
            assert octets != REFUSED


def test_octets_that_are_gone() -> None:
    view = memoryview(b"abc")
    view.release()
    for declared in (t.OctetSequence, t.OctetArray(3), t.Sequence(t.Octet, buffer="array")):
        assert_refused_alike(declared, view, 1, ByteOrder.BIG)


@pytest.mark.parametrize("declared", [t.Sequence(t.Array(t.Double, 17)), t.Sequence(t.Sequence(t.LongLong)), t.Array(t.Char, 20)])
def test_loops_keep_alignment(declared: CDRType) -> None:
    """Loops meet the same element at different alignments; a wrong guess of the generator would show here."""
    inside = t.Struct("s", (t.Field("a", t.Octet), t.Field("b", declared), t.Field("c", t.Octet), t.Field("d", t.Double)))
    element: Any = tuple(chr(65 + i) for i in range(20))
    if isinstance(declared, t.Sequence):
        element = (tuple(range(17)),) * 3 if isinstance(declared.element, t.Array) else ((1,), (), (1, 2))
    for value in (element, () if isinstance(declared, t.Sequence) else element):
        for order in ByteOrder:
            for start in OFFSETS:
                octets = compiled_encode(t.Sequence(inside), ((1, value, 2, 3.0),) * 3, start, order)
                assert octets == construct_encode(t.Sequence(inside), ((1, value, 2, 3.0),) * 3, start, order)
                assert assert_decoded_alike(t.Sequence(inside), bytes(start) + octets, start, order)[1] == start + len(octets)

"""TypeCodes of every kind, and Anys of those whose values are spoken."""

from __future__ import annotations

import functools
from typing import Any as Anything

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop.cdr import types as t
from iiop.cdr.annotations import cdr_type
from iiop.cdr.any import Any, ExceptionBody, type_of
from iiop.cdr.typecode import TYPECODE, Member, TCKind, TypeCode
from iiop.cdr.types import CDRType
from iiop.cdr.wide import WChar
from iiop_fuzz._cdr import KNOWN, Values, cdr_values, fixed_types, strings, values_of

__all__ = ["anys", "typecodes"]

K = TCKind
ULONGS = st.integers(0, 0xFFFFFFFF)

_PLAIN = (
    K.tk_null,
    K.tk_void,
    K.tk_short,
    K.tk_long,
    K.tk_ushort,
    K.tk_ulong,
    K.tk_longlong,
    K.tk_ulonglong,
    K.tk_float,
    K.tk_double,
    K.tk_longdouble,
    K.tk_boolean,
    K.tk_char,
    K.tk_octet,
    K.tk_wchar,
    K.tk_any,
    K.tk_TypeCode,
    K.tk_Principal,
)
_NAMED = (K.tk_objref, K.tk_native, K.tk_abstract_interface, K.tk_local_interface, K.tk_component, K.tk_home)
_REFERENCES = (K.tk_objref, K.tk_abstract_interface, K.tk_component, K.tk_home)
_LABELS: dict[TCKind, CDRType] = {
    K.tk_short: t.Short,
    K.tk_long: t.Long,
    K.tk_ushort: t.UShort,
    K.tk_ulong: t.ULong,
    K.tk_longlong: t.LongLong,
    K.tk_ulonglong: t.ULongLong,
    K.tk_boolean: t.Boolean,
    K.tk_char: t.Char,
    K.tk_octet: t.Octet,
    K.tk_wchar: WChar,
}


def _names() -> SearchStrategy[str]:
    """Draw a name of a type or member: plain ones, empty ones, and what Python has other ideas about."""
    usual = st.sampled_from(["", "x", "y", "Point", "member_1"])
    strange = st.sampled_from(["class", "mro", "self", "__init__", "_x_", "\xb5", "\xaa", "name", "value"])
    return usual | strange | strings(max_size=8)


def _ids() -> SearchStrategy[str]:
    return st.sampled_from(["", "IDL:Types/Point:1.0", "RMI:javax.rmi.CORBA.ClassDesc:2BABDA04587ADCCC"]) | strings(max_size=12)


def typecodes(*, max_depth: int = 3, spoken: bool = False) -> SearchStrategy[TypeCode]:
    """Draw a TypeCode of any kind; shrinks to `tk_null`.

    Types that contain themselves mention themselves by `tk_indirection`.

    Args:
        max_depth: types inside types.
        spoken: only types that `iiop.cdr.any.type_of` knows, and that there are finite values of.
    """
    return st.deferred(lambda: _types(spoken, max_depth, 0))


class _Of:
    """Draw TypeCodes; `around` is how many structs, unions, exceptions and value types enclose what is drawn."""

    def __init__(self, spoken: bool) -> None:
        self.spoken = spoken

    def types(self, depth: int, around: int) -> SearchStrategy[TypeCode]:
        return st.deferred(lambda: _types(self.spoken, depth, around))

    def simple(self) -> SearchStrategy[TypeCode]:
        fixed = st.builds(lambda it: TypeCode(K.tk_fixed, digits=it.digits, scale=it.scale), fixed_types())
        bounds = st.integers(0, 5) | (st.nothing() if self.spoken else ULONGS)
        named = st.sampled_from(_REFERENCES if self.spoken else _NAMED)
        return st.one_of(
            st.sampled_from(_PLAIN).map(TypeCode),
            st.builds(lambda kind, bound: TypeCode(kind, length=bound), st.sampled_from([K.tk_string, K.tk_wstring]), bounds),
            fixed if self.spoken else fixed | st.builds(_any_fixed, st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF)),
            st.builds(TypeCode, named, _ids(), _names()),
            self.enums(),
        )

    def enums(self) -> SearchStrategy[TypeCode]:
        members = st.lists(st.builds(Member, _names()), min_size=int(self.spoken), max_size=4)
        return st.builds(TypeCode, st.just(K.tk_enum), _ids(), _names(), members.map(tuple))

    def discriminators(self) -> SearchStrategy[TypeCode]:
        bare = st.sampled_from(sorted(_LABELS)).map(TypeCode) | self.enums()
        return bare | st.builds(TypeCode, st.just(K.tk_alias), _ids(), _names(), content=bare)

    def members(self, depth: int, around: int) -> SearchStrategy[tuple[Member, ...]]:
        return st.lists(st.builds(Member, _names(), self.types(depth, around + 1)), max_size=4).map(tuple)

    def repeated(self, depth: int, around: int) -> SearchStrategy[TypeCode]:
        element = self.types(depth, around)
        if self.spoken:
            element = element.map(_with_size)
            lengths = st.integers(1, 3)
        else:
            lengths = st.integers(0, 20) | ULONGS
        content = element | _mentions(around)
        sequences = st.builds(lambda part, bound: TypeCode(K.tk_sequence, content=part, length=bound), content, st.integers(0, 3))
        return sequences | st.builds(lambda part, length: TypeCode(K.tk_array, content=part, length=length), element, lengths)

    def values(self, depth: int, around: int) -> SearchStrategy[TypeCode]:
        content = self.types(depth, around + 1)
        member, base = content, content
        if self.spoken:  # a value may hold one of its own type, a base has none
            member = content | st.just(TypeCode(K.tk_indirection))
            base = st.just(TypeCode(K.tk_null)) | (self.valued(depth - 1, around + 1) if depth > 0 else st.nothing())
        visible = st.builds(Member, _names(), member, st.none(), st.integers(0, 1))
        kinds = st.sampled_from([K.tk_value, K.tk_event])
        whole = st.builds(
            TypeCode, kinds, _ids(), _names(), st.lists(visible, max_size=3).map(tuple), base, modifier=st.integers(0, 3)
        )
        return whole | st.builds(TypeCode, st.just(K.tk_value_box), _ids(), _names(), content=content)

    def valued(self, depth: int, around: int) -> SearchStrategy[TypeCode]:
        """Draw types that others may be derived from."""
        return st.deferred(lambda: self.values(depth, around)).filter(lambda it: it.kind is not K.tk_value_box)


def _any_fixed(digits: int, scale: int) -> TypeCode:
    return TypeCode(K.tk_fixed, digits=digits, scale=scale)


def _mentions(around: int) -> SearchStrategy[TypeCode]:
    if not around:
        return st.nothing()
    return st.integers(0, around - 1).map(lambda level: TypeCode(K.tk_indirection, level=level))


@functools.cache
def _types(spoken: bool, depth: int, around: int) -> SearchStrategy[TypeCode]:
    of = _Of(spoken)
    if depth <= 0:
        return of.simple() if spoken else of.simple() | _mentions(around)
    kinds = st.sampled_from([K.tk_struct, K.tk_struct, K.tk_except])
    parts = [
        of.simple(),
        st.builds(TypeCode, kinds, _ids(), _names(), of.members(depth - 1, around)),
        of.repeated(depth - 1, around),
        st.builds(TypeCode, st.just(K.tk_alias), _ids(), _names(), content=of.types(depth - 1, around)),
        _unions(of, depth - 1, around),
        of.values(depth - 1, around),
    ]
    if not spoken:
        parts.append(_mentions(around))
    return st.one_of(parts)


@st.composite
def _unions(draw: st.DrawFn, of: _Of, depth: int, around: int) -> TypeCode:
    discriminator = draw(of.discriminators())
    bare = discriminator.content or discriminator
    if bare.kind is K.tk_enum:
        labels: SearchStrategy[Anything] = st.integers(0, len(bare.members) - 1) if of.spoken else ULONGS
    else:
        labels = cdr_values(_LABELS[bare.kind])
    given = draw(st.lists(labels, min_size=int(of.spoken), max_size=3, unique=True))
    arms = of.types(depth, around + 1)
    members = tuple([Member(draw(_names()), draw(arms), label) for label in given])
    default = draw(st.integers(-1, len(members) - 1))
    return TypeCode(K.tk_union, draw(_ids()), draw(_names()), members, discriminator=discriminator, default_index=default)


def _takes_octets(typecode: TypeCode) -> bool:
    if typecode.kind is K.tk_alias and typecode.content:
        return _takes_octets(typecode.content)
    if typecode.kind is K.tk_struct:
        return any(member.type and _takes_octets(member.type) for member in typecode.members)
    return typecode.kind not in (K.tk_null, K.tk_void)


def _with_size(element: TypeCode) -> TypeCode:
    """Put an octet before a type that takes no octets, for a sequence of it could not be counted."""
    if _takes_octets(element):
        return element
    members = (Member("size", TypeCode(K.tk_octet)), Member("value", element))
    return TypeCode(K.tk_struct, name="sized", members=members)


def anys(*, max_depth: int = 3) -> SearchStrategy[Any]:
    """Draw an Any: a TypeCode whose values are spoken, and a value of it, as decoding would give it; shrinks to `tk_null`.

    Args:
        max_depth: types inside types; Anys inside Anys too.
    """
    return _any(Values(False, 4, max_depth))


@st.composite
def _any(draw: st.DrawFn, of: Values) -> Any:
    typecode = draw(_types(True, of.depth, 0) | _deep())
    return Any(typecode, draw(of.of(type_of(typecode))))


def _deep() -> SearchStrategy[TypeCode]:
    """Draw types whose values nest, which chance alone seldom makes: Anys, and a struct that holds more of its kind."""
    sequences = [TypeCode(K.tk_sequence, content=TypeCode(kind)) for kind in (K.tk_any, K.tk_indirection)]
    trees = st.builds(TypeCode, st.just(K.tk_struct), _ids(), _names(), st.just((Member("children", sequences[1]),)))
    return st.sampled_from([TypeCode(K.tk_any), sequences[0]]) | trees


def _inner_anys(of: Values) -> SearchStrategy[Any]:
    return _any(of.deeper()) if of.depth > 0 else st.just(Any(TypeCode(K.tk_null), None))


KNOWN += [
    (cdr_type(Any), _inner_anys),
    (TYPECODE, lambda of: typecodes(max_depth=min(of.depth, 2))),
]


@values_of.register
def _(declared: ExceptionBody, of: Values) -> SearchStrategy[Anything]:
    return of.of(declared.members)

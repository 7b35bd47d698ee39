"""Values of types that say themselves what they are, and others of which omniORBpy does not take every value.

Drawn are references and types as IDL can make them. A process of omniORBpy 4.3.3 ends with SIGSEGV where a repository id or a
name in a TypeCode is not ASCII, or where a union that it knows by its TypeCode only has a label twice or a default member. What
it holds against the bound of a string is the length in UTF-8, so that text of bounded strings is ASCII here. A wchar it cannot
read, arrays of unsigned long long it reads as signed and then does not write, and a long double it has not.
"""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import iiop.iop  # noqa: F401  declares object references
from iiop.cdr import cdr_type
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.any import type_of
from iiop.cdr.typecode import NUMBERS, Member, TCKind, TypeCode
from iiop.iop import NIL
from iiop_fuzz import strategies as iiop_st
from ior import IORBuilder
from tests.interop.echo_types import Nested, OfColour

K = TCKind
NAMES = ("a", "b", "c", "d", "number", "text_2")


def references() -> SearchStrategy[Any]:
    """Draw nil, and references to objects that need not be there."""
    type_ids = st.sampled_from(["", "IDL:Echoes/Echo:1.0", "IDL:omg.org/CosNaming/NamingContextExt:1.0", "IDL:x/y:1.0"])
    versions = st.sampled_from([(1, 0), (1, 1), (1, 2)])
    keys = iiop_st.object_keys()
    hosts = st.sampled_from(["127.0.0.1", "192.0.2.1", "vhost"])
    sound = st.builds(
        lambda type_id, host, port, key, version: IORBuilder(type_id).iiop(host, port, key=key, version=version).build().to_iop(),
        type_ids,
        hosts,
        st.integers(1, 65535),
        keys,
        versions,
    )
    return st.just(NIL) | sound


def identified(kind: TCKind, members: tuple[Member, ...], **more: Any) -> TypeCode:
    """Return a type with an id of its own: omniORBpy keeps what it has seen by id."""
    digest = hashlib.sha256(repr((kind, members, sorted(more.items()))).encode()).hexdigest()[:12]
    return TypeCode(kind, f"IDL:Drawn/T{digest}:1.0", f"T{digest}", members, **more)


def _members(types: SearchStrategy[TypeCode], least: int = 1) -> SearchStrategy[tuple[Member, ...]]:
    return st.lists(types, min_size=least, max_size=4).map(
        lambda found: tuple([Member(name, kind) for name, kind in zip(NAMES, found, strict=False)])
    )


OBJECT = TypeCode(K.tk_objref, "IDL:Echoes/Echo:1.0", "Echo")
ENUMS = st.integers(1, 4).map(lambda count: identified(K.tk_enum, tuple([Member(f"e{index}") for index in range(count)])))
BASIC = st.one_of(
    st.sampled_from(sorted(NUMBERS.keys() - {K.tk_longdouble})).map(lambda kind: TypeCode(TCKind(kind))),
    st.just(TypeCode(K.tk_string)),
    st.integers(0, 5).map(lambda bound: TypeCode(K.tk_wstring, length=bound)),
    iiop_st.fixed_types().map(lambda it: TypeCode(K.tk_fixed, digits=it.digits, scale=it.scale)),
    ENUMS,
)


@st.composite
def _unions(draw: st.DrawFn, types: SearchStrategy[TypeCode]) -> TypeCode:
    kinds = st.sampled_from([K.tk_short, K.tk_ulong, K.tk_longlong, K.tk_char]).map(TypeCode)
    discriminator = draw(kinds | st.just(TypeCode(K.tk_boolean)) | ENUMS)
    labels = {
        K.tk_boolean: st.booleans(),
        K.tk_char: st.characters(min_codepoint=33, max_codepoint=126),
        K.tk_enum: st.integers(0, max(0, len(discriminator.members) - 1)),
    }.get(discriminator.kind, st.integers(0, 100))
    chosen = draw(st.lists(labels, min_size=1, max_size=3, unique=True))
    members = [Member(name, draw(types), label) for name, label in zip(NAMES, chosen, strict=False)]
    return identified(K.tk_union, tuple(members), discriminator=discriminator)


def _further(types: SearchStrategy[TypeCode]) -> SearchStrategy[TypeCode]:
    return st.one_of(
        _members(types).map(lambda members: identified(K.tk_struct, members)),
        st.builds(lambda content, bound: TypeCode(K.tk_sequence, content=content, length=bound), types, st.integers(0, 3)),
        st.builds(
            lambda content, length: TypeCode(K.tk_array, content=content, length=length),
            types.filter(lambda content: content.unaliased.kind is not K.tk_ulonglong),
            st.integers(1, 3),
        ),
        types.map(lambda content: identified(K.tk_alias, (), content=content)),
        _unions(types),
    )


NODE = identified(
    K.tk_struct,
    (
        Member("name", TypeCode(K.tk_string)),
        Member("children", TypeCode(K.tk_sequence, content=TypeCode(K.tk_indirection))),
        Member("weight", TypeCode(K.tk_double)),
    ),
)
_TYPES = st.recursive(BASIC, _further, max_leaves=6)
EXCEPTIONS = _members(_TYPES, 0).map(lambda members: identified(K.tk_except, members))
TYPECODES = _TYPES | EXCEPTIONS | st.just(NODE)
OTHERS = st.one_of(
    st.sampled_from([K.tk_null, K.tk_void, K.tk_any, K.tk_TypeCode, K.tk_wchar, K.tk_Principal]).map(TypeCode),
    st.integers(1, 5).map(lambda bound: TypeCode(K.tk_string, length=bound)),
    st.just(OBJECT),
)
_PLAIN = TYPECODES.flatmap(lambda kind: st.builds(CORBAAny, st.just(kind), iiop_st.cdr_values(type_of(kind), max_size=3)))
ANYS = st.one_of(
    _PLAIN,
    st.builds(CORBAAny, st.just(TypeCode(K.tk_any)), _PLAIN),
    st.builds(CORBAAny, st.just(TypeCode(K.tk_TypeCode)), TYPECODES),
    st.builds(CORBAAny, st.just(OBJECT), references()),
    st.just(CORBAAny(TypeCode(K.tk_null), None)),
)

UNUSUAL: dict[str, SearchStrategy[Any]] = {
    "short_string": st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=5),
    "object": references(),
    "objects": st.lists(references(), max_size=5).map(tuple),
    "any": ANYS,
    "anys": st.lists(ANYS, max_size=5).map(tuple),
    "typecode": TYPECODES | OTHERS,
    "nested": st.one_of(
        st.just(Nested(0, None)),
        st.builds(Nested, st.just(1), iiop_st.cdr_values(cdr_type(OfColour))),
        st.builds(Nested, st.just(2), ANYS),
    ),
}

"""Value types, and graphs of their values: shared, in cycles, of derived types, introduced in every way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop.cdr import Double, Long, Octet
from iiop.cdr.types import CDRType
from iiop.cdr.value_types import Value, ValueHeader, ValueType, value_type

if TYPE_CHECKING:
    from iiop_fuzz._cdr import Values

__all__ = ["VALUE_CLASSES", "drawn_value_types", "objects"]


@value_type("IDL:Fuzz/Link:1.0")
class Link(Value):
    """Mention two more of its kind, after what leaves it misaligned."""

    number: Annotated[int, Octet]
    left: Link | None
    right: Link | None
    weight: Annotated[float, Double]


@value_type("IDL:Fuzz/Boxed:1.0")
class Boxed(Value):
    """A value box."""

    value: str


@value_type("IDL:Fuzz/Base:1.0")
class Base(Value):
    """A base that others are derived from."""

    name: str


@value_type("IDL:Fuzz/Derived:1.0")
class Derived(Base):
    """A type that may not be truncated."""

    others: tuple[Base | None, ...]


@value_type("IDL:Fuzz/Cut:1.0", truncatable=True)
class Cut(Base):
    """A type that may be truncated, so that it comes in chunks."""

    kind: Annotated[int, Octet]
    link: Link | None
    size: Annotated[int, Long]


@value_type("IDL:Fuzz/Deep:1.0", truncatable=True)
class Deep(Cut):
    """A type that may be truncated twice."""

    tail: Annotated[int, Octet]


VALUE_CLASSES: tuple[type[Value], ...] = (Link, Boxed, Base, Derived, Cut, Deep, Value)


def drawn_value_types(parts: SearchStrategy[CDRType]) -> SearchStrategy[ValueType]:
    """Draw a value type with any members."""
    return st.lists(parts, max_size=3).map(lambda types: _drawn(tuple(types)))


def _drawn(types: tuple[CDRType, ...]) -> ValueType:
    members = {name: Annotated[object, declared] for name, declared in zip("abc", types, strict=False)}
    cls: type[Value] = type("Drawn", (Value,), {"__annotations__": members})
    declared = value_type("IDL:Fuzz/Drawn:1.0")(cls).__cdr_type__
    assert isinstance(declared, ValueType)
    return declared


def _headers(declared: ValueType) -> SearchStrategy[ValueHeader | None]:
    ids = st.sampled_from([None, declared.repository_id, (declared.repository_id,), declared.repository_ids])
    codebases = st.none() | st.sampled_from(["http://host/a", "http://host/b"])
    return st.none() | st.builds(ValueHeader, codebases, ids, st.booleans())


@st.composite
def objects(draw: st.DrawFn, declared: ValueType, of: Values) -> Any:
    """Draw a value of a value type: None, one that was drawn before, or a new one; shrinks to None."""
    pool: list[tuple[Any, ValueType]] = draw(of.pool)
    candidates = [declared, *[cls.__cdr_type__ for cls in VALUE_CLASSES if declared.declared and issubclass(cls, declared.cls)]]
    types = [it for it in dict.fromkeys(candidates) if isinstance(it, ValueType) and not (it.abstract or it.custom)]
    known = [value for value, actual in pool if actual in types]
    kinds = ["null", *(["known"] if known else []), *(["new", "new"] if types and of.depth > 0 else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "null":
        return None
    if kind == "known":
        return draw(st.sampled_from(known))
    actual = draw(st.sampled_from(types))
    value = actual.cls.__new__(actual.cls)
    pool.append((value, actual))
    value._header = draw(_headers(actual))
    for name, member in actual.fields:
        setattr(value, name, draw(of.deeper().of(member)))
    return value

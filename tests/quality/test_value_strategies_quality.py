"""Hard cases of value types come up among what the strategies draw."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from iiop.cdr import Binary128, LongDouble, Value, ValueType, cdr_type, header_of
from iiop_fuzz import strategies as iiop_st
from iiop_fuzz._values import Base, Cut, Deep, Derived, Link
from tests.quality.test_strategies_quality import never_drawn


def reached(value: Any) -> list[Value]:
    """Return the links that can be reached from one."""
    found: list[Value] = []
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if isinstance(at, Link) and not any(at is one for one in found):
            found.append(at)
            waiting += [at.left, at.right]
    return found


LINKS = iiop_st.cdr_values(cdr_type(Link))
BASES = iiop_st.cdr_values(cdr_type(Base))
SEQUENCES = iiop_st.cdr_values(cdr_type(tuple[Base | None, ...]))
CASES: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "null": (LINKS, lambda it: it is None),
    "a cycle": (LINKS, lambda it: it in [it and it.left, it and it.right] and it is not None),
    "a cycle of two": (LINKS, lambda it: it and it.left and it.left is not it and it.left.right is it),
    "shared below": (LINKS, lambda it: it and it.left and it.left is it.right and it.left is not it),
    "three": (LINKS, lambda it: len(reached(it)) >= 3),
    "chunked without need": (LINKS, lambda it: it and (header := header_of(it)) and header.chunked),
    "a codebase": (LINKS, lambda it: it and (header := header_of(it)) and header.codebase),
    "without a repository id": (LINKS, lambda it: it and (header := header_of(it)) and header.repository_ids is None),
    "a derived one": (BASES, lambda it: isinstance(it, Derived)),
    "one to be cut": (BASES, lambda it: type(it) is Cut and it.link),
    "one to be cut twice": (BASES, lambda it: isinstance(it, Deep)),
    "shared in a sequence": (SEQUENCES, lambda it: any(one is other and one for one, other in itertools.pairwise(it))),
    "a value type with members": (iiop_st.cdr_types(), lambda it: isinstance(it, ValueType) and len(it.fields) > 1),
    "a value type inside": (
        iiop_st.cdr_types(),
        lambda it: any(isinstance(part, ValueType) for _, part in getattr(it, "fields", ())),
    ),
    "no double": (iiop_st.cdr_values(LongDouble), lambda it: Binary128(float(it)) != it),
}


@pytest.mark.parametrize("name", CASES)
def test_hard_cases(name: str) -> None:
    strategy, condition = CASES[name]
    assert not never_drawn(strategy, {name: condition})

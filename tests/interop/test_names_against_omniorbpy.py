"""Stringified names, ours against omniORBpy's own functions, in one process."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiop.exceptions.errors import ReferenceFormatError
from naming.names import format_name, parse_name
from naming.types import Name, NameComponent

URI: Any = pytest.importorskip("omniORB.URI")
CosNaming: Any = pytest.importorskip("CosNaming")

texts = st.text(st.sampled_from("ab/.\\ :é"), max_size=12) | st.text(max_size=12)
fields = st.text(st.sampled_from("ab/.\\ é"), max_size=6)
names = st.lists(st.builds(NameComponent, fields, fields), min_size=1, max_size=5).map(tuple)


def ours(text: str) -> Name | None:
    try:
        return parse_name(text)
    except ReferenceFormatError:
        return None


def theirs(text: str) -> Name | None:
    try:
        return tuple(NameComponent(c.id, c.kind) for c in URI.stringToName(text))
    except CosNaming.NamingContext.InvalidName:
        return None


def ends_in_bare_dot(text: str) -> bool:
    """Tell the one thing omniORBpy lets through: `a.`, where INS 2.4 and omniNames itself want a kind behind the dot."""
    before = text[:-1]
    return text.endswith(".") and (len(before) - len(before.rstrip("\\"))) % 2 == 0


@given(texts)
@example(r"a\\/b")
@example(r"a/x\/y\/z/b")
@example(".")
def test_the_same_text_gives_the_same_name(text: str) -> None:
    name = theirs(text)
    if name is not None and ends_in_bare_dot(text) and name[-1].id:
        name = None
    assert ours(text) == name


@pytest.mark.parametrize("text", ["", "/a", "a/", "a//b", "a.b.c", r"\a", "a\\", "a./b"])
def test_both_refuse(text: str) -> None:
    assert ours(text) is None
    assert theirs(text) is None


@pytest.mark.parametrize("text", ["a.", "a/b.", r"a\\."])
def test_omniorbpy_accepts_a_last_component_without_kind_and_we_do_not(text: str) -> None:
    assert theirs(text) is not None
    assert ours(text) is None


@given(names)
def test_the_same_name_gives_the_same_text(name: Name) -> None:
    assert format_name(name) == URI.nameToString([CosNaming.NameComponent(c.id, c.kind) for c in name])

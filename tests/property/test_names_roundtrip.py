from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from iiop.exceptions.errors import ReferenceFormatError
from ior.text import escape_name, unescape_name
from naming.names import format_name, parse_name, to_url
from naming.types import Name, NameComponent

corba_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
nasty_text = st.text(st.sampled_from("ab/.\\% é"), max_size=12)
fields = corba_text | nasty_text
names = st.lists(st.builds(NameComponent, fields, fields), min_size=1, max_size=6).map(tuple)


def refused_at(function: Callable[[str], object], text: str) -> int | None:
    try:
        function(text)
    except ReferenceFormatError as error:
        return error.position
    return None


@given(names)
def test_a_formatted_name_parses_to_itself(name: Name) -> None:
    assert parse_name(format_name(name)) == name


@given(nasty_text)
def test_accepted_text_comes_back_and_refused_text_says_where(text: str) -> None:
    position = refused_at(parse_name, text)
    if position is None:
        assert format_name(parse_name(text)) == text
    else:
        assert 0 <= position <= len(text)


@given(corba_text | nasty_text)
def test_url_escapes_undo_themselves(text: str) -> None:
    escaped = escape_name(text)
    assert escaped.isascii()
    assert unescape_name(escaped) == text


@given(corba_text | nasty_text | st.text(st.sampled_from("%0aAfF"), max_size=8))
def test_unescape_raises_nothing_else(text: str) -> None:
    position = refused_at(unescape_name, text)
    assert position is None or text[position] == "%"


@given(names)
def test_a_url_holds_the_name(name: Name) -> None:
    url = to_url(":vhost:8002", format_name(name))
    assert url.count("#") == 1
    assert parse_name(unescape_name(url.partition("#")[2])) == name

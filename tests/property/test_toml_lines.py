"""Lines of TOML keys: a writer that knows where it wrote each key, and `tomllib`, agree with what is found in the text."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from iiop_lab.scenario.mistakes import Key
from iiop_lab.scenario.positions import key_lines

TRICKY = "ab \t\n#[]{}=,.'\"\\é"
NAMES = st.one_of(st.sampled_from(["a", "b", "step", "1", "a-b"]), st.text(TRICKY.replace("\t", ""), max_size=4))
SCALARS = st.one_of(
    st.text(TRICKY, max_size=8),
    st.text("'\"\\\na", max_size=8),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.floats(allow_nan=False),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=4),
        st.lists(st.dictionaries(NAMES, inner, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=5)
COMMENT = '# [a] b = \'c\' """ }\n'


class Writer:
    """Write TOML in all its forms, and remember in which line a key was first mentioned."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.text = ""
        self.lines: dict[Key, int] = {}
        self._draw = draw

    def _put(self, text: str) -> None:
        self.text += text

    def _one_of(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def _gap(self) -> None:
        self._put(self._one_of("", " ", "\t "))

    def _wide_gap(self) -> None:
        self._put(self._one_of("", "", "\n", " " + COMMENT, "\n\n" + COMMENT))

    def _end(self) -> None:
        self._gap()
        self._put(self._one_of("\n", "\n\n", COMMENT))

    def _mention(self, key: Key) -> None:
        self.lines.setdefault(key, self.text.count("\n") + 1)

    def _name(self, name: str) -> None:
        forms = [json.dumps(name, ensure_ascii=False), json.dumps(name)]
        if "'" not in name and "\n" not in name:
            forms.append(f"'{name}'")
        if re.fullmatch("[A-Za-z0-9_-]+", name):
            forms += [name] * 3
        self._put(self._one_of(*forms))

    def _string(self, value: str) -> None:
        escaped = value.replace("\\", "\\\\")
        forms = [json.dumps(value), json.dumps(value, ensure_ascii=False)]
        for cut in (escaped.replace('"""', '""\\"'), escaped.replace('"', '\\"')):
            forms += [f'"""\n{cut}"""', f'"""\n{cut}\\\n  \n """']
        if "'''" not in value:
            forms.append(f"'''\n{value}'''")
        if "'" not in value and "\n" not in value:
            forms.append(f"'{value}'")
        self._put(self._one_of(*forms))

    def _value(self, value: Any, key: Key) -> None:
        if isinstance(value, str):
            self._string(value)
        elif isinstance(value, bool):
            self._put(str(value).lower())
        elif isinstance(value, int | float):
            self._put(repr(value))
        elif isinstance(value, list):
            self._put("[")
            for index, each in enumerate(value):
                self._wide_gap()
                self._mention((*key, index))
                self._value(each, (*key, index))
                self._wide_gap()
                if index < len(value) - 1 or self._one_of(True, False):
                    self._put(",")
            self._wide_gap()
            self._put("]")
        else:
            self._put("{")
            for index, (names, each) in enumerate(self._pairs(value)):
                self._put("," if index else "")
                self._pair(names, each, key)
                self._gap()
            self._put("}")

    def _pairs(self, table: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
        """Return the keys of a table, those of some tables in it as dotted keys, and their values."""
        pairs = []
        for name, value in table.items():
            if isinstance(value, dict) and value and self._one_of(True, False):
                event("dotted keys")
                pairs += [((name, *names), each) for names, each in self._pairs(value)]
            else:
                pairs.append(((name,), value))
        return pairs

    def _pair(self, names: tuple[str, ...], value: Any, table: Key) -> None:
        self._dotted(names, table)
        self._put("=")
        self._gap()
        self._value(value, (*table, *names))

    def _dotted(self, names: tuple[str, ...], table: Key) -> None:
        key = table
        for index, name in enumerate(names):
            if index:
                self._put(".")
            self._gap()
            key = (*key, name)
            self._mention(key)
            self._name(name)
            self._gap()

    def table(self, content: dict[str, Any], key: Key, header: Any = None) -> None:
        """Write a table: its pairs behind its header, and other tables with headers of their own."""
        apart = {
            name: value
            for name, value in content.items()
            if (isinstance(value, dict) or (value and isinstance(value, list) and all(isinstance(each, dict) for each in value)))
            and self._one_of(True, True, False)
        }
        pairs = {name: value for name, value in content.items() if name not in apart}
        late = header is not None and apart and not isinstance(key[-1], int) and self._one_of(True, False)
        if late:
            event("a table behind those in it")
            self._apart(apart, key)
        if header is not None and (pairs or not apart or late or isinstance(key[-1], int) or self._one_of(True, False)):
            header()
        for names, value in self._pairs(pairs):
            self._pair(names, value, key)
            self._end()
        if not late:
            self._apart(apart, key)

    def _apart(self, tables: dict[str, Any], key: Key) -> None:
        for name, value in tables.items():
            inner = (*key, name)
            if isinstance(value, dict):
                self.table(value, inner, lambda inner=inner: self._header(inner, "[", "]"))
            else:
                event("array of tables")
                for index, each in enumerate(value):
                    self.table(each, (*inner, index), lambda inner=inner, index=index: self._element(inner, index))

    def _element(self, key: Key, index: int) -> None:
        line = self._header(key, "[[", "]]")
        self.lines.setdefault((*key, index), line)

    def _header(self, key: Key, opens: str, closes: str) -> int:
        self._gap()
        self._put(opens)
        line = self.text.count("\n") + 1
        names = tuple(part for part in key if isinstance(part, str))
        for index, name in enumerate(names):
            self._put("." if index else "")
            self._gap()
            self._name(name)
            self._gap()
        for size in range(1, len(key) + 1):
            self.lines.setdefault(key[:size], line)
        self._put(closes)
        self._end()
        return line


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[Key, int]]:
    """Return a text, what it holds, and where."""
    content = draw(DOCUMENTS)
    writer = Writer(draw)
    writer.table(content, ())
    return writer.text, content, writer.lines


def paths(value: Any, key: Key = ()) -> set[Key]:
    """Return the way to everything that a value holds."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key, *(path for name, each in inside for path in paths(each, (*key, name)))}


@settings(max_examples=300)
@given(documents())
def test_every_key_has_its_line(written: tuple[str, dict[str, Any], dict[Key, int]]) -> None:
    text, content, lines = written
    assert tomllib.loads(text) == content, "the writer does not know TOML"
    assert key_lines(text) == lines
    assert {(), *lines} == paths(content)
    assert key_lines(text.replace("\n", "\r\n")) == lines


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a = 1979-05-27 07:32:00Z # [\nb = 1", ("b",), 2),
        ("\n[ a . 'b.c' ]\nd = {e.f = [\n1, # ]\n2]}", ("a", "b.c", "d", "e", "f", 1), 5),
        ("[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]\nc=1", ("a", 1, "b", 0, "c"), 6),
        ("[[a]]\n[a.b]\n[[a]]\n[a.b]\nc=1", ("a", 1, "b"), 4),
        ('a = """"x"""""\nb = \'\'\'\'x\'\'\'\'\'\nc = ""\n', ("c",), 3),
        ('a = """\\"""\\\\"""\nb = 1', ("b",), 2),
        ("[a.b]\n[a]\n", ("a",), 1),
        ('"\\u0061" = 1', ("a",), 1),
        ("a = +inf\nb = [0xff,1e3,\n]", ("b", 1), 2),
    ],
)
def test_lines(text: str, key: Key, line: int) -> None:
    tomllib.loads(text)
    assert key_lines(text)[key] == line

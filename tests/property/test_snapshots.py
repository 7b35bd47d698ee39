"""Snapshots: what is written is read back, for every tree; what is no snapshot is refused with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iiop_fuzz import strategies as st
from naming.names import format_name
from naming.snapshot import END_LINE, FIRST_LINE, SnapshotError, format_snapshot, parse_snapshot
from naming.trees import (
    DanglingContext,
    Entry,
    LocalContext,
    order,
)
from naming.types import NameComponent
from tests.trees import trees

PARTS = some.builds(NameComponent, some.text(max_size=5), some.text(max_size=3)) | st.name_components()


@given(trees(parts=PARTS))
def test_what_is_written_is_read_back(entries: list[Entry]) -> None:
    assert [order(entry) for entry in entries] == sorted(order(entry) for entry in entries)
    text = "".join(format_snapshot(entries))
    assert list(parse_snapshot(text.split("\n")[:-1])) == entries
    assert len(text.split("\n")) == len(entries) + 3, "one line a binding, whatever its name is made of"
    assert list(parse_snapshot(text.encode("utf-8").decode("utf-8").replace("\n", "\r\n").splitlines())) == entries


@given(trees(parts=PARTS), some.data())
def test_a_snapshot_that_was_cut_short_is_refused(entries: list[Entry], data: some.DataObject) -> None:
    lines = "".join(format_snapshot(entries)).split("\n")[:-1]
    kept = data.draw(some.integers(0, len(lines) - 1))
    with pytest.raises(SnapshotError) as caught:
        list(parse_snapshot(lines[:kept]))
    assert caught.value.line == max(kept, 1)


@given(some.text(max_size=40), some.text("/.\\u0\taobjectxIOR:", max_size=30))
def test_any_text_is_entries_or_one_error(one: str, other: str) -> None:
    for line in (one, other):
        caught = None
        try:
            list(parse_snapshot([FIRST_LINE, line, END_LINE]))
        except SnapshotError as error:
            caught = error.line
        assert caught in (None, 2, 3)


A, B = NameComponent("a"), NameComponent("b")


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ([], 1, "there is nothing"),
        (["something else"], 1, "this is no snapshot"),
        (["iiopkit naming snapshot 2"], 1, "version 2"),
        ([FIRST_LINE, "a"], 2, "no tab"),
        ([FIRST_LINE, "a\tthing"], 2, "'thing' is no kind of binding"),
        ([FIRST_LINE, "a\tobject"], 2, "object has 1 fields behind it, not 0"),
        ([FIRST_LINE, "a\tcontext\tb"], 2, "context has 0 fields"),
        ([FIRST_LINE, "a\tobject\tIOR:0g"], 2, "non-hexadecimal"),
        ([FIRST_LINE, "a\tobject\tcorbaloc::h/k"], 2, "begins with 'IOR:'"),
        ([FIRST_LINE, "a\tobject\tIOR:00"], 2, "octets"),
        ([FIRST_LINE, "/\tcontext"], 2, "'/' is the root"),
        ([FIRST_LINE, "a.\tcontext"], 2, "without a kind"),
        ([FIRST_LINE, "b\tcontext", "a\tcontext"], 3, "a is out of order"),
        ([FIRST_LINE, "a\tcontext", "a\tcontext"], 3, "a is out of order"),
        ([FIRST_LINE, "a\tdangling", "a/b\tcontext"], 3, "a is no context above"),
        ([FIRST_LINE, "a\tshared\tb", "b\tcontext"], 2, "b, which is to be shared, is no context above"),
        ([FIRST_LINE, "a\tcontext"], 2, "cut short"),
        ([FIRST_LINE, "end", "a\tcontext"], 3, "more behind"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_its_line(lines: list[str], line: int, reason: str) -> None:
    with pytest.raises(SnapshotError, match=reason) as caught:
        list(parse_snapshot(lines))
    assert caught.value.line == line


def test_a_name_that_looks_like_the_last_line_is_none() -> None:
    entry = Entry((NameComponent("end"),), LocalContext((NameComponent("end"),)))
    assert list(parse_snapshot(format_snapshot([entry]))) == [entry]


def test_names_are_written_as_people_write_them() -> None:
    entry = Entry((A, NameComponent("名前", "種 類")), DanglingContext())
    text = "".join(format_snapshot([Entry((A,), LocalContext((A,))), entry, replace(entry, name=(A, NameComponent("改行\n")))]))
    assert text == f"{FIRST_LINE}a\tcontext\n{format_name(entry.name)}\tdangling\na/改行\\u000a\tdangling\n{END_LINE}"


def test_the_example_of_the_documentation_is_a_snapshot() -> None:
    page = (Path(__file__).parents[2] / "docs" / "snapshot.md").read_text(encoding="utf-8")
    example = page.split("```text\n")[1].split("```")[0]
    assert "".join(format_snapshot(parse_snapshot(example.splitlines()))) == example

r"""Naming trees as text, to be kept in git: one line a binding, the same text for the same tree.

Knows entries and text; no files, no network. `docs/snapshot.md` has the format. A name is written as a stringified name,
in which `\uXXXX` stands for what would end a line or cannot be seen; no stringified name has `\u` otherwise.

Invariant: `parse_snapshot(format_snapshot(entries))` gives equal entries, for every stream that `naming.trees` calls one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from iiop.cdr import decapsulate, encapsulate
from iiop.exceptions import CodecError, IIOPError, ReferenceFormatError
from iiop.iop import IOR, IOR_CODEC
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.names import format_name, parse_name
from naming.trees import (
    ROOT_NAME,
    Bound,
    DanglingContext,
    Entry,
    ForeignContext,
    Incomplete,
    LocalContext,
    Order,
    Unreadable,
    order,
)
from naming.types import Name

__all__ = [
    "END_LINE",
    "FIRST_LINE",
    "FORMAT",
    "SnapshotError",
    "format_entry",
    "format_path",
    "format_snapshot",
    "parse_snapshot",
]

FORMAT = "iiopkit naming snapshot"
_VERSION = 1
FIRST_LINE = f"{FORMAT} {_VERSION}\n"
END_LINE = "end\n"
"""Shows that the text was not cut short."""

_FIRST = re.compile(rf"{FORMAT} ([0-9]{{1,9}})")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|(.))", re.DOTALL)


class SnapshotError(IIOPError):
    """Report text that is no snapshot.

    Attributes:
        reason: what is wrong.
        line: number of the line, from 1.
    """

    def __init__(self, reason: str, *, line: int) -> None:
        self.reason = reason
        self.line = line
        super().__init__(f"line {line}: {reason}")


def format_snapshot(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the lines of a snapshot, each with its end; `entries` as `naming.trees` has them."""
    yield FIRST_LINE
    for entry in entries:
        yield format_entry(entry)
    yield END_LINE


def format_entry(entry: Entry) -> str:
    """Return the line of an entry, with its end.

    Raises:
        EncodeError: a reference that cannot be written.
    """
    kind, *detail = _kind_and_detail(entry)
    return "\t".join((format_path(entry.name), kind, *detail)) + "\n"


def _kind_and_detail(entry: Entry) -> tuple[str, ...]:
    match entry.bound:
        case IOR():
            return "object", _format_reference(entry.bound)
        case LocalContext():
            return ("context",) if entry.opens else ("shared", format_path(entry.bound.first))
        case ForeignContext():
            return "foreign", _format_reference(entry.bound.reference)
        case DanglingContext():
            return ("dangling",)
        case Unreadable():
            return "unreadable", _visible(entry.bound.reason.replace("\\", "\\\\"))
        case Incomplete():
            return "incomplete", _visible(entry.bound.reason.replace("\\", "\\\\"))


def format_path(name: Name) -> str:
    r"""Write a name on one line; the root, which has no stringified name, is `/`.

    >>> from naming.types import NameComponent
    >>> format_path((NameComponent("a\n", "b/c"), NameComponent("d")))
    'a\\u000a.b\\/c/d'
    """
    return _visible(format_name(name)) if name else "/"


def _visible(text: str) -> str:
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _format_reference(reference: IOR) -> str:
    return "IOR:" + encapsulate(IOR_CODEC, reference).hex()


def parse_snapshot(lines: Iterable[str], *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Entry]:
    """Yield the entries of a snapshot as its lines come.

    Args:
        lines: with or without their ends; octets that are not UTF-8 as `surrogateescape` has them.
        limits: on what each reference may cost.

    Raises:
        SnapshotError: the text is no snapshot, of an unknown version, out of order, or was cut short; with the line.
    """
    number = 0
    last: Order = (0, ())
    contexts: set[Name] = {ROOT_NAME}
    ended = False
    for number, text in enumerate(lines, 1):
        line = text.removesuffix("\n").removesuffix("\r")
        if number == 1:
            _check_first(line)
            continue
        if ended:
            raise SnapshotError("there is more behind the line 'end'", line=number)
        if line == "end":
            ended = True
            continue
        if _NO_CHARACTER.search(line):
            raise SnapshotError("it is not UTF-8", line=number)
        try:
            entry = _parse_line(line, limits)
        except (ReferenceFormatError, CodecError, ValueError) as error:
            raise SnapshotError(str(error), line=number) from error
        here = order(entry)
        if here <= last:
            raise SnapshotError(
                f"{format_path(entry.name)} is out of order: bindings go by the number of components, then by id and kind",
                line=number,
            )
        last = here
        _check_contexts(entry, contexts, number)
        yield entry
    if not number:
        raise SnapshotError("there is nothing; a snapshot begins with " + repr(FIRST_LINE.rstrip()), line=1)
    if not ended:
        raise SnapshotError("it was cut short: the line 'end' is missing", line=number)


def _check_first(line: str) -> None:
    match = _FIRST.fullmatch(line)
    if match is None:
        raise SnapshotError(f"this is no snapshot: one begins with {FIRST_LINE.rstrip()!r}", line=1)
    if int(match[1]) != _VERSION:
        raise SnapshotError(f"a snapshot of version {match[1]}; this iiopkit reads version {_VERSION}", line=1)


def _check_contexts(entry: Entry, contexts: set[Name], line: int) -> None:
    """Refuse names that lead through nothing, and contexts that are not there."""
    bound = entry.bound
    context = entry.name if isinstance(bound, Incomplete) else entry.name[:-1]
    if context not in contexts:
        raise SnapshotError(f"{format_path(context)} is no context above", line=line)
    if entry.opens:
        contexts.add(entry.name)
    elif isinstance(bound, LocalContext) and bound.first not in contexts:
        raise SnapshotError(f"{format_path(bound.first)}, which is to be shared, is no context above", line=line)


def _parse_line(line: str, limits: Limits) -> Entry:
    """Read one binding.

    Raises:
        ValueError, ReferenceFormatError, CodecError: it is none.
    """
    path, *rest = line.split("\t")
    if not rest:
        raise ValueError("no tab: a line is a name, a tab, a kind, and for most kinds a tab and what is bound")
    name, kind, details = _parse_path(path), rest[0], rest[1:]
    if kind not in _DETAILS:
        raise ValueError(f"{kind!r} is no kind of binding; {', '.join(_DETAILS)} are")
    if len(details) != _DETAILS[kind]:
        raise ValueError(f"{kind} has {_DETAILS[kind]} fields behind it, not {len(details)}")
    if not name and kind != "incomplete":
        raise ValueError("'/' is the root, which is bound to no name")
    return Entry(name, _parse_bound(name, kind, details, limits))


_DETAILS = {"object": 1, "context": 0, "shared": 1, "foreign": 1, "dangling": 0, "unreadable": 1, "incomplete": 1}
"""Kinds of bindings, and how many fields follow."""


def _parse_bound(name: Name, kind: str, details: list[str], limits: Limits) -> Bound:
    match kind:
        case "object":
            return _parse_reference(details[0], limits)
        case "context":
            return LocalContext(name)
        case "shared":
            return LocalContext(_parse_path(details[0]))
        case "foreign":
            return ForeignContext(_parse_reference(details[0], limits))
        case "dangling":
            return DanglingContext()
    reason = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], details[0])
    return Unreadable(reason) if kind == "unreadable" else Incomplete(reason)


def _parse_path(text: str) -> Name:
    if text == "/":
        return ROOT_NAME
    return parse_name(
        _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[0], text) if "\\u" in text else text
    )


def _parse_reference(text: str, limits: Limits) -> IOR:
    if text[:4] != "IOR:":
        raise ValueError("a reference begins with 'IOR:'")
    reference: IOR = decapsulate(IOR_CODEC, bytes.fromhex(text[4:]), limits=limits)
    return reference

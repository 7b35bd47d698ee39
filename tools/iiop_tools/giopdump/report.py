"""A capture as one page of HTML: everything that the page needs is in it, and it loads nothing.

The page itself, its style and its script are files beside this one (`page`); here is only what they show: a row for each message,
what was counted, and of some messages everything that can be said. It is written as messages come, so that memory does not depend
on the capture. It must not know how any of it is drawn.

Invariants: nothing of a capture can become markup: it is JSON, in elements that hold no script, without `<`, `>` and `&`, and the
page allows no script but its own. At most `LISTED` + `ERRORS_LISTED` messages are in the page, at most `DETAILED` +
`2 * ERRORS_DETAILED` with everything; what is counted is counted over all of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from itertools import islice
from typing import Any, BinaryIO

from iiop.giop.messages import Reply, ReplyStatus, Request
from iiop_tools.giopdump.conversations import Seen
from iiop_tools.giopdump.declared import Said
from iiop_tools.giopdump.explained import explained
from iiop_tools.giopdump.rows import exception_name, operation_of, row, status_of, target_of, words
from iiop_tools.giopdump.summary import Summary
from iiop_tools.giopdump.values import shortened

__all__ = ["HTMLReport"]

LISTED = 100_000
"""Messages that are listed, the first ones; behind them `ERRORS_LISTED` exceptions and problems."""
ERRORS_LISTED = 10_000
DETAILED = 1_000
"""Messages of which everything is told, the first ones; behind them `ERRORS_DETAILED` errors, with what they answer."""
ERRORS_DETAILED = 500
COUNTED = 100
"""Operations and endings that are shown, those with most calls."""
LONGEST = 200
"""Characters of an operation, target or ending."""
LONGEST_VALUE = 4_000
"""Characters of anything that is told of a message."""
LINES = 200
"""Lines of annotated octets of a message."""
EXPLAINED = 16_384
"""Octets of a message that are still annotated; of longer ones only octets are shown."""

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_MARKUP = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})
_SECTIONS = {
    "service_contexts": "Service contexts",
    "arguments": "Arguments",
    "results": "Results",
    "forward": "Forward",
    "exception": "Exception",
    "repository_id": "Exception",
    "minor": "Exception",
    "minor_code": "Exception",
    "completed": "Exception",
    "members": "Exception",
    "problem": "Problem",
}
"""Where what a row has is shown, in this order; what is not here, under `Message` before it."""
_UNITS = {"size": " octets", "latency": " s"}


class HTMLReport:
    """Write a page.

    Args:
        file: where to.
        said: what the body of a message says; asked for requests whose answers are told of in full.

    Attributes:
        MARK: by which a page is known.

    Raises:
        OSError: it cannot be written.
    """

    MARK = b'<meta name="generator" content="giopdump">'

    def __init__(self, file: BinaryIO, said: Callable[[Seen], Said]) -> None:
        self._said = said
        self._summary = Summary()
        self._words: dict[str, int] = {}
        self._connections: dict[int, tuple[str, str]] = {}
        self._rows = 0
        self._details = 0
        self._errors_listed = 0
        self._errors_detailed = 0
        self._messages = 0
        before, self._between, self._after = _page()
        self._file = file
        self._write(before)

    def add(self, seen: Seen, said: Said) -> None:
        """Take a message."""
        self._summary.add(seen, said)
        self._messages += 1
        kind = _kind(seen, said)
        if self._rows >= LISTED:
            if not kind or self._errors_listed >= ERRORS_LISTED:
                return
            self._errors_listed += 1
        data = self._row(seen, said, kind)
        if self._details < DETAILED:
            self._details += 1
            data.append(_details(seen, said))
        elif kind and self._errors_detailed < ERRORS_DETAILED:
            self._errors_detailed += 1
            data.append(_details(seen, said))
            if seen.request is not None and seen.request.cut.octets:
                data.append(_details(seen.request, self._said(seen.request)))
        self._write(f"{',' if self._rows else ''}\n{_json(data)}")
        self._rows += 1

    def flush(self) -> None:
        """Leave it: a page is one only at its end."""

    def finish(self) -> None:
        """Write what was counted, and the end of the page."""
        self._write(f"{self._between}{_json(self._about())}{self._after}")

    def _write(self, text: str) -> None:
        self._file.write(text.encode())

    def _row(self, seen: Seen, said: Said, kind: int) -> list[Any]:
        """Return a message as the script of the page reads it: `FIELDS` there."""
        cut, connection = seen.cut, seen.connection
        self._connections.setdefault(connection.number, (connection.client, connection.server))
        ending = exception_name(said.exception) if said.exception is not None else status_of(seen)
        return [
            seen.number,
            (cut.began - (self._summary.first or 0)) // 1000,
            connection.number,
            int(seen.by_client),
            self._word("lost" if cut.header is None else cut.header.message_type.name),
            self._word(operation_of(seen)),
            self._word(target_of(seen)),
            self._word(ending),
            kind,
            cut.size,
            getattr(seen.message, "request_id", None),
            None if seen.request is None else seen.request.number,
            None if seen.latency is None else seen.latency // 1000,
            int(not (type(seen.message) is Request and not seen.message.response_flags & 1)),
            self._word(words(seen, said)),
        ]

    def _word(self, text: str) -> int:
        return self._words.setdefault(shortened(text, LONGEST), len(self._words))

    def _about(self) -> dict[str, Any]:
        counted = self._summary.as_data()
        operations, endings = counted["operations"], counted["total"].pop("endings")
        for each in operations[:COUNTED]:
            each["operation"], each["target"] = (shortened(each[name], LONGEST) for name in ("operation", "target"))
            each.pop("endings")
        most = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
        return {
            "words": list(self._words),
            "connections": self._connections,
            "first": (self._summary.first or 0) // 1000,
            "last": (self._summary.last or 0) // 1000,
            "messages": self._messages,
            "listed": LISTED,
            "errors_listed": self._errors_listed,
            "detailed": DETAILED,
            "errors_detailed": self._errors_detailed,
            "problems": counted["problems"],
            "total": counted["total"],
            "operations": operations[:COUNTED],
            "more_operations": max(0, len(operations) - COUNTED),
            "endings": [[shortened(name, LONGEST), count] for name, count in most[:COUNTED]],
            "more_endings": max(0, len(most) - COUNTED),
        }


def _page() -> tuple[str, str, str]:
    """Return what stands before the rows, between them and what was counted, and behind that."""
    folder = resources.files(__package__) / "page"
    page, style, script = (folder.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css", "page.js"))
    for mark, code in (("STYLE", style), ("SCRIPT", script)):
        page = page.replace(f"{{{{{mark} HASH}}}}", base64.b64encode(hashlib.sha256(code.encode()).digest()).decode())
        page = page.replace(f"{{{{{mark}}}}}", code)
    before, rest = page.split("{{MESSAGES}}")
    between, after = rest.split("{{ABOUT}}")
    return before, between, after


def _json(data: Any) -> str:
    return _ENCODE(data).translate(_MARKUP)


def _kind(seen: Seen, said: Said) -> int:
    """Return how bad a message is: 0 not, 1 a user exception, 2 a system exception, 3 it is not whole or cannot be read."""
    if seen.problem or said.problem:
        return 3
    if isinstance(seen.message, Reply) and seen.message.reply_status is ReplyStatus.USER_EXCEPTION:
        return 1
    return 2 if said.exception is not None else 0


def _details(seen: Seen, said: Said) -> list[list[str]]:
    """Return everything that can be said of a message: section, name, text."""
    data = row(seen, said)
    found = [["Message", name, _text(value) + _UNITS.get(name, "")] for name, value in data.items() if name not in _SECTIONS]
    found.append(["Message", "says", shortened(words(seen, said), LONGEST_VALUE)])
    for name, section in _SECTIONS.items():
        if name in data:
            found += [[section, label, _text(value)] for label, value in _labelled(name, data[name])]
    octets = seen.cut.octets
    lines = explained(seen, said) if len(octets) <= EXPLAINED else _unexplained(octets)
    shown = [shortened(line, LONGEST) for line in islice(lines, LINES)]
    if next(lines, None) is not None:
        shown.append(f"... ({len(octets)} octets)")
    return [*found, ["Octets", "", "\n".join(shown)]]


def _unexplained(octets: bytes) -> Iterator[str]:
    for at in range(0, len(octets), 16):
        yield f"  {at:6}  {octets[at : at + 16].hex(' ')}"


def _labelled(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    """Return what stands under one key of a row: arguments, members and contexts each by its own name."""
    if name in ("arguments", "members"):
        return list(value.items())
    if name == "service_contexts":
        return [(each["name"] or f"{each['id']:#x}", each["value"]) for each in value]
    return [(name, value)]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return shortened(text, LONGEST_VALUE)

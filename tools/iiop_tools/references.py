"""References as people give them to commands: as arguments, in files, on standard input.

Knows where a reference came from, so that what is wrong with it can be told with its place, and what that makes the exit code.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

import click

from iiop.exceptions.errors import IIOPError
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools import cli
from iiop_tools.tables import show_json
from ior.describe import error_data
from ior.text import display_text
from ior.url import ObjectURL, parse_object_url

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["Given", "Readings", "all_given", "complain", "files", "references_argument"]

LONGEST_LINE = 64 * 1024 * 1024
"""Octets of one line that are looked at; no reference within the limits is longer."""

_F = TypeVar("_F", bound=Callable[..., Any])
_URL = re.compile(r"\s*(?:IOR|corbaloc|corbaname):", re.IGNORECASE)
_URL_LINE = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*(?:IOR|corbaloc|corbaname):", re.IGNORECASE | re.MULTILINE)
_HEAD = 65536
"""Octets at the beginning of a file in which a reference is looked for, if its first line is none."""


class Given(NamedTuple):
    """Hold one reference as it was given, and where.

    Attributes:
        source: `argument` or `line`.
        number: of it, from 1.
        file: in which the line is; empty for standard input.
        unread: why the file cannot be read; empty if it could.
    """

    text: str
    source: str
    number: int
    file: str = ""
    unread: str = ""

    @property
    def place(self) -> str:
        return f"{display_text(self.file)} {self.source} {self.number}" if self.file else f"{self.source} {self.number}"

    def as_data(self) -> dict[str, Any]:
        """Return the place for rows of JSON."""
        return {"file": self.file, self.source: self.number} if self.file else {self.source: self.number}


def references_argument(command: _F) -> _F:
    """Give a command the argument `references`, one at least."""
    return click.argument("references", nargs=-1, required=True, metavar="REF...", shell_complete=files)(command)


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete names of files; nobody types a reference."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def all_given(references: Sequence[str], start: int = 1) -> Iterator[Given]:
    """Read arguments: references, files, and `-` for standard input; blank lines and comments (#) are passed over.

    Args:
        references: as they were given.
        start: number of the first.
    """
    for number, text in enumerate(references, start):
        if text == "-":
            yield from _lines(cli.standard_input(), "")
        elif _URL.match(text) or "\0" in text or not (os.sep in text or os.path.exists(text)):
            neither = "" if ":" in text else "there is no such file, and references begin with IOR:, corbaloc: or corbaname:"
            shown = text if len(text) <= 64 else f"{text[:64]}..."
            yield Given(text, "argument", number, unread=neither and f"{shown!r}: {neither}")
        else:
            yield from _file(text, number)


def _file(name: str, number: int) -> Iterator[Given]:
    try:
        with io.BufferedReader(io.FileIO(name), _HEAD) as file:
            any_there = _URL_LINE.search(file.peek()) is not None
            for given in _lines(file, name):
                if not any_there and not _URL.match(given.text):
                    break  # a file of something else: it is told once
                any_there = True
                yield given
            if not any_there:
                yield Given(
                    "", "argument", number, unread=f"{name}: holds no reference; IOR:, corbaloc: or corbaname: was expected"
                )
    except OSError as error:
        yield Given("", "argument", number, unread=f"{name}: {error.strerror or error}")


def _lines(stream: BinaryIO, file: str) -> Iterator[Given]:
    number = 0
    while raw := stream.readline(LONGEST_LINE):
        number += 1
        rest = raw
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE)
        text = raw.decode("utf-8", "surrogateescape").lstrip("\ufeff").strip()
        if text and not text.startswith("#"):
            yield Given(text, "line", number, file)


def complain(given: Given, error: IIOPError) -> None:
    """Say what is wrong with a reference, in one line on standard error."""
    sys.stdout.flush()
    text = cli.printable(str(error)).encode("ascii", "backslashreplace").decode("ascii")
    cli.complain(f"{given.place}: {text}")


@dataclass
class Readings:
    """Read references one after the other, say what is wrong, and remember it for the exit code.

    Attributes:
        as_json: tell what is wrong in rows with `errors`, as `iortool decode --json` does, and not on standard error.
        found: how many were given.
        unread: how many could not be read at all.
        bad: of how many the answer is no.
    """

    as_json: bool = False
    found: int = 0
    unread: int = 0
    bad: int = 0

    def read(self, references: Sequence[str], start: int = 1) -> Iterator[tuple[Given, ObjectURL]]:
        """Return those that can be read; of the others it is said where and why they cannot."""
        for given, reference in self.attempt(references, start=start):
            if isinstance(reference, IIOPError):
                self.refuse(given, reference)
            else:
                yield given, reference

    def attempt(
        self, references: Sequence[str], limits: Limits = DEFAULT_LIMITS, start: int = 1
    ) -> Iterator[tuple[Given, ObjectURL | IIOPError]]:
        """Return all, and why those cannot be read that cannot."""
        for given in all_given(references, start):
            self.found += 1
            try:
                if given.unread:
                    raise IIOPError(given.unread)
                reference: ObjectURL | IIOPError = parse_object_url(given.text, limits=limits)
            except IIOPError as error:
                self.unread += 1
                reference = error
            yield given, reference

    def refuse(self, given: Given, error: IIOPError) -> None:
        """Say what is wrong with a reference."""
        if self.as_json:
            show_json([given.as_data() | {"text": given.text, "errors": [error_data(error)]}])
        else:
            complain(given, error)

    def finish(self) -> None:
        """End the command with the exit code that fits."""
        if not self.found:
            cli.complain("no reference on standard input")
        if self.unread == self.found:
            cli.stop(cli.WRONG_USE)
        if self.unread or self.bad:
            cli.stop(cli.NO)

"""References as people give them to commands: as arguments, in files, on standard input.

Knows where a reference came from, so that what is wrong with it can be told with its place, and what that makes the exit code.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, TypeVar

import click

from iiop.exceptions.errors import IIOPError
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools import cli
from ior.text import display_text
from ior.url import ObjectURL, parse_object_url

__all__ = ["Given", "Readings", "all_given", "complain", "references_argument"]

LONGEST_LINE = 64 * 1024 * 1024
"""Octets of one line that are looked at; no reference within the limits is longer."""

_F = TypeVar("_F", bound=Callable[..., Any])
_URL = re.compile(r"\s*(?:IOR|corbaloc|corbaname):", re.IGNORECASE)


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
    return click.argument("references", nargs=-1, required=True, metavar="REF...")(command)


def all_given(references: Sequence[str]) -> Iterator[Given]:
    """Read arguments: references, files, and `-` for standard input; blank lines and comments (#) are passed over."""
    for number, text in enumerate(references, 1):
        if text == "-":
            yield from _lines(sys.stdin.buffer, "")
        elif _URL.match(text) or "\0" in text or not (os.sep in text or os.path.exists(text)):
            yield Given(text, "argument", number)
        else:
            yield from _file(text, number)


def _file(name: str, number: int) -> Iterator[Given]:
    try:
        with open(name, "rb") as file:
            any_there = False
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
        text = raw.decode("utf-8", "backslashreplace").lstrip("\ufeff").strip()
        if text and not text.startswith("#"):
            yield Given(text, "line", number, file)


def complain(given: Given, error: IIOPError) -> None:
    """Say what is wrong with a reference, in one line on standard error."""
    sys.stdout.flush()
    cli.complain(f"{given.place}: {display_text(str(error))}")


@dataclass
class Readings:
    """Read references one after the other, say what is wrong, and remember it for the exit code.

    Attributes:
        found: how many were given.
        unread: how many could not be read at all.
        bad: of how many the answer is no.
    """

    found: int = 0
    unread: int = 0
    bad: int = 0

    def read(self, references: Sequence[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[Given, ObjectURL]]:
        """Return those that can be read; of the others it is said where and why they cannot."""
        for given, reference in self.attempt(references, limits):
            if isinstance(reference, IIOPError):
                complain(given, reference)
            else:
                yield given, reference

    def attempt(
        self, references: Sequence[str], limits: Limits = DEFAULT_LIMITS
    ) -> Iterator[tuple[Given, ObjectURL | IIOPError]]:
        """Return all, and why those cannot be read that cannot."""
        for given in all_given(references):
            self.found += 1
            try:
                if given.unread:
                    raise IIOPError(given.unread)
                reference: ObjectURL | IIOPError = parse_object_url(given.text, limits=limits)
            except IIOPError as error:
                self.unread += 1
                reference = error
            yield given, reference

    def finish(self) -> None:
        """End the command with the exit code that fits."""
        if not self.found:
            cli.complain("no reference on standard input")
        if self.unread == self.found:
            cli.stop(cli.WRONG_USE)
        if self.unread or self.bad:
            cli.stop(cli.NO)

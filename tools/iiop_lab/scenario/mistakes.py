"""Mistakes in a lab file: where they are, and what was meant. It knows nothing of TOML, nor of labs."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iiop.exceptions import IIOPError

__all__ = ["Findings", "Key", "LabFileError", "Mistake", "closest", "format_key", "meant"]

Key = tuple[str | int, ...]
"""The way to a value: keys of tables, and indexes of arrays, from 0."""

FEW = 20
"""Names that are listed although one of them was probably meant."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Tell what is wrong, or without effect, at one place of a file.

    Attributes:
        file: as it was given.
        line: from 1; 0 is the file as a whole.
        key: `nodes.host1.port`, the elements of arrays counted from 1, as `step[1].do[2]`; empty if it is about no key.
        reason: what is wrong, and what would be right.
    """

    file: str
    line: int
    key: str
    reason: str

    def __str__(self) -> str:
        file = self.file if self.file.isprintable() else repr(self.file)
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.key}: {self.reason}" if self.key else f"{place}: {self.reason}"


class LabFileError(IIOPError):
    """Report a lab file that says what cannot be.

    Attributes:
        mistakes: all of them, those of a file in the order of its lines.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(mistakes)
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


def format_key(key: Key) -> str:
    """Write a key as TOML does, with the elements of arrays counted from 1.

    Examples:
        >>> format_key(("step", 0, "expect", 1, "served_by", "host 1"))
        'step[1].expect[2].served_by."host 1"'
    """
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False))
    return text


def meant(name: str, known: Iterable[str]) -> str:
    """Return what ends a sentence about a name that is not known: what is close to it, and what there is, if it is not too much.

    Examples:
        >>> meant("prot", ["host", "port"])
        "; did you mean 'port'? There are: host, port"
        >>> meant("prot", [])
        '; there are none'
    """
    names = list(known)
    if not names:
        return "; there are none"
    close = closest(name, names)
    listing = ", ".join(each if each.isprintable() else repr(each) for each in names)
    if close is None:
        return f"; there are: {listing}"
    return f"; did you mean {close!r}?" + (f" There are: {listing}" if len(names) <= FEW else "")


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant."""
    close = difflib.get_close_matches(name, known)
    return next((each for each in close if each[:1] == name[:1]), close[0] if close else None)


def _ways(key: Key) -> list[Key]:
    return [key[:size] for size in range(1, len(key) + 1)]


class Findings:
    """Collect what is found in one file.

    Only the first mistake at a key counts, and none inside it or around it: it would only repeat the first.

    Args:
        file: as it was given.
        lines: where the keys are.

    Attributes:
        spoilt: tables that are there, but not as tables, or under another name: it is not known what is in them.
    """

    def __init__(self, file: str, lines: Mapping[Key, int]) -> None:
        self.spoilt: set[Key] = set()
        self._file = file
        self._lines = lines
        self._mistakes: dict[Key, Mistake] = {}
        self._around: set[Key] = set()
        self._notes: list[Mistake] = []

    def add(self, key: Key, reason: str) -> None:
        """Report a mistake."""
        if not self.wrong(key):
            self._mistakes[key] = self._at(key, reason)
            self._around.update(_ways(key))

    def wrong(self, key: Key) -> bool:
        """Tell whether there is a mistake at a key, inside it or around it."""
        return key in self._around or any(way in self._mistakes for way in _ways(key))

    def note(self, key: Key, reason: str) -> None:
        """Report what is allowed, but without effect."""
        self._notes.append(self._at(key, reason))

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Return the mistakes, in the order of lines."""
        return tuple(sorted(self._mistakes.values(), key=lambda mistake: mistake.line))

    @property
    def notes(self) -> tuple[Mistake, ...]:
        """Return what is without effect, in the order of lines."""
        return tuple(sorted(self._notes, key=lambda note: note.line))

    def _at(self, key: Key, reason: str) -> Mistake:
        places = (self._lines[key[:size]] for size in range(len(key), 0, -1) if key[:size] in self._lines)
        return Mistake(self._file, next(places, 0), format_key(key), reason.replace("\n", " "))

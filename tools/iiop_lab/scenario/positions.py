"""Where the keys of a TOML document are, which `tomllib` does not tell.

It only knows where keys, values and comments end: what it is given must be TOML that `tomllib` has read.

Source: TOML 1.0.0, <https://toml.io/en/v1.0.0>.
"""

from __future__ import annotations

import bisect
import re
import tomllib

from iiop_lab.scenario.mistakes import Key

__all__ = ["key_lines"]

_NOTHING = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(r""""{3}(?:[^\\]|\\.)*?"{3,5}|\'{3}.*?\'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*\'""", re.DOTALL)
_BARE = re.compile(r"[^,\]}\n#]+")


def key_lines(text: str) -> dict[Key, int]:
    """Return the lines, from 1, in which keys and elements of arrays are first mentioned.

    Args:
        text: that `tomllib.loads` accepts.

    Raises:
        RecursionError: values are nested deeper than Python's stack.

    Examples:
        >>> key_lines("[[step]]\\nname = 'one'\\ndo = ['kill a',\\n 'kill b']")[("step", 0, "do", 1)]
        4
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._counts: dict[Key, int] = {}
        """Tables so far in each array of tables."""

    def document(self) -> None:
        table: Key = ()
        while self._sees():
            if self._skips("[["):
                name = self._key((), element=True)
                table = (*name, self._counts.setdefault(name, 0))
                self._counts[name] += 1
                self._mention(table)
                self._expect("]]")
            elif self._skips("["):
                table = self._key(())
                self._expect("]")
            else:
                self._pair(table)

    def _pair(self, table: Key) -> None:
        key = self._key(table)
        self._expect("=")
        self._sees()
        self._value(key)

    def _value(self, key: Key) -> None:
        if self._skips("["):
            index = 0
            while self._sees() != "]":
                self._mention((*key, index))
                self._value((*key, index))
                index += 1
                self._sees()
                self._skips(",")
            self._expect("]")
        elif self._skips("{"):
            while self._sees() != "}":
                self._pair(key)
                self._sees()
                self._skips(",")
            self._expect("}")
        else:
            self._take(_STRING if self._text[self._at] in "\"'" else _BARE)

    def _key(self, table: Key, *, element: bool = False) -> Key:
        """Read a dotted key; return the way to it, into the last table of each array of tables it passes."""
        key = table
        while True:
            self._sees()
            line = self._line()
            part = self._take(_KEY)
            key = (*key, part if part[0] not in "\"'" else tomllib.loads(f"key = {part}")["key"])
            self.lines.setdefault(key, line)
            self._sees()
            last = not self._skips(".")
            if last and element:
                return key
            if key in self._counts:
                key = (*key, self._counts[key] - 1)
            if last:
                return key

    def _mention(self, key: Key) -> None:
        self.lines.setdefault(key, self._line())

    def _line(self) -> int:
        return bisect.bisect_left(self._ends, self._at) + 1

    def _sees(self) -> str:
        """Skip blanks and comments; return the next character."""
        self._take(_NOTHING)
        return self._text[self._at : self._at + 1]

    def _skips(self, mark: str) -> bool:
        found = self._text.startswith(mark, self._at)
        if found:
            self._at += len(mark)
        return found

    def _expect(self, mark: str) -> None:
        self._sees()
        skipped = self._skips(mark)
        assert skipped, f"{mark} expected at {self._at}"

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, f"{pattern.pattern} expected at {self._at}"
        self._at = match.end()
        return match[0]

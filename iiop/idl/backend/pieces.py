"""Pieces of Python: docstrings, lists that may be long, imports in the order in which formatters have them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from iiop.idl.compiler import MADE_OF

__all__ = ["as_isort", "docstring", "import_from", "indented", "is_one_line", "listed"]

_WIDTH = 120
_IMPORT_WIDTH = 88
"""Longer statements of imports are a line for each name, as formatters have it."""


def is_one_line(part: str) -> bool:
    return part != "" and "\n" not in part


def indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    for line in lines:
        yield f"    {line}" if line else ""


def docstring(*paragraphs: str) -> list[str]:
    """Return the lines of a docstring, whatever is in the text."""
    text = "\n\n".join(paragraphs).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    text = "".join(
        [letter if letter == "\n" or letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text]
    )
    if text.endswith('"'):
        text = f'{text[:-1]}\\"'
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith(MADE_OF):  # which is read again
            lines.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line, _WIDTH - 10, subsequent_indent=indent + "    ", break_long_words=False, break_on_hyphens=False
        ) or [""]
    if len(lines) == 1:
        return [f'"""{lines[0]}"""']
    return [f'"""{lines[0]}', *lines[1:], '"""']


def listed(
    head: str, left: str, parts: list[str], right: str, tail: str, *, bare: bool = False, width: int = _WIDTH - 10
) -> list[str]:
    """Return a line with a list, or a line for each part where that would be long; `bare` has no brackets in one line."""
    line = f"{head}{'' if bare else left}{', '.join(parts)}{'' if bare else right}{tail}"
    if len(line) <= width:
        return [line]
    return [f"{head}{left}", *[f"    {part}," for part in parts], f"{right}{tail}"]


def import_from(module: str, imported: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the imports of names of a module, each given with what it is called here."""
    same = sorted([name for name, local in imported if name == local], key=as_isort)
    statements = {name: [f"from {module} import {name} as {local}"] for name, local in imported if name != local}
    if same:
        statements[same[0]] = listed(f"from {module} import ", "(", same, ")", "", bare=True, width=_IMPORT_WIDTH)
    for first in sorted(statements, key=as_isort):
        yield from statements[first]


def as_isort(name: str) -> tuple[int, list[str | int]]:
    """Return what names are sorted by: constants, classes, others, and numbers in them as such."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

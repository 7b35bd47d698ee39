"""Which comments document a declaration: those right before it, and one behind it on its line.

Source: omniidl 4.3 with comments kept before declarations (`-K`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Comments", "text_of"]


class Comments:
    """Give each declaration its comments; omniidl gives it all since the declaration before.

    Args:
        declarations: the outermost ones of a syntax tree.
    """

    def __init__(self, declarations: Iterable[Any]) -> None:
        self._docs: dict[int, list[str]] = {}
        self._last: Any = None
        self._meet_all(declarations)

    def _meet_all(self, nodes: Iterable[Any]) -> None:
        for node in nodes:
            self._meet(node)
            for inside in ("definitions", "contents", "members"):
                self._meet_all(getattr(node, inside, tuple)())

    def _meet(self, node: Any) -> None:
        last, self._last = self._last, node
        before: list[str] = []
        next_line = 0
        given = [*node.comments(), *[each for part in getattr(node, "declarators", tuple)() for each in part.comments()]]
        for comment in given:
            text, line = text_of(comment.text()), comment.line()
            if last is not None and (comment.file(), line) == (last.file(), last.line()) and line != node.line():
                self._docs.setdefault(id(last), []).extend(_lines(text))
                continue
            if comment.file() != node.file():
                continue
            if line != next_line:
                before.clear()
            before += _lines(text)
            next_line = line + len(text.splitlines())
        if next_line >= node.line():
            self._docs.setdefault(id(node), []).extend(before)

    def of(self, node: Any) -> str:
        """Return the comments of a declaration, or nothing."""
        return "\n".join(self._docs.get(id(node), ())).strip("\n")


def _lines(comment: str) -> list[str]:
    """Return the lines of a comment without what makes it one."""
    text = comment.strip()
    if text.startswith("//"):
        return [text.lstrip("/").removeprefix("!").strip()]
    inside = text.removeprefix("/*").removesuffix("*/").strip("*").strip()
    return [line.strip().removeprefix("*").strip() for line in inside.splitlines()]


def text_of(read: str) -> str:
    """Return text as its author wrote it: omniidl takes UTF-8 for ISO 8859-1."""
    try:
        return read.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return read

"""Rows that commands print: a table with colours on a terminal, aligned columns elsewhere, or one JSON object a line.

Knows neither references nor what the rows are about.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from iiop_tools import cli

__all__ = ["json_option", "show", "show_json"]

_F = TypeVar("_F", bound=Callable[..., Any])

Row = Mapping[str, Any]


def json_option(command: _F) -> _F:
    """Give a command the option `--json`, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each.")(command)


def show_json(rows: Iterable[Row]) -> None:
    """Write one JSON object a line."""
    import json

    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


def show(rows: Iterable[Row], columns: Sequence[str], *, styles: Mapping[str, str] | None = None) -> None:
    """Write a table.

    Args:
        rows: by column; what is missing or None stays empty.
        columns: names, in order; underscores become spaces.
        styles: of rich, by the text of a cell, as `error`: `red`.
    """
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    headings = [column.replace("_", " ") for column in columns]
    if not cells:
        return
    if sys.stdout.isatty():
        _show_rich(headings, cells, styles or {})
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for line in (headings, *cells):
        cli.say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return cli.printable(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def _show_rich(headings: list[str], cells: list[list[str]], styles: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold cyan")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in cells:
        table.add_row(*[Text(cell, style=styles.get(cell, "")) for cell in line])
    Console(highlight=False).print(table)

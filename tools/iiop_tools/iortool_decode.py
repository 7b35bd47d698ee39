"""`iortool decode`: what references say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import click

from iiop.exceptions.errors import IIOPError
from iiop.leniency import DEFAULT, LENIENT, STRICT
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools import cli
from iiop_tools.references import Given, Readings, complain, references_argument
from iiop_tools.tables import json_option
from ior.describe import as_data, error_data
from ior.lines import Line, lines_of
from ior.reference import IOR
from ior.url import ObjectURL

__all__ = ["decode"]

PRESETS = {"strict": STRICT, "default": DEFAULT, "lenient": LENIENT}

Printer: TypeAlias = Callable[[Given, "ObjectURL | None", list[IIOPError]], None]
"""Shows what a reference says (None if it could not be read) and what is wrong with it."""


@click.command()
@references_argument
@json_option
@click.option("--explain", is_flag=True, help="Every octet of each IOR: offset, length, octets, field, value.")
@click.option("--catior", is_flag=True, help="As omniORB's catior prints it.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="default",
    show_default=True,
    help="What is let pass: strict complains of what only some ORBs write, lenient of as little as can be read.",
)
@cli.debug_option
def decode(references: tuple[str, ...], as_json: bool, explain: bool, catior: bool, preset: str) -> None:
    """Print what references say.

    REF is IOR:..., corbaloc:... or corbaname:..., or a file that holds such, one a line; `-` reads standard input. Blank lines
    and lines that begin with # are passed over.

    Exit status: 0 all could be read, 1 some were broken (standard error says where), 2 wrong use, or nothing could be read.
    """
    if catior and (as_json or explain):
        raise click.UsageError("--catior stands alone")
    strict = preset == "strict"
    limits = Limits(leniency=PRESETS[preset])
    show: Printer = _JSONPrinter(explain) if as_json else _catior if catior else _TextPrinter(explain)
    readings = Readings()
    for given, reference in readings.attempt(references, DEFAULT_LIMITS if strict or preset == "default" else limits):
        if isinstance(reference, IIOPError):
            show(given, None, [reference])
            continue
        problems = reference.problems(limits if strict else None) if isinstance(reference, IOR) else ()
        readings.bad += bool(problems)
        show(given, reference, list(problems))
    readings.finish()


def _complain(given: Given, errors: list[IIOPError]) -> None:
    for error in errors:
        complain(given, error)


def _explained(reference: IOR) -> list[dict[str, Any]]:
    from ior.explain import explain

    return [
        {
            "offset": row.offset,
            "length": len(row.octets),
            "hex": row.octets.hex(),
            "field": row.path,
            "type": row.type,
            "text": row.text,
        }
        for row in explain(reference)
    ]


# --- JSON -------------------------------------------------------------------------------------------------------------


class _JSONPrinter:
    def __init__(self, explain: bool) -> None:
        import json

        self.explain = explain
        self.encode = json.JSONEncoder().encode

    def __call__(self, given: Given, reference: ObjectURL | None, errors: list[IIOPError]) -> None:
        row = given.as_data()
        row |= {"kind": None, "text": given.text} if reference is None else as_data(reference)
        if self.explain and isinstance(reference, IOR):
            row["octets"] = _explained(reference)
        row["errors"] = [error_data(error) for error in errors]
        sys.stdout.write(self.encode(row) + "\n")


# --- as catior --------------------------------------------------------------------------------------------------------


def _catior(given: Given, reference: ObjectURL | None, errors: list[IIOPError]) -> None:
    from ior.catior import catior_text

    if isinstance(reference, IOR):
        for line in catior_text(reference).split("\n")[:-1]:
            cli.say(line)
    elif reference is not None:
        cli.complain(f"{given.place}: catior knows no URLs; left out")
    _complain(given, errors)


# --- text -------------------------------------------------------------------------------------------------------------


class _Starts(dict[tuple[int, str], str]):
    """Hold what stands before a value, by indent and label."""

    def __missing__(self, key: tuple[int, str]) -> str:
        indent, label = key
        made = " " * indent + f"{label:<{max(0, 14 - indent)}}"
        if len(self) < 1000:  # numbers of profiles are labels, too
            self[key] = made
        return made


_STARTS = _Starts()


def _texts(lines: list[Line]) -> list[str]:
    return [_STARTS[indent, label] + value if value else " " * indent + label for indent, label, value in lines]


class _TextPrinter:
    def __init__(self, explain: bool) -> None:
        self.explain = explain
        self.first = True
        self.console: Any = None
        if sys.stdout.isatty():
            from rich.console import Console

            self.console = Console(highlight=False, markup=False, soft_wrap=True)

    def __call__(self, given: Given, reference: ObjectURL | None, errors: list[IIOPError]) -> None:
        if reference is not None:
            lines = _octet_lines(reference) if self.explain and isinstance(reference, IOR) else lines_of(reference)
            if not self.first:
                lines.insert(0, (0, "", ""))
            self.first = False
            self.print(lines)
        _complain(given, errors)

    def print(self, lines: list[Line]) -> None:
        if self.console is None:
            lines.append((0, "", ""))
            sys.stdout.write("\n".join(_texts(lines)))
            return
        from rich.text import Text

        for (indent, label, _), text in zip(lines, _texts(lines), strict=True):
            styled = Text(text)
            styled.stylize("bold cyan", indent, indent + len(label))
            if label == "error":
                styled.stylize("red", indent)
            self.console.print(styled)


def _octet_lines(reference: IOR) -> list[Line]:
    """Return offset and length, then 16 octets a line, then field and value."""
    lines: list[Line] = [(0, f"{'offset':>8} {'length':>6}", f"  {'octets':<47}  field = value")]
    for row in _explained(reference):
        octets = bytes.fromhex(row["hex"])
        said = row["field"]
        if row["type"] == "padding":
            said = "(padding)"
        elif row["type"] == "unread":
            said = f"{said} (not read: {row['text']})".lstrip()
        elif row["text"]:
            said += f" = {row['text']}"
        for at in range(0, len(octets), 16):
            part = octets[at : at + 16]
            label = f"{row['offset'] + at:8x} {'' if at else row['length']:>6}"
            behind = f"  {said}" if not at else f"  |{display_part(part)}|"
            lines.append((0, label, f"  {part.hex(' '):<47}{behind}"))
    return lines


def display_part(octets: bytes) -> str:
    """Return octets as a dump shows them: one character each."""
    return "".join([chr(octet) if 0x20 <= octet <= 0x7E else "." for octet in octets])

"""`iortool decode`: what references say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import click

from iiop.exceptions.errors import IIOPError
from iiop.leniency import DEFAULT, LENIENT, STRICT
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools import cli
from iiop_tools.references import Given, Readings, references_argument
from iiop_tools.tables import json_option
from ior.describe import as_data, error_data, tag_text
from ior.reference import IOR
from ior.text import display_text
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
    if errors:
        sys.stdout.flush()
    for error in errors:
        cli.complain(f"{given.place}: {display_text(str(error))}")


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
        sys.stdout.write(catior_text(reference))
    elif reference is not None:
        cli.complain(f"{given.place}: catior knows no URLs; left out")
    _complain(given, errors)


# --- text -------------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """Hold one line of text: a label, and what it labels."""

    indent: int
    label: str
    value: str

    def __str__(self) -> str:
        text = f"{self.label:<{max(0, 14 - self.indent)}}{self.value}" if self.value else self.label
        return " " * self.indent + text


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
            explained = self.explain and isinstance(reference, IOR)
            lines = _octet_lines(reference) if explained and isinstance(reference, IOR) else _lines_of(as_data(reference))
            if not self.first:
                lines.insert(0, Line(0, "", ""))
            self.first = False
            self.print(lines)
        _complain(given, errors)

    def print(self, lines: list[Line]) -> None:
        if self.console is None:
            sys.stdout.write("".join([f"{line}\n" for line in lines]))
            return
        from rich.text import Text

        for line in lines:
            text = str(line)
            styled = Text(text)
            styled.stylize("bold cyan", line.indent, line.indent + len(line.label))
            if line.label == "error":
                styled.stylize("red", line.indent)
            self.console.print(styled)


def _octet_lines(reference: IOR) -> list[Line]:
    """Return offset and length, then 16 octets a line, then field and value."""
    lines = [Line(0, f"{'offset':>8} {'length':>6}", f"  {'octets':<47}  field = value")]
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
            lines.append(Line(0, label, f"  {part.hex(' '):<47}{behind}"))
    return lines


def display_part(octets: bytes) -> str:
    """Return octets as a dump shows them: one character each."""
    return "".join([chr(octet) if 0x20 <= octet <= 0x7E else "." for octet in octets])


def _lines_of(data: dict[str, Any]) -> list[Line]:
    if data["kind"] != "IOR":
        lines = [Line(0, data["kind"], "")]
        for address in data["addresses"]:
            if address["protocol"] == "iiop":
                where = f"IIOP {address['version']}, host {address['host']}, port {address['port']}"
            else:
                where = f"{address['protocol']}:{address['text']}"
            lines.append(Line(2, "address", where))
        lines += _key_lines(2, data["object_key"])
        if "name" in data:
            lines.append(Line(2, "name", display_text(data["name"])))
        return lines
    lines = [Line(0, "type id", f'"{display_text(data["type_id"])}"')]
    if not data["profiles"]:
        lines.append(Line(0, "nil", "the reference has no profiles"))
    for number, profile in enumerate(data["profiles"], 1):
        lines += _profile_lines(number, profile)
    return lines


def _profile_lines(number: int, profile: dict[str, Any]) -> list[Line]:
    lines = [Line(0, f"profile {number}", tag_text(profile["name"], profile["tag"]))]
    if "host" in profile:
        lines.append(Line(2, "version", f"IIOP {profile['version']}"))
        lines.append(Line(2, "host", display_text(profile["host"])))
        lines.append(Line(2, "port", str(profile["port"])))
        lines += _key_lines(2, profile["object_key"])
    if "error" in profile:
        lines.append(Line(2, "error", _error_text(profile["error"])))
    if "text" in profile:
        lines.append(Line(2, "says", profile["text"]))
    if "hex" in profile and not profile.get("components"):
        lines.append(Line(2, "octets", _hex_text(profile["hex"])))
    for component in profile.get("components", ()):
        lines.append(Line(2, "component", f"{tag_text(component['name'], component['tag'])}: {_component_text(component)}"))
    return lines


def _component_text(component: dict[str, Any]) -> str:
    if "text" in component:
        text: str = component["text"]
        return text
    octets = _hex_text(component["hex"])
    return f"error: {_error_text(component['error'])}; octets {octets}" if "error" in component else octets


def _error_text(error: dict[str, Any]) -> str:
    return display_text(f"{error['path'] or 'value'} at offset {error['offset']}: {error['reason']}")


def _key_lines(indent: int, key: dict[str, Any]) -> list[Line]:
    lines = [Line(indent, "key hex", _hex_text(key["hex"])), Line(indent, "key text", key["text"])]
    if key["recognised"] and key["recognised"]["layout"] != "name":
        lines.append(Line(indent, "key says", key["recognised"]["text"]))
    return lines


def _hex_text(digits: str) -> str:
    count = len(digits) // 2
    return f"{digits} ({count} octet{'' if count == 1 else 's'})" if count else "(no octets)"

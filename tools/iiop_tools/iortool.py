"""The command `iortool`: look into object references.

Thin: reads references from arguments and standard input, lets `ior` understand them, and prints. Never touches the network.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import click

from iiop.exceptions.errors import IIOPError
from iiop.leniency import DEFAULT, LENIENT, STRICT
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop_tools import cli
from ior.describe import as_data, error_data, tag_text
from ior.reference import IOR
from ior.text import display_text
from ior.url import parse_object_url

__all__ = ["main"]

LONGEST_LINE = 64 * 1024 * 1024
"""Octets of one line of standard input that are looked at; no reference within the limits is longer."""


PRESETS = {"strict": STRICT, "default": DEFAULT, "lenient": LENIENT}


class Given(NamedTuple):
    """Hold one reference as it was given, and where: argument or line, counted from 1."""

    text: str
    source: str
    number: int

    @property
    def place(self) -> str:
        return f"{self.source} {self.number}"


Printer: TypeAlias = Callable[[Given, dict[str, Any] | None, list[IIOPError]], None]
"""Shows what a reference says (None if it could not be read) and what is wrong with it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iiopkit")
@cli.debug_option
def iortool() -> None:
    """Look into CORBA object references. Never touches the network."""


@iortool.command()
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each reference.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="default",
    show_default=True,
    help="What is let pass: strict complains of what only some ORBs write, lenient of as little as can be read.",
)
@cli.debug_option
def decode(references: tuple[str, ...], as_json: bool, preset: str) -> None:
    """Print what references say.

    REF is IOR:..., corbaloc:... or corbaname:...; `-` reads references from standard input, one a line, where blank lines and
    lines that begin with # are passed over.

    Exit status: 0 all could be read, 1 some were broken (standard error says where), 2 wrong use, or no reference was there.
    """
    strict = preset == "strict"
    limits = Limits(leniency=PRESETS[preset])
    show: Printer = _JSONPrinter() if as_json else _TextPrinter()
    found, bad = 0, 0
    for given in _all_given(references):
        found += 1
        try:
            reference = parse_object_url(given.text, limits=DEFAULT_LIMITS if strict else limits)
        except IIOPError as error:
            bad += 1
            show(given, None, [error])
            continue
        problems = reference.problems(limits if strict else None) if isinstance(reference, IOR) else ()
        bad += bool(problems)
        show(given, as_data(reference), list(problems))
    if not found:
        cli.complain("no reference on standard input")
        cli.stop(cli.WRONG_USE)
    if bad:
        cli.stop(cli.NO)


def _all_given(references: Sequence[str]) -> Iterator[Given]:
    for number, text in enumerate(references, 1):
        if text == "-":
            yield from _lines()
        else:
            yield Given(text, "argument", number)


def _lines() -> Iterator[Given]:
    stream = sys.stdin.buffer
    number = 0
    while raw := stream.readline(LONGEST_LINE):
        number += 1
        rest = raw
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE)
        text = raw.decode("utf-8", "backslashreplace").lstrip("\ufeff").strip()
        if text and not text.startswith("#"):
            yield Given(text, "line", number)


# --- JSON -------------------------------------------------------------------------------------------------------------


class _JSONPrinter:
    def __init__(self) -> None:
        self.encode = json.JSONEncoder().encode

    def __call__(self, given: Given, data: dict[str, Any] | None, errors: list[IIOPError]) -> None:
        row: dict[str, Any] = {given.source: given.number}
        row |= {"kind": None, "text": given.text} if data is None else data
        row["errors"] = [error_data(error) for error in errors]
        sys.stdout.write(self.encode(row) + "\n")


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
    def __init__(self) -> None:
        self.first = True
        self.console: Any = None
        if sys.stdout.isatty():
            from rich.console import Console

            self.console = Console(highlight=False, markup=False, soft_wrap=True)

    def __call__(self, given: Given, data: dict[str, Any] | None, errors: list[IIOPError]) -> None:
        if data is not None:
            lines = _lines_of(data)
            if not self.first:
                lines.insert(0, Line(0, "", ""))
            self.first = False
            self.print(lines)
        if errors:
            sys.stdout.flush()
        for error in errors:
            cli.complain(f"{given.place}: {_one_line(error)}")

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


def _one_line(error: IIOPError) -> str:
    return display_text(str(error))


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run `iortool` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(iortool, argv)

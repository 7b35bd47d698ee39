"""`iortool minor`, `codesets` and `tags`: what numbers stand for."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

import click

from iiop.cdr.code_sets import CODE_SETS, INTERSTAGE_CODE_SETS
from iiop.components.vendor_ids import VendorComponentId, VendorProfileId
from iiop.exceptions import SystemException, explain_minor, vendor_of_minor
from iiop.exceptions.advice import ADVICE, COMPLETION_ADVICE
from iiop.iop import COMPONENTS, PROFILES, SERVICE_CONTEXTS, ComponentId, ProfileId, ServiceId
from iiop.service_contexts import VendorServiceId
from iiop_tools import cli
from iiop_tools.tables import json_option, show, show_json
from ior.registry import vendor_name

__all__ = ["codesets", "minor", "tags"]


def _matches(row: dict[str, Any], pattern: str | None) -> bool:
    """Tell whether a text of the row has the pattern in it, or its number is it."""
    if pattern is None:
        return True
    texts = [str(value).lower() for value in row.values() if isinstance(value, str)]
    return any(fnmatch.fnmatchcase(text, f"*{pattern.lower()}*") for text in texts) or _number(pattern) == row["number"]


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def _listed(rows: Iterable[dict[str, Any]], columns: tuple[str, ...], pattern: str | None, as_json: bool) -> None:
    found = [row for row in rows if _matches(row, pattern)]
    if as_json:
        show_json(found)
    else:
        show([row | {"number": row["hex"]} for row in found], columns)
    if not found:
        cli.complain(f"nothing here is, or is called, {cli.printable(pattern or '')}")
        cli.stop(cli.NO)


# --- minor codes ------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("codes", nargs=-1, required=True, metavar="CODE...")
@click.option("--exception", metavar="NAME", help="The exception it came with, as COMM_FAILURE; all without it.")
@json_option
@cli.debug_option
def minor(codes: tuple[str, ...], exception: str | None, as_json: bool) -> None:
    """Say what minor codes of system exceptions mean, and what to do.

    CODE is hexadecimal, as 0x464a0114, or decimal, as 1179255060; `-` reads some from standard input, one a line.

    Exit status: 0 each is known, 1 of one not even the vendor is, 2 a code is no number.
    """
    names = sorted(cls.__name__ for cls in SystemException.__subclasses__())
    if exception is not None:
        if exception.upper() not in names:
            raise click.BadParameter(f"{exception!r} is no system exception; as {', '.join(names[:4])}", param_hint="--exception")
        names = [exception.upper()]
    unknown = False
    for code in _all_codes(codes):
        rows = _meanings(code, names)
        unknown |= vendor_of_minor(code) is None and not any(row["name"] for row in rows)
        if as_json:
            show_json(rows)
        else:
            _tell(code, rows)
    if unknown:
        cli.stop(cli.NO)


def _all_codes(texts: tuple[str, ...]) -> list[int]:
    words = [word for text in texts for word in (_words_given() if text == "-" else [text])]
    if not words:
        raise click.UsageError("no minor code on standard input")
    found: list[int] = []
    for word in words:
        number = _number(word)
        if number is None or not 0 <= number < 1 << 32:
            raise click.BadParameter(f"{cli.printable(word)!r} is no minor code: 0x464a0114 or 1179255060 was expected")
        found.append(number)
    return found


def _words_given() -> list[str]:
    return cli.standard_input().read().decode("utf-8", "surrogateescape").split()


def _meanings(code: int, names: list[str]) -> list[dict[str, Any]]:
    """Return what a code means, by exception; one row without exception where it is the same with all, or unknown with all."""
    vendor = vendor_of_minor(code)
    told: dict[tuple[str, str, str, str], list[str]] = {}
    for name in names:
        found = explain_minor(name, code)
        if found is not None and found.name:
            told.setdefault((found.vendor, found.name, found.meaning, found.advice), []).append(name)
    start = {"number": code, "hex": f"{code:#010x}", "in_block": code & 0xFFF}
    rows: list[dict[str, Any]] = []
    for (owner, symbol, meaning, advice), exceptions in told.items():
        every = len(exceptions) == len(names) > 1
        said = {"exceptions": [] if every else exceptions, "vendor": owner, "name": symbol, "meaning": meaning or None}
        rows.append(start | said | {"advice": advice or (ADVICE.get(exceptions[0], "") if not every else "")})
    if not rows and not code:
        said = {
            "exceptions": [],
            "vendor": None,
            "name": "no minor code",
            "meaning": "the sender says no more than the exception",
        }
        rows.append(start | said | {"advice": ADVICE.get(names[0], "") if len(names) == 1 else ""})
    if not rows:
        advice = ADVICE.get(names[0], "") if len(names) == 1 else "Name the exception: --exception."
        said = {"exceptions": names if len(names) == 1 else [], "vendor": vendor, "name": None, "meaning": None}
        rows.append(start | said | {"advice": advice})
    return rows


def _tell(code: int, rows: list[dict[str, Any]]) -> None:
    cli.say(f"{code:#010x} ({code}), number {code & 0xFFF:#x} of {rows[0]['vendor'] or 'a vendor that is not known here'}")
    for row in rows:
        title = row["name"] or "not known here"
        cli.say(f"  {', '.join(row['exceptions']) or 'any exception'}: {title}")
        if row["meaning"]:
            cli.say(f"    meaning     {row['meaning']}")
        if row["advice"]:
            cli.say(f"    what to do  {row['advice']}")
    cli.say(f"  {COMPLETION_ADVICE}")


# --- code sets --------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("pattern", required=False)
@json_option
@cli.debug_option
def codesets(pattern: str | None, as_json: bool) -> None:
    """List the code sets of the OSF registry, those of Interstage by their names, and what reads them here.

    PATTERN is part of a name or title, in any case, or a number. A codec with ~ is near the code set, and differs in a few
    characters.
    """
    ours: dict[int, list[str]] = {}
    for name, number in INTERSTAGE_CODE_SETS.items():
        if number is not None:
            ours.setdefault(number, []).append(name)
    rows = [
        {
            "number": number,
            "hex": f"{number:#010x}",
            "name": each.name,
            "title": each.title,
            "octets": each.max_octets,
            "codec": f"{'' if each.exact else '~'}{each.codec}" if each.codec else None,
            "interstage": ", ".join(ours.get(number, ())) or None,
        }
        for number, each in CODE_SETS.items()
    ]
    _listed(rows, ("number", "name", "octets", "codec", "interstage", "title"), pattern, as_json)


# --- tags -------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("pattern", required=False)
@json_option
@cli.debug_option
def tags(pattern: str | None, as_json: bool) -> None:
    """List the tags of profiles, components and service contexts, and whether what they hold is decoded here.

    PATTERN is part of a name, in any case, or a number.
    """
    kinds = (
        ("profile", (ProfileId, VendorProfileId), PROFILES),
        ("component", (ComponentId, VendorComponentId), COMPONENTS),
        ("service context", (ServiceId, VendorServiceId), SERVICE_CONTEXTS),
    )
    rows: list[dict[str, Any]] = []
    for kind, groups, registry in kinds:
        for tag in (tag for group in groups for tag in group):
            decoded = tag in registry or (kind == "profile" and tag == ProfileId.TAG_INTERNET_IOP)
            owner = (vendor_name(tag) or "") if tag > 0xFFFF else "OMG"
            rows.append(
                {
                    "kind": kind,
                    "number": int(tag),
                    "hex": str(int(tag)) if tag <= 0xFFFF else f"{tag:#010x}",
                    "name": tag.name,
                    "vendor": owner or None,
                    "decoded": "yes" if decoded else "no",
                }
            )
    _listed(rows, ("kind", "number", "name", "vendor", "decoded"), pattern, as_json)

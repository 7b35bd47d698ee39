"""`iortool check` and `iortool diff`: what is wrong with references, and what differs between two."""

from __future__ import annotations

import dataclasses
import functools
import socket
from typing import Any

import click

from iiop.exceptions.errors import IIOPError
from iiop_tools import cli
from iiop_tools.network import hosts_option
from iiop_tools.references import Readings, files, references_argument
from iiop_tools.tables import json_option, show, show_json
from ior.check import Severity
from ior.check import check as findings
from ior.compare import Aspect, Change, changes_between
from ior.reference import IOR
from ior.text import display_text
from ior.url import Corbaname, ObjectURL

__all__ = ["check", "diff"]

_NOT_IN_URLS = ("no-type", "no-code-sets")
"""What a URL has no place for, so that it is not wrong."""

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


@click.command()
@references_argument
@click.option(
    "--resolve",
    is_flag=True,
    is_eager=True,
    help="Ask the resolver of this machine for host names; without it nobody is asked.",
)
@hosts_option(only_with="resolve")
@json_option
@cli.debug_option
def check(references: tuple[str, ...], resolve: bool, hosts: dict[str, str] | None, as_json: bool) -> None:
    """Say what is wrong with references.

    Hosts that not every client reaches, port 0, missing code sets, components in IIOP 1.0, tags and addresses that stand twice,
    whatever is broken or not as the standard has it. A corbaloc is looked at as the reference that it becomes.

    Exit status: 0 nothing is wrong (notes do not count), 1 something is, 2 nothing could be read.
    """
    readings = Readings(as_json)
    asked = functools.cache(_resolver(hosts or {})) if resolve else None
    for given, url in readings.read(references):
        try:
            found = findings(_reference(url), asked)
        except IIOPError as error:  # an address that only an ORB can resolve
            readings.bad += 1
            readings.refuse(given, error)
            continue
        if not isinstance(url, IOR):
            found = tuple([each for each in found if each.code not in _NOT_IN_URLS])
        readings.bad += any(each.severity is not Severity.note for each in found)
        rows = [given.as_data() | dataclasses.asdict(each) for each in found]
        if as_json:
            show_json(rows or [given.as_data() | {"code": None}])
        elif rows:
            click.echo(f"{given.place}: {len(rows)} found")
            show(rows, ("severity", "code", "path", "message", "advice"), styles=_STYLES)
        else:
            click.echo(f"{given.place}: nothing is wrong")
    readings.finish()


def _reference(url: ObjectURL) -> IOR:
    if isinstance(url, IOR):
        return url
    return (url.corbaloc if isinstance(url, Corbaname) else url).to_ior()


def _resolver(hosts: dict[str, str]) -> Any:
    from iiop.net.address import map_host

    def resolve(host: str) -> tuple[str, ...]:
        found = socket.getaddrinfo(map_host(hosts, host), None, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(each[4][0]) for each in found))

    return resolve


@click.command()
@click.argument("a", metavar="REF", shell_complete=files)
@click.argument("b", metavar="REF", shell_complete=files)
@click.option("--ignore", type=click.Choice([each.value for each in Aspect]), multiple=True, help="What does not count.")
@json_option
@cli.debug_option
def diff(a: str, b: str, ignore: tuple[str, ...], as_json: bool) -> None:
    """Say what differs between two references, field by field.

    Byte order and padding do not count. A corbaloc is compared as the reference that it becomes. Of a file the first reference
    is taken.

    Exit status: 0 they say the same, 1 they differ, 2 one could not be read.
    """
    readings = Readings()
    pair = [next((url for _, url in readings.read([text], number)), None) for number, text in enumerate((a, b), 1)]
    one, other = pair
    if one is None or other is None:
        if not readings.unread:
            cli.complain("no reference on standard input")
        cli.stop(cli.WRONG_USE)
    try:
        rows = [dataclasses.asdict(change) for change in _changes(one, other) if change.aspect not in ignore]
    except IIOPError as error:
        cli.complain(display_text(str(error)))
        cli.stop(cli.WRONG_USE)
    if as_json:
        show_json(rows)
    elif rows:
        show(rows, ("path", "a", "b"))
    else:
        click.echo("they say the same" if str(one) == str(other) else "they say the same, in other octets")
    if rows:
        cli.stop(cli.NO)


def _changes(one: ObjectURL, other: ObjectURL) -> list[Change]:
    names = [url.name if isinstance(url, Corbaname) else "" for url in (one, other)]
    changes = list(changes_between(_reference(one), _reference(other)))
    return changes + ([Change("name", names[0], names[1], path="name")] if names[0] != names[1] else [])

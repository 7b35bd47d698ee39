"""Lab files as they are named on a command line, and what they declare, in a line. It starts nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import iiop_lab
from iiop_lab.scenario.declaration import LabFile
from iiop_lab.scenario.mistakes import LabFileError, Mistake, meant
from iiop_lab.scenario.text import Read, read_lab
from iiop_tools import cli

__all__ = ["Checked", "checked", "declared", "folder_of", "read_or_stop", "scenario_path", "scenarios"]


def folder_of(file: Path) -> Path:
    """Return where the lab of a file lives, unless another folder is named: `.iioplab/<stem>` beside the file."""
    return file.parent / ".iioplab" / file.stem


def scenarios() -> dict[str, Read]:
    """Return the scenarios that come with us, by name."""
    read = {path.stem: read_lab(path) for path in sorted((Path(iiop_lab.__path__[0]) / "scenarios").glob("*.toml"))}
    return {name: each for name, each in read.items() if each.lab.step}


def scenario_path(named: str) -> Path:
    """Return the file that somebody means: a path, or the name of a scenario that comes with us; stop if there is none."""
    path = Path(named)
    if path.suffix == ".toml" or path.exists() or path.name != named:
        return path
    known = scenarios()
    if named not in known:
        cli.complain(cli.printable(f"{named} is no file, and no scenario that comes with us{meant(named, known)}"))
        cli.stop(cli.WRONG_USE)
    return known[named].file


def read_or_stop(path: Path) -> Read:
    """Read a lab file; say what is wrong with it, and stop, if it cannot be used."""
    try:
        return read_lab(path)
    except LabFileError as error:
        for mistake in error.mistakes:
            cli.complain(cli.printable(str(mistake)))
        cli.stop(cli.WRONG_USE)


@dataclass(frozen=True, slots=True)
class Checked:
    """Tell what was found in a file.

    Attributes:
        file: its path.
        unreadable: it could not be opened.
        mistakes: what is wrong.
        notes: what has no effect.
        declares: what it declares, in a few words; empty if something is wrong.
    """

    file: str
    unreadable: bool
    mistakes: tuple[Mistake, ...]
    notes: tuple[Mistake, ...]
    declares: str


def checked(path: Path) -> Checked:
    """Look for what is wrong in a file."""
    try:
        read = read_lab(path)
    except LabFileError as error:
        return Checked(str(path), isinstance(error.__cause__, OSError), error.mistakes, (), "")
    return Checked(str(path), False, (), read.notes, declared(read.lab))


def declared(lab: LabFile) -> str:
    """Say in a few words what a file declares.

    Examples:
        >>> from iiop_lab.scenario.declaration import NodeDeclaration
        >>> declared(LabFile(hosts={"host1": "127.0.0.11"}, nodes={"host1": NodeDeclaration()}))
        '1 node (host1)'
    """
    parts = [
        _named("cluster", lab.clusters),
        _named("node", lab.nodes),
        _named("WorkUnit", lab.work_units),
        _named("fault", lab.faults),
        _named("client", lab.clients),
    ]
    if lab.virtual_host is not None:
        parts.insert(0, f"virtual host {lab.virtual_host.host}")
    if lab.step:
        parts.append(f"{len(lab.step)} step{'s' * (len(lab.step) > 1)}")
    return ", ".join(part for part in parts if part) or "nothing"


def _named(what: str, named: Iterable[str]) -> str:
    names = tuple(named)
    return f"{len(names)} {what}{'s' * (len(names) > 1)} ({', '.join(names)})" if names else ""

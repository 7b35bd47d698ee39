"""Lab files: TOML in, what they declare out, or every mistake with its line.

It knows files, and which part of a lab comes from which. What can be declared is in `iiop_lab.scenario.declaration`; what does
not go together is found by `iiop_lab.scenario.checks` and `iiop_lab.scenario.play_checks`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iiop_lab.scenario.checks import check_lab
from iiop_lab.scenario.declaration import LabFile
from iiop_lab.scenario.mistakes import Findings, LabFileError, Mistake
from iiop_lab.scenario.play_checks import check_play
from iiop_lab.scenario.positions import key_lines
from iiop_lab.scenario.shaping import shape

__all__ = ["Read", "read_lab", "read_table"]

OF_THE_LAB = ("references", "hosts", "virtual_host", "nodes", "work_units", "clusters", "faults")
"""What comes from the other file where one is named."""

LONGEST = 1024 * 1024
"""Octets of a file."""

_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Read:
    """Hold what was read.

    Attributes:
        lab: what is declared, in this file and the one it names.
        file: that was read.
        folder: of the file that declares nodes and WorkUnits: `home`, `script` and servant modules are relative to it.
        notes: what is declared, but without effect.
    """

    lab: LabFile
    file: Path
    folder: Path
    notes: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class _Declared:
    path: Path
    table: Mapping[str, object]
    lab: LabFile
    findings: Findings


def read_lab(path: Path) -> Read:
    """Read a lab file, and the one that it names with `lab`.

    Raises:
        LabFileError: a file cannot be read, is no TOML, or says what cannot be; with all mistakes of both.
    """
    return _checked(_declared(path))


def read_table(table: Mapping[str, object], file: Path) -> Read:
    """Read what `tomllib` would return of a lab file, from wherever it comes.

    Args:
        table: what is declared.
        file: that mistakes are told of, and paths are relative to.

    Raises:
        LabFileError: it says what cannot be; with all mistakes.
    """
    findings = Findings(str(file), {})
    return _checked(_Declared(file, table, shape(table, LabFile, findings), findings))


def _checked(own: _Declared) -> Read:
    other = _other(own) if own.lab.lab else own
    lab = own.lab
    if other is not own:
        lab = dataclasses.replace(lab, **{name: getattr(other.lab, name) for name in OF_THE_LAB})
    folder = other.path.parent
    check_lab(lab, other.findings, folder)
    check_play(lab, own.findings, other.findings)
    mistakes = own.findings.mistakes
    notes = own.findings.notes
    if other is not own:
        mistakes += other.findings.mistakes
        notes += other.findings.notes
    if mistakes:
        raise LabFileError(mistakes)
    return Read(lab, own.path, folder, notes)


def _other(own: _Declared) -> _Declared:
    """Read the file that another names.

    Raises:
        LabFileError: it cannot be read, or names a third; with the mistakes of both.
    """
    path = own.path.parent / own.lab.lab
    if os.path.abspath(path) == os.path.abspath(own.path):
        own.findings.add(("lab",), "it names this file itself; leave it out")
        raise LabFileError(own.findings.mistakes)
    for name in OF_THE_LAB:
        if name in own.table:
            own.findings.add((name,), f"{own.lab.lab} declares the lab, so this belongs there")
    try:
        other = _declared(path)
    except LabFileError as error:
        raise LabFileError((*own.findings.mistakes, *error.mistakes)) from error
    if other.lab.lab:
        other.findings.add(("lab",), f"{own.path} takes the lab from here, so it must be declared here, not in a third file")
        raise LabFileError((*own.findings.mistakes, *other.findings.mistakes))
    return other


def _declared(path: Path) -> _Declared:
    """Read one file.

    Raises:
        LabFileError: it cannot be read, is too large, or is no TOML.
    """
    try:
        with path.open("rb") as opened:
            octets = opened.read(LONGEST + 1)
        if len(octets) > LONGEST:
            raise LabFileError([Mistake(str(path), 0, "", f"it is too large: a lab file has {LONGEST} octets at the most")])
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        what = f"no UTF-8: octet 0x{error.object[error.start]:02x} cannot be there; save it as UTF-8"
        raise LabFileError([Mistake(str(path), line, "", what)]) from error
    except OSError as error:
        raise LabFileError([Mistake(str(path), 0, "", f"it cannot be read: {error.strerror}")]) from error
    except ValueError as error:
        raise LabFileError([Mistake(str(path), 0, "", f"no file can have that name: {error}")]) from error
    try:
        table = tomllib.loads(text)
        lines = key_lines(text)
    except ValueError as error:
        raise LabFileError([_no_toml(str(path), text, error)]) from error
    except RecursionError as error:
        raise LabFileError([Mistake(str(path), 0, "", "arrays or tables in it are nested too deeply")]) from error
    findings = Findings(str(path), lines)
    return _Declared(path, table, shape(table, LabFile, findings), findings)


def _no_toml(file: str, text: str, error: ValueError) -> Mistake:
    match = _PLACE.fullmatch(str(error))
    if match is None:
        return Mistake(file, 0, "", f"no TOML: {error}")
    what, line, column = match.groups()
    if line is None:
        return Mistake(file, text.count("\n") + 1, "", f"no TOML: {what}, at the end of the file")
    return Mistake(file, int(line), "", f"no TOML: {what}, in column {column}")

"""What both checks of a lab file ask: is there something of that name, is that number possible."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import get_args

from iiop_lab.scenario.declaration import LabFile, Reported
from iiop_lab.scenario.meaning import targets_of
from iiop_lab.scenario.mistakes import Findings, Key, meant

__all__ = ["ULONG", "Checking", "misreported"]

ULONG = 0xFFFFFFFF
SHARES = ("cpu", "memory", "disk_io", "buffer_use")
"""What is reported as a number from 0 to 1."""

_TABLES = {
    "host": "hosts",
    "node": "nodes",
    "WorkUnit": "work_units",
    "cluster": "clusters",
    "fault": "faults",
    "client": "clients",
}


def misreported(measure: str, number: str) -> str:
    """Say why a node cannot report a number, as operators write it; empty if it can."""
    if measure not in get_args(Reported):
        return f"nodes do not report {measure!r}{meant(measure, get_args(Reported))}"
    try:
        value = float(number)
    except ValueError:
        return f"{number!r} is no number"
    if measure in SHARES:
        return "" if 0 <= value <= 1 else f"it must be 0 to 1, not {value}"
    return "" if 0 <= value < math.inf else f"it must be 0 or more, not {value}"


class Checking:
    """Report what cannot be in one file.

    Args:
        lab: all that is declared.
        findings: of the file that is checked.
        elsewhere: of the file that declares the lab, if it is another.
    """

    def __init__(self, lab: LabFile, findings: Findings, elsewhere: Findings | None = None) -> None:
        self.lab = lab
        self.findings = findings
        self._spoilt = findings.spoilt | (elsewhere.spoilt if elsewhere is not None else set())

    def told(self, table: str) -> bool:
        """Tell whether it is known what is in a table; not so where its own name is wrong, which is reported already."""
        return (table,) not in self._spoilt

    def there_is(self, kind: str, name: str, key: Key, lead: str = "") -> bool:
        """Report a name of which there is nothing.

        Args:
            kind: `host`, `node`, ...
            name: that is used.
            key: where.
            lead: what the report begins with.
        """
        known: Iterable[str] = getattr(self.lab, _TABLES[kind])
        if name not in known and self.told(_TABLES[kind]):
            self.findings.add(key, f"{lead}there is no {kind} {name!r}{meant(name, known)}")
        return name in known

    def target(self, node: str, key: Key, lead: str = "") -> None:
        """Report a node that is no target of the virtual host."""
        if self.there_is("node", node, key, lead) and self.told("virtual_host"):
            if self.lab.virtual_host is None:
                self.findings.add(key, f"{lead}there is no virtual host whose target a node could be")
            elif node not in targets_of(self.lab):
                self.findings.add(key, f"{lead}node {node!r} is no target of the virtual host")

    def seconds(self, value: float | None, key: Key, *, positive: bool = False) -> None:
        """Report seconds that cannot be."""
        if value is not None and not ((value > 0 if positive else value >= 0) and value < math.inf):
            self.findings.add(key, f"it must be {'more than 0' if positive else '0 or more'} seconds, not {value}")

    def at_least(self, least: int, value: int | None, key: Key) -> None:
        """Report a count that is too small."""
        if value is not None and value < least:
            self.findings.add(key, f"it must be {least} or more")

    def up_to(self, most: int, value: int | None, key: Key) -> None:
        """Report a number that is negative or too large."""
        if value is not None and not 0 <= value <= most:
            self.findings.add(key, f"it must be 0 to {most if most != ULONG else hex(ULONG)}")

    def share(self, value: float, key: Key, lead: str = "") -> None:
        """Report what is no part of a whole."""
        if not 0 <= value <= 1:
            self.findings.add(key, f"{lead}it must be 0 to 1, not {value}")

    def reported(self, measure: str, value: float, key: Key, lead: str = "") -> None:
        """Report a number that no server can report."""
        if wrong := misreported(measure, str(value)):
            self.findings.add(key, f"{lead}{wrong}")

    def command(self, command: tuple[str, ...], key: Key) -> None:
        """Report a command that names no program."""
        if command and not command[0]:
            self.findings.add((*key, 0), "it is the program, and cannot be empty")

"""The sample server of the lab: it runs numbered calls and keeps a journal, so that what ran can be counted afterwards.

The interface is that of `TDsample.idl`, which omniORBpy clients are compiled from.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Annotated

from iiop.cdr import Long
from iiop.idl import Interface, Servant, operation

__all__ = ["IMPLEMENTATION_ID", "Journal", "Sample", "SampleServant", "TdTest", "runs"]

IMPLEMENTATION_ID = "FUJITSU-Interstage-TDLC"
"""Implementation repository id of transaction applications (B1WS-1092-03ENZ0, 3.2.3.1)."""


class TdTest(Interface):
    """Run calls that are counted."""

    repository_id = "IDL:TDsample/tdtest:1.0"

    @operation
    def call(self, number: Annotated[int, Long]) -> str:  # type: ignore[empty-body]
        """Run the call of that number; return the name of the host that ran it."""

    @operation(idempotent=True)
    def has_run(self, number: Annotated[int, Long]) -> bool:  # type: ignore[empty-body]
        """Tell whether a call of that number has run, on whichever host."""


class Journal:
    """Keep the numbers of calls that ran on one host, in a folder all hosts share; what is written survives SIGKILL."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self._file = os.open(folder / f"{host}.journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._file)

    def write(self, number: int) -> None:
        """Record that a call runs."""
        os.write(self._file, b"%d\n" % number)


def runs(folder: Path) -> dict[str, list[int]]:
    """Return the numbers of the calls that ran, in order, by host."""
    return {path.stem: [int(line) for line in path.read_text().split()] for path in sorted(folder.glob("*.journal"))}


class SampleServant(Servant):
    """Run calls and write them into a journal before they are answered."""

    interface = TdTest

    def __init__(self, host: str, journal: Journal, *, shared: bool = True) -> None:
        self._host = host
        self._journal = journal
        self._shared = shared

    def call(self, number: int) -> str:
        self._journal.write(number)
        return self._host

    def has_run(self, number: int) -> bool:
        journals = runs(self._journal.folder)
        return number in journals[self._host] or (self._shared and any(number in numbers for numbers in journals.values()))


class Sample(SampleServant):
    """Be the sample server of a WorkUnit.

    The node that it runs on is IIOP_LAB_NODE, the folder of journals IIOP_LAB_JOURNALS; with SAMPLE_DATABASE=own it knows only
    what ran on its own node, as a server with a database of its own does.
    """

    def __init__(self) -> None:
        node = os.environ["IIOP_LAB_NODE"]
        journal = Journal(Path(os.environ["IIOP_LAB_JOURNALS"]), node)
        super().__init__(node, journal, shared=os.environ.get("SAMPLE_DATABASE", "shared") == "shared")

"""A lab that is up, from its start to its end: reached by operators, its events kept and shown.

It must not know what events mean, nor how a lab does its part.
"""

from __future__ import annotations

import os
import queue
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from iiop_lab.console.control import Control, answer
from iiop_lab.console.interrupts import Interrupts
from iiop_lab.console.journal import Journal, event_line
from iiop_lab.scenario.lab import Lab, LabError, LabEvent
from iiop_lab.scenario.text import Read
from iiop_tools import cli

__all__ = ["running", "show"]


@contextmanager
def running(read: Read, folder: Path | None, events: Path | None) -> Iterator[Lab]:
    """Run a lab until the end of the block, or until it is interrupted; then nothing of it is left but its folder, if it has one.

    Args:
        read: what is declared.
        folder: of the lab; a temporary one if None.
        events: file for events; `events.jsonl` in the folder if None.

    Raises:
        FolderInUse: a lab is up there.
        OSError: something cannot be read, written or listened on.
        IIOPError: something cannot start.
        KeyboardInterrupt, Terminated: it was interrupted.
    """
    with Interrupts() as interrupts, ExitStack() as stack:
        folder = folder or Path(stack.enter_context(TemporaryDirectory(prefix="iioplab-")))
        control = stack.enter_context(Control(folder))
        journal = stack.enter_context(Journal(events or folder / "events.jsonl"))
        lab = Lab(read.lab, folder, beside=read.folder)
        lab.listen(journal.write)
        interrupts.allow()
        with lab, control.answering(partial(answer, do=lab.do, status=lab.status)):
            try:
                yield lab
            finally:
                interrupts.hold()


def show(lab: Lab, name: str) -> None:
    """Show a lab that is up, for ever: on a terminal as a table, elsewhere event by event.

    Args:
        lab: that is up.
        name: of it, for people.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    told: queue.SimpleQueue[LabEvent] = queue.SimpleQueue()
    lab.listen(told.put)
    for line in _introduction(lab, name):
        cli.say(line)
    sys.stdout.flush()
    if sys.stdout.isatty():
        from iiop_lab.console.table import watch

        watch(lab.status, told)
    while True:
        cli.say(event_line(told.get()))
        sys.stdout.flush()


def _introduction(lab: Lab, name: str) -> Iterator[str]:
    """Say that a lab is up, and how it is reached."""
    yield f"{name} is up in {lab.folder}, process {os.getpid()}"
    yield f"  clients    {lab.address()}, corbaloc::1.2@{lab.address()}/NameService"
    yield f"  hosts      {lab.hosts_file}, as /etc/hosts has them"
    try:
        environment = " ".join(f"{variable}={shlex.quote(value)}" for variable, value in lab.environment().items())
    except LabError as error:
        environment = str(error)
    if environment:
        yield f"  programs   {environment}"
    yield f"  operators  iioplab status --folder {shlex.quote(str(lab.folder))}; kill, restore, ...; Ctrl-C ends it"

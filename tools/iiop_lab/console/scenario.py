"""A scenario that is played, for people and for programs. It must not know how it is played, nor what makes it good."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from iiop_lab.scenario.calls import minor_text
from iiop_lab.scenario.declaration import LabFile
from iiop_lab.scenario.expectations import Verdict
from iiop_lab.scenario.lab import LabEvent
from iiop_lab.scenario.play import Outcome
from iiop_tools import cli

__all__ = ["as_data", "show", "step_lines"]

WIDTH = 130
"""Of what is no terminal."""


def step_lines(file: LabFile, say: Callable[[str], None]) -> Callable[[LabEvent], None]:
    """Return a listener that says a line for every step as it begins."""
    steps = iter(enumerate(file.step, 1))

    def told(event: LabEvent) -> None:
        if event.event == "step":
            number, step = next(steps)
            done = f": {', '.join(step.do)}" if step.do else ""
            say(f"{event.at:6.1f} s  step {number} of {len(file.step)}, {step.name}{done}")

    return told


def as_data(outcome: Outcome) -> dict[str, Any]:
    """Return what a scenario has shown, as plain data, without the single calls."""
    return {
        "kept": outcome.kept,
        "steps": [asdict(step) for step in outcome.steps],
        "clients": [asdict(client) for client in outcome.clients],
        "verdicts": [asdict(verdict) for verdict in outcome.verdicts],
    }


def show(outcome: Outcome) -> None:
    """Print what a scenario has shown."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    if outcome.clients:
        console.print(_calls(outcome))
    if any(client.exceptions for client in outcome.clients):
        console.print(_exceptions(outcome))
    if any(step.recovered for step in outcome.steps):
        console.print(_recovered(outcome))
    for step, verdict in _verdicts(outcome):
        text = cli.printable(f" {step}: {verdict.text}: {verdict.numbers}")
        console.print(Text("kept  ", "green") if verdict.kept else Text("BROKEN", "red"), end="")
        console.print(Text(text), soft_wrap=True)


def _verdicts(outcome: Outcome) -> Iterator[tuple[str, Verdict]]:
    for step in outcome.steps:
        for verdict in step.verdicts:
            yield step.name, verdict
    for verdict in outcome.verdicts:
        yield "all calls", verdict


def _table(*columns: str) -> Table:
    return Table(*[escape(column) for column in columns], box=box.SIMPLE_HEAD)


def _calls(outcome: Outcome) -> Table:
    hosts = sorted({host for client in outcome.clients for host in client.hosts})
    table = _table("client", "calls made", "answered", *[f"by {host}" for host in hosts])
    for client in outcome.clients:
        answers = [str(client.hosts.get(host, 0)) for host in hosts]
        table.add_row(Text(client.name), str(client.made), str(client.answered), *answers)
    return table


def _exceptions(outcome: Outcome) -> Table:
    table = _table("client", "times", "exception met", "minor code", "completed")
    for client in outcome.clients:
        for met in client.exceptions:
            table.add_row(
                Text(client.name),
                str(met["times"]),
                Text(cli.printable(met["exception"])),
                minor_text(met["exception"], met["minor"]),
                met["completed"].removeprefix("COMPLETED_"),
            )
    return table


def _recovered(outcome: Outcome) -> Table:
    table = _table("from a step's actions to the first answer", *[client.name for client in outcome.clients])
    for step in outcome.steps:
        if step.recovered:
            times = [step.recovered.get(client.name) for client in outcome.clients]
            table.add_row(Text(step.name), *["never" if time is None else f"{time * 1000:.1f} ms" for time in times])
    return table

"""A lab that is up, as tables for a terminal, drawn again and again. It knows the status as plain data, and events as lines."""

from __future__ import annotations

import queue
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from iiop_lab.console.journal import event_line
from iiop_tools import cli

if TYPE_CHECKING:
    from iiop_lab.scenario.lab import LabEvent

__all__ = ["Rates", "show", "tables", "watch"]

PERIOD = 0.5
"""Seconds from one drawing to the next."""

LATELY = 5.0
"""Seconds that rates are taken over."""

WIDTH = 160
"""Of what is no terminal."""

EVENTS = 8
"""Events that are shown, the last ones."""

_QUIET = frozenset({"client"})
"""Events that would drive all others out of sight."""

_COLOURS = {
    "running": "green",
    "serving": "green",
    "run": "green",
    "wait": "cyan",
    "maintenance": "yellow",
    "hung": "yellow",
    "full": "yellow",
    "degraded": "yellow",
    "died": "red",
    "dead": "red",
    "faulted": "red",
}

Status = Mapping[str, Any]


def watch(status: Callable[[], Status], told: queue.SimpleQueue[LabEvent]) -> None:
    """Draw a lab for ever.

    Args:
        status: of it.
        told: its events, as they come.
    """
    events: deque[LabEvent] = deque(maxlen=EVENTS)
    rates = Rates()
    with Live(console=Console(file=sys.stdout), auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            now = status()
            live.update(Group(*tables(now, rates.of(now), [*events])), refresh=True)
            until = time.monotonic() + PERIOD
            while (left := until - time.monotonic()) > 0:
                try:
                    event = told.get(timeout=left)
                except queue.Empty:
                    break
                if event.event not in _QUIET:
                    events.append(event)


def show(status: Status) -> None:
    """Print how a lab is."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(*tables(status, {}, []))


class Rates:
    """Know how many calls a second targets have answered lately, by node."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[str, int]]] = deque()

    def of(self, status: Status) -> dict[str, float]:
        """Return calls a second, by node; only for those that were there before."""
        at = float(status["seconds"])
        answered = {name: node["target"]["answered"] for name, node in status["nodes"].items() if node["target"]}
        self._seen.append((at, answered))
        while len(self._seen) > 2 and self._seen[1][0] <= at - LATELY:
            self._seen.popleft()
        since, before = self._seen[0]
        if at <= since:
            return {}
        return {name: (count - before[name]) / (at - since) for name, count in answered.items() if name in before}


def tables(status: Status, rates: Mapping[str, float], events: list[LabEvent]) -> Iterator[RenderableType]:
    """Return what is drawn.

    Args:
        status: of the lab.
        rates: calls a second, by node.
        events: the last ones.
    """
    front = status["virtual_host"]
    if front is not None:
        refused = sum(front["refusals"].values())
        text = f"virtual host {front['address']}: {front['connections']} connections, {refused} requests refused"
        yield Text(cli.printable(text))
        yield ""
    yield _nodes(status["nodes"], rates)
    yield ""
    yield _places(status["nodes"])
    if status["clusters"]:
        yield ""
        yield _clusters(status["clusters"])
    if status["faults"]:
        yield ""
        yield _faults(status["faults"])
    if events:
        yield ""
    for event in events:
        yield Text(cli.printable(event_line(event)), overflow="ellipsis", no_wrap=True)


def _table(*titles: str) -> Table:
    return Table(*titles, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def _nodes(nodes: Mapping[str, Status], rates: Mapping[str, float]) -> Table:
    """Draw what changes all the time; it fits into 80 columns."""
    table = _table("node", "state", "standing")
    for title in ("calls", "calls/s", "p50 ms", "p99 ms", "busy", "queued"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, node in nodes.items():
        row: list[RenderableType] = [Text(name), _state(node["state"])]
        target = node["target"]
        if target is None:
            row += [""] * 6
        else:
            row += [
                _state(target["standing"]),
                str(target["answered"]),
                f"{rates[name]:.0f}" if name in rates else "",
                _milliseconds(target["p50"]),
                _milliseconds(target["p99"]),
                str(target["under_way"]),
            ]
        queued = [unit["waiting"] for unit in node["work_units"].values() if unit["waiting"] is not None]
        table.add_row(*row, str(sum(queued)) if queued else "")
    return table


def _places(nodes: Mapping[str, Status]) -> Table:
    table = _table("node", "address", "WorkUnits", "last error")
    for name, node in nodes.items():
        units = [Text.assemble(f"{unit} ", _state(is_now["state"])) for unit, is_now in node["work_units"].items()]
        table.add_row(Text(name), node["address"], Text(", ").join(units), _error(node["target"]))
    return table


def _error(target: Status | None) -> Text:
    if target is None or not target["error"]:
        return Text("")
    return Text(cli.printable(f"{target['error']} ({target['error_age']:.0f} s ago)"))


def _clusters(clusters: Mapping[str, Status]) -> Table:
    table = _table("cluster", "active", "roles")
    for name, cluster in clusters.items():
        roles = Text(", ").join([Text.assemble(f"{node} ", _state(role)) for node, role in cluster["roles"].items()])
        table.add_row(Text(name), Text(cluster["active"] or "nobody"), roles)
    return table


def _faults(faults: Mapping[str, Status]) -> Table:
    table = _table("fault", "what", "at", "attached")
    table.add_column("struck", justify="right")
    for name, fault in faults.items():
        attached = Text("attached", "yellow") if fault["attached"] else Text("no")
        table.add_row(Text(name), Text(fault["fault"]), Text(fault["at"]), attached, str(fault["struck"]))
    return table


def _state(state: str) -> Text:
    return Text(state, _COLOURS.get(state, ""))


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f}"

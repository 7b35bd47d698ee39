"""The command `iioplab demo`."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from iiop_tools import cli

if TYPE_CHECKING:
    from iiop_lab.demo.play import Outcome

__all__ = ["demo"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@cli.debug_option
def demo(as_json: bool) -> None:
    """Kill servers under CORBA clients, and show what each client got.

    Two hosts (127.0.0.11, 127.0.0.12) and a virtual host (127.0.0.10), all on port 8002; our client and omniORBpy's. Exit status
    0 if everything promised happened, 1 if not, 2 if the demo could not be played.
    """
    from iiop_lab.child import ChildError
    from iiop_lab.demo.play import play

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = play(lambda line: click.echo(line, err=as_json))
    except ChildError as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)
    if as_json:
        click.echo(json.dumps(_as_data(outcome)))
    else:
        _show(outcome)
    if not outcome.kept:
        cli.stop(cli.NO)


def _as_data(outcome: Outcome) -> dict[str, object]:
    return {
        "kept": outcome.kept,
        "promises": [asdict(promise) for promise in outcome.promises],
        "clients": [
            {
                "name": client.name,
                "made": len(client.calls),
                "answered": sum(call.error is None for call in client.calls),
                "hosts": dict(client.hosts(*{call.phase for call in client.calls})),
                "exceptions": [
                    {"exception": name, "minor": minor, "completed": completed, "times": count}
                    for (name, minor, completed), count in client.exceptions().items()
                ],
                "recovery": outcome.recoveries[client.name],
            }
            for client in outcome.clients
        ],
    }


def _show(outcome: Outcome) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from iiop_lab.demo.ledger import minor_text

    calls = Table("client", "calls made", "answered", "by host1", "by host2", box=box.SIMPLE_HEAD)
    calls.add_column("SIGKILL to answer", justify="right")
    calls.add_column("return to answer", justify="right")
    met = Table("client", "times", "exception met", "minor code", "completed", box=box.SIMPLE_HEAD)
    for client in outcome.clients:
        hosts = client.hosts(*{call.phase for call in client.calls})
        calls.add_row(
            client.name,
            str(len(client.calls)),
            str(sum(call.error is None for call in client.calls)),
            str(hosts["host1"]),
            str(hosts["host2"]),
            *[f"{seconds * 1000:.1f} ms" if seconds is not None else "never" for seconds in outcome.recoveries[client.name]],
        )
        for (name, minor, completed), count in client.exceptions().most_common():
            met.add_row(client.name, str(count), name, minor_text(name, minor), completed.removeprefix("COMPLETED_"))
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(calls, met)
    for promise in outcome.promises:
        mark = "[green]kept  [/]" if promise.kept else "[red]BROKEN[/]"
        console.print(f"{mark} {promise.text}: {promise.numbers}", highlight=False)

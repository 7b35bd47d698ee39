"""The command `iioplab`: rehearse what happens to CORBA clients when servers die. What it does is in `iiop_lab.console`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from iiop.exceptions import IIOPError
from iiop_lab.scenario.actions import VERBS
from iiop_tools import cli

__all__ = ["main"]

DEFAULT = Path("lab.toml")

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iiopkit")
@cli.debug_option
def iioplab() -> None:
    """Rehearse outages of CORBA servers on loopback, as lab files declare them."""


def _path(**options: Any) -> click.Path:
    return click.Path(path_type=Path, **options)


def _events_option(command: _F) -> _F:
    text = "Append events to this file, a JSON object a line, instead of events.jsonl in the folder."
    return click.option("--events", type=_path(dir_okay=False), help=text)(command)


@iioplab.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_path())
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON array.")
@cli.debug_option
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Tell what is wrong with lab files, what has no effect, and what they declare.

    Exit status: 0 nothing is wrong; 1 something is; 2 a file cannot be read.
    """
    from iiop_lab.console.files import checked

    found = [checked(path) for path in files]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found]))
    else:
        for each in found:
            for mistake in each.mistakes:
                cli.say(str(mistake))
            for note in each.notes:
                cli.say(f"{note} (note)")
            if each.declares:
                cli.say(f"{each.file}: {each.declares}")
    if any(each.mistakes for each in found):
        cli.stop(cli.WRONG_USE if any(each.unreadable for each in found) else cli.NO)


@iioplab.command()
@click.argument("file", type=_path(), default=DEFAULT)
@click.option(
    "--folder", type=_path(file_okay=False), help="For homes, logs and bindings; .iioplab/NAME beside the file if left out."
)
@_events_option
@cli.debug_option
def up(file: Path, folder: Path | None, events: Path | None) -> None:
    """Run the lab that FILE declares (lab.toml if left out) until Ctrl-C or SIGTERM.

    Its folder stays, and with it what was bound. On a terminal a table shows how it is, elsewhere a line tells of every event.

    Exit status: 0 ended by SIGTERM; 130 by Ctrl-C; 2 it cannot start.
    """
    from iiop_lab.console.files import folder_of, read_or_stop
    from iiop_lab.console.session import running, show

    read = read_or_stop(file)
    is_up = False
    try:
        with _unable(), running(read, folder or folder_of(file), events) as lab:
            is_up = True
            show(lab, file.name)
    except cli.Terminated:
        if not is_up:
            raise


@iioplab.command()
@click.argument("file", metavar="FILE|NAME")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object, and steps to standard error.")
@click.option("--folder", type=_path(file_okay=False), help="For homes, logs and journals; a temporary one if left out.")
@_events_option
@cli.debug_option
def run(file: str, as_json: bool, folder: Path | None, events: Path | None) -> None:
    """Play a scenario: a FILE, or one that comes with us, by its NAME.

    Exit status: 0 all that is expected came about; 1 not all did; 2 it could not be played.
    """
    from iiop_lab.console import scenario
    from iiop_lab.console.files import read_or_stop, scenario_path
    from iiop_lab.console.session import running
    from iiop_lab.scenario.play import play

    path = scenario_path(file)
    read = read_or_stop(path)
    if not read.lab.step:
        cli.complain(f"{path} has no steps, so there is nothing to play: iioplab up runs its lab")
        cli.stop(cli.WRONG_USE)
    with _unable(), running(read, folder, events) as lab:
        lab.listen(scenario.step_lines(read.lab, lambda line: click.echo(cli.printable(line), err=as_json)))
        outcome = play(lab)
    if as_json:
        click.echo(json.dumps(scenario.as_data(outcome)))
    else:
        scenario.show(outcome)
    if not outcome.kept:
        cli.stop(cli.NO)


@iioplab.command()
@cli.debug_option
def scenarios() -> None:
    """List the scenarios that come with us, for `iioplab run`."""
    from iiop_lab.console import files

    named = files.scenarios()
    width = max(map(len, named))
    for name, read in named.items():
        cli.say(f"{name:<{width}}  {read.lab.about}")


# --- what operators do to a lab that is up


def _finding_options(command: _F) -> _F:
    text = "Of the lab, if it was started with one."
    command = click.option("--folder", type=_path(file_okay=False), help=text)(command)
    return click.option("--lab", "file", type=_path(), default=DEFAULT, help="File of the lab; lab.toml if left out.")(command)


@iioplab.command()
@_finding_options
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@cli.debug_option
def status(file: Path, folder: Path | None, as_json: bool) -> None:
    """Tell how a lab that is up is.

    Exit status: 0 done; 2 no lab is up there.
    """
    from iiop_lab.console.table import show

    answer = _ask({"status": True}, file, folder)["status"]
    if as_json:
        click.echo(json.dumps(answer))
    else:
        show(answer)


def _ask(request: dict[str, Any], file: Path, folder: Path | None) -> dict[str, Any]:
    """Ask the lab, and stop if there is none, or if it refuses."""
    from iiop_lab.console.control import NoLab, ask
    from iiop_lab.console.files import folder_of

    try:
        answer = ask(folder or folder_of(file), request)
    except NoLab as error:
        hint = "" if folder else f"; iioplab up {file} starts it"
        cli.complain(f"{error}{hint}")
        cli.stop(cli.WRONG_USE)
    for key, code in (("refused", cli.NO), ("error", cli.WRONG_USE)):
        if key in answer:
            cli.complain(cli.printable(answer[key]))
            cli.stop(code)
    return answer


def _operation(name: str) -> click.Command:
    verb = VERBS[name]

    def operate(file: Path, folder: Path | None, **arguments: str) -> None:
        words = " ".join((name, *(arguments[f"argument{number}"] for number, _ in enumerate(verb.arguments))))
        _ask({"do": words}, file, folder)

    help_text = f"{verb.what}\n\nExit status: 0 done; 1 it cannot be done; 2 no lab is up there."
    command = iioplab.command(name, help=help_text)(_finding_options(cli.debug_option(operate)))
    for number, argument in enumerate(verb.arguments):
        command.params.append(_argument(number, argument))
    return command


def _argument(number: int, named: str) -> click.Argument:
    if named == "on|off":
        return click.Argument([f"argument{number}"], metavar="[on|off]", type=click.Choice(["on", "off"]), default="on")
    return click.Argument([f"argument{number}"], metavar="NODE[/WORKUNIT]" if named == "target" else named.upper())


for _name in VERBS:
    _operation(_name)


@contextlib.contextmanager
def _unable() -> Iterator[None]:
    """Let what a lab cannot start with, or a scenario go on with, be wrong use."""
    try:
        yield
    except IIOPError as error:
        cli.complain(cli.printable(str(error)))
        cli.stop(cli.WRONG_USE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `iioplab` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(iioplab, argv, name="iioplab")

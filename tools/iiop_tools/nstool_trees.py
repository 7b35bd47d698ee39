"""The commands of `nstool` that move whole naming trees: snapshot, restore, compare, copy, watch.

Knows options, files and output; what a tree is, and how it is read, compared and copied, is `naming`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import fnmatch
import functools
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from iiop.exceptions import IIOPError, ReferenceFormatError
from iiop.iop import IOR
from iiop.net.loop import new_event_loop
from iiop_tools import cli
from iiop_tools.network import hosts_option
from ior import Address
from ior.compare import Change
from ior.rewrite import rewritten
from naming.copying import Copy, Refusal
from naming.differences import ASPECTS, Difference, Unread, compare, text_of
from naming.folder import folder_entries
from naming.places import FORMS, open_service
from naming.snapshot import END_LINE, FIRST_LINE, FORMAT, SnapshotError, format_entry, format_path, parse_snapshot
from naming.trees import Entry, Incomplete, Tree, Unreadable, stream
from naming.types import Name
from naming.walk import Server, walk
from naming.whole_file import replacing

__all__ = ["COMMANDS"]

T = TypeVar("T")

TREES = f"A tree is a server ({FORMS}), a snapshot, `-` for one from standard input, or the folder of a node."


# --- where trees are -------------------------------------------------------------------------------------------------


def _server(text: str) -> Server:
    """Return the server that people name so; host names are looked up as the option --hosts says."""
    hosts = click.get_current_context().meta.get(_HOSTS)
    with open_service(text, hosts=hosts) as service:
        return Server(service.ior, hosts=hosts)


_HOSTS = "iiop_tools.hosts"


def _tree_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all have that read trees."""

    @hosts_option()
    @cli.debug_option
    @functools.wraps(command)
    def reading(hosts: dict[str, str] | None, **arguments: Any) -> None:
        click.get_current_context().meta[_HOSTS] = hosts
        command(**arguments)

    return reading


@contextlib.asynccontextmanager
async def _tree(text: str) -> AsyncIterator[Tree]:
    """Give the entries of a server, of a snapshot, or of a node's folder."""
    if text == "-":
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
        yield stream(_parsed(sys.stdin, "standard input"))
    elif os.path.isdir(text):
        yield stream(folder_entries(Path(text)))
    elif _is_snapshot(text):
        with open(text, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            yield stream(_parsed(file, text))
    else:
        async with _server(text) as server, contextlib.aclosing(walk(server)) as entries:
            yield entries


def _is_snapshot(text: str) -> bool:
    try:
        with open(text, "rb") as file:
            return file.read(len(FORMAT)) == FORMAT.encode()
    except (OSError, ValueError):  # the latter for what cannot be a path
        return False


def _parsed(lines: TextIO, name: str) -> Iterator[Entry]:
    try:
        yield from parse_snapshot(lines)
    except SnapshotError as error:
        raise _Unusable(f"{name}, {error}") from error


class _Unusable(IIOPError):
    """Report a snapshot that cannot be used, with its name."""


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; whoever cannot be read ends the command with the code for that."""
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(main)
    except IIOPError as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)


@contextlib.contextmanager
def _counted(what: str) -> Iterator[Callable[[Tree], AsyncGenerator[Entry, None]]]:
    """Give a function that shows, on a terminal, how many entries of a tree have come by."""
    if not sys.stderr.isatty():

        async def pass_on(tree: Tree) -> AsyncGenerator[Entry, None]:
            async for entry in tree:
                yield entry

        yield pass_on
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), TextColumn("{task.completed} bindings"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        async def count(tree: Tree) -> AsyncGenerator[Entry, None]:
            async for entry in tree:
                progress.advance(task)
                yield entry

        yield count


# --- snapshot --------------------------------------------------------------------------------------------------------


@click.command(epilog=TREES)
@click.argument("tree")
@click.argument("file")
@_tree_options
def snapshot(tree: str, file: str) -> None:
    """Write the names of TREE to FILE.

    It is text to be kept in git, and FILE may be `-`. The same tree gives the same text; docs/snapshot.md describes it. Exit
    code 1: not everything could be read, and the text says what; 2: nothing was written.
    """
    with _counted("reading") as counted:
        unread = _run(_write(tree, file, counted))
    _complain(unread)
    if unread:
        cli.stop(cli.NO)


async def _write(tree: str, file: str, counted: Callable[[Tree], AsyncGenerator[Entry, None]]) -> list[str]:
    """Write a snapshot, whole or not at all, and return what could not be read."""
    unread = []
    async with _tree(tree) as entries:
        with _replacing(file) as out:
            out.write(FIRST_LINE)
            async for entry in counted(entries):
                out.write(format_entry(entry))
                if isinstance(entry.bound, Unreadable | Incomplete):
                    unread.append(f"{format_path(entry.name)}: {entry.bound.reason}")
            out.write(END_LINE)
    return unread


@contextlib.contextmanager
def _replacing(file: str) -> Iterator[TextIO]:
    """Give a file to write to that takes the place of another once it is whole; `-` is standard output."""
    if file == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        yield sys.stdout
        return
    path = Path(file)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with replacing(path) as octets:
        out = io.TextIOWrapper(octets, encoding="utf-8", newline="\n")
        yield out
        out.detach()


def _complain(lines: list[str]) -> None:
    for line in lines:
        cli.complain(cli.printable(line))


# --- copy and restore ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rewrite:
    """Say where references shall lead."""

    host: str | None = None
    port: int | None = None


def _rewrite(context: click.Context, parameter: click.Parameter, value: str | None) -> _Rewrite:
    """Read `host=vhost,port=8002`."""
    found = _Rewrite()
    for part in value.split(",") if value else ():
        name, _, text = part.partition("=")
        if name == "host" and text:
            try:
                Address("iiop", text)
            except ReferenceFormatError as error:
                raise click.BadParameter(f"{text!r}: {error.reason}") from None
            found = replace(found, host=text)
        elif name == "port" and text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536:
            found = replace(found, port=int(text))
        else:
            raise click.BadParameter(f"{part!r} is neither host=NAME nor port=1 to 65535")
    return found


def _only(context: click.Context, parameter: click.Parameter, value: str | None) -> Callable[[Name], bool]:
    if value is None:
        return lambda name: True
    matches = re.compile(fnmatch.translate(value)).match
    return lambda name: matches(format_path(name)) is not None


def _copy_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        _tree_options,
        click.option("--only", callback=_only, metavar="PATTERN", help="Names to copy, as `Sales/*`; `*` matches `/` too."),
        click.option(
            "--rewrite",
            callback=_rewrite,
            metavar="host=HOST,port=PORT",
            help="Where the references of objects shall lead, in B.",
        ),
        click.option("--prune", is_flag=True, help="Remove what only B has, and what is in the way of A's names."),
        click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing."),
    ):
        command = option(command)
    return command


@click.command(epilog=TREES)
@click.argument("a")
@click.argument("b")
@_copy_options
def copy(a: str, b: str, dry_run: bool, prune: bool, rewrite: _Rewrite, only: Callable[[Name], bool]) -> None:
    """Bind in server B what is bound in tree A.

    Names that B has already lead where A's lead; names that only B has stay, unless pruned. Running it again does what is left to
    do. Of a load-balance object group CosNaming shows the member whose turn it is, and that is copied; `nstool backup` copies
    whole groups. Exit code 1: not everything was copied, and the end of the output says what; 2: a server does not answer, or A
    cannot be read.
    """
    _copy(a, b, dry_run, prune, rewrite, only)


@click.command(epilog="Write snapshots with `nstool snapshot`; `-` is standard input.")
@click.argument("file")
@click.argument("server")
@_copy_options
def restore(file: str, server: str, dry_run: bool, prune: bool, rewrite: _Rewrite, only: Callable[[Name], bool]) -> None:
    """Bind in SERVER what a snapshot holds.

    It does what `nstool copy` does, which takes snapshots too.
    """
    if file != "-" and not _is_snapshot(file):
        with open(file, "rb"):
            cli.complain(f"{file}: this is no snapshot: one begins with {FIRST_LINE.rstrip()!r}")
            cli.stop(cli.WRONG_USE)
    _copy(file, server, dry_run, prune, rewrite, only)


def _copy(a: str, b: str, dry_run: bool, prune: bool, rewrite: _Rewrite, only: Callable[[Name], bool]) -> None:
    done: Counter[str] = Counter()
    refusals: list[str] = []

    async def run(counted: Callable[[Tree], AsyncGenerator[Entry, None]]) -> None:
        async with _tree(a) as entries, _server(b) as server, contextlib.aclosing(counted(entries)) as source:
            copying = Copy(_rewritten(source, rewrite), server, prune=prune, only=only)
            async with contextlib.aclosing(copying.plan() if dry_run else copying.run()) as steps:
                async for step in steps:
                    if isinstance(step, Refusal):
                        refusals.append(str(step))
                    else:
                        done[step.verb] += 1
                        if dry_run:
                            cli.say(str(step))
            refusals.extend(f"{format_path(name)}: {count} names below it" for name, count in copying.below.items())

    try:
        with _counted("copying") as counted:
            _run(run(counted))
    finally:
        click.echo(_summary(done, dry_run), err=True)
        if refusals:
            cli.complain(f"not copied: {len(refusals)}")
            _complain(refusals)
    if refusals:
        cli.stop(cli.NO)


def _summary(done: Counter[str], dry_run: bool) -> str:
    counts = ", ".join(f"{verb} {count}" for verb, count in sorted(done.items())) or "nothing"
    return f"{'to be done' if dry_run else 'done'}: {counts}"


async def _rewritten(tree: Tree, rewrite: _Rewrite) -> AsyncGenerator[Entry, None]:
    """Let references of objects lead elsewhere."""
    async for entry in tree:
        if isinstance(entry.bound, IOR) and rewrite != _Rewrite():
            entry = replace(entry, bound=rewritten(entry.bound, host=rewrite.host, port=rewrite.port))
        yield entry


# --- compare and watch -----------------------------------------------------------------------------------------------


def _ignore(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    found = frozenset([name for value in values for name in value.split(",")])
    if unknown := found - set(ASPECTS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(ASPECTS)}")
    return found


_ignore_option = click.option(
    "--ignore", multiple=True, callback=_ignore, metavar="NAME,...", help=f"What need not be the same: {', '.join(ASPECTS)}."
)


async def _compared(a: str, b: str, ignore: frozenset[str]) -> AsyncGenerator[Difference | Unread, None]:
    async with _tree(a) as one, _tree(b) as other, contextlib.aclosing(compare(one, other, ignore)) as all_found:
        async for found in all_found:
            yield found


@click.command("compare", epilog=TREES)
@click.argument("a")
@click.argument("b")
@_ignore_option
@click.option("--json", "as_json", is_flag=True, help="One object, for scripts.")
@_tree_options
def compare_(a: str, b: str, ignore: frozenset[str], as_json: bool) -> None:
    """Tell what differs between two trees.

    Marks: `+` only B has it, `-` only A has it, `~` both have it, and lead elsewhere. Contexts are compared by what is bound in
    them, and by whether the same names lead to the same one. Exit code 0: they are the same; 1: they differ; 2: not everything
    could be read.
    """
    counts: Counter[str] = Counter()

    async def run() -> None:
        separator = '{"differences": ['
        to_the_end = False
        try:
            async with contextlib.aclosing(_compared(a, b, ignore)) as all_found:
                async for found in all_found:
                    if isinstance(found, Unread):
                        counts["unread"] += 1
                        cli.complain(cli.printable(f"{found.side}: {format_path(found.name)}: {found.reason}"))
                        continue
                    counts[found.kind] += 1
                    if as_json:
                        click.echo(separator + "\n" + json.dumps(_as_data(found)), nl=False)
                        separator = ","
                    else:
                        _print(found)
            to_the_end = True
        finally:
            if as_json:
                unread = counts["unread"]
                same = json.dumps(not counts) if to_the_end and not unread else "null"
                click.echo(f'{separator if separator != "," else ""}], "same": {same}, "unread": {unread}}}')

    _run(run())
    if counts["unread"]:
        cli.stop(cli.WRONG_USE)
    if counts:
        cli.stop(cli.NO)


_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def _print(found: Difference) -> None:
    sign, colour = _SIGNS[found.kind]
    if found.kind == "changed":
        what = "; ".join(_change_text(change) for change in found.changes)
    else:
        what = text_of(found.name, found.a if found.a is not None else found.b)
    line = f"{sign} {format_path(found.name)}: {what}"
    if sys.stdout.isatty():
        click.secho(cli.printable(line), fg=colour)
    else:
        cli.say(line)


def _change_text(change: Change) -> str:
    return f"{change.path.removeprefix('profiles[0].') or change.aspect}: {change.a} -> {change.b}"


def _as_data(found: Difference) -> dict[str, Any]:
    changes = [dataclasses.asdict(it) for it in found.changes]
    sides = {"a": text_of(found.name, found.a), "b": text_of(found.name, found.b)}
    return {"name": format_path(found.name), "kind": found.kind, **sides, "changes": changes}


@click.command(epilog=TREES)
@click.argument("a")
@click.argument("b")
@_ignore_option
@click.option("--interval", default=60.0, show_default=True, type=cli.Amount(min=0), help="Seconds between comparisons.")
@click.option("--count", type=click.IntRange(1), help="End after as many comparisons; else on Ctrl-C.")
@click.option("--until-drift", is_flag=True, help="End with exit code 1 once they differ.")
@click.option("--command", help="Run by the shell each time they begin to differ; NSTOOL_DRIFT holds the line told.")
@_tree_options
def watch(
    a: str, b: str, ignore: frozenset[str], interval: float, count: int | None, until_drift: bool, command: str | None
) -> None:
    """Tell when two trees begin or cease to differ.

    They are compared from time to time. Exit code: that of the last comparison, as of `nstool compare`.
    """
    told = ""
    code = cli.DONE

    async def look() -> tuple[str, int]:
        counts: Counter[str] = Counter()
        try:
            async with contextlib.aclosing(_compared(a, b, ignore)) as all_found:
                async for found in all_found:
                    counts["unread" if isinstance(found, Unread) else found.kind] += 1
        except IIOPError as error:
            return f"cannot be compared: {str(error).splitlines()[0]}", cli.WRONG_USE
        text = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))
        if counts["unread"]:
            return f"cannot be compared whole: {text}", cli.WRONG_USE
        return (f"differ: {text}", cli.NO) if text else ("the same", cli.DONE)

    async def run() -> None:
        nonlocal told, code
        looked = 0
        while True:
            before = code
            line, code = await look()
            looked += 1
            if line != told:
                told = line
                cli.say(line)
                sys.stdout.flush()
            if code == cli.NO and before != cli.NO and command:
                await _shell(command, line)
            if (code == cli.NO and until_drift) or looked == count:
                return
            await asyncio.sleep(interval)

    _run(run())
    if code:
        cli.stop(code)


async def _shell(command: str, line: str) -> None:
    process = await asyncio.create_subprocess_shell(command, env=os.environ | {"NSTOOL_DRIFT": line})
    if status := await process.wait():
        cli.complain(f"the command ended with status {status}: {command}")


COMMANDS = (snapshot, restore, compare_, copy, watch)

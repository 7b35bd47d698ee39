"""The command `giopdump`: show what was said over IIOP, from captures.

Thin: hands the octets of files on, and prints.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path

import click

from iiop.idl.compiler import IDLError, NoCompilerError
from iiop_tools import cli
from iiop_tools.giopdump.captures import CaptureError, CaptureReader
from iiop_tools.giopdump.conversations import Conversations, Seen
from iiop_tools.giopdump.declared import Declarations, Said, interfaces_of
from iiop_tools.giopdump.files import STANDARD_INPUT, NotOursError, is_among, octets_of, written
from iiop_tools.giopdump.outputs import JSONLines, Lines, NoParquetError, Output, ParquetFile, Summarised
from iiop_tools.giopdump.packets import Dissector
from iiop_tools.giopdump.rows import exception_name, operation_of, status_of

__all__ = ["main"]


class _Wanted:
    """Tell which messages are asked for; what is not said does not matter."""

    def __init__(
        self, operations: Sequence[str], statuses: Sequence[str], connections: Sequence[int], min_latency: float | None
    ) -> None:
        self._operations = operations
        self._statuses = [status.lower() for status in statuses]
        self._connections = frozenset(connections)
        self._min_latency = None if min_latency is None else min_latency * 1e6
        self.everything = not (operations or statuses or connections or min_latency is not None)

    def __call__(self, seen: Seen, said: Said) -> bool:
        if self._connections and seen.connection.number not in self._connections:
            return False
        if self._operations and not any(fnmatchcase(operation_of(seen), each) for each in self._operations):
            return False
        if self._min_latency is not None and (seen.latency is None or seen.latency < self._min_latency):
            return False
        return not self._statuses or any(
            fnmatchcase(ending.lower(), status) for ending in _endings(seen, said) for status in self._statuses
        )


def _endings(seen: Seen, said: Said) -> Iterator[str]:
    yield status_of(seen)
    if said.exception is not None:
        yield exception_name(said.exception)


class _Dump:
    """Lead packets through to where messages go."""

    def __init__(self, port: int | None, declarations: Declarations, wanted: _Wanted, output: Output) -> None:
        self.dissector = Dissector(port)
        self._where = "" if port is None else f", looked for on port {port}"
        self.conversations = Conversations()
        self._said = declarations.said
        self._wanted = wanted
        self._output = output

    def read(self, reader: CaptureReader, data: bytes) -> None:
        """Take the next octets of a capture.

        Raises:
            CaptureError: it is none, or damaged.
        """
        segment_of, add, show = self.dissector.segment, self.conversations.add, self._show
        for at, link, octets in reader.receive_data(data):
            segment = segment_of(link, octets)
            if segment is not None:
                for seen in add(at, segment):
                    show(seen)

    def finish(self) -> None:
        """Take that there is nothing more to read."""
        for seen in self.conversations.finish():
            self._show(seen)
        self._output.finish()

    def _show(self, seen: Seen) -> None:
        said = self._said(seen)
        if self._wanted.everything or self._wanted(seen, said):
            self._output.add(seen, said)
        seen.shrink()

    def shortcomings(self, *, unreadable: bool) -> Iterator[str]:
        """Return what was in the captures and could not be read, or was not there; `unreadable`: a file is to blame."""
        if self.dissector.cut:
            yield f"{self.dissector.cut} packets are cut short in the capture (tcpdump -s 0 takes them whole)"
        for what, count in sorted(self.dissector.passed_over.items()):
            if count:
                yield f"{count} {what} were passed over"
        if not self.conversations.messages and (self.dissector.packets or not unreadable):
            yield f"no GIOP in {self.dissector.packets} packets{self._where}"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each message.")
@click.option("--summary", is_flag=True, help="Count calls, latencies and errors by operation and target instead.")
@click.option("--parquet", metavar="FILE", type=click.Path(path_type=Path), help="Write a row for each message (needs pyarrow).")
@click.option("--html", metavar="REPORT", type=click.Path(path_type=Path), help="Write a page to look at in a browser.")
@click.option("-x", "--octets", is_flag=True, help="Show the octets of each message, annotated.")
@click.option("-f", "--follow", is_flag=True, help="Wait for more when FILE ends, until Ctrl-C.")
@click.option("--operation", "operations", metavar="NAME", multiple=True, help="Only this operation; * and ? stand for others.")
@click.option(
    "--status",
    "statuses",
    metavar="NAME",
    multiple=True,
    help="Only answers of this status (USER_EXCEPTION), or with this exception (NotFound, COMM_FAILURE).",
)
@click.option("--min-latency", metavar="MS", type=cli.Amount(min=0), help="Only replies that took as many milliseconds.")
@click.option("--connection", "connections", metavar="N", type=click.IntRange(1), multiple=True, help="Only this connection.")
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), help="Look at TCP from and to this port only.")
@click.option("--idl", metavar="FILE", multiple=True, type=click.Path(path_type=Path), help="Decode operations declared here.")
@click.option("-I", "include", metavar="FOLDER", multiple=True, type=click.Path(path_type=Path), help="For #include in it.")
@click.version_option(package_name="iiopkit")
@cli.debug_option
def giopdump(
    files: tuple[str, ...],
    as_json: bool,
    summary: bool,
    parquet: Path | None,
    html: Path | None,
    octets: bool,
    follow: bool,
    operations: tuple[str, ...],
    statuses: tuple[str, ...],
    min_latency: float | None,
    connections: tuple[int, ...],
    port: int | None,
    idl: tuple[Path, ...],
    include: tuple[Path, ...],
) -> None:
    """Show what was said over IIOP, a line for each message, from captures (pcap, pcapng); `-` is standard input.

    GIOP is found on any port, by its first octets. Several files are read as one capture, in their order. A line has the time
    (UTC), connection, client and server, request id, operation, message type or status, octets, latency, and what it says.
    Options that can be given several times admit each of what they name. Never touches the network.

    \b
    tcpdump -i any -s 0 -w - port 2809 | giopdump -
    giopdump --status COMM_FAILURE --min-latency 5000 night.pcap
    giopdump --summary night.pcap
    giopdump --html night.html night.pcap

    Exit status: 0 done, 1 something in the captures could not be read, or there is no GIOP in them (standard error says what), 2
    wrong use, or nothing could be read.
    """
    if follow and len(files) != 1:
        raise click.UsageError("--follow takes one FILE")
    if parquet is not None and (as_json or summary or octets):
        raise click.UsageError("--parquet goes with none of --json, --summary and -x")
    if html is not None and (as_json or summary or octets or parquet is not None):
        raise click.UsageError("--html goes with none of --json, --summary, --parquet and -x")
    target = parquet or html
    if target is not None and is_among(target, files):
        raise click.UsageError(f"{target} is what is read: write to another file")
    interrupted: BaseException | None = None
    with contextlib.ExitStack() as stack:
        try:
            declarations = Declarations(interfaces_of(idl, include) if idl else ())
            output: Output
            if parquet is not None:
                output = stack.enter_context(closing(ParquetFile(stack.enter_context(written(parquet, ParquetFile.MARK)))))
            elif html is not None:
                from iiop_tools.giopdump.report import HTMLReport

                output = HTMLReport(stack.enter_context(written(html, HTMLReport.MARK)), declarations.said)
            elif summary:
                output = Summarised(as_json=as_json)
            else:
                output = (JSONLines if as_json else Lines)(octets=octets)
        except (NoParquetError, NoCompilerError, NotOursError, IDLError) as error:
            for each in str(error).splitlines():
                cli.complain(cli.printable(each))
            cli.stop(cli.WRONG_USE)
        dump = _Dump(port, declarations, _Wanted(operations, statuses, connections, min_latency), output)
        quiet = sys.stdout.isatty() and not (summary or parquet or html)
        unreadable = False
        try:
            with _progress(() if quiet or follow else files) as advance:
                for file in files:
                    unreadable |= not _read(dump, file, output.flush, advance, follow=follow)
        except (KeyboardInterrupt, cli.Terminated) as ending:
            interrupted = ending
        dump.finish()
        shortcomings = list(dump.shortcomings(unreadable=unreadable))
        for each in shortcomings:
            cli.complain(each)
        if unreadable and not dump.conversations.messages:
            cli.stop(cli.WRONG_USE)  # and what was written before stays
    if interrupted is not None:
        raise interrupted
    if unreadable or shortcomings:
        cli.stop(cli.NO)


def _read(dump: _Dump, name: str, flush: Callable[[], None], advance: Callable[[int], None], *, follow: bool) -> bool:
    """Read one file; say what is wrong with it, and return whether nothing is."""
    try:
        while True:
            reader = CaptureReader()
            for data in _pieces(name, follow=follow):
                dump.read(reader, data)
                flush()
                advance(len(data))
            if not follow or name == STANDARD_INPUT:
                break
            cli.complain(cli.printable(f"{name}: another file, or a shorter one, has its name; that one follows"))
        reader.finish()
    except CaptureError as error:
        flush()
        cli.complain(cli.printable(f"{name}: {error}"))
        return False
    return True


def _pieces(name: str, *, follow: bool) -> Iterator[bytes]:
    try:
        yield from octets_of(name, follow=follow)
    except OSError as error:
        raise CaptureError(error.strerror or str(error)) from error


@contextlib.contextmanager
def _progress(files: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much of the files was read."""
    sizes = [os.stat(file).st_size for file in files if os.path.isfile(file)]
    if not sizes or not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=sum(sizes))
        yield lambda size: progress.advance(task, size)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `giopdump` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(giopdump, argv, name="giopdump")

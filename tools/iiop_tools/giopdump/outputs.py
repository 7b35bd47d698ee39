"""Where messages go: lines, JSON lines, a summary, a Parquet file.

Each is told of one message after the other, and at last that there are no more. They write to standard output, in one piece what
came in one piece of the capture, or to a file that they are given.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, BinaryIO, Protocol

import click

from iiop.exceptions import IIOPError
from iiop.giop.messages import Reply, ReplyStatus
from iiop_tools.cli import printable
from iiop_tools.giopdump.conversations import Seen
from iiop_tools.giopdump.declared import Said
from iiop_tools.giopdump.rows import line, milliseconds, row
from iiop_tools.giopdump.summary import Calls, Summary

__all__ = ["JSONLines", "Lines", "NoParquetError", "Output", "ParquetFile", "Summarised"]

ENCODE = json.JSONEncoder(separators=(",", ":")).encode
BATCH = 1024
"""Lines that are written at a time."""


class Output(Protocol):
    """Take messages."""

    def add(self, seen: Seen, said: Said) -> None:
        """Take one."""

    def flush(self) -> None:
        """Show what came until now."""

    def finish(self) -> None:
        """Take that there are no more."""


class _Written:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._encoding = sys.stdout.encoding or "utf-8"

    def write(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            text = "\n".join(self._lines) + "\n"
            self._lines.clear()
            try:
                sys.stdout.write(text.encode(self._encoding, "backslashreplace").decode(self._encoding))
                sys.stdout.flush()
            except OSError as error:
                raise OSError(error.errno, error.strerror, "standard output") from error

    def finish(self) -> None:
        self.flush()


class Lines(_Written):
    """Write a line a message, with annotated octets behind it if they are asked for."""

    def __init__(self, *, octets: bool) -> None:
        super().__init__()
        self._octets = octets
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def add(self, seen: Seen, said: Said) -> None:
        shown = line(seen, said)
        if self._coloured and (seen.problem or said.exception is not None):
            shown = click.style(shown, fg="red" if _is_error(seen) else "yellow")
        self.write(shown)
        if self._octets:
            from iiop_tools.giopdump.explained import explained  # who asks for lines alone need not wait for it

            for each in explained(seen, said):
                self.write(each)


def _is_error(seen: Seen) -> bool:
    message = seen.message
    return bool(seen.problem) or (isinstance(message, Reply) and message.reply_status is ReplyStatus.SYSTEM_EXCEPTION)


class JSONLines(_Written):
    """Write a JSON object a message, with its octets as hexadecimal digits if they are asked for."""

    def __init__(self, *, octets: bool) -> None:
        super().__init__()
        self._octets = octets

    def add(self, seen: Seen, said: Said) -> None:
        data = row(seen, said)
        if self._octets:
            data["octets"] = seen.cut.octets.hex()
        self.write(ENCODE(data))


class Summarised(_Written):
    """Write what was counted, at the end."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._summary = Summary()
        self.add = self._summary.add

    def finish(self) -> None:
        if self._as_json:
            self.write(ENCODE(self._summary.as_data()))
        else:
            self._table()
        self.flush()

    def _table(self) -> None:
        rows: list[tuple[str, ...]] = [("OPERATION", "CALLS", "ERRORS", "OPEN", "P50", "P90", "P99", "TARGET, ENDINGS")]
        rows += [_columns(key.operation, calls, key.target) for key, calls in self._summary.rows()]
        rows.append(_columns("all", self._summary.total, ""))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for first, *numbers, last in rows:
            cells = [f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:-1], strict=True)]
            self.write(f"{first:<{widths[0]}}  {'  '.join(cells)}  {last}".rstrip())
        if self._summary.problems:
            self.write(f"{self._summary.problems} messages are incomplete, lost or broken")


def _columns(name: str, calls: Calls, target: str) -> tuple[str, ...]:
    latencies = [calls.latencies.percentile(percent) for percent in (50, 90, 99)]
    shown = ["-" if each is None else milliseconds(each) for each in latencies]
    endings = ", ".join(f"{ending} {count}" for ending, count in calls.endings.most_common() if ending != "NO_EXCEPTION")
    last = printable("  ".join(filter(None, (target, endings))))
    return printable(name), str(calls.calls), str(calls.errors), str(calls.unanswered), *shown, last


class NoParquetError(IIOPError, ImportError):
    """Report that pyarrow is not installed."""


class ParquetFile:
    """Write a row a message into a Parquet file; values of arguments, results and exceptions are JSON text.

    Args:
        file: where to.

    Attributes:
        MARK: what such a file begins with.

    Raises:
        NoParquetError: pyarrow (extra `parquet`) is not installed.
        OSError: the file cannot be written.
    """

    MARK = b"PAR1"
    _ROWS = 16_384
    _COLUMNS = (
        ("number", "int64"),
        ("time", "time"),
        ("connection", "int64"),
        ("client", "string"),
        ("server", "string"),
        ("sender", "string"),
        ("type", "string"),
        ("version", "string"),
        ("byte_order", "string"),
        ("size", "int64"),
        ("fragments", "int64"),
        ("id", "int64"),
        ("operation", "string"),
        ("target", "string"),
        ("response_expected", "bool_"),
        ("status", "string"),
        ("request", "int64"),
        ("latency", "float64"),
        ("exception", "string"),
        ("repository_id", "string"),
        ("minor", "int64"),
        ("completed", "string"),
        ("service_contexts", "string"),
        ("arguments", "string"),
        ("results", "string"),
        ("members", "string"),
        ("forward", "string"),
        ("problem", "string"),
    )
    _AS_JSON = ("service_contexts", "arguments", "results", "members", "forward")

    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise NoParquetError(f"Parquet needs pyarrow: pip install 'iiopkit[parquet]' ({error})") from error
        self._arrow = pyarrow
        time = pyarrow.timestamp("ns", tz="UTC")
        self._schema = pyarrow.schema(
            [(name, time if kind == "time" else getattr(pyarrow, kind)()) for name, kind in self._COLUMNS]
        )
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(self, seen: Seen, said: Said) -> None:
        data = row(seen, said)
        data["time"] = seen.cut.began if seen.cut.began < 1 << 63 else None
        for name in self._AS_JSON:
            if name in data:
                data[name] = ENCODE(data[name])
        self._rows.append(data)
        if len(self._rows) >= self._ROWS:
            self._write()

    def flush(self) -> None:
        """Leave rows until there are enough of them: a Parquet file is whole only at its end."""

    def finish(self) -> None:
        self._write()
        self._writer.close()

    def close(self) -> None:
        """Let go of the file, which is whole only if it was finished."""
        with contextlib.suppress(OSError):
            self._writer.close()
        self._writer.is_open = False  # where that failed, it would be tried again when nobody can hear of it

    def _write(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()

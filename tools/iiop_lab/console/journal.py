"""Events of a lab, as lines: of text for people, of JSON to be kept. It must not know what they mean."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from iiop_tools import cli

if TYPE_CHECKING:
    from iiop_lab.scenario.lab import LabEvent

__all__ = ["Journal", "event_line"]


class Journal:
    """Append events to a file, a JSON object a line, from whichever thread tells them.

    Args:
        path: of the file; made if it is not there.

    Raises:
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()
        self._full = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()

    def write(self, event: LabEvent) -> None:
        """Write an event, and when it came, UTC; what cannot be written is missed, which is said once."""
        row: dict[str, Any] = {"time": datetime.now(UTC).isoformat(timespec="microseconds"), **event.as_row()}
        line = json.dumps(row, default=str).encode() + b"\n"
        with self._lock:
            if self._file.closed:
                return
            try:
                self._file.write(line)
            except OSError as error:
                if not self._full:
                    cli.complain(f"{self._path}: {error.strerror}; events are missing there")
                self._full = True


def event_line(event: LabEvent) -> str:
    """Return an event as a line for people."""
    return f"{event.at:9.3f}  {event.event:<9}  {event.subject}: {event.text}"

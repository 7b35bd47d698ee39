"""What a command needs that runs until it is told to stop: how it logs, and how it tells that it is ready.

Knows logging and systemd's notification socket; must not know what is served.

Source: systemd, sd_notify(3).
"""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
from datetime import UTC, datetime
from pathlib import Path

__all__ = [
    "LEVELS",
    "LOG_FORMATS",
    "JsonFormatter",
    "TextFormatter",
    "allow_descriptors",
    "log_level_in",
    "notify",
]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class TextFormatter(logging.Formatter):
    """Write a record as one line, whatever peers have sent that stands in it, and its traceback behind it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return line if line.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class JsonFormatter(logging.Formatter):
    """Write a record as one line of JSON: `time` (UTC, ISO 8601), `level`, `logger`, `message`, and `traceback` if it has one."""

    def format(self, record: logging.LogRecord) -> str:
        members = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=False)


LOG_FORMATS = {"text": TextFormatter(), "json": JsonFormatter()}


def allow_descriptors(count: int) -> int:
    """Let this process open as many files and sockets, which by default is often 1,024; return how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def log_level_in(path: Path) -> str:
    """Return the level that a file names, in its only word.

    Raises:
        OSError: it cannot be read.
        ValueError: it names none.
    """
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if text.upper() not in LEVELS:
        raise ValueError(f"{path}: {text[:40]!r} is no log level; {', '.join(LEVELS)} are")
    return text.upper()


def notify(state: str) -> None:
    """Tell systemd a state, as `READY=1`, if it wants to know (variable NOTIFY_SOCKET).

    Raises:
        OSError: its socket does not take it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address[0] == "@" else address)
        sock.sendall(state.encode())

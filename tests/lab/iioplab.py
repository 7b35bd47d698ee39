"""The command `iioplab` as its users have it: a process, what it says, how it ends, and what is left."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

PATIENCE = 60.0
COMMAND = [
    sys.executable,
    "-c",
    "import signal, sys\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup leaves it ignored\n"
    "from iiop_lab.cli import main\n"
    "sys.exit(main())",
]

LAB = """\
[hosts]
vhost = "127.0.0.1"
host1 = "127.0.0.2"
host2 = "127.0.0.3"

[virtual_host]
port = 0

[nodes.host1]
port = 0
[nodes.host2]
port = 0

[work_units.ISSAMPLE1.names]
"TDsample::tdtest" = "vhost"
"""
"""Two hosts behind a virtual host, on ports that the system chooses."""


@contextmanager
def started(folder: Path, *arguments: str, out: IO[str] | int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a folder, which is that of temporary files, too."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; return exit status, output and errors."""
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    return process.returncode, out, err


def iioplab(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command to its end."""
    with started(folder, *arguments) as process:
        return ended(process)


def hear(process: subprocess.Popen[str], words: str) -> str:
    """Read what is said, up to a line with these words; return it."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    assert process.stderr is not None
    pytest.fail(f"it never said {words!r}: {process.stderr.read()}")


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started and has not seen end."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


@contextmanager
def watched(pids: list[int]) -> Iterator[list[int]]:
    """Hold on to processes that have not ended yet, so that their ids stay theirs."""
    descriptors = []
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptors.append(os.pidfd_open(pid))
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def all_end(descriptors: list[int], within: float) -> bool:
    """Wait for the end of processes; an ended one can be read."""
    waiting, end = set(descriptors), time.monotonic() + within
    while waiting and (left := end - time.monotonic()) > 0:
        waiting -= set(select.select(list(waiting), [], [], left)[0])
    return not waiting


def rows(path: Path) -> list[dict[str, object]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]

"""Processes of the lab as it sees them: started, told, listened to, killed, and never left behind."""

from __future__ import annotations

import contextlib
import ctypes.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iiop.exceptions import IIOPError

__all__ = ["Child", "Row", "ChildError", "nss_wrapper", "python_child", "run", "script"]

PATIENCE = 60.0
"""Seconds without a word from a process that should be speaking, before the lab gives up on it."""

Row = dict[str, Any]
"""What a process says in a line."""


class ChildError(IIOPError):
    """Report a process that did not do its part."""


class Child:
    """Run a process that says JSON objects, a line each.

    It has a process group of its own, so that Ctrl-C reaches the lab alone, and its standard input ends with the lab, at which it
    ends too.

    Args:
        name: for messages.
        command: program and arguments.
        env: added to our environment.
        log: file to which its standard error is appended; it goes where ours goes if None.
        heard: called, in a thread of its own, with every row as it comes.
        ended: called there when it has stopped speaking, whoever ended it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        heard: Callable[[Row], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._heard = heard
        self._ended = ended
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        with contextlib.nullcontext() if log is None else log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name=f"reader of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # killed in the middle of a word
            row = json.loads(line)
            if self._heard is not None:
                self._heard(row)
            self._rows.put(row)
        self._rows.put(None)
        if self._ended is not None:
            self._ended()

    def tell(self, line: str) -> None:
        """Write a line to the process.

        Raises:
            ChildError: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # the latter once `end` or `kill` has closed it
            raise ChildError(f"{self.name} has ended: exit {self._process.wait()}") from error

    @property
    def has_ended(self) -> bool:
        """Tell whether the process has stopped speaking."""
        return not self._reader.is_alive()

    def until(self, key: str, patience: float = PATIENCE) -> Row:
        """Return the next row that has a key; the rows before it have been heard.

        Args:
            key: of the row.
            patience: seconds of silence that are put up with.

        Raises:
            ChildError: the process ended, said why it cannot go on, or was silent for too long.
        """
        while True:
            try:
                row = self._rows.get(timeout=patience)
            except queue.Empty:
                raise ChildError(f"{self.name} has said nothing for {patience:.3g} s") from None
            if row is None:
                raise ChildError(f"{self.name} has ended: exit {self._process.wait()}")
            if "failed" in row:
                raise ChildError(f"{self.name}: {row['failed']}")
            if key in row:
                return row

    def kill(self) -> None:
        """End the process with SIGKILL, and see it gone."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    def end(self) -> None:
        """End the process by ending its standard input; by SIGKILL if it does not listen."""
        if self._process.returncode is None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.close()
                self._process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def python_child(name: str, module: str, arguments: Mapping[str, Any], **options: Any) -> Child:
    """Start a process that runs a module of ours, whatever modules the current folder has; options as of `Child`."""
    return Child(name, [sys.executable, "-P", "-m", module, json.dumps(arguments)], **options)


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run a command to its end.

    Raises:
        ChildError: it failed; the text has what it wrote.
    """
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise ChildError(f"{' '.join(command)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")


def script(name: str) -> str:
    """Return the path of a command that is installed beside our interpreter.

    Raises:
        ChildError: it is not.
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise ChildError(f"{name} is not installed beside {sys.executable}; it comes with the extra omniorb")
    return str(path)


def nss_wrapper() -> str | None:
    """Return the library that gives a process a hosts file of its own, or None where it is not installed."""
    return ctypes.util.find_library("nss_wrapper")

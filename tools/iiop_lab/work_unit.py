"""WorkUnits: processes that serve an object, started, stopped, killed and hung as an operator would, or a fault.

A WorkUnit is a command that prints a reference. It must not know Naming Services, nor who is told of its state: who wants to know
gives `on_change`.

Source: what Interstage calls so (High Availability System Guide B1WS-1092-03ENZ0, 1.1.6, 3.4.1): the processes of one
application, started and stopped together, and monitored or not.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from iiop.exceptions import IIOPError, ReferenceFormatError
from ior import IOR

__all__ = ["State", "WorkUnit", "WorkUnitError", "await_standstill", "servant_command"]

_REFERENCE = re.compile(rb"IOR:(?:[0-9a-fA-F]{2})+")

LONGEST = 1024 * 1024
"""Octets of a line that a reference is looked for in; longer lines are taken in pieces."""

MOST_SAID = 500
"""Octets of its last line that an error quotes."""


class WorkUnitError(IIOPError):
    """Report a WorkUnit that does not do its part."""


class State(Enum):
    """Say how a WorkUnit is."""

    STOPPED = "stopped"
    RUNNING = "running"
    HUNG = "hung"
    """Stopped by SIGSTOP: it is there, and answers nothing."""
    DIED = "died"
    """A process of it has ended that nobody had stopped."""


def servant_command(named: str, *, host: str = "127.0.0.1", key: str | None = None) -> tuple[str, ...]:
    """Return the command that serves a Python servant, as `iiop_lab.serve_servant` says.

    Args:
        named: its class, as `module:Class`; also of a module in the folder where the WorkUnit runs.
        host: address to listen on.
        key: object key; None for one that nobody can guess.
    """
    options = ("--host", host, *(("--key", key) if key else ()))
    return sys.executable, "-P", "-m", "iiop_lab.serve_servant", named, *options


@dataclass(slots=True, eq=False)
class _Process:
    popen: subprocess.Popen[bytes]
    reader: threading.Thread | None = None
    printed: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)
    """The first reference that it printed, and None at its end."""
    last: bytes = b""
    """The line that it printed last, before that reference."""
    reference: IOR | None = None

    @property
    def said(self) -> str:
        """Return what it said last, as the end of a sentence, and not all of what is very long."""
        last = self.last[-MOST_SAID:].decode(errors="replace").strip()
        return f": {last}" if last else ""


class WorkUnit:
    """Run the processes of one application.

    Args:
        name: of the WorkUnit.
        command: prints a reference (`IOR:...`), alone or in a line, and then serves it; it ends at SIGTERM.
        count: of processes; their references must name one object key if there are several.
        log: file to which all that they print is appended; None keeps it nowhere.
        env: variables added to ours.
        cwd: folder to run in; None for ours.
        monitored: whether its end takes the server out of distribution.
        patience: seconds to start, and as many to stop before it is killed.
        on_change: called with the WorkUnit when its state has changed, from whichever thread noticed.

    Attributes:
        starts: how often it was started.
        crashes: how often a process of it has ended though nobody had ended it.
        on_change: see above.
        surroundings: returns variables that its host adds, asked at every start; those of `env` win. None if there are none.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        count: int = 1,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        monitored: bool = True,
        patience: float = 30.0,
        on_change: Callable[[WorkUnit], None] | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"WorkUnit {name}: {count} processes are none")
        self.name = name
        self.monitored = monitored
        self.starts = 0
        self.crashes = 0
        self._command = tuple(os.fspath(word) for word in command)
        self._count = count
        self._log = log
        self._env = dict(env or {})
        self._cwd = cwd
        self._patience = patience
        self.on_change = on_change
        self.surroundings: Callable[[], Mapping[str, str]] | None = None
        self._processes: list[_Process] = []
        self._state = State.STOPPED
        self._ending = False
        self._lock = threading.RLock()

    def __enter__(self) -> WorkUnit:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def state(self) -> State:
        """Return how it is."""
        return self._state

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the ids of its processes."""
        return tuple(process.popen.pid for process in self._processes)

    @property
    def references(self) -> tuple[IOR, ...]:
        """Return the references that its processes printed, in their order; none if it does not run."""
        return tuple(process.reference for process in self._processes if process.reference is not None)

    def start(self) -> None:
        """Start every process, and wait for their references.

        Raises:
            WorkUnitError: it runs already; a process cannot be started, ends, or prints no reference in time; then none is left.
        """
        with self._lock:
            if self._processes:
                raise WorkUnitError(f"WorkUnit {self.name} is {self._state.value}, and must be stopped to be started")
            self._ending = False
            try:
                env = {**os.environ, **(self.surroundings() if self.surroundings is not None else {}), **self._env}
                for _ in range(self._count):
                    self._processes.append(self._launch(env))
                for process in self._processes:
                    process.reference = self._await_reference(process)
                keys = {tuple(endpoint.object_key for endpoint in reference.endpoints()) for reference in self.references}
                if len(keys) > 1:
                    raise WorkUnitError(f"WorkUnit {self.name}: its processes do not serve one object: their object keys differ")
            except BaseException:
                self._end(signal.SIGKILL)
                raise
            self.starts += 1
            self._set(State.RUNNING)

    def stop(self) -> None:
        """Stop every process by SIGTERM, and by SIGKILL those that do not listen; one that does not run is left alone."""
        with self._lock:
            self._end(signal.SIGTERM)
            self._set(State.STOPPED)

    def kill(self) -> None:
        """End every process by SIGKILL, as a crash does, be it in the middle of a start."""
        self._ending = True
        self._signal(signal.SIGKILL)
        with self._lock:
            ran = bool(self._processes)
            self._end(signal.SIGKILL)
            self._set(State.DIED if ran else State.STOPPED)

    def hang(self) -> None:
        """Stop every process by SIGSTOP: connections stay, and nothing is answered.

        Raises:
            WorkUnitError: it does not run.
        """
        with self._lock:
            self._expect(State.RUNNING)
            self._signal(signal.SIGSTOP)
            for pid in self.pids:
                await_standstill(pid)
            self._set(State.HUNG)

    def resume(self) -> None:
        """Let a hung WorkUnit go on.

        Raises:
            WorkUnitError: it is not hung.
        """
        with self._lock:
            self._expect(State.HUNG)
            self._signal(signal.SIGCONT)
            self._set(State.RUNNING)

    def restart(self) -> None:
        """Stop it, if it runs, and start it.

        Raises:
            WorkUnitError: as `start`.
        """
        with self._lock:
            self.stop()
            self.start()

    # --- processes

    def _launch(self, env: Mapping[str, str]) -> _Process:
        try:
            popen = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self._cwd,
                start_new_session=True,
            )
        except OSError as error:
            what = f"in {self._cwd}" if self._cwd is not None and error.filename == self._cwd else self._command[0]
            raise WorkUnitError(f"WorkUnit {self.name}: cannot run {what}: {error.strerror}") from error
        process = _Process(popen)
        process.reader = threading.Thread(target=self._read, args=(process,), name=f"WorkUnit {self.name}", daemon=True)
        process.reader.start()
        return process

    def _read(self, process: _Process) -> None:
        """Keep what a process prints, until it has ended."""
        assert process.popen.stdout is not None
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self._log.open("ab")) if self._log is not None else None
            found = None
            while line := process.popen.stdout.readline(LONGEST):
                if log is not None:
                    log.write(line)
                    log.flush()
                if found is None:
                    process.last = line
                    found = _REFERENCE.search(line)
                    if found is not None:
                        process.printed.put(found[0].decode())
        process.printed.put(None)
        process.popen.wait()
        if not self._ending and process.reference is not None:
            self.crashes += 1
            self._set(State.DIED)

    def _await_reference(self, process: _Process) -> IOR:
        try:
            printed = process.printed.get(timeout=self._patience)
        except queue.Empty:
            raise WorkUnitError(f"WorkUnit {self.name} printed no reference in {self._patience:g} s{process.said}") from None
        if printed is None:
            status = process.popen.wait()
            raise WorkUnitError(f"WorkUnit {self.name} ended with status {status} before it printed a reference{process.said}")
        try:
            return IOR.from_string(printed)
        except (ReferenceFormatError, IIOPError) as error:
            raise WorkUnitError(f"WorkUnit {self.name} printed a reference that cannot be read: {error}") from error

    def _end(self, how: signal.Signals) -> None:
        self._ending = True
        self._signal(how)
        self._signal(signal.SIGCONT)  # a process that stands still hears nothing else
        for process in self._processes:
            try:
                process.popen.wait(self._patience)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.popen.wait()
            _signal(process, signal.SIGKILL)  # what it started, and left
            if process.reader is not None:
                process.reader.join()
            for pipe in (process.popen.stdin, process.popen.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self._processes = []

    def _signal(self, number: signal.Signals) -> None:
        for process in tuple(self._processes):
            _signal(process, number)

    def _expect(self, state: State) -> None:
        if self._state is not state:
            raise WorkUnitError(f"WorkUnit {self.name} is {self._state.value}, not {state.value}")

    def _set(self, state: State) -> None:
        changed = state is not self._state
        self._state = state
        if changed and self.on_change is not None:
            self.on_change(self)


def await_standstill(pid: int) -> None:
    """Wait until a child of ours that was sent SIGSTOP stands still, with all its threads, or has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def _signal(process: _Process, number: signal.Signals) -> None:
    """Send a signal to a process and whatever it has started; it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, number)

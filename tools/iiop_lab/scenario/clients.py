"""The clients of a scenario: processes that call, and what became of each of their calls.

Clients that call the sample server are asked for one call at a time, so that it is known when they call and when not. Programs of
the user are started, left alone, and asked for their exit status. It must not know steps, nor what is expected.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iiop_lab
from iiop_lab.child import Child, ChildError, Row, python_child, run, script
from iiop_lab.scenario.calls import Call
from iiop_lab.scenario.declaration import ClientDeclaration

if TYPE_CHECKING:
    from iiop_lab.scenario.lab import Lab

__all__ = ["Clients", "Program", "start_clients"]

MILLION = 1_000_000
"""Numbers that each client has for its calls, above all that the lab has run already."""


class Clients:
    """Let clients call, or not, and keep what became of their calls.

    Attributes:
        calls: all of them so far, in the order in which they ended.
        made: how many ended in this step, by client.
        programs: of the user, by name.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.made: Counter[str] = Counter()
        self.programs: dict[str, Program] = {}
        self._children: dict[str, Child] = {}
        self._step = ""
        self._calling = False
        self._waiting: set[str] = set()
        self._progress = threading.Condition(threading.RLock())

    @property
    def callers(self) -> tuple[str, ...]:
        """Return the names of those that call the sample server."""
        return tuple(self._children)

    def add(self, name: str, start: Callable[..., Child]) -> Child:
        """Let a client be one of these; `start` is given functions that hear what it says, and that it has ended."""
        child = self._children[name] = start(heard=partial(self._heard, name), ended=self._gone)
        return child

    def call(self) -> None:
        """Have every client call again as soon as it is answered, until `pause`."""
        with self._progress:
            if not self._calling:
                self._calling = True
                for name in self._children:
                    self._ask(name)

    def pause(self, patience: float) -> None:
        """Let no client begin a call, and wait until those under way have ended.

        Raises:
            ChildError: they have not after `patience` seconds, or a client has ended.
        """
        with self._progress:
            self._calling = False
            self.wait(lambda: not self._waiting, patience, "calls under way have ended")

    def let_go(self) -> None:
        """Ask no more, and hold up nobody: Ctrl-C may come between taking the lock and the block that gives it back."""
        self._calling = False
        with contextlib.suppress(RuntimeError):  # it is not ours any more
            while True:
                self._progress.release()

    def begin(self, step: str) -> int:
        """Note that a step begins; return how many calls have ended before it."""
        with self._progress:
            self._step = step
            self.made.clear()
            return len(self.calls)

    def rest(self, seconds: float) -> None:
        """Let time pass, while clients call.

        Raises:
            ChildError: a client has ended.
        """
        with self._progress:
            self._progress.wait_for(lambda: bool(self._ended()), seconds)
            self._see_all_live()

    def wait(self, condition: Callable[[], bool], patience: float, what: str) -> None:
        """Wait for what clients do.

        Raises:
            ChildError: it has not come about after `patience` seconds, or a client has ended.
        """
        with self._progress:
            came = self._progress.wait_for(lambda: condition() or bool(self._ended()), patience)
            self._see_all_live()
            if not came:
                raise ChildError(f"not within {patience:g} s: {what}")

    def since(self, number: int) -> list[Call]:
        """Return the calls that have ended, from the one of that number on."""
        with self._progress:
            return self.calls[number:]

    def _heard(self, name: str, row: Row) -> None:
        with self._progress:
            self.calls.append(Call.of(name, self._step, row))
            self.made[name] += 1
            self._waiting.discard(name)
            if self._calling:
                self._ask(name)
            self._progress.notify_all()

    def _ask(self, name: str) -> None:
        self._waiting.add(name)
        with contextlib.suppress(ChildError):  # whoever waits for the answer sees that the client has ended
            self._children[name].tell("call")

    def _gone(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _ended(self) -> list[str]:
        return [name for name, child in self._children.items() if child.has_ended]

    def _see_all_live(self) -> None:
        if ended := self._ended():
            raise ChildError(f"client {', '.join(ended)} has ended by itself")


class Program:
    """Run a program of the user.

    Args:
        name: of the client.
        command: program and arguments.
        log: where what it prints goes.
        env: added to our environment.
        folder: that it runs in.

    Raises:
        ChildError: it cannot be started.
    """

    def __init__(self, name: str, command: tuple[str, ...], *, log: Path, env: Mapping[str, str], folder: Path) -> None:
        try:
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **env},
                    cwd=folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise ChildError(f"client {name}: cannot run {command[0]}: {error.strerror}") from error

    @property
    def status(self) -> int | None:
        """Return its exit status, None if it runs; that of a signal is negative."""
        return self._process.poll()

    def end(self) -> None:
        """End it, by SIGTERM, and by SIGKILL if it does not listen."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):  # and what it started, and left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def start_clients(lab: Lab, declared: Mapping[str, ClientDeclaration], stack: ExitStack) -> Clients:
    """Start clients; they call nobody yet, but for programs of the user.

    Args:
        lab: that they call.
        declared: by name.
        stack: ends them.

    Raises:
        ChildError: one cannot be started.
        LabError: host names are wanted, and cannot be had.
    """
    clients = Clients()
    ran = max((number for numbers in lab.journals.values() for number in numbers), default=0) // MILLION
    if any(client.stub == "omniORBpy" and not client.command for client in declared.values()):
        run([script("omniidl"), "-bpython", f"-C{lab.folder}", str(Path(iiop_lab.__path__[0]) / "TDsample.idl")])
    for number, (name, client) in enumerate(declared.items(), ran + 1):
        if client.command:
            log = lab.folder / "logs" / f"{name}.log"
            env = {**lab.environment(), "IIOP_LAB_NAMING": f"corbaloc::1.2@{lab.address(client.naming)}/NameService"}
            program = clients.programs[name] = Program(name, client.command, log=log, env=env, folder=lab.beside)
            stack.callback(program.end)
        else:
            start = _omni if client.stub == "omniORBpy" else _ours
            stack.callback(clients.add(name, partial(start, lab, name, client, number * MILLION)).end)
    stack.callback(clients.let_go)  # before any client is ended
    return clients


def _ours(lab: Lab, name: str, client: ClientDeclaration, first: int, **hearing: Any) -> Child:
    arguments = {
        "address": lab.address(client.naming),
        "name": client.name,
        "first": first,
        "hosts": lab.hosts,
        "fresh": client.fresh,
        "pace": client.pace,
        "asks": client.asks,
        "policy": {
            "deadline": client.deadline,
            "attempt_timeout": min(client.timeout, client.deadline),
            "connect_timeout": min(2.0, client.timeout),
            "rounds": client.rounds,
            "backoff_initial": 0.05,
            "backoff_max": 0.2,
        },
    }
    return python_child(name, "iiop_lab.scenario.our_client", arguments, **hearing)


def _omni(lab: Lab, name: str, client: ClientDeclaration, first: int, **hearing: Any) -> Child:
    arguments = {
        "address": f"corbaloc::1.2@{lab.address(client.naming)}/NameService",
        "name": client.name,
        "first": first,
        "fresh": client.fresh,
        "restart": client.restart,
        "pace": client.pace,
    }
    milliseconds = str(round(client.timeout * 1000))
    program = str(Path(__file__).with_name("omni_client.py"))
    command = [sys.executable, program, json.dumps(arguments), "-ORBclientCallTimeOutPeriod", milliseconds]
    return Child(name, command, env={**lab.environment(), "PYTHONPATH": str(lab.folder)}, **hearing)

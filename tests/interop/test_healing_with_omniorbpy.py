"""Servers that are killed and stopped, between omniORBpy and us.

Our clients, for threads and for tasks, against servers made with omniORBpy; and omniORBpy's client, with the references of
`naming.omniorb`, against our servers. Every server says what it ran, so that what clients are told is held against that.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from iiop.exceptions import CompletionStatus, IIOPError, UserException
from iiop.failover import Event, FailoverPolicy, Late, completion_of
from ior import IOR
from naming import NameService, NamingServer, parse_name
from naming.aio import NameService as AsyncNameService
from tests.interop import bank
from tests.peers import TIMEOUT, PeerProcess, omniidl_stubs, peer_env

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MARGIN = 1.0
"""Seconds that a call may outlive its deadline by, on a busy machine."""

POLICY: dict[str, Any] = {"deadline": 10.0, "attempt_timeout": 5.0, "backoff_initial": 0.01, "refresh_interval": None}


@dataclass
class Told:
    """What a caller was told: a result, or an error with completion status, or a user exception by its name."""

    result: int | None = None
    error: str | None = None
    minor: int = 0
    seconds: float = 0.0
    attempts: list[str] = field(default_factory=list)


def tell(error: Exception) -> Told:
    if isinstance(error, UserException):
        return Told(error=type(error).__name__)
    assert isinstance(error, IIOPError), error
    completed = completion_of(error).name.removeprefix("COMPLETED_")
    attempts = [attempt.endpoint for attempt in error.attempts]
    return Told(error=f"{type(error).__name__} {completed}", minor=getattr(error, "minor", 0), attempts=attempts)


class Client(ABC):
    """A client of any kind; `call` takes operations, each called from a thread or task of its own."""

    servers = "omni"

    def __init__(self, corbaloc: str, stubs: Path, **policy: Any) -> None:
        self.events: list[str] = []
        self.policy = {**POLICY, **policy}
        self.corbaloc = corbaloc
        self.stubs = stubs

    def heard(self, event: Event) -> None:
        self.events.append(type(event).__name__)

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def call(self, *operations: tuple[Any, ...]) -> list[Told]: ...

    @abstractmethod
    def close(self) -> None: ...

    def one(self, *operation: Any) -> Told:
        (told,) = self.call(operation)
        return told


class Threads(Client):
    def start(self) -> None:
        self.service = NameService(self.corbaloc, policy=FailoverPolicy(**self.policy), on_event=self.heard)
        self.account = self.service.reference(bank.NAME, bank.Account)

    def _call(self, operation: tuple[Any, ...]) -> Told:
        start = time.monotonic()
        try:
            told = Told(getattr(self.account, operation[0])(*operation[1:]))
        except Exception as error:
            told = tell(error)
        told.seconds = time.monotonic() - start
        return told

    def call(self, *operations: tuple[Any, ...]) -> list[Told]:
        self.events.clear()
        with ThreadPoolExecutor(len(operations)) as threads:
            return list(threads.map(self._call, operations))

    def close(self) -> None:
        self.service.close()


class Tasks(Client):
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.service = AsyncNameService(self.corbaloc, policy=FailoverPolicy(**self.policy), on_event=self.heard)
        self.account = self.service.reference(bank.NAME, bank.Account)

    async def _call(self, operation: tuple[Any, ...]) -> Told:
        start = time.monotonic()
        try:
            told = Told(await getattr(self.account, operation[0])(*operation[1:]))
        except Exception as error:
            told = tell(error)
        told.seconds = time.monotonic() - start
        return told

    def call(self, *operations: tuple[Any, ...]) -> list[Told]:
        self.events.clear()

        async def gather() -> list[Told]:
            return list(await asyncio.gather(*map(self._call, operations)))

        return self.runner.run(gather())

    def close(self) -> None:
        async def close() -> None:
            self.service.close()

        self.runner.run(close())
        self.runner.close()


class OmniORBpy(Client):
    servers = "ours"

    def start(self) -> None:
        policy = {key: value.value if isinstance(value, Late) else value for key, value in self.policy.items()}
        args = [sys.executable, str(HERE / "bank_adapter.py"), str(self.stubs), self.corbaloc, json.dumps(policy)]
        env = peer_env({"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools"), str(ROOT / "fuzz")])})
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def call(self, *operations: tuple[Any, ...]) -> list[Told]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(operations) + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        self.events = found["events"]
        return [Told(**{name: answer[name] for name in answer if name != "missing"}) for answer in found["answer"]]

    def close(self) -> None:
        self.process.communicate(timeout=TIMEOUT)


class Scene:
    """Servers, a Naming Service, and a client."""

    def __init__(self, kind: type[Client], folder: Path, stubs: Path, stack: ExitStack) -> None:
        self.kind = kind
        self.folder = folder
        self.stubs = stubs
        self.stack = stack
        self.naming = stack.enter_context(NamingServer())
        self.service = stack.enter_context(NameService(self.naming.corbaloc))
        self.started: list[PeerProcess] = []

    def client(self, **policy: Any) -> Client:
        client = self.kind(self.naming.corbaloc, self.stubs, **policy)
        client.start()
        self.stack.callback(client.close)
        return client

    def server(self, *options: str) -> PeerProcess:
        """Start a server, number 1, 2, ..., and let the name lead to it."""
        number = len(self.started) + 1
        if self.kind.servers == "omni":
            args = [sys.executable, "-P", str(HERE / "bank_omni.py"), str(self.stubs), str(number), *options]
        else:
            args = [sys.executable, "-m", "tests.interop.bank_ours", str(number), *options]
        env = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools"), str(ROOT / "fuzz")])}
        process = self.stack.enter_context(PeerProcess(args, self.folder / f"server{number}.log", env, cwd=ROOT))
        self.started.append(process)
        process.reference = IOR.from_string(process.wait_line("(IOR:[0-9a-f]+)")[1])  # type: ignore[attr-defined]
        self.leads_to(process)
        return process

    def stop(self, process: PeerProcess) -> None:
        """Stop a server with SIGSTOP, and wait until it has."""
        self.stack.callback(process.kill)
        os.killpg(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)

    def leads_to(self, process: PeerProcess) -> None:
        self.service.root.rebind(parse_name(bank.NAME), process.reference.to_iop())  # type: ignore[attr-defined]

    def ran(self, operation: str) -> list[int]:
        """Return the numbers of the servers that ran an operation, each as often as it did."""
        found: list[int] = []
        for number, process in enumerate(self.started, 1):
            process.stop(signal.SIGKILL)
            found += [number] * len(re.findall(rf"^ran {operation} ", process.log.read_text(), re.MULTILINE))
        return found


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return omniidl_stubs(bank.IDL, tmp_path_factory.mktemp("bank"))


@pytest.fixture(params=[Threads, Tasks, OmniORBpy], ids=lambda kind: kind.__name__)
def scene(request: pytest.FixtureRequest, tmp_path: Path, stubs: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(request.param, tmp_path, stubs, stack)


MAYBE = CompletionStatus.COMPLETED_MAYBE.name.removeprefix("COMPLETED_")


def test_stubs_are_what_they_were(scene: Scene) -> None:
    client = scene.client()
    scene.server()
    assert client.one("add", 1).result == 1
    assert client.one("limit").result == 1
    assert client.one("add", bank.TOO_MUCH).error == "Overdrawn"
    assert client.events == [], "an exception of the operation's own is an answer"


def test_killed_before_the_call(scene: Scene) -> None:
    client = scene.client()
    first = scene.server()
    assert client.one("add", 1).result == 1
    scene.server()
    first.kill()
    told = client.one("add", 1)
    if told.error is not None:  # our client cannot tell an end of the stream that crossed its request from a server that died
        assert told.error.endswith(MAYBE)
        told = client.one("add", 1)
    assert told.result == 2
    assert scene.ran("add") == [1, 2]


def test_killed_during_a_call_that_must_not_run_twice(scene: Scene) -> None:
    client = scene.client()
    first = scene.server()
    assert client.one("add", 1).result == 1
    with ThreadPoolExecutor(1) as threads:
        calling = threads.submit(client.one, "add", bank.HANGS)
        first.wait_line(f"ran add {bank.HANGS}")
        scene.server()
        first.kill()
        told = calling.result(TIMEOUT)
    assert told.error in (f"ConnectionLost {MAYBE}", f"COMM_FAILURE {MAYBE}")
    assert client.one("add", 1).result == 2
    assert scene.ran("add") == [1, 1, 2]


def test_killed_during_a_call_that_may_run_twice(scene: Scene) -> None:
    client = scene.client()
    first = scene.server("hangs")
    with ThreadPoolExecutor(1) as threads:
        calling = threads.submit(client.one, "value")
        first.wait_line("ran value")
        scene.server()
        first.kill()
        assert calling.result(TIMEOUT).result == 2
    assert scene.ran("value") == [1, 2]
    assert "Recovered" in client.events


def test_killed_after_it_ran(scene: Scene) -> None:
    client = scene.client()
    scene.server()
    told = client.one("add", bank.DIES)
    assert told.error in (f"ConnectionLost {MAYBE}", f"COMM_FAILURE {MAYBE}")
    scene.server()
    assert client.one("add", 1).result == 2
    assert scene.ran("add") == [1, 2]


def test_stopped_server_and_a_call_that_must_not_run_twice(scene: Scene) -> None:
    """SIGSTOP: the machine answers for it, and nobody is at home."""
    client = scene.client(attempt_timeout=0.5)
    first = scene.server()
    assert client.one("add", 1).result == 1
    scene.stop(first)
    told = client.one("add", 1)
    assert told.error in (f"DeadlineExceeded {MAYBE}", f"TIMEOUT {MAYBE}")
    assert 0.4 < told.seconds < 0.5 + MARGIN
    scene.server()
    assert client.one("value").result == 2


def test_stopped_server_and_a_call_that_may_run_twice(scene: Scene) -> None:
    client = scene.client(attempt_timeout=0.5)
    first = scene.server()
    assert client.one("value").result == 1
    scene.stop(first)
    scene.server()
    told = client.one("value")
    assert told.result == 2
    assert 0.4 < told.seconds < 0.5 + MARGIN


def test_no_call_outlives_its_deadline(scene: Scene) -> None:
    client = scene.client(deadline=1.0, attempt_timeout=0.3)
    first = scene.server()
    assert client.one("value").result == 1
    scene.stop(first)
    told = client.one("value")
    assert told.error in (f"DeadlineExceeded {MAYBE}", f"FailoverExhausted {MAYBE}", f"TIMEOUT {MAYBE}")
    assert told.seconds < 1.0 + MARGIN
    assert len(told.attempts) >= 2


def test_late_as_interstage_tells_it(scene: Scene) -> None:
    client = scene.client(attempt_timeout=0.3, late=Late.INTERSTAGE)
    scene.server()
    told = client.one("add", bank.HANGS)
    assert (told.error, told.minor) == (f"COMM_FAILURE {MAYBE}", 0x464A0101)


def test_all_callers_move_together(scene: Scene) -> None:
    """Eight callers find the server dead; everyone is answered, and what they ran, they ran once each."""
    client = scene.client()
    first = scene.server()
    assert client.one("value").result == 1
    scene.server()
    first.kill()
    told = client.call(*[("value",)] * 8)
    assert [each.result for each in told] == [2] * 8
    assert scene.ran("value") == [1] + [2] * 8


def test_nobody_there(scene: Scene) -> None:
    client = scene.client(deadline=5.0)
    scene.server().kill()
    told = client.one("add", 1)
    assert told.error in ("FailoverExhausted NO", "TRANSIENT NO")
    assert len(told.attempts) == 3 or scene.kind is OmniORBpy
    assert client.events[-1] == "GaveUp"


def test_name_that_was_never_bound(scene: Scene) -> None:
    told = scene.client().one("add", 1)
    assert told.error in ("NotFound", "OBJECT_NOT_EXIST NO")


def test_load_returns_to_a_repaired_server(scene: Scene) -> None:
    """Nothing fails: the reference grows old, and the name leads to the first server again."""
    client = scene.client(refresh_interval=1e-6)
    first = scene.server()
    second = scene.server()
    assert client.one("value").result == 2
    scene.leads_to(first)
    assert client.one("value").result == 1
    scene.leads_to(second)
    assert client.one("value").result == 2

"""kill -9 of a Naming Service under load: nothing acknowledged is lost, nothing is half done, and the store opens again.

Every round starts `nstool serve` on the folder that the round before left, has clients change it, kills it at a random moment,
and compares a copy of the folder with what the clients were told. `make durability` does 200 rounds, the suite a few.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from iiop.endpoints import endpoints
from iiop.exceptions import FailoverExhausted, TransportError
from iiop.failover import FailoverPolicy
from iiop.iop import IOR, TaggedProfile
from naming import NameService
from naming.changes import ROOT, Bound, ContextId
from naming.model import NamingModel
from naming.names import parse_name
from naming.store import Store
from naming.types import NameComponent
from tests.net.test_nstool_serve import command
from tests.peers import NamingPeer, PeerProcess, our_naming_service

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "8"))
CLIENTS = 6
POLICY = FailoverPolicy(deadline=20.0, attempt_timeout=20.0, rounds=1, refresh_interval=None)


class Operation(NamedTuple):
    """What a client asks for; `name` is below its folder, `context` the one to destroy."""

    kind: str
    name: str = ""
    reference: IOR = IOR("", ())
    context: ContextId = ROOT


class Client:
    """One client, the only one that works below its folder, and what it knows to be on disk."""

    def __init__(self, number: int) -> None:
        self.folder = f"client{number}"
        self.bindings: dict[str, Bound] = {}
        self.loose: list[ContextId] = []
        self.unanswered: Operation | None = None
        self.acknowledged = 0
        self._chance = random.Random(number)
        self._serial = itertools.count()

    def choose(self) -> Operation:
        new = f"n{next(self._serial)}"
        reference = IOR(f"IDL:{self.folder}/{new}:1.0", (TaggedProfile(77, self._chance.randbytes(200)),))
        names = list(self.bindings)
        objects = [name for name in names if isinstance(self.bindings[name], IOR)]
        match self._chance.choice(("bind", "bind", "rebind", "unbind", "bind_new_context", "new_context", "destroy")):
            case "rebind" if objects:
                return Operation("rebind", self._chance.choice(objects), reference)
            case "unbind" if names:
                return Operation("unbind", self._chance.choice(names))
            case "destroy" if self.loose:
                return Operation("destroy", context=self.loose[0])
            case "bind_new_context" | "new_context" as kind:
                return Operation(kind, new)
        return Operation("bind", new, reference)

    def ask(self, ns: NameService, operation: Operation) -> ContextId:
        """Ask, and return the id of the new context, if there is one."""
        root, path = ns.root, (NameComponent(self.folder), NameComponent(operation.name))
        match operation.kind:
            case "bind":
                root.bind(path, operation.reference)
            case "rebind":
                root.rebind(path, operation.reference)
            case "unbind":
                root.unbind(path)
            case "bind_new_context":
                return context_of(root.bind_new_context(path))
            case "new_context":
                return context_of(root.new_context())
            case "destroy":
                url = ns.address.replace(ROOT, operation.context)
                with NameService(url, policy=POLICY) as context:
                    context.root.destroy()
        return ROOT

    def done(self, operation: Operation, new: ContextId) -> None:
        """Take down what is on disk."""
        match operation.kind:
            case "bind" | "rebind":
                self.bindings[operation.name] = operation.reference
            case "unbind":
                bound = self.bindings.pop(operation.name)
                if isinstance(bound, str):
                    self.loose.append(bound)
            case "bind_new_context":
                self.bindings[operation.name] = new
            case "new_context":
                self.loose.append(new)
            case "destroy":
                self.loose.remove(operation.context)

    def work(self, address: str, answered: threading.Semaphore) -> None:
        """Ask for changes until the server is gone; it has to know what this client was told before."""
        with NameService(address, policy=POLICY) as ns:
            try:
                for name, bound in list(self.bindings.items())[-3:]:
                    found = ns.root.resolve(parse_name(f"{self.folder}/{name}"))
                    assert bound == (context_of(found) if isinstance(bound, str) else found)
                while True:
                    self.unanswered = operation = self.choose()
                    self.done(operation, self.ask(ns, operation))
                    self.unanswered = None
                    self.acknowledged += 1
                    answered.release()
            except (TransportError, FailoverExhausted):
                pass  # killed
            finally:
                answered.release(10_000)

    def compare(self, model: NamingModel) -> str:
        """Compare what is on disk with what this client was told; return what became of the request it saw no answer to."""
        folder = model.resolve(ROOT, parse_name(self.folder))
        assert isinstance(folder, str)
        found = {component.id: bound for component, bound in model.bindings(folder).items()}
        operation, self.unanswered = self.unanswered, None
        if operation is None:
            assert found == self.bindings
            return "none"
        if operation.kind == "destroy":
            ran = not model.exists(operation.context)
        elif operation.kind == "new_context":
            ran = False  # nobody heard its id: `compare_all` finds it
        else:
            ran = found != self.bindings
        if ran:
            new = found.get(operation.name, ROOT)
            self.done(operation, new if isinstance(new, str) else ROOT)
        assert found == self.bindings, f"{self.folder}: after {operation}"
        return "had run" if ran else "had not run"


def context_of(reference: IOR) -> ContextId:
    return ContextId(endpoints(reference)[0].object_key.decode())


def compare_all(clients: list[Client], store: Path, copy: Path) -> list[str]:
    """Compare a copy of the store with what all clients were told; the server itself is to recover the original."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store, copy)
    with Store.open(copy) as opened:
        model = NamingModel(opened.load())
    unheard = sum(client.unanswered is not None and client.unanswered.kind == "new_context" for client in clients)
    fates = [client.compare(model) for client in clients]
    bound = {context for client in clients for context in client.bindings.values() if isinstance(context, str)}
    folders = {model.resolve(ROOT, parse_name(client.folder)) for client in clients}
    known = {ROOT, *folders, *bound, *(context for client in clients for context in client.loose)}
    assert known <= set(model.contexts), "an acknowledged context is lost"
    strays = set(model.contexts) - known
    assert len(strays) <= unheard, f"contexts that nobody made, or half of a bind_new_context: {strays}"
    clients[0].loose += strays
    return fates


def kill_while_starting(folder: Path, seconds: float) -> None:
    with PeerProcess(command("--folder", folder / "store"), folder / "log") as process:
        threading.Event().wait(seconds)
        process.kill()


def kill_under_load(peer: NamingPeer, clients: list[Client], answers: int, seconds: float) -> None:
    """Kill the server, some time after it has given so many answers."""
    answered = threading.Semaphore(0)
    with ThreadPoolExecutor(len(clients)) as threads:
        work = [threads.submit(client.work, peer.corbaloc, answered) for client in clients]
        try:
            for _ in range(answers):
                assert answered.acquire(timeout=60)
            threading.Event().wait(seconds)
        finally:
            peer.process.process.send_signal(signal.SIGKILL)
        for each in work:
            each.result()


@pytest.mark.timeout(120 + 10 * ROUNDS)
def test_kill_9_under_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random()
    clients = [Client(number) for number in range(CLIENTS)]
    fates: list[str] = []
    kill_while_starting(tmp_path, chance.uniform(0.0, 1.0))
    with our_naming_service(tmp_path) as peer, NameService(peer.corbaloc, policy=POLICY) as ns:
        for client in clients:
            ns.root.bind_new_context(parse_name(client.folder))
    for round_ in range(ROUNDS):
        if round_ % 8 == 7:
            kill_while_starting(tmp_path, chance.uniform(0.0, 1.0))
        with our_naming_service(tmp_path) as peer:
            kill_under_load(peer, clients, chance.randrange(1, 150), chance.uniform(0.0, 0.02))
        fates += compare_all(clients, tmp_path / "store", tmp_path / "copy")
    acknowledged = sum(client.acknowledged for client in clients)
    assert acknowledged > ROUNDS
    with capsys.disabled():
        counts = ", ".join(f"{fates.count(fate)} {fate}" for fate in ("had run", "had not run", "none"))
        print(f" {ROUNDS} kills, {acknowledged} changes acknowledged, none lost; unanswered: {counts} ", end="")

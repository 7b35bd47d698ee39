"""The script of the demo: what happens in which order.

host1 and host2 each run a Naming Service and a sample server on port 8002, vhost distributes to them. References are registered,
two kinds of clients call, hosts are killed and come back, and a table says what every client got.
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iiop_lab.child import Child, ChildError, Row, nss_wrapper, python_child, run, script
from iiop_lab.demo.ledger import Call, Client, Promise, judge, now
from iiop_lab.sample import IMPLEMENTATION_ID, TdTest, runs

__all__ = ["Outcome", "play"]

PORT = 8002
ADDRESSES = {"vhost": "127.0.0.10", "host1": "127.0.0.11", "host2": "127.0.0.12"}
BY_CALL = "TDsample::tdtest"
BY_REFERENCE = "TDsample::tdtest.direct"

CALLS = 200
"""Calls every client makes, at the least, in each phase with a living host."""
OUTAGE_CALLS = 2
PATIENCE = 60.0
"""Seconds a phase may take."""

HERE = Path(__file__).parent


@dataclass
class Outcome:
    """Hold what the demo showed.

    Attributes:
        clients: with all their calls.
        promises: kept or not.
        recoveries: by client, seconds from the first SIGKILL, and from the return of the hosts, to the next good answer.
        journals: the numbers of the calls that ran, by host.
    """

    clients: list[Client]
    promises: list[Promise]
    recoveries: dict[str, tuple[float | None, float | None]]
    journals: dict[str, list[int]]

    @property
    def kept(self) -> bool:
        """Tell whether everything promised happened."""
        return all(promise.kept for promise in self.promises)


def play(tell: Callable[[str], None]) -> Outcome:
    """Play the demo.

    Args:
        tell: called with a line for people at every step.

    Raises:
        ChildError: a process did not do its part; nothing is left running.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="iiop-lab-")))
        return _Play(folder, stack, tell).run()


class _Play:
    def __init__(self, folder: Path, stack: ExitStack, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.stack = stack
        self.tell = tell
        self.phase = "calm"
        self.children: dict[str, Child] = {}
        self.clients: list[Client] = []
        self.most: float = 0
        self.waiting: set[str] = set()
        self.progress = threading.Condition(threading.RLock())
        self.journals = folder / "journals"
        self.journals.mkdir()
        self.hosts_file = folder / "hosts"
        self.hosts_file.write_text("".join(f"{address} {name}\n" for name, address in ADDRESSES.items()))
        library = nss_wrapper()
        self.names = {name: name if library else address for name, address in ADDRESSES.items()}
        self.omni_env = {"LD_PRELOAD": library, "NSS_WRAPPER_HOSTS": str(self.hosts_file)} if library else {}
        how = "reads host names through libnss-wrapper" if library else "is given addresses (libnss-wrapper is not installed)"
        tell(f"omniORBpy {how}")

    def run(self) -> Outcome:
        self._start_servers()
        self._register()
        clients = self._start_clients()

        self._tell_phase("calm", f"calm: every client makes at least {CALLS} calls")
        self._keep_calling()
        self._until("every client calls", lambda: self._made_by_all(CALLS))

        self._tell_phase(
            "host1 killed", f"host1 is killed with SIGKILL in the middle of the calling; at least {CALLS} calls more"
        )
        self._until("every client calls", lambda: self._made_by_all(CALLS // 4))
        first_kill = now()
        self.children["host1"].kill()
        self._until("every client goes on", lambda: self._made_by_all(CALLS))
        self._stop_calling()

        self.children["host2"].kill()
        self._tell_phase("both killed", f"host2 is killed too: every client makes {OUTAGE_CALLS} calls")
        self._keep_calling(OUTAGE_CALLS)
        self._until("every client is told", lambda: self._made_by_all(OUTAGE_CALLS))
        self._stop_calling()

        self._start_host("host1")
        self._start_host("host2")
        returned = now()
        self._tell_phase("returning", f"both hosts are back: every client goes on, and makes at least {CALLS} calls with both")
        self._keep_calling()
        self._until("both hosts serve again", self._spread_again)
        self._tell_phase("recovered")
        self._until("every client calls", lambda: self._made_by_all(CALLS))
        self._stop_calling()
        self.children["vhost"].end()

        journals = runs(self.journals)
        recoveries = {client.name: (client.recovery(first_kill), client.recovery(returned)) for client in clients}
        return Outcome(clients, judge(clients, journals), recoveries, journals)

    def _start(self, child_name: str, role: str, heard: Callable[[Row], None] | None = None, **arguments: Any) -> Child:
        child = self.children[child_name] = python_child(child_name, role, arguments, heard=heard)
        self.stack.callback(child.end)
        return child

    def _start_host(self, name: str) -> None:
        home = self.folder / name
        (home / "etc").mkdir(parents=True, exist_ok=True)
        (home / "etc" / "config").write_text(f"IIOP_hostname = {self.names[name]}\nIIOP_port = {PORT}\n")
        child = self._start(
            name, "host", name=name, address=ADDRESSES[name], port=PORT, home=str(home), journals=str(self.journals)
        )
        child.until("ready")

    def _start_servers(self) -> None:
        self._start_host("host1")
        self._start_host("host2")
        targets = [[host, PORT] for host in ("host1", "host2")]
        self._start("vhost", "virtual_host", address=ADDRESSES["vhost"], port=PORT, targets=targets, hosts=ADDRESSES).until(
            "ready"
        )
        self.tell(f"host1, host2 and vhost listen on port {PORT} of {', '.join(sorted(ADDRESSES.values()))}")

    def _register(self) -> None:
        for host in ("host1", "host2"):
            env = {"OD_HOME": str(self.folder / host)}
            made_of = [script("OD_or_adm"), "-c", TdTest.repository_id, "-a", IMPLEMENTATION_ID]
            run([*made_of, "-n", BY_CALL, "-h", self.names["vhost"], "-p", str(PORT)], env)
            run([*made_of, "-n", BY_REFERENCE], env)
        self.tell(f"registered on both: {BY_CALL} (with -h vhost), {BY_REFERENCE} (without)")

    def _start_clients(self) -> list[Client]:
        run([script("omniidl"), "-bpython", f"-C{self.folder}", str(HERE.parent / "TDsample.idl")])
        for number, (name, binding, ours) in enumerate(
            (
                ("ours, by call", BY_CALL, True),
                ("ours, by reference", BY_REFERENCE, True),
                ("omniORBpy, by call", BY_CALL, False),
                ("omniORBpy, by reference", BY_REFERENCE, False),
            ),
            1,
        ):
            client = Client(name, ours, spreads=ours or binding == BY_CALL)
            self.clients.append(client)
            self._start_client(client, binding, number * 1_000_000)
        self.stack.callback(self._let_go)  # before any client is ended
        return self.clients

    def _start_client(self, client: Client, binding: str, first: int) -> None:
        def heard(row: Row) -> None:
            with self.progress:
                client.calls.append(Call.of(self.phase, row))
                self.waiting.discard(client.name)
                if len(client.of(self.phase)) < self.most:
                    self._ask(client.name)
                self.progress.notify_all()

        if client.ours:
            self._start(
                client.name,
                "client",
                heard,
                address=f"vhost:{PORT}",
                name=binding,
                first=first,
                hosts=ADDRESSES,
                sessions=binding == BY_REFERENCE,
            )
            return
        address = f"corbaloc::1.2@{self.names['vhost']}:{PORT}/NameService"
        command = [sys.executable, str(HERE / "omni_client.py"), address, binding, str(first)]
        env = {**self.omni_env, "PYTHONPATH": str(self.folder)}
        child = self.children[client.name] = Child(client.name, command, env=env, heard=heard)
        self.stack.callback(child.end)

    def _tell_phase(self, phase: str, line: str | None = None) -> None:
        with self.progress:
            self.phase = phase
        if line is not None:
            self.tell(line)

    def _ask(self, client: str) -> None:
        """Have a client make one call more."""
        self.waiting.add(client)
        with contextlib.suppress(ChildError):  # whoever waits for the answer sees that the client has ended
            self.children[client].tell("call")

    def _keep_calling(self, most: float = math.inf) -> None:
        """Have every client call again as soon as it is answered, up to a number of calls in this phase."""
        with self.progress:
            self.most = most
            for client in self.clients:
                self._ask(client.name)

    def _ask_no_more(self) -> None:
        with self.progress:
            self.most = 0

    def _let_go(self) -> None:
        """Ask no more, and hold up nobody: Ctrl-C may come between taking the lock and the block that gives it back."""
        self.most = 0
        with suppress(RuntimeError):  # it is not ours any more
            while True:
                self.progress.release()

    def _stop_calling(self) -> None:
        self._ask_no_more()
        self._until("every client is answered", lambda: not self.waiting)

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for what clients do.

        Raises:
            ChildError: it did not come about.
        """
        with self.progress:
            if not self.progress.wait_for(lambda: condition() or self._ended(), PATIENCE) or self._ended():
                raise ChildError(f"{self.phase}: {what}: not within {PATIENCE:g} s; ended: {self._ended() or 'nobody'}")

    def _ended(self) -> list[str]:
        return [client.name for client in self.clients if self.children[client.name].has_ended]

    def _made_by_all(self, count: int) -> bool:
        return all(len(client.of(self.phase)) >= count for client in self.clients)

    def _spread_again(self) -> bool:
        return all(len(client.hosts("returning")) == 2 for client in self.clients if client.spreads)

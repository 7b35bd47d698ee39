"""A mixed load on `nstool serve` for a while: its memory and descriptors stay what they were.

Several processes at a time: omniORBpy and clients of ours that change, resolve and list, clients that break GIOP, clients that
idle or do not read (`tests/soak_child.py`). `make soak` does it for an hour, `make soak MINUTES=5` for five minutes, the suite
for seconds.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import procfs
from tests.net.test_hostile_clients import until
from tests.peers import NamingPeer, OmniClient, name, our_naming_service, peer_env

SECONDS = 60 * float(os.environ.get("SOAK_MINUTES", "0.33"))
CHILDREN = ("works", "works", "breaks", "breaks", "idles")
OMNI_CLIENTS = 2
GROWTH = 8_000_000
"""Octets that the last quarter may take more than the second: what waits for clients that do not read differs by megabytes."""
MORE_DESCRIPTORS = 64
"""Idle connections come and go."""
LIMITS = ("idle_time=3", "iterator_time=3", "iterators=100")
SOAK_CHILD = Path(__file__).parents[1] / "soak_child.py"


class Child:
    """A client process of ours."""

    def __init__(self, kind: str, number: int, peer: NamingPeer) -> None:
        self.kind = kind
        command = [sys.executable, "-P", str(SOAK_CHILD), kind, peer.host, str(peer.port), str(number)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=peer_env(), text=True
        )

    def end(self) -> int:
        """Let it end, and return how often it did what it does."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, f"{self.kind}: {err}"
        return int(out)


class OmniWorker:
    """An omniORBpy process, driven by a thread: binds, resolves, lists and unbinds in a context of its own."""

    def __init__(self, peer: NamingPeer) -> None:
        self.calls = 0
        self._failed: Exception | None = None
        self._stop = threading.Event()
        self._client = OmniClient(timeout=60.0)
        self._root = self._client.naming(peer.corbaloc)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            target = self._client.string_to_object("corbaloc::127.0.0.1:2809/account")
            context = self._root.call("new_context")
            while not self._stop.is_set():
                context.time_binds(target, count=20)
                context.time_calls("resolve", name("7"), count=50)
                _, iterator = context.call("list", 5)
                self._client.command("release", ref=iterator.number)
                context.unbind(20)
                self.calls += 91
        except Exception as error:
            self._failed = error

    def end(self) -> int:
        self._stop.set()
        self._thread.join()
        self._client.close()
        if self._failed is not None:
            raise self._failed
        return self.calls


@pytest.mark.timeout(SECONDS + 120)
def test_mixed_load_grows_neither_memory_nor_descriptors(tmp_path: Path) -> None:
    options = [part for limit in LIMITS for part in ("--limit", limit)]
    with our_naming_service(tmp_path, *options) as peer, contextlib.ExitStack() as stack:
        pid = peer.process.pid
        idle = procfs.descriptors(pid)
        children = [Child(kind, number, peer) for number, kind in enumerate(CHILDREN)]
        for child in children:
            stack.enter_context(child.process)
            stack.callback(child.process.kill)
        workers = [OmniWorker(peer) for _ in range(OMNI_CLIENTS)]
        samples, tick = [], threading.Event()
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                samples.append((procfs.memory(pid), procfs.descriptors(pid)))
                ended = [child.kind for child in children if child.process.poll() is not None]
                if ended or peer.process.process.poll() is not None:
                    break
                tick.wait(max(0.1, SECONDS / 1000))
        finally:
            calls = [worker.end() for worker in workers]
        rounds = [child.end() for child in children]
        until(lambda: procfs.descriptors(pid) <= idle)
        quarter = len(samples) // 4
        parts = [samples[start : start + quarter] for start in range(0, 4 * quarter, quarter)]
        memory = [int(statistics.median(octets for octets, _ in part)) for part in parts]
        opened = [int(statistics.median(count for _, count in part)) for part in parts]
        print(
            f"{SECONDS:.0f} s, {rounds} rounds of {CHILDREN}, {calls} calls by omniORBpy; in each quarter "
            f"{', '.join(f'{octets / 1e6:.1f}' for octets in memory)} MB and {opened} descriptors"
        )
        assert all((*rounds, *calls))
        assert memory[3] - memory[1] <= GROWTH
        assert opened[3] - opened[1] <= MORE_DESCRIPTORS

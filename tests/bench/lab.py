"""lab.*: what the lab costs that stands between a client and its server."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from iiop.net.client import Client
from ior import IOR, IORBuilder
from tests.bench.client import MEGABYTE, Echo
from tests.bench.echo_server import REPOSITORY_ID
from tests.bench.harness import Sides, row
from tests.peers import PeerProcess


@contextmanager
def proxies(*operations: str) -> Iterator[tuple[list[Echo], Echo]]:
    """Run an echo server, and for each operation a proxy with a fault aimed at it; return a stub by each way, and one without.

    Each runs in a process of its own: threads of one would wait for each other.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:

        def run(module: str, *args: str) -> PeerProcess:
            log = Path(folder, f"{module}{len(stubs)}.log")
            command: list[str | Path] = [sys.executable, "-m", f"tests.bench.{module}", *args]
            return stack.enter_context(PeerProcess(command, log, {"PYTHONPATH": ":".join(sys.path)}))

        stubs: list[Echo] = []
        reference = IOR.from_string(run("echo_server").wait_line("(IOR:[0-9a-f]+)")[1])
        (server,) = reference.endpoints()
        client = stack.enter_context(Client())
        for operation in operations:
            proxy = run("fault_proxy_child", server.host, str(server.port), operation).wait_line(r"listening on (\S+) (\d+)")
            through = IORBuilder(REPOSITORY_ID).iiop(proxy[1], int(proxy[2]), key=server.object_key).build()
            stubs.append(client.stub(through, Echo))
        yield stubs, client.stub(reference, Echo)


@row("lab.faults_idle", target=1.03)
def faults_idle() -> Iterator[Sides]:
    """one call through a proxy with a fault that is aimed at another operation, and through one without faults"""
    with proxies("never", "") as ((attached, free), _direct):
        yield lambda: attached.octets(b"call"), lambda: free.octets(b"call")


@row("lab.faults_idle_1mb", unit="ms", target=1.03)
def faults_idle_1mb() -> Iterator[Sides]:
    """1 MB to a server and back through a proxy with a fault that is aimed at another operation, and through one without"""
    octets = bytes(MEGABYTE)
    with proxies("never", "") as ((attached, free), _direct):
        yield lambda: attached.octets(octets), lambda: free.octets(octets)


@row("lab.faults_same")
def faults_same() -> Iterator[Sides]:
    """one call through each of two proxies without faults: the noise of the rows above"""
    with proxies("", "") as ((one, other), _direct):
        yield lambda: one.octets(b"call"), lambda: other.octets(b"call")


@row("lab.faults_proxy")
def faults_proxy() -> Iterator[Sides]:
    """one call through a proxy without faults, and without the proxy"""
    with proxies("") as ((through,), direct):
        yield lambda: through.octets(b"call"), lambda: direct.octets(b"call")

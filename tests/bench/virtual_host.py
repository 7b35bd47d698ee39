"""lab.*: a call through our virtual host against the same call through HAProxy, which reads no GIOP (TCP mode)."""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Annotated

from iiop.cdr import Codec as BodyCodec
from iiop.cdr import Long, arguments
from iiop.giop.messages import Body, Reply, ReplyStatus, Request, key_address
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, operation
from iiop.net.client import Client
from iiop.profile import ProfileBody, Version, encode_profile
from ior import IOR
from tests.bench.echo_server import REPOSITORY_ID
from tests.bench.harness import Measured, SelfTimed, Side, Sides, row
from tests.peers import PeerMissing, PeerProcess, free_port
from tests.procfs import memory

CLIENTS = 64
HELD = 2000
_LONG = BodyCodec(arguments("echo", ("it", Annotated[int, Long])))


class Echo(Interface):
    """Give back what was given."""

    repository_id = REPOSITORY_ID

    @operation
    def number(self, it: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Give a number back."""


def haproxy_program() -> str:
    """Find HAProxy.

    Raises:
        PeerMissing: it is not installed.
    """
    found = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise PeerMissing("haproxy is not installed, without which this row compares with nothing: apt-get install haproxy")
    return found


CONFIG = """
global
    maxconn 8000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen iiop
    bind 127.0.0.1:{port}
{servers}
"""


@contextlib.contextmanager
def haproxy(*ports: int) -> Iterator[tuple[int, int]]:
    """Run HAProxy before servers; give its process id, and its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "haproxy.cfg")
        servers = "\n".join(f"    server s{number} 127.0.0.1:{each}" for number, each in enumerate(ports))
        file.write_text(CONFIG.format(port=port, servers=servers))
        with PeerProcess([haproxy_program(), "-db", "-f", file], Path(folder, "log")) as process:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                except ConnectionRefusedError:
                    if process.process.poll() is not None:
                        raise process.failure("does not run") from None
                else:
                    break
            yield process.pid, port


class OurVirtualHost:
    """Our virtual host in a process of its own."""

    def __init__(self, ports: tuple[int, ...], options: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.virtual_host_child", *[f"127.0.0.1:{port}" for port in ports], *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        self.port = self._line()

    def _line(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def say(self, *words: str) -> None:
        """Tell it something that has no answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def ask(self, *words: str) -> int:
        """Ask it something."""
        self.say(*words)
        return self._line()


@contextlib.contextmanager
def our_virtual_host(*ports: int, options: tuple[str, ...] = ()) -> Iterator[OurVirtualHost]:
    """Run our virtual host before servers."""
    vhost = OurVirtualHost(ports, options)
    with vhost.process:
        yield vhost
        assert vhost.process.stdin is not None
        vhost.process.stdin.close()
        assert vhost.process.wait(20) == 0


@contextlib.contextmanager
def echo_server() -> Iterator[tuple[PeerProcess, int]]:
    """Run our echo server in a process of its own; give it, and its port."""
    with tempfile.TemporaryDirectory() as folder:
        args: list[str | Path] = [sys.executable, "-m", "tests.bench.echo_server"]
        with PeerProcess(args, Path(folder, "log"), {"PYTHONPATH": ":".join(sys.path)}) as process:
            yield process, IOR.from_string(process.wait_line("(IOR:[0-9a-f]+)")[1]).endpoints()[0].port


@contextlib.contextmanager
def both() -> Iterator[tuple[int, int]]:
    """Give the port of ours, and of HAProxy, before the same echo server."""
    with echo_server() as (_, port), our_virtual_host(port) as ours, haproxy(port) as (_, theirs):
        yield ours.port, theirs


def reference(port: int) -> IOR:
    """Return a reference of the echo at a port."""
    return IOR(REPOSITORY_ID, (encode_profile(ProfileBody(Version(1, 2), "127.0.0.1", port, b"echo")),))


def question(number: int = 7) -> bytes:
    """Return the octets of a request."""
    return encode(Request(2, "number", key_address(b"echo"), body=Body.of(_LONG, (number,))))


@row("lab.call", target=1.3)
def call() -> Iterator[Sides]:
    """one call by our client through our virtual host, and through HAProxy in TCP mode, to the same server"""
    with both() as ports, Client() as one, Client() as other:
        ours, theirs = (client.stub(reference(port), Echo) for client, port in zip((one, other), ports, strict=True))
        assert ours.number(7) == theirs.number(7) == 7
        yield lambda: ours.number(7), lambda: theirs.number(7)


@row("lab.call_bare")
def call_bare() -> Iterator[Sides]:
    """the same octets from a bare socket, which adds nothing of its own to either side"""
    with both() as ports, contextlib.ExitStack() as stack:
        ours, theirs = (bare(stack.enter_context(socket.create_connection(("127.0.0.1", port)))) for port in ports)
        yield ours, theirs


def bare(sock: socket.socket) -> Side:
    """Return a call over a socket."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    send, receive, octets = sock.send, sock.recv, question()

    def ask() -> None:
        send(octets)
        receive(65536)

    return ask


@row("lab.clients_64", target=3.0, one_cpu=False)
def clients_64() -> Iterator[Sides]:
    """one of the calls that 64 connections of a bare client make at a time, on all CPUs"""
    with both() as ports, contextlib.ExitStack() as stack:
        ours, theirs = (at_a_time(stack, port) for port in ports)
        yield ours, theirs


def at_a_time(stack: contextlib.ExitStack, port: int) -> SelfTimed:
    """Return calls of many connections, each of which asks again once it is answered."""
    selector = stack.enter_context(selectors.DefaultSelector())
    socks = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(CLIENTS)]
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, (sock.send, sock.recv))
    octets = question()

    def seconds(count: int) -> float:
        count = max(count, 4 * CLIENTS)
        start = perf_counter()
        for sock in socks:
            sock.send(octets)
        asked, answered, select = CLIENTS, 0, selector.select
        while answered < count:
            for key, _ in select():
                send, receive = key.data
                receive(65536)
                answered += 1
                if asked < count:
                    asked += 1
                    send(octets)
        return perf_counter() - start

    def scaled(count: int) -> float:
        return seconds(count) * count / max(count, 4 * CLIENTS)

    return SelfTimed(scaled)


@row("lab.call_other")
def call_other() -> Iterator[Sides]:
    """one call by our client, with another argument each time, which nothing that is kept of calls helps"""
    with both() as ports, Client() as one, Client() as other:
        ours, theirs = (client.stub(reference(port), Echo) for client, port in zip((one, other), ports, strict=True))
        yield counting(ours.number), counting(theirs.number)


def counting(number: Callable[[int], int]) -> Side:
    """Return a call with the next number."""
    numbers = itertools.count()

    def ask() -> None:
        asked = next(numbers) & 0x7FFFFFFF
        assert number(asked) == asked

    return ask


@row("lab.held_2000", unit="B", one_cpu=False)
def held_2000() -> Sides:
    """memory for each of 2,000 connections of clients that are held, and have called: ours, and HAProxy's"""
    with echo_server() as (_, port), our_virtual_host(port) as ours, haproxy(port) as (pid, theirs):
        return Measured(held(ours.port, ours.process.pid)), Measured(held(theirs, pid))


def held(port: int, pid: int) -> float:
    """Hold connections that all work; return by how many octets a process grew for each."""
    with contextlib.ExitStack() as stack:
        at_a_time(stack, port).seconds(10 * CLIENTS)
        before = memory(pid)
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(HELD)]
        octets = question()
        for sock in socks:
            sock.sendall(octets)
        for sock in socks:
            assert sock.recv(65536)
        return (memory(pid) - before) / HELD


# --- time without an answer -------------------------------------------------------------------------------------------

Trouble = Callable[[OurVirtualHost, list[tuple[PeerProcess, int]]], None]


@row("lab.silence_killed", unit="ms", one_cpu=False)
def silence_killed() -> Sides:
    """longest time without an answer when one of two servers gets SIGKILL, and when nothing happens"""
    return silences(lambda vhost, servers: os.kill(servers[0][0].pid, signal.SIGKILL))


@row("lab.silence_stopped", unit="ms", one_cpu=False)
def silence_stopped() -> Sides:
    """the same with SIGSTOP, probes of the living every 50 ms, and a client that waits 100 ms for an answer"""
    return silences(lambda vhost, servers: os.kill(servers[0][0].pid, signal.SIGSTOP))


@row("lab.silence_maintenance", unit="ms", one_cpu=False)
def silence_maintenance() -> Sides:
    """the same with a server that goes into maintenance: no call fails"""
    return silences(lambda vhost, servers: vhost.say("maintain", f"127.0.0.1:{servers[0][1]}"), failures=0)


def silences(trouble: Trouble, failures: int | None = None) -> Sides:
    """Have a client call before trouble and after; return the longest silence since, and before, in milliseconds."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(echo_server()) for _ in range(2)]
        ports = [port for _, port in servers]
        vhost = stack.enter_context(our_virtual_host(*ports, options=("--probe", "0.05")))
        call, failed = Patient(vhost.port), 0
        stack.callback(call.close)
        call.until(perf_counter() + 0.5)
        calm, failed_before = call.until(perf_counter() + 2.0)
        assert not failed_before
        trouble(vhost, servers)
        troubled, failed = call.until(perf_counter() + 2.0)
        assert failures is None or failed == failures, f"{failed} calls failed"
        for process, _ in servers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
        return Measured(troubled * 1000), Measured(calm * 1000)


class Patient:
    """Call over a bare socket; connect again where no answer comes in time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._octets = question()
        self._good = perf_counter()
        self._connect()

    def _connect(self) -> None:
        self._sock = socket.create_connection(("127.0.0.1", self._port), 0.1)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._sock.close()

    def until(self, end: float) -> tuple[float, int]:
        """Call until then; return the longest time without a good answer, in seconds, and how many calls failed."""
        longest, failed = 0.0, 0
        while (now := perf_counter()) < end:
            try:
                self._sock.sendall(self._octets)
                answer = decode(self._sock.recv(65536))
                good = isinstance(answer, Reply) and answer.reply_status is ReplyStatus.NO_EXCEPTION
            except TimeoutError:
                self._sock.close()
                self._connect()
                good = False
            now = perf_counter()
            if good:
                longest, self._good = max(longest, now - self._good), now
            failed += not good
        return max(longest, now - self._good), failed

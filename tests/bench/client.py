"""client.*: our clients against omniORBpy's."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import threading
from array import array
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

from iiop.cdr import Double, Sequence
from iiop.giop.messages import Body, Request, key_address
from iiop.giop.wire import encode
from iiop.idl import Interface, operation
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.loop import new_event_loop
from ior import IOR
from naming import NameService, parse_name
from naming.interfaces import NamingContextExt
from tests.bench.echo_server import REPOSITORY_ID
from tests.bench.harness import SelfTimed, Sides, row
from tests.peers import OmniClient, OmniRef, PeerProcess, name, omni_names, omniidl_stubs

THREADS = 8
TASKS = 1000
NAME = parse_name("account")


@contextmanager
def bound() -> Iterator[tuple[IOR, OmniRef]]:
    """A name bound in omniNames: the reference of its root, and omniORBpy's own."""
    with tempfile.TemporaryDirectory() as folder, omni_names(Path(folder)) as service, OmniClient() as client:
        place = service.corbaloc.replace("corbaloc::", "corbaloc::1.2@")
        theirs = client.naming(place)
        theirs.call("bind", name("account"), client.string_to_object("corbaloc::127.0.0.1:2809/account"))
        with NameService(place) as names:
            assert names.resolve(NAME).profiles
            yield names.ior, theirs


def at_least(least: int, seconds: Callable[[int], float]) -> SelfTimed:
    """Return a side that makes enough calls, whatever it is asked for, that all of those at a time have some to make."""

    def scaled(count: int) -> float:
        made = max(count, least)
        return seconds(made) * count / made

    return SelfTimed(scaled)


def in_threads(call: Callable[[], object]) -> SelfTimed:
    """Return a side that calls in several threads at a time, as `time_threads` of the peer does."""

    def seconds(count: int) -> float:
        ready = threading.Barrier(THREADS + 1)

        def run() -> None:
            ready.wait()
            for _ in repeat(None, count // THREADS):
                call()

        running = [threading.Thread(target=run) for _ in range(THREADS)]
        for thread in running:
            thread.start()
        ready.wait()
        start = perf_counter()
        for thread in running:
            thread.join()
        return perf_counter() - start

    return at_least(100 * THREADS, seconds)


@row("client.resolve", target=1.0)
def resolve() -> Iterator[Sides]:
    """one blocking resolve by our client, and by omniORBpy's, on the same omniNames"""
    with bound() as (ior, theirs), Client() as client:
        ours = client.stub(ior, NamingContextExt)
        yield (
            lambda: ours.resolve(NAME),
            SelfTimed(lambda count: theirs.time_calls("resolve", name("account"), count=count)),
        )


@row("client.threads_8", target=0.67, turns=20, one_cpu=False)
def threads_8() -> Iterator[Sides]:
    """one of the resolves that 8 threads make at a time, ours on one connection, omniORBpy's as it likes, on all CPUs"""
    with bound() as (ior, theirs), Client(connections=1) as client:
        ours = client.stub(ior, NamingContextExt)
        yield in_threads(lambda: ours.resolve(NAME)), omni_threads(theirs)


@row("client.floor")
def floor() -> Iterator[Sides]:
    """the octets of that resolve sent, and its reply received, in Python that does nothing else: no Python client is faster"""
    resolve = NamingContextExt.operations()["resolve"]
    with bound() as (ior, theirs), socket.create_connection(ior.endpoints()[0][:2]) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = Request(2, "resolve", key_address(ior.endpoints()[0].object_key), body=Body.of(resolve.arguments, (NAME,)))
        octets, send, receive = encode(request), sock.send, sock.recv

        def call() -> None:
            send(octets)
            receive(65536)

        yield call, SelfTimed(lambda count: theirs.time_calls("resolve", name("account"), count=count))


def omni_threads(theirs: OmniRef) -> SelfTimed:
    def seconds(count: int) -> float:
        return theirs.time_threads("resolve", name("account"), count=count, threads=THREADS)

    return at_least(100 * THREADS, seconds)


@row("client.asyncio_1000", target=0.67, turns=20, one_cpu=False)
def asyncio_1000() -> Iterator[Sides]:
    """one of the resolves that 1,000 tasks make at a time on one connection, and that 8 threads of omniORBpy make, on all CPUs"""
    declared = NamingContextExt.operations()["resolve"]
    with bound() as (ior, theirs), asyncio.Runner(loop_factory=new_event_loop) as runner:

        async def make() -> AsyncClient:
            return AsyncClient(connections=1)

        client = runner.run(make())

        async def work(turns: Iterator[object]) -> None:
            for _ in turns:
                await client.invoke(ior, declared, (NAME,))

        async def seconds(count: int) -> float:
            turns: Iterator[object] = iter(range(count))
            start = perf_counter()
            tasks: list[Awaitable[None]] = [work(turns) for _ in range(min(count, TASKS))]
            await asyncio.gather(*tasks)
            return perf_counter() - start

        yield at_least(5 * TASKS, lambda count: runner.run(seconds(count))), omni_threads(theirs)

        async def close() -> None:
            client.close()

        runner.run(close())


IDL = """
module Bench {
  typedef sequence<octet> OctetSeq;
  typedef sequence<double> DoubleSeq;
  interface Echo { OctetSeq octets(in OctetSeq it); DoubleSeq doubles(in DoubleSeq it); };
};
"""

MEGABYTE = 1 << 20
Doubles = Annotated[Any, Sequence(Double, buffer="array")]


class Echo(Interface):
    """Give back what was given."""

    repository_id = REPOSITORY_ID

    @operation
    def octets(self, it: bytes) -> bytes:  # type: ignore[empty-body]
        """Give octets back."""

    @operation
    def doubles(self, it: Doubles) -> Doubles:
        """Give doubles back, as array.array."""


def _echo(operation: str, ours: Any, theirs: Any) -> Iterator[Sides]:
    with tempfile.TemporaryDirectory() as folder:
        args: list[str | Path] = [sys.executable, "-m", "tests.bench.echo_server"]
        path = {"PYTHONPATH": ":".join(sys.path)}
        with (
            PeerProcess(args, Path(folder, "echo.log"), path) as process,
            OmniClient("-ORBgiopMaxMsgSize", str(8 * MEGABYTE)) as peer,
            Client() as client,
        ):
            text = process.wait_line("(IOR:[0-9a-f]+)")[1]
            peer.load(omniidl_stubs(IDL, Path(folder, "stubs")), "Bench")
            their_echo = peer.string_to_object(text, "Bench.Echo", checked=False)
            our_echo = getattr(client.stub(IOR.from_string(text), Echo), operation)
            assert our_echo(ours) == ours
            assert len(their_echo.call(operation, theirs)) == len(ours)
            yield lambda: our_echo(ours), SelfTimed(lambda count: their_echo.time_calls(operation, theirs, count=count))


@row("client.echo_octets_1mb", unit="ms", target=1.0)
def echo_octets_1mb() -> Iterator[Sides]:
    """1 MB of octets to a server and back"""
    octets = bytes(range(256)) * (MEGABYTE // 256)
    yield from _echo("octets", octets, octets)


@row("client.echo_doubles_1mb", unit="ms", target=1.0)
def echo_doubles_1mb() -> Iterator[Sides]:
    """1 MB of doubles to a server and back, ours as array.array, omniORBpy's as the lists that it has"""
    doubles = [number / 8 for number in range(MEGABYTE // 8)]
    yield from _echo("doubles", array("d", doubles), doubles)

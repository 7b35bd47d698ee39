"""naming.*: what many bindings cost, our Naming Service against omniNames, or against itself.

Ours are written to its store, omniNames is sent them. It looks through a list for each name: 100,000 in one context take it
minutes to bind, and as long whenever it starts. So it gets 100,000 in 100 contexts, and 20,000 where there must be one.
"""

from __future__ import annotations

import atexit
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter

from ior import IORBuilder
from naming.changes import ROOT, BindingSet, Change, ContextCreated, ContextId
from naming.store import Store
from naming.types import NameComponent
from tests.bench.harness import Measured, SelfTimed, Sides, row
from tests.peers import NamingPeer, OmniClient, OmniRef, free_port, name, omni_names, our_naming_service

CONTEXT = "many"
MANY = 20_000
"""Bindings of one context of which omniNames has as many: more than the answers that our server keeps."""
PAGE = 1_000
PATIENCE = 600.0
"""Seconds for what is done 100,000 times in one command."""

Running = AbstractContextManager[NamingPeer]
Service = Callable[[int, int], Running]


@functools.cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _changes(count: int, contexts: int) -> Iterator[Change]:
    for number in range(contexts):
        context = ContextId(f"context.1.{number}")
        yield ContextCreated(context)
        yield BindingSet(ROOT, NameComponent(f"{CONTEXT}{number}"), context)
        for index in range(count):
            reference = IORBuilder("").iiop("127.0.0.1", 2809, key=b"%d" % index, version=(1, 0)).build()
            yield BindingSet(context, NameComponent(str(index)), reference.to_iop())


@functools.cache
def _our_data(count: int, contexts: int = 1) -> Path:
    """Return a folder of ours that has contexts of as many bindings."""
    folder = _folder() / f"ours-{count}-{contexts}"
    folder.mkdir()
    store = Store.open(folder / "store")
    store.write(_changes(count, contexts))
    store.close()
    return folder


@functools.cache
def _omni_data(count: int, contexts: int = 1) -> tuple[Path, int]:
    """Return a folder of omniNames that has such contexts, and its port."""
    folder, port = _folder() / f"omni-{count}-{contexts}", free_port()
    with omni_names(folder, port=port) as service, OmniClient(timeout=PATIENCE) as client:
        root = client.naming(service.corbaloc)
        for number in range(contexts):
            root.call("bind_new_context", name(f"{CONTEXT}{number}")).bind_many(count)
    return folder, port


def _ours(count: int, contexts: int = 1) -> Running:
    return our_naming_service(_our_data(count, contexts))


def _omni_names(count: int, contexts: int = 1) -> Running:
    folder, port = _omni_data(count, contexts)
    return omni_names(folder, port=port)


def _context(service: NamingPeer, client: OmniClient) -> OmniRef:
    context: OmniRef = client.naming(service.corbaloc).call("resolve", name(f"{CONTEXT}0"))
    return context.narrow("CosNaming.NamingContext")


def _resolve(first: Running, second: Running, *names: int) -> Iterator[Sides]:
    with first as ours, second as peer, OmniClient() as client:
        one, other = (_context(service, client) for service in (ours, peer))
        yield (
            SelfTimed(lambda count: one.time_resolves(names[0], count=count)),
            SelfTimed(lambda count: other.time_resolves(names[-1], count=count)),
        )


@row("naming.resolve_many", target=1.2)
def resolve_many() -> Iterator[Sides]:
    """one resolve of names all over a context of 20,000"""
    yield from _resolve(_ours(MANY), _omni_names(MANY), MANY)


@row("naming.resolve_in_a_million", target=1.2)
def resolve_in_a_million() -> Iterator[Sides]:
    """one resolve all over a context of 100,000, with 1,000,000 bindings in all, and of one of 20,000 that is all: both ours"""
    yield from _resolve(_ours(100_000, 10), _ours(MANY), 100_000, MANY)


@row("naming.list", unit="ms", target=2.0, turns=5)
def list_many() -> Iterator[Sides]:
    """a context of 20,000 bindings listed by an iterator, 1,000 at a time"""
    with _ours(MANY) as ours, _omni_names(MANY) as peer, OmniClient(timeout=PATIENCE) as client:
        one, other = (_context(service, client) for service in (ours, peer))
        yield (
            SelfTimed(lambda count: one.time_list(PAGE, count=count)),
            SelfTimed(lambda count: other.time_list(PAGE, count=count)),
        )


@row("naming.start", unit="ms", turns=5)
def start() -> Iterator[Sides]:
    """from the start of the process until it is ready, with 100,000 bindings in 100 contexts"""
    yield _starting(_ours), _starting(_omni_names)


@row("naming.start_in_a_million", unit="ms", turns=3)
def start_in_a_million() -> Iterator[Sides]:
    """the same with 1,000,000 bindings in 10 contexts, and with 100,000 in one: both ours"""
    yield _starting(_ours, 100_000, 10), _starting(_ours, 100_000, 1)


def _starting(service: Service, bindings: int = 1_000, contexts: int = 100) -> SelfTimed:
    service(bindings, contexts)  # the data is made before anything is timed

    def seconds(count: int) -> float:
        taken = 0.0
        for _ in range(count):
            begun = perf_counter()
            with service(bindings, contexts):
                taken += perf_counter() - begun
        return taken

    return SelfTimed(seconds)


@row("naming.memory", unit="B")
def memory() -> Iterator[Sides]:
    """resident memory of the process for each of 100,000 bindings in 100 contexts"""
    yield _memory(_ours), _memory(_omni_names)


@row("naming.memory_in_a_million", unit="B")
def memory_in_a_million() -> Iterator[Sides]:
    """the same for each of 1,000,000 bindings in 10 contexts, and of 100,000 in one: both ours"""
    yield _memory(_ours, 100_000, 10), _memory(_ours, 100_000, 1)


def _memory(service: Service, bindings: int = 1_000, contexts: int = 100) -> Measured:
    def resident(count: int, contexts: int) -> int:
        with service(count, contexts) as peer:
            return int(Path(f"/proc/{peer.process.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    return Measured((resident(bindings, contexts) - resident(1, 1)) / (bindings * contexts))

"""naming.*: our Naming Service against omniNames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.bench.harness import SelfTimed, Sides, row
from tests.peers import NamingPeer, OmniClient, OmniRef, name, omni_names, our_naming_service

BOUND = name(("account", "object"))


Service = Callable[[Path], AbstractContextManager[NamingPeer]]


@row("naming.resolve", target=1.2)
def resolve() -> Iterator[Sides]:
    """one resolve by omniORBpy on our Naming Service, and on omniNames"""
    yield from _resolve(our_naming_service, omni_names)


@row("naming.same_peer")
def same_peer() -> Iterator[Sides]:
    """omniNames compared with itself: the distance from 1 is noise"""
    yield from _resolve(omni_names, omni_names)


def _resolve(ours: Service, peer: Service) -> Iterator[Sides]:
    """Bind one name in both services, and have one omniORBpy process resolve it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ours(Path(folder, "ours")) as first,
        peer(Path(folder, "peer")) as second,
        OmniClient() as client,
    ):
        target = client.string_to_object("corbaloc::127.0.0.1:2809/account")
        roots = []
        for service in (first, second):
            root = client.naming(service.corbaloc)
            root.call("bind", BOUND, target)
            assert root.call("resolve", BOUND).ior() == target.ior()
            roots.append(root)
        yield (
            SelfTimed(lambda count: roots[0].time_calls("resolve", BOUND, count=count)),
            SelfTimed(lambda count: roots[1].time_calls("resolve", BOUND, count=count)),
        )


@row("naming.resolve_8_clients", target=2.0, one_cpu=False)
def resolve_8_clients() -> Iterator[Sides]:
    """one of the resolves that 8 omniORBpy processes make at a time, on all CPUs"""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = [
            stack.enter_context(our_naming_service(Path(folder, "ours"))),
            stack.enter_context(omni_names(Path(folder, "peer"))),
        ]
        processes = [stack.enter_context(OmniClient()) for _ in range(8)]
        threads = stack.enter_context(ThreadPoolExecutor(len(processes)))

        def side(service: NamingPeer) -> SelfTimed:
            roots = [client.naming(service.corbaloc) for client in processes]
            roots[0].call("bind", BOUND, processes[0].string_to_object("corbaloc::127.0.0.1:2809/account"))

            def seconds(count: int) -> float:
                each = -(-count // len(roots))
                slowest: float = max(threads.map(lambda root: root.time_calls("resolve", BOUND, count=each), roots))
                return slowest * count / (each * len(roots))

            return SelfTimed(seconds)

        ours, peer = map(side, services)
        yield ours, peer


@row("naming.bind")
def bind() -> Iterator[Sides]:
    """one bind by omniORBpy, synced to disk by ours, written but not synced by omniNames"""
    yield from _bind(1)


@row("naming.bind_8_clients")
def bind_8_clients() -> Iterator[Sides]:
    """one of the binds that 8 omniORBpy processes make at a time, synced by ours, not synced by omniNames"""
    yield from _bind(8)


def _bind(clients: int) -> Iterator[Sides]:
    """Have client processes, each in a context of its own, bind as many names; the time is that of the slowest, for each bind."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = [
            stack.enter_context(our_naming_service(Path(folder, "ours"))),
            stack.enter_context(omni_names(Path(folder, "peer"))),
        ]
        processes = [stack.enter_context(OmniClient()) for _ in range(clients)]
        targets = [client.string_to_object("corbaloc::127.0.0.1:2809/account") for client in processes]
        contexts = [[client.naming(service.corbaloc).call("new_context") for client in processes] for service in services]
        threads = stack.enter_context(ThreadPoolExecutor(clients))

        def side(contexts: list[OmniRef]) -> SelfTimed:
            def seconds(count: int) -> float:
                each = -(-count // clients)
                slowest: float = max(
                    threads.map(lambda context, target: context.time_binds(target, count=each), contexts, targets)
                )
                list(threads.map(lambda context: context.unbind(each), contexts))
                return slowest * count / (each * clients)

            return SelfTimed(seconds)

        ours, peer = map(side, contexts)
        yield ours, peer

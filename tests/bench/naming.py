"""naming.*: our Naming Service against omniNames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench.harness import SelfTimed, Sides, row
from tests.peers import NamingPeer, OmniClient, name, omni_names, our_naming_service

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

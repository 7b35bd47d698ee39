"""A node served: by a server that runs, or by a command for as long as it acts.

    with NodeServer(Node(home)) as server: ...          # listens where the node's config says, and announces that in the folder
    with administer(Node(home)) as node: node.root...   # the node's server if there is one; else the folder, served meanwhile
    with administer(Node(home), reading=True) as node:  # or else a copy of the folder, in which nothing is written

So commands have one way to act, whether or not a server runs, and any number of them at the same time: each either speaks to the
server, or waits for its turn with the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from iiop.iop import ComponentId
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.tls_transport import TLSListener
from iiop.profile import CODE_SETS_OF_SERVERS
from ior import IOR, IORBuilder
from naming.administration import LOAD_BALANCING_OPTION, NODE_ADMINISTRATION, LoadBalancingOption, NodeAdministration
from naming.backup import copied_store
from naming.changes import ROOT
from naming.claim import Claim, announced
from naming.client import NameService
from naming.interfaces import NamingContextExt
from naming.model import Profile
from naming.node import Node, NodeError
from naming.server import NamingServer
from naming.store import FILE_NAME, Durability, StoreError

__all__ = ["AdministeredNode", "NodeServer", "administer"]

PATIENCE = 60.0
"""Seconds to wait for commands that have the folder."""

POLL = 0.01
"""Seconds from one look at the folder to the next; flock knows no waiting with an end."""


class NodeServer(NamingServer):
    """Serve a node's folder.

    Args:
        node: the folder.
        host: address to listen on; None for the node's `IIOP_hostname`, and loopback where that is not set.
        port: port to listen on; None for the node's.
        advertised_host: host name that references of contexts carry; None for the node's.
        advertised_port: port that they carry; None for the one listened on.
        durability: see `NamingServer`.
        profile: see `NamingServer`; None for the node's.
        limits: see `NamingServer`.
        tls: see `NamingServer`; not instead of the plain port, by which commands reach the server.
        claim: the folder, of one who has it already, and does not want the server to be announced.
        bindings: where they are kept, if not in the node's folder.

    Raises:
        NodeError: the node's config cannot be used, or there would be no plain port.
    """

    def __init__(
        self,
        node: Node,
        *,
        host: str | None = None,
        port: int | None = None,
        advertised_host: str | None = None,
        advertised_port: int | None = None,
        durability: Durability = Durability.disk,
        profile: Profile | None = None,
        limits: Limits = DEFAULT_LIMITS,
        claim: Claim | None = None,
        bindings: Path | None = None,
        tls: TLSListener | None = None,
    ) -> None:
        if tls is not None and tls.only:
            raise NodeError("a node's server needs its plain port, by which commands reach it")
        super().__init__(
            bindings or node.naming_folder,
            durability=durability,
            host=host or node.config().get("IIOP_hostname") or "127.0.0.1",
            port=node.port if port is None else port,
            advertised_host=advertised_host or node.host_name,
            advertised_port=advertised_port,
            profile=profile or node.profile,
            limits=limits,
            selection=node.selection,
            services_file=node.services_file,
            tls=tls,
        )
        self.node = node
        self._announces = claim is None
        self._claim = claim

    async def start(self) -> None:
        """Claim the folder, open the store, listen, and say so.

        Raises:
            NodeError: another process has the folder.
            StoreError: the store cannot be used.
            OSError: the address cannot be listened on, or not be announced.
        """
        claim = self._claim or await self._take()
        try:
            await super().start()
            if self._announces:
                await self._announce(claim)
        except BaseException:
            claim.release()
            raise
        self._claim = claim

    async def stop(self) -> None:
        """Stop as `NamingServer` does, and let go of the folder.

        Raises:
            StoreError: SQLite could not tidy up. Everything answered is on disk all the same.
        """
        claim, self._claim = self._claim, None
        try:
            if claim is not None:
                claim.withdraw()
            await super().stop()
        finally:
            if claim is not None:
                claim.release()

    async def _announce(self, claim: Claim) -> None:
        try:
            claim.announce(_written(self.address))
        except OSError:
            await super().stop()
            raise

    async def _take(self) -> Claim:
        for _ in _until(time.monotonic() + PATIENCE):
            if (claim := Claim.take(self.node)) is not None:
                return claim
            if (address := announced(self.node)) is not None:
                raise NodeError(f"{self.node.home} is served already, at {address}")
            await asyncio.sleep(POLL)
        raise _busy(self.node)


class AdministeredNode:
    """Reach what a node serves, wherever that is.

    Args:
        node: the folder.
        address: `host:port` of the server.

    Attributes:
        node: the folder.
        names: the Naming Service, as its clients see it, at the address at which it answers now. References that it gives out
            carry the node's host and port, where nobody listens while a command serves the node: call what is found in one by
            `names.companion` and its key.
    """

    def __init__(self, node: Node, address: str) -> None:
        self.node = node
        self.names = NameService(_root_at(address))

    @property
    def administration(self) -> NodeAdministration:
        """Return a stub for initial services, deletion and orphans."""
        return self.names.companion(NODE_ADMINISTRATION, NodeAdministration)

    @property
    def load_balancing(self) -> LoadBalancingOption:
        """Return a stub for object groups."""
        return self.names.companion(LOAD_BALANCING_OPTION, LoadBalancingOption)


@contextlib.contextmanager
def administer(node: Node, *, reading: bool = False) -> Iterator[AdministeredNode]:
    """Reach a node's server; where none runs, serve the folder, on loopback and to nobody else, until the end of the block.

    Args:
        node: the folder.
        reading: whether nothing is to be changed; then a copy is served, so that the folder may be one that can only be read.

    Raises:
        NodeError: the config cannot be used; others have the folder, and do not let go of it.
        StoreError: the store cannot be used.
    """
    for _ in _until(time.monotonic() + PATIENCE):
        if (address := announced(node)) is not None:
            yield from _reached(node, address)
            return
        claim = Claim.share(node) if reading else Claim.take(node)
        if claim is not None:
            with _copy_served(node, claim) if reading else _served(node, claim) as server:
                yield from _reached(node, _written(server.address))
            return
        time.sleep(POLL)
    raise _busy(node)


def _reached(node: Node, address: str) -> Iterator[AdministeredNode]:
    administered = AdministeredNode(node, address)
    with administered.names:
        yield administered


def _root_at(address: str) -> IOR:
    """Return the reference of the root context of a server of ours; it tells the code sets, as a host and port would not."""
    host, _, port = address.rpartition(":")
    builder = IORBuilder(NamingContextExt.repository_id).iiop(host.strip("[]"), int(port), key=ROOT.encode())
    return builder.component(ComponentId.TAG_CODE_SETS, CODE_SETS_OF_SERVERS).build()


@contextlib.contextmanager
def _copy_served(node: Node, claim: Claim) -> Iterator[NodeServer]:
    with tempfile.TemporaryDirectory(prefix="naming-") as copy:
        try:
            _copy(node.naming_folder / FILE_NAME, Path(copy))
        except BaseException:
            claim.release()
            raise
        with _served(node, claim, Path(copy)) as server:
            yield server


def _copy(source: Path, folder: Path) -> None:
    """Copy a store, if there is one."""
    try:
        if source.exists():
            with copied_store(source, folder):
                pass
    except OSError as error:
        raise StoreError(f"it cannot be read ({error.strerror or error})", path=str(source)) from error


def _served(node: Node, claim: Claim, bindings: Path | None = None) -> NodeServer:
    try:
        return NodeServer(node, host="127.0.0.1", port=0, advertised_port=node.port, claim=claim, bindings=bindings)
    except BaseException:
        claim.release()
        raise


def _until(end: float) -> Iterator[None]:
    """Go on at least once, and until a time on the monotonic clock."""
    yield
    while time.monotonic() < end:
        yield


def _written(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _busy(node: Node) -> NodeError:
    return NodeError(f"{node.home} is used by another process, which has not let go of it for {PATIENCE:.0f} s")

"""A Naming Service that listens: store, model, servants and server in one object.

    with NamingServer() as server:
        print(server.corbaloc)

`async with` runs it in the caller's event loop, `with` in a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from iiop import iop
from iiop.giop.messages import GIOP_1_0, GIOP_1_2
from iiop.idl import ForwardRequest, Servant, without_prefix
from iiop.iop import COMPONENTS, ComponentId, TaggedComponent
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.server import IIOPServer
from iiop.net.serving import Serving
from iiop.profile import CODE_SETS_OF_SERVERS, CodeSetComponentInfo, ProfileBody, encode_profile
from ior import IOR
from naming.administration import (
    LOAD_BALANCING_OPTION,
    NODE_ADMINISTRATION,
    LoadBalancingOption,
    LoadBalancingServant,
    NodeAdministrationServant,
)
from naming.answers import NamingAdapter
from naming.bootstrap import INIT, InitialReferencesServant
from naming.changes import ROOT
from naming.federation import Federation
from naming.groups import DEFAULT_SELECTION, SelectionRule
from naming.interfaces import NamingContextExt
from naming.model import DEFAULT_PROFILE, Profile
from naming.servant import NamingServants
from naming.services import InitialServices
from naming.store import Durability, Store

__all__ = ["NamingServer"]


class NamingServer(Serving):
    """Serve CosNaming, and whatever else is activated, on one address.

    Args:
        folder: where bindings are kept, as a node's `etc/CosNaming`; None keeps them in memory.
        durability: what a change that was answered survives.
        host: address to listen on; loopback unless told otherwise.
        port: 0 lets the system choose.
        advertised_host: host name that references of contexts carry; None for `host`.
        advertised_port: port that they carry; None for the real one.
        profile: the answers in which Naming Services differ.
        limits: what peers may make the server hold.
        code_sets: those that the server has, and that references of contexts state.
        selection: which member of an object group the next client gets.
        services_file: keeps the initial services that are registered; None keeps them in memory.

    Attributes:
        adapter: activate more servants here.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        durability: Durability = Durability.disk,
        host: str = "127.0.0.1",
        port: int = 0,
        advertised_host: str | None = None,
        advertised_port: int | None = None,
        profile: Profile = DEFAULT_PROFILE,
        limits: Limits = DEFAULT_LIMITS,
        code_sets: CodeSetComponentInfo = CODE_SETS_OF_SERVERS,
        selection: SelectionRule = DEFAULT_SELECTION,
        services_file: Path | None = None,
    ) -> None:
        self._folder = folder
        self._durability = durability
        self._advertised_host = advertised_host or host
        self._advertised_port = advertised_port
        self._profile = profile
        self._version = GIOP_1_0 if profile is Profile.interstage else GIOP_1_2
        self._limits = limits
        self._selection = selection
        self._code_sets = TaggedComponent(ComponentId.TAG_CODE_SETS, COMPONENTS.encode(ComponentId.TAG_CODE_SETS, code_sets))
        self.adapter = NamingAdapter(locate_servant=self._locate, limits=limits)
        own = {ROOT: self._root, LOAD_BALANCING_OPTION.decode(): self._load_balancing_option}
        self._services = InitialServices(own, services_file)
        self.adapter.activate(INIT, InitialReferencesServant(self._services))
        self._server = IIOPServer(
            lambda: self.adapter, host=host, port=port, limits=limits, code_sets=code_sets, standing=self.adapter.standing
        )
        self._servants: NamingServants | None = None
        self._federation: Federation | None = None
        self._expiring: asyncio.TimerHandle | None = None

    @property
    def host(self) -> str:
        """Return the address listened on."""
        return self._server.host

    @property
    def port(self) -> int:
        """Return the port listened on."""
        return self._server.port

    @property
    def address(self) -> tuple[str, int]:
        """Return the address and the port at which this machine reaches the server; it has started."""
        host, port = self._server.address
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port

    @property
    def ior(self) -> IOR:
        """Return the reference of the root context."""
        return IOR.from_iop(self._root())

    @property
    def corbaloc(self) -> str:
        """Return a URL of the root context."""
        host = self._advertised_host
        return f"corbaloc:iiop:{self._version}@{f'[{host}]' if ':' in host else host}:{self._port_told()}/{ROOT}"

    def activate(self, object_key: bytes, servant: Servant) -> None:
        """Let a servant answer for a key on the same address."""
        self.adapter.activate(object_key, servant)

    async def start(self) -> None:
        """Open the store and listen.

        Raises:
            StoreError: the folder cannot be used.
            NodeError: the file of initial services cannot be read.
            OSError: the address cannot be listened on.
        """
        self._services.load()
        self._federation = Federation(self._profile, self._limits)
        store = Store.memory() if self._folder is None else Store.open(self._folder, self._durability)
        try:
            self._servants = NamingServants(
                store,
                make_reference=self._make_reference,
                is_ours=self._is_ours,
                seconds=lambda: int(time.time()),
                now=time.monotonic,
                proceed=self._federation.proceed,
                profile=self._profile,
                limits=self._limits,
                selection=self._selection,
            )
            self.adapter.serve(self._servants.model, self._servants.rotation)
            self.adapter.activate(NODE_ADMINISTRATION, NodeAdministrationServant(self._servants, self._services))
            self.adapter.activate(LOAD_BALANCING_OPTION, LoadBalancingServant(self._servants))
            await self._server.start()
            self._expire()
        except BaseException:
            store.close()
            raise

    async def stop(self) -> None:
        """Say CloseConnection to everybody, stop listening, write the changes that still wait, close the store.

        Raises:
            StoreError: SQLite could not tidy up. Everything answered is on disk all the same.
        """
        if self._expiring is not None:
            self._expiring.cancel()
        await self._server.stop()
        if self._federation is not None:
            self._federation.close()
        if self._servants is not None:
            servants, self._servants = self._servants, None
            self.adapter.serve(None)
            await servants.commits.close()

    def _expire(self) -> None:
        """Let go of what idle iterators hold, from time to time; nobody need call for that."""
        assert self._servants is not None
        self._servants.iterators.expire(time.monotonic())
        again = max(self._limits.iterator_time, 1.0)
        self._expiring = asyncio.get_running_loop().call_later(again, self._expire)

    def _locate(self, object_key: bytes) -> Servant | None:
        if self._servants is None:
            return None
        servant = self._servants.servant(object_key)
        if servant is None and object_key.isascii():
            service = self._services.reference(object_key.decode("ascii"))
            if service is not None and not service.is_nil:
                raise ForwardRequest(service)
        return servant

    def _port_told(self) -> int:
        return self._server.port if self._advertised_port is None else self._advertised_port

    def _make_reference(self, type_id: str, object_key: bytes) -> iop.IOR:
        components: tuple[TaggedComponent, ...] = (self._code_sets,)
        if self._profile is Profile.interstage:
            type_id, components = without_prefix(type_id), ()
        body = ProfileBody(self._version, self._advertised_host, self._port_told(), object_key, components)
        return iop.IOR(type_id, (encode_profile(body),))

    def _root(self) -> iop.IOR:
        return self._make_reference(NamingContextExt.repository_id, ROOT.encode())

    def _load_balancing_option(self) -> iop.IOR:
        return self._make_reference(LoadBalancingOption.repository_id, LOAD_BALANCING_OPTION)

    def _is_ours(self, host: str, port: int) -> bool:
        return (host, port) in ((self._advertised_host, self._port_told()), (self._server.host, self._server.port))

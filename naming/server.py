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
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.servants import Server
from iiop.net.tls_transport import TLSListener
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


class NamingServer(Server):
    """Serve CosNaming, and whatever else is activated, on one address; servants run in the event loop, and must not block.

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
        tls: speak TLS too, or only; references of contexts say so, unless they are of IIOP 1.0, as Interstage's.

    Raises:
        ValueError: nobody could be told of a server with TLS only, as references are of IIOP 1.0.
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
        tls: TLSListener | None = None,
    ) -> None:
        if tls is not None and tls.only and profile is Profile.interstage:
            raise ValueError("references of IIOP 1.0, as those of Interstage, have no place for the port of TLS, the only one")
        self._folder = folder
        self._durability = durability
        self._profile = profile
        self._selection = selection
        self._naming = NamingAdapter(locate_servant=self._locate, limits=limits)
        super().__init__(
            host=host,
            port=port,
            threads=0,
            advertised_host=advertised_host,
            advertised_port=advertised_port,
            limits=limits,
            code_sets=code_sets,
            tls=tls,
            adapter=self._naming,
        )
        own = {ROOT: self._root, LOAD_BALANCING_OPTION.decode(): self._load_balancing_option}
        self._services = InitialServices(own, services_file)
        self.adapter.activate(INIT, InitialReferencesServant(self._services))
        self._servants: NamingServants | None = None
        self._federation: Federation | None = None
        self._expiring: asyncio.TimerHandle | None = None

    @property
    def ior(self) -> IOR:
        """Return the reference of the root context."""
        return IOR.from_iop(self._root())

    @property
    def corbaloc(self) -> str:
        """Return a URL of the root context; of `ssliop` if there is no plain port."""
        version = GIOP_1_0 if self._profile is Profile.interstage else GIOP_1_2
        host, plain = self._advertised_host, self.port_told
        protocol, port = ("iiop", plain) if plain else ("ssliop", self.tls_port)
        return f"corbaloc:{protocol}:{version}@{f'[{host}]' if ':' in host else host}:{port}/{ROOT}"

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
                make_reference=self.reference,
                is_ours=self._is_ours,
                seconds=lambda: int(time.time()),
                now=time.monotonic,
                proceed=self._federation.proceed,
                profile=self._profile,
                limits=self._limits,
                selection=self._selection,
            )
            self._naming.serve(self._servants.model, self._servants.rotation)
            self.adapter.activate(NODE_ADMINISTRATION, NodeAdministrationServant(self._servants, self._services))
            self.adapter.activate(LOAD_BALANCING_OPTION, LoadBalancingServant(self._servants))
            await super().start()
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
        await super().stop()
        if self._federation is not None:
            self._federation.close()
        if self._servants is not None:
            servants, self._servants = self._servants, None
            self._naming.serve(None)
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

    def reference(self, repository_id: str, object_key: bytes) -> iop.IOR:
        if self._profile is not Profile.interstage:
            return super().reference(repository_id, object_key)
        body = ProfileBody(GIOP_1_0, self._advertised_host, self.port_told, object_key)
        return iop.IOR(without_prefix(repository_id), (encode_profile(body),))

    def _root(self) -> iop.IOR:
        return self.reference(NamingContextExt.repository_id, ROOT.encode())

    def _load_balancing_option(self) -> iop.IOR:
        return self.reference(LoadBalancingOption.repository_id, LOAD_BALANCING_OPTION)

    def _is_ours(self, host: str, port: int) -> bool:
        told, ports = self._advertised_host, (self.port, self.tls_port)
        return (host, port) == (told, self.port_told) or (host in (told, self.host) and port in ports)

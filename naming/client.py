"""The Naming Service as a client sees it: names in, references that heal themselves out.

    ns = NameService("vhost:8002", hosts={"vhost": "127.0.0.10"})
    account = ns.reference("TDsample::tdtest", stub=Account)
    account.balance()

A reference is acquired when it is first called. When calling it fails in a way that says "somewhere else", the Naming Service is
asked again *over a new connection*, which is what makes a balancer such as IPCOM choose a server anew, and then the name.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TypeVar

from iiop import iop
from iiop.exceptions import ReferenceFormatError, SystemException
from iiop.failover import DEFAULT_POLICY, FailoverPolicy
from iiop.idl import Interface
from iiop.iop import COMPONENTS, ComponentId, TaggedComponent
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.client import Client, Reference
from iiop.profile import ProfileBody, Version, encode_profile, endpoints
from ior import IOR, Address, Corbaloc, IIOPProfile, parse_object_url
from ior.builder import DEFAULT_PORT
from naming.changes import ROOT
from naming.interfaces import BindingIterator, NamingContextExt
from naming.names import parse_name
from naming.types import Name

__all__ = ["NameService", "root_at", "root_reference", "with_code_sets_of"]

S = TypeVar("S", bound=Interface)


class NameService:
    """Find objects by name, in any CosNaming server.

    Args:
        address: `host:port`, `host` (then port 8002, Interstage's), `corbaloc:...` or `IOR:...` of the root context, or its
            reference; `naming.places.open_service` knows more forms.
        hosts: addresses of host names that the system's resolver need not know.
        policy: how calls cope with dead servers; also for references that are given none of their own.
        limits: what a server may make us hold.
        learn_code_sets: let a server whose reference does not say so, as behind `host:port`, tell its code sets, by the reference
            of an iterator over its root context; it is asked once, and tells nothing if nothing is bound there.

    Raises:
        ReferenceFormatError: the address is none of these.
        DecodeError: an IOR that cannot be read.
    """

    def __init__(
        self,
        address: str | IOR,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        learn_code_sets: bool = False,
    ) -> None:
        self.address = str(address)
        self.policy = policy
        self.client = Client(hosts=hosts, policy=policy, limits=limits)
        self._ior = address if isinstance(address, IOR) else root_reference(address)
        self._learns = learn_code_sets and not any(endpoint.code_sets for endpoint in endpoints(self._ior, limits))

    def __enter__(self) -> NameService:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self.client.close()

    @property
    def ior(self) -> IOR:
        """Return the reference of the root context.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: nobody answers what its code sets are.
        """
        if self._learns:
            self._learns = False
            with suppress(SystemException):  # there are servers without iterators, or without one for an empty context
                _, iterator = self.root.list(0)
                self._ior = IOR.from_iop(with_code_sets_of(iterator, self._ior, self.client.limits))
                if iterator.profiles:
                    self.client.stub(iterator, BindingIterator, policy=self.policy).destroy()
        return self._ior

    @property
    def root(self) -> NamingContextExt:
        """Return a stub of the root context, for every operation of CosNaming."""
        return self.client.stub(self.ior, NamingContextExt, policy=self.policy)

    def companion(self, object_key: bytes, interface: type[S]) -> S:
        """Return a stub of another object of the same server.

        Args:
            object_key: what the server knows it by.
            interface: of the object.

        Raises:
            DecodeError: the reference of the root context is broken.
        """
        profiles = (profile for profile in IOR.from_iop(self.ior).profiles if isinstance(profile, IIOPProfile))
        reference = IOR(interface.repository_id, tuple([profile.replace(object_key=object_key) for profile in profiles]))
        return self.client.stub(reference, interface, policy=self.policy)

    def resolve(self, name: str | Name) -> IOR:
        """Return the reference that a name, stringified or not, is bound to.

        Raises:
            ReferenceFormatError: text that is no stringified name.
            NotFound, CannotProceed, InvalidName: as the server answers.
            SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the server could not be asked.
        """
        return IOR.from_iop(self.root.resolve(parse_name(name) if isinstance(name, str) else name))

    def reference(self, name: str | Name, stub: type[S], *, policy: FailoverPolicy | None = None) -> S:
        """Return a stub of what a name is bound to; the network is used only when it is called.

        Args:
            name: stringified, as `TDsample::tdtest` or `context/object.kind`, or its components.
            stub: the interface of the object.
            policy: see `FailoverPolicy`; that of the Naming Service if None.

        Raises:
            ReferenceFormatError: text that is no stringified name.
        """
        components = parse_name(name) if isinstance(name, str) else name
        return stub(Reference(self.client, lambda timeout: self._acquire(components, timeout), policy=policy or self.policy))

    def _acquire(self, name: Name, timeout: float) -> iop.IOR:
        """Resolve a name over a new connection, trying each address of the Naming Service once."""
        for endpoint in endpoints(self.ior, self.client.limits):
            self.client.pool.forget(endpoint.host, endpoint.port)
        policy = replace(self.policy, deadline=timeout, attempt_timeout=timeout, rounds=1, refresh_interval=None)
        return self.client.stub(self.ior, NamingContextExt, policy=policy, fresh=True).resolve(name)


def root_reference(address: str) -> IOR:
    """Return the reference of a root context from what people type: `host:port`, `host`, `corbaloc:...`, `IOR:...`.

    Raises:
        ReferenceFormatError: it is none of these.
        DecodeError: an IOR that cannot be read.
    """
    if address[:4].upper() == "IOR:" or address[:9].lower() == "corbaloc:":
        parsed = parse_object_url(address)
        if isinstance(parsed, IOR):
            return parsed
        if isinstance(parsed, Corbaloc):
            return parsed.to_ior(NamingContextExt.repository_id)
    host, separator, port = address.rpartition(":")
    if not separator or "]" in port:
        host, port = address, str(DEFAULT_PORT)
    if host[:1] + host[-1:] == "[]":
        host = host[1:-1]
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536:
        raise ReferenceFormatError("a Naming Service is named by host:port, corbaloc: or IOR:", text=address)
    return root_at([(host, int(port))])


def root_at(addresses: Iterable[tuple[str, int]]) -> IOR:
    """Return the reference of a root context that each of these hosts and ports leads to, in their order.

    Raises:
        ReferenceFormatError: a host that is none, or no host at all.
    """
    places = tuple([Address("iiop", host, port, Version(1, 2)) for host, port in addresses])
    return Corbaloc(places, ROOT.encode()).to_ior(NamingContextExt.repository_id)


def with_code_sets_of(other: iop.IOR, root: iop.IOR, limits: Limits) -> iop.IOR:
    """Return a root that was made of host and port with what another object of the server says of its code sets."""
    known, said = endpoints(root, limits), endpoints(other, limits)
    if any(endpoint.code_sets for endpoint in known) or not said or said[0].code_sets is None:
        return root
    octets = COMPONENTS.encode(ComponentId.TAG_CODE_SETS, said[0].code_sets)
    components, version = (TaggedComponent(ComponentId.TAG_CODE_SETS, octets),), said[0].version
    bodies = [ProfileBody(version, each.host, each.port, each.object_key, components) for each in known]
    return iop.IOR(root.type_id, tuple([encode_profile(body) for body in bodies]))

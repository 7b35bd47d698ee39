"""The Naming Service as a client sees it: names in, references that heal themselves out.

    ns = NameService("vhost:8002", hosts={"vhost": "127.0.0.10"})
    account = ns.reference("TDsample::tdtest", stub=Account)
    account.balance()

A reference is acquired when it is first called. When calling it fails in a way that says "somewhere else", the Naming Service is
asked again *over a new connection*, which is what makes a balancer such as IPCOM choose a server anew, and then the name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import TypeVar

from iiop import iop
from iiop.endpoints import endpoints
from iiop.exceptions import IIOPError, SystemException
from iiop.failover import DEFAULT_POLICY, FailoverPolicy, Observer, Selection
from iiop.idl import Interface, Invoker
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.client import Client
from iiop.net.reference import Reference
from ior import IOR
from naming.interfaces import BindingIterator, NamingContextExt
from naming.names import parse_name
from naming.roots import Root, Roots
from naming.types import Name

__all__ = ["NameService"]

S = TypeVar("S")
T = TypeVar("T", bound=Interface)


class NameService:
    """Find objects by name, in any CosNaming server.

    Args:
        address: `host:port`, `host` (then port 8002, Interstage's), `corbaloc:...` or `IOR:...` of the root context, or its
            reference; several of these, whose servers hold the same names; or a function that returns the reference, and is
            asked again whenever one is acquired. `naming.places.open_service` knows more forms.
        hosts: addresses of host names that the system's resolver need not know.
        policy: how calls cope with dead servers; also for references that are given none of their own.
        limits: what a server may make us hold.
        learn_code_sets: let a server whose reference does not say so, as behind `host:port`, tell its code sets, by the reference
            of an iterator over its root context; it is asked once, and tells nothing if nothing is bound there.
        selection: which of several hosts is asked first when a reference is acquired.
        on_event: is told what calls went through, see `iiop.net.client.Client`; asking for a name is a call too, of `resolve`.
        ssl, allow_plain: see `iiop.net.client.Client`; a `host:port` has no TLS, `corbaloc:ssliop:host:port/NameService` has.

    Attributes:
        address: as given, if that was text; else the reference.

    Raises:
        ReferenceFormatError: the address is none of these.
        DecodeError: an IOR that cannot be read.
    """

    def __init__(
        self,
        address: Root,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        learn_code_sets: bool = False,
        selection: Selection = Selection.ORDERED,
        on_event: Observer | None = None,
        ssl: SSLContext | bool = False,
        allow_plain: bool = False,
    ) -> None:
        self.policy = policy
        self.client = Client(hosts=hosts, policy=policy, limits=limits, on_event=on_event, ssl=ssl, allow_plain=allow_plain)
        self._roots = Roots(address, selection, self.client.jitter)
        self.address = address if isinstance(address, str) else str(self._roots.ior)
        self._learns = learn_code_sets and not any(endpoint.code_sets for endpoint in endpoints(self._roots.ior, limits))

    def __enter__(self) -> NameService:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self.client.close()

    @property
    def ior(self) -> IOR:
        """Return the reference of the root context; that of several has the profiles of all.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: nobody answers what its code sets are.
        """
        if self._learns:
            self._learns = False
            with suppress(SystemException):  # there are servers without iterators, or without one for an empty context
                _, iterator = self.root.list(0)
                self._roots.learn_code_sets(iterator, self.client.limits)
                for endpoint in endpoints(iterator, self.client.limits)[:1]:  # it may tell a host that is known to others only
                    self.companion(endpoint.object_key, BindingIterator).destroy()
        return self._roots.ior

    @property
    def root(self) -> NamingContextExt:
        """Return a stub of the root context, for every operation of CosNaming."""
        return self.client.stub(self.ior, NamingContextExt, policy=self.policy)

    def companion(self, object_key: bytes, interface: type[T]) -> T:
        """Return a stub of another object of the same server.

        Args:
            object_key: what the server knows it by.
            interface: of the object.

        Raises:
            DecodeError: the reference of the root context is broken.
        """
        return self.client.stub(self._roots.companion(object_key, interface), interface, policy=self.policy)

    def resolve(self, name: str | Name) -> IOR:
        """Return the reference that a name, stringified or not, is bound to.

        Raises:
            ReferenceFormatError: text that is no stringified name.
            NotFound, CannotProceed, InvalidName: as the server answers.
            SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the server could not be asked.
        """
        return IOR.from_iop(self.root.resolve(parse_name(name) if isinstance(name, str) else name))

    def reference(self, name: str | Name, stub: Callable[[Invoker], S], *, policy: FailoverPolicy | None = None) -> S:
        """Return a stub of what a name is bound to; the network is used only when it is called.

        Args:
            name: stringified, as `TDsample::tdtest` or `context/object.kind`, or its components.
            stub: the interface of the object.
            policy: see `FailoverPolicy`; that of the Naming Service if None.

        Raises:
            ReferenceFormatError: text that is no stringified name.
        """
        components = parse_name(name) if isinstance(name, str) else name
        return self.client.reference(lambda timeout: self.acquire(components, timeout), stub, policy=policy or self.policy)

    def acquire(self, name: Name, timeout: float) -> iop.IOR:
        """Resolve a name over a new connection, asking each host of the Naming Service once, within `timeout` seconds.

        Raises:
            NotFound, CannotProceed, InvalidName: as the server answers.
            FailoverExhausted: no host answered; `.attempts` tells why.
            EncodeError: the name cannot be sent.
        """
        client, now = self.client, time.monotonic
        self._roots.renew()
        questions = self._roots.questions(self.policy, client.endpoints(self._roots.ior), timeout, now())
        while True:
            policy = questions.next(now())
            client.pool.forget(questions.host.host, questions.host.port)
            asked = Reference(client, lambda _: self._roots.ior, policy=policy, known=(questions.host,), fresh=True)
            try:
                found = NamingContextExt(asked).resolve(name)
            except IIOPError as error:
                questions.failed(error, now())
            else:
                questions.answered()
                return found

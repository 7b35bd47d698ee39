"""The Naming Service as an asyncio client sees it: the twin of `naming.client`, with the same surface.

async with NameService("vhost:8002", hosts={"vhost": "127.0.0.10"}) as ns:
    account = ns.reference("TDsample::tdtest", stub=AccountAsync)
    await account.balance()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ssl import SSLContext
from types import TracebackType
from typing import TypeVar

from iiop import iop
from iiop.exceptions import IIOPError
from iiop.failover import DEFAULT_POLICY, FailoverPolicy, Observer, Selection
from iiop.idl import AsyncInterface, Interface, Invoker, Operation, asynchronous
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.aio_client import AsyncClient
from iiop.net.aio_reference import AsyncReference, reference
from ior import IOR
from naming.interfaces import NamingContextExt
from naming.names import parse_name
from naming.roots import Root, Roots
from naming.types import Name

__all__ = ["NameService", "NamingContextExtAsync"]

S = TypeVar("S")
T = TypeVar("T", bound=Interface)

_RESOLVE: Operation = NamingContextExt.operations()["resolve"]


class NamingContextExtAsync(AsyncInterface):
    """A context of names, whose operations are awaited."""

    bind = asynchronous(NamingContextExt.bind)
    rebind = asynchronous(NamingContextExt.rebind)
    bind_context = asynchronous(NamingContextExt.bind_context)
    rebind_context = asynchronous(NamingContextExt.rebind_context)
    resolve = asynchronous(NamingContextExt.resolve)
    unbind = asynchronous(NamingContextExt.unbind)
    new_context = asynchronous(NamingContextExt.new_context)
    bind_new_context = asynchronous(NamingContextExt.bind_new_context)
    destroy = asynchronous(NamingContextExt.destroy)
    list = asynchronous(NamingContextExt.list)
    to_string = asynchronous(NamingContextExt.to_string)
    to_name = asynchronous(NamingContextExt.to_name)
    to_url = asynchronous(NamingContextExt.to_url)
    resolve_str = asynchronous(NamingContextExt.resolve_str)


class NameService:
    """Find objects by name, in any CosNaming server; for tasks of one event loop.

    Args:
        address, hosts, policy, limits, selection, on_event, ssl, allow_plain: see `naming.client.NameService`.

    Raises:
        ReferenceFormatError: the address is none.
        DecodeError: an IOR that cannot be read.
    """

    def __init__(
        self,
        address: Root,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        selection: Selection = Selection.ORDERED,
        on_event: Observer | None = None,
        ssl: SSLContext | bool = False,
        allow_plain: bool = False,
    ) -> None:
        self.policy = policy
        self.client = AsyncClient(hosts=hosts, policy=policy, limits=limits, on_event=on_event, ssl=ssl, allow_plain=allow_plain)
        self._roots = Roots(address, selection, self.client.jitter)
        self.address = address if isinstance(address, str) else str(self.ior)

    async def __aenter__(self) -> NameService:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self.client.close()

    @property
    def ior(self) -> IOR:
        """Return the reference of the root context; that of several has the profiles of all."""
        return self._roots.ior

    @property
    def root(self) -> NamingContextExtAsync:
        """Return a stub of the root context, for every operation of CosNaming."""
        return reference(self.client, lambda timeout: self.ior, NamingContextExtAsync, policy=self.policy)

    def companion(self, object_key: bytes, interface: type[T]) -> T:
        """Return a stub of another object of the same server, whose operations return awaitables.

        Args:
            object_key: what the server knows it by.
            interface: of the object.

        Raises:
            DecodeError: the reference of the root context is broken.
        """
        found = self._roots.companion(object_key, interface)
        return reference(self.client, lambda timeout: found, interface, policy=self.policy)

    async def resolve(self, name: str | Name) -> IOR:
        """Return the reference that a name, stringified or not, is bound to.

        Raises:
            ReferenceFormatError: text that is no stringified name.
            NotFound, CannotProceed, InvalidName: as the server answers.
            SystemException, TransportError, DeadlineExceeded, FailoverExhausted: the server could not be asked.
        """
        components = parse_name(name) if isinstance(name, str) else name
        return IOR.from_iop(await self.client.invoke(self.ior, _RESOLVE, (components,)))

    def reference(self, name: str | Name, stub: Callable[[Invoker], S], *, policy: FailoverPolicy | None = None) -> S:
        """Return a stub of what a name is bound to; the network is used only when it is called.

        Args:
            name: stringified, as `TDsample::tdtest` or `context/object.kind`, or its components.
            stub: the interface of the object, as `Bank.AccountAsync`.
            policy: see `FailoverPolicy`; that of the Naming Service if None.

        Raises:
            ReferenceFormatError: text that is no stringified name.
        """
        components = parse_name(name) if isinstance(name, str) else name
        return reference(self.client, lambda timeout: self.acquire(components, timeout), stub, policy=policy or self.policy)

    async def acquire(self, name: Name, timeout: float) -> iop.IOR:
        """Resolve a name over a new connection, asking each host of the Naming Service once, within `timeout` seconds.

        Raises:
            NotFound, CannotProceed, InvalidName: as the server answers.
            FailoverExhausted: no host answered; `.attempts` tells why.
            EncodeError: the name cannot be sent.
        """
        client, now = self.client, asyncio.get_running_loop().time
        if self._roots.may_change:
            await asyncio.to_thread(self._roots.renew)
        questions = self._roots.questions(self.policy, client.endpoints(self._roots.ior), timeout, now())
        while True:
            policy = questions.next(now())
            asked = AsyncReference(client, lambda _: self._roots.ior, policy=policy, known=(questions.host,), fresh=True)
            try:
                found: iop.IOR = await asked.invoke(_RESOLVE, (name,))
            except IIOPError as error:
                questions.failed(error, now())
            else:
                questions.answered()
                return found

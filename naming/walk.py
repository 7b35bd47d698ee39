"""Read the naming tree of any server over plain CosNaming: breadth first, with many requests under way.

Knows operations and references; not what entries are read for. A context is local if it is reached at an address of the server
that the root is of: the addresses that the reference of the root states, and those that the server writes into references of
iterators, which are its own whatever name it goes by. Local contexts are the same if their object keys are. Contexts of other
servers are not entered. The same reference gives the code sets that a corbaloc, or host and port, leave unsaid.

Bindings may come and go meanwhile: what is listed but not found any more, or not readable, becomes an entry that says so, and a
context of which not all bindings were read is said to be `Incomplete`. Only a server that does not answer ends a walk.

Held at a time: the names of one context, the first `PAGE` names of `AHEAD` more, `REQUESTS` references, and for every context its
first name and reference.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 2.2, "NamingContext", 2.2.3 "BindingIterator".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from types import TracebackType
from typing import Any, Self

from iiop.endpoints import endpoints
from iiop.exceptions import (
    NO_IMPLEMENT,
    OBJECT_NOT_EXIST,
    DeadlineExceeded,
    FailoverExhausted,
    IIOPError,
    SystemException,
    TransportError,
)
from iiop.failover import DEFAULT_POLICY, FailoverPolicy
from iiop.iop import IOR, NIL
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.aio_client import AsyncClient
from naming.interfaces import BindingIterator, NamingContextExt
from naming.roots import with_code_sets_of
from naming.trees import ROOT_NAME, Bound, DanglingContext, Entry, ForeignContext, Incomplete, LocalContext, Unreadable
from naming.types import Binding, BindingType, Name, NameComponent, NotFound

__all__ = ["REQUESTS", "UNREACHABLE", "Server", "walk"]

REQUESTS = 128
"""Requests under way at a time."""

AHEAD = 16
"""Contexts whose listing is begun before their turn."""

PAGE = 500
"""Bindings asked for at a time."""

_EVERYTHING = 0x7FFFFFFF

_GOODBYE = 2.0
"""Seconds for a server to forget an iterator; it will in its own time."""

UNREACHABLE = (TransportError, DeadlineExceeded, FailoverExhausted)
"""What ends a walk or a copy: nobody answers."""

_OPERATIONS = NamingContextExt.operations()
_ITERATOR = BindingIterator.operations()


class Server:
    """Ask one CosNaming server, many requests at a time.

    Args:
        root: the reference of its root context.
        hosts: addresses of host names that the system's resolver need not know.
        policy: how calls cope with a dead server.
        limits: what the server may make us hold.
    """

    def __init__(
        self,
        root: IOR,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.root = root
        self._client = AsyncClient(hosts=hosts, policy=policy, limits=limits, connections=1)
        self._limits = limits
        self._addresses = _addresses(root, limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    async def call(self, context: IOR, operation: str, *arguments: Any) -> Any:
        """Call an operation of NamingContextExt; see `AsyncClient.invoke` for what it raises."""
        return await self._client.invoke(context, _OPERATIONS[operation], arguments)

    async def iterate(self, iterator: IOR, operation: str, *arguments: Any) -> Any:
        """Call an operation of BindingIterator; see `AsyncClient.invoke` for what it raises."""
        return await self._client.invoke(iterator, _ITERATOR[operation], arguments)

    async def learn_itself(self) -> None:
        """Let the server say in the reference of an iterator what its addresses are, and its code sets if the root's does not.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: nobody answers.
        """
        try:
            _, iterator = await self.call(self.root, "list", 0)
        except SystemException:  # there are servers without iterators
            return
        self._addresses |= _addresses(iterator, self._limits)
        self.root = with_code_sets_of(iterator, self.root, self._limits)
        await self.end(iterator)

    async def end(self, iterator: IOR) -> None:
        """Destroy an iterator, if it is one, and alive."""
        if iterator.profiles:
            with contextlib.suppress(IIOPError, TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await self.iterate(iterator, "destroy")

    def key(self, context: IOR) -> bytes | None:
        """Return the object key of a context of this server, None for a context of another."""
        for endpoint in endpoints(context, self._limits):
            if (endpoint.host, endpoint.port) in self._addresses:
                return endpoint.object_key
        return None

    async def is_dangling(self, context: IOR) -> bool:
        """Tell whether a context has been destroyed.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: nobody answers.
        """
        try:
            return bool(await self.call(context, "_non_existent"))
        except OBJECT_NOT_EXIST:
            return True
        except SystemException:  # there are servers that do not know the question
            return False


def _addresses(reference: IOR, limits: Limits) -> set[tuple[str, int]]:
    return {(endpoint.host, endpoint.port) for endpoint in endpoints(reference, limits)}


async def walk(server: Server) -> AsyncGenerator[Entry, None]:
    """Yield the entries of a server's tree, as `naming.trees` has them; to end early, `aclose` it.

    Raises:
        TransportError, DeadlineExceeded, FailoverExhausted: nobody answers, now or any more.
    """
    await server.learn_itself()
    walking = _Walk(server)
    try:
        while (entry := await walking.next()) is not None:
            yield entry
    finally:
        await walking.end()


class _Walk:
    """Keep what is waited for on a walk."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._first_names: dict[bytes | None, Name] = {server.key(server.root): ROOT_NAME}
        self._waiting: deque[_Listing] = deque([_Listing(server, ROOT_NAME, server.root)])
        self._listing = self._waiting[0]
        self._names: Iterator[tuple[NameComponent, BindingType]] = iter(())
        self._asked: deque[tuple[Name, Incomplete | asyncio.Task[Bound]]] = deque()

    async def next(self) -> Entry | None:
        """Return the next entry, None behind the last one."""
        await self._ask()
        if not self._asked:
            return None
        name, asked = self._asked.popleft()
        bound: Bound = await asked if isinstance(asked, asyncio.Task) else asked
        if isinstance(bound, LocalContext):
            assert bound.reference is not None
            first = self._first_names.setdefault(self._server.key(bound.reference), name)
            if first is name:
                self._waiting.append(_Listing(self._server, name, bound.reference))
            bound = LocalContext(first, bound.reference)
        return Entry(name, bound)

    async def end(self) -> None:
        """Give up what is waited for still."""
        tasks = [asked for _, asked in self._asked if isinstance(asked, asyncio.Task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listing in (self._listing, *itertools.islice(self._waiting, AHEAD)):
            await listing.end()

    async def _ask(self) -> None:
        """Ask for what names are bound to, until enough is under way or what to ask next depends on an answer."""
        while len(self._asked) < REQUESTS:
            row = next(self._names, None)
            if row is not None:
                task = asyncio.create_task(self._resolve(self._listing.context, *row))
                self._asked.append(((*self._listing.name, row[0]), task))
                continue
            for listing in itertools.islice(self._waiting, AHEAD):
                listing.begin()
            if not self._waiting or (self._asked and not self._waiting[0].has_begun):
                return
            self._listing = self._waiting.popleft()
            rows, incomplete = await self._listing.read()
            self._names = iter(rows)
            if incomplete is not None:
                self._asked.append((self._listing.name, incomplete))

    async def _resolve(self, context: IOR, component: NameComponent, kind: BindingType) -> Bound:
        try:
            reference: IOR = await self._server.call(context, "resolve", (component,))
        except UNREACHABLE:
            raise
        except NotFound:
            return Unreadable("listed, but not found: unbound meanwhile, or of characters that the code sets do not carry")
        except IIOPError as error:
            return Unreadable(f"it cannot be resolved: {error}")
        if kind is BindingType.nobject:
            return reference
        key = self._server.key(reference)
        if key is None:
            return ForeignContext(reference)
        if key not in self._first_names and await self._server.is_dangling(reference):
            return DanglingContext()
        return LocalContext((component,), reference)


class _Listing:
    """Read what is bound in one context."""

    def __init__(self, server: Server, name: Name, context: IOR) -> None:
        self.name = name
        self.context = context
        self._server = server
        self._first: asyncio.Task[tuple[tuple[Binding, ...], IOR]] | None = None
        self._iterator = NIL

    @property
    def has_begun(self) -> bool:
        """Tell whether the first names are there."""
        return self._first is not None and self._first.done()

    def begin(self) -> None:
        """Ask for the first names, unless they have been asked for."""
        if self._first is None:
            self._first = asyncio.create_task(self._list())

    async def _list(self) -> tuple[tuple[Binding, ...], IOR]:
        try:
            found: tuple[tuple[Binding, ...], IOR] = await self._server.call(self.context, "list", PAGE)
        except NO_IMPLEMENT:  # TAO's fault tolerant Naming Service has no iterators
            found = await self._server.call(self.context, "list", _EVERYTHING)
        self._iterator = found[1]
        return found

    async def read(self) -> tuple[list[tuple[NameComponent, BindingType]], Incomplete | None]:
        """Return every name, sorted, and what kept the rest from being read.

        Raises:
            TransportError, DeadlineExceeded, FailoverExhausted: nobody answers.
        """
        self.begin()
        assert self._first is not None
        found: dict[NameComponent, BindingType] = {}
        incomplete = None
        try:
            page, iterator = await self._first
            more = bool(iterator.profiles)
            _add(found, page)
            while more:
                more, page = await self._server.iterate(iterator, "next_n", PAGE)
                _add(found, page)
        except UNREACHABLE:
            raise
        except IIOPError as error:
            incomplete = Incomplete(f"it cannot be listed to the end: {error}")
        await self.end()
        return sorted(found.items(), key=lambda row: (row[0].id, row[0].kind)), incomplete

    async def end(self) -> None:
        """Give up what is waited for, and let the server forget the iterator."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)
        iterator, self._iterator = self._iterator, NIL
        await self._server.end(iterator)


def _add(found: dict[NameComponent, BindingType], page: tuple[Binding, ...]) -> None:
    for binding in page:
        if len(binding.binding_name) == 1:
            found[binding.binding_name[0]] = binding.binding_type

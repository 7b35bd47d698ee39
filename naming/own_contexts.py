"""The contexts of one Naming Service of ours, at the address where it is reached.

References of contexts carry the host that clients use, which may be that of a balancer, behind which another server answers. Who
administers one server asks it and no other: a reference that carries its advertised address names a context of it by the object
key, and the key is asked for where the server is reached. Knows CosNaming's lists; not how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

from iiop import iop
from iiop.endpoints import endpoints
from iiop.exceptions import SystemException
from iiop.idl import Interface
from ior import IOR
from ior.profiles import IIOPProfile
from naming.bootstrap import INIT, InitialReferences
from naming.changes import ROOT, ContextId, context_number
from naming.client import NameService
from naming.interfaces import BindingIterator, NamingContextExt
from naming.types import Binding

__all__ = ["OwnContexts"]

PAGE = 1000
"""Bindings asked for at once."""

S = TypeVar("S", bound=Interface)


class OwnContexts:
    """Reach the contexts of a Naming Service of ours.

    Args:
        names: it, by `host:port`; asked for its own reference once.

    Attributes:
        root: a stub of the root context.

    Raises:
        SystemException, TransportError, DeadlineExceeded, FailoverExhausted: it could not be asked.
    """

    def __init__(self, names: NameService) -> None:
        self._client = names.client
        self._profile = next(profile for profile in names.ior.profiles if isinstance(profile, IIOPProfile))
        self._addresses = {(self._profile.host, self._profile.port)}
        told = IOR.from_iop(self._stub(INIT, InitialReferences).get(ROOT))
        for profile in told.profiles:
            if isinstance(profile, IIOPProfile):
                self._addresses.add((profile.host, profile.port))
                self._profile = profile.replace(host=self._profile.host, port=self._profile.port)  # it tells code sets
        self.root = self.context(ROOT)

    def key(self, reference: iop.IOR) -> ContextId | None:
        """Return the id of the context of this Naming Service that a reference names, None if it names none."""
        key = ContextId((self._object_key(reference) or b"").decode("latin-1"))
        return key if key == ROOT or context_number(key) >= (0, 0) else None

    def context(self, key: ContextId) -> NamingContextExt:
        """Return a stub of a context."""
        return self._stub(key.encode(), NamingContextExt)

    def bindings(self, context: NamingContextExt) -> Iterator[Binding]:
        """Yield the bindings of a context as they are when the first is asked for.

        Raises:
            SystemException, TransportError, DeadlineExceeded, FailoverExhausted: it could not be asked.
        """
        page, rest = context.list(PAGE)
        yield from page
        if (key := self._object_key(rest)) is None:
            return
        iterator = self._stub(key, BindingIterator)
        try:
            more = True
            while more:
                more, page = iterator.next_n(PAGE)
                yield from page
        finally:
            with suppress(SystemException):  # ended by the server, which may do so at any time
                iterator.destroy()

    def _object_key(self, reference: iop.IOR) -> bytes | None:
        for endpoint in endpoints(reference):
            if (endpoint.host, endpoint.port) in self._addresses:
                return endpoint.object_key
        return None

    def _stub(self, key: bytes, interface: type[S]) -> S:
        profile = self._profile.replace(object_key=key)
        return self._client.stub(iop.IOR(interface.repository_id, (profile,)), interface)

"""Where a Naming Service is asked: what people name it by, its hosts, in which order they are asked, and what came of it.

Knows the forms of an address and the bookkeeping of one round of questions; must not know how a question is sent. The blocking
and the asyncio client share it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from iiop import iop
from iiop.endpoints import Endpoint, endpoints
from iiop.exceptions import (
    Attempt,
    CodecError,
    CompletionStatus,
    FailoverExhausted,
    IIOPError,
    ReferenceFormatError,
    UserException,
)
from iiop.failover import FailoverPolicy, Late, Selection, Selector
from iiop.idl import Interface
from iiop.iop import ComponentId
from iiop.limits import Limits
from iiop.profile import Version
from ior import IOR, Address, Corbaloc, IIOPProfile, IORBuilder, parse_object_url
from ior.builder import DEFAULT_PORT
from naming.changes import ROOT
from naming.interfaces import NamingContextExt

__all__ = ["Questions", "Root", "Roots", "root_at", "root_of", "root_reference", "with_code_sets_of"]

Root = str | IOR | Iterable[str | IOR] | Callable[[], IOR]
"""An address; several, whose servers hold the same names; or a function that is asked again whenever a reference is acquired."""

log = logging.getLogger("naming.client")


class Roots:
    """Know where the root context is.

    Args:
        root: see `Root`.
        selection: which of its hosts is asked first.
        chance: gives a number from 0 to below 1.

    Attributes:
        ior: the reference of the root context; with every host's profiles, where there are several.

    Raises:
        ReferenceFormatError: an address that is none.
        DecodeError: an IOR that cannot be read.
        OSError, IIOPError: as the function does.
    """

    def __init__(self, root: Root, selection: Selection, chance: Callable[[], float]) -> None:
        self._ask = root if callable(root) else None
        self.ior = self._told = root() if callable(root) else root_of(root)
        self._selector: Selector[Endpoint] = Selector(selection, chance)

    def companion(self, object_key: bytes, interface: type[Interface]) -> IOR:
        """Return the reference of another object of the same servers.

        Raises:
            DecodeError: the reference of the root context is broken.
        """
        profiles = (profile for profile in IOR.from_iop(self.ior).profiles if isinstance(profile, IIOPProfile))
        return IOR(interface.repository_id, tuple([profile.replace(object_key=object_key) for profile in profiles]))

    @property
    def may_change(self) -> bool:
        """Tell whether `renew` does something, which may take time."""
        return self._ask is not None

    def renew(self) -> None:
        """Ask the function again, if there is one; if it fails, what it returned last is used on."""
        if self._ask is not None:
            try:
                told = self._ask()
            except (OSError, IIOPError) as error:
                log.warning("where the Naming Service is could not be read again, what was known is used on: %s", error)
            else:
                if told != self._told:
                    self.ior = self._told = told

    def learn_code_sets(self, other: iop.IOR, limits: Limits) -> None:
        """Take the code sets that the reference of another object of the server tells."""
        self.ior = IOR.from_iop(with_code_sets_of(other, self.ior, limits))

    def questions(self, policy: FailoverPolicy, hosts: tuple[Endpoint, ...], timeout: float, now: float) -> Questions:
        """Begin to ask hosts of `ior`, one after the other, within `timeout` seconds from `now`."""
        return Questions(self._selector, self._selector.order(hosts), policy, now, now + timeout)


class Questions:
    """Ask one host after the other until one answers.

    Attributes:
        host: to ask now.
    """

    def __init__(
        self, selector: Selector[Endpoint], hosts: tuple[Endpoint, ...], policy: FailoverPolicy, now: float, until: float
    ) -> None:
        self._selector = selector
        self._hosts = list(reversed(hosts))
        self._policy = policy
        self._since = now
        self._until = until
        self._attempts: list[Attempt] = []
        self._completed = CompletionStatus.COMPLETED_NO
        self.host: Endpoint

    def next(self, now: float) -> FailoverPolicy:
        """Go on to the next host, and return how to ask it: once, in its share of the time.

        Raises:
            FailoverExhausted: there is none, or no time.
        """
        left = self._until - now
        if not self._hosts or left <= 0:
            reason = "no Naming Service answered" if self._attempts else "the root context has no address we can use"
            error = FailoverExhausted(reason, attempts=self._attempts)
            error.__cause__ = self._attempts[-1].error if self._attempts else None
            raise error
        share = left / len(self._hosts)
        self.host = self._hosts.pop()
        self._since = now
        return replace(
            self._policy,
            deadline=share,
            attempt_timeout=share,
            rounds=1,
            refresh_interval=None,
            late=Late.DEADLINE_EXCEEDED,
        )

    def answered(self) -> None:
        """Note that the host answered, whatever it said."""
        self._selector.answered(self.host)

    def failed(self, error: IIOPError, now: float) -> None:
        """Note that the host did not answer.

        Raises:
            IIOPError: the error itself, where it is an answer (NotFound), or another host changes nothing (a name that cannot be
                sent).
        """
        if isinstance(error, UserException):
            self.answered()
            raise error
        if isinstance(error, CodecError):
            raise error
        self._selector.failed(self.host)
        cause = error.__cause__ if isinstance(error, FailoverExhausted) else None
        self._attempts.append(Attempt(str(self.host), cause or error, now - self._since))


def root_of(root: str | IOR | Iterable[str | IOR]) -> IOR:
    """Return the reference of a root context that one address, or each of several, leads to.

    Raises:
        ReferenceFormatError: one is none, or there is none.
        DecodeError: an IOR that cannot be read.
    """
    if isinstance(root, (str, IOR)):
        return root if isinstance(root, IOR) else root_reference(root)
    found = [each if isinstance(each, IOR) else root_reference(each) for each in root]
    if not found:
        raise ReferenceFormatError("a Naming Service is named by one address at least")
    profiles = itertools.chain.from_iterable(each.to_iop().profiles for each in found)
    return found[0] if len(found) == 1 else IOR.from_iop(iop.IOR(found[0].type_id, tuple(profiles)))


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
    builder = IORBuilder(root.type_id)
    for each in known:
        builder.iiop(each.host, 0 if each.tls else each.port, key=each.object_key, version=said[0].version)
        builder.component(ComponentId.TAG_CODE_SETS, said[0].code_sets)
        if each.tls:
            builder.tls(each.port, required=True)
    return builder.build().to_iop()

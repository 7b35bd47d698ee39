"""Where references come from, other than a Naming Service: functions for `Client.reference` and `iiop.net.aio_reference`.

    account = client.reference(from_file("/var/run/bank.ior"), Account)
    account = client.reference(from_urls("corbaloc::h1:2809/bank", "corbaloc::h2:2809/bank"), Account)

A source is any function that takes the seconds there are, and returns the reference or raises an `IIOPError`; it is asked when
an object is first called, when calling it fails, and from time to time (`FailoverPolicy.refresh_interval`). Of a Naming Service
that is `naming.client.NameService.acquire`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace

from iiop import iop
from iiop.exceptions import (
    ConnectFailed,
    CorbaException,
    DeadlineExceeded,
    DecodeError,
    FailoverExhausted,
    ReferenceFormatError,
    TransportError,
)
from iiop.failover import DEFAULT_POLICY, FailoverPolicy, Selection, Selector
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from ior import parse_object_url
from naming.places import find_reference

__all__ = ["Source", "from_file", "from_urls"]

Source = Callable[[float], iop.IOR]


def from_file(
    path: str | os.PathLike[str],
    *,
    hosts: Hosts | None = None,
    policy: FailoverPolicy = DEFAULT_POLICY,
    limits: Limits = DEFAULT_LIMITS,
) -> Source:
    """Return a source that reads a file, in a form `naming.places` knows, anew each time it is asked.

    A file that is not there, or not whole yet, is a reference that cannot be acquired now: it costs a round, as a Naming Service
    that does not answer does.

    Args:
        path: of the file.
        hosts, policy, limits: for asking where a corbaname in it leads.
    """

    def acquire(timeout: float) -> iop.IOR:
        bounded = replace(policy, deadline=min(timeout, policy.deadline))
        text = os.path.abspath(path)
        try:
            return find_reference(text, hosts=hosts, policy=bounded, limits=limits).to_iop()
        except (OSError, ReferenceFormatError, DecodeError) as error:
            raise ConnectFailed(f"no reference in {text}: {error}") from error

    return acquire


def from_urls(
    *urls: str,
    hosts: Hosts | None = None,
    policy: FailoverPolicy = DEFAULT_POLICY,
    limits: Limits = DEFAULT_LIMITS,
    selection: Selection = Selection.ORDERED,
    chance: Callable[[], float] = lambda: 0.0,
) -> Source:
    """Return a source of one reference with the addresses of several: `IOR:`, `corbaloc:` or `corbaname:`.

    Args:
        urls: of one object, or of several that can stand for each other.
        hosts, policy, limits: for asking where a corbaname leads; one that leads nowhere now is passed over.
        selection: ORDERED, or ROUND_ROBIN to begin with another each time; what became of calls is not told to a source.
        chance: gives a number from 0 to below 1, where ROUND_ROBIN begins.

    Raises:
        ValueError: no URL, or another selection.
        ReferenceFormatError: a URL that is none.
        DecodeError: an IOR that cannot be read.
    """
    if not urls or selection not in (Selection.ORDERED, Selection.ROUND_ROBIN):
        raise ValueError("one URL at least, and Selection.ORDERED or ROUND_ROBIN, were expected")
    parsed = {url: parse_object_url(url, limits=limits) for url in urls}
    selector: Selector[str] = Selector(selection, chance)

    def acquire(timeout: float) -> iop.IOR:
        found: list[iop.IOR] = []
        failure: Exception | None = None
        for url in selector.order(parsed):
            bounded = replace(policy, deadline=min(timeout / len(parsed), policy.deadline))
            try:
                found.append(find_reference(url, hosts=hosts, policy=bounded, limits=limits).to_iop())
            except (TransportError, DeadlineExceeded, FailoverExhausted, CorbaException) as error:
                failure = error
        if not found:
            assert failure is not None
            raise failure
        return iop.IOR(found[0].type_id, tuple(itertools.chain.from_iterable(each.profiles for each in found)))

    return acquire

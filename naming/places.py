"""What people name a Naming Service by, in any form there is.

| Text | What it is |
|---|---|
| begins with `IOR:`, `corbaloc:`, `corbaname:` in any case | that; a corbaname names the context that its name leads to |
| has a `/` in it, or is a file that exists | a file: see below |
| anything else | `host` or `host:port`; IPv6 in brackets; port 8002 if left out |

So `./vhost` is a file whatever is there, and where a file has the name of a host, `vhost:8002` is the host.

A file whose first line is a reference holds one reference a line, in any of these three forms, and blank lines and comments
(`#`). Of several, the first `IOR:` is used, because it tells code sets, otherwise the first (the ready file of `nstool serve`
has a corbaloc, then an IOR). Any other file is an `initial_hosts` (`naming.initial_hosts`): its hosts are the addresses of one
reference, tried from top to bottom. Which of both a file is, is seen from its first line; nothing is tried twice.

Knows forms and files; must not know what is asked of a Naming Service.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from iiop.exceptions import ReferenceFormatError
from iiop.failover import DEFAULT_POLICY, FailoverPolicy
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from ior import IOR, Corbaname, parse_object_url
from naming.client import NameService, root_at
from naming.initial_hosts import InitialHosts
from naming.interfaces import NamingContextExt

__all__ = ["FORMS", "open_service"]

FORMS = "IOR:..., corbaloc:..., corbaname:..., host, host:port, or a file that holds a reference or initial hosts"
"""What a Naming Service may be named by, for help and errors."""

MAX_FILE = 16 * 1024 * 1024
"""Octets of a file that are read."""

_URL = re.compile(r"\s*(?:IOR|corbaloc|corbaname):", re.IGNORECASE)


def open_service(
    text: str,
    *,
    hosts: Hosts | None = None,
    policy: FailoverPolicy = DEFAULT_POLICY,
    limits: Limits = DEFAULT_LIMITS,
) -> NameService:
    """Return the Naming Service that a text names; only a corbaname with a name uses the network.

    Args:
        text: in one of the forms above.
        hosts: as `NameService` has it.
        policy: as `NameService` has it; also of asking where a corbaname leads.
        limits: as `NameService` has it.

    Raises:
        ReferenceFormatError: the text, or what its file holds, is none of the forms.
        DecodeError: an IOR that cannot be read.
        OSError: a file that cannot be read.
        NotFound, CannotProceed, SystemException, TransportError, DeadlineExceeded, FailoverExhausted: of a corbaname only.
    """

    def service(address: str | IOR) -> NameService:
        return NameService(address, hosts=hosts, policy=policy, limits=limits)

    if _is_file(text):
        found = _reference_in(Path(text))
        if isinstance(found, IOR):
            return service(found)
        text = found
    elif not _URL.match(text):
        try:
            return service(text)
        except ReferenceFormatError as error:
            raise ReferenceFormatError(
                f"a Naming Service is named by {FORMS}: {error.reason}", text=text, position=error.position
            ) from None
    url = parse_object_url(text, limits=limits)
    if isinstance(url, IOR):
        return service(url)
    if not isinstance(url, Corbaname):
        return service(url.to_ior(NamingContextExt.repository_id))
    outer = service(url.corbaloc.to_ior(NamingContextExt.repository_id))
    if not url.name:
        return outer
    with outer:
        return service(outer.resolve(url.name))


def _is_file(text: str) -> bool:
    if _URL.match(text) or "\0" in text:
        return False
    return os.sep in text or (os.path.exists(text) and not os.path.isdir(text))


def _reference_in(path: Path) -> str | IOR:
    """Return what a file names: a reference in one of its forms, or that of its initial hosts."""
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ReferenceFormatError(f"{path}: more than {MAX_FILE} octets, this is neither a reference nor initial hosts")
    text = data.decode("utf-8", "surrogateescape")
    lines = [line.strip() for line in text.removeprefix("\ufeff").split("\n") if line.strip() and not line.startswith("#")]
    if not lines:
        raise ReferenceFormatError(f"{path}: holds nothing; a reference or initial hosts were expected")
    if not _URL.match(lines[0]):
        return root_at((host.host, host.port) for host in InitialHosts(text, str(path)).hosts)
    return next((line for line in lines if line[:4].upper() == "IOR:"), lines[0])

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

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path

from iiop.exceptions import ReferenceFormatError
from iiop.failover import DEFAULT_POLICY, FailoverPolicy
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.tls import PLAIN, Security
from ior import IOR, Corbaname, parse_object_url
from naming.client import NameService
from naming.initial_hosts import InitialHosts
from naming.interfaces import NamingContextExt
from naming.roots import root_at

__all__ = ["FORMS", "find_reference", "open_service"]

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
    learn_code_sets: bool = False,
    security: Security = PLAIN,
) -> NameService:
    """Return the Naming Service that a text names; only a corbaname with a name uses the network.

    A file is read again whenever a reference is acquired; while it cannot be, what it held is used on.

    Args:
        text: in one of the forms above.
        hosts: as `NameService` has it.
        policy: as `NameService` has it; also of asking where a corbaname leads.
        limits: as `NameService` has it.
        learn_code_sets: as `NameService` has it.
        security: its `ssl` and `allow_plain`.

    Raises:
        ReferenceFormatError: the text, or what its file holds, is none of the forms.
        DecodeError: an IOR that cannot be read.
        OSError: a file that cannot be read.
        NotFound, CannotProceed, SystemException, TransportError, DeadlineExceeded, FailoverExhausted: of a corbaname only.
    """

    ssl, allow_plain = security.context or False, security.allow_plain
    service = functools.partial(
        NameService,
        hosts=hosts,
        policy=policy,
        limits=limits,
        learn_code_sets=learn_code_sets,
        ssl=ssl,
        allow_plain=allow_plain,
    )
    if _is_file(text):
        return service(functools.partial(_root_in, text, service, limits))
    if _URL.match(text):
        return service(_follow(text, service, limits))
    try:
        return service(text)
    except ReferenceFormatError as error:
        reason = f"a Naming Service is named by {FORMS}: {error.reason}"
        raise ReferenceFormatError(reason, text=text, position=error.position) from None


def find_reference(
    text: str,
    *,
    hosts: Hosts | None = None,
    policy: FailoverPolicy = DEFAULT_POLICY,
    limits: Limits = DEFAULT_LIMITS,
    security: Security = PLAIN,
) -> IOR:
    """Return the reference of any object that a text names: a URL, or a file that holds one; only a corbaname uses the network.

    Args:
        text: `IOR:`, `corbaloc:`, `corbaname:`, or a file with one of these in it; anything else is the name of a file too.
        hosts, policy, limits, security: for asking where a corbaname leads.

    Raises:
        As `open_service`.
    """

    ssl, allow_plain = security.context or False, security.allow_plain
    service = functools.partial(NameService, hosts=hosts, policy=policy, limits=limits, ssl=ssl, allow_plain=allow_plain)
    if _URL.match(text):
        return _follow(text, service, limits)
    if not _is_file(text):
        raise ReferenceFormatError("IOR:..., corbaloc:..., corbaname:... or a file that holds one was expected", text=text)
    url = _url_in(_content(Path(text)))
    if url is None:
        raise ReferenceFormatError(f"{text}: holds no reference; IOR:..., corbaloc:... or corbaname:... was expected")
    return _follow(url, service, limits)


def _is_file(text: str) -> bool:
    if _URL.match(text) or "\0" in text:
        return False
    return os.sep in text or (os.path.exists(text) and not os.path.isdir(text))


def _content(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ReferenceFormatError(f"{path}: more than {MAX_FILE} octets, this is neither a reference nor initial hosts")
    text = data.decode("utf-8", "surrogateescape")
    if not text.strip("\ufeff \t\r\n"):
        raise ReferenceFormatError(f"{path}: the file is empty; a reference or initial hosts were expected")
    return text


def _root_in(path: str, service: Callable[[IOR], NameService], limits: Limits) -> IOR:
    """Return the root context that a file names now."""
    content = _content(Path(path))
    url = _url_in(content)
    if url is not None:
        return _follow(url, service, limits)
    initial = InitialHosts(content, path).hosts
    if not initial:
        raise ReferenceFormatError(f"{path}: no line holds a host")
    return root_at((each.host, each.port) for each in initial)


def _url_in(content: str) -> str | None:
    """Return the reference of a file that holds references, None if it holds something else."""
    text = content.removeprefix("\ufeff")
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if not lines or not _URL.match(lines[0]):
        return None
    return next((line for line in lines if line[:4].upper() == "IOR:"), lines[0])


def _follow(text: str, service: Callable[[IOR], NameService], limits: Limits) -> IOR:
    """Return the reference that a URL is, or leads to."""
    url = parse_object_url(text, limits=limits)
    if isinstance(url, IOR):
        return url
    if not isinstance(url, Corbaname):
        return url.to_ior()
    context = url.corbaloc.to_ior(NamingContextExt.repository_id)
    if not url.name:
        return context
    with service(context) as names:
        return names.resolve(url.name)

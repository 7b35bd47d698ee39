"""Host names of references to addresses.

A `hosts` mapping is asked before the system's resolver, so that a virtual host can be rehearsed on a machine whose hosts file
does not know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from iiop.exceptions import ReferenceFormatError

__all__ = ["Hosts", "map_host", "read_hosts"]

Hosts = Mapping[str, str]


def map_host(hosts: Hosts, host: str) -> str:
    """Return the address `hosts` gives a name, compared without case, or the name itself."""
    if host in hosts:
        return hosts[host]
    return next((address for name, address in hosts.items() if name.lower() == host.lower()), host)


def read_hosts(path: Path) -> dict[str, str]:
    """Read a file in the form of /etc/hosts: an address, then names; `#` begins a comment, in any code set.

    Raises:
        OSError: the file cannot be read.
        ReferenceFormatError: a line has an address but no name.
    """
    hosts: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="backslashreplace").splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) == 1:
            raise ReferenceFormatError(f"{path}, line {number}: an address without a name", text=line)
        for name in words[1:]:
            hosts.setdefault(name.lower(), words[0])
    return hosts

"""The file `initial_hosts` (Windows: `inithost`): which Naming Services a client of Interstage asks.

    # a comment, where # is the first character of the line
    vhost      8002

Knows the file; must not know how a Naming Service is called (`naming.places` does). Nothing is resolved.

Documented: a host and a port a line, white space between them; behind IPCOM the host is a name, never an IP address. Unknown,
and so ours: comments and blank lines are as in `config`; a port left out is 8002; hosts are asked from top to bottom; there may
be any number of them; a line that is none of these is an error to who asks for the hosts, and is kept by who changes the file.
Octets that are not UTF-8, a byte order mark and the line ends of Windows are kept too.

Source: High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2 and 4.10.1.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from iiop.exceptions import ReferenceFormatError
from ior import Address
from ior.builder import DEFAULT_PORT
from naming.whole_file import replacing

__all__ = ["InitialHost", "InitialHosts", "update_initial_hosts"]


@dataclass(frozen=True, slots=True)
class InitialHost:
    """Hold one line: where a Naming Service is.

    Attributes:
        host: name or address, IPv6 without brackets; names are equal whatever their case.
        port: 1 to 65535.

    Raises:
        ReferenceFormatError: the host is none, or the port.
    """

    host: str
    port: int = DEFAULT_PORT

    def __post_init__(self) -> None:
        Address("iiop", self.host)
        if not 1 <= self.port <= 65535:
            raise ReferenceFormatError("a port is 1 to 65535", text=str(self.port))

    @property
    def is_address(self) -> bool:
        """Tell whether the host is an IP address."""
        try:
            ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        return True

    def is_same(self, other: InitialHost) -> bool:
        """Tell whether both are the same port of the same name or address; nothing is resolved."""
        return (self.host.lower(), self.port) == (other.host.lower(), other.port)

    def __str__(self) -> str:
        return f"{self.host} {self.port}"


@dataclass(frozen=True, slots=True)
class InitialHosts:
    """Hold the whole text of the file.

    >>> file = InitialHosts("# by hand\\nvhost      8002\\n").with_host(InitialHost("host2", 8003))
    >>> file.text
    '# by hand\\nvhost      8002\\nhost2 8003\\n'
    >>> file.hosts
    (InitialHost(host='vhost', port=8002), InitialHost(host='host2', port=8003))

    Attributes:
        text: octets that are not UTF-8 as surrogates.
        source: what errors call it.
    """

    text: str = ""
    source: str = "initial_hosts"

    @classmethod
    def read(cls, path: Path) -> InitialHosts:
        """Read a file.

        Raises:
            OSError: it cannot be read.
        """
        return cls(path.read_bytes().decode("utf-8", "surrogateescape"), str(path))

    @property
    def hosts(self) -> tuple[InitialHost, ...]:
        """Return the hosts in the order in which they are asked.

        Raises:
            ReferenceFormatError: a line that holds none; with file and line.
        """
        found: list[InitialHost] = []
        for number, line in enumerate(self._lines(), 1):
            try:
                host = _parse(line)
            except ReferenceFormatError as error:
                raise ReferenceFormatError(
                    f"{self.source}, line {number}: {error.reason}", text=line.rstrip("\r\n"), position=error.position
                ) from None
            if host is not None:
                found.append(host)
        return tuple(found)

    def with_host(self, host: InitialHost, *, virtual_host: str | None = None) -> InitialHosts:
        """Return this text with a host at its end; as it is if the host stands there already.

        Args:
            host: the host.
            virtual_host: that which the servers are behind; None if there is none, or an address is right nevertheless.

        Raises:
            ReferenceFormatError: an address, where servers are behind a virtual host.
        """
        if virtual_host is not None and host.is_address:
            raise ReferenceFormatError(
                f"the servers are behind the virtual host {virtual_host}, which clients name by its host name, never by an IP "
                "address (High Availability System Guide, 3.2.2.2)",
                text=host.host,
            )
        if any(self._is(line, host) for line in self._lines()):
            return self
        end = "\r\n" if "\r\n" in self.text else "\n"
        gap = "" if not self.text.strip("\ufeff") or self.text.endswith("\n") else end
        return replace(self, text=f"{self.text}{gap}{host}{end}")

    def without_host(self, host: InitialHost) -> InitialHosts:
        """Return this text without the lines of a host; as it is if there are none."""
        return replace(self, text="".join([line for line in self._lines() if not self._is(line, host)]))

    def _lines(self) -> Iterator[str]:
        """Yield each line with its end."""
        start = 0
        while start < len(self.text):
            end = self.text.find("\n", start) + 1 or len(self.text)
            yield self.text[start:end]
            start = end

    @staticmethod
    def _is(line: str, host: InitialHost) -> bool:
        try:
            found = _parse(line)
        except ReferenceFormatError:
            return False
        return found is not None and found.is_same(host)


def _parse(line: str) -> InitialHost | None:
    """Return the host of a line, None of a blank line or a comment."""
    line = line.removeprefix("\ufeff")
    words = list(re.finditer(r"\S+", line))
    if not words or line.startswith("#"):
        return None
    if len(words) > 2:
        raise ReferenceFormatError("a host and a port were expected, and nothing more", position=words[2].start())
    host = words[0][0]
    if host[:1] + host[-1:] == "[]":
        host = host[1:-1]
    if len(words) == 1:
        return InitialHost(host)
    port = words[1][0]
    if not port.isascii() or not port.isdigit():
        raise ReferenceFormatError("a port is a decimal number", position=words[1].start())
    return InitialHost(host, int(port.lstrip("0")[:6] or "0"))


def update_initial_hosts(path: Path, change: Callable[[InitialHosts], InitialHosts]) -> bool:
    """Change a file, while nobody else does by this function; a reader finds all of the old text, or all of the new.

    Args:
        path: in a folder that exists; a file that does not is made.
        change: is given what the file holds.

    Returns:
        Whether the file was changed.

    Raises:
        OSError: it cannot be read or written; it is as it was.
        ReferenceFormatError: as `change` does.
    """
    path = path.resolve()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        before = InitialHosts.read(path) if path.exists() else InitialHosts(source=str(path))
        after = change(before)
        if after == before:
            return False
        with replacing(path) as file:
            file.write(after.text.encode("utf-8", "surrogateescape"))
        os.fsync(folder)
    finally:
        os.close(folder)
    return True

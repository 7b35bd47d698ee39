"""Register references as Interstage's `OD_or_adm` does: from repository ids, host and port, under a name.

What the manuals leave open is decided here, and said: the object key is `ImplID|IntfID`, the ImplID is the IntfID where it is
left out, and references are of IIOP 1.0, as in every documented listing. It must not know how commands read their arguments.

Source: Interstage Command Reference, `OD_or_adm`; High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2, 3.2.3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iiop.exceptions import ReferenceFormatError
from ior import IOR, IORBuilder

__all__ = ["MAX_ID", "Registration", "object_key"]

MAX_ID = 255
"""Characters of an interface or implementation repository id, at the most."""

_HOST = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True)
class Registration:
    """Say what a reference is made of.

    Attributes:
        interface_id: `-c`, as `IDL:TDsample/tdtest:1.0`.
        host: `-h`, or the host name of the node.
        port: `-p`, or the port of the node.
        implementation_id: `-a`; that of the interface where it is empty.
        version: IIOP version of the reference.

    Raises:
        ReferenceFormatError: an id longer than 255 characters or of another form; a port outside 1 to 65535; a host that is none;
            anything outside ASCII.
    """

    interface_id: str
    host: str
    port: int
    implementation_id: str = ""
    version: tuple[int, int] = (1, 0)

    def __post_init__(self) -> None:
        for what, text in (("interface", self.interface_id), ("implementation", self.implementation_id)):
            if len(text) > MAX_ID:
                raise ReferenceFormatError(f"{what} repository id of {len(text)} characters, {MAX_ID} are allowed", text=text)
            if not text.isascii() or not text.isprintable():
                raise ReferenceFormatError(f"an {what} repository id is made of printable ASCII characters", text=text)
        if not self.interface_id.startswith("IDL:") or self.interface_id.count(":") < 2:
            raise ReferenceFormatError("an interface repository id has the form IDL:module/interface:1.0", text=self.interface_id)
        if not 1 <= self.port <= 65535:
            raise ReferenceFormatError("a port is 1 to 65535", text=str(self.port))
        if not _HOST.fullmatch(self.host):
            raise ReferenceFormatError("a host is a name or an address", text=self.host)

    def reference(self) -> IOR:
        """Return the reference."""
        key = object_key(self.interface_id, self.implementation_id)
        return IORBuilder(self.interface_id).iiop(self.host, self.port, key=key, version=self.version).build()


def object_key(interface_id: str, implementation_id: str = "") -> bytes:
    """Return the key under which a server answers for what was registered with these ids."""
    return f"{implementation_id or interface_id}|{interface_id}".encode("ascii")

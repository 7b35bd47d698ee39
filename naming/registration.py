"""References as Interstage's `OD_or_adm` makes them: from repository ids, host and port.

What the manuals leave open is decided here, and said: the object key is `ImplID|IntfID`, or `ImplID|IntfID|refdata`; the ImplID
is the IntfID where it is left out; references are of IIOP 1.0, as in every documented listing, unless they have to hold a
component: then of 1.2. It must not know how commands read their arguments.

Source: Interstage Command Reference, `OD_or_adm`; High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2, 3.2.3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iiop.cdr.code_sets import INTERSTAGE_CODE_SETS, ISO_8859_1, UTF_8, UTF_16
from iiop.components import SSL, AssociationOptions
from iiop.exceptions import ReferenceFormatError
from iiop.iop import ComponentId
from ior import IOR, IORBuilder
from naming.initial_hosts import InitialHost

__all__ = ["LOCALES", "MAX_ID", "Registration", "object_key"]

MAX_ID = 255
"""Characters that `OD_or_adm` takes for an interface or implementation repository id, at the most."""

LOCALES: dict[str, int] = {
    **{name: number for name, number in INTERSTAGE_CODE_SETS.items() if number is not None},
    "UNICODE": ISO_8859_1,
}
"""Code systems to the native code set of char data in the reference; wchar data is UTF-16 in all of them.

The other names that Interstage has stand for code sets of which nothing public says the registry's number.
"""

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_SECURE = AssociationOptions.Integrity | AssociationOptions.Confidentiality


@dataclass(frozen=True, slots=True)
class Registration:
    """Say what a reference is made of.

    Attributes:
        interface_id: `-c`, as `IDL:TDsample/tdtest:1.0`.
        host: `-h`, or the host name of the node.
        port: `-p`, or the port of the node.
        implementation_id: `-a`; that of the interface where it is empty.
        version: `-v`, IIOP version of the reference; None for the least that holds the rest: 1.0, or with components 1.2.
        locale: `-L`, one of `LOCALES`: the reference says that the server has this code system.
        ssl_port: for `-s`: the reference says that the object is (also) reached by TLS, at this port.
        proxies: for `-x`: more addresses at which the object is reached.
        reference_data: `-r`: goes to the end of the object key.

    Raises:
        ReferenceFormatError: an id of another form; a port outside 1 to 65535; a host that is none; anything outside ASCII; a
            locale that is not known; components in IIOP 1.0.
    """

    interface_id: str
    host: str
    port: int
    implementation_id: str = ""
    version: tuple[int, int] | None = None
    locale: str | None = None
    ssl_port: int | None = None
    proxies: tuple[InitialHost, ...] = ()
    reference_data: str = ""

    def __post_init__(self) -> None:
        for what, text in (
            ("interface repository id", self.interface_id),
            ("implementation repository id", self.implementation_id),
            ("object's reference data", self.reference_data),
        ):
            if not text.isascii() or not text.isprintable():
                raise ReferenceFormatError(f"an {what} is made of printable ASCII characters", text=text)
        if not self.interface_id.startswith("IDL:") or self.interface_id.count(":") < 2:
            raise ReferenceFormatError("an interface repository id has the form IDL:module/interface:1.0", text=self.interface_id)
        if not 1 <= self.port <= 65535:
            raise ReferenceFormatError("a port is 1 to 65535", text=str(self.port))
        if not _HOST.fullmatch(self.host):
            raise ReferenceFormatError("a host is a name or an address", text=self.host)
        if self.locale is not None and self.locale not in LOCALES:
            raise ReferenceFormatError(f"no code system with a public number; {', '.join(sorted(LOCALES))} are", text=self.locale)
        if self.version == (1, 0) and self._has_components:
            raise ReferenceFormatError(
                "a reference of IIOP 1.0 has no place for components: -s and -x need 1.1 or later", text="1.0"
            )

    @property
    def _has_components(self) -> bool:
        return self.locale is not None or self.ssl_port is not None or bool(self.proxies)

    def reference(self) -> IOR:
        """Return the reference."""
        key = object_key(self.interface_id, self.implementation_id, self.reference_data)
        version = self.version or ((1, 2) if self._has_components else (1, 0))
        builder = IORBuilder(self.interface_id).iiop(self.host, self.port, key=key, version=version)
        if self.locale is not None:
            native = LOCALES[self.locale]
            builder.code_sets(native, UTF_16, char_conversions=() if native == UTF_8 else (UTF_8,))
        if self.ssl_port is not None:
            builder.component(ComponentId.TAG_SSL_SEC_TRANS, SSL(_SECURE, _SECURE, self.ssl_port))
        for proxy in self.proxies:
            builder.alternate(proxy.host, proxy.port)
        return builder.build()


def object_key(interface_id: str, implementation_id: str = "", reference_data: str = "") -> bytes:
    """Return the key under which a server answers for what was registered with these ids."""
    key = f"{implementation_id or interface_id}|{interface_id}"
    return (f"{key}|{reference_data}" if reference_data else key).encode("ascii")

"""Object URLs: corbaloc, corbaname, and their normal form.

Knows the text form of addresses; resolves nothing, and knows of names only that they are text behind `#` (`naming.names` parses
them).

Invariant: `parse_object_url(str(value)) == value` for every `Corbaloc` and `Corbaname` that can be made.

Source: CORBA 3.3 part 2, clause 7.6.10 "Object URLs". Where we differ:
- a missing host (`corbaloc::/Key`) is refused; the grammar allows it, ORBs differ in what it means;
- `ssliop:` is an address where TLS is spoken, of IIOP 1.2 if it names none, for 1.0 has no place for it in a reference (omniORB,
  JacORB and TAO read it too; the grammar leaves it to them);
- IPv6 addresses stand in brackets, as omniORB, TAO and JacORB have it; the grammar has none;
- addresses of other protocols are kept as text, as long as they look like `protocol:text`;
- white space around the whole URL is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from iiop.exceptions.errors import ReferenceFormatError
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import Version
from ior.profiles import Profile
from ior.reference import IOR
from ior.text import escape_key, escape_name, unescape_key, unescape_name

if TYPE_CHECKING:
    from iiop.endpoints import Endpoint

__all__ = ["Address", "Corbaloc", "Corbaname", "DEFAULT_KEY", "INS_PORT", "ObjectURL", "corbaloc_of", "parse_object_url"]

INS_PORT = 2809
"""The port of an address that names none."""

_VERSIONS = {"iiop": Version(1, 0), "ssliop": Version(1, 2)}
"""The version of an address that names none."""

DEFAULT_KEY = b"NameService"
"""The key of a corbaname, or of `rir:`, that names none."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)?:")
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})@")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~-]+)?")
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9._-]")
_NOT_IN_ADDRESS = re.compile(r"[^!-~]|[,/#]")


@dataclass(frozen=True, slots=True)
class Address:
    """Hold one address of an object URL.

    Attributes:
        protocol: in lower case: `iiop`, `ssliop`, `rir`, or one unknown here.
        host: of iiop and ssliop: name or address, IPv6 without brackets; else empty.
        port: of iiop and ssliop: 0 to 65535.
        version: of iiop and ssliop: 1.x; of ssliop, 1.0 stands for 1.2.
        text: of an unknown protocol: what stands behind its colon.

    Raises:
        ReferenceFormatError: a member that cannot stand in a URL.
    """

    protocol: str
    host: str = ""
    port: int = INS_PORT
    version: Version = Version(1, 0)  # noqa: RUF009  frozen
    text: str = ""

    def __post_init__(self) -> None:
        if self.protocol == "ssliop" and self.version == Version(1, 0):
            object.__setattr__(self, "version", _VERSIONS["ssliop"])
        reason = self._problem()
        if reason:
            raise ReferenceFormatError(reason, text=f"{self.protocol}:{self.text or self.host}")

    def _problem(self) -> str | None:
        if self.protocol != self.protocol.lower() or not _SCHEME.fullmatch(f"{self.protocol}:"):
            return f"{self.protocol!r} is no protocol name in lower case"
        if self.protocol in _VERSIONS:
            if self.text:
                return f"an address of {self.protocol} has host and port, no other text"
            return _host_problem(self.host) or _port_problem(self.port) or _version_problem(self.version)
        if self.host or (self.port, self.version) != (INS_PORT, Version(1, 0)):
            return f"only an address of iiop or ssliop has host, port and version, not one of {self.protocol}"
        if self.protocol == "rir":
            return "nothing may stand behind 'rir:'" if self.text else None
        bad = _NOT_IN_ADDRESS.search(self.text)
        return f"{bad[0]!r} cannot stand in an address" if bad else None

    def __str__(self) -> str:
        if self.protocol not in _VERSIONS:
            return f"{self.protocol}:{self.text}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}:{self.version}@{host}:{self.port}"


def _host_problem(host: str) -> str | None:
    if not host:
        return "a host is missing (we do not take it for this machine)"
    if ":" not in host:
        bad = _NOT_IN_HOST.search(host)
        return f"{bad[0]!r} cannot stand in a host name" if bad else None
    try:
        if not _IPV6.fullmatch(host):
            return f"{host!r} is no IPv6 address"
        import ipaddress

        ipaddress.IPv6Address(host)
    except ValueError as error:
        return str(error)
    return None


def _port_problem(port: int) -> str | None:
    return None if 0 <= port <= 65535 else f"port {port} is beyond 65535" if port > 0 else f"port {port} is negative"


def _version_problem(version: Version) -> str | None:
    if version.major != 1 or not 0 <= version.minor <= 255:
        return f"IIOP version {version} is not 1.x"
    return None


@dataclass(frozen=True, slots=True)
class Corbaloc:
    """Hold a corbaloc: addresses of one object, and its key.

    >>> loc = parse_object_url("corbaloc::vhost:8002,:1.2@host2/Key")
    >>> str(loc)
    'corbaloc:iiop:1.0@vhost:8002,iiop:1.2@host2:2809/Key'
    >>> loc.addresses[0].host, loc.object_key
    ('vhost', b'Key')

    Attributes:
        addresses: at least one; `rir:` only alone.
        object_key: any octets; of `rir:` the name for `resolve_initial_references`.

    Raises:
        ReferenceFormatError: no address, or `rir:` among others.
    """

    addresses: tuple[Address, ...]
    object_key: bytes = b""

    def __post_init__(self) -> None:
        if not self.addresses:
            raise ReferenceFormatError("a corbaloc has at least one address")
        if len(self.addresses) > 1 and any(address.protocol == "rir" for address in self.addresses):
            raise ReferenceFormatError("'rir:' stands alone, it cannot be mixed with other addresses", text=str(self))
        if self.is_rir and not self.object_key:
            object.__setattr__(self, "object_key", DEFAULT_KEY)

    @property
    def is_rir(self) -> bool:
        """Tell whether the object is one of the ORB's initial references."""
        return self.addresses[0].protocol == "rir"

    def __str__(self) -> str:
        return f"corbaloc:{self._location()}"

    def _location(self) -> str:
        return f"{','.join(map(str, self.addresses))}/{escape_key(self.object_key)}"

    def to_ior(self, type_id: str = "") -> IOR:
        """Return a reference with one IIOP profile for each iiop or ssliop address, as each may have its own version.

        Addresses of other protocols are passed over, as the standard lets an ORB do.

        Args:
            type_id: repository id; a corbaloc does not say.

        Raises:
            ReferenceFormatError: no address is of iiop or ssliop.
        """
        from ior.builder import IORBuilder

        builder = IORBuilder(type_id)
        reachable = [address for address in self.addresses if address.protocol in _VERSIONS]
        if not reachable:
            raise ReferenceFormatError("no address is of iiop: only an ORB can resolve this", text=str(self), position=9)
        for address in reachable:
            secure = address.protocol == "ssliop"
            builder.iiop(address.host, 0 if secure else address.port, key=self.object_key, version=address.version)
            if secure:
                builder.tls(address.port, required=True)
        return builder.build()

    @classmethod
    def from_profile(cls, profile: Profile) -> Corbaloc:
        """Return the address and key of an IIOP profile, and its alternate addresses. Other components are lost.

        Raises:
            DecodeError: the profile is broken, or is no IIOP profile.
            ReferenceFormatError: a host that cannot stand in a URL.
        """
        profile.body  # noqa: B018  raises
        return corbaloc_of(IOR("", (profile,)))


def corbaloc_of(ior: IOR) -> Corbaloc:
    """Return every address of a reference as a corbaloc. Type id and components are lost.

    Raises:
        ReferenceFormatError: no usable IIOP profile, profiles that differ in their key, or a host that cannot stand in a URL.
    """
    found: tuple[Endpoint, ...] = ior.endpoints()
    keys = {endpoint.object_key for endpoint in found}
    if len(keys) != 1:
        reason = "its profiles differ in their object key" if keys else "no IIOP profile that can be read has an address"
        raise ReferenceFormatError(f"the reference cannot be a corbaloc: {reason}", text=str(ior))
    addresses = tuple([Address("ssliop" if item.tls else "iiop", item.host, item.port, item.version) for item in found])
    return Corbaloc(addresses, keys.pop())


@dataclass(frozen=True, slots=True)
class Corbaname:
    """Hold a corbaname: where a naming context is, and a stringified name in it.

    >>> str(parse_object_url("corbaname::vhost:8002#TDsample::tdtest"))
    'corbaname:iiop:1.0@vhost:8002/NameService#TDsample::tdtest'

    Attributes:
        corbaloc: the naming context; an empty key becomes `NameService`.
        name: a stringified name, not parsed; empty for the context itself.

    Raises:
        ReferenceFormatError: a name that no CORBA string can hold.
    """

    corbaloc: Corbaloc
    name: str = ""

    def __post_init__(self) -> None:
        if not self.corbaloc.object_key:
            object.__setattr__(self, "corbaloc", Corbaloc(self.corbaloc.addresses, DEFAULT_KEY))
        escape_name(self.name)
        if "\0" in self.name:
            raise ReferenceFormatError("a CORBA string holds no NUL", text=self.name, position=self.name.index("\0"))

    def __str__(self) -> str:
        return f"corbaname:{self.corbaloc._location()}" + (f"#{escape_name(self.name)}" if self.name else "")


ObjectURL: TypeAlias = IOR | Corbaloc | Corbaname


def parse_object_url(text: str, *, limits: Limits = DEFAULT_LIMITS) -> ObjectURL:
    """Read a reference in any text form: `IOR:`, `corbaloc:` or `corbaname:`, scheme in any case.

    Never touches the network.

    Args:
        text: white space around it is passed over.
        limits: on what an `IOR:` may cost, and what is let pass in it.

    Raises:
        ReferenceFormatError: with position in `text`.
        DecodeError: the octets of an `IOR:` are no reference; with path and offset.
    """
    if text[:4] == "IOR:":
        return IOR.from_string(text, limits=limits)
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    scheme = _SCHEME.match(text, start)
    kind = scheme[0].lower() if scheme else ""
    if kind == "ior:":
        return IOR.from_string(text, limits=limits)
    if scheme is None or kind not in ("corbaloc:", "corbaname:"):
        what = f"the scheme {kind!r} is not known here" if kind else "this is no reference"
        raise ReferenceFormatError(f"{what}: IOR:, corbaloc: or corbaname: was expected", text=text, position=start)
    reader = _Reader(text)
    if kind == "corbaloc:":
        return reader.corbaloc(scheme.end(), end)
    mark = text.find("#", scheme.end(), end)
    stop = end if mark < 0 else mark
    return Corbaname(reader.corbaloc(scheme.end(), stop), unescape_name(text, min(stop + 1, end), end))


class _Reader:
    """Read parts of one text, given by where they start and end, so that errors know their position."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fail(self, reason: str, position: int) -> NoReturn:
        raise ReferenceFormatError(reason, text=self.text, position=position)

    def corbaloc(self, start: int, end: int) -> Corbaloc:
        slash = self.text.find("/", start, end)
        stop = end if slash < 0 else slash
        addresses: list[Address] = []
        at = start
        while True:
            comma = self.text.find(",", at, stop)
            until = stop if comma < 0 else comma
            addresses.append(self.address(at, until))
            if len(addresses) > 1 and "rir" in (addresses[0].protocol, addresses[-1].protocol):
                self.fail("'rir:' stands alone, it cannot be mixed with other addresses", at)
            if comma < 0:
                break
            at = comma + 1
        return Corbaloc(tuple(addresses), unescape_key(self.text, min(stop + 1, end), end))

    def address(self, start: int, end: int) -> Address:
        match = _PROTOCOL.match(self.text, start, end)
        if match is None:
            found = "nothing" if start == end else repr(self.text[start:end])
            self.fail(f"an address begins with ':', 'iiop:' or 'rir:', here is {found}", start)
        protocol = (match[1] or "iiop").lower()
        if protocol in _VERSIONS:
            return self.iiop(protocol, match.end(), end)
        rest = self.text[match.end() : end]
        if protocol == "rir":
            if rest:
                self.fail("nothing may stand behind 'rir:' but '/' and a name", match.end())
            return Address(protocol)
        if bad := _NOT_IN_ADDRESS.search(self.text, match.end(), end):
            self.fail(f"{bad[0]!r} cannot stand in an address", bad.start())
        if rest.isdecimal() or not rest:
            self.fail(f"{match[1]!r} is no protocol known here; a host has a colon before it: ':{match[1]}'", start)
        return Address(protocol, text=rest)

    def iiop(self, protocol: str, start: int, end: int) -> Address:
        version = _VERSIONS[protocol]
        mark = self.text.find("@", start, end)
        if mark >= 0:
            match = _VERSION.match(self.text, start, end)
            if match is None or match.end() != mark + 1:
                self.fail("a version before '@' is written as 1.2", start)
            version = Version(int(match[1]), int(match[2]))
            if problem := _version_problem(version):
                self.fail(problem, start)
            start = mark + 1
        host_start, host_end, behind = self.host(start, end)
        host = self.text[host_start:host_end]
        if problem := _host_problem(host):
            bad = None if ":" in host else _NOT_IN_HOST.search(self.text, host_start, host_end)
            self.fail(problem, bad.start() if bad else host_start)
        return Address(protocol, host, INS_PORT if behind == end else self.port(behind, end), version)

    def host(self, start: int, end: int) -> tuple[int, int, int]:
        """Return where the host starts and ends, and what is behind it."""
        if self.text.startswith("[", start, end):
            close = self.text.find("]", start, end)
            if close < 0:
                self.fail("the bracket of an IPv6 address is not closed", start)
            if ":" not in self.text[start:close]:
                self.fail("brackets hold an IPv6 address", start)
            return start + 1, close, close + 1
        colon = self.text.find(":", start, end)
        if colon >= 0 and self.text.find(":", colon + 1, end) >= 0:
            self.fail("an IPv6 address stands in brackets: [::1]:2809", start)
        stop = end if colon < 0 else colon
        return start, stop, stop

    def port(self, start: int, end: int) -> int:
        if not self.text.startswith(":", start, end):
            self.fail("':' and a port, or the end of the address, was expected", start)
        digits = self.text[start + 1 : end]
        if not (digits.isascii() and digits.isdecimal()):
            self.fail("a port is a decimal number", start + 1)
        value = digits.lstrip("0") or "0"
        if len(value) > 5 or int(value) > 65535:
            self.fail("a port is at most 65535", start + 1)
        return int(value)

"""Change references: lead them to another address (behind a virtual host, through NAT, to the host that took over), give them
another key, put their profiles in another order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

from iiop import iop
from iiop.cdr import ByteOrder
from iiop.exceptions.errors import DecodeError, ReferenceFormatError
from iiop.iop import ProfileId, TaggedProfile
from iiop.profile import decode_profile, encode_profile
from ior.addresses import Kind, StatedAddress, moved, stated

__all__ = ["AddressMap", "read_address_map", "reordered", "rewritten", "with_key", "with_type_id"]

R = TypeVar("R", bound=iop.IOR)

AddressMap = Callable[[str, int], tuple[str, int]]
"""Returns the address seen from the other side of a network address translation."""


def rewritten(
    reference: R,
    *,
    host: str | None = None,
    port: int | None = None,
    tls_port: int | None = None,
    address_map: AddressMap | None = None,
) -> R:
    """Return a reference whose every IIOP profile leads to another host or port.

    Alternate addresses are moved too, and kept once where they become the same, and so are those that components of security
    and TAO's endpoints state: see `ior.addresses`. Profiles of other kinds, and broken ones, stay as they are.

    Args:
        reference: stays as it is.
        host: name or address, of all; this and the others: None to leave each as it is.
        port: 0 to 65535, of plain addresses; port 0 where the profile has addresses with TLS says that there is no plain one, and
            stays.
        tls_port: of those with TLS.
        address_map: is applied to each address before `host` and the ports.

    Raises:
        EncodeError: the host cannot be written.

    Examples:
        >>> from iiop.endpoints import endpoints
        >>> from ior import IORBuilder
        >>> old = IORBuilder("IDL:A:1.0").iiop("node1", 9000, key=b"k").alternate("node2", 9001).tls(9002).build()
        >>> [str(endpoint) for endpoint in endpoints(rewritten(old, host="vhost"))]
        ['vhost:9000', 'vhost:9001', 'vhost:9002 (TLS)']
    """
    secured = {each.path.partition(".")[0] for each in stated(reference) if each.kind is Kind.secure}

    def move(address: StatedAddress) -> tuple[str, int]:
        new_host, new_port = (address_map or _unmoved)(address.host, address.port)
        wanted = tls_port if address.kind is Kind.secure else port
        if address.port == 0 and address.kind is Kind.profile and address.path in secured:
            wanted = None
        return new_host if host is None else host, new_port if wanted is None else wanted

    return moved(reference, move)


def _unmoved(host: str, port: int) -> tuple[str, int]:
    return host, port


def read_address_map(lines: Iterable[str]) -> AddressMap:
    """Read a map of addresses: in each line an old and a new one, with `=` or white space between.

    An address is `host:port`, `host` (with any port, which stays), or `:port` (of any host, which stays); IPv6 in brackets.
    Of what fits an address, the first of these kinds is taken. Host names are compared without case; `#` begins a comment.

    Raises:
        ReferenceFormatError: a line that says something else.

    >>> translate = read_address_map(["10.0.0.5:8002=203.0.113.7:18002", "10.0.0.5 203.0.113.8", ":2809 = :12809"])
    >>> translate("10.0.0.5", 8002), translate("10.0.0.5", 2809), translate("h", 2809), translate("h", 1)
    (('203.0.113.7', 18002), ('203.0.113.8', 2809), ('h', 12809), ('h', 1))
    """
    table: dict[tuple[str | None, int | None], tuple[str | None, int | None]] = {}
    for line in lines:
        words = line.partition("#")[0].replace("=", " ").split()
        if not words:
            continue
        if len(words) != 2:
            raise ReferenceFormatError("a map of addresses has OLD=NEW in each line, as 10.0.0.5:8002=vhost:8002", text=line)
        (host, port), new = (_half_address(word) for word in words)
        if (host is None) != (new[0] is None) or (port is None) != (new[1] is None):
            reason = "both sides of a map state the same: host, port, or host and port"
            raise ReferenceFormatError(reason, text=line)
        table[host and host.lower(), port] = new

    def translate(host: str, port: int) -> tuple[str, int]:
        name = host.lower()
        for key in ((name, port), (name, None), (None, port)):
            if key in table:
                new_host, new_port = table[key]
                return new_host or host, port if new_port is None else new_port
        return host, port

    return translate


def _half_address(text: str) -> tuple[str | None, int | None]:
    closed = True
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        closed, mark, port = bool(bracket), rest[:1], rest[1:]
    else:
        host, mark, port = text.partition(":")
    sound = closed and mark in ("", ":") and bool(port) == bool(mark) and (host or port)
    if not sound or (port and not (port.isascii() and port.isdecimal() and int(port[:6]) < 65536)):
        raise ReferenceFormatError("an address is host:port, host, or :port of at most 65535; IPv6 in brackets", text=text)
    return host or None, int(port) if port else None


def with_key(reference: R, object_key: bytes) -> R:
    """Return a reference whose every IIOP profile names another object; broken ones stay as they are."""
    return dataclasses.replace(reference, profiles=tuple([_keyed(profile, object_key) for profile in reference.profiles]))


def _keyed(profile: TaggedProfile, object_key: bytes) -> TaggedProfile:
    if profile.tag != ProfileId.TAG_INTERNET_IOP:
        return profile
    try:
        body = decode_profile(profile.profile_data)
    except DecodeError:
        return profile
    return encode_profile(dataclasses.replace(body, object_key=object_key), ByteOrder(profile.profile_data[0]))


def with_type_id(reference: R, type_id: str) -> R:
    """Return a reference with another repository id."""
    return dataclasses.replace(reference, type_id=type_id)


def reordered(reference: R, numbers: Iterable[int]) -> R:
    """Return a reference with its profiles in another order.

    Args:
        reference: stays as it is.
        numbers: of the profiles to come first, from 0; the others follow as they were.

    Raises:
        ReferenceFormatError: there is no such profile, or one is named twice.
    """
    first = list(numbers)
    count = len(reference.profiles)
    if len(set(first)) != len(first) or not all(0 <= number < count for number in first):
        told = ", ".join(str(number + 1) for number in first)
        raise ReferenceFormatError(f"an order names profiles of 1 to {count}, each once, not {told}")
    rest = [number for number in range(count) if number not in first]
    return dataclasses.replace(reference, profiles=tuple([reference.profiles[number] for number in first + rest]))

"""What is wrong with a reference: mistakes that make clients fail, or fail to find out why.

Each finding has a code that stays the same, a severity, a place and what to do about it. Nothing here touches the network: what a
host name resolves to is asked of a function that the caller gives, or not at all.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from iiop.iop import COMPONENTS, ComponentId, ProfileId
from iiop.leniency import STRICT
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import CodeSetComponentInfo, Version
from ior.addresses import Kind, StatedAddress, stated
from ior.profiles import Profile
from ior.reference import IOR
from ior.registry import code_set_name, component_name
from ior.text import display_text

__all__ = ["Finding", "Resolve", "Severity", "check"]


class Severity(enum.StrEnum):
    """Name how bad it is: clients cannot use it, many clients cannot, or it only is worth knowing."""

    error = "error"
    warning = "warning"
    note = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """Tell one thing that is wrong.

    Attributes:
        code: as `loopback-host`; stays the same.
        path: of what it is about, as `profiles[0].components[1]`; empty for the whole.
        message: what is wrong, one line of printable ASCII.
        advice: what to do about it.
        offset: in the octets of the reference, where something is broken.
    """

    code: str
    severity: Severity
    path: str
    message: str
    advice: str
    offset: int | None = None


Resolve = Callable[[str], tuple[str, ...]]
"""Returns the addresses of a host name; raises OSError with the reason if it has none."""

_ONCE = frozenset(
    {
        ComponentId.TAG_ORB_TYPE,
        ComponentId.TAG_CODE_SETS,
        ComponentId.TAG_POLICIES,
        ComponentId.TAG_SSL_SEC_TRANS,
        ComponentId.TAG_CSI_SEC_MECH_LIST,
        ComponentId.TAG_FT_GROUP,
        ComponentId.TAG_FT_PRIMARY,
        ComponentId.TAG_FT_HEARTBEAT_ENABLED,
        ComponentId.TAG_OTS_POLICY,
        ComponentId.TAG_INV_POLICY,
        ComponentId.TAG_RMI_CUSTOM_MAX_STREAM_FORMAT,
        ComponentId.TAG_GROUP,
        ComponentId.TAG_COMPLETE_OBJECT_KEY,
        ComponentId.TAG_ENDPOINT_ID_POSITION,
        ComponentId.TAG_LOCATION_POLICY,
    }
)
"""Tags of which a client takes one in a profile."""

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")
_CONTAINER = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback")
_SHARED = ipaddress.ip_network("100.64.0.0/10")

_OUTSIDE = "let the server state the address that clients reach it by, or use `iortool rewrite`"


def check(reference: IOR, resolve: Resolve | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with a reference, in its order, nothing if all is well.

    Args:
        reference: as it was read; what was broken in it is told too.
        resolve: is asked for the addresses of each host name; None asks nobody.

    Raises:
        EncodeError: the reference is new, and a member does not fit.

    >>> from ior import IORBuilder
    >>> [each.code for each in check(IORBuilder("IDL:A:1.0").iiop("127.0.0.1", 0, key=b"k").build())]
    ['loopback-host', 'port-0', 'no-code-sets']
    """
    return tuple(_findings(reference, resolve))


def _findings(ior: IOR, resolve: Resolve | None) -> Iterator[Finding]:
    yield from _broken(ior)
    if ior.is_nil:
        yield Finding("nil", Severity.error, "", "the nil reference: it leads to no object", "find out who wrote it, and why")
        return
    if not ior.type_id:
        advice = "clients have to ask the object by _is_a before they narrow it"
        yield Finding("no-type", Severity.note, "type_id", "the reference does not say the type of its object", advice)
    if not any(profile.tag == ProfileId.TAG_INTERNET_IOP for profile in ior.profiles):
        advice = "only clients of the same make, or on the same machine, can use it: let the server listen for IIOP"
        yield Finding("no-iiop", Severity.error, "profiles", "no profile is for IIOP", advice)
    addresses = stated(ior)
    seen: dict[Profile, int] = {}
    for number, profile in enumerate(ior.profiles):
        path = f"profiles[{number}]"
        if profile in seen:
            text = f"the same as profiles[{seen[profile]}]"
            yield Finding("duplicate-profile", Severity.warning, path, text, "clients try a dead address twice: remove one")
        seen.setdefault(profile, number)
        own = [each for each in addresses if each.path == path or each.path.startswith(path + ".")]
        yield from _of_addresses(own, resolve)
        if profile.tag == ProfileId.TAG_INTERNET_IOP and profile.error is None:
            yield from _of_iiop(path, profile)


def _broken(ior: IOR) -> Iterator[Finding]:
    broken = ior.problems()
    for error in broken:
        text = display_text(error.reason)
        advice = "`iortool decode --explain` shows the octets; get the reference again from where it came from"
        yield Finding("broken", Severity.error, error.path, text, advice, error.offset)
    told = {error.offset for error in broken}
    for error in ior.problems(Limits(leniency=STRICT)):
        if error.offset in told:
            continue
        code, advice = "not-standard", "other ORBs may refuse it: update the ORB that wrote it"
        if any(error.path == f"profiles[{at}]" and _is_1_0(profile) for at, profile in enumerate(ior.profiles)):
            code, advice = "components-in-1.0", "omniORB refuses it: IIOP 1.0 has no place for components, use 1.1 or 1.2"
        yield Finding(code, Severity.warning, error.path, display_text(error.reason), advice, error.offset)


def _is_1_0(profile: Profile) -> bool:
    return profile.tag == ProfileId.TAG_INTERNET_IOP and profile.error is None and profile.version == Version(1, 0)


# --- addresses --------------------------------------------------------------------------------------------------------


def _of_addresses(addresses: list[StatedAddress], resolve: Resolve | None) -> Iterator[Finding]:
    secured = any(each.kind is Kind.secure and each.port for each in addresses)
    seen: dict[tuple[str, int, bool], str] = {}
    hosts: set[str] = set()
    for address in addresses:
        if address.host not in hosts:
            hosts.add(address.host)
            yield from _of_host(address.path, address.host)
            if resolve is not None and address.host and _literal(address.host) is None:
                yield from _resolved(address.path, address.host, resolve)
        if not address.port and not (address.kind is Kind.profile and secured):
            text = f"port 0 at host {display_text(address.host) or 'without name'}: nobody listens there"
            advice = "let the server listen on a fixed port, or make the reference after it listens"
            yield Finding("port-0", Severity.error, address.path, text, advice)
        place = address.host, address.port, address.kind is Kind.secure
        if place in seen and address.kind is Kind.alternate and "endpoints" not in address.path:
            text = f"the same address as {seen[place]}"
            advice = "clients try a dead address twice: remove one"
            yield Finding("duplicate-address", Severity.warning, address.path, text, advice)
        seen.setdefault(place, address.path)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _of_host(path: str, host: str) -> Iterator[Finding]:
    if not host:
        text = "the host is empty"
        yield Finding("empty-host", Severity.error, path, text, "each client takes it for another machine, or for none: name one")
        return
    address = _literal(host)
    if address is not None:
        yield from _of_address(path, host, "")
    elif host.lower().rstrip(".") in _LOCAL_NAMES:
        text = f"{host} is this machine for every client"
        yield Finding("loopback-host", Severity.warning, path, text, f"only clients on the server's machine reach it: {_OUTSIDE}")
    elif not all(map(_LABEL.fullmatch, host.rstrip(".").split("."))) or len(host) > 253:
        text = f'"{display_text(host)}" cannot be a host name'
        yield Finding("bad-host", Severity.error, path, text, "no resolver knows it: name the host as clients do")
    elif _CONTAINER.fullmatch(host):
        text = f"{host} looks like the id of a container"
        yield Finding("container-host", Severity.warning, path, text, f"only its neighbours know that name: {_OUTSIDE}")


def _of_address(path: str, host: str, name: str) -> Iterator[Finding]:
    """Tell what an address is that not every client can reach; `name` is the host name that it is the address of."""
    address = ipaddress.ip_address(host)
    whole = f"{display_text(name)} is {host}, which is" if name else f"{host} is"
    if address.is_unspecified:
        advice = f"it says where a server listens, not where it is: {_OUTSIDE}"
        yield Finding("unspecified-host", Severity.error, path, f"{whole} no address of a machine", advice)
    elif address.is_loopback:
        advice = f"only clients on the server's machine reach it: {_OUTSIDE}"
        yield Finding("loopback-host", Severity.warning, path, f"{whole} this machine for every client", advice)
    elif address.is_multicast:
        yield Finding("multicast-host", Severity.error, path, f"{whole} a multicast address, and IIOP is over TCP", _OUTSIDE)
    elif address.is_link_local:
        advice = f"only clients on the same network segment reach it: {_OUTSIDE}"
        yield Finding("link-local-host", Severity.warning, path, f"{whole} a link-local address", advice)
    elif address.is_private or (address.version == 4 and address in _SHARED):
        advice = "clients behind a router or NAT do not reach it: `iortool rewrite --map` for those"
        yield Finding("private-host", Severity.note, path, f"{whole} a private address", advice)


def _resolved(path: str, host: str, resolve: Resolve) -> Iterator[Finding]:
    try:
        addresses = resolve(host)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"{display_text(host)} has no address here: {display_text(reason)}"
        yield Finding(
            "unresolvable-host", Severity.error, path, text, f"tell the resolver, or a hosts file, that name, or {_OUTSIDE}"
        )
        return
    if host.lower() not in _LOCAL_NAMES:
        for address in addresses:
            if _literal(address) is not None:
                yield from _of_address(path, address, host)


# --- profiles ---------------------------------------------------------------------------------------------------------


def _of_iiop(path: str, profile: Profile) -> Iterator[Finding]:
    version = profile.version
    if version > Version(1, 2):
        text = f"IIOP {version} is later than any that clients know"
        yield Finding("future-version", Severity.warning, f"{path}.iiop_version", text, "most clients know up to 1.2")
    if not profile.object_key:
        advice = "no server finds an object by it: get the reference again"
        yield Finding("empty-key", Severity.warning, f"{path}.object_key", "the object key is empty", advice)
    tags = Counter(component.tag for component in profile.components)
    for tag, count in tags.items():
        if count > 1 and tag in _ONCE:
            at = [number for number, component in enumerate(profile.components) if component.tag == tag]
            text = f"{component_name(tag)} stands {count} times, where once is the most"
            yield Finding(
                "duplicate-tag", Severity.warning, f"{path}.components[{at[1]}]", text, "clients differ in which they take"
            )
    if ComponentId.TAG_CODE_SETS in tags:
        yield from _of_code_sets(path, profile)
    elif version > Version(1, 0):
        text = "TAG_CODE_SETS is missing: text is ISO 8859-1, and no wide text can be sent"
        yield Finding(
            "no-code-sets", Severity.warning, path, text, "let the server's ORB state its code sets, if other text is sent"
        )
    else:
        text = "IIOP 1.0 has no place for code sets, alternate addresses and TLS"
        yield Finding("version-1.0", Severity.note, f"{path}.iiop_version", text, "use 1.2, if the server speaks it")


def _of_code_sets(path: str, profile: Profile) -> Iterator[Finding]:
    for number, component in enumerate(profile.components):
        if component.tag != ComponentId.TAG_CODE_SETS or component.refusal(DEFAULT_LIMITS) is not None:
            continue
        info: CodeSetComponentInfo = COMPONENTS.decode(component.tag, component.component_data)
        place = f"{path}.components[{number}]"
        for kind, stated_sets in (("char", info.for_char_data), ("wchar", info.for_wchar_data)):
            native = stated_sets.native_code_set
            field = f"{place}.for_{kind}_data.native_code_set"
            if not native and kind == "wchar":
                advice = "calls with wide text end in INV_OBJREF"
                yield Finding("no-wchar", Severity.note, field, "no code set for wide text", advice)
            elif code_set_name(native) is None:
                text = f"{native:#010x} is no {kind} code set known here"
                yield Finding("unknown-code-set", Severity.warning, field, text, "`iortool codesets` lists the registered ones")

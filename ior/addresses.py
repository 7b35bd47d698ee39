"""Every address that a reference states, and references whose addresses are moved.

One walk, for those who look and those who change: IIOP profiles, TAG_ALTERNATE_IIOP_ADDRESS, TAG_SSL_SEC_TRANS, every transport
of TAG_CSI_SEC_MECH_LIST, TAO_TAG_ENDPOINTS. What a client makes of them (TLS or not, port 0) is `iiop.endpoints`; here is what
stands there. Profiles and components that cannot be read, and profiles of other kinds, have no addresses and stay as they are.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from iiop import iop
from iiop.cdr import ByteOrder
from iiop.components import (
    SECIOP_SEC_TRANS,
    SSL,
    TLS_SEC_TRANS,
    CompoundSecMechList,
    DraftCompoundSecMechList,
    DraftTLS_SEC_TRANS,
    SSLVisiBroker,
    TAOEndpoint,
    TAOEndpoints,
    TransportAddress,
)
from iiop.components.vendor_ids import VendorComponentId
from iiop.exceptions.errors import DecodeError
from iiop.iop import COMPONENTS, ComponentId, ProfileId, TaggedComponent, TaggedProfile
from iiop.profile import AlternateAddress, decode_profile, encode_profile

__all__ = ["Kind", "Move", "StatedAddress", "moved", "stated"]


class Kind(enum.StrEnum):
    """Name what an address is."""

    profile = "profile"
    alternate = "alternate"
    secure = "secure"


@dataclass(frozen=True, slots=True)
class StatedAddress:
    """Hold one address as it stands in a reference.

    Attributes:
        path: as `profiles[0].components[1].mechanism_list[0].transport_mech.addresses[0]`.
        kind: of a profile, one more such, or one where TLS (or SECIOP) is spoken.
        host: name or address; where only a port stands, that of the profile.
        port: 0 to 65535.
    """

    path: str
    kind: Kind
    host: str
    port: int


Move = Callable[[StatedAddress], tuple[str, int]]
"""Returns host and port to stand in place of those that are there; where only a port stands, the host is not used."""

R = TypeVar("R", bound=iop.IOR)

_HOLDERS = (
    ComponentId.TAG_ALTERNATE_IIOP_ADDRESS,
    ComponentId.TAG_SSL_SEC_TRANS,
    ComponentId.TAG_CSI_SEC_MECH_LIST,
    ComponentId.TAG_TLS_SEC_TRANS,
    ComponentId.TAG_SECIOP_SEC_TRANS,
    VendorComponentId.TAO_TAG_ENDPOINTS,
)


def stated(reference: iop.IOR) -> tuple[StatedAddress, ...]:
    """Return the addresses of a reference, in the order of its octets.

    >>> from ior import IORBuilder
    >>> for each in stated(IORBuilder().iiop("vhost", 8002, key=b"k").alternate("node2", 9001).tls(8003).build()):
    ...     print(each.path, each.kind, each.host, each.port)
    profiles[0] profile vhost 8002
    profiles[0].components[0] alternate node2 9001
    profiles[0].components[1] secure vhost 8003
    """
    found: list[StatedAddress] = []

    def look(address: StatedAddress) -> tuple[str, int]:
        found.append(address)
        return address.host, address.port

    moved(reference, look)
    return tuple(found)


def moved(reference: R, move: Move) -> R:
    """Return a reference with other addresses; it itself, octet for octet, if none is another.

    Alternate addresses that become the same are kept once.

    Raises:
        EncodeError: a host or port cannot be written.
    """
    profiles = tuple([_profile(f"profiles[{number}]", profile, move) for number, profile in enumerate(reference.profiles)])
    return reference if profiles == reference.profiles else dataclasses.replace(reference, profiles=profiles)


def _profile(path: str, profile: TaggedProfile, move: Move) -> TaggedProfile:
    if profile.tag != ProfileId.TAG_INTERNET_IOP:
        return profile
    try:
        body = decode_profile(profile.profile_data)
    except DecodeError:
        return profile
    host, port = move(StatedAddress(path, Kind.profile, body.host, body.port))
    components: list[TaggedComponent] = []
    for number, component in enumerate(body.components):
        moved_one = _component(f"{path}.components[{number}]", component, body.host, move)
        if moved_one is component or moved_one not in components:
            components.append(moved_one)
    made = dataclasses.replace(body, host=host, port=port, components=tuple(components))
    return profile if made == body else encode_profile(made, ByteOrder(profile.profile_data[0]))


def _component(path: str, component: TaggedComponent, host: str, move: Move) -> TaggedComponent:
    if component.tag not in _HOLDERS:
        return component
    try:
        value = COMPONENTS.decode(component.tag, component.component_data)
    except DecodeError:
        return component
    made = _value(path, value, host, move)
    if made == value:
        return component
    return TaggedComponent(component.tag, COMPONENTS.encode(component.tag, made, ByteOrder(component.component_data[0])))


def _value(path: str, value: Any, host: str, move: Move) -> Any:
    match value:
        case AlternateAddress():
            return AlternateAddress(*move(StatedAddress(path, Kind.alternate, value.host, value.port)))
        case SSL() | SSLVisiBroker() | DraftTLS_SEC_TRANS():
            return dataclasses.replace(value, port=move(StatedAddress(path, Kind.secure, host, value.port))[1])
        case TLS_SEC_TRANS() | SECIOP_SEC_TRANS():
            addresses = [
                TransportAddress(*move(StatedAddress(f"{path}.addresses[{number}]", Kind.secure, each.host_name, each.port)))
                for number, each in enumerate(value.addresses)
            ]
            return dataclasses.replace(value, addresses=tuple(addresses))
        case CompoundSecMechList() | DraftCompoundSecMechList():
            mechanisms: list[Any] = list(value.mechanism_list)
            for number, each in enumerate(mechanisms):
                inner = f"{path}.mechanism_list[{number}].transport_mech"
                mechanisms[number] = dataclasses.replace(each, transport_mech=_component(inner, each.transport_mech, host, move))
            return type(value)(value.stateful, tuple(mechanisms))
        case TAOEndpoints():
            endpoints: list[TAOEndpoint] = []
            for number, each in enumerate(value.endpoints):
                address = StatedAddress(f"{path}.endpoints[{number}]", Kind.alternate, each.host, each.port)
                endpoints.append(TAOEndpoint(*move(address), each.priority))
            return TAOEndpoints(tuple(endpoints))
    return value

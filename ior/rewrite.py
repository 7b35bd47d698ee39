"""Move references to another address: behind a virtual host, or to the host that took over."""

from __future__ import annotations

import dataclasses

from iiop import iop
from iiop.cdr import ByteOrder
from iiop.exceptions import DecodeError
from iiop.iop import COMPONENTS, ComponentId, ProfileId, TaggedComponent, TaggedProfile
from iiop.profile import AlternateAddress, decode_profile, encode_profile

__all__ = ["rewritten"]


def rewritten(reference: iop.IOR, *, host: str | None = None, port: int | None = None) -> iop.IOR:
    """Return a reference whose every IIOP profile leads to another host or port.

    Alternate addresses are moved too, and kept once where they become the same. Profiles of other kinds, and broken ones, stay as
    they are, and so do the addresses that only components of security state.

    Args:
        reference: stays as it is.
        host: name or address; None to leave each as it is.
        port: 0 to 65535; None to leave each as it is.

    Raises:
        EncodeError: the host cannot be written.

    Examples:
        >>> from iiop.endpoints import endpoints
        >>> from ior import IORBuilder
        >>> old = IORBuilder("IDL:A:1.0").iiop("node1", 9000, key=b"k").alternate("node2", 9001).build()
        >>> [str(endpoint) for endpoint in endpoints(rewritten(old, host="vhost"))]
        ['vhost:9000', 'vhost:9001']
    """
    return iop.IOR(reference.type_id, tuple([_profile(profile, host, port) for profile in reference.profiles]))


def _profile(profile: TaggedProfile, host: str | None, port: int | None) -> TaggedProfile:
    if profile.tag != ProfileId.TAG_INTERNET_IOP:
        return profile
    try:
        body = decode_profile(profile.profile_data)
    except DecodeError:
        return profile
    byte_order = ByteOrder(profile.profile_data[0])
    components: list[TaggedComponent] = []
    for component in body.components:
        moved_one = _component(component, host, port, byte_order)
        if moved_one is component or moved_one not in components:
            components.append(moved_one)
    moved = dataclasses.replace(
        body, host=body.host if host is None else host, port=body.port if port is None else port, components=tuple(components)
    )
    return profile if moved == body else encode_profile(moved, byte_order)


def _component(component: TaggedComponent, host: str | None, port: int | None, byte_order: ByteOrder) -> TaggedComponent:
    if component.tag != ComponentId.TAG_ALTERNATE_IIOP_ADDRESS:
        return component
    try:
        address: AlternateAddress = COMPONENTS.decode(component.tag, component.component_data)
    except DecodeError:
        return component
    moved = AlternateAddress(address.host if host is None else host, address.port if port is None else port)
    if moved == address:
        return component
    return TaggedComponent(component.tag, COMPONENTS.encode(component.tag, moved, byte_order))

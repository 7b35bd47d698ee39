"""Where a reference says that its object is reached: every address, and whether TLS is spoken there.

It must not know connections, nor which of the addresses a client takes (`iiop.net.security`).

Source: CORBA 3.3 part 2, clause 9.7.2 "IIOP IOR Profiles" and 10.5 (TAG_CSI_SEC_MECH_LIST, TAG_TLS_SEC_TRANS); CORBA Security
Service 1.8, module SSLIOP (TAG_SSL_SEC_TRANS). As these have it, a port 0 in a profile is no address, and where the target
requires protection its plain addresses do not count, whatever stands there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from iiop.components import (
    SSL,
    TLS_SEC_TRANS,
    AssociationOptions,
    CompoundSecMech,
    DraftCompoundSecMech,
    DraftTLS_SEC_TRANS,
    SSLVisiBroker,
)
from iiop.exceptions.errors import DecodeError
from iiop.iop import COMPONENTS, IOR, ComponentId, ProfileId, TaggedComponent
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import CodeSetComponentInfo, ProfileBody, Version, decode_profile

__all__ = ["Endpoint", "endpoints"]

_PROTECTION = (
    AssociationOptions.Integrity
    | AssociationOptions.Confidentiality
    | AssociationOptions.DetectReplay
    | AssociationOptions.DetectMisordering
    | AssociationOptions.EstablishTrustInTarget
    | AssociationOptions.EstablishTrustInClient
)
"""What no plain connection gives; a target that requires any of these is reached over TLS only."""


class Endpoint(NamedTuple):
    """Say where to send requests for one object: address, key, and what its profile states.

    Attributes:
        version: of IIOP.
        code_sets: those of the server, None if the profile has no TAG_CODE_SETS that can be read.
        tls: whether TLS is spoken there.
    """

    host: str
    port: int
    object_key: bytes
    version: Version
    code_sets: CodeSetComponentInfo | None = None
    tls: bool = False

    def __str__(self) -> str:
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"{address} (TLS)" if self.tls else address


def endpoints(reference: IOR, limits: Limits = DEFAULT_LIMITS) -> tuple[Endpoint, ...]:
    """Return every address of a reference, in order.

    Of each IIOP profile they are its own and its alternates, unless the target requires protection; then those where TLS is
    spoken: of TAG_SSL_SEC_TRANS, then of each mechanism of TAG_CSI_SEC_MECH_LIST. Alternates never speak TLS.
    Profiles and components that cannot be decoded within the limits are passed over, and so is port 0.
    """
    found: dict[Endpoint, None] = {}
    for profile in reference.profiles:
        if profile.tag != ProfileId.TAG_INTERNET_IOP:
            continue
        try:
            body = decode_profile(profile.profile_data, limits=limits)
        except DecodeError:
            continue
        for endpoint in _of_profile(body, limits):
            if endpoint.port:
                found[endpoint] = None
    return tuple(found)


def _of_profile(body: ProfileBody, limits: Limits) -> Iterator[Endpoint]:
    key, version = body.object_key, body.iiop_version
    code_sets: CodeSetComponentInfo | None = None
    plain, secure = [(body.host, body.port)], list[tuple[str, int]]()
    needs_tls = False
    for component in body.components:
        value = _decoded(component, limits)
        match component.tag:
            case ComponentId.TAG_CODE_SETS:
                code_sets = code_sets or value
            case _ if value is None:
                pass
            case ComponentId.TAG_ALTERNATE_IIOP_ADDRESS:
                plain.append((value.host, value.port))
            case ComponentId.TAG_SSL_SEC_TRANS:
                secure += _tls_addresses(value, body.host)
                needs_tls |= _protects(value)
            case ComponentId.TAG_CSI_SEC_MECH_LIST:
                transports = [_transport(mechanism, limits) for mechanism in value.mechanism_list]
                secure += [address for transport in transports for address in _tls_addresses(transport, body.host)]
                needs_tls |= bool(transports) and all(map(_protects, transports))
    if not needs_tls:
        for host, port in plain:
            yield Endpoint(host, port, key, version, code_sets)
    for host, port in secure:
        yield Endpoint(host, port, key, version, code_sets, tls=True)


def _decoded(component: TaggedComponent, limits: Limits) -> Any:
    """Return the value of a component that says where an object is or what is spoken there, None if it is none or broken."""
    if component.tag not in _READ:
        return None
    try:
        return COMPONENTS.decode(component.tag, component.component_data, limits)
    except DecodeError:
        return None


_READ = (
    ComponentId.TAG_CODE_SETS,
    ComponentId.TAG_ALTERNATE_IIOP_ADDRESS,
    ComponentId.TAG_SSL_SEC_TRANS,
    ComponentId.TAG_CSI_SEC_MECH_LIST,
    ComponentId.TAG_TLS_SEC_TRANS,
)

_Transport = SSL | SSLVisiBroker | TLS_SEC_TRANS | DraftTLS_SEC_TRANS


def _transport(mechanism: CompoundSecMech | DraftCompoundSecMech, limits: Limits) -> _Transport | None:
    """Return how TLS is spoken by a mechanism, None if it is not."""
    if mechanism.transport_mech.tag != ComponentId.TAG_TLS_SEC_TRANS:
        return None
    transport: _Transport | None = _decoded(mechanism.transport_mech, limits)
    return transport


def _tls_addresses(transport: _Transport | None, host: str) -> list[tuple[str, int]]:
    """Return where a transport listens; one without addresses of its own listens on the host of the profile."""
    if isinstance(transport, TLS_SEC_TRANS):
        return [(address.host_name, address.port) for address in transport.addresses]
    return [] if transport is None else [(host, transport.port)]


def _protects(transport: _Transport | None) -> bool:
    return transport is not None and bool(transport.target_requires & _PROTECTION)

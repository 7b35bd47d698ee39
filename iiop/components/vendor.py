"""Components and profiles that ORBs have made for themselves, as far as public sources state their layout.

Sources: omniORB 4.3 `constants.cc`, `ior.cc`, `omniConnectionData.idl`; TAO `orbconf.h`, `IIOP_Endpoints.pidl`, `Catior_i.cpp`;
ORBit2 `orbit-specific.idl`; IBM partner version, TAO `Catior_i.cpp` and yoko `Rofl.java`; GlassFish `ORBConstants.java`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import Octet, Short, Switch, ULong, UShort, cdr_type
from iiop.components.vendor_ids import VendorComponentId, VendorProfileId
from iiop.iop import Octets, TaggedComponent, register_component, register_profile
from iiop.profile import Version

__all__ = [
    "GenericIOPProfile",
    "GenericSSL",
    "HostProfile",
    "IBMPartnerVersion",
    "ORBitProfile",
    "OmniORBBiDir",
    "OmniORBHTTP",
    "OmniORBRestrictedConnection",
    "OmniORBUnix",
    "RendezvousProfile",
    "RestrictedConnectionFlags",
    "SCIOPProfile",
    "TAOEndpoint",
    "TAOEndpoints",
]


class RestrictedConnectionFlags(enum.IntFlag):
    """Name the bits of `OmniORBRestrictedConnection.flags`."""

    COMP_DATA_BATCH = 1
    COMP_PERMIT_INTERLEAVED = 2
    COMP_SERVER_HOLD_OPEN = 4


@dataclass(frozen=True, slots=True)
class OmniORBBiDir:
    """Declare TAG_OMNIORB_BIDIR: the address calls back to the client are sent from."""

    sendfrom: str


@dataclass(frozen=True, slots=True)
class OmniORBUnix:
    """Declare TAG_OMNIORB_UNIX_TRANS: the socket file, for clients on that host."""

    host: str
    filename: str


@dataclass(frozen=True, slots=True)
class OmniORBRestrictedConnection:
    """Declare TAG_OMNIORB_RESTRICTED_CONNECTION: how clients may use their connections; `flags` as in the enum above."""

    version: Annotated[int, Octet]
    flags: Annotated[int, UShort]
    connection_id: Annotated[int, ULong]
    max_connections: Annotated[int, ULong]
    max_threads: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class OmniORBHTTP:
    """Declare TAG_OMNIORB_HTTP_TRANS: GIOP over HTTP, at this URL."""

    url: str


@dataclass(frozen=True, slots=True)
class IBMPartnerVersion:
    """Declare the component IBM_PARTNER_VERSION, and the service context 0x49424d12: release of IBM's Java ORB."""

    extended: Annotated[int, UShort]
    major: Annotated[int, UShort]
    minor: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class GenericSSL:
    """Declare ORBit2's TAG_GENERIC_SSL_SEC_TRANS: the service (port or path) that speaks TLS."""

    service: str


@dataclass(frozen=True, slots=True)
class TAOEndpoint:
    """Declare one more address of a TAO profile and its real-time priority; -1 for none. Its IDL has `short port`."""

    host: str
    port: Annotated[int, UShort]
    priority: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class TAOEndpoints:
    """Declare TAO_TAG_ENDPOINTS of IIOP profiles: all addresses, that of the profile too."""

    endpoints: tuple[TAOEndpoint, ...]


_COMPONENTS = Switch({0: None}, default=cdr_type(tuple[TaggedComponent, ...]), on="minor")
"""Version 1.0 of a profile has no place for components."""


@dataclass(frozen=True, slots=True)
class HostProfile:
    """Declare TAO's profiles for datagrams (DIOP) and shared memory (SHMIOP): laid out as IIOP is.

    Attributes:
        components: None in version 1.0.
    """

    major: Annotated[int, Octet]
    minor: Annotated[int, Octet]
    host: str
    port: Annotated[int, UShort]
    object_key: bytes
    components: Annotated[tuple[TaggedComponent, ...] | None, _COMPONENTS]


@dataclass(frozen=True, slots=True)
class RendezvousProfile:
    """Declare TAO's profiles for Unix sockets (UIOP: a path) and for one process (COIOP: a UUID).

    Attributes:
        components: None in version 1.0.
    """

    major: Annotated[int, Octet]
    minor: Annotated[int, Octet]
    rendezvous: str
    object_key: bytes
    components: Annotated[tuple[TaggedComponent, ...] | None, _COMPONENTS]


@dataclass(frozen=True, slots=True)
class SCIOPProfile:
    """Declare TAO's profile for SCTP: several hosts, one port."""

    version: Version
    addresses: tuple[str, ...]
    port: Annotated[int, UShort]
    max_streams: Annotated[int, UShort]
    object_key: bytes
    components: tuple[TaggedComponent, ...]


@dataclass(frozen=True, slots=True)
class ORBitProfile:
    """Declare ORBit2's TAG_ORBIT_SPECIFIC: a Unix socket, and an IPv6 port or 0. Its IDL forgets the version that it writes."""

    version: Version
    unix_sock_path: str
    ipv6_port: Annotated[int, UShort]
    object_key: bytes


@dataclass(frozen=True, slots=True)
class GenericIOPProfile:
    """Declare ORBit2's TAG_GENERIC_IOP: any transport by name; the object key stands in a TAG_COMPLETE_OBJECT_KEY."""

    iiop_version: Version
    protocol: str
    host: str
    service: str
    components: tuple[TaggedComponent, ...]


register_component(VendorComponentId.TAG_OMNIORB_BIDIR, OmniORBBiDir)
register_component(VendorComponentId.TAG_OMNIORB_UNIX_TRANS, OmniORBUnix)
register_component(VendorComponentId.TAG_OMNIORB_PERSISTENT_ID, Octets())
register_component(VendorComponentId.TAG_OMNIORB_RESTRICTED_CONNECTION, OmniORBRestrictedConnection)
register_component(VendorComponentId.TAG_OMNIORB_HTTP_TRANS, OmniORBHTTP)
register_component(VendorComponentId.IBM_PARTNER_VERSION, IBMPartnerVersion)
register_component(VendorComponentId.TAG_GENERIC_SSL_SEC_TRANS, GenericSSL)
register_component(VendorComponentId.TAO_TAG_ENDPOINTS, TAOEndpoints)
register_profile(VendorProfileId.TAG_ORBIT_SPECIFIC, ORBitProfile)
register_profile(VendorProfileId.TAG_GENERIC_IOP, GenericIOPProfile)
register_profile(VendorProfileId.TAO_TAG_UIOP_PROFILE, RendezvousProfile)
register_profile(VendorProfileId.TAO_TAG_COIOP_PROFILE, RendezvousProfile)
register_profile(VendorProfileId.TAO_TAG_SHMEM_PROFILE, HostProfile)
register_profile(VendorProfileId.TAO_TAG_DIOP_PROFILE, HostProfile)
register_profile(VendorProfileId.TAO_TAG_SCIOP_PROFILE, SCIOPProfile)

"""Module CSIIOP: what a target of Common Secure Interoperability (CSIv2) supports and requires, layer by layer.

Knows layouts, and the two GSS forms inside them that are not CDR: object identifiers (DER) and exported names. It must not know
how a context is established (`iiop.service_contexts`).

Source: CORBA 3.3 part 2, clause 10.5 "Conformance Levels and IOR components", IDL modules CSI and CSIIOP; RFC 2743, 3.2 for
exported names. What J2EE SDK 1.3 writes is older than the standard: the names that begin with `Draft` are its shapes, as
GlassFish's tools/ior/README.txt publishes one of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any

from iiop.cdr import ByteOrder, OctetArray, OpenEnum, ULong, UShort
from iiop.exceptions.errors import CodecError, DecodeError, EncodeError
from iiop.iop import ComponentId, Encapsulated, Octets, TaggedComponent, register_component
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "MECHANISMS",
    "AS_ContextSec",
    "CompoundSecMech",
    "CompoundSecMechList",
    "DraftCompoundSecMech",
    "DraftCompoundSecMechList",
    "DraftSAS_ContextSec",
    "DraftTLS_SEC_TRANS",
    "IdentityTypes",
    "SAS_ContextSec",
    "SECIOP_SEC_TRANS",
    "ServiceConfiguration",
    "ServiceConfigurationSyntax",
    "TLS_SEC_TRANS",
    "TransportAddress",
    "exported_name",
    "mechanism_name",
    "object_identifier",
]

MECHANISMS: dict[str, str] = {
    "1.2.840.113554.1.2.2": "Kerberos V5",
    "1.3.6.1.5.6.4": "GSS_NT_Export_Name",
    "2.23.130.1.1.1": "GSSUP",
    "2.23.130.1.2.1": "GSS_NT_Scoped_Username",
}
"""Object identifiers of GSS mechanisms and naming mechanisms to names. `MECHANISMS["1.2.3"] = name` adds one."""


class IdentityTypes(enum.IntFlag):
    """Name the bits of `supported_identity_types` (CSI::IdentityTokenType); no bit: ITTAbsent."""

    ITTAnonymous = 1
    ITTPrincipalName = 2
    ITTX509CertChain = 4
    ITTDistinguishedName = 8


class ServiceConfigurationSyntax(OpenEnum):
    """Name how the name of a privilege authority is spelt."""

    SCS_GeneralNames = 0x0004F4D0
    SCS_GSSExportedName = 0x0004F4D1


@dataclass(frozen=True, slots=True)
class TransportAddress:
    """Declare where a transport mechanism listens."""

    host_name: str
    port: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class TLS_SEC_TRANS:
    """Declare TAG_TLS_SEC_TRANS: the addresses that speak TLS; options as in `AssociationOptions`."""

    target_supports: Annotated[int, UShort]
    target_requires: Annotated[int, UShort]
    addresses: tuple[TransportAddress, ...]


@dataclass(frozen=True, slots=True)
class DraftTLS_SEC_TRANS:
    """Declare TAG_TLS_SEC_TRANS of J2EE SDK 1.3: a port on the host of the profile, as the published decoding reads it.

    Attributes:
        unread: what that decoding passes over. In the one reference it is 00000066 and 00000000, which would be sensible options
            of four octets each.
    """

    target_supports: Annotated[int, UShort]
    target_requires: Annotated[int, UShort]
    port: Annotated[int, UShort]
    unread: Annotated[bytes, OctetArray(8)]


@dataclass(frozen=True, slots=True)
class SECIOP_SEC_TRANS:
    """Declare TAG_SECIOP_SEC_TRANS: the addresses that speak SECIOP, by which mechanism, and the name of the target there."""

    target_supports: Annotated[int, UShort]
    target_requires: Annotated[int, UShort]
    mech_oid: bytes
    target_name: bytes
    addresses: tuple[TransportAddress, ...]


@dataclass(frozen=True, slots=True)
class ServiceConfiguration:
    """Declare one privilege authority."""

    syntax: ServiceConfigurationSyntax
    name: bytes


@dataclass(frozen=True, slots=True)
class AS_ContextSec:
    """Declare how a client authenticates itself above the transport.

    Attributes:
        client_authentication_mech: object identifier in DER, empty for none.
        target_name: exported name, see `exported_name`.
    """

    target_supports: Annotated[int, UShort]
    target_requires: Annotated[int, UShort]
    client_authentication_mech: bytes
    target_name: bytes


@dataclass(frozen=True, slots=True)
class DraftSAS_ContextSec:
    """Declare which names a client may assert, and who vouches for its privileges.

    Attributes:
        supported_naming_mechanisms: object identifiers in DER.
    """

    target_supports: Annotated[int, UShort]
    target_requires: Annotated[int, UShort]
    privilege_authorities: tuple[ServiceConfiguration, ...]
    supported_naming_mechanisms: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SAS_ContextSec(DraftSAS_ContextSec):
    """Declare the same, and which kinds of identities: see `IdentityTypes`."""

    supported_identity_types: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class CompoundSecMech:
    """Declare one way in, of three layers; `transport_mech` is a component of its own, TAG_NULL_TAG for none."""

    target_requires: Annotated[int, UShort]
    transport_mech: TaggedComponent
    as_context_mech: AS_ContextSec
    sas_context_mech: SAS_ContextSec


@dataclass(frozen=True, slots=True)
class CompoundSecMechList:
    """Declare TAG_CSI_SEC_MECH_LIST: the ways in, most wanted first, and whether contexts are kept between requests."""

    stateful: bool
    mechanism_list: tuple[CompoundSecMech, ...]


@dataclass(frozen=True, slots=True)
class DraftCompoundSecMech:
    """Declare one way in, as J2EE SDK 1.3 writes it."""

    target_requires: Annotated[int, UShort]
    transport_mech: TaggedComponent
    as_context_mech: AS_ContextSec
    sas_context_mech: DraftSAS_ContextSec


@dataclass(frozen=True, slots=True)
class DraftCompoundSecMechList:
    """Declare TAG_CSI_SEC_MECH_LIST as J2EE SDK 1.3 writes it."""

    stateful: bool
    mechanism_list: tuple[DraftCompoundSecMech, ...]


def object_identifier(octets: bytes) -> str | None:
    """Return an object identifier in DER as text, None if the octets are no such thing.

    >>> object_identifier(bytes.fromhex("0606678102010101"))
    '2.23.130.1.1.1'
    """
    if len(octets) < 3 or octets[0] != 6 or octets[1] != len(octets) - 2 or octets[1] > 0x7F or octets[-1] & 0x80:
        return None
    arcs: list[int] = []
    arc = 0
    for octet in octets[2:]:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def mechanism_name(octets: bytes) -> str | None:
    """Return the name of a mechanism given by its object identifier in DER; without a name here the identifier itself.

    >>> mechanism_name(bytes.fromhex("06092a864886f712010202"))
    'Kerberos V5'
    """
    dotted = object_identifier(octets)
    return dotted and MECHANISMS.get(dotted, dotted)


def exported_name(octets: bytes) -> tuple[bytes, bytes] | None:
    """Return mechanism (object identifier in DER) and name of a GSS exported name, None if the octets are no such thing.

    >>> exported_name(bytes.fromhex("0401000806066781020101010000000161"))[1]
    b'a'
    """
    behind = 4 + int.from_bytes(octets[2:4], "big")
    name = octets[behind + 4 :]
    if octets[:2] != b"\4\1" or len(octets) < behind + 4 or int.from_bytes(octets[behind : behind + 4], "big") != len(name):
        return None
    return octets[4:behind], name


class _Mechanisms(Encapsulated):
    """Refuse a list of mechanisms as transport of a mechanism: it is none, and of lists in lists there would be no end."""

    def decode(self, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Return the list; raises DecodeError if the octets are laid out otherwise, or a mechanism is another list."""
        value = super().decode(octets, limits)
        self._check(value, DecodeError)
        return value

    def encode(self, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
        """Return the octets of a list; raises EncodeError if it does not fit, or a mechanism is another list."""
        octets = super().encode(value, byte_order)
        self._check(value, EncodeError)
        return octets

    @staticmethod
    def _check(value: CompoundSecMechList | DraftCompoundSecMechList, kind: type[CodecError]) -> None:
        mechanisms: tuple[CompoundSecMech | DraftCompoundSecMech, ...] = value.mechanism_list
        for number, each in enumerate(mechanisms):
            if each.transport_mech.tag == ComponentId.TAG_CSI_SEC_MECH_LIST:
                reason = "TAG_CSI_SEC_MECH_LIST is no transport; TAG_TLS_SEC_TRANS, TAG_SECIOP_SEC_TRANS and TAG_NULL_TAG are"
                raise kind(reason, path=f"mechanism_list[{number}].transport_mech.tag")


register_component(ComponentId.TAG_CSI_SEC_MECH_LIST, _Mechanisms(CompoundSecMechList), _Mechanisms(DraftCompoundSecMechList))
register_component(ComponentId.TAG_NULL_TAG, Octets())
register_component(ComponentId.TAG_SECIOP_SEC_TRANS, SECIOP_SEC_TRANS)
register_component(ComponentId.TAG_TLS_SEC_TRANS, TLS_SEC_TRANS, DraftTLS_SEC_TRANS)

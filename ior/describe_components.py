"""How the values of components and foreign profiles are shown: one `describe.register` a type.

Flags by name, addresses as host:port, GSS mechanisms by name; unnamed bits and numbers as numbers.
"""

from __future__ import annotations

import enum
from typing import Any

from iiop.components.csi import (
    SECIOP_SEC_TRANS,
    TLS_SEC_TRANS,
    AS_ContextSec,
    CompoundSecMech,
    CompoundSecMechList,
    DraftCompoundSecMech,
    DraftCompoundSecMechList,
    DraftSAS_ContextSec,
    DraftTLS_SEC_TRANS,
    IdentityTypes,
    SAS_ContextSec,
    TransportAddress,
    exported_name,
    mechanism_name,
)
from iiop.components.ft import GroupIIOPProfile, TagFTGroup, TagGroup, UIPMC_ProfileBody
from iiop.components.java import JavaCodebase, MaxStreamFormat
from iiop.components.messaging import POLICIES, PolicyType, PolicyValue, PolicyValueSeq
from iiop.components.ots import InvocationPolicyValue, InvPolicy, OTSPolicy, OTSPolicyValue
from iiop.components.ssl import SSL, AssociationOptions, SSLVisiBroker
from iiop.components.vendor import (
    HostProfile,
    IBMPartnerVersion,
    OmniORBRestrictedConnection,
    ORBitProfile,
    RendezvousProfile,
    RestrictedConnectionFlags,
    TAOEndpoint,
    TAOEndpoints,
)
from iiop.endpoints import endpoints
from iiop.exceptions.errors import DecodeError
from iiop.iop import IOR, ComponentId, TaggedComponent
from ior.describe import address_text, describe, tag_text
from ior.profiles import Component
from ior.registry import code_set_name, orb_type_name
from ior.text import display, display_text

__all__ = ["flag_names", "name_text", "number_name"]


def flag_names(kind: type[enum.IntFlag], value: int) -> str:
    """Return the names of the bits of `value`, unnamed ones as one number; `none` for 0.

    >>> flag_names(AssociationOptions, 0x4042)
    'Integrity+EstablishTrustInClient+0x4000'
    """
    names = [flag.name or hex(flag) for flag in kind if value & flag]
    rest = value & ~sum(kind)
    if rest:
        names.append(hex(rest))
    return "+".join(names) or "none"


def number_name(member: str, value: int) -> str | None:
    """Return the name of what a number stands for, None if it has none; `member` is that of the IDL that holds it.

    >>> number_name("native_code_set", 0x05010001), number_name("port", 80)
    ('UTF-8', None)
    """
    if member == "orb_type":
        return orb_type_name(value)
    if member in ("native_code_set", "conversion_code_sets"):
        return code_set_name(value)
    return flag_names(AssociationOptions, value) if member in ("target_supports", "target_requires") else None


def _options(value: Any) -> str:
    """Return what a layer supports and requires."""
    supports, requires = (flag_names(AssociationOptions, flags) for flags in (value.target_supports, value.target_requires))
    return f"supports {supports}, requires {requires}"


def _named(kind: type[enum.IntEnum], value: int) -> str:
    return next((member.name for member in kind if member == value), str(value))


def name_text(octets: bytes) -> str:
    """Return a GSS exported name."""
    exported = exported_name(octets)
    return f'"{display(exported[1])}"' if exported else describe(octets)


def _mechanism(octets: bytes) -> str:
    return mechanism_name(octets) or describe(octets)


# --- security ---------------------------------------------------------------------------------------------------------


@describe.register
def _(value: SSL | SSLVisiBroker | DraftTLS_SEC_TRANS) -> str:
    return f"port {value.port}, {_options(value)}"


@describe.register
def _(value: TransportAddress) -> str:
    return address_text(value.host_name, value.port)


def _addresses(addresses: tuple[Any, ...]) -> str:
    return ", ".join(map(describe, addresses)) or "no address"


@describe.register
def _(value: TLS_SEC_TRANS) -> str:
    return f"{_addresses(value.addresses)}, {_options(value)}"


@describe.register
def _(value: SECIOP_SEC_TRANS) -> str:
    where = f"{_addresses(value.addresses)}, {_options(value)}"
    return f"{where}, mechanism {_mechanism(value.mech_oid)}, target name {name_text(value.target_name)}"


@describe.register
def _(value: AS_ContextSec) -> str:
    if not value.client_authentication_mech:
        return "none" if not value.target_supports | value.target_requires else _options(value)
    return f"{_mechanism(value.client_authentication_mech)}, target name {name_text(value.target_name)}, {_options(value)}"


@describe.register
def _(value: DraftSAS_ContextSec) -> str:
    text = _options(value)
    if isinstance(value, SAS_ContextSec):
        text += f", identity types {flag_names(IdentityTypes, value.supported_identity_types)}"
    if value.supported_naming_mechanisms:
        text += f", naming mechanisms {', '.join(map(_mechanism, value.supported_naming_mechanisms))}"
    if value.privilege_authorities:
        text += f", privilege authorities {describe(value.privilege_authorities)}"
    return text


@describe.register
def _(value: CompoundSecMech | DraftCompoundSecMech) -> str:
    transport = "none" if value.transport_mech.tag == ComponentId.TAG_NULL_TAG else describe(value.transport_mech)
    return (
        f"requires {flag_names(AssociationOptions, value.target_requires)}; transport: {transport}; "
        f"client authentication: {describe(value.as_context_mech)}; attributes: {describe(value.sas_context_mech)}"
    )


@describe.register
def _(value: CompoundSecMechList | DraftCompoundSecMechList) -> str:
    mechanisms = "; ".join(f"[{number}] {describe(item)}" for number, item in enumerate(value.mechanism_list, 1))
    return f"{'stateful' if value.stateful else 'stateless'}; {mechanisms or 'no mechanisms'}"


# --- groups, transactions, policies, Java -----------------------------------------------------------------------------


@describe.register
def _(value: TagFTGroup) -> str:
    return (
        f'group {value.object_group_id} of domain "{display_text(value.ft_domain_id)}", '
        f"reference version {value.object_group_ref_version}, FT {value.version}"
    )


@describe.register
def _(value: TagGroup) -> str:
    return (
        f'group {value.object_group_id} of domain "{display_text(value.group_domain_id)}", '
        f"reference version {value.object_group_ref_version}, MIOP {value.group_version}"
    )


@describe.register
def _(value: UIPMC_ProfileBody) -> str:
    return f"MIOP {value.miop_version}, {address_text(value.the_address, value.the_port)}{_components(value.components)}"


@describe.register
def _(value: GroupIIOPProfile) -> str:
    return f"IIOP profile {describe(value.profile_data)}"


@describe.register
def _(value: OTSPolicy) -> str:
    return _named(OTSPolicyValue, value.value)


@describe.register
def _(value: InvPolicy) -> str:
    return _named(InvocationPolicyValue, value.value)


@describe.register
def _(value: JavaCodebase) -> str:
    return f'"{display_text(value.codebase)}"'


@describe.register
def _(value: MaxStreamFormat) -> str:
    return f"version {value.version}"


_MODES: dict[int, tuple[str, ...]] = {
    PolicyType.REBIND_POLICY_TYPE: ("TRANSPARENT", "NO_REBIND", "NO_RECONNECT"),
    PolicyType.SYNC_SCOPE_POLICY_TYPE: ("SYNC_NONE", "SYNC_WITH_TRANSPORT", "SYNC_WITH_SERVER", "SYNC_WITH_TARGET"),
    PolicyType.BIDIRECTIONAL_POLICY_TYPE: ("NORMAL", "BOTH"),
}


class _Ordering(enum.IntFlag):
    ORDER_ANY = 1
    ORDER_TEMPORAL = 2
    ORDER_PRIORITY = 4
    ORDER_DEADLINE = 8


@describe.register
def _(value: PolicyValue) -> str:
    name = display_text(value.ptype.name)
    try:
        said = POLICIES.decode(value.ptype, value.pvalue)
    except (KeyError, DecodeError):
        return f"{name} {describe(value.pvalue)}"
    modes = _MODES.get(value.ptype, ())
    if value.ptype is PolicyType.QUEUE_ORDER_POLICY_TYPE:
        return f"{name} {flag_names(_Ordering, said)}"
    return f"{name} {modes[said] if modes and 0 <= said < len(modes) else describe(said)}"


@describe.register
def _(value: PolicyValueSeq) -> str:
    return ", ".join(map(describe, value.policies)) or "no policies"


# --- vendors ----------------------------------------------------------------------------------------------------------


@describe.register
def _(value: OmniORBRestrictedConnection) -> str:
    return (
        f"connection id {value.connection_id}, at most {value.max_connections} connections of {value.max_threads} threads, "
        f"flags {flag_names(RestrictedConnectionFlags, value.flags)}, version {value.version}"
    )


@describe.register
def _(value: IBMPartnerVersion) -> str:
    return f"major {value.major:#06x}, minor {value.minor:#06x}, extended {value.extended:#06x}"


@describe.register
def _(value: TAOEndpoint) -> str:
    where = address_text(value.host, value.port)
    return where if value.priority == -1 else f"{where} priority {value.priority}"


@describe.register
def _(value: TAOEndpoints) -> str:
    return _addresses(value.endpoints)


@describe.register
def _(value: HostProfile) -> str:
    where = address_text(value.host, value.port)
    return f"version {value.major}.{value.minor}, {where}, key {_key(value.object_key)}{_components(value.components)}"


@describe.register
def _(value: RendezvousProfile) -> str:
    where = f'"{display_text(value.rendezvous)}"'
    return f"version {value.major}.{value.minor}, {where}, key {_key(value.object_key)}{_components(value.components)}"


@describe.register
def _(value: ORBitProfile) -> str:
    port = f", IPv6 port {value.ipv6_port}" if value.ipv6_port else ""
    return f'version {value.version}, Unix socket "{display_text(value.unix_sock_path)}"{port}, key {_key(value.object_key)}'


def _key(octets: bytes) -> str:
    return f'"{display(octets)}"'


def _components(components: tuple[TaggedComponent, ...] | None) -> str:
    return "".join(f", {describe(component)}" for component in components or ())


# --- what stands inside others ----------------------------------------------------------------------------------------


@describe.register
def _(value: TaggedComponent) -> str:
    component = Component(value.tag, value.component_data)
    return f"{tag_text(component.name, value.tag)}: {describe(component.value)}"


@describe.register
def _(value: IOR) -> str:
    if value.is_nil:
        return "nil"
    where = ", ".join(map(str, endpoints(value)))
    return f'reference "{display_text(value.type_id)}" at {display_text(where) or "no IIOP address"}'

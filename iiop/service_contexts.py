"""What service contexts hold beyond those of plain IIOP: transactions, security, fault tolerance, real time, Java.

Importing this module registers them all with `iiop.iop.register_service_context`; `iiop.giop` imports it. It knows layouts
only: what a context does to a request is for the layers above.

UnknownExceptionInfo stays octets: it holds a Java exception as a value type.

Source: CORBA 3.3 part 2, clause 7.7 "Service Context", 10.2 "Protocol Message Definitions" (SAS); Transaction Service 1.4, FT
CORBA, Real-time CORBA 1.2, Java Language to IDL Mapping 1.3; IDL modules CosTransactions, FT, RTCORBA and CSI. Vendors: omniORB
`omniConnectionData.idl`, yoko `Rofl.java`, TAO `orbconf.h`, JacORB `ORBConstants.java`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Annotated

from iiop.cdr import (
    Boolean,
    Long,
    Octet,
    OctetSequence,
    OpenEnum,
    Short,
    Switch,
    ULong,
    ULongLong,
    UShort,
    cdr_type,
)
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.wide import WString
from iiop.components.messaging import PolicyValueSeq, PriorityBand
from iiop.components.vendor import IBMPartnerVersion
from iiop.iop import IOR, Octets, ServiceId, register_service_context

__all__ = [
    "AuthorizationElement",
    "CompleteEstablishContext",
    "ContextError",
    "EstablishContext",
    "FTGroupVersion",
    "FTRequest",
    "IdentityToken",
    "IdentityTokenType",
    "MessageInContext",
    "MsgType",
    "OmniORBServiceData",
    "PropagationContext",
    "RMICustomMaxStreamFormat",
    "RTCorbaPriority",
    "SASContextBody",
    "SendingContextRunTime",
    "TransIdentity",
    "VendorServiceId",
    "otid_t",
    "service_context_name",
]


class VendorServiceId(enum.IntEnum):
    """Name service contexts of vendors."""

    OMNIORB_RESTRICTED_CONNECTION = 0x41545404
    IBM_PARTNER_VERSION = 0x49424D12
    SERVICE_PADDING_CONTEXT = 0x4A414301
    SERVICE_PROXY_CONTEXT = 0x4A414302
    TAO_SVC_CONTEXT_ALIGN = 0x54414F00


_NAMES = {int(member): member.name for kind in (ServiceId, VendorServiceId) for member in kind}


def service_context_name(context_id: int) -> str | None:
    """Return the name of a service context, None if it has none here.

    >>> service_context_name(15), service_context_name(0x4A414302), service_context_name(99)
    ('SecurityAttributeService', 'SERVICE_PROXY_CONTEXT', None)
    """
    return _NAMES.get(context_id)


# --- transactions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class otid_t:
    """Declare a transaction id: of X/Open's XID the format, the length of the branch qualifier, and both parts in `tid`."""

    formatID: Annotated[int, Long]  # noqa: N815
    bqual_length: Annotated[int, Long]
    tid: bytes


@dataclass(frozen=True, slots=True)
class TransIdentity:
    """Declare a transaction: its Coordinator and Terminator, which may be nil, and its id."""

    coord: IOR
    term: IOR
    otid: otid_t


@dataclass(frozen=True, slots=True)
class PropagationContext:
    """Declare the TransactionService context.

    Attributes:
        timeout: seconds, 0 for none.
        current: the transaction of the request.
        parents: those around it, innermost first.
        implementation_specific_data: what the two transaction services, if they are of one make, tell each other.
    """

    timeout: Annotated[int, ULong]
    current: TransIdentity
    parents: tuple[TransIdentity, ...]
    implementation_specific_data: CORBAAny


# --- security attribute service ---------------------------------------------------------------------------------------


class MsgType(enum.IntEnum):
    """Name the messages of the Security Attribute Service (CSI::MsgType)."""

    MTEstablishContext = 0
    MTCompleteEstablishContext = 1
    MTContextError = 4
    MTMessageInContext = 5


class IdentityTokenType(OpenEnum):
    """Name the forms of an asserted identity."""

    ITTAbsent = 0
    ITTAnonymous = 1
    ITTPrincipalName = 2
    ITTX509CertChain = 4
    ITTDistinguishedName = 8


@dataclass(frozen=True, slots=True)
class AuthorizationElement:
    """Declare a privilege; type 0x4f4d1 (OMGVMCID | 1) is a chain of X.509 attribute certificates."""

    the_type: Annotated[int, ULong]
    the_element: bytes


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """Declare the union that says on whose behalf the caller acts: a boolean for ITTAbsent and ITTAnonymous, else octets."""

    discriminator: IdentityTokenType
    value: Annotated[
        bool | bytes,
        Switch({IdentityTokenType.ITTAbsent: Boolean, IdentityTokenType.ITTAnonymous: Boolean}, default=OctetSequence),
    ]


@dataclass(frozen=True, slots=True)
class EstablishContext:
    """Declare what a client says first. The token may hold a password: `repr` does not show it.

    Attributes:
        client_context_id: 0 for a context of this request only.
    """

    client_context_id: Annotated[int, ULongLong]
    authorization_token: tuple[AuthorizationElement, ...]
    identity_token: IdentityToken
    client_authentication_token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CompleteEstablishContext:
    """Declare that the server has accepted a context."""

    client_context_id: Annotated[int, ULongLong]
    context_stateful: bool
    final_context_token: bytes


@dataclass(frozen=True, slots=True)
class ContextError:
    """Declare that the server has refused a context; the system exception of the reply is NO_PERMISSION."""

    client_context_id: Annotated[int, ULongLong]
    major_status: Annotated[int, Long]
    minor_status: Annotated[int, Long]
    error_token: bytes


@dataclass(frozen=True, slots=True)
class MessageInContext:
    """Declare that a request belongs to a context established before."""

    client_context_id: Annotated[int, ULongLong]
    discard_context: bool


@dataclass(frozen=True, slots=True)
class SASContextBody:
    """Declare the SecurityAttributeService context, a union; see `MsgType`."""

    discriminator: Annotated[int, Short]
    value: Annotated[
        EstablishContext | CompleteEstablishContext | ContextError | MessageInContext,
        Switch(
            {
                MsgType.MTEstablishContext.value: cdr_type(EstablishContext),
                MsgType.MTCompleteEstablishContext.value: cdr_type(CompleteEstablishContext),
                MsgType.MTContextError.value: cdr_type(ContextError),
                MsgType.MTMessageInContext.value: cdr_type(MessageInContext),
            }
        ),
    ]


# --- the others -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendingContextRunTime:
    """Declare the context of that name: a SendingContext::CodeBase, asked for what the sender's value types look like."""

    codebase: IOR


@dataclass(frozen=True, slots=True)
class FTGroupVersion:
    """Declare FT_GROUP_VERSION: how old the client's reference to the group is."""

    object_group_ref_version: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class FTRequest:
    """Declare FT_REQUEST: a request is the same if client and retention id are; kept until the time (see `UtcT.time`)."""

    client_id: str
    retention_id: Annotated[int, Long]
    expiration_time: Annotated[int, ULongLong]


@dataclass(frozen=True, slots=True)
class RTCorbaPriority:
    """Declare how urgent the request is."""

    priority: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class RMICustomMaxStreamFormat:
    """Declare the newest format of custom-marshalled values that the sender reads."""

    version: Annotated[int, Octet]


@dataclass(frozen=True, slots=True)
class OmniORBServiceData:
    """Declare OMNIORB_RESTRICTED_CONNECTION; flag 1: the server holds the connection open."""

    version: Annotated[int, Octet]
    flags: Annotated[int, UShort]
    connection_id: Annotated[int, ULong]
    max_threads: Annotated[int, ULong]


register_service_context(ServiceId.TransactionService, PropagationContext)
register_service_context(ServiceId.SendingContextRunTime, SendingContextRunTime)
register_service_context(ServiceId.INVOCATION_POLICIES, PolicyValueSeq)
register_service_context(ServiceId.UnknownExceptionInfo, Octets())
register_service_context(ServiceId.RTCorbaPriority, RTCorbaPriority)
register_service_context(ServiceId.RTCorbaPriorityRange, PriorityBand)
register_service_context(ServiceId.FT_GROUP_VERSION, FTGroupVersion)
register_service_context(ServiceId.FT_REQUEST, FTRequest)
register_service_context(ServiceId.ExceptionDetailMessage, Annotated[str, WString])
register_service_context(ServiceId.SecurityAttributeService, SASContextBody)
register_service_context(ServiceId.RMICustomMaxStreamFormat, RMICustomMaxStreamFormat)
register_service_context(VendorServiceId.OMNIORB_RESTRICTED_CONNECTION, OmniORBServiceData)
register_service_context(VendorServiceId.IBM_PARTNER_VERSION, IBMPartnerVersion)

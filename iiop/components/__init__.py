"""What tagged components and profiles hold, beyond those of plain IIOP (`iiop.profile`): one module a subject.

Importing this package registers them all, with `iiop.iop.register_component` and `register_profile`; `ior` imports it. A layout
is declared only where a public source states it; every other tag keeps its octets.
"""

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
    SAS_ContextSec,
    ServiceConfiguration,
    TransportAddress,
)
from iiop.components.dce import EndpointIdPosition, LocationPolicy
from iiop.components.ft import (
    GroupIIOPProfile,
    TagFTGroup,
    TagFTHeartbeatEnabled,
    TagFTPrimary,
    TagGroup,
    UIPMC_ProfileBody,
)
from iiop.components.java import JavaCodebase, MaxStreamFormat
from iiop.components.messaging import POLICIES, PolicyValue, PolicyValueSeq, register_policy
from iiop.components.ots import InvPolicy, OTSPolicy
from iiop.components.ssl import SSL, AssociationOptions, SSLVisiBroker, tls_port
from iiop.components.vendor import (
    GenericIOPProfile,
    GenericSSL,
    HostProfile,
    IBMPartnerVersion,
    OmniORBBiDir,
    OmniORBHTTP,
    OmniORBRestrictedConnection,
    OmniORBUnix,
    ORBitProfile,
    RendezvousProfile,
    SCIOPProfile,
    TAOEndpoint,
    TAOEndpoints,
)

__all__ = [
    "AS_ContextSec",
    "AssociationOptions",
    "CompoundSecMech",
    "CompoundSecMechList",
    "DraftCompoundSecMech",
    "DraftCompoundSecMechList",
    "DraftSAS_ContextSec",
    "DraftTLS_SEC_TRANS",
    "EndpointIdPosition",
    "GenericIOPProfile",
    "GenericSSL",
    "GroupIIOPProfile",
    "HostProfile",
    "IBMPartnerVersion",
    "InvPolicy",
    "JavaCodebase",
    "LocationPolicy",
    "MaxStreamFormat",
    "ORBitProfile",
    "OTSPolicy",
    "OmniORBBiDir",
    "OmniORBHTTP",
    "OmniORBRestrictedConnection",
    "OmniORBUnix",
    "POLICIES",
    "PolicyValue",
    "PolicyValueSeq",
    "RendezvousProfile",
    "SAS_ContextSec",
    "SCIOPProfile",
    "SECIOP_SEC_TRANS",
    "SSL",
    "SSLVisiBroker",
    "ServiceConfiguration",
    "TAOEndpoint",
    "TAOEndpoints",
    "TLS_SEC_TRANS",
    "TagFTGroup",
    "TagFTHeartbeatEnabled",
    "TagFTPrimary",
    "TagGroup",
    "TransportAddress",
    "UIPMC_ProfileBody",
    "register_policy",
    "tls_port",
]

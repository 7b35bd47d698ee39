"""What tagged components and profiles hold, beyond those of plain IIOP (`iiop.profile`): one module a subject.

Importing this package tells `iiop.iop.COMPONENTS` and `PROFILES` which module registers which tag; a module is imported when one
of its tags, or one of its names here, is asked for. `ior` imports the package. A layout is declared only where a public source
states it; every other tag keeps its octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iiop.components.vendor_ids import VendorComponentId, VendorProfileId
from iiop.iop import COMPONENTS, PROFILES, ComponentId, ProfileId
from iiop.late import late_names

if TYPE_CHECKING:
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

_Tag, _Vendor = ComponentId, VendorComponentId
_LATE: dict[str, tuple[int, ...]] = {
    "ssl": (_Tag.TAG_SSL_SEC_TRANS,),
    "csi": (_Tag.TAG_CSI_SEC_MECH_LIST, _Tag.TAG_NULL_TAG, _Tag.TAG_SECIOP_SEC_TRANS, _Tag.TAG_TLS_SEC_TRANS),
    "vendor": (
        *(tag for tag in _Vendor if "OMNIORB" in tag.name),
        *(_Vendor.IBM_PARTNER_VERSION, _Vendor.TAG_GENERIC_SSL_SEC_TRANS, _Vendor.TAO_TAG_ENDPOINTS),
    ),
    "ft": (_Tag.TAG_FT_GROUP, _Tag.TAG_FT_PRIMARY, _Tag.TAG_FT_HEARTBEAT_ENABLED, _Tag.TAG_GROUP, _Tag.TAG_GROUP_IIOP),
    "messaging": (_Tag.TAG_POLICIES,),
    "java": (_Tag.TAG_JAVA_CODEBASE, _Tag.TAG_RMI_CUSTOM_MAX_STREAM_FORMAT),
    "ots": (_Tag.TAG_OTS_POLICY, _Tag.TAG_INV_POLICY),
    "dce": (_Tag.TAG_COMPLETE_OBJECT_KEY, _Tag.TAG_ENDPOINT_ID_POSITION, _Tag.TAG_LOCATION_POLICY),
}
"""The components that each module registers."""

for _module, _tags in _LATE.items():
    COMPONENTS.register_late(f"{__name__}.{_module}", *_tags)
PROFILES.register_late(f"{__name__}.vendor", *VendorProfileId)
PROFILES.register_late(f"{__name__}.ft", ProfileId.TAG_UIPMC)

__getattr__ = late_names(__name__, __all__, _LATE)

"""Module Messaging: policies that travel, in references (TAG_POLICIES) and in requests (INVOCATION_POLICIES).

What the octets of a policy are is told to the registry `POLICIES`, as those of a component are told to `iiop.iop.COMPONENTS`.

Source: CORBA 3.3 part 1, clause 17 "CORBA Messaging", part 2, clause 7.6.6.3 "TAG_POLICIES"; IDL modules Messaging, RTCORBA,
BiDirPolicy, ZIOP and Compression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import OpenEnum, Short, ULong, ULongLong, UShort
from iiop.iop import ComponentId, Registry, register_component

__all__ = [
    "POLICIES",
    "CompressorIdLevel",
    "PolicyType",
    "PolicyValue",
    "PolicyValueSeq",
    "PriorityBand",
    "PriorityModel",
    "PriorityModelPolicy",
    "PriorityRange",
    "UtcT",
    "register_policy",
]


class PolicyType(OpenEnum):
    """Name the policies that may travel."""

    REBIND_POLICY_TYPE = 23
    SYNC_SCOPE_POLICY_TYPE = 24
    REQUEST_PRIORITY_POLICY_TYPE = 25
    REPLY_PRIORITY_POLICY_TYPE = 26
    REQUEST_START_TIME_POLICY_TYPE = 27
    REQUEST_END_TIME_POLICY_TYPE = 28
    REPLY_START_TIME_POLICY_TYPE = 29
    REPLY_END_TIME_POLICY_TYPE = 30
    RELATIVE_REQ_TIMEOUT_POLICY_TYPE = 31
    RELATIVE_RT_TIMEOUT_POLICY_TYPE = 32
    ROUTING_POLICY_TYPE = 33
    MAX_HOPS_POLICY_TYPE = 34
    QUEUE_ORDER_POLICY_TYPE = 35
    BIDIRECTIONAL_POLICY_TYPE = 37
    PRIORITY_MODEL_POLICY_TYPE = 40
    THREADPOOL_POLICY_TYPE = 41
    SERVER_PROTOCOL_POLICY_TYPE = 42
    CLIENT_PROTOCOL_POLICY_TYPE = 43
    PRIVATE_CONNECTION_POLICY_TYPE = 44
    PRIORITY_BANDED_CONNECTION_POLICY_TYPE = 45
    REQUEST_DURATION_POLICY = 47
    HEARTBEAT_POLICY = 48
    HEARTBEAT_ENABLED_POLICY = 49
    COMPRESSION_ENABLING_POLICY_ID = 64
    COMPRESSOR_ID_LEVEL_LIST_POLICY_ID = 65
    COMPRESSION_LOW_VALUE_POLICY_ID = 66
    COMPRESSION_MIN_RATIO_POLICY_ID = 67


class PriorityModel(OpenEnum):
    """Name who says how urgent a request is."""

    CLIENT_PROPAGATED = 0
    SERVER_DECLARED = 1


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Declare one policy: its type, and the octets of its value, an encapsulation (see `POLICIES`)."""

    ptype: PolicyType
    pvalue: bytes


@dataclass(frozen=True, slots=True)
class PolicyValueSeq:
    """Declare TAG_POLICIES and the INVOCATION_POLICIES service context."""

    policies: tuple[PolicyValue, ...]


@dataclass(frozen=True, slots=True)
class PriorityRange:
    """Declare the least and the greatest of priorities."""

    min: Annotated[int, Short]
    max: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class UtcT:
    """Declare a point in time (TimeBase::UtcT): units of 100 ns since 15 October 1582, inaccuracy of 48 bits, minutes east."""

    time: Annotated[int, ULongLong]
    inacclo: Annotated[int, ULong]
    inacchi: Annotated[int, UShort]
    tdf: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class PriorityModelPolicy:
    """Declare the real-time policy of that name."""

    priority_model: PriorityModel
    server_priority: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class PriorityBand:
    """Declare a band of real-time priorities."""

    low: Annotated[int, Short]
    high: Annotated[int, Short]


@dataclass(frozen=True, slots=True)
class CompressorIdLevel:
    """Declare a compressor the server has, and its level."""

    compressor_id: Annotated[int, UShort]
    compression_level: Annotated[int, UShort]


POLICIES = Registry("policy")
register_policy = POLICIES.register

for _type in (PolicyType.REBIND_POLICY_TYPE, PolicyType.SYNC_SCOPE_POLICY_TYPE):
    register_policy(_type, Annotated[int, Short])
for _type in (PolicyType.REQUEST_PRIORITY_POLICY_TYPE, PolicyType.REPLY_PRIORITY_POLICY_TYPE, PolicyType.ROUTING_POLICY_TYPE):
    register_policy(_type, PriorityRange)
for _type in (
    PolicyType.REQUEST_START_TIME_POLICY_TYPE,
    PolicyType.REQUEST_END_TIME_POLICY_TYPE,
    PolicyType.REPLY_START_TIME_POLICY_TYPE,
    PolicyType.REPLY_END_TIME_POLICY_TYPE,
):
    register_policy(_type, UtcT)
for _type in (PolicyType.RELATIVE_REQ_TIMEOUT_POLICY_TYPE, PolicyType.RELATIVE_RT_TIMEOUT_POLICY_TYPE):
    register_policy(_type, Annotated[int, ULongLong])
for _type in (PolicyType.MAX_HOPS_POLICY_TYPE, PolicyType.QUEUE_ORDER_POLICY_TYPE, PolicyType.BIDIRECTIONAL_POLICY_TYPE):
    register_policy(_type, Annotated[int, UShort])
register_policy(PolicyType.PRIORITY_MODEL_POLICY_TYPE, PriorityModelPolicy)
register_policy(PolicyType.PRIORITY_BANDED_CONNECTION_POLICY_TYPE, tuple[PriorityBand, ...])
register_policy(PolicyType.COMPRESSION_ENABLING_POLICY_ID, bool)
register_policy(PolicyType.COMPRESSOR_ID_LEVEL_LIST_POLICY_ID, tuple[CompressorIdLevel, ...])

register_component(ComponentId.TAG_POLICIES, PolicyValueSeq)

"""Module CosTransactions: what an object does with the transaction of its caller.

Source: Transaction Service 1.4, IDL module CosTransactions.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import UShort
from iiop.iop import ComponentId, register_component

__all__ = ["InvPolicy", "InvocationPolicyValue", "OTSPolicy", "OTSPolicyValue"]


class OTSPolicyValue(enum.IntEnum):
    """Name whether an object wants a transaction."""

    REQUIRES = 1
    FORBIDS = 2
    ADAPTS = 3


class InvocationPolicyValue(enum.IntEnum):
    """Name whose transaction it is."""

    EITHER = 0
    SHARED = 1
    UNSHARED = 2


@dataclass(frozen=True, slots=True)
class OTSPolicy:
    """Declare TAG_OTS_POLICY; see `OTSPolicyValue`."""

    value: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class InvPolicy:
    """Declare TAG_INV_POLICY; see `InvocationPolicyValue`."""

    value: Annotated[int, UShort]


register_component(ComponentId.TAG_OTS_POLICY, OTSPolicy)
register_component(ComponentId.TAG_INV_POLICY, InvPolicy)

"""Components of the DCE protocol that any profile may carry.

Source: CORBA 3.0, chapter 16 "The DCE ESIOP", IDL module IOP (DCE part). ORBit2 puts the bare key into TAG_COMPLETE_OBJECT_KEY,
with no encapsulation around it (tests/vectors/iors.jsonl), so that stays octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import Octet, UShort
from iiop.iop import ComponentId, Octets, register_component

__all__ = ["EndpointIdPosition", "LocationPolicy"]


@dataclass(frozen=True, slots=True)
class EndpointIdPosition:
    """Declare TAG_ENDPOINT_ID_POSITION: which octets of the object key are the endpoint id, `begin` to `end`."""

    begin: Annotated[int, UShort]
    end: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class LocationPolicy:
    """Declare TAG_LOCATION_POLICY: when a client should ask first; 0 never, 1 per object, 2 per operation, 3 always."""

    policy: Annotated[int, Octet]


register_component(ComponentId.TAG_COMPLETE_OBJECT_KEY, Octets())
register_component(ComponentId.TAG_ENDPOINT_ID_POSITION, EndpointIdPosition)
register_component(ComponentId.TAG_LOCATION_POLICY, LocationPolicy)

"""Names of the numbers in references: profiles, components, code sets, ORB types.

Knows numbers and names only, and states only what a public source states; a number without a name is none the worse. What the
octets of a tag mean is told to `register_component` and `register_profile` (of `iiop.iop`, here again for convenience); code sets
are in `iiop.cdr.code_sets`.

Sources: OMG tags, CORBA 3.3 part 2 (`iiop.iop`); ORB types as OMG assigned them to vendors, in the listings of IOR dump tools
(catior 4.3.3 agrees with all of ORB_TYPES); tags of vendors, `iiop.components.vendor`.
"""

from __future__ import annotations

from iiop.cdr.code_sets import CODE_SETS, code_set_name, register_code_set
from iiop.components.vendor_ids import VendorComponentId, VendorProfileId
from iiop.iop import ComponentId, ProfileId, register_component, register_profile

__all__ = [
    "CODE_SETS",
    "ORB_TYPES",
    "code_set_name",
    "component_name",
    "orb_type_name",
    "profile_name",
    "register_code_set",
    "register_component",
    "register_profile",
    "vendor_name",
]

ORB_TYPES: dict[int, str] = {
    0x41545400: "omniORB",
    0x42454100: "BEA",
    0x464A0000: "Fujitsu",
    0x48500000: "HP",
    0x49424D00: "IBM",
    0x494C5500: "Xerox",
    0x49545F00: "IONA (Orbix)",
    0x4A414300: "JacORB",
    0x4E454300: "NEC",
    0x4F425400: "ORBit",
    0x4F425F00: "TIBCO",
    0x4F4F4300: "IONA (Orbacus)",
    0x504F0000: "PolyORB",
    0x50544300: "PrismTech",
    0x53554E00: "Sun",
    0x54414F00: "TAO",
    0x54475800: "Top Graph'X",
    0x54494400: "Telefonica",
    0x56495300: "Borland",
    0xCB0E0000: "Chicago Board of Exchange",
}
"""First ORB type of a vendor's block of at most 256 to name. `ORB_TYPES[0x58595A00] = name` adds one."""

_COMPONENTS = {int(tag): tag.name for kind in (ComponentId, VendorComponentId) for tag in kind}
_PROFILES = {int(tag): tag.name for kind in (ProfileId, VendorProfileId) for tag in kind}


def component_name(tag: int) -> str | None:
    """Return the name of a component tag, None if it has none here.

    >>> component_name(1), component_name(0x42454103)
    ('TAG_CODE_SETS', None)
    """
    return _COMPONENTS.get(tag)


def profile_name(tag: int) -> str | None:
    """Return the name of a profile tag, None if it has none here."""
    return _PROFILES.get(tag)


def orb_type_name(number: int) -> str | None:
    """Return who was given the block of 256 ORB types that `number` lies in, None if nobody known here.

    OMG gives blocks of different sizes, most of 16; the rest of each 256 is nobody's.

    >>> orb_type_name(0x464a0005)
    'Fujitsu'
    """
    return ORB_TYPES.get(number & 0xFFFFFF00)


def vendor_name(tag: int) -> str | None:
    """Guess whose a private tag is: vendors take tags from the block their ORB types come from.

    >>> vendor_name(0x56495303)
    'Borland'
    """
    return orb_type_name(tag)

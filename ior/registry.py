"""Names of the numbers in references: profiles, components, code sets, ORB types.

Knows numbers and names only, and states only what a public source states; a number without a name is none the worse. What the
octets of a tag mean is told to `register_component` and `register_profile` (of `iiop.iop`, here again for convenience).

Sources: OMG tags, CORBA 3.3 part 2 (`iiop.iop`); OSF Character and Code Set Registry 1.2g, short names as omniORB's catior prints
them where it knows the number; ORB types as OMG assigned them to vendors, in the listings of IOR dump tools (catior 4.3.3
agrees with all of ORB_TYPES); TAO profile tags, DOCGroup/ACE_TAO tao/orbconf.h and tao/IOPC.h; omniORB component tags, omniORB
4 IOP.h as catior prints them.
"""

from __future__ import annotations

from iiop.iop import ComponentId, ProfileId, register_component, register_profile

__all__ = [
    "CODE_SETS",
    "ORB_TYPES",
    "code_set_name",
    "component_name",
    "orb_type_name",
    "profile_name",
    "register_component",
    "register_profile",
    "vendor_name",
]

CODE_SETS: dict[int, str] = {
    **{0x00010000 + part: f"ISO-8859-{part}" for part in range(1, 11)},
    0x0001000F: "ISO-8859-15",
    0x00010020: "ISO-646",
    0x00010100: "UCS-2-level-1",
    0x00010101: "UCS-2-level-2",
    0x00010102: "UCS-2-level-3",
    0x00010104: "UCS-4-level-1",
    0x00010105: "UCS-4-level-2",
    0x00010106: "UCS-4-level-3",
    0x00010109: "UTF-16",
    0x00030010: "eucJP",
    0x0004000A: "eucKR",
    0x00050010: "eucTW",
    0x05000010: "OSF-Japanese-UJIS",
    0x05000011: "OSF-Japanese-SJIS-1",
    0x05000012: "OSF-Japanese-SJIS-2",
    0x05010001: "UTF-8",
    0x05020001: "JVC_eucJP",
    0x05020002: "JVC_SJIS",
    0x10020025: "IBM-037",
    0x100203AF: "IBM-943",
}
"""OSF number to short name. `CODE_SETS[n] = name` adds one."""

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

_COMPONENTS = {
    **{int(tag): tag.name for tag in ComponentId},
    0x41545401: "TAG_OMNIORB_BIDIR",
    0x41545402: "TAG_OMNIORB_UNIX_TRANS",
    0x41545403: "TAG_OMNIORB_PERSISTENT_ID",
    0x41545404: "TAG_OMNIORB_RESTRICTED_CONNECTION",
}

_PROFILES = {
    **{int(tag): tag.name for tag in ProfileId},
    0x54414F00: "TAO_TAG_UIOP_PROFILE",
    0x54414F02: "TAO_TAG_SHMEM_PROFILE",
    0x54414F04: "TAO_TAG_DIOP_PROFILE",
    0x54414F05: "TAO_TAG_COIOP_PROFILE",
    0x54414F0E: "TAO_TAG_SCIOP_PROFILE",
}


def component_name(tag: int) -> str | None:
    """Return the name of a component tag, None if it has none here.

    >>> component_name(1), component_name(0x42454103)
    ('TAG_CODE_SETS', None)
    """
    return _COMPONENTS.get(tag)


def profile_name(tag: int) -> str | None:
    """Return the name of a profile tag, None if it has none here."""
    return _PROFILES.get(tag)


def code_set_name(number: int) -> str | None:
    """Return the short name of an OSF code set number, None if it has none here.

    >>> code_set_name(0x05010001)
    'UTF-8'
    """
    return CODE_SETS.get(number)


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

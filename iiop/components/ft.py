"""Modules FT, PortableGroup and MIOP: references to groups of objects, fault tolerant or multicast.

Source: CORBA 3.3 part 2, clause 11.2.7 (unreliable multicast); FT CORBA, formal/2010-05-07; IDL modules FT, PortableGroup, MIOP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import ULong, ULongLong, UShort
from iiop.iop import ComponentId, ProfileId, TaggedComponent, register_component, register_profile
from iiop.profile import Version

__all__ = [
    "GroupIIOPProfile",
    "TagFTGroup",
    "TagFTHeartbeatEnabled",
    "TagFTPrimary",
    "TagGroup",
    "UIPMC_ProfileBody",
]


@dataclass(frozen=True, slots=True)
class TagFTGroup:
    """Declare TAG_FT_GROUP (FT::TagFTGroupTaggedComponent): which group, and how old the reference to it is."""

    version: Version
    ft_domain_id: str
    object_group_id: Annotated[int, ULongLong]
    object_group_ref_version: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class TagFTPrimary:
    """Declare TAG_FT_PRIMARY: this profile is that of the primary member."""

    primary: bool


@dataclass(frozen=True, slots=True)
class TagFTHeartbeatEnabled:
    """Declare TAG_FT_HEARTBEAT_ENABLED: the server answers heartbeats."""

    heartbeat_enabled: bool


@dataclass(frozen=True, slots=True)
class TagGroup:
    """Declare TAG_GROUP (PortableGroup::TagGroupTaggedComponent): the multicast group."""

    group_version: Version
    group_domain_id: str
    object_group_id: Annotated[int, ULongLong]
    object_group_ref_version: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class GroupIIOPProfile:
    """Declare TAG_GROUP_IIOP: the octets of an IIOP profile through which the group is reached one to one."""

    profile_data: bytes


@dataclass(frozen=True, slots=True)
class UIPMC_ProfileBody:
    """Declare the profile TAG_UIPMC: a multicast address. Its IDL has `short the_port`; ports are shown as they are meant."""

    miop_version: Version
    the_address: str
    the_port: Annotated[int, UShort]
    components: tuple[TaggedComponent, ...]


register_component(ComponentId.TAG_FT_GROUP, TagFTGroup)
register_component(ComponentId.TAG_FT_PRIMARY, TagFTPrimary)
register_component(ComponentId.TAG_FT_HEARTBEAT_ENABLED, TagFTHeartbeatEnabled)
register_component(ComponentId.TAG_GROUP, TagGroup)
register_component(ComponentId.TAG_GROUP_IIOP, GroupIIOPProfile)
register_profile(ProfileId.TAG_UIPMC, UIPMC_ProfileBody)

"""Module IIOP: where an object lives, as profile bodies of IIOP 1.0, 1.1 and 1.2, and the components that belong to them.

It must not know text forms of references (`ior`) or messages (`iiop.giop`).

Source: CORBA 3.3 part 2, clause 9.7.2 "IIOP IOR Profiles", 7.10 "Code Set Conversion"; IDL modules IIOP and CONV_FRAME.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from iiop.cdr import ByteOrder, Octet, ULong, UShort, codec, decapsulate, encapsulate
from iiop.cdr.code_sets import CODE_SETS, ISO_8859_1, UTF_8, UTF_16
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.iop import (
    ComponentId,
    ProfileId,
    ServiceId,
    TaggedComponent,
    TaggedProfile,
    register_component,
    register_service_context,
)
from iiop.leniency import Leniency
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "AlternateAddress",
    "BiDirIIOPServiceContext",
    "CODE_SETS_OF_SERVERS",
    "CodeSetComponent",
    "CodeSetComponentInfo",
    "CodeSetContext",
    "ListenPoint",
    "ProfileBody",
    "Version",
    "code_sets_of_clients",
    "decode_profile",
    "encode_profile",
]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Hold a version of GIOP or IIOP."""

    major: Annotated[int, Octet]
    minor: Annotated[int, Octet]

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class ProfileBody_1_0:
    """Declare the layout of IIOP 1.0; port 0 to 65535."""

    iiop_version: Version
    host: str
    port: Annotated[int, UShort]
    object_key: bytes


@dataclass(frozen=True, slots=True)
class ProfileBody_1_1(ProfileBody_1_0):
    """Declare the layout of IIOP 1.1 and later: that of 1.0, then components."""

    components: tuple[TaggedComponent, ...]


@dataclass(frozen=True, slots=True)
class ProfileBody:
    """Hold a profile of any IIOP version.

    Attributes:
        host: name or address as it stands in the reference.
        port: 0 to 65535.
        components: always empty in IIOP 1.0.
    """

    iiop_version: Version
    host: str
    port: int
    object_key: bytes
    components: tuple[TaggedComponent, ...] = field(default=())


_BODY_1_0 = codec(ProfileBody_1_0)
_BODY_1_1 = codec(ProfileBody_1_1)
_VERSION = codec(Version)


def decode_profile(profile_data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> ProfileBody:
    """Return the body of a TAG_INTERNET_IOP profile.

    ORBit2 writes padding and a component list behind an IIOP 1.0 body (`Leniency.ORBIT2_COMPONENTS_IN_1_0`); what stands there is
    passed over, as the profile octets themselves are kept by whoever holds them.

    Raises:
        DecodeError: with path and offset inside the profile.
    """
    major, minor = profile_data[1:2], profile_data[2:3]  # behind the byte order, whatever the version
    if major != b"\1" or not minor:
        version = decapsulate(_VERSION, profile_data, exact=False, limits=limits)
        raise DecodeError(f"IIOP version {version} is not 1.x", path="iiop_version", offset=1, excerpt=profile_data[:16])
    if minor == b"\0":
        exact = Leniency.ORBIT2_COMPONENTS_IN_1_0 not in limits.leniency
        body = decapsulate(_BODY_1_0, profile_data, exact=exact, limits=limits)
        return ProfileBody(body.iiop_version, body.host, body.port, body.object_key)
    body = decapsulate(_BODY_1_1, profile_data, exact=minor <= b"\2", limits=limits)
    return ProfileBody(body.iiop_version, body.host, body.port, body.object_key, body.components)


def encode_profile(body: ProfileBody, byte_order: ByteOrder = ByteOrder.BIG) -> TaggedProfile:
    """Return a TAG_INTERNET_IOP profile.

    Raises:
        EncodeError: a member does not fit, or there are components in a profile of IIOP 1.0, which has no place for them.
    """
    if body.iiop_version.minor == 0:
        if body.components:
            raise EncodeError("a profile of IIOP 1.0 has no place for components", path="components")
        return TaggedProfile(ProfileId.TAG_INTERNET_IOP, encapsulate(_BODY_1_0, body, byte_order))
    return TaggedProfile(ProfileId.TAG_INTERNET_IOP, encapsulate(_BODY_1_1, body, byte_order))


@dataclass(frozen=True, slots=True)
class AlternateAddress:
    """Declare TAG_ALTERNATE_IIOP_ADDRESS: one more address of the same object."""

    host: str
    port: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class CodeSetComponent:
    """Declare the code sets a server has for one kind of character, by OSF registry number."""

    native_code_set: Annotated[int, ULong]
    conversion_code_sets: tuple[Annotated[int, ULong], ...]


@dataclass(frozen=True, slots=True)
class CodeSetComponentInfo:
    """Declare TAG_CODE_SETS."""

    for_char_data: CodeSetComponent
    for_wchar_data: CodeSetComponent


@dataclass(frozen=True, slots=True)
class CodeSetContext:
    """Declare the CodeSets service context: what the client chose."""

    char_data: Annotated[int, ULong]
    wchar_data: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class ORBType:
    """Declare TAG_ORB_TYPE: who made the reference."""

    orb_type: Annotated[int, ULong]


@dataclass(frozen=True, slots=True)
class ListenPoint:
    """Declare where a client of a bidirectional connection listens."""

    host: str
    port: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class BiDirIIOPServiceContext:
    """Declare the BI_DIR_IIOP service context."""

    listen_points: tuple[ListenPoint, ...]


register_component(ComponentId.TAG_ORB_TYPE, ORBType)
register_component(ComponentId.TAG_CODE_SETS, CodeSetComponentInfo)
register_component(ComponentId.TAG_ALTERNATE_IIOP_ADDRESS, AlternateAddress)
register_service_context(ServiceId.CodeSets, CodeSetContext)
register_service_context(ServiceId.BI_DIR_IIOP, BiDirIIOPServiceContext)


CODE_SETS_OF_SERVERS = CodeSetComponentInfo(
    CodeSetComponent(
        UTF_8,
        (
            ISO_8859_1,
            0x0001000F,  # ISO-8859-15
            0x00010020,  # ISO-646
            0x100204E4,  # windows-1252
            0x00030010,  # eucJP
            0x05000010,  # OSF-Japanese-UJIS
            0x05000011,  # OSF-Japanese-SJIS-1
            0x05020001,  # JVC_eucJP
            0x05020002,  # JVC_SJIS
            0x100203AF,  # IBM-943
            0x10040001,  # Fujitsu-U90
            0x10040002,  # Fujitsu-S90
            0x10040003,  # Fujitsu-R90
        ),
    ),
    CodeSetComponent(UTF_16, (UTF_8,)),
)
"""The code sets that our servers offer; those of Fujitsu are what Interstage calls EUC and SJIS."""


def code_sets_of_clients() -> CodeSetComponentInfo:
    """Return the code sets that our clients have: all made of octets that Python has a codec for, registered ones too."""
    of_units = ("utf-16", "utf-32")
    known = tuple([number for number, code_set in CODE_SETS.items() if code_set.codec and code_set.codec not in of_units])
    return CodeSetComponentInfo(CodeSetComponent(UTF_8, known), CodeSetComponent(UTF_16, known))

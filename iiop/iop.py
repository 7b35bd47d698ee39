"""Module IOP: object references, profiles, components and service contexts as tagged octets.

Everything is raw and open here: an unknown tag is an integer with octets behind it, and survives. What the octets of a known tag
mean is told to the registries by whoever knows (`iiop.profile`, `iiop.components`, `iiop.service_contexts`, users). This module
must not know hosts, ports or messages.

Source: CORBA 3.3 part 2, clause 7.6 "Object References", 7.7 "Service Context"; IDL module IOP.
"""

from __future__ import annotations

import contextlib
import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

from iiop.cdr import (
    ByteOrder,
    Latin1String,
    OpenEnum,
    RepositoryId,
    Sequence,
    Struct,
    ULong,
    cdr_type,
    codec,
    decapsulate,
    encapsulate,
)
from iiop.cdr.object_references import declare_object_reference
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "COMPONENTS",
    "NIL",
    "PROFILES",
    "SERVICE_CONTEXTS",
    "ComponentId",
    "Encapsulated",
    "IOR",
    "IOR_CODEC",
    "Layout",
    "Octets",
    "ProfileId",
    "Registry",
    "ServiceContext",
    "ServiceContextList",
    "ServiceId",
    "TaggedComponent",
    "TaggedProfile",
    "register_component",
    "register_profile",
    "register_service_context",
]


class ProfileId(OpenEnum):
    """Name the profiles the OMG has numbered."""

    TAG_INTERNET_IOP = 0
    TAG_MULTIPLE_COMPONENTS = 1
    TAG_SCCP_IOP = 2
    TAG_UIPMC = 3


class ComponentId(OpenEnum):
    """Name the components the OMG has numbered."""

    TAG_ORB_TYPE = 0
    TAG_CODE_SETS = 1
    TAG_POLICIES = 2
    TAG_ALTERNATE_IIOP_ADDRESS = 3
    TAG_COMPLETE_OBJECT_KEY = 5
    TAG_ENDPOINT_ID_POSITION = 6
    TAG_LOCATION_POLICY = 12
    TAG_ASSOCIATION_OPTIONS = 13
    TAG_SEC_NAME = 14
    TAG_SPKM_1_SEC_MECH = 15
    TAG_SPKM_2_SEC_MECH = 16
    TAG_KERBEROSV5_SEC_MECH = 17
    TAG_CSI_ECMA_SECRET_SEC_MECH = 18
    TAG_CSI_ECMA_HYBRID_SEC_MECH = 19
    TAG_SSL_SEC_TRANS = 20
    TAG_CSI_ECMA_PUBLIC_SEC_MECH = 21
    TAG_GENERIC_SEC_MECH = 22
    TAG_FIREWALL_TRANS = 23
    TAG_SCCP_CONTACT_INFO = 24
    TAG_JAVA_CODEBASE = 25
    TAG_TRANSACTION_POLICY = 26
    TAG_FT_GROUP = 27
    TAG_FT_PRIMARY = 28
    TAG_FT_HEARTBEAT_ENABLED = 29
    TAG_MESSAGE_ROUTER = 30
    TAG_OTS_POLICY = 31
    TAG_INV_POLICY = 32
    TAG_CSI_SEC_MECH_LIST = 33
    TAG_NULL_TAG = 34
    TAG_SECIOP_SEC_TRANS = 35
    TAG_TLS_SEC_TRANS = 36
    TAG_ACTIVITY_POLICY = 37
    TAG_RMI_CUSTOM_MAX_STREAM_FORMAT = 38
    TAG_GROUP = 39
    TAG_GROUP_IIOP = 40
    TAG_PASSTHRU_TRANS = 41
    TAG_FIREWALL_PATH = 42
    TAG_IIOP_SEC_TRANS = 43
    TAG_DCE_STRING_BINDING = 100
    TAG_DCE_BINDING_NAME = 101
    TAG_DCE_NO_PIPES = 102
    TAG_DCE_SEC_MECH = 103
    TAG_INET_SEC_TRANS = 123


class ServiceId(OpenEnum):
    """Name the service contexts the OMG has numbered."""

    TransactionService = 0
    CodeSets = 1
    ChainBypassCheck = 2
    ChainBypassInfo = 3
    LogicalThreadId = 4
    BI_DIR_IIOP = 5
    SendingContextRunTime = 6
    INVOCATION_POLICIES = 7
    FORWARDED_IDENTITY = 8
    UnknownExceptionInfo = 9
    RTCorbaPriority = 10
    RTCorbaPriorityRange = 11
    FT_GROUP_VERSION = 12
    FT_REQUEST = 13
    ExceptionDetailMessage = 14
    SecurityAttributeService = 15
    ActivityService = 16
    RMICustomMaxStreamFormat = 17
    ACCESS_SESSION_ID = 18
    SERVICE_SESSION_ID = 19
    FIREWALL_PATH = 20
    FIREWALL_PATH_RESP = 21


@dataclass(frozen=True, slots=True)
class TaggedProfile:
    """Hold one profile: `tag` (see `ProfileId`) and its octets, an encapsulation for every profile the OMG defines."""

    tag: Annotated[int, ULong]
    profile_data: bytes


@dataclass(frozen=True, slots=True)
class TaggedComponent:
    """Hold one component: `tag` (see `ComponentId`) and its octets, an encapsulation for every component the OMG defines."""

    tag: Annotated[int, ULong]
    component_data: bytes


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """Hold one service context: `context_id` (see `ServiceId`) and its octets."""

    context_id: Annotated[int, ULong]
    context_data: bytes


ServiceContextList = Annotated[tuple[ServiceContext, ...], Sequence(cdr_type(ServiceContext), limit="service_contexts")]
"""Declare the service contexts of a message."""


@RepositoryId("IDL:omg.org/CORBA/Object:1.0")
@dataclass(frozen=True, slots=True)
class IOR:
    """Hold an object reference as it travels: repository id of its type, and profiles. No profiles: the nil reference."""

    type_id: Annotated[str, Latin1String]
    profiles: tuple[TaggedProfile, ...]

    @property
    def is_nil(self) -> bool:
        return not self.profiles


declare_object_reference(cdr_type(IOR))

NIL = IOR("", ())
IOR_CODEC = codec(IOR)


class Layout(ABC):
    """Stand above the ways in which octets of a tag can be laid out."""

    @abstractmethod
    def decode(self, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Return the typed value; raises DecodeError if the octets are laid out otherwise."""

    @abstractmethod
    def encode(self, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
        """Return the octets of a typed value; raises EncodeError if it does not fit."""


class Encapsulated(Layout):
    """Say that octets are an encapsulation of one declared type, as the OMG has it for nearly everything."""

    def __init__(self, declared: Any) -> None:
        self.codec = codec(declared)

    def decode(self, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
        return decapsulate(self.codec, octets, limits=limits)

    def encode(self, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
        return encapsulate(self.codec, value, byte_order)


class Octets(Layout):
    """Say that octets are just that; their value is `bytes`."""

    def decode(self, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
        return bytes(octets)

    def encode(self, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise EncodeError(f"octets are needed, not {type(value).__name__}")
        return bytes(value)


class Registry:
    """Map tags to the layouts of their octets."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._codecs: dict[int, tuple[Layout, ...]] = {}
        self._late: dict[int, str] = {}

    def register(self, tag: int, declared: Any, *others: Any) -> None:
        """Tell what the octets of a tag are; a later registration replaces an earlier one.

        Args:
            tag: the number.
            declared: a declaration, of which they are an encapsulation, or a `Layout`.
            others: further dataclasses or layouts, for tags that ORBs write in several shapes; the first that fits is taken.

        Raises:
            TypeError: `declared` does not say how it lies on the wire.
        """
        self._load(tag)
        self._codecs[tag] = tuple([item if isinstance(item, Layout) else Encapsulated(item) for item in (declared, *others)])

    def register_late(self, module: str, *tags: int) -> None:
        """Tell which module registers tags, to be imported when one of them is asked for."""
        self._late |= dict.fromkeys(tags, module)

    def _load(self, tag: int) -> None:
        module = self._late.get(tag)
        if module is not None:
            importlib.import_module(module)  # another thread may have begun that: then it is waited for
            self._late.pop(tag, None)

    def __contains__(self, tag: int) -> bool:
        return tag in self._codecs or tag in self._late

    def layouts(self, tag: int) -> tuple[Layout, ...]:
        """Return how the octets of a tag may be laid out, in the order they are tried in; none if nobody has registered it."""
        found = self._codecs.get(tag)
        if found is None:
            self._load(tag)
            found = self._codecs.get(tag, ())
        return found

    def decode(self, tag: int, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Return the typed value.

        Raises:
            KeyError: nobody has registered the tag.
            DecodeError: the octets are not what was registered (where that is several: not the first).
        """
        self._load(tag)
        first, *others = self._codecs[tag]
        try:
            return first.decode(octets, limits)
        except DecodeError:
            for layout in others:
                with contextlib.suppress(DecodeError):
                    return layout.decode(octets, limits)
            raise

    def encode(self, tag: int, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
        """Return the octets of a typed value.

        Raises:
            KeyError: nobody has registered the tag.
            EncodeError: the value does not fit.
        """
        self._load(tag)
        layouts = self._codecs[tag]
        for layout in layouts[1:]:
            declared = layout.codec.type if isinstance(layout, Encapsulated) else None
            if isinstance(declared, Struct) and declared.cls is not None and isinstance(value, declared.cls):
                return layout.encode(value, byte_order)
        return layouts[0].encode(value, byte_order)


PROFILES = Registry("profile")
COMPONENTS = Registry("component")
SERVICE_CONTEXTS = Registry("service context")

register_profile = PROFILES.register
register_component = COMPONENTS.register
register_service_context = SERVICE_CONTEXTS.register

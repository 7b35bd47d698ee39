"""Components and foreign profiles: octets to values and back, by the layouts of public sources; and as text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from iiop.cdr import ByteOrder, ULong, UShort, codec, encapsulate
from iiop.components import (
    POLICIES,
    SECIOP_SEC_TRANS,
    SSL,
    TLS_SEC_TRANS,
    AS_ContextSec,
    CompoundSecMech,
    CompoundSecMechList,
    DraftCompoundSecMechList,
    DraftTLS_SEC_TRANS,
    EndpointIdPosition,
    GenericSSL,
    GroupIIOPProfile,
    HostProfile,
    IBMPartnerVersion,
    InvPolicy,
    JavaCodebase,
    LocationPolicy,
    MaxStreamFormat,
    OmniORBBiDir,
    OmniORBHTTP,
    OmniORBRestrictedConnection,
    OmniORBUnix,
    ORBitProfile,
    OTSPolicy,
    PolicyValue,
    PolicyValueSeq,
    RendezvousProfile,
    SAS_ContextSec,
    SCIOPProfile,
    ServiceConfiguration,
    SSLVisiBroker,
    TagFTGroup,
    TagFTHeartbeatEnabled,
    TagFTPrimary,
    TagGroup,
    TAOEndpoint,
    TAOEndpoints,
    TransportAddress,
    UIPMC_ProfileBody,
    register_policy,
)
from iiop.components.csi import ServiceConfigurationSyntax, exported_name, mechanism_name, object_identifier
from iiop.components.messaging import CompressorIdLevel, PolicyType, PriorityBand, PriorityModel, PriorityModelPolicy
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.iop import COMPONENTS, PROFILES, ComponentId, Octets, Registry, TaggedComponent
from iiop.profile import Version
from ior import IORBuilder, register_component
from ior.describe import as_data, describe
from ior.describe_components import flag_names
from ior.profiles import Component, UnknownProfile

GSSUP = bytes.fromhex("0606678102010101")
REALM = b"\4\1\0\x08" + GSSUP + b"\0\0\0\5realm"
COMPONENT = TaggedComponent(99, b"\1")
MECHANISM = CompoundSecMech(
    0x42,
    TaggedComponent(
        ComponentId.TAG_TLS_SEC_TRANS, COMPONENTS.encode(36, TLS_SEC_TRANS(0x66, 0x06, (TransportAddress("::1", 3820),)))
    ),
    AS_ContextSec(0x40, 0x40, GSSUP, REALM),
    SAS_ContextSec(0x400, 0, (ServiceConfiguration(ServiceConfigurationSyntax.SCS_GSSExportedName, REALM),), (GSSUP,), 0x1F),
)

COMPONENT_VALUES: list[tuple[int, Any, str | None]] = [
    # tag, value, its octets in big endian where they are worth writing out by hand
    (2, PolicyValueSeq((PolicyValue(PolicyType.MAX_HOPS_POLICY_TYPE, b"\0\0\0\5"),)), "0000000000000001000000220000000400000005"),
    (6, EndpointIdPosition(2, 7), "000000020007"),
    (12, LocationPolicy(3), "0003"),
    (20, SSL(0x66, 0x06, 3820), "0000006600060eec"),
    (20, SSLVisiBroker(0x66, 0x06, 3820), "0000000000000066000000060eec"),
    (25, JavaCodebase("http://h/"), "000000000000000a687474703a2f2f682f00"),
    (27, TagFTGroup(Version(1, 0), "d", 7, 9), "00010000000000026400000000000000000000000000000700000009"),
    (28, TagFTPrimary(True), "0001"),
    (29, TagFTHeartbeatEnabled(False), "0000"),
    (31, OTSPolicy(3), "00000003"),
    (32, InvPolicy(1), "00000001"),
    (33, CompoundSecMechList(True, (MECHANISM, MECHANISM)), None),
    (34, b"", ""),
    (35, SECIOP_SEC_TRANS(1, 2, GSSUP, REALM, (TransportAddress("h", 1),)), None),
    (36, TLS_SEC_TRANS(0x66, 0x06, ()), "000000660006000000000000"),
    (36, DraftTLS_SEC_TRANS(0, 0, 1060, b"\0\0\0\x66\0\0\0\0"), "00000000000004240000006600000000"),
    (38, MaxStreamFormat(2), "0002"),
    (39, TagGroup(Version(1, 0), "d", 7, 9), None),
    (40, GroupIIOPProfile(b"\0\1\2"), "0000000000000003000102"),
    (5, b"any key", b"any key".hex()),
    (0x41545401, OmniORBBiDir("giop:tcp:h:1"), None),
    (0x41545402, OmniORBUnix("h", "/tmp/x"), None),
    (0x41545403, bytes.fromhex("ff93026b010024c5"), "ff93026b010024c5"),
    (0x41545404, OmniORBRestrictedConnection(1, 6, 7, 8, 9), "00010006000000070000000800000009"),
    (0x41545405, OmniORBHTTP("https://h/giop"), None),
    (0x49424D0A, IBMPartnerVersion(0x29, 0x1800, 0), "0000002918000000"),
    (0x4F425400, GenericSSL("443"), None),
    (0x54414F02, TAOEndpoints((TAOEndpoint("h", 40000, -1), TAOEndpoint("::1", 1, 5))), None),
]
PROFILE_VALUES: list[tuple[int, Any]] = [
    (3, UIPMC_ProfileBody(Version(1, 0), "225.1.1.8", 40000, (COMPONENT,))),
    (0x54414F00, RendezvousProfile(1, 2, "/tmp/x", b"key", (COMPONENT,))),
    (0x54414F02, HostProfile(1, 2, "h", 1, b"key", (COMPONENT,))),
    (0x54414F04, HostProfile(1, 0, "h", 1, b"key", None)),
    (0x54414F05, RendezvousProfile(1, 0, "uuid", b"key", None)),
    (0x54414F0E, SCIOPProfile(Version(1, 0), ("h1", "h2"), 1, 2, b"key", (COMPONENT,))),
    (0xBADFAECA, ORBitProfile(Version(1, 2), "/tmp/x", 0, b"key")),
]


@pytest.mark.parametrize("byte_order", ByteOrder)
@pytest.mark.parametrize(("tag", "value", "octets"), COMPONENT_VALUES)
def test_components_travel(tag: int, value: Any, octets: str | None, byte_order: ByteOrder) -> None:
    encoded = COMPONENTS.encode(tag, value, byte_order)
    decoded = COMPONENTS.decode(tag, encoded)
    assert decoded == value
    assert type(decoded) is type(value)
    assert COMPONENTS.encode(tag, decoded, byte_order) == encoded
    if octets is not None and byte_order == ByteOrder.BIG:
        assert encoded.hex() == octets
    text = describe(decoded)
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize("byte_order", ByteOrder)
@pytest.mark.parametrize(("tag", "value"), PROFILE_VALUES)
def test_profiles_travel(tag: int, value: Any, byte_order: ByteOrder) -> None:
    encoded = PROFILES.encode(tag, value, byte_order)
    profile = UnknownProfile(tag, encoded)
    assert profile.value == value
    assert profile.error is None
    assert PROFILES.encode(tag, profile.value, byte_order) == encoded
    assert profile.name
    data = as_data(IORBuilder().profile(tag, encoded).build())["profiles"][0]
    assert data["text"] == describe(value)
    assert data["value"]
    assert data["hex"] == encoded.hex()


@pytest.mark.parametrize("tag", [*{tag for tag, _, octets in COMPONENT_VALUES if tag not in (5, 34, 0x41545403)}])
def test_broken_ones_say_why_and_keep_their_octets(tag: int) -> None:
    component = Component(tag, b"\0")
    assert component.value == b"\0"
    assert isinstance(component.error, DecodeError)


# --- the rooms of the registry ----------------------------------------------------------------------------------------


def test_a_user_registers_one_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COMPONENTS, "_codecs", dict(COMPONENTS._codecs))

    @dataclass(frozen=True, slots=True)
    class Ours:
        rack: Annotated[int, UShort]

    register_component(0x58595A01, Ours)

    ior = IORBuilder().iiop("h", key=b"k").component(0x58595A01, Ours(7)).build()
    assert ior.profiles[0].components[0].value == Ours(7)
    assert as_data(ior)["profiles"][0]["components"][0]["text"] == "rack 7"


def test_several_shapes_of_one_tag() -> None:
    @dataclass(frozen=True, slots=True)
    class Short:
        port: Annotated[int, UShort]

    @dataclass(frozen=True, slots=True)
    class Long:
        port: Annotated[int, ULong]

    registry = Registry("test")
    registry.register(1, Short, Long)
    assert registry.decode(1, b"\0\0\0\7") == Short(7)
    assert registry.decode(1, b"\0\0\0\0\0\0\0\7") == Long(7)
    assert registry.encode(1, Short(7)) == b"\0\0\0\7"
    assert registry.encode(1, Long(7)) == b"\0\0\0\0\0\0\0\7"
    with pytest.raises(DecodeError, match="left over"):  # what the first shape says
        registry.decode(1, bytes(20))
    with pytest.raises(EncodeError):
        registry.encode(1, Long(-1))


def test_octets_as_they_are() -> None:
    registry = Registry("test")
    registry.register(1, Octets())
    assert registry.decode(1, b"\5\6") == b"\5\6"
    assert registry.encode(1, memoryview(b"\5"), ByteOrder.LITTLE) == b"\5"
    with pytest.raises(EncodeError, match="octets are needed, not int"):
        registry.encode(1, 5)


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (SSL(0x76, 0x4002, 58416), "port 58416, supports Integrity+Confidentiality+DetectMisordering+"
         "EstablishTrustInTarget+EstablishTrustInClient, requires Integrity+0x4000"),
        (SSLVisiBroker(0, 1, 7), "port 7, supports none, requires NoProtection"),
        (TLS_SEC_TRANS(0, 0, ()), "no address, supports none, requires none"),
        (OTSPolicy(2), "FORBIDS"),
        (OTSPolicy(9), "9"),
        (InvPolicy(0), "EITHER"),
        (JavaCodebase("\x1b[31m"), r'"\x1b[31m"'),
        (MaxStreamFormat(2), "version 2"),
        (TagFTPrimary(True), "primary True"),
        (TagFTGroup(Version(1, 0), "d", 7, 9), 'group 7 of domain "d", reference version 9, FT 1.0'),
        (IBMPartnerVersion(0x29, 0x1800, 0), "major 0x1800, minor 0x0000, extended 0x0029"),
        (TAOEndpoints((TAOEndpoint("h", 1, -1), TAOEndpoint("::1", 2, 5))), "h:1, [::1]:2 priority 5"),
        (OmniORBUnix("h", "/tmp/x"), "host h, filename /tmp/x"),
        (OmniORBRestrictedConnection(1, 6, 7, 8, 9), "connection id 7, at most 8 connections of 9 threads, "
         "flags COMP_PERMIT_INTERLEAVED+COMP_SERVER_HOLD_OPEN, version 1"),
        (UIPMC_ProfileBody(Version(1, 0), "225.1.1.8", 5684, ()), "MIOP 1.0, 225.1.1.8:5684"),
        (HostProfile(1, 2, "h", 1, b"\0k", (TaggedComponent(38, b"\0\2"),)),
         r'version 1.2, h:1, key "\x00k", TAG_RMI_CUSTOM_MAX_STREAM_FORMAT (38): version 2'),
        (PolicyValueSeq(()), "no policies"),
        (PolicyValueSeq((PolicyValue(PolicyType(23), b"\0\0\0\2"), PolicyValue(PolicyType(35), b"\0\0\0\3"))),
         "REBIND_POLICY_TYPE NO_RECONNECT, QUEUE_ORDER_POLICY_TYPE ORDER_ANY+ORDER_TEMPORAL"),
        (PolicyValue(PolicyType(23), b"\0\0\0\x63"), "REBIND_POLICY_TYPE 99"),
        (PolicyValue(PolicyType(77), b"\1\2"), "PolicyType_77 0102 (2 octets)"),
        (PolicyValue(PolicyType(32), b"\0"), "RELATIVE_RT_TIMEOUT_POLICY_TYPE 00 (1 octet)"),
        (CompoundSecMechList(False, ()), "stateless; no mechanisms"),
        (CompoundSecMechList(True, (MECHANISM,)),
         "stateful; [1] requires Integrity+EstablishTrustInClient; transport: TAG_TLS_SEC_TRANS (36): [::1]:3820, supports "
         "Integrity+Confidentiality+EstablishTrustInTarget+EstablishTrustInClient, requires Integrity+Confidentiality; "
         'client authentication: GSSUP, target name "realm", supports EstablishTrustInClient, requires EstablishTrustInClient; '
         "attributes: supports IdentityAssertion, requires none, identity types "
         "ITTAnonymous+ITTPrincipalName+ITTX509CertChain+ITTDistinguishedName+0x10, naming mechanisms GSSUP, "
         f"privilege authorities (syntax SCS_GSSExportedName, name {REALM.hex()} (21 octets))"),
    ],
)  # fmt: skip
def test_text(value: Any, text: str) -> None:
    assert describe(value) == text


def test_flag_names() -> None:
    from iiop.components import AssociationOptions

    assert flag_names(AssociationOptions, 0) == "none"
    assert flag_names(AssociationOptions, 0xFFF).count("+") == 11


# --- policies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        (PolicyType.SYNC_SCOPE_POLICY_TYPE, 3),
        (PolicyType.RELATIVE_RT_TIMEOUT_POLICY_TYPE, 10_000_000),
        (PolicyType.PRIORITY_MODEL_POLICY_TYPE, PriorityModelPolicy(PriorityModel.SERVER_DECLARED, 5)),
        (PolicyType.PRIORITY_BANDED_CONNECTION_POLICY_TYPE, (PriorityBand(0, 9), PriorityBand(10, 32767))),
        (PolicyType.COMPRESSION_ENABLING_POLICY_ID, True),
        (PolicyType.COMPRESSOR_ID_LEVEL_LIST_POLICY_ID, (CompressorIdLevel(4, 6),)),
    ],
)
def test_policies(policy: PolicyType, value: Any) -> None:
    for byte_order in ByteOrder:
        assert POLICIES.decode(policy, POLICIES.encode(policy, value, byte_order)) == value


def test_a_user_registers_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(POLICIES, "_codecs", dict(POLICIES._codecs))
    register_policy(0x54410000, Annotated[int, ULong])
    assert POLICIES.decode(0x54410000, bytes(7) + b"\5") == 5


# --- GSS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "dotted"),
    [
        ("0606678102010101", "2.23.130.1.1.1"),
        ("06062b1200021e06", "1.3.18.0.2.30.6"),  # WebSphere, in yoko's IORDumpTest
        ("06092a864886f712010202", "1.2.840.113554.1.2.2"),
        ("060188", None),
        ("0602", None),
        ("060200", None),
        ("04012a", None),
        ("", None),
    ],
)
def test_object_identifiers(digits: str, dotted: str | None) -> None:
    assert object_identifier(bytes.fromhex(digits)) == dotted


def test_names_of_mechanisms() -> None:
    assert mechanism_name(GSSUP) == "GSSUP"
    assert mechanism_name(bytes.fromhex("06062b1200021e06")) == "1.3.18.0.2.30.6"
    assert mechanism_name(b"?") is None


def test_exported_names() -> None:
    assert exported_name(REALM) == (GSSUP, b"realm")
    for broken in (b"", REALM[:-1], REALM + b"x", b"\4\2" + REALM[2:], REALM[:6]):
        assert exported_name(broken) is None


# --- references of others, not in the corpus --------------------------------------------------------------------------


def test_websphere() -> None:
    """The components of the reference in yoko's IORDumpTest: padding is 0xBD, LTPA beside GSSUP."""
    partner = COMPONENTS.decode(0x49424D0A, bytes.fromhex("00bd002918000000"))
    assert partner == IBMPartnerVersion(0x29, 0x1800, 0)
    assert describe(COMPONENTS.decode(20, bytes.fromhex("00bd00764002e430"))).endswith("requires Integrity+0x4000")
    tls = COMPONENTS.decode(36, bytes.fromhex("00bd00260002bdbd000000010000000c3139322e3136382e312e3700e430"))
    assert tls == TLS_SEC_TRANS(0x26, 2, (TransportAddress("192.168.1.7", 58416),))


def test_j2ee_sdk_1_3_shapes_are_written_as_they_were_read() -> None:
    octets = bytes.fromhex(
        "00000000000000010040000000000024000000100000000000000424000000660000000000400040000000080606678102010101"
        "000000170401000806066781020101010000000764656661756c7400040000000000000000000001000000080606678102010101"
    )
    value = COMPONENTS.decode(33, octets)
    assert isinstance(value, DraftCompoundSecMechList)
    assert COMPONENTS.encode(33, value) == octets


def test_lists_of_mechanisms_do_not_stand_in_each_other() -> None:
    """Else who follows addresses, or shows them, would be led as deep as somebody likes."""
    octets = COMPONENTS.encode(33, CompoundSecMechList(False, (MECHANISM,)))
    for _ in range(1000):
        mechanism = dataclasses.replace(MECHANISM, transport_mech=TaggedComponent(33, octets))
        octets = encapsulate(codec(CompoundSecMechList), CompoundSecMechList(False, (MECHANISM, mechanism)))
    with pytest.raises(DecodeError, match=r"^mechanism_list\[1\]\.transport_mech\.tag: TAG_CSI_SEC_MECH_LIST is no transport"):
        COMPONENTS.decode(33, octets)
    with pytest.raises(EncodeError, match="TAG_CSI_SEC_MECH_LIST is no transport"):
        COMPONENTS.encode(33, CompoundSecMechList(False, (mechanism,)))

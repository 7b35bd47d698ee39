"""Service contexts: octets to values and back, and as text."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from iiop.cdr import ByteOrder, UShort
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.components import IBMPartnerVersion, PolicyValue, PolicyValueSeq
from iiop.components.messaging import PolicyType, PriorityBand
from iiop.exceptions.errors import DecodeError
from iiop.iop import IOR, NIL, SERVICE_CONTEXTS, ServiceId, register_service_context
from iiop.profile import ProfileBody, Version, encode_profile
from iiop.service_contexts import (
    AuthorizationElement,
    CompleteEstablishContext,
    ContextError,
    EstablishContext,
    FTGroupVersion,
    FTRequest,
    IdentityToken,
    IdentityTokenType,
    MessageInContext,
    MsgType,
    OmniORBServiceData,
    PropagationContext,
    RMICustomMaxStreamFormat,
    RTCorbaPriority,
    SASContextBody,
    SendingContextRunTime,
    TransIdentity,
    VendorServiceId,
    otid_t,
    service_context_name,
)
from ior.describe import describe

REFERENCE = IOR("IDL:x:1.0", (encode_profile(ProfileBody(Version(1, 2), "h", 1, b"k")),))
GSSUP = bytes.fromhex("0606678102010101")
NAME = b"\4\1\0\x08" + GSSUP + b"\0\0\0\5alice"
TOKEN = b"\x60\x0f" + GSSUP + b"\0SECRET"
IDENTITIES = [
    IdentityToken(IdentityTokenType.ITTAbsent, True),
    IdentityToken(IdentityTokenType.ITTAnonymous, True),
    IdentityToken(IdentityTokenType.ITTPrincipalName, NAME),
    IdentityToken(IdentityTokenType.ITTX509CertChain, b"0"),
    IdentityToken(IdentityTokenType.ITTDistinguishedName, b"0"),
    IdentityToken(IdentityTokenType(0x10), b"later"),
]
ESTABLISH = EstablishContext(0, (AuthorizationElement(0x4F4D1, b"c"),), IDENTITIES[2], TOKEN)

VALUES: list[tuple[int, Any, str | None]] = [
    (ServiceId.SendingContextRunTime, SendingContextRunTime(REFERENCE), None),
    (ServiceId.INVOCATION_POLICIES, PolicyValueSeq((PolicyValue(PolicyType(23), b"\0\0\0\1"),)), None),
    (ServiceId.UnknownExceptionInfo, b"\0\0\0\0\x7f\xff\xff\2", "000000007fffff02"),
    (ServiceId.RTCorbaPriority, RTCorbaPriority(-1), "0000ffff"),
    (ServiceId.RTCorbaPriorityRange, PriorityBand(1, 2), "000000010002"),
    (ServiceId.FT_GROUP_VERSION, FTGroupVersion(7), "0000000000000007"),
    (ServiceId.FT_REQUEST, FTRequest("c", 2, 3), "000000000000000263000000000000020000000000000003"),
    (ServiceId.ExceptionDetailMessage, "at \u65e5", "000000000000000800610074002065e5"),
    (ServiceId.RMICustomMaxStreamFormat, RMICustomMaxStreamFormat(2), "0002"),
    (ServiceId.SecurityAttributeService, SASContextBody(MsgType.MTEstablishContext, ESTABLISH), None),
    (
        ServiceId.SecurityAttributeService,
        SASContextBody(MsgType.MTCompleteEstablishContext, CompleteEstablishContext(5, True, b"")),
        "00000001000000000000000000000005" + "01000000" + "00000000",
    ),
    (
        ServiceId.SecurityAttributeService,
        SASContextBody(MsgType.MTContextError, ContextError(5, 1, -1, b"t")),
        "00000004000000000000000000000005" + "00000001" + "ffffffff" + "0000000174",
    ),
    (
        ServiceId.SecurityAttributeService,
        SASContextBody(MsgType.MTMessageInContext, MessageInContext(5, False)),
        "0000000500000000" + "0000000000000005" + "00",
    ),
    *[
        (ServiceId.SecurityAttributeService, SASContextBody(0, EstablishContext(2**64 - 1, (), identity, b"")), None)
        for identity in IDENTITIES
    ],
    (VendorServiceId.OMNIORB_RESTRICTED_CONNECTION, OmniORBServiceData(1, 1, 7, 9), "000100010000000700000009"),
    (VendorServiceId.IBM_PARTNER_VERSION, IBMPartnerVersion(0x29, 0x1800, 0), "0000002918000000"),
]


@pytest.mark.parametrize("byte_order", ByteOrder)
@pytest.mark.parametrize(("context_id", "value", "octets"), VALUES)
def test_travel(context_id: int, value: Any, octets: str | None, byte_order: ByteOrder) -> None:
    encoded = SERVICE_CONTEXTS.encode(context_id, value, byte_order)
    decoded = SERVICE_CONTEXTS.decode(context_id, encoded)
    assert decoded == value
    assert SERVICE_CONTEXTS.encode(context_id, decoded, byte_order) == encoded
    if octets is not None and byte_order == ByteOrder.BIG:
        assert encoded.hex() == octets
    assert describe(decoded).isascii()


@pytest.mark.parametrize("octets", ["", "02", "00", "0000000200000000", "00000000000000000000000000000005"])
def test_broken_security_contexts(octets: str) -> None:
    with pytest.raises(DecodeError):
        SERVICE_CONTEXTS.decode(ServiceId.SecurityAttributeService, bytes.fromhex(octets))


# --- transactions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("byte_order", ByteOrder)
def test_a_transaction_travels(byte_order: ByteOrder) -> None:
    current = TransIdentity(REFERENCE, NIL, otid_t(0, 2, b"tid"))
    rest = CORBAAny(TypeCode(TCKind.tk_ulong), 7)
    value = PropagationContext(30, current, (TransIdentity(NIL, NIL, otid_t(-1, 0, b"")),), rest)
    encoded = SERVICE_CONTEXTS.encode(ServiceId.TransactionService, value, byte_order)
    assert encoded.endswith(struct.pack("><"[byte_order] + "II", 5, 7))
    decoded = SERVICE_CONTEXTS.decode(ServiceId.TransactionService, encoded)
    assert decoded == value
    assert SERVICE_CONTEXTS.encode(ServiceId.TransactionService, decoded, byte_order) == encoded
    text = describe(decoded)
    assert 'timeout 30, current coord reference "IDL:x:1.0" at h:1, term nil' in text
    assert text.endswith("any of tk_ulong: 7")


@pytest.mark.parametrize("octets", [b"", b"\2", b"\0", b"\1\0\0\0\5\0\0\0\xff\xff\xff\xff"])
def test_broken_transactions(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        SERVICE_CONTEXTS.decode(ServiceId.TransactionService, octets)


# --- text, and the registry -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            SASContextBody(0, ESTABLISH),
            'EstablishContext: client context 0, identity ITTPrincipalName "alice", authentication token of GSSUP (17 octets, '
            "not shown), authorization (type 0x4f4d1 63 (1 octet))",
        ),
        (
            SASContextBody(1, CompleteEstablishContext(5, True, b"")),
            "CompleteEstablishContext: client context 5, stateful, token none",
        ),
        (
            SASContextBody(4, ContextError(5, 1, 2, b"x")),
            "ContextError: client context 5, major status 1, minor status 2, token (1 octets, not shown)",
        ),
        (SASContextBody(5, MessageInContext(5, True)), "MessageInContext: client_context_id 5, discard_context True"),
        (IDENTITIES[1], "ITTAnonymous"),
        (IDENTITIES[5], "IdentityTokenType_16 6c61746572 (5 octets)"),
        (SendingContextRunTime(NIL), "codebase nil"),
        (PriorityBand(1, 2), "low 1, high 2"),
    ],
)
def test_text(value: Any, text: str) -> None:
    assert describe(value) == text


def test_a_password_is_not_shown() -> None:
    assert "SECRET" not in repr(ESTABLISH) + describe(ESTABLISH)
    assert b"SECRET".hex() not in describe(SASContextBody(0, ESTABLISH))


def test_names() -> None:
    assert service_context_name(9) == "UnknownExceptionInfo"
    assert service_context_name(0x54414F00) == "TAO_SVC_CONTEXT_ALIGN"
    assert service_context_name(0x12345678) is None


def test_a_user_registers_one_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SERVICE_CONTEXTS, "_codecs", dict(SERVICE_CONTEXTS._codecs))

    @dataclass(frozen=True, slots=True)
    class Trace:
        hop: Annotated[int, UShort]

    register_service_context(0x58595A01, Trace)

    assert SERVICE_CONTEXTS.decode(0x58595A01, b"\0\0\0\7") == Trace(7)


def test_importing_giop_registers_them() -> None:
    import subprocess
    import sys

    program = "import iiop.giop; from iiop.iop import SERVICE_CONTEXTS; assert 15 in SERVICE_CONTEXTS"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

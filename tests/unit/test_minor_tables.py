"""The tables of minor codes, vendor by vendor."""

from __future__ import annotations

import re

import pytest

import iiop.exceptions
from iiop.exceptions import COMM_FAILURE, NO_PERMISSION, OBJ_ADAPTER, TRANSIENT, UNKNOWN, explain_minor
from iiop.exceptions.minor import core, ibm, jacorb, omg, omniorb, sun, tao

TABLES = {
    "OMG": (omg.OMG_VMCID, omg.OMG),
    "omniORB": (0x41540000, omniorb.OMNIORB),
    "JacORB": (0x4A430000, jacorb.JACORB),
    "IBM": (ibm.IBM_BASE, ibm.IBM),
    **{
        f"Sun group {number}": (sun.SUN_VMCID + sun.GROUP_SIZE * number, group)
        for number, group in enumerate((*sun.GROUPS[:6], sun.UTIL), 1)
    },
}


@pytest.mark.parametrize("vendor", TABLES)
def test_every_entry_is_found(vendor: str) -> None:
    base, table = TABLES[vendor]
    superseded = {
        (sun.SUN_VMCID + sun.GROUP_SIZE * group + number, exception)
        for group, exceptions in ((1, sun.JDK_ORBUTIL), (7, sun.JDK_UTIL))
        for exception, numbers in exceptions.items()
        for number in numbers
    }
    for exception, numbers in table.items():
        for number, (name, meaning) in numbers.items():
            if (base + number, exception) in superseded:
                continue
            code = explain_minor(exception or "MARSHAL", base + number)
            assert code is not None
            assert (code.vendor, code.name, code.meaning) == (vendor.split()[0], name, meaning)
            assert code.minor == base + number


@pytest.mark.parametrize("vendor", TABLES)
def test_names_and_numbers_are_well_formed(vendor: str) -> None:
    base, table = TABLES[vendor]
    for exception, numbers in table.items():
        assert exception == core.ANY_EXCEPTION or hasattr(iiop.exceptions, exception)
        for number, (name, meaning) in numbers.items():
            assert 0 <= number <= (0xFFFF if vendor == "IBM" else sun.GROUP_SIZE - 1)
            assert base + number <= 0xFFFFFFFF
            assert re.fullmatch(r"[A-Z][A-Za-z0-9_]*", name)
            assert not meaning or (meaning == meaning.strip() and not meaning.endswith("."))
        if vendor != "IBM":
            assert len({name for name, _ in numbers.values()}) == len(numbers), exception


@pytest.mark.parametrize("vendor", ["OMG", "omniORB", "JacORB", "IBM"])
def test_meanings_are_there(vendor: str) -> None:
    assert all(meaning for numbers in TABLES[vendor][1].values() for _, meaning in numbers.values())


@pytest.mark.parametrize(
    ("exception", "last"),
    [("TRANSIENT", 99), ("OBJECT_NOT_EXIST", 99), ("INV_OBJREF", 99), ("COMM_FAILURE", 20), ("DATA_CONVERSION", 12)],
)
def test_what_a_client_of_glassfish_meets_has_a_meaning(exception: str, last: int) -> None:
    for number, (name, meaning) in sun.GROUPS[0][exception].items():
        assert meaning or number > last, name


@pytest.mark.parametrize(
    ("exception", "minor", "vendor", "name"),
    [
        ("COMM_FAILURE", 1398079689, "Sun", "CONNECT_FAILURE"),  # JDK, GlassFish 2: "vmcid: SUN minor code: 201"
        ("COMM_FAILURE", 0x53550000 + 219, "Sun", "COMMUNICATIONS_TIMEOUT_WAITING_FOR_RESPONSE"),
        ("BAD_OPERATION", 1398080689, "Sun", "ADAPTER_ID_NOT_AVAILABLE"),  # decompiled constants of the JDK, group IOR
        ("INTERNAL", 1398080695, "Sun", "GET_LOCAL_SERVANT_FAILURE"),
        ("TRANSIENT", 0x53550000 + 1003, "Sun", "RFM_MIGHT_DEADLOCK"),  # eclipse-ee4j/glassfish issue 4560
        ("UNKNOWN", 0x53550000 + 203, "Sun", "UNKNOWN_SERVER_ERROR"),  # the JDK's numbers
        ("BAD_PARAM", 0x53550001, "Sun", "LEGACY_SUN_NOT_SERIALIZABLE"),
        ("COMM_FAILURE", 0x4F4D0001, "GlassFish", "CONNECT_FAILURE"),  # GlassFish 3.1: "vmcid: OMG minor code: 1"
        ("COMM_FAILURE", 0x4F4D0008, "GlassFish", "CONNECTION_ABORT"),
        ("COMM_FAILURE", 0x4F4D0013, "GlassFish", "COMMUNICATIONS_TIMEOUT_WAITING_FOR_RESPONSE"),
        ("OBJ_ADAPTER", 0x4F4D0000 + 802, "GlassFish", "POA_INACTIVE"),
        ("TRANSIENT", 0x4F4D0001, "OMG", "POA_DISCARDING"),  # the OMG's own come first
        ("TRANSIENT", 0x53550002, "GlassFish", "NO_USABLE_PROFILE"),  # the OMG's, in Sun's block
    ],
)
def test_sun_and_glassfish(exception: str, minor: int, vendor: str, name: str) -> None:
    code = explain_minor(exception, minor)
    assert code is not None
    assert (code.vendor, code.name, code.minor) == (vendor, name, minor)
    assert bool(code.advice) == (vendor == "GlassFish")


@pytest.mark.parametrize("minor", [0x4F4D0000 + 1400, 0x4F4D0FFF, 0x4F4D0003 + 2000])
def test_no_group_no_name(minor: int) -> None:
    assert explain_minor("COMM_FAILURE", minor) == core.MinorCode(minor, "OMG", "COMM_FAILURE")


@pytest.mark.parametrize(
    ("minor", "name", "meaning"),
    [
        (0x54410085, "INVOCATION_LOCATION_FORWARD/ECONNREFUSED", "a LOCATION_FORWARD could not be followed; errno ECONNREFUSED"),
        (0x54410100, "INVOCATION_SEND_REQUEST", "the request could not be sent"),
        (0x54410113, "INVOCATION_SEND_REQUEST/ECONNRESET", "the request could not be sent; errno ECONNRESET"),
        (0x54410304, "INVOCATION_RECV_REQUEST/EPIPE", "the reply could not be received; errno EPIPE"),
        (0x54410481, "TIMEOUT_CONNECT/ETIMEDOUT", "timeout while connecting; errno ETIMEDOUT"),
        (0x54410180, "POA_DISCARDING", "the POA discards requests"),
        (0x54410005, "ECONNREFUSED", "no place given; errno ECONNREFUSED"),
        (0x5441017E, "INVOCATION_SEND_REQUEST/ERRNO_126", "the request could not be sent; errno & 0x7f == 126"),
        (0x54410F80, "LOCATION_0x1f", "at a place not known here, 0x1f"),
        (0x54410000, "", ""),
    ],
)
def test_tao_place_and_errno(minor: int, name: str, meaning: str) -> None:
    code = explain_minor("TRANSIENT", minor)
    assert code is not None
    assert (code.vendor, code.name, code.meaning) == ("TAO", name, meaning)


def test_tao_numbers_are_all_taken_apart() -> None:
    assert (len(tao.LOCATIONS), len(tao.ERRNOS)) == (22, 21)
    names = {code.name for minor in range(0x54410000, 0x54411000) if (code := explain_minor("UNKNOWN", minor))}
    assert len(names) == 4096
    assert explain_minor("UNKNOWN", 0x54411000) is None


@pytest.mark.parametrize(
    ("exception", "minor", "name", "word"),
    [
        ("NO_PERMISSION", 0x49424300, "AUTHENTICATION_FAILED", "user"),
        ("NO_PERMISSION", 0x49424307, "NO_FORWARDABLE_TOKEN", "token"),
        ("OBJECT_NOT_EXIST", 0x4942FC11, "SERVANT_NOT_FOUND", "servant"),
        ("TRANSIENT", 0x4942FE02, "CONNECTION_REFUSED", "refused"),
        ("INTERNAL", 0x494210D0, "NO_COORDINATOR", "coordinator"),
        ("BAD_CONTEXT", 0x49420047, "SOMDERROR_CtxNoPropFound", "property"),
        ("NO_MEMORY", 0x49420033, "SOMDERROR_NoMemory", "memory"),
        ("NO_PERMISSION", 0x494243AA, "", "WebSphere's security"),
        ("COMM_FAILURE", 0x49421056, "", "ORB service"),
        ("COMM_FAILURE", 0x4942FC01, "", "Java ORB"),
        ("COMM_FAILURE", 0x49421042, "", ""),
    ],
)
def test_ibm(exception: str, minor: int, name: str, word: str) -> None:
    code = explain_minor(exception, minor)
    assert code is not None
    assert (code.vendor, code.name) == ("IBM", name)
    assert word in code.meaning
    assert bool(word) == bool(code.meaning)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (COMM_FAILURE(0x41540007), "(omniORB COMM_FAILURE_WaitingForReply: the connection broke while the reply was awaited)"),
        (TRANSIENT(0x54410485), "(TAO TIMEOUT_CONNECT/ECONNREFUSED: timeout while connecting; errno ECONNREFUSED)"),
        (NO_PERMISSION(0x4A430001), "(JacORB SAS_CSS_FAILURE: CSIv2: "),
        (UNKNOWN(0x49420FFF), "(IBM)"),
        (COMM_FAILURE(0x4942F001), "(IBM: a code of IBM's Java ORB)"),
        (OBJ_ADAPTER(0x53550000 + 1017), "(Sun DEFAULT_POA_NOT_POAIMPL)"),
    ],
)
def test_the_text_of_an_exception_shows_the_name(error: iiop.exceptions.SystemException, text: str) -> None:
    assert text in str(error)


def test_a_decoder_answers_only_where_no_table_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_codes", dict(core._codes))
    monkeypatch.setattr(core, "_decoders", dict(core._decoders))
    core.register_decoder(0x7A7A0000, lambda exception, minor: core.MinorCode(minor, "Acme", exception, f"N{minor & 0xFFF}"))
    core.register_minor_code("MARSHAL", 0x7A7A0002, "TWO", "two", vendor="Acme")
    assert [explain_minor("MARSHAL", 0x7A7A0000 + n).name for n in (1, 2)] == ["N1", "TWO"]  # type: ignore[union-attr]
    assert explain_minor("MARSHAL", 0x7A7A1001) is None

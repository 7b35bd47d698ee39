"""Minor codes: whose they are and what they mean."""

from __future__ import annotations

import pytest

import iiop.exceptions
from iiop.exceptions import explain_minor, register_minor_code, register_vendor, vendor_of_minor
from iiop.exceptions.minor import core
from iiop.exceptions.minor.omg import OMG

FUJITSU = [
    ("COMM_FAILURE", 1179255041, 1179257089, "REPLY_TIMEOUT"),
    ("COMM_FAILURE", 1179255044, 1179257092, "IDLE_CLOSED"),
    ("COMM_FAILURE", 1179255045, 1179257093, "IDLE_CLOSE_CROSSED"),
    ("COMM_FAILURE", 1179255055, 1179257103, "IDLE_CLOSED_EARLY"),
    ("COMM_FAILURE", 1179255060, 1179257108, "IPCOM_ERROR"),
    ("BAD_OPERATION", 1179255264, 1179257312, "CHANNEL_MODEL"),
    ("BAD_OPERATION", 1179255265, 1179257313, "CHANNEL_NOT_TRANSACTIONAL"),
    ("BAD_OPERATION", 1179255266, 1179257314, "CHANNEL_NOT_TRANSACTIONAL"),
    ("BAD_OPERATION", 1179255273, 1179257321, "NO_CONSUMER"),
    ("BAD_OPERATION", 1179255275, 1179257323, "STATIC_CHANNEL"),
    ("BAD_PARAM", 1179255268, 1179257316, "EVENT_PARAMETER"),
]
"""Exception, both members of the pair in decimal as the manuals print them, our symbol."""


@pytest.mark.parametrize(("exception", "first", "second", "name"), FUJITSU)
def test_documented_fujitsu_codes_are_known_in_both_forms(exception: str, first: int, second: int, name: str) -> None:
    for number in (first, second):
        code = explain_minor(exception, number)
        assert code is not None
        assert (code.minor, code.exception, code.vendor, code.name) == (number, exception, "Fujitsu", name)
        assert code.meaning
        assert code.advice


@pytest.mark.parametrize("exception", ["COMM_FAILURE", "UNKNOWN", "NO_IMPLEMENT"])
def test_process_bind_code_is_decimal_and_comes_with_any_exception(exception: str) -> None:
    code = explain_minor(exception, 10007)
    assert code is not None
    assert (code.vendor, code.name, code.exception) == ("Fujitsu", "PROCESS_BIND", exception)


def test_pairing_is_fujitsus_only() -> None:
    assert explain_minor("TRANSIENT", 0x4F4D0001).name == "POA_DISCARDING"  # type: ignore[union-attr]
    assert explain_minor("TRANSIENT", 0x4F4D0801).name == ""  # type: ignore[union-attr]
    assert explain_minor("COMM_FAILURE", 10007 + 0x800) is None


@pytest.mark.parametrize(
    ("number", "vendor"),
    [
        (0x4F4D0FFF, "OMG"),
        (0x464A01FF, "Fujitsu"),
        (0x464A0FFF, "Fujitsu"),
        (0x41540002, "omniORB"),
        (0x54410000, "TAO"),
        (0x4A430001, "JacORB"),
        (0x53550001, "Sun"),
        (0x49420001, "IBM"),
        (0x49421042, "IBM"),
        (0x4942EC01, "IBM"),
    ],
)
def test_vendor_only(number: int, vendor: str) -> None:
    assert vendor_of_minor(number) == vendor
    code = explain_minor("COMM_FAILURE", number)
    assert code is not None
    assert (code.minor, code.vendor, code.name, code.meaning) == (number, vendor, "", "")


@pytest.mark.parametrize("number", [0, 1, 0x4F4D1001, 0x464A1114, 0xFFFFFFFF])
def test_nothing_is_made_up(number: int) -> None:
    assert explain_minor("COMM_FAILURE", number) is None


def test_a_code_belongs_to_its_exception() -> None:
    assert explain_minor("TRANSIENT", 0x464A0114).name == ""  # type: ignore[union-attr]
    assert explain_minor("BAD_PARAM", 0x4F4D0001) != explain_minor("UNKNOWN", 0x4F4D0001)


@pytest.mark.parametrize(
    ("exception", "number", "word"),
    [
        ("UNKNOWN", 1, "user exception"),
        ("BAD_PARAM", 8, "address"),
        ("BAD_INV_ORDER", 4, "shut down"),
        ("TRANSIENT", 2, "profile"),
        ("OBJECT_NOT_EXIST", 2, "adapter"),
        ("OBJ_ADAPTER", 2, "servant"),
        ("INV_OBJREF", 2, "code set"),
        ("DATA_CONVERSION", 1, "character"),
        ("BAD_OPERATION", 2, "operation"),
        ("TIMEOUT", 1, "poller"),
    ],
)
def test_omg_codes(exception: str, number: int, word: str) -> None:
    code = explain_minor(exception, 0x4F4D0000 | number)
    assert code is not None
    assert code.vendor == "OMG"
    assert word in code.meaning


def test_every_entry_names_a_standard_exception_and_is_distinct() -> None:
    for (exception, number), code in core._codes.items():
        assert exception == "" or hasattr(iiop.exceptions, exception), exception
        assert code.minor == number
    for exception, table in OMG.items():
        names = [name for name, _ in table.values()]
        assert len(set(names)) == len(names), exception


def test_the_registry_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_codes", dict(core._codes))
    monkeypatch.setattr(core, "_vendors", dict(core._vendors))
    assert explain_minor("COMM_FAILURE", 0x7A7A0001) is None
    register_vendor(0x7A7A0000, "Acme")
    added = register_minor_code("COMM_FAILURE", 0x7A7A0001, "GONE", "the server is gone", advice="Wait.")
    assert added.vendor == "Acme"
    assert explain_minor("COMM_FAILURE", 0x7A7A0001) == added
    assert register_minor_code("COMM_FAILURE", 5, "FIVE", "five").vendor == "unknown vendor"
    assert register_minor_code("COMM_FAILURE", 5, "FIVE", "five", vendor="Acme").vendor == "Acme"

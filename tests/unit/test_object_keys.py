"""Object keys: those of real references and of a live omniORB are taken apart, others are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ior import IOR, recognise
from ior.describe import describe, key_data
from ior.object_keys import (
    JacORBKey,
    JDKKey,
    MarkedKey,
    ObjectKey,
    OmniORBKey,
    ORBacusKey,
    OrbixKey,
    PlainKey,
    TAOKey,
    VisiBrokerKey,
)

CORPUS = [
    IOR.from_string(json.loads(line)["ior"])
    for line in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        # omniORB 4.3.3, made by omniORBpy in November 2026; catior -o says the same of POAs
        ("fe23b7026b00004e110000000000", OmniORBKey((), bytes.fromhex("23b7026b00004e11"), bytes(4))),
        ("ff70657273006d79206964", OmniORBKey(("pers",), None, b"my id")),
        ("ff70657273ff6b69640023b7026b01004e1100000000", OmniORBKey(("pers", "kid"), None, b"#\xb7\2k\1\0N\x11\0\0\0\0")),
        ("ff7472616e73ff737562fe23b7026b03004e1100780079", OmniORBKey(("trans", "sub"), b"#\xb7\2k\3\0N\x11", b"x\0y")),
        ("506c61696e", PlainKey("Plain")),  # its omniINSPOA
        # TAO: a transient root POA in the corpus has no names; below it their length is not told by the key
        ("14010f004e53540102030405060708aabb", TAOKey(False, True, False, bytes(range(1, 9)), rest=b"\xaa\xbb")),
        ("14010f004e555000000008526f6f74504f410078", TAOKey(False, False, True, None, ("RootPOA",), b"x")),
        # yoko, persistent, as its ObjectKey.java writes
        ("abacab3073727600504f41310000ff", ORBacusKey(None, "srv", ("POA1",), b"\xff")),
        # JacORB hides separators inside names
        ("612625622f632626642f6f2625", JacORBKey("a/b", ("c&d",), b"o/")),
        # JDK 1.3: numbers for ORB and POA; 1.3.1_01 has its patch level behind a key without POA
        (
            "afabcafe00000020000000640000000100000002000000017a",
            JDKKey("before JDK 1.3.1", 32, 100, False, 1, 2, b"z"),
        ),
        ("afabcaff0000000200000064000000017a", JDKKey("JDK 1.3.1", 2, 100, object_id=b"z")),
        ("afabcaff0000000200000064000000017a01", JDKKey("JDK 1.3.1", 2, 100, object_id=b"z", version=1)),
        (
            "afabcb00000000020000006400000001" + "7a" + "14",
            JDKKey("JDK 1.4, J2EE 1.3 and later", 2, 100, None, None, None, b"z", 20),
        ),
        ("00504d430000000500", MarkedKey("Borland", b"\0PMC", b"\0\0\0\5\0")),
        ("4a4d424900000012", MarkedKey("IBM", b"JMBI", b"\0\0\0\x12")),
        ("4f422f78", MarkedKey("OmniBroker", b"OB/", b"x")),
    ],
)
def test_layouts(digits: str, expected: ObjectKey) -> None:
    found = recognise(bytes.fromhex(digits))
    assert found == expected
    assert type(found) is type(expected)


def test_of_the_corpus() -> None:
    """By position: what the keys of the references there are."""
    sun = "JDK 1.4, J2EE 1.3 and later"
    orbacus_id = bytes.fromhex("cafebabe3e23165700000000")
    expected: dict[int, ObjectKey] = {
        2: ORBacusKey("1042486871", "_RootPOA", ("IIOP_CSIv2_POA",), orbacus_id),
        3: ORBacusKey("1042486871", "_RootPOA", ("IIOP_POA",), orbacus_id),
        4: ORBacusKey("1042486871", "_RootPOA", ("TLS_CSIv2_UP_POA",), orbacus_id),
        5: JDKKey("before JDK 1.3.1", 2, -2083460567, object_id=b"\0\0\0\3\0\0\0\0"),
        10: JDKKey(sun, 34, 100, True, "", ("PersistentPOA",), bytes.fromhex("0000415514cc000000000001ff"), 3),
        11: JacORBKey("ORB", ("ManagerPOA",), b"Manager"),
        12: JacORBKey("BImpl", (), b"\0\x11*\x0b\7\4\2*\n\x0e"),
        13: JacORBKey("the_ImR", ("ImRPOA",), b"ImR"),
        17: PlainKey("NameService"),
        23: OrbixKey("infsun01", "16104", "0", "", "IR", "foo"),
        24: OrbixKey("planxty.dsg.cs.tcd.ie", "Random", "0", "", "IR", "Random"),
        25: JDKKey(sun, 32, 222174502, False, "", ("RootPOA",), b"\0\0\0\1\0\0\0\0", 20),
        27: TAOKey(True, True, False, b"\xf7D\xf7D\xd1\5\2\0", None, b"\0\0\0\0\1\0\0\0\1\0\0\0"),
        28: TAOKey(False, False, True, None, ("RootPOA", "tserverRR"), bytes(7) + b"\1TradeSrvAdmin"),
        32: VisiBrokerKey(("aa_grand_parent_poa", "aa_parent_poa", "aa_my_poa"), b"BankManager"),
        37: VisiBrokerKey(("bank_implicit_activation_poa",), b"0"),
        42: OmniORBKey((), bytes.fromhex("e63c2a3b00007560"), bytes(4)),
    }
    for number, key in expected.items():
        profile = next(profile for profile in CORPUS[number].profiles if profile.name == "TAG_INTERNET_IOP")
        assert recognise(profile.object_key) == key, number


@pytest.mark.parametrize(
    "digits",
    [
        *["", "01", "fe", "fe0102", "ff", "ff6162", "14010f00", "14010f00585858", "14010f004e5354", "14010f004e5550ffffffff"],
        *["abacab", "abacab3178", "afabcb00", "afabcb0000000020", "3a5c613a62", "2f", "612f", "4e616d6520", "4e616d650a"],
    ],
)
def test_what_only_looks_like_one_is_left_alone(digits: str) -> None:
    assert recognise(bytes.fromhex(digits)) is None


STARTS = [b"\xfe", b"\xff", b"\x14\1\x0f\0NUP", b"\xab\xac\xab1", b"\xaf\xab\xcb\0\0\0\0\x20", b"\0PMC\0\0\0\4", b":\\"]


@given(st.binary(max_size=80) | st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=60)))
def test_never_fails(key: bytes) -> None:
    found = recognise(key)
    data = json.dumps(key_data(key))
    assert (found is None) == ('"recognised": null' in data)
    assert describe(found).isascii()
    assert recognise(memoryview(key)) == found  # type: ignore[arg-type]


def test_as_data_and_text() -> None:
    data: dict[str, Any] = key_data(b"\xffa\0\1")
    assert data["recognised"] == {
        "vendor": "omniORB",
        "layout": "POA key",
        "guess": False,
        "parts": {"poa": ["a"], "object_id": "01"},
        "text": r'omniORB POA key: poa /a, object_id "\x01"',
    }
    assert describe(recognise(b"srv/poa/id")) == 'JacORB POA key (by its look): implementation "srv", poa /poa, object_id "id"'
    assert describe(recognise(b"\0BEA\x08")) == "BEA key, by the mark it begins with"
    assert describe(recognise(b"NameService")) == 'name: name "NameService"'

"""The annotated octets of references: nothing is left out, nothing is told twice, and nothing breaks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iiop.exceptions import IIOPError
from iiop.leniency import STRICT
from iiop.limits import Limits
from iiop_fuzz import strategies as st
from ior import IOR, IORBuilder
from ior.explain import Row, explain

CORPUS = [json.loads(line)["ior"] for line in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines()]


def check_whole(ior: IOR) -> tuple[Row, ...]:
    rows = explain(ior)
    assert b"".join(row.octets for row in rows) == ior.to_octets()
    at = 0
    for row in rows:
        assert row.offset == at
        assert row.octets
        assert row.text.isascii()
        assert row.text.isprintable()
        at += len(row.octets)
    return rows


@pytest.mark.parametrize("text", CORPUS)
def test_every_octet_of_real_references_is_told_once(text: str) -> None:
    ior = IOR.from_string(text)
    rows = check_whole(ior)
    unread = any(row.type == "unread" for row in rows)
    assert unread or not ior.problems()
    assert not unread or ior.problems(Limits(leniency=STRICT))


@given(st.iors(), st.iors())
def test_every_octet_of_any_reference_is_told_once(one: object, other: object) -> None:
    for reference in (one, other):
        check_whole(IOR.from_iop(reference))  # type: ignore[arg-type]


@given(some.sampled_from(CORPUS), some.data())
def test_any_octet_may_be_flipped(text: str, data: some.DataObject) -> None:
    octets = bytearray(IOR.from_string(text).to_octets())
    at = data.draw(some.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(some.integers(1, 255))
    try:
        ior = IOR.from_octets(bytes(octets))
    except IIOPError:
        return
    check_whole(ior)


def told(ior: IOR) -> list[tuple[int, str, str, str]]:
    return [(row.offset, row.octets.hex(), row.path, row.text) for row in explain(ior)]


def test_fields_offsets_and_names() -> None:
    ior = IORBuilder("IDL:a:1.0").iiop("h", 8002, key=b"k\0").orb_type(0x464A0000).build()
    assert told(ior) == [
        (0, "00", "byte_order", "big"),
        (1, "000000", "type_id.length", ""),
        (4, "0000000a", "type_id.length", "10"),
        (8, "49444c3a613a312e3000", "type_id", '"IDL:a:1.0"'),
        (18, "0000", "profiles.length", ""),
        (20, "00000001", "profiles.length", "1"),
        (24, "00000000", "profiles[0].tag", "0 (TAG_INTERNET_IOP)"),
        (28, "00000028", "profiles[0].profile_data.length", "40"),
        (32, "00", "profiles[0].profile_data.byte_order", "big"),
        (33, "01", "profiles[0].profile_data.iiop_version.major", "1"),
        (34, "02", "profiles[0].profile_data.iiop_version.minor", "2"),
        (35, "00", "profiles[0].profile_data.host.length", ""),
        (36, "00000002", "profiles[0].profile_data.host.length", "2"),
        (40, "6800", "profiles[0].profile_data.host", '"h"'),
        (42, "1f42", "profiles[0].profile_data.port", "8002"),
        (44, "00000002", "profiles[0].profile_data.object_key.length", "2"),
        (48, "6b00", "profiles[0].profile_data.object_key", r'"k\x00"'),
        (50, "0000", "profiles[0].profile_data.components.length", ""),
        (52, "00000001", "profiles[0].profile_data.components.length", "1"),
        (56, "00000000", "profiles[0].profile_data.components[0].tag", "0 (TAG_ORB_TYPE)"),
        (60, "00000008", "profiles[0].profile_data.components[0].component_data.length", "8"),
        (64, "00", "profiles[0].profile_data.components[0].component_data.byte_order", "big"),
        (65, "000000", "profiles[0].profile_data.components[0].component_data.orb_type", ""),
        (68, "464a0000", "profiles[0].profile_data.components[0].component_data.orb_type", "1179254784 (Fujitsu)"),
    ]


def test_transports_inside_of_mechanisms_are_opened() -> None:
    (ior,) = (IOR.from_string(text) for text in CORPUS[40:41])
    paths = {row.path: row.text for row in explain(ior)}
    inside = "profiles[0].profile_data.components[3].component_data.mechanism_list[0]."
    assert any(path.startswith(inside) for path in paths)


def test_what_is_left_over_says_why() -> None:
    broken = IORBuilder("IDL:b:1.0").profile(0, b"\0\1\2\0\0\0\0\x05h").build()
    last = explain(broken)[-1]
    assert (last.type, last.octets, last.text) == ("unread", b"h", "string needs 5 octets, 1 are left")

"""Anys and TypeCodes as omniORBpy writes them, read by us, written by us, and read by omniORBpy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from iiop.cdr import ByteOrder, codec, constructs
from iiop.cdr.any import Any, UnionValue
from iiop.cdr.source import Input
from iiop.cdr.typecode import Member, TCKind, TypeCode
from tests.interop.omni_anys import IDL
from tests.peers import omniidl_stubs, peer_env

ANY = codec(Any)
CDR_UNMARSHAL_FAILS = {"wide"}
"""omniORBpy 4.3.3's cdrUnmarshal takes the count before a wchar for the character, also in what its own cdrMarshal wrote."""
CHILD = Path(__file__).with_name("omni_anys.py")


class Peer:
    """Ask omniORBpy."""

    def __init__(self, folder: Path) -> None:
        stubs = omniidl_stubs(IDL, folder)
        self._env = peer_env({"PYTHONPATH": str(stubs)})
        self.octets = {name: bytes.fromhex(cast("str", row["octets"])) for name, row in self.ask({}).items()}

    def ask(self, ours: Mapping[str, bytes]) -> dict[str, dict[str, object]]:
        given = json.dumps({name: octets.hex() for name, octets in ours.items()})
        done = subprocess.run([sys.executable, CHILD], input=given, capture_output=True, text=True, env=self._env, timeout=60)
        assert done.returncode == 0, done.stderr
        return cast("dict[str, dict[str, object]]", json.loads(done.stdout))


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    return Peer(tmp_path_factory.mktemp("anys"))


def test_every_any_is_read_by_both_engines_and_comes_back(peer: Peer) -> None:
    ours = {}
    for name, octets in peer.octets.items():
        value = ANY.decode(octets)
        assert constructs.parse(ANY.type, Input(octets), ByteOrder.BIG) == (value, len(octets)), name
        ours[name] = ANY.encode(value)
        assert constructs.build(ANY.type, value, ByteOrder.BIG) == ours[name], name
        assert ANY.decode(ours[name]) == value, name
        assert ANY.decode(ANY.encode(value, ByteOrder.LITTLE), ByteOrder.LITTLE) == value, name
    assert len(ours) == 35
    assert {name for name, row in peer.ask(ours).items() if row["same"] is not True} == CDR_UNMARSHAL_FAILS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("short", -2),
        ("ulong", 4000000000),
        ("double", 1.5),
        ("boolean", True),
        ("char", "x"),
        ("octet", 200),
        ("string", "text"),
        ("octets", b"\1\2"),
        ("longs", (1, 2, 3)),
        ("array", (1.0, 2.0)),
        ("null", None),
        ("wstring", "\u65e5\u672c \U0001f600"),
        ("empty wstring", ""),
        ("fixed", Decimal("-3.50")),
        ("even fixed", Decimal(1234)),
        ("alias", "text"),
        ("enum", 1),
        ("enums", (0, 2)),
        ("union", UnionValue(2, "text")),
        ("union without a member", UnionValue(False)),
        ("union with a default", UnionValue(7, "text")),
    ],
)
def test_values(peer: Peer, name: str, value: object) -> None:
    assert ANY.decode(peer.octets[name]).value == value


def test_struct(peer: Peer) -> None:
    read = ANY.decode(peer.octets["struct of structs"])
    assert (read.type.repository_id, read.type.name) == ("IDL:Types/Pair:1.0", "Pair")
    assert (read.value.first.x, read.value.second.y) == (3, 0.5)
    everything = ANY.decode(peer.octets["everything"]).value
    assert (everything.a, everything.c, everything.d, everything.f, everything.i.value.x) == (-1, -(2**40), 2**60, "c", 3)


def test_wide_characters_inside(peer: Peer) -> None:
    wide = ANY.decode(peer.octets["wide"]).value
    assert (wide.one, wide.a, wide.some, wide.b) == ("\u3042", 1, "\u3042\u3044", 2)


def test_recursion_is_a_mention_of_the_type_around(peer: Peer) -> None:
    read = ANY.decode(peer.octets["recursive struct"])
    assert [child.name for child in read.value.children] == ["leaf", "inner"]
    children = TypeCode(TCKind.tk_sequence, content=TypeCode(TCKind.tk_indirection))
    node = TypeCode(
        TCKind.tk_struct,
        "IDL:Types/Node:1.0",
        "Node",
        (Member("name", TypeCode(TCKind.tk_string)), Member("children", children)),
    )
    assert read.type == node
    assert ANY.decode(peer.octets["recursive TypeCode"]) == Any(TypeCode(TCKind.tk_TypeCode), node)
    assert repr(children) == "TypeCode(tk_sequence, content=TypeCode(tk_indirection))"

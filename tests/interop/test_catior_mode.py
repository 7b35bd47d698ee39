"""`iortool decode --catior` prints what omniORB's catior prints, octet for octet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from iiop.cdr import ByteOrder
from iiop.components import (
    TLS_SEC_TRANS,
    AS_ContextSec,
    CompoundSecMech,
    CompoundSecMechList,
    OmniORBBiDir,
    OmniORBHTTP,
    OmniORBRestrictedConnection,
    OmniORBUnix,
    PolicyValue,
    PolicyValueSeq,
    SAS_ContextSec,
    TransportAddress,
)
from iiop.components.messaging import PolicyType
from iiop.iop import COMPONENTS, TaggedComponent
from iiop_tools.iortool import main
from ior import IOR, IORBuilder
from ior.catior import catior_text
from ior.registry import CODE_SETS, ORB_TYPES
from tests import peers

CORPUS = [json.loads(line)["ior"] for line in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines()]
REFUSED = {10, 18, 19, 30}
"""By position: a CSI component that it calls broken, IIOP 1.0 with components, and a reference that is corrupt."""

NO_AS, NO_SAS = AS_ContextSec(0, 0, b"", b""), SAS_ContextSec(0, 0, (), (), 0)


def profile(key: bytes = b"k", host: str = "h") -> IORBuilder:
    return IORBuilder("IDL:a:1.0").iiop(host, 1, key=key)


def tls(*addresses: tuple[str, int]) -> TaggedComponent:
    value = TLS_SEC_TRANS(64, 64, tuple(TransportAddress(*each) for each in addresses))
    return TaggedComponent(36, COMPONENTS.encode(36, value))


def mechanisms(*transports: TaggedComponent, login: AS_ContextSec = NO_AS) -> IORBuilder:
    ways = tuple(CompoundSecMech(64, each, login, NO_SAS) for each in transports)
    return profile().component(33, CompoundSecMechList(False, ways))


def policies(*values: tuple[int, bytes]) -> IORBuilder:
    return profile().component(2, PolicyValueSeq(tuple(PolicyValue(PolicyType(kind), octets) for kind, octets in values)))


@pytest.mark.parametrize("number", sorted(set(range(len(CORPUS))) - REFUSED))
def test_real_references(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--catior", CORPUS[number]]) == 0
    assert capsys.readouterr().out == peers.run_catior(CORPUS[number])


@pytest.mark.parametrize("number", sorted(REFUSED))
def test_what_it_refuses_is_printed(number: int) -> None:
    assert catior_text(IOR.from_string(CORPUS[number])).startswith("Type ID: ")


@pytest.mark.parametrize(
    "built",
    [
        IORBuilder(),
        IORBuilder("IDL:x:1.0"),
        profile(b""),
        profile(b'"\\ ~\x7f\xff\n'),
        profile(host=""),
        profile(host="::1"),
        profile().alternate("b", 2).alternate("::1", 3),
        profile().code_sets(0x4711, 0, wchar_conversions=(1,)),
        profile().code_sets(char_conversions=tuple(CODE_SETS)),
        profile().tls(8003).tls(8004, required=True),
        profile().component(99, b"").component(3, b"\0\0\0").component(1, b"\0").component(0, b"\0").component(20, b"\0"),
        profile().component(33, b"\0").component(2, b"\0"),
        profile().component(20, bytes.fromhex("000000000000007f000000060016")),
        profile().component(0x41545403, bytes(8)).component(0x41545403, b"").component(3, b"\0\0\0\0\0\0\0\2h\0\0\1"),
        profile().component(0x41545401, OmniORBBiDir("here")),
        profile().component(0x41545402, OmniORBUnix("h", "/tmp/socket")),
        profile().component(0x41545404, OmniORBRestrictedConnection(1, 7, 1, 2, 3)),
        profile().component(0x41545404, OmniORBRestrictedConnection(1, 0, 1, 2, 3)),
        profile().component(0x41545404, OmniORBRestrictedConnection(1, 2, 1, 2, 3)),
        profile().component(0x41545405, OmniORBHTTP("http://h/")),
        mechanisms(),
        mechanisms(tls(("h", 5), ("::1", 6))),
        mechanisms(tls(("h", 5)), tls(("i", 6))),
        mechanisms(TaggedComponent(34, b"")),
        mechanisms(TaggedComponent(34, b""), tls(("h", 5))),
        mechanisms(tls(("h", 5)), login=AS_ContextSec(64, 64, b"\6\6g\x81\2\1\1\1", b"")),
        mechanisms(tls()),
        policies(),
        policies((35, b"\0\0\0\0"), (8, b"")),
        policies((64, b"\0\1")),
        policies((64, b"\0\0")),
        policies((65, b"\0\0\0\0\0\0\0\2\0\1\0\5\0\2\0\6"), (35, b"")),
        IORBuilder("IDL:a:1.0").profile(1, b"\0\0\0\0\0\0\0\0"),
        IORBuilder("IDL:a:1.0").profile(1, b"\0\0\0\0\0\0\0\1\0\0\0\x63\0\0\0\0"),
        IORBuilder("IDL:a:1.0").profile(0x41545400, b"\0").profile(2, b"\0"),
        IORBuilder("IDL:a:1.0").iiop("h", 1, key=b"k", version=(1, 0)).iiop("h", 2, key=b"k", version=(1, 1)),
        IORBuilder("IDL:a:1.0", byte_order=ByteOrder.LITTLE).iiop("h", 1, key=b"k", version=(1, 3)).code_sets(),
    ],
)
def test_each_form(built: IORBuilder) -> None:
    ior = built.build()
    assert catior_text(ior) == peers.run_catior(str(ior))


def test_every_vendor() -> None:
    built = profile()
    for number in (*ORB_TYPES, 0, 0x12345678):
        built.orb_type(number).orb_type(number | 0x1F)
    ior = built.build()
    assert catior_text(ior) == peers.run_catior(str(ior))


KEYS = some.binary(max_size=40)
NAMES = some.text(some.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES, some.integers(0, 65535), KEYS, some.lists(some.integers(0, 0xFFFFFFFF), max_size=5))
def test_anything_plain(type_id: str, host: str, port: int, key: bytes, numbers: list[int]) -> None:
    built = IORBuilder(type_id).iiop(host, port, key=key).code_sets(char_conversions=tuple(numbers))
    for number in numbers:
        built.orb_type(number)
    ior = built.build()
    assert catior_text(ior) == peers.run_catior(str(ior))

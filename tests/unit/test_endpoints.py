"""Where a reference says that its object is, plain and over TLS, in order."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from iiop.components import (
    TLS_SEC_TRANS,
    AS_ContextSec,
    CompoundSecMech,
    CompoundSecMechList,
    SAS_ContextSec,
    TransportAddress,
)
from iiop.exceptions import DecodeError, EncodeError
from iiop.iop import COMPONENTS, ComponentId, TaggedComponent
from ior import IOR, IORBuilder, parse_object_url

VECTORS = Path(__file__).parents[1] / "vectors" / "iors.jsonl"
NOT_PROTECTED, PROTECTED, BY_CERTIFICATE = 1, 6, 0x40


def mechanism(*transports: TLS_SEC_TRANS | None) -> CompoundSecMechList:
    """Return a list with a mechanism for each transport, None for none."""
    found = []
    for transport in transports:
        if transport is None:
            component = TaggedComponent(ComponentId.TAG_NULL_TAG, b"")
        else:
            tag = ComponentId.TAG_TLS_SEC_TRANS
            component = TaggedComponent(tag, COMPONENTS.encode(tag, transport))
        found.append(CompoundSecMech(0, component, AS_ContextSec(0, 0, b"", b""), SAS_ContextSec(0, 0, (), (), 0)))
    return CompoundSecMechList(False, tuple(found))


def transport(requires: int, *addresses: tuple[str, int]) -> TLS_SEC_TRANS:
    return TLS_SEC_TRANS(0x66, requires, tuple([TransportAddress(*address) for address in addresses]))


def shown(ior: IOR) -> list[str]:
    return [str(endpoint) for endpoint in ior.endpoints()]


def test_where_tls_may_be_spoken_plain_addresses_come_first() -> None:
    ior = IORBuilder().iiop("h", 1, key=b"k").tls(2).alternate("a", 3).build()
    assert shown(ior) == ["h:1", "a:3", "h:2 (TLS)"]


def test_where_tls_must_be_spoken_plain_addresses_do_not_count() -> None:
    ior = IORBuilder().iiop("h", 1, key=b"k").alternate("a", 3).tls(2, required=True).iiop("::1", 4, key=b"k").build()
    assert shown(ior) == ["h:2 (TLS)", "[::1]:4"]


def test_port_0_is_no_address() -> None:
    assert shown(IORBuilder().iiop("h", 0, key=b"k").tls(2).alternate("a", 0).build()) == ["h:2 (TLS)"]
    assert shown(IORBuilder().iiop("h", 0, key=b"k").build()) == []
    assert shown(IORBuilder().iiop("h", 1, key=b"k").tls(0).build()) == ["h:1"]


@pytest.mark.parametrize(
    ("mechanisms", "expected"),
    [
        (mechanism(), ["h:1"]),
        (mechanism(None), ["h:1"]),
        (mechanism(transport(NOT_PROTECTED, ("t", 2), ("::1", 3))), ["h:1", "t:2 (TLS)", "[::1]:3 (TLS)"]),
        (mechanism(transport(PROTECTED, ("t", 2), ("u", 0))), ["t:2 (TLS)"]),
        (mechanism(transport(BY_CERTIFICATE, ("t", 2))), ["t:2 (TLS)"]),
        (mechanism(transport(PROTECTED, ("t", 2)), None), ["h:1", "t:2 (TLS)"]),
        (mechanism(transport(PROTECTED, ("t", 2)), transport(PROTECTED, ("u", 3), ("t", 2))), ["t:2 (TLS)", "u:3 (TLS)"]),
    ],
)
def test_mechanisms_of_csi(mechanisms: CompoundSecMechList, expected: list[str]) -> None:
    builder = IORBuilder().iiop("h", 1, key=b"k").component(ComponentId.TAG_CSI_SEC_MECH_LIST, mechanisms)
    assert shown(builder.build()) == expected


def test_either_component_can_require_protection() -> None:
    csi = mechanism(transport(NOT_PROTECTED, ("t", 3)))
    builder = IORBuilder().iiop("h", 1, key=b"k").tls(2, required=True).component(ComponentId.TAG_CSI_SEC_MECH_LIST, csi)
    assert shown(builder.build()) == ["h:2 (TLS)", "t:3 (TLS)"]


def test_a_component_that_cannot_be_read_says_nothing() -> None:
    ior = IORBuilder().iiop("h", 1, key=b"k").component(ComponentId.TAG_SSL_SEC_TRANS, b"\0\1").tls(2).build()
    assert shown(ior) == ["h:1", "h:2 (TLS)"]


def test_code_sets_hold_for_both() -> None:
    plain, secure = IORBuilder().iiop("h", 1, key=b"k").tls(2).code_sets().build().endpoints()
    assert plain.code_sets == secure.code_sets is not None
    assert (plain.tls, secure.tls) == (False, True)


def test_corbaloc_of_ssliop() -> None:
    location = parse_object_url("corbaloc:ssliop:h:5,iiop:1.2@h:6/k")
    assert not isinstance(location, IOR)
    ior = location.to_ior()
    assert shown(ior) == ["h:5 (TLS)", "h:6"]
    assert ior.profiles[0].port == 0


def test_no_place_in_iiop_1_0() -> None:
    with pytest.raises(EncodeError, match=r"IIOP 1\.0"):
        IORBuilder().iiop("h", 1, key=b"k", version=(1, 0)).tls(2)


def test_references_of_real_orbs() -> None:
    found = {}
    for line in VECTORS.read_text().splitlines():
        vector = json.loads(line)
        with contextlib.suppress(DecodeError):
            where = shown(IOR.from_string(vector["ior"]))
            if any("TLS" in each for each in where):
                found[vector["orb"]] = where
    assert found == {
        "Erlang Orber": ["128.230.208.55:40290 (TLS)"],
        "J2EE SDK 1.3 ORB (GlassFish ancestor)": ["130.214.60.132:1050", "130.214.60.132:1060 (TLS)"],
        "JacORB": ["134.171.12.179:40506 (TLS)"],
        "ORBit2 (reference from corbaloc)": ["localhost:8885 (TLS)"],
        "omniORB 4": ["158.124.65.37:34937 (TLS)"],
    }

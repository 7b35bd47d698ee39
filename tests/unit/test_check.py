"""What is told to be wrong with references."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iiop import iop
from iiop.components import TLS_SEC_TRANS, TransportAddress
from iiop.exceptions import IIOPError
from iiop.iop import COMPONENTS, TaggedComponent
from iiop_fuzz import strategies as st
from ior import IOR, IORBuilder
from ior.check import Finding, Severity, check

CORPUS = [json.loads(line)["ior"] for line in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines()]


def good(host: str = "vhost", port: int = 8002, key: bytes = b"k") -> IORBuilder:
    return IORBuilder("IDL:A:1.0").iiop(host, port, key=key).code_sets()


def codes(reference: IORBuilder | IOR) -> list[tuple[str, str]]:
    built = reference.build() if isinstance(reference, IORBuilder) else reference
    return [(each.code, each.path) for each in check(built)]


def test_nothing_is_wrong() -> None:
    assert codes(good().alternate("vhost2")) == []
    assert codes(good("www.example.org.")) == []
    assert codes(good("8.8.8.8")) == []
    assert codes(good("2606:4700::1")) == []
    assert codes(good("v_host")) == []
    assert codes(good(port=0).tls(8003, required=True)) == []


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("", "empty-host"),
        ("localhost", "loopback-host"),
        ("LocalHost.localdomain", "loopback-host"),
        ("127.0.0.1", "loopback-host"),
        ("127.0.1.1", "loopback-host"),
        ("::1", "loopback-host"),
        ("10.1.2.3", "private-host"),
        ("172.16.0.9", "private-host"),
        ("192.168.1.1", "private-host"),
        ("100.64.0.1", "private-host"),
        ("fd00::1", "private-host"),
        ("0.0.0.0", "unspecified-host"),
        ("::", "unspecified-host"),
        ("169.254.1.1", "link-local-host"),
        ("fe80::1", "link-local-host"),
        ("224.0.0.1", "multicast-host"),
        ("a b", "bad-host"),
        ("-a", "bad-host"),
        ("a..b", "bad-host"),
        ("0123456789ab", "container-host"),
    ],
)
def test_hosts_that_not_every_client_reaches(host: str, code: str) -> None:
    assert codes(good(host)) == [(code, "profiles[0]")]
    assert codes(good().alternate(host)) == [(code, "profiles[0].components[1]")]


def test_hosts_inside_of_security_are_looked_at() -> None:
    transport = TaggedComponent(36, COMPONENTS.encode(36, TLS_SEC_TRANS(64, 64, (TransportAddress("127.0.0.1", 0),))))
    ior = good().component(36, transport.component_data)
    path = "profiles[0].components[1].addresses[0]"
    assert codes(ior) == [("loopback-host", path), ("port-0", path)]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (good(port=0), [("port-0", "profiles[0]")]),
        (good().alternate("b", 0), [("port-0", "profiles[0].components[1]")]),
        (good().alternate("vhost", 8002), [("duplicate-address", "profiles[0].components[1]")]),
        (good().code_sets(), [("duplicate-tag", "profiles[0].components[1]")]),
        (good(key=b""), [("empty-key", "profiles[0].object_key")]),
        (IORBuilder("IDL:A:1.0").iiop("h", 1, key=b"k"), [("no-code-sets", "profiles[0]")]),
        (IORBuilder("IDL:A:1.0").iiop("h", 1, key=b"k", version=(1, 0)), [("version-1.0", "profiles[0].iiop_version")]),
        (IORBuilder(), [("nil", "")]),
        (IORBuilder("IDL:A:1.0").profile(99, b"x"), [("no-iiop", "profiles")]),
        (good().iiop("vhost", 8002, key=b"k").code_sets(), [("duplicate-profile", "profiles[1]")]),
        (
            IORBuilder().iiop("h", 1, key=b"k", version=(1, 3)).code_sets(0x4711, 0),
            [
                ("no-type", "type_id"),
                ("future-version", "profiles[0].iiop_version"),
                ("unknown-code-set", "profiles[0].components[0].for_char_data.native_code_set"),
                ("no-wchar", "profiles[0].components[0].for_wchar_data.native_code_set"),
            ],
        ),
        (
            IORBuilder("IDL:A:1.0").profile(0, b"\0\1\2\0\0\0\0\x05h"),
            [("broken", "profiles[0].host")],
        ),
        (good().component(3, b"\0\0\0"), [("broken", "profiles[0].components[1].host.length")]),
        (
            IORBuilder("IDL:A:1.0").profile(0, bytes.fromhex("000100000000000268001f4200000001410000000000000000")),
            [("components-in-1.0", "profiles[0]"), ("version-1.0", "profiles[0].iiop_version")],
        ),
    ],
)
def test_mistakes(reference: IORBuilder, found: list[tuple[str, str]]) -> None:
    assert codes(reference) == found


def test_components_in_1_0_of_a_real_orb() -> None:
    told = codes(IOR.from_string(CORPUS[18]))
    assert [path for code, path in told if code == "components-in-1.0"] != []


def resolver(name: str) -> tuple[str, ...]:
    if name == "gone":
        raise OSError(-2, "Name or service not known")
    return {"vhost": ("203.0.113.9", "8.8.4.4"), "me": ("127.0.1.1",)}[name]


def test_names_are_resolved_if_asked() -> None:
    def found(host: str) -> list[tuple[str, Severity, str]]:
        return [(each.code, each.severity, each.message) for each in check(good(host).build(), resolver)]

    assert found("gone") == [("unresolvable-host", Severity.error, "gone has no address here: Name or service not known")]
    assert found("me") == [
        ("loopback-host", Severity.warning, "me is 127.0.1.1, which is this machine for every client"),
    ]
    assert [code for code, _, _ in found("127.0.0.1")] == ["loopback-host"]


def test_each_name_is_resolved_once_a_profile() -> None:
    asked: list[str] = []

    def note(name: str) -> tuple[str, ...]:
        asked.append(name)
        return ("8.8.4.4",)

    check(good().alternate("vhost", 1).alternate("b", 2).build(), note)
    assert asked == ["vhost", "b"]


def sound(finding: Finding) -> bool:
    return finding.message.isascii() and finding.message.isprintable() and bool(finding.advice)


@given(st.iors())
def test_any_reference_can_be_checked(reference: iop.IOR) -> None:
    assert all(map(sound, check(IOR.from_iop(reference))))


@given(some.sampled_from(CORPUS), some.data())
def test_any_octet_may_be_flipped(text: str, data: some.DataObject) -> None:
    octets = bytearray(IOR.from_string(text).to_octets())
    at = data.draw(some.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(some.integers(1, 255))
    try:
        ior = IOR.from_octets(bytes(octets))
    except IIOPError:
        return
    found = check(ior)
    assert all(map(sound, found))
    assert bool(ior.problems()) == any(each.code == "broken" for each in found)

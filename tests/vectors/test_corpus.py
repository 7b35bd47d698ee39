"""Real references by many ORBs: read and written they are the same, and what they say is what it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iiop.cdr import ByteOrder, Explained
from iiop.components import DraftCompoundSecMechList, DraftTLS_SEC_TRANS
from iiop.iop import COMPONENTS, PROFILES, Encapsulated, Registry
from ior import IOR, IIOPProfile, parse_object_url

CORPUS = [json.loads(line) for line in Path(__file__).with_name("iors.jsonl").read_text().splitlines()]
TEXTS = [row["ior"] for row in CORPUS]
BROKEN = {30}
"""By position: a profile with two octets too many in it, so that its lengths lie."""


def test_the_corpus_is_whole() -> None:
    assert len(TEXTS) == 45


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_every_reference_comes_back(number: int) -> None:
    text = TEXTS[number]
    ior = IOR.from_string(text)
    assert str(ior) == text
    assert ior.to_octets() == bytes.fromhex(text[4:])
    assert str(IOR.from_octets(ior.to_octets())) == text.lower().replace("ior:", "IOR:")
    assert parse_object_url(text) == ior
    assert bool(ior.problems()) == (number in BROKEN)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_encoded_anew_it_says_the_same(number: int) -> None:
    """Without the text it came from: equal, of the same size, and the same octets but for padding that was not zero."""
    ior = IOR.from_string(TEXTS[number])
    source = ior.to_octets()
    for byte_order in ByteOrder:
        assert IOR.from_octets(ior.to_octets(byte_order)) == ior
    anew = dataclasses.replace(ior).to_octets()
    assert len(anew) == len(source)
    differing = {ours for ours, theirs in zip(anew, source, strict=True) if ours != theirs}
    assert differing <= {0}


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_every_sound_iiop_profile_can_be_moved(number: int) -> None:
    for profile in IOR.from_string(TEXTS[number]).profiles:
        if isinstance(profile, IIOPProfile) and profile.error is None:
            moved = profile.replace(host="elsewhere", port=1)
            assert (moved.host, moved.port) == ("elsewhere", 1)
            assert (moved.object_key, moved.version, moved.components) == (
                profile.object_key,
                profile.version,
                profile.components,
            )


def typed_parts() -> Iterator[tuple[str, Registry, int, bytes]]:
    """Yield every component, at any depth, and every profile whose tag is registered: where, by whom, tag, octets."""
    for number, text in enumerate(TEXTS):
        for profile in IOR.from_string(text).profiles:
            if profile.tag in PROFILES:
                yield f"{number}-profile-{profile.tag:#x}", PROFILES, profile.tag, profile.profile_data
            if profile.error is None:
                components = [(item.tag, item.component_data) for item in profile.components]
                for tag, octets in components:
                    if tag in COMPONENTS:
                        yield f"{number}-{tag:#x}", COMPONENTS, tag, octets
                    if tag == 33:
                        components += [
                            (item.transport_mech.tag, item.transport_mech.component_data)
                            for item in COMPONENTS.decode(tag, octets).mechanism_list
                        ]


PARTS = {name: part for name, *part in typed_parts()}
UNTYPED = {0x42454103, 0x56495303}
"""Tags of the corpus whose layout no source states."""


def test_every_component_is_typed_but_those() -> None:
    seen = {
        component.tag
        for text in TEXTS
        for profile in IOR.from_string(text).profiles
        if profile.error is None
        for component in profile.components
    }
    assert seen - UNTYPED == {tag for tag in seen if tag in COMPONENTS}
    assert {0, 1, 2, 5, 20, 25, 31, 32, 33, 38} <= seen


def members(registry: Registry, tag: int, octets: bytes) -> set[int]:
    """Return the positions that belong to something: all others are padding."""
    for layout in registry._codecs[tag]:
        if not isinstance(layout, Encapsulated):
            return set(range(len(octets)))
        trace: list[Explained]
        trace, error = layout.codec.explain(octets, ByteOrder(octets[0]), start=1)
        covered = {0} | {at for item in trace for at in range(item.offset, item.offset + item.length)}
        if error is None and max(covered) == len(octets) - 1:
            return covered
    raise AssertionError(tag)


@pytest.mark.parametrize("name", PARTS)
def test_typed_and_written_again(name: str) -> None:
    """The same octets but for padding that was not zero."""
    registry, tag, octets = PARTS[name]
    value = registry.decode(tag, octets)
    anew = registry.encode(tag, value, ByteOrder(octets[0] & 1) if octets else ByteOrder.BIG)
    assert registry.decode(tag, anew) == value
    assert len(anew) == len(octets)
    differing = {at for at, (ours, theirs) in enumerate(zip(anew, octets, strict=True)) if ours != theirs}
    assert all(anew[at] == 0 for at in differing)
    assert not differing & members(registry, tag, octets)


def test_the_security_component_of_j2ee_sdk_1_3() -> None:
    """It says what GlassFish's tools/ior/README.txt prints of it."""
    components = IOR.from_string(TEXTS[10]).profiles[0].components
    value: Any = components[1].value
    assert isinstance(value, DraftCompoundSecMechList)
    assert not value.stateful
    (mechanism,) = value.mechanism_list
    assert mechanism.target_requires == 64
    assert mechanism.transport_mech.tag == 36
    transport = COMPONENTS.decode(36, mechanism.transport_mech.component_data)
    assert isinstance(transport, DraftTLS_SEC_TRANS)
    assert (transport.target_supports, transport.target_requires, transport.port) == (0, 0, 1060)
    first, second = mechanism.as_context_mech, mechanism.sas_context_mech
    assert (first.target_supports, first.target_requires) == (64, 64)
    assert first.client_authentication_mech == bytes.fromhex("0606678102010101")
    assert first.target_name == bytes.fromhex("04010008060667810201010100000007") + b"default"
    assert (second.target_supports, second.target_requires, second.privilege_authorities) == (1024, 0, ())
    assert second.supported_naming_mechanisms == (bytes.fromhex("0606678102010101"),)
    codebase = "file:/E:/j2sdkee1.3/repository/ajoshint/applications/App1Client.jar http://ajoshint:9191/App1Client.jar"
    assert components[2].value.codebase == codebase
    assert (components[3].value.value, components[4].value.value) == (3, 1)

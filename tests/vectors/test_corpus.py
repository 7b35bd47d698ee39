"""Real references by many ORBs: read and written they are the same, and what they say is what it was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from iiop.cdr import ByteOrder
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

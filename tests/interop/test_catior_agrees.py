"""omniORB's catior and `iortool decode --json` say the same of every reference that both accept; genior's references decode."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from iiop_tools.iortool import main
from ior import IOR
from ior.registry import CODE_SETS, ORB_TYPES
from tests import peers

CORPUS = [json.loads(line) for line in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines()]
TEXTS = [row["ior"] for row in CORPUS]

ONLY_OURS = {18, 19}
"""By position: ORBit2 writes a component list behind an IIOP 1.0 body, and catior refuses it with MARSHAL_InvalidIOR."""

NOBODYS = {30}
"""By position: a corrupt reference of which catior prints the type id, and we print it and say what is broken where."""


class Said(NamedTuple):
    type_id: str
    profiles: list[tuple[str, str, int, str]]


def said_by_catior(text: str) -> Said:
    output = peers.run_catior(text, "-x")
    if "IOR is a nil object reference" in output:
        return Said("", [])
    type_id = re.search(r'^Type ID: "(.*)"$', output, re.M)
    assert type_id, output
    found = re.findall(r"^\d+\. IIOP (\d\.\d) (\S+) (\d+) (?:0x([0-9a-f]*)  \(\d+ bytes\))?", output, re.M)
    return Said(type_id[1], [(version, host, int(port), key) for version, host, port, key in found])


def said_by_us(text: str, capsys: pytest.CaptureFixture[str], exit_code: int = 0) -> Said:
    assert main(["decode", "--json", text]) == exit_code
    data = json.loads(capsys.readouterr().out)
    profiles = [
        (profile["version"], profile["host"], profile["port"], profile["object_key"]["hex"])
        for profile in data["profiles"]
        if "host" in profile
    ]
    return Said(data["type_id"], profiles)


@pytest.mark.parametrize("number", sorted(set(range(len(TEXTS))) - ONLY_OURS - NOBODYS))
def test_both_say_the_same(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert said_by_us(TEXTS[number], capsys) == said_by_catior(TEXTS[number])


def test_they_do_say_something(capsys: pytest.CaptureFixture[str]) -> None:
    """A check of the tests above: empty lists would agree too."""
    both = set(range(len(TEXTS))) - ONLY_OURS - NOBODYS
    assert len(both) == 42
    assert sum(len(said_by_us(TEXTS[number], capsys).profiles) for number in both) == 38


@pytest.mark.parametrize("number", sorted(ONLY_OURS))
def test_only_ours(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(peers.PeerFailed, match="MARSHAL_InvalidIOR"):
        said_by_catior(TEXTS[number])
    profiles = said_by_us(TEXTS[number], capsys).profiles
    assert {(version, key) for version, _, _, key in profiles} == {("1.0", b"NameService".hex())}
    assert {host for _, host, _, _ in profiles} <= {"gnome.org", "gnome.de"}


@pytest.mark.parametrize("number", sorted(NOBODYS))
def test_nobodys(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(peers.PeerFailed, match="MARSHAL_SequenceIsTooLong"):
        said_by_catior(TEXTS[number])
    assert said_by_us(TEXTS[number], capsys, exit_code=1) == Said("IDL:rtcorba/DataObject:1.0", [])


def test_the_corpus_says_the_same_of_catior() -> None:
    assert {number for number, row in enumerate(CORPUS) if not row["catior_ok"]} == ONLY_OURS | NOBODYS


@pytest.mark.parametrize(
    ("type_id", "host", "port", "key"),
    [
        ("IDL:TDsample/tdtest:1.0", "vhost", 8002, "00ff4b6579"),
        ("IDL:omg.org/CosNaming/NamingContextExt:1.0", "127.0.0.1", 2809, b"NameService".hex()),
        ("IDL:a:1.0", "::1", 65535, "00"),
    ],
)
def test_genior_is_read(type_id: str, host: str, port: int, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = peers.run_peer([peers.peer_program("genior"), "-x", type_id, host, str(port), f"0x{key}"]).strip()
    ior = IOR.from_string(text)
    assert str(ior) == text
    assert (ior.type_id, ior.profiles[0].host, ior.profiles[0].port) == (type_id, host, port)
    assert ior.profiles[0].object_key.hex() == key
    assert said_by_us(text, capsys) == said_by_catior(text)


def _catior_lines(tag: int, octets: bytes) -> str:
    from ior import IORBuilder

    return peers.run_catior(str(IORBuilder().iiop("h", key=b"k").component(tag, octets).build()))


def test_orb_type_names_are_catiors() -> None:
    for number, name in ORB_TYPES.items():
        output = _catior_lines(0, bytes(4) + number.to_bytes(4, "big"))
        assert f"TAG_ORB_TYPE {name} (" in output


def test_code_set_names_are_catiors_where_it_has_one() -> None:
    from ior import IORBuilder

    output = peers.run_catior(str(IORBuilder().iiop("h", key=b"k").code_sets(char_conversions=tuple(CODE_SETS)).build()))
    line = re.search(r"char conversion code sets:\s*(.*)", output)
    assert line
    theirs = dict(zip(CODE_SETS, line[1].split(", "), strict=True))
    known = {number: name for number, name in theirs.items() if not name.startswith("(0x")}
    assert len(known) > 25
    differing = {CODE_SETS[number].name: name for number, name in known.items() if name != CODE_SETS[number].name}
    assert differing == {"UCS-4-level-3": "UCS-4", "IBM-1383": "GBK"}

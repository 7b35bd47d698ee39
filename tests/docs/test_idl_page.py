"""What docs/idl.md says of types is what is made of them, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

from iiop.idl import load
from iiop.idl.compiler import compile_idl
from ior import IORBuilder
from tests.idl_texts import BANK, MONEY

PAGE = (Path(__file__).parents[2] / "docs" / "idl.md").read_text("utf-8")
BEFORE = "interface Thing { }; abstract interface Either { }; valuetype Node { };"


def test_types(tmp_path: Path) -> None:
    table = PAGE.split("## Types")[1].split("\n\n")[1]
    rows = re.findall(r"^\| `([^|]*)` \| `(.*)` \|$", table, re.MULTILINE)
    array = re.search(r"array `long grid(.*?)` is `(.*?)`", PAGE)
    octets = re.search(r"one of octets\n`(.*?)`", PAGE)
    assert array is not None
    assert octets is not None
    assert len(rows) > 20
    members = [f"{idl} member_{number};" for number, (idl, _) in enumerate(rows)]
    members += [f"long member_array{array[1]};", "octet member_octets[5];"]
    path = tmp_path / "docs.idl"
    path.write_text(f"module Docs {{ {BEFORE} struct All {{ {' '.join(members)} }}; }};")
    made = compile_idl([path])["Docs"].splitlines()
    for number, (_, python) in enumerate(rows):
        assert f"    member_{number}: " + python.replace("\\|", "|") in made
    assert f"    member_array: {array[2]}" in made
    assert f"    member_octets: {octets[1]}" in made


def test_python_examples(tmp_path: Path) -> None:
    (tmp_path / "Bank.idl").write_text(BANK)
    (tmp_path / "Money.idl").write_text(MONEY.replace("module Money", "module Docs"))  # of which it registers an implementation
    names = {
        "Bank": load(tmp_path / "Bank.idl").Bank,
        "Money": load(tmp_path / "Money.idl").Docs,
        "reference": IORBuilder("IDL:Bank/Account:1.0").build().to_iop(),
    }
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, names)

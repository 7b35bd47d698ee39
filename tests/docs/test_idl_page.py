"""What docs/idl.md says of types is what is made of them, and its examples run."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from iiop.exceptions import ConnectionLost
from iiop.idl import load
from iiop.idl.compiler import compile_idl
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from tests.idl_texts import BANK, MONEY
from tests.net import scripted as s
from tests.net.scripted import ScriptedServer

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


def run_blocks(folder: Path, **names: Any) -> dict[str, Any]:
    """Run the Python of the page, and return what it has defined."""
    (folder / "Bank.idl").write_text(BANK)
    (folder / "Money.idl").write_text(MONEY.replace("module Money", "module Docs"))  # of which it registers an implementation
    names |= {"Bank": load(folder / "Bank.idl").Bank, "Money": load(folder / "Money.idl").Docs}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```") / 2
    assert not re.search(r"^    (class|def|@|from|import) ", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.MULTILINE)
    for block in blocks:
        exec(block, names)
    return names


def test_python_examples(tmp_path: Path) -> None:
    cut = [s.request, s.rst]
    with ScriptedServer(cut, [s.request, s.reply(7), *cut], [s.request, s.reply(8), s.gone]) as server, Client() as client:
        page = run_blocks(tmp_path, client=client, reference=server.reference())
        assert page["account"]._get_balance() == 7
        assert page["reader"]._get_balance() == 8
        assert server.operations == ["_get_balance"] * 4
    with ScriptedServer([s.request, s.rst]) as server, Client() as client:
        with pytest.raises(ConnectionLost):
            client.stub(server.reference(), page["Bank"].Account)._get_balance()
        assert server.operations == ["_get_balance"]


def test_what_may_run_twice_for_asyncio(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = AsyncClient()
        try:
            account = client.stub(server.reference(), page["AccountAsync"])
            assert await account._get_balance() == 7
        finally:
            client.close()

    with ScriptedServer([s.request, s.rst], [s.request, s.reply(7), s.gone]) as server, Client() as client:
        page = run_blocks(tmp_path, client=client, reference=server.reference())
        asyncio.run(scenario())
        assert server.operations == ["_get_balance"] * 2

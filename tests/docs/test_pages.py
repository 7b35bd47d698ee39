"""Pages that are made from the code are as the code makes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["states", "bounds", "lab"])
def test_pages_are_made_from_the_code(name: str) -> None:
    found = importlib.util.spec_from_file_location(f"draw_{name}", DOCS / f"draw_{name}.py")
    assert found is not None
    assert found.loader is not None
    draw = importlib.util.module_from_spec(found)
    found.loader.exec_module(draw)
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == draw.page(), f"run: python docs/draw_{name}.py"

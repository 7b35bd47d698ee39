"""The drawings in docs/states.md are those of the tables."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_states_are_drawn_from_the_tables() -> None:
    found = importlib.util.spec_from_file_location("draw_states", DOCS / "draw_states.py")
    assert found is not None
    assert found.loader is not None
    draw_states = importlib.util.module_from_spec(found)
    found.loader.exec_module(draw_states)
    assert (DOCS / "states.md").read_text(encoding="utf-8") == draw_states.page(), "run: python docs/draw_states.py"

"""The example of the page on lab files is one."""

from __future__ import annotations

from pathlib import Path

from iiop_lab.scenario.text import read_lab

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def test_the_example_is_read(tmp_path: Path) -> None:
    example = PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "lab.toml").write_text(example, encoding="utf-8")
    found = read_lab(tmp_path / "lab.toml")
    assert len(found.lab.step) == 3
    assert found.notes == ()

"""What docs/scapy.md shows works as shown."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests.scapy.stream_of import write_pcap

PAGE = Path(__file__).parents[2] / "docs" / "scapy.md"


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pcap(tmp_path / "naming.pcap", ["1.2-resolve", "1.2-resolve-not-found"])
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 20
    assert not failed

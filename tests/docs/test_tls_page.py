"""What docs/tls.md shows works as shown."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests.net.tls import AUTHORITY, certificate

PAGE = Path(__file__).parents[2] / "docs" / "tls.md"


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.pem").write_bytes(certificate("127.0.0.1").private_key_and_cert_chain_pem.bytes())
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.cert_pem.bytes())
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 6
    assert not failed

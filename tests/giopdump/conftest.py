"""A capture to dump."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.giopdump.conversation import conversation, timed
from tests.packets import RAW, pcap


@pytest.fixture
def capture(tmp_path: Path) -> str:
    path = tmp_path / "call.pcap"
    path.write_bytes(pcap(timed(conversation()), RAW, nanoseconds=True))
    return str(path)

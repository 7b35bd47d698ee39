"""What tests of the lab share."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def lab_addresses() -> Iterator[None]:
    """Have 127.0.0.10 to 12, port 8002, to oneself, among all test runs on this machine."""
    with (Path(tempfile.gettempdir()) / "iiopkit-lab-8002.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

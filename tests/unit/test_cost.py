"""What reading costs in memory: docs/bounds.md states it."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from iiop.cdr import Double, Octet, codec
from iiop.cdr.any import Any as CORBAAny

MOST = 60
"""Octets of memory for each octet read."""


@dataclass(frozen=True, slots=True)
class One:
    """Declare a structure of one octet."""

    value: Annotated[int, Octet]


@pytest.mark.parametrize(
    ("declared", "element"),
    [
        (tuple[One, ...], b"\0"),
        (tuple[bool, ...], b"\0"),
        (tuple[CORBAAny, ...], bytes(4)),
        (tuple[bytes, ...], bytes(4)),
        (tuple[str, ...], b"\0\0\0\1\0\0\0\0"),
        (tuple[Annotated[float, Double], ...], bytes(8)),
        (tuple[tuple[str, ...], ...], bytes(4)),
    ],
    ids=repr,
)
def test_memory_while_reading(declared: Any, element: bytes) -> None:
    count = 100_000 // len(element)
    octets = count.to_bytes(4, "big") + bytes(4 * (len(element) == 8 and not any(element))) + element * count
    read = codec(declared)
    read.decode(octets, exact=False)
    tracemalloc.start()
    try:
        read.decode(octets, exact=False)
        assert tracemalloc.get_traced_memory()[1] < MOST * len(octets)
    finally:
        tracemalloc.stop()

"""A servant whose calls are counted, on whichever node it runs: it writes their numbers into a journal before it answers."""

from __future__ import annotations

import os
from pathlib import Path

from iiop_lab.demo.sample import Journal, SampleServant

__all__ = ["COUNTED", "CountedServant"]


class CountedServant(SampleServant):
    def __init__(self) -> None:
        super().__init__(node := os.environ["IIOP_LAB_NODE"], Journal(Path(os.environ["JOURNALS"]), node))


COUNTED = f"{__name__}:CountedServant"

"""Every example in a docstring works."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = ("iiop", "ior", "naming", "iiop_tools", "iiop_scapy", "iiop_fuzz", "iiop_lab.faults", "iiop_lab.scenario")


def modules() -> list[str]:
    found = list(PACKAGES)
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        found += [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    return found


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    assert not doctest.testmod(importlib.import_module(name)).failed


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    assert sum(len(test.examples) for name in modules() for test in finder.find(importlib.import_module(name))) > 30

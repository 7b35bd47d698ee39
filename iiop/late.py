"""Names of a package that are imported when they are asked for, so that programs that start often read no more than they need.

Imports nothing of ours.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["late_names"]


def late_names(package: str, names: Collection[str], modules: Collection[str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: its name.
        names: what it has; anything else is an AttributeError.
        modules: where they are, below the package, in the order in which they are imported until one has the name.
    """

    def get(name: str) -> Any:
        if name in names:
            for module in modules:
                found = getattr(importlib.import_module(f"{package}.{module}"), name, None)
                if found is not None:
                    setattr(sys.modules[package], name, found)
                    return found
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get

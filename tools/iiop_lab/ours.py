"""Our package `naming`, also where the user of the pytest plugin has a module of that name.

A `naming.py` beside somebody's tests stands before ours on `sys.path` (pytest puts the folder of a test file or conftest.py
there, and `python -m pytest` the current folder), and both cannot be `naming` in `sys.modules`. Theirs keeps the name; ours
is loaded under it for a moment, from beside `iiop`, and put aside. That works because no module of ours imports `naming`
later than it is imported itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import iiop

__all__ = ["naming_module", "naming_modules"]

_FOLDER = Path(iiop.__file__).parent.parent / "naming"
_aside: dict[str, ModuleType] = {}


def _is_shadowed() -> bool:
    """Tell whether `import naming` gives, or would give, another module than ours."""
    loaded = sys.modules.get("naming")
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec("naming")
    return spec is None or spec.origin is None or Path(spec.origin).resolve() != (_FOLDER / "__init__.py").resolve()


def naming_module(name: str) -> ModuleType:
    """Return our `naming`, a module in it (`naming.server`), or one of ours that imports from it.

    Raises:
        ImportError: it is not there.
    """
    if not _is_shadowed():
        return importlib.import_module(name)
    if name in _aside:
        return _aside[name]
    theirs = {key: module for key, module in sys.modules.items() if _is_named_so(key)}
    path = tuple(sys.path)
    for key in theirs:
        del sys.modules[key]
    sys.modules.update(_aside)
    sys.path.insert(0, str(_FOLDER.parent))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = path
        for key in [key for key in sys.modules if _is_named_so(key)]:
            _aside[key] = sys.modules.pop(key)
        sys.modules.update(theirs)


def naming_modules() -> tuple[ModuleType, ...]:
    """Return those modules of our `naming` that are loaded."""
    loaded = sys.modules if not _is_shadowed() else _aside
    return tuple([module for key, module in loaded.items() if _is_named_so(key)])


def _is_named_so(key: str) -> bool:
    return key == "naming" or key.startswith("naming.")

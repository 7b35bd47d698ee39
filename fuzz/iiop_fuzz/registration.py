"""Tell hypothesis how to draw our types, so that `from_type(Request)` works, and with it every annotated argument.

Hypothesis calls `register` when it is imported (entry point `hypothesis` of this distribution), whether or not the tests have to
do with CORBA; importing our packages there would take longer than importing hypothesis. So a type is registered when the module
that declares it is imported by somebody else, and strategies are imported when the first of them is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["register"]

STRATEGIES: dict[str, dict[str, str]] = {
    "iiop.cdr.any": {"Any": "anys"},
    "iiop.cdr.typecode": {"TypeCode": "typecodes"},
    "iiop.giop.messages": {
        "Body": "bodies",
        "LocateReply": "locate_replies",
        "LocateRequest": "locate_requests",
        "Reply": "replies",
        "Request": "requests",
        "TargetAddress": "targets",
    },
    "iiop.iop": {
        "IOR": "iors",
        "ServiceContext": "service_contexts",
        "TaggedComponent": "tagged_components",
        "TaggedProfile": "tagged_profiles",
    },
    "iiop.profile": {"Version": "versions"},
    "ior.reference": {"IOR": "references"},
    "ior.url": {"Address": "addresses", "Corbaloc": "corbalocs", "Corbaname": "corbanames"},
    "naming.types": {"NameComponent": "name_components"},
}
"""By module: classes, and the strategies of `iiop_fuzz.strategies` that draw them."""


def register() -> None:
    """Register the types of modules that are imported already, and the others when they are."""
    for name in STRATEGIES:
        if name in sys.modules:
            _register_types(name, sys.modules[name])
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Find what `PathFinder` finds, of our modules only, and look at them once they are imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in STRATEGIES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _register_types(name, module)

            loader.exec_module = exec_module
        return spec


def _register_types(name: str, module: ModuleType) -> None:
    from hypothesis.strategies import register_type_strategy

    for cls, strategy in STRATEGIES[name].items():
        found = getattr(module, cls, None)
        if found is not None:  # None while the module is being imported
            register_type_strategy(found, _Later(strategy))


class _Later:
    """Return a strategy of `iiop_fuzz.strategies`, by its name."""

    def __init__(self, strategy: str) -> None:
        self.strategy = strategy

    def __call__(self, cls: type[Any]) -> Any:
        return getattr(importlib.import_module("iiop_fuzz.strategies"), self.strategy)()

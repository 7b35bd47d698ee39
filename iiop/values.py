"""Frozen dataclasses that are made quickly: messages are made for every call.

The `__init__` of a frozen dataclass sets every field through `object.__setattr__`, by name. `quick` replaces it by one that fills
the slots through their descriptors, with the same signature; the class stays frozen.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, TypeVar

__all__ = ["quick"]

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots, and without `__post_init__`, an `__init__` that takes a third of the time.

    Raises:
        TypeError: the class is none of these.
    """
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    if not hasattr(cls, "__slots__") or hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__qualname__} is no dataclass with slots and without __post_init__")
    signature = inspect.signature(cls)
    names: dict[str, Any] = {f"set_{field.name}": getattr(cls, field.name).__set__ for field in fields}
    names |= {f"default_{name}": parameter.default for name, parameter in signature.parameters.items()}
    parameters = [
        name if parameter.default is inspect.Parameter.empty else f"{name}=default_{name}"
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    if len(parameters) != len(fields):
        raise TypeError(f"{cls.__qualname__} has fields that are no plain parameters")
    lines = [f"    set_{field.name}(self, {field.name})" for field in fields]
    exec("\n".join([f"def __init__(self, {', '.join(parameters)}):", *lines]), names)
    initialise = names["__init__"]
    initialise.__qualname__ = f"{cls.__qualname__}.__init__"
    initialise.__annotations__ = dict(vars(cls)["__init__"].__annotations__)
    setattr(cls, "__init__", initialise)  # noqa: B010  mypy admits no other way
    return cls

"""Where a package of generated code imports the others.

Imports stand at the top where that works. IDL may go back and forth between modules, though: then a package is imported right
before the first thing that needs it, and whoever imports any of them finds them all. What works is found out by going through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from iiop.idl.backend.tree import Refusal, Scoped

__all__ = ["Item", "Package", "arrange"]


@dataclass
class Item:
    """A piece of generated code.

    Attributes:
        name: what it defines, in the package.
        idl: what it is, for messages.
        text: the code, lines without indentation.
        eager: packages, and names in them, that must be there when it runs.
        lazy: packages that must be there when it is used.
        child: the package that it only stands for, if that stands inside this one.
    """

    name: str
    idl: str
    text: str = ""
    eager: set[tuple[Scoped, str]] = field(default_factory=set)
    lazy: set[Scoped] = field(default_factory=set)
    child: Scoped | None = None


@dataclass
class Package:
    """A package of generated code: its items in an order in which they can be defined."""

    path: Scoped
    items: list[Item]

    def at_top(self) -> list[Scoped | Item]:
        """Return packages to import and items, all imports first."""
        needed = sorted({package for item in self.items for package in _needs(item)})
        return [*[package for package in needed if package != self.path], *[item for item in self.items if item.child is None]]

    def as_needed(self) -> list[Scoped | Item]:
        """Return packages to import and items, each package before the first item that cannot be defined without it."""
        steps: list[Scoped | Item] = []
        for item in self.items:
            needed = [item.child] if item.child else sorted({package for package, _ in item.eager})
            steps += [package for package in needed if package != self.path and package not in steps]
            if item.child is None:
                steps.append(item)
        return steps + [package for package in self.at_top() if not isinstance(package, Item) and package not in steps]


def _needs(item: Item) -> Iterator[Scoped]:
    if item.child:
        yield item.child
    yield from item.lazy


def arrange(packages: Mapping[Scoped, Package]) -> dict[Scoped, list[Scoped | Item]]:
    """Return what each package does, one after the other: imports, which are paths of packages, and items.

    Raises:
        Refusal: there is no order in which everything is defined before it is needed.
    """
    steps = {path: package.at_top() for path, package in packages.items()}
    if _failure(steps) is None:
        return steps
    steps = {path: package.as_needed() for path, package in packages.items()}
    failure = _failure(steps)
    if failure is not None:
        raise Refusal(failure)
    return steps


def _failure(steps: Mapping[Scoped, list[Scoped | Item]]) -> str | None:
    """Return what goes wrong if any one of the packages is imported first."""
    for first in steps:
        defined: dict[Scoped, set[str]] = {}
        failure = _run(first, steps, defined)
        if failure is not None:
            return failure
    return None


def _run(path: Scoped, steps: Mapping[Scoped, list[Scoped | Item]], defined: dict[Scoped, set[str]]) -> str | None:
    for length in range(1, len(path) + 1):
        package = path[:length]
        if package in defined:
            continue
        defined[package] = set()
        for step in steps[package]:
            if not isinstance(step, Item):
                failure = _run(step, steps, defined)
                if failure is not None:
                    return failure
                continue
            for other, name in sorted(step.eager):
                if name not in defined.get(other, ()):
                    return f"{step.idl} needs {'.'.join((*other, name))}, which needs {'.'.join(package)}: make them one module"
            defined[package].add(step.name)
    return None

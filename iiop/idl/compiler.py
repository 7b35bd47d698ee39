"""IDL files in, packages of Python out, written to a folder or loaded.

omniidl (extra `idl`) runs in a process of its own (`iiop.idl.backend.__main__` says why), so that `load` may be called again and
again, and leaves nothing behind here. What was made needs no omniidl. What omniidl warns of is logged.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from iiop.exceptions import IIOPError

__all__ = ["IDLError", "NoCompilerError", "compile_idl", "load", "write_packages"]

log = logging.getLogger("iiop.idl")

_NO_OMNIIDL = 3
MADE_OF = "Made by iiop-idl of "
"""Begins the line that tells which files a package was made of."""


class IDLError(IIOPError, ValueError):
    """Report IDL that cannot be compiled; each line says file, line, and what is wrong there."""


class NoCompilerError(IIOPError, ImportError):
    """Report that there is no omniidl."""


def compile_idl(files: Iterable[str | os.PathLike[str]], include: Iterable[str | os.PathLike[str]] = ()) -> dict[str, str]:
    """Return the text of a package for each IDL module, by its name with dots; what is included is in it.

    What a file declares outside of modules is in a package called after the file, as `Bank_idl`.

    Args:
        files: to compile, all into the same packages.
        include: folders in which `#include` looks for files.

    Raises:
        IDLError: omniidl, or what is spoken here, does not admit what is written.
        NoCompilerError: omniidl is not installed.
        FileNotFoundError: a file that is not there.
    """
    import subprocess  # takes a while to import, and who calls objects needs none of it

    given = {"files": [os.fspath(file) for file in files], "include": [os.fspath(folder) for folder in include]}
    for file in given["files"]:
        os.stat(file)
        if '"' in file or "\\" in file or not file.isprintable():
            raise IDLError(f"{file!r}: omniidl reads no files that have quotes or backslashes in their names")
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "iiop.idl.backend", json.dumps(given)]
    ended = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=os.environ | {"PYTHONPATH": path}, check=False
    )
    if ended.returncode == _NO_OMNIIDL:
        raise NoCompilerError(
            f"IDL is compiled with omniidl, which is not installed: pip install 'iiopkit[idl]' ({ended.stderr.strip()})"
        )
    answer = json.loads(ended.stdout or "{}")
    if ended.returncode or "packages" not in answer:
        said = [line for line in ended.stderr.splitlines() if not re.match(r"omniidl: \d+ (error|warning)", line)]
        raise IDLError("\n".join([*answer.get("refused", ()), *said]))
    for warning in ended.stderr.splitlines():
        log.warning("%s", warning)
    packages: dict[str, str] = answer["packages"]
    return packages


def write_packages(packages: dict[str, str], folder: str | os.PathLike[str]) -> list[Path]:
    """Write packages into a folder, which becomes a package itself, and return the files.

    Raises:
        IDLError: a package is there that was made of other files, too, and would lose what is from them.
        OSError: a file cannot be written.
    """
    top = Path(folder)
    texts = {top.joinpath(*name.split("."), "__init__.py"): text for name, text in packages.items()}
    for path, text in texts.items():
        there = _made_of(path.read_text("utf-8")) if path.exists() else set()
        if there is None or there - (_made_of(text) or set()):
            others = ", ".join(sorted(there or ())) or "something else"
            raise IDLError(f"{path} was made of {others}: compile these files together, or remove it")
    if not (top / "__init__.py").exists():
        texts = {top / "__init__.py": '"""Packages made by iiop-idl, one for each IDL module."""\n', **texts}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return list(texts)


def _made_of(text: str) -> set[str] | None:
    """Return the files that a package was made of, None if it was not made here."""
    line = next((line for line in text.splitlines() if line.startswith(MADE_OF)), None)
    return None if line is None else set(line.removeprefix(MADE_OF).removesuffix(".").split(", "))


class _Loaded:
    """Find and load packages that were compiled in this process; not of `importlib.abc`, which takes long to import."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, cast("Any", self), is_package=True) if fullname in self.texts else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave making the module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.texts[module.__name__], f"<{module.__name__}>", "exec"), vars(module))

    def get_source(self, fullname: str) -> str:
        return self.texts[fullname]


_loaded = _Loaded()


def load(
    file: str | os.PathLike[str], *more: str | os.PathLike[str], include: Iterable[str | os.PathLike[str]] = ()
) -> ModuleType:
    """Compile IDL files and import what they declare: `load("Bank.idl").Bank.Account`.

    The same declarations are the same classes, however often they are loaded.

    Args:
        file: to compile.
        more: files to compile with it.
        include: folders in which `#include` looks for files.

    Returns:
        A package with everything that stands outermost in the files.

    Raises:
        IDLError: omniidl, or what is spoken here, does not admit what is written.
        NoCompilerError: omniidl is not installed.
        FileNotFoundError: a file that is not there.
    """
    packages = compile_idl([file, *more], include)
    top = f"_idl_{hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()[:16]}"
    if _loaded not in sys.meta_path:
        sys.meta_path.append(_loaded)
    _loaded.texts |= {top: "", **{f"{top}.{name}": text for name, text in packages.items()}}
    root = importlib.import_module(top)
    for name in packages:
        module = importlib.import_module(f"{top}.{name}")
        if name.endswith("_idl"):
            vars(root).update({each: getattr(module, each) for each in module.__all__})
    return root

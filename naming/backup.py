"""A copy of a Naming Service's folder, made while the server runs.

`cp -r -p` is right only while nobody has the folder, as in Interstage's manual. While a server runs, SQLite's file and its log go
together, and from time to time the log's content moves into the file and the log begins anew: who reads one before that and
the other after it gets neither what was nor what is. SQLite's own backup is no way out, as the server has the file for itself.

So: both are read, the log last, and read again if the log began anew meanwhile, which its header tells. In one life of the log,
committed frames are only ever added to it, and whatever moves into the file stays in the log too. Then the copy is as good as
what a killed server leaves: opening it puts the log into the file, and checks both. Knows files and `naming.store`; no names.

Invariants: every change that was answered before the copy began is in it, and none by half; the target is there whole or not at
all; what is copied is only read.

Source: SQLite's "Database File Format", 4 "The Write-Ahead Log"; High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from naming.changes import BindingSet
from naming.store import FILE_NAME, Store, StoreError

__all__ = ["back_up", "copied_store"]

TRIES = 50
"""How often to begin anew before giving up."""

_HEADER = 32


def back_up(folder: str | os.PathLike[str], target: str | os.PathLike[str]) -> int:
    """Copy the folder of a Naming Service, whether or not a server has it.

    Args:
        folder: as `etc/CosNaming`.
        target: the folder to make, with mode and, if that is allowed, owner of the other one.

    Returns:
        How many bindings are in the copy.

    Raises:
        StoreError: there is no Naming Service in the folder, or it is damaged, or the log began anew at every try.
        FileExistsError: the target is there already.
        OSError: something cannot be read or written.
    """
    source, target = Path(folder) / FILE_NAME, Path(target).absolute()
    if not source.is_file():
        raise StoreError("there is no Naming Service here", path=str(source))
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    with tempfile.TemporaryDirectory(prefix=f"{target.name}.", suffix=".new", dir=target.parent) as unfinished:
        made = Path(unfinished) / target.name
        made.mkdir()
        with copied_store(source, made) as store:
            bindings = sum(isinstance(change, BindingSet) for change in store.load())
        _like(made / FILE_NAME, source)
        _like(made, source.parent)
        made.rename(target)
    return bindings


@contextmanager
def copied_store(source: Path, folder: Path) -> Iterator[Store]:
    """Copy a store, whether or not a server has it, and open the copy.

    Args:
        source: the file that the store is kept in.
        folder: to copy it into; one that is there.

    Raises:
        StoreError: the store is damaged or an empty file, or its log began anew at every try; it is called by the name of
            `source`.
        OSError: something cannot be read or written.
    """
    try:
        for _ in range(TRIES):
            if _copied(source, folder / FILE_NAME):
                break
        else:
            raise StoreError(f"it changes too fast: its log began anew during {TRIES} copies on end. Try again")
        if not (folder / FILE_NAME).stat().st_size:
            raise StoreError(
                "the file is empty: what was kept in it is lost, or there never was anything. Put back a copy of the whole "
                "folder, or remove the file to start with an empty Naming Service"
            )
        with Store.open(folder) as store:
            yield store
    except StoreError as error:
        raise StoreError(error.reason, path=str(source)) from error


def _copied(source: Path, copy: Path) -> bool:
    """Copy the file, then its log; tell whether they go together."""
    before = _state(source)
    shutil.copyfile(source, copy)
    with suppress(FileNotFoundError):
        shutil.copyfile(_log_of(source), _log_of(copy))
    if _state(source) == before and not source.with_name(source.name + "-journal").exists():
        return True
    _log_of(copy).unlink(missing_ok=True)
    return False


def _state(source: Path) -> object:
    """Return what stays the same while the file and its log go together: the log's header; without, the state of the file."""
    with suppress(FileNotFoundError), _log_of(source).open("rb") as log:
        header = log.read(_HEADER)
        if len(header) == _HEADER:
            return header
    state = source.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _like(path: Path, other: Path) -> None:
    shutil.copystat(other, path)
    state = other.stat()
    with suppress(PermissionError):
        os.chown(path, state.st_uid, state.st_gid)

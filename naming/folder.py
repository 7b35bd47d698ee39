"""Read the naming tree out of a node's folder, stopped or running, and leave it as it is.

Nothing in the folder is locked, written or waited for: its files are copied, and read from the copy. The file of bindings is
read twice, and its log in between. If the file and the head of the log stayed what they were, then they belong together, and give
every change up to one, as after a kill: the log begins anew with another head, and only after that may the file lack anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from iiop.iop import IOR
from naming.changes import ROOT, ContextId, ObjectGroup
from naming.model import NamingModel
from naming.node import Node
from naming.store import FILE_NAME, Store, StoreError
from naming.trees import ROOT_NAME, Bound, DanglingContext, Entry, LocalContext, Unreadable
from naming.types import Name

__all__ = ["folder_entries", "load_folder"]

TRIES = 50
"""How often a folder is read in which a server is busy writing."""

_HEAD = 32
"""Octets of the head of SQLite's log; there are salts in it that change when the log begins anew."""

_CHUNK = 1 << 20


def folder_entries(folder: Path) -> Iterator[Entry]:
    """Yield the entries of a node's tree, as `naming.trees` has them.

    Args:
        folder: of the node, or `etc/CosNaming` in it.

    Raises:
        StoreError: there are no bindings in the folder, or they cannot be read.
    """
    model = load_folder(folder)
    first_names: dict[ContextId, Name] = {ROOT: ROOT_NAME}
    waiting: deque[ContextId] = deque([ROOT])
    while waiting:
        context = waiting.popleft()
        bindings = model.bindings(context)
        for component in sorted(bindings, key=lambda part: (part.id, part.kind)):
            name, bound = (*first_names[context], component), bindings[component]
            found: Bound
            if isinstance(bound, ObjectGroup):
                found = _in_place_of(bound)
            elif not isinstance(bound, str):
                found = bound
            elif not model.exists(bound):
                found = DanglingContext()
            else:
                if bound not in first_names:
                    first_names[bound] = name
                    waiting.append(bound)
                found = LocalContext(first_names[bound])
            yield Entry(name, found)


def _in_place_of(group: ObjectGroup) -> IOR | Unreadable:
    """Return what a client may get of a group: CosNaming tells no more, and trees are compared with those of servers."""
    if not group.members and group.default_object.is_nil:
        return Unreadable("an object group that has nothing to give")
    return group.members[0] if group.members else group.default_object


def load_folder(folder: Path) -> NamingModel:
    """Return everything a node's folder holds, as it was at one moment.

    Args:
        folder: of the node, or `etc/CosNaming` in it.

    Raises:
        StoreError: there are no bindings in the folder, or they cannot be read.
    """
    inner = Node(folder).naming_folder
    path = (inner if inner.is_dir() else folder) / FILE_NAME
    if not path.is_file():
        raise StoreError(
            f"there are no bindings here: this is neither the folder of a node nor its {inner.name}", path=str(folder)
        )
    with tempfile.TemporaryDirectory(prefix="nstool-") as temporary:
        try:
            _copy(path, Path(temporary) / FILE_NAME)
        except OSError as error:
            raise StoreError(f"it cannot be read ({error.strerror or error})", path=str(path)) from error
        with contextlib.closing(Store.open(temporary)) as store:
            return NamingModel(store.load())


def _copy(path: Path, to: Path) -> None:
    log, log_to = (each.with_name(each.name + "-wal") for each in (path, to))
    for _ in range(TRIES):
        before = _digest(path, to)
        head = _log(log, log_to)
        if _digest(path) == before and _log(log) == head:
            return
    raise StoreError("it is written to so much that it cannot be read as it was at one moment; try again", path=str(path))


def _digest(path: Path, to: Path | None = None) -> bytes:
    """Return a digest of a file, which is copied on the way."""
    digest = hashlib.blake2b()
    with path.open("rb") as file, contextlib.ExitStack() as stack:
        copy = stack.enter_context(to.open("wb")) if to else None
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if copy:
                copy.write(chunk)
    return digest.digest()


def _log(path: Path, to: Path | None = None) -> bytes:
    """Return the head of the log, which is copied on the way; nothing where there is no log."""
    if not path.exists():
        octets = b""
    else:
        with path.open("rb") as file:
            octets = file.read() if to else file.read(_HEAD)
    if to:
        to.write_bytes(octets)
    return octets[:_HEAD]

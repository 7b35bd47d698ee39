"""Read the naming tree out of a node's folder, stopped or running, and leave it as it is.

Nothing in the folder is locked, written or waited for: it is copied as `naming.backup` does, and the copy is read.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from iiop.iop import IOR
from naming.backup import copied_store
from naming.changes import ROOT, ContextId, ObjectGroup
from naming.model import NamingModel
from naming.node import Node
from naming.store import FILE_NAME, StoreError
from naming.trees import ROOT_NAME, Bound, DanglingContext, Entry, LocalContext, Unreadable
from naming.types import Name

__all__ = ["folder_entries", "load_folder"]


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
            with copied_store(path, Path(temporary)) as store:
                return NamingModel(store.load())
        except OSError as error:
            raise StoreError(f"it cannot be read ({error.strerror or error})", path=str(path)) from error

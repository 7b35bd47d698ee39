"""The Naming Service on disk: one SQLite file in a node's `etc/CosNaming/`, and the changes that go in and come out.

Knows changes (`naming.changes`) and SQLite; not what they mean to a client, and no sockets. A reference is kept as the
encapsulation that its stringified form shows in hex.

Invariants: `write` returns once its changes are on disk (WAL, synchronous=FULL), all or none of them; a file that is not a
sound store of a known version is refused and left as it is; one folder serves one process; no `sqlite3.Error` leaves this
module. Copying the folder of a stopped Naming Service copies it whole, context ids included: that is how Interstage's own
manual duplicates one (High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2). After a kill, `naming.sqlite3-wal` beside the
file is part of the store, to be copied with it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from iiop.cdr import decapsulate, encapsulate
from iiop.exceptions.errors import CodecError, IIOPError
from iiop.iop import IOR_CODEC
from iiop.limits import Limits
from naming.changes import (
    ROOT,
    BindingRemoved,
    BindingSet,
    Bound,
    Change,
    ContextCreated,
    ContextDestroyed,
    ContextId,
    ForeignContext,
    context_number,
)
from naming.types import NameComponent

__all__ = ["FILE_NAME", "Store", "StoreError"]

FILE_NAME = "naming.sqlite3"
"""Name of the file in its folder."""

_APPLICATION_ID = 0x69696F70
"""Marks the file as ours: `iiop` in ASCII, at offset 68 of its header."""

_VERSION = 1
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
CREATE TABLE contexts (
    number INTEGER PRIMARY KEY,
    context TEXT NOT NULL UNIQUE
);
CREATE TABLE bindings (
    position INTEGER PRIMARY KEY,
    context INTEGER NOT NULL REFERENCES contexts (number),
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('object', 'context', 'foreign')),
    target BLOB NOT NULL,
    UNIQUE (context, id, kind)
);
CREATE TABLE latest_destroyed (context TEXT NOT NULL);
INSERT INTO contexts (context) VALUES ('{ROOT}');
"""

_SET = """
INSERT INTO bindings (context, id, kind, type, target)
VALUES ((SELECT number FROM contexts WHERE context = ?), ?, ?, ?, ?)
ON CONFLICT (context, id, kind) DO UPDATE SET type = excluded.type, target = excluded.target
"""
_REMOVE = "DELETE FROM bindings WHERE context = (SELECT number FROM contexts WHERE context = ?) AND id = ? AND kind = ?"
_BINDINGS = """
SELECT contexts.context, id, kind, type, target
FROM bindings LEFT JOIN contexts ON bindings.context = contexts.number ORDER BY position
"""

_BUSY_TIMEOUT = 1.0
"""Seconds to wait for a process that is just leaving the folder."""


class StoreError(IIOPError):
    """Report that the store cannot be opened, read or written; what was on disk is as it was.

    Attributes:
        reason: what is wrong, and what to do about it.
        path: the file.
    """

    def __init__(self, reason: str, *, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path}: {reason}" if path else reason)


class Store:
    """Keep the changes of one Naming Service. One call at a time, from any thread.

    Args:
        connection: to SQLite, prepared by `open` or `memory`, which are the ways to get a store.
        path: the file, for messages.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Store:
        """Open the store in a folder, or make a new one where there is none.

        Args:
            folder: as `etc/CosNaming`; if it is not there it is made, for its owner and group alone.

        Raises:
            StoreError: the folder cannot be made or read; the file is damaged, not ours, of a newer version, or used by
                another process. Nothing was changed.
        """
        path = Path(folder).absolute() / FILE_NAME
        with _errors(path):
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            _inspect(path)
            connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    @classmethod
    def memory(cls) -> Store:
        """Make a store that keeps nothing beyond its own life."""
        path = Path(":memory:")
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _prepare(connection, path)
        return cls(connection, path)

    def load(self) -> Iterator[Change]:
        """Yield changes that, applied to a new `NamingModel`, make it the one that was written.

        Raises:
            StoreError: the file is damaged or cannot be read.
        """
        with _errors(self.path):
            for (context,) in self._connection.execute("SELECT context FROM latest_destroyed"):
                yield ContextCreated(ContextId(context))
                yield ContextDestroyed(ContextId(context))
            contexts = [context for (context,) in self._connection.execute("SELECT context FROM contexts ORDER BY number")]
            if ROOT not in contexts:
                raise _damaged(self.path, "it has no root context")
            yield from (ContextCreated(ContextId(context)) for context in contexts if context != ROOT)
            for context, id_, kind, type_, target in self._connection.execute(_BINDINGS):
                if context is None:
                    raise _damaged(self.path, "a binding without its context")
                yield BindingSet(ContextId(context), NameComponent(id_, kind), _decode(type_, target))

    def write(self, changes: Iterable[Change]) -> None:
        """Put changes on disk, in one transaction; they are there when this returns.

        Raises:
            StoreError: nothing was written, and nothing may be applied to the model. (If the disk itself failed, the changes
                may still turn up after the next start.)
        """
        with _errors(self.path):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for change in changes:
                    self._write(change)
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Leave the folder; may be called again.

        Raises:
            StoreError: SQLite could not tidy up. Everything written is on disk all the same.
        """
        with _errors(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _write(self, change: Change) -> None:
        execute = self._connection.execute
        match change:
            case BindingSet(context, component, bound):
                cursor = execute(_SET, (context, component.id, component.kind, *_encode(bound)))
            case BindingRemoved(context, component):
                cursor = execute(_REMOVE, (context, component.id, component.kind))
            case ContextCreated(context):
                cursor = execute("INSERT INTO contexts (context) VALUES (?)", (context,))
            case ContextDestroyed(context):
                cursor = execute("DELETE FROM contexts WHERE context = ?", (context,))
                self._remember_destroyed(context)
        if cursor.rowcount != 1:
            raise StoreError(f"{change} does not fit what is stored; this is a bug, please report it", path=str(self.path))

    def _remember_destroyed(self, context: ContextId) -> None:
        """Keep the greatest id destroyed, so that it is not given again after a restart."""
        row = self._connection.execute("SELECT context FROM latest_destroyed").fetchone()
        if row is None or context_number(context) > context_number(row[0]):
            self._connection.execute("DELETE FROM latest_destroyed")
            self._connection.execute("INSERT INTO latest_destroyed VALUES (?)", (context,))


_LIMITS = Limits(sequence_length=2**31 - 1, string_length=2**31 - 1)
"""What was admitted once comes back, whatever limits are in force today."""


def _encode(bound: Bound) -> tuple[str, bytes]:
    if isinstance(bound, str):
        return "context", bound.encode("ascii")
    if isinstance(bound, ForeignContext):
        return "foreign", encapsulate(IOR_CODEC, bound.reference)
    return "object", encapsulate(IOR_CODEC, bound)


def _decode(type_: str, target: bytes) -> Bound:
    if type_ == "context":
        return ContextId(target.decode("ascii"))
    reference = decapsulate(IOR_CODEC, target, limits=_LIMITS)
    return ForeignContext(reference) if type_ == "foreign" else reference


def _inspect(path: Path) -> None:
    """Refuse what is not ours without letting SQLite repair, replay or lock anything."""
    if not path.exists() or path.stat().st_size == 0:
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size > 0:
            raise _damaged(path, f"{log.name} is there, but the file it belongs to is not, or is empty")
        return
    if not path.is_file():
        raise StoreError("this is no file; choose another folder, or move it away. Nothing was changed", path=str(path))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        if _pragma(connection, "application_id") != _APPLICATION_ID:
            raise StoreError(
                "this file is not a Naming Service store; choose another folder, or move the file away. Nothing was changed",
                path=str(path),
            )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Take the folder for this process, make the tables if there are none, and check what is there."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN EXCLUSIVE")
    version = _pragma(connection, "user_version")
    is_new = version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if is_new:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    connection.execute("COMMIT")
    if not is_new and version > _VERSION:
        raise StoreError(
            f"written by a newer iiopkit (store version {version}, this one knows {_VERSION}): use that one. Nothing was changed",
            path=str(path),
        )
    if not is_new and version < 1:
        raise _damaged(path, "it has no version")
    connection.execute("PRAGMA journal_mode = WAL")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path, verdict)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _damaged(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the store is damaged ({what}). Nothing was changed: put back a copy of the whole folder, or move the folder away to "
        "start with an empty Naming Service",
        path=str(path),
    )


_REASONS = {
    "SQLITE_BUSY": "in use by another process: one folder serves one Naming Service",
    "SQLITE_LOCKED": "in use by another process: one folder serves one Naming Service",
    "SQLITE_FULL": "the disk is full; make room and try again",
    "SQLITE_READONLY": "the folder cannot be written; check its owner, mode and mount",
    "SQLITE_CANTOPEN": "the file cannot be opened; check owner and mode of the folder",
    "SQLITE_CONSTRAINT": "a change does not fit what is stored; this is a bug, please report it",
    "SQLITE_IOERR": "the disk failed; see the system log",
}


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn everything that can go wrong with a disk into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        family = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        if family in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or "decode to UTF-8" in str(error) or "no such" in str(error):
            raise _damaged(path, str(error)) from error
        reason = _REASONS.get(family, "the store failed")
        raise StoreError(f"{reason} ({error})", path=str(path)) from error
    except (CodecError, UnicodeError) as error:
        raise StoreError(f"a name or reference that cannot be stored or read back ({error})", path=str(path)) from error
    except OSError as error:
        raise StoreError(f"the folder cannot be used ({error.strerror or error})", path=str(path)) from error

"""The Naming Service on disk: one SQLite file in a node's `etc/CosNaming/`, and the changes that go in and come out.

Knows changes (`naming.changes`) and SQLite; not what they mean to a client, and no sockets. A reference is kept as the
encapsulation that its stringified form shows in hex.

A store of an older version becomes one of this when it is opened, unless it may only be read.

Invariants: `write` returns once its changes are as safe as `Durability` says, all or none of them; a file that is not a
sound store of a known version is refused and left as it is; one folder serves one process; no `sqlite3.Error` leaves this
module. Copying the folder of a stopped Naming Service copies it whole, context ids included: that is how Interstage's own
manual duplicates one (High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2). After a kill, `naming.sqlite3-wal` beside the
file is part of the store, to be copied with it.
"""

from __future__ import annotations

import enum
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from iiop.cdr import codec, decapsulate, encapsulate
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
    ObjectGroup,
    context_number,
)
from naming.types import NameComponent

__all__ = ["FILE_NAME", "Durability", "Prepared", "Store", "StoreError"]

log = logging.getLogger("naming.store")

FILE_NAME = "naming.sqlite3"
"""Name of the file in its folder."""

_APPLICATION_ID = 0x69696F70
"""Marks the file as ours: `iiop` in ASCII, at offset 68 of its header."""

_VERSION = 2
_BINDINGS_TABLE = """
CREATE TABLE bindings (
    position INTEGER PRIMARY KEY,
    context INTEGER NOT NULL REFERENCES contexts (number),
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('object', 'context', 'foreign', 'group')),
    target BLOB NOT NULL,
    UNIQUE (context, id, kind)
)"""
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
CREATE TABLE contexts (
    number INTEGER PRIMARY KEY,
    context TEXT NOT NULL UNIQUE
);
{_BINDINGS_TABLE};
CREATE TABLE latest_destroyed (context TEXT NOT NULL);
INSERT INTO contexts (context) VALUES ('{ROOT}');
"""

_FROM_VERSION_1 = f"""
ALTER TABLE bindings RENAME TO bindings_1;
{_BINDINGS_TABLE};
INSERT INTO bindings SELECT * FROM bindings_1;
DROP TABLE bindings_1;
PRAGMA user_version = {_VERSION};
"""
"""Version 1 knew no groups, and its table refuses them."""

_STATEMENTS: dict[type[Change], str] = {
    BindingSet: """
        INSERT INTO bindings (context, id, kind, type, target)
        VALUES ((SELECT number FROM contexts WHERE context = ?), ?, ?, ?, ?)
        ON CONFLICT (context, id, kind) DO UPDATE SET type = excluded.type, target = excluded.target
    """,
    BindingRemoved: """
        DELETE FROM bindings WHERE context = (SELECT number FROM contexts WHERE context = ?) AND id = ? AND kind = ?
    """,
    ContextCreated: "INSERT INTO contexts (context) VALUES (?)",
    ContextDestroyed: "DELETE FROM contexts WHERE context = ?",
}
_BINDINGS = """
SELECT contexts.context, id, kind, type, target
FROM bindings LEFT JOIN contexts ON bindings.context = contexts.number ORDER BY position
"""

_GROUP = codec(ObjectGroup)

Prepared: TypeAlias = tuple[Change, tuple[str | bytes, ...]]
"""A change, and the values of the statement that makes it."""

_BUSY_TIMEOUT = 1.0
"""Seconds to wait for a process that is just leaving the folder."""


class Durability(enum.Enum):
    """Choose what a change that was answered survives; the value is SQLite's `synchronous`, in WAL mode.

    `disk`, the default: the machine losing power. `process`: the end of the process, `kill -9` too, but after the machine's the
    last changes may be missing; there are no half ones.
    """

    disk = "FULL"
    process = "NORMAL"


class StoreError(IIOPError):
    """Report that the store cannot be opened, read or written; what was on disk is as it was.

    Attributes:
        reason: what is wrong, and what to do about it.
        path: the file.
        uncertain: the disk has what was written, but failed to say that it is safe: it may turn up after the next start.
    """

    def __init__(self, reason: str, *, path: str = "", uncertain: bool = False) -> None:
        self.reason = reason
        self.path = path
        self.uncertain = uncertain
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
    def open(cls, folder: str | os.PathLike[str], durability: Durability = Durability.disk) -> Store:
        """Open the store in a folder, or make a new one where there is none.

        Where there is one that may only be read, every `write` fails; that is logged.

        Args:
            folder: as `etc/CosNaming`; if it is not there it is made, for its owner and group alone.
            durability: what changes survive.

        Raises:
            StoreError: the folder cannot be made or read; the file is damaged, not ours, of a newer version, or used by
                another process. Nothing was changed.
        """
        path = Path(folder).absolute() / FILE_NAME
        with _errors(path):
            _make_folder(path.parent)
            address = path.as_uri()
            if _is_there(path) and not _is_half_made(path):
                _inspect(path)
                if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
                    log.warning("%s can be read but not written: changes will be refused", path)
                    address = _reading(path)
            connection = sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, durability, writable=address == path.as_uri())
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    @classmethod
    def memory(cls) -> Store:
        """Make a store that keeps nothing beyond its own life."""
        path = Path(":memory:")
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _prepare(connection)
        return cls(connection, path)

    def load(self) -> Iterator[Change]:
        """Yield changes that, applied to a new `NamingModel`, make it the one that was written.

        Raises:
            StoreError: the file is damaged or cannot be read.
        """
        with _errors(self.path):
            for context in self._contexts("SELECT context FROM latest_destroyed"):
                yield ContextCreated(context)
                yield ContextDestroyed(context)
            contexts = self._contexts("SELECT context FROM contexts ORDER BY number")
            if ROOT not in contexts:
                raise _damaged(self.path, "it has no root context")
            yield from (ContextCreated(context) for context in contexts if context != ROOT)
            with closing(self._connection.execute(_BINDINGS)) as rows:  # left open, they would keep the folder locked
                for context, id_, kind, type_, target in rows:
                    if context is None:
                        raise _damaged(self.path, "a binding without its context")
                    try:
                        yield BindingSet(context, NameComponent(_text(id_), _text(kind)), _decode(type_, target))
                    except (CodecError, UnicodeError, TypeError) as error:
                        raise _damaged(self.path, f"what is bound to {id_!r} in {context} cannot be read: {error}") from error

    def _contexts(self, query: str) -> list[ContextId]:
        contexts = [context for (context,) in self._connection.execute(query)]
        for context in contexts:
            if not _is_id(context):
                raise _damaged(self.path, f"{context!r} is no id of a context")
        return contexts

    def write(self, changes: Iterable[Change]) -> None:
        """Put changes on disk, in one transaction; they are there when this returns.

        Raises:
            StoreError: as `prepare` and `commit` say; nothing may be applied to the model.
        """
        self.commit(self.prepare(changes))

    def prepare(self, changes: Iterable[Change]) -> tuple[Prepared, ...]:
        """Give changes the form they have on disk, without looking at it: what has none spoils no transaction with others.

        Raises:
            StoreError: a name or reference is of characters that cannot be stored.
        """
        try:
            return tuple((change, _values(change)) for change in changes)
        except (CodecError, UnicodeError) as error:
            raise StoreError(f"a name or reference that cannot be stored ({error})", path=str(self.path)) from error

    def commit(self, prepared: Iterable[Prepared]) -> None:
        """Put prepared changes on disk, in one transaction; they are there when this returns.

        Raises:
            StoreError: nothing was written, unless the error is `uncertain`.
        """
        with _errors(self.path):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for change, values in prepared:
                    self._write(change, values)
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

    def _write(self, change: Change, values: tuple[str | bytes, ...]) -> None:
        if self._connection.execute(_STATEMENTS[type(change)], values).rowcount != 1:
            raise StoreError(f"{change} does not fit what is stored; this is a bug, please report it", path=str(self.path))
        if isinstance(change, ContextDestroyed):
            self._remember_destroyed(change.context)

    def _remember_destroyed(self, context: ContextId) -> None:
        """Keep the greatest id destroyed, so that it is not given again after a restart."""
        row = self._connection.execute("SELECT context FROM latest_destroyed").fetchone()
        if row is None or context_number(context) > context_number(row[0]):
            self._connection.execute("DELETE FROM latest_destroyed")
            self._connection.execute("INSERT INTO latest_destroyed VALUES (?)", (context,))


_LIMITS = Limits(sequence_length=2**31 - 1, string_length=2**31 - 1)
"""What was admitted once comes back, whatever limits are in force today."""


def _values(change: Change) -> tuple[str | bytes, ...]:
    """Return the values of a statement.

    Raises:
        CodecError, UnicodeError: they cannot be written.
    """
    if not isinstance(change, BindingSet | BindingRemoved):
        return (change.context,)
    id_, kind = change.component.id, change.component.kind
    (id_ + kind).encode()
    return (change.context, id_, kind, *(_encode(change.bound) if isinstance(change, BindingSet) else ()))


def _encode(bound: Bound) -> tuple[str, bytes]:
    if isinstance(bound, str):
        return "context", bound.encode("ascii")
    if isinstance(bound, ForeignContext):
        return "foreign", encapsulate(IOR_CODEC, bound.reference)
    if isinstance(bound, ObjectGroup):
        return "group", encapsulate(_GROUP, bound)
    return "object", encapsulate(IOR_CODEC, bound)


def _decode(type_: str, target: object) -> Bound:
    """Return what was stored.

    Raises:
        CodecError, UnicodeError, TypeError: it was not stored by us.
    """
    if not isinstance(target, bytes):
        raise TypeError(f"{target!r} is not made of octets")
    if type_ == "context":
        context = ContextId(target.decode("ascii"))
        if not _is_id(context):
            raise TypeError(f"{context!r} is no id of a context")
        return context
    if type_ == "group":
        group: ObjectGroup = decapsulate(_GROUP, target, limits=_LIMITS)
        return group
    reference = decapsulate(IOR_CODEC, target, limits=_LIMITS)
    return ForeignContext(reference) if type_ == "foreign" else reference


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _is_id(context: object) -> bool:
    return context == ROOT or (isinstance(context, str) and context_number(ContextId(context)) >= (0, 0))


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing; they are on disk when this returns."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    for each in missing:
        descriptor = os.open(each.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _has_octets(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _is_there(path: Path) -> bool:
    if _has_octets(path):
        return True
    if _has_octets(_log_of(path)):
        raise _damaged(path, f"{_log_of(path).name} is there, but the file it belongs to is not, or is empty")
    if path.exists():
        log.warning("%s is empty, and so begins a new store, with nothing bound", path)
    return False


def _is_half_made(path: Path) -> bool:
    """Tell whether whoever made the store was killed at it; SQLite undoes that. A journal is there at no other time."""
    if not _has_octets(path.with_name(path.name + "-journal")):
        return False
    with path.open("rb") as file:
        return file.read(72)[68:] == _APPLICATION_ID.to_bytes(4, "big")


def _reading(path: Path) -> str:
    """Return the address at which SQLite reads the file and its log, and neither changes nor locks anything."""
    return f"{path.as_uri()}?mode=ro&{'vfs=unix-none' if _has_octets(_log_of(path)) else 'immutable=1'}"


def _inspect(path: Path) -> None:
    """Refuse what is not a sound store of ours, without letting SQLite repair or replay anything."""
    if not path.is_file():
        raise StoreError("this is no file; choose another folder, or move it away. Nothing was changed", path=str(path))
    if _log_of(path).exists():
        _check_unused(path)
    with closing(sqlite3.connect(_reading(path), uri=True)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # the index of the log is then kept in memory
        if _pragma(connection, "application_id") != _APPLICATION_ID:
            raise StoreError(
                "this file is not a Naming Service store; choose another folder, or move the file away. Nothing was changed",
                path=str(path),
            )
        version = _pragma(connection, "user_version")
        if version > _VERSION:
            raise StoreError(
                f"written by a newer iiopkit (store version {version}, this one knows {_VERSION}): use that one. "
                "Nothing was changed",
                path=str(path),
            )
        if version < 1:
            raise _damaged(path, "it has no version")
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise _damaged(path, " ".join(verdict.split()))


def _check_unused(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&readonly_shm=1", uri=True, timeout=_BUSY_TIMEOUT)) as connection:
        try:
            _pragma(connection, "user_version")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise  # else there is no index of the log, as in every store that nobody uses


def _prepare(connection: sqlite3.Connection, durability: Durability = Durability.disk, *, writable: bool = True) -> None:
    """Take the folder for this process, make the tables if there are none, and bring those of an older version up to date."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute(f"PRAGMA synchronous = {durability.value}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN EXCLUSIVE")
    new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if new or (writable and _pragma(connection, "user_version") < _VERSION):
        for statement in (_SCHEMA if new else _FROM_VERSION_1).split(";"):
            connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


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
    "SQLITE_READONLY": "the folder cannot be written; check its owner, mode and mount, and start again",
    "SQLITE_CANTOPEN": "the file cannot be opened; check owner and mode of the folder",
    "SQLITE_CONSTRAINT": "a change does not fit what is stored; this is a bug, please report it",
    "SQLITE_IOERR": "the disk failed, or a limit on the size of files was met; see the system log",
}


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn everything that can go wrong with a disk into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        family = "_".join(name.split("_")[:2])
        if family in ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR") or "decode to UTF-8" in str(error):
            raise _damaged(path, str(error)) from error
        reason = _REASONS.get(family, "the store failed")
        raise StoreError(f"{reason} ({error})", path=str(path), uncertain="FSYNC" in name) from error
    except UnicodeError as error:  # what SQLite says about damage quotes it
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise StoreError(f"the folder cannot be used ({error.strerror or error})", path=str(path)) from error

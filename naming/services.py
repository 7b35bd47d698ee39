"""Initial services: what `resolve_initial_references` of an ORB returns, by id.

Some are the server's own, made when they are asked for; others are registered, and kept in a file of one line each, id and
stringified reference, that people can read:

    MyService    IOR:000000...

A `#` at the beginning of a line makes it a comment; whoever changes the services by us loses those. Knows the file; not who asks.

Invariants: what is there is in the file, and the file is whole at any time; an id of the server's own is never registered.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import ior
from iiop.exceptions import NO_PERMISSION, PERSIST_STORE, CompletionStatus, IIOPError
from iiop.iop import IOR
from naming.node import NodeError
from naming.types import AlreadyBound, InvalidName, NameComponent, NotFound, NotFoundReason
from naming.whole_file import replacing

__all__ = ["MAX_SERVICE_ID", "InitialServices", "is_service_id"]

log = logging.getLogger("naming.services")

MAX_SERVICE_ID = 255
"""Characters of an id, at the most; ours, as nothing public says how many Interstage allows."""

_ID = re.compile(rf"(?!#)[!-~]{{1,{MAX_SERVICE_ID}}}")
_LINE = re.compile(r"(\S+)[ \t]+(IOR:\S+)[ \t]*", re.IGNORECASE)


def is_service_id(text: str) -> bool:
    """Tell whether a service can have this id: up to 255 printable ASCII characters without blanks, the first of them not `#`."""
    return _ID.fullmatch(text) is not None


class InitialServices:
    """Keep the initial services of one server. Lives in an event loop.

    Args:
        own: what makes the reference, by id, of those that need not be registered.
        path: the file; None keeps what is registered in memory.
    """

    def __init__(self, own: Mapping[str, Callable[[], IOR]], path: Path | None = None) -> None:
        self._own = own
        self._path = path
        self._registered: dict[str, IOR] = {}
        self._changing = asyncio.Lock()

    def load(self) -> None:
        """Read the file, if there is one.

        Raises:
            NodeError: it cannot be read, or holds something else.
        """
        try:
            text = self._path.read_text(encoding="ascii") if self._path is not None else ""
        except FileNotFoundError:
            return
        except (OSError, UnicodeError) as error:
            raise NodeError(f"{self._path}: {error}") from error
        self._registered = dict(self._parsed(number, line) for number, line in enumerate(text.splitlines(), 1) if _says(line))

    def _parsed(self, number: int, line: str) -> tuple[str, IOR]:
        match = _LINE.fullmatch(line)
        try:
            if match is None:
                raise NodeError("not of the form ID IOR:...")
            return match[1], ior.IOR.from_string(match[2]).to_iop()
        except IIOPError as error:
            raise NodeError(f"{self._path}, line {number}: {error}") from error

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids there are, the server's own first."""
        return (*self._own, *(id for id in self._registered if id not in self._own))

    def reference(self, id: str) -> IOR | None:
        """Return a service, None if there is none of that id."""
        make = self._own.get(id)
        return self._registered.get(id) if make is None else make()

    async def register(self, id: str, reference: IOR) -> None:
        """Add a service; it is in the file when this returns.

        Raises:
            InvalidName: no service can have the id.
            NO_PERMISSION: it is that of one of the server's own.
            AlreadyBound: one of that id is registered.
            PERSIST_STORE: the file cannot be written.
        """
        if not is_service_id(id):
            raise InvalidName
        self._check_not_own(id)
        async with self._changing:
            if id in self._registered:
                raise AlreadyBound
            await self._replace({**self._registered, id: reference})

    async def delete(self, id: str) -> None:
        """Remove a registered service; it is out of the file when this returns.

        Raises:
            NotFound: none of that id is registered.
            NO_PERMISSION: it is one of the server's own.
            PERSIST_STORE: the file cannot be written.
        """
        self._check_not_own(id)
        async with self._changing:
            if id not in self._registered:
                raise NotFound(NotFoundReason.missing_node, (NameComponent(id),))
            await self._replace({other: reference for other, reference in self._registered.items() if other != id})

    def _check_not_own(self, id: str) -> None:
        if id in self._own:
            raise NO_PERMISSION(0, CompletionStatus.COMPLETED_NO)

    async def _replace(self, services: dict[str, IOR]) -> None:
        if self._path is not None:
            try:
                await asyncio.to_thread(_write, self._path, services)
            except OSError as error:
                log.error("initial services cannot be changed: %s", error)
                raise PERSIST_STORE(0, CompletionStatus.COMPLETED_NO) from error
        self._registered = services


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _write(path: Path, services: Mapping[str, IOR]) -> None:
    width = max(map(len, services), default=0)
    lines = [f"{id:<{width}}  {ior.IOR.from_iop(reference)}\n" for id, reference in services.items()]
    with replacing(path) as file:
        file.write("".join(lines).encode("ascii"))

"""Files: those that are read, also while they grow, and the one that is written whole or not at all.

It must not know what is in them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from iiop.exceptions import IIOPError
from naming.whole_file import replacing

__all__ = ["STANDARD_INPUT", "NotOursError", "is_among", "octets_of", "written"]

STANDARD_INPUT = "-"
CHUNK = 1024 * 1024
"""Octets that are read at a time."""
LOOK_AGAIN = 0.2
"""Seconds until a file that is followed is looked at again."""
BEGINNING = 200
"""Octets in which a file says what it is."""


class NotOursError(IIOPError, FileExistsError):
    """Report that a file is something else than what is to be written, and is left as it is."""


def octets_of(name: str, *, follow: bool = False) -> Iterator[bytes]:
    """Return the octets of a file as they come.

    Args:
        name: of the file, or `STANDARD_INPUT`.
        follow: wait for more at its end, until another file has its name, or it is shorter than what was read.

    Raises:
        OSError: it cannot be read.
    """
    waits = follow and name != STANDARD_INPUT
    with _opened(name) as file:
        while True:
            data = file.read1(CHUNK) if name == STANDARD_INPUT else file.read(CHUNK)  # type: ignore[attr-defined]
            if data:
                yield data
            elif not waits:
                return
            elif _is_another(name, file):
                waits = False  # once more: it may have got its last octets since it was read
            else:
                time.sleep(LOOK_AGAIN)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), name)
        yield sys.stdin.buffer
    else:
        with open(name, "rb", buffering=0) as file:
            yield file


def _is_another(name: str, file: BinaryIO) -> bool:
    """Tell whether a file is no longer the one of its name, or has lost octets that were read."""
    try:
        now = os.stat(name)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(now.st_mode) and (not os.path.samestat(now, os.fstat(file.fileno())) or now.st_size < file.tell())


def is_among(path: Path, names: Iterable[str]) -> bool:
    """Tell whether a file, if it is there, is one of those that are to be read."""
    for name in names:
        with contextlib.suppress(OSError, AttributeError):  # of standard input, that it is closed
            about = os.fstat(sys.stdin.fileno()) if name == STANDARD_INPUT else os.stat(name)
            if stat.S_ISREG(about.st_mode) and os.path.samestat(about, path.stat()):
                return True
    return False


@contextlib.contextmanager
def written(path: Path, mark: bytes) -> Iterator[BinaryIO]:
    """Give a file to write to, which is there under its name once it is whole: at the end of the block, if nothing was raised.

    Args:
        path: where it is to be; a file of the same kind is replaced, a device or a pipe written to.
        mark: what is among the first octets of each file of this kind.

    Raises:
        NotOursError: what is there is something else.
        OSError: it cannot be written.
    """
    if path.is_file():
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
        if beginning and mark not in beginning:
            raise NotOursError(f"{path} is there, and is not one of ours: it is left as it is")
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
    else:
        with replacing(Path(os.path.realpath(path))) as file:  # Path.resolve raises RuntimeError where links go round
            yield file

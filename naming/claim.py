"""Who has a node's folder: one process at a time, and where it answers if it is a server.

    <home>/var/naming.claim      locked (flock) by the process that has the folder, a server or a command; commands that only
                                 read share it
    <home>/var/naming.address    locked by a server that answers at the `host:port` in it

The kernel lets go of a lock when its process ends, however that ends; so a file that is not locked says nothing. The address is
renamed into place, whole and locked: who finds it locked reads the address of a server that lives. Knows files and locks; not
what is served.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from naming.node import Node, NodeError

__all__ = ["Claim", "announced"]


def announced(node: Node) -> str | None:
    """Return the `host:port` at which the node's server answers, None if no server has said so.

    Raises:
        NodeError: the file cannot be read.
    """
    path = _address_file(node)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NodeError(f"{path}: {error.strerror}") from error
    try:
        if _lock(descriptor, fcntl.LOCK_SH):
            return None
        return os.read(descriptor, 4096).decode().strip()
    finally:
        os.close(descriptor)


class Claim:
    """Have a node's folder until `release`; `take` and `share` make one."""

    def __init__(self, node: Node, *descriptors: int) -> None:
        self._node = node
        self._descriptors = list(descriptors)

    @classmethod
    def take(cls, node: Node) -> Claim | None:
        """Claim the folder, or return None where another process has it.

        Raises:
            NodeError: nothing can be written in the folder.
        """
        path = _claim_file(node)
        try:
            path.parent.mkdir(mode=0o750, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            raise NodeError(f"{path}: {error.strerror}") from error
        if _lock(descriptor, fcntl.LOCK_EX):
            return cls(node, descriptor)
        os.close(descriptor)
        return None

    @classmethod
    def share(cls, node: Node) -> Claim | None:
        """Keep others from claiming the folder while it is read, or return None where another process has it.

        Nothing is written, and nothing is locked in a folder that nobody ever claimed.

        Raises:
            NodeError: the folder cannot be read.
        """
        path = _claim_file(node)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return cls(node)
        except OSError as error:
            raise NodeError(f"{path}: {error.strerror}") from error
        if _lock(descriptor, fcntl.LOCK_SH):
            return cls(node, descriptor)
        os.close(descriptor)
        return None

    def announce(self, address: str) -> None:
        """Tell everybody who can read the folder where the server answers.

        Args:
            address: `host:port`.

        Raises:
            OSError: it cannot be written.
        """
        path = _address_file(self._node)
        unfinished = path.with_name(path.name + ".new")
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
        self._descriptors.append(descriptor)
        _lock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, f"{address}\n".encode())
        unfinished.replace(path)

    def withdraw(self) -> None:
        """Take the announcement back; the folder stays claimed."""
        if len(self._descriptors) > 1:
            with suppress(OSError):
                _address_file(self._node).unlink()
            os.close(self._descriptors.pop())

    def release(self) -> None:
        """Let another process have the folder."""
        self.withdraw()
        while self._descriptors:
            os.close(self._descriptors.pop())


def _claim_file(node: Node) -> Path:
    return node.home / "var" / "naming.claim"


def _address_file(node: Node) -> Path:
    return node.home / "var" / "naming.address"


def _lock(descriptor: int, how: int) -> bool:
    """Lock a file without waiting, and tell whether that was possible."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

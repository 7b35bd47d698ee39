"""The socket by which operators reach a lab that is up: a Unix socket `control` in its folder, for its user alone.

A request is a line of JSON, `{"do": "kill host1"}` or `{"status": true}`; so is its answer, `{"done": "kill host1"}`,
`{"status": {...}}`, `{"refused": "why"}` for what the lab cannot do, or `{"error": "why"}` for what is no request. A connection
may ask as often as it likes. Whoever has locked the folder is its lab; the socket of one that was killed is replaced.

It must not know what can be done to a lab.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from iiop.exceptions import IIOPError

__all__ = ["Control", "FolderInUse", "NoLab", "answer", "ask"]

NAME = "control"

LONGEST = 65_536
"""Octets of a request, at most."""

MOST = 32
"""Connections that are answered at a time; others wait."""

_PATIENCE = struct.pack("ll", 5, 0)
"""How long an answer waits for somebody who does not read it: 5 s."""

_PAUSE = 0.1
"""Seconds until it is tried again to take a connection, where there are too many of them, or of descriptors."""

log = logging.getLogger("iiop_lab.console")

Answer = Mapping[str, Any]


class FolderInUse(IIOPError):
    """Report a folder that a lab is up in."""


class NoLab(IIOPError):
    """Report a folder that no lab is up in."""


class Control:
    """Take a folder for a lab, and listen there; who connects before `answering` has to wait.

    Args:
        folder: made if it is not there.

    Raises:
        FolderInUse: a lab is up there.
        OSError: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        with contextlib.ExitStack() as stack:
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, self._folder)
            try:
                fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUse(f"this lab is up already{_by_whom(self._folder)}: {folder}") from None
            self._unlink()
            self._socket = stack.enter_context(socket.socket(socket.AF_UNIX))
            os.fchmod(self._socket.fileno(), 0o600)  # before there is a file
            try:
                self._socket.bind(_address(self._folder))
            except OSError as error:
                raise OSError(error.errno, f"no socket can be made there: {error.strerror}", str(folder)) from error
            stack.callback(self._unlink)
            self._socket.listen()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _unlink(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # the folder may be gone
            os.unlink(NAME, dir_fd=self._folder)

    @contextlib.contextmanager
    def answering(self, answer: Callable[[bytes], Answer]) -> Iterator[None]:
        """Answer requests, in the block, each connection in a thread of its own; at its end, requests under way are answered."""
        accepting = threading.Thread(target=self._accept, args=(answer,), name="control")
        accepting.start()
        try:
            yield
        finally:
            self._over.set()
            self._socket.shutdown(socket.SHUT_RDWR)
            accepting.join()
            with self._lock:
                for connection in self._connections:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)
            for thread in self._threads:
                thread.join()

    def _accept(self, answer: Callable[[bytes], Answer]) -> None:
        while True:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            try:
                connection, _ = self._socket.accept() if len(self._threads) < MOST else (None, None)
            except OSError:
                connection = None
            if connection is None:
                if self._over.wait(_PAUSE):
                    return
                continue
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
            with self._lock:
                self._connections.add(connection)
            thread = threading.Thread(target=self._converse, args=(connection, answer), name="control connection")
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket, answer: Callable[[bytes], Answer]) -> None:
        try:
            with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
                while line := lines.readline(LONGEST + 1):
                    if len(line) > LONGEST:
                        _send(connection, {"error": f"a request has {LONGEST} octets at the most"})
                        return
                    _send(connection, answer(line))
        finally:
            with self._lock:
                self._connections.discard(connection)


def answer(line: bytes, do: Callable[[str], None], status: Callable[[], Mapping[str, Any]]) -> Answer:
    """Answer a request, whatever it is.

    Args:
        line: the request.
        do: does what is said in words; an IIOPError or ValueError refuses.
        status: tells how the lab is.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    try:
        match request:
            case {"do": str(words), **rest} if not rest:
                do(words)
                return {"done": words}
            case {"status": True, **rest} if not rest:
                return {"status": status()}
    except (IIOPError, ValueError) as error:
        return {"refused": str(error)}
    except Exception as error:
        log.exception("%s failed", line)
        return {"error": f"internal error: {type(error).__name__}: {error}"}
    return {"error": """a request is {"do": "kill host1"} or {"status": true}, in a line"""}


def ask(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the lab that is up in a folder, and wait for its answer, for as long as what is asked for takes.

    Raises:
        NoLab: none is, or it has ended before it answered.
        OSError: it may not be asked.
    """
    try:
        with contextlib.ExitStack() as stack:
            at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, at)
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(_address(at))
            _send(connection, request)
            line = stack.enter_context(connection.makefile("rb")).readline()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NoLab(f"no lab is up in {folder}") from error
    except (ConnectionResetError, BrokenPipeError):
        line = b""
    if not line.endswith(b"\n"):
        raise NoLab(f"the lab in {folder} has ended before it answered")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _send(connection: socket.socket, row: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(row, default=str).encode() + b"\n")


def _address(folder: int) -> str:
    """Return the address of the socket in an open folder, which is short however long its path is."""
    return f"/proc/self/fd/{folder}/{NAME}"


def _by_whom(folder: int) -> str:
    """Say which process listens in a folder, if one does."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(_address(folder))
        except OSError:
            return ""
        pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f", process {pid}"

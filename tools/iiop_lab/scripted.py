"""A server that plays scripts: it listens, gives each connection a script and a thread, and tells at the end what was not played.

A step is any function of a `Peer`; those there are in `iiop_lab.peer`. It must not know what a step does, but for one thing: a
step that `has_to_come` is missed when its script is never begun.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from iiop.giop.fragments import Reassembler
from iiop.giop.header import MORE_FRAGMENTS, cut_header
from iiop.giop.messages import (
    GIOP_1_2,
    Body,
    CancelRequest,
    Message,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
)
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, Operation
from iiop.iop import IOR
from iiop.limits import DEFAULT_LIMITS
from iiop.profile import ProfileBody, Version, encode_profile
from iiop_lab.pcap import Conversation, Traffic

__all__ = ["PATIENCE", "Peer", "ScriptMismatch", "ScriptedServer", "Step"]

PATIENCE = 10.0
"""Seconds a step waits for anything."""


class ScriptMismatch(AssertionError):
    """Report that something else came than the script expected, or nothing."""


class Peer:
    """One connection of a client, as the script sees it.

    Attributes:
        server: whose connection it is.
        sock: for steps of your own; what is said over it directly is not in the recorded traffic.
        number: 1 for the first connection.
        operation: what was asked for last, if `expect` was given an operation of a stub.
    """

    def __init__(self, server: ScriptedServer, sock: socket.socket, number: int, traffic: Traffic | None) -> None:
        self.server = server
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.number = number
        self.operation: Operation | None = None
        self._asked: Request | None = None
        self._fragments = Reassembler(DEFAULT_LIMITS)
        self._told: Conversation | None = None
        if traffic is not None:
            with contextlib.suppress(OSError):
                self._told = Conversation(traffic, sock.getpeername()[:2], sock.getsockname()[:2], accepted=True)

    def receive(self) -> Message:
        """Return the next message of the client, whole, which is kept in `server.received` too.

        Raises:
            ConnectionError: the client has gone.
            TimeoutError: nothing came within `PATIENCE` seconds.
            IIOPError: it is no message of GIOP.
        """
        while True:
            piece = self._exactly(12)
            piece += self._exactly(int.from_bytes(piece[8:12], "little" if piece[6] & 1 else "big"))
            header = cut_header(piece, DEFAULT_LIMITS)
            whole: bytes | None = piece
            if piece[6] & MORE_FRAGMENTS or header.message_type is MessageType.Fragment:
                whole = self._fragments.add(header, piece)
            if whole is not None:
                break
        message = decode(whole)
        self.keep(message)
        return message

    def keep(self, message: Message) -> None:
        """Count a message as received; for steps that read octets themselves."""
        if isinstance(message, Request):
            self._asked = message
        with self.server.changed:
            self.server.received.append(message)
            self.server.changed.notify_all()

    def _exactly(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            try:
                piece = self.sock.recv(count - len(found))
            except ConnectionError:
                self.end(reset=True, by_client=True)
                raise
            if not piece:
                if not self.server.closing.is_set():
                    self.end(by_client=True)
                raise ConnectionError("the client has gone")
            if self._told is not None:
                self._told.says(piece, by_client=True)
            found += piece
        return bytes(found)

    @property
    def version(self) -> Version:
        """Return the version of GIOP that the client speaks; 1.2 until it has asked something."""
        return GIOP_1_2 if self._asked is None else self._asked.version

    def asked(self) -> Request:
        """Return the request received last.

        Raises:
            AssertionError: nothing was asked on this connection.
        """
        assert self._asked is not None, "nothing was asked on this connection yet, so that nothing can be answered"
        return self._asked

    def send(self, data: bytes) -> None:
        """Send octets.

        Raises:
            OSError: the client has gone, or does not read.
        """
        if self._told is not None:
            self._told.says(data, by_client=False)
        self.sock.sendall(data)

    def answer(self, body: Body, status: ReplyStatus) -> None:
        """Answer the last request."""
        asked = self.asked()
        self.send(encode(Reply(asked.request_id, status, (), body, asked.version, asked.byte_order)))

    def reset(self) -> None:
        """Close the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.end(reset=True)

    def end(self, *, reset: bool = False, by_client: bool = False) -> None:
        """Tell the recorded traffic that one end has ended the connection."""
        if self._told is not None:
            if reset:
                self._told.reset(by_client=by_client)
            else:
                self._told.ends(by_client=by_client)


Step = Callable[[Peer], None]


class ScriptedServer:
    """Listen on a port of loopback and play one script for each connection, each in a thread of its own.

    Args:
        scripts: for the first connections; `script` adds more.
        then: the script of every further connection; None lets none come.
        traffic: is told what is said.

    Attributes:
        host, port: what is listened on.
        object_key: in references to it; it answers to every key.
        received: every message, in the order of arrival.
        connections: how many were accepted.
        changed: notified when something was received.
        closing: set when the server is left.
    """

    host = "127.0.0.1"
    object_key = b"peer"

    def __init__(self, *scripts: Sequence[Step], then: Sequence[Step] | None = None, traffic: Traffic | None = None) -> None:
        self.then = then
        self.received: list[Message] = []
        self.connections = 0
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self._scripts = list(scripts)
        self._traffic = traffic
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]

    def script(self, *steps: Step) -> None:
        """Say what happens on the next connection that has no script yet."""
        self._scripts.append(steps)

    @property
    def address(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """Return the requests among what was received."""
        return [message for message in self.received if isinstance(message, Request)]

    @property
    def operations(self) -> list[str]:
        """Return the names of the operations asked for."""
        return [message.operation for message in self.requests]

    @property
    def cancelled(self) -> list[int]:
        """Return the ids of cancelled requests."""
        return [message.request_id for message in self.received if isinstance(message, CancelRequest)]

    def reference(self, interface: type[Interface] = Interface, version: tuple[int, int] = (1, 2)) -> IOR:
        """Return a reference to an object here; `str(ior.IOR.from_iop(...))` is its text."""
        profile = ProfileBody(Version(*version), self.host, self.port, self.object_key)
        return IOR(interface.repository_id, (encode_profile(profile),))

    def wait_received(self, count: int) -> None:
        """Wait until so many messages have arrived.

        Raises:
            AssertionError: they did not, within `PATIENCE` seconds.
        """
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, PATIENCE), self.received

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[self.connections] if self.connections < len(self._scripts) else self.then
            self.connections += 1
            peer = Peer(self, sock, self.connections, self._traffic)
            self._peers.append(peer)
            thread = threading.Thread(target=self._play, args=(peer, script), name=f"connection {self.connections}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, peer: Peer, script: Sequence[Step] | None) -> None:
        number = 0
        try:
            if script is None:
                raise ScriptMismatch(f"expected {len(self._scripts)} connection(s), but one more came")
            for step in script:
                number += 1
                step(peer)
        except ScriptMismatch as error:
            at = f"step {number} of {len(script)}" if script else "no script"
            self._failures.append(ScriptMismatch(f"connection {peer.number}, {at}: {error}").with_traceback(error.__traceback__))
            with contextlib.suppress(OSError):
                peer.reset()
        except ConnectionError:
            pass
        except BaseException as error:
            if not self.closing.is_set():
                self._failures.append(error)
                with contextlib.suppress(OSError):
                    peer.reset()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, name="scripted server")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                self._failures.append(TimeoutError(f"the script of {thread.name} has not ended {PATIENCE:g} s after the end"))
        for peer in self._peers:
            peer.sock.close()
            peer.end()
        for number, script in enumerate(self._scripts[self.connections :], self.connections + 1):
            if any(getattr(step, "has_to_come", False) for step in script):
                self._failures.append(ScriptMismatch(f"expected connection {number} ({script[0]} ...), but it never came"))
        if len(self._failures) > 1:
            raise BaseExceptionGroup("the scripts were not played", self._failures)
        if self._failures:
            raise self._failures[0]

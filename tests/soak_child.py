"""One client of the soak, a process of its own: it works, breaks GIOP, or idles, until its standard input ends.

    python -P soak_child.py works|breaks|idles HOST PORT NUMBER

At the end it prints how often it did what it does. Anything unexpected ends it with a traceback.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import struct
import sys
import threading
from collections.abc import Callable

from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.giop.fragments import split
from iiop.giop.messages import GIOP_1_2, Body, CancelRequest, CloseConnection, Request, key_address
from iiop.giop.wire import encode
from iiop.iop import IOR, TaggedProfile
from naming import NameService, parse_name
from naming.interfaces import BindingIterator, NamingContextExt
from naming.types import AlreadyBound

ROOT = key_address(b"NameService")
RESOLVE = NamingContextExt.operations()["resolve"]
PATIENCE = 60.0


def works(address: tuple[str, int], chance: random.Random, number: str) -> Callable[[], None]:
    """Change, resolve and list a folder of its own; end every other iterator."""
    names = NameService("{}:{}".format(*address))
    folder = names.client.stub(names.root.bind_new_context(parse_name(f"works{number}")), NamingContextExt)
    serial = itertools.count()

    def once() -> None:
        name = parse_name(f"n{next(serial) % 50}")
        bound = IOR("IDL:Soak:1.0", (TaggedProfile(77, chance.randbytes(chance.randrange(2000))),))
        folder.rebind(name, bound)
        assert folder.resolve(name) == bound
        try:
            folder.bind_new_context(parse_name("inner"))
        except AlreadyBound:
            inner = names.client.stub(folder.resolve(parse_name("inner")), NamingContextExt)
            folder.unbind(parse_name("inner"))
            inner.destroy()
        iterator = names.client.stub(folder.list(2)[1], BindingIterator) if next(serial) > 200 else None
        if iterator is not None and chance.random() < 0.5:
            with contextlib.suppress(OBJECT_NOT_EXIST):  # too many others were begun
                iterator.next_n(10)
                iterator.destroy()
        if chance.random() < 0.1:
            folder.unbind(name)

    return once


def _connect(address: tuple[str, int], receive_buffer: int = 0) -> socket.socket:
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(PATIENCE)
    sock.connect(address)
    return sock


def _request(operation: str, octets: bytes = b"", request_id: int = 0) -> bytes:
    return encode(Request(request_id, operation, ROOT, 3, (), Body(octets)))


def breaks(address: tuple[str, int], chance: random.Random, number: str) -> Callable[[], None]:
    """Say one wrong thing on a connection of its own, read what comes, and go, now and then by a reset."""
    first, second, *_ = split(_request("resolve", bytes(10_000)), GIOP_1_2, 1024)
    wrong = (
        b"GET / HTTP/1.1\r\n\r\n",
        b"GIOP\x01\x02\x00\x00\xff\xff\xff\xff",
        first + second * 10,
        first + encode(CancelRequest(0)) + _request("_non_existent", request_id=2),
        first + second * 5000,
        second,
        encode(CloseConnection()) + _request("_non_existent"),
        _request("resolve", b"\xff\xff\xff\xff") * 10,
        _request("no_such_operation"),
        _request("_non_existent")[:-3],
    )

    def once() -> None:
        with _connect(address) as sock, contextlib.suppress(ConnectionError):
            given = chance.choice(wrong)
            if chance.random() < 0.2:
                given = bytes(octet ^ (chance.random() < 0.01) for octet in given[:2000])
            sock.sendall(given)
            if chance.random() < 0.3:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with contextlib.suppress(OSError):  # the server has ended the connection already
                sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass

    return once


def idles(address: tuple[str, int], chance: random.Random, number: str) -> Callable[[], None]:
    """Hold connections that say nothing, little, or do not read, and let go of them a while later."""
    held: list[socket.socket] = []
    unread = Request(0, "resolve", ROOT, 3, (), Body.of(RESOLVE.arguments, (parse_name("n" * 50_000),)))
    given = (b"", b"GIOP", _request("_non_existent"), encode(unread) * 100)
    pause = threading.Event()

    def once() -> None:
        sock = _connect(address, 4096)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            sock.send(chance.choice(given))
        held.append(sock)
        if len(held) > 50:
            held.pop(0).close()
        pause.wait(0.02)

    return once


KINDS = {"works": works, "breaks": breaks, "idles": idles}


def main() -> None:
    kind, host, port, number = sys.argv[1:]
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    once, count = KINDS[kind]((host, int(port)), random.Random(number), number), 0
    while not ended.is_set():
        once()
        count += 1
    print(count)


if __name__ == "__main__":
    main()

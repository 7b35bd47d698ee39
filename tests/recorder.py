"""A relay before a real server, which writes down what is said through it: captures without privilege."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from iiop_lab.pcap import Conversation, Traffic

Address = tuple[str, int]


@contextmanager
def recorded(server: Address, traffic: Traffic) -> Iterator[Address]:
    """Relay connections to a server, and tell what is said over them; yields where to connect to."""
    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def relay(source: socket.socket, target: socket.socket, talk: Conversation, by_client: bool) -> None:
        with suppress(OSError):
            while octets := source.recv(1 << 20):
                talk.says(octets, by_client=by_client)
                target.sendall(octets)
        talk.ends(by_client=by_client)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, client = listener.accept()
                far = socket.create_connection(server)
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ends.extend((near, far))
                talk = Conversation(traffic, client, server, accepted=True)
                for source, target, by_client in ((near, far, True), (far, near, False)):
                    threads.append(threading.Thread(target=relay, args=(source, target, talk, by_client)))
                    threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for end in ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for end in ends:
                end.close()

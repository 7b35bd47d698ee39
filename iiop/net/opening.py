"""Streams opened, plain or with TLS, in the time there is."""

from __future__ import annotations

import socket
import ssl
import time

from iiop.exceptions import ConnectFailed
from iiop.net.address import Hosts, map_host
from iiop.net.stream import Stream, connected
from iiop.net.tls import TLSStream, explained

__all__ = ["open_stream"]


def open_stream(
    host: str, port: int, timeout: float, *, hosts: Hosts, keep_alive: bool = False, tls: ssl.SSLContext | None = None
) -> Stream:
    """Connect within `timeout` seconds, handshake included; names are looked up in `hosts` first.

    The time the system's resolver takes for a name that `hosts` does not know is the one thing nobody can bound.

    Args:
        keep_alive: let TCP ask a silent server from time to time whether it is there.
        tls: speak TLS by it, with a server whose certificate is for `host`, whatever `hosts` makes of that.

    Raises:
        ConnectFailed: refused, unreachable, unknown name, too late, or no TLS that the context allows.
    """
    peer, deadline = f"{host}:{port}", time.monotonic() + timeout
    try:
        sock = connected(map_host(hosts, host), port, timeout)
    except (OSError, UnicodeError) as error:
        raise ConnectFailed(f"cannot connect to {peer}: {error}") from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keep_alive)
    try:
        return Stream(sock) if tls is None else TLSStream(sock, tls, host, deadline)
    except BaseException as error:
        sock.close()
        if not isinstance(error, (OSError, ValueError)):
            raise
        raise ConnectFailed(f"cannot connect to {peer}: {explained(error)}") from error

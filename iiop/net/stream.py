"""Octets through one socket, in time: every wait ends at a deadline, and costs one system call where nothing is late.

It must not know messages. One thread at a time may receive, and one send; both may happen at once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time

__all__ = ["Stream", "connected"]

_LONGEST_WAIT = 2_000_000.0
"""Seconds; a socket counts milliseconds in 32 bits, and a policy may allow more, or `math.inf`."""

_PROMPT = 0.004
"""Seconds that the system itself waits for octets, in the same call that reads them; what takes longer is waited for exactly."""

_READ_SIZE = 65536
_MOST = 1 << 20
"""Octets read at once of a message known to be large."""
_SMALL = 4096
"""Octets that a socket takes at once if it takes any."""

_DONT_WAIT = socket.MSG_DONTWAIT


class Stream:
    """Send to and receive from a connected socket, which is blocking from now on."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, int(_PROMPT * 1e6)))
        self._recv = sock.recv
        self._send = sock.send
        self._input, self._output = select.poll(), select.poll()
        self._input.register(sock, select.POLLIN)
        self._output.register(sock, select.POLLOUT)
        self._poll = self._input.poll

    @property
    def has_input(self) -> bool:
        """Tell whether there is something to receive, the end of the stream perhaps, without waiting."""
        return bool(self._poll(0))

    def wait(self, deadline: float) -> None:
        """Wait until there is something to receive; unlike `receive`, an interrupt cannot lose octets here.

        Raises:
            TimeoutError: nothing has arrived in time.
        """
        while not self._poll(_milliseconds(deadline)):
            pass

    def receive(self, deadline: float, wanting: int = 0) -> bytes:
        """Return what has arrived, at least one octet; none if the stream has ended.

        Args:
            deadline: seconds of `time.monotonic`.
            wanting: octets that are known to come; many of them are collected before they are returned.

        Raises:
            TimeoutError: nothing has arrived in time.
            OSError: the connection broke.
        """
        if deadline - time.monotonic() > _PROMPT:
            try:
                if wanting > _READ_SIZE:
                    return self._recv(min(wanting, _MOST), socket.MSG_WAITALL)
                return self._recv(_READ_SIZE)
            except BlockingIOError:
                pass
        while True:
            if self._poll(_milliseconds(deadline)):
                try:
                    return self._recv(_READ_SIZE)
                except BlockingIOError:
                    pass

    def send(self, octets: bytes | bytearray, deadline: float) -> None:
        """Send all octets.

        Raises:
            TimeoutError: not all of them were sent in time.
            OSError: the connection broke.
        """
        try:
            sent = self._send(octets, _DONT_WAIT)
        except BlockingIOError:
            sent = 0
        if sent != len(octets):
            self.send_patiently(memoryview(octets)[sent:], deadline)

    def send_patiently(self, octets: bytes | bytearray | memoryview, deadline: float) -> None:
        """Send all octets, as `send` does, as soon as the socket takes any."""
        rest = memoryview(octets)
        while len(rest) > _SMALL:
            self._output.poll(_milliseconds(deadline))
            with contextlib.suppress(BlockingIOError):
                rest = rest[self._send(rest, _DONT_WAIT) :]
        while not self._output.poll(_milliseconds(deadline)):
            pass
        self.socket.sendall(rest, _DONT_WAIT)

    def send_at_once(self, octets: bytes) -> bool:
        """Send octets if that takes no time; tell whether none or all of them were sent."""
        try:
            return self._send(octets, _DONT_WAIT) == len(octets)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def shut(self) -> None:
        """End the stream both ways; whoever waits for it is woken."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; nobody may use it any more."""
        self.socket.close()


def _milliseconds(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, _LONGEST_WAIT) * 1000


def connected(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to the first address of a host that answers; all of them share `timeout` (`create_connection` gives it to each).

    Raises:
        OSError, UnicodeError: there is none.
    """
    deadline = time.monotonic() + timeout
    failure = OSError("the host has no address")
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(left / (len(addresses) - number), _LONGEST_WAIT))
            sock.connect(address)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return sock
    raise failure

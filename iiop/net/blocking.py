"""Blocking connections: a socket, a deadline, and a sans-IO `Connection` that decides what octets mean.

It must not know operations or policies. One connection serves one call at a time; the pool hands a connection to one thread and
takes it back.
"""

from __future__ import annotations

import select
import socket
import threading
import time

from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import Speech
from iiop.connection import NEED_DATA, Connection, ConnectionState, EndOfStream, Event, Role
from iiop.exceptions import (
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    RemoteProtocolError,
)
from iiop.giop.messages import CloseConnection, LocateReply, LocateRequest, MessageError, Reply, Request
from iiop.giop.wire import encode
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts, map_host
from iiop.profile import Version

__all__ = ["BlockingConnection", "ConnectionPool"]

_READ_SIZE = 65536
_LONGEST_WAIT = 2_000_000.0
"""Seconds; a socket counts milliseconds in 32 bits, and a policy may allow more, or `math.inf`."""

_NO, _MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE


class BlockingConnection:
    """Speak GIOP with one server over one socket.

    Attributes:
        peer: `host:port` as in the reference, for messages.
        agreed: see `Connection`.
    """

    def __init__(self, sock: socket.socket, peer: str, limits: Limits = DEFAULT_LIMITS, agreed: Negotiated | None = None) -> None:
        self._socket = sock
        self.peer = peer
        self.agreed = agreed
        self._connection = Connection(Role.CLIENT, limits=limits, agreed=agreed)
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        timeout: float,
        *,
        hosts: Hosts | None = None,
        limits: Limits = DEFAULT_LIMITS,
        agreed: Negotiated | None = None,
    ) -> BlockingConnection:
        """Connect within `timeout` seconds; names are looked up in `hosts` first.

        The time the system's resolver takes for a name that `hosts` does not know is the one thing nobody can bound.

        Raises:
            ConnectFailed: refused, unreachable, unknown name, or too late.
        """
        peer = f"{host}:{port}"
        try:
            sock = _connected(map_host(hosts or {}, host), port, timeout)
        except (OSError, UnicodeError) as error:
            raise ConnectFailed(f"cannot connect to {peer}: {error}") from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, peer, limits, agreed)

    def is_usable(self) -> bool:
        """Tell whether a new request may be sent: nothing says that the server has closed, and no reply came unasked."""
        try:
            if self._readable.poll(0):
                self._connection.receive_data(self._socket.recv(_READ_SIZE))
            event = self._connection.next_event()
        except (OSError, RemoteProtocolError):
            return False
        return event is NEED_DATA and self._connection.state is ConnectionState.OPEN

    def next_request_id(self) -> int:
        """Return the id of the next request on this connection."""
        return self._connection.next_request_id()

    def speech(self, version: Version) -> Speech:
        """Return how messages of a version of GIOP carry characters."""
        return self._connection.speech(version)

    def call(self, request: Request | LocateRequest, deadline: float) -> Reply | LocateReply | None:
        """Send a request and return its reply; None for a request that expects none.

        Args:
            request: with an id of `next_request_id`.
            deadline: seconds of `time.monotonic`.

        Raises:
            EncodeError, LocalProtocolError: the request cannot be sent; the connection is as before.
            ConnectionLost: with the completion status; the connection is closed.
            DeadlineExceeded: no reply in time; the connection is closed, because the reply may yet come.
        """
        octets = self._connection.send(request)
        completed, sent = _NO, False
        try:
            self._arm(deadline)
            completed = _MAYBE
            try:
                self._socket.sendall(octets)
                sent = True
            except ConnectionError:
                return self._await_reply(deadline)  # what the server said before it went, CloseConnection perhaps, can be read
            if isinstance(request, Request) and not request.response_expected:
                return None
            return self._await_reply(deadline)
        except TimeoutError as error:
            if sent:  # behind a part of the request, a CancelRequest would be taken for the rest of it
                self._abandon(request)
            self.close()
            raise DeadlineExceeded(f"no reply from {self.peer} in time", completed=completed) from error
        except OSError as error:
            self.close()
            if isinstance(error, ConnectionLost):
                raise
            raise ConnectionLost(f"connection to {self.peer} broke: {error}", completed=completed) from error
        except RemoteProtocolError as error:
            self._answer(error)
            raise ConnectionLost(f"{self.peer} broke GIOP: {error}", completed=_MAYBE) from error

    def _arm(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, _LONGEST_WAIT))

    def _await_reply(self, deadline: float) -> Reply | LocateReply:
        while True:
            event = self._connection.next_event()
            if event is NEED_DATA:
                self._arm(deadline)
                self._connection.receive_data(self._socket.recv(_READ_SIZE))
            elif isinstance(event, (Reply, LocateReply)):
                return event
            else:
                raise self._ended_by(event)

    def _ended_by(self, event: Event) -> ConnectionLost:
        if isinstance(event, CloseConnection):
            return ConnectionLost(f"{self.peer} closed the connection in order", completed=_NO)
        if isinstance(event, MessageError):
            return ConnectionLost(f"{self.peer} answered MessageError", completed=_MAYBE)
        if isinstance(event, EndOfStream):
            return ConnectionLost(f"{self.peer} ended the connection without a reply", completed=_MAYBE)
        return ConnectionLost(f"{self.peer} sent a {type(event).__name__} to a client", completed=_MAYBE)

    def _abandon(self, request: Request | LocateRequest) -> None:
        """Tell the server that nobody waits any more, if that takes no time."""
        try:
            self._socket.setblocking(False)
            self._socket.send(self._connection.abandon(request.request_id, request.version))
        except (OSError, LocalProtocolError):
            pass

    def _answer(self, error: RemoteProtocolError) -> None:
        if error.response is not None:
            try:
                self._socket.setblocking(False)
                self._socket.send(encode(error.response))
            except OSError:
                pass
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _connected(host: str, port: int, timeout: float) -> socket.socket:
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


class ConnectionPool:
    """Keep idle connections by address and speech; a connection belongs to one thread while it is out.

    The speech is the version of GIOP and the code sets agreed: omniORB settles both by the first request of a connection.
    """

    def __init__(self, *, hosts: Hosts | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self.hosts: Hosts = hosts or {}
        self._limits = limits
        self._idle: dict[tuple[str, int, Version, Negotiated | None], list[BlockingConnection]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def take(
        self,
        host: str,
        port: int,
        timeout: float,
        *,
        version: Version,
        agreed: Negotiated | None = None,
        fresh: bool = False,
    ) -> tuple[BlockingConnection, bool]:
        """Return a connection, and whether it had been used before; `fresh` takes none that had.

        Raises:
            ConnectFailed: no connection came about within `timeout` seconds.
        """
        while not fresh:
            with self._lock:
                idle = self._idle.get((host, port, version, agreed))
                connection = idle.pop() if idle else None
            if connection is None:
                break
            if connection.is_usable():
                return connection, True
            connection.close()
        connection = BlockingConnection.connect(host, port, timeout, hosts=self.hosts, limits=self._limits, agreed=agreed)
        return connection, False

    def give_back(self, host: str, port: int, connection: BlockingConnection, *, version: Version) -> None:
        """Keep a connection, on which nothing is under way, for the next call in that version of GIOP."""
        with self._lock:
            if not self._closed:
                self._idle.setdefault((host, port, version, connection.agreed), []).append(connection)
                return
        connection.close()

    def forget(self, host: str, port: int) -> None:
        """Close the idle connections to an address, so that the next call connects anew (and a balancer distributes it)."""
        with self._lock:
            keys = [key for key in self._idle if key[:2] == (host, port)]
            connections = [connection for key in keys for connection in self._idle.pop(key)]
        for connection in connections:
            connection.close()

    def close(self) -> None:
        """Close what is idle, and what is given back later."""
        with self._lock:
            self._closed = True
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in connections:
            connection.close()

"""TLS by the standard library's `ssl`: which endpoints a client may use, and octets through one socket in TLS records.

A client that was given no `ssl` context speaks no TLS; one that was speaks nothing else, unless it allows plain connections too.
It must not know messages, or references beyond their endpoints. The asyncio client uses the TLS of its event loop, servers
`iiop.net.tls_transport`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass

from iiop.endpoints import Endpoint
from iiop.exceptions import ConnectFailed
from iiop.net.stream import Stream

__all__ = ["PLAIN", "Records", "Security", "TLSStream", "before_any_request", "explained"]

_CHUNK = 256 * 1024
"""Octets put into records at once."""

_READ_SIZE = 65536
_RECORD = 32 * 1024
"""Octets that a record has at most, and more: as many of those that are known to come may have arrived already."""


@dataclass(frozen=True, slots=True)
class Security:
    """Say how a client may connect.

    Attributes:
        context: to speak TLS by; None speaks none.
        allow_plain: plain connections are allowed although there is a context, to targets that do not require protection.
    """

    context: ssl.SSLContext | None = None
    allow_plain: bool = False

    @classmethod
    def of(cls, context: ssl.SSLContext | bool, *, allow_plain: bool) -> Security:
        """Return what a client's arguments say; True stands for the defaults of `ssl.create_default_context`."""
        if isinstance(context, bool):
            return cls(ssl.create_default_context() if context else None, allow_plain)
        return cls(context, allow_plain)

    def usable(self, found: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        """Return the endpoints of a reference to try, in order; if none may be used all of them, so that trying tells why."""
        secure = tuple([endpoint for endpoint in found if endpoint.tls])
        plain = tuple([endpoint for endpoint in found if not endpoint.tls])
        if self.context is None:
            return plain or secure
        return secure + plain if self.allow_plain else secure or plain

    def context_for(self, peer: str, *, tls: bool) -> ssl.SSLContext | None:
        """Return the context to connect by, None for a plain connection.

        Raises:
            ConnectFailed: such a connection must not be.
        """
        if tls and self.context is None:
            raise ConnectFailed(f"cannot connect to {peer}: TLS is spoken there, and the client has no `ssl` context")
        if not tls and self.context is not None and not self.allow_plain:
            reason = "the reference offers no TLS there, and the client does not `allow_plain`"
            raise ConnectFailed(f"cannot connect to {peer}: {reason}")
        return self.context if tls else None


PLAIN = Security()
"""No TLS."""


class Records:
    """Turn octets into TLS records and back; without I/O. One thread at a time.

    Args:
        context: certificates, and what is checked.
        server_hostname: of a client, whom the certificate is to be for; None for a server.
    """

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server_side = server_hostname is None
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)

    def feed(self, octets: bytes) -> None:
        """Take records that have arrived, or none for the end of the stream."""
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()

    def take(self) -> bytes:
        """Return the records that are to be sent."""
        return self._outgoing.read()

    def greet(self) -> bool:
        """Go on with the handshake; tell whether it is done.

        Raises:
            SSLError: it failed; the alert that tells the peer is to be sent.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """Return what has been said, nothing at the end of the stream, or None if more has to arrive.

        Raises:
            SSLError: the records are broken, or the peer sent an alert.
        """
        try:
            return self._object.read(_READ_SIZE)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLEOFError:
            return b""

    def write(self, octets: bytes | bytearray | memoryview) -> None:
        """Put octets into records.

        Raises:
            SSLError: the handshake is not done, or the stream has ended.
        """
        self._object.write(octets)

    def end(self) -> None:
        """Say that nothing follows."""
        with contextlib.suppress(ssl.SSLError):
            self._object.unwrap()


class TLSStream(Stream):
    """Send to and receive from a connected socket in TLS; the twin of `Stream`, with its promises.

    Nothing is sent where octets are received: an update of keys is answered with the next request, a renegotiation (TLS 1.2)
    not at all.

    Args:
        sock: connected; whoever made it closes it if the handshake fails.
        context: certificates, and what is checked.
        host: whom the server's certificate is to be for.
        deadline: of the handshake, in seconds of `time.monotonic`.

    Raises:
        TimeoutError: the handshake took too long.
        OSError: it failed.
        ValueError: the host is none that a certificate could be for.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str, deadline: float) -> None:
        super().__init__(sock)
        self._lock = threading.Lock()
        """Held for moments: guards the records, as one thread may receive while another sends."""
        self._said: bytes | None = None
        """What was read out of records before it was asked for; nothing for the end."""
        self._failure: OSError | None = None
        self._records = Records(context, host)
        try:
            while not self._records.greet():
                self._send_records(self._records.take(), deadline)
                self._records.feed(super().receive(deadline))
        except ssl.SSLError:
            super().send_at_once(self._records.take())
            raise
        self._send_records(self._records.take(), deadline)

    def _send_records(self, records: bytes, deadline: float) -> None:
        try:
            sent = self._send(records, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        if sent != len(records):
            super().send_patiently(memoryview(records)[sent:], deadline)

    @property
    def has_input(self) -> bool:
        """Tell whether there is something to receive, the end of the stream perhaps, without waiting."""
        try:
            return self._look()
        except OSError as error:
            self._failure = error
            return True

    def _look(self) -> bool:
        """Read what has arrived; tell whether there is something to receive."""
        while (said := self._read()) is None:
            if not self._poll(0):
                return False
            try:
                octets = self._recv(_READ_SIZE)
            except BlockingIOError:
                return False
            with self._lock:
                self._records.feed(octets)
        self._said = said
        return True

    def _read(self) -> bytes | None:
        if self._failure is not None:
            raise self._failure
        if self._said is not None:
            return self._said
        with self._lock:
            return self._records.read()

    def wait(self, deadline: float) -> None:
        """Wait until there is something to receive, as `Stream.wait`.

        Raises:
            TimeoutError: nothing has arrived in time.
            OSError: the connection broke.
        """
        while not self._look():
            super().wait(deadline)

    def receive(self, deadline: float, wanting: int = 0) -> bytes:
        """Return what has arrived, as `Stream.receive`.

        Raises:
            TimeoutError: nothing has arrived in time.
            OSError: the connection broke.
        """
        while (said := self._read()) is None:
            octets = super().receive(deadline, max(0, wanting - _RECORD))
            with self._lock:
                self._records.feed(octets)
        self._said = None
        return said

    def send(self, octets: bytes | bytearray | memoryview, deadline: float) -> None:
        """Send all octets.

        Raises:
            TimeoutError: not all of them were sent in time.
            OSError: the connection broke.
        """
        rest = memoryview(octets)
        while len(rest):
            with self._lock:
                self._records.write(rest[:_CHUNK])
                records = self._records.take()
            self._send_records(records, deadline)
            rest = rest[_CHUNK:]

    def send_patiently(self, octets: bytes | bytearray | memoryview, deadline: float) -> None:
        """Send all octets, as `send` does."""
        self.send(octets, deadline)

    def send_at_once(self, octets: bytes) -> bool:
        """Send octets if that takes no time; tell whether none or all of them were sent."""
        if not self._output.poll(0):
            return True
        try:
            with self._lock:
                self._records.write(octets)
                records = self._records.take()
        except ssl.SSLError:
            return False
        return super().send_at_once(records)


_REFUSALS = (
    "ACCESS_DENIED",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REQUIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "UNSUPPORTED_CERTIFICATE",
)


def before_any_request(error: BaseException | None) -> bool:
    """Tell whether an error is the alert by which a server refuses a client's certificate.

    In TLS 1.3 it comes when the client has long sent its first request, as the handshake has ended for it. Where it is the first
    that is heard of the server, nothing has run.
    """
    return isinstance(error, ssl.SSLError) and str(error.reason).partition("ALERT_")[2] in _REFUSALS


_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


def explained(error: BaseException) -> str:
    """Return what went wrong, as text for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate was refused: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "TLS: it ended the connection in the handshake"
    if isinstance(error, ssl.SSLError):
        hint = ": what came is no TLS, as from a plain port" if error.reason in _NO_TLS else ""
        return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}{hint}"
    return str(error) or "no answer in time"

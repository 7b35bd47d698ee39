"""TLS under asyncio protocols: a transport on a transport, in any event loop.

It is here because the TLS of asyncio and uvloop tells a server of its connection only once the handshake is done, so that who
never shakes hands would be counted by nobody; lets no alert out, so that a peer whose certificate is refused would not hear why;
and waits for the peer when it closes, longer than `asyncio.run` does.

It must not know messages.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from iiop.net.tls import Records, explained

__all__ = ["TLSListener", "TLSTransport", "listen"]

log = logging.getLogger("iiop.server")

_LINGER = 1.0
"""Seconds that a peer gets to read why TLS with it has ended: closing at once could overtake that."""


@dataclass(frozen=True, slots=True)
class TLSListener:
    """Say how a server speaks TLS.

    Attributes:
        context: the server's certificate, and whether clients need one.
        port: 0 lets the system choose.
        only: there is no plain port.
    """

    context: ssl.SSLContext
    port: int = 0
    only: bool = False

    @property
    def client_certificate(self) -> bool:
        """Tell whether clients are asked for a certificate."""
        return self.context.verify_mode is not ssl.CERT_NONE


class TLSTransport(asyncio.Transport, asyncio.Protocol):
    """Carry a protocol's octets in TLS; its connection is made before the handshake is.

    What is written before that is dropped, for nobody could read it.

    Args:
        protocol: of a server, or of a client.
        context: certificates, and what is checked.
        server_hostname: of a client, whom the server's certificate is to be for.

    Attributes:
        greeted: done when the handshake is; its exception is why it failed.

    Raises:
        ValueError: the host is none that a certificate could be for.
    """

    def __init__(self, protocol: asyncio.Protocol, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        super().__init__()
        self._protocol = protocol
        self._records = Records(context, server_hostname)
        self._is_client = server_hostname is not None
        self._open = False
        self._failure: ssl.SSLError | None = None
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lingering: asyncio.TimerHandle | None = None
        self._below: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._protocol.connection_made(self)
        if self._is_client:
            try:
                self._greet()
            except ssl.SSLError as error:
                self._break(error)

    def _greet(self) -> None:
        self._open = self._records.greet()
        self._flush()
        if self._open and not self.greeted.done():
            self.greeted.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._failure is not None:
            return
        try:
            self._records.feed(data)
            if not self._open:
                self._greet()
            said: bytes | None = None
            while self._open and not self.is_closing() and (said := self._records.read()):
                self._protocol.data_received(said)
            self._flush()
        except ssl.SSLError as error:
            self._break(error)
        else:
            if said is not None and not self.is_closing():
                self._protocol.eof_received()
                self.close()

    def _break(self, error: ssl.SSLError) -> None:
        """Tell the peer what is wrong, and end the connection: our protocol hears why as well."""
        self._failure = error
        self._flush()
        if self._is_client:
            self._below.close()
            return
        address = self.get_extra_info("peername")
        log.warning("%s: %s", "{}:{}".format(*address[:2]) if address else "a peer that has gone", explained(error))
        self._lingering = asyncio.get_running_loop().call_later(_LINGER, self._below.close)
        self._below.write_eof()

    def _flush(self) -> None:
        if records := self._records.take():
            self._below.write(records)

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        if not self.greeted.done():
            self.greeted.set_exception(self._failure or error or ConnectionResetError("it ended the connection in the handshake"))
            self.greeted.exception()  # a server does not ask
        self._protocol.connection_lost(self._failure or error)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._open and not self.is_closing():
            try:
                self._records.write(data)
            except ssl.SSLError as error:
                self._break(error)
            else:
                self._flush()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if not self.is_closing():
            if self._open:
                self._records.end()
                self._flush()
            self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._failure is not None or self._below.is_closing()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default)


async def listen(
    protocol: Callable[[], asyncio.Protocol], host: str, port: int, tls: TLSListener | None
) -> tuple[asyncio.Server | None, asyncio.Server | None]:
    """Listen on the plain port, and on that of TLS; None for one that there is not.

    Raises:
        OSError: an address is in use, is not ours, or does not exist.
    """
    loop = asyncio.get_running_loop()
    plain = secure = None
    if tls is None or not tls.only:
        plain = await loop.create_server(protocol, host, port, backlog=1024)
    if tls is not None:
        context = tls.context
        try:
            secure = await loop.create_server(lambda: TLSTransport(protocol(), context), host, tls.port, backlog=1024)
        except BaseException:
            if plain is not None:
                plain.close()
            raise
    return plain, secure

"""TLS through the virtual host: octets it cannot read, from one connection to one target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

__all__ = ["TLS_HANDSHAKE", "Tunnel"]

TLS_HANDSHAKE = 0x16
"""What every TLS connection begins with (RFC 8446, 5.1: ContentType.handshake); GIOP begins with a G."""


class Tunnel(asyncio.Protocol):
    """Pass on what one side says to the other, until one of them ends; one for each side.

    Args:
        lost: is told once when this side has ended.
    """

    def __init__(self, lost: Callable[[], None]) -> None:
        self.other = self
        self.open = True
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if not self.open:
            self._transport.abort()
            return
        if self._early:
            self._transport.write(bytes(self._early))
            self._early.clear()

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def write(self, data: bytes) -> None:
        """Send octets; those that come before there is a connection wait for it."""
        if self._transport is None:
            self._early += data
        else:
            self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.close()
        self.other.close()
        self._lost()

    def close(self) -> None:
        """End the connection, or see to it that there will be none."""
        self.open = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection without what is still to be sent."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self.other.read(False)

    def resume_writing(self) -> None:
        self.other.read(True)

    def read(self, on: bool) -> None:
        """Read on, or no more for a while."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.resume_reading if on else self._transport.pause_reading)()

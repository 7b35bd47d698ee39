"""Ports of a lab: those that are declared, or, where many labs run side by side, some that the system chooses."""

from __future__ import annotations

import socket

__all__ = ["Ports"]


class Ports:
    """Know which port stands for which.

    Args:
        any_port: let the system choose all of them; otherwise those declared as 0.
    """

    def __init__(self, any_port: bool) -> None:
        self._any_port = any_port
        self._chosen: dict[tuple[str, int], socket.socket] = {}

    def of(self, address: str, declared: int) -> int:
        """Return the port of an address that is declared so; always the same one.

        Raises:
            OSError: the address is none of this machine.
        """
        if declared and not self._any_port:
            return declared
        held = self._chosen.get((address, declared))
        if held is None:
            # Bound but never listening: nobody else is given the port, and whoever is to have it may listen there.
            held = self._chosen[address, declared] = socket.socket()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind((address, 0))
        port: int = held.getsockname()[1]
        return port

    def close(self) -> None:
        """Hold no port any more."""
        for held in self._chosen.values():
            held.close()
        self._chosen = {}

"""Servants as EJBs are used: a home whose `create` returns an object of a session, which lives in the process that made it."""

from __future__ import annotations

import itertools
import os

from iiop.idl import Interface, Servant, operation
from iiop.iop import IOR
from iiop.net.servants import Server

__all__ = ["HOME", "KEY", "Account", "Home", "HomeServant"]

KEY = "account"


class Account(Interface):
    repository_id = "IDL:test/Account:1.0"

    @operation
    def where(self) -> str:  # type: ignore[empty-body]
        """Return the node, its address and its folder, as the process was told, and the id of the process."""

    @operation
    def remove(self) -> None:
        """End the session."""


class Home(Interface):
    repository_id = "IDL:test/AccountHome:1.0"

    @operation
    def create(self) -> IOR:  # type: ignore[empty-body]
        """Make an account."""


class AccountServant(Servant):
    interface = Account

    def where(self) -> str:
        told = [os.environ.get(f"IIOP_LAB_{name}", "") for name in ("NODE", "ADDRESS", "HOME")]
        return " ".join([*told, str(os.getpid())])

    def remove(self) -> None:
        pass


class HomeServant(Servant):
    interface = Home

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count(1)

    def create(self) -> IOR:
        return self._server.activate(AccountServant(), f"{KEY}/{os.getpid()}.{next(self._numbers)}".encode())


HOME = f"{__name__}:HomeServant"

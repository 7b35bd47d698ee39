"""Stubs and servants that were of IDL, calling each other: blocking and asyncio, with methods that answer at once or later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from iiop.exceptions import BAD_OPERATION
from iiop.idl import load
from iiop.iop import IOR
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.servants import Server

IDL = """
module Bank {
  struct Entry { string text; long cents; };
  typedef sequence<Entry> Entries;
  exception Overdrawn { long missing; };
  interface Account {
    attribute string owner;
    long withdraw(in long cents, inout string why, out Entries lines) raises (Overdrawn);
    oneway void notify(in string text);
    Account itself();
  };
  interface Savings : Account { double rate(); };
};
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    path = tmp_path_factory.mktemp("idl") / "Bank.idl"
    path.write_text(IDL)
    module: ModuleType = load(path).Bank
    return module


@pytest.fixture
def reference(bank: ModuleType) -> Iterator[IOR]:
    """Give a reference to an account of 100 cents."""

    class Kept(bank.SavingsServant):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            self.owner, self.cents, self.heard = "me", 100, ""

        def _get_owner(self) -> str:
            return f"{self.owner}{self.heard}"

        async def _set_owner(self, value: str) -> None:
            self.owner = value

        def withdraw(self, cents: int, why: str) -> tuple[int, str, tuple[Any, ...]]:
            if cents > self.cents:
                raise bank.Overdrawn(cents - self.cents)
            self.cents -= cents
            return self.cents, why.upper(), (bank.Entry(why, cents),)

        def notify(self, text: str) -> None:
            self.heard = text

        async def itself(self) -> IOR:
            return made

        async def rate(self) -> float:
            await asyncio.sleep(0)
            return 0.5

    with Server(threads=0) as server:  # so that a oneway has run when the next request does
        made = server.activate(Kept())
        yield made


def test_blocking(bank: ModuleType, reference: IOR) -> None:
    with Client() as client:
        account = client.stub(reference, bank.Savings)
        assert account._get_owner() == "me"
        account._set_owner("you")
        account.notify("!")
        assert client.stub(account.itself(), bank.Account)._get_owner() == "you!"
        assert account.withdraw(30, why="rent") == (70, "RENT", (bank.Entry("rent", 30),))
        with pytest.raises(bank.Overdrawn) as caught:
            account.withdraw(100, "more")
        assert caught.value == bank.Overdrawn(30)
        assert account.rate() == 0.5
        assert account._is_a("IDL:Bank/Account:1.0")
        assert not account._is_a("IDL:Bank/Other:1.0")


def test_asyncio(bank: ModuleType, reference: IOR) -> None:
    async def scenario() -> None:
        client = AsyncClient()
        try:
            account = client.stub(reference, bank.SavingsAsync)
            answers = await asyncio.gather(account.rate(), account._get_owner(), account._is_a("IDL:Bank/Account:1.0"))
            assert answers == [0.5, "me", True]
            assert await account.withdraw(30, why="rent") == (70, "RENT", (bank.Entry("rent", 30),))
            with pytest.raises(bank.Overdrawn):
                await asyncio.create_task(account.withdraw(100, "more"))
            assert await client.stub(await account.itself(), bank.AccountAsync)._get_owner() == "me"
        finally:
            client.close()

    asyncio.run(scenario())


def test_an_operation_that_the_object_has_not(bank: ModuleType, reference: IOR, tmp_path: Path) -> None:
    (tmp_path / "Bank.idl").write_text(IDL.replace("rate()", "interest()"))
    other = load(tmp_path / "Bank.idl").Bank
    with Client() as client, pytest.raises(BAD_OPERATION):
        client.stub(reference, other.Savings).interest()

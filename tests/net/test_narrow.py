"""Stubs narrowed, by what they know, and by what the object says."""

from __future__ import annotations

import asyncio

from iiop.idl import AsyncInterface, Interface, Servant, asynchronous, narrow, narrow_async, operation
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.servants import Server


class Account(Interface):
    repository_id = "IDL:Narrow/Account:1.0"

    @operation
    def name(self) -> str:  # type: ignore[empty-body]
        """Tell a name."""


class Gold(Account):
    repository_id = "IDL:Narrow/Gold:1.0"


class GoldAsync(AsyncInterface):
    name = asynchronous(Gold.name)


class Shop(Interface):
    repository_id = "IDL:Narrow/Shop:1.0"


class Counting(Servant):
    interface = Gold
    asked = 0

    def name(self) -> str:
        return "gold"

    def _is_a(self, repository_id: str) -> bool:
        self.asked += 1
        return super()._is_a(repository_id)


def test_narrowed() -> None:
    servant = Counting()
    with Server() as server, Client() as client:
        account = client.stub(server.activate(servant), Account)
        gold = narrow(account, Gold)
        assert isinstance(gold, Gold)
        assert gold.name() == "gold"
        assert servant.asked == 1
        assert isinstance(narrow(gold, Account), Account)
        assert isinstance(narrow(gold, Interface), Interface)
        assert servant.asked == 1, "what a stub knows is not asked"
        assert narrow(account, Shop) is None
        assert servant.asked == 2


def test_in_asyncio() -> None:
    async def run() -> None:
        async with Server() as server:
            client = AsyncClient()
            anything = client.stub(server.activate(Counting()), AsyncInterface)
            gold = await narrow_async(anything, Gold, GoldAsync)
            assert gold is not None
            assert await gold.name() == "gold"
            assert await narrow_async(anything, Shop, GoldAsync) is None
            client.close()
            await asyncio.sleep(0)

    asyncio.run(run())

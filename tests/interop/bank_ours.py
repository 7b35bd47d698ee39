"""A server of `bank.py` of ours, in a process of its own: `python -m tests.interop.bank_ours NUMBER`; it prints its reference."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from iiop.idl import Servant
from iiop.net.servants import Server
from ior import IOR
from tests.interop import bank


class Account(Servant):
    interface = bank.Account

    def __init__(self, number: int) -> None:
        self.number = number

    def _answer(self, what: str, n: int) -> Any:
        print("ran", what, n, flush=True)
        if n == bank.HANGS:
            return asyncio.get_running_loop().create_future()
        if n == bank.DIES:
            os.kill(os.getpid(), signal.SIGKILL)
        if n == bank.TOO_MUCH:
            raise bank.Overdrawn(7)
        return self.number

    def add(self, n: int) -> Any:
        return self._answer("add", n)

    def value(self) -> Any:
        return self._answer("value", bank.HANGS if "hangs" in sys.argv else 0)

    def limit(self) -> int:
        return self.number


async def main() -> None:
    async with Server(threads=0) as server:
        print(IOR.from_iop(server.activate(Account(int(sys.argv[1])))), flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())

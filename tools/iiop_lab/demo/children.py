"""The processes of the demo, one function each: a host, the virtual host, our client.

Run as `python -m iiop_lab.demo.children ROLE JSON`. Every one ends when its standard input does, so that none outlives the demo.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from iiop.exceptions import (
    CompletionStatus,
    DeadlineExceeded,
    FailoverExhausted,
    IIOPError,
    SystemException,
)
from iiop.failover import FailoverPolicy
from iiop.net.loop import new_event_loop
from iiop_lab.sample import IMPLEMENTATION_ID, Journal, SampleServant, TdTest
from iiop_lab.virtual_host import Target, VirtualHost
from naming import NameService
from naming.node import Node, NodeError
from naming.node_server import NodeServer
from naming.registration import object_key
from naming.store import StoreError

__all__ = ["main"]

SESSION = 20
"""Calls of our client over one Naming Service reference where distribution happens when that is obtained."""

POLICY = FailoverPolicy(
    deadline=20.0, attempt_timeout=10.0, connect_timeout=2.0, rounds=15, backoff_initial=0.05, backoff_max=0.2
)
"""Patient enough for a host that restarts, and for a slow machine; with every host dead, a call fails after about two seconds."""


def say(row: dict[str, Any]) -> None:
    """Tell the demo something, a JSON object a line; end if the demo has gone."""
    try:
        os.write(1, f"{json.dumps(row)}\n".encode())
    except BrokenPipeError:
        sys.exit()


async def _until_told() -> None:
    """Wait for the end of standard input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def _serve(serving: Callable[[], Coroutine[Any, Any, None]], address: str, port: int) -> None:
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serving())
    except OSError as error:
        say({"failed": f"cannot serve on {address}:{port}: {os.strerror(error.errno) if error.errno else error}"})
    except (StoreError, NodeError) as error:
        say({"failed": str(error)})


def host(name: str, address: str, port: int, home: str, journals: str) -> None:
    """Run one host: Naming Service and sample server on one port."""
    node = Node(Path(home))

    async def serving() -> None:
        with Journal(Path(journals), name) as journal:
            server = NodeServer(node, host=address, port=port)
            server.adapter.activate(object_key(TdTest.repository_id, IMPLEMENTATION_ID), SampleServant(name, journal))
            async with server:
                say({"ready": server.corbaloc})
                await _until_told()

    _serve(serving, address, port)


def virtual_host(address: str, port: int, targets: list[list[Any]], hosts: dict[str, str]) -> None:
    """Run the virtual host."""

    async def serving() -> None:
        async with VirtualHost([Target(*target) for target in targets], host=address, port=port, hosts=hosts):
            say({"ready": f"{address}:{port}"})
            await _until_told()

    _serve(serving, address, port)


def client(address: str, name: str, first: int, hosts: dict[str, str], sessions: bool) -> None:
    """Run our client: one call, through a reference that heals, for every line of standard input.

    Args:
        sessions: obtain the Naming Service reference anew every `SESSION` calls.
    """
    with contextlib.ExitStack() as stack:
        stub: TdTest | None = None
        for made, _ in enumerate(sys.stdin):
            if stub is None or (sessions and made % SESSION == 0):
                stack.close()
                names = stack.enter_context(NameService(address, hosts=hosts, policy=POLICY))
                stub = names.reference(name, TdTest)
            number = first + made
            say({"number": number, **_call(stub, number), "at": time.monotonic()})


def _call(stub: TdTest, number: int) -> dict[str, Any]:
    """Call once, and where nobody knows whether it ran, ask, as a careful application does."""
    tries = 0
    seen: list[dict[str, Any]] = []
    while True:
        tries += 1
        try:
            return {"host": stub.call(number), "tries": tries, "seen": seen}
        except IIOPError as error:
            seen.append(_described(error))
            if seen[-1]["completed"] != CompletionStatus.COMPLETED_MAYBE.name:
                return {**seen[-1], "tries": tries, "seen": seen}
        try:
            if stub.has_run(number):
                return {"host": None, "tries": tries, "seen": seen}
        except IIOPError as error:
            seen.append(_described(error))
            return {**seen[-1], "completed": CompletionStatus.COMPLETED_MAYBE.name, "tries": tries, "seen": seen}


def _described(error: BaseException) -> dict[str, Any]:
    """Describe what a call ended with, by the CORBA exception at its root."""
    while isinstance(error, FailoverExhausted | DeadlineExceeded) and error.__cause__ is not None:
        error = error.__cause__
    completed = getattr(error, "completed", None) or CompletionStatus.COMPLETED_NO
    minor = error.minor if isinstance(error, SystemException) else 0
    return {"error": type(error).__name__, "minor": minor, "completed": completed.name, "text": str(error)}


ROLES: dict[str, Callable[..., None]] = {"host": host, "virtual_host": virtual_host, "client": client}


def main() -> None:
    """Play the role that the arguments name."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ROLES[sys.argv[1]](**json.loads(sys.argv[2]))


if __name__ == "__main__":
    main()

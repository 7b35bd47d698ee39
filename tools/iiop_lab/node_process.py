"""The process of a node: its Naming Service, and one port before that and its WorkUnits. `iiop_lab.node` starts it.

    python -m iiop_lab.node_process '{"home": ..., "host": ..., "port": ...}'

It takes orders, a JSON object a line, from its standard input, answers each in a line, and ends with it:

    {"serve": name, "keys": [hex, ...], "targets": [[host, port], ...]}     requests to these keys go to these processes
    {"withdraw": name}
    {"list": true}                                                           names of what is served
    {"count": name}                                                          requests under way, and processes
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from iiop.balancer import Least, Measure
from iiop.exceptions import IIOPError
from iiop.net.loop import new_event_loop
from iiop_lab.virtual_host import Refusal, Service, Target, VirtualHost
from naming.node import Node
from naming.node_server import NodeServer

__all__ = ["main"]

NAMING = "naming"

MOST = 1 << 24
"""Octets of an order."""


def _say(row: dict[str, Any]) -> None:
    os.write(1, f"{json.dumps(row)}\n".encode())


class _Orders:
    """Do what the lab says."""

    def __init__(self, front: VirtualHost) -> None:
        self._front = front

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry an order out and return the answer."""
        if "serve" in order:
            keys = frozenset(map(bytes.fromhex, order["keys"]))
            service = Service(order["serve"], keys.__contains__, policy=lambda: Least(Measure.CONNECTIONS))
            self._front.serve(service, [Target(*target) for target in order["targets"]], first=True)
            return {"served": order["serve"]}
        if "withdraw" in order:
            self._front.withdraw(order["withdraw"])
            return {"withdrawn": order["withdraw"]}
        if "list" in order:
            return {"services": [*self._front.places]}
        balancer = self._front.balancer(order["count"])
        under_way = sum(balancer.state(target).under_way for target in balancer.targets)
        return {"under_way": under_way, "processes": len(balancer.targets)}


async def _run(home: Path, host: str, port: int) -> None:
    nobody = Service("nobody", lambda key: False)
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(VirtualHost([], [nobody], refusal=Refusal(minor=0), host=host, port=port))
        naming = await stack.enter_async_context(NodeServer(Node(home), host=host, port=0, advertised_port=front.port))
        front.serve(Service(NAMING), [Target(naming.host, naming.port)])
        _say({"ready": [front.host, front.port]})
        orders, loop = _Orders(front), asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MOST)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            _say(orders.do(json.loads(line)))


def main(argument: str) -> None:
    """Run a node until standard input ends."""
    options = json.loads(argument)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_run(Path(options["home"]), options["host"], options["port"]))
    except (OSError, IIOPError) as error:
        _say({"failed": str(error)})


if __name__ == "__main__":
    main(sys.argv[1])

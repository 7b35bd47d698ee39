"""The process of a node: its Naming Service, and one port before that and its WorkUnits. `iiop_lab.node` starts it.

    python -m iiop_lab.node_process '{"home": ..., "host": ..., "port": ..., "advertised_port": ...}'

`advertised_port` is what references carry, the port listened on if it is null. It takes orders, a JSON object a line, from its
standard input, answers each in a line, `{"answer": ...}` or `{"answer": null, "refused": why}`, and ends with it:

    {"serve": name, "keys": [hex, ...], "targets": [[host, port], ...]}   requests to these keys, and to keys that begin with them
                                                                          and are none of another WorkUnit, go to these processes
    {"count": true}                                                       requests under way, and processes, by WorkUnit
    {"open": true}                                                        listen; the answer is host and port

Before that it says `{"ready": [host, port]}`, where the Naming Service is: all can be in its place when the first client comes.

What a `create` of a WorkUnit returns stays with the process that made it, until `remove`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from iiop.balancer import Least, Measure
from iiop.exceptions import IIOPError
from iiop.net.loop import new_event_loop
from iiop_lab.virtual_host import Refusal, Service, Stickiness, Target, VirtualHost, is_naming_key
from naming.node import Node
from naming.node_server import NodeServer

__all__ = ["main"]

NAMING = "naming"

MOST = 1 << 24
"""Octets of an order."""


def _say(row: Mapping[str, Any]) -> None:
    os.write(1, f"{json.dumps(row)}\n".encode())


def _cannot_listen(address: str, error: OSError) -> str:
    return f"cannot listen on {address}: {os.strerror(error.errno) if error.errno else error}"


class _Orders:
    """Do what the lab says."""

    def __init__(self, front: VirtualHost, start: Callable[[], Awaitable[object]]) -> None:
        self._front = front
        self._start = start
        self._names: dict[bytes, str] = {}
        """Of WorkUnits, by their object keys."""

    async def answer(self, line: bytes) -> dict[str, Any]:
        """Carry an order out and return what to say to it."""
        try:
            return {"answer": await self._do(json.loads(line))}
        except OSError as error:
            return {"answer": None, "refused": _cannot_listen(self._front.address, error)}
        except (ValueError, TypeError, KeyError) as error:
            return {"answer": None, "refused": f"{type(error).__name__}: {error}"}

    async def _do(self, order: dict[str, Any]) -> Any:
        if "serve" in order:
            return self._serve(order["serve"], [bytes.fromhex(key) for key in order["keys"]], order["targets"])
        if "count" in order:
            balancers = {name: self._front.balancer(name) for name in {*self._names.values()}}
            return {
                name: [sum(balancer.state(target).under_way for target in balancer.targets), len(balancer.targets)]
                for name, balancer in balancers.items()
            }
        if "open" in order:
            await self._start()
            return [self._front.host, self._front.port]
        raise ValueError(f"there is no order {', '.join(order)}")

    def _serve(self, name: str, keys: Sequence[bytes], addresses: Sequence[Sequence[Any]]) -> str:
        targets = [Target(*address) for address in addresses]
        if name in self._front.places:
            self._front.withdraw(name)
        self._names = {key: owner for key, owner in self._names.items() if owner != name} | dict.fromkeys(keys, name)
        service = Service(
            name,
            lambda key: self._owner(key) == name,
            Stickiness.SESSION,
            policy=lambda: Least(Measure.CONNECTIONS),
        )
        self._front.serve(service, targets, first=True)
        return name

    def _owner(self, key: bytes) -> str | None:
        """Return the WorkUnit that a key belongs to; the Naming Service keeps its own, unless one has exactly that."""
        if key in self._names or is_naming_key(key):
            return self._names.get(key)
        longest = max((known for known in self._names if known and key.startswith(known)), key=len, default=None)
        return None if longest is None else self._names[longest]


async def _run(home: Path, host: str, port: int, advertised_port: int | None) -> None:
    nobody = Service("nobody", lambda key: False)
    async with AsyncExitStack() as stack:
        front = VirtualHost([], [nobody], refusal=Refusal(minor=0), host=host, port=port)
        if not port:  # which references are to carry
            await stack.enter_async_context(front)
        server = NodeServer(Node(home), host=host, port=0, advertised_port=advertised_port or front.port)
        naming = await stack.enter_async_context(server)
        front.serve(Service(NAMING), [Target(naming.host, naming.port)])
        _say({"ready": [naming.host, naming.port]})
        orders = _Orders(front, (lambda: stack.enter_async_context(front)) if port else _done)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MOST)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            _say(await orders.answer(line))


async def _done() -> None:
    """Do nothing: it has been done."""


def _options(argv: Sequence[str]) -> tuple[Path, str, int, int | None]:
    """Read the options.

    Raises:
        ValueError: they are not what the module says.
    """
    (text,) = argv if len(argv) == 1 else ("",)
    try:
        options = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not one JSON object: {error}") from error
    match options:
        case {"home": str(home), "host": str(host), "port": int(port), "advertised_port": int() | None as advertised}:
            if len(options) == 4 and all(0 <= number < 65536 for number in (port, advertised or 0)):
                return Path(home), host, port, advertised
    raise ValueError('not of the form {"home": text, "host": text, "port": 0 to 65535, "advertised_port": that, or null}')


def main(argv: Sequence[str]) -> int:
    """Run a node until standard input ends; return the exit status, 2 for options that cannot be used."""
    try:
        options = _options(argv)
    except ValueError as error:
        print(f"node_process: {error}", file=sys.stderr)
        return 2
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_run(*options))
    except OSError as error:
        _say({"failed": _cannot_listen(f"{options[1]}:{options[2]}", error)})
        return 1
    except IIOPError as error:
        _say({"failed": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

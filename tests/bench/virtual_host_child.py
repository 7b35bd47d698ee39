"""A virtual host in a process of its own: `python -m tests.bench.virtual_host_child HOST:PORT...`.

It prints the port it listens on, distributes calls in turn, probes live targets every `--probe` seconds where that is given, and
does what it reads line by line: `maintain HOST:PORT`, `release HOST:PORT`, `memory` (prints its resident octets), `connections`
(prints how many connections of clients it holds). It ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys

from iiop.limits import Limits
from iiop.net.loop import new_event_loop
from iiop_lab.virtual_host import Target, VirtualHost
from tests.procfs import memory


async def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--probe", type=float)
    options = parser.parse_args()
    vhost = VirtualHost(
        [target(text) for text in options.targets],
        probe_interval=options.probe or 0.2,
        probe_live=options.probe is not None,
        connect_timeout=options.probe or 2.0,
        limits=Limits(connections=10_000),
    )
    async with vhost:
        print(vhost.port, flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command, *words = line.split()
            if command == "maintain":
                vhost.maintain(target(words[0]))
            elif command == "release":
                vhost.release(target(words[0]))
            elif command == "memory":
                gc.collect()
                print(memory(os.getpid()), flush=True)
            elif command == "connections":
                print(vhost.connections, flush=True)


def target(text: str) -> Target:
    """Read `HOST:PORT`."""
    host, _, port = text.partition(":")
    return Target(host, int(port))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())

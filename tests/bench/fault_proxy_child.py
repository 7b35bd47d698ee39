"""A fault proxy in a process of its own, with a fault aimed at one operation, or none; it prints its address.

`python -m tests.bench.fault_proxy_child HOST PORT [OPERATION]`; it ends when it is killed.
"""

from __future__ import annotations

import asyncio
import sys

from iiop.net.loop import new_event_loop
from iiop_lab.faults import Aim, Drop, FaultProxy


async def main(host: str, port: str, operation: str = "") -> None:
    """Stand before a server until killed."""
    async with FaultProxy((host, int(port))) as proxy:
        if operation:
            proxy.attach(Drop(), Aim(operation=operation))
        print("listening on", proxy.host, proxy.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))

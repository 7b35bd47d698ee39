"""A server of ours, in a process of its own, that gives the body of every request back unread; it prints its reference.

`python -m tests.bench.echo_server`; it ends when it is killed.
"""

from __future__ import annotations

import asyncio

from iiop.giop.messages import Body, LocateReply, LocateRequest, LocateStatus, Reply, Request
from iiop.net.loop import new_event_loop
from iiop.net.server import IIOPServer
from ior import IORBuilder

REPOSITORY_ID = "IDL:Bench/Echo:1.0"


class Echo:
    """Answer with what was asked; in GIOP 1.2 both bodies are aligned alike."""

    def handle(self, request: Request) -> Reply:
        body = Body(request.body.octets, request.body.start, request.byte_order)
        return Reply(request.request_id, body=body, version=request.version, byte_order=request.byte_order)

    def locate(self, request: LocateRequest) -> LocateReply:
        return LocateReply(request.request_id, LocateStatus.OBJECT_HERE, version=request.version)


async def main() -> None:
    """Serve until killed."""
    server = IIOPServer(Echo)
    await server.start()
    print(IORBuilder(REPOSITORY_ID).iiop(server.host, server.port, key=b"echo").build(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())

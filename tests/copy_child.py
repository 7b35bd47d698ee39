"""Copies trees in processes that die: each is forked, copies, and ends itself by a signal at its n-th request to the destination.

Reads a line `<signal> <n> <source> <destination>` and answers with the status that the copier ended with, as `os.wait` has it,
and how many requests it had made: `<status> <requests>`; n 0 lets it live.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from iiop_tools.nstool import main
from ior import IOR
from naming.walk import Server


def copy(number: int, at: int, source: str, destination: str, report: int) -> int:
    made = 0
    call = Server.call

    async def counted(self: Server, context: IOR, operation: str, *arguments: Any) -> Any:
        nonlocal made
        if self.is_destination:  # type: ignore[attr-defined]
            made += 1
            os.pwrite(report, str(made).encode(), 0)
            if made == at:
                os.kill(os.getpid(), number)
        return await call(self, context, operation, *arguments)

    def noted(self: Server, root: IOR, **settings: Any) -> None:
        made_by(self, root, **settings)
        self.is_destination = str(IOR.from_iop(root)) == destination  # type: ignore[attr-defined]

    made_by = Server.__init__
    Server.__init__ = noted  # type: ignore[assignment,method-assign]
    Server.call = counted  # type: ignore[method-assign]
    return main(["copy", source, destination])


if __name__ == "__main__":
    for line in sys.stdin:
        number, at, source, destination = line.split()
        report = os.memfd_create("requests")
        if not (pid := os.fork()):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os._exit(copy(signal.Signals[number], int(at), source, destination, report))
        _, status = os.waitpid(pid, 0)
        print(status, int(os.pread(report, 20, 0) or b"0"), flush=True)
        os.close(report)

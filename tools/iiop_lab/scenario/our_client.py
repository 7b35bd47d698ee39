"""A client of a scenario: ours. `iiop_lab.scenario.clients` runs it as `python -m iiop_lab.scenario.our_client JSON`.

It makes one call for every line of its standard input, and says what became of it, a JSON object a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import time
from typing import Any

from iiop.exceptions import CompletionStatus, DeadlineExceeded, FailoverExhausted, IIOPError, SystemException
from iiop.failover import FailoverPolicy
from iiop_lab.sample import TdTest
from naming import NameService

__all__ = ["main"]


def _run(
    address: str,
    name: str,
    first: int,
    hosts: dict[str, str],
    *,
    fresh: int,
    pace: float,
    asks: bool,
    policy: dict[str, Any],
) -> None:
    with contextlib.ExitStack() as stack:
        stub: TdTest | None = None
        for made, _ in enumerate(sys.stdin):
            if stub is None or (fresh and made % fresh == 0):
                stack.close()
                names = stack.enter_context(NameService(address, hosts=hosts, policy=FailoverPolicy(**policy)))
                stub = names.reference(name, TdTest)
            time.sleep(pace * random.uniform(0.5, 1.5))  # two in step would share out a round robin between them
            number = first + made
            row = {"number": number, **_call(stub, number, asks=asks), "at": time.monotonic()}
            try:
                os.write(1, f"{json.dumps(row)}\n".encode())
            except BrokenPipeError:  # the lab has gone
                return


def _call(stub: TdTest, number: int, *, asks: bool) -> dict[str, Any]:
    """Call once, and where nobody knows whether it ran, ask, as a careful application does."""
    seen: list[dict[str, Any]] = []
    while True:
        try:
            return {"host": stub.call(number), "seen": seen}
        except IIOPError as error:
            seen.append(_described(error))
            if not asks or seen[-1]["completed"] != CompletionStatus.COMPLETED_MAYBE.name:
                return {**seen[-1], "seen": seen}
        try:
            if stub.has_run(number):
                return {"host": None, "seen": seen}
        except IIOPError as error:
            seen.append(_described(error))
            return {**seen[-1], "completed": CompletionStatus.COMPLETED_MAYBE.name, "seen": seen}


def _described(error: IIOPError) -> dict[str, Any]:
    """Describe what a call ended with: by the CORBA exception at its root, if there is one."""
    root: BaseException = error
    while isinstance(root, FailoverExhausted | DeadlineExceeded) and root.__cause__ is not None:
        root = root.__cause__
    told = root if isinstance(root, SystemException) else error
    completed = getattr(told, "completed", None) or CompletionStatus.COMPLETED_NO
    minor = told.minor if isinstance(told, SystemException) else 0
    return {"error": type(told).__name__, "minor": minor, "completed": completed.name, "text": str(error)}


def main(argument: str) -> None:
    """Call until standard input ends."""
    with contextlib.suppress(KeyboardInterrupt):
        _run(**json.loads(argument))


if __name__ == "__main__":
    main(sys.argv[1])

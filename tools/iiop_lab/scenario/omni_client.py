"""A client of a scenario that knows nothing of us: omniORBpy, with stubs that omniidl made of `TDsample.idl`.

Run as a script: omni_client.py JSON [ORB options]. Makes one call for every line of standard input, and writes a JSON object a
line: number, host or error, and when the call ended (seconds, CLOCK_MONOTONIC).
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
from typing import Any

import CORBA
import CosNaming
from omniORB import URI


class Target:
    """Have the sample server by its name, and acquire it anew with all there is to it: ORB, connection, Naming Service.

    An ORB of omniORB keeps its connections, so that with the old one a virtual host that distributes connections would not
    distribute again.
    """

    def __init__(self, address: str, name: str) -> None:
        self._address = address
        self._name = URI.stringToName(name)
        self._orb: Any = None
        self._stub: Any = None
        self._interface = importlib.import_module("TDsample").tdtest  # made by omniidl

    def acquire(self) -> Any:
        """Return a stub."""
        if self._stub is None:
            self._orb = CORBA.ORB_init(sys.argv[:1] + sys.argv[2:], CORBA.ORB_ID)
            names = self._orb.string_to_object(self._address)._narrow(CosNaming.NamingContextExt)
            self._stub = names.resolve(self._name)._narrow(self._interface)
        return self._stub

    def forget(self) -> None:
        """Have nothing any more."""
        if self._orb is not None:
            self._orb.destroy()
        self._orb = self._stub = None


def run(address: str, name: str, first: int, *, fresh: int, restart: bool, pace: float) -> None:
    """Call until standard input ends."""
    target = Target(address, name)
    for made, _ in enumerate(sys.stdin):
        time.sleep(pace * random.uniform(0.5, 1.5))  # two in step would share out a round robin between them
        row: dict[str, Any] = {"number": first + made}
        if fresh and made % fresh == 0:
            target.forget()
        try:
            row["host"] = target.acquire().call(first + made)
        except CORBA.Exception as error:  # a name that is not found is none of the system's
            minor, completed = getattr(error, "minor", 0), getattr(error, "completed", CORBA.COMPLETED_NO)
            row |= {"error": type(error).__name__, "minor": minor, "completed": str(completed)}
            if restart:
                target.forget()
        row["at"] = time.monotonic()
        try:
            os.write(1, f"{json.dumps(row)}\n".encode())
        except BrokenPipeError:  # the lab has gone
            break
    target.forget()


if __name__ == "__main__":
    run(**json.loads(sys.argv[1]))

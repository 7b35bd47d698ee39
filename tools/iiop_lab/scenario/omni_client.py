"""A client of a scenario that knows nothing of us: omniORBpy, with stubs that omniidl made of `TDsample.idl`.

Run as a script: omni_client.py JSON [ORB options]. Makes one call for every line of standard input, and writes a JSON object a
line: number, host or error, and when the call ended (seconds, CLOCK_MONOTONIC).
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import CORBA
import CosNaming
import TDsample  # type: ignore[import-not-found]  # made by omniidl
from omniORB import URI


def run(address: str, name: str, first: int, *, fresh: int, restart: bool, pace: float) -> None:
    """Call until standard input ends."""
    orb = CORBA.ORB_init(sys.argv[:1] + sys.argv[2:], CORBA.ORB_ID)
    target: Any = None
    for made, _ in enumerate(sys.stdin):
        time.sleep(pace)
        row: dict[str, Any] = {"number": first + made}
        try:
            if target is None or (fresh and made % fresh == 0):
                names = orb.string_to_object(address)._narrow(CosNaming.NamingContextExt)
                target = names.resolve(URI.stringToName(name))._narrow(TDsample.tdtest)
            row["host"] = target.call(first + made)
        except CORBA.SystemException as error:
            row |= {"error": type(error).__name__, "minor": error.minor, "completed": str(error.completed)}
            if restart:
                target = None
        row["at"] = time.monotonic()
        try:
            os.write(1, f"{json.dumps(row)}\n".encode())
        except BrokenPipeError:  # the lab has gone
            break
    orb.destroy()


if __name__ == "__main__":
    run(**json.loads(sys.argv[1]))

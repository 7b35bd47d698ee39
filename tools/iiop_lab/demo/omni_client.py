"""A client of the demo that knows nothing of us: omniORBpy, with stubs that omniidl made of `TDsample.idl`.

Run as a script: omni_client.py ADDRESS NAME FIRST_NUMBER [ORB options]. Calls once for every line of standard input, and writes
a JSON object a line: number, host or error, and when the call ended (seconds, CLOCK_MONOTONIC).
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


def main() -> None:
    """Call until standard input ends."""
    address, name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    orb = CORBA.ORB_init(sys.argv[:1] + sys.argv[4:], CORBA.ORB_ID)
    target: Any = None
    for _ in sys.stdin:
        number += 1
        row: dict[str, Any] = {"number": number}
        try:
            if target is None:
                names = orb.string_to_object(address)._narrow(CosNaming.NamingContextExt)
                target = names.resolve(URI.stringToName(name))._narrow(TDsample.tdtest)
            row["host"] = target.call(number)
        except CORBA.SystemException as error:
            row |= {"error": type(error).__name__, "minor": error.minor, "completed": str(error.completed)}
        row["at"] = time.monotonic()
        try:
            os.write(1, f"{json.dumps(row)}\n".encode())
        except BrokenPipeError:  # the demo has gone
            break
    orb.destroy()


if __name__ == "__main__":
    main()

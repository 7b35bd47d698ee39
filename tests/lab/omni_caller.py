"""An omniORBpy client that calls once for every line of standard input, and says what came of it: omni_caller.py URL NAME.

As the manual has it (B1WS-1092-03ENZ0, 4.10.1), after an error it asks the Naming Service again, at the address that it knows.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import CORBA
import CosNaming
import TDsample  # type: ignore[import-not-found]  # made by omniidl
from omniORB import URI


def main() -> None:
    url, name = sys.argv[1:3]
    orb = CORBA.ORB_init(sys.argv[:1] + sys.argv[3:], CORBA.ORB_ID)
    target: Any = None
    for line in sys.stdin:
        row: dict[str, Any] = {"number": int(line)}
        try:
            if target is None:
                names = orb.string_to_object(url)._narrow(CosNaming.NamingContext)
                target = names.resolve(URI.stringToName(name))._narrow(TDsample.tdtest)
            row["host"] = target.call(row["number"])
        except CORBA.Exception as error:
            completed = str(getattr(error, "completed", ""))
            row |= {"error": type(error).__name__, "completed": completed, "called": target is not None}
            target = None
        print(json.dumps(row), flush=True)
    orb.destroy()


if __name__ == "__main__":
    main()

"""An omniORBpy client of `bank.py` with references of `naming.omniorb`: a line of JSON in, one out.

`python bank_adapter.py FOLDER-OF-STUBS CORBALOC POLICY`; a line in is a list of `[operation, argument...]`, called from a thread
each. A line out has of each the `result`, or the `error` with what is known of it, and the events since the last.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def main(folder: str, corbaloc: str, policy: str) -> None:
    sys.path.insert(0, folder)
    import Bank
    from omniORB import CORBA

    from iiop.failover import FailoverPolicy, Late
    from naming.omniorb import reference

    options = json.loads(policy)
    options["late"] = Late(options.get("late", "DEADLINE_EXCEEDED"))
    events: list[str] = []
    orb = CORBA.ORB_init(["bank", "-ORBInitRef", f"NameService={corbaloc}"], CORBA.ORB_ID)
    account: Any = reference(
        orb,
        "Bank::account",
        Bank.Account,
        FailoverPolicy(**options),
        idempotent={"value", "_get_limit"},
        on_event=lambda event: events.append(type(event).__name__),
    )
    assert isinstance(account, Bank._objref_Account)

    def call(operation: str, *arguments: Any) -> dict[str, Any]:
        start = time.monotonic()
        try:
            found = getattr(account, operation)
            answer = {"result": found(*arguments) if callable(found) else found}
        except CORBA.SystemException as error:
            attempts = [str(attempt.endpoint) for attempt in getattr(error, "attempts", ())]
            completed = str(error.completed).removeprefix("COMPLETED_")
            answer = {"error": f"{type(error).__name__} {completed}", "minor": error.minor, "attempts": attempts}
        except Bank.Overdrawn as error:
            answer = {"error": "Overdrawn", "missing": error.missing}
        return answer | {"seconds": time.monotonic() - start}

    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        events.clear()
        with ThreadPoolExecutor(len(asked)) as threads:
            answers = list(threads.map(lambda each: call(*each), asked))
        print(json.dumps({"answer": answers, "events": list(events)}), flush=True)
    orb.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])

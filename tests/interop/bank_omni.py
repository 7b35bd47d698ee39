"""A server of `bank.py` made with omniORBpy: `python bank_omni.py FOLDER-OF-STUBS NUMBER ["hangs"]`; it prints its reference."""

from __future__ import annotations

import os
import signal
import sys
import threading

HANGS, DIES, TOO_MUCH = -1, -2, -3


def main(folder: str, number: str, *options: str) -> None:
    sys.path.insert(0, folder)
    import Bank
    import Bank__POA
    from omniORB import CORBA

    class Account(Bank__POA.Account):  # type: ignore[misc]
        def _answer(self, what: str, n: int) -> int:
            os.write(1, f"ran {what} {n}\n".encode())  # in one piece, whatever other threads say
            if n == HANGS:
                threading.Event().wait()
            if n == DIES:
                os.kill(os.getpid(), signal.SIGKILL)
            if n == TOO_MUCH:
                raise Bank.Overdrawn(7)
            return int(number)

        def add(self, n: int) -> int:
            return self._answer("add", n)

        def value(self) -> int:
            return self._answer("value", HANGS if "hangs" in options else 0)

        def _get_limit(self) -> int:
            return int(number)

    orb = CORBA.ORB_init(["bank", "-ORBendPoint", "giop:tcp:127.0.0.1:"], CORBA.ORB_ID)
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    print(orb.object_to_string(Account()._this()), flush=True)
    orb.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

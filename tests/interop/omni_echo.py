"""An omniORBpy server that gives back the text it gets; the arguments are ORB options, the first line it prints its reference.

    python omni_echo.py FOLDER OPTION...

FOLDER holds the stubs that omniidl made of `IDL`.
"""

from __future__ import annotations

import sys
from typing import Any

IDL = """
module EchoTest {
  exception Refused { string why; wstring reason; };
  interface Echo {
    string text(in string s);
    string<3> three(in string<3> s);
    wstring wide(in wstring s);
    char letter(in char c);
    wchar rune(in wchar c);
    any thing(in any a);
    void refuse(in string why, in wstring reason) raises (Refused);
  };
};
"""


def main(folder: str, *options: str) -> None:
    import omniORB.codesets  # noqa: F401
    from omniORB import CORBA

    sys.path.insert(0, folder)
    import EchoTest
    import EchoTest__POA

    class Echo(EchoTest__POA.Echo):  # type: ignore[misc]
        def text(self, s: str) -> str:
            return s

        def three(self, s: str) -> str:
            return s

        def wide(self, s: str) -> str:
            return s

        def letter(self, c: str) -> str:
            return c

        def rune(self, c: str) -> str:
            return c

        def thing(self, a: Any) -> Any:
            return a

        def refuse(self, why: str, reason: str) -> None:
            raise EchoTest.Refused(why, reason)

    orb = CORBA.ORB_init(["omni_echo", *options], CORBA.ORB_ID)
    poa = orb.resolve_initial_references("RootPOA")
    poa._get_the_POAManager().activate()
    print(orb.object_to_string(Echo()._this()), flush=True)
    orb.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

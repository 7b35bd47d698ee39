"""An omniORBpy server of `echo.idl`, run in a process of its own beside stubs that omniidl made; its arguments are ORB options.

It prints the references of four objects. Each gives back what it is given until `pass_on_to` names a server to ask; from then on
it is a client of that.
"""

from __future__ import annotations

import sys
from typing import Any

import Echoes  # type: ignore[import-not-found]  # made by omniidl
import Echoes__POA  # type: ignore[import-not-found]
from omniORB import CORBA


class Echo(Echoes__POA.Echo):  # type: ignore[misc]
    """Echo, or pass on."""

    other: Any = None

    def fail(self, *members: Any) -> None:
        if self.other is not None:
            self.other.fail(*members)
        raise Echoes.Overdrawn(*members)

    def fail_bare(self) -> None:
        if self.other is not None:
            self.other.fail_bare()
        raise Echoes.Bare

    def letter(self, unit: int) -> str:
        return chr(unit if self.other is None else self.other.unit_of(chr(unit)))

    def property_of(self, name: str, context: Any) -> str:
        if self.other is not None:
            answer: str = self.other.property_of(name, context)
            return answer
        try:
            return str(context.get_values(name)[name])
        except CORBA.BAD_CONTEXT:
            return ""

    def pass_on_to(self, other: Any) -> None:
        self.other = other


def _give(name: str) -> Any:
    def give(self: Echo, a: Any, b: Any) -> Any:
        return (a, b, a) if self.other is None else getattr(self.other, name)(a, b)

    return give


for _name in dir(Echoes._objref_Echo):
    if _name.startswith("give_"):
        setattr(Echo, _name, _give(_name))


def main() -> None:
    """Serve until killed."""
    orb = CORBA.ORB_init(["echo", *sys.argv[1:]], CORBA.ORB_ID)
    poa = orb.resolve_initial_references("RootPOA")
    poa._get_the_POAManager().activate()
    print(*[orb.object_to_string(Echo()._this()) for _ in range(4)], flush=True)
    orb.run()


if __name__ == "__main__":
    main()

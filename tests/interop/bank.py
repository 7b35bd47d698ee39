"""A bank whose servers are killed: its IDL, and its declaration for our side.

`add` must not run twice, `value` may. A server says `ran OPERATION ARGUMENT` of each before it answers; `add(HANGS)` and `value`
of a server that hangs never answer, `add(DIES)` kills the server that has run it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from iiop.cdr import Long
from iiop.exceptions import UserException
from iiop.idl import Interface, operation

IDL = """
module Bank {
  exception Overdrawn { long missing; };
  interface Account {
    attribute long limit;
    long add(in long n) raises (Overdrawn);
    long value();
  };
};
"""
NAME = "Bank::account"
HANGS, DIES, TOO_MUCH = -1, -2, -3


@dataclass(eq=False)
class Overdrawn(UserException):
    repository_id: ClassVar[str] = "IDL:Bank/Overdrawn:1.0"

    missing: Annotated[int, Long]


class Account(Interface):
    repository_id = "IDL:Bank/Account:1.0"

    @operation(raises=(Overdrawn,))
    def add(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Add, and return the number of the server."""

    @operation(idempotent=True)
    def value(self) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Return the number of the server."""

    @operation(name="_get_limit", idempotent=True)
    def limit(self) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Return the number of the server."""

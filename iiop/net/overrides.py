"""Stubs by another policy: for one call that must be quick, or may be tried longer than the others.

    quick = with_policy(account, FailoverPolicy(deadline=0.5))
    quick.balance()

Source: what `CORBA::Object::_set_policy_overrides` is for (CORBA 3.3 part 1, clause 8.3.9).
"""

from __future__ import annotations

from typing import TypeVar

from iiop.failover import FailoverPolicy
from iiop.idl import AsyncInterface, Interface

__all__ = ["with_policy"]

S = TypeVar("S", bound=Interface | AsyncInterface)


def with_policy(stub: S, policy: FailoverPolicy) -> S:
    """Return a stub of the same object whose calls go by another policy; it is kept like any, and cheap to make.

    Args:
        stub: blocking or asyncio; it keeps its own policy.
        policy: deadline, rounds and all the rest.

    Raises:
        TypeError: the stub is of something that has no policy.
    """
    override = getattr(stub._invoker, "with_policy", None)
    if override is None:
        raise TypeError(f"{stub!r} has no policy")
    return type(stub)(override(policy))

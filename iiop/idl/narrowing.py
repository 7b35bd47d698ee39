"""Stubs narrowed: the same object by another interface, if it has that.

Source: `_narrow` of the language mappings, as in the C++ mapping 1.3, clause 4.3.2: nil where the object has not the interface.
"""

from __future__ import annotations

from typing import TypeVar

from iiop.idl.interface import AsyncInterface, Interface

__all__ = ["narrow", "narrow_async"]

S = TypeVar("S", bound=Interface)
A = TypeVar("A", bound=AsyncInterface)


def narrow(stub: Interface, interface: type[S]) -> S | None:
    """Return a stub of the same object with another interface; None if the object says that it has not.

    Args:
        stub: knows its own interface and those above; about others the object is asked, by `_is_a`.
        interface: the one wanted.

    Raises:
        As any call of the stub.
    """
    if interface.repository_id in stub.repository_ids() or stub._is_a(interface.repository_id):
        return interface(stub._invoker)
    return None


async def narrow_async(stub: AsyncInterface, interface: type[Interface], stubs: type[A]) -> A | None:
    """Return a stub of the same object with another interface; None if the object says that it has not.

    Args:
        stub: of the object, which is asked by `_is_a`.
        interface: the one wanted, `Bank.Gold`.
        stubs: its stubs whose calls are awaited, `Bank.GoldAsync`.

    Raises:
        As any call of the stub.
    """
    return stubs(stub._invoker) if await stub._is_a(interface.repository_id) else None

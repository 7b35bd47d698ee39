"""Which of several Naming Services is asked first, and which when that fails: an order for every acquisition.

Knows how those asked before fared; must not know what they are (any hashable thing), nor a socket, a clock or chance: `chance` is
a callable passed in. Every order has every host once, so that whichever lives is found. Several threads may use one.

No manual says in which order Interstage asks the hosts of `initial_hosts`; ours is from top to bottom unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import Generic, TypeVar

__all__ = ["Selection", "Selector"]

H = TypeVar("H", bound=Hashable)


class Selection(Enum):
    """Name who is asked first.

    ORDERED: the first; each time, dead or not.
    STICKY: the one that answered last, then the others in their order.
    ROUND_ROBIN: the one after that asked first before; chance says where a client begins, so that clients are spread.
    LEAST_FAILED: the one with the fewest failures since it answered last; of several the first.
    """

    ORDERED = "ORDERED"
    STICKY = "STICKY"
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_FAILED = "LEAST_FAILED"


class Selector(Generic[H]):
    """Put hosts in order, and learn from what became of them.

    Args:
        selection: who is asked first.
        chance: gives a number from 0 to below 1; called once.
    """

    def __init__(self, selection: Selection, chance: Callable[[], float]) -> None:
        self.selection = selection
        self._begin = chance()
        self._turn = 0
        self._answered: H | None = None
        self._failures: dict[H, int] = {}

    def order(self, hosts: Iterable[H]) -> tuple[H, ...]:
        """Return the hosts in the order in which to ask them now; each once."""
        known = tuple(dict.fromkeys(hosts))
        match self.selection:
            case Selection.STICKY:
                return tuple(sorted(known, key=lambda host: host != self._answered))
            case Selection.LEAST_FAILED:
                return tuple(sorted(known, key=lambda host: self._failures.get(host, 0)))
            case Selection.ROUND_ROBIN if known:
                first = (int(self._begin * len(known)) + self._turn) % len(known)
                self._turn += 1
                return known[first:] + known[:first]
        return known

    def answered(self, host: H) -> None:
        """Note that a host answered."""
        self._answered = host
        self._failures.pop(host, None)

    def failed(self, host: H) -> None:
        """Note that a host did not answer."""
        self._failures[host] = self._failures.get(host, 0) + 1

"""Keep a client on the target it got first, for as long as that target lives.

The key is the shell's: a connection, a client address, a session. Distribution per connection is an `Affinity` whose keys are
connections.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from iiop.balancer.core import Balancer

__all__ = ["Affinity"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class Affinity(Generic[K, T]):
    """Remember which target each client got.

    A memory ends with the life of its target: a client that comes after the target died and returned is distributed anew, as is
    one whose target lost a monitored WorkUnit. Maintenance and limits only keep new clients away.

    Args:
        balancer: picks for clients without a memory.
        capacity: clients remembered; beyond it the one longest unseen is forgotten.

    Raises:
        ValueError: `capacity` is less than 1.
    """

    def __init__(self, balancer: Balancer[T], *, capacity: int = 65536) -> None:
        if capacity < 1:
            raise ValueError(f"capacity: {capacity} is less than 1")
        self._balancer = balancer
        self._capacity = capacity
        self._memory: dict[K, tuple[T, int]] = {}

    def __len__(self) -> int:
        return len(self._memory)

    def __contains__(self, key: K) -> bool:
        """Tell whether a client is remembered, be its target alive or not."""
        return key in self._memory

    def keep(self, key: K, target: T) -> None:
        """Remember that a client belongs to a target, whoever chose it."""
        self._memory.pop(key, None)
        self._memory[key] = (target, self._balancer.state(target).deaths)
        if len(self._memory) > self._capacity:
            del self._memory[next(iter(self._memory))]

    def target(self, key: K) -> T | None:
        """Show the target a client would stay on; None if it would be distributed anew."""
        memory = self._memory.get(key)
        if memory is None:
            return None
        target, deaths = memory
        state = self._balancer.state(target)
        return target if state.stays and state.deaths == deaths else None

    def pick(self, key: K, now: float) -> T | None:
        """Give the client its target, or one it has from now on; None if none gets work."""
        target = self.target(key)
        self._memory.pop(key, None)
        if target is None:
            target = self._balancer.pick(now)
            if target is None:
                return None
        self.keep(key, target)
        return target

    def forget(self, key: K) -> None:
        """Drop a client that is gone; one that is not known is no error."""
        self._memory.pop(key, None)

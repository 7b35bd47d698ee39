"""What every call to one reference begins with: worked out once, not for each call.

Knows the endpoints of a reference, and those that a LOCATION_FORWARD said to ask first. Most calls succeed at the first step of
their invocation, and that step depends on nothing but policy and endpoints: it is asked of an `Invocation` once and kept. A call
that did not simply succeed makes an invocation, which is told what came of it (`Opening.go_on`). Several threads need a lock.

Source: CORBA 3.3 part 2, clause 9.4.3.2: a client asks where LOCATION_FORWARD leads until that fails, then where the
reference leads; LOCATION_FORWARD_PERM takes the place of the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from iiop.failover.classify import Action, action_for
from iiop.failover.events import Observer
from iiop.failover.invocation import Invocation
from iiop.failover.policy import FailoverPolicy
from iiop.failover.steps import TryEndpoint

__all__ = ["First", "Opening"]

E = TypeVar("E", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class First(Generic[E, R]):
    """Keep the first step of a call.

    Attributes:
        known: the endpoints it was worked out from.
        step: as an invocation says.
        route: what the shell has prepared for its endpoint; None if it could not.
    """

    known: tuple[E, ...]
    step: TryEndpoint[E]
    route: R | None


class Opening(Generic[E, R]):
    """Remember where calls to one reference begin.

    Args:
        policy: of its calls.
        jitter: see `Invocation`.
        prepare: makes the route to an endpoint, or None.
        observe: is told what calls go through.

    Attributes:
        first: None as long as no endpoint is known.
    """

    def __init__(
        self,
        policy: FailoverPolicy,
        jitter: Callable[[], float],
        prepare: Callable[[E], R | None],
        observe: Observer | None = None,
    ) -> None:
        self.first: First[E, R] | None = None
        self._policy = policy
        self._jitter = jitter
        self._prepare = prepare
        self._observe = observe
        self._known: tuple[E, ...] = ()
        self._forwarded: tuple[E, ...] = ()

    def learn(self, endpoints: tuple[E, ...]) -> None:
        """Begin at these endpoints; what forwards said before is forgotten."""
        self._known, self._forwarded = endpoints, ()
        self._plan()

    def follow(self, endpoints: tuple[E, ...], *, permanently: bool) -> None:
        """Begin where a forward leads; for good, or until that fails."""
        if permanently and endpoints:
            self._known = endpoints
        self._forwarded = endpoints
        self._plan()

    def failed(self, error: BaseException) -> None:
        """Note how a try ended: if a forward was followed, it is not any more, unless the error is the operation's own."""
        if self._forwarded and action_for(error) is not Action.SURFACE:
            self._forwarded = ()
            self._plan()

    def go_on(self, first: First[E, R] | None, *, idempotent: bool, start: float, operation: str = "") -> Invocation[E]:
        """Return the invocation of a call, which waits for the outcome of its first step, if there was one.

        Args:
            first: what the call began with.
            operation, idempotent: see `Invocation`.
            start: seconds, when it began.
        """
        known = () if first is None else first.known
        invocation = self._invocation(known, idempotent=idempotent, now=start, operation=operation)
        if first is not None:
            invocation.next_step(start)
        return invocation

    def _plan(self) -> None:
        known = tuple(dict.fromkeys((*self._forwarded, *self._known)))
        if not known:
            self.first = None
            return
        step = self._invocation(known, idempotent=False, now=0.0).next_step(0.0)
        assert isinstance(step, TryEndpoint)
        self.first = First(known, step, self._prepare(step.endpoint))

    def _invocation(self, known: tuple[E, ...], *, idempotent: bool, now: float, operation: str = "") -> Invocation[E]:
        return Invocation(
            self._policy,
            known,
            idempotent=idempotent,
            now=now,
            jitter=self._jitter,
            operation=operation,
            observe=self._observe,
        )

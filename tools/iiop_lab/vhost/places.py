"""Where requests of one service go: its balancer, and who stays with whom. It must not know connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iiop.balancer import Affinity, Balancer, Threshold
from iiop.endpoints import endpoints
from iiop.exceptions import DecodeError
from iiop.giop.messages import Body
from iiop.iop import IOR_CODEC
from iiop.limits import Limits
from iiop_lab.vhost.services import Service, Stickiness, Target

__all__ = ["SESSIONS", "Place", "Stay"]

SESSIONS = 65536
"""Objects of sessions remembered; beyond it the one longest unused is forgotten."""


def _nothing(target: Target) -> None:
    """Note nothing: connections count, not their calls."""


class Stay:
    """Remember where one connection stays; as long as it does, it is work under way there."""

    def __init__(self, balancer: Balancer[Target]) -> None:
        self._balancer = balancer
        self._affinity: Affinity[None, Target] = Affinity(balancer, capacity=1)
        self._at: Target | None = None

    def pick(self, now: float) -> Target | None:
        """Return the target of the connection, another one if the last has gone; None if there is none."""
        target = self._affinity.pick(None, now)
        if target is not self._at:
            self.end(now)
            self._at = target
            if target is not None:
                self._balancer.began(target)
        return target

    def end(self, now: float) -> None:
        """Note that the connection stays there no more."""
        if self._at is not None:
            self._balancer.ended(self._at, now)
            self._at = None


class Place:
    """Distribute one service.

    Args:
        service: what is distributed, and how.
        targets: where to.
        on_limit: is told when a target is over a limit, or no more, in words.
        probe_interval, probe_live: see `Balancer`.
    """

    def __init__(
        self,
        service: Service,
        targets: Iterable[Target],
        on_limit: Callable[[Target, str], None],
        *,
        probe_interval: float,
        probe_live: bool,
    ) -> None:
        self.service = service
        self._tell = on_limit
        self.balancer: Balancer[Target] = Balancer(
            targets,
            service.policy(),
            thresholds=service.thresholds,
            probe_interval=probe_interval,
            probe_live=probe_live,
            on_limit=self._passed,
        )
        self.by_call = service.stickiness is Stickiness.CALL
        counts_calls = service.stickiness is not Stickiness.CONNECTION
        self.began = self.balancer.began if counts_calls else _nothing
        """Note that a request was given to a target."""
        self.ended = self.balancer.ended if counts_calls else self.balancer.served
        """Note that nothing more comes of one; see `Balancer.ended`."""
        self._addresses: Affinity[str, Target] = Affinity(self.balancer)
        self._sessions: dict[bytes, Target] = {}

    @property
    def sessions(self) -> int:
        """Return how many objects of sessions are remembered."""
        return len(self._sessions)

    def _passed(self, target: Target, limit: Threshold, value: float) -> None:
        over = limit in self.balancer.state(target).over
        passed = f"over the limit {limit.upper:g}" if over else f"below the restoration value {limit.restoration:g}"
        self._tell(target, f"{self.service.name}: {limit.measure.value} {value:g} is {passed}")

    def nobody(self) -> str:
        """Tell why no target gets new work."""
        standings = [f"{target} ({self.balancer.state(target).standing.value})" for target in self.balancer.targets]
        return f"no target of {self.service.name} takes it: {', '.join(standings) or 'there is none'}"

    def choose(self, key: bytes, address: str, stays: dict[Place, Stay], now: float) -> Target | None:
        """Return the target of a request; None if there is none.

        Args:
            key: of the object.
            address: of the client.
            stays: where the client's connection stays.
            now: seconds.
        """
        match self.service.stickiness:
            case Stickiness.CALL:
                return self.balancer.pick(now)
            case Stickiness.CONNECTION:
                stay = stays.get(self)
                if stay is None:
                    stay = stays[self] = Stay(self.balancer)
                return stay.pick(now)
            case Stickiness.ADDRESS:
                return self._addresses.pick(address, now)
            case Stickiness.SESSION:
                home = self._sessions.pop(key, None)
                if home is None:
                    return self.balancer.pick(now)
                self._sessions[key] = home
                return home if self.balancer.state(home).stays else None

    def watches(self, operation: str) -> bool:
        """Tell whether the answer to an operation begins or ends a session."""
        service = self.service
        return service.stickiness is Stickiness.SESSION and (operation in service.creates or operation in service.removes)

    def answered(self, operation: str, key: bytes, target: Target, body: Body, limits: Limits) -> None:
        """Note that an operation which is watched has succeeded."""
        if operation in self.service.removes:
            self._sessions.pop(key, None)
            return
        try:
            reference = body.decode(IOR_CODEC, exact=False, limits=limits)
        except DecodeError:  # it returned something else
            return
        for endpoint in endpoints(reference, limits):
            self._sessions[endpoint.object_key] = target
        while len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]

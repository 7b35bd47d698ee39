"""Where requests of one service go: its balancer, and who stays with whom. It must not know connections."""

from __future__ import annotations

from collections.abc import Iterable

from iiop.balancer import Affinity, Balancer
from iiop.exceptions import DecodeError
from iiop.giop.messages import Body
from iiop.iop import IOR_CODEC
from iiop.limits import Limits
from iiop.profile import endpoints
from iiop_lab.vhost.services import Service, Stickiness, Target

__all__ = ["Place"]


class Place:
    """Distribute one service.

    Args:
        service: what is distributed, and how.
        targets: where to.
        probe_interval, probe_live: see `Balancer`.
    """

    def __init__(self, service: Service, targets: Iterable[Target], *, probe_interval: float, probe_live: bool) -> None:
        self.service = service
        self.balancer: Balancer[Target] = Balancer(
            targets, service.policy(), thresholds=service.thresholds, probe_interval=probe_interval, probe_live=probe_live
        )
        self._shared: Affinity[object, Target] = Affinity(self.balancer)

    def choose(self, key: bytes, address: str, own: Affinity[Place, Target], now: float) -> Target | None:
        """Return the target of a request; None if there is none.

        Args:
            key: of the object.
            address: of the client.
            own: what the client's connection stays with.
            now: seconds.
        """
        match self.service.stickiness:
            case Stickiness.CALL:
                return self.balancer.pick(now)
            case Stickiness.CONNECTION:
                return own.pick(self, now)
            case Stickiness.ADDRESS:
                return self._shared.pick(address, now)
            case Stickiness.SESSION:
                return self._shared.target(key) if key in self._shared else self.balancer.pick(now)

    def own(self) -> Affinity[Place, Target]:
        """Return what a connection stays with."""
        return Affinity(self.balancer, capacity=1)

    def watches(self, operation: str) -> bool:
        """Tell whether the answer to an operation begins or ends a session."""
        service = self.service
        return service.stickiness is Stickiness.SESSION and (operation in service.creates or operation in service.removes)

    def answered(self, operation: str, key: bytes, target: Target, body: Body, limits: Limits) -> None:
        """Note that an operation which is watched has succeeded."""
        if operation in self.service.removes:
            self._shared.forget(key)
            return
        try:
            reference = body.decode(IOR_CODEC, exact=False, limits=limits)
        except DecodeError:  # it returned something else
            return
        for endpoint in endpoints(reference, limits):
            self._shared.keep(endpoint.object_key, target)

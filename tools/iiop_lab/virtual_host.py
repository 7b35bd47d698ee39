"""The virtual host: one address in front of several servers, as IPCOM is in front of Interstage.

It reads GIOP on both sides, so that one client connection spreads over many servers. What is distributed how is declared by
`Service`s; those of the default are the manual's two modes:

- a request to the Naming Service goes to the target its connection was given (distribution when the Naming Service reference is
  obtained), because what it resolves there carries that server's own host;
- a request to any other object goes to the next target, call by call.

A target that refuses a connection, or cuts one on which requests wait, leaves at once, and returns when it answers a probe. One
that ends an idle connection is asked at once, and leaves if it does not answer. A request that has not left is sent to another
target; with none left, it is answered COMM_FAILURE 0x464a0114, as is one that had left when its target broke. The manual
(B1WS-1092-03ENZ0, 1.1.6, 3.3.2.1, 3.4.2) does not say which completion status goes with the code: here NO if no target got the
request, MAYBE if one did.

TLS passes through unread: each connection goes to one target's TLS port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Set

from iiop.balancer import Balancer, Measure, Standing
from iiop.exceptions import COMM_FAILURE, CompletionStatus, SystemException
from iiop.giop.messages import Request
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts, map_host
from iiop.net.serving import Driven
from iiop_lab.vhost.events import ClientConnected, ClientGone, Event, Refused, TargetChanged
from iiop_lab.vhost.link import Link
from iiop_lab.vhost.places import Place
from iiop_lab.vhost.prober import Probe, Prober
from iiop_lab.vhost.routes import Route, Routes
from iiop_lab.vhost.services import CALLS, IPCOM_MINOR, NAMING, Delivery, Refusal, Service, Stickiness, Target, is_naming_key
from iiop_lab.vhost.session import Session
from iiop_lab.vhost.status import Status, standing_of, status_of
from iiop_lab.vhost.tls import Tunnel

__all__ = [
    "CALLS",
    "IPCOM_MINOR",
    "NAMING",
    "Delivery",
    "Probe",
    "Refusal",
    "Service",
    "Stickiness",
    "Target",
    "VirtualHost",
    "is_naming_key",
]

log = logging.getLogger("iiop_lab.virtual_host")


class VirtualHost(Driven):
    """Distribute IIOP over targets.

    What operators say, and ask, they may from any thread: it is done in the loop that serves.

    Args:
        targets: the servers, all taken for alive.
        services: what is distributed how; an object belongs to the first that has its key, or to the last.
        refusal: how failures are told.
        host: address to listen on.
        port: to listen on; 0 lets the system choose.
        hosts: addresses of the targets' host names.
        probe: how targets are asked whether they are there.
        probe_interval: seconds between two looks at a target that is dead, or whose monitored WorkUnit has stopped.
        probe_live: look at live ones, too.
        connect_timeout: seconds to connect to a target, or for it to answer a probe.
        limits: what clients and targets may make it hold; messages of any size pass.
        on_event: is told what happens, in the loop that serves, which it must not hold up; what it raises is logged.

    Raises:
        ValueError: no service, two of one name, a target that comes twice.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        services: Iterable[Service] = (NAMING, CALLS),
        *,
        refusal: Refusal | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        hosts: Hosts | None = None,
        probe: Probe = Probe.LOCATE,
        probe_interval: float = 0.2,
        probe_live: bool = False,
        connect_timeout: float = 2.0,
        limits: Limits = DEFAULT_LIMITS,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        super().__init__()
        self._on_event = on_event
        self._errors: dict[Target, tuple[str, float]] = {}
        self.targets = tuple(targets)
        self.limits = limits
        self.routes: Routes
        self.places: dict[str, Place] = {}
        self._ordered: tuple[Place, ...] = ()
        self._probe_interval = probe_interval
        self._probe_live = probe_live
        for service in services:
            self.serve(service, self.targets)
        if not self.places:
            raise ValueError("a virtual host needs a service to distribute")
        self.refusal = refusal or Refusal()
        self.failures: Counter[CompletionStatus] = Counter()
        self._address = (host, port)
        self._hosts = hosts or {}
        self._connect_timeout = connect_timeout
        self._listener: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._tunnels: set[Tunnel] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()
        self._prober = Prober(
            lambda: [place.balancer for place in self._ordered],
            lambda target, alive, reason: self.mark(target, alive=alive, reason=reason),
            probe=probe,
            hosts=hosts,
            timeout=connect_timeout,
            limits=limits,
        )

    @property
    def host(self) -> str:
        """Return the address listened on."""
        return self._address[0]

    @property
    def port(self) -> int:
        """Return the port listened on."""
        return self._address[1]

    @property
    def address(self) -> str:
        """Return `host:port`, for a `NameService`."""
        return f"{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """Return how many connections of clients there are."""
        return len(self._sessions) + len(self._tunnels)

    def balancer(self, service: str) -> Balancer[Target]:
        """Return what distributes a service: its targets, their state and counts.

        Raises:
            KeyError: no such service.
        """
        return self.places[service].balancer

    def serve(self, service: Service, targets: Iterable[Target], *, first: bool = False) -> None:
        """Distribute a service, behind those that are distributed already or before them.

        Args:
            service: what, and how.
            targets: where to; those of the virtual host, or others.
            first: look there first when a request comes.

        Raises:
            ValueError: there is a service of that name; a target comes twice.
        """
        self._do(lambda: self._serve(service, targets, first))

    def _serve(self, service: Service, targets: Iterable[Target], first: bool) -> None:
        if service.name in self.places:
            raise ValueError(f"two services are called {service.name}")
        place = Place(service, targets, self._changed, probe_interval=self._probe_interval, probe_live=self._probe_live)
        for target in place.balancer.targets:
            for balancer in self._find_balancers(target)[:1]:
                place.balancer.take_over(balancer.state(target))
        self._arrange({service.name: place, **self.places} if first else {**self.places, service.name: place})

    def withdraw(self, service: str) -> None:
        """Distribute a service no longer; what is under way ends.

        Raises:
            KeyError: there is none of that name.
            ValueError: it is the last.
        """
        self._do(lambda: self._withdraw(service))

    def _withdraw(self, service: str) -> None:
        if [*self.places] == [service]:
            raise ValueError(f"{service} is the last service")
        if service not in self.places:
            raise KeyError(service)
        self._arrange({name: place for name, place in self.places.items() if name != service})

    def _arrange(self, places: dict[str, Place]) -> None:
        """Distribute by these from now on: what was read of requests led to others."""
        self.places = places
        self._ordered = tuple(places.values())
        self.routes = Routes(self.place, self.limits)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Session(self), *self._address, backlog=1024)
        self._address = self._listener.sockets[0].getsockname()[:2]
        self._prober.start()
        self._served_by(loop)

    async def stop(self) -> None:
        """Stop listening; let requests under way be answered for `Limits.stop_time`; close every connection on both sides."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._prober.stop()
        for session in tuple(self._sessions):
            session.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.stop_time):
                await self._until_gone(self._sessions)
        for connecting in tuple(self._connecting):
            connecting.cancel()
        for session in tuple(self._sessions):
            session.abort()
        for tunnel in tuple(self._tunnels):
            tunnel.abort()
        await self._until_gone(self._sessions)
        await self._until_gone(self._tunnels)
        await asyncio.sleep(0)
        self._served_by(None)

    async def _until_gone(self, clients: Set[Session] | Set[Tunnel]) -> None:
        while clients:
            self._gone.clear()
            await self._gone.wait()

    # --- what operators say

    def maintain(self, target: Target) -> None:
        """Begin the maintenance phase of a target: it gets no new work, and what it has it may finish.

        Raises:
            ValueError: it is not a target.
        """
        self._say(target, lambda balancer: balancer.maintain(target), "is in maintenance")

    def release(self, target: Target) -> None:
        """End the maintenance phase of a target.

        Raises:
            ValueError: it is not a target.
        """
        self._say(target, lambda balancer: balancer.release(target), "is released from maintenance")

    def work_unit(self, target: Target, name: str, *, runs: bool) -> None:
        """Tell that a monitored WorkUnit of a target has stopped, which takes the target out, or runs again.

        Raises:
            ValueError: it is not a target.
        """
        what = f"WorkUnit {name} {'runs again' if runs else 'has stopped'}"
        self._say(target, lambda balancer: balancer.work_unit(target, name, self._now(), runs=runs), what)

    def _say(self, target: Target, say: Callable[[Balancer[Target]], bool], what: str) -> None:
        """Say something of a target to all who distribute to it, and tell if that changes anything."""

        def act() -> None:
            changes = [say(balancer) for balancer in self._balancers_of(target)]
            if any(changes):
                self._changed(target, what)
                self._prober.look()

        self._do(act)

    def report(self, target: Target, measure: Measure, value: float) -> None:
        """Tell what a target reports of itself.

        Raises:
            ValueError: it is not a target, or the measure is none that is reported.
        """

        def act() -> None:
            for balancer in self._balancers_of(target):
                balancer.report(target, measure, value)
                balancer.look(self._now())

        self._do(act)

    def standing(self, target: Target) -> Standing:
        """Tell whether a target gets new work, and why not.

        Raises:
            ValueError: it is not a target.
        """
        return self._do(lambda: self._standing(target))

    def status(self) -> Status:
        """Show how it stands now."""
        return self._do(self._status)

    def _standing(self, target: Target) -> Standing:
        return standing_of([balancer.state(target) for balancer in self._balancers_of(target)])

    def _status(self) -> Status:
        now, shown = self._now(), []
        for place in self._ordered:
            place.balancer.look(now)
        for target in dict.fromkeys(target for place in self._ordered for target in place.balancer.targets):
            error, at = self._errors.get(target, ("", None))
            states = [balancer.state(target) for balancer in self._balancers_of(target)]
            shown.append(status_of(states, error, None if at is None else now - at))
        return Status(self.connections, dict(self.failures), tuple(shown))

    def _now(self) -> float:
        return time.monotonic() if self._loop is None else self._loop.time()

    def mark(self, target: Target, *, alive: bool, reason: object = "") -> None:
        """Take a target out of distribution, or back into it."""
        now, changed = self._now(), False
        for balancer in self._find_balancers(target):
            changed |= balancer.mark_alive(target, now) if alive else balancer.mark_dead(target, now)
        if changed:
            if not alive:
                self._errors[target] = str(reason), now
            self._changed(target, "is back" if alive else f"left: {reason}")
        if not alive:
            self._prober.look()

    def failed(self, target: Target, reason: str, *, alive: bool) -> None:
        """Note that a target did not do what it was asked; it leaves, unless it was there to say so."""
        if alive:
            self._errors[target] = reason, self._now()
        else:
            self.mark(target, alive=False, reason=reason)

    def _balancers_of(self, target: Target) -> list[Balancer[Target]]:
        found = self._find_balancers(target)
        if not found:
            raise ValueError(f"{target} is no target of this virtual host")
        return found

    def _find_balancers(self, target: Target) -> list[Balancer[Target]]:
        return [place.balancer for place in self._ordered if target in place.balancer.targets]

    def _changed(self, target: Target, reason: str) -> None:
        self.tell(TargetChanged(target, self._standing(target), reason))

    def tell(self, event: Event) -> None:
        """Tell who watches, and the log."""
        if log.isEnabledFor(event.level):
            log.log(event.level, "%s", event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                log.exception("who was told of %s failed", event)

    # --- what sessions ask

    def admit(self, session: Session) -> bool:
        """Take a connection of a client, if there are not too many."""
        self._sessions.add(session)
        self.tell(ClientConnected(session.peer))
        return self._listener is not None and self.connections <= self.limits.connections

    def forget(self, session: Session) -> None:
        """Note that a connection of a client has ended."""
        self._sessions.discard(session)
        self._client_gone(session.peer)

    def _client_gone(self, peer: str) -> None:
        self.tell(ClientGone(peer))
        self._gone.set()

    def refused(self, client: str, route: Route, exception: SystemException, reason: str) -> Delivery | None:
        """Tell of a request that no server answers; return how its client learns that, if it waits for an answer."""
        delivery = Delivery.REPLY if route.expects_reply else None
        if isinstance(exception, COMM_FAILURE) and self.refusal.delivery is Delivery.CLOSE:
            delivery = Delivery.CLOSE
        operation = route.message.operation if isinstance(route.message, Request) else ""
        name, completed = type(exception).__name__, exception.completed
        self.failures[completed] += 1
        self.tell(Refused(client, operation, name, exception.minor, completed, delivery, reason))
        return delivery

    def place(self, key: bytes) -> Place:
        """Return how an object is distributed."""
        for place in self._ordered:
            if place.service.has(key):
                return place
        return self._ordered[-1]

    def suspect(self, target: Target) -> None:
        """Ask a target soon whether it is there."""
        self._prober.suspect(target)

    async def connect_link(self, link: Link) -> None:
        """Connect a link to its target.

        Raises:
            OSError: it does not answer.
        """
        await self._connect(lambda: link, link.target.host, link.target.port)

    async def _connect(self, make: Callable[[], asyncio.Protocol], host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                await loop.create_connection(make, map_host(self._hosts, host), port)
        except UnicodeError as error:
            raise OSError(f"{host} is no host name") from error

    def pass_through(self, session: Session, transport: asyncio.Transport, data: bytes) -> None:
        """Let a connection that speaks TLS pass, to one target; it is no session any more."""

        def lost() -> None:
            self._tunnels.discard(near)
            self._client_gone(session.peer)

        near = Tunnel(lost)
        self._tunnels.add(near)
        self._sessions.discard(session)
        transport.set_protocol(near)
        near.connection_made(transport)
        near.read(False)
        connecting = asyncio.get_running_loop().create_task(self._tunnel(near, session.address, data))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _tunnel(self, near: Tunnel, address: str, data: bytes) -> None:
        place, now = self._ordered[-1], asyncio.get_running_loop().time
        for _ in place.balancer.targets:
            target = place.choose(b"", address, {}, now())
            if target is None or not near.open:
                break
            if not target.tls_port:
                continue
            far = Tunnel(lambda target=target: place.balancer.ended(target, now()))  # type: ignore[misc]
            near.other, far.other = far, near
            far.write(data)
            place.balancer.began(target)
            try:
                await self._connect(lambda far=far: far, target.host, target.tls_port)  # type: ignore[misc]
            except OSError as error:
                place.balancer.ended(target, now())
                reason = f"does not take TLS: {str(error) or 'no answer in time'}"
                log.warning("%s %s", target, reason)
                self.failed(target, reason, alive=True)
                self.suspect(target)
            else:
                near.read(True)
                return
        near.close()

"""The blocking client: what calls share, and one try of a call.

Which tries there are, and when a reference is acquired, `iiop.net.reference` does as the failover core says.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from iiop.cdr.code_sets import Negotiated, negotiate
from iiop.endpoints import Endpoint, endpoints
from iiop.exceptions import (
    CODESET_INCOMPATIBLE,
    CompletionStatus,
    ConnectionLost,
    EncodeError,
    IIOPError,
    refusal,
)
from iiop.failover import (
    DEFAULT_POLICY,
    FailoverPolicy,
    Observer,
    TryEndpoint,
    reporter,
)
from iiop.giop.messages import Reply, ReplyStatus
from iiop.idl import Interface, Invoker, Operation, Servant
from iiop.iop import IOR
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.blocking import Answer
from iiop.net.pool import CONNECTIONS, ConnectionPool, Line
from iiop.net.reference import Acquire, Reference
from iiop.net.route import LARGEST_KEPT, ROUTES, Route, giop_version
from iiop.net.sent import Sent
from iiop.net.threads import THREADS
from iiop.net.tls import Security
from iiop.profile import CodeSetComponentInfo, code_sets_of_clients

if TYPE_CHECKING:
    from iiop.net.callbacks import Callbacks

__all__ = ["Client"]

S = TypeVar("S", bound=Interface)
H = TypeVar("H")


class Client:
    """Hold what calls share: connections, host names, code sets, limits.

    Args:
        hosts: addresses of host names that the system's resolver need not know.
        policy: for references that are given none of their own.
        limits: what a server may make us keep.
        seed: of the jitter of waits; None for one that differs.
        code_sets: native and conversion code sets to negotiate with; None for UTF-8, UTF-16 and all that Python has.
        connections: to one server, which calls share when there are more at a time; the one with the fewest carries the next.
        fragment_size: octets from which on requests of GIOP 1.1 and 1.2 are sent in fragments; None sends them whole.
        keep_alive: let TCP ask a silent server from time to time whether it is there.
        on_event: is told every failed try, its reason, and what was done about it (`iiop.failover.events`), in the thread of
            the call; what it raises is logged, and stops no call.
        ssl: speak TLS by this context, or by the defaults of `ssl.create_default_context` if True, which check certificate and
            host name, the one that the reference has; a client with TLS makes no plain connection, and one without no other.
        allow_plain: make plain connections in spite of `ssl`, behind those with TLS, to what does not require protection.
    """

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        seed: int | None = None,
        code_sets: CodeSetComponentInfo | None = None,
        connections: int = CONNECTIONS,
        fragment_size: int | None = None,
        keep_alive: bool = False,
        on_event: Observer | None = None,
        ssl: SSLContext | bool = False,
        allow_plain: bool = False,
    ) -> None:
        self.policy = policy
        self.limits = limits
        self.security = Security.of(ssl, allow_plain=allow_plain)
        self.pool = ConnectionPool(
            hosts=hosts,
            limits=limits,
            connections=connections,
            fragment_size=fragment_size,
            keep_alive=keep_alive,
            security=self.security,
        )
        self._callbacks: Callbacks | None = None
        self._activating = threading.Lock()
        self._routes = functools.lru_cache(maxsize=ROUTES)(self._make_route)
        self._negotiate = functools.lru_cache(maxsize=256)(functools.partial(negotiate, code_sets or code_sets_of_clients()))
        self._random = random.Random(seed)
        self.report = reporter(on_event)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections, and let servants be called no more."""
        self.pool.close()
        if self._callbacks is not None:
            self._callbacks.close(self.limits.stop_time)

    def activate(self, servant: Servant, object_key: bytes | None = None) -> IOR:
        """Let a servant be called by servers over the connections of this client, and return a reference to give them.

        A server can use it that takes offers to go both ways, once it has had a request of ours, for as long as the connection
        lasts. From now on a thread reads each connection, and servants run in `THREADS` others.

        Args:
            servant, object_key: see `Server.activate`.
        """
        from iiop.net.callbacks import Callbacks

        with self._activating:
            if self._callbacks is None:
                self._callbacks = Callbacks(THREADS, self.limits)
                self.pool.serve(self._callbacks)
            return self._callbacks.activate(servant, object_key)

    def deactivate(self, reference: IOR) -> None:
        """Let a servant be called no more.

        Raises:
            KeyError: nothing was activated that has this reference.
        """
        if self._callbacks is None:
            raise KeyError(reference)
        self._callbacks.deactivate(reference)

    def stub(self, reference: IOR, interface: type[S], *, policy: FailoverPolicy | None = None, fresh: bool = False) -> S:
        """Return a stub for a reference that stays what it is: nothing is re-acquired.

        Args:
            reference: of the object.
            interface: of the object.
            policy: see `FailoverPolicy`; that of the client if None.
            fresh: use no connection that was used before.
        """
        known = self.endpoints(reference)
        return interface(Reference(self, lambda timeout: reference, policy=policy, known=known, fresh=fresh))

    def reference(self, acquire: Acquire, interface: Callable[[Invoker], H], *, policy: FailoverPolicy | None = None) -> H:
        """Return a stub of an object whose reference is acquired when it is first called, and again when calling it fails.

        Args:
            acquire: returns the reference within the seconds it is given, or raises an `IIOPError`; `naming.sources` has some.
                Several threads that need it at a time share one acquisition.
            interface: of the object.
            policy: see `FailoverPolicy`; that of the client if None. Its `refresh_interval` counts here.
        """
        return interface(Reference(self, acquire, policy=policy))

    def endpoints(self, reference: IOR) -> tuple[Endpoint, ...]:
        """Return the addresses of a reference that this client tries, in order."""
        return self.security.usable(endpoints(reference, self.limits))

    def jitter(self) -> float:
        """Return a number from 0 to below 1."""
        return self._random.random()

    def negotiated(self, server: CodeSetComponentInfo | None) -> Negotiated | None:
        """Return what to speak with a server that has these code sets; None where its reference does not say.

        Raises:
            CODESET_INCOMPATIBLE: there is no code set that both have.
        """
        return None if server is None else self._negotiate(server)

    def route(self, endpoint: Endpoint) -> Route[Line]:
        """Return what is kept of an endpoint.

        Raises:
            CODESET_INCOMPATIBLE: there is no code set that both have.
        """
        return self._routes(endpoint) if len(endpoint.object_key) <= LARGEST_KEPT else self._make_route(endpoint)

    def route_or_none(self, endpoint: Endpoint) -> Route[Line] | None:
        """Return what is kept of an endpoint; None if there is no code set that both have, which a caller is told, not we."""
        try:
            return self.route(endpoint)
        except CODESET_INCOMPATIBLE:
            return None

    def _make_route(self, endpoint: Endpoint) -> Route[Line]:
        agreed, version = self.negotiated(endpoint.code_sets), giop_version(endpoint.version)
        line = self.pool.line(endpoint.host, endpoint.port, version, agreed, tls=endpoint.tls)
        return Route(endpoint, version, agreed, line)

    def begin(self, route: Route[Line], operation: Operation, arguments: tuple[Any, ...], timeout: float, *, fresh: bool) -> Sent:
        """Send a request to one endpoint, and leave its reply for later.

        Raises:
            As `ask`.
        """
        prepared = route.prepared.get(operation) or route.prepare(operation)
        deadline = time.monotonic() + timeout
        while True:
            connection, used = self.pool.take(route.line, timeout, fresh=fresh)
            try:
                request_id = connection.begin(prepared, arguments, deadline)
            except BaseException as error:
                self.pool.give_back(route.line, connection)
                if isinstance(error, EncodeError) and error.corba is not None:
                    raise refusal(error, CompletionStatus.COMPLETED_NO) from error
                if not (isinstance(error, ConnectionLost) and used and error.completed is CompletionStatus.COMPLETED_NO):
                    raise
                timeout, fresh = max(0.0, deadline - time.monotonic()), True
            else:
                return Sent(self.pool, route.line, connection, used, request_id, prepared.version, deadline)

    def ask(
        self,
        route: Route[Line],
        operation: Operation,
        arguments: tuple[Any, ...],
        step: TryEndpoint[Endpoint],
        now: float,
        *,
        fresh: bool = False,
    ) -> Answer | None:
        """Send a request to one endpoint and return its reply; None for a oneway.

        Args:
            now: seconds of `time.monotonic`; the step's timeout counts from there.
            fresh: use no connection that was used before.

        Raises:
            ConnectFailed, ConnectionLost, DeadlineExceeded, EncodeError: there is no reply.
            DATA_CONVERSION: an argument has a character that the code set of the connection has not.
            INV_OBJREF, MARSHAL: an argument is a wide character, which the reference, or GIOP 1.0, has no code set for.
        """
        deadline, line, pool = now + step.timeout, route.line, self.pool
        connect_timeout, fresh = step.connect_timeout, fresh or step.fresh
        retargeted = False
        while True:
            try:
                prepared = route.prepared.get(operation) or route.prepare(operation)
                connection, used = pool.take(line, connect_timeout, fresh=fresh)
                try:
                    answer = connection.invoke(prepared, arguments, deadline)
                except IIOPError:
                    raise
                except BaseException:
                    connection.retire()
                    raise
                finally:
                    pool.give_back(line, connection)
            except EncodeError as error:
                if error.corba is not None:
                    raise refusal(error, CompletionStatus.COMPLETED_NO) from error
                raise
            except ConnectionLost as error:
                if used and error.completed is CompletionStatus.COMPLETED_NO:
                    # The server closed an idle connection in order: nothing has run.
                    connect_timeout, fresh = max(0.0, min(connect_timeout, deadline - time.monotonic())), True
                    continue
                raise
            if type(answer) is not Reply:
                return answer
            if answer.reply_status is not ReplyStatus.NEEDS_ADDRESSING_MODE or retargeted:
                return answer.body if answer.reply_status is ReplyStatus.NO_EXCEPTION else answer
            route.retarget(answer, self.limits)
            retargeted = True

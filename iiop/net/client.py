"""The blocking client: references that are called, retried and re-acquired as the failover core says.

It sleeps, connects and sends; every decision is `iiop.failover.Invocation`'s. It must not know names, nor how a reference is
acquired: that is a function it is given.
"""

from __future__ import annotations

import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
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
    FailoverExhausted,
    IIOPError,
    UserException,
    refusal,
)
from iiop.failover import (
    DEFAULT_POLICY,
    FailoverPolicy,
    First,
    GiveUp,
    Invocation,
    Observer,
    Opening,
    Reacquire,
    RefreshFailed,
    Succeed,
    TryEndpoint,
    Wait,
    refresh_time,
    reporter,
)
from iiop.giop.messages import Body, Reply, ReplyStatus
from iiop.idl import Interface, Invoker, Operation, Servant
from iiop.iop import IOR
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.blocking import Answer
from iiop.net.pool import CONNECTIONS, ConnectionPool, Line
from iiop.net.renewal import Renewal
from iiop.net.route import FORWARDS, ROUTES, Route, forward_target, giop_version
from iiop.net.sent import Sent
from iiop.net.threads import THREADS
from iiop.net.tls import Security
from iiop.profile import CodeSetComponentInfo, code_sets_of_clients

if TYPE_CHECKING:
    from iiop.net.callbacks import Callbacks

__all__ = ["Client", "Reference"]

S = TypeVar("S", bound=Interface)
H = TypeVar("H")
Acquire = Callable[[float], IOR]


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
        return self._routes(endpoint)

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


_Came = Answer | IIOPError | None
"""What came of a try; None of a oneway."""


@dataclass(slots=True)
class Begun:
    """Keep a call whose result is asked for later: what `Reference.begin` has begun with, and what it has sent."""

    operation: Operation
    arguments: tuple[Any, ...]
    start: float
    seen: int
    first: First[Endpoint, Route[Line]] | None
    sent: Sent | None = None
    came: _Came = None


class Reference:
    """Call an object whose reference can be acquired again; the invoker behind a stub.

    Several threads may call at the same time.

    Args:
        client: connections and limits.
        acquire: returns the reference afresh within the seconds it is given.
        policy: see `FailoverPolicy`; that of the client if None.
        known: the endpoints of the reference, if it has been acquired already.
        fresh: use no connection that was used before.
    """

    def __init__(
        self,
        client: Client,
        acquire: Acquire,
        *,
        policy: FailoverPolicy | None = None,
        known: tuple[Endpoint, ...] = (),
        fresh: bool = False,
    ) -> None:
        self._client = client
        self._fresh = fresh
        self._acquire = acquire
        self.policy = policy or client.policy
        self._lock = threading.Lock()
        self._opening: Opening[Endpoint, Route[Line]] = Opening(self.policy, client.jitter, client.route_or_none, client.report)
        self._renewal = Renewal(self._find)
        self._refresh_at = inf
        if known:
            self._learn(known)

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation as the policy allows.

        Raises:
            CorbaException: what the object, or the way to it, answered.
            TransportError: connection lost, where the call must not be repeated.
            DeadlineExceeded: `policy.deadline` is over.
            FailoverExhausted: nobody answered; `.attempts` tells who was tried.
            EncodeError: the arguments do not fit the operation.
        """
        start, seen = time.monotonic(), self._renewal.number
        if start >= self._refresh_at:
            self._refresh()
        first = self._opening.first
        came: _Came = None
        if first is not None:
            if first.route is not None:
                try:
                    came = self._client.ask(first.route, operation, arguments, first.step, start, fresh=self._fresh)
                    if type(came) is Body:
                        return operation.result(came, self._client.limits)
                except IIOPError as error:
                    came = error
            else:
                came = self._try(first.step, operation, arguments)
        return self._persist(first, operation, arguments, start, came, seen)

    def begin(self, operation: Operation, arguments: tuple[Any, ...]) -> Begun:
        """Send the request of a call, and leave its reply for later; a reference that is yet to be acquired is acquired first.

        Raises:
            EncodeError: the arguments do not fit the operation.
        """
        start = time.monotonic()
        if self._opening.first is None:
            with contextlib.suppress(IIOPError):  # it is acquired again, and the reason told, when the result is asked for
                self._renewal.get(self._renewal.number, min(self.policy.attempt_timeout, self.policy.deadline / 2))
        first = self._opening.first
        begun = Begun(operation, arguments, start, self._renewal.number, first)
        if first is not None and first.route is not None:
            try:
                begun.sent = self._client.begin(
                    first.route, operation, arguments, first.step.timeout, fresh=self._fresh or first.step.fresh
                )
            except EncodeError:
                raise
            except IIOPError as error:
                begun.came = error
        return begun

    def end(self, begun: Begun) -> Any:
        """Return the result of a call that has begun; go on as the policy allows.

        Raises:
            As `invoke`.
        """
        first, sent, came = begun.first, begun.sent, begun.came
        if first is None:
            return self.invoke(begun.operation, begun.arguments)
        if sent is not None:
            assert first.route is not None
            try:
                came, again = sent.finish(), False
                if isinstance(came, Reply) and came.reply_status is ReplyStatus.NEEDS_ADDRESSING_MODE:
                    first.route.retarget(came, self._client.limits)
                    again = True
            except IIOPError as error:
                came, again = error, sent.may_go_again(error)
            if again:
                came = self._try(first.step, begun.operation, begun.arguments)
        elif came is None:
            came = self._try(first.step, begun.operation, begun.arguments)
        return self._persist(first, begun.operation, begun.arguments, begun.start, came, begun.seen)

    def _persist(
        self,
        first: First[Endpoint, Route[Line]] | None,
        operation: Operation,
        arguments: tuple[Any, ...],
        start: float,
        came: _Came,
        seen: int,
    ) -> Any:
        """Go on as the policy says, from what came of the first step, if there was one."""
        invocation = self._opening.go_on(first, idempotent=operation.idempotent, start=start, operation=operation.name)
        if first is not None:
            self._tell(invocation, operation, came)
        while True:
            step = invocation.next_step(time.monotonic())
            match step:
                case TryEndpoint():
                    self._tell(invocation, operation, self._try(step, operation, arguments))
                case Reacquire():
                    seen = self._reacquire(invocation, step, seen)
                case Wait():
                    time.sleep(max(0.0, step.until - time.monotonic()))
                case Succeed():
                    return step.result
                case GiveUp():
                    raise step.error

    def _try(self, step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]) -> _Came:
        now = time.monotonic()
        try:
            return self._client.ask(self._client.route(step.endpoint), operation, arguments, step, now, fresh=self._fresh)
        except IIOPError as error:
            return error

    def _tell(self, invocation: Invocation[Endpoint], operation: Operation, came: _Came) -> None:
        """Tell what came of a try: an error, a reply, or None of a oneway."""
        limits = self._client.limits
        try:
            if isinstance(came, IIOPError):
                raise came
            if isinstance(came, Reply) and came.reply_status in FORWARDS:
                targets = self._client.endpoints(forward_target(came, limits))
                with self._lock:
                    self._opening.follow(targets, permanently=came.reply_status is ReplyStatus.LOCATION_FORWARD_PERM)
                invocation.forwarded(targets, time.monotonic())
                return
            result = None if came is None else operation.answer(came, limits)
        except IIOPError as error:
            with self._lock:
                self._opening.failed(error)
            invocation.outcome(error, time.monotonic())
        else:
            invocation.outcome(result, time.monotonic())

    def _refresh(self) -> None:
        """Acquire the reference afresh, for it is time.

        If nobody can be asked, the endpoints known are kept until it is time again: a dead Naming Service stops no call to a
        living object. If the answer is that the name leads nowhere any more, none are.
        """
        with self._lock:
            if self._opening.first is None or time.monotonic() < self._refresh_at:
                return
            self._refresh_at = self._next_refresh()  # callers beside us go on meanwhile
        try:
            self._renewal.get(self._renewal.number, min(self.policy.attempt_timeout, self.policy.deadline / 2))
        except UserException:
            self._learn(())
        except IIOPError as error:
            self._client.report(RefreshFailed("", error))

    def _find(self, timeout: float) -> tuple[Endpoint, ...]:
        found = self._client.endpoints(self._acquire(timeout))
        self._learn(found)
        return found

    def _learn(self, found: tuple[Endpoint, ...]) -> None:
        with self._lock:
            self._opening.learn(found)
            self._refresh_at = self._next_refresh()

    def _next_refresh(self) -> float:
        return refresh_time(self.policy, time.monotonic(), chance=self._client.jitter())

    def _reacquire(self, invocation: Invocation[Endpoint], step: Reacquire, seen: int) -> int:
        """Acquire what is newer than number `seen`, and return its number."""
        try:
            found = self._renewal.get(seen, step.timeout)
        except IIOPError as error:
            last = error.__cause__ if isinstance(error, FailoverExhausted) else None
            invocation.reacquire_failed(last or error, time.monotonic())
        else:
            seen = self._renewal.number
            invocation.reacquired(found, time.monotonic())
        return seen

"""The blocking client: references that are called, retried and re-acquired as the failover core says.

It sleeps, connects and sends; every decision is `iiop.failover.Invocation`'s. It must not know names, nor how a reference is
acquired: that is a function it is given.
"""

from __future__ import annotations

import functools
import logging
import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Annotated, Any, TypeVar

from iiop.cdr import Short, codec
from iiop.cdr.code_sets import Negotiated, negotiate
from iiop.exceptions import (
    MARSHAL,
    CompletionStatus,
    ConnectionLost,
    DecodeError,
    EncodeError,
    FailoverExhausted,
    IIOPError,
    UserException,
    refusal,
)
from iiop.failover import DEFAULT_POLICY, FailoverPolicy, GiveUp, Invocation, Reacquire, Succeed, TryEndpoint, Wait, refresh_time
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    AddressingDisposition,
    Body,
    IORAddressingInfo,
    Reply,
    ReplyStatus,
    Request,
    ResponseFlags,
    TargetAddress,
    key_address,
)
from iiop.idl import Interface, Operation
from iiop.iop import IOR, IOR_CODEC
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.blocking import ConnectionPool
from iiop.profile import CodeSetComponentInfo, Endpoint, ProfileBody, Version, code_sets_of_clients, encode_profile, endpoints

__all__ = ["Client", "Reference"]

S = TypeVar("S", bound=Interface)
Acquire = Callable[[float], IOR]

log = logging.getLogger("iiop.client")

_DISPOSITION = codec(Annotated[int, Short])
FORWARDS = (ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM)


class Client:
    """Hold what calls share: connections, host names, code sets, limits.

    Args:
        hosts: addresses of host names that the system's resolver need not know.
        policy: for references that are given none of their own.
        limits: what a server may make us keep.
        seed: of the jitter of waits; None for one that differs.
        code_sets: native and conversion code sets to negotiate with; None for UTF-8, UTF-16 and all that Python has.
    """

    def __init__(
        self,
        *,
        hosts: Hosts | None = None,
        policy: FailoverPolicy = DEFAULT_POLICY,
        limits: Limits = DEFAULT_LIMITS,
        seed: int | None = None,
        code_sets: CodeSetComponentInfo | None = None,
    ) -> None:
        self.policy = policy
        self.limits = limits
        self.pool = ConnectionPool(hosts=hosts, limits=limits)
        self._negotiate = functools.lru_cache(maxsize=256)(functools.partial(negotiate, code_sets or code_sets_of_clients()))
        self._random = random.Random(seed)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self.pool.close()

    def stub(self, reference: IOR, interface: type[S], *, policy: FailoverPolicy | None = None, fresh: bool = False) -> S:
        """Return a stub for a reference that stays what it is: nothing is re-acquired.

        Args:
            reference: of the object.
            interface: of the object.
            policy: see `FailoverPolicy`; that of the client if None.
            fresh: use no connection that was used before.
        """
        return interface(Reference(self, lambda timeout: reference, policy=policy, known=reference, fresh=fresh))

    def jitter(self) -> float:
        """Return a number from 0 to below 1."""
        return self._random.random()

    def negotiated(self, server: CodeSetComponentInfo | None) -> Negotiated | None:
        """Return what to speak with a server that has these code sets; None where its reference does not say.

        Raises:
            CODESET_INCOMPATIBLE: there is no code set that both have.
        """
        return None if server is None else self._negotiate(server)

    def ask(
        self,
        endpoint: Endpoint,
        operation: Operation,
        arguments: tuple[Any, ...],
        step: TryEndpoint[Endpoint],
        *,
        fresh: bool = False,
    ) -> Reply | None:
        """Send a request to one endpoint and return its reply; None for a oneway.

        Raises:
            ConnectFailed, ConnectionLost, DeadlineExceeded, EncodeError: there is no reply.
            CODESET_INCOMPATIBLE: there is no code set that both have.
            DATA_CONVERSION: an argument has a character that the code set of the connection has not.
            INV_OBJREF, MARSHAL: an argument is a wide character, which the reference, or GIOP 1.0, has no code set for.
        """
        agreed, version = self.negotiated(endpoint.code_sets), giop_version(endpoint.version)
        deadline = time.monotonic() + step.timeout
        connect_timeout, fresh = step.connect_timeout, fresh or step.fresh
        target: TargetAddress | None = None
        while True:
            connection, used = self.pool.take(
                endpoint.host, endpoint.port, connect_timeout, version=version, agreed=agreed, fresh=fresh
            )
            try:
                body = Body.of(operation.arguments, arguments, connection.speech(version))
                reply = connection.call(request_to(connection.next_request_id(), endpoint, target, operation, body), deadline)
            except EncodeError as error:
                self.pool.give_back(endpoint.host, endpoint.port, connection, version=version)
                if error.corba is not None:
                    raise refusal(error, CompletionStatus.COMPLETED_NO) from error
                raise
            except BaseException as error:
                connection.close()
                if used and isinstance(error, ConnectionLost) and error.completed is CompletionStatus.COMPLETED_NO:
                    # The server closed an idle connection in order: nothing has run.
                    connect_timeout, fresh = max(0.0, min(connect_timeout, deadline - time.monotonic())), True
                    continue
                raise
            self.pool.give_back(endpoint.host, endpoint.port, connection, version=version)
            assert reply is None or isinstance(reply, Reply)
            if reply is None or reply.reply_status is not ReplyStatus.NEEDS_ADDRESSING_MODE or target is not None:
                return reply
            target = retarget(endpoint, reply, self.limits)


def retarget(endpoint: Endpoint, reply: Reply, limits: Limits) -> TargetAddress:
    """Return the target address in the form that a NEEDS_ADDRESSING_MODE asks for.

    Raises:
        MARSHAL: it asks for none there is; nothing has run.
    """
    try:
        form = AddressingDisposition(reply.body.decode(_DISPOSITION, limits=limits))
    except ValueError as error:
        raise MARSHAL(0, CompletionStatus.COMPLETED_NO) from error
    if form is AddressingDisposition.KeyAddr:
        return key_address(endpoint.object_key)
    profile = encode_profile(ProfileBody(endpoint.version, endpoint.host, endpoint.port, endpoint.object_key))
    if form is AddressingDisposition.ProfileAddr:
        return TargetAddress(form, profile)
    return TargetAddress(form, IORAddressingInfo(0, IOR("", (profile,))))


def request_to(request_id: int, endpoint: Endpoint, target: TargetAddress | None, operation: Operation, body: Body) -> Request:
    """Return the request that calls an operation at an endpoint, its target in the form asked for, or as object key."""
    return Request(
        request_id,
        operation.name,
        target or key_address(endpoint.object_key),
        ResponseFlags.SYNC_NONE.value if operation.oneway else ResponseFlags.SYNC_WITH_TARGET.value,
        (),
        body,
        b"",
        giop_version(endpoint.version),
    )


def forward_target(reply: Reply, limits: Limits) -> IOR:
    """Return the reference that a LOCATION_FORWARD carries.

    Raises:
        MARSHAL: it cannot be read; nothing has run.
    """
    try:
        reference: IOR = reply.body.decode(IOR_CODEC, limits=limits)
    except DecodeError as error:
        raise MARSHAL(0, CompletionStatus.COMPLETED_NO) from error
    return reference


def giop_version(version: Version) -> Version:
    """Return the GIOP version to speak to a profile: the highest both know."""
    return GIOP_1_2 if version >= GIOP_1_2 else GIOP_1_1 if version >= GIOP_1_1 else GIOP_1_0


class Reference:
    """Call an object whose reference can be acquired again; the invoker behind a stub.

    Several threads may call at the same time.

    Args:
        client: connections and limits.
        acquire: returns the reference afresh within the seconds it is given.
        policy: see `FailoverPolicy`; that of the client if None.
        known: the reference, if it has been acquired already.
        fresh: use no connection that was used before.
    """

    def __init__(
        self,
        client: Client,
        acquire: Acquire,
        *,
        policy: FailoverPolicy | None = None,
        known: IOR | None = None,
        fresh: bool = False,
    ) -> None:
        self._client = client
        self._fresh = fresh
        self._acquire = acquire
        self.policy = policy or client.policy
        self._lock = threading.Lock()
        self._endpoints: tuple[Endpoint, ...] = () if known is None else endpoints(known, client.limits)
        self._refresh_at = self._next_refresh()

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation as the policy allows.

        Raises:
            CorbaException: what the object, or the way to it, answered.
            TransportError: connection lost, where the call must not be repeated.
            DeadlineExceeded: `policy.deadline` is over.
            FailoverExhausted: nobody answered; `.attempts` tells who was tried.
            EncodeError: the arguments do not fit the operation.
        """
        start = time.monotonic()
        invocation: Invocation[Endpoint] = Invocation(
            self.policy,
            self._current(start),
            idempotent=operation.idempotent,
            now=start,
            jitter=self._client.jitter,
        )
        while True:
            step = invocation.next_step(time.monotonic())
            match step:
                case TryEndpoint():
                    self._try(invocation, step, operation, arguments)
                case Reacquire():
                    self._reacquire(invocation, step)
                case Wait():
                    time.sleep(max(0.0, step.until - time.monotonic()))
                case Succeed():
                    return step.result
                case GiveUp():
                    raise step.error

    def _current(self, now: float) -> tuple[Endpoint, ...]:
        """Return the endpoints known, acquired afresh if it is time.

        If nobody can be asked, those known are kept until it is time again: a dead Naming Service stops no call to a living
        object. If the answer is that the name leads nowhere any more, none are.
        """
        with self._lock:
            if not self._endpoints or now < self._refresh_at:
                return self._endpoints
            self._refresh_at = self._next_refresh()  # callers beside us go on meanwhile
        try:
            acquired = self._acquire(min(self.policy.attempt_timeout, self.policy.deadline / 2))
            self._learn(endpoints(acquired, self._client.limits))
        except UserException:
            self._learn(())
        except IIOPError as error:
            log.warning("the reference could not be refreshed, the one known is used on: %s", error)
        return self._endpoints

    def _learn(self, found: tuple[Endpoint, ...]) -> None:
        with self._lock:
            self._endpoints = found
            self._refresh_at = self._next_refresh()

    def _next_refresh(self) -> float:
        return refresh_time(self.policy, time.monotonic(), chance=self._client.jitter())

    def _try(
        self, invocation: Invocation[Endpoint], step: TryEndpoint[Endpoint], operation: Operation, arguments: tuple[Any, ...]
    ) -> None:
        limits = self._client.limits
        try:
            reply = self._client.ask(step.endpoint, operation, arguments, step, fresh=self._fresh)
            if reply is not None and reply.reply_status in FORWARDS:
                invocation.forwarded(endpoints(forward_target(reply, limits), limits), time.monotonic())
                return
            result = None if reply is None else operation.answer(reply, limits)
        except IIOPError as error:
            invocation.outcome(error, time.monotonic())
        else:
            invocation.outcome(result, time.monotonic())

    def _reacquire(self, invocation: Invocation[Endpoint], step: Reacquire) -> None:
        try:
            found = endpoints(self._acquire(step.timeout), self._client.limits)
        except IIOPError as error:
            last = error.__cause__ if isinstance(error, FailoverExhausted) else None
            invocation.reacquire_failed(last or error, time.monotonic())
            return
        self._learn(found)
        invocation.reacquired(found, time.monotonic())

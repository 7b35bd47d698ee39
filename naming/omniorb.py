"""References of omniORBpy that heal: its users keep their stubs, and get the decisions of `iiop.failover` under them.

    orb = CORBA.ORB_init(sys.argv)
    account = reference(orb, "TDsample::tdtest", Bank.Account, FailoverPolicy(deadline=5.0), idempotent={"balance"})
    account.balance()

What comes back is an instance of the stub class that omniidl made. Beneath it, where omniORBpy has its connection to the C++ ORB,
is an `Invocation`: omniORB sends, the core decides, and the Naming Service is asked by our own client, because omniORB cannot
be told to use a new connection for one call. Errors are omniORBpy's; `.attempts` of one tells the tries before it.

It imports no omniORB: all that is needed of it is reached from the `orb` that is passed in. The deadline of a try is set on
object references of the calling thread alone (`omniORB.setClientCallTimeout`), so that threads do not disturb each other.

Edges: a retry goes over a connection of omniORB's choice, an old one perhaps; of several profiles each is tried, although omniORB
alone tries the first only; the reference cannot be passed as an argument, or be made a string, but what `_obj.current()` returns
can.
"""

from __future__ import annotations

import functools
import importlib
import random
import threading
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from math import inf
from typing import Any

from iiop import iop
from iiop.exceptions import CompletionStatus, DeadlineExceeded, FailoverExhausted, IIOPError, SystemException, UserException
from iiop.failover import (
    DEFAULT_POLICY,
    FailoverPolicy,
    GiveUp,
    Invocation,
    Observer,
    Reacquire,
    RefreshFailed,
    Succeed,
    TryEndpoint,
    Wait,
    refresh_time,
    reporter,
)
from iiop.giop.messages import SystemExceptionReplyBody
from iiop.net.renewal import Renewal
from ior import IOR
from naming.client import NameService
from naming.names import parse_name
from naming.types import Name

__all__ = ["HealingObject", "reference"]

_CALL_TIMED_OUT = 0x41540008
"""Minor code of omniORB's TIMEOUT when the time it was given for a call is over."""


def reference(
    orb: Any,
    name: str | Name,
    interface: Any,
    policy: FailoverPolicy = DEFAULT_POLICY,
    *,
    names: NameService | None = None,
    source: Callable[[float], iop.IOR] | None = None,
    idempotent: Container[str] = (),
    on_event: Observer | None = None,
) -> Any:
    """Return a stub, of the class that omniidl made, of what a name is bound to; the network is used only when it is called.

    Args:
        orb: omniORBpy's, initialised.
        name: stringified, as `TDsample::tdtest`, or its components.
        interface: as `Bank.Account`. It is not asked whether the object has it.
        policy: see `FailoverPolicy`; `connect_timeout` counts for the Naming Service alone.
        names: the Naming Service; that of `orb.resolve_initial_references("NameService")` if None.
        source: where the reference comes from instead, see `naming.sources`.
        idempotent: names of operations, `_get_balance` of an attribute, that may run twice.
        on_event: see `iiop.net.client.Client`.

    Raises:
        ReferenceFormatError: text that is no stringified name.
        CORBA.ORB.InvalidName, CORBA.SystemException: omniORB's: the ORB knows no Naming Service.
    """
    module = importlib.import_module(type(orb).__module__.partition(".")[0])
    components = parse_name(name) if isinstance(name, str) else name
    acquire = source
    if acquire is None:
        acquire = _initial(orb, components, policy) if names is None else functools.partial(names.acquire, components)
    beneath = HealingObject(orb, module, interface, acquire, policy, idempotent, reporter(on_event))
    return module.objrefMapping[interface._NP_RepositoryId](beneath)


def _initial(orb: Any, name: Name, policy: FailoverPolicy) -> Callable[[float], iop.IOR]:
    root = IOR.from_string(orb.object_to_string(orb.resolve_initial_references("NameService")))

    def acquire(timeout: float) -> iop.IOR:
        with NameService(root, policy=policy) as service:
            return service.acquire(name, timeout)

    return acquire


@dataclass(frozen=True, slots=True)
class _Target:
    """One profile of a reference, as omniORB takes it."""

    shown: str
    text: str

    def __str__(self) -> str:
        return self.shown


def _targets(found: iop.IOR) -> tuple[_Target, ...]:
    targets = []
    for profile in found.profiles:
        one = IOR.from_iop(iop.IOR(found.type_id, (profile,)))
        places = one.endpoints()
        if places:
            targets.append(_Target(str(places[0]), str(one)))
    return tuple(targets)


@dataclass(frozen=True, slots=True)
class _Raised:
    """An exception of the operation's own: an answer."""

    error: BaseException


class HealingObject:
    """Stand where a stub of omniORBpy has the object of the C++ ORB, and call that; see `reference`."""

    def __init__(
        self,
        orb: Any,
        module: Any,
        interface: Any,
        acquire: Callable[[float], iop.IOR],
        policy: FailoverPolicy,
        idempotent: Container[str],
        report: Observer,
    ) -> None:
        self._orb = orb
        self._module = module
        self._corba = module.CORBA
        self._interface = interface
        self._acquire = acquire
        self._policy = policy
        self._idempotent = idempotent
        self._report = report
        self._random = random.Random()
        self._renewal = Renewal(self._find)
        self._known: tuple[_Target, ...] = ()
        self._refresh_at = inf
        self._lock = threading.Lock()
        self._mine = threading.local()

    def invoke(self, operation: str, descriptor: Any, arguments: Any) -> Any:
        """Call an operation; stubs do. Raises what omniORBpy does."""
        return self._call(operation, operation in self._idempotent, lambda obj: obj.invoke(operation, descriptor, arguments))

    def isA(self, repository_id: str) -> Any:
        """Ask the object whether it has an interface; `_is_a` of stubs does."""
        return self._call("_is_a", True, lambda obj: obj.isA(repository_id))

    def nonExistent(self) -> Any:
        """Ask the object whether it is gone; `_non_existent` of stubs does."""
        return self._call("_non_existent", True, lambda obj: obj.nonExistent())

    def __getattr__(self, name: str) -> Any:
        """Return what else omniORBpy's object can do, of the one where the object was last."""
        there = None if name.startswith("_") else self.current()
        if there is None:
            raise AttributeError(name)
        return getattr(there._obj, name)

    def current(self) -> Any:
        """Return omniORBpy's reference of where the object was last; None if it was not looked for yet."""
        known = self._known
        return self._object(known[0]) if known else None

    def _call(self, operation: str, idempotent: bool, send: Callable[[Any], Any]) -> Any:
        seen, start = self._renewal.number, time.monotonic()
        if start >= self._refresh_at:
            self._refresh()
        invocation: Invocation[_Target] = Invocation(
            self._policy,
            self._known,
            idempotent=idempotent,
            now=start,
            jitter=self._random.random,
            operation=operation,
            observe=self._report,
        )
        while True:
            step = invocation.next_step(time.monotonic())
            match step:
                case TryEndpoint():
                    invocation.outcome(self._try(step, send), time.monotonic())
                case Reacquire():
                    try:
                        found = self._renewal.get(seen, step.timeout)
                    except IIOPError as error:
                        last = error.__cause__ if isinstance(error, FailoverExhausted) else None
                        invocation.reacquire_failed(last or error, time.monotonic())
                    else:
                        seen = self._renewal.number
                        invocation.reacquired(found, time.monotonic())
                case Wait():
                    time.sleep(max(0.0, step.until - time.monotonic()))
                case Succeed(_Raised() as raised):
                    raise raised.error
                case Succeed():
                    return step.result
                case GiveUp():
                    raise self._as_omniorb_says(step.error)

    def _try(self, step: TryEndpoint[_Target], send: Callable[[Any], Any]) -> Any:
        obj = self._object(step.endpoint)
        self._module.setClientCallTimeout(obj, 0 if step.timeout > 1e6 else max(1, int(step.timeout * 1000)))
        try:
            return send(obj._obj)
        except self._corba.UserException as error:
            return _Raised(error)
        except self._corba.SystemException as error:
            return self._as_we_say(error)

    def _object(self, target: _Target) -> Any:
        """Return this thread's own object reference to a target: timeouts belong to these."""
        kept: dict[Any, Any] = self._mine.__dict__
        if kept.get("known") is not self._known:
            kept.clear()
            kept["known"] = self._known
        if target not in kept:
            kept[target] = self._orb.string_to_object(target.text)._unchecked_narrow(self._interface)
        return kept[target]

    def _find(self, timeout: float) -> tuple[_Target, ...]:
        found = _targets(self._acquire(timeout))
        with self._lock:
            self._known = found
            self._plan_refresh()
        return found

    def _plan_refresh(self) -> None:
        self._refresh_at = refresh_time(self._policy, time.monotonic(), chance=self._random.random())

    def _refresh(self) -> None:
        """Acquire the reference afresh, for it is time; if nobody can be asked, that known is used on."""
        with self._lock:
            if time.monotonic() < self._refresh_at:
                return
            self._plan_refresh()  # callers beside us go on meanwhile
        try:
            self._renewal.get(self._renewal.number, min(self._policy.attempt_timeout, self._policy.deadline / 2))
        except UserException:
            self._known = ()
        except IIOPError as error:
            self._report(RefreshFailed("", error))

    def _as_we_say(self, error: Any) -> IIOPError:
        """Return a system exception of omniORBpy as one of ours, whose cause it is."""
        told: IIOPError
        told = SystemExceptionReplyBody(error._NP_RepositoryId, error.minor & 0xFFFFFFFF, error.completed._v).exception()
        if isinstance(error, self._corba.TIMEOUT) and error.minor == _CALL_TIMED_OUT:
            told = DeadlineExceeded("no reply in time", completed=CompletionStatus(error.completed._v))
        told.__cause__ = error
        return told

    def _as_omniorb_says(self, error: BaseException) -> Any:
        """Return what a caller gets: the exception of omniORBpy there was, or one that says the same, with ours as its cause."""
        last = error.__cause__ if isinstance(error, FailoverExhausted) else error
        origin = None if last is None else last.__cause__
        late = isinstance(error, SystemException) and isinstance(origin, DeadlineExceeded)
        if isinstance(origin, self._corba.SystemException) and not late:
            told: Any = origin
        else:
            told = self._made(error)
            told.__cause__ = error
        told.attempts = getattr(error, "attempts", ())
        return told

    def _made(self, error: BaseException) -> Any:
        corba = self._corba
        status = {each._v: each for each in (corba.COMPLETED_YES, corba.COMPLETED_NO, corba.COMPLETED_MAYBE)}
        if isinstance(error, SystemException):
            return getattr(corba, type(error).__name__)(error.minor, status[error.completed])
        if isinstance(error, DeadlineExceeded):
            return corba.TIMEOUT(0, status[error.completed])
        if isinstance(error, FailoverExhausted):
            return corba.TRANSIENT(0, status[error.completed])
        if isinstance(error, UserException):  # of the Naming Service: the name leads nowhere
            return corba.OBJECT_NOT_EXIST(0, corba.COMPLETED_NO)
        return corba.BAD_PARAM(0, corba.COMPLETED_NO)

"""A world of servers and Naming Services on a clock that only it moves, and a client in it that is all real but for the network.

Each server plays a script of behaviours, one a request, the last one for ever. A behaviour says what a client's shell would see
(which the tests of the shells hold against real sockets), how long that takes, and whether the operation ran, which no client can
know. The client is `Invocation`, `Questions` and `Selector`, driven as the shells drive them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from iiop.endpoints import Endpoint
from iiop.exceptions import (
    COMM_FAILURE,
    INV_OBJREF,
    MARSHAL,
    NO_IMPLEMENT,
    NO_RESPONSE,
    OBJECT_NOT_EXIST,
    TRANSIENT,
    UNKNOWN,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    FailoverExhausted,
    IIOPError,
    UserException,
)
from iiop.failover import (
    Event,
    FailoverPolicy,
    GiveUp,
    Invocation,
    Reacquire,
    Selection,
    Selector,
    Succeed,
    TryEndpoint,
    Wait,
)
from naming.roots import Questions

NO, YES, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_YES, CompletionStatus.COMPLETED_MAYBE


class Overdrawn(UserException):
    """What the operation declares."""


class NotFound(UserException):
    """What a Naming Service answers for a name that is not bound."""


@dataclass(frozen=True)
class Behaviour:
    """What becomes of one request.

    Attributes:
        name: for the trace.
        see: makes what the client sees; None for the answer of the operation.
        runs: whether the operation ran.
        takes: seconds; those the client allows at most.
        connects: whether the time is that for connecting.
        forward: endpoints that the client is sent to.
    """

    name: str
    see: Callable[[], BaseException] | None = None
    runs: bool = False
    takes: float = 0.0
    connects: bool = False
    forward: tuple[str, ...] = ()


def _b(name: str, see: Callable[[], BaseException], **members: Any) -> Behaviour:
    return Behaviour(name, see, **members)


EVER = 1e12
answers = Behaviour("answers", runs=True)
slow = Behaviour("answers late", runs=True, takes=2.0)
overdrawn = _b("raises its own exception", lambda: Overdrawn(), runs=True)
refuses = _b("refuses connections", lambda: ConnectFailed("refused"))
black_hole = _b("swallows connections", lambda: ConnectFailed("timed out"), takes=EVER, connects=True)
ends_at_once = _b("accepts and closes", lambda: ConnectionLost("end of stream"))
killed_before = _b("killed before it ran", lambda: ConnectionLost("reset"))
killed_during = _b("killed while it ran", lambda: ConnectionLost("reset"), runs=True, takes=0.5)
killed_after = _b("killed before it replied", lambda: ConnectionLost("end of stream"), runs=True)
half_reply = _b("sends half a reply", lambda: ConnectionLost("end of stream"), runs=True)
message_error = _b("says MessageError", lambda: ConnectionLost("MessageError"))
bad_reply = _b("replies with status 77", lambda: ConnectionLost("broke GIOP"), runs=True)
unreadable = _b("replies what cannot be read", lambda: MARSHAL(0x4154000A, MAYBE), runs=True)
closes = _b("says CloseConnection", lambda: ConnectionLost("closed in order", completed=NO))
half_open = _b("is half open", lambda: DeadlineExceeded("no reply"), takes=EVER)
silent = _b("runs and says nothing", lambda: DeadlineExceeded("no reply"), runs=True, takes=EVER)
wrong_id = _b("answers another request", lambda: DeadlineExceeded("no reply"), runs=True, takes=EVER)
never_reads = _b("never reads", lambda: DeadlineExceeded("not sent", completed=NO), takes=EVER)
ipcom = _b("0114 NO", lambda: COMM_FAILURE(0x464A0114, NO))
ipcom_pair = _b("0914 NO", lambda: COMM_FAILURE(0x464A0914, NO))
ipcom_maybe = _b("0114 MAYBE", lambda: COMM_FAILURE(0x464A0114, MAYBE), runs=True)
ipcom_yes = _b("0114 YES", lambda: COMM_FAILURE(0x464A0114, YES), runs=True)
idle_cut = _b("0105 NO", lambda: COMM_FAILURE(0x464A0105, NO))
reply_timeout = _b("0101 NO", lambda: COMM_FAILURE(0x464A0101, NO), runs=True)
comm_failure = _b("COMM_FAILURE NO", lambda: COMM_FAILURE(0, NO))
transient = _b("TRANSIENT NO", lambda: TRANSIENT(0, NO))
transient_maybe = _b("TRANSIENT MAYBE", lambda: TRANSIENT(0, MAYBE), runs=True)
no_response = _b("NO_RESPONSE MAYBE", lambda: NO_RESPONSE(0, MAYBE), runs=True)
stale = _b("OBJECT_NOT_EXIST", lambda: OBJECT_NOT_EXIST(0, NO))
released = _b("INV_OBJREF", lambda: INV_OBJREF(0, NO))
not_up = _b("NO_IMPLEMENT", lambda: NO_IMPLEMENT(0, NO))
unknown = _b("UNKNOWN YES", lambda: UNKNOWN(0x4F4D0002, YES), runs=True)
not_found = _b("NotFound", NotFound)


def forwards(*targets: str) -> Behaviour:
    return Behaviour("forwards", forward=targets)


@dataclass
class World:
    """Play servers, Naming Services, network and clock.

    Attributes:
        servers: scripts by endpoint; an endpoint without one answers.
        names: scripts by Naming Service, each step endpoints (`"a b"`) or a behaviour.
        overrun: seconds by which every step of the client lasts longer than it was allowed to.
        runs: how often each call ran, by its number, and where.
        trace: what was seen, in order.
    """

    servers: Mapping[str, Sequence[Behaviour]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str | Behaviour]] = field(default_factory=dict)
    selection: Selection = Selection.ORDERED
    overrun: float = 0.0
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.trace: list[str] = []
        self.runs: dict[int, list[str]] = {}
        self.calls = 0
        self.events: list[Event] = []
        self._asked: Counter[str] = Counter()
        self._selector: Selector[Endpoint] = Selector(self.selection, lambda: 0.0)

    def _next(self, who: str, script: Sequence[Any]) -> Any:
        self._asked[who] += 1
        return script[min(self._asked[who], len(script)) - 1]

    def restart(self, who: str, servers: Sequence[Behaviour]) -> None:
        """Have a server behave otherwise from now on."""
        self.servers = {**self.servers, who: servers}
        self._asked[who] = 0

    def _passes(self, behaviour: Behaviour, timeout: float, connect_timeout: float) -> bool:
        """Let the time of a behaviour pass; tell whether it was done in time."""
        allowed = min(timeout, connect_timeout) if behaviour.connects else timeout
        in_time = behaviour.takes < allowed
        self.now += behaviour.takes if in_time else allowed + self.overrun
        return in_time

    def request(self, step: TryEndpoint[str], call: int) -> Any:
        """Return what becomes of a try: a result, an exception, or a behaviour that forwards."""
        behaviour: Behaviour = self._next(step.endpoint, self.servers.get(step.endpoint, [answers]))
        self.trace.append(f"{step.endpoint} {behaviour.name}")
        if behaviour.runs:
            self.runs[call].append(step.endpoint)
        in_time = self._passes(behaviour, step.timeout, step.connect_timeout)
        if behaviour.forward:
            return behaviour
        if behaviour.see is None:
            return step.endpoint if in_time else DeadlineExceeded("no reply")
        return behaviour.see()

    def resolve(self, policy: FailoverPolicy, timeout: float) -> tuple[str, ...]:
        """Ask the Naming Services, as `NameService.acquire` does."""
        hosts = cast("tuple[Endpoint, ...]", self._selector.order(cast("Iterable[Endpoint]", self.names)))
        questions = Questions(self._selector, hosts, policy, self.now, self.now + timeout)
        while True:
            once = questions.next(self.now)
            host = str(questions.host)
            step: str | Behaviour = self._next(host, self.names[host])
            if isinstance(step, str):
                self.trace.append(f"{host} -> {step}")
                questions.answered()
                return tuple(step.split())
            self.trace.append(f"{host} {step.name}")
            self._passes(step, once.attempt_timeout, once.connect_timeout)
            assert step.see is not None
            questions.failed(cast("IIOPError", step.see()), self.now)

    def call(self, policy: FailoverPolicy, known: Iterable[Hashable], *, idempotent: bool) -> Any:
        """Call an operation as the shells do; return its result, or the error the caller gets."""
        call = self.calls = self.calls + 1
        self.runs[call] = []
        endpoints = cast("tuple[str, ...]", tuple(known))
        invocation: Invocation[str] = Invocation(
            policy,
            endpoints,
            idempotent=idempotent,
            now=self.now,
            jitter=lambda: 0.0,
            operation="op",
            observe=self.events.append,
        )
        while True:
            match step := invocation.next_step(self.now):
                case TryEndpoint():
                    came = self.request(step, call)
                    if isinstance(came, Behaviour):
                        invocation.forwarded(came.forward, self.now)
                    else:
                        invocation.outcome(came, self.now)
                case Reacquire():
                    try:
                        found = self.resolve(policy, step.timeout) if self.names else endpoints
                    except IIOPError as error:
                        last = error.__cause__ if isinstance(error, FailoverExhausted) else None
                        invocation.reacquire_failed(last or error, self.now)
                    else:
                        invocation.reacquired(found, self.now)
                case Wait(until):
                    self.trace.append("wait")
                    self.now = until
                case Succeed(result):
                    return result
                case GiveUp(error):
                    return error

"""References that heal: one acquisition for all, several Naming Services, other sources, events; for threads and for tasks."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iiop.exceptions import (
    COMM_FAILURE,
    TIMEOUT,
    CompletionStatus,
    ConnectFailed,
    DeadlineExceeded,
    FailoverExhausted,
)
from iiop.failover import (
    Acquired,
    AcquireFailed,
    AttemptFailed,
    Event,
    FailoverPolicy,
    GaveUp,
    Late,
    Recovered,
    RefreshFailed,
    Selection,
)
from iiop.idl import AsyncInterface, Interface, asynchronous
from iiop.iop import IOR
from iiop.net.aio_client import AsyncClient
from iiop.net.aio_reference import reference as async_reference
from iiop.net.aio_renewal import AsyncRenewal
from iiop.net.client import Client
from iiop.net.renewal import Renewal
from ior import IORBuilder
from ior import reference as _reference
from naming import NameService, NamingServer, parse_name
from naming.aio import NameService as AsyncNameService
from naming.interfaces import NamingContextExt
from naming.places import open_service
from naming.sources import from_file, from_urls
from naming.types import NotFound
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer
from tests.peers import free_port

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
POLICY = FailoverPolicy(deadline=10.0, rounds=3, backoff_initial=0.01, backoff_max=0.02, refresh_interval=None)
NAME = "TDsample::tdtest"
Shown = _reference.IOR
CALLERS = 8


class Caller:
    """Call references from threads, or from tasks: the same tests for both."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.events: list[Event] = []

    def run(self, acquire: Any, use: Callable[[Any], Any], *, policy: FailoverPolicy = POLICY) -> Any:
        """Return what `use` of a reference returns; it may be awaitable."""
        if self.kind == "threads":
            with Client(policy=policy, seed=1, on_event=self.events.append) as client:
                return use(client.reference(acquire, Counter))

        async def main() -> Any:
            client = AsyncClient(policy=policy, seed=1, on_event=self.events.append)
            try:
                result = use(async_reference(client, acquire, Counter))
                return await result if inspect.isawaitable(result) else result
            finally:
                client.close()
                await asyncio.sleep(0)

        return asyncio.run(main())

    def named(self, address: Any, use: Callable[[Any], Any], **options: Any) -> Any:
        """Return what `use` of a Naming Service returns; it may be awaitable."""
        options = {"policy": POLICY, "on_event": self.events.append} | options
        if self.kind == "threads":
            with NameService(address, **options) as service:
                return use(service)

        async def main() -> Any:
            async with AsyncNameService(address, **options) as service:
                result = use(service)
                return await result if inspect.isawaitable(result) else result

        return asyncio.run(main())

    def all_at_once(self, call: Callable[[Any], Any], count: int = CALLERS) -> Callable[[Any], Any]:
        """Return a use of a reference: calling it so many times at a time."""
        if self.kind == "threads":

            def use(stub: Any) -> list[Any]:
                with ThreadPoolExecutor(count) as threads:
                    return list(threads.map(lambda _: call(stub), range(count)))

            return use

        async def gather(stub: Any) -> list[Any]:
            return list(await asyncio.gather(*[call(stub) for _ in range(count)]))

        return gather

    def in_turn(self, *calls: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a use of a reference: these calls, one after the other; their results, or what they raised."""

        def outcome(call: Callable[[Any], Any], stub: Any) -> Any:
            try:
                return call(stub)
            except Exception as error:
                return error

        if self.kind == "threads":
            return lambda stub: [outcome(call, stub) for call in calls]

        async def use(stub: Any) -> list[Any]:
            results = []
            for call in calls:
                try:
                    result = call(stub)
                    results.append(await result if inspect.isawaitable(result) else result)
                except Exception as error:
                    results.append(error)
            return results

        return use

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(params=["threads", "tasks"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param)


@pytest.fixture
def naming() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


def bind(naming: NamingServer, target: ScriptedServer) -> None:
    with NameService(naming.corbaloc, policy=POLICY) as service:
        service.root.rebind(parse_name(NAME), target.reference())


def value(stub: Any) -> Any:
    return stub.value()


def dead() -> IOR:
    return IORBuilder(Counter.repository_id).iiop("127.0.0.1", free_port(), key=s.KEY).build().to_iop()


# --- one acquisition for all --------------------------------------------------------------------------------------------


def test_first_calls_at_one_time_acquire_once(caller: Caller) -> None:
    asked: list[float] = []

    def acquire(timeout: float) -> IOR:
        asked.append(timeout)
        return server.reference()

    with ScriptedServer(then=[s.serve(7)]) as server:
        assert caller.run(acquire, caller.all_at_once(value)) == [7] * CALLERS
    assert len(asked) == 1


def test_those_that_fail_at_one_time_acquire_once(caller: Caller) -> None:
    """Everyone's first try meets the dead server; whoever is late is given what the first one acquired."""
    asked: list[float] = []
    gone = dead()

    def acquire(timeout: float) -> IOR:
        asked.append(timeout)
        return gone if len(asked) == 1 else server.reference()

    with ScriptedServer(then=[s.serve(7)]) as server:
        assert caller.run(acquire, caller.all_at_once(value)) == [7] * CALLERS
    assert len(asked) == 2
    assert len(caller.told(Acquired)) >= 2


def test_failure_of_the_one_acquisition_is_everyones() -> None:
    asked: list[float] = []
    all_wait = threading.Event()
    renewal: Renewal[int]

    def acquire(timeout: float) -> int:
        asked.append(timeout)
        assert all_wait.wait(10)
        raise ConnectFailed("the Naming Service is down")

    renewal = Renewal(acquire)
    with ThreadPoolExecutor(CALLERS) as threads:
        first = threads.submit(renewal.get, 0, 10.0)
        while not asked:
            threading.Event().wait(0.001)
        others = [threads.submit(renewal.get, 0, 5.0) for _ in range(CALLERS - 1)]
        assert renewal._flight is not None
        while len(renewal._flight.landed._cond._waiters) < CALLERS - 1:  # type: ignore[attr-defined]
            threading.Event().wait(0.001)
        all_wait.set()
        for each in (first, *others):
            with pytest.raises(ConnectFailed):
                each.result(10)
    assert len(asked) == 1


def test_who_has_more_time_tries_again_and_who_has_none_gives_up() -> None:
    """The first has no time left when its acquisition fails; the one beside it has, and the third cannot even wait."""
    begun, go_on = threading.Event(), threading.Event()
    asked: list[float] = []

    def acquire(timeout: float) -> int:
        asked.append(timeout)
        if len(asked) == 1:
            begun.set()
            assert go_on.wait(10)
            raise DeadlineExceeded("no answer", completed=NO)
        return 42

    renewal: Renewal[int] = Renewal(acquire)
    with ThreadPoolExecutor(2) as threads:
        short = threads.submit(renewal.get, 0, 0.5)
        assert begun.wait(10)
        long = threads.submit(renewal.get, 0, 60.0)
        with pytest.raises(DeadlineExceeded, match="being acquired"):
            renewal.get(0, 0.0)
        go_on.set()
        with pytest.raises(DeadlineExceeded, match="no answer"):
            short.result(10)
        assert long.result(10) == 42
    assert len(asked) == 2
    assert renewal.get(0, 0.0) == 42, "newer than what the caller saw"


def test_cancelled_task_takes_nobody_with_it() -> None:
    async def main() -> None:
        begun, go_on, asked = asyncio.Event(), asyncio.Event(), []

        async def acquire(timeout: float) -> int:
            asked.append(timeout)
            begun.set()
            await go_on.wait()
            return 42

        renewal: AsyncRenewal[int] = AsyncRenewal(acquire)
        first = asyncio.create_task(renewal.get(0, 10.0))
        await begun.wait()
        second = asyncio.create_task(renewal.get(0, 10.0))
        await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        assert await second == 42
        assert len(asked) == 2
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.clear()
        third = asyncio.create_task(renewal.get(1, 10.0))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded):
            await renewal.get(1, 0.0)
        go_on.set()
        assert await third == 42

    asyncio.run(main())


# --- references that grow old -------------------------------------------------------------------------------------------


def test_load_returns_to_a_repaired_server(caller: Caller, naming: NamingServer) -> None:
    """Nothing fails; the name leads to the repaired server again, and so do calls at the next refresh."""
    policy = replace(POLICY, refresh_interval=1e-9)
    with ScriptedServer(then=[s.serve(1)]) as stand_in, ScriptedServer(then=[s.serve(2)]) as repaired:
        bind(naming, stand_in)
        results = caller.named(
            naming.corbaloc,
            lambda ns: caller.in_turn(value, lambda _: bind(naming, repaired), value, value)(ns.reference(NAME, Counter)),
            policy=policy,
        )
        assert results == [1, None, 2, 2]


def test_reference_that_cannot_be_refreshed_is_used_on(caller: Caller) -> None:
    answers: list[Any] = []

    def acquire(timeout: float) -> IOR:
        if answers:
            raise ConnectFailed("the Naming Service is down")
        answers.append(server.reference())
        return server.reference()

    with ScriptedServer(then=[s.serve(7)]) as server:
        policy = replace(POLICY, refresh_interval=1e-9)
        assert caller.run(acquire, caller.in_turn(value, value, value), policy=policy) == [7, 7, 7]
    assert len(caller.told(RefreshFailed)) == 2


def test_name_unbound_is_noticed_at_the_refresh(caller: Caller, naming: NamingServer) -> None:
    def unbind(_: Any) -> None:
        with NameService(naming.corbaloc, policy=POLICY) as service:
            service.root.unbind(parse_name(NAME))

    with ScriptedServer(then=[s.serve(7)]) as server:
        bind(naming, server)
        results = caller.named(
            naming.corbaloc,
            lambda ns: caller.in_turn(value, unbind, value)(ns.reference(NAME, Counter)),
            policy=replace(POLICY, refresh_interval=1e-9),
        )
    assert results[:2] == [7, None]
    assert isinstance(results[2], NotFound)
    assert [type(event) for event in caller.events if event.operation == "value"] == [Acquired, AcquireFailed, GaveUp]


# --- the surface of both Naming Services ----------------------------------------------------------------------------------


def test_both_naming_services_have_one_surface(caller: Caller, naming: NamingServer) -> None:
    with ScriptedServer(then=[s.serve(7)]) as server:
        bind(naming, server)
        results = caller.named(
            naming.corbaloc,
            caller.in_turn(
                lambda ns: ns.resolve(NAME),
                lambda ns: ns.root.resolve(parse_name(NAME)),
                lambda ns: ns.reference(NAME, stub=Counter).value(),
                lambda ns: ns.reference(parse_name(NAME), Counter, policy=POLICY).value(),
                lambda ns: ns.resolve("nobody"),
                lambda ns: ns.reference("nobody", Counter).value(),
                lambda ns: ns.address,
            ),
        )
    assert [Shown.from_iop(each).to_iop() for each in results[:2]] == [server.reference()] * 2
    assert results[2:4] == [7, 7]
    assert [type(each) for each in results[4:6]] == [NotFound, NotFound]
    assert results[6] == naming.corbaloc
    public = {name for name in dir(NameService) if not name.startswith("_")}
    assert public == {name for name in dir(AsyncNameService) if not name.startswith("_")}


def test_comm_failure_of_ipcom_asks_the_naming_service_over_a_new_connection(caller: Caller) -> None:
    """What makes a balancer distribute again is a new connection to it."""
    down = s.exception(COMM_FAILURE, 0x464A0114, NO)

    with ScriptedServer([s.request, down]) as bad, ScriptedServer(then=[s.serve(7)]) as good:
        targets = [bad.reference, good.reference]

        def resolved(peer: s.Peer) -> None:
            s.forward(targets.pop(0), s.ReplyStatus.NO_EXCEPTION)(peer)

        with ScriptedServer(then=[s.request, resolved, s.gone]) as balancer:
            address = f"corbaloc:iiop:1.2@127.0.0.1:{balancer.port}/NameService"
            assert caller.named(address, lambda ns: ns.reference(NAME, Counter).add(1)) == 7
            assert (balancer.connections, balancer.operations) == (2, ["resolve", "resolve"])
        assert bad.operations == good.operations == ["add"]
    (failed,) = caller.told(AttemptFailed)
    assert (failed.operation, failed.error, failed.completed) == ("add", COMM_FAILURE(0x464A0114, NO), NO)
    assert [event.operation for event in caller.told(Recovered)] == ["add"]


def test_awaited_stubs_and_companions(naming: NamingServer) -> None:
    class CounterAsync(AsyncInterface):
        value = asynchronous(Counter.value)

    async def main() -> None:
        async with AsyncNameService(naming.corbaloc, policy=POLICY) as service:
            context = await service.root.bind_new_context(parse_name("branch"))
            assert await service.resolve("branch") == Shown.from_iop(context)
            assert await service.root.resolve_str("branch") == context
            assert await service.reference(NAME, stub=CounterAsync).value() == 7
            assert not await service.companion(b"NameService", NamingContextExt)._non_existent()  # type: ignore[misc]
            assert set(NamingContextExt.operations()) - set(Interface.operations()) <= set(vars(type(service.root)))

    with ScriptedServer(then=[s.serve(7)]) as server:
        bind(naming, server)
        asyncio.run(main())


# --- several Naming Services ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", Selection)
def test_the_living_one_of_several_is_found(caller: Caller, naming: NamingServer, selection: Selection) -> None:
    with ScriptedServer(then=[s.serve(7)]) as server:
        bind(naming, server)
        addresses = [f"127.0.0.1:{free_port()}", f"corbaloc:iiop:1.2@127.0.0.1:{free_port()}/NameService", naming.corbaloc]
        use = caller.in_turn(*[lambda ns: ns.reference(NAME, Counter).value()] * 4)
        assert caller.named(addresses, use, selection=selection) == [7] * 4
    failures = len([event for event in caller.told(AttemptFailed) if event.operation == "resolve"])
    if selection is Selection.ORDERED:
        assert failures == 8, "each time from the top"
    elif selection is Selection.ROUND_ROBIN:
        assert 3 <= failures <= 6
    else:
        assert failures == 2, "the dead ones are asked once"


def test_all_naming_services_dead(caller: Caller) -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    error = caller.named(addresses, caller.in_turn(lambda ns: ns.reference(NAME, Counter).value()))[0]
    assert isinstance(error, FailoverExhausted)
    assert error.completed is NO
    assert [attempt.endpoint for attempt in error.attempts] == ["re-acquire"] * POLICY.rounds
    assert len(caller.told(AttemptFailed)) == 3 * POLICY.rounds


def test_what_another_server_answers_on_the_port_of_a_naming_service(caller: Caller, naming: NamingServer) -> None:
    """Something else took the port of the first Naming Service and knows no such object: the second is asked."""
    with ScriptedServer(then=[s.serve(7)]) as server, NamingServer() as stranger:
        bind(naming, server)
        addresses = [f"corbaloc:iiop:1.2@127.0.0.1:{stranger.port}/Nobody", naming.corbaloc]
        assert caller.named(addresses, lambda ns: ns.reference(NAME, Counter).value()) == 7


def test_initial_hosts_are_read_again(caller: Caller, naming: NamingServer, tmp_path: Path) -> None:
    file = tmp_path / "initial_hosts"
    file.write_text(f"127.0.0.1 {free_port()}\n")
    with ScriptedServer(then=[s.serve(7)]) as server:
        bind(naming, server)
        steps = [
            lambda ns: ns.reference(NAME, Counter).value(),
            lambda _: file.write_text(f"127.0.0.1 {naming.port}\n") and None,
            lambda ns: ns.reference(NAME, Counter).value(),
            lambda _: file.unlink(),
            lambda ns: ns.reference(NAME, Counter).value(),
        ]
        root = open_service(str(file), policy=POLICY)._roots._ask
        results = caller.named(root, caller.in_turn(*steps))
    assert isinstance(results[0], FailoverExhausted)
    assert results[1:] == [None, 7, None, 7]


# --- other sources ----------------------------------------------------------------------------------------------------------


def test_file_is_read_again(caller: Caller, tmp_path: Path) -> None:
    file = tmp_path / "counter.ior"
    source = from_file(file)
    with (
        ScriptedServer([s.request, s.reply(1), s.request, s.close_connection, s.fin]) as old,
        ScriptedServer(then=[s.serve(2)]) as new,
    ):
        steps = [
            value,
            lambda _: file.write_text(str(Shown.from_iop(old.reference()))[:-9]) and None,
            value,
            lambda _: file.write_text(str(Shown.from_iop(old.reference())) + "\n") and None,
            value,
            lambda _: file.write_text(f"# moved\ncorbaloc:iiop:1.2@127.0.0.1:{new.port}/counter\n") and None,
            value,
        ]
        missing, _, torn, _, first, _, moved = caller.run(source, caller.in_turn(*steps))
    for error in (missing, torn):
        assert isinstance(error, FailoverExhausted)
        assert "no reference in" in str(error.__cause__)
    assert (first, moved) == (1, 2)


def test_urls_are_one_reference(caller: Caller) -> None:
    with ScriptedServer(then=[s.serve(7)]) as server:
        urls = [f"corbaloc:iiop:1.2@127.0.0.1:{free_port()}/counter", str(Shown.from_iop(server.reference()))]
        assert caller.run(from_urls(*urls), value) == 7
        assert len(caller.told(AttemptFailed)) == 1
        corbaname = f"corbaname:iiop:1.2@127.0.0.1:{free_port()}#nobody"
        assert caller.run(from_urls(corbaname, urls[1], policy=POLICY), value) == 7


def test_urls_in_turn() -> None:
    urls = [f"corbaloc:iiop:1.2@127.0.0.1:{port}/k" for port in (1, 2, 3)]
    source = from_urls(*urls, selection=Selection.ROUND_ROBIN, chance=lambda: 0.4)
    ports = [[endpoint.port for endpoint in Shown.from_iop(source(1.0)).endpoints()] for _ in range(3)]
    assert ports == [[2, 3, 1], [3, 1, 2], [1, 2, 3]]
    for arguments in ([], urls):
        with pytest.raises(ValueError, match="one URL"):
            from_urls(*arguments, selection=Selection.STICKY)


def test_urls_that_lead_nowhere() -> None:
    corbaname = f"corbaname:iiop:1.2@127.0.0.1:{free_port()}#nobody"
    with pytest.raises(FailoverExhausted):
        from_urls(corbaname, policy=POLICY)(5.0)


# --- events -----------------------------------------------------------------------------------------------------------------


def test_events_can_be_counted_and_logged_in_a_line_each(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iiop.failover")
    with ScriptedServer(then=[s.request, s.exception(COMM_FAILURE, 0x464A0114, NO)]) as server:
        error = caller.run(lambda timeout: server.reference(), caller.in_turn(lambda stub: stub.add(1)))[0]
    assert isinstance(error, FailoverExhausted)
    counted = Tally(type(event).__name__ for event in caller.events)
    assert counted == {"Acquired": 3, "AttemptFailed": 3, "BackedOff": 2, "GaveUp": 1}
    lines = [record.getMessage() for record in caplog.records if record.name == "iiop.failover"]
    assert len(lines) == len(caller.events)
    assert all("\n" not in line and line.startswith("add: ") for line in lines)
    assert any("0x464a0114" in line for line in lines)


def test_event_hook_that_raises_stops_no_call(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    class Raising(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            raise RuntimeError("broken hook")

    caller.events = Raising()
    with ScriptedServer([s.fin], then=[s.serve(7)]) as server:
        assert caller.run(lambda timeout: server.reference(), value) == 7
    assert caller.told(Recovered)
    assert "broken hook" in caplog.text


def test_call_that_succeeds_at_once_makes_no_event(caller: Caller) -> None:
    with ScriptedServer(then=[s.serve(7)]) as server:
        caller.run(lambda timeout: server.reference(), caller.in_turn(value, value))
    assert [type(event) for event in caller.events] == [Acquired]


def test_error_of_the_last_try_carries_those_before(caller: Caller) -> None:
    with ScriptedServer(
        [s.request, s.exception(COMM_FAILURE, 1, NO)], [s.request, s.exception(COMM_FAILURE, 2, MAYBE)]
    ) as server:
        error = caller.run(lambda timeout: server.reference(), caller.in_turn(lambda stub: stub.add(1)))[0]
    assert error == COMM_FAILURE(2, MAYBE)
    assert [attempt.error for attempt in error.attempts] == [COMM_FAILURE(1, NO)]


def test_host_name_of_a_peer_writes_no_line_of_its_own() -> None:
    event = AttemptFailed("add", "host\nERROR all is lost:1", ConnectFailed("no\x1b[2J"), NO, 0.0)
    assert str(event).isprintable()
    assert len(str(replace(event, endpoint="h" * 10_000))) < 1000


# --- what a caller gets when time is over -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "expected"), [(Late.INTERSTAGE, COMM_FAILURE(0x464A0101, MAYBE)), (Late.TIMEOUT, TIMEOUT(0, MAYBE))]
)
def test_late_as_asked_for(caller: Caller, late: Late, expected: Exception) -> None:
    policy = replace(POLICY, attempt_timeout=0.2, late=late)
    with ScriptedServer(then=[s.request, s.gone]) as server:
        error = caller.run(lambda timeout: server.reference(), caller.in_turn(lambda stub: stub.add(1)), policy=policy)[0]
        assert server.operations == ["add"]
    assert error == expected
    assert isinstance(error.__cause__, DeadlineExceeded)

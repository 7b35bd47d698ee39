"""A virtual host is watched and driven while it runs: operators in any thread, every event, every number of its status."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from iiop.balancer import Least, Measure, Standing, Threshold
from iiop.exceptions import COMM_FAILURE, NO_IMPLEMENT
from iiop.giop.messages import LocateReply, LocateRequest, Request, key_address
from iiop.giop.wire import encode
from iiop.limits import Limits
from iiop.net.client import Client
from iiop_lab.vhost.events import ClientConnected, ClientGone, Event, Refused, TargetChanged
from iiop_lab.virtual_host import CALLS, NAMING, Delivery, Refusal, Service, Stickiness, Target, VirtualHost
from tests.lab.fronts import KEY, MAYBE, NO, PATIENCE, Front, Node, Server, Start, failure, nobody, request, target_of
from tests.net import scripted
from tests.net.scripted import Counter as CounterStub
from tests.net.scripted import ScriptedServer, gone, locate_here, reply, rst, serve, wait_for
from tests.net.tls import SecureScriptedServer, client_context, server_context, tls_reference

pytestmark = pytest.mark.usefixtures("loop_kind")


class Watcher:
    """Keep the events, and in which thread they were told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.threads: set[int] = set()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.threads.add(threading.get_ident())

    def told(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]

    def changes(self) -> list[tuple[Standing, str]]:
        return [(event.standing, event.reason) for event in self.events if isinstance(event, TargetChanged)]


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


def calls_by(**more: Any) -> tuple[Service]:
    return (Service("calls", **more),)


# --- from any thread --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_in_the_background")
def test_operators_in_many_threads_while_clients_call(a: Node, b: Node, front: Start, watcher: Watcher) -> None:
    """What they say is done in the loop that serves, whole, and is in force when they are answered."""
    vhost = front(a.target, b.target, on_event=watcher)

    def operate(number: int) -> None:
        for _ in range(20):
            name = f"WU{number}"
            vhost.work_unit(b.target, name, runs=False)
            assert vhost.standing(b.target) is Standing.DEGRADED
            vhost.work_unit(b.target, name, runs=True)
            vhost.report(a.target, Measure.CPU, number / 10)
            vhost.serve(Service(name, lambda key: False), [a.target])
            assert len(vhost.status().targets) == 2
            vhost.withdraw(name)

    def call(_number: int) -> set[str]:
        with vhost.connect() as client:
            return {client.who() for _ in range(200)}

    with ThreadPoolExecutor(6) as threads:
        operating = [threads.submit(operate, number) for number in range(4)]
        calling = [threads.submit(call, number) for number in range(2)]
        for each in operating:
            each.result(PATIENCE * 3)
        assert {name for each in calling for name in each.result(PATIENCE * 3)} <= {"a", "b"}
    assert vhost.standing(b.target) is Standing.SERVING
    assert len(watcher.told(TargetChanged)) == 4 * 20 * 2
    assert not vhost.failures
    assert watcher.threads == {vhost.run(ident())}, "all was told in the thread of the loop"


async def ident() -> int:
    return threading.get_ident()


def test_what_is_wrong_is_raised_where_it_was_said(a: Node, front: Start) -> None:
    vhost = front(a.target)
    for say in (vhost.maintain, vhost.release, vhost.standing):
        with pytest.raises(ValueError, match="is no target"):
            say(nobody())
    with pytest.raises(ValueError, match="is no target"):
        vhost.work_unit(nobody(), "TD", runs=False)
    with pytest.raises(ValueError, match="sees it"):
        vhost.report(a.target, Measure.CONNECTIONS, 1)
    with pytest.raises(ValueError, match="two services"):
        vhost.serve(CALLS, [])
    with pytest.raises(KeyError):
        vhost.withdraw("none")


def test_before_it_starts_and_after_it_has_ended(a: Node, b: Node, watcher: Watcher) -> None:
    vhost = Front([a.target, b.target], on_event=watcher)
    vhost.maintain(a.target)
    assert vhost.standing(a.target) is Standing.MAINTENANCE
    assert vhost.status().connections == 0
    with vhost, vhost.connect() as client:
        assert [client.who() for _ in range(4)] == ["b"] * 4
    vhost.release(a.target)
    assert vhost.status().targets[1].answered == 4
    assert watcher.changes() == [(Standing.MAINTENANCE, "is in maintenance"), (Standing.SERVING, "is released from maintenance")]


def test_in_the_loop_of_its_user_and_from_another_thread(a: Node) -> None:
    async def run() -> None:
        async with VirtualHost([a.target]) as vhost:
            vhost.maintain(a.target)
            assert vhost.standing(a.target) is Standing.MAINTENANCE
            await asyncio.to_thread(vhost.release, a.target)
            assert (await asyncio.to_thread(vhost.status)).targets[0].standing is Standing.SERVING

    asyncio.run(run())


def test_who_is_told_may_operate(a: Node, b: Node, front: Start) -> None:
    """A watcher that takes a target out as soon as the first client comes."""
    told: list[Event] = []

    def watch(event: Event) -> None:
        told.append(event)
        if isinstance(event, ClientConnected):
            vhost.maintain(a.target)

    vhost = front(a.target, b.target, on_event=watch)
    with vhost.connect() as client:
        assert [client.who() for _ in range(4)] == ["b"] * 4
    assert [type(event) for event in told[:2]] == [ClientConnected, TargetChanged]


def test_a_service_that_comes_later_knows_what_was_said_of_its_targets(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=(NAMING,))
    vhost.maintain(a.target)
    vhost.serve(CALLS, [a.target, b.target], first=True)
    with vhost.connect() as client:
        assert [client.who() for _ in range(4)] == ["b"] * 4
        vhost.release(a.target)
        assert {client.who() for _ in range(4)} == {"a", "b"}


# --- events -----------------------------------------------------------------------------------------------------------


def test_clients_that_come_and_go(a: Node, watcher: Watcher) -> None:
    with Front([a.target], on_event=watcher) as vhost:
        with vhost.connect() as client:
            client.who()
            name = "{}:{}".format(*client.sock.getsockname())
            assert watcher.events == [ClientConnected(name)]
        vhost.until(lambda: not vhost.connections)
        assert watcher.events == [ClientConnected(name), ClientGone(name)]
        stays = vhost.connect()
        stays.who()
    last = "{}:{}".format(*stays.sock.getsockname())
    stays.sock.close()
    assert watcher.events[2:] == [ClientConnected(last), ClientGone(last)], "all have gone when it has stopped"
    assert watcher.events[0].as_json() == {"event": "ClientConnected", "client": name}


def test_a_client_that_speaks_tls_has_come_once_and_gone_once(front: Start, watcher: Watcher) -> None:
    with SecureScriptedServer(server_context(), then=[serve(7)]) as server:
        vhost = front(Target("127.0.0.1", 1, server.port), on_event=watcher)
        with Client(ssl=client_context()) as client:
            assert client.stub(tls_reference(vhost.port), CounterStub).add(1) == 7
            assert [type(event) for event in watcher.events] == [ClientConnected]
            assert vhost.status().connections == 1
        vhost.until(lambda: not vhost.connections)
        came, went = watcher.told(ClientConnected, ClientGone)
        assert (type(came), type(went)) == (ClientConnected, ClientGone)
        assert came.client == went.client  # type: ignore[attr-defined]


def test_what_operators_say(a: Node, front: Start, watcher: Watcher) -> None:
    vhost = front(a.target, on_event=watcher)
    for _ in range(2):
        vhost.maintain(a.target)
    vhost.work_unit(a.target, "ISSAMPLE1", runs=False)
    vhost.release(a.target)
    vhost.work_unit(a.target, "ISSAMPLE2", runs=False)
    vhost.work_unit(a.target, "ISSAMPLE1", runs=True)
    vhost.work_unit(a.target, "ISSAMPLE2", runs=True)
    assert watcher.changes() == [
        (Standing.MAINTENANCE, "is in maintenance"),
        (Standing.MAINTENANCE, "WorkUnit ISSAMPLE1 has stopped"),
        (Standing.DEGRADED, "is released from maintenance"),
        (Standing.DEGRADED, "WorkUnit ISSAMPLE2 has stopped"),
        (Standing.DEGRADED, "WorkUnit ISSAMPLE1 runs again"),
        (Standing.SERVING, "WorkUnit ISSAMPLE2 runs again"),
    ]
    assert watcher.events[0].as_json() == {
        "event": "TargetChanged",
        "target": str(a.target),
        "standing": "maintenance",
        "reason": "is in maintenance",
    }


def test_a_target_that_dies_and_returns(a: Node, front: Start, watcher: Watcher, caplog: pytest.LogCaptureFixture) -> None:
    vhost = front(a.target, on_event=watcher)
    with vhost.connect() as client:
        assert client.who() == "a"
        assert vhost.status().targets[0].error == ""
        assert vhost.status().targets[0].error_age is None
        a.stop()
        assert failure(client.call("who")) == (COMM_FAILURE, 0x464A0114, NO)
        ((standing, reason),) = watcher.changes()
        assert standing is Standing.DEAD
        assert reason.startswith("left: ")
        assert "connect" in reason.lower()
        shown = vhost.status().targets[0]
        assert shown.standing is Standing.DEAD
        assert f"left: {shown.error}" == reason
        assert shown.error_age is not None
        assert 0 <= shown.error_age < PATIENCE
        a.start()
        vhost.until(lambda: vhost.standing(a.target) is Standing.SERVING)
        assert watcher.changes()[1:] == [(Standing.SERVING, "is back")]
        back = vhost.status().targets[0]
        assert back.error == shown.error, "why it left last"
        assert back.error_age is not None
        assert back.error_age >= shown.error_age
    assert f"{a.target} {reason}" in caplog.messages


def test_limits_passed_by_what_is_reported(a: Node, front: Start, watcher: Watcher) -> None:
    """They are told as soon as they are reported, though nobody calls."""
    limit = Threshold(Measure.WAITING_MESSAGES, upper=100, restoration=50)
    vhost = front(a.target, services=(NAMING, Service("calls", thresholds=(limit,))), on_event=watcher)
    for waiting in (99, 100, 150, 50, 49, 99):
        vhost.report(a.target, Measure.WAITING_MESSAGES, waiting)
    assert watcher.changes() == [
        (Standing.FULL, "calls: waiting_messages 100 is over the limit 100"),
        (Standing.SERVING, "calls: waiting_messages 49 is below the restoration value 50"),
    ]


def test_limits_passed_by_what_is_seen(front: Start, watcher: Watcher) -> None:
    limit = Threshold(Measure.CONNECTIONS, upper=1, restoration=1)
    go = threading.Event()
    with ScriptedServer([scripted.request, wait_for(go), reply(1), gone]) as server:
        vhost = front(target_of(server), services=calls_by(thresholds=(limit,)), on_event=watcher)
        with vhost.connect() as client, vhost.connect() as other:
            client.send(request("who", id=2))
            server.wait_received(1)
            assert not watcher.changes(), "nobody has looked"
            assert failure(other.call("who")) == (COMM_FAILURE, 0x464A0114, NO)
            assert watcher.changes() == [(Standing.FULL, "calls: connections 1 is over the limit 1")]
            (refused,) = watcher.told(Refused)
            assert isinstance(refused, Refused)
            assert refused.reason == f"no target of calls takes it: {target_of(server)} (full)"
            go.set()
            client.receive()
            assert vhost.status().targets[0].standing is Standing.SERVING
            assert watcher.changes()[1:] == [(Standing.SERVING, "calls: connections 0 is below the restoration value 1")]


def test_refusals(front: Start, watcher: Watcher) -> None:
    """Nobody got it, somebody did, objects bound to processes, a LocateRequest, a oneway: each is told, and counted."""
    bound = Service("bound", lambda key: key.startswith(b"bound"), process_bind=True)
    with ScriptedServer([scripted.request, rst], then=[locate_here, gone]) as breaks:
        vhost = front(
            target_of(breaks), services=(bound, CALLS), refusal=Refusal(0x464A0914), on_event=watcher, probe_interval=60.0
        )
        with vhost.connect() as client:
            name = "{}:{}".format(*client.sock.getsockname())
            assert failure(client.call("who", key=b"bound1")) == (NO_IMPLEMENT, 10007, NO)
            assert failure(client.call("who")) == (COMM_FAILURE, 0x464A0914, MAYBE)
            vhost.maintain(target_of(breaks))  # wherever the probe of the broken target has got to
            assert failure(client.call("refuse")) == (COMM_FAILURE, 0x464A0914, NO)
            client.send(request("take", b"", id=100, flags=0))
            client.send(LocateRequest(102, key_address(KEY)))
            assert isinstance(client.receive(), LocateReply)
        refused = watcher.told(Refused)
        assert all(isinstance(event, Refused) and event.client == name for event in refused)
        assert [
            (event.operation, event.exception, event.minor, event.completed, event.delivery)  # type: ignore[attr-defined]
            for event in refused
        ] == [
            ("who", "NO_IMPLEMENT", 10007, NO, Delivery.REPLY),
            ("who", "COMM_FAILURE", 0x464A0914, MAYBE, Delivery.REPLY),
            ("refuse", "COMM_FAILURE", 0x464A0914, NO, Delivery.REPLY),
            ("take", "COMM_FAILURE", 0x464A0914, NO, None),
            ("", "COMM_FAILURE", 0x464A0914, NO, Delivery.REPLY),
        ]
        reasons = [event.reason for event in refused]  # type: ignore[attr-defined]
        assert reasons[0] == "the objects of bound are bound to processes"
        assert reasons[1].startswith(f"{target_of(breaks)}: ")
        assert reasons[2:] == [f"no target of calls takes it: {target_of(breaks)} (maintenance)"] * 3
        assert vhost.status().refusals == {NO: 4, MAYBE: 1}
        assert json.loads(json.dumps(refused[1].as_json())) == {
            "event": "Refused",
            "client": name,
            "operation": "who",
            "exception": "COMM_FAILURE",
            "minor": 0x464A0914,
            "completed": "COMPLETED_MAYBE",
            "delivery": "reply",
            "reason": reasons[1],
        }
        assert str(refused[4]).startswith(f"{name} was refused a LocateRequest with COMM_FAILURE 0x464a0914 COMPLETED_NO: ")


def test_a_refusal_of_what_did_not_run(front: Start, watcher: Watcher) -> None:
    orderly = [scripted.request, scripted.close_connection, gone]
    with ScriptedServer(orderly, then=[locate_here, gone]) as server:
        vhost = front(target_of(server), on_event=watcher, probe_interval=60.0)
        with vhost.connect() as client:
            assert failure(client.call("take", bytes(100_000))) == (COMM_FAILURE, 0x464A0114, NO)
        (refused,) = watcher.told(Refused)
        assert isinstance(refused, Refused)
        assert refused.reason == f"{target_of(server)} closed before it ran, and it is too long to be sent again"
        assert vhost.status().targets[0].error == "", "that is no error"


def test_a_refusal_of_one_too_many(one: Server, front: Start, watcher: Watcher, caplog: pytest.LogCaptureFixture) -> None:
    with front(one.target, on_event=watcher, limits=Limits(outstanding=1)).connect() as client:
        client.send(request("who", id=2))
        one.accept()
        client.send(request("who", id=4))
        assert failure(client.receive()) == (COMM_FAILURE, 0x464A0114, NO)
    (refused,) = watcher.told(Refused)
    assert isinstance(refused, Refused)
    assert refused.reason == "more requests waiting than the limit outstanding=1"
    assert any(record.levelname == "ERROR" and refused.reason in record.message for record in caplog.records)


def test_a_refusal_by_the_end_of_the_connection(front: Start, watcher: Watcher) -> None:
    with front(nobody(), refusal=Refusal(delivery=Delivery.CLOSE), on_event=watcher).connect() as client:
        client.send(request("who"))
        assert client.receive() is None
    (refused,) = watcher.told(Refused)
    assert isinstance(refused, Refused)
    assert (refused.completed, refused.delivery) == (NO, Delivery.CLOSE)


def test_a_watcher_that_fails_harms_nobody(a: Node, front: Start, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError(f"no room for {type(event).__name__}")

    vhost = front(a.target, on_event=fail)
    with vhost.connect() as client:
        assert client.who() == "a"
        vhost.maintain(a.target)
        assert failure(client.call("who")) == (COMM_FAILURE, 0x464A0114, NO)
        vhost.release(a.target)
        assert client.who() == "a"
    errors = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert errors[:4] == [f"no room for {kind}" for kind in ("ClientConnected", "TargetChanged", "Refused", "TargetChanged")]


# --- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stickiness", [Stickiness.CALL, Stickiness.CONNECTION, Stickiness.ADDRESS])
def test_calls_and_octets_to_the_octet(a: Node, b: Node, front: Start, stickiness: Stickiness) -> None:
    vhost = front(a.target, b.target, services=calls_by(stickiness=stickiness))
    sent = {"a": 0, "b": 0}
    called = {"a": 0, "b": 0}
    for _ in range(2):
        with vhost.connect() as client:
            for number in range(50):
                octets = encode(request("who", id=2 * number))
                client.send(octets)
                answer = client.octets()
                name = chr(answer[-2])
                called[name] += 1
                sent[name] += len(octets) + len(answer)
    vhost.until(lambda: not vhost.connections)
    status = vhost.status()
    shown = dict(zip("ab", status.targets, strict=True))
    for name, target in shown.items():
        assert (target.answered, target.octets, target.under_way) == (called[name], sent[name], 0)
        assert (target.p50 is None) == (called[name] == 0)
    assert sum(called.values()) == 100
    assert status.refusals == {}


def test_latencies_of_a_target(front: Start) -> None:
    """Of 100 answers 98 are quick and 2 take a fifth of a second at least: the median is a quick one's, the 99th not."""
    slow = 0.2
    served = 0

    def mostly_quickly(peer: scripted.Peer) -> None:
        nonlocal served
        while isinstance(peer.receive(), Request):
            served += 1
            if served % 50 == 0:
                until = time.monotonic() + slow
                while (left := until - time.monotonic()) > 0:
                    threading.Event().wait(left)
            reply(1)(peer)

    with ScriptedServer([mostly_quickly]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            times = []
            for _ in range(100):
                before = time.monotonic()
                client.call("who")
                times.append(time.monotonic() - before)
        (shown,) = vhost.status().targets
        assert shown.answered == 100
        assert shown.p50 is not None
        assert shown.p99 is not None
        times.sort()
        assert 0 < shown.p50 <= times[49] * 1.06, "the client has waited as long, and longer"
        assert slow / 1.06 <= shown.p99 <= times[98] * 1.06
        assert shown.response_time >= slow * 0.25, "the last counts a quarter"


def test_what_is_under_way_and_reported(front: Start) -> None:
    go = threading.Event()
    with ScriptedServer([scripted.request, wait_for(go), reply(1), gone]) as server:
        vhost = front(target_of(server), services=(NAMING, CALLS))
        vhost.report(target_of(server), Measure.CPU, 0.5)
        vhost.report(target_of(server), Measure.WAITING_MESSAGES, 3)
        with vhost.connect() as client:
            client.send(request("who", id=2))
            server.wait_received(1)
            status = vhost.status()
            (shown,) = status.targets
            assert (status.connections, shown.under_way, shown.answered) == (1, 1, 0)
            assert shown.reported == {Measure.CPU: 0.5, Measure.WAITING_MESSAGES: 3}
            assert (shown.response_time, shown.p50, shown.p99) == (0.0, None, None)
            go.set()
            client.receive()
        assert vhost.status().targets[0].under_way == 0


def test_a_status_sums_services_up_and_stays_as_it_was(a: Node, front: Start) -> None:
    vhost = front(a.target)
    with vhost.connect() as client:
        client.naming_of()
        client.who()
        client.who()
        status = vhost.status()
        (shown,) = status.targets
        assert (shown.answered, shown.under_way) == (3, 1), "the connection stays for the Naming Service"
        naming, calls = (vhost.balancer(name).state(a.target).response_time for name in ("naming", "calls"))
        assert shown.response_time == pytest.approx((naming + 2 * calls) / 3)
        client.who()
        vhost.report(a.target, Measure.CPU, 1.0)
        assert (shown.answered, shown.reported) == (3, {})
        assert vhost.status().targets[0].answered == 4
    said = json.loads(json.dumps(status.as_json()))
    assert said["connections"] == 1
    assert said["refusals"] == {}
    assert said["targets"][0]["target"] == str(a.target)
    assert said["targets"][0]["standing"] == "serving"
    assert said["targets"][0]["answered"] == 3
    assert said["targets"][0]["p99"] == shown.p99


def test_full_in_one_service_is_seen_in_the_standing(a: Node, front: Start) -> None:
    limits = (Threshold(Measure.CPU, 0.9, 0.5),)
    vhost = front(a.target, services=(NAMING, Service("calls", thresholds=limits, policy=lambda: Least(Measure.CPU))))
    vhost.report(a.target, Measure.CPU, 0.95)
    assert vhost.standing(a.target) is vhost.status().targets[0].standing is Standing.FULL
    vhost.maintain(a.target)
    assert vhost.standing(a.target) is Standing.MAINTENANCE


def test_the_failure_of_a_target_that_lives(front: Start) -> None:
    with ScriptedServer([scripted.request, scripted.message_error, gone], then=[locate_here, gone]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            assert failure(client.call("who")) == (COMM_FAILURE, 0x464A0114, MAYBE)
            (shown,) = vhost.status().targets
            assert (shown.standing, shown.error) == (Standing.SERVING, "it answered MessageError")

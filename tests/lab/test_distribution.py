"""What goes where, through real sockets: every policy against its arithmetic, limits, who stays with whom, what operators say."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iiop.balancer import LOAD, Least, Measure, Random, RoundRobin, Standing, Threshold, Weighted
from iiop.endpoints import endpoints
from iiop.exceptions import COMM_FAILURE, NO_IMPLEMENT, ConnectionLost, FailoverExhausted
from iiop.giop.messages import CloseConnection, LocateReply, LocateRequest, LocateStatus, Request, key_address
from iiop.idl import Interface, Servant, operation
from iiop.iop import IOR, IOR_CODEC
from iiop.net.client import Client
from iiop.profile import ProfileBody, Version, encode_profile
from iiop_lab.vhost.services import Delivery
from iiop_lab.virtual_host import CALLS, IPCOM_MINOR, NAMING, Probe, Refusal, Service, Stickiness, Target
from ior import IOR as Reference  # noqa: N811
from tests import peers
from tests.lab.fronts import KEY, LONG, MAYBE, NO, PATIENCE, Front, Node, Raw, Start, failure, nobody, request, target_of
from tests.net import scripted
from tests.net.scripted import ScriptedServer, gone, locate_here, reply, rst, wait_for

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")


def distributed(policy: Callable[[], Any] = RoundRobin, stickiness: Stickiness = Stickiness.CALL, **more: Any) -> tuple[Service]:
    return (Service("calls", stickiness=stickiness, policy=policy, **more),)


def turns(vhost: Front, count: int) -> list[str]:
    with vhost.connect() as client:
        return [client.who() for _ in range(count)]


# --- policies ---------------------------------------------------------------------------------------------------------


def test_round_robin_over_thousands_of_calls(a: Node, b: Node, node: Callable[[str], Node], front: Start) -> None:
    vhost = front(a.target, b.target, node("c").target, services=distributed())
    assert turns(vhost, 3000) == ["a", "b", "c"] * 1000
    assert [vhost.calls.state(target).picks for target in vhost.targets] == [1000] * 3


def test_random_is_what_its_seed_says(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=distributed(lambda: Random(random.Random(7).random)))
    chance = random.Random(7).random
    seen = turns(vhost, 2000)
    assert seen == ["ab"[int(2 * chance())] for _ in range(2000)]
    assert set(seen) == {"a", "b"}


def test_weights(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=distributed(lambda: Weighted({a.target: 3, b.target: 1})))
    seen = turns(vhost, 2000)
    for start in range(0, 2000, 4):
        assert Counter(seen[start : start + 4]) == {"a": 3, "b": 1}


def test_least_connections_with_calls_under_way(front: Start) -> None:
    go = threading.Event()
    slow = [scripted.request, wait_for(go), gone]
    with ScriptedServer(slow) as one, ScriptedServer([scripted.serve(2)]) as two:
        vhost = front(target_of(one), target_of(two), services=distributed(lambda: Least(Measure.CONNECTIONS)))
        with vhost.connect() as client:
            client.send(request("who", id=1_000_001))  # waits at one
            one.wait_received(1)
            for _ in range(1000):
                assert client.call("who").body.decode(LONG) == (2,)
            assert [vhost.calls.state(target).under_way for target in vhost.targets] == [1, 0]
            go.set()
        vhost.until(lambda: not vhost.connections)
        assert [vhost.calls.state(target).under_way for target in vhost.targets] == [0, 0]
        assert vhost.calls.state(target_of(two)).picks == 1000


def test_least_response_time(front: Start) -> None:
    def slowly(peer: scripted.Peer) -> None:
        while isinstance(peer.receive(), Request):
            threading.Event().wait(0.02)
            reply(1)(peer)

    with ScriptedServer([slowly]) as slow, ScriptedServer([scripted.serve(2)]) as quick:
        vhost = front(target_of(slow), target_of(quick), services=distributed(lambda: Least(Measure.RESPONSE_TIME)))
        with vhost.connect() as client:
            seen = Counter(client.call("who").body.decode(LONG)[0] for _ in range(1000))
        assert seen[1] <= 3
        assert vhost.calls.state(target_of(slow)).response_time >= 0.02
        quickly = vhost.calls.state(target_of(quick)).response_time
        assert 0 < quickly < 0.02
        assert quickly % 0.001, "finer than milliseconds"


def test_least_data(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=distributed(lambda: Least(Measure.DATA_QUANTITY)))
    with vhost.connect() as client:
        client.call("take", bytes(1_000_000))
        seen = [client.who() for _ in range(1000)]
    assert seen == ["b"] * 1000  # their 100 kB or so are less


@pytest.mark.parametrize("measure", LOAD)
def test_least_load_as_reported(a: Node, b: Node, front: Start, measure: Measure) -> None:
    vhost = front(a.target, b.target, services=distributed(lambda: Least(*LOAD)))
    with vhost.connect() as client:
        for busy, idle in ((a, b), (b, a)):
            vhost.report(busy.target, measure, 0.9)
            vhost.report(idle.target, measure, 0.1)
            assert [client.who() for _ in range(500)] == [idle.name] * 500


@pytest.mark.parametrize("measure", [Measure.WAITING_MESSAGES, Measure.BUFFER_USE])
def test_limits_and_restoration(a: Node, b: Node, front: Start, measure: Measure) -> None:
    limit = Threshold(measure, upper=0.8, restoration=0.5)
    vhost = front(a.target, b.target, services=distributed(lambda: Least(measure), thresholds=(limit,)))
    with vhost.connect() as client:
        vhost.report(a.target, measure, 0.8)
        assert [client.who() for _ in range(1000)] == ["b"] * 1000
        vhost.report(b.target, measure, 2.0)
        for _ in range(1000):
            assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, NO)
        vhost.report(a.target, measure, 0.5)  # not yet below
        assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, NO)
        assert vhost.standing(a.target) is Standing.FULL
        vhost.report(a.target, measure, 0.49)
        assert [client.who() for _ in range(1000)] == ["a"] * 1000
        assert vhost.standing(a.target) is Standing.SERVING


# --- who stays with whom ----------------------------------------------------------------------------------------------


def test_by_connection(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=distributed(stickiness=Stickiness.CONNECTION))
    assert [turns(vhost, 50) for _ in range(4)] == [["a"] * 50, ["b"] * 50] * 2


def test_idle_connections_count_where_connections_are_distributed(a: Node, b: Node, front: Start) -> None:
    services = distributed(lambda: Least(Measure.CONNECTIONS), Stickiness.CONNECTION)
    vhost = front(a.target, b.target, services=services)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(vhost.connect()) for _ in range(6)]
        assert [client.who() for client in clients] == ["a", "b"] * 3
        for client in clients[::2]:
            client.sock.close()
        vhost.until(lambda: vhost.calls.state(a.target).under_way == 0)
        assert [turns(vhost, 2) for _ in range(3)] == [["a"] * 2] * 3
        held = [stack.enter_context(vhost.connect()) for _ in range(3)]
        assert [client.who() for client in held] == ["a"] * 3
    vhost.until(lambda: not vhost.connections)
    assert [vhost.calls.state(target).under_way for target in vhost.targets] == [0, 0]


def test_by_address(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=distributed(stickiness=Stickiness.ADDRESS))

    def client(last: int) -> Raw:
        return Raw(socket.create_connection(("127.0.0.1", vhost.port), PATIENCE, source_address=(f"127.0.0.{last}", 0)))

    for _ in range(3):
        for last, name in ((2, "a"), (3, "b"), (4, "a"), (5, "b")):
            with client(last) as one:
                assert [one.who() for _ in range(5)] == [name] * 5
    a.stop()
    with client(2) as one:
        assert one.who() == "b"


class Home(Interface):
    repository_id = "IDL:test/Home:1.0"

    @operation
    def create(self) -> IOR:  # type: ignore[empty-body]
        """Make an object of a session."""

    @operation
    def remove(self) -> None:
        """End the session."""

    @operation
    def where(self) -> str:  # type: ignore[empty-body]
        """Tell the name of the server."""


class HomeServant(Servant):
    interface = Home

    def __init__(self, node: Node, port: Callable[[], int]) -> None:
        self.node = node
        self.port = port
        self.made = itertools.count()

    def create(self) -> IOR:
        key = f"session {self.node.name}{next(self.made)}".encode()
        self.node.server.adapter.activate(key, SessionServant(self.node.name))
        profile = encode_profile(ProfileBody(Version(1, 2), "127.0.0.1", self.port(), key))
        return IOR(Home.repository_id, (profile,))

    def where(self) -> str:
        return self.node.name


class SessionServant(Servant):
    interface = Home

    def __init__(self, name: str) -> None:
        self.name = name

    def where(self) -> str:
        return self.name

    def remove(self) -> None:
        pass


def home_call(client: Raw, operation: str, key: bytes) -> Any:
    return client.call(operation, key=key)


def where(client: Raw, key: bytes) -> str:
    name: str = client.call("where", key=key).body.decode(Home.operations()["where"].results)[0]
    return name


def create(client: Raw) -> bytes:
    reference = client.call("create", key=b"home").body.decode(IOR_CODEC, exact=False)
    key: bytes = endpoints(reference)[0].object_key
    return key


@pytest.fixture
def homes(a: Node, b: Node, front: Start) -> Front:
    vhost = front(a.target, b.target, services=distributed(stickiness=Stickiness.SESSION))
    for one in (a, b):
        one.server.adapter.activate(b"home", HomeServant(one, lambda: vhost.port))
    return vhost


def test_sessions_stay_until_removed(homes: Front) -> None:
    place = homes.places["calls"]
    with homes.connect() as client, homes.connect() as other:
        keys = [create(client) for _ in range(100)]
        assert place.sessions == 100
        servers = [where(client, key) for key in keys]
        assert servers == ["a", "b"] * 50
        for _ in range(5):
            assert [where(other, key) for key in keys] == servers, "by whatever connection"
        assert {where(client, b"home") for _ in range(2)} == {"a", "b"}, "the home itself is distributed"
        for key in keys:
            other.call("remove", key=key)
        assert place.sessions == 0
    homes.until(lambda: not homes.connections)


def test_sessions_of_a_dead_server_go_nowhere_else(homes: Front, a: Node) -> None:
    with homes.connect() as client:
        keys = [create(client) for _ in range(4)]
        here = {key: where(client, key) for key in keys}
        a.stop()
        homes.until(lambda: a.target not in homes.calls.live)
        for key, name in here.items():
            if name == "a":
                assert failure(client.call("where", key=key)) == (COMM_FAILURE, IPCOM_MINOR, NO)
            else:
                assert where(client, key) == "b"
        a.start()
        homes.until(lambda: a.target in homes.calls.live)
        for key, name in here.items():
            if name == "a":  # it is asked itself, and has forgotten
                assert failure(client.call("where", key=key))[0].__name__ == "OBJECT_NOT_EXIST"


# --- what operators say -----------------------------------------------------------------------------------------------


def test_maintenance_under_load_fails_no_call(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    done, failures, seen = threading.Event(), [], Counter[str]()

    def load() -> None:
        try:
            while not done.is_set():
                with vhost.connect() as client:
                    for _ in range(20):
                        seen[client.who()] += 1
                        client.naming_of()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for target, _ in itertools.product((a.target, b.target), range(3)):
        before = sum(seen.values())
        vhost.maintain(target)
        vhost.until(lambda target=target: vhost.calls.state(target).under_way == 0)  # type: ignore[misc]
        picks = vhost.calls.state(target).picks
        vhost.until(lambda before=before: sum(seen.values()) > before + 40)  # type: ignore[misc]
        assert vhost.calls.state(target).picks == picks
        assert vhost.standing(target) is Standing.MAINTENANCE
        vhost.release(target)
        vhost.until(lambda target=target, picks=picks: vhost.calls.state(target).picks > picks)  # type: ignore[misc]
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert not vhost.failures
    assert vhost.deaths(a.target) == vhost.deaths(b.target) == 0


def test_who_is_bound_may_stay_in_maintenance(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target, services=distributed(stickiness=Stickiness.CONNECTION))
    with vhost.connect() as bound:
        assert bound.who() == "a"
        vhost.maintain(a.target)
        assert bound.who() == "a"
        assert turns(vhost, 2) + turns(vhost, 2) == ["b"] * 4
        vhost.release(a.target)


def test_a_call_under_way_is_not_cut_by_maintenance(front: Start) -> None:
    go = threading.Event()
    with ScriptedServer([scripted.request, wait_for(go), reply(1), gone]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            client.send(request("who", id=2))
            server.wait_received(1)
            vhost.maintain(target_of(server))
            with vhost.connect() as other:
                assert failure(other.call("who")) == (COMM_FAILURE, IPCOM_MINOR, NO)
            go.set()
            answer = client.receive()
            assert answer.body.decode(LONG) == (1,)  # type: ignore[union-attr]


def test_a_monitored_work_unit(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    with vhost.connect() as client:
        vhost.work_unit(a.target, "WU1", runs=False)
        assert vhost.standing(a.target) is Standing.DEGRADED
        assert [client.who() for _ in range(10)] == ["b"] * 10
        vhost.work_unit(b.target, "WU1", runs=False)
        assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, NO)
        vhost.work_unit(a.target, "WU1", runs=True)
        assert [client.who() for _ in range(10)] == ["a"] * 10


def test_a_server_that_dies_with_its_work_unit(a: Node, b: Node, front: Start) -> None:
    """Nothing is sent to it any more from when the WorkUnit stops; that it has died is found all the same."""
    vhost = front(a.target, b.target, probe_interval=0.02)
    vhost.work_unit(a.target, "WU1", runs=False)
    a.stop()
    vhost.until(lambda: vhost.standing(a.target) is Standing.DEAD)


# --- how failures are told --------------------------------------------------------------------------------------------

CLOSED = Refusal(minor=0x464A0914, delivery=Delivery.CLOSE)


def test_failures_told_by_the_end_of_the_connection(front: Start) -> None:
    with front(nobody(), refusal=CLOSED).connect() as client:
        client.send(request("who"))
        assert client.receive() is None


def test_another_minor(front: Start) -> None:
    with front(nobody(), refusal=Refusal(minor=0x464A0914)).connect() as client:
        assert failure(client.call("who")) == (COMM_FAILURE, 0x464A0914, NO)


@pytest.mark.parametrize("delivery", Delivery)
def test_failures_seen_by_clients(front: Start, delivery: Delivery, omni_client: peers.OmniClient) -> None:
    vhost = front(nobody(), refusal=Refusal(0x464A0914, delivery))
    reference = IOR(Home.repository_id, (encode_profile(ProfileBody(Version(1, 2), "127.0.0.1", vhost.port, KEY)),))
    told = FailoverExhausted if delivery is Delivery.REPLY else ConnectionLost
    with Client() as client, pytest.raises(told) as caught:
        client.stub(reference, Home).remove()
    if isinstance(caught.value, FailoverExhausted):
        assert {repr(attempt.error) for attempt in caught.value.attempts} == {repr(COMM_FAILURE(0x464A0914, NO))}
    else:
        assert caught.value.completed is MAYBE, "the request had left"  # type: ignore[attr-defined]
    seen = omni_client.naming(f"corbaloc::127.0.0.1:{vhost.port}/NameService", checked=False).outcome("resolve", peers.name("x"))
    if delivery is Delivery.REPLY:
        assert (seen.name, seen.minor, seen.completed) == ("COMM_FAILURE", 0x464A0914, "COMPLETED_NO")
    else:
        assert (seen.kind, seen.name) == ("system", "COMM_FAILURE")


def test_process_bind_is_refused(a: Node, front: Start) -> None:
    bound = Service("bound", lambda key: key.startswith(b"bound"), process_bind=True)
    with front(a.target, services=(NAMING, bound, CALLS)).connect() as client:
        assert failure(client.call("who", key=b"bound1")) == (NO_IMPLEMENT, 10007, NO)
        client.send(LocateRequest(8, key_address(b"bound1")))
        answer = client.receive()
        assert isinstance(answer, LocateReply)
        assert answer.locate_status is LocateStatus.LOC_SYSTEM_EXCEPTION
        assert client.who() == "a"


def test_completion_status_is_what_was_sent(b: Node, front: Start) -> None:
    """Nobody got it: NO; somebody did: MAYBE; a close in order: NO, even if it is too long to be sent again."""
    orderly = [scripted.request, lambda peer: peer.sock.sendall(scripted.encode(CloseConnection())), gone]
    with ScriptedServer(orderly, then=[scripted.locate_here, gone]) as closes:
        vhost = front(target_of(closes))
        with vhost.connect() as client:
            assert failure(client.call("take", bytes(100_000))) == (COMM_FAILURE, IPCOM_MINOR, NO)
            assert vhost.calls.state(target_of(closes)).under_way == 0
        assert vhost.failures == {NO: 1}
    with ScriptedServer([scripted.request, rst], then=[locate_here, gone]) as breaks:
        vhost = front(target_of(breaks))
        with vhost.connect() as client:
            assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)
            assert vhost.calls.state(target_of(breaks)).under_way == 0


# --- probes -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def echo_process() -> Iterator[tuple[subprocess.Popen[str], Target]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.echo_server"],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    ) as process:
        assert process.stdout is not None
        endpoint = Reference.from_string(process.stdout.readline().strip()).endpoints()[0]
        yield process, Target(endpoint.host, endpoint.port)
        process.kill()


def test_a_stopped_process_is_found_by_probing_the_living(front: Start) -> None:
    with echo_process() as (process, target):
        vhost = front(target, probe_live=True, probe_interval=0.02, connect_timeout=0.2)
        vhost.until(lambda: vhost.standing(target) is Standing.SERVING)
        os.kill(process.pid, signal.SIGSTOP)
        vhost.until(lambda: vhost.standing(target) is Standing.DEAD)
        os.kill(process.pid, signal.SIGCONT)
        vhost.until(lambda: vhost.standing(target) is Standing.SERVING)


def test_a_stopped_process_passes_for_alive_to_who_only_connects(front: Start) -> None:
    with ScriptedServer([scripted.request, rst], then=[gone]) as hangs:
        vhost = front(target_of(hangs), probe=Probe.CONNECT)
        with vhost.connect() as client:
            assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)
        vhost.until(lambda: vhost.standing(target_of(hangs)) is Standing.SERVING)
        assert vhost.deaths(target_of(hangs)) == 1

"""The virtual host in front of servers that live, die, hang and misbehave, seen by bare sockets, our client and omniORBpy."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from pathlib import Path

import pytest

import iiop_lab
from iiop.cdr import ByteOrder
from iiop.exceptions import COMM_FAILURE, ConnectionLost
from iiop.failover import FailoverPolicy
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_0,
    GIOP_1_1,
    CloseConnection,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    key_address,
)
from iiop.iop import IOR
from iiop.limits import Limits
from iiop.net.aio import AsyncConnection
from iiop.profile import ProfileBody, Version, encode_profile
from iiop_lab.sample import IMPLEMENTATION_ID, Journal, SampleServant, TdTest, runs
from iiop_lab.virtual_host import IPCOM_MINOR, Target, VirtualHost, is_naming_key
from naming import NameService
from naming.registration import Registration, object_key
from tests import peers
from tests.lab.fronts import (
    KEY,
    LONG,
    MAYBE,
    NAMING_KEY,
    NO,
    PATIENCE,
    VERSIONS,
    Front,
    Node,
    Start,
    Teller,
    alive,
    failure,
    nobody,
    request,
    shown,
    target_of,
)
from tests.net import scripted
from tests.net.scripted import ScriptedServer, close_connection, fin, gone, locate_here, message_error, reply, rst, tell, wait_for

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")


# --- distribution -----------------------------------------------------------------------------------------------------


def test_calls_of_one_connection_go_round(a: Node, b: Node, front: Start) -> None:
    with front(a.target, b.target).connect() as client:
        assert [client.who() for _ in range(10)] == ["a", "b"] * 5


def test_the_rotation_goes_on_over_connections(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    with vhost.connect() as one, vhost.connect() as two:
        assert [one.who(), two.who(), two.who(), one.who()] == ["a", "b", "a", "b"]


def test_naming_stays_with_the_target_of_the_connection(a: Node, b: Node, front: Start) -> None:
    with front(a.target, b.target).connect() as client:
        names = set()
        for _ in range(6):
            names.add(client.naming_of())
            client.who()
        assert len(names) == 1


def test_a_new_connection_is_given_another_naming_service(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    seen = []
    for _ in range(4):
        with vhost.connect() as client:
            seen.append(client.naming_of())
    assert seen == ["a", "b", "a", "b"]


def test_naming_traffic_takes_no_turn_of_calls(a: Node, b: Node, front: Start) -> None:
    with front(a.target, b.target).connect() as client:
        seen = []
        for _ in range(4):
            seen.append(client.who())
            client.naming_of()
        assert seen == ["a", "b", "a", "b"]


@pytest.mark.parametrize("key", [b"NameService", b"context.1", b"BindingIterator.7"])
def test_keys_of_the_naming_service(key: bytes) -> None:
    assert is_naming_key(key)
    assert not is_naming_key(b"x" + key)


def test_our_client_is_distributed_by_session(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    seen = []
    for _ in range(4):
        with NameService(f"127.0.0.1:{vhost.port}") as names:
            seen.append({names.resolve("me").type_id for _ in range(3)})
    assert seen == [{"IDL:a:1.0"}, {"IDL:b:1.0"}] * 2


# --- death and return -------------------------------------------------------------------------------------------------


def test_a_dead_target_leaves_at_once_and_returns_when_it_answers(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    with vhost.connect() as client:
        assert [client.who() for _ in range(2)] == ["a", "b"]
        a.stop()
        assert [client.who() for _ in range(4)] == ["b"] * 4
        vhost.until(lambda: vhost.calls.live == (b.target,))
        a.start()
        vhost.until(lambda: vhost.calls.live == (a.target, b.target))
        assert sorted(client.who() for _ in range(4)) == ["a", "a", "b", "b"]


def test_a_target_that_dies_while_nobody_calls_leaves_too(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    with vhost.connect() as client:
        assert [client.who() for _ in range(2)] == ["a", "b"]
        a.stop()
        vhost.until(lambda: vhost.calls.live == (b.target,))


def test_naming_moves_when_its_target_dies_and_stays_there(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    with vhost.connect() as client:
        assert client.naming_of() == "a"
        a.stop()
        assert client.naming_of() == "b"
        a.start()
        vhost.until(lambda: vhost.contexts.live == (a.target, b.target))
        assert [client.naming_of() for _ in range(3)] == ["b"] * 3


def test_a_target_that_was_never_there(b: Node, front: Start) -> None:
    absent = nobody()
    vhost = front(absent, b.target)
    with vhost.connect() as client:
        assert [client.who() for _ in range(3)] == ["b"] * 3
    assert vhost.deaths(absent) == 1


def test_cut_while_a_request_waits(b: Node, front: Start) -> None:
    back = threading.Event()
    first = [scripted.request, rst]
    refused_probe, probe = [rst], [wait_for(back), locate_here, gone]
    with ScriptedServer(first, refused_probe, probe, then=[gone]) as broken:
        vhost = front(target_of(broken), b.target)
        with vhost.connect() as client:
            assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)
            assert [client.who() for _ in range(4)] == ["b"] * 4
            assert vhost.calls.live == (b.target,)
            back.set()
            vhost.until(lambda: len(vhost.calls.live) == 2)
        assert vhost.deaths(target_of(broken)) == 1


@pytest.mark.parametrize(
    "breaks",
    [[fin], [rst], [message_error, gone], [lambda peer: peer.sock.sendall(b"not GIOP, twelve octets"), gone]],
    ids=["fin", "rst", "MessageError", "not GIOP"],
)
def test_a_request_that_had_left_may_have_run(front: Start, breaks: list[scripted.Step]) -> None:
    with ScriptedServer([scripted.request, *breaks], then=[locate_here, gone]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)
        vhost.until(lambda: vhost.calls.live == (target_of(server),))
        assert len(server.requests) == 1


def test_all_that_waits_on_a_broken_connection_is_told(front: Start) -> None:
    with ScriptedServer([scripted.request] * 3 + [rst]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            client.send(*[request("who", id=number) for number in (0, 2, 4)])
            answers = [client.receive() for _ in range(3)]
    assert [failure(answer) for answer in answers] == [(COMM_FAILURE, IPCOM_MINOR, MAYBE)] * 3
    assert {answer.request_id for answer in answers} == {0, 2, 4}  # type: ignore[union-attr]


def test_an_orderly_close_is_no_death(front: Start) -> None:
    with ScriptedServer([scripted.request, close_connection, gone], then=[alive(7)]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            assert client.call("who").body.decode(LONG) == (7,)
            vhost.until(lambda: server_asked(server) and not vhost.asked)
            assert vhost.deaths(target_of(server)) == 0


def test_an_idle_connection_that_ends_is_no_death_while_its_target_answers(front: Start) -> None:
    go = threading.Event()
    with ScriptedServer([scripted.request, reply(1), wait_for(go), fin], then=[alive(2)]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            client.call("who")
            go.set()
            vhost.until(lambda: server_asked(server) and not vhost.asked)
            assert client.call("who").body.decode(LONG) == (2,)
        assert vhost.deaths(target_of(server)) == 0


def test_a_target_that_hangs_does_not_keep_another_out(b: Node, front: Start) -> None:
    with ScriptedServer([scripted.request, rst], then=[gone]) as hung:
        vhost = front(target_of(hung), b.target, connect_timeout=600.0)
        with vhost.connect() as client:
            assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, MAYBE)
            assert client.who() == "b"
            b.stop()
            vhost.until(lambda: server_asked(hung) and vhost.calls.live == ())
            b.start()
            vhost.until(lambda: vhost.calls.live == (b.target,))


def server_asked(server: ScriptedServer) -> bool:
    return any(isinstance(message, LocateRequest) for message in server.received)


def test_a_hung_target_is_asked_once_at_a_time(front: Start) -> None:
    with ScriptedServer([scripted.request, rst], then=[gone]) as hung:
        vhost = front(target_of(hung), probe_interval=0.001, connect_timeout=600.0)
        with vhost.connect() as client:
            client.call("who")
            state = vhost.contexts.state(target_of(hung)).next_probe
            assert state is not None
            vhost.until(lambda: hung.connections == 2)
            vhost.until(lambda: (vhost.contexts.state(target_of(hung)).next_probe or 0) > state + 0.02)
        assert hung.connections == 2


def test_probes_speak_what_every_orb_speaks(front: Start) -> None:
    asked = threading.Event()
    with ScriptedServer([scripted.request, rst], [locate_here, tell(asked), gone]) as server:
        vhost = front(target_of(server))
        with vhost.connect() as client:
            client.call("who")
        vhost.until(lambda: vhost.calls.live == (target_of(server),))
        assert asked.wait(PATIENCE)
        (probe,) = [message for message in server.received if isinstance(message, LocateRequest)]
        assert (probe.version, probe.target) == (GIOP_1_0, key_address(b"NameService"))
        assert not any(isinstance(message, CloseConnection) for message in server.received)  # GIOP 1.0 has none from clients


def test_an_ended_connection_sends_nothing_and_says_so() -> None:
    async def run(port: int) -> ConnectionLost:
        lost = asyncio.Event()
        connection = await AsyncConnection.connect("127.0.0.1", port, PATIENCE, lost=lambda reason: lost.set())
        await asyncio.wait_for(lost.wait(), PATIENCE)
        with pytest.raises(ConnectionLost) as raised:
            await connection.call(request("who"))
        return raised.value

    with ScriptedServer([fin]) as server:
        assert asyncio.run(run(server.port)).completed is NO


def test_its_own_close_is_no_loss_to_a_connection(a: Node) -> None:
    async def run() -> list[ConnectionLost]:
        lost: list[ConnectionLost] = []
        connection = await AsyncConnection.connect("127.0.0.1", a.port, PATIENCE, lost=lost.append)
        await connection.call(request("who"))
        connection.close()
        return lost

    assert asyncio.run(run()) == []


# --- nobody left ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("order", ByteOrder)
def test_nobody_left(front: Start, version: Version, order: ByteOrder) -> None:
    with front(nobody(), nobody()).connect() as client:
        for key in (KEY, NAMING_KEY):
            answer = client.call("who", key=key, version=version, byte_order=order)
            assert failure(answer) == (COMM_FAILURE, 0x464A0114, NO)
            assert (answer.version, answer.byte_order) == (version, order)


def test_no_targets_at_all(front: Start) -> None:
    with front().connect() as client:
        assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, NO)


def test_nobody_left_for_a_locate_request(front: Start) -> None:
    with front(nobody()).connect() as client:
        client.send(LocateRequest(5, key_address(KEY)))
        answer = client.receive()
        assert isinstance(answer, LocateReply)
        assert (answer.request_id, answer.locate_status) == (5, LocateStatus.LOC_SYSTEM_EXCEPTION)
        assert shown(answer.body) == (COMM_FAILURE, IPCOM_MINOR, NO)


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1], ids=str)
def test_nobody_left_for_a_locate_request_that_knows_no_exceptions(front: Start, version: Version) -> None:
    with front(nobody()).connect() as client:
        client.send(LocateRequest(5, key_address(KEY), version))
        assert client.receive() == LocateReply(5, LocateStatus.OBJECT_HERE, EMPTY, version)


def test_nobody_left_for_a_oneway(front: Start) -> None:
    with front(nobody()).connect() as client:
        client.send(request("take", b"lost", id=0, flags=0))
        assert failure(client.call("who")) == (COMM_FAILURE, IPCOM_MINOR, NO)  # the first and only answer


def test_more_requests_than_may_wait(front: Start, caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer([scripted.request, scripted.request, gone]) as server:
        vhost = front(target_of(server), limits=Limits(outstanding=2))
        with vhost.connect() as client:
            client.send(request("who", id=0), request("who", id=2))
            server.wait_received(2)
            client.send(request("who", id=4))
            assert failure(client.receive()) == (COMM_FAILURE, IPCOM_MINOR, NO)
    assert "more requests waiting than the limit outstanding=2" in caplog.text
    caplog.clear()


# --- start and stop ---------------------------------------------------------------------------------------------------


def test_stopped_while_calls_are_under_way(front: Start, caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer([scripted.request, gone]) as server:
        vhost = Front([target_of(server)], limits=Limits(stop_time=0.1))
        with vhost:
            client = vhost.connect()
            client.send(request("who"))
            server.wait_received(1)
        with client:
            assert client.receive() is None  # no CloseConnection: the request may have run
    assert "left" not in caplog.text


def test_stopped_while_it_connects(front: Start) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        for _ in range(3):  # what is beyond the backlog waits for ever
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        vhost = Front([Target(*full.getsockname())], connect_timeout=600.0, limits=Limits(stop_time=0.1))
        with vhost:
            client = stack.enter_context(vhost.connect())
            client.send(request("who"))
            vhost.until(lambda: any(session._connecting for session in vhost._sessions))
        assert client.receive() is None


def test_started_again_at_the_same_address(a: Node) -> None:
    vhost = Front([a.target])
    ports = set()
    for _ in range(2):
        with vhost, vhost.connect() as client:
            assert client.who() == "a"
            ports.add(vhost.port)
    assert len(ports) == 1


def test_in_the_loop_of_its_user(a: Node) -> None:
    async def run() -> str:
        async with VirtualHost([a.target]) as vhost:
            connection = await AsyncConnection.connect("127.0.0.1", vhost.port, PATIENCE)
            answer = await connection.call(request("who"))
            connection.close()
            assert isinstance(answer, Reply)
            name: str = answer.body.decode(Teller.operations()["who"].results)[0]
            return name

    assert asyncio.run(run()) == "a"


def test_port_in_use(a: Node) -> None:
    with pytest.raises(OSError, match="in use"), VirtualHost([], port=a.port):
        pass


# --- real clients -----------------------------------------------------------------------------------------------------


def test_omniorbpy_binds_a_name_so_long_that_it_is_fragmented(a: Node, front: Start) -> None:
    vhost = front(a.target)
    for version in ("1.1", "1.2"):
        with peers.OmniClient("-ORBmaxGIOPVersion", version, "-ORBgiopMaxMsgSize", "2097152") as client:
            naming = client.naming(f"corbaloc::{version}@127.0.0.1:{vhost.port}/NameService")
            long = peers.name((version + "x" * 100_000, "kind"))
            naming.call("bind", long, naming)
            assert naming.call("resolve", long).narrow(peers.NAMING_CONTEXT_EXT).call("_is_a", "IDL:omg.org/CORBA/Object:1.0")


def test_omniorbpy_gets_user_exceptions(a: Node, b: Node, front: Start, omni_client: peers.OmniClient) -> None:
    naming = omni_client.naming(f"corbaloc::127.0.0.1:{front(a.target, b.target).port}/NameService")
    answer = naming.outcome("resolve", peers.name("not", "there"))
    assert (answer.kind, answer.name) == ("user", "NotFound")
    assert answer.members["rest_of_name"] == peers.name("not", "there")


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_omniorbpy_calls_go_round(a: Node, b: Node, front: Start, tmp_path: Path, version: str) -> None:
    vhost = front(a.target, b.target)
    journals = tmp_path / "journals"
    journals.mkdir()
    idl = Path(iiop_lab.__path__[0]) / "TDsample.idl"
    key = object_key(TdTest.repository_id, IMPLEMENTATION_ID)
    major, minor = map(int, version.split("."))
    reference = Registration(TdTest.repository_id, "127.0.0.1", vhost.port, IMPLEMENTATION_ID, (major, minor)).reference()
    with Journal(journals, "a") as at_a, Journal(journals, "b") as at_b, peers.OmniClient() as client:
        for one, journal in ((a, at_a), (b, at_b)):
            one.server.activate(SampleServant(one.name, journal), key)
        client.load(peers.omniidl_stubs(idl, tmp_path / "stubs"), "TDsample")
        sample = client.string_to_object(str(reference), "TDsample.tdtest")
        hosts = [sample.call("call", number) for number in range(8)]
        assert sorted(hosts) == ["a"] * 4 + ["b"] * 4
        assert all(one != other for one, other in itertools.pairwise(hosts))
        assert sample.call("has_run", 7)
        a.stop()
        assert [sample.call("call", number) for number in range(8, 12)] == ["b"] * 4
        b.stop()
        gone = sample.outcome("call", 12)
        assert (gone.name, gone.minor, gone.completed) == ("COMM_FAILURE", IPCOM_MINOR, "COMPLETED_NO")
    assert sorted(number for numbers in runs(journals).values() for number in numbers) == list(range(12))


def test_our_client_loses_no_call(a: Node, b: Node, front: Start) -> None:
    vhost = front(a.target, b.target)
    with NameService(f"127.0.0.1:{vhost.port}", policy=FailoverPolicy(deadline=PATIENCE)) as names:
        profile = encode_profile(ProfileBody(Version(1, 2), "127.0.0.1", vhost.port, KEY))
        stub = names.client.stub(IOR(Teller.repository_id, (profile,)), Teller)
        assert [stub.who() for _ in range(4)] == ["a", "b"] * 2
        b.stop()
        assert [stub.who() for _ in range(4)] == ["a"] * 4

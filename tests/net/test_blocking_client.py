"""Our blocking client against servers that misbehave, one by one: what the caller gets, and how often the server was asked.

The rows are those of the table in `peers.md` 4.3, where omniORBpy resends what may have run, never stops resending after
CloseConnection, and follows a forward loop for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from math import inf
from typing import Annotated, Literal

import pytest

from iiop.cdr import ByteOrder, Short, codec
from iiop.exceptions import (
    BAD_PARAM,
    COMM_FAILURE,
    INTERNAL,
    MARSHAL,
    OBJECT_NOT_EXIST,
    TRANSIENT,
    UNKNOWN,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    EncodeError,
    FailoverExhausted,
    LocalProtocolError,
    SystemException,
)
from iiop.failover import FailoverPolicy, Semantics
from iiop.giop.messages import (
    GIOP_1_2,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
    key_address,
)
from iiop.giop.wire import encode
from iiop.idl.servant import object_key_of
from iiop.iop import IOR
from iiop.limits import Limits
from iiop.net.blocking import BlockingConnection
from iiop.net.client import Client
from iiop.net.reference import Reference
from ior import Corbaloc, IORBuilder, parse_object_url
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer, Step
from tests.peers import free_port

NO, MAYBE, YES = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE, CompletionStatus.COMPLETED_YES
ROUNDS = 2
POLICY = FailoverPolicy(
    deadline=5.0,
    attempt_timeout=2.0,
    connect_timeout=1.0,
    rounds=ROUNDS,
    backoff_initial=0.01,
    backoff_max=0.02,
    refresh_interval=None,
    forwards=5,
)
IMPATIENT = FailoverPolicy(deadline=0.4, attempt_timeout=0.2, rounds=ROUNDS, backoff_initial=0.01, refresh_interval=None)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(policy=POLICY, seed=1) as client:
        yield client


def counter(client: Client, reference: IOR, policy: FailoverPolicy | None = None) -> Counter:
    return client.stub(reference, Counter, policy=policy)


def dead_reference() -> IOR:
    return IORBuilder(Counter.repository_id).iiop("127.0.0.1", free_port(), key=s.KEY).build().to_iop()


# --- the server is there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 0), (1, 1), (1, 2), (1, 3)])
def test_call(client: Client, version: tuple[int, int]) -> None:
    with ScriptedServer([s.serve(7)]) as server:
        stub = counter(client, server.reference(version=version))
        assert [stub.add(1), stub.value(), stub.add(2)] == [7, 7, 7]
        assert server.operations == ["add", "value", "add"]
        assert {request.version for request in server.requests} == {min(GIOP_1_2, type(GIOP_1_2)(*version))}
        assert len({request.request_id for request in server.requests}) == 3
        assert server.connections == 1
        client.close()


def test_reply_in_the_other_byte_order(client: Client) -> None:
    with ScriptedServer([s.request, s.big_endian(0x01020304)]) as server:
        assert counter(client, server.reference()).value() == 0x01020304


def test_reply_octet_by_octet_and_in_fragments(client: Client) -> None:
    def whole(peer: s.Peer, value: int) -> bytes:
        return encode(Reply(peer.asked().request_id, body=Body.of(s._LONG, (value,))))

    def dribble(peer: s.Peer) -> None:
        for octet in whole(peer, 9):
            peer.sock.sendall(bytes([octet]))

    def fragments(peer: s.Peer) -> None:
        octets = whole(peer, 10)
        flags, first, last = octets[6], octets[12:24], octets[12:16] + octets[24:]
        size: Literal["little", "big"] = "little" if flags & 1 else "big"
        peer.sock.sendall(octets[:6] + bytes([flags | 2, octets[7]]) + len(first).to_bytes(4, size) + first)
        peer.sock.sendall(octets[:6] + bytes([flags, MessageType.Fragment]) + len(last).to_bytes(4, size) + last)

    with ScriptedServer([s.request, dribble, s.request, fragments]) as server:
        stub = counter(client, server.reference())
        assert [stub.value(), stub.value()] == [9, 10]


def test_oneway_does_not_wait_and_its_connection_is_used_again(client: Client) -> None:
    with ScriptedServer([s.request, s.request, s.reply(3)]) as server:
        stub = counter(client, server.reference())
        assert stub.poke(1) is None
        assert stub.add(2) == 3
        assert server.operations == ["poke", "add"]
        assert [request.response_flags & 1 for request in server.requests] == [0, 1]
        assert server.connections == 1


def test_locate_request() -> None:
    with ScriptedServer([s.locate_here]) as server:
        connection = BlockingConnection.connect("127.0.0.1", server.port, 1.0)
        try:
            reply = connection.call(LocateRequest(0, key_address(s.KEY)), time.monotonic() + 1)
        finally:
            connection.close()
        assert isinstance(reply, LocateReply)
        assert reply.locate_status is LocateStatus.OBJECT_HERE


def test_arguments_that_do_not_fit_are_not_sent(client: Client) -> None:
    with ScriptedServer([s.serve(1)]) as server:
        stub = counter(client, server.reference())
        with pytest.raises(EncodeError, match="no long"):
            stub.add(2**31)
        with pytest.raises(TypeError):
            stub.add(1, 2)  # type: ignore[call-arg]
        assert stub.add(n=1) == 1
        assert server.operations == ["add"]
        assert server.connections == 1
        client.close()


def test_concurrent_calls_have_connections_of_their_own(client: Client) -> None:
    release = threading.Event()
    with ScriptedServer([s.request, s.wait_for(release), s.reply(1)], [s.request, s.reply(2)]) as server:
        stub = counter(client, server.reference())
        results: list[int] = []
        thread = threading.Thread(target=lambda: results.append(stub.value()))
        thread.start()
        server.wait_received(1)
        assert stub.value() == 2
        release.set()
        thread.join()
        assert results == [1]
        assert server.connections == 2


# --- the server is not there, or leaves -------------------------------------------------------------------------------


def test_port_closed(client: Client) -> None:
    with pytest.raises(FailoverExhausted) as caught:
        counter(client, dead_reference()).add(1)
    assert caught.value.completed is NO
    assert [type(attempt.error) for attempt in caught.value.attempts] == [ConnectFailed] * ROUNDS


def test_unknown_host(client: Client) -> None:
    reference = IORBuilder().iiop("no-such-host.invalid", 1, key=b"x").build().to_iop()
    with pytest.raises(FailoverExhausted) as caught:
        counter(client, reference).add(1)
    assert {type(attempt.error) for attempt in caught.value.attempts} == {ConnectFailed}


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "é" * 70, "", "x\x00y"], ids=["long", "idna", "empty", "NUL"])
def test_host_that_is_none(client: Client, host: str) -> None:
    with pytest.raises((FailoverExhausted, EncodeError)):
        counter(client, IORBuilder().iiop(host, 1, key=b"x").build().to_iop()).add(1)


AFTER_REQUEST: dict[str, Sequence[Step]] = {
    "accept, FIN": [s.fin],
    "accept, RST": [s.arrived, s.rst],
    "request, FIN": [s.request, s.fin],
    "request, RST": [s.request, s.rst],
    "half a header": [s.request, s.part_of_reply(7), s.fin],
    "half a body": [s.request, s.part_of_reply(26), s.fin],
    "MessageError": [s.request, s.message_error],
    "MessageError, FIN": [s.request, s.message_error, s.fin],
    "garbage": [s.request, s.octets(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
    "version 1.9": [s.request, s.octets(b"GIOP\x01\x09\x00\x01\x00\x00\x00\x00")],
    "oversized": [s.request, s.octets(b"GIOP\x01\x02\x00\x01\xff\xff\xff\xff")],
    "a Request": [s.request, s.octets(encode(Request(0, "x", key_address(b""))))],
    "a reply nobody asked for": [s.request, s.wrong_id],
    "a LocateReply": [s.request, lambda p: p.sock.sendall(encode(LocateReply(p.asked().request_id, LocateStatus.OBJECT_HERE)))],
    "a fragment out of nowhere": [s.request, s.octets(b"GIOP\x01\x02\x00\x07\x00\x00\x00\x04\x00\x00\x00\x00")],
}


@pytest.mark.parametrize("script", AFTER_REQUEST.values(), ids=AFTER_REQUEST)
def test_what_may_have_run_is_not_sent_again(client: Client, script: Sequence[Step]) -> None:
    with ScriptedServer(script, then=[s.serve(1)]) as server:
        with pytest.raises(ConnectionLost) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is MAYBE
        assert server.operations.count("add") <= 1
        assert server.connections == 1


@pytest.mark.parametrize("script", AFTER_REQUEST.values(), ids=AFTER_REQUEST)
def test_what_may_run_twice_is_sent_again(client: Client, script: Sequence[Step]) -> None:
    with ScriptedServer(script, then=[s.serve(5)]) as server:
        assert counter(client, server.reference()).value() == 5
        assert server.connections == 2


def test_at_least_once_is_the_callers_word(client: Client) -> None:
    policy = FailoverPolicy(semantics=Semantics.AT_LEAST_ONCE, rounds=2, refresh_interval=None)
    with ScriptedServer([s.request, s.rst], then=[s.serve(5)]) as server:
        assert counter(client, server.reference(), policy).add(1) == 5
        assert server.operations == ["add", "add"]


def test_at_most_once_holds_for_idempotent_operations_too(client: Client) -> None:
    policy = FailoverPolicy(semantics=Semantics.AT_MOST_ONCE, rounds=2, refresh_interval=None)
    with ScriptedServer([s.request, s.rst], then=[s.serve(5)]) as server:
        with pytest.raises(ConnectionLost):
            counter(client, server.reference(), policy).value()
        assert server.operations == ["value"]


def test_a_server_that_always_leaves_is_asked_once_a_round(client: Client) -> None:
    with ScriptedServer(then=[s.request, s.rst]) as server:
        with pytest.raises(FailoverExhausted) as caught:
            counter(client, server.reference()).value()
        assert caught.value.completed is MAYBE
        assert server.connections == ROUNDS


# --- CloseConnection --------------------------------------------------------------------------------------------------


def test_close_connection_instead_of_every_reply_is_bounded(client: Client) -> None:
    """omniORBpy sends 4 900 requests a second here, for ever."""
    with ScriptedServer(then=[s.request, s.close_connection, s.fin]) as server:
        with pytest.raises(FailoverExhausted) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is NO
        assert {type(attempt.error) for attempt in caught.value.attempts} == {ConnectionLost}
        assert server.connections == ROUNDS + 1
        assert server.operations == ["add"] * (ROUNDS + 1)


def test_close_connection_that_crosses_a_request(client: Client) -> None:
    with ScriptedServer([s.request, s.reply(1), s.request, s.close_connection, s.fin], then=[s.serve(2)]) as server:
        stub = counter(client, server.reference())
        assert [stub.add(1), stub.add(2)] == [1, 2]
        assert server.operations == ["add", "add", "add"]
        assert server.connections == 2


@pytest.mark.parametrize(
    "leave",
    [[s.close_connection, s.fin], [s.close_connection], [s.half_close], [s.rst], [s.message_error], [s.octets(bytes(16))]],
    ids=["CloseConnection, FIN", "CloseConnection", "FIN", "RST", "MessageError", "garbage"],
)
def test_idle_connection_that_has_ended_is_noticed_before_sending(client: Client, leave: Sequence[Step]) -> None:
    go, left = threading.Event(), threading.Event()
    script = [s.request, s.reply(1), s.wait_for(go), *leave[:-1], leave[-1], s.tell(left)]
    if leave[-1] is s.fin:  # which ends only when the client has gone
        script = [s.request, s.reply(1), s.wait_for(go), *leave[:-1], s.half_close, s.tell(left)]
    with ScriptedServer(script, then=[s.serve(2)]) as server:
        stub = counter(client, server.reference())
        assert stub.add(1) == 1
        go.set()
        assert left.wait(s.PATIENCE)
        assert stub.add(2) == 2
        assert server.operations == ["add", "add"]
        assert server.connections == 2


def test_large_request_to_a_server_that_closes_in_order_has_not_run(client: Client) -> None:
    """The server says CloseConnection and goes before the request is out: sending fails, but what it said is there to read."""

    def leave(peer: s.Peer) -> None:
        peer.sock.recv(1000)
        s.close_connection(peer)
        peer.sock.close()

    with ScriptedServer([leave], [leave], then=[s.request, s.status(0)]) as server:
        counter(client, server.reference()).store(bytes(8_000_000))
        assert server.connections == 3


def test_large_request_that_the_server_refuses(client: Client) -> None:
    def refuse(peer: s.Peer) -> None:
        peer.sock.recv(1000)
        s.message_error(peer)
        peer.sock.close()

    with ScriptedServer([refuse]) as server:
        with pytest.raises(ConnectionLost, match="MessageError") as caught:
            counter(client, server.reference()).store(bytes(8_000_000))
        assert caught.value.completed is MAYBE
        assert server.connections == 1


def test_reply_that_came_before_its_request_is_no_answer(client: Client) -> None:
    """It would tell a caller that something was done which the server has not even read."""

    def answer_two(peer: s.Peer) -> None:
        octets = [encode(Reply(peer.asked().request_id + more, body=Body.of(s._LONG, (more,)))) for more in (0, 2)]
        peer.sock.sendall(b"".join(octets))

    with ScriptedServer([s.request, answer_two, s.gone], [s.serve(7)]) as server:
        stub = counter(client, server.reference())
        assert [stub.add(1), stub.add(2)] == [0, 7]
        client.close()


# --- replies that are exceptions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [0x464A0114, 0x464A0914])
def test_all_targets_down_is_waited_for(client: Client, minor: int) -> None:
    with ScriptedServer(then=[s.request, s.exception(COMM_FAILURE, minor, NO)]) as server:
        with pytest.raises(FailoverExhausted) as caught:
            counter(client, server.reference()).add(1)
        assert [attempt.error for attempt in caught.value.attempts] == [COMM_FAILURE(minor, NO)] * ROUNDS
        assert caught.value.__cause__ == COMM_FAILURE(minor, NO)
        assert server.operations == ["add"] * ROUNDS


def test_comm_failure_no_then_good(client: Client) -> None:
    with ScriptedServer([s.request, s.exception(COMM_FAILURE, 0x464A0114, NO)], then=[s.serve(4)]) as server:
        assert counter(client, server.reference()).add(1) == 4
        assert server.connections == 2, "asked again over a new connection, so that the balancer chooses anew"


SURFACED = [
    (s.exception(COMM_FAILURE, 0x464A0114, MAYBE), COMM_FAILURE(0x464A0114, MAYBE)),
    (s.exception(COMM_FAILURE, 0x464A0114, YES), COMM_FAILURE(0x464A0114, YES)),
    (s.exception(COMM_FAILURE, 0x464A0101, NO), COMM_FAILURE(0x464A0101, NO)),
    (s.exception(TRANSIENT, 0, MAYBE), TRANSIENT(0, MAYBE)),
    (s.exception(OBJECT_NOT_EXIST, 1, YES), OBJECT_NOT_EXIST(1, YES)),
    (s.exception(BAD_PARAM, 3, NO), BAD_PARAM(3, NO)),
    (s.exception(INTERNAL, 0, MAYBE), INTERNAL(0, MAYBE)),
    (s.fails_with("IDL:omg.org/CORBA/COMM_FAILURE:1.0", 7, 9), COMM_FAILURE(7, MAYBE)),
]


@pytest.mark.parametrize(("script", "expected"), SURFACED, ids=[str(row[1]) for row in SURFACED])
def test_exception_is_surfaced_unchanged(client: Client, script: Step, expected: SystemException) -> None:
    with ScriptedServer(then=[s.request, script]) as server:
        with pytest.raises(type(expected)) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value == expected
        assert server.operations == ["add"]


@pytest.mark.parametrize("operation", ["add", "value"])
def test_completed_yes_is_never_repeated(client: Client, operation: str) -> None:
    with ScriptedServer(then=[s.request, s.exception(TRANSIENT, 0, YES)]) as server:
        with pytest.raises(TRANSIENT):
            getattr(counter(client, server.reference()), operation)(*[1] * (operation == "add"))
        assert server.operations == [operation]


def test_unknown_system_exception(client: Client) -> None:
    with ScriptedServer([s.request, s.fails_with("IDL:acme.example/ODD:1.0", 5, 1)]) as server:
        with pytest.raises(UNKNOWN) as caught:
            counter(client, server.reference()).add(1)
        assert (caught.value.repository_id, caught.value.minor) == ("IDL:acme.example/ODD:1.0", 5)
        assert server.operations == ["add"]


def test_object_that_is_gone(client: Client) -> None:
    """Acquired again, once; it is what it was, so the first report stands."""
    with ScriptedServer(then=[s.request, s.exception(OBJECT_NOT_EXIST, 2, NO)]) as server:
        with pytest.raises(OBJECT_NOT_EXIST) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value == OBJECT_NOT_EXIST(2, NO)
        assert server.operations == ["add", "add"]


@pytest.mark.parametrize("disposition", [0, 1, 2])
def test_address_in_the_form_that_is_asked_for(client: Client, disposition: int) -> None:
    """The request has not run, and is sent again at once; a server that asks twice is not believed."""
    asked = Body.of(codec(Annotated[int, Short]), disposition)
    seen: list[Request] = []

    def look(peer: s.Peer) -> None:
        seen.append(peer.asked())

    with ScriptedServer([s.request, s.status(5, asked), s.request, look, s.reply(7)]) as server:
        assert counter(client, server.reference()).add(1) == 7
        assert server.operations == ["add", "add"]
    assert seen[0].target.discriminator == disposition
    assert object_key_of(seen[0].target) == s.KEY
    with ScriptedServer([s.request, s.status(5, asked), s.request, s.status(5, asked)]) as server:
        with pytest.raises(MARSHAL):
            counter(client, server.reference()).add(1)
        assert server.operations == ["add", "add"]


@pytest.mark.parametrize("body", [Body(), Body.of(codec(Annotated[int, Short]), 7)])
def test_address_in_a_form_there_is_none_of(client: Client, body: Body) -> None:
    with ScriptedServer([s.request, s.status(5, body)], then=[s.serve(1)]) as server:
        with pytest.raises(MARSHAL) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is NO
        assert server.operations == ["add"]


@pytest.mark.parametrize("value", [6, 77, 0xFFFFFFFF])
def test_reply_status_that_ends_no_call(client: Client, value: int) -> None:
    with ScriptedServer([s.request, s.status(value)], then=[s.serve(1)]) as server:
        with pytest.raises(MARSHAL) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is MAYBE
        assert server.operations == ["add"]


@pytest.mark.parametrize("value", [0, 1, 2])
def test_reply_whose_body_is_missing(client: Client, value: int) -> None:
    with ScriptedServer([s.request, s.status(value)], then=[s.serve(1)]) as server:
        with pytest.raises(MARSHAL) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is MAYBE


# --- forwards ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM])
def test_forward_is_followed(client: Client, status: ReplyStatus) -> None:
    with ScriptedServer([s.serve(8)]) as good, ScriptedServer([s.request, s.forward(good.reference, status)]) as first:
        assert counter(client, first.reference()).add(1) == 8
        assert (first.operations, good.operations) == (["add"], ["add"])


def test_forward_to_a_dead_port(client: Client) -> None:
    dead = dead_reference()
    with ScriptedServer(then=[s.request, s.forward(lambda: dead)]) as server:
        with pytest.raises(FailoverExhausted) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is NO
        assert server.operations == ["add"] * ROUNDS


def test_forward_loop_is_bounded(client: Client) -> None:
    servers: list[ScriptedServer] = []

    def loop(peer: s.Peer) -> None:
        while True:
            s.request(peer)
            other = servers[1] if peer.server is servers[0] else servers[0]
            s.forward(other.reference)(peer)

    with ScriptedServer(then=[loop]) as one, ScriptedServer(then=[loop]) as two:
        servers += [one, two]
        with pytest.raises(FailoverExhausted, match="LOCATION_FORWARD loop") as caught:
            counter(client, one.reference()).add(1)
        assert caught.value.completed is NO
        assert len(one.operations) + len(two.operations) == POLICY.forwards + 1
        client.close()


@pytest.mark.parametrize("body", [Body(), Body(b"\xff" * 16)], ids=["empty", "garbage"])
def test_forward_to_nothing_readable(client: Client, body: Body) -> None:
    def send(peer: s.Peer) -> None:
        whole = Body(bytes(body), 0, peer.asked().byte_order)
        peer.answer(whole, ReplyStatus.LOCATION_FORWARD)

    with ScriptedServer([s.request, send]) as server:
        with pytest.raises(MARSHAL) as caught:
            counter(client, server.reference()).add(1)
        assert caught.value.completed is NO


def test_forward_to_nil(client: Client) -> None:
    script = [s.request, s.forward(lambda: IOR("", ()))]
    with ScriptedServer(then=script) as server, pytest.raises(FailoverExhausted, match="without an endpoint"):
        counter(client, server.reference()).add(1)


# --- time -------------------------------------------------------------------------------------------------------------


def test_silence_ends_with_the_attempt_and_may_have_run(client: Client) -> None:
    with ScriptedServer(then=[s.request, s.gone]) as server:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            counter(client, server.reference(), IMPATIENT).add(1)
        assert 0.15 < time.monotonic() - start < 1.0
        assert caught.value.completed is MAYBE
        assert server.operations == ["add"]
        server.wait_received(2)
        assert server.cancelled == [server.requests[0].request_id]


def test_silence_of_an_idempotent_operation_ends_with_the_deadline(client: Client) -> None:
    with ScriptedServer(then=[s.request, s.gone]) as server:
        start = time.monotonic()
        with pytest.raises((DeadlineExceeded, FailoverExhausted)) as caught:
            counter(client, server.reference(), IMPATIENT).value()
        assert time.monotonic() - start < 1.0
        assert caught.value.completed is MAYBE  # type: ignore[attr-defined]
        assert 1 <= len(server.operations) <= ROUNDS


def test_reply_that_dribbles_in_does_not_stretch_the_deadline(client: Client) -> None:
    stop = threading.Event()

    def dribble(peer: s.Peer) -> None:
        peer.sock.sendall(b"GIOP\x01\x02\x00\x01\x00\x01\x00\x00")
        while not stop.wait(0.02):
            peer.sock.sendall(b"\0")

    with ScriptedServer([s.request, dribble]) as server:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            counter(client, server.reference(), IMPATIENT).add(1)
        assert time.monotonic() - start < 1.0
        stop.set()


def test_server_that_never_reads_holds_nobody(client: Client) -> None:
    with ScriptedServer([]) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            counter(client, server.reference(), IMPATIENT).store(bytes(12_000_000))
        assert caught.value.completed is MAYBE


class _Stuck(socket.socket):
    """Send all but the last octets, then no more until it is too late."""

    def sendall(self, octets: bytes, flags: int = 0) -> None:  # type: ignore[override]
        self.send(octets[:-16])
        raise TimeoutError


def test_half_a_request_is_not_completed_by_its_cancel_request() -> None:
    """The server would take the sixteen octets of a CancelRequest for the last ones of the arguments, and run them."""
    ours, theirs = socket.socketpair()
    with theirs, _Stuck(fileno=ours.detach()) as sock:
        connection = BlockingConnection(sock, "peer")
        call = Request(0, "store", key_address(s.KEY), body=Body(bytes(100)))
        with pytest.raises(DeadlineExceeded) as caught:
            connection.call(call, time.monotonic() + 1)
        assert caught.value.completed is MAYBE
        assert theirs.recv(1000) == encode(call)[:-16]
        assert theirs.recv(1000) == b""


def test_addresses_of_one_host_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two addresses drop every packet (their queues are full), the third answers; then none does."""
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0)).getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf)
        server = stack.enter_context(ScriptedServer([s.gone]))
        addresses = [deaf, deaf, ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        BlockingConnection.connect("host", 1, 0.6).close()
        del found[2:]
        start = time.monotonic()
        with pytest.raises(ConnectFailed):
            BlockingConnection.connect("host", 1, 0.3)
        assert time.monotonic() - start < 0.5


def test_no_time_limits_at_all(client: Client) -> None:
    policy = FailoverPolicy(deadline=inf, attempt_timeout=inf, connect_timeout=inf, refresh_interval=inf)
    with ScriptedServer([s.serve(1)]) as server:
        assert counter(client, server.reference(), policy).add(1) == 1
        client.close()


# --- several addresses ------------------------------------------------------------------------------------------------


def two_profiles(port: int) -> IOR:
    builder = IORBuilder(Counter.repository_id).iiop("127.0.0.1", free_port(), key=b"dead")
    return builder.iiop("127.0.0.1", port, key=s.KEY).build().to_iop()


def alternate(port: int) -> IOR:
    builder = IORBuilder(Counter.repository_id).iiop("127.0.0.1", free_port(), key=s.KEY)
    return builder.alternate("127.0.0.1", port).build().to_iop()


def corbaloc(port: int) -> IOR:
    url = parse_object_url(f"corbaloc::1.2@127.0.0.1:{free_port()},:1.2@127.0.0.1:{port}/counter")
    assert isinstance(url, Corbaloc)
    return url.to_ior().to_iop()


@pytest.mark.parametrize("reference", [two_profiles, alternate, corbaloc])
def test_second_address_is_tried(client: Client, reference: object) -> None:
    """omniORBpy never tries the second profile of an IOR."""
    with ScriptedServer([s.serve(6)]) as server:
        assert counter(client, reference(server.port)).add(1) == 6  # type: ignore[operator]
        assert server.requests[0].object_key == s.KEY
        client.close()


def test_second_address_is_not_tried_once_it_may_have_run(client: Client) -> None:
    with ScriptedServer([s.request, s.rst]) as first, ScriptedServer([s.serve(6)]) as second:
        builder = IORBuilder().iiop("127.0.0.1", first.port, key=b"1").iiop("127.0.0.1", second.port, key=b"2")
        with pytest.raises(ConnectionLost):
            counter(client, builder.build().to_iop()).add(1)
        assert (first.operations, second.operations) == (["add"], [])


def test_hosts_are_mapped() -> None:
    with ScriptedServer([s.serve(1)]) as server, Client(hosts={"vhost": "127.0.0.1"}, policy=POLICY) as client:
        reference = IORBuilder().iiop("VHost", server.port, key=b"x").build().to_iop()
        assert counter(client, reference).add(1) == 1
        client.close()


# --- references that grow old -----------------------------------------------------------------------------------------


def test_reference_is_acquired_when_first_called_and_then_kept(client: Client) -> None:
    with ScriptedServer([s.serve(1)]) as server:
        asked: list[float] = []

        def acquire(timeout: float) -> IOR:
            asked.append(timeout)
            return server.reference()

        stub = Counter(Reference(client, acquire))
        assert asked == []
        assert [stub.add(1), stub.add(1)] == [1, 1]
        assert len(asked) == 1
        client.close()


def test_acquiring_that_fails_is_the_end_only_after_all_rounds(client: Client) -> None:
    answers: list[Exception] = [ConnectFailed("no"), TRANSIENT(1)]

    def acquire(timeout: float) -> IOR:
        raise answers.pop(0)

    with pytest.raises(FailoverExhausted) as caught:
        Counter(Reference(client, acquire)).add(1)
    assert [attempt.endpoint for attempt in caught.value.attempts] == ["re-acquire"] * ROUNDS


def test_reference_that_cannot_be_refreshed_is_kept(client: Client) -> None:
    """The Naming Service is down, the object is not: calls go on."""
    policy = FailoverPolicy(rounds=1, refresh_interval=1e-9, backoff_initial=0.01)
    asked: list[float] = []

    def acquire(timeout: float) -> IOR:
        asked.append(timeout)
        if len(asked) > 1:
            raise ConnectFailed("the Naming Service is down")
        return server.reference()

    with ScriptedServer([s.serve(1)]) as server:
        stub = Counter(Reference(client, acquire, policy=policy))
        assert [stub.add(1), stub.add(1), stub.add(1)] == [1, 1, 1]
        assert len(asked) == 3
        assert server.operations == ["add"] * 3
        client.close()


def test_refresh_moves_to_where_the_name_leads_now(client: Client) -> None:
    policy = FailoverPolicy(refresh_interval=1e-9)
    with ScriptedServer([s.serve(1)]) as old, ScriptedServer([s.serve(2)]) as new:
        targets = [old.reference(), new.reference()]
        stub = Counter(Reference(client, lambda timeout: targets.pop(0), policy=policy))
        assert [stub.add(1), stub.add(1)] == [1, 2]
        client.close()


# --- what is left behind ----------------------------------------------------------------------------------------------


def test_interrupted_call_leaves_no_socket(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a call; the leak fixture looks for the socket."""

    def interrupted(self: BlockingConnection, deadline: float) -> Reply:
        raise KeyboardInterrupt

    with ScriptedServer([s.request, s.gone]) as server:
        monkeypatch.setattr(BlockingConnection, "_await_reply", interrupted)
        connections: list[BlockingConnection] = []
        take = client.pool.take

        def remember(*args: object, **kwargs: object) -> object:
            connection, used = take(*args, **kwargs)  # type: ignore[arg-type]
            connections.append(connection)
            return connection, used

        monkeypatch.setattr(client.pool, "take", remember)
        with pytest.raises(KeyboardInterrupt):
            counter(client, server.reference()).add(1)
        assert connections[0]._stream.socket.fileno() == -1


def test_closed_pool_keeps_nothing() -> None:
    with ScriptedServer(then=[s.serve(1)]) as server:
        client = Client(policy=POLICY)
        stub = counter(client, server.reference())
        client.close()
        assert stub.add(1) == 1
        server.wait_received(1)


def test_reply_beyond_the_limit_of_the_client() -> None:
    with (
        ScriptedServer([s.request, s.octets(b"GIOP\x01\x02\x00\x01\x00\x00\xff\xff")]) as server,
        Client(policy=POLICY, limits=Limits(message_size=1000)) as client,
        pytest.raises(ConnectionLost, match="message_size=1000"),
    ):
        counter(client, server.reference()).add(1)


def test_a_client_may_not_send_a_reply() -> None:
    with ScriptedServer([s.gone]) as server:
        connection = BlockingConnection.connect("127.0.0.1", server.port, 1.0)
        try:
            with pytest.raises(LocalProtocolError):
                connection._connection.send(Reply(0))
        finally:
            connection.close()


def test_both_byte_orders_are_sent() -> None:
    with ScriptedServer([s.request, s.reply(1), s.request, s.reply(2)]) as server:
        connection = BlockingConnection.connect("127.0.0.1", server.port, 1.0)
        try:
            for order in ByteOrder:
                body = Body.of(s._LONG, (5,))
                connection.call(Request(0, "add", key_address(s.KEY), body=body, byte_order=order), time.monotonic() + 1)
        finally:
            connection.close()
        assert [request.byte_order for request in server.requests] == list(ByteOrder)

"""Deferred calls: sent now, asked for later, with the same retries, deadlines and errors as any call."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Annotated

import pytest

from iiop.cdr import Short, codec
from iiop.exceptions import (
    BAD_INV_ORDER,
    NO_PERMISSION,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    FailoverExhausted,
)
from iiop.failover import FailoverPolicy
from iiop.giop.messages import AddressingDisposition, Body, ReplyStatus
from iiop.iop import IOR
from iiop.net.client import Client
from iiop.net.deferred import Deferred, defer
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer
from tests.net.test_multiplexing import answer_backwards, echo, requests

_SHORT = codec(Annotated[int, Short])
POLICY = FailoverPolicy(deadline=10.0, attempt_timeout=8.0, rounds=2, backoff_initial=0.01, refresh_interval=None)
IMPATIENT = FailoverPolicy(deadline=0.2, attempt_timeout=0.2, rounds=1, refresh_interval=None)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(policy=POLICY, connections=1) as client:
        yield client


def wait_done(deferred: Deferred[object]) -> None:
    patience = time.monotonic() + s.PATIENCE
    while not deferred.done():
        assert time.monotonic() < patience


def test_the_reply_is_asked_for_later(client: Client) -> None:
    go = threading.Event()
    with ScriptedServer([s.request, s.wait_for(go), s.reply(7), s.gone]) as server:
        added = defer(client.stub(server.reference(), Counter).add, n=3)
        server.wait_received(1)
        assert not added.done()
        go.set()
        assert added.result() == 7
        assert added.done()
        assert added.result() == 7
    assert server.operations == ["add"]


def test_done_without_a_thread(client: Client) -> None:
    with ScriptedServer([s.request, s.reply(7), s.gone]) as server:
        added = defer(client.stub(server.reference(), Counter).add, 3)
        wait_done(added)
        assert added.result() == 7


def test_many_on_one_connection_in_any_order(client: Client) -> None:
    with ScriptedServer([requests(30), answer_backwards, echo]) as server:
        counter = client.stub(server.reference(), Counter)
        added = [defer(counter.add, n) for n in range(30)]
        assert [each.result() for each in added] == [n * 10 for n in range(30)]
        assert counter.add(5) == 50
    assert server.connections == 1


def test_others_receive_for_it(client: Client) -> None:
    with ScriptedServer([requests(2), answer_backwards, s.gone]) as server:
        counter = client.stub(server.reference(), Counter)
        first = defer(counter.add, 1)
        assert counter.add(2) == 20
        assert first.result() == 10


def test_a_call_that_has_run_perhaps_is_not_repeated(client: Client) -> None:
    with ScriptedServer([s.request, s.fin], then=[s.serve(1)]) as server:
        added = defer(client.stub(server.reference(), Counter).add, 3)
        with pytest.raises(ConnectionLost) as caught:
            added.result()
        assert caught.value.completed is CompletionStatus.COMPLETED_MAYBE
        with pytest.raises(ConnectionLost):
            added.result()
    assert server.operations == ["add"]


def test_an_idempotent_one_is(client: Client) -> None:
    with ScriptedServer([s.request, s.fin], then=[s.serve(4)]) as server:
        assert defer(client.stub(server.reference(), Counter).value).result() == 4
    assert server.operations == ["value", "value"]


def test_a_connection_that_was_closed_in_order_is_replaced(client: Client) -> None:
    script = [s.request, s.reply(1), s.request, s.close_connection, s.fin]
    with ScriptedServer(script, then=[s.serve(2)]) as server:
        counter = client.stub(server.reference(), Counter)
        assert counter.add(1) == 1
        assert defer(counter.add, 2).result() == 2
    assert server.connections == 2


def test_forwards_are_followed(client: Client) -> None:
    with ScriptedServer(then=[s.serve(9)]) as target, ScriptedServer([s.request, s.forward(target.reference), s.gone]) as server:
        assert defer(client.stub(server.reference(), Counter).add, 1).result() == 9


def test_the_object_is_named_as_the_server_asks(client: Client) -> None:
    asks = s.status(ReplyStatus.NEEDS_ADDRESSING_MODE, Body.of(_SHORT, AddressingDisposition.ProfileAddr.value))
    with ScriptedServer([s.request, asks, s.request, s.reply(3), s.gone]) as server:
        assert defer(client.stub(server.reference(), Counter).add, 1).result() == 3
    assert server.requests[1].target.discriminator == AddressingDisposition.ProfileAddr.value


def test_exceptions_are_raised_each_time(client: Client) -> None:
    with ScriptedServer([s.request, s.fails(NO_PERMISSION(5, CompletionStatus.COMPLETED_YES)), s.gone]) as server:
        added = defer(client.stub(server.reference(), Counter).add, 1)
        for _ in range(2):
            with pytest.raises(NO_PERMISSION) as caught:
                added.result()
            assert caught.value.minor == 5


def test_the_deadline_counts_from_the_start(client: Client) -> None:
    with ScriptedServer([s.request, s.gone]) as server:
        start = time.monotonic()
        added = defer(client.stub(server.reference(), Counter, policy=IMPATIENT).add, 1)
        with pytest.raises(DeadlineExceeded):
            added.result()
        assert time.monotonic() - start < 5
        server.wait_received(2)
    assert server.cancelled == [server.requests[0].request_id]


def test_a_reply_that_was_here_in_time_is_not_late(client: Client) -> None:
    with ScriptedServer([s.request, s.reply(6), s.gone]) as server:
        added = defer(client.stub(server.reference(), Counter, policy=IMPATIENT).add, 1)
        wait_done(added)
        threading.Event().wait(0.3)  # beyond the deadline
        assert added.result() == 6


def test_cancelled(client: Client) -> None:
    with ScriptedServer([s.request, s.cancelled, s.request, s.reply(8), s.gone]) as server:
        counter = client.stub(server.reference(), Counter)
        added = defer(counter.add, 1)
        added.cancel()
        with pytest.raises(BAD_INV_ORDER):
            added.result()
        assert counter.add(2) == 8
    assert server.connections == 1
    assert server.cancelled == [server.requests[0].request_id]


def test_nobody_listens(client: Client) -> None:
    with ScriptedServer() as server:
        reference = server.reference()
    added = defer(client.stub(reference, Counter).add, 1)
    assert added.done()
    with pytest.raises(Exception, match="cannot connect"):
        added.result()


def test_a_reference_is_acquired_first(client: Client) -> None:
    asked: list[float] = []
    with ScriptedServer(then=[s.serve(2)]) as server:

        def acquire(timeout: float) -> IOR:
            asked.append(timeout)
            return server.reference()

        counter = client.reference(acquire, Counter)
        added = defer(counter.add, 1)
        server.wait_received(1)
        assert added.result() == 2
    assert len(asked) == 1


def test_what_cannot_be_deferred(client: Client) -> None:
    with ScriptedServer() as server:
        counter = client.stub(server.reference(), Counter)
        with pytest.raises(TypeError, match="no method of a blocking stub"):
            defer(counter.poke, 1)
        with pytest.raises(TypeError, match="no method of a blocking stub"):
            defer(len, ())
        with pytest.raises(TypeError):
            defer(counter.add)  # type: ignore[call-arg]
        assert server.connections == 0


def test_one_that_is_dropped_is_told(client: Client) -> None:
    with ScriptedServer([s.request, s.gone]) as server:
        added = defer(client.stub(server.reference(), Counter).add, 1)
        with pytest.warns(ResourceWarning, match="nobody asked for the result of add"):
            added.__del__()
        added.cancel()


SHORT = FailoverPolicy(deadline=1.0, attempt_timeout=1.0, rounds=2, backoff_initial=0.01, refresh_interval=None)


def test_the_deadline_counts_from_the_beginning_though_the_reference_comes_late() -> None:
    with ScriptedServer([s.request, s.gone]) as server, Client(policy=SHORT) as client:

        def late(timeout: float) -> IOR:
            time.sleep(0.45)
            return server.reference()

        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            defer(client.reference(late, Counter).add, 1).result()
        assert time.monotonic() - start < 1.3


def test_the_deadline_counts_from_the_beginning_though_nobody_knew_the_reference() -> None:
    def in_vain(timeout: float) -> IOR:
        time.sleep(timeout)
        raise ConnectFailed("nobody is there")

    with Client(policy=SHORT) as client:
        start = time.monotonic()
        with pytest.raises((DeadlineExceeded, FailoverExhausted)):
            defer(client.reference(in_vain, Counter).add, 1).result()
        assert time.monotonic() - start < 1.2


def test_what_was_not_run_is_not_sent_again_beyond_the_deadline() -> None:
    with (
        ScriptedServer([s.request, s.reply(1), s.request, s.close_connection, s.fin]) as server,
        Client(policy=IMPATIENT) as client,
    ):
        stub = client.stub(server.reference(), Counter)
        stub.add(1)
        later = defer(stub.add, 2)
        wait_done(later)
        time.sleep(0.25)  # longer than the deadline
        with pytest.raises(DeadlineExceeded) as caught:
            later.result()
        assert caught.value.completed is CompletionStatus.COMPLETED_NO
    assert server.operations == ["add", "add"]


def test_asking_again_after_an_interrupt(client: Client) -> None:
    go = threading.Event()
    with ScriptedServer([s.request, s.wait_for(go), s.gone]) as server:
        later = defer(client.stub(server.reference(), Counter).add, 1)
        server.wait_received(1)
        asked = threading.Timer(0.2, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
        asked.start()
        with pytest.raises(KeyboardInterrupt):
            later.result()
        asked.join()
        with pytest.raises(BAD_INV_ORDER):
            later.result()
        go.set()

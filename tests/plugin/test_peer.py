"""The scripted server as its users have it: what is expected and comes, and what is told when it does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import pytest

from iiop.cdr import Long
from iiop.exceptions import (
    TRANSIENT,
    CompletionStatus,
    ConnectionLost,
    DeadlineExceeded,
    FailoverExhausted,
    UserException,
)
from iiop.failover import FailoverPolicy
from iiop.giop.messages import CloseConnection, MessageError
from iiop.giop.wire import decode
from iiop.idl import Interface, operation
from iiop.net.client import Client
from iiop_lab import peer as peers
from iiop_lab import scripted
from iiop_lab.peer import (
    Peer,
    ScriptedServer,
    ScriptMismatch,
    close_connection,
    expect,
    fin,
    forward,
    gone,
    hang,
    locate_here,
    message_error,
    octets,
    raise_,
    reply,
    rst,
    tell,
    wait_for,
)

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
ONCE = FailoverPolicy(deadline=8.0, rounds=1, refresh_interval=None)


def done() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Overdrawn(UserException):
    repository_id = "IDL:Bank/Overdrawn:1.0"
    missing: Annotated[int, Long]


class Account(Interface):
    repository_id = "IDL:Bank/Account:1.0"

    @operation(raises=(Overdrawn,))
    def withdraw(self, amount: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Take money."""

    @operation(idempotent=True)
    def balance(self) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Tell how much is left."""

    @operation
    def split(self, text: str) -> tuple[str, str]:  # type: ignore[empty-body]
        """Return a result and an out parameter."""

    @operation(oneway=True)
    def poke(self) -> None:
        """Expect no answer."""


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(policy=ONCE) as made:
        yield made


def account(client: Client, server: ScriptedServer) -> Account:
    return client.stub(server.reference(Account), Account)


def test_expect_and_reply(client: Client) -> None:
    script = [
        expect(Account.withdraw, 10),
        reply(90),
        expect(Account.balance),
        reply(90),
        expect(Account.split),
        reply(("a", "b")),
    ]
    with ScriptedServer([*script, expect(Account.poke), expect("balance"), reply(7, Annotated[int, Long]), gone]) as server:
        stub = account(client, server)
        assert (stub.withdraw(10), stub.balance(), stub.split("a b")) == (90, 90, ("a", "b"))
        stub.poke()
        assert stub.balance() == 7
        client.close()
    assert server.operations == ["withdraw", "balance", "split", "poke", "balance"]
    assert server.connections == 1


def test_exceptions(client: Client) -> None:
    script = [expect(Account.withdraw), raise_(Overdrawn(5)), expect("withdraw"), raise_(TRANSIENT(3, MAYBE))]
    with ScriptedServer(script) as server:
        stub = account(client, server)
        with pytest.raises(Overdrawn) as overdrawn:
            stub.withdraw(10)
        assert overdrawn.value.missing == 5
        with pytest.raises(TRANSIENT) as transient:
            stub.withdraw(10)
        assert (transient.value.minor, transient.value.completed) == (3, MAYBE)


def test_a_large_request_in_fragments() -> None:
    text = "x" * 5000
    with ScriptedServer([expect(Account.split, text), reply((text, ""))]) as server, Client(fragment_size=256) as client:
        assert account(client, server).split(text) == (text, "")


def test_forward_and_a_script_for_each_connection(client: Client) -> None:
    with ScriptedServer() as server, ScriptedServer([expect("balance"), forward(lambda: server.reference(Account))]) as first:
        server.script(expect(Account.balance), reply(1))
        assert account(client, first).balance() == 1


@pytest.mark.parametrize("end", [[fin], [rst], [octets(b"GIOP, but not quite"), gone], [message_error, gone]])
def test_broken_connections(client: Client, end: list[peers.Step]) -> None:
    with ScriptedServer([expect("withdraw"), *end]) as server:
        with pytest.raises(ConnectionLost) as lost:
            account(client, server).withdraw(1)
        assert lost.value.completed is MAYBE


def test_close_connection_says_that_nothing_ran(client: Client) -> None:
    script = [expect("withdraw"), close_connection, fin]
    with ScriptedServer(script, [expect(Account.withdraw, 1), reply(0)]) as server:
        assert account(client, server).withdraw(1) == 0


def test_hang_ends_with_the_server() -> None:
    hurried = FailoverPolicy(deadline=0.2, rounds=1, refresh_interval=None)
    with (
        ScriptedServer([expect("balance"), hang]) as server,
        Client(policy=hurried) as client,
        pytest.raises(DeadlineExceeded),
    ):
        account(client, server).balance()


def test_the_test_and_the_script_wait_for_each_other(client: Client) -> None:
    reached, go = threading.Event(), threading.Event()
    with ScriptedServer([expect(Account.withdraw), tell(reached), wait_for(go), reply(3)]) as server:
        results: list[int] = []
        thread = threading.Thread(target=lambda: results.append(account(client, server).withdraw(1)))
        thread.start()
        assert reached.wait(10)
        assert not results
        go.set()
        thread.join()
        assert results == [3]


def test_the_end_does_not_wait_for_a_script(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with ScriptedServer([wait_for(threading.Event())], then=[lambda peer: peer.server.closing.wait() and None]) as server:
        for _ in range(2):
            socket.create_connection((server.host, server.port)).close()
        while server.connections < 2:
            time.sleep(0.01)
    assert time.monotonic() - began < 5.0
    monkeypatch.setattr(scripted, "PATIENCE", 0.05)
    let_go, met = threading.Event(), threading.Event()

    def meet(server: ScriptedServer) -> None:
        socket.create_connection((server.host, server.port)).close()
        assert met.wait(10)

    with pytest.raises(TimeoutError, match=r"the script of connection 1 has not ended 0.05 s after the end"):
        play(meet, [tell(met), lambda peer: let_go.wait() and None])
    let_go.set()


def test_what_is_said_by_hand() -> None:
    script = [message_error, close_connection, fin]
    with ScriptedServer(script) as server, socket.create_connection((server.host, server.port)) as sock:
        said = b"".join(iter(lambda: sock.recv(100), b""))
    assert isinstance(decode(said[:12]), MessageError)
    assert isinstance(decode(said[12:]), CloseConnection)


# --- what does not come as expected -----------------------------------------------------------------------------------


def play(action: Callable[[ScriptedServer], None], *scripts: Sequence[peers.Step]) -> None:
    with ScriptedServer(*scripts) as server:
        action(server)


def withdraw_in_vain(client: Client, times: int = 1) -> Callable[[ScriptedServer], None]:
    def call(server: ScriptedServer) -> None:
        for _ in range(times):
            with pytest.raises((ConnectionLost, FailoverExhausted)):  # the latter where the reset comes while it connects
                account(client, server).withdraw(1)

    return call


def connect(server: ScriptedServer) -> None:
    """Connect, and see the connection reset."""
    with pytest.raises(ConnectionResetError), socket.create_connection((server.host, server.port)) as sock:
        sock.recv(1)


def nothing(server: ScriptedServer) -> None:
    pass


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        (
            [[wait_for(done()), expect("balance"), reply(1)]],
            "connection 1, step 2 of 3: expected request balance, but request withdraw (id 0, GIOP 1.2) came",
        ),
        ([[expect(Account.withdraw, 2)]], "connection 1, step 1 of 1: expected request withdraw(2,), but withdraw(1,) came"),
        ([[locate_here]], "connection 1, step 1 of 1: expected a LocateRequest, but request withdraw (id 0, GIOP 1.2) came"),
        ([[peers.cancelled]], "connection 1, step 1 of 1: expected a CancelRequest, but request withdraw (id 0, GIOP 1.2) came"),
        ([], "connection 1, no script: expected 0 connection(s), but one more came"),
    ],
)
def test_something_else(client: Client, scripts: list[list[peers.Step]], said: str) -> None:
    with pytest.raises(ScriptMismatch) as caught:
        play(withdraw_in_vain(client), *scripts)
    assert str(caught.value) == said


def test_a_connection_too_few() -> None:
    with pytest.raises(ScriptMismatch, match=r"^expected connection 1 \(request balance \.\.\.\), but it never came$"):
        play(nothing, [expect("balance")])


def test_nothing_more_until_the_end(client: Client) -> None:
    script = [expect(Account.withdraw), reply(1), expect("balance")]
    with pytest.raises(ScriptMismatch, match=r"^connection 1, step 3 of 3: expected request balance, but nothing came before"):
        play(lambda server: account(client, server).withdraw(1) and None, script)


def test_the_client_closes() -> None:
    met = threading.Event()

    def leave(server: ScriptedServer) -> None:
        socket.create_connection((server.host, server.port)).close()
        assert met.wait(10)
        server._threads[0].join(10)

    with pytest.raises(ScriptMismatch, match=r"^connection 1, step 2 of 2: expected request balance, but the client closed"):
        play(leave, [tell(met), expect("balance")])


def test_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted, "PATIENCE", 0.05)
    with pytest.raises(ScriptMismatch, match=r"nothing came in 0.05 s"):
        play(connect, [expect("balance")])


@pytest.mark.parametrize(
    ("step", "said"),
    [(reply(1), r"reply\(1\): give its type"), (raise_(Overdrawn(1)), "expect a stub's method that declares it")],
)
def test_a_script_with_a_mistake_does_not_let_the_client_wait(client: Client, step: peers.Step, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        play(withdraw_in_vain(client), [expect("withdraw"), step])


def test_arguments_of_what_is_not_declared() -> None:
    with pytest.raises(TypeError, match="give a method of a stub"):
        expect("withdraw", 1)


def test_an_answer_before_a_question() -> None:
    with pytest.raises(AssertionError, match="nothing was asked"):
        play(connect, [reply(None)])


def test_several_failures_are_all_told(client: Client) -> None:
    def fail(peer: Peer) -> None:
        peer.receive()
        raise ValueError(f"connection {peer.number}")

    with pytest.raises(ExceptionGroup) as caught:
        play(withdraw_in_vain(client, 2), [fail], [fail])
    assert sorted(map(str, caught.value.exceptions)) == ["connection 1", "connection 2"]

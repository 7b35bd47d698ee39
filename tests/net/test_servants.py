"""Servants of an application, in threads and in the event loop of their server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from iiop.endpoints import endpoints
from iiop.exceptions import OBJECT_NOT_EXIST, TRANSIENT, UNKNOWN, CompletionStatus
from iiop.failover import FailoverPolicy
from iiop.giop.messages import CancelRequest, CloseConnection
from iiop.giop.wire import encode
from iiop.idl import Servant
from iiop.iop import IOR
from iiop.limits import Limits
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop.profile import CODE_SETS_OF_SERVERS
from tests.net.test_server import KEY, PATIENCE, Echo, Raw, failure, request, result

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
POLICY = FailoverPolicy(deadline=PATIENCE, attempt_timeout=PATIENCE, rounds=1)


class Slow(Servant):
    """Begins a call of `echo` or `tell`, tells so, and ends it when it may."""

    interface = Echo

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.threads: list[str] = []
        self._changed = threading.Condition()
        self._may_end: set[int] = set()

    def echo(self, n: int) -> int:
        with self._changed:
            self.threads.append(threading.current_thread().name)
            self.begun.append(n)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: n in self._may_end, PATIENCE)
            self.ended.append(n)
            self._changed.notify_all()
        return n

    def tell(self, n: int) -> None:
        self.echo(n)

    async def two(self) -> Any:
        self.threads.append(threading.current_thread().name)
        await asyncio.sleep(0)
        return 1, 2

    def end(self, *numbers: int) -> None:
        with self._changed:
            self._may_end.update(numbers)
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)


class Doing(Servant):
    """Does what a test says."""

    interface = Echo

    def __init__(self, echo: Callable[[int], Any]) -> None:
        self._echo = echo

    def echo(self, n: int) -> Any:
        return self._echo(n)


@contextlib.contextmanager
def serving(servant: Servant, **how: Any) -> Iterator[Server]:
    with Server(**how) as server:
        server.activate(servant, KEY)
        yield server


def connect(server: Server) -> Raw:
    return Raw(socket.create_connection(server.address, PATIENCE))


# --- objects ----------------------------------------------------------------------------------------------------------


def test_every_activation_is_an_object_with_a_key_of_its_own() -> None:
    servant = Doing(lambda n: n)
    with Server() as server, Client(policy=POLICY) as client:
        references = [server.activate(servant), server.activate(servant), server.activate(servant, b"chosen")]
        found = [endpoints(reference)[0] for reference in references]
        assert [len(endpoint.object_key) for endpoint in found] == [16, 16, 6]
        assert len({endpoint.object_key for endpoint in found}) == 3
        for reference, endpoint in zip(references, found, strict=True):
            assert (endpoint.host, endpoint.port) == server.address
            assert endpoint.code_sets == CODE_SETS_OF_SERVERS
            assert reference.type_id == Echo.repository_id
            assert client.stub(reference, Echo).echo(7) == 7
        server.deactivate(references[0])
        with pytest.raises(OBJECT_NOT_EXIST):
            client.stub(references[0], Echo).echo(7)
        with pytest.raises(KeyError):
            server.deactivate(references[0])
        assert client.stub(references[1], Echo).echo(7) == 7


def test_references_carry_what_is_advertised() -> None:
    with Server(advertised_host="vhost", advertised_port=8002) as server:
        assert str(endpoints(server.activate(Slow()))[0]) == "vhost:8002"


def test_no_reference_without_a_port() -> None:
    with pytest.raises(ValueError, match="once it has started"):
        Server().activate(Slow())
    assert endpoints(Server(port=8002).activate(Slow()))[0].port == 8002


def test_async_with_and_a_second_start() -> None:
    async def scenario() -> None:
        server = Server()
        for n in range(2):
            async with server:
                with Client(policy=POLICY) as client:
                    stub = client.stub(server.activate(Doing(lambda n: n)), Echo)
                    assert await asyncio.to_thread(stub.echo, n) == n

    asyncio.run(scenario())


def test_a_server_that_cannot_start_leaves_nothing_behind() -> None:
    with Server() as server, pytest.raises(OSError, match="in use"), Server(port=server.port):
        pass


# --- threads ----------------------------------------------------------------------------------------------------------


def test_methods_run_at_the_same_time() -> None:
    together = threading.Barrier(4)
    servant = Doing(lambda n: together.wait(PATIENCE) * 0 + n)
    with serving(servant, threads=4) as server, Client(policy=POLICY) as client, ThreadPoolExecutor(4) as callers:
        stub = client.stub(server.reference(Echo.repository_id, KEY), Echo)
        assert list(callers.map(stub.echo, range(8))) == list(range(8))


def test_replies_come_when_they_are_there_and_the_loop_is_free_meanwhile() -> None:
    servant = Slow()
    with serving(servant, threads=2) as server, connect(server) as client:
        client.send(request("echo", 1, id=1), request("echo", 2, id=2))
        servant.until(lambda: sorted(servant.begun) == [1, 2])
        client.send(request("two", id=3), request("_non_existent", id=4))
        assert sorted(client.receive().request_id for _ in range(2)) == [3, 4]  # type: ignore[union-attr]
        for n in (2, 1):
            servant.end(n)
            assert result(client.receive()) == n
    of_methods, of_coroutines = servant.threads[:2], servant.threads[2:]
    assert set(of_methods) == {"servants of 127.0.0.1 1", "servants of 127.0.0.1 2"}
    assert of_coroutines == ["Server"]


def test_threads_end_with_the_server() -> None:
    before = set(threading.enumerate())
    with serving(Doing(lambda n: n), threads=3) as server, connect(server) as client:
        for n in range(6):
            assert result(client.call(request("echo", n, id=n))) == n
        assert len(set(threading.enumerate()) - before) == 3 + 1, "those, and that of the loop"
    assert set(threading.enumerate()) - before == set()


def test_method_that_gives_an_awaitable() -> None:
    async def later(n: int) -> int:
        await asyncio.sleep(0)
        if n < 0:
            raise ZeroDivisionError("in the dark")
        return n

    with serving(Doing(later)) as server, connect(server) as client:
        assert result(client.call(request("echo", 1))) == 1
        assert failure(client.call(request("echo", -1))) == UNKNOWN(0, MAYBE)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [Limits(queued=1), Limits(queued_octets=1)], ids=["requests", "octets"])
def test_queue_is_bounded(limits: Limits, caplog: pytest.LogCaptureFixture) -> None:
    servant = Slow()
    with serving(servant, threads=1, limits=limits) as server, connect(server) as client:
        client.send(request("echo", 1, id=1))
        servant.until(lambda: servant.begun == [1])
        client.send(*[request("echo", n, id=n) for n in (2, 3, 4)], request("tell", 5, id=5, flags=0))
        for n in (3, 4):
            reply = client.receive()
            assert failure(reply) == TRANSIENT(0x4F4D0001, NO)
            assert reply.request_id == n  # type: ignore[union-attr]
        servant.end(1, 2)
        assert [result(client.receive()) for _ in range(2)] == [1, 2]
        assert servant.begun == [1, 2]
        servant.end(6)
        assert result(client.call(request("echo", 6, id=6))) == 6
    refused = [record.getMessage() for record in caplog.records if "TRANSIENT" in record.getMessage()]
    assert len(refused) == 2, "the first, and how many at the end"
    assert "3 requests refused with TRANSIENT in all" in refused[1]


def test_python_error_is_told_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    def fail(n: int) -> int:
        raise ZeroDivisionError("in the dark")

    with serving(Doing(fail)) as server, connect(server) as client:
        reply = client.call(request("echo", 1))
        assert failure(reply) == UNKNOWN(0, MAYBE)
        assert b"dark" not in bytes(reply.body)
    assert "ZeroDivisionError: in the dark" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()], ids=repr)
def test_what_would_end_a_thread_ends_a_call(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def fail(n: int) -> int:
        if n:
            raise error
        return n

    with serving(Doing(fail), threads=1) as server, connect(server) as client:
        for _ in range(3):
            assert failure(client.call(request("echo", 1))) == UNKNOWN(0, MAYBE)
            assert result(client.call(request("echo", 0))) == 0
    assert type(error).__name__ in caplog.text


@pytest.mark.parametrize("later", [False, True])
def test_what_would_end_the_event_loop_ends_a_call(later: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def fail_later(n: int) -> int:
        return fail(n)

    def fail(n: int) -> int:
        if n:
            raise SystemExit(3)
        return n

    with serving(Doing(fail_later if later else fail), threads=0) as server, connect(server) as client:
        for _ in range(3):
            assert failure(client.call(request("echo", 1))) == UNKNOWN(0, MAYBE)
            assert result(client.call(request("echo", 0))) == 0
    assert "SystemExit" in caplog.text


class Patient(Servant):
    """Awaits what does not come while it is tested."""

    interface = Echo

    def __init__(self) -> None:
        self.told: list[int] = []

    async def tell(self, n: int) -> None:
        self.told.append(n)
        await asyncio.sleep(PATIENCE)

    async def echo(self, n: int) -> int:
        return n


@pytest.mark.parametrize(
    "limits",
    [
        Limits(queued=3, stop_time=0.0),
        Limits(queued_octets=2 * len(encode(request("tell", 0, flags=0))) + 1, stop_time=0.0),
    ],
)
def test_oneways_that_are_awaited_are_bounded(limits: Limits) -> None:
    """Nobody waits for their replies, so no other bound holds them; that their sender leaves ends none."""
    servant = Patient()
    with serving(servant, limits=limits, threads=0) as server:
        for _ in range(2):
            with connect(server) as client:
                client.send(*[request("tell", n, flags=0) for n in range(10)])
                assert result(client.call(request("echo", 4, id=4))) == 4
        assert servant.told == [0, 1, 2]


# --- cancelled, left, stopped -----------------------------------------------------------------------------------------


def test_cancelled_requests() -> None:
    """One that waits for a thread is not run, of one that runs nobody gets the reply; oneways too."""
    servant = Slow()
    with serving(servant, threads=1) as server, connect(server) as client:
        client.send(request("echo", 1, id=1))
        servant.until(lambda: servant.begun == [1])
        client.send(request("echo", 2, id=2), request("tell", 3, id=3, flags=0), request("echo", 4, id=4))
        client.send(CancelRequest(1), CancelRequest(2), CancelRequest(3))
        for n in (5, 6):  # what came before them has been heard, and that it was is known a turn of the loop later
            assert client.call(request("_non_existent", id=n)).request_id == n
        servant.end(1, 2, 3, 4)
        assert result(client.receive()) == 4
        assert servant.begun == [1, 4]


def test_requests_of_a_client_that_has_left_are_not_begun_but_oneways_are() -> None:
    servant = Slow()
    with serving(servant, threads=1) as server, connect(server) as other:
        with connect(server) as client:
            client.send(request("echo", 1, id=1))
            servant.until(lambda: servant.begun == [1])
            client.send(request("echo", 2, id=2), request("tell", 3, id=3, flags=0), CloseConnection())
            assert client.rest() == []
        for n in (5, 6):
            assert other.call(request("_non_existent", id=n)).request_id == n
        other.send(request("echo", 4, id=4))
        servant.end(1, 2, 3, 4)
        assert result(other.receive()) == 4
    assert servant.begun == [1, 3, 4]


def stop_in(server: Server) -> threading.Thread:
    """Stop a server in a thread; returns when nobody can connect any more."""
    stopping = threading.Thread(target=server.__exit__, args=(None, None, None))
    stopping.start()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(server.address, PATIENCE).close()
        except OSError:
            return stopping
    raise AssertionError("it listens still")


def test_stop_waits_for_what_runs_and_what_waits() -> None:
    servant = Slow()
    server = Server(threads=1)
    server.__enter__()
    server.activate(servant, KEY)
    with connect(server) as client:
        client.send(request("echo", 1, id=1), request("echo", 2, id=2))
        servant.until(lambda: servant.begun == [1])
        stopping = stop_in(server)
        servant.end(1, 2)
        assert [result(client.receive()) for _ in range(2)] == [1, 2]
        assert client.rest() == [CloseConnection()]
    stopping.join()


def test_stop_leaves_alone_what_does_not_end() -> None:
    """Its caller is not told that it has not run, and what still waited is not begun."""
    servant = Slow()
    start = time.monotonic()
    with serving(servant, threads=1, limits=Limits(stop_time=0.1)) as server:
        client = connect(server)
        client.send(request("echo", 1, id=1), request("echo", 2, id=2))
        servant.until(lambda: servant.begun == [1])
    assert time.monotonic() - start < PATIENCE
    with client:
        assert client.rest() == []
    servant.end(1, 2)
    servant.until(lambda: servant.ended == [1])
    for thread in threading.enumerate():
        if thread.name.startswith("servants of"):
            thread.join(PATIENCE)
    assert servant.begun == [1]


# --- servants that call -----------------------------------------------------------------------------------------------


class Nesting(Servant):
    """Adds one to what an object of the same server says to one less."""

    interface = Echo

    def __init__(self, client: Client) -> None:
        self._client = client
        self.itself: IOR

    def echo(self, n: int) -> int:
        return self._client.stub(self.itself, Echo).echo(n - 1) + 1 if n else 0


def test_servant_calls_its_own_server() -> None:
    with Client(policy=POLICY) as client, Server(threads=4) as server:
        servant = Nesting(client)
        servant.itself = server.activate(servant)
        assert client.stub(servant.itself, Echo).echo(3) == 3


def test_servants_that_need_more_threads_than_there_are_wait_until_their_deadline() -> None:
    impatient = FailoverPolicy(deadline=0.3, rounds=1)
    with (
        Client(policy=impatient) as inner,
        Client(policy=POLICY) as client,
        Server(threads=1) as server,
    ):
        servant = Nesting(inner)
        servant.itself = server.activate(servant)
        stub = client.stub(servant.itself, Echo)
        with pytest.raises(UNKNOWN):  # the deadline is an error of Python's
            stub.echo(1)
        assert stub.echo(0) == 0

"""TLS, in both clients and the servers: who is trusted, what fails and why, and that calls are as good over it as without."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Protocol

import pytest
import uvloop

from iiop.cdr import Long
from iiop.exceptions import CompletionStatus, ConnectFailed, ConnectionLost, DeadlineExceeded, FailoverExhausted
from iiop.failover import FailoverPolicy
from iiop.giop.messages import CloseConnection, MessageType
from iiop.giop.wire import decode
from iiop.idl import Interface, ObjectAdapter, Servant, operation
from iiop.iop import IOR
from iiop.limits import Limits
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.deferred import defer
from iiop.net.server import IIOPServer
from iiop.net.serving import ServerThread
from iiop.net.tls import TLSStream
from iiop.net.tls_transport import TLSListener
from ior import IORBuilder
from tests.net import scripted as s
from tests.net import tls
from tests.net.scripted import Counter, ScriptedServer
from tests.net.tls import SecureScriptedServer, certificate, client_context, server_context, tls_reference
from tests.peers import free_port

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
POLICY = FailoverPolicy(deadline=10.0, attempt_timeout=8.0, rounds=1, backoff_initial=0.01, refresh_interval=None)
MEGABYTE = bytes(range(256)) * 4096


class Box(Interface):
    """What our server serves here."""

    repository_id = "IDL:test/Box:1.0"

    @operation
    def echo(self, octets: bytes) -> bytes:  # type: ignore[empty-body]
        """Give octets back."""

    @operation
    def add(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Return one more."""


class BoxServant(Servant):
    interface = Box

    def echo(self, octets: bytes) -> bytes:
        return octets

    def add(self, n: int) -> int:
        return n + 1


class Caller(Protocol):
    """Call with one of the clients."""

    def __call__(self, reference: IOR, interface: type[Interface], name: str, *arguments: Any) -> Any: ...

    def close(self) -> None: ...


class Blocking:
    def __init__(self, **options: Any) -> None:
        self.client = Client(**{"policy": POLICY, **options})

    def __call__(self, reference: IOR, interface: type[Interface], name: str, *arguments: Any) -> Any:
        return getattr(self.client.stub(reference, interface), name)(*arguments)

    def close(self) -> None:
        self.client.close()


class Asynchronous:
    """Call in an event loop that runs in a thread."""

    new_loop: Callable[[], asyncio.AbstractEventLoop] = staticmethod(asyncio.new_event_loop)

    def __init__(self, **options: Any) -> None:
        self.loop = self.new_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="tasks")
        self.thread.start()
        self.client: AsyncClient = self.run(self._make({"policy": POLICY, **options}))

    async def _make(self, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(**options)

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def __call__(self, reference: IOR, interface: type[Interface], name: str, *arguments: Any) -> Any:
        return self.run(self.client.invoke(reference, interface.operations()[name], arguments))

    async def _close(self) -> None:
        self.client.close()
        await asyncio.sleep(0)

    def close(self) -> None:
        self.run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class Uvloop(Asynchronous):
    new_loop = staticmethod(uvloop.new_event_loop)


Make = Callable[..., Caller]


@pytest.fixture(params=[Blocking, Asynchronous, Uvloop])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Caller] = []

    def caller(**options: Any) -> Caller:
        made.append(request.param(**options))
        return made[-1]

    yield caller
    for each in made:
        each.close()


class BoxServer:
    """Serve a box of ours."""

    def __init__(self, context: ssl.SSLContext, *, only: bool = False, limits: Limits | None = None) -> None:
        adapter = ObjectAdapter()
        adapter.activate(b"box", BoxServant())
        listener = TLSListener(context, only=only)
        self.iiop = IIOPServer(lambda: adapter, tls=listener, limits=limits or Limits())
        self._thread = ServerThread(self.iiop.start, self.iiop.stop, "box")

    def reference(self, host: str = "127.0.0.1") -> IOR:
        builder = IORBuilder(Box.repository_id).iiop(host, self.iiop.port, key=b"box")
        return builder.tls(self.iiop.tls_port, required=not self.iiop.port).build().to_iop()

    def __enter__(self) -> BoxServer:
        self._thread.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._thread.__exit__(*error)


@pytest.fixture(params=["uvloop", "asyncio"])
def any_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers run in either event loop."""
    if request.param == "asyncio":
        monkeypatch.setattr("iiop.net.serving.new_event_loop", asyncio.new_event_loop)


def reasons(error: FailoverExhausted) -> list[str]:
    return [str(attempt.error) for attempt in error.attempts]


def failure(caller: Caller, reference: IOR, interface: type[Interface] = Counter) -> str:
    """Call in vain, and return the one reason, which is that no connection came about."""
    with pytest.raises(FailoverExhausted) as caught:
        caller(reference, interface, "add", 1)
    assert [type(attempt.error) for attempt in caught.value.attempts] == [ConnectFailed]
    return reasons(caught.value)[0]


# --- good ---


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_calls(make: Make, any_loop: None, version: ssl.TLSVersion) -> None:
    with BoxServer(server_context(version=version)) as server:
        caller = make(ssl=client_context())
        assert [caller(server.reference(), Box, "add", n) for n in range(3)] == [1, 2, 3]
        assert caller(server.reference(), Box, "echo", MEGABYTE) == MEGABYTE
        assert len(server.iiop._connections) == 1


def test_the_host_of_the_reference_is_checked_not_where_it_leads(make: Make) -> None:
    with BoxServer(server_context("bank.example")) as server:
        caller = make(ssl=client_context(), hosts={"bank.example": "127.0.0.1"})
        assert caller(server.reference("bank.example"), Box, "add", 1) == 2


def test_many_threads_on_one_connection(make: Make, any_loop: None) -> None:
    with BoxServer(server_context()) as server, ThreadPoolExecutor(16) as threads:
        caller, reference = make(ssl=client_context(), connections=1), server.reference()

        def call(n: int) -> bool:
            octets = MEGABYTE[: n * 1000]
            return bool(caller(reference, Box, "echo", octets) == octets and caller(reference, Box, "add", n) == n + 1)

        assert all(threads.map(call, range(200)))
        assert len(server.iiop._connections) == 1


def test_fragments(make: Make) -> None:
    with BoxServer(server_context()) as server:
        assert make(ssl=client_context(), fragment_size=1000)(server.reference(), Box, "echo", MEGABYTE) == MEGABYTE


def test_client_certificate(make: Make, any_loop: None) -> None:
    with BoxServer(server_context(client_certificate=True)) as server:
        caller = make(ssl=client_context(certificate("me@example.org")))
        assert caller(server.reference(), Box, "add", 1) == 2


# --- trust ---


def test_unknown_authority(make: Make) -> None:
    with SecureScriptedServer(server_context(by=tls.STRANGER)) as server:
        reason = failure(make(ssl=client_context()), server.reference())
    assert "its certificate was refused: " in reason
    assert "unable to get local issuer certificate" in reason
    assert server.received == []


def test_the_authorities_of_the_system_are_those_by_default(make: Make) -> None:
    with SecureScriptedServer(server_context()) as server:
        assert "unable to get local issuer certificate" in failure(make(ssl=True), server.reference())


def test_wrong_host(make: Make) -> None:
    with SecureScriptedServer(server_context("other.example")) as server:
        caller = make(ssl=client_context(), hosts={"bank.example": "127.0.0.1"})
        reason = failure(caller, tls_reference(server.port, "bank.example"))
    assert "cannot connect to bank.example:" in reason
    assert "Hostname mismatch" in reason
    assert server.received == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate_missing(make: Make, version: ssl.TLSVersion, any_loop: None) -> None:
    """In TLS 1.3 the request has been sent before the server looks at the certificate; it has not run all the same."""
    with BoxServer(server_context(client_certificate=True, version=version)) as server:
        with pytest.raises(FailoverExhausted) as caught:
            make(ssl=client_context())(server.reference(), Box, "add", 1)
        error = caught.value.attempts[-1].error
        if version is ssl.TLSVersion.TLSv1_2:
            assert isinstance(error, ConnectFailed)
            assert "handshake failure" in str(error)
        else:
            assert isinstance(error, ConnectionLost)
            assert error.completed is NO
            assert "certificate required" in str(error)


def test_client_certificate_of_a_stranger(make: Make) -> None:
    with BoxServer(server_context(client_certificate=True)) as server:
        with pytest.raises(FailoverExhausted) as caught:
            make(ssl=client_context(tls.STRANGER.issue_cert("me@example.org")))(server.reference(), Box, "add", 1)
        error = caught.value.attempts[-1].error
        assert isinstance(error, ConnectionLost)
        assert error.completed is NO
        assert "unknown ca" in str(error)


def test_no_common_version(make: Make) -> None:
    with SecureScriptedServer(server_context(version=ssl.TLSVersion.TLSv1_3)) as server:
        reason = failure(make(ssl=client_context(version=ssl.TLSVersion.TLSv1_2)), server.reference())
    assert "tlsv1 alert protocol version" in reason


def test_a_context_that_allows_no_version_at_all(make: Make) -> None:
    context = client_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    with SecureScriptedServer(server_context()) as server:
        start = time.monotonic()
        assert "no protocols available" in failure(make(ssl=context), server.reference())
        assert time.monotonic() - start < 5.0


# --- plain and TLS, mixed up ---


def test_tls_to_a_plain_port(make: Make, any_loop: None) -> None:
    with BoxServer(server_context()) as server:
        reason = failure(make(ssl=client_context()), tls_reference(server.iiop.port), Box)
    assert "TLS: wrong version number: what came is no TLS, as from a plain port" in reason


def test_plain_to_a_tls_port(make: Make, any_loop: None, caplog: pytest.LogCaptureFixture) -> None:
    with BoxServer(server_context()) as server:
        reference = IORBuilder(Box.repository_id).iiop("127.0.0.1", server.iiop.tls_port, key=b"box").build().to_iop()
        with pytest.raises(ConnectionLost) as caught:
            make()(reference, Box, "add", 1)
    assert "ended the connection without a reply" in str(caught.value)
    assert any("TLS: wrong version number: what came is no TLS" in record.message for record in caplog.records)


def test_without_a_context_nothing_is_tried_where_tls_is_spoken(make: Make) -> None:
    with SecureScriptedServer(server_context()) as server:
        reason = failure(make(), server.reference())
        assert "TLS is spoken there, and the client has no `ssl` context" in reason
        assert server.connections == 0


def test_with_a_context_nothing_is_tried_where_no_tls_is_spoken(make: Make) -> None:
    with ScriptedServer() as server:
        reason = failure(make(ssl=client_context()), server.reference())
        assert "offers no TLS there, and the client does not `allow_plain`" in reason
        assert server.connections == 0


def test_plain_is_tried_where_that_is_allowed(make: Make) -> None:
    with ScriptedServer([s.serve(7)]) as server:
        caller = make(ssl=client_context(), allow_plain=True)
        assert caller(tls_reference(free_port(), plain=server.port), Counter, "add", 1) == 7
        assert "[Errno 111]" in failure(caller, tls_reference(free_port()))
        assert server.connections == 1


def test_a_reference_that_has_both(make: Make) -> None:
    with ScriptedServer([s.serve(1)]) as plain, SecureScriptedServer(server_context(), [s.serve(2)]) as secure:
        reference = tls_reference(secure.port, plain=plain.port)
        assert make()(reference, Counter, "add", 1) == 1
        assert make(ssl=client_context(), allow_plain=True)(reference, Counter, "add", 1) == 2
        assert (plain.connections, secure.connections) == (1, 1)


# --- time, failure, ends ---


def test_silence_in_the_handshake_ends_at_the_deadline(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        policy = FailoverPolicy(deadline=0.3, attempt_timeout=0.3, rounds=1, refresh_interval=None)
        caller, start = make(ssl=client_context(), policy=policy), time.monotonic()
        with pytest.raises((FailoverExhausted, DeadlineExceeded)) as caught:
            caller(tls_reference(listener.getsockname()[1]), Counter, "add", 1)
        assert time.monotonic() - start < 1.0
        assert "no answer in time" in str(caught.value.attempts[0].error)


def test_a_server_that_goes_in_the_handshake(make: Make) -> None:
    with ScriptedServer(then=(s.arrived, s.rst)) as server:
        assert "cannot connect" in failure(make(ssl=client_context()), tls_reference(server.port))
    with ScriptedServer(then=(s.fin,)) as server:
        assert "cannot connect" in failure(make(ssl=client_context()), tls_reference(server.port))


def test_no_reply_in_time(make: Make) -> None:
    with SecureScriptedServer(server_context(), [s.request, s.gone]) as server:
        policy = FailoverPolicy(deadline=0.3, attempt_timeout=0.3, rounds=1, refresh_interval=None)
        with pytest.raises(DeadlineExceeded):
            make(ssl=client_context(), policy=policy)(server.reference(), Counter, "add", 1)
        server.wait_received(2)
        assert len(server.cancelled) == 1


def test_a_server_that_reads_nothing(make: Make) -> None:
    with SecureScriptedServer(server_context(), [s.arrived], then=(s.arrived,)) as server:
        policy = FailoverPolicy(deadline=0.4, attempt_timeout=0.4, rounds=1, refresh_interval=None)
        start = time.monotonic()
        with pytest.raises((DeadlineExceeded, ConnectionLost)):
            make(ssl=client_context(), policy=policy)(server.reference(), Counter, "store", MEGABYTE * 15)
        assert time.monotonic() - start < 2.0


def test_failover_from_a_dead_endpoint(make: Make) -> None:
    with SecureScriptedServer(server_context(), [s.serve(5)]) as server:
        dead = tls_reference(free_port())
        both = IOR(dead.type_id, (*dead.profiles, *server.reference().profiles))
        assert make(ssl=client_context())(both, Counter, "add", 1) == 5


def test_failover_from_one_that_is_not_trusted(make: Make) -> None:
    with (
        SecureScriptedServer(server_context(by=tls.STRANGER)) as wrong,
        SecureScriptedServer(server_context(), [s.serve(5)]) as right,
    ):
        both = IOR(Counter.repository_id, (*wrong.reference().profiles, *right.reference().profiles))
        assert make(ssl=client_context())(both, Counter, "add", 1) == 5
        assert wrong.received == []


def test_forward_to_a_reference_with_tls(make: Make) -> None:
    with (
        SecureScriptedServer(server_context(), [s.serve(5)]) as target,
        SecureScriptedServer(server_context(), [s.request, s.forward(target.reference), s.gone]) as first,
    ):
        assert make(ssl=client_context())(first.reference(), Counter, "add", 1) == 5


@pytest.mark.parametrize(
    ("last", "completed"),
    [((s.close_connection, tls.goodbye), NO), ((tls.goodbye,), MAYBE), ((s.fin,), MAYBE), ((s.rst,), MAYBE)],
)
def test_the_end_of_a_connection(make: Make, last: tuple[s.Step, ...], completed: CompletionStatus) -> None:
    with SecureScriptedServer(server_context(), then=[s.request, *last]) as server:
        with pytest.raises((FailoverExhausted, ConnectionLost)) as caught:
            make(ssl=client_context())(server.reference(), Counter, "add", 1)
        error = caught.value.attempts[-1].error if isinstance(caught.value, FailoverExhausted) else caught.value
        assert isinstance(error, ConnectionLost)
        assert error.completed is completed


def test_an_idle_connection_that_was_closed_in_order_costs_nothing(make: Make) -> None:
    closed = threading.Event()
    script = [s.request, s.reply(1), s.close_connection, s.tell(closed), tls.goodbye]
    with SecureScriptedServer(server_context(), script, [s.serve(2)]) as server:
        caller = make(ssl=client_context())
        assert caller(server.reference(), Counter, "add", 1) == 1
        assert closed.wait(s.PATIENCE)
        assert caller(server.reference(), Counter, "add", 1) == 2
        assert server.connections == 2


def test_a_server_that_stops_says_so(make: Make, any_loop: None) -> None:
    server = BoxServer(server_context())
    with server:
        context = client_context()
        with socket.create_connection(("127.0.0.1", server.iiop.tls_port)) as plain:
            sock = context.wrap_socket(plain, server_hostname="127.0.0.1")
            sock.settimeout(5)
            server._thread.call(server.iiop.stop())
            octets = sock.recv(100)
            assert octets[7] == MessageType.CloseConnection
            assert isinstance(decode(octets), CloseConnection)
            assert sock.recv(100) == b""
            sock.close()


def test_peers_that_do_not_shake_hands_are_counted_and_end(any_loop: None) -> None:
    with BoxServer(server_context(), limits=Limits(connections=2, idle_time=0.3)) as server:
        socks = [socket.create_connection(("127.0.0.1", server.iiop.tls_port)) for _ in range(3)]
        try:
            for sock in socks:
                sock.settimeout(5)
                assert sock.recv(1) == b""
        finally:
            for sock in socks:
                sock.close()


def test_tls_only() -> None:
    with BoxServer(server_context(), only=True) as server:
        assert server.iiop.port == 0
        assert server.iiop.address == ("127.0.0.1", server.iiop.tls_port)
        with Client(ssl=client_context()) as client:
            assert client.stub(server.reference(), Box).add(1) == 2


def test_rubbish_ends_one_connection(any_loop: None) -> None:
    with BoxServer(server_context()) as server, Client(ssl=client_context()) as client:
        for rubbish in (b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"\xff" * 70000, b"\x16\x03\x01\0\5hello", b"GIOP"):
            with socket.create_connection(("127.0.0.1", server.iiop.tls_port)) as sock:
                sock.sendall(rubbish)
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(5)
                with contextlib.suppress(ConnectionError):
                    while sock.recv(1000):
                        pass
        assert client.stub(server.reference(), Box).add(1) == 2


def test_a_stream_knows_what_waits_in_records() -> None:
    """Tickets of sessions, and halves of records, are nothing to receive; what was decrypted beside them is."""
    reading, go = threading.Event(), threading.Event()

    def speak(peer: s.Peer) -> None:
        reading.set()
        assert go.wait(s.PATIENCE)
        peer.sock.sendall(b"abc")
        go.clear()
        assert go.wait(s.PATIENCE)

    with SecureScriptedServer(server_context(), [speak, tls.goodbye]) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        stream = TLSStream(sock, client_context(), "127.0.0.1", time.monotonic() + 5)
        assert reading.wait(s.PATIENCE)
        assert not stream.has_input
        with pytest.raises(TimeoutError):
            stream.wait(time.monotonic() + 0.02)
        go.set()
        stream.wait(time.monotonic() + 5)
        assert stream.has_input
        assert stream.receive(0.0) == b"abc"
        assert not stream.has_input
        with pytest.raises(TimeoutError):
            stream.receive(time.monotonic() + 0.02)
        go.set()
        assert stream.receive(time.monotonic() + 5) == b""
        assert stream.has_input
        stream.close()


def test_deferred_calls() -> None:
    with BoxServer(server_context()) as server, Client(ssl=client_context(), connections=1) as client:
        box = client.stub(server.reference(), Box)
        calls = [defer(box.echo, MEGABYTE[: n * 100_000]) for n in range(10)]
        deadline = time.monotonic() + s.PATIENCE
        while not calls[0].done():
            assert time.monotonic() < deadline
        assert [len(call.result()) for call in calls] == [n * 100_000 for n in range(10)]
        assert len(server.iiop._connections) == 1

"""`NameService` over our own `NamingServer`: references that are acquired late, again, and over new connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import pytest

from iiop.cdr import Long
from iiop.connection import NEED_DATA, Connection, Role
from iiop.endpoints import endpoints
from iiop.exceptions import (
    COMM_FAILURE,
    OBJECT_NOT_EXIST,
    CompletionStatus,
    ConnectionLost,
    DecodeError,
    FailoverExhausted,
    ReferenceFormatError,
)
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Body, Reply, ReplyStatus, Request, key_address
from iiop.giop.wire import encode
from iiop.idl import Servant
from iiop.iop import NIL
from iiop.limits import Limits
from ior import IORBuilder
from naming import NameComponent, NameService, NamingServer
from naming.changes import ROOT
from naming.interfaces import NamingContextExt
from naming.names import parse_name
from naming.store import Prepared, Store
from naming.types import NotFound
from tests.net import scripted as s
from tests.net.scripted import Counter, ScriptedServer
from tests.peers import free_port

POLICY = FailoverPolicy(deadline=5.0, rounds=3, backoff_initial=0.01, backoff_max=0.05, refresh_interval=None)
ALL_DOWN = COMM_FAILURE(0x464A0114, CompletionStatus.COMPLETED_NO)
NAME = "TDsample::tdtest"


class CounterServant(Servant):
    """Counts, and fails as often as it is told to."""

    interface = Counter

    def __init__(self) -> None:
        self.sum = 0
        self.failures: list[Exception] = []

    def add(self, n: Annotated[int, Long]) -> int:
        if self.failures:
            raise self.failures.pop(0)
        self.sum += n
        return self.sum

    def value(self) -> int:
        return self.sum

    def store(self, octets: bytes) -> None:
        pass

    def poke(self, n: int) -> None:
        self.sum += n


@pytest.fixture
def servant() -> CounterServant:
    return CounterServant()


@pytest.fixture
def server(servant: CounterServant) -> Iterator[NamingServer]:
    with NamingServer() as server:
        server.activate(servant, b"counter")
        yield server


@pytest.fixture
def service(server: NamingServer) -> Iterator[NameService]:
    with NameService(server.corbaloc, policy=POLICY) as service:
        reference = IORBuilder(Counter.repository_id).iiop(server.host, server.port, key=b"counter").build()
        service.root.bind(parse_name(NAME), reference.to_iop())
        yield service


def connects(service: NameService, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that grows with each connection taken: whether it was a new one."""
    taken: list[bool] = []
    take = service.client.pool.take

    def watch(*args: object, **kwargs: object) -> object:
        connection, used = take(*args, **kwargs)  # type: ignore[arg-type]
        taken.append(not used)
        return connection, used

    monkeypatch.setattr(service.client.pool, "take", watch)
    return taken


def test_reference_uses_the_network_when_it_is_called(server: NamingServer) -> None:
    port = free_port()
    with NameService(f"127.0.0.1:{port}", policy=POLICY) as service:
        stub = service.reference(NAME, stub=Counter)
        with pytest.raises(FailoverExhausted):
            stub.add(1)
        with NamingServer(port=port) as late:
            late.activate(CounterServant(), b"counter")
            reference = IORBuilder(Counter.repository_id).iiop(late.host, port, key=b"counter").build()
            service.root.bind(parse_name(NAME), reference.to_iop())
            assert stub.add(2) == 2


def test_name_in_either_form(service: NameService) -> None:
    assert service.reference(NAME, stub=Counter).add(1) == 1
    assert service.reference((NameComponent(NAME),), stub=Counter).add(1) == 2
    assert service.resolve((NameComponent(NAME),)) == service.resolve(NAME)


def test_kept_reference_is_called_over_one_connection(service: NameService, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = service.reference(NAME, stub=Counter)
    taken = connects(service, monkeypatch)
    assert [stub.add(1) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert taken == [True, False, False, False, False, False], "one to resolve, anew, and then the calls"


def test_comm_failure_resolves_again_over_a_new_connection(
    service: NameService, servant: CounterServant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = service.reference(NAME, stub=Counter)
    assert stub.add(1) == 1
    servant.failures = [ALL_DOWN, ALL_DOWN]
    taken = connects(service, monkeypatch)
    assert stub.add(1) == 2
    assert taken == [False, True, True, True, True], "call; resolve, call; resolve, call"


def test_rebound_name_is_found_after_the_old_object_has_gone(service: NameService, server: NamingServer) -> None:
    stub = service.reference(NAME, stub=Counter)
    assert stub.add(1) == 1
    server.adapter.deactivate(b"counter")
    with pytest.raises(OBJECT_NOT_EXIST):
        stub.add(1)
    other = CounterServant()
    server.activate(other, b"other")
    reference = IORBuilder(Counter.repository_id).iiop(server.host, server.port, key=b"other").build()
    service.root.rebind(parse_name(NAME), reference.to_iop())
    assert stub.add(5) == 5
    assert stub.add(5) == 10


def test_name_unbound_and_object_gone(service: NameService, server: NamingServer) -> None:
    stub = service.reference(NAME, stub=Counter)
    assert stub.add(1) == 1
    server.adapter.deactivate(b"counter")
    service.root.unbind(parse_name(NAME))
    with pytest.raises(OBJECT_NOT_EXIST) as caught:
        stub.add(1)
    assert isinstance(caught.value.__cause__, NotFound | FailoverExhausted)


def test_server_that_starts_again(servant: CounterServant, tmp_path: object) -> None:
    port = free_port()
    reference = IORBuilder(Counter.repository_id).iiop("127.0.0.1", port, key=b"counter").build().to_iop()
    with NameService(f"127.0.0.1:{port}", policy=POLICY) as service:
        stub = service.reference(NAME, stub=Counter)
        for expected in (1, 2, 3):
            with NamingServer(str(tmp_path), port=port) as server:
                server.activate(servant, b"counter")
                service.root.rebind(parse_name(NAME), reference)
                assert stub.add(1) == expected


def test_two_naming_services_the_first_is_dead(server: NamingServer, service: NameService) -> None:
    address = f"corbaloc::1.2@127.0.0.1:{free_port()},:1.2@{server.host}:{server.port}/NameService"
    with NameService(address, policy=POLICY) as both:
        assert both.resolve(NAME) == service.resolve(NAME)
        assert both.reference(NAME, stub=Counter).add(1) == 1


def test_virtual_host_name(server: NamingServer, service: NameService) -> None:
    with NameService(f"VHOST:{server.port}", hosts={"vhost": server.host}, policy=POLICY) as by_name:
        assert by_name.reference(NAME, stub=Counter).add(1) == 1


# --- a disk that takes its time -------------------------------------------------------------------------------------------


class SlowDisk:
    """Has the stores of this process wait before they write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.writes: list[int] = []
        commit = Store.commit

        def wait_and_commit(store: Store, prepared: list[Prepared]) -> None:
            self.begun.release()
            assert self.go_on.acquire(timeout=10)
            self.writes.append(len(prepared))
            commit(store, prepared)

        monkeypatch.setattr(Store, "commit", wait_and_commit)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.go_on.release(1000)


def test_questions_are_answered_while_the_disk_is_busy_and_changes_share_it(server: NamingServer, slow_disk: SlowDisk) -> None:
    with NameService(server.corbaloc, policy=POLICY) as service, ThreadPoolExecutor(9) as threads:
        first = threads.submit(service.root.bind, parse_name("first"), NIL)
        assert slow_disk.begun.acquire(timeout=10)
        others = [threads.submit(service.root.bind, parse_name(f"other{number}"), NIL) for number in range(8)]
        with pytest.raises(NotFound):
            service.root.resolve(parse_name("first"))
        assert service.root.list(10)[0] == ()
        wait_until_planned(server, 8)
        assert not first.done()
        slow_disk.go_on.release(2)
        for change in (first, *others):
            change.result(10)
        assert slow_disk.writes == [1, 8]
        assert service.root.resolve(parse_name("first")) == NIL


def wait_until_planned(server: NamingServer, count: int) -> None:
    """Wait until so many changes wait for the disk to finish with others."""
    assert server._servants is not None
    commits, end = server._servants.commits, time.monotonic() + 10
    while commits._next is None or len(commits._next.waiting) < count:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_pipelined_changes_are_made_in_the_order_of_their_arrival(server: NamingServer, slow_disk: SlowDisk) -> None:
    operations = NamingContextExt.operations()
    name = parse_name("n")
    calls = [("bind", (name, NIL)), ("unbind", (name,)), ("bind", (name, NIL)), ("bind", (name, NIL)), ("unbind", (name,))] * 20
    requests = [
        Request(number, operation, key_address(ROOT.encode()), 3, body=Body.of(operations[operation].arguments, arguments))
        for number, (operation, arguments) in enumerate(calls)
    ]
    slow_disk.go_on.release(1000)
    with socket.create_connection((server.host, server.port), timeout=10) as sock:
        sock.sendall(b"".join(map(encode, requests)))
        connection = Connection(Role.CLIENT)
        for request in requests:
            connection.send(request)
        statuses: dict[int, ReplyStatus] = {}
        while len(statuses) < len(calls):
            while (event := connection.next_event()) is NEED_DATA:
                connection.receive_data(sock.recv(65536))
            assert isinstance(event, Reply)
            statuses[event.request_id] = event.reply_status
    done, refused = ReplyStatus.NO_EXCEPTION, ReplyStatus.USER_EXCEPTION
    assert [statuses[number] for number in range(len(calls))] == [done, done, done, refused, done] * 20


def test_stop_writes_what_it_has_answered_nobody(tmp_path: Path, slow_disk: SlowDisk) -> None:
    """The disk takes longer than a client is waited for: the client is not told, and what it asked for is done."""
    with ThreadPoolExecutor(1) as threads:
        server = NamingServer(tmp_path, limits=Limits(stop_time=0.1))
        with server, NameService(server.corbaloc, policy=POLICY) as service:
            change = threads.submit(service.root.bind, parse_name("n"), NIL)
            assert slow_disk.begun.acquire(timeout=10)
            threading.Timer(0.5, slow_disk.go_on.release).start()
        with pytest.raises(ConnectionLost) as caught:
            change.result(10)
        assert caught.value.completed is CompletionStatus.COMPLETED_MAYBE
    with NamingServer(tmp_path) as server, NameService(server.corbaloc, policy=POLICY) as service:
        assert service.root.resolve(parse_name("n")) == NIL


# --- refresh ----------------------------------------------------------------------------------------------------------


def test_refresh_interval(service: NameService, server: NamingServer) -> None:
    policy = FailoverPolicy(refresh_interval=1e-6)
    stub = service.reference(NAME, stub=Counter, policy=policy)
    assert stub.add(1) == 1
    other = CounterServant()
    server.activate(other, b"other")
    reference = IORBuilder(Counter.repository_id).iiop(server.host, server.port, key=b"other").build()
    service.root.rebind(parse_name(NAME), reference.to_iop())
    assert stub.add(5) == 5, "nothing failed, and yet the name was asked for again"
    assert other.sum == 5


def test_without_a_refresh_interval_the_name_is_not_asked_for_again(service: NameService) -> None:
    stub = service.reference(NAME, stub=Counter)
    assert stub.add(1) == 1
    service.root.unbind(parse_name(NAME))
    assert stub.add(1) == 2


def test_name_unbound_is_noticed_at_the_refresh(service: NameService) -> None:
    stub = service.reference(NAME, stub=Counter, policy=FailoverPolicy(refresh_interval=1e-6, rounds=1))
    assert stub.add(1) == 1
    service.root.unbind(parse_name(NAME))
    with pytest.raises(NotFound):
        stub.add(1)


def test_dead_naming_service_stops_no_call_to_a_living_object() -> None:
    with ScriptedServer(then=[s.serve(7)]) as living:
        with NamingServer() as naming, NameService(naming.corbaloc, policy=POLICY) as service:
            service.root.bind(parse_name(NAME), living.reference())
            stub = service.reference(NAME, stub=Counter, policy=FailoverPolicy(refresh_interval=1e-6, connect_timeout=0.5))
            assert stub.add(1) == 7
            client = service.client
        assert [stub.add(1), stub.add(1)] == [7, 7]
        client.close()


def test_threads_share_a_reference(service: NameService, servant: CounterServant) -> None:
    stub = service.reference(NAME, stub=Counter, policy=FailoverPolicy(refresh_interval=1e-6))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                stub.poke(1)
                stub.value()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert servant.sum == 160


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *["", ":", "host:", ":8002", "host:0", "host:65536", "host:x", "host:-1", "host:²", "a b:1", "host:1/x", "ho\0st:1"],
        *["[::1", "::1", "[::g]:1", "http://h:1", "corbaloc:", "corbaloc:rir:/NameService", "corbaloc::h:99999/K"],
        *["corbaname::h#x", "IOR:0", "IOR:zz"],
    ],
)
def test_bad_address(address: str) -> None:
    with pytest.raises((ReferenceFormatError, DecodeError)):
        NameService(address)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("vhost", "vhost", 8002),
        ("vhost:2809", "vhost", 2809),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:9", "::1", 9),
        ("[::1]", "::1", 8002),
        ("corbaloc::h/NameService", "h", 2809),
        ("CORBALOC:iiop:1.2@h:5/NameService", "h", 5),
    ],
)
def test_address(address: str, host: str, port: int) -> None:
    (endpoint,) = endpoints(NameService(address).ior)
    assert (endpoint.host, endpoint.port, endpoint.object_key) == (host, port, b"NameService")


def test_ipv6(servant: CounterServant) -> None:
    with NamingServer(host="::1") as server, NameService(f"[::1]:{server.port}", policy=POLICY) as service:
        assert service.root.list(1)[0] == ()
        assert server.corbaloc == f"corbaloc:iiop:1.2@[::1]:{server.port}/NameService"
        with NameService(server.corbaloc, policy=POLICY) as again:
            assert again.root.list(1)[0] == ()

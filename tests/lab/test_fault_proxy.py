"""The proxy itself: attached to and detached from at any moment, by any thread, and nothing of it left."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from iiop.exceptions import COMM_FAILURE
from iiop.giop.messages import LocateReply, LocateRequest, key_address
from iiop.giop.wire import decode, encode
from iiop.net.client import Client
from iiop_lab.faults import (
    Aim,
    Attachment,
    BlackHole,
    Delay,
    Direction,
    Drop,
    Duplicate,
    Fault,
    FaultProxy,
    Fragmented,
    HalfOpen,
    Latency,
    OtherByteOrder,
    Refuse,
    Reset,
    Slice,
    SwapReplies,
    SystemExceptionInstead,
)
from iiop_lab.virtual_host import Target, VirtualHost
from tests.lab.faulty import KEY, Account, AccountServant, reference, serving
from tests.peers import free_port

PATIENCE = 10.0
RST = struct.pack("ii", 1, 0)


class Behind:
    """A server, a proxy before it, and a client that waits for answers as long as it takes."""

    def __init__(self, stack: ExitStack, proxy: FaultProxy | None = None) -> None:
        self.account = AccountServant()
        self.server = stack.enter_context(serving(self.account))
        self.proxy = stack.enter_context(FaultProxy((self.server.host, self.server.port)))
        self.client = stack.enter_context(Client(seed=1))
        self.stub = self.client.stub(reference(self.proxy.host, self.proxy.port), Account)

    def later(self, octets: bytes) -> tuple[threading.Thread, list[bytes]]:
        """Call in a thread; what it gets will be in the list."""
        got: list[bytes] = []
        thread = threading.Thread(target=lambda: got.append(self.stub.echo(octets)))
        thread.start()
        return thread, got


@pytest.fixture
def behind() -> Iterator[Behind]:
    with ExitStack() as stack:
        yield Behind(stack)


class Deaf:
    """A server that accepts, and then does what the test does with `peer`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._listener.settimeout(PATIENCE)
        self._stack = ExitStack()

    def __enter__(self) -> Deaf:
        self._stack.enter_context(self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def connect(self, proxy: FaultProxy) -> tuple[socket.socket, socket.socket]:
        """Return a client's socket and the server's, connected through the proxy."""
        client = self._stack.enter_context(socket.create_connection((proxy.host, proxy.port), PATIENCE))
        peer, _ = self._listener.accept()
        peer.settimeout(PATIENCE)
        self._stack.enter_context(peer)
        return client, peer


# --- attaching ----------------------------------------------------------------------------------------------------------


def test_attached_before_the_first_connection() -> None:
    account = AccountServant()
    with serving(account) as server:
        proxy = FaultProxy((server.host, server.port))
        attachment = proxy.attach(SystemExceptionInstead("COMM_FAILURE", 7, "MAYBE"), Aim(operation="add", nth=1))
        refuse = proxy.attach(Refuse())
        with proxy, Client(seed=1) as client:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((proxy.host, proxy.port), PATIENCE).close()
            refuse.remove()
            stub = client.stub(reference(proxy.host, proxy.port), Account)
            with pytest.raises(COMM_FAILURE) as caught:
                stub.add(1)
            assert caught.value.minor == 7
            assert stub.add(1) == 1
        assert (attachment.seen, attachment.struck) == (2, 1)
        attachment.remove()
        attachment.remove()
        assert proxy.attachments == ()


def test_removed_while_a_call_waits(behind: Behind) -> None:
    for fault in (BlackHole(), Delay(1000), Latency(1000), SwapReplies()):
        behind.account.ran = 0
        with behind.proxy.attach(fault) as attachment:
            thread, got = behind.later(b"waits")
            until(lambda attachment=attachment: attachment.struck > 0)
            assert not got
        thread.join(PATIENCE)
        assert got == [b"waits"]
        assert behind.account.ran == 1


def listen_to(proxy: FaultProxy) -> None:
    """Connect and receive; either may fail where connections are reset."""
    with socket.create_connection((proxy.host, proxy.port), PATIENCE) as client:
        client.recv(1)


def until(condition: object) -> None:
    """Wait until something holds that another thread does."""
    assert callable(condition)
    tick, patience = threading.Event(), itertools.count()
    while not condition():
        assert next(patience) < PATIENCE * 1000
        tick.wait(0.001)


def test_an_error_in_the_block_removes_too(behind: Behind) -> None:
    with pytest.raises(ZeroDivisionError), behind.proxy.attach(Drop()):
        raise ZeroDivisionError
    assert behind.stub.echo(b"x") == b"x"
    assert behind.proxy.attachments == ()


def test_attached_to_connections_that_are_open(behind: Behind) -> None:
    assert behind.stub.add(1) == 1
    with (
        behind.proxy.attach(SystemExceptionInstead("COMM_FAILURE", 1), Aim(target=KEY, operation="add")),
        pytest.raises(COMM_FAILURE),
    ):
        behind.stub.add(1)
    assert behind.stub.add(1) == 2


def test_many_threads_attach_and_remove_while_many_call(behind: Behind) -> None:
    """No call may notice faults that change nothing, whenever they come and go."""
    harmless: list[tuple[Fault, Aim]] = [
        (Slice(5), Aim()),
        (Latency(0.0002, 0.0002), Aim()),
        (Fragmented(64), Aim(direction=Direction.TO_SERVER)),
        (Fragmented(64), Aim()),
        (OtherByteOrder((Account,)), Aim(every=2)),
        (Delay(0.001), Aim(probability=0.5)),
        (SystemExceptionInstead("NO_PERMISSION"), Aim(operation="never")),
        (Drop(), Aim(target=b"nobody")),
    ]
    stop, failures = threading.Event(), []

    def churn(fault: Fault, aim: Aim) -> None:
        while not stop.is_set():
            with behind.proxy.attach(fault, aim):
                stop.wait(0.002)

    def call(letter: bytes) -> None:
        try:
            for size in range(0, 3000, 10):
                assert behind.stub.echo(letter * size) == letter * size
        except BaseException as error:
            failures.append(error)

    churning = [threading.Thread(target=churn, args=each) for each in harmless]
    calling = [threading.Thread(target=call, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in churning + calling:
        thread.start()
    for thread in calling:
        thread.join()
    stop.set()
    for thread in churning:
        thread.join()
    assert not failures, failures
    assert behind.account.ran == 900
    assert behind.proxy.attachments == ()


def test_in_an_event_loop() -> None:
    async def play() -> None:
        with serving(AccountServant()) as server:
            async with FaultProxy((server.host, server.port)) as proxy:
                reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
                with proxy.attach(BlackHole()) as hole:
                    writer.write(encode(LocateRequest(1, key_address(KEY))))
                    while not hole.struck:
                        await asyncio.sleep(0)
                header = await reader.readexactly(12)
                body = await reader.readexactly(int.from_bytes(header[8:12], "little" if header[6] else "big"))
                assert isinstance(decode(header + body), LocateReply)
                with pytest.raises(ValueError, match="Refuse"):
                    proxy.attach(Refuse(), Aim(nth=1))
                writer.close()
                await writer.wait_closed()

    asyncio.run(play())


def test_runs_again_where_it_was() -> None:
    with serving(AccountServant()) as server:
        proxy = FaultProxy((server.host, server.port))
        ports = []
        for _ in range(3):
            with proxy, Client(seed=1) as client:
                ports.append(proxy.port)
                assert client.stub(reference(proxy.host, proxy.port), Account).echo(b"x") == b"x"
        assert len(set(ports)) == 1


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        FaultProxy(("127.0.0.1", 1), port=taken.getsockname()[1]).__enter__()


# --- connections --------------------------------------------------------------------------------------------------------


def test_a_closed_port_opens_again_and_spares_who_is_connected(behind: Behind) -> None:
    assert behind.stub.add(1) == 1
    for _ in range(20):
        with behind.proxy.attach(Refuse()):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((behind.proxy.host, behind.proxy.port), PATIENCE)
            behind.stub.echo(b"")
        socket.create_connection((behind.proxy.host, behind.proxy.port), PATIENCE).close()


def test_a_server_that_is_not_there_resets() -> None:
    with FaultProxy(("127.0.0.1", free_port())) as proxy, pytest.raises(ConnectionResetError):
        listen_to(proxy)


def test_ends_are_passed_on_one_by_one() -> None:
    with Deaf() as deaf, FaultProxy(deaf.address) as proxy:
        client, server = deaf.connect(proxy)
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert server.recv(100, socket.MSG_WAITALL) == b"last words"
        server.sendall(b"and the answer")
        server.shutdown(socket.SHUT_WR)
        assert client.recv(100, socket.MSG_WAITALL) == b"and the answer"


@pytest.mark.parametrize("side", [0, 1])
def test_a_reset_is_passed_on(side: int) -> None:
    with Deaf() as deaf, FaultProxy(deaf.address) as proxy:
        ends = deaf.connect(proxy)
        ends[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        ends[side].close()
        with pytest.raises(ConnectionResetError):
            ends[1 - side].recv(1)


def test_a_reset_is_one() -> None:
    with Deaf() as deaf, FaultProxy(deaf.address) as proxy:
        ends = deaf.connect(proxy)
        reset = proxy.attach(Reset())
        for end in ends:
            with pytest.raises(ConnectionResetError):
                end.recv(1)
        with pytest.raises(ConnectionResetError):
            listen_to(proxy)
        assert reset.struck == 2


def test_half_open_connections_are_reset_when_the_server_comes_back() -> None:
    with Deaf() as deaf, FaultProxy(deaf.address) as proxy:
        client, server = deaf.connect(proxy)
        with proxy.attach(HalfOpen()) as half:
            server.sendall(b"lost")
            server.shutdown(socket.SHUT_WR)
            client.sendall(b"heard")
            assert server.recv(5, socket.MSG_WAITALL) == b"heard"
            until(lambda: half.struck > 0)
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
            client.settimeout(PATIENCE)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@pytest.mark.parametrize("fault", [None, BlackHole(), Slice(100_000), Duplicate()], ids=str)
def test_a_server_that_does_not_read_stops_the_client(fault: Fault | None) -> None:
    """Whatever holds octets, it holds few: the client feels that nobody takes them."""
    most = 64 << 20
    with Deaf() as deaf, FaultProxy(deaf.address) as proxy:
        client, _ = deaf.connect(proxy)
        if fault is not None:
            proxy.attach(fault)
        client.settimeout(0.5)
        chunk, sent = bytes(1 << 20), 0
        with suppress(TimeoutError):
            while sent < most:
                sent += client.send(chunk)
        assert sent < most


@pytest.mark.parametrize("aim", [None, Aim(operation="never"), Aim(operation="echo", nth=1)], ids=str)
def test_large_messages(behind: Behind, aim: Aim | None) -> None:
    attachment: Attachment | None = behind.proxy.attach(Duplicate(1), aim) if aim else None
    octets = bytes(range(256)) * (8 << 12)
    assert behind.stub.echo(octets) == octets
    assert attachment is None or attachment.struck == (aim is not None and aim.nth == 1)


def test_ends_with_everything_open() -> None:
    """Leaving the proxy leaves no socket and no thread, whatever is held back (a fixture looks)."""
    with Deaf() as deaf:
        with FaultProxy(deaf.address) as proxy:
            proxy.attach(BlackHole())
            proxy.attach(Delay(1000), Aim(direction=Direction.TO_SERVER))
            ends = [deaf.connect(proxy) for _ in range(10)]
            for client, server in ends:
                client.sendall(encode(LocateRequest(1, key_address(b"k"))))
                server.sendall(b"GI")
        for client, _ in ends:
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""


def test_between_a_virtual_host_and_its_targets() -> None:
    accounts = [AccountServant(), AccountServant()]
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(account)) for account in accounts]
        proxies = [stack.enter_context(FaultProxy((server.host, server.port))) for server in servers]
        vhost = stack.enter_context(VirtualHost([Target(proxy.host, proxy.port) for proxy in proxies]))
        stub = stack.enter_context(Client(seed=1)).stub(reference(vhost.host, vhost.port), Account)
        for _ in range(4):
            stub.add(1)
        assert [account.sum for account in accounts] == [2, 2]
        with proxies[0].attach(Refuse()), proxies[0].attach(Reset()):
            answered = 0
            for _ in range(10):
                with suppress(COMM_FAILURE):  # one request may be sent before the virtual host learns of the reset
                    stub.add(1)
                    answered += 1
        assert answered >= 9
        assert [account.sum for account in accounts] == [2, 2 + answered]

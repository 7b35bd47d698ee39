"""Names that lead from one of our Naming Services into another: what is carried on, and what comes back where it cannot be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from iiop.cdr import ByteOrder
from iiop.exceptions import BAD_OPERATION, COMM_FAILURE, TIMEOUT, CompletionStatus
from iiop.giop.messages import GIOP_1_2, Body, Reply, ReplyStatus, Request, key_address
from iiop.giop.wire import decode, encode
from iiop.idl import Servant
from iiop.iop import IOR_CODEC
from iiop.limits import Limits
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.interfaces import NamingContext
from naming.model import Profile
from naming.types import AlreadyBound, CannotProceed, NotEmpty, NotFound

N = parse_name
TARGET = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()
QUICK = Limits(proceed_time=0.3)
PATIENCE = 10.0


@pytest.fixture
def far() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """Take connections and whatever is sent, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def context_at(listener: socket.socket) -> IOR:
    host, port = listener.getsockname()
    return IORBuilder("IDL:omg.org/CosNaming/NamingContext:1.0").iiop(host, port, key=b"NameService").build()


def nowhere() -> IOR:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return context_at(listener)


def test_every_operation_goes_through(far: NamingServer) -> None:
    with NamingServer() as near, NameService(near.corbaloc) as ours, NameService(far.corbaloc) as theirs:
        ours.root.bind_context(N("f"), far.ior)
        ours.root.bind(N("f/a"), TARGET)
        assert theirs.resolve("a") == ours.resolve("f/a") == IOR.from_iop(ours.root.resolve_str("f/a")) == TARGET
        with pytest.raises(AlreadyBound):
            ours.root.bind(N("f/a"), TARGET)
        ours.root.rebind(N("f/a"), nowhere())
        ours.root.unbind(N("f/a"))
        made = IOR.from_iop(ours.root.bind_new_context(N("f/c")))
        assert theirs.resolve("c") == made  # a context of theirs
        ours.root.bind_context(N("f/c/back"), near.ior)
        ours.root.rebind_context(N("f/c/back"), near.ior)
        assert ours.resolve("f/c/back/f/c/back/f") == far.ior
        with pytest.raises(NotFound) as caught:
            ours.resolve("f/c/back/f/c/none/x")
        assert caught.value.rest_of_name == N("none/x")
        with pytest.raises(NotEmpty):
            theirs.root.destroy()


def test_names_of_any_language_go_through(far: NamingServer) -> None:
    with NamingServer() as near, NameService(str(near.ior)) as ours, NameService(str(far.ior)) as theirs:
        ours.root.bind_context(N("\u9060"), far.ior)
        ours.root.bind(N("\u9060/\u00e9\u3042"), TARGET)
        assert theirs.resolve("\u00e9\u3042") == ours.resolve("\u9060/\u00e9\u3042") == TARGET
        with pytest.raises(NotFound) as caught:
            ours.resolve("\u9060/\u3044")
        assert caught.value.rest_of_name == N("\u3044")


def test_a_server_that_does_not_answer(far: NamingServer) -> None:
    """CannotProceed names the context and the rest, also when it comes from two servers away."""
    dead = nowhere()
    with NamingServer() as near, NameService(near.corbaloc) as ours, NameService(far.corbaloc) as theirs:
        ours.root.bind_context(N("far"), far.ior)
        theirs.root.bind_context(N("dead"), dead)
        for call in (
            lambda: ours.resolve("far/dead/a/b"),
            lambda: ours.root.bind(N("far/dead/a/b"), TARGET),
            lambda: ours.root.bind_new_context(N("far/dead/a/b")),
        ):
            with pytest.raises(CannotProceed) as caught:
                call()
            assert IOR.from_iop(caught.value.cxt) == dead
            assert caught.value.rest_of_name == N("a/b")


def test_a_server_that_does_not_answer_is_logged_once(far: NamingServer, caplog: pytest.LogCaptureFixture) -> None:
    """And again where it has answered meanwhile: clients that ask often would fill the log of a server that lost another."""
    with NamingServer() as near, NameService(near.corbaloc) as ours:
        ours.root.bind_context(N("f"), far.ior)
        for _ in range(2):
            with pytest.raises(NotFound):
                ours.resolve("f/a")
            far._thread.call(far.stop())  # type: ignore[union-attr]
            for _ in range(3):
                with pytest.raises(CannotProceed):
                    ours.resolve("f/a")
            far._thread.call(far.start())  # type: ignore[union-attr]
    assert [record.message.partition(":")[0] for record in caplog.records if record.name == "naming.federation"] == [
        "resolve could not be carried on in another server"
    ] * 2


def test_a_server_that_is_silent(deaf: socket.socket) -> None:
    """What asks may go on elsewhere; what changes may have been done, and is not said to be undone."""
    with NamingServer(limits=QUICK) as near, NameService(near.corbaloc) as ours:
        ours.root.bind_context(N("f"), context_at(deaf))
        with pytest.raises(CannotProceed):
            ours.resolve("f/a")
        with pytest.raises(TIMEOUT) as caught:
            ours.root.bind(N("f/a"), TARGET)
        assert caught.value.completed is CompletionStatus.COMPLETED_MAYBE


def test_a_server_that_dies_over_a_change(deaf: socket.socket) -> None:
    def die() -> None:
        connection, _ = deaf.accept()
        with connection:
            connection.recv(1)

    with NamingServer() as near, NameService(near.corbaloc) as ours:
        ours.root.bind_context(N("f"), context_at(deaf))
        dying = threading.Thread(target=die)
        dying.start()
        try:
            with pytest.raises(COMM_FAILURE) as caught:
                ours.root.bind(N("f/a"), TARGET)
        finally:
            dying.join(PATIENCE)
        assert caught.value.completed is CompletionStatus.COMPLETED_MAYBE


def test_others_are_answered_meanwhile(deaf: socket.socket) -> None:
    with (
        NamingServer(limits=Limits(proceed_time=PATIENCE)) as near,
        NameService(near.corbaloc) as waits,
        NameService(near.corbaloc) as ours,
        ThreadPoolExecutor(1) as pool,
    ):
        ours.root.bind_context(N("f"), context_at(deaf))
        waiting = pool.submit(waits.resolve, "f/a")
        connection, _ = deaf.accept()
        with connection:
            assert connection.recv(4) == b"GIOP"
            for _ in range(10):
                assert ours.root.list(10)[0]
            assert not waiting.done()
        with pytest.raises(CannotProceed):
            waiting.result(PATIENCE)


@pytest.mark.parametrize("profile", [Profile.omg, Profile.omninames])
def test_circles_between_two_servers_end_with_the_name(far: NamingServer, profile: Profile) -> None:
    with NamingServer(profile=profile) as near, NameService(near.corbaloc) as ours, NameService(far.corbaloc) as theirs:
        ours.root.bind_context(N("r"), far.ior)
        theirs.root.bind_context(N("r"), near.ior)
        theirs.root.bind(N("o"), TARGET)
        assert ours.resolve("/".join(["r"] * 101)) == far.ior
        assert ours.resolve("/".join(["r"] * 101 + ["o"])) == TARGET
        with pytest.raises(NotFound) as caught:
            ours.resolve("/".join(["r"] * 100 + ["none", "a"]))
        assert caught.value.rest_of_name == N("none/a")


def test_a_context_that_leads_to_itself_by_another_address() -> None:
    with NamingServer() as near, NameService(near.corbaloc) as ours:
        itself = IORBuilder("IDL:omg.org/CosNaming/NamingContext:1.0").iiop("localhost", near.port, key=b"NameService").build()
        ours.root.bind_context(N("r"), itself)
        assert ours.resolve("/".join(["r"] * 50)) == itself


def test_circles_are_bounded(far: NamingServer, caplog: pytest.LogCaptureFixture) -> None:
    with (
        NamingServer(limits=Limits(proceeding=10)) as near,
        NameService(near.corbaloc) as ours,
        NameService(far.corbaloc) as theirs,
    ):
        ours.root.bind_context(N("r"), far.ior)
        theirs.root.bind_context(N("r"), near.ior)
        assert ours.resolve("/".join(["r"] * 21)) == far.ior
        with pytest.raises(CannotProceed) as caught:
            ours.resolve("/".join(["r"] * 31))
        assert IOR.from_iop(caught.value.cxt) == far.ior
        assert caught.value.rest_of_name == N("/".join(["r"] * 10))
        assert ours.resolve("/".join(["r"] * 21)) == far.ior  # all are over
    assert [record.message for record in caplog.records] == [
        "resolve not carried on in another server: more than the limit proceeding=10"
    ]


def test_a_client_that_leaves_takes_its_call_with_it(deaf: socket.socket) -> None:
    with NamingServer(limits=Limits(proceed_time=60.0, proceeding=1)) as near, NameService(near.corbaloc) as ours:
        ours.root.bind_context(N("f"), context_at(deaf))
        resolve = NamingContext.operations()["resolve"]
        request = Request(2, "resolve", key_address(b"NameService"), body=Body.of(resolve.arguments, (N("f/a"),)))
        with socket.create_connection((near.host, near.port), PATIENCE) as leaves:
            leaves.sendall(encode(request))
            connection, _ = deaf.accept()
            connection.settimeout(PATIENCE)
            assert isinstance(decode(connection.recv(65536)), Request)
            with pytest.raises(CannotProceed):
                ours.resolve("f/a")  # one call too many
        with connection:
            while connection.recv(65536):
                pass
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(ours.resolve, "f/a")
            connection, _ = deaf.accept()
            deaf.close()
            connection.close()
            with pytest.raises(CannotProceed):
                again.result(PATIENCE)


def test_connections_are_used_again_and_replaced() -> None:
    with NamingServer() as near, NameService(near.corbaloc) as ours:
        with NamingServer() as far:
            port = far.port
            ours.root.bind_context(N("f"), far.ior)
            for number in range(5):
                ours.root.bind(N(f"f/{number}"), TARGET)
            assert len(far._server._connections) == 1
        with pytest.raises(CannotProceed):
            ours.resolve("f/1")
        with NamingServer(port=port), pytest.raises(NotFound):
            ours.resolve("f/1")


def test_a_far_server_that_forwards(far: NamingServer, deaf: socket.socket) -> None:
    def forward() -> None:
        connection, _ = deaf.accept()
        with connection:
            octets = connection.recv(65536)
            order = ByteOrder(octets[6] & 1)
            request_id = int.from_bytes(octets[12:16], "little" if order is ByteOrder.LITTLE else "big")
            body = Body.of(IOR_CODEC, far.ior)
            connection.sendall(encode(Reply(request_id, ReplyStatus.LOCATION_FORWARD, (), body, GIOP_1_2, order)))

    with NamingServer() as near, NameService(near.corbaloc) as ours, NameService(far.corbaloc) as theirs:
        theirs.root.bind(N("o"), TARGET)
        ours.root.bind_context(N("f"), context_at(deaf))
        forwarding = threading.Thread(target=forward)
        forwarding.start()
        try:
            assert ours.resolve("f/o") == TARGET
        finally:
            forwarding.join(PATIENCE)


def test_a_far_object_that_is_no_context(far: NamingServer) -> None:
    far.activate(Servant(), b"o")
    with NamingServer() as near, NameService(near.corbaloc) as ours:
        ours.root.bind_context(N("f"), IORBuilder("IDL:x:1.0").iiop(far.host, far.port, key=b"o").build())
        with pytest.raises(BAD_OPERATION):
            ours.resolve("f/o")


def test_time_of_a_call_through_another_server_is_bounded(deaf: socket.socket, far: NamingServer) -> None:
    with NamingServer(limits=QUICK) as near, NameService(near.corbaloc) as ours, NameService(far.corbaloc) as theirs:
        ours.root.bind_context(N("f"), far.ior)
        theirs.root.bind_context(N("d"), context_at(deaf))
        begun = time.monotonic()
        with pytest.raises(CannotProceed) as caught:
            ours.resolve("f/d/a")
        assert time.monotonic() - begun < 4  # far alone would wait for 5 seconds
        assert IOR.from_iop(caught.value.cxt) == far.ior
        assert caught.value.rest_of_name == N("d/a")

"""Real clients and servers through the virtual host: connections that go both ways, and TLS."""

from __future__ import annotations

import contextlib
import threading

import pytest

from iiop.exceptions import ConnectionLost, FailoverExhausted
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Body, ReplyStatus
from iiop.iop import IOR
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop.profile import ProfileBody, Version, encode_profile
from iiop_lab.virtual_host import CALLS, Target
from naming.interfaces import NamingContext
from naming.types import NameComponent
from tests.interop.test_bidirectional_with_omniorbpy import FROM_CLIENT, Context, OneBinding, omni_context, omniorbpy
from tests.lab.fronts import PATIENCE, Front, Start, nobody
from tests.net.scripted import Counter, Peer, answer, request, serve
from tests.net.test_callbacks import Doubling, InThreads, Mouth
from tests.net.tls import SecureScriptedServer, client_context, server_context, tls_reference

pytestmark = pytest.mark.usefixtures("loop_kind", "nothing_in_the_background")

POLICY = FailoverPolicy(deadline=PATIENCE, attempt_timeout=PATIENCE, rounds=1)
ONE_BY_ONE = (CALLS,)
"""Also what looks like the Naming Service goes call by call."""


def at(port: int, key: bytes, type_id: str = "") -> IOR:
    return IOR(type_id, (encode_profile(ProfileBody(Version(1, 2), "127.0.0.1", port, key)),))


def test_our_client_is_called_back_by_two_of_our_servers(front: Start) -> None:
    with contextlib.ExitStack() as stack:
        mouths = [InThreads(), InThreads()]
        for mouth in mouths:
            mouth.server = stack.enter_context(Server(bidirectional=True))
            mouth.server.activate(mouth, b"mouth")
        vhost = front(*[Target("127.0.0.1", mouth.server.port) for mouth in mouths])
        client = stack.enter_context(Client(policy=POLICY))
        ear = client.activate(Doubling())
        stub = client.stub(at(vhost.port, b"mouth", Mouth.repository_id), Mouth)
        assert [stub.tell(ear, n) for n in range(200)] == [2 * n for n in range(200)]
        results: list[int] = []
        threads = [threading.Thread(target=lambda n=n: results.append(stub.tell(ear, n))) for n in range(16)]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [2 * n for n in range(16)]
        assert all(vhost.calls.state(target).picks > 90 for target in vhost.targets)


def test_omniorbpy_is_called_back_by_our_server(front: Start) -> None:
    context = Context()
    with Server(bidirectional=True) as context.server:
        context.server.activate(context, b"NS")
        vhost = front(Target("127.0.0.1", context.server.port), services=ONE_BY_ONE)
        for _ in range(2):
            with omniorbpy("client", f"corbaloc:iiop:1.2@127.0.0.1:{vhost.port}/NS"):
                pass
    assert context.heard == [(True, FROM_CLIENT)] * 2


def test_our_client_is_called_back_by_omniorbpy(front: Start) -> None:
    with omni_context() as reference, Client(policy=POLICY) as client:
        (endpoint,) = client.endpoints(reference)
        vhost = front(Target(endpoint.host, endpoint.port), services=ONE_BY_ONE)
        context = client.stub(at(vhost.port, endpoint.object_key), NamingContext)
        told = client.activate(OneBinding())
        for n in range(5):
            context.bind((NameComponent(f"it{n}"),), told)


# --- TLS --------------------------------------------------------------------------------------------------------------


def secure(vhost: Front) -> IOR:
    return tls_reference(vhost.port)


def test_tls_passes_to_one_target_a_connection(front: Start) -> None:
    with (
        SecureScriptedServer(server_context(), then=[serve(1)]) as one,
        SecureScriptedServer(server_context(), then=[serve(2)]) as two,
    ):
        plain = nobody()
        vhost = front(Target("127.0.0.1", plain.port, one.port), Target("127.0.0.1", plain.port + 0, two.port))
        seen = []
        for _ in range(4):
            with Client(policy=POLICY, ssl=client_context()) as client:
                stub = client.stub(secure(vhost), Counter)
                seen.append({stub.add(n) for n in range(20)})
                assert vhost.connections == 1
            vhost.until(lambda: not vhost.connections)
        assert seen == [{1}, {2}] * 2
        assert [vhost.calls.state(target).under_way for target in vhost.targets] == [0, 0]


def test_large_bodies_in_tls(front: Start) -> None:
    with SecureScriptedServer(server_context(), then=[serve_octets]) as server:
        vhost = front(Target("127.0.0.1", nobody().port, server.port))
        with Client(policy=POLICY, ssl=client_context()) as client:
            client.stub(secure(vhost), Counter).store(bytes(2_000_000))
        assert len(server.requests[0].body.octets) > 2_000_000


def serve_octets(peer: Peer) -> None:
    request(peer)
    answer(peer, Body(), ReplyStatus.NO_EXCEPTION)


def test_tls_goes_to_who_speaks_it(front: Start) -> None:
    with SecureScriptedServer(server_context(), then=[serve(7)]) as server:
        dead = nobody()
        vhost = front(nobody(), Target("127.0.0.1", dead.port, nobody().port), Target("127.0.0.1", 1, server.port))
        for _ in range(3):
            with Client(policy=POLICY, ssl=client_context()) as client:
                assert client.stub(secure(vhost), Counter).add(1) == 7
        vhost.until(lambda: not vhost.connections)
        assert [vhost.calls.state(target).under_way for target in vhost.targets] == [0, 0, 0]


@pytest.mark.parametrize("targets", [(), (nobody(),), (Target("127.0.0.1", 1, nobody().port),)], ids=["none", "plain", "gone"])
def test_nobody_speaks_tls(front: Start, targets: tuple[Target, ...]) -> None:
    vhost = front(*targets)
    with vhost.connect() as client:
        client.send(b"\x16\x03\x01\x00\x05hello")
        assert client.octets() == b""
    vhost.until(lambda: not vhost.connections)


def test_stopped_with_tls_under_way() -> None:
    with (
        SecureScriptedServer(server_context(), then=[serve(7)]) as server,
        Client(policy=POLICY, ssl=client_context()) as client,
    ):
        with Front([Target("127.0.0.1", 1, server.port)]) as vhost:
            stub = client.stub(secure(vhost), Counter)
            assert stub.add(1) == 7
        assert not vhost.connections, "nothing is left when it has stopped"
        with pytest.raises((FailoverExhausted, ConnectionLost)):
            stub.add(2)

"""Connections that go both ways, with omniORBpy at the other end: calls come back on the connection that was made."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iiop import NEED_DATA, Connection, Reply, Request, Role
from iiop.connection import EndOfStream, Event
from iiop.endpoints import endpoints
from iiop.failover import FailoverPolicy
from iiop.giop.messages import Body, LocateReply, LocateRequest, LocateStatus, key_address
from iiop.idl import AsyncInterface, Operation, Servant, asynchronous
from iiop.iop import IOR, SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop.profile import BiDirIIOPServiceContext, ListenPoint, ProfileBody, Version, encode_profile
from ior import IOR as Reference  # noqa: N811
from naming.interfaces import BindingIterator, NamingContext
from naming.types import BINDING_ITERATOR_ID, Binding, BindingType, Name, NameComponent
from tests.peers import TIMEOUT, peer_env

CHILD = Path(__file__).with_name("omni_bidirectional.py")
NEXT_ONE: Operation = BindingIterator.operations()["next_one"]
BIND: Operation = NamingContext.operations()["bind"]


class AsyncNamingContext(AsyncInterface):
    bind = asynchronous(NamingContext.bind)


class AsyncBindingIterator(AsyncInterface):
    next_one = asynchronous(BindingIterator.next_one)


FROM_CLIENT = Binding((NameComponent("from", "client"),), BindingType.nobject)


@contextlib.contextmanager
def omniorbpy(*args: str) -> Iterator[subprocess.Popen[str]]:
    """Run the child; it must end with status 0 once its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-P", str(CHILD), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=peer_env(),
    ) as child:
        try:
            yield child
            _, said = child.communicate(timeout=TIMEOUT)
        except BaseException:
            child.kill()
            raise
        assert child.returncode == 0, said


class Peer:
    """A socket and a connection."""

    def __init__(self, sock: socket.socket, role: Role) -> None:
        sock.settimeout(TIMEOUT)
        self.socket = sock
        self.connection = Connection(role, bidirectional=True)

    def send(self, message: Request | Reply | LocateReply) -> None:
        self.socket.sendall(self.connection.send(message))

    def next(self) -> Event:
        while (event := self.connection.next_event()) is NEED_DATA:
            self.connection.receive_data(self.socket.recv(65536))
        return event


class OneBinding(Servant):
    """Has one binding."""

    interface = BindingIterator

    def next_one(self) -> tuple[bool, Binding]:
        return True, FROM_CLIENT


class LaterOneBinding(OneBinding):
    async def next_one(self) -> tuple[bool, Binding]:  # type: ignore[override]
        return True, FROM_CLIENT


@contextlib.contextmanager
def omni_context() -> Iterator[IOR]:
    """Give a reference of a context of omniORBpy that calls back what is bound there."""
    with omniorbpy("server") as child:
        assert child.stdout is not None
        yield Reference.from_string(child.stdout.readline().strip()).to_iop()


@pytest.mark.parametrize("servant", [OneBinding, LaterOneBinding])
def test_omniorbpy_calls_a_blocking_client_back(servant: type[Servant]) -> None:
    with omni_context() as reference, Client(policy=FailoverPolicy(deadline=TIMEOUT, rounds=1)) as client:
        context, told = client.stub(reference, NamingContext), client.activate(servant())
        for n in range(5):
            context.bind((NameComponent(f"it{n}"),), told)


@pytest.mark.parametrize("servant", [OneBinding, LaterOneBinding])
def test_omniorbpy_calls_an_asyncio_client_back(servant: type[Servant]) -> None:
    async def scenario(reference: IOR) -> None:
        client = AsyncClient(policy=FailoverPolicy(deadline=TIMEOUT, rounds=1))
        context, told = client.stub(reference, AsyncNamingContext), client.activate(servant())
        await asyncio.gather(*[context.bind((NameComponent(f"it{n}"),), told) for n in range(5)])
        client.close()

    with omni_context() as reference:
        asyncio.run(scenario(reference))


class Context(Servant):
    """Calls back what is bound, in a thread."""

    interface = NamingContext

    def __init__(self) -> None:
        self.server: Server
        self.heard: list[Any] = []

    def bind(self, n: Name, obj: IOR) -> Any:
        self.heard.append(self.server.stub(obj, BindingIterator).next_one())


class LaterContext(Context):
    """Calls back in the event loop."""

    async def bind(self, n: Name, obj: IOR) -> None:
        self.heard.append(await self.server.stub(obj, AsyncBindingIterator).next_one())


@pytest.mark.parametrize("kind", [Context, LaterContext])
def test_our_server_calls_omniorbpy_back_on_the_connection_it_made(kind: type[Context]) -> None:
    context = kind()
    with Server(bidirectional=True) as context.server:
        context.server.activate(context, b"NS")
        with omniorbpy("client", f"corbaloc:iiop:1.2@127.0.0.1:{context.server.port}/NS"):
            pass
    assert context.heard == [(True, FROM_CLIENT)]


def test_omniorbpy_is_called_back_on_the_connection_it_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        url = f"corbaloc:iiop:1.2@127.0.0.1:{listener.getsockname()[1]}/NS"
        with omniorbpy("client", url), listener.accept()[0] as sock:
            peer = Peer(sock, Role.SERVER)
            event = peer.next()
            if isinstance(event, LocateRequest):
                peer.send(LocateReply(event.request_id, LocateStatus.OBJECT_HERE, version=event.version))
                event = peer.next()
            assert isinstance(event, Request)
            assert event.operation == "bind"
            _, bound = event.body.decode(BIND.arguments)
            (endpoint,) = endpoints(bound)
            assert peer.connection.listen_points == (ListenPoint(endpoint.host, endpoint.port),)
            callback = peer.connection.next_request_id()
            peer.send(Request(callback, "next_one", key_address(endpoint.object_key)))
            answer = peer.next()
            assert isinstance(answer, Reply)
            assert answer.request_id == callback
            assert NEXT_ONE.answer(answer) == (True, FROM_CLIENT)
            assert peer.connection.unanswered == (event.request_id,)
            peer.send(Reply(event.request_id))
            assert isinstance(peer.next(), EndOfStream)  # closing before it has read that would be an error to it


def test_omniorbpy_calls_back_on_the_connection_we_made() -> None:
    with omniorbpy("server") as child:
        assert child.stdout is not None
        (context,) = endpoints(Reference.from_string(child.stdout.readline().strip()))
        here = ListenPoint("127.0.0.1", 9)  # nobody listens there
        profile = encode_profile(ProfileBody(Version(1, 2), here.host, here.port, b"iterator"))
        offer = SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, BiDirIIOPServiceContext((here,)))
        arguments = ((NameComponent("it"),), IOR(BINDING_ITERATOR_ID, (profile,)))
        with socket.create_connection((context.host, context.port), TIMEOUT) as sock:
            peer = Peer(sock, Role.CLIENT)
            ours = Request(
                peer.connection.next_request_id(),
                "bind",
                key_address(context.object_key),
                service_context=(ServiceContext(ServiceId.BI_DIR_IIOP, offer),),
                body=Body.of(BIND.arguments, arguments),
            )
            peer.send(ours)
            event = peer.next()
            while isinstance(event, LocateRequest):
                peer.send(LocateReply(event.request_id, LocateStatus.OBJECT_HERE, version=event.version))
                event = peer.next()
            assert isinstance(event, Request)
            assert (event.operation, event.target) == ("next_one", key_address(b"iterator"))
            peer.send(Reply(event.request_id, body=Body.of(NEXT_ONE.results, (True, FROM_CLIENT))))
            answer = peer.next()
            assert isinstance(answer, Reply)
            assert answer.request_id == ours.request_id
            assert BIND.answer(answer) is None

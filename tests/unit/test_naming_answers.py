"""Answers that `NamingAdapter` lets stand: the same octets as without, asked once as long as nothing changes."""

from __future__ import annotations

import pytest

from iiop.connection import NEED_DATA, Connection, Role
from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, Body, Reply, ReplyStatus, Request, key_address
from iiop.giop.wire import decode
from iiop.idl import ObjectAdapter, Servant
from iiop.iop import IOR
from iiop.profile import Version
from ior import IORBuilder
from naming import parse_name
from naming.answers import NamingAdapter
from naming.changes import ROOT, ObjectGroup
from naming.interfaces import NamingContextExt
from naming.model import NamingModel
from naming.servant import NamingServants
from naming.store import Store
from naming.types import Name

A, B = (IORBuilder("IDL:T:1.0").iiop("h", 1, key=key).code_sets().build().to_iop() for key in (b"a", b"b"))
KEY = ROOT.encode()
RESOLVE = NamingContextExt.operations()["resolve"]


class Counting(Servant):
    """Answer from a model, and count how often it was asked."""

    interface = NamingContextExt

    def __init__(self, model: NamingModel) -> None:
        self.model = model
        self.asked = 0

    def resolve(self, n: Name) -> IOR:
        self.asked += 1
        bound = self.model.resolve(ROOT, n)
        assert isinstance(bound, IOR)
        return bound


@pytest.fixture
def model() -> NamingModel:
    model = NamingModel()
    model.apply(model.plan_bind(ROOT, parse_name("a"), A))
    return model


@pytest.fixture
def counting(model: NamingModel) -> Counting:
    return Counting(model)


@pytest.fixture
def adapter(model: NamingModel, counting: Counting) -> NamingAdapter:
    adapter = NamingAdapter(locate_servant=lambda key: counting if key == KEY else None)
    adapter.serve(model)
    return adapter


class Server:
    """A connection of a client, and of a server that answers with an adapter."""

    def __init__(self, adapter: ObjectAdapter) -> None:
        self._adapter = adapter
        self._client = Connection(Role.CLIENT)
        self._server = Connection(Role.SERVER, standing=adapter.standing if isinstance(adapter, NamingAdapter) else None)

    def ask(self, text: str = "a", *, version: Version = GIOP_1_2, key: bytes = KEY) -> bytes:
        """Return the octets of the answer to one `resolve`."""
        request_id, body = self._client.next_request_id(), Body.of(RESOLVE.arguments, (parse_name(text),))
        octets = self._client.send(Request(request_id, "resolve", key_address(key), body=body, version=version))
        answer = self._server.recall(octets)
        if answer is None:
            self._server.receive_data(octets)
            request = self._server.next_event()
            assert isinstance(request, Request)
            assert self._server.next_event() is NEED_DATA
            reply = self._adapter.handle(request)
            assert isinstance(reply, Reply)
            answer = self._server.send(reply)
        self._client.receive_data(answer)
        reply = self._client.next_event()
        assert isinstance(reply, Reply)
        assert reply.request_id == request_id
        return answer


def status(octets: bytes) -> ReplyStatus:
    reply = decode(octets)
    assert isinstance(reply, Reply)
    return reply.reply_status


def reference(octets: bytes) -> IOR:
    reply = decode(octets)
    assert isinstance(reply, Reply)
    (reference,) = reply.body.decode(RESOLVE.results)
    assert isinstance(reference, IOR)
    return reference


@pytest.fixture
def server(adapter: NamingAdapter) -> Server:
    return Server(adapter)


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
def test_the_octets_are_those_of_an_adapter_that_keeps_nothing(version: Version, server: Server, counting: Counting) -> None:
    plain = Server(ObjectAdapter(locate_servant=lambda _: counting))
    assert server.ask(version=version) == plain.ask(version=version)
    before = counting.asked
    answer = server.ask(version=version)
    assert counting.asked == before
    assert answer == plain.ask(version=version)


def test_answers_are_those_of_all_connections(adapter: NamingAdapter, counting: Counting) -> None:
    assert Server(adapter).ask() == Server(adapter).ask()
    assert counting.asked == 1


def test_a_change_makes_it_ask_again(server: Server, model: NamingModel) -> None:
    first = server.ask()
    model.apply(model.plan_rebind(ROOT, parse_name("a"), B))
    assert server.ask() != first
    model.apply(model.plan_unbind(ROOT, parse_name("a")))
    assert status(server.ask()) is ReplyStatus.USER_EXCEPTION


def test_members_of_groups_are_not_kept(model: NamingModel) -> None:
    naming = NamingServants(
        Store.memory(),
        make_reference=lambda type_id, key: A,
        is_ours=lambda host, port: False,
        seconds=lambda: 0,
        now=lambda: 0.0,
        proceed=None,  # type: ignore[arg-type]
    )
    naming.model.apply(model.plan_bind(ROOT, parse_name("a group"), ObjectGroup("", (A, B))))
    naming.model.apply(model.plan_bind(ROOT, parse_name("an object"), A))
    adapter = NamingAdapter(locate_servant=naming.servant)
    adapter.serve(naming.model, naming.rotation)
    server = Server(adapter)
    given = [reference(server.ask(name)) for name in ("a group", "an object", "a group", "a group", "an object", "a group")]
    assert given == [A, A, B, A, A, B]


def test_exceptions_are_not_kept(server: Server, counting: Counting) -> None:
    for _ in range(3):
        assert status(server.ask("b")) is ReplyStatus.USER_EXCEPTION
    assert counting.asked == 3


def test_what_was_activated_answers_as_it_likes(server: Server, adapter: NamingAdapter, model: NamingModel) -> None:
    server.ask()
    mine = Counting(model)
    adapter.activate(KEY, mine)
    for _ in range(2):
        server.ask()
    assert mine.asked == 2
    adapter.deactivate(KEY)
    server.ask()
    assert mine.asked == 2


def test_without_a_model_nothing_is_kept(server: Server, adapter: NamingAdapter, counting: Counting) -> None:
    server.ask()
    adapter.serve(None)
    for _ in range(2):
        server.ask()
    assert counting.asked == 3


def test_another_context_gives_another_answer(server: Server) -> None:
    server.ask()
    with pytest.raises(OBJECT_NOT_EXIST):
        server.ask(key=b"context.1.1")

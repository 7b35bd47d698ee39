"""Answers kept by `NamingAdapter`: the same octets as without, asked once as long as nothing changes, and bounded."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from iiop.connection import Connection, Role
from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, Body, Reply, ReplyStatus, Request, key_address
from iiop.giop.wire import encode
from iiop.idl import ObjectAdapter, Servant
from iiop.iop import IOR
from iiop.profile import Version
from ior import IORBuilder
from naming import parse_name
from naming.answers import ANSWER_SIZE, ANSWERS, NamingAdapter
from naming.changes import ROOT
from naming.interfaces import NamingContextExt
from naming.model import NamingModel
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


def question(text: str = "a", *, version: Version = GIOP_1_2, key: bytes = KEY, request_id: int = 2) -> Request:
    """Return the request as a server gets it."""
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    body = Body.of(RESOLVE.arguments, (parse_name(text),))
    server.receive_data(client.send(Request(request_id, "resolve", key_address(key), body=body, version=version)))
    request = server.next_event()
    assert isinstance(request, Request)
    return request


def octets(reply: Reply | Awaitable[Reply]) -> bytes:
    assert isinstance(reply, Reply)
    return encode(reply)


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
def test_the_octets_are_those_of_an_adapter_that_keeps_nothing(
    version: Version, adapter: NamingAdapter, counting: Counting
) -> None:
    plain = ObjectAdapter(locate_servant=lambda _: counting)
    first, second = (question(version=version, request_id=number) for number in (2, 4))
    assert octets(adapter.handle(first)) == octets(plain.handle(first))
    before = counting.asked
    answer = octets(adapter.handle(second))
    assert counting.asked == before
    assert answer == octets(plain.handle(second))


def test_a_change_makes_it_ask_again(adapter: NamingAdapter, model: NamingModel) -> None:
    first = octets(adapter.handle(question()))
    model.apply(model.plan_rebind(ROOT, parse_name("a"), B))
    assert octets(adapter.handle(question())) != first
    model.apply(model.plan_unbind(ROOT, parse_name("a")))
    reply = adapter.handle(question())
    assert isinstance(reply, Reply)
    assert reply.reply_status is ReplyStatus.USER_EXCEPTION


def test_exceptions_are_not_kept(adapter: NamingAdapter, counting: Counting) -> None:
    for _ in range(3):
        reply = adapter.handle(question("b"))
        assert isinstance(reply, Reply)
        assert reply.reply_status is ReplyStatus.USER_EXCEPTION
    assert counting.asked == 3


def test_what_was_activated_answers_as_it_likes(adapter: NamingAdapter, model: NamingModel) -> None:
    adapter.handle(question())
    mine = Counting(model)
    adapter.activate(KEY, mine)
    for _ in range(2):
        adapter.handle(question())
    assert mine.asked == 2
    adapter.deactivate(KEY)
    adapter.handle(question())
    assert mine.asked == 2


def test_without_a_model_nothing_is_kept(adapter: NamingAdapter, counting: Counting) -> None:
    adapter.handle(question())
    adapter.serve(None)
    for _ in range(2):
        adapter.handle(question())
    assert counting.asked == 3


def test_another_context_gives_another_answer(adapter: NamingAdapter) -> None:
    adapter.handle(question())
    with pytest.raises(OBJECT_NOT_EXIST):
        adapter.handle(question(key=b"context.1.1"))


def test_what_it_keeps_is_bounded(adapter: NamingAdapter, model: NamingModel, counting: Counting) -> None:
    long = "x" * ANSWER_SIZE
    model.apply(model.plan_bind(ROOT, parse_name(long), A))
    model.apply([change for number in range(ANSWERS) for change in model.plan_bind(ROOT, parse_name(f"n{number}"), B)])
    for asked in (1, 2):
        adapter.handle(question(long))
        assert counting.asked == asked
    adapter.handle(question("a"))
    for number in range(ANSWERS):
        adapter.handle(question(f"n{number}"))
    before = counting.asked
    adapter.handle(question(f"n{ANSWERS - 1}"))
    assert counting.asked == before
    adapter.handle(question("a"))
    assert counting.asked == before + 1

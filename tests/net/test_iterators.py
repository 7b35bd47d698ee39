"""Binding iterators over the wire: consistent under change, ended when there are too many, or when nobody uses them."""

from __future__ import annotations

import threading

import pytest

from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.limits import Limits
from ior import IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.interfaces import BindingIterator

N = parse_name
TARGET = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()
PATIENCE = 10.0


def test_a_listing_shows_the_context_as_it_was() -> None:
    """Whatever is bound, unbound, rebound or destroyed after `list`, each binding of then is given once."""
    with NamingServer() as server, NameService(server.corbaloc) as names:
        inner = names.root.bind_new_context(N("c"))
        context = names.client.stub(inner, type(names.root))
        for number in range(50):
            context.bind(N(str(number)), TARGET)
        first, rest = context.list(10)
        iterator = names.client.stub(rest, BindingIterator)
        for number in range(0, 50, 2):
            context.unbind(N(str(number)))
            context.bind(N(f"new{number}"), TARGET)
        context.rebind(N("1"), TARGET)
        seen = [*first, *iterator.next_n(15)[1]]
        for binding in context.list(100)[0]:
            context.unbind(binding.binding_name)
        context.destroy()
        while (page := iterator.next_n(7))[0]:
            seen += page[1]
        assert [binding.binding_name for binding in seen] == [N(str(number)) for number in range(50)]
        iterator.destroy()
        with pytest.raises(OBJECT_NOT_EXIST):
            iterator.next_one()


def test_one_that_has_ended_is_nothing() -> None:
    """What it said of its interface while it lived, more than once, is not said of it afterwards."""
    with NamingServer() as server, NameService(server.corbaloc) as names:
        names.root.bind(N("a"), TARGET)
        iterator = names.client.stub(names.root.list(0)[1], BindingIterator)
        for _ in range(3):
            assert iterator._is_a(BindingIterator.repository_id)
        iterator.destroy()
        with pytest.raises(OBJECT_NOT_EXIST):
            iterator._is_a(BindingIterator.repository_id)


def test_one_too_many_ends_the_one_used_longest_ago() -> None:
    with NamingServer(limits=Limits(iterators=2)) as server, NameService(server.corbaloc) as names:
        for name in ("a", "b"):
            names.root.bind(N(name), TARGET)
        first, second, _ = (names.client.stub(names.root.list(0)[1], BindingIterator) for _ in range(3))
        with pytest.raises(OBJECT_NOT_EXIST):
            first.next_one()
        assert second.next_one()[0]


def test_one_that_nobody_uses_ends() -> None:
    """Its memory is let go of without anybody asking for it."""
    with NamingServer(limits=Limits(iterator_time=0.1)) as server, NameService(server.corbaloc) as names:
        names.root.bind(N("a"), TARGET)
        iterator = names.client.stub(names.root.list(0)[1], BindingIterator)
        assert server._servants is not None
        iterators, tick = server._servants.iterators, threading.Event()
        for _ in range(int(PATIENCE / 0.05)):
            if not len(iterators):
                break
            tick.wait(0.05)
        assert len(iterators) == 0
        with pytest.raises(OBJECT_NOT_EXIST):
            iterator.next_one()

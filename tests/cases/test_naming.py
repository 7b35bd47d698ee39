"""Every class of naming, over loopback: what our Naming Service answers. Beside omniNames: `test_same_answers_as_omninames`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iiop.exceptions import BAD_PARAM, OBJECT_NOT_EXIST
from iiop.iop import IOR, NIL, TaggedProfile
from naming import NameService, NamingServer
from naming.changes import ROOT, BindingSet, Change
from naming.interfaces import BindingIterator, NamingContextExt
from naming.iterators import END_OF_LIST
from naming.names import parse_name
from naming.store import Store
from naming.types import Binding, BindingType, InvalidName, NameComponent, NotEmpty

N = parse_name
OBJECT = IOR("IDL:A:1.0", (TaggedProfile(0, b"a"),))
MOST = 2**32 - 1
MANY = 100_000


def context(service: NameService, reference: IOR) -> NamingContextExt:
    return service.client.stub(reference, NamingContextExt)


def iterator(service: NameService, reference: IOR) -> BindingIterator:
    return service.client.stub(reference, BindingIterator)


def bindings(*names: str) -> tuple[Binding, ...]:
    return tuple([Binding((NameComponent(name),), BindingType.nobject) for name in names])


def loops(service: NameService) -> None:
    """A loop is legal; a name through it is as long as it says, and so ends."""
    root = service.root
    inner = context(service, root.bind_new_context(N("c")))
    inner.bind_context(N("up"), root.resolve(N("c")))
    root.bind(N("c/o"), OBJECT)
    assert root.resolve(N("c" + "/up" * 1000 + "/o")) == OBJECT
    with pytest.raises(NotEmpty):
        inner.destroy()


def dangling_contexts(service: NameService) -> None:
    """A bound context may be destroyed; its binding stays, and what is asked of it has gone."""
    root = service.root
    reference = root.bind_new_context(N("d"))
    context(service, reference).destroy()
    assert root.resolve(N("d")) == reference
    with pytest.raises(OBJECT_NOT_EXIST):
        root.resolve(N("d/x"))
    with pytest.raises(OBJECT_NOT_EXIST):
        context(service, reference).list(1)
    root.unbind(N("d"))


def iterator_misuse(service: NameService) -> None:
    """What has been destroyed, or has never been, is gone; the end may be read again and again."""
    root = service.root
    for name in ("a", "b", "c"):
        root.bind(N(name), OBJECT)
    page, reference = root.list(1)
    rest = iterator(service, reference)
    assert page == bindings("a")
    with pytest.raises(BAD_PARAM):
        rest.next_n(0)
    assert rest.next_n(MOST) == (True, bindings("b", "c"))
    assert rest.next_n(1) == (False, ())
    assert rest.next_one() == (False, END_OF_LIST)
    rest.destroy()
    for use in (rest.destroy, rest.next_one, lambda: rest.next_n(1)):
        with pytest.raises(OBJECT_NOT_EXIST):
            use()


def how_many_0(service: NameService) -> None:
    root = service.root
    assert root.list(0) == ((), NIL)
    root.bind(N("a"), OBJECT)
    page, reference = root.list(0)
    assert page == ()
    assert iterator(service, reference).next_one() == (True, *bindings("a"))


def how_many_most(service: NameService) -> None:
    root = service.root
    root.bind(N("a"), OBJECT)
    assert root.list(MOST) == (bindings("a"), NIL)


def empty_name(service: NameService) -> None:
    for ask in (service.root.resolve, service.root.unbind, service.root.bind_new_context):
        with pytest.raises(InvalidName):
            ask(())


CASES: dict[str, Callable[[NameService], None]] = {
    "naming/loops": loops,
    "naming/dangling contexts": dangling_contexts,
    "naming/iterator misuse": iterator_misuse,
    "naming/how_many 0": how_many_0,
    "naming/how_many 2**32-1": how_many_most,
    "naming/empty name": empty_name,
}


@pytest.fixture
def service() -> Iterator[NameService]:
    with NamingServer() as server, NameService(server.corbaloc) as service:
        yield service


@pytest.mark.parametrize("name", CASES)
def test_answer(name: str, service: NameService) -> None:
    CASES[name](service)


MANY_ENTRIES = "naming/10**5 entries"


@pytest.mark.parametrize("name", [MANY_ENTRIES])
def test_many(name: str, tmp_path: Path) -> None:
    """As many bindings are listed at once, and by an iterator, each once and in the order they were made."""
    changes: list[Change] = [BindingSet(ROOT, NameComponent(f"{number:06}"), OBJECT) for number in range(MANY)]
    with Store.open(tmp_path) as store:
        store.write(changes)
    with NamingServer(tmp_path) as server, NameService(server.corbaloc) as service:
        everything, nothing = service.root.list(MOST)
        assert nothing == NIL
        assert [binding.binding_name[0].id for binding in everything] == [f"{number:06}" for number in range(MANY)]
        some, reference = service.root.list(10)
        more, rest = iterator(service, reference).next_n(MOST)
        assert more
        assert some + rest == everything

"""Naming trees for tests: a graph of everything there is, random ones, and servers that hold them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from hypothesis import strategies as some

from iiop.iop import IOR, NIL, TaggedProfile
from iiop_fuzz import strategies as st
from ior import IORBuilder
from naming.copying import Action, Copy, Refusal
from naming.differences import Difference, Unread, compare
from naming.trees import (
    ROOT_NAME,
    Bound,
    DanglingContext,
    Entry,
    ForeignContext,
    Incomplete,
    LocalContext,
    Unreadable,
    order,
    stream,
)
from naming.types import Name, NameComponent
from naming.walk import Server, walk

C = NameComponent


def reference(key: str, host: str = "127.0.0.1", port: int = 1) -> IOR:
    """Return the reference of an object that need not be there."""
    return IORBuilder("IDL:test/Thing:1.0").iiop(host, port, key=key.encode()).code_sets().build().to_iop()


def foreign(key: str) -> ForeignContext:
    """Return a context of a server that is not there."""
    made = IORBuilder("IDL:omg.org/CosNaming/NamingContextExt:1.0").iiop("127.0.0.1", 2, key=key.encode()).build()
    return ForeignContext(made.to_iop())


def own(*name: NameComponent) -> Entry:
    return Entry(name, LocalContext(name))


def everything() -> list[Entry]:
    """Return a graph with kinds, escapes, names of any language, shared contexts, circles, foreign contexts."""
    a, inner, empty = C("a"), C("inner", "ctx"), C("")
    two_profiles = IOR("IDL:two:1.0", (*reference("one").profiles, *reference("two", "::1", 65535).profiles))
    strange = IOR("", (TaggedProfile(0x4D4F0001, b"any octets"), *reference("known").profiles))
    entries = [
        own(a),
        own(C("b", "a context of a kind")),
        own(empty),
        Entry((C("", "only a kind"),), reference("kind")),
        Entry((C("a", "object"),), reference("a.object")),
        Entry((C("again"),), LocalContext((a,))),
        Entry((C("far"),), foreign("far")),
        Entry((C("root"),), LocalContext(ROOT_NAME)),
        Entry((C("/.\\ \\/.", "\\"),), reference("escapes")),
        Entry((C("tab\tline\nreturn\r", "\x7f\x85\u2028"),), reference("controls")),
        Entry((C("日本語", "種類"),), reference("any language")),
        Entry((C("\u00e9e\u0301", "\U0001f4d6"),), two_profiles),
        Entry((a, C("nil")), NIL),
        Entry((a, C("strange")), strange),
        own(a, inner),
        Entry((a, inner, C("up")), LocalContext((a,))),
        Entry((a, inner, C("self")), LocalContext((a, inner))),
        Entry((a, inner, C("leaf", "object")), reference("leaf")),
        Entry((C("b", "a context of a kind"), C("shared")), LocalContext((a, inner))),
        own(empty, empty),
        Entry((empty, empty, empty), reference("deep")),
    ]
    return sorted(entries, key=order)


def many(contexts: int, each: int) -> Iterable[Entry]:
    """Yield `contexts` contexts with `each` objects in each."""
    names = [(C(f"context{number:05}"),) for number in range(contexts)]
    yield from (Entry(name, LocalContext(name)) for name in names)
    for name in names:
        for number in range(each):
            yield Entry((*name, C(f"object{number:06}", "kind")), reference(f"{number}"))


@some.composite
def trees(draw: some.DrawFn, *, parts: some.SearchStrategy[NameComponent], unread: bool = True, most: int = 4) -> list[Entry]:
    """Draw the entries of a tree: contexts in contexts, shared ones, circles, everything that can be bound.

    Args:
        parts: components of names.
        unread: whether there is what could not be read, and what was destroyed.
        most: bindings in a context.
    """
    entries: list[Entry] = []
    contexts: list[Name] = [ROOT_NAME]
    todo: list[Name] = [ROOT_NAME]
    while todo:
        context = todo.pop(0)
        if unread and draw(some.integers(0, 9)) == 9:
            entries.append(Entry(context, Incomplete(draw(some.text(max_size=9)))))
        found = draw(some.lists(parts, max_size=most if len(contexts) < 8 else 1, unique=True))
        for part in sorted(found, key=lambda part: (part.id, part.kind)):
            name = (*context, part)
            kind = draw(some.sampled_from("oooccsfdu" if unread else "oooccsf")) if len(contexts) < 20 else "o"
            bound: Bound
            if kind == "o":
                bound = draw(st.iors() if unread else some.sampled_from([reference("x"), reference("y")]))
            elif kind == "c":
                bound = LocalContext(name)
                contexts.append(name)
                todo.append(name)
            elif kind == "s":
                bound = LocalContext(draw(some.sampled_from(contexts)))
            elif kind == "f":
                bound = ForeignContext(draw(st.iors())) if unread else draw(some.sampled_from([foreign("x"), foreign("y")]))
            else:
                bound = DanglingContext() if kind == "d" else Unreadable(draw(some.text(max_size=9)))
            entries.append(Entry(name, bound))
    return entries


async def read(server: Server) -> list[Entry]:
    """Return the entries of a server."""
    async with contextlib.aclosing(walk(server)) as entries:
        return [entry async for entry in entries]


async def put(entries: Iterable[Entry], server: Server, *, prune: bool = False) -> list[Action | Refusal]:
    """Copy entries into a server, and return what was done."""
    async with contextlib.aclosing(Copy(stream(entries), server, prune=prune).run()) as steps:
        return [step async for step in steps]


async def differences(a: Iterable[Entry], b: Iterable[Entry]) -> list[Difference | Unread]:
    """Return what differs between entries."""
    return [found async for found in compare(stream(a), stream(b))]

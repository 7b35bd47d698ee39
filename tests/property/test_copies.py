"""Copies of any tree onto any other: what they do, what they leave alone, and that doing it twice does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as some

from naming import NamingServer
from naming.copying import Action, Copy, Refusal
from naming.model import Profile
from naming.trees import Entry, LocalContext, stream
from naming.types import NameComponent
from naming.walk import Server
from tests.trees import differences, put, read, trees

PARTS = some.sampled_from([NameComponent("a"), NameComponent("b"), NameComponent("b", "k"), NameComponent("c")])
TREES = trees(parts=PARTS, unread=False, most=3)
PROFILES = some.sampled_from([Profile.omg, Profile.omninames])


def on_a_server(profile: Profile, test: Callable[[Server], Awaitable[None]]) -> None:
    async def run() -> None:
        async with NamingServer(profile=profile) as listening, Server(listening.ior.to_iop()) as server:
            await test(server)

    asyncio.run(run())


@settings(max_examples=60)
@given(TREES, TREES, PROFILES)
def test_a_pruning_copy_makes_the_trees_equal(a: list[Entry], b: list[Entry], profile: Profile) -> None:
    async def test(server: Server) -> None:
        assert all(isinstance(step, Action) for step in await put(b, server))
        assert await read(server) == b
        steps = await put(a, server, prune=True)
        assert not [step for step in steps if isinstance(step, Refusal)]
        assert await read(server) == a
        assert await put(a, server, prune=True) == []

    on_a_server(profile, test)


@settings(max_examples=60)
@given(TREES, TREES, PROFILES)
def test_a_copy_that_does_not_prune_takes_nothing_away(a: list[Entry], b: list[Entry], profile: Profile) -> None:
    async def test(server: Server) -> None:
        await put(b, server)
        steps = await put(a, server)
        after = {entry.name: entry.bound for entry in await read(server)}
        wanted = {entry.name: entry.bound for entry in a}
        for entry in b:
            assert after[entry.name] in (entry.bound, wanted.get(entry.name))
            if isinstance(entry.bound, LocalContext):
                assert after[entry.name] == entry.bound
        refused = [step.name for step in steps if isinstance(step, Refusal)]
        for entry in a:
            if after.get(entry.name) != entry.bound:
                assert any(entry.name[: len(name)] == name for name in refused) or _shares(entry, refused)
        again = await put(a, server)
        assert [step for step in again if isinstance(step, Action)] == []

    on_a_server(profile, test)


def _shares(entry: Entry, refused: list[tuple[NameComponent, ...]]) -> bool:
    return isinstance(entry.bound, LocalContext) and entry.bound.first in refused


@settings(max_examples=30)
@given(TREES, TREES, some.booleans())
def test_a_plan_does_nothing_and_is_what_is_done(a: list[Entry], b: list[Entry], prune: bool) -> None:
    async def test(server: Server) -> None:
        await put(b, server)
        planned = [step async for step in Copy(stream(a), server, prune=prune).plan()]
        assert await read(server) == b
        done = await put(a, server, prune=prune)
        did = {str(step) for step in done if isinstance(step, Action)}
        assert did <= {str(step) for step in planned}
        if prune:
            assert did == {str(step) for step in planned}

    on_a_server(Profile.omg, test)


@given(TREES, TREES)
def test_a_comparison_turned_round_says_the_same(a: list[Entry], b: list[Entry]) -> None:
    async def test() -> None:
        there, back = await differences(a, b), await differences(b, a)
        assert [(found.name, found.a, found.b) for found in there] == [(found.name, found.b, found.a) for found in back]
        assert (there == []) is (a == b)
        assert await differences(a, a) == []

    asyncio.run(test())

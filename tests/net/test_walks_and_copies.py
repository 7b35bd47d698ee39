"""Servers that change, fail or lie while their trees are read and copied, and folders that are read beside a running server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from iiop.exceptions import NO_IMPLEMENT, OBJECT_NOT_EXIST, CompletionStatus
from iiop.failover import FailoverPolicy
from iiop.iop import IOR
from ior import IORBuilder
from naming import NamingServer
from naming.copying import Copy, Refusal
from naming.differences import Difference
from naming.folder import folder_entries
from naming.store import Durability, StoreError
from naming.trees import DanglingContext, Entry, ForeignContext, Incomplete, LocalContext, Unreadable, order, stream
from naming.types import Name, NameComponent
from naming.walk import PAGE, UNREACHABLE, Server, walk
from tests.trees import differences, everything, many, own, put, read, reference

C = NameComponent
A, B, X, Y = C("a"), C("b"), C("x"), C("y")
IMPATIENT = FailoverPolicy(deadline=2.0, rounds=1, refresh_interval=None)


class Meddled(Server):
    """A server in whose calls a test meddles: `before(operation, arguments)` runs, or raises, ahead of each."""

    before: Callable[..., Awaitable[None]]

    async def call(self, context: IOR, operation: str, *arguments: Any) -> Any:
        await self.before(operation, *arguments)
        return await super().call(context, operation, *arguments)


@contextlib.asynccontextmanager
async def meddled(before: Callable[..., Awaitable[None]], *entries: Entry) -> AsyncIterator[tuple[Meddled, Server]]:
    """Give a server with these entries, meddled with and not."""
    async with NamingServer() as listening, Server(listening.ior.to_iop()) as plain, Meddled(listening.ior.to_iop()) as server:
        server.before = before
        await put(entries, plain)
        yield server, plain


def test_what_is_unbound_while_it_is_read_is_named() -> None:
    async def test() -> None:
        async def before(operation: str, *arguments: Any) -> None:
            if operation == "resolve" and arguments[0] == (B,):
                await plain.call(plain.root, "unbind", (B,))

        async with meddled(before, Entry((A,), reference("a")), Entry((B,), reference("b"))) as (server, plain):
            first, second = await read(server)
            assert first == Entry((A,), reference("a"))
            assert second.name == (B,)
            assert isinstance(second.bound, Unreadable)

    asyncio.run(test())


def test_a_context_that_is_destroyed_before_it_is_listed_is_named_and_nothing_below_it_is_pruned() -> None:
    async def test() -> None:
        below = Entry((A, X), reference("x"))

        async def before(operation: str, *arguments: Any) -> None:
            if operation == "list" and arguments[0] == PAGE and lists.append(1) is None and len(lists) == 2:
                raise OBJECT_NOT_EXIST(0, CompletionStatus.COMPLETED_NO)

        lists: list[int] = []
        async with meddled(before, own(A), Entry((B,), reference("b"))) as (server, _):
            seen = await read(server)
            assert [entry.name for entry in seen] == [(A,), (B,), (A,)]
            assert isinstance(seen[2].bound, Incomplete)
            async with NamingServer() as listening, Server(listening.ior.to_iop()) as destination:
                await put([own(A), Entry((Y,), reference("y")), below], destination)
                steps = await put(seen, destination, prune=True)
                assert {str(step).partition(":")[0] for step in steps} == {"bind b", "unbind y", "a"}
                assert [step.name for step in steps if isinstance(step, Refusal)] == [(A,)]
                assert below in await read(destination)

    asyncio.run(test())


def test_a_context_that_was_destroyed_is_told_from_one_that_is_empty() -> None:
    async def test() -> None:
        async with NamingServer() as listening, Server(listening.ior.to_iop()) as server:
            made = await server.call(server.root, "bind_new_context", (A,))
            await server.call(server.root, "bind_new_context", (B,))
            await server.call(made, "destroy")
            seen = await read(server)
            assert seen == [Entry((A,), DanglingContext()), own(B)]
            async with NamingServer() as other, Server(other.ior.to_iop()) as destination:
                await put([own(A), Entry((A, X), reference("x"))], destination)
                steps = await put(seen, destination, prune=True)
                assert sorted(type(step).__name__ for step in steps) == ["Action", "Refusal"]
                assert await read(destination) == [own(A), own(B), Entry((A, X), reference("x"))]
            steps = await put([own(A), Entry((A, X), reference("x"))], server)
            assert [str(step).partition(":")[0] for step in steps] == ["rebind a", "bind a/x"]

    asyncio.run(test())


@pytest.mark.parametrize("moment", [0, 3, 500])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_server_that_dies_ends_the_copy_and_another_copy_does_the_rest(side: str, moment: int) -> None:
    async def test() -> None:
        servers = {"source": NamingServer(), "destination": NamingServer()}
        for listening in servers.values():
            await listening.start()
        source, destination = (Server(it.ior.to_iop(), policy=IMPATIENT) for it in servers.values())
        await put(many(3, 400), source)

        async def dying() -> AsyncIterator[Entry]:
            async with contextlib.aclosing(walk(source)) as entries:
                number = 0
                async for entry in entries:
                    if number == moment:
                        await servers[side].stop()
                    number += 1
                    yield entry

        async def copy() -> None:
            async with contextlib.aclosing(dying()) as entries, contextlib.aclosing(Copy(entries, destination).run()) as steps:
                async for _ in steps:
                    pass

        with pytest.raises(UNREACHABLE):
            await copy()
        if side == "source":
            found = await differences(many(3, 400), await read(destination))
            assert found
            assert all(isinstance(it, Difference) and it.b is None for it in found)
            await put(many(3, 400), destination)
            assert await differences(many(3, 400), await read(destination)) == []
        else:
            assert await differences(many(3, 400), await read(source)) == []
        for server in (source, destination):
            await server.__aexit__(None, None, None)
        await servers["destination" if side == "source" else "source"].stop()

    asyncio.run(test())


def test_a_hung_server_is_given_up() -> None:
    async def test() -> None:
        policy = FailoverPolicy(deadline=0.3, attempt_timeout=0.3, rounds=1)
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            root = IORBuilder("").iiop(*deaf.getsockname(), key=b"NameService").build().to_iop()
            async with Server(root, policy=policy) as server:
                with pytest.raises(UNREACHABLE):
                    await read(server)

    asyncio.run(test())


@pytest.mark.parametrize("stop_after", [1, 250, 10_000])
def test_no_iterator_is_left_behind(stop_after: int) -> None:
    async def test() -> None:
        async with NamingServer() as listening, Server(listening.ior.to_iop()) as server:
            await put(many(4, 2 * PAGE + 1), server)
            async with contextlib.aclosing(walk(server)) as entries:
                number = 0
                async for _ in entries:
                    number += 1
                    if number == stop_after:
                        break
            assert number == min(stop_after, 4 + 4 * (2 * PAGE + 1))
            assert listening._servants is not None
            assert len(listening._servants.iterators) == 0

    asyncio.run(test())


def test_servers_without_iterators_are_read() -> None:
    async def test() -> None:
        async def before(operation: str, *arguments: Any) -> None:
            if operation == "list" and arguments[0] <= PAGE:
                raise NO_IMPLEMENT(0, CompletionStatus.COMPLETED_NO)

        async with meddled(before, *many(2, PAGE + 1)) as (server, _):
            assert await read(server) == list(many(2, PAGE + 1))

    asyncio.run(test())


def test_an_iterator_that_ends_early_makes_the_listing_incomplete() -> None:
    async def test() -> None:
        async with NamingServer() as listening, Server(listening.ior.to_iop()) as server:
            await put(many(1, 3 * PAGE), server)
            iterate = server.iterate

            async def ended(iterator: IOR, operation: str, *arguments: Any) -> Any:
                if operation == "next_n":
                    await iterate(iterator, "destroy")
                return await iterate(iterator, operation, *arguments)

            server.iterate = ended  # type: ignore[method-assign]
            seen = await read(server)
            assert [type(entry.bound) for entry in seen[:3]] == [LocalContext, Incomplete, IOR]
            assert len(seen) == 2 + PAGE

    asyncio.run(test())


def test_a_context_of_another_server_is_not_entered_and_one_that_is_of_ours_by_another_name_is() -> None:
    async def test() -> None:
        async with NamingServer() as far, NamingServer(advertised_host="localhost") as near:
            seen_as = IORBuilder("").iiop("127.0.0.1", near.port, key=b"NameService", version=(1, 0)).build()
            async with Server(seen_as.to_iop()) as server, Server(far.ior.to_iop()) as other:
                await put(everything(), other)
                async with Server(near.ior.to_iop()) as as_it_says:
                    await put(everything(), as_it_says)
                assert await read(server) == everything(), "in every language, over a reference that states no code sets"
                await server.call(server.root, "bind_context", (Y,), far.ior)
                seen = await read(server)
                assert Entry((Y,), ForeignContext(far.ior.to_iop())) in seen
                assert len(seen) == len(everything()) + 1
                # Copied to the server that it is of, it is a context like any other there, and copied once.
                assert [str(it) for it in await put(seen, other)] == [
                    f"bind y: context of another server, IDL:omg.org/CosNaming/NamingContextExt:1.0 at 127.0.0.1:{far.port}"
                ]
                assert await put(seen, other, prune=True) == []

    asyncio.run(test())


def test_a_name_that_somebody_binds_meanwhile_is_not_taken_from_them() -> None:
    async def test() -> None:
        async def before(operation: str, *arguments: Any) -> None:
            if operation == "bind" and arguments[0] == (A,):
                await plain.call(plain.root, "bind", (A,), reference("somebody's"))

        async with meddled(before) as (server, plain):
            (step,) = await put([Entry((A,), reference("ours"))], server)
            assert isinstance(step, Refusal)
            assert "AlreadyBound" in str(step)
            assert await read(plain) == [Entry((A,), reference("somebody's"))]

    asyncio.run(test())


def test_names_below_a_context_that_cannot_be_made_are_counted() -> None:
    async def test() -> None:
        async with NamingServer() as listening, Server(listening.ior.to_iop()) as server:
            await put([Entry((A,), reference("in the way"))], server)
            wanted = [
                own(A),
                Entry((B,), LocalContext((A,))),
                own(A, X),
                Entry((A, Y), reference("y")),
                Entry((A, X, Y), reference("y")),
            ]
            copying = Copy(stream(wanted), server)
            steps = [step async for step in copying.run()]
            assert [step.name for step in steps] == [(A,)]
            assert copying.below == {(A,): 4}
            assert await read(server) == [Entry((A,), reference("in the way"))]

    asyncio.run(test())


def test_only_some_names_are_copied_and_contexts_on_the_way_are_made() -> None:
    async def test() -> None:
        wanted = [own(A), own(B), Entry((A, X), reference("x")), Entry((A, Y), reference("y")), Entry((B, X), reference("x"))]
        async with NamingServer() as listening, Server(listening.ior.to_iop()) as server:
            await put([Entry((Y,), reference("kept"))], server)
            copying = Copy(stream(wanted), server, prune=True, only=lambda name: name[-1] == X and name[0] == A)
            assert [str(step).partition(":")[0] async for step in copying.run()] == ["bind a/x"]
            assert await read(server) == [own(A), Entry((Y,), reference("kept")), Entry((A, X), reference("x"))]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("left", "pruned"),
    [
        (Entry((A, Y), reference("y")), [(A,), (A, X)]),
        (Entry((B,), LocalContext((A,))), [(A,), (A, X)]),
        (own(A, Y), [(A,), (A, X)]),
    ],
)
def test_a_context_is_not_pruned_while_something_in_it_or_of_it_stays(left: Entry, pruned: list[Name]) -> None:
    async def test() -> None:
        async with NamingServer() as listening, Server(listening.ior.to_iop()) as server:
            there = sorted([own(A), Entry((A, X), reference("x")), left], key=order)
            await put(there, server)
            copying = Copy(stream([]), server, prune=True, only=lambda name: name in pruned)
            assert [str(step).partition(":")[0] async for step in copying.run()] == ["unbind a/x"]
            assert await read(server) == [entry for entry in there if entry.name != (A, X)]

    asyncio.run(test())


# --- folders -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_stopped_and_running_and_left_as_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        naming = tmp_path / "etc" / "CosNaming"
        async with NamingServer(naming) as listening, Server(listening.ior.to_iop()) as server:
            await put(everything(), server)
            for folder in (tmp_path, naming):
                assert list(folder_entries(folder)) == everything()
            await server.call(server.root, "unbind", everything()[0].name)
            assert await read(server) == list(folder_entries(tmp_path))
        before = {path.name: path.read_bytes() for path in naming.iterdir()}
        assert len(list(folder_entries(tmp_path))) > 1
        assert {path.name: path.read_bytes() for path in naming.iterdir()} == before

    asyncio.run(test())


def test_a_folder_that_is_written_to_is_seen_as_it_was_at_one_moment(tmp_path: Path) -> None:
    async def test() -> None:
        async with NamingServer(tmp_path, durability=Durability.process) as listening, Server(listening.ior.to_iop()) as server:

            async def write() -> None:
                for number in range(4000):  # one after the other: what is seen has no gaps
                    await server.call(server.root, "bind", (C(f"{number:05}"),), reference("x" * 500))

            writing = asyncio.create_task(write())
            seen = []
            while not writing.done():
                seen.append(await asyncio.to_thread(lambda: [entry.name[0].id for entry in folder_entries(tmp_path)]))
            await writing
            assert len(seen) > 1
            assert seen == [[f"{number:05}" for number in range(len(names))] for names in seen]
            assert [len(names) for names in seen] == sorted(len(names) for names in seen)

    asyncio.run(test())


def test_a_folder_without_bindings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there are no bindings here"):
        list(folder_entries(tmp_path))
    (tmp_path / "naming.sqlite3").write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreError, match="the store is damaged") as raised:
        list(folder_entries(tmp_path))
    assert raised.value.path == str(tmp_path / "naming.sqlite3"), "and not that of a copy"

"""Group commit: one transaction for all that came while the disk was busy, answers only from what is on disk."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest

from iiop.exceptions import PERSIST_STORE, TRANSIENT, CompletionStatus, CorbaException
from iiop.iop import IOR, TaggedProfile
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.changes import ROOT, Change
from naming.commits import Commits
from naming.model import Contexts, NamingModel
from naming.names import parse_name
from naming.store import Prepared, Store, StoreError
from naming.types import AlreadyBound, NameComponent, NotFound
from tests.unit.test_naming_store import content

N = parse_name
A = IOR("IDL:A:1.0", (TaggedProfile(0, bytes(100)),))
Plan = Callable[[Contexts], tuple[Change, ...]]


class Disk(Store):
    """A store in memory whose writes wait until the test lets them go, and fail if it says so."""

    def __init__(self, *, busy: bool) -> None:
        memory = Store.memory()
        super().__init__(memory._connection, memory.path)
        self.threads: set[str] = set()
        self.written: list[tuple[Change, ...]] = []
        self.failure: Exception | None = None
        self.failing_writes: frozenset[int] = frozenset()
        self._writes = itertools.count()
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0 if busy else 1_000_000)

    def commit(self, prepared: Iterable[Prepared]) -> None:
        self.threads.add(threading.current_thread().name)
        self.begun.release()
        assert self.gate.acquire(timeout=10)
        if self.failure is not None:
            raise self.failure
        if next(self._writes) in self.failing_writes:
            raise StoreError("failed")
        super().commit(prepared)
        self.written.append(tuple(change for change, _ in prepared))


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(main())


@asynccontextmanager
async def service(disk: Disk, limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[tuple[Commits, NamingModel]]:
    model = NamingModel(disk.load())
    commits = Commits(disk, model, limits)
    try:
        yield commits, model
    finally:
        disk.gate.release(1000)
        await commits.close()


def bind(name: str) -> Plan:
    return lambda contexts: contexts.plan_bind(ROOT, N(name), A)


async def asked(commits: Commits, *plans: Plan) -> list[asyncio.Task[tuple[Change, ...]]]:
    """Ask for changes, one after the other; return once all are planned."""
    tasks = [asyncio.create_task(commits.change(plan)) for plan in plans]
    await asyncio.sleep(0)
    return tasks


async def disk_begins(disk: Disk) -> None:
    await asyncio.to_thread(disk.begun.acquire)


def test_changes_are_seen_and_answered_once_they_are_on_disk() -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        async with service(disk) as (commits, model):
            (task,) = await asked(commits, bind("a"))
            await disk_begins(disk)
            assert not task.done()
            with pytest.raises(NotFound):
                model.resolve(ROOT, N("a"))
            disk.gate.release()
            assert await task == disk.written[0]
            assert model.resolve(ROOT, N("a")) == A
        assert disk.threads == {"naming store_0"}

    run(test)


def test_what_comes_while_the_disk_is_busy_goes_to_it_together() -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        async with service(disk) as (commits, _):
            first = await asked(commits, bind("first"), bind("of the same turn"))
            await disk_begins(disk)
            later = [*await asked(commits, bind("a"), bind("b")), *await asked(commits, bind("c"))]
            order: list[str] = []
            for number, task in enumerate([*first, *later]):
                task.add_done_callback(lambda _, name=str(number): order.append(name))
            disk.gate.release(2)
            await asyncio.gather(*first, *later)
            assert [len(changes) for changes in disk.written] == [2, 3]
            assert order == sorted(order)

    run(test)


def test_planned_upon_what_is_being_written_and_upon_what_waits() -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        async with service(disk) as (commits, model):
            await asked(commits, bind("a"))
            await disk_begins(disk)
            tasks = await asked(
                commits,
                lambda on: on.plan_unbind(ROOT, N("a")),
                lambda on: on.plan_bind_new_context(ROOT, N("a"), 1),
                lambda on: on.plan_bind(ROOT, N("a/b"), A),
                lambda on: on.plan_bind(ROOT, N("a/b"), A),
            )
            disk.gate.release(2)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(answers[-1], AlreadyBound)
            assert model.resolve(ROOT, N("a/b")) == A
            assert content(NamingModel(disk.load())) == content(model)

    run(test)


@pytest.mark.parametrize(
    ("uncertain", "first"), [(False, CompletionStatus.COMPLETED_NO), (True, CompletionStatus.COMPLETED_MAYBE)]
)
def test_what_was_planned_upon_a_batch_that_failed_never_was(
    uncertain: bool, first: CompletionStatus, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        disk.failure = StoreError("full", path="p", uncertain=uncertain)
        async with service(disk) as (commits, model):
            before = content(model)
            tasks = await asked(commits, bind("a"))
            await disk_begins(disk)
            refused_early = await asked(commits, bind("a"))
            above = await asked(commits, bind("b"), bind("b"))
            assert not any(task.done() for task in [*refused_early, *above])
            disk.gate.release()
            answers = await asyncio.gather(*tasks, *refused_early, *above, return_exceptions=True)
            no = PERSIST_STORE(0, CompletionStatus.COMPLETED_NO)
            assert answers == [PERSIST_STORE(0, first), PERSIST_STORE(0, first), no, no]
            assert content(model) == content(NamingModel(disk.load())) == before
            disk.gate.release(2)
            with pytest.raises(PERSIST_STORE):
                await commits.change(bind("a"))
            disk.failure = None
            await commits.change(bind("a"))
            assert content(NamingModel(disk.load())) == content(model) != before

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.getMessage() for record in caplog.records] == [
        "changes are refused from now on: p: full",
        "changes are stored again: :memory:",
    ]


def test_what_cannot_be_stored_is_refused_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Text that came in a code set of its connection need not fit into a reference."""

    async def test() -> None:
        disk = Disk(busy=True)
        async with service(disk) as (commits, model):
            tasks = await asked(
                commits,
                bind("before"),
                lambda on: on.plan_bind(ROOT, N("x"), IOR("IDL:\u3042:1.0", ())),
                lambda on: on.plan_bind(ROOT, (NameComponent("\ud800"),), A),
                bind("after"),
            )
            disk.gate.release(2)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            no = PERSIST_STORE(0, CompletionStatus.COMPLETED_NO)
            assert answers[1:3] == [no, no]
            assert [component.id for component in model.bindings(ROOT)] == ["before", "after"]
            assert [len(changes) for changes in disk.written] == [2]

    run(test)
    assert caplog.text.count("cannot be stored") == 2


def test_a_bug_in_the_store_hangs_nobody() -> None:
    async def test() -> None:
        disk = Disk(busy=False)
        disk.failure = ZeroDivisionError("a bug")
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with service(disk) as (commits, model):
            with pytest.raises(PERSIST_STORE):
                await commits.change(bind("a"))
            disk.failure = None
            assert await commits.change(bind("a")) == disk.written[0]
            assert model.resolve(ROOT, N("a")) == A
        gc.collect()

    reported: list[dict[str, object]] = []
    run(test)
    assert [str(context["exception"]) for context in reported] == ["a bug"]


def test_too_much_waiting_is_refused() -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        busy = TRANSIENT(0x4F4D0001, CompletionStatus.COMPLETED_NO)
        async with service(disk, Limits(changes=4)) as (commits, _):
            tasks = await asked(commits, bind("a"))
            await disk_begins(disk)
            tasks += await asked(commits, bind("b"), bind("b"), bind("c"), bind("d"))
            with pytest.raises(TRANSIENT) as caught:
                await tasks[-1]
            assert caught.value == busy
            disk.gate.release(2)
            assert [type(answer).__name__ for answer in await asyncio.gather(*tasks, return_exceptions=True)] == [
                *["tuple", "tuple", "AlreadyBound", "tuple", "TRANSIENT"]
            ]
            disk.gate.release()
            await commits.change(bind("d"))

    run(test)


@pytest.mark.parametrize("big", ["reference", "name", "name that is not found"])
def test_too_many_octets_waiting_are_refused(big: str) -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        name, reference = "n" * 10_000, IOR("", (TaggedProfile(0, bytes(10_000)),))
        plans: dict[str, Plan] = {
            "reference": lambda on: on.plan_bind(ROOT, N("x"), reference),
            "name": lambda on: on.plan_bind(ROOT, N(name), A),
            "name that is not found": lambda on: on.plan_unbind(ROOT, N(name)),
        }
        async with service(disk, Limits(change_octets=10_000)) as (commits, _):
            await asked(commits, bind("a"))
            await disk_begins(disk)
            waiting, refused = await asked(commits, plans[big], bind("y"))
            with pytest.raises(TRANSIENT):
                await refused
            assert not waiting.done()
            disk.gate.release(2)
            await asyncio.wait([waiting])
            disk.gate.release()
            await commits.change(bind("y"))
            waiting.exception()

    run(test)


def test_a_client_that_has_gone_stops_nothing() -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        async with service(disk) as (commits, model):
            tasks = await asked(commits, bind("a"), bind("b"))
            await disk_begins(disk)
            tasks += await asked(commits, bind("c"), bind("d"))
            for task in tasks[::2]:
                task.cancel()
            disk.gate.release(2)
            await asyncio.wait(tasks)
            assert [task.cancelled() for task in tasks] == [True, False, True, False]
            assert sorted(component.id for component in model.bindings(ROOT)) == ["a", "b", "c", "d"]

    run(test)


def test_what_waits_is_written_before_the_store_is_closed() -> None:
    async def test() -> None:
        disk = Disk(busy=True)
        commits = Commits(disk, NamingModel())
        tasks = await asked(commits, bind("a"))
        await disk_begins(disk)
        tasks += await asked(commits, bind("b"))
        disk.gate.release(2)
        await commits.close()
        assert [len(changes) for changes in disk.written] == [1, 1]
        assert all(task.done() for task in tasks)
        with pytest.raises(StoreError):
            list(disk.load())

    run(test)


@pytest.mark.parametrize("seed", range(10))
def test_answers_are_those_of_one_change_after_the_other(seed: int) -> None:
    """With failures in between: what was acknowledged, in order, is what is there."""

    async def test() -> None:
        chance = random.Random(seed)
        disk = Disk(busy=True)
        disk.failing_writes = frozenset({1, *chance.sample(range(40), 8)})
        async with service(disk) as (commits, model):
            asked_for: list[tuple[Plan, asyncio.Task[tuple[Change, ...]]]] = []
            for _ in range(60):
                for _ in range(chance.randrange(6)):
                    plan = some_plan(chance)
                    (task,) = await asked(commits, plan)
                    asked_for.append((plan, task))
                if chance.randrange(2):
                    disk.gate.release()
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(chance.choice((0, 0.001)))
            disk.gate.release(1000)
            answers = await asyncio.gather(*(task for _, task in asked_for), return_exceptions=True)
            expected = NamingModel()
            for (plan, _), answer in zip(asked_for, answers, strict=True):
                if isinstance(answer, PERSIST_STORE):
                    continue
                assert answer == outcome(plan, expected)
            assert content(model) == content(expected) == content(NamingModel(disk.load()))
            assert any(isinstance(answer, PERSIST_STORE) for answer in answers)

    run(test)


def outcome(plan: Plan, model: NamingModel) -> tuple[Change, ...] | CorbaException:
    """Change a model at once, and return what was planned or raised."""
    try:
        changes = plan(model)
    except CorbaException as refusal:
        return refusal
    model.apply(changes)
    return changes


def some_plan(chance: random.Random) -> Plan:
    name = N("/".join(chance.choices("abc", k=chance.choice((1, 1, 2)))))
    plans: list[Plan] = [
        lambda on: on.plan_bind(ROOT, name, A),
        lambda on: on.plan_unbind(ROOT, name),
        lambda on: on.plan_bind_new_context(ROOT, name, 1),
        lambda on: on.plan_new_context(ROOT, 1),
    ]
    return chance.choice(plans)

"""Group commit: changes that are asked for while the disk is busy go to it together, and nobody else waits for it.

Knows models, drafts and a store; not who asks. Lives in an event loop; the store is used in a thread of its own.

Invariants: the model shows what is on disk and nothing else; a change is answered after it is, in the order of planning. What is
planned on top of changes that are not on disk yet, a refusal too, is answered when they are: if they never get there, then what
it was decided upon never was. A batch is not waited for: the next one is whatever came while the disk wrote the one before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from iiop.exceptions import PERSIST_STORE, TRANSIENT, CompletionStatus, CorbaException
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.changes import Change
from naming.model import Contexts, Draft, NamingModel
from naming.store import Prepared, Store, StoreError
from naming.types import Name

__all__ = ["Commits"]

log = logging.getLogger("naming.commits")

OMG_RESOURCES_EXHAUSTED = 0x4F4D0001
"""Minor code of TRANSIENT: the request was discarded because resources are exhausted (CORBA 3.3 part 1, annex A)."""

Changes = TypeVar("Changes", bound=tuple[Change, ...])


class _Batch:
    """Hold what goes to disk together, and who waits for it."""

    def __init__(self, base: Contexts) -> None:
        self.draft = Draft(base)
        self.prepared: list[Prepared] = []
        self.octets = 0
        self.waiting: list[asyncio.Future[None]] = []

    def on_disk(self, octets: int) -> asyncio.Future[None]:
        """Return what to wait for, at the cost of keeping some octets meanwhile; it ends in PERSIST_STORE or in nothing."""
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        self.octets += octets
        return future

    def end(self, failed: CompletionStatus | None) -> None:
        """Tell everybody who has not gone meanwhile."""
        for future in self.waiting:
            if future.done():
                continue
            if failed is None:
                future.set_result(None)
            else:
                future.set_exception(PERSIST_STORE(0, failed))


class Commits:
    """Change one Naming Service.

    Args:
        store: used by nobody else from now on.
        model: what the store holds; changed here, once the store has the changes.
        limits: `changes` and `change_octets` bound what waits for the disk.
    """

    def __init__(self, store: Store, model: NamingModel, limits: Limits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._model = model
        self._limits = limits
        self._disk = ThreadPoolExecutor(1, "naming store")
        self._writer: asyncio.Task[None] | None = None
        self._writing: _Batch | None = None
        self._next: _Batch | None = None
        self._failing = ""

    async def change(self, plan: Callable[[Contexts], Changes]) -> Changes:
        """Plan changes as if those asked for before had been made, and return them once they are on disk and in the model.

        Args:
            plan: calls one of the `plan_...` methods of what it is given.

        Raises:
            CorbaException: what `plan` raised.
            PERSIST_STORE: the changes cannot be stored, or the store failed; neither they nor anything they were planned upon
                has been made. COMPLETED_MAYBE where the disk took them but would not say that they are safe: they may turn up
                after a restart.
            TRANSIENT: too much is waiting for the disk; nothing was planned.
        """
        self._admit()
        newest = self._next or self._writing
        try:
            changes = plan(newest.draft if newest else self._model)
        except CorbaException as refusal:
            if newest is not None:
                await newest.on_disk(_octets(getattr(refusal, "rest_of_name", ())))
            raise
        try:
            prepared = self._store.prepare(changes)
        except StoreError as error:
            log.warning("change refused: %s", error)
            raise PERSIST_STORE(0, CompletionStatus.COMPLETED_NO) from error
        batch = self._open_batch()
        batch.draft.apply(changes)
        batch.prepared += prepared
        await batch.on_disk(sum(len(value) for _, values in prepared for value in values))
        return changes

    async def close(self) -> None:
        """Write what waits, whether or not anybody still waits for it, and close the store.

        Raises:
            StoreError: SQLite could not tidy up.
        """
        if self._writer is not None:
            await self._writer
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._store.close)
        finally:
            self._disk.shutdown()

    def _admit(self) -> None:
        batches = [batch for batch in (self._writing, self._next) if batch is not None]
        changes, octets = sum(len(batch.waiting) for batch in batches), sum(batch.octets for batch in batches)
        if changes >= self._limits.changes or octets >= self._limits.change_octets:
            raise TRANSIENT(OMG_RESOURCES_EXHAUSTED, CompletionStatus.COMPLETED_NO)

    def _open_batch(self) -> _Batch:
        """Return the batch that goes to disk next: at once, but with all that this turn of the event loop brings."""
        if self._next is None:
            self._next = _Batch(self._writing.draft if self._writing else self._model)
            if self._writer is None:
                self._writer = asyncio.create_task(self._write(), name="naming commits")
        return self._next

    async def _write(self) -> None:
        """Write one batch after the other until none is left."""
        try:
            while (batch := self._next) is not None:
                self._writing, self._next = batch, None
                await self._commit(batch)
        finally:
            self._writer = None

    async def _commit(self, batch: _Batch) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._store.commit, batch.prepared)
        except StoreError as error:
            self._forget(batch, CompletionStatus.COMPLETED_MAYBE if error.uncertain else CompletionStatus.COMPLETED_NO)
            if error.reason != self._failing:
                log.error("changes are refused from now on: %s", error)
            self._failing = error.reason
            return
        except BaseException:
            self._forget(batch, CompletionStatus.COMPLETED_MAYBE)
            raise
        self._model.apply(batch.draft.changes)
        self._writing = None
        if self._next is not None:
            self._next.draft.base = self._model
        batch.end(None)
        if self._failing:
            log.warning("changes are stored again: %s", self._store.path)
            self._failing = ""

    def _forget(self, batch: _Batch, completed: CompletionStatus) -> None:
        """Give up a batch, and the one that was planned upon it, of which nothing was written."""
        above, self._writing, self._next = self._next, None, None
        batch.end(completed)
        if above is not None:
            above.end(CompletionStatus.COMPLETED_NO)


def _octets(name: Name) -> int:
    return sum(len(component.id) + len(component.kind) for component in name)

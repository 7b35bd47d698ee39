"""What serves does what any thread asks: in its loop while it serves, and where it is asked otherwise."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from iiop.net.serving import Driven

PATIENCE = 10.0


class Door(Driven):
    """Serve nothing; what is done there is written down with its thread."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[int] = []
        self.loop_thread = 0

    async def start(self) -> None:
        self.loop_thread = threading.get_ident()
        self._served_by(asyncio.get_running_loop())

    async def stop(self) -> None:
        self._served_by(None)

    def ask(self) -> int:
        return self._do(self._act)

    def fail(self) -> None:
        self._do(lambda: 1 // 0)

    def _act(self) -> int:
        self.done.append(threading.get_ident())
        return len(self.done)


def test_it_is_done_in_the_loop_while_there_is_one() -> None:
    door = Door()
    here = threading.get_ident()
    assert door.ask() == 1
    with door:
        assert door.ask() == 2
        with pytest.raises(ZeroDivisionError):
            door.fail()
    assert door.ask() == 3
    assert door.done == [here, door.loop_thread, here]
    assert door.loop_thread != here


def test_in_the_loop_itself_and_in_another() -> None:
    door = Door()

    async def other() -> None:
        assert door.ask() == 2

    async def run() -> None:
        async with door:
            assert door.ask() == 1
            await asyncio.to_thread(lambda: asyncio.run(other()))

    asyncio.run(run())
    assert set(door.done) == {threading.get_ident()}


def test_nobody_waits_for_a_loop_that_has_ended() -> None:
    door, ended = Door(), threading.Event()

    def ask() -> int:
        count = 0
        while not ended.is_set():
            door.ask()
            count += 1
        return count

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        for _ in range(25):
            with door:
                door.ask()
        ended.set()
        counts = [each.result(PATIENCE) for each in asking]
    assert sum(counts) + 25 == len(door.done)

"""What tests of the lab share."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

import iiop.net.serving as serving_module
from iiop_lab.virtual_host import Target
from tests.lab.fronts import Front, Node, Server, Start


@pytest.fixture
def lab_addresses() -> Iterator[None]:
    """Have 127.0.0.10 to 12, port 8002, to oneself, among all test runs on this machine."""
    with (Path(tempfile.gettempdir()) / "iiopkit-lab-8002.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def nothing_in_the_background(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that left an error with nobody to hear it: a task whose exception was never retrieved, ..."""
    caplog.set_level(logging.INFO)
    yield
    gc.collect()
    errors = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    errors += [record.getMessage() for record in caplog.get_records("teardown") if record.levelno >= logging.ERROR]
    assert not errors


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    new = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop
    monkeypatch.setattr(serving_module, "new_event_loop", new)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def front(stack: contextlib.ExitStack) -> Start:
    def start(*targets: Target, **options: Any) -> Front:
        made = Front(targets, **{"probe_interval": 0.02} | options)
        stack.enter_context(made)
        return made

    return start


@pytest.fixture
def node(stack: contextlib.ExitStack) -> Callable[[str], Node]:
    def start(name: str) -> Node:
        made = Node(name)
        stack.callback(made.stop)
        return made

    return start


@pytest.fixture
def a(node: Callable[[str], Node]) -> Node:
    return node("a")


@pytest.fixture
def b(node: Callable[[str], Node]) -> Node:
    return node("b")


@pytest.fixture
def server() -> Iterator[Callable[[], Server]]:
    with contextlib.ExitStack() as stack:

        def make() -> Server:
            made = Server()
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def one(server: Callable[[], Server]) -> Server:
    return server()


@pytest.fixture
def two(server: Callable[[], Server]) -> Server:
    return server()

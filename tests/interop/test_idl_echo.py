"""One IDL file, compiled by omniidl for omniORBpy and by us: every type is returned unchanged, by its servant and by ours.

Our client calls the omniORBpy servant; then that is a client itself and calls our servant, derived from the generated base class.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiop.cdr import CDRType, codec
from iiop.idl import Interface, Servant, load
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop_fuzz import strategies as iiop_st
from ior import IOR
from tests.interop.echo_types import TYPES
from tests.interop.echo_values import ANYS, UNUSUAL
from tests.interop.test_echo import LATIN_1, POLICY
from tests.peers import PeerProcess, omniidl_stubs

HERE = Path(__file__).parent


@functools.cache
def echoes() -> ModuleType:
    """Return the module Echoes, as made by us."""
    module: ModuleType = load(HERE / "echo.idl").Echoes
    return module


@dataclass(frozen=True, slots=True)
class Scene:
    """Stubs of an omniORBpy server that echoes, and of one that asks ours; and what ours was given last."""

    echo: Any
    relay: Any
    servant: Any
    reference: IOR


def _servant() -> Servant:
    """Return a servant of the generated base class that gives back what it gets."""

    def give(self: Any, a: Any, b: Any) -> Any:
        self.heard = a, b
        return a, b, a

    def fail(self: Any, *members: Any) -> None:
        raise echoes().Overdrawn(*members)

    def fail_bare(self: Any) -> None:
        raise echoes().Bare

    def other(self: Any, *given: Any) -> None:
        raise AssertionError("nobody calls the other operations here")

    methods = {name: give if name.startswith("give_") else other for name in echoes().EchoServant.__abstractmethods__}
    made = type("Echoing", (echoes().EchoServant,), {**methods, "fail": fail, "fail_bare": fail_bare})()
    assert isinstance(made, Servant)
    return made


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("echo")
    path = omniidl_stubs(HERE / "echo.idl", folder)
    args: list[str | Path] = [sys.executable, "-P", HERE / "echo_peer.py", "-ORBendPoint", "giop:tcp:127.0.0.1:"]
    servant = _servant()
    with (
        Client(policy=POLICY) as client,
        PeerProcess(args, folder / "peer.log", {"PYTHONPATH": str(path)}) as process,
        Server(code_sets=LATIN_1) as server,
    ):
        match = process.wait_line("(IOR:[0-9a-f]+) (IOR:[0-9a-f]+)")
        echo, relay = [client.stub(IOR.from_string(text), echoes().Echo) for text in match.groups()]
        relay.pass_on_to(server.activate(servant))
        for stub in (echo, relay):
            assert stub.give_long(1, 2) == (1, 2, 1)
        yield Scene(echo, relay, servant, IOR.from_string(match[1]))


def declared(name: str) -> CDRType:
    operations = echoes().Echo.operations()
    struct: Any = operations[f"give_{name}"].arguments.type
    first: CDRType = struct.fields[0].type
    return first


def values(name: str) -> st.SearchStrategy[Any]:
    if name == "nested":
        inner = iiop_st.cdr_values(codec(echoes().OfColour).type)
        return st.builds(echoes().Nested, st.just(1), inner) | st.builds(echoes().Nested, st.just(2), ANYS)
    return UNUSUAL[name] if name in UNUSUAL else iiop_st.cdr_values(declared(name), max_size=5)


def test_every_operation_is_there() -> None:
    assert {f"give_{name}" for name in TYPES} | {"fail", "fail_bare", "letter", "unit_of", "pass_on_to"} == {
        name for name in echoes().Echo.operations() if name not in Interface.operations()
    }


@pytest.mark.parametrize("name", TYPES)
def test_every_type(scene: Scene, name: str) -> None:
    @settings(max_examples=10)
    @given(values(name), values(name))
    def check(a: Any, b: Any) -> None:
        for stub in (scene.echo, scene.relay):
            assert getattr(stub, f"give_{name}")(a, b) == (a, b, a)
        assert scene.servant.heard == (a, b)

    check()


def test_exceptions(scene: Scene) -> None:
    @settings(max_examples=10)
    @given(iiop_st.cdr_values(codec(echoes().Overdrawn).type, max_size=5))
    def check(exception: Any) -> None:
        members = [getattr(exception, name) for name in inspect.signature(echoes().Overdrawn).parameters]
        for stub in (scene.echo, scene.relay):
            with pytest.raises(echoes().Overdrawn) as caught:
                stub.fail(*members)
            assert caught.value == exception
            with pytest.raises(echoes().Bare):
                stub.fail_bare()

    check()


def test_asyncio(scene: Scene) -> None:
    async def scenario() -> None:
        client = AsyncClient(policy=POLICY)
        try:
            echo = client.stub(scene.reference, echoes().EchoAsync)
            point = echoes().Point(1, 0.5)
            assert await asyncio.gather(*[echo.give_point(point, point) for _ in range(5)]) == [(point, point, point)] * 5
            with pytest.raises(echoes().Bare):
                await echo.fail_bare()
        finally:
            client.close()

    asyncio.run(scenario())

"""One IDL file, compiled by omniidl for omniORBpy and by us: every type is returned unchanged, by its servant and by ours.

Over GIOP 1.0, 1.1 and 1.2 our client calls the omniORBpy servant; then that is a client itself and calls our servant,
derived from the generated base class.
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
from typing import Annotated, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iiop.cdr import CDRType, codec
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.wide import WString
from iiop.exceptions import BAD_PARAM, MARSHAL, CompletionStatus, SystemException
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2
from iiop.idl import Interface, Servant, load
from iiop.net.aio_client import AsyncClient
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop.profile import Version
from iiop_fuzz import strategies as iiop_st
from ior import IOR
from tests.interop.echo_types import ANY, TYPES, WIDE
from tests.interop.echo_values import ANYS, UNUSUAL
from tests.interop.test_echo import LATIN_1, POLICY, VERSIONS, as_version
from tests.peers import PeerProcess, omniidl_stubs

HERE = Path(__file__).parent
OMG_WCHAR_FROM_CLIENT, OMG_NO_WCHAR_CODE_SET = 0x4F4D0005, 0x4F4D0017
NO = CompletionStatus.COMPLETED_NO


@functools.cache
def echoes() -> ModuleType:
    """Return the module Echoes, as made by us."""
    module: ModuleType = load(HERE / "echo.idl").Echoes
    return module


@dataclass(frozen=True, slots=True)
class Scene:
    """An omniORBpy server that echoes, by GIOP version; one that asks ours, by version of both calls; and our servant."""

    echo: dict[Version, Any]
    relay: dict[Version, Any]
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

    def unit_of(self: Any, letter: str) -> int:
        return ord(letter)

    def property_of(self: Any, name: str, context: dict[str, str]) -> str:
        return context.get(name, "")

    methods = {name: give if name.startswith("give_") else other for name in echoes().EchoServant.__abstractmethods__}
    made = type(
        "Echoing",
        (echoes().EchoServant,),
        {**methods, "fail": fail, "fail_bare": fail_bare, "unit_of": unit_of, "property_of": property_of},
    )()
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
        match = process.wait_line("(IOR:[0-9a-f]+) (IOR:[0-9a-f]+) (IOR:[0-9a-f]+) (IOR:[0-9a-f]+)")
        theirs, *relays = [IOR.from_string(text) for text in match.groups()]
        ours = IOR.from_iop(server.activate(servant))
        echo, relay = [
            {version: client.stub(as_version(ior, version), echoes().Echo) for version, ior in zip(VERSIONS, iors, strict=True)}
            for iors in ([theirs] * len(VERSIONS), relays)
        ]
        for version, stub in relay.items():
            stub.pass_on_to(as_version(ours, version))
        for stub in (*echo.values(), *relay.values()):
            assert stub.give_long(1, 2) == (1, 2, 1)
        yield Scene(echo, relay, servant, theirs)


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
    assert {f"give_{name}" for name in TYPES} | {"fail", "fail_bare", "letter", "unit_of", "property_of", "pass_on_to"} == {
        name for name in echoes().Echo.operations() if name not in Interface.operations()
    }


CARRIED = [(name, version) for name in TYPES for version in VERSIONS if name not in WIDE or version == GIOP_1_2]
"""The others are those of `test_wide_characters_of_earlier_versions`."""


@pytest.mark.parametrize(("name", "version"), CARRIED, ids=str)
def test_every_type(scene: Scene, name: str, version: Version) -> None:
    @settings(max_examples=10)
    @given(values(name), values(name))
    def check(a: Any, b: Any) -> None:
        assume(version == GIOP_1_2 or name not in ANY or "tk_wstring" not in repr((a, b)))
        for stub in (scene.echo[version], scene.relay[version]):
            assert getattr(stub, f"give_{name}")(a, b) == (a, b, a)
        assert scene.servant.heard == (a, b)

    check()


@pytest.mark.parametrize(("name", "value"), [("wstring", "a"), ("short_wstring", ""), ("wstrings", ("a", "b"))])
def test_wide_characters_of_earlier_versions(scene: Scene, name: str, value: Any) -> None:
    """GIOP 1.0 has none, which we say before anything is sent; in 1.1 omniORBpy 4.3.3 does not hear the CodeSets context."""
    refused = ((GIOP_1_0, MARSHAL(OMG_WCHAR_FROM_CLIENT, NO), False), (GIOP_1_1, BAD_PARAM(OMG_NO_WCHAR_CODE_SET, NO), True))
    wide = CORBAAny.of(Annotated[str, WString], "a")
    for version, refusal, by_peer in refused:
        for stub in (scene.echo[version], scene.relay[version]):
            for call, given_ in ((name, value), ("any", wide)):
                with pytest.raises(SystemException) as caught:
                    getattr(stub, f"give_{call}")(given_, given_)
                assert (caught.value, caught.value.received) == (refusal, by_peer)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_exceptions(scene: Scene, version: Version) -> None:
    @settings(max_examples=10)
    @given(iiop_st.cdr_values(codec(echoes().Overdrawn).type, max_size=5))
    def check(exception: Any) -> None:
        members = [getattr(exception, name) for name in inspect.signature(echoes().Overdrawn).parameters]
        for stub in (scene.echo[version], scene.relay[version]):
            with pytest.raises(echoes().Overdrawn) as caught:
                stub.fail(*members)
            assert caught.value == exception
            with pytest.raises(echoes().Bare):
                stub.fail_bare()

    check()


def test_wchar(scene: Scene) -> None:
    """omniORBpy 4.3.3 takes the count before a wchar for the character, when it reads its own too; what it writes is right."""
    for stub in (scene.echo[GIOP_1_2], scene.relay[GIOP_1_2]):
        assert stub.letter(0x65E5) == "\u65e5"


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_contexts(scene: Scene, version: Version) -> None:
    """What is not ASCII ends a process of omniORBpy 4.3.3 with SIGSEGV."""
    given_ = {"user": "me", "language": "en", "other": "x"}
    for stub in (scene.echo[version], scene.relay[version]):
        answers = {name: stub.property_of(name, given_) for name in given_}
        assert answers == {"user": "me", "language": "en", "other": ""}


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

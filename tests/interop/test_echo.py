"""Values of every IDL type that omniORBpy has, echoed by it: as a server of ours, and as a client of ours.

Our client sends to an omniORBpy server, which gives the values back, or as a client sends them on to our server, which gives
them back. So each value is written and read by us as argument and as result, and by omniORBpy in between, where it is an object
of Python that has forgotten its octets.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiop.cdr import codec
from iiop.cdr.code_sets import ISO_8859_1, UTF_8, UTF_16
from iiop.cdr.wide import WChar
from iiop.failover import FailoverPolicy
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop.profile import CodeSetComponent, CodeSetComponentInfo, Version
from iiop_fuzz import strategies as iiop_st
from ior import IOR, IIOPProfile
from tests.interop.echo_types import ANY, TYPES, WIDE, Bare, Echo, EchoServant, Overdrawn
from tests.interop.echo_values import UNUSUAL
from tests.peers import PeerProcess, omniidl_stubs

HERE = Path(__file__).parent
PATIENCE = 20.0
POLICY = FailoverPolicy(rounds=1, refresh_interval=None)
LATIN_1 = CodeSetComponentInfo(CodeSetComponent(ISO_8859_1, (UTF_8,)), CodeSetComponent(UTF_16, ()))
"""Of servers that are sent every `char` there is; most of them are no one octet in UTF-8."""
VERSIONS = (GIOP_1_0, GIOP_1_1, GIOP_1_2)


@dataclass(frozen=True, slots=True)
class Scene:
    """An omniORBpy server that echoes, by GIOP version; one that asks ours, by version of both calls; and our servant."""

    echo: dict[Version, Echo]
    relay: dict[Version, Echo]
    servant: EchoServant


def as_version(ior: IOR, version: Version) -> IOR:
    """Return a reference to which that version of GIOP is spoken."""
    (profile,) = ior.profiles
    assert isinstance(profile, IIOPProfile)
    components = () if version == GIOP_1_0 else profile.components
    return IOR(ior.type_id, (profile.replace(version=version, components=components),))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Everything is connected when the first test begins."""
    folder = tmp_path_factory.mktemp("echo")
    path = omniidl_stubs(HERE / "echo.idl", folder)
    args: list[str | Path] = [sys.executable, "-P", HERE / "echo_peer.py", "-ORBendPoint", "giop:tcp:127.0.0.1:"]
    servant = EchoServant()
    with (
        Client(policy=POLICY) as client,
        PeerProcess(args, folder / "peer.log", {"PYTHONPATH": str(path)}) as process,
        Server(code_sets=LATIN_1) as server,
    ):
        match = process.wait_line("(IOR:[0-9a-f]+) (IOR:[0-9a-f]+) (IOR:[0-9a-f]+) (IOR:[0-9a-f]+)")
        theirs, *relays = [IOR.from_string(text) for text in match.groups()]
        ours = IOR.from_iop(server.activate(servant))
        echo: dict[Version, Echo] = {}
        relay: dict[Version, Echo] = {}
        for version, reference in zip(VERSIONS, relays, strict=True):
            for stubs, ior in ((echo, theirs), (relay, reference)):
                stubs[version] = client.stub(as_version(ior, version), Echo)
            relay[version].pass_on_to(as_version(ours, version))
        for stub in (*echo.values(), *relay.values()):
            assert stub.give_long(1, 2) == (1, 2, 1)  # type: ignore[attr-defined]
        yield Scene(echo, relay, servant)


def values(name: str) -> st.SearchStrategy[Any]:
    return UNUSUAL[name] if name in UNUSUAL else iiop_st.cdr_values(TYPES[name], max_size=5)


def echoes(scene: Scene, name: str, version: Version, a: Any, b: Any) -> None:
    for stub in (scene.echo[version], scene.relay[version]):
        assert getattr(stub, f"give_{name}")(a, b) == (a, b, a)
    assert scene.servant.heard == (a, b)


@pytest.mark.parametrize("name", TYPES)
def test_every_type(scene: Scene, name: str) -> None:
    @settings(max_examples=25)
    @given(values(name), values(name))
    def check(a: Any, b: Any) -> None:
        echoes(scene, name, GIOP_1_2, a, b)

    check()


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1], ids=str)
def test_earlier_versions(scene: Scene, version: Version) -> None:
    """All types but wide characters, which are another layout in 1.1 and are not in 1.0."""
    narrow = [name for name in TYPES if name not in (*WIDE, *ANY)]

    @settings(max_examples=200)
    @given(st.sampled_from(narrow).flatmap(lambda name: st.tuples(st.just(name), values(name), values(name))))
    def check(drawn: tuple[str, Any, Any]) -> None:
        name, a, b = drawn
        echoes(scene, name, version, a, b)

    check()


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_exceptions(scene: Scene, version: Version) -> None:
    layout = codec(Overdrawn).type

    @settings(max_examples=25)
    @given(iiop_st.cdr_values(layout, max_size=5))
    def check(exception: Overdrawn) -> None:
        members = exception.why, exception.amount, exception.tint, exception.many, exception.choice
        for stub in (scene.echo[version], scene.relay[version]):
            with pytest.raises(Overdrawn) as caught:
                stub.fail(*members)
            raised = caught.value
            assert (raised.why, raised.amount, raised.tint, raised.many, raised.choice) == members
            with pytest.raises(Bare):
                stub.fail_bare()
        assert scene.servant.heard == members

    check()


def test_wchar(scene: Scene) -> None:
    """omniORBpy 4.3.3 takes the count before a wchar for the character, when it reads its own too; what it writes is right."""

    @settings(max_examples=50)
    @given(iiop_st.cdr_values(WChar))
    def check(letter: str) -> None:
        for stub in (scene.echo[GIOP_1_2], scene.relay[GIOP_1_2]):
            assert stub.letter(ord(letter)) == letter

    check()

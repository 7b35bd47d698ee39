"""`iortool ping`: what it says of objects of omniNames, of ours, and of addresses where nobody or nothing is."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iiop.giop.messages import Body, LocateReply, LocateRequest, LocateStatus
from iiop.giop.wire import encode
from iiop.iop import IOR_CODEC
from iiop_lab.peer import Peer, ScriptedServer, expect, forward, locate_here
from iiop_tools.iortool import main
from ior import IOR, IORBuilder
from naming import NamingServer
from naming.interfaces import NamingContextExt
from tests.peers import omni_names

Capture = pytest.CaptureFixture[str]
CONTEXT = NamingContextExt.repository_id


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with omni_names(tmp_path_factory.mktemp("ping")) as peer:
        yield peer.host, peer.port


@pytest.fixture
def nobody() -> Iterator[int]:
    with socket.socket() as taken:  # bound, not listening: refused
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def pinged(capsys: Capture, *arguments: str, code: int) -> dict[str, Any]:
    assert main(["ping", "--json", *arguments]) == code
    output = capsys.readouterr()
    (line,) = output.out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def answers(address: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(each["milliseconds"] >= 0 for each in address["questions"])
    return [(each["question"], each["answer"]) for each in address["questions"]]


def test_an_object_of_omninames_behind_a_dead_address(theirs: tuple[str, int], nobody: int, capsys: Capture) -> None:
    builder = IORBuilder(CONTEXT).iiop("127.0.0.1", nobody, key=b"NameService")
    ior = builder.iiop(*theirs, key=b"NameService").alternate(*theirs).build()
    row = pinged(capsys, str(ior), code=0)
    dead, alive = row["addresses"]
    assert row["alive"] is True
    assert (dead["port"], dead["profile"], dead["alive"]) == (nobody, 1, False)
    ((question, answer),) = answers(dead)
    assert question == "connect"
    assert "refused" in answer
    assert (alive["host"], alive["port"], alive["profile"], alive["alive"]) == (*theirs, 2, True)
    assert answers(alive) == [
        ("connect", "connected"),
        ("LocateRequest", "OBJECT_HERE"),
        ("_non_existent", "false"),
        ("_is_a", "true"),
    ]


def test_an_object_that_is_not_there(theirs: tuple[str, int], capsys: Capture) -> None:
    ior = IORBuilder("IDL:A:1.0").iiop(*theirs, key=b"nonsense").build()
    (address,) = pinged(capsys, str(ior), code=1)["addresses"]
    told = dict(answers(address))
    assert told["LocateRequest"] == "UNKNOWN_OBJECT"
    assert "OBJECT_NOT_EXIST" in told["_non_existent"] or told["_non_existent"] == "true"


@pytest.mark.parametrize("version", [(1, 0), (1, 1), (1, 2)])
def test_ours_in_every_version_and_another_type(version: tuple[int, int], capsys: Capture) -> None:
    with NamingServer() as server:
        ior = IORBuilder("IDL:Other:1.0").iiop(server.host, server.port, key=b"NameService", version=version).build()
        (address,) = pinged(capsys, str(ior), code=0)["addresses"]
        assert answers(address)[-2:] == [("_non_existent", "false"), ("_is_a", "false")]
        assert address["version"] == f"{version[0]}.{version[1]}"


def test_text_urls_and_every_address(capsys: Capture, nobody: int) -> None:
    with NamingServer() as server:
        url = f"corbaloc:iiop:1.2@{server.host}:{server.port},iiop:1.2@127.0.0.1:{nobody}/NameService"
        assert main(["ping", url]) == 0
        text = capsys.readouterr().out
        assert f"{server.host}:{server.port} (profile 1): alive\n" in text
        assert str(nobody) not in text
        assert main(["ping", "--all", url, f"corbaname::{server.host}:{server.port}#missing"]) == 1
        output = capsys.readouterr()
        assert f"127.0.0.1:{nobody} (profile 2): not alive\n" in output.out
        assert "argument 2" in output.err


def test_forwards_are_followed(capsys: Capture) -> None:
    with NamingServer() as target:
        there = target.ior.to_iop()

        def located_elsewhere(peer: Peer) -> None:
            message = peer.receive()
            assert isinstance(message, LocateRequest)
            body = Body.of(IOR_CODEC, there)
            peer.send(encode(LocateReply(message.request_id, LocateStatus.OBJECT_FORWARD, body, message.version)))

        for script, questions in (
            ((locate_here, expect("_non_existent"), forward(there)), ["connect", "LocateRequest", "_non_existent"]),
            ((located_elsewhere,), ["connect", "LocateRequest"]),
        ):
            with ScriptedServer(script) as server:
                ior = IOR.from_iop(server.reference(NamingContextExt))
                first, second = pinged(capsys, str(ior), code=0)["addresses"]
            assert [question for question, _ in answers(first)] == questions
            assert (second["alive"], second["forwards"]) == (True, 1)
            assert second["port"] == target.port


def test_forwards_in_a_circle_end(capsys: Capture) -> None:
    with ScriptedServer() as server:
        ior = IOR.from_iop(server.reference(NamingContextExt))
        server.script(locate_here, expect("_non_existent"), forward(ior.to_iop()))
        row = pinged(capsys, str(ior), code=1)
    assert len(row["addresses"]) == 1


def test_silence_ends_in_time(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"corbaloc:iiop:1.2@127.0.0.1:{silent.getsockname()[1]}/k"
        (address,) = pinged(capsys, "--timeout", "0.2", url, code=1)["addresses"]
        assert [question for question, _ in answers(address)] == ["connect", "LocateRequest"]


def test_what_cannot_be_asked(tmp_path: Path, capsys: Capture) -> None:
    assert main(["ping", "IOR:00"]) == 2
    assert main(["ping", str(IORBuilder().build())]) == 1
    assert "nil" in capsys.readouterr().err
    secure = IORBuilder().iiop("h", 0, key=b"k").tls(1, required=True).build()
    assert main(["ping", str(secure)]) == 1
    assert "TLS is spoken there" in capsys.readouterr().out
    assert main(["ping", "--hosts", str(tmp_path / "missing"), "corbaloc::h/k"]) == 2

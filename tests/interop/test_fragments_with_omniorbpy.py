"""Requests and replies that we send in fragments, read by omniORBpy: as a server of ours, and as a client of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iiop.failover import FailoverPolicy
from iiop.giop.messages import GIOP_1_1, GIOP_1_2
from iiop.net.client import Client
from iiop.net.servants import Server
from iiop.profile import Version
from ior import IOR
from tests.interop.echo_types import Echo, EchoServant
from tests.interop.test_echo import as_version
from tests.peers import PeerProcess, omniidl_stubs

HERE = Path(__file__).parent


@pytest.mark.parametrize("size", [64, 1000])
def test_there_and_back_in_fragments(tmp_path: Path, size: int) -> None:
    """Our client asks omniORBpy, which asks our server, which answers it; each of ours sends fragments of so many octets."""
    path = omniidl_stubs(HERE / "echo.idl", tmp_path)
    args: list[str | Path] = [sys.executable, "-P", HERE / "echo_peer.py", "-ORBendPoint", "giop:tcp:127.0.0.1:"]
    with (
        Client(policy=FailoverPolicy(rounds=1, refresh_interval=None), fragment_size=size) as client,
        PeerProcess(args, tmp_path / "peer.log", {"PYTHONPATH": str(path)}) as process,
        Server(fragment_size=size) as server,
    ):
        relay, *_ = [IOR.from_string(text) for text in process.wait_line("(IOR:[0-9a-f]+) (IOR:[0-9a-f]+)").groups()]
        ours = IOR.from_iop(server.activate(EchoServant()))
        versions: tuple[Version, ...] = (GIOP_1_1, GIOP_1_2)
        for version in versions:
            echo = client.stub(as_version(relay, version), Echo)
            echo.pass_on_to(as_version(ours, version))
            for length in (0, size - 1, size, 10 * size + 3):
                one, other = bytes(range(256)) * (length // 256) + bytes(length % 256), b"end"
                assert echo.give_octets(one, other) == (one, other, one)

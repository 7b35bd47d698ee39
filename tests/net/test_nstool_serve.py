"""`nstool serve` as a process: how it starts, what it refuses, how it ends, what it keeps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from iiop_tools.nstool import main
from ior import IOR, IORBuilder, parse_object_url
from naming import NameService
from naming.names import parse_name
from tests import peers
from tests.peers import PeerProcess

PATIENCE = 20.0


def command(*options: str | Path) -> list[str | Path]:
    return [peers.peer_program("nstool"), "serve", "--port", "0", *options]


def refused(*options: str | Path) -> str:
    """Run a server that does not start, and return the line that says why."""
    done = subprocess.run([str(part) for part in command(*options)], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith(("Usage: ", "Try '"))]
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("nstool: ").removeprefix("Error: ")


def start(folder: Path, *options: str | Path) -> tuple[PeerProcess, str]:
    """Start a server with a store in `folder`; return it and the address that it logged."""
    process = PeerProcess(command("--folder", folder / "store", *options), folder / "log")
    try:
        return process, process.wait_line(r"ready: corbaloc:iiop:1\.2@(\S+)/NameService")[1]
    except BaseException:
        process.kill()
        raise


def end(process: PeerProcess, number: signal.Signals) -> int:
    """Signal a server and return its exit code."""
    os.kill(process.pid, number)
    code = process.process.wait(PATIENCE)
    process.stop()  # closes its pipe
    return code


def test_the_ready_file(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.write_text("of an earlier run\n")
    process, address = start(tmp_path, "--ready-file", ready, "--host-name", "localhost")
    with process:
        corbaloc, ior = ready.read_text().splitlines()
        assert corbaloc == f"corbaloc:iiop:1.2@{address}/NameService"
        (endpoint,) = IOR.from_string(ior).endpoints()
        assert f"{endpoint.host}:{endpoint.port}" == address
        assert endpoint.host == "localhost"
        assert endpoint.object_key == b"NameService"
        parse_object_url(corbaloc)
        with NameService(corbaloc, hosts={"localhost": "127.0.0.1"}) as names:
            assert names.root.list(10)[0] == ()
        with NameService(ior, hosts={"localhost": "127.0.0.1"}) as names:
            assert names.root.list(10)[0] == ()
    assert [path.name for path in tmp_path.glob("ready*")] == ["ready"]


def test_a_ready_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "ready"
    assert refused("--ready-file", path) == f"{path}.new: No such file or directory"


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert refused("--port", str(port)) == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_an_address_that_is_not_ours() -> None:
    assert refused("--host", "192.0.2.1") == "cannot listen on 192.0.2.1:0: Cannot assign requested address"


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(capsys: pytest.CaptureFixture[str], port: str) -> None:
    assert main(["serve", "--port", port]) == 2
    assert "Invalid value for '--port'" in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    assert refused("--folder", tmp_path / "store") == (
        f"Invalid value for '--folder': Directory '{tmp_path / 'store'}' is a file."
    )
    assert str(tmp_path / "store") in refused("--folder", tmp_path / "store" / "below")


def test_a_damaged_store(tmp_path: Path) -> None:
    process, _ = start(tmp_path)
    assert end(process, signal.SIGTERM) == 0
    (database,) = [path for path in (tmp_path / "store").iterdir() if path.stat().st_size > 1000]
    octets = database.read_bytes()
    database.write_bytes(octets[:16] + b"\xff" * 4000 + octets[4016:])
    damaged = database.read_bytes()
    assert "the store is damaged" in refused("--folder", tmp_path / "store")
    assert database.read_bytes() == damaged  # nothing was changed


def test_a_folder_serves_one_server(tmp_path: Path) -> None:
    process, _ = start(tmp_path)
    with process:
        assert "in use by another process" in refused("--folder", tmp_path / "store")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_ends_when_told_and_keeps_its_bindings(tmp_path: Path, number: signal.Signals) -> None:
    reference = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()
    process, address = start(tmp_path)
    with process, NameService(address) as names:
        names.root.bind(parse_name("kept"), reference)
        assert end(process, number) == 0  # with a client connected
    assert "Traceback" not in process.log.read_text()

    process, address = start(tmp_path)
    with process, NameService(address) as names:
        assert names.resolve("kept") == reference


def test_killed_it_keeps_its_bindings_too(tmp_path: Path) -> None:
    reference = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()
    process, address = start(tmp_path)
    with process, NameService(address) as names:
        names.root.bind(parse_name("kept"), reference)
        process.kill()
    process, address = start(tmp_path)
    with process, NameService(address) as names:
        assert names.resolve("kept") == reference

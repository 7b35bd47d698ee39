"""`nstool serve` as a process: how it starts, what it refuses, how it ends, what it keeps."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iiop import iop
from iiop.giop.messages import GIOP_1_2, Reply, Request
from iiop.giop.wire import decode, encode
from iiop.iop import NIL
from iiop.profile import ProfileBody, encode_profile
from iiop_tools.nstool import main
from ior import IOR, IORBuilder, parse_object_url
from naming import NameService
from naming.bootstrap import INIT, InitialReferences
from naming.changes import ROOT, BindingSet
from naming.claim import announced
from naming.interfaces import NamingContext
from naming.names import parse_name
from naming.node import Node
from naming.store import FILE_NAME, Durability, Store
from naming.types import CannotProceed, NameComponent
from tests import peers
from tests.peers import PeerProcess, free_port

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


def start(folder: Path, *options: str | Path, env: dict[str, str] | None = None) -> tuple[PeerProcess, str]:
    """Start a server with a store in `folder`; return it and the address that it logged."""
    process = PeerProcess(command("--folder", folder / "store", *options), folder / "log", env)
    try:
        return process, process.wait_line(r"ready: corbaloc:iiop:1\.[02]@(\S+)/NameService")[1]
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
        assert end(process, signal.SIGTERM) == 0
    assert not ready.exists()


def test_a_ready_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "ready"
    assert refused("--ready-file", path) == f"{path}: No such file or directory"


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert refused("--port", str(port)) == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_an_address_that_is_not_ours() -> None:
    assert refused("--host", "192.0.2.1") == "cannot listen on 192.0.2.1:0: Cannot assign requested address"
    assert refused("--host", "no-such-host.invalid").startswith("cannot listen on no-such-host.invalid:0: ")
    assert refused("--host", "x" * 300).startswith(f"cannot listen on {'x' * 300}:0: ")


@pytest.mark.parametrize(
    "name", ["", "two words", "vhost:8002", "a/b", "vh\u00f6st", "a..b", "x" * 64, "x." * 127 + "x", "0.0.0.0", "0", "::", "::0"]
)
def test_a_host_name_that_is_none(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["serve", "--host-name", name]) == 2
    assert f"Invalid value for '--host-name': {name!r}" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "000.0.0.0", "::", "::0", "0:0:0:0:0:0:0:0"])
def test_every_address_needs_a_name_for_references(capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert main(["serve", "--host", host]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"Error: --host {host} listens on every address; say by --host-name which of them references carry"
    )


@pytest.mark.parametrize("option", ["--host", "--folder", "--ready-file", "--log-level-file"])
def test_nothing_where_something_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str
) -> None:
    """As where a shell's variable is not set."""
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--port", "0", option, ""]) == 2
    assert "is missing" in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_node_is_served_as_its_config_says(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config").write_text(f"IIOP_hostname = localhost\nIIOP_port = {port}\n")
    (tmp_path / "etc" / "initial_services").write_text(f"Mine {IORBuilder('IDL:T:1.0').iiop('h', key=b'k').build()}\n")
    with PeerProcess([peers.peer_program("nstool"), "serve", "--node", tmp_path], tmp_path / "log") as process:
        process.wait_line(f"ready: corbaloc:iiop:1.2@localhost:{port}/NameService")
        with NameService(f"127.0.0.1:{port}") as names:
            names.root.bind_new_context(parse_name("c"))
            initial = names.companion(INIT, InitialReferences)
            assert initial.get("Mine").type_id == "IDL:T:1.0"
    assert {path.name for path in (tmp_path / "etc").iterdir()} == {"CosNaming", "config", "initial_services"}


def test_a_node_that_cannot_be_served(tmp_path: Path) -> None:
    assert refused("--node", tmp_path / "absent") == f"{tmp_path}/absent/var/naming.claim: No such file or directory"
    assert refused("--node", tmp_path, "--folder", tmp_path).startswith("give --node or --folder")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config").write_text("IIOP_port = none\n")
    done = subprocess.run([peers.peer_program("nstool"), "serve", "--node", tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"nstool: {tmp_path}/etc/config: IIOP_port = none: a port is 1 to 65535\n")
    (tmp_path / "etc" / "config").write_text("")
    (tmp_path / "etc" / "initial_services").write_text("Mine\n")
    assert "initial_services, line 1: not of the form" in refused("--node", tmp_path)


def test_commands_find_the_server_of_a_nodes_bindings(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config").write_text("IIOP_hostname = vhost\n")
    with PeerProcess(command("--folder", tmp_path / "etc" / "CosNaming"), tmp_path / "log") as process:
        address = process.wait_line(r"ready: corbaloc:iiop:1\.2@(127\.0\.0\.1:\d+)/NameService")[1]
        assert announced(Node(tmp_path)) == address


def test_od_home_does_not_count_where_a_folder_is_named(tmp_path: Path) -> None:
    process, _ = start(tmp_path, env={"OD_HOME": str(tmp_path / "absent")})
    with process:
        assert (tmp_path / "store").is_dir()


def test_host_and_port_in_references(tmp_path: Path) -> None:
    process, address = start(
        tmp_path, "--host", "0.0.0.0", "--host-name", "vhost", "--host-port", "8002", "--ready-file", tmp_path / "r"
    )
    with process:
        assert address == "vhost:8002"
        (endpoint,) = IOR.from_string((tmp_path / "r").read_text().splitlines()[1]).endpoints()
        assert (endpoint.host, endpoint.port) == ("vhost", 8002)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("nothing=1", "'nothing' is no limit; message_size, "),
        ("connections", "'connections' is not of the form connections=4096"),
        ("connections=1.5", "'connections=1.5' is not of the form connections=4096"),
        ("idle_time=soon", "'idle_time=soon' is not of the form idle_time=600.0"),
        ("idle_time=nan", "'idle_time=nan': a limit is not negative, and finite"),
        ("iterators=-1", "'iterators=-1': a limit is not negative, and finite"),
        ("leniency=1", "'leniency' is no limit"),
    ],
)
def test_a_limit_that_is_none(capsys: pytest.CaptureFixture[str], limit: str, reason: str) -> None:
    assert main(["serve", "--limit", limit]) == 2
    assert f"Invalid value for '--limit': {reason}" in capsys.readouterr().err.splitlines()[-1]


def test_limits(tmp_path: Path) -> None:
    process, address = start(tmp_path, "--limit", "connections=1", "--limit", "idle_time=60.5")
    host, _, port = address.rpartition(":")
    with process, socket.create_connection((host, int(port))), socket.create_connection((host, int(port))) as second:
        process.wait_line("refused: more connections than the limit connections=1")
        assert second.recv(100).startswith(b"GIOP")  # CloseConnection


def test_profile(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process, address = start(tmp_path, "--profile", "interstage", "--ready-file", ready)
    with process:
        corbaloc, ior = ready.read_text().splitlines()
        assert corbaloc == f"corbaloc:iiop:1.0@{address}/NameService"
        assert IOR.from_string(ior).type_id == "IDL:CosNaming/NamingContextExt:1.0"


@pytest.mark.parametrize(("argv", "version"), [((), "1.0"), (("--profile", "omg"), "1.2")])
def test_the_profile_of_a_node(tmp_path: Path, argv: tuple[str, ...], version: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config").write_text(f"IIOP_port = {free_port()}\niiopkit_profile = interstage\n")
    with PeerProcess([peers.peer_program("nstool"), "serve", "--node", tmp_path, *argv], tmp_path / "log") as process:
        process.wait_line(f"ready: corbaloc:iiop:{version}@")


def test_log_in_json(tmp_path: Path) -> None:
    process, address = start(tmp_path, "--log-format", "json", "--limit", "connections=0")
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))):
        process.wait_line("refused")
    assert end(process, signal.SIGTERM) == 0
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert [(line["level"], line["logger"], line["message"].split()[0]) for line in lines] == [
        ("INFO", "nstool", "ready:"),
        ("WARNING", "iiop.server", lines[1]["message"].split()[0]),
        ("INFO", "nstool", "stopping"),
    ]
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_what_clients_send_makes_no_lines_of_a_log(tmp_path: Path) -> None:
    process, address = start(tmp_path)
    host = "\x1b[31m\n2026-11-22 14:00:00,000 ERROR nstool: forged"
    profile = encode_profile(ProfileBody(GIOP_1_2, host, 1, b"k"))
    with process, NameService(address) as names:
        names.root.bind_context(parse_name("f"), IOR.from_iop(iop.IOR(NamingContext.repository_id, (profile,))))
        with pytest.raises(CannotProceed):
            names.resolve("f/a")
        assert end(process, signal.SIGTERM) == 0
    lines = process.log.read_text().splitlines()
    assert [line.split()[2:4] for line in lines] == [["INFO", "nstool:"], ["WARNING", "naming.federation:"], ["INFO", "nstool:"]]
    assert r"\x1b[31m\n2026" in lines[1]


def test_log_level(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with PeerProcess(command("--log-level", "warning", "--ready-file", ready), tmp_path / "log") as process:
        peers._wait_ready_file(process, ready)
        assert end(process, signal.SIGTERM) == 0
    assert process.log.read_text() == ""


def test_sighup_reads_the_log_level_again(tmp_path: Path) -> None:
    level, ready = tmp_path / "level", tmp_path / "ready"
    level.write_text("ERROR\n")
    options = command("--log-level-file", level, "--ready-file", ready)
    with PeerProcess(options, tmp_path / "log") as process:
        peers._wait_ready_file(process, ready)
        level.write_text("info")
        os.kill(process.pid, signal.SIGHUP)
        process.wait_line("SIGHUP: the log level is INFO$")
        level.write_text("loud")
        os.kill(process.pid, signal.SIGHUP)
        process.wait_line("SIGHUP: the log level stays as it is: .*'loud' is no log level; DEBUG, INFO, WARNING, ERROR are")
        level.unlink()
        os.kill(process.pid, signal.SIGHUP)
        process.wait_line("SIGHUP: the log level stays as it is: .*No such file or directory")
        assert end(process, signal.SIGTERM) == 0
    assert "ready:" not in process.log.read_text()
    assert "stopping" in process.log.read_text()


def test_sighup_without_a_file_ends_nothing(tmp_path: Path) -> None:
    process, address = start(tmp_path)
    with process:
        os.kill(process.pid, signal.SIGHUP)
        process.wait_line("SIGHUP: there is no --log-level-file")
        with NameService(address) as names:
            assert names.root.list(1)[0] == ()


def test_a_log_level_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "level"
    assert refused("--log-level-file", path) == f"{path}: No such file or directory"
    path.write_text("loud")
    assert refused("--log-level-file", path) == f"{path}: 'loud' is no log level; DEBUG, INFO, WARNING, ERROR are"


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    name = f"@iiopkit-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(PATIENCE)
        process, address = start(tmp_path, env={"NOTIFY_SOCKET": name})
        with process:
            assert systemd.recv(100) == b"READY=1"
            with NameService(address) as names:
                assert names.root.list(1)[0] == ()
            assert end(process, signal.SIGTERM) == 0
            assert systemd.recv(100) == b"STOPPING=1"


def test_it_serves_without_systemd_listening(tmp_path: Path) -> None:
    process, address = start(tmp_path, env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    with process, NameService(address) as names:
        process.wait_line("systemd cannot be told READY=1")
        assert names.root.list(1)[0] == ()
        assert end(process, signal.SIGTERM) == 0


def test_sigterm_lets_requests_under_way_end(tmp_path: Path) -> None:
    """One waits for another server, which answers only after the signal."""
    resolve = NamingContext.operations()["resolve"]
    process, address = start(tmp_path)
    with process, NameService(address) as names, socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as pool:
        host, port = other.getsockname()
        names.root.bind_context(parse_name("f"), IORBuilder(NamingContext.repository_id).iiop(host, port, key=b"k").build())
        waiting = pool.submit(names.resolve, "f/a")
        connection, _ = other.accept()
        with connection:
            request = decode(connection.recv(65536))
            assert isinstance(request, Request)
            os.kill(process.pid, signal.SIGTERM)
            process.wait_line("stopping")
            answer = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()
            connection.sendall(
                encode(Reply(request.request_id, body=resolve.results_body(answer, request.body.speech), version=request.version))
            )
            assert waiting.result(PATIENCE) == answer
        assert process.process.wait(PATIENCE) == 0


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


def test_a_damaged_page(tmp_path: Path) -> None:
    """What SQLite says of it, in several lines, becomes one."""
    with Store.open(tmp_path) as store:
        store.write(BindingSet(ROOT, NameComponent(f"n{number}"), NIL) for number in range(1000))
    octets = bytearray((tmp_path / FILE_NAME).read_bytes())
    leaf = max(page for page in range(4096, len(octets), 4096) if octets[page] == 13)  # of a table, as SQLite's format has it
    octets[leaf + 8 : leaf + 72] = b"\xff" * 64  # where its cells begin
    (tmp_path / FILE_NAME).write_bytes(octets)
    assert "the store is damaged (" in refused("--folder", tmp_path)


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


@pytest.mark.parametrize("durability", [durability.name for durability in Durability])
def test_killed_it_keeps_its_bindings_too(tmp_path: Path, durability: str) -> None:
    reference = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()
    process, address = start(tmp_path, "--durability", durability)
    with process, NameService(address) as names:
        names.root.bind(parse_name("kept"), reference)
        process.kill()
    process, address = start(tmp_path)
    with process, NameService(address) as names:
        assert names.resolve("kept") == reference

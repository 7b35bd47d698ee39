"""TLS with others: omniORB's SSL transport, as server and as client, and OpenSSL's own programs.

omniORB's wheel is built without it; the packages `omniorb` and `omniorb-nameserver` of Debian have omniNames, nameclt, and the
transport as a library that these are made to load.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iiop.exceptions import ConnectionLost, FailoverExhausted
from iiop.failover import FailoverPolicy
from iiop.giop.messages import GIOP_1_2, Body, LocateReply, LocateRequest, LocateStatus, Reply, Request, key_address
from iiop.giop.wire import decode, encode
from iiop.net.client import Client
from iiop.net.tls_transport import TLSListener
from iiop_tools.iortool import main as iortool
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, aio
from naming.names import parse_name
from tests.net import scripted as s
from tests.net.tls import AUTHORITY, STRANGER, certificate, client_context, server_context, tls_reference
from tests.peers import PeerProcess, free_port, peer_env

PATIENCE = 20.0
OBJECT = IORBuilder("IDL:a:1.0").iiop("h", 1, key=b"k").build()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the files of a certificate with its key, and of the authority."""
    folder = tmp_path_factory.mktemp("pem")
    (folder / "own.pem").write_bytes(certificate("127.0.0.1").private_key_and_cert_chain_pem.bytes())
    (folder / "ca.pem").write_bytes(AUTHORITY.cert_pem.bytes())
    return folder / "own.pem", folder / "ca.pem"


class OmniORB:
    """Run programs of omniORB that speak TLS."""

    def __init__(self, transport: Path, files: tuple[Path, Path]) -> None:
        own, ca = files
        self.env = {"LD_PRELOAD": str(transport)}
        self.options = ["-ORBsslKeyFile", str(own), "-ORBsslKeyPassword", "", "-ORBsslCAFile", str(ca)]

    def name_server(self, folder: Path, verify: str) -> tuple[PeerProcess, str]:
        """Start omniNames on a port of TLS alone; return it and its root context."""
        where = [
            "-always",
            "-start",
            str(free_port()),
            "-datadir",
            str(folder),
            "-ORBendPoint",
            f"giop:ssl:127.0.0.1:{free_port()}",
        ]
        options = [*where, *self.options, "-ORBsslVerifyMode", verify]
        process = PeerProcess([_program("omniNames"), *options], folder / "log", self.env)
        try:
            ior = process.wait_line(r"Root context is (IOR:[0-9a-f]+)")[1]
            process.wait_line("Checkpointing completed")
        except BaseException:
            process.kill()
            raise
        return process, ior

    def nameclt(self, root: str, *arguments: str, options: Sequence[str] | None = None) -> str:
        """Ask a Naming Service, and return what was printed."""
        given = self.options if options is None else options
        command = [_program("nameclt"), *given, "-ORBInitRef", f"NameService={root}", *arguments]
        done = subprocess.run(command, env=peer_env(self.env), capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout + done.stderr


def _program(name: str) -> str:
    """Return a program of Debian's: the wheel's know no TLS."""
    scripts = sysconfig.get_path("scripts")
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder != scripts]
    return shutil.which(name, path=os.pathsep.join(folders)) or ""


@pytest.fixture(scope="module")
def omniorb(files: tuple[Path, Path]) -> OmniORB:
    folders = [
        *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep),
        "/usr/lib",
        *map(str, Path("/usr/lib").glob("*-linux-gnu")),
    ]
    found = [path for folder in folders if folder for path in Path(folder).glob("libomnisslTP4.so.?")]
    if not (found and _program("omniNames") and _program("nameclt")):
        missing = "Debian's packages omniorb and omniorb-nameserver are not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return OmniORB(found[0], files)


@pytest.fixture(params=["none", "peer,fail"])
def omni_names(request: pytest.FixtureRequest, omniorb: OmniORB, tmp_path: Path) -> Iterator[IOR]:
    process, ior = omniorb.name_server(tmp_path, request.param)
    with process:
        yield IOR.from_string(ior)


def test_our_clients_on_omninames(omni_names: IOR) -> None:
    assert [endpoint.tls for endpoint in omni_names.endpoints()] == [True]
    context = client_context(certificate("me@example.org"))
    with NameService(omni_names, ssl=context) as names:
        names.root.bind(parse_name("a"), OBJECT.to_iop())
        made = names.root.bind_new_context(parse_name("c"))
        assert [endpoint.tls for endpoint in IOR.from_iop(made).endpoints()] == [True]
        long = "x" * 1_000_000
        names.root.bind(parse_name(f"c/{long}"), OBJECT.to_iop())
        assert names.resolve(f"c/{long}") == OBJECT

    async def scenario() -> None:
        async with aio.NameService(omni_names, ssl=context) as names:
            found = await asyncio.gather(*[names.resolve(f"c/{long}") for _ in range(5)])
            assert found == [OBJECT] * 5

    asyncio.run(scenario())


def test_iortool_asks_omninames(
    omniorb: OmniORB, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strangers = tmp_path / "strangers.pem"
    strangers.write_bytes(STRANGER.cert_pem.bytes())
    (tmp_path / "data").mkdir()
    process, root = omniorb.name_server(tmp_path / "data", "none")
    (endpoint,) = IOR.from_string(root).endpoints()
    where = f"{endpoint.host}:{endpoint.port}"

    def answers(reference: str, *options: str, code: int) -> list[tuple[str, str]]:
        assert iortool(["ping", "--json", *options, reference]) == code
        row = json.loads(capsys.readouterr().out)
        (address,) = row["addresses"]
        assert row["alive"] is address["alive"] is (code == 0)
        return [(each["question"], each["answer"]) for each in address["questions"]]

    trust = ("--tls-ca", str(files[1]))
    there = [("connect", "connected"), ("LocateRequest", "OBJECT_HERE"), ("_non_existent", "false"), ("_is_a", "true")]
    with process:
        assert answers(root, *trust, code=0) == there
        assert answers(f"corbaloc:ssliop:{where}/NameService", *trust, code=0) == there[:3]
        assert answers(f"corbaname:ssliop:{where}", *trust, code=0) == there
        ((question, answer),) = answers(root, "--tls-ca", str(strangers), code=1)
        assert (question, "certificate was refused" in answer) == ("connect", True)
        assert answers(f"corbaloc::{where}/NameService", code=1)[0] == there[0]  # who speaks no TLS is cut off
        for reference, options, told in ((root, (), "--tls-ca"), (f"corbaloc::{where}/NameService", trust, "no TLS is offered")):
            assert iortool(["ping", *options, reference]) == 1
            assert told in capsys.readouterr().err
        assert iortool(["ping", *trust, f"corbaname:ssliop:{where}#missing"]) == 1
        assert capsys.readouterr().err == "iortool: argument 1: missing is not there\n"


def test_omninames_wants_a_certificate(omniorb: OmniORB, tmp_path: Path) -> None:
    process, ior = omniorb.name_server(tmp_path, "peer,fail")
    with process, NameService(IOR.from_string(ior), ssl=client_context()) as names:
        with pytest.raises((FailoverExhausted, ConnectionLost)):
            names.root.bind(parse_name("a"), OBJECT.to_iop())
        with NameService(IOR.from_string(ior), ssl=client_context(certificate("me@example.org"))) as trusted:
            assert trusted.root.list(10)[0] == ()


@pytest.mark.parametrize("client_certificate", [False, True])
@pytest.mark.parametrize("only", [False, True])
def test_nameclt_on_our_server(omniorb: OmniORB, only: bool, client_certificate: bool) -> None:
    listener = TLSListener(server_context(client_certificate=client_certificate), only=only)
    with NamingServer(tls=listener) as server:
        roots = [str(server.ior)] + ([server.corbaloc] if only else [])
        for number, root in enumerate(roots):
            said = omniorb.nameclt(root, "bind_new_context", f"c{number}")
            assert "IOR:" in said, said
            (line,) = [line for line in said.splitlines() if line.startswith("IOR:")]
            assert any(endpoint.tls for endpoint in IOR.from_string(line).endpoints())
            assert f"c{number}" in omniorb.nameclt(root, "list")


def test_nameclt_without_a_certificate(omniorb: OmniORB, files: tuple[Path, Path]) -> None:
    _, ca = files
    with NamingServer(tls=TLSListener(server_context(client_certificate=True), only=True)) as server:
        said = omniorb.nameclt(str(server.ior), "list", options=["-ORBsslCAFile", str(ca)])
        assert "IOR:" not in said
        assert "TRANSIENT" in said or "COMM_FAILURE" in said, said


def test_s_client_on_our_server(files: tuple[Path, Path]) -> None:
    _, ca = files
    asked = encode(LocateRequest(1, key_address(b"NameService"), version=GIOP_1_2))
    with NamingServer(tls=TLSListener(server_context(), only=True)) as server:
        where = f"127.0.0.1:{server.tls_port}"
        options = ["-quiet", "-verify_return_error", "-CAfile", str(ca), "-verify_ip", "127.0.0.1"]
        command = ["openssl", "s_client", "-connect", where, *options]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(asked)
            process.stdin.flush()
            answer = decode(process.stdout.read(len(encode(LocateReply(1, LocateStatus.OBJECT_HERE, version=GIOP_1_2)))))
            assert isinstance(answer, LocateReply)
            assert answer.locate_status is LocateStatus.OBJECT_HERE
            process.terminate()


def test_our_client_on_s_server(files: tuple[Path, Path]) -> None:
    own, _ = files
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-naccept", "1", "-cert", str(own)]
    policy = FailoverPolicy(deadline=PATIENCE, rounds=100, backoff_initial=0.05, refresh_interval=None)  # until it listens
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process,
        ThreadPoolExecutor(1) as threads,
        Client(ssl=client_context(), policy=policy) as client,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        calling = threads.submit(client.stub(tls_reference(port), s.Counter).value)
        header = process.stdout.read(12)
        asked = decode(header + process.stdout.read(int.from_bytes(header[8:], "little" if header[6] & 1 else "big")))
        assert isinstance(asked, Request)
        assert asked.operation == "value"
        process.stdin.write(encode(Reply(asked.request_id, body=Body.of(s._LONG, (7,)), version=asked.version)))
        process.stdin.flush()
        assert calling.result(PATIENCE) == 7
        process.terminate()

"""Naming over TLS: `nstool serve` and the other commands, `NamingServer` and both `NameService`s."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest
import trustme

from iiop.exceptions import FailoverExhausted
from iiop.net.client import Client
from iiop.net.tls_transport import TLSListener
from iiop_tools.nstool import main
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, aio
from naming.model import Profile
from naming.names import parse_name
from naming.node import Node, NodeError
from naming.node_server import NodeServer
from tests.net.test_nstool_serve import command, end, refused
from tests.net.tls import AUTHORITY, certificate, client_context, server_context
from tests.peers import PeerProcess

OBJECT = IORBuilder("IDL:a:1.0").iiop("h", 1, key=b"k").build()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return the files of a certificate, its key, and its authority."""
    paths = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    leaf = certificate("127.0.0.1")
    paths[0].write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    paths[1].write_bytes(leaf.private_key_pem.bytes())
    paths[2].write_bytes(AUTHORITY.cert_pem.bytes())
    return paths


def nstool(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_commands_over_tls(tmp_path: Path, files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cert, key, ca = files
    ready = tmp_path / "ready"
    options = ["--tls-cert", cert, "--tls-key", key, "--tls-only", "--ready-file", ready]
    with PeerProcess(command(*options), tmp_path / "log") as process:
        corbaloc = process.wait_line(r"ready: (corbaloc:ssliop:1\.2@127\.0\.0\.1:\d+/NameService)")[1]
        assert nstool(capsys, "bind", "--tls-ca", ca, corbaloc, "a", str(OBJECT))[0] == 0
        assert nstool(capsys, "resolve", "--tls-ca", ca, ready, "a") == (0, f"{OBJECT}\n", "")
        code, _, said = nstool(capsys, "ls", corbaloc)
        assert code == 2
        assert "TLS is spoken there, and the client has no `ssl` context" in said
        assert end(process, signal.SIGTERM) == 0


def test_plain_and_tls(tmp_path: Path, files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cert, key, ca = files
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    ready = tmp_path / "ready"
    with PeerProcess(command("--tls-cert", both, "--ready-file", ready), tmp_path / "log") as process:
        address = process.wait_line(r"ready: corbaloc:iiop:1\.2@(\S+)/NameService")[1]
        assert nstool(capsys, "bind", address, "a", str(OBJECT))[0] == 0
        assert nstool(capsys, "resolve", "--tls-ca", ca, ready, "a")[1] == f"{OBJECT}\n"
        code, _, said = nstool(capsys, "ls", "--tls-ca", ca, address)
        assert code == 2
        assert "offers no TLS there" in said
        assert end(process, signal.SIGTERM) == 0


def test_what_cannot_be_served(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    cert, key, ca = files
    assert refused("--tls-port", "1") == "TLS needs a certificate: --tls-cert"
    assert refused("--tls-only") == "TLS needs a certificate: --tls-cert"
    wrong = f"no certificate and its key could be read from {ca} and {key}: key values mismatch"
    assert refused("--tls-cert", ca, "--tls-key", key) == wrong
    absent = tmp_path / "absent"
    assert refused("--tls-cert", absent) == f"no certificate and its key could be read from {absent}: No such file or directory"
    interstage = refused("--tls-cert", cert, "--tls-key", key, "--tls-only", "--profile", "interstage")
    assert interstage.startswith("--tls-only: references of IIOP 1.0")


def test_a_key_with_a_password_is_refused_unasked(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    locked = tmp_path / "locked.pem"
    subprocess.run(["openssl", "rsa", "-aes128", "-passout", "pass:x", "-in", files[1], "-out", locked], check=False)
    if not locked.exists() or b"ENCRYPTED" not in locked.read_bytes():
        subprocess.run(["openssl", "pkey", "-aes128", "-passout", "pass:x", "-in", files[1], "-out", locked], check=True)
    said = refused("--tls-cert", files[0], "--tls-key", locked)
    assert said.startswith(f"no certificate and its key could be read from {files[0]} and {locked}: ")


def test_no_authorities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ca").write_text("nothing\n")
    code, _, said = nstool(capsys, "ls", "--tls-ca", tmp_path / "ca", "corbaloc:ssliop:h:1/NameService")
    assert code == 2
    assert f"{tmp_path / 'ca'}: no certificate or crl found" in said
    code, _, said = nstool(capsys, "ls", "--tls-ca", tmp_path / "absent", "corbaloc:ssliop:h:1/NameService")
    assert code == 2
    assert f"{tmp_path / 'absent'}: No such file or directory" in said


def test_name_services() -> None:
    with NamingServer(tls=TLSListener(server_context())) as server:
        assert [endpoint.tls for endpoint in server.ior.endpoints()] == [False, True]
        assert server.corbaloc.startswith("corbaloc:iiop:")
        with NameService(server.ior, ssl=client_context()) as names:
            names.root.bind(parse_name("a"), OBJECT.to_iop())
            context = names.root.bind_new_context(parse_name("c"))
            assert [endpoint.port for endpoint in names.client.endpoints(context)] == [server.tls_port]
            assert names.acquire(parse_name("a"), 5.0) == OBJECT.to_iop()

        async def scenario() -> None:
            async with aio.NameService(server.ior, ssl=client_context()) as names:
                assert await names.resolve("a") == OBJECT
                assert await names.acquire(parse_name("a"), 5.0) == OBJECT.to_iop()

        asyncio.run(scenario())
        with NameService(server.ior) as names:
            assert names.resolve("a") == OBJECT


def test_contexts_of_a_server_are_its_own_by_either_address() -> None:
    with NamingServer(tls=TLSListener(server_context(), only=True)) as server:
        assert server.port == 0
        with NameService(server.corbaloc, ssl=client_context()) as names:
            made = names.root.new_context()
            names.root.bind_context(parse_name("c"), made)
            names.root.bind_new_context(parse_name("c/d"))
            names.resolve("c/d")
        with NameService(server.corbaloc, ssl=client_context(), learn_code_sets=True) as names:
            (endpoint,) = names.ior.endpoints()
            assert endpoint.tls
            assert endpoint.code_sets is not None
            names.resolve("c/d")


def test_a_name_service_that_is_not_trusted() -> None:
    with NamingServer(tls=TLSListener(server_context())) as server:
        context = client_context(trust=trustme.CA())
        with NameService(server.ior, ssl=context) as names, pytest.raises(FailoverExhausted) as caught:
            names.acquire(parse_name("a"), 5.0)
        assert "its certificate was refused" in str(caught.value.attempts[0].error)


def test_a_reference_tells_whether_clients_need_a_certificate() -> None:
    with NamingServer(tls=TLSListener(server_context(client_certificate=True), only=True)) as server:
        (ssl,) = [part.value for part in IOR.from_iop(server.ior).profiles[0].components if part.tag == 20]
        assert ssl.target_requires == 2 + 4 + 64
        with Client(ssl=client_context(certificate("me@example.org"))) as client, NameService(server.ior) as names:
            assert client.endpoints(names.ior)[0].tls


def test_what_would_leave_nobody_a_way() -> None:
    listener = TLSListener(server_context(), only=True)
    with pytest.raises(ValueError, match=r"IIOP 1\.0"):
        NamingServer(profile=Profile.interstage, tls=listener)


def test_a_node_keeps_its_plain_port(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NodeError, match="plain port"):
        NodeServer(Node(home), tls=TLSListener(server_context(), only=True))
    with (
        NodeServer(Node(home), tls=TLSListener(server_context())) as server,
        NameService(server.ior, ssl=client_context()) as names,
    ):
        assert names.root.list(10)[0] == ()
    with NodeServer(Node(home), tls=TLSListener(server_context())) as server:
        with NameService(server.ior, ssl=client_context()) as names:
            assert names.root.list(10)[0] == ()
        assert nstool(capsys, "ls", server.corbaloc) == (0, "", "")

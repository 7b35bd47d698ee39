"""What a Naming Service may be named by: every form, what is decided by form, and what errors say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iiop.endpoints import endpoints
from iiop.exceptions import DecodeError, FailoverExhausted, ReferenceFormatError
from iiop.failover import FailoverPolicy
from naming import NameService, NamingServer, parse_name
from naming.places import FORMS, MAX_FILE, open_service
from naming.types import NotFound
from tests.peers import free_port

POLICY = FailoverPolicy(deadline=5.0, rounds=1, backoff_initial=0.01, refresh_interval=None)


@pytest.fixture(scope="module")
def server() -> Iterator[NamingServer]:
    with NamingServer() as server, NameService(str(server.ior), policy=POLICY) as names:
        names.root.bind_new_context(parse_name("branch"))
        names.root.bind_new_context(parse_name("branch/口座"))
        yield server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bound(text: str) -> list[str]:
    with open_service(text, policy=POLICY) as names:
        return [binding.binding_name[0].id for binding in names.root.list(10)[0]]


def where(text: str) -> list[str]:
    with open_service(text) as names:
        return [str(endpoint) for endpoint in endpoints(names.ior)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vhost", ["vhost:8002"]),
        ("vhost:2809", ["vhost:2809"]),
        ("[::1]", ["[::1]:8002"]),
        ("corbaloc::a,:1.2@b:3/NameService", ["a:2809", "b:3"]),
        (" CORBALOC::a/NameService\n", ["a:2809"]),
        ("corbaname::a", ["a:2809"]),
    ],
)
def test_what_needs_no_network(text: str, found: list[str]) -> None:
    assert where(text) == found


def test_every_form_reaches_the_server(server: NamingServer, folder: Path) -> None:
    (folder / "ready").write_text(f"{server.corbaloc}\n{server.ior}\n")
    (folder / "hosts").write_text(f"# here\n{server.host} {server.port}\n")
    address = f"{server.host}:{server.port}"
    for text in (address, server.corbaloc, str(server.ior), "ready", "./ready", "hosts", str(folder / "hosts")):
        assert bound(text) == ["branch"], text
    assert bound(f"corbaname::1.2@{address}#branch") == ["口座"]


def test_of_a_ready_file_the_ior_is_used_because_it_tells_code_sets(server: NamingServer, folder: Path) -> None:
    (folder / "ready").write_text(f"{server.corbaloc}\n{server.ior}\n")
    with open_service("ready", policy=POLICY) as names:
        assert names.resolve("branch/口座")


@pytest.mark.parametrize("begin", ["", "\ufeff", "# a comment\n\n"])
def test_a_file_with_a_reference(begin: str, folder: Path) -> None:
    (folder / "ref").write_text(f"{begin}  corbaloc::h:7/NameService \r\n", encoding="utf-8")
    assert where("ref") == ["h:7"]
    (folder / "ref").write_text(f"{begin}corbaname::h:8", encoding="utf-8")
    assert where("ref") == ["h:8"]


def test_hosts_are_tried_from_top_to_bottom(server: NamingServer, folder: Path) -> None:
    dead = free_port()
    (folder / "initial_hosts").write_text(f"127.0.0.1 {dead}\n{server.host} {server.port}\n")
    assert where("initial_hosts") == [f"127.0.0.1:{dead}", f"{server.host}:{server.port}"]
    assert bound("initial_hosts") == ["branch"]


def test_names_of_hosts_are_looked_up_where_told(server: NamingServer, folder: Path) -> None:
    (folder / "initial_hosts").write_text(f"vhost {server.port}\n")
    with open_service("initial_hosts", hosts={"vhost": server.host}, policy=POLICY) as names:
        assert names.resolve("branch")


def test_a_file_called_as_a_host(folder: Path) -> None:
    (folder / "vhost").write_text("other 9\n")
    assert where("vhost") == ["other:9"]
    assert where("vhost:8002") == ["vhost:8002"]
    (folder / "host2").mkdir()
    assert where("host2") == ["host2:8002"], "a folder is no file"


@pytest.mark.parametrize("text", ["", ":", "host:", "host:x", "host:65536", "::1", "a b", "http:h", "ho\0st", "ho\0st:1/x"])
def test_text_that_names_nothing(text: str) -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        open_service(text)
    assert caught.value.reason.startswith(f"a Naming Service is named by {FORMS}: ")
    assert caught.value.text == text


@pytest.mark.parametrize("text", ["IOR:zz", "ior:0", "IOR:", "corbaloc:", "corbaloc:rir:/NameService", "corbaname::h#%zz"])
def test_references_that_are_none(text: str, folder: Path) -> None:
    with pytest.raises((ReferenceFormatError, DecodeError)):
        open_service(text)
    (folder / "file").write_text(text)
    with pytest.raises((ReferenceFormatError, DecodeError)):
        open_service("file")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "file: the file is empty; a reference or initial hosts were expected"),
        (b"\n \r\n", "file: the file is empty"),
        (b"\n# a comment\n", "file: no line holds a host"),
        (b"vhost 8002\nvhost 8002 8003\n", "file, line 2: a host and a port were expected, and nothing more"),
        (b"\x7fELF\x02\x01", "file, line 1: "),
        (b"x" * (MAX_FILE + 1), f"file: more than {MAX_FILE} octets"),
    ],
)
def test_files_that_hold_something_else(folder: Path, content: bytes, why: str) -> None:
    (folder / "file").write_bytes(content)
    with pytest.raises(ReferenceFormatError) as caught:
        open_service("file")
    assert caught.value.reason.startswith(why)


def test_files_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_service("./absent")
    with pytest.raises(IsADirectoryError):
        open_service(f"{folder}/")


def test_a_corbaname_that_leads_nowhere(server: NamingServer) -> None:
    with pytest.raises(NotFound):
        open_service(f"corbaname::{server.host}:{server.port}#absent", policy=POLICY)
    with pytest.raises(FailoverExhausted):
        open_service(f"corbaname::127.0.0.1:{free_port()}#branch", policy=POLICY)


def test_a_name_service_from_a_reference(server: NamingServer) -> None:
    with NameService(server.ior, policy=POLICY) as names:
        branch = names.resolve("branch")
        assert names.address == str(server.ior)
    with NameService(branch, policy=POLICY) as names:
        assert names.resolve("口座")

"""The file `initial_hosts`: what it says, what it does not say, and that whoever changes it keeps the rest."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.exceptions import ReferenceFormatError
from naming.initial_hosts import InitialHost, InitialHosts, update_initial_hosts

VHOST = InitialHost("vhost")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", []),
        ("# vhost 8002\n\n  \t\n", []),
        ("vhost      8002\n", [("vhost", 8002)]),
        ("vhost\t8002", [("vhost", 8002)]),
        ("vhost\n", [("vhost", 8002)]),
        ("  vhost 8003  \r\nhost2\r\n", [("vhost", 8003), ("host2", 8002)]),
        ("b 2\na 1\nb 2\n", [("b", 2), ("a", 1), ("b", 2)]),
        ("\ufeffvhost 8002\n", [("vhost", 8002)]),
        ("\ufeff# vhost 8002\n", []),
        ("10.34.157.101 8002\n::1 8002\n[fe80::1] 00008003\n", [("10.34.157.101", 8002), ("::1", 8002), ("fe80::1", 8003)]),
    ],
)
def test_hosts_in_their_order(text: str, hosts: list[tuple[str, int]]) -> None:
    assert [(host.host, host.port) for host in InitialHosts(text).hosts] == hosts


@pytest.mark.parametrize(
    ("line", "why", "position"),
    [
        ("vhost 8002 8003", "a host and a port were expected, and nothing more", 11),
        ("vhost 8002 # mine", "a host and a port were expected, and nothing more", 11),
        ("ab1 8002 1", "a host and a port were expected, and nothing more", 9),
        (" # a comment begins at the beginning", "a host and a port were expected, and nothing more", 5),
        ("vhost http", "a port is a decimal number", 6),
        ("vhost -1", "a port is a decimal number", 6),
        ("vhost \u0668", "a port is a decimal number", 6),
        ("vhost 0", "a port is 1 to 65535", 0),
        ("vhost 65536", "a port is 1 to 65535", 0),
        ("vhost 99999999999999999999", "a port is 1 to 65535", 0),
        ("vhost:8002", "'vhost:8002' is no IPv6 address", 0),
        ("v/host 8002", "'/' cannot stand in a host name", 0),
        ("vh\udcffst 8002", "'\\udcff' cannot stand in a host name", 0),
        ("[] 8002", "a host is missing", 0),
    ],
)
def test_a_line_that_holds_no_host(line: str, why: str, position: int) -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        InitialHosts(f"# one\n\n{line}\nhost2 8002\n", "etc/initial_hosts").hosts  # noqa: B018  raises
    assert caught.value.reason.startswith(f"etc/initial_hosts, line 3: {why}")
    assert (caught.value.text, caught.value.position) == (line, position)


def test_a_change_keeps_what_it_does_not_know() -> None:
    kept = "# \udcff\r\n\r\nwhat is this 7\r\n"
    file = InitialHosts(f"{kept}vhost 8002\r\n").with_host(InitialHost("host2", 8003))
    assert file.text == f"{kept}vhost 8002\r\nhost2 8003\r\n"
    assert file.without_host(VHOST).text == f"{kept}host2 8003\r\n"
    assert file.without_host(VHOST).without_host(InitialHost("HOST2", 8003)).text == kept


@pytest.mark.parametrize(
    ("before", "after"), [("", "vhost 8002\n"), ("a 1", "a 1\nvhost 8002\n"), ("\ufeff", "\ufeffvhost 8002\n")]
)
def test_a_host_goes_to_the_end(before: str, after: str) -> None:
    assert InitialHosts(before).with_host(VHOST).text == after


@pytest.mark.parametrize("text", ["vhost 8002\n", "VHost\n", "# x\n\tvhost   08002"])
def test_a_host_that_is_there_is_not_added_again(text: str) -> None:
    file = InitialHosts(text)
    assert file.with_host(VHOST) == file


def test_only_the_host_with_the_port_is_removed() -> None:
    file = InitialHosts("vhost 8003\n#vhost 8002\nvhost.example 8002\n")
    assert file.without_host(VHOST) == file
    assert InitialHosts("vhost\nvhost 8003\nVHOST 8002").without_host(VHOST).text == "vhost 8003\n"


@given(st.text(alphabet="a1 :.[]#\t\r\n\ufeff\udcff") | st.text(), st.sampled_from([VHOST, InitialHost("::1", 1)]))
def test_any_text_gives_hosts_or_one_kind_of_error_and_adding_is_undone(text: str, host: InitialHost) -> None:
    file = InitialHosts(text)
    try:
        hosts = file.hosts
    except ReferenceFormatError:
        return
    more = file.with_host(host)
    assert any(each.is_same(host) for each in more.hosts)
    assert more.hosts[: len(hosts)] == hosts
    assert more.without_host(host).hosts == tuple(each for each in hosts if not each.is_same(host))


@pytest.mark.parametrize("host", ["10.34.157.101", "::1", "fe80::1%eth0"])
def test_addresses(host: str) -> None:
    assert InitialHost(host).is_address
    assert not InitialHost("vhost").is_address
    assert not InitialHost("10.34.157").is_address


# --- on disk ----------------------------------------------------------------------------------------------------------


def test_the_file_is_made_replaced_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "initial_hosts"
    assert update_initial_hosts(path, lambda file: file.with_host(VHOST))
    path.chmod(0o640)
    assert update_initial_hosts(path, lambda file: file.with_host(InitialHost("host2")))
    assert path.read_text() == "vhost 8002\nhost2 8002\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    before = path.stat().st_ino
    assert not update_initial_hosts(path, lambda file: file.with_host(VHOST))
    assert path.stat().st_ino == before
    assert [item.name for item in tmp_path.iterdir()] == ["initial_hosts"]


def test_octets_that_are_no_text_survive(tmp_path: Path) -> None:
    path = tmp_path / "initial_hosts"
    path.write_bytes(b"# \x8e\xa1\xff\r\n")
    update_initial_hosts(path, lambda file: file.with_host(VHOST))
    assert path.read_bytes() == b"# \x8e\xa1\xff\r\nvhost 8002\r\n"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "initial_hosts").symlink_to(tmp_path / "elsewhere" / "hosts")
    update_initial_hosts(tmp_path / "initial_hosts", lambda file: file.with_host(VHOST))
    assert (tmp_path / "initial_hosts").is_symlink()
    assert (tmp_path / "elsewhere" / "hosts").read_text() == "vhost 8002\n"


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "initial_hosts"
    path.write_text("a 1\n")

    def fail(file: InitialHosts) -> InitialHosts:
        raise ReferenceFormatError("no")

    with pytest.raises(ReferenceFormatError):
        update_initial_hosts(path, fail)
    with pytest.raises(UnicodeEncodeError):
        update_initial_hosts(path, lambda file: InitialHosts("\ud800"))
    assert path.read_text() == "a 1\n"
    assert [item.name for item in tmp_path.iterdir()] == ["initial_hosts"]
    with pytest.raises(FileNotFoundError):
        update_initial_hosts(tmp_path / "absent" / "initial_hosts", lambda file: file)


def test_changes_at_the_same_time_are_all_made(tmp_path: Path) -> None:
    path = tmp_path / "initial_hosts"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: update_initial_hosts(path, lambda file: file.with_host(InitialHost(f"h{n}"))), range(40)))
    assert sorted(host.host for host in InitialHosts.read(path).hosts) == sorted(f"h{n}" for n in range(40))


@pytest.mark.parametrize("host", ["192.0.2.10", "::1"])
def test_behind_a_virtual_host_an_address_is_refused(host: str) -> None:
    file = InitialHosts("192.0.2.10 8002\n")
    with pytest.raises(ReferenceFormatError, match="behind the virtual host vhost, which clients name by its host name"):
        file.with_host(InitialHost(host), virtual_host="vhost")
    assert file.with_host(VHOST, virtual_host="vhost").text == "192.0.2.10 8002\nvhost 8002\n"

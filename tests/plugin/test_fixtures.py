"""The fixtures in the hands of a user: what they give, what fails a test, and what it leaves behind."""

from __future__ import annotations

import os
import re
import select
import shutil
from pathlib import Path

import pytest

from tests.tshark import complaints, tshark

BANK = """
import threading
from typing import Annotated

import pytest

from iiop.cdr import Long
from iiop.exceptions import UNKNOWN, FailoverExhausted
from iiop.failover import FailoverPolicy
from iiop.idl import Interface, Servant, operation
from iiop.net.client import Client
from iiop_lab.peer import expect, fin, hang, reply
from iiop.profile import Version
from naming import NameService, parse_name


class Account(Interface):
    repository_id = "IDL:Bank/Account:1.0"

    @operation(idempotent=True)
    def balance(self) -> Annotated[int, Long]: ...


class Broken(Servant):
    interface = Account

    def balance(self):
        raise ZeroDivisionError("no such balance")
"""


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    """Run tests of a user's, with what they import on top."""
    pytester.makepyfile(BANK + text)
    return pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", "--basetemp=temp", *options)


def test_what_passes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_many(make_naming_server):
    one, two = make_naming_server(), make_naming_server(profile="interstage")
    assert one.port != two.port
    for server in (one, two):
        with NameService(server.corbaloc) as names:
            names.root.bind_new_context(parse_name("branch"))
    assert two.ior.profiles[0].version == Version(1, 0)


@pytest.mark.iiop(naming_server={"profile": "interstage"}, virtual_host={"probe_interval": 5.0})
class TestMarks:
    def test_of_the_class(self, naming_server):
        assert naming_server.ior.profiles[0].version == Version(1, 0)

    @pytest.mark.iiop(naming_server={"profile": "omg", "advertised_host": "vhost"})
    def test_the_nearest_goes_first(self, naming_server, virtual_host):
        assert naming_server.ior.profiles[0].version == Version(1, 2)
        assert naming_server.ior.profiles[0].host == "vhost"
        with NameService(virtual_host.address) as names:
            assert names.root.list(1)[0] == ()


def test_peer(iiop_peer):
    iiop_peer.script(expect(Account.balance), fin)
    iiop_peer.script(expect(Account.balance), reply(7))
    with Client(policy=FailoverPolicy(rounds=2)) as client:
        assert client.stub(iiop_peer.reference(Account), Account).balance() == 7


@pytest.mark.iiop(errors_allowed=True)
def test_an_error_that_belongs_to_the_test(naming_server):
    with Client() as client, pytest.raises(UNKNOWN):
        client.stub(naming_server.activate(Broken()), Account).balance()


def test_omninames(omninames, naming_server):
    with NameService(omninames.corbaloc) as real, NameService(naming_server.corbaloc) as ours:
        real.root.bind_new_context(parse_name("branch"))
        ours.root.bind_context(parse_name("there"), omninames.ior.to_iop())
        assert ours.resolve("there/branch").endpoints()[0].port == omninames.port


def test_omninames_that_the_test_kills(omninames):
    omninames.kill()


def test_nothing_runs_any_more():
    assert threading.enumerate() == [threading.main_thread()]
""",
        "--iiop-pcap=kept",
    )
    result.assert_outcomes(passed=8)
    assert not (pytester.path / "kept").exists()


def test_what_fails_in_the_background_fails_the_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import asyncio, os, signal

def test_servant(naming_server):
    with Client() as client, pytest.raises(UNKNOWN):
        client.stub(naming_server.activate(Broken()), Account).balance()

def test_script(iiop_peer):
    iiop_peer.script(expect("deposit"))
    with Client(policy=FailoverPolicy(rounds=1)) as client, pytest.raises(FailoverExhausted):
        client.stub(iiop_peer.reference(Account), Account).balance()

def on_loop(server, function, *arguments):
    done = threading.Event()
    loop = server._thread._loop
    loop.call_soon_threadsafe(lambda: (loop.call_soon(done.set), function(loop, *arguments)))
    assert done.wait(10)

async def fail(keep):
    raise LookupError("nobody asked")

def test_task(naming_server):
    naming_server.kept = []
    on_loop(naming_server, lambda loop: naming_server.kept.append(loop.create_task(fail(None))))
    on_loop(naming_server, lambda loop: None)

def test_task_that_nobody_keeps(naming_server):
    on_loop(naming_server, lambda loop: loop.create_task(fail(None)) and None)
    on_loop(naming_server, lambda loop: None)

def test_callback(naming_server):
    on_loop(naming_server, lambda loop: 1 // 0)

def test_listener(naming_server):
    async def listen():
        naming_server.kept = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    naming_server._thread.call(listen())

def test_omninames(omninames):
    os.kill(omninames.pid, signal.SIGKILL)
    os.waitid(os.P_PID, omninames.pid, os.WEXITED | os.WNOWAIT)
""",
    )
    result.assert_outcomes(passed=7, errors=7)
    said = result.stdout.str()
    for text in (
        "ZeroDivisionError: no such balance",
        "balance failed in Broken",
        "ScriptMismatch: connection 1, step 1 of 1: expected request deposit, but request balance (id 0, GIOP 1.2) came",
        "LookupError: nobody asked",
        "ZeroDivisionError: integer division or modulo by zero",
        "NamingServer has ended and left listener ('127.0.0.1', ",
        "omniNames ended by itself, with exit status -9",
    ):
        assert text in said, text
    assert said.count("LookupError: nobody asked") >= 2


def test_a_server_that_hangs_is_told_with_where(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import iiop_lab.background
iiop_lab.background.PATIENCE = 0.2
release = threading.Event()

class Stuck(Servant):
    interface = Account

    def balance(self):
        stuck_here()

def stuck_here():
    release.wait()

def test_hangs(naming_server):
    with Client(policy=FailoverPolicy(deadline=0.2)) as client, pytest.raises(TimeoutError):
        client.stub(naming_server.activate(Stuck()), Account).balance()

def test_let_go():
    release.set()
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    assert "NamingServer did not end within 0.2 s" in result.stdout.str()
    assert "in stuck_here" in result.stdout.str()


def test_a_marker_that_is_none(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.iiop(naming_servr={})
def test_name(naming_server): ...

@pytest.mark.iiop("interstage")
def test_argument(naming_server): ...

@pytest.mark.iiop(virtual_host=True)
def test_value(virtual_host): ...
""",
        "--strict-markers",
    )
    result.assert_outcomes(errors=3)
    for text in (
        "iiop(naming_servr={}) is none of: iiop(naming_server={...}",
        "iiop('interstage',) is",
        "iiop(virtual_host=True) is",
    ):
        assert text in result.stdout.str()


FAILING = """
@pytest.mark.parametrize("name", ["a/b", "c"])
def test_fails(naming_server, virtual_host, iiop_peer, name):
    iiop_peer.script(expect(Account.balance), reply(7), hang)
    with Client() as client, NameService(virtual_host.address) as names:
        client.stub(iiop_peer.reference(Account), Account).balance()
        names.root.bind_new_context(parse_name(name.replace("/", "-")))
        assert False

def test_fails_later(naming_server):
    with Client() as client, pytest.raises(UNKNOWN):
        client.stub(naming_server.activate(Broken()), Account).balance()

def test_passes(naming_server):
    with NameService(naming_server.corbaloc) as names:
        names.root.list(1)

def test_says_nothing():
    assert False
"""


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "xdist"])
def test_what_failed_leaves_its_traffic(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = run(pytester, FAILING, "--junitxml=report/junit.xml", *options)
    result.assert_outcomes(failed=3, errors=1, passed=2)
    files = {Path(path) for path in re.findall(r"^(/\S+\.pcap)$", result.stdout.str(), re.MULTILINE)}
    assert files == set((pytester.path / "report" / "iiop-pcap").iterdir())
    assert len(files) == 3
    for path in files:
        assert complaints(path) == []
        asked = [row[0] for row in tshark(path, "giop.request_op", "giop.request_op")]
        if "later" in path.name:
            assert asked == ["balance"]
        else:  # to the peer; to the virtual host, and from there on to the server, each written once
            assert asked == ["balance", "bind_new_context", "bind_new_context"]
            statuses = tshark(path, "giop.type == 1", "tcp.stream", "giop.replystatus")
            assert [status for _, status in statuses] == ["0", "0", "0"]
            # Every connection is ended from both sides, or cut.
            streams = {row[0] for row in tshark(path, "tcp", "tcp.stream")}
            assert {row[0] for row in tshark(path, "tcp.flags.fin == 1 || tcp.flags.reset == 1", "tcp.stream")} == streams


def test_where_traffic_goes(pytester: pytest.Pytester) -> None:
    def pcaps(folder: str = "") -> list[str]:
        return sorted(path.name for path in (pytester.path / folder).rglob("*.pcap"))

    run(pytester, FAILING, "--iiop-pcap=never").assert_outcomes(failed=3, errors=1, passed=2)
    assert pcaps() == []
    run(pytester, FAILING).assert_outcomes(failed=3, errors=1, passed=2)
    assert len(pcaps("temp")) == 3
    run(pytester, FAILING, "--iiop-pcap=always")
    assert len(pcaps("temp/iiop-pcap")) == 4
    run(pytester, FAILING, "--iiop-pcap=there")
    assert len(pcaps("there")) == 3
    pytester.makeini("[pytest]\niiop_pcap = here\n")
    run(pytester, FAILING)
    assert len(pcaps("here")) == 3
    (pytester.path / "file").touch()
    result = run(pytester, FAILING, "--iiop-pcap=file", "test_where_traffic_goes.py::test_fails[c]")
    result.assert_outcomes(failed=1)
    assert "could not be written: [Errno 17] File exists" in result.stdout.str()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+\.pcap", name) for name in pcaps("here"))


def test_the_clock(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import time
from naming.types import NotFound
from iiop.limits import Limits

NOWHERE = "corbaloc::127.0.0.1:1/NameService"

def test_back_off_takes_no_time(corba_clock):
    began = time.monotonic()
    policy = FailoverPolicy(deadline=600.0, rounds=4, backoff_initial=20.0, backoff_max=60.0, jitter=0.0)
    with NameService(NOWHERE, policy=policy) as names, pytest.raises(FailoverExhausted):
        names.root.list(1)
    assert sum(corba_clock.slept) >= 20.0
    assert time.monotonic() - began < 10.0

def test_references_are_acquired_again(corba_clock, naming_server, iiop_peer):
    iiop_peer.script(expect(Account.balance), reply(7))
    policy = FailoverPolicy(refresh_interval=3600.0)
    with NameService(naming_server.corbaloc, policy=policy) as names:
        names.root.bind(parse_name("account"), iiop_peer.reference(Account))
        account = names.reference("account", stub=Account)
        assert account.balance() == 7
        assert corba_clock.slept == []
        names.root.unbind(parse_name("account"))
        corba_clock.advance(7200.0)
        with pytest.raises(NotFound):
            account.balance()
    with pytest.raises(ValueError, match="forward only"):
        corba_clock.advance(-1.0)

@pytest.mark.iiop(naming_server={"limits": Limits(idle_time=3600.0)})
def test_servers_go_by_it(naming_server, corba_clock):
    import socket
    with socket.create_connection((naming_server.host, naming_server.port)) as sock:
        sock.settimeout(10.0)
        sock.sendall(b"G")
        naming_server._thread.call(_turn())
        corba_clock.advance(3601.0)
        assert sock.recv(12)[:4] == b"GIOP"

async def _turn():
    pass

def test_whenever_it_is_asked_for(request):
    clock = request.getfixturevalue("corba_clock")
    policy = FailoverPolicy(deadline=600.0, rounds=4, jitter=0.0)
    with NameService(NOWHERE, policy=policy) as names, pytest.raises(FailoverExhausted):
        names.root.list(1)
    assert clock.slept

def test_all_is_as_before():
    import sys
    assert [name for name, module in sys.modules.items()
            if name.startswith(("iiop.", "naming.")) and vars(module).get("time", time) is not time] == []
""",
    )
    result.assert_outcomes(passed=5)


def test_omninames_that_is_missing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
import iiop_lab.omninames
iiop_lab.omninames.find_omninames = lambda: None

def test_it(omninames): ...
"""
    monkeypatch.delenv("CI", raising=False)
    result = run(pytester, text, "-rs")
    result.assert_outcomes(skipped=1)
    assert "omniNames is missing: pip install iiopkit[omniorb], or apt-get install omniorb-nameserver" in result.stdout.str()
    monkeypatch.setenv("CI", "1")
    run(pytester, text).assert_outcomes(errors=1)


def test_a_run_that_uses_no_fixture_loads_nothing_of_ours(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import sys

        def test_it():
            unwanted = ("iiop", "ior", "naming", "asyncio", "construct", "ssl", "sqlite3", "hypothesis")
            assert "iiop_lab.pytest_plugin" in sys.modules
            assert [name for name in unwanted if name in sys.modules] == []
            assert [name for name in sys.modules if name.startswith("iiop_lab")] == ["iiop_lab", "iiop_lab.pytest_plugin"]
        """
    )
    result = pytester.runpytest_subprocess("-p", "iiop_lab.pytest_plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="without setpriv, of util-linux, omniNames outlives whom SIGKILL ends"
)
def test_a_run_that_is_killed_takes_omninames_along(pytester: pytest.Pytester) -> None:
    text = """
import os, signal

def test_dies(omninames):
    print("pid", omninames.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    result = run(pytester, text, "-s")
    (pid,) = [line.split()[-1] for line in result.stdout.lines if "pid " in line]
    try:
        descriptor = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 10.0)[0]
    os.close(descriptor)

"""What tests of CORBA clients and servers need, as pytest fixtures that the installation of iiopkit brings along.

    def test_failover(lab):
        with NameService(lab.address()) as names:
            stub = names.reference("TDsample::tdtest", stub=TdTest)
            ...
            lab.do("kill host1")

    @pytest.mark.iiop(naming_server={"profile": "interstage"})
    def test_withdraw(naming_server, iiop_peer):
        iiop_peer.script(expect(Account.withdraw, 10), raise_(TRANSIENT(0, COMPLETED_NO)))
        ...

pytest loads this module in every run of everybody who has iiopkit installed, so at import it knows pytest and the standard
library only; the rest is imported when a fixture is used. Everything listens on 127.0.0.1, on ports the system gives, and has
ended when the test has: what failed meanwhile, or is left, fails the test. What was said over TCP is written to a pcap file if
the test fails.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from iiop_lab.background import Background
    from iiop_lab.clock import CorbaClock
    from iiop_lab.omninames import OmniNames
    from iiop_lab.pcap import Traffic
    from iiop_lab.peer import ScriptedServer
    from iiop_lab.scenario.lab import Lab
    from iiop_lab.virtual_host import VirtualHost
    from naming import NamingServer

__all__ = [
    "corba_clock",
    "iiop_peer",
    "lab",
    "make_naming_server",
    "naming_server",
    "omninames",
    "virtual_host",
]

TWO_HOSTS = Path(__file__).with_name("scenarios") / "two-hosts.toml"
"""The lab of a test that says nothing of it."""

_MARKER = """iiop(naming_server={...}, virtual_host={...}, lab=FILE, errors_allowed=True): options of the fixtures of these \
names, as their classes take them; lab: a lab file, beside the test, or the same as a dict; errors_allowed: Python errors of \
servants, and parts of the lab that end by themselves, do not fail the test"""
_MARKS: dict[str, type | tuple[type, ...]] = {
    "naming_server": dict,
    "virtual_host": dict,
    "lab": (dict, str, Path),
    "errors_allowed": bool,
}
_PCAP = """where tests leave what their fixtures said over TCP: a folder for those that fail (by default beside --junitxml, or \
in the base temporary folder), `always` for every test, `never`"""

_TRAFFIC: pytest.StashKey[Traffic] = pytest.StashKey()
_PATH: pytest.StashKey[Path] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--iiop-pcap`, and `iiop_pcap` of the ini file."""
    group = parser.getgroup("iiop", "CORBA and IIOP (iiopkit)")
    group.addoption("--iiop-pcap", metavar="DIR|always|never", help=_PCAP)
    parser.addini("iiop_pcap", _PCAP, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the traffic of a test that failed, and tell where it is."""
    report = yield
    traffic = item.stash.get(_TRAFFIC, None)
    if not traffic:
        return report
    failed = item.stash[_FAILED] = report.failed or item.stash.get(_FAILED, False)
    if report.failed or (report.when == "teardown" and (failed or _pcap(item.config) == "always")):
        path = item.stash[_PATH]
        try:
            traffic.write(path)
        except OSError as error:
            report.sections.append(("IIOP traffic", f"could not be written: {error}"))
            return report
        cut = f"; {traffic.dropped} octets of it are left out, as it was too much" if traffic.dropped else ""
        report.sections.append(("IIOP traffic", f"{path}{cut}\ntshark -r {shlex.quote(str(path))} -Y giop"))
    return report


def _pcap(config: pytest.Config) -> str:
    return str(config.getoption("--iiop-pcap") or config.getini("iiop_pcap"))


def _pcap_path(item: pytest.Item, temporary: Path) -> Path:
    """Return where the traffic of a test belongs."""
    where, report = _pcap(item.config), getattr(item.config.option, "xmlpath", None)
    if where not in ("", "always"):
        folder = item.config.rootpath / where
    elif report:
        folder = Path(os.path.expanduser(os.path.expandvars(report))).parent / "iiop-pcap"
    else:
        folder = temporary / "iiop-pcap"
    number = hashlib.sha256(item.nodeid.encode(errors="replace")).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9._]+", "-", item.nodeid)[:120].strip("-")
    return (folder / f"{name}-{number}.pcap").absolute()


def _options(item: pytest.Item) -> dict[str, Any]:
    """Return what the markers of a test say, those nearest to it first."""
    found: dict[str, Any] = {}
    for mark in item.iter_markers("iiop"):
        for name, value in mark.kwargs.items():
            kind = _MARKS.get(name, ())
            if not isinstance(value, kind):
                raise pytest.UsageError(f"{item.nodeid}: iiop({name}={value!r}) is none of: {_MARKER}")
            found[name] = value | found.get(name, {}) if kind is dict else found.get(name, value)
        if mark.args:
            raise pytest.UsageError(f"{item.nodeid}: iiop{mark.args!r} is none of: {_MARKER}")
    return found


def _install(clock: CorbaClock) -> None:
    from iiop_lab.ours import naming_module, naming_modules

    naming_module("naming")
    clock.install(naming_modules())


@pytest.fixture
def _iiop_background(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """Keep what the other fixtures start; at the end all of it ends, and what went wrong is raised."""
    from iiop_lab.background import Background
    from iiop_lab.pcap import Traffic

    traffic = None
    request.node.stash[_FAILED] = False
    if _pcap(request.config) != "never":
        traffic = request.node.stash[_TRAFFIC] = Traffic()
        request.node.stash[_PATH] = _pcap_path(request.node, tmp_path_factory.getbasetemp())
    background = Background(traffic, errors_allowed=_options(request.node).get("errors_allowed", False))
    if "corba_clock" in request.fixturenames:  # before anything looks at a clock
        _install(background.clock)
    try:
        yield background
    finally:
        try:
            background.close()
        finally:
            background.clock.remove()


@pytest.fixture
def make_naming_server(_iiop_background: Background) -> Callable[..., NamingServer]:
    """Make Naming Services that run in this process until the test ends: `make_naming_server(profile="omninames")`.

    The options are those of `naming.NamingServer`; a profile may be given by its name. Bindings are in memory unless there is a
    `folder`. `.corbaloc`, `.ior` and `.port` say where it is; `.activate(servant)` lets it serve objects of yours, too.
    """
    from iiop_lab.ours import naming_module

    profiles = naming_module("naming.model").Profile
    server_class: type[NamingServer] = naming_module("naming").NamingServer

    def make(**options: Any) -> NamingServer:
        if isinstance(options.get("profile"), str):
            options["profile"] = profiles(options["profile"])
        return _iiop_background.serve(server_class(**options))

    return make


@pytest.fixture
def naming_server(request: pytest.FixtureRequest, make_naming_server: Callable[..., NamingServer]) -> NamingServer:
    """Run a Naming Service, in memory, in this process.

    `@pytest.mark.iiop(naming_server={"profile": "interstage"})` gives it options; see `make_naming_server`.
    """
    return make_naming_server(**_options(request.node).get("naming_server", {}))


@pytest.fixture
def virtual_host(request: pytest.FixtureRequest, _iiop_background: Background, naming_server: NamingServer) -> VirtualHost:
    """Run a virtual host in front of `naming_server`, in this process.

    `@pytest.mark.iiop(virtual_host={"probe_interval": 0.05})` gives it options of `iiop_lab.virtual_host.VirtualHost`.
    """
    from iiop_lab.virtual_host import Target, VirtualHost

    options = _options(request.node).get("virtual_host", {})
    return _iiop_background.serve(VirtualHost([Target(naming_server.host, naming_server.port)], **options))


@pytest.fixture
def lab(request: pytest.FixtureRequest, _iiop_background: Background, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Run a lab: two nodes, host1 and host2, with a sample server on each, behind a virtual host; or what a lab file declares.

        @pytest.mark.iiop(lab="bank.toml")    # beside the test
        def test_failover(lab):
            lab.do("kill host1")
            with NameService(lab.address(), hosts=lab.hosts) as names: ...

    `lab={...}` declares the same as a file would. Every port is one that the system chooses, whatever is declared. `lab.play()`
    plays the steps of the file and returns what came of it. A node or WorkUnit that ends by itself fails the test.
    """
    from iiop_lab.ours import naming_module

    text = naming_module("iiop_lab.scenario.text")
    declared = _options(request.node).get("lab", TWO_HOSTS)
    read = (
        text.read_table(declared, request.path) if isinstance(declared, dict) else text.read_lab(request.path.parent / declared)
    )
    made: type[Lab] = naming_module("iiop_lab.scenario.lab").Lab
    folder = tmp_path_factory.mktemp("lab")
    strict = not _options(request.node).get("errors_allowed", False)
    return _iiop_background.enter(
        made(read.lab, folder, beside=read.folder, any_port=True, proxies=True, serve=_iiop_background.serve, strict=strict)
    )


@pytest.fixture
def iiop_peer(_iiop_background: Background) -> ScriptedServer:
    """Run a server that is told what to expect and what to answer, octet by octet if need be.

        from iiop_lab.peer import close_connection, expect, fin, reply

        def test_withdraw(iiop_peer):
            iiop_peer.script(expect(Account.withdraw, 10), reply(90), close_connection, fin)    # the first connection
            iiop_peer.script(expect("balance"), reply(90, Annotated[int, Long]))                # the second
            ... client.stub(iiop_peer.reference(Account), Account).withdraw(10)

    The steps are in `iiop_lab.peer`. What is expected and does not come, and what comes without being expected, fails the test.
    """
    return _iiop_background.peer()


@pytest.fixture
def omninames(_iiop_background: Background, tmp_path_factory: pytest.TempPathFactory) -> OmniNames:
    """Run omniNames, the Naming Service of omniORB, in a process of its own.

    Where it is not installed the test is skipped, or fails if the environment has CI. That it ends by itself fails the test. What
    is said to it is not in the pcap file, as its other end is not ours.
    """
    from iiop_lab.omninames import OmniNames, find_omninames

    program = find_omninames()
    if program is None:
        missing = "omniNames is missing: pip install iiopkit[omniorb], or apt-get install omniorb-nameserver"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return _iiop_background.enter(OmniNames(program, tmp_path_factory.mktemp("omninames")))


@pytest.fixture
def corba_clock(_iiop_background: Background) -> CorbaClock:
    """Put time forward for the blocking client and the servers of this test: `corba_clock.advance(360)`.

    What the client sleeps (back-offs) costs no time, and is in `corba_clock.slept`. A wait for a socket or a thread takes as long
    as ever; the asyncio client goes by the clock of its loop.
    """
    _install(_iiop_background.clock)
    return _iiop_background.clock

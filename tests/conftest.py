"""What every test has: hypothesis profiles, a check for leaks, and real peers."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import peers

pytest_plugins = ["pytester"]

# One loopback call may take 1 ms or 50: a deadline an example would only report the machine.
_unhurried = [HealthCheck.too_slow]
settings.register_profile("iiopkit_dev", deadline=None, suppress_health_check=_unhurried)
settings.register_profile(
    "iiopkit_ci", deadline=None, suppress_health_check=_unhurried, derandomize=True, print_blob=True, database=None
)
settings.load_profile("iiopkit_ci" if os.environ.get("CI") else "iiopkit_dev")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a job in the background of a shell, which the commands under test would inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _sockets() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the descriptor of this very listing
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that passed but left a thread running or a socket open (what wider fixtures hold was there before).

    Ask for session fixtures as arguments: one that `getfixturevalue` makes in the middle of a test counts as a leak.
    """
    if not os.path.isdir("/proc/self/fd"):
        yield
        return
    failed, threads, sockets = request.session.testsfailed, set(threading.enumerate()), _sockets()
    yield
    if request.session.testsfailed != failed:
        return  # its traceback may hold sockets
    late = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in late:
        thread.join(2.0)
    running = [thread.name for thread in late if thread.is_alive()]
    assert not running, f"threads still running after the test: {running}"
    if _sockets() - sockets:
        gc.collect()
        left = _sockets() - sockets
        assert not left, f"sockets still open after the test: {sorted(left)}"


@pytest.fixture(scope="session")
def omni_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.NamingPeer]:
    """A running omniNames, one for each xdist worker: bind under a name of the test's own."""
    with peers.omni_names(tmp_path_factory.mktemp("omninames")) as peer:
        yield peer


@pytest.fixture
def omni_client() -> Iterator[peers.OmniClient]:
    """omniORBpy with default options, in a process of its own (it starts in 60 ms)."""
    with peers.OmniClient() as client:
        yield client


@pytest.fixture
def vhost_env(tmp_path: Path) -> dict[str, str]:
    """The environment in which a peer knows `vhost` as 127.0.0.1; without libnss_wrapper, CI fails and others skip."""
    env = peers.nss_wrapper_env({"vhost": "127.0.0.1"}, tmp_path)
    if env is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("libnss_wrapper is not installed")
    return env

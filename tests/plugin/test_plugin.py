"""The pytest plugin in the hands of a user: a suite of its own, in a process of its own."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

FAILOVER = """
import os

from iiop_lab.sample import TdTest
from iiop_lab.pytest_plugin import BY_CALL, BY_REFERENCE
from naming import NameService


def test_failover(lab):
    one, two = lab.node("one"), lab.node("two")
    vhost = lab.virtual_host(one, two)
    with NameService(vhost.address) as names:
        stub = names.reference(BY_CALL, stub=TdTest)
        assert {stub.call(number) for number in range(10)} == {"one", "two"}
        one.kill()
        assert [stub.call(number) for number in range(10, 20)] == ["two"] * 10
        two.kill()
        one.restart()
        assert stub.call(20) == "one"
    assert sorted(one.ran + two.ran) == list(range(21))


def test_a_node_alone(lab):
    node = lab.node("alone")
    with NameService(node.address) as names:
        stub = names.reference(BY_REFERENCE, stub=TdTest)
        assert stub.call(1) == "alone"
        port = node.port
        node.kill()
        node.kill()
        node.restart()
        assert (node.port, stub.call(2)) == (port, "alone")
    assert node.ran == [1, 2]


def test_the_command_of_interstage_works_on_a_node(lab, monkeypatch):
    from iiop_tools.od_or_adm import main

    node = lab.node("node")
    monkeypatch.setenv("OD_HOME", str(node.home))
    assert main(["-c", "IDL:x:1.0", "-n", "mine", "-h", "vhost", "-p", "8002"]) == 0
    with NameService(node.address) as names:
        assert names.resolve("mine").endpoints()[0].host == "vhost"
    assert main(["-d", "-n", "mine"]) == 0


def test_naming_server(naming_server):
    with NameService(naming_server.corbaloc) as names:
        assert names.root.list(1)[0] == ()


def test_virtual_host(naming_server, virtual_host):
    assert virtual_host.port != naming_server.port
    with NameService(virtual_host.address) as names:
        names.root.bind_new_context(names.root.to_name("ctx"))
    with NameService(naming_server.corbaloc) as names:
        assert len(names.root.list(10)[0]) == 1
"""


def test_a_suite_that_uses_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILOVER)
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", "--basetemp=temp")
    result.assert_outcomes(passed=5)
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_what_a_failing_test_leaves_ends_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_fails(lab):
            node = lab.node("one")
            vhost = lab.virtual_host(node)
            print("pid", node._child.pid)
            assert not vhost
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--basetemp=temp")
    result.assert_outcomes(failed=1)
    (pid,) = [line.split()[1] for line in result.stdout.lines if line.startswith("pid ")]
    assert not Path(f"/proc/{pid}").exists()


def test_a_run_that_is_killed_takes_its_nodes_along(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, signal

        def test_dies(lab):
            print("pid", lab.node("one")._child.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    result = pytester.runpytest_subprocess("-s", "-p", "no:cacheprovider", "--basetemp=temp")
    (pid,) = [line.split()[-1] for line in result.stdout.lines if "pid " in line]
    try:
        descriptor = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 10.0)[0]
    os.close(descriptor)


def test_fixtures_are_listed_with_what_they_do(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider")
    for name, text in (
        ("lab", "Make nodes and virtual hosts."),
        ("naming_server", "Run a Naming Service, in memory, in this process."),
        ("virtual_host", "Run a virtual host in front of `naming_server`, in this process."),
        ("make_naming_server", "Make Naming Services that run in this process until the test ends: .*"),
        ("iiop_peer", "Run a server that is told what to expect and what to answer, octet by octet if need be."),
        ("omninames", "Run omniNames, the Naming Service of omniORB, in a process of its own."),
        ("corba_clock", "Put time forward for the blocking client and the servers of this test: .*"),
    ):
        result.stdout.re_match_lines_random([rf"{name} -- .*pytest_plugin\.py.*", rf"\s+{text}"])

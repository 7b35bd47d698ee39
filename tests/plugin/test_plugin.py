"""The pytest plugin in the hands of a user: a suite of its own, in a process of its own."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from tests.tshark import complaints, tshark

FAILOVER = """
import os

import pytest

from iiop_lab.sample import TdTest
from naming import NameService


def test_failover(lab):
    with NameService(lab.address()) as names:
        stub = names.reference("TDsample::tdtest", stub=TdTest)
        assert {stub.call(number) for number in range(10)} == {"host1", "host2"}
        lab.do("kill host1")
        assert [stub.call(number) for number in range(10, 20)] == ["host2"] * 10
        lab.do("restore host1")
        lab.do("kill host2")
        assert stub.call(20) == "host1"
    assert sorted(lab.journals["host1"] + lab.journals["host2"]) == list(range(21))


LAB = {
    "hosts": {"alone": "127.0.0.31"},
    "nodes": {"alone": {}},
    "work_units": {"TD": {"names": {"TDsample::tdtest": "own"}}},
    "faults": {"slow": {"fault": "system_exception", "at": "alone", "parameters": {"exception": "TRANSIENT"}}},
    "clients": {"ours": {}},
    "step": [{"name": "calls", "calls": 3, "expect": [{"failed": 0}]}],
}


@pytest.mark.iiop(lab=LAB)
def test_a_node_alone(lab):
    with NameService(lab.address()) as names:
        stub = names.reference("TDsample::tdtest", stub=TdTest)
        assert stub.call(1) == "alone"
        lab.do("kill alone")
        lab.do("restore alone")
        assert stub.call(2) == "alone"
    assert lab.journals == {"alone": [1, 2]}
    lab.do("fault slow")
    lab.do("fault slow off")
    assert lab.play().kept


@pytest.mark.iiop(lab="mine.toml")
def test_by_file(lab):
    assert list(lab.nodes) == ["mine"]


def test_the_command_of_interstage_works_on_a_node(lab, monkeypatch):
    from iiop_tools.od_or_adm import main

    node = lab.nodes["host1"]
    monkeypatch.setenv("OD_HOME", str(node.node.home))
    assert main(["-c", "IDL:x:1.0", "-n", "mine", "-h", "vhost", "-p", "8002"]) == 0
    with NameService(lab.address("host1")) as names:
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
    pytester.makefile(".toml", mine='hosts = { mine = "127.0.0.41" }\nnodes = { mine = {} }\n')
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", "--basetemp=temp")
    result.assert_outcomes(passed=6)
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_what_a_failing_test_leaves_ends_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_fails(lab):
            for node in lab.nodes.values():
                print("pid", *node.pids)
            assert not lab
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--basetemp=temp")
    result.assert_outcomes(failed=1)
    pids = [pid for line in result.stdout.lines if line.startswith("pid ") for pid in line.split()[1:]]
    assert len(pids) == 4
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_what_ends_by_itself_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, signal, time
        import pytest

        def ends(lab):
            (pid,) = lab.nodes["host1"].work_units["ISSAMPLE1"].pids
            os.kill(pid, signal.SIGKILL)
            while not lab.crashed:
                time.sleep(0.01)

        def test_ends(lab):
            ends(lab)

        @pytest.mark.iiop(errors_allowed=True)
        def test_ends_as_it_may(lab):
            ends(lab)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--basetemp=temp")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.re_match_lines_random([r".*LabError: host1/ISSAMPLE1 ended by itself; what it said is in .*logs"])


def test_mistakes_in_a_lab_are_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.iiop(lab={"hosts": {"one": "10.0.0.1"}, "nodes": {"one": {"prot": 1}}})
        def test_it(lab):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.re_match_lines_random([r".*nodes\.one\.prot: .*did you mean 'port'.*"])


def test_a_run_that_is_killed_takes_its_nodes_along(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, signal

        def test_dies(lab):
            print("pid", lab.nodes["host1"].pids[0], flush=True)
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
        ("lab", "Run a lab: two nodes, host1 and host2, with a sample server on each, behind a virtual host; .*"),
        ("naming_server", "Run a Naming Service, in memory, in this process."),
        ("virtual_host", "Run a virtual host in front of `naming_server`, in this process."),
        ("make_naming_server", "Make Naming Services that run in this process until the test ends: .*"),
        ("iiop_peer", "Run a server that is told what to expect and what to answer, octet by octet if need be."),
        ("omninames", "Run omniNames, the Naming Service of omniORB, in a process of its own."),
        ("corba_clock", "Put time forward for the blocking client and the servers of this test: .*"),
    ):
        result.stdout.re_match_lines_random([rf"{name} -- .*pytest_plugin\.py.*", rf"\s+{text}"])


def test_a_failing_test_leaves_what_was_said_to_nodes_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from iiop_lab.sample import TdTest
        from naming import NameService

        def test_fails(lab):
            with NameService(lab.address()) as names:
                for name in ("TDsample::tdtest", "TDsample::tdtest.direct"):
                    names.reference(name, TdTest).call(1)
            print("port", lab.nodes["host1"].advertised_port)
            print("port", lab.nodes["host2"].advertised_port)
            assert not lab
        """
    )
    result = pytester.runpytest_subprocess("--iiop-pcap=pcap", "-p", "no:cacheprovider", "--basetemp=temp")
    result.assert_outcomes(failed=1)
    (path,) = pytester.path.glob("pcap/*.pcap")
    ports = {line.split()[1] for line in result.stdout.lines if line.startswith("port ")}
    calls = tshark(path, 'giop.request_op == "call"', "tcp.dstport")
    assert len([port for (port,) in calls if port in ports]) >= 2, "by the virtual host, and directly"
    assert len(calls) > len([port for (port,) in calls if port in ports]), "to the virtual host"
    assert complaints(path) == []

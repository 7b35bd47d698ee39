"""`iioplab up` as operators have it: it is watched and steered from other shells, and leaves nothing but its folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import termios
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from iiop.exceptions import IIOPError
from iiop.failover import FailoverPolicy
from iiop_lab.cli import main
from iiop_lab.console.control import ask
from iiop_lab.sample import TdTest
from naming import NameService, parse_name
from tests.lab.iioplab import LAB, all_end, children_of, ended, hear, iioplab, rows, started, watched

pytestmark = pytest.mark.timeout(120)

PATIENT = FailoverPolicy(deadline=30.0, attempt_timeout=5.0, rounds=1000, backoff_initial=0.01, backoff_max=0.05)
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGHUP: 0}

FAULTS = """
[faults.slow]
fault = "latency"
at = "host2"
parameters = { seconds = 0.001 }

[faults.never]
fault = "system_exception"
at = "vhost"
parameters = { exception = "COMM_FAILURE" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(LAB)
    return path


def up(process: subprocess.Popen[str]) -> str:
    """Wait until a lab is up; return the address that clients call."""
    hear(process, "is up in")
    address = hear(process, "clients").split()[1].rstrip(",")
    hear(process, "operators")
    return address


def folder_of(file: Path) -> Path:
    return file.parent / ".iioplab" / "lab"


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process, which is quicker."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        return main(arguments), *capsys.readouterr()

    return run


def status(say: Say) -> dict[str, Any]:
    code, out, err = say("status", "--json")
    assert (code, err) == (0, "")
    shown: dict[str, Any] = json.loads(out)
    return shown


def test_an_outage_is_rehearsed(tmp_path: Path, file: Path, say: Say) -> None:
    file.write_text(LAB + FAULTS)
    with started(tmp_path, "up") as process:
        address = up(process)
        children = children_of(process.pid)
        assert len(children) == 4
        with NameService(address, policy=PATIENT) as names, watched(children) as descriptors:
            sample = names.reference("TDsample::tdtest", TdTest)
            assert {sample.call(number) for number in range(4)} == {"host1", "host2"}

            assert say("kill", "host1") == (0, "", "")
            assert {sample.call(number) for number in range(10, 14)} == {"host2"}
            now = status(say)
            assert now["nodes"]["host1"]["state"] == "died"
            assert now["nodes"]["host1"]["target"]["standing"] in ("dead", "degraded")
            assert now["nodes"]["host2"]["target"]["answered"] >= 6
            assert now["nodes"]["host2"]["work_units"]["ISSAMPLE1"]["waiting"] == 0
            assert now["virtual_host"]["connections"] >= 1
            _, out, _ = say("status")
            assert re.search(r"host1 +died +(dead|degraded)", out)
            assert re.search(r"host2 +running +serving +\d+ ", out)
            assert re.search(r"host2 +127\.0\.0\.3:\d+ +ISSAMPLE1 running", out)
            assert re.search(r"slow +latency +host2 +no +0", out)

            assert say("restore", "host1") == (0, "", "")
            assert say("maintenance", "host2") == (0, "", "")
            assert {sample.call(number) for number in range(20, 24)} == {"host1"}
            assert say("release", "host2") == (0, "", "")
            assert say("fault", "slow") == (0, "", "")
            assert {sample.call(number) for number in range(30, 34)} == {"host1", "host2"}
            slow = status(say)["faults"]["slow"]
            assert slow.pop("struck") >= 2
            assert slow == {"fault": "latency", "at": "host2", "attached": True}
            assert say("fault", "slow", "off") == (0, "", "")
            assert say("report", "host1", "cpu", "0.5") == (0, "", "")
            assert status(say)["nodes"]["host1"]["target"]["reported"] == {"cpu": 0.5}

            process.terminate()
            code, out, err = ended(process)
            assert (code, err) == (0, "")
            assert all_end(descriptors, 1.0)
    assert "host1: kill host1" in out
    assert not (folder_of(file) / "control").exists()
    events = rows(folder_of(file) / "events.jsonl")
    assert [event["text"] for event in events if event["event"] == "action"] == [
        "kill host1",
        "restore host1",
        "maintenance host2",
        "release host2",
        "fault slow on",
        "fault slow off",
        "report host1 cpu 0.5",
    ]
    died = next(event for event in events if event["event"] == "node" and event["text"] == "died")
    assert died["subject"] == "host1"
    assert datetime.fromisoformat(str(died["time"])).utcoffset() is not None
    assert {event["event"] for event in events} >= {"node", "work_unit", "target", "action", "fault", "client"}


def test_what_cannot_be_done(tmp_path: Path, file: Path, say: Say) -> None:
    with started(tmp_path, "up") as process:
        up(process)
        for words, why in (
            (["kill", "host3"], "there is no node host3: there is host1, host2"),
            (["restore", "host1"], "host1 runs"),
            (["release", "host3"], "host3 is no target of the virtual host: there is host1, host2"),
            (["switch", "app"], "there is no cluster app: there is none"),
            (["fault", "slow"], "there is no fault slow: the file declares none"),
            (["report", "host1", "heat", "1"], "report host1 heat 1: "),
        ):
            code, out, err = say(*words)
            assert (code, out) == (1, ""), words
            assert err.startswith(f"iioplab: {why}")
            assert err.count("\n") == 1
        process.terminate()
        assert ended(process)[0] == 0


def test_bindings_survive(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "elsewhere"
    for _ in range(2):
        with started(tmp_path, "up", "--folder", str(other), "--events", "what.jsonl") as process:
            up(process)
            at = ask(other, {"status": True})["status"]["nodes"]["host1"]["address"]
            with NameService(at) as names:
                if (other / "mark").exists():
                    assert names.resolve("branch").type_id
                else:
                    names.root.bind_new_context(parse_name("branch"))
                    (other / "mark").touch()
            process.terminate()
            assert ended(process)[0] == 0
    assert not folder_of(file).exists()
    assert not (other / "events.jsonl").exists()
    assert len([row for row in rows(tmp_path / "what.jsonl") if row["event"] == "node"]) == 8


def test_a_lab_that_is_up_already(tmp_path: Path, file: Path, say: Say) -> None:
    with started(tmp_path, "up") as process:
        up(process)
        assert iioplab(tmp_path, "up") == (
            2,
            "",
            f"iioplab: this lab is up already, process {process.pid}: .iioplab/lab\n",
        )
        assert status(say)["nodes"]["host1"]["state"] == "running"
        process.terminate()
        assert ended(process)[0] == 0


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_ended_it_leaves_nothing(tmp_path: Path, file: Path, number: signal.Signals) -> None:
    with started(tmp_path, "up") as process:
        up(process)
        with watched(children_of(process.pid)) as children:
            assert len(children) == 4
            for _ in range(3):  # more of them do not disturb the end
                process.send_signal(number)
            code, _, err = ended(process)
            assert all_end(children, 1.0)
    assert (code, err) == (SIGNALS[number], "")
    assert not (folder_of(file) / "control").exists()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("command", ["up", "run"])
def test_interrupted_while_it_starts_it_leaves_nothing(tmp_path: Path, file: Path, command: str, number: signal.Signals) -> None:
    """A WorkUnit of host1 says that it has been started, and never that it serves, for which it has 30 s."""
    os.mkfifo(tmp_path / "begun")
    (tmp_path / "slow.py").write_text("open('begun', 'w').close()\nimport signal\nsignal.pause()\n")
    file.write_text(LAB + '[work_units.slow]\nscript = "slow.py"\nnodes = ["host1"]\n[[step]]\nname = "one"\nseconds = 60\n')
    with started(tmp_path, command, "lab.toml", "--folder", "here") as process:
        (tmp_path / "begun").read_text()
        with watched(children_of(process.pid)) as children:
            assert len(children) >= 3
            process.send_signal(number)
            process.wait(25)
            code, _, err = ended(process)
            assert all_end(children, 1.0)
    assert (code, err) == (130 if number is signal.SIGINT else 143, "")
    assert not (tmp_path / "here" / "control").exists()


def test_killed_it_takes_its_processes_along_and_can_start_again(tmp_path: Path, file: Path, say: Say) -> None:
    with started(tmp_path, "up") as process:
        up(process)
        with watched(children_of(process.pid)) as children:
            process.kill()
            assert all_end(children, 20.0)
    assert (folder_of(file) / "control").is_socket()
    assert say("status")[0] == 2
    with started(tmp_path, "up") as process:
        up(process)
        assert status(say)["nodes"]["host1"]["state"] == "running"
        process.terminate()
        assert ended(process)[0] == 0


@pytest.mark.parametrize("who", ["vhost", "host1"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, file: Path, who: str) -> None:
    address = {"vhost": "127.0.0.1", "host1": "127.0.0.2"}[who]
    table = {"vhost": "[virtual_host]", "host1": "[nodes.host1]"}[who]
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(LAB.replace(f"{table}\nport = 0", f"{table}\nport = {port}"))
        with started(tmp_path, "up") as process:
            code, out, err = ended(process)
    assert (code, out) == (2, "")
    assert err == f"iioplab: {who}: cannot listen on {address}:{port}: Address already in use\n"
    assert not (folder_of(file) / "control").exists()


def test_nobody_reads(tmp_path: Path, file: Path, say: Say) -> None:
    with started(tmp_path, "up") as process:
        up(process)
        with watched(children_of(process.pid)) as children:
            assert process.stdout is not None
            process.stdout.close()
            say("hang", "host1")
            assert process.wait(60) == 141
            assert all_end(children, 1.0)


def test_on_a_terminal_there_is_a_table(tmp_path: Path, file: Path, say: Say) -> None:
    file.write_text(LAB + FAULTS)
    near, far = os.openpty()
    termios.tcsetwinsize(far, (40, 80))
    with started(tmp_path, "up", out=far) as process:
        os.close(far)
        seen = b""

        def see(what: str) -> None:
            nonlocal seen
            while not re.search(what.encode(), seen):
                seen += os.read(near, 65_536)
            seen = b""

        see("serving")
        assert say("kill", "host1")[0] == 0
        see("kill host1")
        see("died")
        assert say("fault", "slow")[0] == 0
        see("attached")
        process.send_signal(signal.SIGINT)
        while True:
            try:
                os.read(near, 65_536)
            except OSError:  # the other end has gone
                break
        code, _, err = ended(process)
        os.close(near)
    assert (code, err) == (130, "")


def test_what_nodes_note_is_in_their_logs(tmp_path: Path, file: Path, say: Say) -> None:
    file.write_text(LAB.replace("[nodes.host2]\nport = 0\n", "") + "[work_units.ISSAMPLE1]\nmonitored = false\n")
    with started(tmp_path, "up") as process:
        address = up(process)
        with NameService(address, policy=FailoverPolicy(deadline=5.0, rounds=1)) as names:
            sample = names.reference("TDsample::tdtest", TdTest)
            assert sample.call(1) == "host1"
            assert say("kill", "host1/ISSAMPLE1") == (0, "", "")
            with pytest.raises(IIOPError):
                sample.call(2)
        process.terminate()
        code, _, err = ended(process)
    assert (code, err) == (0, "")
    assert " left: " in (folder_of(file) / "logs" / "host1.log").read_text()


CLUSTER = """\
[hosts]
app = "127.0.0.4"

[clusters.app]
nodes = ["node1", "node2"]

[nodes.node1]
port = 0
[nodes.node2]
port = 0

[work_units.ISSAMPLE1.names]
"TDsample::tdtest" = "own"
"""


def test_a_cluster_is_switched(tmp_path: Path, file: Path, say: Say) -> None:
    file.write_text(CLUSTER)
    with started(tmp_path, "up") as process:
        address = up(process)
        assert status(say)["clusters"] == {"app": {"active": "node1", "roles": {"node1": "run", "node2": "wait"}}}
        assert say("switch", "app") == (0, "", "")
        now = status(say)
        assert now["clusters"]["app"]["active"] == "node2"
        assert now["nodes"]["node2"]["target"] is None
        _, out, _ = say("status")
        assert re.search(r"app +node2 +node1 \w+, node2 run", out)
        with NameService(address, policy=PATIENT) as names:
            assert names.reference("TDsample::tdtest", TdTest).call(1) == "node2"
        code, _, err = say("maintenance", "node1")
        assert (code, err) == (1, "iioplab: there is no virtual host in this lab\n")
        process.terminate()
        assert ended(process)[0] == 0

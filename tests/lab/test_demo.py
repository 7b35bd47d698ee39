"""The demo as its users see it: a command, its outcome, its exit status, and nothing left behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iiop_lab.demo.ledger import Call, Client, Promise, judge, minor_text
from iiop_lab.demo.play import _Play

PATIENCE = 60.0
COMMAND = [sys.executable, "-c", "import sys; from iiop_lab.cli import main; sys.exit(main())", "demo"]

lab = pytest.mark.lab
one_at_a_time = pytest.mark.xdist_group("lab")


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo with `folder` for its temporary files."""
    with subprocess.Popen(
        [*COMMAND, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str], words: str) -> None:
    """Read what the demo tells, up to a line with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    assert process.stderr is not None
    pytest.fail(f"the demo never said {words!r}: {process.stderr.read()}")


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started and has not seen end."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


@contextmanager
def watched(pids: list[int]) -> Iterator[list[int]]:
    """Hold on to processes, so that their ids stay theirs."""
    descriptors = [os.pidfd_open(pid) for pid in pids]
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def all_end(descriptors: list[int], within: float) -> bool:
    """Wait for the end of processes; an ended one can be read."""
    waiting, end = set(descriptors), time.monotonic() + within
    while waiting and (left := end - time.monotonic()) > 0:
        waiting -= set(select.select(list(waiting), [], [], left)[0])
    return not waiting


def outcome_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@lab
@one_at_a_time
@pytest.mark.timeout(180)
def test_everything_promised_happens(lab_addresses: None, tmp_path: Path) -> None:
    with demo(tmp_path, "--json") as process:
        code, out, err = outcome_of(process)
    assert code == 0, out + err
    assert "Traceback" not in err
    outcome: dict[str, Any] = json.loads(out)
    assert outcome["kept"]
    assert [promise["text"] for promise in outcome["promises"] if not promise["kept"]] == []
    assert len(outcome["promises"]) == 13

    clients = {client["name"]: client for client in outcome["clients"]}
    assert set(clients) == {"ours, by call", "ours, by reference", "omniORBpy, by call", "omniORBpy, by reference"}
    for name in ("ours, by call", "ours, by reference", "omniORBpy, by call"):
        assert min(clients[name]["hosts"][host] for host in ("host1", "host2")) >= 100, name
        after_kill, after_return = clients[name]["recovery"]
        assert 0 <= after_kill < 30
        assert 0 <= after_return < 30
        met = {(row["exception"], row["minor"], row["completed"]) for row in clients[name]["exceptions"]}
        assert ("COMM_FAILURE", 0x464A0114, "COMPLETED_NO") in met
    for name in ("ours, by call", "ours, by reference"):
        assert clients[name]["made"] - clients[name]["answered"] == 2  # of the outage, and no other
    assert list(tmp_path.iterdir()) == []


@lab
@one_at_a_time
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", ["omniORBpy", "calm", "host1 is killed"])
def test_interrupted_it_leaves_nothing(lab_addresses: None, tmp_path: Path, moment: str, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        hear(process, moment)
        with watched(children_of(process.pid)) as children:
            assert moment == "omniORBpy" or len(children) == 7
            process.send_signal(number)
            code, _, err = outcome_of(process)
            assert all_end(children, 0.1)
    assert code == 130
    assert err == "" or (moment == "host1 is killed" and "Traceback" not in err)
    assert list(tmp_path.iterdir()) == []


@lab
@one_at_a_time
@pytest.mark.parametrize(("address", "who"), [("127.0.0.10", "vhost"), ("127.0.0.11", "host1")])
def test_port_in_use_is_one_clear_line(lab_addresses: None, tmp_path: Path, address: str, who: str) -> None:
    with socket.create_server((address, 8002)), demo(tmp_path) as process:
        hear(process, "omniORBpy")
        code, out, err = outcome_of(process)
    assert code == 2
    assert err == f"iioplab: {who}: cannot serve on {address}:8002: Address already in use\n"
    assert "Traceback" not in out
    assert children_of(process.pid) == []
    assert list(tmp_path.iterdir()) == []
    with socket.create_server(("127.0.0.12", 8002)):
        pass  # nobody is left on it


@lab
@one_at_a_time
def test_killed_it_takes_its_processes_along(lab_addresses: None, tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        hear(process, "calm")
        with watched(children_of(process.pid)) as children:
            assert len(children) == 7
            process.kill()
            assert all_end(children, 20.0)
        _, _, err = outcome_of(process)
    assert err == ""


# --- the judgement ----------------------------------------------------------------------------------------------------

OUTAGE = {"error": "COMM_FAILURE", "minor": 0x464A0114, "completed": "COMPLETED_NO"}


def call(phase: str, number: int, host: str | None = None, **error: Any) -> Call:
    return Call.of(phase, {"number": number, "host": host, "at": float(number), **error})


def good_client(**changes: Any) -> Client:
    calls = [call(phase, first + n, f"host{n % 2 + 1}") for phase, first in (("calm", 0), ("recovered", 30)) for n in range(10)]
    calls += [call("host1 killed", 10 + n, "host2") for n in range(10)]
    calls += [call("both killed", 20 + n, **OUTAGE) for n in range(2)]
    calls.sort(key=lambda made: made.number)
    return replace(Client("c", ours=True, spreads=True, calls=calls), **changes)


def good_journals() -> dict[str, list[int]]:
    journals: dict[str, list[int]] = {"host1": [], "host2": []}
    for made in good_client().calls:
        if made.host is not None:
            journals[made.host].append(made.number)
    return journals


def broken(client: Client, journals: dict[str, list[int]] | None = None) -> list[str]:
    return [promise.text for promise in judge([client], good_journals() if journals is None else journals) if not promise.kept]


SPREAD_CALM = "c: calm, both hosts serve its calls"
SPREAD_RECOVERED = "c: recovered, both hosts serve its calls"
NONE_LOST = "c: no call lost while a host lives"
NONE_TWICE = "c: every answered call ran once, none twice"
TOLD = "c: both hosts dead, COMM_FAILURE 0x464a0114"


def changed(client: Client, number: int, **changes: Any) -> Client:
    calls = [replace(made, **changes) if made.number == number else made for made in client.calls]
    return replace(client, calls=calls)


def test_all_is_well() -> None:
    assert [promise.text for promise in judge([good_client()], good_journals())] == [
        SPREAD_CALM,
        SPREAD_RECOVERED,
        NONE_LOST,
        NONE_TWICE,
        TOLD,
    ]
    assert broken(good_client()) == []


@pytest.mark.parametrize(("phase", "text"), [("calm", SPREAD_CALM), ("recovered", SPREAD_RECOVERED)])
def test_one_host_served_all(phase: str, text: str) -> None:
    client = good_client()
    client.calls = [replace(made, host="host2") if made.phase == phase else made for made in client.calls]
    journals = {"host2": [number for numbers in good_journals().values() for number in numbers]}
    assert broken(client, journals) == [text]


def test_one_host_served_nearly_all() -> None:
    client = good_client()
    for number in (0, 2, 4):
        client = changed(client, number, host="host2")
    assert broken(client) == [SPREAD_CALM]


@pytest.mark.parametrize("number", [3, 13, 33])
def test_a_call_was_lost(number: int) -> None:
    client = changed(good_client(), number, host=None, error="COMM_FAILURE", minor=1, completed="COMPLETED_MAYBE")
    assert broken(client) == [NONE_LOST]


def test_a_call_lost_while_no_host_lives_is_not_lost() -> None:
    assert broken(changed(good_client(), 20, at=99.0)) == []


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_call_ran_twice(host: str) -> None:
    journals = good_journals()
    journals[host].append(3)
    assert broken(good_client(), journals) == [NONE_TWICE]


def test_a_call_that_failed_ran_twice() -> None:
    journals = good_journals()
    journals["host1"].append(20)
    journals["host2"].append(20)
    assert broken(good_client(), journals) == [NONE_TWICE]


def test_an_answered_call_never_ran() -> None:
    journals = good_journals()
    journals["host2"].remove(3)
    assert broken(good_client(), journals) == [NONE_TWICE]


def test_a_call_said_not_to_have_run_did() -> None:
    journals = good_journals()
    journals["host1"].append(20)  # its client was told COMPLETED_NO
    assert broken(good_client(), journals) == [NONE_TWICE]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "COMM_FAILURE", "minor": 0x464A0101},
        {"error": "TRANSIENT", "minor": 0x464A0114},
        {"error": None, "completed": "", "host": "host1"},
    ],
    ids=["another minor code", "another exception", "an answer"],
)
def test_the_outage_was_told_otherwise(answer: dict[str, Any]) -> None:
    journals = good_journals()
    if "host" in answer:
        journals["host1"].append(20)
    assert broken(changed(good_client(), 20, **answer), journals) == [TOLD]


def test_a_client_that_made_no_call_kept_nothing() -> None:
    assert broken(good_client(calls=[]), {}) == [SPREAD_CALM, SPREAD_RECOVERED, NONE_LOST, NONE_TWICE, TOLD]


@pytest.mark.parametrize(
    ("spreads", "promised"),
    [(True, [SPREAD_CALM, SPREAD_RECOVERED, TOLD]), (False, [])],
)
def test_what_is_promised_for_others(spreads: bool, promised: list[str]) -> None:
    promises = judge([good_client(ours=False, spreads=spreads)], good_journals())
    assert [promise.text for promise in promises] == promised


def test_exceptions_on_the_way_are_counted_once() -> None:
    seen = [{"error": "COMM_FAILURE", "minor": 7, "completed": "COMPLETED_MAYBE"}]
    client = Client("c", ours=True, spreads=True)
    client.calls = [call("calm", 1, "host1", seen=seen), call("calm", 2, **OUTAGE), call("calm", 3, seen=[OUTAGE], **OUTAGE)]
    assert client.exceptions() == {
        ("COMM_FAILURE", 7, "COMPLETED_MAYBE"): 1,
        ("COMM_FAILURE", 0x464A0114, "COMPLETED_NO"): 2,
    }
    assert client.recovery(1.0) == 0.0
    assert client.recovery(2.0) is None


def test_a_promise_tells_its_numbers() -> None:
    assert judge([good_client()], good_journals())[0] == Promise(SPREAD_CALM, True, "host1 5, host2 5")
    assert minor_text("COMM_FAILURE", 0x464A0114) == "0x464a0114 (Fujitsu: IPCOM_ERROR)"
    assert minor_text("COMM_FAILURE", 0) == "minor 0"


def test_an_interrupt_that_leaves_the_lock_taken_holds_up_nobody(tmp_path: Path) -> None:
    """Otherwise the readers of the clients wait for it for ever, and the demo for them."""
    play = _Play(tmp_path, ExitStack(), lambda line: None)
    play.progress.acquire()
    play._let_go()
    reader = threading.Thread(target=play._ask_no_more, daemon=True)
    reader.start()
    reader.join(5.0)
    assert not reader.is_alive()

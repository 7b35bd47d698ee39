"""What the console of the lab shows, without a lab: tables, rates, outcomes, journals, interrupts."""

from __future__ import annotations

import io
import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from iiop_lab.console.interrupts import Interrupts
from iiop_lab.console.journal import Journal, event_line
from iiop_lab.console.scenario import as_data, show, step_lines
from iiop_lab.console.table import Rates, tables
from iiop_lab.scenario.declaration import LabFile, Step
from iiop_lab.scenario.expectations import Verdict
from iiop_lab.scenario.lab import LabEvent
from iiop_lab.scenario.play import ClientOutcome, Outcome, StepOutcome
from iiop_tools import cli


def target(**changes: Any) -> dict[str, Any]:
    usual = {
        "standing": "serving",
        "answered": 12345,
        "under_way": 3,
        "p50": 0.00042,
        "p99": 0.0123,
        "error": "",
        "error_age": None,
    }
    return usual | changes


def status(**changes: Any) -> dict[str, Any]:
    def node(number: int, state: str, **changed: Any) -> dict[str, Any]:
        unit = {"state": state, "waiting": number}
        return {"address": f"127.0.0.{number}:8002", "state": state, "work_units": {"TD": unit}, "target": target(**changed)}

    usual = {
        "seconds": 10.0,
        "virtual_host": {"address": "127.0.0.10:8002", "connections": 7, "refusals": {"COMPLETED_NO": 2, "COMPLETED_MAYBE": 1}},
        "nodes": {
            "host1": node(1, "running"),
            "host2": node(2, "died", standing="maintenance", error="connection \x1b[2J reset", error_age=4.2),
        },
        "clusters": {"app": {"active": None, "roles": {"node1": "run", "node2": "faulted"}}},
        "faults": {"slow": {"fault": "latency", "at": "host1", "attached": True, "struck": 9}},
    }
    return usual | changes


def drawn(shown: dict[str, Any], rates: dict[str, float], *events: LabEvent, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(*tables(shown, rates, list(events)), sep="\n")
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_table_fits_on_a_terminal() -> None:
    event = LabEvent(3.5, "node", "host2", "died", {})
    lines = drawn(status(), {"host1": 1234.5}, event)
    assert lines[0] == "virtual host 127.0.0.10:8002: 7 connections, 3 requests refused"
    assert [line.split() for line in lines[3:5]] == [
        ["host1", "running", "serving", "12345", "1234", "0.42", "12.30", "3", "1"],
        ["host2", "died", "maintenance", "12345", "0.42", "12.30", "3", "2"],
    ]
    assert "host1  127.0.0.1:8002  TD running" in lines
    assert "host2  127.0.0.2:8002  TD died     connection \\x1b[2J reset (4 s ago)" in lines
    assert "app      nobody  node1 run, node2 faulted" in lines
    assert "slow   latency  host1  attached       9" in lines
    assert lines[-1] == event_line(event)
    assert max(map(len, lines)) <= 80


def test_what_is_not_there_is_not_shown() -> None:
    node = {"address": "127.0.0.1:1", "state": "hung", "work_units": {"TD": {"state": "hung", "waiting": None}}, "target": None}
    lines = drawn(status(virtual_host=None, nodes={"one": node}, clusters={}, faults={}), {})
    assert len(lines) == 5
    assert lines[1].split() == ["one", "hung"]


def test_rates_are_of_lately() -> None:
    def answered(seconds: float, **counts: int) -> dict[str, Any]:
        nodes = {name: {"target": {"answered": count}} for name, count in counts.items()} | {"alone": {"target": None}}
        return {"seconds": seconds, "nodes": nodes}

    rates = Rates()
    assert rates.of(answered(0.0, one=100)) == {}
    assert rates.of(answered(1.0, one=300)) == {"one": 200.0}
    assert rates.of(answered(4.0, one=300)) == {"one": 50.0}
    assert rates.of(answered(6.0, one=300, two=5)) == {"one": 0.0}  # two was not there
    assert rates.of(answered(6.0, one=300, two=5)) == {"one": 0.0}


# --- an outcome

MET = {"exception": "COMM_FAILURE", "minor": 0x464A0114, "completed": "COMPLETED_NO", "times": 3}
OUTCOME = Outcome(
    (
        StepOutcome("calm [bold]", 1.0, (Verdict("ours: no call failed", True, "10 made, 0 failed"),)),
        StepOutcome(
            "kill", 1.0, (Verdict("theirs: no call failed", False, "10 made, 3 failed"),), {"ours": 0.0123, "theirs": None}
        ),
    ),
    (ClientOutcome("ours", 20, 20, {"host1": 15, "host2": 5}, ()), ClientOutcome("theirs", 20, 17, {"host1": 17}, (MET,))),
    (Verdict("ours: every answered call ran once, none twice", True, "20 made"),),
)


def test_an_outcome_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    show(OUTCOME)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "client calls made answered by host1 by host2" in lines
    assert "ours 20 20 15 5" in lines
    assert "theirs 20 17 17 0" in lines
    assert "theirs 3 COMM_FAILURE 0x464a0114 (Fujitsu: IPCOM_ERROR) NO" in lines
    assert "kill 12.3 ms never" in lines
    assert lines[-3:] == [
        "kept calm [bold]: ours: no call failed: 10 made, 0 failed",
        "BROKEN kill: theirs: no call failed: 10 made, 3 failed",
        "kept all calls: ours: every answered call ran once, none twice: 20 made",
    ]


def test_an_outcome_for_programs() -> None:
    data = json.loads(json.dumps(as_data(OUTCOME)))
    assert data["kept"] is False
    assert data["clients"][1]["exceptions"] == [MET]
    assert data["steps"][1]["recovered"] == {"ours": 0.0123, "theirs": None}
    assert data["steps"][1]["verdicts"] == [
        {"text": "theirs: no call failed", "kept": False, "numbers": "10 made, 3 failed"},
    ]
    assert data["verdicts"][0]["kept"] is True


def test_a_line_for_every_step() -> None:
    said: list[str] = []
    file = LabFile(step=(Step("calm"), Step("outage", do=("kill host1", "kill host2"))))
    told = step_lines(file, said.append)
    for event in ("step", "kept", "action"):
        told(LabEvent(0.5, event, "calm", "", {}))
    told(LabEvent(12.34, "step", "outage", "begins", {}))
    assert said == ["   0.5 s  step 1 of 2, calm", "  12.3 s  step 2 of 2, outage: kill host1, kill host2"]


# --- events, kept

EVENT = LabEvent(1.5, "node", "host1", "died", {"why": "口座", "at": Path("x")})


def test_a_journal_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        with Journal(path) as journal:
            threads = [threading.Thread(target=journal.write, args=(EVENT,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    journal.write(EVENT)  # nobody is there any more
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 8
    assert {key: value for key, value in rows[0].items() if key != "time"} == {
        "at": 1.5,
        "event": "node",
        "subject": "host1",
        "text": "died",
        "details": {"why": "口座", "at": "x"},
    }
    assert rows[0]["time"].endswith("+00:00")


def test_a_full_disk_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(Path("/dev/full")) as journal:
        journal.write(EVENT)
        journal.write(EVENT)
    assert capsys.readouterr().err == "/dev/full: No space left on device; events are missing there\n"


# --- interrupts


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, cli.Terminated), (signal.SIGHUP, cli.Terminated)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_the_first_signal_interrupts(number: signal.Signals, raised: type[BaseException]) -> None:
    before = signal.signal(number, signal.default_int_handler)  # one that nohup has not left ignored
    try:
        with Interrupts() as interrupts:
            interrupts.allow()
            with pytest.raises(raised):
                signal.raise_signal(number)
            signal.raise_signal(signal.SIGINT)  # the end is not disturbed
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_a_signal_waits_for_its_time() -> None:
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.allow()


def test_at_the_end_none_interrupts() -> None:
    with Interrupts() as interrupts:
        interrupts.allow()
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            interrupts.allow()
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

"""`iioplab run` as its users have it: a scenario is played, its outcome is said, and nothing is left."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.lab.iioplab import LAB, all_end, children_of, ended, hear, iioplab, rows, started, watched

pytestmark = pytest.mark.timeout(180)

SCENARIO = (
    LAB
    + """
[clients.ours]

[[step]]
name = "calm"
calls = 20
[[step.expect]]
failed = 0
served_by = { host1 = 0.25, host2 = 0.25 }

[[step]]
name = "outage"
do = ["kill host1"]
calls = 20
[[step.expect]]
failed = 0

[[expect]]
at_most_once = true
"""
)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_expected_comes(tmp_path: Path) -> None:
    (tmp_path / "outage.toml").write_text(SCENARIO)
    code, out, err = iioplab(tmp_path, "run", "outage.toml", "--events", "events.jsonl")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r" +\d+\.\d s  step 1 of 2, calm", lines[0])
    assert re.fullmatch(r" +\d+\.\d s  step 2 of 2, outage: kill host1", lines[1])
    assert re.search(r"ours +\d\d+ +\d\d+ +\d+ +\d+", out)
    assert re.search(r"outage +\d+\.\d ms", out)
    assert [line.split(":")[0] for line in lines if line.startswith(("kept", "BROKEN"))] == [
        "kept   calm",
        "kept   calm",
        "kept   outage",
        "kept   all calls",
    ]
    assert {str(row["event"]) for row in rows(tmp_path / "events.jsonl")} >= {"step", "action", "kept", "node"}
    assert files(tmp_path) == ["events.jsonl", "outage.toml"]


def test_what_is_expected_does_not_come(tmp_path: Path) -> None:
    wrong = SCENARIO.replace("served_by = { host1 = 0.25, host2 = 0.25 }", "served_by = { host1 = 1.0 }")
    (tmp_path / "outage.toml").write_text(wrong)
    code, out, err = iioplab(tmp_path, "run", "outage.toml", "--json", "--folder", "kept")
    assert code == 1
    assert [line.split("  ")[-1] for line in err.splitlines()] == ["step 1 of 2, calm", "step 2 of 2, outage: kill host1"]
    outcome: dict[str, Any] = json.loads(out)
    assert outcome["kept"] is False
    assert [verdict["kept"] for verdict in outcome["steps"][0]["verdicts"]] == [True, False]
    assert outcome["clients"][0]["made"] == outcome["clients"][0]["answered"] >= 40
    assert 0 <= outcome["steps"][1]["recovered"]["ours"] < 60
    assert files(tmp_path) == ["kept", "outage.toml"]
    assert {"events.jsonl", "journals", "logs", "nodes"} <= set(files(tmp_path / "kept"))


def test_a_folder_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "outage.toml").write_text(SCENARIO)
    for _ in range(2):
        code, out, _ = iioplab(tmp_path, "run", "outage.toml", "--folder", "kept")
        assert code == 0, out


def test_what_cannot_be_played(tmp_path: Path) -> None:
    (tmp_path / "outage.toml").write_text(SCENARIO.replace('do = ["kill host1"]', 'do = ["restore host1"]'))
    code, out, err = iioplab(tmp_path, "run", "outage.toml")
    assert (code, err) == (2, "iioplab: host1 runs\n")
    assert "step 2 of 2" in out
    assert files(tmp_path) == ["outage.toml"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", ["step 1", "step 2"])
def test_interrupted_it_leaves_nothing(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    (tmp_path / "outage.toml").write_text(SCENARIO.replace("calls = 20", "calls = 20\nseconds = 1.0"))
    with started(tmp_path, "run", "outage.toml") as process:
        hear(process, moment)
        with watched(children_of(process.pid)) as children:
            assert len(children) >= 2
            process.send_signal(number)
            code, _, err = ended(process)
            assert all_end(children, 1.0)
    assert code == (130 if number is signal.SIGINT else 143)
    assert err == ""
    assert files(tmp_path) == ["outage.toml"]


@pytest.mark.lab
@pytest.mark.xdist_group("lab")
def test_the_demo(lab_addresses: None, tmp_path: Path) -> None:
    """What `make demo` runs, on the addresses and the port that it says."""
    code, out, err = iioplab(tmp_path, "run", "demo", "--json")
    assert code == 0, out + err
    outcome: dict[str, Any] = json.loads(out)
    assert len(outcome["clients"]) == 4
    for client in outcome["clients"]:
        if client["name"] != "omniORBpy, by reference":
            assert min(client["hosts"][host] for host in ("host1", "host2")) >= 100, client
        met = {(row["exception"], row["minor"], row["completed"]) for row in client["exceptions"]}
        assert client["name"] == "omniORBpy, by reference" or ("COMM_FAILURE", 0x464A0114, "COMPLETED_NO") in met
    assert files(tmp_path) == []

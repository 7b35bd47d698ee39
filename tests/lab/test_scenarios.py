"""The scenarios that we ship, played: the manual's chapters with our client and with omniORBpy."""

from __future__ import annotations

from pathlib import Path

import pytest

import iiop_lab
from iiop_lab.scenario.lab import Lab
from iiop_lab.scenario.play import play
from iiop_lab.scenario.text import read_lab

FOLDER = Path(iiop_lab.__path__[0]) / "scenarios"
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.toml") if read_lab(path).lab.step)


def test_all_chapters_are_there() -> None:
    chapters = {name.partition("-")[0] for name in SCENARIOS}
    assert chapters == {"2.3", "3.4.1", "3.4.2", "4.10.1", "demo"}


@pytest.mark.lab
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
def test_as_expected(name: str, tmp_path: Path) -> None:
    read = read_lab(FOLDER / f"{name}.toml")
    assert read.notes == ()
    assert {client.stub for client in read.lab.clients.values()} == {"iiopkit", "omniORBpy"}
    with Lab(read.lab, tmp_path, beside=read.folder, any_port=True) as lab:
        outcome = play(lab)
    assert [verdict for verdict in outcome.all_verdicts if not verdict.kept] == []
    assert len(outcome.all_verdicts) > len(read.lab.step)
    assert lab.crashed == ()


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_with_host_names_in_references(tmp_path: Path) -> None:
    """As the manual has it: behind IPCOM a client is given host names, which each machine knows by its hosts file."""
    table = {
        "references": "names",
        "hosts": {"vhost": "127.0.0.10", "host1": "127.0.0.11", "host2": "127.0.0.12"},
        "virtual_host": {},
        "nodes": {"host1": {}, "host2": {}},
        "work_units": {"TD": {"names": {"TDsample::tdtest": "vhost", "TDsample::tdtest.direct": "own"}}},
        "clients": {stub: {"stub": stub, "fresh": 10, "name": "TDsample::tdtest.direct"} for stub in ("iiopkit", "omniORBpy")},
        "step": [
            {"name": "calls", "calls": 50, "expect": [{"failed": 0}]},
        ],
    }
    from iiop_lab.scenario.text import read_table
    from naming import NameService

    read = read_table(table, tmp_path / "lab.toml")
    with Lab(read.lab, tmp_path / "lab", beside=tmp_path, any_port=True) as lab:
        with NameService(lab.address(), hosts=lab.hosts) as names:
            for name in ("TDsample::tdtest", "TDsample::tdtest.direct"):
                assert names.resolve(name).endpoints()[0].host in {"vhost", "host1", "host2"}
        outcome = play(lab)
    assert [verdict for verdict in outcome.all_verdicts if not verdict.kept] == []


def test_what_does_not_come_so_is_told(tmp_path: Path) -> None:
    from iiop_lab.scenario.text import read_table

    table = {
        "hosts": {"host1": "127.0.0.11"},
        "nodes": {"host1": {}},
        "work_units": {"TD": {"names": {"TDsample::tdtest": "own"}}},
        "clients": {"ours": {"rounds": 1}},
        "step": [
            {"name": "calm", "calls": 5, "expect": [{"failed": 0}]},
            {"name": "broken", "do": ["kill host1"], "quiet": True, "calls": 1, "expect": [{"failed": 0}]},
            {"name": "late", "do": [], "within": 0.05, "until": [{"state": {"host1": "running"}}]},
        ],
        "expect": [{"at_most_once": True}],
    }
    read = read_table(table, tmp_path / "lab.toml")
    told = []
    with Lab(read.lab, tmp_path / "lab", beside=tmp_path, any_port=True) as lab:
        lab.listen(told.append)
        outcome = play(lab)
    assert not outcome.kept
    assert [(step.name, [verdict.kept for verdict in step.verdicts]) for step in outcome.steps] == [
        ("calm", [True]),
        ("broken", [False]),
        ("late", [False]),
    ]
    assert [verdict.kept for verdict in outcome.verdicts] == [True]
    assert [(event.event, event.subject) for event in told if event.event in ("kept", "broken")] == [
        ("kept", "calm"),
        ("broken", "broken"),
        ("broken", "late"),
        ("kept", "all calls"),
    ]
    (client,) = outcome.clients
    assert client.name == "ours"
    assert client.answered == client.hosts["host1"] == len(lab.journals["host1"]) >= 5

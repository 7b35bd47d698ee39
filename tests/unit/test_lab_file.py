"""Lab files: what is read, and that every mistake is told with its line, its key and what was meant."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest

from iiop_lab.scenario.declaration import (
    Aiming,
    ClientDeclaration,
    ClusterDeclaration,
    Expectation,
    FailureKind,
    FaultDeclaration,
    LabFile,
    LimitDeclaration,
    NodeDeclaration,
    RefusalDeclaration,
    ServiceDeclaration,
    Step,
    VirtualHostDeclaration,
    WorkUnitDeclaration,
)
from iiop_lab.scenario.mistakes import LabFileError
from iiop_lab.scenario.text import Read, read_lab

WHOLE = """\
about = "All that can be said"

[hosts]
vhost = "127.0.0.10"
host1 = "127.0.0.11"
host2 = "127.0.0.12"
app = "127.0.0.20"
spare = "127.0.0.30"

[virtual_host]
probe_interval = 1
probe_live = true
refusal = { minor = 0x464a0914, delivery = "close" }
[virtual_host.services.naming]
stickiness = "address"
[virtual_host.services.bank]
work_units = ["TD"]
keys = ["account*"]
policy = "weights"
weights = { host1 = 3, host2 = 0.5 }
limits.waiting_messages = { upper = 10, restoration = 5 }

[nodes.host1]
load = "measured"
[nodes.host2]
load = { cpu = 0.5, waiting_messages = 12 }
port = 0
proxy = true
[nodes.app1]
home = "folders/app1"
[nodes.app2]

[work_units.TD]
names = { "TDsample::tdtest" = "vhost", other = "own" }
count = 2
[work_units.program]
nodes = ["app1", "app2"]
command = ["/bin/true", "--verbose"]
env.LANG = "C"

[clusters.app]
nodes = ["app1", "app2"]

[faults.slow]
fault = "latency"
at = "host1"
parameters = { seconds = 0.5, jitter = 0.1 }
aim = { direction = "to_client", nth = 3 }
attached = true
[faults.front]
fault = "drop"
at = "vhost"

[clients.one]
[clients.two]
stub = "omniORBpy"
naming = "app"
[clients.program]
command = ["/bin/true"]

[[step]]
name = "first"
calls = 10
do = [
  "kill host1", "restore host1/TD",
  "switch app",
  "fault slow off",
  "maintenance host2",
  "report host2 cpu 0.75",
]
until = [{ standing = { host1 = "dead" } }]

[[step]]
name = "second"
[[step.expect]]
clients = ["one"]
failed = 0
[[step.expect]]
failed_with = { exception = "COMM_FAILURE", minor = 0x464a0114, completed = "COMPLETED_NO" }

[[expect]]
served_by = { host1 = 0.3, host2 = 0.7 }
active.app = "app2"
state = { "host1/TD" = "running", app1 = "died" }
struck.slow = 1
exit.program = 0
"""


def read(folder: Path, text: str, name: str = "lab.toml") -> Read:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_lab(path)


def test_all_that_can_be_said(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert found.lab == LabFile(
        about="All that can be said",
        hosts={
            "vhost": "127.0.0.10",
            "host1": "127.0.0.11",
            "host2": "127.0.0.12",
            "app": "127.0.0.20",
            "spare": "127.0.0.30",
        },
        virtual_host=VirtualHostDeclaration(
            probe_interval=1.0,
            probe_live=True,
            refusal=RefusalDeclaration(0x464A0914, "close"),
            services={
                "naming": ServiceDeclaration(stickiness="address"),
                "bank": ServiceDeclaration(
                    work_units=("TD",),
                    keys=("account*",),
                    policy="weights",
                    weights={"host1": 3.0, "host2": 0.5},
                    limits={"waiting_messages": LimitDeclaration(10.0, 5.0)},
                ),
            },
        ),
        nodes={
            "host1": NodeDeclaration(load="measured"),
            "host2": NodeDeclaration(load={"cpu": 0.5, "waiting_messages": 12.0}, port=0, proxy=True),
            "app1": NodeDeclaration(home="folders/app1"),
            "app2": NodeDeclaration(),
        },
        work_units={
            "TD": WorkUnitDeclaration(names={"TDsample::tdtest": "vhost", "other": "own"}, count=2),
            "program": WorkUnitDeclaration(nodes=("app1", "app2"), command=("/bin/true", "--verbose"), env={"LANG": "C"}),
        },
        clusters={"app": ClusterDeclaration(("app1", "app2"))},
        faults={
            "slow": FaultDeclaration(
                "latency", "host1", {"seconds": 0.5, "jitter": 0.1}, Aiming(direction="to_client", nth=3), attached=True
            ),
            "front": FaultDeclaration("drop", "vhost"),
        },
        clients={
            "one": ClientDeclaration(),
            "two": ClientDeclaration(stub="omniORBpy", naming="app"),
            "program": ClientDeclaration(command=("/bin/true",)),
        },
        step=(
            Step(
                "first",
                calls=10,
                do=(
                    "kill host1",
                    "restore host1/TD",
                    "switch app",
                    "fault slow off",
                    "maintenance host2",
                    "report host2 cpu 0.75",
                ),
                until=(Expectation(standing={"host1": "dead"}),),
            ),
            Step(
                "second",
                expect=(
                    Expectation(clients=("one",), failed=0),
                    Expectation(failed_with=FailureKind("COMM_FAILURE", 0x464A0114, "COMPLETED_NO")),
                ),
            ),
        ),
        expect=(
            Expectation(
                served_by={"host1": 0.3, "host2": 0.7},
                active={"app": "app2"},
                state={"host1/TD": "running", "app1": "died"},
                struck={"slow": 1},
                exit={"program": 0},
            ),
        ),
    )
    assert (found.file, found.folder, found.notes) == (tmp_path / "lab.toml", tmp_path, ())
    numbers = found.lab.virtual_host.probe_interval if found.lab.virtual_host else math.nan
    assert isinstance(numbers, float), "whole numbers are read as what is declared"


def test_the_least_lab(tmp_path: Path) -> None:
    found = read(tmp_path, 'hosts.host1 = "127.0.0.11"\nnodes.host1 = {}\n')
    assert found.lab == LabFile(hosts={"host1": "127.0.0.11"}, nodes={"host1": NodeDeclaration()})


@pytest.mark.parametrize("form", ["\ufeff{}", "{}\n\n# nothing follows"], ids=["bom", "comment"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_other_editors(tmp_path: Path, form: str, end: str) -> None:
    found = read(tmp_path, form.format('[hosts]\nhost1 = "127.0.0.11"\n[nodes.host1]\n').replace("\n", end))
    assert found.lab.hosts == {"host1": "127.0.0.11"}


def test_a_mistake_is_an_error_of_ours_and_crosses_processes(tmp_path: Path) -> None:
    with pytest.raises(LabFileError) as caught:
        read(tmp_path, "nodes.host1.prot = 8002")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.mistakes == caught.value.mistakes
    assert str(again) == str(caught.value)

"""Procedures of Interstage's manual, as shell scripts that use our commands by their names."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from naming.listings import parse_bindings

SCRIPTS = Path(__file__).with_name("manual")
COMMANDS = {
    "nstool": "iiop_tools.nstool:main",
    "OD_or_adm": "iiop_tools.od_or_adm:main",
    "OD_set_env": "iiop_tools.od_set_env:main",
    "odlistns": "iiop_tools.odlistns:main",
    "esgetchnlior": "iiop_tools.es_channels:main_get",
    "esetchnlior": "iiop_tools.es_channels:main_set",
}
PATIENCE = 280.0
"""Seconds for some thirty commands, each an interpreter that starts, on a machine that does other things too."""

pytestmark = [
    pytest.mark.lab,
    pytest.mark.xdist_group("lab"),
    pytest.mark.usefixtures("lab_addresses"),
    pytest.mark.timeout(300),
]


def run(script: str, folder: Path) -> dict[str, list[str]]:
    """Run a script to its end, and return what it printed below each of its steps."""
    programs = folder / "bin"
    programs.mkdir()
    for name, entry in COMMANDS.items():
        module, function = entry.split(":")
        program = programs / name
        program.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        program.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OD_", "IS_", "IIOP_"))}
    env |= {"PATH": f"{programs}{os.pathsep}{env['PATH']}", "MANUAL": str(SCRIPTS)}
    out, err = folder / "out", folder / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        command = ["bash", str(SCRIPTS / script)]
        shell = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
        )
        try:
            code = shell.wait(PATIENCE)
        except BaseException:
            os.killpg(shell.pid, signal.SIGKILL)  # and the servers that it has not stopped
            shell.wait()
            raise
    assert code == 0, out.read_text() + err.read_text()
    steps: dict[str, list[str]] = {}
    for line in out.read_text().splitlines():
        if line.startswith("== "):
            steps[line.removeprefix("== ")] = below = []
        else:
            below.append(line)
    return steps


def test_copying_a_naming_service(tmp_path: Path) -> None:
    steps = run("copy_naming_service.sh", tmp_path)
    text = "\n".join(steps["both list the same text, context ids included"])
    rows = {row.name: row.information for row in parse_bindings(text)}
    assert list(rows) == ["NC001", "NC001/NC002", "NC001/TDsample::tdtest"]
    assert re.fullmatch(r"context\.\d+\.\d+", rows["NC001"].detail)
    assert rows["NC001"].detail != rows["NC001/NC002"].detail
    assert "(vhost:\n8002:1.0:), context." in text
    assert steps["what is bound from now on is not on the other host"][0].startswith("> later(o)    IDL:TDsample/tdtest:1.0, ")
    assert list(steps)[-1] == "host1 runs on, and is copied again"


def test_event_channels_of_a_cluster(tmp_path: Path) -> None:
    steps = run("event_channels.sh", tmp_path)
    rows = parse_bindings("\n".join(steps["node2: register the references"]))
    assert [row.name for row in rows] == ["group1::channel1", "group1::channel2"]
    for row in rows:
        assert row.information.repository_ids == ("IDL:CosNotifyChannelAdmin/EventChannel:1.0",)
        assert row.information.address is not None
        assert (row.information.address.host, row.information.address.port) == ("127.0.0.10", 8002)
    assert steps["node1 still has its own"][1:] == ["group1::channel1(o)", "group1::channel2(o)", "group2::channel1(o)"]

"""Each mistake that a lab file can have, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iiop_lab.scenario.mistakes import LabFileError
from iiop_lab.scenario.text import read_lab

LAB = """\
[hosts]
vhost = "127.0.0.10"
host1 = "127.0.0.11"
host2 = "127.0.0.12"
app = "127.0.0.20"
[virtual_host]
[nodes.host1]
[nodes.host2]
[nodes.app1]
[nodes.app2]
[clusters.app]
nodes = ["app1", "app2"]
[work_units.TD]
nodes = ["host1"]
[faults.slow]
fault = "latency"
at = "host1"
parameters.seconds = 1
[clients.one]
[clients.program]
command = ["true"]
"""
"""A lab without a mistake, of 21 lines; what is added begins in line 22."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder, so that files have short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(text: str) -> list[str]:
    Path("lab.toml").write_text(text, encoding="utf-8")
    try:
        read_lab(Path("lab.toml"))
    except LabFileError as error:
        caught = error
    else:
        return []
    assert str(caught) == "\n".join(map(str, caught.mistakes))
    return [str(mistake).removeprefix("lab.toml:") for mistake in caught.mistakes]


def changed(old: str, new: str) -> str:
    assert LAB.count(old) == 1
    return LAB.replace(old, new)


def test_there_is_none() -> None:
    assert told(LAB) == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        # what a key takes
        (
            "[nodes.host2]",
            "[nodes.host2]\nprot = 1",
            "9: nodes.host2.prot: there is no such key; did you mean 'port'? There are: host, port, home, load, proxy",
        ),
        ("[nodes.host2]", "[nodes.host2]\nport = '1'", "9: nodes.host2.port: it takes a whole number, not '1'"),
        ("[nodes.host2]", "[nodes.host2]\nport = true", "9: nodes.host2.port: it takes a whole number, not true"),
        ("[nodes.host2]", "[nodes.host2]\nport = 8002.0", "9: nodes.host2.port: it takes a whole number, not 8002.0"),
        ("[nodes.host2]", "[nodes.host2]\nport = 2026-01-01", "9: nodes.host2.port: it takes a whole number, not a date or time"),
        ("[nodes.host2]", "[nodes.host2]\nproxy = 1", "9: nodes.host2.proxy: it takes true or false, not 1"),
        ("[nodes.host2]", "[nodes.host2]\nload = 5", "9: nodes.host2.load: it takes 'measured' or a table, not 5"),
        (
            "[nodes.host2]",
            "[nodes.host2]\nload = 'measure'",
            "9: nodes.host2.load: it cannot be 'measure'; did you mean 'measured'? There are: measured",
        ),
        (
            "[nodes.host2]",
            "[nodes.host2]\nload.cpus = 5",
            "9: nodes.host2.load.cpus: there is no such key; did you mean 'cpu'? There are: cpu, memory, "
            "disk_io, waiting_messages, buffer_use",
        ),
        ("[nodes.host2]", "[nodes.host2]\nload.cpu = []", "9: nodes.host2.load.cpu: it takes a number, not an array"),
        ('["app1", "app2"]', '"app1"', "12: clusters.app.nodes: it takes an array, not 'app1'"),
        ('["app1", "app2"]', '["app1",\n{}]', "13: clusters.app.nodes[2]: it takes a string, not a table"),
        ('nodes = ["app1", "app2"]', "", "11: clusters.app.nodes: it is missing: an array belongs here"),
        ("[virtual_host]", "virtual_host2 = []\n[virtual_host]", "6: hosts.virtual_host2: it takes a string, not an array"),
        ("[virtual_host]", "[virtual_host]\nservices = 1", "7: virtual_host.services: it takes a table, not 1"),
        (
            "[virtual_host]",
            "[virtual_host]\nprobe = 'conect'",
            "7: virtual_host.probe: it cannot be 'conect'; did you mean 'connect'? There are: connect, locate",
        ),
        (
            "[virtual_host]",
            f"[virtual_host]\nprobe_interval = 0x1{'0' * 400}",
            "7: virtual_host.probe_interval: the number is too large",
        ),
        (
            "[virtual_host]",
            f"[virtual_host]\nprobe = 0x1{'0' * 400}",
            "7: virtual_host.probe: it takes 'connect' or 'locate', not a number of that size",
        ),
        # hosts
        ('"127.0.0.11"', '"10.0.0.1"', "3: hosts.host1: '10.0.0.1' is no address of 127.0.0.0/8, as 127.0.0.11 is"),
        ('"127.0.0.11"', '"localhost"', "3: hosts.host1: 'localhost' is no address of 127.0.0.0/8, as 127.0.0.11 is"),
        ('"127.0.0.12"', '"127.0.0.11"', "4: hosts.host2: 127.0.0.11 is the address of 'host1'; each host has its own"),
        (
            "[virtual_host]",
            "own = '127.0.0.13'\n[virtual_host]",
            "6: hosts.own: no host can have that name: it stands for the host of each node",
        ),
        (
            "[virtual_host]",
            "'a b' = '127.0.0.13'\n[virtual_host]",
            "6: hosts.\"a b\": a name has at least one character, no space and no '/'",
        ),
        # nodes
        (
            "[nodes.host2]",
            "[nodes.host3]",
            "8: nodes.host3.host: it listens at the host of its own name: there is no host 'host3'; did you "
            "mean 'host2'? There are: vhost, host1, host2, app",
        ),
        (
            "[nodes.host2]",
            "[nodes.host2]\nhost = 'host3'",
            "9: nodes.host2.host: there is no host 'host3'; did you mean 'host2'? There are: vhost, host1, host2, app",
        ),
        (
            "[nodes.host2]",
            "[nodes.host2]\nhost = 'host1'",
            "8: nodes.host2.port: node 'host1' listens at port 8002 of 'host1' already",
        ),
        (
            "[nodes.host2]",
            "[nodes.host2]\nhost = 'vhost'",
            "8: nodes.host2.port: the virtual host listens at port 8002 of 'vhost' already",
        ),
        (
            "[nodes.host2]",
            "[nodes.host2]\nhost = 'app'",
            "10: nodes.app1.port: node 'host2' listens at port 8002 of 'app' already\n11: nodes.app2.port: "
            "node 'host2' listens at port 8002 of 'app' already",
        ),
        ("[nodes.host2]", "[nodes.host2]\nport = 65536", "9: nodes.host2.port: it must be 0 to 65535"),
        ("[nodes.host2]", "[nodes.host2]\nload.cpu = 1.5", "9: nodes.host2.load.cpu: it must be 0 to 1, not 1.5"),
        (
            "[nodes.host2]",
            "[nodes.host2]\nload.waiting_messages = inf",
            "9: nodes.host2.load.waiting_messages: it must be 0 or more, not inf",
        ),
        # clusters
        (
            '["app1", "app2"]',
            '["app1", "app1"]',
            "12: clusters.app.nodes: it takes two nodes, one to serve and one to stand by",
        ),
        (
            '["app1", "app2"]',
            '["app1", "app3", "app2"]',
            "12: clusters.app.nodes: it takes two nodes, one to serve and one to stand by",
        ),
        (
            '["app1", "app2"]',
            '["app1", "app2", "app3"]',
            "12: clusters.app.nodes: it takes two nodes, one to serve and one to stand by",
        ),
        (
            '["app1", "app2"]',
            '["app1", "app2"]\nhost = "ap"',
            "13: clusters.app.host: there is no host 'ap'; did you mean 'app'? There are: vhost, host1, host2, app",
        ),
        (
            '["app1", "app2"]',
            '["app1", "app2"]\ntimeout = 0',
            "13: clusters.app.timeout: it must be more than 0 seconds, not 0.0",
        ),
        (
            '["app1", "app2"]',
            '["app1", "app2"]\nheartbeat = -1',
            "13: clusters.app.heartbeat: it must be 0 or more seconds, not -1.0",
        ),
        (
            '["app1", "app2"]',
            '["app1", "app2"]\n[clusters.more]\nhost = "host2"\nnodes = [\n"host1", "app2"]',
            "8: nodes.host2.port: node 'host1' listens at port 8002 of 'host2' already\n16: "
            "clusters.more.nodes[2]: node 'app2' is in cluster 'app' already",
        ),
        # virtual host
        (
            "[virtual_host]",
            "[virtual_host]\nhost = 'vhosst'",
            "7: virtual_host.host: there is no host 'vhosst'; did you mean 'vhost'? There are: vhost, host1, host2, app",
        ),
        ("[virtual_host]", "[virtual_host]\nport = -1", "7: virtual_host.port: it must be 0 to 65535"),
        (
            "[virtual_host]",
            "[virtual_host]\nprobe_interval = 0",
            "7: virtual_host.probe_interval: it must be more than 0 seconds, not 0.0",
        ),
        (
            "[virtual_host]",
            "[virtual_host]\nconnect_timeout = nan",
            "7: virtual_host.connect_timeout: it must be more than 0 seconds, not nan",
        ),
        (
            "[virtual_host]",
            "[virtual_host]\nrefusal.minor = 0x1_0000_0000",
            "7: virtual_host.refusal.minor: it must be 0 to 0xffffffff",
        ),
        (
            "[virtual_host]",
            "[virtual_host]\ntargets = ['host1', 'host3']",
            "7: virtual_host.targets[2]: there is no node 'host3'; did you mean 'host2'? There are: host1, host2, app1, app2",
        ),
        (
            "[virtual_host]",
            "[virtual_host]\ntargets = ['host1', 'host1']",
            "7: virtual_host.targets[2]: it is where 'host1' is, which is a target already",
        ),
        (
            "[virtual_host]",
            "[virtual_host]\ntargets = ['app1', 'app2']",
            "7: virtual_host.targets[2]: it is where 'app1' is, which is a target already",
        ),
    ],
)
def test_in_the_lab(old: str, new: str, mistake: str) -> None:
    assert "\n".join(told(changed(old, new))) == mistake


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        # services
        ("[virtual_host.services.bank]", "22: virtual_host.services.bank: it has no objects: give it work_units or keys"),
        (
            "[virtual_host.services.bank]\nkeys = ['']",
            "23: virtual_host.services.bank.keys[1]: an empty pattern is the key of no object",
        ),
        (
            "[virtual_host.services.bank]\nwork_units = ['T']",
            "23: virtual_host.services.bank.work_units[1]: there is no WorkUnit 'T'; did you mean 'TD'? There are: TD",
        ),
        (
            "[virtual_host.services.calls]\nweights.host3 = 1",
            "23: virtual_host.services.calls.weights.host3: there is no node 'host3'; did you mean 'host2'? "
            "There are: host1, host2, app1, app2",
        ),
        (
            "[virtual_host.services.calls]\nweights.app1 = 1",
            "23: virtual_host.services.calls.weights.app1: node 'app1' is no target of the virtual host",
        ),
        (
            "[virtual_host.services.calls]\nweights.host1 = -1",
            "23: virtual_host.services.calls.weights.host1: a weight is 0 or more, not -1.0",
        ),
        (
            "[virtual_host.services.calls.limits.cpus]\nupper = 1\nrestoration = 0",
            "22: virtual_host.services.calls.limits.cpus: there is no such measure; did you mean 'cpu'? "
            "There are: connections, response_time, data_quantity, cpu, memory, disk_io, waiting_messages, "
            "buffer_use",
        ),
        (
            "[virtual_host.services.calls.limits.cpu]\nupper = 0.5\nrestoration = 0.6",
            "22: virtual_host.services.calls.limits.cpu: restoration 0.6 is above the upper limit 0.5 of cpu",
        ),
        (
            "[virtual_host.services.calls.limits.cpu]\nupper = 0.5",
            "22: virtual_host.services.calls.limits.cpu.restoration: it is missing: a number belongs here",
        ),
        (
            "[virtual_host.services.calls.limits.cpu]\nupper = nan\nrestoration = 0",
            "23: virtual_host.services.calls.limits.cpu.upper: it must be 0 or more, not nan",
        ),
        (
            "[virtual_host.services.calls.limits.response_time]\nupper = 1\nrestoration = 0",
            "22: virtual_host.services.calls.limits.response_time: a target that gets no work has no "
            "response time: it would never be restored",
        ),
        (
            "[virtual_host.services.calls]\nstickiness = 'sesion'",
            "23: virtual_host.services.calls.stickiness: it cannot be 'sesion'; did you mean 'session'? "
            "There are: call, connection, address, session",
        ),
        # WorkUnits
        (
            "[work_units.more]\nnodes = ['host3']",
            "23: work_units.more.nodes[1]: there is no node 'host3'; did you mean 'host2'? There are: host1, host2, app1, app2",
        ),
        ("[work_units.more]\ncount = 0", "23: work_units.more.count: it must be 1 or more"),
        (
            "[work_units.more]\nservant = 'bank:Account'\nscript = 'lab.toml'",
            "24: work_units.more.script: servant says already what runs; give one of servant, script and command",
        ),
        ("[work_units.more]\nservant = 'bank.Account'", "23: work_units.more.servant: 'bank.Account' is no 'module:Class'"),
        ("[work_units.more]\nscript = 'bank.py'", "23: work_units.more.script: there is no file 'bank.py' in ."),
        ("[work_units.more]\ncommand = ['']", "23: work_units.more.command[1]: it is the program, and cannot be empty"),
        (
            "[work_units.more]\nnames = { a = 'owm' }",
            "23: work_units.more.names.a: there is no host 'owm'; there are: vhost, host1, host2, app",
        ),
        (
            "[work_units.more]\nnames = { 'a//b' = 'own' }",
            '23: work_units.more.names."a//b": it is no name of the Naming Service: ',
        ),
        ("[work_units.more]\nenv = { 'A=B' = 'c' }", '23: work_units.more.env."A=B": no variable can have that name'),
        ("[work_units.'a/b']", "22: work_units.\"a/b\": a name has at least one character, no space and no '/'"),
        # faults
        ("[faults.more]\nat = 'host1'", "22: faults.more.fault: it is missing: a string belongs here"),
        (
            "[faults.more]\nfault = 'dealy'\nat = 'host1'",
            "23: faults.more.fault: there is no fault 'dealy' (did you mean 'delay'?): there are bandwidth, ",
        ),
        (
            "[faults.more]\nfault = 'delay'\nat = 'host1'",
            "22: faults.more.parameters: fault delay needs the parameter 'seconds': there is seconds",
        ),
        (
            "[faults.more]\nfault = 'delay'\nat = 'host1'\nparameters.second = 1",
            "25: faults.more.parameters: fault delay has no parameter 'second' (did you mean 'seconds'?): there is seconds",
        ),
        (
            "[faults.more]\nfault = 'delay'\nat = 'host1'\nparameters.seconds = -1",
            "25: faults.more.parameters: fault delay: seconds=-1: must be 0 or more",
        ),
        (
            "[faults.more]\nfault = 'drop'\nat = 'host1'\nparameters.name = 1",
            "25: faults.more.parameters: fault drop has no parameter 'name': there is none",
        ),
        ("[faults.more]\nfault = 'drop'\nat = 'host1'\naim.nth = 0", "25: faults.more.aim: nth=0: messages are counted from 1"),
        (
            "[faults.more]\nfault = 'drop'\nat = 'host1'\naim.probability = 2",
            "25: faults.more.aim: probability=2.0: must be 0 to 1",
        ),
        (
            "[faults.more]\nfault = 'swap_replies'\nat = 'host1'\naim.direction = 'to_server'",
            "25: faults.more.aim: SwapReplies is for to_client, not for to_server",
        ),
        (
            "[faults.more]\nfault = 'refuse'\nat = 'host1'\naim.operation = 'resolve'",
            "25: faults.more.aim: Refuse cannot be aimed at messages",
        ),
        (
            "[faults.more]\nfault = 'latency'\nat = 'host1'\nparameters = { seconds = 1, seed = [] }",
            "25: faults.more.parameters.seed: it takes a whole number, not an array",
        ),
        (
            "[faults.more]\nfault = 'needs_addressing_mode'\nat = 'host1'\nparameters.mode = []",
            "25: faults.more.parameters.mode: it takes a string or a whole number, not an array",
        ),
        (
            "[faults.more]\nfault = 'latency'\nat = 'host1'\n[faults.more.parameters]\nseconds = true\njitter = 'b'",
            "26: faults.more.parameters.seconds: it takes a number, not true\n"
            "27: faults.more.parameters.jitter: it takes a number, not 'b'",
        ),
        (
            "[faults.more]\nfault = 'other_byte_order'\nat = 'host1'\nparameters.interfaces = 5",
            "25: faults.more.parameters.interfaces: it takes nothing that a file can say, not 5",
        ),
        (
            "[clients.two]\nexpect = []",
            "23: clients.two.expect: it belongs above the first [table], to the file as a whole",
        ),
        (
            "[faults.more]\nfault = 'drop'\nat = 'host3'",
            "24: faults.more.at: there is no node 'host3', nor is it the host of the virtual host; did you "
            "mean 'host2'? There are: host1, host2, app1, app2, vhost",
        ),
        # clients
        (
            "[clients.two]\nnaming = 'hots1'",
            "23: clients.two.naming: there is no host 'hots1'; did you mean 'host1'? There are: vhost, host1, host2, app",
        ),
        ("[clients.two]\nfresh = -1", "23: clients.two.fresh: it must be 0 or more"),
        ("[clients.two]\ntimeout = -1", "23: clients.two.timeout: it must be 0 or more seconds, not -1.0"),
        ("[clients.two]\ndeadline = inf", "23: clients.two.deadline: it must be more than 0 seconds, not inf"),
        (
            "[clients.two]\nstub = 'omniorbpy'",
            "23: clients.two.stub: it cannot be 'omniorbpy'; did you mean 'omniORBpy'? There are: iiopkit, omniORBpy",
        ),
        # steps
        ("[[step]]", "22: step[1].name: it is missing: a string belongs here"),
        ("[[step]]\nname = ''", "23: step[1].name: it is empty"),
        ("[[step]]\nname = 'a'\n[[step]]\nname = 'a'", "25: step[2].name: another step is called 'a'"),
        ("[[step]]\nname = 'a'\nafter = nan", "24: step[1].after: it must be 0 or more seconds, not nan"),
        ("[[step]]\nname = 'a'\ncalls = -1", "24: step[1].calls: it must be 0 or more"),
        (
            "[[step]]\nname = 'a'\ndo = [\n'kil host1']",
            "25: step[1].do[1]: 'kil' is nothing that can be done; did you mean 'kill'?",
        ),
        ("[[step]]\nname = 'a'\ndo = ['kill']", "24: step[1].do[1]: 'kill': it is said 'kill TARGET'"),
        (
            "[[step]]\nname = 'a'\ndo = ['kill host3']",
            "24: step[1].do[1]: 'kill host3': there is no node 'host3'; did you mean 'host2'? There are: "
            "host1, host2, app1, app2",
        ),
        (
            "[[step]]\nname = 'a'\ndo = ['kill host1/T']",
            "24: step[1].do[1]: 'kill host1/T': there is no WorkUnit 'T'; did you mean 'TD'? There are: TD",
        ),
        (
            "[[step]]\nname = 'a'\ndo = ['hang host2/TD']",
            "24: step[1].do[1]: 'hang host2/TD': WorkUnit 'TD' does not run on 'host2'",
        ),
        (
            "[[step]]\nname = 'a'\ndo = ['release app1']",
            "24: step[1].do[1]: 'release app1': node 'app1' is no target of the virtual host",
        ),
        (
            "[[step]]\nname = 'a'\ndo = ['switch ap']",
            "24: step[1].do[1]: 'switch ap': there is no cluster 'ap'; did you mean 'app'? There are: app",
        ),
        (
            "[[step]]\nname = 'a'\ndo = ['fault slwo']",
            "24: step[1].do[1]: 'fault slwo on': there is no fault 'slwo'; did you mean 'slow'? There are: slow",
        ),
        ("[[step]]\nname = 'a'\ndo = ['fault slow of']", "24: step[1].do[1]: 'fault slow of': it is on or off, not 'of'"),
        (
            "[[step]]\nname = 'a'\ndo = ['report host1 cup 1']",
            "24: step[1].do[1]: 'report host1 cup 1': nodes do not report 'cup'; did you mean 'cpu'? There "
            "are: cpu, memory, disk_io, waiting_messages, buffer_use",
        ),
        ("[[step]]\nname = 'a'\ndo = ['report host1 cpu x']", "24: step[1].do[1]: 'report host1 cpu x': 'x' is no number"),
        (
            "[[step]]\nname = 'a'\ndo = ['report host1 cpu 5']",
            "24: step[1].do[1]: 'report host1 cpu 5': it must be 0 to 1, not 5.0",
        ),
        # expectations
        ("[[expect]]", "22: expect[1]: it expects nothing"),
        ("[[expect]]\nclients = ['one']", "22: expect[1]: it expects nothing"),
        (
            "[[expect]]\nfaild = 0",
            "23: expect[1].faild: there is no such key; did you mean 'failed'? There are: clients, failed, "
            "failed_with, met, served_by, at_most_once, silence, standing, state, active, struck, exit",
        ),
        ("[[step]]\nname = 'a'\nuntil = [{}]", "24: step[1].until[1]: it expects nothing"),
        ("[[expect]]\nfailed = -1", "23: expect[1].failed: it must be 0 or more"),
        (
            "[[expect]]\nclients = ['won', 'program']\nfailed = 0",
            "23: expect[1].clients[1]: there is no client 'won'; did you mean 'one'? There are: one, "
            "program\n23: expect[1].clients[2]: it is a command, of whose calls nothing is known; expect its "
            "exit",
        ),
        ("[[expect]]\nmet.minor = -1", "23: expect[1].met.minor: it must be 0 to 0xffffffff"),
        (
            "[[expect]]\nmet.exception = 'COMM_FAILUR'",
            "23: expect[1].met.exception: there is no system exception 'COMM_FAILUR'; did you mean 'COMM_FAILURE'?",
        ),
        (
            "[[expect]]\nfailed_with.completed = 'NO'",
            "23: expect[1].failed_with.completed: it cannot be 'NO'; there are: COMPLETED_NO, COMPLETED_MAYBE, COMPLETED_YES",
        ),
        (
            "[[expect]]\nserved_by.host3 = 0",
            "23: expect[1].served_by.host3: there is no node 'host3'; did you mean 'host2'? There are: host1, host2, app1, app2",
        ),
        ("[[expect]]\nserved_by.host1 = 50", "23: expect[1].served_by.host1: it must be 0 to 1, not 50.0"),
        ("[[expect]]\nserved_by = {host1 = 0.6, host2 = 0.6}", "23: expect[1].served_by: the shares are more than 1 together"),
        ("[[expect]]\nsilence = -1", "23: expect[1].silence: it must be 0 or more seconds, not -1.0"),
        (
            "[[expect]]\nstanding.host1 = 'deaf'",
            "23: expect[1].standing.host1: it cannot be 'deaf'; did you mean 'dead'? There are: serving, "
            "maintenance, dead, degraded, full",
        ),
        ("[[expect]]\nstanding.app1 = 'dead'", "23: expect[1].standing.app1: node 'app1' is no target of the virtual host"),
        ("[[expect]]\nstate.'host2/TD' = 'died'", "23: expect[1].state.\"host2/TD\": WorkUnit 'TD' does not run on 'host2'"),
        (
            "[[expect]]\nactive.ap = 'app1'",
            "23: expect[1].active.ap: there is no cluster 'ap'; did you mean 'app'? There are: app",
        ),
        (
            "[[expect]]\nactive.app = 'host1'",
            "23: expect[1].active.app: 'host1' is no node of cluster 'app'; there are: app1, app2",
        ),
        ("[[expect]]\nstruck.slw = 1", "23: expect[1].struck.slw: there is no fault 'slw'; did you mean 'slow'? There are: slow"),
        ("[[expect]]\nstruck.slow = -1", "23: expect[1].struck.slow: it must be 0 or more"),
        ("[[expect]]\nexit.two = 1", "23: expect[1].exit.two: there is no client 'two'; there are: one, program"),
        ("[[expect]]\nexit.one = 1", "23: expect[1].exit.one: it has no exit status, as it is no command"),
    ],
)
def test_in_what_is_added(more: str, mistake: str) -> None:
    found = "\n".join(told(LAB + more))
    assert found.startswith(mistake) if mistake.endswith((": ", ", ")) else found == mistake

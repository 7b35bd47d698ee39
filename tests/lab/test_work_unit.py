"""WorkUnits: started, stopped, killed, hung; of Python servants, omniORBpy scripts and any command."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from iiop.exceptions import IIOPError
from iiop.failover import FailoverPolicy
from iiop.idl import Interface, Servant, operation
from iiop.iop import NIL
from iiop.net.client import Client
from iiop_lab.work_unit import State, WorkUnit, WorkUnitError, servant_command
from ior import IOR, IORBuilder
from naming.interfaces import NamingContext
from naming.types import NameComponent

POLICY = FailoverPolicy(deadline=10.0, rounds=1, refresh_interval=None)
IMPATIENT = FailoverPolicy(deadline=0.3, attempt_timeout=0.3, rounds=1, refresh_interval=None)
HERE = f"{__name__}:ProcessServant"
SOMEWHERE = IORBuilder("IDL:a:1.0").iiop("127.0.0.1", 1, key=b"k").build()

OMNIORBPY = """
import sys
import CORBA, CosNaming__POA

class Context(CosNaming__POA.NamingContext):
    def resolve(self, name):
        return None

orb = CORBA.ORB_init(sys.argv)
poa = orb.resolve_initial_references("RootPOA")
poa._get_the_POAManager().activate()
print("serving", orb.object_to_string(Context()._this()), flush=True)
orb.run()
"""


class Process(Interface):
    """Tells which process it is."""

    repository_id = "IDL:test/Process:1.0"

    @operation
    def pid(self) -> str:  # type: ignore[empty-body]
        """Return the id of the process."""


class ProcessServant(Servant):
    interface = Process

    def pid(self) -> str:
        return str(os.getpid())


class Picky(Servant):
    def __init__(self, needed: str) -> None:
        self.needed = needed


def unit(*command: str, name: str = "TD", **options: object) -> WorkUnit:
    return WorkUnit(name, command, env={"PYTHONPATH": os.pathsep.join(sys.path)}, **options)  # type: ignore[arg-type]


def prints(text: str, then: str = "sys.stdin.read()") -> tuple[str, ...]:
    return sys.executable, "-c", f"import sys, signal, time; print({text!r}, flush=True); {then}"


def ask(reference: IOR, policy: FailoverPolicy = POLICY) -> int:
    with Client(policy=policy) as client:
        return int(client.stub(reference, Process).pid())


def test_a_python_servant(tmp_path: Path) -> None:
    log = tmp_path / "td.log"
    with unit(*servant_command(HERE, key="td"), log=log) as td:
        (reference,) = td.references
        assert td.state is State.RUNNING
        assert reference.endpoints()[0].object_key == b"td"
        assert ask(reference) == td.pids[0]
        assert "IOR:" in log.read_text()
    assert td.state.value == "stopped"
    assert (td.pids, td.references) == ((), ())
    with pytest.raises(IIOPError):
        ask(reference)


def test_several_processes_serve_one_object() -> None:
    with unit(*servant_command(HERE, key="td"), count=3) as td:
        assert {ask(reference) for reference in td.references} == set(td.pids)
        assert len(td.pids) == 3


def test_several_processes_with_objects_of_their_own() -> None:
    td = unit(*servant_command(HERE), count=2)
    with pytest.raises(WorkUnitError, match="WorkUnit TD: its processes do not serve one object: their object keys differ"):
        td.start()
    assert td.pids == ()


def test_an_omniorbpy_script(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(OMNIORBPY)
    with unit(sys.executable, str(script), "-ORBendPoint", "giop:tcp:127.0.0.1:", name="ECHO") as echo:
        (reference,) = echo.references
        with Client(policy=POLICY) as client:
            assert client.stub(reference, Interface)._is_a(reference.type_id)
            assert client.stub(reference, NamingContext).resolve((NameComponent("a"),)) == NIL
        echo.hang()
        with Client(policy=IMPATIENT) as client, pytest.raises(IIOPError):
            client.stub(reference, Interface)._non_existent()


def test_killed_hung_and_started_again() -> None:
    changes: queue.SimpleQueue[State] = queue.SimpleQueue()
    td = unit(*servant_command(HERE, key="td"), on_change=lambda unit: changes.put(unit.state))
    with td:
        first = td.references[0]
        td.hang()
        with pytest.raises(IIOPError):
            ask(first, IMPATIENT)
        td.resume()
        assert ask(first) == td.pids[0]
        td.kill()
        with pytest.raises(IIOPError):
            ask(first)
        td.start()
        assert ask(td.references[0]) == td.pids[0]
        td.hang()
        td.restart()
        assert ask(td.references[0]) == td.pids[0]
        assert td.starts == 3
    expected = ["running", "hung", "running", "died", "running", "hung", "stopped", "running", "stopped"]
    assert [changes.get_nowait().value for _ in expected] == expected
    assert changes.empty()


def test_one_that_hangs_does_nothing_more() -> None:
    spins = "import threading\nfor _ in range(4): threading.Thread(target=lambda: [0 for _ in iter(int, 1)], daemon=True).start()"
    with unit(sys.executable, "-c", f"{spins}\n{prints(str(SOMEWHERE))[2]}") as td:
        for _ in range(20):
            td.hang()
            threads = Path(f"/proc/{td.pids[0]}/task").iterdir()
            assert {(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads} == {"T"}
            td.resume()


def test_one_that_dies_is_noticed() -> None:
    died = threading.Event()
    with unit(*servant_command(HERE), on_change=lambda unit: died.set() if unit.state is State.DIED else None) as td:
        os.kill(td.pids[0], signal.SIGKILL)
        assert died.wait(10)
        assert td.state is State.DIED
        with pytest.raises(WorkUnitError, match="is died, not running"):
            td.hang()
        td.restart()
        assert ask(td.references[0]) == td.pids[0]


def test_one_that_does_not_listen_is_killed() -> None:
    deaf = unit(
        *prints(str(SOMEWHERE), "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)")
    )
    deaf._patience = 10.0
    deaf.start()
    deaf._patience = 0.2
    start = time.monotonic()
    deaf.stop()
    assert time.monotonic() - start < 10
    assert deaf.state is State.STOPPED


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    left = tmp_path / "pid"
    with unit("sh", "-c", f"sleep 600 & echo $! > {left}; echo '{SOMEWHERE}'; wait"):
        child = int(left.read_text())
        os.kill(child, 0)
    patience = time.monotonic() + 10
    while (Path("/proc") / str(child)).exists() and "Z" not in (Path("/proc") / str(child) / "stat").read_text().split()[2]:
        assert time.monotonic() < patience


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("no-such-program",), "cannot run no-such-program: No such file or directory"),
        ((sys.executable, "-c", "print('out of memory'); raise SystemExit(3)"), "ended with status 3 before .*: out of memory"),
        (prints("IOR:00"), "printed a reference that cannot be read"),
        (servant_command("nowhere:Nothing"), "nowhere:Nothing: No module named 'nowhere'"),
        (servant_command(f"{__name__}:Process"), "is no servant class"),
        (servant_command(f"{__name__}:Picky"), "cannot be made: .*'needed'"),
        (servant_command("nowhere"), "'nowhere' is not module:Class"),
    ],
)
def test_one_that_does_not_start(command: tuple[str, ...], told: str) -> None:
    td = unit(*command)
    with pytest.raises(WorkUnitError, match=told):
        td.start()
    assert (td.state, td.pids) == (State.STOPPED, ())


def test_one_that_prints_nothing_in_time() -> None:
    td = unit(sys.executable, "-c", "import time; time.sleep(600)", patience=0.2)
    with pytest.raises(WorkUnitError, match=r"printed no reference in 0\.2 s"):
        td.start()
    assert td.pids == ()


@pytest.mark.parametrize("says", ["print('still looking')", "sys.stdout.write('still looking ' * 10)"])
def test_one_that_prints_something_else_for_ever(says: str) -> None:
    td = unit(sys.executable, "-c", f"import sys\nwhile True: {says}", patience=0.5)
    tracemalloc.start()
    try:
        with pytest.raises(WorkUnitError, match=r"printed no reference in 0\.5 s.*: .*still looking"):
            td.start()
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert td.pids == ()


def test_a_reference_behind_much_else() -> None:
    code = f"import sys; print('still looking ' * 50_000 + {str(SOMEWHERE)!r}, flush=True); sys.stdin.read()"
    with unit(sys.executable, "-c", code) as td:
        assert td.references == (SOMEWHERE,)


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="0 processes are none"):
        unit("true", count=0)
    with unit(*prints(str(SOMEWHERE))) as td:
        with pytest.raises(WorkUnitError, match="is running, and must be stopped to be started"):
            td.start()
        with pytest.raises(WorkUnitError, match="is running, not hung"):
            td.resume()
    td.stop()
    td.kill()
    assert td.state is State.STOPPED


SERVANT = """
from iiop.idl import Interface, Servant, operation
import os

class Folder(Interface):
    repository_id = "IDL:test/Process:1.0"

    @operation
    def pid(self) -> str: ...

class FolderServant(Servant):
    interface = Folder

    def pid(self) -> str:
        return str(len(os.environ["SAID"]))
"""


def test_a_servant_beside_other_modules(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text(SERVANT)
    (tmp_path / "naming.py").write_text("raise RuntimeError('not this one')")
    td = unit(*servant_command("beside_it:FolderServant"), cwd=tmp_path)
    td.surroundings = lambda: {"SAID": "four", "PYTHONPATH": "nowhere"}
    with td:
        assert ask(td.references[0]) == 4
    nowhere = unit("true", cwd=tmp_path / "nowhere")
    with pytest.raises(WorkUnitError, match=f"cannot run in {tmp_path}/nowhere: No such file or directory"):
        nowhere.start()


def test_killed_while_it_starts() -> None:
    td = unit(sys.executable, "-c", "import time; time.sleep(600)")
    refused: list[WorkUnitError] = []

    def start() -> None:
        with pytest.raises(WorkUnitError) as caught:
            td.start()
        refused.append(caught.value)

    starting = threading.Thread(target=start)
    starting.start()
    while not td.pids:
        time.sleep(0.001)
    td.kill()
    starting.join()
    assert "ended with status -9 before it printed a reference" in str(refused[0])
    assert (td.state, td.pids) == (State.STOPPED, ())


def test_one_that_hangs_unseen_stops() -> None:
    with unit(*servant_command(HERE)) as td:
        os.kill(td.pids[0], signal.SIGSTOP)
        began = time.monotonic()
        td.stop()
        assert time.monotonic() - began < 20, "it has heard SIGTERM, and was not killed after its time"


@pytest.mark.parametrize("text", ["here", ":1", "host:", "host:0", "host:65536", "host:x"])
def test_an_address_that_is_none(text: str) -> None:
    td = unit(*servant_command(HERE))
    td.surroundings = lambda: {"IIOP_LAB_ADDRESS": text}
    with pytest.raises(WorkUnitError, match=r"ended with status 2 before it printed a reference: .*is not host:port"):
        td.start()


def serving(*options: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(servant_command(HERE) + options, stdin=nothing, stdout=pipe, stderr=pipe, text=True, env=env)


def test_a_servant_without_standard_input_serves_until_it_is_told() -> None:
    with serving() as process:
        assert process.stdout is not None
        reference = IOR.from_string(process.stdout.readline().strip())
        assert ask(reference) == process.pid
        process.terminate()
        assert process.wait(20) == 0


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving("--port", str(port)) as process:
            _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (2, f"serve-servant: cannot listen on 127.0.0.1:{port}: Address already in use\n")

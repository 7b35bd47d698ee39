"""healing.*: what it costs to lose a server, to hold references, and to import us."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from iiop.failover import FailoverPolicy
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.sources import from_urls
from tests.bench.harness import Measured, Sides, row
from tests.interop import bank
from tests.peers import PeerProcess, peer_env

ROOT = Path(__file__).parents[2]
ROUNDS = 9
CONNECT_TIMEOUT = 0.3
REFERENCES = 10_000


def _env() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools"), str(ROOT / "fuzz")])}


@row("healing.sigkill", unit="ms", one_cpu=False)
def sigkill() -> Iterator[Sides]:
    """from SIGKILL of the server to the next good answer, and a resolve and a call by a client that begins"""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        naming = stack.enter_context(NamingServer())
        service = stack.enter_context(NameService(naming.corbaloc))
        name, account = parse_name(bank.NAME), service.reference(bank.NAME, bank.Account)
        healed, begun = [], []
        server: PeerProcess | None = None
        for number in range(ROUNDS + 1):
            args = [sys.executable, "-m", "tests.interop.bank_ours", str(number)]
            following = stack.enter_context(PeerProcess(args, folder / f"{number}.log", _env(), cwd=ROOT))
            reference = IOR.from_string(following.wait_line("(IOR:[0-9a-f]+)")[1])
            service.root.rebind(name, reference.to_iop())
            start = perf_counter()
            if server is not None:
                server.process.kill()
            assert account.value() == number
            if server is not None:
                healed.append(perf_counter() - start)
            server = following
            start = perf_counter()
            with NameService(naming.corbaloc) as other:
                assert other.reference(bank.NAME, bank.Account).value() == number
            begun.append(perf_counter() - start)
        yield Measured(median(healed) * 1e3), Measured(median(begun) * 1e3)


@row("healing.black_hole", unit="ms", target=1.1, one_cpu=False)
def black_hole() -> Iterator[Sides]:
    """from a call to an address that swallows connections to the answer of the next one, and `connect_timeout`"""
    with ExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        while True:  # until its queue is full, and the system answers no more
            sock = stack.enter_context(socket.socket())
            sock.settimeout(0.1)
            try:
                sock.connect(hole.getsockname())
            except TimeoutError:
                break
        naming = stack.enter_context(NamingServer())
        policy = FailoverPolicy(connect_timeout=CONNECT_TIMEOUT)
        urls = [f"corbaloc:iiop:1.2@127.0.0.1:{hole.getsockname()[1]}/NameService", naming.corbaloc]
        times = []
        for _ in range(ROUNDS):
            with NameService(IOR.from_iop(from_urls(*urls)(1.0)), policy=policy) as service:
                start = perf_counter()
                assert service.root.list(1)[0] == ()
                times.append(perf_counter() - start)
        yield Measured(median(times) * 1e3), Measured(CONNECT_TIMEOUT * 1e3)


_RESIDENT = """
import sys
texts = [line.strip() for line in open(sys.argv[1])]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
"""
_OURS = """
from iiop.idl import Interface
from ior import IOR
from naming import NameService
service = NameService("127.0.0.1:1")
def make(text):
    return service.client.reference(lambda timeout: None, Interface)
def learn(stub, text):
    from iiop.endpoints import endpoints
    stub._invoker._learn(endpoints(IOR.from_string(text)))
def held(text):
    stub = make(text)
    learn(stub, text)
    return stub
"""
_THEIRS = """
from omniORB import CORBA
held = CORBA.ORB_init([]).string_to_object
"""
_MEASURE = """
first = held(texts[0])
before = resident()
kept = [held(text) for text in texts]
print((resident() - before) / len(kept))
"""


def _number(program: str, *arguments: str) -> float:
    args = [sys.executable, "-c", program, *arguments]
    return float(subprocess.run(args, env=peer_env(_env()), check=True, capture_output=True, text=True).stdout)


@row("healing.memory", unit="B")
def memory() -> Iterator[Sides]:
    """of one of 10,000 references that were acquired, and of one of omniORBpy's"""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "references"
        iors = [IORBuilder(bank.Account.repository_id).iiop("127.0.0.1", 2809, key=b"%d" % n) for n in range(REFERENCES)]
        file.write_text("\n".join(str(each.build()) for each in iors))
        sides = [_number(_RESIDENT + kind + _MEASURE, str(file)) for kind in (_OURS, _THEIRS)]
        yield Measured(sides[0]), Measured(sides[1])


@row("healing.import", unit="ms")
def importing() -> Sides:
    """`import naming`, and `import omniORB, CosNaming`, in a new interpreter"""
    timed = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    times = {what: [_number(timed.format(what)) for _ in range(ROUNDS)] for what in ("naming", "omniORB, CosNaming")}
    return Measured(median(times["naming"]) * 1e3), Measured(median(times["omniORB, CosNaming"]) * 1e3)

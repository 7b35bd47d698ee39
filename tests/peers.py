"""Other ORBs as peers: omniNames, nameclt, catior, omniidl, omniORBpy, each in a process of its own.

Everything listens on loopback, on a port the system gave, and has ended when its context manager is left. A peer that
is not there is an error (`PeerMissing`), never a silent skip. Nothing here uses a codec of ours.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

TIMEOUT = 20.0
"""Seconds a peer gets for anything: to become ready, to answer, to end."""

NAMING_CONTEXT = "CosNaming.NamingContext"
NAMING_CONTEXT_EXT = "CosNaming.NamingContextExt"


class PeerMissing(RuntimeError):
    """A program or library that the test needs is not installed."""


class PeerFailed(RuntimeError):
    """A peer did not start, died, or did not answer in time; the text holds what it logged."""


# --- processes --------------------------------------------------------------------------------------------------------


def peer_program(name: str) -> Path:
    """Find a program of omniORB or of this project: the omniORB wheel's own binary, this environment, PATH."""
    spec = importlib.util.find_spec("jeteve_omniorb")
    # The wheel's scripts start the binary as a grandchild; the binary itself leaves nobody behind. omniidl is a script.
    for folder in spec.submodule_search_locations or () if spec and name != "omniidl" else ():
        if os.access(binary := Path(folder) / "bin" / name, os.X_OK):
            return binary
    found = shutil.which(name, path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))
    if found is None:
        raise PeerMissing(f"{name} is neither in this environment nor on PATH: pip install jeteve-omniorb")
    return Path(found)


def peer_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a peer: ours, without the settings omniORB would take from it, plus `extra`."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ORB", "OMNI"))}
    return env | {"OMNIORB_CONFIG": os.devnull, "PYTHONUNBUFFERED": "1"} | dict(extra or {})


class PeerProcess:
    """A server process in a group of its own, whose output goes to `log` and can be waited for, line by line."""

    def __init__(
        self, args: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.args = [str(arg) for arg in args]
        self.log = log
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            self.args,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=peer_env(env),
            cwd=cwd,
            start_new_session=True,
        )
        self._pump = threading.Thread(target=self._copy, daemon=True, name=f"log of {Path(self.args[0]).name}")
        self._pump.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _copy(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output, self.log.open("ab", buffering=0) as log:
            for line in output:
                log.write(line)
                with self._changed:
                    self._lines.append(line.decode(errors="replace"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_line(self, pattern: str, timeout: float = TIMEOUT) -> re.Match[str]:
        """Wait until a line of the output matches; raise PeerFailed with the whole log if none does."""
        compiled, seen, end = re.compile(pattern), 0, monotonic() + timeout
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if match := compiled.search(line):
                        return match
                seen = len(self._lines)
                if self._ended or not self._changed.wait(end - monotonic()):
                    raise self.failure(f"{'ended' if self._ended else f'{timeout} s passed'} without {pattern!r}")

    def failure(self, what: str) -> PeerFailed:
        log = self.log.read_text(errors="replace") if self.log.exists() else ""
        return PeerFailed(f"{' '.join(self.args)}: {what} (exit {self.process.poll()})\n--- {self.log}\n{log}")

    def kill(self) -> None:
        """End the whole group with SIGKILL."""
        self.stop(signal.SIGKILL)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """End the whole group, at last with SIGKILL, and wait for it."""
        _end_group(self.process, sig)
        self._pump.join(TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _end_group(process: subprocess.Popen[bytes], sig: signal.Signals = signal.SIGTERM) -> None:
    """Signal the group that `process` leads, only while its leader is not reaped: no other group can have its id."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, sig)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT)


def run_peer(args: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT) -> str:
    """Run a program to its end and return its standard output; raise PeerFailed if it fails or takes too long."""
    command = [str(arg) for arg in args]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=peer_env(env)
        )
    except subprocess.TimeoutExpired as error:
        output = f"{error.stdout!r}\n{error.stderr!r}"
        raise PeerFailed(f"{' '.join(command)}: not finished in {timeout} s\n{output}") from None
    if done.returncode:
        raise PeerFailed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


# --- naming services --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamingPeer:
    """A naming service that runs: where, and the process."""

    host: str
    port: int
    ior: str | None
    process: PeerProcess

    @property
    def corbaloc(self) -> str:
        return self.url()

    def url(self, version: str | None = None, key: str = "NameService", host: str | None = None) -> str:
        """Return a corbaloc, with a GIOP version, another key or another host name where asked."""
        return f"corbaloc::{version + '@' if version else ''}{host or self.host}:{self.port}/{key}"


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free now; somebody may take it before you do."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def omni_names(folder: Path, *options: str, host: str = "127.0.0.1", port: int | None = None) -> Iterator[NamingPeer]:
    """Run omniNames, its data and its log in `folder`.

    A given port serves to start it again at the same place, with the data of an earlier run in `folder`. Without one a free
    port is looked for: omniORB would take port 0, but then sets no SO_REUSEADDR, and could not be started there again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    process, ior, port = _start_omni_names(folder, options, host, port)
    with process:
        yield NamingPeer(host, port, ior, process)


def _start_omni_names(folder: Path, options: Sequence[str], host: str, port: int | None) -> tuple[PeerProcess, str, int]:
    for attempts_left in reversed(range(1 if port else 5)):
        where = port or free_port(host)
        args: list[str | Path] = [peer_program("omniNames"), "-start", "-always", "-datadir", folder]
        args += ["-ORBendPoint", f"giop:tcp:{host}:{where}", *options]
        process = PeerProcess(args, folder / "omninames.log")
        try:
            ior = process.wait_line(r"Root context is (IOR:[0-9a-f]+)")[1]
            process.wait_line("Checkpointing completed")
            return process, ior, where
        except BaseException as error:
            process.kill()
            if not (attempts_left and isinstance(error, PeerFailed) and "Failed to bind" in str(error)):
                raise
    raise AssertionError("unreachable")


@contextmanager
def our_naming_service(folder: Path, *options: str) -> Iterator[NamingPeer]:
    """Run our own Naming Service as its users do, `nstool serve`, its store and its log in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    args: list[str | Path] = [
        peer_program("nstool"),
        "serve",
        "--port",
        "0",
        "--ready-file",
        ready,
        "--folder",
        folder / "store",
        *options,
    ]
    with PeerProcess(args, folder / "nstool.log") as process:
        corbaloc = _wait_ready_file(process, ready)
        match = re.fullmatch(r"corbaloc:(?:iiop)?:(?:\d\.\d@)?([^:/]+):(\d+)/NameService", corbaloc)
        if match is None:
            raise process.failure(f"wrote {corbaloc!r} to its ready file, not a corbaloc of NameService")
        yield NamingPeer(match[1], int(match[2]), None, process)


def _wait_ready_file(process: PeerProcess, ready: Path) -> str:
    end, tick = monotonic() + TIMEOUT, threading.Event()
    while monotonic() < end:
        text = ready.read_text() if ready.exists() else ""
        if "\n" in text:
            return text.splitlines()[0].strip()
        if process.process.poll() is not None:
            raise process.failure("ended before it was ready")
        tick.wait(0.01)
    raise process.failure(f"no line in {ready} after {TIMEOUT} s")


# --- tools ------------------------------------------------------------------------------------------------------------


def run_nameclt(reference: str, *args: str, env: Mapping[str, str] | None = None) -> str:
    """Run nameclt on a naming context (corbaloc or IOR), advanced operations included, and return what it prints."""
    return run_peer([peer_program("nameclt"), "-advanced", "-ior", reference, *args], env=env)


def run_catior(ior: str, *args: str) -> str:
    """Run catior on a reference and return what it prints; PeerFailed if it refuses."""
    return run_peer([peer_program("catior"), *args, ior])


def omniidl_stubs(idl: str | Path, out_dir: Path, *args: str) -> Path:
    """Write omniORBpy stubs for an IDL file, or for IDL text, to `out_dir`, and return it for `OmniClient.load`."""
    out_dir.mkdir(parents=True, exist_ok=True)
    if isinstance(idl, str):
        source = out_dir / "stubs.idl"
        source.write_text(idl)
    else:
        source = idl
    run_peer([peer_program("omniidl"), "-bpython", *args, f"-C{out_dir}", source])
    return out_dir


# --- host names -------------------------------------------------------------------------------------------------------


def nss_wrapper_library() -> Path | None:
    """Return the libnss_wrapper of this machine, or None."""
    if found := ctypes.util.find_library("nss_wrapper"):
        return Path(found)
    folders = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"), *Path("/usr/lib").glob("*-linux-gnu")]
    return next((path for folder in folders if (path := folder / "libnss_wrapper.so").exists()), None)


def nss_wrapper_env(hosts: Mapping[str, str], folder: Path) -> dict[str, str] | None:
    """Return what makes a process see `hosts` (name to address) by libnss_wrapper; None where that is not installed."""
    if (library := nss_wrapper_library()) is None:
        return None
    file = folder / "hosts"
    file.write_text("".join(f"{address} {name}\n" for name, address in hosts.items()))
    return {"LD_PRELOAD": str(library), "NSS_WRAPPER_HOSTS": str(file)}


# --- omniORBpy --------------------------------------------------------------------------------------------------------


class Name(tuple[tuple[str, str], ...]):
    """A CosNaming::Name: pairs of id and kind."""

    __slots__ = ()


def name(*components: str | tuple[str, str]) -> Name:
    """Build a Name: a string is an id with an empty kind."""
    return Name((item, "") if isinstance(item, str) else item for item in components)


@dataclass(slots=True)
class OmniException(Exception):
    """What omniORBpy raised. `kind` is user, system or python; what does not apply is empty or None."""

    kind: str
    name: str
    repository_id: str = ""
    members: dict[str, Any] = field(default_factory=dict)
    minor: int | None = None
    minor_name: str | None = None
    completed: str | None = None
    text: str = ""

    __hash__ = Exception.__hash__

    def __str__(self) -> str:
        minor = "" if self.minor is None else f" {self.minor:#010x} {self.minor_name} {self.completed}"
        return f"{self.name}{minor} {self.members or ''}{self.text}".rstrip()


@dataclass(frozen=True, slots=True, repr=False)
class OmniRef:
    """An object reference that the omniORBpy process holds."""

    client: OmniClient
    number: int

    def call(self, operation: str, *args: Any) -> Any:
        """Invoke; raise OmniException. CORBA::Object's operations have their Python names (`_is_a`, `_non_existent`)."""
        return self.client.command("call", ref=self.number, operation=operation, args=list(args))

    def outcome(self, operation: str, *args: Any) -> Any:
        """Invoke, and return the exception instead of raising it: for comparing two servers."""
        try:
            return self.call(operation, *args)
        except OmniException as error:
            return error

    def time_calls(self, operation: str, *args: Any, count: int) -> float:
        """Return the seconds that `count` calls took, measured inside the omniORBpy process."""
        seconds: float = self.client.command("time_calls", ref=self.number, operation=operation, args=list(args), count=count)
        return seconds

    def time_threads(self, operation: str, *args: Any, count: int, threads: int) -> float:
        """Return the seconds that `count` calls, by so many threads of the omniORBpy process at a time, took there."""
        members = {"ref": self.number, "operation": operation, "args": list(args), "count": count, "threads": threads}
        seconds: float = self.client.command("time_threads", **members)
        return seconds

    def time_binds(self, target: OmniRef, *, count: int) -> float:
        """Bind the names 0, 1, ... in this context to an object; return the seconds that took in the omniORBpy process."""
        seconds: float = self.client.command("time_binds", context=self.number, target=target.number, count=count)
        return seconds

    def unbind(self, count: int) -> None:
        """Undo `time_binds`."""
        self.client.command("unbind", context=self.number, count=count)

    def bind_many(self, count: int) -> None:
        """Bind the names 0, 1, ... in this context to as many objects, which need not be there."""
        self.client.command("bind_many", context=self.number, count=count)

    def time_resolves(self, names: int, *, count: int) -> float:
        """Resolve `count` names all over the first `names` of `bind_many`; return the seconds in the omniORBpy process."""
        seconds: float = self.client.command("time_resolves", context=self.number, names=names, count=count)
        return seconds

    def time_list(self, how_many: int, *, count: int) -> float:
        """List this context `count` times, `how_many` at a time; return the seconds that took in the omniORBpy process."""
        seconds: float = self.client.command("time_list", context=self.number, how_many=how_many, count=count)
        return seconds

    def narrow(self, interface: str, *, checked: bool = True) -> OmniRef:
        ref: OmniRef = self.client.command("narrow", ref=self.number, interface=interface, checked=checked)
        return ref

    def ior(self) -> str:
        text: str = self.client.command("object_to_string", ref=self.number)
        return text

    def call_timeout(self, milliseconds: int) -> None:
        self.client.command("call_timeout", ref=self.number, milliseconds=milliseconds)

    def release(self) -> None:
        self.client.command("release", ref=self.number)

    def __repr__(self) -> str:
        return f"OmniRef({self.number})"


class OmniClient:
    """omniORBpy in a child process (`tests/omni_child.py`), with ORB options such as "-ORBmaxGIOPVersion", "1.0".

    A call takes at most `timeout` seconds; then the child is killed and PeerFailed raised. References must be of the
    same client. Not for use by two threads at once.
    """

    def __init__(self, *orb_options: str, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT) -> None:
        if importlib.util.find_spec("omniORB") is None:
            raise PeerMissing("omniORBpy is not in this environment: pip install jeteve-omniorb")
        self.timeout = timeout
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - close() does
        self._rest = b""
        child = Path(__file__).with_name("omni_child.py")
        # -P: the folders beside the program (tests/scapy, ...) must not become importable.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(child), *orb_options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=peer_env(env),
            start_new_session=True,
        )
        try:
            self._answer("start")
        except BaseException:
            self.close()
            raise

    def string_to_object(self, url: str, interface: str | None = None, *, checked: bool = True) -> OmniRef:
        """Keep the object of an IOR, corbaloc or corbaname; a checked narrow to `interface` asks the server if need be."""
        ref: OmniRef = self.command("string_to_object", url=url, interface=interface, checked=checked)
        return ref

    def resolve_initial(
        self, name: str = "NameService", interface: str | None = NAMING_CONTEXT_EXT, *, checked: bool = True
    ) -> OmniRef:
        """Keep an initial reference; tell the ORB where it is by the options `-ORBInitRef NameService=corbaloc:...`."""
        ref: OmniRef = self.command("resolve_initial", name=name, interface=interface, checked=checked)
        return ref

    def naming(self, url: str, *, checked: bool = True) -> OmniRef:
        """Keep the NamingContextExt at `url`."""
        return self.string_to_object(url, NAMING_CONTEXT_EXT, checked=checked)

    def load(self, folder: Path, module: str) -> None:
        """Import stubs that `omniidl_stubs` wrote; afterwards "module.Interface" can be narrowed to."""
        self.command("load", folder=str(folder), module=module)

    def call_timeout(self, milliseconds: int) -> None:
        """Set the call timeout of the whole ORB."""
        self.command("call_timeout", milliseconds=milliseconds)

    def minor_name(self, exception: str, minor: int) -> str | None:
        """Return omniORB's name of a minor code."""
        text: str | None = self.command("minor_name", exception=exception, minor=minor)
        return text

    def shutdown(self) -> None:
        """Destroy the ORB in order: connections are closed; no call works afterwards."""
        self.command("shutdown")

    def command(self, do: str, **members: Any) -> Any:
        """Send one command of `tests/omni_child.py` and return its value, or raise OmniException."""
        assert self.process.stdin is not None
        line = json.dumps({"do": do} | {key: _encode(value) for key, value in members.items()})
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._failure(f"{do}: the process has ended") from None
        answer = self._answer(do)
        if "error" in answer:
            error = answer["error"]
            error["members"] = self._decode(error.get("members", {}))
            raise OmniException(**error)
        return self._decode(answer["ok"])

    def _answer(self, what: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        end, fd = monotonic() + self.timeout, self.process.stdout.fileno()
        while b"\n" not in self._rest:
            if not select.select([fd], [], [], max(0.0, end - monotonic()))[0]:
                _end_group(self.process, signal.SIGKILL)
                raise self._failure(f"{what}: no answer in {self.timeout} s, killed")
            if not (data := os.read(fd, 65536)):
                self.process.wait(self.timeout)
                raise self._failure(f"{what}: the process has ended")
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._decode(item) for item in value]
        if isinstance(value, dict):
            if "$ref" in value:
                return OmniRef(self, value["$ref"])
            if "$name" in value:
                return Name((item[0], item[1]) for item in value["$name"])
            if "$octets" in value:
                return bytes.fromhex(value["$octets"])
            return {key: self._decode(item) for key, item in value.items()}
        return value

    def log(self) -> str:
        """Return what the process wrote to standard error, ORB traces included."""
        return os.pread(self._log.fileno(), 10_000_000, 0).decode(errors="replace")

    def _failure(self, what: str) -> PeerFailed:
        return PeerFailed(f"omniORBpy: {what} (exit {self.process.poll()})\n{'' if self._log.closed else self.log()}")

    def close(self) -> None:
        """Close its standard input, which ends it, and wait."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            _end_group(self.process, signal.SIGKILL)
        self.process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _encode(value: Any) -> Any:
    if isinstance(value, OmniRef):
        return {"$ref": value.number}
    if isinstance(value, Name):
        return {"$name": [list(item) for item in value]}
    if isinstance(value, bytes):
        return {"$octets": value.hex()}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value

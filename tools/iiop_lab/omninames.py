"""omniNames, the Naming Service of omniORB, as a process that ends with whoever started it.

It must not know pytest.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import threading
from pathlib import Path
from typing import Self

from ior import IOR

__all__ = ["OmniNames", "OmniNamesFailed", "find_omninames"]

PATIENCE = 20.0
"""Seconds it gets to become ready, or to end."""

_HOST = "127.0.0.1"


class OmniNamesFailed(RuntimeError):
    """Report that omniNames did not start, or ended by itself; the text has what it said."""


def find_omninames() -> Path | None:
    """Return the program, of the wheel `jeteve-omniorb` or of the machine; None if there is none."""
    spec = importlib.util.find_spec("jeteve_omniorb")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        # The wheel's script starts this program as a child, which would outlive it.
        if os.access(program := Path(folder) / "bin" / "omniNames", os.X_OK):
            return program
    found = shutil.which("omniNames", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))
    return None if found is None else Path(found)


class OmniNames:
    """Run omniNames on a port of loopback that the system chooses.

    Args:
        program: see `find_omninames`.
        folder: for its data.

    Attributes:
        host, port: where it listens.
        ior: the reference of its root context.
    """

    host = _HOST

    def __init__(self, program: Path, folder: Path) -> None:
        guard = shutil.which("setpriv")  # so that it ends even if we are killed
        self._command = [guard, "--pdeathsig", "KILL"] if guard is not None else []
        self._command += [str(program), "-start", "-always", "-datadir", str(folder), "-ORBendPoint", f"giop:tcp:{_HOST}:0"]
        self.port = 0
        self.ior: IOR
        self._said: list[str] = []
        self._ready = threading.Event()

    @property
    def address(self) -> str:
        """Return `host:port`, for a `NameService`."""
        return f"{self.host}:{self.port}"

    @property
    def corbaloc(self) -> str:
        """Return a URL of the root context."""
        return f"corbaloc:iiop:1.2@{self.address}/NameService"

    @property
    def pid(self) -> int:
        """Return the process id, to kill it or stop it by; one that ended must be a test's doing, through `kill`."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Return what it said."""
        return "".join(self._said)

    def kill(self) -> None:
        """End it with SIGKILL, and see it gone."""
        self._killed = True
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("ORB", "OMNI"))}
        self._killed = False
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**env, "OMNIORB_CONFIG": os.devnull},
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="log of omniNames")
        self._reader.start()
        self._ready.wait(PATIENCE)
        found = re.search(r"Root context is (IOR:[0-9a-f]+)", self.log)
        if found is None or self._process.poll() is not None:
            self._stop()
            raise OmniNamesFailed(f"{' '.join(self._command)}: not ready\n{self.log}")
        self.ior = IOR.from_string(found[1])
        self.port = self.ior.endpoints()[0].port
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)
            if "Checkpointing completed" in line:
                self._ready.set()
        self._ready.set()

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __exit__(self, *_: object) -> None:
        """End it.

        Raises:
            OmniNamesFailed: it had ended before, and not by `kill`.
        """
        code = self._process.poll()
        self._stop()
        if code is not None and not self._killed:
            raise OmniNamesFailed(f"omniNames ended by itself, with exit status {code}\n{self.log}")

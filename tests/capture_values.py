"""Record what omniORBpy writes of value types: `python -m tests.capture_values` writes tests/vectors/values again.

Each file is a whole GIOP Request of a client to an object that returns what it is given; its name is that of the value in
`tests.interop.omni_values.values`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from ior import IORBuilder
from naming import NamingServer
from tests.capture import Recorder
from tests.interop.omni_values import IDL
from tests.interop.value_declarations import Echo, Echoing
from tests.peers import omniidl_stubs, run_peer

FOLDER = Path(__file__).with_name("vectors") / "values"
CHILD = Path(__file__).with_name("interop") / "omni_values.py"


def main() -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as stubs, NamingServer() as server, Recorder((server.host, server.port)) as recorder:
        env = {"PYTHONPATH": str(omniidl_stubs(IDL, Path(stubs)))}
        server.activate(Echoing(), b"echo")
        ior = IORBuilder(Echo.repository_id).iiop("127.0.0.1", recorder.port, key=b"echo").build()
        names = list(json.loads(run_peer([sys.executable, CHILD, "call", str(ior)], env=env)))
        requests = [message.data for message in recorder.take() if message.type == "Request"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in zip(names, requests, strict=True):
        if name == "large":  # which comes in fragments
            continue
        (FOLDER / f"{name.replace(' ', '-')}.bin").write_bytes(data)


if __name__ == "__main__":
    main()

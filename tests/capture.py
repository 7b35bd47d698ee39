"""Record GIOP messages between real ORBs: `python -m tests.capture` writes tests/vectors/giop again.

A recording proxy stands between omniORBpy and omniNames, cuts both streams at GIOP headers and keeps every message. What the
index says about a message is read here, by a small decoder that shares nothing with ours (omniORB writes the byte
order of its machine, so little-endian is all there is to see on this one).
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from tests.peers import (
    NAMING_CONTEXT_EXT,
    OmniClient,
    OmniException,
    OmniRef,
    PeerFailed,
    PeerProcess,
    free_port,
    name,
    omni_names,
)

FOLDER = Path(__file__).with_name("vectors") / "giop"
TYPES = (
    "Request",
    "Reply",
    "CancelRequest",
    "LocateRequest",
    "LocateReply",
    "CloseConnection",
    "MessageError",
    "Fragment",
)
REPLY_STATUS = (
    "NO_EXCEPTION",
    "USER_EXCEPTION",
    "SYSTEM_EXCEPTION",
    "LOCATION_FORWARD",
    "LOCATION_FORWARD_PERM",
    "NEEDS_ADDRESSING_MODE",
)
LOCATE_STATUS = (
    "UNKNOWN_OBJECT",
    "OBJECT_HERE",
    "OBJECT_FORWARD",
    "OBJECT_FORWARD_PERM",
    "LOC_SYSTEM_EXCEPTION",
    "LOC_NEEDS_ADDRESSING_MODE",
)


@dataclass(frozen=True, slots=True)
class Message:
    """One GIOP message as it crossed the proxy; `connection` counts from 0."""

    connection: int
    sender: str
    data: bytes

    @property
    def type(self) -> str:
        return TYPES[self.data[7]]


class Recorder:
    """A TCP proxy on loopback that keeps every GIOP message before it passes it on.

    Without `upstream` it takes what clients send and answers nothing.
    """

    def __init__(self, upstream: tuple[str, int] | None = None) -> None:
        self.upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def url(self, version: str, key: str = "NameService") -> str:
        return f"corbaloc::{version}@127.0.0.1:{self.port}/{key}"

    def take(self) -> list[Message]:
        """Return what was recorded since the last call."""
        with self._changed:
            taken, self._messages = self._messages, []
            return taken

    def wait_for(self, type_: str, timeout: float = 15.0) -> None:
        """Wait until a message of this type has been recorded."""
        end = monotonic() + timeout
        with self._changed:
            while not any(message.type == type_ for message in self._messages):
                if not self._changed.wait(end - monotonic()):
                    raise PeerFailed(f"no {type_} in {timeout} s, only {[item.type for item in self._messages]}")

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for number in range(1_000_000):
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            self._sockets.append(client)
            server = socket.create_connection(self.upstream) if self.upstream else None
            if server:
                self._sockets.append(server)
                self._start(self._copy, number, "server", server, client)
            self._start(self._copy, number, "client", client, server)

    def _copy(self, connection: int, sender: str, source: socket.socket, target: socket.socket | None) -> None:
        buffer = b""
        try:
            while data := source.recv(65536):
                buffer += data
                while len(buffer) >= 12 and len(buffer) >= (size := 12 + _body_size(buffer)):
                    message, buffer = Message(connection, sender, buffer[:size]), buffer[size:]
                    with self._changed:
                        self._messages.append(message)
                        self._changed.notify_all()
                    if target:
                        target.sendall(message.data)
            if target:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other side went first

    def close(self) -> None:
        for item in self._sockets:
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _body_size(data: bytes) -> int:
    if data[:4] != b"GIOP":
        raise PeerFailed(f"no GIOP header: {data[:12].hex()}")
    size: int = struct.unpack_from("<I" if data[6] & 1 else ">I", data, 8)[0]
    return size


# --- reading ---------------------------------------------------------------------------------------------------------


class _Reader:
    """Just enough CDR for headers."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.order = data, 12, "<" if data[6] & 1 else ">"

    def align(self, size: int) -> None:
        self.at += -self.at % size

    def octet(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self, code: str, size: int) -> int:
        self.align(size)
        self.at += size
        value: int = struct.unpack_from(self.order + code, self.data, self.at - size)[0]
        return value

    def ulong(self) -> int:
        return self.number("I", 4)

    def octets(self) -> bytes:
        count = self.ulong()
        self.at += count
        return self.data[self.at - count : self.at]

    def contexts(self) -> list[dict[str, Any]]:
        return [{"context_id": self.ulong(), "context_data": self.octets().hex()} for _ in range(self.ulong())]

    def target(self) -> dict[str, Any]:
        disposition = self.number("h", 2)
        if disposition:
            raise PeerFailed(f"target address form {disposition} is not read here")
        return {"addressing_disposition": "KeyAddr", "object_key": self.octets().hex()}


def describe(data: bytes) -> dict[str, Any]:
    """Return what the headers of one message say; `body_offset` is where the arguments begin, alignment included."""
    version, flags, reader = f"{data[4]}.{data[5]}", data[6], _Reader(data)
    found: dict[str, Any] = {"giop_version": version, "byte_order": "little" if flags & 1 else "big", "flags": flags}
    found |= {"message_type": TYPES[data[7]], "message_size": len(data) - 12, "more_fragments": bool(flags & 2)}
    kind = TYPES[data[7]]
    if kind == "Request" and version == "1.2":
        found |= {"request_id": reader.ulong(), "response_flags": reader.octet()}
        reader.at += 3
        found |= reader.target()
        found["operation"] = reader.octets()[:-1].decode("ascii")
        found["service_contexts"] = reader.contexts()
    elif kind == "Request":
        found["service_contexts"] = reader.contexts()
        found |= {"request_id": reader.ulong(), "response_expected": bool(reader.octet())}
        reader.at += 3 if version == "1.1" else 0
        found["object_key"] = reader.octets().hex()
        found["operation"] = reader.octets()[:-1].decode("ascii")
        found["requesting_principal"] = reader.octets().hex()
    elif kind == "Reply" and version == "1.2":
        found |= {"request_id": reader.ulong(), "reply_status": REPLY_STATUS[reader.ulong()]}
        found["service_contexts"] = reader.contexts()
    elif kind == "Reply":
        found["service_contexts"] = reader.contexts()
        found |= {"request_id": reader.ulong(), "reply_status": REPLY_STATUS[reader.ulong()]}
    elif kind == "LocateRequest":
        found["request_id"] = reader.ulong()
        found |= reader.target() if version == "1.2" else {"object_key": reader.octets().hex()}
    elif kind == "LocateReply":
        found |= {"request_id": reader.ulong(), "locate_status": LOCATE_STATUS[reader.ulong()]}
    elif kind == "CancelRequest" or (kind == "Fragment" and version == "1.2"):
        found["request_id"] = reader.ulong()
    if kind in ("Request", "Reply") and version == "1.2" and reader.at < len(data):
        reader.align(8)
    if kind in ("Request", "Reply", "LocateReply", "Fragment"):
        found["body_offset"] = reader.at
    return found


# --- recording -------------------------------------------------------------------------------------------------------

OMNIORBPY, OMNINAMES = "omniORBpy 4.3.3", "omniNames 4.3.3"
DEAD = "corbaloc::127.0.0.1:2809/dead"
EXT_ID = "IDL:omg.org/CosNaming/NamingContextExt:1.0"
LARGE = "x" * 20000

FORWARDING_SERVER = """
import sys
import CosNaming__POA, omniORB
from omniORB import CORBA
class Servant(CosNaming__POA.NamingContextExt):
    def resolve(self, n):
        raise omniORB.LOCATION_FORWARD(target)
    def unbind(self, n):
        raise CORBA.COMM_FAILURE(0x464A0114, CORBA.COMPLETED_NO)
orb = CORBA.ORB_init(["server", *sys.argv[2:]])
poa = orb.resolve_initial_references("omniINSPOA")
poa.activate_object_with_id(b"Forwarding", Servant())
poa._get_the_POAManager().activate()
target = orb.string_to_object(sys.argv[1])
print(orb.object_to_string(poa.id_to_reference(b"Forwarding")), flush=True)
orb.run()
"""


class Vectors:
    """Writes messages and their index. One per run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.bin"):
            old.unlink()

    def call(
        self,
        recorder: Recorder,
        label: str,
        ref: OmniRef,
        operation: str,
        *args: Any,
        raises: str | None = None,
        server: str = OMNINAMES,
    ) -> Any:
        """Invoke through the proxy and store every message of it; return the result, or the exception expected."""
        recorder.take()
        outcome = ref.outcome(operation, *args)
        if (outcome.name if isinstance(outcome, OmniException) else None) != raises:
            raise PeerFailed(f"{label}: {outcome!r}, expected {raises}")
        self.store(recorder.take(), label, operation, args, outcome, server)
        return outcome

    def store(
        self,
        messages: list[Message],
        label: str,
        operation: str = "",
        args: tuple[Any, ...] = (),
        outcome: Any = None,
        server: str = OMNINAMES,
    ) -> None:
        if not messages:
            raise PeerFailed(f"{label}: no message crossed the proxy")
        about: dict[int, str] = {}  # operation by request id, for replies
        for message in messages:
            found = describe(message.data)
            by_client = message.sender == "client"
            entry = {"file": "", "scenario": label, "sender": OMNIORBPY if by_client else server}
            entry["direction"] = "client to server" if by_client else "server to client"
            if found["message_type"] == "Request":
                about[found["request_id"]] = found["operation"]
                if found["operation"] == operation:
                    found["arguments"] = _plain(list(args))
            elif found["message_type"] == "Reply":
                found["operation"] = about[found["request_id"]]
                if found["operation"] == operation and found["reply_status"] != "LOCATION_FORWARD":
                    found["outcome"] = _plain(outcome)
            elif found["message_type"] == "Fragment":
                found["operation"] = operation
            self._write(entry | found, message.data)

    def _write(self, entry: dict[str, Any], data: bytes) -> None:
        kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in entry["message_type"])
        implied = "is_a-" if entry.get("operation") == "_is_a" and entry["scenario"] == "next_n" else ""
        stem = f"{entry['giop_version']}-{entry['scenario']}-{implied}{kind[1:]}"
        known = {item["file"] for item in self.entries}
        number = 1
        while (file := f"{stem}{'' if number == 1 else f'-{number}'}.bin") in known:
            number += 1
        (self.folder / file).write_bytes(data)
        self.entries.append(entry | {"file": file})

    def finish(self) -> None:
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in self.entries)
        (self.folder / "index.json").write_text(f"[\n{lines}\n]\n")


def _plain(value: Any) -> Any:
    """Turn a value of `tests.peers` into JSON; a long string of one character becomes {"repeat": [character, count]}."""
    if isinstance(value, OmniRef):
        return {"reference": value.ior()}
    if isinstance(value, OmniException):
        fields = {"name": value.name, "repository_id": value.repository_id}
        if value.kind == "system":
            return fields | {"minor": value.minor, "completed": value.completed}
        return fields | {"members": _plain(value.members)}
    if isinstance(value, str) and len(value) > 200 and len(set(value)) == 1:
        return {"repeat": [value[0], len(value)]}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


@contextmanager
def recorded_names(folder: Path, *options: str) -> Iterator[tuple[Recorder, str]]:
    """Run omniNames behind a recorder and yield the recorder and the root context's IOR, which names the recorder too."""
    with Recorder() as recorder:
        publish = ["-ORBendPointPublish", f"giop:tcp:127.0.0.1:{recorder.port}"]
        with omni_names(folder, *publish, *options) as peer:
            recorder.upstream = (peer.host, peer.port)
            yield recorder, str(peer.ior)


def capture_calls(vectors: Vectors, folder: Path, version: str) -> None:
    """Record the ordinary calls in one GIOP version."""
    with (
        recorded_names(folder / version) as (recorder, _),
        OmniClient("-ORBmaxGIOPVersion", version) as client,
    ):
        dead = client.string_to_object(DEAD)
        plain = client.string_to_object(recorder.url(version))
        vectors.call(recorder, "is_a", plain, "_is_a", EXT_ID)
        root = plain.narrow(NAMING_CONTEXT_EXT)
        if version == "1.1":
            root.call("bind", name(("account", "object")), dead)
        else:  # the first call after a narrow: LocateRequest, then the request
            vectors.call(recorder, "bind", root, "bind", name(("account", "object")), dead)
        vectors.call(recorder, "resolve", root, "resolve", name(("account", "object")))
        vectors.call(recorder, "resolve-not-found", root, "resolve", name("none", ("b", "k")), raises="NotFound")
        root.call("bind_new_context", name("context"))
        _, iterator = vectors.call(recorder, "list", root, "list", 1)
        unknown = client.string_to_object(recorder.url(version, "unknown"))
        vectors.call(recorder, "unknown-key", unknown, "_is_a", EXT_ID, raises="OBJECT_NOT_EXIST")
        if version == "1.0":
            return
        # The first request on a reference whose IOR names code sets (an _is_a of the ORB's own): the CodeSets context.
        vectors.call(recorder, "next_n", iterator, "next_n", 5)
        vectors.call(recorder, "bind-large", root, "bind", name(LARGE), dead)  # fragments
        if version == "1.1":
            return
        vectors.call(recorder, "list-large", root, "list", 10)
        vectors.call(recorder, "destroy", iterator, "destroy")
        vectors.call(recorder, "to_name-invalid", root, "to_name", "a.b.c", raises="InvalidName")
        vectors.call(recorder, "unbind", root, "unbind", name(("account", "object")))
        root.call("bind", name("nil"), None)
        vectors.call(recorder, "resolve-nil", root, "resolve", name("nil"))
        unchecked = unknown.narrow(NAMING_CONTEXT_EXT, checked=False)
        vectors.call(recorder, "locate-unknown", unchecked, "list", 1, raises="OBJECT_NOT_EXIST")
        client.shutdown()
        recorder.wait_for("CloseConnection")
        vectors.store(recorder.take(), "client-shutdown")


def capture_code_sets(vectors: Vectors, folder: Path) -> None:
    """Record a first request on an IOR that names code sets, with text that needs them, and no LocateRequest before it.

    Sent is the server's native code set wherever the client can convert to it.
    """
    for code_set, text in (("ISO-8859-1", "é"), ("UTF-8", "口座")):
        options = ["-ORBnativeCharCodeSet", code_set]
        with (
            recorded_names(folder / code_set, *options) as (recorder, ior),
            OmniClient(*options, "-ORBverifyObjectExistsAndType", "0") as client,
        ):
            typed = client.string_to_object(ior, NAMING_CONTEXT_EXT)
            vectors.call(recorder, f"code-sets-{code_set.lower()}", typed, "bind_new_context", name((text, "kind")))


def capture_forward(vectors: Vectors, folder: Path) -> None:
    """Record LOCATION_FORWARD and a Fujitsu minor code, both from an omniORBpy server."""
    with omni_names(folder / "target") as target, Recorder() as recorder:
        recorder.upstream = ("127.0.0.1", free_port())
        options = ["-ORBendPoint", f"giop:tcp:127.0.0.1:{recorder.upstream[1]}"]
        options += ["-ORBendPointPublish", f"giop:tcp:127.0.0.1:{recorder.port}"]
        args = [sys.executable, "-c", FORWARDING_SERVER, target.corbaloc, *options]
        with PeerProcess(args, folder / "server.log") as server, OmniClient() as client:
            ior = server.wait_line("^(IOR:[0-9a-f]+)$")[1]
            ref = client.string_to_object(ior, NAMING_CONTEXT_EXT)
            ref.outcome("to_name", "")  # the LocateRequest comes with the first call
            vectors.call(recorder, "comm-failure", ref, "unbind", name("a"), raises="COMM_FAILURE", server=OMNIORBPY)
            vectors.call(recorder, "location-forward", ref, "resolve", name("a"), raises="NotFound", server=OMNIORBPY)


def capture_idle(vectors: Vectors, folder: Path) -> None:
    """Record the CloseConnection of a server that finds a connection idle."""
    with recorded_names(folder / "idle", "-ORBinConScanPeriod", "1", "-ORBscanGranularity", "1") as (recorder, _):
        for version in ("1.0", "1.1", "1.2"):
            with OmniClient() as client:
                client.naming(recorder.url(version))
                recorder.take()
                recorder.wait_for("CloseConnection")
                vectors.store(recorder.take(), "server-idle")


def main() -> None:
    vectors = Vectors(FOLDER)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for version in ("1.0", "1.1", "1.2"):
            capture_calls(vectors, folder, version)
        capture_code_sets(vectors, folder)
        capture_forward(vectors, folder)
        capture_idle(vectors, folder)
    vectors.finish()
    print(f"{len(vectors.entries)} messages in {FOLDER}")


if __name__ == "__main__":
    main()

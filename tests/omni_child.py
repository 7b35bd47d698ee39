"""omniORBpy in a process of its own, driven by JSON lines on standard input.

omniORBpy keeps one ORB per process and logs where it likes, so no test imports it: `tests.peers.OmniClient` starts this
program (all arguments are ORB options) and talks to it. A request is `{"do": COMMAND, ...}`, an answer `{"ok": VALUE}`
or `{"error": {...}}`; every exception is data. The process ends when standard input closes, even in a call.

Values on the line are JSON, and besides: `{"$ref": N}` an object reference kept here, `{"$name": [[id, kind], ...]}` a
CosNaming::Name, `{"$octets": HEX}`. A struct comes back as an object of its members, an enum as its spelling.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import queue
import sys
import threading
from itertools import repeat
from time import perf_counter
from typing import Any

import CosNaming
import omniORB
from omniORB import CORBA

GRACE = 2.0
"""Seconds that a call under way gets once standard input is closed."""


class Child:
    """The commands. Each public method is one; its parameters are the members of the request."""

    def __init__(self, orb: Any) -> None:
        self._orb = orb
        self._refs: dict[int, Any] = {}
        self._next = 0

    # references

    def string_to_object(self, url: str, interface: str | None = None, checked: bool = True) -> Any:
        return self._keep(self._narrow(self._orb.string_to_object(url), interface, checked))

    def resolve_initial(self, name: str, interface: str | None = None, checked: bool = True) -> Any:
        return self._keep(self._narrow(self._orb.resolve_initial_references(name), interface, checked))

    def narrow(self, ref: int, interface: str, checked: bool = True) -> Any:
        return self._keep(self._narrow(self._refs[ref], interface, checked))

    def object_to_string(self, ref: int) -> str:
        text: str = self._orb.object_to_string(self._refs[ref])
        return text

    def release(self, ref: int) -> None:
        del self._refs[ref]

    # calls

    def call(self, ref: int, operation: str, args: list[Any]) -> Any:
        return self._encode(getattr(self._refs[ref], operation)(*map(self._decode, args)))

    def time_calls(self, ref: int, operation: str, args: list[Any], count: int) -> float:
        """Make `count` calls, one after the other, and return the seconds they took altogether."""
        method = getattr(self._refs[ref], operation)
        values = [self._decode(arg) for arg in args]
        start = perf_counter()
        for _ in repeat(None, count):
            method(*values)
        return perf_counter() - start

    def time_threads(self, ref: int, operation: str, args: list[Any], count: int, threads: int) -> float:
        """Make `count` calls in so many threads at a time, and return the seconds they took altogether."""
        method = getattr(self._refs[ref], operation)
        values = [self._decode(arg) for arg in args]
        ready = threading.Barrier(threads + 1)

        def run() -> None:
            ready.wait()
            for _ in repeat(None, count // threads):
                method(*values)

        running = [threading.Thread(target=run) for _ in range(threads)]
        for thread in running:
            thread.start()
        ready.wait()
        start = perf_counter()
        for thread in running:
            thread.join()
        return perf_counter() - start

    def time_binds(self, context: int, target: int, count: int) -> float:
        """Bind the names 0, 1, ... to an object, one after the other, and return the seconds that took altogether."""
        names = [[CosNaming.NameComponent(str(number), "")] for number in range(count)]
        bind, obj = self._refs[context].bind, self._refs[target]
        start = perf_counter()
        for name in names:
            bind(name, obj)
        return perf_counter() - start

    def unbind(self, context: int, count: int) -> None:
        """Undo `time_binds`."""
        for number in range(count):
            self._refs[context].unbind([CosNaming.NameComponent(str(number), "")])

    def bind_many(self, context: int, count: int) -> None:
        """Bind the names 0, 1, ... to as many objects, which need not be there: keys 0, 1, ... on port 2809."""
        bind = self._refs[context].bind
        for number in map(str, range(count)):
            bind([CosNaming.NameComponent(number, "")], self._orb.string_to_object(f"corbaloc::127.0.0.1:2809/{number}"))

    def time_resolves(self, context: int, names: int, count: int) -> float:
        """Resolve `count` names of those that `bind_many` made, all over the first `names`; return the seconds that took."""
        stride = names * 5 // 8 + 1  # no divisor in common with the powers of ten that names are
        numbers = [number * stride % names for number in range(count)]
        values = [[CosNaming.NameComponent(str(number), "")] for number in numbers]
        resolve = self._refs[context].resolve
        start = perf_counter()
        for value in values:
            resolve(value)
        return perf_counter() - start

    def time_list(self, context: int, how_many: int, count: int) -> float:
        """List a context `count` times, by an iterator, `how_many` at a time; return the seconds that took."""
        start = perf_counter()
        for _ in repeat(None, count):
            _, iterator = self._refs[context].list(0)
            more = True
            while more:
                more, _ = iterator.next_n(how_many)
            iterator.destroy()
        return perf_counter() - start

    # CDR

    def cdr(self, typecode: str, octets: dict[str, str], little: bool) -> Any:
        """Keep the value that octets are, once omniORBpy has written as many, which are the same value.

        They need not be the same octets: omniORBpy leaves in the padding what was there. `typecode` is as "Module._tc_Type".
        """
        module, _, name = typecode.rpartition(".")
        kind, given = getattr(importlib.import_module(module), name), self._decode(octets)
        value = omniORB.cdrUnmarshal(kind, given, little)
        written = omniORB.cdrMarshal(kind, value, little)
        again = omniORB.cdrUnmarshal(kind, written, little)
        if len(written) != len(given) or self._encode(again) != self._encode(value):
            raise ValueError(f"omniORBpy writes this {typecode} otherwise")
        return self._keep((kind, given, value, little))

    def time_cdr(self, ref: int, marshal: bool, count: int) -> float:
        """Write or read such a value `count` times, and return the seconds that took."""
        kind, octets, value, little = self._refs[ref]
        function, argument = (omniORB.cdrMarshal, value) if marshal else (omniORB.cdrUnmarshal, octets)
        gc.collect()
        gc.disable()
        try:
            start = perf_counter()
            for _ in repeat(None, count):
                function(kind, argument, little)
            return perf_counter() - start
        finally:
            gc.enable()

    # the ORB

    def load(self, folder: str, module: str) -> None:
        """Import stubs that omniidl wrote to `folder`."""
        if folder not in sys.path:
            sys.path.insert(0, folder)
        importlib.invalidate_caches()
        importlib.import_module(module)

    def call_timeout(self, milliseconds: int, ref: int | None = None) -> None:
        if ref is None:
            omniORB.setClientCallTimeout(milliseconds)
        else:
            omniORB.setClientCallTimeout(self._refs[ref], milliseconds)

    def minor_name(self, exception: str, minor: int) -> str | None:
        name: str | None = omniORB.minorCodeToString(getattr(CORBA, exception)(minor, CORBA.COMPLETED_NO))
        return name

    def shutdown(self) -> None:
        """Close every connection the orderly way."""
        self._refs.clear()
        self._orb.destroy()

    # inside

    def _narrow(self, obj: Any, interface: str | None, checked: bool) -> Any:
        if obj is None or interface is None:
            return obj
        module, _, name = interface.rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        narrowed = obj._narrow(cls) if checked else obj._unchecked_narrow(cls)
        if narrowed is None:
            raise TypeError(f"the object is no {interface}")
        return narrowed

    def _keep(self, obj: Any) -> dict[str, Any] | None:
        if obj is None:
            return None
        self._next += 1
        self._refs[self._next] = obj
        return {"$ref": self._next}

    def _decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._decode(item) for item in value]
        if isinstance(value, dict):
            ((key, content),) = value.items()
            if key == "$ref":
                return self._refs[content]
            if key == "$name":
                return [CosNaming.NameComponent(*component) for component in content]
            if key == "$octets":
                return bytes.fromhex(content)
            raise ValueError(f"unknown value {key!r}")
        return value

    def _encode(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, bytes):
            return {"$octets": value.hex()}
        if isinstance(value, CORBA.Object):
            return self._keep(value)
        if isinstance(value, omniORB.EnumItem):
            return str(value)
        if isinstance(value, (list, tuple)):
            if value and all(isinstance(item, CosNaming.NameComponent) for item in value):
                return {"$name": [[item.id, item.kind] for item in value]}
            return [self._encode(item) for item in value]
        return {member: self._encode(content) for member, content in vars(value).items()}

    def _failure(self, error: Exception) -> dict[str, Any]:
        if isinstance(error, CORBA.SystemException):
            minor = error.minor & 0xFFFFFFFF
            return {
                "kind": "system",
                "name": type(error).__name__,
                "repository_id": error._NP_RepositoryId,
                "minor": minor,
                "minor_name": omniORB.minorCodeToString(error),
                "completed": str(error.completed),
            }
        if isinstance(error, CORBA.UserException):
            return {
                "kind": "user",
                "name": type(error).__name__,
                "repository_id": error._NP_RepositoryId,
                "members": {k: self._encode(v) for k, v in vars(error).items() if not k.startswith("_")},
            }
        return {"kind": "python", "name": type(error).__name__, "text": str(error)}

    def answer(self, line: bytes) -> dict[str, Any]:
        try:
            request: dict[str, Any] = json.loads(line)
            command = request.pop("do")
            if command.startswith("_") or command == "answer":
                raise ValueError(f"no command {command!r}")
            return {"ok": getattr(self, command)(**request)}
        except Exception as error:
            return {"error": self._failure(error)}


def main() -> None:
    # fd 1 carries the answers only; whatever else prints goes to the log.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    finished = threading.Event()
    if "-ORBnativeCharCodeSet" in sys.argv:
        importlib.import_module("omniORB.codesets")  # all it has beyond ISO 8859-1 and UTF-8; before the ORB

    def read() -> None:
        for line in sys.stdin.buffer:
            lines.put(line)
        lines.put(None)
        finished.wait(GRACE)
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="stdin").start()
    child = Child(CORBA.ORB_init(["omni_child", *sys.argv[1:]], CORBA.ORB_ID))
    answers.write(b'{"ok": "ready"}\n')
    while (line := lines.get()) is not None:
        answers.write(json.dumps(child.answer(line)).encode() + b"\n")
    finished.set()
    os._exit(0)


if __name__ == "__main__":
    main()

"""nstool's commands for names, on our Naming Service and on omniNames, and on what is no Naming Service at all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from iiop import iop
from iiop.failover import FailoverPolicy
from iiop.idl import Servant
from iiop.iop import NIL
from iiop_tools.nstool import main
from ior import IOR, IORBuilder
from naming import NameComponent, NameService, NamingServer, parse_name
from naming.browse import BATCH, list_bindings
from naming.interfaces import BindingIterator, NamingContext
from naming.types import Binding, BindingType
from tests import peers
from tests.peers import free_port

POLICY = FailoverPolicy(deadline=20.0, rounds=1)
THING = "IDL:test/Thing:1.0"
NSTOOL = [sys.executable, "-c", "import sys; from iiop_tools.nstool import main; sys.exit(main())"]

_numbers = count()


@dataclass(frozen=True)
class Place:
    """A Naming Service, and a context in it that only this test uses."""

    address: str
    ior: str
    top: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, str]]]:
    with ExitStack() as stack:
        ours = stack.enter_context(NamingServer())
        options = ("-ORBnativeCharCodeSet", "UTF-8")
        omni = stack.enter_context(peers.omni_names(tmp_path_factory.mktemp("omni"), *options))
        assert omni.ior is not None
        where = f"{ours.host}:{ours.port}"
        assert main(["mkctx", where, "first"]) == 0, "from now on its store has a thread"
        yield {"ours": (where, str(ours.ior)), "omniNames": (f"{omni.host}:{omni.port}", omni.ior)}


@pytest.fixture(params=["ours", "omniNames"])
def place(servers: dict[str, tuple[str, str]], request: pytest.FixtureRequest) -> Place:
    address, ior = servers[request.param]
    top = f"t{next(_numbers)}"
    assert main(["mkctx", address, top]) == 0
    return Place(address, ior, top)


Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs nstool, holds its exit code against the one expected, and returns what it wrote, all on one stream."""

    def run(*argv: str, code: int = 0) -> str:
        assert main(argv) == code, capsys.readouterr()
        out, err = capsys.readouterr()
        if code == 0:
            assert err == ""
            return out
        lines = [line for line in err.splitlines() if line and not line.startswith(("Usage: ", "Try '"))]
        assert len(lines) == 1, err
        return out + lines[0].removeprefix("nstool: ").removeprefix("Error: ")

    return run


def thing(host: str = "host1", port: int = 8003) -> str:
    return str(IORBuilder(THING).iiop(host, port, key=b"thing").build())


# --- what it does -----------------------------------------------------------------------------------------------------


def test_bind_resolve_rebind_unbind(place: Place, run: Run) -> None:
    name = f"{place.top}/account.kind"
    assert run("bind", place.address, name, thing()) == ""
    assert IOR.from_string(run("resolve", place.address, name).strip()) == IOR.from_string(thing())
    assert run("bind", place.address, name, thing(), code=1) == "the name is bound already (rebind replaces an object)"
    assert run("rebind", place.address, name, thing("host2")) == ""
    assert IOR.from_string(run("resolve", place.address, name).strip()).endpoints()[0].host == "host2"
    assert run("unbind", place.address, name) == ""
    assert run("resolve", place.address, name, code=1) == "account.kind is not there"
    assert run("unbind", place.address, name, code=1) == "account.kind is not there"


def test_which_component_is_at_fault(place: Place, run: Run) -> None:
    run("mkctx", place.address, f"{place.top}/a")
    assert run("resolve", place.address, f"{place.top}/a/b/c", code=1) == "b is not there"
    assert run("bind", place.address, f"{place.top}/a/b/c", thing(), code=1) == "b is not there"
    assert run("mkctx", place.address, f"{place.top}/q/c", code=1) == "q is not there"
    assert run("ls", place.address, f"{place.top}/q", code=1) == "q is not there"


def test_references_in_every_form(place: Place, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "thing.ior"
    file.write_text(f"# a comment\n{thing('in-file')}\n")
    run("bind", place.address, f"{place.top}/file", str(file))
    run("bind", place.address, f"{place.top}/url", "corbaloc::1.2@by-url:1/K")
    run("bind", place.address, f"{place.top}/name", f"corbaname::{place.address}#{place.top}/file")
    found = [line.split()[-2:] for line in run("ls", "-l", place.address, place.top).splitlines()]
    assert sorted(found) == [["by-url:1", "url"], ["in-file:8003", "file"], ["in-file:8003", "name"]]
    missing = run("bind", place.address, f"{place.top}/x", "thing", code=2)
    assert missing.startswith("IOR:..., corbaloc:..., corbaname:... or a file that holds one was expected")
    file.write_text("vhost 8002\n")
    assert run("bind", place.address, f"{place.top}/x", str(file), code=2).startswith(f"{file}: holds no reference; IOR:")
    assert run("bind", place.address, f"{place.top}/x", f"{tmp_path}/no", code=2) == f"{tmp_path}/no: No such file or directory"


def test_reference_from_standard_input(place: Place) -> None:
    argv = [*NSTOOL, "bind", place.address, f"{place.top}/piped", "-"]
    done = subprocess.run(argv, input=thing("piped") + "\n", text=True, capture_output=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with NameService(place.address, policy=POLICY) as names:
        assert names.resolve(f"{place.top}/piped") == IOR.from_string(thing("piped"))
    assert subprocess.run(argv, input="", text=True, capture_output=True, timeout=20).returncode == 2


def test_contexts(place: Place, run: Run) -> None:
    run("mkctx", "-p", place.address, f"{place.top}/a/b/c")
    run("mkctx", "-p", place.address, f"{place.top}/a/b/c")
    assert run("mkctx", place.address, f"{place.top}/a/b", code=1) == "the name is bound already (rebind replaces an object)"
    run("bind", place.address, f"{place.top}/a/b/thing", thing())
    assert run("rmctx", place.address, f"{place.top}/a/b", code=1) == "the context is not empty"
    run("rmctx", place.address, f"{place.top}/a/b/c")
    run("unbind", place.address, f"{place.top}/a/b/thing")
    run("rmctx", place.address, f"{place.top}/a/b")
    assert run("rmctx", place.address, f"{place.top}/a/b", code=1) == "b is not there"
    assert run("ls", place.address, f"{place.top}/a") == ""


def test_rmctx_goes_on_where_an_earlier_one_stopped(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("mkctx", place.address, f"{place.top}/a")
    with NameService(place.address, policy=POLICY) as names:
        inner = names.client.stub(names.resolve(f"{place.top}/a"), type(names.root))
        inner.destroy()
    assert run("rmctx", place.address, f"{place.top}/a") == ""
    assert run("ls", place.address, place.top) == ""


def test_rmctx_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """The server of the binding dies between both steps; that of the context is another one."""
    port = free_port()
    with (
        NamingServer() as other,
        NamingServer(advertised_port=port) as server,
        NameService(f"{server.host}:{server.port}") as names,
    ):
        with NameService(other.corbaloc) as far:
            names.root.bind_context(parse_name("far"), far.root.new_context())
        argv = ["rmctx", str(server.ior), "far"]
        with Relay(port, server.port, refuse=b"unbind"):
            assert main(argv) == 2
        err = capsys.readouterr().err.splitlines()
        assert err[0] == "nstool: the context has ended, but far is still bound to it; say it again, or unbind it"
        assert len(err) == 2
        with Relay(port, server.port, refuse=b"nothing"):
            assert main(argv) == 0
        assert list(list_bindings(names, names.ior)) == []


class Relay:
    """Passes octets on in both directions, until a client sends what it refuses: then it closes the connection."""

    def __init__(self, port: int, to: int, *, refuse: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._to, self._refuse = to, refuse
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        """One connection at a time, a message and its answer in turn: that is how our client calls."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._to)) as server:
                while (message := client.recv(65536)) and self._refuse not in message:
                    server.sendall(message)
                    client.sendall(server.recv(65536))


def test_what_is_no_context(place: Place, run: Run) -> None:
    """The object is there, so it can say itself that it is none."""
    with NamingServer() as alive:
        counter = IORBuilder(THING).iiop(alive.host, alive.port, key=b"INIT").build()
        run("bind", place.address, f"{place.top}/thing", str(counter))
        for argv in (["ls"], ["tree"], ["rmctx"], ["mkctx", "-p"]):
            assert run(*argv, place.address, f"{place.top}/thing", code=1) == "thing is no context"


def test_a_dead_object_is_not_taken_for_a_context(place: Place, run: Run) -> None:
    port = free_port()
    run("bind", place.address, f"{place.top}/thing", thing("127.0.0.1", port))
    for command in ("ls", "tree", "rmctx"):
        said = run(command, place.address, f"{place.top}/thing", code=2)
        assert f"cannot connect to 127.0.0.1:{port}" in said
    assert run("ls", place.address, place.top) == "thing\n"


def test_listings(place: Place, run: Run) -> None:
    run("mkctx", place.address, rf"{place.top}/a\/b.c\.d")
    run("bind", place.address, f"{place.top}/nil", str(IOR("", ())))
    run("bind", place.address, f"{place.top}/thing", thing())
    assert sorted(run("ls", place.address, place.top).splitlines()) == [r"a\/b.c\.d", "nil", "thing"]
    rows = {line.split()[-1]: line.split()[:-1] for line in run("ls", "-l", place.address, place.top).splitlines()}
    assert rows == {
        r"a\/b.c\.d": ["context", "IDL:omg.org/CosNaming/NamingContextExt:1.0", place.address],
        "nil": ["object", "-", "nil"],
        "thing": ["object", THING, "host1:8003"],
    }
    parsed = [json.loads(line) for line in run("ls", "--json", place.address, place.top).splitlines()]
    assert {"name": r"a\/b.c\.d", "components": [["a/b", "c.d"]], "type": "context"} in parsed
    parsed = [json.loads(line) for line in run("ls", "--json", "-l", place.address, place.top).splitlines()]
    expected = {"name": "thing", "components": [["thing", ""]], "type": "object"}
    assert expected | {"repository_id": THING, "addresses": ["host1:8003"]} in parsed


def test_tree_shows_shared_contexts_and_cycles_once(place: Place, run: Run) -> None:
    top = place.top
    for name in ("a", "a/b", "a/b/c"):
        run("mkctx", place.address, f"{top}/{name}")
    run("bind", place.address, f"{top}/a/b/thing.kind", thing())
    run("bind", "--context", place.address, f"{top}/again", f"corbaname::{place.address}#{top}/a/b")
    run("bind", "--context", place.address, f"{top}/a/b/c/up", f"corbaname::{place.address}#{top}/a")
    run("bind", "--context", place.address, f"{top}/a/b/top", f"corbaname::{place.address}#{top}")
    assert run("tree", place.address, top).splitlines() == [
        f"{top}/",
        "  a/",
        "    b/",
        "      c/",
        "        up/ = a",
        "      thing.kind",
        "      top/ = /",
        "  again/ = a/b",
    ]
    assert run("tree", place.address, top, "--depth", "1").splitlines() == [f"{top}/", "  a/", "  again/"]
    assert run("tree", place.address, f"{top}/a/b/c").splitlines()[:2] == [f"{top}/a/b/c/", "  up/"]


def test_tree_names_what_it_cannot_enter(place: Place, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    run("bind", "--context", place.address, f"{place.top}/dead", f"corbaloc::127.0.0.1:{port}/NameService")
    run("mkctx", place.address, f"{place.top}/well")
    assert main(["tree", place.address, place.top]) == 1
    top, dead, well = capsys.readouterr().out.splitlines()
    assert dead.startswith("  dead/ ! ")
    assert f"cannot connect to 127.0.0.1:{port}" in dead
    assert (top, well) == (f"{place.top}/", "  well/")
    assert main(["find", place.address, f"{place.top}/*"]) == 1
    assert "dead: 127.0.0.1" in capsys.readouterr().err
    run("unbind", place.address, f"{place.top}/dead")


def test_find(place: Place, run: Run) -> None:
    run("mkctx", place.address, f"{place.top}/a")
    run("bind", place.address, f"{place.top}/a/thing.kind", thing())
    run("bind", place.address, f"{place.top}/other", "corbaloc::h:1/K")
    assert run("find", place.address, f"{place.top}/*").splitlines() == [
        f"{place.top}/a",
        f"{place.top}/a/thing.kind",
        f"{place.top}/other",
    ]
    assert run("find", place.address, f"{place.top}*.kin?") == f"{place.top}/a/thing.kind\n"
    (row,) = map(json.loads, run("find", place.address, f"{place.top}/*", "--type", "IDL:test/*", "--json").splitlines())
    assert (row["name"], row["repository_id"], row["addresses"]) == (f"{place.top}/a/thing.kind", THING, ["host1:8003"])
    assert main(["find", place.address, "no such name"]) == 1
    assert main(["find", place.address, f"{place.top}/*", "--type", "IDL:Thing*"]) == 1


def test_names_of_any_language(place: Place, run: Run) -> None:
    run("mkctx", place.ior, f"{place.top}/口座")
    assert run("ls", place.ior, place.top) == "口座\n"
    assert run("find", place.ior, f"{place.top}/口?") == f"{place.top}/口座\n"
    run("rmctx", place.ior, f"{place.top}/口座")


def test_a_server_named_by_host_and_port_tells_its_code_sets_itself(place: Place, run: Run) -> None:
    """One name that ISO 8859-1 does not have would otherwise make all of the context unlistable."""
    run("mkctx", place.address, f"{place.top}/口座")
    assert run("ls", place.address, place.top) == "口座\n"
    assert run("find", place.address, f"{place.top}/口?") == f"{place.top}/口座\n"
    run("rmctx", place.address, f"{place.top}/口座")


def test_a_server_whose_references_name_a_host_nobody_knows(run: Run) -> None:
    with NamingServer(advertised_host="vhost.invalid") as server:
        address = f"{server.host}:{server.port}"
        run("bind", address, "a", thing())
        assert run("ls", address) == "a\n"


def test_a_server_without_bindings_does_not(tmp_path: Path, run: Run) -> None:
    with NamingServer(tmp_path) as server:
        why = "a name has characters that cannot be sent: give the IOR of the server, it tells what it can take (DATA_CONVERSION"
        assert run("mkctx", f"{server.host}:{server.port}", "口座", code=2).startswith(why)


def test_names_that_would_move_the_cursor(place: Place, run: Run) -> None:
    with NameService(place.address, policy=POLICY) as names:
        names.root.bind((*parse_name(place.top), NameComponent("a\nb\x1b[2J", "\t")), NIL)
    assert run("ls", place.address, place.top) == "a\\nb\\x1b[2J.\\t\n"
    assert json.loads(run("ls", "--json", place.address, place.top))["components"] == [["a\nb\x1b[2J", "\t"]]


def test_standard_output_that_lacks_a_character(place: Place) -> None:
    assert main(["mkctx", place.ior, f"{place.top}/口座"]) == 0
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*NSTOOL, "ls", place.ior, place.top], capture_output=True, env=env, timeout=20)
    assert (done.returncode, done.stdout) == (0, b"\\u53e3\\u5ea7\n")


# --- many bindings ----------------------------------------------------------------------------------------------------


def fill(place: Place, number: int) -> None:
    with NameService(place.address, policy=POLICY) as names:
        context = names.client.stub(names.resolve(place.top), type(names.root))
        for each in range(number):
            context.bind((NameComponent(str(each)),), NIL)


def test_more_than_one_batch(place: Place, run: Run) -> None:
    fill(place, 2 * BATCH + 1)
    expected = sorted(str(each) for each in range(2 * BATCH + 1))
    assert sorted(run("ls", place.address, place.top).splitlines()) == expected
    assert [line.strip() for line in run("tree", place.address, place.top).splitlines()[1:]] == expected
    assert len(run("find", place.address, f"{place.top}/*", "--type", "").splitlines()) == 2 * BATCH + 1


def test_a_listing_that_is_not_read_to_its_end_is_ended_in_the_server() -> None:
    with NamingServer() as server, NameService(server.corbaloc, policy=POLICY) as names:
        for each in range(BATCH + 1):
            names.root.bind((NameComponent(str(each)),), NIL)
        bindings = list_bindings(names, names.ior)
        next(bindings)
        assert server._servants is not None
        assert len(server._servants.iterators) == 1
        bindings.close()
        assert len(server._servants.iterators) == 0
        assert len(list(list_bindings(names, names.ior))) == BATCH + 1
        assert len(server._servants.iterators) == 0


def test_a_reader_that_goes_away(place: Place) -> None:
    fill(place, BATCH + 1)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as out:
        done = subprocess.run([*NSTOOL, "ls", place.address, place.top], stdout=out, stderr=subprocess.PIPE, timeout=20)
    assert (done.returncode, done.stderr) == (141, b"")


# --- what is no Naming Service ----------------------------------------------------------------------------------------

QUESTIONS = [["ls"], ["tree"], ["find", "*"], ["resolve", "x"], ["unbind", "x"], ["mkctx", "x"], ["rmctx", "x"]]
QUESTIONS += [["bind", "x", "corbaloc::h:1/K"], ["rebind", "x", "corbaloc::h:1/K"]]


@pytest.mark.parametrize("argv", QUESTIONS, ids=" ".join)
def test_nobody_answers(run: Run, argv: list[str]) -> None:
    port = free_port()
    said = run(argv[0], f"127.0.0.1:{port}", *argv[1:], code=2)
    assert said == f"127.0.0.1:{port}: cannot connect to 127.0.0.1:{port}: [Errno 111] Connection refused"


def test_several_hosts_and_none_answers(run: Run, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    (tmp_path / "initial_hosts").write_text("".join(f"127.0.0.1 {port}\n" for port in ports))
    said = run("ls", str(tmp_path / "initial_hosts"), code=2)
    assert [f"127.0.0.1:{port}: cannot connect" in said for port in ports] == [True, True]


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("", "a Naming Service is named by IOR:..., corbaloc:..., corbaname:..., host, host:port, or a file"),
        ("vhost:http", "a Naming Service is named by "),
        ("corbaloc:vhost", "an address begins with ':', 'iiop:' or 'rir:'"),
        ("IOR:00zz", ""),
        ("./absent", "absent: No such file or directory"),
        (str(IOR("", ())), ""),
    ],
)
def test_what_names_no_server(run: Run, server: str, why: str) -> None:
    assert run("ls", server, code=2).startswith(why)


def test_an_empty_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ior").touch()
    said = run("ls", str(tmp_path / "ior"), code=2)
    assert said.startswith(f"{tmp_path / 'ior'}: the file is empty; a reference or initial hosts were expected")


def test_a_server_without_a_naming_service(run: Run) -> None:
    with NamingServer() as server:
        said = run("ls", f"corbaloc::1.2@{server.host}:{server.port}/Nobody", code=2)
    assert said.startswith("there is no such context at the server (OBJECT_NOT_EXIST")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"GIOP\x09\x09\0\0\0\0\0\0", b""])
def test_a_server_that_is_something_else(run: Run, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        assert run("unbind", f"127.0.0.1:{port}", "x", code=2)
        thread.join()


def test_a_server_that_is_silent(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert run("ls", "--timeout", "1", f"127.0.0.1:{listener.getsockname()[1]}", code=2)


class BrokenContext(Servant):
    """Lists what no context may hold, and says for ever that there is more."""

    interface = NamingContext

    def __init__(self, binding: Binding, iterator: iop.IOR) -> None:
        self._answer = ((binding,), iterator)

    def list(self, how_many: int) -> tuple[tuple[Binding, ...], iop.IOR]:
        return self._answer


class EndlessIterator(Servant):
    interface = BindingIterator

    def next_n(self, how_many: int) -> tuple[bool, tuple[Binding, ...]]:
        return True, ()

    def destroy(self) -> None:
        pass


@pytest.mark.parametrize("command", ["ls", "tree", "find"])
def test_a_context_that_breaks_the_rules(run: Run, command: str) -> None:
    with NamingServer() as server:
        url = f"corbaloc::1.2@{server.host}:{server.port}/"
        endless = IORBuilder(BindingIterator.repository_id).iiop(server.host, server.port, key=b"endless").build()
        named = Binding((NameComponent("a"),), BindingType.nobject)
        server.activate(EndlessIterator(), b"endless")
        server.activate(BrokenContext(Binding((), BindingType.nobject), NIL), b"nameless")
        server.activate(BrokenContext(named, endless.to_iop()), b"context")
        arguments = ["*"] if command == "find" else []
        assert (
            run(command, url + "nameless", *arguments, code=2).splitlines()[-1]
            == "a name has at least one component (character 0 of '')"
        )
        assert run(command, url + "context", *arguments).split()[-1] == "a"


def test_a_silent_host_before_one_that_answers(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, NamingServer() as server:
        hosts = tmp_path / "initial_hosts"
        hosts.write_text(f"127.0.0.1 {silent.getsockname()[1]}\n{server.host} {server.port}\n")
        assert run("ls", "--timeout", "1", str(hosts)) == ""


def test_a_context_of_a_server_that_does_not_answer(run: Run) -> None:
    with NamingServer() as server, NameService(server.corbaloc, policy=POLICY) as names:
        far = IORBuilder(names.root.repository_id).iiop("127.0.0.1", free_port(), key=b"NameService").build()
        names.root.bind_context(parse_name("far"), far)
        address = f"{server.host}:{server.port}"
        assert run("resolve", address, "far/a/b", code=1) == "the context in which a/b would be cannot be asked"


def test_ctrl_c(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        argv = [*NSTOOL, "ls", f"127.0.0.1:{listener.getsockname()[1]}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            client, _ = listener.accept()
            with client:
                assert client.recv(12)[:4] == b"GIOP"
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "a.b.c", "a.", "a\\b"])
@pytest.mark.parametrize("command", ["resolve", "unbind", "mkctx", "rmctx", "ls", "tree"])
def test_names_that_are_none(run: Run, command: str, name: str) -> None:
    said = run(command, "127.0.0.1:1", name, code=2)
    assert f"of {name!r})" in said


def test_host_names_that_the_system_does_not_know(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tmp_path / "hosts"
    with NamingServer() as server:
        hosts.write_text(f"{server.host} vhost\n")
        assert run("ls", f"vhost:{server.port}", "--hosts", str(hosts)) == ""
        monkeypatch.setenv("IIOP_HOSTS", str(hosts))
        assert run("ls", f"vhost:{server.port}") == ""
    hosts.write_text("127.0.0.1\n")
    assert f"{hosts}, line 1: an address without a name" in run("ls", "vhost", code=2)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    order = [line.split()[0] for line in text.partition("Commands:")[2].partition("SERVER")[0].splitlines() if line.strip()]
    assert order[:10] == ["serve", "ls", "tree", "find", "resolve", "bind", "rebind", "unbind", "mkctx", "rmctx"]
    assert "..." not in text.partition("Commands:")[2].partition("SERVER")[0], "no summary is cut off"
    for command in order[1:10]:
        assert main([command, "--help"]) == 0
        assert "Exit status: 0 done, 1 the answer is no" in capsys.readouterr().out

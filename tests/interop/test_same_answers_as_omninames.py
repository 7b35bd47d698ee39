"""The same calls, by the same omniORBpy client, on omniNames and on our Naming Service: the same answers, or a stated reason.

Compared are values, user exceptions with all their members, and system exceptions by name; their minor codes and completion are
each vendor's own. The calls are those of `peers.md` 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from iiop.idl import Servant
from naming import NamingServer
from naming.model import Profile
from tests.peers import NAMING_CONTEXT_EXT, NamingPeer, OmniClient, OmniException, OmniRef, name
from tests.peers import omni_names as run_omni_names

DEAD = "corbaloc::127.0.0.1:1/dead"
OBJECT = b"an object"


@dataclass
class Scene:
    """A context of its own in one service: `o` an object, `c` a context with `x`, `e` an empty one.

    `f` is a context of another server, with an object `x` and a context `c`; `dead` one of a server that does not answer.
    """

    client: OmniClient
    context: OmniRef
    target: OmniRef
    inner: OmniRef
    empty: OmniRef
    foreign: OmniRef


def build(client: OmniClient, url: str, target: OmniRef, foreign_url: str) -> Scene:
    foreign = client.naming(foreign_url).call("new_context").narrow(NAMING_CONTEXT_EXT)
    foreign.call("bind", name("x"), target)
    foreign.call("bind_new_context", name("c"))
    context = client.naming(url).call("new_context").narrow(NAMING_CONTEXT_EXT)
    context.call("bind", name(("o", "kind")), target)
    inner = context.call("bind_new_context", name("c"))
    inner.call("bind", name("x"), target)
    empty = context.call("bind_new_context", name("e"))
    context.call("bind_context", name("f"), foreign)
    context.call("bind_context", name("dead"), client.string_to_object(DEAD, NAMING_CONTEXT_EXT, checked=False))
    return Scene(client, context, target, inner, empty, foreign)


def plain(value: Any) -> Any:
    """Turn an answer into something that two services can be compared by."""
    if isinstance(value, OmniRef):
        return "a reference"
    if isinstance(value, OmniException):
        return value.name if value.kind == "system" else (value.name, plain(value.members))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def call(operation: str, *args: Any) -> Callable[[Scene], Any]:
    """Call the context; `TARGET`, `INNER` stand for references of the scene."""

    def run(scene: Scene) -> Any:
        values = [getattr(scene, item.lower()) if isinstance(item, str) and item in PLACEHOLDERS else item for item in args]
        return scene.context.outcome(operation, *values)

    return run


PLACEHOLDERS = ("TARGET", "INNER", "EMPTY", "CONTEXT")


def names_listed(scene: Scene) -> Any:
    return scene.context.call("list", 100)


def then_list(*steps: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    """Do the steps, and look at the context."""
    return lambda scene: [*[step(scene) for step in steps], names_listed(scene)]


def iterate(how_many: int, *calls: tuple[Any, ...]) -> Callable[[Scene], Any]:
    """List `how_many`, then call the iterator."""

    def run(scene: Scene) -> Any:
        first, iterator = scene.context.call("list", how_many)
        return first, *[iterator.outcome(*item) for item in calls]

    return run


def changed_meanwhile(scene: Scene) -> Any:
    _, iterator = scene.context.call("list", 1)
    scene.context.call("unbind", name("e"))
    scene.context.call("bind", name("new"), scene.target)
    return iterator.call("next_n", 10)


def destroyed(scene: Scene) -> Any:
    scene.empty.call("destroy")
    return [
        scene.empty.outcome("list", 1),
        scene.empty.outcome("destroy"),
        scene.context.outcome("resolve", name("e", "x")),
        scene.context.outcome("bind", name("e", "x"), scene.target),
        names_listed(scene),
    ]


def orphan(scene: Scene) -> Any:
    scene.context.call("unbind", name("c"))
    return scene.inner.call("list", 10)


def loop(scene: Scene) -> Any:
    scene.inner.call("bind_context", name("up"), scene.context)
    return scene.context.call("resolve", name("c", "up", "c", "up", "c", "x")).ior() == scene.target.ior()


def two_parents(scene: Scene) -> Any:
    scene.context.call("bind_context", name("again"), scene.inner)
    return scene.context.call("resolve", name("again", "x")).ior() == scene.target.ior()


def foreign_destroyed(scene: Scene) -> Any:
    context = scene.foreign.call("new_context")
    scene.context.call("bind_context", name("gone"), context)
    context.call("destroy")
    return [scene.context.outcome("resolve", name("gone", "x")), scene.context.outcome("resolve", name("gone")).ior() != ""]


def in_a_foreign_context(operation: str, *args: Any) -> Callable[[Scene], Any]:
    """Call with names that lead into the foreign context, and look at it afterwards."""
    names = [name("f", "x"), name("f", "new"), name("f", "c", "new"), name("f", "none", "a"), name("f", "x", "a"), name("f", "c")]

    def run(scene: Scene) -> Any:
        return [*[call(operation, n, *args)(scene) for n in names], scene.foreign.call("list", 100), names_listed(scene)]

    return run


LONG = name(*["c"] * 50)
SAME: dict[str, Callable[[Scene], Any]] = {
    # resolve
    "resolve": lambda scene: scene.context.call("resolve", name(("o", "kind"))).ior() == scene.target.ior(),
    "resolve in a context": lambda scene: scene.context.call("resolve", name("c", "x")).ior() == scene.target.ior(),
    "resolve a context": call("resolve", name("c")),
    "resolve with another kind": call("resolve", name("o")),
    "resolve what is not there": call("resolve", name("none")),
    "resolve in what is not there": call("resolve", name("none", "a", ("b", "k"))),
    "resolve in a context what is not there": call("resolve", name("c", "none", "a")),
    "resolve through an object": call("resolve", name(("o", "kind"), "a", "b")),
    "resolve through an object, deeper": call("resolve", name("c", "x", "a")),
    "resolve a long way": call("resolve", LONG),
    "resolve the empty name": call("resolve", name()),
    # bind
    "bind": then_list(call("bind", name("n"), "TARGET")),
    "bind in a context": call("bind", name("c", "n"), "TARGET"),
    "bind nil": then_list(call("bind", name("n"), None)),
    "bind a bound name": call("bind", name(("o", "kind")), "TARGET"),
    "bind the name of a context": call("bind", name("c"), "TARGET"),
    "bind in what is not there": call("bind", name("none", "a"), "TARGET"),
    "bind through an object": call("bind", name(("o", "kind"), "a"), "TARGET"),
    "bind the empty name": call("bind", name(), "TARGET"),
    "bind empty id and kind": then_list(call("bind", name(("", "")), "TARGET")),
    "bind kind only": then_list(call("bind", name(("", "k")), "TARGET")),
    "bind latin-1": then_list(call("bind", name(("é", "ÿ")), "TARGET")),
    "bind special characters": then_list(call("bind", name(("a/b.c\\d", " \t\n")), "TARGET")),
    "bind a context as an object": then_list(call("bind", name("n"), "INNER"), call("resolve", name("n", "x"))),
    "bind_context": then_list(call("bind_context", name("n"), "INNER"), call("resolve", name("n", "x"))),
    "bind_context a bound name": call("bind_context", name("c"), "INNER"),
    "bind_context the empty name": call("bind_context", name(), "INNER"),
    "bind_context to itself": then_list(call("bind_context", name("self"), "CONTEXT"), call("resolve", name("self", "self"))),
    "bind_new_context": then_list(call("bind_new_context", name("n"))),
    "bind_new_context a bound name": then_list(call("bind_new_context", name("c"))),
    "bind_new_context the empty name": call("bind_new_context", name()),
    # rebind
    "rebind": call("rebind", name("n"), "TARGET"),
    "rebind a bound name": call("rebind", name(("o", "kind")), "TARGET"),
    "rebind in what is not there": call("rebind", name("none", "a"), "TARGET"),
    "rebind the empty name": call("rebind", name(), "TARGET"),
    "rebind_context": call("rebind_context", name("n"), "INNER"),
    "rebind_context a bound context": call("rebind_context", name("e"), "INNER"),
    # unbind, destroy
    "unbind": then_list(call("unbind", name(("o", "kind")))),
    "unbind a context": orphan,
    "unbind what is not there": call("unbind", name("none")),
    "unbind in what is not there": call("unbind", name("none", "a")),
    "unbind the empty name": call("unbind", name()),
    "destroy a context with bindings": lambda scene: scene.inner.outcome("destroy"),
    "destroy a bound, empty context": destroyed,
    # list
    "list all": names_listed,
    "list exactly all": call("list", 5),
    "list none": iterate(0, ("next_one",), ("next_n", 10), ("next_n", 10), ("destroy",)),
    "list some": iterate(1, ("next_n", 2), ("next_n", 2), ("next_n", 2)),
    "list an empty context": lambda scene: scene.empty.call("list", 0),
    "list 2^32 - 1": call("list", 2**32 - 1),
    "iterator one by one": iterate(2, ("next_one",), ("next_one",)),
    "iterator destroyed twice": iterate(1, ("destroy",), ("destroy",), ("next_one",), ("_non_existent",)),
    "list changed meanwhile": changed_meanwhile,
    "loops": loop,
    "two parents": two_parents,
    # names as text
    "to_name": call("to_name", r"a/x\/y\.z\\/b.c/.k/."),
    **{f"to_name {text!r}": call("to_name", text) for text in ["", "a.", "/a", "a/", "a//b", "a.b.c", r"\a", "a\\", ".", ".k"]},
    "to_string": call("to_string", name(("a/b", "c.d"), ("\\", ""), ("", ""), ("", "k"))),
    "to_string of the empty name": call("to_string", name()),
    **{
        f"to_url {address!r} {text!r}": call("to_url", address, text)
        for address, text in [(":h", "a/b.c"), (":h:1,:h2:2/Key", 'a b%"#<'), ("", "n"), ("bad", "n"), (":h", ""), (":h", "a//b")]
    },
    "resolve_str": lambda scene: scene.context.call("resolve_str", "c/x").ior() == scene.target.ior(),
    "resolve_str what is not there": call("resolve_str", "c/none"),
    "resolve_str of no name": call("resolve_str", "a//b"),
    # CORBA::Object
    "_is_a NamingContext": call("_is_a", "IDL:omg.org/CosNaming/NamingContext:1.0"),
    "_is_a Object": call("_is_a", "IDL:omg.org/CORBA/Object:1.0"),
    "_is_a something else": call("_is_a", "IDL:x/y:1.0"),
    "_non_existent": call("_non_existent"),
}


FEDERATED: dict[str, Callable[[Scene], Any]] = {
    **{
        f"{operation} in a foreign context": in_a_foreign_context(operation, *args)
        for operation, *args in [
            ("resolve",),
            ("bind", "TARGET"),
            ("rebind", "TARGET"),
            ("bind_context", "INNER"),
            ("rebind_context", "INNER"),
            ("unbind",),
            ("bind_new_context",),
        ]
    },
    "bind latin-1 in a foreign context": call("bind", name("f", "\u00e9"), "TARGET"),
    "resolve a foreign context": call("resolve", name("f")),
    "resolve_str in a foreign context": call("resolve_str", "f/c/none/a"),
    "resolve in a destroyed foreign context": foreign_destroyed,
}
"""Calls that lead into contexts of another server."""


def not_found(why: str, *rest: str | tuple[str, str]) -> Any:
    return "NotFound", {"why": why, "rest_of_name": name(*rest)}


def dead_object(scene: Scene) -> Any:
    scene.context.call("bind", name("dead object"), scene.client.string_to_object(DEAD))
    return scene.context.outcome("resolve", name("dead object", "a"))


def rebound_place(scene: Scene) -> Any:
    scene.context.call("rebind", name(("o", "kind")), scene.target)
    return [binding["binding_name"][0][0] for binding in scene.context.call("list", 10)[0]]


OMG_TYPES = "OMG Naming 1.3: rebind and rebind_context raise NotFound where the binding is of the other type"
NO_ANSWER = "OMG Naming 1.3: CannotProceed, so that the client may go on itself"
ASKED = "omniNames asks the object whether it is a context; bound by bind(), it is none for us, and nobody has to be asked"
CODE_SETS = "omniNames has ISO 8859-1 unless told otherwise; we offer UTF-8, which omniORBpy chooses"
ORDER = "the order of a listing is left open; ours does not change because a server registered itself again"

DIFFERENT: dict[str, tuple[Callable[[Scene], Any], Any, Any, str]] = {
    "rebind over a context": (call("rebind", name("c"), "TARGET"), None, not_found("not_object", "c"), OMG_TYPES),
    "rebind_context over an object": (
        call("rebind_context", name(("o", "kind")), "INNER"),
        None,
        not_found("not_context", ("o", "kind")),
        OMG_TYPES,
    ),
    "next_n(0)": (
        lambda scene: iterate(1, ("next_n", 0))(scene)[1],
        [False, []],
        "BAD_PARAM",
        "OMG Naming 1.3: BAD_PARAM if how_many is 0",
    ),
    "bind_context nil": (
        call("bind_context", name("n"), None),
        None,
        "BAD_PARAM",
        "OMG Naming 1.3: BAD_PARAM if the context is nil, as names could never lead through it",
    ),
    "rebind_context nil": (
        call("rebind_context", name("c"), None),
        None,
        "BAD_PARAM",
        "OMG Naming 1.3: as bind_context",
    ),
    "resolve in a foreign context that does not answer": (
        call("resolve", name("dead", "x", "y")),
        "TRANSIENT",
        ("CannotProceed", {"cxt": "a reference", "rest_of_name": name("x", "y")}),
        NO_ANSWER,
    ),
    "bind in a foreign context that does not answer": (
        call("bind", name("dead", "x"), "TARGET"),
        "TRANSIENT",
        ("CannotProceed", {"cxt": "a reference", "rest_of_name": name("x")}),
        NO_ANSWER,
    ),
    "bind beyond latin-1": (
        call("bind", name("\u3042"), "TARGET"),
        "DATA_CONVERSION",
        None,
        CODE_SETS,
    ),
    "resolve through a dead object": (
        dead_object,
        "TRANSIENT",
        not_found("not_context", "dead object", "a"),
        ASKED,
    ),
    "place of a rebound name": (
        rebound_place,
        ["c", "e", "f", "dead", "o"],
        ["o", "c", "e", "f", "dead"],
        ORDER,
    ),
}
"""By name: the call, the answer of omniNames, ours, and why we differ."""


@pytest.fixture
def our_names() -> Iterator[NamingServer]:
    with NamingServer() as server:
        server.activate(Servant(), OBJECT)
        yield server


@pytest.fixture
def our_names_as_theirs() -> Iterator[NamingServer]:
    with NamingServer(profile=Profile.omninames) as server:
        yield server


@pytest.fixture
def other_names() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


@pytest.fixture(scope="module")
def other_omni_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamingPeer]:
    with run_omni_names(tmp_path_factory.mktemp("other")) as peer:
        yield peer


@pytest.fixture(scope="module")
def client() -> Iterator[OmniClient]:
    with OmniClient() as client:
        yield client


@pytest.fixture
def target(client: OmniClient, our_names: NamingServer) -> OmniRef:
    return client.string_to_object(f"corbaloc::1.2@{our_names.host}:{our_names.port}/an%20object")


@pytest.fixture
def scenes(
    client: OmniClient, omni_names: NamingPeer, our_names: NamingServer, other_names: NamingServer, target: OmniRef
) -> tuple[Scene, Scene]:
    """The same scene in omniNames and in ours."""
    return tuple(build(client, url, target, other_names.corbaloc) for url in (omni_names.corbaloc, our_names.corbaloc))


@pytest.mark.parametrize(("run", "theirs", "ours", "why"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_on_purpose(
    scenes: tuple[Scene, Scene], run: Callable[[Scene], Any], theirs: object, ours: object, why: str
) -> None:
    assert why
    assert (plain(run(scenes[0])), plain(run(scenes[1]))) == (theirs, ours)


@pytest.mark.parametrize(("run", "theirs", "ours", "why"), DIFFERENT.values(), ids=DIFFERENT)
def test_not_different_in_profile_omninames(
    client: OmniClient,
    our_names_as_theirs: NamingServer,
    other_names: NamingServer,
    target: OmniRef,
    run: Callable[[Scene], Any],
    theirs: object,
    ours: object,
    why: str,
) -> None:
    scene = build(client, our_names_as_theirs.corbaloc, target, other_names.corbaloc)
    assert plain(run(scene)) == (ours if why in (ASKED, CODE_SETS) else theirs)


@pytest.mark.parametrize("run", SAME.values(), ids=SAME)
def test_same_answer(scenes: tuple[Scene, Scene], run: Callable[[Scene], Any]) -> None:
    theirs, ours = (plain(run(scene)) for scene in scenes)
    assert ours == theirs


@pytest.mark.parametrize("run", FEDERATED.values(), ids=FEDERATED)
def test_same_answer_through_another_server(
    client: OmniClient,
    our_names: NamingServer,
    other_names: NamingServer,
    omni_names: NamingPeer,
    other_omni_names: NamingPeer,
    target: OmniRef,
    run: Callable[[Scene], Any],
) -> None:
    """Ours or omniNames, leading into ours or into omniNames."""
    for other in (other_names, other_omni_names):
        theirs, ours = (
            plain(run(build(client, url, target, other.corbaloc))) for url in (omni_names.corbaloc, our_names.corbaloc)
        )
        assert ours == theirs

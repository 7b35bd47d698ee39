"""Profile `interstage`: what the manuals of Interstage show of references and repository ids, to our client and to omniORBpy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from iiop.endpoints import endpoints
from iiop.exceptions import BAD_PARAM
from iiop.giop.messages import GIOP_1_0
from iiop.iop import IOR, NIL
from iiop.profile import Version
from ior import IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.bootstrap import INIT, InitialReferences
from naming.interfaces import BindingIterator, NamingContextExt
from naming.model import Profile
from naming.types import NotFound, NotFoundReason
from tests.asking import ask
from tests.peers import NAMING_CONTEXT_EXT, OmniClient, OmniException, name

N = parse_name
TARGET = IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"x").build()


@pytest.fixture
def server() -> Iterator[NamingServer]:
    with NamingServer(profile=Profile.interstage) as server:
        yield server


def check_reference(reference: IOR, interface: str) -> bytes:
    """Check a reference of the server's own, and return its object key."""
    assert reference.type_id == f"IDL:CosNaming/{interface}:1.0"
    (profile,) = reference.profiles
    assert profile.profile_data[1:3] == b"\1\0"
    (endpoint,) = endpoints(reference)
    assert endpoint.version == Version(1, 0)
    return endpoint.object_key


def test_references(server: NamingServer) -> None:
    assert check_reference(server.ior, "NamingContextExt") == b"NameService"
    assert server.corbaloc == f"corbaloc:iiop:1.0@{server.host}:{server.port}/NameService"
    with NameService(server.corbaloc) as names:
        made = names.root.bind_new_context(N("c"))
        assert re.fullmatch(rb"context\.[0-9]+\.[0-9]+", check_reference(made, "NamingContextExt"))
        _, iterator = names.root.list(0)
        check_reference(iterator, "BindingIterator")
        found = ask((server.host, server.port), InitialReferences, "get", "NameService", key=INIT, version=GIOP_1_0)
        check_reference(found, "NamingContextExt")
        names.root.bind(N("o"), TARGET)
        assert names.resolve("o") == TARGET  # what others are is kept


def test_repository_ids(server: NamingServer) -> None:
    address = server.host, server.port
    ask(address, NamingContextExt, "bind_new_context", N("c"))
    (endpoint,) = endpoints(ask(address, NamingContextExt, "list", 0)[1])
    assert ask(address, BindingIterator, "_repository_id", key=endpoint.object_key) == "IDL:CosNaming/BindingIterator:1.0"
    assert ask(address, NamingContextExt, "_repository_id") == "IDL:CosNaming/NamingContextExt:1.0"
    for prefix in ("", "omg.org/"):
        assert ask(address, NamingContextExt, "_is_a", f"IDL:{prefix}CosNaming/NamingContext:1.0") is True


def test_exceptions_reach_our_client_in_either_spelling(server: NamingServer) -> None:
    with NameService(server.corbaloc) as names:
        with pytest.raises(NotFound) as caught:
            names.resolve("none/a")
        assert (caught.value.why, caught.value.rest_of_name) == (NotFoundReason.missing_node, N("none/a"))


def test_otherwise_it_is_omg(server: NamingServer) -> None:
    with NameService(server.corbaloc) as names:
        names.root.bind_new_context(N("c"))
        with pytest.raises(NotFound) as caught:
            names.root.rebind(N("c"), TARGET)
        assert caught.value.why is NotFoundReason.not_object
        with pytest.raises(BAD_PARAM):
            names.root.bind_context(N("n"), NIL)


def test_omniorbpy(server: NamingServer, omni_client: OmniClient) -> None:
    """It works with it, but knows none of its exceptions: that is what such clients get from Interstage."""
    root = omni_client.string_to_object(str(server.ior), NAMING_CONTEXT_EXT)
    target = omni_client.string_to_object(str(TARGET))
    root.call("bind_new_context", name("c")).call("bind", name("o"), target)
    assert root.call("resolve", name("c", "o")).ior() == target.ior()
    assert len(root.call("list", 10)[0]) == 1
    answer = root.outcome("resolve", name("none"))
    assert isinstance(answer, OmniException)
    assert (answer.kind, answer.name) == ("system", "UNKNOWN")

"""Context ids live in object keys and survive a copy of the folder, so that a reference to a context works on either host."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from iiop.endpoints import endpoints
from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.failover import FailoverPolicy
from iiop_lab.virtual_host import Target, VirtualHost
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, parse_name
from naming.interfaces import NamingContextExt
from naming.model import Profile
from tests.peers import NAMING_CONTEXT_EXT, OmniClient, free_port, name

N = parse_name
HOSTS = ("127.0.0.51", "127.0.0.52")
POLICY = FailoverPolicy(deadline=10.0)


def target(number: int) -> IOR:
    return IORBuilder("IDL:x:1.0").iiop("vhost", 8002, key=b"%d" % number).build()


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., NamingServer]:
    """Make the Naming Service of a host, on the port of the virtual host, which its references name."""
    port = free_port("127.0.0.50")

    def make(host: int, profile: Profile = Profile.omg) -> NamingServer:
        return NamingServer(
            tmp_path / str(host),
            host=HOSTS[host],
            port=port,
            advertised_host="vhost",
            profile=profile,
        )

    return make


def root(server: NamingServer) -> NameService:
    """Return a client of one host itself, to whom the virtual host's name is that host."""
    return NameService(f"{server.host}:{server.port}", policy=POLICY)


@pytest.mark.parametrize("profile", Profile)
def test_a_context_reference_works_on_either_host(
    tmp_path: Path, node: Callable[..., NamingServer], omni_client: OmniClient, profile: Profile
) -> None:
    with node(0, profile) as first, root(first) as names:
        made = names.root.bind_new_context(N("c"))
        names.root.bind(N("c/o"), target(0))
        unbound = names.root.new_context()
        names.root.bind_context(N("up"), made)
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    (endpoint,) = endpoints(made)
    assert endpoint.host == "vhost"
    assert re.fullmatch(rb"context\.[0-9]{9,}\.[0-9]+", endpoint.object_key)

    with node(0, profile) as first, node(1, profile) as second:
        for server in (first, second):
            with NameService(str(server.ior), hosts={"vhost": server.host}, policy=POLICY) as names:
                assert names.root.list(10)[0][0].binding_name == N("c")
            context = IORBuilder(made.type_id).iiop(server.host, server.port, key=endpoint.object_key).build()
            with root(server) as names:
                stub = names.client.stub(context, NamingContextExt)
                assert IOR.from_iop(stub.resolve(N("o"))) == target(0)
                assert names.root.resolve(N("c")) == names.root.resolve(N("up")) == made
                stub.bind(N("o2"), target(2))
                assert names.resolve("c/o2") == target(2)
                (lost,) = endpoints(unbound)
                orphan = IORBuilder("").iiop(server.host, server.port, key=lost.object_key).build()
                assert names.client.stub(orphan, NamingContextExt).list(1)[0] == ()
            omni = omni_client.string_to_object(str(context), NAMING_CONTEXT_EXT)
            assert omni.call("resolve", name("o")).ior() == omni_client.string_to_object(str(target(0))).ior()


def test_one_reference_through_the_virtual_host(tmp_path: Path, node: Callable[..., NamingServer]) -> None:
    """A client that keeps a context gets its answer from whichever host it is distributed to, and from the one that lives."""
    with node(0) as first, root(first) as names:
        made = names.root.bind_new_context(N("c"))
        names.root.bind(N("c/who"), target(0))
        (endpoint,) = endpoints(made)
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    with node(1) as second, root(second) as names:
        names.root.rebind(N("c/who"), target(1))

    def who() -> str:
        with NameService(str(IOR.from_iop(made)), hosts={"vhost": "127.0.0.50"}, policy=POLICY) as context:
            return str(context.resolve("who"))

    with node(0) as first, contextlib.ExitStack() as dying:
        second = dying.enter_context(node(1))
        targets = [Target(server.host, server.port) for server in (first, second)]
        with VirtualHost(targets, host="127.0.0.50", port=endpoint.port):
            assert {who() for _ in range(4)} == {str(target(0)), str(target(1))}
            dying.close()
            assert {who() for _ in range(4)} == {str(target(0))}


def test_ids_made_after_the_copy_may_be_the_same_on_both(tmp_path: Path, node: Callable[..., NamingServer]) -> None:
    """Contexts made on one host alone are unknown on the other: the folder is to be copied again."""
    with node(0) as first, root(first) as names:
        names.root.bind_new_context(N("c"))
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    with node(0) as first, root(first) as names:
        made = names.root.bind_new_context(N("d"))
        names.root.unbind(N("d"))
    (endpoint,) = endpoints(made)
    with node(1) as second, root(second) as names:
        context = IORBuilder(made.type_id).iiop(second.host, second.port, key=endpoint.object_key).build()
        with pytest.raises(OBJECT_NOT_EXIST):
            names.client.stub(context, NamingContextExt).list(1)


def test_a_destroyed_context_id_is_not_given_again_after_a_copy(tmp_path: Path, node: Callable[..., NamingServer]) -> None:
    with node(0) as first, root(first) as names:
        gone = names.root.new_context()
        names.client.stub(
            IORBuilder(gone.type_id).iiop(first.host, first.port, key=endpoints(gone)[0].object_key).build(), NamingContextExt
        ).destroy()
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    with node(1) as second, root(second) as names:
        assert endpoints(names.root.new_context())[0].object_key != endpoints(gone)[0].object_key

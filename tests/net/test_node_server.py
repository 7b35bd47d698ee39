"""A node served: who has its folder, where it listens, and initial services as ORBs ask for them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iiop.endpoints import endpoints
from iiop.exceptions import NO_PERMISSION, OBJECT_NOT_EXIST, PERSIST_STORE
from iiop.giop.messages import LocateReply, LocateRequest, LocateStatus, Reply, ReplyStatus, Request, key_address
from iiop.idl import ForwardRequest, ObjectAdapter
from iiop.iop import IOR, IOR_CODEC, NIL
from ior import IORBuilder
from naming import NameService, NamingServer
from naming.administration import NODE_ADMINISTRATION, NodeAdministration
from naming.bootstrap import INIT, InitialReferences
from naming.claim import Claim, announced
from naming.interfaces import NamingContextExt
from naming.names import parse_name
from naming.node import Node, NodeError
from naming.node_server import NodeServer, administer
from naming.types import AlreadyBound, InvalidName, NotFound
from tests.peers import OmniClient, free_port, name

PATIENCE = 60.0
A, B = (IORBuilder("IDL:T:1.0").iiop(host, 1, key=b"k").build().to_iop() for host in "ab")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    home = tmp_path / "node"
    (home / "etc").mkdir(parents=True)
    (home / "etc" / "config").write_text(f"IIOP_port = {free_port()}\n")
    return Node(home)


# --- the folder -------------------------------------------------------------------------------------------------------


def test_one_claim_at_a_time(node: Node) -> None:
    claim = Claim.take(node)
    assert claim is not None
    assert Claim.take(node) is None
    claim.release()
    again = Claim.take(node)
    assert again is not None
    again.release()
    again.release()


def test_an_announcement_is_that_of_who_lives(node: Node) -> None:
    claim = Claim.take(node)
    assert claim is not None
    assert announced(node) is None
    claim.announce("127.0.0.1:1")
    assert announced(node) == "127.0.0.1:1"
    claim.withdraw()
    assert announced(node) is None
    claim.announce("127.0.0.1:2")
    claim.release()
    assert announced(node) is None
    assert not (node.home / "var" / "naming.address").exists()
    (node.home / "var" / "naming.address").write_text("127.0.0.1:3\n")  # of one that was killed
    assert announced(node) is None


def test_programs_started_meanwhile_do_not_keep_the_folder(node: Node) -> None:
    claim = Claim.take(node)
    assert claim is not None
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        claim.release()
        again = Claim.take(node)
        child.kill()
    assert again is not None
    again.release()


def test_a_server_listens_where_the_config_says(node: Node) -> None:
    (node.home / "etc" / "config").write_text(f"IIOP_hostname = localhost\nIIOP_port = {node.port}\n")
    with NodeServer(node, host="127.0.0.1") as server:
        assert server.port == node.port
        assert announced(node) == f"127.0.0.1:{node.port}"
        (endpoint,) = server.ior.endpoints()
        assert (endpoint.host, endpoint.port) == ("localhost", node.port)
    with NodeServer(node, host="0.0.0.0"):
        assert announced(node) == f"127.0.0.1:{node.port}"


def test_a_server_that_cannot_listen_lets_go(node: Node) -> None:
    with NodeServer(node), pytest.raises(NodeError, match="is served already, at "), NodeServer(node):
        pass
    with NamingServer(port=node.port), pytest.raises(OSError, match="address already in use"), NodeServer(node):
        pass
    with NodeServer(node):
        pass


def test_a_server_that_cannot_say_where_it_is_ends(node: Node) -> None:
    (node.home / "var" / "naming.address.new").mkdir(parents=True)
    with pytest.raises(IsADirectoryError), NodeServer(node):
        pass
    (node.home / "var" / "naming.address.new").rmdir()
    with NodeServer(node) as server:
        assert announced(node) == f"127.0.0.1:{server.port}"


def test_a_server_waits_for_a_command(node: Node) -> None:
    server = NodeServer(node)
    with ThreadPoolExecutor(1) as other:
        with administer(node) as reached:
            starting = other.submit(server.__enter__)
            reached.names.root.bind(parse_name("a"), A)
            assert not starting.done()
        starting.result(PATIENCE)
    with NameService(server.corbaloc) as names:
        assert names.resolve("a").to_iop() == A
    server.__exit__(None, None, None)


def test_many_read_at_once_and_nobody_changes_meanwhile(node: Node) -> None:
    with administer(node) as reached:
        reached.names.root.bind(parse_name("a"), A)
        assert Claim.share(node) is None
    with administer(node, reading=True) as one, administer(node, reading=True) as other:
        assert one.names.resolve("a").to_iop() == other.names.resolve("a").to_iop() == A
        assert Claim.take(node) is None
    with administer(node) as reached:
        assert reached.names.resolve("a").to_iop() == A


def test_a_config_that_cannot_be_used_leaves_the_folder_free(node: Node) -> None:
    (node.home / "etc" / "config").write_text("object_group_selection = by weight\n")
    with pytest.raises(NodeError, match="the rules are round_robin, first"), administer(node):
        pass
    (node.home / "etc" / "config").write_text("iiopkit_profile = orbix\n")
    with pytest.raises(NodeError, match="config: iiopkit_profile = orbix: the profiles are omg, omninames, interstage"):
        NodeServer(node)
    (node.home / "etc" / "config").write_text("object_group_selection = first\n")
    with administer(node) as reached:
        reached.load_balancing.create_group(parse_name("g"), "", NIL)
        for member in (A, B):
            reached.load_balancing.add_member(parse_name("g"), member)
        assert {reached.names.resolve("g").to_iop() for _ in range(3)} == {A}


# --- initial services -------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


@pytest.fixture
def other() -> Iterator[NamingServer]:
    with NamingServer() as server:
        yield server


def register(node_or_server: NamingServer, id: str, reference: IOR) -> None:
    with NameService(node_or_server.corbaloc) as names:
        stub(names, node_or_server).register_service(id, reference)


def stub(names: NameService, server: NamingServer) -> NodeAdministration:
    host, port = server.address
    reference = IORBuilder().iiop(host, port, key=NODE_ADMINISTRATION).build()
    return names.client.stub(reference, NodeAdministration)


def test_a_service_is_known_to_both_bootstraps_at_once(server: NamingServer, other: NamingServer) -> None:
    register(server, "Trading", other.ior.to_iop())
    host, port = server.address
    with NameService(other.corbaloc) as names:
        names.root.bind(parse_name("x"), A)
        initial = names.client.stub(IORBuilder().iiop(host, port, key=INIT).build(), InitialReferences)
        assert initial.list() == ("NameService", "FJ_LoadBalancingOption", "Trading")
        assert initial.get("Trading") == other.ior.to_iop()
    with NameService(f"corbaloc:iiop:1.2@{host}:{port}/Trading") as forwarded:
        assert forwarded.resolve("x").to_iop() == A
    with NameService(f"corbaloc:iiop:1.2@{host}:{port}/Nobody") as nobody, pytest.raises(OBJECT_NOT_EXIST):
        nobody.resolve("x")


def test_omniorbpy_follows_the_forward(server: NamingServer, other: NamingServer, omni_client: OmniClient) -> None:
    register(server, "Trading", other.ior.to_iop())
    host, port = server.address
    trading = omni_client.naming(f"corbaloc:iiop:1.2@{host}:{port}/Trading")
    trading.call("bind_new_context", name("x"))
    with NameService(other.corbaloc) as names:
        assert names.resolve("x").type_id == NamingContextExt.repository_id


def test_refusals(server: NamingServer) -> None:
    with NameService(server.corbaloc) as names:
        administration = stub(names, server)
        administration.register_service("a", A)
        with pytest.raises(AlreadyBound):
            administration.register_service("a", B)
        for id in ("NameService", "FJ_LoadBalancingOption"):
            with pytest.raises(NO_PERMISSION):
                administration.register_service(id, B)
            with pytest.raises(NO_PERMISSION):
                administration.delete_service(id)
        for id in ("", "two words", "#a", "x" * 256, "t\u00e4"):
            with pytest.raises(InvalidName):
                administration.register_service(id, A)
        for id in ("b", ""):
            with pytest.raises(NotFound):
                administration.delete_service(id)
        administration.delete_service("a")
        assert [service.id for service in administration.services()] == ["NameService", "FJ_LoadBalancingOption"]


def test_a_file_that_cannot_be_written_changes_nothing(node: Node) -> None:
    with NodeServer(node), administer(node) as reached:
        reached.administration.register_service("a", A)
        (node.home / "etc" / f".initial_services.{os.getpid()}").mkdir()
        for change in (
            lambda: reached.administration.register_service("b", B),
            lambda: reached.administration.delete_service("a"),
        ):
            with pytest.raises(PERSIST_STORE):
                change()
        assert [service.id for service in reached.administration.services()][2:] == ["a"]
        (node.home / "etc" / f".initial_services.{os.getpid()}").rmdir()
        reached.administration.register_service("b", B)
    with administer(node) as reached:
        assert [(service.id, service.reference) for service in reached.administration.services()][2:] == [("a", A), ("b", B)]


@pytest.mark.parametrize("operation", ["resolve", "anything"])
def test_the_adapter_forwards_both_kinds_of_request(operation: str) -> None:
    def elsewhere(object_key: bytes) -> None:
        raise ForwardRequest(A)

    adapter = ObjectAdapter(locate_servant=elsewhere)
    reply = adapter.handle(Request(1, operation, key_address(b"k")))
    assert isinstance(reply, Reply)
    assert reply.reply_status is ReplyStatus.LOCATION_FORWARD
    located = adapter.locate(LocateRequest(1, key_address(b"k")))
    assert isinstance(located, LocateReply)
    assert located.locate_status is LocateStatus.OBJECT_FORWARD
    for body in (reply.body, located.body):
        assert body.decode(IOR_CODEC) == A


def test_a_service_whose_reference_is_nil_is_forwarded_nowhere(server: NamingServer) -> None:
    register(server, "Nothing", NIL)
    host, port = server.address
    with NameService(f"corbaloc:iiop:1.2@{host}:{port}/Nothing") as nothing, pytest.raises(OBJECT_NOT_EXIST):
        nothing.resolve("x")
    assert next(iter(endpoints(server.ior.to_iop()))).object_key == b"NameService"

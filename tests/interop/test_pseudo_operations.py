"""What every object of ours answers besides its interface, and the bootstrap `INIT`: beside what omniNames answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from iiop.cdr import ByteOrder
from iiop.endpoints import endpoints
from iiop.exceptions import BAD_OPERATION, INTF_REPOS, OBJECT_NOT_EXIST, CompletionStatus, SystemException
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, LocateStatus, Reply
from iiop.giop.wire import decode
from iiop.iop import NIL
from iiop.profile import Version
from naming import NamingServer
from naming.bootstrap import INIT, InitialReferences
from naming.interfaces import BindingIterator, NamingContextExt
from naming.types import NameComponent
from tests.asking import PATIENCE, ask, locate
from tests.peers import omni_names as run_omni_names

VERSIONS = pytest.mark.parametrize(
    "version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=lambda version: f"{version.major}.{version.minor}"
)
ORDERS = pytest.mark.parametrize("order", list(ByteOrder), ids=lambda order: order.name)
Address = tuple[str, int]


@pytest.fixture
def ours() -> Iterator[Address]:
    with NamingServer() as server:
        yield server.host, server.port


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with run_omni_names(tmp_path_factory.mktemp("bootstrap"), "-ORBsupportBootstrapAgent", "1") as peer:
        yield peer.host, peer.port


@VERSIONS
@ORDERS
def test_pseudo_operations(ours: Address, theirs: Address, version: Version, order: ByteOrder) -> None:
    def call(address: Address, operation: str) -> object:
        return ask(address, NamingContextExt, operation, version=version, order=order)

    for address in (ours, theirs):
        assert call(address, "_non_existent") is False
        with pytest.raises(INTF_REPOS) as caught:
            call(address, "_interface")
        assert caught.value.completed is CompletionStatus.COMPLETED_NO
    assert caught.value.minor != 0
    # omniORB knows none of these; they are of GIOP 1.0, of CORBA 3, and JacORB's
    assert call(ours, "_not_existent") is False
    assert call(ours, "_component") == NIL
    assert call(ours, "_get_component") == NIL
    assert call(ours, "_repository_id") == "IDL:omg.org/CosNaming/NamingContextExt:1.0"
    for operation in ("_not_existent", "_component", "_get_component", "_repository_id"):
        with pytest.raises(BAD_OPERATION):
            call(theirs, operation)


@pytest.mark.parametrize("name", ["CosNaming/NamingContext", "CosNaming/NamingContextExt", "CORBA/Object"])
def test_is_a_in_both_spellings(ours: Address, theirs: Address, name: str) -> None:
    """An ORB that has no prefix in its ids asks in its own spelling; omniNames says no, and such a client gives up."""
    for repository_id in (f"IDL:omg.org/{name}:1.0", f"IDL:{name}:1.0"):
        assert ask(ours, NamingContextExt, "_is_a", repository_id) is True
    assert ask(theirs, NamingContextExt, "_is_a", f"IDL:omg.org/{name}:1.0") is True
    assert ask(theirs, NamingContextExt, "_is_a", f"IDL:{name}:1.0") is False


@pytest.mark.parametrize(
    "repository_id",
    [
        "",
        "IDL:",
        "IDL:omg.org/CosNaming/BindingIterator:1.0",
        "IDL:CosNaming/NamingContext:1.1",
        "IDL:x/CosNaming/NamingContext:1.0",
    ],
)
def test_is_a_of_what_it_is_not(ours: Address, theirs: Address, repository_id: str) -> None:
    assert ask(ours, NamingContextExt, "_is_a", repository_id) is False
    assert ask(theirs, NamingContextExt, "_is_a", repository_id) is False


@VERSIONS
@ORDERS
def test_locate_finds_every_key_of_ours(ours: Address, version: Version, order: ByteOrder) -> None:
    new = ask(ours, NamingContextExt, "bind_new_context", (NameComponent("c"),))
    _, iterator = ask(ours, NamingContextExt, "list", 0)
    (context_key,) = {endpoint.object_key for endpoint in endpoints(new)}
    (iterator_key,) = {endpoint.object_key for endpoint in endpoints(iterator)}
    assert context_key.startswith(b"context.")

    def found(key: bytes) -> bool:
        return locate(ours, key, version=version, order=order) is LocateStatus.OBJECT_HERE

    assert all(map(found, (b"NameService", INIT, context_key, iterator_key)))
    assert not any(
        map(found, (b"", b"nameservice", b"NameService\0", context_key + b"0", iterator_key + b"0", b"context.", b"\xff"))
    )
    ask(ours, NamingContextExt, "destroy", key=context_key)
    ask(ours, BindingIterator, "destroy", key=iterator_key)
    assert not found(context_key)
    assert not found(iterator_key)
    with pytest.raises(OBJECT_NOT_EXIST):
        ask(ours, NamingContextExt, "_non_existent", key=context_key)


@VERSIONS
@ORDERS
def test_init(ours: Address, theirs: Address, version: Version, order: ByteOrder) -> None:
    for address in (ours, theirs):
        root = ask(address, InitialReferences, "get", "NameService", key=INIT, version=version, order=order)
        (endpoint,) = {(endpoint.host, endpoint.port, endpoint.object_key) for endpoint in endpoints(root)}
        assert endpoint == (*address, b"NameService")
        ids = ask(address, InitialReferences, "list", key=INIT, version=version, order=order)
        assert ids == ("NameService", "FJ_LoadBalancingOption")[: 1 + (address == ours)]


def test_init_with_an_unknown_id(ours: Address, theirs: Address) -> None:
    assert ask(ours, InitialReferences, "get", "TradingService", key=INIT, version=GIOP_1_0) == NIL
    assert ask(ours, InitialReferences, "get", "", key=INIT, version=GIOP_1_0) == NIL
    with pytest.raises(SystemException):  # for the InvalidName it raises undeclared; which one differs
        ask(theirs, InitialReferences, "get", "TradingService", key=INIT, version=GIOP_1_0)


def test_init_is_an_object_like_others(ours: Address) -> None:
    assert ask(ours, InitialReferences, "_is_a", "IDL:omg.org/CORBA/InitialReferences:1.0", key=INIT, version=GIOP_1_0) is True
    with pytest.raises(BAD_OPERATION):
        ask(ours, NamingContextExt, "resolve", (NameComponent("a"),), key=INIT)


def test_what_nmap_asks(ours: Address) -> None:
    """The octets of its script giop-info: big endian GIOP 1.0 with the service contexts of a JDK."""
    code_base = (
        bytes.fromhex(
            "00000000 00000028 49444c3a 6f6d672e 6f72672f 53656e64 696e6743 6f6e7465 78742f43 6f646542 6173653a 312e3000"
        )
        + bytes.fromhex("00000001 00000000 0000006e 00010200 0000000a 3132372e 302e302e 3100")
        + bytes.fromhex("ec510000 0019afab cb000000 00024976 5d690000 00080000 00000000 00001400 00000000 00020000 00010000")
        + bytes.fromhex("00200000 00000001 00010000 00020501 00010001 00200001 01090000 00010001 01000000 00260000 00020002")
    )
    request = (
        bytes.fromhex("00000003 00000011 00000002 0002 0000 4e454f00 00000002 0014 0000 00000006")
        + len(code_base).to_bytes(4, "big")
        + code_base
        + bytes(-len(code_base) % 4)
        + bytes.fromhex("00000005 01000000 00000004 494e4954 00000004 67657400 00000000")
        + bytes.fromhex("0000000c 4e616d65 53657276 69636500")
    )
    with socket.create_connection(ours, PATIENCE) as sock:
        sock.sendall(bytes.fromhex("47494f50 01000000") + len(request).to_bytes(4, "big") + request)
        octets = sock.recv(65536)
    reply = decode(octets)
    assert isinstance(reply, Reply)
    assert (reply.version, reply.byte_order, reply.request_id) == (GIOP_1_0, ByteOrder.BIG, 5)
    (endpoint,) = endpoints(InitialReferences.operations()["get"].answer(reply))
    assert (endpoint.host, endpoint.port, endpoint.object_key) == (*ours, b"NameService")

"""Our blocking client on omniNames: every operation, every exception, in every version of GIOP and both byte orders."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iiop.cdr import ByteOrder
from iiop.exceptions import (
    BAD_OPERATION,
    COMM_FAILURE,
    MARSHAL,
    OBJECT_NOT_EXIST,
    ConnectionLost,
    FailoverExhausted,
    ReferenceFormatError,
)
from iiop.failover import FailoverPolicy
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
    key_address,
)
from iiop.idl import Interface, operation
from iiop.iop import IOR, NIL
from iiop.net.blocking import BlockingConnection
from iiop.profile import Version
from ior import IORBuilder
from naming import NameComponent, NameService
from naming.interfaces import BindingIterator, NamingContextExt
from naming.names import parse_name
from naming.types import (
    AlreadyBound,
    Binding,
    BindingType,
    InvalidAddress,
    InvalidName,
    Name,
    NotEmpty,
    NotFound,
    NotFoundReason,
)
from tests.peers import NamingPeer, free_port, run_catior
from tests.peers import omni_names as run_omni_names

POLICY = FailoverPolicy(deadline=10.0, rounds=2, backoff_initial=0.01)
VERSIONS = ["1.0", "1.1", "1.2"]
TARGET = IORBuilder("IDL:test/Thing:1.0").iiop("127.0.0.1", 1, key=b"thing").code_sets().build().to_iop()


def n(text: str) -> Name:
    return parse_name(text)


@pytest.fixture(params=VERSIONS)
def service(request: pytest.FixtureRequest, omni_names: NamingPeer) -> Iterator[NameService]:
    with NameService(omni_names.url(request.param), policy=POLICY) as service:
        yield service


@pytest.fixture
def context(service: NameService, request: pytest.FixtureRequest) -> NamingContextExt:
    """A new context that no other test sees, called in the version of the service."""
    return stub(service, service.root.new_context())


def stub(service: NameService, reference: IOR, interface: type[NamingContextExt] = NamingContextExt) -> NamingContextExt:
    return service.client.stub(reference, interface)


def test_bind_resolve_unbind(service: NameService, context: NamingContextExt) -> None:
    name = (NameComponent("a/b", "é.k"),)
    assert context.bind(name, TARGET) is None
    assert context.resolve(name) == TARGET
    context.rebind(name, TARGET)
    with pytest.raises(AlreadyBound):
        context.bind(name, TARGET)
    context.unbind(name)
    with pytest.raises(NotFound) as caught:
        context.resolve(name)
    assert caught.value == NotFound(NotFoundReason.missing_node, name)


def test_contexts(service: NameService, context: NamingContextExt) -> None:
    inner = stub(service, context.bind_new_context(n("c")))
    inner.bind(n("x"), TARGET)
    assert context.resolve(n("c/x")) == TARGET
    assert context.resolve_str("c/x") == TARGET
    other = service.root.new_context()
    context.bind_context(n("o"), other)
    context.rebind_context(n("o"), context.resolve(n("c")))
    assert context.resolve(n("o/x")) == TARGET
    with pytest.raises(NotFound) as caught:
        context.resolve(n("c/none/more"))
    assert caught.value == NotFound(NotFoundReason.missing_node, n("none/more"))
    with pytest.raises(AlreadyBound):
        context.bind_new_context(n("c"))
    with pytest.raises(AlreadyBound):
        context.bind_context(n("c"), other)
    with pytest.raises(NotEmpty):
        inner.destroy()
    for call in (context.resolve, context.unbind, context.bind_new_context):
        with pytest.raises(InvalidName):
            call(())
    free = stub(service, other)
    assert free._non_existent() is False
    free.destroy()
    with pytest.raises(OBJECT_NOT_EXIST):
        free.list(1)


def test_list_and_iterator(service: NameService, context: NamingContextExt) -> None:
    bindings = tuple(Binding(n(f"b{number}.k"), BindingType.nobject) for number in range(5))
    for binding in bindings:
        context.bind(binding.binding_name, TARGET)
    assert context.list(5) == (bindings, NIL)
    assert context.list(2**32 - 1) == (bindings, NIL)
    first, reference = context.list(1)
    iterator = service.client.stub(reference, BindingIterator)
    assert first == bindings[:1]
    assert iterator.next_one() == (True, bindings[1])
    assert iterator.next_n(2) == (True, bindings[2:4])
    assert iterator.next_n(9) == (True, bindings[4:])
    assert iterator.next_n(9) == (False, ())
    assert iterator.next_one() == (False, Binding((), BindingType.nobject))
    iterator.destroy()
    with pytest.raises(OBJECT_NOT_EXIST):
        iterator.next_one()


def test_names_as_text(context: NamingContextExt) -> None:
    assert context.to_name(r"a\.b.c/d") == n(r"a\.b.c/d")
    assert context.to_string(n(r"a\.b.c/d")) == r"a\.b.c/d"
    assert context.to_url(":h:1", "a b") == "corbaname::h:1#a%20b"
    with pytest.raises(InvalidName):
        context.to_name("a//b")
    with pytest.raises(InvalidName):
        context.to_string(())
    with pytest.raises(InvalidAddress):
        context.to_url("", "a")


def test_object_operations(context: NamingContextExt) -> None:
    assert context._is_a(NamingContextExt.repository_id) is True
    assert context._is_a("IDL:omg.org/CosNaming/NamingContext:1.0") is True
    assert context._is_a("IDL:x:1.0") is False
    assert context._non_existent() is False


def test_large_names(context: NamingContextExt) -> None:
    """omniNames answers in fragments where GIOP has them."""
    name = (NameComponent("a" * 20_000, "é" * 20_000), NameComponent("b" * 20_000))
    with pytest.raises(NotFound) as caught:
        context.resolve(name)
    assert caught.value.rest_of_name == name
    context.bind(name[:1], TARGET)
    assert context.list(10)[0][0].binding_name == name[:1]
    assert context.to_name("x" * 500_000) == (NameComponent("x" * 500_000),)


def test_request_that_omninames_refuses_for_its_size(service: NameService) -> None:
    """giopMaxMsgSize is 2 MiB: MessageError, or just the end of the connection; and the next call is served."""
    with pytest.raises((ConnectionLost, MARSHAL, COMM_FAILURE, FailoverExhausted)):
        service.root.bind((NameComponent("x" * 3_000_000),), TARGET)
    assert service.root._non_existent() is False


class Nonsense(Interface):
    repository_id = "IDL:test/Nonsense:1.0"

    @operation
    def no_such_operation(self) -> None:
        """Is in no IDL."""

    @operation
    def to_name(self) -> None:
        """Lacks its argument."""


def test_what_omninames_does_not_understand(service: NameService, omni_names: NamingPeer) -> None:
    nonsense = service.client.stub(service.ior, Nonsense)
    with pytest.raises(BAD_OPERATION) as bad:
        nonsense.no_such_operation()
    assert bad.value.minor == 0x41540026
    with pytest.raises(MARSHAL) as short:
        nonsense.to_name()
    assert short.value.minor == 0x4154000A
    with (
        NameService(omni_names.url("1.2", key="Nobody"), policy=POLICY) as nobody,
        pytest.raises(OBJECT_NOT_EXIST) as caught,
    ):
        nobody.resolve("x")
    assert caught.value.minor == 0x4F4D0001


# --- NameService ------------------------------------------------------------------------------------------------------


def test_resolve_and_reference_by_name(service: NameService, omni_names: NamingPeer) -> None:
    reference = service.root.new_context()
    unique = f"TDsample::{service.address.replace('/', '-').replace('.', '-')}"
    service.root.rebind_context(n(unique), reference)
    assert service.resolve(unique).to_iop() == reference
    assert run_catior(str(service.resolve(unique))).startswith("Type ID: ")
    by_name = service.reference(unique, stub=NamingContextExt)
    assert by_name.list(1) == ((), NIL)
    service.root.unbind(n(unique))
    assert by_name.list(1) == ((), NIL), "a reference once acquired is kept"
    with pytest.raises(ReferenceFormatError):
        service.resolve("a//b")


@pytest.mark.parametrize("form", ["host:port", "corbaloc", "IOR"])
def test_address_of_the_service(omni_names: NamingPeer, form: str) -> None:
    assert omni_names.ior is not None
    address = {"host:port": f"{omni_names.host}:{omni_names.port}", "corbaloc": omni_names.corbaloc, "IOR": omni_names.ior}[form]
    with NameService(address, policy=POLICY) as service:
        assert service.root._is_a(NamingContextExt.repository_id) is True


def test_name_that_is_not_bound(service: NameService) -> None:
    with pytest.raises(NotFound):
        service.resolve("not/there")
    with pytest.raises(NotFound):
        service.reference("not/there", stub=NamingContextExt).list(1)


def test_omninames_starts_again(tmp_path: Path) -> None:
    """Its connections end with it, without CloseConnection; calls go on as if nothing had been."""
    port = free_port()
    with run_omni_names(tmp_path, port=port) as peer, NameService(peer.corbaloc, policy=POLICY) as service:
        context = stub(service, service.root.bind_new_context(n("kept")))
        assert context.list(1) == ((), NIL)
        peer.process.stop()
        with pytest.raises(FailoverExhausted):
            context.list(1)
        with run_omni_names(tmp_path, port=port):
            assert context.list(1) == ((), NIL)
            context.bind(n("x"), TARGET)
            assert service.resolve("kept/x").to_iop() == TARGET


# --- byte orders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2], ids=str)
@pytest.mark.parametrize("order", ByteOrder)
def test_both_byte_orders(omni_names: NamingPeer, version: Version, order: ByteOrder) -> None:
    """omniNames answers in its own order, whatever it was asked in."""
    to_name = NamingContextExt.operations()["to_name"]
    connection = BlockingConnection.connect(omni_names.host, omni_names.port, 5.0)
    try:
        key, deadline = key_address(b"NameService"), time.monotonic() + 5
        located = connection.call(LocateRequest(0, key, version, order), deadline)
        assert isinstance(located, LocateReply)
        assert located.locate_status is LocateStatus.OBJECT_HERE
        body = Body.of(to_name.arguments, ("a.b/" + "c" * 20_000,))
        reply = connection.call(Request(0, "to_name", key, body=body, version=version, byte_order=order), deadline)
        assert isinstance(reply, Reply)
        assert reply.reply_status is ReplyStatus.NO_EXCEPTION
        assert to_name.answer(reply) == (NameComponent("a", "b"), NameComponent("c" * 20_000))
    finally:
        connection.close()

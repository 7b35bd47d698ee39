"""A real Naming Service, asked and fuzzed through a `StreamSocket`."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from scapy.packet import Packet, Raw, fuzz
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession
from scapy.supersocket import StreamSocket
from scapy.volatile import corrupt_bytes

import ior
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, LocateStatus, ReplyStatus, key_address
from iiop.iop import NIL
from iiop_lab.pcap import Traffic
from iiop_scapy import (
    GIOP,
    IOR,
    LocateReplyHeader,
    LocateRequestHeader_1_0,
    LocateRequestHeader_1_2,
    NameComponent,
    NamingContextExt,
    RequestHeader_1_0,
    RequestHeader_1_1,
    RequestHeader_1_2,
    bind_iiop_port,
)
from naming import NamingServer
from naming.types import NotFoundReason
from tests.peers import OmniClient, OmniException, name, omni_names
from tests.recorder import recorded

KEY = b"NameService"
HEADERS = {GIOP_1_0: RequestHeader_1_0, GIOP_1_1: RequestHeader_1_1, GIOP_1_2: RequestHeader_1_2}


@contextmanager
def connected(port: int) -> Iterator[StreamSocket]:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(30)
        yield StreamSocket(sock, GIOP)


def ask(stream: StreamSocket, request: Packet) -> Any:
    """Return the answer, with its results."""
    answer = stream.sr1(request, timeout=30, verbose=False)
    assert answer is not None
    assert answer.answers(request)
    answer.dissect_answer(request)
    return answer


def call(version: Any, order: int, request_id: int, operation: str, **arguments: Any) -> Packet:
    target = {"target": key_address(KEY)} if version == GIOP_1_2 else {"object_key": KEY}
    header = HEADERS[version](request_id=request_id, **target)
    return GIOP(minor=version.minor, flags=order) / header / NamingContextExt[operation].arguments(**arguments)


@pytest.fixture(params=["ours", "omniNames"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    if request.param == "ours":
        with NamingServer() as server:
            yield server.port
    else:
        with omni_names(tmp_path) as peer:
            yield peer.port


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("version", HEADERS)
def test_calls(port: int, version: Any, order: int) -> None:
    name = [NameComponent(id="TDsample", kind="context")]
    with connected(port) as stream:
        answer = ask(stream, call(version, order, 2, "resolve", n=name))
        assert answer.reply_status == ReplyStatus.USER_EXCEPTION
        assert answer.members.why == NotFoundReason.missing_node
        assert answer.members.rest_of_name == name
        answer = ask(stream, call(version, order, 4, "bind_new_context", n=name))
        context = answer.result0
        assert isinstance(context, IOR)
        answer = ask(stream, call(version, order, 6, "resolve", n=name))
        assert answer.result0.profiles == context.profiles
        answer = ask(stream, call(version, order, 8, "list", how_many=10))
        assert [binding.binding_name for binding in answer.result0] == [name]
        assert answer.result1.cdr_value() == NIL
        answer = ask(stream, call(version, order, 10, "to_string", n=name))
        assert answer.result0 == "TDsample.context"
        located = LocateRequestHeader_1_2(request_id=12, target=key_address(KEY))
        if version < GIOP_1_2:
            located = LocateRequestHeader_1_0(request_id=12, object_key=KEY)
        answer = ask(stream, GIOP(minor=version.minor, flags=order) / located)
        assert isinstance(answer.payload, LocateReplyHeader)
        assert answer.locate_status == LocateStatus.OBJECT_HERE


def test_an_unknown_object() -> None:
    with NamingServer() as server, connected(server.port) as stream:
        answer = ask(stream, GIOP() / RequestHeader_1_2(request_id=1, target=key_address(b"nobody"), operation="f"))
        assert answer.exception_id == "IDL:omg.org/CORBA/OBJECT_NOT_EXIST:1.0"


def test_a_reference_from_the_wire() -> None:
    with NamingServer() as server, connected(server.port) as stream:
        answer = ask(stream, call(GIOP_1_2, 1, 1, "new_context"))
        text = str(ior.IOR.from_iop(answer.result0.cdr_value()))
        assert ior.IOR.from_string(text).profiles[0].port == server.port


@pytest.mark.parametrize("seed", range(10))
def test_fuzzed_calls_are_answered(seed: int) -> None:
    """Random members of the right types get an answer each, whatever it says."""
    random.seed(seed)
    with NamingServer() as server, connected(server.port) as stream:
        for request_id in range(20):
            header = RequestHeader_1_2(request_id=request_id, response_flags=3, target=key_address(random.randbytes(5)))
            ask(stream, GIOP() / fuzz(header))
        ask(stream, call(GIOP_1_2, 1, 99, "new_context"))


@pytest.mark.parametrize("seed", range(10))
def test_a_server_outlives_corrupt_octets(seed: int) -> None:
    """Octets changed anywhere behind the header: an answer, a MessageError or an end, and the server still serves."""
    random.seed(seed)
    with NamingServer() as server:
        for _ in range(5):
            octets = bytearray(bytes(call(GIOP_1_2, 1, 1, "resolve", n=[NameComponent(id="TDsample")])))
            octets[12:] = corrupt_bytes(bytes(octets[12:]), n=3)
            with connected(server.port) as stream:
                stream.ins.sendall(octets)
                stream.ins.shutdown(socket.SHUT_WR)
                while (answer := receive(stream)) is not None:
                    assert isinstance(answer, GIOP)
        with connected(server.port) as stream:
            ask(stream, call(GIOP_1_2, 1, 1, "new_context"))


def receive(stream: StreamSocket) -> Packet | None:
    try:
        return stream.recv()
    except (EOFError, ConnectionError):
        return None


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_what_two_other_orbs_say_to_each_other(version: str, tmp_path: Path) -> None:
    """All of it is dissected, and built again of its fields: but for padding, in which omniORB leaves what was there before."""
    traffic = Traffic()
    with (
        omni_names(tmp_path) as service,
        recorded((service.host, service.port), traffic) as (host, listening),
        OmniClient("-ORBmaxGIOPVersion", version) as client,
    ):
        root = client.naming(f"corbaloc::{version}@{host}:{listening}/NameService", checked=False)
        target = client.string_to_object("corbaloc::127.0.0.1:2809/account")
        root.call("bind", name(("account", "kind")), target)
        root.call("resolve", name(("account", "kind")))
        assert isinstance(root.outcome("resolve", name("none", "at/all")), OmniException)
        assert isinstance(root.outcome("bind", name(("account", "kind")), target), OmniException)
        root.call("list", 2)
        client.shutdown()
    traffic.write(tmp_path / "talk.pcap")
    bind_iiop_port(service.port)
    sniffed = sniff(offline=str(tmp_path / "talk.pcap"), session=TCPSession)
    found = [packet[GIOP] for packet in sniffed if GIOP in packet]
    assert {packet.minor for packet in found} == {int(version[-1])}
    bodies = {packet.lastlayer().name for packet in found}
    assert bodies >= {"bind", "resolve", "resolve result", "NotFound", "AlreadyBound", "list", "list result"}
    for packet in found:
        octets = bytes(packet)
        assert Raw not in packet
        assert "malformed" not in packet.summary()
        packet.clear_cache()
        del packet.message_size
        built = bytes(packet)
        assert len(built) == len(octets)
        assert all(new in (0, old) for new, old in zip(built, octets, strict=True))

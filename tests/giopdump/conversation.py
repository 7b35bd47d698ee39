"""A conversation with a Naming Service, as packets, and how giopdump shows it as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import server_speeches
from iiop.exceptions import COMM_FAILURE, CompletionStatus
from iiop.giop.messages import (
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
    exception_body,
    key_address,
)
from iiop.idl import Operation
from iiop.iop import IOR_CODEC, SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.profile import BiDirIIOPServiceContext, CodeSetContext, ListenPoint
from iiop_tools.giopdump.command import main
from ior import IORBuilder
from naming.interfaces import BindingIterator, NamingContextExt
from naming.types import Binding, BindingType, NameComponent, NotFound, NotFoundReason
from tests.giopdump.test_conversations import Wire
from tests.packets import ACK, FIN

SECOND = 10**9
START = 1_700_000_000 * SECOND
NAME = (NameComponent("account", "kind"), NameComponent("a/b"))
ACCOUNT = IORBuilder("IDL:Bank/Account:1.0").iiop("vhost", 8002, key=b"account").build().to_iop()
TREE = key_address(b"NameService")
SPEECH = server_speeches(Negotiated(0x05010001, 0x00010109))[2]
TEXT = r"account.kind/a\/b"


def operation(name: str, interface: type = NamingContextExt) -> Operation:
    found: Operation = interface.operations()[name]
    return found


def called(number: int, name: str, *arguments: Any, interface: type = NamingContextExt, **members: Any) -> Request:
    body = Body.of(operation(name, interface).arguments, arguments, SPEECH)
    return Request(number, name, TREE, body=body, **members)


def returned(number: int, name: str, *results: Any, interface: type = NamingContextExt) -> Reply:
    return Reply(number, body=Body.of(operation(name, interface).results, results))


def raised(number: int, name: str, exception: Any) -> Reply:
    body = Body.of(operation(name).raised[exception.repository_id], (exception.repository_id, exception))
    return Reply(number, ReplyStatus.USER_EXCEPTION, body=body)


def conversation() -> list[bytes]:
    """Return packets of one connection: everything that CosNaming answers in, and contexts."""
    code_sets = SERVICE_CONTEXTS.encode(ServiceId.CodeSets, CodeSetContext(0x05010001, 0x00010109))
    both_ways = SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, BiDirIIOPServiceContext((ListenPoint("client", 5000),)))
    contexts = (
        ServiceContext(ServiceId.CodeSets, code_sets),
        ServiceContext(ServiceId.BI_DIR_IIOP, both_ways),
        ServiceContext(0x99, b"\1"),
    )
    failure = COMM_FAILURE(0x464A0914, CompletionStatus.COMPLETED_MAYBE)
    said = [
        called(1, "resolve", NAME, service_context=contexts),
        returned(1, "resolve", ACCOUNT),
        called(2, "resolve", NAME),
        raised(2, "resolve", NotFound(NotFoundReason.missing_node, NAME[1:])),
        called(3, "list", 10),
        returned(3, "list", (Binding(NAME[:1], BindingType.ncontext),), ACCOUNT),
        called(4, "bind", NAME, ACCOUNT),
        Reply(4, ReplyStatus.SYSTEM_EXCEPTION, body=exception_body(failure)),
        called(5, "resolve_str", "口座"),
        Reply(5, ReplyStatus.LOCATION_FORWARD, body=Body.of(IOR_CODEC, ACCOUNT)),
        LocateRequest(6, TREE),
        LocateReply(6, LocateStatus.OBJECT_HERE),
        called(7, "next_n", 3, interface=BindingIterator),
        returned(7, "next_n", False, (), interface=BindingIterator),
        Request(8, "withdraw", TREE, body=Body(bytes(8))),
        Reply(8, body=Body(bytes(8))),
        called(9, "to_name", "a/b", response_flags=0),
    ]
    wire = Wire()
    packets = wire.open()
    for message in said:
        packets.append(wire.says(message, by_client=isinstance(message, (Request, LocateRequest))))
    return [*packets, wire.flags(FIN | ACK), wire.flags(FIN | ACK, by_client=False)]


def timed(packets: list[bytes]) -> list[tuple[int, bytes]]:
    return [(START + number * 1_500_000, packet) for number, packet in enumerate(packets)]


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

"""Cases of Request, LocateRequest and CancelRequest, and of what a client must not send."""

from __future__ import annotations

from iiop.giop.messages import GIOP_1_0, GIOP_1_1
from tests.cases.wire import (
    CANCEL_REQUEST,
    CLOSE_CONNECTION,
    LOCATE_REPLY,
    MESSAGE_ERROR_TYPE,
    REPLY,
    REQUEST,
    Case,
    Refused,
    Taken,
    answered,
    message,
    octets,
    request,
    request_body,
    text,
    ulong,
)


def case(name: str, body: bytes, answer: Refused | Taken) -> Case:
    return Case(name=f"request/{name}", given=message(REQUEST, body), answer=answer)


CASES = [
    case(
        "operation length 0",
        request_body(operation=ulong(0)),
        Refused("string of length 0", at=("operation", 44)),
    ),
    case(
        "operation without NUL",
        request_body(operation=ulong(4) + b"_foo"),
        Refused("string does not end with NUL", at=("operation", 47)),
    ),
    *[
        case(
            f"addressing disposition {form} with garbage",
            request_body(target=octets(f"000{form} 0000 00000000 ffffffff")),
            Refused(reason, at=at),
        )
        for form, reason, at in [
            (1, "4294967295 exceeds the limit", ("target.value.profile_data", 32)),
            (2, "4294967294 exceeds the limit", ("target.value.ior.type_id", 32)),
            (7, "no case for discriminator = 7", ("target.value", 22)),
        ]
    ],
    case(
        "context count 0xffffffff",
        request_body(contexts=octets("ffffffff")),
        Refused("4294967295 exceeds the limit service_contexts=64", at=("service_context", 64)),
    ),
    case(
        "context count 0xffffffff (more than there are octets)",
        request_body(contexts=ulong(64)),
        Refused("64 elements of at least 8 octets, 0 octets are left", at=("service_context", 64)),
    ),
    Case(
        name="request/context count 0xffffffff (1.0, where it comes first)",
        given=message(REQUEST, octets("ffffffff"), version="0100"),
        answer=Refused("4294967295 exceeds the limit service_contexts=64", GIOP_1_0, at=("service_context", 16)),
    ),
    Case(
        name="request/duplicate ids",
        given=request(2) + request(2),
        answer=Taken(("Request 2", "Request 2"), (answered(), answered())),
    ),
    Case(
        name="request/unknown id (cancelled)",
        given=message(CANCEL_REQUEST, ulong(99)),
        answer=Taken(("CancelRequest 99",)),
    ),
    case(
        "trailing bytes (behind arguments)",
        request_body(arguments=bytes(8)),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION MARSHAL 0x4154005d",)),
    ),
    Case(
        name="request/trailing bytes (behind a message without arguments)",
        given=message(CANCEL_REQUEST, ulong(2) + b"\0"),
        answer=Refused("1 octets left over", at=("", 16)),
    ),
    Case(
        name="request/trailing bytes (behind CloseConnection)",
        given=message(CLOSE_CONNECTION, b"\0"),
        answer=Refused("1 octets left over", at=("", 12)),
    ),
    Case(
        name="request/Reply in the wrong direction",
        given=message(REPLY, ulong(2) + ulong(0) + ulong(0)),
        answer=Refused("a client sends no Reply in GIOP 1.2"),
    ),
    Case(
        name="request/Reply in the wrong direction (LocateReply of 1.1)",
        given=message(LOCATE_REPLY, ulong(2) + ulong(1), version="0101"),
        answer=Refused("a client sends no LocateReply in GIOP 1.1", GIOP_1_1),
    ),
    Case(
        name="request/Close in the wrong direction (1.0)",
        given=message(CLOSE_CONNECTION, version="0100"),
        answer=Refused("a client sends no CloseConnection in GIOP 1.0", GIOP_1_0),
    ),
    Case(
        name="request/Close in the wrong direction (1.2, where it is none)",
        given=message(CLOSE_CONNECTION) + request(),
        answer=Taken(("CloseConnection",), closes=True),
    ),
    Case(
        name="request/Error in the wrong direction (either end may say it)",
        given=message(MESSAGE_ERROR_TYPE) + request(),
        answer=Taken(("MessageError 1.2",), closes=True),
    ),
    case(
        "unknown operation",
        request_body(operation=text("no_such")),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION BAD_OPERATION 0x4f4d0002",)),
    ),
    case(
        "unknown key",
        request_body(target=octets("0000 0000") + ulong(4) + b"none"),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION OBJECT_NOT_EXIST 0x4f4d0001",)),
    ),
    case(
        "short arguments",
        request_body(operation=text("to_name"), arguments=octets("0000")),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION MARSHAL 0x4154000a",)),
    ),
    case(
        "bad string",
        request_body(operation=text("to_name"), arguments=ulong(2) + b"xx"),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION MARSHAL 0x4154008f",)),
    ),
    case(
        "too long a sequence",
        request_body(operation=text("resolve"), arguments=octets("7fffffff")),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION MARSHAL 0x41540012",)),
    ),
    case(
        "oneway errors",
        request_body(flags=0, operation=text("no_such")),
        Taken(("Request 2",)),
    ),
    case(
        "value type where none is declared (rebind_any, as in CVE-2020-2551: there is no such operation, nothing is read)",
        request_body(operation=text("rebind_any") + b"\0", arguments=octets("7fffff02 00000001")),
        Taken(("Request 2",), ("Reply 2 SYSTEM_EXCEPTION BAD_OPERATION 0x4f4d0002",)),
    ),
]

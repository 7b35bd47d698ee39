"""Cases of what a server sends to a client that waits for the Reply to its Request 0."""

from __future__ import annotations

from dataclasses import dataclass

from iiop.exceptions import MARSHAL, NO_MEMORY, OBJECT_NOT_EXIST, CompletionStatus
from iiop.giop.messages import GIOP_1_0, GIOP_1_1
from tests.cases.wire import (
    CANCEL_REQUEST,
    CLOSE_CONNECTION,
    LOCATE_REPLY,
    LOCATE_REQUEST,
    MESSAGE_ERROR_TYPE,
    REPLY,
    REQUEST,
    Refused,
    Taken,
    message,
    octets,
    request_body,
    text,
    ulong,
)

MAYBE = CompletionStatus.COMPLETED_MAYBE


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """State what a server sends and the answer.

    Attributes:
        name: layer and class of the checklist, then in brackets what sets this sample apart.
        given: what the server sends.
        answer: of a `Connection`.
        raised: what the caller of `add`, which returns a long and is not idempotent, gets; an integer is returned. Of an
            exception class of CORBA it is an instance, which is compared; of a connection that is lost, the completion.
    """

    name: str
    given: bytes
    answer: Refused | Taken
    raised: Exception | CompletionStatus | int


def reply_body(request_id: int = 0, *, status: int = 0, body: bytes = ulong(7)) -> bytes:
    """Return what stands behind the header of a Reply of GIOP 1.2, no service contexts and the padding of a body included."""
    return ulong(request_id) + ulong(status) + ulong(0) + body


def system_exception(repository_id: str, minor: int, completed: int) -> bytes:
    name = text(repository_id)
    return name + bytes(-len(name) % 4) + ulong(minor) + ulong(completed)


GONE = "IDL:omg.org/CORBA/OBJECT_NOT_EXIST:1.0"

CASES = [
    Case(
        name="reply/unknown id",
        given=message(REPLY, reply_body(1000)),
        answer=Refused("Reply to request 1000, which nobody made"),
        raised=MAYBE,
    ),
    Case(
        name="reply/duplicate ids (a second Reply)",
        given=message(REPLY, reply_body()) * 2,
        answer=Refused("Reply to request 0, which nobody made"),
        raised=7,
    ),
    Case(
        name="reply/unknown id (LocateReply to a Request)",
        given=message(LOCATE_REPLY, ulong(0) + ulong(1)),
        answer=Refused("LocateReply to request 0, which nobody made"),
        raised=MAYBE,
    ),
    Case(
        name="reply/status 77",
        given=message(REPLY, reply_body(status=77)),
        answer=Taken(("Reply 0 ReplyStatus_77",)),
        raised=MARSHAL(0x4154008F, MAYBE),
    ),
    Case(
        name="reply/completion 9",
        given=message(REPLY, reply_body(status=2, body=system_exception("IDL:omg.org/CORBA/NO_MEMORY:1.0", 5, 9))),
        answer=Taken(("Reply 0 SYSTEM_EXCEPTION NO_MEMORY 0x00000005",)),
        raised=NO_MEMORY(5, MAYBE),
    ),
    Case(
        name="reply/trailing bytes (behind the result)",
        given=message(REPLY, reply_body(body=ulong(7) + b"\0")),
        answer=Taken(("Reply 0 NO_EXCEPTION",)),
        raised=MARSHAL(0x4154005D, MAYBE),
    ),
    Case(
        name="reply/trailing bytes (behind a message without body)",
        given=message(CLOSE_CONNECTION, b"\0"),
        answer=Refused("1 octets left over", at=("", 12)),
        raised=MAYBE,
    ),
    Case(
        name="reply/context count 0xffffffff",
        given=message(REPLY, ulong(0) + ulong(0) + octets("ffffffff")),
        answer=Refused("4294967295 exceeds the limit service_contexts=64", at=("service_context", 24)),
        raised=MAYBE,
    ),
    Case(
        name="reply/Request in the wrong direction",
        given=message(REQUEST, request_body()),
        answer=Refused("a server sends no Request in GIOP 1.2"),
        raised=MAYBE,
    ),
    Case(
        name="reply/Request in the wrong direction (LocateRequest of 1.0)",
        given=message(LOCATE_REQUEST, ulong(0) + ulong(0), version="0100"),
        answer=Refused("a server sends no LocateRequest in GIOP 1.0", GIOP_1_0),
        raised=MAYBE,
    ),
    Case(
        name="reply/Request in the wrong direction (CancelRequest of 1.1)",
        given=message(CANCEL_REQUEST, ulong(0), version="0101"),
        answer=Refused("a server sends no CancelRequest in GIOP 1.1", GIOP_1_1),
        raised=MAYBE,
    ),
    Case(
        name="reply/Error instead of a Reply",
        given=message(MESSAGE_ERROR_TYPE),
        answer=Taken(("MessageError 1.2",), closes=True),
        raised=MAYBE,
    ),
    Case(
        name="reply/short",
        given=message(REPLY, reply_body(body=b"")),
        answer=Taken(("Reply 0 NO_EXCEPTION",)),
        raised=MARSHAL(0x4154000A, MAYBE),
    ),
    Case(
        name="reply/little endian (OBJECT_NOT_EXIST to a bootstrap call)",
        given=octets("47494f50 0102 01 01 40000000 00000000 02000000 00000000 27000000")
        + GONE.encode()
        + octets("00 00 01004f4f 01000000"),
        answer=Taken(("Reply 0 SYSTEM_EXCEPTION OBJECT_NOT_EXIST 0x4f4f0001",)),
        raised=OBJECT_NOT_EXIST(0x4F4F0001, CompletionStatus.COMPLETED_NO),
    ),
]

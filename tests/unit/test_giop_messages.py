"""Every message in every version against octets written by hand, from clause 9.4 of the specification."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iiop.cdr import ByteOrder, Double, Long, codec
from iiop.cdr.codec import Codec
from iiop.exceptions.corba import COMM_FAILURE
from iiop.exceptions.errors import (
    CompletionStatus,
    DecodeError,
    EncodeError,
    LimitExceeded,
    LocalProtocolError,
    TrailingDataError,
)
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    SYSTEM_EXCEPTION,
    Body,
    CancelRequest,
    CloseConnection,
    Fragment,
    IORAddressingInfo,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    Reply,
    ReplyStatus,
    Request,
    TargetAddress,
    exception_body,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.iop import IOR, ServiceContext, TaggedProfile
from iiop.limits import Limits
from iiop.profile import Version

BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE
KEY = key_address(b"key")
CONTEXT = (ServiceContext(1, b"\xaa"),)
DOUBLE = Codec(Double)
LONG = Codec(Long)

VECTORS: list[tuple[Message, str]] = [
    (
        Request(7, "op", KEY, 3, CONTEXT, Body.of(LONG, 5), b"me", GIOP_1_0, BIG),
        "47494f50 0100 00 00 00000034  00000001 00000001 00000001 aa 000000  00000007 01 000000 00000003 6b6579 00"
        "00000003 6f7000 00  00000002 6d65 0000  00000005",
    ),
    (
        Request(7, "op", KEY, 0, (), Body(), b"", GIOP_1_0, LITTLE),
        "47494f50 0100 01 00 20000000  00000000  07000000 00 000000 03000000 6b6579 00 03000000 6f7000 00 00000000",
    ),
    (
        Request(7, "op", KEY, 3, (), Body.of(LONG, 5), b"", GIOP_1_1, BIG),
        "47494f50 0101 00 00 00000024  00000000  00000007 01 000000 00000003 6b6579 00 00000003 6f7000 00 00000000 00000005",
    ),
    (
        Request(7, "op", KEY, 3, (), Body.of(LONG, 5), b"", GIOP_1_2, BIG),
        "47494f50 0102 00 00 00000028  00000007 03 000000 0000 0000 00000003 6b6579 00 00000003 6f7000 00 00000000"
        "00000000 00000005",
    ),
    (
        Request(7, "op", KEY, 1, CONTEXT, Body.of(DOUBLE, 1.0), b"", GIOP_1_2, LITTLE),
        "47494f50 0102 01 00 34000000  07000000 01 000000 0000 0000 03000000 6b6579 00 03000000 6f7000 00"
        "01000000 01000000 01000000 aa 000000 000000000000f03f",
    ),
    (
        Request(7, "op", TargetAddress(1, TaggedProfile(9, b"xy")), 3, (), Body(), b"", GIOP_1_2, BIG),
        "47494f50 0102 00 00 00000024  00000007 03 000000 0001 0000 00000009 00000002 7879 0000 00000003 6f7000 00 00000000",
    ),
    (
        Request(7, "op", TargetAddress(2, IORAddressingInfo(1, IOR("", ()))), 0, (), Body(), b"", GIOP_1_2, BIG),
        "47494f50 0102 00 00 00000028  00000007 00 000000 0002 0000 00000001 00000001 00 000000 00000000"
        "00000003 6f7000 00 00000000",
    ),
    (
        Reply(7, ReplyStatus.NO_EXCEPTION, CONTEXT, Body.of(LONG, 5), GIOP_1_0, BIG),
        "47494f50 0100 00 01 0000001c  00000001 00000001 00000001 aa 000000  00000007 00000000  00000005",
    ),
    (
        Reply(7, ReplyStatus.LOCATION_FORWARD, (), Body.of(codec(IOR), IOR("", ())), GIOP_1_1, LITTLE),
        "47494f50 0101 01 01 18000000  00000000 07000000 03000000  01000000 00 000000 00000000",
    ),
    (
        Reply(7, ReplyStatus.NO_EXCEPTION, (), Body.of(LONG, 5), GIOP_1_2, BIG),
        "47494f50 0102 00 01 00000010  00000007 00000000 00000000  00000005",
    ),
    (
        Reply(7, ReplyStatus.USER_EXCEPTION, CONTEXT, Body.of(codec(str), "x"), GIOP_1_2, LITTLE),
        "47494f50 0102 01 01 22000000  07000000 01000000 01000000 01000000 01000000 aa 000000 00000000  02000000 7800",
    ),
    (Reply(7, ReplyStatus(77), CONTEXT, Body(), GIOP_1_2, BIG), "47494f50 0102 00 01 00000015"
     "00000007 0000004d 00000001 00000001 00000001 aa"),
    (CancelRequest(7, GIOP_1_0, BIG), "47494f50 0100 00 02 00000004 00000007"),
    (CancelRequest(7, GIOP_1_1, LITTLE), "47494f50 0101 01 02 04000000 07000000"),
    (CancelRequest(7, GIOP_1_2, LITTLE), "47494f50 0102 01 02 04000000 07000000"),
    (LocateRequest(7, KEY, GIOP_1_0, BIG), "47494f50 0100 00 03 0000000b 00000007 00000003 6b6579"),
    (LocateRequest(7, KEY, GIOP_1_1, LITTLE), "47494f50 0101 01 03 0b000000 07000000 03000000 6b6579"),
    (LocateRequest(7, KEY, GIOP_1_2, BIG), "47494f50 0102 00 03 0000000f 00000007 0000 0000 00000003 6b6579"),
    (LocateReply(7, LocateStatus.OBJECT_HERE, Body(), GIOP_1_0, BIG), "47494f50 0100 00 04 00000008 00000007 00000001"),
    (
        LocateReply(7, LocateStatus.OBJECT_FORWARD, Body.of(codec(IOR), IOR("", ())), GIOP_1_1, LITTLE),
        "47494f50 0101 01 04 14000000 07000000 02000000 01000000 00 000000 00000000",
    ),
    # the body of a LocateReply is not aligned to 8 in GIOP 1.2: it stands at offset 20
    (
        LocateReply(7, LocateStatus.OBJECT_FORWARD, Body.of(codec(IOR), IOR("", ())), GIOP_1_2, BIG),
        "47494f50 0102 00 04 00000014 00000007 00000002 00000001 00 000000 00000000",
    ),
    (CloseConnection(GIOP_1_0, BIG), "47494f50 0100 00 05 00000000"),
    (CloseConnection(GIOP_1_1, LITTLE), "47494f50 0101 01 05 00000000"),
    (CloseConnection(GIOP_1_2, BIG), "47494f50 0102 00 05 00000000"),
    (MessageError(GIOP_1_0, BIG), "47494f50 0100 00 06 00000000"),
    (MessageError(GIOP_1_1, BIG), "47494f50 0101 00 06 00000000"),
    (MessageError(GIOP_1_2, LITTLE), "47494f50 0102 01 06 00000000"),
]  # fmt: skip


def settled(message: Message) -> Message:
    """Return the message with its body as the octets it becomes in its place."""
    body = getattr(message, "body", None)
    return message if body is None else replace(message, body=decode(encode(message)).body)  # type: ignore[call-arg, union-attr]


IDS = [f"{type(message).__name__}-{message.version}-{number}" for number, (message, _) in enumerate(VECTORS)]


@pytest.mark.parametrize(("message", "text"), VECTORS, ids=IDS)
def test_vectors(message: Message, text: str) -> None:
    octets = bytes.fromhex(text)
    assert encode(message).hex(" ", 4) == octets.hex(" ", 4)
    received = decode(octets)
    assert received == settled(message)
    assert encode(received) == octets


def test_all_messages_are_there() -> None:
    kinds = {(type(message), message.version) for message, _ in VECTORS}
    assert len(kinds) == 7 * 3


@pytest.mark.parametrize("key_size", range(8))
def test_request_bodies_of_1_2_are_aligned_to_8(key_size: int) -> None:
    request = Request(1, "o" * key_size, key_address(b"k"), body=Body.of(codec(str), "x"))
    octets = encode(request)
    body = decode(octets).body  # type: ignore[union-attr]
    assert body.start % 8 == 0
    assert octets[body.start :] == bytes(body)
    assert body.decode(codec(str)) == "x"


@pytest.mark.parametrize("size", range(8))
def test_an_empty_body_has_no_padding(size: int) -> None:
    request = Request(1, "o" * size, KEY)
    octets = encode(request)
    assert len(octets) == 12 + 4 + 4 + 4 + 4 + 3 + 1 + 4 + size + 1 + -(size + 1) % 4 + 4
    assert decode(octets) == request
    reply = Reply(1, service_context=(ServiceContext(1, bytes(size)),))
    assert len(encode(reply)) == 12 + 12 + 8 + size
    assert decode(encode(reply)) == reply


def test_padding_without_a_body_is_read() -> None:
    """JacORB and others align even where nothing follows; the body is empty, its padding is not kept."""
    octets = bytes.fromhex("47494f50 0102 00 01 0000001c 00000007 00000000 00000001 00000001 00000001 aa 000000 00000000")
    message = decode(octets)
    assert isinstance(message, Reply)
    assert message.body == Body()
    assert len(encode(message)) == len(octets) - 7


def test_octets_that_are_neither_padding_nor_body() -> None:
    octets = bytes.fromhex("47494f50 0102 00 01 00000018 00000007 00000000 00000001 00000001 00000001 aa 000000")
    with pytest.raises(TrailingDataError) as caught:
        decode(octets)
    assert caught.value.offset == 33


def test_sizes_that_lie() -> None:
    octets = encode(CloseConnection(byte_order=BIG))
    for wrong in (octets + b"\0", octets[:8] + b"\0\0\0\1", octets[:-1], b""):
        with pytest.raises(DecodeError):
            decode(wrong)


def test_a_piece_is_no_message() -> None:
    octets = bytearray(encode(Request(1, "op", KEY)))
    octets[6] |= 2
    with pytest.raises(DecodeError, match="not a whole message"):
        decode(bytes(octets))
    with pytest.raises(DecodeError, match="not a whole message"):
        decode(bytes.fromhex("47494f50 0102 00 07 00000004 00000001"))


def test_limit_of_service_contexts() -> None:
    limits = Limits(service_contexts=2)
    for version in (GIOP_1_0, GIOP_1_1, GIOP_1_2):
        reply = Reply(1, service_context=CONTEXT * 2, version=version)
        assert decode(encode(reply), limits) == reply
        with pytest.raises(LimitExceeded) as caught:
            decode(encode(replace(reply, service_context=CONTEXT * 3)), limits)
        assert (caught.value.limit, caught.value.value) == ("service_contexts", 3)


def test_what_a_version_cannot_say() -> None:
    by_reference = TargetAddress(2, IORAddressingInfo(0, IOR("", ())))
    for version in (GIOP_1_0, GIOP_1_1):
        for message in (Request(1, "op", by_reference, version=version), LocateRequest(1, by_reference, version=version)):
            with pytest.raises(LocalProtocolError, match="by its key only"):
                encode(message)
    with pytest.raises(LocalProtocolError, match=r"no Request in GIOP 1\.3"):
        encode(Request(1, "op", KEY, version=Version(1, 3)))
    with pytest.raises(LocalProtocolError, match="no Fragment"):
        encode(Fragment(b"", False, 1))  # type: ignore[arg-type]


def test_what_does_not_fit() -> None:
    with pytest.raises(EncodeError) as caught:
        encode(Request(-1, "op", KEY))
    assert caught.value.path == "request_id"
    with pytest.raises(EncodeError) as caught:
        encode(Request(1, "op", TargetAddress(7, b"")))
    assert caught.value.path == "target.value"
    with pytest.raises(EncodeError) as caught:
        encode(Reply(1, body=Body.of(codec(tuple[str, ...]), ("a", 7))))
    assert caught.value.path == "[1]"


def test_a_body_is_not_put_where_it_does_not_fit() -> None:
    received = decode(encode(Reply(1, body=Body.of(DOUBLE, 1.0), byte_order=BIG)))
    assert isinstance(received, Reply)
    assert encode(Reply(2, body=received.body, byte_order=BIG))
    with pytest.raises(LocalProtocolError, match="body is BIG, its message LITTLE"):
        encode(Reply(2, body=received.body, byte_order=LITTLE))
    with pytest.raises(LocalProtocolError, match="marshalled for offset 24, its place is 20"):
        encode(LocateReply(2, LocateStatus.OBJECT_HERE, received.body, byte_order=BIG))


def test_system_exceptions() -> None:
    exception = COMM_FAILURE(0x464A0114, CompletionStatus.COMPLETED_MAYBE)
    reply = Reply(7, ReplyStatus.SYSTEM_EXCEPTION, body=exception_body(exception), byte_order=BIG)
    octets = encode(reply)
    assert octets[24:].hex(" ", 4) == bytes.fromhex(
        "00000023 49444c3a 6f6d672e 6f72672f 434f5242 412f434f 4d4d5f46 41494c55 52453a31 2e3000 00 464a0114 00000002"
    ).hex(" ", 4)
    received = decode(octets)
    assert isinstance(received, Reply)
    assert received.body.decode(SYSTEM_EXCEPTION).exception() == exception

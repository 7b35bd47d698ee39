"""Cases of the twelve octets before every message."""

from __future__ import annotations

from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2
from tests.cases.wire import (
    CANCEL_REQUEST,
    CLOSE_CONNECTION,
    FRAGMENT,
    REQUEST,
    Case,
    Refused,
    Taken,
    Unfinished,
    message,
    octets,
    request,
    request_body,
    ulong,
)

WHOLE = request()
BODY = request_body()

CASES = [
    *[
        Case(
            name=f"header/magic ({what})",
            given=given,
            answer=Refused("not GIOP: the message begins with"),
        )
        for what, given in {
            "one letter wrong": b"GIOX" + WHOLE[4:],
            "HTTP": b"POST / HTTP/1.1\r\n\r\n",
            "TLS": octets("160301 0200 0100 01fc 0303 00"),
            "zeros": bytes(12),
        }.items()
    ],
    *[
        Case(
            name=f"header/version {version}",
            given=message(REQUEST, BODY, version=digits),
            answer=Refused(f"GIOP {version} is not spoken here, only 1.0, 1.1 and 1.2"),
        )
        for version, digits in {"1.3": "0103", "1.9": "0109", "2.0": "0200"}.items()
    ],
    *[
        Case(
            name=f"header/type {kind}",
            given=message(kind, BODY),
            answer=Refused(f"message type {kind} does not exist in GIOP 1.2"),
        )
        for kind in (8, 255)
    ],
    Case(
        name="header/type 8 (Fragment, which 1.0 has not)",
        given=message(FRAGMENT, ulong(2), version="0100"),
        answer=Refused("message type 7 does not exist in GIOP 1.0", GIOP_1_0),
    ),
    *[
        Case(
            name=f"header/reserved flag bits (0x{flags:02x} in {version})",
            given=message(CANCEL_REQUEST, ulong(2), version=digits, flags=flags),
            answer=Refused(f"reserved bits set in the flags 0x{flags:02x}", response),
        )
        for version, digits, flags, response in [
            ("1.1", "0101", 0x04, GIOP_1_1),
            ("1.2", "0102", 0x80, GIOP_1_2),
            ("1.0", "0100", 0x04, GIOP_1_0),
        ]
    ],
    Case(
        name="header/byte-order bit against body (size included)",
        given=WHOLE[:6] + b"\1" + WHOLE[7:],
        answer=Refused("exceeds the limit message_size"),
    ),
    Case(
        name="header/byte-order bit against body (size right)",
        given=message(REQUEST, BODY, flags=1),
        answer=Refused("184549376 exceeds the limit sequence_length", at=("target.value", 28)),
    ),
    Case(
        name="header/size 0 (Request)",
        given=message(REQUEST),
        answer=Refused("needs 4 octets, 0 are left", at=("request_id", 12)),
    ),
    Case(
        name="header/size 0 (CloseConnection, which has no more)",
        given=message(CLOSE_CONNECTION),
        answer=Taken(("CloseConnection",), closes=True),
    ),
    Case(
        name="header/size lies short",
        given=message(REQUEST, BODY, size=16),
        answer=Refused("needs 11 octets, 0 are left", at=("target.value", 28)),
    ),
    Case(
        name="header/size lies long",
        given=message(REQUEST, BODY, size=len(BODY) + 1),
        answer=Unfinished(len(WHOLE)),
    ),
    Case(
        name="header/size 0xffffffff",
        given=message(REQUEST, BODY, size=0xFFFFFFFF),
        answer=Refused("message of 4294967307 octets exceeds the limit message_size=16777216"),
    ),
    Case(
        name="header/size close to 2**31",
        given=message(REQUEST, BODY, size=2**31 - 1),
        answer=Refused("message of 2147483659 octets exceeds the limit message_size=16777216"),
    ),
    Case(
        name="header/size above the maximum",
        given=message(REQUEST, BODY, size=16 * 1024 * 1024 - 11),
        answer=Refused("message of 16777217 octets exceeds the limit message_size=16777216"),
    ),
]

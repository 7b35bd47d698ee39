"""Cases of messages in pieces."""

from __future__ import annotations

from iiop.giop.messages import GIOP_1_0, GIOP_1_1
from iiop.limits import DEFAULT_LIMITS
from tests.cases.wire import (
    CANCEL_REQUEST,
    CLOSE_CONNECTION,
    FRAGMENT,
    REQUEST,
    Case,
    Refused,
    Taken,
    answered,
    message,
    octets,
    request,
    request_body,
    ulong,
)

MORE = 2
"""The flag that says so."""

BODY = request_body()
FIRST = message(REQUEST, BODY[:20], flags=MORE)
"""A Request up to the middle of its object key, 32 octets with the header."""
LAST = message(FRAGMENT, ulong(2) + BODY[20:])
WHOLE_1_1 = (
    ulong(0) + ulong(2) + octets("01 000000") + ulong(11) + b"NameService\0" + ulong(14) + b"_non_existent\0\0\0" + ulong(0)
)
FIRST_1_1 = message(REQUEST, WHOLE_1_1[:20], version="0101", flags=MORE)
LAST_1_1 = message(FRAGMENT, WHOLE_1_1[20:], version="0101")
CANCEL = message(CANCEL_REQUEST, ulong(2))

CASES = [
    Case(
        name="fragments/orphan",
        given=LAST,
        answer=Refused("fragment out of nowhere for request 2"),
    ),
    Case(
        name="fragments/orphan (behind the last)",
        given=FIRST + LAST + LAST,
        answer=Refused("fragment out of nowhere for request 2", before=(answered(),)),
    ),
    Case(
        name="fragments/wrong id",
        given=FIRST + message(FRAGMENT, ulong(3) + BODY[20:]),
        answer=Refused("fragment out of nowhere for request 3"),
    ),
    Case(
        name="fragments/1.1 without id",
        given=FIRST_1_1 + LAST_1_1,
        answer=Taken(("Request 2",), (answered(),)),
    ),
    Case(
        name="fragments/1.1 without id (orphan)",
        given=LAST_1_1,
        answer=Refused("fragment out of nowhere", GIOP_1_1),
    ),
    Case(
        name="fragments/1.1 without id (a second message begins)",
        given=FIRST_1_1 + FIRST_1_1,
        answer=Refused("a second message is fragmented before the first", GIOP_1_1),
    ),
    Case(
        name="fragments/not multiple of 8",
        given=message(REQUEST, BODY[:21], flags=MORE) + message(FRAGMENT, ulong(2) + BODY[21:]),
        answer=Refused("33 octets, no multiple of 8"),
    ),
    Case(
        name="fragments/interleaved",
        given=FIRST + request(4) + LAST,
        answer=Taken(("Request 4", "Request 2"), (answered(4), answered(2))),
    ),
    Case(
        name="fragments/interleaved (two in pieces)",
        given=FIRST
        + message(REQUEST, request_body(4)[:20], flags=MORE)
        + LAST
        + message(FRAGMENT, ulong(4) + request_body(4)[20:]),
        answer=Taken(("Request 2", "Request 4"), (answered(2), answered(4))),
    ),
    Case(
        name="fragments/cancel mid-way",
        given=FIRST + CANCEL + request(4),
        answer=Taken(("Request 4",), (answered(4),)),
    ),
    Case(
        name="fragments/cancel mid-way (1.1)",
        given=FIRST_1_1 + message(CANCEL_REQUEST, ulong(2), version="0101") + request(4),
        answer=Taken(("Request 4",), (answered(4),)),
    ),
    Case(
        name="fragments/cancel mid-way (of another request)",
        given=FIRST + message(CANCEL_REQUEST, ulong(4)) + LAST,
        answer=Taken(("CancelRequest 4", "Request 2"), (answered(2),)),
    ),
    Case(
        name="fragments/cancel mid-way (then its last fragment)",
        given=FIRST + CANCEL + LAST,
        answer=Refused("fragment out of nowhere for request 2"),
    ),
    Case(
        name="fragments/CloseConnection mid-way",
        given=FIRST + message(CLOSE_CONNECTION) + LAST,
        answer=Taken(("CloseConnection",), closes=True),
    ),
    Case(
        name="fragments/endless",
        given=FIRST + message(FRAGMENT, ulong(2), flags=MORE) * DEFAULT_LIMITS.fragments,
        answer=Refused("more fragments than the limit fragments=4096"),
    ),
    Case(
        name="fragments/1.0 with fragment flag",
        given=message(REQUEST, WHOLE_1_1[:20], version="0100", flags=MORE),
        answer=Refused("reserved bits set in the flags 0x02 of a GIOP 1.0 header", GIOP_1_0),
    ),
    Case(
        name="fragments/final fragment empty",
        given=message(REQUEST, BODY, flags=MORE) + message(FRAGMENT, ulong(2)),
        answer=Taken(("Request 2",), (answered(),)),
    ),
]

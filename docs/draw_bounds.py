"""Write `bounds.md`: what a peer can make us do, from the limits in the code.

Run `python docs/draw_bounds.py` after a change of a limit; a test holds the page and the code equal.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

from iiop.cdr.any import MOST_VALUES
from iiop.cdr.codec import EXPLAINED
from iiop.cdr.typecode import DEEPEST, MOST_PARTS
from iiop.connection.standing import ANSWER_SIZE, ANSWERS
from iiop.limits import DEFAULT_LIMITS, Limits

HERE = Path(__file__).parent
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)

FIXED = (
    (
        EXPLAINED,
        "fields of refused octets among which the reason is looked for; what is wrong behind them is refused without one",
    ),
    (MOST_PARTS, "types and members of one TypeCode, repeated ones counted each time"),
    (DEEPEST, "types inside each other in one TypeCode, repeated ones included"),
    (MOST_VALUES, "values in one value of a type that a TypeCode describes, sequences counted as one element"),
    (ANSWERS, "answers that a Naming Service keeps until something changes, for whoever asks the same"),
    (ANSWER_SIZE, "octets of each of them, and of its question"),
)

COST = """Octets are read in time and memory proportional to their number, and nothing is allocated before a count has been
compared with the octets that are left. The dearest types known take up to 60 octets of memory for each octet of the message while
it is read (`tests/unit/test_cost.py`): sequences of structures of one octet, and of Anys that hold nothing. With the default
`message_size` that is 1 GB for one message.

The dearest in time are Anys, each of another type: every TypeCode is read into a tree, and code is generated for those that come
again.

Arguments are read as the operation declares them, and only then: where operations take Anys, TypeCodes, or the sequences above,
set a smaller `message_size` or `sequence_length`."""

PEERS = (
    ("sends names of 64 KB", "they are names as any other, up to `string_length` and `message_size`"),
    (
        "leaves 10,000 binding iterators behind",
        "those used longest ago end (`iterators`, `iterator_bindings`; all clients together) and answer OBJECT_NOT_EXIST; one"
        " that is read meanwhile goes on, unless more than `iterators` others are made between two reads",
    ),
    ("sends 10 MB in one message", "it is answered; as a name of 500,000 components it keeps all others waiting for a second"),
    ("announces more than `message_size`", "MessageError, and the end of the connection, before anything of it has arrived"),
    ("keeps messages of 10 MB unfinished", "they are kept, up to `message_size` for each connection, no longer than `idle_time`"),
    ("never reads its replies", "it is not read from either, what waits for it is bounded, and after `idle_time` it is cut off"),
    ("opens 2,000 connections and says nothing", "they are kept for `idle_time`, some 3 KB each, then CloseConnection"),
    (
        "sends oneways without end, whose servant awaits",
        "up to `queued` of them are awaited, or `queued_octets`; the others are dropped",
    ),
    (
        "opens connections to the port of TLS, and shakes no hands",
        "they count as others, and end without a word after `idle_time`; some 10 KB each, 70 KB "
        "behind half a large greeting, 20 KB with the handshake done",
    ),
    ("opens more than `connections`", "CloseConnection at once: nothing has run; without a handshake the end alone"),
    (
        "sends an octet a second",
        "it is answered, if its message becomes whole within `idle_time`; else CloseConnection: nothing has run",
    ),
    (
        "sends fragments without end",
        "MessageError behind `fragments` of them, or `reassembly_octets`, and the end of the connection",
    ),
    ("cancels a request in the middle of its fragments", "they are dropped; what follows on the connection is answered"),
    ("sends requests behind its CloseConnection", "they are not run; what came before is answered, and the connection closed"),
    (
        "sends arguments that cannot be read",
        "MARSHAL, COMPLETED_NO, with the minor code that omniORB gives: 0x4154000a MARSHAL_PassEndOfMessage (they end too soon),"
        " 0x4154005d MARSHAL_MessageTooLong (octets are left over), 0x41540012 MARSHAL_SequenceIsTooLong, 0x41540013"
        " MARSHAL_StringIsTooLong (a limit), 0x4154008f MARSHAL_InvalidGIOPMessage (anything else); the connection lives on",
    ),
    ("calls an operation that there is not", "BAD_OPERATION 0x4f4d0002, COMPLETED_NO"),
    ("calls an object that there is not", "OBJECT_NOT_EXIST 0x4f4d0001, COMPLETED_NO; UNKNOWN_OBJECT to a LocateRequest"),
    ("asks for an interface that there is not", "`_is_a` is FALSE; no other operation has to do with interfaces"),
    ("sends what is no GIOP", "MessageError, and the end of the connection"),
)

LOGGED = """Whom a server refuses it logs with peer and reason: requests once for each connection and kind of exception, with
their count at its end, and connections beyond `connections` once, with their count when there is room again. A connection that
breaks GIOP is a line, so who connects again and again still fills a log; who resets his connection before it is looked at has
no name any more.
`tests/net/test_hostile_clients.py` does all of it to a running `nstool serve`, and watches its memory and another client
meanwhile; `make soak` mixes it with omniORBpy and clients of ours for an hour. There is no quota on what is bound, and none on
memory for all connections together: behind `message_size` times `connections` stands whoever may connect."""


def limits() -> str:
    """Return the table of `Limits`."""
    told = {name: re.sub(r"\s+", " ", text).strip() for name, text in _ATTRIBUTE.findall(inspect.cleandoc(Limits.__doc__ or ""))}
    rows = [
        f"| `{field.name}` | {_shown(getattr(DEFAULT_LIMITS, field.name))} | {told[field.name]} |"
        for field in dataclasses.fields(Limits)
    ]
    return "\n".join(["| limit | default | what it bounds |", "|---|---|---|", *rows])


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("Leniency.", "").replace("|", ", ")


def fixed() -> str:
    """Return the table of what no argument changes."""
    rows = [f"| {number:,} | {what} |" for number, what in FIXED]
    return "\n".join(["| bound | of what |", "|---|---|", *rows])


def peers() -> str:
    """Return the table of what a Naming Service answers."""
    return "\n".join(["| a client | what it gets |", "|---|---|", *(f"| {does} | {gets} |" for does, gets in PEERS)])


def page() -> str:
    """Return the page."""
    return (
        "\n\n".join(
            [
                "# Bounds",
                "Made by `python docs/draw_bounds.py` from the limits in the code; a test holds the two equal.",
                "## `iiop.Limits`",
                "An argument of everything that reads octets or listens.",
                limits(),
                "## Fixed",
                fixed(),
                "## What octets can cost",
                COST,
                "## What clients get",
                peers(),
                LOGGED,
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    (HERE / "bounds.md").write_text(page(), encoding="utf-8")

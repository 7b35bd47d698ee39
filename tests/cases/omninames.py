"""What omniNames 4.3.3 answers where it is not what we answer, and why ours differs."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cases.wire import ALIVE

NOT_ASKED = {
    "fragments/cancel mid-way": "never answers on this connection again, and a thread of it spins for ever",
    "fragments/cancel mid-way (1.1)": "as before",
    "fragments/cancel mid-way (then its last fragment)": "as before",
    "fragments/wrong id": "closes, or answers the probe, from run to run",
    "fragments/orphan (behind the last)": "answers the request, or UNKNOWN, from run to run",
    "fragments/endless": "closes, or answers the probe, from run to run",
}
"""What it is not given, and what became of it when it was."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold everything omniNames says to a case, and to the probe behind it, before it closes; and why we say something else."""

    said: tuple[str, ...]
    why: str


CLOSES: tuple[str, ...] = ()


def _exception(name: str) -> tuple[str, ...]:
    return f"Reply 2 SYSTEM_EXCEPTION {name}", ALIVE


_SILENT = Difference(CLOSES, "clause 9.4.1, 9.4.7: MessageError says that it is no GIOP we speak: the peer learns why we close")
_SILENT_1 = Difference(CLOSES, "we say MessageError for messages a client must not send, as for everything else that is no GIOP")
_LOST = Difference((ALIVE,), "a fragment without its start: octets have been lost, and what is behind cannot be relied on")
_STRICT = "what is not as declared is refused before anything runs: a later reader of the same octets may see something else"

DIFFERENT: dict[str, Difference] = {
    **dict.fromkeys(
        [
            "header/magic (one letter wrong)",
            "header/magic (HTTP)",
            "header/magic (TLS)",
            "header/magic (zeros)",
            "header/version 1.3",
            "header/version 1.9",
            "header/version 2.0",
            "header/type 8",
            "header/type 8 (Fragment, which 1.0 has not)",
            "header/type 255",
            "header/reserved flag bits (0x04 in 1.0)",
            "header/reserved flag bits (0x04 in 1.1)",
            "header/byte-order bit against body (size included)",
            "header/size lies short",
            "header/size close to 2**31",
            "header/size above the maximum",
            "fragments/1.1 without id (orphan)",
            "fragments/1.1 without id (a second message begins)",
            "request/trailing bytes (behind CloseConnection)",
        ],
        _SILENT,
    ),
    **dict.fromkeys(
        [
            "request/Reply in the wrong direction",
            "request/Reply in the wrong direction (LocateReply of 1.1)",
            "request/Close in the wrong direction (1.0)",
        ],
        _SILENT_1,
    ),
    "header/reserved flag bits (0x80 in 1.2)": Difference(
        (ALIVE,), "clause 9.4.1: reserved bits are zero; what one of them will mean may change what the octets are"
    ),
    "fragments/orphan": _LOST,
    "request/operation without NUL": Difference(_exception("BAD_OPERATION 0x41540026"), _STRICT),
    "request/trailing bytes (behind a message without arguments)": Difference((ALIVE,), _STRICT),
    "request/trailing bytes (behind arguments)": Difference(
        CLOSES, "one wrong stub costs its own call, not every call that shares the connection"
    ),
    **{
        f"request/{name}": Difference(
            _exception(exception), "the minor code is omniORB's own, or a closer one of it; the exception is the same"
        )
        for name, exception in {
            "unknown operation": "BAD_OPERATION 0x41540026",
            "value type where none is declared (rebind_any, as in CVE-2020-2551: there is no such operation, nothing is read)": (
                "BAD_OPERATION 0x41540026"
            ),
            "bad string": "MARSHAL 0x41540016",
        }.items()
    },
}

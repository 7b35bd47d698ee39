"""Minor codes of Fujitsu Interstage, block 0x464A0000 ("FJ"), and one it sends without a vendor.

Fujitsu documents each cause as a pair of codes that differ in bit 0x800; what distinguishes the two is not said.

Sources: Messages and FAQ of Interstage Application Server; High Availability System Guide B1WS-1092-03ENZ0, 3.3.2.1.
"""

from __future__ import annotations

from iiop.exceptions.minor.core import ANY_EXCEPTION, MinorCode, add_minor_code, known, register_decoder

FUJITSU_VMCID = 0x464A0000
FUJITSU_PAIR_BIT = 0x800

_RESEND = "The request crossed the closing of an idle connection: send it again; set the idle timer of the client."

for _exception, _number, _name, _meaning, _advice in (
    (
        "COMM_FAILURE",
        0x101,
        "REPLY_TIMEOUT",
        "no reply within the client's timeout",
        "The server may have run the request, whatever the completion status says: send it again only if it may run twice.",
    ),
    (
        "COMM_FAILURE",
        0x104,
        "IDLE_CLOSED",
        "the server had closed the idle connection (V6 and earlier, process mode)",
        _RESEND,
    ),
    ("COMM_FAILURE", 0x105, "IDLE_CLOSE_CROSSED", "the server closed the idle connection as the request left", _RESEND),
    (
        "COMM_FAILURE",
        0x10F,
        "IDLE_CLOSED_EARLY",
        "the server had closed the idle connection (alternative of 0104)",
        _RESEND,
    ),
    (
        "COMM_FAILURE",
        0x114,
        "IPCOM_ERROR",
        "IPCOM detected an error, all targets stopped or communication with them failed",
        "Wait, then acquire the Naming Service reference afresh, and the object's from it: IPCOM then distributes again.",
    ),
    ("BAD_OPERATION", 0x1E0, "CHANNEL_MODEL", "the event channel has another model than the method", "Fix the program."),
    (
        "BAD_OPERATION",
        0x1E1,
        "CHANNEL_NOT_TRANSACTIONAL",
        "the event channel is not set up for local transactions",
        "Create the channel for local transactions.",
    ),
    (
        "BAD_OPERATION",
        0x1E2,
        "CHANNEL_NOT_TRANSACTIONAL",
        "the event channel is not set up for local transactions",
        "Create the channel for local transactions.",
    ),
    ("BAD_OPERATION", 0x1E9, "NO_CONSUMER", "no consumer is connected to the event channel", "Push again after one is."),
    ("BAD_OPERATION", 0x1EB, "STATIC_CHANNEL", "a static persistent channel was to be destroyed", "Use `esrmchnl`."),
    ("BAD_PARAM", 0x1E4, "EVENT_PARAMETER", "a parameter of the Event Service is of wrong type or value", "Fix the program."),
):
    add_minor_code(_exception, FUJITSU_VMCID | _number, _name, _meaning, advice=_advice)

add_minor_code(
    ANY_EXCEPTION,
    10007,
    "PROCESS_BIND",
    "process bind is not effective behind IPCOM",
    advice="Do not rely on process bind through the virtual host.",
    vendor="Fujitsu",
)


def _other_of_the_pair(exception: str, minor: int) -> MinorCode | None:
    return known(exception, minor & ~FUJITSU_PAIR_BIT)


register_decoder(FUJITSU_VMCID, _other_of_the_pair)

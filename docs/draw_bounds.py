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
)

COST = """Octets are read in time and memory proportional to their number, and nothing is allocated before a count has been
compared with the octets that are left. The dearest types known take up to 60 octets of memory for each octet of the message while
it is read (`tests/unit/test_cost.py`): sequences of structures of one octet, and of Anys that hold nothing. With the default
`message_size` that is 1 GB for one message.

The dearest in time are Anys, each of another type: every TypeCode is read into a tree, and code is generated for those that come
again.

Arguments are read as the operation declares them, and only then: where operations take Anys, TypeCodes, or the sequences above,
set a smaller `message_size` or `sequence_length`."""


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
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    (HERE / "bounds.md").write_text(page(), encoding="utf-8")

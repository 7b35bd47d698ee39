"""Draw the state machines from their tables: `python docs/draw_states.py` writes `docs/states.md`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from iiop.balancer.health import HEALTH
from iiop.connection.states import MAY_SEND, TRANSITIONS
from iiop.failover import invocation
from iiop.giop.messages import MessageType

HERE = Path(__file__).parent


def diagram(edges: Iterable[tuple[Enum, Enum, Enum]]) -> str:
    """Return a Mermaid state diagram of (state, trigger, state after) edges."""
    lines = [f"    {before.name} --> {after.name}: {trigger.value}" for before, trigger, after in edges]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def who_sends_what() -> str:
    """Return the table of messages by sender and version."""
    senders = list(MAY_SEND)
    heading = " | ".join(f"{role.value} {version}" for role, version in senders)
    rows = [
        f"| {kind.name} | {' | '.join('yes' if kind in MAY_SEND[sender] else '' for sender in senders)} |" for kind in MessageType
    ]
    return "\n".join([f"| message | {heading} |", "|---" * (len(senders) + 1) + "|", *rows])


def page() -> str:
    """Return the page."""
    connection = ((before, trigger, after) for before, row in TRANSITIONS.items() for trigger, after in row.items())
    call = ((before, trigger, after) for (before, trigger), after in invocation.TRANSITIONS.items())
    target = ((before, trigger, after) for (before, trigger), after in HEALTH.items())
    return (
        "\n\n".join(
            [
                "# State machines",
                "Made by `python docs/draw_states.py` from the tables in the code; a test holds the two equal.",
                "## A connection (`iiop.connection.states`)",
                diagram(connection),
                "Who may send which message:",
                who_sends_what(),
                "## An invocation (`iiop.failover.invocation`)",
                diagram(call),
                "## A target behind the virtual host (`iiop.balancer.health`)",
                diagram(target),
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    (HERE / "states.md").write_text(page(), encoding="utf-8")

"""What operators do to a lab, in words: `kill host1`, `fault slow on`.

The same words are steps of a scenario, commands of `iioplab`, and what `Lab.do` takes. It knows words, not what they do.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

__all__ = ["VERBS", "Action", "ActionError", "Verb", "parse_action"]


class ActionError(ValueError):
    """Report words that are no action, and what was meant."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Describe one kind of action.

    Attributes:
        what: it does, for people.
        arguments: what comes behind the verb, in order: `target` (a node, or `node/WorkUnit`), `unit` (`node/WorkUnit`), `node`,
            `cluster`, `fault`, `on|off`, `measure`, `number`.
    """

    what: str
    arguments: tuple[str, ...]


VERBS: dict[str, Verb] = {
    "kill": Verb("End a node or a WorkUnit by SIGKILL.", ("target",)),
    "restore": Verb("Let a node or a WorkUnit that was killed, stopped or hung work again.", ("target",)),
    "hang": Verb("Let a node or a WorkUnit stand still, by SIGSTOP.", ("target",)),
    "stop": Verb("Stop a node or a WorkUnit in order.", ("target",)),
    "maintenance": Verb("Begin the maintenance phase of a node: it gets no new work, and finishes what it has.", ("node",)),
    "release": Verb("End the maintenance phase of a node.", ("node",)),
    "switch": Verb("Let the nodes of a cluster change their roles.", ("cluster",)),
    "fault": Verb("Attach a fault that is declared, or remove it.", ("fault", "on|off")),
    "report": Verb("Let a node report a number: cpu, memory, disk_io, ...", ("node", "measure", "number")),
}


@dataclass(frozen=True, slots=True)
class Action:
    """Name something to be done.

    Attributes:
        verb: one of `VERBS`.
        arguments: as the verb says.
    """

    verb: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.verb, *self.arguments))


def parse_action(words: str) -> Action:
    """Read an action.

    Raises:
        ActionError: there is none of that name, or it has other arguments. Whether what it names is there, it does not know.

    Examples:
        >>> parse_action("kill host1")
        Action(verb='kill', arguments=('host1',))
        >>> parse_action("kil host1")
        Traceback (most recent call last):
        ...
        iiop_lab.scenario.actions.ActionError: 'kil' is nothing that can be done; did you mean 'kill'?
    """
    name, *arguments = words.split() or [""]
    verb = VERBS.get(name)
    if verb is None:
        close = difflib.get_close_matches(name, VERBS, 1)
        meant = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(VERBS)}"
        raise ActionError(f"{name!r} is nothing that can be done; {meant}")
    if name == "fault" and len(arguments) == 1:
        arguments.append("on")
    if len(arguments) != len(verb.arguments):
        form = " ".join((name, *(argument.upper() for argument in verb.arguments)))
        raise ActionError(f"{words!r}: it is said {form!r}")
    return Action(name, tuple(arguments))

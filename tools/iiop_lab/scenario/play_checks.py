"""What a scenario cannot be: clients, steps and expectations that the lab they are played in knows nothing of."""

from __future__ import annotations

import dataclasses

from iiop import exceptions
from iiop.exceptions import SystemException
from iiop_lab.scenario.actions import VERBS, Action, ActionError, parse_action
from iiop_lab.scenario.checking import ULONG, Checking, misreported
from iiop_lab.scenario.declaration import ClientDeclaration, Expectation, FailureKind, LabFile, Step
from iiop_lab.scenario.meaning import callers, runs
from iiop_lab.scenario.mistakes import Findings, Key, meant

__all__ = ["check_play"]

OF_CALLS = ("failed", "failed_with", "met", "served_by", "at_most_once", "silence")
"""What is expected of calls, and so of clients that call."""

_NOTHING = Expectation()
_SYSTEM_EXCEPTIONS = [
    name
    for name in exceptions.__all__
    if isinstance(each := getattr(exceptions, name), type) and issubclass(each, SystemException) and each is not SystemException
]


def check_play(lab: LabFile, findings: Findings, declared: Findings) -> None:
    """Report what cannot be in clients, steps and expectations, and what has no effect.

    Args:
        lab: all that is declared.
        findings: of the file with the steps.
        declared: of the file that declares the lab, which may be the same.
    """
    check = _PlayChecks(lab, findings, declared)
    for name, client in lab.clients.items():
        check.client(client, ("clients", name))
    names: set[str] = set()
    for index, step in enumerate(lab.step):
        key = ("step", index)
        if not step.name or step.name in names:
            findings.add((*key, "name"), f"another step is called {step.name!r}" if step.name else "it is empty")
        names.add(step.name)
        check.step(step, key)
    check.expectations(lab.expect, ("expect",))


class _PlayChecks(Checking):
    def client(self, client: ClientDeclaration, key: Key) -> None:
        if client.naming:
            self.there_is("host", client.naming, (*key, "naming"))
        self.at_least(0, client.fresh, (*key, "fresh"))
        self.seconds(client.deadline, (*key, "deadline"), positive=True)
        self.seconds(client.timeout, (*key, "timeout"))
        self.command(client.command, (*key, "command"))
        if client.command:
            for name in ("fresh", "restart"):
                if getattr(client, name):
                    self.findings.note((*key, name), "has no effect on a command, which does what it does")

    def step(self, step: Step, key: Key) -> None:
        for name in ("after", "within", "seconds"):
            self.seconds(getattr(step, name), (*key, name))
        self.at_least(0, step.calls, (*key, "calls"))
        if step.calls > 0 and not self._callers():
            self.findings.add((*key, "calls"), "there is no client that calls")
        for index, words in enumerate(step.do):
            self.action(words, (*key, "do", index))
        self.expectations(step.until, (*key, "until"))
        self.expectations(step.expect, (*key, "expect"))

    def _callers(self) -> bool:
        return bool(callers(self.lab)) or not self.told("clients")

    # --- actions

    def action(self, words: str, key: Key) -> None:
        try:
            action = parse_action(words)
        except ActionError as error:
            self.findings.add(key, str(error))
            return
        kinds = VERBS[action.verb].arguments
        for kind, argument in zip(kinds, action.arguments, strict=True):
            self._argument(action, kind, argument, key)

    def _argument(self, action: Action, kind: str, argument: str, key: Key) -> None:
        """Report what an action names, but is not there."""
        lead = f"{str(action)!r}: "
        match kind:
            case "node":
                self.target(argument, key, lead)
            case "target":
                self.place(argument, key, lead)
            case "cluster" | "fault":
                self.there_is(kind, argument, key, lead)
            case "on|off" if argument not in ("on", "off"):
                self.findings.add(key, f"{lead}it is on or off, not {argument!r}")
            case "number" if wrong := misreported(action.arguments[1], argument):
                self.findings.add(key, f"{lead}{wrong}")

    def place(self, place: str, key: Key, lead: str = "") -> None:
        """Report what is no node, nor a WorkUnit that runs on one."""
        node, slash, unit = place.partition("/")
        if (
            self.there_is("node", node, key, lead)
            and slash
            and self.there_is("WorkUnit", unit, key, lead)
            and not runs(self.lab, unit, node)
        ):
            self.findings.add(key, f"{lead}WorkUnit {unit!r} does not run on {node!r}")

    # --- expectations

    def expectations(self, expected: tuple[Expectation, ...], key: Key) -> None:
        for index, each in enumerate(expected):
            self.expectation(each, (*key, index))

    def expectation(self, expected: Expectation, key: Key) -> None:
        if dataclasses.replace(expected, clients=()) == _NOTHING:
            self.findings.add(key, "it expects nothing")
        self._of_calls(expected, key)
        for node in expected.standing:
            self.target(node, (*key, "standing", node))
        for place in expected.state:
            self.place(place, (*key, "state", place))
        for cluster, node in expected.active.items():
            place_of = (*key, "active", cluster)
            if self.there_is("cluster", cluster, place_of) and node not in self.lab.clusters[cluster].nodes:
                known = self.lab.clusters[cluster].nodes
                self.findings.add(place_of, f"{node!r} is no node of cluster {cluster!r}{meant(node, known)}")
        for fault, count in expected.struck.items():
            self.there_is("fault", fault, (*key, "struck", fault))
            self.at_least(0, count, (*key, "struck", fault))
        for name in expected.exit:
            if self.there_is("client", name, (*key, "exit", name)) and not self.lab.clients[name].command:
                self.findings.add((*key, "exit", name), "it has no exit status, as it is no command")

    def _of_calls(self, expected: Expectation, key: Key) -> None:
        asked = [name for name in OF_CALLS if getattr(expected, name) != getattr(_NOTHING, name)]
        for index, name in enumerate(expected.clients):
            place = (*key, "clients", index)
            if self.there_is("client", name, place) and self.lab.clients[name].command:
                self.findings.add(place, "it is a command, of whose calls nothing is known; expect its exit")
        if asked and not self._callers():
            self.findings.add((*key, asked[0]), "there is no client that calls")
        self.at_least(0, expected.failed, (*key, "failed"))
        self.seconds(expected.silence, (*key, "silence"))
        for name in ("failed_with", "met"):
            kind = getattr(expected, name)
            if kind is not None:
                self._failure(kind, (*key, name))
        for node, share in expected.served_by.items():
            self.there_is("node", node, (*key, "served_by", node))
            self.share(share, (*key, "served_by", node))
        if sum(expected.served_by.values()) > 1 + 1e-9:
            self.findings.add((*key, "served_by"), "the shares are more than 1 together")

    def _failure(self, kind: FailureKind, key: Key) -> None:
        self.up_to(ULONG, kind.minor, (*key, "minor"))
        name = kind.exception
        if name.isupper() and name not in _SYSTEM_EXCEPTIONS:
            self.findings.add((*key, "exception"), f"there is no system exception {name!r}{meant(name, _SYSTEM_EXCEPTIONS)}")

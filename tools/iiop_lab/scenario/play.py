"""Scenarios, played: step by step, with clients that call all the while, and what was expected compared with what came.

    with Lab(...) as lab:
        outcome = play(lab)
        assert outcome.kept

It must not know how labs, clients or expectations do their part.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iiop_lab.scenario.calls import Call, exceptions, hosts
from iiop_lab.scenario.clients import Clients, start_clients
from iiop_lab.scenario.declaration import Expectation, Step
from iiop_lab.scenario.expectations import Verdict, judge

if TYPE_CHECKING:
    from iiop_lab.scenario.lab import Lab

__all__ = ["ClientOutcome", "Outcome", "StepOutcome", "play"]

PATIENCE = 60.0
"""Seconds that calls under way, or those that a step waits for, may take."""

_GLANCE = 0.02
"""Seconds between two looks at what must come true."""


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Tell how a step went.

    Attributes:
        seconds: that it took.
        verdicts: what was expected, and whether it came so.
        recovered: by client, seconds from what was done to the next answered call; None if there was none.
    """

    name: str
    seconds: float
    verdicts: tuple[Verdict, ...]
    recovered: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientOutcome:
    """Sum up the calls of one client."""

    name: str
    made: int
    answered: int
    hosts: dict[str, int]
    exceptions: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, name: str, calls: Sequence[Call]) -> ClientOutcome:
        """Sum up calls."""
        own = [call for call in calls if call.client == name]
        met = tuple(
            {"exception": failure.exception, "minor": failure.minor, "completed": failure.completed, "times": times}
            for failure, times in exceptions(own).most_common()
        )
        return cls(name, len(own), sum(call.failure is None for call in own), dict(sorted(hosts(own).items())), met)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold what a scenario has shown.

    Attributes:
        steps: in their order, with what was expected of each.
        clients: with their calls summed up.
        verdicts: what was expected of all calls.
        calls: every one of them.
    """

    steps: tuple[StepOutcome, ...]
    clients: tuple[ClientOutcome, ...]
    verdicts: tuple[Verdict, ...]
    calls: tuple[Call, ...] = ()

    @property
    def kept(self) -> bool:
        """Tell whether all that was expected came about."""
        return all(verdict.kept for verdict in self.all_verdicts)

    @property
    def all_verdicts(self) -> tuple[Verdict, ...]:
        """Return the verdicts of all steps, and on all calls."""
        return (*(verdict for step in self.steps for verdict in step.verdicts), *self.verdicts)


def play(lab: Lab) -> Outcome:
    """Play the scenario that the file of a lab declares.

    Args:
        lab: that runs.

    Raises:
        ChildError: a client cannot be started, has ended by itself, or does not call any more.
        LabError, ActionError, ClusterError, NodeStateError, WorkUnitError: something cannot be done.
    """
    file = lab.file
    with ExitStack() as stack:
        clients = start_clients(lab, file.clients, stack)
        begin = time.monotonic()
        steps = tuple([_Played(lab, clients, step).outcome() for step in file.step])
        clients.pause(PATIENCE)
        looked = _look(lab, clients, file.expect, clients.calls, begin)
        for verdict in looked:
            _tell(lab, "all calls", verdict)
        summed = tuple([ClientOutcome.of(name, clients.calls) for name in clients.callers])
        return Outcome(steps, summed, looked, tuple(clients.calls))


class _Played:
    """Play one step."""

    def __init__(self, lab: Lab, clients: Clients, step: Step) -> None:
        self._lab = lab
        self._clients = clients
        self._step = step
        self._first = 0
        self._begin = 0.0

    def outcome(self) -> StepOutcome:
        """Play it and return how it went."""
        step = self._step
        self._lab.tell("step", step.name, "begins")
        if step.after:
            self._clients.rest(step.after)
        if step.quiet:
            self._clients.pause(PATIENCE)
        self._first = self._clients.begin(step.name)
        self._begin = time.monotonic()
        for words in step.do:
            self._lab.do(words)
        done = time.monotonic()
        self._clients.call()
        missed = self._wait_until() if step.until else ()
        self._clients.rest(step.seconds - (time.monotonic() - done))
        if step.calls:
            self._clients.wait(self._all_have_called, PATIENCE, f"every client makes {step.calls} calls in step {step.name!r}")
        calls = self._clients.since(self._first)
        verdicts = (*missed, *_look(self._lab, self._clients, step.expect, calls, self._begin))
        for verdict in verdicts:
            _tell(self._lab, step.name, verdict)
        recovered = {name: _first_answer(calls, name, done) for name in self._clients.callers} if step.do else {}
        return StepOutcome(step.name, time.monotonic() - self._begin, verdicts, recovered)

    def _wait_until(self) -> tuple[Verdict, ...]:
        """Wait for what must come true, and return it; of what has not in time, how it was at the end."""
        end = time.monotonic() + self._step.within
        while True:
            calls = self._clients.since(self._first)
            looked = _look(self._lab, self._clients, self._step.until, calls, self._begin)
            if all(verdict.kept for verdict in looked) or time.monotonic() >= end:
                return looked
            self._clients.rest(_GLANCE)

    def _all_have_called(self) -> bool:
        return all(self._clients.made[name] >= self._step.calls for name in self._clients.callers)


def _look(
    lab: Lab, clients: Clients, expected: Sequence[Expectation], calls: Sequence[Call], begin: float
) -> tuple[Verdict, ...]:
    statuses = {name: program.status for name, program in clients.programs.items()}
    now = time.monotonic()
    return tuple([verdict for each in expected for verdict in judge(each, calls, clients.callers, lab, statuses, begin, now)])


def _first_answer(calls: Sequence[Call], client: str, since: float) -> float | None:
    return next((call.at - since for call in calls if call.client == client and call.at >= since and call.failure is None), None)


def _tell(lab: Lab, step: str, verdict: Verdict) -> None:
    lab.tell("kept" if verdict.kept else "broken", step, f"{verdict.text}: {verdict.numbers}")

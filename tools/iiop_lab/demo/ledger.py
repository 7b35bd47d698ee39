"""What happened in the demo, call by call, and whether what was promised did."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iiop.exceptions import explain_minor

__all__ = ["Call", "Client", "Promise", "judge", "minor_text"]

FAIR_SHARE = 0.25
"""Of the calls of a phase, what each of two hosts has to serve at least for the load to count as spread."""

IPCOM_MINOR = 0x464A0114


@dataclass(frozen=True, slots=True)
class Call:
    """Record one call.

    Attributes:
        phase: of the demo.
        number: that the server wrote into its journal.
        host: that answered; None if it failed, or if only asking showed that it had run.
        error: name of the exception it ended with, None if it was answered.
        minor: of the exception.
        completed: of the exception.
        at: seconds, CLOCK_MONOTONIC.
        seen: exceptions on the way.
    """

    phase: str
    number: int
    host: str | None
    error: str | None
    minor: int
    completed: str
    at: float
    seen: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, phase: str, row: Mapping[str, Any]) -> Call:
        """Return the call that a client told of."""
        return cls(
            phase,
            row["number"],
            row.get("host"),
            row.get("error"),
            row.get("minor", 0),
            row.get("completed", ""),
            row["at"],
            row.get("seen", ()),
        )


@dataclass
class Client:
    """Keep the calls of one client.

    Attributes:
        name: for people.
        ours: whether our promises hold for it.
        spreads: whether its calls go over the virtual host one by one, or in sessions, so that both hosts get some.
    """

    name: str
    ours: bool
    spreads: bool
    calls: list[Call] = field(default_factory=list)

    def of(self, *phases: str) -> list[Call]:
        """Return the calls of some phases."""
        return [call for call in self.calls if call.phase in phases]

    def hosts(self, *phases: str) -> Counter[str]:
        """Count answered calls by host."""
        return Counter(call.host for call in self.of(*phases) if call.host is not None)

    def exceptions(self) -> Counter[tuple[str, int, str]]:
        """Count exceptions by type, minor code and completion: those calls ended with, and those our client met on the way."""
        counted: Counter[tuple[str, int, str]] = Counter()
        for call in self.calls:
            for seen in call.seen:
                counted[seen["error"], seen["minor"], seen["completed"]] += 1
            if call.error is not None and not call.seen:
                counted[call.error, call.minor, call.completed] += 1
        return counted

    def recovery(self, since: float) -> float | None:
        """Return the seconds from a moment to the next good answer."""
        return next((call.at - since for call in self.calls if call.at >= since and call.host is not None), None)


@dataclass(frozen=True, slots=True)
class Promise:
    """State one promise of the demo, whether it was kept, and by which numbers."""

    text: str
    kept: bool
    numbers: str


def minor_text(exception: str, minor: int) -> str:
    """Return a minor code with what is known of it."""
    known = explain_minor(exception, minor) if minor else None
    if known is None:
        return f"{minor:#010x}" if minor else "minor 0"
    return f"{minor:#010x} ({known.vendor}{': ' + known.name if known.name else ''})"


def judge(clients: Sequence[Client], journals: Mapping[str, Sequence[int]]) -> list[Promise]:
    """Compare what was promised with what clients got and servers counted.

    Args:
        clients: all of them.
        journals: the numbers of the calls that ran, by host.
    """
    ran = Counter(number for numbers in journals.values() for number in numbers)
    promises = []
    for client in clients:
        if client.spreads:
            for phase in ("calm", "recovered"):
                promises.append(_spread(client, phase))
        if client.ours:
            promises += [_none_lost(client), _none_twice(client, ran), _told_of_outage(client)]
        elif client.spreads:
            promises.append(_told_of_outage(client))
    return promises


def _spread(client: Client, phase: str) -> Promise:
    hosts = client.hosts(phase)
    total = len(client.of(phase))
    kept = total > 0 and len(hosts) == 2 and min(hosts.values()) >= FAIR_SHARE * total
    numbers = ", ".join(f"{host} {count}" for host, count in sorted(hosts.items())) or "no answers"
    return Promise(f"{client.name}: {phase}, both hosts serve its calls", kept, numbers)


def _none_lost(client: Client) -> Promise:
    calls = client.of("calm", "host1 killed", "recovered")
    lost = [call for call in calls if call.error is not None]
    return Promise(
        f"{client.name}: no call lost while a host lives", bool(calls) and not lost, f"{len(calls)} made, {len(lost)} lost"
    )


def _none_twice(client: Client, ran: Mapping[int, int]) -> Promise:
    twice = [call for call in client.calls if ran.get(call.number, 0) > 1]
    unrun = [call for call in client.calls if call.error is None and ran.get(call.number, 0) != 1]
    denied = [call for call in client.calls if call.completed == "COMPLETED_NO" and ran.get(call.number, 0)]
    numbers = f"{len(client.calls)} made, {len(twice)} ran twice, {len(unrun)} answered without having run once"
    if denied:
        numbers += f", {len(denied)} ran though COMPLETED_NO was told"
    kept = bool(client.calls) and not twice and not unrun and not denied
    return Promise(f"{client.name}: every answered call ran once, none twice", kept, numbers)


def _told_of_outage(client: Client) -> Promise:
    calls = client.of("both killed")
    told = [call for call in calls if call.error == "COMM_FAILURE" and call.minor == IPCOM_MINOR]
    kept = bool(calls) and len(told) == len(calls)
    return Promise(f"{client.name}: both hosts dead, COMM_FAILURE 0x464a0114", kept, f"{len(told)} of {len(calls)} calls")


def now() -> float:
    """Return the time calls are stamped with, in seconds."""
    return time.monotonic()

"""Whether what a scenario expects has come about, and by which numbers one can tell.

It looks at calls and at the lab; it must not know steps, nor wait for anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from iiop.balancer import Standing
from iiop_lab.scenario.calls import Call, CallFailure, exceptions, hosts, longest_silence, minor_text
from iiop_lab.scenario.declaration import Expectation, FailureKind
from iiop_lab.work_unit import State

__all__ = ["Observed", "Verdict", "judge"]


class Observed(Protocol):
    """What is looked at of a lab."""

    @property
    def journals(self) -> Mapping[str, Sequence[int]]: ...

    def standing(self, node: str) -> Standing: ...

    def state(self, target: str) -> State: ...

    def active(self, cluster: str) -> str | None: ...

    def struck(self, fault: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """State one thing that was expected, whether it came so, and by which numbers."""

    text: str
    kept: bool
    numbers: str


def judge(
    expected: Expectation,
    calls: Sequence[Call],
    clients: Sequence[str],
    lab: Observed,
    statuses: Mapping[str, int | None],
    begin: float,
    end: float,
) -> Iterator[Verdict]:
    """Compare what is expected with what is.

    Args:
        expected: one key of it after the other.
        calls: that ended in the step, or in all.
        clients: that call the sample server.
        lab: how it is now.
        statuses: exit status of programs, None for those that run.
        begin, end: of the step, in seconds as of the calls.
    """
    for client in expected.clients or clients:
        own = [call for call in calls if call.client == client]
        for verdict in _of_client(expected, own, lab, begin, end):
            yield Verdict(f"{client}: {verdict.text}", verdict.kept, verdict.numbers)
    for node, standing in expected.standing.items():
        is_now = lab.standing(node).value
        yield Verdict(f"{node} is {standing} behind the virtual host", is_now == standing, is_now)
    for target, state in expected.state.items():
        is_now = lab.state(target).value
        yield Verdict(f"{target} is {state}", is_now == state, is_now)
    for cluster, wanted in expected.active.items():
        serves = lab.active(cluster)
        yield Verdict(f"{wanted} serves for {cluster}", serves == wanted, serves or "nobody")
    for fault, times in expected.struck.items():
        struck = lab.struck(fault)
        yield Verdict(f"fault {fault} has struck {times} times at least", struck >= times, f"{struck} times")
    for program, status in expected.exit.items():
        ended = statuses.get(program)
        yield Verdict(f"{program} ends with status {status}", ended == status, "runs" if ended is None else f"status {ended}")


def _of_client(expected: Expectation, calls: Sequence[Call], lab: Observed, begin: float, end: float) -> Iterator[Verdict]:
    lost = [call for call in calls if call.failure is not None]
    if expected.failed is not None:
        text = f"at most {expected.failed} calls failed" if expected.failed else "no call failed"
        what = f": {_counted(lost)}" if lost else ""
        yield Verdict(text, bool(calls) and len(lost) <= expected.failed, f"{len(calls)} made, {len(lost)} failed{what}")
    if expected.failed_with is not None:
        so = [call for call in lost if call.failure is not None and _is_so(call.failure, expected.failed_with)]
        others = [call for call in lost if call not in so]
        what = f"; others: {_counted(others)}" if others else ""
        kept = bool(calls) and len(so) == len(calls)
        yield Verdict(f"every call failed with {_shown(expected.failed_with)}", kept, f"{len(so)} of {len(calls)}{what}")
    if expected.met is not None:
        met = sum(count for failure, count in exceptions(calls).items() if _is_so(failure, expected.met))
        yield Verdict(f"{_shown(expected.met)} was met", met > 0, f"{met} times")
    if expected.served_by:
        yield _served(expected.served_by, calls)
    if expected.at_most_once:
        yield _at_most_once(calls, lab)
    if expected.silence is not None:
        longest = longest_silence(calls, begin, end)
        yield Verdict(f"never {expected.silence:g} s without an answer", longest < expected.silence, f"{longest * 1000:.0f} ms")


def _served(shares: Mapping[str, float], calls: Sequence[Call]) -> Verdict:
    by_host = hosts(calls)
    total = sum(by_host.values())
    enough = total > 0 and all(by_host[host] >= share * total for host, share in shares.items())
    kept = enough and set(by_host) <= set(shares)
    text = "served by " + " and ".join(f"{host} ({share:.0%} at least)" for host, share in shares.items())
    return Verdict(text, kept, ", ".join(f"{host} {count}" for host, count in sorted(by_host.items())) or "no answers")


def _at_most_once(calls: Sequence[Call], lab: Observed) -> Verdict:
    ran: dict[int, int] = {}
    for journal in lab.journals.values():
        for number in journal:
            ran[number] = ran.get(number, 0) + 1
    twice = [call for call in calls if ran.get(call.number, 0) > 1]
    unrun = [call for call in calls if call.failure is None and ran.get(call.number, 0) != 1]
    denied = [call for call in calls if call.failure and call.failure.completed == "COMPLETED_NO" and ran.get(call.number, 0)]
    numbers = f"{len(calls)} made, {len(twice)} ran twice, {len(unrun)} answered without having run once"
    if denied:
        numbers += f", {len(denied)} ran though COMPLETED_NO was told"
    return Verdict("every answered call ran once, none twice", bool(calls) and not (twice or unrun or denied), numbers)


def _is_so(failure: CallFailure, kind: FailureKind) -> bool:
    return (
        kind.exception in ("", failure.exception)
        and kind.minor in (None, failure.minor)
        and kind.completed in ("", failure.completed)
    )


def _shown(kind: FailureKind) -> str:
    minor = minor_text(kind.exception, kind.minor) if kind.minor is not None else ""
    return " ".join(part for part in (kind.exception, minor, kind.completed) if part) or "an exception"


def _counted(calls: Sequence[Call]) -> str:
    counted: dict[str, int] = {}
    for call in calls:
        counted[str(call.failure)] = counted.get(str(call.failure), 0) + 1
    return ", ".join(f"{text} ({count} times)" for text, count in counted.items())

"""Outages from beginning to end, on a clock that only the script moves: what was tried, what ran, and what the caller got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from iiop.exceptions import FailoverExhausted, UserException
from iiop.failover import FailoverPolicy, GaveUp, Late, Recovered, Selection, Semantics, completion_of
from tests.failover import world as w
from tests.failover.world import Behaviour, World


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One outage.

    Attributes:
        known: endpoints of the reference that the client has; empty if it has none yet.
        servers, names, selection: see `World`.
        idempotent: the caller's word.
        policy: what differs from `POLICY`.
        tries: what is expected to be tried and asked, in order; `wait` is a back-off.
        ran: where the operation ran.
        outcome: the server that answered, or the error, with its completion status, unless it is the operation's own.
        takes: seconds until then.
    """

    known: str = "a"
    servers: dict[str, Sequence[Behaviour]] = field(default_factory=dict)
    names: dict[str, Sequence[str | Behaviour]] = field(default_factory=dict)
    selection: Selection = Selection.ORDERED
    idempotent: bool = False
    policy: dict[str, Any] = field(default_factory=dict)
    tries: str
    ran: str
    outcome: str
    takes: float = 0.0


POLICY = {"deadline": 30.0, "attempt_timeout": 10.0, "connect_timeout": 3.0, "rounds": 3, "backoff_initial": 0.1, "jitter": 0.0}

S = Scenario
SCENARIOS: dict[str, Scenario] = {
    "all is well": S(tries="a answers", ran="a", outcome="a"),
    "its own exception is an answer": S(
        servers={"a": [w.overdrawn]}, tries="a raises its own exception", ran="a", outcome="Overdrawn"
    ),
    "port closed, another endpoint": S(
        known="a b",
        servers={"a": [w.refuses]},
        tries="a refuses connections / b answers",
        ran="b",
        outcome="b",
    ),
    "port closed, named elsewhere now": S(
        servers={"a": [w.refuses]},
        names={"ns": ["b"]},
        tries="a refuses connections / ns -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "port closed for ever": S(
        servers={"a": [w.refuses]},
        tries="a refuses connections / a refuses connections / wait / a refuses connections",
        ran="",
        outcome="FailoverExhausted NO",
        takes=0.1,
    ),
    "killed before the request, not idempotent": S(
        servers={"a": [w.killed_before, w.answers]},
        names={"ns": ["b"]},
        tries="a killed before it ran",
        ran="",
        outcome="ConnectionLost MAYBE",
    ),
    "killed before the request, idempotent": S(
        servers={"a": [w.killed_before, w.answers]},
        names={"ns": ["b"]},
        idempotent=True,
        tries="a killed before it ran / ns -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "killed during the request, not idempotent": S(
        servers={"a": [w.killed_during, w.answers]},
        names={"ns": ["b"]},
        tries="a killed while it ran",
        ran="a",
        outcome="ConnectionLost MAYBE",
        takes=0.5,
    ),
    "killed during the request, idempotent": S(
        servers={"a": [w.killed_during, w.answers]},
        names={"ns": ["b"]},
        idempotent=True,
        tries="a killed while it ran / ns -> b / b answers",
        ran="a b",
        outcome="b",
        takes=0.5,
    ),
    "killed after the request, not idempotent": S(
        servers={"a": [w.killed_after, w.answers]},
        names={"ns": ["b"]},
        tries="a killed before it replied",
        ran="a",
        outcome="ConnectionLost MAYBE",
    ),
    "killed after the request, at least once": S(
        servers={"a": [w.killed_after, w.answers]},
        names={"ns": ["b"]},
        policy={"semantics": Semantics.AT_LEAST_ONCE},
        tries="a killed before it replied / ns -> b / b answers",
        ran="a b",
        outcome="b",
    ),
    "killed after the request, idempotent but at most once": S(
        servers={"a": [w.killed_after, w.answers]},
        idempotent=True,
        policy={"semantics": Semantics.AT_MOST_ONCE},
        tries="a killed before it replied",
        ran="a",
        outcome="ConnectionLost MAYBE",
    ),
    "accepts and closes, every server, idempotent": S(
        servers={"a": [w.ends_at_once]},
        idempotent=True,
        tries="a accepts and closes / a accepts and closes / wait / a accepts and closes",
        ran="",
        outcome="FailoverExhausted MAYBE",
        takes=0.1,
    ),
    "half a reply, not idempotent": S(
        servers={"a": [w.half_reply, w.answers]}, tries="a sends half a reply", ran="a", outcome="ConnectionLost MAYBE"
    ),
    "half a reply, idempotent": S(
        known="a b",
        servers={"a": [w.half_reply]},
        idempotent=True,
        tries="a sends half a reply / b answers",
        ran="a b",
        outcome="b",
    ),
    "MessageError, not idempotent": S(
        servers={"a": [w.message_error, w.answers]}, tries="a says MessageError", ran="", outcome="ConnectionLost MAYBE"
    ),
    "invalid status 77, idempotent": S(
        known="a b",
        servers={"a": [w.bad_reply]},
        idempotent=True,
        tries="a replies with status 77 / b answers",
        ran="a b",
        outcome="b",
    ),
    "a reply that cannot be read": S(
        servers={"a": [w.unreadable, w.answers]},
        idempotent=True,
        tries="a replies what cannot be read",
        ran="a",
        outcome="MARSHAL MAYBE",
    ),
    "CloseConnection once": S(
        servers={"a": [w.closes, w.answers]},
        tries="a says CloseConnection / a answers",
        ran="a",
        outcome="a",
    ),
    "CloseConnection for every request": S(
        servers={"a": [w.closes]},
        tries="a says CloseConnection / a says CloseConnection / a says CloseConnection / wait / a says CloseConnection",
        ran="",
        outcome="FailoverExhausted NO",
        takes=0.1,
    ),
    "black hole, another endpoint": S(
        known="a b",
        servers={"a": [w.black_hole]},
        tries="a swallows connections / b answers",
        ran="b",
        outcome="b",
        takes=3.0,
    ),
    "black hole, Naming Service knows better": S(
        servers={"a": [w.black_hole]},
        names={"ns": ["b"]},
        tries="a swallows connections / ns -> b / b answers",
        ran="b",
        outcome="b",
        takes=3.0,
    ),
    "black holes everywhere": S(
        servers={"a": [w.black_hole]},
        names={"ns": [w.black_hole]},
        tries="a swallows connections / ns swallows connections / wait / ns swallows connections",
        ran="",
        outcome="FailoverExhausted NO",
        takes=9.1,
    ),
    "black hole that leaves no time": S(
        known="a b",
        servers={"a": [w.black_hole], "b": [w.black_hole]},
        policy={"deadline": 4.0},
        tries="a swallows connections / b swallows connections",
        ran="",
        outcome="DeadlineExceeded NO",
        takes=4.0,
    ),
    "half open, not idempotent": S(
        servers={"a": [w.half_open]},
        names={"ns": ["b"]},
        tries="a is half open",
        ran="",
        outcome="DeadlineExceeded MAYBE",
        takes=10.0,
    ),
    "half open, idempotent": S(
        servers={"a": [w.half_open]},
        names={"ns": ["b"]},
        idempotent=True,
        tries="a is half open / ns -> b / b answers",
        ran="b",
        outcome="b",
        takes=10.0,
    ),
    "runs and says nothing, not idempotent": S(
        servers={"a": [w.silent]},
        names={"ns": ["b"]},
        tries="a runs and says nothing",
        ran="a",
        outcome="DeadlineExceeded MAYBE",
        takes=10.0,
    ),
    "runs and says nothing for ever, idempotent": S(
        servers={"a": [w.silent]},
        idempotent=True,
        tries="a runs and says nothing / a runs and says nothing / wait / a runs and says nothing",
        ran="a a a",
        outcome="DeadlineExceeded MAYBE",
        takes=30.0,
    ),
    "answers another request, idempotent": S(
        known="a b",
        servers={"a": [w.wrong_id]},
        idempotent=True,
        tries="a answers another request / b answers",
        ran="a b",
        outcome="b",
        takes=10.0,
    ),
    "never reads": S(
        known="a b",
        servers={"a": [w.never_reads]},
        tries="a never reads / b answers",
        ran="b",
        outcome="b",
        takes=10.0,
    ),
    "late, but within the deadline": S(servers={"a": [w.slow]}, tries="a answers late", ran="a", outcome="a", takes=2.0),
    "too late, not idempotent": S(
        servers={"a": [w.slow]},
        policy={"attempt_timeout": 1.0},
        tries="a answers late",
        ran="a",
        outcome="DeadlineExceeded MAYBE",
        takes=1.0,
    ),
    "IPCOM: all targets down, then repaired": S(
        known="vhost",
        servers={"vhost": [w.ipcom, w.ipcom_pair, w.answers]},
        tries="vhost 0114 NO / wait / vhost 0914 NO / wait / vhost answers",
        ran="vhost",
        outcome="vhost",
        takes=0.3,
    ),
    "IPCOM: all targets down": S(
        known="vhost",
        servers={"vhost": [w.ipcom]},
        tries="vhost 0114 NO / wait / vhost 0114 NO / wait / vhost 0114 NO",
        ran="",
        outcome="FailoverExhausted NO",
        takes=0.3,
    ),
    "IPCOM: target down, mode B": S(
        known="host1",
        servers={"host1": [w.ipcom]},
        names={"vhost": ["host2"]},
        tries="host1 0114 NO / wait / vhost -> host2 / host2 answers",
        ran="host2",
        outcome="host2",
        takes=0.1,
    ),
    "IPCOM: 0114 that may have run": S(
        known="vhost",
        servers={"vhost": [w.ipcom_maybe, w.answers]},
        tries="vhost 0114 MAYBE",
        ran="vhost",
        outcome="COMM_FAILURE MAYBE",
    ),
    "IPCOM: 0114 that may have run, idempotent": S(
        known="vhost",
        servers={"vhost": [w.ipcom_maybe, w.answers]},
        idempotent=True,
        tries="vhost 0114 MAYBE / wait / vhost answers",
        ran="vhost vhost",
        outcome="vhost",
        takes=0.1,
    ),
    "IPCOM: 0114 that ran, idempotent": S(
        known="vhost",
        servers={"vhost": [w.ipcom_yes, w.answers]},
        idempotent=True,
        tries="vhost 0114 YES",
        ran="vhost",
        outcome="COMM_FAILURE YES",
    ),
    "Interstage: idle cut crosses the request": S(
        servers={"a": [w.idle_cut, w.answers]},
        tries="a 0105 NO / a answers",
        ran="a",
        outcome="a",
    ),
    "Interstage: reply timeout is not believed to be NO": S(
        servers={"a": [w.reply_timeout, w.answers]}, tries="a 0101 NO", ran="a", outcome="COMM_FAILURE MAYBE"
    ),
    "COMM_FAILURE without a known code": S(
        known="a b",
        servers={"a": [w.comm_failure]},
        names={"ns": ["c"]},
        tries="a COMM_FAILURE NO / ns -> c / c answers",
        ran="c",
        outcome="c",
    ),
    "TRANSIENT everywhere": S(
        known="a b",
        servers={"a": [w.transient], "b": [w.transient]},
        policy={"rounds": 1},
        tries="a TRANSIENT NO / b TRANSIENT NO",
        ran="",
        outcome="FailoverExhausted NO",
    ),
    "TRANSIENT that may have run": S(
        known="a b", servers={"a": [w.transient_maybe]}, tries="a TRANSIENT MAYBE", ran="a", outcome="TRANSIENT MAYBE"
    ),
    "NO_RESPONSE, idempotent": S(
        known="a b",
        servers={"a": [w.no_response]},
        idempotent=True,
        tries="a NO_RESPONSE MAYBE / b answers",
        ran="a b",
        outcome="b",
    ),
    "stale reference, rebound": S(
        servers={"a": [w.stale]},
        names={"ns": ["b"]},
        tries="a OBJECT_NOT_EXIST / ns -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "stale reference whose port another server took": S(
        servers={"a": [w.stale]},
        names={"ns": ["a"]},
        tries="a OBJECT_NOT_EXIST / ns -> a / a OBJECT_NOT_EXIST",
        ran="",
        outcome="OBJECT_NOT_EXIST NO",
    ),
    "stale reference, name gone too": S(
        servers={"a": [w.stale]},
        names={"ns": [w.not_found]},
        tries="a OBJECT_NOT_EXIST / ns NotFound",
        ran="",
        outcome="OBJECT_NOT_EXIST NO",
    ),
    "connection released": S(
        servers={"a": [w.released]},
        names={"ns": ["b"]},
        tries="a INV_OBJREF / ns -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "server process not up yet": S(
        servers={"a": [w.not_up, w.answers]},
        tries="a NO_IMPLEMENT / a answers",
        ran="a",
        outcome="a",
    ),
    "unknown exception that ran, idempotent": S(
        servers={"a": [w.unknown]}, idempotent=True, tries="a UNKNOWN YES", ran="a", outcome="UNKNOWN YES"
    ),
    "nothing known yet": S(
        known="",
        names={"ns": ["b"]},
        tries="ns -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "name never bound": S(known="", names={"ns": [w.not_found]}, tries="ns NotFound", ran="", outcome="NotFound"),
    "Naming Service dead first, the second answers": S(
        servers={"a": [w.refuses]},
        names={"ns1": [w.refuses], "ns2": ["b"]},
        tries="a refuses connections / ns1 refuses connections / ns2 -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "Naming Service in a black hole, the second answers": S(
        servers={"a": [w.refuses]},
        names={"ns1": [w.black_hole], "ns2": ["b"]},
        tries="a refuses connections / ns1 swallows connections / ns2 -> b / b answers",
        ran="b",
        outcome="b",
        takes=3.0,
    ),
    "another server on the Naming Service's port": S(
        servers={"a": [w.refuses]},
        names={"ns1": [w.stale], "ns2": ["b"]},
        tries="a refuses connections / ns1 OBJECT_NOT_EXIST / ns2 -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "sticky: the one that answered is asked first": S(
        known="",
        servers={"b": [w.comm_failure, w.answers]},
        names={"ns1": [w.refuses], "ns2": ["b"]},
        selection=Selection.STICKY,
        tries="ns1 refuses connections / ns2 -> b / b COMM_FAILURE NO / ns2 -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "least failed: the dead one is asked last": S(
        known="",
        servers={"b": [w.comm_failure, w.answers]},
        names={"ns1": [w.refuses], "ns2": ["b"]},
        selection=Selection.LEAST_FAILED,
        tries="ns1 refuses connections / ns2 -> b / b COMM_FAILURE NO / ns2 -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "round robin: the next one is asked first": S(
        known="",
        servers={"b": [w.comm_failure, w.answers]},
        names={"ns1": ["b"], "ns2": ["b"]},
        selection=Selection.ROUND_ROBIN,
        tries="ns1 -> b / b COMM_FAILURE NO / ns2 -> b / b answers",
        ran="b",
        outcome="b",
    ),
    "Naming Service dead, the object lives": S(
        known="a b",
        servers={"a": [w.comm_failure]},
        names={"ns": [w.refuses]},
        tries="a COMM_FAILURE NO / ns refuses connections / b answers",
        ran="b",
        outcome="b",
    ),
    "Naming Service starts again while we wait": S(
        servers={"a": [w.refuses]},
        names={"ns": [w.refuses, "b"]},
        tries="a refuses connections / ns refuses connections / wait / ns -> b / b answers",
        ran="b",
        outcome="b",
        takes=0.1,
    ),
    "everything dead": S(
        servers={"a": [w.refuses]},
        names={"ns": [w.refuses]},
        tries="a refuses connections / ns refuses connections / wait / ns refuses connections",
        ran="",
        outcome="FailoverExhausted NO",
        takes=0.1,
    ),
    "node switch: both nodes leave, one returns": S(
        servers={"a": [w.closes, w.refuses, w.answers]},
        names={"ns": ["a"]},
        tries="a says CloseConnection / a refuses connections / ns -> a / a answers",
        ran="a",
        outcome="a",
    ),
    "forwarded": S(
        servers={"a": [w.forwards("b")]},
        tries="a forwards / b answers",
        ran="b",
        outcome="b",
    ),
    "forwarded to a dead port": S(
        servers={"a": [w.forwards("b"), w.answers], "b": [w.refuses]},
        tries="a forwards / b refuses connections / a answers",
        ran="a",
        outcome="a",
    ),
    "forwarded in a circle": S(
        servers={"a": [w.forwards("b")], "b": [w.forwards("a")]},
        policy={"forwards": 3},
        tries="a forwards / b forwards / a forwards / b forwards",
        ran="",
        outcome="FailoverExhausted NO",
    ),
    "forwarded, then killed after it ran": S(
        servers={"a": [w.forwards("b")], "b": [w.killed_after]},
        tries="a forwards / b killed before it replied",
        ran="b",
        outcome="ConnectionLost MAYBE",
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(scenario: Scenario) -> None:
    world = World(scenario.servers, scenario.names, scenario.selection)
    policy = FailoverPolicy(**{**POLICY, **scenario.policy})
    outcome = world.call(policy, scenario.known.split(), idempotent=scenario.idempotent)
    assert " / ".join(world.trace) == scenario.tries
    assert " ".join(world.runs[1]) == scenario.ran
    assert told(outcome) == scenario.outcome
    assert world.now - 1000.0 == pytest.approx(scenario.takes)
    check_promises(world, policy, outcome, idempotent=scenario.idempotent)
    ended = [type(event) for event in world.events if isinstance(event, GaveUp | Recovered)]
    smooth = not isinstance(outcome, Exception) or isinstance(outcome, w.Overdrawn)
    assert ended in ([[Recovered], []] if smooth else [[GaveUp]])


def told(outcome: object) -> str:
    """Return what a caller was told, in a word or two."""
    if isinstance(outcome, UserException):
        return type(outcome).__name__
    if isinstance(outcome, Exception):
        return f"{type(outcome).__name__} {completion_of(outcome).name.removeprefix('COMPLETED_')}"
    return str(outcome)


def check_promises(world: World, policy: FailoverPolicy, outcome: object, *, idempotent: bool) -> None:
    """Hold a call to what the policy promises."""
    ran = world.runs[world.calls]
    may_run_twice = policy.semantics is Semantics.AT_LEAST_ONCE or (idempotent and policy.semantics is Semantics.BEST_EFFORT)
    assert len(ran) <= 1 or may_run_twice, "what is not idempotent ran twice"
    if isinstance(outcome, Exception):
        not_run = not isinstance(outcome, UserException) and completion_of(outcome) is w.NO
        assert not (not_run and ran), "said not to have run, and ran"
    else:
        assert outcome == ran[-1], "said to be done, and was not"


def test_there_are_enough_and_all_differ() -> None:
    assert len(SCENARIOS) >= 40
    assert len(set(map(str, SCENARIOS.values()))) == len(SCENARIOS)
    used = {id(each) for scenario in SCENARIOS.values() for script in scenario.servers.values() for each in script}
    unused = [name for name, each in vars(w).items() if isinstance(each, Behaviour) and id(each) not in used | {id(w.not_found)}]
    assert unused == [], "a behaviour that no scenario plays"


def test_node_switch_and_return_to_the_repaired_one() -> None:
    """A node dies, calls go to the other; the first is repaired, and the next refresh of the reference leads back to it."""
    world = World({"node1": [w.answers]}, {"vhost": ["node1", "node2", "node1"]})
    policy = FailoverPolicy(**POLICY)
    known = world.resolve(policy, 1.0)
    assert world.call(policy, known, idempotent=False) == "node1"
    world.restart("node1", [w.refuses])
    assert world.call(policy, known, idempotent=False) == "node2"
    world.restart("node1", [w.answers])
    assert world.call(policy, world.resolve(policy, 1.0), idempotent=False) == "node1"
    assert world.runs == {1: ["node1"], 2: ["node2"], 3: ["node1"]}


def test_every_attempt_and_its_reason_is_in_the_exception() -> None:
    world = World({"a": [w.transient], "b": [w.refuses]}, {"ns1": [w.refuses], "ns2": [w.ipcom]})
    error = world.call(FailoverPolicy(**{**POLICY, "rounds": 2}), ["a", "b"], idempotent=False)
    assert isinstance(error, FailoverExhausted)
    shown = str(error)
    assert [attempt.endpoint for attempt in error.attempts] == ["a", "b", "re-acquire"]
    for reason in ("TRANSIENT", "refused", "0x464a0114"):
        assert reason in shown


def test_late_is_told_as_interstage_tells_it() -> None:
    world = World({"a": [w.silent]})
    error = world.call(FailoverPolicy(**{**POLICY, "late": Late.INTERSTAGE}), ["a"], idempotent=False)
    assert (told(error), error.minor) == ("COMM_FAILURE MAYBE", 0x464A0101)

"""What scenarios expect, against calls and a lab that are made up."""

from __future__ import annotations

from typing import Any

import pytest

from iiop.balancer import Standing
from iiop_lab.scenario.calls import Call, longest_silence
from iiop_lab.scenario.declaration import Expectation, FailureKind
from iiop_lab.scenario.expectations import judge
from iiop_lab.work_unit import State

LOST = {"error": "COMM_FAILURE", "minor": 0x464A0114, "completed": "COMPLETED_NO"}
UNSURE = {"error": "COMM_FAILURE", "minor": 0, "completed": "COMPLETED_MAYBE"}


def call(number: int, host: str | None = None, client: str = "ours", at: float = 0.0, **row: Any) -> Call:
    return Call.of(client, "step", {"number": number, "host": host, "at": at, **row})


class Lab:
    """Be a lab in which two nodes ran calls."""

    journals = {"one": [1, 2, 3, 5], "two": [4, 5]}  # noqa: RUF012

    def standing(self, node: str) -> Standing:
        return Standing.DEAD

    def state(self, target: str) -> State:
        return State.HUNG

    def active(self, cluster: str) -> str | None:
        return {"app": "one"}.get(cluster)

    def struck(self, fault: str) -> int:
        return 3


def verdicts(expected: Expectation, *calls: Call, **statuses: int | None) -> list[tuple[str, bool, str]]:
    found = judge(expected, calls, sorted({call.client for call in calls} or {"ours"}), Lab(), statuses, 0.0, 1.0)
    return [(verdict.text, verdict.kept, verdict.numbers) for verdict in found]


@pytest.mark.parametrize(
    ("expected", "calls", "verdict"),
    [
        (Expectation(failed=0), [call(1, "one")], ("ours: no call failed", True, "1 made, 0 failed")),
        (Expectation(failed=0), [], ("ours: no call failed", False, "0 made, 0 failed")),
        (
            Expectation(failed=0),
            [call(1, "one"), call(2, **UNSURE)],
            ("ours: no call failed", False, "2 made, 1 failed: COMM_FAILURE minor 0 COMPLETED_MAYBE (1 times)"),
        ),
        (
            Expectation(failed=1),
            [call(1, "one"), call(2, **UNSURE)],
            ("ours: at most 1 calls failed", True, "2 made, 1 failed: COMM_FAILURE minor 0 COMPLETED_MAYBE (1 times)"),
        ),
        (
            Expectation(failed_with=FailureKind("COMM_FAILURE", completed="COMPLETED_NO")),
            [call(1, **LOST), call(2, **LOST)],
            ("ours: every call failed with COMM_FAILURE COMPLETED_NO", True, "2 of 2"),
        ),
        (
            Expectation(failed_with=FailureKind("COMM_FAILURE", 0)),
            [call(1, **LOST), call(2, **UNSURE), call(3, "one")],
            (
                "ours: every call failed with COMM_FAILURE minor 0",
                False,
                "1 of 3; others: COMM_FAILURE 0x464a0114 (Fujitsu: IPCOM_ERROR) COMPLETED_NO (1 times)",
            ),
        ),
        (
            Expectation(met=FailureKind("COMM_FAILURE")),
            [call(1, "one", seen=[LOST]), call(2, "one")],
            ("ours: COMM_FAILURE was met", True, "1 times"),
        ),
        (Expectation(met=FailureKind("TRANSIENT")), [call(1, **LOST)], ("ours: TRANSIENT was met", False, "0 times")),
        (
            Expectation(served_by={"one": 0.5, "two": 0.5}),
            [call(1, "one"), call(2, "two")],
            ("ours: served by one (50% at least) and two (50% at least)", True, "one 1, two 1"),
        ),
        (
            Expectation(served_by={"one": 0.5, "two": 0.5}),
            [call(1, "one"), call(2, "two"), call(3, "one")],
            ("ours: served by one (50% at least) and two (50% at least)", False, "one 2, two 1"),
        ),
        (
            Expectation(served_by={"one": 0.5}),
            [call(1, "one"), call(4, "two")],
            ("ours: served by one (50% at least)", False, "one 1, two 1"),
        ),
        (Expectation(served_by={"one": 0.0}), [], ("ours: served by one (0% at least)", False, "no answers")),
        (
            Expectation(at_most_once=True),
            [call(1, "one"), call(4, "two"), call(9, **LOST), call(3, **UNSURE)],
            ("ours: every answered call ran once, none twice", True, "4 made, 0 ran twice, 0 answered without having run once"),
        ),
        (
            Expectation(at_most_once=True),
            [call(5, "two"), call(8, "one"), call(3, **LOST)],
            (
                "ours: every answered call ran once, none twice",
                False,
                "3 made, 1 ran twice, 2 answered without having run once, 1 ran though COMPLETED_NO was told",
            ),
        ),
        (
            Expectation(silence=0.5),
            [call(1, "one", at=0.4), call(2, at=0.7, **LOST), call(3, "one", at=0.8)],
            ("ours: never 0.5 s without an answer", True, "400 ms"),
        ),
        (Expectation(silence=0.5), [call(1, "one", at=0.4)], ("ours: never 0.5 s without an answer", False, "600 ms")),
        (Expectation(standing={"one": "serving"}), [], ("one is serving behind the virtual host", False, "dead")),
        (Expectation(standing={"one": "dead"}), [], ("one is dead behind the virtual host", True, "dead")),
        (Expectation(state={"one/TD": "hung"}), [], ("one/TD is hung", True, "hung")),
        (Expectation(active={"app": "one"}), [], ("one serves for app", True, "one")),
        (Expectation(active={"other": "one"}), [], ("one serves for other", False, "nobody")),
        (Expectation(struck={"slow": 3}), [], ("fault slow has struck 3 times at least", True, "3 times")),
        (Expectation(struck={"slow": 4}), [], ("fault slow has struck 4 times at least", False, "3 times")),
    ],
)
def test_what_is_expected(expected: Expectation, calls: list[Call], verdict: tuple[str, bool, str]) -> None:
    assert verdicts(expected, *calls) == [verdict]


def test_programs() -> None:
    expected = Expectation(exit={"mine": 0})
    assert verdicts(expected, mine=0) == [("mine ends with status 0", True, "status 0")]
    assert verdicts(expected, mine=3) == [("mine ends with status 0", False, "status 3")]
    assert verdicts(expected, mine=None) == [("mine ends with status 0", False, "runs")]


def test_every_client_by_itself_unless_some_are_named() -> None:
    calls = [call(1, "one"), call(2, client="theirs", **LOST)]
    assert [kept for _, kept, _ in verdicts(Expectation(failed=0), *calls)] == [True, False]
    assert [kept for _, kept, _ in verdicts(Expectation(failed=0, clients=("ours",)), *calls)] == [True]


def test_silence() -> None:
    assert longest_silence([], 1.0, 3.5) == 2.5
    assert longest_silence([call(1, "one", at=2.0), call(2, "one", at=1.5)], 1.0, 2.5) == 0.5

"""Every fault under our blocking client and under omniORBpy's, as each of them sees it.

omniORBpy says WaitingForReply, MAYBE, of whatever ends a connection, and repeats a call thousands of times where CloseConnection
or a forward come again and again. What nobody can foretell, because two ends of a connection race, is a set of outcomes here.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iiop.failover import FailoverPolicy
from iiop.net.client import Client
from iiop_lab.faults import Aim, Direction, FaultProxy, RewrittenHost, SwapReplies, fault_names, make_fault
from ior import IOR, IORBuilder
from naming import NameService
from tests import peers
from tests.lab.faulty import Account, AccountServant, Failed, Omni, Scene, make_stubs, reference, scene
from tests.peers import OmniClient

S, C = Direction.TO_SERVER, Direction.TO_CLIENT

REFUSED = Failed("TRANSIENT", 0x41540002, "NO")
BROKEN = Failed("COMM_FAILURE", 0x41540007, "MAYBE")
SILENT = Failed("TIMEOUT", 0x41540008, "MAYBE")
ENDLESS = frozenset({SILENT, SILENT._replace(completed="NO")})
"""The time-out met a request that was under way, or none."""
SHORT = Failed("MARSHAL", 0x4154000A, "YES")

EXHAUSTED = Failed("FailoverExhausted", None, "NO")
LOST = Failed("ConnectionLost", None, "MAYBE")
LATE = Failed("DeadlineExceeded", None, "MAYBE")

IPCOM_NO, IPCOM_MAYBE = Failed("COMM_FAILURE", 0x464A0114, "NO"), Failed("COMM_FAILURE", 0x464A0914, "MAYBE")
TRANSIENT = Failed("TRANSIENT", 0, "MAYBE")

Outcome = Any
"""What a call ends with; a frozenset of what it may end with."""
GOOD = (1, 2)


class Row(NamedTuple):
    """One fault, what two calls under it end with in each client, and how often the server ran them."""

    name: str
    parameters: dict[str, Any]
    aim: dict[str, Any]
    omni: tuple[Outcome, Outcome]
    ours: tuple[Outcome, Outcome]
    ran: int | None
    warm: bool = True
    """Whether there is a connection already."""


def broken(name: str, aim: dict[str, Any] | None = None, ran: int = 0, **parameters: Any) -> Row:
    """Return a row of a fault that ends the connection of each call."""
    return Row(name, parameters, aim or {}, (BROKEN, BROKEN), (LOST, LOST), ran)


def silent(name: str, aim: dict[str, Any] | None = None, ran: int = 0, **parameters: Any) -> Row:
    """Return a row of a fault that keeps each call waiting."""
    return Row(name, parameters, aim or {}, (SILENT, SILENT), (LATE, LATE), ran)


def harmless(name: str, aim: dict[str, Any] | None = None, **parameters: Any) -> Row:
    """Return a row of a fault that no caller notices, but for the time."""
    return Row(name, parameters, aim or {}, GOOD, GOOD, 2)


EITHER_OMNI, EITHER_OURS = frozenset({REFUSED, BROKEN}), frozenset({EXHAUSTED, LOST})

ROWS = [
    Row("refuse", {}, {}, (REFUSED, REFUSED), (EXHAUSTED, EXHAUSTED), 0, warm=False),
    Row("reset", {}, {}, (EITHER_OMNI, EITHER_OMNI), (EITHER_OURS, EITHER_OURS), 0, warm=False),
    Row("close", {}, {}, (EITHER_OMNI, EITHER_OMNI), (EITHER_OURS, EITHER_OURS), 0, warm=False),
    broken("reset", {"operation": "add"}),
    broken("close", {"operation": "add"}),
    broken("reset", {"operation": "add", "direction": C}, 2),
    broken("close", {"operation": "add", "direction": C}, 2),
    Row("close", {"after": True}, {"direction": C}, (1, frozenset({2, BROKEN})), (1, frozenset({2, LOST})), None),
    broken("truncate", None, 2, keep=7),
    broken("truncate", None, 2, keep=14),
    Row("truncate", {"keep": 24, "mend": True}, {}, (SHORT, SHORT), (SHORT._replace(completed="MAYBE"),) * 2, 2),
    broken("data_limit", None, 2, octets=5),
    silent("half_open", None, 2),
    silent("half_open", {"direction": S}),
    Row("black_hole", {}, {}, (SILENT, SILENT), (LATE, LATE), None),
    harmless("latency", seconds=0.03, jitter=0.01),
    harmless("bandwidth", octets_per_second=4000),
    harmless("slice", size=1),
    harmless("slice", size=20, pause=0.002),
    harmless("slow_close", seconds=0.1),
    silent("drop", None, 2),
    silent("drop", {"direction": S}),
    harmless("delay", seconds=0.05),
    Row("duplicate", {}, {}, GOOD, (1, frozenset({2, LOST})), 2),
    Row("duplicate", {}, {"direction": S}, (1, frozenset({2, 3})), (1, frozenset({2, 3, LOST})), None),
    silent("swap_replies", None, 2),
    Row("wrong_request_id", {}, {}, (SILENT, SILENT), (LOST, LOST), 2),
    Row("close_connection", {}, {}, (ENDLESS, ENDLESS), (EXHAUSTED, EXHAUSTED), 0),
    harmless("close_connection", {"nth": 1}),
    Row("close_connection", {"after": True}, {"direction": C}, (1, frozenset({2, BROKEN})), (1, 2), None),
    broken("message_error"),
    broken("message_error", {"direction": C}, 2),
    broken("corrupt", None, 2, offset=5, value=9),
    broken("corrupt", None, 2, offset=0, value=0),
    Row("corrupt", {"offset": 16, "value": 77}, {}, (BROKEN, BROKEN), (Failed("MARSHAL", 0x4154008F, "MAYBE"),) * 2, 2),
    Row(
        "system_exception",
        {"exception": "COMM_FAILURE", "minor": 0x464A0114, "completed": "NO"},
        {},
        (IPCOM_NO, IPCOM_NO),
        (EXHAUSTED, EXHAUSTED),
        0,
    ),
    Row(
        "system_exception",
        {"exception": "COMM_FAILURE", "minor": 0x464A0914, "completed": "MAYBE"},
        {"direction": C},
        (IPCOM_MAYBE, IPCOM_MAYBE),
        (IPCOM_MAYBE, IPCOM_MAYBE),
        2,
    ),
    Row("system_exception", {"exception": "TRANSIENT"}, {}, (TRANSIENT, TRANSIENT), (TRANSIENT, TRANSIENT), 0),
    Row(
        "system_exception",
        {"exception": "IDL:nobody/NONE:1.0", "completed": 9},
        {},
        (Failed("UNKNOWN", 0x4F4D0002, "YES"),) * 2,
        (Failed("UNKNOWN", 0, "MAYBE"),) * 2,
        0,
    ),
    Row("needs_addressing_mode", {}, {}, (BROKEN, BROKEN), (Failed("MARSHAL", 0x4154008F, "MAYBE"),) * 2, 0),
    Row("needs_addressing_mode", {}, {"nth": 1}, (BROKEN, 2), GOOD, 2),
    Row("forward_loop", {}, {}, (ENDLESS, ENDLESS), (EXHAUSTED, EXHAUSTED), 0),
    harmless("forward_loop", {"nth": 1}),
    harmless("other_byte_order", interfaces=(Account,)),
    harmless("other_byte_order", {"direction": S}, interfaces=(Account,)),
    harmless("fragmented", {"direction": S}, size=32),
]


def test_every_fault_has_a_row() -> None:
    elsewhere = {"forward", "rewritten_host", "stalled_fragment"}
    assert {row.name for row in ROWS} | elsewhere == set(fault_names())


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stubs(tmp_path_factory.mktemp("stubs"))


@pytest.fixture(params=["ours", "omniORBpy"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stage(kind: str, stubs: Path) -> Iterator[Scene]:
    with scene(kind, stubs) as stage:
        yield stage


def met(outcome: object, expected: Outcome) -> bool:
    return outcome in expected if isinstance(expected, frozenset) else outcome == expected


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: "-".join([row.name, *map(str, row.parameters.values()), *map(str, row.aim.values())])
)
def test_what_a_client_sees(stage: Scene, kind: str, row: Row) -> None:
    proxy, account, caller, _ = stage
    if row.warm:
        assert caller.call("echo", b"before") == b"before"
        account.ran = 0
    with proxy.attach(make_fault(row.name, **row.parameters), Aim(**row.aim)) as attachment:
        outcomes = [caller.call("add", 1), caller.call("add", 1)]
        expected = row.ours if kind == "ours" else row.omni
        assert all(map(met, outcomes, expected)), f"{outcomes} instead of {expected}"
        if row.ran is not None:
            assert account.ran == row.ran
        if row.name not in ("refuse", "slow_close"):
            assert attachment.struck
    assert not proxy.attachments
    # What a fault did to a connection the client may learn with the next call; the one after is answered.
    assert met(caller.call("echo", b"after"), frozenset({b"after", BROKEN, LOST}))
    assert caller.call("echo", b"at last") == b"at last"


def test_endless_repetition_is_seen_here(stage: Scene, kind: str) -> None:
    """omniORBpy resends after every CloseConnection; ours gives up."""
    stage.caller.call("echo", b"")
    with stage.proxy.attach(make_fault("close_connection")) as closing:
        stage.caller.call("add", 1)
    assert closing.struck < 10 if kind == "ours" else closing.struck > 50
    assert stage.account.ran == 1


# --- faults that need more than two calls -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
@pytest.mark.parametrize("direction", [S, C])
def test_fragments(kind: str, stubs: Path, version: tuple[int, int], direction: Direction) -> None:
    octets = bytes(range(256)) * 40
    with (
        scene(kind, stubs, version) as stage,
        stage.proxy.attach(make_fault("fragmented", size=100), Aim(direction=direction)) as cut,
    ):
        for size in (100, 101, 5000, len(octets)):
            assert stage.caller.call("echo", octets[:size]) == octets[:size]
        assert cut.struck == 4


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_stalled_fragments(kind: str, stubs: Path, version: tuple[int, int]) -> None:
    octets = bytes(1000)
    with scene(kind, stubs, version) as stage:
        assert stage.caller.call("echo", octets) == octets
        aim = Aim(operation="echo")
        with stage.proxy.attach(make_fault("stalled_fragment", size=200, seconds=0.05), aim) as late:
            assert stage.caller.call("echo", octets) == octets
            assert late.struck == 1
        with stage.proxy.attach(make_fault("stalled_fragment", size=200), aim) as never:
            assert stage.caller.call("echo", octets) == (LATE if kind == "ours" else SILENT._replace(completed="YES"))
            assert never.struck == 1
        assert met(stage.caller.call("echo", octets), frozenset({octets, LOST, BROKEN}))
        assert stage.caller.call("echo", octets) == octets


@pytest.mark.parametrize("permanently", [False, True])
@pytest.mark.parametrize("direction", [S, C])
def test_forward(stage: Scene, permanently: bool, direction: Direction) -> None:
    other = AccountServant()
    stage.server.activate(other, b"elsewhere")
    elsewhere = IORBuilder(Account.repository_id).iiop(stage.server.host, stage.server.port, key=b"elsewhere").build()
    fault = make_fault("forward", reference=str(elsewhere), permanently=permanently)
    with stage.proxy.attach(fault, Aim(operation="add", direction=direction)) as forward:
        assert [stage.caller.call("add", 5), stage.caller.call("add", 1)] == [5, 6]
        assert forward.struck == 1, "the client has forgotten the way"
    assert (stage.account.ran, other.ran) == (0 if direction is S else 1, 2)


def test_forward_to_nobody(stage: Scene, kind: str) -> None:
    dead = reference("127.0.0.1", peers.free_port())
    with stage.proxy.attach(make_fault("forward", reference=str(IOR.from_iop(dead)))) as forward:
        outcome = stage.caller.call("add", 1)
        assert met(outcome, EXHAUSTED if kind == "ours" else ENDLESS)
        assert forward.struck
    assert stage.account.ran == 0


def test_references_are_rewritten(stage: Scene, kind: str, omni_client: OmniClient) -> None:
    proxy = stage.proxy
    with proxy.attach(RewrittenHost(interfaces=(Account,))) as rewritten:
        moved = stage.caller.call("moved")
        ior = moved if kind == "ours" else IOR.from_string(moved.ior())
        (endpoint,) = IOR.from_iop(ior).endpoints()
        assert (endpoint.host, endpoint.port) == (proxy.host, proxy.port)
        assert rewritten.struck == 1
    with proxy.attach(RewrittenHost("nat.example", interfaces=(Account,))), NameService(proxy.address) as names:
        moved = stage.caller.call("moved")
        ior = moved if kind == "ours" else IOR.from_string(moved.ior())
        (endpoint,) = IOR.from_iop(ior).endpoints()
        assert (endpoint.host, endpoint.port) == ("nat.example", stage.server.port)
        context = names.root.new_context()
        assert {each.host for each in IOR.from_iop(context).endpoints()} == {stage.server.host}, "CosNaming is not known here"


def test_references_of_the_naming_service_are_rewritten(omni_names: peers.NamingPeer, omni_client: OmniClient) -> None:
    with FaultProxy((omni_names.host, omni_names.port)) as proxy, proxy.attach(RewrittenHost()) as rewritten:
        root = omni_client.naming(f"corbaloc::1.2@{proxy.address}/NameService")
        context = root.call("bind_new_context", peers.name("rewritten"))
        found = root.call("resolve", peers.name("rewritten"))
        assert {(end.host, end.port) for end in IOR.from_string(found.ior()).endpoints()} == {(proxy.host, proxy.port)}
        assert rewritten.struck == 2
        before = rewritten.seen
        context.narrow(peers.NAMING_CONTEXT).call("destroy")
        assert rewritten.seen > before, "the client stays behind the proxy"
        root.call("unbind", peers.name("rewritten"))


def test_swapped_replies_of_calls_under_way(stubs: Path) -> None:
    """Two calls on one connection: each gets its own answer, in the other order."""
    with scene("ours", stubs) as stage, Client(connections=1) as client:
        known = reference(stage.proxy.host, stage.proxy.port)
        stub = client.stub(known, Account, policy=FailoverPolicy(refresh_interval=None))
        stub.echo(b"")
        with stage.proxy.attach(SwapReplies()) as swap:
            answers: dict[bytes, bytes] = {}

            def call(octets: bytes) -> None:
                for _ in range(50):
                    answers[octets] = stub.echo(octets)

            threads = [threading.Thread(target=call, args=(octets,)) for octets in (b"one", b"two")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert swap.struck == 100
        assert answers == {b"one": b"one", b"two": b"two"}


def test_swapped_replies_of_omniorbpy(stubs: Path) -> None:
    options = ("-ORBoneCallPerConnection", "0", "-ORBmaxGIOPConnectionPerServer", "1")
    with scene("ours", stubs) as stage, OmniClient(*options) as client:
        client.load(stubs, "Faulty")
        omni = Omni(client, reference(stage.proxy.host, stage.proxy.port))
        client.call_timeout(0)
        omni.call("echo", b"")
        with stage.proxy.attach(SwapReplies()) as swap:
            omni.ref.time_threads("add", 1, count=100, threads=2)
            assert swap.struck == 100
        assert stage.account.sum == 100


# --- aims, over thousands of calls --------------------------------------------------------------------------------------


def test_aims_are_exact_over_thousands_of_calls(stage: Scene) -> None:
    refusal = make_fault("system_exception", exception="NO_PERMISSION", completed="NO")
    failed = Failed("NO_PERMISSION", 0, "NO")
    nth = stage.proxy.attach(refusal, Aim(operation="add", nth=500))
    every = stage.proxy.attach(refusal, Aim(operation="echo", every=9))
    chance = stage.proxy.attach(refusal, Aim(operation="moved", probability=0.125, seed=11))
    outcomes: dict[str, list[Any]] = {"add": [], "echo": [], "moved": []}
    for _ in range(1000):
        outcomes["add"].append(stage.caller.call("add", 1))
        outcomes["echo"].append(stage.caller.call("echo", b"x"))
        outcomes["moved"].append(stage.caller.call("moved"))
    bad = {name: [n for n, each in enumerate(found, 1) if each == failed] for name, found in outcomes.items()}
    draw = random.Random(11)
    assert bad["add"] == [500]
    assert bad["echo"] == list(range(9, 1001, 9))
    assert bad["moved"] == [n for n in range(1, 1001) if draw.random() < 0.125]
    assert (nth.seen, every.seen, chance.seen) == (1000, 1000, 1000)
    assert (nth.struck, every.struck, chance.struck) == tuple(map(len, bad.values()))
    assert stage.account.ran == 3000 - sum(map(len, bad.values()))


def test_a_naming_service_reference_goes_round_a_dead_call(stage: Scene) -> None:
    """A client with a policy of its own recovers from what strikes once."""
    with NameService(stage.proxy.address) as names, stage.proxy.attach(make_fault("reset"), Aim(operation="_is_a", nth=1)):
        assert names.root._is_a("IDL:omg.org/CosNaming/NamingContext:1.0")

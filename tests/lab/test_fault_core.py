"""What faults decide, without a socket: a clock that the test turns, and sides that write down what they are told."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from iiop.cdr import codec
from iiop.giop.fragments import split
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    LocateRequest,
    Message,
    Reply,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.iop import ServiceContext
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import Version
from iiop_lab.faults import (
    Aim,
    Attachment,
    Bandwidth,
    BlackHole,
    Close,
    CloseConnectionInstead,
    Corrupt,
    DataLimit,
    Delay,
    Direction,
    Drop,
    Duplicate,
    Fault,
    Fragmented,
    HalfOpen,
    Latency,
    Refuse,
    Reset,
    Slice,
    SlowClose,
    StalledFragment,
    SwapReplies,
    SystemExceptionInstead,
    Truncate,
    WrongRequestId,
    fault_names,
    make_fault,
    register_fault,
)
from iiop_lab.faults.conversation import MOST_WAITING, Conversation

VERSIONS = [GIOP_1_0, GIOP_1_1, GIOP_1_2]
OCTETS = codec(bytes)
TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT


class Timer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Clock:
    """A clock that is turned by hand. Who is to be woken at the same time is woken in the other order: loops promise none."""

    def __init__(self) -> None:
        self.now = 0.0
        self._count = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (when, -next(self._count), timer))
        return timer

    def turn(self, until: float) -> None:
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if timer.callback is not None:
                timer.callback()
        self.now = until

    @property
    def running(self) -> int:
        return sum(timer.callback is not None for _, _, timer in self._timers)


@dataclass
class Side:
    """One connection: what was sent on it, and when."""

    clock: Clock
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    finished: float | None = None
    was_reset: bool = False
    reading: bool = True

    def send(self, octets: bytes) -> None:
        assert octets
        assert self.finished is None
        self.sent.append((self.clock.now, octets))

    def finish(self) -> None:
        self.finished = self.clock.now

    def reset(self) -> None:
        self.was_reset = True

    def read(self, on: bool) -> None:
        self.reading = on

    @property
    def octets(self) -> bytes:
        return b"".join(octets for _, octets in self.sent)

    @property
    def messages(self) -> list[Message]:
        return [decode(each) for each in cut(self.octets)]

    @property
    def ids(self) -> list[int]:
        return [message.request_id for message in self.messages if isinstance(message, (Request, Reply))]


def cut(octets: bytes) -> list[bytes]:
    """Cut a stream into messages."""
    found = []
    while octets:
        size = 12 + int.from_bytes(octets[8:12], "little" if octets[6] & 1 else "big")
        assert len(octets) >= size, "the stream ends within a message"
        found.append(octets[:size])
        octets = octets[size:]
    return found


class World:
    """A conversation, and the faults that are attached."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.clock = Clock()
        self.client, self.server = Side(self.clock), Side(self.clock)
        self.conversation = Conversation(self.clock, self.client, self.server, ("127.0.0.1", 1), limits)
        self.attached: tuple[Attachment, ...] = ()

    def attach(self, fault: Fault, **aim: Any) -> Attachment:
        attachment = Attachment(fault, Aim(**aim), self._remove)
        self.attached = (*self.attached, attachment)
        self.conversation.attach(self.attached)
        return attachment

    def _remove(self, attachment: Attachment) -> None:
        self.attached = tuple(item for item in self.attached if item is not attachment)
        self.conversation.attach(self.attached)

    def ask(self, *octets: bytes) -> None:
        for each in octets:
            self.conversation.lanes[TO_SERVER].receive(each)

    def reply(self, *octets: bytes) -> None:
        for each in octets:
            self.conversation.lanes[TO_CLIENT].receive(each)


def body(size: int) -> Body:
    return Body.of(OCTETS, bytes(size)) if size else EMPTY


def request(number: int, operation: str = "add", size: int = 0, version: Version = GIOP_1_2, key: bytes = b"key") -> bytes:
    return encode(Request(number, operation, key_address(key), body=body(size), version=version))


def reply(number: int, size: int = 0, version: Version = GIOP_1_2) -> bytes:
    return encode(Reply(number, body=body(size), version=version))


# --- nothing is changed that nobody asked to change ---------------------------------------------------------------------


IDLE: list[tuple[Fault, dict[str, Any]] | None] = [
    None,
    (Drop(), {"operation": "never"}),
    (Drop(), {"operation": "never", "direction": TO_SERVER}),
    (Duplicate(), {"nth": 10_000}),
    (Duplicate(), {"target": b"elsewhere"}),
    (Slice(7), {"probability": 0.0}),
    (Latency(0.0), {}),
]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("idle", IDLE, ids=str)
def test_octets_pass_as_they_came(idle: tuple[Fault, dict[str, Any]] | None, seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    if idle is not None:
        world.attach(idle[0], **idle[1])
    stream = b""
    for number in range(60):
        version = chance.choice(VERSIONS)
        message = request(number, size=chance.choice([0, 8, 300, 100_000]), version=version)
        stream += b"".join(split(message, version, 64) if version > GIOP_1_0 and len(message) < 400 else [message])
        stream += encode(chance.choice([CancelRequest(number), LocateRequest(number, key_address(b"k"))]))
    at = 0
    while at < len(stream):
        step = chance.choice([1, 5, 11, 12, 13, 50, 65536])
        world.ask(stream[at : at + step])
        if chance.random() < 0.05:  # faults come and go at any moment
            with world.attach(Drop(), operation="never"):
                at += step
                world.ask(stream[at : at + 1])
                at += 1
                continue
        at += step
    world.clock.turn(1)
    assert world.server.octets == stream
    assert not world.client.sent


def test_what_is_no_giop_passes() -> None:
    world = World()
    drop = world.attach(Drop(), direction=TO_SERVER)
    world.ask(b"\x16\x03\x01", b"something quite different", b"and more")
    assert world.server.octets == b"\x16\x03\x01something quite differentand more"
    assert drop.struck == 0


def test_a_large_message_streams() -> None:
    world = World()
    idle = world.attach(Drop(), operation="never", direction=TO_SERVER)
    large = request(1, size=4 << 20)
    for at in range(0, len(large), 65536):
        world.ask(large[at : at + 65536])
        assert len(world.server.octets) >= min(at, len(large)), "it is kept"
    assert world.server.octets == large
    assert idle.seen == 0


def test_the_head_of_a_large_message_waits_only_until_it_tells_what_is_asked() -> None:
    world = World()
    world.attach(Drop(), operation="never", direction=TO_SERVER)
    large = request(1, size=1 << 20)
    world.ask(large[:5000])
    assert world.server.octets == large[:5000]
    world.ask(large[5000:])
    assert world.server.octets == large


@pytest.mark.parametrize("step", [1000, 4097, 7000, 20_000])
@pytest.mark.parametrize("length", [5000, 30_000])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_long_head_is_waited_for(version: Version, length: int, step: int) -> None:
    """What is asked may stand behind service contexts of any length, and behind a key of any."""
    world = World()
    add, get = (world.attach(Duplicate(), operation=name, direction=TO_SERVER) for name in ("add", "get"))
    context, key = ServiceContext(0x69696F70, bytes(length)), b"k" * length
    large = encode(Request(1, "add", key_address(key), service_context=(context,), body=body(100_000), version=version))
    for at in range(0, len(large), step):
        world.ask(large[at : at + step])
    assert world.server.octets == large * 2
    assert (add.struck, get.struck, get.seen) == (1, 0, 0)


def test_a_message_over_the_limit_is_not_collected() -> None:
    world = World(Limits(message_size=1 << 20))
    doubled = world.attach(Duplicate(), direction=TO_SERVER)
    large, small = request(1, size=2 << 20), request(2)
    world.ask(large[:70_000])
    assert world.server.octets == large[:70_000]
    world.ask(large[70_000:], small)
    assert world.server.octets == large + small + small
    assert (doubled.seen, doubled.struck) == (2, 1)


# --- the aim ------------------------------------------------------------------------------------------------------------


def struck(count: int, **aim: Any) -> list[int]:
    """Return which of so many requests an aim strikes."""
    world = World()
    drop = world.attach(Drop(), direction=TO_SERVER, **aim)
    for number in range(1, count + 1):
        world.ask(request(number))
    missing = sorted(set(range(1, count + 1)) - set(world.server.ids))
    assert drop.struck == len(missing)
    assert drop.seen == count
    return missing


def test_nth_and_every_are_exact() -> None:
    assert struck(3000, nth=1) == [1]
    assert struck(3000, nth=2999) == [2999]
    assert struck(3000, nth=3001) == []
    assert struck(3000, every=7) == list(range(7, 3001, 7))
    assert struck(3000, every=1) == list(range(1, 3001))
    assert struck(3000, every=5, nth=10) == [10]


def test_probability_is_what_the_seed_says() -> None:
    for seed in range(3):
        chance = random.Random(seed)
        expected = [number for number in range(1, 3001) if chance.random() < 0.25]
        assert struck(3000, probability=0.25, seed=seed) == expected
        assert 650 < len(expected) < 850
    assert struck(1000, probability=0.0) == []
    assert len(struck(1000, probability=1.0)) == 1000
    chance = random.Random(4)
    drawn = [chance.random() < 0.5 for _ in range(3000)]
    assert struck(3000, probability=0.5, every=3, seed=4) == [n for n in range(3, 3001, 3) if drawn[n - 1]]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_operation_and_target_of_requests_and_replies(version: Version) -> None:
    world = World()
    asked = world.attach(Drop(), direction=TO_SERVER, operation="pay", target=b"a", every=2)
    answered = world.attach(Drop(), operation="pay", target=b"b", every=3)
    numbers = range(1, 3001)
    what = {n: ("pay" if n % 2 else "add", b"a" if n % 3 else b"b") for n in numbers}
    for number, (operation, key) in what.items():
        world.ask(request(number, operation, version=version, key=key))
        world.reply(reply(number, version=version))
    at_a = [n for n in numbers if what[n] == ("pay", b"a")]
    at_b = [n for n in numbers if what[n] == ("pay", b"b")]
    assert sorted(set(numbers) - set(world.server.ids)) == at_a[1::2]
    assert sorted(set(numbers) - set(world.client.ids)) == at_b[2::3]
    assert (asked.seen, answered.seen) == (len(at_a), len(at_b))


def test_an_operation_that_contains_another_is_another() -> None:
    world = World()
    world.attach(Drop(), direction=TO_SERVER, operation="pay")
    world.ask(request(1, "repay"), request(2, "payment"), request(3, "pay"), request(4, "other", key=b"pay\0"))
    assert world.server.ids == [1, 2, 4]


def test_counts_go_over_all_connections() -> None:
    first, second = World(), World()
    drop = first.attach(Drop(), direction=TO_SERVER, nth=2)
    second.conversation.attach((drop,))
    first.ask(request(1))
    second.ask(request(1), request(2))
    assert (first.server.ids, second.server.ids) == ([1], [2])


@pytest.mark.parametrize(
    ("aim", "text"),
    [
        ({"nth": 0}, "nth=0"),
        ({"every": -1}, "every=-1"),
        ({"probability": 1.5}, "probability=1.5"),
        ({"direction": "sideways"}, "sideways"),
    ],
)
def test_an_aim_that_cannot_be(aim: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Aim(**aim)


@pytest.mark.parametrize(
    ("fault", "aim"),
    [
        (Refuse(), {"nth": 1}),
        (SlowClose(1), {"operation": "a"}),
        (SwapReplies(), {"direction": TO_SERVER}),
        (Refuse(), {"direction": TO_CLIENT}),
    ],
)
def test_a_fault_that_cannot_be_aimed_so(fault: Fault, aim: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=type(fault).__name__):
        World().attach(fault, **aim)


# --- TCP ----------------------------------------------------------------------------------------------------------------


def test_latency_keeps_the_order() -> None:
    world = World()
    world.attach(Latency(0.5, jitter=0.4, seed=3))
    for number in range(1, 201):
        world.ask(request(number))
        world.clock.turn(world.clock.now + 0.01)
    world.clock.turn(100)
    assert world.server.ids == list(range(1, 201))
    waits = [when - (number - 1) * 0.01 for number, (when, _) in enumerate(world.server.sent, 1)]
    chance = random.Random(3)
    due = [(number - 1) * 0.01 + 0.5 + chance.uniform(-0.4, 0.4) for number in range(1, 201)]
    assert [when for when, _ in world.server.sent] == pytest.approx([max(due[: n + 1]) for n in range(200)])
    assert min(waits) >= 0.1 - 1e-9


def test_bandwidth() -> None:
    world = World()
    world.attach(Bandwidth(1000), direction=TO_CLIENT)
    world.reply(bytes(3000))
    world.clock.turn(10)
    assert world.client.octets == bytes(3000)
    assert world.client.sent[-1][0] == pytest.approx(3.0)
    for when, _ in world.client.sent:
        passed = sum(len(octets) for at, octets in world.client.sent if at <= when)
        assert passed <= 1000 * when + 1e-6


def test_slices() -> None:
    world = World()
    world.attach(Slice(3, pause=0.1), direction=TO_SERVER)
    world.ask(bytes(range(10)))
    world.clock.turn(1)
    assert [octets for _, octets in world.server.sent] == [b"\0\1\2", b"\3\4\5", b"\6\7\x08", b"\x09"]
    assert [when for when, _ in world.server.sent] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_faults_add_up() -> None:
    world = World()
    world.attach(Latency(1), direction=TO_SERVER)
    world.attach(Slice(2, pause=1), direction=TO_SERVER)
    world.attach(Bandwidth(1), direction=TO_SERVER)
    world.ask(b"GIOP")
    world.clock.turn(100)
    assert world.server.octets == b"GIOP"
    assert [when for when, _ in world.server.sent] == pytest.approx([2, 3, 4, 5])


def test_a_black_hole_lets_go() -> None:
    world = World()
    with world.attach(BlackHole()):
        world.ask(request(1), request(2))
        world.reply(reply(1), b"")
        world.clock.turn(1000)
        assert not world.server.sent
        assert not world.client.sent
        assert world.client.finished is None
    assert world.server.ids == [1, 2]
    assert world.client.ids == [1]
    assert world.client.finished == 1000


def test_a_black_hole_aimed_at_one_message_stops_what_is_behind() -> None:
    world = World()
    hole = world.attach(BlackHole(), operation="pay")
    world.ask(request(1), request(2, "pay"), request(3))
    world.reply(reply(1))
    assert world.server.ids == [1]
    assert world.client.ids == [1]
    hole.remove()
    assert world.server.ids == [1, 2, 3]
    world.ask(request(4))
    assert world.server.ids == [1, 2, 3, 4]


def test_what_waits_is_bounded() -> None:
    world = World()
    hole = world.attach(BlackHole())
    taken = 0
    while world.client.reading:
        world.ask(bytes(65536))
        taken += 65536
        assert taken <= MOST_WAITING + 65536
    assert world.server.reading
    hole.remove()
    assert world.client.reading
    assert len(world.server.octets) == taken


def test_a_sink_that_takes_nothing_stops_the_source() -> None:
    world = World()
    lane = world.conversation.lanes[TO_SERVER]
    lane.blocked(True)
    assert not world.client.reading
    lane.blocked(False)
    assert world.client.reading
    with world.attach(Latency(1)):
        world.ask(request(1))
        lane.blocked(True)
        world.clock.turn(5)
        assert not world.server.sent
        lane.blocked(False)
        assert world.server.ids == [1]
        assert world.client.reading


def test_half_open() -> None:
    world = World()
    half = world.attach(HalfOpen())
    world.ask(request(1))
    world.reply(reply(1), b"")
    assert world.server.ids == [1]
    assert not world.client.sent
    assert world.client.finished is None
    half.remove()
    assert world.client.was_reset
    assert world.server.was_reset


def test_half_open_that_lost_nothing_leaves_the_connection() -> None:
    world = World()
    world.attach(HalfOpen()).remove()
    world.reply(reply(1))
    assert world.client.ids == [1]
    assert not world.client.was_reset


@pytest.mark.parametrize("fault", [Reset(), Close()])
def test_ends_a_connection_at_once(fault: Fault) -> None:
    world = World()
    attachment = world.attach(fault)
    world.ask(request(1))
    assert not world.server.sent
    assert world.server.was_reset is world.client.was_reset is isinstance(fault, Reset)
    assert (world.server.finished is not None) is (world.client.finished is not None) is isinstance(fault, Close)
    assert attachment.struck == 1


@pytest.mark.parametrize("after", [False, True])
def test_ends_a_connection_at_a_message(after: bool) -> None:
    world = World()
    close = world.attach(Close(after=after), direction=TO_CLIENT, operation="pay", nth=2)
    for number, operation in enumerate(["pay", "add", "pay", "pay"], 1):
        world.ask(request(number, operation))
        world.reply(reply(number, 100_000))
    assert world.client.ids == ([1, 2, 3] if after else [1, 2])
    assert world.server.ids == [1, 2, 3]
    assert world.client.finished is not None
    assert world.server.finished is not None
    assert (close.seen, close.struck) == (2, 1)


def test_data_limit() -> None:
    world = World()
    world.attach(DataLimit(10), direction=TO_SERVER)
    world.ask(b"GIOPxx", b"123456", b"789")
    assert world.server.octets == b"GIOPxx1234"
    assert world.server.finished is not None
    assert world.client.finished is not None


def test_slow_close() -> None:
    world = World()
    world.attach(SlowClose(5))
    world.reply(reply(1), b"")
    world.clock.turn(4)
    assert world.client.ids == [1]
    assert world.client.finished is None
    world.clock.turn(6)
    assert world.client.finished == 5


# --- GIOP ---------------------------------------------------------------------------------------------------------------


def test_a_delayed_message_is_overtaken() -> None:
    world = World()
    world.attach(Delay(1), nth=1)
    world.reply(reply(1), reply(2), b"")
    assert world.client.ids == [2]
    assert world.client.finished is None
    world.clock.turn(2)
    assert world.client.ids == [2, 1]
    assert world.client.finished == 1


def test_a_delayed_message_comes_not_into_another() -> None:
    world = World()
    world.attach(Delay(1), nth=1)
    large = reply(2, size=200_000)
    world.reply(reply(1), large[:100_000])
    world.clock.turn(2)
    world.reply(large[100_000:150_000])
    world.reply(large[150_000:])
    assert world.client.ids == [2, 1]


def test_an_answer_comes_not_into_another_message() -> None:
    world = World()
    large = reply(1, size=200_000)
    world.reply(large[:100_000])
    world.attach(SystemExceptionInstead("TRANSIENT"), operation="pay")
    world.ask(request(2, "pay"))
    world.reply(large[100_000:])
    assert world.client.ids == [1, 2]


def test_an_answer_comes_not_among_fragments_of_giop_1_1() -> None:
    world = World()
    first, *rest = split(reply(1, size=200, version=GIOP_1_1), GIOP_1_1, 64)
    world.attach(SystemExceptionInstead("TRANSIENT"), operation="pay")
    world.reply(first)
    world.ask(request(2, "pay", version=GIOP_1_1))
    assert world.client.octets == first
    world.reply(*rest)
    assert world.client.octets.startswith(first + b"".join(rest))
    assert len(cut(world.client.octets)) == len(rest) + 2


def test_delayed_fragments_keep_their_order() -> None:
    world = World()
    world.attach(Fragmented(64))
    world.attach(Delay(1))
    world.reply(reply(1, size=1000))
    world.clock.turn(2)
    assert world.client.octets == b"".join(split(reply(1, size=1000), GIOP_1_2, 64))


def test_removal_lets_delayed_messages_go() -> None:
    world = World()
    with world.attach(Delay(1000)):
        world.reply(reply(1), reply(2))
        assert not world.client.sent
    assert world.client.ids == [1, 2]
    assert world.clock.running == 0


def test_a_message_whose_beginning_passed_unseen_is_not_struck() -> None:
    world = World()
    with world.attach(Duplicate(), direction=TO_SERVER):
        world.ask(request(1))
    large = request(2, size=200_000)
    for at in (5, 100, 100_000):
        world.ask(large[:at])
        with world.attach(Duplicate(), direction=TO_SERVER) as doubled:
            world.ask(large[at:])
            assert doubled.seen == 0
    assert world.server.ids == [1, 1, 2, 2, 2]


def test_swapped_replies() -> None:
    world = World()
    swap = world.attach(SwapReplies())
    world.reply(*(reply(number) for number in range(1, 8)))
    assert world.client.ids == [2, 1, 4, 3, 6, 5]
    swap.remove()
    assert world.client.ids == [2, 1, 4, 3, 6, 5, 7]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("size", [0, 64, 100_000])
def test_duplicates_and_wrong_ids(version: Version, size: int) -> None:
    world = World()
    world.attach(Duplicate(3), nth=2)
    world.attach(WrongRequestId(7), nth=3)
    world.reply(*(reply(number, size, version) for number in (10, 20, 30)))
    assert world.client.ids == [10, 20, 20, 20, 37]
    assert all(len(message.body) == (size and size + 4) for message in world.client.messages if isinstance(message, Reply))


def test_corruption_is_what_the_seed_says() -> None:
    results = []
    for seed in (1, 1, 2):
        world = World()
        world.attach(Corrupt(seed=seed))
        for number in range(100):
            world.reply(reply(number, size=64))
        original = b"".join(reply(number, size=64) for number in range(100))
        changed = [at for at, (a, b) in enumerate(zip(original, world.client.octets, strict=True)) if a != b]
        size = len(reply(0, size=64))
        assert [at // size for at in changed] == list(range(100))
        results.append(world.client.octets)
    assert results[0] == results[1] != results[2]


def test_corruption_of_one_octet() -> None:
    world = World()
    world.attach(Corrupt(offset=5, value=9), nth=1)
    world.attach(Corrupt(offset=-1, value=0xAB), nth=2)
    world.attach(Corrupt(offset=4000), nth=3)
    messages = [reply(number, size=16) for number in range(3)]
    world.reply(*messages)
    first, second = bytearray(messages[0]), bytearray(messages[1])
    first[5], second[-1] = 9, 0xAB
    assert world.client.octets == bytes(first + second) + messages[2]
    assert [item.struck for item in world.attached] == [1, 1, 0]


def test_truncation() -> None:
    world = World()
    world.attach(Truncate(20), nth=2)
    world.reply(reply(1), reply(2), reply(3))
    assert world.client.octets == reply(1) + reply(2)[:20]
    assert world.client.finished is not None
    world = World()
    world.attach(Truncate(16, mend=True), nth=1)
    world.reply(reply(1, 100), reply(2))
    short, whole = cut(world.client.octets)
    assert (len(short), whole) == (16, reply(2))
    assert world.client.finished is None


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_fragments(version: Version) -> None:
    world = World()
    fragmented = world.attach(Fragmented(64))
    message = reply(5, size=1000, version=version)
    world.reply(message)
    assert world.client.octets == b"".join(split(message, version, 64) if version > GIOP_1_0 else [message])
    assert fragmented.struck == (version > GIOP_1_0)


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
@pytest.mark.parametrize("seconds", [3.0, None])
def test_a_stalled_fragment(version: Version, seconds: float | None) -> None:
    world = World()
    stalled = world.attach(StalledFragment(64, seconds), nth=1)
    *first, final = split(reply(5, size=1000, version=version), version, 64)
    behind = reply(6, version=version)
    world.reply(reply(5, size=1000, version=version), behind)
    passing = [*first, behind] if version == GIOP_1_2 else first
    assert world.client.octets == b"".join(passing)
    world.clock.turn(2.9)
    assert world.client.octets == b"".join(passing)
    world.clock.turn(1000)
    if seconds is None:
        assert world.client.octets == b"".join(passing)
        stalled.remove()
    assert world.client.octets == b"".join([*first, behind, final] if version == GIOP_1_2 else [*first, final, behind])


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2], ids=str)
def test_fragments_of_a_struck_message_share_its_fate(version: Version) -> None:
    pieces = split(request(3, "pay", size=500, version=version), version, 96)
    world = World()
    dropped = world.attach(Drop(), direction=TO_SERVER, operation="pay")
    world.ask(request(1, version=version), *pieces, request(4, version=version))
    assert world.server.ids == [1, 4]
    assert (dropped.seen, dropped.struck) == (1, 1)
    dropped.remove()
    doubled = world.attach(Duplicate(), direction=TO_SERVER, operation="pay")
    world.ask(*pieces)
    assert world.server.messages[2:] == [decode(request(3, "pay", size=500, version=version))] * 2
    assert doubled.struck == 1


def test_fragments_under_way_when_a_fault_is_removed() -> None:
    pieces = split(request(3, "pay", size=500), GIOP_1_2, 96)
    world = World()
    with world.attach(Duplicate(), direction=TO_SERVER):
        world.ask(*pieces[:2])
        assert not world.server.sent
    world.ask(*pieces[2:], request(4))
    assert world.server.ids == [3, 4]


def test_a_message_under_way_when_a_fault_is_removed() -> None:
    world = World()
    message = request(3, size=200_000)
    for at in (5, 100, 65_536, 100_000):
        doubled = world.attach(Duplicate(), direction=TO_SERVER)
        world.ask(message[:at])
        doubled.remove()
        world.ask(message[at:], request(4))
        assert world.server.ids == [3, 4]
        world.server.sent.clear()


@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize("after", [False, True])
def test_close_connection_is_the_last_word(direction: Direction, after: bool) -> None:
    world = World()
    world.attach(CloseConnectionInstead(after=after), direction=direction, nth=1)
    world.ask(request(1), request(2))
    world.reply(reply(1), reply(2))
    last = "CloseConnection"
    if direction is TO_SERVER:
        assert world.server.ids == ([1] if after else [])
        assert [type(each).__name__ for each in world.client.messages] == [last]
    else:
        assert world.server.ids == [1, 2]
        assert [type(each).__name__ for each in world.client.messages] == (["Reply", last] if after else [last])
    assert world.client.finished is not None
    assert world.server.finished is not None


def test_a_oneway_is_swallowed_without_an_answer() -> None:
    world = World()
    swallowed = world.attach(SystemExceptionInstead("TRANSIENT"))
    world.ask(encode(Request(1, "poke", key_address(b"k"), response_flags=0)))
    assert not world.client.sent
    assert not world.server.sent
    assert swallowed.struck == 1


# --- names --------------------------------------------------------------------------------------------------------------


def test_faults_by_name() -> None:
    assert make_fault("delay", seconds=0.5) == Delay(0.5)
    assert make_fault("system_exception", exception="COMM_FAILURE", minor=5, completed="NO") == SystemExceptionInstead(
        "COMM_FAILURE", 5, "COMPLETED_NO"
    )
    assert make_fault("reset") == Reset()


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        (
            "dealy",
            {},
            r"there is no fault 'dealy' \(did you mean 'delay'\?\): there are bandwidth, black_hole, .*wrong_request_id",
        ),
        ("delay", {"second": 1}, r"no parameter 'second' \(did you mean 'seconds'\?\): there is seconds"),
        ("reset", {"hard": 1}, r"no parameter 'hard': there is after"),
        ("delay", {}, "needs the parameter 'seconds'"),
        ("delay", {"seconds": -1}, "fault delay: seconds=-1"),
        ("delay", {"seconds": "much"}, "fault delay: "),
        ("latency", {"seconds": float("nan")}, "seconds=nan"),
        ("system_exception", {"exception": "A", "completed": "PERHAPS"}, "completed='PERHAPS'"),
        ("needs_addressing_mode", {"mode": "None"}, "mode='None'"),
        ("corrupt", {"value": 256}, "value=256"),
        ("fragmented", {"size": 31}, "size=31"),
        ("forward", {"reference": "IOR:zz"}, "fault forward"),
        ("slice", {"size": 0}, "size=0"),
        ("slice", {"name": "a"}, "no parameter 'name': there is size, pause"),
    ],
)
def test_a_fault_that_cannot_be_made(name: str, parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make_fault(name, **parameters)


def test_a_fault_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iiop_lab.faults.registry._factories", dict(fault_names()))
    register_fault("twice", lambda times=2: Duplicate(times))
    assert make_fault("twice") == Duplicate(2)
    assert "twice" in fault_names()

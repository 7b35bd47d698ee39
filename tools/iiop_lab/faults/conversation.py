"""One client's connection and that to the server, as two lanes of octets on which faults strike.

What is decided here needs no socket: a `Side` is told what to send and when to stop reading, a `Clock` when to come back. Octets
that no fault is on are handed on as they came. What waits goes in the order it came, and whoever has more than `MOST_WAITING`
octets waiting is not read from, so that a fault costs bounded memory, and each side feels the slowness of the other through it.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from iiop.exceptions import RemoteProtocolError
from iiop.giop.fragments import Reassembler
from iiop.giop.messages import GIOP_1_2, MessageType, Request
from iiop.limits import Limits
from iiop_lab.faults.aim import Direction
from iiop_lab.faults.fault import TO_CLIENT, TO_SERVER, Attachment, MessageFault, StreamFault, Timed
from iiop_lab.faults.stream import NOTHING, SHORT, Asked, Cutter, Piece, Sighting, asked_of

__all__ = ["Clock", "Conversation", "Lane", "Side"]

log = logging.getLogger("iiop_lab.faults")

MOST_WAITING = 1 << 20
"""Octets that wait on one lane before its sender is not read from any more; one message may come on top."""


class Clock(Protocol):
    """Tell the time, and wake up; an event loop is one."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> Any: ...


class Side(Protocol):
    """Be the connection to the client, or to the server."""

    def send(self, octets: bytes) -> None: ...

    def finish(self) -> None:
        """Send nothing more (FIN); what comes is still read."""

    def reset(self) -> None:
        """End the connection at once, with RST."""

    def read(self, on: bool) -> None:
        """Read on, or stop reading."""


class _Fate:
    """Hold what strikes one message, and what has come of it if it must be whole."""

    def __init__(self, strikers: tuple[Attachment, ...]) -> None:
        self.strikers = strikers
        self.whole = [striker for striker in strikers if isinstance(striker.fault, MessageFault)]
        self.octets = bytearray()


class Lane:
    """One direction of a conversation.

    Attributes:
        direction: which.
        memory: a number that each fault keeps about this lane, for itself.
        dead: whether everything vanishes from now on, the end of the stream too.
    """

    def __init__(self, conversation: Conversation, direction: Direction, source: Side, sink: Side) -> None:
        self.conversation = conversation
        self.direction = direction
        self.memory: dict[Attachment, float] = {}
        self.dead = False
        self._source = source
        self._sink = sink
        self._cutter = Cutter()
        self._reassembler = Reassembler(conversation.limits)
        self._fate: _Fate | None = None
        self._fates: dict[int | None, _Fate] = {}
        self._queue: deque[Timed] = deque()
        self._aside: list[tuple[Timed, Any]] = []
        self._put_in: list[bytes] = []
        self._waiting = 0
        self._timer: Any = None
        self._blocked = False
        self._reading = True
        self._attached: tuple[Attachment, ...] = ()
        self._needles: tuple[bytes, ...] | None = None
        self._ending = False
        self._wanted = False
        self._shaping = False
        self._cutting = False
        self._plain = True

    @property
    def other(self) -> Lane:
        """Return the opposite direction."""
        return self.conversation.lanes[TO_CLIENT if self.direction is TO_SERVER else TO_SERVER]

    @property
    def to_client(self) -> Lane:
        """Return the lane on which clients are answered."""
        return self.conversation.lanes[TO_CLIENT]

    def attach(self, attachments: tuple[Attachment, ...]) -> None:
        """Say which faults there are; what those that are gone held back goes."""
        gone = [item for item in self._attached if item not in attachments]
        self._attached = tuple([item for item in attachments if self.direction in item.directions])
        looking = [*self._attached]
        if self.direction is TO_SERVER:
            looking += [item for item in attachments if item.wants_replies]
        self._wanted = any(item.by_message for item in looking)
        self._shaping = any(not item.by_message for item in self._attached)
        self._needles = None
        if all(item.by_message and item.aim.at_object for item in looking):
            self._needles = tuple({item.needle for item in looking})
        for item in gone:
            self._release(item)
        self._settle()

    def receive(self, data: bytes) -> None:
        """Take octets from the source; none are its end."""
        if self._plain and data:
            self._cutter.follow(data)
            self._sink.send(data)
        elif self.conversation.ended:
            return
        elif not data:
            if held := self._cutter.let_go():
                self._shape(held, ())
            self._ending = True
            self._end()
        elif self._passes_by(data):
            self._sink.send(data)
        elif self._cutting or self._put_in:
            for piece in self._cutter.cut(data):
                self._take(piece)
                self._put_in_now()
                self.conversation.settle()
                if self.conversation.ended:
                    break
            self._settle()
        else:
            self._cutter.follow(data)
            self._shape(data, ())
            self.conversation.settle()

    def put_in(self, octets: bytes) -> None:
        """Send a message that did not come from the source, as soon as none is in the middle."""
        self._put_in.append(octets)
        self._put_in_now()
        self._settle()

    def later(self, octets: bytes, seconds: float, attachment: Attachment) -> None:
        """Put a message aside, to be put in later, though others pass it; infinity is when the fault is removed."""
        item = Timed(octets, self.conversation.clock.time(), {attachment: seconds})
        timer = self.conversation.clock.call_at(item.due, lambda: self._back(item)) if seconds < math.inf else None
        self._aside.append((item, timer))
        self._waiting += len(octets)
        self._settle()

    def queue(self, octets: bytes, seconds: float, attachment: Attachment) -> None:
        """Send octets later, and what comes behind not before them; infinity is when the fault is removed."""
        self._put(Timed(octets, self.conversation.clock.time(), {attachment: seconds}))

    def take_back(self, attachment: Attachment) -> list[bytes]:
        """Return what a fault has put aside for good."""
        return [item.octets for item in self._take_aside(lambda item: item.waits.get(attachment) == math.inf)]

    def finish(self) -> None:
        """End the stream behind what waits."""
        self._put(Timed(b"", self.conversation.clock.time()))

    def blocked(self, blocked: bool) -> None:
        """Be told that the sink takes nothing for now, or takes octets again."""
        self._blocked = blocked
        self._pump()

    def close(self) -> None:
        """Forget everything: the connection is gone."""
        self._take_aside(lambda item: True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queue.clear()
        self._waiting = 0

    # messages

    def _passes_by(self, data: bytes) -> bool:
        """Tell, quickly, that octets are one message that no fault is aimed at, or go on with one that none strikes."""
        if self._shaping or self._queue or self._put_in or self.dead:
            return False
        if self._fate is None and self._cutter.goes_on(data):
            return True
        if self._needles is None or len(data) > SHORT or not self._cutter.is_one_message(data):
            return False
        if self.direction is TO_CLIENT:
            return not self.conversation.asks
        for needle in self._needles:  # noqa: SIM110 - any() takes three times as long
            if needle in data:
                return False
        return True

    def _take(self, piece: Piece) -> None:
        message = piece.message
        if piece.first:
            assert message is not None
            self._fate = self._decide(message)
        fate = self._fate if message is not None else None
        if fate is None:
            if self._shaping or self._queue or self.conversation.ended or self.dead:
                self._shape(piece.octets, (), last=piece.last)
            else:
                self._sink.send(piece.octets)
        elif not fate.whole:
            assert message is not None
            if piece.first and message.header.message_type is not MessageType.Fragment:
                for striker in fate.strikers:
                    striker.struck += 1
            self._shape(piece.octets, fate.strikers, last=piece.last and not message.header.more_fragments)
        else:
            assert message is not None
            fate.octets += piece.octets
            if piece.last:
                octets, fate.octets = bytes(fate.octets), bytearray()
                self._collected(message, octets, fate)

    def _decide(self, message: Sighting) -> _Fate | None:
        header = message.header
        fragment = header.message_type is MessageType.Fragment
        key = message.request_id if header.version >= GIOP_1_2 and (fragment or header.more_fragments) else None
        if fragment:
            return self._fates.get(key) if header.more_fragments else self._fates.pop(key, None)
        asked = self.conversation.ask(message, self.direction)
        strikers = tuple([item for item in self._attached if item.picks(message, self.direction, asked)])
        if any(isinstance(item.fault, MessageFault) for item in strikers) and header.size > self.conversation.limits.message_size:
            log.warning(
                "a message of %d octets passes: the limit message_size=%d", header.size, self.conversation.limits.message_size
            )
            return None
        if not strikers:
            return None
        fate = _Fate(strikers)
        if header.more_fragments:
            if len(self._fates) >= self.conversation.limits.reassemblies:
                log.warning("a fragmented message passes: the limit reassemblies=%d", self.conversation.limits.reassemblies)
                return None
            self._fates[key] = fate
        return fate

    def _collected(self, message: Sighting, octets: bytes, fate: _Fate) -> None:
        """Let faults strike what has become whole; a fragmented message once its last fragment is there."""
        if message.header.more_fragments or message.header.message_type is MessageType.Fragment:
            try:
                whole = self._reassembler.add(message.header, octets)
            except RemoteProtocolError as error:
                log.warning("fragments that cannot be put together end the connection: %s", error)
                self.conversation.end(reset=True)
                return
            if whole is None:
                return
            octets = whole
        passing = [octets]
        for striker in fate.whole:
            if striker not in self._attached:
                continue
            assert isinstance(striker.fault, MessageFault)
            instead: list[bytes] = []
            for each in passing:
                struck = striker.fault.strike(each, message, self, striker)
                striker.struck += struck is not None
                instead += [each] if struck is None else struck
            passing = instead
        streaming = tuple([striker for striker in fate.strikers if striker not in fate.whole])
        for striker in streaming:
            striker.struck += bool(passing)
        for each in passing:
            self._shape(each, streaming)

    # octets

    def _shape(self, octets: bytes, strikers: tuple[Attachment, ...], *, last: bool = True) -> None:
        """Send octets on through the faults that shape the stream."""
        if self.conversation.ended or self.dead:
            return
        items: Iterable[Timed] = [Timed(octets, self.conversation.clock.time())]
        for attachment in self._attached:
            fault = attachment.fault
            if isinstance(fault, StreamFault) and (attachment in strikers or not attachment.by_message):
                if not attachment.by_message:
                    attachment.struck += 1
                items = fault.shape(items, self, attachment, last=last)
        for item in items:
            self._put(item)
        self._settle()

    def _end(self) -> None:
        """Pass the end of the stream on, once no message is to come back in its time."""
        if self._ending and not any(timer is not None for _, timer in self._aside):
            self._ending = False
            self._shape(b"", ())

    def _put(self, item: Timed) -> None:
        self._queue.append(item)
        self._waiting += len(item.octets)
        if len(self._queue) == 1:
            self._pump()

    def _pump(self) -> None:
        """Send what is due."""
        now = self.conversation.clock.time()
        while self._queue and not (self._blocked and self._queue[0].octets) and self._queue[0].due <= now:
            item = self._queue.popleft()
            self._waiting -= len(item.octets)
            if item.octets:
                self._sink.send(item.octets)
            else:
                self._sink.finish()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and now < self._queue[0].due < math.inf:
            self._timer = self.conversation.clock.call_at(self._queue[0].due, self._woken)
        self._settle()

    def _woken(self) -> None:
        self._timer = None
        self._pump()

    def _settle(self) -> None:
        """Read from the source or not, and find out whether octets can pass unseen."""
        self._cutting = self._wanted or bool(self._fates) or (self._fate is not None and bool(self._fate.octets))
        if self._cutter.holds and not (self._cutting or self._put_in):
            self._shape(self._cutter.let_go(), ())
        self._plain = not (self._attached or self._cutting or self._queue or self._put_in or self.conversation.ended)
        reading = self.conversation.ended or not (self._blocked or self._waiting > MOST_WAITING)
        if reading is not self._reading:
            self._reading = reading
            self._source.read(reading)

    def _put_in_now(self) -> None:
        while self._put_in and self._cutter.between:
            self._shape(self._put_in.pop(0), ())

    def _back(self, item: Timed) -> None:
        """Put in what is due, in order, whatever the order is in which loops wake for the same moment."""
        for each in sorted(self._take_aside(lambda each: each.due <= item.due), key=lambda each: each.due):
            self.put_in(each.octets)
        self._end()
        self.conversation.settle()

    def _take_aside(self, condition: Callable[[Timed], bool]) -> list[Timed]:
        taken = [(item, timer) for item, timer in self._aside if condition(item)]
        self._aside = [entry for entry in self._aside if entry not in taken]
        for item, timer in taken:
            self._waiting -= len(item.octets)
            if timer is not None:
                timer.cancel()
        return [item for item, _ in taken]

    def _release(self, attachment: Attachment) -> None:
        for item in self._queue:
            item.waits.pop(attachment, None)
        for item in self._take_aside(lambda item: attachment in item.waits):
            self.put_in(item.octets)
        attachment.fault.released(self, attachment)
        self.memory.pop(attachment, None)
        self._pump()
        self._end()


class Conversation:
    """Both directions, and what requests ask whose replies a fault waits for.

    Args:
        clock: the time.
        client, server: the two connections.
        address: host and port that clients know the server by.
        limits: what is kept of one message at most, and of how many requests.

    Attributes:
        lanes: the lane of each direction.
        ended: whether a fault has ended it: octets that still come are taken and forgotten.
    """

    def __init__(self, clock: Clock, client: Side, server: Side, address: tuple[str, int], limits: Limits) -> None:
        self.clock = clock
        self.address = address
        self.limits = limits
        self.ended = False
        self._sides = (client, server)
        self._asked: dict[int, Asked] = {}
        self._end: Callable[[], None] | None = None
        self._attachments: tuple[Attachment, ...] = ()
        self._waiting_for: tuple[Attachment, ...] = ()
        self.lanes = {TO_SERVER: Lane(self, TO_SERVER, client, server), TO_CLIENT: Lane(self, TO_CLIENT, server, client)}

    def attach(self, attachments: tuple[Attachment, ...]) -> None:
        """Say which faults there are."""
        new = [item for item in attachments if item not in self._attachments]
        self._attachments = attachments
        self._waiting_for = tuple([item for item in attachments if item.wants_replies])
        for lane in self.lanes.values():
            lane.attach(attachments)
        for item in new:
            if not item.by_message:
                for direction in item.directions:
                    item.fault.opened(self.lanes[direction], item)
        self.settle()

    @property
    def asks(self) -> bool:
        """Tell whether a fault waits for the reply to any request."""
        return bool(self._asked)

    def ask(self, message: Sighting, direction: Direction) -> Callable[[], Asked]:
        """Note what a request asks, if a fault waits for its reply; return what tells what a message asks."""
        kind = message.header.message_type
        if direction is TO_SERVER and kind is MessageType.Request:

            def look() -> Asked:
                request = message.message
                if message.asked is NOTHING and isinstance(request, Request):
                    message.asked = asked_of(request)
                return message.asked

            if any(item.may_want(message) for item in self._waiting_for):
                self._note(message, look())
            return look
        if direction is TO_CLIENT and kind is MessageType.Reply and self._asked:
            request_id = message.request_id
            if request_id is not None:
                message.asked = self._asked.pop(request_id, NOTHING)
        return lambda: message.asked

    def _note(self, message: Sighting, asked: Asked) -> None:
        request = message.message
        if isinstance(request, Request) and request.response_expected and any(item.covers(asked) for item in self._waiting_for):
            if len(self._asked) >= self.limits.outstanding:
                del self._asked[next(iter(self._asked))]
            self._asked[request.request_id] = asked

    def end(self, *, reset: bool = False) -> None:
        """End both connections, with FIN or RST, as soon as what a fault lets pass has been sent."""
        self._end = self._reset if reset else self._finish

    def settle(self) -> None:
        """Do what `end` was told."""
        if self._end is not None and not self.ended:
            self.ended = True
            self._end()

    def _finish(self) -> None:
        for lane in self.lanes.values():
            lane.finish()

    def _reset(self) -> None:
        for side in self._sides:
            side.reset()

    def close(self) -> None:
        """Forget everything: both connections are gone."""
        self.ended = True
        for lane in self.lanes.values():
            lane.close()

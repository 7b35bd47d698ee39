"""Blocking connections: a stream, deadlines, and a sans-IO `Connection` that decides what octets mean.

Many threads may call over one connection, and replies come in any order. There is no thread of its own: one of those that wait,
the leader, receives for all and wakes whom it has a reply for; when it leaves, another one leads. It must not know operations or
policies, nor which connection serves a call (`iiop.net.pool`).

Invariants: as long as somebody waits, somebody leads or has been woken to; whoever waits ends at the deadline of its own.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any

from iiop.cdr.code_sets import Negotiated
from iiop.connection import NEED_DATA, Connection, PreparedRequest, Role
from iiop.exceptions import (
    CompletionStatus,
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    RemoteProtocolError,
)
from iiop.giop.messages import Body, CancelRequest, LocateReply, LocateRequest, Reply, Request
from iiop.giop.wire import encode
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.address import Hosts
from iiop.net.ending import ended_by, stalled
from iiop.net.opening import open_stream
from iiop.net.stream import Stream
from iiop.net.tls import before_any_request, explained
from iiop.profile import Version

if TYPE_CHECKING:  # it needs asyncio, which most clients do not
    from iiop.net.callbacks import Callbacks

__all__ = ["Answer", "BlockingConnection"]

_MAIN = threading.main_thread().ident
_NO, _MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE

Answer = Body | Reply
"""What comes back: a reply, or of a plain one (NO_EXCEPTION, no service context) its body."""


class BlockingConnection:
    """Speak GIOP with one server over one socket.

    Args:
        sock: connected; or a stream on one.
        peer: `host:port` as in the reference, for messages.
        limits: what the server may make us hold.
        agreed, fragment_size: see `Connection`.
    """

    def __init__(
        self,
        sock: socket.socket | Stream,
        peer: str,
        limits: Limits = DEFAULT_LIMITS,
        agreed: Negotiated | None = None,
        fragment_size: int | None = None,
    ) -> None:
        self.peer = peer
        self._stream = sock if isinstance(sock, Stream) else Stream(sock)
        self._limits = limits
        self._connection = Connection(Role.CLIENT, limits=limits, agreed=agreed, fragment_size=fragment_size)
        self._lock = threading.Lock()
        """Held for moments, never while waiting: guards the connection, the answers and the sleepers."""
        self._sending = threading.RLock()
        """Held while a request is sent; one that knows its owner can be released by whoever is interrupted while taking it."""
        self._unsent: deque[bytes] = deque()
        """Short messages of those who must not wait and found somebody sending, who sends them as well."""
        self._leader: dict[None, int] = {}
        """The id of the request whose caller leads: a mapping, because `setdefault` asks and takes at once."""
        self._answers: dict[int, Any] = {}
        self._sleepers: dict[int, threading.Lock] = {}
        """Locks that are released to wake who waits for the reply with that id; who wakes one takes it out."""
        self._lost: ConnectionLost | None = None
        self._heard = self._silent = self._shared = self._retired = False
        """Whether anything has ever come; whether a reply stayed out, and nothing has come since; the rest says what it is."""
        self._gap_ends, self._wanting = inf, 0
        """When a message that has begun to arrive must have gone on, and how many octets it lacks."""
        self._callbacks: Callbacks | None = None
        self._reader: threading.Thread | None = None
        self._asked: deque[Request | LocateRequest | CancelRequest] = deque()
        """What the server asks of us, and nobody has looked at yet."""

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        timeout: float,
        *,
        hosts: Hosts | None = None,
        limits: Limits = DEFAULT_LIMITS,
        agreed: Negotiated | None = None,
        fragment_size: int | None = None,
        keep_alive: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> BlockingConnection:
        """Connect, as `open_stream` does; `limits`, `agreed` and `fragment_size` are those of the class.

        Raises:
            ConnectFailed: as `open_stream`.
        """
        stream = open_stream(host, port, timeout, hosts=hosts or {}, keep_alive=keep_alive, tls=tls)
        return cls(stream, f"{host}:{port}", limits, agreed, fragment_size)

    @property
    def is_open(self) -> bool:
        """Tell whether further requests may be sent, as far as is known: a server that was silent must first say something."""
        return self._lost is None and not self._silent and not self._retired

    @property
    def is_worthless(self) -> bool:
        """Tell whether it has ended, or is to end, or a reply was waited for in vain and nothing has ever come."""
        return self._lost is not None or self._retired or (self._silent and not self._heard)

    def retire(self) -> None:
        """Let no further requests be sent."""
        self._retired = True

    def is_usable(self) -> bool:
        """Tell whether a new request may be sent where nobody calls: nothing says that the server has closed.

        This looks at what has arrived, for an orderly CloseConnection says that a request sent after it will not run, and the end
        of the stream that it would be lost: that is the difference between calling elsewhere and not knowing.
        """
        if self._reader is None and self._stream.has_input and self._lost is None:
            try:
                self._distribute(self._stream.receive(time.monotonic() + 1.0))
            except OSError as error:
                self._lose(self._broken(error))
        return self.is_open

    def serve(self, callbacks: Callbacks) -> None:
        """Let the server send requests too, from our next one on; a thread waits for them from now on."""
        with self._lock:
            self._connection.offer((callbacks.point,))
        self._callbacks = callbacks
        self._reader = threading.Thread(target=self._read, args=(callbacks,), name=f"callbacks of {self.peer}", daemon=True)
        self._reader.start()

    def _read(self, callbacks: Callbacks) -> None:
        """Wait for a reply that never comes, as others wait for theirs: so somebody receives as long as there is a connection."""
        try:
            self._wait(-1, inf)
        except OSError as error:
            self._lose(self._broken(error))
        finally:
            callbacks.forget(self)

    def reply(self, reply: Reply | LocateReply, *, wait: bool = True) -> None:
        """Send a reply to a request of the server, if the connection has not ended meanwhile.

        Args:
            wait: until it can be sent, `Limits.idle_time` at most; else whoever is sending sends it, or it is dropped.

        Raises:
            EncodeError: a member does not fit its type.
        """
        deadline = time.monotonic() + self._limits.idle_time
        try:
            with self._lock:
                octets = self._connection.send(reply)
            if wait:
                self._acquire_sending(deadline)
                try:
                    self._stream.send(octets, deadline)
                finally:
                    self._sending.release()
            else:
                self._unsent.append(octets)
            self._send_unsent()
        except LocalProtocolError:
            pass
        except OSError as error:
            self._lose(self._broken(error))

    def next_request_id(self) -> int:
        """Return the id of the next request on this connection."""
        return self._connection.next_request_id()

    def call(self, request: Request | LocateRequest, deadline: float) -> Reply | LocateReply | None:
        """Send a request and return its reply; None for a request that expects none.

        Args:
            request: with an id of `next_request_id`.
            deadline: seconds of `time.monotonic`.

        Raises:
            EncodeError, LocalProtocolError: the request cannot be sent; the connection is as before.
            ConnectionLost: with the completion status; the connection has ended.
            DeadlineExceeded: no reply in time; the server is told, and the connection has ended only if a part of the request was
                sent and the rest was not.
        """
        with self._lock:
            self._check_open()
            octets = self._connection.send(request)
        waits = not isinstance(request, Request) or request.response_expected
        answer: Answer | LocateReply | None
        answer = self._exchange(octets, request.request_id, request.version, waits, deadline, self._stream.send_patiently)
        if isinstance(answer, Body):
            return Reply(request.request_id, body=answer, version=request.version, byte_order=answer.byte_order)
        return answer

    def invoke(self, prepared: PreparedRequest, arguments: Any, deadline: float) -> Answer | None:
        """Send a prepared request, as `call` does.

        Raises:
            As `call`.
        """
        with self._lock:
            if self._lost is not None:
                self._check_open()
            request_id, octets = self._connection.call(prepared, arguments)
        waits = prepared.response_expected
        answer: Answer | None = self._exchange(octets, request_id, prepared.version, waits, deadline, self._stream.send)
        return answer

    def begin(self, prepared: PreparedRequest, arguments: Any, deadline: float) -> int:
        """Send a prepared request and return its id; its reply is asked of by `finish`, or nobody wants it, as `give_up` says.

        Raises:
            As `call`.
        """
        with self._lock:
            self._check_open()
            request_id, octets = self._connection.call(prepared, arguments)
        answer = self._exchange(octets, request_id, prepared.version, False, deadline, self._stream.send)
        if answer is not None:  # it came, though a part of the request could not be sent
            self._answers[request_id] = answer
        return request_id

    def has_answer(self, request_id: int) -> bool:
        """Tell whether `finish` would return or raise at once, without waiting."""
        while request_id not in self._answers and self._lost is None:
            try:
                if self._leader.setdefault(None, request_id) != request_id or not self._stream.has_input:
                    return False  # another thread receives for us, or there is nothing
                self._await_reply(time.monotonic() + 1.0)
            except OSError as error:
                self._lose(self._broken(error))
            finally:
                if self._leader.get(None) == request_id:
                    self._resign()
        return True

    def finish(self, request_id: int, version: Version, deadline: float) -> Answer:
        """Return the reply to a request that has begun; one that is here already is never late.

        Raises:
            ConnectionLost, DeadlineExceeded: as `call`.
        """
        self.has_answer(request_id)
        answer: Answer = self._exchange(None, request_id, version, True, deadline, self._stream.send)
        return answer

    def give_up(self, request_id: int, version: Version) -> None:
        """Want no reply any more."""
        self._give_up(request_id, version, sent=True, begun=True, silent=False)

    def _check_open(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(str(self._lost), completed=_NO) from self._lost

    def _exchange(
        self,
        octets: bytes | bytearray | None,
        request_id: int,
        version: Version,
        waits: bool,
        deadline: float,
        send: Callable[[bytes | bytearray, float], None],
    ) -> Any:
        """Send a request, unless it was, and wait for its reply."""
        sent = octets is None
        completed = _MAYBE if sent else _NO
        try:
            if octets is not None:
                if not self._sending.acquire(False):
                    self._acquire_sending(deadline)
                try:
                    completed = _MAYBE
                    send(octets, deadline)
                    sent = True
                except ConnectionError:
                    waits = True  # for what the server said before it went, CloseConnection perhaps
                finally:
                    self._sending.release()
                if self._unsent:
                    self._send_unsent()
            return self._wait(request_id, deadline) if waits else None
        except TimeoutError as error:
            self._give_up(request_id, version, sent=sent, begun=completed is _MAYBE)
            raise DeadlineExceeded(f"no reply from {self.peer} in time", completed=completed) from error
        except ConnectionLost:
            raise
        except OSError as error:
            lost = self._broken(error)
            self._lose(lost)
            raise ConnectionLost(str(lost), completed=_NO if _NO in (completed, lost.completed) else _MAYBE) from error
        except BaseException:  # KeyboardInterrupt, which may have come while something was taken, or given back
            with contextlib.suppress(RuntimeError):  # it is not ours
                self._sending.release()
            if self._leader.get(None) == request_id:
                self._resign()
            elif not self._leader:
                self._wake_a_leader()
            self._give_up(request_id, version, sent=sent, begun=completed is _MAYBE)
            raise

    def _give_up(self, request_id: int, version: Version, *, sent: bool, begun: bool, silent: bool = True) -> None:
        """Leave the connection to others; behind a part of a request, anything would be taken for the rest of it."""
        if begun and not sent:
            self._lose(ConnectionLost(f"a request to {self.peer} could not be sent whole", completed=_MAYBE))
            return
        self._silent |= sent and silent
        with self._lock:
            self._answers.pop(request_id, None)
            try:
                octets = self._connection.abandon(request_id, version)
            except LocalProtocolError:  # its reply has come just now, or it wants none
                return
        if sent and octets:
            self._unsent.append(octets)
            self._send_unsent()

    def _send_unsent(self) -> None:
        """Send short messages that wait, unless somebody is sending, who will."""
        while self._unsent and self._sending.acquire(False):
            try:
                whole = self._stream.send_at_once(b"".join([self._unsent.popleft() for _ in range(len(self._unsent))]))
            finally:
                self._sending.release()
            if not whole:
                self._lose(ConnectionLost(f"a request to {self.peer} could not be cancelled", completed=_MAYBE))

    def _acquire_sending(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not self._sending.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
            raise TimeoutError
        if self._lost is not None:
            self._sending.release()
            self._check_open()

    def _wait(self, request_id: int, deadline: float) -> Any:
        """Return the reply with that id, receiving for others too if nobody does.

        Raises:
            ConnectionLost: there will be none.
            TimeoutError, OSError: nothing was heard of it.
        """
        leader, answers = self._leader, self._answers
        while True:
            try:
                if leader.setdefault(None, request_id) == request_id:
                    while request_id not in answers:
                        if self._lost is not None:
                            raise ConnectionLost(str(self._lost), completed=self._lost.completed) from self._lost
                        self._await_reply(deadline)
                    return answers.pop(request_id)
            finally:
                if leader.get(None) == request_id:
                    self._resign()
            answer = self._follow(request_id, deadline)
            if answer is not None:
                return answer

    def _follow(self, request_id: int, deadline: float) -> Any:
        """Sleep until woken; return the reply with that id, or None if it is time to lead.

        Raises:
            ConnectionLost, TimeoutError: as `_wait`.
        """
        self._shared = True
        sleeper = threading.Lock()
        sleeper.acquire()
        with self._lock:
            if request_id in self._answers:
                return self._answers.pop(request_id)
            self._sleepers[request_id] = sleeper
        try:
            if self._leader:  # who leads sees us when it leaves; else nobody does
                left = deadline - time.monotonic()
                if left <= 0 or not sleeper.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
                    raise TimeoutError
        except BaseException:
            with self._lock:
                self._sleepers.pop(request_id, None)
            if not self._leader:  # we may have been woken to lead
                self._wake_a_leader()
            raise
        with self._lock:
            self._sleepers.pop(request_id, None)
            return self._answers.pop(request_id, None)

    def _resign(self) -> None:
        del self._leader[None]
        if self._sleepers:
            self._wake_a_leader()

    def _wake_a_leader(self) -> None:
        with self._lock:
            if self._sleepers:
                self._sleepers.pop(next(iter(self._sleepers))).release()

    def _await_reply(self, deadline: float) -> None:
        """Receive once, and give replies to whom they are for.

        Raises:
            TimeoutError, OSError: nothing came; the connection broke.
        """
        if self._shared and get_ident() == _MAIN:
            self._stream.wait(deadline)  # for the sake of the others, as the main thread is the one that is interrupted
        try:
            self._distribute(self._stream.receive(deadline if deadline < self._gap_ends else self._gap_ends, self._wanting))
        except TimeoutError:
            if deadline <= self._gap_ends:
                raise
            self._lose(stalled(self.peer, self._limits))
        except OSError:
            raise
        except BaseException:  # KeyboardInterrupt: nobody knows what became of the octets
            self._lose(ConnectionLost(f"the connection to {self.peer} was interrupted", completed=_MAYBE))
            raise

    def _distribute(self, data: bytes) -> None:
        with self._lock:
            self._heard, self._silent = True, False
            answers = self._connection.answers(data)
            self._gap_ends, self._wanting = inf, 0
            if self._connection.has_unread:
                self._understand(answers)
                if self._connection.has_unread:
                    self._gap_ends = time.monotonic() + self._limits.read_interval
                    self._wanting = self._connection.wanting
            sleepers = self._sleepers
            for request_id, answer in answers:
                self._answers[request_id] = answer
                if sleepers and request_id in sleepers:
                    sleepers.pop(request_id).release()
        while self._asked and self._callbacks is not None:
            self._callbacks.take(self, self._asked.popleft())

    def _understand(self, answers: list[tuple[int, Any]]) -> None:
        """Look at what else has arrived than plain replies."""
        try:
            while (event := self._connection.next_event()) is not NEED_DATA:
                if self._callbacks is not None and isinstance(event, (Request, LocateRequest, CancelRequest)):
                    self._asked.append(event)
                    continue
                if not isinstance(event, (Reply, LocateReply)):
                    self._note_lost(ended_by(self.peer, event))
                    return
                answers.append((event.request_id, event))
        except RemoteProtocolError as error:
            if error.response is not None:
                self._stream.send_at_once(encode(error.response))
            lost = ConnectionLost(f"{self.peer} broke GIOP: {error}", completed=_MAYBE)
            lost.__cause__ = error
            self._note_lost(lost)

    def _broken(self, error: OSError) -> ConnectionLost:
        completed = _NO if not self._heard and before_any_request(error) else _MAYBE
        lost = ConnectionLost(f"connection to {self.peer} broke: {explained(error)}", completed=completed)
        lost.__cause__ = error
        return lost

    def _lose(self, reason: ConnectionLost) -> None:
        with self._lock:
            self._note_lost(reason)

    def _note_lost(self, reason: ConnectionLost) -> None:
        """Note, under the lock, that the connection has ended, and wake everybody."""
        if self._lost is None:
            self._lost = reason
        for sleeper in self._sleepers.values():
            sleeper.release()
        self._sleepers.clear()
        self._stream.shut()

    def close(self) -> None:
        """End the connection; nobody may be calling."""
        if self._lost is None:
            self._lost = ConnectionLost(f"connection to {self.peer} closed by us", completed=_NO)
        if self._reader is not None:
            self._stream.shut()
            self._reader.join()
        self._stream.close()

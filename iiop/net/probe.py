"""Ask an object, at one of its addresses, whether it is there.

As a client would, in order: connect, LocateRequest, `_non_existent`, `_is_a`. Each question is told with its answer and how long
it took; a question that cannot be answered does not end the rest, a connection that cannot be had does. It must not know which of
several addresses to ask.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from iiop.endpoints import Endpoint
from iiop.exceptions import (
    BAD_OPERATION,
    NO_IMPLEMENT,
    NO_PERMISSION,
    OBJECT_NOT_EXIST,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    IIOPError,
    SystemException,
)
from iiop.failover import TryEndpoint
from iiop.giop.messages import LocateReply, LocateRequest, LocateStatus, Reply, key_address
from iiop.idl import Interface, Operation
from iiop.iop import IOR, IOR_CODEC
from iiop.net.client import Client
from iiop.net.route import FORWARDS, forward_target, giop_version

__all__ = ["Probe", "Question", "probe"]

_FORWARDED = (LocateStatus.OBJECT_FORWARD, LocateStatus.OBJECT_FORWARD_PERM)


@dataclass(frozen=True, slots=True)
class Question:
    """Hold one question, what came of it, and the seconds it took.

    Attributes:
        name: `connect`, `LocateRequest`, `_non_existent` or `_is_a`.
        answer: in words; the error, if there was none.
        alive: whether the object is there, as far as this tells; None if it tells nothing.
    """

    name: str
    answer: str
    seconds: float
    alive: bool | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """Hold what an address answered.

    Attributes:
        forward: where it says the object is instead.
    """

    endpoint: Endpoint
    questions: tuple[Question, ...]
    forward: IOR | None = None

    @property
    def alive(self) -> bool:
        """Tell whether the object is there: what it says of itself counts, then what was said of its key."""
        if self.forward is not None:
            return False
        told = {each.name: each.alive for each in self.questions if each.alive is not None}
        return told.get("_non_existent", told.get("_is_a", told.get("LocateRequest", False)))


def probe(client: Client, endpoint: Endpoint, type_id: str, timeout: float) -> Probe:
    """Ask one address; nothing is raised.

    Args:
        client: connections, TLS and host names; a new connection is made.
        endpoint: the address.
        type_id: repository id that `_is_a` asks for; empty to leave that out.
        timeout: seconds for each question.
    """
    return _Asking(client, endpoint, timeout).run(type_id)


class _Asking:
    def __init__(self, client: Client, endpoint: Endpoint, timeout: float) -> None:
        self.client = client
        self.endpoint = endpoint
        self.timeout = timeout
        self.questions: list[Question] = []
        self.forward: IOR | None = None
        self.cut = False

    def run(self, type_id: str) -> Probe:
        self.locate()
        operations = Interface.operations()
        if not self.cut and self.forward is None:
            self.call(operations["_non_existent"])
        if type_id and not self.cut and self.forward is None:
            self.call(operations["_is_a"], type_id)
        return Probe(self.endpoint, tuple(self.questions), self.forward)

    def note(self, name: str, answer: str, start: float, alive: bool | None = None) -> None:
        self.questions.append(Question(name, answer, time.monotonic() - start, alive))

    def locate(self) -> None:
        start, name = time.monotonic(), "connect"
        try:
            route = self.client.route(self.endpoint)
            connection, _ = self.client.pool.take(route.line, self.timeout, fresh=True)
            try:
                self.note(name, "connected", start)
                start, name = time.monotonic(), "LocateRequest"
                version = giop_version(self.endpoint.version)
                request = LocateRequest(connection.next_request_id(), key_address(self.endpoint.object_key), version)
                reply = connection.call(request, start + self.timeout)
            finally:
                self.client.pool.give_back(route.line, connection)
            if not isinstance(reply, LocateReply):
                return
            if reply.locate_status in _FORWARDED:
                self.forward = reply.body.decode(IOR_CODEC, limits=self.client.limits)
            there = {LocateStatus.OBJECT_HERE: True, LocateStatus.UNKNOWN_OBJECT: False}.get(reply.locate_status)
            self.note(name, reply.locate_status.name, start, there)
        except IIOPError as error:
            self.failed(name, error, start)

    def call(self, operation: Operation, *arguments: str) -> None:
        start = time.monotonic()
        try:
            step = TryEndpoint(self.endpoint, self.timeout, self.timeout)
            reply = self.client.ask(self.client.route(self.endpoint), operation, arguments, step, start)
            if isinstance(reply, Reply) and reply.reply_status in FORWARDS:
                self.forward = forward_target(reply, self.client.limits)
                self.note(operation.name, reply.reply_status.name, start)
                return
            assert reply is not None
            said = bool(operation.answer(reply, self.client.limits))
            alive = not said if operation.name == "_non_existent" else True
            self.note(operation.name, str(said).lower(), start, alive)
        except IIOPError as error:
            self.failed(operation.name, error, start)

    def failed(self, name: str, error: IIOPError, start: float) -> None:
        alive: bool | None = None
        if isinstance(error, OBJECT_NOT_EXIST):
            alive = False
        elif isinstance(error, BAD_OPERATION | NO_IMPLEMENT | NO_PERMISSION):
            alive = None  # somebody is there who does not tell
        elif isinstance(error, SystemException):
            alive = False
        self.cut = isinstance(error, ConnectFailed | ConnectionLost | DeadlineExceeded)
        self.note(name, " ".join(str(error).split()), start, alive)

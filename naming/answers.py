"""The answers to `resolve` that have not changed: clients of a Naming Service ask for few names, and often.

An `ObjectAdapter` that keeps the octets of such answers, by the octets of the question. It must not know what a name stands for:
the answers are its servants', and every change of the model throws all of them away. Exceptions, and names that lead into other
servers, are asked anew each time.

Invariant: at most `ANSWERS` are kept, each of at most `ANSWER_SIZE` octets, as many in its question.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from iiop.cdr.speech import Speech
from iiop.exceptions import EncodeError
from iiop.giop.messages import Body, Reply, ReplyStatus, Request
from iiop.idl import ObjectAdapter, Servant
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.model import NamingModel

__all__ = ["ANSWERS", "ANSWER_SIZE", "NamingAdapter"]

ANSWERS = 4096
ANSWER_SIZE = 2048

_DONE = ReplyStatus.NO_EXCEPTION

Question: TypeAlias = tuple[object, bytes, int, Speech]
"""Object key, arguments, their place among eight octets and their byte order, and how they carry characters."""


class NamingAdapter(ObjectAdapter):
    """Answer `resolve` from memory where nothing has changed."""

    def __init__(self, *, locate_servant: Callable[[bytes], Servant | None], limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(locate_servant=locate_servant, limits=limits)
        self._model: NamingModel | None = None
        self._answers: dict[Question, Body] = {}
        self._applied = 0

    def serve(self, model: NamingModel | None) -> None:
        """Say what the contexts that `locate_servant` finds are of; without, everything is asked anew."""
        self._model = model
        self._answers.clear()

    def activate(self, object_key: bytes, servant: Servant) -> None:
        super().activate(object_key, servant)
        self._answers.clear()

    def handle(self, request: Request) -> Reply | Awaitable[Reply]:
        model = self._model
        if request.operation != "resolve" or model is None:
            return super().handle(request)
        if self._applied != model.applied:
            self._applied = model.applied
            self._answers.clear()
        body, order = request.body, request.byte_order
        question = request.target.value, body.octets[body.start :], body.start & 7 | order << 3, body.speech
        answer = self._answers.get(question)
        if answer is not None:
            return Reply(request.request_id, _DONE, (), answer, request.version, order)
        reply = super().handle(request)
        if isinstance(reply, Reply) and reply.reply_status is _DONE and self._is_located(question[0]):
            self._keep(question, reply)
        return reply

    def _is_located(self, object_key: object) -> bool:
        """Tell whether a target is the key of a context; what was activated may answer as it likes."""
        return isinstance(object_key, bytes) and object_key not in self._servants

    def _keep(self, question: Question, reply: Reply) -> None:
        out = bytearray()
        with contextlib.suppress(EncodeError):
            reply.body.encode_into(out, reply.byte_order)
            if len(out) <= ANSWER_SIZE and len(question[1]) <= ANSWER_SIZE:
                if len(self._answers) >= ANSWERS:
                    del self._answers[next(iter(self._answers))]
                self._answers[question] = Body(bytes(out), 0, reply.byte_order)
